//! Whether the app is open at the paths of check endpoints. The guides of other gates exempt some of these paths on the
//! app's own host. An exemption that was left behind lets every request through, or exposes the check itself; then a
//! client can send what only the proxy should: the original address, the required groups, the user.

use url::Url;

use super::verdict::{self, Guard};
use super::wire::{Question, Reply};
use super::{Examination, Visit, asked, cookie, origin};
use crate::base::token::random_text;
use crate::web::check_paths;
use crate::web::http::SESSION_COOKIES;

/// The sign-in paths of oauth2-proxy's guides on the app's host. They lead to the sign-in page, as the checks do.
const SIGN_IN: [&str; 2] = ["/oauth2/sign_in", "/oauth2/start"];

/// The finding about an address at which the check answers clients, and the advice.
const OPEN_CHECK: &str = "is answered by the check itself, to which a client may say what it wants; let only the proxy \
                          itself ask the gate (in nginx, internal; in that location)";

impl Examination<'_> {
    /// Follows a link to each check endpoint on the app's host, if the app is guarded and has the host to itself.
    pub(super) fn visit_check_addresses(&mut self, visits: &[Visit]) {
        let Some(first) = visits.first().filter(|it| it.guard.is_shut()) else { return };
        if self.plan.app.path() != "/" {
            return;
        }
        let is_shared = first.guard.page().is_some_and(|it| origin(it) == origin(&self.plan.app));
        let mut shut = 0;
        for path in check_paths().chain(SIGN_IN) {
            let what = format!("GET {path}");
            let url = asked(&self.plan.app, path);
            let Some(reply) = self.ask(&what, &Question::navigation(&url)) else { return };
            let guard = Guard::of(&reply);
            let is_check =
                !is_shared && !SIGN_IN.contains(&path) && answers_as_check(&url, &guard, &reply);
            if is_check {
                self.report.tell_at("check", path, Err(format!("{what} of the app {OPEN_CHECK}")));
            } else if guard.is_shut()
                || (guard == Guard::Open(404) && (is_shared || self.is_of_vestibule(&url)))
            {
                // It is guarded, or the 404 is one of the sign-in itself.
                shut += 1;
            } else {
                let finding = verdict::navigation(&what, &guard, None);
                self.report.tell_at("navigation", path, finding);
            }
        }
        if shut > 0 {
            let text = format!(
                "GET {shut} addresses of checks at the app: none shows the app without a session"
            );
            self.report.tell(Ok(text));
        }
    }

    /// Whether vestibule answers at this address of the app, as it does where a guide passes a whole folder on to the
    /// gate. It is recognised by clearing an invalid session cookie.
    fn is_of_vestibule(&self, url: &Url) -> bool {
        SESSION_COOKIES.iter().any(|name| {
            let value = format!("{name}={}", random_text(40));
            let question = Question::navigation(url).with(&[("Cookie", &*value)]);
            self.wire.ask(&question).is_ok_and(|it| cookie::cleared(&it, name).is_some())
        })
    }
}

/// Whether this is the answer of a check to a client: the error meant for the proxy, or a redirect that does not lead
/// back to the address that was asked for.
fn answers_as_check(url: &Url, guard: &Guard, reply: &Reply) -> bool {
    match guard {
        Guard::Locked(401) => reply.body.contains("not_signed_in"),
        Guard::SignIn { back, .. } => back.as_deref() != Some(url.as_str()),
        _ => false,
    }
}
