//! Import and export of many users.

use std::collections::HashSet;

use rusqlite::{Connection, Transaction};

use super::{
    Sqlite, SqliteFault, SqliteResult, WRITE_PATIENCE, all, audit, exists, first, insert_key,
    insert_session_row, insert_user, names, passkeys, record, second_factors,
};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::import_status::{Present, standing};
use crate::store::outcomes::Refused;
use crate::store::passkeys::passkey_columns;
use crate::store::progress::tell;
use crate::store::rows::{cells, key_columns, session_columns, user_columns};
use crate::store::{
    Bulk, ExportedUser, ImportStatus, ImportedUser, Key, KeyId, NameHash, Progress, RecordOfImport,
    Result, Session, User,
};

/// The largest cache while many rows are written.
const IMPORT_CACHE_KIB: usize = 256 * 1_024;

/// How often an import is checked anew when a name or a key was taken in between.
const LOOKS_MAX: u32 = 5;

impl Bulk for Sqlite {
    fn import_status(&self, arrivals: &[ImportedUser], now: Moment) -> Result<Vec<ImportStatus>> {
        self.read(|conn| {
            let here = Here { conn, key: &self.handle_key, now };
            arrivals.iter().map(|it| standing(&here, it)).collect()
        })
    }

    // LIMIT: other writers wait while the rows are written, and are refused after WRITE_PATIENCE. Of 100,000
    // users with a key and a session each, that takes about 2.3 s of one core; checking them takes as long
    // again, and is done before.
    fn import_users(
        &self,
        arrivals: &[ImportedUser],
        skip_conflicts: bool,
        now: Moment,
        record: RecordOfImport<'_>,
        progress: Progress<'_>,
    ) -> Result<Vec<ImportStatus>> {
        for look in 1.. {
            // Checked before the lock is taken, as it takes as long as writing.
            let standings = self.import_status(arrivals, now)?;
            if !skip_conflicts && standings.iter().any(ImportStatus::is_conflict) {
                return Ok(standings);
            }
            let new = NewRows::of(arrivals, &standings, &self.handle_key);
            let written = self.write(WRITE_PATIENCE, |tx| {
                new.refuse_taken(tx, now)?;
                with_cache(tx, || new.insert(tx, progress))?;
                record(&standings).map_or(Ok(()), |it| audit::insert(tx, &it))
            });
            match written {
                // A name or a key was taken since the check.
                Err(SqliteFault::Refused(Refused::Duplicate)) if look < LOOKS_MAX => {}
                written => return Ok(written.map(|()| standings)?),
            }
        }
        unreachable!("the last look is written or refused")
    }

    // LIMIT: the write-ahead log grows as long as this takes, as nothing written meanwhile can be folded
    // into the file.
    fn each_user(
        &self,
        living: Option<Moment>,
        each: &mut dyn FnMut(ExportedUser) -> bool,
    ) -> Result<()> {
        self.read(|conn| {
            // One snapshot of the whole file.
            let tx = conn.unchecked_transaction()?;
            show(&tx, living, each)
        })
    }
}

/// The rows of new users, each table in the order of its ids, so that each page of the file is written once.
struct NewRows<'a> {
    users: Vec<&'a ImportedUser>,
    keys: Vec<&'a Key>,
    sessions: Vec<&'a Session>,
    /// What must not be taken although no constraint would refuse it: resting names, keys that are the name of
    /// a new user without such a key, and usernames that are only sign-in names of a new user.
    names: HashSet<NameHash>,
    keys_beside: Vec<KeyId>,
    names_beside: Vec<&'a str>,
}

impl<'a> NewRows<'a> {
    fn of(arrivals: &'a [ImportedUser], standings: &[ImportStatus], key: &[u8; 32]) -> Self {
        let new = arrivals.iter().zip(standings).filter(|(_, it)| **it == ImportStatus::New);
        let mut users: Vec<_> = new.map(|(arrival, _)| arrival).collect();
        users.sort_unstable_by(|one, other| one.user.id.as_str().cmp(other.user.id.as_str()));
        let mut keys: Vec<_> = users.iter().flat_map(|it| &it.keys).collect();
        keys.sort_unstable_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
        let mut sessions: Vec<_> = users.iter().flat_map(|it| &it.sessions).collect();
        sessions.sort_unstable_by_key(|it| *it.id.as_bytes());
        let own = |it: &&ImportedUser| KeyId::username(&it.user.canonical_username);
        let lacks_own = |it: &&ImportedUser| it.keys.iter().all(|key| key.id != own(it));
        let keys_beside = users.iter().filter(|it| lacks_own(it)).map(own).collect();
        let other_names = |it: &&'a ImportedUser| {
            let canonical = it.user.canonical_username.as_str();
            let names = it.keys.iter().filter_map(|key| key.id.sign_in_name());
            names.filter(move |name| *name != canonical)
        };
        let names_beside = users.iter().flat_map(other_names).collect();
        let names = users.iter().map(|it| NameHash::of(key, &it.user.canonical_username)).collect();
        Self { users, keys, sessions, names, keys_beside, names_beside }
    }

    /// Refuses if one of them has been taken since the check.
    fn refuse_taken(&self, tx: &Transaction<'_>, now: Moment) -> SqliteResult<()> {
        let sql = "SELECT id FROM resting_name WHERE expires_at >= ?";
        let mut is_taken =
            all::<NameHash>(tx, sql, &cells![now])?.iter().any(|it| self.names.contains(it));
        for id in &self.keys_beside {
            is_taken |= exists(tx, "SELECT 1 FROM user_key WHERE id = ?", &cells![id])?;
        }
        for name in &self.names_beside {
            is_taken |=
                exists(tx, "SELECT 1 FROM user WHERE canonical_username = ?", &cells![*name])?;
        }
        if is_taken { Err(SqliteFault::Refused(Refused::Duplicate)) } else { Ok(()) }
    }

    fn insert(&self, tx: &Transaction<'_>, progress: Progress<'_>) -> SqliteResult<()> {
        for (at, it) in self.users.iter().enumerate() {
            insert_user(tx, &it.user, &it.attributes)?;
            tell(progress, "users written", at + 1);
        }
        for (at, it) in self.keys.iter().enumerate() {
            insert_key(tx, it)?;
            tell(progress, "keys written", at + 1);
        }
        for (at, it) in self.sessions.iter().enumerate() {
            insert_session_row(tx, it)?;
            tell(progress, "sessions written", at + 1);
        }
        for it in &self.users {
            if let (Some(factor), Some(since)) = (&it.second_factor, it.user.second_factor_since) {
                let owner = (&it.user.id, since);
                second_factors::insert(tx, owner, factor.totp.as_ref(), &factor.recovery_codes)?;
            }
            it.passkeys.iter().try_for_each(|it| passkeys::insert(tx, it))?;
        }
        Ok(())
    }
}

/// Writes many rows with a larger cache, so that no page is written to the log before the end, and again later.
fn with_cache<T>(tx: &Transaction<'_>, write: impl FnOnce() -> SqliteResult<T>) -> SqliteResult<T> {
    let before: i64 = tx.query_row("PRAGMA cache_size", [], |row| row.get(0))?;
    tx.pragma_update(None, "cache_size", format!("-{IMPORT_CACHE_KIB}"))?;
    let written = write();
    tx.pragma_update(None, "cache_size", before)?;
    written
}

/// The rows that exist at a moment.
struct Here<'a> {
    conn: &'a Connection,
    /// The key with which resting names are hashed.
    key: &'a [u8; 32],
    now: Moment,
}

impl Present for Here<'_> {
    type Error = SqliteFault;

    fn name_of(&self, id: &str) -> SqliteResult<Option<String>> {
        first(self.conn, "SELECT canonical_username FROM user WHERE id = ?1", &cells![id])
    }

    fn user_by_name(&self, canonical: &str) -> SqliteResult<Option<String>> {
        first(self.conn, "SELECT id FROM user WHERE canonical_username = ?1", &cells![canonical])
    }

    fn name_rests(&self, canonical: &str) -> SqliteResult<bool> {
        names::rests(self.conn, NameHash::of(self.key, canonical), self.now)
    }

    fn owner_of_key(&self, id: &KeyId) -> SqliteResult<Option<String>> {
        first(self.conn, "SELECT user_id FROM user_key WHERE id = ?1", &cells![id])
    }

    fn owner_of_session(&self, id: &TokenHash) -> SqliteResult<Option<String>> {
        first(self.conn, "SELECT user_id FROM user_session WHERE id = ?1", &cells![id])
    }

    fn owner_of_passkey(&self, id: &[u8]) -> SqliteResult<Option<String>> {
        first(self.conn, "SELECT user_id FROM passkey WHERE id = ?1", &cells![id])
    }
}

fn show(
    conn: &Connection,
    living: Option<Moment>,
    each: &mut dyn FnMut(ExportedUser) -> bool,
) -> SqliteResult<()> {
    let mut users = conn.prepare(concat!(
        "SELECT ",
        user_columns!(),
        ", user.attributes FROM user ORDER BY user.id"
    ))?;
    let mut rows = users.query([])?;
    while let Some(row) = rows.next()? {
        let (user, attributes): (User, String) = record(row)?;
        let keys = all(
            conn,
            concat!("SELECT ", key_columns!(), " FROM user_key WHERE user_id = ? ORDER BY id"),
            &cells![&user.id],
        )?;
        let sessions = match living {
            Some(now) => living_of(conn, &user, now)?,
            None => Vec::new(),
        };
        let second_factor = match user.second_factor_since {
            Some(_) => Some(second_factors::of_user(conn, &user.id)?),
            None => None,
        };
        let sql = concat!(
            "SELECT ",
            passkey_columns!(),
            " FROM passkey WHERE user_id = ? ORDER BY created_at, id"
        );
        let passkeys = all(conn, sql, &cells![&user.id])?;
        if !each(ExportedUser { user, attributes, keys, sessions, second_factor, passkeys }) {
            break;
        }
    }
    Ok(())
}

fn living_of(conn: &Connection, user: &User, now: Moment) -> SqliteResult<Vec<Session>> {
    all(
        conn,
        concat!(
            "SELECT ",
            session_columns!(),
            " FROM user_session WHERE user_id = ? AND idle_expires >= ? AND created_at <= ?
              ORDER BY created_at, id"
        ),
        &cells![&user.id, now, now.latest_past()],
    )
}
