//! People who come over from Lucia v3 and from better-auth.
//!
//! `data/lucia-v3/` holds databases that Lucia 3.2.2 wrote, and what is in them; `data/better-auth/`
//! those of better-auth 1.7.25.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use vestibule::base::clock::Moment;
use vestibule::base::sealing::SealingKey;
use vestibule::base::token::hex;
use vestibule::cli::import::Source;
use vestibule::cli::import::foreign_db::{ColumnChoice, NameSource, TableNames};

use crate::binary::vestibule;
use crate::cli::import::{Move, counts, raw, sign_in};
use crate::visit::body;

/// When people come over, where the test says nothing else.
const NOW: Moment = Moment::from_millis(1_000_000);

pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

pub fn manifest(folder: &str) -> Value {
    let text = fs::read_to_string(data(folder).join("manifest.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A minute after the fixtures were made.
pub fn then(manifest: &Value) -> Moment {
    let made = Moment::from_millis(manifest["created_at_ms"].as_i64().unwrap());
    made.after(Duration::from_secs(60))
}

pub fn names(pairs: &[(&str, &str)]) -> TableNames {
    let pairs = pairs.iter().map(|(what, name)| ((*what).to_owned(), (*name).to_owned()));
    TableNames(pairs.collect())
}

/// With this column for the sign-in name.
pub fn named_by(username: Option<&str>) -> ColumnChoice {
    let username = username.map(|it| NameSource::parse(it).unwrap());
    ColumnChoice { username, hash: None }
}

pub fn lucia_v3() -> Source {
    Source::LuciaV3 { tables: TableNames::default(), columns: ColumnChoice::default() }
}

pub fn better_auth() -> Source {
    Source::BetterAuth {
        tables: TableNames::default(),
        columns: ColumnChoice::default(),
        secret: None,
        rp_id: None,
    }
}

/// Out of a database with these tables.
pub fn with_tables(source: Source, sql: &str) -> Move {
    let mut it = Move::from(source, PathBuf::new());
    it.order.file = it.folder.path().join("theirs.db");
    Connection::open(&it.order.file).unwrap().execute_batch(sql).unwrap();
    it
}

/// Out of a database that is there, into a new one.
pub fn with_file(source: Source, file: &Path) -> Move {
    Move::from(source, file.to_owned())
}

/// A move for each database of a manifest, its users, and when it is made.
fn moves(folder: &str, source: fn() -> Source) -> Vec<(Move, Vec<Value>, Moment)> {
    let manifest = manifest(folder);
    let databases = manifest["databases"].as_array().unwrap().iter();
    let all = databases.map(|it| {
        let file = data(folder).join(it["file"].as_str().unwrap());
        (Move::from(source(), file), it["users"].as_array().unwrap().clone(), then(&manifest))
    });
    all.collect()
}

/// What is to be seen of every user, whatever they come from.
fn comes_over(it: Move, users: &[Value], now: Moment) -> Move {
    it.done(now);
    let before = it.rows();
    let count = users.len() as u64;
    assert_eq!(counts(&it.done(now.after(Duration::from_secs(5))), "users"), (0, count));
    assert!(it.rows() == before, "a second run changes nothing");
    for user in users {
        let id = user["id"].as_str().unwrap();
        let row = |column: &str| {
            it.texts(&format!("SELECT {column} FROM user WHERE id = '{id}'")).pop().unwrap()
        };
        assert_eq!(row("username"), user["username"]);
        let is_verified = user["email_verified"] == true && user["email"] != "not an address";
        let (email, attributes) = (row("email"), row("attributes"));
        let attributes: Value = serde_json::from_str(&attributes).unwrap();
        if is_verified {
            assert_eq!(
                (email.as_str(), attributes.get("email")),
                (user["email"].as_str().unwrap(), None)
            );
        } else {
            assert_eq!(email, "");
            assert_eq!(attributes.get("email").unwrap_or(&Value::Null), &user["email"]);
        }
        assert!(!attributes.to_string().contains("password"), "{attributes}");
        let keys = it.texts(&format!("SELECT id FROM user_key WHERE user_id = '{id}' ORDER BY id"));
        let name = user["username"].as_str().unwrap().to_lowercase();
        let own = user["password"].is_string().then(|| format!("username:{name}"));
        let other = user["oauth"].as_str().map(str::to_owned);
        assert_eq!(keys, other.into_iter().chain(own).collect::<Vec<_>>());
    }
    it
}

/// All users sign in with their password, and have a hash of ours then.
fn sign_in_all(it: Move, users: &[Value], now: Moment) {
    let mut visit = it.visit(now);
    for user in users.iter().filter(|user| user["password"].is_string()) {
        let [id, name, password] =
            ["id", "username", "password"].map(|field| user[field].as_str().unwrap());
        assert_eq!(sign_in(&mut visit, name, "not it"), 400, "{name}");
        assert_eq!(sign_in(&mut visit, name, password), 302, "{name}");
        assert!(body(&visit.get("/")).contains(id), "{name}");
        assert_eq!(sign_in(&mut visit, &name.to_uppercase(), password), 302, "{name}");
    }
    let sql = "SELECT count(*) FROM user_key
                WHERE hashed_password NOT LIKE '$argon2id$%'";
    assert_eq!(raw(&visit).query_row(sql, [], |row| row.get(0)), Ok(0));
}

#[test]
fn brings_people_over_from_lucia_v3_and_signs_them_in_with_their_passwords() {
    for (it, users, now) in moves("lucia-v3", lucia_v3) {
        let it = comes_over(it, &users, now);
        assert!(it.texts("SELECT detail FROM audit")[0].starts_with("from=lucia-v3 users="));
        sign_in_all(it, &users, now);
    }
}

#[test]
fn keeps_people_of_lucia_v3_signed_in_and_sends_their_cookie_again() {
    for (it, users, now) in moves("lucia-v3", lucia_v3) {
        let report = it.done(now);
        let sessions = users.iter().flat_map(|user| user["sessions"].as_array().unwrap());
        let live = sessions.filter(|it| it["state"] == "live").count() as u64;
        assert_eq!(counts(&report, "sessions"), (live, 0));
        assert_eq!(report["dead_sessions"], 1 + u64::from(users.len() > 2));
        let mut visit = it.visit(now.after(Duration::from_millis(1)));
        for user in &users {
            for session in user["sessions"].as_array().unwrap() {
                let is_live = session["state"] == "live";
                visit.cookie = Some(format!("auth_session={}", session["id"].as_str().unwrap()));
                let answer = visit.get("/");
                assert_eq!(answer.status, if is_live { 200 } else { 302 });
                if is_live {
                    assert!(body(&answer).contains(user["id"].as_str().unwrap()));
                    let sent = answer.value("Set-Cookie").unwrap();
                    assert!(sent.contains(session["id"].as_str().unwrap()), "it is renewed");
                }
            }
        }
    }
}

#[test]
fn reads_seconds_and_the_milliseconds_of_prisma() {
    let token = |name: &str| name.chars().cycle().take(40).collect::<String>();
    let it = with_tables(
        lucia_v3(),
        &format!(
            "CREATE TABLE User (id TEXT, username TEXT, passwordHash TEXT);
             CREATE TABLE Session (id TEXT, userId TEXT, expiresAt DATETIME);
             CREATE TABLE Code (id TEXT, userId TEXT, expiresAt DATETIME, code TEXT);
             INSERT INTO User VALUES ('1', 'ann', 's2:x:y');
             INSERT INTO Session VALUES ('{}', '1', 253403000), ('{}', '1', 253402300800),
               ('{}', '1', 253402300799), ('{}', '1', '1973-01-01'), ('{}', 'nobody', 253403000),
               ('short', '1', 253403000);",
            token("a"),
            token("b"),
            token("c"),
            token("d"),
            token("e")
        ),
    );
    // Shortly before the first milliseconds that are read; one less are the last seconds.
    let report = it.done(Moment::from_millis(253_402_000_000));
    assert_eq!((counts(&report, "sessions"), &report["dead_sessions"]), ((3, 0), &1.into()));
    let left_out = &report["sessions"]["left_out"];
    assert_eq!((&left_out["of no user"], left_out.as_object().unwrap().len()), (&1.into(), 2));
    let ends =
        "SELECT active_expires || ' ' || idle_expires FROM user_session ORDER BY idle_expires";
    assert_eq!(
        it.texts(ends),
        ["253402000000 253402300800", "253402000000 253403000000", "253402000000 255994000000"],
        "none is good for more than 30 days"
    );
    // A day before these milliseconds, which are read as such.
    let raw = Connection::open(&it.order.file).unwrap();
    raw.execute_batch("DELETE FROM Session WHERE expiresAt <> 253402300800").unwrap();
    let now = Moment::from_millis(253_315_900_800);
    let report = with_file(lucia_v3(), &it.order.file).done(now);
    assert_eq!(counts(&report, "sessions"), (1, 0));
}

pub const V3: &str = "CREATE TABLE session (id TEXT, user_id TEXT, expires_at INTEGER);";

#[test]
fn finds_the_tables_of_lucia_v3_or_says_which_it_cannot_tell() {
    let user = "CREATE TABLE user (id TEXT, email TEXT, nick TEXT, hashed_password TEXT);
                INSERT INTO user VALUES ('1', 'ann@x', 'Annie', NULL);";
    let members = "CREATE TABLE member (id TEXT, email TEXT, nick TEXT);
                   INSERT INTO member VALUES ('7', 'ann@x', 'Annie');";
    for (tables, named, cause) in [
        ("CREATE TABLE notes (id, text);".to_owned(), vec![], "it is not of Lucia v3"),
        (user.to_owned(), vec![], "--tables session= says so"),
        (V3.to_owned(), vec![], "no table holds the users of session"),
        (format!("{V3}{}", V3.replace("session", "s2")), vec![], "s2 and session both"),
        (format!("{V3}{user}"), vec![("session", "user")], "has not the columns"),
        (format!("{V3}{user}"), vec![("user", "none")], "no table none"),
        (
            "CREATE TABLE user (id, username); CREATE TABLE k (id, user_id, hashed_password);
             CREATE TABLE s (id, user_id, active_expires, idle_expires);"
                .to_owned(),
            vec![],
            "of Lucia v2",
        ),
    ] {
        let tables = with_tables(
            Source::LuciaV3 { tables: names(&named), columns: ColumnChoice::default() },
            &tables,
        );
        let Err(said) = tables.run(NOW) else { panic!("{cause}") };
        assert!(said.contains(cause) && !said.contains('\n'), "{said}");
        assert!(!tables.order.database.file().unwrap().exists());
    }
    for (tables, named, username, shown) in [
        (format!("{V3}{user}"), vec![], None, "ann@x"),
        (user.to_owned(), vec![("session", "")], Some("nick"), "Annie"),
        (format!("{V3}{members}"), vec![("user", "member")], Some("nick"), "Annie"),
    ] {
        let source = Source::LuciaV3 { tables: names(&named), columns: named_by(username) };
        let it = with_tables(source, &tables);
        assert_eq!(counts(&it.done(NOW), "users"), (1, 0));
        assert_eq!(it.texts("SELECT username FROM user"), [shown]);
        assert!(it.texts("SELECT attributes FROM user")[0].contains("\"email\":\"ann@x\""));
    }
    let source = Source::LuciaV3 { tables: names(&[]), columns: named_by(Some("nick2")) };
    let said = with_tables(source, &format!("{V3}{user}")).run(NOW).err().unwrap();
    assert!(said.contains("no column nick2"), "{said}");
}

#[test]
fn keeps_no_secret_of_lucia_v3_as_an_attribute() {
    let it = with_tables(
        lucia_v3(),
        &format!(
            "{V3} CREATE TABLE user (id, username, password_hash, totp_secret, old_password, age);
             INSERT INTO user VALUES ('1', 'ann', NULL, 'a', 'b', 7), ('2', 'bob', NULL, 'a', 'b', 8);"
        ),
    );
    let report = it.done(NOW);
    assert_eq!(it.texts("SELECT attributes FROM user ORDER BY id")[0], "{\"age\":7}");
    assert_eq!(report["secret_columns"], json!({ "totp_secret": 2, "old_password": 2 }));
}

#[test]
fn takes_an_address_of_lucia_v3_that_was_verified_alone() {
    let it = with_tables(
        lucia_v3(),
        &format!(
            "{V3} CREATE TABLE user (id, username, password_hash, email, email_verified);
             INSERT INTO user VALUES ('1', 'a', NULL, 'a@x', 1), ('2', 'b', NULL, 'b@x', 0),
               ('3', 'c', NULL, 'c@x', 'false'), ('4', 'd', NULL, 'd@x', '2026-01-01'),
               ('5', 'e', NULL, 'e@x', NULL), ('6', 'f', NULL, 'x', 1), ('7', 'g', NULL, NULL, 1);"
        ),
    );
    it.done(NOW);
    assert_eq!(it.texts("SELECT email FROM user WHERE email <> '' ORDER BY id"), ["a@x", "d@x"]);
    let last = it.texts("SELECT attributes FROM user WHERE id = '6'");
    assert_eq!(serde_json::from_str::<Value>(&last[0]).unwrap()["email"], json!("x"));
}

#[test]
fn refuses_users_of_lucia_v3_who_cannot_come_over() {
    let long = "x".repeat(32);
    let mut it = with_tables(
        lucia_v3(),
        &format!(
            "{V3} CREATE TABLE user (id, username, email, password_hash);
             CREATE TABLE oauth_account (provider_id, provider_user_id, user_id);
             INSERT INTO user VALUES ('1', 'Ann', NULL, NULL), ('2', 'ANN', NULL, NULL),
               ('3', '{long}', NULL, NULL), ('4', '', NULL, NULL), ('5', 'eve', NULL, NULL),
               ('6', 'fay', NULL, NULL), ('7', 'zoe', NULL, 'x');
             INSERT INTO oauth_account VALUES ('a:b', 'x', '5'), ('github', '1', '6'), ('github', '1', '7');"
        ),
    );
    let report = it.refused();
    let whys = report["conflicts"].to_string();
    assert_eq!(report["conflicts"].as_array().unwrap().len(), 7);
    for why in ["the name ann", "more than 31", "no name", "without a provider", "github:1"] {
        assert!(whys.contains(why), "{whys}");
    }
    it.order.skip_conflicts = true;
    assert_eq!(counts(&it.done(NOW), "users"), (0, 0));
}

#[test]
fn brings_people_over_from_better_auth_and_signs_them_in_with_their_passwords() {
    for (it, users, now) in moves("better-auth", better_auth) {
        let it = comes_over(it, &users, now);
        assert!(it.texts("SELECT detail FROM audit")[0].starts_with("from=better-auth users=4"));
        assert_eq!(it.texts("SELECT id FROM user_key WHERE hashed_password IS NOT NULL").len(), 3);
        it.raw().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        let bytes = fs::read(it.order.database.file().unwrap()).unwrap();
        let tokens = bytes.windows(15).filter(|it| *it == b"an access token").count();
        assert_eq!(tokens, 0, "what opens an account elsewhere stays there");
        sign_in_all(it, &users, now);
    }
}

#[test]
fn counts_the_sessions_of_better_auth_that_stay_behind() {
    let all = manifest("better-auth");
    let expected = all["databases"].as_array().unwrap().iter().map(|it| &it["sessions"]);
    for ((it, _, now), sessions) in moves("better-auth", better_auth).into_iter().zip(expected) {
        let report = it.done(now);
        assert_eq!(counts(&report, "sessions"), (0, 0));
        let left_out = report["sessions"]["left_out"].as_object().unwrap();
        assert_eq!(left_out.values().collect::<Vec<_>>(), [sessions]);
        assert!(left_out.keys().next().unwrap().contains("sign in again"));
        assert_eq!(
            report["tables"],
            json!({"user": "user", "account": "account", "session": "session", "passkey": null})
        );
    }
}

const USERS: &str = "
    CREATE TABLE members (id, name, email, email_verified, username, nick);
    CREATE TABLE accounts (id, account_id, provider_id, user_id, password);
    INSERT INTO members VALUES ('1', 'A', 'ann@x', 1, 'ann', 'Annie'), ('2', 'B', 'bob@x', 0, NULL, 'Bob');
    INSERT INTO accounts VALUES ('a', '1', 'credential', '1', NULL), ('b', '7', 'github', '2', NULL),
      ('c', '8', 'github', 'nobody', NULL);";

#[test]
fn finds_the_tables_of_better_auth_under_other_names_and_takes_another_column_for_the_name() {
    let it = with_tables(better_auth(), USERS);
    let report = it.done(NOW);
    assert_eq!((counts(&report, "users"), counts(&report, "keys")), ((2, 0), (2, 0)));
    assert_eq!(report["keys"]["left_out"]["of no user"], 1);
    assert_eq!(it.texts("SELECT username FROM user ORDER BY id"), ["ann", "bob@x"]);
    for (username, shown) in [("nick", ["Annie", "Bob"]), ("email", ["ann@x", "bob@x"])] {
        let tables = names(&[("user", "members"), ("account", "accounts"), ("session", "")]);
        let source = Source::BetterAuth {
            tables,
            columns: named_by(Some(username)),
            secret: None,
            rp_id: None,
        };
        let it = with_tables(source, USERS);
        it.done(NOW);
        assert_eq!(it.texts("SELECT username FROM user ORDER BY id"), shown);
        assert_eq!(it.texts("SELECT email FROM user ORDER BY id"), ["ann@x", ""]);
        let first = it.texts("SELECT attributes FROM user ORDER BY id");
        assert_eq!(serde_json::from_str::<Value>(&first[0]).unwrap()["username"], "ann");
    }
    let source = Source::BetterAuth {
        tables: names(&[]),
        columns: named_by(Some("username")),
        secret: None,
        rp_id: None,
    };
    let report = with_tables(source, USERS).refused();
    assert_eq!(
        report["conflicts"][0]["why"], "has no name; --rename FILE gives one by the id",
        "no other column is taken unasked"
    );
}

#[test]
fn refuses_what_is_no_database_of_better_auth() {
    for (sql, cause) in [
        ("CREATE TABLE notes (id, text);", "it is not of better-auth"),
        (&USERS.replace("email_verified", "verified"), "it is not of better-auth"),
        (
            &USERS.replace(
                "CREATE TABLE accounts",
                "CREATE TABLE a2 (accountId, providerId, userId, password);
            CREATE TABLE accounts",
            ),
            "a2 and accounts both",
        ),
    ] {
        let it = with_tables(better_auth(), sql);
        let said = it.run(NOW).err().unwrap();
        assert!(said.contains(cause) && !said.contains('\n'), "{said}");
        assert!(!it.order.database.file().unwrap().exists());
    }
    for (folder, file) in [("lucia-v3", "lucia-v3.db"), ("lucia", "lucia-v2.db")] {
        let it = Move::from(better_auth(), data(folder).join(file));
        assert!(it.run(NOW).err().unwrap().contains("not of better-auth"));
    }
    let it = Move::from(lucia_v3(), data("better-auth").join("better-auth.db"));
    assert!(it.run(NOW).err().unwrap().contains("not of Lucia v3"));
    let it = Move::from(lucia_v3(), data("lucia").join("lucia-v2.db"));
    assert!(it.run(NOW).err().unwrap().contains("of Lucia v2"));
}

#[test]
fn refuses_a_file_of_any_source_that_is_cut_short() {
    for (source, path) in [
        (lucia_v3 as fn() -> Source, data("lucia-v3").join("lucia-v3.db")),
        (better_auth, data("better-auth").join("better-auth.db")),
    ] {
        let whole = fs::read(path).unwrap();
        let mut it = Move::from(source(), PathBuf::new());
        it.order.file = it.folder.path().join("bad.db");
        for length in [0, 99, 4_096, whole.len() - 1] {
            fs::write(&it.order.file, &whole[..length]).unwrap();
            let said = it.run(NOW).err().unwrap();
            assert!(said.contains("bad.db") && !said.contains('\n'), "{said}");
            assert!(!it.order.database.file().unwrap().exists());
        }
    }
}

#[test]
fn names_tables_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("test.db");
    let fixture = data("lucia-v3").join("lucia-v3-passwords.db");
    let run = |tables: &str| {
        let file = fixture.to_str().unwrap();
        let database = database.to_str().unwrap();
        let words = [
            "import",
            "lucia-v3",
            file,
            "--tables",
            tables,
            "--username",
            "email",
            "--database",
            database,
        ];
        crate::binary::vestibule(&words).output().unwrap().status.code()
    };
    assert_eq!(run("user=app_user, session=,password=password"), Some(0));
    for bad in ["app_user", "users=app_user", "user=a,user=b", ""] {
        assert_eq!(run(bad), Some(2), "{bad}");
    }
}

#[test]
fn disables_banned_users_and_tells_of_every_table_that_it_does_not_read() {
    let it = with_tables(
        better_auth(),
        "CREATE TABLE user (id TEXT, email TEXT, emailVerified INTEGER, username TEXT, createdAt DATE,
                            banned INTEGER, banReason TEXT);
         CREATE TABLE account (providerId TEXT, accountId TEXT, userId TEXT, password TEXT);
         CREATE TABLE twoFactor (id TEXT, secret TEXT, userId TEXT);
         CREATE TABLE passkey (id TEXT, userId TEXT);
         INSERT INTO user VALUES ('1', 'a@b.c', 1, 'anna', '2026-01-02T03:04:05.678Z', 1, 'spam'),
                                 ('2', 'd@e.f', 1, 'bert', 1767323045, 0, NULL);
         INSERT INTO twoFactor VALUES ('x', 'y', '1');",
    );
    let now = Moment::from_millis(1_795_855_335_000);
    let report = it.done(now);
    assert_eq!(report["left_behind"], json!({ "twoFactor": 1 }));
    let users = "SELECT username || ' ' || created_at || ' ' || ifnull(disabled_at, '-') || ' ' ||
                   disabled_reason FROM user ORDER BY id";
    let expected = ["anna 1767323045678 1795855335000 spam", "bert 1767323045000 - "];
    assert_eq!(it.texts(users), expected);
}

#[test]
fn takes_no_word_for_true_that_is_not_known_to_be() {
    for (word, is_true) in [
        ("1", true),
        ("'true'", true),
        ("'t'", true),
        ("'2026-01-02 03:04:05'", true),
        ("1767323045678", true),
        ("0", false),
        ("NULL", false),
        ("'f'", false),
        ("'no'", false),
        ("'False '", false),
        ("'0.0'", false),
        ("'null'", false),
        ("''", false),
    ] {
        let it = with_tables(
            lucia_v3(),
            &format!(
                "{V3} CREATE TABLE user (id TEXT, username TEXT, password_hash TEXT, email TEXT,
                                         email_verified);
                 INSERT INTO user VALUES ('1', 'anna', NULL, 'a@b.c', {word});"
            ),
        );
        it.done(NOW);
        let expected = if is_true { "a@b.c" } else { "" };
        assert_eq!(it.texts("SELECT email FROM user"), [expected], "{word}");
    }
}

#[test]
fn says_in_one_clean_line_what_is_wrong_with_a_hostile_file() {
    let it = with_tables(
        lucia_v3(),
        "CREATE TABLE \"a\u{1b}[2J\n b\" (id TEXT, user_id TEXT, expires_at INTEGER);
         CREATE TABLE session (id TEXT, user_id TEXT, expires_at INTEGER);",
    );
    let mut command = vestibule(&["import", "lucia-v3"]);
    let output = command.arg(&it.order.file).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && told.lines().count() == 1, "{told}");
    assert!(!told.contains('\u{1b}') && told.contains("\u{fffd}[2J"), "{told}");
}

#[test]
fn brings_over_the_apps_of_better_auth_that_are_verified_and_turned_on() {
    // As `symmetricEncrypt` of better-auth writes it.
    let key = SealingKey::of_text("a better secret");
    let stored = |secret: &str, before: &str| {
        let sealed = key.seal(secret.as_bytes(), b"");
        before.to_owned() + &hex(&sealed)
    };
    let secret = "abcdefghijklmnopqrstuvwxyzABCDEF";
    let tables = format!(
        "CREATE TABLE user (id, email, emailVerified, username, twoFactorEnabled);
         CREATE TABLE account (providerId, accountId, userId, password);
         CREATE TABLE twoFactor (id, secret, backupCodes, userId, verified);
         INSERT INTO user VALUES ('1', 'a@x', 1, 'anna', 1), ('2', 'b@x', 1, 'bert', 1),
           ('3', 'c@x', 1, 'carl', 0), ('4', 'd@x', 1, 'dora', 1), ('5', 'e@x', 1, 'emil', 1);
         INSERT INTO account SELECT 'credential', id, id, 'x' FROM user;
         INSERT INTO twoFactor VALUES ('a', '{0}', '', '1', 1), ('b', '{1}', '', '2', 1),
           ('c', '{0}', '', '3', 1), ('d', '{0}', '', '4', 0), ('e', 'ff', '', '5', 1);",
        stored(secret, ""),
        stored(secret, "$ba$2$"),
    );
    let with = |secret: Option<&str>| {
        let (tables, columns) = (TableNames::default(), ColumnChoice::default());
        Source::BetterAuth { tables, columns, secret: secret.map(str::to_owned), rp_id: None }
    };
    let it = with_tables(with(Some("a better secret")), &tables);
    let report = it.done(NOW);
    assert_eq!(report["second_factors"]["imported"], 2);
    assert_eq!(report["left_behind"], json!({}));
    assert!(report["people"].to_string().contains("second_factor_left_out"), "{report}");
    let found = "SELECT user_id || substr(secret, 2) FROM totp ORDER BY 1";
    assert_eq!(it.texts(found), [format!("1{secret}"), format!("2{secret}")]);

    let it = with_tables(with(None), &tables);
    assert_eq!(it.done(NOW)["left_behind"], json!({ "twoFactor": 5 }));
    assert_eq!(it.texts("SELECT user_id FROM totp"), [""; 0]);
    let it = with_tables(with(Some("another")), &tables);
    let told = it.done(NOW);
    assert_eq!(told["second_factors"]["imported"], 0);
    assert!(told["people"].to_string().contains("--secret-file does not open it"), "{told}");
}
