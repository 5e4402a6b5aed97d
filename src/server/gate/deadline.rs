//! Until when a request has to be answered, on its way from the gate to a worker.
//!
//! Patience counts from the arrival of a request, wherever it waits: in the gate, behind others at a worker,
//! for the database. Pure, but for the moment that is counted from, which is the same for all threads.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// What is counted from: the first time that anything is.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A moment as text. One from before the beginning becomes the beginning.
pub(super) fn write(moment: Instant) -> String {
    moment.saturating_duration_since(*BEGINNING).as_micros().to_string()
}

/// The moment that `write` wrote, to the microsecond. `None` if it wrote something else.
pub fn read(text: &str) -> Option<Instant> {
    BEGINNING.checked_add(Duration::from_micros(text.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote() {
        for moment in [Instant::now(), Instant::now() + Duration::from_secs(3)] {
            let written = read(&write(moment)).unwrap();
            let error = written.max(moment) - written.min(moment);
            assert!(error <= Duration::from_micros(1) || moment < *BEGINNING, "{error:?}");
        }
        assert_eq!(read("soon"), None);
        assert_eq!(read("18446744073709551616"), None);
    }
}
