//! What an operator sees and does about the passkeys of users.

use std::path::Path;

use rusqlite::params;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;
use vestibule::base::token::handle;
use vestibule::base::totp::TotpSecret;

use super::admin::{refusal, run, said, wrong_usage};
#[cfg(feature = "mail")]
use super::second_factor::letters;
use super::second_factor::{give_app, id_of, raw};
use crate::binary::{Answer, Binary};
use crate::soft_authenticator::SoftAuthenticator;

const SITE: &str = "https://auth.example.com";

/// Adds a passkey called Phone to the account of a user, and comes back with its handle.
pub fn give_passkey(
    folder: &Path,
    name: &str,
    passkey: &SoftAuthenticator,
    signs_in_alone: bool,
) -> String {
    let sql = "INSERT INTO passkey VALUES (?1, ?2, x'', ?3, 0, ?4, ?5, 0, '', 'Phone', 1000, NULL)";
    let row =
        params![passkey.id, id_of(folder, name), passkey.cose(), passkey.rp_id, signs_in_alone];
    raw(folder).execute(sql, row).unwrap();
    handle(&passkey.id)
}

fn sign_in(server: &Binary, passkey: &SoftAuthenticator) -> Answer {
    let form = "GET /login HTTP/1.1\r\nHost: test\r\nAccept: application/json\r\n\r\n";
    let form: Value = serde_json::from_str(&server.ask(form).body).unwrap();
    let answer = passkey.get(form["request_options"]["challenge"].as_str().unwrap()).json();
    let fields = Serializer::new(String::new()).append_pair("credential", &answer).finish();
    server.post("/login/passkey", &fields, None)
}

#[test]
fn lists_the_passkeys_of_a_user_with_their_use_and_their_domain() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    said(&run(folder, &["user", "add", "anna", "--no-password"], ""));
    let list = ["user", "passkey", "list", "ANNA"];
    assert_eq!(said(&run(folder, &list, "")), "anna has no passkey\n");
    assert_eq!(said(&run(folder, &[&list[..], &["--json"]].concat(), "")), "");

    let alone = give_passkey(folder, "anna", &SoftAuthenticator::es256(SITE), true);
    let old = SoftAuthenticator::ed25519("https://old.example.com");
    let second = give_passkey(folder, "anna", &old, false);
    let sql = "UPDATE passkey SET name = 'Key\u{202e}', created_at = 61000, used_at = 120000
                WHERE verifies_user = 0";
    raw(folder).execute(sql, []).unwrap();
    let told = said(&run(folder, &list, ""));
    let lines: Vec<_> = told.lines().map(|it| it.split("  ").collect::<Vec<_>>()).collect();
    let cells = |line: usize| -> Vec<_> {
        lines[line].iter().map(|it| it.trim()).filter(|it| !it.is_empty()).collect()
    };
    assert_eq!(cells(0), ["PASSKEY", "NAME", "USE", "DOMAIN", "ADDED", "LAST USED"], "{told}");
    let added = "1970-01-01 00:00 UTC";
    let expected = [&*alone, "Phone", "signs in alone", "auth.example.com", added, "never"];
    assert_eq!(cells(1), expected, "{told}");
    let expected = [&*second, "second factor only", "old.example.com", "1970-01-01 00:02 UTC"];
    assert!(expected.iter().all(|it| cells(2).contains(it)), "{told}");

    let told = said(&run(folder, &[&list[..], &["--json"]].concat(), ""));
    let data: Vec<Value> = told.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let expected = json!({
        "passkey": alone,
        "name": "Phone",
        "created_at": "1970-01-01T00:00:01.000Z",
        "used_at": null,
        "signs_in_alone": true,
        "domain": "auth.example.com",
    });
    assert_eq!(data[0], expected);
    assert_eq!(data[1]["used_at"], "1970-01-01T00:02:00.000Z");
    assert_eq!((data.len(), &data[1]["signs_in_alone"]), (2, &json!(false)));
}

#[test]
fn counts_the_passkeys_of_a_user_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    said(&run(folder, &["user", "add", "anna", "--no-password"], ""));
    for count in 0..3 {
        let told = said(&run(folder, &["user", "show", "anna"], ""));
        assert!(told.contains(&format!("\npasskeys         {count}\n")), "{told}");
        let told = said(&run(folder, &["user", "show", "anna", "--json"], ""));
        let data: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(data["passkeys"], count);
        give_passkey(folder, "anna", &SoftAuthenticator::es256(SITE), count == 0);
    }
}

#[test]
fn removes_one_passkey_of_a_user_which_signs_in_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = Binary::start(folder, &["--origin", SITE]);
    server.sign_up("anna");
    let [lost, kept] = [SoftAuthenticator::es256(SITE), SoftAuthenticator::ed25519(SITE)];
    let handle = give_passkey(folder, "anna", &lost, true);
    give_passkey(folder, "anna", &kept, true);
    let cookie = sign_in(&server, &lost).cookie().unwrap();

    let remove = ["user", "passkey", "remove", "anna", &handle.to_uppercase()];
    assert_eq!(said(&run(folder, &remove, "")), "the passkey Phone of anna is removed\n");
    let answer = sign_in(&server, &lost);
    assert_eq!((answer.status, &*answer.body), (400, "Passkey not accepted"));
    assert!(server.is_signed_in(&cookie), "the session goes on");
    assert_eq!(sign_in(&server, &kept).status, 302);

    let records = said(&run(folder, &["audit", "--event", "passkey_remove", "--json"], ""));
    let record: Value = serde_json::from_str(&records).unwrap();
    assert_eq!(record["username"], "anna");
    let detail = record["detail"].as_str().unwrap();
    assert!(detail.starts_with(&format!("passkey={handle} name=Phone by=")), "{record}");
}

#[test]
fn says_where_to_look_if_there_is_no_such_passkey() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in ["anna", "bertha"] {
        said(&run(folder, &["user", "add", name, "--no-password"], ""));
    }
    let handle = give_passkey(folder, "bertha", &SoftAuthenticator::es256(SITE), true);
    let remove =
        |name: &str, handle: &str| run(folder, &["user", "passkey", "remove", name, handle], "");
    let told = refusal(&remove("anna", &handle));
    let hint = format!("anna has no passkey {handle}; vestibule user passkey list anna shows");
    assert!(told.contains(&hint), "{told}");
    for output in [remove("clara", &handle), run(folder, &["user", "passkey", "list", "clara"], "")]
    {
        let told = refusal(&output);
        assert!(told.contains("there is no user clara; vestibule user list"), "{told}");
    }
    let told = wrong_usage(&remove("bertha", "Phone"));
    assert!(told.contains("8 hex digits; vestibule user passkey list shows it"), "{told}");
    said(&remove("bertha", &handle));
}

#[test]
fn keeps_the_last_means_of_a_second_factor_until_that_is_off() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    said(&run(folder, &["user", "add", "anna", "--no-password"], ""));
    let [first, last] =
        [(); 2].map(|()| give_passkey(folder, "anna", &SoftAuthenticator::es256(SITE), true));
    give_app(folder, "anna", &TotpSecret::random(), None);
    let remove = |handle: &str| run(folder, &["user", "passkey", "remove", "anna", handle], "");
    said(&remove(&first));
    raw(folder).execute("DELETE FROM totp", []).unwrap();
    let told = refusal(&remove(&last));
    assert!(told.contains("is the last means of giving the second factor of anna"), "{told}");
    let command = "vestibule user second-factor anna off";
    assert!(told.contains(command), "{told}");
    let words: Vec<_> = command.split(' ').skip(1).collect();
    said(&run(folder, &words, ""));
    said(&remove(&last));
}

#[cfg(feature = "mail")]
#[test]
fn has_a_user_told_of_a_removed_passkey_unless_the_last_server_to_start_sends_no_notices() {
    let mail = ["--mail-command=/bin/true", "--mail-from=a@example.com", "--origin", SITE];
    let quiet = [&mail[..], &["--notices=off"]].concat();
    for (flags, is_told) in [(&mail[..], true), (&[], false), (&quiet, false)] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        said(&run(folder, &["user", "add", "anna", "--no-password"], ""));
        let handles =
            [(); 2].map(|()| give_passkey(folder, "anna", &SoftAuthenticator::es256(SITE), true));
        Binary::start(folder, flags).stop();
        let remove = |handle: &str| {
            let words = ["user", "passkey", "remove", "anna", handle, "--language=de"];
            said(&run(folder, &words, ""))
        };
        let told = remove(&handles[0]);
        assert_eq!(told, "the passkey Phone of anna is removed\n", "there is no address");
        said(&run(folder, &["user", "email", "anna", "anna@example.com"], ""));
        let told = remove(&handles[1]);
        let end = if is_told {
            "; a server with mail tells anna@example.com\n"
        } else {
            "; anna@example.com is not told, as no server sends notices\n"
        };
        assert!(told.ends_with(end), "{flags:?}: {told}");
        let expected = ["passkey_removed de anna@example.com"];
        assert_eq!(letters(folder), expected[..usize::from(is_told)], "{flags:?}");
    }
}
