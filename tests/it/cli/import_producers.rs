//! What the real programs wrote: databases of Lucia v2 with e-mail keys, of Lucia v3 with Drizzle and with Prisma, and
//! of better-auth with bans and with second factors; hashes of Apache's htpasswd, PHP, libsodium and Argon2's own tool.
//! `tests/data/producers/` has them, what is in them, and the scripts that made them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule::base::clock::Moment;
use vestibule::base::totp::{TimeStep, TotpSecret};
use vestibule::cli::import::foreign_db::{ColumnChoice, TableNames};
use vestibule::cli::import::{CsvOptions, Source};

use crate::cli::import::{Move, counts, raw, sign_in};
use crate::visit::{body, way};

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/producers").join(name)
}

fn about(name: &str) -> Value {
    let text = fs::read_to_string(data(&format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A database into a new one, its users, and a minute after it was made.
fn import(name: &str) -> (Move, Vec<Value>, Moment) {
    let about = about(name);
    let (tables, columns) = (TableNames::default(), ColumnChoice::default());
    let source = match about["source"].as_str().unwrap() {
        "lucia" => Source::Lucia { tables: None, username: None },
        "lucia-v3" => Source::LuciaV3 { tables, columns },
        "better-auth" => {
            let secret = about["secret"].as_str().map(str::to_owned);
            let rp_id = about["rp_id"].as_str().map(str::to_owned);
            Source::BetterAuth { tables, columns, secret, rp_id }
        }
        other => panic!("{other}"),
    };
    let made = Moment::from_millis(about["made_at_ms"].as_i64().unwrap());
    let users = about["users"].as_array().unwrap().clone();
    (Move::from(source, data(&format!("{name}.db"))), users, made.after(Duration::from_secs(60)))
}

/// Brings all users over, and compares every one with what was written down of them.
fn comes_over(name: &str) {
    let (it, users, now) = import(name);
    let report = it.done(now);
    assert_eq!(counts(&report, "users"), (users.len() as u64, 0), "{report}");
    assert_eq!((&report["warning"], &report["rows"]), (&Value::Null, &json!([])));
    let before = it.rows();
    it.done(now.after(Duration::from_secs(5)));
    assert!(it.rows() == before, "a second run changes nothing");
    for user in &users {
        is_as_it_was(&it, user, now);
    }
    sign_in_all(it, &users, now);
}

fn is_as_it_was(it: &Move, user: &Value, now: Moment) {
    let id = user["id"].as_str().unwrap();
    let row = |column: &str| {
        let sql = format!("SELECT CAST({column} AS TEXT) FROM user WHERE id = '{id}'");
        it.texts(&sql).pop().unwrap()
    };
    assert_eq!(row("username"), user["username"]);
    let created_at = user["created_at_ms"].as_i64().unwrap_or(now.millis());
    assert_eq!(row("created_at"), created_at.to_string(), "{user}");
    let email = if user["email_verified"] == true { user["email"].as_str().unwrap() } else { "" };
    assert_eq!(row("email"), email);
    assert!(!row("attributes").contains("password"), "{}", row("attributes"));
    let reason = match user["ban"].as_str() {
        None | Some("ended") => "",
        Some("for good") => "spam",
        Some(_) => "late (until 2046-11-23 09:35 UTC)",
    };
    assert_eq!(
        (row("disabled_reason").as_str(), row("disabled_at IS NOT NULL") == "1"),
        (reason, !reason.is_empty())
    );
    let name = user["username"].as_str().unwrap().to_lowercase();
    let own = user["password"].is_string().then(|| format!("username:{name}"));
    let other = user["other_key"].as_str().map(str::to_owned);
    let keys = it.texts(&format!("SELECT id FROM user_key WHERE user_id = '{id}' ORDER BY id"));
    assert_eq!(keys, other.into_iter().chain(own).collect::<Vec<_>>());
}

/// Signs all users in with the password that they have, and with the cookie that their browser has.
fn sign_in_all(it: Move, users: &[Value], now: Moment) {
    let mut visit = it.visit(now);
    for user in users {
        let [id, name] = ["id", "username"].map(|field| user[field].as_str().unwrap());
        let is_shut_out = matches!(user["ban"].as_str(), Some("for good" | "ends later"));
        for session in user["sessions"].as_array().unwrap() {
            visit.cookie = Some(format!("auth_session={}", session["id"].as_str().unwrap()));
            let answer = visit.get("/");
            let is_live = session["state"] == "live";
            assert_eq!(answer.status, if is_live { 200 } else { 302 }, "{session}");
            assert!(!is_live || body(&answer).contains(id));
        }
        if let Some(password) = user["password"].as_str() {
            assert_eq!(sign_in(&mut visit, name, "not it"), 400, "{name}");
            let expected = if is_shut_out { 400 } else { 302 };
            assert_eq!(sign_in(&mut visit, name, password), expected, "{name}");
            assert!(is_shut_out || body(&visit.get("/")).contains(id), "{name}");
        }
    }
    let sql = "SELECT count(*) FROM user_key JOIN user ON user.id = user_id
                WHERE hashed_password NOT LIKE '$argon2id$%' AND user_key.id LIKE 'username:%'
                  AND disabled_at IS NULL";
    assert_eq!(raw(&visit).query_row(sql, [], |row| row.get(0)), Ok(0));
}

#[test]
fn brings_over_what_lucia_v2_with_email_keys_has_written() {
    comes_over("lucia-v2-email");
}

#[test]
fn brings_over_what_lucia_v3_with_drizzle_has_written() {
    comes_over("lucia-v3-drizzle");
}

#[test]
fn brings_over_what_lucia_v3_with_prisma_has_written() {
    comes_over("lucia-v3-prisma");
}

#[test]
fn brings_over_what_better_auth_with_bans_has_written() {
    comes_over("better-auth-admin");
}

/// The codes of an app that better-auth has set up are asked for, and work.
#[test]
fn takes_the_codes_of_the_apps_that_better_auth_has_set_up() {
    let (it, users, now) = import("better-auth-two-factor");
    let report = it.done(now);
    assert_eq!(counts(&report, "users"), (4, 0), "{report}");
    assert_eq!(report["second_factors"]["imported"], 2, "{report}");
    let mut visit = it.visit(now);
    for user in &users {
        let [name, password] = ["username", "password"].map(|field| user[field].as_str().unwrap());
        let asked = visit.post("/login", &[("username", name), ("password", password)]);
        if user["is_on"] != true {
            assert_eq!(way(&asked), (302, Some("/")), "{name}");
            visit.forget_everything();
            continue;
        }
        assert_eq!(way(&asked), (302, Some("/login/second")), "{name}");
        let app = TotpSecret::from_uri(user["uri"].as_str().unwrap()).unwrap();
        let code = app.code_at(TimeStep::of(visit.now)).reveal();
        assert_eq!(visit.post("/login/second", &[("code", &*code)]).status, 302, "{name}");
        assert!(visit.is_signed_in());
        visit.forget_everything();
    }
}

/// Brings the people of a text over, and signs in all users whose hash can be verified, with the password that was
/// hashed.
fn signs_in_all_users_of(name: &str) {
    let now = Moment::from_millis(1_795_860_000_000);
    let about = about(name);
    let source = match about["source"].as_str().unwrap() {
        "htpasswd" => Source::Htpasswd,
        "csv" => Source::Csv(CsvOptions::default()),
        other => panic!("{other}"),
    };
    let it = Move::from(source, data(about["file"].as_str().unwrap()));
    let report = it.done(now);
    let users = about["users"].as_array().unwrap();
    assert_eq!(counts(&report, "users"), (users.len() as u64, 0), "{report}");
    let before = it.rows();
    it.done(now.after(Duration::from_secs(5)));
    assert!(it.rows() == before, "a second run changes nothing");
    let mut visit = it.visit(now);
    for user in users {
        let [name, password] = ["username", "password"].map(|it| user[it].as_str().unwrap());
        let people = report["people"].as_array().unwrap();
        let told = people.iter().find(|it| it["username"] == name);
        let reason = told.map_or(&Value::Null, |it| &it["reasons"][0]["reason"]);
        assert_eq!(reason, &user["reason"], "{name}");
        assert_eq!(sign_in(&mut visit, name, "not it"), 400, "{name}");
        let expected = if user["reason"].is_null() { 302 } else { 400 };
        assert_eq!(sign_in(&mut visit, name, password), expected, "{name}");
        assert_eq!(sign_in(&mut visit, name, password), expected, "{name}: with the new hash");
    }
}

#[test]
fn signs_in_the_people_of_a_file_that_htpasswd_has_written() {
    signs_in_all_users_of("htpasswd");
}

#[test]
fn signs_people_in_whose_password_php_has_hashed() {
    signs_in_all_users_of("php");
}

#[test]
fn signs_people_in_whose_password_libsodium_or_vaultwarden_has_hashed() {
    signs_in_all_users_of("costs");
}
