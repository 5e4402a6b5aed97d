//! Notices by mail: what a user hears of, where it goes, and what it says.

use std::time::Duration;

use vestibule::web::Settings;
use vestibule::web::mail::Outgoing;

use super::forgotten::{
    MINUTE, ask, link, sent, set_password, sign_up, user, with_mail, with_mail_of,
};
use crate::visit::{Visit, body, of_example};

const PASSWORD: &str = "correct horse";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

fn sign_in(visit: &mut Visit) {
    let answer = visit.post("/login", &[("username", "anna"), ("password", PASSWORD)]);
    assert_eq!(answer.status, 302, "{}", body(&answer));
}

/// A site with mail and access tokens on which `anna` is signed in with a browser that is known.
fn with_anna() -> Visit {
    let settings = Settings { basic_auth: true, has_mail: true, has_notices: true, ..of_example() };
    let mut visit = with_mail_of(settings).send("User-Agent", FIREFOX);
    sign_in(&mut visit);
    assert_eq!(kinds(&sent(&visit)), [("new_browser", "Anna@Example.com")]);
    visit
}

fn kinds(mails: &[Outgoing]) -> Vec<(&str, &str)> {
    mails.iter().map(|it| (it.kind(), it.to())).collect()
}

#[test]
fn tells_a_user_of_a_sign_in_from_a_browser_that_is_not_known_and_of_no_other() {
    let mut visit = with_anna();
    visit.forget_cookie();
    sign_in(&mut visit);
    assert_eq!(kinds(&sent(&visit)), [], "the browser is known");
    visit.forget_everything();
    visit.peer = Some([198, 51, 100, 7].into());
    sign_in(&mut visit);
    let mails = sent(&visit);
    assert_eq!(kinds(&mails), [("new_browser", "Anna@Example.com")]);
    assert_eq!(mails[0].subject, "New sign-in");
    for line in
        ["anna at auth.example.com", "2026-11-24 08:00 UTC", "Firefox on Linux", "198.51.100.7"]
    {
        assert!(mails[0].text.contains(line), "{line} is not in {}", mails[0].text);
    }
    assert!(!mails[0].text.contains("://"), "a notice has no link");
    let wrong = visit.post("/login", &[("username", "anna"), ("password", "wrong")]);
    assert_eq!((wrong.status, sent(&visit).len()), (400, 0));
}

#[test]
fn tells_of_ten_new_browsers_in_a_day_and_of_no_more() {
    let mut visit = with_anna();
    let mut told = 1;
    for _ in 0..40 {
        visit.forget_everything();
        visit.wait(MINUTE);
        sign_in(&mut visit);
        told += sent(&visit).len();
    }
    assert_eq!(told, 10, "a script that keeps no cookies buries its user in mails");
    visit.wait(Duration::from_secs(24 * 60 * 60));
    visit.forget_everything();
    sign_in(&mut visit);
    assert_eq!(sent(&visit).len(), 1, "the next day");
}

#[test]
fn tells_a_user_of_a_new_password_however_it_was_set() {
    let mut visit = with_anna();
    let wrong = [("current_password", "wrong"), ("password", "battery staple")];
    assert_eq!(visit.post("/account/password", &wrong).status, 400);
    assert_eq!(kinds(&sent(&visit)), []);
    let change = [("current_password", PASSWORD), ("password", "battery staple")];
    assert_eq!(visit.post("/account/password", &change).status, 302);
    assert_eq!(kinds(&sent(&visit)), [("password_changed", "Anna@Example.com")]);
    ask(&mut visit, "anna");
    let link = link(&sent(&visit)[0]);
    assert_eq!(set_password(&mut visit, &link, PASSWORD), 302);
    let mails = sent(&visit);
    assert_eq!(kinds(&mails), [("password_changed", "Anna@Example.com")]);
    assert_eq!(set_password(&mut visit, &link, "another staple"), 404);
    assert_eq!(kinds(&sent(&visit)), []);
}

#[test]
fn tells_a_user_of_a_new_access_token() {
    let mut visit = with_anna();
    assert_eq!(visit.post("/account/tokens", &[("name", ""), ("days", "30")]).status, 400);
    assert_eq!(kinds(&sent(&visit)), []);
    let answer = visit.post("/account/tokens", &[("name", "backup"), ("days", "30")]);
    assert_eq!(answer.status, 200);
    let mails = sent(&visit);
    assert_eq!(kinds(&mails), [("access_token_made", "Anna@Example.com")]);
    assert!(!mails[0].text.contains("vst_") && !mails[0].text.contains(body(&answer)));
}

// Attack 17: of the mails that wait the notice alone stays.
#[test]
fn tells_a_user_that_the_account_was_deleted_and_drops_what_else_waits() {
    let mut visit = with_anna();
    visit.post("/account/email", &[("email", "new@example.com")]);
    assert_eq!(visit.count("mail"), 2);
    assert_eq!(visit.post("/account/delete", &[("password", PASSWORD)]).status, 302);
    assert_eq!((visit.count("user"), visit.count("mail")), (0, 1));
    let mails = sent(&visit);
    assert_eq!(kinds(&mails), [("account_deleted", "Anna@Example.com")]);
    assert!(mails[0].text.contains("anna at auth.example.com"), "{}", mails[0].text);
}

#[test]
fn writes_notices_in_the_language_of_the_page() {
    for (language, subject, browser) in [
        ("de", "Neue Anmeldung", "Firefox unter Linux"),
        ("fr", "Nouvelle connexion", "Firefox sous Linux"),
    ] {
        let mut visit = with_mail().send("Accept-Language", language).send("User-Agent", FIREFOX);
        sign_in(&mut visit);
        let mails = sent(&visit);
        assert_eq!(mails[0].subject, subject);
        assert!(mails[0].text.contains(browser), "{}", mails[0].text);
    }
}

#[test]
fn writes_no_notice_without_a_verified_address_or_where_notices_are_off() {
    let mut visit = with_mail();
    sign_up(&mut visit, "bert");
    visit.post("/login", &[("username", "bert"), ("password", PASSWORD)]);
    visit.raw().run("UPDATE user SET email_verified_at = NULL");
    sign_in(&mut visit);
    assert_eq!(visit.count("mail"), 0);
    let settings = Settings { has_mail: true, ..of_example() };
    let mut visit = with_mail_of(settings);
    sign_in(&mut visit);
    assert_eq!(user(&visit, "anna").verified_email(), "Anna@Example.com");
    assert_eq!(visit.count("mail"), 0);
    let change = [("current_password", PASSWORD), ("password", "battery staple")];
    assert_eq!(visit.post("/account/password", &change).status, 302);
    assert_eq!(visit.post("/account/email", &[("email", "new@example.com")]).status, 302);
    assert_eq!(kinds(&sent(&visit)), [("verify", "new@example.com")], "links are no notices");
}
