//! Stylesheet, script, icon and logo, which are the same for every client.

use std::borrow::Cow;

use crate::web::call::{Answered, Call};
use crate::web::http::Response;
use crate::web::pages;

/// For the operator's logo, which may be an SVG with a script in it. A script does not run in an image on a
/// page; this policy is for a browser that opens the logo itself.
const POLICY_OF_LOGO: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

pub(in crate::web) fn style(call: &Call<'_>) -> Answered {
    Ok(file("text/css; charset=utf-8", call.site.settings.look.style()))
}

pub(in crate::web) fn icon(_: &Call<'_>) -> Answered {
    Ok(file("image/svg+xml", pages::ICON.as_bytes()))
}

/// The one script, without its comments and without the white space that is there for readers.
pub(in crate::web) fn script(_: &Call<'_>) -> Answered {
    Ok(file("text/javascript; charset=utf-8", pages::passkeys::script_text().into_bytes()))
}

pub(in crate::web) fn logo(call: &Call<'_>) -> Answered {
    Ok(match call.site.settings.look.logo() {
        Some(logo) => {
            file(logo.kind, logo.bytes.clone()).with("Content-Security-Policy", POLICY_OF_LOGO)
        }
        None => call.problem(404, |t| t.not_found),
    })
}

/// A file that is the same for every client. Its address changes with its content, so browsers may cache it
/// for a day. Pages on the hosts of apps use it too.
fn file(kind: &'static str, content: impl Into<Cow<'static, [u8]>>) -> Response {
    Response::file(kind, content)
        .with("Cache-Control", "public, max-age=86400")
        .with("Cross-Origin-Resource-Policy", "same-site")
}
