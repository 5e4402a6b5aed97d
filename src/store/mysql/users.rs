//! The statements for users.

use super::audit;
use super::keys::{move_sign_in_name, refuse_sign_in_name_of_another, sign_in_names};
use super::{
    Mysql, MysqlFault, MysqlResult, Tx, delete_rows_of, insert_key, insert_session, invitations,
    mail, names, one_time_tokens, values,
};
use crate::base::clock::Moment;
use crate::base::email_address;
use crate::base::token::TokenHash;
use crate::store::outcomes::Refused;
use crate::store::rows::{ToCells, cells};
use crate::store::{
    Key, KeyId, Letter, RestingName, Result, Session, SessionStart, SignedUp, User, UserAdded,
    UserId, UserRenamed, Users,
};

impl Users for Mysql {
    fn add_user(&self, user: &User, keys: &[Key]) -> Result<UserAdded> {
        UserAdded::of(self.write(|tx| {
            if tx.may_be_applied && has_user(tx, &user.id)? {
                return Ok(());
            }
            refuse_sign_in_name_of_another(tx, &user.id, &user.canonical_username)?;
            self.insert_new_user(tx, user)?;
            keys.iter().try_for_each(|key| self.insert_new_key(tx, key, user.created_at))
        }))
    }

    fn sign_up(
        &self,
        user: &User,
        key: &Key,
        session: Option<&Session>,
        invite: Option<&TokenHash>,
        entry: &SessionStart,
    ) -> Result<SignedUp> {
        let done = self.write(|tx| {
            // Its id is random and was made for this sign-up.
            if tx.may_be_applied && has_user(tx, &user.id)? {
                return Ok(());
            }
            if let Some(id) = invite {
                invitations::take(tx, id, user.created_at)?;
            }
            self.insert_new_user(tx, user)?;
            insert_key(tx, key)?;
            match session {
                Some(session) => insert_session(tx, session, entry),
                None => mail::insert(tx, entry.letter.as_ref()),
            }
        });
        SignedUp::of(done)
    }

    fn rename_user(
        &self,
        id: &UserId,
        username: &str,
        canonical: &str,
        rests_until: Option<Moment>,
        now: Moment,
    ) -> Result<UserRenamed> {
        UserRenamed::of(self.write(|tx| {
            let before = lock_user(tx, id.as_str())?.ok_or(MysqlFault::Refused(Refused::NoUser))?;
            tx.run(
                "UPDATE user SET username = ?, canonical_username = ? WHERE id = ?",
                (username, canonical, id.as_str()),
            )?;
            let moved = move_sign_in_name(tx, id, &before, canonical)?;
            if before != canonical {
                self.take_name(tx, canonical, id, now)?;
            }
            let moved = moved.as_ref().and_then(KeyId::sign_in_name);
            for name in [Some(&*before), moved].into_iter().flatten() {
                if name != canonical {
                    self.let_rest(tx, name, Some(id), rests_until)?;
                }
            }
            one_time_tokens::delete_all_of(tx, id.as_str())
        }))
    }

    fn set_email(
        &self,
        id: &UserId,
        email: &str,
        verified_at: Option<Moment>,
        letter: Option<&Letter>,
    ) -> Result<bool> {
        Ok(self.write(|tx| {
            if lock_user(tx, id.as_str())?.is_none() {
                return Ok(false);
            }
            one_time_tokens::delete_all_of(tx, id.as_str())?;
            put_email(tx, id, email, verified_at)?;
            mail::insert(tx, letter)?;
            Ok(true)
        })?)
    }

    fn disable_user(&self, id: &UserId, reason: &str, now: Moment) -> Result<bool> {
        let met = self.write(|tx| {
            lock_user(tx, id.as_str())?;
            tx.run("DELETE FROM user_session WHERE user_id = ?", (id.as_str(),))?;
            one_time_tokens::delete_all_of(tx, id.as_str())?;
            // They are valid again when their owner is enabled.
            tx.run(
                "UPDATE access_token SET epoch = epoch + 1
                  WHERE user_id = ? AND epoch = (SELECT epoch FROM user WHERE id = ?)",
                (id.as_str(), id.as_str()),
            )?;
            tx.run(
                // Each assignment sees those before it.
                "UPDATE user
                    SET disabled_reason = CASE WHEN disabled_at IS NULL THEN ? ELSE disabled_reason END,
                        disabled_at = coalesce(disabled_at, ?), epoch = epoch + 1
                  WHERE id = ?",
                (reason, now.millis(), id.as_str()),
            )
        });
        Ok(met? > 0)
    }

    fn enable_user(&self, id: &UserId) -> Result<bool> {
        let met = self.write(|tx| {
            lock_user(tx, id.as_str())?;
            // Another server may have added one while the user was being disabled.
            one_time_tokens::delete_all_of(tx, id.as_str())?;
            let sql = "UPDATE user SET disabled_at = NULL, disabled_reason = '' WHERE id = ?";
            tx.run(sql, (id.as_str(),))
        });
        Ok(met? > 0)
    }

    fn delete_user(
        &self,
        id: &UserId,
        rests_until: Option<Moment>,
        letter: Option<&Letter>,
    ) -> Result<bool> {
        Ok(self.write(|tx| {
            let name = lock_user(tx, id.as_str())?;
            names::forget_owner(tx, id)?;
            if let Some(name) = name {
                self.let_rest(tx, &name, None, rests_until)?;
                // Of a user who is gone already, what tells of it may still wait.
                tx.run("DELETE FROM mail WHERE user_id = ?", (id.as_str(),))?;
            }
            let keys = sign_in_names(tx, id)?;
            for name in keys.iter().filter_map(|it| it.id.sign_in_name()) {
                self.let_rest(tx, name, None, rests_until)?;
            }
            audit::hash_names_of(tx, &self.handle_key, id)?;
            delete_rows_of(tx, id.as_str(), |_| true)?;
            let met = tx.run("DELETE FROM user WHERE id = ?", (id.as_str(),))?;
            let is_deleted = met > 0 || tx.may_be_applied;
            mail::insert(tx, letter.filter(|_| is_deleted))?;
            Ok(is_deleted)
        })?)
    }
}

impl Mysql {
    /// Adds a user whose name must be free.
    fn insert_new_user(&self, tx: &mut Tx<'_>, user: &User) -> MysqlResult<()> {
        insert_user(tx, user)?;
        let name = self.name_hash(&user.canonical_username);
        names::refuse_resting(tx, name, &user.id, user.created_at)
    }

    /// Gives a name to a user, which ends its rest. Refused if it rests for another user.
    pub(super) fn take_name(
        &self,
        tx: &mut Tx<'_>,
        canonical: &str,
        user: &UserId,
        now: Moment,
    ) -> MysqlResult<()> {
        let name = self.name_hash(canonical);
        names::refuse_resting(tx, name, user, now)?;
        names::delete(tx, name).map(drop)
    }

    /// Reserves a name, if `rests_until` is given.
    pub(super) fn let_rest(
        &self,
        tx: &mut Tx<'_>,
        canonical: &str,
        user: Option<&UserId>,
        until: Option<Moment>,
    ) -> MysqlResult<()> {
        let Some(expires_at) = until else { return Ok(()) };
        let (id, user_id) = (self.name_hash(canonical), user.cloned());
        names::upsert(tx, &RestingName { id, user_id, expires_at })
    }
}

pub(super) fn has_user(tx: &mut Tx<'_>, id: &UserId) -> MysqlResult<bool> {
    tx.exists("SELECT 1 FROM user WHERE id = ?", (id.as_str(),))
}

/// Locks a user, so that no other transaction on this server changes them or adds to what is theirs, and
/// returns their canonical name, if they exist. (Of two transactions on two servers that change the same
/// user, one has a conflict.)
pub(super) fn lock_user(tx: &mut Tx<'_>, id: &str) -> MysqlResult<Option<String>> {
    tx.first("SELECT canonical_username FROM user WHERE id = ? FOR UPDATE", (id,))
}

/// Replaces the address of a user.
pub(super) fn put_email(
    tx: &mut Tx<'_>,
    id: &UserId,
    email: &str,
    verified_at: Option<Moment>,
) -> MysqlResult<()> {
    let canonical = email_address::canonical(email);
    tx.run(
        "UPDATE user SET email = ?, canonical_email = ?, email_verified_at = ? WHERE id = ?",
        (email, canonical, verified_at.map(Moment::millis), id.as_str()),
    )
    .map(drop)
}

fn insert_user(tx: &mut Tx<'_>, user: &User) -> MysqlResult<()> {
    let canonical_email = email_address::canonical(&user.email);
    tx.run(
        "INSERT INTO user (id, username, canonical_username, created_at, group_names, email,
                           email_verified_at, disabled_at, disabled_reason, second_factor_since,
                           attributes, canonical_email)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?)",
        values(&[&user.cells()[..], &cells![&canonical_email]].concat()),
    )?;
    Ok(())
}
