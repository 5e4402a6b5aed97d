//! The notices of `vestibule user`: which commands have a user told of what was done, and how they say so.

use crate::auth::audit;
use crate::cli::change_report::ChangeReport;
use crate::cli::serve::{HAS_MAIL, NOTICES};
use crate::cli::table::printable;
use crate::store::{Store, User};

/// The language of a notice. `None`: none is queued, as no server sends notices, as far as is on record. It would wait
/// until one does, and tell old news then.
pub(super) fn language<'a>(store: &dyn Store, wanted: &'a str) -> Option<&'a str> {
    last_server_has(store, (NOTICES, "on")).then_some(wanted)
}

/// Whether a mail that is queued will be sent, as far as is on record.
pub(super) fn is_mail_sent(store: &dyn Store) -> bool {
    last_server_has(store, (HAS_MAIL, "true"))
}

/// Whether the server that was the last to start had this setting. Without a record it may have had it: a mail that
/// waits in vain is better than a user who is not told.
fn last_server_has(store: &dyn Store, (name, value): (&str, &str)) -> bool {
    let settings = audit::last_settings(store).ok().flatten();
    settings.is_none_or(|all| all.iter().any(|it| (&*it.0, &*it.1) == (name, value)))
}

/// The report with whether a notice to the verified address of this user was queued, if they have one.
pub(super) fn told(report: ChangeReport, user: &User, is_queued: bool) -> ChangeReport {
    let address = printable(user.verified_email());
    let report = report.with("mailed", is_queued);
    if is_queued {
        report.ending_with(&format!("a server with mail tells {address}"))
    } else if address.is_empty() {
        report
    } else {
        report.ending_with(&format!("{address} is not told, as no server sends notices"))
    }
}
