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

use crate::binary::vestibule;
use crate::cli::backup::{make, names};
use crate::cli::copy::{number, said};
use crate::cli::migrate::to_schema_3;

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
    kill_often_on(scene, &|_| words.iter().map(|it| (*it).to_owned()).collect(), look);
}

/// The same where a scene has to be prepared, which comes back with the words.
fn kill_often_on(scene: &Scene, words: &dyn Fn(&Scene) -> Vec<String>, look: impl Fn(&Scene)) {
    let whole = Scene::like(scene);
    let all = words(&whole);
    let began = Instant::now();
    whole.run(&borrowed(&all));
    let length = began.elapsed();
    let kills = std::env::var("KILLS").map_or(KILLS, |it| it.parse().unwrap());
    for kill in 0..kills {
        let it = Scene::like(scene);
        // One in each part of the time that it takes, and a little longer.
        let chance = RandomState::new().build_hasher().finish() % 1_000;
        let thousandths = u64::from(kill) * 1_000 + chance;
        let part = u128::from(thousandths) * 11 / (u128::from(kills) * 10);
        let moment = Duration::from_nanos((length.as_nanos() * part / 1_000).try_into().unwrap());
        let all = words(&it);
        it.kill(&borrowed(&all), moment);
        println!("killed after {moment:?} of {length:?}: {:?}", names(it.folder.path()));
        look(&it);
    }
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
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

/// Commands that write into a server's database.
#[cfg(feature = "mysql")]
mod mysql {
    use vestibule::store::Database;

    use super::{MORE, Scene, USERS, fs, kill_often_on};
    use crate::engine::{Raw, server};

    /// The address of the scene's own database, without the password.
    fn address(it: &Scene) -> String {
        server::of_folder(it.folder.path()).to_string() + "?tls=off"
    }

    /// The password for the servers, if there are any.
    pub fn password() -> Option<String> {
        match Database::parse(&std::env::var("STORE_MYSQL").ok()?) {
            Ok(Database::Mysql(cluster)) => cluster.password,
            _ => None,
        }
    }

    fn raw(it: &Scene) -> Box<dyn Raw> {
        Box::new(server::connect(&server::of_folder(it.folder.path())))
    }

    /// Words with the scene's own database behind them, in which the tables are: one who is killed while
    /// making them is waited for.
    fn with_tables(it: &Scene, words: &[&str]) -> Vec<String> {
        it.run(&["migrate", "--database", &address(it)]);
        words.iter().map(|it| (*it).to_owned()).chain([address(it)]).collect()
    }

    #[test]
    #[ignore = "needs STORE_MYSQL"]
    fn leaves_a_whole_copy_or_none_that_can_be_read() {
        let words = |it: &Scene| with_tables(it, &["copy", "--from=test.db", "--to"]);
        kill_often_on(&Scene::new(), &words, |it| {
            let list = ["user", "list", "--database", &address(it)];
            let output = it.command(&list).output().unwrap();
            if !output.status.success() || raw(it).count("user") == 0 {
                it.run(&["copy", "--from=test.db", "--to", &address(it)]);
            }
            it.run(&list);
            assert_eq!(raw(it).count("user"), i64::from(USERS));
            assert_eq!(raw(it).count("user_session"), i64::from(USERS));
        });
    }

    // Servers take people in by the hundreds: a cluster would stand still while it takes in all of them.
    #[test]
    #[ignore = "needs STORE_MYSQL"]
    fn brings_over_in_the_next_run_whoever_was_left() {
        let scene = Scene::new();
        let lines: Vec<_> = (0..MORE).map(|n| format!("imported{n},,{n}\n")).collect();
        let text = format!("username,hash,note\n{}", lines.concat());
        fs::write(scene.path("people.csv"), text).unwrap();
        let import = ["import", "csv", "people.csv", "--database"];
        kill_often_on(&scene, &|it| with_tables(it, &import), |it| {
            let left = raw(it).count("user");
            assert_eq!(left, raw(it).count("user_key"), "nobody came without their key");
            it.run(&[&import[..], &[&address(it)]].concat());
            assert_eq!(raw(it).count("user"), i64::from(MORE));
            assert_eq!(raw(it).count("user_key"), i64::from(MORE));
        });
    }
}
