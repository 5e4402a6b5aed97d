//! Sessions of signed-in browsers.
//!
//! Decides how long a session lives and what its use changes. The rules are Lucia v2's with its faults
//! fixed: a session is *active*, then *idle*, then *dead*; an idle session that is used becomes active
//! again; and it has an absolute end that no use moves. Knows nothing of cookies.

mod uses;

use std::time::Duration;

pub use uses::Uses;

use crate::auth::sign_in::Rules;
use crate::base::clock::Moment;
use crate::base::token::{Token, TokenHash};
use crate::store::{
    Error, Result, Session, SessionStart, SessionStarted, Store, Use, User, UserId,
};

/// The accuracy of a session's time of last use, so that not every page is a write.
pub const SEEN_EVERY: Duration = Duration::from_secs(10 * 60);

/// How long after giving the password a user may do what is sensitive without giving it again.
pub const RECENT: Duration = Duration::from_secs(10 * 60);

/// The lifetimes of sessions, and how many a user may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Periods {
    /// From sign-in or renewal until the session becomes idle.
    pub active: Duration,
    /// From becoming idle until it is dead.
    pub idle: Duration,
    /// From sign-in until it is dead whatever its use (NIST SP 800-63B-4 § 2.1.3).
    pub absolute: Duration,
    /// In place of `absolute`, for a session without "Stay signed in": the server cannot tell when the
    /// browser is closed.
    pub transient: Duration,
    /// The most living sessions of one user; beyond it the oldest end (OWASP ASVS 7.1.2).
    pub most: u32,
}

impl Default for Periods {
    /// Lucia's 24 hours and 14 days, an absolute end after 30 days, 12 hours without "Stay signed in", and
    /// a hundred sessions.
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { active: DAY, idle: 14 * DAY, absolute: 30 * DAY, transient: DAY / 2, most: 100 }
    }
}

/// The state of a session at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Valid. Using it changes nothing.
    Active,
    /// Valid. Using it makes it active again.
    Idle,
    /// Expired: it is not accepted and will be deleted.
    Dead,
}

/// A session that has just started, with the only copy of its token.
pub struct Started {
    /// The token for the browser's cookie.
    pub token: Token,
    /// The session as it was stored.
    pub session: Session,
}

/// A living session, after its use was noted.
#[derive(Clone)]
pub struct Resumed {
    /// The user whose session it is.
    pub user: User,
    /// The session as it is stored now.
    pub session: Session,
    /// It was idle and is active again, so the cookie's expiry has to be set anew. (Lucia forgets to.)
    pub renewed: bool,
}

/// A living session, before its use is noted.
pub struct Recognised {
    /// The user whose session it is.
    pub user: User,
    /// The session as it is stored.
    pub session: Session,
    /// The use to be noted, if one is due.
    pub to_note: Option<Use>,
}

impl Recognised {
    /// The same session, which this use does not renew: for a response that cannot set the cookie's expiry anew. Its
    /// next use renews it.
    #[must_use]
    pub fn without_renewal(self) -> Self {
        let to_note = match self.to_note {
            Some(Use::Renewal { at, .. }) => use_to_note(&self.session, at),
            other => other,
        };
        Self { to_note, ..self }
    }

    /// The session after its use, if that `is_noted`; otherwise as it was.
    pub fn resumed(self, is_noted: bool) -> Resumed {
        let Self { user, session, to_note } = self;
        match to_note.filter(|_| is_noted) {
            Some(Use::Renewal { active_expires, idle_expires, at, .. }) => {
                let session = Session { active_expires, idle_expires, seen_at: at, ..session };
                Resumed { user, session, renewed: true }
            }
            Some(Use::Session { at, .. }) => {
                Resumed { user, session: Session { seen_at: at, ..session }, renewed: false }
            }
            Some(Use::AccessToken { .. }) | None => Resumed { user, session, renewed: false },
        }
    }
}

/// The state of a session. The last moment of a state still belongs to it, as in Lucia. A session that
/// starts in the future is dead: it would live longer by as much as the clock was wrong.
pub fn state(session: &Session, now: Moment) -> State {
    if now > session.idle_expires || !session.created_at.has_passed(now) {
        State::Dead
    } else if now > session.active_expires {
        State::Idle
    } else {
        State::Active
    }
}

/// Starts a session for a user who has proven their identity, does what `entry` says, and ends the user's
/// oldest sessions beyond [`Periods::most`]. `None` if the user is gone or disabled, or if their
/// credentials have changed since the proof. (Lucia: `createSession`, which leaves the session that was
/// presented alive; OWASP ASVS 7.2.4.)
pub fn start(
    store: &dyn Store,
    periods: &Periods,
    user: &UserId,
    entry: &SessionStart,
    now: Moment,
) -> Result<Option<Started>> {
    let started = new(periods, user, entry, now);
    Ok(match store.start_session(&started.session, periods.most, entry)? {
        SessionStarted::Done => Some(started),
        SessionStarted::ProofOutdated => None,
    })
}

/// The living session of this token, its user, and the use to be noted if one is due. `None` if there is no
/// such session, if it is dead, if the user is disabled, or if a second factor is due that was not given in it. One
/// read, and no write.
pub fn recognise(
    store: &dyn Store,
    rules: &Rules,
    token: &Token,
    now: Moment,
) -> Result<Option<Recognised>> {
    let Some((user, session)) = store.user_of_session(&token.hash())? else { return Ok(None) };
    let lacks_factor = session.second_at == Moment::NEVER && rules.second_factors.is_due(&user);
    if user.disabled_at.is_some() || lacks_factor {
        return Ok(None);
    }
    let to_note = match state(&session, now) {
        State::Dead => return Ok(None),
        State::Active => use_to_note(&session, now),
        State::Idle => {
            let (active_expires, idle_expires) =
                expiries(&rules.periods, session.absolute_expires, now);
            Some(Use::Renewal { id: session.id, active_expires, idle_expires, at: now })
        }
    };
    Ok(Some(Recognised { user, session, to_note }))
}

/// The use of a session that stays as it is, if one is to be noted: at most one in [`SEEN_EVERY`].
fn use_to_note(session: &Session, now: Moment) -> Option<Use> {
    let seen_at = session.seen_at;
    let is_news = seen_at.after(SEEN_EVERY) <= now || !seen_at.has_passed(now);
    is_news.then_some(Use::Session { id: session.id, at: now })
}

/// The living session of this token, and its user; an idle one is renewed. `None` if there is no such
/// session, if it is dead, or if the user is disabled. (Lucia: `validateSession`.)
///
/// An active session costs one read, and one write in ten minutes ([`SEEN_EVERY`]). If a renewal cannot be
/// written because the database is busy, the session is valid all the same and its next use renews it. A
/// caller that must not wait for the write uses [`recognise`] and [`Uses`].
pub fn resume(
    store: &dyn Store,
    rules: &Rules,
    token: &Token,
    now: Moment,
) -> Result<Option<Resumed>> {
    let Some(found) = recognise(store, rules, token, now)? else { return Ok(None) };
    let noted = match &found.to_note {
        None => Ok(true),
        Some(Use::Renewal { id, active_expires, idle_expires, at }) => {
            store.renew_session(id, *active_expires, *idle_expires, *at)
        }
        // Whether the session has ended meanwhile does not matter.
        Some(_) => store.touch_session(&found.session.id, now).map(|_| true),
    };
    match noted {
        Ok(false) => Ok(None),
        Ok(true) => Ok(Some(found.resumed(true))),
        Err(Error::Unavailable(_) | Error::Unknown(_)) => Ok(Some(found.resumed(false))),
        Err(err) => Err(err),
    }
}

/// Whether the session was imported from another system: no password was given in it here.
pub const fn is_imported(session: &Session) -> bool {
    session.proven_at.millis() == 0
}

/// The living session with this id, and its user. It is not renewed. (Lucia: `getSession`.)
pub fn get(store: &dyn Store, id: &TokenHash, now: Moment) -> Result<Option<(User, Session)>> {
    let found = store.user_of_session(id)?;
    Ok(found.filter(|(_, session)| state(session, now) != State::Dead))
}

/// The living sessions of a user, oldest first. (Lucia: `getAllUserSessions`.)
pub fn of_user(store: &dyn Store, user: &UserId, now: Moment) -> Result<Vec<Session>> {
    let mut sessions = store.sessions_of(user)?;
    sessions.retain(|session| state(session, now) != State::Dead);
    Ok(sessions)
}

/// Makes a session active again, up to its absolute end, and returns it with its new expiries. `None` if it
/// is gone: a session that was ended does not come back. (Lucia: `renewSession`.)
pub fn renew(
    store: &dyn Store,
    periods: &Periods,
    session: &Session,
    now: Moment,
) -> Result<Option<Session>> {
    let (active, idle) = expiries(periods, session.absolute_expires, now);
    let renewed =
        Session { active_expires: active, idle_expires: idle, seen_at: now, ..session.clone() };
    Ok(store.renew_session(&session.id, active, idle, now)?.then_some(renewed))
}

/// Ends a session; when this returns, that survives a power cut. `false` if there was none. (Lucia:
/// `invalidateSession`.)
pub fn end(store: &dyn Store, id: &TokenHash) -> Result<bool> {
    store.end_session(id)
}

/// Ends all sessions of a user, and returns how many. (Lucia: `invalidateAllUserSessions`.)
pub fn end_all(store: &dyn Store, user: &UserId) -> Result<usize> {
    store.end_sessions_of(user)
}

/// Deletes the dead sessions of a user, and returns how many. (Lucia: `deleteDeadUserSessions`.)
pub fn delete_dead_of_user(store: &dyn Store, user: &UserId, now: Moment) -> Result<usize> {
    store.delete_dead_sessions_of(user, now)
}

/// Deletes up to `limit` dead sessions of any users, and returns how many: fewer than `limit` means that
/// none is left.
pub fn delete_dead(store: &dyn Store, limit: u32, now: Moment) -> Result<usize> {
    store.delete_dead_sessions(now, limit)
}

/// When the password was last given in this session. `None`: never, as the session was imported, or at a moment
/// that lies ahead of `now`, which proves nothing.
pub fn password_at(session: &Session, now: Moment) -> Option<Moment> {
    (!is_imported(session) && session.proven_at.has_passed(now)).then_some(session.proven_at)
}

/// Whether the password was given in this session within [`RECENT`].
pub fn is_recent(session: &Session, now: Moment) -> bool {
    now <= session.proven_at.after(RECENT) && session.proven_at.has_passed(now)
}

/// The living session of this user with this public handle, if there is one. The handle of another user's
/// session finds nothing.
pub fn by_handle(
    store: &dyn Store,
    user: &UserId,
    handle: &str,
    now: Moment,
) -> Result<Option<Session>> {
    let sessions = of_user(store, user, now)?;
    Ok(sessions.into_iter().find(|it| it.id.public_handle() == handle))
}

/// The live sessions of all users with this handle: the public one, or that of the log, which is shorter and may
/// be that of several. For operators.
pub fn all_by_handle(store: &dyn Store, handle: &str, now: Moment) -> Result<Vec<(User, Session)>> {
    let ids = store.session_ids(&|it| it.handle() == handle || it.public_handle() == handle)?;
    let found = ids.iter().filter_map(|id| get(store, id, now).transpose());
    found.collect()
}

/// Ends all sessions of a user but this one, and returns how many.
pub fn end_others(store: &dyn Store, session: &Session) -> Result<usize> {
    store.end_other_sessions(&session.user_id, &session.id)
}

/// A session that starts now, not yet stored.
pub(crate) fn new(periods: &Periods, user: &UserId, entry: &SessionStart, now: Moment) -> Started {
    let token = Token::random();
    let is_transient = entry.place.is_transient;
    let life =
        if is_transient { periods.transient.min(periods.absolute) } else { periods.absolute };
    let absolute_expires = now.after(life);
    let (active_expires, idle_expires) = expiries(periods, absolute_expires, now);
    let session = Session {
        id: token.hash(),
        user_id: user.clone(),
        active_expires,
        idle_expires,
        absolute_expires,
        created_at: now,
        proven_at: now,
        seen_at: now,
        place: entry.place.clone(),
        second_at: entry.second_at,
    };
    Started { token, session }
}

fn expiries(periods: &Periods, absolute: Moment, now: Moment) -> (Moment, Moment) {
    let active = now.after(periods.active).min(absolute);
    let idle = now.after(periods.active).after(periods.idle).min(absolute);
    (active, idle)
}
