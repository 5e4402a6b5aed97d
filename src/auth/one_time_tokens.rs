//! One-time links with which somebody sets a password without knowing the present one.
//!
//! Decides how long a link is good and what it is good for. An operator makes one and hands it over; no
//! mail is sent. Using it lets nobody in: whoever has it still has to sign in (OWASP Forgot Password
//! Cheat Sheet; ASVS 6.4.1). Knows nothing of HTTP.

use std::time::Duration;

use crate::auth::throttle;
use crate::base::clock::Moment;
use crate::base::password::{Hasher, Password};
use crate::base::token::Token;
use crate::store::{Result, Store, Ticket, User, UserId, Written};

/// How long a link is good.
pub const LIFE: Duration = Duration::from_secs(60 * 60);

/// Makes a ticket for this user, in the place of any other of theirs. `None` if there is no such user.
pub fn create(store: &dyn Store, user: &UserId, now: Moment) -> Result<Option<Token>> {
    let token = Token::random();
    let ticket = Ticket {
        id: token.hash(),
        user_id: user.clone(),
        created_at: now,
        expires_at: now.after(LIFE),
    };
    Ok(match store.add_ticket(&ticket)? {
        Written::Done => Some(token),
        Written::Taken | Written::Resting | Written::NoUser => None,
    })
}

/// The user whose password this ticket sets. `None` if it is not good, or not any more, or if the user is
/// shut out.
pub fn user_of(store: &dyn Store, token: &Token, now: Moment) -> Result<Option<User>> {
    let found = store.user_of_ticket(&token.hash(), now)?;
    Ok(found.filter(|user| user.disabled_at.is_none()))
}

/// Sets the password of the user, once, as [`crate::auth::keys::set_password`] does. `false` if the ticket is not
/// good any more.
///
/// The failures for the user's names are forgotten with it: guesses at the old password must not keep
/// the owner from signing in with the new one. They are forgotten first, so that nothing is left to fail
/// once the password is set; whoever has the link has no need to guess.
pub fn set_password(
    store: &dyn Store,
    hasher: &Hasher,
    token: &Token,
    password: &Password,
    now: Moment,
) -> Result<bool> {
    let Some(user) = user_of(store, token, now)? else { return Ok(false) };
    let hash = hasher.hash(password);
    throttle::forget_user(store, &user)?;
    store.use_ticket(&token.hash(), &hash, now)
}

/// Deletes up to `limit` tickets that have ended, and says how many.
pub fn delete_ended(store: &dyn Store, limit: u32, now: Moment) -> Result<usize> {
    store.delete_ended_tickets(now, limit)
}
