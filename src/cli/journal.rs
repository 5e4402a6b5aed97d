//! The journal of systemd: whether it keeps what a command writes to standard error, and how it is told how much a line
//! matters.

use rustix::fs::fstat;

use crate::auth::events::Priority;

/// The variable in which a service manager says which stream is connected to the journal: systemd.exec(5).
const VARIABLE: &str = "JOURNAL_STREAM";

/// Whether standard error is connected to the journal. The variable alone does not say so: processes inherit it whose
/// standard error goes elsewhere.
pub(super) fn has_standard_error() -> bool {
    let Ok(stream) = std::env::var(VARIABLE) else { return false };
    // Device and inode, as in 9:245871.
    fstat(std::io::stderr()).is_ok_and(|it| stream == format!("{}:{}", it.st_dev, it.st_ino))
}

/// What a line on standard error begins with, so that the journal keeps it with this priority: nothing where the journal
/// does not have it, as only the journal takes it away (sd-daemon(3)).
pub(super) fn mark(priority: Priority) -> String {
    if has_standard_error() { format!("<{}>", priority.severity()) } else { String::new() }
}
