//! Everything that is written down: people, keys and sessions.
//!
//! This file is the contract; the files beside it keep it, each on an engine of its own, and are the only
//! ones that know SQL. One method is one transaction and one intention; records go in and come out, and
//! no type of a library crosses this boundary. What it refuses to know is policy: how long a session
//! lives, which names and passwords are allowed, what anybody is told.

mod address;
mod engine;
mod import_status;
#[cfg(feature = "mysql")]
mod mysql;
mod outcomes;
mod patience;
mod progress;
mod records;
mod rows;
mod sqlite;
mod tables;

use std::time::Duration;

use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::base::token::TokenHash;
pub use address::{Cluster, Database, Tls};
pub use engine::{is_in_use, migrate, open, open_beside, open_for_copy, open_to_read, schema};
#[cfg(feature = "mysql")]
pub use mysql::Mysql;
pub use outcomes::{
    AccessTokenAdded, KeyAdded, OneTimeTokenAdded, PasswordChanged, PasswordSet, SessionStarted,
    SignedUp, UserAdded, UserRenamed,
};
pub use patience::Patience;
pub use progress::Progress;
#[cfg(feature = "import")]
pub(crate) use progress::tell;
pub use records::{
    AccessToken, ClientInfo, Count, CountId, Credentials, Device, Epoch, ExportedUser, Groups,
    ImportStatus, ImportedUser, Invite, Key, KeyId, NameHash, OneTimeToken, Purpose, Record,
    RestingName, Session, SessionStart, Use, User, UserId,
};
use rows::{
    Statements, access_token_columns, cells, invite_columns, key_columns, record_columns,
    session_columns, user_columns,
};
#[cfg(feature = "import")]
pub(crate) use sqlite::file::{APPLICATION_ID, open_immutable};
pub use sqlite::{READER_CACHE_KIB, Restored, Sqlite, back_up, restore};
pub use tables::{Row, TABLES};

/// How long a write in a file waits for its turn before it is given up as [`Error::Unavailable`]; less, where
/// the request has waited elsewhere ([`Patience`]).
pub const WRITE_PATIENCE: Duration = Duration::from_secs(3);

/// How long a renewal waits. It is a convenience that the next request can repeat, so it must not
/// hold up the page that triggered it.
pub const RENEWAL_PATIENCE: Duration = Duration::from_millis(20);

/// Known browsers of one user, at most.
const DEVICES_MAX: u32 = 100;

/// The mark on a database into which a copy has begun and has not ended: a row of `secret` with this
/// name, and zeros as its value. Whatever has it is neither served nor looked into.
const HALF_COPIED: &str = "copy";

/// What is said of a database that has the mark.
const HALF_COPIED_TEXT: &str =
    "a copy into it has begun and has not ended; run vestibule copy again, which begins anew";

/// What is said of a database that cannot be copied into.
const INHABITED_TEXT: &str = "there are users in it; what is to be copied into is a database without \
                              any, or none yet";

/// What is said of a database whose schema is older than the one that a command reads.
fn older(version: impl std::fmt::Display, newest: impl std::fmt::Display) -> String {
    format!(
        "it has schema {version}, and this vestibule reads schema {newest}: run vestibule migrate"
    )
}

/// The fault that so many names show one user and let another one in.
fn shared_names(count: i64) -> Option<String> {
    told(
        count,
        "name shows one user and lets another one in",
        "names show one user and let another one in",
    )
}

/// What may surprise an operator about the sign-in names of users, most of whom an import has brought over.
fn odd_names(others: i64, nameless: i64) -> Vec<String> {
    let others = told(
        others,
        "user signs in by another name than the one shown (vestibule user rename moves it)",
        "users sign in by another name than the one shown (vestibule user rename moves it)",
    );
    let nameless = told(
        nameless,
        "user signs in by no name (vestibule user passwd makes one)",
        "users sign in by no name (vestibule user passwd makes one)",
    );
    others.into_iter().chain(nameless).collect()
}

/// So many of something, with words for one and for more. `None`: there are none.
fn told(count: i64, one: &str, more: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {more}")),
    }
}

/// So many numbers, which are in the one row of a query.
fn numbers(store: &(impl Statements + ?Sized), sql: &str, count: usize) -> Result<Vec<i64>> {
    let mut found = Vec::with_capacity(count);
    store.query(sql, &[], &mut |row| {
        for _ in 0..count {
            found.push(row.int()?);
        }
        Ok(())
    })?;
    Ok(found)
}

/// How many failures are counted between two looks at the number of rows: looking reads them all.
const COUNTED_EVERY: u32 = 256;

/// Why the store could not do what was asked.
// LIMIT: after a failed fsync the disk may hold what was not acknowledged, and the next start may
// find it: a sign-out that was answered with an error can have happened all the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// It may pass: somebody else holds the lock, the disk is full, no server can be reached. Nothing
    /// was written.
    Unavailable(String),
    /// It may pass, and it may be written or not: the server went away while it answered, and no other
    /// could say.
    Unknown(String),
    /// It will not pass by waiting: the database is damaged, read-only or not ours. Nothing was written.
    Broken(String),
}

impl Error {
    /// The same with a cause that says more.
    fn saying(self, say: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Unavailable(cause) => Self::Unavailable(say(cause)),
            Self::Unknown(cause) => Self::Unknown(say(cause)),
            Self::Broken(cause) => Self::Broken(say(cause)),
        }
    }
}

impl std::fmt::Display for Error {
    /// The cause, for the operator.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Unavailable(cause) | Self::Unknown(cause) | Self::Broken(cause)) = self;
        f.write_str(cause)
    }
}

impl std::error::Error for Error {}

/// What the store answers.
pub type Result<T> = std::result::Result<T, Error>;

/// The database. Shared by all threads.
pub trait Store:
    Users
    + Names
    + Keys
    + Sessions
    + AccessTokens
    + OneTimeTokens
    + Invitations
    + Throttle
    + Devices
    + AuditLog
    + Bulk
    + Copies
    + Maintenance
    + Send
    + Sync
{
}

/// People.
pub trait Users: Statements {
    /// Adds a user with any keys, all or nothing. [`UserAdded::NameTaken`] if the canonical name or a
    /// key exists, or if another user signs in with the name; [`UserAdded::NameReserved`] if the name rests when
    /// the user is made.
    fn add_user(&self, user: &User, keys: &[Key]) -> Result<UserAdded>;

    /// Adds a user with a key and a first session, uses the invitation that they came with, if any, and
    /// does what `entry` says, all or nothing. Of any number of simultaneous calls for one name exactly
    /// one is [`SignedUp::Done`], and of those with one invitation as many as it has uses left.
    fn sign_up(
        &self,
        user: &User,
        key: &Key,
        session: &Session,
        invite: Option<&TokenHash>,
        entry: &SessionStart,
    ) -> Result<SignedUp>;

    /// The user with this id.
    fn user(&self, id: &UserId) -> Result<Option<User>> {
        rows::one(
            self,
            concat!("SELECT ", user_columns!(), " FROM user WHERE user.id = ?"),
            &cells![id],
        )
    }

    /// The user with this canonical name.
    fn user_by_name(&self, canonical: &str) -> Result<Option<User>> {
        rows::one(
            self,
            concat!("SELECT ", user_columns!(), " FROM user WHERE user.canonical_username = ?"),
            &cells![canonical],
        )
    }

    /// Up to `limit` users whose canonical names come after this one, in their order; fewer mean that
    /// these are the last.
    fn users_after(&self, canonical: &str, limit: u32) -> Result<Vec<User>> {
        rows::all(
            self,
            concat!(
                "SELECT ",
                user_columns!(),
                " FROM user WHERE user.canonical_username > ?
                  ORDER BY user.canonical_username LIMIT ?"
            ),
            &cells![canonical, limit],
        )
    }

    /// Gives a user another name, moves their `username:` key to it, whatever that is called, and deletes
    /// their reset links. Of several such keys the one of the old name moves, or else the first; a user
    /// without any gets none. With `rests_until`, the old name rests from then on for every other user,
    /// unless it is the new one in another spelling. [`UserRenamed::NameTaken`] if another user has the new name or
    /// signs in with it, [`UserRenamed::NameReserved`] if another one had it and it rests.
    fn rename_user(
        &self,
        id: &UserId,
        username: &str,
        canonical: &str,
        rests_until: Option<Moment>,
        now: Moment,
    ) -> Result<UserRenamed>;

    /// Puts a user in these groups and in no others. `false` if there is no such user.
    fn set_groups(&self, id: &UserId, groups: &Groups) -> Result<bool> {
        let sql = "UPDATE user SET group_names = ? WHERE id = ?";
        Ok(self.execute(sql, &cells![groups, id])? > 0)
    }

    /// Says where apps may write to a user; empty: nowhere. Deletes their reset links, which may have been
    /// sent to the old address. `false` if there is no such user.
    fn set_email(&self, id: &UserId, email: &str) -> Result<bool>;

    /// Shuts a user out and ends all their sessions and reset links: none can begin any more. `false` if
    /// there is no such user.
    fn disable_user(&self, id: &UserId, reason: &str, now: Moment) -> Result<bool>;

    /// Lets a user in again who was shut out; no reset link from before is good. `false` if there is no
    /// such user.
    fn enable_user(&self, id: &UserId) -> Result<bool>;

    /// Deletes a user with their keys, sessions, access tokens and devices, in one transaction. With
    /// `rests_until`, their name rests from then on; it and the names that they had before rest as hashes
    /// of which nobody can tell whose they were. `false` if there was none.
    fn delete_user(&self, id: &UserId, rests_until: Option<Moment>) -> Result<bool>;
}

/// Names that rest: an account has had them, and nobody may take them for a time. Each is kept as a hash
/// with the random key of the database.
pub trait Names: Statements + Maintenance {
    /// Whether no user has this canonical name or signs in with it, and it does not rest at this moment. One
    /// look-up that does the same work whatever it finds.
    fn is_name_free(&self, canonical: &str, now: Moment) -> Result<bool> {
        let (key, id) = (KeyId::username(canonical), NameHash::of(self.handle_key(), canonical));
        // Sums and no OR, which would not look any further than to the user.
        let found: Option<i64> = rows::one(
            self,
            "SELECT (SELECT count(*) FROM user WHERE canonical_username = ?)
                  + (SELECT count(*) FROM user_key WHERE id = ?)
                  + (SELECT count(*) FROM resting_name WHERE id = ? AND expires_at >= ?)",
            &cells![canonical, &key, &id, now],
        )?;
        Ok(found == Some(0))
    }

    /// Lets a name rest no longer. `false` if it did not.
    fn free_name(&self, canonical: &str) -> Result<bool> {
        let id = NameHash::of(self.handle_key(), canonical);
        Ok(self.execute("DELETE FROM resting_name WHERE id = ?", &cells![&id])? > 0)
    }

    /// Deletes up to `limit` names whose rest ended before `now`, and says how many.
    fn delete_rested_names(&self, now: Moment, limit: u32) -> Result<usize> {
        self.sweep("resting_name", "expires_at", now, limit)
    }
}

/// Ways to prove who one is.
pub trait Keys: Statements {
    /// Adds a key to a user. [`KeyAdded::Taken`] if the key exists, whoever's it is, or if it is a sign-in
    /// name by which another user is shown.
    fn add_key(&self, key: &Key) -> Result<KeyAdded>;

    /// Adds a sign-in name to a user, with the password that they have, if any: of several that of their
    /// own name, or else of the first key. [`KeyAdded::Taken`] as for [`Keys::add_key`].
    fn add_sign_in_name(&self, user: &UserId, canonical: &str) -> Result<KeyAdded>;

    /// The key with this id.
    fn key(&self, id: &KeyId) -> Result<Option<Key>> {
        rows::one(
            self,
            concat!("SELECT ", key_columns!(), " FROM user_key WHERE user_key.id = ?"),
            &cells![id],
        )
    }

    /// The key with this id, and the user whose it is.
    fn user_of_key(&self, id: &KeyId) -> Result<Option<(User, Key)>> {
        rows::one(
            self,
            concat!(
                "SELECT ",
                user_columns!(),
                ", ",
                key_columns!(),
                " FROM user_key JOIN user ON user.id = user_key.user_id WHERE user_key.id = ?"
            ),
            &cells![id],
        )
    }

    /// All keys of a user, by their ids; empty if there is no such user.
    fn keys_of(&self, id: &UserId) -> Result<Vec<Key>> {
        rows::all(
            self,
            concat!(
                "SELECT ",
                key_columns!(),
                " FROM user_key WHERE user_key.user_id = ? ORDER BY user_key.id"
            ),
            &cells![id],
        )
    }

    /// What a password is compared with that is given with this key: its hash alone. `None`: there is no
    /// such key.
    fn credentials_of_key(&self, id: &KeyId) -> Result<Option<Credentials>> {
        let found = rows::all(
            self,
            concat!(
                "SELECT ",
                user_columns!(),
                ", user.epoch, user_key.hashed_password
                   FROM user_key JOIN user ON user.id = user_key.user_id WHERE user_key.id = ?"
            ),
            &cells![id],
        )?;
        Ok(Credentials::of(found))
    }

    /// What a password is compared with that this user gives once more: the hashes of all their keys,
    /// those of sign-in names first. `None`: there is no such user.
    fn credentials_of_user(&self, id: &UserId) -> Result<Option<Credentials>> {
        let found = rows::all(
            self,
            // `;` comes after `:`.
            concat!(
                "SELECT ",
                user_columns!(),
                ", user.epoch, user_key.hashed_password
                   FROM user LEFT JOIN user_key ON user_key.user_id = user.id
                  WHERE user.id = ?
                  ORDER BY user_key.id >= 'username:' AND user_key.id < 'username;' DESC,
                           user_key.id"
            ),
            &cells![id],
        )?;
        Ok(Credentials::of(found))
    }

    /// Deletes a key of this user, raises their epoch and ends every session, access token and reset link
    /// of theirs, in one transaction: one of them may have begun with it. `false` if they have no such key.
    fn delete_key(&self, user: &UserId, id: &KeyId) -> Result<bool>;

    /// Sets or removes the password of a user, raises their epoch and ends every session, access token and
    /// reset link of theirs, in one transaction: nothing is left that the old one opened.
    ///
    /// It replaces the password of every key that has one, and is that of every sign-in name. A user who
    /// has no sign-in name gets their own. [`PasswordSet::NameTaken`] if that is another user's and there is no
    /// other key to set it on.
    fn set_password(&self, user: &UserId, hash: Option<&PasswordHash>) -> Result<PasswordSet>;

    /// Puts `new` in the place of `old` on every key of the user: the same password, hashed anew. `false`
    /// if no key has `old` by now, as a password changed meanwhile must stand.
    fn replace_hash(&self, user: &UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool> {
        let sql = "UPDATE user_key SET hashed_password = ?
                    WHERE user_id = ? AND hashed_password = ?";
        Ok(self.execute(sql, &cells![new, user, old])? > 0)
    }

    /// Sets the password of the owner of `session` as [`Keys::set_password`] does, and starts that session
    /// with what `entry` says, all or nothing. [`PasswordChanged::ProofOutdated`] if the user is gone or shut out, or has
    /// another epoch than `proof`: what was proven then holds no more.
    fn change_password(
        &self,
        proof: Epoch,
        new: &PasswordHash,
        session: &Session,
        entry: &SessionStart,
    ) -> Result<PasswordChanged>;
}

/// Browsers that were let in.
pub trait Sessions: Statements {
    /// Adds a session and does what `entry` says. Of this user's other sessions those go that were
    /// dead when the new one was made, then those of the future (see [`Moment::has_passed`]), and then the
    /// oldest, until there are `most` in all.
    /// [`SessionStarted::ProofOutdated`] if the user is gone or shut out, or has another epoch than `entry` was proven
    /// under.
    fn start_session(
        &self,
        session: &Session,
        most: u32,
        entry: &SessionStart,
    ) -> Result<SessionStarted>;

    /// The session with this id, dead or alive, and the user whose it is.
    fn user_of_session(&self, id: &TokenHash) -> Result<Option<(User, Session)>>;

    /// All sessions of a user, dead or alive, oldest first; empty if there is no such user.
    fn sessions_of(&self, id: &UserId) -> Result<Vec<Session>> {
        rows::all(
            self,
            concat!(
                "SELECT ",
                session_columns!(),
                " FROM user_session JOIN user ON user.id = user_session.user_id
                       AND user.epoch = user_session.epoch
                 WHERE user_session.user_id = ?
                 ORDER BY user_session.created_at, user_session.id"
            ),
            &cells![id],
        )
    }

    /// Notes that a session was used and moves its expiries later, never earlier, whatever else renews
    /// it at the same time. A last use of the future is put right. `false` if the session is gone. Gives up as [`Error::Unavailable`] after
    /// [`RENEWAL_PATIENCE`].
    fn renew_session(
        &self,
        id: &TokenHash,
        active_expires: Moment,
        idle_expires: Moment,
        now: Moment,
    ) -> Result<bool>;

    /// Notes that a session was used: never earlier than is noted already, unless that is of the future (see
    /// [`Moment::has_passed`]). `false` if the session is gone. Gives up as [`Error::Unavailable`] after
    /// [`RENEWAL_PATIENCE`].
    fn touch_session(&self, id: &TokenHash, now: Moment) -> Result<bool>;

    /// Notes that the password was given in a session, which is a use as [`Sessions::touch_session`] notes it:
    /// never earlier than is noted already, unless that is of the future. `false` if the session is gone. The
    /// owner waits for it.
    fn note_reauthentication(&self, id: &TokenHash, now: Moment) -> Result<bool>;

    /// Notes many uses, of sessions and of access tokens, in one transaction or in one for each. What is gone
    /// is left out. For a thread that nobody waits for: it waits for its turn.
    fn note_uses(&self, uses: &[Use]) -> Result<()>;

    /// Deletes a session. `false` if there was none.
    fn end_session(&self, id: &TokenHash) -> Result<bool> {
        Ok(self.execute("DELETE FROM user_session WHERE id = ?", &cells![id])? > 0)
    }

    /// Ends all sessions of a user but one, and says how many there were.
    fn end_other_sessions(&self, user: &UserId, kept: &TokenHash) -> Result<usize> {
        let sql = "DELETE FROM user_session WHERE user_id = ? AND id <> ?";
        self.execute(sql, &cells![user, kept])
    }

    /// Deletes all sessions of a user and says how many there were.
    fn end_sessions_of(&self, id: &UserId) -> Result<usize> {
        self.execute("DELETE FROM user_session WHERE user_id = ?", &cells![id])
    }

    /// Deletes up to `limit` sessions whose last good moment lies before `now`, whoever's they
    /// are, and says how many: fewer than `limit` means that none is left.
    fn delete_dead_sessions(&self, now: Moment, limit: u32) -> Result<usize> {
        self.sweep("user_session", "idle_expires", now, limit)
    }

    /// Deletes the sessions of one user whose last good moment lies before `now`, and says how
    /// many.
    fn delete_dead_sessions_of(&self, id: &UserId, now: Moment) -> Result<usize> {
        let sql = "DELETE FROM user_session WHERE user_id = ? AND idle_expires < ?";
        self.execute(sql, &cells![id, now])
    }
}

/// Secrets that people make for their scripts.
pub trait AccessTokens: Statements {
    /// Adds an access token that is made in `session`. [`AccessTokenAdded::TooMany`] if its user has `most` of
    /// them already; [`AccessTokenAdded::SessionEnded`] if the session has ended: somebody who was shut out, or whose
    /// password was changed meanwhile, leaves none behind.
    fn add_access_token(
        &self,
        token: &AccessToken,
        session: &TokenHash,
        most: u32,
    ) -> Result<AccessTokenAdded>;

    /// All access tokens of a user, good or not any more, oldest first.
    fn access_tokens_of(&self, id: &UserId) -> Result<Vec<AccessToken>> {
        rows::all(
            self,
            concat!(
                "SELECT ",
                access_token_columns!(),
                " FROM access_token JOIN user ON user.id = access_token.user_id
                       AND user.epoch = access_token.epoch
                 WHERE access_token.user_id = ?
                 ORDER BY access_token.created_at, access_token.id"
            ),
            &cells![id],
        )
    }

    /// The access token with this id, good or not any more, and the user whose it is.
    fn user_of_access_token(&self, id: &TokenHash) -> Result<Option<(User, AccessToken)>> {
        rows::one(
            self,
            concat!(
                "SELECT ",
                user_columns!(),
                ", ",
                access_token_columns!(),
                " FROM access_token JOIN user ON user.id = access_token.user_id
                       AND user.epoch = access_token.epoch
                 WHERE access_token.id = ?"
            ),
            &cells![id],
        )
    }

    /// Notes that an access token was used: never earlier than is noted already, unless that is of the
    /// future (see [`Moment::has_passed`]). `false` if it is gone. Gives up as [`Error::Unavailable`] after
    /// [`RENEWAL_PATIENCE`].
    fn touch_access_token(&self, id: &TokenHash, now: Moment) -> Result<bool>;

    /// Deletes an access token of this user. `false` if there was none.
    fn delete_access_token(&self, user: &UserId, id: &TokenHash) -> Result<bool> {
        let sql = "DELETE FROM access_token WHERE id = ? AND user_id = ?";
        Ok(self.execute(sql, &cells![id, user])? > 0)
    }

    /// Deletes up to `limit` access tokens that ended before `earliest`, and says how many.
    fn delete_ended_access_tokens(&self, earliest: Moment, limit: u32) -> Result<usize> {
        self.sweep("access_token", "expires_at", earliest, limit)
    }
}

/// Tokens that each do one thing for their user, once.
pub trait OneTimeTokens: Statements {
    /// Adds a one-time token, in the place of any other of its user with its purpose: the last one alone is
    /// valid, and only while its user has the epoch that they have now. [`OneTimeTokenAdded::NoUser`] if the user is
    /// gone.
    fn add_one_time_token(&self, token: &OneTimeToken) -> Result<OneTimeTokenAdded>;

    /// The user, disabled or not, for whom a token of this purpose is valid at this moment. One that was
    /// created in the future is not valid: see [`Moment::has_passed`].
    fn user_of_one_time_token(
        &self,
        id: &TokenHash,
        purpose: Purpose,
        now: Moment,
    ) -> Result<Option<User>> {
        rows::one(
            self,
            concat!(
                "SELECT ",
                user_columns!(),
                " FROM one_time_token AS it JOIN user ON user.id = it.user_id
                       AND user.epoch = it.epoch
                 WHERE it.id = ? AND it.purpose = ? AND it.expires_at >= ? AND it.created_at <= ?"
            ),
            &cells![id, purpose, now, now.latest_past()],
        )
    }

    /// Uses up a token for [`Purpose::ResetPassword`]: sets the password of its user as
    /// [`Keys::set_password`] does. `false` if the token is not valid, or if the user is disabled: of any
    /// number of simultaneous calls one is `true`.
    fn reset_password(&self, id: &TokenHash, hash: &PasswordHash, now: Moment) -> Result<bool>;

    /// Deletes up to `limit` one-time tokens that expired before `now`, and says how many.
    fn delete_ended_one_time_tokens(&self, now: Moment, limit: u32) -> Result<usize> {
        self.sweep("one_time_token", "expires_at", now, limit)
    }
}

/// Links with which somebody makes an account.
pub trait Invitations: Statements {
    /// Adds an invitation.
    fn add_invite(&self, invite: &Invite) -> Result<()>;

    /// Adds an invitation to make the first account, in the place of any other such. `false`, and
    /// nothing is written, if there is an account.
    fn add_first_invite(&self, invite: &Invite) -> Result<bool>;

    /// The invitation with this token, if it is good at this moment. One that was made in the future is not:
    /// see [`Moment::has_passed`].
    fn invite(&self, id: &TokenHash, now: Moment) -> Result<Option<Invite>> {
        rows::one(
            self,
            concat!(
                "SELECT ",
                invite_columns!(),
                " FROM invite WHERE id = ? AND expires_at >= ? AND created_at <= ?
                   AND (is_first = 0 OR NOT EXISTS (SELECT 1 FROM user))"
            ),
            &cells![id, now, now.latest_past()],
        )
    }

    /// All invitations that are good at this moment, the oldest first.
    fn invites(&self, now: Moment) -> Result<Vec<Invite>> {
        rows::all(
            self,
            concat!(
                "SELECT ",
                invite_columns!(),
                " FROM invite WHERE expires_at >= ? AND created_at <= ?
                   AND (is_first = 0 OR NOT EXISTS (SELECT 1 FROM user))
                 ORDER BY created_at, id"
            ),
            &cells![now, now.latest_past()],
        )
    }

    /// Deletes an invitation. `false` if there was none.
    fn delete_invite(&self, id: &TokenHash) -> Result<bool> {
        Ok(self.execute("DELETE FROM invite WHERE id = ?", &cells![id])? > 0)
    }

    /// Deletes up to `limit` invitations that ended before `now`, and says how many.
    fn delete_ended_invites(&self, now: Moment, limit: u32) -> Result<usize> {
        self.sweep("invite", "expires_at", now, limit)
    }
}

/// Failed tries.
pub trait Throttle: Statements {
    /// How often this thing has failed.
    fn count(&self, id: &CountId) -> Result<Option<Count>> {
        let sql = "SELECT failures, last_at, until FROM throttle WHERE id = ?";
        rows::one(self, sql, &cells![id])
    }

    /// Forgets the failures of this thing.
    fn clear_count(&self, id: &CountId) -> Result<()> {
        if self.count(id)?.is_none() {
            return Ok(());
        }
        self.execute("DELETE FROM throttle WHERE id = ?", &cells![id]).map(drop)
    }

    /// Replaces the counts of these things by what `after` makes of them (of the thing at this place
    /// in `ids`, and of its count before), in one transaction: of failures at the same moment each
    /// counts. When there are more than `most` rows, those go that matter least.
    fn change_counts(
        &self,
        ids: &[CountId],
        after: &dyn Fn(usize, Option<Count>) -> Count,
        most: u32,
    ) -> Result<()>;

    /// Up to `limit` things whose last failure is said to be later than this moment.
    fn counts_after(&self, latest: Moment, limit: u32) -> Result<Vec<CountId>> {
        // No count ends before its last failure, so the index on `until` finds them.
        rows::all(
            self,
            "SELECT id FROM throttle WHERE until > ? AND last_at > ? LIMIT ?",
            &cells![latest, latest, limit],
        )
    }

    /// Deletes up to `limit` counts that ended before `earliest` and devices that were not used since
    /// `earliest_use`, and says how many.
    fn delete_forgotten(&self, earliest: Moment, earliest_use: Moment, limit: u32)
    -> Result<usize>;
}

/// The browsers that keep an allowance of their own.
pub trait Devices: Statements {
    /// Whether somebody has signed in with the account of this key in this browser since `earliest`, and
    /// not in the future: see [`Moment::has_passed`].
    fn has_device(
        &self,
        id: &TokenHash,
        key: &KeyId,
        earliest: Moment,
        now: Moment,
    ) -> Result<bool> {
        rows::exists(
            self,
            "SELECT 1 FROM user_key JOIN device ON device.user_id = user_key.user_id
              WHERE user_key.id = ? AND device.id = ? AND device.last_used_at BETWEEN ? AND ?",
            &cells![key, id, earliest, now.latest_past()],
        )
    }

    /// Whether this browser's secret is one that was given out: to whomever.
    fn knows_device(&self, id: &TokenHash) -> Result<bool> {
        rows::exists(self, "SELECT 1 FROM device WHERE id = ? LIMIT 1", &cells![id])
    }

    /// The browsers in which somebody has signed in with the account of this key.
    fn devices_of_key(&self, key: &KeyId) -> Result<Vec<TokenHash>> {
        rows::all(
            self,
            "SELECT device.id FROM user_key JOIN device ON device.user_id = user_key.user_id
              WHERE user_key.id = ?",
            &cells![key],
        )
    }
}

/// What happened.
pub trait AuditLog: Statements {
    /// Adds records, all or nothing.
    fn add_records(&self, records: &[Record]) -> Result<()>;

    /// The records since a moment, oldest first, `limit` at most.
    fn records(&self, since: Moment, limit: u32) -> Result<Vec<Record>> {
        rows::all(
            self,
            concat!(
                "SELECT ",
                record_columns!(),
                " FROM audit WHERE at >= ? ORDER BY at, id LIMIT ?"
            ),
            &cells![since, limit],
        )
    }

    /// Up to `limit` records of the audit trail with their numbers: those with a higher number than
    /// `number`, and none from before `since`, in the order they were kept.
    fn records_after(&self, number: i64, since: Moment, limit: u32) -> Result<Vec<(i64, Record)>> {
        rows::all(
            self,
            concat!(
                "SELECT audit.id, ",
                record_columns!(),
                " FROM audit WHERE id > ? AND at >= ? ORDER BY id LIMIT ?"
            ),
            &cells![number, since, limit],
        )
    }

    /// The records about a user, the latest first, `limit` at most.
    fn records_of(&self, user: &UserId, limit: u32) -> Result<Vec<Record>> {
        rows::all(
            self,
            concat!(
                "SELECT ",
                record_columns!(),
                " FROM audit WHERE user_id = ? ORDER BY at DESC, id DESC LIMIT ?"
            ),
            &cells![user, limit],
        )
    }

    /// The record that was kept last, whichever moment it is of; `None`: there is none.
    fn last_record(&self) -> Result<Option<Record>> {
        rows::one(
            self,
            concat!("SELECT ", record_columns!(), " FROM audit ORDER BY id DESC LIMIT 1"),
            &[],
        )
    }

    /// Deletes up to `limit` records from before `earliest`, and says how many.
    fn delete_records(&self, earliest: Moment, limit: u32) -> Result<usize> {
        self.sweep("audit", "at", earliest, limit)
    }
}

/// Many people at once, from elsewhere and to it.
pub trait Bulk: Statements {
    /// What there is already of each of these people at this moment.
    fn import_status(&self, arrivals: &[ImportedUser], now: Moment) -> Result<Vec<ImportStatus>>;

    /// Adds everybody of whom there is nothing yet, in one transaction, and says what there was of each
    /// before. Whoever is here already is left as they are: a password that they changed since and a
    /// session that they ended must not come back. If there is a conflict, nothing is written, unless
    /// `skip_conflicts`: then those are left out.
    ///
    /// No two of `arrivals` may have an id, a name, a key or a session in common.
    fn import_users(
        &self,
        arrivals: &[ImportedUser],
        skip_conflicts: bool,
        now: Moment,
        progress: Progress<'_>,
    ) -> Result<Vec<ImportStatus>>;

    /// What else was known of a user where they came from: an object in JSON; empty: nothing. `None`
    /// if there is no such user.
    fn attributes(&self, id: &UserId) -> Result<Option<String>> {
        rows::one(self, "SELECT attributes FROM user WHERE id = ?", &cells![id])
    }

    /// Shows everybody to `each`, by their ids and as of one moment, until it says `false`. Their sessions
    /// are with them that are good at `living` still, and so are not of the future (see
    /// [`Moment::has_passed`]); `None`: no session is.
    ///
    /// One user is in memory at a time, and nobody waits.
    fn each_user(
        &self,
        living: Option<Moment>,
        each: &mut dyn FnMut(ExportedUser) -> bool,
    ) -> Result<()>;
}

/// Everything there is, from one database into another, whatever the engines: what is equal afterwards
/// is every row, with ids, hashes, epochs, numbers and random keys.
pub trait Copies: Statements {
    /// Shows every row of every table to `each`, as of one moment: table by table as in [`TABLES`], and
    /// each in the order of its key. It stops at the first error of `each`, and comes back with it.
    ///
    /// One row is in memory at a time, and nobody waits.
    fn each_row(
        &self,
        progress: Progress<'_>,
        each: &mut dyn FnMut(Row) -> Result<()>,
    ) -> Result<()>;

    /// Gets ready to be copied into: deletes what there is, but for its random keys, and notes that a copy
    /// has begun. From then on nobody can open it except with [`open_for_copy`].
    ///
    /// A database with users is refused and left as it was, unless they are there by a copy that has begun
    /// and has not ended.
    fn begin_copy(&self) -> Result<()>;

    /// Adds these rows, all or nothing; a random key takes the place of the one with its name. No more than
    /// 1,000 rows should come at once, and none before those of [`TABLES`] it refers to.
    ///
    /// [`Maintenance::handle_key`] stays what it was until the database is opened again.
    fn add_rows(&self, rows: &[Row]) -> Result<()>;

    /// Notes that the copy has ended: the database is like any other.
    fn end_copy(&self) -> Result<()>;

    /// How many rows each of [`TABLES`] has. That a copy has begun counts for none.
    fn rows(&self) -> Result<Vec<(&'static str, u64)>> {
        let counts = numbers(self, &tables::counting_all(), TABLES.len())?;
        Ok(TABLES.into_iter().zip(counts.into_iter().map(i64::unsigned_abs)).collect())
    }
}

/// What [`Maintenance::tend`] has noticed, each change once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tended {
    /// Nothing has changed.
    Unchanged,
    /// The path no longer leads to the file that is open, and why.
    Lost(String),
    /// It leads there again.
    Recovered,
}

/// The database as a whole.
pub trait Maintenance: Statements {
    /// A random key of this database, the same for all servers on it: for handles.
    fn handle_key(&self) -> &[u8; 32];

    /// Whether the database is well, as far as that can be said at once: a file is read, and its path has to
    /// lead to it; of servers it is known whether the last try reached one.
    fn probe(&self) -> Result<()>;

    /// Whether servers are asked, which may take their time: [`Maintenance::probe`] asks none.
    fn asks_servers(&self) -> bool;

    /// How long a request may take in all before nothing is begun for it any more: somewhat longer, it waits for
    /// nothing.
    fn patience(&self) -> Duration;

    /// To be called every few seconds, and says what has changed. On servers it goes back to the one that
    /// is preferred, and looks whether any is there again. A file that its path no longer leads to is not
    /// written from then on, and opened again once it is back. May wait for a few seconds.
    fn tend(&self) -> Tended;

    /// How many rows there are of users, keys, sessions, access tokens and names that rest.
    fn counts(&self) -> Result<Vec<(&'static str, i64)>> {
        let counts = numbers(self, &tables::counting_some(), tables::counted().count())?;
        Ok(tables::counted().zip(counts).collect())
    }

    /// The schema version, and the version of the engine.
    fn versions(&self) -> Result<[(&'static str, String); 2]>;

    /// What is wrong with the file and what stands in it; empty: nothing. It reads everything.
    fn faults(&self) -> Result<Vec<String>>;

    /// What is in order and may surprise an operator, as users whom an import has brought over without a
    /// sign-in name; empty: nothing.
    fn oddities(&self) -> Result<Vec<String>>;

    /// Folds the write-ahead log into the file and closes it, when serving ends. A process that is
    /// killed instead loses nothing, as the next start reads the log.
    fn close(&self) -> Result<()>;
}
