//! `vestibule user key`: lists, adds and removes the keys of a user.

use clap::Subcommand;
use serde_json::{Value, json};

use super::change_report::{ChangeReport, counts, ended};
use super::find::{UserArg, find};
use super::records::record;
use super::table::{printable, table};
use super::user::change::{facts, gone, open_access, resting};
use super::{Done, account_values, lines};
use crate::auth::audit;
use crate::auth::events::Event;
use crate::auth::keys::{self, NewKey};
use crate::auth::names::Rest;
use crate::auth::usernames::{NameKind, Username};
use crate::base::clock::Moment;
use crate::base::password::{Cost, Hasher, PasswordHash};
use crate::cli::serve::{NameKindArgs, NameRestArgs};
use crate::store::{Key, KeyAdded, KeyId, Store, User};

/// What can be done with the keys of a user.
#[derive(Subcommand)]
pub enum KeyAction {
    /// List the keys of a user and the kind of hash of each password.
    #[command(after_help = "Example:\n  vestibule user key list anna --json")]
    List {
        /// The user.
        #[command(flatten)]
        user: UserArg,
    },
    /// Add a key to a user. A sign-in name gets the user's current password; a key of another provider has none.
    #[command(after_help = "Examples:\n  \
        vestibule user key add anna username:anna.onym\n  \
        vestibule user key add anna github:1234567")]
    Add {
        /// The user.
        #[command(flatten)]
        user: UserArg,
        /// The provider, a colon, and the ID of the user there. For a sign-in name: username, a colon, and 4 to 31
        /// visible characters, or with --names address an e-mail address; leading and trailing white space is removed.
        #[arg(value_name = "PROVIDER:ID", value_parser = account_values::key)]
        key: KeyId,
        /// What a sign-in name is.
        #[command(flatten)]
        kind: NameKindArgs,
    },
    /// Remove a key of a user. The user's sessions, access tokens and reset links end. A sign-in name stays reserved
    /// for the time of --name-rest.
    #[command(after_help = "Example:\n  vestibule user key remove anna github:1234567")]
    Remove {
        /// The user.
        #[command(flatten)]
        user: UserArg,
        /// The key, as vestibule user key list shows it.
        #[arg(value_name = "PROVIDER:ID", value_parser = account_values::key)]
        key: KeyId,
        /// How long a sign-in name rests.
        #[command(flatten)]
        rest: NameRestArgs,
    },
}

/// Refuses a sign-in name that cannot be one, whatever the database holds.
pub(super) fn check(action: &KeyAction) -> Result<(), String> {
    match action {
        KeyAction::Add { key, kind, .. } => {
            let name = key.sign_in_name();
            name.map_or(Ok(()), |it| account_values::new_name(kind.names, it).map(drop))
        }
        KeyAction::List { .. } | KeyAction::Remove { .. } => Ok(()),
    }
}

/// Adds or removes a key.
pub(super) fn change(
    store: &dyn Store,
    action: KeyAction,
    now: Moment,
) -> Result<ChangeReport, String> {
    match action {
        KeyAction::Add { user, key, kind } => {
            add(store, &find(store, &user.name)?, (&key, kind.names), now)
        }
        KeyAction::Remove { user, key, rest } => {
            remove(store, &find(store, &user.name)?, &key, rest.rest(), now)
        }
        KeyAction::List { .. } => unreachable!("it changes nothing"),
    }
}

/// Adds a key: a sign-in name with the password that the user has, or what another provider knows them as.
fn add(
    store: &dyn Store,
    user: &User,
    (id, names): (&KeyId, NameKind),
    now: Moment,
) -> Result<ChangeReport, String> {
    let text = printable(id.as_str());
    let written = if let Some(name) = id.sign_in_name() {
        let name = account_values::new_name(names, name)?;
        keys::add_sign_in_name(store, &user.id, &name, now)
    } else {
        let hasher = Hasher::new(1, Cost::OWASP);
        keys::create(store, &hasher, &user.id, &NewKey { id, password: None }, now)
    };
    let name = printable(&user.username);
    match written.map_err(|err| err.to_string())? {
        KeyAdded::Done => {}
        KeyAdded::Taken if one_of(store, user, id)?.is_some() => {
            return Err(format!("{name} has the key {text} already"));
        }
        KeyAdded::Taken => {
            return Err(format!("another user has the key {text}, or the name in it"));
        }
        KeyAdded::NameReserved => return Err(resting(id.provider_user_id())),
        KeyAdded::NoUser => return Err(gone(user)),
    }
    let added = one_of(store, user, id)?.ok_or_else(|| gone(user))?;
    record(store, user, (Event::UserKeyAdd, &[(audit::KEY, added.id.as_str())]), now)?;
    let kind = kind(&added).unwrap_or("no password");
    let sentence = format!("{name} has the key {} now ({kind})", added.id.as_str());
    Ok(ChangeReport::of(user, sentence).with("key", data(&added)))
}

/// Removes a key. Whatever may have begun with it ends: sessions, access tokens and reset links.
fn remove(
    store: &dyn Store,
    user: &User,
    id: &KeyId,
    rest: Rest,
    now: Moment,
) -> Result<ChangeReport, String> {
    let (name, text) = (printable(&user.username), printable(id.as_str()));
    let none = || format!("{name} has no key {text}; vestibule user key list shows the keys");
    let found = one_of(store, user, id)?.ok_or_else(none)?;
    let open = open_access(store, user, now)?;
    let is_done = keys::delete(store, &user.id, &found.id, rest, now);
    if !is_done.map_err(|err| err.to_string())? {
        return Err(none());
    }
    let counts = counts(open);
    let facts = [&[(audit::KEY, found.id.as_str())], &facts(&counts)[..]].concat();
    record(store, user, (Event::UserKeyRemove, &facts), now)?;
    let left = of(store, user)?;
    let hint = if sign_in_names(&left).is_empty() {
        "; no key is left to sign in with by a password"
    } else {
        ""
    };
    let key = found.id.as_str();
    let sentence = format!("the key {key} of {name} is removed; {}{hint}", ended(open));
    Ok(ChangeReport::of(user, sentence).with("key", data(&found)).ending(open))
}

/// Lists the keys of a user.
pub(super) fn list(store: &dyn Store, user: &User, as_json: bool) -> Done {
    let all = of(store, user)?;
    if as_json {
        return Ok(lines(all.iter().map(data)));
    }
    if all.is_empty() {
        return Ok(format!("{} has no key\n", printable(&user.username)));
    }
    let row = |it: &Key| {
        let [provider, id] = [it.id.provider(), it.id.provider_user_id()].map(str::to_owned);
        vec![provider, id, kind(it).unwrap_or("no password").to_owned()]
    };
    Ok(table(&["provider", "id", "hash"], &all.iter().map(row).collect::<Vec<_>>()))
}

/// All keys of a user, by their ids.
fn of(store: &dyn Store, user: &User) -> Result<Vec<Key>, String> {
    keys::of_user(store, &user.id).map_err(|err| err.to_string())
}

/// A key as a script gets to see it.
pub(super) fn data(it: &Key) -> Value {
    json!({ "provider": it.id.provider(), "id": it.id.provider_user_id(), "hash": kind(it) })
}

/// A key as an operator gets to see it, on one line.
pub(super) fn line(it: &Key) -> String {
    format!("{}, {}", it.id.as_str(), kind(it).unwrap_or("no password"))
}

/// The names with which a user can sign in by these keys.
pub(super) fn sign_in_names(keys: &[Key]) -> Vec<&str> {
    let opens = |it: &&Key| it.hashed_password.as_ref().is_some_and(PasswordHash::is_readable);
    keys.iter().filter(opens).filter_map(|it| it.id.sign_in_name()).collect()
}

/// How the password of a key is hashed. `None`: it has none.
fn kind(key: &Key) -> Option<&'static str> {
    key.hashed_password.as_ref().map(PasswordHash::kind)
}

/// The key of this user that has this id; a name in any spelling, or else its plain form.
fn one_of(store: &dyn Store, user: &User, id: &KeyId) -> Result<Option<Key>, String> {
    let name = id.sign_in_name().and_then(Username::or_address);
    let plain = name.as_ref().and_then(Username::plain);
    let named = [name, plain].into_iter().flatten().map(|it| KeyId::username(it.canonical()));
    let all = of(store, user)?;
    let found = |id: &KeyId| all.iter().find(|it| it.id == *id).cloned();
    Ok(std::iter::once(id.clone()).chain(named).find_map(|id| found(&id)))
}
