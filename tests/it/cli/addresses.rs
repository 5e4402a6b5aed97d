//! What an operator does where the names of users are e-mail addresses.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::admin::{refusal, run, said, sign_in, wrong_usage};
use crate::binary::{Binary, vestibule};

/// `open sesame` by bcrypt.
const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy";

fn long() -> String {
    format!("{}@Example.com", "a".repeat(60))
}

/// A command with `--names address`.
fn on_addresses(folder: &Path, words: &[&str], input: &str) -> std::process::Output {
    run(folder, &[words, &["--names", "address"]].concat(), input)
}

fn names(folder: &Path) -> String {
    said(&run(folder, &["user", "list", "--json"], ""))
}

#[test]
fn adds_renames_and_finds_users_by_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let long = long();
    let added = on_addresses(folder, &["user", "add", &long], "three unrelated words\n");
    assert!(said(&added).contains(&long));
    let taken =
        on_addresses(folder, &["user", "add", &long.to_uppercase()], "three unrelated words\n");
    assert!(refusal(&taken).contains("another user is called"));
    said(&on_addresses(folder, &["user", "rename", &long, "ann@b\u{fc}cher.example"], ""));
    assert!(names(folder).contains("\"ann@xn--bcher-kva.example\""), "{}", names(folder));
    said(&on_addresses(
        folder,
        &["user", "key", "add", "ANN@B\u{dc}CHER.example", &format!("username:b{long}")],
        "",
    ));
    for spelling in ["ann@b\u{fc}cher.example", " Ann@xn--bcher-kva.example", &format!("B{long}")] {
        let shown = said(&run(folder, &["user", "show", spelling, "--json"], ""));
        assert!(shown.contains(&format!("\"b{}\"", long.to_lowercase())), "{shown}");
    }
    let server = Binary::start(folder, &["--names=address"]);
    let encoded = format!("b{long}").replace('@', "%40");
    assert_eq!(sign_in(&server, &encoded, "three+unrelated+words"), 302);
    assert_eq!(sign_in(&server, "ann%40b%C3%BCcher.example", "three+unrelated+words"), 302);
    said(&run(
        folder,
        &["user", "passwd", "ann@b\u{fc}cher.example"],
        "four unrelated long words\n",
    ));
    said(&run(folder, &["user", "unlock", &long], ""));
    said(&run(
        folder,
        &["user", "key", "remove", "ann@b\u{fc}cher.example", &format!("username:B{long}")],
        "",
    ));
    said(&run(folder, &["user", "free", &format!("B{long}")], ""));
    said(&run(folder, &["user", "delete", "ann@b\u{fc}cher.example", "--yes"], ""));
    said(&run(folder, &["user", "free", "ANN@b\u{fc}cher.example"], ""));
}

#[test]
fn says_which_setting_takes_addresses_and_what_an_address_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let long = long();
    for (words, expected) in [
        (vec!["user", "add", &long], "--names address takes"),
        (vec!["user", "rename", "anna", &long], "--names address takes"),
        (vec!["user", "add", "anna", "--names", "address"], "is an e-mail address"),
        (vec!["user", "rename", "anna", "bert", "--names", "address"], "is an e-mail address"),
        (
            vec!["user", "key", "add", "anna", "username:ann@example", "--names=address"],
            "is an e-mail address",
        ),
        (vec!["user", "add", "anna", "--names", "email"], "name or address"),
    ] {
        let text = wrong_usage(&run(folder, &words, ""));
        assert!(text.contains(expected), "{words:?}: {text}");
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
    let mut command = vestibule(&["user", "add", "anna", "--no-password", "--database"]);
    command.arg(folder.join("test.db")).env("VESTIBULE_NAMES", "address");
    assert!(wrong_usage(&command.output().unwrap()).contains("is an e-mail address"));
}

#[test]
fn brings_users_over_whose_names_are_addresses_of_any_length() {
    let long = long();
    let csv = format!(
        "username,hash,email\n{long},{BCRYPT},\nann@b\u{fc}cher.example,{BCRYPT},\nbob,{BCRYPT},bob@example.com\n"
    );
    let htpasswd = format!("{long}:{BCRYPT}\nann@xn--bcher-kva.example:{BCRYPT}\nbob:{BCRYPT}\n");
    for (words, input) in [(["import", "csv", "-"], csv), (["import", "htpasswd", "-"], htpasswd)] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let refused = run(folder, &words, &input);
        let report = String::from_utf8(refused.stdout).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{report}");
        assert!(report.contains("--names address keeps it"), "{report}");
        said(&on_addresses(folder, &words, &input));
        said(&on_addresses(folder, &words, &input));
        let server = Binary::start(folder, &["--names=address"]);
        for name in
            [long.replace('@', "%40"), "ann%40b%C3%BCcher.example".to_owned(), "bob".to_owned()]
        {
            assert_eq!(sign_in(&server, &name, "open+sesame"), 302, "{name}");
        }
        let raw = Connection::open(folder.join("test.db")).unwrap();
        let sql = "SELECT group_concat(email || ' ' || ifnull(email_verified_at > 0, 0), ';')
                     FROM (SELECT * FROM user ORDER BY canonical_username)";
        let told: String = raw.query_row(sql, [], |row| row.get(0)).unwrap();
        let of_bob = if words[1] == "csv" { "bob@example.com 1" } else { " 0" };
        assert_eq!(told, format!("{long} 0;ann@xn--bcher-kva.example 0;{of_bob}"));
        assert!(names(folder).lines().count() == 3);
    }
}

#[test]
fn takes_addresses_as_new_names_of_people_who_come_over() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let renames = folder.join("names.csv");
    let input = format!("username,hash\nann,{BCRYPT}\n");
    let words = ["import", "csv", "-", "--rename", renames.to_str().unwrap()];
    fs::write(&renames, "ann,anna\n").unwrap();
    let text = refusal(&on_addresses(folder, &words, &input));
    assert!(text.contains("anna is no e-mail address"), "{text}");
    fs::write(&renames, format!("ann,{}\n", long())).unwrap();
    said(&on_addresses(folder, &words, &input));
    assert!(names(folder).contains(&long()));
}

#[test]
fn keeps_addresses_exactly_through_export_copy_and_backup() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in [&*long(), "ann@b\u{fc}cher.example"] {
        said(&on_addresses(folder, &["user", "add", name], "three unrelated words\n"));
    }
    let before = names(folder);
    let export = said(&run(folder, &["export", "-"], ""));
    let other = tempfile::tempdir().unwrap();
    said(&on_addresses(other.path(), &["import", "vestibule", "-"], &export));
    assert_eq!(names(other.path()), before);
    let refused = tempfile::tempdir().unwrap();
    let report = run(refused.path(), &["import", "vestibule", "-"], &export);
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.contains("--names address keeps it"), "{report}");
    let copied = tempfile::tempdir().unwrap();
    let path = copied.path().join("test.db");
    let from = folder.join("test.db");
    let [from, to] = [&from, &path].map(|it| it.to_str().unwrap());
    said(&vestibule(&["copy", "--from", from, "--to", to]).output().unwrap());
    assert_eq!(names(copied.path()), before);
    let saved = copied.path().join("saved.db");
    said(&run(folder, &["backup", saved.to_str().unwrap()], ""));
}

/// Databases of Lucia v2 with e-mail keys, Lucia v3 and better-auth, in which two people have this address and another.
fn databases(long: &str) -> [(&'static str, String); 3] {
    [
        (
            "lucia",
            format!(
                "CREATE TABLE user (id TEXT NOT NULL PRIMARY KEY, email TEXT);
                 CREATE TABLE user_key (id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, hashed_password TEXT);
                 CREATE TABLE user_session (id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL,
                                            active_expires INTEGER NOT NULL, idle_expires INTEGER NOT NULL);
                 INSERT INTO user VALUES ('1', '{long}'), ('2', 'bob@example.com');
                 INSERT INTO user_key SELECT 'email:' || lower(email), id, '{BCRYPT}' FROM user;"
            ),
        ),
        (
            "lucia-v3",
            format!(
                "CREATE TABLE user (id TEXT NOT NULL PRIMARY KEY, email TEXT, password_hash TEXT);
                 CREATE TABLE session (id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, expires_at INTEGER NOT NULL);
                 INSERT INTO user VALUES ('1', '{long}', '{BCRYPT}'), ('2', 'bob@example.com', '{BCRYPT}');"
            ),
        ),
        (
            "better-auth",
            format!(
                "CREATE TABLE user (id TEXT, email TEXT, emailVerified INTEGER);
                 CREATE TABLE account (providerId TEXT, accountId TEXT, userId TEXT, password TEXT);
                 INSERT INTO user VALUES ('1', '{long}', 1), ('2', 'bob@example.com', 0);
                 INSERT INTO account SELECT 'credential', id, id, '{BCRYPT}' FROM user;"
            ),
        ),
    ]
}

#[test]
fn brings_users_over_from_other_programs_whose_names_are_addresses() {
    let long = long();
    for (source, sql) in databases(&long) {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let theirs = folder.join("theirs.db");
        Connection::open(&theirs).unwrap().execute_batch(&sql).unwrap();
        let words = ["import", source, theirs.to_str().unwrap()];
        assert_eq!(run(folder, &words, "").status.code(), Some(1), "{source}: too long for a name");
        said(&on_addresses(folder, &words, ""));
        let server = Binary::start(folder, &["--names=address"]);
        for name in [long.to_uppercase().replace('@', "%40"), "bob%40example.com".to_owned()] {
            assert_eq!(sign_in(&server, &name, "open+sesame"), 302, "{source} {name}");
        }
        let raw = Connection::open(folder.join("test.db")).unwrap();
        let sql = "SELECT group_concat(email || ' ' || ifnull(email_verified_at > 0, 0), ';')
                     FROM (SELECT * FROM user ORDER BY canonical_username)";
        let told: String = raw.query_row(sql, [], |row| row.get(0)).unwrap();
        let is_verified = i32::from(source == "better-auth");
        assert_eq!(
            told.to_lowercase(),
            format!("{} {is_verified};bob@example.com 0", long.to_lowercase())
        );
    }
}
