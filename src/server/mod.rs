//! Sockets, threads and the clock: what stands between the network and the site.
//!
//! Knows the site as a function from a request and a moment to a response. Users and SQL must not be known
//! here. This file starts, supervises and stops the service: `gate` owns the public sockets, `workers`
//! answer requests, and `housekeeping` does the background work.
//!
//! tiny_http stops accepting for good after its first error. A new generation of workers then takes over,
//! while the public connections stay open.

pub mod gate;
mod workers;
mod housekeeping;
pub mod audit;
pub mod log;
pub mod metrics;
pub mod program_events;
#[cfg(feature = "mail")]
pub mod mailer;

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::base::clock::Moment;
use crate::base::token;
use crate::server::audit::Audit;
use crate::server::gate::{Gate, GateEvent, GateHandle, GateLimits, Listeners};
use crate::server::log::{LineKind, Log};
use crate::server::metrics::{Metrics, MetricsListener};
use crate::server::program_events::ProgramEvent;
use crate::store::Patience;
use crate::web::{Lane, Site};

pub use housekeeping::compare_clock;
use housekeeping::{USES_WAIT, write_uses};
use workers::{Generation, Pool, Private, Workers};

/// The time limit for a shutdown, after which the process ends whatever is left.
const FAREWELL: Duration = Duration::from_secs(10);

/// How long to wait before the workers are replaced again: doubled each time, up to [`RECOVERY_MAX`].
const RECOVERY: Duration = Duration::from_millis(50);
const RECOVERY_MAX: Duration = Duration::from_secs(2);

/// Threads beside those of the lanes: log, audit log, signals, gate, housekeeping, uses, farewell, two for mail and
/// those for metrics; and some in reserve.
pub(crate) const OWN_THREADS: usize = 12 + metrics::THREADS;

/// Descriptors for everything but connections, workers and the database.
const DESCRIPTORS_SPARE: usize = 16 + 1 + metrics::THREADS;

/// With room for fewer connections than this, the server does not start.
const CONNECTIONS_MIN: usize = 4;

/// The configuration of the server.
pub struct ServerConfig {
    /// The limits of the gate.
    pub limits: GateLimits,
    /// The site's public URL, if it differs from the address listened on: for the log.
    pub url: Option<String>,
    /// Folders for the private sockets; the first that works is used.
    pub private_folders: Vec<PathBuf>,
    /// How mail is sent; `None`: none is.
    #[cfg(feature = "mail")]
    pub mail: Option<mailer::MailConfig>,
}

/// What the supervisor waits for.
enum SupervisorEvent {
    /// A signal asked the program to stop.
    Stop,
    /// tiny_http told workers of this generation that it stopped accepting connections.
    Deaf(u64, io::Error),
    /// A thread of tiny_http panicked; it may be the one that accepts.
    Panicked,
    Gate(GateEvent),
    GateEnded(io::Result<()>),
}

/// The state that workers and background threads share.
struct Shared {
    site: Arc<Site>,
    log: Arc<Log>,
    audit: Audit,
    /// `None`: nothing is counted.
    metrics: Option<Arc<Metrics>>,
    requests: AtomicU64,
    /// A random prefix of request ids, different in each run.
    run: String,
    /// Whether the warning about an ignored X-Forwarded-For was logged.
    ignored_forwarded: AtomicBool,
    /// Shutdown has begun: nothing new is written.
    is_left: AtomicBool,
    #[cfg(feature = "mail")]
    bell: mailer::MailBell,
}

impl Shared {
    fn new(site: Arc<Site>, log: Arc<Log>, metrics: Option<Metrics>) -> Self {
        let audit = Audit::of(site.clone(), log.clone());
        Self {
            site,
            log,
            audit,
            metrics: metrics.map(Arc::new),
            requests: AtomicU64::new(0),
            run: token::random_text(4),
            ignored_forwarded: AtomicBool::new(false),
            is_left: AtomicBool::new(false),
            #[cfg(feature = "mail")]
            bell: mailer::MailBell::default(),
        }
    }

    fn say(&self, event: ProgramEvent, fields: &[(&str, &str)]) {
        self.log.write(LineKind::Program, event, fields, Moment::now());
    }

    /// Logs where the server listens, and where browsers reach that.
    fn say_addresses(&self, addresses: &[String], public_url: Option<&str>) {
        for address in addresses {
            let url = match public_url {
                Some(url) => url.to_owned(),
                None if address.starts_with("unix:") => "-".to_owned(),
                None => format!("http://{address}"),
            };
            self.say(ProgramEvent::Listening, &[("address", address), ("url", &url)]);
        }
    }

    fn stop(&self) {
        self.is_left.store(true, Ordering::Release);
        #[cfg(feature = "mail")]
        self.bell.wait_for_end();
        let left = Patience::Until(Instant::now() + USES_WAIT);
        // Uses that are lost here are noted the next time.
        while left.during(|| self.site.write_uses()).is_ok_and(|count| count > 0) {}
        let lost = self.audit.flush(Duration::from_secs(3), Moment::now());
        if lost > 0 {
            self.say(ProgramEvent::AuditLost, &[("records", &lost.to_string())]);
        }
        if let Err(err) = self.site.close() {
            self.say(ProgramEvent::DbCloseFailed, &[("cause", &err.to_string())]);
        }
        // The counts of left-out lines come before the last line.
        self.log.flush(Duration::from_secs(1), Moment::now());
        self.say(ProgramEvent::Stop, &[]);
        self.log.flush(Duration::from_secs(1), Moment::now());
    }
}

/// Serves the site until SIGTERM, SIGINT, SIGQUIT or SIGHUP, then ends what is in flight and folds the database's
/// log into its file. With a listener for metrics, what happens is counted and shown there. `ready` is called once,
/// when requests are answered. An error is one line for the operator.
pub fn serve(
    listeners: Listeners,
    scrapes: Option<MetricsListener>,
    setup: ServerConfig,
    site: Site,
    log: Arc<Log>,
    ready: impl FnOnce(),
) -> Result<(), String> {
    let limits = fit_descriptors(setup.limits, &log)?;
    let private = Private::make(&setup.private_folders)?;
    let (tell, events) = mpsc::channel();
    listen_to_signals(tell.clone()).map_err(|err| format!("cannot listen to signals: {err}"))?;
    note_panics(log.clone(), tell.clone());

    let site = Arc::new(site);
    let metrics = scrapes.as_ref().map(|_| Metrics::new(limits.clone(), Moment::now()));
    let shared = Arc::new(Shared::new(site.clone(), log, metrics));
    let workers =
        Workers { shared: shared.clone(), private, limits: limits.clone(), tell: tell.clone() };
    let first = workers.start(1).map_err(|err| format!("cannot start the workers: {err}"))?;
    let _socket_file = scrapes.map(|it| metrics::start(&shared, it)).transpose()?;
    shared.say_addresses(&listeners.addresses(), setup.url.as_deref());
    let notify = tell.clone();
    let notify = move |it| drop(notify.send(SupervisorEvent::Gate(it)));
    let counting = (shared.log.clone(), shared.metrics.clone());
    let (gate, gate_handle) = Gate::new(listeners, limits, site, counting, notify)
        .map_err(|err| format!("cannot open the gate: {err}"))?;
    gate_handle.follow(first.workers.clone());
    // Before the first request is answered, so that the number of threads is constant from then on.
    let (_stay, leave) = mpsc::channel();
    start_background(&shared, leave)?;
    #[cfg(feature = "mail")]
    if let Some(config) = setup.mail {
        let sender = shared.clone();
        start_thread("mailer", move || mailer::run(&sender, &config))?;
    }
    start_gate(gate, tell)?;
    // Fails without a service manager, which is fine.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    ready();
    let served = Supervisor { workers, gate_handle, events, generations: vec![first] }.supervise();
    shared.stop();
    served.map_err(|err| format!("cannot go on: the gate ended: {err}"))
}

/// Starts what is done beside requests, until `leave` has no sender any more.
fn start_background(shared: &Arc<Shared>, leave: Receiver<()>) -> Result<(), String> {
    let keeper = shared.clone();
    start_thread("housekeeper", move || housekeeping::run(&keeper, &leave))?;
    let noter = shared.clone();
    start_thread("uses", move || write_uses(&noter))
}

/// Starts the gate, which tells the supervisor when it has ended.
fn start_gate(gate: Gate, tell: Sender<SupervisorEvent>) -> Result<(), String> {
    start_thread("gate", move || {
        let ended = panic::catch_unwind(AssertUnwindSafe(|| gate.run()));
        let ended = ended.unwrap_or_else(|_| Err(io::Error::other("it panicked")));
        // At shutdown the supervisor may be gone.
        let _ = tell.send(SupervisorEvent::GateEnded(ended));
    })
}

fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), String> {
    let started = spawn(name, work);
    started.map(drop).map_err(|err| format!("cannot start a thread ({name}): {err}"))
}

/// tiny_http on a public socket with the same workers and no gate, until `stop` receives something: for
/// benchmarks, and for the tests that show what the gate is for.
#[doc(hidden)]
pub fn serve_without_gate(
    listener: TcpListener,
    workers: usize,
    site: Site,
    log: Arc<Log>,
    stop: &Receiver<()>,
) -> io::Result<()> {
    // Linux passes the option on to accepted sockets.
    TcpStream::from(OwnedFd::from(listener.try_clone()?)).set_nodelay(true)?;
    let shared = Arc::new(Shared::new(Arc::new(site), log, None));
    let (tell, _events) = mpsc::channel();
    let pool = Pool::open(&shared, listener.into(), (workers, Lane::Hash), 1, &tell)?;
    // An error means that the sender is gone: then this ends as well.
    let _ = stop.recv();
    pool.close();
    Ok(())
}

/// Raises the limit of descriptors as far as possible, and limits connections so that enough descriptors
/// are left for everything else.
fn fit_descriptors(mut limits: GateLimits, log: &Log) -> Result<GateLimits, String> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If it cannot be raised, the present limit counts.
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
        log.write(LineKind::Program, ProgramEvent::FewDescriptors, &facts, Moment::now());
    }
    limits.connections = limits.connections.min(room);
    Ok(limits)
}

/// The descriptors needed for everything but client connections.
pub(crate) fn descriptors_beside(limits: &GateLimits) -> usize {
    // A connection to the workers has one end in the gate, and two descriptors in tiny_http. Each tiny_http listens on
    // one, and while new ones take the place of old ones there are two of each. Two files for each thread that reads
    // the database and for the one connection that writes, and one that they share.
    let away = 3 * limits.backends_max() + 2 * limits.pools();
    let files = 2 * (limits.workers + gate::WRITERS + limits.hashers + 1) + 1;
    DESCRIPTORS_SPARE + away + files
}

/// Supervises the gate and the workers until shutdown.
struct Supervisor {
    workers: Workers,
    gate_handle: GateHandle,
    events: Receiver<SupervisorEvent>,
    /// The present generation is the last; those before are still finishing their requests.
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
                    self.workers
                        .shared
                        .say(ProgramEvent::WorkersDeaf, &[("cause", &cause.to_string())]);
                    replace_at.get_or_insert_with(|| Instant::now() + pause);
                }
                Ok(SupervisorEvent::Panicked) => {
                    replace_at.get_or_insert_with(|| Instant::now() + pause);
                }
                Ok(SupervisorEvent::Gate(GateEvent::Unreachable(number)))
                    if number == self.present() =>
                {
                    self.workers.shared.say(ProgramEvent::WorkersUnreachable, &[]);
                    replace_at.get_or_insert_with(|| Instant::now() + pause);
                }
                Ok(SupervisorEvent::Gate(GateEvent::Left(number))) => self.shut_down_before(number),
                // About a generation that was replaced meanwhile.
                Ok(
                    SupervisorEvent::Deaf(..) | SupervisorEvent::Gate(GateEvent::Unreachable(_)),
                ) => {}
                Ok(SupervisorEvent::GateEnded(ended)) => {
                    self.shut_down_before(u64::MAX);
                    return ended;
                }
                Err(RecvTimeoutError::Timeout) => {
                    let is_replaced = self.replace();
                    pause = if is_replaced { RECOVERY } else { RECOVERY_MAX.min(pause * 2) };
                    replace_at = (!is_replaced).then(|| Instant::now() + pause);
                }
                Err(RecvTimeoutError::Disconnected) => unreachable!("the workers hold a sender"),
            }
        }
    }

    fn present(&self) -> u64 {
        self.generations.last().map_or(0, |it| it.workers.generation)
    }

    fn begin_to_stop(&self) {
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        self.gate_handle.stop();
        let shared = self.workers.shared.clone();
        // If this thread cannot be started, the gate keeps its own time limit.
        let _ = spawn("farewell", move || {
            thread::sleep(FAREWELL);
            shared.say(ProgramEvent::FarewellCut, &[]);
            shared.stop();
            std::process::exit(0);
        });
    }

    /// Starts a new generation of workers. `false` if that is not possible now.
    fn replace(&mut self) -> bool {
        match self.workers.start(self.present() + 1) {
            Ok(generation) => {
                self.gate_handle.follow(generation.workers.clone());
                self.generations.push(generation);
                true
            }
            Err(err) => {
                self.workers
                    .shared
                    .say(ProgramEvent::WorkersMissing, &[("cause", &err.to_string())]);
                false
            }
        }
    }

    fn shut_down_before(&mut self, number: u64) {
        for old in self.generations.extract_if(.., |it| it.workers.generation < number) {
            old.shut_down();
        }
    }
}

/// Starts a thread with a name, which debuggers and `top` show.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(work)
}

/// Checks that all threads of the server can be started, including those that tiny_http starts on demand,
/// as a failure later could not be reported well. The error is one line for the operator.
///
/// A thread that finds no memory while it starts ends the process, so threads start one after the other,
/// and only while there is memory for one.
pub fn prove_threads(limits: &GateLimits) -> Result<(), String> {
    let count = OWN_THREADS + limits.lane_threads();
    let door = Arc::new((Barrier::new(2), Mutex::new(())));
    let shut = door.1.lock();
    let mut threads = Vec::with_capacity(count);
    let mut missing = None;
    while missing.is_none() && threads.len() < count {
        let passed = door.clone();
        let started = memory_for_a_thread().and_then(|()| {
            spawn("proof", move || {
                passed.0.wait();
                drop(passed.1.lock());
            })
        });
        match started {
            Ok(thread) => {
                door.0.wait();
                threads.push(thread);
            }
            Err(err) => missing = Some(err),
        }
    }
    drop(shut);
    for thread in threads {
        thread.join().expect("it does nothing that could panic");
    }
    missing.map_or(Ok(()), |err| {
        Err(format!(
            "cannot start {count} threads: {err}; allow for more of them (TasksMax= of systemd, ulimit), or \
             set fewer --workers and --hashers"
        ))
    })
}

/// Checks that a limit on the address space leaves room for one more thread: twice the stack that the standard library
/// gives it, and what the C library's allocator reserves for a thread in which SQLite runs (glibc: 64 MiB, and as much
/// again until it has cut them to an even address).
fn memory_for_a_thread() -> io::Result<()> {
    const STACKS: u64 = 2 * 2 * 1024 * 1024;
    const RESERVED: u64 = 2 * 64 * 1024 * 1024;
    let Some(limit) = getrlimit(Resource::As).current else { return Ok(()) };
    let kib = of_own_status("VmSize:", |it| it.strip_suffix("kB")?.trim_end().parse::<u64>().ok());
    let used = kib.unwrap_or(0).saturating_mul(1024);
    if limit.saturating_sub(used) < STACKS + RESERVED {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    Ok(())
}

/// What the kernel says of this process under this name. `None`: it says nothing, or nothing that can be read.
fn of_own_status<T>(name: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    read(status.lines().find_map(|line| line.strip_prefix(name))?.trim())
}

/// The first SIGTERM, SIGINT, SIGQUIT or SIGHUP asks to stop; one more ends the program at once, except for
/// SIGHUP: a terminal that is closed may send it twice. Under nohup, which ignores SIGHUP, it stays ignored.
/// SIGUSR1 and SIGUSR2, with which log rotation tells other servers to reopen their logs, do nothing.
fn listen_to_signals(tell: Sender<SupervisorEvent>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2])?;
    if !is_ignored(SIGHUP) {
        signals.add_signal(SIGHUP)?;
    }
    spawn("signals", move || {
        let mut is_stopping = false;
        for signal in signals.forever() {
            if matches!(signal, SIGUSR1 | SIGUSR2) {
                continue;
            }
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

/// Makes a write beyond the size that a file may have (`ulimit -f`) fail as on a full disk, for the server and every
/// command: SIGXFSZ without a handler ends the process.
pub fn handle_file_size_limit() {
    // Without the handler nothing is different from before.
    drop(signal_hook::flag::register(SIGXFSZ, Arc::default()));
}

/// Whether the process that started the program had a signal ignored.
fn is_ignored(signal: i32) -> bool {
    let mask = of_own_status("SigIgn:", |it| u64::from_str_radix(it, 16).ok());
    mask.unwrap_or(0) >> (signal - 1) & 1 == 1
}

/// A panic is a bug: the log says where, but not the message, which may quote the input, and so a password.
fn note_panics(log: Arc<Log>, tell: Sender<SupervisorEvent>) {
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map_or("unknown".to_owned(), ToString::to_string);
        log.write(LineKind::Request, ProgramEvent::Panicked, &[("at", &place)], Moment::now());
        // Our own threads have names, and catch their panics.
        if thread::current().name().is_none() {
            let _ = tell.send(SupervisorEvent::Panicked);
        }
    }));
}
