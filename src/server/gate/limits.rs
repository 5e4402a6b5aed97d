//! How much the gate takes on: connections, lanes, and what waits in them.

use std::time::Duration;

use ipnet::IpNet;

use super::LANES;
use super::lane::Bounds;

/// Connections at once, at most, however many descriptors there are.
pub const CONNECTIONS_MAX: usize = 16_384;

/// Requests for pages that may wait.
const PAGES_WAITING_MAX: usize = 256;

/// Workers of the lane for what writes and hashes nothing. Writes happen one after the other anyway; with two
/// one client may hold one of them and no more.
pub const WRITERS: usize = 2;

/// Requests that may wait for them: more than a slow disk writes while one may wait. Where they are refused at
/// once, clients that come back at once cost more than their places.
const WRITES_WAITING_MAX: usize = 512;

/// Requests that wait for a hasher, at most, for each of them: about half a second of work. And at
/// least so many in all, so that fifty people can sign in at the same moment on one core.
const WAITING_A_HASHER: usize = 32;
const WAITING_MIN: usize = 64;

/// Requests for pages on one connection to the workers, one behind the other: they are quick.
pub(super) const PAGES_A_BACKEND: usize = 8;

/// Connections to the workers for each hasher: the next request is there when it is done with one.
const BACKENDS_A_HASHER: usize = 2;

/// How much the gate takes on.
#[derive(Clone)]
pub struct GateLimits {
    /// How long a request may take to arrive whole, from its first byte.
    pub request: Duration,
    /// How long a connection may be open without one.
    pub idle: Duration,
    /// How long a client may take to read an answer.
    pub answer: Duration,
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address, or from one IPv6 network of 64 bits. This machine
    /// itself is exempt, as the reverse proxy stands there.
    pub connections_per_address: usize,
    /// Reverse proxies elsewhere: exempt as well.
    pub trusted_proxies: Vec<IpNet>,
    /// Workers of the page lane. Those of the lane for writes are always [`WRITERS`].
    pub workers: usize,
    /// Workers of the slow lane.
    pub hashers: usize,
}

impl GateLimits {
    /// Connections to the workers at once.
    pub fn backends_max(&self) -> usize {
        self.lanes().iter().map(|(_, bounds)| bounds.backends).sum()
    }

    /// Threads of all lanes: their workers, and for each lane one of tiny_http's that accepts and one for each
    /// connection, of which it never has less than four.
    pub fn lane_threads(&self) -> usize {
        self.lanes().iter().map(|(workers, bounds)| workers + 1 + bounds.backends.max(4)).sum()
    }

    /// Threads that may read the database at the same moment: all workers, and those that look after it.
    pub const fn threads_that_read(&self) -> usize {
        self.workers + WRITERS + self.hashers + 3
    }

    /// The workers of each lane, and what it may hold.
    pub(super) fn lanes(&self) -> [(usize, Bounds); LANES] {
        let pages = Bounds {
            waiting: PAGES_WAITING_MAX,
            backends: self.workers,
            depth: PAGES_A_BACKEND,
            each: usize::MAX,
        };
        let writes =
            Bounds { waiting: WRITES_WAITING_MAX, backends: WRITERS, depth: 1, each: WRITERS - 1 };
        let slow = Bounds {
            waiting: WAITING_MIN.max(WAITING_A_HASHER * self.hashers),
            backends: BACKENDS_A_HASHER * self.hashers,
            depth: 1,
            each: usize::MAX,
        };
        [(self.workers, pages), (WRITERS, writes), (self.hashers, slow)]
    }
}
