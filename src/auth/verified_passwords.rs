//! A cache of passwords that scripts send with every request.
//!
//! Decides what is kept of a password, and for how long.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::auth::second_factors::SecondFactorRules;
use crate::auth::usernames::Username;
use crate::base::clock::Moment;
use crate::base::password::{Password, PasswordHash};
use crate::base::token;
use crate::store::{KeyId, Result, Store, User};

/// How long a verified password is remembered: a client that sends it with each request should not cost a
/// slow hash each time.
pub const REMEMBERED: Duration = Duration::from_secs(60);

/// The most passwords that are remembered at once.
const REMEMBERED_MOST: usize = 1_024;

/// The longest time assumed between the choice of a lane and the answer.
const MARGIN: Duration = Duration::from_secs(1);

/// Passwords verified a short while ago, as keyed hashes under a random key that is never stored. Each is
/// remembered with the stored hash that it matched: an entry is void as soon as the user has another hash,
/// is disabled or is deleted, or a second factor is due, for which the password alone is not enough.
pub struct VerifiedPasswords {
    key: [u8; 32],
    entries: Mutex<HashMap<[u8; 16], Remembered>>,
}

struct Remembered {
    key: KeyId,
    hash: PasswordHash,
    at: Moment,
}

impl Remembered {
    /// Whether the entry is still valid. Setting the clock back does not prolong it.
    fn holds(&self, now: Moment) -> bool {
        now <= self.at.after(REMEMBERED) && self.at.has_passed(now)
    }
}

impl Default for VerifiedPasswords {
    fn default() -> Self {
        Self { key: token::random_bytes(), entries: Mutex::default() }
    }
}

impl VerifiedPasswords {
    /// The user with this name and password, if that was verified within [`REMEMBERED`] and still holds.
    /// One read.
    pub fn get(
        &self,
        (store, rules): (&dyn Store, &SecondFactorRules),
        name: &Username,
        password: &Password,
        now: Moment,
    ) -> Result<Option<User>> {
        let remembered = {
            let entries = self.entries();
            let found = entries.get(&self.id(name, password)).filter(|it| it.holds(now));
            found.map(|it| (it.key.clone(), it.hash.clone()))
        };
        let Some((key, hash)) = remembered else { return Ok(None) };
        // An entry that no longer holds is removed.
        let found = store.user_of_key(&key)?.filter(|(user, key)| {
            let is_whole = user.disabled_at.is_none() && !rules.is_due(user);
            is_whole && key.hashed_password.as_ref() == Some(&hash)
        });
        if found.is_none() {
            self.entries().remove(&self.id(name, password));
        }
        Ok(found.map(|(user, _)| user))
    }

    /// Whether there is an entry for them that lasts for a moment longer.
    pub fn has(&self, name: &Username, password: &Password, now: Moment) -> bool {
        let soon = now.after(MARGIN);
        let entries = self.entries();
        entries.get(&self.id(name, password)).is_some_and(|it| it.holds(now) && it.holds(soon))
    }

    /// Remembers for [`REMEMBERED`] that the password of this name matched `hash`.
    pub fn remember(&self, name: &Username, password: &Password, hash: PasswordHash, now: Moment) {
        let mut entries = self.entries();
        if entries.len() >= REMEMBERED_MOST {
            entries.retain(|_, it| it.holds(now));
        }
        if entries.len() >= REMEMBERED_MOST {
            let first = entries.iter().min_by_key(|(_, it)| it.at.millis()).map(|(id, _)| *id);
            first.map(|id| entries.remove(&id));
        }
        let key = KeyId::username(name.canonical());
        entries.insert(self.id(name, password), Remembered { key, hash, at: now });
    }

    fn id(&self, name: &Username, password: &Password) -> [u8; 16] {
        // The length tells `a` with `bc` from `ab` with `c`.
        let name = name.canonical();
        token::keyed_hash(&self.key, &format!("{}:{name}{}", name.len(), password.reveal()))
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<[u8; 16], Remembered>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_millis(1_000_000);

    fn pair(name: &str, password: &str) -> (Username, Password) {
        (Username::for_sign_in(name).unwrap(), Password::new(password))
    }

    #[test]
    fn remembers_no_more_than_it_has_room_for_and_forgets_the_oldest_first() {
        let passwords = VerifiedPasswords::default();
        let hash = || PasswordHash::from_stored("$x".to_owned());
        for number in 0..REMEMBERED_MOST + 10 {
            let (name, password) = pair(&number.to_string(), "secret");
            let now = NOW.after(Duration::from_millis(number.try_into().unwrap()));
            passwords.remember(&name, &password, hash(), now);
        }
        assert_eq!(passwords.entries().len(), REMEMBERED_MOST);
        let knows = |number: usize| {
            let (name, password) = pair(&number.to_string(), "secret");
            passwords.has(&name, &password, NOW)
        };
        assert!(!knows(9) && knows(10) && knows(REMEMBERED_MOST + 9));
    }

    #[test]
    fn takes_no_name_and_password_for_another() {
        let passwords = VerifiedPasswords::default();
        let (name, password) = pair("a", "bc");
        passwords.remember(&name, &password, PasswordHash::from_stored("$x".to_owned()), NOW);
        let (other, rest) = pair("ab", "c");
        assert!(passwords.has(&name, &password, NOW) && !passwords.has(&other, &rest, NOW));
    }
}
