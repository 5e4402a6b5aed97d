//! Commands that are killed in the middle: what they were at is as before or as after, and the next run
//! works. A few kills each, or as many as `KILLS` says (`make test-kill`).

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::backup::{make, names};
use crate::binary::vestibule;
use crate::copy::{number, said};
use crate::migrate::to_schema_3;

/// Kills of each command, unless more are asked for.
const KILLS: u32 = 3;

/// Users before, and users that a command brings.
const USERS: u32 = 3_000;
const MORE: u32 = 2_000;

/// A folder in which a command is run.
struct Scene {
    folder: TempDir,
}

impl Scene {
    /// A folder with the same files as another one.
    fn like(other: &Self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in names(other.folder.path()) {
            fs::copy(other.path(&name), folder.path().join(&name)).unwrap();
        }
        Self { folder }
    }

    /// A folder with a database.
    fn new() -> Self {
        let it = Self { folder: tempfile::tempdir().unwrap() };
        make(&it.path("test.db"), USERS);
        it
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    fn command(&self, words: &[&str]) -> std::process::Command {
        let mut command = vestibule(words);
        command.current_dir(self.folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, words: &[&str]) -> String {
        said(&self.command(words).output().unwrap())
    }

    /// How many users a database has that is in order.
    fn users(&self, name: &str) -> u32 {
        self.run(&["check", "--database", name]);
        count(&self.path(name), "user")
    }

    /// Runs a command and kills it after a while, unless it has ended by itself.
    fn kill(&self, words: &[&str], after: Duration) {
        let mut child = self.command(words).spawn().unwrap();
        thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

fn count(path: &Path, table: &str) -> u32 {
    number(path, &format!("SELECT count(*) FROM {table}")).try_into().unwrap()
}

/// Kills a command in the scene again and again, each time in a new copy of it and at another moment, and
/// looks at what is left.
fn kill_often(scene: &Scene, words: &[&str], look: impl Fn(&Scene)) {
    let whole = Scene::like(scene);
    let began = Instant::now();
    whole.run(words);
    let length = began.elapsed();
    let kills = std::env::var("KILLS").map_or(KILLS, |it| it.parse().unwrap());
    for kill in 0..kills {
        let it = Scene::like(scene);
        // One in each part of the time that it takes, and a little longer.
        let chance = RandomState::new().build_hasher().finish() % 1_000;
        let thousandths = u64::from(kill) * 1_000 + chance;
        let part = u128::from(thousandths) * 11 / (u128::from(kills) * 10);
        let moment = Duration::from_nanos((length.as_nanos() * part / 1_000).try_into().unwrap());
        it.kill(words, moment);
        println!("killed after {moment:?} of {length:?}: {:?}", names(it.folder.path()));
        look(&it);
    }
}

#[test]
fn leaves_a_whole_backup_or_none() {
    let words = ["backup", "copy.db", "--database=test.db"];
    kill_often(&Scene::new(), &words, |it| {
        if it.has("copy.db") {
            assert_eq!(it.users("copy.db"), USERS);
            fs::remove_file(it.path("copy.db")).unwrap();
        }
        it.run(&words);
        assert_eq!(names(it.folder.path()), ["copy.db", "test.db"]);
        assert_eq!((it.users("copy.db"), it.users("test.db")), (USERS, USERS));
    });
}

#[test]
fn leaves_a_whole_export_or_none() {
    let words = ["export", "people.jsonl", "--database=test.db"];
    kill_often(&Scene::new(), &words, |it| {
        if it.has("people.jsonl") {
            it.run(&["import", "vestibule", "people.jsonl", "--database=new.db"]);
            assert_eq!(it.users("new.db"), USERS);
            fs::remove_file(it.path("people.jsonl")).unwrap();
            fs::remove_file(it.path("new.db")).unwrap();
        }
        it.run(&words);
        assert_eq!(names(it.folder.path()), ["people.jsonl", "test.db"]);
    });
}

#[test]
fn leaves_the_old_database_or_the_restored_one() {
    let scene = Scene::new();
    make(&scene.path("copy.db"), MORE);
    let words = ["restore", "copy.db", "--database=test.db", "--yes"];
    kill_often(&scene, &words, |it| {
        // Both have all that belongs to them, and the old one is somewhere in any case.
        let left = it.users("test.db");
        assert!([USERS, MORE].contains(&left), "{left} users");
        it.run(&words);
        assert_eq!((it.users("test.db"), count(&it.path("test.db"), "user_session")), (MORE, 0));
        let all = names(it.folder.path());
        let kept: Vec<_> = all.iter().filter(|it| it.contains(".before-restore-")).collect();
        assert!(kept.iter().any(|name| it.users(name) == USERS), "{all:?}");
        assert_eq!(all.len() - kept.len(), 2, "{all:?}");
        assert!(kept.len() == 1 || left == MORE, "{all:?}");
    });
}

#[test]
fn leaves_the_old_schema_or_the_new_one() {
    let scene = Scene::new();
    to_schema_3(&scene.path("test.db"));
    let words = ["migrate", "--database=test.db"];
    kill_often(&scene, &words, |it| {
        let raw = Connection::open(it.path("test.db")).unwrap();
        let text = |sql: &str| raw.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(text("PRAGMA integrity_check"), "ok");
        let is_new = number(&it.path("test.db"), "PRAGMA user_version") > 3;
        let columns = "SELECT count(*) FROM pragma_table_info('user') WHERE name = 'epoch'";
        assert_eq!(number(&it.path("test.db"), columns), i64::from(is_new));
        drop(raw);
        it.run(&words);
        assert_eq!(it.users("test.db"), USERS);
        assert_eq!(names(it.folder.path()), ["test.db"]);
    });
}

#[test]
fn leaves_a_whole_copy_or_none_that_can_be_served() {
    let words = ["copy", "--from=test.db", "--to=new.db"];
    kill_often(&Scene::new(), &words, |it| {
        let list = it.command(&["user", "list", "--database=new.db"]).output().unwrap();
        let is_there = list.status.success() && count(&it.path("new.db"), "user") > 0;
        if is_there {
            assert_eq!(it.users("new.db"), USERS);
            return;
        }
        it.run(&words);
        assert_eq!((it.users("new.db"), it.users("test.db")), (USERS, USERS));
        assert_eq!(count(&it.path("new.db"), "user_session"), USERS);
        assert_eq!(names(it.folder.path()), ["new.db", "test.db"]);
    });
}

#[test]
fn brings_everybody_over_or_nobody() {
    let lines: Vec<_> = (0..MORE).map(|n| format!("imported{n},,{n}\n")).collect();
    let lines = lines.concat();
    for has_database in [true, false] {
        let scene = Scene::new();
        if !has_database {
            fs::remove_file(scene.path("test.db")).unwrap();
        }
        fs::write(scene.path("people.csv"), format!("username,hash,note\n{lines}")).unwrap();
        let before = if has_database { USERS } else { 0 };
        let words = ["import", "csv", "people.csv", "--database=test.db"];
        kill_often(&scene, &words, |it| {
            if has_database {
                let left = it.users("test.db");
                assert!([before, before + MORE].contains(&left), "{left} users");
            }
            it.run(&words);
            assert_eq!(it.users("test.db"), before + MORE);
            assert_eq!(names(it.folder.path()), ["people.csv", "test.db"]);
        });
    }
}
