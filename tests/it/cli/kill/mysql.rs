//! Commands that write into a server's database. Those that exist for files alone are `backup` and `restore`:
//! servers have means of their own.

use vestibule::store::{self, Database};

use super::{Left, Scene, Snapshot, Task, USERS, write_export};
use crate::cli::copy::refusal;
use crate::engine::{Raw, TO_SCHEMA_11_ON_SERVERS, server};

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

fn state(it: &Scene) -> Snapshot {
    Snapshot::of_servers(&mut *raw(it))
}

/// Words with the scene's own database behind them, in which the tables are.
fn with_tables(it: &Scene, words: &[&str]) -> Vec<String> {
    it.run(&["migrate", "--database", &address(it)]);
    words.iter().map(|it| (*it).to_owned()).chain([address(it)]).collect()
}

#[test]
#[ignore = "needs STORE_MYSQL"]
fn leaves_a_whole_copy_or_none_that_can_be_read() {
    let scene = Scene::new();
    let source = Snapshot::of_file(&scene.path("test.db"));
    let task = Task {
        words: &|it| with_tables(it, &["copy", "--from=test.db", "--to"]),
        state: &|it| it.state_if_inhabited(&address(it), || Some(state(it))),
    };
    task.kill_often(&scene, |it, left| {
        assert!(it.state("test.db").unwrap().differences(&source).is_empty());
        if left == Left::After {
            // What has users is not copied into.
            let output = it.command(&["copy", "--from=test.db", "--to", &address(it)]).output();
            assert!(refusal(&output.unwrap(), 1).contains("there are users in it"));
            raw(it).run("DELETE FROM user");
        }
    });
}

#[test]
#[ignore = "needs STORE_MYSQL"]
fn brings_all_users_over_or_none() {
    let scene = Scene::new();
    write_export(&scene);
    let import = ["import", "vestibule", "people.jsonl", "--database"];
    let words = |it: &Scene| {
        with_tables(it, &[]);
        it.run(&["copy", "--from=test.db", "--to", &address(it)]);
        with_tables(it, &import)
    };
    Task { words: &words, state: &|it| Some(state(it)) }.kill_often(&scene, |_, _| {});
}

/// The tables of the first schema that servers have had, in which no user is yet.
fn to_schema_7(it: &Scene) {
    let mut raw = raw(it);
    for sql in TO_SCHEMA_11_ON_SERVERS {
        raw.run(sql);
    }
    for sql in [
        "DROP TABLE resting_name",
        "DROP TABLE one_time_token",
        "DROP TABLE clock",
        "CREATE TABLE ticket (id VARBINARY(32) NOT NULL PRIMARY KEY, user_id VARBINARY(255) NOT NULL,
                              created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL)",
        "INSERT INTO ticket SELECT MIN(id), user_id, 1, 4000000000000 FROM user_session GROUP BY user_id",
        "UPDATE vestibule_schema SET version = 7",
    ] {
        raw.run(sql);
    }
}

// Statements that change tables commit by themselves: between them there is the old number, under which older
// processes go on, and every row is in the old place or in the new one.
#[test]
#[ignore = "needs STORE_MYSQL"]
fn leaves_the_old_schema_or_the_new_one_and_every_row() {
    let scene = Scene::new();
    let words = |it: &Scene| {
        with_tables(it, &[]);
        it.run(&["copy", "--from=test.db", "--to", &address(it)]);
        to_schema_7(it);
        ["migrate", "--database", &address(it)].map(str::to_owned).to_vec()
    };
    let of = |it: &Scene| store::schema(&server::of_folder(it.folder.path())).unwrap();
    let links = |it: &Scene, table: &str| {
        let mut raw = raw(it);
        let has = raw.texts(&format!("SHOW TABLES LIKE '{table}'")).len() == 1;
        let sql = format!("SELECT hex(id) FROM {table}");
        if has { raw.texts(&sql) } else { Vec::new() }
    };
    // The old state is any with the old number: `left` is told what else there is.
    let newest_state = |it: &Scene| {
        let (number, newest) = of(it);
        assert!([7, newest].contains(&number), "{number}");
        let mut all = links(it, "ticket");
        all.extend(links(it, "one_time_token"));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), USERS as usize, "a link is lost");
        (number == newest).then(|| state(it))
    };
    Task { words: &words, state: &newest_state }.kill_often(&scene, |it, left| {
        if left == Left::Before {
            for table in ["user", "user_session"] {
                assert_eq!(raw(it).count(table), i64::from(USERS), "{table}");
            }
            // The lease of the process that was killed ends by itself in a minute.
            raw(it).run("UPDATE vestibule_schema SET lease = 0");
        }
    });
}
