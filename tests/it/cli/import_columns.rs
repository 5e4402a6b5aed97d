//! How the columns of other programs' databases are understood: times, hashes, names, bans and secrets.

use serde_json::{Value, json};
use vestibule::base::clock::Moment;
use vestibule::cli::import::Source;
use vestibule::cli::import::foreign_db::{ColumnChoice, NameSource};

use crate::cli::import::{Move, counts, reasons, sign_in};
use crate::cli::import_sqlite::{V3, better_auth, lucia_v3, names, with_tables};

/// 2026-11-28 08:42:15 UTC.
const NOW: Moment = Moment::from_millis(1_795_855_335_000);

/// `open sesame` by bcrypt.
const HASH: &str = "$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy";

fn token(name: &str) -> String {
    name.chars().cycle().take(40).collect()
}

fn v3_by(hash: Option<&str>, username: Option<&str>, tables: &[(&str, &str)]) -> Source {
    let username = username.map(|it| NameSource::parse(it).unwrap());
    let columns = ColumnChoice { username, hash: hash.map(str::to_owned) };
    Source::LuciaV3 { tables: names(tables), columns }
}

fn lucia(username: Option<&str>) -> Source {
    Source::Lucia { tables: None, username: username.map(|it| NameSource::parse(it).unwrap()) }
}

/// Each user of whom something is said: name, and the words for scripts.
fn told(report: &Value) -> Vec<String> {
    report["people"].as_array().unwrap().iter().map(reasons).collect()
}

#[test]
fn reads_the_end_of_a_session_in_every_form() {
    for written in [
        "1795858935",
        "1795858935000",
        "1795858935000000",
        "1795858935000000000",
        "1795858935.0",
        "1795858935000.0",
        "'1795858935'",
        "'2026-11-28T09:42:15Z'",
        "'2026-11-28T09:42:15.000Z'",
        "'2026-11-28T09:42:15+00:00'",
        "'2026-11-28T11:42:15+02:00'",
        "'2026-11-28 09:42:15'",
        "'2026-11-28 04:42:15.000 -05:00'",
    ] {
        let it = with_tables(
            lucia_v3(),
            &format!(
                "CREATE TABLE session (id TEXT, user_id TEXT, expires_at);
                 CREATE TABLE user (id TEXT, username TEXT, password_hash TEXT);
                 INSERT INTO user VALUES ('1', 'ann', NULL);
                 INSERT INTO session VALUES ('{}', '1', {written});",
                token("a")
            ),
        );
        it.done(NOW);
        let ends = it.texts("SELECT CAST(idle_expires AS TEXT) FROM user_session");
        assert_eq!(ends, ["1795858935000"], "{written}");
    }
}

#[test]
fn names_every_session_whose_end_it_cannot_read() {
    let it = with_tables(
        lucia_v3(),
        &format!(
            "CREATE TABLE session (id TEXT, user_id TEXT, expires_at);
             CREATE TABLE user (id TEXT, username TEXT, password_hash TEXT);
             INSERT INTO user VALUES ('1', 'ann', '{HASH}');
             INSERT INTO session VALUES ('{}', '1', 'tomorrow'), ('{}', '1', NULL),
                ('{}', '1', x'00'), ('{}', '1', '2027-01-01'), ('{}', '1', 3.5);",
            token("a"),
            token("b"),
            token("c"),
            token("d"),
            token("e")
        ),
    );
    let report = it.done(NOW);
    assert_eq!(counts(&report, "sessions"), (1, 0));
    assert_eq!(report["sessions"]["left_out"]["that cannot be read"], 4);
    let rows = report["rows"].as_array().unwrap();
    assert_eq!((&rows[0]["table"], &rows[0]["rowid"]), (&json!("session"), &json!(1)));
    let whys = report["rows"].to_string();
    for why in [
        "cannot be read as a time: tomorrow",
        "expires_at is missing",
        "is bytes",
        "cannot be read as a time: 3.5",
    ] {
        assert!(whys.contains(why), "{whys}");
    }
}

#[test]
fn says_of_whom_it_cannot_read_when_they_came() {
    let it = with_tables(
        lucia_v3(),
        &format!(
            "{V3} CREATE TABLE user (id TEXT, username TEXT, password_hash TEXT, createdAt);
             INSERT INTO user VALUES ('1', 'ann', '{HASH}', '2026-01-02T05:04:05.678+02:00'),
                ('2', 'bob', '{HASH}', 'long ago'), ('3', 'eve', '{HASH}', NULL);"
        ),
    );
    let report = it.done(NOW);
    assert_eq!(told(&report), ["bob created_now", "eve created_now"]);
    let created = it.texts("SELECT CAST(created_at AS TEXT) FROM user ORDER BY id");
    let now = NOW.millis().to_string();
    assert_eq!(created, ["1767323045678", &now, &now]);
    let said = &report["people"][0]["reasons"][0]["text"];
    assert!(said.as_str().unwrap().contains("createdAt cannot be read as a time: long ago"));
}

#[test]
fn takes_no_implausible_number_or_future_for_the_creation_of_an_account() {
    let values = [
        "3.5",
        "0",
        "2026",
        "-1795855335",
        "'45292'",
        "'2024-02-30'",
        "2795855335",
        "'9999-12-31'",
    ];
    let rows: Vec<String> =
        values.iter().enumerate().map(|(at, it)| format!("('{at}', 'user{at}', {it})")).collect();
    let users = format!(
        "(id, username, createdAt, email, emailVerified);
                         INSERT INTO user (id, username, createdAt) VALUES {};",
        rows.join(",")
    );
    for (source, tables) in [
        (
            lucia(None),
            "CREATE TABLE user_key (id, user_id, hashed_password);
                       CREATE TABLE user_session (id, user_id, active_expires, idle_expires);",
        ),
        (lucia_v3(), V3),
        (better_auth(), "CREATE TABLE account (providerId, accountId, userId, password);"),
    ] {
        let it = with_tables(source, &format!("{tables} CREATE TABLE user {users}"));
        let report = it.done(NOW);
        let now = NOW.millis().to_string();
        let created = it.texts("SELECT CAST(created_at AS TEXT) FROM user");
        assert!(
            created.len() == values.len() && created.iter().all(|it| *it == now),
            "{created:?}"
        );
        let people = report["people"].as_array().unwrap();
        assert_eq!(people.len(), values.len());
        for (person, value) in people.iter().zip(values) {
            let text = person["reasons"].to_string();
            let said = if value.contains("9999") || value.starts_with("279") {
                "is in the future"
            } else {
                value.trim_matches('\'')
            };
            assert!(text.contains("created_now") && text.contains(said), "{value}: {text}");
        }
    }
}

#[test]
fn lets_no_user_in_whose_ban_has_an_end_that_cannot_be_read() {
    for (end, disabled) in [
        ("'for ever'", true),
        ("3.5", true),
        ("4102444800", true),
        ("0", false),
        ("NULL", false),
        ("1767323045", false),
    ] {
        let it = with_tables(
            lucia_v3(),
            &format!(
                "{V3} CREATE TABLE user (id TEXT, username TEXT, password_hash TEXT, banned_until);
                 INSERT INTO user VALUES ('1', 'anna', '{HASH}', {end});"
            ),
        );
        let report = it.done(NOW);
        let shut_out = it.texts("SELECT username FROM user WHERE disabled_at IS NOT NULL");
        assert_eq!(shut_out.len(), usize::from(disabled), "{end}");
        let named = if disabled { vec!["anna ban_with_end".to_owned()] } else { vec![] };
        assert_eq!(told(&report), named, "{end}");
    }
}

#[test]
fn finds_the_column_of_hashes_by_what_is_in_it() {
    let argon2 = "$argon2id$v=19$m=19456,t=2,p=1$YWJjZGVmZ2hpamtsbW5vcA$\
                  8cpH3lHTjGQd5ZPRO8ZZ5bGcpfmr8bDmBEYbYzmGhGc";
    for columns in ["password", "PASSWORD", "hash", "pass", "passwordDigest", "encrypted_password"]
    {
        let it = with_tables(
            lucia_v3(),
            &format!(
                "{V3} CREATE TABLE user (id TEXT, username TEXT, {columns} TEXT, hashtag TEXT);
                 INSERT INTO user VALUES ('1', 'ann', '{HASH}', '#x'), ('2', 'bob', '{argon2}', NULL),
                    ('3', 'eve', NULL, NULL);"
            ),
        );
        let report = it.done(NOW);
        assert_eq!((counts(&report, "keys"), &report["warning"]), ((2, 0), &Value::Null));
        assert_eq!(it.texts("SELECT attributes FROM user")[0], "{\"hashtag\":\"#x\"}");
        assert_eq!(sign_in(&mut it.visit(NOW), "ann", "open sesame"), 302, "{columns}");
    }
    // In a table of its own, as bytes, beside a usual name in which there is nothing.
    let it = with_tables(
        lucia_v3(),
        &format!(
            "{V3} CREATE TABLE User (id TEXT, username TEXT, password_hash TEXT);
             CREATE TABLE Password (hash TEXT, userId TEXT);
             INSERT INTO User VALUES ('1', 'ann', NULL);
             INSERT INTO Password VALUES (CAST('{HASH}' AS BLOB), '1');"
        ),
    );
    let report = it.done(NOW);
    assert_eq!(counts(&report, "keys"), (1, 0), "{report}");
    assert_eq!(report["tables"]["password"], "Password");
    assert_eq!(sign_in(&mut it.visit(NOW), "ann", "open sesame"), 302);
}

#[test]
fn takes_the_column_of_hashes_that_is_named_and_asks_where_there_are_two() {
    let sql = format!(
        "{V3} CREATE TABLE user (id TEXT, username TEXT, pass TEXT, pass_before TEXT);
         INSERT INTO user VALUES ('1', 'ann', '{HASH}', 'a hint'), ('2', 'bob', NULL, '{HASH}');"
    );
    assert_eq!(with_tables(lucia_v3(), &sql).run(NOW).err(), None);
    let both = sql.replace("a hint", HASH);
    let said = with_tables(lucia_v3(), &both).run(NOW).err().unwrap();
    assert!(said.contains("pass and pass_before") && said.contains("--hash"), "{said}");
    let it = with_tables(v3_by(Some("PASS"), None, &[]), &both);
    assert_eq!(counts(&it.done(NOW), "keys"), (1, 0));
    assert_eq!(sign_in(&mut it.visit(NOW), "ann", "open sesame"), 302);
    let said = with_tables(v3_by(Some("pw"), None, &[]), &both).run(NOW).err().unwrap();
    assert!(said.contains("has a column pw"), "{said}");
    let it = with_tables(
        v3_by(Some("phc"), None, &[("password", "credentials")]),
        &format!(
            "{V3} CREATE TABLE user (id TEXT, username TEXT);
             CREATE TABLE credentials (user_id TEXT, phc TEXT);
             INSERT INTO user VALUES ('1', 'ann'); INSERT INTO credentials VALUES ('1', '{HASH}');"
        ),
    );
    it.done(NOW);
    assert_eq!(sign_in(&mut it.visit(NOW), "ann", "open sesame"), 302);
}

#[test]
fn warns_loudly_when_no_user_has_a_password() {
    let mut it = with_tables(
        lucia_v3(),
        &format!(
            "{V3} CREATE TABLE user (id TEXT, username TEXT, phc TEXT);
             INSERT INTO user VALUES ('1', 'ann', '$6$x$y'), ('2', 'bob', '$6$x$z');"
        ),
    );
    it.order.dry_run = true;
    let warning = it.done(NOW)["warning"].to_string();
    assert!(warning.contains("2 new users") && warning.contains("--hash COLUMN"), "{warning}");
    it.order.json = false;
    let text = it.run(NOW).unwrap().report;
    assert!(text.contains("\nWARNING   no password is imported"), "{text}");
}

const V2: &str = "
    CREATE TABLE user_key (id TEXT, user_id TEXT, hashed_password TEXT);
    CREATE TABLE user_session (id TEXT, user_id TEXT, active_expires BIGINT, idle_expires BIGINT);";

#[test]
fn names_users_of_lucia_v2_by_their_keys_and_lets_them_sign_in_so() {
    let sql = format!(
        "{V2} CREATE TABLE user (id TEXT, email TEXT, email_verified INTEGER);
         INSERT INTO user VALUES ('1', 'Ann@x', 1), ('2', 'bob@x', 0), ('3', 'eve@x', 1), ('4', NULL, 0);
         INSERT INTO user_key VALUES ('email:ann@x', '1', '{HASH}'), ('username:bobby', '2', '{HASH}'),
            ('email:bob@x', '2', NULL), ('github:3', '3', NULL), ('phone:+1', '4', '{HASH}');"
    );
    let mut it = with_tables(lucia(None), &sql);
    let report = it.refused();
    assert_eq!(report["conflicts"][0]["why"], "has no name; --rename FILE gives one by the id");
    it.order.skip_conflicts = true;
    let report = it.done(NOW);
    assert_eq!(it.texts("SELECT username FROM user ORDER BY id"), ["ann@x", "bobby", "eve@x"]);
    assert_eq!(it.texts("SELECT email FROM user ORDER BY id"), ["Ann@x", "", "eve@x"]);
    assert_eq!(told(&report), ["eve@x no_sign_in_name"]);
    let mut visit = it.visit(NOW);
    for (name, status) in [("ann@x", 302), ("ANN@X", 302), ("bobby", 302), ("bob@x", 400)] {
        assert_eq!(sign_in(&mut visit, name, "open sesame"), status, "{name}");
    }
}

#[test]
fn takes_the_key_of_a_provider_for_the_name_if_it_is_told_to() {
    let users = format!(
        "CREATE TABLE user (id TEXT, username TEXT);
         INSERT INTO user VALUES ('1', 'ann'), ('2', 'bob');
         INSERT INTO user_key VALUES ('email:a:b@x', '1', '{HASH}'), ('username:ann', '1', NULL),
            ('email:bob@x', '2', '{HASH}');"
    );
    let it = with_tables(lucia(Some("key:email")), &format!("{V2}{users}"));
    it.done(NOW);
    assert_eq!(it.texts("SELECT username FROM user ORDER BY id"), ["a:b@x", "bob@x"]);
    assert_eq!(
        it.texts("SELECT id FROM user_key WHERE user_id = '1' ORDER BY id"),
        ["email:a:b@x", "username:a:b@x", "username:ann"]
    );
    assert_eq!(sign_in(&mut it.visit(NOW), "a:b@x", "open sesame"), 302);

    let it = with_tables(
        v3_by(None, Some("key:github"), &[]),
        &format!(
            "{V3} CREATE TABLE user (id TEXT, username TEXT, password_hash TEXT);
             CREATE TABLE oauth_account (provider_id, provider_user_id, user_id);
             INSERT INTO user VALUES ('1', 'ann', '{HASH}');
             INSERT INTO oauth_account VALUES ('github', 'octo-ann', '1');"
        ),
    );
    it.done(NOW);
    assert_eq!(sign_in(&mut it.visit(NOW), "octo-ann", "open sesame"), 302);
    for bad in ["", "key:"] {
        assert!(NameSource::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn lets_users_of_lucia_v2_sign_in_by_the_name_they_are_called_by() {
    let users = format!(
        "CREATE TABLE user (id TEXT, username TEXT);
         INSERT INTO user VALUES ('1', 'ann'), ('2', 'bob');
         INSERT INTO user_key VALUES ('email:a:b@x', '1', '{HASH}'), ('username:ann', '1', NULL),
            ('email:bob@x', '2', '{HASH}');"
    );
    let it = with_tables(lucia(Some("username")), &format!("{V2}{users}"));
    let report = it.done(NOW);
    assert_eq!(told(&report), ["ann signed_in_otherwise", "bob signed_in_otherwise"]);
    let mut visit = it.visit(NOW);
    for name in ["ann", "bob"] {
        assert_eq!(sign_in(&mut visit, name, "open sesame"), 302, "{name}");
    }

    let it = with_tables(
        lucia(Some("mail")),
        &format!(
            "{V2} CREATE TABLE user (id TEXT, mail TEXT); INSERT INTO user VALUES ('1', 'Ann@X');
             INSERT INTO user_key VALUES ('email:ann@x', '1', '{HASH}');"
        ),
    );
    assert_eq!(told(&it.done(NOW)), [""; 0], "it is the same name");
    assert_eq!(sign_in(&mut it.visit(NOW), "ann@x", "open sesame"), 302);
}

#[test]
fn counts_sessions_of_which_only_a_hash_is_there() {
    let hashed = "0123456789abcdef".repeat(4);
    let it = with_tables(
        lucia_v3(),
        &format!(
            "{V3} CREATE TABLE user (id TEXT, username TEXT, password_hash TEXT);
             INSERT INTO user VALUES ('1', 'ann', '{HASH}');
             INSERT INTO session VALUES ('{hashed}', '1', 1800000000), ('{}', '1', 1800000000);",
            token("a")
        ),
    );
    let report = it.done(NOW);
    assert_eq!(counts(&report, "sessions"), (1, 0));
    assert!(report["sessions"]["left_out"].to_string().contains("SHA-256"), "{report}");
    let it = with_tables(
        lucia_v3(),
        &format!(
            "CREATE TABLE session (id TEXT, user_id TEXT, secret_hash BLOB, created_at INTEGER);
             CREATE TABLE user (id TEXT, username TEXT, password_hash TEXT);
             INSERT INTO user VALUES ('1', 'ann', '{HASH}');
             INSERT INTO session VALUES ('{}', '1', x'00', 1800000000);",
            token("a")
        ),
    );
    let report = it.done(NOW);
    assert_eq!(counts(&report, "sessions"), (0, 0));
    assert!(report["sessions"]["left_out"].to_string().contains("SHA-256"), "{report}");
    assert_eq!(sign_in(&mut it.visit(NOW), "ann", "open sesame"), 302);
}

#[test]
fn obeys_bans_and_their_ends() {
    let it = with_tables(
        better_auth(),
        &format!(
            "CREATE TABLE user (id TEXT, email TEXT, emailVerified INTEGER, username TEXT,
                                banned INTEGER, banReason TEXT, banExpires DATE);
             CREATE TABLE account (providerId TEXT, accountId TEXT, userId TEXT, password TEXT);
             INSERT INTO user VALUES ('1', 'a@x', 1, 'anna', 1, 'spam', '2026-11-28T08:42:15.000Z'),
                ('2', 'b@x', 1, 'bert', 1, 'spam', '2026-11-28T08:42:16.000Z'),
                ('3', 'c@x', 1, 'carl', 1, NULL, NULL), ('4', 'd@x', 1, 'dora', 1, 'x', 'soon'),
                ('5', 'e@x', 1, 'eve', 0, 'old', '2030-01-01'), ('6', 'f@x', 1, 'fay', 'maybe', '', NULL);
             INSERT INTO account SELECT 'credential', id, id, '{HASH}' FROM user;"
        ),
    );
    let report = it.done(NOW);
    assert_eq!(
        told(&report),
        [
            "anna ban_ended",
            "bert ban_with_end",
            "carl disabled",
            "dora ban_with_end",
            "fay disabled"
        ]
    );
    let shut_out = it.texts(
        "SELECT username || ': ' || disabled_reason FROM user WHERE disabled_at IS NOT NULL
          ORDER BY id",
    );
    assert_eq!(
        shut_out,
        [
            "bert: spam (until 2026-11-28 08:42 UTC)",
            "carl: banned",
            "dora: x",
            "fay: its banned is neither yes nor no: maybe"
        ]
    );
    let mut visit = it.visit(NOW);
    for (name, status) in [("anna", 302), ("bert", 400), ("carl", 400), ("dora", 400), ("eve", 302)]
    {
        assert_eq!(sign_in(&mut visit, name, "open sesame"), status, "{name}");
    }
}

#[test]
fn lets_no_user_in_whom_any_source_disables() {
    for (column, out, into) in [
        ("banned", "1", "0"),
        ("is_disabled", "'true'", "'false'"),
        ("disabledAt", "'2026-01-01'", "NULL"),
        ("deleted_at", "1767323045", "NULL"),
        ("is_active", "0", "1"),
        ("enabled", "'no'", "NULL"),
        ("banned_until", "'2027-01-01'", "'2026-01-01'"),
    ] {
        let users = format!(
            "CREATE TABLE user (id TEXT, username TEXT, password_hash TEXT, {column});
             INSERT INTO user VALUES ('1', 'ann', '{HASH}', {out}), ('2', 'bob', '{HASH}', {into});"
        );
        for it in [
            with_tables(lucia_v3(), &format!("{V3}{users}")),
            with_tables(
                lucia(None),
                &format!(
                    "{V2}{users} INSERT INTO user_key SELECT 'username:' || username, id, '{HASH}' FROM user"
                ),
            ),
        ] {
            let report = it.done(NOW);
            let disabled = it.texts("SELECT id FROM user WHERE disabled_at IS NOT NULL");
            assert_eq!(disabled, ["1"], "{column}: {report}");
            assert!(told(&report)[0].starts_with("ann "), "{column}");
        }
    }
}

#[test]
fn names_the_columns_that_it_takes_for_secrets_and_keeps_all_others() {
    let it = with_tables(
        lucia_v3(),
        &format!(
            "{V3} CREATE TABLE user (id, username, password_hash, hashtag, token_balance, secretary,
                                     api_token, nick);
             INSERT INTO user VALUES ('1', 'ann', '{HASH}', '#a', 7, 'bob', 'opaque', '{HASH}'),
                ('2', 'bob', '{HASH}', NULL, NULL, NULL, '', 'Bob');"
        ),
    );
    let report = it.done(NOW);
    assert_eq!(report["secret_columns"], json!({ "api_token": 1, "nick": 1 }));
    let kept: Value =
        serde_json::from_str(&it.texts("SELECT attributes FROM user ORDER BY id")[0]).unwrap();
    assert_eq!(kept, json!({ "hashtag": "#a", "token_balance": 7, "secretary": "bob" }));
    let mut again: Move = it;
    again.order.json = false;
    let text = again.run(NOW).unwrap().report;
    assert!(text.contains("left      1 value of the column api_token"), "{text}");
}
