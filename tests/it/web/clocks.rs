//! A machine's clock was wrong for a while: what was written then is worth nothing, or no more than what is
//! written now.

use std::time::Duration;

use vestibule::auth::invitations::{self, NewInvite, SignUps};
use vestibule::auth::one_time_tokens::{self, Purpose};
use vestibule::auth::usernames::Username;
use vestibule::auth::users;
use vestibule::base::clock::{Moment, SKEW_MAX};
use vestibule::store::Groups;
use vestibule::web::{Lane, Settings};

use crate::binary::Binary;
use crate::engine;
use crate::visit::{Visit, basic, body, of_example};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// By how much the clock was ahead.
const AHEADS: [Duration; 5] = [
    Duration::from_secs(5 * 60 + 1),
    Duration::from_secs(2 * 60 * 60),
    Duration::from_secs(8 * 60 * 60),
    Duration::from_secs(30 * 60 * 60),
    Duration::from_secs(10 * 365 * 24 * 60 * 60),
];

fn sign_in(visit: &mut Visit, name: &str, password: &str) -> (u16, Option<u64>) {
    let answer = visit.post("/login", &[("username", name), ("password", password)]);
    (answer.status, answer.value("Retry-After").map(|it| it.parse().unwrap()))
}

/// Does something while the clock is ahead by so much.
fn ahead<T>(visit: &mut Visit, by: Duration, act: impl FnOnce(&mut Visit) -> T) -> T {
    let now = visit.now;
    visit.now = now.after(by);
    let done = act(visit);
    visit.now = now;
    done
}

/// Eight wrong passwords for `anna`, each as soon as it may be tried, under a clock that is ahead by so much.
fn guess_ahead(visit: &mut Visit, by: Duration) {
    ahead(visit, by, |visit| {
        for _ in 0..8 {
            let (status, _) = sign_in(visit, "anna", "wrong guess");
            assert_eq!(status, 400);
            visit.wait(2 * SECOND);
        }
    });
}

#[test]
fn makes_no_user_wait_longer_for_failures_of_the_future_than_for_those_of_now() {
    for by in AHEADS {
        let mut visit = Visit::with_ann();
        visit.forget_everything();
        guess_ahead(&mut visit, by);
        assert_eq!(sign_in(&mut visit, "anna", "correct horse"), (429, Some(4)), "{by:?}");
        visit.wait(3 * SECOND);
        assert_eq!(sign_in(&mut visit, "anna", "correct horse"), (429, Some(1)), "{by:?}");
        visit.wait(SECOND);
        assert_eq!(sign_in(&mut visit, "anna", "wrong guess"), (400, None), "{by:?}");
        assert_eq!(
            sign_in(&mut visit, "anna", "wrong guess"),
            (429, Some(8)),
            "nothing is forgotten"
        );
        visit.wait(8 * SECOND);
        assert_eq!(sign_in(&mut visit, "anna", "correct horse").0, 302, "{by:?}");
    }
}

#[test]
fn makes_no_user_wait_for_ever_when_the_clock_is_set_back_again_and_again() {
    let mut visit = Visit::with_ann();
    visit.forget_everything();
    guess_ahead(&mut visit, 8 * HOUR);
    for _ in 0..6 {
        visit.now = visit.now.before(HOUR);
        assert_eq!(sign_in(&mut visit, "anna", "correct horse"), (429, Some(4)));
        visit.wait(2 * SECOND);
        assert_eq!(sign_in(&mut visit, "anna", "correct horse"), (429, Some(2)));
    }
    visit.wait(2 * SECOND);
    assert_eq!(sign_in(&mut visit, "anna", "correct horse").0, 302);
}

#[test]
fn makes_no_address_wait_longer_than_its_setting_says() {
    for by in AHEADS {
        let mut visit = Visit::with_ann();
        visit.forget_everything();
        visit.peer = "192.0.2.1".parse().ok();
        ahead(&mut visit, by, |visit| {
            for number in 0..20 {
                assert_eq!(sign_in(visit, &format!("name{number}"), "wrong guess").0, 400);
            }
        });
        assert_eq!(sign_in(&mut visit, "anna", "correct horse"), (429, Some(6)), "{by:?}");
        visit.wait(6 * SECOND);
        assert_eq!(sign_in(&mut visit, "anna", "correct horse").0, 302, "{by:?}");
    }
}

#[test]
fn lets_an_address_make_accounts_again_soon_that_has_made_many_in_the_future() {
    for by in AHEADS {
        let mut visit = Visit::with(of_example());
        visit.peer = "192.0.2.1".parse().ok();
        let sign_up = |visit: &mut Visit, name: &str| {
            visit.forget_everything();
            let answer =
                visit.post("/signup", &[("username", name), ("password", "battery staple")]);
            (answer.status, answer.value("Retry-After").map(str::to_owned))
        };
        ahead(&mut visit, by, |visit| {
            (0..10).for_each(|it| assert_eq!(sign_up(visit, &format!("name{it}")).0, 302));
        });
        assert_eq!(sign_up(&mut visit, "another"), (429, Some("60".to_owned())), "{by:?}");
        visit.wait(60 * SECOND);
        assert_eq!(sign_up(&mut visit, "another").0, 302, "{by:?}");
    }
}

#[test]
fn forgets_failures_of_the_future_after_a_day_of_quiet() {
    let mut visit = Visit::with_ann();
    visit.forget_everything();
    guess_ahead(&mut visit, AHEADS[4]);
    visit.site.sweep(visit.now).unwrap();
    let last = visit.raw().number("SELECT max(last_at) FROM throttle");
    assert_eq!(last, visit.now.millis(), "they count as failures of now");
    assert_eq!(sign_in(&mut visit, "anna", "correct horse"), (429, Some(4)));
    visit.wait(24 * HOUR + 5 * SECOND);
    visit.site.sweep(visit.now).unwrap();
    assert_eq!(visit.count("throttle"), 0);
}

#[test]
fn lets_no_client_in_by_a_session_that_begins_in_the_future() {
    for by in AHEADS {
        let mut visit = Visit::with_ann();
        let honest = visit.cookie.clone();
        ahead(&mut visit, by, |visit| {
            visit.forget_everything();
            assert_eq!(sign_in(visit, "anna", "correct horse").0, 302);
            assert!(visit.is_signed_in());
        });
        let early = visit.cookie.clone();
        assert!(!visit.is_signed_in(), "{by:?}");
        // In ten years it was dead, and went when its owner signed in.
        if by < AHEADS[4] {
            visit.cookie = honest;
            assert!(visit.is_signed_in(), "{by:?}");
            let json = [("Accept", "application/json")];
            let listed = visit.ask("GET", "/account/sessions", &json, "");
            assert_eq!(body(&listed).matches("\"handle\"").count(), 1, "{by:?}");
        }
        // A session is one of the past as soon as the clock has come there.
        visit.cookie = early;
        visit.now = visit.now.after(by);
        assert!(visit.is_signed_in(), "{by:?}");
    }
}

#[test]
fn lets_a_session_be_good_that_began_as_far_ahead_as_clocks_of_two_servers_differ() {
    let mut visit = Visit::with_ann();
    visit.now = visit.now.before(SKEW_MAX);
    assert!(visit.is_signed_in());
    visit.now = visit.now.before(Duration::from_millis(1));
    assert!(!visit.is_signed_in());
}

#[test]
fn takes_no_password_for_a_recent_one_that_is_given_in_the_future() {
    for by in AHEADS {
        let mut visit = Visit::with_ann();
        visit.wait(HOUR);
        let end_others = |visit: &mut Visit, password: Option<&str>| {
            let fields: Vec<_> = password.map(|it| ("current_password", it)).into_iter().collect();
            visit.post("/account/sessions/end-others", &fields).status
        };
        assert_eq!(end_others(&mut visit, None), 403);
        let then = visit.now.after(by).millis();
        visit.raw().run(&format!("UPDATE user_session SET proven_at = {then}, seen_at = {then}"));
        assert_eq!(end_others(&mut visit, None), 403, "{by:?}");
        // Given now, it is recent, and is not so for longer than ten minutes.
        assert_eq!(end_others(&mut visit, Some("correct horse")), 302, "{by:?}");
        assert_eq!(end_others(&mut visit, None), 302, "{by:?}");
        visit.wait(Duration::from_secs(10 * 60 + 1));
        assert_eq!(end_others(&mut visit, None), 403, "{by:?}");
        let seen = visit.raw().number("SELECT seen_at FROM user_session");
        assert!(seen <= visit.now.millis(), "{by:?}");
    }
}

#[test]
fn takes_no_reset_link_and_no_invitation_that_is_made_in_the_future() {
    for by in AHEADS {
        let settings = Settings { sign_ups: SignUps::Invite, ..of_example() };
        let mut visit = Visit::with(settings);
        let store = engine::open(visit.folder.path());
        let hasher = vestibule::base::password::Hasher::new(1, crate::visit::CHEAP);
        let name = Username::for_sign_up("anna").unwrap();
        let anna = users::create(&*store, &hasher, &name, None, visit.now).unwrap().unwrap();
        let then = visit.now.after(by);
        let link = one_time_tokens::create(&*store, &anna.id, Purpose::ResetPassword, then)
            .unwrap()
            .unwrap();
        let new = NewInvite {
            note: String::new(),
            groups: Groups::default(),
            uses: 1,
            life: invitations::LIFE,
        };
        let (_, invite) = invitations::create(&*store, new, then).unwrap();
        let reset = format!("/reset?token={}", link.reveal());
        let sign_up = format!("/signup?invite={}", invite.reveal());
        // Not even once their hour has come: they are good for one hour and not for a month and one.
        assert_eq!(visit.get(&reset).status, 404, "{by:?}");
        assert_ne!(visit.get(&sign_up).status, 200, "{by:?}");
        let fields = [("token", link.reveal()), ("password", "battery staple")];
        assert_eq!(visit.post("/reset", &fields).status, 404, "{by:?}");
        let fields =
            [("invite", invite.reveal()), ("username", "berta"), ("password", "battery staple")];
        assert_ne!(visit.post("/signup", &fields).status, 302, "{by:?}");
        visit.now = then;
        assert_eq!((visit.get(&reset).status, visit.get(&sign_up).status), (200, 200), "{by:?}");
    }
}

#[test]
fn takes_no_access_token_that_is_made_in_the_future() {
    for by in AHEADS {
        let mut visit = Visit::with(Settings { basic_auth: true, ..of_example() });
        visit.post("/signup", &[("username", "anna"), ("password", "correct horse")]);
        let token = ahead(&mut visit, by, |visit| {
            sign_in(visit, "anna", "correct horse");
            let fields = [("name", "backup"), ("days", "366")];
            body(&visit.post("/account/tokens", &fields)).to_owned()
        });
        assert!(token.starts_with("vst_"), "{token}");
        visit.forget_everything();
        let bearer = format!("Bearer {token}");
        for authorization in [&*bearer, &*basic("anna", &token)] {
            let headers = [("Authorization", authorization)];
            assert_eq!(visit.ask("GET", "/auth/nginx", &headers, "").status, 401, "{by:?}");
        }
    }
}

#[test]
fn remembers_a_password_of_a_script_no_longer_when_the_clock_goes_back() {
    for by in AHEADS {
        let mut visit = Visit::with(Settings { basic_auth: true, ..of_example() });
        visit.post("/signup", &[("username", "anna"), ("password", "correct horse")]);
        visit.forget_everything();
        let authorization = basic("anna", "correct horse");
        let headers = [("Authorization", &*authorization)];
        ahead(&mut visit, by, |visit| {
            assert_eq!(visit.ask("GET", "/auth/nginx", &headers, "").status, 200);
        });
        let request = visit.request("GET", "/auth/nginx", &headers, "");
        assert_eq!(visit.site.lane(&request, visit.now), Lane::Hash, "{by:?}");
        let before = visit.site.hashes_computed();
        assert_eq!(visit.ask("GET", "/auth/nginx", &headers, "").status, 200, "{by:?}");
        assert_eq!(visit.site.hashes_computed(), before + 1, "{by:?}");
    }
}

#[test]
fn gives_no_allowance_of_its_own_to_a_browser_that_is_known_from_the_future() {
    for by in AHEADS {
        let mut visit = Visit::with_ann();
        visit.forget_everything();
        ahead(&mut visit, by, |visit| assert_eq!(sign_in(visit, "anna", "correct horse").0, 302));
        let device = visit.device.take();
        visit.forget_cookie();
        (0..6).for_each(|_| assert_eq!(sign_in(&mut visit, "anna", "wrong guess").0, 400));
        visit.device = device;
        assert_eq!(sign_in(&mut visit, "anna", "correct horse").0, 429, "{by:?}");
        // Signing in now makes it one that is known from now.
        visit.wait(SECOND);
        assert_eq!(sign_in(&mut visit, "anna", "correct horse").0, 302, "{by:?}");
        let last = visit.raw().number("SELECT max(last_used_at) FROM device");
        assert_eq!(last, visit.now.millis(), "{by:?}");
    }
}

/// A machine without a battery begins long ago, until it has asked the network for the time.
#[test]
fn deletes_nothing_that_is_good_while_the_clock_is_behind() {
    let mut visit = Visit::with_ann();
    visit.site.sweep(Moment::from_millis(1_000)).unwrap();
    assert!(visit.is_signed_in());
    let device = visit.device.clone();
    visit.forget_cookie();
    (0..6).for_each(|_| assert_eq!(sign_in(&mut visit, "anna", "wrong guess").0, 400));
    assert_eq!(visit.device, device);
    visit.device = None;
    assert_eq!(sign_in(&mut visit, "anna", "correct horse").0, 302, "the browser was known");
}

// What the log says.

/// Runs a server on this folder, and comes back with its log.
fn log_of_a_run(folder: &std::path::Path) -> String {
    Binary::start(folder, &[]).stop()
}

fn steps_back(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.contains("ev=clock_went_back")).collect()
}

#[test]
fn says_once_in_the_log_that_the_clock_went_back_since_the_last_run() {
    let folder = tempfile::tempdir().unwrap();
    assert!(steps_back(&log_of_a_run(folder.path())).is_empty());
    let mut raw = engine::raw_file(&folder.path().join("test.db"));
    raw.run("UPDATE audit SET at = at + 7200000");
    drop(raw);
    let log = log_of_a_run(folder.path());
    let said = steps_back(&log);
    assert_eq!(said.len(), 1, "{log}");
    let seconds = said[0].split("seconds=").nth(1).unwrap().split(' ').next().unwrap();
    let seconds: u64 = seconds.parse().unwrap();
    assert!((7_100..=7_200).contains(&seconds), "{}", said[0]);
    assert!(steps_back(&log_of_a_run(folder.path())).is_empty(), "it was said");
    let mut raw = engine::raw_file(&folder.path().join("test.db"));
    assert_eq!(raw.number("SELECT count(*) FROM audit WHERE event = 'clock_went_back'"), 1);
    // As much as the clocks of two servers may differ is no news.
    raw.run("UPDATE audit SET at = at + 120000");
    drop(raw);
    assert!(steps_back(&log_of_a_run(folder.path())).is_empty());
}
