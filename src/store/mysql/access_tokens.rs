//! Access tokens as they are written down.

use mysql::Row;

use super::{
    Answer, Fault, Mysql, Unit, blob, get, moment, optional_moment, token_hash, user_at, written,
};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::{AccessToken, AccessTokens, Result, User, UserId, Written};

impl AccessTokens for Mysql {
    // LIMIT: made on several servers in the same moment, there may be a few more than `most`.
    fn add_access_token(
        &self,
        token: &AccessToken,
        session: &TokenHash,
        most: u32,
    ) -> Result<Written> {
        written(self.write(|unit| {
            let find = "SELECT 1 FROM access_token WHERE id = ?";
            if unit.is_again && unit.exists(find, (blob(token.id.as_bytes()),))? {
                return Ok(());
            }
            let met = unit.run(
                "INSERT INTO access_token (id, user_id, name, created_at, expires_at, used_at, epoch)
                 SELECT ?, user.id, ?, ?, ?, ?, user.epoch
                   FROM user_session JOIN user ON user.id = user_session.user_id
                        AND user.epoch = user_session.epoch
                  WHERE user_session.id = ? AND user.id = ? LOCK IN SHARE MODE",
                (
                    blob(token.id.as_bytes()),
                    &token.name,
                    token.created_at.millis(),
                    token.expires_at.millis(),
                    token.used_at.map(Moment::millis),
                    blob(session.as_bytes()),
                    token.user_id.as_str(),
                ),
            )?;
            if met == 0 {
                return Err(Fault::NoUser);
            }
            let count = unit.rows(
                "SELECT 1 FROM access_token JOIN user ON user.id = access_token.user_id
                        AND user.epoch = access_token.epoch
                  WHERE user_id = ?",
                (token.user_id.as_str(),),
            )?;
            if count.len() > most as usize {
                return Err(Fault::Duplicate);
            }
            Ok(())
        }))
    }

    fn access_tokens_of(&self, id: &UserId) -> Result<Vec<AccessToken>> {
        self.read_all(
            "SELECT access_token.id, user_id, name, access_token.created_at, expires_at, used_at
               FROM access_token JOIN user ON user.id = access_token.user_id
                    AND user.epoch = access_token.epoch
              WHERE user_id = ? ORDER BY access_token.created_at, access_token.id",
            (id.as_str(),),
            |row| access_token_at(row, 0),
        )
    }

    fn user_of_access_token(&self, id: &TokenHash) -> Result<Option<(User, AccessToken)>> {
        self.read_one(
            "SELECT user.id, user.username, user.canonical_username, user.created_at,
                    user.group_names, user.email, user.disabled_at, user.disabled_reason,
                    access_token.id, access_token.user_id, access_token.name,
                    access_token.created_at, access_token.expires_at, access_token.used_at
               FROM access_token JOIN user ON user.id = access_token.user_id
                    AND user.epoch = access_token.epoch
              WHERE access_token.id = ?",
            (blob(id.as_bytes()),),
            |row| Ok((user_at(row, 0)?, access_token_at(row, 8)?)),
        )
    }

    fn see_access_token(&self, id: &TokenHash, now: Moment) -> Result<bool> {
        let (now, latest) = (now.millis(), now.latest_past().millis());
        let met = self.write_at_once(
            ("access_token", id),
            "UPDATE access_token SET used_at = IF(used_at > ?, ?, GREATEST(IFNULL(used_at, 0), ?))
              WHERE id = ?",
            (latest, now, now, blob(id.as_bytes())),
        );
        Ok(met? > 0)
    }

    fn delete_access_token(&self, user: &UserId, id: &TokenHash) -> Result<bool> {
        let sql = "DELETE FROM access_token WHERE id = ? AND user_id = ?";
        Ok(self.write_one(sql, (blob(id.as_bytes()), user.as_str()))? > 0)
    }

    fn delete_ended_access_tokens(&self, earliest: Moment, limit: u32) -> Result<usize> {
        self.write_one(
            "DELETE FROM access_token WHERE expires_at < ? ORDER BY expires_at LIMIT ?",
            (earliest.millis(), limit),
        )
    }
}

pub(super) fn delete_all_of(unit: &mut Unit<'_>, id: &str) -> Answer<()> {
    unit.run("DELETE FROM access_token WHERE user_id = ?", (id,)).map(drop)
}

pub(super) fn access_token_at(row: &mut Row, first: usize) -> Answer<AccessToken> {
    Ok(AccessToken {
        id: token_hash(row, first)?,
        user_id: UserId(get(row, first + 1)?),
        name: get(row, first + 2)?,
        created_at: moment(row, first + 3)?,
        expires_at: moment(row, first + 4)?,
        used_at: optional_moment(row, first + 5)?,
    })
}
