//! The page on which users see what was done with their account, from the audit log.

use serde_json::json;

use crate::auth::audit;
use crate::web::call::{Answered, SignedInCall};
use crate::web::http::{Response, Wants};
use crate::web::pages::activity::{self as pages, ActivityRow};
use crate::web::{json, messages};

/// The most records that are shown, newest first.
const SHOWN_MAX: u32 = 100;

pub(in crate::web) fn show(call: &SignedInCall<'_>) -> Answered {
    let all = audit::of_user(call.store(), &call.user().id, &[], SHOWN_MAX)?;
    // Events for the operator alone have no text for users, and are not shown.
    let told = all.iter().filter_map(|it| Some((it, messages::of_event(it.event)?)));
    if call.wants() == Wants::Json {
        let all: Vec<_> = told.map(|(it, _)| json::activity(it)).collect();
        return Ok(Response::json(200, &json!({ "activity": all })));
    }
    let rows: Vec<_> = told
        .map(|(it, what)| ActivityRow {
            what,
            at: it.at.minute(),
            browser: &it.browser,
            address: it.address.as_deref().unwrap_or_default(),
        })
        .collect();
    Ok(call.page(200, |frame| pages::activity(frame, &rows)))
}
