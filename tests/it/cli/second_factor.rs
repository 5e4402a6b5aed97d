//! What an operator sees and does about the second factors of users.

use std::path::Path;
use std::time::SystemTime;

use rusqlite::{Connection, params};
use serde_json::{Value, json};
use vestibule::base::clock::Moment;
use vestibule::base::recovery_code::RecoveryCode;
use vestibule::base::sealing::{SealingKey, StoredSecret};
use vestibule::base::totp::{TimeStep, TotpSecret};

use super::admin::{refusal, run, said};
use crate::binary::{Answer, Binary, vestibule};

/// A database of a test, opened beside the server.
pub fn raw(folder: &Path) -> Connection {
    Connection::open(folder.join("test.db")).unwrap()
}

/// The id of the user with this canonical name.
pub fn id_of(folder: &Path, name: &str) -> String {
    let sql = "SELECT id FROM user WHERE canonical_username = ?1";
    raw(folder).query_row(sql, [name], |row| row.get(0)).unwrap()
}

/// Gives a user an authenticator app with this secret, sealed if there is a key, and two recovery codes.
pub fn give_app(folder: &Path, name: &str, secret: &TotpSecret, key: Option<&SealingKey>) {
    let id = id_of(folder, name);
    let stored = StoredSecret::new(secret, &id, key);
    let raw = raw(folder);
    raw.execute("UPDATE user SET second_factor_since = 1000 WHERE id = ?1", [&id]).unwrap();
    raw.execute("INSERT INTO totp VALUES (?1, ?2, 1, 1000)", params![id, stored.as_stored()])
        .unwrap();
    for _ in 0..2 {
        let hash = RecoveryCode::random().hash();
        let row = params![hash.as_bytes(), id];
        raw.execute("INSERT INTO recovery_code VALUES (?1, ?2, 1000)", row).unwrap();
    }
}

/// The code that an app with this secret shows now.
pub fn code_now(secret: &TotpSecret) -> String {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let now = Moment::from_millis(i64::try_from(since).unwrap());
    secret.code_at(TimeStep::of(now)).reveal()
}

/// Signs in with password and code at once, as a script may.
pub fn sign_in_with(server: &Binary, name: &str, code: &str) -> Answer {
    server.post("/login", &format!("username={name}&password=correct+horse&code={code}"), None)
}

fn shown(folder: &Path) -> Value {
    serde_json::from_str(&said(&run(folder, &["user", "show", "anna", "--json"], ""))).unwrap()
}

#[test]
fn shows_the_second_factor_of_a_user() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = Binary::start(folder, &[]);
    server.sign_up("anna");
    let told = || said(&run(folder, &["user", "show", "anna"], ""));
    assert!(told().contains("second factor    none\n"), "{}", told());
    assert_eq!((&shown(folder)["second_factor_since"]), (&Value::Null));

    give_app(folder, "anna", &TotpSecret::random(), None);
    raw(folder).execute("UPDATE device SET second_at = 1000", []).unwrap();
    for _ in 0..7 {
        sign_in_with(&server, "anna", "000000");
    }
    let told = told();
    for line in [
        "second factor    since 1970-01-01T00:00:01.000Z\n",
        "  apps           1\n",
        "  recovery codes 2 left\n",
        "  remembered in  1 browser\n",
        "  wrong codes    6; the next one has to wait 1 s\n",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let shown = shown(folder);
    for (name, value) in [
        ("second_factor_since", json!("1970-01-01T00:00:01.000Z")),
        ("authenticator_apps", json!(1)),
        ("recovery_codes_left", json!(2)),
        ("remembered_browsers", json!(1)),
        ("failed_codes", json!(6)),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
    said(&run(folder, &["user", "unlock", "anna"], ""));
    assert_eq!(self::shown(folder)["failed_codes"], 0);
}

#[test]
fn turns_the_second_factor_of_a_user_off_who_has_lost_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = Binary::start(folder, &[]);
    server.sign_up("anna");
    let secret = TotpSecret::random();
    give_app(folder, "anna", &secret, None);
    said(&run(folder, &["user", "email", "anna", "anna@example.com"], ""));
    let cookie = sign_in_with(&server, "anna", &code_now(&secret)).cookie().unwrap();
    assert!(server.is_signed_in(&cookie));
    let password = "username=anna&password=correct+horse";
    let waits = server.post("/login", password, None);
    assert_eq!(waits.value("Location"), Some("/login/second"));

    let off = ["user", "second-factor", "ANNA", "off", "--language", "de"];
    let told = said(&run(folder, &off, ""));
    assert!(told.starts_with("the second factor of anna is off"), "{told}");
    assert!(told.contains("ended") && told.contains("anna@example.com is not told"), "{told}");
    assert!(!server.is_signed_in(&cookie));
    assert_eq!(server.post("/login", password, None).value("Location"), Some("/"));
    assert_eq!(shown(folder)["recovery_codes_left"], 0);

    let records = said(&run(folder, &["audit", "--event", "second_factor_off", "--json"], ""));
    assert!(records.contains("by=") && records.contains("\"anna\""), "{records}");

    let again: Value =
        serde_json::from_str(&said(&run(folder, &[&off[..], &["--json"]].concat(), ""))).unwrap();
    assert_eq!((&again["changed"], &again["sessions_ended"]), (&json!(false), &json!(0)));
    assert!(
        letters(folder).is_empty(),
        "it would wait until a server sends mail: old news by then"
    );
}

/// The mails that wait.
pub fn letters(folder: &Path) -> Vec<String> {
    let raw = raw(folder);
    let sql = "SELECT kind || ' ' || language || ' ' || address FROM mail";
    let mut found = raw.prepare(sql).unwrap();
    found.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[cfg(feature = "mail")]
#[test]
fn has_a_user_told_of_it_by_mail_unless_the_last_server_to_start_sends_no_notices() {
    let mail =
        ["--mail-command=/bin/true", "--mail-from=a@example.com", "--origin=https://a.example"];
    for (flags, is_told) in [
        (None, true),
        (Some(vec![]), false),
        (Some([&mail[..], &["--notices=off"]].concat()), false),
        (Some(mail.to_vec()), true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        said(&run(folder, &["user", "add", "anna", "--no-password"], ""));
        said(&run(folder, &["user", "email", "anna", "anna@example.com"], ""));
        if let Some(flags) = &flags {
            Binary::start(folder, flags).stop();
        }
        give_app(folder, "anna", &TotpSecret::random(), None);
        let off = ["user", "second-factor", "anna", "off", "--json"];
        let data: Value = serde_json::from_str(&said(&run(folder, &off, ""))).unwrap();
        assert_eq!(
            (&data["changed"], &data["mailed"]),
            (&json!(true), &json!(is_told)),
            "{flags:?}"
        );
        let expected = ["second_factor_off en anna@example.com"];
        assert_eq!(letters(folder), expected[..usize::from(is_told)], "{flags:?}");
    }
}

#[test]
fn takes_second_factors_along_when_users_are_exported_and_imported() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for name in ["one", "two"] {
        said(&vestibule(&["key", "new", &path(name)]).output().unwrap());
    }
    let key = SealingKey::read_file(&folder.path().join("one")).ok().unwrap();
    let server = Binary::start(old.path(), &[]);
    server.sign_up("anna");
    let secret = TotpSecret::random();
    give_app(old.path(), "anna", &secret, Some(&key));
    server.stop();
    let flags = [format!("--seal-key-file={}", path("one")), path("people")];
    let export = ["export", "--sessions", &flags[1]];
    let told = refusal(&run(old.path(), &export, ""));
    assert!(told.contains("no key is given: set --seal-key-file"), "{told}");
    said(&run(old.path(), &[&export[..], &[&flags[0]]].concat(), ""));
    let other = format!("--seal-key-file={}", path("two"));
    said(&run(new.path(), &["import", "vestibule", &path("people"), &other], ""));

    let rows = |folder: &Path| {
        let sql = "SELECT hex(recovery_code.id) || second_factor_since || last_step
                     FROM recovery_code JOIN user ON user.id = recovery_code.user_id
                          JOIN totp ON totp.user_id = user.id ORDER BY 1";
        let raw = raw(folder);
        let mut statement = raw.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>()
    };
    assert_eq!(rows(old.path()).len(), 2);
    assert_eq!(rows(new.path()), rows(old.path()));
    let stored: Vec<u8> =
        raw(new.path()).query_row("SELECT secret FROM totp", [], |row| row.get(0)).unwrap();
    assert!(StoredSecret::from_stored(stored).is_sealed());
    let server = Binary::start(new.path(), &[&other]);
    assert_eq!(sign_in_with(&server, "anna", "123456").status, 400);
    assert_eq!(sign_in_with(&server, "anna", &code_now(&secret)).status, 302);
}
