//! The store's file: who may read it, what is refused, and what a crash leaves behind. What each method
//! promises is in conformance.rs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;
use vestibule::store::{Error, Session, SessionStart, Sqlite, Store};

use crate::engine;
use crate::store::conformance::{key, session, user};

/// More sessions than any test has.
const MANY: u32 = 1_000;

/// A store over its own empty file.
struct Desk {
    folder: TempDir,
    store: Box<dyn Store>,
}

impl Desk {
    /// A desk whose store knows `ann`, with a key and a session that ends at 3.
    fn with_ann() -> (Self, Session) {
        let folder = tempfile::tempdir().unwrap();
        let store = engine::file(&folder.path().join("test.db"));
        let session = session("ann", [1, 2, 3]);
        store
            .sign_up(&user("ann"), &key("ann"), Some(&session), None, &SessionStart::default())
            .unwrap();
        (Self { folder, store }, session)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }
}

#[test]
fn opens_a_new_file_from_many_processes_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Sqlite::open(&file))).collect();
        for thread in threads {
            let opened = thread.join().unwrap();
            assert!(opened.is_ok(), "{:?}", opened.err());
        }
    });
}

#[test]
fn keeps_everything_over_a_restart_and_leaves_one_file_behind() {
    let (desk, session) = Desk::with_ann();
    let is_alive = |store: &dyn Store| store.user_of_session(&session.id).unwrap().is_some();
    assert!(is_alive(&*desk.store), "by a connection that reads");
    desk.store.close().unwrap();
    assert_eq!(fs::read_dir(desk.folder.path()).unwrap().count(), 1);
    let Desk { folder, store } = desk;
    drop(store);
    let store = engine::file(&folder.path().join("test.db"));
    assert!(is_alive(&*store));
    assert_eq!(store.user_by_name("ann"), Ok(Some(user("ann"))));
}

#[test]
fn lets_no_other_account_read_the_file_or_its_companions() {
    let (desk, _) = Desk::with_ann();
    let modes = || {
        ["", "-wal", "-shm"].map(|suffix| {
            let file = desk.folder.path().join(format!("test.db{suffix}"));
            fs::metadata(file).unwrap().permissions().mode() & 0o777
        })
    };
    assert_eq!(modes(), [0o600; 3]);
    fs::set_permissions(desk.file(), fs::Permissions::from_mode(0o644)).unwrap();
    drop(engine::file(&desk.file()));
    assert_eq!(modes(), [0o600; 3], "narrowed when opened again");
}

/// Opens `file`, which has to be refused for a reason that names `cause`, and left as it is.
fn is_refused(file: &Path, cause: &str) {
    let before = fs::read(file).unwrap();
    let Err(Error::Broken(reason)) = Sqlite::open(file).map(drop) else {
        panic!("{} was opened", file.display());
    };
    assert!(reason.contains(cause), "{reason}");
    assert!(reason.contains("cannot open the database") && !reason.contains('\n'), "{reason}");
    assert!(fs::read(file).unwrap() == before, "the file was touched");
    let folder = fs::read_dir(file.parent().unwrap()).unwrap();
    assert_eq!(folder.count(), 1, "nothing was left beside the file");
}

#[test]
fn refuses_a_file_that_is_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letter.txt");
    for content in ["x", "Dear Sir or Madam, ", &"SQLite format 3\0".repeat(3)] {
        fs::write(&file, content).unwrap();
        is_refused(&file, "not a SQLite database");
    }
}

#[test]
fn refuses_the_database_of_another_program() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.db");
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE user (id)").unwrap();
    is_refused(&file, "another program");
    Connection::open(&file).unwrap().execute_batch("PRAGMA application_id = 1").unwrap();
    is_refused(&file, "another program");
}

/// A database of ours after `change` was made to it behind our back.
fn altered(change: &str) -> (TempDir, PathBuf) {
    let (desk, _) = Desk::with_ann();
    let file = desk.file();
    let Desk { folder, store } = desk;
    drop(store);
    let raw = Connection::open(&file).unwrap();
    raw.execute_batch(change).unwrap();
    // Back in one file: the change itself went to a log.
    raw.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(raw);
    (folder, file)
}

#[test]
fn refuses_a_file_from_a_newer_version() {
    let (_folder, file) = altered("PRAGMA user_version = 99");
    is_refused(&file, "a newer vestibule made it (schema 99");
}

#[test]
fn refuses_a_file_whose_tables_were_altered() {
    let (_folder, file) = altered("ALTER TABLE user_session DROP COLUMN created_at");
    is_refused(&file, "user_session.created_at");
    let (_folder, file) = altered("DROP TABLE user_key");
    is_refused(&file, "user_key.id");
}

#[test]
fn refuses_a_file_that_was_cut_short() {
    let (_folder, file) = altered("");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..5_000]).unwrap();
    is_refused(&file, "malformed");
}

#[test]
fn finds_damage_after_a_crash() {
    let (desk, _) = Desk::with_ann();
    for n in 0..300 {
        desk.store.add_user(&user(&format!("user{n}")), &[]).unwrap();
    }
    desk.store.close().unwrap();
    let desk = Desk { store: engine::file(&desk.file()), ..desk };
    desk.store.start_session(&session("ann", [1, 2, 3]), MANY, &SessionStart::default()).unwrap();
    // What a crash leaves: the file, and a log that is not folded in. Then the disk forgets a
    // page that the log does not hold.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    fs::copy(desk.folder.path().join("test.db-wal"), folder.path().join("test.db-wal")).unwrap();
    let mut bytes = fs::read(desk.file()).unwrap();
    let last_page = bytes.len() - 4096;
    bytes[last_page..].fill(0xaa);
    fs::write(&file, &bytes).unwrap();
    let refused = Sqlite::open(&file).map(drop);
    let Err(Error::Broken(reason)) = refused else { panic!("opened: {refused:?}") };
    assert!(reason.contains("damaged"), "{reason}");
    assert!(fs::read(&file).unwrap() == bytes, "the file was touched");
}

#[test]
fn opens_after_a_crash_with_everything_that_was_written() {
    let (desk, session) = Desk::with_ann();
    let folder = tempfile::tempdir().unwrap();
    for name in ["test.db", "test.db-wal"] {
        fs::copy(desk.folder.path().join(name), folder.path().join(name)).unwrap();
    }
    let store = engine::file(&folder.path().join("test.db"));
    assert!(store.user_of_session(&session.id).unwrap().is_some());
}

#[test]
fn makes_an_empty_file_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty.db");
    fs::write(&file, "").unwrap();
    assert!(Sqlite::open(&file).is_ok());
}

#[test]
fn says_what_is_wrong_with_the_path() {
    let folder = tempfile::tempdir().unwrap();
    for (path, cause) in [
        (folder.path().to_owned(), "not a regular file"),
        (folder.path().join("no/such/folder.db"), "its folder"),
        (PathBuf::from("/dev/null"), "not a regular file"),
        (PathBuf::from("/"), "not a regular file"),
        (PathBuf::new(), "names no file"),
    ] {
        let Err(err) = Sqlite::open(&path) else { panic!("{} was opened", path.display()) };
        assert!(err.to_string().contains(cause), "{err}");
    }
}

#[test]
fn follows_a_link_to_the_file_so_that_it_is_checked_where_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real/x.db"), folder.path().join("x.db"));
    fs::create_dir(folder.path().join("real")).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let Err(err) = Sqlite::open(&link) else { panic!("a link to nothing was opened") };
    assert!(err.to_string().contains("symbolic link"), "{err}");
    let open = engine::file(&real);
    open.add_user(&user("ann"), &[]).unwrap();
    for name in ["real/x.db", "real/x.db-wal", "real/x.db-shm"] {
        let public = fs::Permissions::from_mode(0o644);
        fs::set_permissions(folder.path().join(name), public).unwrap();
    }
    let other = engine::file(&link);
    for name in ["real/x.db", "real/x.db-wal", "real/x.db-shm"] {
        let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    drop((open, other));
}

#[test]
fn takes_a_special_name_for_a_file_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(":memory:");
    engine::file(&file).add_user(&user("ann"), &[]).unwrap();
    assert!(fs::metadata(&file).unwrap().len() > 0);
}
