//! A database of better-auth, as its SQLite adapters write it.
//!
//! Decides which of its tables are which.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use super::cells::rows;
use super::hashes::hash_column;
use super::names::{NameSource, name_by_keys};
use super::passkeys;
use super::tables::{ColumnSet, OWNER, Table, named, only, optional, row_count};
use super::two_factors;
use super::users::{UserColumns, users};
use super::{ColumnChoice, ForeignDb, ForeignKey, OddRow, ReadResult, RowOf, TableNames, read};
use crate::base::clock::Moment;
use crate::store::Progress;

/// The program that writes such files, for messages.
const PROGRAM: &str = "better-auth";

/// What the tables are called in messages and with `--tables`.
pub const BETTER_AUTH_TABLES: [&str; 5] = ["user", "account", "session", "passkey", "twoFactor"];

const USER: ColumnSet = &[&["id"], &["email"], &["emailVerified", "email_verified"]];
const ACCOUNT: ColumnSet = &[&["providerId", "provider_id"], &["accountId", "account_id"], OWNER];
const SESSION: ColumnSet = &[&["token"], OWNER, &["expiresAt", "expires_at"]];

/// The provider of passwords.
const CREDENTIAL: &str = "credential";

/// Why its sessions are not imported.
const SIGNED: &str = "as their cookies are signed with a secret: those people sign in again";

/// All users in a database of better-auth. Its tables are found by their columns, but for those that `names` has. The
/// names are in the column `username`, or else are the addresses; `columns` may name other columns. Sessions are only
/// counted: their cookies are signed with a secret that is not in the file. Second factors are read with the `secret` of
/// better-auth; its passkeys were made for the domain `rp_id`, without which a table of them is refused.
///
/// A file that is no database, is cut short or damaged, or has no such tables is refused; the error is one line that
/// says which.
pub(in crate::cli::import) fn better_auth(
    path: &Path,
    names: &TableNames,
    columns: &ColumnChoice,
    (secret, rp_id): (Option<&str>, Option<&str>),
    now: Moment,
    progress: Progress<'_>,
) -> Result<ForeignDb, String> {
    read(path, |conn, all| {
        let table = |what: &str, columns: ColumnSet| match names.get(what) {
            Some(name) => named(all, name, columns),
            None => only(all.iter().filter(|it| it.has(columns)), columns, PROGRAM),
        };
        let (account, user) = (table("account", ACCOUNT)?, table("user", USER)?);
        let session = optional(names.get("session"), all, |it| it.has(SESSION), SESSION)?;
        let hash = match (&columns.hash, account.column(&["password"])) {
            (None, Some(usual)) => Some(usual),
            (asked, _) => hash_column(conn, account, asked.as_deref())?.map(|it| it.name),
        };
        let name = columns.username.as_ref();
        let of_user = UserColumns::of(user, name, None)?;
        let (mut users, _) = users(conn, &of_user, progress, now)?;
        let mut odd = Vec::new();
        let mut keys = accounts(conn, account, hash, progress, &mut odd)?;
        name_by_keys(&mut users, &mut keys, name.map_or(&[], NameSource::providers));
        let mut sealed_sessions = BTreeMap::new();
        if let Some(table) = session {
            sealed_sessions.insert(SIGNED, row_count(conn, table)?);
        }
        let passkey =
            optional(names.get("passkey"), all, |it| it.has(passkeys::COLUMNS), passkeys::COLUMNS)?;
        let passkeys = match passkey {
            Some(table) => passkeys::read(conn, table, rp_id, progress, &mut odd, now)?,
            None => Vec::new(),
        };
        let two_factor = optional(
            names.get("twoFactor"),
            all,
            |it| it.has(two_factors::COLUMNS),
            two_factors::COLUMNS,
        )?;
        let two_factor = two_factor.filter(|_| secret.is_some());
        let mut second_factors = Vec::new();
        if let (Some(table), Some(secret)) = (two_factor, secret) {
            second_factors = two_factors::read(conn, (user, table), secret)?;
        }
        let found = [Some(user), Some(account), session, passkey, two_factor]
            .map(|it| it.map(|it| it.name.clone()));
        let mut tables: Vec<_> = BETTER_AUTH_TABLES.into_iter().zip(found).collect();
        // Without the secret nothing is looked for there.
        tables.truncate(if secret.is_some() { BETTER_AUTH_TABLES.len() } else { 4 });
        Ok(ForeignDb {
            tables,
            users,
            keys,
            sealed_sessions,
            second_factors,
            passkeys,
            odd,
            ..ForeignDb::default()
        })
    })
}

fn accounts(
    conn: &Connection,
    table: &Table,
    hash: Option<&str>,
    progress: Progress<'_>,
    odd: &mut Vec<OddRow>,
) -> ReadResult<Vec<ForeignKey>> {
    let mut columns = table.named(ACCOUNT);
    columns.extend(hash);
    rows(conn, (table, &columns), RowOf::Key, progress, odd, |row| {
        let (provider, user_id) = (row.needed(0)?, row.needed(2)?);
        if provider == CREDENTIAL {
            let hash = if hash.is_some() { row.hash(3) } else { Ok(None) };
            return Ok(ForeignKey::of_name(user_id, hash));
        }
        Ok(ForeignKey::of(provider, row.needed(1)?, user_id))
    })
}
