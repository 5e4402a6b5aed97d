//! Connections to the workers: how complete requests leave the gate, and how responses come back.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::Token;
use mio::event::Event as Readiness;

use super::connection::{Connection, Phase};
use super::head::Persistence;
use super::lane::LaneState;
use super::queue::{Client, RequestId, subscriber_of};
use super::response_frame::{self, Gathered};
use super::stream::{Moved, Stream, moved};
use super::{ACCEPT_PAUSE, FIRST_KEY, Gate, GateEvent, WORK};
use crate::web::http::Problem;

/// How long a request may wait behind others of the same worker. After this time without a response a worker is taken to
/// be at something slow, and others get the next requests.
pub(super) const STALL: Duration = Duration::from_millis(1);

/// Of how many responses the pace of a worker is the average, roughly.
const PACED_BY: u32 = 8;

/// A request that was sent to the workers and has no response yet.
#[derive(Clone, Copy)]
pub(super) struct InFlight {
    pub(super) id: RequestId,
    pub(super) client: Client,
    pub(super) is_to_head: bool,
}

/// A private connection to the workers of a lane.
pub(super) struct BackendConnection {
    pub(super) stream: Stream,
    pub(super) lane: usize,
    /// The socket it leads to, by its place among those of the lane.
    place: usize,
    pub(super) generation: u64,
    /// The requests sent on it, in the order in which the responses will come.
    pub(super) in_flight: VecDeque<InFlight>,
    pub(super) is_proven: bool,
    /// When the worker could begin with the first request in flight.
    moved_at: Instant,
    /// How long the worker has taken for a response lately.
    pub(super) pace: Duration,
    outbox: Vec<u8>,
    sent: usize,
    inbox: Vec<u8>,
    /// How many bytes of the inbox were handed out.
    used: usize,
}

impl BackendConnection {
    /// Connects to a socket of a lane, given by its place.
    pub(super) fn connect(
        lane: &LaneState,
        (index, place): (usize, usize),
        generation: u64,
        now: Instant,
    ) -> io::Result<Self> {
        let path = lane.paths.get(place).ok_or(ErrorKind::NotFound)?;
        let stream = Stream::Unix(mio::net::UnixStream::connect(path)?);
        Ok(Self {
            stream,
            lane: index,
            place,
            generation,
            in_flight: VecDeque::new(),
            is_proven: false,
            moved_at: now,
            pace: Duration::ZERO,
            outbox: Vec::new(),
            sent: 0,
            inbox: Vec::new(),
            used: 0,
        })
    }

    /// Appends a request; [`BackendConnection::write_on`] sends it.
    pub(super) fn load(&mut self, in_flight: InFlight, job: &[u8], now: Instant) {
        if self.in_flight.is_empty() {
            self.moved_at = now;
        }
        self.in_flight.push_back(in_flight);
        self.outbox.extend_from_slice(job);
    }

    /// Whether it can take a request, which is answered at once or within `stall` behind others.
    fn flows(&self, depth: usize, stall: Duration, now: Instant) -> bool {
        let waiting = u32::try_from(self.in_flight.len()).unwrap_or(u32::MAX);
        waiting == 0
            || self.in_flight.len() < depth
                && now.saturating_duration_since(self.moved_at) < stall
                && self.pace.saturating_mul(waiting) < stall
    }

    /// Writes as much as the socket takes. `false` if the connection is broken.
    pub(super) fn write_on(&mut self) -> bool {
        while self.sent < self.outbox.len() {
            match moved(|| self.stream.write(&self.outbox[self.sent..])) {
                Moved::Bytes(count) => self.sent += count,
                Moved::Later => return true,
                Moved::Gone => return false,
            }
        }
        self.outbox.clear();
        self.sent = 0;
        true
    }

    /// Reads what has arrived, up to the end if the other side `is_ending`. `false` if the connection has
    /// ended.
    pub(super) fn read_on(&mut self, scratch: &mut [u8], is_ending: bool) -> bool {
        loop {
            match moved(|| self.stream.read(scratch)) {
                Moved::Bytes(0) | Moved::Gone => return false,
                Moved::Later => return true,
                Moved::Bytes(count) => {
                    self.inbox.extend_from_slice(&scratch[..count]);
                    // The buffer was not filled, so nothing is left; what comes later is another event.
                    if count < scratch.len() && !is_ending {
                        return true;
                    }
                }
            }
        }
    }

    /// The next response, and the request that it answers. `None` if it is not complete, and an error if
    /// the bytes are not a response of ours.
    pub(super) fn next(&mut self, now: Instant) -> Result<Option<(InFlight, &[u8])>, BadResponse> {
        let start = self.used;
        if start == self.inbox.len() {
            self.inbox.clear();
            self.used = 0;
            return Ok(None);
        }
        let Some(&in_flight) = self.in_flight.front() else { return Err(BadResponse) };
        match response_frame::gathered(&self.inbox[start..], in_flight.is_to_head) {
            Gathered::Partial => Ok(None),
            Gathered::Broken => Err(BadResponse),
            Gathered::Whole(length) => {
                self.in_flight.pop_front();
                let took = now.saturating_duration_since(self.moved_at);
                self.pace = (self.pace * (PACED_BY - 1) + took) / PACED_BY;
                self.moved_at = now;
                self.used += length;
                Ok(Some((in_flight, &self.inbox[start..start + length])))
            }
        }
    }
}

/// The bytes from a worker are not a response: none was expected, or it is not framed as ours are.
pub(super) struct BadResponse;

impl Gate {
    /// Sends queued requests of a lane, as long as workers can take them.
    pub(super) fn dispatch(&mut self, index: usize) {
        while let Some((client, id)) = self.next_of(index) {
            if let Some(connection) = self.waiting(id) {
                let in_flight = InFlight { id, client, is_to_head: connection.is_to_head };
                let Some(key) = self.free_backend(index) else { break };
                let connection = &mut self.connections[id.connection];
                self.backends[key].load(in_flight, &std::mem::take(&mut connection.job), self.now);
                connection.phase = Phase::Away;
                connection.seat = None;
                connection.deadline = connection.arrived + WORK;
                self.account_memory(id.connection);
            }
            self.lanes[index].queue.take(client);
        }
        // Only now, so that requests on the same connection go in one write.
        let broken = |key: &usize| !self.backends[*key].write_on();
        let broken: Vec<_> = self.lanes[index].backends.iter().copied().filter(broken).collect();
        for key in broken {
            self.fail_backend(key);
        }
    }

    /// The next request of a lane whose subscriber has not too many in flight.
    pub(super) fn next_of(&self, index: usize) -> Option<(Client, RequestId)> {
        let lane = &self.lanes[index];
        let in_flight = || lane.backends.iter().flat_map(|&it| &self.backends[it].in_flight);
        let is_short = |subscriber| {
            let theirs = in_flight().filter(|it| subscriber_of(it.client) == subscriber);
            theirs.count() < lane.bounds.each
        };
        lane.queue.first(|subscriber| lane.bounds.each == usize::MAX || is_short(subscriber))
    }

    /// The connection of this request, if the request still waits.
    pub(super) fn waiting(&self, id: RequestId) -> Option<&Connection> {
        let connection = self.connections.get(id.connection)?;
        (connection.serial == id.serial && connection.phase == Phase::Waiting).then_some(connection)
    }

    /// A connection to the workers that can take a request: the first one that flows, a new one, or the one with the
    /// most room behind other requests.
    fn free_backend(&mut self, index: usize) -> Option<usize> {
        let lane = &self.lanes[index];
        let depth = lane.bounds.depth;
        let flows = |key: &&usize| self.backends[**key].flows(depth, self.stall, self.now);
        if let Some(&key) = lane.backends.iter().find(flows) {
            return Some(key);
        }
        let load = |key: usize| (self.backends[key].in_flight.len(), key);
        let least = lane.backends.iter().map(|&it| load(it)).min();
        let with_room = least.filter(|(load, _)| *load < depth).map(|(_, key)| key);
        self.open_backend(index).or(with_room)
    }

    fn open_backend(&mut self, index: usize) -> Option<usize> {
        let lane = &mut self.lanes[index];
        if !lane.may_open() || self.unreachable == self.generation {
            return None;
        }
        let leading_to = |place: usize| {
            lane.backends.iter().filter(|it| self.backends[**it].place == place).count()
        };
        let place = (0..lane.paths.len()).min_by_key(|it| leading_to(*it)).unwrap_or(0);
        let entry = self.backends.vacant_entry();
        let key = entry.key();
        let connected = BackendConnection::connect(lane, (index, place), self.generation, self.now)
            .and_then(|mut backend| {
                let token = Token(FIRST_KEY + 2 * key + 1);
                backend.stream.register(self.poll.registry(), token).map(|()| backend)
            });
        match connected {
            Ok(backend) => {
                entry.insert(backend);
                lane.backends.push(key);
                lane.unproven = true;
                Some(key)
            }
            // Out of descriptors for the moment.
            Err(err)
                if !matches!(err.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) =>
            {
                self.evict(ACCEPT_PAUSE);
                None
            }
            Err(_) => {
                self.unreachable = self.generation;
                (self.notify)(GateEvent::Unreachable(self.generation));
                None
            }
        }
    }

    pub(super) fn handle_backend(&mut self, key: usize, event: &Readiness) {
        let Some(backend) = self.backends.get_mut(key) else { return };
        let mut is_sound = !event.is_writable() || backend.write_on();
        let is_ending = event.is_read_closed() || event.is_error();
        if event.is_readable() || is_ending {
            is_sound &= backend.read_on(&mut self.scratch, is_ending);
            is_sound &= self.deliver_all(key);
        }
        let backend = &self.backends[key];
        if !is_sound {
            self.fail_backend(key);
        } else if backend.generation != self.generation && backend.in_flight.is_empty() {
            self.drop_backend(key);
        }
    }

    /// Passes every complete response to the connection that waits for it. `false` if the bytes are not a
    /// response.
    fn deliver_all(&mut self, key: usize) -> bool {
        loop {
            let backend = &mut self.backends[key];
            let lane = backend.lane;
            let (in_flight, answer) = match backend.next(self.now) {
                Ok(Some(found)) => found,
                Ok(None) => return true,
                Err(BadResponse) => return false,
            };
            let id = in_flight.id;
            let awaited = self.connections.get(id.connection).filter(|it| it.is_away_with(id));
            if let Some(connection) = awaited {
                let wanted = connection.persistence;
                let persistence = if self.closing.is_some() { Persistence::Closed } else { wanted };
                let deadline = self.now + self.limits.answer;
                if let Some(metrics) = &self.metrics {
                    metrics.count_duration(lane, self.now - connection.arrived);
                }
                let connection = &mut self.connections[id.connection];
                if persistence == Persistence::Kept {
                    connection.begin_to_write(answer, persistence, deadline);
                } else {
                    let answer = response_frame::with_connection(answer, persistence);
                    connection.begin_to_write(&answer, persistence, deadline);
                }
            }
            if !std::mem::replace(&mut backend.is_proven, true)
                && backend.generation == self.generation
            {
                self.lanes[lane].unproven = false;
            }
            self.drive(id.connection);
        }
    }

    /// Gives up a broken connection to the workers. Its requests may have been processed or not, so they
    /// are not repeated.
    pub(super) fn fail_backend(&mut self, key: usize) {
        for in_flight in std::mem::take(&mut self.backends[key].in_flight) {
            let id = in_flight.id;
            let connection = self.connections.get_mut(id.connection);
            if let Some(connection) = connection.filter(|it| it.is_away_with(id)) {
                connection.persistence = Persistence::Closed;
                self.answer(id.connection, Problem::Busy, None);
                self.drive(id.connection);
            }
        }
        self.drop_backend(key);
    }

    fn drop_backend(&mut self, key: usize) {
        let backend = self.backends.remove(key);
        if backend.generation == self.generation {
            let lane = &mut self.lanes[backend.lane];
            lane.backends.retain(|&it| it != key);
            lane.unproven &= backend.is_proven;
        } else {
            self.leave_old_workers();
        }
    }

    /// Closes idle connections to older workers, and reports when none is left.
    pub(super) fn leave_old_workers(&mut self) {
        let generation = self.generation;
        self.backends
            .retain(|_, backend| backend.generation == generation || !backend.in_flight.is_empty());
        if self.backends.iter().all(|(_, backend)| backend.generation == generation) {
            (self.notify)(GateEvent::Left(generation));
        }
    }
}
