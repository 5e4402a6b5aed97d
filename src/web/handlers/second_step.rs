//! The second step of a sign-in: after the right password, the page that asks for the second factor.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::enrolments::{self, SetUp, show_codes};
use super::passkeys;
use super::sign_in::{SignForm, admitted, caller, noting_user, with_session};
use crate::auth::events::Event;
use crate::auth::second_factors::{self, GivenFactor, Means};
use crate::auth::second_step::{self, Finished, Given, SecondStep, Waiting};
use crate::auth::sign_in::Admission;
use crate::base::recovery_code::RecoveryCode;
use crate::base::token::Token;
use crate::store::{Error, User};
use crate::web::call::{Answered, Call, note_of};
use crate::web::http::{Cookie, CookieKind, Method, Note, Response, Wants};
use crate::web::openapi::{array, kind, moment, object, optional};
use crate::web::pages::Alert;
use crate::web::pages::enrolments::SetUpForm;
use crate::web::pages::second_factor::{self as pages, CodeForm};
use crate::web::redirect::{self, Target};
use crate::web::refusals::Refusal;
use crate::web::{json, leading_to, running_script};

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
            // A script without cookies has no other way to the secret.
            if step.user.second_factor_since.is_none() {
                let set_up = SetUp::new(call, &step.token.hash());
                data["set_up"] = set_up.json(call, &step.user.username);
            }
            put_factors(&mut data, &step.user, Factors::of(call, &step.user, &step.token)?);
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

/// The response in JSON to a password that is not enough, for docs/openapi.json: an error with these fields, which
/// other errors do not have.
pub(in crate::web) fn schema_of_pending(error: Value) -> Value {
    let fields = [
        ("pending", kind("string")),
        ("factors", array(&kind("string"))),
        ("expires_at", moment()),
        ("set_up", object(&enrolments::fields())),
        ("request_options", kind("object")),
    ];
    optional(error, &fields)
}

/// What a user can give as the second factor beside a recovery code.
struct Factors {
    /// Whether there is an app that shows codes.
    has_app: bool,
    /// What the browser is asked for to give a passkey. `None`: the user has none that works here.
    options: Option<Value>,
}

impl Factors {
    fn of(call: &Call<'_>, user: &User, token: &Token) -> Result<Self, Error> {
        let has_app = second_factors::has_app(&call.site.auth, &user.id)?;
        Ok(Self { has_app, options: options(call, user, token)? })
    }
}

/// Adds what a user can give, for scripts: nothing before the second factor is on, which a passkey turns on.
fn put_factors(data: &mut Value, user: &User, it: Factors) {
    let all = [(it.has_app, "totp"), (true, "recovery_code"), (it.options.is_some(), "passkey")];
    let is_on = user.second_factor_since.is_some();
    let given = all.into_iter().filter(|(has_it, _)| is_on && *has_it);
    data["factors"] = given.map(|(_, name)| name).collect();
    if let Some(options) = it.options {
        data["request_options"] = options;
    }
}

pub(in crate::web) fn show(call: &Call<'_>) -> Answered {
    let Some((token, waiting)) = waiting(call)? else { return Ok(gone(call)) };
    let set_up = waiting.sets_up().then(|| SetUp::new(call, &token.hash()));
    let username = &*waiting.user.username;
    Ok(match (call.wants(), &set_up) {
        (Wants::Json, _) => {
            let fields = set_up.as_ref().map(|it| it.json(call, username));
            let mut data = fields.unwrap_or_else(|| json!({}));
            data["username"] = username.into();
            put_factors(&mut data, &waiting.user, Factors::of(call, &waiting.user, &token)?);
            Response::json(200, &data)
        }
        (Wants::Html | Wants::Text, Some(set_up)) => {
            set_up_page(call, set_up, (&waiting.user, &token), 200, None)?
        }
        (Wants::Html | Wants::Text, None) => {
            page(call, 200, Factors::of(call, &waiting.user, &token)?, None)
        }
    })
}

/// The response to `GET` in JSON, for docs/openapi.json: with a secret where an app has to be set up.
pub(in crate::web) fn schema() -> Value {
    let always = object(&[("username", kind("string")), ("factors", array(&kind("string")))]);
    let options = [("request_options", kind("object"))];
    optional(always, &[&enrolments::fields()[..], &options].concat())
}

pub(in crate::web) fn submit(call: &Call<'_>) -> Answered {
    match token(call) {
        Some(token) => finish(call, &token),
        None => Ok(gone(call)),
    }
}

fn finish(call: &Call<'_>, token: &Token) -> Answered {
    let auth = &call.site.auth;
    match second_step::waiting(auth, token, call.now)? {
        Some(waiting) if waiting.sets_up() => set_up(call, token, &waiting.user),
        Some(waiting) => try_factor(call, token, &waiting.user),
        None => Ok(gone(call)),
    }
}

/// Tries the code, or the answer of a passkey, that a request gives.
fn try_factor(call: &Call<'_>, token: &Token, user: &User) -> Answered {
    let refuse = |refusal: &Refusal| refuse(call, refusal, (user, token));
    let answer = passkeys::answer(call);
    let typed = call.field("code").unwrap_or_default();
    let Some(given) = GivenFactor::read(answer.as_deref(), &typed) else {
        return refuse(&Refusal::InvalidCode);
    };
    match give(call, token, &Given::Factor(given))? {
        Finished::Admitted(admission, means) => Ok(admit(call, &admission, means)),
        Finished::Refused(failure, user) => refuse(&Refusal::of_factor(failure, user)),
        Finished::Wait(wait, _) => refuse(&Refusal::TooManyAttempts(wait)),
        Finished::Gone => Ok(gone(call)),
    }
}

/// What the browser is asked for to give a passkey. `None`: the user has none that works here.
fn options(call: &Call<'_>, user: &User, token: &Token) -> Result<Option<Value>, Error> {
    passkeys::options_at_second_step(call, &user.id, token)
}

fn give(call: &Call<'_>, token: &Token, given: &Given<'_>) -> Result<Finished, Error> {
    let presented = call.requester()?.token().map(Token::hash);
    let caller = caller(SignForm::SignIn, call, presented);
    let remembers = call.field("remember_browser").is_some();
    let auth = &call.site.auth;
    second_step::finish(auth, token, given, (&caller, remembers), call.now)
}

/// Finishes the sign-in of a user who has to have a second factor and has none: they set up an app, or turn it on with a
/// passkey.
fn set_up(call: &Call<'_>, token: &Token, user: &User) -> Answered {
    let owner = token.hash();
    let refuse = |set_up: &SetUp, refusal: &Refusal| {
        let draw = |status, alert| set_up_page(call, set_up, (user, token), status, Some(alert));
        Ok(noting(refusal, refusal.response(call, draw)?))
    };
    let answer = passkeys::answer(call);
    let set_up = match SetUp::of_form(call, &owner, answer.as_deref()) {
        Ok(set_up) => set_up,
        Err(refusal) => return refuse(&SetUp::new(call, &owner), &refusal),
    };
    let Some(factor) = set_up.factor(call, answer.as_deref()) else {
        return refuse(&set_up, &Refusal::InvalidCode);
    };
    let codes = RecoveryCode::new_set();
    Ok(match give(call, token, &Given::New(factor, &codes))? {
        Finished::Admitted(admission, _) => admit_with_codes(call, &admission, &codes),
        Finished::Refused(failure, id) => {
            return refuse(&set_up, &Refusal::of_factor(failure, id));
        }
        Finished::Wait(wait, _) => return refuse(&set_up, &Refusal::TooManyAttempts(wait)),
        Finished::Gone => gone(call),
    })
}

/// The response that shows the recovery codes, this once, and signs the user in.
fn admit_with_codes(call: &Call<'_>, admission: &Admission, codes: &[RecoveryCode]) -> Response {
    let Admission { user, started, .. } = admission;
    let next = call.next();
    let home = call.site.settings.prefix.at("/").to_string();
    let data = || {
        let mut data = json::admitted(user, started, call.now);
        if let Some(next) = &next {
            data["next"] = next.as_str().into();
        }
        data
    };
    let onward = next.as_ref().map_or(&*home, Target::as_str);
    let response = with_session(call, admission, show_codes(call, codes, onward, data));
    let note = note_of(Event::SecondFactorOn, user, &started.session).with("by", "sign_in");
    response.with("Set-Cookie", call.site.pending_cookie.clear()).noting(note)
}

fn admit(call: &Call<'_>, admission: &Admission, means: Means) -> Response {
    let note = |event| note_of(event, &admission.user, &admission.started.session);
    let note = match means {
        Means::Totp => note(Event::LoginOk).with("by", "password+totp"),
        Means::Passkey => note(Event::LoginOk).with("by", "password+passkey"),
        Means::Recovery(left) => {
            let note = note(Event::LoginOk).with("by", "password+recovery");
            note.with("left", left.to_string())
        }
        Means::SetUp => note(Event::LoginOk),
    };
    let response = admitted(call, admission, note);
    response.with("Set-Cookie", call.site.pending_cookie.clear())
}

/// The token of this request, and the sign-in that waits under it.
fn waiting(call: &Call<'_>) -> Result<Option<(Token, Waiting)>, Error> {
    let Some(token) = token(call) else { return Ok(None) };
    let found = second_step::waiting(&call.site.auth, &token, call.now)?;
    Ok(found.map(|it| (token, it)))
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

fn refuse(call: &Call<'_>, refusal: &Refusal, (user, token): (&User, &Token)) -> Answered {
    let draw = |status, alert| Ok(page(call, status, Factors::of(call, user, token)?, Some(alert)));
    Ok(noting(refusal, refusal.response(call, draw)?))
}

fn noting(refusal: &Refusal, response: Response) -> Response {
    let event = refusal.event(Event::SecondFactorFail);
    let note = refusal.noting_clock(Note::of(event).because(refusal.reason()));
    response.noting(noting_user(note, refusal.user()))
}

fn set_up_page(
    call: &Call<'_>,
    set_up: &SetUp,
    (user, token): (&User, &Token),
    status: u16,
    refusal: Option<Alert>,
) -> Answered {
    let options = options(call, user, token)?.map(|it| it.to_string());
    let pending = pending(call);
    let form = set_up_form(call, pending.as_deref(), refusal);
    let form = SetUpForm { passkey: options.as_deref(), ..form };
    Ok(set_up.page(call, (&user.username, &form), status))
}

fn set_up_form<'a>(
    call: &Call<'_>,
    pending: Option<&'a str>,
    refusal: Option<Alert>,
) -> SetUpForm<'a> {
    SetUpForm { at_sign_in: Some(remember(call)), pending, ..SetUpForm::at(HERE, refusal) }
}

/// Whether the browser can be remembered, and whether that box is ticked.
fn remember(call: &Call<'_>) -> (bool, bool) {
    let can_remember = !call.site.auth.rules.second_factors.remember.is_zero();
    (can_remember, call.field("remember_browser").is_some())
}

fn page(call: &Call<'_>, status: u16, factors: Factors, refusal: Option<Alert>) -> Response {
    let passkey = factors.options.map(|it| it.to_string());
    let (next, pending) = (call.next(), pending(call));
    let (can_remember, is_ticked) = remember(call);
    let form = CodeForm {
        has_app: factors.has_app,
        takes_recovery_code: !factors.has_app
            || call.request.parameters().field("with").as_deref() == Some("recovery"),
        remembers: can_remember.then_some(is_ticked),
        pending: pending.as_deref(),
        next: next.as_ref(),
        passkey: passkey.as_deref(),
        refusal,
    };
    let page = call.page(status, |frame| pages::code(frame, &form));
    let page = if passkey.is_some() { running_script(page) } else { page };
    // The response to the form redirects there.
    leading_to(page, next.as_ref())
}
