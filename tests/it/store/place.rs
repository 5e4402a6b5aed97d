//! A file that is taken away from under a running server: nothing goes into it that is acknowledged, and
//! what has taken its place is left alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::binary::{Binary, vestibule};
use crate::cli::backup::{make, names};
use crate::cli::copy::{number, on, refusal, said};

/// How soon it has to be noticed, and somewhat more for a busy machine.
const NOTICE: Duration = Duration::from_secs(15);

struct Desk {
    folder: TempDir,
    server: Binary,
    cookie: String,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Binary::start(folder.path(), &[]);
        let cookie = server.sign_up("anna");
        Self { folder, server, cookie }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("test.db-wal")
    }

    fn sign_up(&self, name: &str) -> u16 {
        let body = format!("username={name}&password=correct+horse");
        self.server.post("/signup", &body, None).status
    }

    /// What is true while the path leads elsewhere.
    fn reads_and_writes_nothing(&self) {
        assert_eq!(self.server.get("/healthz", None).status, 503);
        assert_eq!(self.sign_up("bertha"), 503);
        assert_eq!(
            self.server.post("/login", "username=anna&password=correct+horse", None).status,
            503
        );
        assert_eq!(self.server.post("/logout", "", Some(&self.cookie)).status, 503);
        assert!(self.server.is_signed_in(&self.cookie), "what is open can be read");
    }

    /// Waits until the server has said that its file is gone, and let go of what lies beside the path.
    fn is_noticed(&self) {
        wait_until(|| times(&self.server.logged(), "db_lost") == 1 && !self.log().exists());
    }

    fn stop(self) -> (TempDir, String) {
        (self.folder, self.server.stop())
    }
}

fn wait_until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < NOTICE, "it was not noticed in time");
        thread::sleep(Duration::from_millis(50));
    }
}

fn times(log: &str, event: &str) -> usize {
    log.lines().filter(|it| it.split(' ').any(|word| word == format!("ev={event}"))).count()
}

/// A database with one user, who is called zoe.
fn another(path: &Path) {
    let mut command = vestibule(&["user", "add", "zoe1", "--no-password"]);
    let output = command.arg("--database").arg(path).output().unwrap();
    said(&output);
}

#[test]
fn opens_no_file_that_has_a_second_name_with_a_log_of_its_own() {
    let desk = Desk::new();
    let second = desk.folder.path().join("second.db");
    fs::hard_link(desk.file(), &second).unwrap();
    for words in [&["user", "list"][..], &["user", "add", "bertha", "--no-password"], &["check"]] {
        let mut command = vestibule(words);
        let output = command.arg("--database").arg(&second).output().unwrap();
        assert!(refusal(&output, 1).contains("another name as well (a hard link)"), "{words:?}");
    }
    assert_eq!(desk.sign_up("carla"), 302, "what is open already goes on");
    fs::remove_file(&second).unwrap();
    let mut command = vestibule(&["user", "list"]);
    let told = said(&command.arg("--database").arg(desk.file()).output().unwrap());
    assert!(told.contains("anna") && told.contains("carla"), "{told}");
}

#[test]
fn writes_nothing_while_its_file_is_moved_away_and_goes_on_when_it_is_back() {
    let desk = Desk::new();
    let away = desk.folder.path().join("away.db");
    fs::rename(desk.file(), &away).unwrap();
    desk.reads_and_writes_nothing();
    desk.is_noticed();
    desk.reads_and_writes_nothing();
    let seen = tempfile::tempdir().unwrap();
    let seen = seen.path().join("seen.db");
    fs::copy(&away, &seen).unwrap();
    assert_eq!(number(&seen, "SELECT count(*) FROM user"), 1, "what was acknowledged is in it");
    fs::rename(&away, desk.file()).unwrap();
    wait_until(|| desk.server.get("/healthz", None).status == 200);
    assert_eq!(desk.sign_up("bertha"), 302);
    assert!(desk.server.is_signed_in(&desk.cookie));
    let (folder, log) = desk.stop();
    assert_eq!((times(&log, "db_lost"), times(&log, "db_recovered")), (1, 1), "{log}");
    assert_eq!(names(folder.path()), ["test.db"]);
    assert_eq!(number(&folder.path().join("test.db"), "SELECT count(*) FROM user"), 2);
}

#[test]
fn makes_no_file_where_its_own_was_deleted() {
    let desk = Desk::new();
    fs::remove_file(desk.file()).unwrap();
    desk.reads_and_writes_nothing();
    desk.is_noticed();
    desk.reads_and_writes_nothing();
    let (folder, log) = desk.stop();
    assert_eq!(times(&log, "db_lost"), 1, "{log}");
    assert!(names(folder.path()).is_empty());
    assert!(Binary::start(folder.path(), &[]).stop().contains("ev=listening"));
}

#[test]
fn leaves_what_has_replaced_its_file_as_it_is_be_it_stopped_or_killed() {
    for is_killed in [false, true] {
        let desk = Desk::new();
        let other = desk.folder.path().join("other.db");
        another(&other);
        let bytes = fs::read(&other).unwrap();
        fs::rename(&other, desk.file()).unwrap();
        desk.reads_and_writes_nothing();
        // Its log is still there, and would be taken for the other's.
        let early = on(&desk.file(), &["user", "list"]);
        if !early.status.success() {
            assert!(refusal(&early, 1).contains("the file that was here before"));
        }
        desk.is_noticed();
        desk.reads_and_writes_nothing();
        assert!(fs::read(desk.file()).unwrap() == bytes);
        said(&on(&desk.file(), &["user", "add", "yves", "--no-password"]));
        let second = Binary::start(desk.folder.path(), &[]);
        second.sign_up("xenia");
        desk.reads_and_writes_nothing();
        let folder = if is_killed {
            desk.server.signal(Signal::KILL);
            desk.folder
        } else {
            desk.stop().0
        };
        second.sign_up("winnie");
        second.stop();
        said(&on(&folder.path().join("test.db"), &["check"]));
        let told = said(&on(&folder.path().join("test.db"), &["user", "list"]));
        for name in ["zoe1", "yves", "xenia", "winnie"] {
            assert!(told.contains(name), "{told}");
        }
    }
}

#[test]
fn takes_its_log_away_from_what_has_replaced_its_file_at_the_first_write_that_it_refuses() {
    let desk = Desk::new();
    (0..30).for_each(|at| assert_eq!(desk.sign_up(&format!("anna{at}")), 302));
    let other = desk.folder.path().join("other.db");
    another(&other);
    let bytes = fs::read(&other).unwrap();
    fs::rename(&other, desk.file()).unwrap();
    assert_eq!(desk.sign_up("bertha"), 503);
    desk.server.signal(Signal::KILL);
    let Desk { folder, server, .. } = desk;
    drop(server);
    let file = folder.path().join("test.db");
    assert!(!file.with_extension("db-wal").exists(), "{:?}", names(folder.path()));
    assert!(fs::read(&file).unwrap() == bytes);
    said(&on(&file, &["check"]));
    assert_eq!(number(&file, "SELECT count(*) FROM user"), 1);
}

#[test]
fn leaves_what_replaces_its_file_at_the_last_moment_as_it_is() {
    let desk = Desk::new();
    let other = desk.folder.path().join("other.db");
    another(&other);
    let bytes = fs::read(&other).unwrap();
    fs::rename(&other, desk.file()).unwrap();
    let (folder, _) = desk.stop();
    assert!(fs::read(folder.path().join("test.db")).unwrap() == bytes);
    assert_eq!(names(folder.path()), ["test.db"]);
}

#[test]
fn notices_that_a_link_leads_elsewhere_and_back_again() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("test.db");
    for name in ["one.db", "two.db"] {
        another(&folder.path().join(name));
    }
    std::os::unix::fs::symlink("one.db", &link).unwrap();
    let server = Binary::start(folder.path(), &[]);
    server.sign_up("anna");
    let lead_to = |name: &str| {
        let new = folder.path().join("new");
        std::os::unix::fs::symlink(name, &new).unwrap();
        fs::rename(&new, &link).unwrap();
    };
    lead_to("two.db");
    assert_eq!(server.get("/healthz", None).status, 503);
    assert_eq!(server.post("/signup", "username=bertha&password=correct+horse", None).status, 503);
    lead_to("one.db");
    wait_until(|| server.get("/healthz", None).status == 200);
    server.sign_up("bertha");
    server.stop();
    assert_eq!(number(&folder.path().join("one.db"), "SELECT count(*) FROM user"), 3);
    assert_eq!(number(&folder.path().join("two.db"), "SELECT count(*) FROM user"), 1);
}

#[test]
fn loses_nothing_when_its_log_is_deleted() {
    for suffix in ["-wal", "-shm"] {
        let desk = Desk::new();
        fs::remove_file(desk.folder.path().join(format!("test.db{suffix}"))).unwrap();
        assert_eq!(desk.sign_up("bertha"), 503);
        wait_until(|| desk.server.get("/healthz", None).status == 200);
        assert_eq!(desk.sign_up("bertha"), 302);
        desk.server.signal(Signal::KILL);
        let server = Binary::start(desk.folder.path(), &[]);
        assert!(server.is_signed_in(&desk.cookie));
        let told = said(&on(&desk.file(), &["user", "list"]));
        assert!(told.contains("anna") && told.contains("bertha"), "{told}");
    }
}

#[test]
fn replays_no_log_on_what_has_replaced_its_file_at_the_last_moment() {
    let desk = Desk::new();
    // A backup makes sense together with the log of its original.
    let copy = desk.folder.path().join("copy.db");
    said(&on(&desk.file(), &["backup", copy.to_str().unwrap()]));
    assert_eq!(desk.sign_up("bertha"), 302);
    let bytes = fs::read(&copy).unwrap();
    fs::rename(&copy, desk.file()).unwrap();
    desk.server.signal(Signal::KILL);
    let Desk { folder, server, .. } = desk;
    drop(server);
    let (file, log) = (folder.path().join("test.db"), folder.path().join("test.db-wal"));
    if rustix::fs::getxattr(&log, "user.vestibule.log", &mut [0; 128][..]).is_err() {
        eprintln!("not tried: this file system has no extended attributes");
        return;
    }
    for words in [
        &["serve", "--listen=unix:/no/where"][..],
        &["user", "list"],
        &["user", "add", "carla", "--no-password"],
        &["migrate", "--check"],
        &["backup", "copy.db"],
    ] {
        let text = refusal(&on(&file, words), 1);
        assert!(text.contains("the log of a file that was here before"), "{words:?}: {text}");
    }
    assert!(fs::read(&file).unwrap() == bytes && log.exists());
    fs::rename(&log, folder.path().join("log")).unwrap();
    let users = said(&on(&file, &["user", "list"]));
    assert!(users.contains("anna") && !users.contains("bertha"), "{users}");
}

#[test]
fn reads_its_log_wherever_both_are_copied_to() {
    let desk = Desk::new();
    desk.server.signal(Signal::KILL);
    let Desk { folder, server, .. } = desk;
    drop(server);
    let other = tempfile::tempdir().unwrap();
    // With extended attributes, as some backups of whole disks are.
    let copied = std::process::Command::new("cp")
        .args(["--archive", "test.db-wal", "test.db"])
        .arg(other.path())
        .current_dir(folder.path())
        .status();
    assert!(copied.unwrap().success());
    for place in [other.path(), folder.path()] {
        assert!(place.join("test.db-wal").metadata().unwrap().len() > 0);
        assert!(said(&on(&place.join("test.db"), &["user", "list"])).contains("anna"));
    }
}

#[test]
fn says_whose_log_it_may_be_if_a_replaced_file_is_damaged_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    make(&file, 2_000);
    // With sessions to sweep, its log would soon hold every page.
    Connection::open(&file).unwrap().execute_batch("DELETE FROM user_session; VACUUM").unwrap();
    let server = Binary::start(folder.path(), &[]);
    let cookie = server.sign_up("anna");
    let desk = Desk { folder, server, cookie };
    let other = desk.folder.path().join("other.db");
    another(&other);
    fs::rename(&other, desk.file()).unwrap();
    desk.server.signal(Signal::KILL);
    let Desk { folder, server, .. } = desk;
    drop(server);
    let file = folder.path().join("test.db");
    let before = fs::read(&file).unwrap();
    for words in [&["serve", "--listen=unix:/no/where"][..], &["user", "list"]] {
        let text = refusal(&on(&file, words), 1);
        assert!(text.contains("the log of a file that was here before"), "{text}");
    }
    assert!(fs::read(&file).unwrap() == before);
    fs::remove_file(folder.path().join("test.db-wal")).unwrap();
    assert!(said(&on(&file, &["user", "list"])).contains("zoe1"));
}
