//! The page on which people make access tokens and revoke them.

use maud::{Markup, html};

use super::account::proof;
use super::{Field, Frame, Refusal, alert, around, page};

/// What the page shows beside the tokens.
#[derive(Clone, Copy, Default)]
pub struct Page<'a> {
    /// Whose tokens they are.
    pub username: &'a str,
    /// The token that was just made. It is shown this once.
    pub made: Option<&'a str>,
    /// The name that was typed for one that was refused.
    pub name: &'a str,
    /// And how many days were chosen for it.
    pub days: &'a str,
    /// Why it was.
    pub refusal: Option<Refusal>,
}

/// An access token as its owner sees it.
pub struct Row {
    /// Names it.
    pub handle: String,
    /// What its owner calls it.
    pub name: String,
    /// When it was made, as text.
    pub created: String,
    /// When it ends, as text.
    pub expires: String,
    /// When it was last used, as text; `None`: never.
    pub used: Option<String>,
    /// It is good no more.
    pub is_ended: bool,
}

/// The tokens of somebody, and the form that makes one. With `asks`, the password has to be given.
pub fn tokens(frame: Frame<'_>, rows: &[Row], it: &Page<'_>, asks: bool) -> Markup {
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
        form method="post" action="/account/tokens" {
            label for="name" { (t.name) }
            input #name name="name" value=(it.name) required autocomplete="off"
                autofocus[wrong(Field::Name).is_some()]
                aria-invalid=[wrong(Field::Name).map(|_| "true")]
                aria-describedby=[wrong(Field::Name)];
            label for="days" { (t.good_for) }
            select #days name="days" {
                @for (days, words) in lives {
                    option value=(days) selected[days == chosen] { (words) }
                }
            }
            @if asks { (proof(frame, it.username, "proof", wrong(Field::Current))) }
            button { (t.make_token) }
        }
        p.aside { a href="/account" { (t.account) } }
    };
    page(frame, t.access_tokens, &body)
}

fn token(frame: Frame<'_>, row: &Row) -> Markup {
    let t = frame.text;
    html! {
        li {
            p.what { strong { (row.name) } @if row.is_ended { " · " (t.ended) } }
            p.hint {
                (t.made_at) span.when { (row.created) } ", "
                @if row.is_ended { (t.ended_at) } @else { (t.good_until) }
                span.when { (row.expires) }
                br;
                @match &row.used {
                    Some(used) => { (t.last_used) span.when { (used) } }
                    None => (t.never_used),
                }
            }
            form method="post" action="/account/tokens/revoke" {
                input type="hidden" name="token" value=(row.handle);
                button.small aria-label=(around(t.revoke_it, &row.name)) { (t.revoke) }
            }
        }
    }
}
