//! A database of Lucia v3, as its adapters, Drizzle or Prisma write it, or of an app that has followed the
//! guides after Lucia v3.
//!
//! Decides which of its tables are which. Lucia v3 itself knows a table of users and one of sessions; where passwords
//! and accounts of other providers are kept is up to the app, and its guides name the columns.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use super::super::moments::TimeUnit;
use super::cells::rows;
use super::hashes::{HASH, HashColumn, hash_column};
use super::names::{NameSource, name_by_keys};
use super::tables::{
    ColumnNames, ColumnSet, OWNER, Table, named, only, optional, owners, row_count,
};
use super::users::{UserColumns, users};
use super::{
    ColumnChoice, ForeignDb, ForeignKey, ForeignSession, OddRow, ReadResult, RowOf, TableNames,
    broken, read,
};
use crate::base::clock::Moment;
use crate::store::Progress;

/// The program that writes such files, for messages.
const PROGRAM: &str = "Lucia v3";

/// [`PROGRAM`], where its sessions are looked for.
const PROGRAM_OR_ELSEWHERE: &str = "Lucia v3, or keeps no sessions (--tables session= says so)";

/// What the tables are called in messages and with `--tables`.
pub const LUCIA_V3_TABLES: [&str; 4] = ["user", "session", "password", "oauth_account"];

const ID: ColumnNames = &["id"];
const SESSION: ColumnSet = &[ID, OWNER, &["expires_at", "expiresAt"]];
const PASSWORD: ColumnSet = &[OWNER, HASH];
const ACCOUNT: ColumnSet =
    &[&["provider_id", "providerId"], &["provider_user_id", "providerUserId"], OWNER];

/// Sessions of the guides after Lucia v3: a cookie is the id and a secret, of which the table has a hash.
const SECRET_SESSION: ColumnSet = &[ID, OWNER, &["secret_hash", "secretHash"]];

/// Columns by which a table with the columns of sessions is one of something else: codes and links that
/// are sent by mail, or the sessions of Lucia v2 and better-auth.
const NO_SESSION: [&str; 7] =
    ["code", "token", "token_hash", "tokenHash", "active_expires", "secret_hash", "secretHash"];

/// Why sessions are not imported of which the table has only a hash.
const HASHED: &str = "of which the source has a SHA-256 hash alone, and this server another kind of hash: \
                      those people sign in again";

struct FoundV3<'a> {
    user: &'a Table,
    session: Option<&'a Table>,
    /// Sessions whose tokens cannot be checked here.
    sealed: Option<&'a Table>,
    /// Where the password hashes are, if there are any: with the users, or in a table of their own.
    password: Option<HashColumn<'a>>,
    account: Option<&'a Table>,
}

/// All users in a database of Lucia v3. Its tables are found by their columns, but for those that `names` has. The
/// names are in the column `username`, or else are the addresses; `columns` may name other columns.
///
/// A file that is no database, is cut short or damaged, or has no such tables is refused; the error is one line that
/// says which.
pub(in crate::cli::import) fn lucia_v3(
    path: &Path,
    names: &TableNames,
    columns: &ColumnChoice,
    now: Moment,
    progress: Progress<'_>,
) -> Result<ForeignDb, String> {
    read(path, |conn, all| {
        let tables = find(conn, all, names, columns.hash.as_deref())?;
        let (own, apart) = match tables.password {
            Some(it) if it.table.name == tables.user.name => (Some(it.name), None),
            other => (None, other),
        };
        let name = columns.username.as_ref();
        let of_user = UserColumns::of(tables.user, name, own)?;
        let mut odd = Vec::new();
        let (mut users, mut keys) = users(conn, &of_user, progress, now)?;
        if let Some(column) = apart {
            keys.extend(passwords(conn, column, progress, &mut odd)?);
        }
        if let Some(table) = tables.account {
            keys.extend(accounts(conn, table, progress, &mut odd)?);
        }
        name_by_keys(&mut users, &mut keys, name.map_or(&[], NameSource::providers));
        let mut found = ForeignDb { users, keys, odd, ..ForeignDb::default() };
        if let Some(table) = tables.session {
            read_sessions(conn, table, progress, &mut found)?;
        }
        if let Some(table) = tables.sealed {
            found.sealed_sessions.insert(HASHED, row_count(conn, table)?);
        }
        let session = tables.session.or(tables.sealed);
        let names = [Some(tables.user), session, apart.map(|it| it.table), tables.account];
        let names = names.map(|it| it.map(|it| it.name.clone()));
        found.tables = LUCIA_V3_TABLES.into_iter().zip(names).collect();
        Ok(found)
    })
}

fn find<'a>(
    conn: &Connection,
    all: &'a [Table],
    names: &TableNames,
    hash: Option<&str>,
) -> ReadResult<FoundV3<'a>> {
    let (session, sealed) = find_sessions(all, names.get("session"))?;
    let account = optional(names.get("oauth_account"), all, |it| it.has(ACCOUNT), ACCOUNT)?;
    let is_password = |it: &&Table| it.has(PASSWORD) && !it.has(SESSION);
    let by_name = match names.get("password") {
        Some("") | None if hash.is_some() => None,
        Some(name) if !name.is_empty() => Some(named(all, name, &[OWNER])?),
        name => optional(name, all, is_password, PASSWORD)?,
    };
    let taken = [session, sealed, by_name, account].map(|it| it.map(|it| it.name.as_str()));
    let rest = || all.iter().filter(|it| !taken.contains(&Some(it.name.as_str())));
    let child = [by_name, account, session].into_iter().flatten().collect::<Vec<_>>();
    let user = match names.get("user") {
        Some(name) => named(all, name, &[ID])?,
        None => find_users(conn, rest, by_name.is_some(), &child)?,
    };
    let has_no_table = names.get("password") == Some("");
    let password = match by_name {
        Some(table) => hash_column(conn, table, hash)?,
        None if has_no_table => hash_column(conn, user, hash)?,
        None => find_hashes(conn, user, rest().filter(|it| it.name != user.name), hash)?,
    };
    if let (Some(asked), None) = (hash, password) {
        return broken(format!("no table of users or passwords has a column {asked}"));
    }
    Ok(FoundV3 { user, session, sealed, password, account })
}

/// The table of sessions, or that of sessions that cannot be checked here.
fn find_sessions<'a>(
    all: &'a [Table],
    name: Option<&str>,
) -> ReadResult<(Option<&'a Table>, Option<&'a Table>)> {
    let is_session = |it: &&Table| it.has(SESSION) && !NO_SESSION.iter().any(|name| it.holds(name));
    let is_sealed = |it: &&Table| it.has(SECRET_SESSION);
    match name {
        Some("") => Ok((None, None)),
        Some(name) => match named(all, name, &[ID, OWNER])? {
            table if table.has(SECRET_SESSION) => Ok((None, Some(table))),
            table => Ok((Some(named(all, &table.name, SESSION)?), None)),
        },
        None if all.iter().any(|it| is_session(&it)) => {
            only(all.iter().filter(is_session), SESSION, PROGRAM).map(|it| (Some(it), None))
        }
        None if all.iter().any(|it| is_sealed(&it)) => {
            only(all.iter().filter(is_sealed), SECRET_SESSION, PROGRAM).map(|it| (None, Some(it)))
        }
        None if all.iter().any(is_v2_session) => {
            broken("it is of Lucia v2; that is vestibule import lucia")
        }
        None => only(std::iter::empty(), SESSION, PROGRAM_OR_ELSEWHERE).map(|it| (Some(it), None)),
    }
}

/// The table of users: one with hashes, or else the one that the rows of a `child` refer to.
fn find_users<'a, I: Iterator<Item = &'a Table>>(
    conn: &Connection,
    rest: impl Fn() -> I,
    has_passwords: bool,
    children: &[&'a Table],
) -> ReadResult<&'a Table> {
    let has_own = |it: &&Table| it.has(&[ID, HASH]) && !it.has(&[OWNER]);
    if !has_passwords && rest().any(|it| has_own(&it)) {
        return only(rest().filter(has_own), &[ID, HASH], PROGRAM);
    }
    let mut why = None;
    for child in children {
        match owners(conn, child, rest().filter(|it| it.has(&[ID]))) {
            Ok(table) => return Ok(table),
            Err(err) => why = why.or(Some(err)),
        }
    }
    match why {
        Some(err) => Err(err),
        None => broken("no table holds passwords; name that of users with --tables user=NAME"),
    }
}

/// Where the hashes are: with the users, or else in the only table `among` these that holds hashes of users; `asked`
/// is the column, if it is known.
fn find_hashes<'a>(
    conn: &Connection,
    user: &'a Table,
    among: impl Iterator<Item = &'a Table>,
    asked: Option<&str>,
) -> ReadResult<Option<HashColumn<'a>>> {
    let has_asked = |it: &Table| asked.is_none_or(|column| it.holds(column));
    let own = if has_asked(user) { hash_column(conn, user, asked)? } else { None };
    if own.is_some_and(|it| it.is_certain) {
        return Ok(own);
    }
    let mut found = Vec::new();
    for table in among.filter(|it| it.has(&[OWNER]) && !it.has(SESSION) && has_asked(it)) {
        found.extend(hash_column(conn, table, asked)?.filter(|it| it.is_certain));
    }
    match found[..] {
        [] => Ok(own),
        [one] => Ok(Some(one)),
        [one, other, ..] => broken(format!(
            "its tables {} and {} both hold hashes of users; say which with --tables password=NAME",
            one.table.name, other.table.name
        )),
    }
}

fn is_v2_session(it: &Table) -> bool {
    it.has(&[ID, OWNER]) && it.holds("active_expires") && it.holds("idle_expires")
}

fn passwords(
    conn: &Connection,
    hash: HashColumn<'_>,
    progress: Progress<'_>,
    odd: &mut Vec<OddRow>,
) -> ReadResult<Vec<ForeignKey>> {
    let columns = [hash.table.column(OWNER).unwrap_or(OWNER[0]), hash.name];
    rows(conn, (hash.table, &columns), RowOf::Key, progress, odd, |row| {
        Ok(ForeignKey::of_name(row.needed(0)?, row.hash(1)))
    })
}

fn accounts(
    conn: &Connection,
    table: &Table,
    progress: Progress<'_>,
    odd: &mut Vec<OddRow>,
) -> ReadResult<Vec<ForeignKey>> {
    rows(conn, (table, &table.named(ACCOUNT)), RowOf::Key, progress, odd, |row| {
        Ok(ForeignKey::of(row.needed(0)?, row.needed(1)?, row.needed(2)?))
    })
}

fn read_sessions(
    conn: &Connection,
    table: &Table,
    progress: Progress<'_>,
    found: &mut ForeignDb,
) -> ReadResult<()> {
    let columns = table.named(SESSION);
    let sessions =
        rows(conn, (table, &columns), RowOf::Session, progress, &mut found.odd, |row| {
            Ok(ForeignSession {
                id: row.needed(0)?,
                user_id: row.needed(1)?,
                active_expires: None,
                idle_expires: row.needed_moment(2, TimeUnit::Guessed)?,
            })
        })?;
    let (hashed, plain): (Vec<_>, Vec<_>) = sessions.into_iter().partition(|it| is_sha256(&it.id));
    found.sealed_sessions = BTreeMap::from([(HASHED, hashed.len())]);
    found.sessions = plain;
    Ok(())
}

/// Whether the id of a session is what the guides after Lucia v3 store: SHA-256 of the cookie, in hex.
fn is_sha256(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|it| it.is_ascii_hexdigit())
}
