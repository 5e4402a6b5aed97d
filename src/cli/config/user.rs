//! The settings of `vestibule user`.

use clap::{Args, Subcommand};

use super::{DatabaseFlags, NameRestFlag, origin, policy};
use crate::auth::password_policy::Policy;
use crate::web::origin::Origin;

/// `vestibule user`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule user add anna --groups staff\n  \
    vestibule user groups anna admin,staff\n  \
    vestibule user disable anna --reason 'left the company'\n\n\
    Exit codes: 0 done; 1 not done, or there is no such user; 2 wrong usage.")]
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
    /// Create an account, also where --signup is closed. The password comes from a prompt, or from
    /// standard input as one line.
    #[command(after_help = "Example:\n  vestibule user add anna --groups staff < password")]
    Add {
        /// The username.
        name: String,
        /// Create it without a password.
        #[arg(long)]
        no_password: bool,
        /// Groups, comma-separated.
        #[arg(long, value_name = "GROUP,...", default_value = "", hide_default_value = true)]
        groups: String,
        /// Rules for the password: seed, standard or nist, as for serve.
        #[arg(long, env = "VESTIBULE_PASSWORD_POLICY", value_name = "POLICY")]
        #[arg(value_parser = policy, default_value = "standard")]
        password_policy: Policy,
    },
    /// List all users.
    #[command(after_help = "Example:\n  vestibule user list --json")]
    List {
        /// Print one JSON object per line, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Set a user's password, from a prompt or from standard input as one line. It replaces the password
    /// of every key of the user; sessions, access tokens and reset links end, and failed attempts are
    /// forgotten.
    #[command(after_help = "Example:\n  vestibule user passwd anna < password")]
    Passwd {
        /// The username, in any spelling.
        name: String,
        /// Rules for the password: seed, standard or nist, as for serve.
        #[arg(long, env = "VESTIBULE_PASSWORD_POLICY", value_name = "POLICY")]
        #[arg(value_parser = policy, default_value = "standard")]
        password_policy: Policy,
    },
    /// Rename a user, who signs in with the new name from then on. Reset links end.
    #[command(after_help = "Example:\n  vestibule user rename anna anna.onym")]
    Rename {
        /// The username, in any spelling.
        name: String,
        /// The new username.
        new_name: String,
        /// How long the old name rests.
        #[command(flatten)]
        rest: NameRestFlag,
    },
    /// List, add and remove the keys of a user: sign-in names and IDs of other providers.
    #[command(after_help = "Example:\n  vestibule user key list anna")]
    Key {
        /// What to do.
        #[command(subcommand)]
        action: KeyAction,
    },
    /// Delete a user and all their data. This cannot be undone. The username stays reserved for a while.
    #[command(after_help = "Example:\n  vestibule user delete anna --yes")]
    Delete {
        /// The username, in any spelling.
        name: String,
        /// Confirm the deletion.
        #[arg(long)]
        yes: bool,
        /// How long the name rests.
        #[command(flatten)]
        rest: NameRestFlag,
    },
    /// Release the username of a deleted or renamed account before its time. Apps that still trust it
    /// cannot tell its next owner from the last one.
    #[command(after_help = "Example:\n  vestibule user free anna")]
    Free {
        /// The username, in any spelling.
        name: String,
    },
    /// Print a link with which a user sets a new password. It is valid for an hour and works once. Hand it
    /// over in private.
    #[command(
        after_help = "Example:\n  vestibule user reset-link anna --origin https://auth.example.com --qr"
    )]
    ResetLink {
        /// The username, in any spelling.
        name: String,
        /// URL of the sign-in, as for serve.
        #[arg(long, env = "VESTIBULE_ORIGIN", value_name = "URL", value_parser = origin)]
        origin: Origin,
        /// Also draw it as a QR code.
        #[arg(long)]
        qr: bool,
    },
    /// Forget the failed attempts for a name, or from an address or a network, which ends the wait.
    #[command(after_help = "Examples:\n  vestibule user unlock anna\n  \
        vestibule user unlock 203.0.113.7\n  vestibule user unlock 2001:db8:1::/48")]
    Unlock {
        /// The username, in any spelling; or an IP address; or a network, such as 10.1.0.0/16 or
        /// 2001:db8:1::/48, which are the largest sizes.
        #[arg(value_name = "NAME|ADDRESS|NETWORK")]
        name: String,
    },
    /// Show everything stored about a user.
    #[command(after_help = "Example:\n  vestibule user show anna --json")]
    Show {
        /// The username, in any spelling.
        name: String,
        /// Print JSON, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Set the groups of a user, which apps are told and checks can require.
    #[command(after_help = "Example:\n  vestibule user groups anna admin,staff")]
    Groups {
        /// The username, in any spelling.
        name: String,
        /// Group names of a-z, 0-9, dots, hyphens and underscores, comma-separated; '' for none.
        #[arg(value_name = "GROUP,...")]
        groups: String,
    },
    /// Set the e-mail address of a user, which apps are told. Reset links end.
    #[command(after_help = "Example:\n  vestibule user email anna anna@example.com")]
    Email {
        /// The username, in any spelling.
        name: String,
        /// The address; '' for none.
        #[arg(value_name = "ADDRESS")]
        email: String,
    },
    /// Disable an account at once: its sessions and reset links end, its access tokens stop working, and
    /// signing in is answered as for a wrong password.
    #[command(after_help = "Example:\n  vestibule user disable anna --reason 'left the company'")]
    Disable {
        /// The username, in any spelling.
        name: String,
        /// Why; only operators see this.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Enable a disabled account.
    #[command(after_help = "Example:\n  vestibule user enable anna")]
    Enable {
        /// The username, in any spelling.
        name: String,
    },
}

/// What can be done with the keys of a user.
#[derive(Subcommand)]
pub enum KeyAction {
    /// List the keys of a user and the kind of hash of each password.
    #[command(after_help = "Example:\n  vestibule user key list anna --json")]
    List {
        /// The username, in any spelling.
        name: String,
        /// Print one JSON object per line, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Add a key. A sign-in name gets the user's current password; a key of another provider has none.
    #[command(after_help = "Examples:\n  \
        vestibule user key add anna username:anna.onym\n  \
        vestibule user key add anna github:1234567")]
    Add {
        /// The username, in any spelling.
        name: String,
        /// The provider, a colon, and the ID there; for a sign-in name, username: and the name.
        #[arg(value_name = "PROVIDER:ID")]
        key: String,
    },
    /// Remove a key. The user's sessions, access tokens and reset links end.
    #[command(after_help = "Example:\n  vestibule user key remove anna github:1234567")]
    Remove {
        /// The username, in any spelling.
        name: String,
        /// The key, as vestibule user key list shows it.
        #[arg(value_name = "PROVIDER:ID")]
        key: String,
    },
}
