//! What `vestibule doctor` makes of the sign-in and of a session: that it is where it is said to be, lets the user in,
//! and stays with the gate.

use super::{Fault, TOKEN, Town, finds, run};

const PASSWORD: &str = "correct horse\n";

#[test]
fn finds_an_app_that_receives_the_session_cookie() {
    for fault in [Fault::CookiePassedOn, Fault::CookieMasked] {
        finds(
            fault,
            &[
                "GET / with a session: the app receives the session cookie auth_session, with which",
                "(likewise /api/,",
            ],
        );
        let (report, _) = Town::with(fault).examine(&["--sign-in=anna"], PASSWORD);
        let token = TOKEN.split('=').next_back().unwrap();
        assert!(!report.contains(token) && report.matches("FAIL").count() == 1, "{report}");
    }
}

#[test]
fn finds_a_user_who_may_not_enter() {
    let (report, code) = Town::with(Fault::NotAdmitted).examine(&["--sign-in=anna"], PASSWORD);
    let expected = "FAIL  GET / with a session: it answers 403 to this user, and check_denied in vestibule's log says why; \
                    put the user into a group that the proxy admits or correct the address of the check, or sign in \
                    another user (likewise /api/, ";
    assert!(report.contains(expected) && report.contains("/logout ends the session"), "{report}");
    assert_eq!((report.matches("FAIL").count(), code), (1, 1), "{report}");
    let (report, code) = Town::with(Fault::PartlyAdmitted).examine(&["--sign-in=anna"], PASSWORD);
    assert!(report.contains("skip  GET / with a session: it answers 403"), "{report}");
    assert_eq!(code, 0, "{report}");
}

#[test]
fn signs_in_with_the_code_below_the_password() {
    let town = Town::with(Fault::FactorAsked);
    let (report, code) = town.examine(&["--sign-in=anna"], "correct horse\n123456\n");
    assert!(report.contains("as anna gave a session"), "{report}");
    assert!(!report.contains("123456") && code == 0, "{report}");
    finds(
        Fault::FactorAsked,
        &["asks for a second factor; write a code of the app, or a recovery"],
    );
    let (report, code) = town.examine(&["--sign-in=anna"], "correct horse\n654321\n");
    assert!(report.contains("gave no session: 400 Incorrect"), "{report}");
    assert!(report.contains("and the code of the second factor"), "{report}");
    assert!(!report.contains("654321") && code == 1, "{report}");
    let town = Town::with(Fault::FactorNotSetUp);
    let (report, code) = town.examine(&["--sign-in=anna"], "correct horse\n123456\n");
    assert!(report.contains("that is not set up yet; sign in once in a browser"), "{report}");
    assert_eq!(code, 1, "{report}");
}

#[test]
fn finds_where_an_app_demands_a_second_factor_that_the_user_lacks() {
    let demand =
        "GET / with a session: it demands a second factor, and this user has none; sign in";
    finds(Fault::FactorDemanded, &[demand, "(likewise /api/, "]);
    let (report, _) = Town::with(Fault::FactorDemanded).examine(&["--sign-in=anna"], PASSWORD);
    assert!(report.matches("FAIL").count() == 1 && !report.contains("gets through"), "{report}");
    finds(
        Fault::FactorDemandLost,
        &["/account/second-factor, and not back from there to what was"],
    );
    let (report, code) =
        Town::with(Fault::FactorPartlyDemanded).examine(&["--sign-in=anna"], PASSWORD);
    assert!(report.contains("skip  GET /, "), "{report}");
    let hint = "hint  GET /api/ demands no second factor of this user, and other paths do; if it";
    assert!(report.contains(hint) && code == 0, "{report}");
}

#[test]
fn finds_a_user_who_cannot_leave() {
    let page = "GET / with a session: the page that answers 403 has no link to sign out, so that this user cannot";
    finds(Fault::DeniedDeadEnd, &[page, "(likewise /api/, "]);
    finds(
        Fault::NoWayOut,
        &[
            "a sign-out link leads to http://auth.town.localhost:",
            "which answered 302 and leads to /login and",
        ],
    );
    let (report, _) = Town::with(Fault::NotAdmitted).examine(&["--sign-in=anna"], PASSWORD);
    for what in ["a sign-out link", "the page for users without access at /api/"] {
        let expected = format!("ok    {what} leads to the button at http://auth.town.localhost:");
        assert!(report.contains(&expected), "{report}");
    }
}

#[test]
fn tells_the_sign_in_from_an_app() {
    let town = Town::with(Fault::None);
    let port = town.address.port();
    let site = format!("http://auth.town.localhost:{port}");
    let pin = format!("--resolve=auth.town.localhost:{port}:127.0.0.1");
    for path in ["", "/", "/login"] {
        let (report, code) = run(&["doctor", &format!("{site}{path}"), &pin], "");
        let expected = format!(
            " is answered by the sign-in itself, at {site}, and not by an app; give the address"
        );
        assert!(report.starts_with("FAIL  GET /") && report.contains(&expected), "{report}");
        assert!(report.ends_with("\n1 wrong, 0 as they should be, 0 skipped\n"), "{report}");
        assert_eq!(code, 1);
    }
}

#[test]
fn names_what_does_not_answer_where_the_sign_in_is_silent() {
    let town = Town::with(Fault::SilentSite);
    let login = format!("http://auth.town.localhost:{}/login", town.address.port());
    let (report, code) = town.examine(&["--sign-in=anna"], PASSWORD);
    assert!(report.contains(&format!("FAIL  GET {login} got no answer: ")), "{report}");
    assert_eq!((report.matches("no answer").count(), code), (1, 1), "{report}");
    assert!(!report.contains("7500"), "{report}");
}

#[test]
fn does_not_send_the_operator_to_what_was_just_examined() {
    for paths in ["--path=/other", "--path=/"] {
        let (report, _) = Town::with(Fault::OpenPath).examine(&[paths], "");
        let hint = report
            .lines()
            .find(|it| it.starts_with("hint  "))
            .unwrap_or_else(|| panic!("{report}"));
        let part = if paths.ends_with("other") { "/other" } else { "/PATH" };
        assert!(hint.ends_with(part), "{report}");
    }
}
