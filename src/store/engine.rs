//! Opening a database on whichever engine it is.

use super::{Database, Result, Store};

/// The purpose for which a database is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OpenMode {
    /// For a server or `migrate`: an older schema is upgraded.
    ToServe,
    /// For a command that changes it, beside a server that may be running. An older file is upgraded with the
    /// first change, so that a command that is refused leaves it as it was; older tables on servers are refused.
    Beside,
    /// For a copy into it: no other process may be using it, and it may be half copied. An older schema is
    /// treated as for [`OpenMode::Beside`].
    ToFill,
    /// For a command that reads: no table is created or changed, and an older schema is refused.
    ToRead,
    /// For a backup: no table is created or changed, and an older schema is copied as it is.
    ToBackUp,
}

impl OpenMode {
    /// Whether missing tables are created.
    pub(super) const fn creates(self) -> bool {
        !matches!(self, Self::ToRead | Self::ToBackUp)
    }
}

/// What a server does to the tables of a database when it starts on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preparation {
    /// Nothing: they have the newest schema.
    Nothing,
    /// It makes them, and the file where there is none.
    Make,
    /// It upgrades them.
    Upgrade {
        /// The version of the schema they have.
        from: u32,
        /// The newest one.
        to: u32,
    },
}

impl Preparation {
    /// What a schema of the first of these versions needs to become the second, the newest; 0: there are no tables.
    pub(super) const fn of((version, newest): (u32, u32)) -> Self {
        match version {
            0 => Self::Make,
            _ if version < newest => Self::Upgrade { from: version, to: newest },
            _ => Self::Nothing,
        }
    }
}

/// The address of a database on an engine.
pub(super) trait Engine {
    fn open(&self, mode: OpenMode) -> Result<Box<dyn Store>>;

    /// The version of its schema, and that of the newest one. Nothing is changed.
    fn schema(&self) -> Result<(u32, u32)>;

    /// What a server does to it when it starts. Nothing is changed.
    fn preparation(&self) -> Result<Preparation>;

    /// Upgrades it to the newest schema, and returns the versions before and after.
    fn migrate(&self) -> Result<(u32, u32)>;

    /// Whether another process has it open; `None` if that cannot be known.
    fn is_in_use(&self) -> Option<bool>;
}

impl Database {
    /// The engine of this address. An error if this build does not support it.
    #[cfg_attr(
        feature = "mysql",
        expect(clippy::unnecessary_wraps, reason = "a build without servers lacks an engine")
    )]
    fn engine(&self) -> Result<&dyn Engine> {
        match self {
            Self::File(path) => Ok(path),
            #[cfg(feature = "mysql")]
            Self::Mysql(cluster) => Ok(cluster),
            #[cfg(not(feature = "mysql"))]
            Self::Mysql(_) => Err(super::Error::Broken(
                "this vestibule was built without servers (cargo feature mysql)".to_owned(),
            )),
        }
    }
}

/// Opens the database for a server, creating missing tables and upgrading older ones.
///
/// A database that belongs to another program, has a newer schema, is damaged, half copied or read-only is
/// refused and left as it was; the error says which. Several processes may use the same one; but a file is not
/// upgraded while another process uses it, as that may be an older one.
pub fn open(database: &Database) -> Result<Box<dyn Store>> {
    database.engine()?.open(OpenMode::ToServe)
}

/// Opens the database to change it, as [`open`] does, beside a server that may be using it. An older file is
/// upgraded by the first method that changes something, in the same transaction: one that is only read or whose
/// changes are refused stays as it was. Older tables on servers, where older processes may run, are refused.
pub fn open_beside(database: &Database) -> Result<Box<dyn Store>> {
    database.engine()?.open(OpenMode::Beside)
}

/// Opens the database to read it, beside a server that may be using it. No table is created or changed; a
/// database that does not exist or has an older schema is refused, and the error says what to do.
pub fn open_to_read(database: &Database) -> Result<Box<dyn Store>> {
    database.engine()?.open(OpenMode::ToRead)
}

/// Opens the database to be copied into, as [`open_beside`] does, even if it is half copied. A file that another
/// process uses is refused.
pub fn open_for_copy(database: &Database) -> Result<Box<dyn Store>> {
    database.engine()?.open(OpenMode::ToFill)
}

/// Whether another process has the database open; `None` if that cannot be known. It does not disturb that
/// process.
pub fn is_in_use(database: &Database) -> Option<bool> {
    database.engine().ok()?.is_in_use()
}

/// The version of a database's schema, and that of the newest one. Nothing is changed. A file that does not
/// exist is refused; a database without tables on a server has version 0.
pub fn schema(database: &Database) -> Result<(u32, u32)> {
    database.engine()?.schema()
}

/// What a server will do to a database when it starts on it. Nothing is changed. A file that could not be made, or that
/// is to be upgraded and is damaged or half copied, is refused, and so is a newer schema.
pub fn preparation(database: &Database) -> Result<Preparation> {
    database.engine()?.preparation()
}

/// Upgrades a database to the newest schema, as [`open`] does, and returns the versions before and after;
/// 0: it had no tables.
pub fn migrate(database: &Database) -> Result<(u32, u32)> {
    database.engine()?.migrate()
}
