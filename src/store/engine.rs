//! The engines: how a database is opened on whichever one it is.

use super::{Database, Result, Store};

/// What a database is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OpenMode {
    ToServe,
    /// To be changed by a command, beside a server that may be running.
    Beside,
    /// To be copied into: no other process may be using it, and it may be copied in half.
    ToFill,
    /// To be read by a command: no table is made or changed, and an older schema is refused.
    ToRead,
    /// To be backed up: no table is made or changed, and an older schema is copied as it is.
    ToBackUp,
}

impl OpenMode {
    /// Whether tables are made where there are none, and brought up to date where they are older.
    pub(super) const fn upgrades(self) -> bool {
        !matches!(self, Self::ToRead | Self::ToBackUp)
    }
}

/// Where a database is, on an engine.
pub(super) trait Engine {
    fn open(&self, mode: OpenMode) -> Result<Box<dyn Store>>;

    /// The number of the schema that it has, and that of the newest one. Nothing is changed.
    fn schema(&self) -> Result<(u32, u32)>;

    /// Brings it to the newest schema, and says from which number to which.
    fn migrate(&self) -> Result<(u32, u32)>;

    /// Whether another process has it open; `None`: it cannot be told.
    fn is_in_use(&self) -> Option<bool>;
}

impl Database {
    /// The engine that it is on. An error if this vestibule was built without it.
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

/// Opens the database for a server, and makes its tables first where there are none.
///
/// A database that is not ours, was made by a newer version, is damaged, is copied in half or cannot be
/// written is refused and left as it was; the error says which. Several processes may use the same one.
pub fn open(database: &Database) -> Result<Box<dyn Store>> {
    database.engine()?.open(OpenMode::ToServe)
}

/// Opens the database to change something in it, as [`open`] does, beside a server that may be using it.
pub fn open_beside(database: &Database) -> Result<Box<dyn Store>> {
    database.engine()?.open(OpenMode::Beside)
}

/// Opens the database to read from it, beside a server that may be using it: no table is made or changed,
/// and one that is not there, or has an older schema, is refused with what to do.
pub fn open_to_read(database: &Database) -> Result<Box<dyn Store>> {
    database.engine()?.open(OpenMode::ToRead)
}

/// Opens the database for a copy that is to be put into it; one that is copied in half is opened as well. A
/// file that another process uses is refused.
pub fn open_for_copy(database: &Database) -> Result<Box<dyn Store>> {
    database.engine()?.open(OpenMode::ToFill)
}

/// Whether another process has the database open; `None`: it cannot be told. Nobody is disturbed.
pub fn is_in_use(database: &Database) -> Option<bool> {
    database.engine().ok()?.is_in_use()
}

/// The number of the schema that a database has, and that of the newest one. Nothing is changed. A file
/// that is not there is refused; a server's database without tables has 0.
pub fn schema(database: &Database) -> Result<(u32, u32)> {
    database.engine()?.schema()
}

/// Brings a database to the newest schema, as [`open`] does, and says from which number to which; 0: it had
/// no tables.
pub fn migrate(database: &Database) -> Result<(u32, u32)> {
    database.engine()?.migrate()
}
