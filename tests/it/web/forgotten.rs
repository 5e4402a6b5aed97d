//! Forgotten passwords: who gets a link by mail, and what a stranger learns from asking.

use std::net::IpAddr;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use vestibule::auth::mail;
use vestibule::auth::names::Rest;
use vestibule::auth::usernames::Username;
use vestibule::auth::users;
use vestibule::base::clock::Moment;
use vestibule::store::User;
use vestibule::web::mail::{NextMail, Outgoing};
use vestibule::web::{Settings, Site};

use crate::engine;
use crate::visit::{MORNING, Visit, body, of_example, plain, told};

const ACCEPTED: &str = "If there is such an account with a verified address, a mail is on its way";

pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// A site with mail on which `anna` has an account and the verified address `Anna@Example.com`, and no user is signed
/// in.
pub(super) fn with_mail() -> Visit {
    with_mail_of(Settings { has_mail: true, has_notices: true, ..of_example() })
}

/// A site with these settings, otherwise as [`with_mail`] has it.
pub(super) fn with_mail_of(settings: Settings) -> Visit {
    let mut visit = Visit::with(settings);
    sign_up(&mut visit, "anna");
    set_email(&visit, "anna", "Anna@Example.com");
    visit
}

pub(super) fn sign_up(visit: &mut Visit, name: &str) {
    let answer = visit.post("/signup", &[("username", name), ("password", "correct horse")]);
    assert_eq!(answer.status, 302);
    visit.forget_everything();
}

pub(super) fn user(visit: &Visit, name: &str) -> User {
    let store = engine::open(visit.folder.path());
    users::by_name(&*store, &Username::for_sign_in(name).unwrap()).unwrap().unwrap()
}

pub(super) fn set_email(visit: &Visit, name: &str, email: &str) {
    let id = user(visit, name).id;
    let store = engine::open(visit.folder.path());
    assert!(users::set_email(&*store, &id, email, MORNING).unwrap());
}

pub(super) fn ask(visit: &mut Visit, name: &str) -> (u16, String) {
    let answer = visit.post("/forgot", &[("name", name)]);
    (answer.status, body(&answer).to_owned())
}

fn next(site: &Site, now: Moment) -> Option<Outgoing> {
    match site.next_mail(now).unwrap() {
        NextMail::Send(mail) => Some(mail),
        NextMail::GivenUp { .. } => panic!("it is given up"),
        NextMail::None => None,
    }
}

/// The mails that are sent now.
pub(super) fn sent(visit: &Visit) -> Vec<Outgoing> {
    let mails = std::iter::from_fn(|| next(&visit.site, visit.now));
    mails.inspect(|it| visit.site.mail_done(it).unwrap()).collect()
}

pub(super) fn addresses(visit: &Visit) -> Vec<String> {
    sent(visit).iter().map(|it| it.to().to_owned()).collect()
}

/// The path of the link in a mail.
pub(super) fn link(mail: &Outgoing) -> String {
    let line = mail.text.lines().find(|it| it.contains("://")).unwrap();
    line.strip_prefix("https://auth.example.com").unwrap().to_owned()
}

pub(super) fn set_password(visit: &mut Visit, link: &str, password: &str) -> u16 {
    let token = link.split_once('=').unwrap().1;
    visit.post("/reset", &[("token", token), ("password", password)]).status
}

fn sign_in(visit: &mut Visit, name: &str, password: &str) -> u16 {
    let status = visit.post("/login", &[("username", name), ("password", password)]).status;
    visit.forget_everything();
    status
}

#[test]
fn mails_a_link_that_sets_a_password_and_signs_no_user_in() {
    let mut visit = with_mail();
    assert_eq!(ask(&mut visit, "anna"), (200, ACCEPTED.to_owned()));
    let mails = sent(&visit);
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(
        (mail.to(), mail.kind(), mail.subject),
        ("Anna@Example.com", "reset", "Set a new password")
    );
    assert!(mail.text.contains("anna at auth.example.com"), "{}", mail.text);
    assert_eq!(set_password(&mut visit, &link(mail), "battery staple"), 302);
    assert!(visit.cookie.is_none(), "a link signs no user in");
    assert_eq!(sign_in(&mut visit, "anna", "correct horse"), 400);
    assert_eq!(sign_in(&mut visit, "anna", "battery staple"), 302);
    assert_eq!(set_password(&mut visit, &link(mail), "another staple"), 404, "it is used");
}

#[test]
fn writes_in_the_language_of_the_page() {
    for (language, subject) in [
        ("de-CH, en;q=0.5", "Neues Passwort setzen"),
        ("fr", "Choisir un nouveau mot de passe"),
        ("tlh", "Set a new password"),
    ] {
        let mut visit = with_mail().send("Accept-Language", language);
        ask(&mut visit, "anna");
        assert_eq!(sent(&visit)[0].subject, subject);
    }
}

// Attack 1.
#[test]
fn tells_a_stranger_the_same_of_every_account_and_of_none() {
    let mut visit = with_mail();
    for name in ["disabled", "unverified", "without"] {
        sign_up(&mut visit, name);
    }
    set_email(&visit, "disabled", "disabled@example.com");
    set_email(&visit, "unverified", "unverified@example.com");
    visit.raw().run("UPDATE user SET disabled_at = 1 WHERE canonical_username = 'disabled'");
    visit
        .raw()
        .run("UPDATE user SET email_verified_at = NULL WHERE canonical_username = 'unverified'");
    let names = [
        "anna",
        "anna",
        "Anna@Example.com",
        "disabled",
        "disabled@example.com",
        "unverified",
        "unverified@example.com",
        "without",
        "nobody",
        "nobody@example.com",
        "a b",
        "%",
    ];
    for accept in ["text/html", "application/json", "*/*"] {
        let answers = names.map(|name| {
            let form: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
            let headers =
                [("Accept", accept), ("Content-Type", "application/x-www-form-urlencoded")];
            let answer = visit.ask("POST", "/forgot", &headers, &format!("name={form}"));
            assert_eq!(told(&answer), "reset_asked ", "the log does not tell either");
            (answer.status, answer.headers, answer.body)
        });
        assert_eq!(answers[0].0, 200);
        assert!(answers.iter().skip(1).all(|it| *it == answers[0]), "{accept}");
    }
    assert_eq!(visit.count("mail"), 3 * i64::try_from(names.len()).unwrap(), "one row each");
    assert_eq!(addresses(&visit), ["Anna@Example.com"]);
    assert_eq!(visit.count("mail"), 0);
}

#[test]
fn refuses_what_is_no_name_and_exists_with_mail_alone() {
    let mut visit = with_mail();
    for bad in [&[][..], &[("name", "")], &[("name", "  ")], &[("name", &"x".repeat(255))]] {
        assert_eq!(plain(&visit.post("/forgot", bad)), (400, "Invalid username"));
    }
    let page = visit.ask("GET", "/login", &[("Accept", "text/html")], "");
    assert!(body(&page).contains("href=\"/forgot\""));
    assert_eq!(visit.get("/forgot").status, 200);
    let mut without = Visit::with(of_example());
    let page = without.ask("GET", "/login", &[("Accept", "text/html")], "");
    assert!(!body(&page).contains("forgot"));
    assert_eq!((without.get("/forgot").status, without.post("/forgot", &[]).status), (404, 404));
}

// Attack 2.
#[test]
fn takes_the_address_of_a_link_from_the_origin_alone() {
    let mut visit = with_mail();
    for name in ["Host", "X-Forwarded-Host", "X-Original-URL", "Forwarded"] {
        visit = visit.send(name, "evil.example");
    }
    visit = visit.send("X-Forwarded-Proto", "http");
    ask(&mut visit, "anna");
    let mails = sent(&visit);
    assert!(!mails[0].text.contains("evil"), "{}", mails[0].text);
    assert!(mails[0].text.contains("\nhttps://auth.example.com/reset?token="));
}

// Attack 4.
#[test]
fn writes_to_the_stored_address_and_never_to_a_twin_that_was_typed() {
    let mut visit = with_mail();
    set_email(&visit, "anna", "Mike.Simms@example.com");
    for twin in [
        "m\u{131}ke.simms@example.com",
        "mike.\u{17f}imms@example.com",
        "mike.simms@exampl\u{454}.com",
        "mike.simms@example.com@evil.example",
        "mike.simms@example.com\r\nBcc: eve@evil.example",
        "mike.simms@example.com,eve@evil.example",
    ] {
        assert_eq!(ask(&mut visit, twin).0, 200);
        assert_eq!(addresses(&visit), [""; 0], "{twin:?}");
    }
    // The last one names the same domain, for every program that knows its other scripts (RFC 5891).
    for spelling in [" MIKE.simms@EXAMPLE.com ", "mike.simms@exampl\u{ff45}.com"] {
        assert_eq!(ask(&mut visit, spelling).0, 200);
        assert_eq!(addresses(&visit), ["Mike.Simms@example.com"]);
        visit.wait(5 * MINUTE);
    }
}

/// A text of ASCII characters as both engines write it, with those that no quotes can hold.
fn written(text: &str) -> String {
    let codes: Vec<_> = text.bytes().map(|it| it.to_string()).collect();
    format!("char({})", codes.join(","))
}

// Attack 3, of names: addresses are refused where they are set.
#[test]
fn puts_a_name_on_one_line_and_makes_no_link_of_it() {
    for (name, shown) in [
        ("a\r\n\r\nhttp://evil.example", "\"a    http: //evil.example\""),
        ("WWW.evil.example", "\"www .evil.example\""),
        ("a\u{0}b", "a b"),
        ("{link}", "{link}"),
    ] {
        let mut visit = with_mail();
        let mut raw = visit.raw();
        raw.run(&format!("UPDATE user SET username = {}", written(name)));
        let canonical = name.to_lowercase();
        raw.run(&format!("UPDATE user SET canonical_username = {}", written(&canonical)));
        ask(&mut visit, "anna@example.com");
        let mails = sent(&visit);
        let lines = mails[0].text.lines().filter(|it| it.contains("://")).count();
        assert_eq!(lines, 1, "{}", mails[0].text);
        assert!(mails[0].text.contains(shown), "{shown} is not in {}", mails[0].text);
    }
}

// Attack 5.
#[test]
fn mails_one_account_no_more_than_once_in_five_minutes_and_ten_times_a_day() {
    let mut visit = with_mail();
    ask(&mut visit, "anna");
    let first = sent(&visit).remove(0);
    for number in 0..1_000_u32 {
        visit.peer = Some(IpAddr::from([198, 51, 100, u8::try_from(number % 100).unwrap()]));
        let name = if number % 2 == 0 { "anna" } else { "anna@example.com" };
        let status = ask(&mut visit, name).0;
        assert!(status == 200 || status == 429, "{status}");
    }
    assert_eq!(addresses(&visit), [""; 0]);
    visit.wait(MINUTE);
    assert_eq!(visit.get(&link(&first)).status, 200, "the owner's link stays good");
    let mut count = 1;
    for minute in 1..24 * 60_u32 {
        visit.now = MORNING.after(MINUTE * minute);
        if minute % 5 == 0 {
            visit.peer = Some(IpAddr::from([203, 0, 113, u8::try_from(minute / 5 % 250).unwrap()]));
            ask(&mut visit, "anna");
            count += addresses(&visit).len();
        }
    }
    assert_eq!(count, 10);
    visit.now = MORNING.after(24 * 60 * MINUTE);
    ask(&mut visit, "anna");
    assert_eq!(addresses(&visit).len(), 1, "the next day");
}

#[test]
fn lets_one_address_ask_for_some_mails_and_then_wait() {
    let mut visit = with_mail();
    visit.peer = Some(IpAddr::from([198, 51, 100, 7]));
    let asked: Vec<_> = (0..21).map(|it| ask(&mut visit, &format!("name{it}")).0).collect();
    assert_eq!(asked.iter().filter(|it| **it == 200).count(), 20);
    let answer = visit.post("/forgot", &[("name", "anna")]);
    assert_eq!((answer.status, answer.value("Retry-After")), (429, Some("60")));
    visit.peer = Some(IpAddr::from([198, 51, 100, 8]));
    assert_eq!(ask(&mut visit, "anna").0, 200);
}

// Attack 7.
#[test]
fn takes_a_mailed_link_once_within_an_hour_and_before_a_new_password() {
    let mut visit = with_mail();
    let ask_later = |visit: &mut Visit| {
        visit.wait(5 * MINUTE);
        ask(visit, "anna");
        link(sent(visit).iter().find(|it| it.kind() == "reset").unwrap())
    };
    let (first, second) = (ask_later(&mut visit), ask_later(&mut visit));
    assert_eq!((visit.get(&first).status, visit.get(&second).status), (200, 200));
    assert_eq!(set_password(&mut visit, &second, "battery staple"), 302);
    assert_eq!(set_password(&mut visit, &first, "another staple"), 404, "one ends all");
    let late = ask_later(&mut visit);
    visit.wait(60 * MINUTE);
    assert_eq!(visit.get(&late).status, 200);
    visit.wait(Duration::from_millis(1));
    assert_eq!(set_password(&mut visit, &late, "another staple"), 404, "1 h and 1 ms");
    let before = ask_later(&mut visit);
    visit.post("/login", &[("username", "anna"), ("password", "battery staple")]);
    let change = [("current_password", "battery staple"), ("password", "horse battery")];
    assert_eq!(visit.post("/account/password", &change).status, 302);
    assert_eq!(set_password(&mut visit, &before, "another staple"), 404, "after a new password");
}

// Attack 8.
#[test]
fn changes_nothing_for_a_scanner_that_follows_links_and_sends_forms() {
    let mut visit = with_mail();
    ask(&mut visit, "anna");
    let link = link(&sent(&visit)[0]);
    let token = link.split_once('=').unwrap().1.to_owned();
    for method in ["GET", "HEAD", "GET"] {
        assert_eq!(visit.ask(method, &link, &[("Accept", "text/html")], "").status, 200);
    }
    // The form as it is on the page: nothing was typed into it.
    let answer = visit.post("/reset", &[("token", &token), ("username", "anna"), ("password", "")]);
    assert_eq!(answer.status, 400);
    assert_eq!(sign_in(&mut visit, "anna", "correct horse"), 302);
    assert_eq!(set_password(&mut visit, &link, "battery staple"), 302, "it is still good");
}

// Attack 15.
#[test]
fn goes_on_and_says_nothing_when_the_queue_is_full() {
    let mut visit = with_mail();
    let mut raw = visit.raw();
    for from in (0..10_000).step_by(1_000) {
        let rows = (from..from + 1_000).map(|n| format!("('n{n}','reset','x','','en','',1,1)"));
        let rows = rows.collect::<Vec<_>>().join(",");
        raw.run(&format!(
            "INSERT INTO mail (id, kind, user_id, address, language, detail, created_at, due_at) VALUES {rows}"
        ));
    }
    assert_eq!(ask(&mut visit, "anna"), (200, ACCEPTED.to_owned()));
    assert_eq!(visit.count("mail"), 10_000);
    assert_eq!(sign_in(&mut visit, "anna", "correct horse"), 302);
}

// Attack 14.
#[test]
fn lets_mails_wait_while_the_database_takes_no_write_and_shows_pages_as_ever() {
    let mailing = || Settings { has_mail: true, ..of_example() };
    let mut visit = Visit::over_file_with(tempfile::tempdir().unwrap(), mailing());
    sign_up(&mut visit, "anna");
    let path = visit.folder.path().join("test.db");
    let store = engine::file(&path);
    let anna = Username::for_sign_in("anna").unwrap();
    let id = users::by_name(&*store, &anna).unwrap().unwrap().id;
    users::set_email(&*store, &id, "anna@example.com", MORNING).unwrap();
    ask(&mut visit, "anna");
    drop(store);
    let mut raw = engine::raw_file(&path);
    raw.row("PRAGMA wal_checkpoint(TRUNCATE)");
    drop(raw);
    // What is in its header makes SQLite take a file for read-only.
    let write = |version: u8| {
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[version], 18).unwrap();
    };
    write(3);
    assert!(visit.site.next_mail(visit.now).is_err(), "none is sent without a lease");
    assert_eq!((visit.get("/login").status, visit.get("/forgot").status), (200, 200));
    assert_eq!(ask(&mut visit, "anna").0, 503);
    write(2);
    // SQLite looks at this once for each connection.
    let mut visit = Visit::over_file_with(visit.folder, mailing());
    visit.wait(MINUTE);
    assert_eq!(addresses(&visit), ["anna@example.com"]);
}

// Attack 16; of the log it is in `server/mail.rs`.
#[test]
fn keeps_no_token_of_a_link_anywhere_in_the_database() {
    let mut visit = with_mail();
    ask(&mut visit, "anna");
    let mail = next(&visit.site, visit.now).unwrap();
    visit.site.mail_failed(&mail, "451", visit.now).unwrap();
    let kept = String::from_utf8_lossy(&engine::everything(visit.folder.path())).into_owned();
    let token = link(&mail).split_once('=').unwrap().1.to_owned();
    assert!(!kept.contains(&token) && !kept.contains("token="), "only its hash");
    let rows = visit.raw().texts("SELECT concat(address, detail) FROM mail").join(" ");
    assert!(!rows.contains('@'), "where a link goes is asked when it is sent: {rows}");
    let tokens = visit.raw().texts("SELECT hex(id) FROM one_time_token").join(" ");
    assert!(!tokens.to_lowercase().contains(&token), "only its hash");
}

// Attack 17.
#[test]
fn sends_nothing_to_a_user_who_is_gone_disabled_or_has_another_address_by_now() {
    for (change, expected) in
        [("delete", None), ("disable", None), ("unverify", None), ("move", Some("new@example.com"))]
    {
        let mut visit = with_mail();
        ask(&mut visit, "anna");
        let (id, store) = (user(&visit, "anna").id, engine::open(visit.folder.path()));
        match change {
            "delete" => drop(users::delete(&*store, &id, Rest::default(), None, MORNING).unwrap()),
            "disable" => drop(users::disable(&*store, &id, "", MORNING).unwrap()),
            "move" => set_email(&visit, "anna", "new@example.com"),
            _ => visit.raw().run("UPDATE user SET email_verified_at = NULL"),
        }
        let to = addresses(&visit);
        assert_eq!(to.first().map(String::as_str), expected, "{change}");
        assert_eq!((to.len() <= 1, visit.count("mail")), (true, 0), "{change}");
    }
}

#[test]
fn writes_to_each_account_of_an_address_with_its_name() {
    let mut visit = with_mail();
    for number in 0..6 {
        let name = format!("twin{number}");
        visit.wait(MINUTE);
        sign_up(&mut visit, &name);
        set_email(&visit, &name, "ANNA@example.com");
    }
    ask(&mut visit, "anna@example.com");
    let mails = sent(&visit);
    assert_eq!(mails.len(), 5, "no more, however many there are");
    assert!(mails.iter().any(|it| it.text.contains("anna at")));
    assert!(mails.iter().any(|it| it.text.contains("twin3 at")));
}

#[test]
fn tries_a_mail_again_later_with_a_new_link_and_gives_a_late_one_up() {
    let mut visit = with_mail();
    ask(&mut visit, "anna");
    let mut links = Vec::new();
    for minutes in [1, 2, 4, 8, 16] {
        let mail = next(&visit.site, visit.now).unwrap();
        links.push(link(&mail));
        visit.site.mail_failed(&mail, "451", visit.now).unwrap();
        visit.wait(Duration::from_millis(minutes * 60_000 - 1));
        assert!(next(&visit.site, visit.now).is_none(), "not yet, after {minutes}");
        visit.wait(Duration::from_millis(1));
    }
    let good: Vec<_> = links.iter().map(|it| visit.get(it).status).collect();
    assert_eq!(good, [404, 404, 200, 200, 200], "three of them are good");
    let store = engine::open(visit.folder.path());
    let waiting = mail::waiting(&*store, 9).unwrap();
    assert_eq!((waiting.len(), waiting[0].tries, &*waiting[0].last_outcome), (1, 5, "451"));
    visit.now = MORNING.after(60 * MINUTE + Duration::from_millis(1));
    assert!(matches!(visit.site.next_mail(visit.now).unwrap(), NextMail::GivenUp { .. }));
    assert_eq!(visit.count("mail"), 0);
}

#[test]
fn sends_a_mail_again_that_a_server_took_and_died_with() {
    let mut visit = with_mail();
    ask(&mut visit, "anna");
    let lost = next(&visit.site, visit.now).unwrap();
    visit.wait(10 * MINUTE);
    assert!(next(&visit.site, visit.now).is_none(), "another server may still be sending it");
    visit.wait(Duration::from_millis(1));
    let again = next(&visit.site, visit.now).unwrap();
    assert_eq!(again.id(), lost.id(), "by which a reader tells the second one");
    visit.site.mail_done(&lost).unwrap();
    assert_eq!(visit.count("mail"), 1, "it is another server's by now");
    visit.site.mail_done(&again).unwrap();
    assert_eq!(visit.count("mail"), 0);
}
