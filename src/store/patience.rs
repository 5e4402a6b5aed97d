//! How long a thread waits for its turn to write.
//!
//! A request has so long in all, from its arrival, and what it has waited elsewhere is used up when it comes
//! to the store. Whoever answers it says so once, around everything that is done for it; a method of the
//! store that would wait asks here how long it still may. It is kept for each thread, as one thread does one
//! thing at a time and none of it on another.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long what is done may wait for its turn to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patience {
    /// As long as each method of the store says.
    Usual,
    /// No longer than until then.
    Until(Instant),
    /// Not at all: what cannot be written at once is not written.
    None,
}

thread_local! {
    static PRESENT: Cell<Patience> = const { Cell::new(Patience::Usual) };
}

impl Patience {
    /// Does this with so much patience, on this thread.
    pub fn during<T>(self, work: impl FnOnce() -> T) -> T {
        /// Puts back what was, also after a panic.
        struct Before(Patience);
        impl Drop for Before {
            fn drop(&mut self) {
                PRESENT.set(self.0);
            }
        }
        let _before = Before(PRESENT.replace(self));
        work()
    }

    /// What is left of `most`, for something that is written.
    pub(super) fn left(most: Duration) -> Duration {
        match PRESENT.get() {
            Self::Usual => most,
            Self::Until(end) => most.min(end.saturating_duration_since(Instant::now())),
            Self::None => Duration::ZERO,
        }
    }

    /// What is left of `most`, for something that is read: it waits for no writer, and for a server that is
    /// gone no longer than the request has.
    #[cfg_attr(not(feature = "mysql"), expect(dead_code))]
    pub(super) fn left_to_read(most: Duration) -> Duration {
        match PRESENT.get() {
            Self::None => most,
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
        let past = Instant::now();
        Patience::Until(past).during(|| assert_eq!(left().0, Duration::ZERO));
        let panicked = std::panic::catch_unwind(|| Patience::None.during(|| panic!("a bug")));
        assert!(panicked.is_err());
        assert_eq!(left(), (SECOND, SECOND));
    }
}
