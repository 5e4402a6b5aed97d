//! `GET /session`: who is signed in, for the back end of an app.

use std::time::Duration;

use serde_json::{Value, json};

use vestibule::web::Settings;

use crate::visit::Visit;

fn ask(visit: &mut Visit) -> (u16, Value) {
    // As a fetch from a back end: no `Accept` that names a type.
    let answer = visit.ask("GET", "/session", &[("Accept", "*/*")], "");
    assert_eq!(answer.value("Content-Type"), Some("application/json"));
    assert_eq!(answer.value("Cache-Control"), Some("no-store"));
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

#[test]
fn tells_an_app_who_is_signed_in_and_until_when() {
    let mut visit = Visit::new();
    visit.post("/signup", &[("username", "Anna"), ("password", "correct horse")]);
    visit.wait(Duration::from_secs(60));
    let (status, data) = ask(&mut visit);
    assert_eq!(status, 200);
    let (user, session) = (&data["user"], &data["session"]);
    assert_eq!(data["version"], 1);
    assert_eq!(
        (&user["username"], &user["canonical_username"], &user["groups"], &user["email"]),
        (&json!("Anna"), &json!("anna"), &json!([]), &Value::Null)
    );
    assert_eq!(user["id"].as_str().unwrap().len(), 15);
    assert_eq!(session["password_at"], "2026-11-24T08:00:00.000Z");
    assert_eq!(session["created_at"], "2026-11-24T08:00:00.000Z");
    assert!(session["expires_at"].as_str() > Some("2026-12-"), "{session}");
    assert!(session["absolute_expires"].as_str() >= session["expires_at"].as_str(), "{session}");
    assert!(!data.to_string().contains(&visit.token()));
}

#[test]
fn names_groups_and_address_as_a_check_does() {
    let mut visit = Visit::with_ann();
    visit.raw().run("UPDATE user SET group_names = 'admin,staff', email = 'anna@example.com', email_verified_at = 1");
    let (_, data) = ask(&mut visit);
    assert_eq!(data["user"]["groups"], json!(["admin", "staff"]));
    assert_eq!(data["user"]["email"], "anna@example.com");
}

#[test]
fn answers_401_as_data_and_never_a_redirect_without_a_session() {
    let mut visit = Visit::new();
    let (status, data) = ask(&mut visit);
    assert_eq!((status, &data["error"]), (401, &json!("not_signed_in")));
    let page = visit.ask("GET", "/session", &[("Accept", "text/html")], "");
    assert_eq!((page.status, page.value("Location")), (401, None));
    visit.cookie = Some("auth_session=0123456789012345678901234567890123456789".to_owned());
    assert_eq!(ask(&mut visit).0, 401);
    assert_eq!(visit.cookie, None, "a cookie that opens nothing is cleared");
}

#[test]
fn renews_the_session_and_hands_out_the_cookie_for_it() {
    let mut visit = Visit::with_ann();
    visit.wait(Duration::from_secs(25 * 60 * 60));
    let answer = visit.get("/session");
    let set = answer.value("Set-Cookie").unwrap();
    assert!(set.starts_with(&*format!("auth_session={}", visit.token())), "{set}");
}

/// A check cannot set the cookie anew, which ends with the session where both share a host.
#[test]
fn leaves_it_to_the_pages_to_renew_a_session_whose_cookie_a_check_cannot_set() {
    let settings =
        Settings { trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()], ..Settings::default() };
    let mut visit = Visit::with(settings);
    visit.peer = Some([127, 0, 0, 1].into());
    visit.post("/signup", &[("username", "anna"), ("password", "correct horse")]);
    let check = [("X-Original-URL", "https://app.example.com/")];
    for _ in 0..3 {
        visit.wait(Duration::from_secs(25 * 60 * 60));
        assert_eq!(visit.ask("GET", "/auth/nginx", &check, "").status, 200);
    }
    let answer = visit.get("/session");
    let set = answer.value("Set-Cookie").expect("the browser learns of the renewal");
    assert!(set.ends_with("; Max-Age=1296000"), "{set}");
    // With guarded pages alone, session and cookie end together.
    visit.wait(Duration::from_secs(15 * 24 * 60 * 60));
    assert_eq!(visit.ask("GET", "/auth/nginx", &check, "").status, 200);
    visit.wait(Duration::from_millis(1));
    assert_eq!(visit.get("/session").status, 401);
}
