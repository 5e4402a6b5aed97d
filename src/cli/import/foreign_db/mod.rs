//! A SQLite file of another program that holds people: read, and never written.
//!
//! Decides what all such files have in common, and that one odd row stops nothing: it is left out and named.
//! Does not know what becomes of the people in it.

mod better_auth;
mod candidates;
mod cells;
mod file;
mod hashes;
mod lucia_v2;
mod lucia_v3;
mod names;
mod tables;
mod users;

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use super::reasons::{Reason, SourceRow};
use crate::base::clock::Moment;
use tables::Table;

pub(super) use better_auth::better_auth;
pub(super) use candidates::candidates;
pub(super) use lucia_v3::lucia_v3;

pub use better_auth::BETTER_AUTH_TABLES;
pub use lucia_v2::{LuciaTables, lucia_v2};
pub use lucia_v3::LUCIA_V3_TABLES;
pub use names::NameSource;

/// All people that another program's file holds, and what is theirs. It holds the tokens of sessions
/// and so has no `Debug`.
#[derive(Default)]
pub struct ForeignDb {
    /// Which table each thing was found in; `None`: in no table.
    pub tables: Vec<(&'static str, Option<String>)>,
    /// People.
    pub users: Vec<ForeignUser>,
    /// Ways to prove who one is.
    pub keys: Vec<ForeignKey>,
    /// Browsers that were let in.
    pub sessions: Vec<ForeignSession>,
    /// How many more there were whose tokens cannot be checked here, and why.
    pub sealed_sessions: BTreeMap<&'static str, usize>,
    /// Other tables with rows that belong to users, and how many: they stay behind.
    pub left_behind: Vec<(String, usize)>,
    /// Rows of keys and sessions that cannot be read.
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

/// A user with an account elsewhere.
#[derive(Default)]
pub struct ForeignUser {
    /// `None`: it cannot be read, and the fault says so.
    pub id: Option<String>,
    /// What they are called there, if they are called something.
    pub username: Option<String>,
    /// What they are called if no key has a name for them.
    email_as_name: Option<String>,
    /// Where they can be written to, if it says there that this was tried.
    pub verified_email: Option<String>,
    /// Since when they have an account, if that is known.
    pub created_at: Option<Moment>,
    /// Why they are shut out, if they are.
    pub banned: Option<String>,
    /// What every other column says, by its name.
    pub attributes: Vec<(String, Attribute)>,
    /// Where they stand.
    row: SourceRow,
    /// What the operator should know of them.
    reasons: Vec<Reason>,
    /// Why they cannot come over, if that is known already.
    fault: Option<String>,
}

/// A value of a column that nothing is known of here.
pub enum Attribute {
    /// None.
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

/// A way to prove who one is. It holds a hash and so has no `Debug`.
#[derive(Clone)]
pub struct ForeignKey {
    /// Who vouches for them (empty: no provider, and then it is no key), and what they know them as. `None`: it
    /// is the name that they have.
    pub id: Option<(String, String)>,
    /// Whose it is.
    pub user_id: String,
    /// `None`: it has no password.
    pub hashed_password: Option<String>,
    /// Why its hash cannot be read, if there is one that cannot.
    odd_hash: Option<String>,
}

impl ForeignKey {
    /// A key of a provider, without a password.
    const fn of(provider: String, id: String, user_id: String) -> Self {
        Self { id: Some((provider, id)), user_id, hashed_password: None, odd_hash: None }
    }

    /// A key of the name that the user has.
    fn of_name(user_id: String, hash: Result<Option<String>, String>) -> Self {
        Self { id: None, user_id, hashed_password: None, odd_hash: None }.with(hash)
    }

    /// With what was found where its hash belongs.
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

/// A browser that was let in. It holds a token and so has no `Debug`.
pub struct ForeignSession {
    /// The token that the browser holds, in clear.
    pub id: String,
    /// Who was let in.
    pub user_id: String,
    /// The last moment at which it is active. `None`: that is not known there.
    pub active_expires: Option<Moment>,
    /// The last moment at which it is good at all.
    pub idle_expires: Moment,
}

/// A row that cannot be read.
struct OddRow {
    of: RowOf,
    row: SourceRow,
    /// Whose it is, if that can be read.
    user_id: Option<String>,
    /// What is wrong with it.
    why: String,
}

/// What a row that belongs to a user is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RowOf {
    Key,
    Session,
}

impl RowOf {
    /// What is told while such rows are read.
    const fn progress(self) -> &'static str {
        match self {
            Self::Key => "keys read",
            Self::Session => "sessions read",
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

/// What is read in a file of another program.
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
        // One view of the whole file, whatever the app does meanwhile.
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
