//! To the workers and back: how whole requests leave the gate, and how answers reach whoever waits.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};

use mio::Token;
use mio::event::Event as Readiness;

use super::connection::{Phase, Visitor};
use super::head::Persistence;
use super::lane::Lane;
use super::queue::{Client, Ticket};
use super::response_frame::{self, Gathered};
use super::stream::{Moved, Stream, moved};
use super::{ACCEPT_PAUSE, Gate, News, PLACES, WORK};
use crate::web::http::Problem;

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
        match response_frame::gathered(&self.inbox[start..], errand.is_to_head) {
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

impl Gate {
    /// Sends requests of a lane off, as long as there is somebody to take them.
    pub(super) fn send_off(&mut self, index: usize) {
        while let Some((client, ticket)) = self.next_of(index) {
            if let Some(visitor) = self.waiting(ticket) {
                let errand = Errand { ticket, client, is_to_head: visitor.is_to_head };
                let Some(place) = self.free_link(index) else { break };
                let visitor = &mut self.visitors[ticket.visitor];
                self.links[place].load(errand, &std::mem::take(&mut visitor.job));
                visitor.phase = Phase::Away;
                visitor.seat = None;
                visitor.deadline = visitor.arrived + WORK;
                self.weigh(ticket.visitor);
            }
            self.lanes[index].queue.take(client);
        }
        // Only now, so that what goes the same way goes in one write.
        let broken = |place: &usize| !self.links[*place].write_on();
        let broken: Vec<_> = self.lanes[index].links.iter().copied().filter(broken).collect();
        for place in broken {
            self.fail_link(place);
        }
    }

    /// The request of a lane whose turn it is, of a client who has not enough under way.
    pub(super) fn next_of(&self, index: usize) -> Option<(Client, Ticket)> {
        let lane = &self.lanes[index];
        let errands = || lane.links.iter().flat_map(|&it| &self.links[it].errands);
        let is_short =
            |client| errands().filter(|it| it.client == client).count() < lane.bounds.each;
        lane.queue.first(|client| lane.bounds.each == usize::MAX || is_short(client))
    }

    /// The visitor with this ticket, if their request still waits.
    pub(super) fn waiting(&self, ticket: Ticket) -> Option<&Visitor> {
        let visitor = self.visitors.get(ticket.visitor)?;
        (visitor.serial == ticket.serial && visitor.phase == Phase::Waiting).then_some(visitor)
    }

    /// A connection to the workers that can take a request: a free one, a new one, or one that has
    /// room behind others.
    fn free_link(&mut self, index: usize) -> Option<usize> {
        let lane = &self.lanes[index];
        let load = |place: usize| (self.links[place].errands.len(), place);
        let least = lane.links.iter().map(|&it| load(it)).min();
        match least {
            Some((0, place)) => Some(place),
            Some((load, place)) => {
                let has_room = load < lane.bounds.depth;
                self.open_link(index).or(has_room.then_some(place))
            }
            None => self.open_link(index),
        }
    }

    fn open_link(&mut self, index: usize) -> Option<usize> {
        let lane = &mut self.lanes[index];
        if !lane.may_open() || self.unreachable == self.generation {
            return None;
        }
        let entry = self.links.vacant_entry();
        let place = entry.key();
        let linked = Link::connect(lane, index, self.generation).and_then(|mut link| {
            let token = Token(PLACES + 2 * place + 1);
            link.stream.register(self.poll.registry(), token).map(|()| link)
        });
        match linked {
            Ok(link) => {
                entry.insert(link);
                lane.links.push(place);
                lane.unproven = true;
                Some(place)
            }
            // No descriptor is left for the moment.
            Err(err)
                if !matches!(err.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) =>
            {
                self.evict(ACCEPT_PAUSE);
                None
            }
            Err(_) => {
                self.unreachable = self.generation;
                (self.news)(News::Unreachable(self.generation));
                None
            }
        }
    }

    pub(super) fn heed_link(&mut self, place: usize, event: &Readiness) {
        let Some(link) = self.links.get_mut(place) else { return };
        let mut is_sound = !event.is_writable() || link.write_on();
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            is_sound &= link.read_on(&mut self.scratch);
            is_sound &= self.deliver_all(place);
        }
        let link = &self.links[place];
        if !is_sound {
            self.fail_link(place);
        } else if link.generation != self.generation && link.errands.is_empty() {
            self.drop_link(place);
        }
    }

    /// Gives every answer that is whole to the visitor who waits for it. `false` if something came
    /// that is no answer.
    fn deliver_all(&mut self, place: usize) -> bool {
        loop {
            let link = &mut self.links[place];
            let (errand, answer) = match link.next() {
                Ok(Some(found)) => found,
                Ok(None) => return true,
                Err(NoAnswer) => return false,
            };
            let ticket = errand.ticket;
            let awaited = self.visitors.get(ticket.visitor).filter(|it| it.is_away_with(ticket));
            if let Some(visitor) = awaited {
                let wanted = visitor.persistence;
                let persistence = if self.closing.is_some() { Persistence::Closed } else { wanted };
                let deadline = self.now + self.limits.answer;
                let visitor = &mut self.visitors[ticket.visitor];
                if persistence == Persistence::Kept {
                    visitor.begin_to_write(answer, persistence, deadline);
                } else {
                    let answer = response_frame::with_connection(answer, persistence);
                    visitor.begin_to_write(&answer, persistence, deadline);
                }
            }
            if !std::mem::replace(&mut link.is_proven, true) && link.generation == self.generation {
                self.lanes[link.lane].unproven = false;
            }
            self.drive(ticket.visitor);
        }
    }

    /// A connection to the workers that broke off. Nobody can say whether the requests on it were
    /// acted on, so they are not repeated.
    pub(super) fn fail_link(&mut self, place: usize) {
        for errand in std::mem::take(&mut self.links[place].errands) {
            let ticket = errand.ticket;
            let visitor = self.visitors.get_mut(ticket.visitor);
            if let Some(visitor) = visitor.filter(|it| it.is_away_with(ticket)) {
                visitor.persistence = Persistence::Closed;
                self.answer(ticket.visitor, Problem::Busy, None);
                self.drive(ticket.visitor);
            }
        }
        self.drop_link(place);
    }

    fn drop_link(&mut self, place: usize) {
        let link = self.links.remove(place);
        if link.generation == self.generation {
            let lane = &mut self.lanes[link.lane];
            lane.links.retain(|&it| it != place);
            lane.unproven &= link.is_proven;
        } else {
            self.leave_old_workers();
        }
    }

    /// Closes what is free of the connections to older workers, and tells when none is left.
    pub(super) fn leave_old_workers(&mut self) {
        let generation = self.generation;
        self.links.retain(|_, link| link.generation == generation || !link.errands.is_empty());
        if self.links.iter().all(|(_, link)| link.generation == generation) {
            (self.news)(News::Left(generation));
        }
    }
}
