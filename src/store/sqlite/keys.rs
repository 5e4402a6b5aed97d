//! Keys as they are written down.

use rusqlite::{OptionalExtension, Row, Transaction};

use super::{
    Fault, Sqlite, WRITE_PATIENCE, access_tokens, insert_session, one_time_tokens, user_at, written,
};
use crate::base::password::PasswordHash;
use crate::store::records::renaming;
use crate::store::{
    Credentials, Entry, Epoch, Key, KeyId, Keys, Result, Session, User, UserId, Written,
};

/// Picks the keys of sign-in names: `;` comes after `:`.
const IS_SIGN_IN_NAME: &str = "user_key.id >= 'username:' AND user_key.id < 'username;'";

impl Keys for Sqlite {
    fn add_key(&self, key: &Key) -> Result<Written> {
        written(self.write(WRITE_PATIENCE, |tx| add_key(tx, key)))
    }

    fn add_sign_in_name(&self, user: &UserId, canonical: &str) -> Result<Written> {
        written(self.write(WRITE_PATIENCE, |tx| {
            let hashed_password = tx
                .prepare_cached(&format!(
                    "SELECT hashed_password FROM user_key JOIN user ON user.id = user_key.user_id
                      WHERE user_id = ?1 AND hashed_password IS NOT NULL
                      ORDER BY user_key.id = 'username:' || user.canonical_username DESC,
                               {IS_SIGN_IN_NAME} DESC, user_key.id LIMIT 1"
                ))?
                .query_row([user.as_str()], |row| row.get(0))
                .optional()?
                .map(PasswordHash::from_stored);
            let (id, user_id) = (KeyId::username(canonical), user.clone());
            add_key(tx, &Key { id, user_id, hashed_password })
        }))
    }

    fn key(&self, id: &KeyId) -> Result<Option<Key>> {
        self.read_one(
            "SELECT id, user_id, hashed_password FROM user_key WHERE id = ?1",
            [id.as_str()],
            |row| key_at(row, 0),
        )
    }

    fn user_of_key(&self, id: &KeyId) -> Result<Option<(User, Key)>> {
        self.read_one(
            "SELECT user.id, user.username, user.canonical_username, user.created_at,
                    user.group_names, user.email, user.disabled_at, user.disabled_reason,
                    user_key.id, user_key.user_id, user_key.hashed_password
               FROM user_key JOIN user ON user.id = user_key.user_id
              WHERE user_key.id = ?1",
            [id.as_str()],
            |row| Ok((user_at(row, 0)?, key_at(row, 8)?)),
        )
    }

    fn keys_of(&self, id: &UserId) -> Result<Vec<Key>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT id, user_id, hashed_password FROM user_key WHERE user_id = ?1 ORDER BY id",
            )?
            .query_map([id.as_str()], |row| key_at(row, 0))?
            .collect()
        })
    }

    fn credentials_of_key(&self, id: &KeyId) -> Result<Option<Credentials>> {
        self.credentials(
            "SELECT user.id, user.username, user.canonical_username, user.created_at,
                    user.group_names, user.email, user.disabled_at, user.disabled_reason,
                    user.epoch, user_key.hashed_password
               FROM user_key JOIN user ON user.id = user_key.user_id
              WHERE user_key.id = ?1",
            id.as_str(),
        )
    }

    fn credentials_of_user(&self, id: &UserId) -> Result<Option<Credentials>> {
        let sql = format!(
            "SELECT user.id, user.username, user.canonical_username, user.created_at,
                    user.group_names, user.email, user.disabled_at, user.disabled_reason,
                    user.epoch, user_key.hashed_password
               FROM user LEFT JOIN user_key ON user_key.user_id = user.id
              WHERE user.id = ?1 ORDER BY {IS_SIGN_IN_NAME} DESC, user_key.id"
        );
        self.credentials(&sql, id.as_str())
    }

    fn delete_key(&self, user: &UserId, id: &KeyId) -> Result<bool> {
        Ok(self.write(WRITE_PATIENCE, |tx| {
            let deleted = tx
                .prepare_cached("DELETE FROM user_key WHERE id = ?1 AND user_id = ?2")?
                .execute([id.as_str(), user.as_str()])?;
            if deleted > 0 {
                end_everything_of(tx, user)?;
            }
            Ok(deleted > 0)
        })?)
    }

    fn set_password(&self, user: &UserId, hash: Option<&PasswordHash>) -> Result<Written> {
        written(self.write(WRITE_PATIENCE, |tx| put_password(tx, user, hash)))
    }

    fn replace_hash(&self, user: &UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool> {
        let changed = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached(
                    "UPDATE user_key SET hashed_password = ?3
                      WHERE user_id = ?1 AND hashed_password = ?2",
                )?
                .execute([user.as_str(), old.as_stored(), new.as_stored()])?)
        });
        Ok(changed? > 0)
    }

    fn change_password(
        &self,
        proof: Epoch,
        new: &PasswordHash,
        session: &Session,
        entry: &Entry,
    ) -> Result<Written> {
        written(self.write(WRITE_PATIENCE, |tx| {
            let holds = tx
                .prepare_cached("SELECT 1 FROM user WHERE id = ?1 AND epoch = ?2")?
                .exists((session.user_id.as_str(), proof.0))?;
            if !holds {
                return Err(Fault::NoUser);
            }
            put_password(tx, &session.user_id, Some(new))?;
            insert_session(tx, session, entry)
        }))
    }
}

impl Sqlite {
    fn credentials(&self, sql: &str, id: &str) -> Result<Option<Credentials>> {
        let rows = self.read(|conn| {
            conn.prepare_cached(sql)?
                .query_map([id], |row| {
                    let hash: Option<String> = row.get(9)?;
                    Ok((user_at(row, 0)?, Epoch(row.get(8)?), hash.map(PasswordHash::from_stored)))
                })?
                .collect::<rusqlite::Result<_>>()
        });
        Ok(Credentials::of(rows?))
    }
}

/// Sets the password of a user on every key it belongs to, as [`Keys::set_password`] says, and ends what
/// the old one opened.
pub(super) fn put_password(
    tx: &Transaction<'_>,
    user: &UserId,
    hash: Option<&PasswordHash>,
) -> std::result::Result<(), Fault> {
    let canonical: Option<String> = tx
        .prepare_cached("SELECT canonical_username FROM user WHERE id = ?1")?
        .query_row([user.as_str()], |row| row.get(0))
        .optional()?;
    let canonical = canonical.ok_or(Fault::NoUser)?;
    let replaced = tx
        .prepare_cached(&format!(
            "UPDATE user_key SET hashed_password = ?2
              WHERE user_id = ?1 AND (hashed_password IS NOT NULL OR {IS_SIGN_IN_NAME})"
        ))?
        .execute((user.as_str(), hash.map(PasswordHash::as_stored)))?;
    if hash.is_some() && sign_in_names(tx, user)?.is_empty() {
        let (id, user_id) = (KeyId::username(&canonical), user.clone());
        match insert_key(tx, &Key { id, user_id, hashed_password: hash.cloned() }) {
            // Another user signs in with the name. The old password ends all the same.
            Err(Fault::Duplicate) if replaced > 0 => {}
            done => done?,
        }
    }
    Ok(end_everything_of(tx, user)?)
}

/// The keys of the sign-in names of a user, by their ids.
fn sign_in_names(tx: &Transaction<'_>, user: &UserId) -> rusqlite::Result<Vec<Key>> {
    tx.prepare_cached(&format!(
        "SELECT id, user_id, hashed_password FROM user_key
          WHERE user_id = ?1 AND {IS_SIGN_IN_NAME} ORDER BY id"
    ))?
    .query_map([user.as_str()], |row| key_at(row, 0))?
    .collect()
}

/// Lets a user who was called `before` sign in as `after`, if they sign in with a name at all.
pub(super) fn move_sign_in_name(
    tx: &Transaction<'_>,
    user: &UserId,
    before: &str,
    after: &str,
) -> std::result::Result<(), Fault> {
    see_that_nobody_else_signs_in_as(tx, user, after)?;
    let Some(moved) = renaming(&sign_in_names(tx, user)?, before, after) else { return Ok(()) };
    let delete = "DELETE FROM user_key WHERE id = ?1";
    for id in [&moved.from, &moved.to.id] {
        tx.prepare_cached(delete)?.execute([id.as_str()])?;
    }
    insert_key(tx, &moved.to)
}

/// Adds a key. A name that lets one user in must not show another.
pub(super) fn add_key(tx: &Transaction<'_>, key: &Key) -> std::result::Result<(), Fault> {
    if let Some(name) = key.id.sign_in_name()
        && tx
            .prepare_cached("SELECT 1 FROM user WHERE canonical_username = ?1 AND id <> ?2")?
            .exists([name, key.user_id.as_str()])?
    {
        return Err(Fault::Duplicate);
    }
    insert_key(tx, key)
}

/// A name that shows one user must not let another in.
pub(super) fn see_that_nobody_else_signs_in_as(
    tx: &Transaction<'_>,
    user: &UserId,
    canonical: &str,
) -> std::result::Result<(), Fault> {
    let is_taken = tx
        .prepare_cached("SELECT 1 FROM user_key WHERE id = ?1 AND user_id <> ?2")?
        .exists([KeyId::username(canonical).as_str(), user.as_str()])?;
    if is_taken { Err(Fault::Duplicate) } else { Ok(()) }
}

pub(super) fn insert_key(tx: &Transaction<'_>, key: &Key) -> std::result::Result<(), Fault> {
    tx.prepare_cached("INSERT INTO user_key (id, user_id, hashed_password) VALUES (?1, ?2, ?3)")?
        .execute((
        key.id.as_str(),
        key.user_id.as_str(),
        key.hashed_password.as_ref().map(PasswordHash::as_stored),
    ))?;
    Ok(())
}

pub(super) fn key_at(row: &Row<'_>, first: usize) -> rusqlite::Result<Key> {
    Ok(Key {
        id: KeyId(row.get(first)?),
        user_id: UserId(row.get(first + 1)?),
        hashed_password: row.get::<_, Option<String>>(first + 2)?.map(PasswordHash::from_stored),
    })
}

/// Ends what was let in under the credentials that this user has had until now.
fn end_everything_of(tx: &Transaction<'_>, id: &UserId) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE user SET epoch = epoch + 1 WHERE id = ?1")?.execute([id.as_str()])?;
    tx.prepare_cached("DELETE FROM user_session WHERE user_id = ?1")?.execute([id.as_str()])?;
    access_tokens::delete_all_of(tx, id)?;
    one_time_tokens::delete_all_of(tx, id)?;
    Ok(())
}
