//! The settings of `vestibule user`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `vestibule user`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule user groups anna admin,staff\n  \
    vestibule user disable anna --reason 'left the company'\n\n\
    Exit codes: 0 done; 1 it could not be done, or there is no such user; 2 wrong usage.")]
pub struct UserFlags {
    /// The SQLite file that the server uses.
    #[arg(long, env = "VESTIBULE_DATABASE", value_name = "FILE", default_value = "vestibule.db")]
    #[arg(global = true)]
    pub(crate) database: PathBuf,

    /// What to do.
    #[command(subcommand)]
    pub(crate) action: UserAction,
}

/// What can be done with a user.
#[derive(Subcommand)]
pub enum UserAction {
    /// Show what is known of a user.
    Show {
        /// The name, in any spelling.
        name: String,
        /// As data, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Put a user in these groups and in no others.
    Groups {
        /// The name, in any spelling.
        name: String,
        /// Names of a-z, 0-9, dots, hyphens and underscores, comma-separated; '' for none.
        #[arg(value_name = "GROUP,...")]
        groups: String,
    },
    /// Say where apps may write to a user.
    Email {
        /// The name, in any spelling.
        name: String,
        /// The address; '' for none.
        #[arg(value_name = "ADDRESS")]
        email: String,
    },
    /// Shut a user out at once: sessions end, and nothing of theirs opens anything.
    Disable {
        /// The name, in any spelling.
        name: String,
        /// Why, for operators.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Let a user in again who was shut out.
    Enable {
        /// The name, in any spelling.
        name: String,
    },
}
