//! What is done between requests: what is dead is deleted, and the database is looked after.

use std::time::Duration;

use crate::auth::devices::DEVICE_LIFE;
use crate::auth::throttle::{self, QUIET};
use crate::auth::{Authenticator, access_tokens, invitations, names, one_time_tokens, sessions};
use crate::base::clock::Moment;
use crate::store::{Result, Store, Tended};

/// Rows that are deleted in one transaction, at most, so that no other write waits long behind it.
pub const BATCH_MAX: u32 = 500;

/// Deletes a batch of what has ended or is forgotten by now, with audit records older than `audit_life`
/// (`None`: they are kept), and brings back failures that lie in the future. It says how many rows there
/// were: 0 means that none is left.
pub fn sweep(auth: &Authenticator, audit_life: Option<Duration>, now: Moment) -> Result<usize> {
    let store = auth.store();
    let old = match audit_life {
        Some(life) => store.delete_records(now.before(life), BATCH_MAX)?,
        None => 0,
    };
    Ok(old
        + sessions::delete_dead(store, BATCH_MAX, now)?
        + throttle::bring_back_all(store, &auth.rules.limits, BATCH_MAX, now)?
        + store.delete_forgotten(now.before(QUIET), now.before(DEVICE_LIFE), BATCH_MAX)?
        + access_tokens::delete_ended(store, BATCH_MAX, now)?
        + one_time_tokens::delete_ended(store, BATCH_MAX, now)?
        + invitations::delete_ended(store, BATCH_MAX, now)?
        + names::delete_rested(store, BATCH_MAX, now)?)
}

/// Whether the database can be read. An error says why not.
pub fn probe(store: &dyn Store) -> Result<()> {
    store.probe()
}

/// Whether the database is on other machines, so that asking it may take long.
pub fn is_remote(store: &dyn Store) -> bool {
    store.asks_servers()
}

/// How long a request may take in all; then it is told to come back, unless it was begun.
pub fn patience(store: &dyn Store) -> Duration {
    store.patience()
}

/// Looks after the connections to the database, and says what has changed.
pub fn tend(store: &dyn Store) -> Tended {
    store.tend()
}

/// Closes the database, when serving ends.
pub fn close(store: &dyn Store) -> Result<()> {
    store.close()
}
