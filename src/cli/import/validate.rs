//! Which users can be imported as they are, which cannot, and why.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::candidate::{Candidate, CandidateKey, CandidateSession};
use super::passkeys;
use super::reasons::{Reason, ReasonKind, SourceRow};
use super::report::{PersonAtSource, Report};
use crate::auth::usernames::{NameKind, Username, canonical};
use crate::auth::users;
use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::base::token::Token;
use crate::cli::counted;
use crate::store::{ClientInfo, ImportedUser, Key, KeyId, Session, User, UserId};

/// How long an imported session is valid at most, however much it is used: the default of --absolute. Other systems
/// have no such limit.
const ABSOLUTE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A user who can be imported, where they are in the source, and what the operator should know of them.
pub(super) struct Arrival {
    pub(super) user: ImportedUser,
    pub(super) row: SourceRow,
    pub(super) reasons: Vec<Reason>,
}

/// Prepares the users who can be imported, and notes in the report who and what cannot.
pub(super) fn validate(
    all: Vec<Candidate>,
    names: NameKind,
    report: &mut Report,
    now: Moment,
) -> Vec<Arrival> {
    let arrivals: Vec<_> =
        all.into_iter().filter_map(|it| arrival(it, names, report, now)).collect();
    without_collisions(arrivals, report)
}

/// A user as they are imported. `None` if they cannot be; then the report says why.
fn arrival(
    mut candidate: Candidate,
    names: NameKind,
    report: &mut Report,
    now: Moment,
) -> Option<Arrival> {
    let counts = [candidate.keys.len(), candidate.sessions.len(), candidate.passkeys.len()];
    let (id, shown) = (candidate.id.clone(), candidate.name.clone());
    let row = candidate.row.clone();
    let mut reasons = std::mem::take(&mut candidate.reasons);
    match prepare(candidate, names, (&mut reasons, report), now) {
        Ok(user) => Some(Arrival { user, row, reasons }),
        Err(why) => {
            let person = PersonAtSource { id, name: shown.unwrap_or_default(), row };
            report.refuse(person, why, counts);
            None
        }
    }
}

fn prepare(
    candidate: Candidate,
    names: NameKind,
    (reasons, report): (&mut Vec<Reason>, &mut Report),
    now: Moment,
) -> Result<ImportedUser, String> {
    check_id(candidate.id.as_deref())?;
    if let Some(why) = candidate.fault {
        return Err(why);
    }
    let is_ours = candidate.keys.iter().any(|it| matches!(it, CandidateKey::Ours(_)));
    let username = name(&candidate, names)?;
    let mut user = users::new(&username, candidate.created_at.unwrap_or(now));
    let is_known_by_name = candidate.id.is_none();
    if let Some(id) = candidate.id {
        user.id = UserId::new(id);
    }
    user.groups = candidate.groups;
    user.email_verified_at =
        (!candidate.email.is_empty() && !candidate.is_email_unverified).then_some(now);
    user.email = match candidate.email {
        email if email.is_empty() && !is_ours => names.email(&username),
        email => email,
    };
    user.disabled_at = candidate.disabled_at;
    user.disabled_reason = candidate.disabled_reason;
    let keys = candidate.keys.into_iter().map(|it| key(it, &user.id, (&username, names)));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let mut seen = HashSet::with_capacity(keys.len());
    if let Some(key) = keys.iter().find(|key| !seen.insert(&key.id)) {
        return Err(format!("has two keys that are one here: {}", key.id.as_str()));
    }
    note(&keys, &username, reasons);
    let sessions = sessions(candidate.sessions, &user, reasons, report, now);
    let factor = candidate.second_factor.map(|it| it.record(&user.id, now));
    let (since, second_factor) = factor.unzip();
    user.second_factor_since = since;
    let passkeys = passkeys::of_user(candidate.passkeys, &user.id, reasons, report);
    let attributes = candidate.attributes;
    Ok(ImportedUser { user, is_known_by_name, attributes, keys, sessions, second_factor, passkeys })
}

/// Whether the id of a user at the source can be theirs here as well.
fn check_id(id: Option<&str>) -> Result<(), String> {
    match id {
        Some("") => Err("has an empty id".to_owned()),
        Some(id) if id.contains(char::is_control) => {
            Err("has an id with control characters in it".to_owned())
        }
        Some(_) | None => Ok(()),
    }
}

/// The sessions that are imported.
fn sessions(
    all: Vec<CandidateSession>,
    user: &User,
    reasons: &mut Vec<Reason>,
    report: &mut Report,
    now: Moment,
) -> Vec<Session> {
    if user.disabled_at.is_some() {
        // Disabling a user ends every session.
        report.sessions.leave_out(all.len(), "of users who are shut out");
        return Vec::new();
    }
    let mut unfit = 0;
    let mut living = Vec::with_capacity(all.len());
    for it in all {
        match session(it, &user.id, now) {
            SessionFate::Lives(session) => living.push(session),
            SessionFate::IsDead => report.dead += 1,
            SessionFate::HasOddId => unfit += 1,
        }
    }
    let why = "with an id that is not 40 characters a-z0-9";
    report.sessions.leave_out(unfit, why);
    if unfit > 0 {
        let detail = format!("{} {why}", counted(unfit, "session"));
        reasons.push(Reason::about(ReasonKind::SessionLeftOut, detail));
    }
    living
}

/// The name that a user has in the source, or else the one that they sign in with there.
pub(super) fn name_at_source(candidate: &Candidate) -> Option<&str> {
    let name = candidate.name.as_deref().filter(|it| !it.trim().is_empty());
    name.or_else(|| {
        candidate.keys.iter().find_map(|it| match it {
            CandidateKey::Of { provider, id, .. } if provider == "username" => Some(id.as_str()),
            CandidateKey::Of { .. } | CandidateKey::OfName { .. } | CandidateKey::Ours(_) => None,
        })
    })
}

/// The name that a user gets: the one that they have, if it is valid here.
fn name(candidate: &Candidate, names: NameKind) -> Result<Username, String> {
    let typed =
        name_at_source(candidate).ok_or("has no name; --rename FILE gives one by the id")?;
    let ours = KeyId::username(&canonical(typed));
    let is_ours = |it: &CandidateKey| matches!(it, CandidateKey::Ours(key) if key.id == ours);
    match names.for_import(typed) {
        // Exactly as it was where it comes from vestibule.
        Some(_) if candidate.keys.iter().any(is_ours) => Ok(Username::of_account(typed)),
        Some(name) => Ok(name),
        None => Err(format!("has a name of more than 31 characters; {}", way_out(typed))),
    }
}

/// What an operator can do about a name, or a sign-in name, that is too long.
fn way_out(typed: &str) -> &'static str {
    if Username::new_address(typed).is_some() {
        "--names address keeps it, and --rename FILE gives another"
    } else {
        "--rename FILE gives another"
    }
}

/// A `username:` key is kept under the canonical name, as sign-in looks for it there.
fn key(
    old: CandidateKey,
    user: &UserId,
    (username, names): (&Username, NameKind),
) -> Result<Key, String> {
    let (id, hash) = match old {
        CandidateKey::Ours(key) => return Ok(key),
        CandidateKey::OfName { hash } => (KeyId::username(username.canonical()), hash),
        CandidateKey::Of { provider, id, hash } if provider == "username" => {
            let why = "has a username key that is empty or of more than 31 characters";
            let name = names.for_import(&id).ok_or_else(|| format!("{why}; {}", way_out(&id)))?;
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

/// Adds what the operator should know of how a user signs in.
fn note(keys: &[Key], username: &Username, reasons: &mut Vec<Reason>) {
    let own = KeyId::username(username.canonical());
    let mut names = keys.iter().filter(|it| it.id.provider() == "username").peekable();
    let has_name = names.peek().is_some();
    if !has_name {
        reasons.push(Reason::of(ReasonKind::NoSignInName));
    } else if !names.any(|it| it.id == own) {
        let kind = ReasonKind::OtherSignInName;
        let names = keys.iter().map(|it| &it.id).filter(|id| id.provider() == "username");
        let names: Vec<_> = names.map(KeyId::provider_user_id).collect();
        reasons.push(Reason::about(kind, names.join(", ")));
    }
    let hashes: Vec<_> = keys.iter().filter_map(|it| it.hashed_password.as_ref()).collect();
    if let Some(fault) = hashes.iter().find_map(|it| it.fault()) {
        reasons.push(Reason::of_fault(fault));
    } else if hashes.is_empty()
        && has_name
        && !reasons.iter().any(|it| it.kind.is_about_the_password())
    {
        reasons.push(Reason::of(ReasonKind::NoPassword));
    }
}

/// What becomes of a session.
enum SessionFate {
    Lives(Session),
    /// It has expired, or begins in the future.
    IsDead,
    /// Its id is not a token of vestibule's.
    HasOddId,
}

fn session(old: CandidateSession, user: &UserId, now: Moment) -> SessionFate {
    let (idle_expires, is_of_future) = match &old {
        CandidateSession::Of { idle_expires, .. } => (*idle_expires, false),
        CandidateSession::Ours(session) => {
            (session.idle_expires, !session.created_at.has_passed(now))
        }
    };
    if now > idle_expires || is_of_future {
        return SessionFate::IsDead;
    }
    let (token, active_expires) = match old {
        CandidateSession::Ours(session) => {
            return SessionFate::Lives(not_of_the_future(session, now));
        }
        CandidateSession::Of { token, active_expires, .. } => (token, active_expires),
    };
    let Some(token) = Token::parse(&token) else { return SessionFate::HasOddId };
    let absolute_expires = now.after(ABSOLUTE);
    let idle_expires = idle_expires.min(absolute_expires);
    SessionFate::Lives(Session {
        id: token.hash(),
        user_id: user.clone(),
        active_expires: active_expires.unwrap_or(now).min(idle_expires),
        idle_expires,
        absolute_expires,
        created_at: now,
        // No password was given here, so sensitive actions require it.
        proven_at: Moment::from_millis(0),
        seen_at: now,
        place: ClientInfo::default(),
        second_at: Moment::NEVER,
    })
}

/// What no two users may have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Claim<'a> {
    Id(&'a str),
    Name(&'a str),
    Key(&'a str),
    Session(&'a [u8; 32]),
    Passkey(&'a [u8]),
}

impl Claim<'_> {
    /// What it is, for the operator.
    fn told(self) -> String {
        match self {
            Self::Id(id) => format!("the id {id}"),
            Self::Name(name) => format!("the name {name}"),
            Self::Key(id) => format!("the key {id}"),
            Self::Session(_) => "a session".to_owned(),
            Self::Passkey(_) => "a passkey".to_owned(),
        }
    }
}

fn claims(it: &ImportedUser) -> impl Iterator<Item = Claim<'_>> {
    let own = it.user.canonical_username.as_str();
    // A name must not be one user's username and another's sign-in name.
    let others = it.keys.iter().map(|key| &key.id).filter(|id| id.provider() == "username");
    let others = others.map(KeyId::provider_user_id).filter(move |name| *name != own);
    let names = std::iter::once(own).chain(others).map(Claim::Name);
    let keys = it.keys.iter().map(|key| Claim::Key(key.id.as_str()));
    let sessions = it.sessions.iter().map(|session| Claim::Session(session.id.as_bytes()));
    let passkeys = it.passkeys.iter().map(|passkey| Claim::Passkey(&passkey.id));
    let id = std::iter::once(Claim::Id(it.user.id.as_str()));
    id.chain(names).chain(keys).chain(sessions).chain(passkeys)
}

/// A session of ours whose past does not lie ahead, be it by as little as the clocks of two machines differ:
/// a password that was given tomorrow would be fresh for good.
fn not_of_the_future(mut session: Session, now: Moment) -> Session {
    session.created_at = session.created_at.min(now);
    session.proven_at = session.proven_at.min(now);
    session.seen_at = session.seen_at.min(now);
    session
}

/// Leaves every user out who has an id, a name, a key, a session or a passkey in common with another person: which of
/// them is meant is not for us to say.
fn without_collisions(arrivals: Vec<Arrival>, report: &mut Report) -> Vec<Arrival> {
    // The first two who claim it, who are the same if a person claims it twice.
    let mut owners: HashMap<Claim<'_>, (usize, Option<usize>)> = HashMap::new();
    for (at, arrival) in arrivals.iter().enumerate() {
        for claim in claims(&arrival.user) {
            let owner = owners.entry(claim);
            owner.and_modify(|(_, second)| _ = second.get_or_insert(at)).or_insert((at, None));
        }
    }
    let why = |at: usize, it: &Arrival| {
        let shared = claims(&it.user).map(|claim| (claim, owners[&claim]));
        shared.into_iter().find_map(|(claim, (first, second))| {
            let other = &arrivals[if first == at { second? } else { first }];
            let other = PersonAtSource::of(&other.user, other.row.clone()).shown();
            let way_out =
                if let Claim::Name(_) = claim { "; --rename FILE gives another" } else { "" };
            Some(format!("shares {} with {other}{way_out}", claim.told()))
        })
    };
    let whys: Vec<_> = arrivals.iter().enumerate().map(|(at, it)| why(at, it)).collect();
    drop(owners);
    let mut kept = Vec::with_capacity(arrivals.len());
    for (arrival, why) in arrivals.into_iter().zip(whys) {
        match why {
            None => kept.push(arrival),
            Some(why) => report.refuse_arrival(&arrival.user, arrival.row, why),
        }
    }
    kept
}
