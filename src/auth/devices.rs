//! Devices: browsers that have signed in to an account before.
//!
//! Decides how long a device is known and what its secret is. What it is allowed is decided in `throttle`.

use std::time::Duration;

use crate::auth::sign_in::Caller;
use crate::base::clock::Moment;
use crate::base::token::Token;
use crate::store::{Device, Result, Store, UserId};

/// How long a browser counts as a device after its last sign-in.
pub const DEVICE_LIFE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The browser's device token, if this site issued it: a token that a client made up is not adopted.
pub(super) fn known(store: &dyn Store, caller: &Caller) -> Result<Option<Token>> {
    Ok(match &caller.device {
        Some(device) if store.knows_device(&device.hash())? => Some(device.clone()),
        Some(_) | None => None,
    })
}

/// The browser's device token if it presents a known one; otherwise a new one, or `None` if the session
/// ends with the browser.
pub(super) fn of(store: &dyn Store, caller: &Caller) -> Result<Option<Token>> {
    let known = known(store, caller)?;
    Ok(if caller.place.is_transient { known } else { known.or_else(|| Some(Token::random())) })
}

/// Deletes up to `limit` devices that are no longer known, and returns how many.
pub(super) fn delete_unused(store: &dyn Store, limit: u32, now: Moment) -> Result<usize> {
    store.delete_unused_devices(now.before(DEVICE_LIFE), limit)
}

/// The browsers that are known to this account, the last used first.
pub fn of_user(store: &dyn Store, user: &UserId, now: Moment) -> Result<Vec<Device>> {
    let mut devices = store.devices_of(user)?;
    let earliest = now.before(DEVICE_LIFE);
    devices.retain(|it| earliest <= it.last_used_at && it.last_used_at.has_passed(now));
    Ok(devices)
}
