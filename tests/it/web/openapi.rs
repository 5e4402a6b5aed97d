//! docs/openapi.json, compared with what the site answers.

use std::collections::BTreeSet;

use serde_json::Value;
use vestibule::web::http::Response;
use vestibule::web::openapi::description;

use crate::visit::{Visit, of_every_page};

const JSON: [(&str, &str); 1] = [("Accept", "application/json")];
const FORM: [(&str, &str); 2] =
    [("Accept", "application/json"), ("Content-Type", "application/x-www-form-urlencoded")];

fn data(answer: &Response) -> Value {
    assert_eq!(answer.value("Content-Type"), Some("application/json"));
    serde_json::from_slice(&answer.body).unwrap()
}

/// The schema of this answer in the description.
fn described(all: &Value, method: &str, path: &str, status: u16) -> Value {
    let response = &all["paths"][path][method]["responses"][&status.to_string()];
    let schema = &response["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{method} {path} {status} is not described");
    resolved(all, schema)
}

fn resolved(all: &Value, schema: &Value) -> Value {
    match schema["$ref"].as_str() {
        Some(reference) => all.pointer(reference.strip_prefix('#').unwrap()).unwrap().clone(),
        None => schema.clone(),
    }
}

fn names(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The answer has the fields that the schema describes, and the required ones, all the way down.
fn compare(all: &Value, schema: &Value, answer: &Value, at: &str) {
    let schema = resolved(all, schema);
    if let Some(items) = schema.get("items") {
        for item in answer.as_array().unwrap() {
            compare(all, items, item, at);
        }
    }
    let Some(properties) = schema.get("properties") else { return };
    let required: BTreeSet<_> =
        schema["required"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(names(answer).is_subset(&names(properties)), "{at}: {answer} is not {properties}");
    assert!(required.is_subset(&names(answer)), "{at}: {answer} lacks some of {required:?}");
    for (name, value) in answer.as_object().unwrap() {
        compare(all, &properties[name], value, &format!("{at}.{name}"));
    }
}

pub(super) fn check(all: &Value, method: &str, path: &str, answer: &Response) {
    let schema = described(all, method, path, answer.status);
    compare(all, &schema, &data(answer), &format!("{method} {path} {}", answer.status));
}

#[test]
fn describes_every_answer_to_a_reader_with_and_without_a_session() {
    let all = description();
    let settings = of_every_page();
    let mut stranger = Visit::with(settings.clone());
    let mut user = Visit::with(settings);
    user.post("/signup", &[("username", "anna"), ("password", "correct horse")]);
    let mut checked = 0;
    for (path, operations) in all["paths"].as_object().unwrap() {
        if operations.get("get").is_none() {
            continue;
        }
        for visit in [&mut stranger, &mut user] {
            let answer = visit.ask("GET", path, &JSON, "");
            check(&all, "get", path, &answer);
            checked += 1;
        }
    }
    assert!(checked >= 22, "{checked}");
}

#[test]
fn describes_every_answer_to_a_writer() {
    let all = description();
    let mut visit = Visit::with(of_every_page());
    let posts: Vec<_> = all["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, it)| it.get("post").is_some())
        .map(|(path, _)| path.clone())
        .collect();
    // Without a session, with nothing in the form.
    for path in &posts {
        let answer = visit.ask("POST", path, &FORM, "");
        check(&all, "post", path, &answer);
    }
    let mut session = None;
    for (path, body) in [
        ("/signup", "username=anna&password=correct+horse&next=/account"),
        ("/signup", "username=anna&password=correct+horse"),
        ("/login", "username=anna&password=wrong"),
        ("/login", "username=anna&password=correct+horse"),
        ("/account/tokens", "name=script&days=1"),
        ("/account/tokens", "name=&days=1"),
        ("/account/tokens/revoke", "token=none"),
        ("/account/sessions/end", "session=none"),
        ("/account/sessions/end-others", ""),
        ("/account/password", "current_password=wrong&password=another+horse"),
        ("/account/password", "current_password=correct+horse&password=another+horse"),
        ("/reset", "token=none&password=another+horse"),
        ("/account/delete", "password=wrong"),
        ("/logout", "next=/account"),
        ("/login", "username=anna&password=another+horse"),
        ("/account/delete", "password=another+horse"),
    ] {
        let answer = visit.ask("POST", path, &FORM, body);
        check(&all, "post", path, &answer);
        session = visit.cookie.clone().or(session);
    }
    assert!(session.is_some());
}

#[test]
fn names_every_field_that_a_form_needs() {
    let all = description();
    for (path, operations) in all["paths"].as_object().unwrap() {
        let Some(post) = operations.get("post") else { continue };
        let form = &post["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"];
        assert!(form.is_object(), "{path}");
        let body = &post["requestBody"];
        let is_optional = form["required"].as_array().unwrap().is_empty();
        assert_eq!(body["required"], !is_optional, "{path}");
    }
}
