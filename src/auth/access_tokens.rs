//! Access tokens, which people make for scripts that ask for an app and have no session.
//!
//! Decides how long an access token is good. It opens no account page: whoever finds one in a script can use
//! the apps and can change nothing. Knows nothing of HTTP.

use std::time::Duration;

use crate::base::clock::Moment;
use crate::base::token::Token;
use crate::store::{
    AccessToken, AccessTokenAdded, Error, Result, Session, Store, Use, User, UserId,
};

/// What an access token begins with, so that people and scanners for leaked secrets know one.
pub const PREFIX: &str = "vst_";

/// Access tokens of one user, at most.
pub const MOST: u32 = 50;

/// The longest life of an access token.
pub const LIFE_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// For how long an access token that has ended is still listed.
pub const LISTED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How exactly it is kept when an access token was last used.
pub const SEEN_EVERY: Duration = Duration::from_secs(10 * 60);

/// UTF-16 units of an access token's name, at most.
const NAME_UNITS_MAX: usize = 60;

/// What became of an access token that was to be made.
pub enum Made {
    /// It is made. This is the one copy of it, and the record of it.
    Done(Token, Box<AccessToken>),
    /// Its user has [`MOST`] of them already.
    TooMany,
    /// The session in which it was to be made has ended.
    Ended,
}

/// What an owner may call an access token: 1 to 60 UTF-16 units without control characters, and no
/// white space at either end. `None` if it is not such a name.
pub fn name(typed: &str) -> Option<&str> {
    let name = typed.trim();
    let is_good = (1..=NAME_UNITS_MAX).contains(&name.encode_utf16().count())
        && !name.chars().any(char::is_control);
    is_good.then_some(name)
}

/// Makes an access token for the owner of this session, good for `life` and at most [`LIFE_MAX`].
pub fn create(
    store: &dyn Store,
    session: &Session,
    name: &str,
    life: Duration,
    now: Moment,
) -> Result<Made> {
    let token = Token::random();
    let record = AccessToken {
        id: token.hash(),
        user_id: session.user_id.clone(),
        name: name.to_owned(),
        created_at: now,
        expires_at: now.after(life.min(LIFE_MAX)),
        used_at: None,
    };
    Ok(match store.add_access_token(&record, &session.id, MOST)? {
        AccessTokenAdded::Done => Made::Done(token, Box::new(record)),
        AccessTokenAdded::TooMany => Made::TooMany,
        AccessTokenAdded::SessionEnded => Made::Ended,
    })
}

/// An access token as its owner gets to see it, once.
pub fn reveal(token: &Token) -> String {
    format!("{PREFIX}{}", token.reveal())
}

/// Reads an access token that somebody presents. `None` if it cannot be one.
pub fn read(text: &str) -> Option<Token> {
    Token::parse(text.strip_prefix(PREFIX)?)
}

/// The user whose access token this is, and its use, if that is to be noted. `None` if there is none such,
/// if it has ended, or if the user is shut out. One read, and no write.
pub fn recognise(
    store: &dyn Store,
    token: &Token,
    now: Moment,
) -> Result<Option<(User, Option<Use>)>> {
    let Some((user, record)) = store.user_of_access_token(&token.hash())? else { return Ok(None) };
    if is_ended(&record, now) || user.disabled_at.is_some() {
        return Ok(None);
    }
    let is_news =
        record.used_at.is_none_or(|it| it.after(SEEN_EVERY) <= now || !it.has_passed(now));
    Ok(Some((user, is_news.then_some(Use::AccessToken { id: record.id, at: now }))))
}

/// The user whose access token this is. `None` if there is none such, if it has ended, or if the user
/// is shut out. One read, and one write in ten minutes.
pub fn user_of(store: &dyn Store, token: &Token, now: Moment) -> Result<Option<User>> {
    let Some((user, to_note)) = recognise(store, token, now)? else { return Ok(None) };
    if let Some(used) = to_note {
        // Nobody waits for this, and nobody is told if the database is busy.
        match store.touch_access_token(used.id(), now) {
            Ok(_) | Err(Error::Unavailable(_) | Error::Unknown(_)) => {}
            Err(err) => return Err(err),
        }
    }
    Ok(Some(user))
}

/// Whether an access token is good no more. The very moment at which it ends is still good. One that was
/// made in the future is not good: it would outlive [`LIFE_MAX`].
pub fn is_ended(record: &AccessToken, now: Moment) -> bool {
    now > record.expires_at || !record.created_at.has_passed(now)
}

/// All access tokens of a user, those that ended lately too, oldest first.
pub fn of_user(store: &dyn Store, user: &UserId) -> Result<Vec<AccessToken>> {
    store.access_tokens_of(user)
}

/// Ends the access token of this user that has this public handle, and says which it was. `None` if
/// there is none such.
pub fn revoke(store: &dyn Store, user: &UserId, handle: &str) -> Result<Option<AccessToken>> {
    let all = store.access_tokens_of(user)?;
    let Some(found) = all.into_iter().find(|it| it.id.public_handle() == handle) else {
        return Ok(None);
    };
    Ok(store.delete_access_token(user, &found.id)?.then_some(found))
}

/// Deletes up to `limit` access tokens that ended long ago, and says how many.
pub fn delete_ended(store: &dyn Store, limit: u32, now: Moment) -> Result<usize> {
    store.delete_ended_access_tokens(now.before(LISTED), limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_that_can_be_shown() {
        assert_eq!(name(" backup of the wiki "), Some("backup of the wiki"));
        for bad in ["", "  ", "a\nb", &"x".repeat(61)] {
            assert_eq!(name(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn reads_no_access_token_without_its_prefix_and_no_session_token() {
        let token = Token::random();
        assert!(read(&reveal(&token)).is_some_and(|it| it == token));
        assert!(read(token.reveal()).is_none());
        assert!(read(&format!("{PREFIX}short")).is_none());
    }
}
