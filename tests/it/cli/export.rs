//! All users as lines of JSON, and back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;
use vestibule::base::clock::Moment;
use vestibule::cli::import::Source;

use crate::binary::{Binary, vestibule};
use crate::cli::import::{Move, counts, raw, sign_in};
use crate::engine;
use crate::visit::{MORNING, Visit};

/// A database with every kind of thing in it, and one session that is dead at [`MORNING`].
const PEOPLE: &str = r#"
    INSERT INTO user (id, username, canonical_username, created_at, group_names, email, disabled_at,
      disabled_reason, attributes) VALUES
      ('1', 'Anna', 'anna', 5, 'admin,staff', 'anna@example.com', NULL, '', '{"age":1.1,"name":"Ä"}'),
      ('2', 'bob' || char(10), 'bob' || char(10), -1, '', '', 7, 'left', '{ "spaced": 1}'),
      ('3', 'carl', 'carl', 0, '', '', NULL, '', '');
    INSERT INTO user_key VALUES ('username:anna', '1', 's2:x:y'), ('email:a:b@x', '1', NULL),
      ('github:7', '3', NULL);
    INSERT INTO user_session (id, user_id, active_expires, idle_expires, absolute_expires,
      created_at, proven_at, seen_at, is_transient, browser, address) VALUES
      (zeroblob(32), '1', 1795507200000, 1795507200000, 1795507200001, 3, 2, 1, 1, 'Firefox', '::1'),
      (randomblob(32), '1', 1795507200005, 1795507200006, 1795507200007, 2, 0, 0, 0, '', ''),
      (randomblob(32), '3', 1, 1795507199999, 1795507200007, 2, 0, 0, 0, '', '');"#;

struct Exported {
    folder: tempfile::TempDir,
}

impl Exported {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        drop(engine::file(&folder.path().join("test.db")));
        let raw = Connection::open(folder.path().join("test.db")).unwrap();
        raw.execute_batch(PEOPLE).unwrap();
        Self { folder }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("people.jsonl")
    }
}

/// The export as the function makes it, at the time of the test.
fn export(database: &Path, sessions: bool, now: Moment) -> String {
    let words = ["vestibule", "export", "--database", database.to_str().unwrap()];
    let words = words.iter().copied().chain(sessions.then_some("--sessions"));
    let line = vestibule::cli::command_line::CommandLine::read(
        words.map(Into::into),
        Path::new("/nowhere"),
    )
    .unwrap();
    let Some(vestibule::cli::Command::Export(flags)) = line.command else { panic!() };
    let mut out = Vec::new();
    vestibule::cli::export::run(&flags, &mut out, false, now).unwrap();
    String::from_utf8(out).unwrap()
}

fn incoming(text: &str) -> Move {
    let mut it = Move::from(Source::Vestibule, "-".into());
    it.input = text.as_bytes().to_vec();
    it
}

#[test]
fn comes_back_to_the_byte() {
    let there = Exported::new();
    for (has_sessions, dead) in [(true, 0), (false, 0)] {
        let text = export(&there.database(), has_sessions, MORNING);
        assert_eq!(text.lines().count(), 5, "{text}");
        let it = incoming(&text);
        let report = it.done(MORNING);
        assert_eq!((counts(&report, "users"), counts(&report, "keys")), ((3, 0), (3, 0)));
        let sessions = if has_sessions { 2 } else { 0 };
        assert_eq!(
            (counts(&report, "sessions"), &report["dead_sessions"]),
            ((sessions, 0), &dead.into())
        );
        let again = export(it.order.database.file().unwrap(), has_sessions, MORNING);
        assert_eq!(again, text);
        let before = it.rows();
        assert_eq!(counts(&it.done(MORNING), "users"), (0, 3));
        assert!(it.rows() == before, "a second run changes nothing");
    }
    let later = export(&there.database(), true, MORNING.after(Duration::from_millis(1)));
    let early = export(&there.database(), true, MORNING);
    let differing = early.lines().zip(later.lines()).filter(|(one, other)| one != other);
    assert_eq!(differing.count(), 3, "the header, the session that is dead by then, the counts");
}

#[test]
fn leaves_sessions_behind_that_died_on_the_way() {
    let text = export(&Exported::new().database(), true, MORNING);
    let it = incoming(&text);
    let report = it.done(MORNING.after(Duration::from_millis(2)));
    assert_eq!((counts(&report, "sessions"), &report["dead_sessions"]), ((1, 0), &1.into()));
}

/// It would be good for as long as the clock was wrong.
#[test]
fn takes_no_session_along_that_begins_in_the_future() {
    let there = Exported::new();
    let hours = |count: u64| MORNING.after(Duration::from_secs(count * 60 * 60));
    let (then, end) = (hours(2).millis(), hours(9_000).millis());
    engine::raw_file(&there.database()).run(&format!(
        "UPDATE user_session SET created_at = {then}, active_expires = {end}, idle_expires = {end},
                absolute_expires = {end} WHERE id = zeroblob(32)"
    ));
    let text = export(&there.database(), true, MORNING);
    assert_eq!(counts(&incoming(&text).done(MORNING), "sessions"), (1, 0), "the other one");
    let text = export(&there.database(), true, hours(2));
    assert_eq!(counts(&incoming(&text).done(hours(2)), "sessions"), (1, 0));
    let report = incoming(&text).done(MORNING);
    assert_eq!((counts(&report, "sessions"), &report["dead_sessions"]), ((0, 0), &1.into()));
}

#[test]
fn keeps_passwords_sessions_and_who_is_shut_out() {
    let mut visit = Visit::over_file(tempfile::tempdir().unwrap());
    let fields = [("username", "anna"), ("password", "correct horse")];
    assert_eq!(visit.post("/signup", &fields).status, 302);
    let token = visit.token();
    let text = export(&visit.folder.path().join("test.db"), true, visit.now);
    assert!(!text.contains(&token), "a token is in no database");
    let it = incoming(&text);
    it.done(visit.now);
    let mut here = it.visit(visit.now);
    here.cookie = Some(format!("auth_session={token}"));
    assert!(here.is_signed_in());
    assert_eq!(sign_in(&mut here, "Anna", "correct horse"), 302);
    raw(&visit).execute("UPDATE user SET disabled_at = 1", []).unwrap();
    let it = incoming(&export(&visit.folder.path().join("test.db"), true, visit.now));
    it.done(visit.now);
    assert_eq!(sign_in(&mut it.visit(MORNING), "anna", "correct horse"), 400);
}

#[test]
fn refuses_an_export_that_is_not_whole_and_writes_nothing() {
    let text = export(&Exported::new().database(), true, MORNING);
    let lines: Vec<_> = text.lines().collect();
    let without = |left_out: usize| {
        let kept = lines.iter().enumerate().filter(|(at, _)| *at != left_out);
        kept.map(|(_, line)| *line).collect::<Vec<_>>().join("\n")
    };
    let twice = format!("{text}{text}");
    for (bad, cause) in [
        (String::new(), "not what vestibule export writes"),
        ("name:hash\n".to_owned(), "not what vestibule export writes"),
        (without(0), "not what vestibule export writes"),
        (without(4), "cut short"),
        (text[..text.len() / 2].to_owned(), "line "),
        (without(2), "line 4: it counts others"),
        (text.replace("\"sessions\":2", "\"sessions\":3"), "line 5: it counts others"),
        (twice, "line 6: something follows"),
        (text.replace("\"format\":1", "\"format\":2"), "a newer vestibule made it"),
        (text.replace("\"email\"", "\"mail\""), "line 2: email is missing"),
        (text.replace("\n{", "\n\n{"), "line 2: it is no JSON"),
    ] {
        let it = incoming(&bad);
        let Err(said) = it.run(MORNING) else { panic!("{bad} is taken") };
        assert!(said.contains(cause) && !said.contains('\n'), "{said}");
        assert!(said.starts_with("cannot import standard input: "), "{said}");
        assert!(!it.order.database.file().unwrap().exists());
    }
    let mut it = incoming("");
    for bytes in [b"SQLite format 3\0\xff\xfe".to_vec(), vec![0xff; 70_000_000]] {
        it.input = bytes;
        assert!(it.run(MORNING).is_err());
    }
    it.order.file = it.folder.path().to_owned();
    assert!(it.run(MORNING).is_err());
    it.order.file = it.folder.path().join("missing");
    assert!(it.run(MORNING).is_err());
    assert!(!it.order.database.file().unwrap().exists());
}

#[test]
fn takes_nothing_that_no_program_of_ours_wrote() {
    let text = export(&Exported::new().database(), true, MORNING);
    for (one, other, why) in [
        ("\"canonical_username\":\"anna\"", "\"canonical_username\":\"eve\"", "canonical name"),
        ("\"admin\"", "\"Admin x\"", "groups"),
        ("anna@example.com", "a@b\\r\\nX: y", "address"),
        ("\"id\":\"1\"", "\"id\":\"\"", "empty id"),
        ("\"id\":\"1\"", "\"id\":\"\\u00001\"", "control characters"),
        ("\"id\":\"username:anna\"", "\"id\":\"username:ANNA\"", "not canonical"),
        ("\"id\":\"3\"", "\"id\":\"1\"", "shares the id"),
    ] {
        assert!(text.contains(one));
        let mut it = incoming(&text.replace(one, other));
        let report = it.refused();
        assert!(report["conflicts"].to_string().contains(why), "{report}");
        it.order.skip_conflicts = true;
        it.done(MORNING);
    }
}

#[test]
fn writes_a_new_file_for_its_owner_alone_and_tells_it_on_record() {
    let there = Exported::new();
    let (database, file) = (there.database(), there.file());
    let run = |words: &[&str]| {
        let mut all = vec!["export", "--database", database.to_str().unwrap()];
        all.extend(words);
        vestibule(&all).output().unwrap()
    };
    let done = run(&[file.to_str().unwrap(), "--sessions"]);
    assert!(done.status.success() && done.stderr.is_empty());
    assert!(String::from_utf8(done.stdout).unwrap().contains("3 users, 3 keys"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&file).unwrap();
    let again = run(&[file.to_str().unwrap()]);
    let said = String::from_utf8(again.stderr).unwrap();
    assert_eq!((again.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(fs::read(&file).unwrap() == before, "it is never overwritten");
    let piped = run(&[]);
    let lines = String::from_utf8(piped.stdout).unwrap();
    let end: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(end["end"]["users"], 3);
    assert!(!lines.contains("idle_expires"), "sessions stay unless they are asked for");
    let raw = Connection::open(&database).unwrap();
    let count = "SELECT count(*) FROM audit WHERE event = 'export'";
    assert_eq!(raw.query_row(count, [], |row| row.get(0)), Ok(2));
    fs::remove_file(&database).unwrap();
    assert_eq!(run(&[]).status.code(), Some(1));
    assert!(!database.exists(), "a mistyped path makes no database");
}

#[test]
fn shows_no_hash_on_a_terminal() {
    let there = Exported::new();
    let words =
        ["vestibule", "export", "--database", there.database().to_str().unwrap()].map(Into::into);
    let line =
        vestibule::cli::command_line::CommandLine::read(words, Path::new("/nowhere")).unwrap();
    let Some(vestibule::cli::Command::Export(flags)) = line.command else { panic!() };
    let mut out = Vec::new();
    assert!(vestibule::cli::export::run(&flags, &mut out, true, MORNING).is_err());
    assert!(out.is_empty());
}

#[test]
fn is_of_one_moment_while_people_sign_up() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    let database = folder.path().join("test.db");
    let mut seen = 0;
    std::thread::scope(|scope| {
        let signing =
            scope.spawn(|| (0..20).for_each(|it| drop(server.sign_up(&format!("user{it}")))));
        while !signing.is_finished() {
            // Sessions of the server's future would be left out.
            let text = export(&database, true, Moment::now());
            let users = text.lines().filter(|line| line.contains("\"canonical_username\""));
            for user in users {
                let user: Value = serde_json::from_str(user).unwrap();
                assert_eq!(user["keys"].as_array().unwrap().len(), 1, "no user without a key");
                assert_eq!(user["sessions"].as_array().unwrap().len(), 1);
                seen += 1;
            }
        }
        signing.join().unwrap();
    });
    assert!(seen > 0, "no export has seen a user");
}
