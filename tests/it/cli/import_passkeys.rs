//! Passkeys that come over from better-auth, and those that cannot.

use std::fs;
use std::path::PathBuf;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use vestibule::base::clock::Moment;
use vestibule::cli::import::Source;
use vestibule::cli::import::foreign_db::{ColumnChoice, TableNames};
use vestibule::web::http::Response;

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
