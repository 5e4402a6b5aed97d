//! In which language people read, and how the pages look.

use vestibule::web::Settings;
use vestibule::web::pages::branding::{Look, Picture};

use crate::visit::{Visit, body, plain};

const HTML: (&str, &str) = ("Accept", "text/html");
const GERMAN: (&str, &str) = ("Accept-Language", "de-AT,de;q=0.9,en;q=0.5");

fn german() -> Visit {
    Visit::with_ann().send(HTML.0, HTML.1).send(GERMAN.0, GERMAN.1)
}

#[test]
fn speaks_german_to_a_browser_that_prefers_it() {
    let mut visit = german();
    for (path, words) in [
        ("/", "<h1>Profil</h1>"),
        ("/account", "Passwort ändern"),
        ("/account/sessions", "Zuletzt gesehen"),
        ("/nowhere", "<h1>Nicht gefunden</h1>"),
        ("/reset?token=x", "Dieser Link gilt nicht mehr"),
    ] {
        let answer = visit.get(path);
        let page = body(&answer);
        assert!(page.contains("<html lang=\"de\">") && page.contains(words), "{path}: {page}");
        assert_eq!(answer.value("Content-Language"), Some("de"), "{path}");
        assert_eq!(answer.value("Vary"), Some("Accept, Accept-Language"), "{path}");
    }
    visit.forget_cookie();
    let wrong = visit.post("/login", &[("username", "anna"), ("password", "wrong")]);
    assert_eq!(wrong.status, 400);
    assert!(body(&wrong).contains("<strong>Benutzername oder Passwort falsch</strong>"));
    assert!(visit.get("/signup").value("Content-Language") == Some("de"));
}

#[test]
fn speaks_french_to_a_browser_that_prefers_it() {
    let mut visit = Visit::with_ann().send(HTML.0, HTML.1);
    visit = visit.send("Accept-Language", "fr-CH,fr;q=0.9,en;q=0.5");
    visit.forget_cookie();
    let page = visit.get("/login");
    assert!(body(&page).contains("<html lang=\"fr\">") && body(&page).contains("Se connecter"));
    assert_eq!(page.value("Content-Language"), Some("fr"));
    let wrong = visit.post("/login", &[("username", "anna"), ("password", "wrong")]);
    assert!(body(&wrong).contains("Nom d’utilisateur ou mot de passe incorrect"));
}

#[test]
fn speaks_english_to_a_browser_that_says_nothing_or_something_else() {
    for language in ["", "pt", "en-GB,de;q=0.9", "de;q=x", ";;,"] {
        let mut visit = Visit::new().send("Accept-Language", language);
        let answer = visit.get("/login");
        assert!(body(&answer).contains("<html lang=\"en\">"), "{language}");
        assert_eq!(answer.value("Content-Language"), Some("en"));
    }
    assert!(body(&Visit::new().get("/login")).contains("<html lang=\"en\">"));
}

#[test]
fn tells_scripts_the_same_sentences_whatever_language_they_prefer() {
    let mut script = Visit::with_ann().send(GERMAN.0, GERMAN.1);
    let fields = |password| [("username", "anna"), ("password", password)];
    for (path, password, expected) in [
        ("/login", "wrong", (400, "Incorrect username or password")),
        ("/login", "", (400, "Invalid password")),
        ("/signup", "correct horse", (400, "Username already taken")),
        ("/nowhere", "x", (404, "Not found")),
    ] {
        let answer = script.post(path, &fields(password));
        assert_eq!(plain(&answer), expected);
        assert_eq!((answer.value("Vary"), answer.value("Content-Language")), (None, None));
    }
    let answer = script.ask("GET", "/nowhere", &[("Accept", "application/json")], "");
    let data = r#"{"error":"not_found","message":"Not found. There is no page at this address."}"#;
    assert_eq!(plain(&answer), (404, data));
}

/// A site with an own look, with a mark that would like to run a script.
fn of_one_s_own() -> Visit {
    let logo = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    let look = Look::new(
        Some("House & Garden".to_owned()),
        Picture::read(logo.to_vec()),
        Some("main { border-color: red }"),
        Some("Call 1 < 2.".to_owned()),
    );
    Visit::with(Settings { look, ..Settings::default() })
}

/// What stands behind `name="` in a page, up to the next quotation mark.
fn attribute<'a>(page: &'a str, before: &str) -> &'a str {
    page.split_once(before)
        .unwrap_or_else(|| panic!("{before} in {page}"))
        .1
        .split('"')
        .next()
        .unwrap()
}

#[test]
fn shows_the_operators_title_mark_and_help() {
    let mut visit = of_one_s_own();
    let answer = visit.get("/login");
    let page = body(&answer);
    assert!(page.contains("<title>Sign in · House &amp; Garden</title>"), "{page}");
    assert!(page.contains("<p class=\"house\">House &amp; Garden</p>"), "{page}");
    assert!(page.contains("Call 1 &lt; 2."), "{page}");
    assert!(!page.contains("<svg") && !page.contains("vestibule"), "{page}");
    assert!(!body(&visit.get("/signup")).contains("Call 1"));
    // The mark, which is the icon as well.
    for before in ["<img class=\"mark\" src=\"", "type=\"image/svg+xml\" href=\""] {
        let logo = visit.get(attribute(page, before));
        assert_eq!((logo.status, logo.value("Content-Type")), (200, Some("image/svg+xml")));
        assert_eq!(logo.value("Cache-Control"), Some("public, max-age=86400"));
    }
}

#[test]
fn lets_no_script_in_the_operators_mark_run() {
    let answer = of_one_s_own().get("/logo");
    assert!(body(&answer).contains("<script>"));
    let policy = answer.value("Content-Security-Policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
    assert!(!policy.contains("script-src") && !policy.contains("allow-scripts"), "{policy}");
    assert_eq!(answer.value("X-Content-Type-Options"), Some("nosniff"));
}

#[test]
fn sends_the_operators_rules_in_the_one_stylesheet() {
    let mut visit = of_one_s_own();
    let page = visit.get("/login");
    assert_eq!(body(&page).matches("rel=\"stylesheet\"").count(), 1);
    let style = visit.get(attribute(body(&page), "rel=\"stylesheet\" href=\""));
    assert!(
        body(&style).starts_with(":root{")
            && body(&style).ends_with("\nmain { border-color: red }")
    );
    let plain = Visit::new().get("/login");
    assert!(!body(&plain).contains(attribute(body(&page), "rel=\"stylesheet\" href=\"")));
}

#[test]
fn has_no_mark_to_send_where_the_operator_gave_none() {
    assert_eq!(plain(&Visit::new().get("/logo")), (404, "Not found"));
}
