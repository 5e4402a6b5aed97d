//! The site as a function: the contract's routes, texts, codes and cookies, and each attack.

use std::time::{Duration, Instant};

use vestibule::auth::invitations::SignUps;
use vestibule::auth::password_policy::Policy;
use vestibule::base::origin::Origin;
use vestibule::base::token::Token;
use vestibule::web::cross_origin::Rule;
use vestibule::web::http::{Problem, Response};
use vestibule::web::pages::Remember;
use vestibule::web::{Lane, Settings};

use crate::engine;
use crate::visit::{Visit, body, of_every_page, of_example, plain, told, way};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MOMENT: Duration = Duration::from_millis(1);
const DEAD_COOKIE: &str = "auth_session=; Path=/; HttpOnly; SameSite=Lax; \
                           Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0";
const ANN: [(&str, &str); 2] = [("username", "anna"), ("password", "correct horse")];

fn with_origin() -> Visit {
    let rule = Rule { own: Origin::parse("https://auth.test"), ..Rule::default() };
    Visit::with(Settings { rule, ..Settings::default() })
}

fn field<'a>(name: &'a str, value: &'a str) -> [(&'a str, &'a str); 2] {
    if name == "username" {
        [(name, value), ("password", "correct horse")]
    } else {
        [("username", "anna"), (name, value)]
    }
}

// The guide's way through the house.

#[test]
fn leads_from_sign_up_to_the_profile_out_and_in_again() {
    let mut visit = Visit::new();
    assert_eq!(way(&visit.get("/")), (302, Some("/login")));
    assert_eq!(visit.get("/signup").status, 200);
    assert_eq!(way(&visit.post("/signup", &ANN)), (302, Some("/")));
    let profile = visit.get("/");
    assert_eq!(profile.status, 200);
    assert!(body(&profile).contains("Username: anna"));
    assert_eq!(way(&visit.post("/logout", &[])), (302, Some("/login")));
    assert_eq!(visit.cookie, None);
    assert_eq!(way(&visit.get("/")), (302, Some("/login")));
    assert_eq!(way(&visit.post("/login", &ANN)), (302, Some("/")));
    assert!(visit.is_signed_in());
}

#[test]
fn shows_the_guides_forms() {
    let mut visit = Visit::new();
    for (path, title, other) in
        [("/signup", "Sign up", "href=\"/login\""), ("/login", "Sign in", "href=\"/signup\"")]
    {
        let answer = visit.get(path);
        let page = body(&answer);
        assert_eq!(answer.status, 200);
        for part in [
            &*format!("<h1>{title}</h1>"),
            "<form method=\"post\">",
            "<label for=\"username\">Username</label>",
            "name=\"username\"",
            "<label for=\"password\">Password</label>",
            "type=\"password\" name=\"password\"",
            other,
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }
}

#[test]
fn shows_who_is_signed_in_and_a_way_out() {
    let mut visit = Visit::with_ann();
    let answer = visit.get("/");
    let id = visit.raw().text("SELECT id FROM user");
    for part in [
        "<h1>Profile</h1>",
        &format!("User id: {id}"),
        "Username: anna",
        "<form method=\"post\" action=\"/logout\">",
        "Sign out",
    ] {
        assert!(body(&answer).contains(part), "{part} in {}", body(&answer));
    }
}

#[test]
fn sends_a_signed_in_user_away_from_the_forms() {
    let mut visit = Visit::with_ann();
    assert_eq!(way(&visit.get("/signup")), (302, Some("/")));
    assert_eq!(way(&visit.get("/login")), (302, Some("/")));
}

#[test]
fn lets_no_browser_keep_a_page_of_a_user_who_has_signed_out() {
    let (mut one, mut other, mut third) = (Visit::with_ann(), Visit::with_ann(), Visit::with_ann());
    let handle = handle_on_the_page(&mut third);
    for answer in [
        one.post("/logout", &[]),
        other.post("/account/delete", &[("password", "correct horse")]),
        third.post("/account/sessions/end", &[("session", &handle)]),
    ] {
        assert_eq!(way(&answer), (302, Some("/login")));
        assert_eq!(answer.value("Clear-Site-Data"), Some("\"cache\""));
    }
    assert_eq!(one.get("/login").value("Clear-Site-Data"), None);
}

/// The handle of the one session on the page.
fn handle_on_the_page(visit: &mut Visit) -> String {
    let answer = visit.get("/account/sessions");
    let behind = body(&answer).split_once("name=\"session\" value=\"").unwrap().1;
    behind.split('"').next().unwrap().to_owned()
}

#[test]
fn refuses_to_sign_out_a_visitor_who_is_not_signed_in() {
    let mut visit = Visit::new();
    let answer = visit.post("/logout", &[]);
    assert_eq!(plain(&answer), (401, "Unauthorized"));
    assert_eq!(answer.value("Set-Cookie"), None);
}

/// The fields of the sign-up form as a page shows it, with a name and a password.
fn form_on_the_page(page: &str, password: &str) -> Vec<(&'static str, String)> {
    let hidden = |name: &str| {
        let behind = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1;
        behind.split('"').next().unwrap().to_owned()
    };
    vec![
        ("username", "anna".to_owned()),
        ("password", password.to_owned()),
        ("by_page", hidden("by_page")),
    ]
}

fn send(visit: &mut Visit, form: &[(&'static str, String)]) -> Response {
    let fields: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    visit.post("/signup", &fields)
}

#[test]
fn lets_a_visitor_in_who_clicks_twice_instead_of_telling_them_that_their_name_is_taken() {
    let mut visit = Visit::new().send("Accept", "text/html");
    let form = form_on_the_page(body(&visit.get("/signup")), "correct horse");
    assert_eq!(way(&send(&mut visit, &form)), (302, Some("/")));
    // The browser did not read the first answer, and so has no cookie.
    visit.forget_everything();
    let answer = send(&mut visit, &form);
    assert_eq!((way(&answer), answer.note.event.name()), ((302, Some("/")), "login_ok"));
    assert!(visit.is_signed_in());
    assert_eq!(visit.count("user"), 1);
    // Not without what the page alone sends, nor later, though the password is right.
    visit.forget_everything();
    assert_eq!(send(&mut visit, &form[..2]).status, 400);
    visit.wait(Duration::from_secs(10) + MOMENT);
    assert_eq!(send(&mut visit, &form).status, 400);
}

#[test]
fn lets_no_visitor_in_who_clicks_twice_with_a_wrong_password() {
    let mut visit = Visit::with_ann().send("Accept", "text/html");
    visit.forget_everything();
    let form = form_on_the_page(body(&visit.get("/signup")), "battery staple");
    for _ in 0..3 {
        let answer = send(&mut visit, &form);
        assert_eq!(answer.status, 400);
        assert!(body(&answer).contains("<strong>Username already taken</strong>"));
    }
    let note = send(&mut visit, &form).note;
    assert_eq!(note.event.name(), "login_fail", "the operator reads that a password was tried");
    // Each was a try like any other, and is counted.
    assert!(visit.count("throttle") > 0);
}

// Names and passwords.

#[test]
fn counts_the_lengths_of_the_guide_at_sign_up() {
    let (short, long) = ("x".repeat(3), "x".repeat(32));
    for (name, value, refusal) in [
        ("username", "", Some("Invalid username")),
        ("username", &*short, Some("Invalid username")),
        ("username", "xxxx", None),
        ("username", &*"y".repeat(31), None),
        ("username", &*long, Some("Invalid username")),
        ("username", "😀😀", None),
        ("username", &*"😀".repeat(16), Some("Invalid username")),
        ("password", "", Some("Invalid password")),
        ("password", "12345", Some("Invalid password")),
        ("password", "123456", None),
        ("password", "😀😀😀", None),
        ("password", &*"p".repeat(255), None),
        ("password", &*"p".repeat(256), Some("Invalid password")),
    ] {
        let mut visit = Visit::new();
        let answer = visit.post("/signup", &field(name, value));
        let expected = refusal.map_or((302, ""), |text| (400, text));
        assert_eq!(plain(&answer), expected, "{name} {value}");
        assert_eq!(visit.count("user"), i64::from(refusal.is_none()));
    }
}

#[test]
fn counts_the_lengths_of_the_guide_at_sign_in() {
    let mut visit = Visit::with_ann();
    visit.forget_cookie();
    for (name, value, refusal) in [
        ("username", "", "Invalid username"),
        ("username", "a", "Incorrect username or password"),
        ("username", &*"a".repeat(31), "Incorrect username or password"),
        ("username", &*"a".repeat(32), "Invalid username"),
        ("password", "", "Invalid password"),
        ("password", "a", "Incorrect username or password"),
        ("password", &*"a".repeat(255), "Incorrect username or password"),
        ("password", &*"a".repeat(256), "Invalid password"),
    ] {
        assert_eq!(plain(&visit.post("/login", &field(name, value))), (400, refusal), "{value}");
    }
}

#[test]
fn finds_fault_with_the_name_first() {
    let mut visit = Visit::new();
    let both = [("username", ""), ("password", "")];
    assert_eq!(plain(&visit.post("/signup", &both)), (400, "Invalid username"));
    assert_eq!(plain(&visit.post("/login", &both)), (400, "Invalid username"));
    assert_eq!(plain(&visit.post("/login", &[])), (400, "Invalid username"));
}

#[test]
fn takes_a_field_that_is_missing_doubled_bracketed_or_not_utf_8_for_invalid() {
    let mut visit = Visit::new();
    for (fields, text) in [
        ("password=correct+horse", "Invalid username"),
        ("username=anna", "Invalid password"),
        ("username=anna&username=anna&password=correct+horse", "Invalid username"),
        ("username[]=anna&password=correct+horse", "Invalid username"),
        ("username=anna&username[a]=b&password=correct+horse", "Invalid username"),
        ("username=%ff%ff%ff%ff&password=correct+horse", "Invalid username"),
        ("username=anna&password=correct&password=horse", "Invalid password"),
        ("username=anna&password[]=correct+horse", "Invalid password"),
        ("username=anna&password=%ff%ff%ff%ff%ff%ff", "Invalid password"),
    ] {
        for path in ["/signup", "/login"] {
            assert_eq!(plain(&visit.post_body(path, fields)), (400, text), "{path} {fields}");
        }
    }
    assert_eq!(visit.count("user"), 0);
}

#[test]
fn lets_no_visitor_create_an_account_where_sign_up_is_closed() {
    let mut visit = Visit::with(Settings { sign_ups: SignUps::Closed, ..Settings::default() });
    let fields = [("username", "anna"), ("password", "correct horse")];
    assert_eq!(plain(&visit.post("/signup", &fields)), (403, "Sign-up is closed"));
    assert_eq!(visit.get("/signup").status, 403);
    let request = visit.request("POST", "/signup", &[], "username=anna&password=correct+horse");
    assert_eq!(visit.site.lane(&request, visit.now), Lane::Read);
    assert_eq!(visit.count("user"), 0);
    let page = visit.ask("GET", "/login", &[("Accept", "text/html")], "");
    assert!(!body(&page).contains("/signup"), "no link leads there");
    let again = visit.ask("POST", "/login", &[("Accept", "text/html")], "");
    assert!(again.status == 400 && !body(&again).contains("/signup"));
}

#[test]
fn never_reads_fields_from_the_address_or_from_another_kind_of_body() {
    let mut visit = Visit::new();
    let fields = "username=anna&password=correct+horse";
    for kind in ["text/plain", "multipart/form-data; boundary=x", "application/octet-stream"] {
        let answer = visit.ask("POST", "/signup", &[("Content-Type", kind)], fields);
        assert_eq!(plain(&answer), (415, "Unsupported media type"), "{kind}");
        let empty = visit.ask("POST", "/signup", &[("Content-Type", kind)], "");
        assert_eq!(plain(&empty), (400, "Invalid username"), "{kind} without a body");
    }
    assert_eq!(visit.ask("POST", "/signup", &[], fields).status, 400);
    let answer = visit.post_body(&format!("/signup?{fields}"), "");
    assert_eq!(plain(&answer), (400, "Invalid username"));
}

#[test]
fn refuses_a_body_in_another_charset_or_compressed() {
    let mut visit = Visit::new();
    let form = "application/x-www-form-urlencoded";
    for headers in [
        &[("Content-Type", &*format!("{form}; charset=utf-7"))][..],
        &[("Content-Type", form), ("Content-Encoding", "gzip")],
    ] {
        let answer = visit.ask("POST", "/signup", headers, "username=anna&password=correct+horse");
        assert_eq!(answer.status, 415);
    }
    let many = format!("{}username=anna", "a=1&".repeat(1_000));
    assert_eq!(visit.post_body("/signup", &many).status, 413);
}

#[test]
fn says_that_a_name_is_taken_in_every_spelling() {
    let mut visit = Visit::with_ann();
    visit.forget_cookie();
    for name in ["anna", "ANNA", "Ａnna", "aNNA"] {
        let answer = visit.post("/signup", &field("username", name));
        assert_eq!(plain(&answer), (400, "Username already taken"), "{name}");
        assert_eq!(answer.value("Set-Cookie"), None);
    }
    assert_eq!(visit.count("user"), 1);
    let other = [("username", "ANNA"), ("password", "correct horse")];
    assert_eq!(way(&visit.post("/login", &other)), (302, Some("/")));
    assert!(body(&visit.get("/")).contains("Username: anna"), "shown as first typed");
}

#[test]
fn refuses_names_that_hide_something_and_keeps_odd_ones_that_do_not() {
    let mut visit = Visit::new();
    for name in ["ann\0x", "ann\r\nx", "ann\u{202e}x", "    "] {
        let answer = visit.post("/signup", &field("username", name));
        assert_eq!(plain(&answer), (400, "Invalid username"), "{name:?}");
    }
    for name in ["<b>ann</b>", "ann: x", "ann & \"co\"", "name+x@y.example"] {
        assert_eq!(visit.post("/signup", &field("username", name)).status, 302, "{name}");
    }
}

#[test]
fn keeps_every_character_of_a_password() {
    let mut visit = Visit::new();
    let password = "  p\u{e4}ss %+&=  \u{1f511} ";
    assert_eq!(visit.post("/signup", &field("password", password)).status, 302);
    visit.forget_cookie();
    assert_eq!(visit.post("/login", &field("password", password.trim())).status, 400);
    assert_eq!(visit.post("/login", &field("password", password)).status, 302);
}

#[test]
fn says_the_same_of_a_wrong_password_and_an_unknown_name() {
    let mut visit = Visit::with_ann();
    visit.forget_cookie();
    let known = visit.post("/login", &field("password", "wrong"));
    let unknown = visit.post("/login", &field("username", "nobody"));
    assert_eq!(plain(&known), (400, "Incorrect username or password"));
    assert_eq!(plain(&known), plain(&unknown));
    assert_eq!(known.headers, unknown.headers);
}

#[test]
fn demands_a_better_password_where_an_origin_is_set() {
    let mut visit = with_origin();
    for (password, status) in [
        ("seven77", 400),
        ("password", 400),
        ("PASSWORD", 400),
        ("auth.test", 400),
        ("vestibule", 400),
        ("a fine pass", 302),
    ] {
        let answer = visit.post("/signup", &field("password", password));
        assert_eq!(answer.status, status, "{password}");
        if status == 400 {
            assert_eq!(body(&answer), "Invalid password");
        }
    }
}

#[test]
fn lets_the_operator_choose_the_password_policy() {
    let nist = Settings { policy: Some(Policy::Nist), ..Settings::default() };
    let mut visit = Visit::with(nist);
    assert_eq!(visit.post("/signup", &field("password", "only twelve!")).status, 400);
    assert_eq!(visit.post("/signup", &field("password", "fifteen and more")).status, 302);
    let own = Rule { own: Origin::parse("https://auth.test"), ..Rule::default() };
    let mut visit =
        Visit::with(Settings { rule: own, policy: Some(Policy::Minimal), ..Settings::default() });
    assert_eq!(visit.post("/signup", &field("password", "123456")).status, 302);
}

// Scripts and people.

#[test]
fn gives_a_script_the_sentence_alone_and_a_person_the_form_again() {
    let mut script = Visit::with_ann().send("Accept", "*/*");
    let answer = script.post("/login", &field("password", "wrong"));
    assert_eq!(answer.value("Content-Type"), Some("text/plain; charset=utf-8"));
    assert_eq!(plain(&answer), (400, "Incorrect username or password"));

    let mut person = Visit::with_ann().send("Accept", "text/html,*/*;q=0.8");
    for (path, fields, sentence) in [
        ("/login", field("password", "wrong-<secret>"), "Incorrect username or password"),
        ("/login", field("username", &"x".repeat(40)), "Invalid username"),
        ("/signup", field("password", "short"), "Invalid password"),
        ("/signup", ANN, "Username already taken"),
    ] {
        let answer = person.post(path, &fields);
        assert_eq!(answer.status, 400);
        assert_eq!(answer.value("Content-Type"), Some("text/html; charset=utf-8"));
        let page = body(&answer);
        assert!(page.contains("role=\"alert\""), "{page}");
        assert!(page.contains(&format!("<strong>{sentence}</strong>")), "{page}");
        assert!(page.contains(&format!("value=\"{}\"", fields[0].1)), "the name is kept: {page}");
        let password = fields[1].1.replace('<', "&lt;").replace('>', "&gt;");
        assert!(!page.contains(&password) && !page.contains(fields[1].1), "{page}");
    }
}

#[test]
fn has_a_page_and_a_sentence_for_what_is_not_there() {
    let mut script = Visit::new();
    assert_eq!(plain(&script.get("/nowhere")), (404, "Not found"));
    let mut person = Visit::new().send("Accept", "text/html");
    let answer = person.get("/nowhere");
    assert_eq!(answer.status, 404);
    assert!(body(&answer).contains("<h1>Not found</h1>"));
}

#[test]
fn knows_a_page_by_one_address_only() {
    let mut visit = Visit::with_ann();
    for path in
        ["/login/", "/LOGIN", "//login", "/./login", "/%6cogin", "/profile.css", "/index.html", ""]
    {
        assert_eq!(visit.get(path).status, 404, "{path}");
    }
}

#[test]
fn answers_a_method_that_a_page_does_not_know_with_those_it_does() {
    let mut visit = Visit::new();
    for (path, allowed) in [
        ("/", "GET, HEAD"),
        ("/signup", "GET, HEAD, POST"),
        ("/login", "GET, HEAD, POST"),
        ("/logout", "GET, HEAD, POST"),
        ("/style.css", "GET, HEAD"),
    ] {
        for method in ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "get", "BREW"] {
            let answer = visit.ask(method, path, &[], "");
            assert_eq!(
                (answer.status, answer.value("Allow")),
                (405, Some(allowed)),
                "{method} {path}"
            );
        }
    }
    assert_eq!(visit.post("/", &[]).status, 405);
    assert_eq!(visit.ask("DELETE", "/nowhere", &[], "").status, 404);
}

#[test]
fn changes_nothing_for_a_request_that_only_looks() {
    let mut visit = Visit::with_ann();
    for method in ["GET", "HEAD", "OPTIONS"] {
        visit.ask(method, "/logout", &[], "");
        visit.ask(method, "/logout", &[("X-HTTP-Method-Override", "POST")], "");
    }
    assert!(visit.is_signed_in());
}

// Cookies and sessions.

#[test]
fn sets_the_cookie_of_the_contract() {
    let mut visit = Visit::new();
    let answer = visit.post("/signup", &ANN);
    let expected = format!(
        "auth_session={}; Path=/; HttpOnly; SameSite=Lax; \
         Expires=Wed, 09 Dec 2026 08:00:00 GMT; Max-Age=1296000",
        visit.token()
    );
    assert_eq!(answer.value("Set-Cookie"), Some(&*expected));
    assert_eq!(visit.token().len(), 40);
    assert!(visit.token().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
}

#[test]
fn sets_a_cookie_for_https_only_where_the_origin_is_https() {
    let mut visit = with_origin();
    let answer = visit.post("/signup", &ANN);
    let expected = format!(
        "__Host-auth_session={}; Path=/; Secure; HttpOnly; SameSite=Lax; \
         Expires=Wed, 09 Dec 2026 08:00:00 GMT; Max-Age=1296000",
        visit.token()
    );
    assert_eq!(answer.value("Set-Cookie"), Some(&*expected));
    assert!(visit.is_signed_in());
    let out = visit.post("/logout", &[]);
    assert_eq!(
        out.value("Set-Cookie"),
        Some(&*format!("__Host-{}", DEAD_COOKIE.replace("Path=/; ", "Path=/; Secure; ")))
    );
}

#[test]
fn keeps_to_plain_cookies_where_the_origin_is_http() {
    let rule = Rule { own: Origin::parse("http://localhost:8080"), ..Rule::default() };
    let mut visit = Visit::with(Settings { rule, ..Settings::default() });
    let answer = visit.post("/signup", &ANN);
    assert!(answer.value("Set-Cookie").unwrap().starts_with("auth_session="));
    assert_eq!(answer.value("Strict-Transport-Security"), None);
}

#[test]
fn accepts_the_token_only_under_the_one_name_of_the_mode() {
    let mut visit = with_origin();
    visit.post("/signup", &ANN);
    let token = visit.token();
    visit.cookie = Some(format!("auth_session={token}"));
    assert!(!visit.is_signed_in());
    visit.cookie = Some(format!("__Host-auth_session={token}"));
    assert!(visit.is_signed_in());
}

#[test]
fn stays_signed_in_for_fifteen_days_without_use_and_no_longer() {
    let mut visit = Visit::with_ann();
    visit.wait(15 * DAY);
    assert!(visit.is_signed_in(), "the last good moment");
    let mut visit = Visit::with_ann();
    visit.wait(15 * DAY + MOMENT);
    let answer = visit.get("/");
    assert_eq!(way(&answer), (302, Some("/login")));
    assert_eq!(answer.value("Set-Cookie"), Some(DEAD_COOKIE));
}

#[test]
fn sends_no_cookie_while_the_session_is_active_and_sends_it_again_on_renewal() {
    let mut visit = Visit::with_ann();
    let token = visit.token();
    visit.wait(DAY);
    assert_eq!(visit.get("/").value("Set-Cookie"), None);
    visit.wait(MOMENT);
    let answer = visit.get("/");
    let cookie = answer.value("Set-Cookie").expect("the cookie with its new end");
    assert!(cookie.starts_with(&format!("auth_session={token}; ")), "{cookie}");
    assert!(cookie.contains("Expires=Thu, 10 Dec 2026 08:00:00 GMT; Max-Age=1296000"), "{cookie}");
    assert_eq!(visit.get("/").value("Set-Cookie"), None, "it is active again");
}

#[test]
fn renews_on_every_page_that_looks_at_the_session() {
    for path in ["/", "/login", "/signup"] {
        let mut visit = Visit::with_ann();
        visit.wait(2 * DAY);
        assert!(visit.get(path).value("Set-Cookie").is_some(), "{path}");
    }
}

#[test]
fn renews_a_session_without_waiting_for_another_writer() {
    let mut visit = Visit::with_ann();
    visit.wait(DAY + MOMENT);
    let mut other = visit.raw();
    other.run("BEGIN");
    other.run("UPDATE user_session SET seen_at = seen_at");
    let answer = visit.get("/");
    let cookie = answer.value("Set-Cookie").expect("the cookie with its new end");
    assert!(cookie.contains("Expires=Thu, 10 Dec 2026 08:00:00 GMT"), "{cookie}");
    other.run("ROLLBACK");
    visit.settle();
    let expected = visit.now.after(DAY).millis();
    assert_eq!(other.number("SELECT active_expires FROM user_session"), expected);
    assert_eq!(visit.get("/").value("Set-Cookie"), None, "it is active again");
}

#[test]
fn keeps_what_may_write_out_of_the_lane_for_pages() {
    let mut visit = Visit::with(Settings { basic_auth: true, ..Settings::default() });
    visit.post("/signup", &ANN);
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for path in [
        "/logout",
        "/account/password",
        "/account/sessions/end",
        "/account/sessions/end-others",
        "/account/delete",
        "/account/tokens",
        "/account/tokens/revoke",
    ] {
        let lane = |headers: &[_], body| {
            visit.site.lane(&visit.request("POST", path, headers, body), visit.now)
        };
        assert_eq!(lane(&[form], ""), Lane::Write, "{path}");
        // Signing out works whatever is sent.
        assert_eq!(lane(&[("Content-Type", "text/plain")], "x"), Lane::Write, "{path}");
        let hashes = "password=correct+horse&current_password=correct+horse";
        let expected = match path {
            "/logout" | "/account/tokens/revoke" => Lane::Write,
            _ => Lane::Hash,
        };
        assert_eq!(lane(&[form], hashes), expected, "{path}");
        assert_eq!(lane(&[form, ("Origin", "https://evil.test")], ""), Lane::Read, "{path}");
        let look = visit.request("GET", path, &[], "");
        assert_eq!(visit.site.lane(&look, visit.now), Lane::Read, "{path}");
    }
    for path in ["/", "/nowhere", "/login", "/signup", "/reset", "/healthz", "/whoami"] {
        let request = visit.request("POST", path, &[form], "username=x");
        assert_eq!(visit.site.lane(&request, visit.now), Lane::Read, "{path}");
    }
}

#[test]
fn waits_for_no_writer_in_the_lane_for_pages() {
    let settings = Settings { basic_auth: true, ..of_example() };
    let mut visit = Visit::with(Settings { rule: Rule::default(), ..settings });
    visit.post("/signup", &ANN);
    let token = body(&visit.post("/account/tokens", &[("name", "x"), ("days", "9")])).to_owned();
    let cookie = visit.cookie.clone();
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let bearer = [("Authorization", &*format!("Bearer {token}"))];
    // When the session is idle, and when it was not noted for a while that it was used.
    for span in [2 * DAY, HOUR] {
        visit.wait(span);
        let mut other = visit.raw();
        other.run("BEGIN");
        other.run("UPDATE user_session SET seen_at = seen_at");
        other.run("UPDATE access_token SET used_at = used_at");
        for (status, method, path, headers, body) in [
            (200, "GET", "/", &[][..], ""),
            (200, "GET", "/account", &[], ""),
            (200, "GET", "/account/sessions", &[], ""),
            (200, "GET", "/account/tokens", &[], ""),
            (200, "GET", "/whoami", &[], ""),
            (200, "GET", "/healthz", &[], ""),
            (302, "GET", "/login", &[], ""),
            (302, "GET", "/signup", &[], ""),
            (404, "GET", "/reset", &[], ""),
            (200, "GET", "/auth/nginx", &[], ""),
            (200, "GET", "/auth/forward", &[], ""),
            (200, "GET", "/auth/nginx", &bearer, ""),
            (400, "POST", "/login", &form, "username="),
            (400, "POST", "/signup", &form, "username="),
            (404, "POST", "/reset", &form, ""),
            (404, "POST", "/nowhere", &form, ""),
        ] {
            visit.cookie = cookie.clone().filter(|_| headers != bearer);
            let request = visit.request(method, path, headers, body);
            assert_eq!(visit.site.lane(&request, visit.now), Lane::Read, "{method} {path}");
            let began = Instant::now();
            let answer = visit.ask(method, path, headers, body);
            assert_eq!(answer.status, status, "{method} {path}");
            assert!(began.elapsed() < Duration::from_secs(2), "{method} {path} waited");
        }
        other.run("ROLLBACK");
        visit.cookie.clone_from(&cookie);
        visit.settle();
        let sql = "SELECT seen_at FROM user_session UNION ALL SELECT used_at FROM access_token";
        let now = visit.now.millis().to_string();
        assert_eq!(other.texts(sql), [now.clone(), now], "it is noted behind the answers");
    }
}

#[test]
fn ends_a_session_after_thirty_days_however_often_it_is_used() {
    let mut visit = Visit::with_ann();
    for _ in 0..30 {
        visit.wait(DAY);
        assert!(visit.is_signed_in());
    }
    visit.wait(MOMENT);
    assert!(!visit.is_signed_in());
}

#[test]
fn promises_the_browser_no_more_than_the_absolute_end() {
    let mut visit = Visit::with_ann();
    for _ in 0..2 {
        visit.wait(12 * DAY);
        visit.get("/");
    }
    visit.wait(25 * HOUR);
    let answer = visit.get("/");
    assert!(answer.value("Set-Cookie").unwrap().contains("Expires=Thu, 24 Dec 2026 08:00:00 GMT"));
}

#[test]
fn clears_a_cookie_that_names_no_live_session_on_sight() {
    let mut visit = Visit::new();
    for value in ["x".repeat(40), "short".into(), String::new(), "UPPER".repeat(8)] {
        for (method, path, status) in [
            ("GET", "/", 302),
            ("GET", "/login", 200),
            ("GET", "/signup", 200),
            ("POST", "/logout", 401),
            ("POST", "/login", 400),
            ("POST", "/signup", 400),
        ] {
            visit.cookie = Some(format!("auth_session={value}"));
            let answer = visit.ask(method, path, &[], "");
            assert_eq!(answer.status, status, "{method} {path}");
            assert_eq!(answer.value("Set-Cookie"), Some(DEAD_COOKIE), "{method} {path} {value}");
        }
    }
}

#[test]
fn sets_no_cookie_for_a_browser_that_has_none() {
    let mut visit = Visit::new();
    for path in ["/", "/login", "/signup", "/nowhere", "/style.css"] {
        assert_eq!(visit.get(path).value("Set-Cookie"), None, "{path}");
    }
}

#[test]
fn takes_two_different_session_cookies_for_none() {
    let mut visit = Visit::with_ann();
    let mine = visit.token();
    visit.cookie = Some(format!("auth_session={mine}; auth_session={}", "x".repeat(40)));
    assert!(!visit.is_signed_in(), "a neighbour's cookie must not choose who I am");
    visit.cookie = Some(format!("auth_session={mine}; auth_session={mine}"));
    assert!(visit.is_signed_in());
}

#[test]
fn deletes_the_session_before_it_says_goodbye() {
    let mut visit = Visit::with_ann();
    let stolen = visit.cookie.clone();
    let answer = visit.post("/logout", &[]);
    assert_eq!(answer.value("Set-Cookie"), Some(DEAD_COOKIE));
    assert_eq!(visit.count("user_session"), 0);
    visit.cookie = stolen;
    assert!(!visit.is_signed_in(), "a token that was signed out is worth nothing");
}

#[test]
fn ends_the_session_that_a_user_signs_in_with() {
    let mut visit = Visit::with_ann();
    let before = visit.token();
    assert_eq!(visit.post("/login", &ANN).status, 302);
    assert_ne!(visit.token(), before);
    assert_eq!(visit.count("user_session"), 1);
    assert_eq!(visit.post("/signup", &field("username", "bobo")).status, 302);
    assert_eq!(visit.count("user_session"), 1);
}

#[test]
fn adopts_no_token_that_a_browser_brings_along() {
    let mut visit = Visit::with_ann();
    visit.forget_cookie();
    let planted = "z".repeat(40);
    visit.cookie = Some(format!("auth_session={planted}"));
    assert_eq!(visit.post("/login", &ANN).status, 302);
    assert_ne!(visit.token(), planted);
    visit.cookie = Some(format!("auth_session={planted}"));
    assert!(!visit.is_signed_in());
}

#[test]
fn keeps_the_session_when_a_sign_in_is_refused() {
    let mut visit = Visit::with_ann();
    assert_eq!(visit.post("/login", &field("password", "wrong")).status, 400);
    assert_eq!(visit.post("/signup", &ANN).status, 400);
    assert!(visit.is_signed_in());
}

#[test]
fn accepts_a_bearer_token_where_no_cookie_is_presented() {
    let mut visit = Visit::with_ann();
    let bearer = format!("Bearer {}", visit.token());
    let cookie = visit.forget_cookie();
    let with = [("Authorization", &*bearer)];
    assert_eq!(visit.ask("GET", "/", &with, "").status, 200);
    visit.cookie = Some("auth_session=".to_owned() + &"x".repeat(40));
    assert_eq!(visit.ask("GET", "/", &with, "").status, 302, "the cookie counts, be it worthless");
    visit.forget_cookie();
    visit.wait(2 * DAY);
    assert_eq!(visit.ask("GET", "/", &with, "").value("Set-Cookie"), None, "it sent no cookie");
    let wrong = [("Authorization", "Bearer xyz")];
    assert_eq!(visit.ask("GET", "/", &wrong, "").value("Set-Cookie"), None);
    assert_eq!(visit.ask("POST", "/logout", &with, "").status, 302);
    visit.cookie = cookie;
    assert!(!visit.is_signed_in());
}

#[test]
fn stores_no_token_and_no_password() {
    let visit = Visit::with_ann();
    let token = visit.token();
    drop(visit.site);
    let written = engine::everything(visit.folder.path());
    let holds = |text: &[u8]| written.windows(text.len()).any(|window| window == text);
    assert!(holds(b"username:anna"), "the test no longer sees what is written");
    assert!(!holds(token.as_bytes()) && !holds(b"correct horse"));
}

// Other sites.

#[test]
fn refuses_what_another_site_posts_and_makes_nothing() {
    let mut visit = Visit::with_ann().send("Host", "127.0.0.1:8080");
    let evil =
        [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", "https://evil.example")];
    let fields = "username=evie&password=correct+horse";
    for path in ["/signup", "/login"] {
        let answer = visit.ask("POST", path, &evil, fields);
        assert_eq!((answer.status, answer.value("Set-Cookie")), (403, None), "{path}");
    }
    let null = [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", "null")];
    assert_eq!(visit.ask("POST", "/signup", &null, fields).status, 403);
    assert_eq!(visit.count("user"), 1);
    let out = visit.ask("POST", "/logout", &evil, "");
    assert_eq!((out.status, out.value("Set-Cookie")), (401, None), "as Lucia answers");
    assert_eq!(
        told(&out),
        "csrf_reject reason=other_host origin=https://evil.example expected=https://127.0.0.1:8080 \
         hint=\"behind a proxy, set --origin to where browsers reach the site\""
    );
    assert!(visit.is_signed_in(), "the session is kept");
}

#[test]
fn accepts_what_our_own_pages_post() {
    let mut visit = Visit::new().send("Host", "127.0.0.1:8080");
    let own = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Origin", "http://127.0.0.1:8080"),
        ("Sec-Fetch-Site", "same-origin"),
    ];
    let answer = visit.ask("POST", "/signup", &own, "username=anna&password=correct+horse");
    assert_eq!(answer.status, 302);
}

#[test]
fn believes_no_forwarded_host_when_it_compares_origins() {
    let mut visit = with_origin();
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Host", "evil.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "host=evil.example;proto=https"),
        ("Origin", "https://evil.example"),
    ];
    let answer = visit.ask("POST", "/signup", &headers, "username=anna&password=a+fine+pass");
    assert_eq!(answer.status, 403);
}

#[test]
fn refuses_a_script_that_says_nothing_only_where_that_is_asked_for() {
    let rule = Rule { strict: true, ..Rule::default() };
    let mut visit = Visit::with(Settings { rule, ..Settings::default() });
    assert_eq!(visit.post("/signup", &ANN).status, 403);
    assert_eq!(visit.get("/signup").status, 200);
}

// Headers.

fn answers_of_every_kind(visit: &mut Visit) -> Vec<Response> {
    let mut answers = vec![
        visit.get("/"),
        visit.get("/signup"),
        visit.get("/nowhere"),
        visit.ask("PUT", "/", &[], ""),
        visit.post("/signup", &field("password", "x")),
        visit.post("/signup", &ANN),
        visit.get("/"),
        visit.get("/style.css"),
        visit.post("/logout", &[]),
        visit.post("/logout", &[]),
        visit.ask("POST", "/login", &[("Origin", "null")], ""),
    ];
    let request = visit.request("GET", "/", &[], "");
    answers.extend([
        visit.site.refuse(Problem::Busy, Some(&request), visit.now),
        visit.site.refuse(Problem::Failed, Some(&request), visit.now),
        visit.site.refuse(Problem::TooLarge, None, visit.now),
        visit.site.refuse(Problem::Malformed, None, visit.now),
        visit.get("/healthz"),
    ]);
    answers
}

#[test]
fn sends_the_same_defences_with_every_answer() {
    let csp = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
               frame-ancestors 'none'; base-uri 'none'; object-src 'none'";
    let permissions = "accelerometer=(), camera=(), geolocation=(), gyroscope=(), \
                       microphone=(), payment=(), usb=()";
    for answer in answers_of_every_kind(&mut Visit::new()) {
        let status = answer.status;
        // Pages on the hosts of apps have the style of this site.
        let is_style = answer.value("Content-Type").unwrap().starts_with("text/css");
        let resource_policy = if is_style { "same-site" } else { "same-origin" };
        for (name, value) in [
            ("Content-Security-Policy", csp),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", resource_policy),
            ("Permissions-Policy", permissions),
            ("Server", "vestibule"),
        ] {
            assert_eq!(answer.value(name), Some(value), "{status} {name}");
        }
        for name in
            ["Strict-Transport-Security", "Access-Control-Allow-Origin", "ETag", "X-Powered-By"]
        {
            assert_eq!(answer.value(name), None, "{status} {name}");
        }
        assert!(answer.value("Content-Type").unwrap().ends_with("; charset=utf-8"), "{status}");
        // Of all fields this one may come twice (RFC 9110 § 5.3).
        let names = answer.headers.iter().map(|(name, _)| *name).filter(|it| *it != "Set-Cookie");
        let names: Vec<_> = names.collect();
        let unique: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(names.len(), unique.len(), "{names:?}");
    }
}

#[test]
fn asks_browsers_to_keep_to_https_where_the_origin_is_https() {
    for answer in answers_of_every_kind(&mut with_origin()) {
        assert_eq!(answer.value("Strict-Transport-Security"), Some("max-age=63072000"));
    }
}

#[test]
fn lets_no_cache_keep_a_copy_of_anything_but_the_stylesheet_and_the_icon() {
    for answer in answers_of_every_kind(&mut Visit::new()) {
        let is_style = answer.value("Content-Type").unwrap().starts_with("text/css");
        let expected = if is_style { "public, max-age=86400" } else { "no-store" };
        assert_eq!(answer.value("Cache-Control"), Some(expected));
    }
    let icon = Visit::new().get("/icon.svg");
    assert_eq!(icon.value("Content-Type"), Some("image/svg+xml"));
}

#[test]
fn says_what_is_wrong_with_a_request_that_is_not_looked_at() {
    let visit = Visit::new();
    for (problem, expected) in [
        (Problem::Malformed, (400, "Bad request")),
        (Problem::TooSlow, (408, "Request timeout")),
        (Problem::TooLarge, (413, "Request too large")),
        (Problem::TargetTooLong, (414, "Address too long")),
        (Problem::Expectation, (417, "Expectation failed")),
        (Problem::HeadTooLarge, (431, "Request header fields too large")),
        (Problem::Failed, (500, "An unknown error occurred")),
        (Problem::Version, (505, "HTTP version not supported")),
    ] {
        assert_eq!(plain(&visit.site.refuse(problem, None, visit.now)), expected, "{problem:?}");
    }
}

// Being remembered.

/// Signs in as the form does, with the box ticked or not.
fn by_form(visit: &mut Visit, is_ticked: bool) -> Response {
    let mut fields = ANN.to_vec();
    fields.push(("remember_asked", "yes"));
    if is_ticked {
        fields.push(("remember", "yes"));
    }
    visit.post("/login", &fields)
}

#[test]
fn forgets_a_user_who_does_not_tick_the_box_when_the_browser_is_closed() {
    let mut visit = Visit::with_ann();
    visit.forget_everything();
    let answer = by_form(&mut visit, false);
    let cookie = answer.value("Set-Cookie").unwrap();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "no end of its own: {cookie}");
    assert_eq!(visit.device, None, "and the browser is not known either");
    visit.wait(12 * HOUR);
    assert!(visit.is_signed_in(), "the last good moment");
    visit.wait(MOMENT);
    assert!(!visit.is_signed_in(), "on the server it ends as well");
}

#[test]
fn remembers_a_user_who_ticks_the_box_and_every_script() {
    let mut visit = Visit::with_ann();
    for answer in [by_form(&mut visit, true), visit.post("/login", &ANN)] {
        assert!(answer.value("Set-Cookie").unwrap().ends_with("; Max-Age=1296000"));
    }
    visit.wait(14 * DAY);
    assert!(visit.is_signed_in());
}

#[test]
fn sends_a_transient_cookie_again_as_it_was_when_it_renews() {
    let mut visit = Visit::with_ann();
    visit.forget_everything();
    by_form(&mut visit, false);
    visit.raw().run("UPDATE user_session SET active_expires = 0");
    let answer = visit.get("/");
    assert!(!answer.value("Set-Cookie").unwrap().contains("Max-Age"));
    let fields = [("current_password", "correct horse"), ("password", "battery staple")];
    let answer = visit.post("/account/password", &fields);
    assert!(!answer.value("Set-Cookie").unwrap().contains("Max-Age"), "nor with a new password");
}

#[test]
fn offers_to_be_remembered_as_the_operator_sets() {
    let form = |remember| {
        let settings = Settings { remember: Some(remember), ..Settings::default() };
        body(&Visit::with(settings).get("/login")).to_owned()
    };
    let (asks, boxed, ticked) = ("name=\"remember_asked\"", "type=\"checkbox\"", " checked");
    for (remember, expected) in [
        (Remember::Offered(true), [true, true, true]),
        (Remember::Offered(false), [true, true, false]),
        (Remember::Always, [false, false, false]),
        (Remember::Never, [true, false, false]),
    ] {
        let page = form(remember);
        assert_eq!([asks, boxed, ticked].map(|it| page.contains(it)), expected, "{remember:?}");
    }
}

#[test]
fn takes_two_different_cookies_for_none_and_heeds_no_token_beside_them() {
    let mut visit = Visit::with_ann();
    let token = visit.token();
    visit.forget_cookie();
    let two = format!("auth_session={token}; auth_session={}", "x".repeat(40));
    let bearer = format!("Bearer {token}");
    let headers = [("Cookie", &*two), ("Authorization", &*bearer)];
    let answer = visit.ask("GET", "/", &headers, "");
    assert_eq!(way(&answer), (302, Some("/login")));
    assert_eq!(answer.value("Set-Cookie"), Some(DEAD_COOKIE));
}

#[test]
fn says_unauthorized_on_a_page_to_a_browser_that_shows_one() {
    let mut visit = Visit::new();
    let answer = visit.ask("POST", "/account/sessions/end-others", &[("Accept", "text/html")], "");
    assert_eq!(answer.status, 401);
    assert!(body(&answer).contains("<h1>Unauthorized</h1>"));
}

#[test]
fn leaves_a_browser_signed_out_whose_session_had_ended_before_its_page() {
    let mut visit = Visit::with_ann();
    let stale = visit.cookie.clone().unwrap();
    visit.post("/logout", &[]);
    let headers = [("Accept", "text/html"), ("Accept-Language", "de"), ("Cookie", &*stale)];
    for (headers, title) in [(&headers[..1], "Signed out"), (&headers, "Abgemeldet")] {
        let answer = visit.ask("POST", "/logout", headers, "");
        assert_eq!(answer.status, 401, "as in the guide");
        assert!(body(&answer).contains(&format!("<h1>{title}</h1>")), "{}", body(&answer));
        assert!(body(&answer).contains("href=\"/login\""), "{}", body(&answer));
        assert_eq!(answer.value("Clear-Site-Data"), Some("\"cache\""));
        let is_stale = headers.len() > 1;
        assert_eq!(answer.value("Set-Cookie"), is_stale.then_some(DEAD_COOKIE));
    }
    // A script gets the guide's answer to the letter, and so does a form of another site, whose user is signed in.
    let answer = visit.ask("POST", "/logout", &[("Cookie", &stale)], "");
    assert_eq!((plain(&answer), answer.value("Clear-Site-Data")), ((401, "Unauthorized"), None));
    let mut visit = Visit::with_ann().send("Accept", "text/html");
    let answer = visit.ask("POST", "/logout", &[("Origin", "https://evil.example")], "");
    assert!(body(&answer).contains("<h1>Forbidden</h1>") && visit.is_signed_in());
}

#[test]
fn says_whether_it_is_healthy() {
    let mut visit = Visit::over_file(tempfile::tempdir().unwrap());
    assert_eq!(plain(&visit.get("/healthz")), (200, "ok"));
    std::fs::write(visit.folder.path().join("test.db"), "not a database any more").unwrap();
    let answer = visit.get("/healthz");
    assert_eq!((answer.status, answer.value("Retry-After")), (503, Some("1")));
}

#[test]
fn says_when_to_come_back_when_it_is_busy() {
    let visit = Visit::new();
    let request = visit.request("POST", "/login", &[], "");
    let answer = visit.site.refuse(Problem::Busy, Some(&request), visit.now);
    assert_eq!(plain(&answer), (503, "Busy"));
    assert_eq!(answer.value("Retry-After"), Some("1"));
}

#[test]
fn keeps_what_a_person_typed_when_it_is_busy() {
    let visit = Visit::new();
    let html = [("Accept", "text/html"), ("Content-Type", "application/x-www-form-urlencoded")];
    let form = "username=anna%22&password=correct+horse&next=%2Faccount%3Fa%3D1";
    for (path, button) in [("/login", "Sign in</button>"), ("/signup", "Sign up</button>")] {
        let request = visit.request("POST", path, &html, form);
        let answer = visit.site.refuse(Problem::Busy, Some(&request), visit.now);
        let page = body(&answer);
        assert_eq!((answer.status, answer.value("Retry-After")), (503, Some("1")), "{path}");
        let when = "<strong>Busy</strong>Please try again in <time datetime=\"2026-11-24T08:00:01";
        assert!(page.contains(when) && page.contains(button), "{path}: {page}");
        assert!(page.contains("value=\"anna&quot;\"") && page.contains("value=\"/account?a=1\""));
        assert!(!page.contains("correct horse"), "{path}");
    }
    let link = format!("token={}&password=correct+horse", "a".repeat(40));
    let request = visit.request("POST", "/reset", &html, &link);
    let answer = visit.site.refuse(Problem::Busy, Some(&request), visit.now);
    assert!(body(&answer).contains(&"a".repeat(40)) && !body(&answer).contains("correct horse"));
}

#[test]
fn shows_another_site_nothing_of_a_form_when_it_is_busy() {
    let visit = Visit::new();
    let headers = [
        ("Accept", "text/html"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    let request = visit.request("POST", "/login", &headers, "username=anna&password=x");
    let answer = visit.site.refuse(Problem::Busy, Some(&request), visit.now);
    assert_eq!(answer.status, 503);
    assert!(!body(&answer).contains("anna") && !body(&answer).contains("<form"));
}

/// Reloading, or pressing Enter in the address bar, after any form of a signed-in user.
#[test]
fn leads_a_browser_that_opens_the_address_of_a_form_to_the_page_with_the_form() {
    let mut visit = Visit::with(of_every_page());
    visit.post("/signup", &[("username", "anna"), ("password", "correct horse")]);
    let rows = include_str!("../../../docs/http.md").lines().filter(|it| it.starts_with("| `"));
    let cells = rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`'));
    let posts: Vec<_> = cells.filter_map(|it| it.strip_prefix("POST ")).collect();
    assert!(posts.len() > 10, "{posts:?}");
    for path in posts {
        let mut answer = visit.ask("GET", path, &[("Accept", "text/html")], "");
        for _ in 0..3 {
            let Some(page) = answer.value("Location").map(str::to_owned) else { break };
            answer = visit.ask("GET", &page, &[("Accept", "text/html")], "");
        }
        // A reset link is what it is by its token.
        let expected = if ["/reset", "/verify"].contains(&path) { 404 } else { 200 };
        assert_eq!(answer.status, expected, "{path}");
    }
    let script = visit.get("/account/delete");
    assert_eq!((script.status, script.value("Allow")), (405, Some("POST")));
}

#[test]
fn tells_a_visitor_nothing_about_a_failure_and_the_operator_everything() {
    let mut visit = Visit::with_ann();
    visit.raw().run("DROP TABLE user_session");
    let answer = visit.get("/");
    assert_eq!(plain(&answer), (500, "An unknown error occurred"));
    assert_eq!(answer.note.event.name(), "db_error");
    assert!(answer.note.fields[0].1.contains("user_session"), "{:?}", answer.note);
}

// Lanes.

#[test]
fn sends_to_the_slow_lane_only_what_will_hash_a_password() {
    let visit = Visit::new();
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let good = "username=anna&password=correct+horse";
    for (method, path, headers, body, lane) in [
        ("POST", "/login", &[form][..], good, Lane::Hash),
        ("POST", "/signup", &[form], good, Lane::Hash),
        ("GET", "/login", &[form], good, Lane::Read),
        ("POST", "/logout", &[form], good, Lane::Write),
        ("POST", "/nowhere", &[form], good, Lane::Read),
        ("POST", "/login", &[], good, Lane::Read),
        ("POST", "/login", &[form], "username=&password=x", Lane::Read),
        ("POST", "/signup", &[form], "username=anna&password=short", Lane::Read),
        ("POST", "/login", &[form, ("Origin", "null")], good, Lane::Read),
        ("POST", "/login", &[form, ("Content-Encoding", "gzip")], good, Lane::Read),
    ] {
        let request = visit.request(method, path, headers, body);
        assert_eq!(visit.site.lane(&request, visit.now), lane, "{method} {path} {body}");
    }
}

// The log.

#[test]
fn notes_every_security_event_without_a_secret() {
    let mut visit = Visit::new().send("Host", "h");
    let mut events = Vec::new();
    let mut secrets = vec!["correct horse".to_owned(), "hunter2 in the name".to_owned()];
    let mut see = |answer: Response, secrets: &[String]| {
        let text = format!("{:?}", answer.note);
        for secret in secrets {
            assert!(!text.contains(secret.as_str()), "{secret} in {text}");
        }
        events.push(answer.note.event.name());
    };
    see(visit.post("/signup", &field("username", "x")), &secrets);
    see(visit.post("/signup", &ANN), &secrets);
    secrets.push(visit.token());
    see(visit.get("/"), &secrets);
    see(visit.post("/login", &field("username", "hunter2 in the name")), &secrets);
    see(visit.post("/login", &ANN), &secrets);
    secrets.push(visit.token());
    see(visit.post("/logout", &[]), &secrets);
    see(visit.ask("POST", "/login", &[("Origin", "null")], ""), &secrets);
    assert_eq!(
        events,
        ["signup_fail", "signup_ok", "request", "login_fail", "login_ok", "logout", "csrf_reject"]
    );
}

/// A site with an https origin, and a session that came over from Lucia, in a browser that has the
/// cookie of that time.
fn with_a_session_of_lucia() -> Visit {
    let rule = Rule { own: Origin::parse("https://auth.example.com"), ..Rule::default() };
    let mut visit = Visit::with(Settings { rule, ..Settings::default() });
    let fields = [("username", "anna"), ("password", "three unrelated words")];
    assert_eq!(visit.post("/signup", &fields).status, 302);
    visit.raw().run("UPDATE user_session SET proven_at = 0");
    visit.cookie = Some(format!("auth_session={}", visit.token()));
    visit.device = None;
    visit
}

#[test]
fn gives_a_browser_that_comes_with_the_cookie_of_lucia_one_of_ours() {
    let mut visit = with_a_session_of_lucia();
    let token = visit.token();
    let request = visit.request("GET", "/", &[], "");
    let answer = visit.site.answer(&request, visit.now);
    assert_eq!(answer.status, 200);
    let set: Vec<_> = answer.headers.iter().filter(|(name, _)| *name == "Set-Cookie").collect();
    assert!(
        set[0].1.starts_with(&format!("__Host-auth_session={token}; Path=/; Secure")),
        "{set:?}"
    );
    assert!(set[1].1.starts_with("auth_session=; Path=/; Secure; HttpOnly"), "{set:?}");
    assert!(set[1].1.ends_with("Max-Age=0") && set.len() == 2, "{set:?}");
    visit.cookie = Some(format!("__Host-auth_session={token}"));
    assert_eq!(visit.get("/").value("Set-Cookie"), None);
    // From now on the old name stands for nothing beside ours.
    let strangers = format!("auth_session={}", Token::random().reveal());
    let answer = visit.ask("GET", "/", &[("Cookie", &strangers)], "");
    assert_eq!((answer.status, answer.value("Set-Cookie")), (200, None));
}

#[test]
fn signs_out_a_browser_that_comes_with_the_cookie_of_lucia() {
    let mut visit = with_a_session_of_lucia();
    let request = visit.request("POST", "/logout", &[], "");
    let answer = visit.site.answer(&request, visit.now);
    assert_eq!(way(&answer), (302, Some("/login")));
    let cleared = answer
        .headers
        .iter()
        .filter(|(name, value)| *name == "Set-Cookie" && value.contains("auth_session=;"));
    assert_eq!(cleared.count(), 2);
    assert!(!visit.is_signed_in());
}

#[test]
fn opens_no_session_of_our_own_by_a_cookie_that_a_neighbour_could_set() {
    let mut visit = with_a_session_of_lucia();
    visit.raw().run("UPDATE user_session SET proven_at = created_at");
    let answer = visit.get("/");
    assert_eq!((way(&answer), answer.value("Set-Cookie")), ((302, Some("/login")), None));
    // Nor one that is dead, and two are none.
    let mut visit = with_a_session_of_lucia();
    let another = format!("auth_session={}", Token::random().reveal());
    assert_eq!(visit.ask("GET", "/", &[("Cookie", &another)], "").status, 302);
    assert!(visit.is_signed_in());
    let mut visit = with_a_session_of_lucia();
    visit.wait(Duration::from_secs(31 * 24 * 60 * 60));
    assert!(!visit.is_signed_in());
}

#[test]
fn speaks_english_to_scripts_whatever_they_prefer() {
    let mut visit = Visit::with_ann();
    for accept in ["*/*", "text/plain", "text/html;q=0"] {
        let headers = [("Accept", accept), ("Accept-Language", "de")];
        assert!(body(&visit.ask("GET", "/", &headers, "")).contains("User id: "), "{accept}");
    }
    let headers = [("Accept", "text/html"), ("Accept-Language", "de")];
    assert!(body(&visit.ask("GET", "/", &headers, "")).contains("Benutzer-ID: "));
}
