//! The file as a whole: its state, its place, its closing.

use std::sync::PoisonError;
use std::time::Duration;

use rusqlite::config::DbConfig;

use super::{Sqlite, SqliteFault, WRITE_PATIENCE, Writer, exists, file, schema};
use crate::store::engine::OpenMode;
use crate::store::{Error, Maintenance, Result, Strain, Tended, odd_names, shared_names};

impl Maintenance for Sqlite {
    fn handle_key(&self) -> &[u8; 32] {
        &self.handle_key
    }

    fn probe(&self) -> Result<()> {
        self.see_that_it_is_there()?;
        self.read(|conn| exists(conn, "SELECT 1 FROM user LIMIT 1", &[])).map(drop)
    }

    fn asks_servers(&self) -> bool {
        false
    }

    fn patience(&self) -> Duration {
        WRITE_PATIENCE
    }

    fn tend(&self) -> Tended {
        self.look_after_place()
    }

    fn strain(&self) -> Strain {
        self.strain.total()
    }

    fn upgraded(&self) -> Option<(u32, u32)> {
        self.upgraded_from.map(|before| (before, schema::newest()))
    }

    fn versions(&self) -> Result<[(&'static str, String); 2]> {
        let version = self.read(|conn| Ok(schema::version(conn)?))?;
        Ok([("schema", version.to_string()), ("sqlite", rusqlite::version().to_owned())])
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
                    Ok(format!("{count} rows of {table} belong to no user"))
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

    fn close(&self) -> Result<()> {
        if self.lost().is_some() {
            return self.leave();
        }
        self.readers().spare.clear();
        let mut writer = self.writer(WRITE_PATIENCE)?;
        let row = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        // The last connection to close removes the log and the shared memory.
        drop(writer.conn.take());
        row.map_err(|err| SqliteFault::from(err).into())
    }
}

impl Sqlite {
    /// Checks whether the path still refers to the open file, and returns what has changed.
    fn look_after_place(&self) -> Tended {
        let was_lost = self.readers().is_lost;
        let is_back = self.place.read().unwrap_or_else(PoisonError::into_inner).is_there();
        match self.lost() {
            None if !was_lost => Tended::Unchanged,
            Some(cause) if !was_lost => {
                self.readers().is_lost = true;
                // If this fails, the next call tries again.
                let _ = self.leave();
                Tended::Lost(cause)
            }
            _ if is_back => match self.open_again() {
                Ok(()) => Tended::Recovered,
                // A read is still running, or another process holds the lock.
                Err(_) => Tended::Unchanged,
            },
            _ => {
                let _ = self.leave();
                Tended::Unchanged
            }
        }
    }

    /// Folds the log into the open file, wherever that is now. If the file has left its path, the log is
    /// removed, as another file there would be taken to be its owner. Another file's log is left alone.
    pub(super) fn leave(&self) -> Result<()> {
        if self.readers().is_closed {
            return Ok(());
        }
        let place = self.place.read().unwrap_or_else(PoisonError::into_inner).clone();
        let writer = self.writer(WRITE_PATIENCE)?;
        let set = writer.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        set.map_err(SqliteFault::from)?;
        // A process that has the other file open may be using our log for it. (This must not be asked of
        // our own file: it would lose its locks.)
        let has_other = place.is_replaced() && file::is_in_use(&self.path).unwrap_or(false);
        if has_other || place.has_foreign_log() {
            return Ok(());
        }
        let fold = "PRAGMA wal_checkpoint(TRUNCATE)";
        let is_busy: bool =
            writer.query_row(fold, [], |row| row.get(0)).map_err(SqliteFault::from)?;
        if !is_busy && place.has_left() {
            place.remove_log();
        }
        Ok(())
    }

    /// Reopens the file that is back at its path, with a new log. All other connections are closed first,
    /// since closing one later would release the locks of the new ones.
    fn open_again(&self) -> Result<()> {
        let (mut readers, _) = self
            .reader_returned
            .wait_timeout_while(self.readers(), WRITE_PATIENCE, |readers| readers.lent > 0)
            .unwrap_or_else(PoisonError::into_inner);
        if readers.lent > 0 {
            return Err(Error::Unavailable("a read is under way".to_owned()));
        }
        let mut writer = if readers.is_closed {
            Writer { store: self, conn: None }
        } else {
            self.writer(WRITE_PATIENCE)?
        };
        readers.spare.clear();
        readers.is_closed = true;
        drop(writer.conn.take());
        let asked = self.place.read().unwrap_or_else(PoisonError::into_inner).asked().to_owned();
        let opened = file::open(&asked, OpenMode::ToServe)?;
        *self.place.write().unwrap_or_else(PoisonError::into_inner) = opened.place;
        writer.conn = Some(opened.conn);
        readers.is_closed = false;
        readers.is_lost = false;
        Ok(())
    }
}
