//! Keys that seal secrets, and the files they are kept in.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Output, Stdio};

use rusqlite::params;
use tempfile::TempDir;
use vestibule::base::sealing::{SealingKey, StoredSecret};
use vestibule::base::totp::TotpSecret;

use super::copy::{refusal, said};
use super::second_factor::{code_now, give_app, id_of, raw, sign_in_with};
use crate::binary::{Binary, vestibule};

#[test]
fn makes_a_key_in_a_file_of_its_own_that_no_other_user_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str, flags: &[&str]| {
        let words = [&["key", "new", name], flags].concat();
        vestibule(&words).current_dir(folder.path()).output().unwrap()
    };
    let text = said(&made("one", &[]));
    let path = folder.path().join("one");
    let key = SealingKey::read_file(&path).unwrap_or_else(|err| panic!("{err}"));
    assert!(text.starts_with(&format!("one holds the new key {};", key.handle())), "{text}");
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    let content = fs::read_to_string(&path).unwrap();
    assert!(!text.contains(content.trim()), "it prints the key");

    let told = refusal(&made("one", &[]), 1);
    assert!(told.contains("exists already and is not overwritten"), "{told}");
    assert_eq!(fs::read_to_string(&path).unwrap(), content);

    let object: serde_json::Value = serde_json::from_str(&said(&made("two", &["--json"]))).unwrap();
    let other = SealingKey::read_file(&folder.path().join("two")).ok().unwrap();
    assert_eq!(object, serde_json::json!({"file": "two", "handle": other.handle()}));
    assert_ne!(key.handle(), other.handle());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no other file is left");
}

#[test]
fn takes_back_a_key_only_while_it_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    said(&vestibule(&["key", "new", path.to_str().unwrap()]).output().unwrap());
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let told = SealingKey::read_file(&path).err().unwrap();
    assert!(told.contains("has mode 0644") && told.ends_with("chmod 600 it"), "{told}");
}

/// A folder with a database in which anna and bert have apps, and two keys.
struct Safe {
    folder: TempDir,
    secrets: [TotpSecret; 2],
    keys: [SealingKey; 2],
}

impl Safe {
    fn new(sealed_with: Option<usize>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = ["one", "two"].map(|name| {
            let path = folder.path().join(name);
            said(&vestibule(&["key", "new", path.to_str().unwrap()]).output().unwrap());
            SealingKey::read_file(&path).unwrap_or_else(|err| panic!("{err}"))
        });
        let secrets = [TotpSecret::random(), TotpSecret::random()];
        let server = Binary::start(folder.path(), &[]);
        for (name, secret) in ["anna", "bert"].into_iter().zip(&secrets) {
            server.sign_up(name);
            give_app(folder.path(), name, secret, sealed_with.map(|it| &keys[it]));
        }
        server.stop();
        Self { folder, secrets, keys }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Runs a command on the database; flags of key files name the files.
    fn run(&self, line: &str) -> Output {
        let words: Vec<_> = line.split(' ').collect();
        let mut command = vestibule(&words);
        command.current_dir(self.folder.path()).args(["--database", "test.db"]);
        command.output().unwrap()
    }

    /// Whether a server with these flags lets anna in with a code.
    fn lets_in(&self, flags: &[&str]) -> bool {
        let server = Binary::start(self.folder.path(), flags);
        let status = sign_in_with(&server, "anna", &code_now(&self.secrets[0])).status;
        server.stop();
        // The code must be good again for the next server.
        raw(self.folder.path()).execute("UPDATE totp SET last_step = 1", []).unwrap();
        status == 302
    }

    /// How many secrets this key opens, and how many are in the clear.
    fn state(&self, key: usize) -> (usize, usize) {
        let raw = raw(self.folder.path());
        let mut statement = raw.prepare("SELECT user_id, secret FROM totp").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        let rows: Vec<(String, Vec<u8>)> = rows.unwrap().map(Result::unwrap).collect();
        let stored = rows.into_iter().map(|(id, secret)| (id, StoredSecret::from_stored(secret)));
        stored.fold((0, 0), |(sealed, clear), (id, secret)| {
            if secret.is_sealed() {
                let opens = secret.open(&id, Some(&self.keys[key])).is_ok();
                (sealed + usize::from(opens), clear)
            } else {
                (sealed, clear + 1)
            }
        })
    }
}

#[test]
fn starts_with_no_key_but_the_one_that_secrets_are_sealed_with() {
    let safe = Safe::new(Some(0));
    let flag = |name: &str| format!("--seal-key-file={}", safe.path(name));
    assert!(safe.lets_in(&[&flag("one")]));
    let handle = safe.keys[0].handle();
    let told = refusal(&safe.run("serve --listen 127.0.0.1:0"), 2);
    assert!(told.contains(&handle) && told.contains("no key is given: set --seal-key-file"));
    let told = refusal(&safe.run("serve --listen 127.0.0.1:0 --seal-key-file two"), 2);
    assert!(told.contains(&handle) && told.contains(&safe.keys[1].handle()), "{told}");

    let checked = safe.run("check");
    assert_eq!(checked.status.code(), Some(1));
    let text = String::from_utf8(checked.stdout).unwrap();
    assert!(text.contains("FAULT") && text.contains(&handle), "{text}");
    assert!(text.contains("sealed_secrets    2\n"), "{text}");
    assert!(said(&safe.run("check --seal-key-file one")).contains("the database is in order"));
}

#[test]
fn takes_any_key_while_nothing_is_sealed() {
    let safe = Safe::new(None);
    let flags = ["one", "two"].map(|it| format!("--seal-key-file={}", safe.path(it)));
    assert!(safe.lets_in(&[&flags[0]]) && safe.lets_in(&[&flags[1]]) && safe.lets_in(&[]));
    let told = said(&safe.run("check --seal-key-file one"));
    assert!(told.contains("2 secrets of authenticator apps in the clear; vestibule key apply"));
}

#[test]
fn seals_secrets_replaces_the_key_and_unseals_them() {
    let safe = Safe::new(None);
    let flags = ["one", "two"].map(|it| format!("--seal-key-file={}", safe.path(it)));
    let told = said(&safe.run("key apply --seal-key-file one"));
    assert!(told.starts_with(&format!("2 secrets sealed with the key {}", safe.keys[0].handle())));
    assert_eq!(safe.state(0), (2, 0));
    assert!(safe.lets_in(&[&flags[0]]));

    let told = refusal(&safe.run("key apply --seal-key-file two"), 1);
    assert!(told.contains(&safe.keys[0].handle()) && told.contains("--from"), "{told}");
    let told: serde_json::Value =
        serde_json::from_str(&said(&safe.run("key apply --seal-key-file two --from one --json")))
            .unwrap();
    let handles = [1, 0].map(|it| safe.keys[it].handle());
    let expected = serde_json::json!({"secrets": 2, "handle": handles[0], "from": handles[1]});
    assert_eq!(told, expected);
    assert_eq!(safe.state(1), (2, 0));
    assert!(safe.lets_in(&[&flags[1]]));
    assert!(refusal(&safe.run("serve --seal-key-file one"), 2).contains(&safe.keys[1].handle()));

    assert!(refusal(&safe.run("key apply --from one"), 1).contains(&safe.keys[1].handle()));
    let told = said(&safe.run("key apply --from two"));
    assert!(told.starts_with("2 secrets unsealed"), "{told}");
    assert_eq!(safe.state(1), (0, 2));
    assert!(safe.lets_in(&[]));
    assert!(said(&safe.run("key apply --from two")).starts_with("0 secrets unsealed"));

    assert!(refusal(&safe.run("key apply"), 2).contains("--seal-key-file"));
    let told = refusal(&safe.run("key apply --seal-key-file one --from one"), 2);
    assert!(told.contains("hold one key"), "{told}");
    let records = said(&safe.run("audit --event key_apply"));
    assert_eq!(records.matches("secrets=2").count(), 3, "{records}");
}

#[test]
fn starts_no_server_while_the_key_is_half_replaced_and_goes_on_when_run_again() {
    let safe = Safe::new(Some(0));
    let raw = raw(safe.folder.path());
    let [one, two] = &safe.keys;
    // As a kill after the first of two batches leaves it.
    give_app_anew(&safe, "bert", two);
    for (name, key) in [("seal", two), ("seal_before", one)] {
        let value = key.check_value();
        raw.execute("INSERT OR REPLACE INTO secret VALUES (?1, ?2)", params![name, value]).unwrap();
    }
    for flags in ["", " --seal-key-file one", " --seal-key-file two"] {
        let told = refusal(&safe.run(&format!("serve{flags}")), 1);
        assert!(told.contains("was broken off: run vestibule key apply"), "{told}");
        assert!(told.contains(&one.handle()) && told.contains(&two.handle()), "{told}");
    }
    for line in ["key apply --seal-key-file two", "key apply --seal-key-file one --from two"] {
        assert!(refusal(&safe.run(line), 1).contains("was broken off"), "{line}");
    }
    let told = said(&safe.run("key apply --seal-key-file two --from one"));
    assert!(told.starts_with("1 secret sealed"), "{told}");
    assert_eq!(safe.state(1), (2, 0));
    assert!(safe.lets_in(&[&format!("--seal-key-file={}", safe.path("two"))]));
}

/// Seals the secret of a user with another key.
fn give_app_anew(safe: &Safe, name: &str, key: &SealingKey) {
    let id = id_of(safe.folder.path(), name);
    let stored = StoredSecret::new(&safe.secrets[1], &id, Some(key));
    let row = params![stored.as_stored(), id];
    raw(safe.folder.path()).execute("UPDATE totp SET secret = ?1 WHERE user_id = ?2", row).unwrap();
}

#[test]
fn opens_no_secret_that_was_moved_to_another_user() {
    let safe = Safe::new(Some(0));
    let folder = safe.folder.path();
    // The database knows its key from then on.
    assert!(safe.lets_in(&[&format!("--seal-key-file={}", safe.path("one"))]));
    let (anna, bert) = (id_of(folder, "anna"), id_of(folder, "bert"));
    // Bert's app for anna, by an intruder who writes to the database.
    raw(folder)
        .execute(
            "UPDATE totp SET secret = (SELECT secret FROM totp WHERE user_id = ?1) WHERE user_id = ?2",
            params![bert, anna],
        )
        .unwrap();
    let server = Binary::start(folder, &[&format!("--seal-key-file={}", safe.path("one"))]);
    let answer = sign_in_with(&server, "anna", &code_now(&safe.secrets[1]));
    assert_eq!(answer.status, 500, "{}", answer.body);
    let log = server.stop();
    assert!(log.contains("the secret does not open") && log.contains(&anna), "{log}");
    let told = refusal(&safe.run("key apply --seal-key-file two --from one"), 1);
    assert!(told.contains("1 secret done; neither key opens 1 secret") && told.contains(&anna));
    assert!(safe.run("serve --seal-key-file one").status.code() == Some(2), "the others are done");
}

#[test]
fn loses_no_secret_when_replacing_the_key_is_killed() {
    let safe = Safe::new(Some(0));
    let folder = safe.folder.path();
    // Enough for many batches.
    let mut raw = raw(folder);
    let tx = raw.transaction().unwrap();
    for number in 0..5_000 {
        let id = format!("n{number}");
        let stored = StoredSecret::new(&safe.secrets[0], &id, Some(&safe.keys[0]));
        tx.execute(
            "INSERT INTO user (id, username, canonical_username, created_at) VALUES (?1, ?1, ?1, 1)",
            [&id],
        )
        .unwrap();
        let row = params![id, stored.as_stored()];
        tx.execute("INSERT INTO totp VALUES (?1, ?2, 1, 1)", row).unwrap();
    }
    tx.commit().unwrap();
    let (mut from, mut to) = ("one", "two");
    let mut halves = 0;
    for _ in 0..5 {
        let words = ["key", "apply", "--seal-key-file", to, "--from", from];
        let mut command = vestibule(&words);
        command.current_dir(folder).args(["--database", "test.db"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let has_begun = "SELECT count(*) FROM secret WHERE name = 'seal_before'";
        let ended = loop {
            if raw.query_row(has_begun, [], |row| row.get::<_, i64>(0)) == Ok(1) {
                break false;
            }
            if child.try_wait().unwrap().is_some() {
                break true;
            }
        };
        child.kill().unwrap();
        child.wait().unwrap();
        let [old, new] = [from, to].map(|it| usize::from(it == "two"));
        let (by_old, by_new) = (safe.state(old).0, safe.state(new).0);
        assert_eq!(by_old + by_new, 5_002, "each opens with one of the two");
        halves += usize::from(!ended && by_old > 0);
        if by_old > 0 {
            assert!(refusal(&safe.run("serve --seal-key-file one"), 1).contains("broken off"));
        }
        said(&safe.run(&words.join(" ")));
        assert_eq!(safe.state(new), (5_002, 0));
        (from, to) = (to, from);
    }
    assert!(halves > 0, "no kill came in the middle");
}
