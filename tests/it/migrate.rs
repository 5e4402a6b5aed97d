//! The tables of a database, up to date.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use vestibule::store::{self, Database};

use crate::copy::{number, on, refusal, said};
use crate::engine;

/// A file as the release with schema 3 has made it.
fn of_schema_3(folder: &Path) -> PathBuf {
    let path = folder.join("old.db");
    drop(engine::file(&path));
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch(
        "DROP TABLE invite; DROP TABLE ticket; ALTER TABLE user DROP COLUMN attributes;
         ALTER TABLE user DROP COLUMN epoch; ALTER TABLE user_session DROP COLUMN epoch;
         ALTER TABLE access_token DROP COLUMN epoch;
         PRAGMA user_version = 3;",
    )
    .unwrap();
    path
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
fn migrates_nothing_that_is_not_there_or_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing.db");
    for words in [&["migrate"][..], &["migrate", "--check"]] {
        assert!(refusal(&on(&path, words), 1).contains("there is no database"));
        assert!(!path.exists());
    }
    let path = of_schema_3(folder.path());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 1_000).unwrap();
    for words in [&["migrate"][..], &["migrate", "--check"]] {
        assert!(refusal(&on(&path, words), 1).contains("a newer vestibule made it"));
    }
}
