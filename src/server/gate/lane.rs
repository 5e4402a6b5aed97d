//! A lane: the requests that wait for its workers, and the private connections that lead there.
//!
//! Decides how many may wait and how many are under way; `queue` says whose turn it is. A connection to the workers is kept for
//! the next request; where requests are quick it carries several, one behind the other, so that
//! under load nobody has to be woken for each of them.

use std::path::PathBuf;

use super::queue::Queue;

/// A lane of the gate. Its connections to the workers are keys in the slab of them.
pub(super) struct LaneState {
    pub(super) path: PathBuf,
    pub(super) queue: Queue,
    pub(super) bounds: Bounds,
    /// Connections to the present workers.
    pub(super) backends: Vec<usize>,
    /// A connection on which no answer has come yet: another one is opened only after it has.
    /// tiny_http can leave a connection unread when several are opened at once, until another one
    /// of them closes.
    pub(super) unproven: bool,
}

/// How much a lane may hold.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) waiting: usize,
    pub(super) backends: usize,
    /// Requests on one of them. What may write or hash goes alone, so that nothing waits behind it.
    pub(super) depth: usize,
    /// Requests of one subscriber under way.
    pub(super) each: usize,
}

impl LaneState {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            path: PathBuf::new(),
            queue: Queue::default(),
            bounds,
            backends: Vec::new(),
            unproven: false,
        }
    }

    /// Turns to other workers: connections to the old ones are none of the lane's any more.
    pub(super) fn follow(&mut self, path: PathBuf) {
        self.path = path;
        self.backends.clear();
        self.unproven = false;
    }

    pub(super) const fn may_open(&self) -> bool {
        self.backends.len() < self.bounds.backends && !self.unproven
    }
}
