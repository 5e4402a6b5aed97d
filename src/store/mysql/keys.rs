//! Keys as they are written down.

use super::{
    Answer, Fault, Mysql, Unit, delete_rows_of, has_session, insert_session, lock_user, written,
};
use crate::base::password::PasswordHash;
use crate::store::records::renaming;
use crate::store::rows::key_columns;
use crate::store::tables::ALL;
use crate::store::{Entry, Epoch, Key, KeyId, Keys, Result, Session, UserId, Written};

/// Picks the keys of sign-in names: `;` comes after `:`.
const IS_SIGN_IN_NAME: &str = "user_key.id >= 'username:' AND user_key.id < 'username;'";

impl Keys for Mysql {
    fn add_key(&self, key: &Key) -> Result<Written> {
        written(self.write(|unit| {
            let is_ours = |found: Option<Key>| found.is_some_and(|it| it == *key);
            if unit.is_again && is_ours(find(unit, &key.id)?) {
                return Ok(());
            }
            add_key(unit, key)
        }))
    }

    fn add_sign_in_name(&self, user: &UserId, canonical: &str) -> Result<Written> {
        let (id, user_id) = (KeyId::username(canonical), user.clone());
        written(self.write(|unit| {
            let is_ours = |found: Option<Key>| found.is_some_and(|it| it.user_id == *user);
            if unit.is_again && is_ours(find(unit, &id)?) {
                return Ok(());
            }
            lock_user(unit, user.as_str())?.ok_or(Fault::NoUser)?;
            let found: Option<Option<PasswordHash>> = unit.first(
                &format!(
                    "SELECT hashed_password FROM user_key JOIN user ON user.id = user_key.user_id
                      WHERE user_id = ? AND hashed_password IS NOT NULL
                      ORDER BY user_key.id = CONCAT('username:', user.canonical_username) DESC,
                               {IS_SIGN_IN_NAME} DESC, user_key.id LIMIT 1"
                ),
                (user.as_str(),),
            )?;
            let hashed_password = found.flatten();
            carry_into_next_epoch(unit, user.as_str())?;
            add_key(unit, &Key { id: id.clone(), user_id: user_id.clone(), hashed_password })
        }))
    }

    fn delete_key(&self, user: &UserId, id: &KeyId) -> Result<bool> {
        Ok(self.write(|unit| {
            lock_user(unit, user.as_str())?;
            let sql = "DELETE FROM user_key WHERE id = ? AND user_id = ?";
            if unit.run(sql, (id.as_str(), user.as_str()))? == 0 {
                return Ok(unit.is_again);
            }
            end_everything_of(unit, user.as_str())?;
            Ok(true)
        })?)
    }

    fn set_password(&self, user: &UserId, hash: Option<&PasswordHash>) -> Result<Written> {
        written(self.write(|unit| match hash {
            Some(hash) if unit.is_again && has_hash(unit, user, hash)? => Ok(()),
            hash => put_password(unit, user, hash),
        }))
    }

    fn change_password(
        &self,
        proof: Epoch,
        new: &PasswordHash,
        session: &Session,
        entry: &Entry,
    ) -> Result<Written> {
        let user = &session.user_id;
        written(self.write(|unit| {
            if unit.is_again && has_session(unit, &session.id)? {
                return Ok(());
            }
            lock_user(unit, user.as_str())?;
            let sql = "SELECT 1 FROM user WHERE id = ? AND epoch = ?";
            if !unit.exists(sql, (user.as_str(), proof.0))? {
                return Err(Fault::NoUser);
            }
            put_password(unit, user, Some(new))?;
            insert_session(unit, session, entry)
        }))
    }
}

/// Sets the password of a user on every key it belongs to, as [`Keys::set_password`] says, and ends what
/// the old one opened.
pub(super) fn put_password(
    unit: &mut Unit<'_>,
    user: &UserId,
    hash: Option<&PasswordHash>,
) -> Answer<()> {
    let canonical = lock_user(unit, user.as_str())?.ok_or(Fault::NoUser)?;
    let replaced = unit.run(
        &format!(
            "UPDATE user_key SET hashed_password = ?
              WHERE user_id = ? AND (hashed_password IS NOT NULL OR {IS_SIGN_IN_NAME})"
        ),
        (hash.map(PasswordHash::as_stored), user.as_str()),
    )?;
    if hash.is_some() && sign_in_names(unit, user)?.is_empty() {
        let (id, user_id) = (KeyId::username(&canonical), user.clone());
        match insert_key(unit, &Key { id, user_id, hashed_password: hash.cloned() }) {
            // Another user signs in with the name. The old password ends all the same.
            Err(Fault::Duplicate) if replaced > 0 => {}
            done => done?,
        }
    }
    end_everything_of(unit, user.as_str())
}

/// Whether a key of the user holds this very hash, which has a salt of its own.
pub(super) fn has_hash(unit: &mut Unit<'_>, user: &UserId, hash: &PasswordHash) -> Answer<bool> {
    let sql = "SELECT 1 FROM user_key WHERE user_id = ? AND hashed_password = ?";
    unit.exists(sql, (user.as_str(), hash.as_stored()))
}

/// The keys of the sign-in names of a user, by their ids.
fn sign_in_names(unit: &mut Unit<'_>, user: &UserId) -> Answer<Vec<Key>> {
    let sql = format!(
        "SELECT {} FROM user_key WHERE user_id = ? AND {IS_SIGN_IN_NAME} ORDER BY id",
        key_columns!()
    );
    unit.all(&sql, (user.as_str(),))
}

/// Lets a user who was called `before` sign in as `after`, if they sign in with a name at all.
pub(super) fn move_sign_in_name(
    unit: &mut Unit<'_>,
    user: &UserId,
    before: &str,
    after: &str,
) -> Answer<()> {
    see_that_nobody_else_signs_in_as(unit, user, after)?;
    let Some(moved) = renaming(&sign_in_names(unit, user)?, before, after) else { return Ok(()) };
    for id in [&moved.from, &moved.to.id] {
        let sql = "DELETE FROM user_key WHERE id = ? AND user_id = ?";
        unit.run(sql, (id.as_str(), user.as_str()))?;
    }
    insert_key(unit, &moved.to)
}

/// Adds a key. A name that lets one user in must not show another.
// LIMIT: a user who is renamed on one server to a name that another one adds to a key in the same moment
// has it as well, if the rename moves no key; `check` tells.
pub(super) fn add_key(unit: &mut Unit<'_>, key: &Key) -> Answer<()> {
    if let Some(name) = key.id.sign_in_name() {
        let sql = "SELECT 1 FROM user WHERE canonical_username = ? AND id <> ?";
        if unit.exists(sql, (name, key.user_id.as_str()))? {
            return Err(Fault::Duplicate);
        }
    }
    insert_key(unit, key)
}

/// A name that shows one user must not let another in.
pub(super) fn see_that_nobody_else_signs_in_as(
    unit: &mut Unit<'_>,
    user: &UserId,
    canonical: &str,
) -> Answer<()> {
    match find(unit, &KeyId::username(canonical))? {
        Some(key) if key.user_id != *user => Err(Fault::Duplicate),
        Some(_) | None => Ok(()),
    }
}

/// Raises the epoch of a user and takes along what is good: a password that is set on another server in
/// the same moment changes the same row, so that one of the two is run again and none is overlooked.
fn carry_into_next_epoch(unit: &mut Unit<'_>, user: &str) -> Answer<()> {
    for table in ALL.iter().filter(|it| it.ends_with_credentials) {
        unit.run(
            &format!(
                "UPDATE {} SET epoch = epoch + 1
                  WHERE user_id = ? AND epoch = (SELECT epoch FROM user WHERE id = ?)",
                table.name
            ),
            (user, user),
        )?;
    }
    unit.run("UPDATE user SET epoch = epoch + 1 WHERE id = ?", (user,)).map(drop)
}

fn find(unit: &mut Unit<'_>, id: &KeyId) -> Answer<Option<Key>> {
    let sql = concat!("SELECT ", key_columns!(), " FROM user_key WHERE id = ?");
    unit.first(sql, (id.as_str(),))
}

/// Adds a key, if its user is there.
pub(super) fn insert_key(unit: &mut Unit<'_>, key: &Key) -> Answer<()> {
    let met = unit.run(
        "INSERT INTO user_key (id, user_id, hashed_password)
         SELECT ?, id, ? FROM user WHERE id = ? LOCK IN SHARE MODE",
        (
            key.id.as_str(),
            key.hashed_password.as_ref().map(PasswordHash::as_stored),
            key.user_id.as_str(),
        ),
    )?;
    match met {
        0 if find(unit, &key.id)?.is_some() => Err(Fault::Duplicate),
        0 => Err(Fault::NoUser),
        _ => Ok(()),
    }
}

/// Ends what was let in under the credentials that this user has had until now.
fn end_everything_of(unit: &mut Unit<'_>, id: &str) -> Answer<()> {
    unit.run("UPDATE user SET epoch = epoch + 1 WHERE id = ?", (id,))?;
    delete_rows_of(unit, id, |it| it.ends_with_credentials)
}
