//! The page of a forgotten password, which asks for a link by mail.
//!
//! Whether there is such an account, with an address, is never told: the answer is the same, and so is what it costs.

use std::borrow::Cow;
use std::net::IpAddr;

use serde_json::json;

use crate::auth::events::Event;
use crate::auth::mail::{self, ASKED_BYTES_MAX, LinkAsked};
use crate::web::call::{Answered, Call};
use crate::web::client_ip;
use crate::web::handlers::sign_in::SignForm;
use crate::web::http::{Note, Response, Wants};
use crate::web::pages::{self, Alert};
use crate::web::refusals::Refusal;

pub(in crate::web) fn show(call: &Call<'_>) -> Answered {
    let names = call.site.settings.rules.names;
    Ok(match call.wants() {
        Wants::Json => Response::json(200, &json!({ "accepted": false })),
        Wants::Html | Wants::Text => {
            call.page(200, |frame| pages::forgotten(frame, names, "", None))
        }
    })
}

pub(in crate::web) fn submit(call: &Call<'_>) -> Answered {
    let names = call.site.settings.rules.names;
    let typed =
        call.field("name").filter(|it| !it.trim().is_empty() && it.len() <= ASKED_BYTES_MAX);
    let Some(typed) = typed else {
        return refuse(call, &Refusal::InvalidUsername(SignForm::SignIn, names));
    };
    let is_one = |it: &IpAddr| client_ip::is_one_client(*it, &call.site.settings.trusted_proxies);
    let client = call.client().filter(is_one);
    let limits = &call.site.auth.rules.limits;
    let asked =
        mail::ask_for_reset(call.store(), limits, (&typed, call.language()), client, call.now)?;
    match asked {
        LinkAsked::Done => Ok(accepted(call).noting(Note::of(Event::ResetAsked))),
        LinkAsked::Wait(wait) => refuse(call, &Refusal::TooManyAttempts(wait)),
    }
}

fn accepted(call: &Call<'_>) -> Response {
    match call.wants() {
        Wants::Json => Response::json(200, &json!({ "accepted": true })),
        Wants::Html | Wants::Text => call.problem(200, |t| t.mail_may_come),
    }
}

/// The form as it was sent, with this status.
pub(in crate::web) fn show_again(call: &Call<'_>, status: u16, alert: Alert) -> Response {
    let typed = call.field("name").unwrap_or(Cow::Borrowed(""));
    let names = call.site.settings.rules.names;
    call.page(status, |frame| pages::forgotten(frame, names, &typed, Some(alert)))
}

fn refuse(call: &Call<'_>, refusal: &Refusal) -> Answered {
    let draw = |status, alert| Ok(show_again(call, status, alert));
    let response = refusal.response(call, draw)?;
    let note = Note::of(refusal.event(Event::ResetAskedFail)).because(refusal.reason());
    Ok(response.noting(note))
}
