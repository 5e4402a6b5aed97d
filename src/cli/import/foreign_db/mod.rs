//! A SQLite file with the users of another program: read, and never written.
//!
//! Decides what all such files have in common, and that an unreadable row stops nothing: it is left out and reported.
//! Does not know which users are imported.

mod better_auth;
mod candidates;
mod cells;
mod file;
mod hashes;
mod lucia_v2;
mod lucia_v3;
mod names;
mod passkeys;
mod tables;
mod two_factors;
mod users;

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use super::passkeys::ForeignPasskey;
use super::reasons::{Reason, SourceRow};
use crate::base::clock::Moment;
use crate::base::totp::TotpSecret;
use tables::Table;

pub(super) use better_auth::better_auth;
pub(super) use candidates::candidates;
pub(super) use lucia_v3::lucia_v3;

pub use better_auth::BETTER_AUTH_TABLES;
pub use lucia_v2::{LuciaTables, lucia_v2};
pub use lucia_v3::LUCIA_V3_TABLES;
pub use names::NameSource;

/// All users in another program's file, with their keys and sessions. It holds the tokens of sessions and so has no
/// `Debug`.
#[derive(Default)]
pub struct ForeignDb {
    /// The table in which each thing was found; `None`: in none.
    pub tables: Vec<(&'static str, Option<String>)>,
    /// The users.
    pub users: Vec<ForeignUser>,
    /// Their keys.
    pub keys: Vec<ForeignKey>,
    /// Their sessions.
    pub sessions: Vec<ForeignSession>,
    /// How many more sessions there were whose tokens cannot be checked here, and why.
    pub sealed_sessions: BTreeMap<&'static str, usize>,
    /// Other tables with rows that belong to users, and how many: they are not imported.
    pub left_behind: Vec<(String, usize)>,
    /// The second factors that could be opened, or why not, by the ids of users.
    second_factors: Vec<(String, Result<TotpSecret, String>)>,
    /// The passkeys.
    passkeys: Vec<ForeignPasskey>,
    /// Rows of keys, sessions and passkeys that cannot be read.
    odd: Vec<OddRow>,
}

/// Tables that the operator has named, by what they hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TableNames(pub Vec<(String, String)>);

impl TableNames {
    /// The table that holds this; empty: there is none. `None`: it is not named, and to be found.
    pub fn get(&self, what: &str) -> Option<&str> {
        self.0.iter().find(|(it, _)| it == what).map(|(_, name)| name.as_str())
    }
}

/// Columns that the operator has named.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ColumnChoice {
    /// What becomes the sign-in name; `None`: what the source usually has.
    pub username: Option<NameSource>,
    /// The column of hashes of passwords; `None`: it is found.
    pub hash: Option<String>,
}

/// A user of another program.
#[derive(Default)]
pub struct ForeignUser {
    /// `None`: it cannot be read, and the fault says so.
    pub id: Option<String>,
    /// Their name there, if they have one.
    pub username: Option<String>,
    /// The name that they get if no key has one.
    email_as_name: Option<String>,
    /// Their e-mail address, if the source marks it as verified.
    pub verified_email: Option<String>,
    /// When the account was created, if that is known.
    pub created_at: Option<Moment>,
    /// Why they are disabled, if they are.
    pub banned: Option<String>,
    /// The values of all other columns, by name.
    pub attributes: Vec<(String, Attribute)>,
    /// Where they are in the source.
    row: SourceRow,
    /// What the operator should know of them.
    reasons: Vec<Reason>,
    /// Why they cannot be imported, if that is known already.
    fault: Option<String>,
}

/// A value of a column that has no meaning here.
pub enum Attribute {
    /// No value.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A key. It holds a hash and so has no `Debug`.
#[derive(Clone)]
pub struct ForeignKey {
    /// The provider (empty: there is none, and then it is no key) and the user's ID there. `None`: the key is the
    /// user's own name.
    pub id: Option<(String, String)>,
    /// The id of its user.
    pub user_id: String,
    /// `None`: it has no password.
    pub hashed_password: Option<String>,
    /// Why its hash cannot be read, if so.
    odd_hash: Option<String>,
}

impl ForeignKey {
    /// A key of a provider, without a password.
    const fn of(provider: String, id: String, user_id: String) -> Self {
        Self { id: Some((provider, id)), user_id, hashed_password: None, odd_hash: None }
    }

    /// A key of the user's own name.
    fn of_name(user_id: String, hash: Result<Option<String>, String>) -> Self {
        Self { id: None, user_id, hashed_password: None, odd_hash: None }.with(hash)
    }

    /// The key with what its column of hashes contains.
    fn with(mut self, hash: Result<Option<String>, String>) -> Self {
        match hash {
            Ok(hash) => self.hashed_password = hash,
            Err(why) => self.odd_hash = Some(why),
        }
        self
    }

    fn has_password(&self) -> bool {
        self.hashed_password.is_some() || self.odd_hash.is_some()
    }

    fn provider(&self) -> Option<&str> {
        self.id.as_ref().map(|(provider, _)| provider.as_str())
    }
}

/// A session. It holds a token and so has no `Debug`.
pub struct ForeignSession {
    /// The token that the browser holds, in clear.
    pub id: String,
    /// The id of its user.
    pub user_id: String,
    /// The last moment at which it is active. `None`: that is not known there.
    pub active_expires: Option<Moment>,
    /// The last moment at which it is valid.
    pub idle_expires: Moment,
}

/// A row that cannot be read.
struct OddRow {
    of: RowOf,
    row: SourceRow,
    /// The id of its user, if that can be read.
    user_id: Option<String>,
    /// What is wrong with it.
    why: String,
}

/// The kinds of rows that belong to users.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RowOf {
    Key,
    Session,
    Passkey,
}

impl RowOf {
    /// What a progress report calls such rows.
    const fn progress(self) -> &'static str {
        match self {
            Self::Key => "keys read",
            Self::Session => "sessions read",
            Self::Passkey => "passkeys read",
        }
    }
}

/// Why a file of another program cannot be read, for the operator.
struct ForeignDbError(String);

impl From<rusqlite::Error> for ForeignDbError {
    fn from(err: rusqlite::Error) -> Self {
        Self(err.to_string())
    }
}

/// The result of reading another program's file.
type ReadResult<T> = Result<T, ForeignDbError>;

/// Reads the file at `path` by `reader`, as it is at one moment, even while an app writes to it.
///
/// A file that is no SQLite database, is cut short or damaged, or is one of ours is refused; the error is one
/// line that says which.
fn read(
    path: &Path,
    reader: impl FnOnce(&Connection, &[Table]) -> ReadResult<ForeignDb>,
) -> Result<ForeignDb, String> {
    let whole = || {
        let conn = file::open(path)?;
        // One snapshot of the whole file, whatever the app does meanwhile.
        let tx = conn.unchecked_transaction()?;
        let damage: String = tx.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if damage != "ok" {
            return broken(format!("it is damaged: {}", damage.replace('\n', " ")));
        }
        let tables = tables::tables(&tx)?;
        let mut found = reader(&tx, &tables)?;
        found.left_behind = tables::left_behind(&tx, &tables, &found)?;
        Ok(found)
    };
    whole().map_err(|ForeignDbError(cause)| format!("cannot import {}: {cause}", path.display()))
}

fn broken<T>(cause: impl std::fmt::Display) -> ReadResult<T> {
    Err(ForeignDbError(cause.to_string()))
}
