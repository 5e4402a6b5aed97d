//! What commands have flushed to the disk, and in which order.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::binary::vestibule;
use crate::cli::backup::make;
use crate::cli::copy::{on, said};

/// A file or folder that was flushed.
#[derive(Debug)]
struct Flush {
    /// The function that did it.
    by: String,
    path: PathBuf,
    /// The names in its folder at that moment.
    names: Vec<String>,
}

/// A folder with `test.db` and its backup `copy.db`.
fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().canonicalize().unwrap();
    make(&place.join("test.db"), 50);
    said(&on(&place.join("test.db"), &["backup", place.join("copy.db").to_str().unwrap()]));
    (folder, place)
}

/// Everything that a command has flushed, one after the other.
fn flushed(folder: &Path, words: &[&str]) -> Vec<Flush> {
    let tools = tempfile::tempdir().unwrap();
    let (library, log) = (tools.path().join("flushes.so"), tools.path().join("log"));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flushes.c");
    let mut cc = std::process::Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source);
    assert!(cc.status().unwrap().success());
    let mut command = vestibule(words);
    command.current_dir(folder).env("LD_PRELOAD", &library).env("FLUSHES", &log);
    said(&command.output().unwrap());
    let read = |line: &str| {
        let mut words = line.split('\t').map(str::to_owned);
        let mut next = || words.next().unwrap();
        Flush { by: next(), path: next().into(), names: words.collect() }
    };
    fs::read_to_string(log).unwrap().lines().map(read).collect()
}

/// Against a power cut at any moment.
#[test]
fn flushes_what_it_writes_before_that_has_its_name_and_the_folder_afterwards() {
    let (_folder, place) = folder();
    for (words, name) in [
        (&["restore", "copy.db", "--yes", "--database=test.db"][..], "test.db"),
        (&["backup", "more.db", "--database=test.db"], "more.db"),
        (&["export", "people.jsonl", "--database=test.db"], "people.jsonl"),
    ] {
        let flushed = flushed(&place, words);
        let has = |names: &[String], name: &str| names.iter().any(|it| it == name);
        let part = format!("{name}.part");
        let content = flushed.iter().position(|it| it.path == place.join(&part));
        let named = flushed
            .iter()
            .position(|it| it.path == place && has(&it.names, name) && !has(&it.names, &part));
        assert!(content.is_some() && named.is_some(), "{words:?}: {flushed:?}");
        assert!(content < named, "{words:?}: {flushed:?}");
        // What a restore replaces has its other name for good before it loses this one.
        let is_kept = |it: &Flush| {
            let is_aside = |it: &String| it.starts_with("test.db.before-restore-");
            it.path == place && it.names.iter().any(is_aside) && has(&it.names, &part)
        };
        assert!(name != "test.db" || flushed.iter().any(is_kept), "{words:?}: {flushed:?}");
    }
}

/// A commit that flushed the file's moments as well would have the file system commit its journal each time.
#[test]
fn flushes_what_the_database_has_written_and_not_when() {
    let (_folder, place) = folder();
    let flushed = flushed(&place, &["user", "disable", "n1", "--database=test.db"]);
    for name in ["test.db-wal", "test.db"] {
        let by: Vec<_> = flushed.iter().filter(|it| it.path == place.join(name)).collect();
        assert!(!by.is_empty() && by.iter().all(|it| it.by == "fdatasync"), "{name}: {flushed:?}");
    }
}
