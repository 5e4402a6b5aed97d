//! The pages on which an app is set up as the second factor, and on which recovery codes are shown.

use maud::{Markup, html};

use super::account::proof;
use super::passkeys::{self, PasskeyForm};
use super::second_factor::{CodeInput, CodeKind, code_input, pending_field, remember_box};
use super::{Alert, Field, Frame, alert, next_field, page, qr_code};
use crate::web::redirect;

/// The secret of a new app, as a page shows it.
#[derive(Clone, Copy)]
pub struct NewSecret<'a> {
    /// The `otpauth:` address, which is in the QR code.
    pub uri: &'a str,
    /// The secret in groups of four characters.
    pub in_fours: &'a str,
}

/// The form that sets up an app.
#[derive(Clone, Copy)]
pub struct SetUpForm<'a> {
    /// The path that it is sent to.
    pub path: &'static str,
    /// The secret of the app to be set up.
    pub secret: NewSecret<'a>,
    /// What the form carries.
    pub enrolment: &'a str,
    /// The token of the sign-in that waits, if the form brought it.
    pub pending: Option<&'a str>,
    /// Whose password it asks for; `None`: it asks for none.
    pub asks: Option<&'a str>,
    /// While signing in: whether the browser can be remembered, and whether that box is ticked.
    pub at_sign_in: Option<(bool, bool)>,
    /// Where to go afterwards.
    pub next: Option<&'a str>,
    /// What the browser is asked for, as JSON, to give a passkey in the place of an app. `None`: the user has none that
    /// works here.
    pub passkey: Option<&'a str>,
    /// Why the form was refused.
    pub refusal: Option<Alert>,
}

impl SetUpForm<'_> {
    /// The form that is sent to this path, of a user who is signed in and gave their password lately. It has no secret
    /// yet.
    pub const fn at(path: &'static str, refusal: Option<Alert>) -> Self {
        Self {
            path,
            secret: NewSecret { uri: "", in_fours: "" },
            enrolment: "",
            pending: None,
            asks: None,
            at_sign_in: None,
            next: None,
            passkey: None,
            refusal,
        }
    }
}

/// The page on which a user sets up an app.
pub fn set_up(frame: Frame<'_>, it: &SetUpForm<'_>) -> Markup {
    let t = frame.text;
    // With `next` in its address, the page of a refused form can be asked for again.
    let action = redirect::way(&frame.prefix.at(it.path).to_string(), it.next);
    let wrong = |field| it.refusal.filter(|it| it.field == field).map(|_| "refusal");
    let body = html! {
        // Below the picture, it would not be seen on a phone.
        (alert(frame, it.refusal, "refusal"))
        @if it.at_sign_in.is_some() { p.aside { (t.set_up_is_due) } }
        (shown(frame, it.secret))
        form method="post" action=(action) {
            input type="hidden" name="enrolment" value=(it.enrolment);
            (pending_field(it.pending))
            (next_field(it.next))
            (code_input(frame, &CodeInput {
                id: "code",
                kind: CodeKind::App,
                refusal_id: wrong(Field::Code),
                // With the focus, a browser would show the page from there on.
                is_focused: it.refusal.is_some_and(|it| it.field == Field::Code),
            }))
            @if let Some(username) = it.asks { (proof(frame, username, "proof", wrong(Field::Current))) }
            @if let Some((true, is_ticked)) = it.at_sign_in { (remember_box(frame, is_ticked)) }
            button { (t.turn_on) }
        }
        @if let Some(options) = it.passkey { (passkey_form(frame, it, options)) }
        @if it.at_sign_in.is_none() { p.aside { a href=(frame.at("/account")) { (t.account) } } }
        @if it.passkey.is_some() { (passkeys::script(frame)) }
    };
    page(frame, t.second_factor, &body)
}

/// The form that turns the second factor on without an app.
fn passkey_form(frame: Frame<'_>, it: &SetUpForm<'_>, options: &str) -> Markup {
    let form = PasskeyForm {
        path: it.path,
        options,
        offers: false,
        words: frame.text.turn_on_with_passkey,
        remembers: None,
        pending: it.pending,
        next: it.next,
    };
    passkeys::form(
        frame,
        &form,
        &html! {
            p.hint { (frame.text.passkey_as_factor) }
            @if let Some(username) = it.asks { (proof(frame, username, "passkey-proof", None)) }
            @if let Some((true, is_ticked)) = it.at_sign_in { (remember_box(frame, is_ticked)) }
        },
    )
}

fn shown(frame: Frame<'_>, it: NewSecret<'_>) -> Markup {
    let t = frame.text;
    html! {
        p.aside { (t.set_up_advice) }
        // A name of a few hundred characters fits no QR code.
        @if let Some(picture) = qr_code::svg(it.uri, t.qr_code) { p.token { (picture) } }
        p.aside { (t.or_enter_secret) }
        p.token { code { (it.in_fours) } }
        p.aside { a href=(it.uri) { (t.open_in_app) } }
    }
}

/// The page with new recovery codes. `next` is the way on.
pub fn recovery_codes(frame: Frame<'_>, codes: &[String], next: &str) -> Markup {
    let t = frame.text;
    let body = html! {
        // The longest word of a heading of the first rank has to fit a phone.
        h2 { (t.recovery_codes) }
        p role="status" { (t.recovery_codes_advice) }
        p.token {
            code {
                @for (place, code) in codes.iter().enumerate() {
                    // On a phone, a code takes two lines.
                    @if place > 0 { br; br; }
                    (code)
                }
            }
        }
        p.apps { a href=(next) { (t.go_on) } }
    };
    page(frame, t.second_factor, &body)
}
