//! Output that cannot be written: no command succeeds whose report could not be read.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::binary::{Binary, PATIENCE, vestibule};

/// A folder with a database of three people, which no server uses any more.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    for name in ["anna", "bertha", "carla"] {
        server.sign_up(name);
    }
    server.stop();
    folder
}

/// The command in this folder, with what its standard output leads to.
fn run(folder: &Path, words: &[&str], out: impl Into<Stdio>) -> Output {
    let mut command = vestibule(words);
    let has_none = ["doctor", "proxy-config", "completions", "copy", "help", "key", "version"]
        .contains(&words[0]);
    if !has_none && !words.iter().any(|it| ["--help", "--version"].contains(it)) {
        command.arg("--database=test.db");
    }
    command.current_dir(folder).stdout(out).stderr(Stdio::piped());
    command.spawn().unwrap().wait_with_output().unwrap()
}

/// The command in this folder, without a standard output.
fn run_closed(folder: &Path, words: &[&str]) -> Output {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "exec \"$@\" >&-", "sh"]).arg(crate::binary::program()).args(words);
    command.arg("--database=test.db").current_dir(folder).output().unwrap()
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// A pipe whose reader has gone.
fn closed() -> Stdio {
    std::io::pipe().unwrap().1.into()
}

/// One line on standard error, and exit code 1.
fn complaint(output: &Output, words: &[&str]) -> String {
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words:?}: {told}");
    assert_eq!(told.lines().count(), 1, "{words:?}: {told}");
    assert!(told.starts_with("vestibule: "), "{words:?}: {told}");
    told
}

/// Commands that print and make no link.
const PRINT: [&[&str]; 33] = [
    &["help", "user"],
    &["version"],
    &["--help"],
    &["--version"],
    &["user", "--help"],
    &["user", "list"],
    &["user", "list", "--json"],
    &["user", "show", "anna"],
    &["user", "groups", "anna", "staff"],
    &["user", "rename", "anna", "anna.onym"],
    &["user", "add", "dorothea", "--no-password"],
    &["user", "email", "anna.onym", ""],
    &["user", "disable", "bertha"],
    &["user", "enable", "bertha"],
    &["user", "unlock", "anna"],
    &["user", "delete", "dorothea", "--yes"],
    &["session", "list", "bertha"],
    &["session", "end-all", "bertha"],
    &["session", "purge"],
    &["token", "list", "bertha"],
    &["invite", "list"],
    &["audit"],
    &["audit", "--json"],
    &["check"],
    &["check", "--json"],
    &["migrate", "--check"],
    &["key", "new", "seal.key"],
    &["completions", "bash"],
    &["import", "htpasswd", "people", "--dry-run"],
    &["import", "htpasswd", "people", "--json"],
    &["copy", "--from=test.db", "--to=copy.db"],
    &[
        "proxy-config",
        "nginx",
        "--origin=https://auth.example.com",
        "--app=https://auth.example.com:8443",
    ],
    &["doctor", "http://127.0.0.1:1"],
];

/// Commands whose output is lost if it is not read.
const MAKE: [(&[&str], &str); 4] = [
    (
        &["user", "reset-link", "bertha", "--origin=https://a.test"],
        "for bertha was made and not shown",
    ),
    (
        &["user", "reset-link", "bertha", "--origin=https://a.test", "--qr"],
        "for bertha was made and not shown",
    ),
    (
        &["invite", "new", "--origin=https://a.test"],
        "an invitation was made and its link not shown",
    ),
    (&["invite", "new", "--origin=https://a.test", "--json"], "invite revoke "),
];

#[test]
fn is_a_failure_in_one_line_if_a_disk_has_no_room_for_it() {
    let folder = folder();
    std::fs::write(folder.path().join("people"), "").unwrap();
    for words in PRINT {
        let told = complaint(&run(folder.path(), words, full()), words);
        assert!(told.contains("cannot write to standard output: No space"), "{words:?}: {told}");
    }
    let words: &[&str] = &["export"];
    let told = complaint(&run(folder.path(), words, full()), words);
    assert!(told.contains("cannot write the export: No space"), "{told}");
    // A descriptor that cannot be written to is as good as a full disk.
    let words = PRINT[5];
    let told = complaint(&run(folder.path(), words, File::open("/dev/null").unwrap()), words);
    assert!(told.contains("cannot write to standard output: Bad file"), "{told}");
}

#[test]
fn is_no_failure_if_the_reader_has_seen_enough() {
    let folder = folder();
    std::fs::write(folder.path().join("people"), "").unwrap();
    for words in PRINT.into_iter().filter(|it| it[0] != "doctor") {
        let output = run(folder.path(), words, closed());
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), &*told), (Some(0), ""), "{words:?}");
    }
    let words: &[&str] = &["export"];
    complaint(&run(folder.path(), words, closed()), words);
}

#[test]
fn says_that_a_link_was_made_and_not_shown() {
    let folder = folder();
    for (words, expected) in MAKE {
        for out in [full().into(), closed()] {
            let told = complaint(&run(folder.path(), words, out), words);
            assert!(told.contains(expected) && told.contains("standard output"), "{told}");
        }
    }
    for (words, expected) in MAKE {
        let told = complaint(&run_closed(folder.path(), words), words);
        assert!(told.contains(expected) && told.contains("it is closed"), "{told}");
        let discarded = run(folder.path(), words, Stdio::null());
        assert!(discarded.status.success(), "{words:?}");
    }
    // What it names can be revoked.
    let told = complaint(&run(folder.path(), MAKE[3].0, full()), MAKE[3].0);
    let handle = told.split("invite revoke ").nth(1).unwrap().split(' ').next().unwrap();
    let output = run(folder.path(), &["invite", "revoke", handle], Stdio::piped());
    assert!(output.status.success(), "{told}");
}

#[test]
fn says_that_a_link_was_made_and_not_shown_when_it_could_not_be_put_on_record() {
    let folder = folder();
    let raw = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    raw.execute_batch(
        "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END",
    )
    .unwrap();
    for (words, expected) in MAKE {
        let told = complaint(&run(folder.path(), words, Stdio::piped()), words);
        assert!(told.contains(expected) && told.contains("not on record"), "{told}");
    }
}

#[test]
fn keeps_a_server_from_starting_that_could_not_show_the_link_for_the_first_account() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["serve", "--signup=closed", "--listen=127.0.0.1:0", "--database=test.db"];
    let mut command = vestibule(&words);
    command.current_dir(folder.path()).stdout(full()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(child.kill());
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.lines().last().unwrap().contains("first account was made and not shown"),
        "{told}"
    );
}
