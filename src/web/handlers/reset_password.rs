//! The page of a reset link, where a user sets a new password.

use serde_json::json;

use super::sign_in::check_new_password;
use crate::auth::events::Event;
use crate::auth::mail::LetterKind;
use crate::auth::one_time_tokens::{self, Purpose};
use crate::auth::password_policy::{self, Flaw};

use crate::auth::usernames::Username;
use crate::base::password::Password;
use crate::base::token::Token;
use crate::store::User;
use crate::web::call::{Answered, Call};
use crate::web::http::{Note, Response, Wants};
use crate::web::pages::{self, Alert};
use crate::web::refusals::Refusal;
use crate::web::status_messages::StatusMessage;

pub(in crate::web) fn show(call: &Call<'_>) -> Answered {
    let Some(token) = token(call) else { return Ok(bad_link(call)) };
    Ok(match one_time_tokens::user_of(call.store(), &token, Purpose::ResetPassword, call.now)? {
        Some(user) if call.wants() == Wants::Json => {
            let shortest = call.site.settings.policy().shortest();
            let data = json!({ "username": user.username, "password_characters_min": shortest });
            Response::json(200, &data)
        }
        Some(user) => page(call, 200, Some(&user), &token, None),
        None => bad_link(call),
    })
}

/// Sets the password. It does not sign the user in: a thief of the link still has to sign in, and the owner
/// notices, as all sessions have ended.
pub(in crate::web) fn submit(call: &Call<'_>) -> Answered {
    let Some(token) = token(call) else { return Ok(bad_link(call)) };
    let Some(user) =
        one_time_tokens::user_of(call.store(), &token, Purpose::ResetPassword, call.now)?
    else {
        return Ok(bad_link(call));
    };
    let note = |event| Note::of(event).with("uid", user.id.as_str());
    let password = match read(call, &user) {
        Ok(password) => password,
        Err(refusal) => {
            let response = refusal.response(call, |status, alert| {
                Ok(page(call, status, Some(&user), &token, Some(alert)))
            })?;
            let note = note(Event::PasswordResetFail).because(refusal.reason());
            return Ok(response.noting(note));
        }
    };
    let (store, hasher) = (call.store(), &call.site.auth.hasher);
    let notice = call.notice(LetterKind::PasswordChanged, &user);
    let link = (&token, notice.as_ref());
    Ok(if one_time_tokens::reset_password(store, hasher, link, &password, call.now)? {
        let response = call.done("/login", &json!({ "reset": true }));
        call.telling(response, StatusMessage::PasswordSet).noting(note(Event::PasswordReset))
    } else {
        bad_link(call)
    })
}

/// The form of a request that was not processed. It does not say whose password it sets, which the store knows.
pub(in crate::web) fn show_again(call: &Call<'_>, status: u16, alert: Alert) -> Response {
    match token(call) {
        Some(token) => page(call, status, None, &token, Some(alert)),
        None => bad_link(call),
    }
}

/// Whether submitting this form would hash a password.
pub(in crate::web) fn hashes(call: &Call<'_>) -> bool {
    token(call).is_some() && typed_password(call).is_some()
}

fn token(call: &Call<'_>) -> Option<Token> {
    Token::parse(&call.field("token")?)
}

fn typed_password(call: &Call<'_>) -> Option<Password> {
    call.field("password").and_then(|typed| password_policy::read(&typed))
}

fn read(call: &Call<'_>, user: &User) -> Result<Password, Refusal> {
    let password = typed_password(call).ok_or(Refusal::InvalidPassword)?;
    check_new_password(call, &password, Some(&Username::of_account(&user.username)))?;
    Ok(password)
}

fn page(
    call: &Call<'_>,
    status: u16,
    user: Option<&User>,
    token: &Token,
    alert: Option<Alert>,
) -> Response {
    let advice = call.site.advice_on(Flaw::TooShort);
    call.page(status, |frame| {
        let username = user.map(|it| &*it.username);
        pages::account::reset(frame, username, token.reveal(), advice, alert)
    })
}

/// The response to a link that never existed, was used, or has expired.
pub(super) fn bad_link(call: &Call<'_>) -> Response {
    call.problem(404, |t| t.bad_link).noting(Note::of(Event::BadLink))
}
