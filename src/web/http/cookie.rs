//! Cookies: those that a request presents, and those that we set.

use super::Request;
use crate::base::clock::Moment;

/// What a request presents under the name of a cookie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cookie<'a> {
    Absent,
    /// One value, perhaps several times.
    Value(&'a str),
    /// Several different values. Another host of the domain can add a cookie but not remove ours, so
    /// picking one of them might pick the attacker's.
    Ambiguous,
}

impl Request {
    /// What the request presents as the cookie of this name.
    pub fn cookie(&self, name: &str) -> Cookie<'_> {
        let mut found = Cookie::Absent;
        for pair in self.values("cookie").flat_map(|value| value.split(';')) {
            let rest = pair.trim_start_matches([' ', '\t']).strip_prefix(name);
            let rest = rest.map(|it| it.trim_start_matches([' ', '\t']));
            let Some(value) = rest.and_then(|it| it.strip_prefix('=')) else { continue };
            let value = value.trim_matches([' ', '\t']);
            found = match found {
                Cookie::Absent => Cookie::Value(value),
                Cookie::Value(other) if other == value => found,
                Cookie::Value(_) | Cookie::Ambiguous => Cookie::Ambiguous,
            };
        }
        found
    }

    /// The cookies that are for apps: all but the session cookie, whatever the name it has here or had under other
    /// settings. Some servers join two fields by a comma (Apache httpd, RFC 9110 § 5.2), which is part of a value in
    /// a cookie: such a value signs no user in, and is kept from apps where the session cookie may be in it.
    pub fn other_cookies(&self) -> String {
        let pairs = self.values("cookie").flat_map(|value| value.split(';'));
        let is_session = |part: &str| {
            let name = part.split('=').next().unwrap_or_default();
            SESSION_COOKIES.contains(&name.trim_matches([' ', '\t']))
        };
        let is_other = |pair: &&str| !pair.is_empty() && !pair.split(',').any(is_session);
        let others: Vec<_> =
            pairs.map(|it| it.trim_matches([' ', '\t'])).filter(is_other).collect();
        others.join("; ")
    }
}

/// The names of the session cookie: with https for one host, with https for a domain, with plain http.
pub const SESSION_COOKIES: [&str; 3] =
    ["__Host-auth_session", "__Secure-auth_session", "auth_session"];

/// The name of the session cookie. Browsers enforce what its prefix promises (RFC 6265bis § 4.1.3).
pub const fn session_cookie(is_secure: bool, has_domain: bool) -> &'static str {
    match (is_secure, has_domain) {
        (true, false) => SESSION_COOKIES[0],
        (true, true) => SESSION_COOKIES[1],
        (false, _) => SESSION_COOKIES[2],
    }
}

/// A cookie that we set. All of them have `HttpOnly` and `SameSite=Lax` (OWASP ASVS 3.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CookieKind {
    /// The name of the cookie.
    pub name: &'static str,
    /// Whether it is `Secure`: browsers send it over https only.
    pub secure: bool,
    /// The domain whose hosts all receive it; `None`: only the host that sets it.
    pub domain: Option<String>,
    /// Browsers send it with requests for this path and those below. A name with `__Host-` demands `/`.
    pub path: String,
}

impl CookieKind {
    /// The value of a `Set-Cookie` header that keeps `value` until `expires`.
    pub fn set(&self, value: &str, expires: Moment, now: Moment) -> String {
        let date = httpdate::fmt_http_date(expires.into());
        format!(
            "{}={value}; {}; Expires={date}; Max-Age={}",
            self.name,
            self.attributes(),
            now.until(expires).as_secs()
        )
    }

    /// The value of a `Set-Cookie` header that keeps `value` until the browser is closed.
    pub fn set_transient(&self, value: &str) -> String {
        format!("{}={value}; {}", self.name, self.attributes())
    }

    /// The value of a `Set-Cookie` header that makes a browser forget it.
    pub fn clear(&self) -> String {
        format!(
            "{}=; {}; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0",
            self.name,
            self.attributes()
        )
    }

    fn attributes(&self) -> String {
        let domain = self.domain.as_ref().map_or(String::new(), |it| format!("Domain={it}; "));
        let secure = if self.secure { "Secure; " } else { "" };
        format!("Path={}; {domain}{secure}HttpOnly; SameSite=Lax", self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::super::request;
    use super::*;
    use proptest::prelude::*;

    fn cookie(header: &str) -> Option<String> {
        match request(&[("Cookie", header)], b"").cookie("auth_session") {
            Cookie::Value(value) => Some(value.to_owned()),
            Cookie::Absent | Cookie::Ambiguous => None,
        }
    }

    #[test]
    fn finds_a_cookie_among_others() {
        assert_eq!(cookie("auth_session=abc").as_deref(), Some("abc"));
        assert_eq!(cookie("a=1; auth_session=abc; b=2").as_deref(), Some("abc"));
        assert_eq!(cookie("a=1;auth_session=abc;b").as_deref(), Some("abc"));
        assert_eq!(cookie("auth_session=a=b").as_deref(), Some("a=b"));
        assert_eq!(cookie("a; \tauth_session \t= abc\t; b=2").as_deref(), Some("abc"));
        assert_eq!(
            cookie(
                "xauth_session=abc; auth_session_=d; AUTH_SESSION=e; auth_session x=f; auth_session"
            ),
            None
        );
        assert_eq!(cookie(""), None);
    }

    #[test]
    fn takes_two_different_values_of_a_cookie_for_neither() {
        assert_eq!(cookie("auth_session=abc; auth_session=abd"), None);
        assert_eq!(cookie("auth_session=abc; auth_session="), None);
        assert_eq!(cookie("auth_session=abc; auth_session=abc").as_deref(), Some("abc"));
        let split = [("Cookie", "auth_session=abc"), ("cookie", "auth_session=abd")];
        assert_eq!(request(&split, b"").cookie("auth_session"), Cookie::Ambiguous);
    }

    #[test]
    fn takes_a_comma_for_a_part_of_a_value_and_keeps_a_session_behind_it_from_apps() {
        for (header, value, others) in [
            ("a=b, auth_session=abc", None, ""),
            ("a=b,auth_session =abc; c=d", None, "c=d"),
            ("auth_session=abc, a=b; c=d", Some("abc, a=b"), "c=d"),
            ("auth_session=abc; a=b, __Host-auth_session=abc", Some("abc"), ""),
            ("a=1,2, my_auth_session=x", None, "a=1,2, my_auth_session=x"),
        ] {
            assert_eq!(cookie(header).as_deref(), value, "{header}");
            assert_eq!(request(&[("Cookie", header)], b"").other_cookies(), others, "{header}");
        }
    }

    #[test]
    fn writes_cookies_that_only_this_site_gets() {
        let path = "/".to_owned();
        let plain = CookieKind { name: "auth_session", secure: false, domain: None, path };
        let (now, end) = (Moment::from_millis(0), Moment::from_millis(90_500));
        assert_eq!(
            plain.set("abc", end, now),
            "auth_session=abc; Path=/; HttpOnly; SameSite=Lax; \
             Expires=Thu, 01 Jan 1970 00:01:30 GMT; Max-Age=90"
        );
        assert_eq!(plain.set_transient("abc"), "auth_session=abc; Path=/; HttpOnly; SameSite=Lax");
        let secure = CookieKind { name: "__Host-auth_session", secure: true, ..plain };
        assert_eq!(
            secure.clear(),
            "__Host-auth_session=; Path=/; Secure; HttpOnly; SameSite=Lax; \
             Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0"
        );
    }

    proptest! {
        #[test]
        fn finds_our_cookie_whatever_stands_around_it(
            before in "([a-z]{1,5}=[!-:<-~]{0,9}; ){0,4}",
            after in "(; [a-z]{1,5}=[!-:<-~]{0,9}){0,4}",
        ) {
            let header = format!("{before}auth_session=abc{after}");
            prop_assert_eq!(cookie(&header), Some("abc".to_owned()));
        }

        #[test]
        fn finds_no_cookie_where_there_is_none(header in "[ -~]{0,80}") {
            prop_assume!(!header.contains("auth_session"));
            prop_assert_eq!(cookie(&header), None);
        }
    }
}
