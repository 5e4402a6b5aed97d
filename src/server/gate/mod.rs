//! The gate: the only owner of the public sockets.
//!
//! tiny_http cannot face untrusted bytes: one request can end the process, five idle connections can starve
//! a sixth, and it has no timeouts and no limits. So nothing reaches it but requests that are complete,
//! arrived within a deadline and within limits, can be parsed in one way only, and were written anew. They
//! go to the workers over private Unix sockets, a few at a time; the others wait here, where waiting costs
//! memory and no thread. Responses come back the same way, and are sent only when they are complete.
//!
//! One thread does all this, woken by the kernel when there is something to do, so that ten thousand idle
//! connections cost no time. It knows no route and no user: the site decides the lane of a request and how
//! a refusal looks.
//!
//! The files beside this one are pure (`head`, `chunked`, `request_reader`, `response_frame`, `queue`,
//! `deadline`) or hold one thing (`listener`, `stream`, `connection`, `lane`, `limits`, `handle`,
//! `site_calls`). This file has the event loop, memory and deadlines; `accept` lets connections in, `exchange`
//! reads requests and writes responses, `enqueue` puts requests into lanes, and `backend` talks to the workers.

mod accept;
mod backend;
mod chunked;
mod connection;
pub mod deadline;
mod enqueue;
mod exchange;
mod handle;
pub mod head;
mod lane;
mod limits;
mod listener;
mod queue;
pub mod request_reader;
mod response_frame;
mod site_calls;
mod stream;

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use mio::event::Event as Readiness;
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;

use crate::base::clock::Moment;
use crate::base::ip_prefix::ClientPrefix;
use crate::server::log::{LineKind, Log, LogEvent};
use crate::server::metrics::Metrics;
use crate::web::Site;
use crate::web::http::Problem;

use backend::{BackendConnection, STALL};
use connection::{Connection, Phase};
use handle::GateCommand;
pub use handle::{GateEvent, GateHandle, WorkerSockets};
use head::Persistence;
use lane::LaneState;
pub use limits::{BYTES_A_BACKEND, CONNECTIONS_MAX, GateLimits, WRITERS};
use listener::Listener;
pub use listener::{Listen, Listeners};
pub(super) use listener::{SocketFile, bind_unix};
use site_calls::SiteCalls;

/// The most bytes that all connections together may hold. Beyond it, the request that has been arriving the
/// longest is refused.
pub const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// With fewer requests than this in the queue for reading, their clients are not determined: they are all
/// answered in a moment.
const READS_WAITING_FREE: usize = 64;

/// How long a complete request may take in all, if its worker does not keep to the site's limit.
const WORK: Duration = Duration::from_secs(20);

/// At shutdown, how long the gate stays open for requests and responses in transit.
const FAREWELL: Duration = Duration::from_secs(9);

/// At shutdown, how long a connection may take to send one more request.
const LAST_CALL: Duration = Duration::from_millis(500);

/// How often deadlines are checked, and so how exactly they are kept.
const CHECK: Duration = Duration::from_millis(250);

/// How long the gate looks for the next event without sleeping, while there is one request at a time: to be woken takes
/// a good part of the time that a client waits for a page.
const SPIN: Duration = Duration::from_micros(50);

/// The pause after a connection could not be accepted, as when descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The most connections accepted before existing ones are served.
const ACCEPTED_A_TURN: usize = 64;

/// The size of the buffer for reading, in bytes.
const SCRATCH_BYTES: usize = 64 * 1024;

const WAKER: Token = Token(0);
const LISTENERS: usize = 1;
const LISTENERS_MAX: usize = 63;
/// Tokens of connections are even numbers from here, tokens of backend connections odd ones.
const FIRST_KEY: usize = 64;

const READS: usize = 0;
const WRITES: usize = 1;
const HASHES: usize = 2;
const LANES: usize = 3;

/// The event loop: see the top of this file.
pub struct Gate {
    poll: Poll,
    commands: Receiver<GateCommand>,
    notify: Box<dyn Fn(GateEvent) + Send>,
    site: SiteCalls,
    log: Arc<Log>,
    metrics: Option<Arc<Metrics>>,
    limits: GateLimits,
    listeners: Vec<Listener>,
    /// Another process holds the listening sockets as well, and passes them to the next server.
    listeners_outlive_us: bool,
    /// The listeners at which a connection may be waiting.
    ready: Vec<bool>,
    accept_after: Option<Instant>,
    connections: Slab<Connection>,
    per_client: HashMap<ClientPrefix, usize>,
    backends: Slab<BackendConnection>,
    lanes: [LaneState; LANES],
    /// How long a request may be expected to wait behind others of the same worker; zero where the database is on
    /// another machine, which all workers can ask at the same time.
    stall: Duration,
    /// Connections that were answered out of turn and have to be driven again.
    answered: Vec<usize>,
    generation: u64,
    /// The generation that was reported unreachable, so that it is reported once.
    unreachable: u64,
    serial: u64,
    held: usize,
    scratch: Vec<u8>,
    now: Instant,
    /// When the last event came.
    busy_at: Instant,
    check_at: Instant,
    /// When the gate closes for good, once it is told to stop.
    closing: Option<Instant>,
    /// When it stops accepting connections, once it is told to stop; `None`: it is not told to, or has done so.
    last_call: Option<Instant>,
}

impl Gate {
    /// A gate behind these listeners. `notify` is called from its thread and must not block.
    pub(super) fn new(
        listeners: Listeners,
        limits: GateLimits,
        site: Arc<Site>,
        (log, metrics): (Arc<Log>, Option<Arc<Metrics>>),
        notify: impl Fn(GateEvent) + Send + 'static,
    ) -> io::Result<(Self, GateHandle)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (tell, commands) = mpsc::channel();
        let Listeners { all: mut listeners, outlive_us } = listeners;
        register(&poll, &mut listeners)?;
        let now = Instant::now();
        let site = SiteCalls::of(site);
        let stall = if site.is_remote() { Duration::ZERO } else { STALL };
        let gate = Self {
            poll,
            commands,
            notify: Box::new(notify),
            site,
            stall,
            log,
            metrics,
            lanes: limits.lanes().map(|(_, bounds)| LaneState::new(bounds)),
            limits,
            ready: vec![true; listeners.len()],
            listeners,
            listeners_outlive_us: outlive_us,
            accept_after: None,
            connections: Slab::new(),
            per_client: HashMap::new(),
            backends: Slab::new(),
            answered: Vec::new(),
            generation: 0,
            unreachable: 0,
            serial: 0,
            held: 0,
            scratch: vec![0; SCRATCH_BYTES],
            now,
            busy_at: now,
            check_at: now,
            closing: None,
            last_call: None,
        };
        Ok((gate, GateHandle { commands: tell, waker }))
    }

    /// Runs until the gate is told to stop and every connection is served. An error means that the kernel
    /// reports no more events: nothing can go on then.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1_024);
        loop {
            match self.poll.poll(&mut events, self.patience()) {
                Ok(()) => {}
                Err(err) if err.kind() == ErrorKind::Interrupted => continue,
                Err(err) => return Err(err),
            }
            self.now = Instant::now();
            if !events.is_empty() {
                self.busy_at = self.now;
            }
            for event in &events {
                self.handle_event(event);
                self.shed();
            }
            self.accept_ready();
            self.shed();
            for key in std::mem::take(&mut self.answered) {
                self.drive(key);
            }
            (0..LANES).for_each(|index| self.dispatch(index));
            // When none is left, it may be long until something happens.
            if self.now >= self.check_at || self.connections.is_empty() {
                self.show_state();
            }
            if self.now >= self.check_at {
                self.check_deadlines();
            }
            if self.closing.is_some_and(|end| self.connections.is_empty() || self.now >= end) {
                return Ok(());
            }
        }
    }

    /// How long to wait for events; `None`: until one comes.
    fn patience(&self) -> Option<Duration> {
        if self.is_quiet() && self.busy_at.elapsed() < SPIN {
            return Some(Duration::ZERO);
        }
        let until = |at: Instant| at.saturating_duration_since(Instant::now());
        if !self.answered.is_empty() {
            return Some(Duration::ZERO);
        }
        if self.ready.contains(&true) {
            return Some(self.accept_after.map_or(Duration::ZERO, until));
        }
        let is_still = self.connections.is_empty() && self.closing.is_none();
        (!is_still).then(|| until(self.check_at).max(Duration::from_millis(1)))
    }

    /// Whether no request waits, and at most one is with the workers: one that takes no slow hash, which needs the
    /// processor itself.
    fn is_quiet(&self) -> bool {
        let in_flight = |lane: &LaneState| -> usize {
            lane.backends.iter().map(|&it| self.backends[it].in_flight.len()).sum()
        };
        let with_workers = self.lanes.each_ref().map(in_flight);
        with_workers[HASHES] == 0
            && with_workers.iter().sum::<usize>() <= 1
            && self.lanes.iter().all(|it| it.queue.len() == 0)
    }

    fn handle_event(&mut self, event: &Readiness) {
        match event.token() {
            WAKER => self.handle_commands(),
            Token(at) if at < FIRST_KEY => {
                // The listener may be closed by now.
                if let Some(ready) = self.ready.get_mut(at - LISTENERS) {
                    *ready = true;
                }
            }
            Token(key) if (key - FIRST_KEY).is_multiple_of(2) => {
                self.handle_connection((key - FIRST_KEY) / 2, event);
            }
            Token(key) => self.handle_backend((key - FIRST_KEY) / 2, event),
        }
    }

    fn handle_commands(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                GateCommand::Follow(workers) => {
                    self.generation = workers.generation;
                    self.lanes[READS].follow(workers.reads);
                    self.lanes[WRITES].follow(workers.writes);
                    self.lanes[HASHES].follow(workers.hashes);
                    self.leave_old_workers();
                }
                GateCommand::Stop => self.stop(),
            }
        }
    }

    /// Updates the memory for which a connection is accounted.
    fn account_memory(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let weight = connection.weight();
        self.held = self.held - connection.accounted + weight;
        connection.accounted = weight;
    }

    /// Frees memory while all connections together hold too much: first from the request that has been
    /// arriving the longest, then from the client that has been reading its response the longest.
    fn shed(&mut self) {
        while self.held > HELD_BYTES_MAX {
            if let Some(key) = self.first_to_go(Phase::Reading) {
                self.refuse(key, Problem::Busy);
                self.drive(key);
            } else if let Some(key) = self.first_to_go(Phase::Writing) {
                self.close(key);
            } else {
                return;
            }
        }
    }

    fn first_to_go(&self, phase: Phase) -> Option<usize> {
        let holds = |it: &Connection| it.phase == phase && it.accounted > 0;
        let all = self.connections.iter().filter(|(_, it)| holds(it));
        all.min_by_key(|(_, it)| it.deadline).map(|(key, _)| key)
    }

    // Deadlines.

    /// Ends what has passed its deadline.
    fn check_deadlines(&mut self) {
        self.check_at = self.now + CHECK;
        let late = self.connections.iter().filter(|(_, it)| self.now >= it.deadline);
        let late: Vec<_> = late.map(|(key, it)| (key, it.phase)).collect();
        for (key, phase) in late {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            match phase {
                Phase::Reading if !connection.reader.is_empty() => {
                    self.refuse(key, Problem::TooSlow);
                    self.drive(key);
                }
                Phase::Waiting => {
                    self.leave_seat(key);
                    self.give_up(key);
                }
                Phase::Away => {
                    connection.persistence = Persistence::Closed;
                    self.answer(key, Problem::Busy, None);
                    self.drive(key);
                }
                Phase::Reading if self.closing.is_some() => self.dismiss(key),
                Phase::Reading | Phase::Writing | Phase::Lingering => self.close(key),
            }
        }
        if self.last_call.is_some_and(|at| self.now >= at) {
            self.stop_accepting();
        }
    }

    /// Writes down for metrics what is open and what waits.
    fn show_state(&self) {
        let Some(metrics) = &self.metrics else { return };
        metrics.gate().set_connections(self.connections.len());
        for (index, lane) in self.lanes.iter().enumerate() {
            let in_flight = lane.backends.iter().map(|&key| self.backends[key].in_flight.len());
            metrics.gate().set_lane(index, lane.queue.len(), in_flight.sum());
        }
    }

    fn note(&self, event: impl Into<LogEvent>, fields: &[(&str, &str)]) {
        self.log.write(LineKind::Request, event, fields, Moment::now());
    }
}

/// Asks for events of the listening sockets.
fn register(poll: &Poll, listeners: &mut [Listener]) -> io::Result<()> {
    if listeners.len() > LISTENERS_MAX {
        return Err(io::Error::other(format!("more than {LISTENERS_MAX} sockets")));
    }
    for (at, listener) in listeners.iter_mut().enumerate() {
        let token = Token(LISTENERS + at);
        poll.registry().register(listener.source(), token, Interest::READABLE)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::exchange::LINGER;
    use super::limits::READS_A_BACKEND;
    use super::stream::Stream;
    use super::*;
    use crate::base::password::{Cost, Hasher};
    use crate::server::log::LogConfig;
    use crate::store::Sqlite;
    use crate::web::Settings;
    use std::io::Write;
    use std::net::IpAddr;

    /// A gate without listeners, with two connections for an address and a proxy at 10.0.0.1.
    fn gate(folder: &tempfile::TempDir) -> Gate {
        gate_with(folder, 1)
    }

    fn gate_with(folder: &tempfile::TempDir, workers: usize) -> Gate {
        let store = Sqlite::open(&folder.path().join("a.db")).unwrap();
        let hasher = Hasher::new(1, Cost { memory_kib: 64, passes: 1, lanes: 1 });
        let site = Arc::new(Site::new(Box::new(store), hasher, Settings::default()));
        let limits = GateLimits {
            head_bytes: head::HEAD_BYTES,
            request: LINGER,
            idle: LINGER,
            answer: LINGER,
            connections: 100,
            connections_per_address: 2,
            trusted_proxies: vec!["10.0.0.1/32".parse().unwrap()],
            workers,
            hashers: 1,
        };
        let log = Arc::new(Log::to(io::sink(), LogConfig::default()));
        let none = Listeners { all: Vec::new(), outlive_us: false };
        Gate::new(none, limits, site, (log, None), |_| {}).unwrap().0
    }

    #[test]
    fn looks_for_the_next_event_without_sleeping_for_a_moment_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut gate = gate(&folder);
        assert!(gate.is_quiet());
        gate.busy_at = Instant::now() + SPIN;
        assert_eq!(gate.patience(), Some(Duration::ZERO));
        gate.busy_at = Instant::now().checked_sub(2 * SPIN).unwrap();
        assert_eq!(gate.patience(), None, "it sleeps until someone comes");
    }

    /// A connection from this address: the client's end, and whether it was accepted.
    fn knock(gate: &mut Gate, from: &str) -> (std::os::unix::net::UnixStream, bool) {
        let (here, there) = std::os::unix::net::UnixStream::pair().unwrap();
        here.set_nonblocking(true).unwrap();
        let before = gate.connections.len();
        let stream = Stream::Unix(mio::net::UnixStream::from_std(here));
        gate.admit(stream, Some(from.parse().unwrap()));
        (there, gate.connections.len() > before)
    }

    #[test]
    fn lets_in_a_limited_number_from_one_address_or_network_and_counts_who_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let mut gate = gate(&folder);
        for (there, elsewhere) in
            [("192.0.2.1", "192.0.2.2"), ("2001:db8:1:2::1", "2001:db8:1:3::1")]
        {
            let first = knock(&mut gate, there);
            let second = knock(&mut gate, there);
            assert!(first.1 && second.1);
            let (mut third, is_in) = knock(&mut gate, there);
            assert!(!is_in);
            let mut answer = String::new();
            io::Read::read_to_string(&mut third, &mut answer).unwrap();
            assert!(
                answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nRetry-After: 1\r\n")
            );
            assert!(knock(&mut gate, elsewhere).1);
            drop(first);
            let keys: Vec<_> = gate.connections.iter().map(|(key, _)| key).collect();
            for key in keys {
                gate.connections[key].is_readable = true;
                gate.drive(key);
            }
            assert!(knock(&mut gate, there).1, "one has left");
        }
    }

    /// A client of the proxy at 10.0.0.1 sends this line; returns the client's end.
    fn send(gate: &mut Gate, client: &str, line: &str) -> std::os::unix::net::UnixStream {
        let (here, mut there) = std::os::unix::net::UnixStream::pair().unwrap();
        here.set_nonblocking(true).unwrap();
        there.set_nonblocking(true).unwrap();
        let form = "username=anna&password=correct+horse";
        let length = form.len();
        let request = format!(
            "{line} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\nAccept: text/html\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
        );
        there.write_all(request.as_bytes()).unwrap();
        let stream = Stream::Unix(mio::net::UnixStream::from_std(here));
        gate.admit(stream, Some("10.0.0.1".parse().unwrap()));
        there
    }

    /// What has arrived so far.
    fn answer(stream: &mut std::os::unix::net::UnixStream) -> String {
        let mut bytes = vec![0; 100_000];
        match io::Read::read(stream, &mut bytes) {
            Ok(count) => String::from_utf8_lossy(&bytes[..count]).into_owned(),
            Err(err) if err.kind() == ErrorKind::WouldBlock => String::new(),
            Err(err) => panic!("{err}"),
        }
    }

    /// A gate whose site knows the proxy as well.
    fn gate_behind_proxy(folder: &tempfile::TempDir) -> Gate {
        let mut gate = gate(folder);
        let store = Sqlite::open(&folder.path().join("a.db")).unwrap();
        let hasher = Hasher::new(1, Cost { memory_kib: 64, passes: 1, lanes: 1 });
        let trusted_proxies = gate.limits.trusted_proxies.clone();
        let settings = Settings { trusted_proxies, ..Settings::default() };
        gate.site = SiteCalls::of(Arc::new(Site::new(Box::new(store), hasher, settings)));
        gate.limits.connections = 1_000;
        gate
    }

    #[test]
    fn takes_a_seat_from_the_client_with_the_most_for_another_client() {
        for (line, index) in [("POST /login", HASHES), ("POST /logout", WRITES)] {
            let folder = tempfile::tempdir().unwrap();
            let mut gate = gate_behind_proxy(&folder);
            let seats = gate.lanes[index].bounds.waiting;
            let greedy =
                |gate: &mut Gate, at: usize| send(gate, &format!("2001:db8::{at:x}"), line);
            let mut all: Vec<_> = (0..seats).map(|at| greedy(&mut gate, at)).collect();
            assert!(all.iter_mut().all(|it| answer(it).is_empty()), "there is room");
            let said = answer(&mut greedy(&mut gate, 5));
            assert!(said.starts_with("HTTP/1.1 503 "), "one network of 64 bits: {said}");
            let mut others: Vec<_> =
                (0..10).map(|at| send(&mut gate, &format!("192.0.2.{at}"), line)).collect();
            assert!(others.iter_mut().all(|it| answer(it).is_empty()), "others have a seat");
            assert_eq!(gate.lanes[index].queue.len(), seats);
            for stream in &mut all[seats - 10..] {
                let said = answer(stream);
                assert!(said.starts_with("HTTP/1.1 503 ") && said.contains("\r\nRetry-After: "));
                assert!(said.contains("<h1>"), "a person gets a page: {said}");
            }
            assert!(all[..seats - 10].iter_mut().all(|it| answer(it).is_empty()));
            let (client, _) = gate.next_of(index).unwrap();
            gate.lanes[index].queue.take(client);
            for at in 0..10 {
                let client = gate.next_of(index).unwrap().0;
                let expected: IpAddr = format!("192.0.2.{at}").parse().unwrap();
                assert_eq!(client, Some(expected.into()), "they take turns");
                gate.lanes[index].queue.take(client);
            }
        }
    }

    #[test]
    fn takes_seats_from_a_subscriber_with_many_networks_for_another_subscriber() {
        for (line, index) in [("POST /login", HASHES), ("POST /logout", WRITES)] {
            let folder = tempfile::tempdir().unwrap();
            let mut gate = gate_behind_proxy(&folder);
            let seats = gate.lanes[index].bounds.waiting;
            let greedy =
                |gate: &mut Gate, at: usize| send(gate, &format!("2001:db8:0:{at:x}::1"), line);
            let mut all: Vec<_> = (0..seats).map(|at| greedy(&mut gate, at)).collect();
            assert!(all.iter_mut().all(|it| answer(it).is_empty()), "there is room");
            let said = answer(&mut greedy(&mut gate, seats));
            assert!(said.starts_with("HTTP/1.1 503 "), "one network of 48 bits: {said}");
            let mut others: Vec<_> =
                (1..=10).map(|at| send(&mut gate, &format!("2001:db8:{at:x}::1"), line)).collect();
            assert!(others.iter_mut().all(|it| answer(it).is_empty()), "others have a seat");
            let refused = all.iter_mut().map(answer).filter(|it| !it.is_empty()).count();
            assert_eq!((refused, gate.lanes[index].queue.len()), (10, seats));
            let turns = (0..11).map(|_| {
                let client = gate.next_of(index).unwrap().0;
                gate.lanes[index].queue.take(client);
                client.unwrap().to_string()
            });
            let turns: Vec<_> = turns.collect();
            let of_others = turns.iter().filter(|it| !it.starts_with("2001:db8:0:")).count();
            assert_eq!(of_others, 10, "they take turns: {turns:?}");
        }
    }

    #[test]
    fn lets_no_client_fill_the_lane_for_pages_while_others_wait() {
        let folder = tempfile::tempdir().unwrap();
        let mut gate = gate_behind_proxy(&folder);
        let seats = gate.lanes[READS].bounds.waiting;
        let mut all: Vec<_> =
            (0..seats).map(|_| send(&mut gate, "192.0.2.66", "GET /auth/nginx")).collect();
        assert!(all.iter_mut().all(|it| answer(it).is_empty()), "there is room");
        let said = answer(&mut send(&mut gate, "192.0.2.66", "GET /auth/nginx"));
        assert!(said.starts_with("HTTP/1.1 403 "), "a check that is not made is no: {said}");
        for at in 0..50 {
            let mut other = send(&mut gate, &format!("192.0.2.{at}"), "GET /auth/nginx");
            assert!(answer(&mut other).is_empty(), "{at} has a seat");
        }
        let refused = all.iter_mut().map(answer).filter(|it| !it.is_empty()).count();
        assert_eq!((refused, gate.lanes[READS].queue.len()), (50, seats));
    }

    #[test]
    fn gives_the_seat_of_a_client_that_has_hung_up_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let mut gate = gate_behind_proxy(&folder);
        let seats = gate.lanes[HASHES].bounds.waiting;
        for _ in 0..seats {
            drop(send(&mut gate, "192.0.2.1", "POST /login"));
        }
        let keys: Vec<_> = gate.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            gate.close(key);
        }
        assert!(gate.lanes.iter().all(|lane| lane.queue.len() == 0));
        assert!(answer(&mut send(&mut gate, "192.0.2.1", "POST /login")).is_empty());
    }

    #[test]
    fn says_busy_to_a_client_that_waits_for_longer_than_a_request_may_take() {
        for line in ["POST /login", "POST /logout", "GET /"] {
            let folder = tempfile::tempdir().unwrap();
            let mut gate = gate_behind_proxy(&folder);
            let mut stream = send(&mut gate, "192.0.2.1", line);
            gate.now += Duration::from_millis(2_900);
            gate.check_deadlines();
            assert_eq!(answer(&mut stream), "", "{line}");
            gate.now += Duration::from_millis(100);
            gate.check_deadlines();
            let said = answer(&mut stream);
            assert!(said.starts_with("HTTP/1.1 503 ") && said.contains("\r\nRetry-After: 1\r\n"));
            assert!(gate.lanes.iter().all(|lane| lane.queue.len() == 0), "{line}");
            // The client may send another request on the same connection.
            assert!(!said.contains("Connection: close"), "{said}");
        }
    }

    #[test]
    fn lets_nothing_wait_behind_what_may_write_or_hash_and_no_client_hold_all_writers() {
        let folder = tempfile::tempdir().unwrap();
        let gate = gate(&folder);
        let [reads, writes, hashes] = &gate.lanes;
        assert_eq!([reads, writes, hashes].map(|it| it.bounds.depth), [READS_A_BACKEND, 1, 1]);
        assert!(writes.bounds.each < writes.bounds.backends);
    }

    /// A gate with two workers for reading, whose first response has come, and what they listen on.
    fn gate_with_readers(
        folder: &tempfile::TempDir,
    ) -> (Gate, [std::os::unix::net::UnixListener; 2]) {
        let mut gate = gate_with(folder, 2);
        let paths = ["r1-0", "r1-1"].map(|it| folder.path().join(it));
        let listeners =
            paths.each_ref().map(|it| std::os::unix::net::UnixListener::bind(it).unwrap());
        gate.generation = 1;
        gate.lanes[READS].follow(paths.to_vec());
        ask(&mut gate);
        gate.lanes[READS].unproven = false;
        (gate, listeners)
    }

    /// How many requests each worker for reading has after one more has come.
    fn ask(gate: &mut Gate) -> Vec<usize> {
        // What the client does after it has asked is nothing to the gate until it is driven again.
        drop(send(gate, "192.0.2.1", "GET /"));
        let keys: Vec<_> = gate.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            gate.drive(key);
        }
        gate.dispatch(READS);
        let load = |key: &usize| gate.backends[*key].in_flight.len();
        gate.lanes[READS].backends.iter().map(load).collect()
    }

    #[test]
    fn gives_the_next_read_to_the_worker_that_is_awake_and_to_another_once_that_one_stalls() {
        let folder = tempfile::tempdir().unwrap();
        let (mut gate, _listeners) = gate_with_readers(&folder);
        assert_eq!([ask(&mut gate), ask(&mut gate)], [[2], [3]]);
        gate.now += Duration::from_millis(2);
        assert_eq!([ask(&mut gate), ask(&mut gate)], [[3, 1], [3, 2]]);
    }

    #[test]
    fn gives_a_worker_no_more_reads_than_it_has_answered_lately_within_a_moment() {
        let folder = tempfile::tempdir().unwrap();
        let (mut gate, _listeners) = gate_with_readers(&folder);
        let slow = gate.lanes[READS].backends[0];
        gate.backends[slow].pace = STALL * 2 / 3;
        assert_eq!([ask(&mut gate), ask(&mut gate)], [vec![2], vec![2, 1]]);
    }

    #[test]
    fn sends_fewer_reads_at_once_to_a_worker_where_they_are_long() {
        let folder = tempfile::tempdir().unwrap();
        let (mut gate, _listeners) = gate_with_readers(&folder);
        let long = gate.lanes[READS].backends[0];
        gate.backends[long].in_flight_bytes = BYTES_A_BACKEND - 1;
        assert_eq!([ask(&mut gate), ask(&mut gate)], [vec![2], vec![2, 1]]);
    }

    #[test]
    fn lets_reads_wait_in_the_queue_and_not_behind_a_worker_that_hangs() {
        let folder = tempfile::tempdir().unwrap();
        let (mut gate, _listeners) = gate_with_readers(&folder);
        // With a database on another machine no read waits behind another one.
        gate.stall = Duration::ZERO;
        assert_eq!([ask(&mut gate), ask(&mut gate)], [[1, 1], [1, 1]]);
        assert_eq!(gate.lanes[READS].queue.len(), 1);
        // Or behind one, at a worker that takes no longer than usual.
        let second = gate.lanes[READS].backends[1];
        gate.backends[second].pace = Duration::from_millis(2);
        assert_eq!([ask(&mut gate), ask(&mut gate)], [[1, 2], [1, 2]]);
        assert_eq!(gate.lanes[READS].queue.len(), 2);
        gate.now += Duration::from_secs(1);
        assert_eq!(ask(&mut gate), [1, 2], "it hangs");
    }

    #[test]
    fn takes_an_ipv6_network_for_one_address() {
        let folder = tempfile::tempdir().unwrap();
        let mut gate = gate(&folder);
        let all = ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1"].map(|it| knock(&mut gate, it));
        assert_eq!(all.map(|(_, is_in)| is_in), [true, true, false]);
    }

    #[test]
    fn exempts_this_machine_and_trusted_proxies_from_that() {
        let folder = tempfile::tempdir().unwrap();
        let mut gate = gate(&folder);
        for from in ["127.0.0.1", "::1", "10.0.0.1"] {
            let all: Vec<_> = (0..5).map(|_| knock(&mut gate, from)).collect();
            assert!(all.iter().all(|(_, is_in)| *is_in), "{from}");
        }
        let others: Vec<_> = (0..3).map(|_| knock(&mut gate, "10.0.0.2")).collect();
        assert!(!others[2].1, "a neighbour of the proxy");
    }
}
