//! A database of Lucia v2, as its SQLite adapters write it.
//!
//! Decides which of its tables are which.

use std::path::Path;

use rusqlite::Connection;

use super::Result;
use super::strangers::{
    self, Progress, Reading, Stranger, StrangerKey, StrangerSession, Strangers, Table, attribute,
    broken, named, number, only, optional_text, owners, quoted, tell, text,
};

/// What the file is if it is one.
const PROGRAM: &str = "Lucia v2";

const KEY_COLUMNS: [&str; 3] = ["id", "user_id", "hashed_password"];
const SESSION_COLUMNS: [&str; 4] = ["id", "user_id", "active_expires", "idle_expires"];

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

/// All people in a database of Lucia v2. Its tables are found by their columns unless `tables` names them.
///
/// A file that is none, is cut short or damaged, or has no such tables is refused:
/// [`Error::Broken`](super::Error::Broken) says which.
pub fn lucia(
    path: &Path,
    tables: Option<&LuciaTables>,
    progress: Progress<'_>,
) -> Result<Strangers> {
    strangers::read(path, |conn, all| {
        let tables = match tables {
            Some(named) => check(all, named)?,
            None => find(conn, all)?,
        };
        let users = users(conn, &tables.user, progress)?;
        let keys = keys(conn, &tables.key, progress)?;
        let sessions = match &tables.session {
            Some(table) => sessions(conn, table, progress)?,
            None => Vec::new(),
        };
        let LuciaTables { user, key, session } = tables;
        let tables = vec![("user", Some(user)), ("user_key", Some(key)), ("user_session", session)];
        Ok(Strangers { tables, users, keys, sessions })
    })
}

/// Sees that the tables that were named are there, with Lucia's columns.
fn check(all: &[Table], tables: &LuciaTables) -> Reading<LuciaTables> {
    named(all, &tables.user, &["id"])?;
    named(all, &tables.key, &KEY_COLUMNS)?;
    if let Some(session) = &tables.session {
        named(all, session, &SESSION_COLUMNS)?;
    }
    Ok(tables.clone())
}

fn find(conn: &Connection, all: &[Table]) -> Reading<LuciaTables> {
    let (is_key, is_session) =
        (|it: &&Table| it.has(&KEY_COLUMNS), |it: &&Table| it.has(&SESSION_COLUMNS));
    let key = only(all.iter().filter(is_key), &KEY_COLUMNS, PROGRAM)?;
    let mut sessions = all.iter().filter(is_session).peekable();
    if sessions.peek().is_none() {
        return broken(format!(
            "no table has the columns {}; if sessions are kept elsewhere, say so with --tables USER,{}",
            SESSION_COLUMNS.join(", "),
            key.name
        ));
    }
    let session = only(sessions, &SESSION_COLUMNS, PROGRAM)?;
    let among = all.iter().filter(|it| it.has(&["id"]) && !is_key(it) && !is_session(it));
    let user = owners(conn, (&key.name, "user_id"), among)?;
    Ok(LuciaTables {
        user: user.name.clone(),
        key: key.name.clone(),
        session: Some(session.name.clone()),
    })
}

fn users(conn: &Connection, table: &str, progress: Progress<'_>) -> Reading<Vec<Stranger>> {
    let sql = format!("SELECT * FROM {}", quoted(table));
    let mut statement = conn.prepare(&sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([])?;
    let mut users = Vec::new();
    while let Some(row) = rows.next()? {
        let mut user = Stranger { id: String::new(), username: None, attributes: Vec::new() };
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

fn keys(conn: &Connection, table: &str, progress: Progress<'_>) -> Reading<Vec<StrangerKey>> {
    let sql = format!("SELECT id, user_id, hashed_password FROM {}", quoted(table));
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let whole = text(row, 0, table)?;
        // A key that is not split has no provider, and its owner is told of with the whole of it.
        let (provider, id) = whole.split_once(':').unwrap_or(("", &whole));
        keys.push(StrangerKey {
            provider: provider.to_owned(),
            id: id.to_owned(),
            user_id: text(row, 1, table)?,
            hashed_password: optional_text(row, 2, table)?,
        });
        tell(progress, "keys read", keys.len());
    }
    Ok(keys)
}

fn sessions(
    conn: &Connection,
    table: &str,
    progress: Progress<'_>,
) -> Reading<Vec<StrangerSession>> {
    let sql = format!("SELECT id, user_id, active_expires, idle_expires FROM {}", quoted(table));
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut sessions = Vec::new();
    while let Some(row) = rows.next()? {
        sessions.push(StrangerSession {
            id: text(row, 0, table)?,
            user_id: text(row, 1, table)?,
            active_expires: number(row, 2, table)?,
            idle_expires: number(row, 3, table)?,
        });
        tell(progress, "sessions read", sessions.len());
    }
    Ok(sessions)
}
