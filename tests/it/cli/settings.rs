//! The settings file, with the real program.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{Binary, vestibule, vestibule_of_another};
use crate::cli::copy::{refusal, said};

/// A folder with a settings file that names the database in it.
struct Host {
    folder: TempDir,
}

impl Host {
    fn new(lines: &str) -> Self {
        let it = Self { folder: tempfile::tempdir().unwrap() };
        let database = it.path("test.db");
        it.write(&format!("# the database\nVESTIBULE_DATABASE={}\n{lines}", database.display()));
        it
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, text: &str) {
        fs::write(self.path("settings"), text).unwrap();
        self.set_mode(0o640);
    }

    fn set_mode(&self, mode: u32) {
        fs::set_permissions(self.path("settings"), Permissions::from_mode(mode)).unwrap();
    }

    /// A command in the folder that is told where the file is.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = vestibule(words);
        command.env("VESTIBULE_SETTINGS", self.path("settings")).current_dir(self.folder.path());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn check(&self, words: &[&str]) -> Value {
        let words = [&["check", "--json"], words].concat();
        serde_json::from_str(&said(&self.run(&words))).unwrap()
    }
}

#[test]
fn serves_and_is_operated_with_one_file() {
    let host = Host::new("VESTIBULE_LISTEN=127.0.0.1:0\nVESTIBULE_TITLE='Our house'\n");
    let server = Binary::run(host.command(&["serve"]));
    server.sign_up("anna");
    assert!(server.get("/login", None).body.contains("Our house"));
    let flag = format!("--settings={}", host.path("settings").display());
    for words in [&[&*flag, "user", "list"][..], &["user", &flag, "list"], &["user", "list", &flag]]
    {
        let told = said(&vestibule(words).output().unwrap());
        assert!(told.contains("anna"), "{words:?}: {told}");
    }
    assert!(said(&host.run(&["user", "list"])).contains("anna"), "by the variable");
    let other = host.path("other.db");
    let other = ["--database", other.to_str().unwrap()];
    said(&host.run(&[&["user", "add", "bob1", "--no-password"], &other[..]].concat()));
    let told = said(
        &host.command(&["user", "list"]).env("VESTIBULE_DATABASE", other[1]).output().unwrap(),
    );
    assert!(told.contains("bob1") && !told.contains("anna"), "{told}");
}

#[test]
fn tells_where_each_setting_was_given() {
    let host = Host::new("VESTIBULE_TITLE=ours\nVESTIBULE_IDLE=9d\nVESTIBULE_STRICT_ORIGIN=no\n");
    said(&host.run(&["user", "add", "anna", "--no-password"]));
    let file = host.path("settings").display().to_string();
    let words = ["check", "--idle=8d", "--json"];
    let checked = host.command(&words).env("VESTIBULE_ACTIVE", "2h").output().unwrap();
    let data: Value = serde_json::from_str(&said(&checked)).unwrap();
    let in_file =
        |name: &str, line: u32| json!({ "from": "file", "name": name, "file": file, "line": line });
    for (name, expected) in [
        ("database", in_file("VESTIBULE_DATABASE", 2)),
        ("title", in_file("VESTIBULE_TITLE", 3)),
        ("strict_origin", in_file("VESTIBULE_STRICT_ORIGIN", 5)),
        ("idle", json!({ "from": "flag", "name": "--idle" })),
        ("active", json!({ "from": "variable", "name": "VESTIBULE_ACTIVE" })),
        ("listen", json!({ "from": "default" })),
        ("absolute", json!({ "from": "default" })),
    ] {
        assert_eq!(data["sources"][name], expected, "{name}");
    }
    assert_eq!(data["settings_file"], file);
    let given = [
        "VESTIBULE_DATABASE",
        "VESTIBULE_STRICT_ORIGIN",
        "VESTIBULE_ACTIVE",
        "--idle",
        "VESTIBULE_TITLE",
    ];
    assert_eq!(data["given"], json!(given));
    assert_eq!(data["settings"]["title"], "ours");
    let text = said(
        &host.command(&["check", "--idle=8d"]).env("VESTIBULE_ACTIVE", "2h").output().unwrap(),
    );
    for line in [
        format!("test.db  ({file} line 2)\n"),
        format!("\nsettings_file     {file}\n"),
        format!("\n  title                   ours  ({file} line 3)\n"),
        "\n  idle                    8d  (--idle)\n".to_owned(),
        "\n  active                  2h  (VESTIBULE_ACTIVE)\n".to_owned(),
        "\n  absolute                30d\n".to_owned(),
    ] {
        assert!(text.contains(&line), "{line}: {text}");
    }
}

#[test]
fn takes_passwords_from_the_file_and_shows_none() {
    let mail = "VESTIBULE_ORIGIN=https://auth.example.com\nVESTIBULE_MAIL=smtps://ann@127.0.0.1:1\n\
                VESTIBULE_MAIL_FROM=no-reply@example.com\n";
    let told = refusal(&Host::new(mail).run(&["check"]), 2);
    assert!(told.contains("VESTIBULE_MAIL_PASSWORD"), "{told}");
    let host = Host::new(&format!("{mail}VESTIBULE_MAIL_PASSWORD=hunter2\n"));
    let told = said(&host.run(&["check"]));
    assert!(told.contains("127.0.0.1:1") && !told.contains("hunter2"), "{told}");
}

#[test]
fn refuses_a_file_that_others_may_write_or_that_shows_them_a_password() {
    let host = Host::new("");
    for mode in [0o644, 0o664, 0o600, 0o640] {
        host.set_mode(mode);
        host.check(&[]);
    }
    for mode in [0o646, 0o602] {
        host.set_mode(mode);
        let told = refusal(&host.run(&["check"]), 2);
        assert!(
            told.contains("may write the settings file") && told.contains("chmod o-w"),
            "{told}"
        );
    }
    for line in [
        "VESTIBULE_MAIL_PASSWORD=hunter2",
        "VESTIBULE_DATABASE_PASSWORD='hunter2'",
        "VESTIBULE_DATABASE=mysql://ann:hunter2@db1/x",
    ] {
        host.write(&format!("\n{line}\n"));
        host.set_mode(0o644);
        for words in [&["check"][..], &["user", "list"], &["serve"]] {
            let told = refusal(&host.run(words), 2);
            assert!(told.contains("holds a password on line 2: chmod 640"), "{words:?}: {told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}

#[test]
fn reads_no_more_than_a_small_regular_file() {
    let host = Host::new("");
    let told = |path: &Path| {
        let words = ["check", "--settings", path.to_str().unwrap()];
        refusal(&vestibule(&words).current_dir(host.folder.path()).output().unwrap(), 2)
    };
    assert!(told(host.folder.path()).contains("it is a folder; name a file"));
    let pipe = host.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(told(&pipe).contains("it is not a regular file"));
    assert!(told(Path::new("/dev/zero")).contains("it is not a regular file"));
    assert!(told(Path::new("/no/such")).contains("there is no such file"));
    host.write(&"#\n".repeat(40_000));
    assert!(told(&host.path("settings")).contains("has more than 65536 bytes"));
    fs::write(host.path("settings"), b"A=1\nB=\xff\n").unwrap();
    assert!(told(&host.path("settings")).contains("is not in UTF-8 on line 2"));
    host.write("A=1\nB\n");
    assert!(told(&host.path("settings")).contains("settings line 2: there is no = in it"));
    let null = ["check", "--settings=/dev/null"];
    said(&vestibule(&null).current_dir(host.folder.path()).output().unwrap());
}

#[test]
fn refuses_a_file_that_this_user_may_not_read() {
    let host = Host::new("");
    let file = host.path("settings");
    let words = ["user", "list", "--settings", file.to_str().unwrap()];
    let mut command = vestibule_of_another(host.folder.path(), &words);
    host.set_mode(0o000);
    let told = refusal(&command.output().unwrap(), 2);
    assert!(told.contains("this user may not read it"), "{told}");
}

/// What systemd makes of values, where it is installed: its generator of environments for users reads the same files, but
/// replaces variables in values.
#[test]
fn reads_the_lines_of_a_file_as_systemd_itself_does() {
    const GENERATOR: &str =
        "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator";
    if !Path::new(GENERATOR).exists() {
        return;
    }
    let host = Host::new("");
    let folder = host.path("environment.d");
    fs::create_dir(&folder).unwrap();
    for value in [
        "x",
        "  x y  ",
        "x#y",
        "x # y",
        "it's \"x\"",
        "'x \"y\"'",
        "\"x'y\\z\"",
        "\"a b\" c",
        "\"x \" y  ",
        "'q' \"r\"",
        "'x'\"y\"z",
        "a \"b\"  ",
        "\\a\\\\b",
        "a\\ ",
        "a\\\n  b",
        "\\'a b\\'",
        "a=b",
        "x\r",
        "\"one \\\nline\"",
        "grün",
    ] {
        let line = format!("VESTIBULE_TITLE={value}\n");
        fs::write(folder.join("x.conf"), &line).unwrap();
        let mut generator = Command::new(GENERATOR);
        generator.env_clear().env("XDG_CONFIG_HOME", host.folder.path()).env("HOME", "/");
        let told = said(&generator.output().unwrap());
        let theirs = told.lines().find_map(|it| it.strip_prefix("VESTIBULE_TITLE=")).unwrap();
        let theirs: String = match theirs.strip_prefix('"') {
            Some(quoted) => serde_json::from_str(&format!("\"{quoted}")).unwrap(),
            None => theirs.to_owned(),
        };
        host.write(&line);
        assert_eq!(host.check(&["--database=x.db"])["settings"]["title"], theirs, "{value:?}");
    }
}

#[test]
fn takes_every_setting_that_the_file_of_the_debian_package_proposes() {
    let host = Host::new("");
    said(&host.run(&["key", "new", "seal.key"]));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/packages/debian/settings");
    let text = fs::read_to_string(file).unwrap();
    let is_set = |line: &&str| line.starts_with("VESTIBULE_");
    assert_eq!(
        text.lines().filter(is_set).collect::<Vec<_>>(),
        ["VESTIBULE_DATABASE=/var/lib/vestibule/vestibule.db"]
    );
    host.write(
        &text
            .replace("#VESTIBULE_", "VESTIBULE_")
            .replace("PASSWORD=\n", "PASSWORD=correct horse\n")
            .replace("/var/lib/vestibule/", &host.path("").display().to_string())
            .replace("/etc/vestibule/", &host.path("").display().to_string()),
    );
    let told = said(&host.run(&["check", "--before-start"]));
    assert!(told.ends_with("vestibule serve makes it when it starts\n"), "{told}");
}
