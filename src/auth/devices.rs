//! Browsers that are known: somebody has signed in there before.
//!
//! Decides for how long, and which secret such a browser has. What it is good for is decided in `throttle`.

use std::time::Duration;

use crate::auth::sign_in::Caller;
use crate::base::token::Token;
use crate::store::{Result, Store};

/// How long a browser is known after somebody has signed in there.
pub const DEVICE_LIFE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The secret that the browser has, if we gave it out: what we did not make we do not adopt.
pub(super) fn known(store: &dyn Store, caller: &Caller) -> Result<Option<Token>> {
    Ok(match &caller.device {
        Some(device) if store.knows_device(&device.hash())? => Some(device.clone()),
        Some(_) | None => None,
    })
}

/// The device token of a browser that presents a known one; otherwise a new one, unless the browser is to
/// forget the session when it is closed.
pub(super) fn of(store: &dyn Store, caller: &Caller) -> Result<Option<Token>> {
    let known = known(store, caller)?;
    Ok(if caller.place.is_transient { known } else { known.or_else(|| Some(Token::random())) })
}
