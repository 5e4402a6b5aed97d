//! What a command leaves in the audit log: what was done, to which user, and by which operator.

use std::fs;

use crate::auth::events::Event;
use crate::auth::record_fields::RecordField;
use crate::base::clock::Moment;
use crate::base::log_fields;
use crate::store::{Error, Record, Store, User};

/// The list of the machine's users.
const PASSWD: &str = "/etc/passwd";

/// Keeps what was done to a user.
pub(super) fn record(
    store: &dyn Store,
    user: &User,
    (event, fields): (Event, &[(&str, &str)]),
    now: Moment,
) -> Result<(), String> {
    let mut record = of_command(event, &log_fields::text(fields), now);
    record.user_id = Some(user.id.as_str().to_owned());
    keep(store, record)
}

/// Keeps what was done to no single user.
pub(super) fn record_of(
    store: &dyn Store,
    event: Event,
    fields: &[(&str, &str)],
    now: Moment,
) -> Result<(), String> {
    keep(store, of_command(event, &log_fields::text(fields), now))
}

/// A record of what a command did; `detail` is written as in a line of the log, and the operator is added.
pub(super) fn of_command(event: Event, detail: &str, now: Moment) -> Record {
    let by = log_fields::text(&[("by", &operator())]);
    let space = if detail.is_empty() { "" } else { " " };
    let record = Record::of_program(event.name(), format!("{detail}{space}{by}"), now);
    debug_assert_eq!(
        RecordField::unlisted(&record),
        [""; 0],
        "{} is documented without",
        record.event
    );
    record
}

fn keep(store: &dyn Store, record: Record) -> Result<(), String> {
    store.add_records(&[record]).map_err(|err| match err {
        // What is said of a lock is to try again, which is wrong where the command has done its work.
        Error::Unavailable(_) => {
            "it is done, but not on record: the audit log is busy; do not run it again for that"
                .to_owned()
        }
        err => format!("it is done, but not on record: {err}"),
    })
}

/// Who runs the command: who asked sudo or doas to, or else the name that the machine has for the user.
fn operator() -> String {
    let asked = ["SUDO_USER", "DOAS_USER"].into_iter().find_map(|it| std::env::var(it).ok());
    asked.filter(|it| !it.is_empty()).unwrap_or_else(|| {
        let number = rustix::process::getuid().as_raw().to_string();
        let list = fs::read_to_string(PASSWD).unwrap_or_default();
        name_of(&number, &list).map_or_else(|| format!("uid:{number}"), str::to_owned)
    })
}

/// The name of the user with this number in a list such as `/etc/passwd`.
// LIMIT: users whom only a directory service knows are told by their numbers.
fn name_of<'a>(number: &str, list: &'a str) -> Option<&'a str> {
    list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|it| !it.is_empty())?;
        (fields.nth(1) == Some(number)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_name_of_an_operator_by_their_number() {
        let list =
            "root:x:0:0:root:/root:/bin/sh\n\n:x:7:7::/:\nbroken\nanna:x:1000:100::/:/bin/sh\n";
        assert_eq!(name_of("0", list), Some("root"));
        assert_eq!(name_of("1000", list), Some("anna"));
        for none in ["100", "7", "", "x"] {
            assert_eq!(name_of(none, list), None, "{none}");
        }
    }

    #[test]
    fn adds_the_operator_to_whatever_is_told() {
        let of = |detail| of_command(Event::UserAdd, detail, Moment::from_millis(0)).detail;
        assert!(of("").starts_with("by="), "{}", of(""));
        assert!(of("name=anna").starts_with("name=anna by="), "{}", of("name=anna"));
    }
}
