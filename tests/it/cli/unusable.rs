//! What an operator is told of a file or a database that cannot be used: one line with what to do, and no sooner
//! than waiting is in vain.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use vestibule::store::WRITE_PATIENCE;

use super::admin::{refusal, run, said, wrong_usage};
use super::terminal::at_terminal;
use crate::binary::vestibule;

pub(super) fn with_anna() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    said(&run(folder.path(), &["user", "add", "anna", "--no-password"], ""));
    folder
}

/// What a command says that is refused, in this folder.
fn told(folder: &Path, line: &str) -> String {
    let words: Vec<_> = line.split(' ').collect();
    let output = vestibule(&words).current_dir(folder).output().unwrap();
    assert!(!output.status.success(), "{line}");
    refusal(&output)
}

#[test]
fn says_what_to_do_about_a_file_that_is_not_there_or_no_file() {
    let folder = with_anna();
    let folder = folder.path();
    fs::create_dir(folder.join("folder")).unwrap();
    fs::write(folder.join("text"), "username,hash\n").unwrap();
    let missing = "there is no such file; see how its path is written";
    let no_folder = "its folder is not there; make it first";
    for (line, expected) in [
        ("import lucia none", missing),
        ("import lucia-v3 none", missing),
        ("import better-auth none", missing),
        ("import csv none", missing),
        ("import htpasswd none", missing),
        ("import vestibule none", missing),
        ("import csv text --rename none", missing),
        ("import csv folder", "it is a folder; name a file"),
        ("import lucia folder", "it is a folder; name a file"),
        ("import htpasswd text --report none/report", no_folder),
        ("restore none --yes --database test.db", missing),
        ("restore folder --yes --database test.db", "it is a folder"),
        ("backup none/copy.db --database test.db", no_folder),
        ("export none/people --database test.db", no_folder),
        ("key new none/key", no_folder),
        ("key new text", "it exists already and is not overwritten"),
        ("manual none", "there is no such folder; make it first"),
        ("user list --database folder", "it is a folder"),
        ("user list --database text/x", "a part of its path is a file"),
        ("user add bertha --no-password --database none/x", "none is not there; make it first"),
        ("migrate --database none/x", "none is not there; make it first"),
    ] {
        let text = told(folder, line);
        assert!(text.contains(expected) && !text.contains("os error"), "{line}: {text}");
    }
    let text = told(folder, "user show none --database test.db");
    assert!(text.contains("there is no user none; vestibule user list shows all"), "{text}");
}

#[test]
fn says_of_a_newer_schema_which_version_to_use() {
    let folder = with_anna();
    let folder = folder.path();
    let raw = Connection::open(folder.join("test.db")).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    for line in ["user list", "migrate", "migrate --check", "backup copy.db", "export people"] {
        let text = told(folder, &format!("{line} --database test.db"));
        assert!(
            text.contains("schema 99") && text.contains("use the newer version"),
            "{line}: {text}"
        );
    }
}

#[test]
fn waits_longer_than_a_request_for_another_process_that_writes_and_says_so_at_a_terminal() {
    let folder = with_anna();
    let other = Connection::open(folder.path().join("test.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let mut child = at_terminal(folder.path(), &["user", "disable", "anna"], &[]);
    let mut terminal = child.stdout.take().unwrap();
    let mut shown = String::new();
    let mut more = [0; 256];
    while !shown.contains("another process may be writing to it") {
        let length = terminal.read(&mut more).unwrap();
        assert!(length > 0, "{shown}");
        shown.push_str(&String::from_utf8_lossy(&more[..length]));
    }
    let longer = WRITE_PATIENCE + Duration::from_millis(300);
    std::thread::sleep(longer.saturating_sub(began.elapsed()));
    other.execute_batch("ROLLBACK").unwrap();
    terminal.read_to_string(&mut shown).unwrap();
    child.wait().unwrap();
    assert!(shown.contains("anna is disabled; no session was open"), "{shown}");
}

#[test]
fn takes_an_address_that_is_none_for_wrong_usage_whatever_the_command() {
    let folder = with_anna();
    for line in ["user list", "audit", "backup copy.db", "migrate", "import csv text", "check"] {
        for address in ["--database=", "--database=postgres://db1/x", "--database=mysql://db1"] {
            let words: Vec<_> = line.split(' ').chain([address]).collect();
            let output = vestibule(&words).current_dir(folder.path()).output().unwrap();
            let text = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{line} {address}: {text}");
            assert!(text.contains("--database cannot be used"), "{line} {address}: {text}");
        }
    }
}

#[test]
fn takes_a_password_from_standard_input_only_if_nothing_follows_it() {
    let folder = with_anna();
    let two = "correct horse\nbattery staple\n";
    for words in [&["user", "add", "bertha"][..], &["user", "passwd", "anna"]] {
        let text = refusal(&run(folder.path(), words, two));
        assert!(text.contains("standard input has more than one line"), "{text}");
    }
    said(&run(folder.path(), &["user", "add", "bertha"], "correct horse\n"));
    let file = folder.path().join("password");
    fs::write(&file, two).unwrap();
    let file = format!("--database-password-file={}", file.display());
    let server = "--database=mysql://vestibule@db1/vestibule";
    let mail = file.replace("database", "mail");
    let relay = "--mail=smtps://vestibule@mail.example.com";
    for words in [
        &["user", "list", server, &file][..],
        &["mail", "test", "a@b.example", relay, &mail, "--mail-from=a@b.example"],
    ] {
        let text = wrong_usage(&vestibule(words).output().unwrap());
        assert!(text.contains("has more than one line"), "{text}");
    }
}

#[test]
fn asks_for_no_password_where_the_name_is_refused() {
    let folder = with_anna();
    for (line, expected) in [
        ("user add Anna", "another user is called Anna already"),
        ("user passwd nobody", "there is no user nobody"),
    ] {
        let words: Vec<_> = line.split(' ').collect();
        let text = refusal(&run(folder.path(), &words, ""));
        assert!(text.contains(expected) && !text.contains("standard input"), "{line}: {text}");
    }
    let new = tempfile::tempdir().unwrap();
    let text = refusal(&run(new.path(), &["user", "add", "anna"], ""));
    assert!(text.contains("give the password on standard input"), "{text}");
    assert_eq!(fs::read_dir(new.path()).unwrap().count(), 0, "no database is made for it");
}
