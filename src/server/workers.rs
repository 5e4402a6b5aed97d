//! tiny_http and its workers: they answer requests behind the gate.
//!
//! Three lanes, each with a tiny_http and workers of its own: pages, requests that write, and requests that
//! hash a password. So a page never waits behind a write or a password. A request reads the clock here, once,
//! and its panic ends here; no route, no user and no SQL is known.
//!
//! tiny_http listens on private Unix sockets, which only the gate uses.

use std::fs::{self, DirBuilder};
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

use crate::base::clock::Moment;
use crate::base::token;
use crate::server::gate::{self, GateLimits, WorkerSockets};
use crate::server::log::LineKind;
use crate::server::{Shared, SupervisorEvent, spawn};
use crate::store::Patience;
use crate::web::Lane;
use crate::web::http::{BODY_BYTES_MAX, Method, Note, Problem, Request, Response};

/// Bytes of a Unix socket's path, at most, by the size of `sun_path`.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// What it takes to call up workers.
pub(super) struct Workers {
    pub(super) shared: Arc<Shared>,
    pub(super) private: Private,
    pub(super) limits: GateLimits,
    pub(super) tell: Sender<SupervisorEvent>,
}

impl Workers {
    pub(super) fn start(&self, number: u64) -> io::Result<Generation> {
        let path = |name: &str| self.private.folder.join(format!("{name}{number}"));
        let [pages, writes, slow] = ["p", "w", "s"].map(path);
        let workers = WorkerSockets { generation: number, pages, writes, slow };
        let mut generation = Generation { workers: workers.clone(), pools: Vec::new() };
        for (path, count, lane) in [
            (&workers.pages, self.limits.workers, Lane::Page),
            (&workers.writes, gate::WRITERS, Lane::Write),
            (&workers.slow, self.limits.hashers, Lane::Slow),
        ] {
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
        // An earlier try may have come this far.
        let _ = fs::remove_file(path);
        let listener = UnixListener::bind(path)?;
        Pool::open(&self.shared, listener.into(), (count, lane), number, &self.tell)
    }
}

/// The workers of all lanes. They last until a tiny_http of theirs stops accepting, or we stop.
pub(super) struct Generation {
    pub(super) workers: WorkerSockets,
    pools: Vec<Pool>,
}

impl Generation {
    pub(super) fn shut_down(self) {
        self.pools.into_iter().for_each(Pool::close);
    }
}

/// A tiny_http, and the workers that answer there.
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
        // It panics where no thread is to be had.
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

    /// Lets the workers go once they have answered what waits for them.
    pub(super) fn close(self) {
        self.closing.store(true, Ordering::Release);
        // tiny_http hands these out in their turn, behind the requests that wait already.
        for _ in &self.workers {
            self.server.unblock();
        }
        for worker in self.workers {
            worker.join().expect("a worker catches its panics");
        }
    }
}

impl Shared {
    /// What a worker does until its pool closes.
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
                // Nobody listens any more if the program is ending.
                Err(err) => drop(tell.send(SupervisorEvent::Deaf(generation, err))),
            }
        }
    }

    fn answer(&self, mut incoming: tiny_http::Request, lane: Lane) {
        let (now, began) = (Moment::now(), Instant::now());
        let Asked { request, is_whole, deadline } = read(&mut incoming);
        let patience = match (lane, deadline) {
            // Whatever it would write is not worth that a page waits for it.
            (Lane::Page, _) => Patience::None,
            (Lane::Write | Lane::Slow, Some(deadline)) => Patience::Until(deadline),
            (Lane::Write | Lane::Slow, None) => Patience::Usual,
        };
        let method = incoming.method().as_str();
        let finish = |answer: &Response| self.finish(method, &request, answer, (began, now));
        let bytes = survive(
            || {
                finish(&if !is_whole {
                    self.site.refuse(Problem::Malformed, Some(&request))
                } else if deadline.is_some_and(|it| it <= began) {
                    // It has waited so long that nothing of it is begun.
                    self.site.refuse(Problem::Busy, Some(&request))
                } else {
                    patience.during(|| self.site.answer(&request, now))
                })
            },
            || finish(&self.site.refuse(Problem::Failed, Some(&request))),
            || Response::after_panic().write(request.method == Method::Head, now),
        );
        let mut writer = incoming.into_writer();
        // The gate may have given up on it.
        drop(writer.write_all(&bytes).and_then(|()| writer.flush()));
    }

    /// Writes the line for an answer, and the answer as it goes over the wire.
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
        bytes
    }

    /// Says once that X-Forwarded-For of a peer is ignored: where it is a reverse proxy that was not named,
    /// all its clients count as one. Once, as any stranger can send the field.
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
        self.log.write(LineKind::Program, "forwarded_for_ignored", &facts, now);
    }

    /// One line for a request: what happened, and how it came and went. Never a field, a cookie or
    /// what stands behind the question mark.
    fn note(&self, method: &str, request: &Request, answer: &Response, began: Instant) {
        let Note { event, fields } = &answer.note;
        if !event.is_logged() {
            return;
        }
        let status = answer.status.to_string();
        let micros = began.elapsed().as_micros().to_string();
        let client = self.site.client(request);
        let address = client.map(|it| it.to_string());
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let number = format!("{}-{number}", self.run);
        let mut line: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        line.extend([
            ("method", method),
            ("path", &request.path),
            ("status", &status),
            ("us", &micros),
            ("ip", address.as_deref().unwrap_or("-")),
            ("rid", &number),
        ]);
        let now = Moment::now();
        self.log.write(LineKind::Request, event.name(), &line, now);
        self.audit.keep(&answer.note, client, &number, now);
    }
}

/// What the first of these comes to, or if it panics the next: a panic ends one request, and neither a worker
/// nor the program. The site holds nothing that it could leave half done, as the store rolls back.
fn survive<T>(
    answer: impl FnOnce() -> T,
    refuse: impl FnOnce() -> T,
    last: impl FnOnce() -> T,
) -> T {
    let answered = panic::catch_unwind(AssertUnwindSafe(answer));
    let answered = answered.or_else(|_| panic::catch_unwind(AssertUnwindSafe(refuse)));
    answered.unwrap_or_else(|_| last())
}

/// A request as a worker reads it.
struct Asked {
    request: Request,
    is_whole: bool,
    /// Until when it has to be answered.
    deadline: Option<Instant>,
}

/// Turns tiny_http's request into a plain one.
fn read(incoming: &mut tiny_http::Request) -> Asked {
    let header = |it: &tiny_http::Header| (it.field.to_string(), it.value.to_string());
    let mut headers: Vec<_> = incoming.headers().iter().map(header).collect();
    // The gate alone can have written these, and it writes them last.
    let mut said = |field: &str| headers.pop_if(|(name, _)| name.eq_ignore_ascii_case(field));
    let deadline = said(gate::head::DEADLINE_FIELD);
    let peer = said(gate::head::PEER_FIELD);
    let mut body = Vec::new();
    let limit = u64::try_from(BODY_BYTES_MAX).expect("it is a small number");
    let read = incoming.as_reader().take(limit).read_to_end(&mut body);
    // tiny_http takes a connection that broke off for the end of the body.
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

/// A folder that only we may enter, for the private sockets. It goes when serving ends.
pub(super) struct Private {
    folder: PathBuf,
}

impl Private {
    const PREFIX: &str = ".vestibule-";

    /// Makes it in the first of the folders that will do.
    pub(super) fn make(folders: &[PathBuf]) -> Result<Self, String> {
        let mut causes = Vec::new();
        for parent in folders {
            remove_stale(parent);
            let folder = parent.join(format!("{}{}", Self::PREFIX, token::random_text(8)));
            // A name like s18446744073709551615 has to fit behind it.
            let is_short = folder.as_os_str().len() + 22 <= SOCKET_PATH_BYTES_MAX;
            let made = if is_short {
                DirBuilder::new().mode(0o700).create(&folder)
            } else {
                Err(io::Error::other("its path is too long for a socket"))
            };
            match made {
                Ok(()) => return Ok(Self { folder }),
                Err(err) => causes.push(format!("{}: {err}", parent.display())),
            }
        }
        Err(format!("no folder for private sockets; {}", causes.join("; ")))
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // What is left behind is removed at the next start.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes the private folders that killed processes left: those in which there are sockets and
/// nobody answers on any of them.
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
        if is_private && !sockets.is_empty() && sockets.iter().all(is_dead) {
            let _ = fs::remove_dir_all(entry.path());
        }
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
