//! The statements for keys.

use rusqlite::Transaction;

use super::users::name_of;
use super::{
    Sqlite, SqliteFault, SqliteResult, WRITE_PATIENCE, all, delete_rows_of, exists, first,
    insert_session, run,
};
use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::store::contract::FORGET_BROWSERS;
use crate::store::outcomes::Refused;
use crate::store::records::renaming;
use crate::store::rows::{ToCells, cells, key_columns};
use crate::store::{
    Epoch, Key, KeyAdded, KeyId, Keys, PasswordChanged, PasswordSet, Result, Session, SessionStart,
    UserId,
};

/// Selects the keys that are sign-in names: `;` is the character after `:`.
pub(super) const IS_SIGN_IN_NAME: &str = "user_key.id >= 'username:' AND user_key.id < 'username;'";

impl Keys for Sqlite {
    fn add_key(&self, key: &Key, now: Moment) -> Result<KeyAdded> {
        KeyAdded::of(self.write(WRITE_PATIENCE, |tx| self.insert_new_key(tx, key, now)))
    }

    fn add_sign_in_name(&self, user: &UserId, canonical: &str, now: Moment) -> Result<KeyAdded> {
        KeyAdded::of(self.write(WRITE_PATIENCE, |tx| {
            let sql = format!(
                "SELECT hashed_password FROM user_key JOIN user ON user.id = user_key.user_id
                  WHERE user_id = ? AND hashed_password IS NOT NULL
                  ORDER BY user_key.id = 'username:' || user.canonical_username DESC,
                           {IS_SIGN_IN_NAME} DESC, user_key.id LIMIT 1"
            );
            let hashed_password = first(tx, &sql, &cells![user])?.flatten();
            let (id, user_id) = (KeyId::username(canonical), user.clone());
            self.insert_new_key(tx, &Key { id, user_id, hashed_password }, now)
        }))
    }

    fn delete_key(&self, user: &UserId, id: &KeyId, rests_until: Option<Moment>) -> Result<bool> {
        Ok(self.write(WRITE_PATIENCE, |tx| {
            let sql = "DELETE FROM user_key WHERE id = ? AND user_id = ?";
            if run(tx, sql, &cells![id, user])? == 0 {
                return Ok(false);
            }
            if let Some(name) = id.sign_in_name()
                && name_of(tx, user)?.as_deref() != Some(name)
            {
                self.let_rest(tx, name, Some(user), rests_until)?;
            }
            end_everything_of(tx, user)?;
            Ok(true)
        })?)
    }

    fn set_password(&self, user: &UserId, hash: Option<&PasswordHash>) -> Result<PasswordSet> {
        PasswordSet::of(self.write(WRITE_PATIENCE, |tx| put_password(tx, user, hash)))
    }

    fn change_password(
        &self,
        proof: Epoch,
        new: &PasswordHash,
        session: &Session,
        entry: &SessionStart,
    ) -> Result<PasswordChanged> {
        PasswordChanged::of(self.write(WRITE_PATIENCE, |tx| {
            let sql = "SELECT 1 FROM user WHERE id = ? AND epoch = ?";
            if !exists(tx, sql, &cells![&session.user_id, proof])? {
                return Err(SqliteFault::Refused(Refused::NoUser));
            }
            put_password(tx, &session.user_id, Some(new))?;
            insert_session(tx, session, entry)
        }))
    }
}

impl Sqlite {
    /// Adds a key. A sign-in name must not be another user's username, and must not rest for another user.
    pub(super) fn insert_new_key(
        &self,
        tx: &Transaction<'_>,
        key: &Key,
        now: Moment,
    ) -> SqliteResult<()> {
        if let Some(name) = key.id.sign_in_name() {
            let sql = "SELECT 1 FROM user WHERE canonical_username = ? AND id <> ?";
            if exists(tx, sql, &cells![name, &key.user_id])? {
                return Err(SqliteFault::Refused(Refused::Duplicate));
            }
            self.take_name(tx, name, &key.user_id, now)?;
        }
        insert_key(tx, key)
    }
}

/// Sets the password of a user on every key that [`Keys::set_password`] says, and ends what was obtained
/// with the old one.
pub(super) fn put_password(
    tx: &Transaction<'_>,
    user: &UserId,
    hash: Option<&PasswordHash>,
) -> SqliteResult<()> {
    let canonical = name_of(tx, user)?.ok_or(SqliteFault::Refused(Refused::NoUser))?;
    let sql = format!(
        "UPDATE user_key SET hashed_password = ?
          WHERE user_id = ? AND (hashed_password IS NOT NULL OR {IS_SIGN_IN_NAME})"
    );
    let replaced = run(tx, &sql, &cells![hash, user])?;
    if hash.is_some() && sign_in_names(tx, user)?.is_empty() {
        let (id, user_id) = (KeyId::username(&canonical), user.clone());
        match insert_key(tx, &Key { id, user_id, hashed_password: hash.cloned() }) {
            // Another user signs in with the name. The old password is replaced all the same.
            Err(SqliteFault::Refused(Refused::Duplicate)) if replaced > 0 => {}
            done => done?,
        }
    }
    run(tx, FORGET_BROWSERS, &cells![user])?;
    end_everything_of(tx, user)
}

/// The sign-in names of a user, in the order of their ids.
pub(super) fn sign_in_names(tx: &Transaction<'_>, user: &UserId) -> SqliteResult<Vec<Key>> {
    let sql = format!(
        "SELECT {} FROM user_key WHERE user_id = ? AND {IS_SIGN_IN_NAME} ORDER BY id",
        key_columns!()
    );
    all(tx, &sql, &cells![user])
}

/// Moves the sign-in name of a user who is renamed from `before` to `after`, if they have one, and returns
/// the key that it had.
pub(super) fn move_sign_in_name(
    tx: &Transaction<'_>,
    user: &UserId,
    before: &str,
    after: &str,
) -> SqliteResult<Option<KeyId>> {
    refuse_sign_in_name_of_another(tx, user, after)?;
    let Some(moved) = renaming(&sign_in_names(tx, user)?, before, after) else {
        return Ok(None);
    };
    for id in [&moved.from, &moved.to.id] {
        run(tx, "DELETE FROM user_key WHERE id = ?", &cells![id])?;
    }
    insert_key(tx, &moved.to)?;
    Ok(Some(moved.from))
}

/// Refuses a username that is another user's sign-in name.
pub(super) fn refuse_sign_in_name_of_another(
    tx: &Transaction<'_>,
    user: &UserId,
    canonical: &str,
) -> SqliteResult<()> {
    let sql = "SELECT 1 FROM user_key WHERE id = ? AND user_id <> ?";
    let is_taken = exists(tx, sql, &cells![&KeyId::username(canonical), user])?;
    if is_taken { Err(SqliteFault::Refused(Refused::Duplicate)) } else { Ok(()) }
}

pub(super) fn insert_key(tx: &Transaction<'_>, key: &Key) -> SqliteResult<()> {
    let sql = "INSERT INTO user_key (id, user_id, hashed_password) VALUES (?, ?, ?)";
    run(tx, sql, &key.cells()).map(drop)
}

/// Ends everything obtained with the credentials that this user has had until now.
fn end_everything_of(tx: &Transaction<'_>, id: &UserId) -> SqliteResult<()> {
    run(tx, "UPDATE user SET epoch = epoch + 1 WHERE id = ?", &cells![id])?;
    delete_rows_of(tx, id, |it| it.ends_with_credentials)
}
