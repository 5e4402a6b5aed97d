//! What an operator does on the database of a running server.

use std::path::Path;
use std::process::Output;

use crate::binary::{Binary, vestibule};

/// Runs `vestibule user` on this folder's database.
fn user(folder: &Path, words: &[&str]) -> Output {
    let database = folder.join("test.db");
    let mut all = vec!["user", "--database", database.to_str().unwrap()];
    all.extend(words);
    vestibule(&all).output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr.clone()).unwrap();
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
fn shuts_somebody_out_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--trusted-proxy=127.0.0.1"]);
    let cookie = server.sign_up("anna");
    let told = said(&user(folder.path(), &["disable", "anna", "--reason", "left\u{7}"]));
    assert!(told.contains("disabled  since 20") && told.contains(": left\u{fffd}\n"), "{told}");
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
    assert!(told.contains("username  Anna\n") && told.contains("sessions  1\n"), "{told}");
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
        (&["groups", "anna", "Admin"], "a-z"),
        (&["email", "anna", "anna"], "anna@example.com"),
    ] {
        assert!(refusal(&user(folder.path(), words)).contains(text), "{words:?}");
    }
}
