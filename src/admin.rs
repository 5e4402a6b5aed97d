//! What an operator does with people, on the database of a server that may be running.
//!
//! Decides what is printed and with which exit code. Every change is one transaction that a running
//! server sees at its next request, and leaves a record in the audit trail.

use std::path::Path;

use serde_json::{Value, json};

use crate::clock::Moment;
use crate::config::{UserAction, UserFlags};
use crate::log;
use crate::sessions;
use crate::store::{self, Record, Store, User};
use crate::users::{self, Username};

/// Does what was asked for, and comes back with what to print. An error is one line.
pub fn user(flags: UserFlags, now: Moment) -> Result<String, String> {
    let store = open(&flags.database)?;
    match flags.action {
        UserAction::Show { name, json } => show(&store, &find(&store, &name)?, json, now),
        UserAction::Groups { name, groups } => {
            set_groups(&store, &find(&store, &name)?, &groups, now)
        }
        UserAction::Email { name, email } => set_email(&store, &find(&store, &name)?, &email, now),
        UserAction::Disable { name, reason } => {
            disable(&store, &find(&store, &name)?, &reason, now)
        }
        UserAction::Enable { name } => enable(&store, &find(&store, &name)?, now),
    }
}

/// Opens a database that is there: a mistyped path must not make a new one.
fn open(path: &Path) -> Result<Store, String> {
    if !path.exists() {
        return Err(format!("there is no database {}; say which with --database", path.display()));
    }
    Store::open(path).map_err(|err| err.to_string())
}

fn find(store: &Store, name: &str) -> Result<User, String> {
    let found = match Username::for_sign_in(name) {
        Some(name) => users::by_name(store, &name).map_err(|err| err.to_string())?,
        None => None,
    };
    found.ok_or_else(|| format!("there is no user {name}"))
}

fn show(store: &Store, user: &User, as_json: bool, now: Moment) -> Result<String, String> {
    let sessions = sessions::of_user(store, &user.id, now).map_err(|err| err.to_string())?.len();
    let disabled = user.disabled_at.map(Moment::rfc3339);
    if as_json {
        let groups: Vec<_> = user.groups.iter().collect();
        let data: Value = json!({
            "id": user.id.as_str(),
            "username": user.username,
            "canonical_username": user.canonical_username,
            "groups": groups,
            "email": user.email,
            "created_at": user.created_at.rfc3339(),
            "disabled_at": disabled,
            "disabled_reason": user.disabled_reason,
            "sessions": sessions,
        });
        return Ok(format!("{data}\n"));
    }
    let or_none = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
    let disabled = match disabled {
        Some(since) if user.disabled_reason.is_empty() => format!("since {since}"),
        Some(since) => format!("since {since}: {}", printable(&user.disabled_reason)),
        None => "no".to_owned(),
    };
    let rows = [
        ("id", user.id.as_str().to_owned()),
        ("username", printable(&user.username)),
        ("groups", or_none(user.groups.as_str())),
        ("email", or_none(&user.email)),
        ("created", user.created_at.rfc3339()),
        ("disabled", disabled),
        ("sessions", sessions.to_string()),
    ];
    Ok(rows.map(|(name, value)| format!("{name:<10}{value}\n")).concat())
}

/// A text as a terminal may show it: nothing in it moves the cursor.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

fn set_groups(store: &Store, user: &User, text: &str, now: Moment) -> Result<String, String> {
    let groups = users::groups(text).ok_or(
        "a group is 1 to 63 characters of a-z, 0-9, dots, hyphens and underscores, and nobody is in \
         more than a hundred, with 2,048 characters in all",
    )?;
    let is_done = users::set_groups(store, &user.id, &groups);
    finish(store, user, is_done, ("user_groups", &[("groups", groups.as_str())]), now)
}

fn set_email(store: &Store, user: &User, text: &str, now: Moment) -> Result<String, String> {
    let email = match text {
        "" => String::new(),
        text => users::email(text).ok_or("write the address as in anna@example.com, in ASCII")?,
    };
    let is_done = users::set_email(store, &user.id, &email);
    finish(store, user, is_done, ("user_email", &[]), now)
}

fn disable(store: &Store, user: &User, reason: &str, now: Moment) -> Result<String, String> {
    let is_done = users::disable(store, &user.id, reason, now);
    finish(store, user, is_done, ("user_disable", &[("reason", reason)]), now)
}

fn enable(store: &Store, user: &User, now: Moment) -> Result<String, String> {
    let is_done = users::enable(store, &user.id);
    finish(store, user, is_done, ("user_enable", &[]), now)
}

/// Keeps what was done in the audit trail, and shows what it led to.
fn finish(
    store: &Store,
    user: &User,
    is_done: store::Result<bool>,
    (event, fields): (&str, &[(&str, &str)]),
    now: Moment,
) -> Result<String, String> {
    if !is_done.map_err(|err| err.to_string())? {
        return Err(format!("there is no user {} any more", user.username));
    }
    let mut record = Record::of_program(event, log::fields(fields), now);
    record.user_id = Some(user.id.as_str().to_owned());
    store.add_records(&[record]).map_err(|err| format!("it is done, but not on record: {err}"))?;
    let user = users::get(store, &user.id).map_err(|err| err.to_string())?;
    match user {
        Some(user) => show(store, &user, false, now),
        None => Ok(String::new()),
    }
}
