//! Origins and domains, as operators write them and browsers send them. Pure.

use public_suffix::{DEFAULT_PROVIDER, EffectiveTLDProvider};
use url::{Host, Url};

/// Scheme, host and port of a site: `https://auth.example.com`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    url: url::Origin,
    is_https: bool,
    host: String,
}

impl Origin {
    /// Parses an origin as an operator writes it. `None` unless it consists of `http` or `https`, a host,
    /// optionally a port, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let origin = Self::of(text)?;
        // Browsers send the canonical form; an operator may use capital letters or a final slash.
        let bare = text.trim_end_matches('/').to_ascii_lowercase();
        let plain = !bare.contains(['@', '?', '#', '\\', '*']) && bare.matches('/').count() == 2;
        plain.then_some(origin)
    }

    /// The origin of a URL. `None` unless it is `http` or `https`.
    pub fn of(address: &str) -> Option<Self> {
        Self::of_url(&Url::parse(address).ok()?)
    }

    /// The origin of a parsed URL. `None` unless it is `http` or `https`.
    pub fn of_url(url: &Url) -> Option<Self> {
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        let host = url.host_str()?.to_owned();
        Some(Self { url: url.origin(), is_https: url.scheme() == "https", host })
    }

    /// Whether browsers connect over TLS.
    pub const fn is_https(&self) -> bool {
        self.is_https
    }

    /// Whether the host is this machine: see [`is_loopback`].
    pub fn is_loopback(&self) -> bool {
        matches!(&self.url, url::Origin::Tuple(_, host, _) if is_loopback(host))
    }

    /// The host name, in lower case.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, explicit or implied by the scheme.
    pub fn port(&self) -> u16 {
        match &self.url {
            url::Origin::Tuple(_, _, port) => *port,
            url::Origin::Opaque(_) => unreachable!("http and https have hosts"),
        }
    }

    /// Whether the port is the one that the scheme implies.
    pub fn is_at_default_port(&self) -> bool {
        self.port() == if self.is_https { 443 } else { 80 }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.url.ascii_serialization())
    }
}

/// A domain and all its subdomains, as in the `Domain` of a cookie (RFC 6265 § 5.1.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Domain(String);

impl Domain {
    /// Parses a domain as an operator writes it. `None` unless it is a host name of two labels or more:
    /// browsers reject cookies for a top-level domain, and an IP address has no subdomains.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.strip_prefix('.').unwrap_or(text).to_ascii_lowercase();
        let is_host = !name.contains('_') && name.split('.').all(is_label);
        let is_name = name.len() <= 253 && name.contains('.') && is_host;
        let ends_in_digits =
            name.rsplit('.').next().is_some_and(|it| it.bytes().all(|it| it.is_ascii_digit()));
        (is_name && !ends_in_digits).then_some(Self(name))
    }

    /// Whether `host` is the domain itself or one of its subdomains.
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

/// Whether a host is this machine, so that nothing which goes there crosses a network.
pub fn is_loopback(host: &Host<impl AsRef<str>>) -> bool {
    match host {
        Host::Ipv4(it) => it.is_loopback(),
        Host::Ipv6(it) => it.is_loopback(),
        Host::Domain(it) => it.as_ref() == "localhost" || it.as_ref().ends_with(".localhost"),
    }
}

/// Whether the direct subdomains of this name (in lower case) belong to different owners, as those of
/// `com`, `co.uk` and `duckdns.org` do (publicsuffix.org). Browsers reject cookies for such a domain.
pub fn is_public_suffix(name: &str) -> bool {
    own_domain(name).is_none()
}

/// The registrable domain of a host: a public suffix and the label before it. `None` if the host is itself
/// a public suffix.
pub fn own_domain(host: &str) -> Option<&str> {
    DEFAULT_PROVIDER.effective_tld_plus_one(host).ok()
}

/// Whether this is a label of a host name (RFC 1123 § 2.1), underscores allowed, as some hosts have them.
/// The host of a parsed URL may contain other characters, even some that would end a directive of a content
/// security policy.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_'))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::parse(text).unwrap()
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
}
