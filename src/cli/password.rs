//! Which passwords an operator may set: those that the sign-up page accepts.

use clap::Args;

use super::serve::parse::{base_url, policy};
use crate::auth::password_policy::{self, Flaw, Policy};
use crate::auth::usernames::Username;
use crate::base::base_url::BaseUrl;
use crate::base::password::Password;

/// Which passwords are accepted, as on the sign-up page.
#[derive(Args)]
pub struct PasswordArgs {
    /// Rules for the password, as for serve: seed (6 to 255 characters), standard (8 to 255, not a common
    /// password, not the username) or nist (15 to 255, otherwise as standard).
    #[arg(long, env = "VESTIBULE_PASSWORD_POLICY", value_name = "POLICY")]
    #[arg(value_parser = policy, default_value = "standard")]
    password_policy: Policy,

    /// URL of the sign-in, as for serve. A password that is its host name, or a part of that, is refused.
    #[arg(long, env = "VESTIBULE_ORIGIN", value_name = "URL", value_parser = base_url)]
    origin: Option<BaseUrl>,
}

impl PasswordArgs {
    /// The password that was typed, unless the rules refuse it under this name.
    pub(super) fn accept(&self, typed: &str, name: &Username) -> Result<Password, String> {
        let policy = self.password_policy;
        let password =
            password_policy::read(typed).ok_or("passwords have at most 255 characters")?;
        let words = password_policy::site_words(self.origin.as_ref().map(|it| it.origin.host()));
        Err(match policy.flaw(&password, name, &words) {
            None => return Ok(password),
            Some(Flaw::TooShort) => {
                format!("passwords have at least {} characters", policy.shortest())
            }
            Some(Flaw::TooLong) => "passwords have at most 255 characters".to_owned(),
            Some(Flaw::Common) => "many people use this password".to_owned(),
            Some(Flaw::Name) => "a name is no password".to_owned(),
        })
    }
}
