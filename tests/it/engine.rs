//! The engine that the tests run on: SQLite, or with `TEST_ENGINE=mysql` the server that `STORE_MYSQL`
//! names. And a second way into its tables, past the store.

pub mod older;
#[cfg(feature = "mysql")]
pub mod server;

use std::path::Path;

use rusqlite::types::ValueRef;
use vestibule::store::{self, Database, Store, TABLES};

/// Takes from a file what the schemas after 11 have added, but for the slots of one-time tokens.
pub const TO_SCHEMA_11: [&str; 12] = [
    "DROP TABLE passkey",
    "DROP TABLE used_challenge",
    "DROP TABLE totp",
    "DROP TABLE recovery_code",
    "ALTER TABLE user DROP COLUMN second_factor_since",
    "ALTER TABLE user_session DROP COLUMN second_at",
    "ALTER TABLE access_token DROP COLUMN second_at",
    "ALTER TABLE device DROP COLUMN second_at",
    "DROP TABLE mail",
    "DROP INDEX user_by_email",
    "ALTER TABLE user DROP COLUMN canonical_email",
    "ALTER TABLE user DROP COLUMN email_verified_at",
];

/// As [`TO_SCHEMA_11`], on servers.
#[cfg(feature = "mysql")]
pub const TO_SCHEMA_11_ON_SERVERS: [&str; 6] = [
    "DROP TABLE mail, totp, recovery_code, passkey, used_challenge",
    "ALTER TABLE user DROP KEY user_by_email, DROP COLUMN canonical_email, DROP COLUMN email_verified_at",
    "ALTER TABLE user DROP COLUMN second_factor_since",
    "ALTER TABLE user_session DROP COLUMN second_at",
    "ALTER TABLE access_token DROP COLUMN second_at",
    "ALTER TABLE device DROP COLUMN second_at",
];

/// The database of a test, which has this folder to itself. All who open one folder meet in it.
pub fn open(folder: &Path) -> Box<dyn Store> {
    #[cfg(feature = "mysql")]
    if is_server() {
        return store::open(&server::of_folder(folder)).unwrap();
    }
    file(&folder.join("test.db"))
}

/// A SQLite file, whatever the other tests run on.
pub fn file(path: &Path) -> Box<dyn Store> {
    store::open(&Database::from(path)).unwrap()
}

/// A second way into the database of the test that has this folder.
pub fn raw(folder: &Path) -> Box<dyn Raw> {
    #[cfg(feature = "mysql")]
    if is_server() {
        return Box::new(server::connect(&server::of_folder(folder)));
    }
    raw_file(&folder.join("test.db"))
}

/// A second way into a file.
pub fn raw_file(path: &Path) -> Box<dyn Raw> {
    Box::new(rusqlite::Connection::open(path).unwrap())
}

/// Everything that is written down of a test: the bytes of its files, or all rows of its tables.
pub fn everything(folder: &Path) -> Vec<u8> {
    let all: Vec<u8> = if is_server() {
        let mut raw = raw(folder);
        let of = |table| raw.rows(&format!("SELECT * FROM {table}"));
        TABLES.into_iter().flat_map(of).flatten().flatten().flatten().collect()
    } else {
        let files = std::fs::read_dir(folder).unwrap();
        let files = files.map(|it| it.unwrap().path()).filter(|it| it.is_file());
        files.flat_map(|it| std::fs::read(it).unwrap()).collect()
    };
    assert!(!all.is_empty(), "nothing was written down");
    all
}

/// Whether the tests run on a server.
pub fn is_server() -> bool {
    match std::env::var("TEST_ENGINE").as_deref() {
        Err(_) | Ok("sqlite") => false,
        Ok("mysql") if cfg!(feature = "mysql") => true,
        Ok(other) => panic!("this build has no engine {other}"),
    }
}

/// What a column of a row holds, as text would; `None`: NULL.
pub type Cell = Option<Vec<u8>>;

/// A second way into a database, in SQL that every engine understands: columns are named, bytes are
/// `x'…'`, and it is one statement at a time.
pub trait Raw {
    /// Runs a statement. On no engine it says anything.
    fn run(&mut self, sql: &str);

    /// All rows of a query.
    fn rows(&mut self, sql: &str) -> Vec<Vec<Cell>>;
}

impl dyn Raw + '_ {
    /// The first column of each row, as text: `NULL` where there is nothing.
    pub fn texts(&mut self, sql: &str) -> Vec<String> {
        let first = |row: Vec<Cell>| row.into_iter().next().unwrap();
        self.rows(sql).into_iter().map(|row| text(first(row))).collect()
    }

    /// The columns of the one row, as text: `NULL` where there is nothing.
    pub fn row(&mut self, sql: &str) -> Vec<String> {
        let mut rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "rows of {sql}");
        rows.remove(0).into_iter().map(text).collect()
    }

    /// The one column of the one row, as text.
    pub fn text(&mut self, sql: &str) -> String {
        self.row(sql).remove(0)
    }

    /// The one column of the one row, as a number.
    pub fn number(&mut self, sql: &str) -> i64 {
        let text = self.text(sql);
        text.parse().unwrap_or_else(|_| panic!("{text} is no number: {sql}"))
    }

    /// How many rows a table has.
    pub fn count(&mut self, table: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM {table}"))
    }
}

fn text(cell: Cell) -> String {
    cell.map_or_else(
        || "NULL".to_owned(),
        |it| String::from_utf8(it).expect("bytes are asked for with hex()"),
    )
}

impl Raw for rusqlite::Connection {
    fn run(&mut self, sql: &str) {
        self.execute(sql, []).unwrap_or_else(|err| panic!("{err}: {sql}"));
    }

    fn rows(&mut self, sql: &str) -> Vec<Vec<Cell>> {
        let mut statement = self.prepare(sql).unwrap_or_else(|err| panic!("{err}: {sql}"));
        let columns = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            (0..columns).map(|at| Ok(cell(row.get_ref(at)?))).collect::<rusqlite::Result<_>>()
        };
        statement.query_map([], row).unwrap().map(Result::unwrap).collect()
    }
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string().into_bytes()),
        ValueRef::Real(number) => Some(number.to_string().into_bytes()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.to_vec()),
    }
}
