//! Renewing a session where the browser opens nothing but guarded pages of an app on the host of the sign-in.
//!
//! The response that lets a request through goes to the proxy, and cannot set the cookie anew. To let the proxy add
//! the cookie to the response of the app would give it to a cache that may store that response, and to every visitor
//! who is answered from there. So the browser is led once more to the address that it asked for, by a response of this
//! site that carries the cookie and that no cache stores: once a day for each session, and only where the operator's
//! address of the check asks for it, as the proxy has to pass the whole response on.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::checks::{Protocol, Turn};
use super::client_kind::is_navigation;
use super::{OriginalMethod, is_asked, method, original, plainly, told};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::web::call::{Call, Requester};
use crate::web::http::Response;
use crate::web::redirect::Target;

/// A session is not led back again for so long: a renewal that could not be written would otherwise lead a browser
/// back without end.
const PAUSE: Duration = Duration::from_secs(10 * 60);

/// The most sessions that are remembered. Beyond it none is led back, until some of them may be again.
const SESSIONS_MAX: usize = 4_096;

/// The sessions whose browsers were led back lately. Shared by all threads.
#[derive(Default)]
pub(in crate::web) struct LedBack {
    lately: Mutex<HashMap<TokenHash, Moment>>,
}

impl LedBack {
    /// Whether the browser of this session may be led back now, which is remembered if so.
    fn admit(&self, id: &TokenHash, now: Moment) -> bool {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that went back begins anew.
        let is_late = |at: Moment| at.after(PAUSE) > now && at.has_passed(now);
        if lately.get(id).is_some_and(|at| is_late(*at)) {
            return false;
        }
        if lately.len() >= SESSIONS_MAX {
            lately.retain(|_, at| is_late(*at));
        }
        let has_room = lately.len() < SESSIONS_MAX || lately.contains_key(id);
        if has_room {
            lately.insert(*id, now);
        }
        has_room
    }
}

/// Whether the browser of a session that is due for renewal is to be led back with the renewed cookie: the operator
/// asks for it by `renew=302`, the proxy would answer with that redirect, and nothing is lost if the browser asks again.
pub(super) fn is_wanted(call: &Call<'_>, check: Protocol, id: &TokenHash) -> bool {
    let is_led = match check.turn {
        // The proxy redirects, and has said that it would.
        Turn::Tell(_) => true,
        Turn::Lead(_) => is_navigation(call.request),
        Turn::Refuse | Turn::Explain => false,
    };
    is_led
        && matches!(method(check, call.request), OriginalMethod(Some("GET" | "HEAD")))
        && is_asked(call.request, "renew", "302")
        && target(call, check).is_some()
        && call.site.led_back.admit(id, call.now)
}

/// Leads a browser to the address that it asked for, with the cookie of its renewed session.
pub(super) fn lead_back(call: &Call<'_>, check: Protocol, requester: &Requester) -> Response {
    let address = target(call, check).map_or_else(String::new, |it| it.as_str().to_owned());
    let response = match check.turn {
        Turn::Tell(header) => told(call.request, 401, "Unauthorized").with(header, address),
        Turn::Lead(_) | Turn::Refuse | Turn::Explain => plainly(302, "").with("Location", address),
    };
    call.with_cookie(response, requester)
}

/// The address that the browser asked for, as it has to be written for a redirect.
fn target(call: &Call<'_>, check: Protocol) -> Option<Target> {
    original(call.request, check).and_then(|it| call.site.allowed.address(&it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::token::Token;

    const NOW: Moment = Moment::from_millis(1_000_000_000);

    #[test]
    fn leads_a_session_back_once_in_ten_minutes() {
        let led = LedBack::default();
        let id = Token::random().hash();
        assert!(led.admit(&id, NOW));
        for later in [0, 1, 599] {
            assert!(!led.admit(&id, NOW.after(Duration::from_secs(later))), "{later}");
        }
        assert!(led.admit(&Token::random().hash(), NOW), "another session");
        assert!(led.admit(&id, NOW.after(PAUSE)));
        assert!(led.admit(&id, NOW.before(PAUSE * 2)), "after the clock went back");
    }

    #[test]
    fn remembers_a_limited_number_of_sessions() {
        let led = LedBack::default();
        for _ in 0..SESSIONS_MAX {
            assert!(led.admit(&Token::random().hash(), NOW));
        }
        assert!(!led.admit(&Token::random().hash(), NOW.after(PAUSE / 2)), "one too many");
        assert!(led.admit(&Token::random().hash(), NOW.after(PAUSE)));
    }
}
