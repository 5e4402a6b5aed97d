//! The log of the real program: its formats, what a client can put into it, and what the journal is told.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::fstat;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use vestibule::base::log_fields;

use crate::binary::{Answer, Binary, PATIENCE, vestibule};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// What every line begins with.
const HEAD: [&str; 3] = ["ts", "level", "ev"];

/// What a line about a request ends with.
const TAIL: [&str; 6] = ["method", "path", "status", "us", "ip", "rid"];

/// Texts that would end a line, forge a key, or do something to a terminal.
const HOSTILE: [&str; 6] = [
    "/a%0d%0ats=0%20ev=login_ok",
    "/\"ev=login_ok",
    "/\",\"ev\":\"login_ok\",\"ip\":\"6.6.6.6",
    "/\\\",\\\"ev\\\":\\\"login_ok",
    "/ip=6.6.6.6\\",
    "/{}'`$(x)=",
];

/// Visits a server with all kinds of requests, and returns its log.
fn log_of(flags: &[&str]) -> String {
    let folder = folder();
    let server = Binary::start(folder.path(), flags);
    let cookie = server.sign_up("anna");
    server.post("/login", "username=anna&password=something+else", None);
    server.post("/login", "username=x%22+ev%3Dlogin_ok%0d%0a&password=something+else", None);
    server.get("/account", Some(&cookie));
    for path in HOSTILE {
        server.get(path, None);
    }
    for value in ["\u{1b}[2J\u{9b}31m", "http://x\" ev=login_ok", "\u{2028}\u{202e}", "a=b"] {
        server.ask(&format!(
            "POST /logout HTTP/1.1\r\nHost: x\r\nOrigin: {value}\r\nUser-Agent: {value}\r\n\
             Sec-Fetch-Site: cross-site\r\nX-Forwarded-For: {value}\r\nContent-Length: 0\r\n\r\n"
        ));
    }
    // Bytes that are no text.
    let _ = server.try_ask(b"GET /\xff\xfe\x80 HTTP/1.1\r\nHost: x\r\nOrigin: \xff\xc0\r\n\r\n");
    let _ = server.try_ask(b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: \xff\"\xc0 ev=x\r\n\r\n");
    server.stop()
}

/// The keys of an object in their order, as `serde_json` has sorted them by then.
fn keys(line: &str) -> Vec<String> {
    let mut rest = line.strip_prefix('{').unwrap();
    let mut keys = Vec::new();
    while let Some(text) = rest.strip_prefix(['"', ',']) {
        let text = text.strip_prefix('"').unwrap_or(text);
        let (key, after) = text.split_once("\":").unwrap();
        keys.push(key.to_owned());
        let mut values = serde_json::Deserializer::from_str(after).into_iter::<Value>();
        values.next().unwrap().unwrap();
        rest = &after[values.byte_offset()..];
    }
    assert_eq!(rest, "}", "{line}");
    keys
}

fn events(log: &str, event: impl Fn(&str) -> String) -> Vec<String> {
    let all: Vec<_> = log.lines().map(event).collect();
    assert!(all.len() > 15, "{log}");
    all
}

#[test]
fn says_the_same_with_the_same_keys_in_both_formats_whatever_clients_send() {
    let (text, json) = (log_of(&[]), log_of(&["--log-format=json"]));
    for log in [&text, &json] {
        assert!(log.bytes().all(|it| matches!(it, b' '..=b'~' | b'\n')), "{log}");
    }
    let of_text = events(&text, |line| {
        let fields = log_fields::read(line);
        let names: Vec<_> = fields.iter().map(|(name, _)| &**name).collect();
        format!("{} {}", fields[2].1, names.join(" "))
    });
    let of_json = events(&json, |line| {
        let object: Value = serde_json::from_str(line).unwrap();
        format!("{} {}", object["ev"].as_str().unwrap(), keys(line).join(" "))
    });
    assert_eq!(of_text, of_json);
    for line in of_text {
        let names: Vec<_> = line.split(' ').skip(1).collect();
        assert_eq!(names[..3], HEAD, "{line}");
        let different: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "no key is there twice: {line}");
        if names.contains(&"rid") {
            assert_eq!(names[names.len() - TAIL.len()..], TAIL, "{line}");
        }
    }
    let logins = json.lines().filter(|it| it.contains("\"ev\":\"login_ok\"")).count();
    assert_eq!(logins + text.lines().filter(|it| it.contains(" ev=login_ok ")).count(), 0);
}

#[test]
fn has_a_type_for_each_key_that_holds_for_every_line() {
    for line in log_of(&["--log-format=json"]).lines() {
        let object: Value = serde_json::from_str(line).unwrap();
        for (name, value) in object.as_object().unwrap() {
            let is_number = vestibule::server::log::is_number(name);
            assert_eq!(value.is_number(), is_number, "{name} in {line}");
            assert!(value.is_number() || value.is_string(), "{name} in {line}");
        }
    }
}

#[test]
fn says_in_its_log_why_it_cannot_start_and_as_text_that_a_setting_is_wrong() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("--listen={}", taken.local_addr().unwrap());
    let fail = |flags: &[&str]| {
        let mut command = vestibule(&[&["serve", &listen], flags].concat());
        let output = command.current_dir(folder.path()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, told) = fail(&["--log-format=json"]);
    let object: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (code, &object["level"], &object["ev"]),
        (Some(1), &"error".into(), &"serve_failed".into())
    );
    assert!(object["cause"].as_str().unwrap().starts_with("cannot listen on "), "{told}");
    let (code, told) = fail(&[]);
    assert!(
        code == Some(1) && told.contains(" level=error ev=serve_failed cause=\"cannot listen on "),
        "{told}"
    );
    let long = format!("--database={}/{}", "x".repeat(200), "y".repeat(200));
    let (code, told) = fail(&[&long]);
    assert!(code == Some(1) && told.contains(&"y".repeat(200)), "it is not cut: {told}");
    let (code, told) = fail(&["--log-format=json", "--log-level=loud"]);
    assert!(code == Some(2) && told.starts_with("vestibule: "), "{told}");
    assert!(told.contains("it must be checks, requests, events or warnings"), "{told}");
}

#[test]
fn has_warnings_and_errors_alone_if_it_is_told_to() {
    let folder = folder();
    let socket = folder.path().join("http");
    let listen = format!("--listen=unix:{}", socket.display());
    let mut command = vestibule(&["serve", &listen, "--log-level=warnings"]);
    command.args(["--origin=http://127.0.0.1:8080", "--app=http://127.0.0.1:3000"]);
    command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    // It does not say where it listens.
    let mut stream = loop {
        match UnixStream::connect(&socket) {
            Ok(stream) => break stream,
            Err(err) => assert!(Instant::now() < deadline, "{err}"),
        }
        thread::sleep(Duration::from_millis(10));
    };
    let form = "username=anna&password=something+else";
    let head = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded";
    write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{form}", form.len()).unwrap();
    assert_eq!(Answer::read(&stream, false).unwrap().status, 400);
    let forged = "POST /login HTTP/1.1\r\nHost: x\r\nOrigin: http://evil.example\r\n";
    write!(stream, "{forged}Content-Length: 0\r\n\r\n").unwrap();
    assert_eq!(Answer::read(&stream, false).unwrap().status, 403);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let log = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    let names = log.lines().map(|it| log_fields::read(it).swap_remove(2).1);
    assert_eq!(names.collect::<Vec<_>>(), ["open_signup", "csrf_reject"], "{log}");
}

/// What the program writes to standard error, of which the variable says that it is the journal's, or that another
/// stream is. A server is stopped once it listens.
fn told(mut command: Command, is_journal: bool) -> String {
    let (journal, stderr) = UnixStream::pair().unwrap();
    journal.set_read_timeout(Some(PATIENCE)).unwrap();
    let about = fstat(stderr.as_fd()).unwrap();
    let inode = about.st_ino + u64::from(!is_journal);
    command.env("JOURNAL_STREAM", format!("{}:{inode}", about.st_dev));
    let stderr = Stdio::from(std::os::fd::OwnedFd::from(stderr));
    let mut child = command.stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
    drop(command);
    let mut text = String::new();
    for line in BufReader::new(journal).lines().map(Result::unwrap) {
        if line.contains("listening") {
            kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        }
        text += &(line + "\n");
    }
    child.wait().unwrap();
    text
}

#[test]
fn begins_each_line_with_its_priority_where_the_journal_reads_it_and_nowhere_else() {
    let folder = folder();
    let run = |words: &[&str], is_journal| {
        let mut command = vestibule(words);
        command.current_dir(folder.path());
        told(command, is_journal)
    };
    for (format, begin) in [("--log-format=logfmt", "ts="), ("--log-format=json", "{\"ts\":")] {
        let serve = ["serve", "--signup=closed", "--listen=127.0.0.1:0", format];
        let lines = run(&serve, true);
        assert!(lines.lines().count() > 3 && lines.contains("stop"), "{lines}");
        for line in lines.lines() {
            let priority = if line.contains("settings") { 6 } else { 5 };
            assert!(line.starts_with(&format!("<{priority}>{begin}")), "{line}");
        }
        assert!(run(&serve, false).lines().all(|line| line.starts_with(begin)));
        let fails = ["serve", "--listen=unix:/no/where", format];
        let line = run(&fails, true);
        assert!(
            line.starts_with(&format!("<3>{begin}")) && line.contains("serve_failed"),
            "{line}"
        );
    }
    assert!(run(&["serve", "--active=x"], true).starts_with("<3>vestibule: "));
    assert!(run(&["serve", "--active=x"], false).starts_with("vestibule: "));
    assert!(run(&["user", "show", "nobody"], true).starts_with("<3>vestibule: "));
    let added = ["user", "add", "anna", "--no-password", "--database=other.db"];
    assert!(run(&added, true).starts_with("<5>vestibule: made a new database"));
}
