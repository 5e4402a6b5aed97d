//! That sessions and access tokens were used: written down behind the answer.
//!
//! Whoever looks at a page or asks for a check must not wait for a lock or a disk because it is noted that
//! they did. So what is to be noted is kept here, and a thread that nobody waits for writes it. There is one
//! entry for each session, and a limited number of them; what finds no room is noted at the next use.
//!
//! LIMIT: a process that is killed in the moment between loses a renewal whose cookie is sent already. The
//! session is then idle still, and its next use renews it.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::token::TokenHash;
use crate::store::{Error, Result, Store, Use};

/// Uses that wait to be written, at most.
const WAITING_MAX: usize = 4_096;

/// Uses that are written in one transaction, at most, so that no other write waits long behind it.
const BATCH_MAX: usize = 256;

/// Uses that wait to be written. Shared by all threads.
#[derive(Default)]
pub struct Uses {
    waiting: Mutex<HashMap<TokenHash, Use>>,
    more: Condvar,
}

impl Uses {
    /// Takes a use in; it waits for nothing. `false` if there is no room: then nothing is noted.
    pub fn note(&self, used: Use) -> bool {
        let mut waiting = self.lock();
        let has_room = waiting.len() < WAITING_MAX;
        match waiting.get_mut(used.id()) {
            // It says that the session was used as well, a moment ago.
            Some(Use::Renewal { .. }) if matches!(used, Use::Session { .. }) => {}
            Some(before) => *before = used,
            None if has_room => drop(waiting.insert(*used.id(), used)),
            None => return false,
        }
        self.more.notify_one();
        true
    }

    /// Waits until there is something to write, for `patience` at most.
    pub fn wait(&self, patience: Duration) {
        let waiting = self.more.wait_timeout_while(self.lock(), patience, |it| it.is_empty());
        drop(waiting.unwrap_or_else(PoisonError::into_inner));
    }

    /// Writes a batch of what waits, and says how many uses that were. What could not be written but may be
    /// later waits on.
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
