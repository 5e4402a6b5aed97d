//! `vestibule user groups`: sets the groups of a user, or adds some and removes others.

use super::change::{gone, see_that_it_is_done};
use super::show::named;
use crate::auth::events::Event;
use crate::auth::users::{self, GroupsChanged};
use crate::base::clock::Moment;
use crate::cli::account_values::joined;
use crate::cli::change_report::ChangeReport;
use crate::cli::records::record;
use crate::cli::table::printable;
use crate::store::{Groups, Store, User};

/// Puts a user in these groups and in no others.
pub(super) fn set(
    store: &dyn Store,
    user: &User,
    groups: &Groups,
    now: Moment,
) -> Result<ChangeReport, String> {
    if *groups != user.groups {
        see_that_it_is_done(users::set_groups(store, &user.id, groups), user)?;
    }
    let is_in = format!("{} is in {}", user.username, named(groups.as_str(), "no group"));
    let idle = format!("{is_in} already; nothing is changed");
    report(store, user, (&user.groups, groups), idle, now)
}

/// Groups to add and groups to remove, each as one set.
pub(super) struct GroupChanges {
    added: Groups,
    removed: Groups,
}

impl GroupChanges {
    /// What repeated flags ask for. An error says why that cannot be done for any user.
    pub(super) fn of(added: &[Groups], removed: &[Groups]) -> Result<Self, String> {
        let (added, removed) = (joined(added)?, joined(removed)?);
        if let Some(both) = added.iter().find(|it| removed.iter().any(|removed| removed == *it)) {
            return Err(format!("the group {both} cannot be added and removed at once"));
        }
        Ok(Self { added, removed })
    }
}

/// Adds groups to those of a user, and removes others.
pub(super) fn change(
    store: &dyn Store,
    user: &User,
    asked: &GroupChanges,
    now: Moment,
) -> Result<ChangeReport, String> {
    let GroupChanges { added, removed } = asked;
    let changed = users::change_groups(store, &user.id, added, removed);
    match changed.map_err(|err| err.to_string())? {
        GroupsChanged::Done(old, new) => {
            let idle = Idle::of(&old, added, removed);
            let is_in = format!("{} is in {}", user.username, named(new.as_str(), "no group"));
            let unchanged = format!("{is_in}; nothing is changed");
            Ok(idle.told(report(store, user, (&old, &new), unchanged, now)?))
        }
        GroupsChanged::TooMany => Err(format!(
            "{} would be in too many groups: a hundred, with 2,048 characters in all, is the most",
            printable(&user.username)
        )),
        GroupsChanged::NoUser => Err(gone(user)),
    }
}

/// What was asked for and is no change: groups to add that the user is in, and to remove that they are not in.
struct Idle {
    already_in: Vec<String>,
    not_in: Vec<String>,
}

impl Idle {
    fn of(old: &Groups, added: &Groups, removed: &Groups) -> Self {
        let is_old = |group: &str| old.iter().any(|it| it == group);
        let of = |groups: &Groups, is_in: bool| {
            groups.iter().filter(|it| is_old(it) == is_in).map(str::to_owned).collect()
        };
        Self { already_in: of(added, true), not_in: of(removed, false) }
    }

    /// The report with it, as a mistyped name has the same effect.
    fn told(self, report: ChangeReport) -> ChangeReport {
        let part = |what: &str, groups: &[String]| {
            (!groups.is_empty()).then(|| format!("{what}: {}", groups.join(",")))
        };
        let parts = [part("already in", &self.already_in), part("was not in", &self.not_in)];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        let report = if parts.is_empty() { report } else { report.ending_with(&parts.join("; ")) };
        report.with("already_in", self.already_in).with("not_in", self.not_in)
    }
}

/// Puts a change on record, if it is one, and tells of it; `unchanged` says that it is none.
fn report(
    store: &dyn Store,
    user: &User,
    (old, new): (&Groups, &Groups),
    unchanged: String,
    now: Moment,
) -> Result<ChangeReport, String> {
    let sentence = if old == new {
        unchanged
    } else {
        let facts = [("groups", new.as_str()), ("before", old.as_str())];
        record(store, user, (Event::UserGroups, &facts), now)?;
        let [is_in, was_in] = [named(new.as_str(), "no group"), named(old.as_str(), "none")];
        format!("{} is in {is_in} now; before: {was_in}", user.username)
    };
    let list = |groups: &Groups| groups.iter().map(str::to_owned).collect::<Vec<_>>();
    let report = ChangeReport::of(user, sentence).with("groups", list(new));
    Ok(report.with("old_groups", list(old)).with("changed", old != new))
}
