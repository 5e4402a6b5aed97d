//! Where people are sent back to, and one sign-in for several hosts.

use std::time::Duration;

use vestibule::auth::invitations::SignUps;
use vestibule::auth::users;
use vestibule::base::origin::Origin;
use vestibule::store::Groups;
use vestibule::web::{App, Settings};

use crate::visit::{Visit, body, of_example, told, way};

const APP: &str = "https://app.example.com/a%20b?x=1&y=%C3%A4&z=a%26b";
const ANNA: [(&str, &str); 2] = [("username", "anna"), ("password", "correct horse")];

fn with_next(next: &str) -> String {
    format!(
        "/login?{}",
        url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish()
    )
}

fn a_browser() -> Visit {
    Visit::with(of_example()).send("Accept", "text/html")
}

#[test]
fn brings_a_visitor_back_to_the_very_address_they_asked_for() {
    let mut visit = a_browser();
    let page = visit.get(&with_next(APP));
    let hidden = r#"<input type="hidden" name="next" value="https://app.example.com/a%20b?x=1&amp;y=%C3%A4&amp;z=a%26b">"#;
    assert!(body(&page).contains(hidden), "{}", body(&page));
    for door in ["/signup", "/login"] {
        visit.forget_cookie();
        let fields = [ANNA[0], ANNA[1], ("next", APP)];
        assert_eq!(way(&visit.post(door, &fields)), (302, Some(APP)), "{door}");
    }
    assert_eq!(way(&visit.get(&with_next(APP))), (302, Some(APP)), "signed in already");
}

#[test]
fn knows_the_names_under_which_other_gates_send_people() {
    let mut visit = a_browser();
    visit.post("/signup", &ANNA);
    for name in ["next", "rd", "url", "redirect_uri"] {
        let asked = with_next(APP).replace("next=", &format!("{name}="));
        assert_eq!(way(&visit.get(&asked)), (302, Some(APP)), "{name}");
        visit.forget_cookie();
        let answer = visit.post("/login", &[ANNA[0], ANNA[1], (name, APP)]);
        assert_eq!(way(&answer), (302, Some(APP)), "{name}");
    }
}

#[test]
fn sends_a_visitor_to_their_profile_who_asks_for_anything_else() {
    let mut visit = a_browser();
    visit.post("/signup", &ANNA);
    for hostile in ["https://e.com/", "//e.com", "/\\e.com", "/.//e.com", "javascript:alert(1)", ""]
    {
        assert_eq!(way(&visit.get(&with_next(hostile))), (302, Some("/")), "{hostile}");
        visit.forget_cookie();
        let page = visit.get(&with_next(hostile));
        for part in ["/e.com", "\\e.com", "javascript"] {
            assert!(!body(&page).contains(part), "{hostile}");
        }
        let answer = visit.post("/login", &[ANNA[0], ANNA[1], ("next", hostile)]);
        assert_eq!(way(&answer), (302, Some("/")), "{hostile}");
    }
    visit.forget_cookie();
    let twice = visit.post("/login", &[ANNA[0], ANNA[1], ("next", APP), ("next", APP)]);
    assert_eq!(way(&twice), (302, Some("/")));
}

#[test]
fn tells_the_operator_of_a_way_back_that_is_not_allowed() {
    let mut visit = a_browser();
    let refused = with_next("https://wiki.example.org/a?token=x");
    let expected = "next_refused reason=unknown_host origin=https://wiki.example.org hint=\"if it is yours, \
                    allow it with --app https://wiki.example.org and the --cookie-domain above both hosts\"";
    assert_eq!(told(&visit.get(&refused)), expected);
    for fine in ["/login".to_owned(), with_next(""), with_next(APP), with_next("/account")] {
        assert_eq!(told(&visit.get(&fine)), "request ", "{fine}");
    }
    assert!(
        told(&visit.get(&with_next("javascript:alert(1)")))
            .starts_with("next_refused reason=malformed ")
    );
    // What is the event of the request is logged once, under its own name.
    visit.post("/signup", &ANNA);
    assert_eq!(told(&visit.get(&refused)), expected, "signed in already");
    let answer =
        visit.post("/login", &[ANNA[0], ANNA[1], ("next", "https://wiki.example.org/a?token=x")]);
    let said = told(&answer);
    assert!(
        said.starts_with("login_ok uid=")
            && said.ends_with(" next_refused=https://wiki.example.org"),
        "{said}"
    );
}

#[test]
fn never_takes_the_way_back_from_the_address_that_a_form_is_posted_to() {
    let mut visit = a_browser();
    visit.post("/signup", &ANNA);
    visit.forget_cookie();
    assert_eq!(way(&visit.post(&with_next(APP), &ANNA)), (302, Some("/")));
}

#[test]
fn keeps_the_way_back_when_a_form_comes_back_and_on_the_way_to_the_other_form() {
    let mut visit = a_browser();
    let page = visit.post("/login", &[ANNA[0], ("password", "wrong"), ("next", APP)]);
    assert_eq!(page.status, 400);
    assert!(body(&page).contains(r#"name="next" value="https://app.example.com/a%20b"#));
    let link = r#"href="/signup?next=https://app.example.com/a%2520b?x"#;
    assert!(body(&page).contains(link), "{}", body(&page));
}

/// nginx reads a request line of 8 KiB; all that fits in there comes back, however much of it has to be encoded.
#[test]
fn brings_a_long_address_back_whole_through_both_forms() {
    const PATH_BYTES: usize = 8_160;
    let mut visit = a_browser();
    visit.post("/signup", &ANNA);
    visit.forget_cookie();
    for part in [",", "%C3%A4", "&", "a=b&", "%26", "/", "a", "[]"] {
        let query = part.repeat(PATH_BYTES / part.len());
        let asked = format!("https://app.example.com/?{query}");
        let check = visit.ask("GET", "/auth/nginx", &[("X-Original-URL", &asked)], "");
        let location = check.value("Location").unwrap().to_owned();
        let login = location.strip_prefix("https://auth.example.com").unwrap();
        assert!(location.len() < 28_000 && check.note.event.name() == "request", "{part}");
        let page = body(&visit.get(login)).to_owned();
        let shown = asked.replace('&', "&amp;");
        assert!(page.contains(&format!("name=\"next\" value=\"{shown}\"")), "{part}");
        let (_, link) = page.split_once("href=\"/signup?").unwrap();
        let link = link.split_once('"').unwrap().0.replace("&amp;", "&");
        let page = body(&visit.get(&format!("/signup?{link}"))).to_owned();
        assert!(page.contains(&shown), "{part}: the other form");
        let answer = visit.post("/login", &[ANNA[0], ANNA[1], ("next", &asked)]);
        assert_eq!(way(&answer), (302, Some(&*asked)), "{part}");
        visit.forget_cookie();
    }
    // Commas need not be encoded, and are not.
    let commas = format!("https://app.example.com/?{}", ",".repeat(8_000));
    let check = visit.ask("GET", "/auth/nginx", &[("X-Original-URL", &commas)], "");
    assert!(check.value("Location").unwrap().len() < 8_100);
    // What is longer is left out, and the log says so.
    let longer = format!("https://app.example.com/?{}", ",".repeat(9_000));
    let check = visit.ask("GET", "/auth/nginx", &[("X-Original-URL", &longer)], "");
    assert_eq!(way(&check), (401, Some("https://auth.example.com/login")));
    let page = visit.get(&with_next(&longer));
    for answer in [check, page] {
        let fields: Vec<_> = answer.note.fields.iter().map(|(_, value)| &**value).collect();
        assert_eq!(answer.note.event.name(), "next_refused");
        assert_eq!(
            fields,
            ["too_long", "https://app.example.com", "it has 9025 bytes, and 8704 are the most"]
        );
    }
}

/// Browsers apply `form-action` to every redirect after a form, and an app may redirect to any host.
#[test]
fn restricts_where_a_form_may_lead_unless_it_leads_to_an_app() {
    let mut visit = a_browser();
    let rules = |answer: &vestibule::web::http::Response| {
        let policy = answer.value("Content-Security-Policy").unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; "), "{policy}");
        let rest = policy.strip_suffix("; script-src 'self'").unwrap_or(&policy);
        assert!(rest.ends_with("base-uri 'none'; object-src 'none'"), "{policy}");
        policy.contains("; form-action 'self'; ").then_some(policy.contains("form-action"))
    };
    for path in ["/login", &with_next("https://e.com/"), &with_next("/account")] {
        assert_eq!(rules(&visit.get(path)), Some(true), "{path}");
    }
    let back = visit.post("/login", &[ANNA[0], ("password", "wrong"), ("next", APP)]);
    for answer in [visit.get(&with_next(APP)), back] {
        let policy = answer.value("Content-Security-Policy").unwrap();
        assert!(rules(&answer).is_none() && !policy.contains("form-action"), "{policy}");
    }
}

#[test]
fn tells_a_script_where_to_go_on() {
    let mut visit = Visit::with(of_example()).send("Accept", "application/json");
    let answer = visit.post("/signup", &[ANNA[0], ANNA[1], ("next", APP)]);
    let data: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(data["next"], APP);
    let answer = visit.post("/login", &ANNA);
    let data: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(data.get("next").is_none());
}

#[test]
fn shares_one_cookie_with_every_host_of_the_domain_and_takes_it_back_everywhere() {
    let mut visit = a_browser();
    let answer = visit.post("/signup", &ANNA);
    let cookie = answer.value("Set-Cookie").unwrap();
    assert!(cookie.starts_with("__Secure-auth_session="), "{cookie}");
    assert!(cookie.contains("; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax; "));
    // The browser keeps it until the absolute end, as a check cannot send it again.
    assert!(cookie.ends_with("; Max-Age=2592000"), "{cookie}");
    let answer = visit.post("/logout", &[]);
    let cookie = answer.value("Set-Cookie").unwrap();
    assert!(cookie.starts_with("__Secure-auth_session=; Path=/; Domain=example.com; Secure; "));
    assert!(cookie.ends_with("Max-Age=0"));
}

#[test]
fn keeps_no_cookie_for_longer_than_browsers_do() {
    let mut settings = of_example();
    settings.rules.periods.absolute = Duration::from_secs(900 * 24 * 60 * 60);
    let mut visit = Visit::with(settings);
    let answer = visit.post("/signup", &ANNA);
    assert!(answer.value("Set-Cookie").unwrap().ends_with("; Max-Age=34560000"));
}

#[test]
fn knows_a_browser_on_this_host_alone() {
    let mut visit = a_browser();
    let answer = visit.post("/signup", &ANNA);
    let device = answer.headers.iter().rfind(|(name, _)| *name == "Set-Cookie").unwrap();
    assert!(device.1.starts_with("__Host-auth_device=") && !device.1.contains("Domain"));
}

#[test]
fn leads_a_person_without_a_session_back_to_the_page_they_asked_for() {
    let mut visit = Visit::with_ann().send("Accept", "text/html");
    visit.forget_cookie();
    let answer = visit.get("/account/sessions?page=2");
    let sign_in = "/login?next=%2Faccount%2Fsessions%3Fpage%3D2";
    assert_eq!(way(&answer), (302, Some(sign_in)));
    assert!(body(&visit.get(sign_in)).contains("value=\"/account/sessions?page=2\""));
    assert_eq!(
        way(&visit.get("/")),
        (302, Some("/login")),
        "the home page is where it leads anyway"
    );
    let mut script = Visit::with_ann();
    script.forget_cookie();
    assert_eq!(way(&script.get("/account/sessions")), (302, Some("/login")));
}

#[test]
fn says_to_which_app_the_sign_in_leads() {
    let mut visit = Visit::with(of_example());
    for (door, what) in [("/login", "Sign in"), ("/signup", "Sign up")] {
        let page = visit.get(&format!("{door}?next=https://wiki.example.com/a"));
        let words = format!("{what} to continue to <strong>wiki.example.com</strong>.");
        assert!(body(&page).contains(&words), "{}", body(&page));
        for own in ["/account", "https://e.com/", "https://auth.example.com/account"] {
            let page = visit.get(&format!("{door}?next={own}"));
            assert!(!body(&page).contains("to continue to"), "{own}");
        }
    }
}

#[test]
fn leads_the_first_browser_to_sign_up() {
    let mut visit = Visit::new();
    assert_eq!(visit.get("/login?next=/account").status, 200, "a script gets the form");
    let navigate = [("Sec-Fetch-Mode", "navigate"), ("Accept", "text/html")];
    let answer = visit.ask("GET", "/login?next=/account", &navigate, "");
    assert_eq!(way(&answer), (302, Some("/signup?next=/account")));
    visit.post("/signup", &ANNA);
    visit.forget_everything();
    assert_eq!(visit.ask("GET", "/login", &navigate, "").status, 200, "there is an account");
    let closed = Settings { sign_ups: SignUps::Closed, ..Settings::default() };
    assert_eq!(Visit::with(closed).ask("GET", "/login", &navigate, "").status, 200);
}

#[test]
fn leads_password_managers_to_the_account() {
    assert_eq!(way(&Visit::new().get("/.well-known/change-password")), (302, Some("/account")));
}

#[test]
fn links_to_the_apps_from_the_profile_of_a_person() {
    let apps = [("", "https://app.example.com"), ("The <wiki>", "https://wiki.example.com:8443")];
    let app = |(name, url): (&str, &str)| App {
        origin: Origin::parse(url).unwrap(),
        name: name.to_owned(),
        groups: Groups::default(),
    };
    let apps = apps.map(app).to_vec();
    let mut visit = Visit::with(Settings { apps, ..of_example() });
    visit.post("/signup", &ANNA);
    let links = [
        "<a href=\"https://app.example.com\"><bdi>app.example.com</bdi></a>",
        "<a href=\"https://wiki.example.com:8443\"><bdi>The &lt;wiki&gt;</bdi></a>",
        "Signed in <time datetime=\"2026-11-24T08:00:00Z\" title=\"2026-11-24 08:00:00 UTC\">just now</time>",
        "<a href=\"/account/sessions\">",
    ];
    let page = visit.ask("GET", "/", &[("Accept", "text/html")], "");
    assert!(links.iter().all(|it| body(&page).contains(it)), "{}", body(&page));
    let script = visit.get("/");
    assert!(!body(&script).contains("app.example.com"), "a script gets what it always got");
}

#[test]
fn shows_an_app_of_some_groups_to_their_members_alone() {
    let app = |name: &str, groups: &str| App {
        origin: Origin::parse(&format!("https://{name}.example.com")).unwrap(),
        name: name.to_owned(),
        groups: users::groups(groups).unwrap(),
    };
    let apps = vec![app("all", ""), app("wiki", "staff,admin"), app("lab", "research")];
    let mut visit = Visit::with(Settings { apps, ..of_example() });
    visit.post("/signup", &ANNA);
    let shown = |visit: &mut Visit| {
        let page = visit.ask("GET", "/", &[("Accept", "text/html")], "");
        ["all", "wiki", "lab"].map(|it| body(&page).contains(&format!("//{it}.example.com\"")))
    };
    for (groups, expected) in [
        ("", [true, false, false]),
        ("admin", [true, true, false]),
        ("research,staff", [true, true, true]),
        ("staffing", [true, false, false]),
    ] {
        visit.raw().run(&format!("UPDATE user SET group_names = '{groups}'"));
        assert_eq!(shown(&mut visit), expected, "{groups}");
    }
    let next = visit.get("/login?next=https://lab.example.com/x");
    assert_eq!(
        way(&next),
        (302, Some("https://lab.example.com/x")),
        "who gets in is up to the check"
    );
}

#[test]
fn leads_a_signed_in_person_on_whatever_the_invitation() {
    let mut visit = Visit::new();
    visit.post("/signup", &ANNA);
    assert_eq!(way(&visit.get("/signup?invite=used")), (302, Some("/")));
    visit.forget_cookie();
    assert_eq!(visit.get("/signup?invite=used").status, 403);
}
