//! What an operator does on the database of a running server.

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::binary::{Binary, vestibule};

/// Runs a command on this folder's database, with this on standard input.
pub fn run(folder: &Path, words: &[&str], input: &str) -> Output {
    let database = folder.join("test.db");
    let mut command = vestibule(words);
    command.args(["--database", database.to_str().unwrap()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have ended without reading it.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

/// Runs `vestibule user` on this folder's database.
fn user(folder: &Path, words: &[&str]) -> Output {
    run(folder, &[&["user"], words].concat(), "")
}

pub fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Why a command that is right could not be done.
pub fn refusal(output: &Output) -> String {
    told_with(output, 1)
}

/// Why a command line cannot be meant.
pub fn wrong_usage(output: &Output) -> String {
    told_with(output, 2)
}

fn told_with(output: &Output, code: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn puts_a_user_in_groups_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--trusted-proxy=127.0.0.1"]);
    let cookie = server.sign_up("Anna");
    let groups = || {
        let answer = server.get("/auth/nginx", Some(&cookie));
        answer.value("Remote-Groups").unwrap_or("").to_owned()
    };
    assert_eq!(groups(), "");
    assert!(said(&user(folder.path(), &["groups", "anna", "staff,admin"])).contains("admin,staff"));
    assert_eq!(groups(), "admin,staff");
    said(&user(folder.path(), &["groups", "ANNA", ""]));
    assert_eq!(groups(), "");
    said(&user(folder.path(), &["email", "anna", "anna@example.com"]));
    let answer = server.get("/auth/nginx", Some(&cookie));
    assert_eq!(answer.value("Remote-Email"), Some("anna@example.com"));
}

#[test]
fn finds_a_user_whose_name_is_typed_with_space_around_it() {
    let folder = tempfile::tempdir().unwrap();
    let add = |name| run(folder.path(), &["user", "add", name], "three unrelated words\n");
    assert!(said(&add(" anna ")).starts_with("anna is added"));
    said(&user(folder.path(), &["groups", "anna ", "staff"]));
    assert!(said(&user(folder.path(), &["show", " Anna"])).contains("staff"));
    said(&user(folder.path(), &["unlock", "anna "]));
    said(&run(folder.path(), &["session", "list", "anna "], ""));
    said(&user(folder.path(), &["key", "add", "anna", "username:anna.b "]));
    said(&user(folder.path(), &["key", "remove", "anna", "username: anna.b"]));
    said(&user(folder.path(), &["rename", "anna ", " berta "]));
    assert!(said(&user(folder.path(), &["show", "berta"])).contains("berta"));
    said(&user(folder.path(), &["delete", "berta ", "--yes"]));
    assert!(said(&run(folder.path(), &["audit", "--user", " berta "], "")).contains("user_delete"));
    assert!(said(&user(folder.path(), &["free", "berta "])).contains("berta"));
    assert!(refusal(&user(folder.path(), &["show", "nobody "])).contains("nobody"));
    assert_eq!(user(folder.path(), &["show", "   "]).status.code(), Some(2));
}

#[test]
fn disables_a_user_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--trusted-proxy=127.0.0.1"]);
    let cookie = server.sign_up("anna");
    let told = said(&user(folder.path(), &["disable", "anna", "--reason", "left\u{7}"]));
    assert!(told.starts_with("anna is disabled; 1 session ended\n"), "{told}");
    let told = said(&user(folder.path(), &["show", "anna"]));
    assert!(told.contains("disabled         since 20"), "{told}");
    assert!(told.contains(": left\u{fffd}\n"), "{told}");
    assert_eq!(server.get("/auth/nginx", Some(&cookie)).status, 401);
    let answer = server.post("/login", "username=anna&password=correct+horse", None);
    assert_eq!((answer.status, &*answer.body), (400, "Incorrect username or password"));
    said(&user(folder.path(), &["enable", "anna"]));
    assert_eq!(server.post("/login", "username=anna&password=correct+horse", None).status, 302);
    let log = server.stop();
    assert!(log.contains("ev=login_fail reason=disabled"), "{log}");
    let raw = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    let sql = "SELECT count(*) FROM audit WHERE event LIKE 'user_%' AND user_id IS NOT NULL";
    assert_eq!(raw.query_row(sql, [], |row| row.get::<_, i64>(0)), Ok(2));
}

#[test]
fn shows_a_user_to_people_and_to_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    server.sign_up("Anna");
    let told = said(&user(folder.path(), &["show", "anna"]));
    assert!(
        told.contains("username         Anna\n") && told.contains("sessions         1\n"),
        "{told}"
    );
    let told = said(&user(folder.path(), &["show", "anna", "--json"]));
    let data: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&data["username"], &data["sessions"]), (&"Anna".into(), &1.into()));
}

#[test]
fn says_in_one_line_what_cannot_be_done() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refusal(&user(folder.path(), &["show", "anna"])).contains("there is no database"));
    assert!(!folder.path().join("test.db").exists());
    let server = Binary::start(folder.path(), &[]);
    server.sign_up("anna");
    for (words, text) in [
        (&["show", "bob"][..], "there is no user bob"),
        (&["delete", "anna"], "--yes"),
        (&["add", "Anna", "--no-password"], "already"),
        (&["add", "bertha"], "standard input"),
    ] {
        assert!(refusal(&user(folder.path(), words)).contains(text), "{words:?}");
    }
}

pub fn sign_in(server: &Binary, name: &str, password: &str) -> u16 {
    server.post("/login", &format!("username={name}&password={password}"), None).status
}

#[test]
fn makes_an_account_with_a_password_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--signup=closed", "--trusted-proxy=127.0.0.1"]);
    assert_eq!(server.post("/signup", "username=anna&password=correct+horse", None).status, 403);
    let words = ["user", "add", "Anna", "--groups", "staff"];
    let told = said(&run(folder.path(), &words, "three unrelated words\n"));
    assert!(told.starts_with("Anna is added, with a password; groups: staff; id "), "{told}");
    assert_eq!(sign_in(&server, "anna", "three+unrelated+words"), 302);
    for (password, text) in
        [("short", "at least 8"), ("password1", "many people"), ("bertha-bertha", "")]
    {
        let output = run(folder.path(), &["user", "add", "bertha-bertha"], password);
        let expected = if text.is_empty() { "a name is no password" } else { text };
        assert!(refusal(&output).contains(expected), "{password}");
    }
    let output = run(folder.path(), &["user", "add", "bertha", "--password-policy=seed"], "simple");
    said(&output);
    said(&user(folder.path(), &["add", "carla", "--no-password"]));
    assert_eq!(sign_in(&server, "carla", "x"), 400);
}

#[test]
fn refuses_the_passwords_that_the_sign_up_page_refuses() {
    let folder = tempfile::tempdir().unwrap();
    said(&user(folder.path(), &["add", "bertha", "--no-password"]));
    let origin = "--origin=https://auth.vereinsheim.example";
    for (words, password) in [
        (&["add", "anna"][..], "vestibule"),
        (&["add", "anna"], "Vestibule"),
        (&["add", "anna", origin], "vereinsheim"),
        (&["add", "anna", origin], "auth.vereinsheim.example"),
        (&["passwd", "bertha"], "vestibule"),
        (&["passwd", "bertha", origin], "vereinsheim"),
    ] {
        let output = run(folder.path(), &[&["user"], words].concat(), password);
        assert!(refusal(&output).contains("a name is no password"), "{words:?} {password}");
    }
}

#[test]
fn sets_a_password_and_ends_every_session() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    let cookie = server.sign_up("anna");
    said(&run(folder.path(), &["user", "passwd", "anna"], "three unrelated words"));
    assert!(!server.is_signed_in(&cookie));
    assert_eq!(sign_in(&server, "anna", "correct+horse"), 400);
    assert_eq!(sign_in(&server, "anna", "three+unrelated+words"), 302);
    said(&user(folder.path(), &["add", "carla", "--no-password"]));
    said(&run(folder.path(), &["user", "passwd", "carla"], "three unrelated words"));
    assert_eq!(sign_in(&server, "carla", "three+unrelated+words"), 302);
}

/// Lets the one user there is be called `after-rename`, as an import does with a user whom Lucia's
/// `updateUserAttributes` has renamed.
fn rename_without_the_key(folder: &Path) {
    let raw = rusqlite::Connection::open(folder.join("test.db")).unwrap();
    let sql = "UPDATE user SET username = 'after-rename', canonical_username = 'after-rename'";
    assert_eq!(raw.execute(sql, []), Ok(1));
}

fn keys_of(folder: &Path, name: &str) -> Vec<String> {
    let told = said(&user(folder, &["key", "list", name, "--json"]));
    let id = |line: &str| {
        let data: serde_json::Value = serde_json::from_str(line).unwrap();
        format!("{}:{} {}", data["provider"], data["id"], data["hash"]).replace('"', "")
    };
    told.lines().map(id).collect()
}

#[test]
fn ends_the_old_password_of_a_user_whose_key_has_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--trusted-proxy=127.0.0.1"]);
    let cookie = server.sign_up("before-rename");
    rename_without_the_key(folder.path());
    said(&run(folder.path(), &["user", "passwd", "after-rename"], "three unrelated words"));
    assert_eq!(sign_in(&server, "before-rename", "correct+horse"), 400, "the old password");
    assert!(!server.is_signed_in(&cookie));
    assert_eq!(sign_in(&server, "before-rename", "three+unrelated+words"), 302);
    assert_eq!(keys_of(folder.path(), "after-rename"), ["username:before-rename argon2id"]);
    said(&run(folder.path(), &["check"], ""));
}

#[test]
fn moves_the_sign_in_name_when_a_user_is_renamed_whatever_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    server.sign_up("before-rename");
    rename_without_the_key(folder.path());
    let told = said(&user(folder.path(), &["rename", "after-rename", "After-Rename"]));
    assert_eq!(told, "after-rename is called After-Rename now\n");
    let told = said(&user(folder.path(), &["show", "after-rename"]));
    assert!(told.contains("signs in as      after-rename\n"), "{told}");
    assert_eq!(sign_in(&server, "before-rename", "correct+horse"), 400);
    assert_eq!(sign_in(&server, "after-rename", "correct+horse"), 302);
    said(&user(folder.path(), &["rename", "after-rename", "before-rename"]));
    assert_eq!(sign_in(&server, "before-rename", "correct+horse"), 302);
    assert_eq!(keys_of(folder.path(), "before-rename"), ["username:before-rename argon2id"]);
    said(&run(folder.path(), &["user", "passwd", "before-rename"], "three unrelated words"));
    assert_eq!(sign_in(&server, "before-rename", "correct+horse"), 400);
    assert_eq!(sign_in(&server, "before-rename", "three+unrelated+words"), 302);
}

#[test]
fn shows_adds_and_removes_the_keys_of_a_user() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    let cookie = server.sign_up("Anna");
    let bertha = server.sign_up("bertha");
    said(&user(folder.path(), &["key", "add", "anna", "github:1:2"]));
    let told = said(&user(folder.path(), &["key", "add", "anna", "username:Anni"]));
    assert_eq!(told, "Anna has the key username:anni now (argon2id)\n");
    let told = said(&user(folder.path(), &["show", "anna"]));
    assert!(told.contains("signs in as      anna, anni\n"), "{told}");
    let all = ["github:1:2 null", "username:anna argon2id", "username:anni argon2id"];
    assert_eq!(keys_of(folder.path(), "anna"), all);
    assert_eq!(sign_in(&server, "ANNI", "correct+horse"), 302, "with the password she has");
    let told = said(&user(folder.path(), &["show", "anni", "--json"]));
    let data: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(data["sign_in_names"], serde_json::json!(["anna", "anni"]));
    assert_eq!(data["keys"][0]["provider"], "github");
    assert!(!told.contains('$'), "a hash is shown");
    let told = said(&user(folder.path(), &["key", "list", "anna"]));
    assert!(told.contains("github    1:2   no password\n"), "{told}");
    for (words, why) in [
        (["key", "add", "anna", "username:Bertha"], "another user"),
        (["key", "add", "bertha", "github:1:2"], "another user"),
        (["key", "add", "anna", "github:1:2"], "has the key"),
        (["key", "remove", "anna", "username:bertha"], "has no key"),
        (["key", "remove", "anna", "github:3"], "has no key"),
    ] {
        assert!(refusal(&user(folder.path(), &words)).contains(why), "{words:?}");
    }
    assert!(server.is_signed_in(&cookie));
    said(&user(folder.path(), &["key", "remove", "anna", "username:ANNI"]));
    assert_eq!(sign_in(&server, "anni", "correct+horse"), 400);
    assert!(!server.is_signed_in(&cookie), "a session may have begun with it");
    assert!(server.is_signed_in(&bertha));
    said(&user(folder.path(), &["key", "remove", "anna", "username:anna"]));
    let told = said(&user(folder.path(), &["show", "anna"]));
    assert!(told.contains("signs in as      no name, as there is no password\n"), "{told}");
    let kept = said(&run(folder.path(), &["audit", "--json"], ""));
    assert!(kept.contains("user_key_add") && kept.contains("user_key_remove"), "{kept}");
}

#[test]
fn renames_lists_and_deletes_people() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    server.sign_up("anna");
    let bertha = server.sign_up("Bertha");
    said(&user(folder.path(), &["rename", "anna", "Hannah"]));
    assert_eq!(sign_in(&server, "hannah", "correct+horse"), 302);
    assert_eq!(sign_in(&server, "anna", "correct+horse"), 400);
    assert!(refusal(&user(folder.path(), &["rename", "hannah", "bertha"])).contains("already"));
    let told = said(&user(folder.path(), &["list"]));
    let names: Vec<_> = told.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["NAME", "Bertha", "Hannah", "", "2"]);
    let told = said(&user(folder.path(), &["list", "--json"]));
    let data: Vec<serde_json::Value> =
        told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((data.len(), &data[0]["username"]), (2, &"Bertha".into()));
    said(&user(folder.path(), &["delete", "bertha", "--yes"]));
    assert!(!server.is_signed_in(&bertha));
    assert!(refusal(&user(folder.path(), &["show", "bertha"])).contains("no user"));
}

#[test]
fn lets_a_user_try_again_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--throttle-free=1"]);
    server.sign_up("anna");
    for expected in [400, 400, 429] {
        assert_eq!(sign_in(&server, "anna", "wrong"), expected);
    }
    said(&user(folder.path(), &["unlock", "ANNA"]));
    assert_eq!(sign_in(&server, "anna", "correct+horse"), 302);
    let kept = said(&run(folder.path(), &["audit", "--json"], ""));
    assert!(kept.contains(r#""event":"user_unlock""#) && kept.contains("name=h:"), "{kept}");
}

#[test]
fn forgets_the_failures_for_a_name_whose_password_the_operator_sets() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--throttle-free=1"]);
    server.sign_up("anna");
    for expected in [400, 400, 429] {
        assert_eq!(sign_in(&server, "anna", "wrong"), expected);
    }
    said(&run(folder.path(), &["user", "passwd", "anna"], "battery staple\n"));
    assert_eq!(sign_in(&server, "anna", "battery+staple"), 302);
}

#[test]
fn lets_an_address_or_a_network_try_again_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let flags =
        ["--throttle-address-free=1", "--throttle-address-every=1h", "--trusted-proxy=127.0.0.1"];
    let server = Binary::start(folder.path(), &flags);
    server.sign_up("anna");
    let try_from = |address: &str, password: &str| {
        let form = format!("username=anna&password={password}");
        let head = format!(
            "POST /login HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {address}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        server.ask(&head).status
    };
    for (address, unlocked, expected) in [
        ("203.0.113.7", "203.0.113.7", "203.0.113.7/32"),
        ("203.0.113.7", "203.0.113.7:443", "203.0.113.7/32"),
        ("203.0.113.7", "::ffff:203.0.113.7", "203.0.113.7/32"),
        ("203.0.113.7", "203.0.113.0/24", "203.0.113.0/24"),
        ("2001:470:1:2::3", "2001:470:1:2::4", "2001:470:1:2::4/128"),
        ("2001:470:1:2::3", "[2001:470:1:2::3]:443", "2001:470:1:2::3/128"),
        ("2001:470:1:2::3", "2001:470:1:2::/64", "2001:470:1:2::/64"),
        ("2001:470:1:2::3", "2001:470:1::/48", "2001:470:1::/48"),
    ] {
        assert_eq!(try_from(address, "wrong"), 400);
        assert_eq!(try_from(address, "correct+horse"), 429, "{address}");
        let told = said(&user(folder.path(), &["unlock", "203.0.114.0/24"]));
        assert_eq!(told, "203.0.114.0/24 was not locked; nothing is changed\n");
        assert_eq!(try_from(address, "correct+horse"), 429, "{address}");
        let told = said(&user(folder.path(), &["unlock", unlocked]));
        assert_eq!(told, format!("failed attempts from {expected} are forgotten\n"));
        assert_eq!(try_from(address, "correct+horse"), 302, "{unlocked}");
        said(&user(folder.path(), &["unlock", "anna"]));
    }
    let kept = said(&run(folder.path(), &["audit", "--json"], ""));
    assert!(kept.contains("network=203.0.113.0/24"), "{kept}");
    for wide in ["10.0.0.0/8", "2001:470::/32", "0.0.0.0/0"] {
        assert!(wrong_usage(&user(folder.path(), &["unlock", wide])).contains("/16"), "{wide}");
    }
    for mistyped in ["203.0.113.777", "203.0.113.7:", "2001:470:::3"] {
        let told = wrong_usage(&user(folder.path(), &["unlock", mistyped]));
        assert!(told.contains("this is no IP address"), "{told}");
    }
    let told = said(&user(folder.path(), &["unlock", "nobody"]));
    assert!(told.contains("a name that no account has, was not locked"), "{told}");
}

#[test]
fn says_that_nothing_was_locked_and_keeps_no_record_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--throttle-free=1"]);
    for name in ["anna", "10.0.0.1"] {
        server.sign_up(name);
    }
    let unlock = |what: &str| {
        let text = said(&user(folder.path(), &["unlock", what]));
        let data = said(&user(folder.path(), &["unlock", what, "--json"]));
        (text, serde_json::from_str::<Value>(&data).unwrap()["changed"].clone())
    };
    let not = |what: &str| (format!("{what} was not locked; nothing is changed\n"), json!(false));
    assert_eq!(unlock("ANNA"), not("anna"));
    assert_eq!(unlock("bert"), not("bert, a name that no account has,"));
    assert_eq!(unlock("10.1.0.0/16"), not("10.1.0.0/16"));
    assert_eq!(unlock("10.0.0.1").0, format!("{}{}", not("10.0.0.1").0, not("10.0.0.1/32").0));
    let records = || said(&run(folder.path(), &["audit", "--json", "--event=user_unlock"], ""));
    assert_eq!(records(), "");
    // One failure that no wait follows counts as well.
    assert_eq!(sign_in(&server, "anna", "wrong"), 400);
    assert_eq!(unlock("anna"), ("1 failed attempt for anna forgotten\n".to_owned(), json!(false)));
    assert_eq!(records().lines().count(), 1);
    assert_eq!(sign_in(&server, "bert", "wrong"), 400);
    let told = "failed attempts for bert, a name that no account has, are forgotten\n";
    assert_eq!(unlock("bert"), (told.to_owned(), json!(false)));
    assert_eq!(sign_in(&server, "10.0.0.1", "wrong"), 400);
    let expected = format!("1 failed attempt for 10.0.0.1 forgotten\n{}", not("10.0.0.1/32").0);
    assert_eq!(unlock("10.0.0.1").0, expected);
    assert!(records().contains("attempts=1"), "{}", records());
}

#[test]
fn lets_a_user_try_again_whose_name_looks_like_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--throttle-free=1"]);
    for expected in [400, 400, 429] {
        assert_eq!(sign_in(&server, "10.0.0.1", "wrong"), expected);
    }
    said(&user(folder.path(), &["unlock", "10.0.0.1"]));
    assert_eq!(sign_in(&server, "10.0.0.1", "wrong"), 400);
}

#[test]
fn lets_a_user_try_again_at_once_whatever_they_sign_in_with() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--throttle-free=1"]);
    server.sign_up("before-rename");
    rename_without_the_key(folder.path());
    for name in ["after-rename", "before-rename"] {
        for expected in [400, 400, 429] {
            assert_eq!(sign_in(&server, "before-rename", "wrong"), expected);
        }
        said(&user(folder.path(), &["unlock", name]));
        assert_eq!(sign_in(&server, "before-rename", "correct+horse"), 302, "{name}");
    }
}

#[test]
fn ends_sessions_one_by_one_and_all_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    let cookie = server.sign_up("anna");
    sign_in(&server, "anna", "correct+horse");
    let list = || {
        let told = said(&run(folder.path(), &["session", "list", "anna", "--json"], ""));
        let handle = |line: &str| {
            let data: serde_json::Value = serde_json::from_str(line).unwrap();
            data["handle"].as_str().unwrap().to_owned()
        };
        told.lines().map(handle).collect::<Vec<_>>()
    };
    let handles = list();
    assert_eq!(handles.len(), 2);
    said(&run(folder.path(), &["session", "end", "anna", &handles[0]], ""));
    assert!(!server.is_signed_in(&cookie) && list() == handles[1..]);
    let output = run(folder.path(), &["session", "end", "anna", &handles[0]], "");
    assert!(refusal(&output).contains("no session"));
    assert!(said(&run(folder.path(), &["session", "end-all", "anna"], "")).starts_with("1 "));
    assert!(list().is_empty());
    let told = said(&run(folder.path(), &["session", "list", "anna"], ""));
    assert_eq!(told, "anna has no live session\n");
    let raw = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    sign_in(&server, "anna", "correct+horse");
    raw.execute("UPDATE user_session SET active_expires = 1, idle_expires = 1", []).unwrap();
    assert!(said(&run(folder.path(), &["session", "purge"], "")).starts_with("1 dead"));
}

#[test]
fn lists_and_revokes_access_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--basic-auth", "--trusted-proxy=127.0.0.1"]);
    let cookie = server.sign_up("anna");
    let token = server.post("/account/tokens", "name=backup&days=30", Some(&cookie)).body;
    let ask = || {
        let head =
            format!("GET /auth/nginx HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
        server.ask(&head).status
    };
    assert_eq!(ask(), 200);
    let told = said(&run(folder.path(), &["token", "list", "anna", "--json"], ""));
    let data: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(!told.contains(&token) && data["name"] == "backup");
    let handle = data["handle"].as_str().unwrap();
    assert!(said(&run(folder.path(), &["token", "list", "anna"], "")).contains(handle));
    said(&run(folder.path(), &["token", "revoke", "anna", handle], ""));
    assert_eq!(ask(), 401);
    assert!(
        refusal(&run(folder.path(), &["token", "revoke", "anna", handle], ""))
            .contains("no access token")
    );
}

#[test]
fn copies_the_database_while_people_sign_up_and_the_copy_can_be_served() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    let cookie = server.sign_up("anna");
    let copy = folder.path().join("copy.db");
    let words = ["backup", copy.to_str().unwrap()];
    std::thread::scope(|scope| {
        let signing =
            scope.spawn(|| (0..20).for_each(|it| drop(server.sign_up(&format!("user{it}")))));
        for number in 0..5 {
            let name = folder.path().join(format!("{number}.db"));
            said(&run(folder.path(), &["backup", name.to_str().unwrap()], ""));
            let raw = rusqlite::Connection::open(&name).unwrap();
            let ask = |sql: &str| raw.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
            assert_eq!(ask("PRAGMA integrity_check"), "ok");
            let orphans = "SELECT (SELECT count(*) FROM user) || ' ' ||
                (SELECT count(*) FROM user_key JOIN user ON user.id = user_id)";
            let counts = ask(orphans);
            let (users, keys) = counts.split_once(' ').unwrap();
            assert_eq!(users, keys, "no user without a key");
        }
        signing.join().unwrap();
    });
    let kept = said(&run(folder.path(), &["audit", "--json"], ""));
    assert_eq!(kept.matches(r#""event":"backup""#).count(), 5, "{kept}");
    said(&run(folder.path(), &words, ""));
    assert!(refusal(&run(folder.path(), &words, "")).contains("exists"), "it is never overwritten");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&copy).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    server.stop();
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::rename(&copy, elsewhere.path().join("test.db")).unwrap();
    let again = Binary::start(elsewhere.path(), &[]);
    assert!(again.is_signed_in(&cookie));
}

#[test]
fn shows_what_happened_and_goes_on_with_what_happens() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    server.sign_up("anna");
    server.sign_up("bertha");
    let database = folder.path().join("test.db");
    let mut command = vestibule(&["audit", "--follow", "--user", "anna", "--database"]);
    let mut child = command.arg(&database).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().starts_with("TIME "));
    assert!(lines.next().unwrap().contains(" signup_ok "));
    sign_in(&server, "anna", "correct+horse");
    assert!(lines.next().unwrap().contains(" login_ok "), "what bertha did is left out");
    child.kill().unwrap();
    child.wait().unwrap();
    let told = said(&run(folder.path(), &["audit", "--json"], ""));
    let events: Vec<_> = told
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].clone())
        .collect();
    assert_eq!(events, ["settings", "signup_ok", "signup_ok", "login_ok"]);
}

#[test]
fn puts_a_backup_back_without_its_sessions_where_no_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    let cookie = server.sign_up("anna");
    let copy = folder.path().join("copy.db");
    let copy = copy.to_str().unwrap();
    said(&run(folder.path(), &["backup", copy], ""));
    server.sign_up("bertha");
    assert!(refusal(&run(folder.path(), &["restore", copy, "--yes"], "")).contains("in use"));
    server.stop();
    let told = said(&run(folder.path(), &["restore", copy, "--yes"], ""));
    assert!(told.contains("left out: 1 session\n"), "{told}");
    let server = Binary::start(folder.path(), &[]);
    assert!(!server.is_signed_in(&cookie));
    assert_eq!(sign_in(&server, "anna", "correct+horse"), 302);
    assert_eq!(sign_in(&server, "bertha", "correct+horse"), 400);
    server.stop();
    said(&run(folder.path(), &["restore", copy, "--keep-sessions", "--yes"], ""));
    assert!(Binary::start(folder.path(), &[]).is_signed_in(&cookie));
    for (bad, content) in [("garbage.db", &b"garbage"[..]), ("empty.db", b"")] {
        let path = folder.path().join(bad);
        std::fs::write(&path, content).unwrap();
        assert!(
            refusal(&run(folder.path(), &["restore", path.to_str().unwrap(), "--yes"], ""))
                .contains(bad)
        );
    }
    assert!(Binary::start(folder.path(), &[]).is_signed_in(&cookie), "nothing was changed");
    let other = tempfile::tempdir().unwrap();
    let foreign = rusqlite::Connection::open(other.path().join("test.db")).unwrap();
    foreign.execute_batch("CREATE TABLE t (a); PRAGMA journal_mode = WAL;").unwrap();
    drop(foreign);
    let words = ["restore", copy, "--yes"];
    assert!(refusal(&run(other.path(), &words, "")).contains("another program"));
}

/// What was revoked or used since the backup must not come back, nor may an older schema stop it.
#[test]
fn puts_a_backup_back_without_its_access_tokens_be_it_of_an_older_schema() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--basic-auth"]);
    let cookie = server.sign_up("anna");
    server.post("/account/tokens", "name=backup&days=30", Some(&cookie));
    let copy = folder.path().join("copy.db");
    said(&run(folder.path(), &["backup", copy.to_str().unwrap()], ""));
    server.stop();
    let restore = ["restore", copy.to_str().unwrap(), "--yes"];
    said(&run(folder.path(), &restore, ""));
    assert!(said(&run(folder.path(), &["token", "list", "anna", "--json"], "")).is_empty());
    let raw = rusqlite::Connection::open(&copy).unwrap();
    raw.execute_batch(&crate::engine::TO_SCHEMA_11.join(";")).unwrap();
    raw.execute_batch(
        "DROP TABLE invite; DROP TABLE resting_name; DROP TABLE one_time_token; DROP TABLE clock; ALTER TABLE user DROP COLUMN attributes;
         ALTER TABLE user DROP COLUMN epoch; ALTER TABLE user_session DROP COLUMN epoch;
         ALTER TABLE access_token DROP COLUMN epoch;
         PRAGMA user_version = 3;",
    )
    .unwrap();
    drop(raw);
    said(&run(folder.path(), &restore, ""));
    assert_eq!(sign_in(&Binary::start(folder.path(), &[]), "anna", "correct+horse"), 302);
}

#[test]
fn tells_whether_the_database_is_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    server.sign_up("anna");
    let told = said(&run(folder.path(), &["check"], ""));
    assert!(told.contains("users             1\n") && told.ends_with("is in order\n"), "{told}");
    let path = folder.path().join("test.db");
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let told = said(&run(folder.path(), &["check", "--json", "--signup=closed"], ""));
    let data: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&data["in_order"], &data["counts"]["users"]), (&true.into(), &1.into()));
    assert_eq!(data["settings"]["signup"], "closed");
    assert!(data["notes"][0].as_str().unwrap().contains("others could read"), "{told}");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let whole = folder.path().canonicalize().unwrap();
    let exposed = run(folder.path(), &["check"], "");
    let told = String::from_utf8(exposed.stdout).unwrap();
    assert!(exposed.status.code() == Some(1) && told.contains("may write to"), "{told}");
    assert!(told.contains(&format!(": chmod o-w {}", whole.display())), "{told}");
    let raw = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    raw.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM user").unwrap();
    let faulty = run(folder.path(), &["check"], "");
    let text = String::from_utf8(faulty.stdout).unwrap();
    assert_eq!(faulty.status.code(), Some(1));
    assert!(text.contains("FAULT             1 rows of user_session belong to no user"), "{text}");
    assert!(text.ends_with("NOT in order\n"), "{text}");
    let wrong = run(folder.path(), &["check", "--active=40d"], "");
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn shows_the_relay_of_mail_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    said(&user(folder.path(), &["add", "anna", "--no-password"]));
    let flags = ["check", "--json", "--origin=https://auth.example.com"];
    let setting = |more: &[&str]| {
        let told = said(&run(folder.path(), &[&flags, more].concat(), ""));
        let data: Value = serde_json::from_str(&told).unwrap();
        (data["settings"]["mail"].clone(), told)
    };
    assert_eq!(setting(&[]).0, "none");
    let password = folder.path().join("password");
    std::fs::write(&password, "hunter2\n").unwrap();
    let file = format!("--mail-password-file={}", password.display());
    let relay = "--mail=smtps://vestibule@mail.example.com";
    let (shown, told) = setting(&[relay, &file, "--mail-from=no-reply@example.com"]);
    assert!(shown == "mail.example.com:465" && !told.contains("hunter2"), "{told}");
}

/// What serve says at start of its settings, check says before.
#[test]
fn notes_what_is_risky_in_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    drop(Binary::start(folder.path(), &[]));
    let guard = ["--origin=https://auth.example.com", "--cookie-domain=example.com"];
    let cases: [(&[&str], &[&str]); 6] = [
        (&[], &[]),
        (&guard, &["--signup invite or closed"]),
        (&[guard[0], guard[1], "--signup=invite"], &[]),
        (&["--origin=http://sso.example.com"], &["an https --origin"]),
        (&["--origin=http://localhost:8080"], &[]),
        (
            &["--origin=http://10.0.0.5", "--alias=authelia", "--trusted-proxy=0.0.0.0/0"],
            &["0.0.0.0/0: ", "--signup invite or closed", "an https --origin"],
        ),
    ];
    for (flags, expected) in cases {
        let told = said(&run(folder.path(), &[&["check", "--json"], flags].concat(), ""));
        let data: serde_json::Value = serde_json::from_str(&told).unwrap();
        let notes = data["notes"].as_array().unwrap();
        assert_eq!(notes.len(), expected.len(), "{flags:?} {told}");
        for (note, part) in notes.iter().zip(expected) {
            assert!(note.as_str().unwrap().contains(part), "{flags:?} {told}");
        }
    }
}

#[test]
fn takes_what_an_import_brings_for_order_and_a_name_of_two_people_for_none() {
    let folder = tempfile::tempdir().unwrap();
    drop(Binary::start(folder.path(), &[]));
    let raw = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    raw.execute_batch(
        "INSERT INTO user (id, username, canonical_username, created_at) VALUES
           ('1', 'after-rename', 'after-rename', 0), ('2', 'bob', 'bob', 0), ('3', 'eve', 'eve', 0);
         INSERT INTO user_key VALUES ('username:before-rename', '1', '$x'), ('USERNAME:b', '2', '$x')",
    )
    .unwrap();
    let told = said(&run(folder.path(), &["check"], ""));
    assert!(told.contains("note              1 user signs in by another name"), "{told}");
    assert!(told.contains("note              2 users sign in by no name"), "{told}");
    raw.execute_batch("INSERT INTO user_key VALUES ('username:bob', '3', '$x')").unwrap();
    let faulty = run(folder.path(), &["check"], "");
    let text = String::from_utf8(faulty.stdout).unwrap();
    assert_eq!(faulty.status.code(), Some(1), "{text}");
    assert!(
        text.contains("FAULT             1 name shows one user and lets another one in"),
        "{text}"
    );
}

#[test]
fn writes_completions_and_a_manual_page_for_each_command() {
    for shell in ["bash", "zsh", "fish"] {
        let text = said(&vestibule(&["completions", shell]).output().unwrap());
        assert!(text.contains("vestibule") && text.contains("cookie-domain"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    said(&vestibule(&["manual", folder.path().to_str().unwrap()]).output().unwrap());
    for page in ["vestibule.1", "vestibule-serve.1", "vestibule-user-add.1", "vestibule-doctor.1"] {
        assert!(folder.path().join(page).exists(), "{page}");
    }
    let nowhere = folder.path().join("nowhere");
    let text = refusal(&vestibule(&["manual", nowhere.to_str().unwrap()]).output().unwrap());
    assert!(text.contains("cannot write into"), "{text}");
}

#[test]
fn prints_help_and_version_in_whatever_way_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let print = |words: &[&str]| {
        // A database in the environment is no word of the command.
        let mut command = vestibule(words);
        command.env("VESTIBULE_DATABASE", "x.db").current_dir(folder.path());
        said(&command.output().unwrap())
    };
    assert_eq!(print(&["version"]), print(&["--version"]));
    assert_eq!(print(&["help"]), print(&["--help"]));
    assert_eq!(print(&["help", "user", "add"]), print(&["user", "add", "--help"]));
    for group in ["user", "user key", "user passkey", "session", "invite", "token", "import"] {
        let words: Vec<_> = group.split(' ').collect();
        let told = print(&words);
        assert_eq!(told, print(&[&["help"], &*words].concat()));
        let example = format!("\n  vestibule {group} ");
        assert!(told.contains("Commands:\n") && told.contains(&example), "{told}");
        assert!(told.contains("Exit codes: 0 "), "{told}");
    }
    for (words, expected) in [
        (&["help", "usr"][..], "command usr; did you mean vestibule user?"),
        (&["help", "user", "ad"], "did you mean vestibule user add?"),
        (&["user", "--database", "x.db"], "name one of the commands of vestibule user"),
        (&["user", "ad"], "did you mean vestibule user add?"),
    ] {
        let output = vestibule(words).current_dir(folder.path()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), told.lines().count()), (Some(2), 1), "{told}");
        assert!(told.contains(expected), "{told}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn tells_each_flag_in_one_line_of_the_short_help() {
    for words in ["serve", "user add", "import csv", "proxy-config", "doctor", "check"] {
        let words: Vec<_> = words.split(' ').collect();
        let ask = |flag| said(&vestibule(&[&*words, &[flag]].concat()).output().unwrap());
        let (short, long) = (ask("-h"), ask("--help"));
        let flags = |text: &str| {
            let names = text.lines().filter_map(|it| it.strip_prefix("      --"));
            let names = names.map(|it| it.split(' ').next().unwrap().to_owned());
            names.filter(|it| it != "help").collect::<Vec<_>>()
        };
        assert_eq!(flags(&short), flags(&long), "{words:?}");
        assert!(!short.contains("[env: ") && short.contains("Exit codes: 0 "), "{short}");
        let options = short.split("Options:\n").nth(1).unwrap().split("\nExample").next().unwrap();
        for line in options.lines().filter(|line| line.starts_with(' ')) {
            assert!(line.trim_start().starts_with('-'), "{words:?} needs a second line: {line}");
        }
    }
}
