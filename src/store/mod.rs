//! Everything that is stored: users, keys, sessions, and what belongs to them.
//!
//! `contract` has the traits, and a folder for each engine implements them; SQL is known there and nowhere
//! else. One method is one transaction with one purpose; records go in and come out, and no type of a
//! database library crosses this boundary. Does not know policy: how long a session lives, which names and
//! passwords are allowed, what visitors are shown.

mod address;
mod contract;
mod engine;
mod import_status;
mod listing;
mod name_handles;
#[cfg(feature = "mysql")]
mod mysql;
mod outcomes;
mod passkeys;
mod patience;
mod progress;
mod records;
mod rows;
mod sqlite;
mod strain;
mod tables;

use std::time::Duration;

pub use address::{Cluster, Database, Tls};
pub use contract::{
    AccessTokens, Allowance, AuditLog, Bulk, Copies, Devices, Invitations, Keys, Mail, Maintenance,
    Names, OneTimeTokens, Passkeys, RecordOfImport, SecondFactors, Sessions, Tended, Throttle,
    Users,
};
pub use engine::{
    Preparation, is_in_use, migrate, open, open_beside, open_for_copy, open_to_read, preparation,
    schema,
};
pub use listing::{ListedRecord, RecordFilter, UserFilter, UserOrder, UserPage};
#[cfg(feature = "mysql")]
pub use mysql::Mysql;
pub use outcomes::{
    AccessTokenAdded, KeyAdded, OneTimeTokenAdded, PasskeyAccepted, PasskeyAdded, PasskeyRemoved,
    PasswordChanged, PasswordSet, SecondFactorOn, SecondFactorSet, SecondStepDone, SessionStarted,
    SignedUp, UserAdded, UserRenamed,
};
pub use passkeys::{Passkey, PasskeyUse, UsedChallenge};
pub use patience::Patience;
pub use progress::Progress;
#[cfg(feature = "import")]
pub(crate) use progress::tell;
pub use records::{
    AccessToken, Census, ClientInfo, Count, CountId, Credentials, Device, Epoch, ExportedUser,
    FactorProof, Groups, ImportStatus, ImportedUser, Invite, Key, KeyId, Letter, NameHash,
    OneTimeToken, Purpose, Record, RestingName, SealRow, SecondFactor, SecretChange, Session,
    SessionStart, Totp, Use, User, UserId,
};
#[cfg(feature = "import")]
pub(crate) use sqlite::file::{APPLICATION_ID, open_immutable};
pub use sqlite::{
    PageProgress, READER_CACHE_KIB, Restored, Sqlite, back_up, refuse_in_use, restore,
};
pub use strain::Strain;
pub use tables::{Row, TABLES};

/// How long a write to a file waits for its turn before it is given up as [`Error::Unavailable`]; less if
/// the request has already waited elsewhere ([`Patience`]).
pub const WRITE_PATIENCE: Duration = Duration::from_secs(3);

/// How long a renewal waits. The next request can repeat it, so it must not delay the page that triggered
/// it.
pub const RENEWAL_PATIENCE: Duration = Duration::from_millis(20);

/// The most devices of one user.
const DEVICES_MAX: u32 = 100;

/// The mark of an unfinished copy: a row of `secret` with this name and zeros as its value. A database with
/// this mark is not served, and commands refuse it.
const HALF_COPIED: &str = "copy";

/// The error for a database with the mark.
const HALF_COPIED_TEXT: &str =
    "a copy into it has begun and has not ended; run vestibule copy again, which begins anew";

/// The error for a database that cannot be copied into.
const INHABITED_TEXT: &str = "there are users in it; what is to be copied into is a database without \
                              any, or none yet";

/// The version of this program.
const PROGRAM_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The error for a database whose schema is older than the one that a command reads.
fn older(version: impl std::fmt::Display, newest: impl std::fmt::Display) -> String {
    format!(
        "it has schema {version}, and this vestibule, {PROGRAM_VERSION}, reads schema {newest}: run vestibule migrate"
    )
}

/// The error for a database whose schema is newer than this version of the program.
fn newer(version: impl std::fmt::Display, newest: impl std::fmt::Display) -> String {
    format!(
        "a newer vestibule made it (schema {version}; this one, {PROGRAM_VERSION}, knows up to {newest}); it was left \
         as it is: use the newer version, or restore a backup from before the upgrade"
    )
}

/// The fault that `count` names are one user's username and another's sign-in name; `None` if none is.
fn shared_names(count: i64) -> Option<String> {
    told(
        count,
        "name shows one user and lets another one in",
        "names show one user and let another one in",
    )
}

/// What may surprise an operator about the sign-in names of users, mostly imported ones.
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

/// A count with its noun, in the singular or plural. `None` for zero.
fn told(count: i64, one: &str, more: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {more}")),
    }
}

/// How many failures are counted between two checks of the number of rows: the check reads them all.
const COUNTED_EVERY: u32 = 256;

/// Why the store failed.
// LIMIT: after a failed fsync the disk may still hold the write, and the next start may find it: a sign-out
// that was answered with an error may have happened all the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// Temporary: another process holds the lock, the disk is full, the database has become read-only, or no
    /// server can be reached. Nothing was written.
    Unavailable(String),
    /// Temporary, and the write may have happened or not: the connection broke during the commit, and no
    /// other server could tell.
    Unknown(String),
    /// Permanent: the database is damaged, not vestibule's, or was read-only when it was opened. Nothing was
    /// written.
    Broken(String),
}

impl Error {
    /// The error with its cause extended by `say`.
    fn saying(self, say: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Unavailable(cause) => Self::Unavailable(say(cause)),
            Self::Unknown(cause) => Self::Unknown(say(cause)),
            Self::Broken(cause) => Self::Broken(say(cause)),
        }
    }
}

impl std::fmt::Display for Error {
    /// The cause, for operators.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Unavailable(cause) | Self::Unknown(cause) | Self::Broken(cause)) = self;
        f.write_str(cause)
    }
}

impl std::error::Error for Error {}

/// A result of the store. The error means that the store failed; an expected refusal is an `Ok`.
pub type Result<T> = std::result::Result<T, Error>;

/// A database on some engine. Shared by all threads.
pub trait Store:
    Users
    + Names
    + Keys
    + Sessions
    + AccessTokens
    + OneTimeTokens
    + SecondFactors
    + Passkeys
    + Mail
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
