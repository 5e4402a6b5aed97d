//! Everything that a database holds: its schema and all rows of all tables, but for what says when a command
//! was run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::engine::{Cell, Raw};

/// What differs from run to run: the moments of records and of reservations, and who holds the lease to
/// change tables.
const OF_THE_RUN: [(&str, &str); 5] = [
    ("clock", "believed_at"),
    ("audit", "at"),
    ("resting_name", "expires_at"),
    ("vestibule_schema", "owner"),
    ("vestibule_schema", "lease"),
];

/// The audit log, to which a command adds a record once it is done, and where its numbers come from.
const RECORDS: [&str; 2] = ["audit", "counter"];

/// It holds hashes and has no `Debug`.
#[derive(PartialEq, Eq)]
pub struct Snapshot {
    schema: Vec<String>,
    tables: BTreeMap<String, Vec<Vec<Cell>>>,
}

impl Snapshot {
    /// Of a file, which is left as it is with what lies beside it.
    pub fn of_file(path: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy.db");
        for suffix in ["", "-wal", "-journal"] {
            let with = |path: &Path| path.with_file_name(name(path) + suffix);
            if with(path).exists() {
                fs::copy(with(path), with(&copy)).unwrap();
            }
        }
        let mut raw = Connection::open(&copy).unwrap();
        let raw: &mut dyn Raw = &mut raw;
        assert_eq!(raw.text("PRAGMA integrity_check"), "ok");
        let mut schema =
            raw.texts("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name");
        schema.push(raw.text("PRAGMA user_version"));
        let names = raw.texts("SELECT name FROM sqlite_schema WHERE type = 'table'");
        let columns = |raw: &mut dyn Raw, table: &str| {
            raw.texts(&format!("SELECT name FROM pragma_table_info('{table}')"))
        };
        Self { schema, tables: tables(raw, &names, &columns) }
    }

    /// Of a database on servers.
    #[cfg(feature = "mysql")]
    pub fn of_servers(raw: &mut dyn Raw) -> Self {
        let names = raw.texts(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()
              ORDER BY table_name",
        );
        let columns = |raw: &mut dyn Raw, table: &str| {
            raw.texts(&format!(
                "SELECT column_name FROM information_schema.columns
                  WHERE table_schema = DATABASE() AND table_name = '{table}'"
            ))
        };
        let schema = names.iter().map(|it| raw.row(&format!("SHOW CREATE TABLE {it}")).remove(1));
        let schema = schema.collect();
        Self { schema, tables: tables(raw, &names, &columns) }
    }

    /// How many rows a table has; 0 if there is no such table.
    pub fn count(&self, table: &str) -> usize {
        self.tables.get(table).map_or(0, Vec::len)
    }

    /// Without a table, as that of the random keys where each database has its own.
    pub fn without(mut self, table: &str) -> Self {
        self.tables.remove(table);
        self
    }

    /// What differs between two, beside the records of commands: names of tables, or `the schema`.
    pub fn differences<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let names = self.tables.keys().chain(other.tables.keys()).map(String::as_str);
        let differs =
            |it: &&str| !RECORDS.contains(it) && self.tables.get(*it) != other.tables.get(*it);
        let found: BTreeSet<_> = names.filter(differs).collect();
        let mut found: Vec<_> = found.into_iter().collect();
        if self.schema != other.schema {
            found.push("the schema");
        }
        found
    }

    /// What a database that was as `self` is to be once a command is done that led from `before` to `after`
    /// elsewhere: what the command does not touch, as a random key, is each database's own.
    pub fn after(&self, before: &Self, after: &Self) -> Self {
        let is_touched = |name: &String| before.tables.get(name) != after.tables.get(name);
        let touched = |name: &String| {
            let rows = if is_touched(name) { after } else { self }.tables.get(name);
            rows.map(|it| (name.clone(), it.clone()))
        };
        let schema = after.schema.clone();
        Self { schema, tables: after.tables.keys().filter_map(touched).collect() }
    }

    /// Whether the records are those of one or of the other.
    pub fn has_records_of(&self, one: &Self, other: &Self) -> bool {
        let is_as =
            |it: &Self| RECORDS.iter().all(|name| self.tables.get(*name) == it.tables.get(*name));
        is_as(one) || is_as(other)
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn tables(
    raw: &mut dyn Raw,
    names: &[String],
    columns: &dyn Fn(&mut dyn Raw, &str) -> Vec<String>,
) -> BTreeMap<String, Vec<Vec<Cell>>> {
    let rows = |table: &String| {
        let mut columns = columns(raw, table);
        columns.retain(|it| !OF_THE_RUN.contains(&(table.as_str(), it.as_str())));
        let mut rows = raw.rows(&format!("SELECT {} FROM {table}", columns.join(", ")));
        rows.sort_unstable();
        (table.clone(), rows)
    };
    names.iter().map(rows).collect()
}
