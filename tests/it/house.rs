//! The house as `src/lib.rs` draws it: who may know whom, where each big library lives, and that
//! what is written about the program is true of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::binary::vestibule;

/// Libraries that one noun alone may name, and which. Replacing one is then a change in one place.
const HOMES: [(&str, &[&str]); 23] = [
    ("tiny_http", &["serve"]),
    ("signal_hook", &["serve"]),
    ("mio", &["gate"]),
    ("httparse", &["gate"]),
    ("clap", &["config"]),
    ("clap_complete", &["config"]),
    ("qrcode", &["admin"]),
    ("clap_mangen", &["config"]),
    ("rusqlite", &["store"]),
    ("mysql", &["store"]),
    ("argon2", &["password"]),
    ("scrypt", &["password"]),
    ("bcrypt", &["password"]),
    ("pbkdf2", &["password"]),
    ("blake2", &["token"]),
    ("rand", &["token"]),
    ("httpdate", &["http"]),
    ("humantime", &["config", "log", "clock"]),
    ("maud", &["pages", "http", "routes"]),
    ("csv", &["import"]),
    ("serde_json", &["routes", "http", "admin", "import", "lines"]),
    ("ipnet", &["gate", "config", "client", "routes"]),
    ("ureq", &["doctor"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

/// Every source file: its noun (`store` for `store/file.rs` too) and its text without tests and
/// comments.
fn sources() -> Vec<(String, String)> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|it| it == "rs") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    collect(&root().join("src"), &mut paths);
    let source = |path: &PathBuf| {
        let name = path.strip_prefix(root().join("src")).unwrap().with_extension("");
        let noun = name.components().next().unwrap().as_os_str().to_str().unwrap().to_owned();
        let text = fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        (noun, lines.collect::<Vec<_>>().join("\n"))
    };
    paths.iter().map(source).collect()
}

/// The floors as lib.rs lists them, the highest first.
fn floors() -> Vec<Vec<String>> {
    let text = read("src/lib.rs");
    let rows = text.lines().filter(|line| line.starts_with("//! | ")).skip(1);
    let nouns = |row: &str| {
        let names = row.split('`').nth(1).expect("a floor lists its files");
        names.split(' ').map(str::to_owned).collect()
    };
    rows.map(nouns).collect()
}

/// Whether `code` names the path `name::` or uses the crate `name`.
fn names(code: &str, name: &str) -> bool {
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        before.is_none_or(|it| !it.is_alphanumeric() && it != '_')
            && (!code[..at].ends_with("::") || code[..at].ends_with("crate::"))
    })
}

/// Whether `code` names `root::noun` and not just the beginning of a longer noun.
fn has_path(code: &str, root: &str, noun: &str) -> bool {
    let path = format!("{root}::{noun}");
    code.match_indices(&path).any(|(at, _)| code[at + path.len()..].starts_with([':', ';', ',']))
}

#[test]
fn lists_every_file_on_one_floor() {
    let mut listed: Vec<_> = floors().concat();
    listed.push("lib".to_owned());
    listed.sort();
    let mut files: Vec<_> = sources().into_iter().map(|(noun, _)| noun).collect();
    files.sort();
    files.dedup();
    assert_eq!(listed, files);
}

#[test]
fn uses_no_floor_from_below() {
    let height: BTreeMap<_, _> = floors()
        .into_iter()
        .rev()
        .enumerate()
        .flat_map(|(height, nouns)| nouns.into_iter().map(move |noun| (noun, height)))
        .collect();
    let mut links = 0;
    for (noun, code) in sources().iter().filter(|(noun, _)| noun != "lib") {
        assert!(!code.contains("crate::{"), "{noun}: one line for each noun, so that this sees it");
        for (other, other_height) in &height {
            let uses = has_path(code, "crate", other) || has_path(code, "vestibule", other);
            assert!(!uses || *other_height <= height[noun], "{noun} uses {other}");
            links += usize::from(uses && other != noun);
        }
    }
    assert!(links > 30, "the test no longer sees who uses whom: {links}");
}

#[test]
fn names_each_big_library_in_its_home_alone() {
    for (library, homes) in HOMES {
        let mut at_home = false;
        for (noun, code) in sources() {
            let named = names(&code, library);
            let is_home = homes.contains(&noun.as_str());
            assert!(!named || is_home, "{noun} names {library}");
            at_home |= named && is_home;
        }
        assert!(at_home, "nobody uses {library}");
    }
}

#[test]
fn reads_the_clock_in_the_shell_alone() {
    for (noun, code) in sources() {
        if ["main", "gate", "serve", "audit", "clock"].contains(&noun.as_str()) {
            continue;
        }
        assert!(!code.contains("Moment::now") && !code.contains("SystemTime::now"), "{noun}");
    }
}

#[test]
fn gives_no_secret_a_face_that_could_be_printed() {
    for (noun, name) in [
        ("token", "pub struct Token("),
        ("password", "pub struct Password {"),
        ("password", "pub struct PasswordHash("),
        ("http", "pub struct Request {"),
        ("store", "pub struct Cluster {"),
        ("store", "pub struct Key {"),
        ("store", "pub struct Session {"),
        ("store", "pub struct AccessToken {"),
        ("store", "pub struct Arrival {"),
        ("store", "pub struct Departure {"),
        ("store", "pub enum Row {"),
        ("lines", "pub enum Line {"),
        ("import", "pub(super) struct Luggage {"),
        ("import", "pub(super) enum OldKey {"),
        ("import", "pub(super) enum OldSession {"),
        ("store", "pub struct Strangers {"),
        ("store", "pub struct StrangerKey {"),
        ("store", "pub struct StrangerSession {"),
        ("access", "pub struct Memory {"),
        ("access", "struct Remembered {"),
        ("doctor", "pub struct Credentials {"),
        ("doctor", "pub(super) struct Reply {"),
        ("doctor", "pub(super) struct SetCookie {"),
    ] {
        let (_, code) =
            sources().into_iter().find(|(it, code)| it == noun && code.contains(name)).unwrap();
        let before = code.split(name).next().unwrap();
        let attributes = before.rsplit("\n\n").next().unwrap();
        assert!(!attributes.contains("Debug"), "{name} derives Debug");
        let kind = name.split([' ', '(']).nth(2).unwrap();
        for face in ["Debug", "Display"] {
            assert!(!code.contains(&format!("{face} for {kind} ")), "{kind} has {face}");
        }
    }
}

#[test]
fn tells_every_setting_in_the_readme() {
    let help = vestibule(&["serve", "--help"]).output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    let readme = read("README.md");
    let mut flags = 0;
    for word in help.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2) {
        let flag = word.trim_end_matches([',', '.', ')', ';']);
        if flag == "--help" {
            continue;
        }
        flags += 1;
        assert!(readme.contains(&format!("`{flag}")), "the README does not name {flag}");
        let variable = format!("VESTIBULE_{}", flag[2..].to_uppercase().replace('-', "_"));
        assert!(help.contains(&variable), "{flag} has no {variable}");
    }
    assert!(flags >= 12, "the test no longer sees the flags: {flags}");
}

#[test]
fn tells_no_setting_in_the_readme_that_does_not_exist() {
    let help = vestibule(&["serve", "--help"]).output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    let readme = read("README.md");
    let table = readme.split("## Settings").nth(1).unwrap().split("\n## ").next().unwrap();
    for row in table.lines().filter(|line| line.starts_with("| `--")) {
        let flag = row.split(['`', ' ']).nth(2).unwrap();
        assert!(help.split_whitespace().any(|word| word == flag), "{flag} is unknown");
    }
}

#[test]
fn describes_this_version_in_the_changelog() {
    let heading = format!("## {}", env!("CARGO_PKG_VERSION"));
    let changelog = read("CHANGELOG.md");
    assert!(changelog.lines().any(|line| line.starts_with(&heading)), "{heading} is missing");
}
