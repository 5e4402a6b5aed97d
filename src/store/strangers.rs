//! A SQLite file of another program that holds people: read, and never written.
//!
//! Decides how such a file is opened and how its tables are told apart. Does not know what becomes of
//! the people in it.
//!
//! Those programs let an app name its tables, so they are known by their columns; the SQL of the files
//! beside this one that is put together from pieces has for pieces names that the file itself holds.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};

use super::file::{APPLICATION_ID, beside};
use super::{Error, Fault, Result};

/// Rows between two reports of progress.
const PROGRESS_ROWS: usize = 10_000;

/// Told now and then what is being done and how many rows of it are.
pub type Progress<'a> = &'a mut dyn FnMut(&str, usize);

/// All people that another program's file holds, and what is theirs. It holds the tokens of sessions
/// and so has no `Debug`.
pub struct Strangers {
    /// Which table each thing was found in; `None`: in no table.
    pub tables: Vec<(&'static str, Option<String>)>,
    /// People.
    pub users: Vec<Stranger>,
    /// Ways to prove who one is.
    pub keys: Vec<StrangerKey>,
    /// Browsers that were let in.
    pub sessions: Vec<StrangerSession>,
}

/// Somebody with an account elsewhere.
pub struct Stranger {
    /// Their id.
    pub id: String,
    /// What they are called there, if they are called something.
    pub username: Option<String>,
    /// What every other column says, by its name.
    pub attributes: Vec<(String, Attribute)>,
}

/// A value of a column that nothing is known of here.
pub enum Attribute {
    /// None.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A way to prove who one is. It holds a hash and so has no `Debug`.
pub struct StrangerKey {
    /// Who vouches for the id. Empty: nobody, and then it is no key.
    pub provider: String,
    /// What they know the person as.
    pub id: String,
    /// Whose it is.
    pub user_id: String,
    /// `None`: it has no password.
    pub hashed_password: Option<String>,
}

/// A browser that was let in. It holds a token and so has no `Debug`.
pub struct StrangerSession {
    /// The token that the browser holds, in clear.
    pub id: String,
    /// Who was let in.
    pub user_id: String,
    /// The last millisecond at which it is active.
    pub active_expires: i64,
    /// The last millisecond at which it is good at all.
    pub idle_expires: i64,
}

/// What a file of another program is read into.
pub(super) type Reading<T> = std::result::Result<T, Fault>;

/// Reads the file at `path` by `reader`, as it is at one moment, even while an app writes to it.
///
/// A file that is no SQLite database, is cut short or damaged, or is one of ours is refused:
/// [`Error::Broken`] says which.
pub(super) fn read<T>(
    path: &Path,
    reader: impl FnOnce(&Connection, &[Table]) -> Reading<T>,
) -> Result<T> {
    let whole = || {
        let conn = open(path)?;
        // One view of the whole file, whatever the app does meanwhile.
        let tx = conn.unchecked_transaction()?;
        let damage: String = tx.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if damage != "ok" {
            return broken(format!("it is damaged: {}", damage.replace('\n', " ")));
        }
        let tables = tables(&tx)?;
        reader(&tx, &tables)
    };
    whole().map_err(|fault| {
        let say = |cause| format!("cannot import {}: {cause}", path.display());
        match Error::from(fault) {
            Error::Busy(cause) => Error::Busy(say(cause)),
            Error::Broken(cause) => Error::Broken(say(cause)),
        }
    })
}

/// Opens the file for reading. What can be told from its first 100 bytes is told before SQLite sees it.
fn open(path: &Path) -> Reading<Connection> {
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(err) => return broken(err),
    };
    if !about.is_file() {
        return broken("it is not a regular file");
    }
    let path = &path.canonicalize().or_else(broken)?;
    let mut header = [0; 100];
    let start = File::open(path).or_else(broken)?.read_exact(&mut header);
    if start.is_err() || !header.starts_with(b"SQLite format 3\0") {
        return broken("it is not a SQLite database");
    }
    let number = |at: usize| {
        u32::from_be_bytes(header[at..at + 4].try_into().expect("four bytes are four bytes"))
    };
    if number(68) == APPLICATION_ID.cast_unsigned() {
        return broken("it is a database of vestibule's own, not of another program");
    }
    let log = fs::metadata(beside(path, "-wal")).ok().map(|about| about.len());
    let page_bytes = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
        // 65,536 does not fit into the two bytes.
        1 => 65_536,
        bytes => bytes,
    };
    // The count of pages is to be believed if the change counter stands beside it twice.
    if log.is_none_or(|bytes| bytes == 0)
        && number(24) == number(92)
        && about.len() < page_bytes * u64::from(number(28))
    {
        return broken("it is cut short");
    }
    // A file in WAL mode that nobody has open is read as it lies, or SQLite would put a log beside it.
    // Any other is locked against its writers while it is read.
    let is_unused = header[19] == 2 && log.is_none();
    let conn = connect(path, is_unused)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    conn.busy_timeout(super::WRITE_PATIENCE)?;
    Ok(conn)
}

fn connect(path: &Path, is_unused: bool) -> Reading<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if !is_unused {
        return Ok(Connection::open_with_flags(path, flags)?);
    }
    let encoded = percent_encode(path.as_os_str().as_encoded_bytes(), NON_ALPHANUMERIC);
    let url = format!("file:{encoded}?immutable=1");
    Ok(Connection::open_with_flags(url, flags | OpenFlags::SQLITE_OPEN_URI)?)
}

/// A table and its columns.
pub(super) struct Table {
    pub(super) name: String,
    columns: Vec<String>,
}

impl Table {
    pub(super) fn has(&self, columns: &[&str]) -> bool {
        columns.iter().all(|column| self.columns.iter().any(|it| it == column))
    }
}

fn tables(conn: &Connection) -> Reading<Vec<Table>> {
    let mut names = conn.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
          ORDER BY name",
    )?;
    let names: Vec<String> =
        names.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut columns = conn.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid")?;
    names
        .into_iter()
        .map(|name| {
            let columns =
                columns.query_map([&name], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            Ok(Table { name, columns })
        })
        .collect()
}

/// The table that was named, which must have these columns.
pub(super) fn named<'a>(all: &'a [Table], name: &str, columns: &[&str]) -> Reading<&'a Table> {
    match all.iter().find(|it| it.name == name) {
        None => broken(format!("it has no table {name}")),
        Some(table) if table.has(columns) => Ok(table),
        Some(_) => broken(format!("its table {name} has not the columns {}", columns.join(", "))),
    }
}

/// The one table of those found; `program` has one with these columns.
pub(super) fn only<'a>(
    mut found: impl Iterator<Item = &'a Table>,
    columns: &[&str],
    program: &str,
) -> Reading<&'a Table> {
    let columns = columns.join(", ");
    match (found.next(), found.next()) {
        (Some(table), None) => Ok(table),
        (None, _) => broken(format!("it is not of {program}: no table has the columns {columns}")),
        (Some(one), Some(other)) => broken(format!(
            "its tables {} and {} both have the columns {columns}; say which with --tables",
            one.name, other.name
        )),
    }
}

/// Of the tables `among`, which have an `id`, the one that most rows of the table `child` refer to by
/// the column `owner`; of two alike the one that has a column `username`.
pub(super) fn owners<'a>(
    conn: &Connection,
    (child, owner): (&str, &str),
    among: impl Iterator<Item = &'a Table>,
) -> Reading<&'a Table> {
    let mut best: Option<(i64, &Table)> = None;
    for table in among {
        let known = conn.query_row(
            &format!(
                "SELECT count(*) FROM {} WHERE {} IN (SELECT id FROM {})",
                quoted(child),
                quoted(owner),
                quoted(&table.name)
            ),
            [],
            |row| row.get(0),
        )?;
        let is_better = |(most, other): (i64, &Table)| {
            (known, table.has(&["username"])) > (most, other.has(&["username"]))
        };
        if best.is_none_or(is_better) {
            best = Some((known, table));
        }
    }
    match best {
        Some((known, table)) if known > 0 || table.has(&["username"]) => Ok(table),
        _ => broken(format!("no table holds the users of {child}; name it with --tables")),
    }
}

pub(super) fn tell(progress: &mut dyn FnMut(&str, usize), what: &str, rows: usize) {
    if rows.is_multiple_of(PROGRESS_ROWS) {
        progress(what, rows);
    }
}

pub(super) fn text(row: &Row<'_>, column: usize, table: &str) -> Reading<String> {
    match optional_text(row, column, table)? {
        Some(text) => Ok(text),
        None => broken(format!("a row of its table {table} has no {}", name(row, column))),
    }
}

/// SQLite lets a column hold anything, and adapters make no table themselves.
pub(super) fn optional_text(row: &Row<'_>, column: usize, table: &str) -> Reading<Option<String>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(number) => Ok(Some(number.to_string())),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => broken(format!(
                "the {} of a row of its table {table} is no UTF-8",
                name(row, column)
            )),
        },
        ValueRef::Real(_) | ValueRef::Blob(_) => {
            broken(format!("the {} of a row of its table {table} is no text", name(row, column)))
        }
    }
}

pub(super) fn number(row: &Row<'_>, column: usize, table: &str) -> Reading<i64> {
    match row.get_ref(column)? {
        ValueRef::Integer(number) => Ok(number),
        // JavaScript has one kind of number, and a driver may write it as this one.
        #[allow(clippy::cast_possible_truncation)]
        ValueRef::Real(number) => Ok(number as i64),
        _ => {
            broken(format!("the {} of a row of its table {table} is no number", name(row, column)))
        }
    }
}

pub(super) fn attribute(row: &Row<'_>, column: usize) -> Reading<Attribute> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => Attribute::Null,
        ValueRef::Integer(number) => Attribute::Integer(number),
        ValueRef::Real(number) => Attribute::Real(number),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Attribute::Text(text.to_owned()),
            Err(_) => Attribute::Bytes(bytes.to_vec()),
        },
        ValueRef::Blob(bytes) => Attribute::Bytes(bytes.to_vec()),
    })
}

fn name<'a>(row: &'a Row<'_>, column: usize) -> &'a str {
    row.as_ref().column_name(column).unwrap_or("column")
}

/// A table's or column's name as SQL has it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(super) fn broken<T>(cause: impl std::fmt::Display) -> Reading<T> {
    Err(Fault::Error(Error::Broken(cause.to_string())))
}
