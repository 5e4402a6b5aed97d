//! A SQLite file of another program that holds people: read, and never written.
//!
//! Decides how such a file is opened and how its tables are told apart. Does not know what becomes of
//! the people in it.
//!
//! Those programs let an app name its tables, so they are known by their columns; the SQL of the files
//! beside this one that is put together from pieces has for pieces names that the file itself holds.

mod better_auth;
mod candidates;
mod lucia_v2;
mod lucia_v3;

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};

use super::moments::{TimeUnit, Timestamp, moment};
use crate::base::clock::Moment;
use crate::base::new_file::with_suffix;
use crate::store::{APPLICATION_ID, Progress, WRITE_PATIENCE, open_immutable, tell};

pub(super) use better_auth::better_auth;
pub(super) use candidates::candidates;
pub(super) use lucia_v3::lucia_v3;

pub use better_auth::BETTER_AUTH_TABLES;
pub use lucia_v2::{LuciaTables, lucia_v2};
pub use lucia_v3::LUCIA_V3_TABLES;

/// All people that another program's file holds, and what is theirs. It holds the tokens of sessions
/// and so has no `Debug`.
#[derive(Default)]
pub struct ForeignDb {
    /// Which table each thing was found in; `None`: in no table.
    pub tables: Vec<(&'static str, Option<String>)>,
    /// People.
    pub users: Vec<ForeignUser>,
    /// Ways to prove who one is.
    pub keys: Vec<ForeignKey>,
    /// Browsers that were let in.
    pub sessions: Vec<ForeignSession>,
    /// How many more there were whose tokens nobody else can check.
    pub sealed_sessions: usize,
    /// Other tables with rows that belong to somebody, and how many: they stay behind.
    pub left_behind: Vec<(String, usize)>,
}

/// Tables that somebody has named, by what they hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TableNames(pub Vec<(String, String)>);

impl TableNames {
    /// The table that holds this; empty: there is none. `None`: it is not named, and to be found.
    pub fn get(&self, what: &str) -> Option<&str> {
        self.0.iter().find(|(it, _)| it == what).map(|(_, name)| name.as_str())
    }
}

/// Somebody with an account elsewhere.
#[derive(Default)]
pub struct ForeignUser {
    /// Their id.
    pub id: String,
    /// What they are called there, if they are called something.
    pub username: Option<String>,
    /// Where they can be written to, if it says there that this was tried.
    pub verified_email: Option<String>,
    /// Since when they have an account, in milliseconds, if that is known.
    pub created_at: Option<i64>,
    /// Why they are shut out, if they are.
    pub banned: Option<String>,
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
pub struct ForeignKey {
    /// Who vouches for them (empty: nobody, and then it is no key), and what they know them as. `None`: it
    /// is the name that they have.
    pub id: Option<(String, String)>,
    /// Whose it is.
    pub user_id: String,
    /// `None`: it has no password.
    pub hashed_password: Option<String>,
}

/// A browser that was let in. It holds a token and so has no `Debug`.
pub struct ForeignSession {
    /// The token that the browser holds, in clear.
    pub id: String,
    /// Who was let in.
    pub user_id: String,
    /// The last millisecond at which it is active. `None`: that is not known there.
    pub active_expires: Option<i64>,
    /// The last millisecond at which it is good at all.
    pub idle_expires: i64,
}

/// Why a file of another program cannot be read, for the operator.
struct ForeignDbError(String);

impl From<rusqlite::Error> for ForeignDbError {
    fn from(err: rusqlite::Error) -> Self {
        Self(err.to_string())
    }
}

/// What is read in a file of another program.
type ReadResult<T> = Result<T, ForeignDbError>;

/// Reads the file at `path` by `reader`, as it is at one moment, even while an app writes to it.
///
/// A file that is no SQLite database, is cut short or damaged, or is one of ours is refused; the error is one
/// line that says which.
fn read(
    path: &Path,
    reader: impl FnOnce(&Connection, &[Table]) -> ReadResult<ForeignDb>,
) -> Result<ForeignDb, String> {
    let whole = || {
        let conn = open(path)?;
        // One view of the whole file, whatever the app does meanwhile.
        let tx = conn.unchecked_transaction()?;
        let damage: String = tx.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if damage != "ok" {
            return broken(format!("it is damaged: {}", damage.replace('\n', " ")));
        }
        let tables = tables(&tx)?;
        let mut found = reader(&tx, &tables)?;
        found.left_behind = left_behind(&tx, &tables, &found)?;
        Ok(found)
    };
    whole().map_err(|ForeignDbError(cause)| format!("cannot import {}: {cause}", path.display()))
}

/// Opens the file for reading. What can be told from its first 100 bytes is told before SQLite sees it.
fn open(path: &Path) -> ReadResult<Connection> {
    let about = fs::metadata(path).or_else(broken)?;
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
    let log = fs::metadata(with_suffix(path, "-wal")).ok().map(|about| about.len());
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
    conn.busy_timeout(WRITE_PATIENCE)?;
    distrust(&conn)?;
    Ok(conn)
}

/// Keeps what the file itself says from being obeyed.
fn distrust(conn: &Connection) -> ReadResult<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    Ok(())
}

fn connect(path: &Path, is_unused: bool) -> ReadResult<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if !is_unused {
        return Ok(Connection::open_with_flags(path, flags)?);
    }
    Ok(open_immutable(path)?)
}

/// What a column may be called; the first is what messages call it.
type ColumnNames = &'static [&'static str];

/// ColumnSet that a table must have.
type ColumnSet<'a> = &'a [ColumnNames];

/// What the column is called that says whose a row is.
const OWNER: ColumnNames = &["user_id", "userId"];

/// A table and its columns.
struct Table {
    name: String,
    columns: Vec<String>,
}

impl Table {
    /// Whether it has all of these.
    fn has(&self, columns: ColumnSet<'_>) -> bool {
        columns.iter().all(|names| self.column(names).is_some())
    }

    /// Whether it has a column of this very name.
    fn holds(&self, column: &str) -> bool {
        self.columns.iter().any(|it| it == column)
    }

    /// What the column is called here, if it is here.
    fn column(&self, names: ColumnNames) -> Option<&'static str> {
        names.iter().copied().find(|name| self.holds(name))
    }

    /// All rows, by these columns, which it must have.
    fn select(&self, columns: ColumnSet<'_>) -> String {
        let names = columns.iter().map(|it| quoted(self.column(it).unwrap_or(it[0])));
        format!("SELECT {} FROM {}", names.collect::<Vec<_>>().join(", "), quoted(&self.name))
    }
}

fn tables(conn: &Connection) -> ReadResult<Vec<Table>> {
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

/// Tables that were not read and have rows of somebody, with how many.
fn left_behind(
    conn: &Connection,
    all: &[Table],
    found: &ForeignDb,
) -> ReadResult<Vec<(String, usize)>> {
    let is_read =
        |it: &&Table| found.tables.iter().any(|(_, name)| name.as_ref() == Some(&it.name));
    let mut left = Vec::new();
    for table in all.iter().filter(|it| !is_read(it)) {
        if let Some(column) = table.column(OWNER) {
            let (table_name, column) = (quoted(&table.name), quoted(column));
            let sql = format!("SELECT count({column}) FROM {table_name}");
            let count: i64 = conn.query_row(&sql, [], |row| row.get(0))?;
            left.push((table.name.clone(), usize::try_from(count).unwrap_or(0)));
        }
    }
    left.retain(|(_, count)| *count > 0);
    Ok(left)
}

/// The table that was named, which must have these columns.
fn named<'a>(all: &'a [Table], name: &str, columns: ColumnSet<'_>) -> ReadResult<&'a Table> {
    match all.iter().find(|it| it.name == name) {
        None => broken(format!("it has no table {name}")),
        Some(table) if table.has(columns) => Ok(table),
        Some(_) => broken(format!("its table {name} has not the columns {}", listed(columns))),
    }
}

/// The table that was named (empty: there is none), or the only one that `is_it`. `None` if there is none.
fn optional<'a>(
    name: Option<&str>,
    all: &'a [Table],
    is_it: impl Fn(&&Table) -> bool,
    columns: ColumnSet<'_>,
) -> ReadResult<Option<&'a Table>> {
    match name {
        Some("") => Ok(None),
        Some(name) => named(all, name, columns).map(Some),
        None if !all.iter().any(|it| is_it(&it)) => Ok(None),
        None => only(all.iter().filter(|it| is_it(it)), columns, "").map(Some),
    }
}

/// ColumnSet, for messages.
fn listed(columns: ColumnSet<'_>) -> String {
    columns.iter().map(|names| names[0]).collect::<Vec<_>>().join(", ")
}

/// The one table of those found; `program` has one with these columns.
fn only<'a>(
    mut found: impl Iterator<Item = &'a Table>,
    columns: ColumnSet<'_>,
    program: &str,
) -> ReadResult<&'a Table> {
    let columns = listed(columns);
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
fn owners<'a>(
    conn: &Connection,
    child: &Table,
    owner: ColumnNames,
    among: impl Iterator<Item = &'a Table>,
) -> ReadResult<&'a Table> {
    let mut best: Option<(i64, &Table)> = None;
    for table in among {
        let known = conn.query_row(
            &format!(
                "SELECT count(*) FROM {} WHERE {} IN (SELECT id FROM {})",
                quoted(&child.name),
                quoted(child.column(owner).unwrap_or(owner[0])),
                quoted(&table.name)
            ),
            [],
            |row| row.get(0),
        )?;
        let is_better = |(most, other): (i64, &Table)| {
            (known, table.holds("username")) > (most, other.holds("username"))
        };
        if best.is_none_or(is_better) {
            best = Some((known, table));
        }
    }
    match best {
        Some((known, table)) if known > 0 || table.holds("username") => Ok(table),
        _ => broken(format!("no table holds the users of {}; name it with --tables", child.name)),
    }
}

/// ColumnSet that say whether an address was tried.
const VERIFIED: [&str; 2] = ["email_verified", "emailVerified"];

/// How a table of users is read.
struct Shape<'a> {
    /// The column of names.
    name: &'a str,
    /// Whoever has no name is called by their address.
    falls_back: bool,
    /// Whether an `email` may be one to write to.
    has_email: bool,
    /// Whether `banned` says who is shut out.
    has_ban: bool,
    /// The column of hashes of passwords, if they stand there.
    hash: Option<&'a str>,
}

impl<'a> Shape<'a> {
    /// Users who are called what the column `named` says, which the table must have; or else by their
    /// `username`, or their address.
    fn by(table: &Table, named: Option<&'a str>, hash: Option<&'a str>) -> ReadResult<Self> {
        if let Some(column) = named.filter(|column| !table.holds(column)) {
            return broken(format!("its table {} has no column {column}", table.name));
        }
        let name = named.unwrap_or("username");
        Ok(Self { name, falls_back: named.is_none(), has_email: true, has_ban: false, hash })
    }
}

/// Everybody in a table, and their passwords if they stand there.
fn users(
    conn: &Connection,
    table: &Table,
    shape: &Shape<'_>,
    progress: Progress<'_>,
) -> ReadResult<(Vec<ForeignUser>, Vec<ForeignKey>)> {
    let mut statement = conn.prepare(&format!("SELECT * FROM {}", quoted(&table.name)))?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([])?;
    let (mut users, mut keys) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let (user, hashed_password) = user(row, &columns, &table.name, shape)?;
        if hashed_password.is_some() {
            keys.push(ForeignKey { id: None, user_id: user.id.clone(), hashed_password });
        }
        users.push(user);
        tell(progress, "users read", users.len());
    }
    Ok((users, keys))
}

fn user(
    row: &Row<'_>,
    columns: &[String],
    table: &str,
    shape: &Shape<'_>,
) -> ReadResult<(ForeignUser, Option<String>)> {
    let attributes = Vec::with_capacity(columns.len());
    let mut it = ForeignUser { attributes, ..ForeignUser::default() };
    let (mut hash, mut email, mut is_verified) = (None, None, false);
    let (mut is_banned, mut why) = (false, None);
    for (column, name) in columns.iter().enumerate() {
        if name == shape.name {
            it.username = optional_text(row, column, table)?;
        }
        match name.as_str() {
            "id" => it.id = text(row, column, table)?,
            "email" if shape.has_email => email = optional_text(row, column, table)?,
            name if name == shape.name => {}
            name if Some(name) == shape.hash => hash = optional_text(row, column, table)?,
            _ => {
                match name.as_str() {
                    "createdAt" | "created_at" => it.created_at = date(row, column)?,
                    "banned" if shape.has_ban => is_banned = is_true(row, column)?,
                    "banReason" if shape.has_ban => why = optional_text(row, column, table)?,
                    _ => {}
                }
                is_verified |= VERIFIED.contains(&name.as_str()) && is_true(row, column)?;
                it.attributes.push((name.clone(), attribute(row, column)?));
            }
        }
    }
    it.banned = is_banned.then(|| why.unwrap_or_default());
    if shape.falls_back && it.username.as_ref().is_none_or(String::is_empty) {
        it.username.clone_from(&email);
    }
    if is_verified {
        it.verified_email = email;
    } else if let Some(email) = email {
        it.attributes.push(("email".to_owned(), Attribute::Text(email)));
    }
    Ok((it, hash))
}

/// A moment as libraries write it. `None` if it is none.
fn date(row: &Row<'_>, column: usize) -> ReadResult<Option<i64>> {
    let written = match row.get_ref(column)? {
        ValueRef::Integer(number) => Timestamp::Integer(number),
        ValueRef::Real(number) => Timestamp::Real(number),
        ValueRef::Text(text) => Timestamp::Text(std::str::from_utf8(text).unwrap_or_default()),
        ValueRef::Null | ValueRef::Blob(_) => return Ok(None),
    };
    Ok(moment(written, TimeUnit::Guessed).map(Moment::millis))
}

/// Times from here on are milliseconds, as Prisma writes them: in seconds it would be the year 5138.
const MILLIS_MIN: i64 = 100_000_000_000;

/// A time in milliseconds that may be in seconds.
fn millis(number: i64) -> i64 {
    if number < MILLIS_MIN { number.saturating_mul(1_000) } else { number }
}

/// A truth as libraries write it: a number, a word, or the time since when it is one. What is not known
/// to be true is not.
fn is_true(row: &Row<'_>, column: usize) -> ReadResult<bool> {
    Ok(match row.get_ref(column)? {
        ValueRef::Integer(number) => number != 0,
        ValueRef::Real(number) => number != 0.0,
        ValueRef::Text(word) => {
            let is_date =
                word.len() > 8 && word[4] == b'-' && word[..4].iter().all(u8::is_ascii_digit);
            let word = word.to_ascii_lowercase();
            is_date || matches!(&*word, b"1" | b"t" | b"true" | b"y" | b"yes")
        }
        ValueRef::Null | ValueRef::Blob(_) => false,
    })
}

/// Everything in a table, by these columns, each row as `read` makes it. `what` is told as it goes.
fn rows<T>(
    conn: &Connection,
    (table, columns): (&Table, ColumnSet<'_>),
    what: &str,
    progress: Progress<'_>,
    read: impl Fn(&Row<'_>) -> ReadResult<T>,
) -> ReadResult<Vec<T>> {
    let mut statement = conn.prepare(&table.select(columns))?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
        tell(progress, what, all.len());
    }
    Ok(all)
}

fn text(row: &Row<'_>, column: usize, table: &str) -> ReadResult<String> {
    match optional_text(row, column, table)? {
        Some(text) => Ok(text),
        None => broken(format!("a row of its table {table} has no {}", name(row, column))),
    }
}

/// SQLite lets a column hold anything, and adapters make no table themselves.
fn optional_text(row: &Row<'_>, column: usize, table: &str) -> ReadResult<Option<String>> {
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

fn number(row: &Row<'_>, column: usize, table: &str) -> ReadResult<i64> {
    match row.get_ref(column)? {
        ValueRef::Integer(number) => Ok(number),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "JavaScript has one kind of number, and a driver may write it as this one"
        )]
        ValueRef::Real(number) => Ok(number as i64),
        _ => {
            broken(format!("the {} of a row of its table {table} is no number", name(row, column)))
        }
    }
}

fn attribute(row: &Row<'_>, column: usize) -> ReadResult<Attribute> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => Attribute::Null,
        ValueRef::Integer(number) => Attribute::Integer(number),
        // JSON knows neither an infinite number nor one that is none.
        ValueRef::Real(number) if !number.is_finite() => Attribute::Text(number.to_string()),
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
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn broken<T>(cause: impl std::fmt::Display) -> ReadResult<T> {
    Err(ForeignDbError(cause.to_string()))
}
