//! The column in which an app keeps the hashes of passwords.
//!
//! Decides which column that is: by its name where that is a usual one, or else by what stands in it.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::tables::{ColumnNames, Table, quoted};
use super::{ReadResult, broken};
use crate::base::password::{HashFault, PasswordHash};

/// The names of the column in guides.
pub(super) const HASH: ColumnNames =
    &["password_hash", "hashed_password", "passwordHash", "hashedPassword"];

/// Parts of the names of such columns.
const PARTS: [&str; 9] =
    ["password", "passwd", "passwort", "passphrase", "pass", "pwd", "hash", "digest", "credential"];

/// Rows that are looked at.
const LOOKED_AT: usize = 200;

/// A column in which hashes belong.
#[derive(Clone, Copy)]
pub(super) struct HashColumn<'a> {
    pub(super) table: &'a Table,
    pub(super) name: &'a str,
    /// Whether it is known to be the one: it was asked for, or most of what stands in it are hashes.
    pub(super) is_certain: bool,
}

/// The column of hashes: the one that is `asked` for, or else one with a usual name, or else the only one
/// whose name may be such a column's and that holds hashes. `None`: there is none.
pub(super) fn hash_column<'a>(
    conn: &Connection,
    table: &'a Table,
    asked: Option<&str>,
) -> ReadResult<Option<HashColumn<'a>>> {
    let certain = |name| HashColumn { table, name, is_certain: true };
    if let Some(asked) = asked {
        return match table.column(&[asked]) {
            Some(column) => Ok(Some(certain(column))),
            None => broken(format!("its table {} has no column {asked}", table.name)),
        };
    }
    let usual = table.column(HASH);
    if let Some(column) = usual
        && holds_hashes(conn, table, column)?
    {
        return Ok(Some(certain(column)));
    }
    let mut found = Vec::new();
    for column in table.columns.iter().filter(|it| may_hold_hashes(it)) {
        if holds_hashes(conn, table, column)? {
            found.push(column.as_str());
        }
    }
    match found[..] {
        [] => Ok(usual.map(|name| HashColumn { table, name, is_certain: false })),
        [column] => Ok(Some(certain(column))),
        [one, other, ..] => broken(format!(
            "the columns {one} and {other} of its table {} both hold hashes; say which with --hash",
            table.name
        )),
    }
}

fn may_hold_hashes(column: &str) -> bool {
    let name = column.to_ascii_lowercase();
    PARTS.iter().any(|it| name.contains(it))
}

/// Whether a text is a hash of a password, even one that cannot be verified here: unlike the digests that
/// some programs store, those of other kinds begin with a dollar sign.
pub(super) fn is_hash(text: &str) -> bool {
    match PasswordHash::from_stored(text.to_owned()).fault() {
        None | Some(HashFault::TooCostly(_)) => true,
        Some(HashFault::NotSupported(name)) => name.is_some() && text.starts_with('$'),
    }
}

/// Whether most of what stands in a column are hashes of passwords.
fn holds_hashes(conn: &Connection, table: &Table, column: &str) -> ReadResult<bool> {
    let (name, column) = (quoted(&table.name), quoted(column));
    let sql = format!(
        "SELECT {column} FROM {name} WHERE {column} IS NOT NULL AND {column} <> '' LIMIT {LOOKED_AT}"
    );
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let (mut all, mut hashes) = (0, 0);
    while let Some(row) = rows.next()? {
        all += 1;
        if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = row.get_ref(0)? {
            let text = std::str::from_utf8(bytes).unwrap_or_default().trim();
            hashes += usize::from(is_hash(text));
        }
    }
    Ok(hashes * 2 > all)
}
