//! The statements for users.

use rusqlite::Transaction;

use super::audit;
use super::keys::{move_sign_in_name, refuse_sign_in_name_of_another, sign_in_names};
use super::{
    Sqlite, SqliteFault, SqliteResult, WRITE_PATIENCE, delete_rows_of, first, insert_key,
    insert_session, invitations, mail, names, one_time_tokens, run,
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

impl Users for Sqlite {
    fn add_user(&self, user: &User, keys: &[Key]) -> Result<UserAdded> {
        let done = self.write(WRITE_PATIENCE, |tx| {
            refuse_sign_in_name_of_another(tx, &user.id, &user.canonical_username)?;
            self.insert_new_user(tx, user)?;
            keys.iter().try_for_each(|key| self.insert_new_key(tx, key, user.created_at))
        });
        UserAdded::of(done)
    }

    fn sign_up(
        &self,
        user: &User,
        key: &Key,
        session: Option<&Session>,
        invite: Option<&TokenHash>,
        entry: &SessionStart,
    ) -> Result<SignedUp> {
        let done = self.write(WRITE_PATIENCE, |tx| {
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
        let done = self.write(WRITE_PATIENCE, |tx| {
            let before = name_of(tx, id)?.ok_or(SqliteFault::Refused(Refused::NoUser))?;
            let sql = "UPDATE user SET username = ?, canonical_username = ? WHERE id = ?";
            run(tx, sql, &cells![username, canonical, id])?;
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
            one_time_tokens::delete_all_of(tx, id)?;
            Ok(())
        });
        UserRenamed::of(done)
    }

    fn set_email(
        &self,
        id: &UserId,
        email: &str,
        verified_at: Option<Moment>,
        letter: Option<&Letter>,
    ) -> Result<bool> {
        Ok(self.write(WRITE_PATIENCE, |tx| {
            let is_there = put_email(tx, id, email, verified_at)? > 0;
            one_time_tokens::delete_all_of(tx, id)?;
            mail::insert(tx, letter.filter(|_| is_there))?;
            Ok(is_there)
        })?)
    }

    fn disable_user(&self, id: &UserId, reason: &str, now: Moment) -> Result<bool> {
        let changed = self.write(WRITE_PATIENCE, |tx| {
            run(tx, "DELETE FROM user_session WHERE user_id = ?", &cells![id])?;
            one_time_tokens::delete_all_of(tx, id)?;
            // They are valid again when their owner is enabled.
            run(
                tx,
                "UPDATE access_token SET epoch = epoch + 1
                  WHERE user_id = ?1 AND epoch = (SELECT epoch FROM user WHERE id = ?1)",
                &cells![id],
            )?;
            run(
                tx,
                "UPDATE user
                    SET disabled_reason = CASE WHEN disabled_at IS NULL THEN ? ELSE disabled_reason END,
                        disabled_at = coalesce(disabled_at, ?), epoch = epoch + 1
                  WHERE id = ?",
                &cells![reason, now, id],
            )
        });
        Ok(changed? > 0)
    }

    fn enable_user(&self, id: &UserId) -> Result<bool> {
        let changed = self.write(WRITE_PATIENCE, |tx| {
            one_time_tokens::delete_all_of(tx, id)?;
            let sql = "UPDATE user SET disabled_at = NULL, disabled_reason = '' WHERE id = ?";
            run(tx, sql, &cells![id])
        });
        Ok(changed? > 0)
    }

    fn delete_user(
        &self,
        id: &UserId,
        rests_until: Option<Moment>,
        letter: Option<&Letter>,
    ) -> Result<bool> {
        Ok(self.write(WRITE_PATIENCE, |tx| {
            names::forget_owner(tx, id)?;
            if let Some(name) = name_of(tx, id)? {
                self.let_rest(tx, &name, None, rests_until)?;
            }
            let keys = sign_in_names(tx, id)?;
            for name in keys.iter().filter_map(|it| it.id.sign_in_name()) {
                self.let_rest(tx, name, None, rests_until)?;
            }
            audit::hash_names_of(tx, &self.handle_key, id)?;
            delete_rows_of(tx, id, |_| true)?;
            // Of a user who is gone already, what tells of it may still wait.
            let sql =
                "DELETE FROM mail WHERE user_id = ?1 AND EXISTS (SELECT 1 FROM user WHERE id = ?1)";
            run(tx, sql, &cells![id])?;
            let is_deleted = run(tx, "DELETE FROM user WHERE id = ?", &cells![id])? > 0;
            mail::insert(tx, letter.filter(|_| is_deleted))?;
            Ok(is_deleted)
        })?)
    }
}

impl Sqlite {
    /// Adds a user whose name must be free.
    fn insert_new_user(&self, tx: &Transaction<'_>, user: &User) -> SqliteResult<()> {
        insert_user(tx, user, "")?;
        let name = self.name_hash(&user.canonical_username);
        names::refuse_resting(tx, name, &user.id, user.created_at)
    }

    /// Gives a name to a user, which ends its rest. Refused if it rests for another user.
    pub(super) fn take_name(
        &self,
        tx: &Transaction<'_>,
        canonical: &str,
        user: &UserId,
        now: Moment,
    ) -> SqliteResult<()> {
        let name = self.name_hash(canonical);
        names::refuse_resting(tx, name, user, now)?;
        names::delete(tx, name).map(drop)
    }

    /// Reserves a name, if `rests_until` is given.
    pub(super) fn let_rest(
        &self,
        tx: &Transaction<'_>,
        canonical: &str,
        user: Option<&UserId>,
        until: Option<Moment>,
    ) -> SqliteResult<()> {
        let Some(expires_at) = until else { return Ok(()) };
        let (id, user_id) = (self.name_hash(canonical), user.cloned());
        names::upsert(tx, &RestingName { id, user_id, expires_at })
    }
}

/// The canonical name of a user.
pub(super) fn name_of(tx: &Transaction<'_>, id: &UserId) -> SqliteResult<Option<String>> {
    first(tx, "SELECT canonical_username FROM user WHERE id = ?", &cells![id])
}

pub(super) fn insert_user(tx: &Transaction<'_>, user: &User, attributes: &str) -> SqliteResult<()> {
    let canonical_email = email_address::canonical(&user.email);
    let more = cells![attributes, &canonical_email];
    run(
        tx,
        "INSERT INTO user (id, username, canonical_username, created_at, group_names, email,
                           email_verified_at, disabled_at, disabled_reason, second_factor_since,
                           attributes, canonical_email)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        &[&user.cells()[..], &more].concat(),
    )
    .map(drop)
}

/// Replaces the address of a user.
pub(super) fn put_email(
    tx: &Transaction<'_>,
    id: &UserId,
    email: &str,
    verified_at: Option<Moment>,
) -> SqliteResult<usize> {
    let canonical = email_address::canonical(email);
    let sql = "UPDATE user SET email = ?, canonical_email = ?, email_verified_at = ? WHERE id = ?";
    run(tx, sql, &cells![email, &canonical, verified_at, id])
}
