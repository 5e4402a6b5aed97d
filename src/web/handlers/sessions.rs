//! The list of a user's sessions, where they can end them.

use std::cmp::Reverse;

use serde_json::json;

use super::account::require_recent_password;
use crate::auth::events::Event;
use crate::auth::sessions;
use crate::web::call::{Answered, SignedInCall};
use crate::web::http::{Response, Wants};
use crate::web::json;
use crate::web::notices::Notice;
use crate::web::pages::Alert;
use crate::web::pages::account::{self as pages, SessionRow};
use crate::web::refusals::Refusal;

const HERE: &str = "/account/sessions";

pub(in crate::web) fn show(call: &SignedInCall<'_>) -> Answered {
    page(call, 200, None)
}

pub(in crate::web) fn end(call: &SignedInCall<'_>) -> Answered {
    let handle = call.field("session").unwrap_or_default();
    let found = sessions::by_handle(call.store(), &call.user().id, &handle, call.now)?;
    let Some(session) = found else { return Ok(call.problem(404, |t| t.no_session)) };
    if let Err(refusal) = require_recent_password(call)? {
        return refuse(call, &refusal);
    }
    sessions::end(call.store(), &session.id)?;
    let note = call.note(Event::SessionEnd).with("ended", session.id.handle());
    let data = json!({ "ended": 1 });
    let response = if session.id == call.session().id {
        call.telling(call.forget(call.done("/login", &data)), Notice::SignedOut)
    } else {
        call.telling(call.done(HERE, &data), Notice::SessionEnded)
    };
    Ok(response.noting(note))
}

pub(in crate::web) fn end_others(call: &SignedInCall<'_>) -> Answered {
    if let Err(refusal) = require_recent_password(call)? {
        return refuse(call, &refusal);
    }
    let count = sessions::end_others(call.store(), call.session())?;
    let response = call.done(HERE, &json!({ "ended": count }));
    let response = call.telling(response, Notice::OtherSessionsEnded);
    // Without any other session, nothing has happened that belongs in the log.
    Ok(match count {
        0 => response,
        _ => response.noting(call.note(Event::SessionEnd).with("others", count.to_string())),
    })
}

fn refuse(call: &SignedInCall<'_>, refusal: &Refusal) -> Answered {
    let response = refusal.response(call, |status, alert| page(call, status, Some(alert)))?;
    Ok(response.noting(refusal.note(call, Event::SessionEndFail)))
}

fn page(call: &SignedInCall<'_>, status: u16, alert: Option<Alert>) -> Answered {
    let this = call.session();
    let mut all = sessions::of_user(call.store(), &call.user().id, call.now)?;
    // The use by this very request may not be written yet.
    for session in all.iter_mut().filter(|session| session.id == this.id) {
        session.clone_from(this);
    }
    // The session of this request first, then the most recently used ones.
    all.sort_by_key(|session| (session.id != this.id, Reverse(session.seen_at.millis())));
    if call.wants() == Wants::Json {
        let all: Vec<_> = all.iter().map(|session| json::session(session, call.now)).collect();
        let this = this.id.public_handle();
        return Ok(Response::json(200, &json!({ "sessions": all, "this": this })));
    }
    let rows: Vec<_> = all
        .into_iter()
        .map(|session| SessionRow {
            handle: session.id.public_handle(),
            is_this: session.id == this.id,
            since: session.created_at.minute(),
            seen: session.seen_at.minute(),
            browser: session.place.browser,
            address: session.place.address,
        })
        .collect();
    let asks = !sessions::is_recent(this, call.now);
    Ok(call.page(status, |frame| pages::sessions(frame, &call.user().username, &rows, asks, alert)))
}
