//! tiny_http and its workers: the shell around the site, behind the gate.
//!
//! Decides who answers what and when to stop. Three lanes, each with a tiny_http and workers of its
//! own: pages, requests that write, and requests that hash a password. So a page never waits behind a write or
//! a password. A request
//! reads the clock here, once, and its panic ends here; no route, no user and no SQL is known.
//!
//! tiny_http listens on private Unix sockets, which only the gate uses. When one of them stops
//! accepting, as it does for ever after its first error, a new generation of both takes over while
//! the public connections stay as they are.

use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::auth::events::Event;
use crate::base::clock::{Moment, Watch};
use crate::base::token;
use crate::server::audit::Audit;
use crate::server::gate::{
    self, Gate, GateEvent, GateHandle, GateLimits, Listeners, WorkerSockets,
};
use crate::server::log::{self, Kind, Log};
use crate::store::{self, Patience, Record, Tended};
use crate::web::http::{BODY_BYTES_MAX, Method, Note, Problem, Request, Response};
use crate::web::{Lane, Site};

/// When serving that was to end is ended, whatever is left of it.
const FAREWELL: Duration = Duration::from_secs(10);

/// How long to wait before the workers are replaced once more: doubled each time, up to
/// [`RECOVERY_MAX`].
const RECOVERY: Duration = Duration::from_millis(50);
const RECOVERY_MAX: Duration = Duration::from_secs(2);

/// How often what is dead or forgotten is looked for.
const SWEEP: Duration = Duration::from_secs(10 * 60);

/// How long it is waited for a session to be used before it is seen whether serving goes on; and how long
/// nothing is tried when it cannot be written down.
const USES_WAIT: Duration = Duration::from_secs(1);
const USES_PAUSE: Duration = Duration::from_millis(250);

/// How often the way to the database is looked after.
const TEND: Duration = Duration::from_secs(5);

/// Threads beside those of the lanes: the log's, the audit trail's, the one for signals, the gate, the
/// housekeeper, the one for uses and the farewell; and some in reserve.
pub(crate) const OWN_THREADS: usize = 10;

/// Descriptors for everything but connections, workers and the database.
const DESCRIPTORS_SPARE: usize = 16;

/// Connections without which serving makes no sense.
const CONNECTIONS_MIN: usize = 4;

/// Bytes of a Unix socket's path, at most, by the size of `sun_path`.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// How the site is served.
pub struct Setup {
    /// What the gate lets through.
    pub limits: GateLimits,
    /// Where browsers reach the site, if that is not where we listen: for the log.
    pub url: Option<String>,
    /// Folders for the private sockets; the first that will do is taken.
    pub private_folders: Vec<PathBuf>,
}

/// What the supervisor waits for.
enum SupervisorEvent {
    /// Somebody asked us to stop.
    Stop,
    /// Workers of this generation heard that no connection will ever be accepted again.
    Deaf(u64, io::Error),
    /// A thread of tiny_http's panicked, and perhaps it was the one that accepts.
    Panicked,
    Gate(GateEvent),
    GateEnded(io::Result<()>),
}

/// What all workers share.
struct House {
    site: Arc<Site>,
    log: Arc<Log>,
    audit: Audit,
    requests: AtomicU64,
    /// Tells the requests of this run from those of others.
    run: String,
    /// That a peer which is not trusted sends X-Forwarded-For was said.
    ignored_forwarded: AtomicBool,
    /// Nothing is to be written any more.
    is_left: AtomicBool,
}

impl House {
    fn new(site: Arc<Site>, log: Arc<Log>) -> Self {
        let audit = Audit::of(site.clone(), log.clone());
        Self {
            site,
            log,
            audit,
            requests: AtomicU64::new(0),
            run: token::random_text(4),
            ignored_forwarded: AtomicBool::new(false),
            is_left: AtomicBool::new(false),
        }
    }
}

/// Serves the site until SIGTERM, SIGINT or SIGHUP, then ends what is in flight and folds the database's
/// log into its file. An error is one line for the operator.
pub fn serve(listeners: Listeners, setup: Setup, site: Site, log: Arc<Log>) -> Result<(), String> {
    let limits = fit_descriptors(setup.limits, &log)?;
    let private = Private::make(&setup.private_folders)?;
    let (tell, events) = mpsc::channel();
    listen_to_signals(tell.clone()).map_err(|err| format!("cannot listen to signals: {err}"))?;
    note_panics(log.clone(), tell.clone());

    let site = Arc::new(site);
    let house = Arc::new(House::new(site.clone(), log));
    let crew = Crew { house: house.clone(), private, limits: limits.clone(), tell: tell.clone() };
    let first = crew.muster(1).map_err(|err| format!("cannot start the workers: {err}"))?;
    for address in listeners.addresses() {
        let url = match &setup.url {
            Some(url) => url.clone(),
            None if address.starts_with("unix:") => "-".to_owned(),
            None => format!("http://{address}"),
        };
        house.say("listening", &[("address", &address), ("url", &url)]);
    }
    let notify = tell.clone();
    let notify = move |it| drop(notify.send(SupervisorEvent::Gate(it)));
    let (gate, gate_handle) = Gate::new(listeners, limits, site, house.log.clone(), notify)
        .map_err(|err| format!("cannot open the gate: {err}"))?;
    gate_handle.follow(first.workers.clone());
    // Before the first request is answered, so that from then on the number of threads is constant.
    let (_stay, leave) = mpsc::channel::<()>();
    let keeper = house.clone();
    let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
        spawn(name, work).map_err(|err| format!("cannot start a thread ({name}): {err}"))
    };
    spawn("housekeeper", Box::new(move || keep_house(&keeper, &leave)))?;
    let noter = house.clone();
    spawn("uses", Box::new(move || write_uses(&noter)))?;
    spawn(
        "gate",
        Box::new(move || {
            let ended = panic::catch_unwind(AssertUnwindSafe(|| gate.run()));
            let ended = ended.unwrap_or_else(|_| Err(io::Error::other("it panicked")));
            // Nobody listens any more if the program is ending.
            let _ = tell.send(SupervisorEvent::GateEnded(ended));
        }),
    )?;
    // Without a service manager there is nobody to tell.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    let served = Supervisor { crew, gate_handle, events, generations: vec![first] }.supervise();
    house.stop();
    served.map_err(|err| format!("cannot go on: the gate ended: {err}"))
}

/// tiny_http on a public socket with the same workers and no gate, until `stop` says something: for
/// benchmarks, and for the tests that show what the gate is for. It faces nobody else.
#[doc(hidden)]
pub fn serve_without_gate(
    listener: TcpListener,
    workers: usize,
    site: Site,
    log: Arc<Log>,
    stop: &Receiver<()>,
) -> io::Result<()> {
    // Linux gives the option to accepted sockets too.
    TcpStream::from(OwnedFd::from(listener.try_clone()?)).set_nodelay(true)?;
    let house = Arc::new(House::new(Arc::new(site), log));
    let (tell, _events) = mpsc::channel();
    let room = Room::open(&house, listener.into(), (workers, Lane::Slow), 1, &tell)?;
    // Nobody who could say something is left.
    let _ = stop.recv();
    room.close();
    Ok(())
}

/// Raises the limit of descriptors as far as it may be raised, and lets in no more connections
/// than leave enough of them for everything else.
fn fit_descriptors(mut limits: GateLimits, log: &Log) -> Result<GateLimits, String> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // What cannot be raised stays as it is.
    let _ = setrlimit(Resource::Nofile, limit);
    let available = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let available = usize::try_from(available).unwrap_or(usize::MAX);
    let needed = descriptors_beside(&limits);
    let room = available.saturating_sub(needed);
    if room < CONNECTIONS_MIN {
        return Err(format!(
            "the limit of {available} open files leaves no room for connections; \
             raise it to {} or more",
            needed + 256
        ));
    }
    if room < limits.connections {
        let (wanted, room) = (limits.connections.to_string(), room.to_string());
        let facts = [("wanted", &*wanted), ("connections", &*room)];
        log.write(Kind::Program, "few_descriptors", &facts, Moment::now());
    }
    limits.connections = limits.connections.min(room);
    Ok(limits)
}

/// Descriptors for everything but connections from outside.
pub(crate) fn descriptors_beside(limits: &GateLimits) -> usize {
    // The gate's end of a connection to the workers, and tiny_http's two. Two files for each thread
    // that reads the database and for the one connection that writes, and one they share.
    let away = 3 * limits.backends_max();
    let files = 2 * (limits.workers + gate::WRITERS + limits.hashers + 1) + 1;
    DESCRIPTORS_SPARE + away + files
}

/// Watches over the gate and the workers until serving ends.
struct Supervisor {
    crew: Crew,
    gate_handle: GateHandle,
    events: Receiver<SupervisorEvent>,
    /// The present one is the last; before it, those that are still being left.
    generations: Vec<Generation>,
}

impl Supervisor {
    fn supervise(mut self) -> io::Result<()> {
        let mut replace_at = None;
        let mut pause = RECOVERY;
        loop {
            let wait = replace_at
                .map_or(Duration::MAX, |it: Instant| it.saturating_duration_since(Instant::now()));
            match self.events.recv_timeout(wait) {
                Ok(SupervisorEvent::Stop) => self.begin_to_stop(),
                Ok(SupervisorEvent::Deaf(number, cause)) if number == self.present() => {
                    self.crew.house.say("workers_deaf", &[("cause", &cause.to_string())]);
                    replace_at.get_or_insert_with(|| Instant::now() + pause);
                }
                Ok(SupervisorEvent::Panicked) => {
                    replace_at.get_or_insert_with(|| Instant::now() + pause);
                }
                Ok(SupervisorEvent::Gate(GateEvent::Unreachable(number)))
                    if number == self.present() =>
                {
                    self.crew.house.say("workers_unreachable", &[]);
                    replace_at.get_or_insert_with(|| Instant::now() + pause);
                }
                Ok(SupervisorEvent::Gate(GateEvent::Left(number))) => self.dismiss_before(number),
                // Of a generation that was replaced meanwhile.
                Ok(
                    SupervisorEvent::Deaf(..) | SupervisorEvent::Gate(GateEvent::Unreachable(_)),
                ) => {}
                Ok(SupervisorEvent::GateEnded(ended)) => {
                    self.dismiss_before(u64::MAX);
                    return ended;
                }
                Err(RecvTimeoutError::Timeout) => {
                    let is_replaced = self.replace();
                    pause = if is_replaced { RECOVERY } else { RECOVERY_MAX.min(pause * 2) };
                    replace_at = (!is_replaced).then(|| Instant::now() + pause);
                }
                Err(RecvTimeoutError::Disconnected) => unreachable!("the crew holds a sender"),
            }
        }
    }

    fn present(&self) -> u64 {
        self.generations.last().map_or(0, |it| it.workers.generation)
    }

    fn begin_to_stop(&self) {
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        self.gate_handle.stop();
        let house = self.crew.house.clone();
        // Without it, it is the gate that ends in time, unless that is what hangs.
        let _ = spawn("farewell", move || {
            thread::sleep(FAREWELL);
            house.say("farewell_cut", &[]);
            house.stop();
            std::process::exit(0);
        });
    }

    /// Lets new workers take over. `false` if there are none to be had now.
    fn replace(&mut self) -> bool {
        match self.crew.muster(self.present() + 1) {
            Ok(generation) => {
                self.gate_handle.follow(generation.workers.clone());
                self.generations.push(generation);
                true
            }
            Err(err) => {
                self.crew.house.say("workers_missing", &[("cause", &err.to_string())]);
                false
            }
        }
    }

    fn dismiss_before(&mut self, number: u64) {
        for old in self.generations.extract_if(.., |it| it.workers.generation < number) {
            old.dismiss();
        }
    }
}

/// Looks after what nobody waits for, on a thread of its own, as the database may take its time; until the
/// other end of `leave` is gone.
fn keep_house(house: &House, leave: &Receiver<()>) {
    let mut sweep_at = Instant::now();
    let mut watch = Watch::new(Moment::now(), Instant::now());
    loop {
        let now = Moment::now();
        if let Some(step) = watch.step_back(now, Instant::now()) {
            tell_step_back(&house.site, &house.log, step, now);
        }
        if sweep_at <= Instant::now() {
            sweep_at = Instant::now() + sweep(house);
        }
        match house.site.tend() {
            Tended::Unchanged => {}
            Tended::Lost(cause) => house.say("db_lost", &[("cause", &cause)]),
            Tended::Recovered => house.say("db_recovered", &[]),
        }
        house.audit.settle(Moment::now());
        let wait = TEND.min(sweep_at.saturating_duration_since(Instant::now()));
        if leave.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// Says so if the clock shows less than it did when the last record of the audit trail was kept: by this
/// server before it was stopped, or by another. The next record tells the next start that it was said.
pub fn compare_clock(site: &Site, log: &Log, now: Moment) {
    // What keeps the trail from being read is said where it is written.
    if let Ok(Some(last)) = site.last_record()
        && !last.at.has_passed(now)
    {
        tell_step_back(site, log, now.until(last.at), now);
    }
}

/// For the operator, who wonders why sessions and links of the future are not good.
fn tell_step_back(site: &Site, log: &Log, step: Duration, now: Moment) {
    let seconds = step.as_secs().to_string();
    let facts = [("seconds", &*seconds)];
    log.write(Kind::Program, Event::ClockWentBack.name(), &facts, now);
    let record = Record::of_program(Event::ClockWentBack.name(), log::fields(&facts), now);
    if let Err(err) = site.keep(&[record]) {
        log.write(Kind::Program, "audit_failed", &[("cause", &err.to_string())], now);
    }
}

/// Writes down that sessions were used, on a thread of its own, until the house is left.
fn write_uses(house: &House) {
    while !house.is_left.load(Ordering::Acquire) {
        house.site.wait_for_uses(USES_WAIT);
        match house.site.write_uses() {
            Ok(_) => {}
            Err(store::Error::Unavailable(_) | store::Error::Unknown(_)) => {
                thread::sleep(USES_PAUSE);
            }
            Err(err) => {
                let facts = [("cause", &*err.to_string())];
                house.log.write(Kind::Request, "uses_failed", &facts, Moment::now());
                thread::sleep(USES_PAUSE);
            }
        }
    }
}

/// Deletes a batch of what is dead or forgotten, and says how long to wait before the next one.
fn sweep(house: &House) -> Duration {
    match house.site.sweep(Moment::now()) {
        Ok(0) => SWEEP,
        Ok(count) => {
            house.say("swept", &[("rows", &count.to_string())]);
            Duration::ZERO
        }
        Err(err) => {
            // The dead do no harm; the next round has them.
            house.say("sweep_failed", &[("cause", &err.to_string())]);
            SWEEP
        }
    }
}

/// What it takes to call up workers.
struct Crew {
    house: Arc<House>,
    private: Private,
    limits: GateLimits,
    tell: Sender<SupervisorEvent>,
}

impl Crew {
    fn muster(&self, number: u64) -> io::Result<Generation> {
        let path = |name: &str| self.private.folder.join(format!("{name}{number}"));
        let [pages, writes, slow] = ["p", "w", "s"].map(path);
        let workers = WorkerSockets { generation: number, pages, writes, slow };
        let mut generation = Generation { workers: workers.clone(), rooms: Vec::new() };
        for (path, count, lane) in [
            (&workers.pages, self.limits.workers, Lane::Page),
            (&workers.writes, gate::WRITERS, Lane::Write),
            (&workers.slow, self.limits.hashers, Lane::Slow),
        ] {
            match self.open(path, count, lane, number) {
                Ok(room) => generation.rooms.push(room),
                Err(err) => {
                    generation.dismiss();
                    return Err(err);
                }
            }
        }
        Ok(generation)
    }

    fn open(&self, path: &Path, count: usize, lane: Lane, number: u64) -> io::Result<Room> {
        // An earlier try may have come this far.
        let _ = fs::remove_file(path);
        let listener = UnixListener::bind(path)?;
        Room::open(&self.house, listener.into(), (count, lane), number, &self.tell)
    }
}

/// The workers of all lanes. They last until a tiny_http of theirs stops accepting, or we stop.
struct Generation {
    workers: WorkerSockets,
    rooms: Vec<Room>,
}

impl Generation {
    fn dismiss(self) {
        self.rooms.into_iter().for_each(Room::close);
    }
}

/// A tiny_http, and the workers that answer there.
struct Room {
    server: Arc<tiny_http::Server>,
    closing: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
}

impl Room {
    fn open(
        house: &Arc<House>,
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
        let mut room = Self { server, closing, workers: Vec::with_capacity(count) };
        for _ in 0..count {
            let (house, server) = (house.clone(), room.server.clone());
            let (closing, tell) = (room.closing.clone(), tell.clone());
            let work = move || house.answer_all(&server, lane, &closing, number, &tell);
            match spawn("worker", work) {
                Ok(worker) => room.workers.push(worker),
                Err(err) => {
                    room.close();
                    return Err(err);
                }
            }
        }
        Ok(room)
    }

    /// Lets the workers go once they have answered what waits for them.
    fn close(self) {
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

impl House {
    /// What a worker does until its room closes.
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
        self.log.write(Kind::Program, "forwarded_for_ignored", &facts, now);
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
        self.log.write(Kind::Request, event.name(), &line, now);
        self.audit.keep(&answer.note, client, &number, now);
    }

    fn say(&self, event: &str, fields: &[(&str, &str)]) {
        self.log.write(Kind::Program, event, fields, Moment::now());
    }

    fn stop(&self) {
        self.is_left.store(true, Ordering::Release);
        let left = Patience::Until(Instant::now() + USES_WAIT);
        // What is lost of this is noted at the next use.
        while left.during(|| self.site.write_uses()).is_ok_and(|count| count > 0) {}
        let lost = self.audit.flush(Duration::from_secs(3), Moment::now());
        if lost > 0 {
            self.say("audit_lost", &[("records", &lost.to_string())]);
        }
        if let Err(err) = self.site.close() {
            self.say("db_error", &[("cause", &err.to_string())]);
        }
        // What was only counted comes before the last line, which comes last.
        self.log.flush(Duration::from_secs(1), Moment::now());
        self.say("stop", &[]);
        self.log.flush(Duration::from_secs(1), Moment::now());
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
struct Private {
    folder: PathBuf,
}

impl Private {
    const PREFIX: &str = ".vestibule-";

    /// Makes it in the first of the folders that will do.
    fn make(folders: &[PathBuf]) -> Result<Self, String> {
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

/// A thread with a name, as debuggers and `top` show it.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(work)
}

/// Sees that all threads that serving takes can be had, those that tiny_http starts as it needs them
/// included: where one is missing later, nobody could be told. An error is one line for the operator.
pub fn prove_threads(limits: &GateLimits) -> Result<(), String> {
    let count = OWN_THREADS + limits.lane_threads();
    let door = Arc::new(Mutex::new(()));
    let shut = door.lock();
    let mut threads = Vec::with_capacity(count);
    let mut missing = Ok(());
    while missing.is_ok() && threads.len() < count {
        let door = door.clone();
        match spawn("proof", move || drop(door.lock())) {
            Ok(thread) => threads.push(thread),
            Err(err) => {
                missing = Err(format!(
                    "cannot start {count} threads: {err}; allow for more of them (TasksMax= of systemd, \
                     ulimit), or set fewer --workers and --hashers"
                ));
            }
        }
    }
    drop(shut);
    for thread in threads {
        thread.join().expect("it does nothing that could panic");
    }
    missing
}

/// The first SIGTERM, SIGINT or SIGHUP asks to stop; one more ends the program at once, but for SIGHUP: a
/// terminal that is closed may send it twice. Under nohup, which has it ignored, it stays ignored.
fn listen_to_signals(tell: Sender<SupervisorEvent>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    if !is_ignored(SIGHUP) {
        signals.add_signal(SIGHUP)?;
    }
    spawn("signals", move || {
        let mut is_stopping = false;
        for signal in signals.forever() {
            if !is_stopping {
                is_stopping = true;
                drop(tell.send(SupervisorEvent::Stop));
            } else if signal != SIGHUP {
                std::process::exit(128 + signal);
            }
        }
    })?;
    Ok(())
}

/// Whether whoever started the program has a signal ignored.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|it| u64::from_str_radix(it.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

/// A panic is a bug of ours: the log says where. Not what: the message may quote what was being
/// read at that moment, and that may be a password.
fn note_panics(log: Arc<Log>, tell: Sender<SupervisorEvent>) {
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map_or("unknown".to_owned(), ToString::to_string);
        log.write(Kind::Request, "panicked", &[("at", &place)], Moment::now());
        // Our threads have names, and catch their panics.
        if thread::current().name().is_none() {
            let _ = tell.send(SupervisorEvent::Panicked);
        }
    }));
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
