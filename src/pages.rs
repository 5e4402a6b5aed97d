//! What people see: values in, markup out.
//!
//! Decides every element of a page; the words come from `text`. Each works without scripts, has one
//! stylesheet and loads nothing from elsewhere. Knows no request and no store. All text from people goes
//! through maud's escaping; nothing is ever pre-escaped.

pub mod account;
pub mod elsewhere;
pub mod look;
pub mod tokens;

use maud::{DOCTYPE, Markup, html};
use url::form_urlencoded;

use self::look::Look;
use crate::text::{Around, Say, Text};
use crate::token;

/// The stylesheet.
pub const STYLE: &str = include_str!("pages/style.css");

/// The icon that browsers put beside the title.
pub const ICON: &str = include_str!("pages/icon.svg");

/// What is the same on every page that somebody gets.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// The language that they read.
    pub text: &'static Text,
    /// How it looks here.
    pub look: &'a Look,
}

/// A field of a form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    /// The name.
    Username,
    /// The password; a new one, where there are two.
    Password,
    /// The present password, where there are two.
    Current,
    /// What an access token is called.
    Name,
    /// How long an access token is good.
    Days,
}

/// Why a form comes back.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// What is said: the sentence of the contract, and what to do about it.
    pub say: Say,
    /// The field that needs another look: it gets the focus.
    pub field: Field,
}

/// A form as it is shown: what was typed before, and why it comes back.
#[derive(Clone, Copy, Default)]
pub struct Filled<'a> {
    /// The name that was typed. The password is never shown again.
    pub username: &'a str,
    /// `None`: it is shown for the first time.
    pub refusal: Option<Refusal>,
    /// Where they want to go once they are in. It was checked, and will be again.
    pub next: Option<&'a str>,
    /// The invitation they came with, as a token.
    pub invite: Option<&'a str>,
    /// Whether everybody can make an account: else no link leads to the form.
    pub is_open: bool,
}

/// What the sign-in form offers about being remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remember {
    /// A box, ticked or not.
    Offered(bool),
    /// Nothing: everybody is remembered.
    Always,
    /// Nothing: nobody is.
    Never,
}

impl Filled<'_> {
    fn is_wrong(&self, field: Field) -> bool {
        self.refusal.is_some_and(|refusal| refusal.field == field)
    }

    /// The first field gets the focus, or the one that was wrong.
    fn is_focused(&self, field: Field) -> bool {
        self.refusal.map_or(Field::Username, |refusal| refusal.field) == field
    }
}

/// The form that makes an account.
pub fn sign_up(frame: Frame<'_>, filled: &Filled<'_>, advice: Say) -> Markup {
    let t = frame.text;
    let body = html! {
        form method="post" {
            (alert(frame, filled.refusal, "refusal"))
            (username(frame, filled))
            (password(frame, filled, "new-password", Some(advice(t).advice)))
            (next(filled))
            @if let Some(invite) = filled.invite {
                input type="hidden" name="invite" value=(invite);
            }
            // Scripts do not send it; of people it tells that they may have clicked twice.
            input type="hidden" name="by_page" value="yes";
            button { (t.sign_up) }
        }
        p.aside { (t.been_here) " " a href=(with_next("/login", filled)) { (t.sign_in) } }
    };
    page(frame, t.sign_up, &body)
}

/// The form that lets somebody in.
pub fn sign_in(frame: Frame<'_>, filled: &Filled<'_>, remember: Remember) -> Markup {
    let t = frame.text;
    let body = html! {
        form method="post" {
            (alert(frame, filled.refusal, "refusal"))
            (username(frame, filled))
            (password(frame, filled, "current-password", None))
            (remember_me(frame, remember))
            (next(filled))
            button { (t.sign_in) }
        }
        @if filled.is_open {
            p.aside { (t.new_here) " " a href=(with_next("/signup", filled)) { (t.create_account) } }
        }
        @if let Some(help) = &frame.look.help { p.aside { (help) } }
    };
    page(frame, t.sign_in, &body)
}

/// What a person sees of themselves.
pub fn profile(frame: Frame<'_>, user_id: &str, username: &str) -> Markup {
    let t = frame.text;
    let body = html! {
        p.fact { (t.user_id_is) (user_id) }
        p.fact { (t.username_is) (username) }
        form method="post" action="/logout" { button { (t.sign_out) } }
        p.aside { a href="/account" { (t.account) } }
    };
    page(frame, t.profile, &body)
}

/// Where a page leads that shows what went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// To the entrance.
    Back,
    /// To the sign-in form.
    SignIn,
}

/// A page for what went wrong: what happened, and what to do next.
pub fn problem(frame: Frame<'_>, say: Say, way: Way) -> Markup {
    let told = say(frame.text);
    let (path, words) = match way {
        Way::Back => ("/", frame.text.back),
        Way::SignIn => ("/login", frame.text.sign_in),
    };
    let body = html! {
        p.aside { (told.advice) }
        p.aside { a href=(path) { (words) } }
    };
    page(frame, told.title, &body)
}

/// Why a form comes back. With what is not there it is nothing.
fn alert(frame: Frame<'_>, refusal: Option<Refusal>, id: &str) -> Markup {
    html! {
        @if let Some(told) = refusal.map(|it| (it.say)(frame.text)) {
            p id=(id) role="alert" { strong { (told.title) } (told.advice) }
        }
    }
}

fn around(words: Around, value: &str) -> String {
    format!("{}{value}{}", words.0, words.1)
}

fn next(filled: &Filled<'_>) -> Markup {
    html! {
        @if let Some(next) = filled.next { input type="hidden" name="next" value=(next); }
    }
}

/// The way to the other form, which leads to the same place.
fn with_next(path: &str, filled: &Filled<'_>) -> String {
    match filled.next {
        Some(next) => {
            let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
            format!("{path}?next={next}")
        }
        None => path.to_owned(),
    }
}

fn username(frame: Frame<'_>, filled: &Filled<'_>) -> Markup {
    let wrong = filled.is_wrong(Field::Username);
    html! {
        label for="username" { (frame.text.username) }
        // No maxlength on either field: a browser would cut what is pasted without a word.
        input #username name="username" value=(filled.username) required
            autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck="false"
            autofocus[filled.is_focused(Field::Username)]
            aria-invalid=[wrong.then_some("true")]
            aria-describedby=[wrong.then_some("refusal")];
    }
}

fn password(
    frame: Frame<'_>,
    filled: &Filled<'_>,
    autocomplete: &str,
    advice: Option<&str>,
) -> Markup {
    password_input(&PasswordInput {
        id: "password",
        label: frame.text.password,
        autocomplete,
        advice,
        refusal_id: filled.is_wrong(Field::Password).then_some("refusal"),
        is_focused: filled.is_focused(Field::Password),
        ..PasswordInput::default()
    })
}

/// A box that is not ticked sends nothing, so the form says by another field that it had one.
fn remember_me(frame: Frame<'_>, remember: Remember) -> Markup {
    html! {
        @if remember != Remember::Always {
            input type="hidden" name="remember_asked" value="yes";
        }
        @if let Remember::Offered(is_ticked) = remember {
            label.choice {
                input type="checkbox" name="remember" value="yes" checked[is_ticked];
                " " (frame.text.stay_signed_in)
            }
        }
    }
}

/// A field for a password, with what is said about it.
#[derive(Default)]
struct PasswordInput<'a> {
    id: &'a str,
    /// As the form sends it; `None`: as `id`.
    name: Option<&'a str>,
    label: &'a str,
    autocomplete: &'a str,
    advice: Option<&'a str>,
    /// What it was refused with, if it was.
    refusal_id: Option<&'a str>,
    is_focused: bool,
}

fn password_input(it: &PasswordInput<'_>) -> Markup {
    let advice_id = format!("{}-advice", it.id);
    let described_by = [it.refusal_id, it.advice.map(|_| &*advice_id)];
    let described_by = described_by.into_iter().flatten().collect::<Vec<_>>().join(" ");
    html! {
        label for=(it.id) { (it.label) }
        input id=(it.id) type="password" name=(it.name.unwrap_or(it.id)) required
            autocomplete=(it.autocomplete)
            autofocus[it.is_focused || it.refusal_id.is_some()]
            aria-invalid=[it.refusal_id.map(|_| "true")]
            aria-describedby=[(!described_by.is_empty()).then_some(described_by)];
        @if let Some(advice) = it.advice {
            p.hint id=(advice_id) { (advice) }
        }
    }
}

fn page(frame: Frame<'_>, title: &str, body: &Markup) -> Markup {
    let (icon_kind, icon_href) = frame.look.icon();
    html! {
        (DOCTYPE)
        html lang=(frame.text.code) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " · " (frame.look.title) }
                link rel="icon" type=(icon_kind) href=(icon_href);
                link rel="stylesheet" href=(frame.look.style_href);
            }
            body {
                main {
                    (mark(frame.look))
                    h1 { (title) }
                    (body)
                }
            }
        }
    }
}

/// The sign of the house, a door in an arch, or the operator's own.
fn mark(look: &Look) -> Markup {
    html! {
        @match look.logo_href() {
            // The name stands beside it.
            Some(href) => img.mark src=(href) alt="";,
            None => svg.mark viewBox="0 0 48 48" aria-hidden="true" {
                path d="M6.5 45V23a17.5 17.5 0 0 1 35 0v22z" fill="none" stroke="currentColor"
                    stroke-width="3" stroke-linejoin="round" {}
                path d="M15 45V23.5a9 9 0 0 1 18 0V45z" fill="currentColor" {}
            },
        }
        @if look.is_named { p.house { (look.title) } }
    }
}

/// The address of a file, with a mark of its content.
fn marked(path: &str, content: &[u8]) -> String {
    format!("{path}?v={}", token::handle(content))
}

#[cfg(test)]
mod tests {
    use self::look::Look;
    use std::sync::LazyLock;

    use super::*;
    use crate::text::EN;

    static LOOK: LazyLock<Look> = LazyLock::new(|| {
        Look::new(Some("<script>\"".to_owned()), None, None, Some("<script>\"".to_owned()))
    });

    fn frame() -> Frame<'static> {
        Frame { text: &EN, look: &LOOK }
    }

    #[test]
    fn escapes_whatever_people_typed() {
        let hostile = "<script>\"'&";
        let filled = Filled {
            username: hostile,
            refusal: None,
            next: Some(hostile),
            invite: Some(hostile),
            is_open: true,
        };
        let pages = [
            sign_up(frame(), &filled, |t| t.bad_password),
            sign_in(frame(), &filled, Remember::Offered(true)),
            profile(frame(), hostile, hostile),
        ];
        for page in pages.map(Markup::into_string) {
            assert!(!page.contains("<script>") && page.contains("&lt;script&gt;&quot;"), "{page}");
        }
    }

    #[test]
    fn has_no_script_no_inline_style_and_loads_nothing_from_elsewhere() {
        let filled = Filled::default();
        let pages = [
            sign_up(frame(), &filled, |t| t.bad_password),
            sign_in(frame(), &filled, Remember::Never),
            profile(frame(), "u", "n"),
            problem(frame(), |t| t.not_found, Way::Back),
        ];
        for page in pages.map(Markup::into_string) {
            for bad in ["<script", "style=", "<style", " on", "http:", "https:", "//"] {
                assert!(!page.contains(bad), "{bad} in {page}");
            }
        }
    }

    #[test]
    fn gives_the_focus_to_the_field_that_was_wrong() {
        let refused = |field| {
            let refusal = Some(Refusal { say: |t| t.incorrect_credentials, field });
            let filled = Filled { username: "ann", refusal, ..Filled::default() };
            sign_in(frame(), &filled, Remember::Always).into_string()
        };
        let input = |page: &str, name: &str| {
            let from = page.find(&format!("<input id=\"{name}\"")).unwrap();
            page[from..].split_once('>').unwrap().0.to_owned()
        };
        for (field, name, other) in
            [(Field::Username, "username", "password"), (Field::Password, "password", "username")]
        {
            let page = refused(field);
            assert!(input(&page, name).contains(" autofocus aria-invalid=\"true\""), "{page}");
            assert!(!input(&page, other).contains("autofocus"), "{page}");
            assert!(!input(&page, other).contains("aria-invalid"), "{page}");
        }
    }

    #[test]
    fn keeps_the_stylesheet_small() {
        assert!(STYLE.len() < 8_000);
    }
}
