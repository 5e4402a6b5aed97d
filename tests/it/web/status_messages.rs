//! What the page after an action says.

use std::time::Duration;

use vestibule::web::Settings;

use crate::visit::{Visit, body, of_example, way};

const ANNA: [(&str, &str); 2] = [("username", "anna"), ("password", "correct horse")];

/// A browser in which `anna` has just signed up.
fn browser(settings: Settings) -> Visit {
    let mut visit = Visit::with(settings).send("Accept", "text/html");
    assert_eq!(visit.post("/signup", &ANNA).status, 302);
    visit
}

fn told(visit: &mut Visit, path: &str) -> Option<String> {
    let answer = visit.get(path);
    let (_, rest) = body(&answer).split_once("<p class=\"message\" role=\"status\">")?;
    Some(rest.split_once('<').unwrap().0.to_owned())
}

#[test]
fn says_once_on_the_next_page_what_was_done() {
    let with_tokens = Settings { basic_auth: true, ..Settings::default() };
    let mut visit = browser(with_tokens);
    let change = [("current_password", "correct horse"), ("password", "battery staple")];
    let token = [("name", "script"), ("days", "30")];
    assert_eq!(way(&visit.post("/account/password", &change)), (302, Some("/account")));
    let sentence = "Your password was changed. All your other sessions have ended.";
    assert_eq!(told(&mut visit, "/account").as_deref(), Some(sentence));
    assert_eq!(told(&mut visit, "/account"), None, "once");

    visit.post("/account/tokens", &token);
    let page = visit.get("/account/tokens");
    let (_, rest) = body(&page).split_once("name=\"token\" value=\"").unwrap();
    let handle = rest.split_once('"').unwrap().0.to_owned();
    visit.post("/account/tokens/revoke", &[("token", &handle)]);
    let sentence = "The access token was revoked.";
    assert_eq!(told(&mut visit, "/account/tokens").as_deref(), Some(sentence));

    visit.post("/account/sessions/end-others", &[]);
    let sentence = "All your other sessions were ended.";
    assert_eq!(told(&mut visit, "/account/sessions").as_deref(), Some(sentence));

    visit.post("/logout", &[]);
    assert_eq!(told(&mut visit, "/login").as_deref(), Some("You are signed out."));
    visit.post("/login", &[("username", "anna"), ("password", "battery staple")]);
    visit.post("/account/delete", &[("password", "battery staple")]);
    assert_eq!(told(&mut visit, "/login").as_deref(), Some("Your account was deleted."));
}

#[test]
fn says_it_on_the_next_page_that_is_shown_and_not_on_an_error() {
    let mut visit = browser(Settings::default());
    visit.post("/logout", &[]);
    assert_eq!(told(&mut visit, "/nowhere"), None);
    assert_eq!(told(&mut visit, "/login").as_deref(), Some("You are signed out."));
}

#[test]
fn takes_no_message_from_the_address_and_none_that_it_does_not_know() {
    let mut visit = Visit::new().send("Accept", "text/html");
    for path in ["/login?message=password_changed", "/login?auth_message=password_changed"] {
        assert_eq!(told(&mut visit, path), None);
    }
    for value in ["", "hello", "PASSWORD_CHANGED", "password_changed%20", "<b>x</b>"] {
        visit.message = Some(format!("auth_message={value}"));
        assert_eq!(told(&mut visit, "/login"), None, "{value}");
    }
}

#[test]
fn leaves_scripts_nothing() {
    let mut script = Visit::with_ann();
    let answer = script.post("/logout", &[]);
    let set: Vec<_> = answer.headers.iter().filter(|(name, _)| *name == "Set-Cookie").collect();
    assert_eq!(set.len(), 1, "the session cookie alone: {set:?}");
    assert_eq!(script.message, None);
}

#[test]
fn keeps_it_for_this_host_and_a_minute() {
    let mut visit = browser(of_example()).send("Origin", "https://auth.example.com");
    let answer = visit.post("/logout", &[]);
    let set = answer.headers.iter().find(|(_, value)| value.contains("auth_message="));
    let set = &*set.unwrap().1;
    assert!(set.starts_with("__Host-auth_message=signed_out; Path=/; Secure; HttpOnly"), "{set}");
    assert!(set.ends_with("Max-Age=60") && !set.contains("Domain"), "{set}");
}

#[test]
fn renews_a_session_beside_it() {
    let mut visit = browser(Settings::default());
    visit.post("/account/sessions/end-others", &[]);
    visit.wait(Duration::from_secs(25 * 60 * 60));
    let answer = visit.get("/account/sessions");
    let set = |name: &str| answer.headers.iter().any(|(_, value)| value.starts_with(name));
    assert!(set("auth_session=") && set("auth_message=;"), "{:?}", answer.headers);
}
