//! One-time tokens as they are written down.

use rusqlite::{OptionalExtension, Row, Transaction};

use super::{Fault, Sqlite, WRITE_PATIENCE, moment_at, put_password, user_at, written};
use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::base::token::TokenHash;
use crate::store::{OneTimeToken, OneTimeTokens, Purpose, Result, User, UserId, Written};

impl OneTimeTokens for Sqlite {
    fn add_one_time_token(&self, token: &OneTimeToken) -> Result<Written> {
        written(self.write(WRITE_PATIENCE, |tx| {
            tx.prepare_cached("DELETE FROM one_time_token WHERE user_id = ?1 AND purpose = ?2")?
                .execute([token.user_id.as_str(), token.purpose.as_str()])?;
            Ok(insert(tx, token, None)?)
        }))
    }

    fn user_of_one_time_token(
        &self,
        id: &TokenHash,
        purpose: Purpose,
        now: Moment,
    ) -> Result<Option<User>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT user.id, user.username, user.canonical_username, user.created_at,
                        user.group_names, user.email, user.disabled_at, user.disabled_reason
                   FROM one_time_token AS it JOIN user ON user.id = it.user_id
                        AND user.epoch = it.epoch
                  WHERE it.id = ?1 AND it.purpose = ?2 AND it.expires_at >= ?3
                    AND it.created_at <= ?4",
            )?
            .query_row(
                (id.as_bytes(), purpose.as_str(), now.millis(), now.latest_past().millis()),
                |row| user_at(row, 0),
            )
            .optional()
        })
    }

    fn reset_password(&self, id: &TokenHash, hash: &PasswordHash, now: Moment) -> Result<bool> {
        let done = self.write(WRITE_PATIENCE, |tx| {
            let owner: Option<String> = tx
                .prepare_cached(
                    "SELECT user.id FROM one_time_token AS it JOIN user ON user.id = it.user_id
                            AND user.epoch = it.epoch
                      WHERE it.id = ?1 AND it.purpose = 'reset_password' AND it.expires_at >= ?2
                        AND it.created_at <= ?3 AND disabled_at IS NULL",
                )?
                .query_row((id.as_bytes(), now.millis(), now.latest_past().millis()), |row| {
                    row.get(0)
                })
                .optional()?;
            let Some(user) = owner.map(UserId) else { return Ok(false) };
            put_password(tx, &user, Some(hash))?;
            Ok(true)
        });
        match done {
            Ok(is_done) => Ok(is_done),
            // Another user signs in with the name, and there is no other key to set it on.
            Err(Fault::Duplicate) => Ok(false),
            Err(fault) => Err(fault.into()),
        }
    }

    fn delete_ended_one_time_tokens(&self, now: Moment, limit: u32) -> Result<usize> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached(
                    "DELETE FROM one_time_token WHERE id IN
                       (SELECT id FROM one_time_token WHERE expires_at < ?1 LIMIT ?2)",
                )?
                .execute((now.millis(), limit))?)
        });
        Ok(deleted?)
    }
}

pub(super) fn delete_all_of(tx: &Transaction<'_>, id: &UserId) -> rusqlite::Result<usize> {
    tx.prepare_cached("DELETE FROM one_time_token WHERE user_id = ?1")?.execute([id.as_str()])
}

/// Adds a token with this epoch, or with the one that its user has now.
pub(super) fn insert(
    tx: &Transaction<'_>,
    token: &OneTimeToken,
    epoch: Option<i64>,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO one_time_token (id, user_id, purpose, created_at, expires_at, detail, epoch)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6,
                 ifnull(?7, ifnull((SELECT epoch FROM user WHERE id = ?2), 0)))",
    )?
    .execute((
        token.id.as_bytes(),
        token.user_id.as_str(),
        token.purpose.as_str(),
        token.created_at.millis(),
        token.expires_at.millis(),
        &token.detail,
        epoch,
    ))?;
    Ok(())
}

pub(super) fn token_at(row: &Row<'_>) -> rusqlite::Result<OneTimeToken> {
    Ok(OneTimeToken {
        id: TokenHash::from_bytes(row.get(0)?),
        user_id: UserId(row.get(1)?),
        purpose: purpose(&row.get::<_, String>(2)?)?,
        created_at: moment_at(row, 3)?,
        expires_at: moment_at(row, 4)?,
        detail: row.get(5)?,
    })
}

fn purpose(text: &str) -> rusqlite::Result<Purpose> {
    Purpose::of(text).ok_or_else(|| {
        let cause =
            format!("a one-time token has a purpose that this vestibule does not know: {text}");
        rusqlite::Error::ToSqlConversionFailure(cause.into())
    })
}
