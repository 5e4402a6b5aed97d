//! The renewal of a session whose browser opens nothing but guarded pages of an app on the host of the sign-in.

use std::time::Duration;

use vestibule::base::base_url::BaseUrl;
use vestibule::web::Settings;
use vestibule::web::cross_origin::Rule;
use vestibule::web::http::Response;

use crate::visit::{Visit, of_example, way};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const ANNA: [(&str, &str); 2] = [("username", "anna"), ("password", "correct horse")];
const APP: &str = "https://example.com/private?a=1&b=%2F";
const PAGE: (&str, &str) = ("Accept", "text/html");

/// What Caddy, Traefik and HAProxy say of a request for [`APP`].
const FORWARDED: [(&str, &str); 4] = [
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "example.com"),
    ("X-Forwarded-Uri", "/private?a=1&b=%2F"),
    ("X-Forwarded-Method", "GET"),
];

/// An app on the host of the sign-in, at which anna has signed up.
fn same_host() -> Visit {
    let own = BaseUrl::parse("https://example.com").unwrap().origin;
    with_anna(Settings {
        rule: Rule { own: Some(own), ..Rule::default() },
        trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
        ..Settings::default()
    })
}

fn with_anna(settings: Settings) -> Visit {
    let mut visit = Visit::with(settings);
    visit.peer = Some([127, 0, 0, 1].into());
    assert_eq!(visit.post("/signup", &ANNA).status, 302);
    visit
}

/// The check of nginx, which answers a 401 with the status `sends`.
fn nginx(visit: &mut Visit, sends: &str, method: &str) -> Response {
    let path = format!("/auth/nginx?renew={sends}");
    visit.ask("GET", &path, &[("X-Original-URL", APP), ("X-Original-Method", method)], "")
}

fn forward(visit: &mut Visit, path: &str, more: &[(&str, &str)]) -> Response {
    let is_kept = |(name, _): &&(&str, &str)| !more.iter().any(|(given, _)| given == name);
    let headers: Vec<_> = FORWARDED.iter().filter(is_kept).chain(more).copied().collect();
    visit.ask("GET", path, &headers, "")
}

const FORWARD: &str = "/auth/forward?renew=302";

fn set_cookie(answer: &Response) -> &str {
    answer.value("Set-Cookie").unwrap_or("none")
}

#[test]
fn leads_a_browser_back_to_the_guarded_page_with_the_renewed_cookie_once_a_day() {
    for is_nginx in [true, false] {
        let mut visit = same_host();
        let check = |visit: &mut Visit| {
            if is_nginx { nginx(visit, "302", "GET") } else { forward(visit, FORWARD, &[PAGE]) }
        };
        let status = if is_nginx { 401 } else { 302 };
        for day in 1..29 {
            assert_eq!(check(&mut visit).status, 200, "active, on day {day}");
            visit.wait(DAY);
            visit.wait(Duration::from_secs(1));
            let answer = check(&mut visit);
            assert_eq!(way(&answer), (status, Some(APP)), "idle, on day {day}");
            let cookie = format!("__Host-auth_session={}; Path=/; Secure; ", visit.token());
            assert!(set_cookie(&answer).starts_with(&cookie), "{}", set_cookie(&answer));
            assert_eq!(answer.value("Cache-Control"), Some("no-store"));
            assert_eq!(answer.value("Remote-User"), None);
            assert_eq!(answer.note.event.name(), "session_renew");
        }
        // The absolute end stays.
        visit.wait(DAY * 2);
        assert_ne!(check(&mut visit).status, 200);
    }
}

#[test]
fn lets_through_what_a_browser_could_not_ask_again_and_leaves_the_renewal_to_the_next_page() {
    let mut visit = same_host();
    visit.wait(DAY + Duration::from_secs(1));
    let passes = |answer: &Response| {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.value("Remote-User"), Some("anna"));
        assert_eq!(answer.value("Set-Cookie"), None, "nothing for the app");
    };
    for (sends, method) in
        [("401", "GET"), ("303", "POST"), ("302", "POST"), ("302", ""), ("yes", "GET")]
    {
        passes(&nginx(&mut visit, sends, method));
    }
    let check = [("X-Original-URL", APP), ("X-Original-Method", "GET")];
    passes(&visit.ask("GET", "/auth/nginx", &check, ""));
    passes(&visit.ask("GET", "/auth/nginx?renew=302", &check[..1], ""));
    let denied = visit.ask("GET", "/auth/denied?groups=staff", &check, "");
    assert_eq!((denied.status, denied.value("Set-Cookie")), (403, None));
    for (path, more) in [
        ("/auth/forward", &[PAGE][..]),
        ("/auth/forward", &[PAGE, ("Authorization", "Bearer of-the-app")]),
        ("/auth/forward?renew=303", &[PAGE]),
        (FORWARD, &[("Accept", "application/json")]),
        (FORWARD, &[PAGE, ("Sec-Fetch-Mode", "cors")]),
        (FORWARD, &[PAGE, ("Upgrade", "websocket")]),
        (FORWARD, &[PAGE, ("X-Forwarded-Method", "POST")]),
        // The parameters of a client of Caddy are not the operator's.
        (FORWARD, &[PAGE, ("X-Forwarded-Uri", "/private?renew=302")]),
        // It leads to no page of the site or of an app.
        (FORWARD, &[PAGE, ("X-Forwarded-Host", "example.org")]),
        (FORWARD, &[PAGE, ("X-Forwarded-Proto", "http")]),
    ] {
        passes(&forward(&mut visit, path, more));
    }
    assert_eq!(way(&forward(&mut visit, FORWARD, &[PAGE])), (302, Some(APP)), "it is still due");
    assert_eq!(nginx(&mut visit, "302", "GET").status, 200, "and it was renewed");
}

#[test]
fn leads_back_once_even_if_the_renewal_cannot_be_written() {
    let mut visit = same_host();
    visit.wait(DAY + Duration::from_secs(1));
    assert_eq!(forward(&mut visit, FORWARD, &[PAGE]).status, 302);
    for _ in 0..3 {
        visit.raw().run("UPDATE user_session SET active_expires = 0");
        let answer = forward(&mut visit, FORWARD, &[PAGE]);
        assert_eq!((answer.status, answer.value("Set-Cookie")), (200, None));
    }
}

#[test]
fn asks_nothing_of_a_browser_whose_cookie_lasts_as_long_as_the_session() {
    // With a cookie domain.
    let mut visit = with_anna(of_example());
    visit.wait(DAY + Duration::from_secs(1));
    let asked = [PAGE, ("X-Forwarded-Host", "app.example.com")];
    let answer = forward(&mut visit, FORWARD, &asked);
    assert_eq!((answer.status, answer.value("Set-Cookie")), (200, None));
    // Without "Stay signed in".
    let mut visit = same_host();
    visit.forget_cookie();
    assert_eq!(visit.post("/login", &[&ANNA[..], &[("remember_asked", "1")]].concat()).status, 302);
    visit.raw().run("UPDATE user_session SET active_expires = 0");
    let answer = forward(&mut visit, FORWARD, &[PAGE]);
    assert_eq!((answer.status, answer.value("Set-Cookie")), (200, None));
}
