//! How long a thread may wait for its turn to write.
//!
//! A request has a time limit that counts from its arrival, and has used some of it when it reaches the
//! store. The thread that answers it sets the limit once, around all of its work; methods of the store look
//! it up before they wait. It is thread-local, as a request is handled by one thread.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long work on this thread may wait for its turn to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patience {
    /// As long as each method of the store allows.
    Usual,
    /// For so long at least: an operator who waits at a terminal has no time limit.
    AtLeast(Duration),
    /// Until this moment at most.
    Until(Instant),
    /// Not at all: what cannot be written at once is not written.
    None,
}

thread_local! {
    static PRESENT: Cell<Patience> = const { Cell::new(Patience::Usual) };
}

impl Patience {
    /// Runs `work` with this patience, on this thread.
    pub fn during<T>(self, work: impl FnOnce() -> T) -> T {
        /// Restores the former patience, even after a panic.
        struct Before(Patience);
        impl Drop for Before {
            fn drop(&mut self) {
                PRESENT.set(self.0);
            }
        }
        let _before = Before(PRESENT.replace(self));
        work()
    }

    /// What is left of `most` for a write.
    pub(super) fn left(most: Duration) -> Duration {
        match PRESENT.get() {
            Self::Usual => most,
            Self::AtLeast(least) => most.max(least),
            Self::Until(end) => most.min(end.saturating_duration_since(Instant::now())),
            Self::None => Duration::ZERO,
        }
    }

    /// What is left of `most` for a read. A read does not wait for writers, so [`Patience::None`] does not
    /// shorten it; for an unreachable server it waits no longer than the request may.
    #[cfg_attr(not(any(feature = "mysql", test)), expect(dead_code))]
    pub(super) fn left_to_read(most: Duration) -> Duration {
        match PRESENT.get() {
            Self::None | Self::AtLeast(_) => most,
            Self::Usual | Self::Until(_) => Self::left(most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_for_what_is_done_meanwhile_and_for_nothing_else() {
        const SECOND: Duration = Duration::from_secs(1);
        let soon = Instant::now() + SECOND / 2;
        let left = || (Patience::left(SECOND), Patience::left_to_read(SECOND));
        Patience::Until(soon).during(|| {
            assert!(left().0 <= SECOND / 2 && left().1 <= SECOND / 2);
            assert_eq!(Patience::left(Duration::from_millis(1)), Duration::from_millis(1));
            Patience::None.during(|| assert_eq!(left(), (Duration::ZERO, SECOND)));
            assert!(left().0 <= SECOND / 2 && left().1 > Duration::ZERO);
            let elsewhere = std::thread::spawn(move || Patience::left(SECOND));
            assert_eq!(elsewhere.join().unwrap(), SECOND);
        });
        Patience::AtLeast(5 * SECOND).during(|| assert_eq!(left(), (5 * SECOND, SECOND)));
        let past = Instant::now();
        Patience::Until(past).during(|| assert_eq!(left().0, Duration::ZERO));
        let panicked = std::panic::catch_unwind(|| Patience::None.during(|| panic!("a bug")));
        assert!(panicked.is_err());
        assert_eq!(left(), (SECOND, SECOND));
    }
}
