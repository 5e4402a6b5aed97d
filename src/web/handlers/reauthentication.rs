//! Reauthentication: users give their password once more before a sensitive action (OWASP ASVS 7.5.1).

use serde_json::json;
use url::form_urlencoded;

use crate::auth::events::Event;
use crate::auth::password_policy;
use crate::auth::sessions;
use crate::auth::sign_in::{self, Reauthentication};
use crate::store::Error;
use crate::web::call::{Answered, SignedInCall};
use crate::web::http::{Response, Wants};
use crate::web::pages::Alert;
use crate::web::pages::account as pages;
use crate::web::redirect::Target;
use crate::web::refusals::Refusal;

const HERE: &str = "/account/prove";

pub(in crate::web) fn show(call: &SignedInCall<'_>) -> Answered {
    let is_recent = sessions::is_recent(call.session(), call.now);
    Ok(match call.wants() {
        Wants::Json => Response::json(200, &json!({ "proven": is_recent })),
        Wants::Html | Wants::Text if is_recent => go_on(call),
        Wants::Html | Wants::Text => page(call, 200, None),
    })
}

pub(in crate::web) fn submit(call: &SignedInCall<'_>) -> Answered {
    if let Err(refusal) = verify_password(call, "current_password")? {
        let draw = |status, alert| Ok(page(call, status, Some(alert)));
        let response = refusal.response(call, draw)?;
        return Ok(response.noting(refusal.note(call, Event::ReauthFail)));
    }
    let response = match call.wants() {
        Wants::Json => Response::json(200, &json!({ "proven": true })),
        Wants::Html | Wants::Text => go_on(call),
    };
    Ok(response.noting(call.note(Event::ReauthOk)))
}

/// Sends a browser to the page where users give their password, and back to `path` afterwards.
pub(super) fn lead_to(call: &SignedInCall<'_>, path: &str) -> Response {
    let next = call.site.settings.prefix.at(path).to_string();
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    call.site.redirect(&format!("{HERE}?next={next}"))
}

/// Requires that the password was given a short while ago, or is right in this request: for sensitive
/// actions.
pub(super) fn require_recent_password(
    call: &SignedInCall<'_>,
) -> Result<Result<(), Refusal>, Error> {
    if sessions::is_recent(call.session(), call.now) {
        return Ok(Ok(()));
    }
    if call.field("current_password").is_none() {
        return Ok(Err(Refusal::PasswordRequired));
    }
    verify_password(call, "current_password")
}

/// Verifies the password in this field of the request.
pub(super) fn verify_password(
    call: &SignedInCall<'_>,
    field: &str,
) -> Result<Result<(), Refusal>, Error> {
    let password = call.field(field).and_then(|typed| password_policy::read(&typed));
    let Some(password) = password else { return Ok(Err(Refusal::IncorrectPassword)) };
    let who = (call.user(), call.session());
    Ok(match sign_in::reauthenticate(&call.site.auth, who, &password, call.now)? {
        Reauthentication::Right => Ok(()),
        Reauthentication::Refused(_) => Err(Refusal::IncorrectPassword),
        Reauthentication::Wait(wait) => Err(Refusal::TooManyAttempts(wait)),
    })
}

/// The page that the user came from: one of this host, else the account page.
fn next(call: &SignedInCall<'_>) -> Option<Target> {
    call.next().filter(|it| it.other_origin().is_none())
}

fn go_on(call: &SignedInCall<'_>) -> Response {
    match next(call) {
        Some(next) => Response::redirect(next.as_str().to_owned()),
        None => call.site.redirect("/account"),
    }
}

fn page(call: &SignedInCall<'_>, status: u16, refusal: Option<Alert>) -> Response {
    let next = next(call);
    let next = next.as_ref().map(Target::as_str);
    call.page(status, |frame| pages::reauthentication(frame, &call.user().username, next, refusal))
}
