//! A lane: its queue of requests, and the private connections to its workers.
//!
//! Decides how many requests may wait and how many are in flight; `queue` decides which is next. A
//! connection to the workers is kept for the next request. In the lane for reading, where requests are
//! quick, each worker has a connection of its own, which carries several one behind the other; the next request goes to
//! a worker that is awake, for as long as its responses keep coming, so that under load no worker is woken for each
//! request. Where all workers are slow, requests wait in the queue.

use std::path::PathBuf;

use super::queue::Queue;

/// The state of a lane. Its connections are keys in the gate's slab of them.
pub(super) struct LaneState {
    /// The sockets of the present workers.
    pub(super) paths: Vec<PathBuf>,
    pub(super) queue: Queue,
    pub(super) bounds: Bounds,
    /// Connections to the present workers.
    pub(super) backends: Vec<usize>,
    /// A connection to a tiny_http that others will share has had no response yet. Only after its first response is
    /// another one opened: tiny_http can leave a connection unread if several are opened at once, until another one
    /// closes.
    pub(super) unproven: bool,
}

/// The limits of a lane.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) waiting: usize,
    /// How many tiny_http the workers are divided among. If there are several, each has one worker and one connection.
    pub(super) pools: usize,
    pub(super) backends: usize,
    /// Requests on one connection. Those that may write or hash go alone, so that none waits behind them.
    pub(super) depth: usize,
    /// Requests of one subscriber in flight.
    pub(super) each: usize,
}

impl LaneState {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            paths: Vec::new(),
            queue: Queue::default(),
            bounds,
            backends: Vec::new(),
            unproven: false,
        }
    }

    /// Switches to new workers, and forgets the connections to the old ones.
    pub(super) fn follow(&mut self, paths: Vec<PathBuf>) {
        self.paths = paths;
        self.backends.clear();
        self.unproven = false;
    }

    pub(super) const fn may_open(&self) -> bool {
        self.backends.len() < self.bounds.backends && !self.unproven
    }
}
