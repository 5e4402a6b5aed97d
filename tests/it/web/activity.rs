//! The page on which users see what was done with their account.

use crate::visit::Visit;
use vestibule::base::clock::Moment;
use vestibule::store::Record;
use vestibule::web::http::Response;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

fn text(response: &Response) -> &str {
    str::from_utf8(&response.body).unwrap()
}

/// Anna's id, and what the site says of her.
fn id_of(visit: &mut Visit) -> String {
    let json = visit.ask("GET", "/", &[("Accept", "application/json")], "");
    let data: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    data["user"]["id"].as_str().unwrap().to_owned()
}

fn record(user: &str, event: &str, at: Moment) -> Record {
    Record {
        user_id: Some(user.to_owned()),
        address: Some("192.0.2.7".to_owned()),
        ..Record::of_program(event, "reason=x browser=\"Firefox on Linux\"".to_owned(), at)
    }
}

#[test]
fn shows_users_what_was_done_with_their_own_account_the_latest_first() {
    let mut visit = Visit::with_ann();
    let anna = id_of(&mut visit);
    let later = visit.now.after(std::time::Duration::from_secs(60));
    let records = [
        record(&anna, "login_fail", visit.now),
        Record { address: None, ..record(&anna, "user_groups", later) },
        record(&anna, "csrf_reject", later),
        record(&anna, "an_event_of_a_later_version", later),
        record("somebody-else", "password_change", later),
    ];
    visit.site.keep(&records).unwrap();

    let page = visit.ask("GET", "/account/activity", &[("Accept", "text/html")], "");
    let html = text(&page);
    assert_eq!(page.status, 200);
    let [groups, failed] =
        ["Groups changed by the administrator", "Sign-in failed"].map(|it| html.find(it).unwrap());
    assert!(groups < failed, "{html}");
    assert!(html.contains("192.0.2.7") && html.contains("Firefox on Linux"), "{html}");
    assert!(html.contains("2026-11-24 08:00 UTC"), "{html}");
    assert_eq!(
        html.matches("<li>").count(),
        2,
        "nothing of others, nothing for the operator alone"
    );

    let german = [("Accept", "text/html"), ("Accept-Language", "de")];
    let page = visit.ask("GET", "/account/activity", &german, "");
    assert!(text(&page).contains("Anmeldung gescheitert"), "{}", text(&page));
    assert!(text(&page).contains("Firefox unter Linux"), "{}", text(&page));

    let json = visit.ask("GET", "/account/activity", &[("Accept", "application/json")], "");
    let data: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    let failed = &data["activity"][1];
    assert_eq!(data["activity"].as_array().unwrap().len(), 2);
    assert_eq!(failed["event"], "login_fail");
    assert_eq!(failed["browser"], "Firefox on Linux");
    assert_eq!(failed["address"], "192.0.2.7");
    assert_eq!(failed["at"], "2026-11-24T08:00:00.000Z");
    assert!(data["activity"][0]["address"].is_null());
}

#[test]
fn shows_activity_to_nobody_who_is_not_signed_in() {
    let mut visit = Visit::new();
    let page = visit.get("/account/activity");
    assert_eq!((page.status, page.value("Location")), (302, Some("/login")));
    let json = visit.ask("GET", "/account/activity", &[("Accept", "application/json")], "");
    assert_eq!(json.status, 401);
    let sent = visit.post("/account/activity", &[]);
    assert_eq!((sent.status, sent.value("Allow")), (405, Some("GET, HEAD")));
}

#[test]
fn leads_to_the_activity_from_the_account_page() {
    let mut visit = Visit::with_ann();
    let page = visit.ask("GET", "/account", &[("Accept", "text/html")], "");
    assert!(text(&page).contains("href=\"/account/activity\""));
}

#[test]
fn notes_the_browser_with_what_a_user_does_and_not_with_what_is_unknown() {
    let mut visit = Visit::with_ann().send("User-Agent", FIREFOX);
    let known = [("username", "anna"), ("password", "wrong")];
    let unknown = [("username", "otto"), ("password", "wrong")];
    let field = |response: &Response| {
        let found = response.note.fields.iter().find(|(name, _)| *name == "browser");
        found.map(|(_, value)| value.clone())
    };
    assert_eq!(field(&visit.post("/login", &known)).as_deref(), Some("Firefox on Linux"));
    assert_eq!(field(&visit.post("/login", &unknown)), None);
    assert_eq!(field(&visit.get("/account")), None, "a look is no event");
    assert_eq!(field(&visit.post("/logout", &[])).as_deref(), Some("Firefox on Linux"));
}
