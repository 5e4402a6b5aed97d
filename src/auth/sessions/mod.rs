//! Browsers that were let in.
//!
//! Decides how long a session lives and what use does to it. These are Lucia v2's rules with its
//! faults mended: a session is *active*, then *idle*, then *dead*; an idle session that is used
//! becomes active again; and there is an end that no use moves. Knows nothing of cookies.

mod uses;

use std::time::Duration;

pub use uses::Uses;

use crate::base::clock::Moment;
use crate::base::token::{Token, TokenHash};
use crate::store::{
    Error, Result, Session, SessionStart, SessionStarted, Store, Use, User, UserId,
};

/// How exactly it is kept when a session was last used.
pub const SEEN_EVERY: Duration = Duration::from_secs(10 * 60);

/// For how long a password that was given is proof enough for what matters most.
pub const RECENT: Duration = Duration::from_secs(10 * 60);

/// How long sessions live, and how many of one user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Periods {
    /// From sign-in or renewal until the session is idle.
    pub active: Duration,
    /// From then until it is dead.
    pub idle: Duration,
    /// From sign-in until it is dead whatever happens (NIST SP 800-63B-4 § 2.1.3).
    pub absolute: Duration,
    /// The same for a session that its browser forgets when it is closed: nobody can tell whether
    /// that has happened.
    pub transient: Duration,
    /// Living sessions of one user, at most; beyond it the oldest end (OWASP ASVS 7.1.2).
    pub most: u32,
}

impl Default for Periods {
    /// Lucia's 24 hours and 14 days, and 30 days; 12 hours; a hundred.
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { active: DAY, idle: 14 * DAY, absolute: 30 * DAY, transient: DAY / 2, most: 100 }
    }
}

/// What a session is worth at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Good. Using it changes nothing.
    Active,
    /// Good. Using it makes it active again.
    Idle,
    /// Expired: it opens nothing and is deleted.
    Dead,
}

/// A session that was just started, with the one copy of its token.
pub struct Started {
    /// The token for the browser, its only copy.
    pub token: Token,
    /// The session as it was stored.
    pub session: Session,
}

/// A living session that somebody presented.
#[derive(Clone)]
pub struct Resumed {
    /// The user whose session it is.
    pub user: User,
    /// The session as it is stored now.
    pub session: Session,
    /// It was idle and is active again: the browser's cookie should learn the new end. (Lucia
    /// forgets to send it.)
    pub renewed: bool,
}

/// A living session that somebody presented, before its use is noted.
pub struct Recognised {
    /// The user whose session it is.
    pub user: User,
    /// As it is written down.
    pub session: Session,
    /// What is to be noted, if anything is.
    pub to_note: Option<Use>,
}

impl Recognised {
    /// The session as it is from now on, if its use `is_noted`; or as it was.
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

/// The state of a session. The very moment at which a state ends still belongs to it, as in Lucia. One that
/// begins in the future is dead: it would be good for as long as the clock was wrong.
pub fn state(session: &Session, now: Moment) -> State {
    if now > session.idle_expires || !session.created_at.has_passed(now) {
        State::Dead
    } else if now > session.active_expires {
        State::Idle
    } else {
        State::Active
    }
}

/// Lets somebody in, with what `entry` says, and ends their oldest sessions beyond [`Periods::most`].
/// `None` if the user is gone. (Lucia: `createSession`, which leaves the session that was presented
/// alive; OWASP ASVS 7.2.4.)
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

/// The living session that this token opens, and its user, as they are written down; and what its use is to
/// change. `None` if there is no such session, if it is dead, or if the user is shut out. One read, and no
/// write.
pub fn recognise(
    store: &dyn Store,
    periods: &Periods,
    token: &Token,
    now: Moment,
) -> Result<Option<Recognised>> {
    let Some((user, session)) = store.user_of_session(&token.hash())? else { return Ok(None) };
    if user.disabled_at.is_some() {
        return Ok(None);
    }
    let to_note = match state(&session, now) {
        State::Dead => return Ok(None),
        State::Active => {
            let seen_at = session.seen_at;
            let is_news = seen_at.after(SEEN_EVERY) <= now || !seen_at.has_passed(now);
            is_news.then_some(Use::Session { id: session.id, at: now })
        }
        State::Idle => {
            let (active_expires, idle_expires) = expiries(periods, session.absolute_expires, now);
            Some(Use::Renewal { id: session.id, active_expires, idle_expires, at: now })
        }
    };
    Ok(Some(Recognised { user, session, to_note }))
}

/// The living session that this token opens, and its user; renewed, if it was idle. `None` if
/// there is no such session, if it is dead, or if the user is shut out. (Lucia: `validateSession`.)
///
/// An active session costs one read, and one write in ten minutes ([`SEEN_EVERY`]). When a renewal
/// cannot be written because the database is busy, the session is good all the same and the next
/// use renews it. Whoever must not wait for the write takes [`recognise`] and [`Uses`].
pub fn resume(
    store: &dyn Store,
    periods: &Periods,
    token: &Token,
    now: Moment,
) -> Result<Option<Resumed>> {
    let Some(found) = recognise(store, periods, token, now)? else { return Ok(None) };
    let noted = match &found.to_note {
        None => Ok(true),
        Some(Use::Renewal { id, active_expires, idle_expires, at }) => {
            store.renew_session(id, *active_expires, *idle_expires, *at)
        }
        // Whether it is gone meanwhile does not matter.
        Some(_) => store.touch_session(&found.session.id, now).map(|_| true),
    };
    match noted {
        Ok(false) => Ok(None),
        Ok(true) => Ok(Some(found.resumed(true))),
        Err(Error::Unavailable(_) | Error::Unknown(_)) => Ok(Some(found.resumed(false))),
        Err(err) => Err(err),
    }
}

/// Whether a session came over from another system: nobody has given a password in it here.
pub const fn is_imported(session: &Session) -> bool {
    session.proven_at.millis() == 0
}

/// The living session with this id, and its user, without renewing it. (Lucia: `getSession`.)
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

/// Makes a session active again, up to its absolute end, and comes back with it as it is then.
/// `None` if it is gone: a session that was ended does not come back. (Lucia: `renewSession`.)
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

/// Ends a session, durably, before it returns. `false` if there was none. (Lucia:
/// `invalidateSession`.)
pub fn end(store: &dyn Store, id: &TokenHash) -> Result<bool> {
    store.end_session(id)
}

/// Ends all sessions of a user and says how many there were. (Lucia: `invalidateAllUserSessions`.)
pub fn end_all(store: &dyn Store, user: &UserId) -> Result<usize> {
    store.end_sessions_of(user)
}

/// Deletes the dead sessions of a user and says how many there were. (Lucia:
/// `deleteDeadUserSessions`.)
pub fn delete_dead_of_user(store: &dyn Store, user: &UserId, now: Moment) -> Result<usize> {
    store.delete_dead_sessions_of(user, now)
}

/// Deletes up to `limit` dead sessions, whoever's they are, and says how many: fewer than `limit`
/// means that none is left.
pub fn delete_dead(store: &dyn Store, limit: u32, now: Moment) -> Result<usize> {
    store.delete_dead_sessions(now, limit)
}

/// Whether the password was given in this session a short while ago.
pub fn is_recent(session: &Session, now: Moment) -> bool {
    now <= session.proven_at.after(RECENT) && session.proven_at.has_passed(now)
}

/// The living session of this user that has this handle, if there is one. Handles are public; those
/// of other people's sessions name nothing here.
pub fn by_handle(
    store: &dyn Store,
    user: &UserId,
    handle: &str,
    now: Moment,
) -> Result<Option<Session>> {
    let sessions = of_user(store, user, now)?;
    Ok(sessions.into_iter().find(|it| it.id.public_handle() == handle))
}

/// Ends all sessions of a user but this one, and says how many there were.
pub fn end_others(store: &dyn Store, session: &Session) -> Result<usize> {
    store.end_other_sessions(&session.user_id, &session.id)
}

/// A session that is not written down yet.
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
    };
    Started { token, session }
}

fn expiries(periods: &Periods, absolute: Moment, now: Moment) -> (Moment, Moment) {
    let active = now.after(periods.active).min(absolute);
    let idle = now.after(periods.active).after(periods.idle).min(absolute);
    (active, idle)
}
