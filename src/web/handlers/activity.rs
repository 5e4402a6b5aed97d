//! The page on which users see what was done with their account, from the audit log.

use serde_json::{Value, json};

use crate::auth::audit::{self, Activity};
use crate::auth::events::Event;
use crate::web::call::{Answered, SignedInCall};
use crate::web::http::{Response, Wants};
use crate::web::json;
use crate::web::messages::Phrase;
use crate::web::openapi::{array, kind, moment, object, or_null};
use crate::web::pages::Told;
use crate::web::pages::activity::{self as pages, ActivityRow};
use crate::web::pages::paging::PageOfList;

/// The most records that are shown, newest first.
const SHOWN_MAX: u32 = 100;

/// How many of them are on one page.
const ON_PAGE: usize = 10;

pub(in crate::web) fn show(call: &SignedInCall<'_>) -> Answered {
    let all = audit::of_user(call.store(), &call.user().id, &[], SHOWN_MAX)?;
    // Events for the operator alone have no text for users, and are not shown.
    let told = all.iter().filter_map(|it| Some((it, text_of(it.event)?)));
    if call.wants() == Wants::Json {
        let data = |it: &Activity| {
            json::record(it.at, it.event.name(), &it.browser, it.address.as_deref())
        };
        let all: Vec<_> = told.map(|(it, _)| data(it)).collect();
        return Ok(Response::json(200, &json!({ "activity": all })));
    }
    let told: Vec<_> = told.collect();
    let list = PageOfList::of(told.len(), ON_PAGE, call.field("page").as_deref());
    let shown = list.rows(&told).iter();
    let rows: Vec<_> = shown
        .map(|(it, what)| ActivityRow {
            what: *what,
            at: Told { at: it.at, now: call.now },
            browser: &it.browser,
            address: it.address.as_deref().unwrap_or_default(),
        })
        .collect();
    Ok(call.page(200, |frame| pages::activity(frame, &rows, list)))
}

/// The response in JSON, for docs/openapi.json.
pub(in crate::web) fn schema() -> Value {
    let text = || kind("string");
    let record = object(&[
        ("at", moment()),
        ("event", text()),
        ("browser", text()),
        ("address", or_null(text())),
    ]);
    object(&[("activity", array(&record))])
}

/// What the owner of an account reads about an event. `None`: it is for the operator alone.
fn text_of(event: Event) -> Option<Phrase> {
    Some(match event {
        Event::SignupOk => |t| t.account_created,
        Event::LoginOk => |t| t.did_sign_in,
        Event::LoginFail => |t| t.sign_in_failed,
        Event::Throttled => |t| t.was_throttled,
        Event::Logout => |t| t.did_sign_out,
        Event::SessionEnd => |t| t.session_ended,
        Event::ReauthOk => |t| t.password_confirmed,
        Event::ReauthFail => |t| t.password_not_confirmed,
        Event::PasswordChange => |t| t.password_changed,
        Event::PasswordChangeFail => |t| t.password_not_changed,
        Event::PasswordReset => |t| t.password_reset,
        Event::EmailAsked => |t| t.email_asked,
        Event::EmailVerify => |t| t.email_verified,
        Event::EmailRemove => |t| t.email_removed,
        Event::AccountDeleteFail => |t| t.account_not_deleted,
        Event::TokenMake => |t| t.token_created,
        Event::TokenRevoke => |t| t.token_revoked,
        Event::UserAdd => |t| t.account_created_for,
        Event::UserPasswd => |t| t.password_set_for,
        Event::UserRename => |t| t.renamed,
        Event::UserUnlock => |t| t.unlocked,
        Event::UserGroups => |t| t.groups_set,
        Event::UserEmail => |t| t.email_set,
        Event::UserDisable => |t| t.disabled,
        Event::UserEnable => |t| t.enabled,
        Event::UserKeyAdd => |t| t.key_added,
        Event::UserKeyRemove => |t| t.key_removed,
        Event::ResetLink => |t| t.reset_link_created,
        Event::PasskeyAdd => |t| t.passkey_added,
        Event::PasskeyRemove => |t| t.passkey_removed,
        Event::PasskeyFail | Event::PasskeyCloned => |t| t.passkey_not_accepted,
        Event::LoginPending => |t| t.code_asked_for,
        Event::SecondFactorFail => |t| t.code_refused,
        Event::SecondFactorOn => |t| t.second_factor_turned_on,
        Event::SecondFactorOff => |t| t.second_factor_turned_off,
        Event::RecoveryCodesNew => |t| t.recovery_codes_created,
        Event::BrowsersForgotten => |t| t.browsers_forgotten,
        _ => return None,
    })
}
