//! A whole request gets its seat in a lane, and loses it again.

use super::connection::Phase;
use super::head::{self, Head};
use super::queue::{Client, Ticket};
use super::{Gate, PAGES, PAGES_WAITING_FREE, SLOW, WRITES};
use crate::base::ip_prefix::Neighbourhood;
use crate::web::http::{Problem, Request};
use crate::web::{self, HEALTH};

impl Gate {
    /// Puts a whole request into its lane, or says that the lane is full.
    pub(super) fn line_up(&mut self, place: usize, head: &Head, body: &[u8]) -> bool {
        if head.path() == HEALTH && self.answer_at_once(place, head, body) {
            return true;
        }
        let peer = self.visitors[place].peer;
        let request = || head.request(body, peer);
        let index = if head.may_cost() { self.lane_for(&request()) } else { PAGES };
        let is_anybodys = index == PAGES && self.lanes[PAGES].queue.len() < PAGES_WAITING_FREE;
        let client = if is_anybodys { None } else { self.reception.client(&request()) };
        let client: Client = client.map(Neighbourhood::from);
        let visitor = &mut self.visitors[place];
        visitor.persistence = head.persistence;
        visitor.is_to_head = head.method() == crate::web::http::Method::Head;
        if !self.has_seat(index, client) {
            self.answer(place, Problem::Busy, Some(&request()));
            return true;
        }
        self.serial += 1;
        let patience = self.reception.patience();
        let visitor = &mut self.visitors[place];
        visitor.serial = self.serial;
        visitor.arrived = self.now;
        visitor.deadline = self.now + patience;
        // A page waits for nothing that could take so long.
        let deadline = (index != PAGES).then_some(visitor.deadline);
        visitor.job = head.write(body, peer, deadline);
        visitor.phase = Phase::Waiting;
        visitor.seat = Some((index, client));
        self.lanes[index].queue.push(client, Ticket { visitor: place, serial: self.serial });
        false
    }

    /// The lane for a request that may be more than a look at a page.
    fn lane_for(&self, request: &Request) -> usize {
        match self.reception.lane(request) {
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
        let Some((_, ticket)) = lane.queue.displace(client) else { return false };
        if self.waiting(ticket).is_some() {
            self.give_up(ticket.visitor);
        }
        true
    }

    /// Says that it is busy to a visitor whose request waits and has lost its seat: nothing was begun.
    pub(super) fn give_up(&mut self, place: usize) {
        let visitor = &mut self.visitors[place];
        visitor.seat = None;
        let request = head::reread(&visitor.job, visitor.peer);
        self.answer(place, Problem::Busy, request.as_ref());
        // Not now: they may have the next request here already, which would take the seat.
        self.answered.push(place);
    }

    /// Takes the request of a visitor out of the queue in which it waits.
    pub(super) fn leave_seat(&mut self, place: usize) {
        let visitor = &mut self.visitors[place];
        if let Some((index, client)) = visitor.seat.take() {
            let ticket = Ticket { visitor: place, serial: visitor.serial };
            self.lanes[index].queue.remove(client, ticket);
        }
    }
}
