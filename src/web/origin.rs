//! Was this request made by another site? Pure.
//!
//! Decides it from what browsers say about a request's origin. This is the whole defence against
//! cross-site request forgery, sign-in and sign-up included; the session cookie's `SameSite=Lax`
//! stands behind it.

use public_suffix::{DEFAULT_PROVIDER, EffectiveTLDProvider};
use url::Url;

use crate::web::http::Request;

/// Scheme, host and port of a site: `https://auth.example.com`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    url: url::Origin,
    is_https: bool,
    host: String,
}

impl Origin {
    /// Reads an origin as an operator writes it. `None` unless it is `http` or `https`, a host and
    /// perhaps a port, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let origin = Self::of(text)?;
        // What browsers send is the canonical form; an operator may write capitals or a final /.
        let bare = text.trim_end_matches('/').to_ascii_lowercase();
        let plain = !bare.contains(['@', '?', '#', '\\', '*']) && bare.matches('/').count() == 2;
        plain.then_some(origin)
    }

    /// The origin of any `http` or `https` address.
    fn of(address: &str) -> Option<Self> {
        Self::of_url(&Url::parse(address).ok()?)
    }

    /// The origin of an address that was read. `None` unless it is `http` or `https`.
    pub fn of_url(url: &Url) -> Option<Self> {
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        let host = url.host_str()?.to_owned();
        Some(Self { url: url.origin(), is_https: url.scheme() == "https", host })
    }

    /// Whether browsers reach it over TLS.
    pub const fn is_https(&self) -> bool {
        self.is_https
    }

    /// Its host name, in lower case.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port, be it the one that the scheme implies.
    pub fn port(&self) -> u16 {
        match &self.url {
            url::Origin::Tuple(_, _, port) => *port,
            url::Origin::Opaque(_) => unreachable!("http and https have hosts"),
        }
    }

    /// Whether its port is the one that the scheme implies.
    pub fn is_at_default_port(&self) -> bool {
        self.port() == if self.is_https { 443 } else { 80 }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.url.ascii_serialization())
    }
}

/// A domain and all that is below it, as in the `Domain` of a cookie (RFC 6265 § 5.1.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Domain(String);

impl Domain {
    /// Reads a domain as an operator writes it. `None` unless it is a host name of two labels or more:
    /// browsers keep no cookie for a whole top-level domain, and none for the neighbours of an address.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.strip_prefix('.').unwrap_or(text).to_ascii_lowercase();
        let is_host = !name.contains('_') && name.split('.').all(is_label);
        let is_name = name.len() <= 253 && name.contains('.') && is_host;
        let ends_in_digits =
            name.rsplit('.').next().is_some_and(|it| it.bytes().all(|it| it.is_ascii_digit()));
        (is_name && !ends_in_digits).then_some(Self(name))
    }

    /// Whether this host is the domain itself or below it.
    pub fn covers(&self, host: &str) -> bool {
        host.strip_suffix(&*self.0).is_some_and(|rest| match rest.strip_suffix('.') {
            Some(labels) => labels.split('.').all(is_label),
            None => rest.is_empty(),
        })
    }

    /// The domain, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether hosts right below this name, which is in lower case, belong to different people, as those of
/// `com`, `co.uk` and `duckdns.org` do (publicsuffix.org). Browsers keep no cookie for all of them.
pub fn is_public_suffix(name: &str) -> bool {
    own_domain(name).is_none()
}

/// The domain of whoever this host belongs to: a public suffix and the label before it. `None` if it is a
/// public suffix itself.
pub fn own_domain(host: &str) -> Option<&str> {
    DEFAULT_PROVIDER.effective_tld_plus_one(host).ok()
}

/// A part of a host name (RFC 1123 § 2.1), or one with the underscores that some have. A URL may have
/// other characters in its host, even some that would end a directive of a content security policy.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_'))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Which requests belong to this site.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rule {
    /// The site's own origin. `None`: whatever host the browser asked for, over any scheme.
    pub own: Option<Origin>,
    /// Other sites that may post here.
    pub trusted: Vec<Origin>,
    /// Refuse what says nothing about its origin, as a script does.
    pub strict: bool,
}

/// Whether the request was made by another site, and has to be refused before its body or its
/// session is looked at.
///
/// `Sec-Fetch-Site` decides, else `Origin`, else `Referer`; with none of the three the request
/// passes unless the rule is strict. Every browser since 2020 sends `Origin` with a cross-site
/// POST and no page can suppress it, so a request without any of them is not a browser's, and a
/// forgery needs a browser. (OWASP CSRF Prevention Cheat Sheet, Fetch Metadata; Go's
/// `CrossOriginProtection`. Unlike Go we compare the scheme too, and heed `Referer`.)
pub fn is_foreign(request: &Request, rule: &Rule) -> bool {
    if request.method.is_safe() {
        return false;
    }
    if request.repeats("sec-fetch-site") || request.repeats("origin") || request.repeats("referer")
    {
        return true;
    }
    let origin = request.value("origin");
    match (request.value("sec-fetch-site"), origin.or_else(|| request.value("referer"))) {
        (Some("same-origin" | "none"), _) => false,
        (Some(_), _) => !origin.and_then(Origin::of).is_some_and(|it| rule.trusted.contains(&it)),
        // `null`, for a sandboxed page or one that hides itself, is no address and so foreign.
        (None, Some(from)) => !Origin::of(from).is_some_and(|it| is_ours(&it, request, rule)),
        (None, None) => rule.strict,
    }
}

fn is_ours(origin: &Origin, request: &Request, rule: &Rule) -> bool {
    rule.trusted.contains(origin)
        || match &rule.own {
            Some(own) => own == origin,
            None => is_addressed(origin, request),
        }
}

/// Whether the request is addressed to this origin by its `Host`. Default ports are implied by the
/// scheme of the origin, as the connection itself does not tell whether TLS ended at a proxy.
fn is_addressed(origin: &Origin, request: &Request) -> bool {
    let Some(host) = request.value("host") else { return false };
    let scheme = if origin.is_https { "https" } else { "http" };
    !request.repeats("host")
        && Origin::parse(&format!("{scheme}://{host}")).as_ref() == Some(origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::http::Method;
    use proptest::prelude::*;

    const HOST: (&str, &str) = ("Host", "127.0.0.1:8080");

    fn origin(text: &str) -> Origin {
        Origin::parse(text).unwrap()
    }

    fn of_example() -> Rule {
        Rule { own: Some(origin("https://auth.example.com")), ..Rule::default() }
    }

    fn foreign(rule: &Rule, headers: &[(&str, &str)]) -> bool {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let request = Request {
            method: Method::Post,
            path: "/login".to_owned(),
            query: String::new(),
            headers: headers.iter().map(owned).collect(),
            body: Vec::new(),
            peer: None,
        };
        is_foreign(&request, rule)
    }

    #[test]
    fn believes_what_the_browser_says_of_the_site_first() {
        let evil = ("Origin", "https://evil.example");
        for (value, expected) in [
            ("same-origin", false),
            ("none", false),
            ("same-site", true),
            ("cross-site", true),
            ("", true),
        ] {
            let said = ("Sec-Fetch-Site", value);
            assert_eq!(foreign(&of_example(), &[HOST, said]), expected, "{value}");
            assert_eq!(foreign(&of_example(), &[HOST, said, evil]), expected, "{value}");
            assert_eq!(foreign(&Rule::default(), &[HOST, said]), expected, "{value}");
        }
    }

    #[test]
    fn compares_scheme_host_and_port_with_the_configured_origin() {
        for (value, expected) in [
            ("https://auth.example.com", false),
            ("https://auth.example.com:443", false),
            ("http://auth.example.com", true),
            ("https://auth.example.com:8443", true),
            ("https://example.com", true),
            ("https://auth.example.com.evil.example", true),
            ("https://evil.example/https://auth.example.com", true),
            ("https://auth.example.com@evil.example", true),
            ("null", true),
            ("", true),
            ("auth.example.com", true),
            ("file:///etc/passwd", true),
        ] {
            let headers = [("Host", "auth.example.com"), ("Origin", value)];
            assert_eq!(foreign(&of_example(), &headers), expected, "{value}");
        }
    }

    #[test]
    fn compares_with_the_host_asked_for_when_no_origin_is_configured() {
        for (host, value, expected) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080", false),
            ("localhost:8080", "http://localhost:8080", false),
            ("LocalHost:8080", "http://localhost:8080", false),
            ("app.test", "https://app.test", false),
            ("app.test:443", "https://app.test", false),
            ("[::1]:8080", "http://[::1]:8080", false),
            ("127.0.0.1:8080", "http://localhost:8080", true),
            ("127.0.0.1:8080", "http://127.0.0.1:8081", true),
            ("app.test", "http://app.test:8080", true),
            ("app.test", "null", true),
            ("app.test/x", "http://app.test", true),
            ("evil@app.test", "http://app.test", true),
            ("", "http://app.test", true),
        ] {
            let headers = [("Host", host), ("Origin", value)];
            assert_eq!(foreign(&Rule::default(), &headers), expected, "{value} to {host}");
        }
        assert!(foreign(&Rule::default(), &[("Origin", "http://app.test")]), "no Host at all");
        let two = [("Host", "app.test"), ("Host", "x"), ("Origin", "http://app.test")];
        assert!(foreign(&Rule::default(), &two), "two Hosts");
    }

    #[test]
    fn heeds_the_referrer_when_there_is_no_origin() {
        let refers = |value| foreign(&of_example(), &[("Referer", value)]);
        assert!(!refers("https://auth.example.com/login?x=1"));
        assert!(refers("https://evil.example/auth.example.com"));
        assert!(refers("not an address"));
        let both = [("Origin", "https://auth.example.com"), ("Referer", "https://evil.example/")];
        assert!(!foreign(&of_example(), &both), "the origin is the better witness");
    }

    #[test]
    fn lets_a_script_pass_that_says_nothing_unless_the_rule_is_strict() {
        assert!(!foreign(&of_example(), &[HOST]));
        assert!(!foreign(&Rule::default(), &[HOST]));
        assert!(foreign(&Rule { strict: true, ..of_example() }, &[HOST]));
    }

    #[test]
    fn refuses_a_request_that_says_it_twice() {
        for header in [
            ("Origin", "https://auth.example.com"),
            ("Sec-Fetch-Site", "same-origin"),
            ("Referer", "https://auth.example.com/"),
        ] {
            assert!(!foreign(&of_example(), &[header]), "{header:?}");
            assert!(foreign(&of_example(), &[header, header]), "{header:?}");
        }
    }

    #[test]
    fn lets_trusted_sites_post_and_no_others() {
        let rule = Rule { trusted: vec![origin("https://app.example.com")], ..of_example() };
        let cross = ("Sec-Fetch-Site", "cross-site");
        assert!(!foreign(&rule, &[cross, ("Origin", "https://app.example.com")]));
        assert!(!foreign(&rule, &[("Origin", "https://app.example.com")]));
        assert!(foreign(&rule, &[cross, ("Origin", "https://evil.example")]));
        assert!(foreign(&rule, &[cross]));
    }

    #[test]
    fn asks_nothing_of_requests_that_change_nothing() {
        for (name, expected) in
            [("GET", false), ("HEAD", false), ("OPTIONS", false), ("DELETE", true), ("get", true)]
        {
            let request = Request {
                method: Method::parse(name),
                path: "/".to_owned(),
                query: String::new(),
                headers: vec![("Origin".to_owned(), "https://evil.example".to_owned())],
                body: Vec::new(),
                peer: None,
            };
            assert_eq!(is_foreign(&request, &of_example()), expected, "{name}");
        }
    }

    #[test]
    fn reads_a_domain_that_a_browser_would_keep_a_cookie_for() {
        let domain = Domain::parse(".Example.com").unwrap();
        assert_eq!(domain.as_str(), "example.com");
        for (host, expected) in [
            ("example.com", true),
            ("app.example.com", true),
            ("a.b.example.com", true),
            ("evilexample.com", false),
            ("example.com.evil.example", false),
            ("app.example.com.", false),
            (".example.com", false),
            ("a..example.com", false),
            (";app.example.com", false),
            ("'none'.example.com", false),
            ("my_app.example.com", true),
            ("com", false),
        ] {
            assert_eq!(domain.covers(host), expected, "{host}");
        }
        assert!(Domain::parse("my.home").is_some());
        for bad in [
            "",
            "com",
            "home",
            "192.0.2.1",
            "[::1]",
            "a..b",
            "-a.com",
            "a_b.com",
            "a.com/",
            "https://a.com",
            "ä.com",
            "a.com.",
            "*.a.com",
        ] {
            assert!(Domain::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn knows_the_names_below_which_hosts_belong_to_different_people() {
        for suffix in [
            "com",
            "co.uk",
            "com.au",
            "duckdns.org",
            "github.io",
            "foo.ck",
            "home",
            "localhost",
            "xn--55qx5d.cn",
            "s3.amazonaws.com",
            "ngrok.io",
            "pages.dev",
            "herokuapp.com",
        ] {
            assert!(is_public_suffix(suffix), "{suffix}");
        }
        for (host, own) in [
            ("example.com", "example.com"),
            ("auth.example.co.uk", "example.co.uk"),
            ("a.anna.duckdns.org", "anna.duckdns.org"),
            ("www.ck", "www.ck"),
            ("my.home", "my.home"),
            ("a.b.test", "b.test"),
        ] {
            assert_eq!(own_domain(host), Some(own));
        }
    }

    #[test]
    fn reads_origins_and_nothing_more() {
        for good in [
            "https://auth.example.com",
            "https://auth.example.com/",
            "HTTPS://Auth.Example.com:8443",
            "http://localhost:8080",
            "http://[::1]:8080",
        ] {
            assert!(Origin::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "auth.example.com",
            "//auth.example.com",
            "ftp://auth.example.com",
            "https://",
            "https://auth.example.com/login",
            "https://auth.example.com?x",
            "https://auth.example.com#x",
            "https://ann@auth.example.com",
            "https:\\\\auth.example.com",
            "https://*.example.com",
            "https://auth.example.com:99999",
        ] {
            assert!(Origin::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(origin("HTTPS://Auth.Example.com:443/").to_string(), "https://auth.example.com");
    }

    proptest! {
        #[test]
        fn takes_no_text_for_our_origin_but_our_origin(value in "[ -~]{0,60}") {
            let sent = [("Origin", &*value)];
            let expected = Url::parse(&value)
                .is_ok_and(|url| url.origin().ascii_serialization() == "https://auth.example.com");
            prop_assert_eq!(!foreign(&of_example(), &sent), expected);
        }

        #[test]
        fn refuses_every_other_host(host in "[a-z0-9.-]{1,30}") {
            prop_assume!(host != "auth.example.com");
            let origin = format!("https://{host}");
            prop_assert!(foreign(&of_example(), &[("Origin", &*origin)]));
        }
    }
}
