//! A connection from outside, and where it stands.

use std::io::{Read, Write};
use std::net::IpAddr;
use std::time::Instant;

use super::head::Persistence;
use super::queue::{Client, RequestId};
use super::request_reader::RequestReader;
use super::stream::{Moved, Stream, moved};
use crate::base::ip_prefix::ClientPrefix;

/// Where a connection stands. Each phase has one absolute deadline, and nothing a client does
/// moves it except finishing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// It may send a request.
    Reading,
    /// Its request waits for a worker.
    Waiting,
    /// Its request is with a worker.
    Away,
    /// Its answer is being written.
    Writing,
    /// It has its last answer. What still comes is thrown away until it hangs up, or for a while: if
    /// we hung up while something unread is here, the answer itself could be lost on the way.
    Lingering,
}

/// What comes after the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Then {
    Next,
    Close,
}

/// A connection from outside.
pub(super) struct Connection {
    pub(super) stream: Stream,
    /// `None` behind a Unix socket.
    pub(super) peer: Option<IpAddr>,
    /// The client that the connection counts for, if it is counted.
    pub(super) client: Option<ClientPrefix>,
    pub(super) phase: Phase,
    pub(super) deadline: Instant,
    /// Since when it has had no whole request.
    pub(super) since: Instant,
    pub(super) reader: RequestReader,
    /// Changes with each request.
    pub(super) serial: u64,
    /// While its request waits: the lane, and whose request it is.
    pub(super) seat: Option<(usize, Client)>,
    /// When that request had arrived whole.
    pub(super) arrived: Instant,
    pub(super) is_to_head: bool,
    pub(super) persistence: Persistence,
    /// The request as the workers will get it, while it waits for them.
    pub(super) job: Vec<u8>,
    /// What is left to write, and how much of it was written.
    pub(super) outbox: Vec<u8>,
    pub(super) sent: usize,
    pub(super) then: Then,
    /// There may be something to read.
    pub(super) is_readable: bool,
    /// The client has said that it will send no more.
    pub(super) is_ending: bool,
    /// Bytes that were read and thrown away after the last answer.
    pub(super) drained: usize,
    /// The memory that it was last counted with.
    pub(super) accounted: usize,
}

impl Connection {
    pub(super) fn new(
        stream: Stream,
        peer: Option<IpAddr>,
        client: Option<ClientPrefix>,
        now: Instant,
        deadline: Instant,
    ) -> Self {
        Self {
            stream,
            peer,
            client,
            phase: Phase::Reading,
            deadline,
            since: now,
            reader: RequestReader::default(),
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

    /// Whether it may be sent away to make room: it has no whole request here.
    pub(super) const fn is_evictable(&self) -> bool {
        matches!(self.phase, Phase::Reading | Phase::Lingering)
    }

    /// Whether it waits for the answer to this request.
    pub(super) fn is_away_with(&self, id: RequestId) -> bool {
        self.phase == Phase::Away && self.serial == id.serial
    }

    /// Bytes of memory in use.
    pub(super) fn weight(&self) -> usize {
        self.reader.weight() + self.job.capacity() + self.outbox.capacity()
    }

    /// Reads into `scratch`. Nothing more is expected once less than all of it was filled, unless
    /// the client is ending: then the end itself is still to be read.
    // LIMIT: TCP urgent data ends a read early. Who sends it waits until they send something more.
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

    /// Writes a whole answer, and keeps what the client does not take at once.
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
            // If it is gone, the next write tells.
            Moved::Later | Moved::Gone => 0,
        };
        self.outbox = answer[written..].to_vec();
        self.sent = 0;
    }
}
