//! What the gate asks the site on its own thread.
//!
//! A panic of the site's is a bug of ours, and is noted where it happens. It costs one request its answer,
//! as it does on a worker, and never ends the gate: the gate has no other way to the site than this.

use std::net::IpAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use crate::auth::events::Event;
use crate::base::clock::Moment;
use crate::web::http::{Method, Problem, Request, Response};
use crate::web::{Lane, Site};

/// The site, as the gate may ask it.
pub(super) struct SiteCalls {
    site: Arc<Site>,
}

impl SiteCalls {
    pub(super) const fn of(site: Arc<Site>) -> Self {
        Self { site }
    }

    /// The lane of a request. If it cannot be told, a worker that answers pages meets the panic again, and
    /// answers.
    pub(super) fn lane(&self, request: &Request) -> Lane {
        caught(|| self.site.lane(request, Moment::now())).unwrap_or(Lane::Page)
    }

    /// The address that a request counts for.
    pub(super) fn client(&self, request: &Request) -> Option<IpAddr> {
        caught(|| self.site.client(request)).flatten()
    }

    /// How long a request may take in all.
    pub(super) fn patience(&self) -> Duration {
        self.site.patience()
    }

    /// Whether a request like this may be answered without a worker.
    pub(super) fn may_answer_at_once(&self, method: Method, path: &str) -> bool {
        caught(|| self.site.may_answer_at_once(method, path)).unwrap_or(false)
    }

    /// The whole answer to a request that waits for no worker, with its status and its event; `None` if it
    /// has to wait for one.
    pub(super) fn answer_at_once(
        &self,
        request: &Request,
        is_to_head: bool,
    ) -> Option<GateResponse> {
        let answer = caught(|| {
            let answer = self.site.answer_at_once(request)?;
            Some(GateResponse::of(&answer, is_to_head))
        });
        answer.unwrap_or_else(|| Some(GateResponse::of(&Response::after_panic(), is_to_head)))
    }

    /// The whole answer to a request that is not looked at, as far as it is known.
    pub(super) fn refuse(
        &self,
        problem: Problem,
        request: Option<&Request>,
        is_to_head: bool,
    ) -> GateResponse {
        caught(|| GateResponse::of(&self.site.refuse(problem, request), is_to_head))
            .unwrap_or_else(|| GateResponse::of(&Response::after_panic(), is_to_head))
    }
}

/// An answer of the site's, as it goes over the wire.
pub(super) struct GateResponse {
    pub(super) bytes: Vec<u8>,
    pub(super) status: u16,
    pub(super) event: Event,
}

impl GateResponse {
    fn of(answer: &Response, is_to_head: bool) -> Self {
        let bytes = answer.write(is_to_head, Moment::now());
        Self { bytes, status: answer.status, event: answer.note.event }
    }
}

/// What `ask` comes to; `None` if it panics.
fn caught<T>(ask: impl FnOnce() -> T) -> Option<T> {
    panic::catch_unwind(AssertUnwindSafe(ask)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_whatever_the_site_does() {
        assert_eq!(caught(|| 1), Some(1));
        assert_eq!(caught(|| -> u8 { panic!("a bug") }), None);
        let said = GateResponse::of(&Response::after_panic(), false);
        assert_eq!((said.status, said.event), (500, Event::Panic));
        assert!(said.bytes.ends_with(b"\r\n\r\nAn unknown error occurred"));
    }
}
