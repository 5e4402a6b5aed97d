//! Sockets, threads and the clock: what stands between the network and the site.
//!
//! Knows the site as a function from a request and a moment to a response. Users and SQL must not be
//! known here. This file starts and stops serving, and watches over it meanwhile: `gate` owns the public
//! sockets, `workers` answer requests, and `housekeeping` looks after what nobody waits for.
//!
//! When tiny_http stops accepting, as it does for ever after its first error, a new generation of workers takes
//! over while the public connections stay as they are.

pub mod gate;
mod workers;
mod housekeeping;
pub mod audit;
pub mod log;

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
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
use crate::store::Patience;
use crate::web::{Lane, Site};

pub use housekeeping::{ClockAtStart, compare_clock};
use housekeeping::{USES_WAIT, write_uses};
use workers::{Generation, Pool, Private, Workers};

/// When serving that was to end is ended, whatever is left of it.
const FAREWELL: Duration = Duration::from_secs(10);

/// How long to wait before the workers are replaced once more: doubled each time, up to
/// [`RECOVERY_MAX`].
const RECOVERY: Duration = Duration::from_millis(50);
const RECOVERY_MAX: Duration = Duration::from_secs(2);

/// Threads beside those of the lanes: the log's, the audit trail's, the one for signals, the gate, the
/// housekeeper, the one for uses and the farewell; and some in reserve.
pub(crate) const OWN_THREADS: usize = 10;

/// Descriptors for everything but connections, workers and the database.
const DESCRIPTORS_SPARE: usize = 16;

/// Connections without which serving makes no sense.
const CONNECTIONS_MIN: usize = 4;

/// How the site is served.
pub struct ServerConfig {
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
struct Shared {
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

impl Shared {
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

    fn say(&self, event: &str, fields: &[(&str, &str)]) {
        self.log.write(LineKind::Program, event, fields, Moment::now());
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

/// Serves the site until SIGTERM, SIGINT, SIGQUIT or SIGHUP, then ends what is in flight and folds the database's
/// log into its file. An error is one line for the operator.
pub fn serve(
    listeners: Listeners,
    setup: ServerConfig,
    clock: ClockAtStart,
    site: Site,
    log: Arc<Log>,
) -> Result<(), String> {
    let limits = fit_descriptors(setup.limits, &log)?;
    let private = Private::make(&setup.private_folders)?;
    let (tell, events) = mpsc::channel();
    listen_to_signals(tell.clone()).map_err(|err| format!("cannot listen to signals: {err}"))?;
    note_panics(log.clone(), tell.clone());

    let site = Arc::new(site);
    let shared = Arc::new(Shared::new(site.clone(), log));
    let workers =
        Workers { shared: shared.clone(), private, limits: limits.clone(), tell: tell.clone() };
    let first = workers.start(1).map_err(|err| format!("cannot start the workers: {err}"))?;
    for address in listeners.addresses() {
        let url = match &setup.url {
            Some(url) => url.clone(),
            None if address.starts_with("unix:") => "-".to_owned(),
            None => format!("http://{address}"),
        };
        shared.say("listening", &[("address", &address), ("url", &url)]);
    }
    let notify = tell.clone();
    let notify = move |it| drop(notify.send(SupervisorEvent::Gate(it)));
    let (gate, gate_handle) = Gate::new(listeners, limits, site, shared.log.clone(), notify)
        .map_err(|err| format!("cannot open the gate: {err}"))?;
    gate_handle.follow(first.workers.clone());
    // Before the first request is answered, so that from then on the number of threads is constant.
    let (_stay, leave) = mpsc::channel::<()>();
    let keeper = shared.clone();
    let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
        spawn(name, work).map_err(|err| format!("cannot start a thread ({name}): {err}"))
    };
    spawn("housekeeper", Box::new(move || housekeeping::run(&keeper, clock, &leave)))?;
    let noter = shared.clone();
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
    let served = Supervisor { workers, gate_handle, events, generations: vec![first] }.supervise();
    shared.stop();
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
    let shared = Arc::new(Shared::new(Arc::new(site), log));
    let (tell, _events) = mpsc::channel();
    let pool = Pool::open(&shared, listener.into(), (workers, Lane::Slow), 1, &tell)?;
    // Nobody who could say something is left.
    let _ = stop.recv();
    pool.close();
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
        log.write(LineKind::Program, "few_descriptors", &facts, Moment::now());
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
    workers: Workers,
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
                    self.workers.shared.say("workers_deaf", &[("cause", &cause.to_string())]);
                    replace_at.get_or_insert_with(|| Instant::now() + pause);
                }
                Ok(SupervisorEvent::Panicked) => {
                    replace_at.get_or_insert_with(|| Instant::now() + pause);
                }
                Ok(SupervisorEvent::Gate(GateEvent::Unreachable(number)))
                    if number == self.present() =>
                {
                    self.workers.shared.say("workers_unreachable", &[]);
                    replace_at.get_or_insert_with(|| Instant::now() + pause);
                }
                Ok(SupervisorEvent::Gate(GateEvent::Left(number))) => self.shut_down_before(number),
                // Of a generation that was replaced meanwhile.
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
        // Without it, it is the gate that ends in time, unless that is what hangs.
        let _ = spawn("farewell", move || {
            thread::sleep(FAREWELL);
            shared.say("farewell_cut", &[]);
            shared.stop();
            std::process::exit(0);
        });
    }

    /// Lets new workers take over. `false` if there are none to be had now.
    fn replace(&mut self) -> bool {
        match self.workers.start(self.present() + 1) {
            Ok(generation) => {
                self.gate_handle.follow(generation.workers.clone());
                self.generations.push(generation);
                true
            }
            Err(err) => {
                self.workers.shared.say("workers_missing", &[("cause", &err.to_string())]);
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
        log.write(LineKind::Request, "panicked", &[("at", &place)], Moment::now());
        // Our threads have names, and catch their panics.
        if thread::current().name().is_none() {
            let _ = tell.send(SupervisorEvent::Panicked);
        }
    }));
}
