//! Copies of the file, and copies in its place: complete or not at all, and nothing lost.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::binary::{Binary, program, vestibule};
use crate::cli::copy::{number, on, refusal, said};
use crate::engine;

/// A user that is not root, nor the one who runs the tests.
const NOBODY: u32 = 65_534;

/// The files in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|it| it.into_string().unwrap()).collect();
    names.sort();
    names
}

/// A database with so many users and as many sessions, in one file.
pub fn make(path: &Path, users: u32) {
    drop(engine::file(path));
    let raw = Connection::open(path).unwrap();
    raw.execute_batch(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {users})
           INSERT INTO user (id, username, canonical_username, created_at)
           SELECT 'n' || i, 'N' || i, 'n' || i, i FROM n;
         INSERT INTO user_session SELECT randomblob(32), id, 1, 2, 3, 4, 5, 6, 0, '', '', 0, 0 FROM user;"
    ))
    .unwrap();
}

/// A database with a backup of it, which has one user and one session less.
struct Kept {
    folder: TempDir,
}

impl Kept {
    fn new() -> Self {
        let it = Self { folder: tempfile::tempdir().unwrap() };
        make(&it.database(), 50);
        said(&on(&it.database(), &["backup", it.copy().to_str().unwrap()]));
        let raw = Connection::open(it.database()).unwrap();
        raw.execute_batch(
            "INSERT INTO user (id, username, canonical_username, created_at)
               VALUES ('late', 'Late', 'late', 1);",
        )
        .unwrap();
        it
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    fn copy(&self) -> PathBuf {
        self.folder.path().join("copy.db")
    }

    fn restore(&self, more: &[&str]) -> Output {
        on(&self.database(), &[&["restore", self.copy().to_str().unwrap()], more].concat())
    }

    /// Sees that the backup is in place, in order and without sessions, and says what was kept.
    fn is_restored(&self) -> Vec<String> {
        said(&on(&self.database(), &["check"]));
        assert_eq!(number(&self.database(), "SELECT count(*) FROM user"), 50);
        assert_eq!(number(&self.database(), "SELECT count(*) FROM user_session"), 0);
        let all = names(self.folder.path());
        assert!(!all.iter().any(|it| it.contains(".part")), "{all:?}");
        all.into_iter().filter(|it| it.contains(".before-restore-")).collect()
    }
}

/// Leaves a log beside the database, as a killed server does: it holds a user and a session more.
fn leave_log(database: &Path) {
    let raw = Connection::open(database).unwrap();
    raw.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    raw.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    raw.execute_batch(
        "INSERT INTO user (id, username, canonical_username, created_at)
           VALUES ('logged', 'Logged', 'logged', 1);
         INSERT INTO user_session VALUES (randomblob(32), 'logged', 1, 2, 3, 4, 5, 6, 0, '', '', 0, 0);",
    )
    .unwrap();
    drop(raw);
    assert!(fs::metadata(database.with_extension("db-wal")).unwrap().len() > 0);
}

/// Runs the program where no file can grow beyond so many kilobytes, as on a disk that is full.
fn on_a_full_disk(kilobytes: u32, words: &[&str]) -> Output {
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", kilobytes * 2);
    std::process::Command::new("sh")
        .args(["-c", &script])
        .arg(program())
        .args(words)
        .output()
        .unwrap()
}

#[test]
fn asks_before_it_replaces_a_database_and_keeps_what_was_there() {
    let it = Kept::new();
    let text = refusal(&it.restore(&[]), 1);
    assert!(text.contains("say --yes if that is meant"), "{text}");
    assert_eq!(number(&it.database(), "SELECT count(*) FROM user"), 51);
    let told = said(&it.restore(&["--yes"]));
    let kept = it.is_restored();
    assert_eq!(kept.len(), 1);
    assert!(told.contains("left out: 50 sessions\n") && told.contains(&kept[0]), "{told}");
    assert_eq!(number(&it.folder.path().join(&kept[0]), "SELECT count(*) FROM user"), 51);
    // Where nothing is replaced, nothing is asked.
    fs::remove_file(it.database()).unwrap();
    said(&it.restore(&[]));
    assert_eq!(it.is_restored(), kept);
}

#[test]
fn says_that_there_is_no_backup_before_it_asks() {
    let it = Kept::new();
    fs::remove_file(it.copy()).unwrap();
    let text = refusal(&it.restore(&[]), 1);
    assert!(text.contains("copy.db: there is no such file"), "{text}");
    assert!(!text.contains("--yes"), "{text}");
}

#[test]
fn keeps_a_record_of_a_restore() {
    let it = Kept::new();
    said(&it.restore(&["--yes"]));
    let told = said(&on(&it.database(), &["audit"]));
    assert!(told.contains("  restore  ") && told.contains("  from="), "{told}");
    assert!(told.contains(" sessions_left_out=50 by="), "{told}");
}

#[test]
fn keeps_owner_group_and_mode_of_what_it_replaces() {
    let it = Kept::new();
    let state = |path: &Path| {
        let about = fs::metadata(path).unwrap();
        (about.uid(), about.gid(), about.mode() & 0o7777)
    };
    fs::set_permissions(it.database(), Permissions::from_mode(0o640)).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        chown(it.database(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let before = state(&it.database());
    said(&it.restore(&["--yes"]));
    assert_eq!(state(&it.database()), before);
    fs::remove_file(it.database()).unwrap();
    let mut expected = state(it.folder.path());
    if is_root {
        chown(it.folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        expected = (NOBODY, NOBODY, 0);
    }
    said(&it.restore(&[]));
    assert_eq!(state(&it.database()), (expected.0, expected.1, 0o600));
}

#[test]
fn replays_no_log_that_was_left_beside_a_missing_file() {
    let it = Kept::new();
    leave_log(&it.database());
    fs::remove_file(it.database()).unwrap();
    // Neither does a server: it would delete what is in the log.
    for words in [&["serve", "--listen=unix:/no/where"][..], &["migrate"]] {
        let text = refusal(&on(&it.database(), words), 1);
        assert!(text.contains("test.db-wal is there and belongs to it"), "{text}");
    }
    let told = said(&it.restore(&[]));
    assert!(told.contains("left out: 50 sessions\n"), "{told}");
    let kept = it.is_restored();
    assert!(kept.len() == 1 && kept[0].ends_with("-wal"), "{kept:?}");
}

#[test]
fn folds_the_log_of_what_it_replaces_into_it() {
    let it = Kept::new();
    leave_log(&it.database());
    said(&it.restore(&["--yes"]));
    let kept = it.is_restored();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(number(&it.folder.path().join(&kept[0]), "SELECT count(*) FROM user"), 52);
}

#[test]
fn replaces_what_is_damaged_and_keeps_it_to_the_byte() {
    let damage = |name: &str, it: &mut Vec<u8>| match name {
        "truncated" => it.truncate(5_000),
        "empty" => it.clear(),
        "zeros" => it[..100].fill(0),
        "header" => it[16..100].fill(0xaa),
        _ => it[..4_096].fill(0x5a),
    };
    for name in ["truncated", "empty", "zeros", "header", "noise"] {
        for has_log in [false, true] {
            let it = Kept::new();
            if has_log {
                leave_log(&it.database());
            }
            let mut bytes = fs::read(it.database()).unwrap();
            damage(name, &mut bytes);
            fs::write(it.database(), &bytes).unwrap();
            said(&it.restore(&["--yes"]));
            let kept = it.is_restored();
            assert!(fs::read(it.folder.path().join(&kept[0])).unwrap() == bytes, "{name}");
            assert_eq!(kept.len(), if has_log { 2 } else { 1 }, "{name}: {kept:?}");
        }
    }
}

#[test]
fn replaces_no_database_of_another_program() {
    let it = Kept::new();
    fs::remove_file(it.database()).unwrap();
    for log in ["DELETE", "WAL"] {
        let foreign = Connection::open(it.database()).unwrap();
        foreign.execute_batch("CREATE TABLE IF NOT EXISTS t (a)").unwrap();
        foreign.query_row(&format!("PRAGMA journal_mode = {log}"), [], |_| Ok(())).unwrap();
        drop(foreign);
        let before = fs::read(it.database()).unwrap();
        assert!(refusal(&it.restore(&["--yes"]), 1).contains("another program"));
        assert!(fs::read(it.database()).unwrap() == before);
    }
    assert_eq!(names(it.folder.path()), ["copy.db", "test.db"]);
    let itself = on(&it.copy(), &["restore", it.copy().to_str().unwrap(), "--yes"]);
    assert!(refusal(&itself, 1).contains("the backup itself"));
}

#[test]
fn goes_back_to_an_older_schema_after_an_upgrade() {
    let it = Kept::new();
    let newer = Connection::open(it.database()).unwrap();
    newer.pragma_update(None, "user_version", 1_000).unwrap();
    drop(newer);
    said(&it.restore(&["--yes"]));
    it.is_restored();
}

#[test]
fn restores_through_a_link_to_where_it_leads() {
    let it = Kept::new();
    let place = it.folder.path().join("place");
    fs::create_dir(&place).unwrap();
    fs::rename(it.database(), place.join("real.db")).unwrap();
    symlink("place/real.db", it.database()).unwrap();
    said(&it.restore(&["--yes"]));
    assert!(it.database().is_symlink() && names(&place)[1].starts_with("real.db.before-restore-"));
    fs::remove_file(place.join("real.db")).unwrap();
    said(&it.restore(&[]));
    assert!(it.database().is_symlink());
    it.is_restored();
}

#[test]
fn restores_although_an_earlier_one_was_killed() {
    let it = Kept::new();
    for left in ["test.db.part", "test.db.part-journal", "test.db.part-wal", "copy.db.part"] {
        fs::write(it.folder.path().join(left), "left").unwrap();
    }
    // Killed after the file had its second name, and before its first was taken.
    let aside = it.folder.path().join("test.db.before-restore-20260101T000000Z");
    fs::hard_link(it.database(), &aside).unwrap();
    said(&it.restore(&["--yes"]));
    fs::remove_file(it.copy()).unwrap();
    said(&on(&it.database(), &["backup", it.copy().to_str().unwrap()]));
    assert_eq!(it.is_restored(), ["test.db.before-restore-20260101T000000Z"]);
}

#[test]
fn restores_nothing_while_a_server_runs_on_it_even_if_its_file_is_gone() {
    let it = Kept::new();
    let server = Binary::start(it.folder.path(), &[]);
    for flags in [&["--yes"][..], &[]] {
        assert!(refusal(&it.restore(flags), 1).contains("in use; stop the server first"));
    }
    fs::remove_file(it.database()).unwrap();
    // Until the server notices, its log is in use.
    let early = it.restore(&[]);
    server.signal(Signal::KILL);
    drop(server);
    if !early.status.success() {
        assert!(refusal(&early, 1).contains("in use; stop the server first"));
        said(&it.restore(&[]));
    }
    it.is_restored();
}

#[test]
fn leaves_nothing_on_a_full_disk() {
    let it = Kept::new();
    make(&it.folder.path().join("large.db"), 1_500);
    fs::rename(it.folder.path().join("large.db"), it.database()).unwrap();
    let (database, copy) = (it.database(), it.folder.path().join("new.db"));
    let flag = format!("--database={}", database.display());
    let before = names(it.folder.path());
    let backup = on_a_full_disk(64, &["backup", copy.to_str().unwrap(), &flag]);
    assert!(refusal(&backup, 1).contains("cannot write"));
    let export = on_a_full_disk(64, &["export", copy.to_str().unwrap(), &flag]);
    assert!(refusal(&export, 1).contains("cannot write"));
    assert_eq!(names(it.folder.path()), before);
    said(&on(&database, &["backup", copy.to_str().unwrap()]));
    let users = "SELECT count(*) FROM user";
    let restore = ["restore", copy.to_str().unwrap(), "--yes", &flag];
    let restore = on_a_full_disk(64, &restore);
    assert!(refusal(&restore, 1).contains("cannot replace"));
    assert_eq!(names(it.folder.path()), ["copy.db", "new.db", "test.db"]);
    assert_eq!(number(&database, users), 1_500);
}

#[test]
fn backs_up_into_one_file_that_only_its_owner_can_read_and_overwrites_none() {
    let it = Kept::new();
    let about = fs::metadata(it.copy()).unwrap();
    assert_eq!(about.mode() & 0o777, 0o600);
    assert_eq!(fs::read(it.copy()).unwrap()[18..20], [1, 1], "it has no log");
    let before = fs::read(it.copy()).unwrap();
    let again = on(&it.database(), &["backup", it.copy().to_str().unwrap()]);
    assert!(refusal(&again, 1).contains("exists"));
    symlink("nowhere", it.folder.path().join("link")).unwrap();
    let link = it.folder.path().join("link");
    assert!(
        refusal(&on(&it.database(), &["backup", link.to_str().unwrap()]), 1).contains("exists")
    );
    assert!(fs::read(it.copy()).unwrap() == before);
    assert_eq!(names(it.folder.path()), ["copy.db", "link", "test.db"]);
    assert_eq!(vestibule(&["restore"]).output().unwrap().status.code(), Some(2));
}
