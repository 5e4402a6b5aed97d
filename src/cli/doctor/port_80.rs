//! What a host answers without TLS, at port 80.
//!
//! A browser may try it first, if a user types no scheme or follows an old link. Decides which responses lead to the
//! same address over https. Pure: from a response to a finding.

use url::Url;

use super::verdict::Finding;
use super::wire::Reply;

/// The advice for every fault.
const ADVICE: &str = "let port 80 redirect to https, as in what proxy-config prints";

/// The same address at port 80; `None` unless this one is at the default port of https.
pub(super) fn address(url: &Url) -> Option<Url> {
    let is_usual = url.scheme() == "https" && url.port().is_none();
    let mut clear = url.clone();
    (is_usual && clear.set_scheme("http").is_ok()).then_some(clear)
}

/// The finding for the response to `GET clear`, where `url` is the same address over https.
pub(super) fn judge(url: &Url, clear: &Url, reply: &Reply) -> Finding {
    let what = format!("GET {clear}");
    let location = reply.values("location").next();
    let is_redirect = matches!(reply.status, 301..=303 | 307 | 308);
    match location.filter(|_| is_redirect).and_then(|it| clear.join(it).ok()) {
        Some(to) if to == *url => Ok(format!("{what} leads to https")),
        Some(to) if to.scheme() == "https" && to.host() == url.host() => {
            Err(format!("{what} leads to {to}, so the address is lost; {ADVICE}"))
        }
        Some(to) => {
            Err(format!("{what} leads to {to}, and not to the same address by https; {ADVICE}"))
        }
        None => {
            Err(format!("{what} answered {} and does not lead to https; {ADVICE}", reply.status))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(status: u16, location: &str) -> Finding {
        let url = Url::parse("https://app.test/a%20b?x=%C3%A9").unwrap();
        let clear = address(&url).unwrap();
        assert_eq!(clear.as_str(), "http://app.test/a%20b?x=%C3%A9");
        let headers = vec![("Location".to_owned(), location.to_owned())];
        judge(&url, &clear, &Reply { status, headers, body: String::new() })
    }

    #[test]
    fn is_content_with_a_redirect_to_the_same_address_by_https() {
        for status in [301, 302, 303, 307, 308] {
            assert!(found(status, "https://app.test/a%20b?x=%C3%A9").is_ok(), "{status}");
            assert!(found(status, "https://app.test:443/a%20b?x=%C3%A9").is_ok(), "{status}");
        }
    }

    #[test]
    fn finds_what_leads_elsewhere_or_nowhere() {
        for (status, location, cause) in [
            (200, "", "answered 200"),
            (404, "https://app.test/a%20b?x=%C3%A9", "answered 404"),
            (302, "https://app.test/", "is lost"),
            (302, "https://app.test/a%20b", "is lost"),
            (302, "/a%20b?x=%C3%A9", "not to the same address by https"),
            (302, "http://app.test/a%20b?x=%C3%A9", "not to the same address by https"),
            (302, "https://auth.test/login", "not to the same address by https"),
        ] {
            let text = found(status, location).unwrap_err();
            assert!(text.contains(cause) && text.contains("; let port 80"), "{text}");
        }
    }

    #[test]
    fn asks_only_where_port_80_belongs_to_the_same_host() {
        for url in ["https://app.test:8443/", "http://app.test/", "http://127.0.0.1:8080/"] {
            assert_eq!(address(&Url::parse(url).unwrap()), None, "{url}");
        }
    }
}
