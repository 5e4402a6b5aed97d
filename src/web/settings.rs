//! What the operator sets for the site.

use std::time::Duration;

use ipnet::IpNet;

use crate::auth::invitations::SignUps;
use crate::auth::names::Reserved;
use crate::auth::password_policy::Policy;
use crate::auth::sign_in::Rules;
use crate::base::base_url::PathPrefix;
use crate::base::origin::{Domain, Origin};
use crate::web::cross_origin;
use crate::web::handlers::forward_auth::{Alias, IdentityHeaders};
use crate::web::pages::Remember;
use crate::web::pages::branding::Look;

/// How the site is set up.
#[derive(Clone, Default)]
pub struct Settings {
    /// Which requests are this site's own, and where it is.
    pub rule: cross_origin::Rule,
    /// The path that every address of the site begins with.
    pub prefix: PathPrefix,
    /// How long sessions live, how often somebody may guess, and which names are not to be had.
    pub rules: Rules,
    /// Reverse proxies that are believed about where a request comes from.
    pub trusted_proxies: Vec<IpNet>,
    /// How long the audit trail is kept; `None`: for good.
    pub audit_life: Option<Duration>,
    /// What the sign-in form offers about being remembered; `None`: a box that is ticked.
    pub remember: Option<Remember>,
    /// Which passwords may be chosen; `None`: the guide's without an origin, `standard` with one.
    pub policy: Option<Policy>,
    /// The domain whose hosts all get the session cookie; `None`: this host and no other.
    pub cookie_domain: Option<Domain>,
    /// Apps behind this sign-in: where people may be sent back to.
    pub apps: Vec<Origin>,
    /// Other gates whose check endpoints are answered.
    pub aliases: Vec<Alias>,
    /// The headers that tell apps who somebody is.
    pub identity: IdentityHeaders,
    /// Whether checks take passwords and access tokens.
    pub basic_auth: bool,
    /// Who may make an account.
    pub sign_ups: SignUps,
    pub look: Look,
}

impl Settings {
    /// Which passwords may be chosen, in the end.
    pub fn policy(&self) -> Policy {
        let is_real = self.rule.own.is_some();
        self.policy.unwrap_or(if is_real { Policy::Standard } else { Policy::Minimal })
    }

    /// What the sign-in form offers about being remembered, in the end.
    pub fn remember(&self) -> Remember {
        self.remember.unwrap_or(Remember::Offered(true))
    }

    /// Names that nobody may take at sign-up, in the end: where the site is tried out, the guide's rules
    /// hold to the letter, and only what the operator lists is reserved.
    pub fn reserved(&self) -> Reserved {
        let listed = self.rules.reserved.clone();
        if self.rule.own.is_some() { listed.and_roles() } else { listed }
    }
}
