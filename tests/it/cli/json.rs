//! What commands tell a script: every one of them, so that none is forgotten.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::admin::{run, said};
use super::passkeys::give_passkey;
use crate::binary::{Binary, vestibule};
use crate::soft_authenticator::SoftAuthenticator;

/// Commands that tell a script nothing: they serve, or print what is no data.
const SILENT: [&str; 2] = ["vestibule serve", "vestibule completions"];

/// Commands of the program, as its reference lists them, which is rendered from their definitions.
fn commands() -> Vec<&'static str> {
    let reference = include_str!("../../../docs/commands.md");
    let rows = reference.lines().filter_map(|line| line.strip_prefix("| [`"));
    rows.map(|row| row.split('`').next().unwrap()).collect()
}

/// The lines of a command with `--json`, where it ends well.
fn data(folder: &Path, line: &str) -> Vec<Value> {
    let words: Vec<_> = line.split(' ').chain(["--json"]).collect();
    let has_database = !["copy", "key", "proxy-config", "version", "manual"].contains(&words[0]);
    let output = if has_database {
        run(folder, &words, "three unrelated words\n")
    } else {
        vestibule(&words).current_dir(folder).output().unwrap()
    };
    let lines = said(&output);
    lines
        .lines()
        .map(|it| serde_json::from_str(it).unwrap_or_else(|_| panic!("{line}: {it}")))
        .collect()
}

fn one(folder: &Path, line: &str) -> Value {
    let all = data(folder, line);
    assert_eq!(all.len(), 1, "{line}: {all:?}");
    all.into_iter().next().unwrap()
}

/// A folder with two users; anna has a session, an access token and a passkey, and there is an invitation.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--basic-auth"]);
    let cookie = server.sign_up("anna");
    server.sign_up("bertha");
    server.post("/account/tokens", "name=backup&days=30", Some(&cookie));
    server.stop();
    give_passkey(folder.path(), "anna", &SoftAuthenticator::es256("https://a.test"), true);
    folder
}

/// What a script types, and fields of the first object that it is told, in this order over one database.
fn told_to_scripts(folder: &Path) -> Vec<(String, Value)> {
    let invitation = one(folder, "invite new --origin https://a.test --uses 2 --note office");
    let handle = |line: &str| one(folder, line)["handle"].as_str().unwrap().to_owned();
    let (token, session) = (handle("token list anna"), handle("session list bertha"));
    let passkey = one(folder, "user passkey list anna")["passkey"].as_str().unwrap().to_owned();
    let path = |name: &str| folder.join(name).display().to_string();
    let [copy, export, moved] = ["copy.db", "out.jsonl", "moved.db"].map(path);
    let revoked = invitation["handle"].as_str().unwrap();
    let invite =
        json!({ "handle": revoked, "note": "office", "uses_left": 2, "invitations_revoked": 1 });
    let held = json!({ "file": export, "users": 2, "keys": 2, "sessions": 0 });
    let back = json!({ "from": copy, "sessions_left_out": 0, "names_reserved": 2 });
    let config = "--origin https://auth.example.com --cookie-domain example.com --app https://app.example.com";
    [
        ("user add carla --groups staff", json!({ "has_password": true })),
        ("user list", json!({ "username": "anna" })),
        ("user passwd carla", json!({ "sessions_ended": 0 })),
        ("user rename carla carola", json!({ "old_username": "carla" })),
        ("user key list carola", json!({ "hash": "argon2id" })),
        ("user key add carola github:1", json!({ "username": "carola" })),
        ("user key remove carola github:1", json!({ "sessions_ended": 0 })),
        ("user unlock carola", json!({ "attempts_forgotten": 0, "changed": false })),
        ("user show carola", json!({ "sessions": 0 })),
        ("user groups carola", json!({ "groups": ["staff"] })),
        ("user email carola c@example.com", json!({ "changed": true })),
        ("user disable carola", json!({ "changed": true })),
        ("user second-factor carola off", json!({ "changed": false })),
        ("user enable carola", json!({ "changed": true })),
        ("user reset-link carola --origin https://a.test", json!({ "username": "carola" })),
        ("user delete carola --yes", json!({ "access_tokens_ended": 0 })),
        ("user free carola", json!({ "username": "carola" })),
        ("user passkey list anna", json!({ "passkey": passkey, "domain": "a.test" })),
        (&format!("user passkey remove anna {passkey}"), json!({ "passkeys_removed": 1 })),
        ("session list anna", json!({ "address": "127.0.0.1" })),
        (&format!("session end {session}"), json!({ "sessions_ended": 1 })),
        ("session end-all anna", json!({ "sessions_ended": 1 })),
        ("session purge", json!({ "dead_sessions_deleted": 0 })),
        ("invite new --origin https://a.test", json!({ "uses_left": 1 })),
        ("invite list", json!({ "first": false })),
        ("mail retry --all", json!({ "mails": 0 })),
        (&format!("invite revoke {revoked}"), invite),
        ("token list anna", json!({ "name": "backup" })),
        (&format!("token revoke anna {token}"), json!({ "access_tokens_ended": 1 })),
        ("audit --event signup_ok", json!({ "event": "signup_ok" })),
        (&format!("backup {copy}"), json!({ "file": copy, "recorded": true })),
        ("check", json!({ "in_order": true })),
        (&format!("export {export} --sessions"), held),
        ("migrate", json!({ "changed": false, "is_current": true })),
        ("migrate --check", json!({ "is_current": true })),
        ("key new seal.key", json!({ "file": "seal.key" })),
        ("manual man", json!({ "folder": "man" })),
        ("version", json!({ "version": env!("CARGO_PKG_VERSION") })),
        (&format!("proxy-config nginx {config}"), json!({ "proxy": "nginx" })),
        (&format!("import htpasswd {}", path("people")), json!({ "written": true })),
        (&format!("import vestibule {export}"), json!({ "written": false })),
        (&format!("copy --from test.db --to {moved}"), json!({ "to": moved })),
        (&format!("restore {copy} --yes"), back),
    ]
    .map(|(line, fields)| (line.to_owned(), fields))
    .into()
}

/// Commands that need a source or something to ask: other tests see what they say.
const TRIED_ELSEWHERE: [&str; 10] = [
    "key apply",
    "import lucia",
    "import lucia-v3",
    "import better-auth",
    "import csv",
    "doctor",
    "health",
    "mail test",
    "mail list",
    "mail drop",
];

#[test]
fn tells_a_script_what_every_command_shows_or_does() {
    let folder = folder();
    let folder = folder.path();
    std::fs::write(folder.join("people"), "dora:x\n").unwrap();
    std::fs::create_dir(folder.join("man")).unwrap();
    let mut tried = TRIED_ELSEWHERE.map(str::to_owned).to_vec();
    for (line, fields) in told_to_scripts(folder) {
        let told = data(folder, &line);
        assert!(!told.is_empty() && told.iter().all(Value::is_object), "{line}: {told:?}");
        for (name, value) in fields.as_object().unwrap() {
            assert_eq!(&told[0][name], value, "{line}: {told:?}");
        }
        tried.push(line);
    }
    let all = commands();
    assert!(all.len() > 40, "{all:?}");
    for command in all.into_iter().filter(|it| !SILENT.contains(it)) {
        let line = format!("{} ", command.strip_prefix("vestibule ").unwrap());
        let is_tried = tried.iter().any(|it| format!("{it} ").starts_with(&line));
        assert!(is_tried, "no test sees what `{command} --json` says");
    }
    for silent in SILENT {
        let words: Vec<_> = silent.split(' ').skip(1).chain(["--json"]).collect();
        assert_eq!(vestibule(&words).output().unwrap().status.code(), Some(2), "{silent}");
    }
}

#[test]
fn tells_a_script_each_finding_of_the_doctor() {
    let output = vestibule(&["doctor", "http://127.0.0.1:1", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let all: Vec<Value> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(all[0]["outcome"], "fail", "{text}");
    let end = all.last().unwrap();
    assert!(end["outcome"] == "end" && end["failed"].as_u64() > Some(0), "{text}");
}

/// The keys of a record in the table of docs/operating.md.
fn documented_keys() -> BTreeSet<String> {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operating.md")).unwrap();
    let table = text.lines().skip_while(|line| !line.starts_with("| key |")).skip(2);
    let keys = table.take_while(|line| line.starts_with('|'));
    keys.map(|line| line.split('`').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn has_one_name_for_one_fact_on_the_pages_and_in_every_command() {
    let folder = folder();
    let folder = folder.path();
    let server = Binary::start(folder, &["--basic-auth"]);
    let cookie = server.sign_up("clara");
    let page = |path: &str| -> Value {
        let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n");
        let answer = server.ask(&format!("{head}Accept: application/json\r\n\r\n"));
        serde_json::from_str(&answer.body).unwrap()
    };
    let names = |it: &Value| it.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let shown = one(folder, "user show clara");
    // What the owner sees of a session, of an access token and of an event, an operator sees by the same names.
    let session = one(folder, "session list clara");
    assert!(names(&session).is_superset(&names(&page("/account/sessions")["sessions"][0])));
    let record = one(folder, "audit --event signup_ok --user clara");
    let to_owners = ["at", "event", "browser", "address"].map(str::to_owned);
    assert!(names(&record).is_superset(&to_owners.into()), "{record}");
    assert_eq!(names(&record), documented_keys(), "the table in docs/operating.md is another one");
    assert_eq!((&record["username"], &record["user_id"]), (&shown["username"], &shown["user_id"]));
    assert!(names(&shown).is_superset(&names(&page("/account")["user"])));
    let unknown = one(folder, "user unlock nobody");
    assert_eq!(unknown["username"], "nobody");
    let check = one(folder, "check");
    assert_eq!(
        (&check["schema"], &check["version"]),
        (&one(folder, "migrate")["schema"], &one(folder, "version")["version"])
    );
}

#[test]
fn tells_numbers_and_switches_of_the_settings_as_such() {
    let folder = folder();
    let settings = one(folder.path(), "check")["settings"].clone();
    let expected = (&json!(5), &json!(false), &json!("30m"));
    assert_eq!(
        (&settings["throttle_free"], &settings["basic_auth"], &settings["throttle_wait"]),
        expected
    );
    let told = said(&run(folder.path(), &["check", "--title=2026", "--json"], ""));
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["settings"]["title"], "2026");
    assert_eq!(
        said(&run(folder.path(), &["invite", "list"], "")),
        "there is no valid invitation\n"
    );
    assert_eq!(data(folder.path(), "invite list"), Vec::<Value>::new());
}

#[test]
fn checks_and_shows_every_setting_of_serve_and_says_which_are_given() {
    let folder = folder();
    let help = said(&run(folder.path(), &["serve", "--help"], ""));
    let flag = |line: &str| Some(line.strip_prefix("      --")?.split(' ').next()?.to_owned());
    let flags: Vec<_> = help.lines().filter_map(flag).collect();
    let name = |it: &String| it.replace('-', "_");
    let is_shown = |it: &&String| !["database", "settings"].contains(&&***it);
    let names: Vec<_> = flags.iter().filter(is_shown).map(name).collect();
    assert!(names.len() > 40, "{names:?}");
    let text = said(&run(folder.path(), &["check"], ""));
    let (_, shown) = text.split_once("all of serve's; given are --database, and").unwrap();
    let data = one(folder.path(), "check");
    for name in names.iter().filter(|it| *it != "listen") {
        assert!(shown.contains(&format!("\n  {name} ")), "{name}: {text}");
        assert!(data["settings"].get(name).is_some(), "{name}: {data}");
    }
    assert!(text.contains("\nlisten            127.0.0.1:8080\n"), "{text}");
    assert!(data["settings"]["workers"].is_u64() && data["settings"]["title"] == "vestibule");
    let told = said(&run(folder.path(), &["check", "--remember=never", "--signup-free=3"], ""));
    let given = "all of serve's; given are --database, --remember, --signup-free, and the others";
    let remember = "\n  remember                never  (--remember)\n";
    let free = "\n  signup_free             3  (--signup-free)\n";
    for part in [given, remember, free] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn takes_the_flag_for_scripts_before_the_name_of_a_command_below_as_well() {
    let folder = folder();
    let told = said(&run(folder.path(), &["user", "--json", "groups", "anna"], ""));
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["groups"], json!([]));
}
