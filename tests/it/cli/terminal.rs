//! What an operator sees at a terminal, which `script` of util-linux plays, and what a script sees instead.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::binary::program;
use crate::cli::admin::run;
use crate::engine;

/// The program at a terminal, in this folder with the database test.db.
pub(super) fn at_terminal(folder: &Path, words: &[&str], variables: &[(&str, &str)]) -> Child {
    let quoted = words.iter().map(|it| format!("'{it}'")).collect::<Vec<_>>().join(" ");
    let line = format!("'{}' {quoted} --database test.db", program().to_str().unwrap());
    let mut command = Command::new("script");
    command.args(["-qefc", &line, "/dev/null"]).current_dir(folder);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("VESTIBULE_")) {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").env_remove("NO_COLOR").envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// What it shows until it ends, having been typed to, and its exit code.
fn shown(folder: &Path, words: &[&str], typed: &str) -> (String, Option<i32>) {
    let child = at_terminal(folder, words, &[]);
    child.stdin.as_ref().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

fn with_anna() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let added = run(folder.path(), &["user", "add", "anna", "--no-password"], "");
    assert!(added.status.success());
    folder
}

#[test]
fn asks_at_a_terminal_before_it_deletes_and_wants_a_flag_elsewhere() {
    let folder = with_anna();
    let folder = folder.path();
    let is_there = || run(folder, &["user", "show", "anna"], "").status.success();
    for typed in ["\n", "no\n", "y\n", "\u{4}"] {
        let (text, code) = shown(folder, &["user", "delete", "anna"], typed);
        assert!(text.contains(
            "anna would be deleted for good, with all keys, sessions and access tokens. Type yes"
        ));
        assert!(text.contains("nothing was done") && code == Some(1), "{typed:?}: {text}");
        assert!(is_there());
    }
    let piped = run(folder, &["user", "delete", "anna"], "yes\n");
    let told = String::from_utf8(piped.stderr).unwrap();
    assert!(told.ends_with("say --yes if that is meant\n") && is_there(), "{told}");
    let (text, code) = shown(folder, &["user", "delete", "anna"], "yes\n");
    assert!(code == Some(0) && !is_there(), "{text}");
}

#[test]
fn asks_at_a_terminal_before_it_replaces_the_database() {
    let folder = with_anna();
    let folder = folder.path();
    let copy = folder.join("copy.db");
    let copy = copy.to_str().unwrap();
    assert!(run(folder, &["backup", copy], "").status.success());
    assert!(run(folder, &["user", "delete", "anna", "--yes"], "").status.success());
    let (text, code) = shown(folder, &["restore", copy], "no\n");
    assert!(text.contains("would be moved aside") && code == Some(1), "{text}");
    let (text, code) = shown(folder, &["restore", copy], "yes\n");
    assert!(text.contains("copy.db was") && code == Some(0), "{text}");
    assert!(run(folder, &["user", "show", "anna"], "").status.success());
}

#[test]
fn has_colours_at_a_terminal_unless_they_are_unwanted_and_nowhere_else() {
    let folder = with_anna();
    let folder = folder.path();
    for words in [&["user", "list"][..], &["check"], &["user", "show", "nobody"]] {
        let see = |variables: &[(&str, &str)]| {
            let child = at_terminal(folder, words, variables);
            String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
        };
        assert!(see(&[]).contains("\u{1b}["), "{words:?}");
        assert!(see(&[("NO_COLOR", "")]).contains("\u{1b}["), "{words:?}");
        for variable in [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "")] {
            assert!(!see(&[variable]).contains('\u{1b}'), "{words:?} {variable:?}");
        }
        let piped = run(folder, words, "");
        assert!(![piped.stdout, piped.stderr].concat().contains(&0x1b), "{words:?}");
    }
}

#[test]
fn says_at_a_terminal_where_to_open_what_it_serves() {
    let folder = tempfile::tempdir().unwrap();
    drop(engine::file(&folder.path().join("test.db")));
    let words = ["serve", "--listen", "127.0.0.1:0", "--signup", "closed"];
    let mut child = at_terminal(folder.path(), &words, &[]);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let (mut link, mut opened, mut is_listening) = (None, None, false);
    for text in lines {
        let text = text.trim();
        is_listening |= text.contains("ev=listening ");
        if text.starts_with("http://") {
            assert!(is_listening, "it is below the lines of the log");
            link = Some(text.to_owned());
        } else if let Some(url) = text.strip_prefix("open ") {
            opened = Some(url.to_owned());
            break;
        }
    }
    let (link, url) = (link.unwrap(), opened.unwrap());
    let address = url.strip_prefix("http://").and_then(|it| it.strip_suffix('/')).unwrap();
    assert!(!address.ends_with(":0") && link.starts_with(&format!("{url}signup?invite=")));
    drop(std::net::TcpStream::connect(address).unwrap());
    // The terminal goes, which ends the server.
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn says_that_it_made_a_database_and_where_and_that_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().canonicalize().unwrap().join("test.db");
    let whole = whole.to_str().unwrap();
    let told = |words: &[&str]| {
        let output = run(folder.path(), words, "");
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let none =
        format!("there is no database at {whole}; say which with --database or VESTIBULE_DATABASE");
    assert!(told(&["user", "list"]).contains(&none));
    let made = format!("made a new database at {whole}");
    let origin = "--origin=https://auth.test";
    for words in
        [&["user", "add", "anna", "--no-password"][..], &["invite", "new", origin], &["migrate"]]
    {
        let text = told(words);
        assert!(text.contains(&made) && text.contains("--database"), "{words:?}: {text}");
        assert!(!told(words).contains("made a new"), "{words:?}: it is there now");
        fs::remove_file(whole).unwrap();
    }
}
