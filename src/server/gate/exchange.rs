//! The exchanges on a connection: reading a request, refusing it or answering it at once, writing the
//! response, and closing.

use std::io::Write;
use std::time::Duration;

use mio::event::Event as Readiness;

use super::connection::{Phase, Then};
use super::head::{Head, Persistence};
use super::request_reader::{RequestReader, RequestStep};
use super::site_calls::GateResponse;
use super::stream::{self, Moved};
use super::{Gate, LAST_CALL, response_frame};
use crate::web::http::{Method, Problem, Request};

/// How long input is discarded after the last response, and how much of it.
pub(super) const LINGER: Duration = Duration::from_secs(2);
const DRAINED_BYTES_MAX: usize = 512 * 1024;

impl Gate {
    pub(super) fn handle_connection(&mut self, key: usize, event: &Readiness) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.is_ending |= event.is_read_closed();
        connection.is_readable |= event.is_readable() || event.is_read_closed();
        if event.is_error() || (event.is_read_closed() && event.is_write_closed()) {
            // The client cannot read a response any more.
            return self.close(key);
        }
        self.drive(key);
    }

    /// Moves a connection forward as far as the sockets allow.
    pub(super) fn drive(&mut self, key: usize) {
        while let Some(connection) = self.connections.get(key) {
            let has_moved = match connection.phase {
                Phase::Reading => self.receive(key),
                Phase::Writing => self.write_on(key),
                Phase::Lingering => self.drain(key),
                Phase::Waiting | Phase::Away => false,
            };
            if !has_moved {
                break;
            }
        }
        self.account_memory(key);
    }

    fn receive(&mut self, key: usize) -> bool {
        let connection = &mut self.connections[key];
        match connection.reader.advance() {
            Ok(RequestStep::Whole(head, body)) => self.enqueue(key, &head, &body),
            Ok(RequestStep::Continue) => self.send_continue(key),
            Ok(RequestStep::Partial) if connection.is_readable => self.read(key),
            Ok(RequestStep::Partial) => false,
            Err(problem) => self.refuse(key, problem),
        }
    }

    fn read(&mut self, key: usize) -> bool {
        let connection = &mut self.connections[key];
        let had_begun = !connection.reader.is_empty();
        match connection.read(&mut self.scratch) {
            Moved::Bytes(0) | Moved::Gone => self.close(key),
            Moved::Later => return false,
            Moved::Bytes(count) => {
                connection.reader.push(&self.scratch[..count]);
                if !had_begun {
                    connection.deadline = self.now + self.limits.request;
                }
            }
        }
        true
    }

    fn send_continue(&mut self, key: usize) -> bool {
        const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        match stream::moved(|| self.connections[key].stream.write(CONTINUE)) {
            // If it cannot be sent, clients send the body after a while all the same.
            Moved::Later => {}
            Moved::Bytes(count) if count == CONTINUE.len() => {}
            Moved::Bytes(_) | Moved::Gone => self.close(key),
        }
        true
    }

    /// Answers a request that needs no worker. `false` if it needs one.
    pub(super) fn answer_at_once(&mut self, key: usize, head: &Head, body: &[u8]) -> bool {
        if !self.site.may_answer_at_once(head.method(), head.path()) {
            return false;
        }
        let request = head.request(body, self.connections[key].peer);
        let is_to_head = head.method() == Method::Head;
        let Some(said) = self.site.answer_at_once(&request, is_to_head) else { return false };
        self.count(&said);
        if said.status != 200 {
            let status = said.status.to_string();
            self.note(said.event, &[("status", &status), ("path", head.path())]);
        }
        self.say(key, &said, head.persistence);
        true
    }

    /// Answers a request that will not be parsed any further, and closes the connection: what follows
    /// cannot be told from the rest of the request.
    pub(super) fn refuse(&mut self, key: usize, problem: Problem) -> bool {
        let connection = &mut self.connections[key];
        // The response depends on the client: one that a proxy understands for a check, a page for a
        // person.
        let request = connection.reader.known(connection.peer);
        connection.is_to_head = connection.reader.is_to_head();
        connection.reader = RequestReader::new(self.limits.head_bytes);
        connection.persistence = Persistence::Closed;
        self.answer(key, problem, request.as_ref());
        true
    }

    /// Sends a refusal in place of a worker's response.
    pub(super) fn answer(&mut self, key: usize, problem: Problem, request: Option<&Request>) {
        let connection = &self.connections[key];
        let persistence = connection.persistence;
        // Behind a proxy, the client's address tells more than the peer's.
        let client = request.and_then(|it| self.site.client(it)).or(connection.peer);
        let client = client.map_or("-".to_owned(), |it| it.to_string());
        let said = self.site.refuse(problem, request, connection.is_to_head);
        self.count(&said);
        if let Some(metrics) = &self.metrics {
            metrics.count_problem(problem);
        }
        self.note(problem.event(), &[("status", &said.status.to_string()), ("ip", &client)]);
        self.say(key, &said, persistence);
    }

    /// Counts a response from the gate itself.
    fn count(&self, said: &GateResponse) {
        if let Some(metrics) = &self.metrics {
            metrics.count_at_gate(said.row, said.status, said.event);
        }
    }

    /// Starts to write a response from the gate itself.
    fn say(&mut self, key: usize, said: &GateResponse, wanted: Persistence) {
        let persistence = self.persistence(wanted);
        let bytes = response_frame::with_connection(&said.bytes, persistence);
        let deadline = self.now + self.limits.answer;
        self.connections[key].begin_to_write(&bytes, persistence, deadline);
    }

    /// Whether the connection is kept: at shutdown none is.
    const fn persistence(&self, wanted: Persistence) -> Persistence {
        if self.closing.is_some() { Persistence::Closed } else { wanted }
    }

    fn write_on(&mut self, key: usize) -> bool {
        let connection = &mut self.connections[key];
        let has_stopped = self.closing.is_some() && self.last_call.is_none();
        let is_last = has_stopped && connection.reader.is_empty();
        match connection.write_on() {
            Some(Moved::Gone) => self.close(key),
            Some(_) => return false,
            None if connection.then == Then::Close || is_last => {
                self.begin_close(key, LINGER);
            }
            None => {
                connection.phase = Phase::Reading;
                connection.since = self.now;
                let begun = !connection.reader.is_empty();
                let limits = &self.limits;
                connection.deadline = self.now + if begun { limits.request } else { limits.idle };
            }
        }
        true
    }

    /// Closes a connection so that its last response arrives: closing it with unread input would reset it,
    /// and the client might not see the response. Input is discarded for as long as `linger`.
    fn begin_close(&mut self, key: usize, linger: Duration) {
        let connection = &mut self.connections[key];
        if connection.stream.shut().is_err() {
            return self.close(key);
        }
        connection.phase = Phase::Lingering;
        connection.since = self.now;
        connection.deadline = self.now + linger;
    }

    /// Closes a connection without a request while the server stops. Where that costs no client its place, a request
    /// that is on its way meets an end of the connection and no reset.
    pub(super) fn dismiss(&mut self, key: usize) {
        if self.listeners_outlive_us {
            self.begin_close(key, LAST_CALL);
        } else {
            self.close(key);
        }
    }

    fn drain(&mut self, key: usize) -> bool {
        let connection = &mut self.connections[key];
        if !connection.is_readable {
            return false;
        }
        match connection.read(&mut self.scratch) {
            Moved::Later => return false,
            Moved::Bytes(0) | Moved::Gone => self.close(key),
            Moved::Bytes(count) => {
                connection.drained += count;
                if connection.drained > DRAINED_BYTES_MAX {
                    self.close(key);
                }
            }
        }
        true
    }

    pub(super) fn close(&mut self, key: usize) {
        self.leave_seat(key);
        let connection = self.connections.remove(key);
        self.held -= connection.accounted;
        if let Some(client) = connection.client
            && let Some(count) = self.per_client.get_mut(&client)
        {
            *count -= 1;
            if *count == 0 {
                self.per_client.remove(&client);
            }
        }
    }
}
