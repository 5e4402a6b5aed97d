//! Sending mail from a running server: by a program, and to relays that misbehave.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use vestibule::store::WRITE_PATIENCE;

use crate::binary::{Binary, PATIENCE, vestibule};
use crate::engine;

const FROM: &str = "--mail-from=Example <no-reply@example.com>";
const ORIGIN: &str = "--origin=http://127.0.0.1:9";

/// A program that keeps what it is given in a file for each mail.
fn program(folder: &Path, more: &str) -> String {
    let path = folder.join("program");
    fs::create_dir_all(folder.join("mails")).unwrap();
    let text = format!(
        "#!/bin/sh\ncat > {0}/part.$$ && mv {0}/part.$$ {0}/mails/$$\n{more}\n",
        folder.display()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    format!("--mail-command={} -t -i", path.display())
}

/// Waits until something is there.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what} does not come");
        thread::yield_now();
    }
}

fn mails(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder.join("mails")).unwrap();
    files.map(|it| fs::read_to_string(it.unwrap().path()).unwrap()).collect()
}

/// A server with these flags on which `anna` has a verified address.
fn start(folder: &Path, flags: &[&str]) -> Binary {
    let server = Binary::start(folder, &[&[ORIGIN, FROM], flags].concat());
    server.sign_up("anna");
    let database = folder.join("test.db");
    let email =
        ["user", "email", "anna", "anna@example.com", "--database", database.to_str().unwrap()];
    assert!(vestibule(&email).status().unwrap().success());
    server
}

fn ask(server: &Binary) {
    let answer = server.post("/forgot", "name=anna", None);
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn sends_by_a_program_at_once_and_keeps_addresses_and_links_out_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &[&program(folder.path(), "")]);
    ask(&server);
    let mail = wait_for("a mail", || mails(folder.path()).pop());
    for line in [
        "From: Example <no-reply@example.com>",
        "To: anna@example.com",
        "Auto-Submitted: auto-generated",
    ] {
        assert!(mail.contains(line), "{line} is not in {mail}");
    }
    let token = mail.split("token=3D").nth(1).unwrap().lines().next().unwrap().to_owned();
    wait_for("a line", || server.logged().contains("ev=mail_sent").then_some(()));
    assert_eq!(engine::raw(folder.path()).count("mail"), 0);
    let log = server.stop();
    assert!(!log.contains("anna@example.com") && !log.contains(&token[..20]), "{log}");
}

#[test]
fn keeps_a_mail_that_a_program_does_not_take() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &[&program(folder.path(), "exit 75")]);
    ask(&server);
    wait_for("a line", || server.logged().contains("ev=mail_failed").then_some(()));
    let mut raw = engine::raw(folder.path());
    assert_eq!(raw.row("SELECT tries, last_outcome FROM mail"), ["1", "exit_75"]);
    let database = folder.path().join("test.db");
    let run = |words: &[&str]| {
        let all = [&["mail"], words, &["--database", database.to_str().unwrap()]].concat();
        let output = vestibule(&all).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, listed) = run(&["list"]);
    assert!(code == Some(0) && listed.contains("exit_75") && listed.contains("anna"), "{listed}");
    let data: serde_json::Value = serde_json::from_str(&run(&["list", "--json"]).1).unwrap();
    assert_eq!((&data["username"], &data["tries"]), (&"anna".into(), &1.into()), "{data}");
    assert_eq!(run(&["retry", "--all"]), (Some(0), "1 mail is sent at once\n".to_owned()));
    let id = raw.text("SELECT id FROM mail");
    assert_eq!(run(&["drop", &id]).0, Some(0));
    assert_eq!(run(&["drop", &id]).0, Some(1));
    assert_eq!(run(&["list"]), (Some(0), "no mail waits\n".to_owned()));
}

/// A program that says so in the file `started` when it has a mail, and takes it when there is the file `go`.
fn waiting_program(folder: &Path) -> String {
    let wait = "touch {0}/started; while [ ! -e {0}/go ]; do sleep 0.02; done";
    program(folder, &wait.replace("{0}", folder.to_str().unwrap()))
}

fn wait_until_started(folder: &Path) {
    wait_for("the program", || folder.join("started").exists().then_some(()));
}

#[test]
fn notes_the_mail_that_it_is_sending_before_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path(), &[&waiting_program(folder.path())]);
    ask(&server);
    wait_until_started(folder.path());
    server.signal(Signal::TERM);
    let is_closed = || TcpStream::connect(server.address).is_err().then_some(());
    wait_for("the end of requests", is_closed);
    fs::write(folder.path().join("go"), "").unwrap();
    assert!(server.wait().success());
    assert_eq!(mails(folder.path()).len(), 1);
    assert_eq!(
        engine::raw_file(&folder.path().join("test.db")).count("mail"),
        0,
        "it is not sent twice"
    );
}

// Attack 14: what was sent is not sent again because the database could not be told.
#[test]
fn sends_a_mail_once_though_the_database_is_busy_when_it_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &[&waiting_program(folder.path())]);
    ask(&server);
    wait_until_started(folder.path());
    let mut raw = engine::raw_file(&folder.path().join("test.db"));
    raw.run("BEGIN IMMEDIATE");
    fs::write(folder.path().join("go"), "").unwrap();
    // The server gives the note of it up for now, and every page answers meanwhile.
    let began = Instant::now();
    while began.elapsed() < WRITE_PATIENCE + Duration::from_secs(2) {
        assert_eq!(server.get("/login", None).status, 200);
    }
    assert_eq!(mails(folder.path()).len(), 1);
    raw.run("COMMIT");
    assert_eq!(server.post("/forgot", "name=another", None).status, 200);
    wait_for("the note", || server.logged().contains("ev=mail_sent").then_some(()));
    wait_for("an empty queue", || (raw.count("mail") == 0).then_some(()));
    assert_eq!(mails(folder.path()).len(), 1, "{}", server.stop());
}

/// A relay that plays a part in the conversation of each connection, and tells what it was sent.
fn relay(part: fn(&mut Conversation<'_>)) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let flag = format!("--mail=smtp+plain://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let reader = BufReader::new(stream.try_clone().unwrap());
            part(&mut Conversation { stream, reader, tell: &tell });
        }
    });
    (flag, told)
}

struct Conversation<'a> {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    tell: &'a Sender<String>,
}

impl Conversation<'_> {
    fn say(&mut self, line: &str) {
        // The other side may have gone.
        let _ = self.stream.write_all(format!("{line}\r\n").as_bytes());
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        let _ = self.reader.read_line(&mut line);
        let _ = self.tell.send(line.clone());
        line
    }

    /// Takes a mail, with these answers to the recipient and to the text.
    fn take(&mut self, recipient: &str, text: &str) {
        self.take_from("250 ok", recipient, text);
    }

    /// The same with an answer to the sender. Whatever signs in is let in.
    fn take_from(&mut self, sender: &str, recipient: &str, text: &str) {
        self.say("220 relay");
        loop {
            let line = self.hear();
            match line.split([' ', ':', '\r']).next().unwrap_or_default() {
                "EHLO" => self.say("250-relay\r\n250 AUTH PLAIN"),
                "AUTH" => self.say("235 welcome"),
                "MAIL" => self.say(sender),
                "RCPT" => self.say(recipient),
                "DATA" => {
                    self.say("354 go on");
                    while !matches!(&*self.hear(), ".\r\n" | "") {}
                    match text {
                        "" => return,
                        text => self.say(text),
                    }
                }
                "QUIT" => return self.say("221 bye"),
                "" => return,
                _ => self.say("250 ok"),
            }
        }
    }
}

fn outcome(part: fn(&mut Conversation<'_>), event: &str) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (flag, told) = relay(part);
    let server = start(folder.path(), &[&flag]);
    ask(&server);
    let line = wait_for(event, || {
        let log = server.logged();
        log.lines().find(|it| it.contains(&format!("ev={event}"))).map(str::to_owned)
    });
    let rows = engine::raw(folder.path()).count("mail");
    assert_eq!(rows, i64::from(event == "mail_failed"), "{line}");
    // Sign-in goes on whatever the relay does.
    let answer = server.post("/login", "username=anna&password=correct+horse", None);
    assert_eq!(answer.status, 302);
    (line, told.try_iter().collect())
}

#[test]
fn hands_a_mail_to_a_relay() {
    let (_, told) = outcome(|it| it.take("250 ok", "250 taken"), "mail_sent");
    assert!(told.iter().any(|it| it == "MAIL FROM:<no-reply@example.com>\r\n"), "{told:?}");
    assert!(told.iter().any(|it| it == "RCPT TO:<anna@example.com>\r\n"), "{told:?}");
    assert!(told.iter().any(|it| it.starts_with("Message-ID: <")), "{told:?}");
}

// Attack 11, without TLS.
#[test]
fn tries_again_whatever_a_relay_does_and_gives_up_what_it_refuses() {
    for (part, event, word) in [
        ((|it| it.say("421 busy")) as fn(&mut Conversation<'_>), "mail_failed", "outcome=421"),
        (|it| it.take("451 <anna@example.com> later", "250 taken"), "mail_failed", "outcome=451"),
        (
            |it| it.take("550 <anna@example.com> unknown", "250 taken"),
            "mail_refused",
            "outcome=550",
        ),
        (|it| it.take("550 5.7.1 no relaying", ""), "mail_failed", "outcome=550"),
        (|it| it.take("552 5.2.2 full", ""), "mail_failed", "outcome=552"),
        (|it| it.take_from("550 5.1.8 bad sender", "", ""), "mail_failed", "outcome=550"),
        (|it| it.take("250 ok", "554 no"), "mail_failed", "outcome=554"),
        (|it| it.take("250 ok", "550 5.7.1 looks like spam"), "mail_failed", "outcome=550"),
        (|it| it.take("250 ok", "550 5.1.1 unknown"), "mail_refused", "outcome=550"),
        (|it| it.take("250 ok", ""), "mail_failed", "outcome="),
        (|_| {}, "mail_failed", "outcome="),
        (|it| it.say("not smtp"), "mail_failed", "outcome="),
    ] {
        let (line, _) = outcome(part, event);
        assert!(line.contains(word) && !line.contains("anna@"), "{line}");
    }
}

// Attack 16.
#[test]
fn keeps_tokens_and_the_password_of_the_relay_out_of_log_and_database_and_addresses_out_of_the_log()
{
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    fs::write(&password, "hunter2 of the relay\n").unwrap();
    // Taken; refused; kept, so that it waits with the token of its last try.
    for (part, event) in [
        ((|it| it.take("250 ok", "250 taken")) as fn(&mut Conversation<'_>), "mail_sent"),
        (|it| it.take("550 <anna@example.com> unknown", ""), "mail_refused"),
        (|it| it.take("250 ok", "451 <anna@example.com> later"), "mail_failed"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (flag, told) = relay(part);
        let flag = flag.replace("//", "//sender@");
        let secret = format!("--mail-password-file={}", password.display());
        let server = start(folder.path(), &[&flag, &secret]);
        ask(&server);
        wait_for(event, || server.logged().contains(&format!("ev={event}")).then_some(()));
        let heard: String = told.try_iter().collect();
        // `\0sender\0hunter2 of the relay`
        assert!(heard.contains("AUTH PLAIN AHNlbmRlcgBodW50ZXIyIG9mIHRoZSByZWxheQ=="), "{heard}");
        let kept = String::from_utf8_lossy(&engine::everything(folder.path())).into_owned();
        let log = server.stop();
        let whole = heard.replace("=\r\n", "");
        let token = whole.split("token=3D").nth(1).map(|it| it.lines().next().unwrap());
        assert_eq!(token.is_some(), event != "mail_refused", "{whole}");
        for secret in ["hunter2", "token="].into_iter().chain(token) {
            assert!(!kept.contains(secret) && !log.contains(secret), "{secret} in {log}");
        }
        assert!(!log.contains('@') && !log.contains("sender"), "{log}");
    }
}

#[test]
fn does_not_start_with_settings_for_mail_that_cannot_work() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("test.db");
    for (flags, what) in [
        (&["--mail=smtps://relay.example.com", FROM][..], "--origin"),
        (&["--mail=smtps://relay.example.com", ORIGIN], "--mail-from"),
        (&["--mail=smtps://a:hunter2@relay.example.com", ORIGIN, FROM], "--mail-password-file"),
        (&["--mail=smtps://a@relay.example.com", ORIGIN, FROM], "password of a is missing"),
        (&["--mail=smtp+plain://relay.example.com", ORIGIN, FROM], "in clear"),
        (&["--mail-command=sendmail", ORIGIN, FROM], "whole path"),
        (&[FROM, ORIGIN], "--mail or --mail-command"),
    ] {
        let mut all =
            vec!["serve", "--listen=127.0.0.1:0", "--database", database.to_str().unwrap()];
        all.extend(flags);
        let output = vestibule(&all).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(what) && !told.contains("hunter2"), "{told}");
    }
}

#[test]
fn tries_the_settings_and_says_what_the_relay_said() {
    let from = "--mail-from=no-reply@example.com";
    let run = |flag: &str| {
        let output = vestibule(&["mail", "test", "me@example.com", flag, from]).output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
        (output.status.code(), out + &err)
    };
    let (flag, _told) = relay(|it| it.take("250 ok", "250 taken"));
    let (code, told) = run(&flag);
    assert!(code == Some(0) && told.contains("has taken a mail"), "{told}");
    let (flag, _told) = relay(|it| it.take("550 no such user", "250 taken"));
    let (code, told) = run(&flag);
    assert!(code == Some(1) && told.contains("550") && told.contains("no such user"), "{told}");
    let (code, told) = run("--mail=smtp+plain://127.0.0.1:1");
    assert!(code == Some(1) && told.contains("is it running"), "{told}");
}

#[test]
fn checks_whether_mail_would_be_taken_without_sending_any() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("test.db");
    let server = start(folder.path(), &[&program(folder.path(), "")]);
    drop(server);
    let check = |flag: &str| {
        let all = ["check", "--database", database.to_str().unwrap(), ORIGIN, FROM, flag];
        let output = vestibule(&all).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (flag, told) = relay(|it| it.take("250 ok", "250 taken"));
    let (code, said) = check(&flag);
    assert!(code == Some(0) && !said.contains("takes no mail"), "{said}");
    let heard: Vec<_> = told.try_iter().collect();
    assert!(heard.iter().any(|it| it.starts_with("EHLO")), "{heard:?}");
    assert!(!heard.iter().any(|it| it.starts_with("MAIL") || it.starts_with("DATA")), "{heard:?}");
    let (flag, _told) = relay(|it| it.say("421 closed"));
    for (flag, cause) in [
        (&*flag, "421"),
        ("--mail=smtp+plain://127.0.0.1:1", "127.0.0.1:1"),
        ("--mail-command=/nowhere/sendmail -t", "no such file"),
        ("--mail-command=/etc/passwd", "it is no program"),
    ] {
        let (code, said) = check(flag);
        assert!(said.contains("takes no mail") && said.contains(cause), "{said}");
        assert_eq!(code, Some(0), "nothing but mail waits for it: {said}");
    }
}

#[test]
fn mails_a_reset_link_for_an_operator_in_the_language_that_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &[&program(folder.path(), "")]);
    let database = folder.path().join("test.db");
    let run = |words: &[&str]| {
        let all = [words, &["--database", database.to_str().unwrap()]].concat();
        let output = vestibule(&all).output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
        (output.status.code(), out + &err)
    };
    let mail = ["user", "reset-link", "anna", "--mail", "--language=de"];
    let (code, said) = run(&mail);
    assert!(code == Some(0) && said.contains("waits") && !said.contains("token="), "{said}");
    // The server has not been told and looks by itself; a sign-in page's form rings its bell.
    server.post("/forgot", "name=another", None);
    let mail_sent = wait_for("a mail", || mails(folder.path()).pop());
    assert!(mail_sent.contains("Subject: Neues Passwort setzen"), "{mail_sent}");
    assert_eq!(run(&["user", "email", "anna", "anna@example.com", "--unverified"]).0, Some(0));
    let (code, said) = run(&mail);
    assert!(code == Some(1) && said.contains("no verified e-mail address"), "{said}");
    run(&["user", "disable", "anna"]);
    let (code, said) = run(&mail);
    assert!(code == Some(1) && said.contains("is disabled"), "{said}");
    let (code, said) = run(&["user", "reset-link", "anna"]);
    assert!(code == Some(2) && said.contains("--origin"), "{said}");
    let (code, _) = run(&["user", "reset-link", "anna", "--mail", "--language=tlh"]);
    assert_eq!(code, Some(2));
}

#[test]
fn queues_no_reset_link_for_an_operator_where_no_server_sends_mail() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[ORIGIN]);
    server.sign_up("anna");
    let database = folder.path().join("test.db");
    let database = ["--database", database.to_str().unwrap()];
    let run = |words: &[&str]| vestibule(&[words, &database].concat()).output().unwrap();
    assert!(run(&["user", "email", "anna", "anna@example.com"]).status.success());
    let output = run(&["user", "reset-link", "anna", "--mail"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("sends none"), "{said}");
    let waiting = String::from_utf8(run(&["mail", "list", "--json"]).stdout).unwrap();
    assert_eq!(waiting, "");
}

#[test]
fn sets_an_address_that_does_not_count_until_it_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &[&program(folder.path(), "")]);
    let database = folder.path().join("test.db");
    let run = |words: &[&str]| {
        let all = [words, &["--database", database.to_str().unwrap()]].concat();
        String::from_utf8(vestibule(&all).output().unwrap().stdout).unwrap()
    };
    let unverified = ["user", "email", "anna", "anna@example.com", "--unverified"];
    let said = run(&unverified);
    assert!(said.contains("anna@example.com, not verified, now; before: anna@"), "{said}");
    assert!(run(&unverified).contains("already; nothing is changed"));
    assert!(run(&["user", "show", "anna"]).contains("anna@example.com, not verified"));
    ask(&server);
    assert_eq!(engine::raw(folder.path()).count("mail WHERE kind <> 'nothing'"), 0);
    let said = run(&["user", "email", "anna", "anna@example.com"]);
    assert!(said.contains("anna@example.com now"), "{said}");
    assert!(!run(&["user", "show", "anna"]).contains("not verified"));
}
