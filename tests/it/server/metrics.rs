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

use vestibule::auth::events::Event;
use vestibule::server::metrics::{FAMILIES, Family, FamilyKind};
use vestibule::server::program_events::ProgramEvent;

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
        ("vestibule_program_events_total{event=\"listening\"}", 1),
        ("vestibule_program_events_total{event=\"mail_sent\"}", 0),
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
        // Most have no password, and so cost no hash.
        let password = if at.is_multiple_of(100) { "long+enough" } else { "" };
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
            // On a busy machine the last may be told that they waited too long.
            let is_refused = |status| status == 400 || status == 503;
            scope.spawn(move || assert!(is_refused(server.post("/login", &form, None).status)));
        }
        until(address, |found| {
            found["vestibule_hashes_running"] == 1 && found["vestibule_hashes_waiting"] > 1
        });
    });
    until(address, |found| {
        found["vestibule_hashes_total"] > 2
            && found["vestibule_hashes_running"] == 0
            && found["vestibule_hashes_waiting"] == 0
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
    // A thread names itself once it runs.
    let began = Instant::now();
    while threads(&server) < 2 {
        assert!(began.elapsed() < Duration::from_secs(10), "none listens");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn counts_users_sessions_and_mails_of_the_database_and_says_which_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    server.sign_up("anna");
    server.sign_up("bobo");
    server.stop();
    let (_server, address) = start(folder.path(), &[]);
    // It is counted at the start, on a thread that does other work as well.
    until(address, |found| found.contains_key("vestibule_users"));
    let text = scrape(address).body;
    let found = samples(&text);
    assert_eq!((found["vestibule_users"], found["vestibule_sessions"]), (2, 2));
    assert_eq!(found["vestibule_database_up"], 1);
    assert!(
        text.contains("vestibule_database_info{engine=\"sqlite\",engine_version=\"3."),
        "{text}"
    );
    assert!(found["vestibule_database_counted_timestamp_seconds"] > 1_700_000_000);
    assert!(!text.contains("vestibule_mail"), "without mail there is no queue");
}

#[cfg(feature = "mail")]
#[test]
fn shows_how_many_mails_wait_and_for_how_long() {
    let folder = tempfile::tempdir().unwrap();
    // No program listens on this port.
    let mail = [
        "--origin=http://127.0.0.1:9",
        "--mail=smtp+plain://127.0.0.1:1",
        "--mail-from=a@example.com",
    ];
    let (server, address) = start(folder.path(), &mail);
    until(address, |found| found.get("vestibule_mail_queued") == Some(&0));
    assert_eq!(samples(&scrape(address).body)["vestibule_mail_oldest_seconds"], 0);
    server.stop();
    let mut raw = crate::engine::raw_file(&folder.path().join("test.db"));
    let columns = "id, kind, user_id, address, language, detail, created_at, due_at, tries, last_outcome, lease, lease_until";
    let hour_ago =
        vestibule::base::clock::Moment::now().before(Duration::from_secs(3_600)).millis();
    raw.run(&format!(
        "INSERT INTO mail ({columns}) VALUES ('m', 'reset', 'u', '', 'en', '', {hour_ago}, {}, 0, '', '', 0)",
        i64::MAX
    ));
    let (_server, address) = start(folder.path(), &mail);
    until(address, |found| found.get("vestibule_mail_queued") == Some(&1));
    let age = samples(&scrape(address).body)["vestibule_mail_oldest_seconds"];
    assert!((3_600..4_000).contains(&age), "{age}");
}

#[test]
fn shows_faults_and_waits_of_a_locked_database_while_it_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    let (server, address) = start(folder.path(), &[]);
    let cookie = server.sign_up("anna");
    let mut other = crate::engine::raw_file(&folder.path().join("test.db"));
    other.run("BEGIN IMMEDIATE");
    let began = Instant::now();
    thread::scope(|scope| {
        let server = &server;
        let busy = scope.spawn(move || server.post("/login", WRONG, None).status);
        while !busy.is_finished() {
            let asked = Instant::now();
            assert_eq!(scrape(address).status, 200);
            assert!(asked.elapsed() < Duration::from_secs(2), "a scrape waits for no lock");
        }
        assert_eq!(busy.join().unwrap(), 503);
    });
    assert!(began.elapsed() > Duration::from_secs(1), "it was refused before it waited");
    let found = samples(&scrape(address).body);
    assert_eq!(found["vestibule_events_total{event=\"db_busy\"}"], 1);
    assert!(found["vestibule_database_faults_total{kind=\"unavailable\"}"] >= 1, "{found:?}");
    assert_eq!(found["vestibule_database_faults_total{kind=\"broken\"}"], 0);
    assert!(found["vestibule_database_waits_total"] >= 1);
    assert!(found["vestibule_database_wait_seconds_total"] >= 1);
    other.run("ROLLBACK");
    assert!(server.is_signed_in(&cookie));
}

#[test]
fn shows_how_many_records_wait_for_a_locked_database() {
    let folder = tempfile::tempdir().unwrap();
    let (server, address) = start(folder.path(), &[]);
    let mut other = crate::engine::raw_file(&folder.path().join("test.db"));
    other.run("BEGIN IMMEDIATE");
    server.post("/login", "username=anna&password=", None);
    until(address, |found| found["vestibule_audit_records_waiting"] == 1);
    assert_eq!(samples(&scrape(address).body)["vestibule_audit_records_lost_total"], 0);
    other.run("ROLLBACK");
    until(address, |found| found["vestibule_audit_records_waiting"] == 0);
}

/// The files that name metrics, events and words of labels.
const NAMING: [(&str, &str); 3] = [
    ("docs/metrics.md", include_str!("../../../docs/metrics.md")),
    ("contrib/grafana/vestibule.json", include_str!("../../../contrib/grafana/vestibule.json")),
    ("contrib/prometheus/alerts.yml", include_str!("../../../contrib/prometheus/alerts.yml")),
];

/// The words that consist of the letters of metrics.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|it: char| !it.is_ascii_lowercase() && it != '_')
}

#[test]
fn names_only_metrics_that_there_are_in_documents_dashboard_and_alerts() {
    let has = |name: &str| FAMILIES.iter().any(|it| it.name == name);
    let is_of_histogram = |name: &str| {
        let parts = ["_bucket", "_sum", "_count"].iter();
        parts.filter_map(|part| name.strip_suffix(part)).any(|name| {
            FAMILIES.iter().any(|it| it.name == name && it.kind == FamilyKind::Histogram)
        })
    };
    for (file, text) in NAMING {
        let mut names = 0;
        for name in words(text).filter(|it| it.starts_with("vestibule_")) {
            assert!(has(name) || is_of_histogram(name), "{file}: there is no metric {name}");
            names += 1;
        }
        assert!(names > 10, "{file}: the test no longer sees the names");
    }
}

#[test]
fn names_only_events_that_there_are_in_dashboard_and_alerts() {
    let of_requests = Event::ALL.iter().filter(|it| it.is_of_request()).map(|it| it.name());
    let of_requests: BTreeSet<_> = of_requests.collect();
    let of_program: BTreeSet<_> = ProgramEvent::ALL.iter().map(|it| it.name()).collect();
    for (file, text) in &NAMING[1..] {
        let mut events = 0;
        let text = text.replace("\\\"", "\"");
        let parts: Vec<_> = text.split("event=").collect();
        for (before, list) in parts.iter().zip(&parts[1..]) {
            let metric = words(before).filter(|it| it.starts_with("vestibule_")).last().unwrap();
            let is_of_program = metric == "vestibule_program_events_total";
            let all = if is_of_program { &of_program } else { &of_requests };
            let list = list.trim_start_matches('~').trim_start_matches('"');
            for name in list.split('"').next().unwrap().split('|') {
                assert!(all.contains(name), "{file}: no event of {metric} is {name}");
                events += 1;
            }
        }
        assert!(events > 5, "{file}: the test no longer sees the events");
    }
}

#[test]
fn documents_every_metric_as_the_program_has_it() {
    let text = NAMING[0].1;
    let table = text.lines().skip_while(|line| !line.starts_with("| metric |")).skip(2);
    let documented: Vec<_> = table.take_while(|line| line.starts_with('|')).collect();
    let row = |it: &Family| {
        let kind = match it.kind {
            FamilyKind::Counter => "counter",
            FamilyKind::Gauge => "gauge",
            FamilyKind::Histogram => "histogram",
        };
        let labels: Vec<_> = it.labels.iter().map(|it| format!("`{it}`")).collect();
        let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        format!("| `{}` | {kind} | {labels} | {} |", it.name, it.help)
    };
    let rows: Vec<_> = FAMILIES.iter().map(row).collect();
    assert_eq!(documented, rows, "the table has to be\n\n{}\n\n", rows.join("\n"));
}

#[test]
fn documents_every_alert() {
    let names = |text: &'static str| {
        let parts = text.split("Vestibule").skip(1);
        let names = parts.map(|it| it.split(|it: char| !it.is_ascii_alphabetic()).next().unwrap());
        names.collect::<BTreeSet<_>>()
    };
    let alerts = names(NAMING[2].1);
    assert!(alerts.len() > 5);
    assert_eq!(names(NAMING[0].1), alerts);
}

#[test]
fn has_a_dashboard_that_imports_into_any_grafana() {
    let dashboard: serde_json::Value = serde_json::from_str(NAMING[1].1).unwrap();
    assert_eq!((&dashboard["id"], dashboard["schemaVersion"].as_u64()), (&().into(), Some(39)));
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(variables.iter().any(|it| it["name"] == "datasource" && it["type"] == "datasource"));
    let panels = dashboard["panels"].as_array().unwrap();
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let grid = &panel["gridPos"];
        assert!(places.insert((grid["x"].as_u64(), grid["y"].as_u64())), "{panel}");
        assert!(grid["x"].as_u64().unwrap() + grid["w"].as_u64().unwrap() <= 24, "{panel}");
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        assert!(!panel["description"].as_str().unwrap().is_empty());
        let targets = panel["targets"].as_array().unwrap();
        assert!(targets.iter().all(|it| it["expr"].as_str().unwrap().contains("$instance")));
    }
    assert!(panels.len() > 15);
}

#[test]
fn has_alerts_that_prometheus_takes_and_that_are_raised_when_they_should_be() {
    for arguments in [
        ["check", "rules", "contrib/prometheus/alerts.yml"],
        ["check", "config", "contrib/prometheus/scrape.yml"],
        ["test", "rules", "tests/prometheus/alerts_test.yml"],
    ] {
        let Some(mut promtool) = promtool(&arguments) else { return };
        let output = promtool.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
}

#[test]
fn has_a_dashboard_of_questions_that_prometheus_understands() {
    let dashboard: serde_json::Value = serde_json::from_str(NAMING[1].1).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|it| it["targets"].as_array()).flatten();
    let rule = |(number, it): (usize, &serde_json::Value)| {
        let expr = it["expr"].as_str().unwrap().replace("$__rate_interval", "1m");
        serde_json::json!({ "record": format!("dashboard:{number}"), "expr": expr })
    };
    let rules: Vec<_> = targets.enumerate().map(rule).collect();
    assert!(rules.len() > 30);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yml");
    // What is JSON is YAML as well.
    let groups = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    fs::write(&path, groups.to_string()).unwrap();
    let Some(mut promtool) = promtool(&["check", "rules"]) else { return };
    let output = promtool.arg(&path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
