//! The session cookie, as a browser stores and sends it (RFC 6265bis §§ 5.7, 5.8.3).
//!
//! Decides whether a browser stores a cookie at all, to which addresses it sends it, and what else is
//! wrong with it. Pure.

use std::net::IpAddr;

use url::{Host, Url};

use super::wire::Reply;
use crate::base::origin::is_public_suffix;
use crate::web::http::SESSION_COOKIES;

/// A cookie that a response sets. Its value may be a secret.
pub(super) struct SetCookie {
    pub name: String,
    pub value: String,
    /// Attribute names in lower case, with their values.
    attributes: Vec<(String, String)>,
}

impl SetCookie {
    /// Parses the value of a `Set-Cookie` header.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(|part| part.split_once('=').unwrap_or((part, "")));
        let (name, value) = parts.next()?;
        let attribute = |(name, value): (&str, &str)| {
            (name.trim().to_ascii_lowercase(), value.trim().to_owned())
        };
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        Some(Self { name, value, attributes: parts.map(attribute).collect() })
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        // If an attribute is repeated, browsers use the last one.
        let found = self.attributes.iter().rev().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// Whether it makes browsers delete the cookie.
    fn clears(&self) -> bool {
        self.attribute("max-age").is_some_and(|it| it.parse().is_ok_and(|it: i64| it <= 0))
    }

    fn domain(&self) -> Option<String> {
        let written = self.attribute("domain")?.to_ascii_lowercase();
        let domain = written.strip_prefix('.').unwrap_or(&written);
        (!domain.is_empty()).then(|| domain.to_owned())
    }

    /// The domain whose hosts all receive the cookie; `None`: only the host that set it. If the domain is a
    /// public suffix and the host itself, browsers treat the cookie as one without a domain.
    fn shared_domain(&self, host: &str) -> Option<String> {
        self.domain().filter(|domain| domain != host || !is_public_suffix(domain))
    }

    /// Why browsers refuse the cookie when `from` sets it; `None`: they accept it.
    pub fn refusal(&self, from: &Url) -> Option<String> {
        let (name, from_host) = (&self.name, host(from));
        let is_https = from.scheme() == "https";
        let has_prefix = |prefix: &str| {
            name.get(..prefix.len()).is_some_and(|it| it.eq_ignore_ascii_case(prefix))
        };
        let refuses = |what: &str, advice: &str| {
            Some(format!("the cookie {name} {what}, so browsers refuse it; {advice}"))
        };
        if self.has("secure") && !is_https {
            return refuses("is Secure and comes over http", "serve the sign-in page by https");
        }
        let is_prefixed = has_prefix("__Host-") || has_prefix("__Secure-");
        let is_for_all_sites =
            self.attribute("samesite").is_some_and(|it| it.eq_ignore_ascii_case("none"));
        if !self.has("secure") && (is_prefixed || is_for_all_sites) {
            return refuses("is not Secure", "give vestibule an https --origin");
        }
        if has_prefix("__Host-") && self.attribute("path") != Some("/") {
            return refuses("is not for Path=/", "a name that begins with __Host- needs it");
        }
        let domain = self.domain()?;
        let what = format!("has Domain={domain}");
        if has_prefix("__Host-") {
            return refuses(&what, "a name that begins with __Host- allows no domain");
        }
        if !is_within(&from_host, &domain) {
            let advice =
                format!("{from_host} does not lie under it; give it the domain above both hosts");
            return refuses(&what, &advice);
        }
        if domain != from_host && is_public_suffix(&domain) {
            let advice = "hosts below it belong to different people (publicsuffix.org); use a domain of your own";
            return refuses(&what, advice);
        }
        None
    }

    /// Whether a browser that received the cookie from `from` sends it to `to`.
    pub fn is_sent(&self, from: &Url, to: &Url) -> bool {
        let (from_host, to_host) = (host(from), host(to));
        let is_for_host = match self.shared_domain(&from_host) {
            Some(domain) => is_within(&to_host, &domain),
            None => to_host == from_host,
        };
        let is_for_scheme = !self.has("secure") || to.scheme() == "https";
        self.refusal(from).is_none() && is_for_host && is_for_scheme && self.is_for_path(to.path())
    }

    /// Whether a response shows that the cookie was received: it contains the value, or the name with any value. Its
    /// own `Set-Cookie` headers do not count.
    pub fn is_shown(&self, reply: &Reply) -> bool {
        let headers =
            reply.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("set-cookie"));
        let is_in = |text: &str| {
            (!self.value.is_empty() && text.contains(&self.value)) || shows_pair(text, &self.name)
        };
        headers.map(|(_, value)| &**value).chain([&*reply.body]).any(is_in)
    }

    fn is_for_path(&self, path: &str) -> bool {
        // The default path is the folder of the page that set the cookie: for the sign-in page, the whole
        // site.
        let Some(own) = self.attribute("path").filter(|it| it.starts_with('/')) else {
            return true;
        };
        path.strip_prefix(own)
            .is_some_and(|rest| rest.is_empty() || own.ends_with('/') || rest.starts_with('/'))
    }
}

/// Whether a text contains this cookie's name and a value, be it whole, truncated or masked. A longer name that only
/// ends like this one does not count.
fn shows_pair(text: &str, name: &str) -> bool {
    let is_of_name = |it: char| it.is_alphanumeric() || matches!(it, '-' | '_' | '.');
    let is_of_value = |it: char| it.is_alphanumeric() || matches!(it, '*' | '.' | '…');
    text.match_indices(name).any(|(at, _)| {
        let value = text[at + name.len()..].strip_prefix('=');
        !text[..at].ends_with(is_of_name) && value.is_some_and(|it| it.starts_with(is_of_value))
    })
}

/// The session cookie of this name that a response clears, if it does.
pub(super) fn cleared(reply: &Reply, name: &str) -> Option<SetCookie> {
    let mut cookies = reply.values("set-cookie").filter_map(SetCookie::parse);
    cookies.find(|it| it.name == name && it.clears())
}

/// The session cookie that a response sets, if it does.
pub(super) fn session(reply: &Reply) -> Option<SetCookie> {
    let is_session = |it: &SetCookie| SESSION_COOKIES.contains(&&*it.name) && !it.clears();
    reply.values("set-cookie").filter_map(SetCookie::parse).find(is_session)
}

/// What is wrong with a session cookie that `sign_in` sets and that has to reach `app`.
pub(super) fn flaws(cookie: &SetCookie, sign_in: &Url, app: &Url) -> Vec<String> {
    let name = &cookie.name;
    let mut flaws = Vec::new();
    if !cookie.has("httponly") {
        flaws.push(format!("the cookie {name} is not HttpOnly, so scripts can steal it; set it"));
    }
    if let Some(refusal) = cookie.refusal(sign_in) {
        // Browsers do not store the cookie, so its other attributes do not matter.
        flaws.push(refusal);
        return flaws;
    }
    if !cookie.has("secure") && sign_in.scheme() == "https" {
        flaws.push(format!(
            "the cookie {name} is not Secure, so it crosses networks in clear; give vestibule an \
             https --origin"
        ));
    }
    let same_site = cookie.attribute("samesite").unwrap_or_default().to_ascii_lowercase();
    if !matches!(&*same_site, "lax" | "strict") {
        flaws.push(format!(
            "the cookie {name} has no SameSite=Lax, so other sites can use it; set it"
        ));
    }
    if cookie.attribute("path") != Some("/") {
        flaws.push(format!("the cookie {name} is not for Path=/; set it"));
    }
    flaws.extend(host_flaw(cookie, &host(sign_in), &host(app)));
    flaws
}

/// Why browsers that store the cookie would not send it to the app, whatever the path.
fn host_flaw(cookie: &SetCookie, sign_in: &str, app: &str) -> Option<String> {
    let name = &cookie.name;
    match cookie.shared_domain(sign_in) {
        Some(domain) if !is_within(app, &domain) => Some(format!(
            "the cookie {name} has Domain={domain}, so browsers do not send it to {app}; give it \
             the domain above both hosts"
        )),
        None if sign_in != app => Some(format!(
            "the cookie {name} has no Domain, so browsers send it to {sign_in} alone and never to \
             {app}; give it the domain above both hosts"
        )),
        _ => None,
    }
}

/// Whether a host is the domain or one of its subdomains. An IP address has no subdomains.
fn is_within(host: &str, domain: &str) -> bool {
    let is_address = || host.starts_with('[') || host.parse::<IpAddr>().is_ok();
    let is_below = || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    host == domain || (!is_address() && is_below())
}

fn host(url: &Url) -> String {
    match url.host() {
        Some(Host::Domain(name)) => name.to_ascii_lowercase(),
        Some(address) => address.to_string(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "__Secure-auth_session=; Path=/; Secure; HttpOnly; SameSite=Lax; \
                        Domain=example.com; Max-Age=0";
    const HOST: &str = "__Host-auth_session=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0";
    const PLAIN: &str = "auth_session=; Path=/; HttpOnly; SameSite=Lax";

    const AUTH: &str = "https://auth.example.com/login";
    const APP: &str = "https://app.example.com/";

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn cookie(text: &str) -> SetCookie {
        SetCookie::parse(text).unwrap()
    }

    fn reply(status: u16, headers: &[(&str, &str)]) -> Reply {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Reply { status, headers: headers.iter().map(owned).collect(), body: String::new() }
    }

    #[test]
    fn is_shown_by_its_value_or_by_its_name_with_one() {
        let cookie = cookie("auth_session=k3y0f4n4; Path=/");
        for (body, expected) in [
            ("Cookie: a=b; auth_session=k3y0f4n4", true),
            ("{\"cookies\":{\"auth_session\":\"k3y0f4n4\"}}", true),
            ("auth_session=k3y…", true),
            ("auth_session=***", true),
            ("a=b", false),
            ("auth_session= is taken out", false),
            ("my_auth_session=x", false),
            ("__Host-auth_session=x", false),
        ] {
            let shown = |name, body: &str, header| {
                let reply = reply(200, &[(name, header)]);
                cookie.is_shown(&Reply { body: body.to_owned(), ..reply })
            };
            assert_eq!(shown("X-Seen", body, ""), expected, "{body}");
            assert_eq!(shown("X-Seen", "", body), expected, "{body}");
            assert!(!shown("Set-Cookie", "", body), "{body}");
        }
    }

    #[test]
    fn finds_what_is_wrong_with_a_cookie() {
        for (set, sign_in, app, expected) in [
            (GOOD, AUTH, APP, None),
            (&GOOD.replace("Domain=", "domain=."), AUTH, APP, None),
            (GOOD, "https://example.com/login", "https://a.b.Example.com/", None),
            (HOST, AUTH, "https://auth.example.com:8443/", None),
            (&GOOD.replace("HttpOnly; ", ""), AUTH, APP, Some("HttpOnly")),
            (&GOOD.replace("Secure; ", ""), AUTH, APP, Some("not Secure")),
            (&PLAIN.replace("Lax", "Lax; Domain=example.com"), AUTH, APP, Some("not Secure")),
            (&GOOD.replace("=Lax", "=None"), AUTH, APP, Some("SameSite")),
            (&GOOD.replace("SameSite=Lax; ", ""), AUTH, APP, Some("SameSite")),
            (&GOOD.replace("Path=/", "Path=/x"), AUTH, APP, Some("Path")),
            (&GOOD.replace("=example.com", "=ample.com"), AUTH, APP, Some("does not lie under")),
            (&GOOD.replace("=example.com", "=com"), AUTH, APP, Some("publicsuffix.org")),
            (&GOOD.replace("=example.com", "=auth.example.com"), AUTH, APP, Some("do not send")),
            (HOST, AUTH, APP, Some("no Domain")),
            (&format!("{HOST}; Domain=example.com"), AUTH, APP, Some("__Host- allows no")),
        ] {
            let flaws = flaws(&cookie(set), &url(sign_in), &url(app));
            match expected {
                None => assert_eq!(flaws, Vec::<String>::new()),
                Some(expected) => {
                    assert!(flaws.len() == 1 && flaws[0].contains(expected), "{flaws:?}");
                }
            }
        }
        let local = url("http://127.0.0.1:8080/");
        assert_eq!(flaws(&cookie(PLAIN), &local, &local), Vec::<String>::new());
    }

    #[test]
    fn keeps_and_sends_what_a_browser_keeps_and_sends() {
        let local = "http://127.0.0.1:8080/login";
        for (set, from, to, is_kept, is_sent) in [
            (GOOD, AUTH, APP, true, true),
            (GOOD, AUTH, "https://example.com/", true, true),
            (GOOD, AUTH, "http://app.example.com/", true, false),
            (GOOD, AUTH, "https://app.example.org/", true, false),
            (GOOD, AUTH, "https://evilexample.com/", true, false),
            (GOOD, "http://auth.example.com/login", APP, false, false),
            (GOOD, "https://auth.example.org/login", APP, false, false),
            (HOST, AUTH, "https://auth.example.com:8443/x", true, true),
            (HOST, AUTH, APP, true, false),
            (&HOST.replace("Path=/; ", ""), AUTH, AUTH, false, false),
            (&HOST.replace("Path=/", "Path=/login"), AUTH, AUTH, false, false),
            (&HOST.replace("Secure; ", ""), AUTH, AUTH, false, false),
            (&format!("{HOST}; Domain=auth.example.com"), AUTH, AUTH, false, false),
            (
                &GOOD.replace("__Secure", "__secure").replace("Secure; ", ""),
                AUTH,
                APP,
                false,
                false,
            ),
            ("auth_session=x; SameSite=None", AUTH, AUTH, false, false),
            ("auth_session=x; Domain=com", AUTH, APP, false, false),
            ("auth_session=x; Domain=co.uk", "https://a.co.uk/", "https://b.co.uk/", false, false),
            (
                "auth_session=x; Domain=localhost",
                "http://a.localhost/",
                "http://b.localhost/",
                false,
                false,
            ),
            // The host itself may be a public suffix: then it alone receives the cookie.
            (
                "auth_session=x; Domain=github.io",
                "https://github.io/",
                "https://github.io/",
                true,
                true,
            ),
            (
                "auth_session=x; Domain=github.io",
                "https://github.io/",
                "https://a.github.io/",
                true,
                false,
            ),
            (PLAIN, local, "http://127.0.0.1:3000/", true, true),
            ("auth_session=x; Domain=0.0.1", local, local, false, false),
            ("auth_session=x; Domain=127.0.0.1", local, local, true, true),
            ("auth_session=x; Path=/app", AUTH, "https://auth.example.com/app/x", true, true),
            ("auth_session=x; Path=/app", AUTH, "https://auth.example.com/apple", true, false),
        ] {
            let it = cookie(set);
            let (from, to) = (url(from), url(to));
            assert_eq!(it.refusal(&from).is_none(), is_kept, "{set} from {from}");
            assert_eq!(it.is_sent(&from, &to), is_sent, "{set} from {from} to {to}");
        }
    }

    #[test]
    fn tells_a_cookie_that_is_cleared_from_one_that_is_set() {
        let device = ("Set-Cookie", "auth_device=x; Max-Age=9");
        let set = reply(302, &[device, ("set-cookie", "auth_session=abc; Max-Age=9")]);
        let clear = reply(200, &[device, ("Set-Cookie", "auth_session=; Max-Age=0")]);
        assert_eq!(session(&set).map(|it| it.value), Some("abc".to_owned()));
        assert!(cleared(&set, "auth_session").is_none());
        assert!(session(&clear).is_none() && cleared(&clear, "auth_session").is_some());
        assert!(cleared(&clear, "__Host-auth_session").is_none());
        assert!(session(&reply(302, &[device])).is_none());
    }
}
