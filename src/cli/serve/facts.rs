//! What the settings come to, by name: for the log at start and for `vestibule check`.

use super::Config;
use super::parse::written;
use crate::auth::sessions::Periods;
use crate::base::origin::Domain;
use crate::base::sealing::SealingKey;
#[cfg(feature = "mail")]
use crate::server::mailer::MailWay;
use crate::web::Settings;

impl Config {
    /// What both logs say about the settings at start: the names of `SAID_ALWAYS`, and whatever differs from its default.
    pub fn facts_at_start(&self) -> Vec<(&'static str, String)> {
        let defaults = facts(&Settings::default());
        let is_said = |fact: &(&str, _)| SAID_ALWAYS.contains(&fact.0);
        self.facts().into_iter().filter(|it| is_said(it) || !defaults.contains(it)).collect()
    }

    /// The settings that matter for security.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let metrics = self.metrics.as_ref().map(|it| ("metrics", it.to_string()));
        facts(&self.web).into_iter().chain(metrics).collect()
    }

    /// Where the relay is that takes mail: host and port. `None`: a program takes it, or no mail is sent.
    #[cfg(feature = "mail")]
    pub(in crate::cli) fn relay(&self) -> Option<&str> {
        match &self.server.mail.as_ref()?.way {
            MailWay::Relay(relay) => Some(relay.place()),
            MailWay::Program(_) => None,
        }
    }
}

/// Who can reach the site under which name, and who can have an account there: each start says it.
const SAID_ALWAYS: [&str; 5] =
    ["origin", "cookie_domain", "trusted_proxy", "signup", "password_policy"];

/// The name of the setting whether mail is sent.
pub(in crate::cli) const HAS_MAIL: &str = "mail";

/// The name of the setting whether users are told by mail what happens to their accounts.
pub(in crate::cli) const NOTICES: &str = "notices";

pub(super) fn facts(web: &Settings) -> Vec<(&'static str, String)> {
    let Settings { rule, rules, prefix, .. } = web;
    let domain = web.cookie_domain.as_ref();
    let second = &rules.second_factors;
    let Periods { active, idle, absolute, most, .. } = rules.periods;
    let list = |all: Vec<String>| if all.is_empty() { "none".to_owned() } else { all.join(",") };
    vec![
        ("origin", rule.own.as_ref().map_or("none".to_owned(), |it| format!("{it}{prefix}"))),
        ("trusted_origin", list(rule.trusted.iter().map(ToString::to_string).collect())),
        ("strict_origin", rule.strict.to_string()),
        ("app", list(web.apps.iter().map(ToString::to_string).collect())),
        ("alias", list(web.aliases.iter().map(|it| it.as_str().to_owned()).collect())),
        ("identity_header", web.identity.all().join(",")),
        ("basic_auth", web.basic_auth.to_string()),
        ("cookie_domain", domain.map_or("none", Domain::as_str).to_owned()),
        ("trusted_proxy", list(web.trusted_proxies.iter().map(ToString::to_string).collect())),
        ("signup", format!("{:?}", web.sign_ups).to_lowercase()),
        ("names", rules.names.as_str().to_owned()),
        ("name_rest", written(rules.rest.length())),
        ("password_policy", web.policy().name().to_owned()),
        ("second_factor", second.demand.as_str().to_owned()),
        ("second_factor_groups", list(second.groups.iter().map(str::to_owned).collect())),
        ("second_factor_remember", written(second.remember)),
        ("passkeys", rules.passkeys.as_ref().map_or("none".to_owned(), |it| it.id.clone())),
        ("sealing_key", web.sealing_key.as_ref().map_or("none".to_owned(), SealingKey::handle)),
        (HAS_MAIL, web.has_mail.to_string()),
        (NOTICES, if web.has_notices { "on" } else { "off" }.to_owned()),
        ("signup_email", web.sign_up_email.as_str().to_owned()),
        ("verify_before_sign_in", rules.verifies_first.to_string()),
        ("active", written(active)),
        ("idle", written(idle)),
        ("absolute", written(absolute)),
        ("sessions_per_user", most.to_string()),
        ("throttle_free", rules.limits.free.to_string()),
        ("throttle_wait", written(rules.limits.wait_max)),
    ]
}
