//! Pages shown on the host of an app, which does not serve our stylesheet.

use maud::{DOCTYPE, Markup, html};

use super::Frame;

/// For a signed-in user who may not access the app. `own` is the URL of this site.
pub fn closed(frame: Frame<'_>, username: &str, own: &str) -> Markup {
    let t = frame.text;
    page(
        frame,
        &html! {
            p { (t.closed_to.0) strong { (username) } (t.closed_to.1) }
            p { a href=(format!("{own}/")) { (t.with_another_account) } }
        },
    )
}

/// For a browser that sends two different session cookies. `own` is the URL of this site.
pub fn confused(frame: Frame<'_>, own: &str) -> Markup {
    let t = frame.text;
    page(
        frame,
        &html! {
            p { (t.two_cookies_sent) }
            p {
                (t.clear_cookies_and.0) a href=(format!("{own}/")) { (t.sign_in_again) } (t.clear_cookies_and.1)
            }
        },
    )
}

fn page(frame: Frame<'_>, body: &Markup) -> Markup {
    let title = frame.text.closed.title;
    html! {
        (DOCTYPE)
        html lang=(frame.text.code) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
            }
            body {
                h1 { (title) }
                (body)
            }
        }
    }
}
