//! The statements for access tokens.

use super::{Mysql, MysqlFault, MysqlResult, Tx, blob, mail};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::outcomes::Refused;
use crate::store::{AccessToken, AccessTokenAdded, AccessTokens, Letter, Result};

impl AccessTokens for Mysql {
    // LIMIT: if several servers add tokens at the same moment, there may be a few more than `most`.
    fn add_access_token(
        &self,
        token: &AccessToken,
        session: &TokenHash,
        most: u32,
        letter: Option<&Letter>,
    ) -> Result<AccessTokenAdded> {
        AccessTokenAdded::of(self.write(|tx| {
            let find = "SELECT 1 FROM access_token WHERE id = ?";
            if tx.may_be_applied && tx.exists(find, (blob(token.id.as_bytes()),))? {
                return Ok(());
            }
            insert(tx, token, session)?;
            let count = tx.rows(
                "SELECT 1 FROM access_token JOIN user ON user.id = access_token.user_id
                        AND user.epoch = access_token.epoch
                  WHERE user_id = ?",
                (token.user_id.as_str(),),
            )?;
            if count.len() > most as usize {
                return Err(MysqlFault::Refused(Refused::TooMany));
            }
            mail::insert(tx, letter)
        }))
    }

    fn touch_access_token(&self, id: &TokenHash, now: Moment) -> Result<bool> {
        let (now, latest) = (now.millis(), now.latest_past().millis());
        let met = self.write_at_once(
            ("access_token", id),
            "UPDATE access_token SET used_at = IF(used_at > ?, ?, GREATEST(IFNULL(used_at, 0), ?))
              WHERE id = ?",
            (latest, now, now, blob(id.as_bytes())),
        );
        Ok(met? > 0)
    }
}

/// Adds a token, if the session is its owner's and neither was invalidated meanwhile.
fn insert(tx: &mut Tx<'_>, token: &AccessToken, session: &TokenHash) -> MysqlResult<()> {
    let met = tx.run(
        "INSERT INTO access_token (id, user_id, name, created_at, expires_at, used_at, second_at, epoch)
         SELECT ?, user.id, ?, ?, ?, ?, user_session.second_at, user.epoch
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
    if met == 0 { Err(MysqlFault::Refused(Refused::NoUser)) } else { Ok(()) }
}
