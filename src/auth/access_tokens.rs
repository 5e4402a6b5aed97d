//! Access tokens, which users create for scripts that call an app and have no session.
//!
//! Decides how long an access token is valid. It opens no account page: a token found in a script gives
//! access to the apps and can change nothing. Knows nothing of HTTP.

use std::time::Duration;

use crate::base::clock::Moment;
use crate::base::token::Token;
use crate::store::{
    AccessToken, AccessTokenAdded, Error, Letter, Result, Session, Store, Use, User, UserId,
};

/// The prefix of an access token, by which people and secret scanners recognise one.
pub const PREFIX: &str = "vst_";

/// The most access tokens that one user may have.
pub const MOST: u32 = 50;

/// The longest lifetime of an access token.
pub const LIFE_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How long an expired access token is still listed.
pub const LISTED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The accuracy of an access token's time of last use, so that not every use is a write.
pub const SEEN_EVERY: Duration = Duration::from_secs(10 * 60);

/// The result of [`create`].
pub enum Made {
    /// It was created. This is the only copy of the token, and its record.
    Done(Token, Box<AccessToken>),
    /// The user has [`MOST`] of them already.
    TooMany,
    /// The session in which it was requested has ended.
    Ended,
}

/// The secret of the access token that a form creates at this moment: it follows from the token of the session and
/// the random key of the form, so that a form that arrives twice is recognised by [`of_form`], and the secret can be
/// shown once more without being kept. Neither of the two is of any use without the other.
pub fn secret_of_form(session: &Token, key: &Token, now: Moment) -> Token {
    session.derived(&format!("access token {} {}", key.reveal(), now.millis()))
}

/// The access token of this user that this form has created, and its record. `None`: the form has created none in
/// this session, or it was revoked.
pub fn of_form(
    store: &dyn Store,
    user: &UserId,
    session: &Token,
    key: &Token,
) -> Result<Option<(Token, AccessToken)>> {
    let all = store.access_tokens_of(user)?;
    Ok(all.into_iter().find_map(|record| {
        let secret = secret_of_form(session, key, record.created_at);
        (secret.hash() == record.id).then_some((secret, record))
    }))
}

/// Creates an access token with this secret for the owner of this session, valid for `life`, and for [`LIFE_MAX`] at
/// most. `notice` tells the user.
pub fn create(
    store: &dyn Store,
    session: &Session,
    token: Token,
    name: &str,
    life: Duration,
    notice: Option<&Letter>,
    now: Moment,
) -> Result<Made> {
    let record = AccessToken {
        id: token.hash(),
        user_id: session.user_id.clone(),
        name: name.to_owned(),
        created_at: now,
        expires_at: now.after(life.min(LIFE_MAX)),
        used_at: None,
        second_at: session.second_at,
    };
    Ok(match store.add_access_token(&record, &session.id, MOST, notice)? {
        AccessTokenAdded::Done => Made::Done(token, Box::new(record)),
        AccessTokenAdded::TooMany => Made::TooMany,
        AccessTokenAdded::SessionEnded => Made::Ended,
    })
}

/// The text that its owner is shown, once: the prefix and the token.
pub fn reveal(token: &Token) -> String {
    format!("{PREFIX}{}", token.reveal())
}

/// Parses an access token that a client presents. `None` if it cannot be one.
pub fn read(text: &str) -> Option<Token> {
    Token::parse(text.strip_prefix(PREFIX)?)
}

/// The user of this access token, its record, and a use to be noted if it is due. `None` if the token does not exist
/// or has expired, or if the user is disabled. One read, and no write.
pub fn recognise(
    store: &dyn Store,
    token: &Token,
    now: Moment,
) -> Result<Option<(User, AccessToken, Option<Use>)>> {
    let Some((user, record)) = store.user_of_access_token(&token.hash())? else { return Ok(None) };
    if is_ended(&record, now) || user.disabled_at.is_some() {
        return Ok(None);
    }
    let is_news =
        record.used_at.is_none_or(|it| it.after(SEEN_EVERY) <= now || !it.has_passed(now));
    let to_note = is_news.then_some(Use::AccessToken { id: record.id, at: now });
    Ok(Some((user, record, to_note)))
}

/// The user of this access token. `None` if the token does not exist or has expired, or if the user is
/// disabled. One read, and at most one write in ten minutes.
pub fn user_of(store: &dyn Store, token: &Token, now: Moment) -> Result<Option<User>> {
    let Some((user, _, to_note)) = recognise(store, token, now)? else { return Ok(None) };
    if let Some(used) = to_note {
        // A use that cannot be noted now, as the database is busy, is noted the next time.
        match store.touch_access_token(used.id(), now) {
            Ok(_) | Err(Error::Unavailable(_) | Error::Unknown(_)) => {}
            Err(err) => return Err(err),
        }
    }
    Ok(Some(user))
}

/// Whether an access token has expired. It is still valid at the very moment of its expiry. One whose time
/// of creation lies in the future is not valid: it would outlive [`LIFE_MAX`].
pub fn is_ended(record: &AccessToken, now: Moment) -> bool {
    now > record.expires_at || !record.created_at.has_passed(now)
}

/// All access tokens of a user, oldest first, with those that expired lately.
pub fn of_user(store: &dyn Store, user: &UserId) -> Result<Vec<AccessToken>> {
    store.access_tokens_of(user)
}

/// Revokes the access token of this user that has this handle, the public one or that of the log, and returns it.
/// `None` if there is none.
pub fn revoke(store: &dyn Store, user: &UserId, handle: &str) -> Result<Option<AccessToken>> {
    let all = store.access_tokens_of(user)?;
    let is_it = |it: &AccessToken| it.id.public_handle() == handle || it.id.handle() == handle;
    let Some(found) = all.into_iter().find(is_it) else {
        return Ok(None);
    };
    Ok(store.delete_access_token(user, &found.id)?.then_some(found))
}

/// Deletes up to `limit` access tokens that expired longer ago than [`LISTED`], and returns how many.
pub fn delete_ended(store: &dyn Store, limit: u32, now: Moment) -> Result<usize> {
    store.delete_ended_access_tokens(now.before(LISTED), limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_no_access_token_without_its_prefix_and_no_session_token() {
        let token = Token::random();
        assert!(read(&reveal(&token)).is_some_and(|it| it == token));
        assert!(read(token.reveal()).is_none());
        assert!(read(&format!("{PREFIX}short")).is_none());
    }
}
