//! The second step of a sign-in: after the right password, the page that asks for the second factor.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::sign_in::{SignForm, admitted, caller};
use crate::auth::events::Event;
use crate::auth::second_factors::{self, Finished, Given, GivenCode, Means, SecondStep, Waiting};
use crate::auth::sign_in::Admission;
use crate::base::token::Token;
use crate::store::Error;
use crate::web::call::{Answered, Call, note_of};
use crate::web::http::{Cookie, CookieKind, Method, Note, Response, Wants};
use crate::web::json;
use crate::web::openapi::{array, kind, object};
use crate::web::pages::Alert;
use crate::web::pages::second_factor::{self as pages, CodeForm};
use crate::web::redirect::{self, Target};
use crate::web::refusals::Refusal;

const HERE: &str = "/login/second";

/// The cookie with the token of a sign-in that waits. It opens nothing.
pub(in crate::web) fn cookie(is_secure: bool) -> CookieKind {
    let name = if is_secure { "__Host-auth_pending" } else { "auth_pending" };
    CookieKind { name, secure: is_secure, domain: None, path: "/".to_owned() }
}

/// Answers the right password of a user who has to give a second factor: a browser is sent to the page that asks for
/// it, and a script that sent the code with the password is let in at once.
pub(super) fn ask(call: &Call<'_>, step: &SecondStep, note: Note) -> Answered {
    if call.field("code").is_some() && step.user.second_factor_since.is_some() {
        return finish(call, &step.token);
    }
    let expires_at = step.expires_at;
    let response = match call.wants() {
        Wants::Json => {
            let mut data = json::error("second_factor_required", |t| t.second_factor_required);
            data["pending"] = step.token.reveal().into();
            data["factors"] = factors(step.user.second_factor_since.is_none());
            data["expires_at"] = expires_at.rfc3339().into();
            Response::json(401, &data)
        }
        Wants::Html | Wants::Text => {
            let next = call.next();
            let here = call.site.settings.prefix.at(HERE).to_string();
            Response::redirect(redirect::way(&here, next.as_ref().map(Target::as_str)))
        }
    };
    let cookie = call.site.pending_cookie.set(step.token.reveal(), expires_at, call.now);
    Ok(response.with("Set-Cookie", cookie).noting(note.with("uid", step.user.id.as_str())))
}

/// What a user can give, for scripts: nothing before an app is set up.
fn factors(sets_up: bool) -> Value {
    if sets_up { json!([]) } else { json!(["totp", "recovery_code"]) }
}

pub(in crate::web) fn show(call: &Call<'_>) -> Answered {
    let Some(waiting) = waiting(call)? else { return Ok(gone(call)) };
    Ok(match call.wants() {
        Wants::Json => {
            let data = json!({
                "username": waiting.user.username,
                "factors": factors(waiting.sets_up()),
            });
            Response::json(200, &data)
        }
        Wants::Html | Wants::Text => page(call, 200, None),
    })
}

/// The response to `GET` in JSON, for docs/openapi.json.
pub(in crate::web) fn schema() -> Value {
    object(&[("username", kind("string")), ("factors", array(&kind("string")))])
}

pub(in crate::web) fn submit(call: &Call<'_>) -> Answered {
    match token(call) {
        Some(token) => finish(call, &token),
        None => Ok(gone(call)),
    }
}

/// The form of a request that was not processed.
pub(in crate::web) fn show_again(call: &Call<'_>, status: u16, alert: Alert) -> Response {
    page(call, status, Some(alert))
}

fn finish(call: &Call<'_>, token: &Token) -> Answered {
    let typed = call.field("code").unwrap_or_default();
    let Some(code) = GivenCode::read(&typed) else { return refuse(call, &Refusal::InvalidCode) };
    let presented = call.requester()?.token().map(Token::hash);
    let caller = caller(SignForm::SignIn, call, presented);
    let remembers = call.field("remember_browser").is_some();
    let auth = &call.site.auth;
    let given = Given::Code(code);
    Ok(match second_factors::finish(auth, token, &given, (&caller, remembers), call.now)? {
        Finished::Admitted(admission, means) => admit(call, &admission, means),
        Finished::Refused(failure, user) => {
            return refuse(call, &Refusal::IncorrectCode(failure, user));
        }
        Finished::Wait(wait, _) => return refuse(call, &Refusal::TooManyAttempts(wait)),
        Finished::Gone => gone(call),
    })
}

fn admit(call: &Call<'_>, admission: &Admission, means: Means) -> Response {
    let note = |event| note_of(event, &admission.user, &admission.started.session);
    let note = match means {
        Means::Totp => note(Event::LoginOk).with("by", "password+totp"),
        Means::Recovery(left) => {
            let note = note(Event::LoginOk).with("by", "password+recovery");
            note.with("left", left.to_string())
        }
        Means::SetUp => note(Event::SecondFactorOn).with("by", "sign_in"),
    };
    let response = admitted(call, admission, note);
    response.with("Set-Cookie", call.site.pending_cookie.clear())
}

/// The sign-in that waits under the token of this request.
fn waiting(call: &Call<'_>) -> Result<Option<Waiting>, Error> {
    match token(call) {
        Some(token) => second_factors::waiting(&call.site.auth, &token, call.now),
        None => Ok(None),
    }
}

/// The token of the sign-in that waits: a field for scripts without cookies, or else the cookie.
fn token(call: &Call<'_>) -> Option<Token> {
    if let Some(pending) = pending(call) {
        return Token::parse(&pending);
    }
    match call.request.cookie(call.site.pending_cookie.name) {
        Cookie::Value(value) => Token::parse(value),
        Cookie::Absent | Cookie::Ambiguous => None,
    }
}

/// The token in a form. An address with it would be kept in histories and logs.
fn pending<'a>(call: &Call<'a>) -> Option<Cow<'a, str>> {
    call.field("pending").filter(|_| call.request.method == Method::Post)
}

/// The response where no sign-in waits, or it has ended: it begins anew.
fn gone(call: &Call<'_>) -> Response {
    let response = match call.wants() {
        Wants::Json => call.unauthenticated(),
        Wants::Html | Wants::Text => {
            let next = call.next();
            let login = call.site.settings.prefix.at("/login").to_string();
            Response::redirect(redirect::way(&login, next.as_ref().map(Target::as_str)))
        }
    };
    match call.request.cookie(call.site.pending_cookie.name) {
        Cookie::Absent => response,
        Cookie::Value(_) | Cookie::Ambiguous => {
            response.with("Set-Cookie", call.site.pending_cookie.clear())
        }
    }
}

fn refuse(call: &Call<'_>, refusal: &Refusal) -> Answered {
    let response = refusal.response(call, |status, alert| Ok(page(call, status, Some(alert))))?;
    let note = Note::of(refusal.event(Event::SecondFactorFail)).with("reason", refusal.reason());
    let note = match refusal.clock_steps() {
        Some(steps) => note.with("steps", format!("{steps:+}")),
        None => note,
    };
    Ok(response.noting(super::sign_in::noting_user(note, refusal.user())))
}

fn page(call: &Call<'_>, status: u16, refusal: Option<Alert>) -> Response {
    let (next, pending) = (call.next(), pending(call));
    let form = CodeForm {
        takes_recovery_code: call.request.parameters().field("with").as_deref() == Some("recovery"),
        can_remember: !call.site.auth.rules.second_factors.remember.is_zero(),
        remembers: call.field("remember_browser").is_some(),
        pending: pending.as_deref(),
        next: next.as_ref(),
        refusal,
    };
    call.page(status, |frame| pages::code(frame, &form))
}
