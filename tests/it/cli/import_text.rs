//! People who come over out of texts: files of passwords and tables.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};
use vestibule::base::clock::Moment;
use vestibule::cli::import::{CsvOptions, Source};

use crate::binary::vestibule;
use crate::cli::import::{Move, counts, raw, reasons, sign_in};
use crate::engine;

const NOW: Moment = Moment::from_millis(1_000_000);

/// `open sesame` by bcrypt, at its lowest cost, in the form that `htpasswd -B` writes.
const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy";

fn from(source: Source, text: &str) -> Move {
    let mut it = Move::from(source, "-".into());
    it.input = text.replace("BCRYPT", BCRYPT).into_bytes();
    it
}

fn htpasswd(text: &str) -> Move {
    from(Source::Htpasswd, text)
}

fn csv(text: &str) -> Move {
    from(Source::Csv(CsvOptions::default()), text)
}

#[test]
fn brings_a_file_of_passwords_over_and_keeps_no_weak_hash() {
    let it = htpasswd(
        "# people\n\nAnna:BCRYPT\r\nbob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\ncarl:$apr1$x$y:more\n\
         dora:plain text\neve:rqXexS6ZhobKA\nfay:$2y$04$short",
    );
    let report = it.done(NOW);
    assert_eq!((counts(&report, "users"), counts(&report, "keys")), ((6, 0), (6, 0)));
    let notes = report["notes"].as_object().unwrap();
    assert_eq!((notes.len(), notes.values().next()), (1, Some(&json!(5))), "{report}");
    assert!(notes.keys().next().unwrap().contains("reset-link"));
    let texts = report["people"].as_array().unwrap().iter().map(|it| &it["reasons"][0]["text"]);
    let kind = "a password hash of a kind that is not known";
    assert_eq!(
        texts.collect::<Vec<_>>(),
        [
            &format!("{kind}: SHA-1 without a salt, {{SHA}}"),
            &format!("{kind}: MD5-crypt, malformed"),
            kind,
            &format!("{kind}: DES-crypt, or a password that is not hashed"),
            &format!("{kind}: bcrypt, malformed"),
        ]
    );
    let kept = "SELECT hashed_password FROM user_key WHERE hashed_password IS NOT NULL";
    assert_eq!(it.texts(kept), [BCRYPT]);
    assert_eq!(it.texts("SELECT username FROM user ORDER BY canonical_username")[0], "Anna");
    assert!(it.texts("SELECT id FROM user").iter().all(|id| id.len() == 15));
    assert!(it.texts("SELECT detail FROM audit")[0].starts_with("from=htpasswd users=6 keys=6"));
    let mut visit = it.visit(NOW);
    assert_eq!(sign_in(&mut visit, "anna", "not it"), 400);
    assert_eq!(sign_in(&mut visit, "anna", "open sesame"), 302);
    assert_eq!(sign_in(&mut visit, "dora", "plain text"), 400);
    let sql = "SELECT hashed_password FROM user_key WHERE id = 'username:anna'";
    let hash: String = raw(&visit).query_row(sql, [], |row| row.get(0)).unwrap();
    assert!(hash.starts_with("$argon2id$"));
}

#[test]
fn signs_people_in_with_a_password_that_the_other_system_hashed_as_it_was_typed() {
    let typed = "x\u{b2}\u{b5} \u{fb01}sh\u{a0}7";
    let it = csv("username,hash\n\
         anna,$2b$05$CCCCCCCCCCCCCCCCCCCCC.6AWONTZ6st8xQ4swpKIk/P6N.47X0eu\n\
         bertha,pbkdf2_sha256$1000$seasalt$UyHHCqM+9gG9ET+Cp3A+C8fa4cDUADEMkMEXfNprYIs=\n");
    it.done(NOW);
    let mut visit = it.visit(NOW);
    for name in ["anna", "bertha"] {
        assert_eq!(sign_in(&mut visit, name, "x2\u{3bc} fish 8"), 400, "{name}");
        assert_eq!(sign_in(&mut visit, name, typed), 302, "{name}");
        assert_eq!(sign_in(&mut visit, name, "x2\u{3bc} fish 7"), 302, "{name}: it is hashed anew");
    }
}

/// Signs in with `correct horse` under every name, and asserts that the hash is replaced.
fn signs_in_once_with_the_old_hash(it: Move, names: &[&str]) {
    let mut visit = it.visit(NOW);
    for name in names {
        assert_eq!(sign_in(&mut visit, name, "wrong horse"), 400, "{name}");
        assert_eq!(sign_in(&mut visit, name, "correct horse"), 302, "{name}");
        let sql = "SELECT hashed_password FROM user_key WHERE id = 'username:' || ?1";
        let hash: String = raw(&visit).query_row(sql, [name], |row| row.get(0)).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,"), "{name}: {hash}");
        assert_eq!(sign_in(&mut visit, name, "correct horse"), 302, "{name}: with the new hash");
    }
}

#[test]
fn signs_people_of_htpasswd_in_whatever_the_tool_made_of_their_password() {
    // From `openssl passwd` of OpenSSL 3.0.19, which writes what htpasswd does.
    let it = htpasswd(
        "anna:$apr1$abcdefgh$sIQmFnT1CuEXAsyjuXjUX/\n\
         bert:$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80\n\
         carl:$5$abcdefgh$ruMep1ijHnJPZbETDNiumskxcX3kN4lzZd5VlsqE7eB\n\
         dora:$6$abcdefgh$yIZAF3gQPvtKZO/9qOJKffAKKbtS3ef3qmwyugk4uWVjX8YZf/GV3A8SkFxEPY0T56CcilGrHKLffBsp6dLMG.\n",
    );
    let report = it.done(NOW);
    assert_eq!((counts(&report, "users"), &report["people"]), ((4, 0), &json!([])));
    signs_in_once_with_the_old_hash(it, &["anna", "bert", "carl", "dora"]);
}

#[test]
fn signs_people_in_whose_hash_cost_more_elsewhere_and_names_those_whose_hash_costs_too_much() {
    // From Django 5.2.19, and from argon2-cffi 25.1.0 with the costs of PHP, Vaultwarden and libsodium.
    let it = csv("username,hash\n\
         django,\"argon2$argon2id$v=19$m=102400,t=2,p=8$UkQ3bWdWQjVybmdvR1NSQ0MxcXdjcw$51/8K5RYeP9xqUu95NSlaBu3C6/Y2EkxF4ILKwFE1rk\"\n\
         php1,\"$argon2id$v=19$m=65536,t=4,p=1$MDEyMzQ1Njc4OWFiY2RlZg$gFMqBp3owLf0mB3dz+ah/boAR60nDVMs1hc0/wDXAr8\"\n\
         vault,\"$argon2id$v=19$m=65540,t=3,p=4$MDEyMzQ1Njc4OWFiY2RlZg$FJ7OiBvl30uJhYaxaZ8kx0r0MV6cJHJtQwrV9uL6Vf8\"\n\
         sodium,\"$argon2id$v=19$m=262144,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg$rlW4OsRng213xhiyewTPXZ82IS9wx+1RdUokdGvsLfA\"\n\
         sensitive,\"$argon2id$v=19$m=1048576,t=4,p=1$MDEyMzQ1Njc4OWFiY2RlZg$5pp36bd5SUDnxkaMELvOXfUvcRztUales2MbmX0omyc\"\n");
    let report = it.done(NOW);
    let people = report["people"].as_array().unwrap();
    assert_eq!((people.len(), &*reasons(&people[0])), (1, "sensitive costly_hash"));
    let text = people[0]["reasons"][0]["text"].as_str().unwrap();
    assert!(text.ends_with("too costly to verify: argon2id with m=1048576,t=4,p=1"), "{text}");
    signs_in_once_with_the_old_hash(it, &["django", "php1", "vault", "sodium"]);
}

#[test]
fn refuses_a_line_that_is_malformed_by_its_number() {
    for (text, line) in [
        ("a:BCRYPT\n\nno colon\n", "line 3: "),
        ("a:BCRYPT\n:BCRYPT\n", "line 2: "),
        ("a:\n", "line 1: "),
        ("SQLite format 3\0", "line 1: "),
    ] {
        let it = htpasswd(text);
        let said = it.run(NOW).err().unwrap();
        assert!(said.contains(line) && !said.contains('\n') && !said.contains("colon\n"), "{said}");
        assert!(!said.contains("$2y$"), "no hash is repeated");
        assert!(!it.order.database.file().unwrap().exists());
    }
}

#[test]
fn knows_people_without_an_id_by_their_name() {
    for it in [htpasswd("anna:BCRYPT\nbob:BCRYPT\n"), csv("username,hash\nanna,BCRYPT\nbob,\n")] {
        it.done(NOW);
        let before = it.rows();
        let report = it.done(NOW);
        assert_eq!((counts(&report, "users"), counts(&report, "keys")), ((0, 2), (0, 2)));
        assert!(it.rows() == before, "a second run changes nothing");
    }
    let mut it = htpasswd("ANNA:BCRYPT\nbob:BCRYPT\n");
    drop(engine::file(it.order.database.file().unwrap()));
    let ours = "INSERT INTO user (id, username, canonical_username, created_at)
                VALUES ('1', 'anna', 'anna', 0), ('2', 'carl', 'carl', 0);
                INSERT INTO user_key VALUES ('email:a', '1', NULL);";
    it.raw().execute_batch(ours).unwrap();
    let report = it.done(NOW);
    assert_eq!(counts(&report, "users"), (1, 1));
    assert_eq!(report["keys"]["left_out"]["of users who are here already"], 1);
    assert_eq!(it.texts("SELECT username FROM user ORDER BY username"), ["anna", "bob", "carl"]);
    assert_eq!(it.texts("SELECT id FROM user_key ORDER BY id"), ["email:a", "username:bob"]);
    it.input = b"Carl:x\ncarl:y\n".to_vec();
    let report = it.refused();
    assert_eq!(report["conflicts"][0]["id"], Value::Null, "an id that was made tells nothing");
    it.raw().execute("INSERT INTO user_key VALUES ('username:dan', '1', NULL)", []).unwrap();
    it.input = b"dan:x\n".to_vec();
    let why = it.refused()["conflicts"][0]["why"].clone();
    assert!(
        why.as_str().unwrap().contains("the name of another user"),
        "he signs in with it: {why}"
    );
}

#[test]
fn refuses_a_row_without_an_end_before_it_fills_the_memory() {
    for start in ["username,hash\nanna,", "username,hash\nanna,\""] {
        let mut it = csv("");
        let mut text = start.as_bytes().to_vec();
        text.resize(65 * 1024 * 1024, b'x');
        it.input = text;
        let why = it.run(NOW).err().unwrap();
        assert!(why.contains("too long"), "{why}");
    }
}

#[test]
fn reads_lines_whatever_ends_them() {
    for end in ["\n", "\r\n", "\r"] {
        for last in ["", end] {
            let it = htpasswd(&format!("anna:BCRYPT{end}bob:BCRYPT{end}{end}carl:BCRYPT{last}"));
            assert_eq!(counts(&it.done(NOW), "users"), (3, 0), "{end:?}");
            let it = csv(&format!("username,hash,id{end}anna,BCRYPT,a{end}{end}bob,,b{last}"));
            let report = it.done(NOW);
            assert_eq!(counts(&report, "users"), (2, 0), "{end:?}");
            assert_eq!(report["people"][0]["line"], 4, "{end:?}: {report}");
            assert_eq!(it.texts("SELECT id FROM user ORDER BY id"), ["a", "b"], "{end:?}");
        }
    }
    let it = htpasswd("anna:BCRYPT\rno colon\r");
    assert!(it.run(NOW).err().unwrap().contains("line 2: "));
}

#[test]
fn takes_the_first_of_two_lines_with_one_name_as_apache_does() {
    let mut it = htpasswd("anna:BCRYPT\nbob:BCRYPT\nanna:{SHA}x\nanna:BCRYPT\n");
    let report = it.done(NOW);
    assert_eq!(counts(&report, "users"), (2, 0));
    assert_eq!(report["users"]["left_out"]["with a name that an earlier line has"], 2);
    assert_eq!(report["rows"][0]["line"], 3);
    assert_eq!(report["people"], json!([]), "the first hash is good");
    it.order.json = false;
    let text = it.run(NOW).unwrap().report;
    assert!(text.contains("row       line 4: the name anna again; line 1 counts\n"), "{text}");
}

#[test]
fn refuses_utf_16_in_a_sentence() {
    for (bytes, is_big) in
        [(&b"\xff\xfe"[..], false), (b"\xfe\xff", true), (b"", false), (b"", true)]
    {
        let mut all = bytes.to_vec();
        let units = "username,hash\nanna,\n".encode_utf16();
        all.extend(units.flat_map(|it| if is_big { it.to_be_bytes() } else { it.to_le_bytes() }));
        for mut it in [csv(""), htpasswd("")] {
            it.input.clone_from(&all);
            let said = it.run(NOW).err().unwrap();
            assert!(
                said.contains("it is UTF-16; save it as UTF-8") && !said.contains('\n'),
                "{said}"
            );
        }
    }
}

#[test]
fn reads_a_text_with_the_mark_that_editors_put_before_it() {
    let it = htpasswd("\u{feff}anna:BCRYPT\n");
    it.done(NOW);
    assert_eq!(it.texts("SELECT username FROM user"), ["anna"]);
}

#[test]
fn brings_a_table_over_with_what_else_is_in_it() {
    let it =
        csv("\u{feff}username, hashed_password ,id,email,groups,country,password,totp_secret\n\
         Anna,BCRYPT,a1,anna@example.com,\"staff,admin\",NL,open sesame,x\n\
         bob,,,not one,admin;ops,\"Ä \"\"x\"\"\nb\",,\n\
         carl,{SHA}x,c3,,,,,\n");
    let report = it.done(NOW);
    assert_eq!(counts(&report, "users"), (3, 0));
    let note = |what: &str| {
        let notes = report["notes"].as_object().unwrap();
        notes.iter().find(|(note, _)| note.contains(what)).map(|(_, count)| count.clone())
    };
    assert_eq!(report["secret_columns"], json!({ "password": 1, "totp_secret": 1 }));
    assert_eq!(note("not known"), Some(json!(1)));
    assert_eq!(note("without a password"), Some(json!(1)));
    assert_eq!(note("address"), Some(json!(1)));
    let people: Vec<_> = report["people"].as_array().unwrap().iter().collect();
    assert_eq!(
        people.iter().map(|it| reasons(it)).collect::<Vec<_>>(),
        ["bob email_as_attribute no_password", "carl unreadable_hash"]
    );
    assert_eq!(people.iter().map(|it| &it["line"]).collect::<Vec<_>>(), [&json!(3), &json!(5)]);
    let all = it.texts(
        "SELECT username || ' ' || group_names || ' ' || email || ' ' || attributes FROM user
          ORDER BY canonical_username",
    );
    assert_eq!(all[0], "Anna admin,staff anna@example.com {\"country\":\"NL\"}");
    assert_eq!(all[1], "bob admin,ops  {\"country\":\"Ä \\\"x\\\"\\nb\",\"email\":\"not one\"}");
    assert_eq!(it.texts("SELECT id FROM user WHERE length(id) < 15 ORDER BY id"), ["a1", "c3"]);
    assert_eq!(
        it.texts("SELECT hashed_password FROM user_key WHERE hashed_password IS NOT NULL"),
        [BCRYPT]
    );
    assert_eq!(sign_in(&mut it.visit(NOW), "anna", "open sesame"), 302);
}

#[test]
fn refuses_a_table_that_is_not_whole() {
    for (text, cause) in [
        ("", "no column username"),
        ("name,hash\n", "no column username"),
        (
            "login;hash\nanna;x\n",
            "no column username, but login, hash; --username COLUMN says which",
        ),
        ("username,id\n", "no column hash"),
        ("username,hash,password_hash\n", "several columns"),
        ("username,hash,a,a\n", "two columns are called a"),
        ("username,hash\nanna,\nbob\n", "line 3: it has 1 values"),
        ("username,hash,note\nanna,,\"cut\nbob,,\n", "quotation mark"),
        ("SQLite format 3\0\n", "no column username"),
    ] {
        let it = csv(text);
        let said = it.run(NOW).err().unwrap();
        assert!(said.contains(cause) && !said.contains('\n'), "{said}");
        assert!(!it.order.database.file().unwrap().exists());
    }
    let mut it = csv("");
    it.input = b"username,hash\n\xff,\n".to_vec();
    assert!(it.run(NOW).err().unwrap().contains("line 2: it is no UTF-8"));
}

#[test]
fn leaves_rows_out_that_cannot_be_people() {
    let long = "x".repeat(32);
    let rows = format!("username,hash,groups\n{long},,\nbob,,\nBOB,,\n,,\nzoe,,\n");
    let mut it = csv(&rows);
    assert_eq!(it.refused()["conflicts"].as_array().unwrap().len(), 4);
    it.order.skip_conflicts = true;
    it.done(NOW);
    assert_eq!(it.texts("SELECT username FROM user"), ["zoe"]);
}

#[test]
fn reads_texts_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("test.db");
    for (source, text) in [("htpasswd", "anna:x\n"), ("csv", "username,hash\nbob,\n")] {
        let words = ["import", source, "-", "--database", database.to_str().unwrap()];
        let mut child = vestibule(&words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8(done.stdout).unwrap();
        assert!(done.status.success() && said.contains("users     1 imported"), "{said}");
    }
}
