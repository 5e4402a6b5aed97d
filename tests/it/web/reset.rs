//! One-time links that set a password.

use std::time::Duration;

use vestibule::auth::names::Rest;
use vestibule::auth::one_time_tokens::{self, Purpose};
use vestibule::auth::usernames::Username;
use vestibule::auth::users;
use vestibule::base::token::Token;

use crate::binary::{Binary, vestibule};
use crate::engine;
use crate::visit::{MORNING, Visit, body, plain, way};
use crate::web::account::add_key;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A visit in which `anna` is signed in, and the token of a link that an operator has made for her.
fn with_link() -> (Visit, Token) {
    let visit = Visit::with_ann();
    let token = link(&visit);
    (visit, token)
}

fn link(visit: &Visit) -> Token {
    let store = engine::open(visit.folder.path());
    let anna = users::by_name(&*store, &Username::for_sign_in("anna").unwrap()).unwrap().unwrap();
    one_time_tokens::create(&*store, &anna.id, Purpose::ResetPassword, visit.now).unwrap().unwrap()
}

fn reset(visit: &mut Visit, token: &str, password: &str) -> (u16, String) {
    let answer = visit.post("/reset", &[("token", token), ("password", password)]);
    (answer.status, body(&answer).to_owned())
}

fn sign_in(visit: &mut Visit, password: &str) -> u16 {
    visit.post("/login", &[("username", "anna"), ("password", password)]).status
}

#[test]
fn keeps_the_link_in_the_address_of_a_form_that_was_refused() {
    let (visit, token) = with_link();
    let mut visit = visit.send("Accept", "text/html");
    let page = visit.get(&format!("/reset?token={}", token.reveal()));
    let action = format!("/reset?token={}", token.reveal());
    assert!(body(&page).contains(&format!("action=\"{action}\"")), "{}", body(&page));
    let refused = visit.post(&action, &[("token", token.reveal()), ("password", "x")]);
    assert_eq!((refused.status, visit.get(&action).status), (400, 200));
}

#[test]
fn sets_a_password_once_ends_every_session_and_starts_none() {
    let (mut visit, token) = with_link();
    let page = visit.ask(
        "GET",
        &format!("/reset?token={}", token.reveal()),
        &[("Accept", "text/html")],
        "",
    );
    assert!(page.status == 200 && body(&page).contains("<strong>anna</strong>"));
    let old = visit.cookie.clone();
    let answer = visit.post("/reset", &[("token", token.reveal()), ("password", "battery staple")]);
    assert_eq!((way(&answer), answer.value("Set-Cookie")), ((302, Some("/login")), None));
    visit.cookie = old;
    assert!(!visit.is_signed_in());
    assert_eq!(sign_in(&mut visit, "correct horse"), 400);
    assert_eq!(sign_in(&mut visit, "battery staple"), 302);
    assert_eq!(reset(&mut visit, token.reveal(), "another one").0, 404, "it is used up");
    assert_eq!(sign_in(&mut visit, "battery staple"), 302);
}

#[test]
fn takes_no_link_that_is_altered_old_replaced_or_for_a_disabled_user() {
    let (mut visit, token) = with_link();
    let refused = (404, "This link is not valid any more".to_owned());
    for bad in ["", "x", &"a".repeat(40), &token.reveal().to_uppercase()] {
        assert_eq!(reset(&mut visit, bad, "battery staple"), refused, "{bad}");
        assert_eq!(visit.get(&format!("/reset?token={bad}")).status, 404);
    }
    let newer = link(&visit);
    assert_eq!(
        reset(&mut visit, token.reveal(), "battery staple"),
        refused,
        "the last one is good"
    );
    visit.wait(HOUR);
    assert_eq!(visit.get(&format!("/reset?token={}", newer.reveal())).status, 200);
    visit.wait(Duration::from_millis(1));
    assert_eq!(reset(&mut visit, newer.reveal(), "battery staple"), refused, "an hour is over");
    let newest = link(&visit);
    visit.raw().run("UPDATE user SET disabled_at = 1");
    assert_eq!(reset(&mut visit, newest.reveal(), "battery staple"), refused);
    visit.site.sweep(visit.now.after(2 * HOUR)).unwrap();
    assert_eq!(visit.count("one_time_token"), 0);
}

#[test]
fn keeps_a_link_when_the_new_password_is_refused_and_drops_it_with_the_old_one() {
    let (mut visit, token) = with_link();
    assert_eq!(reset(&mut visit, token.reveal(), "short"), (400, "Invalid password".to_owned()));
    let passwords = [("current_password", "correct horse"), ("password", "battery staple")];
    assert_eq!(visit.post("/account/password", &passwords).status, 302);
    assert_eq!(reset(&mut visit, token.reveal(), "another one").0, 404);
}

#[test]
fn forgets_the_failures_for_the_name_when_a_link_is_used_and_not_before() {
    let (mut visit, token) = with_link();
    let known = visit.device.clone();
    visit.forget_cookie();
    for device in [None, known.clone()] {
        visit.device = device;
        for _ in 0..7 {
            sign_in(&mut visit, "wrong guess");
        }
        assert_eq!(sign_in(&mut visit, "correct horse"), 429);
    }
    visit.get(&format!("/reset?token={}", token.reveal()));
    assert_eq!(reset(&mut visit, token.reveal(), "short").0, 400);
    assert_eq!(reset(&mut visit, &"a".repeat(40), "battery staple").0, 404);
    assert_eq!(sign_in(&mut visit, "correct horse"), 429, "nothing is forgotten yet");
    assert_eq!(reset(&mut visit, token.reveal(), "battery staple").0, 302);
    for device in [None, known] {
        visit.device = device;
        assert_eq!(sign_in(&mut visit, "battery staple"), 302);
        visit.forget_cookie();
    }
}

/// An imported user may sign in with another name than the one that is shown.
#[test]
fn forgets_the_failures_for_every_name_that_the_user_signs_in_with() {
    let (mut visit, token) = with_link();
    visit.raw().run(
        "INSERT INTO user_key (id, user_id, hashed_password)
         SELECT 'username:before', user_id, hashed_password FROM user_key",
    );
    visit.forget_everything();
    (0..7).for_each(|_| {
        visit.post("/login", &[("username", "before"), ("password", "wrong guess")]);
    });
    assert!(visit.count("throttle") > 0);
    assert_eq!(reset(&mut visit, token.reveal(), "battery staple").0, 302);
    assert_eq!(visit.count("throttle"), 0);
}

#[test]
fn replaces_the_password_whatever_the_keys_are_called() {
    let (mut visit, token) = with_link();
    visit.raw().run("UPDATE user SET username = 'hannah', canonical_username = 'hannah'");
    add_key(&visit, "email:anna@example.com", "of the address");
    assert_eq!(reset(&mut visit, token.reveal(), "battery staple").0, 302);
    assert!(!visit.is_signed_in());
    assert_eq!(sign_in(&mut visit, "correct horse"), 400);
    assert_eq!(sign_in(&mut visit, "battery staple"), 302);
    assert_eq!(visit.count("user_key"), 2, "another key was added");
    let distinct = "SELECT count(DISTINCT hashed_password) FROM user_key";
    assert_eq!(visit.raw().number(distinct), 1, "an old hash is left");
}

#[test]
fn gives_a_password_to_a_user_who_has_had_none() {
    for keys in ["DELETE FROM user_key", "UPDATE user_key SET hashed_password = NULL"] {
        let (mut visit, token) = with_link();
        visit.raw().run(keys);
        assert_eq!(sign_in(&mut visit, "correct horse"), 400);
        assert_eq!(reset(&mut visit, token.reveal(), "battery staple").0, 302);
        assert_eq!(sign_in(&mut visit, "battery staple"), 302, "{keys}");
        assert_eq!(visit.count("user_key"), 1);
    }
}

#[test]
fn takes_no_link_from_before_something_that_the_operator_has_done_to_the_account() {
    for (what, undo) in [("disabled", true), ("renamed", false), ("another address", false)] {
        let (mut visit, token) = with_link();
        let store = engine::open(visit.folder.path());
        let name = |typed| Username::for_sign_in(typed).unwrap();
        let anna = users::by_name(&*store, &name("anna")).unwrap().unwrap().id;
        match what {
            "disabled" => drop(users::disable(&*store, &anna, "left", visit.now).unwrap()),
            "renamed" => drop(
                users::rename(&*store, &anna, &name("hannah"), Rest::default(), MORNING).unwrap(),
            ),
            _ => drop(users::set_email(&*store, &anna, "new@example.com", MORNING).unwrap()),
        }
        if undo {
            users::enable(&*store, &anna).unwrap();
        }
        assert_eq!(reset(&mut visit, token.reveal(), "battery staple").0, 404, "{what}");
        assert_eq!(visit.count("one_time_token"), 0, "{what}");
    }
}

#[test]
fn sets_one_password_though_a_link_is_used_many_times_at_once() {
    let (visit, token) = with_link();
    let store = engine::open(visit.folder.path());
    let hasher = vestibule::base::password::Hasher::new(4, crate::visit::CHEAP);
    let won: usize = std::thread::scope(|scope| {
        let set = |number: usize| {
            let password =
                vestibule::base::password::Password::new(&format!("battery staple {number}"));
            one_time_tokens::reset_password(&*store, &hasher, (&token, None), &password, visit.now)
                .unwrap()
        };
        let all: Vec<_> = (0..8).map(|number| scope.spawn(move || set(number))).collect();
        all.into_iter().map(|it| usize::from(it.join().unwrap())).sum()
    });
    assert_eq!(won, 1);
}

#[test]
fn refuses_a_form_that_another_site_posts() {
    let (mut visit, token) = with_link();
    let form = format!("token={}&password=battery+staple", token.reveal());
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Origin", "https://evil.example"),
    ];
    let answer = visit.ask("POST", "/reset", &headers, &form);
    assert_eq!(plain(&answer).0, 403);
    assert_eq!(sign_in(&mut visit, "correct horse"), 302);
}

#[test]
fn takes_the_address_of_a_link_from_the_settings_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    server.sign_up("anna");
    let database = folder.path().join("test.db");
    let link = |origin: &[&str]| {
        let mut command = vestibule(&["user", "reset-link", "anna", "--database"]);
        command.arg(&database).args(origin).output().unwrap()
    };
    assert_eq!(link(&[]).status.code(), Some(2), "where people sign in has to be said");
    let told = String::from_utf8(link(&["--origin=https://auth.example.com"]).stdout).unwrap();
    assert!(told.starts_with("https://auth.example.com/reset?token="), "{told}");
    let drawn = link(&["--origin=https://auth.example.com", "--qr"]).stdout;
    let drawn = String::from_utf8(drawn).unwrap();
    assert!(drawn.lines().count() > 15 && drawn.contains('█'), "{drawn}");
    let token = drawn.lines().next().unwrap().split_once("token=").unwrap().1;
    let form = format!("token={token}&password=battery+staple");
    let head = format!(
        "POST /reset HTTP/1.1\r\nHost: evil.example\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        form.len()
    );
    let answer = server.ask(&head);
    assert_eq!((answer.status, answer.value("Location")), (302, Some("/login")));
    let log = server.stop();
    assert!(log.contains("ev=password_reset uid=") && !log.contains(token));
}
