//! Devices: browsers that have signed in to an account before.
//!
//! Decides how long a device is known and what its secret is. What it is allowed is decided in `throttle`.

use std::time::Duration;

use crate::auth::sign_in::Caller;
use crate::base::token::Token;
use crate::store::{Result, Store};

/// How long a browser counts as a device after its last sign-in.
pub const DEVICE_LIFE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The browser's device token, if this site issued it: a token that a client made up is not adopted.
pub(super) fn known(store: &dyn Store, caller: &Caller) -> Result<Option<Token>> {
    Ok(match &caller.device {
        Some(device) if store.knows_device(&device.hash())? => Some(device.clone()),
        Some(_) | None => None,
    })
}

/// The browser's device token if it presents a known one, otherwise a new one; `None` if the session is to
/// end when the browser is closed.
pub(super) fn of(store: &dyn Store, caller: &Caller) -> Result<Option<Token>> {
    let known = known(store, caller)?;
    Ok(if caller.place.is_transient { known } else { known.or_else(|| Some(Token::random())) })
}
