//! The audit log: what was done with accounts, kept in the database.

use crate::auth::events::Event;
use crate::base::clock::Moment;
use crate::store::{Record, Result, Store, UserId};

/// The field of a record that names the browser of the request.
pub const BROWSER: &str = "browser";

/// An event in the history of an account, as its owner is shown it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Activity {
    /// The time of the request or the command.
    pub at: Moment,
    /// Its event, as in the log.
    pub event: Event,
    /// The client address; `None` if the operator did it.
    pub address: Option<String>,
    /// The browser in a few words, as in `Firefox on Linux`; may be empty.
    pub browser: String,
}

/// Writes records to the audit log.
pub fn add(store: &dyn Store, records: &[Record]) -> Result<()> {
    store.add_records(records)
}

/// The newest record, from any server.
pub fn last(store: &dyn Store) -> Result<Option<Record>> {
    store.last_record()
}

/// The newest records about this account, newest first, `limit` at most. Events that this version does not
/// know are left out.
pub fn of_user(store: &dyn Store, user: &UserId, limit: u32) -> Result<Vec<Activity>> {
    let activity = |it: Record| {
        let event = Event::ALL.iter().copied().find(|event| event.name() == it.event)?;
        let browser = field(&it.detail, BROWSER);
        Some(Activity { at: it.at, event, address: it.address, browser })
    };
    Ok(store.records_of(user, limit)?.into_iter().filter_map(activity).collect())
}

/// The value of a field in `detail`, which is written like a line of the log; empty if the field is
/// missing.
fn field(detail: &str, name: &str) -> String {
    let is_named = |at: &usize| *at == 0 || detail.as_bytes()[at - 1] == b' ';
    let prefix = format!("{name}=");
    let found = detail.match_indices(&prefix).map(|(at, _)| at).find(is_named);
    let Some(value) = found.map(|at| &detail[at + prefix.len()..]) else { return String::new() };
    let (value, end) = value.strip_prefix('"').map_or((value, ' '), |value| (value, '"'));
    value.split(end).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_field_as_the_log_writes_it() {
        for (detail, browser) in [
            ("browser=curl", "curl"),
            ("reason=bad_credentials browser=\"Firefox on Linux\" name=h:1", "Firefox on Linux"),
            ("name=x browser=", ""),
            ("other_browser=curl", ""),
            ("", ""),
        ] {
            assert_eq!(field(detail, BROWSER), browser, "{detail}");
        }
    }
}
