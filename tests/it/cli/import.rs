//! People who come over from Lucia: with their ids, names, keys, passwords and sessions.
//!
//! `data/lucia/` holds a database that Lucia 2.7.7 wrote, and what is in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use serde_json::Value;
use tempfile::TempDir;
use vestibule::auth::usernames::NameKind;
use vestibule::base::clock::Moment;
use vestibule::cli::import::foreign_db::{LuciaTables, lucia_v2};
use vestibule::cli::import::{self, ImportOrder, ImportOutcome, Source};
use vestibule::store::Database;

use crate::binary::vestibule;
use crate::cli::admin::run;
use crate::engine;
use crate::visit::{Visit, body};

const SCHEMA: &str = "
    CREATE TABLE user (id TEXT NOT NULL PRIMARY KEY, username TEXT);
    CREATE TABLE user_key (id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, hashed_password TEXT);
    CREATE TABLE user_session (id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL,
                               active_expires INTEGER NOT NULL, idle_expires INTEGER NOT NULL);";

/// When people come over, where the test says nothing else.
const NOW: Moment = Moment::from_millis(1_000_000);

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/lucia/lucia-v2.db")
}

fn manifest() -> Value {
    let text = fs::read_to_string(fixture().with_file_name("manifest.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A minute after the fixture was made.
fn then(manifest: &Value) -> Moment {
    let made = Moment::from_millis(manifest["created_at_ms"].as_i64().unwrap());
    made.after(Duration::from_secs(60))
}

/// A folder with the server's database, and what is to be brought over into it.
pub struct Move {
    pub folder: TempDir,
    pub order: ImportOrder,
    /// What stands on standard input.
    pub input: Vec<u8>,
}

impl Move {
    fn of(file: PathBuf) -> Self {
        Self::from(Source::Lucia { tables: None, username: None }, file)
    }

    pub fn from(source: Source, file: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("test.db");
        let order = ImportOrder {
            source,
            file,
            dry_run: false,
            skip_conflicts: false,
            json: true,
            names: NameKind::Name,
            rename: None,
            report: None,
            database: database.into(),
            sealing_key: None,
            passkey_domain: None,
        };
        Self { folder, order, input: Vec::new() }
    }

    /// Out of a database with Lucia's usual tables and these rows.
    fn with(rows: &str) -> Self {
        Self::with_tables(&format!("{SCHEMA}{rows}"))
    }

    fn with_tables(sql: &str) -> Self {
        let mut it = Self::of(PathBuf::new());
        it.order.file = it.folder.path().join("lucia.db");
        Connection::open(&it.order.file).unwrap().execute_batch(sql).unwrap();
        it
    }

    pub fn run(&self, now: Moment) -> Result<ImportOutcome, String> {
        import::bring(&self.order, &mut self.input.as_slice(), now, &mut |_, _| {})
    }

    /// What is told when all goes well.
    pub fn done(&self, now: Moment) -> Value {
        let outcome = self.run(now).unwrap();
        assert_eq!(outcome.refusal, None, "{}", outcome.report);
        serde_json::from_str(&outcome.report).unwrap()
    }

    /// What is told when a user cannot come over.
    pub fn refused(&self) -> Value {
        let outcome = self.run(NOW).unwrap();
        let refusal = outcome.refusal.expect("it is refused");
        assert!(
            refusal.contains("--skip-conflicts")
                && refusal.contains("--rename")
                && !refusal.contains('\n'),
            "{refusal}"
        );
        serde_json::from_str(&outcome.report).unwrap()
    }

    pub fn raw(&self) -> Connection {
        Connection::open(self.order.database.file().unwrap()).unwrap()
    }

    /// Every row of every table.
    pub fn rows(&self) -> Vec<Vec<Cell>> {
        rows(&self.raw())
    }

    pub fn texts(&self, sql: &str) -> Vec<String> {
        let raw = self.raw();
        let mut statement = raw.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    pub fn visit(self, now: Moment) -> Visit {
        let mut visit = Visit::over_file(self.folder);
        visit.now = now;
        visit
    }
}

/// A second way into the file of a site that was moved to.
pub fn raw(visit: &Visit) -> Connection {
    Connection::open(visit.folder.path().join("test.db")).unwrap()
}

pub fn rows(raw: &Connection) -> Vec<Vec<Cell>> {
    let mut all = Vec::new();
    for table in ["user", "user_key", "user_session", "passkey", "audit", "device", "throttle"] {
        let mut statement = raw.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).unwrap();
        let width = statement.column_count();
        let found = statement.query_map([], |row| (0..width).map(|at| row.get(at)).collect());
        all.extend(found.unwrap().map(Result::unwrap));
    }
    all
}

pub fn counts(report: &Value, what: &str) -> (u64, u64) {
    let count = |name| report[what][name].as_u64().unwrap();
    (count("imported"), count("already_there"))
}

/// The name of a person in a report, and the words for the reasons.
pub fn reasons(person: &Value) -> String {
    let words =
        person["reasons"].as_array().unwrap().iter().map(|it| it["reason"].as_str().unwrap());
    let name = person["username"].as_str().unwrap();
    std::iter::once(name).chain(words).collect::<Vec<_>>().join(" ")
}

/// `name` as many times as it takes to make a session's id.
fn token(name: &str) -> String {
    name.chars().cycle().take(40).collect()
}

pub fn sign_in(visit: &mut Visit, name: &str, password: &str) -> u16 {
    visit.forget_everything();
    visit.post("/login", &[("username", name), ("password", password)]).status
}

#[test]
fn brings_all_users_over_by_their_ids_and_names() {
    let manifest = manifest();
    let it = Move::of(fixture());
    let report = it.done(then(&manifest));
    assert_eq!(counts(&report, "users"), (6, 0));
    assert_eq!(counts(&report, "keys"), (8, 0));
    assert_eq!(counts(&report, "sessions"), (8, 0));
    assert_eq!(report["dead_sessions"], 3);
    let mut expected: Vec<_> = manifest["users"].as_array().unwrap().iter().collect();
    expected.sort_by_key(|user| user["id"].as_str().unwrap());
    let ids: Vec<_> = expected.iter().map(|user| user["id"].as_str().unwrap()).collect();
    let names: Vec<_> = expected.iter().map(|user| user["username"].as_str().unwrap()).collect();
    assert_eq!(it.texts("SELECT id FROM user ORDER BY id"), ids);
    assert_eq!(it.texts("SELECT username FROM user ORDER BY id"), names);
    for key in expected.iter().flat_map(|user| user["keys"].as_array().unwrap()) {
        let hash: Option<String> = it
            .raw()
            .query_row(
                "SELECT hashed_password FROM user_key WHERE id = ?1",
                [key["id"].as_str().unwrap()],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(hash.as_deref(), key["hashed_password"].as_str());
    }
}

#[test]
fn signs_all_users_in_with_the_password_they_have() {
    let manifest = manifest();
    let it = Move::of(fixture());
    it.done(then(&manifest));
    let mut visit = it.visit(then(&manifest));
    for user in manifest["users"].as_array().unwrap() {
        let [id, name, password] =
            ["id", "username", "password"].map(|field| user[field].as_str().unwrap());
        assert_eq!(sign_in(&mut visit, name, "not it"), 400, "{name}");
        assert_eq!(sign_in(&mut visit, name, password), 302, "{name}");
        assert!(body(&visit.get("/")).contains(id), "{name}");
        // And with the new hash.
        assert_eq!(sign_in(&mut visit, &name.to_uppercase(), password), 302, "{name}");
    }
    for typed in ["fiancée1x", "fiance\u{301}e1x", "ﬁancée①x"] {
        assert_eq!(sign_in(&mut visit, "fiancee", typed), 302, "{typed}");
    }
    let sql = "SELECT count(*) FROM user_key
                WHERE id LIKE 'username:%' AND hashed_password NOT LIKE '$argon2id$%'";
    assert_eq!(raw(&visit).query_row(sql, [], |row| row.get(0)), Ok(0));
}

#[test]
fn keeps_all_users_signed_in_with_the_cookie_they_have() {
    let manifest = manifest();
    let it = Move::of(fixture());
    it.done(then(&manifest));
    let mut visit = it.visit(then(&manifest));
    let mut seen = [0; 3];
    for user in manifest["users"].as_array().unwrap() {
        for session in user["sessions"].as_array().unwrap() {
            let token = session["id"].as_str().unwrap();
            visit.cookie = Some(format!("auth_session={token}"));
            let answer = visit.get("/");
            let state = session["state"].as_str().unwrap();
            let state = ["active", "idle", "dead"].iter().position(|it| *it == state).unwrap();
            seen[state] += 1;
            assert_eq!(answer.status, if state == 2 { 302 } else { 200 }, "{token}");
            if state < 2 {
                assert!(body(&answer).contains(user["id"].as_str().unwrap()), "{token}");
            }
        }
    }
    assert_eq!(seen, [5, 3, 3]);
}

#[test]
fn changes_nothing_when_it_is_run_again() {
    let manifest = manifest();
    let it = Move::of(fixture());
    it.done(then(&manifest));
    let before = it.rows();
    let report = it.done(then(&manifest).after(Duration::from_secs(5)));
    assert_eq!(counts(&report, "users"), (0, 6));
    assert_eq!(counts(&report, "keys"), (0, 8));
    assert_eq!(counts(&report, "sessions"), (0, 8));
    assert!(it.rows() == before);
}

#[test]
fn brings_back_no_session_that_was_ended_and_no_password_that_was_changed() {
    let manifest = manifest();
    let now = then(&manifest);
    let it = Move::of(fixture());
    it.done(now);
    let mut visit = it.visit(now);
    let token = "wlf010at0ibhxe8r8k5thrqypv389a06id2h74pf";
    visit.cookie = Some(format!("auth_session={token}"));
    assert_eq!(visit.post("/logout", &[]).status, 302);
    assert_eq!(sign_in(&mut visit, "alice", "correct horse battery"), 302);
    let before = rows(&raw(&visit));
    let again = ImportOrder {
        source: Source::Lucia { tables: None, username: None },
        file: fixture(),
        dry_run: false,
        skip_conflicts: false,
        json: true,
        names: NameKind::Name,
        rename: None,
        report: None,
        database: Database::File(visit.folder.path().join("test.db")),
        sealing_key: None,
        passkey_domain: None,
    };
    let outcome = import::bring(&again, &mut std::io::empty(), now, &mut |_, _| {}).unwrap();
    let report: Value = serde_json::from_str(&outcome.report).unwrap();
    assert_eq!(report["sessions"]["left_out"]["of users who are here already"], 1);
    assert!(rows(&raw(&visit)) == before);
    visit.cookie = Some(format!("auth_session={token}"));
    assert!(!visit.is_signed_in());
}

#[test]
fn only_looks_when_it_is_told_to() {
    let mut it = Move::of(fixture());
    it.order.dry_run = true;
    let report = it.done(then(&manifest()));
    assert_eq!((counts(&report, "users"), &report["written"]), ((0, 0), &false.into()));
    assert_eq!(report["users"]["would_import"], 6);
    assert!(!it.order.database.file().unwrap().exists());
    drop(engine::file(it.order.database.file().unwrap()));
    let before = it.rows();
    it.done(then(&manifest()));
    assert!(it.rows() == before);
}

#[test]
fn refuses_a_file_that_is_cut_short_or_of_something_else_and_writes_nothing() {
    let mut it = Move::of(fixture());
    let whole = fs::read(fixture()).unwrap();
    it.order.file = it.folder.path().join("bad.db");
    let mut bad: Vec<(Vec<u8>, &str)> = [0, 50, 99]
        .map(|length| (whole[..length].to_vec(), "it is not a SQLite database"))
        .to_vec();
    bad.extend(
        [100, 512, 4_096, 20_000, whole.len() - 1]
            .map(|length| (whole[..length].to_vec(), "it is cut short")),
    );
    bad.push((b"id,username\n1,ann\n".repeat(100), "it is not a SQLite database"));
    let mut damaged = whole.clone();
    for page in 1..whole.len() / 4_096 {
        damaged[page * 4_096..page * 4_096 + 64].fill(0xff);
    }
    bad.push((damaged, ""));
    for (bytes, cause) in bad {
        fs::write(&it.order.file, &bytes).unwrap();
        let Err(said) = it.run(NOW) else { panic!("{} bytes are taken", bytes.len()) };
        assert!(said.contains(cause) && said.contains("bad.db") && !said.contains('\n'), "{said}");
        assert!(!it.order.database.file().unwrap().exists());
        assert!(fs::read(&it.order.file).unwrap() == bytes, "it is left as it is");
    }
    it.order.file = it.folder.path().join("missing.db");
    assert!(it.run(NOW).is_err());
    it.order.file = it.folder.path().to_owned();
    assert!(it.run(NOW).is_err());
    assert!(!it.order.database.file().unwrap().exists());
}

#[test]
fn refuses_a_database_without_the_tables_of_lucia() {
    let user = "CREATE TABLE user (id TEXT, username TEXT);";
    let key = "CREATE TABLE k (id TEXT, user_id TEXT, hashed_password TEXT);";
    let session = "CREATE TABLE s (id, user_id, active_expires, idle_expires);";
    for (tables, cause) in [
        ("CREATE TABLE notes (id, text);".to_owned(), "not of Lucia v2"),
        (format!("{user}{session}"), "hashed_password"),
        (format!("{user}{key}"), "idle_expires"),
        (format!("{key}{session}"), "no table holds the users"),
        (format!("{user}{key}{session}{}", key.replace(" k ", " k2 ")), "k and k2 both"),
    ] {
        let it = Move::with_tables(&tables);
        let Err(said) = it.run(NOW) else { panic!("{tables} is taken") };
        assert!(said.contains(cause) && !said.contains('\n'), "{said}");
        assert!(!it.order.database.file().unwrap().exists());
    }
    let mut it = Move::of(PathBuf::new());
    it.order.file = it.folder.path().join("ours.db");
    drop(engine::file(&it.order.file));
    assert!(it.run(NOW).err().unwrap().contains("vestibule's own"));
}

#[test]
fn finds_the_tables_under_other_names_and_takes_those_that_are_named() {
    let named = "
        CREATE TABLE \"auth \"\"user\" (id TEXT PRIMARY KEY, username TEXT);
        CREATE TABLE post (id TEXT PRIMARY KEY, username TEXT, text TEXT);
        CREATE TABLE auth_key (id TEXT, user_id TEXT, hashed_password TEXT, expires INTEGER);
        CREATE TABLE old_key (id TEXT, user_id TEXT, hashed_password TEXT);
        CREATE TABLE auth_session (id TEXT, user_id TEXT, active_expires, idle_expires, country);
        INSERT INTO \"auth \"\"user\" VALUES ('1', 'ann');
        INSERT INTO post VALUES ('x', 'bob', 'hello');
        INSERT INTO auth_key VALUES ('username:ann', '1', NULL, NULL);";
    let mut it = Move::with_tables(
        &named
            .replace("CREATE TABLE old_key", "CREATE TABLE old_k2")
            .replace("hashed_password TEXT);", "other TEXT);"),
    );
    assert_eq!(it.done(NOW)["tables"]["user"], "auth \"user");
    assert_eq!(it.texts("SELECT username FROM user"), ["ann"]);
    it = Move::with_tables(named);
    assert!(it.run(NOW).is_err());
    let tables =
        LuciaTables { user: "auth \"user".to_owned(), key: "auth_key".to_owned(), session: None };
    let named = |key: &str| Source::Lucia {
        tables: Some(LuciaTables { key: key.to_owned(), ..tables.clone() }),
        username: None,
    };
    it.order.source = named("post");
    assert!(it.run(NOW).err().unwrap().contains("has not the columns"));
    it.order.source = named("none");
    assert!(it.run(NOW).err().unwrap().contains("no table none"));
    it.order.source = named("auth_key");
    assert_eq!(counts(&it.done(NOW), "users"), (1, 0));
}

#[test]
fn tells_who_cannot_come_over_and_leaves_all_or_those_behind() {
    let long = "x".repeat(32);
    for (what, rows, why) in [
        (
            "two spellings of one name",
            "INSERT INTO user VALUES ('1', 'Alice'), ('2', 'ａlice');".to_owned(),
            "shares the name alice",
        ),
        (
            "two spellings of one key",
            "INSERT INTO user VALUES ('1', 'a'), ('2', 'b');
             INSERT INTO user_key VALUES ('username:X', '1', NULL), ('username:x', '2', NULL);"
                .to_owned(),
            "shares the name x",
        ),
        (
            "a name that lets another user in",
            "INSERT INTO user VALUES ('1', 'alice'), ('2', 'bob');
             INSERT INTO user_key VALUES ('username:alice', '2', NULL);"
                .to_owned(),
            "shares the name alice",
        ),
        ("a long name", format!("INSERT INTO user VALUES ('1', '{long}');"), "more than 31"),
        ("no name", "INSERT INTO user VALUES ('1', NULL);".to_owned(), "has no name"),
        ("a name of blanks", "INSERT INTO user VALUES ('1', '  ');".to_owned(), "has no name"),
        ("no id", "INSERT INTO user VALUES ('', 'ann');".to_owned(), "empty id"),
        (
            "a long key",
            format!(
                "INSERT INTO user VALUES ('1', 'ann');
                 INSERT INTO user_key VALUES ('username:{long}', '1', NULL);"
            ),
            "more than 31",
        ),
        (
            "a key without provider",
            "INSERT INTO user VALUES ('1', 'ann');
             INSERT INTO user_key VALUES (':x', '1', NULL);"
                .to_owned(),
            "without a provider",
        ),
    ] {
        let others = "INSERT INTO user VALUES ('9', 'zoe');
                      INSERT INTO user_key VALUES ('username:zoe', '9', NULL);";
        let mut it = Move::with(&format!("{rows}{others}"));
        let report = it.refused();
        assert!(report["conflicts"][0]["why"].as_str().unwrap().contains(why), "{what}: {report}");
        assert_eq!(report["written"], false);
        assert!(!it.order.database.file().unwrap().exists(), "{what}");
        it.order.skip_conflicts = true;
        let report = it.done(NOW);
        assert_eq!(counts(&report, "users"), (1, 0), "{what}");
        let left_out = report["users"]["left_out"]["cannot come over as they are"].as_u64();
        assert_eq!(left_out, Some(report["conflicts"].as_array().unwrap().len() as u64), "{what}");
        assert_eq!(it.texts("SELECT id FROM user"), ["9"], "{what}");
    }
}

#[test]
fn takes_the_place_of_no_user_who_is_there() {
    for rows in [
        "INSERT INTO user VALUES ('ours', 'bob');",
        "INSERT INTO user VALUES ('2', 'ANNA');",
        "INSERT INTO user VALUES ('2', 'bob');
         INSERT INTO user_key VALUES ('username:Anna', '2', NULL);",
    ] {
        let mut it = Move::with(&format!("{rows} INSERT INTO user VALUES ('9', 'zoe');"));
        drop(engine::file(it.order.database.file().unwrap()));
        let ours = "INSERT INTO user (id, username, canonical_username, created_at)
                    VALUES ('ours', 'Anna', 'anna', 0);
                    INSERT INTO user_key VALUES ('username:anna', 'ours', NULL);";
        it.raw().execute_batch(ours).unwrap();
        let before = it.rows();
        let report = it.refused();
        assert!(report["conflicts"][0]["why"].as_str().unwrap().contains("another user here"));
        assert!(it.rows() == before, "{rows}");
        it.order.skip_conflicts = true;
        it.done(NOW);
        assert_eq!(it.texts("SELECT id FROM user ORDER BY id"), ["9", "ours"], "{rows}");
    }
}

#[test]
fn lets_no_user_have_the_name_that_another_is_called_by_or_signs_in_with() {
    // A user who signs in elsewhere, and has no key by their name.
    let mut it = Move::with(
        "INSERT INTO user VALUES ('1', 'admin'); INSERT INTO user_key VALUES ('github:1', '1', NULL);",
    );
    it.done(NOW);
    let theirs = |it: &Move, rows: &str| {
        let file = it.folder.path().join(format!("{}.db", rows.len()));
        Connection::open(&file).unwrap().execute_batch(&format!("{SCHEMA}{rows}")).unwrap();
        file
    };
    for (rows, why) in [
        (
            "INSERT INTO user VALUES ('2', 'eve');
             INSERT INTO user_key VALUES ('username:admin', '2', 'x');",
            "has a key of another user here: username:admin",
        ),
        (
            "INSERT INTO user VALUES ('3', 'name1');
             INSERT INTO user_key VALUES ('username:other', '3', 'x');",
            "",
        ),
        ("INSERT INTO user VALUES ('44', 'other');", "has the name of another user here"),
    ] {
        it.order.file = theirs(&it, rows);
        let report = if why.is_empty() { it.done(NOW) } else { it.refused() };
        assert!(report["conflicts"].to_string().contains(why), "{report}");
    }
}

#[test]
fn takes_no_session_of_another_user() {
    let session = |user: &str| {
        format!(
            "INSERT INTO user VALUES ('{user}', 'name{user}');
             INSERT INTO user_session VALUES ('{}', '{user}', 2000000, 3000000);",
            token("a")
        )
    };
    let mut it = Move::with(&session("1"));
    it.done(NOW);
    it.order.file = it.folder.path().join("other.db");
    let sql = format!("{SCHEMA}{}", session("2"));
    Connection::open(&it.order.file).unwrap().execute_batch(&sql).unwrap();
    it.order.dry_run = true;
    assert!(it.refused()["conflicts"].to_string().contains("has a session of another user here"));
    it.order.dry_run = false;
    it.refused();
    it.order.skip_conflicts = true;
    assert_eq!(counts(&it.done(NOW), "users"), (0, 0));
}

#[test]
fn ends_within_a_month_what_would_never_end() {
    let end = i64::MAX;
    let it = Move::with(&format!(
        "INSERT INTO user VALUES ('1', 'anna');
         INSERT INTO user_session VALUES ('{}', '1', {end}, {end});",
        token("a")
    ));
    it.done(NOW);
    let mut visit = it.visit(NOW);
    visit.cookie = Some(format!("auth_session={}", token("a")));
    for kind in ["text/html", "application/json"] {
        assert_eq!(visit.ask("GET", "/", &[("Accept", kind)], "").status, 200);
    }
    visit.wait(Duration::from_secs(30 * 24 * 60 * 60 + 1));
    assert!(!visit.is_signed_in());
}

#[test]
fn keeps_the_last_good_millisecond_of_a_session_and_counts_what_stays_behind() {
    let (live, dead) = (token("live"), token("dead"));
    let it = Move::with(&format!(
        "INSERT INTO user VALUES ('1', 'ann');
         INSERT INTO user_session VALUES ('{live}', '1', 2000000, 1000000), ('{dead}', '1', 1, 999999),
                ('SHORT', '1', 1, 2000000), ('{}', 'nobody', 1, 2000000);
         INSERT INTO user_key VALUES ('email:a:b@x', '1', NULL), ('email:c', 'nobody', NULL);",
        token("lost")
    ));
    let report = it.done(NOW);
    assert_eq!((counts(&report, "sessions"), &report["dead_sessions"]), ((1, 0), &1.into()));
    let left_out = &report["sessions"]["left_out"];
    assert_eq!(left_out["with an id that is not 40 characters a-z0-9"], 1);
    assert_eq!(left_out["of no user"], 1);
    assert_eq!(
        (counts(&report, "keys"), &report["keys"]["left_out"]["of no user"]),
        ((1, 0), &1.into())
    );
    assert_eq!(it.texts("SELECT id FROM user_key"), ["email:a:b@x"]);
    let times: (i64, i64, i64) = it
        .raw()
        .query_row(
            "SELECT active_expires, idle_expires, absolute_expires FROM user_session",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .unwrap();
    assert_eq!(times, (1_000_000, 1_000_000, 1_000_000 + 30 * 24 * 60 * 60 * 1_000));
    let mut visit = it.visit(NOW);
    visit.cookie = Some(format!("auth_session={live}"));
    assert!(visit.is_signed_in());
    visit.wait(Duration::from_millis(1));
    visit.cookie = Some(format!("auth_session={dead}"));
    assert!(!visit.is_signed_in());
}

#[test]
fn keeps_what_else_was_known_of_people() {
    let it = Move::with_tables(&format!(
        "{}
         INSERT INTO user VALUES ('1', 'ann', 'a@x', 7, 1.5, x'00ff', NULL, 'Ä \"\n'), ('2', NULL, NULL, 0, 0.0, x'', NULL, '');
         INSERT INTO user_key VALUES ('username:Bob', '2', NULL);",
        SCHEMA.replace("username TEXT)", "username TEXT, email, age INT, size REAL, icon, no, note)")
    ));
    it.done(NOW);
    let all = it.texts("SELECT attributes FROM user ORDER BY id");
    let first: Value = serde_json::from_str(&all[0]).unwrap();
    assert_eq!(
        first,
        serde_json::json!({
            "email": "a@x", "age": 7, "size": 1.5, "icon": "AP8=", "no": null, "note": "Ä \"\n"
        })
    );
    assert_eq!(it.texts("SELECT username FROM user ORDER BY id"), ["ann", "Bob"]);
    let database = it.order.database.file().unwrap().to_str().unwrap();
    let told = vestibule(&["user", "show", "ann", "--json", "--database", database]).output();
    let told: Value = serde_json::from_slice(&told.unwrap().stdout).unwrap();
    assert_eq!(told["attributes"], first);
    let bare = Move::with("INSERT INTO user VALUES ('1', 'ann');");
    bare.done(NOW);
    assert_eq!(bare.texts("SELECT attributes FROM user"), [""]);
}

#[test]
fn notes_what_the_operator_should_look_after() {
    let it = Move::with(
        "INSERT INTO user VALUES ('1', 'ann'), ('2', 'bob'), ('3', 'eve');
         INSERT INTO user_key VALUES ('username:anna', '1', 'md5:nonsense'), ('email:b@x', '2', NULL),
                ('username:eve', '3', NULL);",
    );
    let report = it.done(NOW);
    let notes = report["notes"].as_object().unwrap();
    assert_eq!(notes.len(), 4, "{report}");
    assert!(notes.values().all(|count| *count == 1), "{report}");
    let reasons: Vec<_> = report["people"].as_array().unwrap().iter().map(reasons).collect();
    assert_eq!(
        reasons,
        ["ann other_sign_in_name unreadable_hash", "bob no_sign_in_name", "eve no_password"]
    );
}

/// Runs an operator's command on the database that people were brought over into.
fn operate(it: &Move, words: &[&str], input: &str) -> (Option<i32>, String) {
    let output = run(it.folder.path(), words, input);
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// `open sesame`, as Node's bcrypt and `htpasswd -B` hash it at the lowest cost.
const OLD: &str = "$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy";

/// A user whom Lucia's `updateUserAttributes` has renamed, one with a password of another provider,
/// and one with none at all.
fn of_many_kinds() -> Move {
    Move::with(&format!(
        "INSERT INTO user VALUES ('1', 'after-rename'), ('2', 'mailed'), ('3', 'linked');
         INSERT INTO user_key VALUES ('username:before-rename', '1', '{OLD}'),
                ('email:m@x', '2', '{OLD}'), ('github:3', '3', NULL);
         INSERT INTO user_session VALUES ('{}', '1', 9000000, 9000000), ('{}', '2', 9000000, 9000000);",
        token("a"),
        token("b"),
    ))
}

#[test]
fn takes_whomever_it_brings_over_for_order() {
    for it in [of_many_kinds(), Move::of(fixture())] {
        it.done(NOW);
        let (code, told) = operate(&it, &["check"], "");
        assert!(code == Some(0) && told.ends_with("is in order\n"), "{told}");
    }
}

#[test]
fn ends_the_old_password_of_every_imported_user_who_gets_a_new_one() {
    for (name, signs_in_as) in
        [("after-rename", "before-rename"), ("mailed", "mailed"), ("linked", "linked")]
    {
        let it = of_many_kinds();
        it.done(NOW);
        let (code, told) = operate(&it, &["user", "passwd", name], "three unrelated words");
        assert!(code == Some(0) && told.contains(signs_in_as), "{told}");
        let of = |what: &str| {
            let sql = format!("SELECT {what} FROM user JOIN user_key ON user_id = user.id");
            it.texts(&format!("{sql} WHERE username = '{name}'"))
        };
        assert!(!of("coalesce(hashed_password, '')").contains(&OLD.to_owned()), "{name}");
        let left = it.texts("SELECT user_id FROM user_session");
        assert!(!left.contains(&of("user.id")[0]), "{name}");
        let mut visit = it.visit(NOW);
        for old in [name, signs_in_as] {
            assert_eq!(sign_in(&mut visit, old, "open sesame"), 400, "{old}");
        }
        assert_eq!(sign_in(&mut visit, signs_in_as, "three unrelated words"), 302, "{name}");
    }
}

#[test]
fn ends_the_old_password_after_a_rename_as_well() {
    let it = of_many_kinds();
    it.done(NOW);
    for words in
        [["user", "rename", "after-rename", "after-again"], ["user", "rename", "mailed", "posted"]]
    {
        assert_eq!(operate(&it, &words, "").0, Some(0));
    }
    for name in ["after-again", "posted"] {
        assert_eq!(operate(&it, &["user", "passwd", name], "three unrelated words").0, Some(0));
    }
    assert_eq!(
        it.texts("SELECT id FROM user_key ORDER BY id"),
        ["email:m@x", "github:3", "username:after-again", "username:posted"]
    );
    let mut visit = it.visit(NOW);
    for (name, password, status) in [
        ("before-rename", "open sesame", 400),
        ("after-rename", "open sesame", 400),
        ("after-again", "open sesame", 400),
        ("after-again", "three unrelated words", 302),
        ("posted", "open sesame", 400),
        ("posted", "three unrelated words", 302),
    ] {
        assert_eq!(sign_in(&mut visit, name, password), status, "{name}: {password}");
    }
}

#[test]
fn reads_a_database_in_use_and_puts_nothing_beside_one_that_is_not() {
    let it = Move::with("PRAGMA journal_mode = WAL; INSERT INTO user VALUES ('1', 'ann');");
    let beside = || it.order.file.with_file_name("lucia.db-wal").exists();
    assert!(!beside());
    assert_eq!(counts(&it.done(NOW), "users"), (1, 0));
    assert!(!beside() && !it.order.file.with_file_name("lucia.db-shm").exists());
    let app = Connection::open(&it.order.file).unwrap();
    app.execute_batch("INSERT INTO user VALUES ('2', 'bob')").unwrap();
    assert!(beside());
    assert_eq!(counts(&it.done(NOW), "users"), (1, 1));
    app.execute_batch("INSERT INTO user VALUES ('3', 'eve')").unwrap();
    assert_eq!(counts(&it.done(NOW), "users"), (1, 2));
}

#[test]
fn tells_how_far_it_is() {
    let it = Move::with(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
         INSERT INTO user SELECT i, 'user' || i FROM n;",
    );
    let mut told = Vec::new();
    import::bring(&it.order, &mut std::io::empty(), NOW, &mut |what, rows| {
        told.push(format!("{rows} {what}"));
    })
    .unwrap();
    assert_eq!(told, ["10000 users read", "10000 users written"]);
    assert_eq!(
        lucia_v2(&it.order.file, None, None, NOW, &mut |_, _| {}).ok().unwrap().users.len(),
        10_000
    );
}

#[test]
fn is_a_command_with_an_exit_code_for_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("test.db");
    let run = |words: &[&str]| {
        let mut all = vec!["import", "lucia", "--database", database.to_str().unwrap()];
        all.extend(words);
        vestibule(&all).output().unwrap()
    };
    let fixture = fixture();
    let file = fixture.to_str().unwrap();
    let said = |output: &std::process::Output| String::from_utf8(output.stdout.clone()).unwrap();
    let looked = run(&[file, "--dry-run"]);
    assert!(looked.status.success() && looked.stderr.is_empty());
    assert!(
        said(&looked).ends_with("Nothing was written: this is a dry run.\n") && !database.exists()
    );
    let done = run(&[file, "--tables", "user,user_key,user_session", "--json"]);
    let report: Value = serde_json::from_str(&said(&done)).unwrap();
    assert_eq!((done.status.code(), counts(&report, "users")), (Some(0), (6, 0)));
    let again = run(&[file]);
    assert!(said(&again).contains("users     0 imported, 6 already there\n"), "{}", said(&again));
    assert!(said(&again).ends_with("Nothing was written: everyone is here already.\n"));
    let bad = run(&[database.to_str().unwrap()]);
    let line = String::from_utf8(bad.stderr).unwrap();
    assert_eq!((bad.status.code(), line.lines().count()), (Some(1), 1), "{line}");
    assert_eq!(run(&[file, "--tables", "user"]).status.code(), Some(2));
}
