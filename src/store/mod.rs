//! Everything that is written down: people, keys and sessions.
//!
//! This file is the contract; the files beside it keep it, each on an engine of its own, and are the only
//! ones that know SQL. One method is one transaction and one intention; records go in and come out, and
//! no type of a library crosses this boundary. What it refuses to know is policy: how long a session
//! lives, which names and passwords are allowed, what anybody is told.

mod address;
mod contract;
mod engine;
mod import_status;
#[cfg(feature = "mysql")]
mod mysql;
mod outcomes;
mod patience;
mod progress;
mod records;
mod rows;
mod sqlite;
mod tables;

use std::time::Duration;

pub use address::{Cluster, Database, Tls};
pub use contract::{
    AccessTokens, AuditLog, Bulk, Copies, Devices, Invitations, Keys, Maintenance, Names,
    OneTimeTokens, Sessions, Tended, Throttle, Users,
};
pub use engine::{is_in_use, migrate, open, open_beside, open_for_copy, open_to_read, schema};
#[cfg(feature = "mysql")]
pub use mysql::Mysql;
pub use outcomes::{
    AccessTokenAdded, KeyAdded, OneTimeTokenAdded, PasswordChanged, PasswordSet, SessionStarted,
    SignedUp, UserAdded, UserRenamed,
};
pub use patience::Patience;
pub use progress::Progress;
#[cfg(feature = "import")]
pub(crate) use progress::tell;
pub use records::{
    AccessToken, ClientInfo, Count, CountId, Credentials, Device, Epoch, ExportedUser, Groups,
    ImportStatus, ImportedUser, Invite, Key, KeyId, NameHash, OneTimeToken, Purpose, Record,
    RestingName, Session, SessionStart, Use, User, UserId,
};
#[cfg(feature = "import")]
pub(crate) use sqlite::file::{APPLICATION_ID, open_immutable};
pub use sqlite::{READER_CACHE_KIB, Restored, Sqlite, back_up, restore};
pub use tables::{Row, TABLES};

/// How long a write in a file waits for its turn before it is given up as [`Error::Unavailable`]; less, where
/// the request has waited elsewhere ([`Patience`]).
pub const WRITE_PATIENCE: Duration = Duration::from_secs(3);

/// How long a renewal waits. It is a convenience that the next request can repeat, so it must not
/// hold up the page that triggered it.
pub const RENEWAL_PATIENCE: Duration = Duration::from_millis(20);

/// Known browsers of one user, at most.
const DEVICES_MAX: u32 = 100;

/// The mark on a database into which a copy has begun and has not ended: a row of `secret` with this
/// name, and zeros as its value. Whatever has it is neither served nor looked into.
const HALF_COPIED: &str = "copy";

/// What is said of a database that has the mark.
const HALF_COPIED_TEXT: &str =
    "a copy into it has begun and has not ended; run vestibule copy again, which begins anew";

/// What is said of a database that cannot be copied into.
const INHABITED_TEXT: &str = "there are users in it; what is to be copied into is a database without \
                              any, or none yet";

/// What is said of a database whose schema is older than the one that a command reads.
fn older(version: impl std::fmt::Display, newest: impl std::fmt::Display) -> String {
    format!(
        "it has schema {version}, and this vestibule reads schema {newest}: run vestibule migrate"
    )
}

/// The fault that so many names show one user and let another one in.
fn shared_names(count: i64) -> Option<String> {
    told(
        count,
        "name shows one user and lets another one in",
        "names show one user and let another one in",
    )
}

/// What may surprise an operator about the sign-in names of users, most of whom an import has brought over.
fn odd_names(others: i64, nameless: i64) -> Vec<String> {
    let others = told(
        others,
        "user signs in by another name than the one shown (vestibule user rename moves it)",
        "users sign in by another name than the one shown (vestibule user rename moves it)",
    );
    let nameless = told(
        nameless,
        "user signs in by no name (vestibule user passwd makes one)",
        "users sign in by no name (vestibule user passwd makes one)",
    );
    others.into_iter().chain(nameless).collect()
}

/// So many of something, with words for one and for more. `None`: there are none.
fn told(count: i64, one: &str, more: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {more}")),
    }
}

/// How many failures are counted between two looks at the number of rows: looking reads them all.
const COUNTED_EVERY: u32 = 256;

/// Why the store could not do what was asked.
// LIMIT: after a failed fsync the disk may hold what was not acknowledged, and the next start may
// find it: a sign-out that was answered with an error can have happened all the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// It may pass: somebody else holds the lock, the disk is full, no server can be reached. Nothing
    /// was written.
    Unavailable(String),
    /// It may pass, and it may be written or not: the server went away while it answered, and no other
    /// could say.
    Unknown(String),
    /// It will not pass by waiting: the database is damaged, read-only or not ours. Nothing was written.
    Broken(String),
}

impl Error {
    /// The same with a cause that says more.
    fn saying(self, say: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Unavailable(cause) => Self::Unavailable(say(cause)),
            Self::Unknown(cause) => Self::Unknown(say(cause)),
            Self::Broken(cause) => Self::Broken(say(cause)),
        }
    }
}

impl std::fmt::Display for Error {
    /// The cause, for the operator.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Unavailable(cause) | Self::Unknown(cause) | Self::Broken(cause)) = self;
        f.write_str(cause)
    }
}

impl std::error::Error for Error {}

/// What the store answers.
pub type Result<T> = std::result::Result<T, Error>;

/// The database. Shared by all threads.
pub trait Store:
    Users
    + Names
    + Keys
    + Sessions
    + AccessTokens
    + OneTimeTokens
    + Invitations
    + Throttle
    + Devices
    + AuditLog
    + Bulk
    + Copies
    + Maintenance
    + Send
    + Sync
{
}
