//! The forms and the page of passkeys.
//!
//! A form of a passkey is hidden until the site's one script shows it: `passkey.js`, which puts what the browser answers
//! into the form. Every page works without it.

use maud::{Markup, html};

use super::moments::{Told, ago};
use super::{Alert, Field, Frame, alert, described_by, marked, next_field, page};

/// The script as it is written.
const SCRIPT: &str = include_str!("passkey.js");

/// The script as it is served: without its comments and without the white space that is there for readers.
pub fn script_text() -> String {
    let lines = SCRIPT.lines().map(str::trim).filter(|it| !it.starts_with("//") && !it.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// The address of the script, with a hash of its content.
fn script_href() -> String {
    marked("/passkey.js", script_text().as_bytes())
}

/// A form that is sent with the answer of a passkey.
#[derive(Clone, Copy)]
pub struct PasskeyForm<'a> {
    /// The path that it is sent to.
    pub path: &'static str,
    /// What the browser is asked for, as JSON.
    pub options: &'a str,
    /// Whether the browser may offer passkeys before the button is pressed.
    pub offers: bool,
    /// The words on its button.
    pub words: &'a str,
    /// Whether "Stay signed in" follows the box of the other form, and what it is without such a box.
    pub remembers: Option<bool>,
    /// The token of a sign-in that waits, if the form brought it.
    pub pending: Option<&'a str>,
    /// Where to go afterwards.
    pub next: Option<&'a str>,
}

/// A form that is sent with the answer of a passkey, and the script that shows it.
pub(super) fn form(frame: Frame<'_>, it: &PasskeyForm<'_>, more: &Markup) -> Markup {
    html! {
        form method="post" action=(frame.at(it.path)) hidden data-passkey=(it.options)
            data-offer=[it.offers.then_some("")] {
            p role="alert" hidden {
                strong { (frame.text.passkey_failed.title) }
                (frame.text.passkey_failed.hint)
            }
            input type="hidden" name="credential";
            @if let Some(is_ticked) = it.remembers {
                input type="hidden" name="remember_asked" value="yes";
                input type="hidden" name="remember" value="yes" disabled[!is_ticked];
            }
            @if let Some(pending) = it.pending { input type="hidden" name="pending" value=(pending); }
            (next_field(it.next))
            (more)
            button.quiet { (it.words) }
        }
    }
}

/// The element that loads the script. It stands after the forms.
pub(super) fn script(frame: Frame<'_>) -> Markup {
    html! { script src=(frame.at(&script_href())) {} }
}

/// A passkey in the list of its owner.
pub struct PasskeyRow {
    /// What stands for it in forms.
    pub handle: String,
    /// The name its owner gave it.
    pub name: String,
    pub added: Told,
    /// When it was last used; `None`: never.
    pub used: Option<Told>,
    /// Whether it signs in alone.
    pub signs_in_alone: bool,
    /// The domain that it was made for, if that is another than the site's.
    pub made_for: Option<String>,
}

/// What the page shows in addition to the list.
#[derive(Clone, Copy, Default)]
pub struct PasskeyPage<'a> {
    /// The name that a new passkey is given unless its owner changes it. Empty: it is called a passkey.
    pub name: &'a str,
    /// What the browser is asked for, for a passkey that signs in alone, and for one that is a second factor only. `None`:
    /// the password has to be given first, or there are enough.
    pub options: Option<[&'a str; 2]>,
    /// Whether there are as many as there may be.
    pub is_full: bool,
    /// Why a form was refused.
    pub refusal: Option<Alert>,
}

/// The page on which users add, rename and remove passkeys.
pub fn passkeys(frame: Frame<'_>, rows: &[PasskeyRow], it: &PasskeyPage<'_>) -> Markup {
    let t = frame.text;
    let body = html! {
        p.aside { (t.passkeys_advice) }
        (alert(frame, it.refusal, "refusal"))
        @if !rows.is_empty() {
            ul.rows { @for (place, row) in rows.iter().enumerate() { (passkey(frame, place, row)) } }
        }
        @match it.options {
            Some(options) => (addition(frame, it, options)),
            None if it.is_full => p.hint { (t.too_many_passkeys.hint) },
            None => p.apps { a href={ (frame.at("/account/passkeys")) "?new=1" } { (t.add_passkey) } },
        }
        p.aside { a href=(frame.at("/account")) { (t.account) } }
        @if it.options.is_some() { (script(frame)) }
    };
    page(frame, t.passkeys, &body)
}

/// The two forms that add a passkey.
fn addition(frame: Frame<'_>, it: &PasskeyPage<'_>, options: [&str; 2]) -> Markup {
    let t = frame.text;
    let form_of = |options, words, id: &str, kind: &str| {
        let wrong = it.refusal.filter(|it| it.field == Field::Name).map(|_| "refusal");
        let more = html! {
            label for=(id) { (t.name) }
            input id=(id) name="name" value=(if it.name.is_empty() { t.passkey } else { it.name }) required autocomplete="off" dir="auto"
                aria-invalid=[wrong.map(|_| "true")] aria-describedby=[described_by(wrong, None)];
            input type="hidden" name="kind" value=(kind);
        };
        let form = PasskeyForm {
            path: "/account/passkeys",
            options,
            offers: false,
            words,
            remembers: None,
            pending: None,
            next: None,
        };
        self::form(frame, &form, &more)
    };
    let [alone, second] = options;
    html! {
        noscript { p.hint { (t.passkeys_need_script) } }
        section {
            h2 { (t.add_passkey) }
            (form_of(alone, t.add_passkey, "name", "alone"))
        }
        section {
            h2 { (t.second_factor_only) }
            p.hint { (t.second_factor_only_advice) }
            (form_of(second, t.add_second_factor_only, "second-name", "second_factor"))
        }
    }
}

fn passkey(frame: Frame<'_>, place: usize, row: &PasskeyRow) -> Markup {
    let t = frame.text;
    html! {
        li {
            p {
                strong id={ "n" (place) } dir="auto" { (row.name) }
                br;
                @if row.signs_in_alone { (t.signs_in_alone) } @else { (t.second_factor_only) }
                @if let Some(domain) = &row.made_for {
                    br;
                    (t.made_for.0) bdi { (domain) } (t.made_for.1)
                }
                br;
                @match row.used {
                    Some(used) => { (t.last_used) (ago(frame, used)) }
                    None => { (t.added_at) (ago(frame, row.added)) (t.never_used) },
                }
            }
            form method="post" action=(frame.at("/account/passkeys/rename")) {
                input type="hidden" name="passkey" value=(row.handle);
                label for={ "r" (place) } { (t.new_name) }
                input id={ "r" (place) } name="name" required autocomplete="off" dir="auto"
                    aria-describedby={ "n" (place) };
                button.quiet id={ "a" (place) } aria-labelledby={ "a" (place) " n" (place) } { (t.rename) }
            }
            form method="post" action=(frame.at("/account/passkeys/remove")) {
                button id={ "b" (place) } name="passkey" value=(row.handle)
                    aria-labelledby={ "b" (place) " n" (place) } { (t.remove) }
            }
        }
    }
}
