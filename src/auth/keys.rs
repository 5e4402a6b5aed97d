//! Ways to prove who one is: a provider, what it knows the person as, and a password or none.
//!
//! Decides what counts as proof. Knows nothing of sessions, of which passwords are good enough, or
//! of what somebody who fails is told.

use crate::auth::usernames::Username;
use crate::base::password::{Hasher, Password, PasswordHash, Verdict};
use crate::store::{
    Credentials, Epoch, Key, KeyAdded, KeyId, PasswordSet, Result, Store, User, UserId,
};

/// Hashes of one user that a password is compared with at most when it is given once more. An import can
/// bring over any number of keys with different passwords, and each comparison is a slow hash.
// LIMIT: whoever has more passwords, and signed in with one beyond these, has to sign in with another.
const HASHES_MAX: usize = 4;

/// A key to be made.
pub struct NewKey<'a> {
    /// `provider:id`.
    pub id: &'a KeyId,
    /// `None`: whoever vouches for the id, such as an OAuth provider, is proof enough.
    pub password: Option<&'a Password>,
}

/// What became of an attempt to prove who one is. It holds a hash and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// The password is right.
    Of(Box<Proven>),
    /// It is nobody's. All refusals take the same time and are told the same.
    Refused(ProofFailure),
}

/// A user whose password was right. It holds a hash and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Proven {
    /// The user who signed in.
    pub user: User,
    /// The hash that the password matches.
    pub hash: PasswordHash,
    /// The epoch under which the hash was read: what follows from the proof holds as long as the user has
    /// no other one.
    pub epoch: Epoch,
}

/// Why a proof failed: for the operator's log, never for the visitor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProofFailure {
    /// There is no such key.
    UnknownKey,
    /// There is another password, or none.
    WrongPassword,
    /// The stored hash of this user cannot be read; see [`Verdict::Unreadable`].
    UnreadableHash(UserId),
    /// The password is right, and this user is shut out.
    Disabled(UserId),
}

/// Adds a key to a user. [`KeyAdded::Taken`] if the key exists, whoever's it is; [`KeyAdded::NoUser`]
/// if there is no such user. (Lucia: `createKey`.)
pub fn create(
    store: &dyn Store,
    hasher: &Hasher,
    user: &UserId,
    key: &NewKey<'_>,
) -> Result<KeyAdded> {
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

/// The user whose key this is, proven by the password of that key. One look-up and one slow hash, whatever
/// the outcome; a hash made by older rules is replaced on the way. (Lucia: `useKey`.)
pub fn user_by_password(
    store: &dyn Store,
    hasher: &Hasher,
    id: &KeyId,
    password: &Password,
) -> Result<Proof> {
    verify(store, hasher, store.credentials_of_key(id)?, password)
}

/// A user who gives their password once more: the password of any key of theirs, whatever the keys are
/// called. One look-up, and one slow hash for each password that they have, at most four.
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
        // Costs and looks the same as a wrong password.
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

/// Compares a password with the hashes of one user until one matches, and comes back with that one; with
/// a decoy if there is none, as an unknown name must cost what a wrong password costs.
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

/// The user whose key this is, for a provider that has vouched for them. `None` if there is no
/// such key, if its user is shut out, or if it has a password: then only the password is proof. (Lucia: `useKey` with
/// `null`.)
pub fn user_by_provider(store: &dyn Store, id: &KeyId) -> Result<Option<User>> {
    let found = store.user_of_key(id)?;
    let is_proof =
        |(user, key): &(User, Key)| key.hashed_password.is_none() && user.disabled_at.is_none();
    Ok(found.filter(is_proof).map(|(user, _)| user))
}

/// Sets the password of a user, or removes it, and ends every session, access token and reset link of
/// theirs. The password belongs to the user: every key that has one gets it, and so does every sign-in name;
/// a user without any gets their own. [`PasswordSet::NameTaken`] if another user signs in with that and there is no
/// other key. (Lucia: `updateKeyPassword`, which changes one key and leaves the sessions alive; OWASP ASVS
/// 7.4.3 wants them to end.)
pub fn set_password(
    store: &dyn Store,
    hasher: &Hasher,
    user: &UserId,
    password: Option<&Password>,
) -> Result<PasswordSet> {
    let hash = password.map(|password| hasher.hash(password));
    store.set_password(user, hash.as_ref())
}

/// Lets a user sign in with this name as well, with the password that they have. [`KeyAdded::Taken`] if it
/// shows a user or lets one in already.
pub fn add_sign_in_name(store: &dyn Store, user: &UserId, name: &Username) -> Result<KeyAdded> {
    store.add_sign_in_name(user, name.canonical())
}

/// Deletes a key of this user and ends every session, access token and reset link of theirs (OWASP ASVS
/// 7.4.3). `false` if they have no such key. (Lucia: `deleteKey`, which leaves the sessions alive.)
pub fn delete(store: &dyn Store, user: &UserId, id: &KeyId) -> Result<bool> {
    store.delete_key(user, id)
}

/// A key that is not written down yet.
pub(crate) fn new(hasher: &Hasher, user: &UserId, key: &NewKey<'_>) -> Key {
    Key {
        id: key.id.clone(),
        user_id: user.clone(),
        hashed_password: key.password.map(|password| hasher.hash(password)),
    }
}
