//! Everything into another database.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use rusqlite::Connection;
use tempfile::TempDir;
use vestibule::store::{self, Database, Error, Row, TABLES};

use crate::binary::{Binary, vestibule};
use crate::engine;

/// A row of every kind and more, with what differs from the defaults, and more users and sessions than
/// are written at once.
const EVERYTHING: &str = r#"
    INSERT INTO user (id, username, canonical_username, created_at, group_names, email, disabled_at,
      disabled_reason, attributes, epoch, canonical_email, email_verified_at,
      second_factor_since) VALUES
      ('1', 'Ann' || char(0) || 'a', 'anna', 5, 'admin,staff', 'a@example.com', NULL, '', '{ "n":"Ä"}', 3, 'a@example.com', 6, 10),
      ('2', '', 'bob' || char(10), -1, '', '', 7, 'left', '', 9223372036854775807, '', NULL, NULL);
    INSERT INTO user_key VALUES ('username:anna', '1', 's2:x:y'), ('email:a:b@x', '1', NULL),
      ('username:😀 ', '2', '$argon2id$…');
    INSERT INTO user_session VALUES
      (zeroblob(32), '1', 1, 2, 3, 4, 5, 6, 1, 'Firefox on Linux', '::1', 3, 11),
      (randomblob(32), '1', -3, -2, -1, 0, 0, 0, 0, '', '', 2, 0);
    INSERT INTO access_token VALUES (randomblob(32), '1', 'backup ', 1, 2, 3, 3, 12),
      (randomblob(32), '2', '', 1, 2, NULL, 0, 0);
    INSERT INTO one_time_token VALUES (randomblob(32), '2', 'reset_password', 1, 9223372036854775807, -2, 'ä', 0),
      (zeroblob(32), '2', 'reset_password', 1, 2, 0, '', 3);
    INSERT INTO mail VALUES ('m', 'reset', '1', 'a@example.com', 'de', '{"x":"Ä"}', 1, 2, 3, '451', 'lease', 4);
    INSERT INTO invite VALUES (randomblob(32), 'for "Zoë"', 'staff', 4294967295, 1, 5, 6),
      (randomblob(32), '', '', 1, 0, 5, 6);
    INSERT INTO resting_name VALUES (randomblob(16), NULL, 7), (zeroblob(16), '1', -1);
    INSERT INTO device VALUES (zeroblob(32), '1', 8, 13), (zeroblob(32), '2', 9, 0);
    INSERT INTO totp VALUES ('1', unhex('00' || hex(randomblob(20))), -14, 15);
    INSERT INTO recovery_code VALUES (zeroblob(32), '1', 16), (randomblob(32), '1', 17);
    INSERT INTO passkey VALUES
      (randomblob(1023), '1', zeroblob(64), randomblob(77), 4294967295, 'auth.example.com', 1, 1, 'hybrid,internal', 'Ä', 18, 19),
      (x'00', '2', x'', x'', 0, '', 0, 0, '', '', -1, NULL);
    INSERT INTO used_challenge VALUES (randomblob(16), 20), (zeroblob(16), 9223372036854775807);
    INSERT INTO throttle VALUES (randomblob(16), 4294967295, 1, 2), (zeroblob(16), 0, 3, -4);
    INSERT INTO audit VALUES (-5, 1, 'login_ok', '1', '::1', 's', 'r', 'a=1'),
      (7, 0, '', NULL, NULL, NULL, NULL, ''), (9223372036854775000, 2, 'x', '', '', '', '', 'ü');
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
      INSERT INTO user (id, username, canonical_username, created_at)
      SELECT 'n' || i, 'N' || i, 'n' || i, i FROM n;
    INSERT INTO user_session SELECT randomblob(32), id, 1, 2, 3, 4, 5, 6, 0, '', '', 0, 0
      FROM user WHERE id LIKE 'n%';"#;

/// A database with everything in it, and a place for another one.
struct Move {
    folder: TempDir,
}

impl Move {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        drop(engine::file(&folder.path().join("old.db")));
        let it = Self { folder };
        Connection::open(it.old()).unwrap().execute_batch(EVERYTHING).unwrap();
        it
    }

    fn old(&self) -> PathBuf {
        self.folder.path().join("old.db")
    }

    fn new_one(&self) -> PathBuf {
        self.folder.path().join("new.db")
    }

    fn copy(&self, more: &[&str]) -> Output {
        copy(&self.old(), &self.new_one(), more)
    }
}

fn copy(from: &Path, to: &Path, more: &[&str]) -> Output {
    let words = ["copy", "--from", from.to_str().unwrap(), "--to", to.to_str().unwrap()];
    vestibule(&[&words, more].concat()).output().unwrap()
}

pub fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The one line in which it is refused with this exit code.
pub fn refusal(output: &Output, code: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!((output.status.code(), text.lines().count()), (Some(code), 1), "{text}");
    assert!(output.stdout.is_empty());
    text
}

pub fn on(database: &Path, words: &[&str]) -> Output {
    let flag = ["--database", database.to_str().unwrap()];
    vestibule(&[words, &flag].concat()).output().unwrap()
}

/// All rows, a line each, without the records that a copy has been made.
fn rows(path: &Path) -> Vec<String> {
    let raw = Connection::open(path).unwrap();
    let strings = |sql: &str| -> Vec<String> {
        let mut statement = raw.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1";
    let mut all = Vec::new();
    for table in strings(tables) {
        let columns = strings(&format!("SELECT name FROM pragma_table_info('{table}')"));
        let shown: Vec<_> = columns.iter().map(|it| format!("quote({it})")).collect();
        let left_out = if table == "audit" { "event <> 'copy'" } else { "1" };
        let sql = format!(
            "SELECT '{table} ' || {} FROM {table} WHERE {left_out} ORDER BY 1",
            shown.join(" || ' ' || ")
        );
        all.extend(strings(&sql));
    }
    all
}

pub fn number(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn brings_every_row_over_as_it_is() {
    let it = Move::new();
    let before = rows(&it.old());
    for table in TABLES {
        assert!(before.iter().any(|row| row.starts_with(&format!("{table} "))), "{table}");
    }
    let told = said(&it.copy(&[]));
    assert!(rows(&it.new_one()) == before && rows(&it.old()) == before);
    for (table, count) in [("secret", 1), ("user", 1_502), ("user_key", 3), ("user_session", 1_502)]
    {
        assert!(told.contains(&format!("{table:<14}  {count}\n")), "{told}");
    }
    let sum = format!("\n{} rows of ", before.len());
    assert!(told.contains(&sum) && told.contains("Next: ") && !told.contains("stopped"), "{told}");
    assert_eq!(fs::metadata(it.new_one()).unwrap().permissions().mode() & 0o777, 0o600);
    for path in [it.old(), it.new_one()] {
        assert_eq!(number(&path, "SELECT count(*) FROM audit WHERE event = 'copy'"), 1);
    }
    let exported = |path: &Path| {
        let text = said(&on(path, &["export", "--sessions"]));
        text.split_once('\n').unwrap().1.to_owned()
    };
    assert!(exported(&it.old()) == exported(&it.new_one()));
}

#[test]
fn tells_it_as_data() {
    let it = Move::new();
    let told = said(&it.copy(&["--json"]));
    let data: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&data["rows"]["user"], &data["rows"]["audit"]), (&1_502.into(), &3.into()));
    assert_eq!((&data["from_is_in_use"], told.lines().count()), (&false.into(), 1), "{told}");
    assert_eq!(data["to"], it.new_one().to_str().unwrap());
}

#[test]
fn signs_no_user_out_and_forgets_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--basic-auth", "--trusted-proxy=127.0.0.1", "--throttle-free=1"];
    let flags = [&flags[..], &["--signup=invite"]].concat();
    let server = Binary::start(folder.path(), &flags[..3]);
    let cookie = server.sign_up("anna");
    let token = server.post("/account/tokens", "name=backup&days=30", Some(&cookie)).body;
    for status in [400, 400, 429] {
        assert_eq!(server.post("/login", "username=eve&password=wrong", None).status, status);
    }
    let database = folder.path().join("test.db");
    let link = |words: &[&str]| {
        let told = said(&on(&database, &[words, &["--origin=https://x.test"]].concat()));
        let link = told.split_whitespace().find(|it| it.contains("://")).unwrap().to_owned();
        link.split_once("x.test").unwrap().1.to_owned()
    };
    let reset = link(&["user", "reset-link", "anna"]);
    let invitation = link(&["invite", "new"]);
    let handle = |log: &str| {
        let told = log.lines().find(|it| it.contains("ev=throttled")).unwrap().to_owned();
        told.split(' ').find(|it| it.starts_with("name=h:")).unwrap().to_owned()
    };
    let before = handle(&server.stop());
    let elsewhere = tempfile::tempdir().unwrap();
    said(&copy(&database, &elsewhere.path().join("test.db"), &[]));
    let server = Binary::start(elsewhere.path(), &flags);
    assert!(server.is_signed_in(&cookie));
    let asked =
        format!("GET /auth/nginx HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    assert_eq!(server.ask(&asked).status, 200);
    // The wait of a second may be over by now. The next one is longer, and comes only after the earlier failures.
    let tries = [(); 2].map(|()| server.post("/login", "username=eve&password=wrong", None).status);
    assert!(tries.contains(&429), "{tries:?}");
    assert_eq!(server.get(&reset, None).status, 200);
    assert_eq!(server.get(&invitation, None).status, 200);
    assert_eq!(handle(&server.stop()), before, "the key for handles is the same");
}

#[test]
fn copies_what_there_is_while_people_sign_up_and_says_that_more_may_come() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    let cookie = server.sign_up("anna");
    let old = folder.path().join("test.db");
    let copies: Vec<_> = (0..5).map(|it| folder.path().join(format!("{it}.db"))).collect();
    std::thread::scope(|scope| {
        let signing =
            scope.spawn(|| (0..20).for_each(|it| drop(server.sign_up(&format!("user{it}")))));
        for new in &copies {
            let told = said(&copy(&old, new, &[]));
            assert!(told.contains("The server was not stopped"), "{told}");
            let users = number(new, "SELECT count(*) FROM user");
            assert_eq!(number(new, "SELECT count(*) FROM user_key"), users, "of one moment");
        }
        signing.join().unwrap();
    });
    assert!(server.is_signed_in(&cookie), "the server was not disturbed");
    server.stop();
    fs::rename(&copies[4], &old).unwrap();
    assert!(Binary::start(folder.path(), &[]).is_signed_in(&cookie));
}

#[test]
fn is_not_served_by_halves_and_ends_when_it_is_run_again() {
    let it = Move::new();
    let (old, new) = [it.old(), it.new_one()].map(Database::from).into();
    let (source, target) = (store::open(&old).unwrap(), store::open_for_copy(&new).unwrap());
    target.begin_copy().unwrap();
    let mut count = 0;
    let broken = source.each_row(&mut |row| {
        count += 1;
        if count > 1_000 {
            return Err(Error::Broken("the power is out".to_owned()));
        }
        target.add_rows(&[row])
    });
    assert_eq!((broken, count), (Err(Error::Broken("the power is out".to_owned())), 1_001));
    drop((source, target));
    let before = rows(&it.new_one());
    // Nothing can listen there, so that this ends even if the database is taken.
    for words in [&["serve", "--listen=unix:/no/where"][..], &["user", "list"], &["migrate"]] {
        let text = refusal(&on(&it.new_one(), words), 1);
        assert!(text.contains("has begun and has not ended; run vestibule copy again"), "{text}");
    }
    let onward = copy(&it.new_one(), &it.folder.path().join("third.db"), &[]);
    assert!(refusal(&onward, 1).contains("has not ended"));
    assert!(rows(&it.new_one()) == before);
    said(&it.copy(&[]));
    assert!(rows(&it.new_one()) == rows(&it.old()));
    assert!(Binary::run(serving(&it.new_one())).stop().contains("ev=listening"));
}

fn serving(database: &Path) -> std::process::Command {
    vestibule(&["serve", "--listen=127.0.0.1:0", "--database", database.to_str().unwrap()])
}

#[test]
fn takes_the_place_of_what_a_first_start_has_left() {
    let it = Move::new();
    let mut command = serving(&it.new_one());
    command.arg("--signup=invite").stdout(std::process::Stdio::null());
    let server = Binary::run(command);
    let text = refusal(&it.copy(&[]), 1);
    assert!(text.contains("another process uses it; stop its server first"), "{text}");
    server.stop();
    assert_eq!(number(&it.new_one(), "SELECT count(*) FROM invite"), 1);
    said(&it.copy(&[]));
    assert!(rows(&it.new_one()) == rows(&it.old()));
}

#[test]
fn leaves_a_database_with_users_as_it_was() {
    let it = Move::new();
    drop(engine::file(&it.new_one()));
    let raw = Connection::open(it.new_one()).unwrap();
    raw.execute_batch(
        "INSERT INTO user (id, username, canonical_username, created_at) VALUES ('a', 'b', 'c', 1);
         INSERT INTO audit (at, event, detail) VALUES (1, 'x', '')",
    )
    .unwrap();
    drop(raw);
    let before = rows(&it.new_one());
    let text = refusal(&it.copy(&[]), 1);
    assert!(text.contains("new.db: there are users in it"), "{text}");
    assert!(rows(&it.new_one()) == before);
    said(&on(&it.new_one(), &["check"]));
    said(&copy(&it.old(), &it.folder.path().join("third.db"), &[]));
    let again = copy(&it.old(), &it.folder.path().join("third.db"), &[]);
    assert!(
        refusal(&again, 1).contains("there are users in it"),
        "it has ended, so it is done once"
    );
    let foreign = it.folder.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let before = fs::read(&foreign).unwrap();
    assert!(refusal(&copy(&it.old(), &foreign, &[]), 1).contains("another program"));
    assert!(fs::read(&foreign).unwrap() == before);
}

#[test]
fn says_in_one_line_what_cannot_be_copied_and_makes_nothing() {
    let it = Move::new();
    let place = it.folder.path();
    let missing = copy(&place.join("missing.db"), &it.new_one(), &[]);
    assert!(refusal(&missing, 1).contains("missing.db; say which with --from"));
    assert!(!place.join("missing.db").exists());
    let empty = place.join("empty.db");
    drop(engine::file(&empty));
    assert!(refusal(&copy(&empty, &it.new_one(), &[]), 1).contains("there are no users in"));
    let nowhere = copy(&it.old(), &place.join("no/new.db"), &[]);
    assert!(refusal(&nowhere, 1).contains("its folder"));
    std::os::unix::fs::symlink(it.old(), place.join("link.db")).unwrap();
    for same in [it.old(), place.join("./old.db"), place.join("link.db")] {
        assert!(refusal(&copy(&it.old(), &same, &[]), 2).contains("are one database"));
    }
    let file = place.join("password");
    fs::write(&file, "s3cret\n").unwrap();
    let needless = it.copy(&["--to-password-file", file.to_str().unwrap()]);
    assert!(refusal(&needless, 2).contains("--to-password-file is for a server"));
    assert_eq!(vestibule(&["copy", "--from=x"]).output().unwrap().status.code(), Some(2));
    assert!(!it.new_one().exists());
}

#[test]
fn takes_no_password_in_an_argument_and_shows_none() {
    let it = Move::new();
    let here = it.old();
    let here = here.to_str().unwrap();
    for server in
        ["mysql://u:s3cret@127.0.0.1:1/v", "mysql://u:s3cret@/v", "mysql://u:s3cret@h/v?a=b"]
    {
        for (from, to, flag) in [(here, server, "--to"), (server, here, "--from")] {
            let text =
                refusal(&vestibule(&["copy", "--from", from, "--to", to]).output().unwrap(), 2);
            assert!(!text.contains("s3cret") && text.contains(flag), "{text}");
        }
    }
    let both = ["copy", "--from=mysql://a@127.0.0.1,db/v", "--to=mysql://b@db:3306/v"];
    let output = vestibule(&both).env("VESTIBULE_DATABASE_PASSWORD", "s3cret").output().unwrap();
    let text = refusal(&output, 2);
    assert!(text.contains("are one database") && !text.contains("s3cret"), "{text}");
}

#[test]
fn counts_what_has_arrived() {
    let it = Move::new();
    drop(engine::file(&it.new_one()));
    let raw = Connection::open(it.new_one()).unwrap();
    raw.execute_batch(
        "CREATE TRIGGER loss AFTER INSERT ON device BEGIN
           DELETE FROM device WHERE user_id = NEW.user_id AND user_id = '2'; END",
    )
    .unwrap();
    let text = refusal(&it.copy(&[]), 1);
    assert!(text.contains("another process uses it"), "{text}");
    drop(raw);
    let text = refusal(&it.copy(&[]), 1);
    assert!(text.contains("device has 1 rows, and 2 were read; "), "{text}");
    assert!(text.contains("is copied in half: run it again"), "{text}");
    assert!(refusal(&on(&it.new_one(), &["user", "list"]), 1).contains("has not ended"));
}

#[test]
fn keeps_the_promises_of_the_store() {
    let it = Move::new();
    let (old, new) = [it.old(), it.new_one()].map(Database::from).into();
    let (source, target) = (store::open(&old).unwrap(), store::open_for_copy(&new).unwrap());
    let refused = source.begin_copy();
    assert!(matches!(&refused, Err(Error::Broken(text)) if text.contains("there are users")));
    target.begin_copy().unwrap();
    target.begin_copy().unwrap();
    let mut all = Vec::new();
    let collected = source.each_row(&mut |row| {
        all.push(row);
        Ok(())
    });
    collected.unwrap();
    let mut tables: Vec<_> = all.iter().map(Row::table).collect();
    tables.dedup();
    assert_eq!(tables, TABLES);
    // A row without the user it belongs to takes all with it that come at the same time.
    let users = all.iter().position(|it| it.table() == "user").unwrap();
    let keys = all.iter().position(|it| it.table() == "user_key").unwrap();
    let devices = all.iter().position(|it| it.table() == "device").unwrap();
    let throttle = all.iter().position(|it| it.table() == "throttle").unwrap();
    let orphan = [all[throttle].clone(), all[devices].clone()];
    let refused = target.add_rows(&orphan);
    assert!(matches!(&refused, Err(Error::Broken(text)) if text.contains("row of device")));
    let none = TABLES.map(|name| (name, u64::from(name == "secret")));
    assert_eq!(target.rows().unwrap(), none);
    target.add_rows(&all[users..keys]).unwrap();
    assert!(target.add_rows(&all[users..=users]).is_err(), "a row comes once");
    target.add_rows(&all[keys..]).unwrap();
    assert_ne!(target.handle_key(), source.handle_key());
    target.add_rows(&all[..users]).unwrap();
    assert_eq!(target.rows(), source.rows());
    target.end_copy(&[]).unwrap();
    drop(target);
    assert_eq!(store::open(&new).unwrap().handle_key(), source.handle_key());
}
