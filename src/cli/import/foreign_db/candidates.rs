//! People out of a SQLite file of another program.

use std::collections::{BTreeSet, HashMap};

use base64ct::{Base64, Encoding};
use serde_json::Value;

use super::super::attributes::{self, SECRETS, is_secret};
use super::super::candidate::{Candidate, CandidateKey, CandidateSession};
use super::super::report::Report;
use super::{Attribute, ForeignDb, ForeignUser};
use crate::auth::users;
use crate::base::clock::Moment;

/// Gives everybody what is theirs, and notes in the report where it was found, what is nobody's, and what
/// cannot be brought over.
pub(in crate::cli::import) fn candidates(
    old: ForeignDb,
    report: &mut Report,
    now: Moment,
) -> Vec<Candidate> {
    let owners: HashMap<String, usize> =
        old.users.iter().enumerate().map(|(at, it)| (it.id.clone(), at)).collect();
    let mut secrets = BTreeSet::new();
    let mut all: Vec<_> =
        old.users.into_iter().map(|it| candidate(it, &mut secrets, now)).collect();
    for key in old.keys {
        let Some(&at) = owners.get(&key.user_id) else {
            report.keys.leave_out(1, "of no user");
            continue;
        };
        let hash = key.hashed_password;
        all[at].keys.push(match key.id {
            Some((provider, id)) => CandidateKey::Of { provider, id, hash },
            None => CandidateKey::OfName { hash },
        });
    }
    for session in old.sessions {
        let Some(&at) = owners.get(&session.user_id) else {
            report.sessions.leave_out(1, "of no user");
            continue;
        };
        all[at].sessions.push(CandidateSession::Of {
            token: session.id,
            active_expires: session.active_expires.map(Moment::from_millis),
            idle_expires: Moment::from_millis(session.idle_expires),
        });
    }
    let why = "as their cookies are signed with a secret: those people sign in again";
    report.sessions.leave_out(old.sealed_sessions, why);
    report.notes.add(secrets.len(), SECRETS);
    report.tables = old.tables;
    report.left_behind = old.left_behind;
    all
}

fn candidate(mut it: ForeignUser, secrets: &mut BTreeSet<String>, now: Moment) -> Candidate {
    let email = it.verified_email.and_then(|email| {
        let accepted = users::email(&email);
        if accepted.is_none() {
            it.attributes.push(("email".to_owned(), Attribute::Text(email)));
        }
        accepted
    });
    let mut kept = Vec::with_capacity(it.attributes.len());
    for (name, attribute) in it.attributes {
        if !is_secret(&name) {
            kept.push((name, value(attribute)));
        } else if !secrets.contains(&name) {
            secrets.insert(name);
        }
    }
    Candidate {
        id: Some(it.id),
        name: it.username,
        created_at: it.created_at.map(Moment::from_millis),
        email: email.unwrap_or_default(),
        disabled_at: it.banned.is_some().then_some(now),
        disabled_reason: it.banned.unwrap_or_default(),
        attributes: attributes::object(kept.into_iter()),
        ..Candidate::default()
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
