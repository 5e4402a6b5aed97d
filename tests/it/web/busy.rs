//! What a browser gets in place of a response that could not be given.

use std::os::unix::fs::FileExt;

use vestibule::auth::sign_in::Rules;
use vestibule::web::http::{Problem, Response};
use vestibule::web::{Settings, SignUpEmail, openapi};

use crate::engine;
use crate::visit::{Visit, body, of_example, plain, told, way};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

fn browser() -> Visit {
    browser_of(Settings { basic_auth: true, has_mail: true, ..of_example() })
}

fn browser_of(settings: Settings) -> Visit {
    Visit::with(settings).send("Accept", "text/html").send("Origin", "https://auth.example.com")
}

/// The response to this form while the server is busy.
fn busy(visit: &Visit, path: &str, form: &str) -> Response {
    visit.site.refuse(Problem::Busy, Some(&visit.request("POST", path, &[FORM], form)), visit.now)
}

/// The names and values of all fields on a page.
fn fields(page: &str) -> Vec<(String, String)> {
    // The form of a passkey follows that of a password.
    let first = page.split("</form>").next().unwrap();
    let inputs = first.split("<input ").skip(1).map(|it| it.split_once('>').unwrap().0);
    // A box that is not ticked is not sent.
    let is_sent = |it: &&str| !it.contains("\"checkbox\"") || it.contains(" checked");
    let inputs = inputs.filter(is_sent);
    let attribute = |input: &str, name: &str| {
        let (_, rest) = input.split_once(&format!("{name}=\""))?;
        Some(rest.split_once('"').unwrap().0.to_owned())
    };
    inputs
        .map(|it| {
            (
                attribute(it, " name").unwrap_or_else(|| attribute(it, "name").unwrap()),
                attribute(it, "value").unwrap_or_default(),
            )
        })
        .collect()
}

#[test]
fn keeps_what_was_typed_and_never_a_password_in_a_form_that_can_be_sent_again() {
    let mut visit = browser();
    let anna = [("username", "anna"), ("password", "correct horse battery")];
    visit.post("/signup", &anna);
    visit.forget_everything();
    let sent = "username=anna&password=correct+horse+battery&next=https://wiki.example.com/a?b%3Dc&remember_asked=yes";
    let page = busy(&visit, "/login", sent);
    assert_eq!((page.status, page.value("Retry-After")), (503, Some("1")));
    let html = body(&page);
    assert!(
        html.contains(
            "Please try again in <time datetime=\"2026-11-24T08:00:01.000Z\">1 second</time>."
        ),
        "{html}"
    );
    assert!(html.contains("<button>Sign in</button>") && !html.contains("horse"), "{html}");
    assert!(!html.contains("aria-invalid"), "nothing is wrong with what was typed: {html}");
    assert!(html.contains("autocomplete=\"current-password\" autofocus"), "{html}");
    let policy = page.value("Content-Security-Policy").unwrap();
    assert!(!policy.contains("form-action"), "it leads to another host: {policy}");
    let mut fields = fields(html);
    for (name, value) in &mut fields {
        if name == "password" {
            assert_eq!(std::mem::replace(value, "correct horse battery".to_owned()), "");
        }
    }
    let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    let again = visit.post("/login", &fields);
    assert_eq!(way(&again), (302, Some("https://wiki.example.com/a?b=c")));
    let session = again.headers.iter().find(|(_, it)| it.contains("auth_session="));
    assert!(!session.unwrap().1.contains("Max-Age"), "it was not to stay signed in");
}

#[test]
fn has_such_a_page_for_every_form() {
    let example = of_example();
    // All that a form may ask for.
    let visit = browser_of(Settings {
        basic_auth: true,
        has_mail: true,
        sign_up_email: SignUpEmail::Required,
        rules: Rules { verifies_first: true, ..example.rules.clone() },
        ..example
    });
    let document = openapi::description();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(post) = methods.get("post") else { continue };
        let media = &post["requestBody"]["content"]["application/x-www-form-urlencoded"];
        let names = media["schema"]["properties"].as_object();
        let names: Vec<_> = names.into_iter().flatten().map(|(name, _)| name.clone()).collect();
        // A link has the form of a token.
        let typed = |name: &str| match path.as_str() {
            "/reset" if name == "token" => "a".repeat(40),
            "/login/second" if name == "remember_browser" => "yes".to_owned(),
            "/login" if name == "verify" => "a".repeat(40),
            _ => format!("typed_{name}"),
        };
        let form: Vec<_> = names.iter().map(|name| format!("{name}={}", typed(name))).collect();
        let page = busy(&visit, path, &form.join("&"));
        assert_eq!(page.status, 503, "{path}");
        let html = body(&page);
        assert!(
            html.contains("<time datetime=") && html.contains("<form method=\"post\""),
            "{path}: {html}"
        );
        let fields = fields(body(&page));
        let is_shown = |it: &&String| match it.as_str() {
            "next" => path.starts_with("/account"),
            _ => true,
        };
        for name in names.iter().filter(is_shown) {
            let is_secret = ["password", "current_password", "code"].contains(&&**name);
            let expected = if is_secret { String::new() } else { typed(name) };
            assert!(fields.contains(&(name.clone(), expected)), "{path}: {fields:?}");
        }
    }
}

/// A user may have no app.
#[test]
fn asks_for_a_code_of_the_second_factor_only_where_one_was_typed() {
    let visit = browser();
    for path in ["/login/second", "/account/second-factor/off"] {
        let page = busy(&visit, path, "credential=%7B%7D");
        let html = body(&page);
        assert!(html.contains("name=\"credential\" value=\"{}\""), "{path}: {html}");
        assert!(!html.contains("name=\"code\""), "{path}: {html}");
        let page = busy(&visit, path, "code=123456");
        assert!(
            body(&page).contains("Code from the app, or recovery code"),
            "{path}: {}",
            body(&page)
        );
    }
}

#[test]
fn does_so_when_the_store_fails_and_in_every_language() {
    let mut visit = browser();
    visit.raw().run("DROP TABLE user_session");
    let answer = visit.post("/account/password", &[("current_password", "a"), ("password", "b")]);
    assert_eq!(answer.status, 401, "without a session the store is not asked");
    visit.cookie = Some(format!("__Secure-auth_session={}", "a".repeat(40)));
    let sent = [("current_password", "secret1"), ("password", "secret2"), ("username", "anna")];
    let answer = visit.post("/account/password", &sent);
    assert_eq!((answer.status, answer.value("Retry-After")), (500, None));
    let html = body(&answer);
    assert!(html.contains("autocomplete=\"new-password\"") && !html.contains("secret"), "{html}");
    for (language, again, button) in [
        (
            "de",
            "Bitte in <time datetime=\"2026-11-24T08:00:01.000Z\">1 Sekunde</time> noch einmal versuchen.",
            "Anmelden",
        ),
        (
            "fr",
            "Réessayez dans <time datetime=\"2026-11-24T08:00:01.000Z\">1 seconde</time>.",
            "Se connecter",
        ),
    ] {
        let visit = browser().send("Accept-Language", language);
        let page = busy(&visit, "/login", "username=%D7%90&password=x");
        let html = body(&page);
        assert!(
            html.contains(again) && html.contains(&format!("<button>{button}</button>")),
            "{html}"
        );
        assert!(html.contains("value=\"א\""), "{html}");
    }
}

#[test]
fn escapes_what_was_typed_and_repeats_no_form_of_another_site() {
    let mut visit = browser();
    let page = busy(&visit, "/signup?invite=%22%3E", "username=%3Cscript%3E%22&password=x&evil=1");
    assert!(body(&page).contains("value=\"&lt;script&gt;&quot;\""), "{}", body(&page));
    assert!(!body(&page).contains("evil=") && !body(&page).contains("<script>"));
    visit.headers[1].1 = "https://evil.example".to_owned();
    let page = busy(&visit, "/account/delete", "password=x");
    assert!(page.status == 503 && !body(&page).contains("<form"), "{}", body(&page));
}

#[test]
fn links_to_the_page_that_was_asked_for() {
    let visit = browser();
    let get = |path: &str| {
        visit.site.refuse(Problem::Busy, Some(&visit.request("GET", path, &[], "")), visit.now)
    };
    let page = get("/login?next=/account");
    assert!(
        body(&page).contains("<a href=\"/login?next=/account\">Try again</a>"),
        "{}",
        body(&page)
    );
    assert!(!body(&get("//evil.example/")).contains("evil"));
}

#[test]
fn tells_scripts_what_it_always_did() {
    let mut visit = browser();
    visit.headers[0].1 = "*/*".to_owned();
    assert_eq!(plain(&busy(&visit, "/login", "username=anna&password=x")), (503, "Busy"));
    visit.headers[0].1 = "application/json".to_owned();
    let answer = busy(&visit, "/login", "username=anna&password=x");
    assert!(body(&answer).contains("\"error\":\"busy\""), "{}", body(&answer));
}

/// SQLite takes a file for read-only whose header says so, as it does where the system does not let it write.
#[test]
fn keeps_what_was_typed_while_the_database_is_read_only_and_tells_the_operator_what_to_see_to() {
    let mut visit = Visit::over_file(tempfile::tempdir().unwrap()).send("Accept", "text/html");
    let anna = [("username", "anna"), ("password", "correct horse")];
    assert_eq!(visit.post("/signup", &anna).status, 302);
    let path = visit.folder.path().join("test.db");
    engine::raw_file(&path).row("PRAGMA wal_checkpoint(TRUNCATE)");
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&[3], 18).unwrap();
    for (path, fields) in [
        ("/account/password", vec![("current_password", "correct horse"), ("password", "battery")]),
        ("/account/delete", vec![("password", "correct horse")]),
        ("/account/sessions/end-others", vec![]),
        ("/login", vec![("username", "anna"), ("password", "correct horse")]),
        ("/signup", vec![("username", "berta"), ("password", "correct horse")]),
    ] {
        if path == "/login" {
            visit.forget_everything();
        }
        let page = visit.post(path, &fields);
        assert_eq!((page.status, page.value("Retry-After")), (503, Some("1")), "{path}");
        assert!(body(&page).contains("<form method=\"post\""), "{path}: {}", body(&page));
        let name = fields.iter().find(|(name, _)| *name == "username");
        assert!(name.is_none_or(|(_, it)| body(&page).contains(&format!("value=\"{it}\""))));
        let told = told(&page);
        assert!(told.starts_with("db_busy ") && told.contains("see its mode"), "{path}: {told}");
    }
}
