//! Guessing is hopeless, and owners are never locked out.

use std::time::Duration;

use vestibule::auth::sign_in::Rules;
use vestibule::auth::throttle::ThrottleLimits;
use vestibule::base::origin::Origin;
use vestibule::base::token::hex;
use vestibule::web::Settings;
use vestibule::web::cross_origin::Rule;
use vestibule::web::http::Response;

use crate::engine;
use crate::visit::{Visit, body, plain, way};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Tries to sign in.
fn sign_in(visit: &mut Visit, name: &str, password: &str) -> Response {
    visit.post("/login", &[("username", name), ("password", password)])
}

/// Guesses wrong, and comes back with the seconds to wait, if any.
fn guess(visit: &mut Visit, name: &str) -> Option<u64> {
    let answer = sign_in(visit, name, "wrong guess");
    match answer.status {
        400 => {
            assert_eq!(body(&answer), "Incorrect username or password");
            None
        }
        429 => {
            assert_eq!(body(&answer), "Too many attempts");
            Some(answer.value("Retry-After").unwrap().parse().unwrap())
        }
        other => panic!("{other}"),
    }
}

/// Guesses until there is a second to wait.
fn burn(visit: &mut Visit, name: &str) {
    (0..6).for_each(|_| assert_eq!(guess(visit, name), None));
}

/// A visit in which `anna` exists and another person sits at another browser.
fn with_stranger() -> Visit {
    let mut visit = Visit::with_ann();
    visit.forget_everything();
    visit
}

#[test]
fn makes_waits_grow_after_five_free_tries_the_same_for_unknown_names() {
    let mut waits = Vec::new();
    for name in ["anna", "nobody"] {
        let mut visit = with_stranger();
        for free in 1..=5 {
            assert_eq!(guess(&mut visit, name), None, "try {free} of {name}");
        }
        // The sixth is looked at, and has a wait behind it.
        assert_eq!(guess(&mut visit, name), None);
        let mut found = Vec::new();
        for _ in 0..14 {
            let wait = guess(&mut visit, name).expect("a wait");
            found.push(wait);
            visit.wait(Duration::from_secs(wait));
            assert_eq!(guess(&mut visit, name), None, "after the wait");
        }
        waits.push(found);
    }
    assert_eq!(waits[0], [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 1_800, 1_800, 1_800]);
    assert_eq!(waits[0], waits[1]);
}

#[test]
fn says_the_same_of_a_name_that_exists_and_of_one_that_does_not_while_it_makes_wait() {
    let answers: Vec<_> = ["anna", "nobody"]
        .map(|name| {
            let mut visit = with_stranger();
            burn(&mut visit, name);
            let answer = sign_in(&mut visit, name, "correct horse");
            (answer.status, answer.headers, answer.body)
        })
        .into_iter()
        .collect();
    assert_eq!(answers[0].0, 429);
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn marks_no_field_as_wrong_while_attempts_have_to_wait_and_leads_to_the_password() {
    let mut visit = with_stranger();
    burn(&mut visit, "anna");
    visit = visit.send("Accept", "text/html");
    let page = sign_in(&mut visit, "anna", "correct horse");
    let html = std::str::from_utf8(&page.body).unwrap();
    assert!(page.status == 429 && html.contains("Please try again in"), "{html}");
    assert!(!html.contains("aria-invalid"), "nothing is wrong with what was typed: {html}");
    assert!(html.contains("autocomplete=\"current-password\" autofocus"), "{html}");
}

/// The account that the operator reads of.
pub fn account_in(answer: &Response) -> Option<&str> {
    let field = answer.note.fields.iter().find(|(name, _)| *name == "uid");
    field.map(|(_, id)| &**id)
}

#[test]
fn tells_the_operator_alone_on_which_account_a_try_failed() {
    let [anna, nobody] = ["anna", "nobody"].map(|name| {
        let mut visit = with_stranger();
        let id = visit.raw().text("SELECT id FROM user");
        let mut answers = vec![sign_in(&mut visit, name, ""), sign_in(&mut visit, name, "wrong")];
        (1..6).for_each(|_| assert_eq!(guess(&mut visit, name), None));
        answers.push(sign_in(&mut visit, name, "wrong"));
        let accounts: Vec<_> = answers.iter().map(|it| account_in(it) == Some(&id)).collect();
        let events: Vec<_> = answers.iter().map(|it| it.note.event.name()).collect();
        assert_eq!(events, ["login_fail", "login_fail", "throttled"]);
        assert!(answers.iter().all(|it| account_in(it).is_none_or(|it| it == id)));
        let seen: Vec<_> = answers.into_iter().map(|it| (it.status, it.headers, it.body)).collect();
        (accounts, seen)
    });
    assert_eq!([anna.0, nobody.0], [vec![true; 3], vec![false; 3]]);
    assert!(anna.1 == nobody.1, "no answer and no header tells whether the name is taken");
}

#[test]
fn computes_no_hash_and_writes_nothing_for_a_client_that_has_to_wait() {
    let mut visit = with_stranger();
    burn(&mut visit, "anna");
    let rows = |visit: &Visit| visit.raw().row("SELECT sum(failures), sum(until) FROM throttle");
    let before = rows(&visit);
    assert_eq!(guess(&mut visit, "anna"), Some(1));
    assert_eq!(rows(&visit), before);
}

#[test]
fn counts_all_spellings_of_a_name_as_one() {
    let mut visit = with_stranger();
    for spelling in ["anna", "ANNA", "ａnna", "Anna", "aNNa", "ＡＮＮＡ"] {
        assert_eq!(guess(&mut visit, spelling), None);
    }
    assert_eq!(guess(&mut visit, "anna"), Some(1));
}

#[test]
fn forgets_the_failures_of_a_user_who_gets_it_right() {
    let mut visit = with_stranger();
    (0..5).for_each(|_| assert_eq!(guess(&mut visit, "anna"), None));
    assert_eq!(sign_in(&mut visit, "anna", "correct horse").status, 302);
    visit.forget_everything();
    (0..6).for_each(|_| assert_eq!(guess(&mut visit, "anna"), None));
    assert_eq!(guess(&mut visit, "anna"), Some(1));
}

#[test]
fn forgets_failures_after_a_day_of_quiet() {
    let mut visit = with_stranger();
    burn(&mut visit, "anna");
    visit.wait(DAY);
    (0..6).for_each(|_| assert_eq!(guess(&mut visit, "anna"), None));
}

#[test]
fn lets_the_owner_in_whatever_others_guess() {
    let mut visit = Visit::with_ann();
    let owner = visit.device.take();
    visit.forget_everything();
    burn(&mut visit, "anna");
    assert_eq!(guess(&mut visit, "anna"), Some(1));
    visit.device = owner;
    assert_eq!(way(&sign_in(&mut visit, "anna", "correct horse")), (302, Some("/")));
    // Their own browser has an allowance of its own, and no more than that.
    visit.forget_cookie();
    (0..6).for_each(|_| assert_eq!(guess(&mut visit, "anna"), None));
    assert_eq!(guess(&mut visit, "anna"), Some(1));
}

#[test]
fn clears_no_other_count_when_the_owner_signs_in() {
    let mut visit = Visit::with_ann();
    let owner = visit.device.take();
    visit.forget_everything();
    burn(&mut visit, "anna");
    visit.device = owner;
    assert_eq!(sign_in(&mut visit, "anna", "correct horse").status, 302);
    visit.forget_everything();
    assert_eq!(guess(&mut visit, "anna"), Some(1), "or the owner would help the attacker");
}

#[test]
fn knows_no_browser_by_the_secret_of_another_account_or_by_one_it_did_not_make() {
    let mut visit = Visit::with_ann();
    visit.forget_everything();
    visit.post("/signup", &[("username", "bobo"), ("password", "correct horse")]);
    let bobs = visit.device.clone();
    let forged = Some(format!("auth_device={}", "a".repeat(40)));
    (0..6).for_each(|_| {
        visit.forget_everything();
        guess(&mut visit, "anna");
    });
    for device in [bobs, forged.clone()] {
        visit.forget_everything();
        visit.device = device;
        assert_eq!(guess(&mut visit, "anna"), Some(1));
    }
    visit.wait(SECOND);
    visit.device.clone_from(&forged);
    assert_eq!(sign_in(&mut visit, "anna", "correct horse").status, 302);
    assert_ne!(visit.device, forged, "what we did not make we do not adopt");
}

#[test]
fn knows_one_browser_for_all_who_use_it_and_for_a_year() {
    let mut visit = Visit::with_ann();
    let device = visit.device.clone();
    visit.forget_cookie();
    visit.post("/signup", &[("username", "bobo"), ("password", "correct horse")]);
    assert_eq!(visit.device, device, "one secret for both");
    assert_eq!(visit.count("device"), 2);
    visit.wait(365 * DAY + SECOND);
    visit.device.take();
    burn(&mut visit, "anna");
    visit.device = device;
    assert_eq!(guess(&mut visit, "anna"), Some(1), "no longer known");
}

#[test]
fn sets_the_device_cookie_for_a_year_and_for_no_script() {
    let mut visit = Visit::new();
    let answer = visit.post("/signup", &[("username", "anna"), ("password", "correct horse")]);
    let set: Vec<_> =
        answer.headers.iter().filter(|(name, _)| *name == "Set-Cookie").map(|(_, it)| it).collect();
    assert!(set[0].starts_with("auth_session="), "the contract's cookie comes first");
    let token = visit.device.as_ref().unwrap().strip_prefix("auth_device=").unwrap();
    assert_eq!(token.len(), 40);
    assert!(set[1].ends_with("; Max-Age=31536000"), "{}", set[1]);
    assert!(set[1].contains("; HttpOnly; SameSite=Lax; "), "{}", set[1]);
    let stored = visit.raw().text("SELECT hex(id) FROM device");
    assert_ne!(stored.to_lowercase(), hex(token.as_bytes()), "stored hashed");
}

// Addresses.

/// A site behind a proxy at 10.0.0.1.
fn behind_a_proxy() -> Visit {
    let mut visit = Visit::with(Settings {
        trusted_proxies: vec!["10.0.0.1".parse::<std::net::IpAddr>().unwrap().into()],
        ..Settings::default()
    });
    visit.peer = "10.0.0.1".parse().ok();
    visit
}

fn guess_from(visit: &mut Visit, forwarded: &str, name: &str) -> u16 {
    visit.headers = vec![("X-Forwarded-For".to_owned(), forwarded.to_owned())];
    sign_in(visit, name, "wrong guess").status
}

#[test]
fn limits_an_address_whatever_names_it_tries() {
    let mut visit = behind_a_proxy();
    for n in 0..20 {
        assert_eq!(guess_from(&mut visit, "1.2.3.4", &format!("name{n}")), 400, "{n}");
    }
    assert_eq!(guess_from(&mut visit, "1.2.3.4", "another"), 429);
    assert_eq!(guess_from(&mut visit, "9.9.9.9, 1.2.3.4", "another"), 429, "a forged hop");
    assert_eq!(guess_from(&mut visit, "1.2.3.5", "another"), 400, "another client");
    visit.wait(6 * SECOND);
    assert_eq!(guess_from(&mut visit, "1.2.3.4", "another"), 400);
    assert_eq!(guess_from(&mut visit, "1.2.3.4", "another"), 429);
}

#[test]
fn lets_the_owner_in_whatever_is_guessed_from_the_same_address() {
    let mut visit = behind_a_proxy();
    visit.headers = vec![("X-Forwarded-For".to_owned(), "1.2.3.4".to_owned())];
    visit.post("/signup", &[("username", "anna"), ("password", "correct horse")]);
    let (_, owner) = visit.forget_everything();
    for n in 0..20 {
        assert_eq!(guess_from(&mut visit, "1.2.3.4", &format!("name{n}")), 400, "{n}");
    }
    assert_eq!(sign_in(&mut visit, "anna", "correct horse").status, 429, "from a new browser");
    visit.device = owner;
    assert_eq!(sign_in(&mut visit, "anna", "correct horse").status, 302);
}

#[test]
fn takes_an_ipv6_network_for_one_address() {
    let mut visit = behind_a_proxy();
    for n in 0..20 {
        let address = format!("2001:470:1:2::{n:x}");
        assert_eq!(guess_from(&mut visit, &address, &format!("name{n}")), 400);
    }
    assert_eq!(guess_from(&mut visit, "2001:470:1:2:ffff::1", "another"), 429);
    assert_eq!(guess_from(&mut visit, "2001:470:1:3::1", "another"), 400);
}

#[test]
fn does_not_count_all_visitors_as_one_behind_a_proxy_that_is_not_configured() {
    let mut visit = Visit::new();
    visit.peer = "127.0.0.1".parse().ok();
    for n in 0..40 {
        assert_eq!(guess_from(&mut visit, "1.2.3.4", &format!("name{n}")), 400, "{n}");
    }
}

#[test]
fn counts_a_right_password_for_nothing() {
    let mut visit = Visit::with_ann();
    visit.peer = "1.2.3.4".parse().ok();
    for _ in 0..60 {
        visit.forget_everything();
        assert_eq!(sign_in(&mut visit, "anna", "correct horse").status, 302);
    }
    assert_eq!(visit.count("throttle"), 0);
}

#[test]
fn limits_sign_ups_from_one_address_where_the_site_is_served_for_real() {
    let sign_up = |visit: &mut Visit, n: usize| {
        visit.forget_everything();
        let name = format!("name-{n}");
        visit.post("/signup", &[("username", &name), ("password", "three unrelated words")]).status
    };
    let rule = Rule { own: Origin::parse("https://auth.test"), ..Rule::default() };
    let mut visit = Visit::with(Settings { rule, ..Settings::default() });
    visit.peer = "1.2.3.4".parse().ok();
    assert!((0..10).all(|n| sign_up(&mut visit, n) == 302));
    assert_eq!(sign_up(&mut visit, 10), 429);
    assert_eq!(visit.count("user"), 10);
    visit.wait(60 * SECOND);
    assert_eq!(sign_up(&mut visit, 11), 302);
    let mut visit = Visit::new();
    visit.peer = "1.2.3.4".parse().ok();
    assert!((0..20).all(|n| sign_up(&mut visit, n) == 302), "to try it out there is no limit");
}

#[test]
fn tells_a_signed_in_user_which_address_is_believed() {
    let mut visit = behind_a_proxy();
    assert_eq!(plain(&visit.get("/whoami")), (401, "Unauthorized"));
    visit.post("/signup", &[("username", "anna"), ("password", "correct horse")]);
    visit.headers = vec![
        ("X-Forwarded-For".to_owned(), "evil, 1.2.3.4".to_owned()),
        ("X-Real-IP".to_owned(), "6.6.6.6".to_owned()),
        ("Forwarded".to_owned(), "for=6.6.6.6".to_owned()),
    ];
    assert_eq!(plain(&visit.get("/whoami")), (200, "1.2.3.4"));
    visit.peer = "192.0.2.7".parse().ok();
    assert_eq!(plain(&visit.get("/whoami")), (200, "192.0.2.7"));
}

#[test]
fn follows_the_limits_that_the_operator_sets() {
    let limits = ThrottleLimits { free: 1, wait_max: 3 * SECOND, ..ThrottleLimits::default() };
    let rules = Rules { limits, ..Rules::default() };
    let mut visit = Visit::with(Settings { rules, ..Settings::default() });
    assert_eq!(guess(&mut visit, "anna"), None);
    assert_eq!(guess(&mut visit, "anna"), None);
    for expected in [1, 2, 3, 3] {
        assert_eq!(guess(&mut visit, "anna"), Some(expected));
        visit.wait(Duration::from_secs(expected));
        assert_eq!(guess(&mut visit, "anna"), None);
    }
}

#[test]
fn keeps_every_penalty_when_the_database_is_opened_again() {
    let mut visit = with_stranger();
    (0..8).for_each(|_| {
        guess(&mut visit, "anna");
        visit.wait(2 * SECOND);
    });
    let now = visit.now;
    let mut again = Visit::over(visit.folder);
    again.now = now;
    assert!(guess(&mut again, "anna").is_some_and(|wait| wait <= 4));
}

#[test]
fn says_that_an_account_is_made_although_it_cannot_be_counted() {
    // The trigger is in the words of one engine.
    if engine::is_server() {
        return;
    }
    let rule = Rule { own: Origin::parse("https://auth.test"), ..Rule::default() };
    let mut visit = Visit::with(Settings { rule, ..Settings::default() });
    visit.peer = "203.0.113.1".parse().ok();
    let refuse = "BEFORE INSERT ON throttle BEGIN SELECT RAISE(ABORT, 'no room'); END";
    visit.raw().run(&format!("CREATE TRIGGER refuse {refuse}"));
    let fields = [("username", "anna"), ("password", "battery staple")];
    assert_eq!(way(&visit.post("/signup", &fields)), (302, Some("/")));
    assert!(visit.is_signed_in());
}

#[test]
fn writes_nothing_for_a_success_that_has_nothing_to_forget() {
    let settings = Settings { basic_auth: true, ..crate::visit::of_example() };
    let mut visit = Visit::with(settings);
    visit.post("/signup", &[("username", "anna"), ("password", "correct horse")]);
    visit.forget_everything();
    let mut other = visit.raw();
    other.run("BEGIN");
    other.run("UPDATE user_session SET seen_at = seen_at");
    let authorization = crate::visit::basic("anna", "correct horse");
    let headers = [("Authorization", &*authorization)];
    assert_eq!(visit.ask("GET", "/auth/nginx", &headers, "").status, 200);
    other.run("ROLLBACK");
}

#[test]
fn tells_a_person_until_when_to_wait_and_keeps_the_name_they_typed() {
    let mut visit = with_stranger();
    burn(&mut visit, "anna");
    let mut visit = visit.send("Accept", "text/html");
    let answer = sign_in(&mut visit, "anna", "wrong");
    assert_eq!((answer.status, answer.value("Retry-After")), (429, Some("1")));
    let until = visit.now.after(Duration::from_secs(1)).rfc3339();
    let words = format!("Please try again in <time datetime=\"{until}\">1 second</time>.");
    let page = body(&answer);
    assert!(page.contains(&words) && page.contains("value=\"anna\""), "{page}");
}
