//! A client connection and its state.

use std::io::{Read, Write};
use std::net::IpAddr;
use std::time::Instant;

use super::head::Persistence;
use super::queue::{Client, RequestId};
use super::request_reader::RequestReader;
use super::stream::{Moved, Stream, moved};
use crate::base::ip_prefix::ClientPrefix;

/// The phase of a connection. Each has one absolute deadline, and nothing that a client does extends it,
/// except completing the phase.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// It may send a request.
    Reading,
    /// Its request is queued.
    Waiting,
    /// Its request is with a worker.
    Away,
    /// Its response is being written.
    Writing,
    /// Its last response is sent. Further input is discarded until the client closes the connection, or for
    /// a while: closing it with unread input would reset it, and the client could lose the response.
    Lingering,
}

/// What follows the response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Then {
    Next,
    Close,
}

/// A client connection.
pub(super) struct Connection {
    pub(super) stream: Stream,
    /// `None` for a Unix socket.
    pub(super) peer: Option<IpAddr>,
    /// The peer as the workers get it with every request, made once.
    pub(super) peer_text: Option<String>,
    /// The client that the connection counts for, if connections of that client are limited.
    pub(super) client: Option<ClientPrefix>,
    pub(super) phase: Phase,
    pub(super) deadline: Instant,
    /// Since when it has had no complete request.
    pub(super) since: Instant,
    pub(super) reader: RequestReader,
    /// The number of its current request, unique in the gate.
    pub(super) serial: u64,
    /// While its request is queued: the lane, and the client.
    pub(super) seat: Option<(usize, Client)>,
    /// When that request was complete.
    pub(super) arrived: Instant,
    pub(super) is_to_head: bool,
    pub(super) persistence: Persistence,
    /// The request in the form that the workers get, while it is queued.
    pub(super) job: Vec<u8>,
    /// What is left to write, and how much of it was written.
    pub(super) outbox: Vec<u8>,
    pub(super) sent: usize,
    pub(super) then: Then,
    /// There may be input to read.
    pub(super) is_readable: bool,
    /// The client has closed its sending side.
    pub(super) is_ending: bool,
    /// Bytes discarded after the last response.
    pub(super) drained: usize,
    /// The memory for which it is accounted.
    pub(super) accounted: usize,
}

impl Connection {
    pub(super) fn new(
        stream: Stream,
        peer: Option<IpAddr>,
        client: Option<ClientPrefix>,
        head_bytes: usize,
        now: Instant,
        deadline: Instant,
    ) -> Self {
        Self {
            stream,
            peer,
            peer_text: peer.map(|it| it.to_string()),
            client,
            phase: Phase::Reading,
            deadline,
            since: now,
            reader: RequestReader::new(head_bytes),
            serial: 0,
            seat: None,
            arrived: now,
            is_to_head: false,
            persistence: Persistence::Kept,
            job: Vec::new(),
            outbox: Vec::new(),
            sent: 0,
            then: Then::Next,
            is_readable: true,
            is_ending: false,
            drained: 0,
            accounted: 0,
        }
    }

    /// Whether it may be closed to make room: it has no complete request.
    pub(super) const fn is_evictable(&self) -> bool {
        matches!(self.phase, Phase::Reading | Phase::Lingering)
    }

    /// Whether nothing of a request has arrived since the last response.
    pub(super) const fn is_without_request(&self) -> bool {
        matches!(self.phase, Phase::Reading) && self.reader.is_empty()
    }

    /// Whether it waits for the response to this request.
    pub(super) fn is_away_with(&self, id: RequestId) -> bool {
        self.phase == Phase::Away && self.serial == id.serial
    }

    /// The memory in use, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.reader.weight() + self.job.capacity() + self.outbox.capacity()
    }

    /// Reads into `scratch`. If that was not filled, no more input is expected; but if the client has
    /// closed its sending side, the end is still to be read.
    // LIMIT: TCP urgent data ends a read early. A client that uses it waits until it sends more.
    pub(super) fn read(&mut self, scratch: &mut [u8]) -> Moved {
        let result = moved(|| self.stream.read(scratch));
        self.is_readable = match result {
            Moved::Bytes(count) => count == scratch.len() || self.is_ending,
            Moved::Later | Moved::Gone => false,
        };
        result
    }

    /// Writes what is left. `None` if all of it is written.
    pub(super) fn write_on(&mut self) -> Option<Moved> {
        while self.sent < self.outbox.len() {
            match moved(|| self.stream.write(&self.outbox[self.sent..])) {
                Moved::Bytes(0) => return Some(Moved::Gone),
                Moved::Bytes(count) => self.sent += count,
                stuck => return Some(stuck),
            }
        }
        self.outbox = Vec::new();
        self.sent = 0;
        None
    }

    /// Starts to write a complete response, and keeps what the socket does not take at once.
    pub(super) fn begin_to_write(
        &mut self,
        answer: &[u8],
        persistence: Persistence,
        deadline: Instant,
    ) {
        self.phase = Phase::Writing;
        self.job = Vec::new();
        self.deadline = deadline;
        self.then = match persistence {
            Persistence::Kept | Persistence::KeptAloud => Then::Next,
            Persistence::Closed => Then::Close,
        };
        let written = match moved(|| self.stream.write(answer)) {
            Moved::Bytes(count) => count,
            // If the connection is broken, the next write finds out.
            Moved::Later | Moved::Gone => 0,
        };
        self.outbox = answer[written..].to_vec();
        self.sent = 0;
    }
}
