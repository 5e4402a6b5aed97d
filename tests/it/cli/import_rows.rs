//! What stands in other programs' databases that no app should have written, and in what kinds of tables:
//! one odd row is left out and named, and stops nothing.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};
use vestibule::base::clock::Moment;
use vestibule::cli::import::Source;

use crate::cli::import::{Move, counts, sign_in};
use crate::cli::import_sqlite::{V3, better_auth, lucia_v3, with_tables};

const NOW: Moment = Moment::from_millis(1_000_000);

/// `open sesame` by bcrypt.
const HASH: &str = "$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy";

const V2: &str = "
    CREATE TABLE user (id, username);
    CREATE TABLE user_key (id, user_id, hashed_password);
    CREATE TABLE user_session (id, user_id, active_expires, idle_expires);";

fn lucia() -> Source {
    Source::Lucia { tables: None, username: None }
}

/// Table, rowid and reason of each conflict.
fn conflicts(report: &Value) -> Vec<String> {
    let told = |it: &Value| {
        format!(
            "{} {}: {}",
            it["table"].as_str().unwrap(),
            it["rowid"],
            it["why"].as_str().unwrap()
        )
    };
    report["conflicts"].as_array().unwrap().iter().map(told).collect()
}

#[test]
fn names_every_user_who_cannot_be_read_and_brings_the_others() {
    let users =
        "INSERT INTO user (id, username) VALUES (NULL, 'ann'), (x'00ff', 'bob'), ('3', x'00'),
           (CAST(x'ff' AS TEXT), 'eve'), ('5' || char(10), 'fay'), (1.5, 'gus'), ('', 'hal'), (8, 'ivy'), (9.0, 'joe');";
    let account = format!("INSERT INTO account SELECT 'credential', '8', '8', '{HASH}';");
    let v2_key = format!("INSERT INTO user_key VALUES ('username:ivy', 8, '{HASH}');");
    let v3_user = "CREATE TABLE user (id, username, password_hash);";
    let v3_hash = format!("UPDATE user SET password_hash = '{HASH}' WHERE id = 8;");
    let of_better_auth = "CREATE TABLE user (id, username, email, emailVerified);
                          CREATE TABLE account (providerId, accountId, userId, password);";
    for (source, sql) in [
        (lucia(), format!("{V2}{users}{v2_key}")),
        (lucia_v3(), format!("{V3}{v3_user}{users}{v3_hash}")),
        (better_auth(), format!("{of_better_auth}{users}{account}")),
    ] {
        let mut it = with_tables(source, &sql);
        let report = it.refused();
        assert_eq!(
            conflicts(&report),
            [
                "user 1: cannot be read: its id is missing",
                "user 2: cannot be read: its id is bytes, not a text",
                "user 3: cannot be read: its username is bytes, not a text",
                "user 4: cannot be read: its id is no UTF-8",
                "user 5: has an id with control characters in it",
                "user 6: cannot be read: its id is a fraction, not a text",
                "user 7: has an empty id",
            ]
        );
        assert!(!it.order.database.file().unwrap().exists());
        it.order.skip_conflicts = true;
        it.done(NOW);
        assert_eq!(it.texts("SELECT id || username FROM user ORDER BY id"), ["8ivy", "9joe"]);
        assert_eq!(sign_in(&mut it.visit(NOW), "ivy", "open sesame"), 302);
    }
}

#[test]
fn gives_no_user_the_keys_of_another_with_the_same_id() {
    for (id, same) in [("'1'", "'1'"), ("'1'", "1")] {
        let mut it = with_tables(
            lucia_v3(),
            &format!(
                "{V3} CREATE TABLE user (id, username, password_hash);
                 INSERT INTO user VALUES ({id}, 'ann', NULL), ({same}, 'bob', '{HASH}'), ('2', 'eve', '{HASH}');"
            ),
        );
        let expected =
            ["user 1: has the same id as user row 2", "user 2: has the same id as user row 1"];
        assert_eq!(conflicts(&it.refused()), expected);
        it.order.skip_conflicts = true;
        it.done(NOW);
        assert_eq!(it.texts("SELECT username FROM user"), ["eve"]);
    }
}

#[test]
fn names_every_key_and_session_that_cannot_be_read() {
    let token = |name: &str| name.chars().cycle().take(40).collect::<String>();
    let mut it = with_tables(
        lucia(),
        &format!(
            "{V2}
             INSERT INTO user VALUES ('1', 'ann'), ('2', 'bob'), ('3', 'eve');
             INSERT INTO user_key VALUES ('username:ann', '1', '{HASH}'), (NULL, '2', '{HASH}'),
                (x'00', '4', NULL), ('username:eve', '3', x'ff00'), ('email:x', NULL, NULL);
             INSERT INTO user_session VALUES ('{}', '1', 2000000, 3000000), (NULL, '1', 1, 3000000),
                ('{}', x'00', 1, 3000000), (x'00', '1', 1, 3000000);",
            token("a"),
            token("b")
        ),
    );
    let report = it.refused();
    assert_eq!(
        conflicts(&report),
        ["user 2: has a key that cannot be read (user_key row 2): its id is missing"]
    );
    it.order.skip_conflicts = true;
    let report = it.done(NOW);
    assert_eq!(counts(&report, "users"), (2, 0));
    assert_eq!(counts(&report, "sessions"), (1, 0));
    assert_eq!(report["keys"]["left_out"]["that cannot be read"], 3);
    assert_eq!(report["sessions"]["left_out"]["that cannot be read"], 3);
    let rows = report["rows"].as_array().unwrap().iter();
    let rows: Vec<_> =
        rows.map(|it| format!("{} {}", it["table"].as_str().unwrap(), it["rowid"])).collect();
    assert_eq!(
        rows,
        ["user_key 3", "user_key 5", "user_session 2", "user_session 3", "user_session 4"]
    );
    let eve = &report["people"][0];
    assert_eq!(
        (&eve["username"], &eve["reasons"][0]["reason"]),
        (&json!("eve"), &json!("unreadable_hash"))
    );
    it.order.json = false;
    it.order.dry_run = true;
    let text = it.run(NOW).unwrap().report;
    assert!(text.contains("row       user_session row 2: its id is missing\n"), "{text}");
    assert_eq!(sign_in(&mut it.visit(NOW), "ann", "open sesame"), 302);
}

#[test]
fn reads_tables_of_every_kind_whatever_the_case_of_their_names() {
    let rows = format!("VALUES ('1', 'ann', '{HASH}'), ('2', 'bob', '{HASH}')");
    for users in [
        format!("CREATE TABLE USERS (ID TEXT, USERNAME TEXT, PASSWORD_HASH TEXT); INSERT INTO USERS {rows};"),
        format!("CREATE TABLE u (Id TEXT, UserName TEXT, PasswordHash TEXT); INSERT INTO u {rows};"),
        format!(
            "CREATE TABLE user (id TEXT PRIMARY KEY, username TEXT, password_hash TEXT) WITHOUT ROWID;
             INSERT INTO user {rows};"
        ),
        format!(
            "CREATE TABLE user (rowid TEXT, _rowid_ TEXT, oid TEXT, id TEXT AS (rowid), username AS (_rowid_),
                                password_hash TEXT AS (oid) STORED);
             INSERT INTO user {rows};"
        ),
        format!("CREATE VIRTUAL TABLE user USING fts5 (id, username, password_hash); INSERT INTO user {rows};"),
        format!(
            "CREATE TABLE people (id TEXT, user_id TEXT, username TEXT, password TEXT, \"a\"\"'b\" TEXT);
             INSERT INTO people (id, username, password) {rows};"
        ),
        format!(
            "CREATE TABLE people (uid TEXT, nick TEXT, pw TEXT); INSERT INTO people {rows};
             CREATE VIEW user AS SELECT uid AS id, nick AS username, pw AS password_hash FROM people;"
        ),
        format!(
            "CREATE TABLE user (id TEXT, username TEXT, password_hash TEXT); INSERT INTO user {rows};
             CREATE VIEW active_users AS SELECT * FROM user; CREATE VIEW broken AS SELECT * FROM gone;"
        ),
    ] {
        let it = with_tables(lucia_v3(), &format!("{V3}{users}"));
        let report = it.done(NOW);
        assert_eq!(counts(&report, "users"), (2, 0), "{users}");
        assert_eq!(it.texts("SELECT username FROM user ORDER BY id"), ["ann", "bob"], "{users}");
        assert_eq!(sign_in(&mut it.visit(NOW), "ann", "open sesame"), 302, "{users}");
    }
    let it = with_tables(
        lucia_v3(),
        &format!(
            "PRAGMA encoding = 'UTF-16'; {V3} CREATE TABLE user (id, username, password_hash);
             INSERT INTO user VALUES ('1', 'änn', '{HASH}');"
        ),
    );
    it.done(NOW);
    assert_eq!(sign_in(&mut it.visit(NOW), "änn", "open sesame"), 302);
    let it = with_tables(
        lucia(),
        &format!(
            "CREATE TABLE AUTH_USER (ID, USERNAME); CREATE TABLE AUTH_KEY (ID, USER_ID, HASHED_PASSWORD);
             CREATE TABLE AUTH_SESSION (ID, USER_ID, ACTIVE_EXPIRES, IDLE_EXPIRES);
             INSERT INTO AUTH_USER VALUES ('1', 'ann');
             INSERT INTO AUTH_KEY VALUES ('username:ann', '1', '{HASH}');"
        ),
    );
    assert_eq!(it.done(NOW)["tables"]["user"], "AUTH_USER");
    assert_eq!(sign_in(&mut it.visit(NOW), "ann", "open sesame"), 302);
}

#[test]
fn says_which_row_it_is_where_rows_have_no_number() {
    let it = with_tables(
        lucia_v3(),
        &format!(
            "{V3} CREATE TABLE people (uid, nick, pw); INSERT INTO people VALUES ('1', 'ann', NULL), (NULL, 'bob', NULL);
             CREATE VIEW user AS SELECT uid AS id, nick AS username, pw AS password_hash FROM people;"
        ),
    );
    let report = it.refused();
    assert_eq!(
        (&report["conflicts"][0]["table"], &report["conflicts"][0]["row"]),
        (&json!("user"), &json!(2))
    );
}

/// Copies a database and what lies beside it, as it is now.
fn copy(from: &Path, to: &Path, suffixes: &[&str]) {
    for suffix in suffixes {
        let name = |path: &Path| format!("{}{suffix}", path.display());
        fs::copy(name(from), name(to)).unwrap();
    }
}

#[test]
fn says_what_to_do_with_a_write_that_was_cut_off() {
    let it = with_tables(
        lucia_v3(),
        &format!("{V3} CREATE TABLE user (id TEXT, username TEXT, password_hash TEXT);"),
    );
    let app = Connection::open(&it.order.file).unwrap();
    app.execute_batch(
        "PRAGMA cache_size = 1; BEGIN IMMEDIATE;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
         INSERT INTO user SELECT i, 'user' || i, hex(randomblob(64)) FROM n;",
    )
    .unwrap();
    let mut cut = Move::from(lucia_v3(), it.folder.path().join("cut.db"));
    copy(&it.order.file, &cut.order.file, &["", "-journal"]);
    drop(app);
    let said = cut.run(NOW).err().unwrap();
    assert!(said.contains("cut.db-journal") && said.contains("sqlite3"), "{said}");
    assert!(!said.contains('\n'), "{said}");
    // As it says: SQLite undoes the write when it opens a copy.
    let copied = it.folder.path().join("copy.db");
    copy(&cut.order.file, &copied, &["", "-journal"]);
    let undone = Connection::open(&copied).unwrap();
    assert_eq!(undone.query_row("SELECT count(*) FROM user", [], |row| row.get(0)), Ok(0));
    cut.order.file = copied;
    assert_eq!(counts(&cut.done(NOW), "users"), (0, 0));
}

#[test]
fn says_what_to_do_with_a_log_that_cannot_be_read_where_it_lies() {
    let it = with_tables(
        lucia_v3(),
        &format!(
            "PRAGMA journal_mode = WAL; {V3} CREATE TABLE user (id TEXT, username TEXT, password_hash TEXT);"
        ),
    );
    let app = Connection::open(&it.order.file).unwrap();
    app.execute_batch("INSERT INTO user VALUES ('1', 'ann', NULL)").unwrap();
    let mut left = Move::from(lucia_v3(), it.folder.path().join("left.db"));
    copy(&it.order.file, &left.order.file, &["", "-wal"]);
    drop(app);
    // Nothing can be made under that name, as in a folder that cannot be written.
    let index = it.folder.path().join("left.db-shm");
    std::os::unix::fs::symlink("/nowhere/at/all", &index).unwrap();
    let said = left.run(NOW).err().unwrap();
    assert!(said.contains("left.db-wal") && said.contains("copy both files"), "{said}");
    assert!(!said.contains('\n'), "{said}");
    let copied = it.folder.path().join("copy.db");
    copy(&left.order.file, &copied, &["", "-wal"]);
    left.order.file = copied;
    assert_eq!(counts(&left.done(NOW), "users"), (1, 0));
}

#[test]
fn reads_a_log_that_a_crash_has_left() {
    let it = with_tables(
        lucia_v3(),
        &format!(
            "PRAGMA journal_mode = WAL; {V3} CREATE TABLE user (id TEXT, username TEXT, password_hash TEXT);"
        ),
    );
    let app = Connection::open(&it.order.file).unwrap();
    app.execute_batch("INSERT INTO user VALUES ('1', 'ann', NULL)").unwrap();
    let left = Move::from(lucia_v3(), it.folder.path().join("left.db"));
    copy(&it.order.file, &left.order.file, &["", "-wal"]);
    assert_eq!(counts(&left.done(NOW), "users"), (1, 0));
}
