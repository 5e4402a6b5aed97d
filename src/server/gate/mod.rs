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
//! The files beside this one are pure (`head`, `chunks`, `arrival`, `answer`, `queue`, `deadline`) or hold
//! one thing (`socket`, `visitor`, `lane`, `reception`). Here is what moves them; `relay` has the half that faces the
//! workers.

mod answer;
pub mod arrival;
mod chunks;
pub mod deadline;
pub mod head;
mod lane;
mod queue;
mod reception;
mod relay;
mod socket;
mod visitor;

use std::collections::HashMap;
use std::io::{self, ErrorKind, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use mio::event::Event as Readiness;
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;

use crate::base::clock::Moment;
use crate::base::ip_prefix::Neighbourhood;
use crate::server::log::{Kind, Log};
use crate::web::http::{Problem, Request};
use crate::web::{self, HEALTH, Site};

use arrival::{Arrival, Step};
use head::{Head, Persistence};
use lane::{Bounds, Lane, Link};
use queue::{Client, Ticket};
use reception::{Reception, Said};
pub use socket::Listen;
use socket::{Door, Moved, Stream};
use visitor::{Phase, Then, Visitor};

/// Bytes that all connections together may hold. Beyond it the request that has been on its way
/// the longest is refused.
pub const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Connections at once, at most, however many descriptors there are.
pub const CONNECTIONS_MAX: usize = 16_384;

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

/// Requests for pages that may wait.
const PAGES_WAITING_MAX: usize = 256;

/// So many of them wait before it is asked whose they are: less are answered in a moment anyway.
const PAGES_WAITING_FREE: usize = 64;

/// Workers of the lane for what writes and hashes nothing. Writes happen one after the other anyway; with two
/// one client may hold one of them and no more.
pub const WRITERS: usize = 2;

/// Requests that may wait for them: more than a slow disk writes while one may wait. Where they are refused at
/// once, clients that come back at once cost more than their places.
const WRITES_WAITING_MAX: usize = 512;

/// Requests that wait for a hasher, at most, for each of them: about half a second of work. And at
/// least so many in all, so that fifty people can sign in at the same moment on one core.
const WAITING_A_HASHER: usize = 32;
const WAITING_MIN: usize = 64;

/// Requests for pages on one connection to the workers, one behind the other: they are quick.
const PAGES_A_LINK: usize = 8;

/// Connections to the workers for each hasher: the next request is there when it is done with one.
const LINKS_A_HASHER: usize = 2;

/// How the gate is set up.
#[derive(Clone)]
pub struct Limits {
    /// How long a request may take to arrive whole, from its first byte.
    pub request: Duration,
    /// How long a connection may be open without one.
    pub idle: Duration,
    /// How long a client may take to read an answer.
    pub answer: Duration,
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address, or from one IPv6 network of 64 bits. This machine
    /// itself is exempt, as the reverse proxy stands there.
    pub connections_per_address: usize,
    /// Reverse proxies elsewhere: exempt as well.
    pub trusted_proxies: Vec<IpNet>,
    /// Workers of the page lane. Those of the lane for writes are always [`WRITERS`].
    pub workers: usize,
    /// Workers of the slow lane.
    pub hashers: usize,
}

impl Limits {
    /// Connections to the workers at once.
    pub fn links_max(&self) -> usize {
        self.lanes().iter().map(|(_, bounds)| bounds.links).sum()
    }

    /// Threads of all lanes: their workers, and for each lane one of tiny_http's that accepts and one for each
    /// connection, of which it never has less than four.
    pub fn lane_threads(&self) -> usize {
        self.lanes().iter().map(|(workers, bounds)| workers + 1 + bounds.links.max(4)).sum()
    }

    /// Threads that may read the database at the same moment: all workers, and those that look after it.
    pub const fn threads_that_read(&self) -> usize {
        self.workers + WRITERS + self.hashers + 3
    }

    /// The workers of each lane, and what it may hold.
    fn lanes(&self) -> [(usize, Bounds); LANES] {
        let pages = Bounds {
            waiting: PAGES_WAITING_MAX,
            links: self.workers,
            depth: PAGES_A_LINK,
            each: usize::MAX,
        };
        let writes =
            Bounds { waiting: WRITES_WAITING_MAX, links: WRITERS, depth: 1, each: WRITERS - 1 };
        let slow = Bounds {
            waiting: WAITING_MIN.max(WAITING_A_HASHER * self.hashers),
            links: LINKS_A_HASHER * self.hashers,
            depth: 1,
            each: usize::MAX,
        };
        [(self.workers, pages), (WRITERS, writes), (self.hashers, slow)]
    }
}

/// The sockets that people come in by, before anybody is let in.
pub struct Doors(Vec<Door>);

impl Doors {
    /// Begins to listen. Sockets that a service manager passes take the place of `listen`. A Unix
    /// socket gets the mode `mode`. An error is one line for the operator.
    pub fn open(listen: &[Listen], mode: u32) -> Result<Self, String> {
        let inherited =
            Door::inherited().map_err(|err| format!("cannot use the sockets passed: {err}"))?;
        if !inherited.is_empty() {
            return Ok(Self(inherited));
        }
        let open = |it: &Listen| {
            Door::open(it, mode).map_err(|err| format!("cannot listen on {it}: {err}"))
        };
        listen.iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    /// Where they are, as text: the port is the one that was found if any would do.
    pub fn addresses(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

/// The workers that the gate hands requests to: a generation of them, and where each lane listens.
#[derive(Clone)]
pub struct Workers {
    /// Counts up.
    pub generation: u64,
    /// The socket of the page lane.
    pub pages: PathBuf,
    /// The socket of the lane for writes.
    pub writes: PathBuf,
    /// The socket of the slow lane.
    pub slow: PathBuf,
}

/// What the gate has to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// The workers of this generation do not take connections any more.
    Unreachable(u64),
    /// No connection to workers older than this generation is left.
    Left(u64),
}

/// What the gate is told.
enum Command {
    Follow(Workers),
    Stop,
}

/// Speaks to a gate that runs in its own thread.
pub struct Remote {
    commands: Sender<Command>,
    waker: Arc<Waker>,
}

impl Remote {
    /// Hands requests to these workers from now on.
    pub fn follow(&self, workers: Workers) {
        self.say(Command::Follow(workers));
    }

    /// Lets nobody in any more, and ends when everybody is served.
    pub fn stop(&self) {
        self.say(Command::Stop);
    }

    fn say(&self, command: Command) {
        // A gate that is gone needs no more commands.
        let _ = self.commands.send(command);
        let _ = self.waker.wake();
    }
}

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

    // Letting in.

    fn let_in(&mut self) {
        if self.accept_after.is_some_and(|at| self.now < at) {
            return;
        }
        self.accept_after = None;
        for door in 0..self.doors.len() {
            let mut accepted = 0;
            while self.knocked[door] && accepted < ACCEPTED_A_TURN && self.accept_after.is_none() {
                self.accept(door);
                accepted += 1;
            }
        }
    }

    fn accept(&mut self, door: usize) {
        match self.doors[door].accept() {
            Ok((stream, peer)) => self.admit(stream, peer),
            Err(err) if err.kind() == ErrorKind::WouldBlock => self.knocked[door] = false,
            Err(err)
                if matches!(err.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
            Err(err) => {
                // No descriptor or no memory is left: give one back, and let some time pass.
                self.note("accept_failed", &[("cause", &err.to_string())]);
                // The kernel says so even when nobody is waiting: who has just come in may stay.
                self.evict(ACCEPT_PAUSE);
                self.accept_after = Some(self.now + ACCEPT_PAUSE);
            }
        }
    }

    /// Takes a connection in. At the cap those go that have been without a request the longest, so
    /// that the newest visitor always gets in while anybody is idle.
    fn admit(&mut self, mut stream: Stream, peer: Option<IpAddr>) {
        if self.visitors.len() >= self.limits.connections {
            self.evict(Duration::ZERO);
        }
        if self.visitors.len() >= self.limits.connections {
            return self.turn_away(stream);
        }
        let home = peer.filter(|it| !self.is_exempt(*it)).map(Neighbourhood::from);
        if let Some(home) = home {
            let count = self.homes.entry(home).or_default();
            if *count >= self.limits.connections_per_address {
                return self.turn_away(stream);
            }
            *count += 1;
        }
        let entry = self.visitors.vacant_entry();
        let place = entry.key();
        let registered = stream.register(self.poll.registry(), Token(PLACES + 2 * place));
        let deadline = self.now + self.limits.idle;
        entry.insert(Visitor::new(stream, peer, home, self.now, deadline));
        match registered {
            Ok(()) => self.drive(place),
            Err(_) => self.close(place),
        }
    }

    fn is_exempt(&self, peer: IpAddr) -> bool {
        peer.is_loopback() || self.limits.trusted_proxies.iter().any(|it| it.contains(&peer))
    }

    /// Says that there is no room, if that fits into the first packet.
    fn turn_away(&mut self, mut stream: Stream) {
        self.note("turned_away", &[]);
        let said = self.reception.refuse(Problem::Busy, None, false);
        let _ = stream.write(&answer::with_connection(&said.bytes, Persistence::Closed));
    }

    /// Closes the connections that have been without a whole request the longest, for `age` at
    /// least: one in 64, as looking for them costs as much as for one.
    fn evict(&mut self, age: Duration) {
        let is_old = |it: &Visitor| it.is_evictable() && it.since + age <= self.now;
        let waiting = self.visitors.iter().filter(|(_, it)| is_old(it));
        let mut waiting: Vec<_> = waiting.map(|(place, it)| (it.since, place)).collect();
        let count = waiting.len().div_ceil(64);
        if count == 0 {
            return;
        }
        waiting.select_nth_unstable(count - 1);
        for &(_, place) in &waiting[..count] {
            self.close(place);
        }
        self.note("evicted", &[("connections", &count.to_string())]);
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
        match socket::moved(|| self.visitors[place].stream.write(CONTINUE)) {
            // Without it, clients send the body after a while all the same.
            Moved::Later => {}
            Moved::Bytes(count) if count == CONTINUE.len() => {}
            Moved::Bytes(_) | Moved::Gone => self.close(place),
        }
        true
    }

    /// Puts a whole request into its lane, or says that the lane is full.
    fn line_up(&mut self, place: usize, head: &Head, body: &[u8]) -> bool {
        if head.path() == HEALTH && self.answer_at_once(place, head, body) {
            return true;
        }
        let peer = self.visitors[place].peer;
        let request = || head.request(body, peer);
        let index = if head.may_cost() { self.lane_for(&request()) } else { PAGES };
        let is_anybodys = index == PAGES && self.lanes[PAGES].queue.len() < PAGES_WAITING_FREE;
        let client = if is_anybodys { None } else { self.reception.client(&request()) };
        let client: Client = client.map(Neighbourhood::from);
        let visitor = &mut self.visitors[place];
        visitor.persistence = head.persistence;
        visitor.is_to_head = head.method() == crate::web::http::Method::Head;
        if !self.has_seat(index, client) {
            self.answer(place, Problem::Busy, Some(&request()));
            return true;
        }
        self.serial += 1;
        let patience = self.reception.patience();
        let visitor = &mut self.visitors[place];
        visitor.serial = self.serial;
        visitor.arrived = self.now;
        visitor.deadline = self.now + patience;
        // A page waits for nothing that could take so long.
        let deadline = (index != PAGES).then_some(visitor.deadline);
        visitor.job = head.write(body, peer, deadline);
        visitor.phase = Phase::Waiting;
        visitor.seat = Some((index, client));
        self.lanes[index].queue.push(client, Ticket { visitor: place, serial: self.serial });
        false
    }

    /// The lane for a request that may be more than a look at a page.
    fn lane_for(&self, request: &Request) -> usize {
        match self.reception.lane(request) {
            web::Lane::Page => PAGES,
            web::Lane::Write => WRITES,
            web::Lane::Slow => SLOW,
        }
    }

    /// Whether a request of this client may wait in a lane. When all seats are taken, somebody else may have
    /// to give theirs up for it.
    fn has_seat(&mut self, index: usize, client: Client) -> bool {
        let lane = &mut self.lanes[index];
        if lane.queue.len() < lane.bounds.waiting {
            return true;
        }
        let Some((_, ticket)) = lane.queue.displace(client) else { return false };
        if self.waiting(ticket).is_some() {
            self.give_up(ticket.visitor);
        }
        true
    }

    /// Says that it is busy to a visitor whose request waits and has lost its seat: nothing was begun.
    fn give_up(&mut self, place: usize) {
        let visitor = &mut self.visitors[place];
        visitor.seat = None;
        let request = head::reread(&visitor.job, visitor.peer);
        self.answer(place, Problem::Busy, request.as_ref());
        // Not now: they may have the next request here already, which would take the seat.
        self.answered.push(place);
    }

    /// Takes the request of a visitor out of the queue in which it waits.
    fn leave_seat(&mut self, place: usize) {
        let visitor = &mut self.visitors[place];
        if let Some((index, client)) = visitor.seat.take() {
            let ticket = Ticket { visitor: place, serial: visitor.serial };
            self.lanes[index].queue.remove(client, ticket);
        }
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
        let bytes = answer::with_connection(&said.bytes, persistence);
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

    /// Lets in who has knocked already, closes the doors, and sends away who has nothing here.
    fn stop(&mut self) {
        if self.closing.is_some() {
            return;
        }
        for door in 0..self.doors.len() {
            self.knocked[door] = true;
            while self.knocked[door] && self.accept_after.is_none() {
                self.accept(door);
            }
        }
        self.doors.clear();
        self.knocked.clear();
        self.closing = Some(self.now + FAREWELL);
        let places: Vec<_> = self.visitors.iter().map(|(place, _)| place).collect();
        for place in places {
            // One last read: a request may lie in the kernel, its event not yet here.
            if let Some(visitor) = self.visitors.get_mut(place) {
                visitor.is_readable = true;
            }
            self.drive(place);
            let Some(visitor) = self.visitors.get_mut(place) else { continue };
            if visitor.phase == Phase::Reading && visitor.arrival.is_empty() {
                if visitor.serial == 0 {
                    visitor.deadline = visitor.deadline.min(self.now + LAST_CALL);
                } else {
                    self.close(place);
                }
            }
        }
    }

    fn note(&self, event: &str, fields: &[(&str, &str)]) {
        self.log.write(Kind::Request, event, fields, Moment::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::password::{Cost, Hasher};
    use crate::store::Sqlite;
    use crate::web::Settings;

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
