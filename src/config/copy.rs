//! The settings of `vestibule copy`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::database::read;
use crate::store::Database;

/// `vestibule copy`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule copy --from vestibule.db --to mysql://vestibule@db1,db2,db3/vestibule --to-password-file password\n  \
    vestibule copy --from mysql://vestibule@db1/vestibule --to vestibule.db\n\n\
    A DATABASE is what --database of serve takes: a file, or servers of MariaDB. The password for a server is \
    in a file, or in the environment variable VESTIBULE_DATABASE_PASSWORD, and never an argument.\n\
    Everything comes over as it is: ids, passwords, sessions, access tokens, invitations, reset links, known \
    browsers, failed tries and the audit trail; nobody is signed out. Stop the server before, as what it writes \
    meanwhile does not come over, and start it afterwards with the new --database. The old \
    one stays as it is, but for a record in its audit trail. If it does not end, the new database is not served; run it again, and it begins anew.\n\
    Exit codes: 0 done, and all rows are counted; 1 it could not be done; 2 wrong usage.")]
pub struct CopyFlags {
    /// What is copied.
    #[arg(long, value_name = "DATABASE")]
    // Read later, as a refusal by the library would repeat it, with its password.
    from: OsString,

    /// Where to: a database without users. A file is made if it is not there yet, and tables in any case.
    #[arg(long, value_name = "DATABASE")]
    to: OsString,

    /// The file with the password for the server that is copied from.
    #[arg(long, value_name = "FILE")]
    from_password_file: Option<PathBuf>,

    /// The file with the password for the server that is copied to.
    #[arg(long, value_name = "FILE")]
    to_password_file: Option<PathBuf>,

    /// As data, for scripts.
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
