//! Commands that are killed in the middle: what they were at is as before or as after, and the next run
//! works. A few kills each, or as many as `KILLS` says (`make test-kill`).

#[cfg(feature = "mysql")]
mod mysql;
mod snapshot;

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::binary::vestibule;
use crate::cli::backup::{make, names};
use crate::cli::copy::{number, said};
use crate::cli::migrate::to_schema_3;
use snapshot::Snapshot;

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
        #[cfg(feature = "mysql")]
        if let Some(password) = mysql::password() {
            command.env("VESTIBULE_DATABASE_PASSWORD", password);
        }
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

    /// Everything that a file holds, which is left as it is; `None`: there is no file.
    fn state(&self, name: &str) -> Option<Snapshot> {
        self.has(name).then(|| Snapshot::of_file(&self.path(name)))
    }

    /// What a database holds if it can be opened and has users.
    fn state_if_inhabited(
        &self,
        database: &str,
        state: impl FnOnce() -> Option<Snapshot>,
    ) -> Option<Snapshot> {
        let list = self.command(&["user", "list", "--database", database]).output().unwrap();
        if !list.status.success() {
            return None;
        }
        state().filter(|it| it.count("user") > 0)
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

/// A command, and the database that it changes.
struct Task<'a> {
    /// Gets a copy of the scene ready, and says which words are to be run.
    words: &'a dyn Fn(&Scene) -> Vec<String>,
    /// What the database holds; `None`: there is none that can be used.
    state: &'a dyn Fn(&Scene) -> Option<Snapshot>,
}

/// What a command has left that was killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Left {
    Before,
    After,
}

impl Task<'_> {
    /// Kills the command again and again, each time in a new copy of the scene and at another moment. What it
    /// was at has to be as before or as after, with every row of every table, and the next run has to do all.
    fn kill_often(&self, scene: &Scene, look: impl Fn(&Scene, Left)) {
        let whole = Scene::like(scene);
        let words = (self.words)(&whole);
        let before = (self.state)(&whole);
        let began = Instant::now();
        whole.run(&borrowed(&words));
        let length = began.elapsed();
        let after = (self.state)(&whole).expect("it is done");
        let kills = std::env::var("KILLS").map_or(KILLS, |it| it.parse().unwrap());
        for kill in 0..kills {
            let it = Scene::like(scene);
            // One in each part of the time that it takes, and a little longer.
            let chance = RandomState::new().build_hasher().finish() % 1_000;
            let thousandths = u64::from(kill) * 1_000 + chance;
            let part = u128::from(thousandths) * 11 / (u128::from(kills) * 10);
            let moment = (length.as_nanos() * part / 1_000).try_into().unwrap();
            let moment = Duration::from_nanos(moment);
            let words = (self.words)(&it);
            let own = (self.state)(&it);
            let target = match (&own, &before) {
                (Some(own), Some(before)) => &own.after(before, &after),
                _ => &after,
            };
            it.kill(&borrowed(&words), moment);
            let left = left((self.state)(&it), own.as_ref(), target);
            println!(
                "killed after {moment:?} of {length:?}: {left:?}, {:?}",
                names(it.folder.path())
            );
            look(&it, left);
            it.run(&borrowed(&words));
            let done = (self.state)(&it).expect("it is done");
            assert_eq!(done.differences(target), [""; 0], "after the next run");
        }
    }
}

/// Whether a database is as before or as after.
fn left(state: Option<Snapshot>, own: Option<&Snapshot>, target: &Snapshot) -> Left {
    let (state, own) = match (state, own) {
        (None, _) => return Left::Before,
        (Some(state), None) => (state, target),
        (Some(state), Some(own)) => (state, own),
    };
    assert!(state.has_records_of(own, target), "other records");
    let (from_own, from_target) = (state.differences(own), state.differences(target));
    match (from_own.is_empty(), from_target.is_empty()) {
        (_, true) => Left::After,
        (true, false) => Left::Before,
        (false, false) => panic!("in {from_own:?} not as before, in {from_target:?} not as after"),
    }
}

/// Words that need nothing to be got ready.
fn said_so(words: &[&str]) -> impl Fn(&Scene) -> Vec<String> {
    let words: Vec<_> = words.iter().map(|it| (*it).to_owned()).collect();
    move |_| words.clone()
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// Users who are to be imported into a scene, with a key and a session each, as an export has them.
fn write_export(scene: &Scene) {
    let other = Scene { folder: tempfile::tempdir().unwrap() };
    make(&other.path("other.db"), MORE);
    let raw = Connection::open(other.path("other.db")).unwrap();
    raw.execute_batch(
        "PRAGMA foreign_keys = OFF;
         UPDATE user SET id = 'm' || id, username = 'M' || username,
                         canonical_username = 'm' || canonical_username;
         UPDATE user_session SET user_id = 'm' || user_id, active_expires = 4e12, idle_expires = 4e12,
                                 absolute_expires = 4e12;
         INSERT INTO user_key
           SELECT 'username:' || canonical_username, id, '$2b$10$' || printf('%.53c', 'a') FROM user;",
    )
    .unwrap();
    drop(raw);
    other.run(&["export", "--sessions", "people.jsonl", "--database=other.db"]);
    fs::copy(other.path("people.jsonl"), scene.path("people.jsonl")).unwrap();
}

#[test]
fn leaves_a_whole_backup_or_none() {
    let scene = Scene::new();
    let source = Snapshot::of_file(&scene.path("test.db"));
    let task = Task {
        words: &said_so(&["backup", "copy.db", "--database=test.db"]),
        state: &|it| it.state("copy.db"),
    };
    task.kill_often(&scene, |it, _| {
        assert!(it.state("test.db").unwrap().differences(&source).is_empty());
        if it.has("copy.db") {
            assert_eq!(it.users("copy.db"), USERS);
            fs::remove_file(it.path("copy.db")).unwrap();
        }
        it.run(&["backup", "copy.db", "--database=test.db"]);
        assert_eq!(names(it.folder.path()), ["copy.db", "test.db"]);
        fs::remove_file(it.path("copy.db")).unwrap();
    });
}

#[test]
fn leaves_a_whole_export_or_none() {
    let scene = Scene::new();
    let source = Snapshot::of_file(&scene.path("test.db"));
    let task = Task {
        words: &said_so(&["export", "people.jsonl", "--database=test.db"]),
        state: &|it| {
            it.has("people.jsonl").then(|| {
                it.run(&["import", "vestibule", "people.jsonl", "--database=new.db"]);
                let state = it.state("new.db").unwrap();
                fs::remove_file(it.path("new.db")).unwrap();
                state.without("secret")
            })
        },
    };
    task.kill_often(&scene, |it, left| {
        assert!(it.state("test.db").unwrap().differences(&source).is_empty());
        if left == Left::After {
            fs::remove_file(it.path("people.jsonl")).unwrap();
        }
        it.run(&["export", "people.jsonl", "--database=test.db"]);
        assert_eq!(names(it.folder.path()), ["people.jsonl", "test.db"]);
        fs::remove_file(it.path("people.jsonl")).unwrap();
    });
}

#[test]
fn leaves_the_old_database_or_the_restored_one() {
    let scene = Scene::new();
    make(&scene.path("copy.db"), MORE);
    let task = Task {
        words: &said_so(&["restore", "copy.db", "--database=test.db", "--yes"]),
        state: &|it| it.state("test.db"),
    };
    task.kill_often(&scene, |it, left| {
        // Both have all that belongs to them, and the old one is somewhere in any case.
        assert_eq!(it.users("test.db"), if left == Left::After { MORE } else { USERS });
        it.run(&["restore", "copy.db", "--database=test.db", "--yes"]);
        assert_eq!((it.users("test.db"), count(&it.path("test.db"), "user_session")), (MORE, 0));
        let all = names(it.folder.path());
        let kept: Vec<_> = all.iter().filter(|it| it.contains(".before-restore-")).collect();
        assert!(kept.iter().any(|name| it.users(name) == USERS), "{all:?}");
        assert_eq!(all.len() - kept.len(), 2, "{all:?}");
        assert!(kept.len() == 1 || left == Left::After, "{all:?}");
    });
}

#[test]
fn leaves_the_old_schema_or_the_new_one() {
    let scene = Scene::new();
    to_schema_3(&scene.path("test.db"));
    let task = Task {
        words: &said_so(&["migrate", "--database=test.db"]),
        state: &|it| it.state("test.db"),
    };
    task.kill_often(&scene, |it, _| {
        it.run(&["migrate", "--database=test.db"]);
        assert_eq!(it.users("test.db"), USERS);
        assert_eq!(names(it.folder.path()), ["test.db"]);
    });
}

#[test]
fn leaves_a_whole_copy_or_none_that_can_be_served() {
    let scene = Scene::new();
    let source = Snapshot::of_file(&scene.path("test.db"));
    let task = Task {
        words: &said_so(&["copy", "--from=test.db", "--to=new.db"]),
        state: &|it| it.state_if_inhabited("new.db", || it.state("new.db")),
    };
    task.kill_often(&scene, |it, left| {
        assert!(it.state("test.db").unwrap().differences(&source).is_empty());
        if left == Left::After {
            // What has users is not copied into.
            fs::remove_file(it.path("new.db")).unwrap();
        }
        it.run(&["copy", "--from=test.db", "--to=new.db"]);
        assert_eq!((it.users("new.db"), it.users("test.db")), (USERS, USERS));
        assert_eq!(names(it.folder.path()), ["new.db", "test.db"]);
        fs::remove_file(it.path("new.db")).unwrap();
    });
}

#[test]
fn brings_all_users_over_or_none() {
    for has_database in [true, false] {
        let scene = Scene::new();
        write_export(&scene);
        if !has_database {
            fs::remove_file(scene.path("test.db")).unwrap();
        }
        let task = Task {
            words: &said_so(&["import", "vestibule", "people.jsonl", "--database=test.db"]),
            state: &|it| {
                let state =
                    || Some(it.state("test.db")?.without(if has_database { "" } else { "secret" }));
                if has_database { state() } else { it.state_if_inhabited("test.db", state) }
            },
        };
        let before = if has_database { USERS } else { 0 };
        task.kill_often(&scene, |it, _| {
            it.run(&["import", "vestibule", "people.jsonl", "--database=test.db"]);
            assert_eq!(it.users("test.db"), before + MORE);
            assert_eq!(names(it.folder.path()), ["people.jsonl", "test.db"]);
        });
    }
}
