//! How a SQLite file of another program is opened: read, and never written.
//!
//! Decides what is refused before SQLite sees it, and what the operator is told of a file that cannot be
//! read where it lies.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{ForeignDbError, ReadResult, broken};
use crate::base::file_fault::reading;
use crate::base::new_file::with_suffix;
use crate::store::{APPLICATION_ID, WRITE_PATIENCE, open_immutable};

/// Opens the file for reading. What can be told from its first 100 bytes is told before SQLite sees it.
pub(super) fn open(path: &Path) -> ReadResult<Connection> {
    let unread = |err: std::io::Error| ForeignDbError(reading(&err));
    let about = fs::metadata(path).map_err(unread)?;
    if about.is_dir() {
        return broken("it is a folder; name a file");
    }
    if !about.is_file() {
        return broken("it is not a regular file");
    }
    let path = &path.canonicalize().map_err(unread)?;
    let beside = Beside::of(path);
    let header = checked_header(path, about.len(), &beside)?;
    // A file in WAL mode that no process has open is read as immutable, or SQLite would put a log beside it. Any
    // other is locked against its writers while it is read.
    let conn = if header[19] == 2 && beside.is_unused() {
        open_immutable(path)?
    } else {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(path, flags)?
    };
    conn.busy_timeout(WRITE_PATIENCE)?;
    distrust(&conn)?;
    first_look(&conn).map_err(|err| beside.explain(path, &err))?;
    Ok(conn)
}

/// The first 100 bytes of a file that may be another program's database and is not cut short.
fn checked_header(path: &Path, length: u64, beside: &Beside) -> ReadResult<[u8; 100]> {
    let mut header = [0; 100];
    let file = File::open(path).map_err(|err| ForeignDbError(reading(&err)));
    let start = file?.read_exact(&mut header);
    if start.is_err() || !header.starts_with(b"SQLite format 3\0") {
        return broken("it is not a SQLite database");
    }
    let number = |at: usize| {
        u32::from_be_bytes(header[at..at + 4].try_into().expect("four bytes are four bytes"))
    };
    if number(68) == APPLICATION_ID.cast_unsigned() {
        return broken("it is a database of vestibule's own, not of another program");
    }
    let page_bytes = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
        // 65,536 does not fit into the two bytes.
        1 => 65_536,
        bytes => bytes,
    };
    // The count of pages is to be believed if the change counter stands beside it twice.
    if beside.log.is_none()
        && beside.journal.is_none()
        && number(24) == number(92)
        && length < page_bytes * u64::from(number(28))
    {
        return broken("it is cut short");
    }
    Ok(header)
}

/// Keeps SQLite from running what the file's own schema defines.
fn distrust(conn: &Connection) -> ReadResult<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    Ok(())
}

/// SQLite opens a file when it first reads it.
fn first_look(conn: &Connection) -> rusqlite::Result<()> {
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

/// The files that SQLite keeps beside a database while it is written, as far as anything is in them.
struct Beside {
    log: Option<PathBuf>,
    /// The index of the log, which may be empty.
    index: Option<PathBuf>,
    journal: Option<PathBuf>,
}

impl Beside {
    fn of(path: &Path) -> Self {
        let found = |suffix: &str, bytes_min: u64| {
            let file = with_suffix(path, suffix);
            fs::metadata(&file).is_ok_and(|it| it.len() >= bytes_min).then_some(file)
        };
        Self { log: found("-wal", 1), index: found("-shm", 0), journal: found("-journal", 1) }
    }

    /// Whether nothing but the file itself belongs to the database.
    fn is_unused(&self) -> bool {
        self.log.is_none() && self.index.is_none() && self.journal.is_none()
    }

    /// Why the file cannot be read where it lies, and what to do.
    fn explain(&self, path: &Path, err: &rusqlite::Error) -> ForeignDbError {
        let path = path.display();
        let text = match (err.sqlite_error_code(), &self.journal, &self.log) {
            (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked), ..) => {
                "another program has locked it; try again when that program has stopped".to_owned()
            }
            (Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen), Some(journal), _) => format!(
                "a write to it was cut off, and {} has what undoes it; open it once with its own program or \
                 with sqlite3, or copy both files elsewhere, run: sqlite3 COPY .schema, and import the copy",
                journal.display()
            ),
            (Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen), None, Some(log)) => format!(
                "a part of it is in {}, and SQLite can write no {path}-shm beside it, which it needs to read \
                 that; copy both files into a folder that you may write, and import the copy",
                log.display()
            ),
            _ => err.to_string(),
        };
        ForeignDbError(text)
    }
}
