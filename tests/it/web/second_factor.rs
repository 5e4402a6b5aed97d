//! The second factor: turned on and off by signed-in users, and set up while signing in where it is required.

use std::time::Duration;

use serde_json::Value;
use vestibule::auth::invitations::{self, NewInvite, SignUps};
use vestibule::auth::second_factors::{Demand, SecondFactorRules};
use vestibule::auth::sign_in::Rules;
use vestibule::base::totp::{TimeStep, TotpSecret};
use vestibule::store::{Groups, Record};
use vestibule::web::http::Response;
use vestibule::web::mail::Outgoing;
use vestibule::web::pages::branding::Look;
use vestibule::web::pages::qr_code;
use vestibule::web::{Settings, openapi};

use super::forgotten::{sent, with_mail_of};
use super::openapi::check;
use crate::engine;
use crate::visit::{Visit, body, of_example, plain, told, way};

const HERE: &str = "/account/second-factor";
const PASSWORD: &str = "correct horse";
const HTML: (&str, &str) = ("Accept", "text/html");
const JSON: (&str, &str) = ("Accept", "application/json");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const MINUTE: Duration = Duration::from_secs(60);
const MILLISECOND: Duration = Duration::from_millis(1);
const STEP: Duration = Duration::from_secs(30);

/// A site with these rules for second factors.
fn settings(demand: Demand, groups: &str) -> Settings {
    let groups = Groups::new(groups.to_owned());
    let second_factors = SecondFactorRules { demand, groups, ..SecondFactorRules::default() };
    Settings { rules: Rules { second_factors, ..Rules::default() }, ..Settings::default() }
}

fn data(answer: &Response) -> Value {
    assert_eq!(answer.value("Content-Type"), Some("application/json"), "{}", body(answer));
    serde_json::from_slice(&answer.body).unwrap()
}

fn encoded(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn post_json(visit: &mut Visit, path: &str, fields: &[(&str, &str)]) -> Response {
    visit.ask("POST", path, &[JSON, FORM], &encoded(fields))
}

fn post_html(visit: &mut Visit, path: &str, fields: &[(&str, &str)]) -> Response {
    visit.ask("POST", path, &[HTML, FORM], &encoded(fields))
}

/// What the page offers to an app: the secret, and what the form carries.
fn offer(visit: &mut Visit, path: &str) -> (TotpSecret, String) {
    let data = data(&visit.ask("GET", path, &[JSON], ""));
    let secret = TotpSecret::from_base32(data["secret"].as_str().unwrap()).unwrap();
    (secret, data["enrolment"].as_str().unwrap().to_owned())
}

fn code(visit: &Visit, secret: &TotpSecret) -> String {
    secret.code_at(TimeStep::of(visit.now)).reveal()
}

/// Turns the second factor on, and returns the secret and the recovery codes.
fn turn_on(visit: &mut Visit) -> (TotpSecret, Vec<String>) {
    let (secret, enrolment) = offer(visit, HERE);
    let fields = [("enrolment", &*enrolment), ("code", &*code(visit, &secret))];
    let answer = post_json(visit, HERE, &fields);
    assert_eq!(answer.status, 200, "{}", body(&answer));
    // A code of this step is used up.
    visit.wait(STEP);
    (secret, codes(&data(&answer)))
}

fn codes(data: &Value) -> Vec<String> {
    let codes = data["recovery_codes"].as_array().unwrap();
    codes.iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// Signs in with the password; the second factor may be due.
fn sign_in(visit: &mut Visit, name: &str) -> Response {
    visit.post("/login", &[("username", name), ("password", PASSWORD)])
}

/// The words between two texts of a page.
fn between<'a>(page: &'a Response, before: &str, after: &str) -> &'a str {
    let (_, rest) = body(page).split_once(before).unwrap_or_else(|| panic!("{}", body(page)));
    rest.split_once(after).unwrap().0
}

fn is_on(visit: &Visit) -> bool {
    visit.raw().number("SELECT COUNT(*) FROM user WHERE second_factor_since IS NOT NULL") == 1
        && visit.count("totp") == 1
}

#[test]
fn turns_it_on_and_shows_the_recovery_codes_once() {
    let mut visit = Visit::with_ann();
    let page = visit.ask("GET", HERE, &[HTML], "");
    assert_eq!(page.status, 200);
    let secret = TotpSecret::from_base32(between(&page, "<code>", "</code>")).unwrap();
    let enrolment = between(&page, "name=\"enrolment\" value=\"", "\"").to_owned();
    let before = visit.token();
    let fields = [("enrolment", &*enrolment), ("code", &*code(&visit, &secret))];
    let page = post_html(&mut visit, HERE, &fields);
    assert_eq!((page.status, page.note.event.name()), (200, "second_factor_on"));
    assert_ne!(visit.token(), before, "the token is a new one");
    let shown: Vec<_> = between(&page, "<code>", "</code>").split("<br><br>").collect();
    assert_eq!(shown.len(), 8);
    assert!(shown.iter().all(|it| it.len() == 27), "{shown:?}");
    assert!(body(&page).contains("href=\"/account\""), "{}", body(&page));
    assert!(is_on(&visit));
    for path in [HERE, "/account", "/"] {
        let page = visit.ask("GET", path, &[HTML], "");
        assert!(page.status == 200 && !body(&page).contains(shown[0]), "{path}");
        assert!(!body(&page).contains(&secret.base32()) && !body(&page).contains("<code>"));
    }
    // A browser that sends the form again.
    let again = post_html(&mut visit, HERE, &fields);
    assert!(again.status == 400 && !body(&again).contains(shown[0]), "{}", body(&again));
    let again = post_json(&mut visit, HERE, &fields);
    assert_eq!((again.status, &data(&again)["error"]), (409, &Value::from("second_factor_on")));
    let on = data(&visit.ask("GET", HERE, &[JSON], ""));
    assert_eq!(on["second_factor"]["recovery_codes_left"], 8);
    assert_eq!(on["second_factor"]["since"], "2026-11-24T08:00:00.000Z");
}

#[test]
fn tells_a_script_one_recovery_code_on_each_line() {
    let mut visit = Visit::with_ann();
    let (secret, enrolment) = offer(&mut visit, HERE);
    let fields = [("enrolment", &*enrolment), ("code", &*code(&visit, &secret))];
    let answer = visit.post(HERE, &fields);
    assert_eq!((answer.status, body(&answer).lines().count()), (200, 8));
}

#[test]
fn refuses_a_form_of_another_session_an_altered_one_and_one_of_15_minutes_and_1_millisecond() {
    const TOO_OLD: (u16, &str) = (400, "This set-up is too old");
    let mut visit = Visit::with_ann();
    let (secret, enrolment) = offer(&mut visit, HERE);
    let here = visit.cookie.clone();
    // Another session of the same user.
    visit.forget_everything();
    sign_in(&mut visit, "anna");
    let try_it = |visit: &mut Visit, enrolment: &str| {
        let fields = [
            ("enrolment", enrolment),
            ("code", &code(visit, &secret)),
            ("current_password", PASSWORD),
        ];
        let answer = visit.post(HERE, &fields);
        (answer.status, body(&answer).to_owned(), told(&answer))
    };
    let refused = try_it(&mut visit, &enrolment);
    assert_eq!((refused.0, &*refused.1), TOO_OLD);
    assert!(refused.2.contains("reason=enrolment_forged"), "{}", refused.2);
    visit.cookie = here;
    let flipped = if enrolment.ends_with('A') { "B" } else { "A" };
    let cut = &enrolment[..enrolment.len() - 1];
    for altered in [&*format!("{cut}{flipped}"), cut, "", "x"] {
        let refused = try_it(&mut visit, altered);
        assert_eq!((refused.0, &*refused.1), TOO_OLD, "{altered}");
    }
    visit.wait(15 * MINUTE + MILLISECOND);
    let refused = try_it(&mut visit, &enrolment);
    assert_eq!((refused.0, &*refused.1), TOO_OLD);
    assert!(refused.2.contains("reason=enrolment_expired"), "{}", refused.2);
    let fields = [("enrolment", &*enrolment), ("code", "123456")];
    let json = post_json(&mut visit, HERE, &fields);
    assert_eq!((json.status, &data(&json)["error"]), (422, &Value::from("enrolment_expired")));
    // The page shows a new secret.
    let page = post_html(&mut visit, HERE, &fields);
    let other = TotpSecret::from_base32(between(&page, "<code>", "</code>")).unwrap();
    assert!(page.status == 400 && other != secret, "{}", body(&page));
    assert!(!is_on(&visit));
    visit.now = visit.now.before(MILLISECOND);
    assert_eq!(try_it(&mut visit, &enrolment).0, 200, "the last millisecond");
}

#[test]
fn refuses_a_code_of_another_secret_and_keeps_the_picture() {
    let mut visit = Visit::with_ann();
    let (secret, enrolment) = offer(&mut visit, HERE);
    let fields = |code: &str| {
        [("enrolment", enrolment.clone()), ("code", code.to_owned())]
            .map(|(name, value)| (name, &*value.leak()))
    };
    let other = code(&visit, &TotpSecret::from_bytes(&[7; 20]).unwrap());
    assert_eq!(plain(&visit.post(HERE, &fields(&other))), (400, "Incorrect code"));
    for bad in ["", "12345", "1234567", "abcdef", "abcdef-ghjkmn-pqrstv-wxyz23"] {
        assert_eq!(plain(&visit.post(HERE, &fields(bad))), (400, "Invalid code"), "{bad}");
    }
    let json = post_json(&mut visit, HERE, &fields(&other));
    assert_eq!((json.status, &data(&json)["error"]), (401, &Value::from("incorrect_code")));
    let page = post_html(&mut visit, HERE, &fields(&other));
    assert_eq!(between(&page, "<code>", "</code>"), secret.in_fours());
    assert!(body(&page).contains("aria-invalid=\"true\""), "{}", body(&page));
    // The clock of the phone is five minutes ahead.
    let ahead = secret.code_at(TimeStep::of(visit.now.after(MINUTE * 5))).reveal();
    let refused = visit.post(HERE, &fields(&ahead));
    let told = told(&refused);
    assert!(refused.status == 400 && told.contains("reason=clock steps=+10"), "{told}");
    assert!(!is_on(&visit));
    let right = code(&visit, &secret);
    assert_eq!(visit.post(HERE, &fields(&right)).status, 200);
}

#[test]
fn asks_for_the_password_that_was_not_given_lately_and_once_only() {
    let mut visit = Visit::with_ann();
    visit.wait(MINUTE * 11);
    let (secret, enrolment) = offer(&mut visit, HERE);
    let page = visit.ask("GET", HERE, &[HTML], "");
    assert!(body(&page).contains("name=\"current_password\""), "{}", body(&page));
    let now = code(&visit, &secret);
    let with = |password: &'static str| {
        let mut fields = vec![("enrolment", &*enrolment), ("code", &*now)];
        fields.extend(Some(("current_password", password)).filter(|_| !password.is_empty()));
        fields
    };
    assert_eq!(plain(&visit.post(HERE, &with(""))), (403, "Password required"));
    assert_eq!(plain(&visit.post(HERE, &with("wrong horse"))), (400, "Incorrect password"));
    assert!(!is_on(&visit));
    // The right password with a wrong code: the page does not ask for the password again.
    let fields = [("enrolment", &*enrolment), ("code", "000000"), ("current_password", PASSWORD)];
    let page = post_html(&mut visit, HERE, &fields);
    assert!(page.status == 400 && !body(&page).contains("current_password"), "{}", body(&page));
    assert_eq!(visit.post(HERE, &with("")).status, 200);
}

#[test]
fn ends_every_other_session_and_forgets_every_other_browser_as_it_is_turned_on() {
    let mut visit = with_mail_of(Settings { has_notices: true, has_mail: true, ..of_example() });
    // Three browsers, of which the second turns it on.
    let mut browsers = Vec::new();
    for _ in 0..3 {
        visit.forget_everything();
        assert_eq!(sign_in(&mut visit, "anna").status, 302);
        browsers.push(visit.forget_everything());
    }
    visit.raw().run("DELETE FROM mail");
    (visit.cookie, visit.device) = browsers[1].clone();
    let first = visit.cookie.clone();
    turn_on(&mut visit);
    let mails = sent(&visit);
    assert_eq!(mails.iter().map(Outgoing::kind).collect::<Vec<_>>(), ["second_factor_on"]);
    assert_eq!((visit.count("user_session"), visit.count("device")), (1, 1));
    assert!(visit.is_signed_in());
    for cookie in [&browsers[0].0, &first, &browsers[2].0] {
        let own = std::mem::replace(&mut visit.cookie, cookie.clone());
        assert!(!visit.is_signed_in());
        visit.cookie = own;
    }
    // The browser is known, as before: its wrong codes have a count of their own.
    let devices = visit.raw().number("SELECT second_at FROM device");
    assert_eq!(devices, 0, "it is not remembered, as its user was not asked");
}

#[test]
fn ends_sign_ins_that_wait_as_it_is_turned_on() {
    let mut visit = Visit::with(settings(Demand::Optional, "staff"));
    visit.post("/signup", &[("username", "anna"), ("password", PASSWORD)]);
    turn_on(&mut visit);
    visit.forget_everything();
    assert_eq!(way(&sign_in(&mut visit, "anna")), (302, Some("/login/second")));
    assert_eq!(visit.count("one_time_token"), 1);
    // Turned off in a session, and on again, by another secret.
    let pending = visit.pending.take();
    visit.raw().run("DELETE FROM totp");
    visit.raw().run("UPDATE user SET second_factor_since = NULL");
    assert_eq!(sign_in(&mut visit, "anna").status, 302);
    let (secret, _) = turn_on(&mut visit);
    assert_eq!(visit.count("one_time_token"), 0);
    visit.forget_everything();
    visit.pending = pending;
    let code = code(&visit, &secret);
    assert_eq!(way(&visit.post("/login/second", &[("code", &code)])), (302, Some("/login")));
}

#[test]
fn turns_it_off_by_the_password_and_a_code_together_and_by_neither_alone() {
    let mut visit = with_mail_of(Settings { has_notices: true, has_mail: true, ..of_example() });
    sign_in(&mut visit, "anna");
    let (secret, recovery) = turn_on(&mut visit);
    visit.raw().run("DELETE FROM mail");
    let off = format!("{HERE}/off");
    // Not lately: a code alone, a password alone.
    visit.wait(MINUTE * 11);
    let alone = [("code", &*code(&visit, &secret))];
    assert_eq!(plain(&visit.post(&off, &alone)), (403, "Password required"));
    let alone = [("current_password", PASSWORD)];
    assert_eq!(plain(&visit.post(&off, &alone)), (400, "Invalid code"));
    let wrong = [("code", &*code(&visit, &secret)), ("current_password", "wrong horse")];
    assert_eq!(plain(&visit.post(&off, &wrong)), (400, "Incorrect password"));
    let wrong = [("code", "000000"), ("current_password", PASSWORD)];
    assert_eq!(plain(&visit.post(&off, &wrong)), (400, "Incorrect code"));
    let page = post_html(&mut visit, &off, &[("code", "000000")]);
    assert!(page.status == 400 && !body(&page).contains("current_password"), "{}", body(&page));
    assert!(is_on(&visit) && sent(&visit).is_empty());
    // The password was given a moment ago, with a code that was wrong.
    let now = code(&visit, &secret);
    let answer = post_html(&mut visit, &off, &[("code", &now)]);
    assert_eq!(way(&answer), (302, Some("/account")));
    assert!(told(&answer).ends_with("by=owner"), "{}", told(&answer));
    let page = visit.ask("GET", "/account", &[HTML], "");
    assert!(body(&page).contains("The second factor is off."), "{}", body(&page));
    assert_eq!((visit.count("totp"), visit.count("recovery_code")), (0, 0));
    let mails = sent(&visit);
    assert_eq!(mails.iter().map(Outgoing::kind).collect::<Vec<_>>(), ["second_factor_off"]);
    assert!(visit.is_signed_in());
    for path in [&*off, &format!("{HERE}/recovery-codes"), &format!("{HERE}/forget-browsers")] {
        let fields = [("code", &*recovery[0])];
        assert_eq!(plain(&visit.post(path, &fields)), (400, "The second factor is off"));
        let json = post_json(&mut visit, path, &fields);
        assert_eq!((json.status, &data(&json)["error"]), (409, &Value::from("second_factor_off")));
    }
    // The password is enough.
    visit.forget_everything();
    assert_eq!(way(&sign_in(&mut visit, "anna")), (302, Some("/")));
}

#[test]
fn replaces_the_recovery_codes_and_counts_those_that_are_left() {
    let mut visit = Visit::with_ann();
    let (secret, old) = turn_on(&mut visit);
    let path = format!("{HERE}/recovery-codes");
    let now = code(&visit, &secret);
    let answer = post_json(&mut visit, &path, &[("code", &now)]);
    let new = codes(&data(&answer));
    assert_eq!((answer.status, new.len(), visit.count("recovery_code")), (200, 8, 8));
    assert!(new.iter().all(|it| !old.contains(it)));
    assert!(told(&answer).starts_with("recovery_codes_new"), "{}", told(&answer));
    // By one of the old ones, by the code once more, and by one of the new.
    for used in [&old[0], &now] {
        assert_eq!(plain(&visit.post(&path, &[("code", used)])), (400, "Incorrect code"));
    }
    visit.forget_everything();
    sign_in(&mut visit, "anna");
    assert_eq!(visit.post("/login/second", &[("code", &new[3])]).status, 302);
    let page = visit.ask("GET", "/account", &[HTML], "");
    assert!(body(&page).contains("Recovery codes left: 7"), "{}", body(&page));
    let page = post_html(&mut visit, &path, &[("code", &new[4])]);
    let shown: Vec<_> = between(&page, "<code>", "</code>").split("<br><br>").collect();
    assert_eq!((page.status, shown.len()), (200, 8));
    let page = visit.ask("GET", "/account", &[HTML], "");
    assert!(!body(&page).contains("Recovery codes left"), "{}", body(&page));
}

#[test]
fn asks_for_a_code_in_every_browser_again_once_they_are_forgotten() {
    let mut visit = Visit::with_ann();
    let (secret, _) = turn_on(&mut visit);
    visit.forget_everything();
    sign_in(&mut visit, "anna");
    let fields = [("code", &*code(&visit, &secret)), ("remember_browser", "yes")];
    assert_eq!(visit.post("/login/second", &fields).status, 302);
    visit.forget_cookie();
    assert_eq!(way(&sign_in(&mut visit, "anna")), (302, Some("/")), "it is remembered");
    visit.wait(MINUTE * 11);
    let path = format!("{HERE}/forget-browsers");
    assert_eq!(plain(&visit.post(&path, &[])), (403, "Password required"));
    let answer = post_html(&mut visit, &path, &[("current_password", PASSWORD)]);
    assert_eq!(way(&answer), (302, Some(HERE)));
    let page = visit.ask("GET", HERE, &[HTML], "");
    assert!(body(&page).contains("A code is asked for in every browser again."), "{}", body(&page));
    visit.forget_cookie();
    assert_eq!(way(&sign_in(&mut visit, "anna")), (302, Some("/login/second")));
}

#[test]
fn refuses_every_form_that_another_site_sends() {
    let mut visit = Visit::with_ann();
    let (secret, enrolment) = offer(&mut visit, HERE);
    let now = code(&visit, &secret);
    let origin = ("Origin", "https://evil.example.net");
    let from_elsewhere = |visit: &mut Visit, path: &str, code: &str| {
        let fields = [("enrolment", &*enrolment), ("code", code), ("current_password", PASSWORD)];
        let answer = visit.ask("POST", path, &[FORM, origin], &encoded(&fields));
        assert_eq!(answer.status, 403, "{path}");
        assert!(told(&answer).starts_with("csrf_reject"), "{path}: {}", told(&answer));
    };
    from_elsewhere(&mut visit, HERE, &now);
    assert!(!is_on(&visit));
    turn_on(&mut visit);
    visit.raw().run("UPDATE device SET second_at = 1");
    let recovery = visit.raw().texts("SELECT hex(id) FROM recovery_code ORDER BY id");
    for path in ["/recovery-codes", "/forget-browsers", "/off"] {
        from_elsewhere(&mut visit, &format!("{HERE}{path}"), &now);
    }
    assert_eq!(visit.raw().texts("SELECT hex(id) FROM recovery_code ORDER BY id"), recovery);
    assert!(is_on(&visit));
    assert_eq!(visit.raw().number("SELECT MAX(second_at) FROM device"), 1);
    // The form of the second step.
    visit.forget_everything();
    sign_in(&mut visit, "anna");
    visit.wait(STEP);
    from_elsewhere(&mut visit, "/login/second", &now);
    assert!(visit.cookie.is_none());
}

#[test]
fn says_a_name_of_any_characters_to_the_app_as_it_is() {
    for (name, label) in [
        ("a&b%c:🙂", "a%26b%25c%3A%F0%9F%99%82"),
        ("100% <b>", "100%25%20%3Cb%3E"),
        ("日本語の名前", "%E6%97%A5%E6%9C%AC%E8%AA%9E%E3%81%AE%E5%90%8D%E5%89%8D"),
    ] {
        let look = Look::new(Some("Acme: R&D 🙂".to_owned()), None, None, None);
        let mut visit = Visit::with(Settings { look, ..Settings::default() });
        let answer = visit.post("/signup", &[("username", name), ("password", PASSWORD)]);
        assert_eq!(answer.status, 302, "{name}: {}", body(&answer));
        let page = visit.ask("GET", HERE, &[HTML], "");
        let uri = between(&page, "href=\"otpauth:", "\"").replace("&amp;", "&");
        let uri = format!("otpauth:{uri}");
        let start = format!("otpauth://totp/Acme%20R%26D%20%F0%9F%99%82:{label}?secret=");
        assert!(uri.starts_with(&start), "{uri}");
        assert!(uri.contains("&issuer=Acme%20R%26D%20%F0%9F%99%82&"), "{uri}");
        // As an app reads it.
        let url = url::Url::parse(&uri).unwrap();
        let path = percent_encoding::percent_decode_str(url.path()).decode_utf8().unwrap();
        assert_eq!(path.split_once(':').unwrap().1, name);
        let picture = qr_code::svg(&uri, "QR code for the app").unwrap().into_string();
        assert!(body(&page).contains(&picture), "{}", body(&page));
        let (secret, enrolment) = offer(&mut visit, HERE);
        let fields = [("enrolment", &*enrolment), ("code", &*code(&visit, &secret))];
        assert_eq!(visit.post(HERE, &fields).status, 200, "{name}");
    }
}

#[test]
fn says_the_host_of_the_site_to_the_app_unless_it_has_a_title() {
    let mut visit = Visit::with(Settings { look: Look::default(), ..of_example() });
    visit.post("/signup", &[("username", "anna"), ("password", PASSWORD)]);
    let uri = data(&visit.ask("GET", HERE, &[JSON], ""))["uri"].clone();
    assert!(uri.as_str().unwrap().starts_with("otpauth://totp/auth.example.com:anna?"), "{uri}");
    // A title of which nothing is left without colons.
    let look = Look::new(Some(" : ".to_owned()), None, None, None);
    let mut visit = Visit::with(Settings { look, ..of_example() });
    visit.post("/signup", &[("username", "anna"), ("password", PASSWORD)]);
    let uri = data(&visit.ask("GET", HERE, &[JSON], ""))["uri"].clone();
    assert!(uri.as_str().unwrap().starts_with("otpauth://totp/auth.example.com:anna?"), "{uri}");
}

#[test]
fn shows_a_secret_without_a_picture_for_a_name_that_fits_no_qr_code() {
    let look = Look::new(Some("🙂".repeat(200)), None, None, None);
    let mut visit = Visit::with(Settings { look, ..Settings::default() });
    visit.post("/signup", &[("username", "anna"), ("password", PASSWORD)]);
    let page = visit.ask("GET", HERE, &[HTML], "");
    assert!(page.status == 200 && body(&page).contains("href=\"otpauth:"), "{}", body(&page));
    assert!(!body(&page).contains("role=\"img\""), "{}", body(&page));
}

#[test]
fn exists_where_it_is_offered_and_for_users_who_have_one_from_before() {
    let mut visit = Visit::with_ann();
    let links = |visit: &mut Visit| {
        body(&visit.ask("GET", "/account", &[HTML], "")).contains(&format!("href=\"{HERE}\""))
    };
    assert!(links(&mut visit));
    let (secret, _) = turn_on(&mut visit);
    let cookie = visit.cookie.clone();
    let mut visit = Visit {
        cookie,
        now: visit.now,
        ..Visit::over_with(visit.folder, settings(Demand::Off, ""))
    };
    assert!(links(&mut visit), "one from before can be turned off");
    let off = format!("{HERE}/off");
    assert_eq!(visit.post(&off, &[("code", &code(&visit, &secret))]).status, 302);
    assert!(!links(&mut visit));
    assert_eq!(visit.get(HERE).status, 404);
    for path in [HERE, &off, &format!("{HERE}/recovery-codes"), &format!("{HERE}/forget-browsers")]
    {
        assert_eq!(visit.post(path, &[("code", "123456")]).status, 404, "{path}");
    }
    let mut visit = Visit {
        cookie: visit.cookie,
        now: visit.now,
        ..Visit::over_with(visit.folder, settings(Demand::Off, "staff"))
    };
    assert!(links(&mut visit), "members of a group have to have one");
}

#[test]
fn asks_living_sessions_for_one_once_it_is_required_and_sets_it_up_while_signing_in() {
    let visit = Visit::with_ann();
    let (cookie, device) = (visit.cookie, visit.device);
    let mut visit = Visit {
        cookie,
        device,
        now: visit.now,
        ..Visit::over_with(visit.folder, settings(Demand::Required, ""))
    };
    // The living session counts as none, at every page.
    let document = openapi::description();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let is_there =
            !["/account/email", "/account/tokens", "/account/passkeys"].contains(&&**path);
        if path.starts_with("/account") && is_there && methods.get("get").is_some() {
            let cookie = visit.cookie.clone();
            assert_eq!(visit.get(path).status, 302, "{path}");
            visit.cookie = cookie;
        }
    }
    let cookie = visit.cookie.clone();
    assert_eq!(visit.get("/session").status, 401);
    visit.cookie = cookie;
    assert_eq!(way(&sign_in(&mut visit, "anna")), (302, Some("/login/second")));
    // No code of any kind lets in.
    let refused = visit.post("/login/second", &[("code", "123456")]);
    assert_eq!(plain(&refused), (400, "This set-up is too old"));
    let page = visit.ask("GET", "/login/second?next=/account/sessions", &[HTML], "");
    assert!(page.status == 200 && body(&page).contains("role=\"img\""), "{}", body(&page));
    let secret = TotpSecret::from_base32(between(&page, "<code>", "</code>")).unwrap();
    let enrolment = between(&page, "name=\"enrolment\" value=\"", "\"").to_owned();
    assert!(body(&page).contains("name=\"next\" value=\"/account/sessions\""), "{}", body(&page));
    let wrong = [("enrolment", &*enrolment), ("code", "000000")];
    let page = post_html(&mut visit, "/login/second", &wrong);
    assert!(page.status == 400 && body(&page).contains("Incorrect code"), "{}", body(&page));
    assert_eq!(between(&page, "<code>", "</code>"), secret.in_fours());
    let full = "SELECT COUNT(*) FROM user_session WHERE second_at > 0";
    assert_eq!(visit.raw().number(full), 0, "no session exists before");
    let fields = [
        ("enrolment", &*enrolment),
        ("code", &*code(&visit, &secret)),
        ("next", "/account/sessions"),
    ];
    let page = post_html(&mut visit, "/login/second", &fields);
    assert_eq!(between(&page, "<code>", "</code>").split("<br><br>").count(), 8);
    assert!(body(&page).contains("href=\"/account/sessions\""), "{}", body(&page));
    assert!(told(&page).starts_with("second_factor_on"), "{}", told(&page));
    assert!(visit.pending.is_none() && visit.is_signed_in());
    assert_eq!(visit.get("/session").status, 200);
    // Here it cannot be turned off.
    visit.wait(STEP);
    let off = format!("{HERE}/off");
    let fields = [("code", &*code(&visit, &secret))];
    assert_eq!(plain(&visit.post(&off, &fields)), (403, "A second factor is required here"));
    let json = post_json(&mut visit, &off, &fields);
    assert_eq!((json.status, &data(&json)["error"]), (403, &Value::from("second_factor_needed")));
    let page = visit.ask("GET", HERE, &[HTML], "");
    assert!(!body(&page).contains(&off), "{}", body(&page));
    assert!(is_on(&visit));
}

#[test]
fn refuses_to_set_up_in_a_sign_in_what_was_begun_in_another() {
    let mut visit = Visit::with(settings(Demand::Required, ""));
    visit.post("/signup", &[("username", "anna"), ("password", PASSWORD)]);
    let first = visit.pending.clone();
    let (secret, enrolment) = offer(&mut visit, "/login/second");
    sign_in(&mut visit, "anna");
    assert_ne!(visit.pending, first);
    let fields = [("enrolment", &*enrolment), ("code", &*code(&visit, &secret))];
    let refused = visit.post("/login/second", &fields);
    assert_eq!(plain(&refused), (400, "This set-up is too old"));
    assert!(!is_on(&visit) && visit.count("user_session") == 0);
    visit.pending = first;
    assert_eq!(visit.post("/login/second", &fields).status, 200);
    // The other sign-in has ended with it.
    assert_eq!(visit.count("one_time_token"), 0);
}

#[test]
fn sets_it_up_after_a_sign_up_and_an_invitation_where_it_is_required() {
    let site = Settings { sign_ups: SignUps::Invite, ..settings(Demand::Off, "staff") };
    let mut visit = Visit::with(site);
    let groups = Groups::new("staff".to_owned());
    let new = NewInvite { note: String::new(), groups, uses: 1, life: MINUTE * 60 };
    let store = engine::open(visit.folder.path());
    let (_, invite) = invitations::create(&*store, new, visit.now).unwrap();
    let fields = [("username", "anna"), ("password", PASSWORD), ("invite", invite.reveal())];
    let answer = post_json(&mut visit, "/signup", &fields);
    assert_eq!(
        (answer.status, &data(&answer)["error"]),
        (401, &Value::from("second_factor_required"))
    );
    assert_eq!(
        (visit.count("user"), visit.count("user_session"), visit.count("invite")),
        (1, 0, 0)
    );
    assert!(visit.cookie.is_none(), "the account has no session");
    // A script without cookies.
    let pending = data(&answer)["pending"].as_str().unwrap().to_owned();
    visit.pending = None;
    let set_up = data(&answer)["set_up"].clone();
    let secret =
        TotpSecret::read(set_up["uri"].as_str().unwrap()).unwrap_or_else(|err| panic!("{err}"));
    let enrolment = set_up["enrolment"].as_str().unwrap().to_owned();
    let fields = [
        ("pending", &*pending),
        ("enrolment", &*enrolment),
        ("code", &*code(&visit, &secret)),
        ("next", "/account"),
    ];
    let answer = post_json(&mut visit, "/login/second", &fields);
    let told = data(&answer);
    assert_eq!(
        (answer.status, codes(&told).len(), &told["next"]),
        (200, 8, &Value::from("/account"))
    );
    visit.forget_everything();
    let bearer = format!("Bearer {}", told["token"].as_str().unwrap());
    let page = visit.ask("GET", "/account", &[("Authorization", &bearer), JSON], "");
    assert_eq!(page.status, 200);
}

#[test]
fn keeps_the_form_that_was_not_processed() {
    let mut visit = Visit::with(settings(Demand::Required, ""));
    visit.post("/signup", &[("username", "anna"), ("password", PASSWORD)]);
    let (_, enrolment) = offer(&mut visit, "/login/second");
    let fields = encoded(&[("enrolment", &enrolment), ("code", "123456")]);
    let request = visit.request("POST", "/login/second", &[HTML, FORM], &fields);
    let busy = vestibule::web::http::Problem::Busy;
    let page = visit.site.refuse(busy, Some(&request), visit.now);
    let field = format!("name=\"enrolment\" value=\"{enrolment}\"");
    assert!(page.status == 503 && body(&page).contains(&field), "{}", body(&page));
    assert!(!body(&page).contains("<code>"), "{}", body(&page));
}

#[test]
fn tells_its_user_what_was_done_with_it() {
    let mut visit = Visit::with_ann();
    let id = visit.raw().text("SELECT id FROM user");
    let record = |event: &str| Record {
        user_id: Some(id.clone()),
        ..Record::of_program(event, String::new(), visit.now)
    };
    let all = [
        ("login_pending", "Password accepted, code asked for"),
        ("second_factor_fail", "Code refused"),
        ("second_factor_on", "Second factor turned on"),
        ("second_factor_off", "Second factor turned off"),
        ("recovery_codes_new", "Recovery codes created"),
        ("browsers_forgotten", "Remembered browsers forgotten"),
    ];
    visit.site.keep(&all.map(|(event, _)| record(event))).unwrap();
    let page = visit.ask("GET", "/account/activity", &[HTML], "");
    for (_, words) in all {
        assert!(body(&page).contains(words), "{words}: {}", body(&page));
    }
}

#[test]
fn answers_scripts_as_the_description_says() {
    let all = openapi::description();
    let mut visit = Visit::with_ann();
    check(&all, "get", HERE, &visit.ask("GET", HERE, &[JSON], ""));
    let (secret, enrolment) = offer(&mut visit, HERE);
    let paths = ["", "/recovery-codes", "/forget-browsers", "/off"].map(|it| format!("{HERE}{it}"));
    for path in &paths {
        let answer = post_json(&mut visit, path, &[("code", "123456")]);
        check(&all, "post", path, &answer);
    }
    let mut answers = Vec::new();
    let enrolment = ("enrolment", &*enrolment);
    for path in [0, 0, 1, 1, 2, 3] {
        let code = code(&visit, &secret);
        let answer = post_json(&mut visit, &paths[path], &[enrolment, ("code", &code)]);
        check(&all, "post", &paths[path], &answer);
        answers.push(answer.status);
        if path == 0 {
            check(&all, "get", HERE, &visit.ask("GET", HERE, &[JSON], ""));
        }
        visit.wait(STEP * u32::from(answers.len() != 3));
    }
    assert_eq!(answers, [200, 409, 200, 401, 200, 200]);
    let mut visits = [Visit::with_ann(), Visit::with(settings(Demand::Required, ""))];
    drop(turn_on(&mut visits[0]));
    for (at, path, sets_up) in [(0, "/login", false), (1, "/signup", true), (1, "/login", true)] {
        let who = [("username", "anna"), ("password", PASSWORD)];
        let answer = post_json(&mut visits[at], path, &who);
        check(&all, "post", path, &answer);
        let data = data(&answer);
        assert_eq!((answer.status, &data["error"]), (401, &"second_factor_required".into()));
        assert_eq!(data["set_up"].is_object(), sets_up);
    }
    let [_, mut visit] = visits;
    let second = "/login/second";
    check(&all, "get", second, &visit.ask("GET", second, &[JSON], ""));
    check(&all, "post", second, &post_json(&mut visit, second, &[("code", "123456")]));
    let (secret, enrolment) = offer(&mut visit, second);
    let fields = [("enrolment", &*enrolment), ("code", &*code(&visit, &secret))];
    check(&all, "post", second, &post_json(&mut visit, second, &fields));
}
