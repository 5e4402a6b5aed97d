//! Metrics of a running server: what is counted, and the listener that shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::binary::{Answer, Binary, PATIENCE};

const WRONG: &str = "username=anna&password=wrong+horse";

/// A server that shows its metrics on a port of its own, and where.
fn start(folder: &Path, flags: &[&str]) -> (Binary, SocketAddr) {
    let server = Binary::start(folder, &[&["--metrics=127.0.0.1:0"], flags].concat());
    let address = address(&server);
    (server, address)
}

/// Where a server shows its metrics: it logs that before the address of its pages.
fn address(server: &Binary) -> SocketAddr {
    let log = server.logged();
    let line = log.lines().find(|line| line.contains("ev=metrics ")).unwrap();
    line.split("address=").nth(1).unwrap().parse().unwrap()
}

fn scrape(address: SocketAddr) -> Answer {
    ask(address, "GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n")
}

fn ask(address: SocketAddr, bytes: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    Answer::read(stream, false).unwrap()
}

/// The samples of a report: each series as it is written, and its number without decimals.
fn samples(text: &str) -> BTreeMap<String, u64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (series, number) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), number.split('.').next().unwrap().parse().unwrap())
    };
    lines.map(sample).collect()
}

/// The numbers at `address` once `is_there` says yes to them.
fn until(address: SocketAddr, is_there: impl Fn(&BTreeMap<String, u64>) -> bool) {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = scrape(address);
        if is_there(&samples(&answer.body)) {
            return;
        }
        assert!(Instant::now() < end, "{}", answer.body);
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn counts_sign_ups_sign_ins_refusals_and_what_is_throttled() {
    let folder = tempfile::tempdir().unwrap();
    let (server, address) = start(folder.path(), &["--throttle-free=1"]);
    let cookie = server.sign_up("anna");
    assert_eq!(server.post("/login", "username=anna&password=correct+horse", None).status, 302);
    let refused: Vec<_> = (0..3).map(|_| server.post("/login", WRONG, None).status).collect();
    assert_eq!(refused, [400, 400, 429]);
    server.post("/login", "username=&password=wrong+horse", None);
    assert_eq!(server.get("/", Some(&cookie)).status, 200);
    server.get("/nowhere", None);
    let answer = scrape(address);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.value("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let found = samples(&answer.body);
    for (series, number) in [
        (concat!("vestibule_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1),
        ("vestibule_events_total{event=\"signup_ok\"}", 1),
        ("vestibule_events_total{event=\"login_ok\"}", 1),
        ("vestibule_events_total{event=\"login_fail\"}", 3),
        ("vestibule_events_total{event=\"throttled\"}", 1),
        ("vestibule_events_total{event=\"second_factor_fail\"}", 0),
        ("vestibule_refusals_total{event=\"login_fail\",reason=\"bad_credentials\"}", 2),
        ("vestibule_refusals_total{event=\"login_fail\",reason=\"invalid_username\"}", 1),
        ("vestibule_refusals_total{event=\"throttled\",reason=\"throttled\"}", 1),
        ("vestibule_requests_total{route=\"/\",status=\"200\",lane=\"read\"}", 1),
        ("vestibule_requests_total{route=\"/login\",status=\"302\",lane=\"hash\"}", 1),
        ("vestibule_requests_total{route=\"/login\",status=\"400\",lane=\"hash\"}", 2),
        ("vestibule_requests_total{route=\"/login\",status=\"400\",lane=\"read\"}", 1),
        ("vestibule_requests_total{route=\"/login\",status=\"429\",lane=\"hash\"}", 1),
        ("vestibule_requests_total{route=\"other\",status=\"404\",lane=\"read\"}", 1),
        ("vestibule_request_duration_seconds_count{lane=\"hash\"}", 5),
        ("vestibule_request_duration_seconds_bucket{lane=\"hash\",le=\"+Inf\"}", 5),
        ("vestibule_request_duration_seconds_count{lane=\"write\"}", 0),
        ("vestibule_hashes_total", 4),
        ("vestibule_hashes_running", 0),
        ("vestibule_lane_queue{lane=\"hash\"}", 0),
        ("vestibule_connections_limit", 16_384),
    ] {
        assert_eq!(found.get(series), Some(&number), "{series} in {}", answer.body);
    }
    assert!(!answer.body.contains("event=\"user_add\""), "commands are not counted here");
    assert!(found["process_start_time_seconds"] > 1_700_000_000);
    until(address, |found| found["vestibule_connections"] == 0);
}

#[test]
fn has_no_series_more_after_a_thousand_odd_paths_methods_and_names() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--throttle-free=1000000", "--throttle-address-free=1000000"];
    let (server, address) = start(folder.path(), &flags);
    let mut stream = BufReader::new(server.connect());
    let mut odd = |at: usize| {
        // Most have no password that is worth a hash.
        let password = if at.is_multiple_of(50) { "long+enough" } else { "x" };
        let form = format!("username=anna{at}.example&password={password}");
        let form = format!(
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        let letters: String = at.to_string().bytes().map(|it| char::from(it + 17)).collect();
        for (line, rest) in [
            (format!("GET /user-{at}?name=anna-{at}"), format!("X-Name: a{at}.example\r\n\r\n")),
            (format!("ODD{letters} /login"), "\r\n".to_owned()),
            ("POST /login".to_owned(), form),
            (
                format!("GET /auth/nginx?users=anna{at}"),
                format!("Cookie: auth_session={at}\r\n\r\n"),
            ),
            ("DELETE /logout".to_owned(), format!("Origin: https://evil{at}.example\r\n\r\n")),
        ] {
            let request = format!("{line} HTTP/1.1\r\nHost: test\r\n{rest}");
            stream.get_mut().write_all(request.as_bytes()).unwrap();
            let answer = Answer::read_next(&mut stream, false);
            assert!(answer.is_some_and(|it| it.status >= 302), "{request}");
        }
    };
    let series = || samples(&scrape(address).body).into_keys().collect::<BTreeSet<_>>();
    odd(0);
    odd(1);
    let before = series();
    (2..=1_000).for_each(odd);
    let text = scrape(address).body;
    assert_eq!(series(), before);
    assert!(["anna", "evil", "ODD", "user-", "example"].iter().all(|it| !text.contains(it)));
    let found = samples(&text);
    assert_eq!(found["vestibule_events_total{event=\"csrf_reject\"}"], 1_001, "{text}");
}

#[test]
fn writes_what_prometheus_reads_without_a_complaint() {
    let folder = tempfile::tempdir().unwrap();
    let (server, address) = start(folder.path(), &[]);
    server.sign_up("anna");
    server.post("/login", WRONG, None);
    let text = scrape(address).body;
    let described = |mark: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix(mark));
        lines.map(|line| line.split(' ').next().unwrap()).collect::<Vec<_>>()
    };
    let names = described("# HELP ");
    assert_eq!(names, described("# TYPE "));
    assert!(names.is_sorted_by(|one, other| one < other), "each once, sorted: {names:?}");
    let Some(promtool) = promtool(&["check", "metrics"]) else { return };
    let mut child = { promtool }.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

/// Prometheus's own checker; without it the test says what it did not try.
fn promtool(arguments: &[&str]) -> Option<Command> {
    if Command::new("promtool").arg("--version").output().is_err() {
        // Not by `eprintln`, which is not shown where a test passes; tests/run.sh repeats it at the end.
        io::stderr().write_all(b"NOT TRIED: promtool\n").unwrap();
        return None;
    }
    let mut command = Command::new("promtool");
    command.args(arguments);
    Some(command)
}

#[test]
fn refuses_everything_but_the_one_page_in_a_few_words() {
    let folder = tempfile::tempdir().unwrap();
    let (server, address) = start(folder.path(), &[]);
    for (line, status) in [
        ("GET / HTTP/1.1", 404),
        ("GET /login HTTP/1.1", 404),
        ("POST /metrics HTTP/1.1", 405),
        ("HEAD /metrics HTTP/1.1", 405),
        ("nonsense", 400),
    ] {
        let answer = ask(address, &format!("{line}\r\nHost: test\r\n\r\n"));
        assert_eq!(answer.status, status, "{line}");
        assert!(answer.body.len() < 100 && !answer.body.contains("vestibule_"), "{}", answer.body);
    }
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}", "a".repeat(20_000));
    assert_eq!(ask(address, &long).status, 400);
    assert_eq!(server.get("/metrics", None).status, 404, "the site has no such page");
    assert_eq!(scrape(address).status, 200);
}

#[test]
fn answers_a_scraper_while_others_send_slowly_or_read_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, address) = start(folder.path(), &[]);
    let slow: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
            stream
        })
        .collect();
    // Two rounds of four that are waited for, each within its deadline of two seconds.
    let began = Instant::now();
    assert_eq!(scrape(address).status, 200);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for mut stream in slow {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest = Vec::new();
        // A reset says so as well.
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty());
    }
}

#[test]
fn answers_a_scraper_while_hashers_are_busy_and_shows_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (server, address) = start(folder.path(), &["--hashers=1", "--throttle-address-free=1000"]);
    thread::scope(|scope| {
        for at in 0..20 {
            let server = &server;
            let form = format!("username=user{at}&password=long+enough");
            scope.spawn(move || assert_eq!(server.post("/login", &form, None).status, 400));
        }
        until(address, |found| {
            found["vestibule_hashes_running"] == 1 && found["vestibule_hashes_waiting"] > 1
        });
    });
    until(address, |found| {
        found["vestibule_hashes_total"] == 20 && found["vestibule_hashes_waiting"] == 0
    });
}

#[test]
fn counts_what_the_gate_refuses_with_the_route_where_it_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let (server, address) = start(folder.path(), &[]);
    server.ask("GET / HTTP/2.0\r\nHost: test\r\n\r\n");
    let large = "POST /login HTTP/1.1\r\nHost: test\r\nContent-Length: 999999999\r\n\r\n";
    assert_eq!(server.ask(large).status, 413);
    let found = samples(&scrape(address).body);
    assert_eq!(found["vestibule_gate_refusals_total{reason=\"version\"}"], 1);
    assert_eq!(found["vestibule_gate_refusals_total{reason=\"too_large\"}"], 1);
    assert_eq!(found["vestibule_gate_refusals_total{reason=\"busy\"}"], 0);
    let login = "vestibule_requests_total{route=\"/login\",status=\"413\",lane=\"gate\"}";
    assert_eq!(found.get(login), Some(&1), "{found:?}");
}

#[test]
fn shows_metrics_on_a_socket_with_the_mode_that_is_set_and_removes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.sock");
    let flag = format!("--metrics=unix:{}", path.display());
    let server = Binary::start(folder.path(), &[&flag, "--socket-mode=600"]);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    let answer = Answer::read(stream, false).unwrap();
    assert!(answer.status == 200 && answer.body.contains("vestibule_build_info{"));
    server.stop();
    assert!(!path.exists());
}

#[test]
fn says_what_to_do_where_it_cannot_listen_for_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, address) = start(folder.path(), &[]);
    let database = folder.path().join("other.db");
    let metrics = format!("--metrics={address}");
    let mut command = crate::binary::vestibule(&["serve", "--listen=127.0.0.1:0", &metrics]);
    let output = command.arg("--database").arg(database).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("name another address with --metrics"), "{said}");
}

#[test]
fn listens_and_counts_nothing_unless_metrics_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let threads = |server: &Binary| {
        let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
        let names = tasks.map(|it| fs::read_to_string(it.unwrap().path().join("comm")).unwrap());
        names.filter(|it| it == "metrics\n").count()
    };
    let server = Binary::start(folder.path(), &[]);
    assert!(!server.logged().contains("ev=metrics"));
    assert_eq!(threads(&server), 0);
    let (server, _) = start(folder.path(), &[]);
    assert!(threads(&server) > 1);
}
