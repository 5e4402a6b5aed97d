//! The users of another program: who they are, since when, and which of them are disabled.
//!
//! Decides which column of a table of users says what. A user who may be disabled at the source is disabled: to let a
//! user in who should be kept out is worse than the opposite, which the report tells of.

use rusqlite::Connection;

use super::super::reasons::{Reason, ReasonKind};
use super::cells::{Odd, TableRow, each_row};
use super::names::NameSource;
use super::tables::Table;
use super::{Attribute, ForeignKey, ForeignUser, ReadResult, broken};
use crate::base::clock::Moment;
use crate::store::{Progress, tell};

/// Columns that tell whether an address is verified.
const VERIFIED: [&str; 6] = [
    "email_verified",
    "emailVerified",
    "email_verified_at",
    "emailVerifiedAt",
    "is_email_verified",
    "isEmailVerified",
];

const CREATED: [&str; 2] = ["created_at", "createdAt"];

/// Columns that tell who is disabled.
const BANNED: [&str; 22] = [
    "banned",
    "is_banned",
    "isBanned",
    "banned_at",
    "bannedAt",
    "blocked",
    "is_blocked",
    "isBlocked",
    "blocked_at",
    "blockedAt",
    "disabled",
    "is_disabled",
    "isDisabled",
    "disabled_at",
    "disabledAt",
    "suspended",
    "is_suspended",
    "isSuspended",
    "suspended_at",
    "suspendedAt",
    "deleted_at",
    "deletedAt",
];

/// Columns that tell who is enabled.
const ENABLED: [&str; 5] = ["enabled", "is_enabled", "isEnabled", "is_active", "isActive"];

const BAN_REASON: [&str; 4] = ["banReason", "ban_reason", "disabled_reason", "disabledReason"];

const BAN_END: [&str; 4] = ["banExpires", "ban_expires", "banned_until", "bannedUntil"];

/// Which column of a table of users is which.
pub(super) struct UserColumns<'a> {
    table: &'a Table,
    id: usize,
    name: Option<usize>,
    /// Whether a user without a name gets their address as the name.
    falls_back: bool,
    email: Option<usize>,
    verified: Vec<usize>,
    created_at: Option<usize>,
    banned: Vec<usize>,
    enabled: Vec<usize>,
    ban_reason: Option<usize>,
    ban_end: Option<usize>,
    hash: Option<usize>,
    /// Those that are kept as attributes.
    kept: Vec<usize>,
}

impl<'a> UserColumns<'a> {
    /// The columns of a table that has an `id`. The table must have the column that `name` names, and has
    /// the column of hashes.
    pub(super) fn of(
        table: &'a Table,
        name: Option<&NameSource>,
        hash: Option<&str>,
    ) -> ReadResult<Self> {
        let find = |names: &[&str]| {
            let name = table.column(names)?;
            table.columns.iter().position(|it| it == name)
        };
        let all = |names: &[&str]| names.iter().filter_map(|it| find(&[it])).collect::<Vec<_>>();
        let Some(id) = find(&["id"]) else {
            return broken(format!("its table {} has no column id", table.name));
        };
        let named = match name {
            None => find(&["username"]),
            Some(NameSource::Key(_)) => None,
            Some(NameSource::Column(column)) => match find(&[column]) {
                Some(at) => Some(at),
                None => return broken(format!("its table {} has no column {column}", table.name)),
            },
        };
        let (email, hash) = (find(&["email"]), hash.and_then(|it| find(&[it])));
        let taken = [Some(id), named, email, hash];
        let kept = (0..table.columns.len()).filter(|at| !taken.contains(&Some(*at))).collect();
        Ok(Self {
            table,
            id,
            name: named,
            falls_back: name.is_none(),
            email,
            verified: all(&VERIFIED),
            created_at: find(&CREATED),
            banned: all(&BANNED),
            enabled: all(&ENABLED),
            ban_reason: find(&BAN_REASON),
            ban_end: find(&BAN_END),
            hash,
            kept,
        })
    }

    fn user(&self, row: &TableRow<'_>, now: Moment) -> ForeignUser {
        let mut it = ForeignUser { row: row.place(), ..ForeignUser::default() };
        match row.needed(self.id) {
            Ok(id) => it.id = Some(id),
            Err(why) => it.fault = Some(unreadable(&why)),
        }
        match self.name.map(|at| row.text(at)).transpose() {
            Ok(name) => it.username = name.flatten().filter(|it| !it.is_empty()),
            Err(why) => it.fault = it.fault.or_else(|| Some(unreadable(&why))),
        }
        let kept = self.kept.iter();
        it.attributes =
            kept.map(|at| (self.table.columns[*at].clone(), row.attribute(*at))).collect();
        self.read_email(row, &mut it);
        self.read_creation(row, &mut it, now);
        it.banned = self.ban(row, &mut it.reasons, now);
        it
    }

    /// An address counts as the user's if the source marks it as verified; otherwise it is kept as an attribute.
    fn read_email(&self, row: &TableRow<'_>, it: &mut ForeignUser) {
        let Some(at) = self.email else { return };
        let is_verified = self.verified.iter().any(|at| row.truth(*at).unwrap_or(false));
        match row.text(at) {
            Err(_) => it.attributes.push(("email".to_owned(), row.attribute(at))),
            Ok(None) => {}
            Ok(Some(email)) => {
                if self.falls_back && it.username.is_none() {
                    it.email_as_name = Some(email.clone()).filter(|it| !it.is_empty());
                }
                if is_verified {
                    it.verified_email = Some(email);
                } else {
                    it.attributes.push(("email".to_owned(), Attribute::Text(email)));
                }
            }
        }
    }

    fn read_creation(&self, row: &TableRow<'_>, it: &mut ForeignUser, now: Moment) {
        let Some(at) = self.created_at else { return };
        match row.past_moment(at, now) {
            Ok(moment) => it.created_at = Some(moment),
            Err(why) => it.reasons.push(Reason::about(ReasonKind::CreatedNow, why)),
        }
    }

    /// Why a user is disabled, if they are, for operators.
    fn ban(&self, row: &TableRow<'_>, reasons: &mut Vec<Reason>, now: Moment) -> Option<String> {
        let by = self.banned_by(row);
        let end = self.ban_end.map(|at| row.end(at));
        let has_no_flag = self.banned.is_empty() && self.enabled.is_empty();
        let by = match (by, &end) {
            (Some(by), _) => by,
            (None, Some(Ok(Some(end)))) if has_no_flag && *end > now => "banned".to_owned(),
            (None, Some(Err(_))) if has_no_flag => "banned".to_owned(),
            (None, _) => return None,
        };
        let told = self.ban_reason.and_then(|at| row.text(at).ok().flatten());
        let told = told.filter(|it| !it.is_empty());
        match end {
            Some(Ok(Some(end))) if end <= now => {
                reasons.push(Reason::about(ReasonKind::BanEnded, end.minute()));
                None
            }
            Some(Ok(Some(end))) => {
                reasons.push(Reason::about(ReasonKind::BanWithEnd, end.minute()));
                let told = told.unwrap_or_else(|| "banned".to_owned());
                Some(format!("{told} (until {})", end.minute()))
            }
            Some(Err(why)) => {
                reasons.push(Reason::about(ReasonKind::BanWithEnd, why));
                Some(told.unwrap_or(by))
            }
            Some(Ok(None)) | None => {
                reasons.push(Reason::about(ReasonKind::Disabled, by.clone()));
                Some(told.unwrap_or(by))
            }
        }
    }

    /// The column by which a user is disabled.
    fn banned_by(&self, row: &TableRow<'_>) -> Option<String> {
        let name = |at: usize| self.table.columns[at].clone();
        for at in &self.banned {
            match row.truth(*at) {
                Ok(false) => {}
                Ok(true) => return Some(name(*at)),
                Err(why) => return Some(why),
            }
        }
        for at in self.enabled.iter().filter(|at| !row.is_null(**at)) {
            match row.truth(*at) {
                Ok(true) => {}
                Ok(false) => return Some(format!("not {}", name(*at))),
                Err(why) => return Some(why),
            }
        }
        None
    }
}

fn unreadable(why: &str) -> String {
    format!("cannot be read: {why}")
}

/// All users in a table, with their passwords if the table has them.
pub(super) fn users(
    conn: &Connection,
    columns: &UserColumns<'_>,
    progress: Progress<'_>,
    now: Moment,
) -> ReadResult<(Vec<ForeignUser>, Vec<ForeignKey>)> {
    let (mut users, mut keys) = (Vec::new(), Vec::new());
    let names: Vec<&str> = columns.table.columns.iter().map(String::as_str).collect();
    each_row(conn, columns.table, &names, |row| {
        let user = columns.user(row, now);
        let hash: Result<Option<String>, Odd> = columns.hash.map_or(Ok(None), |at| row.hash(at));
        if let (Some(user_id), Ok(Some(_)) | Err(_)) = (&user.id, &hash) {
            keys.push(ForeignKey::of_name(user_id.clone(), hash));
        }
        users.push(user);
        tell(progress, "users read", users.len());
    })?;
    Ok((users, keys))
}
