//! Which usernames cannot be taken: flags of `vestibule serve`, and of the commands that delete and rename.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::parse::PERIOD_MAX;
use super::{ACCOUNTS, branding};
use crate::auth::names::{Reserved, Rest};
use crate::auth::usernames::NameKind;

/// What names are.
#[derive(Args)]
pub struct NameKindArgs {
    /// What the usernames of new accounts are: name (4 to 31 visible characters) or address (e-mail addresses of 6
    /// to 254 characters). Accounts that exist keep their names. The commands that add, rename and import users take
    /// names by the same rule, so set the variable for them as for the server.
    #[arg(long, env = "VESTIBULE_NAMES", value_name = "KIND", value_parser = kind)]
    #[arg(default_value = "name", help_heading = ACCOUNTS)]
    pub(crate) names: NameKind,
}

fn kind(text: &str) -> Result<NameKind, String> {
    let all = [NameKind::Name, NameKind::Address];
    let found = all.into_iter().find(|it| it.as_str() == text);
    found.ok_or_else(|| "write name or address".to_owned())
}

/// How long names rest.
#[derive(Args)]
pub struct NameRestArgs {
    /// How long the username of a deleted account, the old username of a renamed one, and a sign-in name
    /// that was removed stay reserved: apps may still trust them. With 0 they are free at once. A change
    /// applies to names that are given up from then on.
    #[arg(long, env = "VESTIBULE_NAME_REST", value_name = "DURATION", value_parser = rest)]
    #[arg(default_value = "365d", help_heading = ACCOUNTS)]
    name_rest: Duration,
}

impl NameRestArgs {
    pub(crate) const fn rest(&self) -> Rest {
        Rest::new(self.name_rest)
    }
}

/// Which names are refused at sign-up.
#[derive(Args)]
pub(super) struct NameArgs {
    /// What they are.
    #[command(flatten)]
    kind: NameKindArgs,

    /// How long names rest.
    #[command(flatten)]
    rest: NameRestArgs,

    /// File of usernames that are refused at sign-up, one a line; # begins a comment. With an --origin
    /// they are added to a built-in list of administrative names such as admin, root and postmaster, and
    /// each also reserves what differs from it only by accents or punctuation, and as an e-mail address the name at
    /// the site's own domain.
    /// `vestibule user add` accepts them all.
    #[arg(long, env = "VESTIBULE_RESERVED_NAMES", value_name = "FILE", help_heading = ACCOUNTS)]
    reserved_names: Option<PathBuf>,
}

impl NameArgs {
    /// Reads the file. An error is one line that says what would do.
    pub(super) fn check(&self) -> Result<(NameKind, Rest, Reserved), String> {
        let reserved = match &self.reserved_names {
            Some(path) => {
                let flag = format!("--reserved-names {}", path.display());
                let text = String::from_utf8(branding::read("--reserved-names", path)?)
                    .map_err(|_| format!("{flag} is no text in UTF-8"))?;
                Reserved::read(&text).map_err(|why| format!("{flag}: {why}"))?
            }
            None => Reserved::default(),
        };
        Ok((self.kind.names, self.rest.rest(), reserved))
    }
}

fn rest(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Err(_) => Err("write it as in 30d or 365d, or 0".to_owned()),
        Ok(period) if period > PERIOD_MAX => Err("it must be at most 3650d".to_owned()),
        Ok(period) => Ok(period),
    }
}
