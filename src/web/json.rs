//! JSON responses, for scripts that ask for `application/json`: one function for each shape that several places share.
//!
//! Decides the names of fields and the status codes, which follow HTTP here; in the other representations
//! the status codes are fixed by the contract in docs/http.md.

use serde_json::{Value, json};

use crate::auth::access_tokens;
use crate::auth::passkeys;
use crate::auth::second_factors;
use crate::auth::sessions::{self, Resumed, Started, State};
use crate::auth::usernames::NameKind;
use crate::base::clock::Moment;
use crate::store::{AccessToken, Passkey, Session, User};
use crate::web::http::Response;
use crate::web::messages::{EN, Message, MessageKey};

/// An error: a word for scripts, a sentence for people.
pub(super) fn problem(status: u16, say: MessageKey) -> Response {
    let error = match status {
        401 => "not_signed_in",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        413 => "too_large",
        415 => "unsupported_media_type",
        500 => "unknown_error",
        503 => "busy",
        _ => "bad_request",
    };
    refusal((status, error), say, None)
}

/// Why a form is refused, and how many seconds to wait, if so.
pub(super) fn refusal(
    (status, error): (u16, &str),
    say: MessageKey,
    wait: Option<u64>,
) -> Response {
    let mut data = self::error(error, say);
    if let Some(seconds) = wait {
        data["retry_after"] = seconds.into();
    }
    Response::json(status, &data)
}

/// The fields of every error: a word for scripts, a sentence for people.
pub(super) fn error(word: &str, say: MessageKey) -> Value {
    let Message { title, hint } = say(&EN);
    json!({ "error": word, "message": format!("{title}. {hint}") })
}

/// A check that denies a signed-in user access: to which app, if that is known, and the groups whose members have
/// access, if the check says so.
pub(super) fn denied(app: Option<&str>, groups: &[&str]) -> Response {
    let Message { title, hint } = EN.closed;
    let closed = app.map_or_else(|| hint.to_owned(), |app| EN.no_access_to.around(app));
    let members = EN.open_to(groups).map(|it| it.around(&groups.join(", ")));
    let sentences = [Some(closed), members].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let data = json!({
        "error": "forbidden",
        "message": format!("{title}. {sentences}"),
        "app": app,
        "groups": groups,
    });
    Response::json(403, &data)
}

/// A check that lets in sessions with a second factor alone: to which app, if that is known.
pub(super) fn second_factor_needed(status: u16, app: Option<&str>) -> Response {
    let mut data = error("second_factor_needed", |t| t.second_factor_missing);
    data["app"] = app.into();
    Response::json(status, &data)
}

/// A user who has just signed in, with the only copy of the session's token.
pub(super) fn admitted(user: &User, started: &Started, now: Moment) -> Value {
    json!({
        "user": self::user(user),
        "session": session(&started.session, now),
        "token": started.token.reveal(),
    })
}

/// The user who is signed in, and the session.
pub(super) fn profile(it: &Resumed, now: Moment) -> Value {
    json!({ "user": user(&it.user), "session": session(&it.session, now) })
}

/// The user who is signed in, for the back end of an app. Fields may be added; a change of meaning changes
/// `version`.
pub(super) fn current_session(it: &Resumed, now: Moment) -> Value {
    let Resumed { user, session, .. } = it;
    let second_at = session.second_at;
    let second_at = second_factors::was_given(second_at, now).then_some(second_at);
    json!({
        "version": 1,
        "user": {
            "id": user.id.as_str(),
            "username": user.username,
            "canonical_username": user.canonical_username,
            "groups": user.groups.iter().collect::<Vec<_>>(),
            "email": Some(user.verified_email()).filter(|it| !it.is_empty()),
            "created_at": user.created_at.rfc3339(),
        },
        "session": {
            "handle": session.id.public_handle(),
            "created_at": session.created_at.rfc3339(),
            "password_at": sessions::password_at(session, now).map(Moment::rfc3339),
            "second_factor_at": second_at.map(Moment::rfc3339),
            "expires_at": session.idle_expires.rfc3339(),
            "absolute_expires": session.absolute_expires.rfc3339(),
        },
    })
}

/// The fields of a sign-up or sign-in form.
pub(super) fn form(is_signed_in: bool, fields: &[&str], names: NameKind, shortest: usize) -> Value {
    json!({
        "signed_in": is_signed_in,
        "fields": fields,
        "username_is": names.as_str(),
        "password_characters_min": shortest,
    })
}

/// A session as its owner and an operator see it.
pub(crate) fn session(it: &Session, now: Moment) -> Value {
    let state = match sessions::state(it, now) {
        State::Active => "active",
        State::Idle => "idle",
        State::Dead => "dead",
    };
    json!({
        "handle": it.id.public_handle(),
        "state": state,
        "created_at": it.created_at.rfc3339(),
        "seen_at": it.seen_at.rfc3339(),
        "active_expires": it.active_expires.rfc3339(),
        "idle_expires": it.idle_expires.rfc3339(),
        "absolute_expires": it.absolute_expires.rfc3339(),
        "browser": it.place.browser,
        "address": it.place.address,
    })
}

/// An access token as its owner and an operator see it.
pub(crate) fn access_token(it: &AccessToken, now: Moment) -> Value {
    json!({
        "handle": it.id.public_handle(),
        "name": it.name,
        "created_at": it.created_at.rfc3339(),
        "expires_at": it.expires_at.rfc3339(),
        "used_at": it.used_at.map(Moment::rfc3339),
        "ended": access_tokens::is_ended(it, now),
    })
}

/// A passkey as its owner and an operator see it.
pub(crate) fn passkey(it: &Passkey) -> Value {
    json!({
        "passkey": passkeys::handle(it),
        "name": it.name,
        "created_at": it.created_at.rfc3339(),
        "used_at": it.used_at.map(Moment::rfc3339),
        "signs_in_alone": it.verifies_user,
        "domain": it.rp_id,
    })
}

/// What the owner of an account and an operator see of a record of the audit log.
pub(crate) fn record(at: Moment, event: &str, browser: &str, address: Option<&str>) -> Value {
    json!({ "at": at.rfc3339(), "event": event, "browser": browser, "address": address })
}

fn user(it: &User) -> Value {
    json!({
        "id": it.id.as_str(),
        "username": it.username,
        "created_at": it.created_at.rfc3339(),
    })
}
