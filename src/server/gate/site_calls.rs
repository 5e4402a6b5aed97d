//! The calls that the gate makes to the site on its own thread.
//!
//! A panic of the site is a bug, and is logged where it happens. It costs one request its response, as on a
//! worker, and never ends the gate, which has no other access to the site.

use std::net::IpAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use crate::auth::events::Event;
use crate::base::clock::Moment;
use crate::web::http::{Method, Problem, Request, Response};
use crate::web::{Lane, RouteRow, Site};

/// The site, with every call about a request guarded against panics.
pub(super) struct SiteCalls {
    site: Arc<Site>,
}

impl SiteCalls {
    pub(super) const fn of(site: Arc<Site>) -> Self {
        Self { site }
    }

    /// The lane of a request. If the site panics, a worker of the lane for reading will meet the panic
    /// again, and answer.
    pub(super) fn lane(&self, request: &Request) -> Lane {
        caught(|| self.site.lane(request, Moment::now())).unwrap_or(Lane::Read)
    }

    /// The client address of a request.
    pub(super) fn client(&self, request: &Request) -> Option<IpAddr> {
        caught(|| self.site.client(request)).flatten()
    }

    /// The time limit for a whole request.
    pub(super) fn patience(&self) -> Duration {
        self.site.patience()
    }

    /// Whether the database is on another machine.
    pub(super) fn is_remote(&self) -> bool {
        self.site.is_remote()
    }

    /// Whether a request like this may be answered without a worker.
    pub(super) fn may_answer_at_once(&self, method: Method, path: &str) -> bool {
        caught(|| self.site.may_answer_at_once(method, path)).unwrap_or(false)
    }

    /// The complete response to a request that needs no worker, with its status and its event; `None` if it
    /// needs one.
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

    /// The complete response to a request that is not processed. `request` is what is known of it.
    pub(super) fn refuse(
        &self,
        problem: Problem,
        request: Option<&Request>,
        is_to_head: bool,
    ) -> GateResponse {
        caught(|| GateResponse::of(&self.site.refuse(problem, request, Moment::now()), is_to_head))
            .unwrap_or_else(|| GateResponse::of(&Response::after_panic(), is_to_head))
    }
}

/// A response of the site in its wire format.
pub(super) struct GateResponse {
    pub(super) bytes: Vec<u8>,
    pub(super) status: u16,
    pub(super) event: Event,
    pub(super) row: RouteRow,
}

impl GateResponse {
    fn of(answer: &Response, is_to_head: bool) -> Self {
        let bytes = answer.write(is_to_head, Moment::now());
        Self { bytes, status: answer.status, event: answer.note.event, row: answer.row }
    }
}

/// The result of `ask`; `None` if it panics.
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
