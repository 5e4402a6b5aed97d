//! The page on which users create and revoke access tokens.

use maud::{Markup, html};

use super::account::proof;
use super::moments::{Told, ago, in_future};
use super::paging::{self, PageOfList};
use super::{Alert, Field, Frame, alert, described_by, page};

/// What the page shows in addition to the list.
#[derive(Clone, Copy, Default)]
pub struct Page<'a> {
    /// The username of their owner.
    pub username: &'a str,
    /// The token that was just created. It is shown only here.
    pub made: Option<&'a str>,
    /// The random key of the form, by which it is recognised when it arrives twice.
    pub key: &'a str,
    /// Whether the form is asked for.
    pub is_new: bool,
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
    pub created: Told,
    pub expires: Told,
    /// When it was last used; `None`: never.
    pub used: Option<Told>,
    pub is_ended: bool,
}

/// The list of access tokens, or the form that creates one where there are none yet, where it is asked for and where it
/// was refused. With `asks`, creating requires the password.
pub fn tokens(
    frame: Frame<'_>,
    (rows, list): (&[TokenRow], PageOfList),
    it: &Page<'_>,
    asks: bool,
) -> Markup {
    let t = frame.text;
    let is_form = it.is_new || it.refusal.is_some() || rows.is_empty();
    let body = html! {
        @match it.made {
            Some(token) => {
                p role="status" {
                    strong { (t.your_new_token) }
                    (t.shown_once)
                }
                p.token { code { (token) } }
            }
            None => p.aside { (t.tokens_advice) },
        }
        @if is_form { (creation(frame, it, asks)) } @else { (revocation(frame, rows, list)) }
        p.aside {
            @if is_form && !rows.is_empty() {
                a href=(frame.at("/account/tokens")) { (t.back_to_tokens) }
                br;
            }
            a href=(frame.at("/account")) { (t.account) }
        }
    };
    page(frame, t.access_tokens, &body)
}

fn creation(frame: Frame<'_>, it: &Page<'_>, asks: bool) -> Markup {
    let t = frame.text;
    let lives = [("30", t.thirty_days), ("90", t.ninety_days), ("365", t.a_year)];
    let chosen = if it.days.is_empty() { "90" } else { it.days };
    let wrong = |field| it.refusal.filter(|it| it.field == field).map(|_| "refusal");
    html! {
        (alert(frame, it.refusal, "refusal"))
        form method="post" action=(frame.at("/account/tokens")) {
            input type="hidden" name="key" value=(it.key);
            label for="name" { (t.name) }
            input #name name="name" value=(it.name) required autocomplete="off" dir="auto"
                autofocus[it.is_new || wrong(Field::Name).is_some()]
                aria-invalid=[wrong(Field::Name).map(|_| "true")]
                aria-describedby=[described_by(wrong(Field::Name), Some("name-advice"))];
            p.hint #name-advice { (t.bad_display_name.hint) }
            label for="days" { (t.expires_in) }
            select #days name="days" {
                @for (days, words) in lives {
                    option value=(days) selected[days == chosen] { (words) }
                }
            }
            @if asks { (proof(frame, it.username, "proof", wrong(Field::Current))) }
            button { (t.create_token) }
        }
    }
}

/// The list: one form, whose buttons name the access token to revoke.
fn revocation(frame: Frame<'_>, rows: &[TokenRow], list: PageOfList) -> Markup {
    let t = frame.text;
    html! {
        form method="post" action=(frame.at("/account/tokens/revoke")) {
            (paging::field(list))
            ul.rows {
                @for (place, row) in rows.iter().enumerate() { (token(frame, place, row)) }
            }
        }
        (paging::links(frame, "/account/tokens", list))
        p.apps { a href={ (frame.at("/account/tokens")) "?new=1" } { (t.create_token) } }
    }
}

fn token(frame: Frame<'_>, place: usize, row: &TokenRow) -> Markup {
    let t = frame.text;
    html! {
        li {
            p {
                strong id={ "n" (place) } dir="auto" { (row.name) }
                br;
                @if row.is_ended { (t.expired_at) (ago(frame, row.expires)) }
                @else { (t.expires_at.0) (in_future(frame, row.expires)) (t.expires_at.1) }
                br;
                @match row.used {
                    Some(used) => { (t.last_used) (ago(frame, used)) }
                    None => { (t.created_at) (ago(frame, row.created)) (t.never_used) },
                }
            }
            button id={ "b" (place) } name="token" value=(row.handle)
                aria-labelledby={ "b" (place) " n" (place) } { (t.revoke) }
        }
    }
}
