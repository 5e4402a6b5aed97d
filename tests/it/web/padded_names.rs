//! Names with white space around them, as keyboards of phones write them.

use std::time::Duration;

use vestibule::auth::keys::NewKey;
use vestibule::auth::usernames::Username;
use vestibule::auth::users;
use vestibule::base::password::{Hasher, Password};
use vestibule::store::KeyId;
use vestibule::web::http::Response;
use vestibule::web::{Lane, Settings};

use crate::engine;
use crate::visit::{CHEAP, MORNING, Visit, basic, of_example, plain, way};

const PASSWORD: &str = "correct horse";
const WRONG: (u16, &str) = (400, "Incorrect username or password");
const PADDED: [&str; 6] =
    ["anna ", " anna", "\tAnna  ", "ANNA\u{a0}", "\u{3000}ａｎｎａ", "anna\r\n"];

fn sign_in(visit: &mut Visit, name: &str, password: &str) -> Response {
    visit.post("/login", &[("username", name), ("password", password)])
}

fn with_anna(settings: Settings) -> Visit {
    let mut visit = Visit::with(settings);
    visit.post("/signup", &[("username", "anna"), ("password", PASSWORD)]);
    visit.forget_everything();
    visit
}

/// Adds a user with exactly this name, as an import does.
fn add(visit: &Visit, name: &str, password: &str) {
    let store = engine::open(visit.folder.path());
    let name = Username::for_sign_in(name).unwrap();
    let (id, password) = (KeyId::username(name.canonical()), Password::new(password));
    let key = NewKey { id: &id, password: Some(&password) };
    let hasher = Hasher::new(1, CHEAP);
    users::create(&*store, &hasher, &name, Some(&key), MORNING).unwrap().unwrap();
}

#[test]
fn signs_in_under_a_name_with_space_around_it() {
    let mut visit = with_anna(Settings::default());
    for name in PADDED {
        assert_eq!(way(&sign_in(&mut visit, name, PASSWORD)), (302, Some("/")), "{name:?}");
        visit.forget_everything();
    }
    for name in ["an na", "a nna ", "anna.", "ann a"] {
        assert_eq!(plain(&sign_in(&mut visit, name, PASSWORD)), WRONG, "{name:?}");
    }
}

#[test]
fn prefers_the_account_that_has_the_very_name() {
    let mut visit = with_anna(Settings::default());
    add(&visit, "anna ", "of the other one");
    let name_of = |answer: &Response| answer.note.fields.clone();
    let own = sign_in(&mut visit, "anna ", "of the other one");
    assert_eq!(own.status, 302);
    visit.forget_everything();
    assert_eq!(plain(&sign_in(&mut visit, "anna ", PASSWORD)), WRONG, "it is not tried on both");
    let other = sign_in(&mut visit, " anna", PASSWORD);
    assert_eq!(other.status, 302);
    assert_ne!(name_of(&own), name_of(&other));
}

#[test]
fn takes_a_name_as_long_as_names_may_be_with_space_behind_it() {
    let mut visit = Visit::new();
    let long = "n".repeat(31);
    visit.post("/signup", &[("username", &long), ("password", PASSWORD)]);
    visit.forget_everything();
    assert_eq!(sign_in(&mut visit, &format!("{long} "), PASSWORD).status, 302);
    // What is nothing but space is what it was in the guide.
    assert_eq!(plain(&sign_in(&mut visit, " ", PASSWORD)), WRONG);
    let invalid = (400, "Invalid username");
    for name in ["", &*" ".repeat(32), &*format!("{long}n "), &*"n".repeat(32)] {
        assert_eq!(plain(&sign_in(&mut visit, name, PASSWORD)), invalid, "{name:?}");
    }
}

#[test]
fn counts_one_failure_and_under_the_name_that_is_meant() {
    let mut visit = with_anna(Settings::default());
    for name in PADDED {
        assert_eq!(plain(&sign_in(&mut visit, name, "wrong guess")), WRONG, "{name:?}");
    }
    // Six of them: the next has to wait, however it is written.
    for name in ["anna", "anna   "] {
        assert_eq!(sign_in(&mut visit, name, "wrong guess").status, 429, "{name:?}");
    }
    assert_eq!(visit.count("throttle"), 1);
    visit.wait(Duration::from_secs(1));
    assert_eq!(sign_in(&mut visit, "anna ", PASSWORD).status, 302);
    assert_eq!(visit.count("throttle"), 0, "a right password clears the count");
}

#[test]
fn costs_one_hash_whether_the_name_is_known_or_not_and_logs_the_same_name() {
    let mut visit = with_anna(Settings::default());
    for name in ["anna", "anna ", "nobody", "nobody "] {
        let before = visit.site.hashes_computed();
        assert_eq!(plain(&sign_in(&mut visit, name, "wrong guess")), WRONG);
        assert_eq!(visit.site.hashes_computed() - before, 1, "{name:?}");
    }
    let noted = |answer: Response| format!("{:?}", answer.note.fields);
    let exact = noted(sign_in(&mut visit, "anna", "wrong guess"));
    assert!(exact.contains("uid"), "{exact}");
    assert_eq!(noted(sign_in(&mut visit, "anna ", "wrong guess")), exact);
    let request = visit.request(
        "POST",
        "/login",
        &[("Content-Type", "application/x-www-form-urlencoded")],
        &format!("username={}+&password=wrong+guess", "n".repeat(31)),
    );
    assert_eq!(visit.site.lane(&request, visit.now), Lane::Hash);
}

#[test]
fn makes_an_account_without_the_space() {
    let mut visit = Visit::new();
    let answer = visit.post("/signup", &[("username", " Anna "), ("password", PASSWORD)]);
    assert_eq!(way(&answer), (302, Some("/")));
    assert!(String::from_utf8_lossy(&visit.get("/").body).contains("Username: Anna</p>"));
    visit.forget_everything();
    let taken = visit.post("/signup", &[("username", "anna  "), ("password", "another horse")]);
    assert_eq!(plain(&taken), (400, "Username already taken"));
    for name in ["ann ", "    ", " \u{200b}anna"] {
        let answer = visit.post("/signup", &[("username", name), ("password", PASSWORD)]);
        assert_eq!(plain(&answer), (400, "Invalid username"), "{name:?}");
    }
}

#[test]
fn lets_a_script_through_whose_name_has_space_around_it() {
    let mut visit = with_anna(Settings { basic_auth: true, ..of_example() });
    let mut check = |name: &str, password: &str| {
        let authorization = basic(name, password);
        let headers = [
            ("Authorization", &*authorization),
            ("X-Original-URL", "https://app.example.com/"),
            ("X-Original-Method", "GET"),
        ];
        let answer = visit.ask("GET", "/auth/nginx", &headers, "");
        (answer.status, answer.value("Remote-User").map(str::to_owned))
    };
    for name in ["anna", "anna ", " anna"] {
        assert_eq!(check(name, PASSWORD), (200, Some("anna".to_owned())), "{name:?}");
        assert_eq!(check(name, "wrong guess").0, 401, "{name:?}");
    }
}
