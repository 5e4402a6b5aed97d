//! Keys, which are ways to sign in: a provider, the user's id there, and a password or none.
//!
//! Decides what proves an identity. Knows nothing of sessions, of which passwords are acceptable, or of
//! what a visitor is shown after a failure.

use crate::auth::names::Rest;
use crate::auth::usernames::Username;
use crate::base::clock::Moment;
use crate::base::password::{Hasher, Password, PasswordHash, Verdict};
use crate::store::{
    Credentials, Epoch, Key, KeyAdded, KeyId, PasswordSet, Result, Store, User, UserId,
};

/// The most hashes that a user's password is compared with at reauthentication. An import can bring any
/// number of keys with different passwords, and each comparison costs a slow hash.
// LIMIT: a user with more passwords, who signed in with one beyond these, has to use another one.
const HASHES_MAX: usize = 4;

/// The properties of a key that is to be created.
pub struct NewKey<'a> {
    /// `provider:id`, which must not exist yet.
    pub id: &'a KeyId,
    /// `None`: the provider, such as an OAuth server, has authenticated the user already.
    pub password: Option<&'a Password>,
}

/// The result of checking a password. It holds a hash and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// The password is right, and the user is enabled.
    Of(Box<Proven>),
    /// The user is not authenticated. All failures take the same time and are shown to the visitor in the
    /// same words.
    Refused(ProofFailure),
}

/// A user who has proven their password. It holds a hash and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Proven {
    /// The user who signed in.
    pub user: User,
    /// The hash that the password matches.
    pub hash: PasswordHash,
    /// The user's epoch when the hash was read: what follows from the proof is valid only while the user
    /// still has it.
    pub epoch: Epoch,
}

/// Why a proof failed: for the operator's log, never shown to a visitor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProofFailure {
    /// No key has this id.
    UnknownKey,
    /// The key's password is another one, or it has none.
    WrongPassword,
    /// The stored hash of this user cannot be used; see [`Verdict::Unreadable`].
    UnreadableHash(UserId),
    /// The password is right, but this user is disabled.
    Disabled(UserId),
    /// The password is right, and this user has to give a second factor as well.
    SecondFactorDue(UserId),
    /// The password is right, but this user has to verify their e-mail address first.
    Unverified(UserId),
}

/// Adds a key to a user. [`KeyAdded::Taken`] if any user has a key with this id; [`KeyAdded::NameReserved`]
/// if it is a sign-in name that another user had and that is reserved; [`KeyAdded::NoUser`] if there is no
/// such user. (Lucia: `createKey`.)
pub fn create(
    store: &dyn Store,
    hasher: &Hasher,
    user: &UserId,
    key: &NewKey<'_>,
    now: Moment,
) -> Result<KeyAdded> {
    store.add_key(&new(hasher, user, key), now)
}

/// The key with this id, if there is one. (Lucia: `getKey`.)
pub fn get(store: &dyn Store, id: &KeyId) -> Result<Option<Key>> {
    store.key(id)
}

/// All keys of a user, in the order of their ids; empty if there is no such user. (Lucia:
/// `getAllUserKeys`.)
pub fn of_user(store: &dyn Store, user: &UserId) -> Result<Vec<Key>> {
    store.keys_of(user)
}

/// Verifies the password of this key. One look-up and one slow hash, whatever the outcome; a hash made with
/// outdated parameters is replaced. (Lucia: `useKey`.)
pub fn user_by_password(
    store: &dyn Store,
    hasher: &Hasher,
    id: &KeyId,
    password: &Password,
) -> Result<Proof> {
    verify(store, hasher, store.credentials_of_key(id)?, password)
}

/// Verifies the password of a known user, who may have several keys: that of any key will do. One look-up,
/// and one slow hash for each distinct password, four at most.
pub fn user_again_by_password(
    store: &dyn Store,
    hasher: &Hasher,
    id: &UserId,
    password: &Password,
) -> Result<Proof> {
    verify(store, hasher, store.credentials_of_user(id)?, password)
}

fn verify(
    store: &dyn Store,
    hasher: &Hasher,
    found: Option<Credentials>,
    password: &Password,
) -> Result<Proof> {
    let stored = found.as_ref().map_or(&[][..], |it| it.hashes.as_slice());
    let (verdict, hash) = compare(hasher, stored, password);
    let Some(Credentials { user, epoch, .. }) = found else {
        return Ok(Proof::Refused(ProofFailure::UnknownKey));
    };
    let is_disabled = user.disabled_at.is_some();
    Ok(match (verdict, hash) {
        // The same cost as a wrong password, and the same answer.
        (Verdict::Right | Verdict::Stale, Some(_)) if is_disabled => {
            Proof::Refused(ProofFailure::Disabled(user.id))
        }
        (Verdict::Right, Some(hash)) => Proof::Of(Box::new(Proven { user, hash, epoch })),
        (Verdict::Stale, Some(old)) => {
            let new = hasher.hash(password);
            let is_replaced = store.replace_hash(&user.id, &old, &new)?;
            let hash = if is_replaced { new } else { old };
            Proof::Of(Box::new(Proven { user, hash, epoch }))
        }
        (Verdict::Unreadable, _) if !is_disabled => {
            Proof::Refused(ProofFailure::UnreadableHash(user.id))
        }
        _ => Proof::Refused(ProofFailure::WrongPassword),
    })
}

/// Compares a password with the hashes of one user, and returns the one that matches. Without any hash it
/// is compared with a decoy, since an unknown name must cost as much as a wrong password.
fn compare(
    hasher: &Hasher,
    stored: &[PasswordHash],
    password: &Password,
) -> (Verdict, Option<PasswordHash>) {
    if stored.is_empty() {
        return (hasher.verify(password, None), None);
    }
    let mut refused = Verdict::Unreadable;
    for hash in stored.iter().take(HASHES_MAX) {
        match hasher.verify(password, Some(hash)) {
            verdict @ (Verdict::Right | Verdict::Stale) => return (verdict, Some(hash.clone())),
            Verdict::Wrong => refused = Verdict::Wrong,
            Verdict::Unreadable => {}
        }
    }
    (refused, None)
}

/// The user of this key, whom its provider has authenticated. `None` if the key does not exist, if its user
/// is disabled, or if it has a password, since then only the password is proof. (Lucia: `useKey` with
/// `null`.)
pub fn user_by_provider(store: &dyn Store, id: &KeyId) -> Result<Option<User>> {
    let found = store.user_of_key(id)?;
    let is_proof =
        |(user, key): &(User, Key)| key.hashed_password.is_none() && user.disabled_at.is_none();
    Ok(found.filter(is_proof).map(|(user, _)| user))
}

/// Sets or removes the password of a user, and ends all their sessions, access tokens and reset links. The
/// password belongs to the user: every key that has one gets the new one, and so does every sign-in name; a
/// user without a sign-in name gets their username as one. [`PasswordSet::NameTaken`] if another user signs
/// in with that name and there is no other key to set the password on. (Lucia: `updateKeyPassword`, which
/// changes one key and leaves the sessions alive; OWASP ASVS 7.4.3 wants them to end.)
pub fn set_password(
    store: &dyn Store,
    hasher: &Hasher,
    user: &UserId,
    password: Option<&Password>,
) -> Result<PasswordSet> {
    let hash = password.map(|password| hasher.hash(password));
    store.set_password(user, hash.as_ref())
}

/// Adds a sign-in name to a user, with the password that they have. [`KeyAdded::Taken`] if it is another
/// user's username or sign-in name; [`KeyAdded::NameReserved`] if another user had it and it is reserved.
pub fn add_sign_in_name(
    store: &dyn Store,
    user: &UserId,
    name: &Username,
    now: Moment,
) -> Result<KeyAdded> {
    store.add_sign_in_name(user, name.canonical(), now)
}

/// Deletes a key of this user and ends all their sessions, access tokens and reset links (OWASP ASVS
/// 7.4.3). A sign-in name other than the username is then reserved for them. `false` if they have no such
/// key. (Lucia: `deleteKey`, which leaves the sessions alive.)
pub fn delete(
    store: &dyn Store,
    user: &UserId,
    id: &KeyId,
    rest: Rest,
    now: Moment,
) -> Result<bool> {
    store.delete_key(user, id, rest.end(now))
}

/// A key, not yet stored; its password is hashed here.
pub(crate) fn new(hasher: &Hasher, user: &UserId, key: &NewKey<'_>) -> Key {
    Key {
        id: key.id.clone(),
        user_id: user.clone(),
        hashed_password: key.password.map(|password| hasher.hash(password)),
    }
}
