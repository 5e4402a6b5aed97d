//! The tables of a database, up to date.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use vestibule::store::{self, Database};

use crate::binary::Binary;
use crate::cli::backup::{make, names};
use crate::cli::copy::{number, on, refusal, said};
use crate::engine;

/// A file as the release with schema 3 has made it.
fn of_schema_3(folder: &Path) -> PathBuf {
    let path = folder.join("old.db");
    drop(engine::file(&path));
    to_schema_3(&path);
    path
}

/// Takes from a file what has been added since the release with schema 3.
pub fn to_schema_3(path: &Path) {
    let raw = Connection::open(path).unwrap();
    raw.execute_batch(&engine::TO_SCHEMA_11.join(";")).unwrap();
    raw.execute_batch(
        "DROP TABLE invite; DROP TABLE resting_name; DROP TABLE one_time_token; DROP TABLE clock; ALTER TABLE user DROP COLUMN attributes;
         ALTER TABLE user DROP COLUMN epoch; ALTER TABLE user_session DROP COLUMN epoch;
         ALTER TABLE access_token DROP COLUMN epoch;
         PRAGMA user_version = 3;",
    )
    .unwrap();
}

#[test]
fn brings_an_older_database_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = of_schema_3(folder.path());
    let newest = store::schema(&Database::from(path.clone())).unwrap().1;
    let check = on(&path, &["migrate", "--check"]);
    let text = String::from_utf8(check.stdout).unwrap();
    assert_eq!(check.status.code(), Some(1));
    assert!(text.contains(&format!("has schema 3, the newest is {newest}")), "{text}");
    assert_eq!(number(&path, "PRAGMA user_version"), 3, "it only looks");
    let text = said(&on(&path, &["migrate"]));
    assert!(text.contains(&format!("has schema {newest} now, and had 3\n")), "{text}");
    assert_eq!(number(&path, "SELECT count(*) FROM invite"), 0);
    assert!(said(&on(&path, &["migrate"])).contains("already"));
    assert!(said(&on(&path, &["migrate", "--check"])).contains("has the newest schema"));
}

#[test]
fn migrates_nothing_that_is_not_ours_and_looks_for_nothing_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing.db");
    assert!(refusal(&on(&path, &["migrate", "--check"]), 1).contains("there is no database"));
    assert!(!path.exists());
    let path = of_schema_3(folder.path());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 1_000).unwrap();
    for words in [&["migrate"][..], &["migrate", "--check"]] {
        assert!(refusal(&on(&path, words), 1).contains("a newer vestibule made it"));
    }
}

#[test]
fn leaves_an_older_database_to_the_byte_to_commands_that_only_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = of_schema_3(folder.path());
    let table = folder.path().join("people.csv");
    fs::write(&table, "username,hash\nzoe1,\n").unwrap();
    let before = fs::read(&path).unwrap();
    for words in [
        &["user", "list"][..],
        &["user", "show", "anna"],
        &["user", "key", "list", "anna"],
        &["audit"],
        &["export", "-"],
        &["import", "csv", table.to_str().unwrap(), "--dry-run"],
        &["session", "list", "anna"],
        &["token", "list", "anna"],
        &["invite", "list"],
    ] {
        let text = refusal(&on(&path, words), 1);
        assert!(
            text.contains("it has schema 3") && text.contains(": run vestibule migrate"),
            "{text}"
        );
        assert!(fs::read(&path).unwrap() == before, "{words:?}");
    }
    let copy = folder.path().join("copy.db");
    let to = folder.path().join("new.db");
    let words = ["copy", "--from", path.to_str().unwrap(), "--to", to.to_str().unwrap()];
    let copied = crate::binary::vestibule(&words).output().unwrap();
    assert!(refusal(&copied, 1).contains("run vestibule migrate"));
    let told = said(&on(&path, &["backup", copy.to_str().unwrap()]));
    assert!(told.contains("Both have schema 3"), "{told}");
    assert!(fs::read(&path).unwrap() == before);
    assert_eq!(number(&copy, "PRAGMA user_version"), 3);
    assert_eq!(names(folder.path()), ["copy.db", "old.db", "people.csv"]);
    // What writes brings it up to date.
    said(&on(&path, &["user", "add", "anna", "--no-password"]));
    said(&on(&path, &["user", "list"]));
    assert!(said(&on(&copy, &["migrate"])).contains("and had 3"));
}

#[test]
fn leaves_an_older_database_to_the_byte_to_commands_that_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = of_schema_3(folder.path());
    let newest = store::schema(&Database::from(path.clone())).unwrap().1;
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch(
        "INSERT INTO user (id, username, canonical_username, created_at)
           VALUES ('1', 'Anna', 'anna', 1), ('2', 'Bert', 'bert', 1);
         INSERT INTO user_key VALUES ('username:anna', '1', NULL), ('username:bert', '2', NULL);
         PRAGMA wal_checkpoint(TRUNCATE);",
    )
    .unwrap();
    drop(raw);
    let other = folder.path().join("other.db");
    said(&on(&other, &["user", "add", "carl", "--no-password"]));
    let people = folder.path().join("people.csv");
    fs::write(&people, "id,username,hash\n7,anna,\n").unwrap();
    let (before, files) = (fs::read(&path).unwrap(), names(folder.path()));
    let origin = "--origin=https://x.test";
    for words in [
        &["user", "delete", "anna"][..],
        &["user", "delete", "nobody", "--yes"],
        &["user", "passwd", "nobody"],
        &["user", "reset-link", "nobody", origin],
        &["user", "add", "bert", "--no-password"],
        &["user", "rename", "anna", "bert"],
        &["user", "groups", "nobody", "staff"],
        &["user", "email", "nobody", "a@b.example"],
        &["user", "free", "nobody"],
        &["user", "key", "add", "anna", "username:bert"],
        &["user", "key", "remove", "anna", "github:1"],
        &["session", "end", "anna", "00000000"],
        &["session", "end-all", "nobody"],
        &["token", "revoke", "anna", "00000000"],
        &["invite", "revoke", "00000000"],
    ] {
        refusal(&on(&path, words), 1);
        assert!(fs::read(&path).unwrap() == before, "{words:?}");
        assert_eq!(names(folder.path()), files, "{words:?}");
    }
    let import = on(&path, &["import", "csv", people.to_str().unwrap()]);
    assert_eq!(import.status.code(), Some(1));
    let words = ["copy", "--from", other.to_str().unwrap(), "--to", path.to_str().unwrap()];
    let copied = crate::binary::vestibule(&words).output().unwrap();
    assert!(refusal(&copied, 1).contains("there are users in it"));
    assert!(fs::read(&path).unwrap() == before, "an import or a copy");
    assert_eq!(names(folder.path()), files);
    // What is not refused is done and recorded, and upgrades the file.
    said(&on(&path, &["user", "groups", "anna", "staff"]));
    assert_eq!(number(&path, "PRAGMA user_version"), i64::from(newest));
    assert_eq!(number(&path, "SELECT count(*) FROM audit WHERE event = 'user_groups'"), 1);
    assert_eq!(names(folder.path()), files);
}

#[test]
fn keeps_a_name_reserved_that_a_command_reserves_in_a_file_of_the_first_schema() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch(include_str!("../../../src/store/sqlite/migrations/1.sql")).unwrap();
    raw.execute_batch(
        "INSERT INTO user VALUES ('1', 'Anna', 'anna', 1);
         INSERT INTO user_key VALUES ('username:anna', '1', NULL);
         PRAGMA application_id = 0x76657374; PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(raw);
    // There is no random key yet, with which names are hashed.
    said(&on(&path, &["user", "rename", "anna", "hannah"]));
    let add = on(&path, &["user", "add", "anna", "--no-password"]);
    assert!(refusal(&add, 1).contains("is reserved"));
    assert!(said(&on(&path, &["audit", "--user", "anna"])).contains("user_rename"));
}

#[test]
fn makes_the_database_where_something_is_to_be_added_and_there_is_none() {
    for words in [
        &["user", "add", "anna", "--no-password"][..],
        &["invite", "new", "--origin=https://x.test"],
        &["migrate"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new.db");
        said(&on(&path, words));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(said(&on(&path, &["check"])).ends_with("is in order\n"));
        let nowhere = folder.path().join("no/new.db");
        assert!(refusal(&on(&nowhere, words), 1).contains("its folder"));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    assert!(said(&on(&path, &["migrate"])).contains("new.db, with schema "));
    fs::remove_file(&path).unwrap();
    for words in [
        &["user", "add", "anna"][..],
        &["user", "list"],
        &["user", "delete", "anna", "--yes"],
        &["invite", "list"],
    ] {
        refusal(&on(&path, words), 1);
        assert!(!path.exists(), "{words:?}");
    }
    fs::write(&path, "").unwrap();
    assert!(refusal(&on(&path, &["user", "list"]), 1).contains("it is empty; vestibule serve or"));
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
}

/// What a power cut leaves in the middle of a transaction: the file with half of its pages, and the journal
/// that undoes them.
fn cut_off(path: &Path, to: &Path, change: &str) {
    let raw = Connection::open(path).unwrap();
    raw.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).unwrap();
    raw.execute_batch(&format!("PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN; {change}"))
        .unwrap();
    fs::copy(path, to).unwrap();
    let journal = fs::read(path.with_extension("db-journal")).unwrap();
    assert!(journal.starts_with(&[0xd9, 0xd5, 0x05, 0xf9]), "the journal is on the disk");
    fs::write(to.with_extension("db-journal"), journal).unwrap();
}

#[test]
fn brings_a_database_up_to_date_that_a_crash_has_left_with_a_journal() {
    for words in [&["migrate", "--check"][..], &["migrate"], &["user", "list"], &["backup", "COPY"]]
    {
        let folder = tempfile::tempdir().unwrap();
        let (path, cut) = (folder.path().join("whole.db"), folder.path().join("cut.db"));
        make(&path, 500);
        cut_off(&path, &cut, "UPDATE user SET email = printf('%.200c', 'x')");
        let copy = folder.path().join("copy.db");
        let words: Vec<_> = words
            .iter()
            .map(|it| if *it == "COPY" { copy.to_str().unwrap() } else { it })
            .collect();
        said(&on(&cut, &words));
        assert_eq!(number(&cut, "SELECT count(*) FROM user WHERE email = ''"), 500);
        said(&on(&cut, &["check"]));
    }
}

#[test]
fn makes_anew_what_a_power_cut_at_the_very_first_start_has_left() {
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.db");
    cut_off(
        &folder.path().join("whole.db"),
        &cut,
        "CREATE TABLE user (a); CREATE TABLE user_key (a);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
           INSERT INTO user SELECT printf('%.200c', 'x') FROM n;",
    );
    let journal = fs::read(cut.with_extension("db-journal")).unwrap();
    let whole = fs::read(&cut).unwrap();
    let without_its_first_page = [&[0; 4_096][..], &whole[4_096..]].concat();
    let cases: [(&str, Vec<u8>, bool); 6] = [
        ("some pages", whole.clone(), true),
        ("no first page", without_its_first_page, true),
        ("one page", whole[..4_096].to_vec(), true),
        ("nothing", Vec::new(), true),
        ("zeros alone", vec![0; 40_960], false),
        ("zeros and a journal", vec![0; 40_960], true),
    ];
    for (name, content, has_journal) in cases {
        for words in [&["user", "add", "anna", "--no-password"][..], &["migrate"], &["serve"]] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("test.db");
            fs::write(&path, &content).unwrap();
            if has_journal {
                fs::write(path.with_extension("db-journal"), &journal).unwrap();
            }
            let reads = refusal(&on(&path, &["user", "list"]), 1);
            assert!(reads.contains("it is empty"), "{name}: {reads}");
            if words == ["serve"] {
                Binary::start(folder.path(), &[]).stop();
            } else {
                said(&on(&path, words));
            }
            said(&on(&path, &["check"]));
            assert_eq!(names(folder.path()), ["test.db"], "{name}");
        }
    }
}
