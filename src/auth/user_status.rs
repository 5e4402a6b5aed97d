//! What an operator asks about one account: how its owner signs in, when they last did, and what gives access to it.

use crate::auth::audit::{self, Activity};
use crate::auth::events::Event;
use crate::auth::throttle::{self, FailedAttempts};
use crate::auth::{access_tokens, devices, keys, passkeys, sessions};
use crate::base::clock::Moment;
use crate::store::{Key, Result, Store, User};

/// The state of one account at a moment. It holds keys and so has no `Debug`.
pub struct UserStatus {
    /// The ways to sign in, by their ids.
    pub keys: Vec<Key>,
    /// The last sign-in, as far as it is known.
    pub last_sign_in: Option<Activity>,
    /// Failed attempts from browsers that are not known to the account.
    pub failed_elsewhere: FailedAttempts,
    /// Failed attempts from browsers that are.
    pub failed_in_known: FailedAttempts,
    /// What gives access to it.
    pub open: OpenAccess,
    /// The browsers that are known to the account.
    pub known_browsers: usize,
    /// What there is beside the password; `None`: the password is enough.
    pub second_factor: Option<SecondFactorStatus>,
    /// The passkeys, those that are a second factor only included.
    pub passkeys: usize,
}

/// The second factor of one account at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SecondFactorStatus {
    /// Since when it is asked for.
    pub since: Moment,
    /// The authenticator apps.
    pub apps: usize,
    /// The recovery codes that are not used.
    pub recovery_codes: usize,
    /// The known browsers that the user wanted to be remembered when both factors were given in them.
    pub remembered_browsers: usize,
    /// The wrong codes, from all browsers.
    pub failed: FailedAttempts,
}

impl SecondFactorStatus {
    fn of(store: &dyn Store, user: &User, now: Moment) -> Result<Option<Self>> {
        let Some(since) = user.second_factor_since else { return Ok(None) };
        let devices = devices::of_user(store, &user.id, now)?;
        Ok(Some(Self {
            since,
            apps: usize::from(store.totp_of(&user.id)?.is_some()),
            recovery_codes: store.recovery_codes_of(&user.id)?.len(),
            remembered_browsers: devices.iter().filter(|it| it.second_at != Moment::NEVER).count(),
            failed: throttle::failed_codes(store, &user.id, now)?,
        }))
    }
}

/// What gives access to an account at a moment, beside its password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenAccess {
    /// Living sessions.
    pub sessions: usize,
    /// Access tokens that have not expired.
    pub access_tokens: usize,
}

impl OpenAccess {
    /// What gives access to this account now.
    pub fn of(store: &dyn Store, user: &User, now: Moment) -> Result<Self> {
        let tokens = access_tokens::of_user(store, &user.id)?;
        Ok(Self {
            sessions: sessions::of_user(store, &user.id, now)?.len(),
            access_tokens: tokens.iter().filter(|it| !access_tokens::is_ended(it, now)).count(),
        })
    }
}

impl UserStatus {
    /// The state of this account now.
    pub fn of(store: &dyn Store, user: &User, now: Moment) -> Result<Self> {
        let (failed_elsewhere, failed_in_known) = throttle::failed_attempts(store, user, now)?;
        Ok(Self {
            keys: keys::of_user(store, &user.id)?,
            last_sign_in: last_sign_in(store, user, now)?,
            failed_elsewhere,
            failed_in_known,
            open: OpenAccess::of(store, user, now)?,
            known_browsers: devices::of_user(store, &user.id, now)?.len(),
            second_factor: SecondFactorStatus::of(store, user, now)?,
            passkeys: passkeys::of_user(store, &user.id)?.len(),
        })
    }
}

/// The last sign-in: as the audit log has it, or else, as records are kept for a while only, what the sessions
/// and the known browsers of the account tell.
fn last_sign_in(store: &dyn Store, user: &User, now: Moment) -> Result<Option<Activity>> {
    if let Some(found) = audit::last_sign_in(store, &user.id)? {
        return Ok(Some(found));
    }
    let at_session = sessions::of_user(store, &user.id, now)?
        .into_iter()
        .filter(|it| !sessions::is_imported(it))
        .map(|it| (it.created_at, it.place.browser, it.place.address));
    let at_browser = devices::of_user(store, &user.id, now)?
        .into_iter()
        .map(|it| (it.last_used_at, String::new(), String::new()));
    let last = at_session.chain(at_browser).max();
    Ok(last.map(|(at, browser, address)| Activity {
        at,
        event: Event::LoginOk,
        address: Some(address).filter(|it| !it.is_empty()),
        browser,
    }))
}
