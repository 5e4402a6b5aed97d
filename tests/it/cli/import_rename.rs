//! People who get new names on their way.

use std::fs;

use rusqlite::Connection;
use serde_json::Value;
use vestibule::base::clock::Moment;
use vestibule::cli::import::{CsvOptions, Source};

use crate::cli::import::{Move, counts, reasons, sign_in};

const NOW: Moment = Moment::from_millis(1_000_000);

/// `open sesame` by bcrypt.
const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy";

/// A name of more than 31 characters.
const LONG: &str = "maximiliane.mustermann@example.com";

fn renamed(mut it: Move, renames: &str) -> Move {
    let file = it.folder.path().join("renames.csv");
    fs::write(&file, renames).unwrap();
    it.order.rename = Some(file);
    it
}

fn from(source: Source, text: &str) -> Move {
    let mut it = Move::from(source, "-".into());
    it.input = text.replace("BCRYPT", BCRYPT).replace("LONG", LONG).into_bytes();
    it
}

fn csv(text: &str) -> Move {
    from(Source::Csv(CsvOptions::default()), text)
}

fn lucia(rows: &str) -> Move {
    let mut it = Move::from(Source::Lucia { tables: None, username: None }, String::new().into());
    it.order.file = it.folder.path().join("lucia.db");
    let schema = "CREATE TABLE user (id TEXT, username TEXT);
                  CREATE TABLE user_key (id TEXT, user_id TEXT, hashed_password TEXT);
                  CREATE TABLE user_session (id TEXT, user_id TEXT, active_expires, idle_expires);";
    let rows = rows.replace("BCRYPT", BCRYPT).replace("LONG", LONG);
    Connection::open(&it.order.file).unwrap().execute_batch(&format!("{schema}{rows}")).unwrap();
    it
}

#[test]
fn gives_new_names_to_people_of_every_source_whose_names_are_too_long() {
    let lucia_rows = "INSERT INTO user VALUES ('1', 'LONG');
                      INSERT INTO user_key VALUES ('username:LONG', '1', 'BCRYPT');";
    let lucia_without_name = "INSERT INTO user VALUES ('1', NULL);
                      INSERT INTO user_key VALUES ('username:LONG', '1', 'BCRYPT');";
    for make in [
        &|| csv("username,hash\nLONG,BCRYPT\n") as Move,
        &|| from(Source::Htpasswd, "LONG:BCRYPT\n"),
        &|| lucia(lucia_rows),
        &|| lucia(lucia_without_name),
    ] as [&dyn Fn() -> Move; 4]
    {
        let refused = make().refused();
        assert!(refused["conflicts"][0]["why"].as_str().unwrap().contains("--rename FILE"));
        for renames in [
            format!("{LONG},maxi\n"),
            format!("{LONG}\tmaxi"),
            format!("old,new\n{LONG};maxi").replace("old,new", "old;new"),
        ] {
            let it = renamed(make(), &renames);
            let report = it.done(NOW);
            let person = &report["people"][0];
            assert_eq!((counts(&report, "users"), &*reasons(person)), ((1, 0), "maxi renamed"));
            let text = person["reasons"][0]["text"].as_str().unwrap();
            assert!(text.ends_with(LONG), "{text}");
            assert_eq!(it.texts("SELECT id FROM user_key"), ["username:maxi"]);
            let again = it.done(NOW);
            assert_eq!((counts(&again, "users"), &again["written"]), ((0, 1), &Value::Bool(false)));
            assert_eq!(sign_in(&mut it.visit(NOW), "maxi", "open sesame"), 302);
        }
    }
}

#[test]
fn gives_a_name_to_people_who_share_one_or_have_none() {
    let it = csv("username,hash,id\nAlice,BCRYPT,a1\nalice,BCRYPT,a2\n,BCRYPT,a3\n");
    let it = renamed(it, "alice,alice2\na3,third\n");
    assert_eq!(counts(&it.done(NOW), "users"), (3, 0));
    let all = it.texts("SELECT id || ' ' || username FROM user ORDER BY id");
    assert_eq!(all, ["a1 Alice", "a2 alice2", "a3 third"]);
}

#[test]
fn takes_an_exported_user_in_under_another_name() {
    let it = csv("username,hash,id\nanna,BCRYPT,a1\n");
    it.done(NOW);
    let database = it.order.database.file().unwrap().to_str().unwrap().to_owned();
    let export = crate::binary::vestibule(&["export", "--database", &database]).output().unwrap();
    let mut it = Move::from(Source::Vestibule, "-".into());
    it.input = export.stdout;
    let it = renamed(it, "ANNA,annabel\n");
    it.done(NOW);
    assert_eq!(it.texts("SELECT id FROM user_key"), ["username:annabel"]);
    assert_eq!(sign_in(&mut it.visit(NOW), "annabel", "open sesame"), 302);
}

#[test]
fn refuses_a_file_of_new_names_by_the_line_that_is_wrong_and_writes_nothing() {
    let rows = "username,hash,id\nanna,BCRYPT,1\nbob,BCRYPT,2\nBob,BCRYPT,3\nzoe,BCRYPT,4\n";
    for (renames, cause) in [
        ("anna,annabel\nnobody,new1\n", "line 2: no user is called nobody"),
        ("anna,ann\n", "line 1: ann has not 4 to 31 visible characters"),
        ("anna,x\u{200b}yzw\n", "line 1: "),
        (&*format!("anna,{LONG}\n"), "line 1: "),
        ("anna,annabel\nANNA,annabel2\n", "line 2: line 1 renames the same user"),
        ("anna,newname\n\nzoe,NEWNAME\n", "line 3: line 1 gives the name NEWNAME already"),
        ("anna,ZOE2\nbob,zoe2", "line 2: line 1 gives"),
        ("zoe,anna2\nbob,Anna\n", "line 2: another user is called anna (line 2)"),
        ("bob,bert\nBob,\n", "line 2: "),
        ("BOB,bert\n", "line 1: several users are called BOB"),
        ("anna\n", "line 1: it is not an old name and a new one"),
        ("anna,b,c\n", "line 1: it is not"),
        ("anna,\"cut\n", "quotation mark"),
    ] {
        let mut it = renamed(csv(rows), renames);
        it.order.skip_conflicts = true;
        let Err(said) = it.run(NOW) else { panic!("{renames:?} is taken") };
        assert!(
            said.contains(cause) && said.contains("renames.csv") && !said.contains('\n'),
            "{said}"
        );
        assert!(!it.order.database.file().unwrap().exists());
    }
    let it = renamed(csv("username,hash\nanna,BCRYPT\nzoes,BCRYPT\n"), "anna,ZOES\n");
    let said = it.run(NOW).err().unwrap();
    assert!(said.contains("line 1: another user is called zoes (line 3)"), "{said}");
    let it = renamed(csv("username,hash\nanna,BCRYPT\nzoes,BCRYPT\n"), "anna,zoes\nzoes,anna2\n");
    it.done(NOW);
    assert_eq!(it.texts("SELECT username FROM user ORDER BY username"), ["anna2", "zoes"]);
    let mut it = csv(rows);
    it.order.rename = Some(it.folder.path().join("missing.csv"));
    assert!(it.run(NOW).err().unwrap().contains("missing.csv"));
}
