//! Whether the examined address belongs to the sign-in itself and not to an app.

use serde_json::Value;
use url::Url;

use super::wire::{Question, Reply};
use super::{Examination, cookie, of_site, origin, without_query};
use crate::base::token::random_text;
use crate::web::http::SESSION_COOKIES;

/// The pages that the sign-in site shows or leads to without a session.
const PAGES: [&str; 2] = ["/login", "/signup"];

impl Examination<'_> {
    /// Whether the sign-in itself answers at this address, which is reported as a fault. An app with its own sign-in is
    /// not mistaken for it, nor is an app on the same host: there `/healthz` belongs to the app.
    pub(super) fn is_sign_in_site(&mut self, what: &str, url: &Url, reply: &Reply) -> bool {
        let Some(login) = login_of(url, reply) else { return false };
        if !self.is_healthy_vestibule(&login) {
            return false;
        }
        let site = login.as_str().trim_end_matches("/login");
        self.report.tell(Err(format!(
            "{what} is answered by the sign-in itself, at {site}, and not by an app; give the address of an app that it \
             guards, as in vestibule doctor https://app.example.com --origin {site}"
        )));
        true
    }

    /// Whether the site of this sign-in page reports its health and clears an invalid session, as vestibule does.
    fn is_healthy_vestibule(&self, login: &Url) -> bool {
        let health = Question::bare("GET", &of_site(login, "/healthz"));
        let health = self.wire.ask(&health.with(&[("Accept", "application/json")])).ok();
        let data = health.and_then(|it| serde_json::from_str::<Value>(&it.body).ok());
        if data.is_none_or(|it| !it["status"].is_string()) {
            return false;
        }
        SESSION_COOKIES.iter().any(|name| {
            let value = format!("{name}={}", random_text(40));
            let question = Question::navigation(login).with(&[("Cookie", &*value)]);
            self.wire.ask(&question).is_ok_and(|it| cookie::cleared(&it, name).is_some())
        })
    }
}

/// The sign-in page of the site that answers here. `None` unless the response is that page, or redirects to it on the
/// same host by a path: the gate in front of an app redirects to a whole URL.
fn login_of(url: &Url, reply: &Reply) -> Option<Url> {
    let page = match reply.status {
        200 => url.clone(),
        300..=399 => {
            let location = reply.values("location").next()?;
            let page = url.join(location).ok()?;
            (Url::parse(location).is_err() && origin(&page) == origin(url)).then_some(page)?
        }
        _ => return None,
    };
    let page = without_query(&page);
    let site = PAGES.iter().find_map(|it| page.strip_suffix(it))?;
    Url::parse(&format!("{site}/login")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_sign_in_by_where_it_leads() {
        for (asked, status, location, expected) in [
            ("/?x=1", 302, "/login", "/login"),
            ("/account?x=1", 302, "/login?next=%2Faccount", "/login"),
            ("/login?x=1", 302, "/signup?next=%2F", "/login"),
            ("/auth/", 302, "/auth/login", "/auth/login"),
            ("/auth/login?x=1", 200, "", "/auth/login"),
            ("/", 302, "https://a.test/login?next=https://a.test/", ""),
            ("/", 302, "//b.test/login", ""),
            ("/", 302, "/home", ""),
            ("/", 200, "", ""),
            ("/login", 404, "", ""),
        ] {
            let url = Url::parse(&format!("https://a.test{asked}")).unwrap();
            let headers = vec![("Location".to_owned(), location.to_owned())];
            let found = login_of(&url, &Reply { status, headers, body: String::new() });
            let expected = (!expected.is_empty()).then(|| format!("https://a.test{expected}"));
            assert_eq!(found.map(String::from), expected, "{asked} {location}");
        }
    }
}
