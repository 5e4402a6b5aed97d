//! tiny_http and its workers: the shell around the site.
//!
//! Decides who answers what and when to stop. Two lanes, each with its own workers and a bounded
//! queue: pages, and requests that hash a password. So a page never waits behind a password, and
//! when too many sign in at once they are told so at once. It is the one place that reads the
//! clock, catches panics and touches sockets; it knows no route, no user and no SQL.
//!
//! LIMIT: tiny_http 0.12 faces the public by itself here. It has no timeouts and no limits of its
//! own, and a declared body of terabytes ends the process; until the gate stands in front of it,
//! a reverse proxy has to.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tiny_http::StatusCode;

use crate::clock::Moment;
use crate::http::{BODY_BYTES_MAX, Method, Note, Request, Response};
use crate::log::{Kind, Log};
use crate::routes::{Lane, Site};

/// Requests that wait for a hasher, at most, for each of them: about half a second of work.
const WAITING_A_HASHER: usize = 32;

/// And at least so many in all, so that fifty people can sign in at the same moment on one core.
const WAITING_MIN: usize = 64;

/// How long requests in flight may take to end when serving ends.
const FAREWELL: Duration = Duration::from_secs(10);

/// How long a request may still come in then from a connection that was made before: tiny_http
/// does not say which of them it is reading.
const LAST_CALL: Duration = Duration::from_millis(200);

/// How long to wait before listening again after accepting has failed: doubled each time, up to
/// [`RECOVERY_MAX`].
const RECOVERY: Duration = Duration::from_millis(50);
const RECOVERY_MAX: Duration = Duration::from_secs(2);

/// How often dead sessions are looked for.
const SWEEP: Duration = Duration::from_secs(10 * 60);

/// How the site is served.
pub struct Setup {
    /// Where to listen.
    pub listen: Listen,
    /// Where browsers reach the site, if that is not where we listen: for the log.
    pub url: Option<String>,
    /// Workers of the page lane.
    pub workers: usize,
    /// Workers of the slow lane.
    pub hashers: usize,
}

/// Where to listen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Listen {
    /// An address of this machine.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A request on its way through the slow lane.
struct Job {
    incoming: tiny_http::Request,
    request: Request,
}

/// What the supervisor waits for.
enum Event {
    /// Somebody asked us to stop.
    Stop,
    /// Accepting connections failed, and tiny_http never tries again.
    Deaf(io::Error),
}

/// Why a request is answered without the site.
enum Flaw {
    TooLarge,
    Malformed,
}

/// What all workers share.
struct Shell {
    site: Site,
    log: Arc<Log>,
    /// `None` tells a hasher that there will be no more.
    slow: SyncSender<Option<Job>>,
    requests: AtomicU64,
}

/// Serves the site until SIGTERM or SIGINT, then ends what is in flight and folds the database's
/// log into its file. An error is one line for the operator.
pub fn serve(door: &Door, setup: &Setup, site: Site, log: Arc<Log>) -> Result<(), String> {
    let (tell, events) = mpsc::channel();
    listen_to_signals(tell.clone()).map_err(|err| format!("cannot listen to signals: {err}"))?;
    note_panics(log.clone());

    let (slow, jobs) = mpsc::sync_channel(WAITING_MIN.max(WAITING_A_HASHER * setup.hashers));
    let shell = Arc::new(Shell { site, log, slow, requests: AtomicU64::new(0) });
    let jobs = Arc::new(Mutex::new(jobs));
    let hasher = || {
        let (shell, jobs) = (shell.clone(), jobs.clone());
        thread::spawn(move || shell.hash(&jobs))
    };
    let hashers: Vec<_> = (0..setup.hashers).map(|_| hasher()).collect();

    let address = door.to_string();
    let url = setup.url.clone().unwrap_or_else(|| format!("http://{address}"));
    shell.say("listening", &[("address", &address), ("url", &url)]);
    let served = shell.supervise(door, setup.workers, &tell, &events);
    for _ in &hashers {
        shell.slow.send(None).expect("the hashers stay until they are told to leave");
    }
    for hasher in hashers {
        hasher.join().expect("a hasher catches its panics");
    }
    shell.stop();
    served.map_err(|err| format!("cannot go on listening on {}: {err}", setup.listen))
}

impl Shell {
    /// Serves, and listens again whenever accepting has failed, until it is time to stop.
    fn supervise(
        self: &Arc<Self>,
        door: &Door,
        workers: usize,
        tell: &Sender<Event>,
        events: &Receiver<Event>,
    ) -> io::Result<()> {
        let mut pause = RECOVERY;
        loop {
            let started = Instant::now();
            let house = House::open(self, door, workers, tell)?;
            let event = self.sweep_until(events);
            if let Event::Stop = event {
                self.clone().watch_farewell();
            }
            house.close();
            match event {
                Event::Stop => return Ok(()),
                Event::Deaf(err) => self.say("accept_failed", &[("cause", &err.to_string())]),
            }
            pause = if started.elapsed() > RECOVERY_MAX {
                RECOVERY
            } else {
                RECOVERY_MAX.min(pause * 2)
            };
            thread::sleep(pause);
        }
    }

    /// Deletes dead sessions, a batch at a time, until something happens.
    fn sweep_until(&self, events: &Receiver<Event>) -> Event {
        loop {
            let swept = self.site.sweep(Moment::now());
            let pause = match &swept {
                Ok(count) if *count > 0 => Duration::ZERO,
                Ok(_) | Err(_) => SWEEP,
            };
            match swept {
                Ok(0) => {}
                Ok(count) => self.say("swept", &[("sessions", &count.to_string())]),
                // The dead do no harm; the next round has them.
                Err(err) => self.say("sweep_failed", &[("cause", &err.to_string())]),
            }
            match events.recv_timeout(pause) {
                Ok(event) => return event,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("we hold a sender ourselves"),
            }
        }
    }

    /// A worker of the page lane, until the house closes.
    fn answer_pages(&self, server: &tiny_http::Server, closing: &AtomicBool, tell: &Sender<Event>) {
        loop {
            match server.recv() {
                Ok(incoming) => self.receive(incoming),
                Err(_) if closing.load(Ordering::Acquire) => return,
                // Nobody listens any more if the program is ending.
                Err(err) => drop(tell.send(Event::Deaf(err))),
            }
        }
    }

    /// A worker of the slow lane.
    fn hash(&self, jobs: &Mutex<Receiver<Option<Job>>>) {
        loop {
            let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            match next {
                Ok(Some(Job { incoming, request })) => self.answer(incoming, &request),
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn receive(&self, mut incoming: tiny_http::Request) {
        let (request, flaw) = read(&mut incoming);
        match flaw {
            Some(Flaw::TooLarge) => self.send(incoming, &self.site.too_large(&request), None),
            Some(Flaw::Malformed) => self.send(incoming, &self.site.malformed(&request), None),
            None if self.site.lane(&request) == Lane::Page => self.answer(incoming, &request),
            None => self.queue(Job { incoming, request }),
        }
    }

    /// Hands a request to the slow lane, or answers that it is full.
    fn queue(&self, job: Job) {
        if let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) =
            self.slow.try_send(Some(job))
        {
            let Job { incoming, request } = job.expect("what comes back is what was sent");
            self.send(incoming, &self.site.busy(&request), None);
        }
    }

    fn answer(&self, incoming: tiny_http::Request, request: &Request) {
        let (now, began) = (Moment::now(), Instant::now());
        // The site holds nothing that a panic could leave half done: the store rolls back.
        let answered = panic::catch_unwind(AssertUnwindSafe(|| self.site.answer(request, now)));
        let answer = answered.unwrap_or_else(|_| self.site.failed(request));
        self.send(incoming, &answer, Some(began));
    }

    fn send(&self, incoming: tiny_http::Request, answer: &Response, began: Option<Instant>) {
        let now = Moment::now();
        self.note(&incoming, answer, began, now);
        let bytes = write(answer, incoming.method() == &tiny_http::Method::Head, now);
        let mut writer = incoming.into_writer();
        // In one write: in two, the second would wait 40 ms for the client to acknowledge the
        // first. Whoever has hung up is not answered.
        drop(writer.write_all(&bytes).and_then(|()| writer.flush()));
    }

    /// One line for a request: what happened, and how it came and went. Never a field, a cookie or
    /// what stands behind the question mark.
    fn note(
        &self,
        incoming: &tiny_http::Request,
        answer: &Response,
        began: Option<Instant>,
        now: Moment,
    ) {
        let path = incoming.url().split('?').next().unwrap_or("");
        let status = answer.status.to_string();
        let micros = began.map_or(0, |it| it.elapsed().as_micros()).to_string();
        let ip = incoming.remote_addr().map_or("-".to_owned(), |it| it.ip().to_string());
        let number = self.requests.fetch_add(1, Ordering::Relaxed).to_string();
        let Note { event, fields } = &answer.note;
        let mut line: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        line.extend([
            ("method", incoming.method().as_str()),
            ("path", path),
            ("status", &status),
            ("us", &micros),
            ("ip", &ip),
            ("rid", &number),
        ]);
        let kind = if *event == "request" { Kind::Request } else { Kind::Security };
        self.log.write(kind, event, &line, now);
    }

    fn say(&self, event: &str, fields: &[(&str, &str)]) {
        self.log.write(Kind::Program, event, fields, Moment::now());
    }

    /// Ends the program when requests in flight take too long to end: a client that sends half a
    /// body would otherwise keep it up for ever.
    fn watch_farewell(self: Arc<Self>) {
        thread::spawn(move || {
            thread::sleep(FAREWELL);
            self.say("farewell_cut", &[]);
            self.stop();
            std::process::exit(0);
        });
    }

    fn stop(&self) {
        if let Err(err) = self.site.close() {
            self.say("db_error", &[("cause", &err.to_string())]);
        }
        self.say("stop", &[]);
        self.log.flush(Duration::from_secs(1));
    }
}

/// A generation of tiny_http with its workers: it lasts until accepting fails or we stop.
struct House {
    shell: Arc<Shell>,
    server: Arc<tiny_http::Server>,
    closing: Arc<AtomicBool>,
    workers: Vec<thread::JoinHandle<()>>,
}

impl House {
    fn open(
        shell: &Arc<Shell>,
        door: &Door,
        workers: usize,
        tell: &Sender<Event>,
    ) -> io::Result<Self> {
        let server = tiny_http::Server::from_listener(door.listener()?, None);
        let server = Arc::new(server.map_err(io::Error::other)?);
        let closing = Arc::new(AtomicBool::new(false));
        let worker = || {
            let (shell, server) = (shell.clone(), server.clone());
            let (closing, tell) = (closing.clone(), tell.clone());
            thread::spawn(move || shell.answer_pages(&server, &closing, &tell))
        };
        let workers = (0..workers).map(|_| worker()).collect();
        Ok(Self { shell: shell.clone(), server, closing, workers })
    }

    /// Lets the workers answer what was read before this moment, takes what is being read, and
    /// closes.
    fn close(self) {
        self.closing.store(true, Ordering::Release);
        // tiny_http hands these out in their turn, behind the requests that wait already.
        for _ in &self.workers {
            self.server.unblock();
        }
        for worker in self.workers {
            worker.join().expect("a worker catches its panics");
        }
        let began = Instant::now();
        while let Some(patience) = LAST_CALL.checked_sub(began.elapsed()) {
            match self.server.recv_timeout(patience) {
                Ok(Some(incoming)) => self.shell.receive(incoming),
                Ok(None) | Err(_) => break,
            }
        }
    }
}

/// Where people come in.
pub struct Door(Socket);

enum Socket {
    Tcp(TcpListener),
    Unix(PathBuf),
}

impl Door {
    /// Begins to listen. An error is one line for the operator.
    pub fn open(listen: &Listen) -> Result<Self, String> {
        match Socket::open(listen) {
            Ok(socket) => Ok(Self(socket)),
            Err(err) => Err(format!("cannot listen on {listen}: {err}")),
        }
    }

    /// A listener for tiny_http to own: it closes this one, and for a Unix socket removes its path.
    fn listener(&self) -> io::Result<tiny_http::Listener> {
        Ok(match &self.0 {
            Socket::Tcp(listener) => listener.try_clone()?.into(),
            Socket::Unix(path) => UnixListener::bind(path)?.into(),
        })
    }
}

impl Socket {
    fn open(listen: &Listen) -> io::Result<Self> {
        match listen {
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address)?;
                // Linux gives the option to accepted sockets too, which tiny_http does not set.
                let socket = TcpStream::from(OwnedFd::from(listener.try_clone()?));
                socket.set_nodelay(true)?;
                Ok(Self::Tcp(listener))
            }
            Listen::Unix(path) => {
                remove_stale(path)?;
                Ok(Self::Unix(path.clone()))
            }
        }
    }
}

impl std::fmt::Display for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Socket::Tcp(listener) => match listener.local_addr() {
                Ok(address) => write!(f, "{address}"),
                Err(_) => f.write_str("unknown"),
            },
            Socket::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Removes a socket that a process left behind when it was killed. One that somebody answers on,
/// or anything that is no socket, is left alone: binding to it will fail.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket());
    match UnixStream::connect(path) {
        Err(err) if is_socket && err.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path)
        }
        _ => Ok(()),
    }
}

/// Turns tiny_http's request into a plain one, and says why it must not go to the site.
fn read(incoming: &mut tiny_http::Request) -> (Request, Option<Flaw>) {
    let target = incoming.url();
    let header = |it: &tiny_http::Header| (it.field.to_string(), it.value.to_string());
    let mut request = Request {
        method: Method::parse(incoming.method().as_str()),
        path: target.split('?').next().unwrap_or("").to_owned(),
        headers: incoming.headers().iter().map(header).collect(),
        body: Vec::new(),
        peer: incoming.remote_addr().map(SocketAddr::ip),
    };
    let flaw = if !target.starts_with('/') || is_ambiguous(&request) {
        Some(Flaw::Malformed)
    } else {
        read_body(incoming, &mut request.body).err()
    };
    (request, flaw)
}

/// Whether two readers could understand the request in two ways (RFC 9112 § 3.2, § 6.3).
fn is_ambiguous(request: &Request) -> bool {
    let framed_twice =
        request.value("transfer-encoding").is_some() && request.value("content-length").is_some();
    framed_twice || request.repeats("content-length") || request.values("host").count() != 1
}

fn read_body(incoming: &mut tiny_http::Request, body: &mut Vec<u8>) -> Result<(), Flaw> {
    let declared = incoming.body_length();
    if declared.is_some_and(|length| length > BODY_BYTES_MAX) {
        return Err(Flaw::TooLarge);
    }
    let limit = u64::try_from(BODY_BYTES_MAX).expect("it is a small number") + 1;
    let read = incoming.as_reader().take(limit).read_to_end(body);
    match read {
        Ok(length) if length > BODY_BYTES_MAX => Err(Flaw::TooLarge),
        // tiny_http takes a connection that broke off for the end of the body.
        Ok(length) if declared.is_none_or(|it| it == length) => Ok(()),
        Ok(_) | Err(_) => Err(Flaw::Malformed),
    }
}

/// The answer as it goes over the wire.
fn write(answer: &Response, is_head: bool, now: Moment) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1_024 + answer.body.len());
    let reason = StatusCode(answer.status).default_reason_phrase();
    let date = httpdate::fmt_http_date(now.into());
    let length = answer.body.len();
    // Every answer ends its connection: tiny_http leaves a connection unread while others that
    // are kept alive hold its threads.
    let head = format!(
        "HTTP/1.1 {} {reason}\r\nDate: {date}\r\nContent-Length: {length}\r\nConnection: close\r\n",
        answer.status
    );
    bytes.extend_from_slice(head.as_bytes());
    for (name, value) in &answer.headers {
        for part in [name.as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes.extend_from_slice(b"\r\n");
    if !is_head {
        bytes.extend_from_slice(&answer.body);
    }
    bytes
}

/// The first SIGTERM or SIGINT asks to stop, the second ends the program at once.
fn listen_to_signals(tell: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    thread::spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            drop(tell.send(Event::Stop));
        }
        if let Some(signal) = signals.next() {
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}

/// A panic is a bug of ours: the log says where. Not what: the message may quote what was being
/// read at that moment, and that may be a password.
fn note_panics(log: Arc<Log>) {
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map_or("unknown".to_owned(), ToString::to_string);
        log.write(Kind::Security, "panicked", &[("at", &place)], Moment::now());
    }));
}
