//! The pages on which users manage their account.

use maud::{Markup, html};

use super::passkeys::{self, PasskeyForm};
use super::{
    Alert, Field, Frame, PasswordInput, alert, has_to_wait, next_field, page, password_input,
};
use crate::web::messages::{MessageKey, Phrase};
use crate::web::redirect;

/// A form of the account page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountForm {
    /// The one that changes the password.
    Password,
    /// The one that deletes the account.
    Delete,
}

/// A section of the account page that leads to a page of its own.
#[derive(Clone, Copy)]
pub struct AccountLink {
    /// The path of that page.
    pub path: &'static str,
    /// The heading of the section.
    pub heading: Phrase,
    /// What the link says.
    pub words: Phrase,
}

/// What the account page shows.
pub struct Account<'a> {
    /// The username as first typed.
    pub username: &'a str,
    /// The hint about new passwords.
    pub advice: MessageKey,
    /// Whether the site has access tokens (`--basic-auth`).
    pub has_tokens: bool,
    /// How many recovery codes are left, if some of them are used.
    pub codes_left: Option<usize>,
    /// The other pages about the account, in their order.
    pub links: Vec<AccountLink>,
    /// The form that was refused, and why. Passwords are never shown again.
    pub refused: Option<(AccountForm, Alert)>,
}

impl Account<'_> {
    fn refusal_of(&self, form: AccountForm) -> Option<Alert> {
        self.refused.filter(|(refused, _)| *refused == form).map(|(_, why)| why)
    }
}

/// The account page: change the password, find the other pages, delete the account.
pub fn account(frame: Frame<'_>, it: &Account<'_>) -> Markup {
    let t = frame.text;
    let body = html! {
        p.aside { (t.signed_in_as) bdi { strong { (it.username) } } }
        @if let Some(left) = it.codes_left { p.aside { (t.codes_left) (left) } }
        (change_password(frame, it))
        @for link in &it.links {
            // Not a landmark of its own, unlike the forms: a name would say the heading twice.
            section {
                h2 { ((link.heading)(t)) }
                p { a href=(frame.at(link.path)) { ((link.words)(t)) } }
            }
        }
        (delete_account(frame, it))
        p.aside { a href=(frame.at("/")) { (t.back) } }
    };
    page(frame, t.account, &body)
}

fn change_password(frame: Frame<'_>, it: &Account<'_>) -> Markup {
    let t = frame.text;
    let refusal = it.refusal_of(AccountForm::Password);
    let wrong = |field| refusal.filter(|it| it.field == field).map(|_| "password-refusal");
    html! {
        section aria-labelledby="password-heading" {
            h2 #password-heading { (t.password) }
            form method="post" action=(frame.at("/account/password")) {
                (owner(it.username))
                (alert(frame, refusal, "password-refusal"))
                (password_input(&PasswordInput {
                    id: "current_password",
                    label: t.current_password,
                    autocomplete: "current-password",
                    refusal_id: wrong(Field::Current),
                    has_to_wait: has_to_wait(refusal),
                    ..PasswordInput::default()
                }))
                (password_input(&PasswordInput {
                    id: "password",
                    label: t.new_password,
                    autocomplete: "new-password",
                    advice: Some((it.advice)(t).hint),
                    refusal_id: wrong(Field::Password),
                    ..PasswordInput::default()
                }))
                button { (t.change_password) }
            }
            p.hint {
                @if it.has_tokens { (t.others_and_tokens_end) } @else { (t.others_end) }
            }
        }
    }
}

fn delete_account(frame: Frame<'_>, it: &Account<'_>) -> Markup {
    let t = frame.text;
    let refusal = it.refusal_of(AccountForm::Delete);
    html! {
        section aria-labelledby="delete-heading" {
            h2 #delete-heading { (t.delete_account) }
            form method="post" action=(frame.at("/account/delete")) {
                (owner(it.username))
                (alert(frame, refusal, "delete-refusal"))
                (password_input(&PasswordInput {
                    id: "delete-password",
                    name: Some("password"),
                    label: t.password,
                    autocomplete: "current-password",
                    advice: Some(t.delete_advice),
                    refusal_id: refusal.is_some().then_some("delete-refusal"),
                    has_to_wait: has_to_wait(refusal),
                    ..PasswordInput::default()
                }))
                button.grave { (t.delete_account) }
            }
        }
    }
}

/// The page behind a reset link. `username`: whose password it sets, where that is known.
pub fn reset(
    frame: Frame<'_>,
    username: Option<&str>,
    token: &str,
    advice: MessageKey,
    refusal: Option<Alert>,
) -> Markup {
    let t = frame.text;
    let body = html! {
        @if let Some(username) = username { p.aside { (t.reset_for) bdi { strong { (username) } } } }
        // With the token in its address, the page of a refused form can be asked for again.
        form method="post" action={ (frame.at("/reset")) "?token=" (token) } {
            (alert(frame, refusal, "refusal"))
            input type="hidden" name="token" value=(token);
            @if let Some(username) = username { (owner(username)) }
            (password_input(&PasswordInput {
                id: "password",
                label: t.new_password,
                autocomplete: "new-password",
                advice: Some(advice(t).hint),
                refusal_id: refusal.filter(|it| it.field != Field::Nothing).map(|_| "refusal"),
                is_focused: true,
                ..PasswordInput::default()
            }))
            button { (t.set_password) }
        }
        p.hint { (t.reset_advice) }
    };
    page(frame, t.new_password, &body)
}

/// Where users give their password once more before a sensitive action, or a passkey: `passkey` is what the browser is
/// asked for, as JSON.
pub fn reauthentication(
    frame: Frame<'_>,
    (username, passkey): (&str, Option<&str>),
    next: Option<&str>,
    refusal: Option<Alert>,
) -> Markup {
    let t = frame.text;
    let body = html! {
        p.aside { (t.signed_in_as) bdi { strong { (username) } } }
        form method="post" action=(redirect::way(&frame.prefix.at("/account/prove").to_string(), next)) {
            (alert(frame, refusal, "refusal"))
            (owner(username))
            (next_field(next))
            (password_input(&PasswordInput {
                id: "current_password",
                label: t.your_password,
                autocomplete: "current-password",
                advice: Some(t.password_required.hint),
                refusal_id: refusal.map(|_| "refusal"),
                has_to_wait: has_to_wait(refusal),
                is_focused: true,
                ..PasswordInput::default()
            }))
            button { (t.go_on) }
        }
        @if let Some(options) = passkey {
            (passkeys::form(frame, &PasskeyForm {
                path: "/account/prove",
                options,
                offers: false,
                words: t.use_passkey,
                remembers: None,
                pending: None,
                next,
            }, &html! {}))
        }
        p.aside { a href=(frame.at("/account")) { (t.account) } }
        @if passkey.is_some() { (passkeys::script(frame)) }
    };
    page(frame, t.confirm_identity, &body)
}

/// A hidden text field with the username, for password managers: those built into browsers look at text
/// fields only, including hidden ones.
pub(super) fn owner(username: &str) -> Markup {
    html! { input type="text" name="username" value=(username) autocomplete="username" hidden; }
}

pub(super) fn proof(
    frame: Frame<'_>,
    username: &str,
    id: &str,
    refusal_id: Option<&str>,
) -> Markup {
    let input = password_input(&PasswordInput {
        id,
        name: Some("current_password"),
        label: frame.text.your_password,
        autocomplete: "current-password",
        refusal_id,
        ..PasswordInput::default()
    });
    html! { (owner(username)) (input) }
}
