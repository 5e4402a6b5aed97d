//! How records are read from and written to rows, once for all engines; and the statements that engines
//! share.
//!
//! A reader takes the cells of a row from left to right, so that no column needs a number. It is generic,
//! so that an engine can avoid dynamic dispatch where that matters.

use super::records::{
    AccessToken, Census, ClientInfo, Count, CountId, Device, Epoch, Groups, Invite, Key, KeyId,
    Letter, NameHash, OneTimeToken, Purpose, Record, RestingName, Session, Totp, User, UserId,
};
use super::{Error, Result};
use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::base::token::TokenHash;

/// The columns of a [`User`], in the order in which it is read.
macro_rules! user_columns {
    () => {
        "user.id, user.username, user.canonical_username, user.created_at, user.group_names, \
         user.email, user.email_verified_at, user.disabled_at, user.disabled_reason, \
         user.second_factor_since"
    };
}

/// The columns of a [`Key`].
macro_rules! key_columns {
    () => {
        "user_key.id, user_key.user_id, user_key.hashed_password"
    };
}

/// The columns of a [`Session`].
macro_rules! session_columns {
    () => {
        "user_session.id, user_session.user_id, user_session.active_expires, \
         user_session.idle_expires, user_session.absolute_expires, user_session.created_at, \
         user_session.proven_at, user_session.seen_at, user_session.is_transient, \
         user_session.browser, user_session.address, user_session.second_at"
    };
}

/// The columns of an [`AccessToken`].
macro_rules! access_token_columns {
    () => {
        "access_token.id, access_token.user_id, access_token.name, access_token.created_at, \
         access_token.expires_at, access_token.used_at, access_token.second_at"
    };
}

/// The columns of an [`Invite`].
macro_rules! invite_columns {
    () => {
        "invite.id, invite.note, invite.group_names, invite.uses_left, invite.is_first, \
         invite.created_at, invite.expires_at"
    };
}

/// The columns of a [`Letter`].
macro_rules! letter_columns {
    () => {
        "mail.id, mail.kind, mail.user_id, mail.address, mail.language, mail.detail, \
         mail.created_at, mail.due_at, mail.tries, mail.last_outcome"
    };
}

/// The columns of a [`Record`].
macro_rules! record_columns {
    () => {
        "audit.at, audit.event, audit.user_id, audit.address, audit.session, audit.request, \
         audit.detail"
    };
}

pub(super) use {
    access_token_columns, invite_columns, key_columns, letter_columns, record_columns,
    session_columns, user_columns,
};

/// The session with an id, and its user. One under an outdated epoch is not found.
pub(super) const USER_OF_SESSION: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", ",
    session_columns!(),
    " FROM user_session JOIN user ON user.id = user_session.user_id
          AND user.epoch = user_session.epoch
     WHERE user_session.id = ?"
);

/// A value that is written to a column or compared with one.
#[derive(Clone, Copy)]
pub enum Cell<'a> {
    Null,
    /// A number, a moment in milliseconds, or a boolean.
    Int(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl Cell<'_> {
    /// About how many bytes it takes in a statement.
    #[cfg(feature = "mysql")]
    pub(super) const fn length(&self) -> usize {
        match self {
            Self::Null | Self::Int(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

impl From<i64> for Cell<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u32> for Cell<'_> {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<bool> for Cell<'_> {
    fn from(truth: bool) -> Self {
        Self::Int(truth.into())
    }
}

impl From<Moment> for Cell<'_> {
    fn from(moment: Moment) -> Self {
        Self::Int(moment.millis())
    }
}

impl From<Epoch> for Cell<'_> {
    fn from(epoch: Epoch) -> Self {
        Self::Int(epoch.0)
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Cell<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a String> for Cell<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a UserId> for Cell<'a> {
    fn from(id: &'a UserId) -> Self {
        Self::Text(&id.0)
    }
}

impl<'a> From<&'a KeyId> for Cell<'a> {
    fn from(id: &'a KeyId) -> Self {
        Self::Text(&id.0)
    }
}

impl<'a> From<&'a Groups> for Cell<'a> {
    fn from(groups: &'a Groups) -> Self {
        Self::Text(&groups.0)
    }
}

impl<'a> From<&'a PasswordHash> for Cell<'a> {
    fn from(hash: &'a PasswordHash) -> Self {
        Self::Text(hash.as_stored())
    }
}

impl<'a> From<&'a TokenHash> for Cell<'a> {
    fn from(hash: &'a TokenHash) -> Self {
        Self::Bytes(hash.as_bytes())
    }
}

impl<'a> From<&'a CountId> for Cell<'a> {
    fn from(id: &'a CountId) -> Self {
        Self::Bytes(&id.0)
    }
}

impl<'a> From<&'a NameHash> for Cell<'a> {
    fn from(hash: &'a NameHash) -> Self {
        Self::Bytes(&hash.0)
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell<'_> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Values as the parameters of a statement, or as the cells of a row.
macro_rules! cells {
    ($($value:expr),* $(,)?) => {
        [$($crate::store::rows::Cell::from($value)),*]
    };
}
pub(super) use cells;

/// The cells of one row, taken from left to right.
pub trait Cells {
    /// Takes a number. NULL is an error.
    fn int(&mut self) -> Result<i64>;

    /// Takes a number, or `None` for NULL.
    fn maybe_int(&mut self) -> Result<Option<i64>>;

    /// Takes a text. NULL is an error.
    fn text(&mut self) -> Result<String>;

    /// Takes a text, or `None` for NULL.
    fn maybe_text(&mut self) -> Result<Option<String>>;

    /// Takes bytes that fill `bytes` exactly. Any other length is an error.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<()>;

    /// Takes bytes of any number. NULL is an error.
    fn bytes(&mut self) -> Result<Vec<u8>>;
}

/// A value that is read from the cells of a row.
pub(super) trait FromCells: Sized {
    /// Takes as many cells as the value has columns.
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self>;
}

impl FromCells for i64 {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        row.int()
    }
}

impl FromCells for u32 {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        let number = row.int()?;
        Self::try_from(number)
            .map_err(|_| Error::Broken(format!("a column holds {number}, which is out of range")))
    }
}

impl FromCells for bool {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(row.int()? != 0)
    }
}

impl FromCells for String {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        row.text()
    }
}

impl FromCells for Option<String> {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        row.maybe_text()
    }
}

impl<const N: usize> FromCells for [u8; N] {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        let mut bytes = [0; N];
        row.fill(&mut bytes)?;
        Ok(bytes)
    }
}

impl FromCells for Moment {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self::from_millis(row.int()?))
    }
}

impl FromCells for Option<Moment> {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(row.maybe_int()?.map(Moment::from_millis))
    }
}

impl FromCells for Census {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self {
            users: FromCells::read(row)?,
            sessions: FromCells::read(row)?,
            mails: FromCells::read(row)?,
            oldest_mail: FromCells::read(row)?,
        })
    }
}

impl FromCells for TokenHash {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self::from_bytes(FromCells::read(row)?))
    }
}

impl FromCells for UserId {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self(row.text()?))
    }
}

impl FromCells for Epoch {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self(row.int()?))
    }
}

impl FromCells for CountId {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self(FromCells::read(row)?))
    }
}

impl FromCells for NameHash {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self(FromCells::read(row)?))
    }
}

impl FromCells for Option<PasswordHash> {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(row.maybe_text()?.map(PasswordHash::from_stored))
    }
}

impl<A: FromCells, B: FromCells> FromCells for (A, B) {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok((A::read(row)?, B::read(row)?))
    }
}

impl<A: FromCells, B: FromCells, D: FromCells> FromCells for (A, B, D) {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok((A::read(row)?, B::read(row)?, D::read(row)?))
    }
}

impl FromCells for User {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self {
            id: FromCells::read(row)?,
            username: row.text()?,
            canonical_username: row.text()?,
            created_at: FromCells::read(row)?,
            groups: Groups(row.text()?),
            email: row.text()?,
            email_verified_at: FromCells::read(row)?,
            disabled_at: FromCells::read(row)?,
            disabled_reason: row.text()?,
            second_factor_since: FromCells::read(row)?,
        })
    }
}

impl FromCells for Key {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self {
            id: KeyId(row.text()?),
            user_id: FromCells::read(row)?,
            hashed_password: FromCells::read(row)?,
        })
    }
}

impl FromCells for Session {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self {
            id: FromCells::read(row)?,
            user_id: FromCells::read(row)?,
            active_expires: FromCells::read(row)?,
            idle_expires: FromCells::read(row)?,
            absolute_expires: FromCells::read(row)?,
            created_at: FromCells::read(row)?,
            proven_at: FromCells::read(row)?,
            seen_at: FromCells::read(row)?,
            place: ClientInfo {
                is_transient: FromCells::read(row)?,
                browser: row.text()?,
                address: row.text()?,
            },
            second_at: FromCells::read(row)?,
        })
    }
}

impl FromCells for AccessToken {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self {
            id: FromCells::read(row)?,
            user_id: FromCells::read(row)?,
            name: row.text()?,
            created_at: FromCells::read(row)?,
            expires_at: FromCells::read(row)?,
            used_at: FromCells::read(row)?,
            second_at: FromCells::read(row)?,
        })
    }
}

impl FromCells for Invite {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self {
            id: FromCells::read(row)?,
            note: row.text()?,
            groups: Groups(row.text()?),
            uses_left: FromCells::read(row)?,
            is_first: FromCells::read(row)?,
            created_at: FromCells::read(row)?,
            expires_at: FromCells::read(row)?,
        })
    }
}

impl FromCells for Letter {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self {
            id: row.text()?,
            kind: row.text()?,
            user_id: row.text()?,
            address: row.text()?,
            language: row.text()?,
            detail: row.text()?,
            created_at: FromCells::read(row)?,
            due_at: FromCells::read(row)?,
            tries: FromCells::read(row)?,
            last_outcome: row.text()?,
        })
    }
}

impl FromCells for RestingName {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self {
            id: FromCells::read(row)?,
            user_id: row.maybe_text()?.map(UserId),
            expires_at: FromCells::read(row)?,
        })
    }
}

impl FromCells for Device {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self {
            id: FromCells::read(row)?,
            user_id: FromCells::read(row)?,
            last_used_at: FromCells::read(row)?,
            second_at: FromCells::read(row)?,
        })
    }
}

impl FromCells for Totp {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self {
            user_id: FromCells::read(row)?,
            secret: row.bytes()?,
            last_step: FromCells::read(row)?,
            created_at: FromCells::read(row)?,
        })
    }
}

impl FromCells for Count {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self {
            failures: FromCells::read(row)?,
            last_at: FromCells::read(row)?,
            until: FromCells::read(row)?,
        })
    }
}

impl FromCells for Record {
    fn read<C: Cells + ?Sized>(row: &mut C) -> Result<Self> {
        Ok(Self {
            at: FromCells::read(row)?,
            event: row.text()?,
            user_id: row.maybe_text()?,
            address: row.maybe_text()?,
            session: row.maybe_text()?,
            request: row.maybe_text()?,
            detail: row.text()?,
        })
    }
}

/// A record that is written to the cells of a row, in the order of its columns.
pub(super) trait ToCells<const N: usize> {
    /// The values of all columns.
    fn cells(&self) -> [Cell<'_>; N];
}

impl ToCells<10> for User {
    fn cells(&self) -> [Cell<'_>; 10] {
        cells![
            &self.id,
            &self.username,
            &self.canonical_username,
            self.created_at,
            &self.groups,
            &self.email,
            self.email_verified_at,
            self.disabled_at,
            &self.disabled_reason,
            self.second_factor_since,
        ]
    }
}

impl ToCells<3> for Key {
    fn cells(&self) -> [Cell<'_>; 3] {
        cells![&self.id, &self.user_id, self.hashed_password.as_ref()]
    }
}

impl ToCells<12> for Session {
    fn cells(&self) -> [Cell<'_>; 12] {
        cells![
            &self.id,
            &self.user_id,
            self.active_expires,
            self.idle_expires,
            self.absolute_expires,
            self.created_at,
            self.proven_at,
            self.seen_at,
            self.place.is_transient,
            &self.place.browser,
            &self.place.address,
            self.second_at,
        ]
    }
}

impl ToCells<6> for AccessToken {
    fn cells(&self) -> [Cell<'_>; 6] {
        cells![&self.id, &self.user_id, &self.name, self.created_at, self.expires_at, self.used_at]
    }
}

impl ToCells<6> for OneTimeToken {
    fn cells(&self) -> [Cell<'_>; 6] {
        cells![
            &self.id,
            &self.user_id,
            self.purpose,
            self.created_at,
            self.expires_at,
            &self.detail
        ]
    }
}

impl From<Purpose> for Cell<'_> {
    fn from(purpose: Purpose) -> Self {
        Self::Text(purpose.as_str())
    }
}

impl ToCells<7> for Invite {
    fn cells(&self) -> [Cell<'_>; 7] {
        cells![
            &self.id,
            &self.note,
            &self.groups,
            self.uses_left,
            self.is_first,
            self.created_at,
            self.expires_at,
        ]
    }
}

impl ToCells<10> for Letter {
    fn cells(&self) -> [Cell<'_>; 10] {
        cells![
            &self.id,
            &self.kind,
            &self.user_id,
            &self.address,
            &self.language,
            &self.detail,
            self.created_at,
            self.due_at,
            self.tries,
            &self.last_outcome,
        ]
    }
}

impl ToCells<3> for RestingName {
    fn cells(&self) -> [Cell<'_>; 3] {
        cells![&self.id, self.user_id.as_ref(), self.expires_at]
    }
}

impl ToCells<4> for Device {
    fn cells(&self) -> [Cell<'_>; 4] {
        cells![&self.id, &self.user_id, self.last_used_at, self.second_at]
    }
}

impl ToCells<4> for Totp {
    fn cells(&self) -> [Cell<'_>; 4] {
        cells![&self.user_id, &*self.secret, self.last_step, self.created_at]
    }
}

impl ToCells<3> for Count {
    fn cells(&self) -> [Cell<'_>; 3] {
        cells![self.failures, self.last_at, self.until]
    }
}

impl ToCells<7> for Record {
    fn cells(&self) -> [Cell<'_>; 7] {
        cells![
            self.at,
            &self.event,
            self.user_id.as_deref(),
            self.address.as_deref(),
            self.session.as_deref(),
            self.request.as_deref(),
            &self.detail,
        ]
    }
}

/// How an engine runs statements that all of them understand. Parameters are bare question marks.
pub trait Statements {
    /// Runs a query, and passes its rows on.
    fn query(
        &self,
        sql: &str,
        params: &[Cell<'_>],
        each: &mut dyn FnMut(&mut dyn Cells) -> Result<()>,
    ) -> Result<()>;

    /// Runs one statement that writes, in a transaction of its own, and returns how many rows it matched.
    fn execute(&self, sql: &str, params: &[Cell<'_>]) -> Result<usize>;

    /// Deletes up to `limit` rows of `table` whose `column` is earlier than `before`, and returns how many.
    /// The table has a column `id`, and an index on `column`.
    fn sweep(&self, table: &str, column: &str, before: Moment, limit: u32) -> Result<usize>;
}

/// All rows of a query.
pub(super) fn all<T: FromCells>(
    store: &(impl Statements + ?Sized),
    sql: &str,
    params: &[Cell<'_>],
) -> Result<Vec<T>> {
    let mut found = Vec::new();
    store.query(sql, params, &mut |row| {
        found.push(T::read(row)?);
        Ok(())
    })?;
    Ok(found)
}

/// The first row of a query.
pub(super) fn one<T: FromCells>(
    store: &(impl Statements + ?Sized),
    sql: &str,
    params: &[Cell<'_>],
) -> Result<Option<T>> {
    Ok(all(store, sql, params)?.into_iter().next())
}

/// Whether a query has rows.
pub(super) fn exists(
    store: &(impl Statements + ?Sized),
    sql: &str,
    params: &[Cell<'_>],
) -> Result<bool> {
    let mut is_there = false;
    store.query(sql, params, &mut |_| {
        is_there = true;
        Ok(())
    })?;
    Ok(is_there)
}
