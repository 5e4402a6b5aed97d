//! Sites on which an address is verified before its account is signed in to.

use std::time::Duration;

use vestibule::auth::invitations::{self, NewInvite, SignUps};
use vestibule::auth::sign_in::Rules;
use vestibule::auth::usernames::NameKind;
use vestibule::auth::users;
use vestibule::store::Groups;
use vestibule::web::http::Response;
use vestibule::web::mail::Outgoing;
use vestibule::web::{Settings, SignUpEmail};

use super::forgotten::{MINUTE, link, sent, set_email};
use crate::engine;
use crate::visit::{Visit, basic, body, of_example, plain, way};

const PASSWORD: &str = "three unrelated words";
const PAGE: (&str, &str) = ("Accept", "text/html");
const JSON: (&str, &str) = ("Accept", "application/json");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const UNVERIFIED: (u16, &str) = (403, "Your e-mail address is not verified");
const WRONG: (u16, &str) = (400, "Incorrect username or password");
const MAILED: (u16, &str) = (200, "A link was mailed to you");
const ANN: &str = "Ann@Example.com";

fn settings() -> Settings {
    let example = of_example();
    let rules = Rules { names: NameKind::Address, verifies_first: true, ..example.rules.clone() };
    Settings { has_mail: true, has_notices: true, basic_auth: true, rules, ..example }
}

fn sign_up(visit: &mut Visit, name: &str) -> Response {
    visit.forget_everything();
    visit.post("/signup", &[("username", name), ("password", PASSWORD)])
}

fn sign_in(visit: &mut Visit, name: &str, password: &str) -> Response {
    visit.forget_everything();
    visit.post("/login", &[("username", name), ("password", password)])
}

fn sign_in_by(visit: &mut Visit, token: &str, name: &str, password: &str) -> Response {
    visit.forget_everything();
    let fields = [("username", name), ("password", password), ("verify", token)];
    visit.post("/login", &fields)
}

fn kinds(mails: &[Outgoing]) -> Vec<(&str, &str)> {
    mails.iter().map(|it| (it.kind(), it.to())).collect()
}

/// The token of the link in the one mail that is sent now.
fn token(visit: &Visit) -> String {
    let mails = sent(visit);
    assert_eq!(mails.len(), 1, "{:?}", kinds(&mails));
    link(&mails[0]).strip_prefix("/verify?token=").unwrap().to_owned()
}

/// A visit to a site on which `Ann@Example.com` has signed up, and the token of her link.
fn with_ann() -> (Visit, String) {
    let mut visit = Visit::with(settings());
    assert_eq!(plain(&sign_up(&mut visit, ANN)), MAILED);
    let token = token(&visit);
    (visit, token)
}

#[test]
fn signs_a_new_user_in_behind_the_link_that_is_mailed() {
    let mut visit = Visit::with(settings());
    let answer = sign_up(&mut visit, ANN);
    assert_eq!((plain(&answer), answer.note.event.name()), (MAILED, "signup_ok"));
    assert!(visit.cookie.is_none() && visit.device.is_none());
    assert_eq!((visit.count("user"), visit.count("user_session")), (1, 0));
    let mails = sent(&visit);
    assert_eq!(kinds(&mails), [("verify", ANN)]);
    let link = link(&mails[0]);
    let token = link.split_once("token=").unwrap().1;
    let page = visit.ask("GET", &link, &[], "");
    let login = format!("/login?verify={token}");
    assert_eq!(way(&page), (302, Some(&*login)));
    let page = visit.ask("GET", &login, &[PAGE], "");
    assert!(body(&page).contains("Sign in to verify your e-mail address."), "{}", body(&page));
    let hidden = format!("<input type=\"hidden\" name=\"verify\" value=\"{token}\">");
    assert!(body(&page).contains(&hidden), "{}", body(&page));
    let answer = sign_in_by(&mut visit, token, ANN, PASSWORD);
    assert_eq!((way(&answer), answer.note.event.name()), ((302, Some("/")), "login_ok"));
    assert!(answer.note.fields.contains(&("verified", "true".into())));
    let check = visit.ask("GET", "/auth/forward", &[], "");
    assert_eq!(check.value("Remote-Email"), Some(ANN));
    assert_eq!(kinds(&sent(&visit)), [], "the first browser is no news");
    assert_eq!(sign_in(&mut visit, ANN, PASSWORD).status, 302, "from now on as ever");
}

#[test]
fn says_that_an_address_is_not_verified_to_who_knows_the_password_alone() {
    let (mut visit, _) = with_ann();
    for name in [ANN, "eve@evil.example"] {
        assert_eq!(plain(&sign_in(&mut visit, name, "wrong")), WRONG, "{name}");
    }
    let answer = sign_in(&mut visit, ANN, PASSWORD);
    assert_eq!(plain(&answer), UNVERIFIED);
    assert!(answer.note.fields.contains(&("reason", "unverified".into())));
    assert!(visit.cookie.is_none() && visit.count("user_session") == 0);
    let form = format!("username={ANN}&password={}", PASSWORD.replace(' ', "+"));
    let page = visit.ask("POST", "/login", &[PAGE, FORM], &form);
    assert!(page.status == 403 && body(&page).contains(UNVERIFIED.1), "{}", body(&page));
    assert!(!body(&page).contains("aria-invalid"), "nothing that was typed is wrong");
    let data = visit.ask("POST", "/login", &[JSON, FORM], &form);
    assert!(
        data.status == 403 && body(&data).contains("\"error\":\"unverified\""),
        "{}",
        body(&data)
    );
    assert_eq!(plain(&sign_up(&mut visit, "ANN@example.com")), (400, "Username already taken"));
}

#[test]
fn mails_another_link_to_who_knows_the_password_and_floods_no_address() {
    let (mut visit, first) = with_ann();
    let mails: usize = (0..6)
        .map(|_| {
            assert_eq!(plain(&sign_in(&mut visit, ANN, PASSWORD)), UNVERIFIED);
            sent(&visit).len()
        })
        .sum();
    assert_eq!(mails, 2, "three a day, with that of the sign-up");
    visit.wait(61 * MINUTE);
    assert_eq!(plain(&sign_in_by(&mut visit, &first, ANN, PASSWORD)), UNVERIFIED, "too late");
    visit.wait(Duration::from_secs(24 * 60 * 60));
    assert_eq!(plain(&sign_in(&mut visit, ANN, PASSWORD)), UNVERIFIED);
    let token = token(&visit);
    assert_eq!(sign_in_by(&mut visit, &token, ANN, PASSWORD).status, 302);
}

#[test]
fn changes_nothing_for_a_scanner_that_follows_the_link_and_sends_every_form() {
    let (mut visit, token) = with_ann();
    let path = format!("/verify?token={token}");
    let login = format!("/login?verify={token}");
    for method in ["GET", "HEAD"] {
        visit.ask(method, &path, &[PAGE], "");
        visit.ask(method, &login, &[PAGE], "");
    }
    assert_eq!(visit.ask("POST", &path, &[PAGE, FORM], &format!("token={token}")).status, 401);
    let fields = [("username", ANN), ("password", ""), ("verify", &*token)];
    assert_eq!(visit.post("/login", &fields).status, 400);
    assert_eq!(plain(&sign_in_by(&mut visit, &token, ANN, "wrong")), WRONG);
    assert_eq!(plain(&sign_in(&mut visit, ANN, PASSWORD)), UNVERIFIED);
    assert_eq!(sign_in_by(&mut visit, &token, ANN, PASSWORD).status, 302);
}

#[test]
fn takes_no_link_of_another_user_and_none_twice() {
    let (mut visit, anns) = with_ann();
    sign_up(&mut visit, "bob@example.com");
    let bobs = token(&visit);
    assert_eq!(plain(&sign_in_by(&mut visit, &anns, "bob@example.com", PASSWORD)), UNVERIFIED);
    // One who owns the mailbox and not the password, as of an account that a stranger made with their address.
    assert_eq!(plain(&sign_in_by(&mut visit, &bobs, "bob@example.com", "another")), WRONG);
    sent(&visit);
    assert_eq!(sign_in_by(&mut visit, &bobs, "bob@example.com", PASSWORD).status, 302);
    set_email_unverified(&visit);
    assert_eq!(plain(&sign_in_by(&mut visit, &bobs, "bob@example.com", PASSWORD)), UNVERIFIED);
}

fn set_email_unverified(visit: &Visit) {
    visit.raw().run("UPDATE user SET email_verified_at = NULL");
}

#[test]
fn lets_no_script_in_that_sends_the_password_of_an_unverified_account() {
    let (mut visit, token) = with_ann();
    let header = basic(ANN, PASSWORD);
    let ask = |visit: &mut Visit| {
        visit.forget_everything();
        visit.ask("GET", "/auth/nginx", &[("Authorization", &*header)], "").status
    };
    assert_eq!(ask(&mut visit), 401);
    assert_eq!(sign_in_by(&mut visit, &token, ANN, PASSWORD).status, 302);
    assert_eq!(ask(&mut visit), 200);
    set_email_unverified(&visit);
    assert_eq!(ask(&mut visit), 401, "nor out of memory");
}

#[test]
fn signs_accounts_in_that_an_operator_has_made_or_vouches_for() {
    let (mut visit, _) = with_ann();
    let store = engine::open(visit.folder.path());
    let user = super::forgotten::user(&visit, "ann@example.com");
    set_email(&visit, "ann@example.com", "Ann@Example.org");
    assert_eq!(sign_in(&mut visit, ANN, PASSWORD).status, 302, "the operator knows the address");
    users::set_unverified_email(&*store, &user.id, ANN).unwrap();
    assert_eq!(plain(&sign_in(&mut visit, ANN, PASSWORD)), UNVERIFIED);
    users::set_email(&*store, &user.id, "", visit.now).unwrap();
    assert_eq!(sign_in(&mut visit, ANN, PASSWORD).status, 302, "there is none to verify");
}

#[test]
fn says_the_same_to_a_double_click_and_mails_once() {
    let mut visit = Visit::with(settings());
    let form = format!("username={ANN}&password={}&by_page=yes", PASSWORD.replace(' ', "+"));
    for click in 1..=2 {
        let page = visit.ask("POST", "/signup", &[PAGE, FORM], &form);
        assert!(page.status == 200 && body(&page).contains(MAILED.1), "{click}: {}", body(&page));
    }
    assert_eq!((sent(&visit).len(), visit.count("user"), visit.count("user_session")), (1, 1, 0));
    let data = visit.ask("POST", "/signup", &[JSON, FORM], &form.replace("Ann", "Bob"));
    assert_eq!((data.status, body(&data)), (200, "{\"mailed\":true}"));
}

#[test]
fn verifies_an_address_beside_a_name_as_well_and_in_every_language() {
    for (language, texts) in [
        ("en", ["A link was mailed to you", "Your e-mail address is not verified"]),
        ("de", ["Ein Link ist per Mail unterwegs", "Die E-Mail-Adresse ist noch nicht bestätigt"]),
        ("fr", ["Un lien vous a été envoyé par e-mail", "Votre adresse e-mail n’est pas vérifiée"]),
    ] {
        let rules = Rules { names: NameKind::Name, ..settings().rules };
        let settings = Settings { rules, sign_up_email: SignUpEmail::Required, ..settings() };
        let mut visit = Visit::with(settings).send("Accept-Language", language);
        let form = "username=anna&email=Ann%40Example.com&password=three+unrelated+words";
        for (path, text) in ["/signup", "/login"].into_iter().zip(texts) {
            let page = visit.ask("POST", path, &[PAGE, FORM], form);
            assert!(body(&page).contains(text), "{text}: {}", body(&page));
        }
        let mails = sent(&visit);
        let token = link(&mails[0]).split_once("token=").unwrap().1.to_owned();
        assert_eq!(sign_in_by(&mut visit, &token, "anna", PASSWORD).status, 302);
    }
}

#[test]
fn uses_an_invitation_once_with_an_account_that_is_to_be_verified() {
    let mut visit = Visit::with(Settings { sign_ups: SignUps::Invite, ..settings() });
    let store = engine::open(visit.folder.path());
    let life = Duration::from_secs(60 * 60);
    let new = NewInvite { note: String::new(), groups: Groups::default(), uses: 1, life };
    let (_, invite) = invitations::create(&*store, new, visit.now).unwrap();
    let mut with_invite = |name: &str| {
        let fields = [("username", name), ("password", PASSWORD), ("invite", invite.reveal())];
        plain(&visit.post("/signup", &fields)).0
    };
    assert_eq!([with_invite(ANN), with_invite("bob@example.com")], [200, 403]);
}
