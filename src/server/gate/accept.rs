//! Accepting connections: how many one address may have, and which are closed when there is no room.

use std::io::{ErrorKind, Write};
use std::net::IpAddr;
use std::time::Duration;

use mio::Token;

use super::connection::Connection;
use super::head::Persistence;
use super::response_frame;
use super::stream::Stream;
use super::{ACCEPT_PAUSE, ACCEPTED_A_TURN, FAREWELL, FIRST_KEY, Gate, LAST_CALL};
use crate::base::ip_prefix::ClientPrefix;
use crate::server::metrics::ConnectionRefusal;
use crate::server::program_events::ProgramEvent;
use crate::web::http::Problem;

impl Gate {
    pub(super) fn accept_ready(&mut self) {
        if self.accept_after.is_some_and(|at| self.now < at) {
            return;
        }
        self.accept_after = None;
        for at in 0..self.listeners.len() {
            let mut accepted = 0;
            while self.ready[at] && accepted < ACCEPTED_A_TURN && self.accept_after.is_none() {
                self.accept(at);
                accepted += 1;
            }
        }
    }

    pub(super) fn accept(&mut self, at: usize) {
        match self.listeners[at].accept() {
            Ok((stream, peer)) => self.admit(stream, peer),
            Err(err) if err.kind() == ErrorKind::WouldBlock => self.ready[at] = false,
            Err(err)
                if matches!(err.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
            Err(err) => {
                // Out of descriptors or memory: free one, and wait a little.
                self.note(ProgramEvent::AcceptFailed, &[("cause", &err.to_string())]);
                // The kernel reports this even if no connection is waiting, so connections that have just
                // arrived stay.
                self.evict(ACCEPT_PAUSE);
                self.accept_after = Some(self.now + ACCEPT_PAUSE);
            }
        }
    }

    /// Takes a connection in. At the limit, those that have been without a request the longest are closed,
    /// so that a new connection gets in as long as any is idle.
    pub(super) fn admit(&mut self, mut stream: Stream, peer: Option<IpAddr>) {
        if self.connections.len() >= self.limits.connections {
            self.evict(Duration::ZERO);
        }
        if self.connections.len() >= self.limits.connections {
            return self.turn_away(stream, ConnectionRefusal::Full);
        }
        let client = peer.filter(|it| !self.is_exempt(*it)).map(ClientPrefix::from);
        if let Some(client) = client {
            let count = self.per_client.entry(client).or_default();
            if *count >= self.limits.connections_per_address {
                return self.turn_away(stream, ConnectionRefusal::Client);
            }
            *count += 1;
        }
        if let Some(metrics) = &self.metrics {
            metrics.count_accepted();
        }
        let entry = self.connections.vacant_entry();
        let key = entry.key();
        let registered = stream.register(self.poll.registry(), Token(FIRST_KEY + 2 * key));
        let deadline = self.now + self.limits.idle;
        let head_bytes = self.limits.head_bytes;
        entry.insert(Connection::new(stream, peer, client, head_bytes, self.now, deadline));
        match registered {
            Ok(()) => self.drive(key),
            Err(_) => self.close(key),
        }
    }

    pub(super) fn is_exempt(&self, peer: IpAddr) -> bool {
        peer.is_loopback() || self.limits.trusted_proxies.iter().any(|it| it.contains(&peer))
    }

    /// Answers that the server is busy, if that fits into the first packet, and closes the connection.
    pub(super) fn turn_away(&mut self, mut stream: Stream, why: ConnectionRefusal) {
        if let Some(metrics) = &self.metrics {
            metrics.count_refused_connection(why);
        }
        self.note(ProgramEvent::TurnedAway, &[]);
        let said = self.site.refuse(Problem::Busy, None, false);
        let _ = stream.write(&response_frame::with_connection(&said.bytes, Persistence::Closed));
    }

    /// Closes some of the connections that have been without a complete request for `age` or longer, the
    /// oldest first: one in 64, since finding many costs as much as finding one.
    pub(super) fn evict(&mut self, age: Duration) {
        let is_old = |it: &Connection| it.is_evictable() && it.since + age <= self.now;
        let waiting = self.connections.iter().filter(|(_, it)| is_old(it));
        let mut waiting: Vec<_> = waiting.map(|(key, it)| (it.since, key)).collect();
        let count = waiting.len().div_ceil(64);
        if count == 0 {
            return;
        }
        waiting.select_nth_unstable(count - 1);
        for &(_, key) in &waiting[..count] {
            self.close(key);
        }
        if let Some(metrics) = &self.metrics {
            metrics.count_evicted(count);
        }
        self.note(ProgramEvent::Evicted, &[("connections", &count.to_string())]);
    }

    /// Begins to stop: every answer is the last one on its connection.
    ///
    /// Where the next server gets the listening sockets, a client that keeps its connection learns so from an answer
    /// instead of a connection that is closed while its next request, perhaps one that must not be repeated, is on
    /// its way. Elsewhere that would only prolong the time in which no server listens.
    pub(super) fn stop(&mut self) {
        if self.closing.is_some() {
            return;
        }
        self.closing = Some(self.now + FAREWELL);
        let is_kept = |it: &Connection| it.serial > 0 && it.is_without_request();
        if self.listeners_outlive_us && self.connections.iter().any(|(_, it)| is_kept(it)) {
            self.last_call = Some(self.now + LAST_CALL);
        } else {
            self.stop_accepting();
        }
    }

    /// Closes the listeners, and connections without a request. Connections that wait to be accepted are left to the
    /// next server, or else accepted before.
    pub(super) fn stop_accepting(&mut self) {
        self.last_call = None;
        if !self.listeners_outlive_us {
            self.accept_waiting();
        }
        self.listeners.clear();
        self.ready.clear();
        let keys: Vec<_> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            // One last read: a request may have arrived whose event has not.
            if let Some(connection) = self.connections.get_mut(key) {
                connection.is_readable = true;
            }
            self.drive(key);
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if connection.is_without_request() {
                if connection.serial == 0 {
                    connection.deadline = connection.deadline.min(self.now + LAST_CALL);
                } else {
                    self.dismiss(key);
                }
            }
        }
    }

    fn accept_waiting(&mut self) {
        for at in 0..self.listeners.len() {
            self.ready[at] = true;
            while self.ready[at] && self.accept_after.is_none() {
                self.accept(at);
            }
        }
    }
}
