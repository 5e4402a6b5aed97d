//! The pages: values in, markup out.
//!
//! Decides every element of a page; the words come from `messages`. A page works without scripts, has one
//! stylesheet and loads nothing from other sites. Knows no request and no store. All text from users goes
//! through maud's escaping; nothing is ever pre-escaped.

pub mod account;
pub mod second_factor;
pub mod enrolments;
pub mod activity;
pub mod email;
pub mod forbidden;
pub mod branding;
pub mod access_tokens;
mod joined;
pub mod moments;
pub mod paging;
pub mod passkeys;
pub mod qr_code;
pub mod repeat;
pub mod sessions;

use std::borrow::Cow;

use maud::{DOCTYPE, Markup, html};

use self::branding::Look;
use self::joined::Joined;
pub use self::moments::{Told, Wait};
use self::moments::{ago, try_again};
use self::paging::PageOfList;
use self::passkeys::PasskeyForm;
use crate::auth::usernames::NameKind;
use crate::base::base_url::PathPrefix;
use crate::base::token;
use crate::web::messages::{MessageKey, Template, Text};
use crate::web::redirect::{self, Target};
use crate::web::settings::App;

/// The built-in stylesheet, of all pages.
pub const STYLE: &str = include_str!("style.css");

/// The rules that keep an own look legible.
const LEGIBLE: &str = include_str!("legible.css");

/// The built-in logo, which is also the site's icon.
pub const ICON: &str = include_str!("icon.svg");

/// What all pages of one response have in common.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// The language of the page.
    pub text: &'static Text,
    /// Title, logo and stylesheet of this site.
    pub look: &'a Look,
    /// The origin of the site, for a page on the host of an app; empty on the site itself.
    pub origin: &'a str,
    /// The path prefix of every address of the site.
    pub prefix: &'a PathPrefix,
    /// What the action before this page has done.
    pub message: Option<&'static str>,
}

impl<'a> Frame<'a> {
    /// The address of a path of the site, for links and forms. On the host of an app, it begins with the origin.
    fn at(&self, path: &'a str) -> Joined<'a, 3> {
        let [prefix, path] = self.prefix.at(path).parts();
        Joined([self.origin, prefix, path])
    }
}

/// A form field that can be refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    Username,
    /// The password; the new one, where there are two.
    Password,
    /// The current password, where there are two.
    Current,
    /// An e-mail address.
    Email,
    /// A code of an app, or a recovery code.
    Code,
    /// The name of an access token.
    Name,
    /// In how many days an access token expires.
    Days,
    /// None of them: the form was not looked at.
    Nothing,
}

/// Why a form is shown again.
#[derive(Clone, Copy, Debug)]
pub struct Alert {
    /// The message: the sentence of the contract, and a hint.
    pub say: MessageKey,
    /// The field to correct, which gets the focus.
    pub field: Field,
    /// When the next attempt is allowed; `None`: at once.
    pub wait: Option<Wait>,
}

/// A sign-up or sign-in form with what was entered before and why it was refused.
#[derive(Clone, Copy, Default)]
pub struct Filled<'a> {
    /// The username that was entered. A password is never shown again.
    pub username: &'a str,
    /// What the browser is asked for, as JSON, to sign in with a passkey. `None`: none works here.
    pub passkey: Option<&'a str>,
    /// Why the form was refused; `None` when it is shown for the first time.
    pub refusal: Option<Alert>,
    /// Where to go after signing in. It has been checked, and is checked again when the form is sent.
    pub next: Option<&'a Target>,
    /// The token of the invitation in the link.
    pub invite: Option<&'a str>,
    /// The token of the link that verifies the address of the account that is signed in to.
    pub verify: Option<&'a str>,
    /// Whether anyone may create an account. If not, no link leads to the sign-up form.
    pub is_open: bool,
    /// Whether a forgotten password can be replaced by a link that is mailed.
    pub has_mail: bool,
    /// What the names of accounts are.
    pub names: NameKind,
    /// The field for an e-mail address; `None`: the form asks for none.
    pub email: Option<EmailInput<'a>>,
}

/// A field for the e-mail address of a new account.
#[derive(Clone, Copy)]
pub struct EmailInput<'a> {
    /// What was entered before.
    pub typed: &'a str,
    pub is_required: bool,
}

/// Whether the sign-in form has a "Stay signed in" box.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remember {
    /// It has one, ticked or not.
    Offered(bool),
    /// No box: every session outlives the browser.
    Always,
    /// No box: no session outlives the browser.
    Never,
}

impl Filled<'_> {
    fn is_wrong(&self, field: Field) -> bool {
        self.refusal.is_some_and(|refusal| refusal.field == field)
    }

    /// Whether the field gets the focus: the refused one does, else the first.
    fn is_focused(&self, field: Field) -> bool {
        match self.refusal.map_or(Field::Username, |refusal| refusal.field) {
            // All that is missing is the password.
            Field::Nothing => field == Field::Password,
            wrong => field == wrong,
        }
    }
}

/// The form to create an account, with `advice` on passwords.
pub fn sign_up(frame: Frame<'_>, filled: &Filled<'_>, advice: MessageKey) -> Markup {
    let t = frame.text;
    let (label, rule) = match filled.names {
        NameKind::Name => (t.username, t.bad_username),
        NameKind::Address => (t.email, t.bad_address_as_name),
    };
    let body = html! {
        (going_on(t.sign_up_to_go_on_to, filled))
        form method="post" {
            (alert(frame, filled.refusal, "refusal"))
            (username(filled, label, Some(rule.hint)))
            @if let Some(input) = filled.email { (email_of_account(frame, filled, input)) }
            (password(frame, filled, "new-password", Some(advice(t).hint)))
            (next_field(filled.next.map(Target::as_str)))
            @if let Some(invite) = filled.invite {
                input type="hidden" name="invite" value=(invite);
            }
            // Scripts do not send it. In a browser it tells a double click from a taken name.
            input type="hidden" name="by_page" value="yes";
            button { (t.sign_up) }
        }
        p.aside { (t.been_here) " " a href=(with_next(frame, "/login", filled)) { (t.sign_in) } }
    };
    page(frame, t.sign_up, &body)
}

/// The form to sign in.
pub fn sign_in(frame: Frame<'_>, filled: &Filled<'_>, remember: Remember) -> Markup {
    let t = frame.text;
    let label = match filled.names {
        NameKind::Address => t.email,
        // A verified address works there as well.
        NameKind::Name if filled.has_mail => t.name_or_address,
        NameKind::Name => t.username,
    };
    let body = html! {
        (going_on(t.sign_in_to_go_on_to, filled))
        @if filled.verify.is_some() { p.aside { (t.sign_in_to_verify) } }
        form method="post" {
            (alert(frame, filled.refusal, "refusal"))
            (username(filled, label, None))
            (password(frame, filled, "current-password", None))
            @if let Some(token) = filled.verify {
                input type="hidden" name="verify" value=(token);
            }
            (remember_me(frame, remember))
            (next_field(filled.next.map(Target::as_str)))
            button { (t.sign_in) }
        }
        @if let Some(options) = filled.passkey {
            (passkeys::form(frame, &PasskeyForm {
                path: "/login/passkey",
                options,
                offers: true,
                words: t.sign_in_with_passkey,
                remembers: match remember {
                    Remember::Offered(is_ticked) => Some(is_ticked),
                    Remember::Never => Some(false),
                    Remember::Always => None,
                },
                pending: None,
                next: filled.next.map(Target::as_str),
            }, &html! {}))
        }
        @if filled.has_mail {
            p.aside { a href=(frame.at("/forgot")) { (t.forgot_your_password) } }
        }
        @if filled.is_open {
            p.aside { (t.new_here) " " a href=(with_next(frame, "/signup", filled)) { (t.create_account) } }
        }
        // The link says what to do where there is one.
        @if !filled.has_mail { p.aside { (t.forgot_password) } }
        @if let Some(help) = &frame.look.help { p.aside { (help) } }
        @if filled.passkey.is_some() { (passkeys::script(frame)) }
    };
    page(frame, t.sign_in, &body)
}

/// The form that asks for a link by mail, where the names of accounts are of this kind. An address can be typed in any
/// case, and a name is one that an account from before may have.
pub fn forgotten(frame: Frame<'_>, names: NameKind, typed: &str, refusal: Option<Alert>) -> Markup {
    let t = frame.text;
    let label = if names == NameKind::Address { t.email } else { t.name_or_address };
    let body = html! {
        p.aside { (t.forgot_advice) }
        form method="post" action=(frame.at("/forgot")) {
            (alert(frame, refusal, "refusal"))
            label for="name" { (label) }
            input #name name="name" value=(typed) required autofocus
                autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck="false"
                aria-invalid=[refusal.map(|_| "true")]
                aria-describedby=[refusal.map(|_| "refusal")];
            button { (t.send_link) }
        }
        p.aside { a href=(frame.at("/login")) { (t.sign_in) } }
    };
    page(frame, t.forgot_your_password, &body)
}

/// The button that ends the session, for a signed-in user who follows a link. `next` is where to go afterwards.
pub fn sign_out(frame: Frame<'_>, username: &str, next: Option<&Target>) -> Markup {
    let t = frame.text;
    let app = next.and_then(|it| Some((it.as_str(), it.other_host()?)));
    let body = html! {
        p.fact { (t.signed_in_as) bdi { strong { (username) } } }
        form method="post" action=(frame.at("/logout")) {
            (next_field(next.map(Target::as_str)))
            button { (t.sign_out) }
        }
        p.aside {
            @match app {
                Some((address, host)) => a href=(address) { (t.back_to.around(host)) },
                None => a href=(frame.at("/")) { (t.back) },
            }
        }
    };
    page(frame, t.sign_out, &body)
}

/// How many apps the home page links to at a time.
const APPS_ON_PAGE: usize = 20;

/// What the home page tells a person beside who they are.
pub struct Whereabouts<'a> {
    /// The browser that they are signed in with, as in `Firefox on Linux`; may be empty.
    pub browser: &'a str,
    /// When they signed in with it.
    pub since: Told,
    /// The apps behind this site that are shown to them.
    pub apps: Vec<&'a App>,
    /// The page of the apps that is asked for.
    pub page: Option<Cow<'a, str>>,
}

/// The home page of a signed-in user. A script gets who the user is and the form to sign out.
pub fn profile(
    frame: Frame<'_>,
    user_id: &str,
    username: &str,
    person: Option<&Whereabouts<'_>>,
) -> Markup {
    let t = frame.text;
    let body = html! {
        p.fact { (Joined([t.user_id_is, user_id])) }
        p.fact {
            (Joined([t.username_is]))
            @if person.is_some() { bdi { (Joined([username])) } } @else { (username) }
        }
        @match person {
            Some(it) => {
                @if !it.apps.is_empty() { (apps(frame, it)) }
                p.aside {
                    (sessions::browser(frame, it.browser))
                    br;
                    (Joined([t.signed_in_at])) (ago(frame, it.since))
                    br;
                    a href=(frame.at("/account/sessions")) { (Joined([t.see_sessions])) }
                }
                p.aside { a href=(frame.at("/account")) { (Joined([t.account])) } }
                form method="post" action=(frame.at("/logout")) {
                    button.quiet { (Joined([t.sign_out])) }
                }
            }
            None => {
                form method="post" action=(frame.at("/logout")) { button { (t.sign_out) } }
                p.aside { a href=(frame.at("/account")) { (t.account) } }
            }
        }
    };
    page(frame, t.profile, &body)
}

fn apps(frame: Frame<'_>, it: &Whereabouts<'_>) -> Markup {
    let list = PageOfList::of(it.apps.len(), APPS_ON_PAGE, it.page.as_deref());
    html! {
        ul.apps {
            @for app in list.rows(&it.apps) {
                li { a href=(maud::display(&app.origin)) { bdi { (app.label()) } } }
            }
        }
        (paging::links(frame, "/", list))
    }
}

/// Where the link of an error page leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NextStep {
    Back,
    /// The sign-in page, which leads on to this page of the site.
    SignIn(Option<&'static str>),
    /// This address of the site once more, which was asked for.
    Again(String),
    /// This page of the account.
    Account(&'static str),
}

/// An error page: what happened, a hint, and a link.
pub fn problem(frame: Frame<'_>, say: MessageKey, way: NextStep) -> Markup {
    let t = frame.text;
    let told = say(t);
    let at = |path| html! { (frame.at(path)) };
    let (href, words) = match way {
        NextStep::Back => (at("/"), t.back),
        NextStep::SignIn(None) => (at("/login"), t.sign_in),
        NextStep::SignIn(Some(next)) => {
            let next = frame.prefix.at(next).to_string();
            let login = frame.prefix.at("/login").to_string();
            (html! { (redirect::way(&login, Some(&next))) }, t.sign_in)
        }
        NextStep::Again(address) => (html! { (address) }, t.try_again),
        NextStep::Account(page) => (at(page), t.account),
    };
    let body = html! {
        p.aside { (told.hint) }
        p.aside { a href=(href) { (words) } }
    };
    page(frame, told.title, &body)
}

/// The message above a form that was refused; nothing if it was not.
fn alert(frame: Frame<'_>, refusal: Option<Alert>, id: &str) -> Markup {
    html! {
        @if let Some(refusal) = refusal {
            @let told = (refusal.say)(frame.text);
            p id=(id) role="alert" {
                strong { (told.title) }
                @match refusal.wait { Some(wait) => (try_again(frame, wait)), None => (told.hint) }
            }
        }
    }
}

fn next_field(next: Option<&str>) -> Markup {
    html! {
        @if let Some(next) = next { input type="hidden" name="next" value=(next); }
    }
}

/// The app that the visitor goes on to, if it is not this site.
fn going_on(words: Template, filled: &Filled<'_>) -> Markup {
    let Template(before, after) = words;
    html! {
        @if let Some(host) = filled.next.and_then(Target::other_host) {
            p.aside { (before) strong { (host) } (after) }
        }
    }
}

/// The link to the other form, which keeps the address to go to afterwards.
fn with_next(frame: Frame<'_>, path: &'static str, filled: &Filled<'_>) -> String {
    redirect::way(&frame.prefix.at(path).to_string(), filled.next.map(Target::as_str))
}

fn username(filled: &Filled<'_>, label: &str, advice: Option<&str>) -> Markup {
    let wrong = filled.is_wrong(Field::Username);
    let described_by = described_by(wrong.then_some("refusal"), advice.map(|_| "username-advice"));
    html! {
        label for="username" { (label) }
        // No maxlength on either field: a browser would silently cut pasted text.
        // Browsers and phones offer other keys and other suggestions for an address.
        input #username type=[(filled.names == NameKind::Address).then_some("email")]
            name="username" value=(filled.username) required
            // Browsers offer passkeys there as well.
            autocomplete=(if filled.passkey.is_some() { "username webauthn" } else { "username" })
            autocapitalize="none" autocorrect="off" spellcheck="false" dir="auto"
            autofocus[filled.is_focused(Field::Username)]
            aria-invalid=[wrong.then_some("true")]
            aria-describedby=[described_by];
        @if let Some(advice) = advice { p.hint #username-advice { (advice) } }
    }
}

fn email_of_account(frame: Frame<'_>, filled: &Filled<'_>, input: EmailInput<'_>) -> Markup {
    let t = frame.text;
    let wrong = filled.is_wrong(Field::Email);
    let advice = if input.is_required { t.email_is_verified } else { t.email_is_optional };
    html! {
        label for="email" { (t.email) }
        input #email type="email" name="email" value=(input.typed) required[input.is_required]
            autocomplete="email"
            autofocus[filled.is_focused(Field::Email)]
            aria-invalid=[wrong.then_some("true")]
            aria-describedby=[described_by(wrong.then_some("refusal"), Some("email-advice"))];
        p.hint #email-advice { (advice) }
    }
}

/// The ids of the texts that describe a field: the refusal, and the hint.
fn described_by(refusal: Option<&str>, advice: Option<&str>) -> Option<String> {
    let ids = [refusal, advice].into_iter().flatten().collect::<Vec<_>>().join(" ");
    (!ids.is_empty()).then_some(ids)
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
        has_to_wait: has_to_wait(filled.refusal),
        is_focused: filled.is_focused(Field::Password),
        ..PasswordInput::default()
    })
}

/// A box that is not ticked sends nothing, so another field tells that the form had one.
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

/// Whether the form was refused for the time being, whatever is in it.
fn has_to_wait(refusal: Option<Alert>) -> bool {
    refusal.is_some_and(|it| it.wait.is_some())
}

/// A password field with its label, hint and error.
#[derive(Default)]
struct PasswordInput<'a> {
    id: &'a str,
    /// The name under which the form sends it; `None`: the same as `id`.
    name: Option<&'a str>,
    label: &'a str,
    autocomplete: &'a str,
    advice: Option<&'a str>,
    /// The id of the message with which it was refused, if it was.
    refusal_id: Option<&'a str>,
    /// Whether it was refused before it was looked at: nothing is known to be wrong with it.
    has_to_wait: bool,
    is_focused: bool,
}

fn password_input(it: &PasswordInput<'_>) -> Markup {
    let advice_id = format!("{}-advice", it.id);
    let described_by = described_by(it.refusal_id, it.advice.map(|_| &*advice_id));
    html! {
        label for=(it.id) { (it.label) }
        input id=(it.id) type="password" name=(it.name.unwrap_or(it.id)) required
            autocomplete=(it.autocomplete)
            autofocus[it.is_focused || it.refusal_id.is_some()]
            aria-invalid=[it.refusal_id.filter(|_| !it.has_to_wait).map(|_| "true")]
            aria-describedby=[described_by];
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
                meta name="viewport" content="width=device-width";
                meta name="robots" content="noindex";
                title { (Joined([title, " · ", &frame.look.title])) }
                link rel="icon" type=(Joined([icon_kind])) href=(frame.at(icon_href));
                link rel="stylesheet" href=(frame.at(&frame.look.style_href));
            }
            body {
                main {
                    // The logo: the operator's, or the built-in door in an arch.
                    @match frame.look.logo_href() {
                        // The title stands beside it.
                        Some(href) => img.mark src=(frame.at(href)) alt="";,
                        None => svg.mark viewBox="0 0 48 48" aria-hidden="true" {
                            path d="M5 46V23a19 19 0 0 1 38 0v23zM8 43h32V23a16 16 0 0 0-32 0zM15 45V23a9 9 0 0 1 18 0v22z" {}
                        },
                    }
                    @if frame.look.is_named { p.house { (frame.look.title) } }
                    h1 { (Joined([title])) }
                    @if let Some(message) = frame.message { p.message role="status" { (message) } }
                    (body)
                }
            }
        }
    }
}

/// The address of a file, with a hash of its content.
fn marked(path: &str, content: &[u8]) -> String {
    format!("{path}?v={}", token::handle(content))
}

#[cfg(test)]
mod tests {
    use self::branding::Look;
    use std::sync::LazyLock;

    use super::*;
    use crate::web::messages::EN;

    static LOOK: LazyLock<Look> = LazyLock::new(|| {
        Look::new(Some("<script>\"".to_owned()), None, None, Some("<script>\"".to_owned()))
    });

    static PREFIX: LazyLock<PathPrefix> = LazyLock::new(PathPrefix::default);

    fn frame() -> Frame<'static> {
        Frame { text: &EN, look: &LOOK, origin: "", prefix: &PREFIX, message: None }
    }

    #[test]
    fn escapes_whatever_people_typed() {
        let hostile = "<script>\"'&";
        let filled = Filled {
            username: hostile,
            passkey: Some(hostile),
            refusal: None,
            next: None,
            invite: Some(hostile),
            verify: Some(hostile),
            is_open: true,
            has_mail: true,
            names: NameKind::Name,
            email: Some(EmailInput { typed: hostile, is_required: true }),
        };
        let pages = [
            sign_up(frame(), &filled, |t| t.bad_password),
            sign_in(frame(), &filled, Remember::Offered(true)),
            profile(frame(), hostile, hostile, None),
            sign_out(frame(), hostile, None),
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
            profile(frame(), "u", "n", None),
            sign_out(frame(), "n", None),
            problem(frame(), |t| t.not_found, NextStep::Back),
        ];
        for page in pages.map(Markup::into_string) {
            for bad in ["<script", "style=", "<style", "http:", "https:", "//"] {
                assert!(!page.contains(bad), "{bad} in {page}");
            }
            // As in `onclick=`, and not as in a word.
            let is_handler = |it: &str| it.trim_start_matches(char::is_alphabetic).starts_with('=');
            assert!(!page.split(" on").skip(1).any(is_handler), "{page}");
        }
    }

    #[test]
    fn gives_the_focus_to_the_field_that_was_wrong() {
        let refused = |field| {
            let refusal = Some(Alert { say: |t| t.incorrect_credentials, field, wait: None });
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
