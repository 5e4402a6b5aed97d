//! One-time tokens, which each do one thing for their user: reset links, with which users set a new
//! password without knowing the current one, the links that verify an address, and sign-ins that wait for the
//! second factor.
//!
//! Decides how long a token is valid and what it may do. An operator creates a reset link and hands it over, or
//! its user asks for one by mail. Using it does not sign the user in: they still have to (OWASP Forgot Password Cheat
//! Sheet; ASVS 6.4.1). Knows nothing of HTTP.

use std::time::Duration;

use crate::auth::throttle;
use crate::base::clock::Moment;
use crate::base::password::{Hasher, Password};
use crate::base::token::Token;
pub use crate::store::Purpose;
use crate::store::{Letter, OneTimeToken, OneTimeTokenAdded, Result, Store, User, UserId};

/// The lifetime of a token of this purpose.
pub const fn life(purpose: Purpose) -> Duration {
    match purpose {
        Purpose::ResetPassword | Purpose::VerifyEmail => Duration::from_secs(60 * 60),
        Purpose::SecondStep => Duration::from_secs(10 * 60),
    }
}

/// Creates a token for this user, replacing any other of theirs with this purpose. `None` if there is no
/// such user.
pub fn create(
    store: &dyn Store,
    user: &UserId,
    purpose: Purpose,
    now: Moment,
) -> Result<Option<Token>> {
    let (token, record) = new(user, (purpose, ""), now);
    let added = store.add_one_time_token(&record)?;
    Ok((added == OneTimeTokenAdded::Done).then_some(token))
}

/// Creates a token for this user that is mailed. Those before it stay valid, but of the mailed ones `most` at
/// most. `None` if there is no such user.
pub(super) fn create_mailed(
    store: &dyn Store,
    user: &UserId,
    (purpose, detail): (Purpose, &str),
    most: u32,
    now: Moment,
) -> Result<Option<Token>> {
    let (token, record) = new(user, (purpose, detail), now);
    let added = store.add_mailed_token(&record, most)?;
    Ok((added == OneTimeTokenAdded::Done).then_some(token))
}

/// A token for this user that is not stored yet.
pub(super) fn new(
    user: &UserId,
    (purpose, detail): (Purpose, &str),
    now: Moment,
) -> (Token, OneTimeToken) {
    let token = Token::random();
    let record = OneTimeToken {
        id: token.hash(),
        user_id: user.clone(),
        purpose,
        created_at: now,
        expires_at: now.after(life(purpose)),
        detail: detail.to_owned(),
    };
    (token, record)
}

/// The user of this token. `None` if it is not valid or has another purpose, or if the user is disabled.
pub fn user_of(
    store: &dyn Store,
    token: &Token,
    purpose: Purpose,
    now: Moment,
) -> Result<Option<User>> {
    Ok(find(store, token, purpose, now)?.map(|(user, _)| user))
}

/// The user of this token and its detail, as for [`user_of`].
pub(super) fn find(
    store: &dyn Store,
    token: &Token,
    purpose: Purpose,
    now: Moment,
) -> Result<Option<(User, String)>> {
    let found = store.user_of_one_time_token(&token.hash(), purpose, now)?;
    Ok(found.filter(|(user, _)| user.disabled_at.is_none()))
}

/// Sets the password of the token's user as [`crate::auth::keys::set_password`] does, and uses the token
/// up. `false` if it is not valid.
///
/// The failures counted for the user's names are cleared as well: guesses at the old password must not keep
/// the owner from signing in with the new one. They are cleared first, so that nothing can fail once the
/// password is set; the holder of a valid link has no need to guess. `notice` tells the user.
pub fn reset_password(
    store: &dyn Store,
    hasher: &Hasher,
    (token, notice): (&Token, Option<&Letter>),
    password: &Password,
    now: Moment,
) -> Result<bool> {
    let Some(user) = user_of(store, token, Purpose::ResetPassword, now)? else { return Ok(false) };
    let hash = hasher.hash(password);
    throttle::forget_user(store, &user, now)?;
    store.reset_password(&token.hash(), &hash, notice, now)
}

/// Deletes up to `limit` expired tokens, and returns how many.
pub fn delete_ended(store: &dyn Store, limit: u32, now: Moment) -> Result<usize> {
    store.delete_ended_one_time_tokens(now, limit)
}
