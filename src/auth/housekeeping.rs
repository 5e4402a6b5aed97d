//! What runs between requests: deleting expired rows, and looking after the database.

use std::time::Duration;

use crate::auth::{
    Authenticator, access_tokens, devices, invitations, names, one_time_tokens, sessions, throttle,
};
use crate::base::clock::Moment;
use crate::store::{Census, Result, Store, Strain, Tended};

/// The most rows deleted in one transaction, so that no other write waits long for it.
pub const BATCH_MAX: u32 = 500;

/// Deletes a batch of expired rows, and of audit records older than `audit_life` (`None`: they are kept),
/// and resets failure counts that lie in the future. Returns how many rows that were: 0 means that nothing
/// is left to do.
pub fn sweep(auth: &Authenticator, audit_life: Option<Duration>, now: Moment) -> Result<usize> {
    let store = auth.store();
    let old = match audit_life {
        Some(life) => store.delete_records(now.before(life), BATCH_MAX)?,
        None => 0,
    };
    Ok(old
        + sessions::delete_dead(store, BATCH_MAX, now)?
        + throttle::bring_back_all(store, &auth.rules.limits, BATCH_MAX, now)?
        + throttle::delete_old(store, BATCH_MAX, now)?
        + devices::delete_unused(store, BATCH_MAX, now)?
        + access_tokens::delete_ended(store, BATCH_MAX, now)?
        + one_time_tokens::delete_ended(store, BATCH_MAX, now)?
        + invitations::delete_ended(store, BATCH_MAX, now)?
        + store.delete_old_challenges(now, BATCH_MAX)?
        + names::delete_rested(store, BATCH_MAX, now)?)
}

/// When the clock was last believed, noted by any server; `None`: never.
pub fn clock_believed_at(store: &dyn Store) -> Result<Option<Moment>> {
    store.believed_at()
}

/// Notes that the clock is believed now. `false`: another server has noted something else since `before`.
pub fn believe_clock(store: &dyn Store, before: Option<Moment>, now: Moment) -> Result<bool> {
    store.believe(before, now)
}

/// Checks that the database can be read. The error says why not.
pub fn probe(store: &dyn Store) -> Result<()> {
    store.probe()
}

/// Whether the database is on another machine, so that a query may take long.
pub fn is_remote(store: &dyn Store) -> bool {
    store.asks_servers()
}

/// The time limit for a whole request. One that has not been started by then is refused as busy.
pub fn patience(store: &dyn Store) -> Duration {
    store.patience()
}

/// How much there is in the database at this moment.
pub fn census(store: &dyn Store, now: Moment) -> Result<Census> {
    store.census(now)
}

/// The faults of the database, and the waits for its locks, since it was opened.
pub fn strain(store: &dyn Store) -> Strain {
    store.strain()
}

/// The schema version, and the version of the engine.
pub fn versions(store: &dyn Store) -> Result<[(&'static str, String); 2]> {
    store.versions()
}

/// Checks the connections to the database, and returns what has changed.
pub fn tend(store: &dyn Store) -> Tended {
    store.tend()
}

/// Closes the database at shutdown.
pub fn close(store: &dyn Store) -> Result<()> {
    store.close()
}
