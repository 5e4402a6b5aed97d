//! Ways to prove who one is: a provider, what it knows the person as, and a password or none.
//!
//! Decides what counts as proof. Knows nothing of sessions, of which passwords are good enough, or
//! of what somebody who fails is told.

use crate::password::{Hasher, Password, PasswordHash, Verdict};
use crate::store::{Key, KeyId, Result, Store, User, UserId, Written};

/// A key to be made.
pub struct NewKey<'a> {
    /// `provider:id`.
    pub id: &'a KeyId,
    /// `None`: whoever vouches for the id, such as an OAuth provider, is proof enough.
    pub password: Option<&'a Password>,
}

/// What became of an attempt to prove who one is.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// The password is this user's, by this hash.
    Of(User, PasswordHash),
    /// It is nobody's. All refusals take the same time and are told the same.
    Refused(Refusal),
}

/// Why a proof failed: for the operator's log, never for the visitor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// There is no such key.
    UnknownKey,
    /// The key has another password, or none.
    WrongPassword,
    /// The stored hash of this user cannot be read; see [`Verdict::Unreadable`].
    UnreadableHash(UserId),
    /// The password is right, and this user is shut out.
    Disabled(UserId),
}

/// Adds a key to a user. [`Written::Taken`] if the key exists, whoever's it is; [`Written::NoUser`]
/// if there is no such user. (Lucia: `createKey`.)
pub fn create(
    store: &dyn Store,
    hasher: &Hasher,
    user: &UserId,
    key: &NewKey<'_>,
) -> Result<Written> {
    store.add_key(&new(hasher, user, key))
}

/// The key with this id, if there is one. (Lucia: `getKey`.)
pub fn get(store: &dyn Store, id: &KeyId) -> Result<Option<Key>> {
    store.key(id)
}

/// All keys of a user, by their ids; none if there is no such user. (Lucia: `getAllUserKeys`.)
pub fn of_user(store: &dyn Store, user: &UserId) -> Result<Vec<Key>> {
    store.keys_of(user)
}

/// The user whose key this is, proven by their password. One look-up and one slow hash, whatever
/// the outcome; a hash made by older rules is replaced on the way. (Lucia: `useKey`.)
pub fn user_by_password(
    store: &dyn Store,
    hasher: &Hasher,
    id: &KeyId,
    password: &Password,
) -> Result<Proof> {
    let found = store.user_of_key(id)?;
    let hash = found.as_ref().and_then(|(_, key)| key.hashed_password.as_ref());
    let verdict = hasher.verify(password, hash);
    let Some((user, key)) = found else { return Ok(Proof::Refused(Refusal::UnknownKey)) };
    if user.disabled_at.is_some() {
        // Costs and looks the same as a wrong password, the right one included.
        return Ok(Proof::Refused(match verdict {
            Verdict::Right | Verdict::Stale => Refusal::Disabled(user.id),
            Verdict::Wrong | Verdict::Unreadable => Refusal::WrongPassword,
        }));
    }
    Ok(match (verdict, key.hashed_password) {
        (Verdict::Right, Some(hash)) => Proof::Of(user, hash),
        (Verdict::Stale, Some(old)) => {
            let new = hasher.hash(password);
            let is_replaced = store.replace_hash(id, &old, &new)?;
            Proof::Of(user, if is_replaced { new } else { old })
        }
        (Verdict::Unreadable, _) => Proof::Refused(Refusal::UnreadableHash(user.id)),
        (Verdict::Right | Verdict::Stale | Verdict::Wrong, _) => {
            Proof::Refused(Refusal::WrongPassword)
        }
    })
}

/// The user whose key this is, for a provider that has vouched for them. `None` if there is no
/// such key, if its user is shut out, or if it has a password: then only the password is proof. (Lucia: `useKey` with
/// `null`.)
pub fn user_by_provider(store: &dyn Store, id: &KeyId) -> Result<Option<User>> {
    let found = store.user_of_key(id)?;
    let is_proof =
        |(user, key): &(User, Key)| key.hashed_password.is_none() && user.disabled_at.is_none();
    Ok(found.filter(is_proof).map(|(user, _)| user))
}

/// Sets the password of a key, or removes it, and ends every session and access token of its user. `false` if there
/// is no such key. (Lucia: `updateKeyPassword`, which leaves the sessions alive; OWASP ASVS 7.4.3
/// wants them to end.)
pub fn set_password(
    store: &dyn Store,
    hasher: &Hasher,
    id: &KeyId,
    password: Option<&Password>,
) -> Result<bool> {
    let hash = password.map(|password| hasher.hash(password));
    store.set_password(id, hash.as_ref())
}

/// Deletes a key. `false` if there was none. (Lucia: `deleteKey`.)
pub fn delete(store: &dyn Store, id: &KeyId) -> Result<bool> {
    store.delete_key(id)
}

/// A key that is not written down yet.
pub(crate) fn new(hasher: &Hasher, user: &UserId, key: &NewKey<'_>) -> Key {
    Key {
        id: key.id.clone(),
        user_id: user.clone(),
        hashed_password: key.password.map(|password| hasher.hash(password)),
    }
}
