//! Creating, changing and deleting accounts: `vestibule user add`, `passwd`, `rename`, `delete`, `free`, `email`.

use super::list::or_null;
use super::show::named;
use crate::auth::audit;
use crate::auth::events::Event;
use crate::auth::keys::{self as auth_keys, NewKey};
use crate::auth::names::{self, Rest};
use crate::auth::throttle;
use crate::auth::user_status::OpenAccess;
use crate::auth::usernames::{NameKind, Username};
use crate::auth::users;
use crate::base::clock::Moment;
use crate::base::password::{Cost, Hasher};
use crate::cli::change_report::{ChangeReport, counts, ended};
use crate::cli::database::{Access, DatabaseArgs, is_to_be_made, open_at};
use crate::cli::keys::sign_in_names;
use crate::cli::password::PasswordArgs;
use crate::cli::records::{record, record_of};
use crate::cli::table::printable;
use crate::cli::terminal::confirm;
use crate::store::{self, Groups, KeyId, PasswordSet, Store, User, UserAdded, UserRenamed};

/// Refuses a name before a password is typed for it; a database is not made.
pub(super) fn see_that_it_can_be_added(
    flags: &DatabaseArgs,
    name: &Username,
) -> Result<(), String> {
    let database = flags.check()?;
    if is_to_be_made(&database) {
        return Ok(());
    }
    let store = open_at(&database, Access::Add)?;
    match users::by_any_name(&*store, name).map_err(|err| err.to_string())? {
        Some(_) => Err(taken(name)),
        None => Ok(()),
    }
}

/// Creates an account. Opens the database last, so that none is created for a user who cannot be added.
pub(super) fn add(
    open: impl FnOnce() -> Result<Box<dyn Store>, String>,
    (name, kind, groups): (&Username, NameKind, Groups),
    password: Option<&str>,
    rules: &PasswordArgs,
    now: Moment,
) -> Result<ChangeReport, String> {
    let password = password.map(|typed| rules.accept(typed, name)).transpose()?;
    let store = open()?;
    let store = &*store;
    let hasher = Hasher::new(1, Cost::OWASP);
    let id = KeyId::username(name.canonical());
    let key = NewKey { id: &id, password: password.as_ref() };
    let about = (groups, kind.email(name));
    let created = users::create_in_groups(store, &hasher, name, about, Some(&key), now);
    let (added, user) = created.map_err(|err| err.to_string())?;
    match added {
        UserAdded::Done => {}
        UserAdded::NameReserved => return Err(resting(name.typed())),
        UserAdded::NameTaken => return Err(taken(name)),
    }
    let has_password = password.is_some();
    let handle = audit::name_handle(store, name.canonical());
    let facts = [
        (audit::NAME, &*handle),
        ("groups", user.groups.as_str()),
        ("password", if has_password { "yes" } else { "no" }),
    ];
    record(store, &user, (Event::UserAdd, &facts), now)?;
    let with = if has_password { "with a password" } else { "without a password" };
    let sentence = format!(
        "{} is added, {with}; groups: {}; id {}",
        user.username,
        named(user.groups.as_str(), "none"),
        user.id.as_str()
    );
    let groups: Vec<_> = user.groups.iter().collect();
    Ok(ChangeReport::of(&user, sentence).with("groups", groups).with("has_password", has_password))
}

/// Sets the password of all keys that have one, and ends every session, access token and reset link, as a
/// new password always does.
pub(super) fn set_password(
    store: &dyn Store,
    user: &User,
    typed: &str,
    rules: &PasswordArgs,
    now: Moment,
) -> Result<ChangeReport, String> {
    let password = rules.accept(typed, &Username::of_account(&user.username))?;
    let hasher = Hasher::new(1, Cost::OWASP);
    let open = open_access(store, user, now)?;
    let written = auth_keys::set_password(store, &hasher, &user.id, Some(&password));
    match written.map_err(|err| err.to_string())? {
        PasswordSet::Done => {}
        PasswordSet::NameTaken => {
            return Err(format!("another user signs in as {}", printable(&user.username)));
        }
        PasswordSet::NoUser => return Err(gone(user)),
    }
    // Guesses at the old password must not keep its owner from signing in with the new one.
    throttle::forget_user(store, user, now).map_err(|err| err.to_string())?;
    record(store, user, (Event::UserPasswd, &facts(&counts(open))), now)?;
    let keys = auth_keys::of_user(store, &user.id).map_err(|err| err.to_string())?;
    let names = sign_in_names(&keys);
    let mut sentence = format!("the password of {} is set; {}", user.username, ended(open));
    if names != [&*user.canonical_username] {
        // An import may have brought others over.
        sentence = format!("{sentence}; it goes with the sign-in name {}", names.join(" or "));
    }
    Ok(ChangeReport::of(user, sentence).ending(open).with("sign_in_names", names))
}

/// Renames a user.
pub(super) fn rename(
    store: &dyn Store,
    user: &User,
    name: &Username,
    rest: Rest,
    now: Moment,
) -> Result<ChangeReport, String> {
    if is_called(store, user, name)? {
        let sentence = format!("{} is called so already; nothing is changed", user.username);
        return Ok(ChangeReport::of(user, sentence).with("changed", false));
    }
    match users::rename(store, &user.id, name, rest, now).map_err(|err| err.to_string())? {
        UserRenamed::Done => {}
        UserRenamed::NameTaken => return Err(taken(name)),
        UserRenamed::NameReserved => return Err(resting(name.typed())),
        UserRenamed::NoUser => return Err(gone(user)),
    }
    let (from, to) = (&*user.username, name.typed());
    record(store, user, (Event::UserRename, &[("from", from), ("to", to)]), now)?;
    // The same name in another spelling stays theirs.
    let rests = rest.end(now).filter(|_| user.canonical_username != name.canonical());
    let now_named = User { username: to.to_owned(), ..user.clone() };
    let sentence = format!("{from} is called {to} now{}", reserved(rests, "the old name"));
    let report = ChangeReport::of(&now_named, sentence).with("old_username", from);
    let report = report.with("changed", true);
    Ok(report.with("reserved_until", rests.map(Moment::rfc3339)))
}

/// Whether a user has this very name, and signs in with it and no other.
fn is_called(store: &dyn Store, user: &User, name: &Username) -> Result<bool, String> {
    let keys = auth_keys::of_user(store, &user.id).map_err(|err| err.to_string())?;
    let signs_in_as: Vec<_> = keys.iter().filter_map(|it| it.id.sign_in_name()).collect();
    Ok(user.username == name.typed() && signs_in_as == [name.canonical()])
}

/// Deletes a user.
pub(super) fn delete(
    store: &dyn Store,
    user: &User,
    is_meant: bool,
    rest: Rest,
    now: Moment,
) -> Result<ChangeReport, String> {
    let name = printable(&user.username);
    let open = open_access(store, user, now)?;
    let what =
        format!("{name} would be deleted for good, with all keys, sessions and access tokens");
    confirm(&what, is_meant)?;
    if !users::delete(store, &user.id, rest, None, now).map_err(|err| err.to_string())? {
        return Err(gone(user));
    }
    let counts = counts(open);
    let handle = audit::name_handle(store, &user.canonical_username);
    let facts = [&[(audit::NAME, &*handle)], &facts(&counts)[..]].concat();
    record(store, user, (Event::UserDelete, &facts), now)?;
    let rests = rest.end(now);
    let sentence = format!("{name} is deleted; {}{}", ended(open), reserved(rests, "the name"));
    let report = ChangeReport::of(user, sentence).ending(open);
    Ok(report.with("reserved_until", rests.map(Moment::rfc3339)))
}

/// Releases a reserved name.
pub(super) fn free(
    store: &dyn Store,
    name: &Username,
    now: Moment,
) -> Result<ChangeReport, String> {
    let fault = |err: store::Error| err.to_string();
    let (typed, plain) = (name.typed(), name.plain());
    for name in std::iter::once(name).chain(&plain) {
        if names::free(store, name).map_err(fault)? {
            let handle = audit::name_handle(store, name.canonical());
            record_of(store, Event::UserFree, &[(audit::NAME, &handle)], now)?;
            let typed = name.typed();
            let report = ChangeReport::new(format!("the name {typed} can be taken again"));
            return Ok(report.with("username", typed));
        }
    }
    let is_id = audit::knows(store, typed).map_err(fault)?;
    let hint = if is_id { ": write the name; of a deleted user only its hash is kept" } else { "" };
    Err(format!("the name {} is not reserved{hint}", printable(typed)))
}

/// Sets the e-mail address of a user, verified or not.
pub(super) fn set_email(
    store: &dyn Store,
    user: &User,
    (email, counts): (&str, bool),
    now: Moment,
) -> Result<ChangeReport, String> {
    let is_verified = counts && !email.is_empty();
    let is_same = email == user.email && is_verified != user.verified_email().is_empty();
    let report = |sentence: String| {
        let report = ChangeReport::of(user, sentence).with("email", or_null(email));
        let report = report.with("email_is_verified", is_verified);
        report.with("old_email", or_null(&user.email)).with("changed", !is_same)
    };
    let (name, new, old) = (&user.username, named(email, "none"), named(&user.email, "none"));
    let state = if is_verified || email.is_empty() { "" } else { ", not verified," };
    if is_same {
        return Ok(report(format!(
            "the e-mail address of {name} is {new}{state} already; nothing is changed"
        )));
    }
    let done = if counts {
        users::set_email(store, &user.id, email, now)
    } else {
        users::set_unverified_email(store, &user.id, email)
    };
    see_that_it_is_done(done, user)?;
    let mut facts = vec![("email", email), ("before", &*user.email)];
    if !is_verified && !email.is_empty() {
        facts.push(("verified", "false"));
    }
    record(store, user, (Event::UserEmail, &facts), now)?;
    Ok(report(format!("the e-mail address of {name} is {new}{state} now; before: {old}")))
}

/// What gives access to the account of a user before it is changed.
pub(in crate::cli) fn open_access(
    store: &dyn Store,
    user: &User,
    now: Moment,
) -> Result<OpenAccess, String> {
    OpenAccess::of(store, user, now).map_err(|err| err.to_string())
}

/// Fields of a record as they are handed on.
pub(in crate::cli) fn facts<'a>(fields: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    fields.iter().map(|(name, value)| (*name, &**value)).collect()
}

/// An error if a change found no user.
pub(super) fn see_that_it_is_done(done: store::Result<bool>, user: &User) -> Result<(), String> {
    match done {
        Ok(true) => Ok(()),
        Ok(false) => Err(gone(user)),
        Err(err) => Err(err.to_string()),
    }
}

/// Why nothing was changed of a user who was deleted meanwhile.
pub(in crate::cli) fn gone(user: &User) -> String {
    format!("{} was deleted in the meantime", printable(&user.username))
}

fn taken(name: &Username) -> String {
    format!("another user is called {} already, or signs in with it", printable(name.typed()))
}

/// Why a reserved name cannot be given to a user.
pub(in crate::cli) fn resting(typed: &str) -> String {
    let name = printable(typed);
    format!(
        "the name {name} is reserved: an account had it that apps may still know; vestibule user free {name} \
         lets it be taken again"
    )
}

/// Until when a name is reserved, at the end of a sentence.
fn reserved(until: Option<Moment>, name: &str) -> String {
    until.map_or(String::new(), |until| format!("; {name} stays reserved until {}", until.minute()))
}
