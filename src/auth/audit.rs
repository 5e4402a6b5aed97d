//! The audit log: what was done with accounts, kept in the database.

use crate::auth::events::Event;
use crate::auth::usernames::{Username, canonical};
use crate::base::clock::Moment;
use crate::store::{Record, RecordFilter, Result, Store, UserId};

/// The field of a record that names the browser of the request.
pub const BROWSER: &str = "browser";

/// The field of a record that says what the user was called when they were added or deleted. Records outlive
/// users, and an id alone tells an operator nothing.
pub const NAME: &str = "name";

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
    Ok(store.records_of(user, limit)?.into_iter().filter_map(activity).collect())
}

/// The latest sign-in to this account that is on record, or the sign-up.
pub fn last_sign_in(store: &dyn Store, user: &UserId) -> Result<Option<Activity>> {
    let found = latest(store, Some(user.as_str()), &[Event::LoginOk, Event::SignupOk], 1)?;
    Ok(found.into_iter().next().and_then(activity))
}

/// Events that tell the name of a deleted or renamed user, with the field that holds it.
const NAMINGS: [(Event, &str); 5] = [
    (Event::UserDelete, NAME),
    (Event::AccountDelete, NAME),
    (Event::UserRename, "to"),
    (Event::UserAdd, NAME),
    (Event::SignupOk, NAME),
];

/// Events after which no account has the name in the field.
const FAREWELLS: [(Event, &str); 3] =
    [(Event::UserDelete, NAME), (Event::AccountDelete, NAME), (Event::UserRename, "from")];

/// What the user with this id was called last, as far as that is on record: for users who are deleted.
pub fn former_name(store: &dyn Store, id: &str) -> Result<Option<String>> {
    let events = NAMINGS.map(|(event, _)| event);
    let found = latest(store, Some(id), &events, 9)?;
    Ok(found.iter().find_map(|it| name_in(it, &NAMINGS)))
}

/// The ids of the users who had this name, and were deleted or renamed since, as far as that is on record.
/// It reads all records of such events.
pub fn former_users(store: &dyn Store, name: &Username) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for record in latest(store, None, &FAREWELLS.map(|(event, _)| event), u32::MAX)? {
        let is_theirs =
            name_in(&record, &FAREWELLS).is_some_and(|it| canonical(&it) == name.canonical());
        ids.extend(record.user_id.filter(|id| is_theirs && !ids.contains(id)));
    }
    Ok(ids)
}

/// Whether any record is about the user with this id.
pub fn knows(store: &dyn Store, id: &str) -> Result<bool> {
    Ok(!latest(store, Some(id), &[], 1)?.is_empty())
}

fn latest(
    store: &dyn Store,
    user: Option<&str>,
    events: &[Event],
    limit: u32,
) -> Result<Vec<Record>> {
    let filter = RecordFilter {
        user_ids: user.map(str::to_owned).into_iter().collect(),
        events: events.iter().map(|it| it.name()).collect(),
        ..RecordFilter::since(Moment::from_millis(i64::MIN))
    };
    Ok(store.latest_records(&filter, limit)?.into_iter().map(|it| it.record).collect())
}

fn name_in(record: &Record, namings: &[(Event, &str)]) -> Option<String> {
    let (_, field) = namings.iter().find(|(event, _)| event.name() == record.event)?;
    fields(&record.detail).into_iter().find(|(name, _)| name == field).map(|(_, value)| value)
}

fn activity(it: Record) -> Option<Activity> {
    let event = Event::ALL.iter().copied().find(|event| event.name() == it.event)?;
    let mut fields = fields(&it.detail).into_iter();
    let browser = fields.find(|(name, _)| name == BROWSER).map(|(_, value)| value);
    Some(Activity { at: it.at, event, address: it.address, browser: browser.unwrap_or_default() })
}

/// The fields of a record, with their values as they were before they were written as in a line of the log.
pub fn fields(detail: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = detail.trim_start();
    while let Some((name, value)) = rest.split_once('=') {
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => value
                .split_once(' ')
                .map_or((value.to_owned(), ""), |(value, after)| (value.to_owned(), after)),
        };
        found.push((name.to_owned(), value));
        rest = after.trim_start();
    }
    found
}

/// The text up to the next quotation mark that is not escaped, and what follows that.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 'r')) => value.push('\r'),
                Some((_, 't')) => value.push('\t'),
                Some((_, 'u')) => {
                    let code: String = characters
                        .by_ref()
                        .map(|(_, it)| it)
                        .skip_while(|it| *it == '{')
                        .take_while(|it| *it != '}')
                        .collect();
                    let code = u32::from_str_radix(&code, 16).ok();
                    value.extend(code.and_then(char::from_u32));
                }
                Some((_, escaped)) => value.push(escaped),
                None => {}
            },
            character => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_fields_as_the_log_writes_them() {
        for (detail, expected) in [
            ("browser=curl", &[("browser", "curl")][..]),
            (
                "reason=bad_credentials browser=\"Firefox on Linux\" name=h:1",
                &[("reason", "bad_credentials"), ("browser", "Firefox on Linux"), ("name", "h:1")],
            ),
            ("name=x browser=\"\"", &[("name", "x"), ("browser", "")]),
            (
                r#"name="zo\u{eb} \"x\" browser=\\ \n\u{5c71}" to=b"#,
                &[("name", "zo\u{eb} \"x\" browser=\\ \n\u{5c71}"), ("to", "b")],
            ),
            (r#"name="cut"#, &[("name", "cut")]),
            (r#"name="cut\"#, &[("name", "cut")]),
            (r#"name="\u{zz}x"#, &[("name", "x")]),
            ("", &[]),
            ("no field", &[]),
        ] {
            let found = fields(detail);
            let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(found, expected, "{detail}");
        }
    }
}
