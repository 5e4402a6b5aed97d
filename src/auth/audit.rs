//! The audit log: what was done with accounts, kept in the database.

use crate::auth::events::Event;
use crate::auth::record_fields::RecordField;
use crate::auth::usernames::Username;
use crate::base::canonical_name::canonical;
use crate::base::clock::Moment;
use crate::base::log_fields;
use crate::store::{KeyId, Record, RecordFilter, Result, Store, UserId};

/// The field of a record that names the browser of the request.
pub const BROWSER: &str = "browser";

/// The field of a record with the handle of the name that the user had when they were added or deleted. Records
/// outlive users, and nothing else is kept of the name of a deleted user.
pub const NAME: &str = "name";

/// The field of a record with a key that was added or removed. When the user is deleted, the handle of the name
/// takes the place of a sign-in name.
pub const KEY: &str = "key";

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

/// Writes records to the audit log. Their fields have to be listed in [`RecordField::ALL`].
pub fn add(store: &dyn Store, records: &[Record]) -> Result<()> {
    for record in records {
        debug_assert_eq!(
            RecordField::unlisted(record),
            [""; 0],
            "{} is documented without",
            record.event
        );
    }
    store.add_records(records)
}

/// The newest record, from any server.
pub fn last(store: &dyn Store) -> Result<Option<Record>> {
    store.last_record()
}

/// The settings of the server that was the last to start, by their names, as its record has them: some it always has,
/// others where they differ from their defaults. `None`: no start is on record, as there was none, or too long ago.
pub fn last_settings(store: &dyn Store) -> Result<Option<Vec<(String, String)>>> {
    let found = latest(store, None, &[Event::Settings], 1)?;
    Ok(found.first().map(|it| log_fields::read(&it.detail)))
}

/// The records of these events about this account, newest first, `limit` at most; with no events, of all. Events
/// that this version does not know are left out.
pub fn of_user(
    store: &dyn Store,
    user: &UserId,
    events: &[Event],
    limit: u32,
) -> Result<Vec<Activity>> {
    let found = latest(store, Some(user.as_str()), events, limit)?;
    Ok(found.into_iter().filter_map(activity).collect())
}

/// The latest sign-in to this account that is on record, or the sign-up.
pub fn last_sign_in(store: &dyn Store, user: &UserId) -> Result<Option<Activity>> {
    Ok(of_user(store, user, &[Event::LoginOk, Event::SignupOk], 1)?.into_iter().next())
}

/// Events whose records have the name that the user has from then on or had last, with its field. All names of a
/// deleted user are handles.
const NAMINGS: [(Event, &str); 5] = [
    (Event::UserDelete, NAME),
    (Event::AccountDelete, NAME),
    (Event::UserRename, "to"),
    (Event::UserAdd, NAME),
    (Event::SignupOk, NAME),
];

/// Events whose records have a name that the user may have lost, with its field: the name, or its handle once the
/// user is deleted.
const FAREWELLS: [(Event, &str); 5] = [
    (Event::UserDelete, NAME),
    (Event::AccountDelete, NAME),
    (Event::UserRename, "from"),
    (Event::UserKeyAdd, KEY),
    (Event::UserKeyRemove, KEY),
];

/// The handle that stands for a canonical name in both logs. Names of deleted users are not kept, and people type
/// passwords into the wrong field.
pub fn name_handle(store: &dyn Store, canonical: &str) -> String {
    store.name_handle(canonical)
}

/// The handle of the name that the user with this id had last, as far as that is on record: for users who are
/// deleted.
pub fn last_name_handle(store: &dyn Store, id: &str) -> Result<Option<String>> {
    let found = latest(store, Some(id), &NAMINGS.map(|(event, _)| event), 9)?;
    Ok(found.iter().find_map(|it| name_in(it, &NAMINGS)))
}

/// The ids of the users who had this name, and were deleted or renamed since, as far as that is on record.
/// It reads all records of such events.
pub fn former_users(store: &dyn Store, name: &Username) -> Result<Vec<String>> {
    let names = [name.canonical().to_owned(), name_handle(store, name.canonical())];
    let keys = [&names[0], &names[1]].map(|it| KeyId::username(it).as_str().to_owned());
    let is_it = |found: String| {
        let found = canonical(&found);
        names.contains(&found) || keys.contains(&found)
    };
    let mut ids = Vec::new();
    for record in latest(store, None, &FAREWELLS.map(|(event, _)| event), u32::MAX)? {
        let is_theirs = name_in(&record, &FAREWELLS).is_some_and(is_it);
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

/// The text in the field that one of `namings` names for the event of this record.
fn name_in(record: &Record, namings: &[(Event, &str)]) -> Option<String> {
    let (_, field) = namings.iter().find(|(event, _)| event.name() == record.event)?;
    let mut fields = log_fields::read(&record.detail).into_iter();
    fields.find(|(name, _)| name == field).map(|(_, value)| value)
}

fn activity(it: Record) -> Option<Activity> {
    let event = Event::ALL.iter().copied().find(|event| event.name() == it.event)?;
    let mut fields = log_fields::read(&it.detail).into_iter();
    let browser = fields.find(|(name, _)| name == BROWSER).map(|(_, value)| value);
    Some(Activity { at: it.at, event, address: it.address, browser: browser.unwrap_or_default() })
}
