//! Does a request wait for the writes and hashes of others? Three loads, each for a few seconds, on the program
//! in `BENCH_PROGRAMS`:
//!
//! 1. another process holds the database, and eight people sign out;
//! 2. the disk takes 10 ms for each fsync, and one account makes and revokes access tokens over 320 connections;
//! 3. one address signs in over 100 connections, and ten others 50 times.
//!
//! The first two print what others wait for pages and checks meanwhile, the third what others wait for their
//! sign-ins. It ends with 1 if that is more than is meant. Run by `make bench-isolation`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio, exit};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long each load lasts.
const SPAN: Duration = Duration::from_secs(5);

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pages and checks that are asked for at once.
const READERS: usize = 4;

/// How often each of them asks: people do not ask as fast as they can.
const READ_EVERY: Duration = Duration::from_millis(2);

const PASSWORD: &str = "password=correct+horse+battery";

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let is_good = [
        locked(&folder.path().join("locked.db")),
        slow_disk(&folder.path().join("slow.db")),
        greedy(&folder.path().join("greedy.db")),
    ];
    if is_good.contains(&false) {
        eprintln!("Requests wait for those of others longer than the limits allow.");
        exit(1);
    }
}

fn locked(database: &Path) -> bool {
    let server = Server::start(database, &[]);
    let reader = server.sign_up("reader");
    let cookies: Vec<_> = (0..8).map(|at| server.sign_up(&format!("anna{at}"))).collect();
    let other = rusqlite::Connection::open(database).expect("the database");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let load = |at: usize, done: &AtomicBool| {
        let mut client = server.connect();
        let mut refused = 0;
        while !done.load(Ordering::Relaxed) {
            let answer = client.post("/logout", "203.0.113.1", &cookies[at], "");
            refused += u64::from(answer.status == 503);
        }
        refused
    };
    let (pages, checks, refused) = server.read_beside(&reader, 8, load);
    other.execute_batch("ROLLBACK").expect("the lock");
    println!("locked: {refused} sign-outs were told to come back");
    pages.judge("locked, GET /", 50.0, 50.0) & checks.judge("locked, /auth/nginx", 50.0, 50.0)
}

fn slow_disk(database: &Path) -> bool {
    let slow = std::env::var("BENCH_SLOW_FSYNC").expect("run by make bench-isolation");
    let server = Server::start(database, &[("LD_PRELOAD", &slow), ("SLOW_FSYNC_MS", "10")]);
    let (reader, maker) = (server.sign_up("reader"), server.sign_up("maker"));
    let load = |_: usize, done: &AtomicBool| {
        let mut client = server.connect();
        let mut made = 0;
        while !done.load(Ordering::Relaxed) {
            let answer = client.post("/account/tokens", "203.0.113.1", &maker, "name=x&days=9");
            if let Some((_, rest)) = answer.body.split_once("\"handle\":\"") {
                made += 1;
                let handle = rest.split('"').next().unwrap_or_default();
                let form = format!("token={handle}");
                client.post("/account/tokens/revoke", "203.0.113.1", &maker, &form);
            }
        }
        made
    };
    let (pages, checks, made) = server.read_beside(&reader, 320, load);
    println!("slow disk: {made} tokens were made");
    pages.judge("slow disk, GET /", 5.0, f64::MAX)
        & checks.judge("slow disk, /auth/nginx", 5.0, f64::MAX)
}

fn greedy(database: &Path) -> bool {
    let server = Server::start(database, &[]);
    server.sign_up("anna");
    let form = format!("username=anna&{PASSWORD}");
    let (done, tried) = (AtomicBool::new(false), AtomicU64::new(0));
    let spans = thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                let mut client = server.connect();
                while !done.load(Ordering::Relaxed) {
                    client.post("/login", "192.0.2.66", "", &form);
                    tried.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while tried.load(Ordering::Relaxed) < 200 {
            thread::sleep(Duration::from_millis(1));
        }
        let (server, form) = (&server, &form);
        let others: Vec<_> = (0..50)
            .map(|at| {
                scope.spawn(move || {
                    let mut client = server.connect();
                    let address = format!("2001:db8:0:{}::1", at % 10);
                    let began = Instant::now();
                    let answer = client.post("/login", &address, "", form);
                    (answer.status, began.elapsed())
                })
            })
            .collect();
        let others: Vec<_> = others.into_iter().map(|it| it.join().expect("no panic")).collect();
        done.store(true, Ordering::Relaxed);
        others
    });
    let mut waits = Waits::default();
    for (status, span) in spans {
        waits.add(status == 302, span);
    }
    waits.judge("100 greedy connections, sign-ins of others", 5_000.0, 5_000.0)
}

/// The program, on a port of its own. It is killed at the end.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(database: &Path, environment: &[(&str, &str)]) -> Self {
        let programs = PathBuf::from(std::env::var_os("BENCH_PROGRAMS").expect("run by make"));
        let mut child = Command::new(programs.join("vestibule"))
            .args(["serve", "--listen=127.0.0.1:0", "--trusted-proxy=127.0.0.1", "--basic-auth"])
            .arg("--database")
            .arg(database)
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("ev=listening address=")?;
            rest.split(' ').next()?.parse().ok()
        });
        // It must not wait for a reader of its log.
        thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, address: address.expect("it says where it listens") }
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("an option");
        Client { stream: BufReader::new(stream), address: self.address }
    }

    /// Signs up, and comes back with the cookie.
    fn sign_up(&self, name: &str) -> String {
        let form = format!("username={name}&{PASSWORD}");
        let answer = self.connect().post("/signup", "203.0.113.9", "", &form);
        let cookies = answer.head.lines().filter_map(|line| line.strip_prefix("Set-Cookie: "));
        let session = cookies.filter_map(|it| it.split(';').next());
        let mut session = session.filter(|it| it.starts_with("auth_session="));
        session.next().unwrap_or_else(|| panic!("no account: {}", answer.head)).to_owned()
    }

    /// Asks for pages and checks while so many do this, and says what it took; and the sum of what they say.
    fn read_beside(
        &self,
        cookie: &str,
        count: usize,
        load: impl Fn(usize, &AtomicBool) -> u64 + Sync,
    ) -> (Waits, Waits, u64) {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let (load, done) = (&load, &done);
            let loads: Vec<_> = (0..count).map(|at| scope.spawn(move || load(at, done))).collect();
            // All of them are under way.
            thread::sleep(Duration::from_millis(200));
            let read = |path: &'static str| {
                let mut waits = Waits::default();
                let (mut client, end) = (self.connect(), Instant::now() + SPAN);
                while Instant::now() < end {
                    let began = Instant::now();
                    let answer = client.get(path, cookie);
                    waits.add(answer.status == 200, began.elapsed());
                    thread::sleep(READ_EVERY);
                }
                waits
            };
            let readers: Vec<_> = (0..READERS)
                .flat_map(|_| ["/", "/auth/nginx"])
                .map(|path| (path, scope.spawn(move || read(path))))
                .collect();
            let (mut pages, mut checks) = (Waits::default(), Waits::default());
            for (path, reader) in readers {
                let waits = reader.join().expect("no panic");
                if path == "/" { pages.merge(waits) } else { checks.merge(waits) }
            }
            done.store(true, Ordering::Relaxed);
            let sum = loads.into_iter().map(|it| it.join().expect("no panic")).sum();
            (pages, checks, sum)
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection that is kept.
struct Client {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Client {
    fn get(&mut self, path: &str, cookie: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n"))
    }

    fn post(&mut self, path: &str, client: &str, cookie: &str, form: &str) -> Answer {
        let length = form.len();
        let accept = if path.starts_with("/account") { "application/json" } else { "*/*" };
        let cookie =
            if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") };
        self.ask(&format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\nAccept: {accept}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\
             {cookie}\r\n{form}"
        ))
    }

    fn ask(&mut self, request: &str) -> Answer {
        self.stream.get_mut().write_all(request.as_bytes()).expect("it takes a request");
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.stream.read_line(&mut head).expect("an answer") > 0, "no answer");
        }
        let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        let length = value("Content-Length: ").and_then(|it| it.parse().ok()).expect("a length");
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
        let is_last = value("Connection: ").is_some_and(|it| it == "close");
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("a body");
        if is_last {
            self.stream = BufReader::new(TcpStream::connect(self.address).expect("a connection"));
        }
        Answer { status, head, body: String::from_utf8_lossy(&body).into_owned() }
    }
}

/// What answers took, and how many were not what was asked for.
#[derive(Default)]
struct Waits {
    spans: Vec<Duration>,
    bad: usize,
}

impl Waits {
    fn add(&mut self, is_good: bool, span: Duration) {
        self.spans.push(span);
        self.bad += usize::from(!is_good);
    }

    fn merge(&mut self, other: Self) {
        self.spans.extend(other.spans);
        self.bad += other.bad;
    }

    /// Prints them, and says whether all answers were good and took no longer than so many milliseconds.
    fn judge(mut self, name: &str, p50_max: f64, p99_max: f64) -> bool {
        self.spans.sort();
        let count = self.spans.len();
        let at = |percent: usize| {
            let span = self.spans[(count * percent / 100).min(count - 1)];
            span.as_secs_f64() * 1_000.0
        };
        let (p50, p99, most) = (at(50), at(99), at(100));
        let is_good = self.bad == 0 && p50 < p50_max && p99 < p99_max;
        let verdict = if is_good { "ok" } else { "TOO LONG" };
        println!(
            "{verdict}: {name}: {count} answers, {} bad, p50 {p50:.2} ms, p99 {p99:.2} ms, at most {most:.2} ms",
            self.bad
        );
        is_good
    }
}
