//! The gate against what strangers send. Each hazard of bare tiny_http has its test here; run with
//! `UNDER_TEST=target/release/examples/bare` to see them fail on it.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::binary::{Answer, Binary, PATIENCE, program, vestibule};

const GET: &str = "GET /login HTTP/1.1\r\nHost: x\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A server in its own folder, which lasts as long.
fn start(flags: &[&str]) -> (tempfile::TempDir, Binary) {
    let folder = folder();
    let server = Binary::start(folder.path(), flags);
    (folder, server)
}

/// How long a good client waits for a page: a second at most, or the test fails.
fn page(server: &Binary) -> Duration {
    let began = Instant::now();
    let mut stream = server.connect();
    stream.set_read_timeout(Some(SECOND)).unwrap();
    stream.write_all(GET.as_bytes()).unwrap();
    let answer = Answer::read(stream, false).expect("a page within a second");
    assert_eq!(answer.status, 200);
    began.elapsed()
}

/// What comes until the server closes the connection.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the answer is an end as well.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        thread::yield_now();
    }
}

fn post(length: &str, body: &str) -> String {
    format!(
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}"
    )
}

#[test]
fn h1_survives_a_body_of_any_declared_size() {
    let (_folder, mut server) = start(&[]);
    for length in
        ["100000000000000", "9223372036854775807", "9223372036854775808", "18446744073709551615"]
    {
        for path in ["/login", "/nowhere"] {
            let answer = server.ask(&format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
            ));
            assert_eq!((answer.status, &*answer.body), (413, "Request too large"), "{length}");
        }
    }
    assert!(server.is_running());
    page(&server);
}

#[test]
fn shows_a_person_a_page_in_their_language_when_a_request_is_not_looked_at() {
    let (_folder, server) = start(&[]);
    let cookie = format!("Cookie: {}\r\n", "x".repeat(20_000));
    for (more, status, words) in [
        ("Content-Length: 200000\r\n", 413, "<h1>Anfrage zu groß</h1>"),
        (&*cookie, 431, "<h1>Kopf der Anfrage zu groß</h1>"),
    ] {
        let ask = |accept: &str| {
            server.ask(&format!(
                "POST /login HTTP/1.1\r\nHost: x\r\n{accept}aCCEPT-lANGUAGE: de\r\n{more}\r\n"
            ))
        };
        let answer = ask("aCCEPT: text/html\r\n");
        assert!(answer.status == status && answer.body.contains(words), "{}", answer.body);
        assert!(!ask("").body.contains('<'));
    }
    // When it is the body that is wrong, it is still the head that tells what the client can read.
    let body = "x\r\nAccept: text/html\r\nAccept-Language: de\r\n\r\n";
    for (accept, is_page) in [("text/html", true), ("*/*", false)] {
        let answer = server.ask(&format!(
            "POST /login HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nAccept-Language: de\r\n\
             Transfer-Encoding: chunked\r\n\r\n{body}"
        ));
        assert_eq!(
            (answer.status, answer.body.contains("<h1>")),
            (400, is_page),
            "{}",
            answer.body
        );
    }
}

#[test]
fn h2_answers_newer_versions_of_http_and_keeps_nothing_of_them() {
    let (_folder, server) = start(&[]);
    page(&server);
    let before = (server.threads(), server.descriptors());
    for _ in 0..100 {
        for request in ["GET / HTTP/2.0\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
            let mut stream = server.connect();
            stream.set_read_timeout(Some(SECOND)).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            assert_eq!(Answer::read(stream, false).expect("an answer").status, 505);
        }
    }
    // Each of 200 would keep one. What the server starts a moment after it listens are a few.
    until("threads and descriptors come back", || {
        server.threads() < before.0 + 20 && server.descriptors() < before.1 + 20
    });
}

#[test]
fn h3_h4_serves_while_descriptors_are_short_and_afterwards() {
    for limit in [72, 73] {
        let folder = folder();
        let server = Binary::start_with_descriptors(folder.path(), limit, &[]);
        let idle: Vec<_> = (0..200).map(|_| server.connect()).collect();
        for _ in 0..20 {
            page(&server);
        }
        drop(idle);
        page(&server);
    }
}

/// The private socket of a lane.
fn private_socket(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let mut private =
        entries.filter(|it| it.file_name().unwrap().to_str().unwrap().starts_with('.'));
    Some(private.next()?.join(name)).filter(|it| it.exists())
}

#[test]
fn h3_replaces_workers_that_accept_no_longer_and_keeps_public_connections() {
    let folder = folder();
    let server = Binary::start_with_descriptors(folder.path(), 72, &["--idle-timeout=1h"]);
    let mut kept = server.connect();
    let mut ask = || {
        kept.write_all(GET.as_bytes()).unwrap();
        Answer::read(&kept, false).map(|it| it.status)
    };
    assert_eq!(ask(), Some(200));
    // A process on this machine, with our rights, eats up the descriptors from the inside.
    let socket = private_socket(folder.path(), "r1-0").unwrap();
    let eaten: Vec<_> = (0..60).map_while(|_| UnixStream::connect(&socket).ok()).collect();
    until("the workers are given up", || UnixStream::connect(&socket).is_err());
    drop(eaten);
    until("others take their place", || private_socket(folder.path(), "r2-0").is_some());
    until("the public connection is served as before", || ask() == Some(200));
    page(&server);
}

#[test]
fn h5_serves_a_newcomer_beside_idle_connections() {
    let (_folder, server) = start(&[]);
    for count in [4, 5, 5, 5, 8, 50] {
        let _idle: Vec<_> = (0..count).map(|_| server.connect()).collect();
        page(&server);
    }
}

#[test]
fn h6_closes_idle_connections_in_silence_and_tells_slow_ones() {
    let (_folder, server) = start(&["--idle-timeout=1s", "--request-timeout=1s"]);
    page(&server);
    let before = server.descriptors();
    // 300 in all.
    let idle: Vec<_> = (0..100).map(|_| server.connect()).collect();
    let slow: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(b"GET /login HT").unwrap();
            stream
        })
        .collect();
    let bodies: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(post("2000", "u").as_bytes()).unwrap();
            stream
        })
        .collect();
    page(&server);
    for stream in idle {
        assert_eq!(rest(stream), "");
    }
    for stream in slow.into_iter().chain(bodies) {
        assert!(rest(stream).starts_with("HTTP/1.1 408 "));
    }
    until("descriptors come back", || server.descriptors() < before + 20);
}

#[test]
fn h6_lets_no_client_move_its_deadline_by_sending_a_little_at_a_time() {
    let (_folder, server) = start(&["--request-timeout=1s"]);
    let mut stream = server.connect();
    let mut reader = stream.try_clone().unwrap();
    let began = Instant::now();
    let answered = thread::spawn(move || {
        let mut bytes = [0; 12];
        reader.read_exact(&mut bytes).map(|()| bytes)
    });
    stream.write_all(b"GET /login HTTP/1.1\r\nHost: x\r\nX: ").unwrap();
    while !answered.is_finished() {
        assert!(began.elapsed() < PATIENCE, "it never ends");
        if stream.write_all(b"x").is_err() {
            break;
        }
        // Slowly is the point of it: at full speed the head would be too long first.
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(&answered.join().unwrap().unwrap(), b"HTTP/1.1 408");
}

#[test]
fn h7_keeps_no_worker_busy_with_a_body_that_does_not_come() {
    let (_folder, server) = start(&["--workers=2"]);
    let _slow: Vec<_> = (0..16)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(post("2000", "u").as_bytes()).unwrap();
            stream
        })
        .collect();
    page(&server);
}

#[test]
fn h8_keeps_no_worker_busy_with_a_client_that_does_not_read() {
    let (_folder, server) = start(&["--answer-timeout=1s"]);
    let padding = "x".repeat(1_000);
    let request = format!("GET /style.css HTTP/1.1\r\nHost: x\r\nX: {padding}\r\n\r\n").repeat(100);
    let deaf: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = server.connect();
            stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
            // Until the answers fill every buffer on the way and nothing more is taken.
            let taken = (0..500).take_while(|_| stream.write_all(request.as_bytes()).is_ok());
            assert!(taken.count() < 500, "everything was taken");
            stream
        })
        .collect();
    page(&server);
    assert!(server.resident() < 120 << 20, "{} bytes", server.resident());
    for stream in deaf {
        let ended = rest_of_bytes(stream);
        assert!(ended > 0, "it got what it read");
    }
}

fn rest_of_bytes(mut stream: TcpStream) -> usize {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes.len()
}

#[test]
fn h9_answers_one_connection_in_order_and_others_meanwhile() {
    let (_folder, server) = start(&["--hashers=1"]);
    server.sign_up("anna");
    let mut greedy = server.connect();
    let slow = post("37", "username=anna&password=correct+horse_");
    greedy.write_all([&*slow.repeat(5), &*GET.repeat(50)].concat().as_bytes()).unwrap();
    page(&server);
    let mut greedy = std::io::BufReader::new(greedy);
    for expected in [vec![400; 5], vec![200; 50]].concat() {
        assert_eq!(Answer::read_next(&mut greedy, false).unwrap().status, expected);
    }
}

#[test]
fn h9_serves_others_while_a_client_sends_empty_lines_without_end() {
    let (_folder, server) = start(&[]);
    let mut endless = server.connect();
    let lines = "\r\n".repeat(32_768);
    let flood = thread::spawn(move || {
        // Until it is refused, and cut off.
        (0..10_000).take_while(|_| endless.write_all(lines.as_bytes()).is_ok()).count()
    });
    for _ in 0..20 {
        page(&server);
    }
    assert!(flood.join().unwrap() < 10_000, "it is refused");
}

#[test]
fn h13_resets_no_connection_whose_refusal_may_not_have_been_read() {
    let (_folder, server) = start(&[]);
    let request = post("200000", &"x".repeat(90_000));
    for _ in 0..50 {
        let mut stream = server.connect();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an orderly end");
        assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
    }
}

#[test]
fn h10_refuses_a_head_without_end() {
    let (_folder, server) = start(&[]);
    let fields = |n: usize| format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "a: b\r\n".repeat(n));
    for (status, request) in [
        (414, format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(33_000))),
        (414, format!("GET /{}", "a".repeat(40_000))),
        (431, fields(200)),
        (431, fields(5_000)),
        (431, format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(20_000))),
        (302, fields(90)),
    ] {
        assert_eq!(server.ask(&request).status, status, "{}", request.len());
    }
}

#[test]
fn h10_holds_a_bounded_amount_of_half_requests() {
    let (_folder, server) = start(&[]);
    let half = post("102400", &"x".repeat(100_000));
    let halves: Vec<_> = (0..1_000)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(half.as_bytes()).unwrap();
            stream
        })
        .collect();
    page(&server);
    let megabytes = server.resident() >> 20;
    assert!(megabytes < 120, "{megabytes} MB, where 100 are held back and 64 allowed");
    drop(halves);
}

/// Every request here is refused with its status, the connection is closed, and what stands behind
/// it is never taken for another request.
#[test]
fn h11_h16_refuses_what_can_be_read_in_two_ways() {
    let (_folder, server) = start(&[]);
    let with = |fields: &str| format!("POST /login HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
    let cases = [
        (400, with("Transfer-Encoding: identity\r\n")),
        (400, with("Transfer-Encoding: gzip\r\n")),
        (400, with("Transfer-Encoding: nonsense\r\n")),
        (400, with("Transfer-Encoding: chunked, chunked\r\n")),
        (400, with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")),
        (400, with("Content-Length: 5\r\nContent-Length: 6\r\n")),
        (400, with("Content-Length: 5\r\nContent-Length: 5\r\n")),
        (400, with("Content-Length: -1\r\n")),
        (400, with("Content-Length: +5\r\n")),
        (400, with("Content-Length: 0x5\r\n")),
        (400, with("Content-Length: 5, 5\r\n")),
        (413, with("Content-Length: 18446744073709551616\r\n")),
        (400, with(" Content-Length: 5\r\n")),
        (400, with("Content-Length : 5\r\n")),
        (400, with("A: b\r\n folded\r\n")),
        (400, with("A: b\0c\r\n")),
        (400, with("A: b\rc\r\n")),
        (400, with("Transfer-Encoding: chunked\r\n") + "1a;a /x HTTP/1.1\r\nx\r\n"),
        (400, with("Transfer-Encoding: chunked\r\n") + "zz\r\n"),
        (400, "get / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        (400, "G\0T{}() / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        (400, "GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        (400, "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        (400, "GET * HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        (400, "GET login HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1 extra\r\nHost: x\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned()),
        (505, "GET / HTTP/0.9\r\nHost: x\r\n\r\n".to_owned()),
        (505, "GET / HTTP/3.0\r\nHost: x\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\nHost: x\n\n".to_owned()),
        (400, "\x16\x03\x01\x02\0".to_owned()),
        (417, with("Content-Length: 5\r\nExpect: the-unexpected\r\n")),
    ];
    for (status, request) in cases {
        let mut stream = server.connect();
        stream.set_read_timeout(Some(SECOND)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        // A server that reads on would take this for the next request.
        let _ = stream.write_all(&[b"x".repeat(6), GET.as_bytes().to_vec()].concat());
        let text = rest(stream);
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {text}");
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{request:?}: {text}");
        assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
        assert!(text.contains("\r\nX-Content-Type-Options: nosniff\r\n"), "{text}");
    }
    page(&server);
}

#[test]
fn refuses_a_head_request_without_a_body_however_little_of_it_can_be_read() {
    let (_folder, server) = start(&["--request-timeout=1s"]);
    let long = format!("HEAD /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(33_000));
    let fields = format!("HEAD / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    for (status, request) in [
        (400, "HEAD / HTTP/1.1\r\n\r\n"),
        (400, "HEAD  / HTTP/1.1\r\nHost: x\r\n\r\n"),
        (400, "HEAD / HTTP/1.1\r\nHost: x\r\nA\0: b\r\n\r\n"),
        (400, "\r\nHEAD / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
        (400, "HEAD / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"),
        (408, "HEAD / HTTP/1.1\r\nHo"),
        (408, "HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nx"),
        (408, "HEAD"),
        (413, "HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 102401\r\n\r\n"),
        (414, &long),
        (417, "HEAD / HTTP/1.1\r\nHost: x\r\nExpect: x\r\n\r\n"),
        (431, &fields),
        (505, "HEAD / HTTP/2.0\r\nHost: x\r\n\r\n"),
    ] {
        let mut stream = server.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let answer = rest(stream);
        let start = &request[..40.min(request.len())];
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{start:?}: {answer}");
        assert!(answer.ends_with("\r\n\r\n"), "a body to {start:?}: {answer}");
        assert!(answer.contains("\r\nContent-Length: "), "{answer}");
    }
    // Other methods whose names begin alike have one.
    for request in ["HEADER  / HTTP/1.1\r\nHost: x\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n"] {
        assert_eq!(server.ask(request).body, "Bad request");
    }
}

#[test]
fn h12_lets_no_upgrade_take_the_limit_off_a_body() {
    let (_folder, server) = start(&[]);
    server.sign_up("anna");
    let body = "username=anna&password=correct+horse";
    let answer = server.ask(&format!(
        "POST /login HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n\
         Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!((answer.status, answer.value("Location")), (302, Some("/")));
}

#[test]
fn h13_acts_on_no_request_that_was_cut_short() {
    let (_folder, server) = start(&[]);
    let body = "username=anna&password=correct+horse";
    for (head, sent) in [
        ("Content-Length: 3000\r\n", body.to_owned()),
        ("Transfer-Encoding: chunked\r\n", format!("{:x}\r\n{body}\r\n", body.len())),
        ("Transfer-Encoding: chunked\r\n", format!("fff\r\n{body}")),
    ] {
        let mut stream = server.connect();
        let head = format!(
            "POST /signup HTTP/1.1\r\nHost: x\r\n{head}\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{sent}"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(stream), "", "{head}");
    }
    let log = server.stop();
    assert!(!log.contains("path=/signup"), "{log}");
}

#[test]
fn h14_tells_a_client_that_waits_for_it_to_go_on() {
    let (_folder, server) = start(&[]);
    let body = "username=anna&password=correct+horse";
    let head = format!(
        "POST /signup HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n",
        body.len()
    );
    let mut stream = server.connect();
    stream.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).unwrap();
    assert_eq!(Answer::read(&stream, false).unwrap().status, 302);
    let mut stream = server.connect();
    let too_large = head.replace(&format!(": {}\r\n", body.len()), ": 102401\r\n");
    stream.write_all(too_large.as_bytes()).unwrap();
    assert_eq!(Answer::read(&stream, false).unwrap().status, 413, "before the body is sent");
}

#[test]
fn h17_takes_a_neighbours_cookie_in_any_bytes() {
    let (_folder, server) = start(&[]);
    let cookie = server.sign_up("anna");
    let request = [
        format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: a=caf\u{e9}; {cookie}; b=").as_bytes(),
        b"\xff\xfe\r\n\r\n",
    ]
    .concat();
    let answer = server.try_ask(&request).expect("an answer");
    assert_eq!(answer.status, 200);
}

#[test]
fn h18_says_nothing_of_clients_that_hang_up_early() {
    let (_folder, server) = start(&[]);
    for _ in 0..50 {
        let mut stream = server.connect();
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        stream.write_all(GET.as_bytes()).unwrap();
    }
    page(&server);
    let log = server.stop();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn h20_answers_at_once_on_a_connection_that_is_kept() {
    let (_folder, server) = start(&[]);
    let mut stream = server.connect();
    let mut times: Vec<_> = (0..21)
        .map(|_| {
            let began = Instant::now();
            stream.write_all(b"GET /style.css HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            assert_eq!(Answer::read(&stream, false).unwrap().status, 200);
            began.elapsed()
        })
        .collect();
    times.sort();
    // A tenth of a millisecond is measured; the hazard is 44 of them.
    assert!(times[10] < Duration::from_millis(10), "{:?}", times[10]);
}

#[test]
fn passes_on_long_requests_of_many_clients_at_once() {
    let (_folder, server) = start(&["--workers", "1", "--head-bytes", "262144"]);
    let fields = |length: usize| format!("X: {}\r\n", "x".repeat(length - 5)).repeat(32);
    let long_head = format!("GET /login HTTP/1.1\r\nHost: x\r\n{}\r\n", fields(8_000));
    let long_body = format!("{}{}", post("102400", ""), "x".repeat(102_400));
    let long_body = long_body.replace("POST /login", "GET /login");
    let both = [long_head, long_body];
    let clients: Vec<_> = (0..32)
        .map(|at| {
            let (mut stream, request) = (server.connect(), both[at % 2].clone());
            thread::spawn(move || {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.write_all(request.as_bytes()).unwrap();
                Answer::read(stream, false).expect("a page").status
            })
        })
        .collect();
    for client in clients {
        assert_eq!(client.join().unwrap(), 200);
    }
}

#[test]
fn h21_frames_every_answer_in_the_same_way() {
    let (_folder, server) = start(&[]);
    let ask = |request: &str| {
        let mut stream = server.connect();
        stream.write_all(request.as_bytes()).unwrap();
        rest(stream)
    };
    for version in ["1.1", "1.0"] {
        let text = ask(&format!(
            "GET /login HTTP/{version}\r\nHost: x\r\nTE: chunked\r\nConnection: close, TE\r\n\r\n"
        ));
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\nConnection: close\r\nDate: "), "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
        assert!(!head.contains("Transfer-Encoding"), "{head}");
        assert_eq!(head.matches("\r\nServer: vestibule").count(), 1, "{head}");
    }
    let text = ask("HEAD /login HTTP/1.0\r\n\r\n");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    let kept = "GET /nowhere HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let text = ask(&[kept, "GET /nowhere HTTP/1.0\r\n\r\n"].concat());
    assert_eq!(text.matches("\r\nConnection: keep-alive\r\n").count(), 1, "{text}");
    assert_eq!(text.matches("\r\nConnection: close\r\n").count(), 1, "{text}");
}

#[test]
fn h22_answers_everything_that_is_whole_before_it_stops() {
    let (_folder, mut server) = start(&["--hashers=1"]);
    server.sign_up("anna");
    let body = "username=anna&password=correct+horse";
    let mut idle = server.connect();
    let mut half = server.connect();
    half.write_all(b"GET /login HTTP/1.1\r\nHost").unwrap();
    let whole: Vec<_> = (0..30)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(post(&body.len().to_string(), body).as_bytes()).unwrap();
            stream
        })
        .collect();
    server.signal(Signal::TERM);
    let mut nothing = [0];
    assert_eq!(
        idle.read(&mut nothing).unwrap(),
        0,
        "the server does not wait for a client that has asked nothing"
    );
    half.write_all(b": x\r\n\r\n").unwrap();
    let answer = Answer::read(half, false).expect("an answer to what ended in time");
    assert_eq!((answer.status, answer.value("Connection")), (200, Some("close")));
    // What was answered before the signal arrived says nothing of the end; but it comes all the same.
    let mut closing = 0;
    for mut stream in whole {
        let answer = Answer::read(&stream, false).expect("an answer");
        assert_eq!(answer.status, 302);
        closing += usize::from(answer.value("Connection") == Some("close"));
        assert_eq!(stream.read(&mut nothing).unwrap(), 0, "no connection outlives the server");
    }
    assert!(closing > 0, "one hasher cannot have done thirty before the signal");
    assert!(TcpStream::connect(server.address).is_err(), "no client is let in any more");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn h22_ends_at_once_at_the_second_signal() {
    let (_folder, mut server) = start(&[]);
    let mut half = server.connect();
    half.write_all(b"GET /login HTTP/1.1\r\nHost").unwrap();
    page(&server);
    server.signal(Signal::TERM);
    until("it is stopping", || TcpStream::connect(server.address).is_err());
    server.signal(Signal::INT);
    assert_eq!(server.wait().code(), Some(130));
}

#[test]
fn h23_leaves_a_socket_alone_that_is_no_longer_its_own() {
    let folder = folder();
    let socket = folder.path().join("public.sock");
    let start = |name: &str| {
        let database = folder.path().join(name);
        let listen = format!("--listen=unix:{}", socket.display());
        Binary::run(vestibule(&["serve", &listen, "--database", database.to_str().unwrap()]))
    };
    let ask = || {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(GET.as_bytes()).unwrap();
        Answer::read(stream, false).unwrap().status
    };
    let first = start("a.db");
    let about = fs::symlink_metadata(&socket).unwrap();
    assert_eq!((about.file_type().is_socket(), about.mode() & 0o777), (true, 0o660));
    assert_eq!(ask(), 200);
    fs::remove_file(&socket).unwrap();
    let second = start("b.db");
    first.stop();
    assert_eq!(ask(), 200, "the second server's socket is still there");
    second.signal(Signal::KILL);
    drop(second);
    assert!(socket.exists(), "what a killed server leaves behind");
    let third = start("b.db");
    assert_eq!(ask(), 200, "is replaced");
    third.stop();
    assert!(!socket.exists(), "and one that is ours goes with us");
}

// Around the gate.

#[test]
fn believes_no_client_that_speaks_in_the_name_of_the_gate() {
    let (_folder, server) = start(&[]);
    server.ask("GET /login HTTP/1.1\r\nHost: x\r\n~peer: 192.0.2.1\r\n\r\n");
    server.ask("GET /login HTTP/1.1\r\nHost: x\r\n~PEER: 192.0.2.1\r\n\r\n");
    let log = server.stop();
    assert_eq!(log.matches(" ip=127.0.0.1 ").count(), 2, "{log}");
    assert!(!log.contains("192.0.2.1"), "{log}");
}

#[test]
fn hides_its_private_sockets_and_takes_them_away() {
    let folder = folder();
    let stale = folder.path().join(".vestibule-stale");
    fs::create_dir(&stale).unwrap();
    drop(UnixListener::bind(stale.join("r1-0")).unwrap());
    let server = Binary::start(folder.path(), &[]);
    assert!(!stale.exists(), "what a killed server left is cleared away");
    let socket = private_socket(folder.path(), "r1-0").unwrap();
    let private = socket.parent().unwrap();
    assert_eq!(fs::metadata(private).unwrap().permissions().mode() & 0o777, 0o700);
    let other = Binary::start(folder.path(), &[]);
    assert!(socket.exists(), "another server's are in use");
    drop(other);
    page(&server);
    let private = private.to_owned();
    server.stop();
    assert!(!private.exists());
}

#[test]
fn removes_no_private_sockets_of_a_server_that_begins_to_listen_at_the_same_moment() {
    let folder = folder();
    let beginning = folder.path().join(".vestibule-beginning");
    fs::create_dir(&beginning).unwrap();
    let lock = fs::File::open(&beginning).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    // It refuses connections, as a socket does between the system calls bind and listen.
    drop(UnixListener::bind(beginning.join("r1-0")).unwrap());
    drop(Binary::start(folder.path(), &[]));
    assert!(beginning.exists());
    drop(lock);
    drop(Binary::start(folder.path(), &[]));
    assert!(!beginning.exists(), "it ended before it listened");
}

#[test]
fn puts_its_private_sockets_where_the_service_manager_says_or_where_there_is_room() {
    let (folder, runtime) = (folder(), folder());
    let database = folder.path().join("test.db");
    let serve = ["serve", "--listen=127.0.0.1:0", "--database", database.to_str().unwrap()];
    let mut command = vestibule(&serve);
    command.env("RUNTIME_DIRECTORY", runtime.path());
    let server = Binary::run(command);
    assert!(private_socket(runtime.path(), "r1-0").is_some());
    server.stop();
    // Too long for a socket, and so is every folder in it: the temporary folder has to do.
    let deep = folder.path().join("x".repeat(100));
    fs::create_dir(&deep).unwrap();
    let temporary = self::folder();
    let deep = deep.join("test.db");
    let mut command =
        vestibule(&["serve", "--listen=127.0.0.1:0", "--database", deep.to_str().unwrap()]);
    command.env_remove("RUNTIME_DIRECTORY").env("TMPDIR", temporary.path());
    let server = Binary::run(command);
    assert!(private_socket(temporary.path(), "r1-0").is_some());
    page(&server);
}

#[test]
fn takes_over_the_socket_that_a_service_manager_passes_and_tells_it_when_it_is_ready() {
    let folder = folder();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let notices = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    notices.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\""])
        .arg(program())
        .args(["serve", "--database"])
        .arg(folder.path().join("test.db"))
        .env("NOTIFY_SOCKET", folder.path().join("notify"))
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let notice = || {
        let mut bytes = [0; 64];
        let length = notices.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
    };
    assert_eq!(notice(), "READY=1");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(GET.as_bytes()).unwrap();
    assert_eq!(Answer::read(stream, false).unwrap().status, 200);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(notice(), "STOPPING=1");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn listens_in_several_places() {
    let folder = folder();
    let socket = folder.path().join("public.sock");
    let listen = format!("127.0.0.1:0,unix:{}", socket.display());
    let database = folder.path().join("test.db");
    let server = Binary::run(vestibule(&[
        "serve",
        "--socket-mode=600",
        "--listen",
        &listen,
        "--database",
        database.to_str().unwrap(),
    ]));
    page(&server);
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.write_all(GET.as_bytes()).unwrap();
    assert_eq!(Answer::read(stream, false).unwrap().status, 200);
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn sends_the_longest_idle_away_when_all_places_are_taken() {
    let (_folder, server) = start(&["--connections=10"]);
    let mut idle: Vec<_> = (0..10).map(|_| server.connect()).collect();
    page(&server);
    let mut byte = [0];
    assert_eq!(idle[0].read(&mut byte).unwrap(), 0, "the first to come");
    let last = &mut idle[9];
    last.write_all(GET.as_bytes()).unwrap();
    assert_eq!(Answer::read(last, false).unwrap().status, 200, "the last to come");
}

#[test]
fn tells_a_monitor_that_it_is_healthy_and_keeps_that_out_of_the_log() {
    let (_folder, server) = start(&[]);
    let answer = server.get("/healthz", None);
    assert_eq!((answer.status, &*answer.body), (200, "ok"));
    let log = server.stop();
    assert!(!log.contains("healthz"), "{log}");
}

/// Requests that are valid, changed here and there. Run with MUTATIONS=200000 for a long look.
#[test]
fn survives_mutated_requests_without_a_500_and_keeps_nothing_of_them() {
    let (_folder, mut server) = start(&["--request-timeout=2s", "--idle-timeout=2s"]);
    let cookie = server.sign_up("anna");
    // Every worker has been called once.
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| (0..10).for_each(|_| drop((page(&server), server.get("/", None)))));
            scope.spawn(|| server.post("/login", "username=anna&password=wrong", None));
            scope.spawn(|| server.post("/logout", "", None));
        }
    });
    let count = std::env::var("MUTATIONS").map_or(4_000, |it| it.parse().unwrap());
    let corpus = [
        GET.to_owned(),
        format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\nAccept: text/html\r\n\r\n"),
        post("31", "username=anna&password=wrong+on"),
        "POST /signup HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n9\r\nusername=\r\n0\r\n\r\n"
            .to_owned(),
        "HEAD /style.css HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".to_owned(),
        "POST /logout HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx"
            .to_owned(),
    ];
    let before = (server.threads(), server.descriptors());
    let clients = 8;
    thread::scope(|scope| {
        for client in 0..clients {
            let (server, corpus) = (&server, &corpus);
            scope.spawn(move || {
                let mut dice = Dice(client + 1);
                for _ in 0..count / clients {
                    let mut bytes = dice.pick(corpus).clone().into_bytes();
                    if dice.roll(4) == 0 {
                        bytes.extend(dice.pick(corpus).bytes());
                    }
                    for _ in 0..dice.roll(6) {
                        dice.change(&mut bytes);
                    }
                    let mut stream = server.connect();
                    // It may be refused, and cut off, before all of it is taken.
                    let _ = stream.write_all(&bytes);
                    let _ = stream.shutdown(Shutdown::Write);
                    let mut text = Vec::new();
                    let _ = stream.read_to_end(&mut text);
                    let text = String::from_utf8_lossy(&text);
                    assert!(!text.contains("HTTP/1.1 500"), "{bytes:?}: {text}");
                }
            });
        }
    });
    assert!(server.is_running());
    page(&server);
    // A worker that was not needed before has a connection, and opens the database.
    until("threads and descriptors come back", || {
        server.threads() <= before.0 + 2 && server.descriptors() <= before.1 + 20
    });
    let log = server.stop();
    assert!(!log.contains("panicked"), "{log}");
}

/// Random enough, and the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.roll(u64::try_from(length).unwrap())).unwrap()
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.place(of.len())]
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let at = self.place(bytes.len());
        match self.roll(5) {
            0 => bytes[at] = self.roll(256).to_le_bytes()[0],
            1 => bytes.insert(at, *self.pick(b"\r\n\0 :;,0a\x80\xff")),
            2 => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            _ => {
                let piece = bytes[at..(at + 20).min(bytes.len())].to_vec();
                let to = self.place(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
}
