//! The page on which users see what was done with their account.

use maud::{Markup, html};

use super::moments::{Told, ago};
use super::paging::{self, PageOfList};
use super::sessions::browser;
use super::{Frame, page};
use crate::web::messages::Phrase;

/// A record in the list.
pub struct ActivityRow<'a> {
    /// What happened, in each language.
    pub what: Phrase,
    pub at: Told,
    /// The browser in a few words, as in `Firefox on Linux`; may be empty.
    pub browser: &'a str,
    /// The client address; may be empty.
    pub address: &'a str,
}

/// The list of what was done, the latest first.
pub fn activity(frame: Frame<'_>, rows: &[ActivityRow<'_>], list: PageOfList) -> Markup {
    let t = frame.text;
    let body = html! {
        @if rows.is_empty() { p.aside { (t.no_activity) } }
        @else { ul.rows { @for row in rows { (record(frame, row)) } } }
        (paging::links(frame, "/account/activity", list))
        p.aside { a href=(frame.at("/account")) { (t.account) } }
    };
    page(frame, t.activity, &body)
}

fn record(frame: Frame<'_>, row: &ActivityRow<'_>) -> Markup {
    html! {
        li {
            p {
                strong { ((row.what)(frame.text)) }
                br;
                (ago(frame, row.at))
                @if !row.address.is_empty() { (frame.text.from_address) (row.address) }
                @if !row.browser.is_empty() { br; (browser(frame, row.browser)) }
            }
        }
    }
}
