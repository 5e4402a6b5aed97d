//! Names that apps trust: those that an account has had, and those that stand for an office.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use vestibule::auth::invitations::{self, NewInvite};
use vestibule::auth::names::{Reserved, Rest};
use vestibule::auth::sign_in::Rules;
use vestibule::store::Groups;
use vestibule::web::Settings;
use vestibule::web::http::Response;

use crate::binary::{Binary, vestibule};
use crate::cli::copy::{on, refusal, said};
use crate::engine;
use crate::visit::{Visit, of_example, plain};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const PASSWORD: &str = "three unrelated words";
const TAKEN: (u16, &str) = (400, "Username already taken");

fn sign_up(visit: &mut Visit, name: &str) -> Response {
    visit.forget_everything();
    visit.post("/signup", &[("username", name), ("password", PASSWORD)])
}

/// A visit after `anna` has deleted her account.
fn after_anna(settings: Settings) -> Visit {
    let mut visit = Visit::with(settings);
    assert_eq!(sign_up(&mut visit, "anna").status, 302);
    assert_eq!(visit.post("/account/delete", &[("password", PASSWORD)]).status, 302);
    assert_eq!(visit.count("user"), 0);
    visit
}

#[test]
fn keeps_the_name_of_a_deleted_account_reserved_for_a_year() {
    let mut visit = after_anna(of_example());
    for spelling in ["anna", "ANNA", "ａｎｎａ"] {
        assert_eq!(plain(&sign_up(&mut visit, spelling)), TAKEN, "{spelling}");
    }
    visit.wait(365 * DAY);
    assert_eq!(visit.site.sweep(visit.now).unwrap(), 0, "nothing is forgotten before its time");
    assert_eq!(plain(&sign_up(&mut visit, "anna")), TAKEN, "the last moment");
    visit.wait(Duration::from_millis(1));
    assert!(visit.site.sweep(visit.now).unwrap() > 0);
    assert_eq!(visit.count("resting_name"), 0);
    assert_eq!(sign_up(&mut visit, "anna").status, 302);
}

#[test]
fn lets_a_name_rest_for_as_long_as_the_operator_says() {
    let with = |rest| Settings {
        rules: Rules { rest: Rest::new(rest), ..Rules::default() },
        ..Settings::default()
    };
    let mut visit = after_anna(with(2 * DAY));
    visit.wait(2 * DAY);
    assert_eq!(plain(&sign_up(&mut visit, "anna")), TAKEN);
    visit.wait(Duration::from_millis(1));
    assert_eq!(sign_up(&mut visit, "anna").status, 302, "swept or not");
    let mut visit = after_anna(with(Duration::ZERO));
    assert_eq!(sign_up(&mut visit, "anna").status, 302);
}

#[test]
fn reserves_names_of_an_office_wherever_the_site_is_served_for_real() {
    let offices = [
        "admin",
        "administrator",
        "root",
        "postmaster",
        "webmaster",
        "hostmaster",
        "abuse",
        "security",
        "support",
        "system",
        "operator",
        "vestibule",
        "Admin",
        "ＲＯＯＴ",
        "ſupport",
        "admin.",
        "_Admin_",
        "-root-",
        "..support",
        "(admin)",
        "ádmin",
        "ＡＤＭＩŃ.",
        "a\u{308}dmin",
        "RÖÖT",
        "ad.min",
        "no_reply",
        "Web-Master",
        "mailer.daemon",
    ];
    for office in offices {
        let mut visit = Visit::with(of_example());
        assert_eq!(plain(&sign_up(&mut visit, office)), TAKEN, "{office}");
        assert_eq!((visit.count("user"), visit.site.hashes_computed()), (0, 0));
        let mut visit = Visit::new();
        assert_eq!(sign_up(&mut visit, office).status, 302, "where it is tried out: {office}");
    }
    for name in ["admin.anna", "adminanna", "rootbeer", "----", "sys-admin-2"] {
        assert_eq!(sign_up(&mut Visit::with(of_example()), name).status, 302, "{name}");
    }
}

#[test]
fn reserves_what_the_operator_lists_beside_them() {
    let reserved = Reserved::read("Boss\nceo-of-us # him\n").unwrap();
    let rules = Rules { reserved, ..Rules::default() };
    let mut visit = Visit::with(Settings { rules, ..of_example() });
    for name in ["boss", "BOSS", "CEO-of-us", "admin"] {
        assert_eq!(plain(&sign_up(&mut visit, name)), TAKEN, "{name}");
    }
    assert_eq!(plain(&sign_up(&mut visit, "_böss_")), TAKEN);
    assert_eq!(sign_up(&mut visit, "bossy").status, 302);
    let reserved = Reserved::read("Boss\n").unwrap();
    let rules = Rules { reserved, ..Rules::default() };
    let mut visit = Visit::with(Settings { rules, ..Settings::default() });
    assert_eq!(plain(&sign_up(&mut visit, "BOSS")), TAKEN);
    assert_eq!(sign_up(&mut visit, "boss.").status, 302, "where it is tried out");
}

#[test]
fn gives_no_reserved_name_to_a_visitor_with_an_invitation() {
    let mut visit = after_anna(of_example());
    let store = engine::open(visit.folder.path());
    let new = NewInvite { note: String::new(), groups: Groups::default(), uses: 1, life: DAY };
    let (_, token) = invitations::create(&*store, new, visit.now).unwrap();
    for (name, expected) in [("admin", 400), ("anna", 400), ("bertha", 302)] {
        visit.forget_everything();
        let fields = [("username", name), ("password", PASSWORD), ("invite", token.reveal())];
        assert_eq!(visit.post("/signup", &fields).status, expected, "{name}: no use is gone");
    }
}

#[test]
fn answers_the_same_to_a_name_that_is_taken_that_rests_and_that_is_reserved() {
    let mut visit = after_anna(of_example());
    assert_eq!(sign_up(&mut visit, "bobo").status, 302);
    visit.wait(DAY);
    let computed = visit.site.hashes_computed();
    for accept in ["*/*", "text/html", "application/json"] {
        let [taken, rests, reserved] = ["bobo", "anna", "root"].map(|name| {
            visit.forget_everything();
            let headers =
                [("Accept", accept), ("Content-Type", "application/x-www-form-urlencoded")];
            let form = format!("username={name}&password=three+unrelated+words&by_page=1");
            let answer = visit.ask("POST", "/signup", &headers, &form);
            let body = String::from_utf8(answer.body.to_vec()).unwrap().replace(name, "NAME");
            let reason = answer.note.fields.iter().find(|(field, _)| *field == "reason").cloned();
            (answer.status, answer.headers, body, answer.note.event.name(), reason)
        });
        assert!(taken == rests && taken == reserved, "{accept}: {taken:?} {rests:?} {reserved:?}");
    }
    assert_eq!(visit.site.hashes_computed(), computed, "none costs a hash");
}

// The operator.

/// Runs a command on this folder's database, with a good password on standard input.
fn run(folder: &Path, words: &[&str]) -> Output {
    fs::write(folder.join("password"), "three unrelated words\n").unwrap();
    let mut command = vestibule(words);
    command.arg("--database").arg(folder.join("test.db"));
    command.stdin(fs::File::open(folder.join("password")).unwrap());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
}

#[test]
fn tells_the_operator_that_a_name_rests_and_frees_it_when_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let user = |words: &[&str]| run(folder.path(), &[&["user"], words].concat());
    let server = Binary::start(folder.path(), &["--name-rest=1d"]);
    for name in ["anna", "bobo", "carl"] {
        server.sign_up(name);
    }
    said(&user(&["delete", "anna", "--yes"]));
    said(&user(&["rename", "bobo", "bobby"]));
    for words in [&["add", "Anna"][..], &["rename", "carl", "ANNA"], &["add", "bobo"]] {
        let name = words.last().unwrap();
        let text = refusal(&user(words), 1);
        let advice = format!("the name {name} is reserved");
        assert!(text.contains(&advice) && text.contains(&format!("user free {name}")), "{text}");
    }
    for name in ["anna", "bobo"] {
        let form = format!("username={name}&password=correct+horse");
        let answer = server.post("/signup", &form, None);
        assert_eq!((answer.status, &*answer.body), TAKEN, "{name}");
    }
    said(&user(&["rename", "bobby", "bobo"]));
    let text = refusal(&user(&["free", "bobo"]), 1);
    assert!(text.contains("the name bobo is not reserved"), "who took it back has it: {text}");
    assert!(said(&user(&["free", "ＡＮＮＡ"])).contains("can be taken again"));
    assert!(refusal(&user(&["free", "anna"]), 1).contains("is not reserved"));
    server.sign_up("anna");
    said(&user(&["free", "bobby"]));
    said(&user(&["delete", "carl", "--yes", "--name-rest=0"]));
    said(&user(&["add", "carl"]));
    said(&user(&["key", "add", "anna", "username:annette"]));
    said(&user(&["key", "remove", "anna", "username:ANNETTE"]));
    for words in [&["add", "annette"][..], &["key", "add", "carl", "username:Annette"]] {
        assert!(refusal(&user(words), 1).contains("vestibule user free"), "{words:?}");
    }
    said(&user(&["key", "add", "anna", "username:annette"]));
    said(&user(&["key", "remove", "anna", "username:annette", "--name-rest=0"]));
    said(&user(&["key", "add", "carl", "username:annette"]));
    let trail = said(&run(folder.path(), &["audit", "--json"]));
    assert_eq!(trail.matches("\"user_free\"").count(), 2);
}

#[test]
fn keeps_a_hash_of_the_name_of_a_deleted_account_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let user = |words: &[&str]| said(&run(folder.path(), &[&["user"], words].concat()));
    let server = Binary::start(folder.path(), &[]);
    let cookie = server.sign_up("Owner-1");
    let failed = server.post("/login", "username=OWNER-1&password=wrong", None);
    assert_eq!(failed.status, 400);
    let deleted = server.post("/account/delete", "password=correct+horse", Some(&cookie));
    assert_eq!(deleted.status, 302);
    user(&["add", "Added-2"]);
    user(&["key", "add", "added-2", "username:Alias-3"]);
    user(&["key", "remove", "added-2", "username:alias-3"]);
    user(&["key", "add", "added-2", "username:other-4"]);
    user(&["rename", "added-2", "Named-5"]);
    user(&["delete", "named-5", "--yes"]);
    user(&["free", "added-2"]);
    server.stop();
    let names = ["owner-1", "added-2", "alias-3", "other-4", "named-5"];
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        for name in names {
            assert!(!text.contains(name), "{name} in {}", path.display());
        }
    }
    // Who knows a name finds what its owner did.
    for name in names {
        let found = said(&run(folder.path(), &["audit", "--user", name, "--json"]));
        let last = if name == "owner-1" { "account_delete" } else { "user_delete" };
        assert!(found.lines().last().unwrap().contains(last), "{name}: {found}");
        assert!(!found.contains(name), "{found}");
    }
}

#[test]
fn brings_no_user_over_whose_name_is_reserved() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("test.db");
    Binary::start(folder.path(), &[]).sign_up("anna");
    let export = folder.path().join("people.jsonl");
    said(&on(&database, &["export", export.to_str().unwrap()]));
    said(&on(&database, &["user", "delete", "anna", "--yes"]));
    let import = ["import", "vestibule", export.to_str().unwrap()];
    for more in [&["--dry-run"][..], &[]] {
        let output = on(&database, &[&import[..], more].concat());
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(
            told.contains("has a name that is reserved") && told.contains("user free"),
            "{told}"
        );
    }
    said(&on(&database, &["user", "free", "anna"]));
    said(&on(&database, &import));
    assert!(said(&on(&database, &["user", "list"])).contains("anna"));
}

#[test]
fn counts_one_name_that_a_restore_reserves_as_one() {
    let folder = tempfile::tempdir().unwrap();
    said(&run(folder.path(), &["user", "add", "anna", "--no-password"]));
    let copy = folder.path().join("copy.db");
    said(&run(folder.path(), &["backup", copy.to_str().unwrap()]));
    said(&run(folder.path(), &["user", "delete", "anna", "--yes"]));
    let told = said(&run(folder.path(), &["restore", copy.to_str().unwrap(), "--yes"]));
    assert!(told.contains("1 name stays reserved\n"), "{told}");
}

#[test]
fn frees_no_name_by_a_restore() {
    let folder = tempfile::tempdir().unwrap();
    let user = |words: &[&str]| said(&run(folder.path(), &[&["user"], words].concat()));
    let server = Binary::start(folder.path(), &[]);
    for name in ["anna", "bobo"] {
        server.sign_up(name);
    }
    let copy = folder.path().join("copy.db");
    said(&run(folder.path(), &["backup", copy.to_str().unwrap()]));
    for name in ["carl", "dora", "erna"] {
        server.sign_up(name);
    }
    user(&["delete", "carl", "--yes"]);
    user(&["rename", "bobo", "bobby"]);
    user(&["rename", "dora", "doris"]);
    user(&["key", "add", "anna", "username:annette"]);
    server.stop();
    let told = said(&run(folder.path(), &["restore", copy.to_str().unwrap(), "--yes"]));
    assert!(told.contains("7 names stay reserved"), "{told}");
    let server = Binary::start(folder.path(), &[]);
    // Deleted, renamed and made since, renamed from there, and there again.
    for name in ["carl", "dora", "doris", "erna", "bobby", "anna", "bobo", "annette"] {
        let form = format!("username={name}&password=correct+horse");
        let answer = server.post("/signup", &form, None);
        assert_eq!((answer.status, &*answer.body), TAKEN, "{name}");
    }
    server.sign_up("zora");
    server.stop();
    user(&["rename", "bobo", "bobby"]);
    // A backup from before there was such a table, in the place of one that cannot be read.
    let raw = rusqlite::Connection::open(&copy).unwrap();
    raw.execute_batch(&engine::TO_SCHEMA_11.join(";")).unwrap();
    raw.execute_batch(
        "DROP TABLE resting_name; DROP TABLE one_time_token; DROP TABLE clock;
         CREATE TABLE ticket (id BLOB, user_id TEXT, created_at INTEGER, expires_at INTEGER);
         PRAGMA user_version = 7;",
    )
    .unwrap();
    drop(raw);
    let restore = ["restore", copy.to_str().unwrap(), "--yes"];
    assert!(said(&run(folder.path(), &restore)).contains("names stay reserved"));
    let told = said(&run(folder.path(), &["user", "add", "zorro"]));
    assert!(told.contains("zorro"), "{told}");
    for name in ["zora", "carl"] {
        assert!(
            refusal(&run(folder.path(), &["user", "add", name]), 1).contains("is reserved"),
            "{name}"
        );
    }
    fs::write(folder.path().join("test.db"), "SQLite format 3\0 and no more").unwrap();
    let told = said(&run(folder.path(), &restore));
    assert!(told.contains("could not be read"), "{told}");
}

#[test]
fn gives_reserved_names_to_the_operator_alone() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("names");
    fs::write(&list, "# ours\nboss\n").unwrap();
    let flag = format!("--reserved-names={}", list.display());
    let server = Binary::start(folder.path(), &["--origin=https://auth.test", &flag]);
    for name in ["boss", "admin"] {
        let form = format!("username={name}&password=three+unrelated+words");
        let answer = server.post("/signup", &form, None);
        assert_eq!((answer.status, &*answer.body), TAKEN, "{name}");
        said(&run(folder.path(), &["user", "add", name]));
    }
    server.stop();
    for (text, why) in [("x".repeat(32), "line 1 is no name"), (String::new(), "is empty")] {
        fs::write(&list, text).unwrap();
        let output = vestibule(&["serve", "--listen=unix:/no/where", &flag]).output().unwrap();
        assert!(refusal(&output, 2).contains(why), "{why}");
    }
}

#[test]
fn says_at_start_that_any_visitor_can_create_an_account_that_checks_let_through() {
    let guard = ["--origin=https://auth.example.com", "--cookie-domain=example.com"];
    let cases: [(&[&str], usize); 5] = [
        (&[], 0),
        (&guard[..1], 0),
        (&guard, 1),
        (&["--alias=authelia"], 1),
        (&[guard[0], guard[1], "--signup=invite"], 0),
    ];
    for (flags, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let log = Binary::start(folder.path(), flags).stop();
        let lines: Vec<_> = log.lines().filter(|it| it.contains("ev=open_signup ")).collect();
        assert_eq!(lines.len(), expected, "{flags:?} {log}");
        assert!(lines.iter().all(|it| it.contains("--signup invite or closed")), "{log}");
    }
}
