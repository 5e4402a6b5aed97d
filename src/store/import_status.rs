//! What exists already of a user who is to be imported: one rule for all engines.

use super::{ImportStatus, ImportedUser, KeyId};
use crate::base::token::TokenHash;

/// The rows that the rule looks at. Users are identified by their ids.
pub(super) trait Present {
    type Error;
    /// The canonical name of a user.
    fn name_of(&self, id: &str) -> Result<Option<String>, Self::Error>;
    /// The user with this canonical name.
    fn user_by_name(&self, canonical: &str) -> Result<Option<String>, Self::Error>;
    /// Whether this canonical name rests.
    fn name_rests(&self, canonical: &str) -> Result<bool, Self::Error>;
    /// The user whose key this is.
    fn owner_of_key(&self, id: &KeyId) -> Result<Option<String>, Self::Error>;
    /// The user whose session this is.
    fn owner_of_session(&self, id: &TokenHash) -> Result<Option<String>, Self::Error>;
    /// The user whose passkey this is.
    fn owner_of_passkey(&self, id: &[u8]) -> Result<Option<String>, Self::Error>;
}

/// What exists already of this user.
pub(super) fn standing<P: Present>(
    present: &P,
    arrival: &ImportedUser,
) -> Result<ImportStatus, P::Error> {
    let canonical = arrival.user.canonical_username.as_str();
    let by_name = present.user_by_name(canonical)?;
    let id = match &by_name {
        Some(found) if arrival.is_known_by_name => found.clone(),
        _ => arrival.user.id.as_str().to_owned(),
    };
    let is_here = match present.name_of(&id)? {
        Some(name) if name == canonical => true,
        Some(_) => return Ok(ImportStatus::IdTaken),
        None if by_name.is_some() => return Ok(ImportStatus::NameTaken),
        None => false,
    };
    // A name must not be one user's username and another's sign-in name.
    if !is_here && present.owner_of_key(&KeyId::username(canonical))?.is_some() {
        return Ok(ImportStatus::NameTaken);
    }
    let names = arrival.keys.iter().filter_map(|it| it.id.sign_in_name());
    for name in std::iter::once(canonical).chain(names).filter(|_| !is_here) {
        if present.name_rests(name)? {
            return Ok(ImportStatus::NameRests);
        }
    }
    match already_there(present, arrival, &id)? {
        ImportStatus::Here { .. } if !is_here => Ok(ImportStatus::New),
        status => Ok(status),
    }
}

/// How many of the keys and sessions of an imported user exist, all of them belonging to the user `id`; a
/// conflict if one belongs to another user.
fn already_there<P: Present>(
    present: &P,
    arrival: &ImportedUser,
    id: &str,
) -> Result<ImportStatus, P::Error> {
    let mut keys = 0;
    for key in &arrival.keys {
        match present.owner_of_key(&key.id)? {
            Some(owner) if owner == id => keys += 1,
            Some(_) => return Ok(ImportStatus::KeyTaken(key.id.clone())),
            None => {}
        }
        let shown = match key.id.provider() {
            "username" => present.user_by_name(key.id.provider_user_id())?,
            _ => None,
        };
        if shown.is_some_and(|owner| owner != id) {
            return Ok(ImportStatus::KeyTaken(key.id.clone()));
        }
    }
    let mut sessions = 0;
    for session in &arrival.sessions {
        match present.owner_of_session(&session.id)? {
            Some(owner) if owner == id => sessions += 1,
            Some(_) => return Ok(ImportStatus::SessionTaken),
            None => {}
        }
    }
    for passkey in &arrival.passkeys {
        if present.owner_of_passkey(&passkey.id)?.is_some_and(|owner| owner != id) {
            return Ok(ImportStatus::PasskeyTaken);
        }
    }
    Ok(ImportStatus::Here { keys, sessions })
}
