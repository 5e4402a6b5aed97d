//! The same answers as data, for scripts that ask for `application/json`.
//!
//! Decides the names of fields and the status codes, which mean here what they mean in HTTP; for
//! everybody else the contract's codes stay as they are.

use serde_json::{Value, json};

use crate::auth::sessions::{self, Resumed, Started, State};
use crate::base::clock::Moment;
use crate::store::{Session, User};
use crate::web::handlers::sign_in::{Door, Turned, seconds_of};
use crate::web::http::Response;
use crate::web::messages::{EN, Say, Told};

/// What went wrong: a word for scripts, a sentence for people.
pub(in crate::web) fn problem(status: u16, say: Say) -> Response {
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
    Response::json(status, &json!({ "error": error, "message": message(say) }))
}

/// Why somebody is turned away. Who has an account is told here no more than elsewhere.
pub(in crate::web) fn turned(turned: &Turned) -> Response {
    let (status, error) = match turned.reason {
        "invalid_username" => (422, "invalid_username"),
        "invalid_password" => (422, "invalid_password"),
        "name_taken" => (409, "username_taken"),
        "invalid_name" | "invalid_days" | "too_many_tokens" => (422, turned.reason),
        "bad_invite" => (403, "forbidden"),
        "not_fresh" => (403, "password_required"),
        "throttled" => (429, "too_many_attempts"),
        _ => (401, "incorrect_credentials"),
    };
    let mut data = json!({ "error": error, "message": message(turned.refusal.say) });
    if let Some(wait) = turned.wait {
        data["retry_after"] = seconds_of(wait).into();
    }
    Response::json(status, &data)
}

fn message(say: Say) -> String {
    let Told { title, advice } = say(&EN);
    format!("{title}. {advice}")
}

/// Somebody who was just let in, with the one copy of their token.
pub(in crate::web) fn admitted(user: &User, started: &Started, now: Moment) -> Value {
    json!({
        "user": self::user(user),
        "session": session(&started.session, now),
        "token": started.token.reveal(),
    })
}

/// Somebody who is signed in.
pub(in crate::web) fn profile(it: &Resumed, now: Moment) -> Value {
    json!({ "user": user(&it.user), "session": session(&it.session, now) })
}

/// What a form takes.
pub(in crate::web) fn form(door: Door, is_signed_in: bool, shortest: usize) -> Value {
    let shortest = if door == Door::SignUp { shortest } else { 1 };
    json!({
        "signed_in": is_signed_in,
        "fields": ["username", "password"],
        "password_characters_min": shortest,
    })
}

/// A session as its owner may see it.
pub(in crate::web) fn session(it: &Session, now: Moment) -> Value {
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

fn user(it: &User) -> Value {
    json!({
        "id": it.id.as_str(),
        "username": it.username,
        "created_at": it.created_at.rfc3339(),
    })
}
