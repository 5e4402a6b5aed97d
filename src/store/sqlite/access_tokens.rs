//! Access tokens as they are written down.

use rusqlite::{OptionalExtension, Row, Transaction};

use super::{Fault, RENEWAL_PATIENCE, Sqlite, WRITE_PATIENCE, moment_at, user_at, written};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::{AccessToken, AccessTokens, Error, Result, User, UserId, Written};

impl AccessTokens for Sqlite {
    fn add_access_token(
        &self,
        token: &AccessToken,
        session: &TokenHash,
        most: u32,
    ) -> Result<Written> {
        written(self.write(WRITE_PATIENCE, |tx| {
            let is_live = tx
                .prepare_cached(
                    "SELECT 1 FROM user_session WHERE id = ?1 AND user_id = ?2
                        AND epoch = (SELECT epoch FROM user WHERE id = ?2)",
                )?
                .exists((session.as_bytes(), token.user_id.as_str()))?;
            if !is_live {
                return Err(Fault::NoUser);
            }
            let count: u32 = tx
                .prepare_cached("SELECT count(*) FROM access_token WHERE user_id = ?1")?
                .query_row([token.user_id.as_str()], |row| row.get(0))?;
            if count >= most {
                return Err(Fault::Duplicate);
            }
            Ok(insert(tx, token, None)?)
        }))
    }

    fn access_tokens_of(&self, id: &UserId) -> Result<Vec<AccessToken>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT id, user_id, name, created_at, expires_at, used_at
                   FROM access_token
                  WHERE user_id = ?1 AND epoch = (SELECT epoch FROM user WHERE id = ?1)
                  ORDER BY created_at, id",
            )?
            .query_map([id.as_str()], |row| access_token_at(row, 0))?
            .collect()
        })
    }

    fn user_of_access_token(&self, id: &TokenHash) -> Result<Option<(User, AccessToken)>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT user.id, user.username, user.canonical_username, user.created_at,
                        user.group_names, user.email, user.disabled_at, user.disabled_reason,
                        access_token.id, access_token.user_id, access_token.name,
                        access_token.created_at, access_token.expires_at, access_token.used_at
                   FROM access_token JOIN user ON user.id = access_token.user_id
                        AND user.epoch = access_token.epoch
                  WHERE access_token.id = ?1",
            )?
            .query_row([id.as_bytes()], |row| Ok((user_at(row, 0)?, access_token_at(row, 8)?)))
            .optional()
        })
    }

    fn see_access_token(&self, id: &TokenHash, now: Moment) -> Result<bool> {
        let changed = self.write(RENEWAL_PATIENCE, |tx| Ok(see_access_token(tx, id, now)?));
        changed.map(|count| count > 0).map_err(Error::from)
    }

    fn delete_access_token(&self, user: &UserId, id: &TokenHash) -> Result<bool> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached("DELETE FROM access_token WHERE id = ?1 AND user_id = ?2")?
                .execute((id.as_bytes(), user.as_str()))?)
        });
        Ok(deleted? > 0)
    }

    fn delete_ended_access_tokens(&self, earliest: Moment, limit: u32) -> Result<usize> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached(
                    "DELETE FROM access_token WHERE id IN
                       (SELECT id FROM access_token WHERE expires_at < ?1 LIMIT ?2)",
                )?
                .execute((earliest.millis(), limit))?)
        });
        Ok(deleted?)
    }
}

pub(super) fn see_access_token(
    tx: &Transaction<'_>,
    id: &TokenHash,
    now: Moment,
) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "UPDATE access_token SET used_at = iif(used_at > ?3, ?2, max(ifnull(used_at, 0), ?2))
          WHERE id = ?1",
    )?
    .execute((id.as_bytes(), now.millis(), now.latest_past().millis()))
}

/// Adds a token under this epoch; `None`: the one that its user has.
pub(super) fn insert(
    tx: &Transaction<'_>,
    token: &AccessToken,
    epoch: Option<i64>,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO access_token (id, user_id, name, created_at, expires_at, used_at, epoch)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ifnull(?7, (SELECT epoch FROM user WHERE id = ?2)))",
    )?
    .execute((
        token.id.as_bytes(),
        token.user_id.as_str(),
        &token.name,
        token.created_at.millis(),
        token.expires_at.millis(),
        token.used_at.map(Moment::millis),
        epoch,
    ))?;
    Ok(())
}

pub(super) fn delete_all_of(tx: &Transaction<'_>, id: &UserId) -> rusqlite::Result<usize> {
    tx.prepare_cached("DELETE FROM access_token WHERE user_id = ?1")?.execute([id.as_str()])
}

pub(super) fn access_token_at(row: &Row<'_>, first: usize) -> rusqlite::Result<AccessToken> {
    Ok(AccessToken {
        id: TokenHash::from_bytes(row.get(first)?),
        user_id: UserId(row.get(first + 1)?),
        name: row.get(first + 2)?,
        created_at: moment_at(row, first + 3)?,
        expires_at: moment_at(row, first + 4)?,
        used_at: row.get::<_, Option<i64>>(first + 5)?.map(Moment::from_millis),
    })
}
