//! The settings of `vestibule copy`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::cli::database::read;
use crate::store::Database;

/// `vestibule copy`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule copy --from vestibule.db --to mysql://vestibule@db1,db2,db3/vestibule --to-password-file password\n  \
    vestibule copy --from mysql://vestibule@db1/vestibule --to vestibule.db\n\n\
    A DATABASE is what --database of serve takes: a file, or MariaDB servers. Passwords for servers are in \
    files or in VESTIBULE_DATABASE_PASSWORD, and never an argument.\n\
    Everything is copied as it is: ids, passwords, sessions, access tokens, invitations, reset links, reserved \
    names, known browsers, failed attempts, the audit log and the random keys; everyone stays signed in. Stop the server \
    first, as what it writes meanwhile is not copied, and start it afterwards with the new --database. The \
    source stays as it is, except for a record in its audit log. A copy that was interrupted is not served; \
    run the command again, and it starts over.\n\
    Exit codes: 0 done, and the rows of both databases are the same in number; 1 not done; 2 wrong usage.")]
pub struct CopyFlags {
    /// The database to copy.
    #[arg(long, value_name = "DATABASE")]
    // Read later, as a refusal by the library would repeat it, with its password.
    from: OsString,

    /// Where to copy it: a database without users. A missing file and missing tables are created.
    #[arg(long, value_name = "DATABASE")]
    to: OsString,

    /// File with the password for the servers that are copied from.
    #[arg(long, value_name = "FILE")]
    from_password_file: Option<PathBuf>,

    /// File with the password for the servers that are copied to.
    #[arg(long, value_name = "FILE")]
    to_password_file: Option<PathBuf>,

    /// Print JSON, for scripts.
    #[arg(long)]
    json: bool,
}

/// What is to be copied, and how.
pub struct Copying {
    /// From which database.
    pub from: Database,
    /// Into which.
    pub to: Database,
    /// Report as data.
    pub json: bool,
}

impl CopyFlags {
    /// What is to be done, or one line that says what would do.
    pub fn order(self) -> Result<Copying, String> {
        let from = read("from", &self.from, self.from_password_file.as_deref(), true)?;
        let to = read("to", &self.to, self.to_password_file.as_deref(), true)?;
        if from.is_same(&to) {
            return Err(format!("--from and --to are one database, {from}"));
        }
        Ok(Copying { from, to, json: self.json })
    }
}
