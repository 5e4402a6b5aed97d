//! The account page, where users change their password and delete their account.

use serde_json::json;

use super::reauthentication::verify_password;
use super::sign_in::{SignForm, caller, check_new_password};
use crate::auth::audit;
use crate::auth::events::Event;
use crate::auth::mail::LetterKind;
use crate::auth::password_policy::{self, Flaw};
use crate::auth::second_factors;
use crate::auth::sign_in::{self, Caller, Change};
use crate::auth::usernames::Username;
use crate::auth::users;
use crate::base::password::Password;
use crate::base::recovery_code::RECOVERY_CODES;
use crate::base::token::Token;
use crate::store::{ClientInfo, Error};
use crate::web::call::{Answered, Call, SignedInCall};
use crate::web::http::{Response, Wants};
use crate::web::json;
use crate::web::pages::Alert;
use crate::web::pages::account::{self as pages, Account, AccountForm};
use crate::web::refusals::Refusal;
use crate::web::routes;
use crate::web::status_messages::StatusMessage;

pub(in crate::web) fn show(call: &SignedInCall<'_>) -> Answered {
    match call.wants() {
        Wants::Json => Ok(Response::json(200, &json::profile(call.resumed, call.now))),
        Wants::Html | Wants::Text => page(call, 200, None),
    }
}

/// Leads password managers to the page where a password is changed (W3C, A Well-Known URL for Changing Passwords).
pub(in crate::web) fn lead(call: &Call<'_>) -> Answered {
    Ok(call.site.redirect("/account"))
}

pub(in crate::web) fn change_password(call: &SignedInCall<'_>) -> Answered {
    match try_change(call)? {
        Ok(response) => Ok(response),
        Err(refusal) => {
            let form = AccountForm::Password;
            refuse(call, form, Event::PasswordChangeFail, &refusal)
        }
    }
}

pub(in crate::web) fn delete(call: &SignedInCall<'_>) -> Answered {
    if let Err(refusal) = verify_password(call, "password")? {
        return refuse(call, AccountForm::Delete, Event::AccountDeleteFail, &refusal);
    }
    let notice = call.notice(LetterKind::AccountDeleted, call.user());
    let (id, rest) = (&call.user().id, call.site.auth.rules.rest);
    users::delete(call.store(), id, rest, notice.as_ref(), call.now)?;
    let response = call.done("/login", &json!({ "deleted": true }));
    let handle = audit::name_handle(call.store(), &call.user().canonical_username);
    let note = call.note(Event::AccountDelete).with(audit::NAME, handle);
    Ok(call.telling(call.forget(response), StatusMessage::AccountDeleted).noting(note))
}

fn try_change(call: &SignedInCall<'_>) -> Result<Result<Response, Refusal>, Error> {
    let (present, new) = match read_change(call) {
        Ok(passwords) => passwords,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let who = (call.user(), call.session());
    let caller = caller_again(call);
    let change =
        sign_in::change_password(&call.site.auth, who, (&present, &new), &caller, call.now)?;
    Ok(match change {
        Change::Done(started) => {
            let cookie = call.site.session_cookie(&started.token, &started.session, call.now);
            let data = json::admitted(call.user(), &started, call.now);
            let response = call.done("/account", &data).with("Set-Cookie", cookie);
            let response = call.telling(response, StatusMessage::PasswordChanged);
            Ok(response.noting(call.note(Event::PasswordChange)))
        }
        Change::Refused(_) => Err(Refusal::IncorrectPassword),
        Change::Wait(wait) => Err(Refusal::TooManyAttempts(wait)),
    })
}

fn read_change(call: &SignedInCall<'_>) -> Result<(Password, Password), Refusal> {
    let read = |name: &str| call.field(name).and_then(|typed| password_policy::read(&typed));
    let present = read("current_password").ok_or(Refusal::IncorrectPassword)?;
    let new = read("password").ok_or(Refusal::InvalidPassword)?;
    // An old username may be invalid by today's rules; it must not be the password all the same.
    check_new_password(call, &new, Some(&Username::of_account(&call.user().username)))?;
    Ok((present, new))
}

/// The caller whose session is replaced by another, which ends with the browser if this one does.
pub(super) fn caller_again(call: &SignedInCall<'_>) -> Caller {
    let presented = call.requester.token().map(Token::hash);
    let caller = caller(SignForm::SignIn, call, presented);
    let is_transient = call.session().place.is_transient;
    Caller { place: ClientInfo { is_transient, ..caller.place }, ..caller }
}

/// Shows the account page again, with the form that was refused.
fn refuse(call: &SignedInCall<'_>, form: AccountForm, event: Event, refusal: &Refusal) -> Answered {
    let response =
        refusal.response(call, |status, alert| page(call, status, Some((form, alert))))?;
    Ok(response.noting(refusal.note(call, event)))
}

fn page(call: &SignedInCall<'_>, status: u16, refused: Option<(AccountForm, Alert)>) -> Answered {
    let user = call.user();
    let left = match user.second_factor_since {
        Some(_) => second_factors::recovery_codes_left(&call.site.auth, &user.id)?,
        None => RECOVERY_CODES,
    };
    let account = Account {
        username: &user.username,
        advice: call.site.advice_on(Flaw::TooShort),
        has_tokens: call.site.settings.basic_auth,
        codes_left: Some(left).filter(|it| *it < RECOVERY_CODES),
        links: routes::account_links(call),
        refused,
    };
    Ok(call.page(status, |frame| pages::account(frame, &account)))
}
