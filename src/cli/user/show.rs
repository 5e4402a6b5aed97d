//! `vestibule user show`: what is known of one user.

use serde_json::Value;

use super::list::UserData;
use crate::auth::audit::Activity;
use crate::auth::throttle::FailedAttempts;
use crate::auth::user_status::UserStatus;
use crate::base::clock::Moment;
use crate::cli::change_report::ChangeReport;
use crate::cli::table::{counted, printable};
use crate::cli::{Done, keys};
use crate::store::{Store, User};

/// Shows a user.
pub(super) fn run(store: &dyn Store, user: &User, as_json: bool, now: Moment) -> Done {
    let status = UserStatus::of(store, user, now).map_err(|err| err.to_string())?;
    let attributes = store.attributes(&user.id).map_err(|err| err.to_string())?.unwrap_or_default();
    if as_json {
        return Ok(format!("{}\n", all_data(user, &status, &attributes)));
    }
    let mut rows = rows(user, &status);
    if !attributes.is_empty() {
        rows.push(("attributes", attributes));
    }
    let line = |(name, value): &(&str, String)| format!("{name:<17}{}\n", printable(value));
    let lines: Vec<_> = rows.iter().map(line).collect();
    Ok(lines.concat())
}

/// The groups of a user alone.
pub(super) fn groups(user: &User) -> ChangeReport {
    let groups: Vec<_> = user.groups.iter().collect();
    let sentence = format!("{} is in {}", user.username, named(user.groups.as_str(), "no group"));
    ChangeReport::of(user, sentence).with("groups", groups)
}

fn email(user: &User) -> String {
    match (&*user.email, user.verified_email()) {
        ("", _) => "none".to_owned(),
        (email, "") => format!("{email}, not verified"),
        (email, _) => email.to_owned(),
    }
}

fn rows(user: &User, status: &UserStatus) -> Vec<(&'static str, String)> {
    let names = keys::sign_in_names(&status.keys);
    let mut rows = vec![
        ("id", user.id.as_str().to_owned()),
        ("username", user.username.clone()),
        ("signs in as", named(&names.join(", "), "no name, as there is no password")),
    ];
    rows.extend(status.keys.iter().map(|it| ("key", keys::line(it))));
    let UserStatus { open, failed_elsewhere, failed_in_known, .. } = status;
    rows.extend([
        ("groups", named(user.groups.as_str(), "none")),
        ("email", email(user)),
        ("created", user.created_at.rfc3339()),
        ("disabled", disabled(user).unwrap_or_else(|| "no".to_owned())),
        ("last sign-in", status.last_sign_in.as_ref().map_or("none on record".into(), sign_in)),
        ("failed attempts", failed(*failed_elsewhere)),
    ]);
    if failed_in_known.attempts > 0 {
        rows.push(("  known browsers", failed(*failed_in_known)));
    }
    rows.extend(second_factor(status));
    rows.extend([
        ("passkeys", status.passkeys.to_string()),
        ("sessions", open.sessions.to_string()),
        ("access tokens", open.access_tokens.to_string()),
        ("known browsers", status.known_browsers.to_string()),
    ]);
    rows
}

/// The second factor, and where it is on, what there is of it.
fn second_factor(status: &UserStatus) -> Vec<(&'static str, String)> {
    let Some(it) = status.second_factor else { return vec![("second factor", "none".to_owned())] };
    vec![
        ("second factor", format!("since {}", it.since.rfc3339())),
        ("  apps", it.apps.to_string()),
        ("  recovery codes", format!("{} left", it.recovery_codes)),
        ("  remembered in", counted(it.remembered_browsers, "browser")),
        ("  wrong codes", failed(it.failed)),
    ]
}

fn all_data(user: &User, status: &UserStatus, attributes: &str) -> Value {
    let mut data = serde_json::to_value(UserData(user)).expect("its names are texts");
    let UserStatus { open, failed_elsewhere, failed_in_known, .. } = status;
    data["sign_in_names"] = keys::sign_in_names(&status.keys).into();
    data["keys"] = status.keys.iter().map(keys::data).collect();
    let last = status.last_sign_in.as_ref();
    data["last_sign_in_at"] = last.map(|it| it.at.rfc3339()).into();
    data["last_sign_in_address"] = last.and_then(|it| it.address.clone()).into();
    data["last_sign_in_browser"] = last.map(|it| it.browser.clone()).into();
    data["failed_attempts"] = failed_elsewhere.attempts.into();
    data["wait_seconds"] = seconds(*failed_elsewhere).into();
    data["failed_attempts_in_known_browsers"] = failed_in_known.attempts.into();
    data["wait_seconds_in_known_browsers"] = seconds(*failed_in_known).into();
    data["passkeys"] = status.passkeys.into();
    data["sessions"] = open.sessions.into();
    data["access_tokens"] = open.access_tokens.into();
    data["known_browsers"] = status.known_browsers.into();
    let second = status.second_factor;
    data["authenticator_apps"] = second.map_or(0, |it| it.apps).into();
    data["recovery_codes_left"] = second.map_or(0, |it| it.recovery_codes).into();
    data["remembered_browsers"] = second.map_or(0, |it| it.remembered_browsers).into();
    data["failed_codes"] = second.map_or(0, |it| it.failed.attempts).into();
    data["wait_seconds_for_codes"] = second.map_or(0, |it| seconds(it.failed)).into();
    // What an import has written; should another program have, it is shown as the text it is.
    data["attributes"] = match attributes {
        "" => Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
    };
    data
}

/// Since when and why a user is disabled, if they are.
pub(super) fn disabled(user: &User) -> Option<String> {
    let since = user.disabled_at?.minute();
    Some(match user.disabled_reason.as_str() {
        "" => format!("since {since}"),
        reason => format!("since {since}: {reason}"),
    })
}

/// A text, or what to say where it is empty.
pub(super) fn named(text: &str, none: &str) -> String {
    if text.is_empty() { none.to_owned() } else { text.to_owned() }
}

fn sign_in(it: &Activity) -> String {
    let from = it.address.as_ref().map_or(String::new(), |address| format!(" from {address}"));
    let with = if it.browser.is_empty() { String::new() } else { format!(", {}", it.browser) };
    format!("{}{from}{with}", it.at.rfc3339())
}

fn failed(it: FailedAttempts) -> String {
    match seconds(it) {
        0 => it.attempts.to_string(),
        seconds => format!("{}; the next one has to wait {seconds} s", it.attempts),
    }
}

/// The wait in seconds, rounded up.
fn seconds(it: FailedAttempts) -> u64 {
    u64::try_from(it.wait.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX)
}
