//! Who may come in: sign-up, sign-in, sessions, keys, throttling. For other programs this is the library.
//!
//! HTTP, cookies, HTML, flags and languages must not be known here.

#![warn(missing_docs)]

pub mod sign_in;
pub mod access_tokens;
pub mod verified_passwords;
pub mod invitations;
pub mod one_time_tokens;
pub mod enrolments;
pub mod names;
pub mod users;
pub mod usernames;
pub mod keys;
pub mod devices;
pub mod sessions;
pub mod second_factors;
pub mod second_step;
pub mod passkeys;
pub mod sealing;
pub mod password_policy;
pub mod throttle;
pub mod audit;
pub mod user_status;
pub mod email;
pub mod events;
pub mod record_fields;
pub mod mail;
pub mod housekeeping;

use crate::auth::sign_in::Rules;
use crate::base::password::Hasher;
use crate::base::sealing::SealingKey;
use crate::store::Store;

/// What authentication needs: the accounts, the hasher, and the operator's rules. A site has one for as
/// long as it is served.
pub struct Authenticator {
    store: Box<dyn Store>,
    /// Computes and verifies the password hashes, a limited number at once.
    pub hasher: Hasher,
    /// The operator's rules for all accounts.
    pub rules: Rules,
    /// The key with which the secrets of authenticator apps are sealed; `None`: they are stored in the clear.
    pub sealing_key: Option<SealingKey>,
}

impl Authenticator {
    /// An authenticator for the accounts in this store.
    pub fn new(store: Box<dyn Store>, hasher: Hasher, rules: Rules) -> Self {
        Self { store, hasher, rules, sealing_key: None }
    }

    /// The store with the accounts.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }
}
