//! The statements for one-time tokens.

use rusqlite::Transaction;

use super::users::put_email;
use super::{Sqlite, SqliteFault, SqliteResult, WRITE_PATIENCE, first, mail, put_password, run};
use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::base::token::TokenHash;
use crate::store::contract::ADDRESS_OF_TOKEN;
use crate::store::outcomes::Refused;
use crate::store::rows::{ToCells, cells};
use crate::store::{Letter, OneTimeToken, OneTimeTokenAdded, OneTimeTokens, Result, UserId};

impl OneTimeTokens for Sqlite {
    fn add_one_time_token(&self, token: &OneTimeToken) -> Result<OneTimeTokenAdded> {
        OneTimeTokenAdded::of(self.write(WRITE_PATIENCE, |tx| {
            let sql = "DELETE FROM one_time_token WHERE user_id = ? AND purpose = ?";
            run(tx, sql, &cells![&token.user_id, token.purpose])?;
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
        let done = self.write(WRITE_PATIENCE, |tx| {
            let owner: Option<UserId> = first(
                tx,
                "SELECT user.id FROM one_time_token AS it JOIN user ON user.id = it.user_id
                        AND user.epoch = it.epoch
                  WHERE it.id = ? AND it.purpose = 'reset_password' AND it.expires_at >= ?
                    AND it.created_at <= ? AND disabled_at IS NULL",
                &cells![id, now, now.latest_past()],
            )?;
            let Some(user) = owner else { return Ok(false) };
            put_password(tx, &user, Some(hash))?;
            mail::insert(tx, letter)?;
            Ok(true)
        });
        match done {
            Ok(is_done) => Ok(is_done),
            // The username is another user's sign-in name, and there is no other key to set it on.
            Err(SqliteFault::Refused(Refused::Duplicate)) => Ok(false),
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
        Ok(self.write(WRITE_PATIENCE, |tx| {
            let params = cells![id, user, now, now.latest_past()];
            let address: Option<String> = first(tx, ADDRESS_OF_TOKEN, &params)?;
            let Some(address) = address else { return Ok(false) };
            delete_all_of(tx, user)?;
            put_email(tx, user, &address, Some(now))?;
            mail::insert(tx, letter)?;
            Ok(true)
        })?)
    }
}

pub(super) fn insert(tx: &Transaction<'_>, token: &OneTimeToken, slot: u32) -> SqliteResult<()> {
    run(
        tx,
        "INSERT INTO one_time_token
           (id, user_id, purpose, created_at, expires_at, detail, slot, epoch)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ifnull((SELECT epoch FROM user WHERE id = ?2), 0))",
        &[&token.cells()[..], &cells![slot]].concat(),
    )
    .map(drop)
}

pub(super) fn delete_all_of(tx: &Transaction<'_>, id: &UserId) -> SqliteResult<usize> {
    run(tx, "DELETE FROM one_time_token WHERE user_id = ?", &cells![id])
}
