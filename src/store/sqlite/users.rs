//! People as they are written down.

use rusqlite::{OptionalExtension, Row, Transaction};

use super::keys::{add_key, move_sign_in_name, see_that_nobody_else_signs_in_as};
use super::{
    Fault, Sqlite, WRITE_PATIENCE, access_tokens, insert_key, insert_session, invitations,
    moment_at, names, one_time_tokens, written,
};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::{
    Entry, Groups, Key, RestingName, Result, Session, SignedUp, User, UserId, Users, Written,
};

impl Users for Sqlite {
    fn add_user(&self, user: &User, keys: &[Key]) -> Result<Written> {
        let done = self.write(WRITE_PATIENCE, |tx| {
            see_that_nobody_else_signs_in_as(tx, &user.id, &user.canonical_username)?;
            self.insert_new_user(tx, user)?;
            keys.iter().try_for_each(|key| add_key(tx, key))
        });
        written(done)
    }

    fn sign_up(
        &self,
        user: &User,
        key: &Key,
        session: &Session,
        invite: Option<&TokenHash>,
        entry: &Entry,
    ) -> Result<SignedUp> {
        let done = self.write(WRITE_PATIENCE, |tx| {
            if let Some(id) = invite {
                invitations::take(tx, id, user.created_at)?;
            }
            self.insert_new_user(tx, user)?;
            insert_key(tx, key)?;
            insert_session(tx, session, entry)
        });
        match done {
            Ok(()) => Ok(SignedUp::Done),
            Err(Fault::Duplicate | Fault::Resting) => Ok(SignedUp::NameTaken),
            Err(Fault::NotInvited) => Ok(SignedUp::NotInvited),
            Err(fault) => Err(fault.into()),
        }
    }

    fn user(&self, id: &UserId) -> Result<Option<User>> {
        self.read_one(
            "SELECT id, username, canonical_username, created_at, group_names, email, disabled_at,
                    disabled_reason
               FROM user WHERE id = ?1",
            [id.as_str()],
            |row| user_at(row, 0),
        )
    }

    fn user_by_name(&self, canonical: &str) -> Result<Option<User>> {
        self.read_one(
            "SELECT id, username, canonical_username, created_at, group_names, email, disabled_at,
                    disabled_reason
               FROM user WHERE canonical_username = ?1",
            [canonical],
            |row| user_at(row, 0),
        )
    }

    fn users_after(&self, canonical: &str, limit: u32) -> Result<Vec<User>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT id, username, canonical_username, created_at, group_names, email, disabled_at,
                        disabled_reason
                   FROM user WHERE canonical_username > ?1 ORDER BY canonical_username LIMIT ?2",
            )?
            .query_map((canonical, limit), |row| user_at(row, 0))?
            .collect()
        })
    }

    fn rename_user(
        &self,
        id: &UserId,
        username: &str,
        canonical: &str,
        rests_until: Option<Moment>,
        now: Moment,
    ) -> Result<Written> {
        let done = self.write(WRITE_PATIENCE, |tx| {
            let before = name_of(tx, id)?.ok_or(Fault::NoUser)?;
            tx.prepare_cached(
                "UPDATE user SET username = ?2, canonical_username = ?3 WHERE id = ?1",
            )?
            .execute([id.as_str(), username, canonical])?;
            if before != canonical {
                let new = self.name_hash(canonical);
                names::refuse_resting(tx, new, id, now)?;
                names::delete(tx, new)?;
                self.let_rest(tx, &before, Some(id), rests_until)?;
            }
            move_sign_in_name(tx, id, &before, canonical)?;
            one_time_tokens::delete_all_of(tx, id)?;
            Ok(())
        });
        written(done)
    }

    fn set_groups(&self, id: &UserId, groups: &Groups) -> Result<bool> {
        let changed = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached("UPDATE user SET group_names = ?2 WHERE id = ?1")?
                .execute([id.as_str(), groups.as_str()])?)
        });
        Ok(changed? > 0)
    }

    fn set_email(&self, id: &UserId, email: &str) -> Result<bool> {
        let changed = self.write(WRITE_PATIENCE, |tx| {
            one_time_tokens::delete_all_of(tx, id)?;
            Ok(tx
                .prepare_cached("UPDATE user SET email = ?2 WHERE id = ?1")?
                .execute([id.as_str(), email])?)
        });
        Ok(changed? > 0)
    }

    fn disable_user(&self, id: &UserId, reason: &str, now: Moment) -> Result<bool> {
        let changed = self.write(WRITE_PATIENCE, |tx| {
            tx.prepare_cached("DELETE FROM user_session WHERE user_id = ?1")?
                .execute([id.as_str()])?;
            one_time_tokens::delete_all_of(tx, id)?;
            // They are good again when their owner is let in again.
            tx.prepare_cached(
                "UPDATE access_token SET epoch = epoch + 1
                  WHERE user_id = ?1 AND epoch = (SELECT epoch FROM user WHERE id = ?1)",
            )?
            .execute([id.as_str()])?;
            Ok(tx
                .prepare_cached(
                    "UPDATE user SET disabled_at = ?2, disabled_reason = ?3, epoch = epoch + 1
                      WHERE id = ?1",
                )?
                .execute((id.as_str(), now.millis(), reason))?)
        });
        Ok(changed? > 0)
    }

    fn enable_user(&self, id: &UserId) -> Result<bool> {
        let changed = self.write(WRITE_PATIENCE, |tx| {
            one_time_tokens::delete_all_of(tx, id)?;
            Ok(tx
                .prepare_cached(
                    "UPDATE user SET disabled_at = NULL, disabled_reason = '' WHERE id = ?1",
                )?
                .execute([id.as_str()])?)
        });
        Ok(changed? > 0)
    }

    fn delete_user(&self, id: &UserId, rests_until: Option<Moment>) -> Result<bool> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            let name = name_of(tx, id)?;
            names::forget_owner(tx, id)?;
            if let Some(name) = name {
                self.let_rest(tx, &name, None, rests_until)?;
            }
            tx.prepare_cached("DELETE FROM user_session WHERE user_id = ?1")?
                .execute([id.as_str()])?;
            access_tokens::delete_all_of(tx, id)?;
            one_time_tokens::delete_all_of(tx, id)?;
            tx.prepare_cached("DELETE FROM user_key WHERE user_id = ?1")?.execute([id.as_str()])?;
            tx.prepare_cached("DELETE FROM device WHERE user_id = ?1")?.execute([id.as_str()])?;
            Ok(tx.prepare_cached("DELETE FROM user WHERE id = ?1")?.execute([id.as_str()])?)
        });
        Ok(deleted? > 0)
    }
}

impl Sqlite {
    /// Adds a user whose name has to be free.
    fn insert_new_user(&self, tx: &Transaction<'_>, user: &User) -> std::result::Result<(), Fault> {
        insert_user(tx, user)?;
        let name = self.name_hash(&user.canonical_username);
        names::refuse_resting(tx, name, &user.id, user.created_at)
    }

    /// Lets a name rest, if it is to.
    fn let_rest(
        &self,
        tx: &Transaction<'_>,
        canonical: &str,
        user: Option<&UserId>,
        until: Option<Moment>,
    ) -> rusqlite::Result<()> {
        let Some(expires_at) = until else { return Ok(()) };
        let (id, user_id) = (self.name_hash(canonical), user.cloned());
        names::upsert(tx, &RestingName { id, user_id, expires_at })
    }
}

/// The canonical name of a user.
fn name_of(tx: &Transaction<'_>, id: &UserId) -> rusqlite::Result<Option<String>> {
    tx.prepare_cached("SELECT canonical_username FROM user WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()
}

pub(super) fn insert_user(tx: &Transaction<'_>, user: &User) -> std::result::Result<(), Fault> {
    tx.prepare_cached(
        "INSERT INTO user (id, username, canonical_username, created_at, group_names, email,
                           disabled_at, disabled_reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((
        user.id.as_str(),
        &user.username,
        &user.canonical_username,
        user.created_at.millis(),
        user.groups.as_str(),
        &user.email,
        user.disabled_at.map(Moment::millis),
        &user.disabled_reason,
    ))?;
    Ok(())
}

pub(super) fn user_at(row: &Row<'_>, first: usize) -> rusqlite::Result<User> {
    Ok(User {
        id: UserId(row.get(first)?),
        username: row.get(first + 1)?,
        canonical_username: row.get(first + 2)?,
        created_at: moment_at(row, first + 3)?,
        groups: Groups(row.get(first + 4)?),
        email: row.get(first + 5)?,
        disabled_at: row.get::<_, Option<i64>>(first + 6)?.map(Moment::from_millis),
        disabled_reason: row.get(first + 7)?,
    })
}
