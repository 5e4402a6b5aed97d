//! Metrics: numbers about the running server, in the text format of Prometheus, on a listener of their own.
//!
//! Counting is a few atomic additions on the threads that answer requests, and only where the operator has set
//! `--metrics`; a scrape reads the numbers on threads of its own and waits for no other. Whatever is counted is a row
//! of a table of the program (a route, an event, a status), so nothing that a client sends becomes a label: no name,
//! no address, no path.
//!
//! `families` is the table of all metrics, `counters` what is counted, `survey` what the database is asked for,
//! `exposition` the format, `listener` the socket.

mod counters;
mod exposition;
mod families;
mod listener;
mod survey;

use std::sync::Arc;
use std::time::Duration;

use crate::auth::events::Event;
use crate::base::clock::Moment;
use crate::server::gate::{GateLimits, SocketFile};
use crate::server::program_events::ProgramEvent;
use crate::server::{Shared, start_thread};
use crate::web::http::{Note, Problem, Response};
use crate::web::{Lane, RouteRow, Site};

pub(super) use counters::{ConnectionRefusal, GateState};
use counters::{Counter, DurationHistogram, EventTallies, RequestTallies};
pub use families::{FAMILIES, Family, FamilyKind};
pub use listener::MetricsListener;
pub(super) use listener::THREADS;
use survey::Survey;

/// Everything that is counted. Shared by all threads.
pub(super) struct Metrics {
    started: Moment,
    limits: GateLimits,
    requests: RequestTallies,
    /// How long requests took, by lane.
    durations: [DurationHistogram; Lane::ALL.len()],
    events: EventTallies,
    /// Requests that the gate refused.
    problems: [Counter; Problem::ALL.len()],
    connections_accepted: Counter,
    connections_evicted: Counter,
    connections_refused: [Counter; ConnectionRefusal::ALL.len()],
    gate: GateState,
    survey: Survey,
}

impl Metrics {
    /// Metrics of a server that starts now and has these limits.
    pub(super) fn new(limits: GateLimits, now: Moment) -> Self {
        Self {
            started: now,
            limits,
            requests: RequestTallies::default(),
            durations: Default::default(),
            events: EventTallies::default(),
            problems: Default::default(),
            connections_accepted: Counter::default(),
            connections_evicted: Counter::default(),
            connections_refused: Default::default(),
            gate: GateState::default(),
            survey: Survey::default(),
        }
    }

    /// Counts the response of a worker.
    pub(super) fn count_response(&self, response: &Response, lane: Lane) {
        self.requests.count(response.row, response.status, Some(lane));
        self.count_event(&response.note);
    }

    /// Counts a response that the gate made without a worker.
    pub(super) fn count_at_gate(&self, row: RouteRow, status: u16, event: Event) {
        self.requests.count(row, status, None);
        self.events.count(event, None);
    }

    /// Counts a request that the gate refused.
    pub(super) fn count_problem(&self, problem: Problem) {
        self.problems[problem as usize].add(1);
    }

    /// Counts how long a request took, from its last byte to its response, with all its waiting.
    pub(super) fn count_duration(&self, lane: usize, duration: Duration) {
        self.durations[lane].observe(duration);
    }

    pub(super) fn count_accepted(&self) {
        self.connections_accepted.add(1);
    }

    pub(super) fn count_refused_connection(&self, why: ConnectionRefusal) {
        self.connections_refused[why as usize].add(1);
    }

    pub(super) fn count_evicted(&self, connections: usize) {
        self.connections_evicted.add(u64::try_from(connections).unwrap_or(u64::MAX));
    }

    /// Asks the database for what metrics show of it; to be called every few seconds, as it may block.
    pub(super) fn survey(&self, site: &Site, now: Moment) {
        self.survey.renew(site, now);
    }

    /// What the gate has open, and what waits in its lanes, at present.
    pub(super) const fn gate(&self) -> &GateState {
        &self.gate
    }

    fn count_event(&self, note: &Note) {
        self.events.count(note.event, note.reason());
    }
}

/// Answers scrapes, on threads of their own, until the process ends. Without metrics in `shared` there is nothing to
/// show. Returns the file of a Unix socket, which is removed when it is dropped.
pub(super) fn start(
    shared: &Arc<Shared>,
    listener: MetricsListener,
) -> Result<Option<SocketFile>, String> {
    let MetricsListener { socket, address, file } = listener;
    shared.say(ProgramEvent::Metrics, &[("address", &address)]);
    let socket = Arc::new(socket);
    for _ in 0..THREADS {
        let (shared, socket) = (shared.clone(), socket.clone());
        start_thread("metrics", move || socket.serve(|| families::report(&shared)))?;
    }
    Ok(file)
}
