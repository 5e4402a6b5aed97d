//! Whether a request was made by another site. Pure.
//!
//! Decides by what browsers report about a request's origin. This is the whole defence against cross-site
//! request forgery, at sign-in and sign-up too; `SameSite=Lax` on the session cookie is the second line.

use crate::base::origin::Origin;
use crate::web::http::Request;

/// How requests of this site are told from others.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rule {
    /// The site's own origin. `None`: the `Host` of the request, with any scheme.
    pub own: Option<Origin>,
    /// Other origins that may send requests here.
    pub trusted: Vec<Origin>,
    /// Refuse requests that report no origin, such as those of scripts.
    pub strict: bool,
}

/// Whether a request was made by another site and must be refused, before its body or its session is looked
/// at.
///
/// `Sec-Fetch-Site` decides, else `Origin`, else `Referer`; a request with none of the three passes unless
/// the rule is strict. Every browser since 2020 sends `Origin` with a cross-site POST and no page can
/// suppress it, so a request without any of them is not a browser's, and a forgery needs a browser. (OWASP
/// CSRF Prevention Cheat Sheet, Fetch Metadata; Go's `CrossOriginProtection`. Unlike Go we compare the
/// scheme too, and read `Referer`.)
pub fn is_cross_origin(request: &Request, rule: &Rule) -> bool {
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
        // `null`, which sandboxed pages send, is not a URL and so counts as another site.
        (None, Some(from)) => !Origin::of(from).is_some_and(|it| is_ours(&it, request, rule)),
        (None, None) => rule.strict,
    }
}

/// Why a request counts as another site's, for the operator's log. It holds no path and no query.
#[derive(PartialEq, Eq, Debug)]
pub struct OriginMismatch {
    /// In one word, what differs.
    pub reason: &'static str,
    /// The origin that the request names; `none`, `null` or `unreadable` if that is what it says.
    pub origin: String,
    /// The origin that it should have named.
    pub expected: String,
    /// What the operator can do if the request was legitimate.
    pub hint: &'static str,
}

/// Why a request is refused that [`is_cross_origin`] is true of.
pub fn mismatch(request: &Request, rule: &Rule) -> OriginMismatch {
    let sent = request.value("origin").or_else(|| request.value("referer"));
    let origin = sent.and_then(Origin::of);
    let is_repeated =
        ["sec-fetch-site", "origin", "referer"].into_iter().any(|name| request.repeats(name));
    let expected = rule.own.clone().or_else(|| addressed(request, origin.as_ref()));
    let (reason, hint) = match (&origin, &expected) {
        _ if is_repeated => {
            ("repeated", "a proxy must not add a second Origin, Referer or Sec-Fetch-Site")
        }
        (Some(origin), Some(expected)) => difference(origin, expected, rule),
        (Some(_), None) => ("no_host", "let the proxy pass Host on, and set --origin"),
        (None, _) => silence(sent),
    };
    let text = |it: Option<Origin>, otherwise: &str| {
        it.map_or_else(|| otherwise.to_owned(), |it| it.to_string())
    };
    let otherwise = match sent {
        None => "none",
        Some("null") => "null",
        Some(_) => "unreadable",
    };
    OriginMismatch {
        reason,
        origin: text(origin, otherwise),
        expected: text(expected, "none"),
        hint,
    }
}

/// In what another origin differs from the site's, and what to do if it is the site's.
fn difference(origin: &Origin, expected: &Origin, rule: &Rule) -> (&'static str, &'static str) {
    let is_configured = rule.own.is_some();
    if origin == expected {
        ("cross_site", "the browser says that a page of another site caused it")
    } else if !is_configured {
        ("other_host", "behind a proxy, set --origin to where browsers reach the site")
    } else if origin.host() != expected.host() {
        (
            "other_host",
            "correct --origin if browsers reach this site there; for pages of yours that may send forms here, \
             there is --trusted-origin",
        )
    } else if origin.is_https() != expected.is_https() {
        ("other_scheme", "let browsers use the scheme of --origin, or correct --origin")
    } else {
        ("other_port", "let browsers use the port of --origin, or correct --origin")
    }
}

/// What it means that a request names no origin.
fn silence(sent: Option<&str>) -> (&'static str, &'static str) {
    match sent {
        None => (
            "no_origin",
            "--strict-origin refuses requests that name no origin, such as those of scripts",
        ),
        Some("null") => (
            "no_origin",
            "a proxy that adds Referrer-Policy: no-referrer makes browsers send null, and so does a sandboxed frame",
        ),
        Some(_) => ("no_origin", "what the request names is no http or https origin"),
    }
}

/// The origin that a request is addressed to by its `Host`, with the scheme of `other`, which also implies the
/// default port: the connection itself does not tell whether TLS ended at a proxy.
fn addressed(request: &Request, other: Option<&Origin>) -> Option<Origin> {
    let host = request.value("host").filter(|_| !request.repeats("host"))?;
    let scheme = if other.is_some_and(Origin::is_https) { "https" } else { "http" };
    Origin::parse(&format!("{scheme}://{host}"))
}

fn is_ours(origin: &Origin, request: &Request, rule: &Rule) -> bool {
    rule.trusted.contains(origin)
        || match &rule.own {
            Some(own) => own == origin,
            None => addressed(request, Some(origin)).as_ref() == Some(origin),
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::http::Method;
    use proptest::prelude::*;
    use url::Url;

    const HOST: (&str, &str) = ("Host", "127.0.0.1:8080");

    fn origin(text: &str) -> Origin {
        Origin::parse(text).unwrap()
    }

    fn of_example() -> Rule {
        Rule { own: Some(origin("https://auth.example.com")), ..Rule::default() }
    }

    fn posted(headers: &[(&str, &str)]) -> Request {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Request {
            method: Method::Post,
            path: "/login".to_owned(),
            query: String::new(),
            headers: headers.iter().map(owned).collect(),
            body: Vec::new(),
            peer: None,
        }
    }

    fn foreign(rule: &Rule, headers: &[(&str, &str)]) -> bool {
        is_cross_origin(&posted(headers), rule)
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
    fn tells_the_operator_in_what_an_origin_differs_and_nothing_of_the_path() {
        let bare = Rule::default();
        let ours = of_example();
        let host = ("Host", "auth.example.com");
        for (rule, headers, expected) in [
            (
                &ours,
                &[("Origin", "http://auth.example.com")][..],
                "other_scheme http://auth.example.com",
            ),
            (
                &ours,
                &[("Origin", "https://auth.example.com:8443")],
                "other_port https://auth.example.com:8443",
            ),
            (
                &ours,
                &[("Referer", "https://evil.example/a?token=x#y")],
                "other_host https://evil.example",
            ),
            (&ours, &[("Origin", "null")], "no_origin null"),
            (&ours, &[("Origin", "https://ann:secret@")], "no_origin unreadable"),
            (&ours, &[("Sec-Fetch-Site", "cross-site")], "no_origin none"),
            (
                &ours,
                &[("Sec-Fetch-Site", "cross-site"), ("Origin", "https://auth.example.com")],
                "cross_site https://auth.example.com",
            ),
            (
                &ours,
                &[("Origin", "https://a.test"), ("Origin", "https://b.test")],
                "repeated https://a.test",
            ),
            (&bare, &[host, ("Origin", "https://app.test")], "other_host https://app.test"),
            (&bare, &[("Origin", "https://app.test")], "no_host https://app.test"),
        ] {
            let told = mismatch(&posted(headers), rule);
            assert_eq!(format!("{} {}", told.reason, told.origin), expected);
            let own = rule
                .own
                .as_ref()
                .map_or("https://auth.example.com".to_owned(), ToString::to_string);
            let is_known = told.reason != "no_host";
            assert_eq!(
                told.expected,
                if is_known { own } else { "none".to_owned() },
                "{headers:?}"
            );
            assert!((20..200).contains(&told.hint.len()), "{told:?}");
            assert!(foreign(rule, headers), "{headers:?}");
        }
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
            assert_eq!(is_cross_origin(&request, &of_example()), expected, "{name}");
        }
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
