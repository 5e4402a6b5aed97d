//! The settings of `vestibule user`.

use clap::{Args, Subcommand};

use super::{DatabaseFlags, origin, policy};
use crate::origin::Origin;
use crate::policy::Policy;

/// `vestibule user`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule user add anna --groups staff\n  \
    vestibule user groups anna admin,staff\n  \
    vestibule user disable anna --reason 'left the company'\n\n\
    Exit codes: 0 done; 1 it could not be done, or there is no such user; 2 wrong usage.")]
pub struct UserFlags {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseFlags,

    /// What to do.
    #[command(subcommand)]
    pub(crate) action: UserAction,
}

/// What can be done with a user.
#[derive(Subcommand)]
pub enum UserAction {
    /// Make an account. The password is asked for, or read from standard input as one line.
    #[command(after_help = "Example:\n  vestibule user add anna --groups staff < password")]
    Add {
        /// The name.
        name: String,
        /// Make it without a password.
        #[arg(long)]
        no_password: bool,
        /// Groups, comma-separated.
        #[arg(long, value_name = "GROUP,...", default_value = "", hide_default_value = true)]
        groups: String,
        /// Which passwords may be chosen: seed, standard or nist.
        #[arg(long, env = "VESTIBULE_PASSWORD_POLICY", value_name = "POLICY")]
        #[arg(value_parser = policy, default_value = "standard")]
        password_policy: Policy,
    },
    /// List all users.
    #[command(after_help = "Example:\n  vestibule user list --json")]
    List {
        /// As data, for scripts: an object a line.
        #[arg(long)]
        json: bool,
    },
    /// Set a password, asked for or read from standard input as one line. Sessions and access tokens
    /// end.
    #[command(after_help = "Example:\n  vestibule user passwd anna < password")]
    Passwd {
        /// The name, in any spelling.
        name: String,
        /// Which passwords may be chosen: seed, standard or nist.
        #[arg(long, env = "VESTIBULE_PASSWORD_POLICY", value_name = "POLICY")]
        #[arg(value_parser = policy, default_value = "standard")]
        password_policy: Policy,
    },
    /// Give a user another name. They sign in with it from then on.
    #[command(after_help = "Example:\n  vestibule user rename anna anna.onym")]
    Rename {
        /// The name, in any spelling.
        name: String,
        /// The new name.
        new_name: String,
    },
    /// Delete a user with all that is theirs, for good.
    #[command(after_help = "Example:\n  vestibule user delete anna --yes")]
    Delete {
        /// The name, in any spelling.
        name: String,
        /// It is meant.
        #[arg(long)]
        yes: bool,
    },
    /// Make a link with which a user sets a new password: good for an hour, once. Hand it over in
    /// private.
    #[command(
        after_help = "Example:\n  vestibule user reset-link anna --origin https://auth.example.com --qr"
    )]
    ResetLink {
        /// The name, in any spelling.
        name: String,
        /// Where people sign in, as for serve.
        #[arg(long, env = "VESTIBULE_ORIGIN", value_name = "URL", value_parser = origin)]
        origin: Origin,
        /// Draw it as well, to be read by a telephone.
        #[arg(long)]
        qr: bool,
    },
    /// Forget the failed tries for a name, so that nobody has to wait.
    #[command(after_help = "Example:\n  vestibule user unlock anna")]
    Unlock {
        /// The name, in any spelling.
        name: String,
    },
    /// Show what is known of a user.
    #[command(after_help = "Example:\n  vestibule user show anna --json")]
    Show {
        /// The name, in any spelling.
        name: String,
        /// As data, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Put a user in these groups and in no others.
    #[command(after_help = "Example:\n  vestibule user groups anna admin,staff")]
    Groups {
        /// The name, in any spelling.
        name: String,
        /// Names of a-z, 0-9, dots, hyphens and underscores, comma-separated; '' for none.
        #[arg(value_name = "GROUP,...")]
        groups: String,
    },
    /// Say where apps may write to a user.
    #[command(after_help = "Example:\n  vestibule user email anna anna@example.com")]
    Email {
        /// The name, in any spelling.
        name: String,
        /// The address; '' for none.
        #[arg(value_name = "ADDRESS")]
        email: String,
    },
    /// Shut a user out at once: sessions end, and nothing of theirs opens anything.
    #[command(after_help = "Example:\n  vestibule user disable anna --reason 'left the company'")]
    Disable {
        /// The name, in any spelling.
        name: String,
        /// Why, for operators.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Let a user in again who was shut out.
    #[command(after_help = "Example:\n  vestibule user enable anna")]
    Enable {
        /// The name, in any spelling.
        name: String,
    },
}
