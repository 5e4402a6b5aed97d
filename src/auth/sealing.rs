//! Sealing: which key the secrets of authenticator apps go with, and how they are sealed anew.
//!
//! A database knows by a hash with which key it is sealed, so that a server with another one, or with none, does not
//! start: each of its users with an app would be shut out. While the key is replaced, the hash of the one before is
//! there as well, so that a replacement that was broken off is noticed. Knows no file and no flag.

use crate::base::sealing::{CLEAR, SEALED, SealingKey, StoredSecret};
use crate::store::{Result, SealRow, SecretChange, Store, Totp, UserId};

/// Secrets that are written at once.
const BATCH: u32 = 500;

/// How often all apps are gone through, at most. Servers may store secrets meanwhile.
const ROUNDS: usize = 10;

/// Why a key does not go with a database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SealMismatch {
    /// Secrets are sealed, and there is no key; the check value of theirs, if it is known.
    NoKey(Option<[u8; 32]>),
    /// Secrets are sealed with another key; its check value, if it is known.
    WrongKey(Option<[u8; 32]>),
    /// The key with the first check value is being replaced by the one with the second.
    Unfinished([u8; 32], [u8; 32]),
}

/// Whether this key, or none, goes with the secrets in the database. `None`: it does.
pub fn mismatch(store: &dyn Store, key: Option<&SealingKey>) -> Result<Option<SealMismatch>> {
    let current = store.seal(SealRow::Current)?;
    if let (Some(previous), Some(current)) = (store.seal(SealRow::Previous)?, current) {
        return Ok(Some(SealMismatch::Unfinished(previous, current)));
    }
    let Some(sealed) = store.first_app_of_kind(SEALED)? else { return Ok(None) };
    let Some(key) = key else { return Ok(Some(SealMismatch::NoKey(current))) };
    let fits = match current {
        Some(current) => current == key.check_value(),
        None => opens(&sealed, key),
    };
    Ok((!fits).then_some(SealMismatch::WrongKey(current)))
}

/// Notes the key of a server that starts, or of a command that stores secrets, unless it does not go with the secrets
/// in the database. `None`: it does.
pub fn claim(store: &dyn Store, key: Option<&SealingKey>) -> Result<Option<SealMismatch>> {
    loop {
        let before = store.seal(SealRow::Current)?;
        if let Some(mismatch) = mismatch(store, key)? {
            return Ok(Some(mismatch));
        }
        let Some(value) = key.map(SealingKey::check_value) else { return Ok(None) };
        // Another server may note another key at this moment.
        if before == Some(value) || store.change_seal(before.as_ref(), Some(&value), None)? {
            return Ok(None);
        }
    }
}

fn opens(app: &Totp, key: &SealingKey) -> bool {
    let stored = StoredSecret::from_stored(app.secret.clone());
    stored.open(app.user_id.as_str(), Some(key)).is_ok()
}

/// How many apps have a sealed secret, and how many one in the clear.
pub fn counts(store: &dyn Store) -> Result<(i64, i64)> {
    Ok((store.apps_of_kind(SEALED)?, store.apps_of_kind(CLEAR)?))
}

/// What was done to the secrets in a database.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Resealed {
    /// How many were written in another form.
    pub changed: usize,
    /// The users whose secrets neither key opens: they were moved or altered, or sealed with a third one.
    pub unreadable: Vec<UserId>,
}

/// The result of [`reseal`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resealing {
    /// All secrets that can be read are in the form that is wanted.
    Done(Resealed),
    /// The key to replace is not the one with which secrets are sealed. Nothing is changed.
    Mismatch(SealMismatch),
}

/// Seals all secrets with a key, those in the clear as well as those that are sealed with the key `from`; or, without
/// a key, leaves all in the clear. Beside a running server: each secret is whole at any moment. If it is broken off, it
/// can be run again, and no server starts before it is done.
pub fn reseal(
    store: &dyn Store,
    key: Option<&SealingKey>,
    from: Option<&SealingKey>,
    progress: &mut dyn FnMut(usize),
) -> Result<Resealing> {
    if let Some(mismatch) = begin(store, key, from)? {
        return Ok(Resealing::Mismatch(mismatch));
    }
    let mut done = Resealed::default();
    for _ in 0..ROUNDS {
        let (changed, unreadable) = round(store, key, from, &mut |more| {
            progress(done.changed + more);
        })?;
        done.changed += changed;
        done.unreadable = unreadable;
        if changed == 0 {
            break;
        }
    }
    let value = key.map(SealingKey::check_value);
    let before = store.seal(SealRow::Current)?;
    store.change_seal(before.as_ref(), value.as_ref(), None)?;
    Ok(Resealing::Done(done))
}

/// Notes that secrets are being sealed anew, unless `from` is not the key that they are sealed with.
fn begin(
    store: &dyn Store,
    key: Option<&SealingKey>,
    from: Option<&SealingKey>,
) -> Result<Option<SealMismatch>> {
    let [new, old] = [key, from].map(|it| it.map(SealingKey::check_value));
    loop {
        let current = store.seal(SealRow::Current)?;
        let previous = store.seal(SealRow::Previous)?;
        let sealed = store.first_app_of_kind(SEALED)?;
        let is_known = match (previous, current) {
            // It was broken off before.
            (Some(previous), Some(current)) if Some(current) != new || Some(previous) != old => {
                return Ok(Some(SealMismatch::Unfinished(previous, current)));
            }
            (Some(_), _) => return Ok(None),
            (None, Some(current)) => [new, old].contains(&Some(current)),
            (None, None) => {
                let fits = |app: &Totp| [key, from].into_iter().flatten().any(|it| opens(app, it));
                sealed.as_ref().is_none_or(fits)
            }
        };
        if !is_known && sealed.is_some() {
            return Ok(Some(match new.or(old) {
                Some(_) => SealMismatch::WrongKey(current),
                None => SealMismatch::NoKey(current),
            }));
        }
        // Without a new key the old one opens all until the end.
        if new.is_none() || current == new {
            return Ok(None);
        }
        let previous = old.filter(|it| sealed.is_some() && current == Some(*it));
        if store.change_seal(current.as_ref(), new.as_ref(), previous.as_ref())? {
            return Ok(None);
        }
    }
}

/// Goes through all apps once. Returns how many secrets were written, and whose cannot be read.
fn round(
    store: &dyn Store,
    key: Option<&SealingKey>,
    from: Option<&SealingKey>,
    progress: &mut dyn FnMut(usize),
) -> Result<(usize, Vec<UserId>)> {
    let (mut changed, mut unreadable) = (0, Vec::new());
    let mut after = None;
    loop {
        let apps = store.apps_after(after.as_ref(), BATCH)?;
        let Some(last) = apps.last() else { return Ok((changed, unreadable)) };
        after = Some(last.user_id.clone());
        let mut batch = Vec::new();
        for app in apps {
            match in_new_form(&app, key, from) {
                NewForm::AsItIs => {}
                NewForm::Bytes(bytes) => batch.push(SecretChange {
                    user_id: app.user_id,
                    before: app.secret,
                    after: bytes,
                }),
                NewForm::Unreadable => unreadable.push(app.user_id),
            }
        }
        if !batch.is_empty() {
            changed += store.change_secrets(&batch)?;
            progress(changed);
        }
    }
}

enum NewForm {
    AsItIs,
    Bytes(Vec<u8>),
    Unreadable,
}

fn in_new_form(app: &Totp, key: Option<&SealingKey>, from: Option<&SealingKey>) -> NewForm {
    let stored = StoredSecret::from_stored(app.secret.clone());
    let user = app.user_id.as_str();
    if stored.is_sealed() && key.is_some() && stored.open(user, key).is_ok() {
        return NewForm::AsItIs;
    }
    match stored.open(user, from) {
        Ok(_) if key.is_none() && !stored.is_sealed() => NewForm::AsItIs,
        Ok(secret) => NewForm::Bytes(StoredSecret::new(&secret, user, key).as_stored().to_vec()),
        Err(_) => NewForm::Unreadable,
    }
}
