//! The house as `src/lib.rs` draws it: who may know whom, where each big library lives, and that
//! what is written about the program is true of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::binary::vestibule;

/// Libraries that one noun alone may name, and which. Replacing one is then a change in one place.
const HOMES: [(&str, &[&str]); 26] = [
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
    ("strsim", &["config"]),
    ("unicode_width", &["admin"]),
    ("public_suffix", &["origin"]),
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
fn writes_to_standard_output_in_one_place_that_sees_it_fail() {
    for (noun, code) in sources() {
        let prints = ["stdout()", " println!", " print!"].iter().any(|it| code.contains(it));
        assert!(!prints || noun == "output", "{noun} prints by itself");
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
fn documents_settings_and_commands_as_the_program_does() {
    let folder = tempfile::tempdir().unwrap();
    let done =
        vestibule(&["manual", "--markdown", folder.path().to_str().unwrap()]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    for name in ["docs/settings.md", "docs/commands.md"] {
        let rendered = read(folder.path().join(Path::new(name).file_name().unwrap()));
        let committed = fs::read_to_string(root().join(name)).unwrap_or_default();
        if let Some(at) = first_difference(&committed, &rendered) {
            let line = |text: &str| text.lines().nth(at).unwrap_or("(the end)").to_owned();
            panic!(
                "{name} is not what the program says. Renew it with\n\n    \
                 cargo run -- manual --markdown docs\n\nand commit it. Line {} is\n    {}\nand has to be\n    {}",
                at + 1,
                line(&committed),
                line(&rendered)
            );
        }
    }
}

/// The first line, counted from 0, in which two texts differ.
fn first_difference(one: &str, other: &str) -> Option<usize> {
    let (mut ones, mut others) = (one.lines(), other.lines());
    let mut at = 0;
    loop {
        match (ones.next(), others.next()) {
            (None, None) => return None,
            (mine, theirs) if mine != theirs => return Some(at),
            _ => at += 1,
        }
    }
}

/// The documents for people, each with its text.
fn documents() -> Vec<(PathBuf, String)> {
    let mut paths: Vec<_> =
        ["README.md", "SECURITY.md", "CONTRIBUTING.md"].map(PathBuf::from).into();
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "md") {
            paths.push(path.strip_prefix(root()).unwrap().to_owned());
        }
    }
    paths.into_iter().map(|path| (path.clone(), read(path))).collect()
}

/// What a heading is called in a link, as GitHub has it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'));
    kept.map(|it| if it == ' ' { '-' } else { it }).collect()
}

#[test]
fn links_only_to_files_and_headings_that_are_there() {
    let mut links = 0;
    for (path, text) in documents() {
        for part in text.split("](").skip(1) {
            let target = part.split(')').next().unwrap();
            if target.contains("://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = match file {
                "" => root().join(&path),
                file => root().join(&path).parent().unwrap().join(file),
            };
            assert!(file.exists(), "{}: there is no {target}", path.display());
            let is_there = heading.is_empty()
                || read(&file).lines().any(|it| it.starts_with('#') && anchor(it) == heading);
            assert!(is_there, "{}: no heading is {target}", path.display());
            links += 1;
        }
    }
    assert!(links > 50, "the test no longer sees the links: {links}");
}

#[test]
fn names_only_flags_that_exist() {
    let known = read("docs/settings.md") + &read("docs/commands.md");
    let is_known =
        |flag: &str| known.contains(&format!("`{flag}`")) || known.contains(&format!("`{flag} "));
    let mut flags = 0;
    for (path, text) in documents() {
        // Every other piece is code: in a line, or between fences.
        let lines = text.split('`').skip(1).step_by(2).flat_map(str::lines);
        let is_ours = |line: &&str| line.starts_with("--") || line.starts_with("vestibule ");
        for line in lines.filter(is_ours) {
            let words = line.split([' ', '=', ',', ')', ']']);
            // A dot makes it one of Traefik's.
            let is_flag = |it: &&str| it.starts_with("--") && *it != "--help" && !it.contains('.');
            for flag in words.filter(is_flag) {
                assert!(is_known(flag), "{}: there is no {flag}: {line}", path.display());
                flags += 1;
            }
        }
    }
    assert!(flags > 100, "the test no longer sees the flags: {flags}");
}

#[test]
fn describes_this_version_in_the_changelog() {
    let heading = format!("## {}", env!("CARGO_PKG_VERSION"));
    let changelog = read("CHANGELOG.md");
    assert!(changelog.lines().any(|line| line.starts_with(&heading)), "{heading} is missing");
}
