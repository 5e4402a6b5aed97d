//! The pages on which people look after their own account.

use maud::{Markup, html};

use super::{Field, PasswordInput, Refusal, page, password_input};

/// Which form of a page comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// The one that changes the password.
    Password,
    /// The one that deletes the account.
    Delete,
}

/// The account page.
pub struct Account<'a> {
    /// The name as first typed.
    pub username: &'a str,
    /// What new passwords have to be like.
    pub advice: &'a str,
    /// There are access tokens.
    pub has_tokens: bool,
    /// The form that comes back, and why. Passwords never come back.
    pub refused: Option<(Form, Refusal)>,
}

/// A session as its owner sees it.
pub struct Row {
    /// Names it.
    pub handle: String,
    /// The browser in a few words.
    pub browser: String,
    /// Where it began.
    pub address: String,
    /// When it began, as text.
    pub since: String,
    /// When it was last used, as text.
    pub seen: String,
    /// It is the one that asks.
    pub is_this: bool,
}

/// Password, sessions, deletion.
pub fn account(it: &Account<'_>) -> Markup {
    let refusal = |form| it.refused.filter(|(refused, _)| *refused == form).map(|(_, why)| why);
    let (password, delete) = (refusal(Form::Password), refusal(Form::Delete));
    let wrong = |field| password.filter(|it| it.field == field).map(|_| "password-refusal");
    let body = html! {
        p.aside { "Signed in as " strong { (it.username) } }
        section aria-labelledby="password-heading" {
            h2 #password-heading { "Password" }
            form method="post" action="/account/password" {
                // A password manager needs to know whose it is.
                input type="hidden" name="username" value=(it.username) autocomplete="username";
                (alert(password, "password-refusal"))
                (password_input(&PasswordInput {
                    id: "current_password",
                    label: "Present password",
                    autocomplete: "current-password",
                    refusal_id: wrong(Field::Current),
                    ..PasswordInput::default()
                }))
                (password_input(&PasswordInput {
                    id: "password",
                    label: "New password",
                    autocomplete: "new-password",
                    advice: Some(it.advice),
                    refusal_id: wrong(Field::Password),
                    ..PasswordInput::default()
                }))
                button { "Change password" }
            }
            p.hint {
                "All other browsers are signed out"
                @if it.has_tokens { ", and access tokens end" }
                "."
            }
        }
        section aria-labelledby="sessions-heading" {
            h2 #sessions-heading { "Sessions" }
            p { a href="/account/sessions" { "See where you are signed in" } }
        }
        @if it.has_tokens {
            section aria-labelledby="tokens-heading" {
                h2 #tokens-heading { "Access tokens" }
                p { a href="/account/tokens" { "Let scripts use the apps behind this sign-in" } }
            }
        }
        section aria-labelledby="delete-heading" {
            h2 #delete-heading { "Delete account" }
            form method="post" action="/account/delete" {
                (alert(delete, "delete-refusal"))
                (password_input(&PasswordInput {
                    id: "delete-password",
                    name: Some("password"),
                    label: "Password",
                    autocomplete: "current-password",
                    advice: Some("Your name, your password and all sessions are gone at once, for good."),
                    refusal_id: delete.is_some().then_some("delete-refusal"),
                    ..PasswordInput::default()
                }))
                button.grave { "Delete account" }
            }
        }
        p.aside { a href="/" { "Profile" } }
    };
    page("Account", &body)
}

/// The form that a one-time link leads to.
pub fn reset(username: &str, token: &str, advice: &str, refusal: Option<Refusal>) -> Markup {
    let body = html! {
        p.aside { "For " strong { (username) } }
        form method="post" action="/reset" {
            (alert(refusal, "refusal"))
            input type="hidden" name="token" value=(token);
            // A password manager needs to know whose it is.
            input type="hidden" name="username" value=(username) autocomplete="username";
            (password_input(&PasswordInput {
                id: "password",
                label: "New password",
                autocomplete: "new-password",
                advice: Some(advice),
                refusal_id: refusal.map(|_| "refusal"),
                is_focused: true,
                ..PasswordInput::default()
            }))
            button { "Set the password" }
        }
        p.hint { "You are signed out everywhere, and sign in with it then." }
    };
    page("New password", &body)
}

/// Where somebody is signed in. With `asks`, the password has to be given to end a session.
pub fn sessions(rows: &[Row], asks: bool, refusal: Option<Refusal>) -> Markup {
    let body = html! {
        (alert(refusal, "refusal"))
        ul.rows {
            @for row in rows {
                li {
                    p.what {
                        strong { @if row.browser.is_empty() { "Unknown browser" } @else { (row.browser) } }
                        @if row.is_this { " · this one" }
                    }
                    p.hint {
                        "Signed in " (row.since)
                        @if !row.address.is_empty() { " from " (row.address) }
                        br;
                        "Last seen " (row.seen)
                    }
                    form method="post" action="/account/sessions/end" {
                        input type="hidden" name="session" value=(row.handle);
                        @if asks { (proof(&format!("proof-{}", row.handle), None)) }
                        button.small aria-label=(format!("End the session of {}", row.browser)) { "End" }
                    }
                }
            }
        }
        @if rows.len() > 1 {
            form method="post" action="/account/sessions/end-others" {
                @if asks { (proof("proof-others", None)) }
                button { "End all others" }
            }
        }
        p.aside { a href="/account" { "Account" } }
    };
    page("Sessions", &body)
}

pub(super) fn proof(id: &str, refusal_id: Option<&str>) -> Markup {
    password_input(&PasswordInput {
        id,
        name: Some("current_password"),
        label: "Your password",
        autocomplete: "current-password",
        refusal_id,
        ..PasswordInput::default()
    })
}

pub(super) fn alert(refusal: Option<Refusal>, id: &str) -> Markup {
    html! {
        @if let Some(refusal) = refusal {
            p id=(id) role="alert" { strong { (refusal.text) } (refusal.advice) }
        }
    }
}
