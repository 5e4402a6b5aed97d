//! `vestibule user groups`: sets the groups of a user, or adds some and removes others.

use super::change::{gone, see_that_it_is_done};
use super::show::named;
use crate::auth::events::Event;
use crate::auth::users::{self, GroupsChanged};
use crate::base::clock::Moment;
use crate::cli::change_report::ChangeReport;
use crate::cli::read_groups;
use crate::cli::records::record;
use crate::cli::table::printable;
use crate::store::{Groups, Store, User};

/// Puts a user in these groups and in no others.
pub(super) fn set(
    store: &dyn Store,
    user: &User,
    text: &str,
    now: Moment,
) -> Result<ChangeReport, String> {
    let groups = read_groups(text)?;
    if groups != user.groups {
        see_that_it_is_done(users::set_groups(store, &user.id, &groups), user)?;
    }
    report(store, user, (&user.groups, &groups), now)
}

/// Adds groups to those of a user, and removes others.
pub(super) fn change(
    store: &dyn Store,
    user: &User,
    added: &[String],
    removed: &[String],
    now: Moment,
) -> Result<ChangeReport, String> {
    let (added, removed) = (read_groups(&added.join(","))?, read_groups(&removed.join(","))?);
    if let Some(both) = added.iter().find(|it| removed.iter().any(|removed| removed == *it)) {
        return Err(format!("the group {both} cannot be added and removed at once"));
    }
    let changed = users::change_groups(store, &user.id, &added, &removed);
    match changed.map_err(|err| err.to_string())? {
        GroupsChanged::Done(old, new) => report(store, user, (&old, &new), now),
        GroupsChanged::TooMany => Err(format!(
            "{} would be in too many groups: a hundred, with 2,048 characters in all, is the most",
            printable(&user.username)
        )),
        GroupsChanged::NoUser => Err(gone(user)),
    }
}

/// Puts a change on record, if it is one, and tells of it.
fn report(
    store: &dyn Store,
    user: &User,
    (old, new): (&Groups, &Groups),
    now: Moment,
) -> Result<ChangeReport, String> {
    let name = &user.username;
    let is_in = format!("{name} is in {}", named(new.as_str(), "no group"));
    let sentence = if old == new {
        format!("{is_in} already; nothing is changed")
    } else {
        let facts = [("groups", new.as_str()), ("before", old.as_str())];
        record(store, user, (Event::UserGroups, &facts), now)?;
        format!("{is_in} now; before: {}", named(old.as_str(), "none"))
    };
    let list = |groups: &Groups| groups.iter().map(str::to_owned).collect::<Vec<_>>();
    let report = ChangeReport::of(user, sentence).with("groups", list(new));
    Ok(report.with("old_groups", list(old)).with("changed", old != new))
}
