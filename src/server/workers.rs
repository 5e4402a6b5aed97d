//! tiny_http and its workers: they answer requests behind the gate.
//!
//! There are three lanes, each with workers of its own: requests that read, requests that write, and requests that
//! hash a password. So a page never waits behind a write or a hash. The workers of a lane share a tiny_http, but for
//! those that read, each of which has its own: the gate chooses which of them gets a request. The clock is
//! read here, once for each request, and a panic ends here. No route, no user and no SQL is known.
//!
//! tiny_http listens on private Unix sockets, to which only the gate connects.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::fs::{FlockOperation, flock};

#[cfg(feature = "mail")]
use crate::auth::events::Event;
use crate::base::clock::Moment;
use crate::base::token;
use crate::server::gate::{self, GateLimits, WorkerSockets};
use crate::server::log::LineKind;
use crate::server::program_events::ProgramEvent;
use crate::server::{Shared, SupervisorEvent, spawn};
use crate::store::Patience;
use crate::web::Lane;
use crate::web::http::{BODY_BYTES_MAX, Method, Note, Problem, Request, Response};

/// The longest path of a Unix socket, by the size of `sun_path`.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// What is needed to start workers.
pub(super) struct Workers {
    pub(super) shared: Arc<Shared>,
    pub(super) private: Private,
    pub(super) limits: GateLimits,
    pub(super) tell: Sender<SupervisorEvent>,
}

impl Workers {
    pub(super) fn start(&self, number: u64) -> io::Result<Generation> {
        let path = |name: String| self.private.folder.join(name);
        let reads =
            (0..self.limits.reading_pools()).map(|it| path(format!("r{number}-{it}"))).collect();
        let [writes, hashes] = ["w", "h"].map(|it| vec![path(format!("{it}{number}"))]);
        let workers = WorkerSockets { generation: number, reads, writes, hashes };
        let mut generation = Generation { workers: workers.clone(), pools: Vec::new() };
        let read = workers.reads.iter().map(|path| (path, 1, Lane::Read));
        let write = workers.writes.iter().map(|path| (path, gate::WRITERS, Lane::Write));
        let hash = workers.hashes.iter().map(|path| (path, self.limits.hashers, Lane::Hash));
        for (path, count, lane) in read.chain(write).chain(hash) {
            match self.open(path, count, lane, number) {
                Ok(pool) => generation.pools.push(pool),
                Err(err) => {
                    generation.shut_down();
                    return Err(err);
                }
            }
        }
        Ok(generation)
    }

    pub(super) fn open(
        &self,
        path: &Path,
        count: usize,
        lane: Lane,
        number: u64,
    ) -> io::Result<Pool> {
        // A failed start may have left it.
        let _ = fs::remove_file(path);
        let listener = UnixListener::bind(path)?;
        Pool::open(&self.shared, listener.into(), (count, lane), number, &self.tell)
    }
}

/// The workers of all lanes. They run until one of their tiny_http stops accepting, or until shutdown.
pub(super) struct Generation {
    pub(super) workers: WorkerSockets,
    pools: Vec<Pool>,
}

impl Generation {
    pub(super) fn shut_down(self) {
        self.pools.into_iter().for_each(Pool::close);
    }
}

/// A tiny_http, and the workers that answer its requests.
pub(super) struct Pool {
    server: Arc<tiny_http::Server>,
    closing: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
}

impl Pool {
    pub(super) fn open(
        shared: &Arc<Shared>,
        listener: tiny_http::Listener,
        (count, lane): (usize, Lane),
        number: u64,
        tell: &Sender<SupervisorEvent>,
    ) -> io::Result<Self> {
        // It panics if it cannot start a thread.
        let server = panic::catch_unwind(AssertUnwindSafe(|| {
            tiny_http::Server::from_listener(listener, None)
        }));
        let server = server.map_err(|_| io::Error::other("no thread is left"))?;
        let server = Arc::new(server.map_err(io::Error::other)?);
        let closing = Arc::new(AtomicBool::new(false));
        let mut pool = Self { server, closing, workers: Vec::with_capacity(count) };
        for _ in 0..count {
            let (shared, server) = (shared.clone(), pool.server.clone());
            let (closing, tell) = (pool.closing.clone(), tell.clone());
            let work = move || shared.answer_all(&server, lane, &closing, number, &tell);
            match spawn("worker", work) {
                Ok(worker) => pool.workers.push(worker),
                Err(err) => {
                    pool.close();
                    return Err(err);
                }
            }
        }
        Ok(pool)
    }

    /// Ends the workers once they have answered the waiting requests.
    pub(super) fn close(self) {
        self.closing.store(true, Ordering::Release);
        // tiny_http delivers these in turn, behind the requests that already wait.
        for _ in &self.workers {
            self.server.unblock();
        }
        for worker in self.workers {
            worker.join().expect("a worker catches its panics");
        }
    }
}

impl Shared {
    /// The loop of a worker, until its pool closes.
    fn answer_all(
        &self,
        server: &tiny_http::Server,
        lane: Lane,
        closing: &AtomicBool,
        generation: u64,
        tell: &Sender<SupervisorEvent>,
    ) {
        loop {
            match server.recv() {
                Ok(incoming) => self.answer(incoming, lane),
                Err(_) if closing.load(Ordering::Acquire) => return,
                // At shutdown the supervisor may be gone.
                Err(err) => drop(tell.send(SupervisorEvent::Deaf(generation, err))),
            }
        }
    }

    fn answer(&self, mut incoming: tiny_http::Request, lane: Lane) {
        let (now, began) = (Moment::now(), Instant::now());
        let Asked { request, is_whole, deadline } = read(&mut incoming);
        let patience = match (lane, deadline) {
            // A page must not wait for a write, whatever it is.
            (Lane::Read, _) => Patience::None,
            (Lane::Write | Lane::Hash, Some(deadline)) => Patience::Until(deadline),
            (Lane::Write | Lane::Hash, None) => Patience::Usual,
        };
        let method = incoming.method().as_str();
        let finish = |answer: &Response| {
            if let Some(metrics) = &self.metrics {
                metrics.count_response(answer, lane);
            }
            self.finish(method, &request, answer, (began, now))
        };
        let bytes = survive(
            || {
                finish(&if !is_whole {
                    self.site.refuse(Problem::Malformed, Some(&request), now)
                } else if deadline.is_some_and(|it| it <= began) {
                    // Its time limit is over, so no work on it is started.
                    self.site.refuse(Problem::Busy, Some(&request), now)
                } else {
                    patience.during(|| self.site.answer(&request, now))
                })
            },
            || finish(&self.site.refuse(Problem::Failed, Some(&request), now)),
            || Response::after_panic().write(request.method == Method::Head, now),
        );
        let mut writer = incoming.into_writer();
        // The gate may have given up the request.
        drop(writer.write_all(&bytes).and_then(|()| writer.flush()));
    }

    /// Logs a response, and returns its bytes.
    fn finish(
        &self,
        method: &str,
        request: &Request,
        answer: &Response,
        (began, now): (Instant, Moment),
    ) -> Vec<u8> {
        let bytes = answer.write(request.method == Method::Head, now);
        self.notice_forwarded(request, now);
        self.note(method, request, answer, began);
        #[cfg(feature = "mail")]
        if queues_mail(&answer.note) {
            self.bell.ring();
        }
        bytes
    }

    /// Logs once that the X-Forwarded-For of an untrusted peer is ignored: if the peer is a reverse proxy
    /// that the operator did not name, all its clients count as one. Once, since any client can send the
    /// field.
    fn notice_forwarded(&self, request: &Request, now: Moment) {
        if self.ignored_forwarded.load(Ordering::Relaxed) || !self.site.ignores_forwarded(request) {
            return;
        }
        if self.ignored_forwarded.swap(true, Ordering::Relaxed) {
            return;
        }
        let peer = request.peer.map_or("unix".to_owned(), |it| it.to_string());
        let hint = "if it is your reverse proxy, name it with --trusted-proxy";
        let facts = [("peer", &*peer), ("hint", hint)];
        self.log.write(LineKind::Program, ProgramEvent::ForwardedForIgnored, &facts, now);
    }

    /// Logs one line for a request: its event, and the facts of request and response. Never a form field, a
    /// cookie or the query.
    fn note(&self, method: &str, request: &Request, answer: &Response, began: Instant) {
        let Note { event, level, fields } = &answer.note;
        if !event.is_logged() {
            return;
        }
        let (now, client) = (Moment::now(), self.site.client(request));
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let number = format_args!("{}-{number}", self.run);
        self.audit.keep(&answer.note, client, &number, now);
        let mut facts: Vec<_> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
        // Most pages under load are not logged, so what the line needs is only put together for one that is.
        if !self.log.has(*level) || !self.log.admits(event.name(), &facts, now) {
            return;
        }
        let status = answer.status.to_string();
        let micros = began.elapsed().as_micros().to_string();
        let address = client.map_or("-".to_owned(), |it| it.to_string());
        let number = number.to_string();
        facts.extend([
            ("method", method),
            ("path", &request.path),
            ("status", &status),
            ("us", &micros),
            ("ip", &address),
            ("rid", &number),
        ]);
        self.log.write(LineKind::Admitted, *event, &facts, now);
    }
}

/// The result of the first function that does not panic: a panic ends one request, and neither a worker nor
/// the program. It leaves no state half done, as the store rolls back.
fn survive<T>(
    answer: impl FnOnce() -> T,
    refuse: impl FnOnce() -> T,
    last: impl FnOnce() -> T,
) -> T {
    let answered = panic::catch_unwind(AssertUnwindSafe(answer));
    let answered = answered.or_else(|_| panic::catch_unwind(AssertUnwindSafe(refuse)));
    answered.unwrap_or_else(|_| last())
}

/// A request as a worker receives it.
struct Asked {
    request: Request,
    is_whole: bool,
    /// Until when it has to be answered.
    deadline: Option<Instant>,
}

/// Converts a request of tiny_http.
fn read(incoming: &mut tiny_http::Request) -> Asked {
    let header = |it: &tiny_http::Header| {
        (it.field.as_str().as_str().to_owned(), it.value.as_str().to_owned())
    };
    let mut headers: Vec<_> = incoming.headers().iter().map(header).collect();
    // Only the gate can have written these, and it writes them last.
    let mut said = |field: &str| headers.pop_if(|(name, _)| name.eq_ignore_ascii_case(field));
    let deadline = said(gate::head::DEADLINE_FIELD);
    let peer = said(gate::head::PEER_FIELD);
    let mut body = Vec::new();
    let limit = u64::try_from(BODY_BYTES_MAX).expect("it is a small number");
    let read = incoming.as_reader().take(limit).read_to_end(&mut body);
    // tiny_http reports a broken connection as the end of the body.
    let is_whole = read.is_ok_and(|length| length == incoming.body_length().unwrap_or(0));
    let (path, query) = incoming.url().split_once('?').unwrap_or((incoming.url(), ""));
    let request = Request {
        method: Method::parse(incoming.method().as_str()),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body,
        peer: peer.and_then(|(_, address)| address.parse().ok()),
    };
    let deadline = deadline.and_then(|(_, text)| gate::deadline::read(&text));
    Asked { request, is_whole, deadline }
}

/// The folder for the private sockets, which only this user may enter. It is removed at shutdown.
pub(super) struct Private {
    folder: PathBuf,
    /// Shows other processes for as long as this one runs that the folder is in use.
    _lock: File,
}

impl Private {
    const PREFIX: &str = ".vestibule-";

    /// Creates it in the first of the folders where that works.
    pub(super) fn make(folders: &[PathBuf]) -> Result<Self, String> {
        let mut causes = Vec::new();
        for parent in folders {
            remove_stale(parent);
            let folder = parent.join(format!("{}{}", Self::PREFIX, token::random_text(8)));
            // The longest name of a socket, r18446744073709551615-9999, has to fit behind it.
            let is_short = folder.as_os_str().len() + 27 <= SOCKET_PATH_BYTES_MAX;
            let made = if is_short {
                DirBuilder::new().mode(0o700).create(&folder).and_then(|()| locked(&folder))
            } else {
                Err(io::Error::other("its path is too long for a socket"))
            };
            match made {
                Ok(lock) => return Ok(Self { folder, _lock: lock }),
                Err(err) => causes.push(format!("{}: {err}", parent.display())),
            }
        }
        Err(format!("no folder for private sockets; {}", causes.join("; ")))
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // If it cannot be removed, the next start does it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The folder, locked until it is closed; an error if another process has locked it.
fn locked(folder: &Path) -> io::Result<File> {
    let opened = File::open(folder)?;
    flock(&opened, FlockOperation::NonBlockingLockExclusive)?;
    Ok(opened)
}

/// Removes the private folders of killed processes: those with sockets on none of which a process listens, and which no
/// process has locked. A socket that is bound and does not listen yet refuses connections as one that was left.
fn remove_stale(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let is_private =
            entry.file_name().to_str().is_some_and(|it| it.starts_with(Private::PREFIX));
        let Ok(sockets) = fs::read_dir(entry.path()) else { continue };
        let sockets: Vec<_> = sockets.flatten().map(|it| it.path()).collect();
        let is_dead = |it: &PathBuf| {
            let answer = std::os::unix::net::UnixStream::connect(it);
            answer.is_err_and(|err| err.kind() == io::ErrorKind::ConnectionRefused)
        };
        if is_private
            && !sockets.is_empty()
            && sockets.iter().all(is_dead)
            && let Ok(_lock) = locked(&entry.path())
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether a mail may have been queued with this.
#[cfg(feature = "mail")]
fn queues_mail(note: &Note) -> bool {
    let is_unverified = || note.reason() == Some("unverified");
    match note.event {
        // The password was right, and another link is needed.
        Event::LoginFail => is_unverified(),
        Event::SignupOk
        | Event::ResetAsked
        | Event::EmailAsked
        | Event::EmailVerify
        | Event::EmailRemove
        | Event::PasswordChange
        | Event::PasswordReset
        | Event::TokenMake
        | Event::AccountDelete => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h19_ends_one_request_with_a_panic_and_nothing_else() {
        let bug = || -> u8 { panic!("a bug") };
        for _ in 0..20 {
            assert_eq!(survive(|| 1, bug, bug), 1);
            assert_eq!(survive(bug, || 2, bug), 2);
            assert_eq!(survive(bug, bug, || 3), 3, "what was to be said of it fails as well");
        }
    }
}
