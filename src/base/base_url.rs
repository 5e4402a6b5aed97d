//! The URL of the site as the operator writes it: an origin and perhaps a path prefix. Pure.

use std::fmt;

use url::Url;

use crate::base::origin::Origin;

/// The longest path prefix in bytes.
const PREFIX_BYTES_MAX: usize = 200;

/// The URL of the site: `https://auth.example.com`, or `https://example.com/auth` if it shares the host
/// with an app.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BaseUrl {
    /// Scheme, host and port.
    pub origin: Origin,
    /// The path prefix of every address of the site.
    pub prefix: PathPrefix,
}

impl BaseUrl {
    /// Parses a base URL as an operator writes it. `None` unless it consists of an origin, optionally a
    /// plain path, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let host_at = text.find("://")? + 3;
        let path_at = text[host_at..].find('/').map_or(text.len(), |at| host_at + at);
        let (origin, path) = text.split_at(path_at);
        // A browser must not parse it as another path.
        let is_plain = Url::parse(text).is_ok_and(|url| url.path() == path || path.is_empty());
        let (origin, prefix) = (Origin::parse(origin)?, PathPrefix::parse(path)?);
        is_plain.then_some(Self { origin, prefix })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.prefix.0)
    }
}

/// The path prefix of every address of the site: empty, or as in `/auth`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PathPrefix(String);

impl PathPrefix {
    /// Parses the path of a base URL. `None` unless its segments consist of letters, digits and `._~-`.
    fn parse(path: &str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let is_segment = |it: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
            !it.is_empty() && it.bytes().all(is_plain) && it != "." && it != ".."
        };
        let is_plain = path.split('/').skip(1).all(is_segment);
        (is_plain && path.len() <= PREFIX_BYTES_MAX).then(|| Self(path.to_owned()))
    }

    /// The address at which browsers reach this path of the site.
    pub const fn at<'a>(&'a self, path: &'a str) -> SiteAddress<'a> {
        SiteAddress { prefix: self, path }
    }

    /// The path of a request without the prefix. `None` if it is not below the prefix.
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        match path.strip_prefix(&*self.0)? {
            "" => (!self.is_empty()).then_some("/"),
            rest => rest.starts_with('/').then_some(rest),
        }
    }

    /// Whether there is no prefix.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An address of the site on its own host.
#[derive(Clone, Copy)]
pub struct SiteAddress<'a> {
    prefix: &'a PathPrefix,
    path: &'a str,
}

impl<'a> SiteAddress<'a> {
    /// What it consists of, in this order: the path prefix and the path below it.
    pub fn parts(self) -> [&'a str; 2] {
        [&self.prefix.0, self.path]
    }
}

impl fmt::Display for SiteAddress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().into_iter().try_for_each(|part| f.write_str(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_an_origin_with_or_without_a_path() {
        for (text, origin, prefix) in [
            ("https://auth.example.com", "https://auth.example.com", ""),
            ("https://auth.example.com/", "https://auth.example.com", ""),
            ("HTTPS://Example.com:8443/Auth", "https://example.com:8443", "/Auth"),
            ("https://example.com/auth/", "https://example.com", "/auth"),
            ("http://127.0.0.1:8080/a/b-c.d_e~f", "http://127.0.0.1:8080", "/a/b-c.d_e~f"),
        ] {
            let read = BaseUrl::parse(text).unwrap();
            assert_eq!(
                (read.origin.to_string(), read.prefix.to_string()),
                (origin.into(), prefix.into())
            );
            assert_eq!(read.to_string(), format!("{origin}{prefix}"));
        }
        for bad in [
            "auth.example.com",
            "https://",
            "https://example.com//",
            "https://example.com//auth",
            "https://example.com/auth//",
            "https://example.com/a/../b",
            "https://example.com/.",
            "https://example.com/%61uth",
            "https://example.com/auth?x=1",
            "https://example.com/auth#x",
            "https://example.com/a b",
            "https://example.com/ä",
            "https://ann@example.com/auth",
            "https:/example.com/auth",
            "https:///example.com/auth",
            "https://example.com\\auth",
            "ftp://example.com/auth",
        ] {
            assert_eq!(BaseUrl::parse(bad), None, "{bad}");
        }
        assert_eq!(BaseUrl::parse(&format!("https://example.com/{}", "a".repeat(200))), None);
    }

    #[test]
    fn strips_what_it_adds_and_nothing_else() {
        let prefix = BaseUrl::parse("https://example.com/auth").unwrap().prefix;
        for path in ["/", "/login", "/account/sessions"] {
            let address = prefix.at(path).to_string();
            assert_eq!(address, format!("/auth{path}"));
            assert_eq!(prefix.strip(&address), Some(path));
            assert_eq!(PathPrefix::default().strip(path), Some(path));
            assert_eq!(PathPrefix::default().at(path).to_string(), path);
        }
        assert_eq!(prefix.strip("/auth"), Some("/"));
        for other in ["/", "/authx", "/auth2/login", "/login", "/Auth/login", "*", ""] {
            assert_eq!(prefix.strip(other), None, "{other}");
        }
    }
}
