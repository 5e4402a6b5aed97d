//! People look after their own account.

use std::time::Duration;

use vestibule::base::clock::Moment;
use vestibule::base::password::{Hasher, Password};
use vestibule::store::Record;
use vestibule::web::Settings;
use vestibule::web::http::Response;
use vestibule::web::openapi::description;
use vestibule::web::pages::branding::Look;

use crate::visit::{CHEAP, Visit, body, of_every_page, plain, way};

const MINUTE: Duration = Duration::from_secs(60);
const LINUX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

fn change(visit: &mut Visit, present: &str, new: &str) -> Response {
    visit.post("/account/password", &[("current_password", present), ("password", new)])
}

fn sign_in(visit: &mut Visit, password: &str) -> Response {
    visit.post("/login", &[("username", "anna"), ("password", password)])
}

/// Signs in once more in another browser, and comes back with its cookie.
fn elsewhere(visit: &mut Visit) -> Option<String> {
    let here = visit.forget_everything();
    assert_eq!(sign_in(visit, "correct horse").status, 302);
    let there = visit.cookie.take();
    (visit.cookie, visit.device) = here;
    there
}

/// The handles on the page of sessions, the present one first.
fn handles(visit: &mut Visit) -> Vec<String> {
    let answer = visit.get("/account/sessions");
    let handle = |part: &str| part.split('"').next().unwrap().to_owned();
    body(&answer).split("name=\"session\" value=\"").skip(1).map(handle).collect()
}

#[test]
fn leads_from_the_profile_to_the_account() {
    let mut visit = Visit::with_ann();
    assert!(body(&visit.get("/")).contains("href=\"/account\""));
    let answer = visit.get("/account");
    assert_eq!(answer.status, 200);
    for part in ["action=\"/account/password\"", "action=\"/account/delete\""] {
        assert!(body(&answer).contains(part), "{part}");
    }
}

/// The addresses about an account, each with what it answers, from the description of all of them.
fn addresses() -> Vec<(String, serde_json::Value)> {
    let all = description()["paths"].as_object().unwrap().clone();
    let all: Vec<_> = all.into_iter().filter(|(path, _)| path.starts_with("/account")).collect();
    assert!(all.len() >= 9, "{all:?}");
    all
}

fn site_with_tokens() -> Visit {
    let mut visit = Visit::with(of_every_page());
    let form = [("username", "anna"), ("password", "correct horse")];
    assert_eq!(visit.post("/signup", &form).status, 302);
    visit
}

#[test]
fn leads_from_the_account_to_every_page_about_it() {
    let mut visit = site_with_tokens();
    let page = visit.get("/account");
    for (path, operations) in addresses() {
        // A browser is led to the confirmation when an action needs it.
        let is_page = operations.get("get").is_some() && path != "/account/prove";
        let is_linked = body(&page).contains(&format!("href=\"{path}\""));
        assert!(path == "/account" || is_linked == is_page, "{path}");
    }
    let mut visit = Visit::with_ann();
    assert!(!body(&visit.get("/account")).contains("/account/tokens"), "without --basic-auth");
}

#[test]
fn answers_at_every_address_of_an_account_to_its_user_alone() {
    let mut visit = site_with_tokens();
    let cookie = visit.forget_cookie();
    for (path, operations) in addresses() {
        let (is_read, is_written) =
            (operations.get("get").is_some(), operations.get("post").is_some());
        visit.cookie = None;
        if is_read {
            assert_eq!(way(&visit.get(&path)), (302, Some("/login")), "{path}");
            let json = visit.ask("GET", &path, &[("Accept", "application/json")], "");
            assert_eq!(json.status, 401, "{path}");
        }
        if is_written {
            assert_eq!(plain(&visit.post(&path, &[])), (401, "Unauthorized"), "{path}");
        }
        visit.cookie.clone_from(&cookie);
        let refused = match (is_read, is_written) {
            (true, false) => Some((visit.post(&path, &[]), "GET, HEAD")),
            (false, true) => Some((visit.get(&path), "POST")),
            _ => None,
        };
        if let Some((answer, allowed)) = refused {
            assert_eq!((answer.status, answer.value("Allow")), (405, Some(allowed)), "{path}");
        }
    }
}

// The password.

#[test]
fn changes_a_password_and_ends_every_other_session() {
    let mut visit = Visit::with_ann();
    let other = elsewhere(&mut visit);
    let before = visit.cookie.clone();
    assert_eq!(
        way(&change(&mut visit, "correct horse", "battery staple")),
        (302, Some("/account"))
    );
    assert_ne!(visit.cookie, before, "a new token");
    assert!(visit.is_signed_in());
    let after = visit.cookie.clone();
    for ended in [other, before] {
        visit.cookie = ended;
        assert!(!visit.is_signed_in());
    }
    visit.cookie = after;
    assert_eq!(visit.count("user_session"), 1);
    visit.forget_cookie();
    assert_eq!(sign_in(&mut visit, "correct horse").status, 400);
    assert_eq!(sign_in(&mut visit, "battery staple").status, 302);
}

#[test]
fn changes_nothing_for_a_client_that_does_not_know_the_current_password() {
    let mut visit = Visit::with_ann();
    for present in ["wrong", "", "Correct horse"] {
        let answer = change(&mut visit, present, "battery staple");
        assert_eq!(plain(&answer), (400, "Incorrect password"), "{present:?}");
    }
    assert!(visit.is_signed_in());
    visit.forget_cookie();
    assert_eq!(sign_in(&mut visit, "correct horse").status, 302);
}

/// Gives `anna` the name `hannah` and leaves her key, as Lucia's `updateUserAttributes` does.
fn rename_without_the_key(visit: &Visit) {
    visit.raw().run("UPDATE user SET username = 'hannah', canonical_username = 'hannah'");
}

/// Adds a key to the one user there is, with this password.
pub fn add_key(visit: &Visit, id: &str, password: &str) {
    let hash = Hasher::new(1, CHEAP).hash(&Password::new(password));
    let hash = hash.as_stored();
    visit.raw().run(&format!(
        "INSERT INTO user_key (id, user_id, hashed_password) SELECT '{id}', id, '{hash}' FROM user"
    ));
}

#[test]
fn knows_the_owner_again_whatever_their_key_is_called() {
    let mut visit = Visit::with(Settings { basic_auth: true, ..Settings::default() });
    visit.post("/signup", &[("username", "anna"), ("password", "correct horse")]);
    rename_without_the_key(&visit);
    visit.wait(60 * MINUTE);
    let token = [("name", "backup"), ("days", "30"), ("current_password", "correct horse")];
    assert_eq!(visit.post("/account/tokens", &token).status, 200);
    assert_eq!(plain(&change(&mut visit, "wrong guess", "battery staple")).0, 400);
    assert_eq!(change(&mut visit, "correct horse", "battery staple").status, 302);
    visit.forget_cookie();
    assert_eq!(sign_in(&mut visit, "correct horse").status, 400);
    assert_eq!(sign_in(&mut visit, "battery staple").status, 302);
    assert_eq!(visit.count("user_key"), 1, "another key was added");
    let confirmed = visit.post("/account/delete", &[("password", "battery staple")]);
    assert_eq!(way(&confirmed), (302, Some("/login")));
    assert_eq!(visit.count("user"), 0);
}

#[test]
fn replaces_the_password_of_every_key_and_takes_any_of_them_for_the_present_one() {
    for present in ["correct horse", "of the address", "of the other name"] {
        let mut visit = Visit::with_ann();
        add_key(&visit, "email:anna@example.com", "of the address");
        add_key(&visit, "username:anni", "of the other name");
        assert_eq!(plain(&change(&mut visit, "wrong guess", "battery staple")).0, 400);
        assert_eq!(change(&mut visit, present, "battery staple").status, 302, "{present}");
        for (name, password, status) in [
            ("anna", "correct horse", 400),
            ("anni", "of the other name", 400),
            ("anna", "battery staple", 302),
            ("anni", "battery staple", 302),
        ] {
            let fields = [("username", name), ("password", password)];
            visit.forget_cookie();
            assert_eq!(visit.post("/login", &fields).status, status, "{name}: {password}");
        }
        assert_eq!(visit.count("user_key"), 3);
        let distinct = "SELECT count(DISTINCT hashed_password) FROM user_key";
        assert_eq!(visit.raw().number(distinct), 1, "an old hash is left");
    }
}

#[test]
fn asks_of_a_new_password_what_sign_up_asks() {
    let mut visit = Visit::with_ann();
    for new in ["", "12345", &*"x".repeat(256)] {
        let answer = change(&mut visit, "correct horse", new);
        assert_eq!(plain(&answer), (400, "Invalid password"), "{} characters", new.len());
    }
    assert_eq!(change(&mut visit, "correct horse", "123456").status, 302);
}

/// Guesses six times in this session, after which there is a second to wait.
fn guess_in_session(visit: &mut Visit) {
    for _ in 0..6 {
        assert_eq!(change(visit, "wrong guess", "battery staple").status, 400);
    }
    let answer = change(visit, "correct horse", "battery staple");
    assert_eq!(
        (plain(&answer), answer.value("Retry-After")),
        ((429, "Too many attempts"), Some("1"))
    );
}

#[test]
fn throttles_an_attacker_who_guesses_in_a_stolen_session_and_no_other_client() {
    let mut visit = Visit::with_ann();
    let thief = visit.cookie.clone();
    let owner = elsewhere(&mut visit);
    visit.cookie.clone_from(&thief);
    guess_in_session(&mut visit);
    visit.raw().run("UPDATE user_session SET proven_at = 1");
    for path in ["/account/delete", "/account/sessions/end-others"] {
        let fields = [("password", "correct horse"), ("current_password", "correct horse")];
        assert_eq!(visit.post(path, &fields).status, 429, "{path}");
    }
    // A known browser is no further allowance.
    visit.device = None;
    assert_eq!(change(&mut visit, "correct horse", "battery staple").status, 429);
    visit.forget_cookie();
    assert_eq!(sign_in(&mut visit, "correct horse").status, 302, "the name has its own count");
    visit.cookie = owner;
    assert_eq!(change(&mut visit, "correct horse", "battery staple").status, 302);
    visit.cookie = thief;
    assert!(!visit.is_signed_in());
}

#[test]
fn forgets_the_failures_of_a_session_in_which_the_password_was_right() {
    let mut visit = Visit::with_ann();
    visit.raw().run("UPDATE user_session SET proven_at = 1");
    guess_in_session(&mut visit);
    visit.wait(Duration::from_secs(1));
    let fields = [("current_password", "correct horse")];
    assert_eq!(visit.post("/account/sessions/end-others", &fields).status, 302);
    guess_in_session(&mut visit);
}

/// Neither the name's count nor the address's is asked: an attacker who guesses from elsewhere fills both.
#[test]
fn lets_an_owner_who_is_signed_in_change_the_password_while_others_guess_at_the_account() {
    for (path, field) in [
        ("/account/password", "current_password"),
        ("/account/sessions/end-others", "current_password"),
        ("/account/delete", "password"),
    ] {
        let mut visit = Visit::with_ann();
        visit.peer = "192.0.2.1".parse().ok();
        let (owner, _) = visit.forget_everything();
        for _ in 0..30 {
            visit.post("/login", &[("username", "anna"), ("password", "wrong guess")]);
            visit.post("/login", &[("username", "nobody"), ("password", "wrong guess")]);
        }
        assert_eq!(sign_in(&mut visit, "correct horse").status, 429);
        visit.raw().run("UPDATE user_session SET proven_at = 1");
        visit.cookie = owner;
        // Without "stay signed in" the browser is not known by a cookie of its own.
        let new = ("password", "battery staple");
        let mut fields = vec![(field, "correct horse")];
        if path == "/account/password" {
            fields.push(new);
        }
        assert_eq!(visit.post(path, &fields).status, 302, "{path}");
    }
}

#[test]
fn gives_the_form_again_with_what_is_wrong_and_never_a_password() {
    let mut visit = Visit::with_ann().send("Accept", "text/html");
    let answer = change(&mut visit, "wrong guess", "battery staple");
    let page = body(&answer);
    assert!(page.contains("role=\"alert\"") && page.contains("Incorrect password"));
    assert!(!page.contains("wrong guess") && !page.contains("battery staple"));
    let input = page.split("id=\"current_password\"").nth(1).unwrap().split('>').next().unwrap();
    assert!(input.contains("aria-invalid=\"true\"") && input.contains("autofocus"), "{input}");
}

// Sessions.

#[test]
fn shows_where_a_user_is_signed_in() {
    let mut visit = Visit::new().send("User-Agent", LINUX);
    visit.peer = "192.0.2.7".parse().ok();
    visit.post("/signup", &[("username", "anna"), ("password", "correct horse")]);
    let answer = visit.get("/account/sessions");
    let page = body(&answer);
    for part in [
        "Firefox on Linux",
        "This browser",
        "from\u{a0}192.0.2.7",
        "Signed in <time datetime=\"2026-11-24T08:00:00Z\" title=\"2026-11-24 08:00:00 UTC\">just now</time>",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains(&visit.token()));
    let [handle] = &*handles(&mut visit) else { panic!("one session") };
    assert_eq!(handle.len(), 16);
    let stored = visit.raw().text("SELECT lower(hex(id)) FROM user_session");
    assert!(!stored.contains(handle), "neither token nor stored hash");
}

#[test]
fn ends_one_session_or_all_others() {
    let mut visit = Visit::with_ann();
    let first = elsewhere(&mut visit);
    let second = elsewhere(&mut visit);
    let all = handles(&mut visit);
    assert_eq!(all.len(), 3);
    let answer = visit.post("/account/sessions/end", &[("session", &all[1])]);
    assert_eq!(way(&answer), (302, Some("/account/sessions")));
    assert_eq!(handles(&mut visit), [all[0].clone(), all[2].clone()]);
    assert_eq!(visit.post("/account/sessions/end-others", &[]).status, 302);
    assert_eq!(handles(&mut visit), [all[0].clone()]);
    for ended in [first, second] {
        let here = std::mem::replace(&mut visit.cookie, ended);
        assert!(!visit.is_signed_in());
        visit.cookie = here;
    }
    let answer = visit.post("/account/sessions/end", &[("session", &all[0])]);
    assert_eq!(way(&answer), (302, Some("/login")), "one's own: that is signing out");
    assert_eq!((visit.cookie.as_ref(), visit.count("user_session")), (None, 0));
}

#[test]
fn ends_no_session_of_another_user() {
    let mut visit = Visit::with_ann();
    let anns = handles(&mut visit);
    visit.forget_everything();
    visit.post("/signup", &[("username", "bobo"), ("password", "correct horse")]);
    for handle in [&*anns[0], "0000000000000000", "", "x"] {
        let answer = visit.post("/account/sessions/end", &[("session", handle)]);
        assert_eq!(plain(&answer), (404, "Not found"), "{handle}");
    }
    assert_eq!(visit.count("user_session"), 2);
}

#[test]
fn wants_a_password_that_was_given_a_short_while_ago() {
    let mut visit = Visit::with_ann();
    elsewhere(&mut visit);
    let end = |visit: &mut Visit, fields: &[(&str, &str)]| {
        let answer = visit.post("/account/sessions/end-others", fields);
        (answer.status, body(&answer).to_owned())
    };
    visit.wait(10 * MINUTE);
    assert_eq!(end(&mut visit, &[]).0, 302, "the last good moment");
    elsewhere(&mut visit);
    visit.wait(Duration::from_millis(1));
    assert_eq!(end(&mut visit, &[]), (403, "Password required".to_owned()));
    let wrong = [("current_password", "wrong guess")];
    assert_eq!(end(&mut visit, &wrong), (400, "Incorrect password".to_owned()));
    assert_eq!(visit.count("user_session"), 2);
    assert_eq!(end(&mut visit, &[("current_password", "correct horse")]).0, 302);
    assert_eq!(visit.count("user_session"), 1);
    visit.wait(9 * MINUTE);
    assert_eq!(end(&mut visit, &[]).0, 302, "it counts from the last time");
}

#[test]
fn asks_a_person_for_the_password_on_a_page_of_its_own_and_leads_back() {
    let mut visit = Visit::with_ann().send("Accept", "text/html");
    elsewhere(&mut visit);
    visit.wait(11 * MINUTE);
    assert!(!body(&visit.get("/account/sessions")).contains("password\""), "no field in the list");
    let other = handles(&mut visit)[1].clone();
    let end = |visit: &mut Visit| visit.post("/account/sessions/end", &[("session", &other)]);
    let prove = "/account/prove?next=%2Faccount%2Fsessions";
    assert_eq!(way(&end(&mut visit)), (302, Some(prove)));
    let page = visit.get(prove);
    let next = "name=\"next\" value=\"/account/sessions\"";
    assert!(body(&page).contains("<h1>Confirm it is you</h1>") && body(&page).contains(next));
    let give = |visit: &mut Visit, password| {
        let fields = [("current_password", password), ("next", "/account/sessions")];
        visit.post("/account/prove", &fields)
    };
    let wrong = give(&mut visit, "wrong guess");
    assert_eq!((wrong.status, wrong.note.event.name()), (400, "reauth_fail"));
    assert!(
        body(&wrong).contains("<strong>Incorrect password</strong>") && body(&wrong).contains(next)
    );
    let right = give(&mut visit, "correct horse");
    assert_eq!(way(&right), (302, Some("/account/sessions")));
    assert_eq!(right.note.event.name(), "reauth_ok");
    assert_eq!(way(&end(&mut visit)), (302, Some("/account/sessions")));
    assert_eq!(visit.count("user_session"), 1);
    assert_eq!(way(&visit.get("/account/prove")), (302, Some("/account")), "it was given lately");
}

#[test]
fn leads_nowhere_else_after_the_password_was_given() {
    let mut visit = Visit::with_ann();
    for next in ["https://e.com/", "//e.com", "/\\e.com", ""] {
        let fields = [("current_password", "correct horse"), ("next", next)];
        assert_eq!(way(&visit.post("/account/prove", &fields)), (302, Some("/account")), "{next}");
    }
}

#[test]
fn asks_nothing_of_a_person_who_ends_their_own_session() {
    let mut visit = Visit::with_ann();
    visit.wait(11 * MINUTE);
    let own = handles(&mut visit)[0].clone();
    let answer = visit.post("/account/sessions/end", &[("session", &own)]);
    assert_eq!(way(&answer), (302, Some("/login")));
    assert_eq!(visit.count("user_session"), 0);
}

#[test]
fn shows_sessions_by_browser_a_page_at_a_time() {
    let mut visit = Visit::new().send("User-Agent", LINUX);
    visit.post("/signup", &[("username", "anna"), ("password", "correct horse")]);
    (0..24).for_each(|_| drop(elsewhere(&mut visit)));
    let mut all = handles(&mut visit);
    assert_eq!(all.len(), 6);
    let page = visit.get("/account/sessions");
    assert_eq!(body(&page).matches("Firefox on Linux</h2>").count(), 1, "one group");
    assert!(body(&page).contains("<button id=\"b1\" name=\"session\" value=\""));
    assert!(body(&page).contains(" aria-labelledby=\"b1 g0 t1\">End</button>"));
    for number in 2..=5 {
        let page = visit.get(&format!("/account/sessions?page={number}"));
        let handle = |part: &str| part.split('"').next().unwrap().to_owned();
        all.extend(body(&page).split("name=\"session\" value=\"").skip(1).map(handle));
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 25, "each session is on one page");
}

#[test]
fn keeps_when_a_session_was_last_seen_with_one_write_in_ten_minutes() {
    let mut visit = Visit::with_ann();
    let seen = |visit: &Visit| visit.raw().number("SELECT seen_at FROM user_session");
    let began = seen(&visit);
    visit.wait(9 * MINUTE);
    visit.get("/");
    assert_eq!(seen(&visit), began);
    visit.wait(MINUTE);
    visit.get("/");
    assert_eq!(seen(&visit), began + 600_000);
}

// Deletion.

#[test]
fn deletes_an_account_with_everything_that_belongs_to_it() {
    let mut visit = Visit::with_ann();
    elsewhere(&mut visit);
    for wrong in ["wrong guess", ""] {
        let answer = visit.post("/account/delete", &[("password", wrong)]);
        assert_eq!(plain(&answer), (400, "Incorrect password"), "{wrong:?}");
    }
    assert!(visit.is_signed_in());
    let answer = visit.post("/account/delete", &[("password", "correct horse")]);
    assert_eq!(way(&answer), (302, Some("/login")));
    for table in ["user", "user_key", "user_session", "device"] {
        assert_eq!(visit.count(table), 0, "{table}");
    }
    assert_eq!(visit.cookie, None);
    assert_eq!(sign_in(&mut visit, "correct horse").status, 400);
    let again = [("username", "anna"), ("password", "another one")];
    let taken = (400, "Username already taken");
    assert_eq!(plain(&visit.post("/signup", &again)), taken, "the name rests: see names.rs");
}

#[test]
fn takes_no_step_for_another_site() {
    let mut visit = Visit::with_ann().send("Origin", "https://evil.example");
    for path in [
        "/account/password",
        "/account/sessions/end",
        "/account/sessions/end-others",
        "/account/delete",
    ] {
        let fields = [("current_password", "correct horse"), ("password", "correct horse")];
        assert_eq!(visit.post(path, &fields).status, 403, "{path}");
    }
    assert_eq!((visit.count("user"), visit.count("user_session")), (1, 1));
}

/// It is the page that is asked for most, so it reads nothing but the session.
#[test]
fn leads_a_person_from_the_profile_to_their_sessions_and_tells_a_script_nothing_of_them() {
    let mut visit = Visit::with_ann().send("Accept", "text/html");
    let link = "<a href=\"/account/sessions\">See where you are signed in</a>";
    assert!(body(&visit.get("/")).contains(link));
    visit.headers.clear();
    assert!(!body(&visit.get("/")).contains("session"), "a script gets what the guide has");
}

/// A name that is written from right to left must not turn the text around it.
#[test]
fn sets_names_apart_from_the_text_around_them() {
    let settings = Settings { basic_auth: true, ..Settings::default() };
    let mut visit = Visit::with(settings).send("Accept", "text/html");
    let user = [("username", "אבגדה"), ("password", "correct horse")];
    assert_eq!(visit.post("/signup", &user).status, 302);
    for path in ["/", "/account", "/logout"] {
        let page = visit.get(path);
        let isolated = ["<bdi>אבגדה</bdi>", "<bdi><strong>אבגדה</strong></bdi>"];
        assert!(isolated.iter().any(|it| body(&page).contains(it)), "{path}: {}", body(&page));
    }
    visit.post("/account/tokens", &[("name", "גיבוי"), ("days", "30")]);
    let page = visit.get("/account/tokens");
    assert!(
        body(&page).contains("<strong id=\"n0\" dir=\"auto\">גיבוי</strong>"),
        "{}",
        body(&page)
    );
    let form = visit.get("/account/tokens?new=1");
    let rule =
        "aria-describedby=\"name-advice\"><p class=\"hint\" id=\"name-advice\">1 to 60 characters";
    assert!(body(&form).contains(rule), "the rule is said before failing: {}", body(&form));
    assert!(body(&form).contains("autocomplete=\"off\" dir=\"auto\""));
}

#[test]
fn says_what_to_do_about_a_forgotten_password_with_the_operators_help() {
    let help = "Please ask at the front desk.".to_owned();
    for help in [None, Some(help)] {
        let look = Look::new(None, None, None, help.clone());
        let mut visit = Visit::with(Settings { look, ..Settings::default() });
        visit = visit.send("Accept", "text/html");
        let wrong = [("username", "anna"), ("password", "wrong")];
        for answer in [visit.get("/login"), visit.post("/login", &wrong)] {
            assert!(body(&answer).contains("Forgot your password?"), "{}", body(&answer));
            assert!(help.iter().all(|it| body(&answer).contains(it)), "{}", body(&answer));
        }
    }
}

// What was done with the account.

/// Anna's id, and what the site says of her.
fn id_of(visit: &mut Visit) -> String {
    let json = visit.ask("GET", "/", &[("Accept", "application/json")], "");
    let data: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    data["user"]["id"].as_str().unwrap().to_owned()
}

fn record(user: &str, event: &str, at: Moment) -> Record {
    Record {
        user_id: Some(user.to_owned()),
        address: Some("192.0.2.7".to_owned()),
        request: Some("abcd-1".to_owned()),
        ..Record::of_program(event, "browser=\"Firefox on Linux\"".to_owned(), at)
    }
}

#[test]
fn shows_users_what_was_done_with_their_own_account_the_latest_first() {
    let mut visit = Visit::with_ann();
    let anna = id_of(&mut visit);
    let later = visit.now.after(std::time::Duration::from_secs(60));
    let records = [
        record(&anna, "login_fail", visit.now),
        Record { address: None, ..record(&anna, "user_groups", later) },
        record(&anna, "csrf_reject", later),
        record(&anna, "an_event_of_a_later_version", later),
        record("another-user", "password_change", later),
    ];
    visit.site.keep(&records).unwrap();

    let page = visit.ask("GET", "/account/activity", &[("Accept", "text/html")], "");
    let html = body(&page);
    assert_eq!(page.status, 200);
    let [groups, failed] =
        ["Groups changed by the administrator", "Sign-in failed"].map(|it| html.find(it).unwrap());
    assert!(groups < failed, "{html}");
    assert!(html.contains("192.0.2.7") && html.contains("Firefox on Linux"), "{html}");
    assert!(
        html.contains(
            "<time datetime=\"2026-11-24T08:00:00Z\" title=\"2026-11-24 08:00:00 UTC\">just now<"
        ),
        "{html}"
    );
    assert_eq!(
        html.matches("<li>").count(),
        2,
        "nothing of others, nothing for the operator alone"
    );

    let german = [("Accept", "text/html"), ("Accept-Language", "de")];
    let page = visit.ask("GET", "/account/activity", &german, "");
    assert!(body(&page).contains("Anmeldung gescheitert"), "{}", body(&page));
    assert!(body(&page).contains("Firefox unter Linux"), "{}", body(&page));

    let json = visit.ask("GET", "/account/activity", &[("Accept", "application/json")], "");
    let data: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    let failed = &data["activity"][1];
    assert_eq!(data["activity"].as_array().unwrap().len(), 2);
    assert_eq!(failed["event"], "login_fail");
    assert_eq!(failed["browser"], "Firefox on Linux");
    assert_eq!(failed["address"], "192.0.2.7");
    assert_eq!(failed["at"], "2026-11-24T08:00:00.000Z");
    assert!(data["activity"][0]["address"].is_null());
}

#[test]
fn shows_ten_of_the_latest_hundred_records_on_a_page() {
    let mut visit = Visit::with_ann();
    let anna = id_of(&mut visit);
    let records: Vec<_> = (0..120).map(|_| record(&anna, "login_fail", visit.now)).collect();
    visit.site.keep(&records).unwrap();
    let pages = [("", "1–10 of 100"), ("?page=2", "11–20 of 100"), ("?page=99", "91–100 of 100")];
    for (query, shown) in pages {
        let path = format!("/account/activity{query}");
        let page = visit.ask("GET", &path, &[("Accept", "text/html")], "");
        assert!(body(&page).contains(shown), "{path}: {}", body(&page));
        assert_eq!(body(&page).matches("<li>").count(), 10, "{path}");
    }
}

#[test]
fn notes_the_browser_with_what_a_user_does_and_not_with_what_is_unknown() {
    let mut visit = Visit::with_ann().send("User-Agent", LINUX);
    let known = [("username", "anna"), ("password", "wrong")];
    let unknown = [("username", "otto"), ("password", "wrong")];
    let field = |response: &Response| {
        let found = response.note.fields.iter().find(|(name, _)| *name == "browser");
        found.map(|(_, value)| value.clone())
    };
    assert_eq!(field(&visit.post("/login", &known)).as_deref(), Some("Firefox on Linux"));
    assert_eq!(field(&visit.post("/login", &unknown)), None);
    assert_eq!(field(&visit.get("/account")), None, "a look is no event");
    assert_eq!(field(&visit.post("/logout", &[])).as_deref(), Some("Firefox on Linux"));
}
