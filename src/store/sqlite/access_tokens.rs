//! The statements for access tokens.

use rusqlite::Transaction;

use super::{
    RENEWAL_PATIENCE, Sqlite, SqliteFault, SqliteResult, WRITE_PATIENCE, exists, first, mail, run,
};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::outcomes::Refused;
use crate::store::rows::{ToCells, cells};
use crate::store::{AccessToken, AccessTokenAdded, AccessTokens, Letter, Result};

impl AccessTokens for Sqlite {
    fn add_access_token(
        &self,
        token: &AccessToken,
        session: &TokenHash,
        most: u32,
        letter: Option<&Letter>,
    ) -> Result<AccessTokenAdded> {
        AccessTokenAdded::of(self.write(WRITE_PATIENCE, |tx| {
            let is_live = exists(
                tx,
                "SELECT 1 FROM user_session WHERE id = ?1 AND user_id = ?2
                    AND epoch = (SELECT epoch FROM user WHERE id = ?2)",
                &cells![session, &token.user_id],
            )?;
            if !is_live {
                return Err(SqliteFault::Refused(Refused::NoUser));
            }
            let sql = "SELECT count(*) FROM access_token WHERE user_id = ?";
            let count: Option<i64> = first(tx, sql, &cells![&token.user_id])?;
            if count.unwrap_or(0) >= most.into() {
                return Err(SqliteFault::Refused(Refused::TooMany));
            }
            run(
                tx,
                "INSERT INTO access_token
                   (id, user_id, name, created_at, expires_at, used_at, second_at, epoch)
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, second_at, epoch FROM user_session WHERE id = ?7",
                &[&token.cells()[..], &cells![session]].concat(),
            )?;
            mail::insert(tx, letter)
        }))
    }

    fn touch_access_token(&self, id: &TokenHash, now: Moment) -> Result<bool> {
        Ok(self.write(RENEWAL_PATIENCE, |tx| touch_access_token(tx, id, now))? > 0)
    }
}

pub(super) fn touch_access_token(
    tx: &Transaction<'_>,
    id: &TokenHash,
    now: Moment,
) -> SqliteResult<usize> {
    run(
        tx,
        "UPDATE access_token SET used_at = iif(used_at > ?3, ?2, max(ifnull(used_at, 0), ?2))
          WHERE id = ?1",
        &cells![id, now, now.latest_past()],
    )
}
