//! The page on which users see and end their sessions.

use std::borrow::Cow;

use maud::{Markup, html};

use super::{Alert, Frame, Past, ago, alert, page};

/// What the page shows.
pub struct SessionsPage {
    /// How many sessions the user has; the page may show fewer.
    pub count: usize,
    /// The sessions that are shown.
    pub groups: Vec<BrowserSessions>,
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
    /// The handle of the session, which the form sends.
    pub handle: String,
    /// The address it was started from; may be empty.
    pub address: String,
    /// When it was started.
    pub since: Past,
    /// When it was last used.
    pub seen: Past,
    /// Whether it is the session of this request.
    pub is_this: bool,
}

/// The list of sessions: one form, whose buttons name the session to end.
pub fn sessions(frame: Frame<'_>, it: &SessionsPage) -> Markup {
    let t = frame.text;
    let shown: usize = it.groups.iter().map(|group| group.rows.len()).sum();
    let body = html! {
        (alert(frame, it.alert, "refusal"))
        form method="post" action=(frame.at("/account/sessions/end")) {
            ul.rows { @for group in &it.groups { (of_browser(frame, group)) } }
        }
        @if shown < it.count {
            p.aside {
                a href={ (frame.at("/account/sessions")) "?all=1" } {
                    (t.show_all_sessions.around(&it.count.to_string()))
                }
            }
        }
        @if it.count > 1 {
            form method="post" action=(frame.at("/account/sessions/end-others")) {
                button { (t.end_others) }
            }
        }
        p.aside { a href=(frame.at("/account")) { (t.account) } }
    };
    page(frame, t.sessions, &body)
}

fn of_browser(frame: Frame<'_>, group: &BrowserSessions) -> Markup {
    let browser = browser(frame, &group.browser);
    html! {
        li {
            p.what { strong { (browser) } }
            @for row in &group.rows { (session(frame, &browser, row)) }
        }
    }
}

fn session(frame: Frame<'_>, browser: &str, row: &SessionRow) -> Markup {
    let t = frame.text;
    html! {
        p.hint {
            @if row.is_this { strong { (t.this_browser) } " · " }
            (t.last_seen) (ago(frame, row.seen))
            br;
            (t.signed_in_at) (ago(frame, row.since))
            @if !row.address.is_empty() { (t.from_address) (row.address) }
        }
        button.small name="session" value=(row.handle)
            aria-label={ (t.end_session_of.around(browser)) ", " (row.seen.words(t)) } { (t.end) }
    }
}

/// The browser's description in the language of the page.
pub(super) fn browser<'a>(frame: Frame<'_>, name: &'a str) -> Cow<'a, str> {
    match name.split_once(" on ") {
        _ if name.is_empty() => frame.text.unknown_browser.into(),
        Some((product, system)) => format!("{product}{}{system}", frame.text.on_system).into(),
        None => name.into(),
    }
}
