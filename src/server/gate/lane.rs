//! A lane: the requests that wait for its workers, and the private connections that lead there.
//!
//! Decides how many may wait and how many are under way; `queue` says whose turn it is. A connection to the workers is kept for
//! the next request; where requests are quick it carries several, one behind the other, so that
//! under load nobody has to be woken for each of them.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use super::answer::{self, Gathered};
use super::queue::{Client, Queue, Ticket};
use super::socket::{Moved, Stream, moved};

/// A lane. Places in the slab of links stand for connections to its workers.
pub(super) struct Lane {
    /// Where its workers listen.
    pub(super) path: PathBuf,
    /// Requests that wait.
    pub(super) queue: Queue,
    /// What it may hold.
    pub(super) bounds: Bounds,
    /// Connections to the present workers.
    pub(super) links: Vec<usize>,
    /// A connection on which no answer has come yet: another one is opened only after it has.
    /// tiny_http can leave a connection unread when several are opened at once, until another one
    /// of them closes.
    pub(super) unproven: bool,
}

/// How much a lane may hold.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// Requests that wait.
    pub(super) waiting: usize,
    /// Connections to its workers.
    pub(super) links: usize,
    /// Requests on one of them. What may write or hash goes alone, so that nothing waits behind it.
    pub(super) depth: usize,
    /// Requests of one client under way.
    pub(super) each: usize,
}

impl Lane {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            path: PathBuf::new(),
            queue: Queue::default(),
            bounds,
            links: Vec::new(),
            unproven: false,
        }
    }

    /// Turns to other workers: connections to the old ones are none of the lane's any more.
    pub(super) fn follow(&mut self, path: PathBuf) {
        self.path = path;
        self.links.clear();
        self.unproven = false;
    }

    pub(super) const fn may_open(&self) -> bool {
        self.links.len() < self.bounds.links && !self.unproven
    }
}

/// A request that is under way to the workers.
#[derive(Clone, Copy)]
pub(super) struct Errand {
    pub(super) ticket: Ticket,
    pub(super) client: Client,
    pub(super) is_to_head: bool,
}

/// A private connection to the workers of a lane.
pub(super) struct Link {
    pub(super) stream: Stream,
    pub(super) lane: usize,
    pub(super) generation: u64,
    /// What is under way on it: answers come in this order.
    pub(super) errands: VecDeque<Errand>,
    pub(super) is_proven: bool,
    outbox: Vec<u8>,
    sent: usize,
    inbox: Vec<u8>,
    /// Bytes of the inbox that were given away.
    used: usize,
}

impl Link {
    pub(super) fn connect(lane: &Lane, index: usize, generation: u64) -> io::Result<Self> {
        let stream = Stream::Unix(mio::net::UnixStream::connect(&lane.path)?);
        Ok(Self {
            stream,
            lane: index,
            generation,
            errands: VecDeque::new(),
            is_proven: false,
            outbox: Vec::new(),
            sent: 0,
            inbox: Vec::new(),
            used: 0,
        })
    }

    /// Takes a request; [`Link::write_on`] sends it off.
    pub(super) fn load(&mut self, errand: Errand, job: &[u8]) {
        self.errands.push_back(errand);
        self.outbox.extend_from_slice(job);
    }

    /// Writes as much as goes. `false` if the connection is of no use.
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

    /// Reads what has come. `false` if the connection is at its end.
    pub(super) fn read_on(&mut self, scratch: &mut [u8]) -> bool {
        loop {
            match moved(|| self.stream.read(scratch)) {
                Moved::Bytes(0) | Moved::Gone => return false,
                Moved::Later => return true,
                Moved::Bytes(count) => self.inbox.extend_from_slice(&scratch[..count]),
            }
        }
    }

    /// The next answer, and what it answers. `None` if it is not whole yet, and an error if what
    /// came is no answer of ours.
    pub(super) fn next(&mut self) -> Result<Option<(Errand, &[u8])>, NoAnswer> {
        let start = self.used;
        if start == self.inbox.len() {
            self.inbox.clear();
            self.used = 0;
            return Ok(None);
        }
        let Some(&errand) = self.errands.front() else { return Err(NoAnswer) };
        match answer::gathered(&self.inbox[start..], errand.is_to_head) {
            Gathered::Partial => Ok(None),
            Gathered::Broken => Err(NoAnswer),
            Gathered::Whole(length) => {
                self.errands.pop_front();
                self.used += length;
                Ok(Some((errand, &self.inbox[start..start + length])))
            }
        }
    }
}

/// What came from a worker is no answer: nobody asked for it, or it is not framed as ours are.
pub(super) struct NoAnswer;
