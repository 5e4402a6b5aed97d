//! What a browser gets that reloads the page after a form, or asks for the form's address.

use vestibule::web::http::Response;
use vestibule::web::{Settings, openapi};

use crate::visit::{Visit, body, of_example, way};

const ORIGIN: (&str, &str) = ("Origin", "https://auth.example.com");

/// A browser in which `anna` has just signed up, on a site that has every form.
fn browser() -> Visit {
    let settings = Settings { basic_auth: true, has_mail: true, ..of_example() };
    let mut visit = Visit::with(settings).send("Accept", "text/html").send(ORIGIN.0, ORIGIN.1);
    let anna = [("username", "anna"), ("password", "correct horse battery")];
    assert_eq!(visit.post("/signup", &anna).status, 302);
    visit
}

/// The addresses that take a form, from the description of the site.
fn forms() -> Vec<String> {
    let document = openapi::description();
    let paths = document["paths"].as_object().unwrap();
    let takes = paths.iter().filter(|(_, methods)| methods.get("post").is_some());
    let forms: Vec<_> = takes.map(|(path, _)| path.clone()).collect();
    assert!(forms.len() >= 11, "{forms:?}");
    forms
}

/// The page at an address, after all redirects.
fn follow(visit: &mut Visit, address: &str) -> Response {
    let mut address = address.to_owned();
    for _ in 0..5 {
        let answer = visit.get(&address);
        let (302, Some(to)) = way(&answer) else { return answer };
        to.trim_start_matches("https://auth.example.com").clone_into(&mut address);
    }
    panic!("redirects without end from {address}");
}

#[test]
fn has_a_page_at_the_address_after_a_form_that_was_refused() {
    for path in forms() {
        let mut visit = browser();
        let refused = visit.post(&path, &[("password", "wrong"), ("current_password", "wrong")]);
        if !["/logout", "/login/second", "/account/sessions/end-others"].contains(&&*path) {
            assert!((400..500).contains(&refused.status), "{path}: {}", refused.status);
        }
        let page = follow(&mut visit, &path);
        assert!(
            page.status == 200 || ["/reset", "/verify"].contains(&&*path),
            "{path}: {}",
            body(&page)
        );
    }
}

#[test]
fn keeps_in_the_address_of_a_form_what_its_page_needs() {
    let mut visit = browser();
    visit.wait(std::time::Duration::from_secs(11 * 60));
    let page = visit.get("/account/prove?next=/account/sessions?page%3D2");
    let (_, rest) = body(&page).split_once("<form method=\"post\" action=\"").unwrap();
    let action = rest.split_once('"').unwrap().0.to_owned();
    let refused = visit.post(&action, &[("current_password", "wrong")]);
    assert_eq!(refused.status, 400);
    let page = visit.get(&action);
    let next = "name=\"next\" value=\"/account/sessions?page=2\"";
    assert!(page.status == 200 && body(&page).contains(next), "{}", body(&page));
}

#[test]
fn leads_on_after_signing_in_to_the_page_of_a_form_that_came_without_a_session() {
    for path in forms() {
        let mut visit = browser();
        visit.forget_everything();
        let answer = visit.post(&path, &[]);
        if path.starts_with("/account") {
            let (_, rest) = body(&answer).split_once("<a href=\"/login?next=").unwrap();
            let next = rest.split_once('"').unwrap().0.to_owned();
            assert_eq!(answer.status, 401, "{path}");
            visit.post("/login", &[("username", "anna"), ("password", "correct horse battery")]);
            assert_eq!(follow(&mut visit, &next).status, 200, "{path}: {next}");
        }
    }
}
