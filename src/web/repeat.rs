//! A form that was not processed, to be sent again: what was typed is kept, but for passwords.
//!
//! It follows from the table of routes and needs no store, so that every form has it.

use std::borrow::Cow;

use super::call::Call;
use super::http::Response;
use super::leading_to;
use super::messages::Phrase;
use super::pages::Alert;
use super::pages::repeat::{self as pages, Repeat};
use super::pages::second_factor::CodeKind;
use super::routes::Route;

/// The fields with a password, in the order of the pages.
const PASSWORDS: [&str; 2] = ["current_password", "password"];

/// The field with a code of the second factor.
const CODE: &str = "code";

/// The fields that pages send and scripts do not.
const OF_PAGES: [&str; 3] = ["username", "key", "page"];

/// The form of this route as it was sent, with these words on its button.
pub(super) fn form(
    call: &Call<'_>,
    route: &Route,
    words: Phrase,
    status: u16,
    alert: Alert,
) -> Response {
    let declared = route.json.writes.map_or(&[][..], |(_, fields)| fields);
    let declared = || declared.iter().map(|(name, _)| *name);
    let is_secret = |it: &&str| PASSWORDS.contains(it) || *it == CODE;
    let kept = declared().chain(OF_PAGES).filter(|it| !is_secret(it));
    let kept: Vec<(&'static str, Cow<'_, str>)> =
        kept.filter_map(|name| Some((name, call.field(name)?))).collect();
    let is_asked = |name: &&str| declared().any(|it| it == *name) && call.fields.has(name);
    let form = Repeat {
        action: &call.request.target(),
        kept,
        code: is_asked(&CODE).then(|| code_kind(call)),
        passwords: PASSWORDS.into_iter().filter(is_asked).collect(),
        words,
    };
    let page = call.page(status, |frame| pages::form(frame, alert, &form));
    leading_to(page, call.next().as_ref())
}

/// What the field for a code takes: whose second factor is on, and with what, the database tells.
fn code_kind(call: &Call<'_>) -> CodeKind {
    if call.fields.has("enrolment") { CodeKind::App } else { CodeKind::Either }
}
