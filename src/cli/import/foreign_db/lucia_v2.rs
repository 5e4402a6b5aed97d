//! A database of Lucia v2, as its SQLite adapters write it.
//!
//! Decides which of its tables are which.

use std::path::Path;

use rusqlite::Connection;

use super::super::moments::TimeUnit;
use super::cells::rows;
use super::names::{NameSource, name_by_keys};
use super::tables::{ColumnSet, OWNER, Table, listed, named, only, owners};
use super::users::{UserColumns, users};
use super::{ForeignDb, ForeignKey, ForeignSession, OddRow, ReadResult, RowOf, broken, read};
use crate::base::clock::Moment;
use crate::store::Progress;

/// The program that writes such files, for messages.
const PROGRAM: &str = "Lucia v2";

const KEY: ColumnSet = &[&["id"], OWNER, &["hashed_password", "hashedPassword"]];
const SESSION: ColumnSet =
    &[&["id"], OWNER, &["active_expires", "activeExpires"], &["idle_expires", "idleExpires"]];

/// The providers whose keys hold the name of a user without a `username`, as in Lucia's guides.
const PROVIDERS: [&str; 2] = ["username", "email"];

/// The names of Lucia's tables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LuciaTables {
    /// With `id`, and a column for each attribute.
    pub user: String,
    /// With `id`, `user_id` and `hashed_password`.
    pub key: String,
    /// With `id`, `user_id`, `active_expires` and `idle_expires`. `None`: sessions are kept elsewhere.
    pub session: Option<String>,
}

/// All users in a database of Lucia v2. Its tables are found by their columns unless `tables` names them. A user's
/// name is in the column `username`, or else in the key of the provider `username` or `email`, or else is the
/// address; `username` may name another source.
///
/// A file that is no database, is cut short or damaged, or has no such tables is refused; the error is one line that
/// says which.
pub fn lucia_v2(
    path: &Path,
    tables: Option<&LuciaTables>,
    username: Option<&NameSource>,
    now: Moment,
    progress: Progress<'_>,
) -> Result<ForeignDb, String> {
    read(path, |conn, all| {
        let tables = match tables {
            Some(named) => check(all, named)?,
            None => find(conn, all)?,
        };
        let columns = UserColumns::of(tables.user, username, None)?;
        let (mut users, _) = users(conn, &columns, progress, now)?;
        let mut odd = Vec::new();
        let mut keys = keys(conn, tables.key, progress, &mut odd)?;
        match username {
            Some(name) => name_by_keys(&mut users, &mut keys, name.providers()),
            None => name_by_keys(&mut users, &mut keys, &PROVIDERS),
        }
        let sessions = match tables.session {
            Some(table) => sessions(conn, table, progress, &mut odd)?,
            None => Vec::new(),
        };
        let found = [Some(tables.user), Some(tables.key), tables.session];
        let found = found.map(|it| it.map(|it| it.name.clone()));
        let tables = ["user", "user_key", "user_session"].into_iter().zip(found).collect();
        Ok(ForeignDb { tables, users, keys, sessions, odd, ..ForeignDb::default() })
    })
}

struct FoundV2<'a> {
    user: &'a Table,
    key: &'a Table,
    session: Option<&'a Table>,
}

/// The tables that were named, which must exist and have Lucia's columns.
fn check<'a>(all: &'a [Table], names: &LuciaTables) -> ReadResult<FoundV2<'a>> {
    let user = named(all, &names.user, &[&["id"]])?;
    let key = named(all, &names.key, KEY)?;
    let session = names.session.as_ref().map(|name| named(all, name, SESSION)).transpose()?;
    Ok(FoundV2 { user, key, session })
}

fn find<'a>(conn: &Connection, all: &'a [Table]) -> ReadResult<FoundV2<'a>> {
    let (is_key, is_session) = (|it: &&Table| it.has(KEY), |it: &&Table| it.has(SESSION));
    let key = only(all.iter().filter(is_key), KEY, PROGRAM)?;
    if !all.iter().any(|it| is_session(&it)) {
        return broken(format!(
            "no table has the columns {}; if sessions are kept elsewhere, say so with --tables USER,{}",
            listed(SESSION),
            key.name
        ));
    }
    let session = only(all.iter().filter(is_session), SESSION, PROGRAM)?;
    let among = all.iter().filter(|it| it.has(&[&["id"]]) && !is_key(it) && !is_session(it));
    let user = owners(conn, key, among)?;
    Ok(FoundV2 { user, key, session: Some(session) })
}

fn keys(
    conn: &Connection,
    table: &Table,
    progress: Progress<'_>,
    odd: &mut Vec<OddRow>,
) -> ReadResult<Vec<ForeignKey>> {
    rows(conn, (table, &table.named(KEY)), RowOf::Key, progress, odd, |row| {
        let whole = row.needed(0)?;
        // A key without a colon has no provider; its owner is reported with the whole of it.
        let (provider, id) = whole.split_once(':').unwrap_or(("", &whole));
        let key = ForeignKey::of(provider.to_owned(), id.to_owned(), row.needed(1)?);
        Ok(key.with(row.hash(2)))
    })
}

fn sessions(
    conn: &Connection,
    table: &Table,
    progress: Progress<'_>,
    odd: &mut Vec<OddRow>,
) -> ReadResult<Vec<ForeignSession>> {
    rows(conn, (table, &table.named(SESSION)), RowOf::Session, progress, odd, |row| {
        Ok(ForeignSession {
            id: row.needed(0)?,
            user_id: row.needed(1)?,
            active_expires: Some(row.needed_moment(2, TimeUnit::Millis)?),
            idle_expires: row.needed_moment(3, TimeUnit::Millis)?,
        })
    })
}
