//! The file as a whole: is it in order, copies of it, its end.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ffi};

use super::{Fault, Sqlite, WRITE_PATIENCE, file};
use crate::store::{Error, Result, Upkeep, odd_names, shared_names};

impl Upkeep for Sqlite {
    fn handle_key(&self) -> &[u8; 32] {
        &self.handle_key
    }

    fn probe(&self) -> Result<()> {
        self.read(|conn| conn.prepare_cached("SELECT 1 FROM user LIMIT 1")?.exists([])).map(drop)
    }

    fn asks_servers(&self) -> bool {
        false
    }

    fn tend(&self) {}

    fn counts(&self) -> Result<[(&'static str, i64); 4]> {
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

    fn versions(&self) -> Result<[(&'static str, String); 2]> {
        let schema = self
            .read(|conn| conn.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)))?;
        Ok([("schema", schema.to_string()), ("sqlite", rusqlite::version().to_owned())])
    }

    fn faults(&self) -> Result<Vec<String>> {
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
            let shared: i64 = conn.query_row(
                "SELECT count(*) FROM user
                   JOIN user_key ON user_key.id = 'username:' || user.canonical_username
                  WHERE user_key.user_id <> user.id",
                [],
                |row| row.get(0),
            )?;
            faults.extend(shared_names(shared));
            Ok(faults)
        })
    }

    fn oddities(&self) -> Result<Vec<String>> {
        self.read(|conn| {
            let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
            let others = count(
                "SELECT count(DISTINCT user_id) FROM user_key AS it
                  WHERE id >= 'username:' AND id < 'username;' AND NOT EXISTS
                        (SELECT 1 FROM user_key JOIN user ON user.id = user_key.user_id
                          WHERE user.id = it.user_id
                            AND user_key.id = 'username:' || user.canonical_username)",
            )?;
            let nameless = count(
                "SELECT count(*) FROM user WHERE NOT EXISTS
                   (SELECT 1 FROM user_key WHERE user_id = user.id
                       AND user_key.id >= 'username:' AND user_key.id < 'username;')",
            )?;
            Ok(odd_names(others, nameless))
        })
    }

    fn back_up(&self, to: &Path) -> Result<()> {
        let broken = |err: std::io::Error| Error::Broken(err.to_string());
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(broken)?;
        let done = self.copy_into(to);
        if done.is_err() {
            // A part of a copy is worse than none.
            let _ = std::fs::remove_file(to);
        }
        done
    }

    fn close(&self) -> Result<()> {
        self.readers().clear();
        let mut writer = self.writer(WRITE_PATIENCE)?;
        let row = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        // The last connection that closes takes the log and the shared memory away with it.
        drop(writer.conn.take());
        row.map_err(|err| Fault::from(err).into())
    }
}

impl Sqlite {
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
        return Err(Error::Unavailable("the database is in use; stop the server first".to_owned()));
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
