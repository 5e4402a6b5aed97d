//! A whole request gets its seat in a lane, and loses it again.

use super::connection::Phase;
use super::head::{self, Head};
use super::queue::{Client, RequestId};
use super::{Gate, PAGES, PAGES_WAITING_FREE, SLOW, WRITES};
use crate::base::ip_prefix::ClientPrefix;
use crate::web;
use crate::web::http::{Problem, Request};

impl Gate {
    /// Puts a whole request into its lane, or says that the lane is full.
    pub(super) fn enqueue(&mut self, key: usize, head: &Head, body: &[u8]) -> bool {
        if self.answer_at_once(key, head, body) {
            return true;
        }
        let peer = self.connections[key].peer;
        let request = || head.request(body, peer);
        let index = if head.may_cost() { self.lane_for(&request()) } else { PAGES };
        let is_anybodys = index == PAGES && self.lanes[PAGES].queue.len() < PAGES_WAITING_FREE;
        let client = if is_anybodys { None } else { self.site.client(&request()) };
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
        // A page waits for nothing that could take so long.
        let deadline = (index != PAGES).then_some(connection.deadline);
        connection.job = head.write(body, peer, deadline);
        connection.phase = Phase::Waiting;
        connection.seat = Some((index, client));
        self.lanes[index].queue.push(client, RequestId { connection: key, serial: self.serial });
        false
    }

    /// The lane for a request that may be more than a look at a page.
    fn lane_for(&self, request: &Request) -> usize {
        match self.site.lane(request) {
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
        let Some((_, id)) = lane.queue.displace(client) else { return false };
        if self.waiting(id).is_some() {
            self.give_up(id.connection);
        }
        true
    }

    /// Says that it is busy to a client whose request has lost its seat: nothing was begun.
    pub(super) fn give_up(&mut self, key: usize) {
        let connection = &mut self.connections[key];
        connection.seat = None;
        let request = head::reread(&connection.job, connection.peer);
        self.answer(key, Problem::Busy, request.as_ref());
        // Not now: they may have the next request here already, which would take the seat.
        self.answered.push(key);
    }

    /// Takes the request of a connection out of the queue in which it waits.
    pub(super) fn leave_seat(&mut self, key: usize) {
        let connection = &mut self.connections[key];
        if let Some((index, client)) = connection.seat.take() {
            let id = RequestId { connection: key, serial: connection.serial };
            self.lanes[index].queue.remove(client, id);
        }
    }
}
