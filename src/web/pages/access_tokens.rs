//! The page on which users create and revoke access tokens.

use maud::{Markup, html};

use super::account::proof;
use super::{Alert, Field, Frame, alert, page};

/// What the page shows in addition to the list.
#[derive(Clone, Copy, Default)]
pub struct Page<'a> {
    /// The username of their owner.
    pub username: &'a str,
    /// The token that was just created. It is shown only here.
    pub made: Option<&'a str>,
    /// The random key of the form, by which it is recognised when it arrives twice.
    pub key: &'a str,
    /// The name that was entered for a token that was refused.
    pub name: &'a str,
    /// The days that were chosen for a token that was refused.
    pub days: &'a str,
    /// Why the form was refused.
    pub refusal: Option<Alert>,
}

/// An access token in the list of its owner.
pub struct TokenRow {
    /// The handle of the token, which the form sends.
    pub handle: String,
    /// The name its owner gave it.
    pub name: String,
    /// The time it was created, as text.
    pub created: String,
    /// The time it expires, as text.
    pub expires: String,
    /// The time it was last used, as text; `None`: never.
    pub used: Option<String>,
    pub is_ended: bool,
}

/// The list of access tokens and the form that creates one. With `asks`, creating requires the password.
pub fn tokens(frame: Frame<'_>, rows: &[TokenRow], it: &Page<'_>, asks: bool) -> Markup {
    let t = frame.text;
    let lives = [("30", t.thirty_days), ("90", t.ninety_days), ("365", t.a_year)];
    let chosen = if it.days.is_empty() { "90" } else { it.days };
    let wrong = |field| it.refusal.filter(|it| it.field == field).map(|_| "refusal");
    let body = html! {
        p.aside { (t.tokens_advice) }
        @if let Some(token) = it.made {
            p role="status" {
                strong { (t.your_new_token) }
                (t.shown_once)
            }
            p.token { code { (token) } }
        }
        (alert(frame, it.refusal, "refusal"))
        @if !rows.is_empty() {
            ul.rows {
                @for row in rows { (token(frame, row)) }
            }
        }
        form method="post" action=(frame.at("/account/tokens")) {
            input type="hidden" name="key" value=(it.key);
            label for="name" { (t.name) }
            input #name name="name" value=(it.name) required autocomplete="off" dir="auto"
                autofocus[wrong(Field::Name).is_some()]
                aria-invalid=[wrong(Field::Name).map(|_| "true")]
                aria-describedby=[wrong(Field::Name)];
            label for="days" { (t.expires_in) }
            select #days name="days" {
                @for (days, words) in lives {
                    option value=(days) selected[days == chosen] { (words) }
                }
            }
            @if asks { (proof(frame, it.username, "proof", wrong(Field::Current))) }
            button { (t.create_token) }
        }
        p.aside { a href=(frame.at("/account")) { (t.account) } }
    };
    page(frame, t.access_tokens, &body)
}

fn token(frame: Frame<'_>, row: &TokenRow) -> Markup {
    let t = frame.text;
    html! {
        li {
            p.what { bdi { strong { (row.name) } } @if row.is_ended { " · " (t.expired) } }
            p.hint {
                (t.created_at) span.when { (row.created) } ", "
                @if row.is_ended { (t.expired_at) } @else { (t.expires_at) }
                span.when { (row.expires) }
                br;
                @match &row.used {
                    Some(used) => { (t.last_used) span.when { (used) } }
                    None => (t.never_used),
                }
            }
            form method="post" action=(frame.at("/account/tokens/revoke")) {
                input type="hidden" name="token" value=(row.handle);
                button.small aria-label=(t.revoke_it.around(&row.name)) { (t.revoke) }
            }
        }
    }
}
