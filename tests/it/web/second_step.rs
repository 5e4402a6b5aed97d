//! The second step of a sign-in: the code after the password.

use std::time::Duration;

use serde_json::Value;
use vestibule::auth::one_time_tokens::{self, Purpose};
use vestibule::auth::second_factors::{Demand, SecondFactorRules};
use vestibule::auth::sign_in::Rules;
use vestibule::base::recovery_code::RecoveryCode;
use vestibule::base::token::{Token, hex};
use vestibule::base::totp::{TimeStep, TotpSecret};
use vestibule::web::Settings;
use vestibule::web::http::Response;

use crate::engine;
use crate::second_factor;
use crate::visit::{Visit, body, of_example, plain, told, way};

const STEP: Duration = Duration::from_secs(30);
const JSON: [(&str, &str); 2] =
    [("Accept", "application/json"), ("Content-Type", "application/x-www-form-urlencoded")];

/// A visit in which `anna` has a second factor, and the browser is signed out and not known.
struct Scene {
    visit: Visit,
    secret: TotpSecret,
    codes: Vec<RecoveryCode>,
}

impl Scene {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let mut visit = Visit::with(settings);
        let anna = [("username", "anna"), ("password", "correct horse")];
        assert_eq!(visit.post("/signup", &anna).status, 302);
        let mut scene = Self { visit, secret: TotpSecret::random(), codes: Vec::new() };
        scene.codes = scene.turn_on();
        scene.visit.forget_everything();
        scene
    }

    /// Turns the second factor of the signed-in user on.
    fn turn_on(&mut self) -> Vec<RecoveryCode> {
        let store = engine::open(self.visit.folder.path());
        let session = Token::parse(&self.visit.token()).unwrap();
        let (token, codes) =
            second_factor::turn_on(&*store, &session, &self.secret, self.visit.now);
        self.visit.cookie = Some(format!("auth_session={}", token.reveal()));
        codes.to_vec()
    }

    /// The code of a time step, counted from the present one.
    fn code(&self, steps: i64) -> String {
        let present = TimeStep::of(self.visit.now).number();
        self.secret.code_at(TimeStep::from_number(present + steps)).reveal()
    }

    /// A code that is wrong now and around now.
    fn wrong_code(&self) -> String {
        let near: Vec<_> = (-20..=20).map(|steps| self.code(steps)).collect();
        (0..99).map(|it| format!("{it:06}")).find(|it| !near.contains(it)).unwrap()
    }

    fn give_password(&mut self) -> Response {
        self.visit.post("/login", &[("username", "anna"), ("password", "correct horse")])
    }

    fn give_code(&mut self, code: &str) -> Response {
        self.visit.post("/login/second", &[("code", code)])
    }

    /// Signs in with the password and this code.
    fn sign_in(&mut self, code: &str) -> Response {
        assert_eq!(way(&self.give_password()), (302, Some("/login/second")));
        self.give_code(code)
    }

    /// Signs in and lets the browser be remembered.
    fn sign_in_and_remember(&mut self) {
        self.give_password();
        let form = [("code", &*self.code(0)), ("remember_browser", "yes")];
        assert_eq!(self.visit.post("/login/second", &form).status, 302);
        assert!(self.visit.device.is_some());
    }
}

fn data(answer: &Response) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn asks_for_a_code_after_the_password_and_signs_in_with_both() {
    let mut it = Scene::new();
    let asked = it.visit.post(
        "/login?next=%2Faccount",
        &[("username", "anna"), ("password", "correct horse"), ("next", "/account")],
    );
    assert_eq!(way(&asked), (302, Some("/login/second?next=/account")));
    assert!(told(&asked).starts_with("login_pending uid="), "{}", told(&asked));
    assert_eq!((it.visit.cookie.is_some(), it.visit.device.is_some()), (false, false));
    assert_eq!(it.visit.count("user_session"), 1, "that in which it was turned on");
    assert!(body(&it.visit.get("/login/second")).contains("one-time-code"));
    let code = it.code(0);
    let done = it.visit.post("/login/second", &[("code", &code), ("next", "/account")]);
    assert_eq!(way(&done), (302, Some("/account")));
    assert!(told(&done).contains("by=password+totp"), "{}", told(&done));
    assert!(it.visit.is_signed_in() && it.visit.pending.is_none());
}

#[test]
fn signs_a_script_in_with_both_at_once_or_one_after_the_other_without_cookies() {
    let mut it = Scene::new();
    let code = it.code(0);
    let form = format!("username=anna&password=correct+horse&code={code}");
    let done = it.visit.ask("POST", "/login", &JSON, &form);
    assert_eq!(done.status, 200, "{}", body(&done));
    assert!(data(&done)["token"].is_string());
    it.visit.forget_everything();
    it.visit.wait(STEP);
    let asked = it.visit.ask("POST", "/login", &JSON, "username=anna&password=correct+horse");
    let told = data(&asked);
    assert_eq!((asked.status, &told["error"]), (401, &"second_factor_required".into()));
    assert_eq!(told["factors"], serde_json::json!(["totp", "recovery_code"]));
    it.visit.pending = None;
    let pending = told["pending"].as_str().unwrap();
    let form = format!("code={}&pending={pending}", it.code(0));
    assert_eq!(it.visit.ask("POST", "/login/second", &JSON, &form).status, 200);
    it.visit.pending = None;
    let gone = it.visit.ask("POST", "/login/second", &JSON, &form);
    assert_eq!((gone.status, &data(&gone)["error"]), (401, &"not_signed_in".into()));
}

/// Attack 1.
#[test]
fn opens_nothing_with_a_sign_in_that_waits() {
    let mut it = Scene::with(Settings { basic_auth: true, ..of_example() });
    it.give_password();
    let pending = it.visit.pending.clone().unwrap();
    let token = pending.split_once('=').unwrap().1.to_owned();
    it.visit.peer = Some("127.0.0.1".parse().unwrap());
    let checks = ["/auth/nginx", "/auth/forward", "/session", "/whoami", "/", "/account"];
    for headers in [
        vec![("Cookie", pending.clone())],
        vec![("Cookie", format!("__Secure-auth_session={token}"))],
        vec![("Cookie", format!("auth_session={token}"))],
        vec![("Authorization", format!("Bearer {token}"))],
    ] {
        for path in checks {
            let mut all: Vec<_> = headers.iter().map(|(name, it)| (*name, &**it)).collect();
            all.extend([("X-Forwarded-Uri", "/"), ("X-Forwarded-Host", "auth.example.com")]);
            it.visit.pending = None;
            let answer = it.visit.ask("GET", path, &all, "");
            let is_refused = [302, 303, 401, 403, 404].contains(&answer.status);
            assert!(is_refused, "{path} {all:?}: {}", answer.status);
        }
    }
    assert_eq!(it.visit.count("user_session"), 1);
}

/// Attack 2. Of two servers at once one is let in: see the conformance of the store.
#[test]
fn takes_a_code_once_and_none_of_an_earlier_step_or_one_too_far_away() {
    let mut it = Scene::new();
    for steps in [-2, 2] {
        let code = it.code(steps);
        assert_eq!(plain(&it.sign_in(&code)), (400, "Incorrect code"), "{steps}");
    }
    let code = it.code(1);
    assert_eq!(it.sign_in(&code).status, 302, "one step ahead");
    for steps in [1, 0, -1] {
        let code = it.code(steps);
        let again = it.sign_in(&code);
        assert_eq!(plain(&again), (400, "Incorrect code"), "{steps}");
        assert!(told(&again).contains("reason=used_code"), "{}", told(&again));
    }
    it.visit.wait(2 * STEP);
    let code = it.code(0);
    assert_eq!(it.sign_in(&code).status, 302);
}

/// Attacks 3 and 4.
#[test]
fn slows_guesses_at_codes_per_account_and_shuts_no_owner_out() {
    let mut it = Scene::new();
    it.sign_in_and_remember();
    let owner = it.visit.forget_everything().1;
    let mut statuses = Vec::new();
    for number in 0..20 {
        it.visit.peer = Some(format!("203.0.113.{number}").parse().unwrap());
        let wrong = it.wrong_code();
        let answer = it.sign_in(&wrong);
        statuses.push(answer.status);
        if answer.status == 429 {
            assert!(answer.value("Retry-After").is_some());
        }
        it.visit.forget_everything();
        it.visit.pending = None;
    }
    assert_eq!(statuses.iter().filter(|it| **it == 400).count(), 6, "{statuses:?}");
    assert!(statuses[6..].iter().all(|it| *it == 429), "whatever sign-in, cookie and address");
    let right = it.code(1);
    assert_eq!(it.sign_in(&right).status, 429, "nor is the right code looked at");
    // By a recovery code from anywhere.
    let code = it.codes[0].reveal();
    assert_eq!(it.give_code(&code).status, 302);
    it.visit.forget_everything();
    // From a known browser, which has a count of its own.
    it.visit.device = owner;
    let store = engine::open(it.visit.folder.path());
    let user = store.user_by_name("anna").unwrap().unwrap();
    store.forget_browsers(&user.id).unwrap();
    let code = it.code(1);
    assert_eq!(it.sign_in(&code).status, 302);
}

/// Attack 3, all at the same moment.
#[test]
fn looks_at_no_more_codes_at_the_same_moment_than_one_after_the_other() {
    let mut it = Scene::new();
    it.give_password();
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let body = format!("code={}", it.wrong_code());
    let requests: Vec<_> =
        (0..24).map(|_| it.visit.request("POST", "/login/second", &form, &body)).collect();
    let (site, now) = (&it.visit.site, it.visit.now);
    let statuses: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> =
            requests.iter().map(|it| scope.spawn(move || site.answer(it, now).status)).collect();
        all.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let looked_at = statuses.iter().filter(|it| **it == 400).count();
    assert_eq!(looked_at, 6, "{statuses:?}");
    assert!(statuses.iter().all(|it| [400, 429].contains(it)), "{statuses:?}");
}

/// Attack 5.
#[test]
fn takes_a_recovery_code_once_however_it_is_written() {
    let mut it = Scene::new();
    let code = it.codes[0].reveal().to_uppercase().replace('-', " ");
    let done = it.sign_in(&code);
    assert_eq!(done.status, 302);
    assert!(told(&done).contains("by=password+recovery left=7"), "{}", told(&done));
    it.visit.forget_everything();
    for code in [code, RecoveryCode::random().reveal()] {
        assert_eq!(plain(&it.sign_in(&code)), (400, "Incorrect code"));
    }
    assert_eq!(plain(&it.give_code("12345")), (400, "Invalid code"));
    assert_eq!(plain(&it.give_code("")), (400, "Invalid code"));
    assert_eq!(it.visit.count("recovery_code"), 7);
}

/// Attack 6.
#[test]
fn ends_a_sign_in_that_waits_with_a_new_password_a_ban_its_time_or_its_use() {
    let is_gone = |it: &mut Scene| {
        let code = it.code(0);
        it.visit.pending.is_some() && way(&it.give_code(&code)) == (302, Some("/login"))
    };
    let changes = [
        "UPDATE user SET epoch = epoch + 1",
        "UPDATE user SET disabled_at = 1",
        "DELETE FROM one_time_token",
    ];
    for sql in changes {
        let mut it = Scene::new();
        it.give_password();
        it.visit.raw().run(sql);
        assert!(is_gone(&mut it), "{sql}");
    }
    let mut it = Scene::new();
    it.give_password();
    it.visit.wait(Duration::from_secs(600));
    let code = it.code(0);
    let before = it.visit.pending.clone();
    assert_eq!(it.give_code(&code).status, 302, "its last moment");
    it.visit.forget_everything();
    it.visit.pending = before;
    assert!(is_gone(&mut it), "it was used");
    let mut it = Scene::new();
    it.give_password();
    it.visit.wait(Duration::from_millis(600_001));
    assert!(is_gone(&mut it), "it is too late");
}

/// Attack 10.
#[test]
fn asks_for_a_code_after_a_reset_as_well() {
    let mut it = Scene::new();
    let store = engine::open(it.visit.folder.path());
    let user = store.user_by_name("anna").unwrap().unwrap();
    let made = one_time_tokens::create(&*store, &user.id, Purpose::ResetPassword, it.visit.now);
    let token = made.unwrap().unwrap();
    let form = [("token", token.reveal()), ("password", "battery staple")];
    assert_eq!(way(&it.visit.post("/reset", &form)), (302, Some("/login")));
    let form = [("username", "anna"), ("password", "battery staple")];
    assert_eq!(way(&it.visit.post("/login", &form)), (302, Some("/login/second")));
}

/// Attack 14.
#[test]
fn trusts_a_remembered_browser_of_the_very_user_for_as_long_as_the_setting_says() {
    let mut it = Scene::new();
    it.sign_in_and_remember();
    it.visit.forget_cookie();
    it.visit.wait(Duration::from_secs(30 * 24 * 60 * 60));
    let done = it.give_password();
    assert_eq!(way(&done), (302, Some("/")));
    assert!(told(&done).contains("by=password+remembered"), "{}", told(&done));
    assert!(it.visit.is_signed_in());
    it.visit.forget_cookie();
    it.visit.wait(Duration::from_millis(1));
    assert_eq!(way(&it.give_password()), (302, Some("/login/second")), "it is not renewed by use");
    // Another user's browser.
    let device = it.visit.device.clone();
    it.visit.forget_everything();
    let bert = [("username", "bert"), ("password", "correct horse")];
    assert_eq!(it.visit.post("/signup", &bert).status, 302);
    it.visit.forget_everything();
    it.visit.device = device;
    let code = it.code(0);
    let form = [("code", &*code), ("remember_browser", "yes")];
    it.give_password();
    assert_eq!(it.visit.post("/login/second", &form).status, 302);
    it.visit.forget_cookie();
    assert_eq!(it.give_password().status, 302);
    // After a new password.
    it.visit.forget_cookie();
    let store = engine::open(it.visit.folder.path());
    let user = store.user_by_name("anna").unwrap().unwrap();
    store.forget_browsers(&user.id).unwrap();
    assert_eq!(way(&it.give_password()), (302, Some("/login/second")), "it was forgotten");
}

#[test]
fn remembers_no_browser_of_a_user_who_does_not_stay_signed_in() {
    let mut it = Scene::new();
    let form = [("username", "anna"), ("password", "correct horse"), ("remember_asked", "yes")];
    it.visit.post("/login", &form);
    let code = it.code(0);
    it.visit.post("/login/second", &[("code", &*code), ("remember_browser", "yes")]);
    assert!(it.visit.is_signed_in() && it.visit.device.is_none());
    let cell =
        it.visit.raw().texts("SELECT is_transient FROM user_session ORDER BY created_at, id");
    assert!(cell.contains(&"1".to_owned()), "{cell:?}");
}

/// Attack 15, but for its time.
#[test]
fn tells_nothing_of_a_second_factor_before_the_password_is_right() {
    let mut it = Scene::new();
    let bert = [("username", "bert"), ("password", "correct horse")];
    assert_eq!(it.visit.post("/signup", &bert).status, 302);
    it.visit.forget_everything();
    let mut answers = Vec::new();
    for name in ["anna", "bert", "nobody"] {
        let form = [("username", name), ("password", "wrong guess")];
        let answer = it.visit.post("/login", &form);
        answers.push((answer.status, answer.headers.clone(), answer.body.clone()));
    }
    assert!(answers.iter().all(|it| *it == answers[0]));
}

/// Attack 16.
#[test]
fn keeps_no_code_in_the_log_or_the_database() {
    let mut it = Scene::new();
    let (code, recovery) = (it.code(0), it.codes[0].reveal());
    let wrong = it.wrong_code();
    let mut log = String::new();
    for code in [&wrong, &code, &recovery] {
        log.push_str(&told(&it.give_password()));
        log.push_str(&told(&it.give_code(code)));
    }
    let written = engine::everything(it.visit.folder.path());
    let bare = recovery.replace('-', "");
    for secret in [&*recovery, &bare, &it.secret.base32(), &hex(it.secret.reveal())] {
        assert!(!log.contains(secret));
        let has = |needle: &[u8]| written.windows(needle.len()).any(|it| it == needle);
        assert!(!has(secret.as_bytes()), "{secret}");
    }
    for code in [&wrong, &code] {
        assert!(!log.contains(&**code), "{log}");
    }
}

/// Attack 18.
#[test]
fn refuses_the_code_of_a_wrong_clock_and_tells_the_operator_by_how_much() {
    let mut it = Scene::new();
    for (steps, expected) in [(4, "reason=clock steps=+4"), (-20, "reason=clock steps=-20")] {
        let code = it.code(steps);
        let answer = it.sign_in(&code);
        assert_eq!(plain(&answer), (400, "Incorrect code"));
        assert!(told(&answer).contains(expected), "{}", told(&answer));
    }
    let code = it.code(120);
    assert!(told(&it.sign_in(&code)).contains("reason=wrong_code"), "an hour");
}

/// Attack 19, but for the pages that set one up.
#[test]
fn takes_a_session_without_a_second_factor_for_none_once_it_is_required() {
    let visit = Visit::with_ann();
    let required = SecondFactorRules { demand: Demand::Required, ..SecondFactorRules::default() };
    let rules = Rules { second_factors: required, ..Rules::default() };
    let settings = Settings { rules, ..Settings::default() };
    let mut strict = Visit::over_with(visit.folder, settings);
    strict.cookie.clone_from(&visit.cookie);
    assert_eq!(way(&strict.get("/")), (302, Some("/login")));
    strict.forget_everything();
    let anna = [("username", "anna"), ("password", "correct horse")];
    assert_eq!(way(&strict.post("/login", &anna)), (302, Some("/login/second")));
    let bert = [("username", "bert"), ("password", "correct horse")];
    assert_eq!(way(&strict.post("/signup", &bert)), (302, Some("/login/second")));
    assert!(strict.cookie.is_none());
    assert_eq!((strict.count("user"), strict.count("user_session")), (2, 1));
}

#[test]
fn tells_an_owner_once_a_day_that_someone_gives_wrong_codes_after_the_right_password() {
    let mut it = Scene::with(Settings { has_mail: true, has_notices: true, ..of_example() });
    it.visit.raw().run("UPDATE user SET email = 'a@example.com', email_verified_at = 1");
    let letters = |it: &Scene| {
        it.visit.raw().texts("SELECT kind FROM mail WHERE kind = 'password_known'").len()
    };
    for number in 1..=4 {
        let wrong = it.wrong_code();
        it.sign_in(&wrong);
        assert_eq!(letters(&it), 0, "{number}");
    }
    for _ in 0..3 {
        let wrong = it.wrong_code();
        assert_eq!(it.sign_in(&wrong).status, 400);
        it.visit.wait(Duration::from_secs(60));
    }
    assert_eq!(letters(&it), 1);
}
