//! The gate: the only owner of the public sockets.
//!
//! tiny_http cannot face untrusted bytes: one request can end the process, five idle connections
//! can starve a sixth, and it has no timeout and no limit. So nothing reaches it but what the gate
//! lets through: requests that have arrived whole, within a deadline and within limits, that can
//! be read in one way only, and that were written anew. They go to the workers over private Unix
//! sockets, a few at a time; the others wait here, where waiting costs memory and no thread.
//! Answers come back the same way, and leave only when they are whole.
//!
//! One thread does all this, woken by the kernel when there is something to do, so that ten
//! thousand idle connections cost nobody anything. It knows no route and no user: the site says
//! which lane a request belongs to and what a refusal looks like.
//!
//! The files beside this one are pure (`head`, `chunked`, `request_reader`, `response_frame`, `queue`, `deadline`) or hold
//! one thing (`listener`, `stream`, `connection`, `lane`, `limits`, `handle`, `site_calls`). Here is what moves them;
//! `accept` has the half that lets connections in, `enqueue` what leads into a lane, and `backend` the half that faces
//! the workers.

mod accept;
mod backend;
mod chunked;
mod connection;
pub mod deadline;
mod enqueue;
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
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use mio::event::Event as Readiness;
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;

use crate::base::clock::Moment;
use crate::base::ip_prefix::Neighbourhood;
use crate::server::log::{Kind, Log};
use crate::web::http::{Problem, Request};
use crate::web::{HEALTH, Site};

use backend::Link;
use connection::{Phase, Then, Visitor};
use handle::Command;
pub use handle::{News, Remote, Workers};
use head::{Head, Persistence};
use lane::Lane;
pub use limits::{CONNECTIONS_MAX, Limits, WRITERS};
use listener::Door;
pub use listener::{Doors, Listen};
use request_reader::{Arrival, Step};
use site_calls::{Reception, Said};
use stream::Moved;

/// Bytes that all connections together may hold. Beyond it the request that has been on its way
/// the longest is refused.
pub const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// So many requests for pages wait before it is asked whose they are: less are answered in a moment anyway.
const PAGES_WAITING_FREE: usize = 64;

/// How long a whole request may wait and be worked on, if its worker does not keep to the site's patience.
const WORK: Duration = Duration::from_secs(20);

/// How long what still comes is thrown away after the last answer, and how much of it.
const LINGER: Duration = Duration::from_secs(2);
const SWALLOWED_BYTES_MAX: usize = 512 * 1024;

/// How long the gate stays open for what is on its way in or out when serving ends.
const FAREWELL: Duration = Duration::from_secs(9);

/// How long somebody who has just come in may still take to ask their first question then.
const LAST_CALL: Duration = Duration::from_millis(500);

/// How often deadlines are looked at. They are kept to within this.
const LOOK: Duration = Duration::from_millis(250);

/// How long no connection is accepted after accepting has failed, for want of descriptors, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections that are accepted before those that are here get their turn.
const ACCEPTED_A_TURN: usize = 64;

/// Bytes read at once.
const SCRATCH_BYTES: usize = 64 * 1024;

const WAKER: Token = Token(0);
const DOORS: usize = 1;
const DOORS_MAX: usize = 63;
/// Places of visitors have even numbers from here, places of links odd ones.
const PLACES: usize = 64;

const PAGES: usize = 0;
const WRITES: usize = 1;
const SLOW: usize = 2;
const LANES: usize = 3;

/// See the top of this file.
pub struct Gate {
    poll: Poll,
    commands: Receiver<Command>,
    news: Box<dyn Fn(News) + Send>,
    reception: Reception,
    log: Arc<Log>,
    limits: Limits,
    doors: Vec<Door>,
    /// Doors at which somebody may be waiting.
    knocked: Vec<bool>,
    accept_after: Option<Instant>,
    visitors: Slab<Visitor>,
    homes: HashMap<Neighbourhood, usize>,
    links: Slab<Link>,
    lanes: [Lane; LANES],
    /// Visitors who were answered out of their turn, and with whom it is to be gone on.
    answered: Vec<usize>,
    generation: u64,
    /// The generation that was found dead, so that it is said once.
    unreachable: u64,
    serial: u64,
    held: usize,
    scratch: Vec<u8>,
    now: Instant,
    look_at: Instant,
    /// When the gate closes for good, once it is to stop.
    closing: Option<Instant>,
}

impl Gate {
    /// A gate at these doors. `news` is called from its thread and must not block.
    pub fn new(
        doors: Doors,
        limits: Limits,
        site: Arc<Site>,
        log: Arc<Log>,
        news: impl Fn(News) + Send + 'static,
    ) -> io::Result<(Self, Remote)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (tell, commands) = mpsc::channel();
        let Doors(mut doors) = doors;
        if doors.len() > DOORS_MAX {
            return Err(io::Error::other(format!("more than {DOORS_MAX} sockets")));
        }
        for (at, door) in doors.iter_mut().enumerate() {
            poll.registry().register(door.source(), Token(DOORS + at), Interest::READABLE)?;
        }
        let now = Instant::now();
        let gate = Self {
            poll,
            commands,
            news: Box::new(news),
            reception: Reception::of(site),
            log,
            lanes: limits.lanes().map(|(_, bounds)| Lane::new(bounds)),
            limits,
            knocked: vec![true; doors.len()],
            doors,
            accept_after: None,
            visitors: Slab::new(),
            homes: HashMap::new(),
            links: Slab::new(),
            answered: Vec::new(),
            generation: 0,
            unreachable: 0,
            serial: 0,
            held: 0,
            scratch: vec![0; SCRATCH_BYTES],
            now,
            look_at: now,
            closing: None,
        };
        Ok((gate, Remote { commands: tell, waker }))
    }

    /// Lets people in and answers out, until it is told to stop and everybody is served. An error
    /// means that the kernel no longer tells what happens: nothing can go on then.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1_024);
        loop {
            match self.poll.poll(&mut events, self.patience()) {
                Ok(()) => {}
                Err(err) if err.kind() == ErrorKind::Interrupted => continue,
                Err(err) => return Err(err),
            }
            self.now = Instant::now();
            for event in &events {
                self.heed(event);
                self.shed();
            }
            self.let_in();
            self.shed();
            for place in std::mem::take(&mut self.answered) {
                self.drive(place);
            }
            (0..LANES).for_each(|index| self.send_off(index));
            if self.now >= self.look_at {
                self.look();
            }
            if self.closing.is_some_and(|end| self.visitors.is_empty() || self.now >= end) {
                return Ok(());
            }
        }
    }

    /// How long nothing needs to be done if nothing happens.
    fn patience(&self) -> Option<Duration> {
        let until = |at: Instant| at.saturating_duration_since(Instant::now());
        if !self.answered.is_empty() {
            return Some(Duration::ZERO);
        }
        if self.knocked.contains(&true) {
            return Some(self.accept_after.map_or(Duration::ZERO, until));
        }
        let is_still = self.visitors.is_empty() && self.closing.is_none();
        (!is_still).then(|| until(self.look_at).max(Duration::from_millis(1)))
    }

    fn heed(&mut self, event: &Readiness) {
        match event.token() {
            WAKER => self.obey(),
            Token(door) if door < PLACES => {
                // A door may be closed by now.
                if let Some(knocked) = self.knocked.get_mut(door - DOORS) {
                    *knocked = true;
                }
            }
            Token(place) if (place - PLACES).is_multiple_of(2) => {
                self.heed_visitor((place - PLACES) / 2, event);
            }
            Token(place) => self.heed_link((place - PLACES) / 2, event),
        }
    }

    fn obey(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Follow(workers) => {
                    self.generation = workers.generation;
                    self.lanes[PAGES].follow(workers.pages);
                    self.lanes[WRITES].follow(workers.writes);
                    self.lanes[SLOW].follow(workers.slow);
                    self.leave_old_workers();
                }
                Command::Stop => self.stop(),
            }
        }
    }

    // A visitor.

    fn heed_visitor(&mut self, place: usize, event: &Readiness) {
        let Some(visitor) = self.visitors.get_mut(place) else { return };
        visitor.is_ending |= event.is_read_closed();
        visitor.is_readable |= event.is_readable() || event.is_read_closed();
        if event.is_error() || (event.is_read_closed() && event.is_write_closed()) {
            // Nobody is left to read the answer.
            return self.close(place);
        }
        self.drive(place);
    }

    /// Goes as far with a visitor as the sockets allow.
    fn drive(&mut self, place: usize) {
        while let Some(visitor) = self.visitors.get(place) {
            let has_moved = match visitor.phase {
                Phase::Reading => self.receive(place),
                Phase::Writing => self.write_on(place),
                Phase::Lingering => self.swallow(place),
                Phase::Waiting | Phase::Away => false,
            };
            if !has_moved {
                break;
            }
        }
        self.weigh(place);
    }

    fn receive(&mut self, place: usize) -> bool {
        let visitor = &mut self.visitors[place];
        match visitor.arrival.advance() {
            Ok(Step::Whole(head, body)) => self.line_up(place, &head, &body),
            Ok(Step::Continue) => self.say_continue(place),
            Ok(Step::Partial) if visitor.is_readable => self.read(place),
            Ok(Step::Partial) => false,
            Err(problem) => self.refuse(place, problem),
        }
    }

    fn read(&mut self, place: usize) -> bool {
        let visitor = &mut self.visitors[place];
        let had_begun = !visitor.arrival.is_empty();
        match visitor.read(&mut self.scratch) {
            Moved::Bytes(0) | Moved::Gone => self.close(place),
            Moved::Later => return false,
            Moved::Bytes(count) => {
                visitor.arrival.push(&self.scratch[..count]);
                if !had_begun {
                    visitor.deadline = self.now + self.limits.request;
                }
            }
        }
        true
    }

    fn say_continue(&mut self, place: usize) -> bool {
        const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        match stream::moved(|| self.visitors[place].stream.write(CONTINUE)) {
            // Without it, clients send the body after a while all the same.
            Moved::Later => {}
            Moved::Bytes(count) if count == CONTINUE.len() => {}
            Moved::Bytes(_) | Moved::Gone => self.close(place),
        }
        true
    }

    /// Answers a request whose answer waits for nobody. `false`: it has to go to a worker.
    fn answer_at_once(&mut self, place: usize, head: &Head, body: &[u8]) -> bool {
        let request = head.request(body, self.visitors[place].peer);
        let is_to_head = head.method() == crate::web::http::Method::Head;
        let Some(said) = self.reception.answer_at_once(&request, is_to_head) else { return false };
        if said.status != 200 {
            let status = said.status.to_string();
            self.note(said.event.name(), &[("status", &status), ("path", HEALTH)]);
        }
        self.say(place, &said, head.persistence);
        true
    }

    /// Answers a request that is not looked at any further, and says goodbye: what follows it can
    /// not be told from its rest.
    fn refuse(&mut self, place: usize, problem: Problem) -> bool {
        let visitor = &mut self.visitors[place];
        // Whoever asks on behalf of a proxy gets an answer that the proxy understands, and a person gets
        // a page.
        let request = visitor.arrival.known(visitor.peer);
        visitor.is_to_head = visitor.arrival.is_to_head();
        visitor.arrival = Arrival::default();
        visitor.persistence = Persistence::Closed;
        self.answer(place, problem, request.as_ref());
        true
    }

    /// Answers in the place of a worker.
    fn answer(&mut self, place: usize, problem: Problem, request: Option<&Request>) {
        let visitor = &self.visitors[place];
        let persistence = visitor.persistence;
        // Behind a proxy it is the client who is to be told from others.
        let client = request.and_then(|it| self.reception.client(it)).or(visitor.peer);
        let client = client.map_or("-".to_owned(), |it| it.to_string());
        let said = self.reception.refuse(problem, request, visitor.is_to_head);
        self.note(problem.event().name(), &[("status", &said.status.to_string()), ("ip", &client)]);
        self.say(place, &said, persistence);
    }

    /// Begins to write an answer of the gate's own.
    fn say(&mut self, place: usize, said: &Said, wanted: Persistence) {
        let persistence = self.persistence(wanted);
        let bytes = response_frame::with_connection(&said.bytes, persistence);
        let deadline = self.now + self.limits.answer;
        self.visitors[place].begin_to_write(&bytes, persistence, deadline);
    }

    /// What becomes of a connection: none is kept when serving ends.
    const fn persistence(&self, wanted: Persistence) -> Persistence {
        if self.closing.is_some() { Persistence::Closed } else { wanted }
    }

    fn write_on(&mut self, place: usize) -> bool {
        let visitor = &mut self.visitors[place];
        let is_last = self.closing.is_some() && visitor.arrival.is_empty();
        match visitor.write_on() {
            Some(Moved::Gone) => self.close(place),
            Some(_) => return false,
            None if visitor.then == Then::Close || is_last => self.say_goodbye(place),
            None => {
                visitor.phase = Phase::Reading;
                visitor.since = self.now;
                let begun = !visitor.arrival.is_empty();
                let limits = &self.limits;
                visitor.deadline = self.now + if begun { limits.request } else { limits.idle };
            }
        }
        true
    }

    /// Closes a connection so that its last answer arrives: hanging up while something unread is
    /// here would reset it, and the client might never see what we wrote.
    fn say_goodbye(&mut self, place: usize) {
        let visitor = &mut self.visitors[place];
        if visitor.stream.shut().is_err() {
            return self.close(place);
        }
        visitor.phase = Phase::Lingering;
        visitor.since = self.now;
        visitor.deadline = self.now + LINGER;
    }

    fn swallow(&mut self, place: usize) -> bool {
        let visitor = &mut self.visitors[place];
        if !visitor.is_readable {
            return false;
        }
        match visitor.read(&mut self.scratch) {
            Moved::Later => return false,
            Moved::Bytes(0) | Moved::Gone => self.close(place),
            Moved::Bytes(count) => {
                visitor.swallowed += count;
                if visitor.swallowed > SWALLOWED_BYTES_MAX {
                    self.close(place);
                }
            }
        }
        true
    }

    fn close(&mut self, place: usize) {
        self.leave_seat(place);
        let visitor = self.visitors.remove(place);
        self.held -= visitor.weighed;
        if let Some(home) = visitor.home
            && let Some(count) = self.homes.get_mut(&home)
        {
            *count -= 1;
            if *count == 0 {
                self.homes.remove(&home);
            }
        }
    }

    /// Counts the memory that a visitor holds.
    fn weigh(&mut self, place: usize) {
        let Some(visitor) = self.visitors.get_mut(place) else { return };
        let weight = visitor.weight();
        self.held = self.held - visitor.weighed + weight;
        visitor.weighed = weight;
    }

    /// Takes memory back while all visitors together hold too much: first from the request that has
    /// been on its way the longest, then from whoever has not read their answer the longest.
    fn shed(&mut self) {
        while self.held > HELD_BYTES_MAX {
            if let Some(place) = self.first_to_go(Phase::Reading) {
                self.refuse(place, Problem::Busy);
                self.drive(place);
            } else if let Some(place) = self.first_to_go(Phase::Writing) {
                self.close(place);
            } else {
                return;
            }
        }
    }

    fn first_to_go(&self, phase: Phase) -> Option<usize> {
        let holds = |it: &Visitor| it.phase == phase && it.weighed > 0;
        let all = self.visitors.iter().filter(|(_, it)| holds(it));
        all.min_by_key(|(_, it)| it.deadline).map(|(place, _)| place)
    }

    // Time.

    /// Looks at every deadline.
    fn look(&mut self) {
        self.look_at = self.now + LOOK;
        let late = self.visitors.iter().filter(|(_, it)| self.now >= it.deadline);
        let late: Vec<_> = late.map(|(place, it)| (place, it.phase)).collect();
        for (place, phase) in late {
            let Some(visitor) = self.visitors.get_mut(place) else { continue };
            match phase {
                Phase::Reading if !visitor.arrival.is_empty() => {
                    self.refuse(place, Problem::TooSlow);
                    self.drive(place);
                }
                Phase::Waiting => {
                    self.leave_seat(place);
                    self.give_up(place);
                }
                Phase::Away => {
                    visitor.persistence = Persistence::Closed;
                    self.answer(place, Problem::Busy, None);
                    self.drive(place);
                }
                Phase::Reading | Phase::Writing | Phase::Lingering => self.close(place),
            }
        }
    }

    fn note(&self, event: &str, fields: &[(&str, &str)]) {
        self.log.write(Kind::Request, event, fields, Moment::now());
    }
}

#[cfg(test)]
mod tests {
    use super::limits::PAGES_A_LINK;
    use super::stream::Stream;
    use super::*;
    use crate::base::password::{Cost, Hasher};
    use crate::store::Sqlite;
    use crate::web::Settings;
    use std::net::IpAddr;

    /// A gate without doors, with two connections for an address and a proxy at 10.0.0.1.
    fn gate(folder: &tempfile::TempDir) -> Gate {
        let store = Sqlite::open(&folder.path().join("a.db")).unwrap();
        let hasher = Hasher::new(1, Cost { memory_kib: 64, passes: 1, lanes: 1 });
        let site = Arc::new(Site::new(Box::new(store), hasher, Settings::default()));
        let limits = Limits {
            request: LINGER,
            idle: LINGER,
            answer: LINGER,
            connections: 100,
            connections_per_address: 2,
            trusted_proxies: vec!["10.0.0.1/32".parse().unwrap()],
            workers: 1,
            hashers: 1,
        };
        let log = Arc::new(Log::to(io::sink()));
        Gate::new(Doors(Vec::new()), limits, site, log, |_| {}).unwrap().0
    }

    /// Somebody knocks from there; their end of the connection, and whether they were let in.
    fn knock(gate: &mut Gate, from: &str) -> (std::os::unix::net::UnixStream, bool) {
        let (here, there) = std::os::unix::net::UnixStream::pair().unwrap();
        here.set_nonblocking(true).unwrap();
        let before = gate.visitors.len();
        let stream = Stream::Unix(mio::net::UnixStream::from_std(here));
        gate.admit(stream, Some(from.parse().unwrap()));
        (there, gate.visitors.len() > before)
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
            let places: Vec<_> = gate.visitors.iter().map(|(place, _)| place).collect();
            for place in places {
                gate.visitors[place].is_readable = true;
                gate.drive(place);
            }
            assert!(knock(&mut gate, there).1, "one has left");
        }
    }

    /// A client of the proxy at 10.0.0.1 sends this; their end of the connection.
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

    /// What has come so far.
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
        gate.reception = Reception::of(Arc::new(Site::new(Box::new(store), hasher, settings)));
        gate.limits.connections = 1_000;
        gate
    }

    #[test]
    fn takes_a_seat_from_whoever_holds_the_most_for_somebody_else() {
        for (line, index) in [("POST /login", SLOW), ("POST /logout", WRITES)] {
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
    fn lets_nobody_fill_the_lane_for_pages_while_others_wait() {
        let folder = tempfile::tempdir().unwrap();
        let mut gate = gate_behind_proxy(&folder);
        let seats = gate.lanes[PAGES].bounds.waiting;
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
        assert_eq!((refused, gate.lanes[PAGES].queue.len()), (50, seats));
    }

    #[test]
    fn gives_the_seat_of_somebody_who_has_hung_up_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let mut gate = gate_behind_proxy(&folder);
        let seats = gate.lanes[SLOW].bounds.waiting;
        for _ in 0..seats {
            drop(send(&mut gate, "192.0.2.1", "POST /login"));
        }
        let places: Vec<_> = gate.visitors.iter().map(|(place, _)| place).collect();
        for place in places {
            gate.close(place);
        }
        assert!(gate.lanes.iter().all(|lane| lane.queue.len() == 0));
        assert!(answer(&mut send(&mut gate, "192.0.2.1", "POST /login")).is_empty());
    }

    #[test]
    fn says_busy_to_whoever_waits_for_longer_than_a_request_may_take() {
        for line in ["POST /login", "POST /logout", "GET /"] {
            let folder = tempfile::tempdir().unwrap();
            let mut gate = gate_behind_proxy(&folder);
            let mut stream = send(&mut gate, "192.0.2.1", line);
            gate.now += Duration::from_millis(2_900);
            gate.look();
            assert_eq!(answer(&mut stream), "", "{line}");
            gate.now += Duration::from_millis(100);
            gate.look();
            let said = answer(&mut stream);
            assert!(said.starts_with("HTTP/1.1 503 ") && said.contains("\r\nRetry-After: 1\r\n"));
            assert!(gate.lanes.iter().all(|lane| lane.queue.len() == 0), "{line}");
            // They may ask again on the same connection.
            assert!(!said.contains("Connection: close"), "{said}");
        }
    }

    #[test]
    fn lets_nothing_wait_behind_what_may_write_or_hash_and_nobody_hold_all_writers() {
        let folder = tempfile::tempdir().unwrap();
        let gate = gate(&folder);
        let [pages, writes, slow] = &gate.lanes;
        assert_eq!([pages, writes, slow].map(|it| it.bounds.depth), [PAGES_A_LINK, 1, 1]);
        assert!(writes.bounds.each < writes.bounds.links);
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
