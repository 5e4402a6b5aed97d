//! The tables of another program's file, and how they are told apart: by their columns, as those programs
//! let an app name them.
//!
//! Decides which things count as tables (views and virtual tables too, where no table of its own is meant)
//! and that names are compared as SQLite does: without regard to ASCII case.

use rusqlite::Connection;

use super::{ForeignDb, ReadResult, broken};

/// The names that a column may have; messages use the first.
pub(super) type ColumnNames = &'static [&'static str];

/// Columns that a table must have.
pub(super) type ColumnSet<'a> = &'a [ColumnNames];

/// The column with the id of a row's user.
pub(super) const OWNER: ColumnNames = &["user_id", "userId"];

/// A table, a view or a virtual table.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    /// The name of its rowid, if it has one.
    pub(super) rowid: Option<&'static str>,
    /// Whether its rows are its own: those of a view are of other tables, and those of a virtual table may be.
    is_stored: bool,
}

impl Table {
    /// Whether it has all of these columns.
    pub(super) fn has(&self, columns: ColumnSet<'_>) -> bool {
        columns.iter().all(|names| self.column(names).is_some())
    }

    /// Whether it has a column of this name.
    pub(super) fn holds(&self, column: &str) -> bool {
        self.column(&[column]).is_some()
    }

    /// The name under which the table has this column, if it has it.
    pub(super) fn column(&self, names: &[&str]) -> Option<&str> {
        let find = |name: &&str| self.columns.iter().find(|it| it.eq_ignore_ascii_case(name));
        names.iter().find_map(find).map(String::as_str)
    }

    /// The names of these columns, all of which the table must have.
    pub(super) fn named(&self, columns: ColumnSet<'_>) -> Vec<&str> {
        columns.iter().map(|it| self.column(it).unwrap_or(it[0])).collect()
    }
}

/// All tables, views and virtual tables in the file.
pub(super) fn tables(conn: &Connection) -> ReadResult<Vec<Table>> {
    let mut list = conn.prepare(
        "SELECT name, type, wr FROM pragma_table_list
          WHERE schema = 'main' AND type IN ('table', 'view', 'virtual')
            AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
          ORDER BY name",
    )?;
    let mut rows = list.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let (kind, is_without_rowid): (String, bool) = (row.get(1)?, row.get(2)?);
        // No name that is looked for is invalid UTF-8.
        let Ok(name) = row.get_ref(0)?.as_str().map(str::to_owned) else { continue };
        // A view of a table that is gone, or a virtual table of a module that is not here, has no columns.
        let Ok(columns) = columns(conn, &name) else { continue };
        let free = ["rowid", "_rowid_", "oid"].into_iter();
        let mut free = free.filter(|it| !columns.iter().any(|name| name.eq_ignore_ascii_case(it)));
        let has_rowid = kind == "table" && !is_without_rowid;
        let rowid = if has_rowid { free.next() } else { None };
        all.push(Table { name, columns, rowid, is_stored: kind == "table" });
    }
    Ok(all)
}

/// The columns of a table, those that are computed among them.
fn columns(conn: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    // 1 is a hidden column of a virtual table; 2 and 3 are computed.
    let sql = "SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE hidden <> 1 ORDER BY cid";
    conn.prepare_cached(sql)?.query_map([table], |row| row.get(0))?.collect()
}

/// Tables that were not read and have rows of a user, with how many.
pub(super) fn left_behind(
    conn: &Connection,
    all: &[Table],
    found: &ForeignDb,
) -> ReadResult<Vec<(String, usize)>> {
    let is_read =
        |it: &&Table| found.tables.iter().any(|(_, name)| name.as_ref() == Some(&it.name));
    let mut left = Vec::new();
    for table in all.iter().filter(|it| it.is_stored && !is_read(it)) {
        if let Some(column) = table.column(OWNER) {
            let (table_name, column) = (quoted(&table.name), quoted(column));
            let sql = format!("SELECT count({column}) FROM {table_name}");
            left.push((table.name.clone(), count(conn, &sql)?));
        }
    }
    left.retain(|(_, count)| *count > 0);
    Ok(left)
}

/// How many rows a table has.
pub(super) fn row_count(conn: &Connection, table: &Table) -> ReadResult<usize> {
    count(conn, &format!("SELECT count(*) FROM {}", quoted(&table.name)))
}

fn count(conn: &Connection, sql: &str) -> ReadResult<usize> {
    let count: i64 = conn.query_row(sql, [], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The table that was named, which must have these columns.
pub(super) fn named<'a>(
    all: &'a [Table],
    name: &str,
    columns: ColumnSet<'_>,
) -> ReadResult<&'a Table> {
    match all.iter().find(|it| it.name.eq_ignore_ascii_case(name)) {
        None => broken(format!("it has no table {name}")),
        Some(table) if table.has(columns) => Ok(table),
        Some(_) => broken(format!("its table {name} has not the columns {}", listed(columns))),
    }
}

/// The table that was named (empty: there is none), or the only one that `is_it`. `None` if there is none.
pub(super) fn optional<'a>(
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

/// The names of columns, for messages.
pub(super) fn listed(columns: ColumnSet<'_>) -> String {
    columns.iter().map(|names| names[0]).collect::<Vec<_>>().join(", ")
}

/// The one table of those found; `program` has one with these columns. A view is meant only where no table is.
pub(super) fn only<'a>(
    found: impl Iterator<Item = &'a Table>,
    columns: ColumnSet<'_>,
    program: &str,
) -> ReadResult<&'a Table> {
    let columns = listed(columns);
    match stored_first(found.collect())[..] {
        [table] => Ok(table),
        [] => broken(format!("it is not of {program}: no table has the columns {columns}")),
        [one, other, ..] => broken(format!(
            "its tables {} and {} both have the columns {columns}; say which with --tables",
            one.name, other.name
        )),
    }
}

/// The tables among these, or the views if there is no table.
fn stored_first(mut found: Vec<&Table>) -> Vec<&Table> {
    if found.iter().any(|it| it.is_stored) {
        found.retain(|it| it.is_stored);
    }
    found
}

/// Of the tables `among`, which have an `id`, the one that most rows of the table `child` refer to; of two
/// alike the one that has a column `username`. A view is meant only where no table is.
pub(super) fn owners<'a>(
    conn: &Connection,
    child: &Table,
    among: impl Iterator<Item = &'a Table>,
) -> ReadResult<&'a Table> {
    let owner = quoted(child.column(OWNER).unwrap_or(OWNER[0]));
    let mut best: Option<((i64, bool, bool), &Table)> = None;
    for table in among {
        let (child, name) = (quoted(&child.name), quoted(&table.name));
        let sql = format!("SELECT count(*) FROM {child} WHERE {owner} IN (SELECT id FROM {name})");
        let known: i64 = match conn.query_row(&sql, [], |row| row.get(0)) {
            Ok(known) => known,
            // A view or a virtual table that cannot be read is no table of users.
            Err(_) if !table.is_stored => continue,
            Err(err) => return Err(err.into()),
        };
        let rank = (known, table.is_stored, table.holds("username"));
        if best.is_none_or(|(best, _)| rank > best) {
            best = Some((rank, table));
        }
    }
    match best {
        Some(((known, _, has_name), table)) if known > 0 || has_name => Ok(table),
        _ => broken(format!("no table holds the users of {}; name it with --tables", child.name)),
    }
}

/// A table's or column's name, quoted for SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
