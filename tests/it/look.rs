//! In which language people read, and how the pages look.

use crate::visit::{Visit, body, plain};

const HTML: (&str, &str) = ("Accept", "text/html");
const GERMAN: (&str, &str) = ("Accept-Language", "de-AT,de;q=0.9,en;q=0.5");

fn german() -> Visit {
    Visit::with_ann().send(HTML.0, HTML.1).send(GERMAN.0, GERMAN.1)
}

#[test]
fn speaks_german_to_whoever_prefers_it() {
    let mut visit = german();
    for (path, words) in [
        ("/", "<h1>Profil</h1>"),
        ("/account", "Passwort ändern"),
        ("/account/sessions", "Zuletzt gesehen"),
        ("/nowhere", "<h1>Nicht gefunden</h1>"),
        ("/reset?token=x", "Dieser Link gilt nicht"),
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
fn speaks_english_to_whoever_says_nothing_or_something_else() {
    for language in ["", "fr", "en-GB,de;q=0.9", "de;q=x", ";;,"] {
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
    let data = r#"{"error":"not_found","message":"Not found. There is no page here."}"#;
    assert_eq!(plain(&answer), (404, data));
}
