//! The pages of the second factor.

use maud::{Markup, html};

use super::account::proof;
use super::moments::{Told, ago};
use super::passkeys::{self, PasskeyForm};
use super::{Alert, Field, Frame, alert, described_by, next_field, page};
use crate::web::redirect::{self, Target};

/// The form that asks for the second factor during a sign-in.
#[derive(Clone, Copy)]
pub struct CodeForm<'a> {
    /// Whether the user has an app that shows codes.
    pub has_app: bool,
    /// Whether it asks for a recovery code in place of one of the app.
    pub takes_recovery_code: bool,
    /// Whether the box is ticked by which the browser is remembered. `None`: it cannot be.
    pub remembers: Option<bool>,
    /// The token of the sign-in that waits, if the form brought it: the browser has no cookie for it.
    pub pending: Option<&'a str>,
    /// Where to go after signing in.
    pub next: Option<&'a Target>,
    /// What the browser is asked for, as JSON, to give a passkey. `None`: the user has none that works here.
    pub passkey: Option<&'a str>,
    /// Why the form was refused.
    pub refusal: Option<Alert>,
}

/// The page that asks for the second factor during a sign-in.
pub fn code(frame: Frame<'_>, it: &CodeForm<'_>) -> Markup {
    let t = frame.text;
    let next = it.next.map(Target::as_str);
    let here = frame.prefix.at("/login/second").to_string();
    let other = if it.takes_recovery_code { here.clone() } else { format!("{here}?with=recovery") };
    let other = redirect::way(&other, next);
    let action = if it.takes_recovery_code { format!("{here}?with=recovery") } else { here };
    let kind = if it.takes_recovery_code { CodeKind::Recovery } else { CodeKind::App };
    let by_passkey = html! {
        @if let Some(options) = it.passkey {
            (passkeys::form(frame, &PasskeyForm {
                path: "/login/second",
                options,
                offers: false,
                words: t.use_passkey,
                remembers: None,
                pending: it.pending,
                next,
            }, &html! { @if let Some(is_ticked) = it.remembers { (remember_box(frame, is_ticked)) } }))
        }
    };
    let body = html! {
        (alert(frame, it.refusal, "refusal"))
        // A recovery code is for those who have lost the passkey.
        @if !it.has_app { (by_passkey) }
        form method="post" action=(action) {
            (code_input(frame, &CodeInput {
                id: "code",
                kind,
                refusal_id: it.refusal.filter(|it| it.field == Field::Code).map(|_| "refusal"),
                is_focused: it.has_app || it.passkey.is_none(),
            }))
            @if let Some(is_ticked) = it.remembers { (remember_box(frame, is_ticked)) }
            (pending_field(it.pending))
            (next_field(next))
            button { (t.sign_in) }
        }
        @if it.has_app { (by_passkey) }
        @if it.has_app {
            p.aside {
                a href=(other) { @if it.takes_recovery_code { (t.use_app) } @else { (t.use_recovery_code) } }
            }
        }
        p.aside { a href=(redirect::way(&frame.prefix.at("/login").to_string(), next)) { (t.start_again) } }
        @if it.passkey.is_some() { (passkeys::script(frame)) }
    };
    page(frame, t.enter_code, &body)
}

/// What a field for a code takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum CodeKind {
    /// A code of an app.
    App,
    /// A recovery code has letters: phones show other keys for it.
    Recovery,
    /// A code of either kind.
    Either,
}

/// A field for a code.
#[derive(Clone, Copy)]
pub(super) struct CodeInput<'a> {
    pub(super) id: &'a str,
    pub(super) kind: CodeKind,
    /// The id of the message with which it was refused, if it was.
    pub(super) refusal_id: Option<&'a str>,
    pub(super) is_focused: bool,
}

pub(super) fn code_input(frame: Frame<'_>, it: &CodeInput<'_>) -> Markup {
    let t = frame.text;
    let (label, advice) = match it.kind {
        CodeKind::App => (t.app_code, Some(t.code_advice)),
        CodeKind::Recovery => (t.recovery_code, Some(t.recovery_code_advice)),
        CodeKind::Either => (t.code_of_either_kind, None),
    };
    let described_by = described_by(it.refusal_id, advice.map(|_| "code-advice"));
    html! {
        label for=(it.id) { (label) }
        input id=(it.id) name="code" required autofocus[it.is_focused]
            autocomplete=(if it.kind == CodeKind::Recovery { "off" } else { "one-time-code" })
            inputmode=[(it.kind == CodeKind::App).then_some("numeric")]
            autocapitalize="none" autocorrect="off" spellcheck="false"
            aria-invalid=[it.refusal_id.map(|_| "true")]
            aria-describedby=[described_by];
        @if let Some(advice) = advice { p.hint #code-advice { (advice) } }
    }
}

/// The box by which the browser is remembered.
pub(super) fn remember_box(frame: Frame<'_>, is_ticked: bool) -> Markup {
    html! {
        label.choice {
            input type="checkbox" name="remember_browser" value="yes" checked[is_ticked];
            " " (frame.text.remember_browser)
        }
    }
}

/// The token of a sign-in that waits, in a browser that has no cookie for it.
pub(super) fn pending_field(pending: Option<&str>) -> Markup {
    html! {
        @if let Some(pending) = pending { input type="hidden" name="pending" value=(pending); }
    }
}

/// A form of a user's second factor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FactorForm {
    /// The one that replaces the recovery codes.
    RecoveryCodes,
    /// The one that asks for a code again in every browser.
    Browsers,
    /// The one that turns the second factor off.
    Off,
}

/// What the page of a second factor shows that is turned on.
#[derive(Clone, Copy)]
pub struct FactorPage<'a> {
    pub username: &'a str,
    pub since: Told,
    /// How many recovery codes are not used yet.
    pub codes_left: usize,
    /// Whether the user has to have one, and cannot turn it off.
    pub is_required: bool,
    /// Whether browsers can be remembered.
    pub can_remember: bool,
    /// Whether the forms ask for the password.
    pub asks: bool,
    /// What the browser is asked for, as JSON, to give a passkey in the place of a code. `None`: the user has none that
    /// works here.
    pub passkey: Option<&'a str>,
    /// The form that was refused, and why.
    pub refused: Option<(FactorForm, Alert)>,
}

/// The page of a second factor that is turned on.
pub fn second_factor(frame: Frame<'_>, it: &FactorPage<'_>) -> Markup {
    let t = frame.text;
    let body = html! {
        p.fact { (t.turned_on_at) (ago(frame, it.since)) }
        p.fact { (t.codes_left) (it.codes_left) }
        section {
            h2 { (t.recovery_codes) }
            (factor_form(frame, it, FactorForm::RecoveryCodes))
            p.hint { (t.new_codes_advice) }
        }
        @if it.can_remember {
            section {
                h2 { (t.remembered_browsers) }
                (factor_form(frame, it, FactorForm::Browsers))
            }
        }
        section {
            h2 { (t.turn_off) }
            @if it.is_required { p.hint { (t.second_factor_needed.title) } }
            @else { (factor_form(frame, it, FactorForm::Off)) }
        }
        p.aside { a href=(frame.at("/account")) { (t.account) } }
        @if it.passkey.is_some() { (passkeys::script(frame)) }
    };
    page(frame, t.second_factor, &body)
}

fn factor_form(frame: Frame<'_>, it: &FactorPage<'_>, form: FactorForm) -> Markup {
    let t = frame.text;
    let refusal = it.refused.filter(|(refused, _)| *refused == form).map(|(_, why)| why);
    let wrong = |field| refusal.filter(|it| it.field == field).map(|_| "refusal");
    let (action, code_id, proof_id) = match form {
        FactorForm::RecoveryCodes => ("/account/second-factor/recovery-codes", "code", "proof"),
        FactorForm::Browsers => ("/account/second-factor/forget-browsers", "", "browsers-proof"),
        FactorForm::Off => ("/account/second-factor/off", "off-code", "off-proof"),
    };
    html! {
        form method="post" action=(frame.at(action)) {
            (alert(frame, refusal, "refusal"))
            @if !code_id.is_empty() {
                (code_input(frame, &CodeInput {
                    id: code_id,
                    kind: CodeKind::Either,
                    refusal_id: wrong(Field::Code),
                    is_focused: wrong(Field::Code).is_some(),
                }))
            }
            @if it.asks { (proof(frame, it.username, proof_id, wrong(Field::Current))) }
            @match form {
                FactorForm::RecoveryCodes => button { (t.new_recovery_codes) },
                FactorForm::Browsers => button.quiet { (t.forget_browsers) },
                FactorForm::Off => button.grave { (t.turn_off) },
            }
        }
        @if let (Some(options), false) = (it.passkey, code_id.is_empty()) {
            (passkeys::form(frame, &PasskeyForm {
                path: action,
                options,
                offers: false,
                words: t.use_passkey,
                remembers: None,
                pending: None,
                next: None,
            }, &html! {
                @if it.asks { (proof(frame, it.username, &format!("{proof_id}-by-passkey"), None)) }
            }))
        }
    }
}
