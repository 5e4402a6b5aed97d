//! The page on which users see and end their sessions.

use maud::{Markup, html};

use super::joined::Joined;
use super::moments::{Told, ago, ago_with_id};
use super::paging::{self, PageOfList};
use super::{Alert, Frame, alert, page};
use crate::web::messages::Text;

/// What the page shows.
pub struct SessionsPage {
    /// The sessions of this page of the list, by browser.
    pub groups: Vec<BrowserSessions>,
    pub list: PageOfList,
    /// Whether there are sessions beside that of this request.
    pub has_others: bool,
    /// Why none was ended.
    pub alert: Option<Alert>,
}

/// Sessions of browsers that cannot be told apart.
pub struct BrowserSessions {
    /// The browser in a few words, as in `Firefox on Linux`; may be empty.
    pub browser: String,
    pub rows: Vec<SessionRow>,
}

/// A session in the list of its owner.
pub struct SessionRow {
    /// Its place on the page.
    pub place: usize,
    /// The handle of the session, which the form sends.
    pub handle: String,
    /// The address it was started from; may be empty.
    pub address: String,
    /// When it was started.
    pub since: Told,
    /// When it was last used.
    pub seen: Told,
    /// Whether it is the session of this request.
    pub is_this: bool,
}

/// The list of sessions: one form, whose buttons name the session to end.
pub fn sessions(frame: Frame<'_>, it: &SessionsPage) -> Markup {
    let t = frame.text;
    let body = html! {
        (alert(frame, it.alert, "refusal"))
        form method="post" action=(frame.at("/account/sessions/end")) {
            (paging::field(it.list))
            @for (place, group) in it.groups.iter().enumerate() { (of_browser(frame, place, group)) }
        }
        (paging::links(frame, "/account/sessions", it.list))
        @if it.has_others {
            form method="post" action=(frame.at("/account/sessions/end-others")) {
                button.grave { (t.end_others) }
            }
        }
        p.aside { a href=(frame.at("/account")) { (t.account) } }
    };
    page(frame, t.sessions, &body)
}

/// The ids of heading, time and button give each button a name of its own.
fn of_browser(frame: Frame<'_>, place: usize, group: &BrowserSessions) -> Markup {
    let heading = format!("g{place}");
    html! {
        h2 id=(heading) { (browser(frame, &group.browser)) }
        ul.rows {
            @for row in &group.rows { (session(frame, &heading, row)) }
        }
    }
}

fn session(frame: Frame<'_>, heading: &str, row: &SessionRow) -> Markup {
    let t = frame.text;
    let [button, time] = ['b', 't'].map(|it| format!("{it}{}", row.place));
    html! {
        li {
            p {
                @if row.is_this { strong { (t.this_browser) } br; }
                (t.last_seen) (ago_with_id(frame, &time, row.seen))
                br;
                (t.signed_in_at) (ago(frame, row.since))
                @if !row.address.is_empty() { (t.from_address) (row.address) }
            }
            button id=(button) name="session" value=(row.handle)
                aria-labelledby={ (button) " " (heading) " " (time) } { (t.end) }
        }
    }
}

/// The browser's description in the language of the page.
pub(super) fn browser<'a>(frame: Frame<'_>, name: &'a str) -> Joined<'a, 3> {
    Joined(browser_in(frame.text, name))
}

/// A browser and its system in a language, in parts that follow one another.
pub(in crate::web) fn browser_in<'a>(text: &Text, name: &'a str) -> [&'a str; 3] {
    const ON: &str = " on ";
    // Names are short: to look at each place takes less than what `str::find` prepares.
    let on = name.as_bytes().windows(ON.len()).position(|it| it == ON.as_bytes());
    match on {
        _ if name.is_empty() => [text.unknown_browser, "", ""],
        Some(at) => [&name[..at], text.on_system, &name[at + ON.len()..]],
        None => [name, "", ""],
    }
}
