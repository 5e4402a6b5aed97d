//! Reauthentication: users give their password once more before a sensitive action (OWASP ASVS 7.5.1).

use serde_json::{Value, json};
use url::form_urlencoded;

use super::account::caller_again;
use super::passkeys;
use crate::auth::events::Event;
use crate::auth::passkeys as auth_passkeys;
use crate::auth::password_policy;
use crate::auth::sessions;
use crate::auth::sign_in::{self, Reauthentication};
use crate::store::Error;
use crate::web::call::{Answered, SignedInCall};
use crate::web::http::{Response, Wants};
use crate::web::openapi::{kind, object, optional};
use crate::web::pages::Alert;
use crate::web::pages::account as pages;
use crate::web::redirect::Target;
use crate::web::refusals::Refusal;
use crate::web::running_script;

const HERE: &str = "/account/prove";

pub(in crate::web) fn show(call: &SignedInCall<'_>) -> Answered {
    let is_recent = sessions::is_recent(call.session(), call.now);
    Ok(match call.wants() {
        Wants::Json => {
            let mut data = json!({ "proven": is_recent });
            if let Some(options) = passkeys::options_to_prove(call)? {
                data["request_options"] = options;
            }
            Response::json(200, &data)
        }
        Wants::Html | Wants::Text if is_recent => go_on(call),
        Wants::Html | Wants::Text => page(call, 200, None)?,
    })
}

/// The response to `GET` in JSON, for docs/openapi.json: with options where the user has a passkey for it.
pub(in crate::web) fn schema() -> Value {
    optional(object(&[("proven", kind("boolean"))]), &[("request_options", kind("object"))])
}

pub(in crate::web) fn submit(call: &SignedInCall<'_>) -> Answered {
    let proven = match passkeys::answer(call) {
        Some(answer) => verify_passkey(call, &answer)?,
        None => verify_password(call, "current_password")?,
    };
    if let Err(refusal) = proven {
        let response = refusal.response(call, |status, alert| page(call, status, Some(alert)))?;
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

/// Verifies the answer of a passkey, in the place of the password.
fn verify_passkey(call: &SignedInCall<'_>, answer: &str) -> Result<Result<(), Refusal>, Error> {
    let who = (call.user(), call.session());
    let caller = caller_again(call);
    let proven = auth_passkeys::prove(&call.site.auth, who, answer, &caller, call.now)?;
    let user = || Some(call.user().id.clone());
    Ok(proven.map_err(|failure| Refusal::PasskeyRefused(failure, user())))
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

fn page(call: &SignedInCall<'_>, status: u16, refusal: Option<Alert>) -> Answered {
    let options = passkeys::options_to_prove(call)?.map(|it| it.to_string());
    let next = next(call);
    let next = next.as_ref().map(Target::as_str);
    let (username, passkey) = (&call.user().username, options.as_deref());
    let page = call
        .page(status, |frame| pages::reauthentication(frame, (username, passkey), next, refusal));
    Ok(if passkey.is_some() { running_script(page) } else { page })
}
