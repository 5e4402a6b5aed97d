//! The e-mail address of a user: asked for by its owner, verified by a link, removed.
//!
//! An address counts once a link that was sent to it is used by its user, who is signed in; until then the one
//! before stays. Decides how often such a link is sent, so that no address is flooded with mail.

use std::cell::Cell;
use std::time::Duration;

use crate::auth::mail::{self, Quota};
use crate::auth::one_time_tokens::{self, Purpose};
use crate::auth::throttle::ThrottleLimits;
use crate::base::clock::Moment;
use crate::base::email_address;
use crate::base::token::Token;
use crate::store::{CountId, Letter, Result, Store, User};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// How often one user may ask for a link.
const OF_USER: Quota = Quota { gap: Duration::ZERO, most: 5, span: HOUR };

/// How often one address is sent a link, whichever user asks.
const TO_ADDRESS: Quota =
    Quota { gap: Duration::ZERO, most: 3, span: Duration::from_secs(24 * 60 * 60) };

/// The outcome of asking for a link to an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressAsked {
    /// A mail with a link goes there.
    Done,
    /// Too many were asked for, by this user or for this address.
    Wait(Duration),
}

/// Asks for a link that makes an address the user's, in this language; it must be deliverable. `notice` tells the
/// address that counts now.
pub fn ask(
    store: &dyn Store,
    limits: &ThrottleLimits,
    user: &User,
    (address, language): (&str, &str),
    notice: Option<Letter>,
    now: Moment,
) -> Result<AddressAsked> {
    let id = |thing: String| mail::count_id(store, &thing);
    let ids = [id(format!("verify-by:{}", user.id.as_str())), id(to_address(address))];
    let letter = mail::verification(user, address, language, now);
    let is_open = Cell::new(true);
    let quotas = [OF_USER, TO_ADDRESS];
    let allowance = |at: usize, before| {
        is_open.set(at == 0 || is_open.get());
        let after = quotas[at].after(before, now).filter(|_| is_open.get());
        is_open.set(after.is_some());
        after
    };
    // The notice is about the asking, which is counted first.
    let asked = [(ids[0], notice), (ids[1], Some(letter))];
    let allowed = store.count_if_allowed(&asked, &allowance, limits.rows)?;
    if allowed.iter().all(|it| *it) {
        return Ok(AddressAsked::Done);
    }
    let wait = |id: &CountId, quota: &Quota| Ok(quota.wait(store.count(id)?, now));
    let waits: Result<Vec<_>> = ids.iter().zip(&quotas).map(|(id, it)| wait(id, it)).collect();
    Ok(AddressAsked::Wait(waits?.into_iter().max().unwrap_or_default()))
}

/// The letter that goes out with a new account that has an address: with a link that verifies it. `None`: the
/// account has none, or too many were sent there today, so the user asks for one later.
pub(super) fn at_sign_up(
    store: &dyn Store,
    limits: &ThrottleLimits,
    (user, language): (&User, &str),
    now: Moment,
) -> Result<Option<Letter>> {
    if !email_address::is_deliverable(&user.email) {
        return Ok(None);
    }
    let letter = mail::verification(user, &user.email, language, now);
    let is_counted = mail::count_one(store, limits, &TO_ADDRESS, &to_address(&user.email), now)?;
    Ok(is_counted.then_some(letter))
}

/// What is counted for one address, whichever user asks.
fn to_address(address: &str) -> String {
    format!("verify-to:{}", email_address::canonical(address))
}

/// The user of a link and the address that it verifies. `None` if it is not valid.
pub fn of_link(store: &dyn Store, token: &Token, now: Moment) -> Result<Option<(User, String)>> {
    one_time_tokens::find(store, token, Purpose::VerifyEmail, now)
}

/// Makes the address of a link the user's, and ends all their links. `notice` tells the address that counted before.
/// `false` if the link is not valid, or is another user's.
pub fn verify(
    store: &dyn Store,
    user: &User,
    token: &Token,
    notice: Option<&Letter>,
    now: Moment,
) -> Result<bool> {
    store.verify_email(&token.hash(), &user.id, notice, now)
}

/// Removes the address of a user, and ends all their links. `notice` tells the address that counted before. `false` if
/// the user is gone.
pub fn remove(store: &dyn Store, user: &User, notice: Option<&Letter>) -> Result<bool> {
    store.set_email(&user.id, "", None, notice)
}
