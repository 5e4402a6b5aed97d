//! Access tokens: made and revoked by their owner, and what they open.

use std::time::Duration;

use vestibule::web::http::Response;
use vestibule::web::{Lane, Settings};

use crate::engine;
use crate::visit::{Visit, basic, body, of_example, plain, way};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const HTML: (&str, &str) = ("Accept", "text/html");

/// A gate that takes access tokens, at which `anna` has just signed up.
fn visit() -> Visit {
    let mut visit = Visit::with(Settings { basic_auth: true, ..of_example() });
    visit.post("/signup", &[("username", "anna"), ("password", "correct horse")]);
    visit
}

fn make(visit: &mut Visit, name: &str) -> String {
    let answer = visit.post("/account/tokens", &[("name", name), ("days", "30")]);
    assert_eq!(answer.status, 200, "{}", body(&answer));
    body(&answer).to_owned()
}

fn ask(visit: &mut Visit, authorization: &str) -> Response {
    let cookie = visit.cookie.take();
    let answer = visit.ask("GET", "/auth/nginx", &[("Authorization", authorization)], "");
    visit.cookie = cookie;
    answer
}

fn bearer(visit: &mut Visit, token: &str) -> u16 {
    ask(visit, &format!("Bearer {token}")).status
}

fn with_name(visit: &mut Visit, name: &str, token: &str) -> Response {
    ask(visit, &basic(name, token))
}

fn handle(page: &str) -> String {
    page.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[test]
fn lets_a_script_through_with_an_access_token_at_no_cost_of_a_hash() {
    let mut visit = visit();
    let token = make(&mut visit, "backup");
    assert!(token.starts_with("vst_") && token.len() == 44);
    let before = visit.site.hashes_computed();
    assert_eq!(bearer(&mut visit, &token), 200);
    let answer = with_name(&mut visit, "Anna", &token);
    assert_eq!((answer.status, answer.value("Remote-User")), (200, Some("anna")));
    assert_eq!(with_name(&mut visit, "bob", &token).status, 401, "it has to be the owner's name");
    assert_eq!(visit.site.hashes_computed(), before);
    let headers = [("Authorization", &*format!("Bearer {token}"))];
    let request = visit.request("GET", "/auth/nginx", &headers, "");
    assert_eq!(visit.site.lane(&request, visit.now), Lane::Read);
}

#[test]
fn takes_an_access_token_under_any_name_of_its_owner() {
    let mut visit = visit();
    let token = make(&mut visit, "backup");
    visit.raw().run("UPDATE user SET username = 'hannah', canonical_username = 'hannah'");
    for (name, status) in [("hannah", 200), ("Anna", 200), ("bertha", 401), ("x", 401)] {
        assert_eq!(with_name(&mut visit, name, &token).status, status, "{name}");
    }
    visit.forget_everything();
    visit.post("/signup", &[("username", "bertha"), ("password", "correct horse")]);
    assert_eq!(with_name(&mut visit, "bertha", &token).status, 401, "another user's name");
}

#[test]
fn opens_nothing_but_checks_with_an_access_token() {
    let mut visit = visit();
    let token = make(&mut visit, "backup");
    visit.forget_everything();
    let headers = [("Authorization", &*format!("Bearer {token}"))];
    for path in ["/", "/account", "/account/tokens", "/account/sessions"] {
        assert_eq!(way(&visit.ask("GET", path, &headers, "")), (302, Some("/login")), "{path}");
    }
    for path in ["/account/password", "/account/tokens", "/account/delete", "/logout"] {
        assert_eq!(visit.ask("POST", path, &headers, "").status, 401, "{path}");
    }
    let wrong = format!("vst_{}", "a".repeat(40));
    assert_eq!(bearer(&mut visit, &wrong), 401);
    assert_eq!(bearer(&mut visit, token.strip_prefix("vst_").unwrap()), 401);
}

#[test]
fn shows_a_token_once_and_keeps_only_its_hash() {
    let mut visit = visit();
    let made = visit.ask(
        "POST",
        "/account/tokens",
        &[HTML, ("Content-Type", "application/x-www-form-urlencoded")],
        "name=The+wiki%27s+%3Cb%3E&days=90",
    );
    assert_eq!(way(&made), (302, Some("/account/tokens")));
    let page = visit.ask("GET", "/account/tokens", &[HTML], "");
    let token = body(&page).split("<code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(body(&page).contains("The wiki's &lt;b&gt;"), "{}", body(&page));
    assert_eq!(bearer(&mut visit, &token), 200);
    let list = visit.ask("GET", "/account/tokens", &[HTML], "");
    assert!(
        !body(&list).contains(&token)
            && body(&list).contains("Last used <time datetime=\"2026-11-24T08:00")
    );
    let bare = token.strip_prefix("vst_").unwrap().as_bytes();
    let written = engine::everything(visit.folder.path());
    assert!(!written.windows(bare.len()).any(|it| it == bare));
}

#[test]
fn creates_no_second_token_when_the_page_with_the_first_is_loaded_again() {
    let mut visit = visit().send("Accept", "text/html");
    let made = visit.post("/account/tokens", &[("name", "backup"), ("days", "30")]);
    let cookie = made.value("Set-Cookie").unwrap();
    assert!(
        cookie.starts_with("__Secure-auth_new_token=")
            && !cookie.contains("vst_")
            && cookie.contains("; Path=/account/tokens; Secure; HttpOnly; SameSite=Lax; ")
            && cookie.ends_with("Max-Age=60"),
        "{cookie}"
    );
    assert!(!made.value("Location").unwrap().contains("vst_") && body(&made).is_empty());
    visit.ask("HEAD", "/account/tokens", &[], "");
    assert!(body(&visit.get("/account/tokens")).contains("<code>vst_"), "HEAD shows nothing");
    assert!(!body(&visit.get("/account/tokens")).contains("<code>vst_"));
    assert_eq!(visit.count("access_token"), 1);
}

#[test]
fn shows_no_token_as_new_that_another_user_planted() {
    let mut visit = visit();
    let bobs = make(&mut visit, "backup");
    visit.forget_everything();
    visit.post("/signup", &[("username", "bobby"), ("password", "correct horse")]);
    for planted in [&*bobs, "vst_", "<b>", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        visit.new_token = Some(format!("__Secure-auth_new_token={planted}"));
        let page = visit.ask("GET", "/account/tokens", &[HTML], "");
        assert!(!body(&page).contains("<code>"), "{planted}");
        assert_eq!(visit.new_token, None, "it is removed");
    }
}

fn post_as_browser(visit: &mut Visit, form: &str) -> Response {
    let headers = [HTML, ("Content-Type", "application/x-www-form-urlencoded")];
    visit.ask("POST", "/account/tokens", &headers, form)
}

/// The new token on the page, if it shows one.
fn shown(page: &Response) -> Option<String> {
    let (_, rest) = body(page).split_once("<p class=\"token\"><code>")?;
    Some(rest.split_once('<').unwrap().0.to_owned())
}

fn form(visit: &mut Visit) -> String {
    let page = visit.ask("GET", "/account/tokens", &[HTML], "");
    let (_, rest) = body(&page).split_once("name=\"key\" value=\"").unwrap();
    format!("name=backup&days=30&key={}", rest.split_once('"').unwrap().0)
}

#[test]
fn makes_one_token_however_often_its_page_is_reloaded_and_its_form_arrives() {
    let mut visit = visit();
    let form = form(&mut visit);
    let made = post_as_browser(&mut visit, &form);
    assert_eq!(way(&made), (302, Some("/account/tokens")));
    let token = shown(&visit.ask("GET", "/account/tokens", &[HTML], "")).unwrap();
    for _ in 0..2 {
        assert_eq!(way(&post_as_browser(&mut visit, &form)), (302, Some("/account/tokens")));
        let page = visit.ask("GET", "/account/tokens", &[HTML], "");
        assert_eq!(shown(&page).as_deref(), Some(&*token));
        assert_eq!(shown(&visit.ask("GET", "/account/tokens", &[HTML], "")), None, "once");
    }
    assert_eq!(visit.count("access_token"), 1);
    assert_eq!(bearer(&mut visit, &token), 200);
    assert!(
        made.headers.iter().all(|(_, value)| !value.contains(&token[4..])),
        "no browser keeps it"
    );
}

#[test]
fn shows_a_new_token_to_the_session_that_made_it_and_brings_no_revoked_one_back() {
    let mut visit = visit();
    let form = form(&mut visit);
    post_as_browser(&mut visit, &form);
    let page = visit.ask("GET", "/account/tokens", &[HTML], "");
    let token = shown(&page).unwrap();
    post_as_browser(&mut visit, &form);
    let made = visit.new_token.clone();
    assert!(made.is_some());
    let session = visit.cookie.clone();
    visit.forget_everything();
    visit.post("/login", &[("username", "anna"), ("password", "correct horse")]);
    visit.new_token.clone_from(&made);
    assert_eq!(shown(&visit.ask("GET", "/account/tokens", &[HTML], "")), None, "another session");
    (visit.cookie, visit.new_token) = (session, made);
    let handle = handle(body(&page));
    visit.post("/account/tokens/revoke", &[("token", &handle)]);
    assert_eq!(shown(&visit.ask("GET", "/account/tokens", &[HTML], "")), None);
    visit.wait(Duration::from_secs(1));
    post_as_browser(&mut visit, &form);
    let other = shown(&visit.ask("GET", "/account/tokens", &[HTML], "")).unwrap();
    assert_ne!(other, token);
    assert_eq!(bearer(&mut visit, &token), 401);
}

#[test]
fn ends_a_token_when_its_owner_revokes_it_and_lets_no_other_user_do_that() {
    let mut visit = visit();
    let token = make(&mut visit, "backup");
    let page = visit.ask("GET", "/account/tokens", &[HTML], "");
    let handle = handle(body(&page));
    let anna = visit.forget_everything();
    visit.post("/signup", &[("username", "bobby"), ("password", "correct horse")]);
    assert_eq!(visit.post("/account/tokens/revoke", &[("token", &handle)]).status, 404);
    assert_eq!(bearer(&mut visit, &token), 200);
    (visit.cookie, visit.device) = anna;
    let answer = visit.post("/account/tokens/revoke", &[("token", &handle)]);
    assert_eq!(way(&answer), (302, Some("/account/tokens")));
    assert_eq!(answer.note.event.name(), "token_revoke");
    assert_eq!(bearer(&mut visit, &token), 401);
    assert_eq!(visit.post("/account/tokens/revoke", &[("token", &handle)]).status, 404);
}

#[test]
fn ends_a_token_at_its_expiry_and_with_the_password() {
    let mut visit = visit();
    let token = make(&mut visit, "backup");
    visit.wait(30 * DAY);
    assert_eq!(bearer(&mut visit, &token), 200, "the last good moment");
    visit.wait(Duration::from_millis(1));
    assert_eq!(bearer(&mut visit, &token), 401);
    visit.post("/login", &[("username", "anna"), ("password", "correct horse")]);
    let page = visit.ask("GET", "/account/tokens", &[HTML], "");
    assert!(
        body(&page).contains("Expired <time datetime=\"2026-12-24T08:00:00Z\""),
        "it is still listed"
    );
    let token = make(&mut visit, "another");
    let passwords = [("current_password", "correct horse"), ("password", "battery staple")];
    assert_eq!(visit.post("/account/password", &passwords).status, 302);
    assert_eq!(bearer(&mut visit, &token), 401);
    assert_eq!(visit.count("access_token"), 0);
}

#[test]
fn sweeps_tokens_away_that_ended_long_ago() {
    let mut visit = visit();
    make(&mut visit, "backup");
    visit.wait(60 * DAY);
    visit.site.sweep(visit.now).unwrap();
    assert_eq!(visit.count("access_token"), 1);
    visit.wait(Duration::from_millis(1));
    visit.site.sweep(visit.now).unwrap();
    assert_eq!(visit.count("access_token"), 0);
}

#[test]
fn makes_a_token_for_a_user_who_has_given_their_password_lately() {
    let mut visit = visit();
    visit.wait(Duration::from_secs(11 * 60));
    let fields = [("name", "backup"), ("days", "30")];
    let answer = visit.post("/account/tokens", &fields);
    assert_eq!(plain(&answer), (403, "Password required"));
    let wrong = [fields[0], fields[1], ("current_password", "wrong")];
    assert_eq!(plain(&visit.post("/account/tokens", &wrong)), (400, "Incorrect password"));
    let right = [fields[0], fields[1], ("current_password", "correct horse")];
    assert_eq!(visit.post("/account/tokens", &right).status, 200);
    assert_eq!(visit.count("access_token"), 1);
}

#[test]
fn says_what_is_wrong_with_a_token_that_it_does_not_make() {
    let mut visit = visit();
    for (name, days, expected) in [
        ("", "30", "Invalid name"),
        ("x\ny", "30", "Invalid name"),
        ("backup", "", "Invalid expiry"),
        ("backup", "0", "Invalid expiry"),
        ("backup", "-1", "Invalid expiry"),
        ("backup", "367", "Invalid expiry"),
        ("backup", "99999999999", "Invalid expiry"),
    ] {
        let answer = visit.post("/account/tokens", &[("name", name), ("days", days)]);
        assert_eq!(plain(&answer), (400, expected), "{name:?} {days}");
    }
    for number in 0..50 {
        make(&mut visit, &number.to_string());
    }
    let answer = visit.post("/account/tokens", &[("name", "51"), ("days", "30")]);
    assert_eq!(plain(&answer), (400, "Too many access tokens"));
}

#[test]
fn gives_tokens_as_data_to_a_script_that_asks_for_it() {
    let mut visit = visit().send("Accept", "application/json");
    let data =
        |answer: &Response| serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap();
    let made = data(&visit.post("/account/tokens", &[("name", "ci"), ("days", "365")]));
    assert!(made["token"].as_str().unwrap().starts_with("vst_"));
    assert_eq!(made["expires_at"], "2027-11-24T08:00:00.000Z");
    let list = data(&visit.get("/account/tokens"));
    assert_eq!(list["tokens"][0]["name"], "ci");
    assert_eq!(list["tokens"][0]["used_at"], serde_json::Value::Null);
    let handle = list["tokens"][0]["handle"].as_str().unwrap().to_owned();
    assert_eq!(data(&visit.post("/account/tokens/revoke", &[("token", &handle)]))["revoked"], 1);
    assert_eq!(visit.post("/account/tokens", &[("name", ""), ("days", "1")]).status, 422);
}

#[test]
fn has_no_tokens_where_checks_take_none() {
    let mut visit = Visit::with_ann();
    assert_eq!(visit.get("/account/tokens").status, 404);
    assert_eq!(visit.post("/account/tokens", &[("name", "x"), ("days", "1")]).status, 404);
    assert!(!body(&visit.get("/account")).contains("token"));
}
