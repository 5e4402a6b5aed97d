//! What an operator should know of settings that are allowed.

use super::Config;
use crate::auth::invitations::SignUps;
use crate::server::program_events::ProgramEvent;
use crate::web::{Settings, client_ip};

/// A risk in settings that are allowed.
pub struct ConfigWarning {
    /// What the log calls it.
    pub event: ProgramEvent,
    /// What it is about, if it needs more than the hint.
    pub about: Option<(&'static str, String)>,
    /// What may happen, and what to do.
    pub hint: &'static str,
}

impl ConfigWarning {
    /// The risk in one line.
    pub fn told(&self) -> String {
        let about = self.about.as_ref().map_or(String::new(), |(_, it)| format!("{it}: "));
        format!("{about}{}", self.hint)
    }
}

impl Config {
    /// What an operator should know of these settings, which are allowed: the log says it at start, and
    /// `vestibule check` before.
    pub fn warnings(&self) -> Vec<ConfigWarning> {
        let wide = self.wide_proxies().map(|networks| ConfigWarning {
            event: ProgramEvent::TrustedProxyWide,
            about: Some(("networks", networks)),
            hint: "any client that connects from there can claim any address; name your proxies alone",
        });
        let warning = |event, hint| ConfigWarning { event, about: None, hint };
        let open = self.has_open_apps().then(|| {
            warning(
                ProgramEvent::OpenSignup,
                "any visitor can create an account, and a check that names no users or groups lets every account \
                 through; --signup invite or closed keeps strangers out",
            )
        });
        let clear = self.is_in_clear().then(|| {
            warning(
                ProgramEvent::HttpOrigin,
                "browsers send passwords and cookies across the network in clear; an https --origin keeps \
                 them private",
            )
        });
        let css = (!self.css_flaws.is_empty()).then(|| ConfigWarning {
            event: ProgramEvent::CssFlaws,
            about: Some(("flaws", self.css_flaws.join("; "))),
            hint: "rules of --css that have no effect; docs/look.md says what has one",
        });
        [wide, open, clear, css].into_iter().flatten().collect()
    }

    /// Trusted networks that contain more than proxies, so that others could claim any address: see
    /// [`client_ip::is_too_wide`].
    fn wide_proxies(&self) -> Option<String> {
        let wide = self.web.trusted_proxies.iter().filter(|it| client_ip::is_too_wide(it));
        let wide: Vec<_> = wide.map(ToString::to_string).collect();
        (!wide.is_empty()).then(|| wide.join(","))
    }

    /// Whether apps are guarded, and any visitor can create an account that a check lets through.
    fn has_open_apps(&self) -> bool {
        let Settings { cookie_domain, apps, aliases, basic_auth, sign_ups, .. } = &self.web;
        let guards_apps =
            cookie_domain.is_some() || !apps.is_empty() || !aliases.is_empty() || *basic_auth;
        guards_apps && *sign_ups == SignUps::Open
    }

    /// Whether browsers reach the sign-in without TLS, across a network.
    fn is_in_clear(&self) -> bool {
        self.web.rule.own.as_ref().is_some_and(|it| !it.is_https() && !it.is_loopback())
    }
}
