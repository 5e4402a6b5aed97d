//! A database of Lucia v2, as its SQLite adapters write it: read whole, and never written.
//!
//! Decides which file is one and which of its tables are which. Does not know what becomes of the
//! people in it.
//!
//! Lucia lets an app name its tables, so they are known by their columns; the SQL here is the only one
//! that is put together from pieces, and the pieces are names that the file itself holds.

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

/// Names of Lucia's tables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LuciaTables {
    /// With `id`, and a column for each attribute.
    pub user: String,
    /// With `id`, `user_id` and `hashed_password`.
    pub key: String,
    /// With `id`, `user_id`, `active_expires` and `idle_expires`. `None`: sessions are kept elsewhere.
    pub session: Option<String>,
}

/// All that a database of Lucia v2 holds. It holds the tokens of sessions and so has no `Debug`.
pub struct Lucia {
    /// Where it was found.
    pub tables: LuciaTables,
    /// People.
    pub users: Vec<LuciaUser>,
    /// Ways to prove who one is.
    pub keys: Vec<LuciaKey>,
    /// Browsers that were let in.
    pub sessions: Vec<LuciaSession>,
}

/// Somebody with an account.
pub struct LuciaUser {
    /// Their id.
    pub id: String,
    /// What the column `username` says, if there is one and it says something.
    pub username: Option<String>,
    /// What every other column says, by its name.
    pub attributes: Vec<(String, Attribute)>,
}

/// A value of a column that Lucia knows nothing of.
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

/// A way to prove who one is.
pub struct LuciaKey {
    /// `provider:id`.
    pub id: String,
    /// Whose it is.
    pub user_id: String,
    /// `None`: it has no password.
    pub hashed_password: Option<String>,
}

/// A browser that was let in.
pub struct LuciaSession {
    /// The token that the browser holds, in clear.
    pub id: String,
    /// Who was let in.
    pub user_id: String,
    /// The last millisecond at which it is active.
    pub active_expires: i64,
    /// The last millisecond at which it is good at all.
    pub idle_expires: i64,
}

impl Lucia {
    /// Reads the file at `path`, as it is at one moment, even while an app writes to it. Its tables are
    /// found by their columns unless `tables` names them.
    ///
    /// A file that is no SQLite database, is cut short or damaged, is one of ours, or has no such
    /// tables is refused: [`Error::Broken`] says which.
    pub fn read(path: &Path, tables: Option<LuciaTables>, progress: Progress<'_>) -> Result<Self> {
        read(path, tables, progress).map_err(|fault| {
            let say = |cause| format!("cannot import {}: {cause}", path.display());
            match Error::from(fault) {
                Error::Busy(cause) => Error::Busy(say(cause)),
                Error::Broken(cause) => Error::Broken(say(cause)),
            }
        })
    }
}

type Reading<T> = std::result::Result<T, Fault>;

fn read(path: &Path, tables: Option<LuciaTables>, progress: Progress<'_>) -> Reading<Lucia> {
    let conn = open(path)?;
    // One view of the whole file, whatever the app does meanwhile.
    let tx = conn.unchecked_transaction()?;
    let damage: String = tx.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if damage != "ok" {
        return broken(format!("it is damaged: {}", damage.replace('\n', " ")));
    }
    let all = all_tables(&tx)?;
    let tables = match tables {
        Some(named) => check(&all, named)?,
        None => find(&tx, &all)?,
    };
    let users = users(&tx, &tables.user, progress)?;
    let keys = keys(&tx, &tables.key, progress)?;
    let sessions = match &tables.session {
        Some(table) => sessions(&tx, table, progress)?,
        None => Vec::new(),
    };
    Ok(Lucia { tables, users, keys, sessions })
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
        return broken("it is a database of vestibule's own, not of Lucia");
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
struct Table {
    name: String,
    columns: Vec<String>,
}

impl Table {
    fn has(&self, columns: &[&str]) -> bool {
        columns.iter().all(|column| self.columns.iter().any(|it| it == column))
    }

    fn is_key(&self) -> bool {
        self.has(&KEY_COLUMNS)
    }

    fn is_session(&self) -> bool {
        self.has(&SESSION_COLUMNS)
    }
}

const KEY_COLUMNS: [&str; 3] = ["id", "user_id", "hashed_password"];
const SESSION_COLUMNS: [&str; 4] = ["id", "user_id", "active_expires", "idle_expires"];

fn all_tables(conn: &Connection) -> Reading<Vec<Table>> {
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

/// Sees that the tables that were named are there, with Lucia's columns.
fn check(all: &[Table], named: LuciaTables) -> Reading<LuciaTables> {
    let see = |name: &str, columns: &[&str]| match all.iter().find(|it| it.name == name) {
        None => broken(format!("it has no table {name}")),
        Some(table) if table.has(columns) => Ok(()),
        Some(_) => broken(format!("its table {name} has not the columns {}", columns.join(", "))),
    };
    see(&named.user, &["id"])?;
    see(&named.key, &KEY_COLUMNS)?;
    if let Some(session) = &named.session {
        see(session, &SESSION_COLUMNS)?;
    }
    Ok(named)
}

fn find(conn: &Connection, all: &[Table]) -> Reading<LuciaTables> {
    let key = only(all.iter().filter(|it| it.is_key()), &KEY_COLUMNS)?;
    let mut sessions = all.iter().filter(|it| it.is_session()).peekable();
    if sessions.peek().is_none() {
        return broken(format!(
            "no table has the columns {}; if sessions are kept elsewhere, say so with --tables USER,{}",
            SESSION_COLUMNS.join(", "),
            key.name
        ));
    }
    let session = only(sessions, &SESSION_COLUMNS)?;
    let mut best: Option<(i64, &Table)> = None;
    for table in all.iter().filter(|it| it.has(&["id"]) && !it.is_key() && !it.is_session()) {
        let known = conn.query_row(
            &format!(
                "SELECT count(*) FROM {} WHERE user_id IN (SELECT id FROM {})",
                quoted(&key.name),
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
        Some((known, user)) if known > 0 || user.has(&["username"]) => Ok(LuciaTables {
            user: user.name.clone(),
            key: key.name.clone(),
            session: Some(session.name.clone()),
        }),
        _ => broken(format!("no table holds the users of {}; name it with --tables", key.name)),
    }
}

/// The one table that has these columns.
fn only<'a>(mut found: impl Iterator<Item = &'a Table>, columns: &[&str]) -> Reading<&'a Table> {
    let columns = columns.join(", ");
    match (found.next(), found.next()) {
        (Some(table), None) => Ok(table),
        (None, _) => broken(format!("it is not of Lucia v2: no table has the columns {columns}")),
        (Some(one), Some(other)) => broken(format!(
            "its tables {} and {} both have the columns {columns}; say which with --tables",
            one.name, other.name
        )),
    }
}

fn users(conn: &Connection, table: &str, progress: Progress<'_>) -> Reading<Vec<LuciaUser>> {
    let sql = format!("SELECT * FROM {}", quoted(table));
    let mut statement = conn.prepare(&sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([])?;
    let mut users = Vec::new();
    while let Some(row) = rows.next()? {
        let mut user = LuciaUser { id: String::new(), username: None, attributes: Vec::new() };
        for (column, name) in names.iter().enumerate() {
            match name.as_str() {
                "id" => user.id = text(row, column, table)?,
                "username" => user.username = optional_text(row, column, table)?,
                _ => user.attributes.push((name.clone(), attribute(row, column)?)),
            }
        }
        users.push(user);
        tell(progress, "users read", users.len());
    }
    Ok(users)
}

fn keys(conn: &Connection, table: &str, progress: Progress<'_>) -> Reading<Vec<LuciaKey>> {
    let sql = format!("SELECT id, user_id, hashed_password FROM {}", quoted(table));
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        keys.push(LuciaKey {
            id: text(row, 0, table)?,
            user_id: text(row, 1, table)?,
            hashed_password: optional_text(row, 2, table)?,
        });
        tell(progress, "keys read", keys.len());
    }
    Ok(keys)
}

fn sessions(conn: &Connection, table: &str, progress: Progress<'_>) -> Reading<Vec<LuciaSession>> {
    let sql = format!("SELECT id, user_id, active_expires, idle_expires FROM {}", quoted(table));
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut sessions = Vec::new();
    while let Some(row) = rows.next()? {
        sessions.push(LuciaSession {
            id: text(row, 0, table)?,
            user_id: text(row, 1, table)?,
            active_expires: millis(row, 2, table)?,
            idle_expires: millis(row, 3, table)?,
        });
        tell(progress, "sessions read", sessions.len());
    }
    Ok(sessions)
}

pub(super) fn tell(progress: &mut dyn FnMut(&str, usize), what: &str, rows: usize) {
    if rows.is_multiple_of(PROGRESS_ROWS) {
        progress(what, rows);
    }
}

fn text(row: &Row<'_>, column: usize, table: &str) -> Reading<String> {
    match optional_text(row, column, table)? {
        Some(text) => Ok(text),
        None => broken(format!("a row of its table {table} has no {}", name(row, column))),
    }
}

/// SQLite lets a column hold anything, and Lucia's adapters make no table themselves.
fn optional_text(row: &Row<'_>, column: usize, table: &str) -> Reading<Option<String>> {
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

fn millis(row: &Row<'_>, column: usize, table: &str) -> Reading<i64> {
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

fn attribute(row: &Row<'_>, column: usize) -> Reading<Attribute> {
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

/// A table's name as SQL has it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn broken<T>(cause: impl std::fmt::Display) -> Reading<T> {
    Err(Fault::Error(Error::Broken(cause.to_string())))
}
