//! What an operator is told of an import: who came over, who did not, and who needs something now.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use vestibule::base::clock::Moment;
use vestibule::cli::import::{CsvOptions, Source};

use crate::cli::import::{Move, counts, reasons};

const NOW: Moment = Moment::from_millis(1_000_000);

/// `open sesame` by bcrypt.
const HASH: &str = "$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy";

fn csv(text: &str) -> Move {
    let mut it = Move::from(Source::Csv(CsvOptions::default()), "-".into());
    it.input = text.replace("HASH", HASH).into_bytes();
    it
}

/// The report for people.
fn told(it: &mut Move) -> String {
    it.order.json = false;
    it.run(NOW).unwrap().report
}

/// The file of `--report`.
fn listed(it: &Move) -> Vec<Value> {
    let text = fs::read_to_string(it.order.report.as_ref().unwrap()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn says_of_a_dry_run_what_would_be_and_that_nothing_was_written() {
    let mut it = csv("username,hash\nanna,HASH\nbob,HASH\n");
    it.order.dry_run = true;
    let text = told(&mut it);
    assert!(text.contains("users     2 would be imported, 0 already there\n"), "{text}");
    assert!(text.contains("keys      2 would be imported, 0 already there\n"), "{text}");
    assert!(text.ends_with("Nothing was written: this is a dry run.\n"), "{text}");
    it.order.json = true;
    let report = it.done(NOW);
    let users = &report["users"];
    assert_eq!((&users["imported"], &users["would_import"]), (&json!(0), &json!(2)));
    assert_eq!((&report["written"], &report["dry_run"]), (&json!(false), &json!(true)));
}

#[test]
fn says_that_a_second_run_wrote_nothing() {
    let mut it = csv("username,hash\nanna,HASH\nbob,\n");
    let report = it.done(NOW);
    assert_eq!((counts(&report, "users"), &report["written"]), ((2, 0), &json!(true)));
    assert_eq!(report["users"]["would_import"], 0);
    let again = it.done(NOW);
    assert_eq!((counts(&again, "users"), &again["written"]), ((0, 2), &json!(false)));
    assert_eq!((&again["people"], &again["warning"]), (&json!([]), &Value::Null));
    let text = told(&mut it);
    assert!(text.ends_with("Nothing was written: everyone is here already.\n"), "{text}");
    assert_eq!(it.texts("SELECT detail FROM audit").len(), 1, "one import is on record");
    it.input = b"username,hash\n".to_vec();
    let text = told(&mut it);
    assert!(text.ends_with("Nothing was written: there is no user to import.\n"), "{text}");
}

#[test]
fn names_every_user_who_needs_something_by_the_line() {
    let long = "x".repeat(32);
    let rows =
        "username,hash,id,email\nanna,HASH,a1,\nbob,,b2,odd\n\"mul\nti\",HASH,,\ncarl,md5,,\n";
    let mut it = csv(&format!("{rows}{long},HASH,l5,\nDORA,HASH,,\ndora,HASH,,\n"));
    it.order.skip_conflicts = true;
    let text = told(&mut it);
    let lines: Vec<_> = text.lines().collect();
    let long_line = format!("conflict  {long} (l5, line 7): has a name of more than 31 characters");
    assert!(lines[0].starts_with(&long_line), "{text}");
    for (line, expected) in lines[1..].iter().zip([
        "conflict  DORA (line 8): shares the name dora with dora (line 9); --rename FILE gives another",
        "conflict  dora (line 9): shares the name dora with DORA (line 8); --rename FILE gives another",
        "person    bob (b2, line 3): an e-mail address that cannot be one here, kept as an attribute; \
         no password",
        "person    carl (line 6): a password hash of a kind that is not known",
        "users     4 imported, 0 already there, 3 left out: cannot come over as they are",
    ]) {
        assert_eq!(*line, expected);
    }
    let text = told(&mut it);
    let last = "Nothing was written: everyone who can come over is here already.\n";
    assert!(text.starts_with("conflict  ") && text.ends_with(last), "{text}");
}

#[test]
fn lists_all_users_in_a_file_that_the_owner_alone_can_read() {
    let rows = "username,hash,id\nanna,HASH,a1\nbob,,\nbob,,\n";
    let mut it = csv(rows);
    let file = it.folder.path().join("report.jsonl");
    it.order.report = Some(file.clone());
    it.order.dry_run = true;
    it.refused();
    let outcomes = |it: &Move| {
        let all = listed(it);
        let one = |it: &Value| format!("{} {}", it["line"], it["outcome"].as_str().unwrap());
        all.iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(&it), ["3 conflict", "4 conflict", "2 would_import"]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let taken = it.run(NOW).err().unwrap();
    assert!(taken.contains("exists already") && !taken.contains('\n'), "{taken}");
    fs::remove_file(&file).unwrap();
    it.order.dry_run = false;
    it.order.skip_conflicts = true;
    it.done(NOW);
    assert_eq!(outcomes(&it), ["3 conflict", "4 conflict", "2 imported"]);
    assert_eq!(listed(&it)[2]["id"], "a1");
    fs::remove_file(&file).unwrap();
    it.input = b"username,hash,id\nanna,,a1\nzoe,,\n".to_vec();
    it.done(NOW);
    assert_eq!(outcomes(&it), ["2 already_there", "3 imported"]);
    let all = listed(&it);
    assert_eq!(all.iter().map(reasons).collect::<Vec<_>>(), ["anna", "zoe no_password"]);
    assert_eq!(
        fs::read_dir(it.folder.path())
            .unwrap()
            .filter(|it| { it.as_ref().unwrap().file_name().to_string_lossy().ends_with(".part") })
            .count(),
        0
    );
}

#[test]
fn makes_no_file_where_the_import_fails_and_imports_nothing_where_there_can_be_no_file() {
    let mut it = csv("username,hash\nanna\n");
    let file = it.folder.path().join("report.jsonl");
    it.order.report = Some(file.clone());
    assert!(it.run(NOW).is_err());
    assert!(!file.exists());
    it.input = b"username,hash\nanna,\n".to_vec();
    it.order.report = Some(it.folder.path().join("missing/report.jsonl"));
    assert!(it.run(NOW).err().unwrap().contains("missing/report.jsonl"));
    assert!(!it.order.database.file().unwrap().exists());
}

#[test]
fn shows_some_dozens_of_lines_and_says_where_the_others_are() {
    let rows = (0..4_250).map(|it| format!("user{it},")).collect::<Vec<_>>().join("\n");
    let mut it = csv(&format!("username,hash\n{rows}"));
    it.order.dry_run = true;
    let text = told(&mut it);
    assert_eq!(text.lines().filter(|it| it.starts_with("person ")).count(), 40);
    assert!(text.contains("\nand 4,210 more: --report FILE lists them\n"), "{text}");
    assert!(text.contains("\nnote      4250 users without a password"), "{text}");
    it.order.report = Some(it.folder.path().join("report.jsonl"));
    let text = told(&mut it);
    assert!(text.contains("\nand 4,210 more: the file of --report lists them\n"), "{text}");
    assert_eq!(listed(&it).len(), 4_250);
}

#[test]
fn warns_where_no_password_at_all_comes_over() {
    let mut it = csv("username,hash\nanna,\nbob,\n");
    let text = told(&mut it);
    assert!(text.contains("\nWARNING   no password is imported for 2 new users: "), "{text}");
    assert!(text.contains("; --hash COLUMN names the column of password hashes\n"), "{text}");
    it.input = format!("username,hash\ncarl,\ndora,{HASH}\n").into_bytes();
    assert!(!told(&mut it).contains("WARNING"));
}

#[test]
fn moves_no_cursor_with_what_stands_in_the_source() {
    let mut it = csv("username,hash,id\n\u{1b}[2Janna,,b\u{1b}]0;x\u{7}\nbob\u{1b}[2J,,\n");
    it.order.skip_conflicts = true;
    let text = told(&mut it);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
    assert!(text.contains("control characters") && text.contains("no password"), "{text}");
}
