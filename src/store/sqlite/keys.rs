//! Keys as they are written down.

use rusqlite::{OptionalExtension, Row, Transaction};

use super::{
    Fault, Sqlite, WRITE_PATIENCE, access_tokens, insert_session, tickets, user_at, written,
};
use crate::password::PasswordHash;
use crate::store::{Entry, Key, KeyId, Keys, Result, Session, User, UserId, Written};

impl Keys for Sqlite {
    fn add_key(&self, key: &Key) -> Result<Written> {
        written(self.write(WRITE_PATIENCE, |tx| insert_key(tx, key)))
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

    fn delete_key(&self, id: &KeyId) -> Result<bool> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx.prepare_cached("DELETE FROM user_key WHERE id = ?1")?.execute([id.as_str()])?)
        });
        Ok(deleted? > 0)
    }

    fn set_password(&self, id: &KeyId, hash: Option<&PasswordHash>) -> Result<bool> {
        let changed = self.write(WRITE_PATIENCE, |tx| {
            let owner = tx
                .prepare_cached("SELECT user_id FROM user_key WHERE id = ?1")?
                .query_row([id.as_str()], |row| row.get(0))
                .optional()?;
            let Some(owner) = owner.map(UserId) else { return Ok(0) };
            end_everything_of(tx, &owner)?;
            Ok(tx
                .prepare_cached("UPDATE user_key SET hashed_password = ?2 WHERE id = ?1")?
                .execute((id.as_str(), hash.map(PasswordHash::as_stored)))?)
        });
        Ok(changed? > 0)
    }

    fn replace_hash(&self, id: &KeyId, old: &PasswordHash, new: &PasswordHash) -> Result<bool> {
        let changed = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached(
                    "UPDATE user_key SET hashed_password = ?3
                      WHERE id = ?1 AND hashed_password = ?2",
                )?
                .execute([id.as_str(), old.as_stored(), new.as_stored()])?)
        });
        Ok(changed? > 0)
    }

    fn change_password(
        &self,
        id: &KeyId,
        old: &PasswordHash,
        new: &PasswordHash,
        session: &Session,
        entry: &Entry,
    ) -> Result<Written> {
        written(self.write(WRITE_PATIENCE, |tx| {
            let changed = tx
                .prepare_cached(
                    "UPDATE user_key SET hashed_password = ?3
                      WHERE id = ?1 AND hashed_password = ?2",
                )?
                .execute([id.as_str(), old.as_stored(), new.as_stored()])?;
            if changed == 0 {
                return Err(Fault::NoUser);
            }
            end_everything_of(tx, &session.user_id)?;
            insert_session(tx, session, entry)
        }))
    }
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

/// Ends what was let in under the password that this user has had until now.
pub(super) fn end_everything_of(tx: &Transaction<'_>, id: &UserId) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE user SET epoch = epoch + 1 WHERE id = ?1")?.execute([id.as_str()])?;
    tx.prepare_cached("DELETE FROM user_session WHERE user_id = ?1")?.execute([id.as_str()])?;
    access_tokens::delete_all_of(tx, id)?;
    tickets::delete_all_of(tx, id)?;
    Ok(())
}
