//! JSON for scripts that ask for it; nothing changes for others.

use serde_json::{Value, json};
use vestibule::web::Settings;
use vestibule::web::http::{Request, Response};

use crate::visit::{Visit, body, plain, way};

const ANN: [(&str, &str); 2] = [("username", "anna"), ("password", "correct horse")];

fn asking() -> Visit {
    Visit::new().send("Accept", "application/json")
}

/// Status and data of an answer.
fn data(answer: &Response) -> (u16, Value) {
    assert_eq!(answer.value("Content-Type"), Some("application/json"));
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

/// Status and error of an answer; there is a sentence for people as well.
fn error(answer: &Response) -> (u16, String) {
    let (status, data) = data(answer);
    assert!(data["message"].as_str().is_some_and(|it| it.ends_with('.')), "{data}");
    (status, data["error"].as_str().unwrap().to_owned())
}

#[test]
fn gives_a_script_that_signs_in_its_token_and_what_a_cookie_jar_needs() {
    let mut visit = asking();
    for path in ["/signup", "/login"] {
        let answer = visit.post(path, &ANN);
        let (status, data) = data(&answer);
        assert_eq!(status, 200, "{path}");
        assert_eq!(data["token"].as_str().unwrap(), visit.token());
        assert_eq!(data["user"]["username"], "anna");
        assert_eq!(data["session"]["state"], "active");
        assert_eq!(data["session"]["idle_expires"], "2026-12-09T08:00:00.000Z");
    }
}

#[test]
fn gives_the_profile_and_the_state_of_the_session() {
    let mut visit = asking();
    assert_eq!(error(&visit.get("/")), (401, "not_signed_in".to_owned()));
    visit.post("/signup", &ANN);
    let (status, data) = data(&visit.get("/"));
    assert_eq!((status, &data["user"]["username"]), (200, &json!("anna")));
    assert_eq!(data["user"]["id"].as_str().unwrap().len(), 15);
    for moment in ["created_at", "active_expires", "idle_expires", "absolute_expires"] {
        assert!(data["session"][moment].as_str().unwrap().ends_with('Z'), "{moment}");
    }
    assert!(!data.to_string().contains(&visit.token()), "the token is told once");
}

#[test]
fn uses_status_codes_as_they_are_meant() {
    let mut visit = asking();
    visit.post("/signup", &ANN);
    visit.forget_everything();
    let fields = |name, password| [("username", name), ("password", password)];
    for (path, name, password, expected) in [
        ("/signup", "abc", "correct horse", (422, "invalid_username")),
        ("/signup", "bobo", "12345", (422, "invalid_password")),
        ("/signup", "ANNA", "correct horse", (409, "username_taken")),
        ("/login", "", "correct horse", (422, "invalid_username")),
        ("/login", "anna", "", (422, "invalid_password")),
        ("/login", "anna", "wrong guess", (401, "incorrect_credentials")),
        ("/login", "nobody", "wrong guess", (401, "incorrect_credentials")),
    ] {
        let (status, error) = error(&visit.post(path, &fields(name, password)));
        assert_eq!((status, &*error), expected, "{path} {name}");
    }
    for (method, path, expected) in [
        ("GET", "/nowhere", (404, "not_found")),
        ("DELETE", "/", (405, "method_not_allowed")),
        ("POST", "/logout", (401, "not_signed_in")),
        ("GET", "/account", (401, "not_signed_in")),
        ("GET", "/account/sessions", (401, "not_signed_in")),
        ("GET", "/whoami", (401, "not_signed_in")),
    ] {
        let (status, error) = error(&visit.ask(method, path, &[], ""));
        assert_eq!((status, &*error), expected, "{method} {path}");
    }
    let foreign = [("Origin", "https://evil.example")];
    assert_eq!(error(&visit.ask("POST", "/login", &foreign, "")), (403, "forbidden".to_owned()));
}

#[test]
fn says_how_long_to_wait() {
    let mut visit = asking();
    for _ in 0..6 {
        visit.post("/login", &[("username", "anna"), ("password", "wrong guess")]);
    }
    let answer = visit.post("/login", &ANN);
    assert_eq!(answer.value("Retry-After"), Some("1"));
    let (status, data) = data(&answer);
    assert_eq!((status, &data["error"]), (429, &json!("too_many_attempts")));
    assert_eq!(data["retry_after"], 1);
}

#[test]
fn lets_a_script_look_after_an_account() {
    let mut visit = asking();
    visit.post("/signup", &ANN);
    let first = visit.cookie.take();
    visit.post("/login", &ANN);
    let (_, list) = data(&visit.get("/account/sessions"));
    assert_eq!(list["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(list["sessions"][0]["handle"], list["this"]);
    let other = list["sessions"][1]["handle"].as_str().unwrap().to_owned();
    let ended = visit.post("/account/sessions/end", &[("session", &other)]);
    assert_eq!(data(&ended), (200, json!({ "ended": 1 })));
    assert_eq!(
        data(&visit.post("/account/sessions/end-others", &[])),
        (200, json!({ "ended": 0 }))
    );
    let missing = visit.post("/account/sessions/end", &[("session", &other)]);
    assert_eq!(error(&missing), (404, "not_found".to_owned()));

    let change = |present| [("current_password", present), ("password", "battery staple")];
    let answer = visit.post("/account/password", &change("wrong guess"));
    assert_eq!(error(&answer), (401, "incorrect_credentials".to_owned()));
    let (status, changed) = data(&visit.post("/account/password", &change("correct horse")));
    assert_eq!((status, changed["token"].as_str()), (200, Some(&*visit.token())));

    let answer = visit.post("/account/delete", &[("password", "battery staple")]);
    assert_eq!(data(&answer), (200, json!({ "deleted": true })));
    visit.cookie = first;
    assert_eq!(visit.get("/").status, 401);
}

#[test]
fn signs_a_script_out() {
    let mut visit = asking();
    visit.post("/signup", &ANN);
    assert_eq!(data(&visit.post("/logout", &[])), (200, json!({ "signed_in": false })));
    assert_eq!((visit.cookie.as_ref(), visit.count("user_session")), (None, 0));
}

#[test]
fn tells_what_a_form_takes() {
    let mut visit = asking();
    let (status, form) = data(&visit.get("/signup"));
    assert_eq!((status, &form["signed_in"]), (200, &json!(false)));
    assert_eq!(form["password_characters_min"], 6);
    visit.post("/signup", &ANN);
    assert_eq!(data(&visit.get("/login")).1["signed_in"], true);
}

#[test]
fn takes_a_bearer_token_for_everything_and_from_every_site() {
    let mut visit = asking();
    visit.post("/signup", &ANN);
    let bearer = format!("Bearer {}", visit.token());
    let cookie = visit.cookie.take();
    let foreign = ("Origin", "https://app.example");
    let headers = [("Authorization", &*bearer), foreign];
    assert_eq!(data(&visit.ask("GET", "/", &headers, "")).0, 200);
    let ended = visit.ask("POST", "/account/sessions/end-others", &headers, "");
    assert_eq!(data(&ended), (200, json!({ "ended": 0 })));
    visit.cookie = cookie;
    let answer = visit.ask("POST", "/account/sessions/end-others", &headers, "");
    assert_eq!(error(&answer), (403, "forbidden".to_owned()), "but not beside a cookie");
    visit.cookie = None;
    let answer = visit.ask("POST", "/logout", &headers, "");
    assert_eq!(data(&answer), (200, json!({ "signed_in": false })));
    assert_eq!(visit.count("user_session"), 0);
}

#[test]
fn changes_nothing_for_those_who_do_not_ask_for_it() {
    for accept in ["*/*", "text/plain", "text/html, application/json", "application/xml"] {
        let mut visit = Visit::new().send("Accept", accept);
        assert_eq!(way(&visit.get("/")), (302, Some("/login")), "{accept}");
        assert_eq!(way(&visit.post("/signup", &ANN)), (302, Some("/")), "{accept}");
        assert_eq!(way(&visit.post("/logout", &[])), (302, Some("/login")), "{accept}");
    }
    let mut visit = Visit::new();
    assert_eq!(plain(&visit.post("/signup", &[])), (400, "Invalid username"));
}

/// What a script sends with `curl --json`, or `fetch`.
fn as_json(fields: &[(&str, &str)]) -> String {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
    Value::Object(fields.collect()).to_string()
}

const JSON: (&str, &str) = ("Content-Type", "application/json");

#[test]
fn reads_a_json_object_like_a_form_at_every_address_that_has_one() {
    let mut by_form = Visit::with(Settings { basic_auth: true, ..Settings::default() });
    let mut by_json = Visit::with(Settings { basic_auth: true, ..Settings::default() });
    for visit in [&mut by_form, &mut by_json] {
        visit.headers.push(("Accept".to_owned(), "application/json".to_owned()));
    }
    let password = [("current_password", "correct horse"), ("password", "battery staple")];
    for (path, fields, expected) in [
        ("/signup", &ANN[..], 200),
        ("/signup", &[("username", "anna")], 422),
        ("/login", &[("username", "anna"), ("password", "wrong horse")], 401),
        ("/login", &ANN, 200),
        (
            "/login",
            &[("username", "anna"), ("password", "correct horse"), ("next", "/account")],
            200,
        ),
        ("/reset", &[("token", "x"), ("password", "battery staple")], 404),
        ("/account/tokens", &[("name", "ä \"b\""), ("days", "30")], 200),
        ("/account/tokens", &[("name", "x"), ("days", "0")], 422),
        ("/account/tokens/revoke", &[("token", "x")], 404),
        ("/account/sessions/end", &[("session", "x")], 404),
        ("/account/sessions/end-others", &[("current_password", "correct horse")], 200),
        ("/account/sessions/end-others", &[], 200),
        ("/account/password", &password, 200),
        ("/logout", &[], 200),
        ("/login", &[("username", "anna"), ("password", "battery staple")], 200),
        ("/account/delete", &[("password", "wrong horse")], 401),
        ("/account/delete", &[("password", "battery staple")], 200),
    ] {
        let names = |answer: &Response| {
            let (status, data) = data(answer);
            let names: Vec<_> = data.as_object().unwrap().keys().cloned().collect();
            (status, data["error"].clone(), names)
        };
        let asked = by_form.post(path, fields);
        let answer = by_json.ask("POST", path, &[JSON], &as_json(fields));
        assert_eq!(names(&answer), names(&asked), "{path} {fields:?}");
        assert_eq!(answer.status, expected, "{path} {fields:?}");
        let request = by_json.request("POST", path, &[JSON], &as_json(fields));
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let mut encoded = url::form_urlencoded::Serializer::new(String::new());
        let encoded = encoded.extend_pairs(fields).finish();
        let same = by_json.request("POST", path, &form, &encoded);
        let lane = |request| by_json.site.lane(request, by_json.now);
        assert_eq!(lane(&request), lane(&same), "{path} {fields:?}");
    }
}

#[test]
fn refuses_json_that_is_no_object_of_strings_and_every_other_kind_of_body() {
    let mut visit = asking();
    let good = as_json(&ANN);
    for (kind, body, expected) in [
        (
            "application/json",
            "{\"username\":\"anna\",\"password\":12345678}",
            (400, "invalid_json"),
        ),
        ("application/json", "{\"username\":{\"a\":\"b\"}}", (400, "invalid_json")),
        (
            "application/json",
            "{\"username\":\"anna\",\"username\":\"bert\"}",
            (400, "invalid_json"),
        ),
        ("application/json", "[]", (400, "invalid_json")),
        ("application/json", "username=anna", (400, "invalid_json")),
        ("application/json; charset=utf-16", &good, (415, "unsupported_media_type")),
        ("application/ld+json", &good, (415, "unsupported_media_type")),
        ("text/plain", &good, (415, "unsupported_media_type")),
        ("multipart/form-data; boundary=x", "--x--", (415, "unsupported_media_type")),
        ("application/x-www-form-urlencoded", &good, (422, "invalid_username")),
        ("application/json", "{}", (422, "invalid_username")),
        ("application/json", "", (422, "invalid_username")),
    ] {
        let answer = visit.ask("POST", "/signup", &[("Content-Type", kind)], body);
        assert_eq!(error(&answer), (expected.0, expected.1.to_owned()), "{kind}: {body}");
    }
    assert_eq!(visit.count("user"), 0);
    let bytes = [b"{\"username\":\"", &b"\xff\xfe"[..], b"\"}"].concat();
    let request = visit.request("POST", "/signup", &[JSON], "");
    let request = Request { body: bytes, ..request };
    let answer = visit.site.answer(&request, visit.now);
    assert_eq!(error(&answer), (400, "invalid_json".to_owned()));
    // A person reads it in their language, and the log says why.
    let german =
        [("Accept", "text/html"), ("Accept-Language", "de"), ("Content-Type", "text/plain")];
    let mut visit = Visit::new();
    let answer = visit.ask("POST", "/login", &german, "x");
    assert!(answer.status == 415 && body(&answer).contains("<h1>Unbekanntes Format</h1>"));
    assert_eq!(answer.note.event.name(), "bad_request");
    assert_eq!(answer.note.fields, [("reason", "unsupported_body".into())]);
    let answer = visit.ask("POST", "/login", &[JSON], "[]");
    assert_eq!(plain(&answer), (400, "Invalid JSON"));
    assert_eq!(answer.note.fields, [("reason", "invalid_json".into())]);
}

/// A page of another site can send JSON only after a preflight, which no answer of ours allows.
#[test]
fn takes_no_json_from_another_site() {
    let mut visit = asking();
    visit.post("/signup", &ANN);
    let foreign = [JSON, ("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")];
    for path in ["/login", "/signup", "/account/delete"] {
        let answer = visit.ask("POST", path, &foreign, &as_json(&ANN));
        assert_eq!(error(&answer), (403, "forbidden".to_owned()), "{path}");
        let preflight = [
            ("Origin", "https://evil.example"),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "content-type"),
        ];
        let answer = visit.ask("OPTIONS", path, &preflight, "");
        assert_eq!(answer.status, 405, "{path}");
        let is_cors = |name: &str| name.to_ascii_lowercase().starts_with("access-control-");
        assert!(!answer.headers.iter().any(|(name, _)| is_cors(name)), "{path}");
    }
    assert_eq!(visit.count("user"), 1);
}
