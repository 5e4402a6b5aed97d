//! Which addresses a redirect may lead to. Pure.
//!
//! Decides by an address as a browser would parse it (the WHATWG URL standard, by the `url` crate), and
//! redirects to what was parsed. Anything that is not clearly a page of this site or of an app behind it is
//! rejected, and the user is sent to their profile (OWASP ASVS 3.7.2; OWASP Unvalidated Redirects Cheat
//! Sheet).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::base::origin::{Domain, Origin};

/// The longest target in bytes: whatever nginx reads, which is a request line of 8 KiB, with scheme and host before
/// it. Written into [`way`], where an `&` or a `%` becomes three bytes, it stays below the longest target of the gate.
pub const TARGET_BYTES_MAX: usize = 8 * 1024 + 512;

/// What has to be encoded in the value of a parameter: what ends it, what is decoded, and what is not allowed in a
/// query (RFC 3986 § 3.4). Proxies written in Go drop a query with a semicolon.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b':')
    .remove(b'?')
    .remove(b'=')
    .remove(b',')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'*')
    .remove(b'(')
    .remove(b')');

/// Where redirects may lead in addition to paths of this site.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Allowed {
    /// This site's origin. `None`: only paths are allowed.
    pub own: Option<Origin>,
    /// The origins of the apps. Empty: every https site of `domain` at its default port.
    pub apps: Vec<Origin>,
    /// The domain of the session cookie, if it has one.
    pub domain: Option<Domain>,
}

/// An address for a redirect: a path of this site, or a URL. It is visible ASCII, as a header requires.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    address: String,
    /// The origin of another site; `None`: this site.
    origin: Option<String>,
}

impl Target {
    /// The value for `Location`.
    pub fn as_str(&self) -> &str {
        &self.address
    }

    /// The host and any port, if it is not this site: for people.
    pub fn other_host(&self) -> Option<&str> {
        self.origin.as_deref()?.split_once("://").map(|(_, host)| host)
    }

    /// The origin, if it is not this site.
    pub fn other_origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }
}

/// Why a redirect to an address is refused, for the operator's log. It holds no path and no query.
#[derive(PartialEq, Eq, Debug)]
pub struct TargetRefusal {
    /// In one word, what is wrong.
    pub reason: &'static str,
    /// The origin of the address; `none` if it has none.
    pub origin: String,
    /// What would allow it.
    pub hint: String,
}

impl TargetRefusal {
    fn new(reason: &'static str, origin: Option<&Origin>, hint: impl Into<String>) -> Self {
        let origin = origin.map_or_else(|| "none".to_owned(), ToString::to_string);
        Self { reason, origin, hint: hint.into() }
    }
}

/// The address of a form, with the address to go to afterwards, if there is one. It is written as short as it can
/// be: proxies have limits for an address, and a form whose POST is refused has it in its own.
pub fn way(form: &str, next: Option<&str>) -> String {
    match next {
        Some(next) => {
            let separator = if form.contains('?') { '&' } else { '?' };
            format!("{form}{separator}next={}", utf8_percent_encode(next, ENCODED))
        }
        None => form.to_owned(),
    }
}

impl Allowed {
    /// The target in a request. `None` if it cannot be parsed or is not allowed.
    pub fn target(&self, text: &str) -> Option<Target> {
        // Browsers drop tabs and line breaks anywhere, and white space at either end.
        match text {
            _ if !is_plain(text) => None,
            _ if text.starts_with('/') => own_path(text),
            _ => self.address(text),
        }
    }

    /// The URL of an allowed site.
    pub fn address(&self, text: &str) -> Option<Target> {
        let url = if is_plain(text) { Url::parse(text).ok()? } else { return None };
        self.target_at(text, &url)
    }

    /// The target at a URL, if it is that of an allowed site; `text`: as it was written.
    fn target_at(&self, text: &str, url: &Url) -> Option<Target> {
        let origin = Origin::of_url(url)?;
        let (host, port) = (origin.host(), origin.port());
        // A host that is valid only after decoding was written to be misread.
        let is_plainly_written = authority(text, url).is_some_and(|it| {
            it == format!("{host}:{port}") || (origin.is_at_default_port() && it == host)
        });
        let is_own = self.own.as_ref() == Some(&origin);
        // What is written longer than it came would be refused when the form brings it back.
        if !is_plainly_written || !is_plain(url.as_str()) || !(is_own || self.is_app(&origin)) {
            return None;
        }
        let origin = (!is_own).then(|| origin.to_string());
        Some(Target { address: url.as_str().to_owned(), origin })
    }

    /// Why there is no target in a text. `None`: there is one.
    pub fn refusal(&self, text: &str) -> Option<TargetRefusal> {
        let url = Url::parse(text).ok();
        let found = match &url {
            _ if !is_plain(text) => None,
            Some(url) => self.target_at(text, url),
            // A path of this site does not parse by itself.
            None if text.starts_with('/') => own_path(text),
            None => None,
        };
        if found.is_some() {
            return None;
        }
        let origin = url.as_ref().and_then(Origin::of_url);
        let length = url.as_ref().map_or(text.len(), |it| it.as_str().len()).max(text.len());
        if length > TARGET_BYTES_MAX {
            let hint = format!("it has {length} bytes, and {TARGET_BYTES_MAX} are the most");
            return Some(TargetRefusal::new("too_long", origin.as_ref(), hint));
        }
        let Some(origin) = origin else {
            let hint = "only a path of this site and the URL of an app are followed";
            return Some(TargetRefusal::new("malformed", None, hint));
        };
        let (reason, hint) = self.fault_of(&origin);
        Some(TargetRefusal::new(reason, Some(&origin), hint))
    }

    /// What is wrong with an address at this origin that is not followed, in one word, and what would allow it.
    fn fault_of(&self, origin: &Origin) -> (&'static str, String) {
        let app = format!("--app {origin}");
        match self.namesake(origin) {
            Some(known) if known == *origin => {
                ("malformed", "the address is written otherwise than browsers do".to_owned())
            }
            Some(known) if known.is_https() != origin.is_https() => {
                let hint = format!(
                    "it is {known}; let the proxy set X-Forwarded-Proto, or the whole X-Original-URL"
                );
                ("other_scheme", hint)
            }
            Some(_) => ("other_port", format!("if it is yours, allow it with {app}")),
            None if self.own.is_none() => {
                ("unknown_host", format!("if it is yours, allow it with --origin and {app}"))
            }
            None if self.reaches(origin.host()) => {
                ("unknown_host", format!("if it is yours, allow it with {app}"))
            }
            None => {
                let hint = format!(
                    "if it is yours, allow it with {app} and the --cookie-domain above both hosts"
                );
                ("unknown_host", hint)
            }
        }
    }

    /// The allowed site on the host of this origin, if there is one, whatever its scheme and port.
    fn namesake(&self, origin: &Origin) -> Option<Origin> {
        let known = || self.own.iter().chain(&self.apps).filter(|it| it.host() == origin.host());
        let found = known().find(|it| *it == origin).or_else(|| known().next());
        found.cloned().or_else(|| match self.apps[..] {
            [] if self.reaches(origin.host()) => {
                Origin::parse(&format!("https://{}", origin.host()))
            }
            _ => None,
        })
    }

    /// Whether browsers send the session cookie to this host.
    fn reaches(&self, host: &str) -> bool {
        self.own.as_ref().is_some_and(|it| it.host() == host)
            || self.domain.as_ref().is_some_and(|it| it.covers(host))
    }

    fn is_app(&self, origin: &Origin) -> bool {
        match &self.domain {
            Some(domain) if self.apps.is_empty() => {
                origin.is_https() && origin.is_at_default_port() && domain.covers(origin.host())
            }
            _ => self.apps.contains(origin),
        }
    }
}

/// The text between scheme and path, in lower case. `None` if a browser would have to guess where it is: a
/// backslash for a slash, a slash too few or too many.
fn authority(text: &str, url: &Url) -> Option<String> {
    let scheme = url.scheme().len();
    let is_marked = text.get(scheme..scheme + 3) == Some("://");
    let rest = text.get(scheme + 3..).filter(|_| is_marked)?;
    let before_query = rest.split(['?', '#']).next().unwrap_or("");
    let host = before_query.split('/').next().unwrap_or("");
    (!before_query.contains('\\')).then(|| host.to_ascii_lowercase())
}

/// A path of this site that no parser, however lenient, takes for a URL of another site.
///
/// It is stricter than browsers, since the path may be decoded once more on its way: `/.//e.com`,
/// `/%2e//e.com` and `/%2F/e.com` all become `//e.com` somewhere.
fn own_path(text: &str) -> Option<Target> {
    let base = Url::parse("https://own.invalid").expect("it is an address");
    let url = base.join(text).ok().filter(|url| url.origin() == base.origin())?;
    let path = text.split(['?', '#']).next().unwrap_or("");
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    let is_tricky = |it: &str| {
        it.contains(['\\', '%'])
            || it.chars().any(|it| it.is_control() || it.is_whitespace())
            || it.contains("//")
            || it.split('/').any(|segment| matches!(segment, "." | ".."))
    };
    let segments = |it: &str| it.matches('/').count();
    let is_same = segments(path) == segments(&decoded) && segments(path) == segments(url.path());
    if is_tricky(&decoded) || !is_same || text.contains('\\') {
        return None;
    }
    let address = url[url::Position::BeforePath..].to_owned();
    let is_good = address.starts_with('/') && is_plain(&address);
    is_good.then_some(Target { address, origin: None })
}

/// Whether it fits into a header, and into our limits.
fn is_plain(text: &str) -> bool {
    text.len() <= TARGET_BYTES_MAX && text.bytes().all(|it| it.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn origin(text: &str) -> Origin {
        Origin::parse(text).unwrap()
    }

    fn of_domain() -> Allowed {
        Allowed {
            own: Some(origin("https://auth.example.com")),
            apps: Vec::new(),
            domain: Domain::parse("example.com"),
        }
    }

    fn of_apps() -> Allowed {
        let apps = vec![origin("https://app.example.com"), origin("https://wiki.example.com:8443")];
        Allowed { apps, ..of_domain() }
    }

    fn at(allowed: &Allowed, text: &str) -> Option<String> {
        allowed.target(text).map(|it| it.as_str().to_owned())
    }

    /// Where a browser ends up that is redirected to this target from our sign-in page.
    fn lands(target: &Target) -> Url {
        Url::parse("https://auth.example.com/login?next=x").unwrap().join(target.as_str()).unwrap()
    }

    #[test]
    fn keeps_an_address_whole_that_is_allowed() {
        for address in [
            "https://app.example.com/",
            "https://app.example.com/a/b?x=1&y=%C3%A4%20z&next=https://app.example.com/#part",
            "https://example.com/",
            "https://a.b.example.com/deep",
            "https://auth.example.com/account",
            "https://app.example.com/a//b?c=//d",
            "https://app.example.com/wiki/%2F%2Fx?q=a\\b",
            "/",
            "/account",
            "/account/sessions?x=1&y=2",
            "/account#delete",
            "/account?to=//e.com/../x",
        ] {
            assert_eq!(at(&of_domain(), address).as_deref(), Some(address));
        }
        for (written, sent) in [
            ("https://EXAMPLE.com", "https://example.com/"),
            ("HTTPS://app.example.com/x", "https://app.example.com/x"),
            ("https://app.example.com:443/x", "https://app.example.com/x"),
            ("https://app.example.com/a/../b", "https://app.example.com/b"),
            ("https://app.example.com?x", "https://app.example.com/?x"),
        ] {
            assert_eq!(at(&of_domain(), written).as_deref(), Some(sent));
        }
    }

    #[test]
    fn keeps_to_the_listed_apps_where_some_are_listed() {
        for (address, expected) in [
            ("https://app.example.com/x", true),
            ("https://wiki.example.com:8443/x", true),
            ("https://wiki.example.com/x", false),
            ("https://app.example.com:8443/x", false),
            ("https://other.example.com/x", false),
            ("https://example.com/x", false),
            ("http://app.example.com/x", false),
            ("https://auth.example.com/account", true),
        ] {
            assert_eq!(at(&of_apps(), address).is_some(), expected, "{address}");
        }
    }

    #[test]
    fn allows_paths_alone_where_nothing_is_said_of_other_sites() {
        let plain = Allowed::default();
        assert!(at(&plain, "/account").is_some());
        assert!(at(&plain, "https://example.com/").is_none());
        let own = Allowed { own: Some(origin("http://127.0.0.1:8080")), ..plain };
        assert!(at(&own, "http://127.0.0.1:8080/account").is_some());
        assert!(at(&own, "http://127.0.0.1:8081/account").is_none());
    }

    #[test]
    fn tells_the_operator_what_was_refused_and_which_setting_would_allow_it() {
        let of_site =
            || Allowed { own: Some(origin("https://auth.example.com")), ..Allowed::default() };
        for (allowed, text, expected) in [
            (of_apps(), "http://app.example.com/x?token=y", ("other_scheme", "X-Forwarded-Proto")),
            (of_domain(), "http://new.example.com/", ("other_scheme", "X-Forwarded-Proto")),
            (
                of_apps(),
                "https://app.example.com:8443/",
                ("other_port", "--app https://app.example.com:8443"),
            ),
            (
                of_domain(),
                "https://new.example.com:81/",
                ("other_port", "--app https://new.example.com:81"),
            ),
            (
                of_apps(),
                "https://new.example.com/",
                ("unknown_host", "with --app https://new.example.com"),
            ),
            (
                of_domain(),
                "https://e.com/a?b",
                ("unknown_host", "--app https://e.com and the --cookie-domain"),
            ),
            (of_site(), "https://app.example.com", ("unknown_host", "and the --cookie-domain")),
            (
                Allowed::default(),
                "https://e.com/",
                ("unknown_host", "--origin and --app https://e.com"),
            ),
            (of_apps(), "//e.com", ("malformed", "only a path")),
            (of_apps(), "javascript:alert(1)", ("malformed", "only a path")),
            (of_apps(), "https://ann:pw@app.example.com/", ("malformed", "written otherwise")),
        ] {
            let told = allowed.refusal(text).unwrap();
            assert!(
                told.reason == expected.0 && told.hint.contains(expected.1),
                "{text}: {told:?}"
            );
            let said = format!("{told:?}");
            assert!(
                !said.contains("token") && !said.contains("pw") && told.hint.len() < 250,
                "{said}"
            );
        }
        assert_eq!(of_apps().refusal("/account"), None);
        for allowed in [of_domain(), of_apps(), Allowed::default()] {
            let told = corpus().iter().filter(|it| allowed.refusal(it).is_none()).count();
            assert_eq!(told, 0, "every refused address is told");
        }
    }

    #[test]
    fn names_another_site_for_the_form_that_leads_there() {
        let other = |text: &str| of_apps().target(text).unwrap().other_origin().map(str::to_owned);
        assert_eq!(
            other("https://wiki.example.com:8443/x").unwrap(),
            "https://wiki.example.com:8443"
        );
        assert_eq!(other("https://auth.example.com/account"), None);
        assert_eq!(other("/account"), None);
    }

    /// Hosts that an attacker controls, or would like to.
    const HOSTS: [&str; 12] = [
        "e.com",
        "evil.example",
        "evilexample.com",
        "example.com.e.com",
        "app.example.com.e.com",
        "xn--exmple-cua.com",
        "192.0.2.1",
        "[2001:db8::1]",
        "3221225985",
        "0xc0000201",
        "localhost",
        "example.org",
    ];

    /// Ways to write another host so that a careless parser takes it for a path or for our host.
    const SHAPES: [&str; 58] = [
        "//{}",
        "///{}",
        "////{}",
        "/\\{}",
        "\\/{}",
        "\\\\{}",
        "\\{}",
        "/\\/{}",
        "/\\\\{}",
        "/%09/{}",
        "/\t/{}",
        "\t//{}",
        " //{}",
        "/ /{}",
        "/\n/{}",
        "/\r\n/{}",
        "\r\n//{}",
        "/.//{}",
        "/..//{}",
        "/x/..//{}",
        "/./\\{}",
        "/%2e//{}",
        "/%2e%2e//{}",
        "/%2E/%2e//{}",
        "/%2f{}",
        "/%2F%2F{}",
        "/%5c{}",
        "/%5C%5C{}",
        "/%252f{}",
        "/.%2f{}",
        "/;//{}",
        "https:{}",
        "https:/{}",
        "https:///{}",
        "https:////{}",
        "https:\\\\{}",
        "https:/\\{}",
        "https:\\/{}",
        "http:{}",
        "https://{}",
        "http://{}",
        "HTTPS://{}",
        "hTtPs:\\\\{}",
        "https://app.example.com@{}",
        "https://app.example.com:x@{}",
        "https://app.example.com\\@{}",
        "https://app.example.com%40{}",
        "https://{}#@app.example.com",
        "https://{}?@app.example.com/",
        "https://{}\\.example.com",
        "https://{}%2f.example.com",
        "https://{}%23.example.com",
        "https://{}%00.example.com",
        "https:// {}",
        "ftp://{}",
        "ws://{}",
        "//app.example.com@{}",
        "{}",
    ];

    /// Values that need no host.
    const OTHERS: [&str; 46] = [
        "",
        " ",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\nscript:alert(1)",
        "\u{1}javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "about:blank",
        "blob:https://app.example.com/x",
        "view-source:https://app.example.com",
        "mailto:a@example.com",
        "app.example.com",
        "app.example.com/x",
        "?x",
        "#x",
        "account",
        "./account",
        "../account",
        ".",
        "..",
        "https:app.example.com",
        "https:/app.example.com",
        "https:\\\\app.example.com",
        "https://app.example.com:8443/",
        "https://app.example.com:80/",
        "https://app.example.com:/",
        "http://app.example.com/",
        "https://ann@app.example.com/",
        "https://:pw@app.example.com/",
        "https://@app.example.com/",
        "https://app%2eexample.com/",
        "https://app.example.com./",
        "https://.example.com/",
        "https://app.example.com\\/x",
        "https://app.example.com\t/",
        "https://app.example.com/\r\nSet-Cookie: a=b",
        "/account\r\nSet-Cookie: a=b",
        "https://аpp.example.com/",
        "https://ａpp.example.com/",
        "https://app。example.com/",
        "https://app.exam\u{ad}ple.com/",
        "/\u{2028}/e.com",
        "/ü",
        "https://app.example.com/ü",
    ];

    /// All hostile values: more than 700.
    fn corpus() -> Vec<String> {
        let shaped = SHAPES.iter().flat_map(|it| HOSTS.map(|host| it.replace("{}", host)));
        shaped.chain(OTHERS.map(str::to_owned)).collect()
    }

    #[test]
    fn sends_no_visitor_to_another_site_whatever_is_asked_for() {
        let all = corpus();
        assert!(all.len() > 700, "{}", all.len());
        for allowed in [of_domain(), of_apps(), Allowed::default()] {
            for text in &all {
                let sent = allowed.target(text).map(|it| lands(&it).to_string());
                assert_eq!(sent, None, "{text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn lands_on_an_allowed_site_from_any_text(text in "[/\\\\.@:#?%a-z0-9 \t\n\\[\\]]{0,40}") {
            for allowed in [of_domain(), of_apps()] {
                if let Some(target) = allowed.target(&text) {
                    prop_assert!(of_domain().address(lands(&target).as_str()).is_some(), "{}", text);
                }
            }
        }

        #[test]
        fn stays_on_this_site_though_a_path_is_decoded_once_more(path in "/[/.%2fFeE5cC09a?#]{0,12}") {
            if let Some(target) = of_domain().target(&path) {
                let path = target.as_str().split(['?', '#']).next().unwrap();
                let again = percent_decode_str(path).decode_utf8_lossy().into_owned();
                let lands = lands(&target).join(&again).unwrap();
                prop_assert_eq!(lands.host_str(), Some("auth.example.com"), "{}", again);
            }
        }

        #[test]
        fn lands_on_an_allowed_site_from_any_authority(
            authority in "[a-z.@:%\\\\\\[\\]0-9-]{0,20}", tail in "(\\.example\\.com|@app\\.example\\.com)?[/?#]{0,2}"
        ) {
            let text = format!("https://{authority}{tail}");
            if let Some(target) = of_domain().target(&text) {
                let host = lands(&target).host_str().unwrap().to_owned();
                prop_assert!(Domain::parse("example.com").unwrap().covers(&host), "{}", text);
            }
        }
    }
}
