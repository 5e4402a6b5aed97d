//! Keys as they are written down.

use mysql::Row;

use super::{
    Answer, Fault, Mysql, Unit, access_tokens, get, has_session, insert_session, lock_user,
    tickets, user_at, written,
};
use crate::password::PasswordHash;
use crate::store::{Entry, Key, KeyId, Keys, Result, Session, User, UserId, Written};

impl Keys for Mysql {
    fn add_key(&self, key: &Key) -> Result<Written> {
        written(self.write(|unit| {
            let is_ours = |found: Option<Key>| found.is_some_and(|it| it == *key);
            if unit.is_again && is_ours(find(unit, &key.id)?) {
                return Ok(());
            }
            insert_key(unit, key)
        }))
    }

    fn key(&self, id: &KeyId) -> Result<Option<Key>> {
        self.read(|unit| find(unit, id))
    }

    fn user_of_key(&self, id: &KeyId) -> Result<Option<(User, Key)>> {
        self.read_one(
            "SELECT user.id, user.username, user.canonical_username, user.created_at,
                    user.group_names, user.email, user.disabled_at, user.disabled_reason,
                    user_key.id, user_key.user_id, user_key.hashed_password
               FROM user_key JOIN user ON user.id = user_key.user_id
              WHERE user_key.id = ?",
            (id.as_str(),),
            |row| Ok((user_at(row, 0)?, key_at(row, 8)?)),
        )
    }

    fn keys_of(&self, id: &UserId) -> Result<Vec<Key>> {
        self.read_all(
            "SELECT id, user_id, hashed_password FROM user_key WHERE user_id = ? ORDER BY id",
            (id.as_str(),),
            |row| key_at(row, 0),
        )
    }

    fn delete_key(&self, id: &KeyId) -> Result<bool> {
        Ok(self.write_one("DELETE FROM user_key WHERE id = ?", (id.as_str(),))? > 0)
    }

    fn set_password(&self, id: &KeyId, hash: Option<&PasswordHash>) -> Result<bool> {
        let met = self.write(|unit| {
            let Some(key) = find(unit, id)? else { return Ok(0) };
            if unit.is_again && hash.is_some() && key.hashed_password.as_ref() == hash {
                return Ok(1);
            }
            lock_user(unit, key.user_id.as_str())?;
            end_everything_of(unit, key.user_id.as_str())?;
            let met = unit.run(
                "UPDATE user_key SET hashed_password = ? WHERE id = ? AND user_id = ?",
                (hash.map(PasswordHash::as_stored), id.as_str(), key.user_id.as_str()),
            )?;
            // It is somebody else's by now.
            if met == 0 { Err(Fault::Lost("the key was given away".to_owned())) } else { Ok(met) }
        });
        Ok(met? > 0)
    }

    fn replace_hash(&self, id: &KeyId, old: &PasswordHash, new: &PasswordHash) -> Result<bool> {
        let met = self.write_one(
            "UPDATE user_key SET hashed_password = ? WHERE id = ? AND hashed_password = ?",
            (new.as_stored(), id.as_str(), old.as_stored()),
        );
        Ok(met? > 0)
    }

    fn change_password(
        &self,
        id: &KeyId,
        old: &PasswordHash,
        new: &PasswordHash,
        session: &Session,
        entry: &Entry,
    ) -> Result<Written> {
        written(self.write(|unit| {
            if unit.is_again && has_session(unit, &session.id)? {
                return Ok(());
            }
            lock_user(unit, session.user_id.as_str())?;
            let met = unit.run(
                "UPDATE user_key SET hashed_password = ? WHERE id = ? AND hashed_password = ?",
                (new.as_stored(), id.as_str(), old.as_stored()),
            )?;
            if met == 0 {
                return Err(Fault::NoUser);
            }
            end_everything_of(unit, session.user_id.as_str())?;
            insert_session(unit, session, entry)
        }))
    }
}

fn find(unit: &mut Unit<'_>, id: &KeyId) -> Answer<Option<Key>> {
    let sql = "SELECT id, user_id, hashed_password FROM user_key WHERE id = ?";
    unit.first(sql, (id.as_str(),))?.map(|mut row| key_at(&mut row, 0)).transpose()
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

/// Ends what was let in under the password that this user has had until now.
pub(super) fn end_everything_of(unit: &mut Unit<'_>, id: &str) -> Answer<()> {
    unit.run("UPDATE user SET epoch = epoch + 1 WHERE id = ?", (id,))?;
    unit.run("DELETE FROM user_session WHERE user_id = ?", (id,))?;
    access_tokens::delete_all_of(unit, id)?;
    tickets::delete_all_of(unit, id)
}

pub(super) fn key_at(row: &mut Row, first: usize) -> Answer<Key> {
    Ok(Key {
        id: KeyId(get(row, first)?),
        user_id: UserId(get(row, first + 1)?),
        hashed_password: get::<Option<String>>(row, first + 2)?.map(PasswordHash::from_stored),
    })
}
