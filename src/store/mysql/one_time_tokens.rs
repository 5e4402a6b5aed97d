//! The statements for one-time tokens.

use super::keys::has_hash;
use super::users::put_email;
use super::{Mysql, MysqlFault, MysqlResult, Tx, blob, lock_user, mail, put_password};
use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::base::token::TokenHash;
use crate::store::contract::ADDRESS_OF_TOKEN;
use crate::store::outcomes::Refused;
use crate::store::{Letter, OneTimeToken, OneTimeTokenAdded, OneTimeTokens, Result, UserId};

impl OneTimeTokens for Mysql {
    fn add_one_time_token(&self, token: &OneTimeToken) -> Result<OneTimeTokenAdded> {
        let (user, purpose) = (token.user_id.as_str(), token.purpose.as_str());
        OneTimeTokenAdded::of(self.write(|tx| {
            lock_user(tx, user)?;
            let sql = "DELETE FROM one_time_token WHERE user_id = ? AND purpose = ?";
            tx.run(sql, (user, purpose))?;
            insert(tx, token, 0)
        }))
    }

    fn reset_password(
        &self,
        id: &TokenHash,
        hash: &PasswordHash,
        letter: Option<&Letter>,
        now: Moment,
    ) -> Result<bool> {
        // The owner, found in an earlier try.
        let mut owner: Option<UserId> = None;
        let done = self.write(|tx| {
            if let Some(user) = &owner
                && tx.may_be_applied
                && has_hash(tx, user, hash)?
            {
                return Ok(true);
            }
            let found: Option<UserId> = tx.first(
                "SELECT user_id FROM one_time_token
                  WHERE id = ? AND purpose = 'reset_password' AND expires_at >= ? AND created_at <= ?",
                (blob(id.as_bytes()), now.millis(), now.latest_past().millis()),
            )?;
            let Some(user) = found else { return Ok(false) };
            owner = Some(user.clone());
            if !use_reset_link(tx, id, &user)? {
                return Ok(false);
            }
            put_password(tx, &user, Some(hash))?;
            mail::insert(tx, letter)?;
            Ok(true)
        });
        match done {
            Ok(is_done) => Ok(is_done),
            // The user is gone; or their username is another user's sign-in name, and there is no other
            // key.
            Err(MysqlFault::Refused(Refused::NoUser | Refused::Duplicate)) => Ok(false),
            Err(fault) => Err(fault.into()),
        }
    }

    fn verify_email(
        &self,
        id: &TokenHash,
        user: &UserId,
        letter: Option<&Letter>,
        now: Moment,
    ) -> Result<bool> {
        // The address, found in an earlier try.
        let mut address: Option<String> = None;
        Ok(self.write(|tx| {
            lock_user(tx, user.as_str())?;
            if let Some(address) = &address
                && tx.may_be_applied
                && is_verified(tx, user, address, now)?
            {
                return Ok(true);
            }
            let (due, past) = (now.millis(), now.latest_past().millis());
            let params = (blob(id.as_bytes()), user.as_str(), due, past);
            let found: Option<String> = tx.first(ADDRESS_OF_TOKEN, params)?;
            let Some(found) = found else { return Ok(false) };
            if tx.run("DELETE FROM one_time_token WHERE id = ?", (blob(id.as_bytes()),))? == 0 {
                return Ok(false);
            }
            delete_all_of(tx, user.as_str())?;
            put_email(tx, user, &found, Some(now))?;
            address = Some(found);
            mail::insert(tx, letter)?;
            Ok(true)
        })?)
    }
}

/// Uses a reset link up. `false`: it is no longer valid for this user.
fn use_reset_link(tx: &mut Tx<'_>, id: &TokenHash, user: &UserId) -> MysqlResult<bool> {
    lock_user(tx, user.as_str())?;
    // The epoch shows that an older process, which does not know this table, has set a password.
    let is_valid = "SELECT 1 FROM user JOIN one_time_token AS it ON it.user_id = user.id
                        AND it.epoch = user.epoch
                     WHERE user.id = ? AND user.disabled_at IS NULL AND it.id = ?";
    if !tx.exists(is_valid, (user.as_str(), blob(id.as_bytes())))? {
        return Ok(false);
    }
    Ok(tx.run("DELETE FROM one_time_token WHERE id = ?", (blob(id.as_bytes()),))? > 0)
}

/// Whether the user has this address, verified at this moment.
fn is_verified(tx: &mut Tx<'_>, user: &UserId, address: &str, at: Moment) -> MysqlResult<bool> {
    let sql = "SELECT 1 FROM user WHERE id = ? AND email = ? AND email_verified_at = ?";
    tx.exists(sql, (user.as_str(), address, at.millis()))
}

pub(super) fn insert(tx: &mut Tx<'_>, token: &OneTimeToken, slot: u32) -> MysqlResult<()> {
    let added = tx.run(
        "INSERT INTO one_time_token
           (id, user_id, purpose, created_at, expires_at, epoch, detail, slot)
         SELECT ?, id, ?, ?, ?, epoch, ?, ? FROM user WHERE id = ?",
        (
            blob(token.id.as_bytes()),
            token.purpose.as_str(),
            token.created_at.millis(),
            token.expires_at.millis(),
            &token.detail,
            slot,
            token.user_id.as_str(),
        ),
    );
    match added {
        Ok(0) => Err(MysqlFault::Refused(Refused::NoUser)),
        // Another server adds one for the same user; the last one is to be valid.
        Err(MysqlFault::Refused(Refused::Duplicate)) => {
            Err(MysqlFault::Conflict("another token is being made".to_owned()))
        }
        added => added.map(drop),
    }
}

pub(super) fn delete_all_of(tx: &mut Tx<'_>, id: &str) -> MysqlResult<()> {
    tx.run("DELETE FROM one_time_token WHERE user_id = ?", (id,)).map(drop)
}
