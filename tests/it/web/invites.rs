//! Invitations: who may make an account, and with which link.

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use vestibule::auth::invitations::{self, NewInvite, SignUps};
use vestibule::base::token::Token;
use vestibule::store::{Groups, Store};
use vestibule::web::{Lane, Settings};

use crate::binary::{Binary, vestibule};
use crate::engine;
use crate::visit::{Visit, body, plain, way};

const HOUR: Duration = Duration::from_secs(60 * 60);
const BAD: (u16, &str) = (403, "This invitation is not valid any more");

fn site(sign_ups: SignUps) -> Visit {
    Visit::with(Settings { sign_ups, ..Settings::default() })
}

fn store(visit: &Visit) -> Box<dyn Store> {
    engine::open(visit.folder.path())
}

fn invite(visit: &Visit, uses: u32, groups: &str) -> Token {
    let groups = Groups::new(groups.to_owned());
    let new = NewInvite { note: "for a test".to_owned(), groups, uses, life: HOUR };
    invitations::create(&*store(visit), new, visit.now).unwrap().1
}

fn sign_up(visit: &mut Visit, name: &str, token: &str) -> (u16, String) {
    visit.forget_everything();
    let fields = [("username", name), ("password", "correct horse"), ("invite", token)];
    let answer = visit.post("/signup", &fields);
    (answer.status, body(&answer).to_owned())
}

fn refused((status, text): (u16, &str)) -> (u16, String) {
    (status, text.to_owned())
}

#[test]
fn makes_as_many_accounts_as_a_link_has_uses_and_puts_them_in_its_groups() {
    let mut visit = site(SignUps::Invite);
    let token = invite(&visit, 2, "staff");
    let path = format!("/signup?invite={}", token.reveal());
    let page = visit.ask("GET", &path, &[("Accept", "text/html")], "");
    let field = format!(r#"name="invite" value="{}""#, token.reveal());
    assert!(page.status == 200 && body(&page).contains(&field), "{}", body(&page));
    // A form that comes back keeps the invitation.
    let form = format!("username=anna&password=x&invite={}", token.reveal());
    let headers = [("Accept", "text/html"), ("Content-Type", "application/x-www-form-urlencoded")];
    let page = visit.ask("POST", "/signup", &headers, &form);
    assert!(page.status == 400 && body(&page).contains(&field), "{}", body(&page));
    assert_eq!(sign_up(&mut visit, "anna", token.reveal()).0, 302);
    assert!(visit.is_signed_in());
    assert_eq!(
        sign_up(&mut visit, "ANNA", token.reveal()),
        refused((400, "Username already taken"))
    );
    assert_eq!(sign_up(&mut visit, "bertha", token.reveal()).0, 302);
    assert_eq!(sign_up(&mut visit, "carla", token.reveal()), refused(BAD));
    assert_eq!(plain(&visit.get(&path)), BAD);
    assert_eq!((visit.count("user"), visit.count("invite")), (2, 0));
    assert_eq!(visit.raw().texts("SELECT group_names FROM user"), ["staff", "staff"]);
}

#[test]
fn lets_no_visitor_create_an_account_without_a_valid_link() {
    let mut visit = site(SignUps::Invite);
    let fields = [("username", "anna"), ("password", "correct horse")];
    assert_eq!(plain(&visit.post("/signup", &fields)), (403, "Sign-up is by invitation"));
    assert_eq!(plain(&visit.get("/signup")), (403, "Sign-up is by invitation"));
    let page = visit.ask("GET", "/login", &[("Accept", "text/html")], "");
    assert!(!body(&page).contains("/signup"), "no link leads there");
    let token = invite(&visit, 1, "");
    let altered = token.reveal().chars().rev().collect::<String>();
    let hashes = visit.site.hashes_computed();
    for bad in ["", "x", &altered, &token.reveal().to_uppercase()] {
        assert_eq!(sign_up(&mut visit, "anna", bad), refused(BAD), "{bad}");
        assert_eq!(plain(&visit.get(&format!("/signup?invite={bad}"))), BAD, "{bad}");
    }
    assert_eq!(visit.site.hashes_computed(), hashes, "no hash is wasted on them");
    visit.wait(HOUR + Duration::from_millis(1));
    assert_eq!(sign_up(&mut visit, "anna", token.reveal()), refused(BAD), "an hour is over");
    visit.site.sweep(visit.now).unwrap();
    assert_eq!((visit.count("user"), visit.count("invite")), (0, 0));
}

#[test]
fn hashes_for_the_invited_on_the_slow_lane_alone() {
    let visit = site(SignUps::Invite);
    let lane = |invite: &str| {
        let form = format!("username=anna&password=correct+horse{invite}");
        let kind = [("Content-Type", "application/x-www-form-urlencoded")];
        visit.site.lane(&visit.request("POST", "/signup", &kind, &form), visit.now)
    };
    assert_eq!(lane(""), Lane::Read);
    assert_eq!(lane("&invite=x"), Lane::Read);
    assert_eq!(lane(&format!("&invite={}", Token::random().reveal())), Lane::Hash);
}

#[test]
fn keeps_a_link_out_that_is_for_a_site_where_sign_up_is_closed() {
    let mut visit = site(SignUps::Closed);
    let token = invite(&visit, 1, "");
    assert_eq!(sign_up(&mut visit, "anna", token.reveal()), refused(BAD));
    assert_eq!(plain(&visit.get("/signup")), (403, "Sign-up is closed"));
    assert_eq!(visit.count("user"), 0);
}

#[test]
fn puts_the_invited_in_groups_where_sign_up_is_open_too() {
    let mut visit = site(SignUps::Open);
    let token = invite(&visit, 1, "staff");
    assert_eq!(sign_up(&mut visit, "anna", token.reveal()).0, 302);
    // A visitor who comes with a link that is used up should know, and not have an account without groups.
    assert_eq!(sign_up(&mut visit, "bertha", token.reveal()), refused(BAD));
    let fields = [("username", "bertha"), ("password", "correct horse")];
    assert_eq!(visit.post("/signup", &fields).status, 302);
}

#[test]
fn makes_the_first_account_with_a_link_that_is_good_while_there_is_none() {
    for sign_ups in [SignUps::Closed, SignUps::Invite] {
        let mut visit = site(sign_ups);
        let first =
            |visit: &Visit| invitations::create_first(&*store(visit), sign_ups, visit.now).unwrap();
        let (old, new) = (first(&visit).unwrap(), first(&visit).unwrap());
        assert_eq!(sign_up(&mut visit, "anna", old.reveal()), refused(BAD), "the last one is good");
        assert_eq!(sign_up(&mut visit, "anna", new.reveal()).0, 302);
        assert_eq!(sign_up(&mut visit, "bertha", new.reveal()), refused(BAD));
        assert!(first(&visit).is_none(), "there is an account");
    }
    let visit = site(SignUps::Open);
    assert!(
        invitations::create_first(&*store(&visit), SignUps::Open, visit.now).unwrap().is_none()
    );
}

#[test]
fn takes_no_first_link_once_the_operator_has_made_an_account() {
    let mut visit = site(SignUps::Closed);
    let now = visit.now;
    let token = invitations::create_first(&*store(&visit), SignUps::Closed, now).unwrap().unwrap();
    visit.raw().run(
        "INSERT INTO user (id, username, canonical_username, created_at, attributes)
         VALUES ('a', 'ann', 'ann', 0, '')",
    );
    assert_eq!(sign_up(&mut visit, "mallory", token.reveal()), refused(BAD));
    assert!(invitations::all(&*store(&visit), now).unwrap().is_empty());
}

#[test]
fn admits_one_of_many_who_come_with_one_link_at_once() {
    let visit = site(SignUps::Invite);
    let token = invite(&visit, 1, "");
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    let admitted: usize = std::thread::scope(|scope| {
        let come = |number: usize| {
            let form =
                format!("username=guest{number}&password=correct+horse&invite={}", token.reveal());
            let request = visit.request("POST", "/signup", &kind, &form);
            visit.site.answer(&request, visit.now).status
        };
        let all: Vec<_> = (0..8).map(|number| scope.spawn(move || come(number))).collect();
        let all: Vec<_> = all.into_iter().map(|it| it.join().unwrap()).collect();
        assert!(all.iter().all(|status| [302, 403].contains(status)), "{all:?}");
        all.into_iter().filter(|status| *status == 302).count()
    });
    assert_eq!((admitted, visit.count("user")), (1, 1));
}

#[test]
fn tells_a_script_that_an_invitation_is_not_good() {
    let mut visit = site(SignUps::Invite);
    let answer = visit.ask("GET", "/signup?invite=x", &[("Accept", "application/json")], "");
    assert!(answer.status == 403 && body(&answer).contains("\"forbidden\""), "{}", body(&answer));
}

#[test]
fn sends_the_invited_on_to_where_they_wanted_to_go() {
    let mut visit = site(SignUps::Invite);
    let token = invite(&visit, 1, "");
    let fields = [
        ("username", "anna"),
        ("password", "correct horse"),
        ("invite", token.reveal()),
        ("next", "/account"),
    ];
    assert_eq!(way(&visit.post("/signup", &fields)), (302, Some("/account")));
}

#[test]
fn makes_lists_and_revokes_invitations_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--signup=invite"]);
    let database = folder.path().join("test.db");
    let run = |words: &[&str]| {
        let mut command = vestibule(&["invite"]);
        let done = command.args(words).arg("--database").arg(&database).output().unwrap();
        (done.status.code(), String::from_utf8(done.stdout).unwrap())
    };
    let origin = "--origin=https://auth.example.com";
    assert_eq!(run(&["new"]).0, Some(2), "where people sign up has to be said");
    assert_eq!(run(&["new", origin, "--groups=Staff"]).0, Some(2));
    assert_eq!(run(&["new", origin, "--life=91d"]).0, Some(2));
    assert_eq!(run(&["new", origin, "--uses=0"]).0, Some(2));
    let (_, told) = run(&["new", origin, "--groups=staff", "--note=the new office"]);
    let token = told.trim().strip_prefix("https://auth.example.com/signup?invite=").unwrap();
    let form = format!("username=anna&password=correct+horse&invite={token}");
    assert_eq!(server.post("/signup", &form, None).status, 302);
    let (_, told) = run(&["new", origin, "--uses=3", "--life=2d", "--json", "--note=\u{1b}[2J"]);
    let made: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&made["uses_left"], made["groups"].as_array().unwrap().len()), (&3.into(), 0));
    let (_, table) = run(&["list"]);
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(table.contains(" 3 ") && !table.contains('\u{1b}'), "{table}");
    let (_, told) = run(&["list", "--json"]);
    let data: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(data["handle"] == made["handle"] && data["link"].is_null(), "{told}");
    let handle = made["handle"].as_str().unwrap();
    assert_eq!(run(&["revoke", handle]).0, Some(0));
    assert_eq!(run(&["revoke", handle]).0, Some(1), "it is gone");
    run(&["new", origin]);
    let log = rusqlite::Connection::open(&database).unwrap();
    let last = "SELECT detail FROM audit WHERE event = 'invite_new' ORDER BY id DESC LIMIT 1";
    let detail: String = log.query_row(last, [], |row| row.get(0)).unwrap();
    let handle = detail.split_once("invite=").and_then(|(_, it)| it.get(..8)).unwrap();
    assert_eq!(run(&["revoke", handle]).0, Some(0), "by the handle that the audit log shows");
    let token = made["link"].as_str().unwrap().split_once("invite=").unwrap().1;
    let form = format!("username=bertha&password=correct+horse&invite={token}");
    assert_eq!(server.post("/signup", &form, None).status, 403);
    let log = server.stop();
    assert!(log.contains("ev=signup_ok") && log.contains(" invite="), "{log}");
    assert!(log.contains("ev=signup_fail reason=bad_invite"), "{log}");
    assert!(!log.contains(token), "the log holds no link");
    let raw = rusqlite::Connection::open(&database).unwrap();
    let sql = "SELECT group_concat(event || detail) FROM audit WHERE event LIKE 'invite_%'";
    let kept: String = raw.query_row(sql, [], |row| row.get(0)).unwrap();
    assert!(kept.contains("invite_new") && kept.contains("invite_revoke"), "{kept}");
    assert!(!kept.contains(token), "{kept}");
}

#[test]
fn prints_a_link_for_the_first_account_to_standard_output_and_not_to_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("test.db");
    let start = |signup: &str| {
        let mut command = vestibule(&["serve", "--listen=127.0.0.1:0", signup]);
        command.args(["--origin=https://auth.example.com", "--database"]).arg(&database);
        command.stdout(Stdio::piped());
        Binary::run(command)
    };
    let mut server = start("--signup=closed");
    let mut output = server.output().unwrap();
    let head = "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    assert_eq!(server.ask(head).status, 302);
    let log = server.stop();
    let mut told = String::new();
    output.read_to_string(&mut told).unwrap();
    let (_, token) = told.split_once("https://auth.example.com/signup?invite=").unwrap();
    let token = token.trim();
    assert!(Token::parse(token).is_some() && !log.contains(token), "{told}");
    let server = start("--signup=closed");
    let form = format!("username=anna&password=correct+horse&invite={token}");
    assert_eq!(server.post("/signup", &form, None).status, 403, "a new start makes a new one");
    server.stop();
    let mut server = start("--signup=open");
    let mut output = server.output().unwrap();
    server.stop();
    let mut told = String::new();
    output.read_to_string(&mut told).unwrap();
    assert_eq!(told, "");
}

#[test]
fn lets_a_visitor_in_who_clicks_twice_with_an_invitation_for_several_accounts() {
    let mut visit = site(SignUps::Invite);
    let token = invite(&visit, 2, "");
    let fields = [
        ("username", "anna"),
        ("password", "correct horse"),
        ("invite", token.reveal()),
        ("by_page", "yes"),
    ];
    for _ in 0..2 {
        visit.forget_everything();
        assert_eq!(way(&visit.post("/signup", &fields)), (302, Some("/")));
    }
    assert!(visit.is_signed_in());
    assert_eq!((visit.count("user"), visit.count("invite")), (1, 1), "it was used once");
}

#[test]
fn computes_no_hash_for_a_visitor_without_a_valid_invitation_though_an_account_is_new() {
    for sign_ups in [SignUps::Closed, SignUps::Invite] {
        let mut visit = site(sign_ups);
        let first =
            invitations::create_first(&*store(&visit), sign_ups, visit.now).unwrap().unwrap();
        assert_eq!(sign_up(&mut visit, "anna", first.reveal()).0, 302);
        visit.forget_everything();
        let hashes = visit.site.hashes_computed();
        let invented = Token::random();
        for password in ["correct horse", "battery staple"] {
            let fields = [
                ("username", "anna"),
                ("password", password),
                ("invite", invented.reveal()),
                ("by_page", "yes"),
            ];
            assert_eq!(plain(&visit.post("/signup", &fields)), BAD);
        }
        assert_eq!(visit.site.hashes_computed(), hashes);
    }
}
