//! A database of better-auth, as its SQLite adapters write it.
//!
//! Decides which of its tables are which.

use std::path::Path;

use rusqlite::Connection;

use super::{
    ColumnSet, ForeignDb, ForeignKey, ReadResult, Shape, Table, TableNames, named, only, optional,
    optional_text, quoted, read, rows, text, users,
};
use crate::store::Progress;

/// What the file is if it is one.
const PROGRAM: &str = "better-auth";

/// What the tables are called in messages and with `--tables`.
pub const BETTER_AUTH_TABLES: [&str; 3] = ["user", "account", "session"];

const USER_ID: &[&str] = &["userId", "user_id"];
const USER: ColumnSet = &[&["id"], &["email"], &["emailVerified", "email_verified"]];
const ACCOUNT: ColumnSet =
    &[&["providerId", "provider_id"], &["accountId", "account_id"], USER_ID, &["password"]];
const SESSION: ColumnSet = &[&["token"], USER_ID, &["expiresAt", "expires_at"]];

/// The provider of passwords.
const CREDENTIAL: &str = "credential";

/// All people in a database of better-auth. Its tables are found by their columns, but for those that
/// `names` has. They are called what the column `username` says, or else their address; or what the column
/// says that is named. Sessions are only counted: a cookie of theirs is signed with a secret that is not in
/// the file.
///
/// A file that is none, is cut short or damaged, or has no such tables is refused; the
/// error is one line that says which.
pub(in crate::cli::import) fn better_auth(
    path: &Path,
    names: &TableNames,
    username: Option<&str>,
    progress: Progress<'_>,
) -> Result<ForeignDb, String> {
    read(path, |conn, all| {
        let table = |what: &str, columns: ColumnSet| match names.get(what) {
            Some(name) => named(all, name, columns),
            None => only(all.iter().filter(|it| it.has(columns)), columns, PROGRAM),
        };
        let (account, user) = (table("account", ACCOUNT)?, table("user", USER)?);
        let session = optional(names.get("session"), all, |it| it.has(SESSION), SESSION)?;
        let shape = Shape { has_ban: true, ..Shape::by(user, username, None)? };
        let (users, mut keys) = users(conn, user, &shape, progress)?;
        keys.extend(accounts(conn, account, progress)?);
        let sealed_sessions = match session {
            Some(table) => count(conn, table)?,
            None => 0,
        };
        let found = [Some(user), Some(account), session].map(|it| it.map(|it| it.name.clone()));
        let tables = BETTER_AUTH_TABLES.into_iter().zip(found).collect();
        Ok(ForeignDb { tables, users, keys, sealed_sessions, ..ForeignDb::default() })
    })
}

fn accounts(
    conn: &Connection,
    table: &Table,
    progress: Progress<'_>,
) -> ReadResult<Vec<ForeignKey>> {
    rows(conn, (table, ACCOUNT), "keys read", progress, |row| {
        let (provider, user_id) = (text(row, 0, &table.name)?, text(row, 2, &table.name)?);
        if provider == CREDENTIAL {
            let hashed_password = optional_text(row, 3, &table.name)?;
            return Ok(ForeignKey { id: None, user_id, hashed_password });
        }
        let id = Some((provider, text(row, 1, &table.name)?));
        Ok(ForeignKey { id, user_id, hashed_password: None })
    })
}

fn count(conn: &Connection, table: &Table) -> ReadResult<usize> {
    let sql = format!("SELECT count(*) FROM {}", quoted(&table.name));
    let count: i64 = conn.query_row(&sql, [], |row| row.get(0))?;
    Ok(usize::try_from(count).expect("a count is not negative"))
}
