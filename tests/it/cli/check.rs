//! What a check says before a server starts.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;

use crate::binary::vestibule_of_another;
use crate::cli::backup::names;
use crate::cli::copy::{number, on, refusal, said};
use crate::cli::migrate::to_schema_3;
use crate::engine;

/// What a check says of a database, for scripts.
fn data(database: &Path) -> Value {
    serde_json::from_str(&said(&on(database, &["check", "--json"]))).unwrap()
}

#[test]
fn passes_before_the_first_start_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    for is_there in [false, true] {
        let told = said(&on(&path, &["check"]));
        assert!(
            told.ends_with("\nthere is no database yet: vestibule serve makes it when it starts\n"),
            "{told}"
        );
        let data = data(&path);
        assert_eq!((&data["in_order"], &data["at_start"]), (&true.into(), &"make".into()));
        assert_eq!((&data["schema"], &data["database_bytes"]), (&0.into(), &0.into()));
        let left: &[&str] = if is_there { &["new.db"] } else { &[] };
        assert_eq!(names(folder.path()), left);
        fs::write(&path, "").unwrap();
    }
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    said(&on(&path, &["user", "add", "anna", "--no-password"]));
    assert_eq!(data(&path)["at_start"], "nothing");
}

#[test]
fn refuses_a_place_where_no_server_could_make_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("no/new.db");
    assert!(refusal(&on(&nowhere, &["check"]), 1).contains("no is not there; make it first"));
    let folder_itself = refusal(&on(folder.path(), &["check"]), 1);
    assert!(folder_itself.contains("name a file in it"), "{folder_itself}");
    let path = folder.path().join("new.db");
    fs::write(folder.path().join("new.db-wal"), "left").unwrap();
    assert!(refusal(&on(&path, &["check"]), 1).contains("new.db-wal is there and belongs to it"));
    fs::remove_file(folder.path().join("new.db-wal")).unwrap();
    let words = ["check", "--database", path.to_str().unwrap()];
    let mut command = vestibule_of_another(folder.path(), &words);
    fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
    let told = refusal(&command.output().unwrap(), 1);
    assert!(told.contains("this user may not write there"), "{told}");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let exposed = on(&path, &["check"]);
    let told = String::from_utf8(exposed.stdout).unwrap();
    assert!(exposed.status.code() == Some(1) && told.contains("chmod o-w"), "{told}");
}

#[test]
fn passes_on_an_older_database_that_the_next_start_upgrades_and_leaves_it_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    drop(engine::file(&path));
    let newest = number(&path, "PRAGMA user_version");
    to_schema_3(&path);
    let before = fs::read(&path).unwrap();
    let told = said(&on(&path, &["check"]));
    let expected =
        format!("vestibule serve upgrades it from schema 3 to {newest} when it starts\n");
    assert!(told.ends_with(&expected) && told.contains("schema            3\n"), "{told}");
    let data = data(&path);
    assert_eq!((&data["in_order"], &data["at_start"]), (&true.into(), &"upgrade".into()));
    assert_eq!(data["schema"], 3);
    assert!(fs::read(&path).unwrap() == before);
    assert_eq!(names(folder.path()), ["old.db"]);
    // A database that is damaged is not said to be ready for an upgrade.
    let mut bytes = before;
    let page = bytes.len() - 4_096;
    bytes[page..].fill(0x5a);
    fs::write(&path, &bytes).unwrap();
    let told = refusal(&on(&path, &["check"]), 1);
    assert!(told.contains("restore it from a backup"), "{told}");
}

#[test]
fn says_of_a_newer_database_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    drop(engine::file(&path));
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let told = refusal(&on(&path, &["check"]), 1);
    for part in ["schema 99", "use the newer version, or restore a backup"] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn lets_a_server_start_on_a_database_with_faults_that_it_can_serve() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    let told = said(&on(&path, &["check", "--before-start"]));
    assert!(told.starts_with("there is no database yet") && told.lines().count() == 1, "{told}");
    said(&on(&path, &["user", "add", "anna", "--no-password"]));
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM user").unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let full = on(&path, &["check"]);
    assert_eq!(full.status.code(), Some(1));
    let told = said(&on(&path, &["check", "--before-start"]));
    assert_eq!(told, "vestibule serve can start on the database\n");
    raw.pragma_update(None, "user_version", 1_000).unwrap();
    let told = refusal(&on(&path, &["check", "--before-start"]), 1);
    assert!(told.contains("a newer vestibule made it"), "{told}");
    let wrong = on(&path, &["check", "--before-start", "--active=40d"]);
    assert_eq!(wrong.status.code(), Some(2));
}
