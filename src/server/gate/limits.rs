//! The limits of the gate: connections, lanes, and their queues.

use std::time::Duration;

use ipnet::IpNet;

use super::LANES;
use super::lane::Bounds;

/// The most connections at once, however many descriptors there are.
pub const CONNECTIONS_MAX: usize = 16_384;

/// The longest queue of the lane for reading.
const READS_WAITING_MAX: usize = 256;

/// Workers of the lane for writing. Writes happen one after the other anyway; with two workers, one client
/// can occupy only one of them.
pub const WRITERS: usize = 2;

/// The longest queue of the lane for writing: more than a slow disk writes while a request may wait.
/// Refusing at once would cost more than queueing, as clients come back immediately.
const WRITES_WAITING_MAX: usize = 512;

/// The longest queue of the lane for hashing, for each hasher: about half a second of work. But it has room
/// for fifty, so that fifty people can sign in at the same moment on one core.
const WAITING_A_HASHER: usize = 32;
const WAITING_MIN: usize = 64;

/// The most requests on one connection to the workers of the lane for reading, one behind the other: they
/// are quick.
pub(super) const READS_A_BACKEND: usize = 32;

/// While requests of so many bytes are on a connection, no other one is sent on it.
pub const BYTES_A_BACKEND: usize = 512 * 1024;

/// Connections to the workers for each hasher, so that the next request is there when one is done.
const BACKENDS_A_HASHER: usize = 2;

/// The limits that the operator may set.
#[derive(Clone)]
pub struct GateLimits {
    /// The longest head of a request, in bytes.
    pub head_bytes: usize,
    /// How long a request may take to arrive completely, from its first byte.
    pub request: Duration,
    /// How long a connection may be open without a request.
    pub idle: Duration,
    /// How long a client may take to read a response.
    pub answer: Duration,
    /// The most connections at once.
    pub connections: usize,
    /// The most connections at once from one client: an address, or an IPv6 /64. Loopback addresses are
    /// exempt, as a reverse proxy connects from there.
    pub connections_per_address: usize,
    /// Reverse proxies on other machines, which are exempt as well.
    pub trusted_proxies: Vec<IpNet>,
    /// Workers of the lane for reading. The lane for writing always has [`WRITERS`].
    pub workers: usize,
    /// Workers of the lane for hashing.
    pub hashers: usize,
}

impl GateLimits {
    /// The most connections to the workers at once.
    pub fn backends_max(&self) -> usize {
        self.lanes().iter().map(|(_, bounds)| bounds.backends).sum()
    }

    /// How many tiny_http there are for reading: one for each worker, so that the gate chooses which of them gets a
    /// request.
    pub const fn reading_pools(&self) -> usize {
        self.workers
    }

    /// How many tiny_http there are in all.
    pub fn pools(&self) -> usize {
        self.lanes().iter().map(|(_, bounds)| bounds.pools).sum()
    }

    /// The threads of all lanes: their workers, and those of each tiny_http: one that accepts, and one for each
    /// connection, four at least.
    pub fn lane_threads(&self) -> usize {
        let threads = |(workers, bounds): &(usize, Bounds)| {
            workers + bounds.pools * (1 + (bounds.backends / bounds.pools).max(4))
        };
        self.lanes().iter().map(threads).sum()
    }

    /// The threads that may read the database at the same moment: all workers, and those of housekeeping.
    pub const fn threads_that_read(&self) -> usize {
        self.workers + WRITERS + self.hashers + 3
    }

    /// The longest queue of each lane, in their order.
    pub fn waiting_max(&self) -> [usize; LANES] {
        self.lanes().map(|(_, bounds)| bounds.waiting)
    }

    /// The number of workers of each lane, and its limits.
    pub(super) fn lanes(&self) -> [(usize, Bounds); LANES] {
        let reads = Bounds {
            waiting: READS_WAITING_MAX,
            pools: self.reading_pools(),
            backends: self.reading_pools(),
            depth: READS_A_BACKEND,
            each: usize::MAX,
        };
        let writes = Bounds {
            waiting: WRITES_WAITING_MAX,
            pools: 1,
            backends: WRITERS,
            depth: 1,
            each: WRITERS - 1,
        };
        let hashes = Bounds {
            waiting: WAITING_MIN.max(WAITING_A_HASHER * self.hashers),
            pools: 1,
            backends: BACKENDS_A_HASHER * self.hashers,
            depth: 1,
            each: usize::MAX,
        };
        [(self.workers, reads), (WRITERS, writes), (self.hashers, hashes)]
    }
}
