//! The list of a user's sessions, where they can end them.

use std::cmp::Reverse;

use serde_json::json;

use super::reauthentication::{self, require_recent_password};
use crate::auth::events::Event;
use crate::auth::sessions;
use crate::store::{Error, Session};
use crate::web::call::{Answered, SignedInCall};
use crate::web::http::{Response, Wants};
use crate::web::json;
use crate::web::pages::paging::{self, PageOfList};
use crate::web::pages::sessions::{self as pages, BrowserSessions, SessionRow, SessionsPage};
use crate::web::pages::{Alert, Told};
use crate::web::refusals::Refusal;
use crate::web::status_messages::StatusMessage;

const HERE: &str = "/account/sessions";

/// How many sessions are on one page.
const ON_PAGE: usize = 6;

pub(in crate::web) fn show(call: &SignedInCall<'_>) -> Answered {
    page(call, 200, None)
}

pub(in crate::web) fn end(call: &SignedInCall<'_>) -> Answered {
    let handle = call.field("session").unwrap_or_default();
    let found = sessions::by_handle(call.store(), &call.user().id, &handle, call.now)?;
    let Some(session) = found else { return Ok(call.problem(404, |t| t.no_session)) };
    // Ending one's own session is signing out, for which nothing is asked.
    if session.id != call.session().id
        && let Err(refusal) = require_recent_password(call)?
    {
        return refuse(call, &refusal);
    }
    sessions::end(call.store(), &session.id)?;
    let note = call.note(Event::SessionEnd).with("ended", session.id.handle());
    let data = json!({ "ended": 1 });
    let response = if session.id == call.session().id {
        call.telling(call.forget(call.done("/login", &data)), StatusMessage::SignedOut)
    } else {
        call.telling(call.done(&here(call), &data), StatusMessage::SessionEnded)
    };
    Ok(response.noting(note))
}

pub(in crate::web) fn end_others(call: &SignedInCall<'_>) -> Answered {
    if let Err(refusal) = require_recent_password(call)? {
        return refuse(call, &refusal);
    }
    let count = sessions::end_others(call.store(), call.session())?;
    let response = call.done(HERE, &json!({ "ended": count }));
    let response = call.telling(response, StatusMessage::OtherSessionsEnded);
    // Without any other session, nothing has happened that belongs in the log.
    Ok(match count {
        0 => response,
        _ => response.noting(call.note(Event::SessionEnd).with("others", count.to_string())),
    })
}

/// In a browser, a user whose password is needed gives it on a page of its own, and comes back.
fn refuse(call: &SignedInCall<'_>, refusal: &Refusal) -> Answered {
    let is_page = call.wants() == Wants::Html;
    let response = if is_page && matches!(refusal, Refusal::PasswordRequired) {
        reauthentication::lead_to(call, &here(call))
    } else {
        refusal.response(call, |status, alert| page(call, status, Some(alert)))?
    };
    Ok(response.noting(refusal.note(call, Event::SessionEndFail)))
}

/// The page of the list on which the form is.
fn here(call: &SignedInCall<'_>) -> String {
    paging::address(HERE, call.field("page").as_deref())
}

fn page(call: &SignedInCall<'_>, status: u16, alert: Option<Alert>) -> Answered {
    let this = call.session();
    let all = newest_first(call)?;
    if call.wants() == Wants::Json {
        let all: Vec<_> = all.iter().map(|session| json::session(session, call.now)).collect();
        let this = this.id.public_handle();
        return Ok(Response::json(200, &json!({ "sessions": all, "this": this })));
    }
    let list = PageOfList::of(all.len(), ON_PAGE, call.field("page").as_deref());
    let groups = groups(call, list.rows(&all));
    let page = SessionsPage { groups, list, has_others: all.len() > 1, alert };
    Ok(call.page(status, |frame| pages::sessions(frame, &page)))
}

/// The user's sessions: that of this request first, then the most recently used ones.
fn newest_first(call: &SignedInCall<'_>) -> Result<Vec<Session>, Error> {
    let this = call.session();
    let mut all = sessions::of_user(call.store(), &call.user().id, call.now)?;
    // The use by this very request may not be written yet.
    for session in all.iter_mut().filter(|session| session.id == this.id) {
        session.clone_from(this);
    }
    all.sort_by_key(|session| (session.id != this.id, Reverse(session.seen_at.millis())));
    Ok(all)
}

/// The sessions in a group for each browser, in the order in which the browsers come first.
fn groups(call: &SignedInCall<'_>, shown: &[Session]) -> Vec<BrowserSessions> {
    let mut groups: Vec<BrowserSessions> = Vec::new();
    for (place, session) in shown.iter().enumerate() {
        let row = SessionRow {
            place,
            handle: session.id.public_handle(),
            is_this: session.id == call.session().id,
            since: Told { at: session.created_at, now: call.now },
            seen: Told { at: session.seen_at, now: call.now },
            address: session.place.address.clone(),
        };
        let browser = &session.place.browser;
        match groups.iter_mut().find(|group| group.browser == *browser) {
            Some(group) => group.rows.push(row),
            None => groups.push(BrowserSessions { browser: browser.clone(), rows: vec![row] }),
        }
    }
    groups
}
