//! The pages on which users change their e-mail address and verify it by a link.

use serde_json::{Value, json};

use super::reauthentication::require_recent_password;
use super::reset_password::bad_link;
use crate::auth::email::{self, AddressAsked};
use crate::auth::events::Event;
use crate::auth::mail::LetterKind;
use crate::auth::sessions;
use crate::base::email_address;
use crate::base::token::Token;
use crate::store::Error;
use crate::web::call::{Answered, SignedInCall};
use crate::web::http::{Response, Wants};
use crate::web::openapi::{kind, object, or_null};
use crate::web::pages::Alert;
use crate::web::pages::email::{self as pages, EmailPage};
use crate::web::refusals::Refusal;
use crate::web::status_messages::StatusMessage;

const HERE: &str = "/account/email";

pub(in crate::web) fn show(call: &SignedInCall<'_>) -> Answered {
    let user = call.user();
    Ok(match call.wants() {
        Wants::Json => {
            let email = Some(&user.email).filter(|it| !it.is_empty());
            let is_verified = !user.verified_email().is_empty();
            Response::json(200, &json!({ "email": email, "is_verified": is_verified }))
        }
        Wants::Html | Wants::Text => page(call, 200, None),
    })
}

/// The response in JSON, for docs/openapi.json.
pub(in crate::web) fn schema() -> Value {
    object(&[("email", or_null(kind("string"))), ("is_verified", kind("boolean"))])
}

/// Sends a link to a new address, which counts once the link is used; an empty one removes the address at once.
pub(in crate::web) fn submit(call: &SignedInCall<'_>) -> Answered {
    let typed = call.field("email");
    let address = match typed.as_deref().map(str::trim) {
        Some("") => None,
        typed => match typed.and_then(email_address::typed) {
            Some(address) => Some(address),
            None => return refuse(call, &Refusal::InvalidEmail),
        },
    };
    if let Err(refusal) = require_recent_password(call)? {
        return refuse(call, &refusal);
    }
    match address {
        Some(address) => ask(call, &address),
        None => remove(call),
    }
}

fn ask(call: &SignedInCall<'_>, address: &str) -> Answered {
    let user = call.user();
    let is_other = email_address::canonical(address) != email_address::canonical(&user.email);
    let notice = call.notice(LetterKind::EmailAsked, user).filter(|_| is_other);
    let limits = &call.site.auth.rules.limits;
    let asked =
        email::ask(call.store(), limits, user, (address, call.language()), notice, call.now)?;
    match asked {
        AddressAsked::Done => {
            let response = call.done(HERE, &json!({ "mailed": true }));
            let note = call.note(Event::EmailAsked);
            Ok(call.telling(response, StatusMessage::LinkSent).noting(note))
        }
        AddressAsked::Wait(wait) => refuse(call, &Refusal::TooManyAttempts(wait)),
    }
}

fn remove(call: &SignedInCall<'_>) -> Answered {
    let notice = call.notice(LetterKind::EmailChanged, call.user());
    email::remove(call.store(), call.user(), notice.as_ref())?;
    let response = call.done(HERE, &json!({ "mailed": false }));
    Ok(call.telling(response, StatusMessage::EmailRemoved).noting(call.note(Event::EmailRemove)))
}

pub(in crate::web) fn show_link(call: &SignedInCall<'_>) -> Answered {
    let Some((token, address)) = of_link(call)? else { return Ok(bad_link(call)) };
    Ok(match call.wants() {
        Wants::Json => Response::json(200, &json!({ "email": address })),
        Wants::Html | Wants::Text => call.page(200, |frame| {
            pages::verification(frame, &call.user().username, &address, token.reveal())
        }),
    })
}

pub(in crate::web) fn verify(call: &SignedInCall<'_>) -> Answered {
    let Some((token, address)) = of_link(call)? else { return Ok(bad_link(call)) };
    let user = call.user();
    let is_other = email_address::canonical(&address) != email_address::canonical(&user.email);
    let notice = call.notice(LetterKind::EmailChanged, user).filter(|_| is_other);
    if !email::verify(call.store(), user, &token, notice.as_ref(), call.now)? {
        return Ok(bad_link(call));
    }
    let response = call.done("/account", &json!({ "verified": true }));
    Ok(call.telling(response, StatusMessage::EmailVerified).noting(call.note(Event::EmailVerify)))
}

/// The link of this request and its address, if it is valid and the user's own.
fn of_link(call: &SignedInCall<'_>) -> Result<Option<(Token, String)>, Error> {
    let Some(token) = call.field("token").and_then(|it| Token::parse(&it)) else {
        return Ok(None);
    };
    let found = email::of_link(call.store(), &token, call.now)?;
    let own = found.filter(|(user, _)| user.id == call.user().id);
    Ok(own.map(|(_, address)| (token, address)))
}

fn refuse(call: &SignedInCall<'_>, refusal: &Refusal) -> Answered {
    let response = refusal.response(call, |status, alert| Ok(page(call, status, Some(alert))))?;
    Ok(response.noting(refusal.note(call, Event::EmailAskedFail)))
}

fn page(call: &SignedInCall<'_>, status: u16, refusal: Option<Alert>) -> Response {
    let user = call.user();
    let typed = call.field("email").unwrap_or_default();
    let shown = EmailPage {
        username: &user.username,
        email: &user.email,
        is_verified: !user.verified_email().is_empty(),
        asks: !sessions::is_recent(call.session(), call.now),
        typed: if refusal.is_some() { &typed } else { "" },
        refusal,
    };
    call.page(status, |frame| pages::email(frame, &shown))
}
