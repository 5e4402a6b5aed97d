//! Flags of `vestibule serve` about second factors: who has to have one, how long a browser is remembered, and the key
//! that seals the secrets of apps. Other commands that read these secrets take the key by the same flag.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::SECOND_FACTOR;
use super::parse::PERIOD_MAX;
use crate::auth::second_factors::{Demand, SecondFactorRules};
use crate::base::sealing::SealingKey;
use crate::cli::account_values;
use crate::store::Groups;

/// Who has to have a second factor, and where it is remembered.
#[derive(Args)]
pub(super) struct SecondFactorArgs {
    /// Whether users give a code of an authenticator app after the password: off (none can be set up; users who have
    /// one are still asked for it), optional (users decide for themselves) or required (users who have none set one up
    /// when they sign in).
    #[arg(long, env = "VESTIBULE_SECOND_FACTOR", value_name = "CHOICE", value_parser = demand)]
    #[arg(default_value = "optional", help_heading = SECOND_FACTOR)]
    second_factor: Demand,

    /// Groups whose members have to have a second factor, comma-separated, while other users decide for themselves.
    #[arg(long, env = "VESTIBULE_SECOND_FACTOR_GROUPS", value_name = "GROUP,...")]
    #[arg(default_value = "", hide_default_value = true, value_parser = account_values::groups)]
    #[arg(help_heading = SECOND_FACTOR)]
    second_factor_groups: Groups,

    /// How long the password alone is enough in a browser in which both factors were given, if the user ticks the box
    /// for it. With 0 the box is not shown, and no browser is remembered any more.
    #[arg(long, env = "VESTIBULE_SECOND_FACTOR_REMEMBER", value_name = "DURATION")]
    #[arg(default_value = "30d", value_parser = remember, help_heading = SECOND_FACTOR)]
    second_factor_remember: Duration,

    /// Where the key is.
    #[command(flatten)]
    key: SealKeyArgs,
}

/// The key that seals secrets.
#[derive(Args)]
pub struct SealKeyArgs {
    /// File with the key that seals the secrets of authenticator apps in the database, as `vestibule key new` makes
    /// it, with mode 0600. Keep a copy of it apart from backups: without it, nothing opens what is sealed. Without
    /// this setting the secrets are stored in the clear. Under systemd, LoadCredential=seal-key:/etc/vestibule/seal.key
    /// hands it over as %d/seal-key.
    #[arg(long, env = "VESTIBULE_SEAL_KEY_FILE", value_name = "FILE", help_heading = SECOND_FACTOR)]
    seal_key_file: Option<PathBuf>,
}

impl SealKeyArgs {
    /// The key, if there is one. An error is one line that says what would do.
    pub(in crate::cli) fn read(&self) -> Result<Option<SealingKey>, String> {
        let key = self.seal_key_file.as_deref().map(SealingKey::read_file).transpose();
        key.map_err(|cause| format!("--seal-key-file: {cause}"))
    }
}

impl SecondFactorArgs {
    /// Checks the settings together, and reads the key. An error is one line that says what would do.
    pub(super) fn check(self) -> Result<(SecondFactorRules, Option<SealingKey>), String> {
        let groups = self.second_factor_groups;
        if self.second_factor == Demand::Off && !groups.as_str().is_empty() {
            return Err(format!(
                "with --second-factor off the members of {} could set none up; set --second-factor optional, or leave \
                 --second-factor-groups out",
                groups.as_str()
            ));
        }
        let rules = SecondFactorRules {
            demand: self.second_factor,
            groups,
            remember: self.second_factor_remember,
        };
        Ok((rules, self.key.read()?))
    }
}

fn demand(text: &str) -> Result<Demand, String> {
    let all = [Demand::Off, Demand::Optional, Demand::Required];
    let found = all.into_iter().find(|it| it.as_str() == text);
    found.ok_or_else(|| "it must be off, optional or required".to_owned())
}

fn remember(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Err(_) => Err("write it as in 12h or 30d, or 0".to_owned()),
        Ok(period) if period > PERIOD_MAX => Err("it must be at most 3650d".to_owned()),
        Ok(period) => Ok(period),
    }
}
