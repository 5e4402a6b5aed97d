//! The way out: a page with a button for those who come by a link, and where it leads.

use serde_json::{Value, json};
use vestibule::web::{Alias, Settings};

use crate::visit::{Visit, body, of_example, way};

const APP: &str = "https://app.example.com/a%20b?x=1&y=%C3%A4";
const ANNA: [(&str, &str); 2] = [("username", "Anna"), ("password", "correct horse")];

fn with_next(path: &str, next: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    format!("{path}?{}", query.append_pair("next", next).finish())
}

/// Anna, signed in with a browser.
fn with_anna() -> Visit {
    let mut visit = Visit::with(of_example()).send("Accept", "text/html");
    visit.post("/signup", &ANNA);
    visit
}

#[test]
fn shows_a_signed_in_visitor_a_button_and_changes_nothing() {
    let mut visit = with_anna();
    for method in ["GET", "HEAD"] {
        let page = visit.ask(method, "/logout", &[], "");
        assert_eq!((page.status, way(&page).1), (200, None));
        assert!(body(&page).contains("<h1>Sign out</h1>"), "{}", body(&page));
        assert!(body(&page).contains("Signed in as <bdi><strong>Anna</strong></bdi>"));
        assert!(
            body(&page)
                .contains(r#"<form method="post" action="/logout"><button>Sign out</button>"#)
        );
        assert!(page.value("Set-Cookie").is_none() && visit.is_signed_in());
    }
    let german = visit.ask("GET", "/logout", &[("Accept-Language", "de")], "");
    assert!(body(&german).contains("<h1>Abmelden</h1>"));
    assert_eq!(way(&visit.post("/logout", &[])), (302, Some("/login")));
}

#[test]
fn keeps_the_way_on_from_the_link_to_the_button_and_follows_it() {
    let mut visit = with_anna();
    let page = visit.get(&with_next("/logout", APP));
    let hidden = r#"name="next" value="https://app.example.com/a%20b?x=1&amp;y=%C3%A4">"#;
    assert!(body(&page).contains(hidden), "{}", body(&page));
    let policy = page.value("Content-Security-Policy").unwrap();
    assert!(!policy.contains("form-action"), "the app may lead on to any host: {policy}");
    let answer = visit.post("/logout", &[("next", APP)]);
    assert_eq!(way(&answer), (302, Some(APP)));
    assert_eq!(answer.value("Clear-Site-Data"), Some("\"cache\""));
    assert!(!visit.is_signed_in());
}

#[test]
fn leads_a_visitor_who_is_not_signed_in_to_where_the_button_leads() {
    let mut visit = Visit::with(of_example()).send("Accept", "text/html");
    for method in ["GET", "HEAD"] {
        assert_eq!(way(&visit.ask(method, "/logout", &[], "")), (302, Some("/login")));
        let asked = with_next("/logout", APP);
        assert_eq!(way(&visit.ask(method, &asked, &[], "")), (302, Some(APP)));
    }
    assert_eq!(visit.post("/logout", &[("next", APP)]).status, 401, "as in the guide");
}

#[test]
fn leads_nowhere_after_a_sign_out_where_it_would_not_after_a_sign_in() {
    for next in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "https://app.example.com.evil.example/",
        "http://app.example.com/",
        "javascript:alert(1)",
    ] {
        let mut visit = with_anna();
        let page = visit.get(&with_next("/logout", next));
        assert!(!body(&page).contains("name=\"next\""), "{next}");
        assert_eq!(way(&visit.post("/logout", &[("next", next)])), (302, Some("/login")), "{next}");
        assert_eq!(way(&visit.get(&with_next("/logout", next))), (302, Some("/login")), "{next}");
    }
    // Nothing is read from the address of the form.
    let mut visit = with_anna();
    assert_eq!(way(&visit.post(&with_next("/logout", APP), &[])), (302, Some("/login")));
}

#[test]
fn signs_out_whatever_kind_of_body_is_sent() {
    let form = "application/x-www-form-urlencoded";
    for headers in [
        &[("Content-Type", "application/json")][..],
        &[("Content-Type", "text/plain")],
        &[("Content-Type", form), ("Content-Encoding", "gzip")],
        &[("Content-Type", "application/x-www-form-urlencoded; charset=latin1")],
        &[],
    ] {
        let mut visit = with_anna();
        let answer = visit.ask("POST", "/logout", headers, "{}");
        assert_eq!(way(&answer), (302, Some("/login")), "{headers:?}");
        assert!(!visit.is_signed_in());
    }
}

#[test]
fn tells_a_script_whether_a_session_can_be_ended_and_where_to_go_on() {
    let mut visit = Visit::with(of_example()).send("Accept", "application/json");
    let data = |answer: &vestibule::web::http::Response| -> (u16, Value) {
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    };
    assert_eq!(data(&visit.get("/logout")), (200, json!({ "signed_in": false })));
    visit.post("/signup", &ANNA);
    assert_eq!(data(&visit.get("/logout")), (200, json!({ "signed_in": true })));
    let expected = json!({ "signed_in": false, "next": APP });
    assert_eq!(data(&visit.post("/logout", &[("next", APP)])), (200, expected));
}

#[test]
fn leads_from_the_sign_out_link_of_oauth2_proxy_to_the_button() {
    let mut visit = Visit::with(Settings { aliases: vec![Alias::Oauth2Proxy], ..of_example() });
    let to = "https://auth.example.com/logout?next=https://app.example.com/x";
    assert_eq!(way(&visit.get("/oauth2/sign_out?rd=https://app.example.com/x")), (302, Some(to)));
    assert_eq!(
        way(&visit.get("/oauth2/sign_out?rd=https://e.com/")),
        (302, Some("https://auth.example.com/logout"))
    );
}
