//! The pages of the second factor.

use maud::{Markup, html};

use super::{Alert, Field, Frame, alert, described_by, next_field, page};
use crate::web::redirect::{self, Target};

/// The form that asks for the second factor during a sign-in.
#[derive(Clone, Copy)]
pub struct CodeForm<'a> {
    /// Whether it asks for a recovery code in place of one of the app.
    pub takes_recovery_code: bool,
    /// Whether the browser can be remembered.
    pub can_remember: bool,
    /// Whether that box is ticked.
    pub remembers: bool,
    /// The token of the sign-in that waits, if the form brought it: the browser has no cookie for it.
    pub pending: Option<&'a str>,
    /// Where to go after signing in.
    pub next: Option<&'a Target>,
    /// Why the form was refused.
    pub refusal: Option<Alert>,
}

/// The page that asks for the second factor during a sign-in.
pub fn code(frame: Frame<'_>, it: &CodeForm<'_>) -> Markup {
    let t = frame.text;
    let next = it.next.map(Target::as_str);
    let here = frame.prefix.at("/login/second").to_string();
    let other = if it.takes_recovery_code { here.clone() } else { format!("{here}?with=recovery") };
    let other = redirect::way(&other, next);
    let action = if it.takes_recovery_code { format!("{here}?with=recovery") } else { here };
    let body = html! {
        form method="post" action=(action) {
            (alert(frame, it.refusal, "refusal"))
            (code_input(frame, it.takes_recovery_code, it.refusal))
            @if it.can_remember {
                label.choice {
                    input type="checkbox" name="remember_browser" value="yes" checked[it.remembers];
                    " " (t.remember_browser)
                }
            }
            @if let Some(pending) = it.pending { input type="hidden" name="pending" value=(pending); }
            (next_field(next))
            button { (t.sign_in) }
        }
        p.aside {
            a href=(other) { @if it.takes_recovery_code { (t.use_app) } @else { (t.use_recovery_code) } }
        }
        p.aside { a href=(redirect::way(&frame.prefix.at("/login").to_string(), next)) { (t.start_again) } }
    };
    page(frame, t.enter_code, &body)
}

/// The field for a code of the app, or for a recovery code, which has letters: phones show other keys for it.
fn code_input(frame: Frame<'_>, is_recovery_code: bool, refusal: Option<Alert>) -> Markup {
    let t = frame.text;
    let (label, advice) = if is_recovery_code {
        (t.recovery_code, t.recovery_code_advice)
    } else {
        (t.app_code, t.code_advice)
    };
    let wrong = refusal.filter(|it| it.field == Field::Code).map(|_| "refusal");
    html! {
        label for="code" { (label) }
        input #code name="code" required autofocus
            autocomplete=(if is_recovery_code { "off" } else { "one-time-code" })
            inputmode=[(!is_recovery_code).then_some("numeric")]
            autocapitalize="none" autocorrect="off" spellcheck="false"
            aria-invalid=[wrong.map(|_| "true")]
            aria-describedby=[described_by(wrong, Some("code-advice"))];
        p.hint #code-advice { (advice) }
    }
}
