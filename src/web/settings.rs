//! The operator's settings for the site.

use std::fmt;
use std::time::Duration;

use ipnet::IpNet;

use crate::auth::invitations::SignUps;
use crate::auth::names::Reserved;
use crate::auth::password_policy::Policy;
use crate::auth::sign_in::Rules;
use crate::auth::usernames::{NameKind, Username};
use crate::base::base_url::PathPrefix;
use crate::base::origin::{Domain, Origin, own_domain};
use crate::base::sealing::SealingKey;
use crate::store::Groups;
use crate::web::cross_origin;
use crate::web::handlers::forward_auth::{Alias, IdentityHeaders};
use crate::web::pages::Remember;
use crate::web::pages::branding::Look;

#[derive(Clone, Default)]
pub struct Settings {
    /// The site's origin, and which requests count as its own.
    pub rule: cross_origin::Rule,
    /// The path prefix of every address of the site.
    pub prefix: PathPrefix,
    /// The lifetimes of sessions, the limits on attempts, which names accounts have, and which cannot be taken.
    pub rules: Rules,
    /// Reverse proxies that are trusted to report the client address.
    pub trusted_proxies: Vec<IpNet>,
    /// How long the audit log is kept; `None`: forever.
    pub audit_life: Option<Duration>,
    /// Whether the sign-in form has a "Stay signed in" box; `None`: it has one, ticked.
    pub remember: Option<Remember>,
    /// The password policy; `None`: `standard` with an origin, the rule of Lucia's guide without.
    pub policy: Option<Policy>,
    /// The domain whose hosts all receive the session cookie; `None`: this host alone.
    pub cookie_domain: Option<Domain>,
    /// The apps behind this site, to which users may be redirected.
    pub apps: Vec<App>,
    /// Other gates whose check endpoints are answered.
    pub aliases: Vec<Alias>,
    /// The headers that tell apps who the user is.
    pub identity: IdentityHeaders,
    /// Whether checks accept passwords and access tokens.
    pub basic_auth: bool,
    /// The key with which the secrets of authenticator apps are sealed; `None`: they are stored in the clear.
    pub sealing_key: Option<SealingKey>,
    /// Who may create an account.
    pub sign_ups: SignUps,
    /// Whether the sign-up form asks for an e-mail address.
    pub sign_up_email: SignUpEmail,
    /// Whether mail can be sent: users can ask for a link that sets a new password.
    pub has_mail: bool,
    /// Whether users are told by mail what happens to their account.
    pub has_notices: bool,
    pub look: Look,
}

impl Settings {
    /// The password policy, with the default applied.
    pub fn policy(&self) -> Policy {
        let is_real = self.rule.own.is_some();
        self.policy.unwrap_or(if is_real { Policy::Standard } else { Policy::Minimal })
    }

    /// The "Stay signed in" box, with the default applied.
    pub fn remember(&self) -> Remember {
        self.remember.unwrap_or(Remember::Offered(true))
    }

    /// The names that cannot be taken at sign-up. Without an origin, Lucia's guide is followed to the
    /// letter, and only the operator's list is reserved.
    pub fn reserved(&self) -> Reserved {
        let listed = self.rules.reserved.clone();
        match &self.rule.own {
            Some(own) => listed.and_roles(own_domain(own.host())),
            None => listed,
        }
    }

    /// What may be the name of an account, typed at sign-in. `None` if it can be none on this site.
    pub fn name_at_sign_in(&self, typed: &str) -> Option<Username> {
        if self.has_mail || self.rules.names == NameKind::Address {
            Username::or_address(typed)
        } else {
            Username::for_look_up(typed)
        }
    }
}

/// Whether the sign-up form asks for an e-mail address beside the name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SignUpEmail {
    #[default]
    Off,
    Optional,
    Required,
}

impl SignUpEmail {
    /// The word for it among the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }
}

/// An app behind the site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct App {
    pub origin: Origin,
    /// What its users call it; empty: it goes by its host.
    pub name: String,
    /// The groups to whose members the profile shows it; empty: to every user.
    pub groups: Groups,
}

/// As the setting is written.
impl fmt::Display for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.name.is_empty() {
            write!(f, "{}=", self.name)?;
        }
        self.origin.fmt(f)?;
        if self.groups.as_str().is_empty() {
            return Ok(());
        }
        write!(f, "?groups={}", self.groups.as_str().replace(',', "|"))
    }
}

impl App {
    /// Whether the profile of a user in these groups shows it.
    pub fn is_shown_to(&self, groups: &Groups) -> bool {
        self.groups.as_str().is_empty()
            || self.groups.iter().any(|it| groups.iter().any(|of| of == it))
    }

    /// The text of a link to it.
    pub fn label(&self) -> &str {
        if self.name.is_empty() { self.origin.host() } else { &self.name }
    }
}
