//! Tables of every kind that spreadsheets and databases write.

use serde_json::{Value, json};
use vestibule::base::clock::Moment;
use vestibule::cli::import::{CsvOptions, Source};

use crate::binary::vestibule;
use crate::cli::import::{Move, counts, reasons, sign_in};

const NOW: Moment = Moment::from_millis(2_000_000_000_000);

/// `open sesame` by bcrypt.
const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy";

fn with(options: CsvOptions, text: &str) -> Move {
    let mut it = Move::from(Source::Csv(options), "-".into());
    it.input = text.replace("BCRYPT", BCRYPT).into_bytes();
    it
}

fn csv(text: &str) -> Move {
    with(CsvOptions::default(), text)
}

fn all_reasons(report: &Value) -> Vec<String> {
    report["people"].as_array().unwrap().iter().map(reasons).collect()
}

#[test]
fn ignores_blanks_around_values_as_around_headings() {
    let it = csv(
        "username , hash,  id , groups\n anna ,  BCRYPT , a1 , staff ; ops \nbob, \"BCRYPT\", b2 ,\n",
    );
    let report = it.done(NOW);
    assert_eq!((counts(&report, "users"), &report["people"]), ((2, 0), &json!([])));
    let all = it.texts("SELECT id || ' ' || username || ' ' || group_names FROM user ORDER BY id");
    assert_eq!(all, ["a1 anna ops,staff", "b2 bob "]);
    let mut visit = it.visit(NOW);
    for name in ["anna", "bob"] {
        assert_eq!(sign_in(&mut visit, name, "open sesame"), 302, "{name}");
    }
}

#[test]
fn finds_what_stands_between_values_or_is_told() {
    let argon2 = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$bIKRw3Ua1pluirFy81fnppmR01EnUxY3hLEBwbWxBG8";
    for between in [",", ";", "\t", "|"] {
        let quote = if between == "," { "\"" } else { "" };
        let rows = ["username", "hash", "email\nanna", "HASH", "anna@example.com\n"].join(between);
        let it = csv(&rows.replace("HASH", &format!("{quote}{argon2}{quote}")));
        assert_eq!(it.done(NOW)["people"], json!([]), "{between:?}");
        assert_eq!(it.texts("SELECT email FROM user"), ["anna@example.com"], "{between:?}");
        assert_eq!(sign_in(&mut it.visit(NOW), "anna", "correct horse"), 302, "{between:?}");
    }
    let it = csv("sep=;\nusername;hash\nanna;BCRYPT\nbob;\n");
    assert_eq!(it.done(NOW)["people"][0]["line"], 4, "as spreadsheets say it");
    let said = csv(&format!("username,hash\nanna,{argon2}\n")).run(NOW).err().unwrap();
    assert!(said.contains("line 2: it has 4 values") && said.contains("quotation marks"), "{said}");
    let options = CsvOptions { delimiter: Some(b':'), ..CsvOptions::default() };
    let it = with(options, "username:hash,x\nanna:BCRYPT\n");
    assert!(it.run(NOW).err().unwrap().contains("no column hash"));
    let options = CsvOptions { delimiter: Some(b':'), ..CsvOptions::default() };
    assert_eq!(counts(&with(options, "username:hash\nanna:BCRYPT\n").done(NOW), "users"), (1, 0));
}

#[test]
fn takes_the_columns_that_are_named() {
    let options = CsvOptions {
        username: Some("user_login".to_owned()),
        hash: Some("user_pass".to_owned()),
        email: Some("user_email".to_owned()),
        groups: Some("roles".to_owned()),
        ..CsvOptions::default()
    };
    let rows = "ID,user_login,user_pass,user_email,display_name,roles,username,hash\n\
                7,anna,BCRYPT,anna@example.com,Anna A.,editor,other,no hash\n";
    let it = with(options.clone(), rows);
    let report = it.done(NOW);
    assert_eq!(report["people"], json!([]));
    let all =
        it.texts("SELECT id || ' ' || username || ' ' || email || ' ' || group_names FROM user");
    assert_eq!(all, ["7 anna anna@example.com editor"]);
    let attributes: Value =
        serde_json::from_str(&it.texts("SELECT attributes FROM user")[0]).unwrap();
    assert_eq!(attributes, json!({"display_name": "Anna A.", "username": "other"}));
    assert_eq!(sign_in(&mut it.visit(NOW), "anna", "open sesame"), 302);
    let said = with(options, "username,hash\nanna,BCRYPT\n").run(NOW).err().unwrap();
    assert!(said.contains("no column user_login, but username, hash; --username COLUMN"), "{said}");
    let said = csv("username,password_hash,PasswordHash\nanna,x,y\n").run(NOW).err().unwrap();
    assert!(said.contains("password_hash and PasswordHash; --hash says which"), "{said}");
    let said = csv("username,password\nanna,x\n").run(NOW).err().unwrap();
    assert!(said.contains("but username, password; --hash COLUMN says which it is"), "{said}");
}

#[test]
fn shows_no_first_line_that_may_hold_a_password_hash() {
    for row in [
        "anna:$apr1$abcdefgh$0123456789abcdef",
        "7,anna,$2y$04$abcdefghijklmnopqrstuu",
        "anna;{SHA}eA==",
    ] {
        let said = csv(&format!("{row}\n")).run(NOW).err().unwrap();
        assert!(said.contains("no column username, and what it holds are not headings"), "{said}");
        assert!(!said.contains("anna") && !said.contains('$'), "{said}");
    }
}

#[test]
fn takes_null_and_nothing_for_no_value() {
    let it = csv("id,username,hash,email,groups,created_at,disabled,country\n\
         NULL,anna,NULL,NULL,NULL,NULL,NULL,NULL\n\\N,bob,\\N,\\N,\\N,\\N,\\N,\\N\n,carl,,,,,,\n\
         4,NULL,,,,,,\n5,dora,!unusable,,,,,\n");
    let mut it = it;
    assert_eq!(
        it.refused()["conflicts"][0]["why"].as_str().unwrap().split(';').next(),
        Some("has no name")
    );
    it.order.skip_conflicts = true;
    let report = it.done(NOW);
    assert_eq!(
        all_reasons(&report),
        ["anna no_password", "bob no_password", "carl no_password", "dora no_password"]
    );
    let all = it.texts(
        "SELECT email || group_names || coalesce(disabled_at, '') || attributes FROM user
                         ORDER BY username",
    );
    let null = "{\"country\":null}";
    assert_eq!(all, [null, null, "{\"country\":\"\"}", "{\"country\":\"\"}"]);
    assert_eq!(it.texts("SELECT id FROM user WHERE length(id) <> 15"), ["5"]);
}

#[test]
fn keeps_when_an_account_was_made_and_says_of_whom_it_cannot_be_read() {
    let it =
        csv("username,hash,created_at\nanna,BCRYPT,2020-01-02 03:04:05\nbob,BCRYPT,1577934245\n\
         carl,BCRYPT,yesterday\ndora,BCRYPT,\nemil,BCRYPT,3.5\nfay,BCRYPT,2099-01-01\n\
         gerd,BCRYPT,\" 1577934245 \"\n");
    let report = it.done(NOW);
    let made = it.texts("SELECT CAST(created_at AS TEXT) FROM user ORDER BY username");
    let (then, now) = ("1577934245000", "2000000000000");
    assert_eq!(made, [then, then, now, now, now, now, then]);
    assert_eq!(all_reasons(&report), ["carl created_now", "emil created_now", "fay created_now"]);
    let text = report["people"][0]["reasons"][0]["text"].as_str().unwrap();
    assert!(text.ends_with(": yesterday"), "{text}");
}

/// Who is disabled, and since when, in a table with one column more.
fn disabled(heading: &str, values: &[&str]) -> Vec<String> {
    let rows = values.iter().enumerate().map(|(at, it)| format!("user{at},BCRYPT,{it}\n"));
    let it = csv(&format!("username,hash,{heading}\n{}", rows.collect::<String>()));
    let report = it.done(NOW);
    let all = it.texts(
        "SELECT username || ' ' || disabled_at || ' ' || disabled_reason FROM user
                         WHERE disabled_at IS NOT NULL ORDER BY username",
    );
    let told = all_reasons(&report);
    assert!(told.len() == all.len() && told.iter().all(|it| it.ends_with(" disabled")), "{told:?}");
    assert_eq!(it.texts("SELECT attributes FROM user WHERE attributes <> ''").len(), 0);
    all
}

#[test]
fn understands_columns_that_say_who_is_disabled() {
    for heading in ["disabled", "banned", "is_blocked", "Suspended", "locked", "deleted_at"] {
        let all = disabled(heading, &["true", "1", "yes", "t", "false", "0", "", "NULL", "no"]);
        assert_eq!(all.len(), 4, "{heading}: {all:?}");
        assert_eq!(all[0], format!("user0 2000000000000 {heading} is true"));
    }
    for heading in ["active", "is_active", "enabled"] {
        let all = disabled(heading, &["true", "1", "false", "0", "f"]);
        assert_eq!(all.len(), 3, "{heading}: {all:?}");
    }
    let all =
        disabled("deleted_at", &["2020-01-02T03:04:05Z", "0000-00-00 00:00:00", "1577934245"]);
    let names: Vec<_> = all.iter().map(|it| it.split(' ').take(2).collect::<Vec<_>>()).collect();
    assert_eq!(names, [["user0", "1577934245000"], ["user2", "1577934245000"]]);
    assert_eq!(disabled("status", &["active", "Banned", "inactive", "ok", ""]).len(), 2);
    assert_eq!(disabled("banned_until", &["2001-01-01", "2099-01-01", ""]).len(), 1);
}

#[test]
fn lets_no_disabled_user_in_and_keeps_the_reason() {
    let it = csv(
        "username,hash,active,banned,ban_reason\nanna,BCRYPT,1,yes,spam\nbob,BCRYPT,1,,\ncarl,BCRYPT,0,,\n",
    );
    it.done(NOW);
    let whys = "SELECT disabled_reason FROM user WHERE disabled_at IS NOT NULL ORDER BY username";
    assert_eq!(it.texts(whys), ["spam", "active is 0"]);
    let mut visit = it.visit(NOW);
    for (name, status) in [("anna", 400), ("bob", 302), ("carl", 400)] {
        assert_eq!(sign_in(&mut visit, name, "open sesame"), status, "{name}");
    }
}

#[test]
fn imports_no_user_where_a_value_may_mean_disabled_and_is_not_understood() {
    for (heading, value) in [
        ("status", "pending"),
        ("status", "3"),
        ("state", "CA"),
        ("active", ""),
        ("is_active", "maybe"),
        ("banned", "perhaps"),
        ("locked_until", "later"),
        ("locked_out", "true"),
        ("forum_banned", "2026-01-01"),
    ] {
        let rows = format!("username,hash,{heading}\nanna,BCRYPT,{value}\n");
        let mut it = csv(&rows);
        it.order.skip_conflicts = true;
        let said = it.run(NOW).err().unwrap();
        let expected = format!(
            "line 2: the column {heading} says \"{value}\", which may mean that the user is disabled; --attribute {heading}"
        );
        assert!(said.contains(&expected) && !said.contains('\n'), "{said}");
        assert!(!it.order.database.file().unwrap().exists());
        let options = CsvOptions { attributes: vec![heading.to_owned()], ..CsvOptions::default() };
        let it = with(options, &rows);
        it.done(NOW);
        assert_eq!(it.texts("SELECT attributes FROM user"), [json!({heading: value}).to_string()]);
    }
}

#[test]
fn makes_groups_fit_and_leaves_out_those_alone_that_cannot_be() {
    let it = csv(
        "username,hash,groups\nanna,BCRYPT,Staff Members;ops\nbob,BCRYPT,\"ADMIN,b\u{fc}ro\"\n",
    );
    let report = it.done(NOW);
    assert_eq!(
        it.texts("SELECT group_names FROM user ORDER BY username"),
        ["ops,staff-members", "admin"]
    );
    assert_eq!(all_reasons(&report), ["bob group_left_out"]);
    let text = report["people"][0]["reasons"][0]["text"].as_str().unwrap();
    assert!(text.ends_with("be groups here: b\u{fc}ro"), "{text}");
    let remarks =
        json!(["the group ADMIN becomes admin", "the group Staff Members becomes staff-members"]);
    assert_eq!(report["remarks"], remarks);
}

#[test]
fn brings_the_table_of_djangos_users_over_and_signs_them_in() {
    // What Django 5.2.19 wrote into `auth_user`, with a hasher each, as Python's csv prints it: the password of
    // all is `correct horse`, emil is not active, and fritz has no usable password.
    let text = include_str!("../../data/django/auth_user.csv");
    let options = CsvOptions { hash: Some("password".to_owned()), ..CsvOptions::default() };
    let it = with(options, text);
    let report = it.done(NOW);
    assert_eq!(counts(&report, "users"), (6, 0));
    assert_eq!(all_reasons(&report), ["emil disabled", "fritz no_password"]);
    let made = "SELECT CAST(created_at AS TEXT) FROM user WHERE id = '1'";
    assert_eq!(it.texts(made), ["1795859568199"]);
    let attributes: Value =
        serde_json::from_str(&it.texts("SELECT attributes FROM user WHERE id = '2'")[0]).unwrap();
    assert_eq!(attributes["first_name"], "Bert");
    let mut visit = it.visit(NOW);
    for name in ["anna", "bert", "carl", "dora"] {
        assert_eq!(sign_in(&mut visit, name, "wrong horse"), 400, "{name}");
        assert_eq!(sign_in(&mut visit, name, "correct horse"), 302, "{name}");
    }
    for name in ["emil", "fritz"] {
        assert_eq!(sign_in(&mut visit, name, "correct horse"), 400, "{name}");
    }
    let raw = crate::cli::import::raw(&visit);
    let sql = "SELECT count(*) FROM user_key WHERE hashed_password LIKE '$argon2id$v=19$m=64,%'";
    assert_eq!(raw.query_row(sql, [], |row| row.get(0)), Ok(4), "each is hashed anew");
}

#[test]
fn is_told_about_columns_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let (database, file) = (folder.path().join("test.db"), folder.path().join("people.csv"));
    std::fs::write(&file, "login~pass~mail~roles~status\nanna~x~a@example.com~ops~new\n").unwrap();
    let [database, file] = [&database, &file].map(|it| it.to_str().unwrap());
    let words =
        "--delimiter ~ --username login --hash pass --email mail --groups roles --attribute status";
    let mut all = vec!["import", "csv", file, "--json", "--database", database];
    all.extend(words.split(' '));
    let done = vestibule(&all).output().unwrap();
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(
        (counts(&report, "users"), all_reasons(&report)),
        ((1, 0), vec!["anna unreadable_hash".into()])
    );
    let wrong = vestibule(&["import", "csv", file, "--delimiter", "~~"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn brings_over_second_factors_and_says_of_each_that_it_cannot_bring_why() {
    let it = csv("username,hash,totp\n\
         anna,BCRYPT,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n\
         bert,BCRYPT,otpauth://totp/x:bert?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=x\n\
         carl,BCRYPT,otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=8\n\
         dora,BCRYPT,no secret!\n\
         emil,BCRYPT,\n");
    let report = it.done(NOW);
    assert_eq!(report["second_factors"]["imported"], 2);
    let why = |name: &str| {
        let of = report["people"].as_array().unwrap().iter().find(|it| it["username"] == name);
        of.map(|it| it["reasons"].to_string()).unwrap_or_default()
    };
    for name in ["carl", "dora"] {
        assert!(why(name).contains("second_factor_left_out"), "{report}");
        assert!(!why(name).contains("GEZDGNBV") && !why(name).contains("no secret"), "{name}");
    }
    assert!(report["notes"].to_string().contains("without recovery codes"), "{report}");
    let on = "SELECT username FROM user WHERE second_factor_since IS NOT NULL ORDER BY 1";
    assert_eq!(it.texts(on), ["anna", "bert"]);
    let secrets = "SELECT hex(secret) FROM totp";
    let expected = "003132333435363738393031323334353637383930";
    assert_eq!(it.texts(secrets), [expected, expected]);
}
