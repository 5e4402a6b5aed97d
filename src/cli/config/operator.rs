//! The settings of `vestibule session`, `token`, `audit`, `backup`, `restore`, `export` and
//! `migrate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{DatabaseFlags, NameRestFlag, period};

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
    /// List the live sessions of a user.
    #[command(after_help = "Example:\n  vestibule session list anna")]
    List {
        /// The username, in any spelling.
        name: String,
        /// Print one JSON object per line, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// End one session of a user.
    #[command(after_help = "Example:\n  vestibule session end anna 3fa9c1d20b7e4a65")]
    End {
        /// The username, in any spelling.
        name: String,
        /// Its handle, as listed.
        handle: String,
    },
    /// End all sessions of a user.
    #[command(after_help = "Example:\n  vestibule session end-all anna")]
    EndAll {
        /// The username, in any spelling.
        name: String,
    },
    /// Delete all dead sessions, as the server also does by itself.
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
        /// The username, in any spelling.
        name: String,
        /// Print one JSON object per line, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Revoke an access token of a user.
    #[command(after_help = "Example:\n  vestibule token revoke anna 3fa9c1d20b7e4a65")]
    Revoke {
        /// The username, in any spelling.
        name: String,
        /// Its handle, as listed.
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

    /// How far back to begin.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = period)]
    pub(crate) since: Duration,

    /// Only records of this user; the username in any spelling.
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,

    /// Keep printing new records until interrupted.
    #[arg(long)]
    pub(crate) follow: bool,

    /// Print one JSON object per line, for scripts.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `vestibule restore`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  vestibule restore /var/backups/vestibule-2026-11-25.db --yes\n\n\
    Stop the server first. What was there before is kept beside it, as DATABASE.before-restore-TIME; the \
    new file has its owner, group and mode, or else those of the folder."
)]
pub struct RestoreFlags {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseFlags,

    /// The backup to restore.
    pub(crate) file: PathBuf,

    /// Keep its sessions, access tokens, invitations and reset links, even those that have ended since.
    #[arg(long)]
    pub(crate) keep_sessions: bool,

    /// Replace the database that is there.
    #[arg(long)]
    pub(crate) yes: bool,

    /// How long the names of accounts stay reserved that are not in the backup.
    #[command(flatten)]
    pub(crate) rest: NameRestFlag,
}

/// `vestibule backup`.
#[derive(Args)]
#[command(after_help = "Example:\n  vestibule backup /var/backups/vestibule-$(date +%F).db")]
pub struct BackupFlags {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseFlags,

    /// The copy; it must not exist yet.
    pub(crate) file: PathBuf,
}

/// `vestibule export`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule export --sessions people.jsonl\n  \
    vestibule export | gzip > people.jsonl.gz\n\n\
    The first line says what follows, then there is one line per user, and the last line has their number; \
    times are milliseconds since 1970. `vestibule import vestibule FILE` reads it back. It holds password \
    hashes, and with --sessions the hashes of session tokens: keep it as private as the database.\n\
    It does not hold access tokens, invitations, reset links, reserved names, known browsers and the audit \
    log; a `vestibule backup` does.")]
pub struct ExportFlags {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseFlags,

    /// The file to write, with mode 0600; it must not exist yet. Without it, standard output, unless that
    /// is a terminal.
    pub(crate) file: Option<PathBuf>,

    /// Include live sessions, so that users stay signed in.
    #[arg(long)]
    pub(crate) sessions: bool,
}

/// `vestibule migrate`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule migrate --database mysql://admin@db1/vestibule --database-password-file password\n  \
    vestibule migrate --check --database vestibule.db\n\n\
    `vestibule serve` and the commands that write do this by themselves, and those that only read refuse an \
    older schema. The command is for set-ups in which the database user of serve may not change tables. Where \
    there is no database yet, it is made.\n\
    Exit codes: 0 the schema is current; 1 it is not; 2 wrong usage.")]
pub struct MigrateFlags {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseFlags,

    /// Only say whether the schema is current.
    #[arg(long)]
    pub(crate) check: bool,
}
