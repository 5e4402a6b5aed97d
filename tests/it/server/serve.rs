//! The release as its users meet it: HTTP, signals, crashes, two processes, wrong settings.

use std::fs::{self, Permissions};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::binary::{Answer, Binary, PATIENCE, vestibule};
use crate::engine;
use vestibule::base::clock::Moment;

const ANNA: &str = "username=anna&password=correct+horse";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn leads_from_sign_up_to_the_profile_out_and_in_again() {
    let folder = folder();
    let server = Binary::start(folder.path(), &[]);
    let cookie = server.sign_up("anna");
    let profile = server.get("/", Some(&cookie));
    assert_eq!(profile.status, 200);
    assert!(profile.body.contains("Username: anna"));
    let out = server.post("/logout", "", Some(&cookie));
    assert_eq!((out.status, out.value("Location")), (302, Some("/login")));
    assert!(!server.is_signed_in(&cookie));
    let cookie = server.post("/login", ANNA, None).cookie().unwrap();
    assert!(server.is_signed_in(&cookie));
}

#[test]
fn keeps_people_signed_in_over_a_restart() {
    let folder = folder();
    let server = Binary::start(folder.path(), &[]);
    let cookie = server.sign_up("anna");
    server.stop();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "one file is left behind");
    let server = Binary::start(folder.path(), &[]);
    assert!(server.is_signed_in(&cookie));
}

#[test]
fn ends_with_success_when_it_is_asked_to_stop() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP] {
        let folder = folder();
        // The tests themselves may run under nohup, which leaves SIGHUP ignored.
        let mut command = std::process::Command::new("env");
        command.arg("--default-signal=HUP").arg(crate::binary::program());
        command.args(["serve", "--listen=127.0.0.1:0", "--database"]);
        command.arg(folder.path().join("test.db"));
        let mut server = Binary::run(command);
        server.sign_up("anna");
        server.signal(signal);
        // A terminal that is closed may say so twice; that is no second order to stop at once.
        if signal == Signal::HUP {
            server.signal(signal);
        }
        assert_eq!(server.wait().code(), Some(0), "{signal:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{signal:?}: one file is left");
    }
}

#[test]
fn goes_on_when_its_terminal_is_closed_if_nohup_started_it() {
    let folder = folder();
    let database = folder.path().join("test.db");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(crate::binary::program());
    command.args(["serve", "--listen=127.0.0.1:0", "--database"]).arg(database);
    let mut server = Binary::run(command);
    server.signal(Signal::HUP);
    let cookie = server.sign_up("anna");
    server.signal(Signal::HUP);
    assert!(server.is_signed_in(&cookie) && server.is_running());
    server.stop();
}

#[test]
fn goes_on_when_it_is_told_to_reopen_its_log() {
    let folder = folder();
    let mut server = Binary::start(folder.path(), &[]);
    for signal in [Signal::USR1, Signal::USR2] {
        server.signal(signal);
        assert_eq!(server.get("/healthz", None).status, 200);
    }
    assert!(server.is_running());
    server.stop();
}

#[test]
fn says_busy_where_a_file_may_not_grow_and_reads_on() {
    let folder = folder();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -f 400; exec \"$0\" \"$@\""]).arg(crate::binary::program());
    command.args(["serve", "--listen=127.0.0.1:0", "--signup-free=1000", "--database"]);
    let mut server = Binary::run({
        command.arg(folder.path().join("test.db"));
        command
    });
    let cookie = server.sign_up("anna");
    let refused = (0..100).find_map(|at| {
        let form = format!("username=anna{at}&password=correct+horse");
        Some(server.post("/signup", &form, None).status).filter(|status| *status != 302)
    });
    assert_eq!(refused, Some(503));
    assert!(server.is_signed_in(&cookie) && server.is_running());
    server.stop();
    let backup = folder.path().join("copy.db");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -f 100; exec \"$0\" \"$@\""]).arg(crate::binary::program());
    command.arg("backup").arg(&backup).arg("--database").arg(folder.path().join("test.db"));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["test.db"], "nothing is left of it");
}

#[test]
fn says_in_one_line_that_threads_are_missing_and_exits_with_1() {
    let folder = folder();
    let database = folder.path().join("test.db");
    // Root may start as many as there are, so it is the room for their stacks that is limited: for some
    // of the workers of a lane, for all workers but not for tiny_http's threads, and for neither lane.
    for megabytes in [400, 800, 1_600, 2_400] {
        let mut command = std::process::Command::new("sh");
        let script = format!("ulimit -v {}; exec \"$0\" \"$@\"", megabytes * 1_024);
        command.args(["-c", &script]).arg(crate::binary::program());
        command.args(["serve", "--listen=127.0.0.1:0", "--workers=256", "--hashers=256"]);
        let output = command.arg("--database").arg(&database).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{megabytes}: {said}");
        assert!(said.contains(" ev=serve_failed ") && said.lines().count() == 1, "{said}");
        assert!(said.contains("threads") && said.contains("--workers"), "{said}");
    }
}

#[test]
fn answers_what_is_in_flight_before_it_stops() {
    let folder = folder();
    let mut server = Binary::start(folder.path(), &["--hashers=1"]);
    server.sign_up("anna");
    let request = format!(
        "POST /login HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{ANNA}",
        ANNA.len()
    );
    let streams: Vec<_> = (0..10)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    server.signal(Signal::TERM);
    for stream in streams {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let answer = Answer::read(stream, false).expect("an answer");
        assert_eq!((answer.status, answer.value("Location")), (302, Some("/")));
    }
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn loses_nothing_that_was_answered_when_it_is_killed() {
    let folder = folder();
    let mut answered = Vec::new();
    for round in 0..3 {
        let server = Binary::start(folder.path(), &[]);
        let (server, made) = (&server, &AtomicUsize::new(0));
        let names: Vec<_> = thread::scope(|scope| {
            let ask = move |worker: usize| {
                let mut names = Vec::new();
                loop {
                    let name = format!("user-{round}-{worker}-{}", names.len());
                    let body = format!("username={name}&password=correct+horse");
                    let request = format!(
                        "POST /signup HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\
                         Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
                        body.len()
                    );
                    match server.try_ask(request.as_bytes()) {
                        Some(Answer { status: 302, .. }) => {
                            names.push(name);
                            made.fetch_add(1, Ordering::Relaxed);
                        }
                        _ => return names,
                    }
                }
            };
            let workers: Vec<_> = (0..4).map(|worker| scope.spawn(move || ask(worker))).collect();
            // In the middle of it: some are answered, some are on their way.
            while made.load(Ordering::Relaxed) < 10 {
                thread::yield_now();
            }
            server.signal(Signal::KILL);
            workers.into_iter().flat_map(|it| it.join().unwrap()).collect()
        });
        assert!(!names.is_empty());
        answered.extend(names);
    }
    let database = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    let one = |sql: &str| database.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(one("PRAGMA integrity_check"), "ok");
    for name in &answered {
        let found = one(&format!("SELECT count(*) || '' FROM user WHERE username = '{name}'"));
        assert_eq!(found, "1", "{name}");
    }
    let half = "SELECT count(*) || '' FROM user
                 WHERE id NOT IN (SELECT user_id FROM user_key)
                    OR id NOT IN (SELECT user_id FROM user_session)";
    assert_eq!(one(half), "0", "users without a key or a session");
    let server = Binary::start(folder.path(), &[]);
    let last = answered.last().unwrap();
    let body = format!("username={last}&password=correct+horse");
    assert_eq!(server.post("/login", &body, None).status, 302);
}

#[test]
fn lets_one_of_fifty_simultaneous_sign_ups_for_a_name_win() {
    let folder = folder();
    let server = Binary::start(folder.path(), &[]);
    let answers: Vec<_> = thread::scope(|scope| {
        let ask = || server.post("/signup", ANNA, None);
        let asking: Vec<_> = (0..50).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let won = answers.iter().filter(|it| it.status == 302).count();
    let taken = answers.iter().filter(|it| it.body == "Username already taken").count();
    assert_eq!((won, taken), (1, 49));
}

#[test]
fn shows_a_sign_out_at_once_to_another_server_on_the_same_file() {
    let folder = folder();
    let (one, other) = (Binary::start(folder.path(), &[]), Binary::start(folder.path(), &[]));
    let cookie = one.sign_up("anna");
    assert!(other.is_signed_in(&cookie));
    assert_eq!(one.post("/logout", "", Some(&cookie)).status, 302);
    assert!(!other.is_signed_in(&cookie));
    let cookie = other.post("/login", ANNA, None).cookie().unwrap();
    assert!(one.is_signed_in(&cookie));
}

/// Signs in from many places at once, and comes back with the status codes.
fn storm(server: &Binary, count: usize) -> Vec<u16> {
    thread::scope(|scope| {
        let ask = || {
            let answer = server.post("/login", ANNA, None);
            if answer.status == 503 {
                assert_eq!(answer.value("Retry-After"), Some("1"));
                assert_eq!(answer.body, "Busy");
            }
            answer.status
        };
        let asking: Vec<_> = (0..count).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|it| it.join().unwrap()).collect()
    })
}

#[test]
fn says_that_it_is_busy_when_too_many_sign_in_at_once() {
    let folder = folder();
    let server = Binary::start(folder.path(), &["--hashers=1"]);
    server.sign_up("anna");
    let codes = storm(&server, 300);
    let (let_in, busy) =
        (codes.iter().filter(|&&it| it == 302), codes.iter().filter(|&&it| it == 503));
    let (let_in, busy) = (let_in.count(), busy.count());
    assert_eq!(let_in + busy, 300);
    assert!(let_in > 0 && busy > 0, "{let_in} let in, {busy} told to come back");
    assert_eq!(storm(&server, 1), [302], "and afterwards all is well");
}

#[test]
fn answers_a_page_at_once_while_fifty_people_sign_in() {
    let folder = folder();
    let server = Binary::start(folder.path(), &[]);
    let cookie = server.sign_up("anna");
    thread::scope(|scope| {
        let storm = scope.spawn(|| storm(&server, 50));
        let mut pages = 0;
        while !storm.is_finished() {
            assert_eq!(server.get("/", Some(&cookie)).status, 200);
            pages += 1;
        }
        assert_eq!(storm.join().unwrap(), vec![302; 50]);
        // Some five hundred are measured. Behind the passwords it would be one or two.
        assert!(pages >= 50, "{pages}");
    });
}

#[test]
fn sweeps_dead_sessions_away_and_no_living_one() {
    let folder = folder();
    let server = Binary::start(folder.path(), &[]);
    let cookie = server.sign_up("anna");
    server.stop();
    let database = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    database
        .execute_batch(
            "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
             INSERT INTO user_session (id, user_id, active_expires, idle_expires, absolute_expires, created_at)
             SELECT randomblob(32), (SELECT id FROM user), 1, 2, 3, 0 FROM n",
        )
        .unwrap();
    let server = Binary::start(folder.path(), &[]);
    let count = || {
        let sql = "SELECT count(*) FROM user_session";
        database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let started = Instant::now();
    while count() > 1 {
        assert!(started.elapsed() < PATIENCE, "{} are left", count());
        thread::yield_now();
    }
    assert!(server.is_signed_in(&cookie));
}

/// Stops a server once it has logged this, and returns its log.
fn until_logged(server: Binary, text: &str) -> String {
    let started = Instant::now();
    while !server.logged().contains(text) {
        assert!(started.elapsed() < PATIENCE, "{}", server.logged());
        thread::sleep(Duration::from_millis(10));
    }
    server.stop()
}

#[test]
fn deletes_nothing_under_a_clock_that_is_far_ahead_however_often_it_is_started() {
    let folder = folder();
    let server = Binary::start(folder.path(), &[]);
    server.sign_up("anna");
    server.stop();
    let database = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    database
        .execute_batch(
            "UPDATE audit SET at = at - 2 * 86400000;
             UPDATE user_session SET active_expires = 1, idle_expires = 2, absolute_expires = 3",
        )
        .unwrap();
    let path = folder.path().join("test.db");
    let path = path.to_str().unwrap();
    // As a server of this version leaves it, and as only an older one has.
    for believed_at in ["believed_at - 2 * 86400000", "0"] {
        let shift = format!("UPDATE clock SET believed_at = {believed_at}");
        database.execute_batch(&shift).unwrap();
        // Neither a start nor a command washes it away that the clock is doubted.
        for _ in 0..3 {
            let server = Binary::start(folder.path(), &[]);
            server.get("/", None);
            let log = until_logged(server, "ev=sweep_held");
            assert!(!log.contains("ev=swept"), "{log}");
            let sql = "SELECT count(*) FROM user_session";
            assert_eq!(database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
            let words = ["user", "groups", "anna", "staff", "--database", path];
            assert!(vestibule(&words).output().unwrap().status.success());
        }
        database.execute_batch("UPDATE audit SET at = at - 2 * 86400000").unwrap();
    }
    let now = Moment::now().millis();
    database.execute_batch(&format!("UPDATE clock SET believed_at = {now}")).unwrap();
    let log = until_logged(Binary::start(folder.path(), &[]), "ev=swept");
    assert!(!log.contains("ev=sweep_held"), "{log}");
}

#[test]
fn keeps_reading_and_says_busy_while_another_process_holds_the_database() {
    let folder = folder();
    let server = Binary::start(folder.path(), &[]);
    let cookie = server.sign_up("anna");
    let other = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    thread::scope(|scope| {
        let asked = Instant::now();
        let waiting = scope.spawn(|| server.post("/signup", "username=bobo&password=123456", None));
        while !waiting.is_finished() {
            assert!(server.is_signed_in(&cookie));
        }
        let answer = waiting.join().unwrap();
        assert_eq!((answer.status, answer.value("Retry-After")), (503, Some("1")));
        assert!(asked.elapsed() < Duration::from_secs(30), "three seconds are meant");
    });
    other.execute_batch("ROLLBACK").unwrap();
    server.sign_up("bobo");
}

/// A form that a client behind the proxy on this machine sends.
fn forwarded(client: &str, path: &str, cookie: &str, form: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: {client}\r\nCookie: {cookie}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
}

#[test]
fn answers_pages_and_checks_at_once_while_eight_sign_outs_wait_for_the_database() {
    let folder = folder();
    let flags = ["--trusted-proxy=127.0.0.1", "--workers=2"];
    let server = &Binary::start(folder.path(), &flags);
    let cookies: Vec<_> = (0..8).map(|at| server.sign_up(&format!("anna{at}"))).collect();
    let reader = server.sign_up("reader");
    let other = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    thread::scope(|scope| {
        let asked = Instant::now();
        let ask = |cookie| move || server.post("/logout", "", Some(cookie));
        let waiting: Vec<_> = cookies.iter().map(|cookie| scope.spawn(ask(cookie))).collect();
        let (mut answered, mut longest) = (0, Duration::ZERO);
        while !waiting.iter().any(thread::ScopedJoinHandle::is_finished) {
            let began = Instant::now();
            assert!(server.is_signed_in(&reader));
            assert_eq!(server.get("/auth/nginx", Some(&reader)).status, 200);
            assert_eq!(server.get("/healthz", None).status, 200);
            longest = longest.max(began.elapsed());
            answered += 1;
        }
        for it in waiting {
            let answer = it.join().unwrap();
            assert_eq!((answer.status, answer.value("Retry-After")), (503, Some("1")));
        }
        // Behind the sign-outs it were one or two, and they would wait for them in turn.
        assert!(answered >= 50, "{answered}, the longest took {longest:?}");
        assert!(
            asked.elapsed() < Duration::from_secs(6),
            "three seconds are meant for all of them"
        );
    });
    other.execute_batch("ROLLBACK").unwrap();
    for cookie in &cookies {
        assert!(server.is_signed_in(cookie), "nothing is done of what was answered with 503");
        assert_eq!(server.post("/logout", "", Some(cookie)).status, 302);
    }
}

#[test]
fn answers_fifty_sign_ups_in_time_that_cannot_be_written() {
    let folder = folder();
    let server = &Binary::start(folder.path(), &[]);
    let other = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let asked = Instant::now();
    thread::scope(|scope| {
        let ask = |at| {
            let form = format!("username=anna{at}&password=correct+horse");
            move || server.post("/signup", &form, None)
        };
        let asking: Vec<_> = (0..50).map(|at| scope.spawn(ask(at))).collect();
        for it in asking {
            let answer = it.join().unwrap();
            assert_eq!((answer.status, answer.value("Retry-After")), (503, Some("1")));
        }
    });
    // Four are meant, on a machine that does nothing else. One after the other it were a minute.
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
    let count = "SELECT count(*) FROM user";
    assert_eq!(other.query_row(count, [], |row| row.get(0)), Ok(0), "what was answered is true");
}

#[test]
fn lets_others_sign_in_beside_a_client_that_sends_a_hundred_sign_ins_at_once() {
    let folder = folder();
    let running = Binary::start(folder.path(), &["--trusted-proxy=127.0.0.1", "--hashers=2"]);
    let server = &running;
    server.sign_up("anna");
    let (done, tried) = (&AtomicBool::new(false), &AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(move || {
                let request = forwarded("192.0.2.66", "/login", "a=b", ANNA);
                while !done.load(Ordering::Relaxed) {
                    let status = server.ask(&request).status;
                    assert!(matches!(status, 302 | 503), "{status}");
                    tried.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // All seats are taken by now.
        while tried.load(Ordering::Relaxed) < 200 {
            thread::yield_now();
        }
        let others: Vec<_> = (0..20)
            .map(|at| {
                let request = forwarded(&format!("2001:db8:{}::1", at % 10), "/login", "a=b", ANNA);
                scope.spawn(move || server.ask(&request).status)
            })
            .collect();
        let statuses: Vec<_> = others.into_iter().map(|it| it.join().unwrap()).collect();
        done.store(true, Ordering::Relaxed);
        assert_eq!(statuses, [302; 20]);
    });
    let log = running.stop();
    let refused: Vec<_> = log.lines().filter(|line| line.contains("ev=overload")).collect();
    assert!(refused.iter().all(|line| line.contains("ip=192.0.2.66")), "{refused:?}");
    assert!(!refused.is_empty());
}

#[test]
fn serves_on_when_its_log_is_not_read() {
    let folder = folder();
    let socket = folder.path().join("v.sock");
    let database = folder.path().join("test.db");
    let listen = format!("--listen=unix:{}", socket.display());
    let arguments = ["serve", &listen, "--database", database.to_str().unwrap()];
    let mut child = vestibule(&arguments).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let ask = || -> Option<Answer> {
        let mut stream = UnixStream::connect(&socket).ok()?;
        stream.write_all(b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n").ok()?;
        Answer::read(stream, false)
    };
    let started = Instant::now();
    while ask().is_none() {
        assert!(started.elapsed() < PATIENCE, "it does not listen");
        thread::yield_now();
    }
    for _ in 0..20 {
        assert_eq!(ask().unwrap().status, 200);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(socket.exists(), "what a killed server leaves behind");
    let mut child = vestibule(&arguments).stderr(Stdio::null()).spawn().unwrap();
    while ask().is_none() {
        assert!(started.elapsed() < PATIENCE, "it does not take the stale socket's place");
        thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The lines of a log about this event.
fn lines_about<'a>(log: &'a str, event: &str) -> Vec<&'a str> {
    let event = format!(" ev={event} ");
    log.lines().filter(|line| line.contains(&event)).collect()
}

#[test]
fn logs_checks_and_requests_as_far_as_it_is_told_and_refusals_always() {
    for (level, passed, pages) in [("checks", 1, 1), ("requests", 0, 1), ("events", 0, 0)] {
        let folder = folder();
        let level = format!("--log-level={level}");
        let flags = ["--origin=http://127.0.0.1:8080", "--app=http://127.0.0.1:3000", &level];
        let server = Binary::start(folder.path(), &flags);
        let cookie = server.sign_up("anna");
        assert_eq!(server.get("/auth/nginx", Some(&cookie)).status, 200);
        assert_eq!(server.get("/auth/nginx?groups=staff", Some(&cookie)).status, 403);
        assert_eq!(server.get("/account", Some(&cookie)).status, 200);
        let log = server.stop();
        let count = |text: &str| log.lines().filter(|line| line.contains(text)).count();
        assert_eq!(count("path=/auth/nginx status=200"), passed, "{log}");
        assert_eq!(count("path=/account status=200"), pages, "{log}");
        assert_eq!((count("ev=check_denied"), count("ev=signup_ok")), (1, 1), "{log}");
        assert_eq!(count(" level=warning ev=open_signup "), 1, "{log}");
    }
}

#[test]
fn takes_longer_heads_if_it_is_told_to() {
    let folder = folder();
    let cookies = format!("a={}; b={}", "x".repeat(9_000), "y".repeat(9_000));
    let ask = |server: &Binary| {
        server.ask(&format!("GET /login HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\n\r\n")).status
    };
    assert_eq!(ask(&Binary::start(folder.path(), &[])), 431);
    assert_eq!(ask(&Binary::start(folder.path(), &["--head-bytes=32768"])), 200);
}

#[test]
fn says_at_start_and_in_a_check_what_in_a_stylesheet_has_no_effect() {
    let folder = tempfile::tempdir().unwrap();
    let css = folder.path().join("own.css");
    std::fs::write(&css, "@import 'a.css';\n:root { --acent: red }\n").unwrap();
    let flag = format!("--css={}", css.display());
    let log = Binary::start(folder.path(), &[&flag]).stop();
    let said = lines_about(&log, "css_flaws");
    assert!(said.len() == 1 && said[0].contains("did you mean --accent?"), "{log}");
    let database = format!("--database={}", folder.path().join("test.db").display());
    let checked = vestibule(&["check", &database, &flag]).output().unwrap();
    let told = String::from_utf8(checked.stdout).unwrap();
    assert!(told.contains("@import loads nothing") && checked.status.success(), "{told}");
    std::fs::write(&css, ":root { --accent: red }\n").unwrap();
    let log = Binary::start(folder.path(), &[&flag]).stop();
    assert!(lines_about(&log, "css_flaws").is_empty(), "{log}");
}

#[test]
fn says_once_at_start_that_a_trusted_network_is_too_wide() {
    let folder = tempfile::tempdir().unwrap();
    let flag = "--trusted-proxy=0.0.0.0/0,127.0.0.1,::/0,10.0.0.0/8";
    let log = Binary::start(folder.path(), &[flag]).stop();
    let said = lines_about(&log, "trusted_proxy_wide");
    assert!(said.len() == 1 && said[0].contains("networks=0.0.0.0/0,::/0 "), "{log}");
    let log = Binary::start(folder.path(), &["--trusted-proxy=127.0.0.1,10.0.0.0/8"]).stop();
    assert!(lines_about(&log, "trusted_proxy_wide").is_empty(), "{log}");
}

#[test]
fn says_once_that_it_ignores_what_a_peer_says_who_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |server: &Binary, field: &str| {
        server.ask(&format!("GET /login HTTP/1.1\r\nHost: x\r\n{field}\r\n")).status
    };
    let field = "X-Forwarded-For: 203.0.113.66\r\n";
    for (flags, lines) in
        [(&[][..], 1), (&["--trusted-proxy=192.0.2.1"], 1), (&["--trusted-proxy=127.0.0.1"], 0)]
    {
        let server = Binary::start(folder.path(), flags);
        (0..3).for_each(|_| assert_eq!(ask(&server, field), 200));
        let log = server.stop();
        let said = lines_about(&log, "forwarded_for_ignored");
        assert_eq!(said.len(), lines, "{flags:?}: {log}");
        assert!(said.iter().all(|it| it.contains("peer=127.0.0.1 ")), "{said:?}");
        assert!(!log.contains("203.0.113.66") || lines == 0, "what it says is not believed: {log}");
    }
    let server = Binary::start(folder.path(), &[]);
    assert_eq!(ask(&server, ""), 200);
    assert!(lines_about(&server.stop(), "forwarded_for_ignored").is_empty());
}

#[test]
fn writes_no_secret_into_its_log() {
    let folder = folder();
    let server = Binary::start(folder.path(), &[]);
    let cookie = server.sign_up("anna");
    let (_, token) = cookie.split_once('=').unwrap();
    server.post("/login", "username=my+other+password&password=hunter2%21", None);
    server.post("/login?password=in-the-address", ANNA, Some(&cookie));
    server.get("/nowhere\"ev=forged?token=also-here", Some(&cookie));
    server.ask("GET /login HTTP/1.1\r\nHost: x\r\nUser-Agent: x ev=forged\r\n\r\n");
    server.ask(&format!("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"));
    let log = server.stop();
    for secret in [
        "correct",
        "hunter2",
        token,
        "my other",
        "my+other",
        "in-the-address",
        "also-here",
        "Bearer",
    ] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    for event in ["ev=signup_ok", "ev=login_fail", "ev=login_ok", "ip=127.0.0.1", "ev=stop"] {
        assert!(log.contains(event), "{event} in {log}");
    }
    assert!(log.contains("path=\"/nowhere\\\"ev=forged\""), "quoted and escaped: {log}");
    assert!(!log.contains(" ev=forged"), "{log}");
}

#[test]
fn keeps_what_matters_for_security_in_the_database_and_nothing_secret() {
    let folder = folder();
    let server = Binary::start(folder.path(), &[]);
    let cookie = server.sign_up("anna");
    server.get("/", Some(&cookie));
    server.post("/login", "username=my+other+password&password=hunter2%21", None);
    server.post("/logout", "", Some(&cookie));
    let again = server.post("/login", ANNA, None).cookie().unwrap();
    server.ask("POST /login HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\n\r\n");
    for _ in 0..10 {
        server.post("/login", "username=nobody&password=hunter2%21", None);
    }
    server.post("/account/delete", "password=correct+horse", Some(&again));
    let log = server.stop();
    let database = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    let mut statement = database
        .prepare(
            "SELECT event || ' ' || ifnull(user_id, '-') || ' ' || ifnull(address, '-') || ' '
                    || ifnull(session, '-') || ' ' || ifnull(request, '-') || ' ' || detail
               FROM audit ORDER BY id",
        )
        .unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    let mut rows: Vec<String> = rows.map(Result::unwrap).collect();
    let settings = rows.remove(0);
    assert!(settings.starts_with("settings - - - - origin=none ") && log.contains("ev=settings "));
    let events: Vec<_> = rows.iter().map(|row| row.split(' ').next().unwrap()).collect();
    let mut expected = vec!["signup_ok", "login_fail", "logout", "login_ok", "csrf_reject"];
    // How many of the tries had to wait depends on how long they took.
    let throttled = events.iter().filter(|it| **it == "throttled").count();
    assert!((1..=4).contains(&throttled), "{rows:#?}");
    expected.extend(vec!["login_fail"; 10 - throttled]);
    expected.push("account_delete");
    let others: Vec<_> = events.iter().copied().filter(|it| *it != "throttled").collect();
    assert_eq!(others, expected, "{rows:#?}");
    for row in &rows {
        let fields: Vec<_> = row.split(' ').collect();
        assert_eq!(fields[2], "127.0.0.1", "{row}");
        assert!(log.contains(&format!("rid={}", fields[4])), "the log tells the same: {row}");
    }
    assert!(rows[0].split(' ').nth(1).unwrap().len() == 15, "{}", rows[0]);
    assert!(rows[1].contains("reason=bad_credentials name=h:"), "{}", rows[1]);
    let (_, token) = cookie.split_once('=').unwrap();
    let file = fs::read(folder.path().join("test.db")).unwrap();
    for secret in ["correct horse", "correct+horse", "hunter2", "my other", "nobody", token] {
        assert!(!rows.iter().any(|row| row.contains(secret)), "{secret}");
        let bytes = secret.as_bytes();
        assert!(!file.windows(bytes.len()).any(|it| it == bytes), "{secret} in the database");
    }
}

// What arrives over the wire.

#[test]
fn answers_head_as_get_without_the_body() {
    let folder = folder();
    let server = Binary::start(folder.path(), &[]);
    let get = server.get("/login", None);
    let head = server.ask("HEAD /login HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(head.body, "");
    assert_eq!(head.value("Content-Length"), Some(&*get.body.len().to_string()));
    assert_eq!(head.value("Content-Type"), get.value("Content-Type"));
}

#[test]
fn refuses_what_is_too_large_and_what_can_be_read_in_two_ways() {
    let folder = folder();
    let server = Binary::start(folder.path(), &[]);
    for (status, request) in [
        (413, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 102401\r\n\r\n".to_owned() + &"x".repeat(102_401)),
        (400, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 102400\r\n\
               Content-Type: application/x-www-form-urlencoded\r\n\r\n".to_owned() + &"x".repeat(102_400)),
        (400, "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned()),
        (400, "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        (400, "GET * HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        (400, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx".to_owned()),
        (400, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned()),
    ] {
        let answer = server.ask(&request);
        assert_eq!(answer.status, status, "{}", &request[..60.min(request.len())]);
        assert!(answer.value("Content-Security-Policy").is_some());
    }
}

#[test]
fn reads_a_form_that_comes_in_chunks() {
    let folder = folder();
    let server = Binary::start(folder.path(), &[]);
    let answer = server.ask(
        "POST /signup HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n\
         9\r\nusername=\r\n1b\r\nanna&password=correct+horse\r\n0\r\n\r\n",
    );
    assert_eq!(answer.status, 302, "{}", answer.body);
}

// Starting.

fn fails(arguments: &[&str], folder: &std::path::Path) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        vestibule(arguments).current_dir(folder).output().unwrap();
    assert_eq!(String::from_utf8(stdout).unwrap(), "");
    let said = String::from_utf8(stderr).unwrap();
    let begins = if status.code() == Some(1) { "ts=" } else { "vestibule: " };
    assert!(said.starts_with(begins) && said.lines().count() == 1, "{said}");
    (status.code(), said)
}

#[test]
fn says_in_one_line_what_is_wrong_with_a_setting_and_exits_with_2() {
    let folder = folder();
    for flag in ["--listen=0.0.0.0:0", "--active=x", "--password-policy=x", "--nonsense", "extra"] {
        assert_eq!(fails(&["serve", flag], folder.path()).0, Some(2), "{flag}");
    }
    assert_eq!(fails(&["nonsense"], folder.path()).0, Some(2));
    let output = vestibule(&["serve"]).env("VESTIBULE_IDLE", "x").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "and in the environment");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn refuses_a_variable_that_no_setting_has_whatever_the_command() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("--listen={}", taken.local_addr().unwrap());
    for words in [
        &[][..],
        &["serve", &listen],
        &["user", "list"],
        &["invite", "new"],
        &["check"],
        &["doctor", "http://127.0.0.1:1"],
        &["completions", "bash"],
    ] {
        let run = |name: &str, value: &str| {
            let mut command = vestibule(words);
            command.env(name, value).current_dir(folder.path());
            let Output { status, stderr, .. } = command.output().unwrap();
            (status.code(), String::from_utf8(stderr).unwrap())
        };
        let (code, told) = run("VESTIBULE_SINGUP", "closed");
        assert_eq!((code, told.lines().count()), (Some(2), 1), "{words:?}: {told}");
        assert!(
            told.contains("SINGUP") && told.contains("did you mean VESTIBULE_SIGNUP?"),
            "{told}"
        );
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
    let mut command = vestibule(&["completions", "bash"]);
    command.env("VESTIBULE_PORT", "tcp://10.0.0.1:80").env("VESTIBULE_SERVICE_HOST", "10.0.0.1");
    assert!(command.output().unwrap().status.success(), "Kubernetes tells where services are");
    let mut command = vestibule(&["serve", "--help"]);
    assert!(
        command.env("VESTIBULE_SINGUP", "x").output().unwrap().status.success(),
        "help is help"
    );
}

#[test]
fn says_in_one_line_why_it_cannot_start_and_exits_with_1() {
    let folder = folder();
    fs::write(folder.path().join("letter.txt"), "Dear Sir or Madam").unwrap();
    let (code, said) = fails(&["serve", "--database=letter.txt"], folder.path());
    assert!(
        code == Some(1) && said.contains("letter.txt") && said.contains("not a SQLite"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(folder.path().join("letter.txt")).unwrap(), "Dear Sir or Madam");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("--listen={}", taken.local_addr().unwrap());
    let (code, said) = fails(&["serve", &listen], folder.path());
    assert!(code == Some(1) && said.contains("cannot listen on"), "{said}");
}

#[test]
fn reads_switches_in_the_environment_and_takes_an_empty_variable_for_none() {
    let folder = folder();
    let try_out = |name: &str, value: &str| {
        let output = vestibule(&["serve", "--listen=0.0.0.0:0", "--database=/nowhere/x.db"])
            .env(name, value)
            .current_dir(folder.path())
            .output()
            .unwrap();
        output.status.code()
    };
    for value in ["true", "1", "yes"] {
        assert_eq!(try_out("VESTIBULE_INSECURE_HTTP", value), Some(1), "{value}");
    }
    for value in ["false", "0", "no", ""] {
        assert_eq!(try_out("VESTIBULE_INSECURE_HTTP", value), Some(2), "{value:?}");
    }
    assert_eq!(try_out("VESTIBULE_ORIGIN", ""), Some(2), "refused for plain http, not for this");
    assert_eq!(try_out("VESTIBULE_ORIGIN", "https://auth.test"), Some(1));
}

#[test]
fn refuses_a_database_that_it_may_not_write() {
    // Root may write whatever its mode says, so another account has to try: a copy of the program
    // where they can reach it, and a folder that is theirs.
    const NOBODY: u32 = 65_534;
    let folder = folder();
    let program = folder.path().join("vestibule");
    fs::copy(crate::binary::program(), &program).unwrap();
    let file = folder.path().join("test.db");
    drop(engine::file(&file));
    fs::set_permissions(&file, Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let mut command = std::process::Command::new(&program);
    command.args(["serve", "--listen=127.0.0.1:0", "--database"]).arg(&file);
    if rustix::process::geteuid().is_root() {
        for it in [folder.path(), &file] {
            chown(it, Some(NOBODY), None).unwrap();
        }
        command.uid(NOBODY);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("it cannot be written"), "{said}");
    let left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing is left beside it: {left:?}");
}

#[test]
fn tells_a_newcomer_how_to_begin() {
    for (arguments, part) in [
        (&[][..], "vestibule serve"),
        (&["--help"], "serve"),
        (&["serve", "--help"], "--password-policy"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let output = vestibule(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(part) && output.stderr.is_empty(), "{said}");
    }
}
