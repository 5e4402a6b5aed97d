//! Passkeys that come over from better-auth and from Authelia, and those that cannot.

use std::fs;
use std::path::PathBuf;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use vestibule::base::clock::Moment;
use vestibule::base::totp::{TimeStep, TotpSecret};
use vestibule::cli::import::foreign_db::{ColumnChoice, TableNames};
use vestibule::cli::import::{CsvOptions, Source};
use vestibule::web::http::Response;

use crate::binary::vestibule;
use crate::cli::import::{Move, counts, sign_in};
use crate::cli::import_sqlite::with_tables;
use crate::soft_authenticator::{CAN_BE_BACKED_UP, PRESENT, SoftAuthenticator};
use crate::visit::{Visit, told, way, with_passkeys};

const NOW: Moment = Moment::from_millis(1_795_940_000_000);
const SITE: &str = "https://auth.example.com";
const DOMAIN: &str = "auth.example.com";
const JSON: [(&str, &str); 1] = [("Accept", "application/json")];

/// `open sesame` by bcrypt.
const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy";

/// A database of better-auth with three users and these rows of passkeys: id, name, publicKey, userId, credentialID,
/// counter, deviceType, backedUp, transports, createdAt, aaguid.
fn better_auth(rows: &[String]) -> Move {
    let source = Source::BetterAuth {
        tables: TableNames::default(),
        columns: ColumnChoice::default(),
        secret: None,
        rp_id: Some(DOMAIN.to_owned()),
    };
    with_tables(source, &tables(rows))
}

fn tables(rows: &[String]) -> String {
    let rows: Vec<_> =
        rows.iter().map(|it| format!("INSERT INTO passkey VALUES ({it});")).collect();
    format!(
        "CREATE TABLE user (id TEXT, email TEXT, emailVerified INTEGER, username TEXT);
         CREATE TABLE account (providerId TEXT, accountId TEXT, userId TEXT, password TEXT);
         CREATE TABLE passkey (id TEXT, name TEXT, publicKey, userId TEXT, credentialID, counter,
           deviceType TEXT, backedUp INTEGER, transports TEXT, createdAt DATE, aaguid TEXT);
         INSERT INTO user VALUES ('1', 'a@x', 1, 'anna'), ('2', 'b@x', 1, 'bert'), ('3', 'c@x', 1, 'carl');
         INSERT INTO account SELECT 'credential', id, id, '{BCRYPT}' FROM user;
         {}",
        rows.concat()
    )
}

/// The row of a passkey of this user.
fn row(user: &str, name: &str, passkey: &SoftAuthenticator) -> String {
    format!(
        "'x', '{name}', '{}', '{user}', '{}', {}, 'singleDevice', 0, 'usb,cable,nfc',
         '2026-01-02T03:04:05.678Z', NULL",
        BASE64.encode(&passkey.cose()),
        BASE64URL_NOPAD.encode(&passkey.id),
        passkey.sign_count
    )
}

/// The site at `auth.example.com` with what was brought over.
fn visit(it: Move) -> Visit {
    let settings = vestibule::web::Settings { rules: with_passkeys(), ..Default::default() };
    let mut visit = Visit::over_file_with(it.folder, settings);
    visit.now = NOW;
    visit
}

fn data(answer: &Response) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

/// Signs in with a passkey alone.
fn sign_in_alone(visit: &mut Visit, passkey: &SoftAuthenticator) -> Response {
    visit.forget_everything();
    let asked = data(&visit.ask("GET", "/login", &JSON, ""))["request_options"].clone();
    let answer = passkey.get(asked["challenge"].as_str().unwrap()).json();
    visit.post("/login/passkey", &[("credential", &answer)])
}

/// The reasons why passkeys were left out, in the report.
fn left_out(report: &Value) -> Vec<&str> {
    let people = report["people"].as_array().unwrap().iter();
    let reasons = people.flat_map(|it| it["reasons"].as_array().unwrap());
    let of_passkeys = reasons.filter(|it| it["reason"] == "passkey_left_out");
    of_passkeys.map(|it| it["text"].as_str().unwrap()).collect()
}

#[test]
fn signs_users_in_with_the_passkeys_that_better_auth_has_made() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let file = file.join("tests/data/producers/better-auth-passkey");
    let about = fs::read_to_string(file.with_extension("json")).unwrap();
    let about: Value = serde_json::from_str(&about).unwrap();
    let source = Source::BetterAuth {
        tables: TableNames::default(),
        columns: ColumnChoice::default(),
        secret: None,
        rp_id: about["rp_id"].as_str().map(str::to_owned),
    };
    let mut it = Move::from(source, file.with_extension("db"));
    it.order.passkey_domain = Some(DOMAIN.to_owned());
    let report = it.done(NOW);
    assert_eq!((counts(&report, "passkeys"), &report["warning"]), ((3, 0), &Value::Null));
    assert_eq!((&report["tables"]["passkey"], &report["remarks"]), (&json!("passkey"), &json!([])));
    let before = it.rows();
    let again = it.done(NOW);
    assert_eq!(again["passkeys"]["left_out"], json!({ "of users who are here already": 3 }));
    assert!(it.rows() == before, "a second run changes nothing");
    let shown = "SELECT user_id || ' ' || name || ' ' || sign_count || ' ' || is_backed_up || ' ' || transports
                   FROM passkey ORDER BY created_at";
    let shown = it.texts(shown);
    assert_eq!(it.texts("SELECT hex(user_handle) || rp_id FROM passkey LIMIT 1"), [DOMAIN]);
    assert_eq!(it.texts("SELECT id FROM user WHERE second_factor_since IS NOT NULL"), [""; 0]);

    let mut visit = visit(it);
    let mut expected = Vec::new();
    for user in about["users"].as_array().unwrap() {
        for known in user["passkeys"].as_array().unwrap() {
            let text = |name: &str| known[name].as_str().unwrap();
            let transports = known["transports"].as_array().unwrap().iter();
            let mut transports: Vec<_> = transports.map(|it| it.as_str().unwrap()).collect();
            transports.sort_unstable();
            expected.push(format!(
                "{} {} {} {} {}",
                user["id"].as_str().unwrap(),
                known["name"].as_str().unwrap_or("Passkey"),
                known["sign_count"],
                u8::from(known["is_backed_up"] == true),
                transports.join(",")
            ));
            if text("kind") != "ES256" {
                continue;
            }
            let bytes = |name: &str| BASE64URL_NOPAD.decode(text(name).as_bytes()).unwrap();
            let mut passkey = SoftAuthenticator::of_pkcs8(SITE, &bytes("pkcs8"));
            passkey.id = bytes("id");
            passkey.sign_count = u32::try_from(known["sign_count"].as_u64().unwrap()).unwrap();
            if known["is_backed_up"] == true {
                passkey.flags |= CAN_BE_BACKED_UP;
            }
            // better-auth gives each passkey another handle at random.
            passkey.user_handle = b"whatever it was".to_vec();
            if passkey.sign_count > 0 {
                assert_eq!(
                    sign_in_alone(&mut visit, &passkey).status,
                    400,
                    "it counts no more uses"
                );
                passkey.sign_count += 1;
            }
            assert_eq!(way(&sign_in_alone(&mut visit, &passkey)), (302, Some("/")));
            assert_eq!(data(&visit.ask("GET", "/session", &JSON, ""))["user"]["id"], user["id"]);
            passkey.sign_count += u32::from(passkey.sign_count > 0);
            passkey.flags = PRESENT;
            let refused = sign_in_alone(&mut visit, &passkey);
            assert!(told(&refused).contains("reason=user_unverified"), "{}", told(&refused));
        }
    }
    assert_eq!(shown, expected);
}

#[test]
fn refuses_passkeys_of_better_auth_without_the_domain_that_they_were_made_for() {
    let passkey = SoftAuthenticator::es256(SITE);
    let source = |tables: TableNames| Source::BetterAuth {
        tables,
        columns: ColumnChoice::default(),
        secret: None,
        rp_id: None,
    };
    let it = with_tables(source(TableNames::default()), &tables(&[row("1", "Key", &passkey)]));
    let refusal = it.run(NOW).err().unwrap();
    for part in ["passkeys in it (1)", "--rp-id DOMAIN", "--tables passkey="] {
        assert!(refusal.contains(part), "{refusal}");
    }
    assert!(!it.order.database.file().unwrap().exists());

    let nowhere = TableNames(vec![("passkey".to_owned(), String::new())]);
    let it = with_tables(source(nowhere), &tables(&[row("1", "Key", &passkey)]));
    let report = it.done(NOW);
    assert_eq!((counts(&report, "users"), counts(&report, "passkeys")), ((3, 0), (0, 0)));
    assert_eq!(report["left_behind"], json!({ "passkey": 1 }));

    let it = with_tables(source(TableNames::default()), &tables(&[]));
    assert_eq!(counts(&it.done(NOW), "users"), (3, 0), "no passkey, no domain");
}

#[test]
fn says_of_each_passkey_that_cannot_come_over_why_and_brings_its_user_without_it() {
    let passkeys: Vec<_> = (0..3).map(|_| SoftAuthenticator::es256(SITE)).collect();
    let ed25519 = SoftAuthenticator::ed25519(SITE);
    let good = row("1", &"long ".repeat(20), &passkeys[0]);
    let it = better_auth(&[
        good.clone(),
        good,
        row("1", "Ed\n25519", &ed25519).replace("'usb,cable,nfc'", "NULL"),
        row("2", "P-384", &passkeys[1]).replace("pQEC", "pQIC"),
        row("2", "No id", &passkeys[1])
            .replace(&BASE64URL_NOPAD.encode(&passkeys[1].id), "not base64!"),
        row("nobody", "Lost", &passkeys[1]),
        row("2", "Odd", &passkeys[2]).replace(", 0, 'single", ", 'many', 'single"),
        // Older versions wrote the id in base64.
        row("3", "", &passkeys[2])
            .replace(&BASE64URL_NOPAD.encode(&passkeys[2].id), &BASE64.encode(&passkeys[2].id)),
    ]);
    let report = it.done(NOW);
    assert_eq!((counts(&report, "users"), counts(&report, "passkeys")), ((3, 0), (3, 0)));
    let long = "long ".repeat(12);
    assert_eq!(
        left_out(&report),
        [
            &format!(
                "a passkey left out: {}, that their user has twice in the source",
                long.trim()
            ),
            "a passkey left out: P-384, with a public key of a kind that is not accepted",
            "a passkey left out: No id, with an id that cannot be read",
        ]
    );
    assert_eq!(
        report["passkeys"]["left_out"],
        json!({
            "of no user": 1,
            "that cannot be read": 1,
            "that their user has twice in the source": 1,
            "with a public key of a kind that is not accepted": 1,
            "with an id that cannot be read": 1,
        })
    );
    assert!(report["rows"].to_string().contains("its counter is no number"), "{report}");
    let names = it.texts("SELECT user_id || name || '|' || transports FROM passkey ORDER BY 1");
    assert_eq!(
        names,
        [
            "1Ed 25519|".to_owned(),
            format!("1{}|nfc,usb", long.trim()),
            "3Passkey|nfc,usb".to_owned()
        ]
    );
    let mut visit = visit(it);
    for passkey in [&passkeys[0], &ed25519, &passkeys[2]] {
        assert_eq!(sign_in_alone(&mut visit, passkey).status, 302);
    }
    assert_eq!(sign_in(&mut visit, "bert", "open sesame"), 302);
}

#[test]
fn keeps_the_newest_passkeys_of_a_user_who_has_more_than_anyone_can_have_here() {
    let rows = (0..23).map(|at| {
        let row = row("1", &format!("Key {at}"), &SoftAuthenticator::es256(SITE));
        row.replace("2026-01-02", &format!("2026-01-{:02}", 31 - at))
    });
    let it = better_auth(&rows.collect::<Vec<_>>());
    let report = it.done(NOW);
    assert_eq!(counts(&report, "passkeys"), (20, 0), "{report}");
    let left = left_out(&report);
    assert!(left.len() == 3 && left[0].starts_with("a passkey left out: Key 20,"), "{left:?}");
}

#[test]
fn leaves_a_user_out_whose_passkey_another_user_has() {
    let passkey = SoftAuthenticator::es256(SITE);
    let both = [row("1", "Key", &passkey), row("2", "Key", &passkey)];
    let mut it = better_auth(&both);
    it.order.skip_conflicts = true;
    let report = it.done(NOW);
    assert_eq!((counts(&report, "users"), counts(&report, "passkeys")), ((1, 0), (0, 0)));
    assert_eq!(report["passkeys"]["left_out"], json!({ "of users who cannot come over": 2 }));
    assert!(report["conflicts"].to_string().contains("shares a passkey with bert"), "{report}");

    // And one who is here already.
    let first = better_auth(&both[..1]);
    first.done(NOW);
    let second = better_auth(&both[1..]);
    let mut again = Move::from(second.order.source, second.order.file);
    again.order.database = first.order.database.clone();
    again.order.skip_conflicts = true;
    let before = first.rows();
    let report = again.done(NOW);
    assert_eq!((counts(&report, "users"), &report["written"]), ((0, 2), &json!(false)));
    assert!(
        report["conflicts"].to_string().contains("has a passkey of another user here"),
        "{report}"
    );
    assert!(first.rows() == before);
}

/// What Authelia exports of a passkey, as a part of its file.
fn exported(user: &str, name: &str, passkey: &SoftAuthenticator) -> String {
    format!(
        "    - created_at: 2024-03-01T12:00:00.123456789+01:00
      last_used_at: 2026-11-01T08:30:00Z
      rpid: {DOMAIN}
      username: {user}
      description: {name}
      kid: {}
      aaguid: 08987058-cadc-4b81-b6e1-30de50dcbe96
      attestation_type: none
      attestation_format: none
      attachment: cross-platform
      transports:
        - usb
        - nfc
      sign_count: {}
      clone_warning: false
      legacy: false
      discoverable: true
      present: true
      verified: true
      backup_eligible: false
      backup_state: false
      public_key: {}
      attestation: e30=
",
        BASE64.encode(&passkey.id),
        passkey.sign_count,
        BASE64.encode(&passkey.cose()),
    )
}

/// A table of users, and beside it the passkeys of an export.
fn authelia(users: &str, passkeys: &str) -> Move {
    let mut it = Move::from(Source::Csv(CsvOptions::default()), "-".into());
    it.input = users.replace("BCRYPT", BCRYPT).into_bytes();
    let file = it.folder.path().join("authelia.export.webauthn.yml");
    fs::write(&file, passkeys).unwrap();
    let passkeys = Some(file);
    it.order.source = Source::Csv(CsvOptions { passkeys, ..CsvOptions::default() });
    it
}

/// What Authelia writes before the list.
const HEAD: &str = "# yaml-language-server: $schema=https://www.authelia.com/schemas/latest/json-schema/export.webauthn.json\n\nwebauthn_credentials:\n";

const USERS: &str = "username,hash\nanna,BCRYPT\nbert,BCRYPT\n";

#[test]
fn signs_users_in_with_the_passkeys_that_authelia_has_exported() {
    let mut passkey = SoftAuthenticator::es256(SITE);
    passkey.sign_count = 20;
    let it = authelia(USERS, &(HEAD.to_owned() + &exported("anna", "Blue key", &passkey)));
    let report = it.done(NOW);
    assert_eq!((counts(&report, "passkeys"), &report["people"]), ((1, 0), &json!([])));
    let before = it.rows();
    it.done(NOW);
    assert!(it.rows() == before, "a second run changes nothing");
    let shown = "SELECT name || ' ' || rp_id || ' ' || transports || ' ' || created_at || ' ' || used_at FROM passkey";
    assert_eq!(it.texts(shown), ["Blue key auth.example.com nfc,usb 1709290800123 1793521800000"]);
    let mut visit = visit(it);
    assert!(told(&sign_in_alone(&mut visit, &passkey)).contains("reason=cloned"));
    passkey.sign_count = 21;
    passkey.user_handle = b"a handle of Authelia".to_vec();
    assert_eq!(way(&sign_in_alone(&mut visit, &passkey)), (302, Some("/")));
    assert_eq!(data(&visit.ask("GET", "/session", &JSON, ""))["user"]["username"], "anna");
    // The password alone signs them in as before.
    visit.forget_everything();
    let asked = visit.post("/login", &[("username", "anna"), ("password", "open sesame")]);
    assert_eq!(way(&asked), (302, Some("/")));
}

#[test]
fn takes_a_passkey_of_authelia_that_is_not_discoverable_or_verified_for_a_second_factor_only() {
    let (anna, bert) = (SoftAuthenticator::es256(SITE), SoftAuthenticator::es256(SITE));
    let passkeys = [
        exported("ANNA", "Key", &anna).replace("discoverable: true", "discoverable: false"),
        exported("bert", "Key", &bert).replace("verified: true", "verified: false"),
    ];
    let secret = TotpSecret::random();
    let users = format!("username,hash,totp\nanna,BCRYPT,{}\nbert,BCRYPT,\n", secret.base32());
    let it = authelia(&users, &(HEAD.to_owned() + &passkeys.concat()));
    let report = it.done(NOW);
    assert_eq!(counts(&report, "passkeys"), (2, 0), "{report}");
    let notes = report["notes"].as_object().unwrap();
    let note = notes.iter().find(|(text, _)| text.contains("second factor only")).unwrap();
    assert_eq!(note.1, 1, "of bert, whose password alone signs him in: {report}");

    let mut visit = visit(it);
    for passkey in [&anna, &bert] {
        let refused = sign_in_alone(&mut visit, passkey);
        assert!(told(&refused).contains("reason=second_factor_only"), "{}", told(&refused));
    }
    assert_eq!(sign_in(&mut visit, "bert", "open sesame"), 302);
    assert!(visit.is_signed_in());
    visit.forget_everything();
    let asked = visit.post("/login", &[("username", "anna"), ("password", "open sesame")]);
    assert_eq!(way(&asked), (302, Some("/login/second")));
    let asked = data(&visit.ask("GET", "/login/second", &JSON, ""))["request_options"].clone();
    let answer = anna.get(asked["challenge"].as_str().unwrap()).json();
    assert_eq!(visit.post("/login/second", &[("credential", &answer)]).status, 302);
    assert!(visit.is_signed_in());
    // The app is there beside it.
    visit.forget_everything();
    visit.post("/login", &[("username", "anna"), ("password", "open sesame")]);
    let code = secret.code_at(TimeStep::of(visit.now)).reveal();
    assert_eq!(visit.post("/login/second", &[("code", &*code)]).status, 302);
}

#[test]
fn leaves_keys_of_u2f_and_what_may_be_cloned_out_of_what_authelia_has_exported() {
    let all: Vec<_> = (0..6).map(|_| SoftAuthenticator::es256(SITE)).collect();
    let raw_point = BASE64.encode(&[4; 65]);
    let passkeys = [
        exported("anna", "App ID", &all[0]).replace("rpid: auth", "rpid: https://auth"),
        exported("anna", "Nameless", &all[1]).replace("rpid: auth.example.com", "rpid: \"\""),
        exported("anna", "Point", &all[2]).replace(&BASE64.encode(&all[2].cose()), &raw_point),
        exported("anna", "Cloned", &all[3]).replace("clone_warning: false", "clone_warning: true"),
        exported("nobody", "Lost", &all[4]),
        // A key of U2F that was registered with WebAuthn has all that it needs.
        exported("anna", "Old", &all[5])
            .replace("legacy: false", "legacy: true")
            .replace("attestation_type: none", "attestation_type: fido-u2f"),
    ];
    let it = authelia(USERS, &(HEAD.to_owned() + &passkeys.concat()));
    let report = it.done(NOW);
    assert_eq!((counts(&report, "users"), counts(&report, "passkeys")), ((2, 0), (1, 0)));
    assert_eq!(
        left_out(&report),
        [
            "a passkey left out: App ID, made for U2F, and for no domain",
            "a passkey left out: Nameless, made for U2F, and for no domain",
            "a passkey left out: Point, with a public key of a kind that is not accepted",
            "a passkey left out: Cloned, of which there may be a copy, as the source says",
        ]
    );
    assert_eq!(report["passkeys"]["left_out"]["of no user"], 1);
    assert_eq!(sign_in_alone(&mut visit(it), &all[5]).status, 302);
}

#[test]
fn gives_a_passkey_to_the_user_whose_name_is_written_as_in_the_export() {
    let all: Vec<_> = (0..4).map(|_| SoftAuthenticator::es256(SITE)).collect();
    let names = ["anna", "Anna", "ANNA", "BERT"].into_iter();
    let passkeys: Vec<_> = names.zip(&all).map(|(name, it)| exported(name, name, it)).collect();
    let users = "username,hash\nAnna,BCRYPT\nanna,BCRYPT\nbert,BCRYPT\n";
    let mut it = authelia(users, &(HEAD.to_owned() + &passkeys.concat()));
    let renamed = it.folder.path().join("names");
    fs::write(&renamed, "Anna,anne\n").unwrap();
    it.order.rename = Some(renamed);
    let report = it.done(NOW);
    assert_eq!(counts(&report, "passkeys"), (3, 0), "{report}");
    assert_eq!(report["passkeys"]["left_out"], json!({ "of no user": 1 }), "it may be of either");
    let owners =
        "SELECT username || ' ' || name FROM passkey JOIN user ON user.id = user_id ORDER BY 1";
    assert_eq!(it.texts(owners), ["anna anna", "anne Anna", "bert BERT"]);
}

#[test]
fn reads_the_ways_in_which_authelia_writes_yaml_and_refuses_others_with_their_line() {
    let passkey = SoftAuthenticator::es256(SITE);
    let one = HEAD.to_owned() + &exported("anna", "NAME", &passkey);
    for (written, name) in [
        ("'it''s: mine # 1'", "it's: mine # 1"),
        (r#""a \"key\" \U0001F511""#, "a \"key\" 🔑"),
        ("a name that goes on\n        on the next line", "a name that goes on on the next line"),
        ("'one that''s quoted\n        and goes on: here'", "one that's quoted and goes on: here"),
        ("clé de Zoé", "clé de Zoé"),
        ("\"\"", "Passkey"),
        ("null", "Passkey"),
        ("'null'", "null"),
        ("|-\n        a name\n        in two lines", "a name in two lines"),
    ] {
        let it = authelia(USERS, &one.replace("NAME", written));
        assert_eq!(counts(&it.done(NOW), "passkeys"), (1, 0), "{written}");
        assert_eq!(it.texts("SELECT name FROM passkey"), [name], "{written}");
    }
    // Other widths of indentation, line ends, and no transports.
    let narrow = one.replace("\n    ", "\n").replace("\n    - ", "\n  - ").replace('\n', "\r\n");
    let bare = one.replace("transports:\n        - usb\n        - nfc", "transports: []");
    for (text, transports) in [(&narrow, "nfc,usb"), (&bare, "")] {
        let it = authelia(USERS, text);
        assert_eq!(counts(&it.done(NOW), "passkeys"), (1, 0), "{text}");
        assert_eq!(it.texts("SELECT transports FROM passkey"), [transports]);
    }
    let nested = "its value is neither a text nor a list of texts";
    let no_yaml = "it is no YAML that can be read";
    for (part, other, line, told) in [
        ("description: NAME", "description: {a: NAME}", 8, nested),
        ("description: NAME", "description:\n        a: NAME", 9, nested),
        ("- usb", "- - usb", 15, nested),
        ("- usb", "usb: 1", 15, nested),
        ("description: NAME", "[NAME]: x", 8, "it is no key with a value"),
        ("description: NAME", "rpid: example.com", 8, "its key is there twice"),
        ("description: NAME", "'rpid': example.com", 8, "its key is there twice"),
        ("description: NAME", "description: 'NAME' or so", 8, no_yaml),
        ("  rpid", "\trpid", 5, no_yaml),
        ("attestation: e30=", "attestation: 'e30=", 26, no_yaml),
        ("description: NAME", "description: &x NAME", 8, "it has an anchor, an alias or a tag"),
        ("description: NAME", "description: !!str NAME", 8, "it has an anchor, an alias or a tag"),
        ("    - created", "    - NAME\n    - created", 4, "this is not what authelia"),
        ("webauthn_credentials", "totp_configurations", 3, "this is not what authelia"),
        ("attestation: e30=\n", "x: y\ntotp_configurations: []\n", 27, "this is not what authelia"),
        ("attestation: e30=\n", "x: y\n---\na: b\n", 27, "this is not what authelia"),
    ] {
        let told = format!("line {line}: {told}");
        assert_is_refused(&one, (part, other), &told);
    }
    for (part, other, told) in [
        ("verified: true", "verified: perhaps", "its verified is neither true nor false"),
        ("verified: true", "verified: [true]", "its verified is a list"),
        (
            "transports:\n        - usb\n        - nfc",
            "transports: usb",
            "its transports is no list",
        ),
        // Indented so, it is the end of the passkey.
        ("  rpid", "rpid", "its sign_count is missing"),
        ("username: anna", "username:", "its username is missing"),
        ("sign_count: 0", "sign_count: -1", "its sign_count is no count"),
    ] {
        assert_is_refused(&one, (part, other), &format!("the passkey at line 4: {told}"));
    }
    for empty in ["", "# nothing\n", "webauthn_credentials:\n", "[]", "null"] {
        assert_is_refused("x", ("x", empty), "this is not what authelia");
    }
    let it = authelia(USERS, "");
    let Source::Csv(CsvOptions { passkeys: Some(file), .. }) = &it.order.source else { panic!() };
    fs::write(file, [one.as_bytes(), b"# \xff\n"].concat()).unwrap();
    assert!(it.run(NOW).err().unwrap().contains("webauthn.yml: line 27: it is no UTF-8"));
}

#[test]
fn refuses_a_bomb_of_aliases_in_the_place_of_an_export_of_authelia() {
    let level = |at: usize| format!("a{at}: &a{at} [{}]", format!("*a{}, ", at - 1).repeat(9));
    let levels: Vec<_> = (1..10).map(level).collect();
    let bomb = format!("a0: &a0 [{}]\n{}\n", "lol, ".repeat(9), levels.join("\n"));
    let told = "line 1: this is not what authelia";
    assert_is_refused("x", ("x", &(bomb.clone() + "webauthn_credentials: *a9\n")), told);

    let marked = "it has an anchor, an alias or a tag";
    let one = HEAD.to_owned() + &exported("anna", "NAME", &SoftAuthenticator::es256(SITE));
    let inside = format!("NAME\n{bomb}").replace("\na", "\n      a");
    assert_is_refused(&one, ("NAME", inside.trim_end()), &format!("line 9: {marked}"));
    for (anchor, alias) in [("&x NAME", "rpid: *x"), ("&x [NAME]", "<<: *x")] {
        let both = format!("description: {anchor}\n      {alias}");
        assert_is_refused(&one, ("description: NAME", &both), &format!("line 8: {marked}"));
    }
    let list = "list: &x\nwebauthn_credentials: *x\n";
    assert_is_refused("x", ("x", list), told);
}

#[test]
fn refuses_an_export_of_authelia_that_is_nested_without_end() {
    const DEEP: usize = 200_000;
    let one = HEAD.to_owned() + &exported("anna", "NAME", &SoftAuthenticator::es256(SITE));
    let in_lines: Vec<_> = (10..500).map(|at| " ".repeat(at) + "a:").collect();
    for deep in [
        "[".repeat(DEEP),
        "{".repeat(DEEP),
        "[a: ".repeat(DEEP / 4),
        "[a, ".repeat(DEEP / 4),
        format!("[{}]", "a,".repeat(DEEP / 2 - 1)) + ": x",
        format!("\n        {}x", "- ".repeat(DEEP / 2)),
        format!("\n        {}x", "? ".repeat(DEEP / 2)),
        format!("\n{}", in_lines.join("\n")),
    ] {
        assert_is_refused(&one, ("NAME", &deep), "line ");
        assert_is_refused("x", ("x", deep.trim_start()), "line ");
    }
}

#[test]
fn refuses_a_passkey_of_authelia_that_has_no_end() {
    let keys: Vec<_> = (0..40_000).map(|at| format!("      k{at}: v")).collect();
    let told = "its passkey has more than 262144 bytes";
    let one = HEAD.to_owned() + &exported("anna", "NAME", &SoftAuthenticator::es256(SITE));
    for endless in [
        "x".repeat(300_000),
        "[".repeat(300_000),
        "'".to_owned() + &"x\n        ".repeat(50_000),
        "[".to_owned() + &"a,\n        ".repeat(50_000),
        "NAME\n".to_owned() + &keys.join("\n"),
        "NAME\n".to_owned() + &"# a comment\n".repeat(40_000),
    ] {
        assert_is_refused(&one, ("NAME", &endless), told);
    }
    // That many bytes of several are none too many.
    let all: Vec<_> = (0..40).map(|_| SoftAuthenticator::es256(SITE)).collect();
    let passkeys: String = all.iter().map(|it| exported("nobody", "NAME", it)).collect();
    let long = passkeys.replace("e30=", &"e30=".repeat(5_000));
    let report = authelia(USERS, &(HEAD.to_owned() + &long)).done(NOW);
    assert_eq!(report["passkeys"]["left_out"], json!({ "of no user": 40 }));
}

/// An export with another part in it is refused, and nothing is written.
fn assert_is_refused(good: &str, (part, other): (&str, &str), told: &str) {
    let text = good.replacen(part, other, 1);
    assert_ne!(text, good, "{part}");
    let it = authelia(USERS, &text);
    let refusal = it.run(NOW).err().unwrap_or_else(|| panic!("{other}"));
    assert!(refusal.contains(told) && refusal.contains("webauthn.yml"), "{other}: {refusal}");
    for part in ["NAME", "lol", "usb", "xxx"] {
        assert!(!refusal.contains(part), "it repeats what is in the file: {refusal}");
    }
    assert!(!refusal.contains('\n') && !it.order.database.file().unwrap().exists());
}

#[test]
fn warns_of_passkeys_that_were_made_for_another_domain_and_names_it_where_that_of_the_site_is_unknown()
 {
    let all: Vec<_> = (0..3).map(|_| SoftAuthenticator::es256(SITE)).collect();
    let passkeys = HEAD.to_owned()
        + &exported("anna", "a", &all[0])
        + &exported("anna", "b", &all[1]).replace("rpid: auth", "rpid: old")
        + &exported("bert", "c", &all[2]).replace("rpid: auth", "rpid: old");
    let mut it = authelia(USERS, &passkeys);
    it.order.dry_run = true;
    let told = it.done(NOW)["remarks"].clone();
    let (auth, old) = (&told[0], &told[1]);
    assert!(auth.as_str().unwrap().starts_with("1 passkey made for auth.example.com:"), "{told}");
    assert!(old.as_str().unwrap().ends_with("--passkey-domain old.example.com"), "{told}");
    it.order.passkey_domain = Some(DOMAIN.to_owned());
    let report = it.done(NOW);
    assert_eq!(report["remarks"], json!([]));
    let warning = "2 passkeys made for old.example.com: they do not work on this site, whose \
                   passkeys are for auth.example.com";
    assert_eq!(report["warning"], warning);

    // As the program is told, by its flags or by the settings of the server.
    let users = it.folder.path().join("users.csv");
    fs::write(&users, USERS.replace("BCRYPT", BCRYPT)).unwrap();
    let Source::Csv(options) = &it.order.source else { panic!() };
    let words = ["import", "csv", "--dry-run", "--json", "--passkeys-file"];
    let told = |flags: &[&str], variables: &[(&str, &str)]| {
        let mut command = vestibule(&words);
        command.arg(options.passkeys.as_ref().unwrap()).arg(&users).args(flags);
        command.args(["--database", it.order.database.file().unwrap().to_str().unwrap()]);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        report["warning"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(told(&["--origin", "https://auth.example.com/in"], &[]), warning);
    assert_eq!(told(&[], &[("VESTIBULE_ORIGIN", SITE)]), warning);
    let above = [("VESTIBULE_ORIGIN", SITE), ("VESTIBULE_PASSKEY_DOMAIN", "example.com")];
    assert!(
        told(&[], &above).starts_with("3 passkeys made for auth.example.com, old.example.com:")
    );
    assert_eq!(told(&[], &[]), "");
}
