//! Where the database is, and how a command opens it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::Args;
use rustix::fs::{Access as Permission, access};
use rustix::process::geteuid;

use super::secrets::password_in;
use super::serve::DATABASE;
use super::terminal::{note, waiting};
use super::variables::Variables;
use crate::store::{self, Database, Store};

/// The variable that holds the password for the database's server. There is no such flag, as every user
/// of the machine can read the flags of a process.
pub(super) const PASSWORD_VARIABLE: &str = "VESTIBULE_DATABASE_PASSWORD";

/// What names the database of a command.
pub(super) const DATABASE_SETTING: &str = "--database or VESTIBULE_DATABASE";

/// Where the database is, and the password for its server.
#[derive(Args)]
pub struct DatabaseArgs {
    /// The SQLite file that holds everything, or MariaDB servers as mysql://USER@HOST/NAME. The file is created
    /// at first start with mode 0600. Servers in full: mysql://USER@HOST:PORT,.../NAME?tls=off|system|CA-FILE.
    #[arg(long, env = "VESTIBULE_DATABASE", value_name = "DATABASE")]
    #[arg(default_value = "vestibule.db", global = true, hide_env_values = true)]
    #[arg(help_heading = DATABASE)]
    // Read later, as a refusal by the library would repeat it, with its password.
    database: OsString,

    /// File with the password for the MariaDB servers. The variable VESTIBULE_DATABASE_PASSWORD may hold the password
    /// instead; there is no argument for it, as every user of the machine can read arguments.
    #[arg(long, env = "VESTIBULE_DATABASE_PASSWORD_FILE", value_name = "FILE", global = true)]
    #[arg(help_heading = DATABASE)]
    database_password_file: Option<PathBuf>,

    /// Where the password may be as well.
    #[command(flatten)]
    variables: Variables,
}

impl DatabaseArgs {
    /// The database with its password, or one line that says what to do.
    pub(crate) fn check(&self) -> Result<Database, String> {
        check(&self.database, self.database_password_file.as_deref(), &self.variables)
    }
}

/// The database of `--database` with its password, or one line that says what to do.
pub(super) fn check(
    text: &OsStr,
    password_file: Option<&Path>,
    variables: &Variables,
) -> Result<Database, String> {
    read("database", text, password_file, variables, is_in_arguments())
}

/// A database as the flag `--database` names it, or another of this name, with the password that
/// `--database-password-file` or a variable has for it. `is_shown`: the address came from a flag, which
/// every user of the machine can read.
pub(super) fn read(
    flag: &str,
    text: &OsStr,
    password_file: Option<&Path>,
    variables: &Variables,
    is_shown: bool,
) -> Result<Database, String> {
    let mut database = match text.to_str() {
        Some(text) => {
            Database::parse(text).map_err(|cause| format!("--{flag} cannot be used: {cause}"))?
        }
        None => Database::File(PathBuf::from(text)),
    };
    let Database::Mysql(cluster) = &mut database else {
        return match password_file {
            Some(_) => {
                Err(format!("--{flag}-password-file is for a server, and --{flag} names a file"))
            }
            None => Ok(database),
        };
    };
    if cluster.password.is_some() && is_shown {
        return Err(format!(
            "every user of this machine can read a password in an argument; put it into \
             --{flag}-password-file, or set {PASSWORD_VARIABLE}"
        ));
    }
    if let Some(file) = password_file {
        cluster.password = Some(password_in(file)?);
    } else if let Some(password) = variables.get(PASSWORD_VARIABLE) {
        cluster.password = Some(password);
    }
    Ok(database)
}

/// Whether the process list shows the database's address.
fn is_in_arguments() -> bool {
    let is_address = |it: &OsString| {
        let text = it.to_string_lossy();
        text.contains("mysql://") || text.contains("mariadb://")
    };
    std::env::args_os().any(|it| is_address(&it))
}

/// What a command does with a database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// It reads, and leaves the tables as they are. An older schema is refused.
    Read,
    /// It changes what is there: a mistyped path must not create a new database.
    Change,
    /// It adds something, and creates the database if there is none.
    Add,
}

pub(super) fn open(flags: &DatabaseArgs, access: Access) -> Result<Box<dyn Store>, String> {
    open_at(&flags.check()?, access)
}

pub(super) fn open_at(database: &Database, access: Access) -> Result<Box<dyn Store>, String> {
    if access != Access::Add {
        see_that_it_is_there(database, DATABASE_SETTING)?;
    }
    let is_new = access == Access::Add && is_to_be_made(database);
    let opened = patiently(database, || match access {
        Access::Read => store::open_to_read(database),
        Access::Change | Access::Add => store::open_beside(database),
    });
    let opened = opened.map_err(|err| told(database, &err))?;
    if is_new {
        note(&made(database));
    }
    Ok(opened)
}

/// Why a database cannot be used, and whose it is where this user may not use it.
pub(super) fn told(database: &Database, err: &store::Error) -> String {
    match database.file().and_then(foreign_owner) {
        Some(owner) => format!("{err}; it belongs to {owner}: run the command as that user"),
        None => err.to_string(),
    }
}

/// The owner of a file that this process may not read and write; `None`: it may, or the file is its own.
fn foreign_owner(path: &Path) -> Option<String> {
    let owner = path.metadata().ok()?.uid();
    let is_allowed = access(path, Permission::READ_OK | Permission::WRITE_OK).is_ok();
    (!is_allowed && owner != geteuid().as_raw()).then(|| user_name(owner))
}

/// The name of a user of this machine, or the number where it has none.
fn user_name(id: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("user {id}"))
}

/// Does something with the database, and says on a terminal what it waits for: servers, or a file to which another
/// process may be writing.
pub(super) fn patiently<T>(database: &Database, work: impl FnOnce() -> T) -> T {
    let what = match database {
        Database::File(_) => format!("{database}; another process may be writing to it"),
        Database::Mysql(_) => database.to_string(),
    };
    waiting(&what, work)
}

/// Whether opening the database creates it: there is no file, or an empty one.
pub(super) fn is_to_be_made(database: &Database) -> bool {
    database.file().is_some_and(|path| path.metadata().map_or(true, |about| about.len() == 0))
}

/// The note that a database is created, for an operator who may have meant another one.
pub(super) fn made(database: &Database) -> String {
    format!("made a new database at {}; --database names another one", place(database))
}

/// Where the database is: a file by its whole path, as a command may be run in any folder.
pub(super) fn place(database: &Database) -> String {
    let whole = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path));
    match database.file().map(whole) {
        Some(Ok(path)) => path.display().to_string(),
        _ => database.to_string(),
    }
}

/// Refuses a file that does not exist. `setting`: what names another one.
pub(super) fn see_that_it_is_there(database: &Database, setting: &str) -> Result<(), String> {
    match database.file() {
        // Why a file cannot be looked for is reported when it is opened.
        Some(path) if path.try_exists().is_ok_and(|is_there| !is_there) => {
            Err(format!("there is no database at {}; say which with {setting}", place(database)))
        }
        _ => Ok(()),
    }
}
