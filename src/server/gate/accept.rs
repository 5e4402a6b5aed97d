//! Who is let in: accepting connections, how many one address may have, and who goes when there is no
//! room.

use std::io::{ErrorKind, Write};
use std::net::IpAddr;
use std::time::Duration;

use mio::Token;

use super::connection::{Phase, Visitor};
use super::head::Persistence;
use super::response_frame;
use super::stream::Stream;
use super::{ACCEPT_PAUSE, ACCEPTED_A_TURN, FAREWELL, Gate, LAST_CALL, PLACES};
use crate::base::ip_prefix::Neighbourhood;
use crate::web::http::Problem;

impl Gate {
    pub(super) fn let_in(&mut self) {
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

    pub(super) fn accept(&mut self, door: usize) {
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
    pub(super) fn admit(&mut self, mut stream: Stream, peer: Option<IpAddr>) {
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

    pub(super) fn is_exempt(&self, peer: IpAddr) -> bool {
        peer.is_loopback() || self.limits.trusted_proxies.iter().any(|it| it.contains(&peer))
    }

    /// Says that there is no room, if that fits into the first packet.
    pub(super) fn turn_away(&mut self, mut stream: Stream) {
        self.note("turned_away", &[]);
        let said = self.reception.refuse(Problem::Busy, None, false);
        let _ = stream.write(&response_frame::with_connection(&said.bytes, Persistence::Closed));
    }

    /// Closes the connections that have been without a whole request the longest, for `age` at
    /// least: one in 64, as looking for them costs as much as for one.
    pub(super) fn evict(&mut self, age: Duration) {
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

    /// Lets in who has knocked already, closes the doors, and sends away who has nothing here.
    pub(super) fn stop(&mut self) {
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
}
