//! Passkeys: the forms, the one script, and everything that must not let anyone in.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule::auth::second_factors::Demand;
use vestibule::base::token::Token;
use vestibule::base::totp::{TimeStep, TotpSecret};
use vestibule::web::Settings;
use vestibule::web::http::Response;

use crate::engine;
use crate::second_factor;
use crate::soft_authenticator::{PRESENT, SoftAuthenticator};
use crate::visit::{Visit, body, of_every_page, of_example, plain, told, way};

const SITE: &str = "https://auth.example.com";
const PAGE: (&str, &str) = ("Accept", "text/html");
const JSON: [(&str, &str); 2] =
    [("Accept", "application/json"), ("Content-Type", "application/x-www-form-urlencoded")];
const ANNA: [(&str, &str); 2] = [("username", "anna"), ("password", "correct horse")];

fn data(answer: &Response) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", body(answer)))
}

/// What a page asks the browser for, in the form that is sent to this path.
fn options(page: &Response, path: &str) -> Value {
    let is_it =
        |it: &&str| it.contains(&format!("action=\"{path}\"")) && it.contains("data-passkey");
    let form = body(page).split("<form ").find(is_it);
    let form = form.unwrap_or_else(|| panic!("{path}: {}", body(page)));
    let text = form.split_once("data-passkey=\"").unwrap().1.split_once('"').unwrap().0;
    serde_json::from_str(&text.replace("&quot;", "\"").replace("&amp;", "&")).unwrap()
}

fn challenge(options: &Value) -> &str {
    options["challenge"].as_str().unwrap()
}

/// A visit in which `anna` has just signed up.
fn signed_up(settings: Settings) -> Visit {
    let mut visit = Visit::with(settings);
    assert_eq!(visit.post("/signup", &ANNA).status, 302);
    visit
}

/// Adds a passkey of this kind to the account of the signed-in user.
fn add(visit: &mut Visit, passkey: &mut SoftAuthenticator, kind: &str) -> Response {
    let page = visit.ask("GET", "/account/passkeys", &JSON, "");
    let asked = &data(&page)["creation_options"];
    let handle = asked["user"]["id"].as_str().unwrap();
    passkey.user_handle = data_encoding::BASE64URL_NOPAD.decode(handle.as_bytes()).unwrap();
    let answer = passkey.create(challenge(asked)).json();
    let form = [("credential", &*answer), ("name", "Phone"), ("kind", kind)];
    visit.post("/account/passkeys", &form)
}

/// A visit in which `anna` has a passkey that signs in alone, and the browser is signed out.
fn with_passkey(settings: Settings) -> (Visit, SoftAuthenticator) {
    let (mut visit, mut passkey) = (signed_up(settings), SoftAuthenticator::es256(SITE));
    assert_eq!(way(&add(&mut visit, &mut passkey, "alone")), (302, Some("/account/passkeys")));
    visit.forget_everything();
    (visit, passkey)
}

fn at_sign_in(visit: &mut Visit) -> Value {
    let page = visit.ask("GET", "/login", &[PAGE], "");
    options(&page, "/login/passkey")
}

fn sign_in(visit: &mut Visit, passkey: &SoftAuthenticator, more: &[(&str, &str)]) -> Response {
    let answer = passkey.get(challenge(&at_sign_in(visit))).json();
    let form = [&[("credential", &*answer)], more].concat();
    visit.post("/login/passkey", &form)
}

#[test]
fn signs_a_user_in_with_a_passkey_and_leads_on() {
    let (mut visit, passkey) = with_passkey(of_every_page());
    let answer = sign_in(&mut visit, &passkey, &[("next", "/account")]);
    assert_eq!(way(&answer), (302, Some("/account")));
    assert!(told(&answer).starts_with("login_ok uid="), "{}", told(&answer));
    assert!(told(&answer).ends_with(" by=passkey"), "{}", told(&answer));
    assert!(visit.is_signed_in() && visit.device.is_some());
    let session = data(&visit.ask("GET", "/session", &JSON, ""));
    assert!(session["session"]["second_factor_at"].is_string(), "it is both factors: {session}");
    // Nothing asks for the password now.
    let page = visit.ask("GET", "/account/passkeys", &[PAGE], "");
    assert!(body(&page).contains("data-passkey"), "{}", body(&page));
}

#[test]
fn signs_a_script_in_with_what_the_form_in_json_asks_for() {
    let (mut visit, passkey) = with_passkey(of_every_page());
    let asked = data(&visit.ask("GET", "/login", &JSON, ""))["request_options"].clone();
    assert_eq!(
        (&asked["rpId"], &asked["userVerification"]),
        (&json!("auth.example.com"), &json!("required"))
    );
    let answer = passkey.get(challenge(&asked)).json();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("credential", &answer)
        .finish();
    let done = visit.ask("POST", "/login/passkey", &JSON, &form);
    assert_eq!((done.status, &data(&done)["user"]["username"]), (200, &json!("anna")));
    let again = visit.ask("POST", "/login/passkey", &JSON, &form);
    assert_eq!((again.status, &data(&again)["error"]), (401, &json!("passkey_refused")));
}

#[test]
fn lets_the_session_end_with_the_browser_if_the_box_is_not_ticked() {
    let (mut visit, passkey) = with_passkey(of_every_page());
    let answer = sign_in(&mut visit, &passkey, &[("remember_asked", "yes")]);
    let sets = |it: &Response, part: &str| {
        it.headers.iter().any(|(_, it)| it.contains("auth_session=") && it.contains(part))
    };
    assert!(sets(&answer, "auth_session=") && !sets(&answer, "Max-Age"));
    visit.forget_everything();
    let kept = [("remember_asked", "yes"), ("remember", "yes")];
    assert!(sets(&sign_in(&mut visit, &passkey, &kept), "Max-Age"));
}

#[test]
fn says_the_same_of_an_unknown_a_wrong_and_a_disabled_passkey() {
    let (mut visit, passkey) = with_passkey(of_every_page());
    let unknown = SoftAuthenticator::es256(SITE);
    let mut wrong = passkey.get(challenge(&at_sign_in(&mut visit)));
    wrong.signature[9] ^= 1;
    let store = engine::open(visit.folder.path());
    let answers = [
        sign_in(&mut visit, &unknown, &[]),
        visit.post("/login/passkey", &[("credential", &wrong.json())]),
        visit.post("/login/passkey", &[("credential", "{}")]),
        visit.post("/login/passkey", &[]),
        {
            let anna = store.user_by_name("anna").unwrap().unwrap();
            store.disable_user(&anna.id, "left", visit.now).unwrap();
            sign_in(&mut visit, &passkey, &[])
        },
    ];
    let reasons = answers.each_ref().map(told);
    for (answer, reason) in
        answers.iter().zip(["unknown", "signature", "shape", "shape", "disabled"])
    {
        assert_eq!(plain(answer), (400, "Passkey not accepted"), "{reason}");
        assert_eq!(answer.headers, answers[0].headers, "{reason}");
    }
    for (told, reason) in reasons.iter().zip(["unknown", "signature", "shape", "shape", "disabled"])
    {
        assert!(told.starts_with(&format!("passkey_fail reason={reason}")), "{told}");
    }
    assert!(!visit.is_signed_in());
}

#[test]
fn shows_the_form_again_to_a_person_whose_passkey_is_refused() {
    let (mut visit, _) = with_passkey(of_every_page());
    let form = "credential=%7B%7D&next=%2Faccount";
    let headers = [PAGE, ("Content-Type", "application/x-www-form-urlencoded")];
    let page = visit.ask("POST", "/login/passkey", &headers, form);
    assert_eq!(page.status, 400);
    assert!(body(&page).contains("<strong>Passkey not accepted</strong>"), "{}", body(&page));
    assert!(body(&page).contains("name=\"next\" value=\"/account\""), "{}", body(&page));
    // A new challenge comes with it.
    assert!(!challenge(&options(&page, "/login/passkey")).is_empty());
}

#[test]
fn refuses_a_form_of_another_site_before_it_looks_at_the_passkey() {
    let (mut visit, passkey) = with_passkey(of_example());
    let answer = passkey.get(challenge(&at_sign_in(&mut visit))).json();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("credential", &answer)
        .finish();
    for path in [
        "/login/passkey",
        "/login/second",
        "/account/prove",
        "/account/passkeys",
        "/account/passkeys/rename",
        "/account/passkeys/remove",
    ] {
        let headers = [
            ("Origin", "https://evil.example"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let refused = visit.ask("POST", path, &headers, &form);
        assert_eq!(refused.status, 403, "{path}");
        assert!(told(&refused).starts_with("csrf_reject"), "{path}");
    }
    // The answer was not used up.
    assert_eq!(visit.post_body("/login/passkey", &form).status, 302);
}

#[test]
fn refuses_what_is_no_answer_and_a_form_with_two_of_them() {
    let (mut visit, passkey) = with_passkey(of_every_page());
    let good = passkey.get(challenge(&at_sign_in(&mut visit))).json();
    for bad in ["x".repeat(500_000), "[".repeat(20_000), "null".to_owned()] {
        let answer = visit.post("/login/passkey", &[("credential", &bad)]);
        assert_eq!(plain(&answer), (400, "Passkey not accepted"));
    }
    let answer = visit.post("/login/passkey", &[("credential", &good), ("credential", &good)]);
    assert_eq!(plain(&answer), (400, "Passkey not accepted"));
}

#[test]
fn runs_its_one_script_on_the_pages_with_passkeys_and_nowhere_else() {
    let (mut visit, passkey) = with_passkey(of_every_page());
    let mut runs = Vec::new();
    let mut look = |visit: &mut Visit, path: &'static str| {
        let page = visit.ask("GET", path, &[PAGE], "");
        let policy = page.value("Content-Security-Policy").map(str::to_owned).unwrap_or_default();
        let is_allowed = policy.ends_with("; script-src 'self'");
        assert_eq!(is_allowed, policy.contains("script-src"), "{path}: {policy}");
        assert_eq!(is_allowed, body(&page).contains("<script src=\"/passkey.js?v="), "{path}");
        assert!(!body(&page).contains("unsafe") && !policy.contains("unsafe"), "{path}");
        runs.extend(is_allowed.then_some(path));
    };
    for path in ["/login", "/signup", "/forgot", "/logout", "/account"] {
        look(&mut visit, path);
    }
    assert_eq!(sign_in(&mut visit, &passkey, &[]).status, 302);
    for path in ["/", "/account", "/account/passkeys", "/account/sessions", "/account/email"] {
        look(&mut visit, path);
    }
    visit.wait(Duration::from_secs(11 * 60));
    for path in ["/account/passkeys", "/account/prove", "/account/second-factor"] {
        look(&mut visit, path);
    }
    assert_eq!(runs, ["/login", "/account/passkeys", "/account/prove", "/account/second-factor"]);
    let script = visit.get("/passkey.js");
    assert_eq!(script.value("Content-Type"), Some("text/javascript; charset=utf-8"));
    assert!(script.value("Cache-Control").unwrap().contains("max-age"));
    for word in ["fetch", "XMLHttpRequest", "eval", "innerHTML", "//", "import"] {
        assert!(!body(&script).contains(word), "{word}");
    }
    assert!(script.body.len() < 3_000, "{}", script.body.len());
}

#[test]
fn hides_each_form_until_the_script_shows_it() {
    let mut visit = Visit::with(of_every_page());
    let page = visit.ask("GET", "/login", &[PAGE], "");
    let forms = body(&page).split("<form ").skip(1).filter(|it| it.contains("data-passkey"));
    for form in forms {
        assert!(form.split_once('>').unwrap().0.contains(" hidden "), "{form}");
    }
    assert!(body(&page).contains("autocomplete=\"username webauthn\""));
    assert!(body(&page).contains("data-offer"));
    let mut without = Visit::with(Settings::default());
    let page = without.ask("GET", "/login", &[PAGE], "");
    assert!(!body(&page).contains("passkey") && !body(&page).contains("webauthn"));
    assert_eq!(without.get("/passkey.js").status, 404);
    assert_eq!(without.post("/login/passkey", &[]).status, 404);
}

#[test]
fn adds_a_passkey_of_a_user_who_gave_their_password_lately_and_no_other() {
    let mut visit = signed_up(of_every_page());
    let mut passkey = SoftAuthenticator::ed25519(SITE);
    let added = add(&mut visit, &mut passkey, "alone");
    assert!(told(&added).starts_with("passkey_add uid="), "{}", told(&added));
    let again = add(&mut visit, &mut passkey, "alone");
    assert_eq!(plain(&again), (400, "Passkey not accepted"));
    assert!(told(&again).contains(" reason=taken"), "{}", told(&again));
    let all = data(&visit.ask("GET", "/account/passkeys", &JSON, ""));
    assert_eq!(all["passkeys"].as_array().unwrap().len(), 1);
    let listed = &all["creation_options"]["excludeCredentials"];
    assert_eq!(listed.as_array().unwrap().len(), 1, "browsers make none twice");
    let mut other = SoftAuthenticator::es256(SITE);
    let asked = all["creation_options"].clone();
    other.user_handle = passkey.user_handle.clone();
    let late = other.create(challenge(&asked)).json();
    visit.wait(Duration::from_secs(11 * 60));
    let form = [("credential", &*late), ("name", "Key")];
    let refused = visit.post("/account/passkeys", &form);
    assert_eq!(plain(&refused), (403, "Password required"));
    let stale = data(&visit.ask("GET", "/account/passkeys", &JSON, ""));
    assert!(stale.get("creation_options").is_none(), "{stale}");
    let page = visit.ask("GET", "/account/passkeys?new=1", &[PAGE], "");
    assert_eq!(way(&page), (302, Some("/account/prove?next=%2Faccount%2Fpasskeys")));
    assert_eq!(visit.count("passkey"), 1);
}

#[test]
fn refuses_a_name_that_is_none_and_shows_markup_as_text() {
    let mut visit = signed_up(of_every_page());
    let mut passkey = SoftAuthenticator::es256(SITE);
    add(&mut visit, &mut passkey, "alone");
    let handle = data(&visit.ask("GET", "/account/passkeys", &JSON, ""))["passkeys"][0]["passkey"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut rename = |name: &str| {
        visit.post("/account/passkeys/rename", &[("passkey", &handle), ("name", name)])
    };
    for bad in ["", " ", &"x".repeat(61), "a\u{7}b"] {
        assert_eq!(plain(&rename(bad)), (400, "Invalid name"));
    }
    assert_eq!(way(&rename("<script>alert(1)</script>")), (302, Some("/account/passkeys")));
    let page = visit.ask("GET", "/account/passkeys", &[PAGE], "");
    assert!(body(&page).contains("&lt;script&gt;alert(1)"), "{}", body(&page));
    assert!(!body(&page).contains("<script>"), "{}", body(&page));
}

#[test]
fn renames_and_removes_no_passkey_of_another_user() {
    let mut visit = signed_up(of_every_page());
    let mut passkey = SoftAuthenticator::es256(SITE);
    add(&mut visit, &mut passkey, "alone");
    let all = data(&visit.ask("GET", "/account/passkeys", &JSON, ""));
    let handle = all["passkeys"][0]["passkey"].as_str().unwrap().to_owned();
    let annas = visit.forget_everything();
    visit.post("/signup", &[("username", "bert"), ("password", "correct horse")]);
    for (path, form) in [
        ("/account/passkeys/rename", vec![("passkey", &*handle), ("name", "mine")]),
        ("/account/passkeys/remove", vec![("passkey", &*handle)]),
    ] {
        assert_eq!(plain(&visit.post(path, &form)), (404, "Passkey not found"), "{path}");
    }
    (visit.cookie, visit.device) = annas;
    let removed = visit.post("/account/passkeys/remove", &[("passkey", &handle)]);
    assert_eq!(way(&removed), (302, Some("/account/passkeys")));
    assert!(told(&removed).starts_with("passkey_remove uid="), "{}", told(&removed));
    visit.forget_everything();
    assert_eq!(plain(&sign_in(&mut visit, &passkey, &[])), (400, "Passkey not accepted"));
}

#[test]
fn proves_a_user_by_a_passkey_in_the_place_of_the_password() {
    let mut visit = signed_up(of_every_page());
    let mut passkey = SoftAuthenticator::es256(SITE);
    add(&mut visit, &mut passkey, "alone");
    visit.wait(Duration::from_secs(11 * 60));
    let page = visit.ask("GET", "/account/prove?next=/account/passkeys", &[PAGE], "");
    let asked = options(&page, "/account/prove");
    assert_eq!(asked["allowCredentials"].as_array().unwrap().len(), 1);
    let answer = passkey.get(challenge(&asked)).json();
    let form = [("credential", &*answer), ("next", "/account/passkeys")];
    let proven = visit.post("/account/prove", &form);
    assert_eq!(way(&proven), (302, Some("/account/passkeys")));
    assert!(told(&proven).starts_with("reauth_ok"), "{}", told(&proven));
    visit.wait(Duration::from_secs(1));
    assert_eq!(plain(&visit.post("/account/prove", &form)), (400, "Passkey not accepted"));
}

#[test]
fn takes_a_passkey_for_the_second_factor_and_warns_of_a_clone() {
    let mut visit = signed_up(of_every_page());
    let mut passkey = SoftAuthenticator::es256(SITE);
    passkey.flags = PRESENT;
    passkey.sign_count = 7;
    assert_eq!(add(&mut visit, &mut passkey, "second_factor").status, 302);
    let store = engine::open(visit.folder.path());
    let (session, secret) = (Token::parse(&visit.token()).unwrap(), TotpSecret::random());
    second_factor::turn_on(&*store, &session, &secret, visit.now);
    visit.forget_everything();
    assert_eq!(plain(&sign_in(&mut visit, &passkey, &[])), (400, "Passkey not accepted"));
    let begun = visit.post("/login", &ANNA);
    assert_eq!(way(&begun), (302, Some("/login/second")));
    let page = visit.ask("GET", "/login/second", &[PAGE], "");
    let asked = options(&page, "/login/second");
    assert_eq!(asked["userVerification"], "discouraged");
    let clone = passkey.get(challenge(&asked)).json();
    let refused = visit.post("/login/second", &[("credential", &clone)]);
    assert_eq!(plain(&refused), (400, "Passkey not accepted"));
    assert!(told(&refused).starts_with("passkey_cloned reason=cloned uid="), "{}", told(&refused));
    passkey.sign_count = 8;
    let answer = passkey.get(challenge(&asked)).json();
    let done = visit.post("/login/second", &[("credential", &answer)]);
    assert_eq!(way(&done), (302, Some("/")));
    assert!(told(&done).contains(" by=password+passkey"), "{}", told(&done));
    // A code of the app is as good.
    visit.forget_everything();
    visit.post("/login", &ANNA);
    let code = secret.code_at(TimeStep::of(visit.now)).reveal();
    assert_eq!(way(&visit.post("/login/second", &[("code", &code)])), (302, Some("/")));
}

/// What a form of the page of the second factor asks for, as answered by this passkey.
fn factor_answer(visit: &mut Visit, passkey: &SoftAuthenticator, path: &str) -> String {
    let page = visit.ask("GET", "/account/second-factor", &[PAGE], "");
    passkey.get(challenge(&options(&page, path))).json()
}

/// The recovery codes that a response shows.
fn codes_in(answer: &Response) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", body(answer));
    body(answer).lines().map(str::to_owned).collect()
}

#[test]
fn turns_the_second_factor_on_and_off_with_a_passkey_and_no_app() {
    let mut visit = signed_up(of_every_page());
    let mut passkey = SoftAuthenticator::es256(SITE);
    passkey.flags = PRESENT;
    assert_eq!(add(&mut visit, &mut passkey, "second_factor").status, 302);
    let before = visit.token();
    let path = "/account/second-factor";
    let answer = factor_answer(&mut visit, &passkey, path);
    let on = visit.post(path, &[("credential", &answer)]);
    assert_eq!(codes_in(&on).len(), 8);
    assert!(told(&on).starts_with("second_factor_on uid="), "{}", told(&on));
    assert_ne!(visit.token(), before, "the session has a new token");
    assert_eq!(visit.count("totp"), 0);
    let data = data(&visit.ask("GET", path, &JSON, ""));
    assert!(data["second_factor"]["since"].is_string() && data["request_options"].is_object());
    // The passkey is the last thing that it can be given with.
    let handle =
        self::data(&visit.ask("GET", "/account/passkeys", &JSON, ""))["passkeys"][0]["passkey"]
            .as_str()
            .unwrap()
            .to_owned();
    assert_eq!(visit.post("/account/passkeys/remove", &[("passkey", &handle)]).status, 403);
    // New recovery codes, and off.
    let codes = "/account/second-factor/recovery-codes";
    let answer = factor_answer(&mut visit, &passkey, codes);
    let new = visit.post(codes, &[("credential", &answer)]);
    assert_eq!(codes_in(&new).len(), 8);
    let again = visit.post(codes, &[("credential", &answer)]);
    assert_eq!(plain(&again), (400, "Passkey not accepted"), "a challenge is answered once");
    assert!(told(&again).ends_with(" reason=used"), "{}", told(&again));
    let off = "/account/second-factor/off";
    let answer = factor_answer(&mut visit, &passkey, off);
    assert_eq!(way(&visit.post(off, &[("credential", &answer)])), (302, Some("/account")));
    let replayed = visit.post(path, &[("credential", &answer)]);
    assert_eq!(plain(&replayed), (400, "Passkey not accepted"), "nor does it turn it on again");
    visit.forget_everything();
    assert_eq!(way(&visit.post("/login", &ANNA)), (302, Some("/")));
}

#[test]
fn asks_a_user_without_an_app_for_the_passkey_or_a_recovery_code() {
    let mut visit = signed_up(of_every_page());
    let mut passkey = SoftAuthenticator::es256(SITE);
    assert_eq!(add(&mut visit, &mut passkey, "alone").status, 302);
    let path = "/account/second-factor";
    let answer = factor_answer(&mut visit, &passkey, path);
    let codes = codes_in(&visit.post(path, &[("credential", &answer)]));
    visit.forget_everything();
    let scripted = visit.ask("POST", "/login", &JSON, "username=anna&password=correct+horse");
    assert_eq!(data(&scripted)["factors"], json!(["recovery_code", "passkey"]));
    let page = visit.ask("GET", "/login/second", &[PAGE], "");
    assert!(body(&page).contains("Recovery code"), "{}", body(&page));
    assert!(!body(&page).contains("inputmode=\"numeric\""), "it asks for no code of an app");
    let answer = passkey.get(challenge(&options(&page, "/login/second"))).json();
    assert_eq!(way(&visit.post("/login/second", &[("credential", &answer)])), (302, Some("/")));
    visit.forget_everything();
    visit.post("/login", &ANNA);
    assert_eq!(way(&visit.post("/login/second", &[("code", &codes[0])])), (302, Some("/")));
}

#[test]
fn turns_the_second_factor_on_with_a_passkey_of_this_user_session_and_password_alone() {
    let mut visit = signed_up(of_every_page());
    let mut passkey = SoftAuthenticator::es256(SITE);
    assert_eq!(add(&mut visit, &mut passkey, "alone").status, 302);
    let path = "/account/second-factor";
    let elsewhere = passkey.get(challenge(&at_sign_in(&mut Visit::with(of_every_page())))).json();
    let mut clone = SoftAuthenticator::es256(SITE);
    clone.id.clone_from(&passkey.id);
    let clone = factor_answer(&mut visit, &clone, path);
    for bad in [&*elsewhere, &clone, "{}"] {
        let refused = visit.post(path, &[("credential", bad)]);
        assert_eq!(plain(&refused), (400, "Passkey not accepted"));
        assert!(told(&refused).starts_with("second_factor_fail uid="), "{}", told(&refused));
    }
    visit.now = visit.now.after(Duration::from_secs(11 * 60));
    let answer = factor_answer(&mut visit, &passkey, path);
    assert_eq!(visit.post(path, &[("credential", &answer)]).status, 403, "the password is old");
    let with_password = [("credential", &*answer), ("current_password", "correct horse")];
    assert_eq!(codes_in(&visit.post(path, &with_password)).len(), 8);
    let proven = data(&visit.ask("GET", "/account/prove", &JSON, ""));
    assert_eq!(proven["proven"], true, "it is not asked for again");
    let passkeys = data(&visit.ask("GET", "/account/passkeys", &JSON, ""));
    assert!(passkeys["passkeys"][0]["used_at"].is_string(), "{passkeys}");
}

#[test]
fn sets_the_second_factor_up_with_a_passkey_while_signing_in() {
    let demanding = || {
        let mut settings = of_every_page();
        settings.rules.second_factors.demand = Demand::Required;
        settings
    };
    let (visit, passkey) = with_passkey(of_every_page());
    let mut visit = Visit::over_with(visit.folder, demanding());
    assert_eq!(way(&visit.post("/login", &ANNA)), (302, Some("/login/second")));
    let page = visit.ask("GET", "/login/second", &[PAGE], "");
    let asked = options(&page, "/login/second");
    let wrong = SoftAuthenticator::es256(SITE).get(challenge(&asked)).json();
    let refused = visit.post("/login/second", &[("credential", &wrong)]);
    assert_eq!(plain(&refused), (400, "Passkey not accepted"));
    let answer = passkey.get(challenge(&asked)).json();
    let done = visit.post("/login/second", &[("credential", &answer)]);
    assert_eq!(codes_in(&done).len(), 8);
    assert!(told(&done).starts_with("second_factor_on uid="), "{}", told(&done));
    assert!(visit.is_signed_in() && visit.count("totp") == 0);
    let off = "/account/second-factor/off";
    let answer = factor_answer(&mut visit, &passkey, "/account/second-factor/recovery-codes");
    assert_eq!(visit.post(off, &[("credential", &answer)]).status, 403, "it is required here");
}

#[test]
fn tells_no_two_visitors_the_same_challenge_and_writes_nothing_for_it() {
    let mut visit = Visit::with(of_every_page());
    let (one, two) = (at_sign_in(&mut visit), at_sign_in(&mut visit));
    assert_ne!(challenge(&one), challenge(&two));
    assert_eq!(visit.count("used_challenge"), 0);
    assert!(one.get("allowCredentials").is_none(), "it says of nobody that they have one");
}
