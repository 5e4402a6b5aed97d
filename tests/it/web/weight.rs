//! What a page weighs with its stylesheet and icon: bodies and heads, as they go over the wire.

use std::time::Duration;

use vestibule::auth::access_tokens::MOST;
use vestibule::base::base_url::BaseUrl;
use vestibule::base::origin::Origin;
use vestibule::base::totp::{TimeStep, TotpSecret};
use vestibule::store::{Groups, Record};
use vestibule::web::cross_origin::Rule;
use vestibule::web::http::Response;
use vestibule::web::openapi::description;
use vestibule::web::{App, Settings};

use crate::visit::{Visit, body, with_passkeys};

const BYTES_MAX: usize = 10_240;
/// Of a page with a QR code.
const QR_BYTES_MAX: usize = 15_360;
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Every character is six bytes in a page.
const LONG_NAME: &str = "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"";
const PASSWORD: &str = "three unrelated words";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const SAMSUNG: &str = "Mozilla/5.0 (Linux; Android 14) SamsungBrowser/26.0 Chrome/122.0.0.0";
const SECOND_FACTOR: &str = "/account/second-factor";
const LANGUAGES: [&str; 3] = ["en", "de", "fr"];

/// A site at the root of its host, and one below a long path.
fn sites() -> [Visit; 2] {
    ["https://auth.example.com", "https://example.com/accounts/sign-in"].map(|url| {
        let base = BaseUrl::parse(url).unwrap();
        let app = |place| App {
            origin: Origin::parse(&format!("https://app-{place}.example.com")).unwrap(),
            name: format!("App number {place}"),
            groups: Groups::default(),
        };
        let settings = Settings {
            rule: Rule { own: Some(base.origin), ..Rule::default() },
            prefix: base.prefix,
            apps: (0..50).map(app).collect(),
            basic_auth: true,
            has_mail: true,
            rules: with_passkeys(),
            ..Settings::default()
        };
        let mut visit = Visit::with(settings).send("Accept", "text/html");
        visit.peer = "2001:db8:1111:2222:3333:4444:5555:6666".parse().ok();
        visit.headers.push(("User-Agent".to_owned(), SAMSUNG.to_owned()));
        let fields = [("username", LONG_NAME), ("password", PASSWORD)];
        assert_eq!(visit.post(&at(&visit, "/signup"), &fields).status, 302);
        visit
    })
}

fn at(visit: &Visit, path: &str) -> String {
    format!("{}{path}", prefix(visit))
}

fn prefix(visit: &Visit) -> String {
    // Every link below it has it.
    let page = visit.site.answer(&visit.request("GET", "/", &[], ""), visit.now);
    if page.status == 404 { "/accounts/sign-in".to_owned() } else { String::new() }
}

fn weight(visit: &Visit, page: &Response) -> usize {
    let size = |it: &Response| it.write(false, visit.now).len();
    let file = |path| {
        let request = visit.request("GET", &at(visit, path), &[], "");
        size(&visit.site.answer(&request, visit.now))
    };
    size(page) + file("/style.css") + file("/icon.svg")
}

/// The page in each language and those that its link leads to, one after the other; how many they are.
fn weigh(visit: &mut Visit, path: &str) -> usize {
    let mut pages = 0;
    for language in LANGUAGES {
        let mut next = Some(at(visit, path));
        while let Some(path) = next {
            let page = visit.ask("GET", &path, &[("Accept-Language", language)], "");
            assert_eq!(page.status, 200, "{path}");
            let bytes = weight(visit, &page);
            println!("{bytes} {language} {path}");
            assert!(bytes <= BYTES_MAX, "{bytes} bytes, {language}, {path}: {}", body(&page));
            pages += 1;
            next = link(&page, "next");
        }
    }
    pages / LANGUAGES.len()
}

fn link(page: &Response, which: &str) -> Option<String> {
    let (_, rest) = body(page).split_once(&format!("rel=\"{which}\" href=\""))?;
    Some(rest.split('"').next().unwrap().to_owned())
}

fn sign_in_elsewhere(visit: &mut Visit, times: usize) {
    let here = visit.forget_everything();
    for number in 0..times {
        let agent = [FIREFOX, SAMSUNG][number % 2];
        visit.headers.last_mut().unwrap().1.replace_range(.., agent);
        let fields = [("username", LONG_NAME), ("password", PASSWORD)];
        assert_eq!(visit.post(&at(visit, "/login"), &fields).status, 302);
        visit.forget_everything();
        visit.wait(MINUTE);
    }
    (visit.cookie, visit.device) = here;
}

#[test]
fn keeps_every_page_of_a_hundred_sessions_light() {
    for mut visit in sites() {
        sign_in_elsewhere(&mut visit, 99);
        visit.wait(DAY * 4);
        assert_eq!(weigh(&mut visit, "/account/sessions"), 17);
    }
}

#[test]
fn keeps_every_page_of_as_many_access_tokens_as_a_user_may_have_light() {
    for mut visit in sites() {
        let path = at(&visit, "/account/tokens");
        for number in 0..MOST {
            let name = format!("Sicherung der Räume 1 bis 9 im Wiki, Stück {number:02}");
            let fields = [("name", &*name), ("days", "366")];
            assert_eq!(visit.post(&path, &fields).status, 302);
        }
        let used = visit.now.before(DAY * 3).millis();
        visit.raw().run(&format!("UPDATE access_token SET used_at = {used}"));
        visit.new_token = None;
        // So the form asks for the password.
        visit.wait(MINUTE * 11);
        assert_eq!(weigh(&mut visit, "/account/tokens"), 10);
        visit.wait(DAY * 370);
        let fields = [("username", LONG_NAME), ("password", PASSWORD)];
        visit.post(&at(&visit, "/login"), &fields);
        visit.wait(MINUTE * 11);
        // All have expired.
        assert_eq!(weigh(&mut visit, "/account/tokens"), 10);
    }
}

#[test]
fn keeps_access_tokens_light_that_have_the_longest_names() {
    for mut visit in sites() {
        let path = at(&visit, "/account/tokens");
        for _ in 0..12 {
            let name = "護".repeat(60);
            let fields = [("name", &*name), ("days", "366")];
            assert_eq!(visit.post(&path, &fields).status, 302);
        }
        // The first with the new token.
        assert_eq!(weigh(&mut visit, "/account/tokens"), 3);
        visit.wait(MINUTE * 11);
        weigh(&mut visit, "/account/tokens?new=1");
        let name = "護".repeat(60);
        let refused = visit.post(&path, &[("name", &*name), ("days", "90")]);
        assert_eq!(refused.status, 403);
        let bytes = weight(&visit, &refused);
        assert!(bytes <= BYTES_MAX, "{bytes}");
    }
}

#[test]
fn keeps_every_page_about_an_account_with_a_long_history_light() {
    let all = description();
    let pages = all["paths"].as_object().unwrap().iter().filter(|(_, it)| it.get("get").is_some());
    let is_light = |path: &str| path.starts_with("/account") && path != SECOND_FACTOR;
    let pages: Vec<_> = pages.filter(|(path, _)| is_light(path)).collect();
    for mut visit in sites() {
        let home = visit.get(&at(&visit, "/"));
        let (_, rest) = body(&home).split_once("User id: ").unwrap();
        let id = rest.split('<').next().unwrap().to_owned();
        let record = |number: u32| Record {
            user_id: Some(id.clone()),
            address: Some("2001:db8:1111:2222:3333:4444:5555:6666".to_owned()),
            request: Some("5wvp81zn-7".to_owned()),
            ..Record::of_program(
                "password_change_fail",
                "browser=\"Samsung Internet on Android\"".to_owned(),
                visit.now.after(MINUTE * number),
            )
        };
        let records: Vec<_> = (0..120).map(record).collect();
        visit.site.keep(&records).unwrap();
        visit.wait(DAY * 40);
        let fields = [("username", LONG_NAME), ("password", PASSWORD)];
        visit.post(&at(&visit, "/login"), &fields);
        // So a form asks for the password.
        visit.wait(MINUTE * 11);
        for (path, _) in &pages {
            weigh(&mut visit, path);
        }
    }
}

#[test]
fn keeps_the_other_pages_light() {
    for mut visit in sites() {
        assert_eq!(weigh(&mut visit, "/"), 3);
        for path in ["/account", "/account/email", "/logout"] {
            weigh(&mut visit, path);
        }
        for (path, fields) in [
            ("/account/password", vec![("current_password", PASSWORD), ("password", "x")]),
            ("/account/password", vec![("current_password", "wrong"), ("password", PASSWORD)]),
            ("/account/delete", vec![("password", "wrong")]),
            ("/account/prove", vec![("current_password", "wrong"), ("next", "/account/sessions")]),
            ("/nowhere", vec![]),
        ] {
            let page = visit.post(&at(&visit, path), &fields);
            let bytes = weight(&visit, &page);
            println!("{bytes} {path} {}", page.status);
            assert!(400 <= page.status && bytes <= BYTES_MAX, "{bytes} {path} {}", page.status);
        }
        visit.forget_everything();
        weigh(&mut visit, "/forgot");
        for path in ["/login", "/signup"] {
            weigh(&mut visit, path);
            let fields = [("username", LONG_NAME), ("password", "wrong")];
            let page = visit.post(&at(&visit, path), &fields);
            assert!(page.status == 400 && weight(&visit, &page) <= BYTES_MAX, "{path}");
        }
    }
}

#[test]
fn keeps_the_pages_of_the_second_factor_light() {
    for mut visit in sites() {
        visit.wait(MINUTE * 11);
        let path = at(&visit, SECOND_FACTOR);
        for language in LANGUAGES {
            let page = visit.ask("GET", &path, &[("Accept-Language", language)], "");
            let bytes = weight(&visit, &page);
            println!("{bytes} {language} {path} with a QR code");
            assert!(body(&page).contains("role=\"img\"") && bytes <= QR_BYTES_MAX, "{bytes}");
        }
        let page = visit.get(&path);
        let form = body(&page).split_once("name=\"enrolment\" value=\"").unwrap().1;
        let enrolment = form.split('"').next().unwrap().to_owned();
        let secret = body(&page).split("<code>").nth(1).unwrap().split('<').next().unwrap();
        let secret = TotpSecret::from_base32(secret).unwrap();
        let code = secret.code_at(TimeStep::of(visit.now)).reveal();
        let fields = [("enrolment", &*enrolment), ("code", &code), ("current_password", PASSWORD)];
        let page = visit.post(&path, &fields);
        let bytes = weight(&visit, &page);
        println!("{bytes} recovery codes");
        assert!(page.status == 200 && bytes <= BYTES_MAX, "{bytes}");
        visit.wait(MINUTE * 11);
        weigh(&mut visit, SECOND_FACTOR);
        for form in ["/recovery-codes", "/off"] {
            let page = visit.post(&format!("{path}{form}"), &[("code", "123456")]);
            let bytes = weight(&visit, &page);
            println!("{bytes} {form}");
            assert!(page.status == 403 && bytes <= BYTES_MAX, "{bytes}");
        }
        visit.raw().run("DELETE FROM recovery_code WHERE id = (SELECT MIN(id) FROM recovery_code)");
        weigh(&mut visit, "/account");
    }
}

#[test]
fn leads_from_page_to_page_of_a_list_and_back_to_the_page_after_an_action() {
    let [mut visit, _] = sites();
    sign_in_elsewhere(&mut visit, 24);
    let first = visit.get("/account/sessions");
    assert!(body(&first).contains("1–6 of 25") && body(&first).contains("This browser"));
    assert_eq!(link(&first, "prev"), None);
    let second = visit.get(&link(&first, "next").unwrap());
    assert!(body(&second).contains("7–12 of 25") && !body(&second).contains("This browser"));
    assert_eq!(link(&second, "prev").as_deref(), Some("/account/sessions?page=1"));
    let last = visit.get("/account/sessions?page=5");
    assert!(body(&last).contains("25 of 25") && link(&last, "next").is_none());
    assert_eq!(body(&visit.get("/account/sessions?page=99")), body(&last));
    let (_, rest) = body(&last).split_once("name=\"session\" value=\"").unwrap();
    let handle = rest.split('"').next().unwrap().to_owned();
    let fields = [("session", &*handle), ("page", "5")];
    visit.wait(MINUTE * 11);
    let asked = visit.post("/account/sessions/end", &fields);
    assert_eq!(
        asked.value("Location"),
        Some("/account/prove?next=%2Faccount%2Fsessions%3Fpage%3D5")
    );
    visit.post("/account/prove", &[("current_password", PASSWORD)]);
    let ended = visit.post("/account/sessions/end", &fields);
    assert_eq!(ended.value("Location"), Some("/account/sessions?page=5"));
    visit.headers.clear();
    let json = visit.ask("GET", "/account/sessions", &[("Accept", "application/json")], "");
    assert_eq!(body(&json).matches("\"handle\"").count(), 24, "scripts get the whole list");
}
