//! The page on which users create and revoke access tokens.

use std::time::Duration;

use serde_json::json;

use super::reauthentication::require_recent_password;
use crate::auth::access_tokens::{self, Made};
use crate::auth::events::Event;
use crate::auth::mail::LetterKind;
use crate::auth::sessions;
use crate::base::base_url::PathPrefix;
use crate::base::display_name::display_name;
use crate::base::token::Token;
use crate::store::{AccessToken, Error};
use crate::web::call::{Answered, SignedInCall};
use crate::web::http::{Cookie, CookieKind, Form, Method, Response, Wants};
use crate::web::json;
use crate::web::pages::Told;
use crate::web::pages::access_tokens::{self as pages, Page, TokenRow};
use crate::web::pages::paging::{self, PageOfList};
use crate::web::refusals::Refusal;
use crate::web::status_messages::StatusMessage;

const HERE: &str = "/account/tokens";

/// How many access tokens are on one page.
const ON_PAGE: usize = 5;

/// How long a browser keeps the key of a new token that no page has shown.
const UNSHOWN: Duration = Duration::from_secs(60);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The cookie that leads to the page with a new token: the response to the form is a redirect, so that a page that is
/// loaded again does not create a second one. It holds the key of the form, of which the token follows in the session
/// that created it alone, so that no browser keeps the token. Browsers send it to this page alone.
pub(in crate::web) fn cookie(is_secure: bool, prefix: &PathPrefix) -> CookieKind {
    let name = if is_secure { "__Secure-auth_new_token" } else { "auth_new_token" };
    CookieKind { name, secure: is_secure, domain: None, path: prefix.at(HERE).to_string() }
}

pub(in crate::web) fn show(call: &SignedInCall<'_>) -> Answered {
    let is_shown = call.wants() == Wants::Html && call.request.method == Method::Get;
    let cookie = &call.site.new_token_cookie;
    let key = match call.request.cookie(cookie.name) {
        Cookie::Value(text) if is_shown => Token::parse(text),
        Cookie::Ambiguous if is_shown => None,
        _ => return page(call, 200, &Page::default()),
    };
    let made = key.map(|it| of_form(call, &it)).transpose()?.flatten();
    let made = made.map(|it| access_tokens::reveal(&it));
    let page = page(call, 200, &Page { made: made.as_deref(), ..Page::default() })?;
    Ok(page.with("Set-Cookie", cookie.clear()))
}

/// A script gets the token in the response, a browser on the next page. It is never shown again. A form that arrives
/// twice, as after a double click, creates one token.
pub(in crate::web) fn create(call: &SignedInCall<'_>) -> Answered {
    let key = call.field("key").and_then(|it| Token::parse(&it));
    let key = key.filter(|_| call.wants() == Wants::Html);
    if let Some(key) = &key
        && of_form(call, key)?.is_some()
    {
        return Ok(lead_to_token(call, key));
    }
    let key = key.unwrap_or_else(Token::random);
    let name = call.field("name");
    let Some(name) = name.as_deref().and_then(display_name) else {
        return refuse(call, &Refusal::InvalidDisplayName);
    };
    let Some(life) = life(call.fields) else {
        return refuse(call, &Refusal::InvalidTokenLife);
    };
    if let Err(refusal) = require_recent_password(call)? {
        return refuse(call, &refusal);
    }
    let secret = match call.requester.token() {
        Some(session) => access_tokens::secret_of_form(session, &key, call.now),
        None => Token::random(),
    };
    let notice = call.notice(LetterKind::AccessTokenMade, call.user());
    let (store, session, notice) = (call.store(), call.session(), notice.as_ref());
    match access_tokens::create(store, session, secret, name, life, notice, call.now)? {
        Made::Done(token, record) => Ok(show_once(call, &key, &token, &record)),
        Made::TooMany => refuse(call, &Refusal::TooManyTokens),
        Made::Ended => Ok(call.unauthenticated()),
    }
}

pub(in crate::web) fn revoke(call: &SignedInCall<'_>) -> Answered {
    let handle = call.field("token").unwrap_or_default();
    Ok(match access_tokens::revoke(call.store(), &call.user().id, &handle)? {
        Some(record) => {
            let here = paging::address(HERE, call.field("page").as_deref());
            let response = call.done(&here, &json!({ "revoked": 1 }));
            let note = call.note(Event::TokenRevoke).with("token", record.id.handle());
            call.telling(response, StatusMessage::AccessTokenRevoked).noting(note)
        }
        None => call.problem(404, |t| t.no_token),
    })
}

fn show_once(
    call: &SignedInCall<'_>,
    key: &Token,
    token: &Token,
    record: &AccessToken,
) -> Response {
    let token = access_tokens::reveal(token);
    let note = call.note(Event::TokenMake).with("token", record.id.handle());
    let response = match call.wants() {
        Wants::Json => {
            let mut data = json::access_token(record, call.now);
            data["token"] = token.into();
            Response::json(200, &data)
        }
        Wants::Html => lead_to_token(call, key),
        Wants::Text => Response::text(200, token),
    };
    response.noting(note)
}

/// Redirects a browser to the page that shows the token which the form with this key has created.
fn lead_to_token(call: &SignedInCall<'_>, key: &Token) -> Response {
    let cookie = call.site.new_token_cookie.set(key.reveal(), call.now.after(UNSHOWN), call.now);
    call.site.redirect(HERE).with("Set-Cookie", cookie)
}

/// The token that the form with this key has created in this session, a moment ago.
fn of_form(call: &SignedInCall<'_>, key: &Token) -> Result<Option<Token>, Error> {
    let Some(session) = call.requester.token() else { return Ok(None) };
    let found = access_tokens::of_form(call.store(), &call.user().id, session, key)?;
    Ok(found.map(|(token, _)| token))
}

fn refuse(call: &SignedInCall<'_>, refusal: &Refusal) -> Answered {
    let response = refusal.response(call, |status, alert| {
        let name = call.field("name").unwrap_or_default();
        let days = call.field("days").unwrap_or_default();
        let refused = Page { name: &name, days: &days, refusal: Some(alert), ..Page::default() };
        page(call, status, &refused)
    })?;
    Ok(response.noting(refusal.note(call, Event::TokenMakeFail)))
}

fn page(call: &SignedInCall<'_>, status: u16, page: &Page<'_>) -> Answered {
    let mut all = access_tokens::of_user(call.store(), &call.user().id)?;
    if call.wants() == Wants::Json {
        let all: Vec<_> = all.iter().map(|it| json::access_token(it, call.now)).collect();
        return Ok(Response::json(status, &json!({ "tokens": all })));
    }
    // The newest first, which the form has just created.
    all.reverse();
    let list = PageOfList::of(all.len(), ON_PAGE, call.field("page").as_deref());
    let told = |at| Told { at, now: call.now };
    let row = |record: &AccessToken| TokenRow {
        handle: record.id.public_handle(),
        created: told(record.created_at),
        expires: told(record.expires_at),
        used: record.used_at.map(told),
        is_ended: access_tokens::is_ended(record, call.now),
        name: record.name.clone(),
    };
    let rows: Vec<_> = list.rows(&all).iter().map(row).collect();
    let asks = !sessions::is_recent(call.session(), call.now);
    let key = Token::random();
    let page = &Page {
        username: &call.user().username,
        key: key.reveal(),
        is_new: call.field("new").is_some(),
        ..*page
    };
    Ok(call.page(status, |frame| pages::tokens(frame, (&rows, list), page, asks)))
}

/// The lifetime that the form asks for, in whole days.
fn life(form: Form<'_>) -> Option<Duration> {
    let days: u32 = form.field("days")?.parse().ok()?;
    let life = DAY * days;
    (days > 0 && life <= access_tokens::LIFE_MAX).then_some(life)
}
