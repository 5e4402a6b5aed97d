//! Pages shown on the host of an app, with the style of this site.

use maud::{Markup, html};

use super::{Frame, page};

/// What is said to a signed-in user who may not access an app.
pub struct Denied<'a> {
    pub username: &'a str,
    /// The host of the app, if it is known.
    pub app: Option<&'a str>,
    /// The groups whose members have access; empty: that is not said.
    pub groups: &'a [&'a str],
    /// The page with the sign-out button, which leads back to the app.
    pub way_out: &'a str,
}

/// For a signed-in user who may not access the app.
pub fn denied(frame: Frame<'_>, denied: &Denied<'_>) -> Markup {
    let t = frame.text;
    let body = html! {
        p.fact { (t.signed_in_as) bdi { strong { (denied.username) } } }
        p.fact {
            @match denied.app {
                Some(app) => { (t.no_access_to.0) strong { (app) } (t.no_access_to.1) },
                None => (t.closed.hint),
            }
            @if let Some(members) = t.open_to(denied.groups) {
                " " (members.0) strong { (denied.groups.join(", ")) } (members.1)
            }
        }
        p.aside { @match &frame.look.help { Some(help) => (help), None => (t.ask_administrator) } }
        p.aside { a href=(denied.way_out) { (t.with_another_account) } }
    };
    page(frame, t.closed.title, &body)
}

/// For a signed-in user without a second factor, where an app is open only to sessions with one. `set_up` is the URL of
/// the page where it is set up; `None`: the user cannot. `way_out` is that of the page with the sign-out button.
pub fn second_factor_needed(
    frame: Frame<'_>,
    username: &str,
    (set_up, way_out): (Option<&str>, &str),
) -> Markup {
    let t = frame.text;
    let body = html! {
        p.fact { (t.signed_in_as) bdi { strong { (username) } } }
        p.fact { (t.second_factor_missing.hint) }
        @match (set_up, &frame.look.help) {
            (Some(set_up), _) => p.aside { a href=(set_up) { (t.set_second_factor_up) } },
            (None, Some(help)) => p.aside { (help) },
            (None, None) => p.aside { (t.ask_administrator) },
        }
        p.aside { a href=(way_out) { (t.with_another_account) } }
    };
    page(frame, t.second_factor_missing.title, &body)
}

/// For a visitor without a session whose proxy shows this page instead of following its redirect. `way_in` is the
/// URL of the sign-in page.
pub fn sign_in_first(frame: Frame<'_>, way_in: &str) -> Markup {
    let t = frame.text;
    let body = html! {
        p.aside { (t.unauthorized.hint) }
        p.aside { a href=(way_in) { (t.sign_in) } }
    };
    page(frame, t.sign_in, &body)
}

/// For a browser that sends two different session cookies.
pub fn confused(frame: Frame<'_>) -> Markup {
    let t = frame.text;
    let body = html! {
        p.aside { (t.two_cookies_sent) }
        p.aside {
            (t.clear_cookies_and.0) a href=(frame.at("/")) { (t.sign_in_again) } (t.clear_cookies_and.1)
        }
    };
    page(frame, t.closed.title, &body)
}
