//! The address of an account: asked for, verified by a link, removed, and what a thief or a stranger can do.

use std::time::Duration;

use vestibule::auth::users;
use vestibule::web::Settings;
use vestibule::web::http::Response;
use vestibule::web::mail::Outgoing;

use super::forgotten::{
    MINUTE, addresses, ask as ask_for_reset, link, sent, set_email, set_password, sign_up, user,
    with_mail,
};
use crate::engine;
use crate::visit::{MORNING, Visit, body, of_example, plain, way};

const PASSWORD: &str = "correct horse";
const NEW: &str = "New@Example.com";
const HTML: (&str, &str) = ("Accept", "text/html");

/// A site with mail, on which `anna` is signed in and has the verified address `Anna@Example.com`.
fn with_anna() -> Visit {
    let mut visit = with_mail();
    sign_in(&mut visit, "anna");
    visit
}

fn sign_in(visit: &mut Visit, name: &str) {
    visit.forget_everything();
    let answer = visit.post("/login", &[("username", name), ("password", PASSWORD)]);
    assert_eq!(answer.status, 302, "{}", body(&answer));
    // Nearly each is one from a browser that is not known.
    visit.raw().run("DELETE FROM mail WHERE kind = 'new_browser'");
}

fn ask(visit: &mut Visit, address: &str) -> u16 {
    visit.post("/account/email", &[("email", address)]).status
}

/// The links in the mails that are sent now.
fn links(visit: &Visit) -> Vec<String> {
    sent(visit).iter().filter(|it| it.kind() == "verify").map(link).collect()
}

fn use_link(visit: &mut Visit, link: &str) -> u16 {
    let token = link.split_once("token=").unwrap().1;
    visit.post("/verify", &[("token", token)]).status
}

fn email(visit: &Visit) -> String {
    user(visit, "anna").verified_email().to_owned()
}

fn event(answer: &Response) -> &str {
    answer.note.event.name()
}

fn kinds(mails: &[Outgoing]) -> Vec<(&str, &str)> {
    mails.iter().map(|it| (it.kind(), it.to())).collect()
}

#[test]
fn changes_the_address_by_a_link_that_its_user_opens_and_tells_the_one_before() {
    let mut visit = with_anna().send("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0");
    let answer = visit.post("/account/email", &[("email", &format!(" {NEW} "))]);
    assert_eq!((way(&answer), event(&answer)), ((302, Some("/account/email")), "email_asked"));
    let mut mails = sent(&visit);
    mails.sort_by_key(Outgoing::kind);
    assert_eq!(kinds(&mails), [("email_asked", "Anna@Example.com"), ("verify", NEW)]);
    for line in ["anna at auth.example.com", "2026-11-24 08:00 UTC", "Firefox on Linux"] {
        assert!(mails[0].text.contains(line), "{line} is not in {}", mails[0].text);
    }
    assert!(!mails[0].text.contains(NEW) && !mails[0].text.contains("://"), "{}", mails[0].text);
    assert_eq!(email(&visit), "Anna@Example.com", "the old one stays");
    let link = link(&mails[1]);
    assert!(link.starts_with("/verify?token="), "{link}");
    let page = visit.ask("GET", &link, &[HTML], "");
    assert!(page.status == 200 && body(&page).contains(NEW), "{}", body(&page));
    assert_eq!(email(&visit), "Anna@Example.com", "a look changes nothing");
    let token = link.split_once('=').unwrap().1;
    let answer = visit.post("/verify", &[("token", token)]);
    assert_eq!((way(&answer), event(&answer)), ((302, Some("/account")), "email_verify"));
    assert_eq!(email(&visit), NEW);
    assert_eq!(kinds(&sent(&visit)), [("email_changed", "Anna@Example.com")]);
    assert_eq!(use_link(&mut visit, &link), 404, "it is used");
}

#[test]
fn verifies_the_first_address_of_an_account_and_removes_it_again() {
    let mut visit = with_mail();
    sign_up(&mut visit, "bert");
    sign_in(&mut visit, "bert");
    let page = visit.ask("GET", "/account/email", &[HTML], "");
    assert!(body(&page).contains("There is no e-mail address yet."), "{}", body(&page));
    assert_eq!(ask(&mut visit, "bert@example.com"), 302);
    let mails = sent(&visit);
    assert_eq!(kinds(&mails), [("verify", "bert@example.com")], "there is none before to be told");
    assert_eq!(use_link(&mut visit, &link(&mails[0])), 302);
    let data = visit.ask("GET", "/account/email", &[("Accept", "application/json")], "");
    assert_eq!(body(&data), "{\"email\":\"bert@example.com\",\"is_verified\":true}");
    assert_eq!(kinds(&sent(&visit)), []);
    assert_eq!(ask(&mut visit, " "), 302);
    assert_eq!(user(&visit, "bert").email, "");
    assert_eq!(kinds(&sent(&visit)), [("email_changed", "bert@example.com")]);
}

#[test]
fn gives_an_address_that_is_not_verified_to_no_app_and_verifies_it() {
    let mut visit = with_anna();
    visit.raw().run("UPDATE user SET email_verified_at = NULL");
    let page = visit.ask("GET", "/account/email", &[HTML], "");
    assert!(body(&page).contains("not verified"), "{}", body(&page));
    assert_eq!(visit.get("/auth/nginx").value("Remote-Email"), Some(""));
    assert_eq!(ask(&mut visit, "Anna@Example.com"), 302);
    let mails = sent(&visit);
    assert_eq!(kinds(&mails), [("verify", "Anna@Example.com")]);
    assert_eq!(use_link(&mut visit, &link(&mails[0])), 302);
    assert_eq!(visit.get("/auth/nginx").value("Remote-Email"), Some("Anna@Example.com"));
}

// Attack 3.
#[test]
fn refuses_what_is_no_address_or_could_be_read_as_another_one() {
    let mut visit = with_anna();
    let long = format!("{}@example.com", "a".repeat(243));
    for bad in [
        "a",
        "a@b",
        "a@example.com\r\nBcc: eve@evil.example",
        "a@example.com\u{0}",
        "a@example.com, eve@evil.example",
        "\"a\"@example.com",
        "a@b@example.com",
        "<a@example.com>",
        "a%0a@example.com",
        "a@example.com%0a",
        "m\u{131}ke@example.com",
        "a@127.0.0.1",
        &long,
    ] {
        let answer = visit.post("/account/email", &[("email", bad)]);
        assert_eq!(plain(&answer), (400, "Invalid e-mail address"), "{bad:?}");
    }
    assert_eq!(plain(&visit.post("/account/email", &[])), (400, "Invalid e-mail address"));
    let json = [("Accept", "application/json"), ("Content-Type", "application/json")];
    let answer = visit.ask("POST", "/account/email", &json, "{\"email\":\"a\"}");
    assert!(answer.status == 422 && body(&answer).contains("\"invalid_email\""));
    assert_eq!((visit.count("mail"), email(&visit)), (0, "Anna@Example.com".to_owned()));
    let page = visit.ask(
        "POST",
        "/account/email",
        &[
            HTML,
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Origin", "https://auth.example.com"),
        ],
        "email=a%40b",
    );
    assert!(
        body(&page).contains("value=\"a@b\"") && body(&page).contains("aria-invalid"),
        "{}",
        body(&page)
    );
}

// Attack 6.
#[test]
fn floods_no_address_with_mail_whichever_user_asks() {
    let mut visit = with_mail();
    let mut mailed = 0;
    for number in 0..50 {
        let name = format!("thief{number}");
        sign_up(&mut visit, &name);
        sign_in(&mut visit, &name);
        let answer = visit.post("/account/email", &[("email", "Victim@example.com")]);
        assert_eq!(answer.status, if number < 3 { 302 } else { 429 });
        mailed += addresses(&visit).len();
        visit.wait(MINUTE);
    }
    assert_eq!(mailed, 3);
    let answer = visit.post("/account/email", &[("email", "victim@EXAMPLE.com")]);
    let wait = 24 * 3_600 - 50 * 60;
    assert_eq!((answer.status, answer.value("Retry-After")), (429, Some(&*wait.to_string())));
    visit.now = MORNING.after(Duration::from_secs(24 * 60 * 60));
    sign_in(&mut visit, "thief0");
    assert_eq!(ask(&mut visit, "victim@example.com"), 302, "the next day");
}

#[test]
fn lets_one_user_ask_for_five_links_in_an_hour() {
    let mut visit = with_anna();
    let mut all = Vec::new();
    for number in 0..5 {
        assert_eq!(ask(&mut visit, &format!("a{number}@example.com")), 302);
        all.extend(links(&visit));
        visit.wait(MINUTE);
    }
    let answer = visit.post("/account/email", &[("email", "a5@example.com")]);
    assert_eq!((answer.status, answer.value("Retry-After")), (429, Some("3300")));
    let good: Vec<_> = all.iter().map(|it| visit.get(it).status).collect();
    assert_eq!(good, [404, 404, 200, 200, 200], "the last three are good");
    visit.wait(55 * MINUTE);
    sign_in(&mut visit, "anna");
    assert_eq!(ask(&mut visit, "a5@example.com"), 302);
}

// Attack 7.
#[test]
fn takes_a_link_from_its_user_alone_once_within_an_hour_and_before_a_new_password() {
    let mut visit = with_anna();
    let new_link = |visit: &mut Visit, number: u32| {
        visit.wait(20 * MINUTE);
        sign_in(visit, "anna");
        assert_eq!(ask(visit, &format!("a{number}@example.com")), 302);
        links(visit).remove(0)
    };
    let first = new_link(&mut visit, 1);
    let token = first.split_once('=').unwrap().1.to_owned();
    assert_eq!(set_password(&mut visit, &first, "battery staple"), 404, "another purpose");
    assert_eq!(visit.get(&format!("/reset?token={token}")).status, 404);
    ask_for_reset(&mut visit, "anna");
    let reset = link(&sent(&visit)[0]);
    assert_eq!(use_link(&mut visit, &reset), 404, "another purpose");

    sign_up(&mut visit, "evelyn");
    sign_in(&mut visit, "evelyn");
    assert_eq!(
        (visit.get(&first).status, use_link(&mut visit, &first)),
        (404, 404),
        "another user"
    );
    visit.forget_everything();
    assert_eq!(plain(&visit.post("/verify", &[("token", &token)])), (401, "Unauthorized"));
    let led = visit.ask("GET", &first, &[HTML], "");
    assert_eq!(way(&led), (302, Some(&*format!("/login?next=%2Fverify%3Ftoken%3D{token}"))));

    sign_in(&mut visit, "anna");
    let second = new_link(&mut visit, 2);
    assert_eq!(use_link(&mut visit, &second), 302);
    assert_eq!(use_link(&mut visit, &first), 404, "one that is used ends all");
    assert_eq!(visit.get(&reset).status, 404, "it went to the address before");

    let late = new_link(&mut visit, 3);
    visit.wait(60 * MINUTE);
    sign_in(&mut visit, "anna");
    assert_eq!(visit.get(&late).status, 200);
    visit.wait(Duration::from_millis(1));
    assert_eq!(use_link(&mut visit, &late), 404, "1 h and 1 ms");

    let before = new_link(&mut visit, 4);
    let change = [("current_password", PASSWORD), ("password", "battery staple")];
    assert_eq!(visit.post("/account/password", &change).status, 302);
    assert_eq!(use_link(&mut visit, &before), 404, "after a new password");
    assert_eq!(email(&visit), "a2@example.com");
}

// Attack 8.
#[test]
fn changes_nothing_for_a_scanner_that_follows_a_link_and_sends_its_form() {
    let mut visit = with_anna();
    ask(&mut visit, NEW);
    let link = links(&visit).remove(0);
    let browser = visit.forget_everything();
    for method in ["GET", "HEAD", "GET"] {
        assert_eq!(visit.ask(method, &link, &[HTML], "").status, 302);
    }
    assert_eq!(use_link(&mut visit, &link), 401, "it has no session");
    (visit.cookie, visit.device) = browser;
    for method in ["GET", "HEAD"] {
        assert_eq!(visit.ask(method, &link, &[HTML], "").status, 200);
    }
    assert_eq!(email(&visit), "Anna@Example.com");
    assert_eq!(use_link(&mut visit, &link), 302, "it is still good");
}

// Attack 9.
#[test]
fn wants_the_password_of_a_session_that_is_older_and_tells_the_old_address() {
    let mut visit = with_anna();
    visit.wait(11 * MINUTE);
    for address in ["thief@evil.example", ""] {
        let answer = visit.post("/account/email", &[("email", address)]);
        assert_eq!(plain(&answer), (403, "Password required"));
        let wrong = [("email", address), ("current_password", "wrong")];
        assert_eq!(plain(&visit.post("/account/email", &wrong)), (400, "Incorrect password"));
    }
    assert_eq!((addresses(&visit).len(), email(&visit)), (0, "Anna@Example.com".to_owned()));
    let right = [("email", "thief@evil.example"), ("current_password", PASSWORD)];
    assert_eq!(visit.post("/account/email", &right).status, 302);
    let mut to = addresses(&visit);
    to.sort();
    assert_eq!(to, ["Anna@Example.com", "thief@evil.example"]);
    assert_eq!(email(&visit), "Anna@Example.com", "the old one stays until the link is used");
}

// Attack 17, of these mails.
#[test]
fn sends_no_link_for_a_user_who_is_gone_or_disabled_and_a_notice_all_the_same() {
    let mut visit = with_anna();
    ask(&mut visit, NEW);
    let (id, store) = (user(&visit, "anna").id, engine::open(visit.folder.path()));
    users::disable(&*store, &id, "", MORNING).unwrap();
    assert_eq!(kinds(&sent(&visit)), [("email_asked", "Anna@Example.com")]);
    assert_eq!(visit.count("mail"), 0);
}

#[test]
fn writes_each_of_these_mails_in_the_language_of_the_page() {
    for (language, words) in [
        ("de", ["Gehört diese Adresse zum Konto?", "Die E-Mail-Adresse wurde geändert"]),
        ("fr", ["Est-ce votre adresse\u{a0}?", "Votre adresse e-mail a été changée"]),
    ] {
        let mut visit = with_anna().send("Accept-Language", language);
        ask(&mut visit, NEW);
        let mails = sent(&visit);
        let verify = mails.iter().find(|it| it.kind() == "verify").unwrap();
        assert_eq!(verify.subject, words[0]);
        use_link(&mut visit, &link(verify));
        assert_eq!(sent(&visit)[0].subject, words[1]);
    }
}

#[test]
fn exists_with_mail_alone() {
    let mut visit = Visit::with_ann();
    for path in ["/account/email", "/verify"] {
        assert_eq!((visit.get(path).status, visit.post(path, &[]).status), (404, 404), "{path}");
    }
    assert!(!body(&visit.ask("GET", "/account", &[HTML], "")).contains("/account/email"));
}

// Signing in with an address.

fn try_sign_in(visit: &mut Visit, name: &str, password: &str) -> Response {
    visit.forget_everything();
    visit.post("/login", &[("username", name), ("password", password)])
}

#[test]
fn signs_in_with_the_address_of_exactly_one_account_once_it_is_verified() {
    let mut visit = with_mail();
    for address in ["anna@example.com", " ANNA@Example.com ", "Anna@Example.com"] {
        assert_eq!(try_sign_in(&mut visit, address, PASSWORD).status, 302, "{address}");
        let data = visit.ask("GET", "/", &[("Accept", "application/json")], "");
        assert!(body(&data).contains("\"username\":\"anna\""), "{}", body(&data));
    }
    let long = format!("{}@example.com", "a".repeat(240));
    set_email(&visit, "anna", &long);
    assert_eq!(try_sign_in(&mut visit, &long, PASSWORD).status, 302, "longer than a name may be");
    visit.raw().run("UPDATE user SET email_verified_at = NULL");
    assert_eq!(try_sign_in(&mut visit, &long, PASSWORD).status, 400, "it is not verified");
    set_email(&visit, "anna", "anna@example.com");
    sign_up(&mut visit, "twin");
    set_email(&visit, "twin", "Anna@example.com");
    let answer = try_sign_in(&mut visit, "anna@example.com", PASSWORD);
    assert_eq!(plain(&answer), (400, "Incorrect username or password"), "two have it");
    assert_eq!(try_sign_in(&mut visit, "anna", PASSWORD).status, 302);
    let mut without = Visit::with_ann();
    set_email(&without, "anna", "anna@example.com");
    assert_eq!(try_sign_in(&mut without, "anna@example.com", PASSWORD).status, 400, "no mail");
    assert_eq!(try_sign_in(&mut without, &long, PASSWORD).status, 400, "no name");
}

#[test]
fn takes_what_is_a_name_for_that_account_whoever_has_it_as_an_address() {
    let mut visit = with_mail();
    sign_up(&mut visit, "bert@example.com");
    set_email(&visit, "anna", "bert@example.com");
    let answer = try_sign_in(&mut visit, "Bert@example.com", PASSWORD);
    assert_eq!(answer.status, 302);
    let data = visit.ask("GET", "/", &[("Accept", "application/json")], "");
    assert!(body(&data).contains("\"username\":\"bert@example.com\""), "{}", body(&data));
}

#[test]
fn tells_nobody_which_addresses_there_are() {
    let mut visit = with_mail();
    sign_up(&mut visit, "unverified");
    set_email(&visit, "unverified", "unverified@example.com");
    visit.raw().run("UPDATE user SET email_verified_at = NULL WHERE username = 'unverified'");
    let names =
        ["anna@example.com", "unverified@example.com", "nobody@example.com", "anna", "nobody"];
    let answers = names.map(|name| {
        let before = visit.site.hashes_computed();
        let answer = try_sign_in(&mut visit, name, "wrong");
        assert_eq!(visit.site.hashes_computed(), before + 1, "{name}");
        (answer.status, answer.headers, answer.body)
    });
    assert!(answers.iter().all(|it| *it == answers[0]));
}

#[test]
fn counts_failures_with_an_address_as_those_of_the_name() {
    let mut visit = with_mail();
    let mut wrong = 0;
    while try_sign_in(&mut visit, "anna@example.com", "wrong").status == 400 {
        wrong += 1;
        assert!(wrong < 50);
    }
    assert_eq!(try_sign_in(&mut visit, "ANNA", PASSWORD).status, 429);
    assert_eq!(try_sign_in(&mut visit, "bert@example.com", "wrong").status, 400);
}

#[test]
fn says_that_an_address_will_do_where_it_does() {
    for (settings, label) in [
        (Settings { has_mail: true, ..of_example() }, ">Username or e-mail address<"),
        (of_example(), ">Username<"),
    ] {
        let mut visit = Visit::with(settings);
        let page = visit.ask("GET", "/login", &[HTML], "");
        assert!(body(&page).contains(label), "{}", body(&page));
        let page = visit.ask("GET", "/signup", &[HTML], "");
        assert!(body(&page).contains(">Username<"), "{}", body(&page));
    }
}
