//! What a list of users or of records is to show. Which users and records those are, the engine decides.

use crate::base::clock::Moment;
use crate::store::{Record, User};

/// Which users a list shows: those that meet every condition; without any condition, all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UserFilter {
    /// They are in this group.
    pub group: Option<String>,
    /// They are disabled.
    pub only_disabled: bool,
    /// None of their keys has a password.
    pub only_without_password: bool,
    /// This is their id, or part of their canonical name, of the id of one of their keys (without the
    /// provider), or of their e-mail address in lower case.
    pub search: Option<String>,
}

/// By what a list of users is sorted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UserOrder {
    /// By the bytes of their canonical names.
    #[default]
    Name,
    /// By the moment of creation, the oldest first; then by name.
    Created,
}

/// Which part of a list of users is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UserPage<'a> {
    pub order: UserOrder,
    /// The last comes first.
    pub is_reversed: bool,
    /// The part begins behind this user, who need not be in the list.
    pub after: Option<&'a User>,
    /// Users in it, at most; `None`: all that are left.
    pub limit: Option<u32>,
}

impl UserPage<'_> {
    /// Whether it is the whole list.
    pub(super) const fn is_whole(&self) -> bool {
        self.after.is_none() && self.limit.is_none()
    }

    /// Sorts users as they are listed.
    pub(super) fn sort(&self, users: &mut [User]) {
        let by_name = |a: &User, b: &User| a.canonical_username.cmp(&b.canonical_username);
        let compare = |a: &User, b: &User| match self.order {
            UserOrder::Name => by_name(a, b),
            UserOrder::Created => a.created_at.cmp(&b.created_at).then_with(|| by_name(a, b)),
        };
        // No two users have one name.
        users.sort_unstable_by(|a, b| if self.is_reversed { compare(b, a) } else { compare(a, b) });
    }
}

/// Which records of the audit log are shown: those that meet every condition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordFilter {
    /// They are of this moment or later.
    pub since: Moment,
    /// They are of this moment or earlier.
    pub until: Moment,
    /// They concern one of these users, by id; empty: any user, or none.
    pub user_ids: Vec<String>,
    /// They tell of one of these events; empty: of any.
    pub events: Vec<&'static str>,
}

impl RecordFilter {
    /// The records since a moment.
    pub fn since(since: Moment) -> Self {
        let (user_ids, events) = (Vec::new(), Vec::new());
        Self { since, until: Moment::from_millis(i64::MAX), user_ids, events }
    }
}

/// A record of the audit log as a list shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedRecord {
    /// Its number: records that are kept later have higher ones.
    pub number: i64,
    /// What the user is called now; `None`: it concerns no user, or one who is deleted.
    pub username: Option<String>,
    pub record: Record,
}
