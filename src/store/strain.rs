//! How often a database failed or kept a write waiting, counted since it was opened: for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Error;

/// Faults of a database and waits for its locks since it was opened.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Strain {
    /// How often it failed with [`Error::Unavailable`].
    pub unavailable: u64,
    /// How often it failed with [`Error::Unknown`].
    pub unknown: u64,
    /// How often it failed with [`Error::Broken`].
    pub broken: u64,
    /// How often a write waited for another one: for its lock in a file, or because it lost against it on a server.
    pub waits: u64,
    /// How long these waits took in all.
    pub waited: Duration,
}

/// A write that begins within this time did not wait for another one.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// Counts the strain of one database. Shared by all threads.
#[derive(Default)]
pub(super) struct StrainCounter {
    unavailable: AtomicU64,
    unknown: AtomicU64,
    broken: AtomicU64,
    waits: AtomicU64,
    waited_nanos: AtomicU64,
}

impl StrainCounter {
    /// Counts a fault.
    pub(super) fn note(&self, err: &Error) {
        let count = match err {
            Error::Unavailable(_) => &self.unavailable,
            Error::Unknown(_) => &self.unknown,
            Error::Broken(_) => &self.broken,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the time until what comes back is dropped as a wait, if it is long enough to be one.
    pub(super) fn waiting(&self) -> StrainTimer<'_> {
        StrainTimer { counter: self, since: Instant::now() }
    }

    /// Counts a wait that took so long.
    pub(super) fn note_wait(&self, waited: Duration) {
        let nanos = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        self.waits.fetch_add(1, Ordering::Relaxed);
        self.waited_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(super) fn total(&self) -> Strain {
        let get = |it: &AtomicU64| it.load(Ordering::Relaxed);
        Strain {
            unavailable: get(&self.unavailable),
            unknown: get(&self.unknown),
            broken: get(&self.broken),
            waits: get(&self.waits),
            waited: Duration::from_nanos(get(&self.waited_nanos)),
        }
    }
}

/// A wait for a lock that may not be over.
pub(super) struct StrainTimer<'a> {
    counter: &'a StrainCounter,
    since: Instant,
}

impl Drop for StrainTimer<'_> {
    fn drop(&mut self) {
        let waited = self.since.elapsed();
        if waited >= WAIT_MIN {
            self.counter.note_wait(waited);
        }
    }
}
