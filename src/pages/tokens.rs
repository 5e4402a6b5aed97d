//! The page on which people make access tokens and revoke them.

use maud::{Markup, html};

use super::account::{alert, proof};
use super::{Field, Refusal, page};

/// What the page shows beside the tokens.
#[derive(Default)]
pub struct Page<'a> {
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

/// How long a token may be good, in days, and in words.
const LIVES: [(u16, &str); 3] = [(30, "30 days"), (90, "90 days"), (365, "a year")];

/// The tokens of somebody, and the form that makes one. With `asks`, the password has to be given.
pub fn tokens(rows: &[Row], it: &Page<'_>, asks: bool) -> Markup {
    let chosen = if it.days.is_empty() { "90" } else { it.days };
    let wrong = |field| it.refusal.filter(|it| it.field == field).map(|_| "refusal");
    let body = html! {
        p.aside { "For scripts and apps that cannot show a sign-in page. They open the apps behind this "
            "sign-in and nothing here; a new password ends them all." }
        @if let Some(token) = it.made {
            p role="status" {
                strong { "Your new access token" }
                "It is shown this once. Please copy it now."
            }
            p.token { code { (token) } }
        }
        (alert(it.refusal, "refusal"))
        @if !rows.is_empty() {
            ul.rows {
                @for row in rows { (token(row)) }
            }
        }
        form method="post" action="/account/tokens" {
            label for="name" { "Name" }
            input #name name="name" value=(it.name) required autocomplete="off"
                autofocus[wrong(Field::Name).is_some()]
                aria-invalid=[wrong(Field::Name).map(|_| "true")]
                aria-describedby=[wrong(Field::Name)];
            label for="days" { "Good for" }
            select #days name="days" {
                @for (days, words) in LIVES {
                    option value=(days) selected[days.to_string() == chosen] { (words) }
                }
            }
            @if asks { (proof("proof", wrong(Field::Current))) }
            button { "Make an access token" }
        }
        p.aside { a href="/account" { "Account" } }
    };
    page("Access tokens", &body)
}

fn token(row: &Row) -> Markup {
    html! {
        li {
            p.what { strong { (row.name) } @if row.is_ended { " · ended" } }
            p.hint {
                "Made " (row.created) ", " @if row.is_ended { "ended " } @else { "good until " } (row.expires)
                br;
                @match &row.used {
                    Some(used) => { "Last used " (used) }
                    None => "Never used",
                }
            }
            form method="post" action="/account/tokens/revoke" {
                input type="hidden" name="token" value=(row.handle);
                button.small aria-label=(format!("Revoke {}", row.name)) { "Revoke" }
            }
        }
    }
}
