//! The pages on which users change their e-mail address and verify it.

use maud::{Markup, html};

use super::account::proof;
use super::{Alert, Field, Frame, alert, page};

/// What the page of the address shows.
#[derive(Clone, Copy)]
pub struct EmailPage<'a> {
    pub username: &'a str,
    /// The address; empty: there is none.
    pub email: &'a str,
    pub is_verified: bool,
    /// Whether a change requires the password.
    pub asks: bool,
    /// The address that was typed, if it was refused.
    pub typed: &'a str,
    /// Why the form was refused.
    pub refusal: Option<Alert>,
}

/// The address of the account, with the form that changes it and the button that removes it.
pub fn email(frame: Frame<'_>, it: &EmailPage<'_>) -> Markup {
    let t = frame.text;
    let wrong = |field| it.refusal.filter(|it| it.field == field).map(|_| "refusal");
    let body = html! {
        @if it.email.is_empty() {
            p.fact { (t.no_email) }
        } @else {
            p.fact {
                bdi { strong { (it.email) } } " · "
                @if it.is_verified { (t.is_verified) } @else { (t.is_not_verified) }
            }
        }
        form method="post" action=(frame.at("/account/email")) {
            (alert(frame, it.refusal, "refusal"))
            label for="email" { (t.new_email) }
            input #email type="email" name="email" value=(it.typed) required autocomplete="email"
                autofocus[wrong(Field::Email).is_some()]
                aria-invalid=[wrong(Field::Email).map(|_| "true")]
                aria-describedby=(super::described_by(wrong(Field::Email), Some("email-advice")).unwrap_or_default());
            p.hint #email-advice { (t.email_advice) }
            @if it.asks { (proof(frame, it.username, "proof", wrong(Field::Current))) }
            button { (t.send_link) }
        }
        @if !it.email.is_empty() {
            form method="post" action=(frame.at("/account/email")) {
                input type="hidden" name="email" value="";
                @if it.asks { (proof(frame, it.username, "removal-proof", None)) }
                button.quiet { (t.remove_email) }
            }
        }
        p.aside { a href=(frame.at("/account")) { (t.account) } }
    };
    page(frame, t.email, &body)
}

/// The page behind a link that verifies an address. It needs a click: programs that look at mail follow links.
pub fn verification(frame: Frame<'_>, username: &str, address: &str, token: &str) -> Markup {
    let t = frame.text;
    let body = html! {
        p.fact { bdi { strong { (address) } } }
        p.aside { (t.signed_in_as) bdi { strong { (username) } } }
        // With the token in its address, the page of a refused form can be asked for again.
        form method="post" action={ (frame.at("/verify")) "?token=" (token) } {
            input type="hidden" name="token" value=(token);
            button { (t.it_is_mine) }
        }
        p.aside { a href=(frame.at("/account")) { (t.account) } }
    };
    page(frame, t.is_it_yours, &body)
}
