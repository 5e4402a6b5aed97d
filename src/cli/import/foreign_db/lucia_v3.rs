//! A database of Lucia v3, as its SQLite adapters or Prisma write it.
//!
//! Decides which of its tables are which. Lucia v3 itself knows a table of users and one of sessions; where
//! passwords and accounts of other providers stand is up to the app, and its guides name the columns.

use std::path::Path;

use rusqlite::Connection;

use super::{
    ColumnSet, ForeignDb, ForeignKey, ForeignSession, ReadResult, Shape, Table, TableNames, broken,
    millis, named, number, only, optional, optional_text, owners, read, rows, text, users,
};
use crate::store::Progress;

/// What the file is if it is one.
const PROGRAM: &str = "Lucia v3";

/// The same where its sessions are looked for.
const PROGRAM_OR_ELSEWHERE: &str = "Lucia v3, or keeps no sessions (--tables session= says so)";

/// What the tables are called in messages and with `--tables`.
pub const LUCIA_V3_TABLES: [&str; 4] = ["user", "session", "password", "oauth_account"];

const ID: &[&str] = &["id"];
const USER_ID: &[&str] = &["user_id", "userId"];
const HASH: &[&str] = &["password_hash", "hashed_password", "passwordHash", "hashedPassword"];
const SESSION: ColumnSet = &[ID, USER_ID, &["expires_at", "expiresAt"]];
const PASSWORD: ColumnSet = &[USER_ID, HASH];
const ACCOUNT: ColumnSet =
    &[&["provider_id", "providerId"], &["provider_user_id", "providerUserId"], USER_ID];

/// ColumnSet by which a table with the columns of sessions is one of something else: codes and links that
/// are sent by mail, or the sessions of Lucia v2 and better-auth.
const NO_SESSION: [&str; 5] = ["code", "token", "token_hash", "tokenHash", "active_expires"];

struct FoundV3<'a> {
    user: &'a Table,
    session: Option<&'a Table>,
    /// `None`: passwords stand with the users, or there are none.
    password: Option<&'a Table>,
    account: Option<&'a Table>,
}

/// All people in a database of Lucia v3. Its tables are found by their columns, but for those that `names`
/// has. They are called what the column `username` says, or else their address; or what the column says
/// that is named.
///
/// A file that is none, is cut short or damaged, or has no such tables is refused; the
/// error is one line that says which.
pub(in crate::cli::import) fn lucia_v3(
    path: &Path,
    names: &TableNames,
    username: Option<&str>,
    progress: Progress<'_>,
) -> Result<ForeignDb, String> {
    read(path, |conn, all| {
        let tables = find(conn, all, names)?;
        let hash = if tables.password.is_none() { tables.user.column(HASH) } else { None };
        let shape = Shape::by(tables.user, username, hash)?;
        let (users, mut keys) = users(conn, tables.user, &shape, progress)?;
        if let Some(table) = tables.password {
            keys.extend(passwords(conn, table, progress)?);
        }
        if let Some(table) = tables.account {
            keys.extend(accounts(conn, table, progress)?);
        }
        let sessions = match tables.session {
            Some(table) => sessions(conn, table, progress)?,
            None => Vec::new(),
        };
        let found = [Some(tables.user), tables.session, tables.password, tables.account];
        let found = found.map(|it| it.map(|it| it.name.clone()));
        let tables = LUCIA_V3_TABLES.into_iter().zip(found).collect();
        Ok(ForeignDb { tables, users, keys, sessions, ..ForeignDb::default() })
    })
}

fn find<'a>(conn: &Connection, all: &'a [Table], names: &TableNames) -> ReadResult<FoundV3<'a>> {
    let is_session = |it: &&Table| it.has(SESSION) && !NO_SESSION.iter().any(|name| it.holds(name));
    let session = match names.get("session") {
        Some("") => None,
        Some(name) => Some(named(all, name, SESSION)?),
        None if !all.iter().any(|it| is_session(&it)) && all.iter().any(is_v2_session) => {
            return broken("it is of Lucia v2; that is vestibule import lucia");
        }
        None => Some(only(all.iter().filter(is_session), SESSION, PROGRAM_OR_ELSEWHERE)?),
    };
    let is_password = |it: &&Table| it.has(PASSWORD) && !it.has(SESSION);
    let password = optional(names.get("password"), all, is_password, PASSWORD)?;
    let account = optional(names.get("oauth_account"), all, |it| it.has(ACCOUNT), ACCOUNT)?;
    let has_own = |it: &&Table| it.has(&[ID, HASH]) && !it.has(&[USER_ID]);
    let others = [session, password, account].map(|it| it.map(|it| &it.name));
    let rest = all.iter().filter(|it| it.has(&[ID]) && !others.contains(&Some(&it.name)));
    let user = match (names.get("user"), password, account) {
        (Some(name), _, _) => named(all, name, &[ID])?,
        (None, None, _) if all.iter().any(|it| has_own(&it)) => {
            only(all.iter().filter(has_own), &[ID, HASH], PROGRAM)?
        }
        (None, Some(child), _) | (None, None, Some(child)) => owners(conn, child, USER_ID, rest)?,
        (None, None, None) => {
            return broken("no table holds passwords; name that of users with --tables user=NAME");
        }
    };
    Ok(FoundV3 { user, session, password, account })
}

fn is_v2_session(it: &Table) -> bool {
    it.has(&[ID, USER_ID]) && it.holds("active_expires") && it.holds("idle_expires")
}

fn passwords(
    conn: &Connection,
    table: &Table,
    progress: Progress<'_>,
) -> ReadResult<Vec<ForeignKey>> {
    rows(conn, (table, PASSWORD), "keys read", progress, |row| {
        let user_id = text(row, 0, &table.name)?;
        let hashed_password = optional_text(row, 1, &table.name)?;
        Ok(ForeignKey { id: None, user_id, hashed_password })
    })
}

fn accounts(
    conn: &Connection,
    table: &Table,
    progress: Progress<'_>,
) -> ReadResult<Vec<ForeignKey>> {
    rows(conn, (table, ACCOUNT), "keys read", progress, |row| {
        let column = |at| text(row, at, &table.name);
        let id = Some((column(0)?, column(1)?));
        Ok(ForeignKey { id, user_id: column(2)?, hashed_password: None })
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
            active_expires: None,
            idle_expires: millis(number(row, 2, &table.name)?),
        })
    })
}
