//! Connections to the workers: how complete requests leave the gate, and how responses come back.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::Token;
use mio::event::Event as Readiness;

use super::connection::{Connection, Phase};
use super::head::Persistence;
use super::lane::LaneState;
use super::limits::BYTES_A_BACKEND;
use super::queue::{Client, RequestId, subscriber_of};
use super::response_frame::{self, Gathered};
use super::stream::{Moved, Stream, moved};
use super::{ACCEPT_PAUSE, FIRST_KEY, Gate, GateEvent, WORK};
use crate::web::http::Problem;

/// How long a request may be expected to wait behind others of the same worker. A worker that has sent no response for
/// this long is taken to be at something slow, and gets no further request until it answers, unless it is on time.
pub(super) const STALL: Duration = Duration::from_millis(1);

/// The latest responses are one part of so many in the moving average of a worker's pace.
const PACE_WEIGHT: u32 = 8;

/// How much of a buffer for requests is kept when all are sent.
const OUTBOX_KEPT_BYTES: usize = 64 * 1024;

/// A request that was sent to the workers and has no response yet.
#[derive(Clone, Copy)]
pub(super) struct InFlight {
    pub(super) id: RequestId,
    pub(super) client: Client,
    pub(super) is_to_head: bool,
    pub(super) bytes: usize,
}

/// A private connection to the workers of a lane.
pub(super) struct BackendConnection {
    pub(super) stream: Stream,
    pub(super) lane: usize,
    /// The index of the socket that it leads to, among those of the lane.
    socket_index: usize,
    pub(super) generation: u64,
    /// The requests sent on it, in the order in which the responses will come.
    pub(super) in_flight: VecDeque<InFlight>,
    pub(super) is_proven: bool,
    /// The bytes of the requests in flight.
    pub(super) in_flight_bytes: usize,
    /// When the worker could begin with the first request in flight.
    moved_at: Instant,
    /// The responses since then.
    answered: u32,
    /// How long the worker has taken for a response lately.
    pub(super) pace: Duration,
    outbox: Vec<u8>,
    sent: usize,
    inbox: Vec<u8>,
    /// How many bytes of the inbox were handed out.
    used: usize,
}

impl BackendConnection {
    /// Connects to a socket of the lane with this index.
    pub(super) fn connect(
        lane: &LaneState,
        lane_index: usize,
        socket_index: usize,
        generation: u64,
        now: Instant,
    ) -> io::Result<Self> {
        let path = lane.paths.get(socket_index).ok_or(ErrorKind::NotFound)?;
        let stream = Stream::Unix(mio::net::UnixStream::connect(path)?);
        Ok(Self {
            stream,
            lane: lane_index,
            socket_index,
            generation,
            in_flight: VecDeque::new(),
            is_proven: false,
            in_flight_bytes: 0,
            moved_at: now,
            answered: 0,
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
        self.in_flight_bytes += in_flight.bytes;
        self.in_flight.push_back(in_flight);
        self.outbox.extend_from_slice(job);
    }

    /// Whether a request sent on it now can be expected to wait less than `stall` for the worker.
    fn flows(&self, depth: usize, stall: Duration, now: Instant) -> bool {
        let waiting = u32::try_from(self.in_flight.len()).unwrap_or(u32::MAX);
        waiting == 0
            || self.has_room(depth)
                && now.saturating_duration_since(self.moved_at) < stall
                && self.pace.saturating_mul(waiting) < stall
    }

    /// Whether its one request has been with the worker for less than twice the usual time, so that another one may wait
    /// behind it: a worker that has to be told what comes next is idle until then.
    fn is_on_time(&self, depth: usize, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.moved_at);
        self.in_flight.len() == 1 && self.has_room(depth) && since < 2 * self.pace
    }

    fn has_room(&self, depth: usize) -> bool {
        self.in_flight.len() < depth && self.in_flight_bytes < BYTES_A_BACKEND
    }

    /// Writes as much as the socket takes. `false` if the connection is broken.
    pub(super) fn write_on(&mut self) -> bool {
        while self.sent < self.outbox.len() {
            match moved(|| self.stream.write(&self.outbox[self.sent..])) {
                Moved::Bytes(count) => self.sent += count,
                Moved::Later => {
                    self.outbox.drain(..self.sent);
                    self.sent = 0;
                    return true;
                }
                Moved::Gone => return false,
            }
        }
        self.outbox.clear();
        self.outbox.shrink_to(OUTBOX_KEPT_BYTES);
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
    pub(super) fn next(&mut self) -> Result<Option<(InFlight, &[u8])>, BadResponse> {
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
                self.in_flight_bytes -= in_flight.bytes;
                self.answered += 1;
                self.used += length;
                Ok(Some((in_flight, &self.inbox[start..start + length])))
            }
        }
    }

    /// Takes note of how long the responses took that have been read since the last time.
    fn note_pace(&mut self, now: Instant) {
        if self.answered > 0 {
            let each = now.saturating_duration_since(self.moved_at) / self.answered;
            self.pace = (self.pace * (PACE_WEIGHT - 1) + each) / PACE_WEIGHT;
            self.moved_at = now;
            self.answered = 0;
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
                let in_flight = InFlight {
                    id,
                    client,
                    is_to_head: connection.is_to_head,
                    bytes: connection.job.len(),
                };
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

    /// A connection to the workers that can take a request: the first one that flows, a new one, or one that is on time.
    /// `None`: the request waits in its queue, where clients take turns and a deadline ends it.
    fn free_backend(&mut self, index: usize) -> Option<usize> {
        let lane = &self.lanes[index];
        let depth = lane.bounds.depth;
        let first = |can_take: &dyn Fn(&BackendConnection) -> bool| {
            lane.backends.iter().copied().find(|&key| can_take(&self.backends[key]))
        };
        if let Some(key) = first(&|it| it.flows(depth, self.stall, self.now)) {
            return Some(key);
        }
        let on_time = first(&|it| it.is_on_time(depth, self.now));
        self.open_backend(index).or(on_time)
    }

    fn open_backend(&mut self, index: usize) -> Option<usize> {
        let lane = &mut self.lanes[index];
        if !lane.may_open() || self.unreachable == self.generation {
            return None;
        }
        let leading_to = |socket: usize| {
            lane.backends.iter().filter(|it| self.backends[**it].socket_index == socket).count()
        };
        let socket = (0..lane.paths.len()).min_by_key(|it| leading_to(*it)).unwrap_or(0);
        let entry = self.backends.vacant_entry();
        let key = entry.key();
        let connected = BackendConnection::connect(lane, index, socket, self.generation, self.now)
            .and_then(|mut backend| {
                let token = Token(FIRST_KEY + 2 * key + 1);
                backend.stream.register(self.poll.registry(), token).map(|()| backend)
            });
        match connected {
            Ok(backend) => {
                entry.insert(backend);
                lane.backends.push(key);
                lane.unproven = lane.bounds.pools == 1;
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
            let (in_flight, answer) = match backend.next() {
                Ok(Some(found)) => found,
                Ok(None) => {
                    backend.note_pace(self.now);
                    return true;
                }
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
