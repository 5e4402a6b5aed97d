//! Pages that stand on the host of an app, where our stylesheet is not.

use maud::{DOCTYPE, Markup, html};

/// For somebody who is signed in and may not see an app. `own`: where this site is.
pub fn closed(username: &str, own: &str) -> Markup {
    page(&html! {
        p { "You are signed in as " strong { (username) } ", and this is not open to you." }
        p { a href=(format!("{own}/")) { "Sign in as somebody else" } }
    })
}

/// For somebody whose browser sends two session cookies.
pub fn confused(own: &str) -> Markup {
    page(&html! {
        p { "Your browser sends two sign-ins at once, and nobody can tell which one is yours." }
        p { "Please clear the cookies of this site, and " a href=(format!("{own}/")) { "sign in again" } "." }
    })
}

fn page(body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Forbidden" }
            }
            body {
                h1 { "Forbidden" }
                (body)
            }
        }
    }
}
