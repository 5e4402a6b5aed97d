//! Who can come over as they are, and who cannot and why.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::candidate::{Candidate, CandidateKey, CandidateSession};
use super::report::Report;
use crate::auth::usernames::Username;
use crate::auth::users;
use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::base::token::Token;
use crate::store::{ClientInfo, ImportedUser, Key, KeyId, Session, UserId};

/// How long a session that came over is good at most, however much it is used: as one that begins here
/// (the design's 30 days). Other systems know no such end.
const ABSOLUTE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Makes ready whoever can come over, and notes in the report who and what cannot.
pub(super) fn validate(all: Vec<Candidate>, report: &mut Report, now: Moment) -> Vec<ImportedUser> {
    let arrivals: Vec<_> = all.into_iter().filter_map(|it| arrival(it, report, now)).collect();
    without_collisions(arrivals, report)
}

/// Somebody as they come over. `None` if they cannot; then the report says why.
fn arrival(candidate: Candidate, report: &mut Report, now: Moment) -> Option<ImportedUser> {
    let (keys, sessions) = (candidate.keys.len(), candidate.sessions.len());
    let (id, shown) = (candidate.id.clone(), candidate.name.clone());
    match prepare(candidate, report, now) {
        Ok(arrival) => Some(arrival),
        Err(why) => {
            report.refuse(id.as_deref(), &shown.unwrap_or_default(), why, keys, sessions);
            None
        }
    }
}

fn prepare(candidate: Candidate, report: &mut Report, now: Moment) -> Result<ImportedUser, String> {
    match &candidate.id {
        Some(id) if id.is_empty() => return Err("has an empty id".to_owned()),
        Some(id) if id.contains(char::is_control) => {
            return Err("has an id with control characters in it".to_owned());
        }
        _ => {}
    }
    if let Some(why) = candidate.fault {
        return Err(why);
    }
    let username = name(candidate.name, &candidate.keys)?;
    let mut user = users::new(&username, candidate.created_at.unwrap_or(now));
    let is_known_by_name = candidate.id.is_none();
    if let Some(id) = candidate.id {
        user.id = UserId::new(id);
    }
    user.groups = candidate.groups;
    user.email = candidate.email;
    user.disabled_at = candidate.disabled_at;
    user.disabled_reason = candidate.disabled_reason;
    let keys = candidate.keys.into_iter().map(|it| key(it, &user.id, &username));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let mut seen = HashSet::with_capacity(keys.len());
    if let Some(key) = keys.iter().find(|key| !seen.insert(&key.id)) {
        return Err(format!("has two keys that are one here: {}", key.id.as_str()));
    }
    note(&keys, &username, report);
    let mut sessions = candidate.sessions;
    if user.disabled_at.is_some() {
        // Our own way of shutting somebody out ends them all.
        report.sessions.leave_out(sessions.len(), "of users who are shut out");
        sessions.clear();
    }
    let sessions = sessions.into_iter();
    let sessions = sessions.filter_map(|it| session(it, &user.id, report, now)).collect();
    Ok(ImportedUser { user, is_known_by_name, attributes: candidate.attributes, keys, sessions })
}

/// The name that somebody has, or else the one that they sign in with.
fn name(name: Option<String>, keys: &[CandidateKey]) -> Result<Username, String> {
    let of_key = |it: &CandidateKey| match it {
        CandidateKey::Of { provider, id, .. } if provider == "username" => Some(id.clone()),
        CandidateKey::Of { .. } | CandidateKey::OfName { .. } | CandidateKey::Ours(_) => None,
    };
    let typed = name.filter(|it| !it.is_empty());
    let typed = typed.or_else(|| keys.iter().find_map(of_key)).ok_or("has no name")?;
    let fits = Username::for_sign_in(&typed);
    Ok(fits.ok_or("has a name of more than 31 characters")?)
}

/// A `username:` key is kept under the canonical name, as sign-in looks for it there.
fn key(old: CandidateKey, user: &UserId, username: &Username) -> Result<Key, String> {
    let (id, hash) = match old {
        CandidateKey::Ours(key) => return Ok(key),
        CandidateKey::OfName { hash } => (KeyId::username(username.canonical()), hash),
        CandidateKey::Of { provider, id, hash } if provider == "username" => {
            let name = Username::for_sign_in(&id)
                .ok_or("has a username key that is empty or of more than 31 characters")?;
            (KeyId::username(name.canonical()), hash)
        }
        CandidateKey::Of { provider, id, hash } => {
            let whole = KeyId::new(&provider, &id);
            (whole.ok_or_else(|| format!("has a key without a provider: {id}"))?, hash)
        }
    };
    let hashed_password = hash.map(PasswordHash::from_stored);
    Ok(Key { id, user_id: user.clone(), hashed_password })
}

/// Tells what the operator should look after.
fn note(keys: &[Key], username: &Username, report: &mut Report) {
    let own = KeyId::username(username.canonical());
    let mut names = keys.iter().filter(|it| it.id.provider() == "username").peekable();
    if names.peek().is_none() {
        report.notes.add(1, "users without a username key: they cannot sign in by name");
    } else if !names.any(|it| it.id == own) {
        report.notes.add(1, "users who sign in by another name than the one they are shown by");
    }
    let hashes = keys.iter().filter_map(|it| it.hashed_password.as_ref());
    let unreadable = hashes.filter(|it| !it.is_readable()).count();
    report.notes.add(unreadable, "passwords of a kind that is not known: they need new ones");
}

/// A session that lives. `None` if it is dead or its id is no token of ours; the report counts it.
fn session(
    old: CandidateSession,
    user: &UserId,
    report: &mut Report,
    now: Moment,
) -> Option<Session> {
    let (idle_expires, is_of_future) = match &old {
        CandidateSession::Of { idle_expires, .. } => (*idle_expires, false),
        CandidateSession::Ours(session) => {
            (session.idle_expires, !session.created_at.has_passed(now))
        }
    };
    if now > idle_expires || is_of_future {
        report.dead += 1;
        return None;
    }
    let (token, active_expires) = match old {
        CandidateSession::Ours(session) => return Some(not_of_the_future(session, now)),
        CandidateSession::Of { token, active_expires, .. } => (token, active_expires),
    };
    let Some(token) = Token::parse(&token) else {
        report.sessions.leave_out(1, "with an id that is not 40 characters a-z0-9");
        return None;
    };
    let absolute_expires = now.after(ABSOLUTE);
    let idle_expires = idle_expires.min(absolute_expires);
    Some(Session {
        id: token.hash(),
        user_id: user.clone(),
        active_expires: active_expires.unwrap_or(now).min(idle_expires),
        idle_expires,
        absolute_expires,
        created_at: now,
        // Nobody has given a password here: what matters most asks for it again.
        proven_at: Moment::from_millis(0),
        seen_at: now,
        place: ClientInfo::default(),
    })
}

/// What no two people may have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Claim<'a> {
    Id(&'a str),
    Name(&'a str),
    Key(&'a str),
    Session(&'a [u8; 32]),
}

impl Claim<'_> {
    /// What it is, for the operator.
    fn told(self) -> String {
        match self {
            Self::Id(id) => format!("the id {id}"),
            Self::Name(name) => format!("the name {name}"),
            Self::Key(id) => format!("the key {id}"),
            Self::Session(_) => "a session".to_owned(),
        }
    }
}

fn claims(it: &ImportedUser) -> impl Iterator<Item = Claim<'_>> {
    let own = it.user.canonical_username.as_str();
    // Whom a name lets in and whom it shows must be one person.
    let others = it.keys.iter().map(|key| &key.id).filter(|id| id.provider() == "username");
    let others = others.map(KeyId::provider_user_id).filter(move |name| *name != own);
    let names = std::iter::once(own).chain(others).map(Claim::Name);
    let keys = it.keys.iter().map(|key| Claim::Key(key.id.as_str()));
    let sessions = it.sessions.iter().map(|session| Claim::Session(session.id.as_bytes()));
    std::iter::once(Claim::Id(it.user.id.as_str())).chain(names).chain(keys).chain(sessions)
}

/// A session of ours whose past does not lie ahead, be it by as little as the clocks of two machines differ:
/// a password that was given tomorrow would be fresh for good.
fn not_of_the_future(mut session: Session, now: Moment) -> Session {
    session.created_at = session.created_at.min(now);
    session.proven_at = session.proven_at.min(now);
    session.seen_at = session.seen_at.min(now);
    session
}

/// Leaves everybody out who has an id, a name, a key or a session in common with somebody else: which of them
/// is meant is not for us to say.
fn without_collisions(arrivals: Vec<ImportedUser>, report: &mut Report) -> Vec<ImportedUser> {
    let mut owners: HashMap<Claim<'_>, u32> = HashMap::new();
    for claim in arrivals.iter().flat_map(claims) {
        *owners.entry(claim).or_default() += 1;
    }
    let shared = |it: &ImportedUser| claims(it).find(|claim| owners[claim] > 1).map(Claim::told);
    let whys: Vec<_> = arrivals.iter().map(shared).collect();
    drop(owners);
    let mut kept = Vec::with_capacity(arrivals.len());
    for (arrival, why) in arrivals.into_iter().zip(whys) {
        match why {
            None => kept.push(arrival),
            Some(what) => {
                report.refuse_arrival(&arrival, format!("shares {what} with another user"));
            }
        }
    }
    kept
}
