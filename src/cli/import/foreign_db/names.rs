//! The names with which the users of another program sign in here.
//!
//! Decides which column or key becomes the name, and which password goes with it.

use std::collections::HashMap;

use super::super::reasons::{Reason, ReasonKind};
use super::{ForeignKey, ForeignUser};
use crate::auth::usernames::canonical;

/// The source of the sign-in names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NameSource {
    /// This column of the table of users.
    Column(String),
    /// The user's ID at this provider.
    Key(String),
}

impl NameSource {
    /// A column, or a provider as `key:PROVIDER`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("key", provider)) if !provider.is_empty() => Ok(Self::Key(provider.to_owned())),
            _ if text.is_empty() || text.starts_with("key:") => {
                Err("write a column, or key:PROVIDER".to_owned())
            }
            _ => Ok(Self::Column(text.to_owned())),
        }
    }

    /// The providers whose keys have the names: one or none.
    pub(super) fn providers(&self) -> &[String] {
        match self {
            Self::Column(_) => &[],
            Self::Key(provider) => std::slice::from_ref(provider),
        }
    }
}

/// Names every user who has no name yet after a key of one of these providers, the first that they have, or
/// else by their address; and gives users who had a password but no name to sign in with, as Lucia v2 lets
/// apps do, a key of that name with that password.
pub(super) fn name_by_keys(
    users: &mut [ForeignUser],
    keys: &mut Vec<ForeignKey>,
    providers: &[impl AsRef<str>],
) {
    let providers: Vec<&str> = providers.iter().map(AsRef::as_ref).collect();
    let mut owned: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, key) in keys.iter().enumerate() {
        owned.entry(&key.user_id).or_default().push(at);
    }
    let (mut added, mut filled) = (Vec::new(), Vec::new());
    for user in users {
        let Some(id) = user.id.as_deref() else { continue };
        let own = owned.get(id).map(Vec::as_slice).unwrap_or_default();
        let own: Vec<OwnKey<'_>> = own.iter().map(|&at| OwnKey { at, key: &keys[at] }).collect();
        name(user, &own, &providers);
        match password_of_name(user, &own, &providers) {
            None => {}
            Some((None, from)) => added.push(ForeignKey { id: None, ..keys[from].clone() }),
            Some((Some(to), from)) => filled.push((to, from)),
        }
    }
    drop(owned);
    for (to, from) in filled {
        let id = keys[to].id.take();
        keys[to] = ForeignKey { id, ..keys[from].clone() };
    }
    keys.extend(added);
}

/// A key of the user in question, and which of all keys it is.
#[derive(Clone, Copy)]
struct OwnKey<'a> {
    at: usize,
    key: &'a ForeignKey,
}

fn name(user: &mut ForeignUser, own: &[OwnKey<'_>], providers: &[&str]) {
    if user.username.is_none() {
        let named = providers.iter().find_map(|provider| of_provider(own, provider));
        let named = named.map(|(name, _)| name.to_owned());
        user.username = named.or_else(|| user.email_as_name.take());
    }
}

/// Which key has the password that the user's name is to open the account with, where that name has none yet;
/// and before it the key of that name, if there is one.
fn password_of_name(
    user: &mut ForeignUser,
    own: &[OwnKey<'_>],
    providers: &[&str],
) -> Option<(Option<usize>, usize)> {
    let name = user.username.as_deref()?;
    let sign_in = canonical(name);
    let of_name = own.iter().find(|it| match &it.key.id {
        None => true,
        Some((provider, id)) => provider == "username" && canonical(id) == sign_in,
    });
    if of_name.is_some_and(|it| it.key.has_password()) {
        return None;
    }
    let named = providers.iter().filter_map(|it| of_provider(own, it));
    let mut named = named.filter(|(id, it)| *id == name && it.key.has_password());
    let has_other_name = own.iter().any(|it| it.key.provider() == Some("username"));
    let (id, found) = match named.next() {
        Some(found) => found,
        // A user with another name signs in with that.
        None if has_other_name && of_name.is_none() => return None,
        None => {
            let with_password = || own.iter().filter(|it| it.key.has_password());
            let by_address = with_password().find(|it| it.key.provider() == Some("email"));
            let found = *by_address.or_else(|| with_password().next())?;
            (found.key.id.as_ref()?.1.as_str(), found)
        }
    };
    if canonical(id) != sign_in {
        user.reasons.push(Reason::about(ReasonKind::SignedInOtherwise, id.to_owned()));
    }
    Some((of_name.map(|it| it.at), found.at))
}

fn of_provider<'a>(own: &[OwnKey<'a>], provider: &str) -> Option<(&'a str, OwnKey<'a>)> {
    own.iter().find_map(|it| match &it.key.id {
        Some((of, id)) if of == provider && !id.is_empty() => Some((id.as_str(), *it)),
        _ => None,
    })
}
