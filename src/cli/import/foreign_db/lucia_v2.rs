//! A database of Lucia v2, as its SQLite adapters write it.
//!
//! Decides which of its tables are which.

use std::path::Path;

use rusqlite::Connection;

use super::{
    ColumnSet, ForeignDb, ForeignKey, ForeignSession, ReadResult, Shape, Table, broken, listed,
    named, number, only, optional_text, owners, read, rows, text, users,
};
use crate::store::Progress;

/// What the file is if it is one.
const PROGRAM: &str = "Lucia v2";

const USER_ID: &[&str] = &["user_id"];
const KEY: ColumnSet = &[&["id"], USER_ID, &["hashed_password"]];
const SESSION: ColumnSet = &[&["id"], USER_ID, &["active_expires"], &["idle_expires"]];

/// Every column but the name is an attribute.
const SHAPE: Shape<'_> =
    Shape { name: "username", falls_back: false, has_email: false, has_ban: false, hash: None };

/// ColumnNames of Lucia's tables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LuciaTables {
    /// With `id`, and a column for each attribute.
    pub user: String,
    /// With `id`, `user_id` and `hashed_password`.
    pub key: String,
    /// With `id`, `user_id`, `active_expires` and `idle_expires`. `None`: sessions are kept elsewhere.
    pub session: Option<String>,
}

/// All people in a database of Lucia v2. Its tables are found by their columns unless `tables` names them.
///
/// A file that is none, is cut short or damaged, or has no such tables is refused; the
/// error is one line that says which.
pub fn lucia_v2(
    path: &Path,
    tables: Option<&LuciaTables>,
    progress: Progress<'_>,
) -> Result<ForeignDb, String> {
    read(path, |conn, all| {
        let tables = match tables {
            Some(named) => check(all, named)?,
            None => find(conn, all)?,
        };
        let (users, _) = users(conn, tables.user, &SHAPE, progress)?;
        let keys = keys(conn, tables.key, progress)?;
        let sessions = match tables.session {
            Some(table) => sessions(conn, table, progress)?,
            None => Vec::new(),
        };
        let found = [Some(tables.user), Some(tables.key), tables.session];
        let found = found.map(|it| it.map(|it| it.name.clone()));
        let tables = ["user", "user_key", "user_session"].into_iter().zip(found).collect();
        Ok(ForeignDb { tables, users, keys, sessions, ..ForeignDb::default() })
    })
}

struct FoundV2<'a> {
    user: &'a Table,
    key: &'a Table,
    session: Option<&'a Table>,
}

/// The tables that were named, which must be there, with Lucia's columns.
fn check<'a>(all: &'a [Table], names: &LuciaTables) -> ReadResult<FoundV2<'a>> {
    let user = named(all, &names.user, &[&["id"]])?;
    let key = named(all, &names.key, KEY)?;
    let session = names.session.as_ref().map(|name| named(all, name, SESSION)).transpose()?;
    Ok(FoundV2 { user, key, session })
}

fn find<'a>(conn: &Connection, all: &'a [Table]) -> ReadResult<FoundV2<'a>> {
    let (is_key, is_session) = (|it: &&Table| it.has(KEY), |it: &&Table| it.has(SESSION));
    let key = only(all.iter().filter(is_key), KEY, PROGRAM)?;
    let mut sessions = all.iter().filter(is_session).peekable();
    if sessions.peek().is_none() {
        return broken(format!(
            "no table has the columns {}; if sessions are kept elsewhere, say so with --tables USER,{}",
            listed(SESSION),
            key.name
        ));
    }
    let session = only(sessions, SESSION, PROGRAM)?;
    let among = all.iter().filter(|it| it.has(&[&["id"]]) && !is_key(it) && !is_session(it));
    let user = owners(conn, key, USER_ID, among)?;
    Ok(FoundV2 { user, key, session: Some(session) })
}

fn keys(conn: &Connection, table: &Table, progress: Progress<'_>) -> ReadResult<Vec<ForeignKey>> {
    rows(conn, (table, KEY), "keys read", progress, |row| {
        let whole = text(row, 0, &table.name)?;
        // A key that is not split has no provider, and its owner is told of with the whole of it.
        let (provider, id) = whole.split_once(':').unwrap_or(("", &whole));
        Ok(ForeignKey {
            id: Some((provider.to_owned(), id.to_owned())),
            user_id: text(row, 1, &table.name)?,
            hashed_password: optional_text(row, 2, &table.name)?,
        })
    })
}

fn sessions(
    conn: &Connection,
    table: &Table,
    progress: Progress<'_>,
) -> ReadResult<Vec<ForeignSession>> {
    rows(conn, (table, SESSION), "sessions read", progress, |row| {
        Ok(ForeignSession {
            id: text(row, 0, &table.name)?,
            user_id: text(row, 1, &table.name)?,
            active_expires: Some(number(row, 2, &table.name)?),
            idle_expires: number(row, 3, &table.name)?,
        })
    })
}
