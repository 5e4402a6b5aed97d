//! What an operator asks of the store.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ffi};

use super::{Error, Fault, KeyId, Record, Result, Store, User, file, record_at, user_at};
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

    /// What is wrong with the file and what stands in it; empty: nothing. It reads everything.
    pub fn faults(&self) -> Result<Vec<String>> {
        self.read(|conn| {
            let mut faults: Vec<String> = conn
                .prepare("PRAGMA integrity_check(20)")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            faults.retain(|it| it != "ok");
            let orphans = conn
                .prepare("SELECT \"table\", count(*) FROM pragma_foreign_key_check GROUP BY 1")?
                .query_map([], |row| {
                    let (table, count): (String, i64) = (row.get(0)?, row.get(1)?);
                    Ok(format!("{count} rows of {table} belong to nobody"))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            faults.extend(orphans);
            let names: i64 = conn.query_row(
                "SELECT count(*) FROM user_key JOIN user ON user.id = user_key.user_id
                  WHERE user_key.id LIKE 'username:%'
                    AND user_key.id <> 'username:' || user.canonical_username",
                [],
                |row| row.get(0),
            )?;
            if names > 0 {
                faults.push(format!("{names} users sign in with another name than they have"));
            }
            Ok(faults)
        })
    }

    /// Of what makes the database is: the schema's number, and SQLite's version.
    pub fn versions(&self) -> Result<[(&'static str, String); 2]> {
        let schema = self
            .read(|conn| conn.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)))?;
        Ok([("schema", schema.to_string()), ("sqlite", rusqlite::version().to_owned())])
    }

    /// How many rows there are of users, keys, sessions and access tokens.
    pub fn counts(&self) -> Result<[(&'static str, i64); 4]> {
        self.read(|conn| {
            conn.query_row(
                "SELECT (SELECT count(*) FROM user), (SELECT count(*) FROM user_key),
                        (SELECT count(*) FROM user_session), (SELECT count(*) FROM access_token)",
                [],
                |row| {
                    Ok([
                        ("users", row.get(0)?),
                        ("keys", row.get(1)?),
                        ("sessions", row.get(2)?),
                        ("access_tokens", row.get(3)?),
                    ])
                },
            )
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
            copy_whole(conn, &mut copy)?;
            // Whoever serves it turns the log on again; until then it is one file.
            copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
        })
    }
}

/// Puts a copy of the backup `from` in the place of the database `to`, and says how many sessions were
/// left out: all of them, and all access tokens, tickets and invitations, unless they are to be kept, since
/// some may have been ended since.
///
/// Nothing is changed unless the backup is whole and ours, and nobody uses the database.
pub fn restore(from: &Path, to: &Path, keeps_sessions: bool) -> Result<usize> {
    let say = |cause: &str| Error::Broken(cause.to_owned());
    let source = file::inspected(from)?;
    let damage: String =
        source.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(Fault::from)?;
    if damage != "ok" {
        return Err(Error::Broken(format!("the backup is damaged: {damage}")));
    }
    if to.exists() {
        // Another program's file is nothing to be replaced.
        drop(file::inspected(to)?);
    }
    if to.exists() && !file::is_alone(to)? {
        return Err(Error::Busy("the database is in use; stop the server first".to_owned()));
    }
    let mut name = to.as_os_str().to_owned();
    name.push(".restored");
    let fresh = Path::new(&name);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(fresh)
        .map_err(|err| say(&format!("cannot write {}: {err}", fresh.display())))?;
    let done = copy_without(&source, fresh, keeps_sessions);
    let done = done.and_then(|count| {
        std::fs::rename(fresh, to).map_err(|err| say(&err.to_string())).map(|()| count)
    });
    if done.is_err() {
        let _ = std::fs::remove_file(fresh);
    }
    done
}

fn copy_without(source: &Connection, fresh: &Path, keeps_sessions: bool) -> Result<usize> {
    let mut copy = Connection::open(fresh).map_err(Fault::from)?;
    let mut done = || -> rusqlite::Result<usize> {
        copy_whole(source, &mut copy)?;
        copy.execute_batch("PRAGMA synchronous = FULL")?;
        copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
        if keeps_sessions {
            return Ok(0);
        }
        // What was ended, revoked or used since must not come back.
        let tx = copy.transaction()?;
        // An older backup has no such tables yet; it is brought up to date when it is served.
        for (table, sql) in [
            ("access_token", "DELETE FROM access_token"),
            ("ticket", "DELETE FROM ticket"),
            ("invite", "DELETE FROM invite"),
        ] {
            if tx.table_exists(None, table)? {
                tx.execute(sql, [])?;
            }
        }
        let count = tx.execute("DELETE FROM user_session", [])?;
        tx.commit()?;
        Ok(count)
    };
    Ok(done().map_err(Fault::from)?)
}

/// Copies everything in one step, which is one read: in several, every write would make it begin anew.
fn copy_whole(from: &Connection, to: &mut Connection) -> rusqlite::Result<()> {
    match Backup::new(from, to)?.step(-1)? {
        StepResult::Done => Ok(()),
        _ => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)),
    }
}
