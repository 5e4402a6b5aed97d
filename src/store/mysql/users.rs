//! People as they are written down.

use mysql::Row;

use super::keys::{add_key, move_sign_in_name, see_that_nobody_else_signs_in_as};
use super::{
    Answer, Fault, Mysql, Unit, access_tokens, get, insert_key, insert_session, invitations,
    moment, names, one_time_tokens, optional_moment, written,
};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::{
    Entry, Groups, Key, RestingName, Result, Session, SignedUp, User, UserId, Users, Written,
};

impl Users for Mysql {
    fn add_user(&self, user: &User, keys: &[Key]) -> Result<Written> {
        written(self.write(|unit| {
            if unit.is_again && has_user(unit, &user.id)? {
                return Ok(());
            }
            see_that_nobody_else_signs_in_as(unit, &user.id, &user.canonical_username)?;
            self.insert_new_user(unit, user)?;
            keys.iter().try_for_each(|key| add_key(unit, key))
        }))
    }

    fn sign_up(
        &self,
        user: &User,
        key: &Key,
        session: &Session,
        invite: Option<&TokenHash>,
        entry: &Entry,
    ) -> Result<SignedUp> {
        let done = self.write(|unit| {
            // Its id is random and was made for this one sign-up.
            if unit.is_again && has_user(unit, &user.id)? {
                return Ok(());
            }
            if let Some(id) = invite {
                invitations::take(unit, id, user.created_at)?;
            }
            self.insert_new_user(unit, user)?;
            insert_key(unit, key)?;
            insert_session(unit, session, entry)
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
               FROM user WHERE id = ?",
            (id.as_str(),),
            |row| user_at(row, 0),
        )
    }

    fn user_by_name(&self, canonical: &str) -> Result<Option<User>> {
        self.read_one(
            "SELECT id, username, canonical_username, created_at, group_names, email, disabled_at,
                    disabled_reason
               FROM user WHERE canonical_username = ?",
            (canonical,),
            |row| user_at(row, 0),
        )
    }

    fn users_after(&self, canonical: &str, limit: u32) -> Result<Vec<User>> {
        self.read_all(
            "SELECT id, username, canonical_username, created_at, group_names, email, disabled_at,
                    disabled_reason
               FROM user WHERE canonical_username > ? ORDER BY canonical_username LIMIT ?",
            (canonical, limit),
            |row| user_at(row, 0),
        )
    }

    fn rename_user(
        &self,
        id: &UserId,
        username: &str,
        canonical: &str,
        rests_until: Option<Moment>,
        now: Moment,
    ) -> Result<Written> {
        written(self.write(|unit| {
            let before = lock_user(unit, id.as_str())?.ok_or(Fault::NoUser)?;
            unit.run(
                "UPDATE user SET username = ?, canonical_username = ? WHERE id = ?",
                (username, canonical, id.as_str()),
            )?;
            if before != canonical {
                let new = self.name_hash(canonical);
                names::refuse_resting(unit, new, id, now)?;
                names::delete(unit, new)?;
                self.let_rest(unit, &before, Some(id), rests_until)?;
            }
            move_sign_in_name(unit, id, &before, canonical)?;
            one_time_tokens::delete_all_of(unit, id.as_str())
        }))
    }

    fn set_groups(&self, id: &UserId, groups: &Groups) -> Result<bool> {
        let sql = "UPDATE user SET group_names = ? WHERE id = ?";
        Ok(self.write_one(sql, (groups.as_str(), id.as_str()))? > 0)
    }

    fn set_email(&self, id: &UserId, email: &str) -> Result<bool> {
        let met = self.write(|unit| {
            lock_user(unit, id.as_str())?;
            one_time_tokens::delete_all_of(unit, id.as_str())?;
            unit.run("UPDATE user SET email = ? WHERE id = ?", (email, id.as_str()))
        });
        Ok(met? > 0)
    }

    fn disable_user(&self, id: &UserId, reason: &str, now: Moment) -> Result<bool> {
        let met = self.write(|unit| {
            lock_user(unit, id.as_str())?;
            unit.run("DELETE FROM user_session WHERE user_id = ?", (id.as_str(),))?;
            one_time_tokens::delete_all_of(unit, id.as_str())?;
            // They are good again when their owner is let in again.
            unit.run(
                "UPDATE access_token SET epoch = epoch + 1
                  WHERE user_id = ? AND epoch = (SELECT epoch FROM user WHERE id = ?)",
                (id.as_str(), id.as_str()),
            )?;
            unit.run(
                "UPDATE user SET disabled_at = ?, disabled_reason = ?, epoch = epoch + 1 WHERE id = ?",
                (now.millis(), reason, id.as_str()),
            )
        });
        Ok(met? > 0)
    }

    fn enable_user(&self, id: &UserId) -> Result<bool> {
        let met = self.write(|unit| {
            lock_user(unit, id.as_str())?;
            // One that was made on another server while the user was being shut out.
            one_time_tokens::delete_all_of(unit, id.as_str())?;
            let sql = "UPDATE user SET disabled_at = NULL, disabled_reason = '' WHERE id = ?";
            unit.run(sql, (id.as_str(),))
        });
        Ok(met? > 0)
    }

    fn delete_user(&self, id: &UserId, rests_until: Option<Moment>) -> Result<bool> {
        Ok(self.write(|unit| {
            let name = lock_user(unit, id.as_str())?;
            names::forget_owner(unit, id)?;
            if let Some(name) = name {
                self.let_rest(unit, &name, None, rests_until)?;
            }
            unit.run("DELETE FROM user_session WHERE user_id = ?", (id.as_str(),))?;
            access_tokens::delete_all_of(unit, id.as_str())?;
            one_time_tokens::delete_all_of(unit, id.as_str())?;
            unit.run("DELETE FROM user_key WHERE user_id = ?", (id.as_str(),))?;
            unit.run("DELETE FROM device WHERE user_id = ?", (id.as_str(),))?;
            let met = unit.run("DELETE FROM user WHERE id = ?", (id.as_str(),))?;
            Ok(met > 0 || unit.is_again)
        })?)
    }
}

impl Mysql {
    /// Adds a user whose name has to be free.
    fn insert_new_user(&self, unit: &mut Unit<'_>, user: &User) -> Answer<()> {
        insert_user(unit, user, "")?;
        let name = self.name_hash(&user.canonical_username);
        names::refuse_resting(unit, name, &user.id, user.created_at)
    }

    /// Lets a name rest, if it is to.
    fn let_rest(
        &self,
        unit: &mut Unit<'_>,
        canonical: &str,
        user: Option<&UserId>,
        until: Option<Moment>,
    ) -> Answer<()> {
        let Some(expires_at) = until else { return Ok(()) };
        let (id, user_id) = (self.name_hash(canonical), user.cloned());
        names::upsert(unit, &RestingName { id, user_id, expires_at })
    }
}

pub(super) fn has_user(unit: &mut Unit<'_>, id: &UserId) -> Answer<bool> {
    unit.exists("SELECT 1 FROM user WHERE id = ?", (id.as_str(),))
}

/// Lets nobody else on this server change a user or add to what is theirs until the transaction ends, and
/// comes back with their canonical name, if they are there. (Of two on two servers that change a user, one
/// loses.)
pub(super) fn lock_user(unit: &mut Unit<'_>, id: &str) -> Answer<Option<String>> {
    let found = unit.first("SELECT canonical_username FROM user WHERE id = ? FOR UPDATE", (id,))?;
    found.map(|mut row| get(&mut row, 0)).transpose()
}

pub(super) fn insert_user(unit: &mut Unit<'_>, user: &User, attributes: &str) -> Answer<()> {
    unit.run(
        "INSERT INTO user (id, username, canonical_username, created_at, group_names, email,
                           disabled_at, disabled_reason, attributes)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            user.id.as_str(),
            &user.username,
            &user.canonical_username,
            user.created_at.millis(),
            user.groups.as_str(),
            &user.email,
            user.disabled_at.map(Moment::millis),
            &user.disabled_reason,
            attributes,
        ),
    )?;
    Ok(())
}

pub(super) fn user_at(row: &mut Row, first: usize) -> Answer<User> {
    Ok(User {
        id: UserId(get(row, first)?),
        username: get(row, first + 1)?,
        canonical_username: get(row, first + 2)?,
        created_at: moment(row, first + 3)?,
        groups: Groups(get(row, first + 4)?),
        email: get(row, first + 5)?,
        disabled_at: optional_moment(row, first + 6)?,
        disabled_reason: get(row, first + 7)?,
    })
}
