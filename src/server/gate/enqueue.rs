//! Putting complete requests into the queue of a lane, and taking them out again.

use super::connection::Phase;
use super::head::{self, Head};
use super::queue::{Client, RequestId};
use super::{Gate, HASHES, READS, READS_WAITING_FREE, WRITES};
use crate::base::ip_prefix::ClientPrefix;
use crate::web;
use crate::web::http::{Problem, Request};

impl Gate {
    /// Puts a complete request into the queue of its lane, or answers at once: from the site, or that the
    /// lane is full. `false` if nothing is left to do for the connection.
    pub(super) fn enqueue(&mut self, key: usize, head: &Head, body: &[u8]) -> bool {
        if self.answer_at_once(key, head, body) {
            return true;
        }
        let peer = self.connections[key].peer;
        let request = || head.request(body, peer);
        let index = if head.may_cost() { self.lane_for(&request()) } else { READS };
        let is_few = index == READS && self.lanes[READS].queue.len() < READS_WAITING_FREE;
        let client = if is_few { None } else { self.site.client(&request()) };
        let client: Client = client.map(ClientPrefix::from);
        let connection = &mut self.connections[key];
        connection.persistence = head.persistence;
        connection.is_to_head = head.method() == crate::web::http::Method::Head;
        if !self.has_seat(index, client) {
            self.answer(key, Problem::Busy, Some(&request()));
            return true;
        }
        self.serial += 1;
        let patience = self.site.patience();
        let connection = &mut self.connections[key];
        connection.serial = self.serial;
        connection.arrived = self.now;
        connection.deadline = self.now + patience;
        // A page never waits that long.
        let deadline = (index != READS).then_some(connection.deadline);
        connection.job = head.write(body, connection.peer_text.as_deref(), deadline);
        connection.phase = Phase::Waiting;
        connection.seat = Some((index, client));
        self.lanes[index].queue.push(client, RequestId { connection: key, serial: self.serial });
        false
    }

    /// The lane of a request that may write or hash a password.
    fn lane_for(&self, request: &Request) -> usize {
        match self.site.lane(request) {
            web::Lane::Read => READS,
            web::Lane::Write => WRITES,
            web::Lane::Hash => HASHES,
        }
    }

    /// Whether a request of this client may join the queue of a lane. If the queue is full, the request of
    /// a client with many may have to leave it.
    fn has_seat(&mut self, index: usize, client: Client) -> bool {
        let lane = &mut self.lanes[index];
        if lane.queue.len() < lane.bounds.waiting {
            return true;
        }
        let Some((_, id)) = lane.queue.displace(client) else { return false };
        if self.waiting(id).is_some() {
            self.give_up(id.connection);
        }
        true
    }

    /// Answers that the server is busy: the request has left the queue before any work on it.
    pub(super) fn give_up(&mut self, key: usize) {
        let connection = &mut self.connections[key];
        connection.seat = None;
        let request = head::reread(&connection.job, connection.peer);
        self.answer(key, Problem::Busy, request.as_ref());
        // Deferred: the client's next request may be here already, and would take the free place.
        self.answered.push(key);
    }

    /// Takes the request of a connection out of its queue.
    pub(super) fn leave_seat(&mut self, key: usize) {
        let connection = &mut self.connections[key];
        if let Some((index, client)) = connection.seat.take() {
            let id = RequestId { connection: key, serial: connection.serial };
            self.lanes[index].queue.remove(client, id);
        }
    }
}
