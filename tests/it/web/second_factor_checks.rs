//! Checks that demand a second factor, and what a sign-in that waits for one opens: nothing.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule::auth::Authenticator;
use vestibule::auth::second_factors::{self, Demand, NewFactor, SecondFactorRules, TurnedOn};
use vestibule::auth::sessions;
use vestibule::auth::sign_in::{Caller, Rules};
use vestibule::base::password::Hasher;
use vestibule::base::recovery_code::RecoveryCode;
use vestibule::base::token::Token;
use vestibule::base::totp::{TimeStep, TotpSecret};
use vestibule::store::ClientInfo;
use vestibule::web::http::Response;
use vestibule::web::{Alias, Settings, check_paths};

use crate::engine;
use crate::visit::{CHEAP, Visit, basic, body, of_example, plain, told, way};

const APP: &str = "https://app.example.com/a%20b?x=1&y=%C3%A4";
const SET_UP: &str = "https://auth.example.com/account/second-factor?next=https://app.example.com/a%2520b?x=1%26y=%25C3%25A4";
const PASSWORD: &str = "correct horse";

/// What a browser sends that opens a page.
const PAGE: (&str, &str) = ("Accept", "text/html,application/xhtml+xml");
const JSON: (&str, &str) = ("Accept", "application/json");

/// What proxies say of a request for [`APP`], in both families of headers.
const ASKED: [(&str, &str); 6] = [
    ("X-Original-URL", APP),
    ("X-Original-Method", "GET"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "app.example.com"),
    ("X-Forwarded-Uri", "/a%20b?x=1&y=%C3%A4"),
    ("X-Forwarded-Method", "GET"),
];

/// A site with every check endpoint, at which `anna` has just signed up.
fn visit() -> Visit {
    with_rules(SecondFactorRules::default())
}

fn with_rules(second_factors: SecondFactorRules) -> Visit {
    let settings = of_example();
    let rules = Rules { second_factors, ..settings.rules.clone() };
    let aliases = Alias::ALL.to_vec();
    let mut visit = Visit::with(Settings { basic_auth: true, aliases, rules, ..settings });
    let fields = [("username", "anna"), ("password", PASSWORD)];
    assert_eq!(visit.post("/signup", &fields).status, 302);
    visit
}

/// Asks a check about a request for [`APP`] with these headers besides.
fn check(visit: &mut Visit, path: &str, more: &[(&str, &str)]) -> Response {
    let said = |(name, _): &&(&str, &str)| !more.iter().any(|(given, _)| given == name);
    let headers: Vec<_> = ASKED.iter().filter(said).chain(more).copied().collect();
    visit.ask("GET", path, &headers, "")
}

/// The same as a script with these credentials, without a cookie.
fn by_script(visit: &mut Visit, path: &str, authorization: &str) -> Response {
    let cookie = visit.cookie.take();
    let answer = check(visit, path, &[("Authorization", authorization)]);
    visit.cookie = cookie;
    answer
}

/// Turns the second factor of `anna` on in this browser, which gets a new session by that.
fn turn_on(visit: &mut Visit) -> TotpSecret {
    let store = engine::open(visit.folder.path());
    let auth = Authenticator::new(store, Hasher::new(1, CHEAP), Rules::default());
    let token = Token::parse(&visit.token()).unwrap();
    let found = sessions::resume(auth.store(), &auth.rules, &token, visit.now).unwrap().unwrap();
    let secret = TotpSecret::random();
    let code = secret.code_at(TimeStep::of(visit.now));
    let caller = Caller {
        presented: Some(token.hash()),
        device: None,
        address: None,
        place: ClientInfo::default(),
        invite: None,
        email: None,
        letters: None,
        link: None,
        notices: None,
    };
    let (whose, codes) = ((&found.user, &found.session), RecoveryCode::new_set());
    let factor = NewFactor::App(&secret, code);
    let done = second_factors::turn_on(&auth, whose, factor, &codes, &caller, visit.now);
    let TurnedOn::Done(started) = done.unwrap() else { panic!("it is not on") };
    let cookie = visit.cookie.as_ref().unwrap();
    let name = cookie.split('=').next().unwrap().to_owned();
    visit.cookie = Some(format!("{name}={}", started.token.reveal()));
    secret
}

fn make_token(visit: &mut Visit, name: &str) -> String {
    let answer = visit.post("/account/tokens", &[("name", name), ("days", "30")]);
    assert_eq!(answer.status, 200, "{}", body(&answer));
    format!("Bearer {}", body(&answer))
}

fn data(answer: &Response) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

/// Whether a check has let the request through.
fn is_in(answer: &Response) -> bool {
    matches!(answer.status, 200 | 202)
}

fn has_identity(answer: &Response) -> bool {
    let names = ["Remote-User", "X-Auth-Request-User", "X-Vouch-User", "Remote-Sub"];
    names.into_iter().any(|name| answer.value(name).is_some())
}

#[test]
fn leads_a_browser_to_set_a_second_factor_up_where_one_is_demanded() {
    let mut visit = visit();
    let demand = |path: &str| format!("{path}?second_factor=required");
    for (path, headers, status) in [
        ("/auth/forward", &[PAGE][..], 302),
        ("/auth/forward", &[PAGE, ("X-Forwarded-Method", "POST")], 303),
        ("/api/auth/traefik", &[PAGE], 307),
        ("/auth/nginx", &[PAGE], 401),
        // nginx may pass on nothing that tells a browser from a script.
        ("/auth/nginx", &[], 401),
        ("/api/authz/auth-request", &[PAGE], 401),
    ] {
        let answer = check(&mut visit, &demand(path), headers);
        assert_eq!(way(&answer), (status, Some(SET_UP)), "{path} {headers:?}");
        assert!(!has_identity(&answer));
        let log = "check_denied";
        assert!(told(&answer).starts_with(log), "{}", told(&answer));
        assert!(told(&answer).contains("reason=no_second_factor"), "{}", told(&answer));
    }
    let answer = check(&mut visit, &demand("/api/auth/nginx"), &[PAGE]);
    assert_eq!(answer.value("x-tinyauth-location"), Some(SET_UP));
    // Another host is never led to.
    let elsewhere = [PAGE, ("X-Forwarded-Host", "evil.example")];
    let answer = check(&mut visit, &demand("/auth/forward"), &elsewhere);
    assert_eq!(way(&answer), (302, Some("https://auth.example.com/account/second-factor")));
    assert!(told(&answer).contains("next_refused=https://evil.example"), "{}", told(&answer));
    // Nor is a visitor without a session, who signs in first.
    visit.forget_cookie();
    let answer = check(&mut visit, &demand("/auth/forward"), &[PAGE]);
    assert!(way(&answer).1.is_some_and(|it| it.starts_with("https://auth.example.com/login?")));
}

#[test]
fn tells_a_script_that_a_second_factor_is_needed() {
    let mut visit = visit();
    let demand = "second_factor=required";
    for path in ["/auth/forward", "/auth/nginx", "/oauth2/auth", "/validate"] {
        let path = format!("{path}?{demand}");
        let answer = check(&mut visit, &path, &[JSON]);
        assert_eq!((answer.status, answer.value("Location")), (403, None), "{path}");
        assert_eq!(data(&answer)["error"], "second_factor_needed");
        let answer = check(&mut visit, &path, &[("Accept", "*/*")]);
        assert_eq!(plain(&answer), (403, "A second factor is needed"), "{path}");
        let fetch = [PAGE, ("Sec-Fetch-Mode", "cors")];
        let answer = check(&mut visit, &path, &fetch);
        assert_eq!((answer.status, answer.value("Location")), (403, None), "{path}");
    }
    let answer = check(&mut visit, &format!("/auth/forward?{demand}"), &[JSON]);
    assert_eq!(
        data(&answer),
        json!({
            "error": "second_factor_needed",
            "message": "A second factor is needed. This is open only to users who sign in with a second factor.",
            "app": "app.example.com",
        })
    );
    let answer =
        by_script(&mut visit, &format!("/auth/forward?{demand}"), &basic("anna", PASSWORD));
    assert_eq!(answer.status, 403, "a password alone is one factor");
}

#[test]
fn says_on_the_host_of_the_app_that_a_second_factor_is_needed_where_no_redirect_is_followed() {
    let mut visit = visit();
    for (language, sentence, link) in [
        ("en", "This is open only to users who sign in with a second factor.", "Set up a second"),
        ("de", "Zugang gibt es hier nur mit einer Anmeldung mit zweitem Faktor.", "einrichten"),
        ("fr", "réservé aux utilisateurs connectés avec un second facteur.", "Configurer"),
    ] {
        for path in ["/auth/denied", "/oauth2/auth"] {
            let path = format!("{path}?second_factor=required");
            let answer = check(&mut visit, &path, &[PAGE, ("Accept-Language", language)]);
            let page = body(&answer);
            assert_eq!(answer.status, 403);
            assert!(page.contains(sentence) && page.contains(link), "{language}: {page}");
            let (to, next) = ("https://auth.example.com/account/second-factor?next=", "");
            let next =
                if path.starts_with("/auth/denied") { "https://app.example.com/" } else { next };
            let to = to.strip_suffix("?next=").filter(|_| next.is_empty()).unwrap_or(to);
            assert!(page.contains(&format!("href=\"{to}{next}")), "{page}");
        }
    }
    turn_on(&mut visit);
    let answer = check(&mut visit, "/auth/denied?second_factor=required", &[PAGE]);
    assert!(body(&answer).contains("does not have access to"), "{}", body(&answer));
}

#[test]
fn leads_to_no_page_where_the_operator_offers_no_second_factor() {
    let rules = SecondFactorRules { demand: Demand::Off, ..SecondFactorRules::default() };
    let mut visit = with_rules(rules);
    for path in ["/auth/forward", "/auth/nginx"] {
        let answer = check(&mut visit, &format!("{path}?second_factor=required"), &[PAGE]);
        assert_eq!((answer.status, answer.value("Location")), (403, None));
        assert!(body(&answer).contains("Please ask the administrator"), "{}", body(&answer));
        assert!(!body(&answer).contains("/account/second-factor"));
        assert!(told(&answer).contains("as --second-factor is off"), "{}", told(&answer));
    }
}

#[test]
fn lets_a_session_with_both_factors_in_wherever_a_second_factor_is_demanded() {
    let mut visit = visit();
    turn_on(&mut visit);
    for path in check_paths().filter(|it| *it != "/auth/denied") {
        for query in ["", "?second_factor=required", "?second_factor=required&users=anna"] {
            let answer = check(&mut visit, &format!("{path}{query}"), &[PAGE]);
            assert!(is_in(&answer) && has_identity(&answer), "{path}{query}");
        }
        let answer =
            check(&mut visit, &format!("{path}?second_factor=required&users=bob"), &[PAGE]);
        assert_eq!(answer.status, 403);
        assert!(told(&answer).contains("not_in_group_or_list"), "{}", told(&answer));
    }
    let envoy =
        visit.ask("GET", "/auth/envoy/second_factor=required/a", &[("Host", "a.example.com")], "");
    assert_eq!(envoy.status, 200);
    // A moment in the future is none at which anything was given.
    visit.raw().run(&format!("UPDATE user_session SET second_at = {}", i64::MAX / 2));
    let answer = check(&mut visit, "/auth/forward?second_factor=required", &[PAGE]);
    assert_eq!(answer.status, 403);
}

/// Attack 12.
#[test]
fn lets_nobody_in_where_the_demand_for_a_second_factor_is_misspelt_empty_or_twice() {
    let mut visit = visit();
    turn_on(&mut visit);
    let token = make_token(&mut visit, "script");
    for query in [
        "second_factor=requird",
        "second_factor=Required",
        "second_factor=required%20",
        "second_factor=1",
        "second_factor=",
        "second_factor",
        "second_factor=required&second_factor=required",
        "second_factor=required&second_factor=",
        "second_factor[]=required",
        "second_factor=required&second_factor[]=x",
        "second_factor=%ff",
        "second-factor=required",
        "secondfactor=required",
        "Second_Factor=required",
        "2fa=required",
    ] {
        for path in check_paths().filter(|it| *it != "/auth/denied") {
            let path = format!("{path}?{query}");
            let by_token = by_script(&mut visit, &path, &token);
            for answer in [check(&mut visit, &path, &[PAGE]), by_token] {
                assert_eq!((answer.status, has_identity(&answer)), (403, false), "{path}");
                let told = told(&answer);
                assert!(told.contains("reason=unreadable_parameters"), "{told}");
                let is_named = query.starts_with("second_factor") && !query.contains("[]");
                let hint = "write second_factor=required, once";
                assert!(!is_named || told.contains(hint), "{told}");
            }
        }
    }
    // Caddy passes on the client's own query where its configuration has none.
    let own = [("X-Forwarded-Uri", "/?second_factor=off")];
    let answer = check(&mut visit, "/auth/forward?second_factor=off", &own);
    assert!(told(&answer).contains("reason=parameters_of_the_client"), "{}", told(&answer));
}

/// Attack 1.
#[test]
fn opens_nothing_at_any_check_with_a_sign_in_that_waits_for_the_second_factor() {
    let mut visit = visit();
    turn_on(&mut visit);
    let session = visit.forget_cookie().unwrap();
    let session_name = session.split('=').next().unwrap().to_owned();
    let fields = [("username", "anna"), ("password", PASSWORD)];
    let answer = visit.post("/login", &fields);
    assert_eq!(answer.status, 302);
    let set = answer
        .headers
        .iter()
        .find(|(name, value)| *name == "Set-Cookie" && value.contains("auth_pending="));
    let pending = set.unwrap().1.split(';').next().unwrap().to_owned();
    let token = pending.split_once('=').unwrap().1.to_owned();
    visit.pending = None;
    visit.forget_cookie();
    let presented = [
        ("Cookie", pending),
        ("Cookie", format!("{session_name}={token}")),
        ("Cookie", format!("auth_session={token}")),
        ("Authorization", format!("Bearer {token}")),
        ("Authorization", format!("Bearer vst_{token}")),
        ("Authorization", basic("anna", &token)),
        ("Authorization", basic("anna", &format!("vst_{token}"))),
    ];
    for (name, value) in &presented {
        for path in
            check_paths().flat_map(|it| [it.to_owned(), format!("{it}?second_factor=required")])
        {
            let answer = check(&mut visit, &path, &[(name, value), PAGE]);
            assert!(!is_in(&answer) && !has_identity(&answer), "{path} {name}");
            visit.forget_cookie();
        }
        for path in ["/", "/account", "/account/tokens", "/session"] {
            let answer = visit.ask("GET", path, &[(name, value), PAGE], "");
            assert!(answer.status == 302 || answer.status == 401, "{path} {name}");
            visit.forget_cookie();
        }
    }
}

/// Attack 11.
#[test]
fn takes_no_password_alone_at_a_check_once_there_is_a_second_factor_even_one_that_is_remembered() {
    let mut visit = visit();
    let right = basic("anna", PASSWORD);
    assert_eq!(by_script(&mut visit, "/auth/nginx", &right).status, 200);
    let hashes = visit.site.hashes_computed();
    assert_eq!(by_script(&mut visit, "/auth/nginx", &right).status, 200);
    assert_eq!(visit.site.hashes_computed(), hashes, "it is remembered");
    turn_on(&mut visit);
    let wrong = by_script(&mut visit, "/auth/nginx", &basic("anna", "wrong"));
    // More often than wrong passwords would be looked at.
    for _ in 0..20 {
        let answer = by_script(&mut visit, "/auth/nginx", &right);
        assert_eq!((answer.status, has_identity(&answer)), (401, false));
        assert_eq!(plain(&answer), plain(&wrong));
        assert_eq!(answer.headers, wrong.headers);
        let told = told(&answer);
        assert!(told.starts_with("login_fail") && told.contains("reason=second_factor"), "{told}");
    }
    let counted = by_script(&mut visit, "/auth/nginx", &basic("anna", "wrong"));
    assert!(told(&counted).contains("reason=bad_credentials"), "{}", told(&counted));
}

#[test]
fn lets_an_access_token_in_if_it_was_made_in_a_session_with_both_factors() {
    let mut visit = visit();
    let before = make_token(&mut visit, "before");
    turn_on(&mut visit);
    let after = make_token(&mut visit, "after");
    for path in ["/auth/nginx", "/auth/forward", "/oauth2/auth"] {
        let demanded = format!("{path}?second_factor=required");
        assert!(is_in(&by_script(&mut visit, path, &before)), "{path}: none is demanded");
        let answer = by_script(&mut visit, &demanded, &before);
        assert_eq!((answer.status, has_identity(&answer)), (403, false), "{path}");
        let answer = by_script(&mut visit, &demanded, &after);
        assert!(is_in(&answer) && has_identity(&answer), "{path}");
        let token = after.strip_prefix("Bearer ").unwrap();
        assert!(is_in(&by_script(&mut visit, &demanded, &basic("anna", token))), "{path}");
    }
    // A script may accept pages, and is led to none.
    let cookie = visit.cookie.take();
    let headers = [("Authorization", &*before), PAGE];
    let answer = check(&mut visit, "/auth/forward?second_factor=required", &headers);
    assert_eq!((answer.status, answer.value("Location")), (403, None));
    visit.cookie = cookie;
}

#[test]
fn tells_an_app_on_the_host_of_the_sign_in_when_both_factors_were_given() {
    let mut visit = visit();
    let answer = visit.get("/session");
    assert_eq!(data(&answer)["session"]["second_factor_at"], Value::Null);
    visit.wait(Duration::from_secs(60));
    turn_on(&mut visit);
    let answer = visit.get("/session");
    assert_eq!(data(&answer)["session"]["second_factor_at"], "2026-11-24T08:01:00.000Z");
    assert_eq!(data(&answer)["version"], 1);
}
