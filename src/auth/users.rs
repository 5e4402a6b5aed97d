//! Accounts: created, looked up, renamed, disabled, deleted; their groups and e-mail addresses.
//!
//! Knows nothing of the rules for names and passwords, of sessions or pages.

use crate::auth::keys::{self, NewKey};
use crate::auth::names::Rest;
use crate::auth::usernames::Username;
use crate::base::clock::Moment;
use crate::base::email_address;
use crate::base::password::Hasher;
use crate::base::token;
use crate::store::{
    Error, Groups, KeyId, Letter, Result, Store, User, UserAdded, UserFilter, UserId, UserPage,
    UserRenamed,
};

/// The length of a user id, as in Lucia: 15 × log2(36) = 77.5 bits.
const ID_LENGTH: usize = 15;

/// The longest name of a group in bytes, and the limits on one user's groups: what fits into a header.
const GROUP_BYTES_MAX: usize = 63;
const GROUPS_MAX: usize = 100;
const GROUPS_BYTES_MAX: usize = 2_048;

/// Creates a user in these groups and with this e-mail address, which is not verified, with a key or without. The user
/// is stored only if the outcome is [`UserAdded::Done`].
pub fn create_in_groups(
    store: &dyn Store,
    hasher: &Hasher,
    username: &Username,
    (groups, email): (Groups, String),
    key: Option<&NewKey<'_>>,
    now: Moment,
) -> Result<(UserAdded, User)> {
    let user = User { groups, email, ..new(username, now) };
    let keys: Vec<_> = key.map(|key| keys::new(hasher, &user.id, key)).into_iter().collect();
    Ok((store.add_user(&user, &keys)?, user))
}

/// Creates a user, with a key or without. `None` if the name or the key is taken, or the name rests; then
/// nothing is written. (Lucia: `createUser`.)
pub fn create(
    store: &dyn Store,
    hasher: &Hasher,
    username: &Username,
    key: Option<&NewKey<'_>>,
    now: Moment,
) -> Result<Option<User>> {
    let (added, user) = create_in_groups(store, hasher, username, Default::default(), key, now)?;
    Ok((added == UserAdded::Done).then_some(user))
}

/// The user with this id, if there is one. (Lucia: `getUser`.)
pub fn get(store: &dyn Store, id: &UserId) -> Result<Option<User>> {
    store.user(id)
}

/// The user with this username in any spelling, if there is one.
pub fn by_name(store: &dyn Store, username: &Username) -> Result<Option<User>> {
    store.user_by_name(username.canonical())
}

/// The user with this username in any spelling, or else the one who signs in with it.
pub fn by_any_name(store: &dyn Store, username: &Username) -> Result<Option<User>> {
    if let Some(user) = by_name(store, username)? {
        return Ok(Some(user));
    }
    let owner = store.user_of_key(&KeyId::username(username.canonical()))?;
    Ok(owner.map(|(user, _)| user))
}

/// The name that is meant at sign-in: as it is typed if an account signs in with it, and otherwise the plain one, see
/// [`Username::plain`]: keyboards of phones add white space. One look-up, whatever it finds, and none if the name is
/// plain as it is typed.
pub fn meant(store: &dyn Store, typed: Username) -> Result<Username> {
    let Some(plain) = typed.plain() else { return Ok(typed) };
    let is_known = store.user_of_key(&KeyId::username(typed.canonical()))?.is_some();
    Ok(if is_known { typed } else { plain })
}

/// The name that is meant at sign-in where an address works as well: the one that was typed if an account signs in
/// with it, otherwise that of the one account which has it as its verified address. The same look-ups, whatever they
/// find, and none without an `@`.
pub fn meant_by_address(store: &dyn Store, typed: Username) -> Result<Username> {
    if !typed.typed().contains('@') {
        return Ok(typed);
    }
    let is_known = store.user_of_key(&KeyId::username(typed.canonical()))?.is_some();
    let address = email_address::canonical(typed.typed().trim());
    let owner = store.sign_in_name_of_email(&address)?.filter(|_| !is_known);
    Ok(owner.map_or(typed, |it| Username::of_account(&it)))
}

/// The user whom a typed name means: the one of [`by_any_name`], or else of the plain name, see [`Username::plain`].
pub fn by_typed_name(store: &dyn Store, typed: &Username) -> Result<Option<User>> {
    match (by_any_name(store, typed)?, typed.plain()) {
        (None, Some(plain)) => by_any_name(store, &plain),
        (found, _) => Ok(found),
    }
}

/// Renames a user. They sign in with the new name from now on, whatever they signed in with before, and
/// their reset links become invalid. The old name rests for all other users. [`UserRenamed::NameTaken`] if
/// another user has the new name or signs in with it, [`UserRenamed::NameReserved`] if it rests for another
/// user. The name is the one attribute that a user has. (Lucia: `updateUserAttributes`.)
pub fn rename(
    store: &dyn Store,
    id: &UserId,
    username: &Username,
    rest: Rest,
    now: Moment,
) -> Result<UserRenamed> {
    store.rename_user(id, username.typed(), username.canonical(), rest.end(now), now)
}

/// Parses a list of groups separated by commas; empty: no groups. `None` unless each is 1 to 63 characters
/// of `a-z0-9._-`, and there are at most a hundred with 2,048 characters in all, since apps receive them in
/// one header.
pub fn groups(text: &str) -> Option<Groups> {
    let mut names: Vec<_> = text.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    let is_good = |name: &&str| {
        let is_character = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
        };
        name.len() <= GROUP_BYTES_MAX && name.bytes().all(is_character)
    };
    let all = names.join(",");
    let fits = names.len() <= GROUPS_MAX && all.len() <= GROUPS_BYTES_MAX;
    (fits && names.iter().all(is_good)).then(|| Groups::new(all))
}

/// Parses an e-mail address that an operator gives a user. `None`: it is none, see
/// [`email_address::is_address`].
pub fn email(text: &str) -> Option<String> {
    email_address::is_address(text).then(|| text.to_owned())
}

/// Replaces the groups of a user. `false` if there is no such user.
pub fn set_groups(store: &dyn Store, id: &UserId, groups: &Groups) -> Result<bool> {
    store.set_groups(id, groups)
}

/// How often a change of groups is tried again that others get in the way of.
const GROUP_TRIES_MAX: u32 = 20;

/// What became of groups that were to be added to those of a user, and of others that were to be removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GroupsChanged {
    /// The user was in the first groups and is in the second ones, which may be equal.
    Done(Groups, Groups),
    /// They would be in more groups than [`groups`] takes.
    TooMany,
    /// There is no such user.
    NoUser,
}

/// Puts a user in some groups and takes them out of others, and leaves the rest as it is, whatever others change
/// at the same moment.
pub fn change_groups(
    store: &dyn Store,
    id: &UserId,
    added: &Groups,
    removed: &Groups,
) -> Result<GroupsChanged> {
    for _ in 0..GROUP_TRIES_MAX {
        let Some(user) = store.user(id)? else { return Ok(GroupsChanged::NoUser) };
        let old = user.groups;
        let kept = old.iter().filter(|it| removed.iter().all(|removed| removed != *it));
        let all: Vec<_> = kept.chain(added.iter()).collect();
        let Some(new) = groups(&all.join(",")) else { return Ok(GroupsChanged::TooMany) };
        if new == old || store.replace_groups(id, &old, &new)? {
            return Ok(GroupsChanged::Done(old, new));
        }
    }
    Err(Error::Unavailable("others change the groups of this user all the time".to_owned()))
}

/// Users as a list shows them: those that a filter lets through, as far as they are in this part of the list.
pub fn list(store: &dyn Store, filter: &UserFilter, page: &UserPage<'_>) -> Result<Vec<User>> {
    store.users(filter, page)
}

/// How many users a filter lets through.
pub fn count(store: &dyn Store, filter: &UserFilter) -> Result<u64> {
    store.count_users(filter)
}

/// Whether there is any user.
pub fn has_any(store: &dyn Store) -> Result<bool> {
    let first = UserPage { limit: Some(1), ..UserPage::default() };
    Ok(!store.users(&UserFilter::default(), &first)?.is_empty())
}

/// Sets the e-mail address of a user, by an operator who knows that it is theirs; empty: none. `false` if there
/// is no such user.
pub fn set_email(store: &dyn Store, id: &UserId, email: &str, now: Moment) -> Result<bool> {
    store.set_email(id, email, (!email.is_empty()).then_some(now), None)
}

/// Sets an e-mail address that does not count until its user has verified it. `false` if there is no such user.
pub fn set_unverified_email(store: &dyn Store, id: &UserId, email: &str) -> Result<bool> {
    store.set_email(id, email, None, None)
}

/// Disables an account at once: its sessions and reset links end, and neither its password nor its access
/// tokens are accepted (OWASP ASVS 7.4.2). An account that is disabled already keeps date and reason. `false` if
/// there is no such user.
pub fn disable(store: &dyn Store, id: &UserId, reason: &str, now: Moment) -> Result<bool> {
    store.disable_user(id, reason, now)
}

/// Changes why a user is disabled. `false` if there is no such user, or they are not disabled.
pub fn set_disabled_reason(store: &dyn Store, id: &UserId, reason: &str) -> Result<bool> {
    store.set_disabled_reason(id, reason)
}

/// Enables a disabled account: its access tokens are accepted again; its sessions and reset links stay
/// ended. `false` if there is no such user.
pub fn enable(store: &dyn Store, id: &UserId) -> Result<bool> {
    store.enable_user(id)
}

/// Deletes a user with their keys and sessions; their name rests. `false` if there was no such user.
/// `notice` tells the user. (Lucia: `deleteUser`, which leaves keys and sessions to the caller.)
pub fn delete(
    store: &dyn Store,
    id: &UserId,
    rest: Rest,
    notice: Option<&Letter>,
    now: Moment,
) -> Result<bool> {
    store.delete_user(id, rest.end(now), notice)
}

/// A user created now, not yet stored.
pub(crate) fn new(username: &Username, now: Moment) -> User {
    User {
        id: UserId::new(token::random_text(ID_LENGTH)),
        username: username.typed().to_owned(),
        canonical_username: username.canonical().to_owned(),
        created_at: now,
        groups: Groups::default(),
        email: String::new(),
        email_verified_at: None,
        disabled_at: None,
        disabled_reason: String::new(),
        second_factor_since: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_groups_in_order_and_each_once() {
        assert_eq!(groups("ops, admin,ops,,").unwrap().as_str(), "admin,ops");
        assert_eq!(groups("").unwrap().iter().count(), 0);
        for bad in ["Admin", "a b", "ä", "a\nb", "a;b", "a\"", &"x".repeat(64)] {
            assert!(groups(bad).is_none(), "{bad:?}");
        }
        let many = (0..101).map(|it| it.to_string()).collect::<Vec<_>>().join(",");
        assert!(groups(&many).is_none());
    }

    #[test]
    fn reads_an_address_that_can_stand_in_a_header() {
        assert!(email("ann+x@mail.example.com").is_some());
        for bad in ["", "ann", "@x", "ann@", "a@b@c", "a b@c", "ä@c", "a@b\r\nX: y", "a,b@c"] {
            assert!(email(bad).is_none(), "{bad:?}");
        }
    }
}
