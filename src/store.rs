//! Everything that is written down: people, keys and sessions, in one SQLite file.
//!
//! The only file that knows SQL. One method is one transaction and one intention; records go in
//! and come out, and no type of the library crosses this boundary, so that another engine can
//! stand behind it. What it refuses to know is policy: how long a session lives, which names and
//! passwords are allowed, what anybody is told.
//!
//! Reads run on connections of their own, one for each thread that reads at the same moment, and
//! wait for nobody. Writes queue for one connection, each for a limited time.

mod access_tokens;
mod arrivals;
mod better_auth;
mod departures;
mod file;
mod invites;
mod lucia;
mod lucia_v3;
mod operator;
mod records;
mod strangers;
mod tickets;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::types::ToSql;
use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Row, Transaction, TransactionBehavior, ffi,
};

use crate::clock::Moment;
use crate::password::PasswordHash;
use crate::token::TokenHash;
pub use arrivals::{Arrival, Standing};
pub use better_auth::{BETTER_AUTH_TABLES, better_auth};
pub use departures::Departure;
pub use lucia::{LuciaTables, lucia};
pub use lucia_v3::{LUCIA_V3_TABLES, lucia_v3};
pub use operator::restore;
pub use records::{
    AccessToken, Count, CountId, Device, Entry, Groups, Invite, Key, KeyId, Place, Record, Session,
    SignedUp, Ticket, User, UserId, Written,
};
pub use strangers::{
    Attribute, Progress, Stranger, StrangerKey, StrangerSession, Strangers, TableNames,
};

/// How long a write waits for its turn before it is given up as [`Error::Busy`].
pub const WRITE_PATIENCE: Duration = Duration::from_secs(3);

/// How long a renewal waits. It is a convenience that the next request can repeat, so it must not
/// hold up the page that triggered it.
pub const RENEWAL_PATIENCE: Duration = Duration::from_millis(20);

/// Known browsers of one user, at most.
const DEVICES_MAX: u32 = 100;

/// How many failures are counted between two looks at the number of rows: looking reads them all.
const COUNTED_EVERY: u32 = 256;

/// Why the store could not do what was asked. Nothing of it was written.
// LIMIT: after a failed fsync the disk may hold what was not acknowledged, and the next start may
// find it: a sign-out that was answered with an error can have happened all the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// It may pass: somebody else holds the lock, the disk is full, no file descriptor is left.
    Busy(String),
    /// It will not pass by waiting: the file is damaged, read-only or not ours.
    Broken(String),
}

impl std::fmt::Display for Error {
    /// The cause, for the operator.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Busy(cause) | Self::Broken(cause)) = self;
        f.write_str(cause)
    }
}

impl std::error::Error for Error {}

/// What the store answers.
pub type Result<T> = std::result::Result<T, Error>;

/// The database. Shared by all threads.
pub struct Store {
    path: PathBuf,
    readers: Mutex<Vec<Connection>>,
    writer: Mutex<Option<Connection>>,
    writer_returned: Condvar,
    handle_key: [u8; 32],
    /// Failures that were counted since the rows were.
    uncounted: AtomicU32,
}

impl Store {
    /// Opens the database at `path`, and makes it first where there is none (mode 0600).
    ///
    /// A file that is not ours, was made by a newer version, is damaged or cannot be written is
    /// refused and left as it was; the error says which. Two processes may open the same file.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_as(path, file::Use::ToServe)
    }

    /// The same for a database that a server may be using meanwhile: its log tells of no crash, and so
    /// the file is not read whole.
    pub fn open_beside(path: &Path) -> Result<Self> {
        Self::open_as(path, file::Use::Beside)
    }

    fn open_as(path: &Path, purpose: file::Use) -> Result<Self> {
        let (path, writer) = file::open(path, purpose)?;
        let handle_key = writer
            .query_row("SELECT value FROM secret WHERE name = 'handle'", [], |row| row.get(0))
            .map_err(Fault::from)?;
        Ok(Self {
            handle_key,
            // The first failure looks how many rows there are.
            uncounted: AtomicU32::new(u32::MAX / 2),
            path,
            readers: Mutex::default(),
            writer: Mutex::new(Some(writer)),
            writer_returned: Condvar::new(),
        })
    }

    /// Folds the write-ahead log into the file and closes it, when serving ends. A process that is
    /// killed instead loses nothing, as the next start reads the log.
    pub fn close(&self) -> Result<()> {
        self.readers().clear();
        let mut writer = self.writer(WRITE_PATIENCE)?;
        let row = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        // The last connection that closes takes the log and the shared memory away with it.
        drop(writer.conn.take());
        row.map_err(|err| Fault::from(err).into())
    }

    /// Reads one row, or the fact that there is none: whether the file can be read at all.
    pub fn probe(&self) -> Result<()> {
        self.read(|conn| conn.prepare_cached("SELECT 1 FROM user LIMIT 1")?.exists([])).map(drop)
    }

    /// A random key of this database, the same for all servers on it: for handles.
    pub const fn handle_key(&self) -> &[u8; 32] {
        &self.handle_key
    }

    // People.

    /// Adds a user with any keys, all or nothing. [`Written::Taken`] if the canonical name or a
    /// key exists.
    pub fn add_user(&self, user: &User, keys: &[Key]) -> Result<Written> {
        let done = self.write(WRITE_PATIENCE, |tx| {
            insert_user(tx, user)?;
            keys.iter().try_for_each(|key| insert_key(tx, key))
        });
        written(done)
    }

    /// Adds a user with a key and a first session, uses the invitation that they came with, if any, and
    /// does what `entry` says, all or nothing. Of any number of simultaneous calls for one name exactly
    /// one is [`SignedUp::Done`], and of those with one invitation as many as it has uses left.
    pub fn sign_up(
        &self,
        user: &User,
        key: &Key,
        session: &Session,
        invite: Option<&TokenHash>,
        entry: &Entry,
    ) -> Result<SignedUp> {
        let done = self.write(WRITE_PATIENCE, |tx| {
            if let Some(id) = invite {
                invites::take(tx, id, user.created_at)?;
            }
            insert_user(tx, user)?;
            insert_key(tx, key)?;
            insert_session(tx, session, entry)
        });
        match done {
            Ok(()) => Ok(SignedUp::Done),
            Err(Fault::Duplicate) => Ok(SignedUp::NameTaken),
            Err(Fault::NotInvited) => Ok(SignedUp::NotInvited),
            Err(fault) => Err(fault.into()),
        }
    }

    /// The user with this id.
    pub fn user(&self, id: &UserId) -> Result<Option<User>> {
        self.read_one(
            "SELECT id, username, canonical_username, created_at, group_names, email, disabled_at,
                    disabled_reason
               FROM user WHERE id = ?1",
            [id.as_str()],
            |row| user_at(row, 0),
        )
    }

    /// The user with this canonical name.
    pub fn user_by_name(&self, canonical: &str) -> Result<Option<User>> {
        self.read_one(
            "SELECT id, username, canonical_username, created_at, group_names, email, disabled_at,
                    disabled_reason
               FROM user WHERE canonical_username = ?1",
            [canonical],
            |row| user_at(row, 0),
        )
    }

    /// Gives a user another name, and their `username:` key with it.
    pub fn rename_user(&self, id: &UserId, username: &str, canonical: &str) -> Result<Written> {
        let done = self.write(WRITE_PATIENCE, |tx| {
            let before: Option<String> = tx
                .prepare_cached("SELECT canonical_username FROM user WHERE id = ?1")?
                .query_row([id.as_str()], |row| row.get(0))
                .optional()?;
            let before = before.ok_or(Fault::NoUser)?;
            tx.prepare_cached(
                "UPDATE user SET username = ?2, canonical_username = ?3 WHERE id = ?1",
            )?
            .execute([id.as_str(), username, canonical])?;
            tx.prepare_cached("UPDATE user_key SET id = ?3 WHERE id = ?2 AND user_id = ?1")?
                .execute([
                    id.as_str(),
                    KeyId::username(&before).as_str(),
                    KeyId::username(canonical).as_str(),
                ])?;
            Ok(())
        });
        written(done)
    }

    /// Puts a user in these groups and in no others. `false` if there is no such user.
    pub fn set_groups(&self, id: &UserId, groups: &Groups) -> Result<bool> {
        let changed = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached("UPDATE user SET group_names = ?2 WHERE id = ?1")?
                .execute([id.as_str(), groups.as_str()])?)
        });
        Ok(changed? > 0)
    }

    /// Says where apps may write to a user; empty: nowhere. `false` if there is no such user.
    pub fn set_email(&self, id: &UserId, email: &str) -> Result<bool> {
        let changed = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached("UPDATE user SET email = ?2 WHERE id = ?1")?
                .execute([id.as_str(), email])?)
        });
        Ok(changed? > 0)
    }

    /// Shuts a user out and ends all their sessions: none can begin any more. `false` if there is no
    /// such user.
    pub fn disable_user(&self, id: &UserId, reason: &str, now: Moment) -> Result<bool> {
        let changed = self.write(WRITE_PATIENCE, |tx| {
            tx.prepare_cached("DELETE FROM user_session WHERE user_id = ?1")?
                .execute([id.as_str()])?;
            Ok(tx
                .prepare_cached(
                    "UPDATE user SET disabled_at = ?2, disabled_reason = ?3 WHERE id = ?1",
                )?
                .execute((id.as_str(), now.millis(), reason))?)
        });
        Ok(changed? > 0)
    }

    /// Lets a user in again who was shut out. `false` if there is no such user.
    pub fn enable_user(&self, id: &UserId) -> Result<bool> {
        let changed = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached(
                    "UPDATE user SET disabled_at = NULL, disabled_reason = '' WHERE id = ?1",
                )?
                .execute([id.as_str()])?)
        });
        Ok(changed? > 0)
    }

    /// Deletes a user with their keys, sessions, access tokens and devices. `false` if there was none.
    pub fn delete_user(&self, id: &UserId) -> Result<bool> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            tx.prepare_cached("DELETE FROM user_session WHERE user_id = ?1")?
                .execute([id.as_str()])?;
            access_tokens::delete_all_of(tx, id)?;
            tickets::delete_all_of(tx, id)?;
            tx.prepare_cached("DELETE FROM user_key WHERE user_id = ?1")?.execute([id.as_str()])?;
            tx.prepare_cached("DELETE FROM device WHERE user_id = ?1")?.execute([id.as_str()])?;
            Ok(tx.prepare_cached("DELETE FROM user WHERE id = ?1")?.execute([id.as_str()])?)
        });
        Ok(deleted? > 0)
    }

    // Keys.

    /// Adds a key to a user. [`Written::Taken`] if the key exists, whoever's it is.
    pub fn add_key(&self, key: &Key) -> Result<Written> {
        written(self.write(WRITE_PATIENCE, |tx| insert_key(tx, key)))
    }

    /// The key with this id.
    pub fn key(&self, id: &KeyId) -> Result<Option<Key>> {
        self.read_one(
            "SELECT id, user_id, hashed_password FROM user_key WHERE id = ?1",
            [id.as_str()],
            |row| key_at(row, 0),
        )
    }

    /// The key with this id, and the user whose it is.
    pub fn user_of_key(&self, id: &KeyId) -> Result<Option<(User, Key)>> {
        self.read_one(
            "SELECT user.id, user.username, user.canonical_username, user.created_at,
                    user.group_names, user.email, user.disabled_at, user.disabled_reason,
                    user_key.id, user_key.user_id, user_key.hashed_password
               FROM user_key JOIN user ON user.id = user_key.user_id
              WHERE user_key.id = ?1",
            [id.as_str()],
            |row| Ok((user_at(row, 0)?, key_at(row, 8)?)),
        )
    }

    /// All keys of a user, by their ids; empty if there is no such user.
    pub fn keys_of(&self, id: &UserId) -> Result<Vec<Key>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT id, user_id, hashed_password FROM user_key WHERE user_id = ?1 ORDER BY id",
            )?
            .query_map([id.as_str()], |row| key_at(row, 0))?
            .collect()
        })
    }

    /// Deletes a key. `false` if there was none.
    pub fn delete_key(&self, id: &KeyId) -> Result<bool> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx.prepare_cached("DELETE FROM user_key WHERE id = ?1")?.execute([id.as_str()])?)
        });
        Ok(deleted? > 0)
    }

    /// Sets or removes the password of a key and ends every session and access token of its user, in
    /// one transaction: whoever knew the old password is out. `false` if there is no such key.
    pub fn set_password(&self, id: &KeyId, hash: Option<&PasswordHash>) -> Result<bool> {
        let changed = self.write(WRITE_PATIENCE, |tx| {
            let owner = tx
                .prepare_cached("SELECT user_id FROM user_key WHERE id = ?1")?
                .query_row([id.as_str()], |row| row.get(0))
                .optional()?;
            let Some(owner) = owner.map(UserId) else { return Ok(0) };
            tx.prepare_cached("DELETE FROM user_session WHERE user_id = ?1")?
                .execute([owner.as_str()])?;
            access_tokens::delete_all_of(tx, &owner)?;
            tickets::delete_all_of(tx, &owner)?;
            Ok(tx
                .prepare_cached("UPDATE user_key SET hashed_password = ?2 WHERE id = ?1")?
                .execute((id.as_str(), hash.map(PasswordHash::as_stored)))?)
        });
        Ok(changed? > 0)
    }

    /// Puts `new` in the place of `old`: the same password, hashed anew. `false` if the key is
    /// gone or holds another hash by now, as a password changed meanwhile must stand.
    pub fn replace_hash(&self, id: &KeyId, old: &PasswordHash, new: &PasswordHash) -> Result<bool> {
        let changed = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached(
                    "UPDATE user_key SET hashed_password = ?3
                      WHERE id = ?1 AND hashed_password = ?2",
                )?
                .execute([id.as_str(), old.as_stored(), new.as_stored()])?)
        });
        Ok(changed? > 0)
    }

    // Sessions.

    /// Adds a session and does what `entry` says. Of this user's other sessions those go that were
    /// dead when the new one was made, and then the oldest, until there are `most` in all.
    /// [`Written::NoUser`] if the user is gone or shut out.
    pub fn start_session(&self, session: &Session, most: u32, entry: &Entry) -> Result<Written> {
        written(self.write(WRITE_PATIENCE, |tx| {
            insert_session(tx, session, entry)?;
            tx.prepare_cached(
                "DELETE FROM user_session WHERE id IN
                   (SELECT id FROM user_session WHERE user_id = ?1
                     ORDER BY id = ?2 DESC, created_at DESC, id LIMIT -1 OFFSET ?3)",
            )?
            .execute((session.user_id.as_str(), session.id.as_bytes(), most))?;
            Ok(())
        }))
    }

    /// The session with this id, dead or alive, and the user whose it is.
    pub fn user_of_session(&self, id: &TokenHash) -> Result<Option<(User, Session)>> {
        self.read_one(
            "SELECT user.id, user.username, user.canonical_username, user.created_at,
                    user.group_names, user.email, user.disabled_at, user.disabled_reason,
                    user_session.id, user_session.user_id, user_session.active_expires,
                    user_session.idle_expires, user_session.absolute_expires,
                    user_session.created_at, user_session.proven_at, user_session.seen_at,
                    user_session.is_transient, user_session.browser, user_session.address
               FROM user_session JOIN user ON user.id = user_session.user_id
              WHERE user_session.id = ?1",
            [id.as_bytes()],
            |row| Ok((user_at(row, 0)?, session_at(row, 8)?)),
        )
    }

    /// All sessions of a user, dead or alive, oldest first; empty if there is no such user.
    pub fn sessions_of(&self, id: &UserId) -> Result<Vec<Session>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT id, user_id, active_expires, idle_expires, absolute_expires, created_at,
                        proven_at, seen_at, is_transient, browser, address
                   FROM user_session WHERE user_id = ?1 ORDER BY created_at, id",
            )?
            .query_map([id.as_str()], |row| session_at(row, 0))?
            .collect()
        })
    }

    /// Notes that a session was used and moves its expiries later, never earlier, whatever else renews
    /// it at the same time. `false` if the session is gone. Gives up as [`Error::Busy`] after
    /// [`RENEWAL_PATIENCE`].
    pub fn renew_session(
        &self,
        id: &TokenHash,
        active_expires: Moment,
        idle_expires: Moment,
        now: Moment,
    ) -> Result<bool> {
        let times = (active_expires.millis(), idle_expires.millis(), now.millis());
        let changed = self.write(RENEWAL_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached(
                    "UPDATE user_session SET active_expires = max(active_expires, ?2),
                                             idle_expires = max(idle_expires, ?3),
                                             seen_at = max(seen_at, ?4)
                      WHERE id = ?1",
                )?
                .execute((id.as_bytes(), times.0, times.1, times.2))?)
        });
        Ok(changed? > 0)
    }

    /// Notes that a session was used, or with `proven` that the password was given in it. `false` if
    /// the session is gone. Gives up as [`Error::Busy`] after [`RENEWAL_PATIENCE`].
    pub fn see_session(&self, id: &TokenHash, proven: bool, now: Moment) -> Result<bool> {
        let changed = self.write(RENEWAL_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached(
                    "UPDATE user_session SET seen_at = max(seen_at, ?2),
                                             proven_at = iif(?3, max(proven_at, ?2), proven_at)
                      WHERE id = ?1",
                )?
                .execute((id.as_bytes(), now.millis(), proven))?)
        });
        Ok(changed? > 0)
    }

    /// Ends all sessions of a user but one, and says how many there were.
    pub fn end_other_sessions(&self, user: &UserId, kept: &TokenHash) -> Result<usize> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached("DELETE FROM user_session WHERE user_id = ?1 AND id <> ?2")?
                .execute((user.as_str(), kept.as_bytes()))?)
        });
        Ok(deleted?)
    }

    /// Puts a new password in the place of the one whose hash is `old`, ends every session and access
    /// token of the user, and starts `session` with what `entry` says, all or nothing. [`Written::NoUser`] if the
    /// key is gone or has another password by now.
    pub fn change_password(
        &self,
        id: &KeyId,
        old: &PasswordHash,
        new: &PasswordHash,
        session: &Session,
        entry: &Entry,
    ) -> Result<Written> {
        written(self.write(WRITE_PATIENCE, |tx| {
            let changed = tx
                .prepare_cached(
                    "UPDATE user_key SET hashed_password = ?3
                      WHERE id = ?1 AND hashed_password = ?2",
                )?
                .execute([id.as_str(), old.as_stored(), new.as_stored()])?;
            if changed == 0 {
                return Err(Fault::NoUser);
            }
            tx.prepare_cached("DELETE FROM user_session WHERE user_id = ?1")?
                .execute([session.user_id.as_str()])?;
            access_tokens::delete_all_of(tx, &session.user_id)?;
            tickets::delete_all_of(tx, &session.user_id)?;
            insert_session(tx, session, entry)
        }))
    }

    /// Deletes a session. `false` if there was none.
    pub fn end_session(&self, id: &TokenHash) -> Result<bool> {
        let deleted = self.write(WRITE_PATIENCE, |tx| Ok(delete_session(tx, id)?));
        Ok(deleted? > 0)
    }

    /// Deletes all sessions of a user and says how many there were.
    pub fn end_sessions_of(&self, id: &UserId) -> Result<usize> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached("DELETE FROM user_session WHERE user_id = ?1")?
                .execute([id.as_str()])?)
        });
        Ok(deleted?)
    }

    /// Deletes up to `limit` sessions whose last good moment lies before `now`, whoever's they
    /// are, and says how many: fewer than `limit` means that none is left.
    pub fn delete_dead_sessions(&self, now: Moment, limit: u32) -> Result<usize> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached(
                    "DELETE FROM user_session WHERE id IN
                       (SELECT id FROM user_session WHERE idle_expires < ?1 LIMIT ?2)",
                )?
                .execute((now.millis(), limit))?)
        });
        Ok(deleted?)
    }

    /// Deletes the sessions of one user whose last good moment lies before `now`, and says how
    /// many.
    pub fn delete_dead_sessions_of(&self, id: &UserId, now: Moment) -> Result<usize> {
        Ok(self.write(WRITE_PATIENCE, |tx| Ok(delete_dead_of(tx, id, now)?))?)
    }

    // Devices.

    /// Whether somebody has signed in with the account of this key in this browser since `earliest`.
    pub fn has_device(&self, id: &TokenHash, key: &KeyId, earliest: Moment) -> Result<bool> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT 1 FROM user_key JOIN device ON device.user_id = user_key.user_id
                  WHERE user_key.id = ?2 AND device.id = ?1 AND device.last_used_at >= ?3",
            )?
            .exists((id.as_bytes(), key.as_str(), earliest.millis()))
        })
    }

    /// Whether this browser's secret is one that was given out: to whomever.
    pub fn knows_device(&self, id: &TokenHash) -> Result<bool> {
        self.read(|conn| {
            conn.prepare_cached("SELECT 1 FROM device WHERE id = ?1")?.exists([id.as_bytes()])
        })
    }

    // Failures.

    /// How often this thing has failed.
    pub fn count(&self, id: &CountId) -> Result<Option<Count>> {
        self.read_one(
            "SELECT failures, last_at, until FROM throttle WHERE id = ?1",
            [&id.0],
            count_at,
        )
    }

    /// Forgets the failures of this thing.
    pub fn clear_count(&self, id: &CountId) -> Result<()> {
        if self.count(id)?.is_none() {
            return Ok(());
        }
        let done = self.write(WRITE_PATIENCE, |tx| {
            tx.prepare_cached("DELETE FROM throttle WHERE id = ?1")?.execute([id.0])?;
            Ok(())
        });
        Ok(done?)
    }

    /// Replaces the counts of these things by what `after` makes of them (of the thing at this place
    /// in `ids`, and of its count before), in one transaction: of failures at the same moment each
    /// counts. When there are more than `most` rows, those go that matter least.
    pub fn change_counts(
        &self,
        ids: &[CountId],
        after: impl Fn(usize, Option<Count>) -> Count,
        most: u32,
    ) -> Result<()> {
        let uncounted = self.uncounted.fetch_add(1, Ordering::Relaxed);
        let is_due = uncounted >= (most / 8).min(COUNTED_EVERY);
        let changed = self.write(WRITE_PATIENCE, |tx| {
            for (at, id) in ids.iter().enumerate() {
                let before = tx
                    .prepare_cached("SELECT failures, last_at, until FROM throttle WHERE id = ?1")?
                    .query_row([id.0], count_at)
                    .optional()?;
                let Count { failures, last_at, until } = after(at, before);
                tx.prepare_cached(
                    "INSERT INTO throttle (id, failures, last_at, until) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (id) DO UPDATE SET failures = ?2, last_at = ?3, until = ?4",
                )?
                .execute((id.0, failures, last_at.millis(), until.millis()))?;
            }
            if is_due {
                tx.prepare_cached(
                    "DELETE FROM throttle WHERE id IN
                       (SELECT id FROM throttle ORDER BY until, last_at
                         LIMIT max(0, (SELECT count(*) FROM throttle) - ?1))",
                )?
                .execute([most])?;
            }
            Ok(())
        });
        if is_due {
            self.uncounted.store(0, Ordering::Relaxed);
        }
        Ok(changed?)
    }

    /// Deletes up to `limit` counts that ended before `earliest` and devices that were not used since
    /// `earliest_use`, and says how many.
    pub fn delete_forgotten(
        &self,
        earliest: Moment,
        earliest_use: Moment,
        limit: u32,
    ) -> Result<usize> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            let counts = tx
                .prepare_cached(
                    "DELETE FROM throttle WHERE id IN
                       (SELECT id FROM throttle
                         WHERE until < ?1 AND last_at < ?1 ORDER BY until LIMIT ?2)",
                )?
                .execute((earliest.millis(), limit))?;
            let devices = tx
                .prepare_cached(
                    "DELETE FROM device WHERE (id, user_id) IN
                       (SELECT id, user_id FROM device WHERE last_used_at < ?1 LIMIT ?2)",
                )?
                .execute((earliest_use.millis(), limit))?;
            Ok(counts + devices)
        });
        Ok(deleted?)
    }

    // The audit trail.

    /// Adds records, all or nothing.
    pub fn add_records(&self, records: &[Record]) -> Result<()> {
        let added = self.write(WRITE_PATIENCE, |tx| {
            let mut insert = tx.prepare_cached(
                "INSERT INTO audit (at, event, user_id, address, session, request, detail)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            for it in records {
                insert.execute((
                    it.at.millis(),
                    &it.event,
                    &it.user_id,
                    &it.address,
                    &it.session,
                    &it.request,
                    &it.detail,
                ))?;
            }
            Ok(())
        });
        Ok(added?)
    }

    /// The records since a moment, oldest first, `limit` at most.
    pub fn records(&self, since: Moment, limit: u32) -> Result<Vec<Record>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT at, event, user_id, address, session, request, detail FROM audit
                  WHERE at >= ?1 ORDER BY at, id LIMIT ?2",
            )?
            .query_map((since.millis(), limit), |row| record_at(row, 0))?
            .collect()
        })
    }

    /// Deletes up to `limit` records from before `earliest`, and says how many.
    pub fn delete_records(&self, earliest: Moment, limit: u32) -> Result<usize> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached(
                    "DELETE FROM audit WHERE id IN
                       (SELECT id FROM audit WHERE at < ?1 ORDER BY at LIMIT ?2)",
                )?
                .execute((earliest.millis(), limit))?)
        });
        Ok(deleted?)
    }

    // How it runs.

    /// Runs one read on a connection that nobody else uses meanwhile. A connection that met an
    /// error is not used again.
    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let spare = self.readers().pop();
        let conn = match spare {
            Some(conn) => conn,
            None => file::open_reader(&self.path).map_err(Fault::from)?,
        };
        let value = query(&conn).map_err(Fault::from)?;
        self.readers().push(conn);
        Ok(value)
    }

    fn read_one<T>(
        &self,
        sql: &str,
        key: [impl ToSql; 1],
        record: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        self.read(|conn| conn.prepare_cached(sql)?.query_row(key, record).optional())
    }

    fn readers(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one transaction. Whatever goes wrong in it, nothing of it is written.
    fn write<T>(
        &self,
        patience: Duration,
        unit: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, Fault>,
    ) -> std::result::Result<T, Fault> {
        let mut writer = self.writer(patience)?;
        // IMMEDIATE takes the lock at once: a transaction that reads first and asks for the lock
        // later is refused without waiting if another one wrote in between.
        let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = unit(&tx)?;
        tx.commit()?;
        Ok(value)
    }

    /// Waits for the writing connection, and leaves it what is left of `patience` to wait for
    /// other processes.
    fn writer(&self, patience: Duration) -> std::result::Result<Writer<'_>, Fault> {
        let deadline = Instant::now() + patience;
        let slot = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut slot, _) = self
            .writer_returned
            .wait_timeout_while(slot, patience, |slot| slot.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        let Some(conn) = slot.take() else {
            return Err(Fault::Error(Error::Busy("too many writes are waiting".to_owned())));
        };
        let writer = Writer { store: self, conn: Some(conn) };
        writer.busy_timeout(deadline.saturating_duration_since(Instant::now()))?;
        Ok(writer)
    }
}

/// The writing connection on loan; it goes back even when the borrower panics.
struct Writer<'a> {
    store: &'a Store,
    conn: Option<Connection>,
}

impl std::ops::Deref for Writer<'_> {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        self.conn.as_ref().expect("it is there until the loan ends")
    }
}

impl std::ops::DerefMut for Writer<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.conn.as_mut().expect("it is there until the loan ends")
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        *self.store.writer.lock().unwrap_or_else(PoisonError::into_inner) = self.conn.take();
        self.store.writer_returned.notify_one();
    }
}

/// Why a transaction did not happen: two answers that some callers expect, or an error.
enum Fault {
    Duplicate,
    NoUser,
    NotInvited,
    Error(Error),
}

impl From<rusqlite::Error> for Fault {
    /// By code, never by the text of a message.
    fn from(err: rusqlite::Error) -> Self {
        let Some(code) = err.sqlite_error().copied() else {
            return Self::Error(Error::Broken(err.to_string()));
        };
        match code.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => Self::Duplicate,
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Self::NoUser,
            _ => Self::Error(match code.code {
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory => Error::Busy(err.to_string()),
                _ => Error::Broken(err.to_string()),
            }),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Error(err) => err,
            Fault::Duplicate => Self::Broken("a row that must be the only one exists".to_owned()),
            Fault::NoUser => Self::Broken("a row refers to a user that is not there".to_owned()),
            Fault::NotInvited => Self::Broken("an invitation is not good any more".to_owned()),
        }
    }
}

fn written(done: std::result::Result<(), Fault>) -> Result<Written> {
    match done {
        Ok(()) => Ok(Written::Done),
        Err(Fault::Duplicate) => Ok(Written::Taken),
        Err(Fault::NoUser) => Ok(Written::NoUser),
        Err(fault) => Err(fault.into()),
    }
}

fn insert_user(tx: &Transaction<'_>, user: &User) -> std::result::Result<(), Fault> {
    tx.prepare_cached(
        "INSERT INTO user (id, username, canonical_username, created_at, group_names, email,
                           disabled_at, disabled_reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((
        user.id.as_str(),
        &user.username,
        &user.canonical_username,
        user.created_at.millis(),
        user.groups.as_str(),
        &user.email,
        user.disabled_at.map(Moment::millis),
        &user.disabled_reason,
    ))?;
    Ok(())
}

fn insert_key(tx: &Transaction<'_>, key: &Key) -> std::result::Result<(), Fault> {
    tx.prepare_cached("INSERT INTO user_key (id, user_id, hashed_password) VALUES (?1, ?2, ?3)")?
        .execute((
        key.id.as_str(),
        key.user_id.as_str(),
        key.hashed_password.as_ref().map(PasswordHash::as_stored),
    ))?;
    Ok(())
}

fn insert_session(
    tx: &Transaction<'_>,
    session: &Session,
    entry: &Entry,
) -> std::result::Result<(), Fault> {
    // Whoever was shut out while their password was being checked stays out.
    let is_disabled = tx
        .prepare_cached("SELECT 1 FROM user WHERE id = ?1 AND disabled_at IS NOT NULL")?
        .exists([session.user_id.as_str()])?;
    if is_disabled {
        return Err(Fault::NoUser);
    }
    if let Some((key, hash)) = &entry.proof
        && !tx
            .prepare_cached("SELECT 1 FROM user_key WHERE id = ?1 AND hashed_password = ?2")?
            .exists([key.as_str(), hash.as_stored()])?
    {
        return Err(Fault::NoUser);
    }
    if let Some(replaced) = &entry.replaced {
        delete_session(tx, replaced)?;
    }
    if let Some(id) = entry.cleared {
        tx.prepare_cached("DELETE FROM throttle WHERE id = ?1")?.execute([id.0])?;
    }
    delete_dead_of(tx, &session.user_id, session.created_at)?;
    insert_session_row(tx, session)?;
    match &entry.device {
        Some(device) => upsert_device(tx, device),
        None => Ok(()),
    }
}

fn insert_session_row(tx: &Transaction<'_>, session: &Session) -> std::result::Result<(), Fault> {
    tx.prepare_cached(
        "INSERT INTO user_session
           (id, user_id, active_expires, idle_expires, absolute_expires, created_at, proven_at,
            seen_at, is_transient, browser, address)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute((
        session.id.as_bytes(),
        session.user_id.as_str(),
        session.active_expires.millis(),
        session.idle_expires.millis(),
        session.absolute_expires.millis(),
        session.created_at.millis(),
        session.proven_at.millis(),
        session.seen_at.millis(),
        session.place.is_transient,
        &session.place.browser,
        &session.place.address,
    ))?;
    Ok(())
}

fn delete_session(tx: &Transaction<'_>, id: &TokenHash) -> rusqlite::Result<usize> {
    tx.prepare_cached("DELETE FROM user_session WHERE id = ?1")?.execute([id.as_bytes()])
}

fn delete_dead_of(tx: &Transaction<'_>, id: &UserId, now: Moment) -> rusqlite::Result<usize> {
    tx.prepare_cached("DELETE FROM user_session WHERE user_id = ?1 AND idle_expires < ?2")?
        .execute((id.as_str(), now.millis()))
}

/// Adds a browser or notes that it was used; beyond [`DEVICES_MAX`] of a user the oldest go.
fn upsert_device(tx: &Transaction<'_>, device: &Device) -> std::result::Result<(), Fault> {
    tx.prepare_cached(
        "INSERT INTO device (id, user_id, last_used_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (id, user_id) DO UPDATE SET last_used_at = ?3",
    )?
    .execute((device.id.as_bytes(), device.user_id.as_str(), device.last_used_at.millis()))?;
    tx.prepare_cached(
        "DELETE FROM device WHERE (id, user_id) IN
           (SELECT id, user_id FROM device WHERE user_id = ?1
             ORDER BY last_used_at DESC LIMIT -1 OFFSET ?2)",
    )?
    .execute((device.user_id.as_str(), DEVICES_MAX))?;
    Ok(())
}

fn count_at(row: &Row<'_>) -> rusqlite::Result<Count> {
    Ok(Count { failures: row.get(0)?, last_at: moment_at(row, 1)?, until: moment_at(row, 2)? })
}

fn user_at(row: &Row<'_>, first: usize) -> rusqlite::Result<User> {
    Ok(User {
        id: UserId(row.get(first)?),
        username: row.get(first + 1)?,
        canonical_username: row.get(first + 2)?,
        created_at: moment_at(row, first + 3)?,
        groups: Groups(row.get(first + 4)?),
        email: row.get(first + 5)?,
        disabled_at: row.get::<_, Option<i64>>(first + 6)?.map(Moment::from_millis),
        disabled_reason: row.get(first + 7)?,
    })
}

fn key_at(row: &Row<'_>, first: usize) -> rusqlite::Result<Key> {
    Ok(Key {
        id: KeyId(row.get(first)?),
        user_id: UserId(row.get(first + 1)?),
        hashed_password: row.get::<_, Option<String>>(first + 2)?.map(PasswordHash::from_stored),
    })
}

fn session_at(row: &Row<'_>, first: usize) -> rusqlite::Result<Session> {
    Ok(Session {
        id: TokenHash::from_bytes(row.get(first)?),
        user_id: UserId(row.get(first + 1)?),
        active_expires: moment_at(row, first + 2)?,
        idle_expires: moment_at(row, first + 3)?,
        absolute_expires: moment_at(row, first + 4)?,
        created_at: moment_at(row, first + 5)?,
        proven_at: moment_at(row, first + 6)?,
        seen_at: moment_at(row, first + 7)?,
        place: Place {
            is_transient: row.get(first + 8)?,
            browser: row.get(first + 9)?,
            address: row.get(first + 10)?,
        },
    })
}

fn record_at(row: &Row<'_>, first: usize) -> rusqlite::Result<Record> {
    Ok(Record {
        at: moment_at(row, first)?,
        event: row.get(first + 1)?,
        user_id: row.get(first + 2)?,
        address: row.get(first + 3)?,
        session: row.get(first + 4)?,
        request: row.get(first + 5)?,
        detail: row.get(first + 6)?,
    })
}

fn moment_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Moment> {
    Ok(Moment::from_millis(row.get(column)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Token;

    fn user(id: &str) -> User {
        User {
            id: UserId::new(id.to_owned()),
            username: id.to_owned(),
            canonical_username: id.to_owned(),
            created_at: Moment::from_millis(0),
            groups: Groups::default(),
            email: String::new(),
            disabled_at: None,
            disabled_reason: String::new(),
        }
    }

    fn session(user: &User) -> Session {
        Session {
            id: Token::random().hash(),
            user_id: user.id.clone(),
            active_expires: Moment::from_millis(1),
            idle_expires: Moment::from_millis(2),
            absolute_expires: Moment::from_millis(3),
            created_at: Moment::from_millis(0),
            proven_at: Moment::from_millis(0),
            seen_at: Moment::from_millis(0),
            place: Place::default(),
        }
    }

    fn open() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("test.db")).unwrap();
        (folder, store)
    }

    fn is_busy<T>(result: &Result<T>) -> bool {
        matches!(result, Err(Error::Busy(_)))
    }

    #[test]
    fn keeps_reading_and_says_busy_when_the_disk_is_full_and_recovers() {
        let (_folder, store) = open();
        let ann = user("ann");
        store.add_user(&ann, &[]).unwrap();
        let limit = |pages: u32| {
            let writer = store.writer(WRITE_PATIENCE).ok().unwrap();
            writer.pragma_update(None, "max_page_count", pages).unwrap();
        };
        limit(1);
        let full = (0..100)
            .map(|_| store.start_session(&session(&ann), 1_000, &Entry::default()))
            .find(Result::is_err)
            .expect("a hundred sessions do not fit into the pages there are");
        assert!(is_busy(&full), "{full:?}");
        assert_eq!(store.user(&ann.id).unwrap(), Some(ann.clone()));
        limit(1_000_000);
        assert_eq!(
            store.start_session(&session(&ann), 1_000, &Entry::default()),
            Ok(Written::Done)
        );
    }

    #[test]
    fn keeps_reading_while_another_process_holds_the_lock_and_gives_a_renewal_up_soon() {
        let (_folder, store) = open();
        let ann = user("ann");
        store.add_user(&ann, &[]).unwrap();
        let other = Connection::open(&store.path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let soon = Moment::from_millis(5);
        assert!(is_busy(&store.renew_session(&Token::random().hash(), soon, soon, soon)));
        assert_eq!(store.user(&ann.id).unwrap(), Some(ann));
        other.execute_batch("ROLLBACK").unwrap();
        assert_eq!(store.renew_session(&Token::random().hash(), soon, soon, soon), Ok(false));
    }

    #[test]
    fn gives_a_write_up_that_waits_too_long_behind_others() {
        let (_folder, store) = open();
        let _held = store.writer(WRITE_PATIENCE).ok().unwrap();
        let soon = Moment::from_millis(5);
        assert!(is_busy(&store.renew_session(&Token::random().hash(), soon, soon, soon)));
    }

    #[test]
    fn says_broken_when_the_file_cannot_be_written_any_more() {
        let (_folder, store) = open();
        store.writer(WRITE_PATIENCE).ok().unwrap().pragma_update(None, "query_only", true).unwrap();
        let refused = store.add_user(&user("ann"), &[]);
        assert!(matches!(refused, Err(Error::Broken(_))), "{refused:?}");
    }

    #[test]
    fn writes_nothing_and_goes_on_after_a_panic_within_a_transaction() {
        let (_folder, store) = open();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            store.write(WRITE_PATIENCE, |tx| -> std::result::Result<(), Fault> {
                insert_user(tx, &user("ann"))?;
                panic!("a bug");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(store.user(&user("ann").id), Ok(None));
        assert_eq!(store.add_user(&user("ann"), &[]), Ok(Written::Done));
    }
}
