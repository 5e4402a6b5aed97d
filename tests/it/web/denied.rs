//! What a signed-in user sees of an app that is closed to them, behind any proxy.

use serde_json::{Value, json};
use vestibule::web::http::Response;
use vestibule::web::pages::branding::Look;
use vestibule::web::{Alias, Settings};

use crate::visit::{MORNING, Visit, body, of_example, way};

const APP: &str = "https://wiki.example.com/a%20b?x=1&y=%C3%A4";
const WAY_OUT: &str = r#"href="https://auth.example.com/logout?next=https://wiki.example.com/a%2520b?x=1%26y=%25C3%25A4""#;
const PAGE: (&str, &str) = ("Accept", "text/html");
const ANNA: [(&str, &str); 2] = [("username", "<Anna>"), ("password", "correct horse")];

fn with_anna(settings: Settings) -> Visit {
    let mut visit = Visit::with(settings);
    visit.post("/signup", &ANNA);
    visit
}

/// The page behind nginx, which asks for it when a check has denied access.
fn behind_nginx(visit: &mut Visit, query: &str, more: &[(&str, &str)]) -> Response {
    let headers = replaced(&[PAGE, ("X-Original-URL", APP)], more);
    visit.ask("GET", &format!("/auth/denied?{query}"), &headers, "")
}

/// The page behind Caddy and Traefik, which pass on what the check answers.
fn behind_caddy(visit: &mut Visit, query: &str, more: &[(&str, &str)]) -> Response {
    let usual = [
        PAGE,
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "wiki.example.com"),
        ("X-Forwarded-Uri", "/a%20b?x=1&y=%C3%A4"),
    ];
    visit.ask("GET", &format!("/auth/forward?{query}"), &replaced(&usual, more), "")
}

/// The usual headers, with others in place of those of the same name.
fn replaced<'a>(
    usual: &[(&'a str, &'a str)],
    more: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let is_kept = |(name, _): &&(&str, &str)| !more.iter().any(|(other, _)| other == name);
    usual.iter().filter(is_kept).chain(more).copied().collect()
}

#[test]
fn says_who_is_signed_in_what_is_closed_which_group_is_missing_and_how_to_come_back() {
    let mut visit = with_anna(of_example());
    for answer in [
        behind_nginx(&mut visit, "groups=staff", &[]),
        behind_caddy(&mut visit, "groups=staff", &[]),
    ] {
        assert_eq!((answer.status, answer.value("Set-Cookie")), (403, None));
        let page = body(&answer);
        for part in [
            "<h1>Forbidden</h1>",
            "Signed in as <bdi><strong>&lt;Anna&gt;</strong></bdi>",
            "This account does not have access to <strong>wiki.example.com</strong>.",
            "Members of the group <strong>staff</strong> have access.",
            "Please ask the administrator of this site.",
            WAY_OUT,
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }
    let german = behind_nginx(&mut visit, "groups=staff,ops", &[("Accept-Language", "de")]);
    let sentence = "Zugang haben Mitglieder einer dieser Gruppen: <strong>staff, ops</strong>.";
    assert!(body(&german).contains(sentence), "{}", body(&german));
    // The way back leads through the page with the button to the very address.
    assert!(body(&visit.get("/logout?next=https://wiki.example.com/x")).contains("name=\"next\""));
    assert_eq!(way(&visit.post("/logout", &[("next", APP)])), (302, Some(APP)));
}

#[test]
fn tells_a_script_what_is_closed_and_which_group_is_missing() {
    let mut visit = with_anna(of_example());
    let as_json = ("Accept", "application/json");
    for (query, groups, sentence) in [
        ("groups=staff", json!(["staff"]), " Members of the group staff have access."),
        (
            "groups=staff,ops",
            json!(["staff", "ops"]),
            " Members of one of these groups have access: staff, ops.",
        ),
        // A list of users stays the operator's own, and a check that is configured wrongly says no more.
        ("users=bert", json!([]), ""),
        ("group=staff", json!([]), ""),
    ] {
        let message =
            format!("Forbidden. This account does not have access to wiki.example.com.{sentence}");
        let expected = json!({
            "error": "forbidden", "message": message, "app": "wiki.example.com", "groups": groups,
        });
        for ask in [behind_nginx, behind_caddy] {
            let answer = ask(&mut visit, query, &[as_json]);
            assert_eq!(answer.status, 403);
            let data: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(data, expected, "{query}");
            let answer = ask(&mut visit, query, &[("Accept", "*/*")]);
            let plain =
                if sentence.is_empty() { "Forbidden" } else { &*format!("Forbidden.{sentence}") };
            assert_eq!((answer.status, body(&answer)), (403, plain));
        }
    }
    // What the client has made up is not repeated.
    let uri = ("X-Forwarded-Uri", "/?groups=call-0800-123");
    let host = ("X-Forwarded-Host", "evil.example");
    let answer = behind_caddy(&mut visit, "groups=call-0800-123", &[as_json, uri, host]);
    let data: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&data["app"], &data["groups"]), (&Value::Null, &json!([])), "{data}");
    assert_eq!(data["message"], "Forbidden. You do not have access to this.");
}

#[test]
fn names_whom_the_operator_says_to_ask() {
    let look = Look::new(None, None, None, Some("Ask <Bert> in room 3.".to_owned()));
    let mut visit = with_anna(Settings { look, ..of_example() });
    let answer = behind_nginx(&mut visit, "groups=staff", &[]);
    assert!(body(&answer).contains("Ask &lt;Bert&gt; in room 3."));
    assert!(!body(&answer).contains("administrator"));
}

#[test]
fn takes_its_look_from_the_host_of_the_sign_in() {
    let mut visit = with_anna(of_example());
    let answer = behind_caddy(&mut visit, "groups=staff", &[]);
    let policy = answer.value("Content-Security-Policy").unwrap();
    assert!(policy.contains("style-src https://auth.example.com;"), "{policy}");
    assert!(policy.contains("default-src 'none'") && !policy.contains("'self'"), "{policy}");
    let at = body(&answer).find("https://auth.example.com/style.css").unwrap();
    let link = body(&answer)[at..].split('"').next().unwrap();
    let style = visit.get(link.strip_prefix("https://auth.example.com").unwrap());
    assert_eq!(style.status, 200);
    assert_eq!(style.value("Cross-Origin-Resource-Policy"), Some("same-site"));
    let policies = |it: &Response| {
        it.headers.iter().filter(|(name, _)| *name == "Cross-Origin-Resource-Policy").count()
    };
    assert_eq!(policies(&style), 1);
    assert_eq!(visit.get("/account").value("Cross-Origin-Resource-Policy"), Some("same-origin"));
}

#[test]
fn repeats_nothing_that_a_client_has_made_up() {
    let mut visit = with_anna(of_example());
    for host in ["evil.example", "wiki.example.com.evil.example", "<script>", "wiki.example.com:99"]
    {
        let forged = [
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", host),
            ("X-Forwarded-Uri", "/"),
            PAGE,
        ];
        let answer = visit.ask("GET", "/auth/forward?groups=staff", &forged, "");
        assert_eq!(answer.status, 403);
        assert!(!body(&answer).contains(host), "{host} in {}", body(&answer));
        assert!(body(&answer).contains("You do not have access to this."));
        assert!(body(&answer).contains(r#"href="https://auth.example.com/logout""#));
    }
    // Caddy, configured without a question mark, passes the query of the client on.
    let uri = "/?groups=call-0800-123";
    let answer = behind_caddy(&mut visit, "groups=call-0800-123", &[("X-Forwarded-Uri", uri)]);
    assert_eq!(answer.status, 403);
    assert!(!body(&answer).contains("<strong>call-0800"), "{}", body(&answer));
    // Nor what is no group.
    let answer = behind_nginx(&mut visit, "groups=%3Cb%3E,Call+me,staff", &[]);
    assert!(body(&answer).contains("the group <strong>staff</strong>"), "{}", body(&answer));
    // A list of users stays the operator's own.
    let answer = behind_nginx(&mut visit, "users=bert", &[]);
    assert!(!body(&answer).contains("bert"));
}

#[test]
fn is_403_for_nginx_for_every_client_whatever_has_changed_meanwhile() {
    let mut visit = with_anna(of_example());
    let answer = behind_nginx(&mut visit, "", &[]);
    assert_eq!(answer.status, 403);
    assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("Remote-")));
    let two = [("Cookie", "__Secure-auth_session=tossed")];
    let answer = behind_nginx(&mut visit, "groups=staff", &two);
    assert_eq!(answer.status, 403);
    assert!(body(&answer).contains("clear the cookies"));
    assert!(body(&answer).contains("https://auth.example.com/style.css"));
    for (accept, kind) in [("application/json", "application/json"), ("*/*", "text/plain")] {
        let headers = [("Accept", accept), ("X-Original-URL", APP)];
        let answer = visit.ask("GET", "/auth/denied?groups=staff", &headers, "");
        assert_eq!(answer.status, 403);
        assert!(answer.value("Content-Type").unwrap().starts_with(kind), "{accept}");
    }
    visit.forget_cookie();
    let answer = behind_nginx(&mut visit, "groups=staff", &[]);
    assert_eq!(answer.status, 403);
    assert!(body(&answer).contains(r#"href="https://auth.example.com/login""#));
    visit.raw().run("DROP TABLE user_session");
    visit.cookie = Some(format!("__Secure-auth_session={}", "a".repeat(40)));
    assert_eq!(behind_nginx(&mut visit, "groups=staff", &[]).status, 403);
}

#[test]
fn logs_a_denied_check_once() {
    let mut visit = with_anna(of_example());
    let check = visit.ask("GET", "/auth/nginx?groups=staff", &[("X-Original-URL", APP)], "");
    assert_eq!(check.note.event.name(), "check_denied");
    assert_eq!(behind_nginx(&mut visit, "groups=staff", &[]).note.event.name(), "request");
}

#[test]
fn is_for_proxies_alone_and_shows_on_every_kind_of_check() {
    let settings = Settings { aliases: Alias::ALL.to_vec(), ..of_example() };
    let mut visit = with_anna(settings);
    let answer = visit.ask("GET", "/oauth2/auth?allowed_groups=staff", &[PAGE], "");
    assert_eq!(answer.status, 403);
    assert!(body(&answer).contains("the group <strong>staff</strong>"));
    visit.peer = Some("203.0.113.7".parse().unwrap());
    let answer = behind_nginx(&mut visit, "groups=staff", &[]);
    assert_eq!((answer.status, body(&answer)), (403, "Forbidden"));
    assert_eq!(visit.now, MORNING);
}
