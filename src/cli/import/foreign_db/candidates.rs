//! Users from a SQLite file of another program.

use std::collections::{BTreeMap, HashMap};

use base64ct::{Base64, Encoding};
use serde_json::Value;

use super::super::attributes::{self, is_secret};
use super::super::candidate::{Candidate, CandidateFactor, CandidateKey, CandidateSession};
use super::super::passkeys;
use super::super::reasons::{Reason, ReasonKind};
use super::super::report::Report;
use super::hashes::is_hash;
use super::{Attribute, ForeignDb, ForeignKey, ForeignSession, ForeignUser, OddRow, RowOf};
use crate::auth::users;
use crate::base::clock::Moment;

/// Gives all users their keys, sessions and passkeys, and notes in the report where these were found, which belong to no user,
/// and which cannot be imported.
pub(in crate::cli::import) fn candidates(
    old: ForeignDb,
    report: &mut Report,
    now: Moment,
) -> Vec<Candidate> {
    let (owners, twins) = owners(&old.users);
    let mut secrets = BTreeMap::new();
    let mut all: Vec<_> =
        old.users.into_iter().map(|it| candidate(it, &mut secrets, now)).collect();
    for (one, other) in twins {
        for (at, twin) in [(one, other), (other, one)] {
            let why = format!("has the same id as {}", all[twin].row);
            all[at].fault.get_or_insert(why);
        }
    }
    for key in old.keys {
        match owners.get(&key.user_id) {
            Some(&at) => add_key(&mut all[at], key),
            None => report.keys.leave_out(1, "of no user"),
        }
    }
    for session in old.sessions {
        match owners.get(&session.user_id) {
            Some(&at) => add_session(&mut all[at], session),
            None => report.sessions.leave_out(1, "of no user"),
        }
    }
    for (user, secret) in old.second_factors {
        match (owners.get(&user), secret) {
            (Some(&at), Ok(secret)) => {
                all[at].second_factor = Some(CandidateFactor::of(secret));
            }
            (Some(&at), Err(why)) => {
                all[at].reasons.push(Reason::about(ReasonKind::SecondFactorLeftOut, why));
            }
            (None, _) => report.second_factors.leave_out(1, "of no user"),
        }
    }
    for passkey in old.passkeys {
        let owner = owners.get(&passkey.owner).map(|at| &mut all[*at]);
        passkeys::add(owner, passkey, report, now);
    }
    for row in old.odd {
        let owner = row.user_id.as_ref().and_then(|id| owners.get(id)).map(|at| &mut all[*at]);
        leave_out(row, owner, report);
    }
    for (why, count) in old.sealed_sessions {
        report.sessions.leave_out(count, why);
    }
    report.secret_columns = secrets;
    report.tables = old.tables;
    report.left_behind = old.left_behind;
    all
}

/// The users by their ids, and the pairs with the same id: their keys cannot be told apart.
fn owners(users: &[ForeignUser]) -> (HashMap<String, usize>, Vec<(usize, usize)>) {
    let mut owners = HashMap::with_capacity(users.len());
    let mut twins = Vec::new();
    for (at, user) in users.iter().enumerate() {
        let Some(id) = &user.id else { continue };
        match owners.get(id) {
            Some(first) => twins.push((*first, at)),
            None => drop(owners.insert(id.clone(), at)),
        }
    }
    (owners, twins)
}

/// A session or a passkey that cannot be read is left out alone. A key that cannot be read may be how its owner signs in, so they
/// cannot be imported as they are.
fn leave_out(odd: OddRow, owner: Option<&mut Candidate>, report: &mut Report) {
    const WHY: &str = "that cannot be read";
    match (odd.of, owner) {
        (RowOf::Key, Some(owner)) => {
            let why = format!("has a key that cannot be read ({}): {}", odd.row, odd.why);
            owner.fault = owner.fault.take().or(Some(why));
            report.keys.leave_out(1, WHY);
            return;
        }
        (RowOf::Key, None) => report.keys.leave_out(1, WHY),
        (RowOf::Session, _) => report.sessions.leave_out(1, WHY),
        (RowOf::Passkey, _) => report.passkeys.leave_out(1, WHY),
    }
    report.leave_row_out(odd.row, odd.why);
}

fn add_key(owner: &mut Candidate, key: ForeignKey) {
    if let Some(why) = key.odd_hash {
        owner.reasons.push(Reason::about(ReasonKind::UnreadableHash, why));
    }
    let hash = key.hashed_password;
    owner.keys.push(match key.id {
        Some((provider, id)) => CandidateKey::Of { provider, id, hash },
        None => CandidateKey::OfName { hash },
    });
}

fn add_session(owner: &mut Candidate, session: ForeignSession) {
    owner.sessions.push(CandidateSession::Of {
        token: session.id,
        active_expires: session.active_expires,
        idle_expires: session.idle_expires,
    });
}

fn candidate(mut it: ForeignUser, secrets: &mut BTreeMap<String, usize>, now: Moment) -> Candidate {
    let email = it.verified_email.and_then(|email| {
        let accepted = users::email(&email);
        if accepted.is_none() {
            it.reasons.push(Reason::of(ReasonKind::EmailAsAttribute));
            it.attributes.push(("email".to_owned(), Attribute::Text(email)));
        }
        accepted
    });
    let mut kept = Vec::with_capacity(it.attributes.len());
    for (name, attribute) in it.attributes {
        if is_secret(&name) || attribute.is_hash() {
            let is_there = usize::from(!attribute.is_empty());
            // Most columns are known already.
            match secrets.get_mut(&name) {
                Some(count) => *count += is_there,
                None => drop(secrets.insert(name, is_there)),
            }
        } else {
            kept.push((name, value(attribute)));
        }
    }
    Candidate {
        id: it.id,
        name: it.username,
        created_at: it.created_at,
        email: email.unwrap_or_default(),
        disabled_at: it.banned.is_some().then_some(now),
        disabled_reason: it.banned.unwrap_or_default(),
        attributes: attributes::object(kept.into_iter()),
        row: it.row,
        reasons: it.reasons,
        fault: it.fault,
        ..Candidate::default()
    }
}

impl Attribute {
    fn is_hash(&self) -> bool {
        matches!(self, Self::Text(text) if text.len() >= 40 && is_hash(text))
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.is_empty(),
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Integer(_) | Self::Real(_) => false,
        }
    }
}

fn value(it: Attribute) -> Value {
    match it {
        Attribute::Null => Value::Null,
        Attribute::Integer(number) => number.into(),
        Attribute::Real(number) => number.into(),
        Attribute::Text(text) => text.into(),
        Attribute::Bytes(bytes) => Base64::encode_string(&bytes).into(),
    }
}
