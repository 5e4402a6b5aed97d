//! The pages on which signed-in users turn their second factor on and off, and replace their recovery codes.

use serde_json::{Value, json};

use super::account::caller_again;
use super::enrolments::{self, SetUp, show_codes};
use super::reauthentication::require_recent_password;
use crate::auth::events::Event;
use crate::auth::mail::LetterKind;
use crate::auth::second_factors::{self, Changed, GivenCode, TurnedOn};
use crate::auth::sessions;
use crate::base::clock::Moment;
use crate::base::recovery_code::RecoveryCode;
use crate::base::totp::TotpCode;
use crate::store::{Error, UserId};
use crate::web::call::{Answered, SignedInCall};
use crate::web::http::{Response, Wants};
use crate::web::json;
use crate::web::openapi::{kind, moment, object, optional};
use crate::web::pages::enrolments::SetUpForm;
use crate::web::pages::second_factor::{self as pages, FactorForm, FactorPage};
use crate::web::pages::{Alert, Told};
use crate::web::refusals::Refusal;
use crate::web::status_messages::StatusMessage;

const HERE: &str = "/account/second-factor";

/// Whether these pages exist for a user: the site offers a second factor, or they have one from before.
pub(in crate::web) fn is_for(call: &SignedInCall<'_>) -> bool {
    call.site.auth.rules.second_factors.is_offered() || since(call).is_some()
}

pub(in crate::web) fn show(call: &SignedInCall<'_>) -> Answered {
    let Some(since) = since(call) else {
        let set_up = SetUp::new(call, &call.session().id);
        return Ok(match call.wants() {
            Wants::Json => Response::json(200, &set_up.json(call, &call.user().username)),
            Wants::Html | Wants::Text => set_up_page(call, &set_up, 200, (asks(call), None)),
        });
    };
    match call.wants() {
        Wants::Json => {
            let left = second_factors::recovery_codes_left(&call.site.auth, &call.user().id)?;
            let data = json!({ "since": since.rfc3339(), "recovery_codes_left": left });
            Ok(Response::json(200, &json!({ "second_factor": data })))
        }
        Wants::Html | Wants::Text => page(call, since, 200, (asks(call), None)),
    }
}

/// The response in JSON, for docs/openapi.json: of a second factor that is on, or of an app to be set up.
pub(in crate::web) fn schema() -> Value {
    let on = object(&[("since", moment()), ("recovery_codes_left", kind("integer"))]);
    let fields = enrolments::fields();
    optional(object(&[]), &[&[("second_factor", on)][..], &fields].concat())
}

/// The response in JSON with new recovery codes, for docs/openapi.json.
pub(in crate::web) fn schema_of_codes() -> Value {
    object(&[enrolments::recovery_codes_field()])
}

/// Turns the second factor on, and shows the recovery codes, this once.
pub(in crate::web) fn submit(call: &SignedInCall<'_>) -> Answered {
    if since(call).is_some() {
        return refuse_outright(call, &Refusal::SecondFactorOn);
    }
    let owner = &call.session().id;
    let refuse = |set_up: &SetUp, asks: bool, refusal: &Refusal| {
        let draw = |status, alert| Ok(set_up_page(call, set_up, status, (asks, Some(alert))));
        Ok(noting(call, refusal, refusal.response(call, draw)?))
    };
    let set_up = match SetUp::of_form(call, owner) {
        Ok(set_up) => set_up,
        Err(refusal) => return refuse(&SetUp::new(call, owner), asks(call), &refusal),
    };
    let Some(code) = call.field("code").and_then(|it| TotpCode::read(&it)) else {
        return refuse(&set_up, asks(call), &Refusal::InvalidCode);
    };
    if let Err(refusal) = require_recent_password(call)? {
        return refuse(&set_up, asks(call), &refusal);
    }
    let who = (call.user(), call.session());
    let app = (&set_up.secret, code);
    let codes = RecoveryCode::new_set();
    let caller = caller_again(call);
    let turned = second_factors::turn_on(&call.site.auth, who, app, &codes, &caller, call.now)?;
    let started = match turned {
        TurnedOn::Done(started) => started,
        TurnedOn::Refused(why) => {
            let refusal = Refusal::IncorrectCode(why, call.user().id.clone());
            return refuse(&set_up, false, &refusal);
        }
        TurnedOn::AlreadyOn => return refuse_outright(call, &Refusal::SecondFactorOn),
        TurnedOn::SessionEnded => return Ok(call.unauthenticated()),
    };
    let data = || json::admitted(call.user(), &started, call.now);
    let cookie = call.site.session_cookie(&started.token, &started.session, call.now);
    let response = show_codes(call, &codes, &way_on(call), data).with("Set-Cookie", cookie);
    Ok(response.noting(call.note(Event::SecondFactorOn)))
}

pub(in crate::web) fn replace_codes(call: &SignedInCall<'_>) -> Answered {
    let code = match proof(call)? {
        Ok(code) => code,
        Err(refusal) => return refuse(call, FactorForm::RecoveryCodes, asks(call), &refusal),
    };
    let (who, codes) = ((call.user(), call.session()), RecoveryCode::new_set());
    let changed = second_factors::replace_codes(&call.site.auth, who, code, &codes, call.now)?;
    if let Some(refusal) = refusal(&changed, &call.user().id) {
        return refuse(call, FactorForm::RecoveryCodes, false, &refusal);
    }
    let here = call.site.settings.prefix.at(HERE).to_string();
    let response = show_codes(call, &codes, &here, || json!({}));
    Ok(response.noting(call.note(Event::RecoveryCodesNew)))
}

pub(in crate::web) fn forget_browsers(call: &SignedInCall<'_>) -> Answered {
    if since(call).is_none() {
        return refuse_outright(call, &Refusal::SecondFactorOff);
    }
    if let Err(refusal) = require_recent_password(call)? {
        return refuse(call, FactorForm::Browsers, asks(call), &refusal);
    }
    second_factors::forget_browsers(&call.site.auth, &call.user().id)?;
    let response = call.done(HERE, &json!({ "forgotten": true }));
    let response = call.telling(response, StatusMessage::BrowsersForgotten);
    Ok(response.noting(call.note(Event::BrowsersForgotten)))
}

pub(in crate::web) fn turn_off(call: &SignedInCall<'_>) -> Answered {
    if call.site.auth.rules.second_factors.require_of(call.user()) {
        return refuse(call, FactorForm::Off, asks(call), &Refusal::SecondFactorNeeded);
    }
    let code = match proof(call)? {
        Ok(code) => code,
        Err(refusal) => return refuse(call, FactorForm::Off, asks(call), &refusal),
    };
    let notice = call.notice(LetterKind::SecondFactorOff, call.user());
    let who = (call.user(), call.session());
    let changed = second_factors::turn_off(&call.site.auth, who, code, notice.as_ref(), call.now)?;
    if let Some(refusal) = refusal(&changed, &call.user().id) {
        return refuse(call, FactorForm::Off, false, &refusal);
    }
    let response = call.done("/account", &json!({ "second_factor": false }));
    let response = call.telling(response, StatusMessage::SecondFactorOff);
    Ok(response.noting(call.note(Event::SecondFactorOff).with("by", "owner")))
}

/// Since when the user has a second factor. `None`: they have none.
fn since(call: &SignedInCall<'_>) -> Option<Moment> {
    call.user().second_factor_since
}

/// Whether the forms ask for the password.
fn asks(call: &SignedInCall<'_>) -> bool {
    !sessions::is_recent(call.session(), call.now)
}

/// The code in this request, if the password was given as well, in it or lately.
fn proof(call: &SignedInCall<'_>) -> Result<Result<GivenCode, Refusal>, Error> {
    if since(call).is_none() {
        return Ok(Err(Refusal::SecondFactorOff));
    }
    let Some(code) = call.field("code").and_then(|it| GivenCode::read(&it)) else {
        return Ok(Err(Refusal::InvalidCode));
    };
    Ok(require_recent_password(call)?.map(|()| code))
}

fn refusal(changed: &Changed, user: &UserId) -> Option<Refusal> {
    match changed {
        Changed::Done => None,
        Changed::Refused(why) => Some(Refusal::IncorrectCode(*why, user.clone())),
        Changed::NotOn => Some(Refusal::SecondFactorOff),
        Changed::Wait(wait) => Some(Refusal::TooManyAttempts(*wait)),
    }
}

/// Where a browser goes on after the recovery codes: the app that led to this page, or else the account page.
fn way_on(call: &SignedInCall<'_>) -> String {
    match call.next() {
        Some(next) => next.as_str().to_owned(),
        None => call.site.settings.prefix.at("/account").to_string(),
    }
}

/// Shows the page of the second factor again, with the form that was refused.
fn refuse(call: &SignedInCall<'_>, form: FactorForm, asks: bool, refusal: &Refusal) -> Answered {
    let Some(since) = since(call).filter(|_| !matches!(refusal, Refusal::SecondFactorOff)) else {
        return refuse_outright(call, refusal);
    };
    let draw = |status, alert| page(call, since, status, (asks, Some((form, alert))));
    Ok(noting(call, refusal, refusal.response(call, draw)?))
}

/// Refuses a form that the user's page does not have.
fn refuse_outright(call: &SignedInCall<'_>, refusal: &Refusal) -> Answered {
    let response = refusal.response(call, |status, alert| Ok(call.problem(status, alert.say)))?;
    Ok(noting(call, refusal, response))
}

fn noting(call: &SignedInCall<'_>, refusal: &Refusal, response: Response) -> Response {
    response.noting(refusal.noting_clock(refusal.note(call, Event::SecondFactorFail)))
}

fn set_up_page(
    call: &SignedInCall<'_>,
    set_up: &SetUp,
    status: u16,
    (asks, refusal): (bool, Option<Alert>),
) -> Response {
    let username = &*call.user().username;
    let form = SetUpForm { asks: asks.then_some(username), ..SetUpForm::at(HERE, refusal) };
    set_up.page(call, (username, &form), status)
}

fn page(
    call: &SignedInCall<'_>,
    since: Moment,
    status: u16,
    (asks, refused): (bool, Option<(FactorForm, Alert)>),
) -> Answered {
    let rules = &call.site.auth.rules.second_factors;
    let shown = FactorPage {
        username: &call.user().username,
        since: Told { at: since, now: call.now },
        codes_left: second_factors::recovery_codes_left(&call.site.auth, &call.user().id)?,
        is_required: rules.require_of(call.user()),
        can_remember: !rules.remember.is_zero(),
        asks,
        refused,
    };
    Ok(call.page(status, |frame| pages::second_factor(frame, &shown)))
}
