//! What is counted: numbers that any thread adds to without waiting, of which there is a fixed number.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::auth::events::Event;
use crate::web::http::{STATUSES, status_number};
use crate::web::{Lane, RouteRow};

/// A number that only grows.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// `count` counters at zero.
fn counters(count: usize) -> Vec<Counter> {
    (0..count).map(|_| Counter::default()).collect()
}

/// The name of a lane in labels, by its number; those that no worker answers are of the gate.
pub(super) fn lane_name(number: usize) -> &'static str {
    Lane::ALL.get(number).map_or("gate", |it| it.as_str())
}

/// How many lanes requests are counted by: those of the workers, and the gate.
const REQUEST_LANES: usize = Lane::ALL.len() + 1;

/// Requests by row of the tables of addresses, status and lane.
pub(super) struct RequestTallies(Vec<Counter>);

impl Default for RequestTallies {
    fn default() -> Self {
        Self(counters(RouteRow::COUNT * STATUSES.len() * REQUEST_LANES))
    }
}

impl RequestTallies {
    /// Counts a response; without a lane it is the gate's own.
    pub(super) fn count(&self, row: RouteRow, status: u16, lane: Option<Lane>) {
        let lane = lane.map_or(Lane::ALL.len(), |it| it as usize);
        let rows_before = row.number() * STATUSES.len() + status_number(status);
        self.0[rows_before * REQUEST_LANES + lane].add(1);
    }

    /// Passes on what was counted: the row, the status (0 for one that is in no table), the number of the lane, and
    /// how often.
    pub(super) fn each(&self, mut each: impl FnMut(RouteRow, u16, usize, u64)) {
        let mut counters = self.0.iter().map(Counter::get);
        for row in RouteRow::all() {
            for status in STATUSES {
                for lane in 0..REQUEST_LANES {
                    match counters.next() {
                        None | Some(0) => {}
                        Some(count) => each(row, status, lane, count),
                    }
                }
            }
        }
    }
}

/// Events, and the reasons of those that have one.
pub(super) struct EventTallies(Vec<CountedEvent>);

/// The most reasons of one event that are counted apart. The words are the program's own, and fewer; should there be
/// more one day, the rest is counted as `other`.
const REASONS_MAX: usize = 32;

#[derive(Default)]
struct CountedEvent {
    count: Counter,
    /// Each is taken by the first event with a reason that has no place yet.
    reasons: [(OnceLock<&'static str>, Counter); REASONS_MAX],
    other: Counter,
}

impl Default for EventTallies {
    fn default() -> Self {
        Self(Event::ALL.iter().map(|_| CountedEvent::default()).collect())
    }
}

impl EventTallies {
    pub(super) fn count(&self, event: Event, reason: Option<&'static str>) {
        let tally = &self.0[event as usize];
        tally.count.add(1);
        if let Some(reason) = reason {
            let mut places = tally.reasons.iter();
            let place = places.find(|(word, _)| *word.get_or_init(|| reason) == reason);
            place.map_or(&tally.other, |(_, count)| count).add(1);
        }
    }

    /// How often there was an event.
    pub(super) fn count_of(&self, event: Event) -> u64 {
        self.0[event as usize].count.get()
    }

    /// Passes on each reason that an event had, and how often.
    pub(super) fn each_reason(&self, mut each: impl FnMut(Event, &str, u64)) {
        for (event, tally) in Event::ALL.iter().zip(&self.0) {
            let known = tally.reasons.iter().map_while(|(word, it)| Some((*word.get()?, it.get())));
            let other = Some(("other", tally.other.get())).filter(|(_, count)| *count > 0);
            for (reason, count) in known.chain(other) {
                each(*event, reason, count);
            }
        }
    }
}

/// The upper bounds of the histogram, in microseconds: pages take tens of them, hashes tens of thousands, and what
/// waits for a locked database up to seconds.
pub(super) const BOUNDS_MICROS: [u64; 17] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// How many durations were within which bound.
#[derive(Default)]
pub(super) struct DurationHistogram {
    /// Those within the bound with the same number and not within the one before; the last are those beyond all.
    counts: [Counter; BOUNDS_MICROS.len() + 1],
    nanos: Counter,
}

impl DurationHistogram {
    pub(super) fn observe(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MICROS.iter().position(|it| nanos <= it * 1_000);
        self.counts[bucket.unwrap_or(BOUNDS_MICROS.len())].add(1);
        self.nanos.add(nanos);
    }

    /// How many durations were within each bound, and how many there were in all.
    pub(super) fn cumulated(&self) -> impl Iterator<Item = u64> {
        self.counts.iter().scan(0, |sum, it| {
            *sum += it.get();
            Some(*sum)
        })
    }

    pub(super) fn sum(&self) -> Duration {
        Duration::from_nanos(self.nanos.get())
    }
}

/// Why a connection was turned away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::server) enum ConnectionRefusal {
    /// All connections were taken, and none was idle.
    Full,
    /// The client had as many as one may have.
    Client,
}

impl ConnectionRefusal {
    pub(super) const ALL: [Self; 2] = [Self::Full, Self::Client];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Client => "client",
        }
    }
}

/// What the gate has at present; it writes this down several times a second.
#[derive(Default)]
pub(in crate::server) struct GateState {
    connections: AtomicUsize,
    lanes: [LaneGauges; Lane::ALL.len()],
}

#[derive(Default)]
struct LaneGauges {
    waiting: AtomicUsize,
    in_flight: AtomicUsize,
}

impl GateState {
    pub(in crate::server) fn set_connections(&self, count: usize) {
        self.connections.store(count, Ordering::Relaxed);
    }

    /// Notes how many requests of a lane wait in its queue, and how many are with its workers.
    pub(in crate::server) fn set_lane(&self, lane: usize, waiting: usize, in_flight: usize) {
        self.lanes[lane].waiting.store(waiting, Ordering::Relaxed);
        self.lanes[lane].in_flight.store(in_flight, Ordering::Relaxed);
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(super) fn waiting(&self, lane: usize) -> usize {
        self.lanes[lane].waiting.load(Ordering::Relaxed)
    }

    pub(super) fn in_flight(&self, lane: usize) -> usize {
        self.lanes[lane].in_flight.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_a_duration_at_a_bound_within_it_and_one_beyond_all_in_the_last() {
        let histogram = DurationHistogram::default();
        let micros = [50, 51, 10_000_000, 10_000_001];
        for it in micros {
            histogram.observe(Duration::from_micros(it));
        }
        let all: Vec<_> = histogram.cumulated().collect();
        assert_eq!(all[..3], [1, 2, 2]);
        assert_eq!(all[BOUNDS_MICROS.len() - 2..], [2, 3, 4]);
        assert_eq!(histogram.sum(), Duration::from_micros(micros.iter().sum()));
    }

    #[test]
    fn counts_reasons_apart_and_no_more_of_them_than_there_is_room_for() {
        let tallies = EventTallies::default();
        let words: Vec<&'static str> =
            (0..REASONS_MAX + 3).map(|it| &*format!("word{it}").leak()).collect();
        for word in words.iter().chain(&words[..2]) {
            tallies.count(Event::LoginFail, Some(word));
        }
        tallies.count(Event::LoginFail, None);
        let mut found = Vec::new();
        tallies.each_reason(|event, reason, count| found.push((event, reason.to_owned(), count)));
        assert_eq!(found.len(), REASONS_MAX + 1);
        assert_eq!(found[0], (Event::LoginFail, "word0".to_owned(), 2));
        assert_eq!(found[2], (Event::LoginFail, "word2".to_owned(), 1));
        assert_eq!(found[REASONS_MAX], (Event::LoginFail, "other".to_owned(), 3));
        assert_eq!(tallies.count_of(Event::LoginFail), REASONS_MAX as u64 + 6);
    }

    #[test]
    fn counts_each_row_status_and_lane_apart() {
        let tallies = RequestTallies::default();
        let last = RouteRow::all().last().unwrap();
        for (row, status, lane) in [
            (RouteRow::OTHER, 404, Some(Lane::Read)),
            (last, 200, Some(Lane::Hash)),
            (last, 200, None),
            (last, 299, None),
            (last, 298, None),
        ] {
            tallies.count(row, status, lane);
        }
        let mut found = Vec::new();
        tallies.each(|row, status, lane, count| found.push((row, status, lane_name(lane), count)));
        found.sort_by_key(|it| (it.1, it.2));
        let expected = [
            (last, 0, "gate", 2),
            (last, 200, "gate", 1),
            (last, 200, "hash", 1),
            (RouteRow::OTHER, 404, "read", 1),
        ];
        assert_eq!(found, expected);
    }
}
