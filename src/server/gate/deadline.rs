//! The deadline of a request, passed from the gate to a worker.
//!
//! A request's time limit counts from its arrival, wherever it then waits: in the gate, behind others at a
//! worker, for the database. Pure, except for the origin of the count, which all threads share.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The origin of the count: the first use.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A moment as text, in microseconds. One before the origin is written as the origin.
pub(super) fn write(moment: Instant) -> String {
    moment.saturating_duration_since(*BEGINNING).as_micros().to_string()
}

/// Parses what `write` wrote. `None` for anything else.
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
