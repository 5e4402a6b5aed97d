//! The settings of `vestibule session`, `token`, `audit`, `backup`, `restore`, `export` and
//! `migrate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{DatabaseFlags, period};

/// `vestibule session`.
#[derive(Args)]
#[command(after_help = "Example:\n  vestibule session end-all anna")]
pub struct SessionFlags {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseFlags,

    /// What to do.
    #[command(subcommand)]
    pub(crate) action: SessionAction,
}

/// What can be done with sessions.
#[derive(Subcommand)]
pub enum SessionAction {
    /// List the living sessions of a user.
    #[command(after_help = "Example:\n  vestibule session list anna")]
    List {
        /// The name, in any spelling.
        name: String,
        /// As data, for scripts: an object a line.
        #[arg(long)]
        json: bool,
    },
    /// End a session of a user.
    #[command(after_help = "Example:\n  vestibule session end anna 3fa9c1d20b7e4a65")]
    End {
        /// The name, in any spelling.
        name: String,
        /// Its handle, as the list has it.
        handle: String,
    },
    /// End all sessions of a user.
    #[command(after_help = "Example:\n  vestibule session end-all anna")]
    EndAll {
        /// The name, in any spelling.
        name: String,
    },
    /// Delete the dead sessions of everybody, as the server does by itself.
    #[command(after_help = "Example:\n  vestibule session purge")]
    Purge,
}

/// `vestibule token`.
#[derive(Args)]
#[command(after_help = "Example:\n  vestibule token list anna")]
pub struct TokenFlags {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseFlags,

    /// What to do.
    #[command(subcommand)]
    pub(crate) action: TokenAction,
}

/// What can be done with access tokens.
#[derive(Subcommand)]
pub enum TokenAction {
    /// List the access tokens of a user.
    #[command(after_help = "Example:\n  vestibule token list anna --json")]
    List {
        /// The name, in any spelling.
        name: String,
        /// As data, for scripts: an object a line.
        #[arg(long)]
        json: bool,
    },
    /// End an access token of a user.
    #[command(after_help = "Example:\n  vestibule token revoke anna 3fa9c1d20b7e4a65")]
    Revoke {
        /// The name, in any spelling.
        name: String,
        /// Its handle, as the list has it.
        handle: String,
    },
}

/// `vestibule audit`.
#[derive(Args)]
#[command(after_help = "Example:\n  vestibule audit --since 7d --user anna")]
pub struct AuditFlags {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseFlags,

    /// How far back.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = period)]
    pub(crate) since: Duration,

    /// Of this user alone, in any spelling of the name.
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,

    /// Go on with what happens from now on, until it is interrupted.
    #[arg(long)]
    pub(crate) follow: bool,

    /// As data, for scripts: an object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `vestibule restore`.
#[derive(Args)]
#[command(after_help = "Example:\n  vestibule restore /var/backups/vestibule-2026-11-25.db")]
pub struct RestoreFlags {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseFlags,

    /// The backup.
    pub(crate) file: PathBuf,

    /// Keep the sessions, access tokens and reset links in it, those too that have ended since.
    #[arg(long)]
    pub(crate) keep_sessions: bool,
}

/// `vestibule backup`.
#[derive(Args)]
#[command(after_help = "Example:\n  vestibule backup /var/backups/vestibule-$(date +%F).db")]
pub struct BackupFlags {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseFlags,

    /// The copy. It must not be there yet.
    pub(crate) file: PathBuf,
}

/// `vestibule export`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule export --sessions people.jsonl\n  \
    vestibule export | gzip > people.jsonl.gz\n\n\
    A line says what follows, then each user has one, and the last one counts them; times are milliseconds \
    since 1970. `vestibule import vestibule FILE` reads it back. It holds the hashes of passwords, and with \
    --sessions those of session tokens: keep it as private as the database.\n\
    Access tokens, invitations, reset links, known browsers and the audit trail are not in it; `vestibule backup` has \
    them.")]
pub struct ExportFlags {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseFlags,

    /// Where to write it, readable for its owner alone; it must not be there yet. Without it: to standard
    /// output, unless that is a terminal.
    pub(crate) file: Option<PathBuf>,

    /// With the living sessions, so that whoever is signed in stays so.
    #[arg(long)]
    pub(crate) sessions: bool,
}

/// `vestibule migrate`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule migrate --database mysql://admin@db1/vestibule --database-password-file password\n  \
    vestibule migrate --check --database vestibule.db\n\n\
    `vestibule serve` does it by itself at its start. This is for those who let it change no tables.\n\
    Exit codes: 0 it has the newest schema; 1 it has not; 2 wrong usage.")]
pub struct MigrateFlags {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseFlags,

    /// Only say whether it has the newest schema.
    #[arg(long)]
    pub(crate) check: bool,
}
