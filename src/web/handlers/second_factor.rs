//! The pages on which signed-in users turn their second factor on and off, and replace their recovery codes.

use serde_json::{Value, json};

use super::account::caller_again;
use super::enrolments::{self, SetUp, show_codes};
use super::passkeys;
use super::reauthentication::require_recent_password;
use crate::auth::events::Event;
use crate::auth::mail::LetterKind;
use crate::auth::second_factors::{self, Changed, GivenFactor, TurnedOn};
use crate::auth::sessions;
use crate::base::clock::Moment;
use crate::base::recovery_code::RecoveryCode;
use crate::store::{Error, UserId};
use crate::web::call::{Answered, SignedInCall};
use crate::web::http::{Response, Wants};
use crate::web::json;
use crate::web::openapi::{kind, moment, object, optional};
use crate::web::pages::enrolments::SetUpForm;
use crate::web::pages::second_factor::{self as pages, FactorForm, FactorPage};
use crate::web::pages::{Alert, Told};
use crate::web::refusals::Refusal;
use crate::web::running_script;
use crate::web::status_messages::StatusMessage;

const HERE: &str = "/account/second-factor";

/// Whether these pages exist for a user: the site offers a second factor, or they have one from before.
pub(in crate::web) fn is_for(call: &SignedInCall<'_>) -> bool {
    call.site.auth.rules.second_factors.is_offered() || since(call).is_some()
}

pub(in crate::web) fn show(call: &SignedInCall<'_>) -> Answered {
    let Some(since) = since(call) else {
        let set_up = SetUp::new(call, &call.session().id);
        return match call.wants() {
            Wants::Json => {
                let data = set_up.json(call, &call.user().username);
                Ok(Response::json(200, &with_options(call, data)?))
            }
            Wants::Html | Wants::Text => set_up_page(call, &set_up, 200, (asks(call), None)),
        };
    };
    match call.wants() {
        Wants::Json => {
            let left = second_factors::recovery_codes_left(&call.site.auth, &call.user().id)?;
            let data = json!({ "since": since.rfc3339(), "recovery_codes_left": left });
            let data = with_options(call, json!({ "second_factor": data }))?;
            Ok(Response::json(200, &data))
        }
        Wants::Html | Wants::Text => page(call, since, 200, (asks(call), None)),
    }
}

/// Adds what a browser is asked for to give a passkey, for scripts.
fn with_options(call: &SignedInCall<'_>, mut data: Value) -> Result<Value, Error> {
    if let Some(options) = passkeys::options_to_change_factors(call)? {
        data["request_options"] = options;
    }
    Ok(data)
}

/// The response in JSON, for docs/openapi.json: of a second factor that is on, or of an app to be set up.
pub(in crate::web) fn schema() -> Value {
    let on = object(&[("since", moment()), ("recovery_codes_left", kind("integer"))]);
    let options = ("request_options", kind("object"));
    let fields = [&[("second_factor", on)][..], &enrolments::fields(), &[options]].concat();
    optional(object(&[]), &fields)
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
        let draw = |status, alert| set_up_page(call, set_up, status, (asks, Some(alert)));
        Ok(noting(call, refusal, refusal.response(call, draw)?))
    };
    let answer = passkeys::answer(call);
    let set_up = match SetUp::of_form(call, owner, answer.as_deref()) {
        Ok(set_up) => set_up,
        Err(refusal) => return refuse(&SetUp::new(call, owner), asks(call), &refusal),
    };
    let Some(factor) = set_up.factor(call, answer.as_deref()) else {
        return refuse(&set_up, asks(call), &Refusal::InvalidCode);
    };
    if let Err(refusal) = require_recent_password(call)? {
        return refuse(&set_up, asks(call), &refusal);
    }
    let who = (call.user(), call.session());
    let codes = RecoveryCode::new_set();
    let caller = caller_again(call);
    let turned = second_factors::turn_on(&call.site.auth, who, factor, &codes, &caller, call.now)?;
    let started = match turned {
        TurnedOn::Done(started) => started,
        TurnedOn::Refused(why) => {
            let refusal = Refusal::of_factor(why, call.user().id.clone());
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
    let answer = passkeys::answer(call);
    let given = match given(call, answer.as_deref())? {
        Ok(given) => given,
        Err(refusal) => return refuse(call, FactorForm::RecoveryCodes, asks(call), &refusal),
    };
    let (who, codes) = ((call.user(), call.session()), RecoveryCode::new_set());
    let by = (given, &caller_again(call));
    let changed = second_factors::replace_codes(&call.site.auth, who, by, &codes, call.now)?;
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
    let answer = passkeys::answer(call);
    let given = match given(call, answer.as_deref())? {
        Ok(given) => given,
        Err(refusal) => return refuse(call, FactorForm::Off, asks(call), &refusal),
    };
    let notice = call.notice(LetterKind::SecondFactorOff, call.user());
    let (who, by) = ((call.user(), call.session()), (given, &caller_again(call)));
    let changed = second_factors::turn_off(&call.site.auth, who, by, notice.as_ref(), call.now)?;
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

/// The second factor in this request, if the password was given as well, in it or lately. `answer`: of a passkey.
fn given<'a>(
    call: &SignedInCall<'_>,
    answer: Option<&'a str>,
) -> Result<Result<GivenFactor<'a>, Refusal>, Error> {
    if since(call).is_none() {
        return Ok(Err(Refusal::SecondFactorOff));
    }
    let Some(given) = GivenFactor::read(answer, &call.field("code").unwrap_or_default()) else {
        return Ok(Err(Refusal::InvalidCode));
    };
    Ok(require_recent_password(call)?.map(|()| given))
}

fn refusal(changed: &Changed, user: &UserId) -> Option<Refusal> {
    match changed {
        Changed::Done => None,
        Changed::Refused(why) => Some(Refusal::of_factor(*why, user.clone())),
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
) -> Answered {
    let username = &*call.user().username;
    let options = passkeys::options_to_change_factors(call)?.map(|it| it.to_string());
    let (asks, passkey) = (asks.then_some(username), options.as_deref());
    let form = SetUpForm { asks, passkey, ..SetUpForm::at(HERE, refusal) };
    Ok(set_up.page(call, (username, &form), status))
}

fn page(
    call: &SignedInCall<'_>,
    since: Moment,
    status: u16,
    (asks, refused): (bool, Option<(FactorForm, Alert)>),
) -> Answered {
    let rules = &call.site.auth.rules.second_factors;
    let options = passkeys::options_to_change_factors(call)?.map(|it| it.to_string());
    let shown = FactorPage {
        username: &call.user().username,
        since: Told { at: since, now: call.now },
        codes_left: second_factors::recovery_codes_left(&call.site.auth, &call.user().id)?,
        is_required: rules.require_of(call.user()),
        can_remember: !rules.remember.is_zero(),
        asks,
        passkey: options.as_deref(),
        refused,
    };
    let page = call.page(status, |frame| pages::second_factor(frame, &shown));
    Ok(if options.is_some() { running_script(page) } else { page })
}
