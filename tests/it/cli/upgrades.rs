//! Databases of every older schema under the program of today: every account is still there, and a failure during the
//! upgrade leaves the old database or the new one. docs/upgrading.md is what operators are told.
//!
//! The program that wrote an older schema is not there where these tests run. One file is from it, as it was left
//! behind; all others are made by the migrations of that time, and a program of the future by a schema number that
//! there is not yet.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use rusqlite::Connection;

use crate::binary::{Binary, program, vestibule};
use crate::cli::backup::names;
use crate::cli::copy::{number, on, refusal, said};
use crate::cli::migrate::to_schema_3;
use crate::engine::older::{OF_FILES, PASSWORD, make_file, make_file_with, secret};

const NEWEST: u32 = OF_FILES[OF_FILES.len() - 1].0;

/// A database that is not the newest, in a folder of its own, as [`Binary::start`] takes it.
fn older(schema: u32) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    make_file(&path, schema);
    (folder, path)
}

/// What works in a database of this schema with the rows of [`crate::engine::older`].
fn lives_on(server: &Binary, schema: u32) {
    let session = format!("auth_session={}", secret("session"));
    assert!(server.is_signed_in(&session), "{schema}: the session");
    let sign_in = |name: &str, password: &str| {
        server.post("/login", &format!("username={name}&password={password}"), None).status
    };
    assert_eq!(sign_in("Anna", PASSWORD), 302, "{schema}: the password");
    assert_eq!(sign_in("anna", "wrong+horse"), 400, "{schema}");
    if schema >= 3 {
        let check = server.ask(&format!(
            "GET /auth/nginx HTTP/1.1\r\nHost: test\r\nX-Original-URL: https://app.test/\r\n\
             Authorization: Bearer vst_{}\r\n\r\n",
            secret("token")
        ));
        assert_eq!(check.status, 200, "{schema}: the access token: {}", check.head);
        assert_eq!(check.value("Remote-Groups"), Some("staff"), "{schema}");
        assert_eq!(check.value("Remote-Email"), Some("Anna@example.com"), "{schema}");
    }
    if schema >= 4 {
        assert_eq!(sign_in("bert", PASSWORD), 302, "{schema}: before the reset");
        let form = format!("token={}&password=another+horse", secret("link"));
        let first = server.post("/reset", &form, None);
        assert_eq!(first.status, 302, "{schema}: the reset link: {}", first.body);
        assert_eq!(server.post("/reset", &form, None).status, 404, "{schema}: once");
        assert_eq!(sign_in("bert", "another+horse"), 302, "{schema}: after the reset");
    }
    if schema >= 6 {
        let form = format!("username=zoe1&password={PASSWORD}&invite={}", secret("invitation"));
        assert_eq!(server.post("/signup", &form, None).status, 302, "{schema}: the invitation");
    }
}

const SERVED: [&str; 3] = ["--signup=invite", "--basic-auth", "--trusted-proxy=127.0.0.1"];

/// The tables without a row.
fn empty_tables(path: &Path) -> Vec<String> {
    let raw = Connection::open(path).unwrap();
    let mut statement = raw.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let tables = statement.query_map([], |row| row.get(0)).unwrap();
    let tables = tables.map(Result::<String, _>::unwrap);
    tables.filter(|it| number(path, &format!("SELECT count(*) FROM {it}")) == 0).collect()
}

#[test]
fn has_a_database_of_every_schema_with_a_row_in_every_table() {
    for (schema, _) in OF_FILES {
        let (_folder, path) = older(schema);
        assert_eq!(empty_tables(&path), [""; 0], "{schema}");
    }
    let (_folder, path) = older(NEWEST);
    let told = said(&on(&path, &["migrate", "--check"]));
    assert!(told.contains(&format!("has the newest schema, {NEWEST}")), "{told}");
}

#[test]
fn serves_a_file_of_every_older_schema_with_all_that_was_in_it() {
    for (schema, _) in OF_FILES {
        let (folder, path) = older(schema);
        let server = Binary::start(folder.path(), &SERVED);
        lives_on(&server, schema);
        let log = server.stop();
        let upgraded = format!("ev=db_upgraded from={schema} to={NEWEST}\n");
        assert_eq!(log.matches(&upgraded).count(), usize::from(schema < NEWEST), "{log}");
        for (from, table) in [(2, "throttle"), (2, "device"), (8, "resting_name"), (12, "mail")] {
            let rows = number(&path, &format!("SELECT count(*) FROM {table}"));
            assert!(schema < from || rows > 0, "{schema}: {table}");
        }
        let records = said(&on(&path, &["audit", "--user=anna", "--json"]));
        assert_eq!(records.contains("\"request\":\"abcd-1\""), schema >= 2, "{records}");
        assert!(said(&on(&path, &["check"])).ends_with("the database is in order\n"));
        let log = Binary::start(folder.path(), &SERVED).stop();
        assert!(!log.contains("db_upgraded"), "{log}");
    }
}

#[test]
fn serves_the_file_that_a_server_of_schema_7_has_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let rows = include_str!("../../data/schemas/sqlite-7.sql");
    // The migration has made a random key; and records of that day would be deleted by now.
    let today = "UPDATE audit SET at = unixepoch() * 1000 - 1000";
    make_file_with(&path, 7, &format!("DELETE FROM secret; {rows} {today}"));
    let records = number(&path, "SELECT count(*) FROM audit");
    assert!(said(&on(&path, &["check"])).contains("from schema 7"));
    let server = Binary::start(folder.path(), &SERVED);
    lives_on(&server, 7);
    server.stop();
    assert!(number(&path, "SELECT count(*) FROM audit") >= records);
    assert!(said(&on(&path, &["check"])).ends_with("the database is in order\n"));
}

#[test]
fn says_of_every_older_file_that_it_will_be_upgraded() {
    for (schema, _) in &OF_FILES[..OF_FILES.len() - 1] {
        let (_folder, path) = older(*schema);
        let before = fs::read(&path).unwrap();
        let told = said(&on(&path, &["check"]));
        let last = format!(
            "vestibule serve upgrades it from schema {schema} to {NEWEST} when it starts\n"
        );
        assert!(told.ends_with(&last), "{told}");
        let told = said(&on(&path, &["check", "--json"]));
        assert!(told.contains(&format!("\"schema\":{schema}")), "{told}");
        assert!(fs::read(&path).unwrap() == before, "{schema}");
    }
}

#[test]
fn changes_nothing_when_it_is_upgraded_once_more() {
    let (folder, path) = older(1);
    said(&on(&path, &["migrate"]));
    let before = fs::read(&path).unwrap();
    assert!(said(&on(&path, &["migrate"])).contains("already"));
    assert!(fs::read(&path).unwrap() == before);
    assert_eq!(names(folder.path()), ["test.db"]);
}

/// A server that has an older schema under it, as one of that time has, is a server of today whose tables are taken
/// back under it.
#[test]
fn upgrades_no_file_on_which_a_server_still_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let server = Binary::start(folder.path(), &[]);
    to_schema_3(&path);
    let commands: [&[&str]; 3] = [
        &["migrate"],
        &["user", "add", "anna", "--no-password"],
        &["serve", "--listen=127.0.0.1:0"],
    ];
    let run = |words: &[&str]| {
        let flag = ["--database", path.to_str().unwrap()];
        let mut command = vestibule(&[words, &flag].concat());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let running = commands.map(run);
    for child in running {
        let told = refusal(&child.wait_with_output().unwrap(), 1);
        assert!(told.contains("stop the server that runs on it first"), "{told}");
    }
    assert_eq!(number(&path, "PRAGMA user_version"), 3);
    said(&on(&path, &["check"]));
    said(&on(&path, &["backup", folder.path().join("copy.db").to_str().unwrap()]));
    drop(server);
    said(&on(&path, &["user", "add", "anna", "--no-password"]));
    assert_eq!(number(&path, "PRAGMA user_version"), i64::from(NEWEST));
}

#[test]
fn upgrades_once_when_several_servers_start_at_the_same_moment() {
    let (folder, _path) = older(7);
    let logs = std::thread::scope(|scope| {
        let start = || scope.spawn(|| Binary::start(folder.path(), &SERVED));
        let servers = [start(), start(), start()].map(|it| it.join().unwrap());
        lives_on(&servers[2], 7);
        servers.map(Binary::stop).concat()
    });
    assert_eq!(logs.matches("ev=db_upgraded").count(), 1, "{logs}");
}

/// Runs the program where no file can grow beyond so many bytes, as on a disk that is full.
fn on_a_full_disk(path: &Path, kilobytes: u64, words: &[&str]) -> Output {
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", kilobytes * 2);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script]).arg(program()).args(words).arg("--database").arg(path);
    command.output().unwrap()
}

#[test]
fn leaves_an_older_file_as_it_was_where_the_disk_is_full() {
    let (folder, path) = older(7);
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
           INSERT INTO audit (at, event, user_id, detail)
           SELECT i, 'user_rename', 'a', printf('from=name%d to=other%d', i, i) FROM n",
    )
    .unwrap();
    drop(raw);
    let before = fs::read(&path).unwrap();
    for words in [&["migrate"][..], &["serve", "--listen=127.0.0.1:0"]] {
        let told = refusal(&on_a_full_disk(&path, 64, words), 1);
        assert!(told.contains("make room on the disk"), "{told}");
        assert!(fs::read(&path).unwrap() == before);
        assert_eq!(names(folder.path()), ["test.db"]);
    }
    said(&on(&path, &["migrate"]));
    lives_on(&Binary::start(folder.path(), &SERVED), 7);
}

#[test]
fn upgrades_no_file_that_it_may_not_write() {
    let (folder, path) = older(7);
    // SQLite takes a file for read-only whose header says so, as it does where the system does not let it write.
    let mut bytes = fs::read(&path).unwrap();
    bytes[18] = 3;
    fs::write(&path, &bytes).unwrap();
    for words in [&["migrate"][..], &["serve", "--listen=127.0.0.1:0"]] {
        let told = refusal(&on(&path, words), 1);
        assert!(told.contains("it cannot be written"), "{told}");
        assert!(fs::read(&path).unwrap() == bytes);
        assert_eq!(names(folder.path()), ["test.db"]);
    }
}

#[test]
fn says_to_every_command_which_versions_there_are_where_the_database_is_newer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    said(&on(&path, &["user", "add", "anna", "--no-password"]));
    let newer = NEWEST + 1;
    Connection::open(&path).unwrap().pragma_update(None, "user_version", newer).unwrap();
    let before = fs::read(&path).unwrap();
    let copy = folder.path().join("copy.db");
    for words in [
        &["serve", "--listen=127.0.0.1:0"][..],
        &["check"],
        &["migrate"],
        &["migrate", "--check"],
        &["user", "list"],
        &["user", "add", "bert", "--no-password"],
        &["audit"],
        &["export", "-"],
        &["invite", "list"],
        &["session", "list", "anna"],
        &["backup", copy.to_str().unwrap()],
    ] {
        let told = refusal(&on(&path, words), 1);
        let versions = format!(
            "a newer vestibule made it (schema {newer}; this one, {}, knows up to {NEWEST}); it was left as it is: \
             use the newer version, or restore a backup from before the upgrade",
            env!("CARGO_PKG_VERSION")
        );
        assert!(told.contains(&versions), "{words:?}: {told}");
    }
    assert!(fs::read(&path).unwrap() == before);
    assert_eq!(names(folder.path()), ["test.db"]);
    let shown =
        format!("(schema {newer}; this one, {}, knows up to {NEWEST})", env!("CARGO_PKG_VERSION"));
    assert!(
        document("docs/upgrading.md").contains(&shown),
        "docs/upgrading.md shows another message"
    );
}

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn documents_and_tries_every_schema_for_which_there_is_a_migration() {
    let migrations = |engine: &str| {
        let folder = format!("{}/src/store/{engine}/migrations", env!("CARGO_MANIFEST_DIR"));
        let number = |name: &String| name.strip_suffix(".sql").unwrap().parse().unwrap();
        let mut all: Vec<u32> = names(Path::new(&folder)).iter().map(number).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(migrations("sqlite"), OF_FILES.map(|(schema, _)| schema));
    #[cfg(feature = "mysql")]
    assert_eq!(migrations("mysql"), crate::engine::older::OF_SERVERS.map(|(schema, _)| schema));
    let text = document("docs/upgrading.md");
    let (_, table) = text.split_once("| schema | what it brought |").unwrap();
    let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("| "));
    let documented: Vec<u32> =
        rows.map(|row| row.split(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(documented, migrations("sqlite"), "the table in docs/upgrading.md");
}

/// The way back of docs/upgrading.md. The older program is not there where the tests run, so that what it would be
/// given is looked at: a file of its schema with everything in it.
#[test]
fn goes_back_by_a_backup_from_before_the_upgrade() {
    for schema in [1, 7, 12] {
        let (folder, path) = older(schema);
        let copy = folder.path().join("before.db");
        said(&on(&path, &["backup", copy.to_str().unwrap()]));
        Binary::start(folder.path(), &SERVED).stop();
        assert_eq!(number(&path, "PRAGMA user_version"), i64::from(NEWEST));
        let restore = ["restore", copy.to_str().unwrap(), "--yes", "--keep-sessions"];
        let told = said(&on(&path, &restore));
        assert!(told.contains(&format!("it has schema {schema} again")), "{told}");
        assert_eq!(number(&path, "PRAGMA user_version"), i64::from(schema));
        // And forward again, from the backup.
        let server = Binary::start(folder.path(), &SERVED);
        lives_on(&server, schema);
    }
}

/// A schema before 8 has no table for them.
#[test]
fn says_so_where_a_restored_backup_is_upgraded_to_reserve_the_names_of_later_accounts() {
    for (schema, expected) in
        [(7, "it was upgraded from schema 7 to"), (8, "it has schema 8 again")]
    {
        let (folder, path) = older(schema);
        let copy = folder.path().join("before.db");
        said(&on(&path, &["backup", copy.to_str().unwrap()]));
        said(&on(&path, &["user", "add", "later", "--no-password"]));
        let told = said(&on(&path, &["restore", copy.to_str().unwrap(), "--yes"]));
        assert!(told.contains(expected), "{told}");
        let again = on(&path, &["user", "add", "later", "--no-password"]);
        assert!(refusal(&again, 1).contains("is reserved"));
    }
}

#[cfg(feature = "mysql")]
mod mysql {
    use std::process::{Command, Stdio};

    use super::{Binary, SERVED, lives_on, refusal, said};
    use crate::binary;
    use crate::engine::older::{OF_SERVERS, make_on_servers};
    use crate::engine::{Raw, server};

    /// A database on servers with this schema.
    struct Older {
        name: String,
    }

    impl Older {
        fn new(schema: u32) -> Self {
            let name = format!("t_{}", vestibule::base::token::random_text(15));
            server::make(&name);
            let it = Self { name };
            make_on_servers(&mut *it.raw(), schema);
            it
        }

        fn raw(&self) -> Box<dyn Raw> {
            let database = vestibule::store::Database::Mysql(server::database(&self.name, 0));
            Box::new(server::connect(&database))
        }

        fn command(&self, words: &[&str]) -> Command {
            let mut cluster = server::database(&self.name, 0);
            let password = cluster.password.take().unwrap();
            let database = vestibule::store::Database::Mysql(cluster);
            let address = format!("{database}?tls=off");
            let mut command = binary::vestibule(&[words, &["--database", &address]].concat());
            command.env("VESTIBULE_DATABASE_PASSWORD", password);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command
        }

        fn serve(&self) -> Binary {
            Binary::run(self.command(&[&["serve", "--listen=127.0.0.1:0"], &SERVED[..]].concat()))
        }

        /// What `check` finds: nothing but that the server of these tests can lose what was acknowledged.
        fn checked(&self) -> String {
            let told =
                String::from_utf8(self.command(&["check"]).output().unwrap().stdout).unwrap();
            for fault in told.lines().filter(|line| line.starts_with("FAULT")) {
                assert!(fault.contains("innodb_flush_log_at_trx_commit"), "{told}");
            }
            told
        }

        fn said(&self, words: &[&str]) -> String {
            said(&self.command(words).output().unwrap())
        }
    }

    impl Drop for Older {
        fn drop(&mut self) {
            server::drop(&self.name);
        }
    }

    /// Every column with its type, of all tables but the one that older servers go on with.
    fn columns(raw: &mut dyn Raw) -> Vec<String> {
        raw.texts(
            "SELECT CONCAT_WS(' ', table_name, column_name, column_type, is_nullable, column_default, column_key)
               FROM information_schema.columns
              WHERE table_schema = DATABASE() AND table_name <> 'ticket' ORDER BY table_name, column_name",
        )
    }

    #[test]
    #[ignore = "needs STORE_MYSQL"]
    fn serves_a_database_of_every_older_schema_with_all_that_was_in_it() {
        let newest = OF_SERVERS[OF_SERVERS.len() - 1].0;
        let new = format!("t_{}", vestibule::base::token::random_text(15));
        server::make(&new);
        let database = vestibule::store::Database::Mysql(server::database(&new, 0));
        drop(vestibule::store::open(&database).unwrap());
        let expected = columns(&mut server::connect(&database));
        server::drop(&new);
        for (schema, _) in OF_SERVERS {
            let it = Older::new(schema);
            let told = it.checked();
            assert_eq!(
                told.contains(&format!("from schema {schema} to ")),
                schema < newest,
                "{told}"
            );
            let server = it.serve();
            lives_on(&server, schema);
            let log = server.stop();
            let upgraded = format!("ev=db_upgraded from={schema} to={newest}\n");
            assert_eq!(log.matches(&upgraded).count(), usize::from(schema < newest), "{log}");
            assert_eq!(columns(&mut *it.raw()), expected, "{schema}");
            let records = it.said(&["audit", "--user=anna", "--json"]);
            assert!(records.contains("\"request\":\"abcd-1\""), "{records}");
            assert!(it.checked().contains("\nusers "), "all is looked at");
            assert!(!it.serve().stop().contains("db_upgraded"));
        }
    }

    #[test]
    #[ignore = "needs STORE_MYSQL"]
    fn upgrades_once_when_several_servers_start_at_the_same_moment() {
        let it = Older::new(7);
        let logs = std::thread::scope(|scope| {
            let start = || scope.spawn(|| it.serve());
            let servers = [start(), start(), start()].map(|it| it.join().unwrap());
            lives_on(&servers[2], 7);
            servers.map(Binary::stop).concat()
        });
        assert_eq!(logs.matches("ev=db_upgraded").count(), 1, "{logs}");
    }

    #[test]
    #[ignore = "needs STORE_MYSQL"]
    fn says_to_every_command_which_versions_there_are_where_the_database_is_newer() {
        let newest = OF_SERVERS[OF_SERVERS.len() - 1].0;
        let it = Older::new(newest);
        it.raw().run(&format!("UPDATE vestibule_schema SET version = {}", newest + 1));
        for words in
            [&["serve", "--listen=127.0.0.1:0"][..], &["check"], &["migrate"], &["user", "list"]]
        {
            let told = refusal(&it.command(words).output().unwrap(), 1);
            let versions = format!(
                "a newer vestibule made it (schema {}; this one, {}, knows up to {newest})",
                newest + 1,
                env!("CARGO_PKG_VERSION")
            );
            assert!(told.contains(&versions), "{words:?}: {told}");
        }
    }
}
