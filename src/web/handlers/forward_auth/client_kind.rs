//! What kind of client a check is about, as far as the fields of its request tell.
//!
//! Decides who is sent to the sign-in page and who is challenged for a password. In doubt a request is neither:
//! a script would take the page for its result, and a challenge makes a browser prompt for a password.

use crate::web::Site;
use crate::web::http::{Cookie, Request, Wants};

/// How the `User-Agent` of a browser begins, of the player in Safari, and of proxies that name themselves where
/// they pass on no field of the request.
const NO_SCRIPTS: [&str; 5] =
    ["Mozilla/", "Opera/", "AppleCoreMedia/", "Go-http-client/", "HAProxy"];

/// Whether a browser loads a page, and would show the sign-in page in its place. A script, an image or a
/// WebSocket would take the sign-in page for its result.
pub(super) fn is_navigation(request: &Request) -> bool {
    let names = |name: &str, value: &str| {
        request.values(name).any(|it| it.to_ascii_lowercase().contains(value))
    };
    let is_socket = names("upgrade", "websocket")
        || request.value("sec-websocket-key").is_some()
        || request.value("sec-websocket-version").is_some();
    request.wants() == Wants::Html
        && request.values("sec-fetch-mode").all(|it| it == "navigate")
        && !names("x-requested-with", "xmlhttprequest")
        && !is_socket
}

/// Whether the request is plainly no browser's, so that a `Basic` challenge opens no prompt: it names its
/// program, which is no browser, accepts no page, and has nothing that only browsers send. Old browsers send no
/// Fetch Metadata, so the name of the program counts as well; a proxy that does not pass it on gets no challenge.
pub(super) fn is_plainly_no_browser(site: &Site, request: &Request) -> bool {
    let is_script = |agent: &str| !NO_SCRIPTS.iter().any(|it| agent.starts_with(it));
    let is_of_browsers = |(name, _): &(String, String)| {
        let name = name.to_ascii_lowercase();
        name.starts_with("sec-") || matches!(&*name, "origin" | "x-requested-with")
    };
    request.values("user-agent").next().is_some()
        && request.values("user-agent").all(is_script)
        && request.wants() != Wants::Html
        && !request.headers.iter().any(is_of_browsers)
        && request.cookie(site.cookie.name) == Cookie::Absent
}
