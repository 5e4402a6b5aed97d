//! Uses of sessions and access tokens, written to the database after the response.
//!
//! A page or a check must not wait for a lock or a disk only because its use is to be noted. So uses are
//! queued here, and a background thread writes them. The queue has one entry for each session and a limited
//! length; a use that does not fit is noted the next time.
//!
//! LIMIT: a process that is killed in between loses a renewal whose cookie was already sent. The session is
//! then still idle, and its next use renews it.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::token::TokenHash;
use crate::store::{Error, Result, Store, Use};

/// The most uses that may wait to be written.
const WAITING_MAX: usize = 4_096;

/// The most uses written in one transaction, so that no other write waits long for it.
const BATCH_MAX: usize = 256;

/// The uses that wait to be written. Shared by all threads.
#[derive(Default)]
pub struct Uses {
    waiting: Mutex<HashMap<TokenHash, Use>>,
    more: Condvar,
}

impl Uses {
    /// Queues a use without waiting. `false` if there is no room: then it is not noted.
    pub fn note(&self, used: Use) -> bool {
        let mut waiting = self.lock();
        let has_room = waiting.len() < WAITING_MAX;
        match waiting.get_mut(used.id()) {
            // The renewal that waits also notes that the session was used, a moment ago.
            Some(Use::Renewal { .. }) if matches!(used, Use::Session { .. }) => {}
            Some(before) => *before = used,
            None if has_room => drop(waiting.insert(*used.id(), used)),
            None => return false,
        }
        self.more.notify_one();
        true
    }

    /// Blocks until there is something to write, for `patience` at most.
    pub fn wait(&self, patience: Duration) {
        let waiting = self.more.wait_timeout_while(self.lock(), patience, |it| it.is_empty());
        drop(waiting.unwrap_or_else(PoisonError::into_inner));
    }

    /// Writes a batch of the queued uses, and returns how many. Uses that cannot be written now but may be
    /// later stay queued.
    pub fn write(&self, store: &dyn Store) -> Result<usize> {
        let batch: Vec<_> = {
            let mut waiting = self.lock();
            let ids: Vec<_> = waiting.keys().take(BATCH_MAX).copied().collect();
            ids.iter().filter_map(|id| waiting.remove(id)).collect()
        };
        if batch.is_empty() {
            return Ok(0);
        }
        let written = store.note_uses(&batch);
        if let Err(Error::Unavailable(_) | Error::Unknown(_)) = written {
            let mut waiting = self.lock();
            for used in &batch {
                waiting.entry(*used.id()).or_insert(*used);
            }
        }
        written.map(|()| batch.len())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenHash, Use>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Moment;
    use crate::base::token::Token;

    const NOW: Moment = Moment::from_millis(1_000);

    fn seen() -> Use {
        Use::Session { id: Token::random().hash(), at: NOW }
    }

    #[test]
    fn keeps_one_entry_for_each_session_and_a_limited_number_of_them() {
        let uses = Uses::default();
        let first = seen();
        assert!(uses.note(first));
        for _ in 1..WAITING_MAX {
            assert!(uses.note(seen()));
        }
        assert!(!uses.note(seen()), "one too many");
        assert!(uses.note(first), "it has its place already");
        assert_eq!(uses.lock().len(), WAITING_MAX);
    }

    #[test]
    fn forgets_no_renewal_over_a_later_use() {
        let uses = Uses::default();
        let Use::Session { id, at } = seen() else { unreachable!() };
        let renewal = Use::Renewal { id, active_expires: NOW, idle_expires: NOW, at };
        assert!(uses.note(renewal) && uses.note(Use::Session { id, at }));
        assert!(uses.lock().get(&id) == Some(&renewal));
    }
}
