//! What an operator asks of the store.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ffi};

use super::{Error, Fault, KeyId, Record, Result, Store, User, record_at, user_at};
use crate::clock::Moment;
use crate::token::TokenHash;

impl Store {
    /// Up to `limit` users whose canonical names come after this one, in their order; fewer mean that
    /// these are the last.
    pub fn users_after(&self, canonical: &str, limit: u32) -> Result<Vec<User>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT id, username, canonical_username, created_at, group_names, email, disabled_at,
                        disabled_reason
                   FROM user WHERE canonical_username > ?1 ORDER BY canonical_username LIMIT ?2",
            )?
            .query_map((canonical, limit), |row| user_at(row, 0))?
            .collect()
        })
    }

    /// The browsers in which somebody has signed in with the account of this key.
    pub fn devices_of_key(&self, key: &KeyId) -> Result<Vec<TokenHash>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT device.id FROM user_key JOIN device ON device.user_id = user_key.user_id
                  WHERE user_key.id = ?1",
            )?
            .query_map([key.as_str()], |row| Ok(TokenHash::from_bytes(row.get(0)?)))?
            .collect()
        })
    }

    /// Up to `limit` records of the audit trail with their numbers: those with a higher number than
    /// `number`, and none from before `since`, in the order they were kept.
    pub fn records_after(
        &self,
        number: i64,
        since: Moment,
        limit: u32,
    ) -> Result<Vec<(i64, Record)>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT id, at, event, user_id, address, session, request, detail FROM audit
                  WHERE id > ?1 AND at >= ?2 ORDER BY id LIMIT ?3",
            )?
            .query_map((number, since.millis(), limit), |row| {
                Ok((row.get(0)?, record_at(row, 1)?))
            })?
            .collect()
        })
    }

    /// Writes a copy of the database, whole as of one moment, to a new file that nobody else may read.
    /// Nobody waits for it: it reads, as everybody does. What is there already is refused and left.
    pub fn back_up(&self, to: &Path) -> Result<()> {
        let broken = |err: std::io::Error| Error::Broken(err.to_string());
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(broken)?;
        let done = self.copy_into(to);
        if done.is_err() {
            // A part of a copy is worse than none.
            let _ = std::fs::remove_file(to);
        }
        done
    }

    fn copy_into(&self, to: &Path) -> Result<()> {
        let mut copy = Connection::open(to).map_err(Fault::from)?;
        self.read(|conn| {
            // In one step it is one read; in several, every write would make it begin anew.
            let step = Backup::new(conn, &mut copy)?.step(-1)?;
            if step != StepResult::Done {
                return Err(rusqlite::Error::SqliteFailure(
                    ffi::Error::new(ffi::SQLITE_BUSY),
                    None,
                ));
            }
            // Whoever serves it turns the log on again; until then it is one file.
            copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
        })
    }
}
