//! People out of a SQLite file of another program.

use std::collections::HashMap;

use base64ct::{Base64, Encoding};
use serde_json::{Map, Value};

use super::luggage::{Luggage, OldKey, OldSession};
use super::report::Report;
use crate::clock::Moment;
use crate::store::{Attribute, Stranger, Strangers};

/// Gives everybody what is theirs, and notes in the report where it was found and what is nobody's.
pub(super) fn read(old: Strangers, report: &mut Report) -> Vec<Luggage> {
    let owners: HashMap<String, usize> =
        old.users.iter().enumerate().map(|(at, it)| (it.id.clone(), at)).collect();
    let mut all: Vec<_> = old.users.into_iter().map(luggage).collect();
    for key in old.keys {
        let Some(&at) = owners.get(&key.user_id) else {
            report.keys.leave_out(1, "of no user");
            continue;
        };
        let (provider, id, hash) = (key.provider, key.id, key.hashed_password);
        all[at].keys.push(OldKey::Of { provider, id, hash });
    }
    for session in old.sessions {
        let Some(&at) = owners.get(&session.user_id) else {
            report.sessions.leave_out(1, "of no user");
            continue;
        };
        all[at].sessions.push(OldSession::Of {
            token: session.id,
            active_expires: Moment::from_millis(session.active_expires),
            idle_expires: Moment::from_millis(session.idle_expires),
        });
    }
    report.tables = old.tables;
    all
}

fn luggage(it: Stranger) -> Luggage {
    let attributes = object(it.attributes);
    Luggage { id: Some(it.id), name: it.username, attributes, ..Luggage::default() }
}

/// Columns and their values as an object in JSON; empty if there are none.
fn object(attributes: Vec<(String, Attribute)>) -> String {
    if attributes.is_empty() {
        return String::new();
    }
    let value = |it| match it {
        Attribute::Null => Value::Null,
        Attribute::Integer(number) => number.into(),
        Attribute::Real(number) => number.into(),
        Attribute::Text(text) => text.into(),
        Attribute::Bytes(bytes) => Base64::encode_string(&bytes).into(),
    };
    let object: Map<_, _> = attributes.into_iter().map(|(name, it)| (name, value(it))).collect();
    Value::Object(object).to_string()
}
