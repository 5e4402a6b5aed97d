//! A site below a path of its host: every address it gives out is below it, and leads somewhere.

use std::collections::BTreeSet;

use vestibule::auth::invitations::SignUps;
use vestibule::base::base_url::BaseUrl;
use vestibule::store::Groups;
use vestibule::web::cross_origin::Rule;
use vestibule::web::http::Response;
use vestibule::web::openapi::description;
use vestibule::web::pages::branding::{Look, Picture};
use vestibule::web::{Alias, App, Settings, check_paths};

use crate::visit::{Visit, body, way};

const PAGE: [(&str, &str); 1] = [("Accept", "text/html")];

fn below_auth() -> Settings {
    let base = BaseUrl::parse("https://example.com/auth").unwrap();
    let logo = Picture::read(b"\x89PNG\r\n\x1a\n".to_vec());
    Settings {
        rule: Rule { own: Some(base.origin.clone()), ..Rule::default() },
        prefix: base.prefix,
        apps: vec![App { origin: base.origin, name: String::new(), groups: Groups::default() }],
        aliases: vec![Alias::Oauth2Proxy],
        basic_auth: true,
        sign_ups: SignUps::Open,
        look: Look::new(None, logo, None, None),
        ..Settings::default()
    }
}

/// The app on the same host, to which the profile links.
const APP: &str = "https://example.com";

/// What the addresses in a page lead to: links, forms, images and stylesheets.
fn addresses(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in [" href=\"", " action=\"", " src=\""] {
        let parts = page.split(name).skip(1);
        found.extend(parts.map(|it| it.split('"').next().unwrap().replace("&amp;", "&")));
    }
    found
}

/// A page, whose addresses are all below the prefix, and lead somewhere.
fn follow(visit: &mut Visit, path: &str, seen: &mut BTreeSet<String>) {
    let page = visit.ask("GET", path, &PAGE, "");
    follow_all(visit, &page, path, seen);
}

fn follow_all(visit: &mut Visit, page: &Response, at: &str, seen: &mut BTreeSet<String>) {
    let location = page.value("Location").map(str::to_owned);
    for address in addresses(body(page)).into_iter().chain(location) {
        // The second factor is moved into an app by an address that is no page.
        if address == APP || address.starts_with("otpauth:") {
            continue;
        }
        assert!(address.starts_with("/auth/"), "{address} at {at}");
        if seen.insert(address.clone()) {
            let answer = visit.ask("GET", &address, &PAGE, "");
            assert!(
                !matches!(answer.status, 400 | 404 | 500),
                "{address} at {at}: {}",
                answer.status
            );
            if answer.value("Content-Type").is_some_and(|it| it.starts_with("text/html")) {
                follow_all(visit, &answer, &address, seen);
            }
        }
    }
}

#[test]
fn leads_nowhere_but_below_the_prefix() {
    let mut visit = Visit::with(below_auth());
    let mut seen = BTreeSet::new();
    for path in [
        "/auth",
        "/auth/",
        "/auth/login",
        "/auth/signup?next=/dashboard",
        "/auth/logout",
        "/auth/account",
        "/auth/none",
    ] {
        follow(&mut visit, path, &mut seen);
    }
    let form = [("username", "anna"), ("password", "correct horse battery")];
    assert_eq!(way(&visit.post("/auth/signup", &form)), (302, Some("/auth/")));
    assert_eq!(way(&visit.get("/auth/login")), (302, Some("/auth/")));
    let out = (302, Some("https://example.com/auth/logout"));
    assert_eq!(way(&visit.get("/auth/oauth2/sign_out")), out, "the link is on the host of an app");
    seen.clear();
    for path in ["/auth/", "/auth/logout?next=/dashboard"] {
        follow(&mut visit, path, &mut seen);
    }
    let all = description();
    let pages = all["paths"].as_object().unwrap().iter().filter(|(_, it)| it.get("get").is_some());
    for (path, _) in pages.filter(|(path, _)| path.starts_with("/account")) {
        follow(&mut visit, &format!("/auth{path}"), &mut seen);
    }
    let refused =
        visit.post("/auth/account/password", &[("current_password", "wrong"), ("password", "x")]);
    follow_all(&mut visit, &refused, "/auth/account/password", &mut seen);
    let changed = [("current_password", form[1].1), ("password", "another horse battery")];
    assert_eq!(way(&visit.post("/auth/account/password", &changed)), (302, Some("/auth/account")));
    assert_eq!(
        way(&visit.post("/auth/account/sessions/end-others", &[])),
        (302, Some("/auth/account/sessions"))
    );
    assert_eq!(way(&visit.post("/auth/logout", &[])), (302, Some("/auth/login")));
    for address in
        ["/auth/style.css", "/auth/logo", "/auth/account/sessions", "/auth/account/tokens/revoke"]
    {
        let is_there = seen.iter().any(|it| it.split('?').next() == Some(address));
        assert!(is_there || address.ends_with("revoke"), "{address} in {seen:?}");
    }
}

#[test]
fn leaves_the_rest_of_the_host_to_the_app() {
    let mut visit = Visit::with(below_auth());
    for path in
        ["/", "/login", "/account", "/authx", "/authentication/login", "/style.css", "/healthz"]
    {
        assert_eq!(visit.get(path).status, 404, "{path}");
    }
    for path in check_paths() {
        assert_eq!(visit.get(path).status, 404, "{path}");
    }
    assert_eq!(visit.get("/auth/healthz").status, 200);
    for path in ["/.well-known/change-password", "/auth/.well-known/change-password"] {
        assert_eq!(way(&visit.get(path)), (302, Some("/auth/account")), "{path}");
    }
    let form =
        [("username", "anna"), ("password", "correct horse battery"), ("next", "/dashboard?tab=1")];
    assert_eq!(way(&visit.post("/auth/signup", &form)), (302, Some("/dashboard?tab=1")));
    // The app reads the same cookie as the site, so it is sent to the whole host.
    let set = visit.post("/auth/login", &form);
    assert!(
        set.value("Set-Cookie").unwrap().contains("; Path=/;"),
        "{:?}",
        set.value("Set-Cookie")
    );
}

#[test]
fn leads_a_check_to_the_sign_in_page_below_the_prefix() {
    let mut visit = Visit::with(below_auth());
    let asked = [
        ("X-Original-URL", "https://example.com/dashboard"),
        ("X-Original-Method", "GET"),
        ("Accept", "text/html"),
    ];
    let answer = visit.ask("GET", "/auth/auth/nginx", &asked, "");
    let expected = "https://example.com/auth/login?next=https://example.com/dashboard";
    assert_eq!(way(&answer), (401, Some(expected)));
}
