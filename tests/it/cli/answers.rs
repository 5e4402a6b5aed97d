//! What commands tell an operator: which users there are, what is known of one, what a change has done, and
//! what was done by whom.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::admin::{refusal, run, said, sign_in};
use crate::binary::{Binary, PATIENCE, vestibule};

fn told(folder: &Path, line: &str) -> String {
    said(&run(folder, &line.split(' ').collect::<Vec<_>>(), "three unrelated words\n"))
}

fn refused(folder: &Path, line: &str) -> String {
    refusal(&run(folder, &line.split(' ').collect::<Vec<_>>(), ""))
}

/// What a command says to a script: an object a line.
fn data(folder: &Path, line: &str) -> Vec<Value> {
    let text = told(folder, &format!("{line} --json"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn one(folder: &Path, line: &str) -> Value {
    let all = data(folder, line);
    assert_eq!(all.len(), 1, "{line}: {all:?}");
    all.into_iter().next().unwrap()
}

/// The session of the first record of this event, as soon as the server has written it.
fn session_on_record(folder: &Path, name: &str, event: &str) -> String {
    let began = Instant::now();
    loop {
        let found = data(folder, &format!("audit --user {name} --event {event}"));
        if let Some(record) = found.first() {
            return record["session"].as_str().unwrap().to_owned();
        }
        assert!(began.elapsed() < PATIENCE, "no record of {event}");
    }
}

fn id_of(folder: &Path, name: &str) -> String {
    one(folder, &format!("user show {name}"))["id"].as_str().unwrap().to_owned()
}

/// Five users, whom no server serves.
fn with_five() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for line in [
        "user add carla --no-password --groups staff",
        "user add anna --groups admin,staff",
        "user add Bertha --no-password",
        "user add dora --groups staff-b",
        "user add \u{5c71}\u{7530}\u{592a}\u{90ce} --no-password",
        "user email dora D.Ora@example.com",
        "user disable carla",
    ] {
        told(folder.path(), line);
    }
    folder
}

#[test]
fn lists_the_users_that_are_asked_for_and_says_how_many_there_are() {
    let folder = with_five();
    let folder = folder.path();
    let yamada = "\u{5c71}\u{7530}\u{592a}\u{90ce}";
    let names = |line: &str| -> Vec<String> {
        let all = data(folder, &format!("user list{line}"));
        all.iter().map(|it| it["username"].as_str().unwrap().to_owned()).collect()
    };
    for (line, expected) in [
        ("", &["anna", "Bertha", "carla", "dora", yamada][..]),
        (" --group staff", &["anna", "carla"]),
        (" --disabled", &["carla"]),
        (" --no-password", &["Bertha", "carla", yamada]),
        (" --no-password --disabled --group staff", &["carla"]),
        (" --search RT", &["Bertha"]),
        (" --search @EXAMPLE", &["dora"]),
        (" --search \u{7530}", &[yamada]),
        (" --search nobody", &[]),
        (" --reverse --limit 2", &[yamada, "dora"]),
        (" --sort created", &["carla", "anna", "Bertha", "dora", yamada]),
        (" --sort created --reverse --limit 1", &[yamada]),
        (" --sort created --limit 2 --after anna", &["Bertha", "dora"]),
    ] {
        assert_eq!(names(line), expected, "{line}");
        let text = told(folder, &format!("user list{line}"));
        let total = text.lines().last().unwrap();
        let count = expected.len().to_string();
        assert!(total.starts_with(&format!("{count} ")), "{line}: {text}");
    }
    assert!(told(folder, "user list --disabled").ends_with("\n1 user\n"));
    assert_eq!(told(folder, "user list --group nobody"), "0 users\n");
    // A page says how to go on.
    let page = told(folder, "user list --limit 2");
    let (count, next) =
        page.trim().lines().last().unwrap().split_once("; the next ones: ").unwrap();
    assert_eq!(count, "2 of 5 users");
    assert_eq!(names(&format!(" --limit 2 {next}")), ["carla", "dora"]);
    assert!(told(folder, &format!("user list --limit 3 {next}")).ends_with("\n3 of 5 users\n"));
    let text = told(folder, "user list");
    let at = |name: &str| {
        let line = text.lines().find(|line| line.contains(name)).unwrap();
        unicode_width::UnicodeWidthStr::width(line.split(" 20").next().unwrap())
    };
    assert_eq!(at("anna"), at(yamada), "{text}");
    for (line, code, why) in [
        ("user list --group Admin", 2, "a-z"),
        ("user list --sort age", 2, "must be one of name, created"),
        ("user list --limit 0", 2, "0"),
        ("user list --after nobody", 1, "there is no user nobody"),
        ("user list --after=", 2, "the name is empty"),
    ] {
        let output = run(folder, &line.split(' ').collect::<Vec<_>>(), "");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(code) && text.contains(why), "{line}: {text}");
    }
}

#[test]
fn shows_when_a_user_last_signed_in_and_what_keeps_them_out() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--throttle-free=1", "--basic-auth"]);
    let folder = folder.path();
    let cookie = server.sign_up("Anna");
    server.post("/account/tokens", "name=backup&days=30", Some(&cookie));
    told(folder, "user key add anna github:4711");
    for expected in [400, 400, 429] {
        assert_eq!(sign_in(&server, "anna", "wrong"), expected);
    }
    let shown = one(folder, "user show ANNA");
    assert_eq!(shown["sign_in_names"], json!(["anna"]));
    assert_eq!(shown["keys"][0], json!({ "provider": "github", "id": "4711", "hash": null }));
    assert_eq!(shown["keys"][1]["hash"], "argon2id");
    assert_eq!((&shown["failed_attempts"], &shown["wait_seconds"]), (&json!(2), &json!(1)));
    assert_eq!((&shown["sessions"], &shown["access_tokens"]), (&json!(1), &json!(1)));
    assert_eq!(shown["known_browsers"], 1);
    assert!(shown["last_sign_in_at"].as_str().unwrap().starts_with("20"), "{shown}");
    let text = told(folder, "user show anna");
    for line in [
        "failed attempts  2; the next one has to wait 1 s\n",
        "access tokens    1\n",
        "known browsers   1\n",
        "key              github:4711, no password\n",
        "disabled         no\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let unlocked = one(folder, "user unlock anna");
    assert_eq!((&unlocked["attempts_forgotten"], &unlocked["changed"]), (&json!(2), &json!(true)));
    assert_eq!(one(folder, "user show anna")["failed_attempts"], 0);
    told(folder, "user add bertha --no-password");
    let shown = one(folder, "user show bertha");
    assert_eq!((&shown["last_sign_in_at"], &shown["sign_in_names"]), (&Value::Null, &json!([])));
    assert!(told(folder, "user show bertha").contains("last sign-in     none on record\n"));
}

#[test]
fn takes_the_id_of_a_user_wherever_it_takes_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    let folder = folder.path();
    server.sign_up("anna");
    let id = id_of(folder, "anna");
    for line in [
        "user show ID",
        "user groups ID",
        "user groups ID staff",
        "user groups ID --add admin",
        "user email ID a@example.com",
        "user passwd ID",
        "user disable ID",
        "user enable ID",
        "user key list ID",
        "user key add ID github:1",
        "user key remove ID github:1",
        "user reset-link ID --origin https://x.example",
        "user unlock ID",
        "session list ID",
        "session end-all ID",
        "token list ID",
        "audit --user ID",
        "user list --after ID",
        "user rename ID hannah",
        "user delete ID --yes",
    ] {
        told(folder, &line.replace("ID", &id));
    }
    let why = refused(folder, &format!("user free {id}"));
    assert!(why.contains("write the name"), "its name is not kept: {why}");
    // A user can choose any name, even one that is the id of another.
    told(folder, "user add bertha --no-password");
    let bertha = id_of(folder, "bertha");
    told(folder, &format!("user add {bertha} --no-password"));
    for line in ["user delete ID --yes", "user show ID", "audit --user ID"] {
        let why = refused(folder, &line.replace("ID", &bertha));
        assert!(why.contains("and the id of the user bertha"), "{why}");
    }
    told(folder, "user show bertha");
}

#[test]
fn says_what_a_change_has_done_in_a_sentence_and_in_data() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--basic-auth"]);
    let folder = folder.path();
    let open = |name: &str, sessions: usize| {
        let form = format!("username={name}&password=three+unrelated+words");
        let cookies: Vec<_> =
            (0..sessions).map(|_| server.post("/login", &form, None).cookie().unwrap()).collect();
        server.post("/account/tokens", "name=backup&days=30", cookies.last().map(|it| &**it));
    };
    told(folder, "user add anna --groups staff");
    open("anna", 2);
    let text = told(folder, "user passwd anna");
    assert_eq!(text, "the password of anna is set; 2 sessions and 1 access token ended\n");
    let text = told(folder, "user passwd anna");
    assert_eq!(text, "the password of anna is set; no session and no access token was open\n");
    open("anna", 1);
    let done = one(folder, "user passwd anna");
    assert_eq!((&done["sessions_ended"], &done["access_tokens_ended"]), (&json!(1), &json!(1)));
    assert_eq!(done["username"], "anna");
    open("anna", 1);
    assert_eq!(told(folder, "session end-all anna"), "1 session of anna ended\n");
    assert_eq!(one(folder, "session end-all anna")["sessions_ended"], 0);
    assert_eq!(one(folder, "session purge"), json!({ "dead_sessions_deleted": 0 }));
    let handle = data(folder, "token list anna")[0]["handle"].as_str().unwrap().to_owned();
    let text = told(folder, &format!("token revoke anna {handle}"));
    assert_eq!(text, "the access token backup of anna is revoked\n");
    told(folder, "user key add anna github:1");
    open("anna", 1);
    let done = one(folder, "user key remove anna github:1");
    assert_eq!((&done["key"]["provider"], &done["sessions_ended"]), (&json!("github"), &json!(1)));
    let text = told(folder, "user email anna a@example.com");
    assert_eq!(text, "the e-mail address of anna is a@example.com now; before: none\n");
    assert_eq!(one(folder, "user email anna a@example.com")["changed"], false);
    let done = one(folder, "user rename anna hannah");
    assert_eq!((&done["username"], &done["old_username"]), (&json!("hannah"), &json!("anna")));
    let text = told(folder, "user rename hannah hannah");
    assert_eq!(text, "hannah is called so already; nothing is changed\n");
    assert_eq!(one(folder, "user rename hannah hannah")["changed"], false);
    let text = told(folder, "user delete hannah --yes");
    assert!(text.starts_with("hannah is deleted; "), "{text}");
    assert!(text.contains("; the name stays reserved until 2"), "{text}");
    assert_eq!(told(folder, "user free hannah"), "the name hannah can be taken again\n");
    assert!(refused(folder, "user free hannah").contains("not reserved"));
    told(folder, "user add carla --no-password");
    let link = one(folder, "user reset-link carla --origin https://x.example");
    assert!(link["link"].as_str().unwrap().starts_with("https://x.example/reset?token="));
}

#[test]
fn keeps_date_and_reason_of_an_account_that_is_disabled_already() {
    let folder = with_five();
    let folder = folder.path();
    let state = || {
        let shown = one(folder, "user show anna");
        (shown["disabled_at"].clone(), shown["disabled_reason"].clone())
    };
    told(folder, "user disable anna --reason left");
    let before = state();
    let again = told(folder, "user disable anna");
    assert!(again.starts_with("anna is disabled already, since 20"), "{again}");
    assert!(again.ends_with(": left; nothing is changed\n"), "{again}");
    let again = told(folder, "user disable anna --reason other");
    assert!(again.contains("nothing is changed: --replace-reason"), "{again}");
    assert_eq!(one(folder, "user disable anna --reason other")["changed"], false);
    assert_eq!(state(), before);
    let done = one(folder, "user disable anna --reason other --replace-reason");
    assert_eq!((&done["changed"], &done["disabled_reason"]), (&json!(true), &json!("other")));
    assert_eq!(state(), (before.0, json!("other")));
    let told_of = told(folder, "user enable anna");
    assert!(told_of.starts_with("anna is enabled; it was disabled since 20"), "{told_of}");
    assert_eq!(told(folder, "user enable anna"), "anna is not disabled; nothing is changed\n");
}

#[test]
fn adds_and_removes_groups_and_leaves_the_others() {
    let folder = with_five();
    let folder = folder.path();
    for (line, expected) in [
        ("user groups anna", "anna is in admin,staff\n"),
        ("user groups anna --add ops", "anna is in admin,ops,staff now; before: admin,staff\n"),
        (
            "user groups anna --add ops",
            "anna is in admin,ops,staff; nothing is changed; already in: ops\n",
        ),
        (
            "user groups anna --remove stafff",
            "anna is in admin,ops,staff; nothing is changed; was not in: stafff\n",
        ),
        (
            "user groups anna admin,ops,staff",
            "anna is in admin,ops,staff already; nothing is changed\n",
        ),
        (
            "user groups anna --add wiki,ops --add x --remove admin --remove staff,none",
            "anna is in ops,wiki,x now; before: admin,ops,staff; already in: ops; was not in: none\n",
        ),
        ("user groups anna staff", "anna is in staff now; before: ops,wiki,x\n"),
        ("user groups anna --remove staff", "anna is in no group now; before: staff\n"),
        ("user groups anna", "anna is in no group\n"),
    ] {
        assert_eq!(told(folder, line), expected, "{line}");
    }
    let done = one(folder, "user groups anna --add b,a");
    assert_eq!((&done["groups"], &done["old_groups"]), (&json!(["a", "b"]), &json!([])));
    assert_eq!(one(folder, "user groups anna")["groups"], json!(["a", "b"]));
    assert_eq!((&done["already_in"], &done["not_in"]), (&json!([]), &json!([])));
    let idle = one(folder, "user groups anna --add b --remove c");
    assert_eq!((&idle["already_in"], &idle["not_in"]), (&json!(["b"]), &json!(["c"])));
    assert_eq!(idle["changed"], false);
    let output = run(folder, &["user", "groups", "anna", "a", "--add", "b"], "");
    assert_eq!(output.status.code(), Some(2));
    let why = String::from_utf8(output.stderr).unwrap();
    assert!(why.contains("give [GROUP,...] or --add <GROUP,...>, not both"), "{why}");
}

#[test]
fn ends_the_session_that_the_log_names() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    let folder = folder.path();
    let cookies: Vec<_> = ["anna", "bertha"].map(|name| server.sign_up(name)).into();
    let other = server.post("/login", "username=anna&password=correct+horse", None);
    let other = other.cookie().unwrap();
    let handle = session_on_record(folder, "anna", "login_ok");
    let listed = data(folder, "session list anna");
    assert!(listed.iter().any(|it| it["log_handle"] == *handle), "{listed:?}");
    assert!(refused(folder, &format!("session end bertha {handle}")).contains("bertha has no"));
    assert!(refused(folder, "session end 00000000").contains("no live session"));
    assert!(server.is_signed_in(&other));
    let done = one(folder, &format!("session end {handle}"));
    assert_eq!((&done["username"], &done["sessions_ended"]), (&json!("anna"), &json!(1)));
    assert!(!server.is_signed_in(&other) && server.is_signed_in(&cookies[0]));
    let handle = session_on_record(folder, "bertha", "signup_ok");
    let text = told(folder, &format!("session end bertha {handle}"));
    assert!(text.starts_with("1 session of bertha ended"), "{text}");
    assert!(!server.is_signed_in(&cookies[1]));
}

#[test]
fn puts_on_record_what_a_command_did_and_who_gave_it() {
    let folder = with_five();
    let folder = folder.path();
    let id = id_of(folder, "anna");
    for line in [
        "user groups anna --add ops",
        "user email anna a@example.com",
        "user email anna b@example.com",
        "user disable anna --reason left",
        "user disable anna",
        "user enable anna",
        "user key add anna username:annette",
        "user key remove anna username:annette",
        "user rename anna Ann\u{eb}",
    ] {
        told(folder, line);
    }
    for name in ["anna", "annette"] {
        let all = data(folder, &format!("audit --user {name}"));
        assert!(all.len() >= 9 && all.iter().all(|it| it["username"] == "Ann\u{eb}"), "{name}");
        let rename = &all.iter().find(|it| it["event"] == "user_rename").unwrap()["fields"];
        assert_eq!((&rename["from"], &rename["to"]), (&json!("anna"), &json!("Ann\u{eb}")));
        let key = &all.iter().find(|it| it["event"] == "user_key_add").unwrap()["fields"]["key"];
        assert_eq!(key, "username:annette");
    }
    let mut command = vestibule(&["user", "delete", "ann\u{eb}", "--yes", "--database"]);
    command.arg(folder.join("test.db")).env("SUDO_USER", "the operator");
    said(&command.output().unwrap());
    let all = data(folder, &format!("audit --user {id}"));
    let fields = |event: &str| -> Vec<Value> {
        let found = all.iter().filter(|it| it["event"] == event);
        found
            .map(|it| {
                let mut fields = it["fields"].clone();
                let by = fields.as_object_mut().unwrap().remove("by").unwrap();
                assert!(!by.as_str().unwrap().is_empty());
                fields
            })
            .collect()
    };
    let handle = |name: &str| {
        let raw = rusqlite::Connection::open(folder.join("test.db")).unwrap();
        let sql = "SELECT value FROM secret WHERE name = 'handle'";
        let key: [u8; 32] = raw.query_row(sql, [], |row| row.get(0)).unwrap();
        format!("h:{}", vestibule::base::token::keyed_handle(&key, name))
    };
    let (first, last) = (handle("anna"), handle("ann\u{eb}"));
    let added = json!({ "name": first, "groups": "admin,staff", "password": "yes" });
    assert_eq!(fields("user_add"), [added]);
    let groups = json!({ "groups": "admin,ops,staff", "before": "admin,staff" });
    assert_eq!(fields("user_groups"), [groups]);
    let changed = json!({ "email": "b@example.com", "before": "a@example.com" });
    assert_eq!(fields("user_email")[1], changed);
    assert_eq!(fields("user_disable"), [json!({ "reason": "left", "sessions": 0 })]);
    assert_eq!(fields("user_enable")[0]["reason"], "left");
    assert_eq!(
        fields("user_rename"),
        [json!({ "from": first, "to": last })],
        "as they are deleted"
    );
    let deleted = json!({ "name": last, "sessions": 0, "access_tokens": 0 });
    assert_eq!(fields("user_delete"), [deleted]);
    assert_eq!(all.last().unwrap()["fields"]["by"], "the operator");
    // Every name leads to the id, and none is told.
    for it in &all {
        assert_eq!((&it["username"], &it["user_is_deleted"]), (&json!(null), &json!(true)));
        assert_eq!(it["name_handle"], last);
    }
    for name in ["ANN\u{cb}", "anna", "Annette"] {
        assert_eq!(data(folder, &format!("audit --user {name}")), all, "{name}");
    }
    assert!(told(folder, "audit --user anna").contains(&format!("  {last} (deleted)  ")));
    assert!(refused(folder, "audit --user nobody").contains("no record"));
}

#[test]
fn finds_the_records_of_a_user_who_deleted_the_account() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    let cookie = server.sign_up("Anna");
    let id = id_of(folder.path(), "anna");
    let gone = server.post("/account/delete", "password=correct+horse", Some(&cookie));
    assert_eq!(gone.status, 302);
    server.stop();
    for who in ["anna", &id] {
        let all = data(folder.path(), &format!("audit --user {who}"));
        let events: Vec<_> = all.iter().map(|it| it["event"].as_str().unwrap()).collect();
        assert_eq!(events, ["signup_ok", "account_delete"]);
        assert!(all.iter().all(|it| it["username"].is_null() && it["user_is_deleted"] == true));
    }
}

#[test]
fn shows_the_records_of_an_event_and_of_a_time_under_headings() {
    let folder = with_five();
    let folder = folder.path();
    let raw = rusqlite::Connection::open(folder.join("test.db")).unwrap();
    let day = 24 * 60 * 60 * 1_000_i64;
    // 2026-11-20 00:00 UTC.
    let start = 1_795_132_800_000_i64;
    for (at, event) in
        [(start - 1, "backup"), (start, "export"), (start + day - 1, "copy"), (start + day, "copy")]
    {
        let sql = "INSERT INTO audit (at, event, detail) VALUES (?, ?, '')";
        raw.execute(sql, (at, event)).unwrap();
    }
    let events = |line: &str| -> Vec<String> {
        let all = data(folder, &format!("audit{line}"));
        all.iter().map(|it| it["event"].as_str().unwrap().to_owned()).collect()
    };
    for (line, expected) in [
        (" --since 2026-11-20 --until 2026-11-20", &["export", "copy"][..]),
        (" --until 2026-11-20", &["backup", "export", "copy"]),
        (" --since 2026-11-20T01:00:00+01:00 --until 2026-11-20T00:00Z", &["export"]),
        (" --event backup --event export", &["backup", "export"]),
        (" --event copy --limit 1", &["copy"]),
        (" --user anna --event user_add", &["user_add"]),
        (" --limit 2", &["user_email", "user_disable"]),
        (" --since 2h --event user_disable", &["user_disable"]),
    ] {
        assert_eq!(events(line), expected, "{line}");
    }
    let text = told(folder, "audit --event user_add");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let headings = ["TIME", "EVENT", "USER", "ID", "ADDRESS", "SESSION", "DETAIL"];
    assert_eq!(words(text.lines().next().unwrap()), headings);
    let detail =
        |line: &str| unicode_width::UnicodeWidthStr::width(line.split("name=").next().unwrap());
    let starts: std::collections::HashSet<_> = text.lines().skip(1).map(detail).collect();
    assert_eq!((starts.len(), text.lines().count()), (1, 6), "{text}");
    assert_eq!(told(folder, "audit --event import"), "no records\n");
    for (line, why) in [
        ("audit --event login", "did you mean"),
        ("audit --event health", "must be one of"),
        ("audit --since yesterday", "2026-11-20"),
        ("audit --follow --until 2h", "--until"),
    ] {
        let output = run(folder, &line.split(' ').collect::<Vec<_>>(), "");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && text.contains(why), "{line}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
