//! The settings of `vestibule invite`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{DatabaseFlags, origin, period};
use crate::auth::invitations::{LIFE_MAX, USES_MAX};
use crate::web::origin::Origin;

/// `vestibule invite`.
#[derive(Args)]
#[command(after_help = "Example:\n  \
    vestibule invite new --origin https://auth.example.com --groups staff --uses 5 --life 7d\n\n\
    Exit codes: 0 done; 1 not done, or there is no such invitation; 2 wrong usage.")]
pub struct InviteFlags {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseFlags,

    /// What to do.
    #[command(subcommand)]
    pub(crate) action: InviteAction,
}

/// What can be done with invitations.
#[derive(Subcommand)]
pub enum InviteAction {
    /// Print a link with which people create their accounts, where --signup is invite or open. Hand it
    /// over in private.
    #[command(after_help = "Example:\n  \
        vestibule invite new --origin https://auth.example.com --groups staff --note 'for the new office'")]
    New {
        /// URL of the sign-in, as for serve.
        #[arg(long, env = "VESTIBULE_ORIGIN", value_name = "URL", value_parser = origin)]
        origin: Origin,
        /// How many accounts can be created with it.
        #[arg(long, value_name = "COUNT", default_value = "1")]
        #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(USES_MAX)))]
        uses: u32,
        /// How long it is valid, at most 90d.
        #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = life)]
        life: Duration,
        /// Groups for the accounts created with it, comma-separated.
        #[arg(long, value_name = "GROUP,...", default_value = "", hide_default_value = true)]
        groups: String,
        /// What it is for; only operators see this.
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        note: String,
        /// Also draw it as a QR code.
        #[arg(long)]
        qr: bool,
        /// Print JSON, for scripts.
        #[arg(long, conflicts_with = "qr")]
        json: bool,
    },
    /// List the valid invitations.
    #[command(after_help = "Example:\n  vestibule invite list --json")]
    List {
        /// Print one JSON object per line, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Revoke an invitation. Accounts created with it stay.
    #[command(after_help = "Example:\n  vestibule invite revoke 3fa9c1d20b7e4a65")]
    Revoke {
        /// Its handle, as listed.
        handle: String,
    },
}

fn life(text: &str) -> Result<Duration, String> {
    let life = period(text)?;
    if life > LIFE_MAX { Err("it must be at most 90d".to_owned()) } else { Ok(life) }
}
