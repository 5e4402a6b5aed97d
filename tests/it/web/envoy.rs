//! Checks for Envoy's `ext_authz` over HTTP, as its documentation says that they are asked: the method, the host and the
//! address of the original request, behind a path of the operator's, with a length of 0 and the headers that are allowed.

use vestibule::web::Settings;
use vestibule::web::http::Response;

use crate::visit::{Visit, of_example};

/// What a browser sends that goes somewhere.
const PAGE: (&str, &str) = ("Accept", "text/html,application/xhtml+xml");

const WAY_IN: &str =
    "https://auth.example.com/login?next=https://app.example.com/a%2520b?x=1%26groups=staff";

fn with_anna(settings: Settings) -> Visit {
    let mut visit = Visit::with(settings);
    visit.post("/signup", &[("username", "Anna"), ("password", "correct horse")]);
    visit
}

/// As Envoy asks with this prefix about a request.
fn ask(
    visit: &mut Visit,
    method: &str,
    prefix: &str,
    target: &str,
    more: &[(&str, &str)],
) -> Response {
    let path = format!("/auth/envoy/{prefix}{target}");
    let own = [("Host", "app.example.com"), ("Content-Length", "0")];
    let headers: Vec<_> = own.iter().chain(more).copied().collect();
    visit.ask(method, &path, &headers, "")
}

#[test]
fn lets_a_user_through_whatever_the_address_and_the_method_are() {
    let mut visit = with_anna(of_example());
    for target in [
        "/",
        "/a/b",
        "//x",
        "/?groups=staff",
        "/groups=staff/x?users=bert&cookies=filtered",
        "/../auth/x",
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "OPTIONS", "PROPFIND"] {
            let answer = ask(&mut visit, method, "", target, &[]);
            assert_eq!(answer.status, 200, "{method} {target}");
            assert_eq!(answer.value("Remote-User"), Some("anna"));
            assert_eq!(answer.value("Remote-Groups"), Some(""));
        }
    }
}

#[test]
fn takes_restrictions_from_the_operators_part_of_the_path_alone() {
    let mut visit = with_anna(of_example());
    for target in ["/", "/x?groups=", "/?users=anna", "/users=anna/"] {
        assert_eq!(ask(&mut visit, "GET", "groups=staff", target, &[]).status, 403, "{target}");
        assert_eq!(ask(&mut visit, "GET", "users=bert", target, &[]).status, 403, "{target}");
        assert_eq!(
            ask(&mut visit, "GET", "users=anna%2Cbert", target, &[]).status,
            200,
            "{target}"
        );
        assert_eq!(
            ask(&mut visit, "GET", "group=staff", target, &[]).status,
            403,
            "a misspelt one"
        );
    }
}

#[test]
fn leads_a_browser_to_the_sign_in_page_and_back_and_tells_others() {
    let mut visit = Visit::with(of_example());
    let target = "/a%20b?x=1&groups=staff";
    for (method, status) in [("GET", 302), ("HEAD", 302), ("POST", 303), ("DELETE", 303)] {
        let answer = ask(&mut visit, method, "groups=staff", target, &[PAGE]);
        assert_eq!((answer.status, answer.value("Location")), (status, Some(WAY_IN)), "{method}");
    }
    assert_eq!(ask(&mut visit, "GET", "", target, &[]).status, 401);
    assert_eq!(ask(&mut visit, "GET", "", target, &[PAGE, ("Upgrade", "websocket")]).status, 401);
}

#[test]
fn believes_no_header_about_the_address() {
    let mut visit = Visit::with(of_example());
    for forged in [
        ("X-Forwarded-Host", "wiki.example.com"),
        ("X-Forwarded-Uri", "/elsewhere"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Method", "POST"),
        ("X-Original-URL", "https://wiki.example.com/"),
    ] {
        let answer = ask(&mut visit, "GET", "", "/a%20b?x=1&groups=staff", &[PAGE, forged]);
        assert_eq!((answer.status, answer.value("Location")), (302, Some(WAY_IN)), "{forged:?}");
    }
    let answer = ask(&mut visit, "GET", "", "/", &[PAGE, ("Host", "evil.example")]);
    assert_eq!(answer.value("Location"), Some("https://auth.example.com/login"), "two hosts");
}

#[test]
fn keeps_the_session_cookie_from_apps() {
    let mut visit = with_anna(of_example());
    let answer = ask(&mut visit, "GET", "cookies=filtered", "/", &[]);
    let cookies = answer.value("Cookie").unwrap();
    assert!(answer.status == 200 && !cookies.contains("auth_session"), "{cookies}");
    assert_eq!(ask(&mut visit, "GET", "", "/?cookies=filtered", &[]).value("Cookie"), None);
}
