//! A form that was not processed, to be sent again.

use std::borrow::Cow;

use maud::{Markup, html};

use super::account::owner;
use super::moments::try_again;
use super::second_factor::{CodeInput, CodeKind, code_input};
use super::{Alert, Frame, PasswordInput, page, password_input};
use crate::web::messages::Phrase;

/// A form that was sent, without its passwords.
pub struct Repeat<'a> {
    /// Where it was sent.
    pub action: &'a str,
    /// Names and values of its fields.
    pub kept: Vec<(&'static str, Cow<'a, str>)>,
    /// What the field for a code takes, if the form has one: what was typed may be used up or old.
    pub code: Option<CodeKind>,
    /// The names of the fields with a password, which has to be typed again.
    pub passwords: Vec<&'static str>,
    /// The words on its button.
    pub words: Phrase,
}

/// The form, below why it was not processed.
pub fn form(frame: Frame<'_>, why: Alert, it: &Repeat<'_>) -> Markup {
    let t = frame.text;
    let told = (why.say)(t);
    let body = html! {
        p role="alert" {
            @match why.wait { Some(wait) => (try_again(frame, wait)), None => (told.hint) }
        }
        form method="post" action=(it.action) {
            @for (name, value) in &it.kept {
                @if *name == "username" { (owner(value)) }
                @else { input type="hidden" name=(name) value=(value); }
            }
            @if let Some(kind) = it.code {
                (code_input(frame, &CodeInput { id: "code", kind, refusal_id: None, is_focused: true }))
            }
            @for (at, name) in it.passwords.iter().enumerate() {
                (password(frame, name, (at == 0, it.passwords.len() > 1), it.code.is_none()))
            }
            button { ((it.words)(t)) }
        }
        p.aside { a href=(frame.at("/account")) { (t.account) } }
    };
    page(frame, told.title, &body)
}

fn password(
    frame: Frame<'_>,
    name: &str,
    (is_first, is_change): (bool, bool),
    can_focus: bool,
) -> Markup {
    let t = frame.text;
    let is_new = is_change && !is_first;
    password_input(&PasswordInput {
        id: name,
        label: match (is_change, is_first) {
            (true, true) => t.current_password,
            (true, false) => t.new_password,
            (false, _) => t.your_password,
        },
        autocomplete: if is_new { "new-password" } else { "current-password" },
        is_focused: is_first && can_focus,
        ..PasswordInput::default()
    })
}
