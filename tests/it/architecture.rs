//! The architecture as `src/lib.rs` draws it: which layer may know which, where each big library lives,
//! and that what is written about the program is true of it.

use std::fs;
use std::path::{Path, PathBuf};

use vestibule::auth::events::{Audited, Event, LogLevel, Priority};
use vestibule::auth::record_fields::{FieldEvents, RecordField};
use vestibule::server::log::{NUMBERS, is_number};
use vestibule::server::program_events::ProgramEvent;

use crate::binary::vestibule;

/// Libraries that one noun or layer alone may name, and which. Replacing one is then a change in one place.
/// rusqlite has two homes: `cli/import` reads the files of other programs, which is no matter of the store.
const HOMES: [(&str, &[&str]); 35] = [
    ("tiny_http", &["server/workers"]),
    ("signal_hook", &["server/mod"]),
    ("mio", &["server/gate"]),
    ("httparse", &["server/gate"]),
    ("clap", &["cli"]),
    ("lettre", &["server/mailer"]),
    ("clap_complete", &["cli/mod", "cli/manual"]),
    ("qrcode", &["cli/mod", "web/pages"]),
    ("clap_mangen", &["cli/manual"]),
    ("rusqlite", &["store", "cli/import"]),
    ("mysql", &["store"]),
    ("argon2", &["base/password"]),
    ("scrypt", &["base/password"]),
    ("bcrypt", &["base/password"]),
    ("pbkdf2", &["base/password", "base/sealing"]),
    ("md5", &["base/password"]),
    ("sha_crypt", &["base/password"]),
    ("blake2", &["base/token", "base/mac"]),
    ("rand", &["base/token"]),
    ("hmac", &["base/totp"]),
    ("sha1", &["base/totp"]),
    (
        "data_encoding",
        &["base/totp", "base/sealing", "base/webauthn", "auth/enrolments", "cli/export_format"],
    ),
    ("ring", &["base/webauthn"]),
    ("chacha20poly1305", &["base/sealing"]),
    ("httpdate", &["web/http"]),
    ("humantime", &["cli/serve", "server/log", "base/clock"]),
    ("maud", &["web/pages", "web/http", "web/mod", "web/call"]),
    ("csv", &["cli/import"]),
    ("saphyr_parser", &["cli/import"]),
    (
        "serde_json",
        &[
            "base/webauthn",
            "web/call",
            "web/handlers",
            "web/json",
            "web/openapi",
            "web/http",
            "cli",
        ],
    ),
    ("ipnet", &["server/gate", "cli/serve", "web/client_ip", "web/settings"]),
    ("ureq", &["cli/doctor"]),
    ("strsim", &["cli/environment", "cli/nearest"]),
    ("unicode_width", &["cli/table"]),
    ("public_suffix", &["base/origin"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

/// The layers, the highest first. Each is a folder of `src/`.
const LAYERS: [&str; 6] = ["cli", "server", "web", "auth", "store", "base"];

/// The path of every source file.
fn source_paths() -> Vec<PathBuf> {
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
    paths
}

/// Every source file: its noun (`store` for all files of the store, `auth/keys`) and its text without tests
/// and comments.
fn sources() -> Vec<(String, String)> {
    let source = |path: &PathBuf| {
        let name = path.strip_prefix(root().join("src")).unwrap().with_extension("");
        let parts = name.iter().map(|it| it.to_str().unwrap()).collect::<Vec<_>>();
        let noun = match parts[..] {
            ["store", ..] => "store".to_owned(),
            [layer, noun, ..] => format!("{layer}/{noun}"),
            [noun] => noun.to_owned(),
            [] => unreachable!("a file has a name"),
        };
        let text = fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        (noun, lines.collect::<Vec<_>>().join("\n"))
    };
    source_paths().iter().map(source).collect()
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

/// The layer that a file belongs to, counted from the highest; `main.rs` stands above all of them.
fn layer_of(noun: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| noun.split('/').next() == Some(layer))
}

#[test]
fn keeps_every_file_in_the_folder_of_a_layer() {
    for (noun, _) in sources() {
        assert!(layer_of(&noun).is_some() || ["main", "lib"].contains(&noun.as_str()), "{noun}");
    }
    let names = fs::read_dir(root().join("src")).unwrap().count();
    assert_eq!(names, LAYERS.len() + 2, "src/ holds main.rs, lib.rs and the layers");
}

#[test]
fn opens_every_file_with_what_it_is() {
    for path in source_paths() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} begins without a sentence about it", path.display());
    }
}

#[test]
fn uses_no_layer_from_below() {
    let mut links = 0;
    for (noun, code) in sources() {
        let Some(own) = layer_of(&noun) else { continue };
        assert!(!code.contains("crate::{"), "{noun}: one line for each noun, so that this sees it");
        for (height, layer) in LAYERS.iter().enumerate() {
            let uses = has_path(&code, "crate", layer) || has_path(&code, "vestibule", layer);
            assert!(!uses || own <= height, "{noun} uses {layer}");
            links += usize::from(uses && own != height);
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
            let is_home = homes.iter().any(|home| Path::new(&noun).starts_with(home));
            assert!(!named || is_home, "{noun} names {library}");
            at_home |= named && is_home;
        }
        assert!(at_home, "no file uses {library}");
    }
}

/// Type names that still have two meanings, or more. The list may only get shorter.
const DEFINED_TWICE: &[&str] = &["Failure", "Result", "Target"];

#[test]
fn defines_no_type_name_twice() {
    let mut definitions = std::collections::BTreeMap::<String, Vec<String>>::new();
    for (noun, code) in sources() {
        for line in code.lines() {
            let mut words = line.split(|it: char| !it.is_alphanumeric() && it != '_');
            let is_kind = |it: &&str| ["struct", "enum", "trait", "union", "type"].contains(it);
            let Some(kind) =
                words.find(|it| !["pub", "crate", "super", "in", "web", ""].contains(it))
            else {
                continue;
            };
            // An associated type has the name that its trait gives it.
            if !is_kind(&kind) || (kind == "type" && line.starts_with(' ')) {
                continue;
            }
            let name = words.find(|it| !it.is_empty()).unwrap_or_default();
            if name.starts_with(char::is_uppercase) {
                definitions.entry(name.to_owned()).or_default().push(noun.clone());
            }
        }
    }
    assert!(definitions.len() > 200, "the test no longer sees the types: {}", definitions.len());
    definitions.retain(|name, places| places.len() > 1 && !DEFINED_TWICE.contains(&name.as_str()));
    assert!(definitions.is_empty(), "one word for one thing: {definitions:?}");
}

#[test]
fn knows_no_address_in_the_server() {
    for (noun, code) in sources() {
        if !noun.starts_with("server/") {
            continue;
        }
        let code = code.replace("\"/proc/", "");
        assert!(!code.contains("\"/"), "{noun} has an address of the site");
        assert!(!code.contains("HEALTH"), "{noun} knows the health check");
    }
}

#[test]
fn reads_the_clock_in_the_shell_alone() {
    for (noun, code) in sources() {
        if noun == "main" || noun.starts_with("server/") || noun == "base/clock" {
            continue;
        }
        assert!(!code.contains("Moment::now") && !code.contains("SystemTime::now"), "{noun}");
    }
}

#[test]
fn lets_the_site_name_no_method_of_the_store() {
    let mut handed_on = 0;
    for (noun, code) in sources().into_iter().filter(|(noun, _)| noun.starts_with("web/")) {
        // Whatever the site wants of the store it asks of `auth`: it only hands the store on.
        for (at, _) in code.match_indices("store()") {
            let rest = &code[at + "store()".len()..];
            assert!(
                rest.starts_with([',', ')', '\n']),
                "{noun}: store(){}",
                &rest[..rest.len().min(20)]
            );
            handed_on += 1;
        }
        let is_asked =
            ["store.", "Box<dyn Store>>", "impl Store"].iter().any(|it| code.contains(it));
        assert!(!is_asked, "{noun} asks the store past auth");
    }
    assert!(handed_on > 20, "the test no longer sees how the store is used: {handed_on}");
}

#[test]
fn writes_to_standard_output_in_one_place_that_sees_it_fail() {
    for (noun, code) in sources() {
        let prints = ["stdout()", " println!", " print!"].iter().any(|it| code.contains(it));
        assert!(!prints || noun == "cli/output", "{noun} prints by itself");
    }
}

#[test]
fn gives_no_secret_a_face_that_could_be_printed() {
    for (noun, name) in [
        ("base/token", "pub struct Token("),
        ("base/totp", "pub struct TotpSecret("),
        ("base/totp", "pub struct TotpCode("),
        ("base/recovery_code", "pub struct RecoveryCode("),
        ("base/sealing", "pub struct SealingKey("),
        ("base/sealing", "pub struct StoredSecret("),
        ("base/password", "pub struct Password {"),
        ("base/password", "pub struct PasswordHash("),
        ("web/http", "pub struct Request {"),
        ("store", "pub struct Cluster {"),
        ("store", "pub struct Key {"),
        ("store", "pub struct Session {"),
        ("store", "pub struct AccessToken {"),
        ("store", "pub struct ImportedUser {"),
        ("store", "pub struct ExportedUser {"),
        ("store", "pub struct Row {"),
        ("cli/export_format", "pub enum Line {"),
        ("cli/import", "pub(super) struct Candidate {"),
        ("cli/import", "pub(super) enum CandidateKey {"),
        ("cli/import", "pub(super) enum CandidateSession {"),
        ("cli/import", "pub struct ForeignDb {"),
        ("cli/import", "pub struct ForeignKey {"),
        ("cli/import", "pub struct ForeignSession {"),
        ("auth/enrolments", "pub enum Enrolment {"),
        ("auth/verified_passwords", "pub struct VerifiedPasswords {"),
        ("auth/verified_passwords", "struct Remembered {"),
        ("cli/doctor", "pub struct DoctorCredentials {"),
        ("cli/doctor", "pub(super) struct Reply {"),
        ("cli/doctor", "pub(super) struct SetCookie {"),
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
fn documents_the_word_of_every_refusal_for_scripts() {
    // As in `(422, "invalid_name")`.
    fn word(pair: &str) -> Option<&str> {
        let (status, rest) = pair.split_once(", \"")?;
        status.parse::<u16>().ok()?;
        Some(rest.split_once('"')?.0)
    }
    let source = read("src/web/refusals.rs");
    let words: Vec<_> = source.split('(').filter_map(word).collect();
    assert!(words.len() > 20, "{words:?}");
    let document = read("docs/http.md");
    let table =
        document.split_once("| status | `error` |").unwrap().1.split_once("\n\n").unwrap().0;
    let missing: Vec<_> = words.iter().filter(|it| !table.contains(&format!("`{it}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn documents_settings_and_commands_as_the_program_does() {
    let folder = tempfile::tempdir().unwrap();
    let done =
        vestibule(&["manual", "--markdown", folder.path().to_str().unwrap()]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    for name in ["docs/settings.md", "docs/commands.md", "docs/openapi.json"] {
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
fn names_only_source_files_that_exist() {
    let schema = (PathBuf::from("schema.sql"), read("schema.sql"));
    let mut files = 0;
    for (path, text) in documents().into_iter().chain([schema]) {
        let is_part = |it: char| it.is_ascii_alphanumeric() || "/._-".contains(it);
        let words = text.split(|it| !is_part(it)).map(|it| it.trim_end_matches(['.', '/']));
        let folders = ["src/", "tests/", "benches/", "contrib/", "docs/"];
        for name in words.filter(|word| folders.iter().any(|it| word.starts_with(it))) {
            assert!(root().join(name).exists(), "{}: there is no {name}", path.display());
            files += 1;
        }
    }
    assert!(files > 20, "the test no longer sees the files: {files}");
}

#[test]
fn names_only_flags_that_exist() {
    let known = read("docs/settings.md") + &read("docs/commands.md");
    // The variables of an own look are written in the same way.
    let style = read("src/web/pages/style.css");
    let is_known = |flag: &str| {
        known.contains(&format!("`{flag}`"))
            || known.contains(&format!("`{flag} "))
            || style.contains(&format!(" {flag}: "))
    };
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
fn documents_every_event_as_the_program_has_it() {
    let text = read("docs/operating.md");
    let documented = table_under("### Events of requests and commands", &text);
    let row = |event: &Event| {
        let kept = match event.audited() {
            Audited::Always => "always",
            Audited::Limited => "with an allowance",
            Audited::Never => "no",
        };
        let level = event.priority().as_str();
        format!("| `{}` | {level} | {} | {kept} |", event.name(), event.description())
    };
    let rows: Vec<_> = Event::ALL.iter().map(row).collect();
    assert_eq!(documented, rows, "the table in docs/operating.md is not that of auth/events.rs");
}

#[test]
fn documents_every_event_of_the_server_as_the_program_has_it() {
    let text = read("docs/operating.md");
    let row = |it: &ProgramEvent| {
        format!("| `{}` | {} | {} |", it.name(), it.priority().as_str(), it.description())
    };
    let rows: Vec<_> = ProgramEvent::ALL.iter().map(row).collect();
    assert_eq!(
        table_under("### Events of the server", &text),
        rows,
        "the table in docs/operating.md is not that of server/program_events.rs"
    );
}

#[test]
fn gives_no_event_of_the_server_the_name_of_another() {
    let names = Event::ALL.iter().map(|it| it.name());
    let all: Vec<_> = names.chain(ProgramEvent::ALL.iter().map(|it| it.name())).collect();
    let different: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}

#[test]
fn documents_the_levels_of_lines_and_the_fields_that_are_numbers() {
    let text = read("docs/operating.md");
    let row = |it: &Priority| format!("| `{}` | {} |", it.as_str(), it.severity());
    let rows = table_under("### Levels and priorities", &text);
    assert_eq!(rows.len(), Priority::ALL.len());
    for (row, expected) in rows.iter().zip(Priority::ALL.iter().map(row)) {
        assert!(row.starts_with(&expected), "{row}: {expected}");
    }
    let levels = text.lines().skip_while(|line| !line.starts_with("| `--log-level` |")).skip(2);
    for (level, row) in LogLevel::ALL.iter().zip(levels) {
        assert!(row.starts_with(&format!("| `{}` |", level.as_str())), "{row}: {level:?}");
    }
    let names = NUMBERS.map(|it| format!("`{it}`")).join(", ");
    assert!(text.contains(&names), "docs/operating.md names other numbers than {names}");
    for it in RecordField::ALL {
        assert_eq!(it.is_number, is_number(it.name), "{} is of two types", it.name);
    }
}

/// The rows of the first table behind this heading.
fn table_under<'a>(heading: &str, text: &'a str) -> Vec<&'a str> {
    let lines = text.lines().skip_while(|line| *line != heading);
    let table = lines.skip_while(|line| !line.starts_with('|')).skip(2);
    table.take_while(|line| line.starts_with('|')).collect()
}

#[test]
fn documents_every_field_of_a_record_as_the_program_has_it() {
    let text = read("docs/operating.md");
    let table = text.lines().skip_while(|line| !line.starts_with("| field |")).skip(2);
    let documented: Vec<_> = table.take_while(|line| line.starts_with('|')).collect();
    let names = |events: &[Event]| {
        let names: Vec<_> = events.iter().map(|it| format!("`{}`", it.name())).collect();
        names.join(", ")
    };
    let row = |it: &RecordField| {
        let events = match it.events {
            FieldEvents::These(events) => names(events),
            FieldEvents::OfRequests => "all of requests".to_owned(),
            FieldEvents::OfCommands => "all of commands".to_owned(),
        };
        let number = if it.is_number { " (a number)" } else { "" };
        format!("| `{}` | {}{number} | {events} |", it.name, it.meaning)
    };
    let rows: Vec<_> = RecordField::ALL.iter().map(row).collect();
    assert_eq!(
        documented, rows,
        "the table in docs/operating.md is not that of auth/record_fields.rs"
    );
}

#[test]
fn filters_for_events_that_exist() {
    let filter = read("contrib/fail2ban/filter.conf");
    let mut events = 0;
    // One pattern for each format.
    for pattern in ["%(_logfmt)s(?:", "%(_json)s(?:"] {
        let names = filter.split(pattern).nth(1).unwrap().split(')').next().unwrap().split('|');
        for name in names.map(|it| it.split([' ', '"']).next().unwrap()) {
            assert!(Event::ALL.iter().any(|it| it.name() == name), "there is no event {name}");
            events += 1;
        }
    }
    assert_eq!(events, 6, "the test no longer sees the events");
}

#[test]
fn knows_no_event_by_its_text_but_where_events_are_listed() {
    for (noun, code) in sources() {
        if noun == "auth/events" {
            continue;
        }
        for call in ["Note::of(", "Record::of_program(", "record_of(store, "] {
            assert!(!code.contains(&format!("{call}\"")), "{noun} names an event by text: {call}");
        }
        if noun == "server/audit" {
            let named = |it: &&Event| code.contains(&format!("\"{}\"", it.name()));
            assert_eq!(Event::ALL.iter().find(named), None, "{noun} names an event by text");
        }
    }
}

#[test]
fn describes_this_version_in_the_changelog() {
    let changelog = read("CHANGELOG.md");
    let beginning = format!("## {} - ", env!("CARGO_PKG_VERSION"));
    let date = changelog.lines().find_map(|line| line.strip_prefix(&beginning));
    let date = date.unwrap_or_else(|| panic!("{beginning}YYYY-MM-DD is missing"));
    let midnight = humantime::parse_rfc3339(&format!("{date}T00:00:00Z"));
    assert!(midnight.is_ok(), "{date} is not a date as in 2026-11-29");
}

#[test]
fn installs_this_version_in_the_readme() {
    let readme = read("README.md");
    let version = env!("CARGO_PKG_VERSION");
    for package in [
        format!("/vestibule_{version}-1_amd64.deb "),
        format!("vestibule-{version}-x86_64-linux-gnu.tar.gz "),
        format!("vestibule-{version}-linux-amd64.oci.tar "),
    ] {
        assert!(readme.contains(&package), "README.md installs no {package}");
    }
}

/// By the headings of keepachangelog.com, from which packages take what they say is new.
#[test]
fn says_each_thing_once_in_the_changelog_below_a_heading_that_is_known() {
    let kinds = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];
    let changelog = read("CHANGELOG.md");
    for version in changelog.split("\n## ").skip(1) {
        let (of, _) = version.split_once('\n').unwrap();
        let headings: Vec<_> = version.lines().filter_map(|it| it.strip_prefix("### ")).collect();
        let known: Vec<_> = kinds.into_iter().filter(|it| headings.contains(it)).collect();
        assert_eq!(headings, known, "the headings of {of} are others, or in another order");
    }
    let mut bullets: Vec<_> = changelog.lines().filter(|line| line.starts_with("- ")).collect();
    bullets.sort_unstable();
    let twice = bullets.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(twice, None, "a merge has doubled it");
}
