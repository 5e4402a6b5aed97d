//! Whether the app is open at the addresses of checks. The guides of other gates exempt some of them on the app's own
//! host; what is left of such an exemption lets every request through, or answers for the gate.

use super::verdict::{self, Guard};
use super::wire::Question;
use super::{Examination, Visit, asked, origin};
use crate::web::check_paths;

/// Where oauth2-proxy's guides have the sign-in on the app's host. What is there leads to the sign-in page as well.
const SIGN_IN: [&str; 2] = ["/oauth2/sign_in", "/oauth2/start"];

impl Examination<'_> {
    /// Follows a link to each address of a check at the app, where the app is guarded and has its host to itself.
    pub(super) fn visit_check_addresses(&mut self, visits: &[Visit]) {
        let Some(first) = visits.first().filter(|it| it.guard.is_shut()) else { return };
        if self.plan.app.path() != "/" {
            return;
        }
        let is_shared = first.guard.page().is_some_and(|it| origin(it) == origin(&self.plan.app));
        let mut shut = 0;
        for path in check_paths().chain(SIGN_IN) {
            let what = format!("GET {path}");
            let question = Question::navigation(&asked(&self.plan.app, path));
            let Some(reply) = self.ask(&what, &question) else { return };
            let guard = Guard::of(&reply);
            // The sign-in has closed what it has itself.
            if guard.is_shut() || (is_shared && guard == Guard::Open(404)) {
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
}
