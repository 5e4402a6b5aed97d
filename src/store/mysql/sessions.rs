//! Sessions as they are written down.

use mysql::{Params, Row, Value};

use super::{
    Answer, Fault, Mysql, Unit, blob, get, moment, token_hash, upsert_device, user_at, written,
};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::{
    AccessTokens, Entry, Place, Result, Session, Sessions, Use, User, UserId, Written,
};

impl Sessions for Mysql {
    fn start_session(&self, session: &Session, most: u32, entry: &Entry) -> Result<Written> {
        written(self.write(|unit| {
            if unit.is_again && has_session(unit, &session.id)? {
                return Ok(());
            }
            insert_session(unit, session, entry)?;
            let beyond = unit.rows(
                "SELECT id FROM user_session WHERE user_id = ?
                  ORDER BY id = ? DESC, created_at > ?, created_at DESC, id
                  LIMIT 1000000 OFFSET ?",
                (
                    session.user_id.as_str(),
                    blob(session.id.as_bytes()),
                    session.created_at.latest_past().millis(),
                    most,
                ),
            )?;
            for mut row in beyond {
                delete_session(unit, &token_hash(&mut row, 0)?)?;
            }
            Ok(())
        }))
    }

    fn user_of_session(&self, id: &TokenHash) -> Result<Option<(User, Session)>> {
        self.read_one(
            "SELECT user.id, user.username, user.canonical_username, user.created_at,
                    user.group_names, user.email, user.disabled_at, user.disabled_reason,
                    user_session.id, user_session.user_id, user_session.active_expires,
                    user_session.idle_expires, user_session.absolute_expires,
                    user_session.created_at, user_session.proven_at, user_session.seen_at,
                    user_session.is_transient, user_session.browser, user_session.address
               FROM user_session JOIN user ON user.id = user_session.user_id
                    AND user.epoch = user_session.epoch
              WHERE user_session.id = ?",
            (blob(id.as_bytes()),),
            |row| Ok((user_at(row, 0)?, session_at(row, 8)?)),
        )
    }

    fn sessions_of(&self, id: &UserId) -> Result<Vec<Session>> {
        self.read_all(
            "SELECT user_session.id, user_id, active_expires, idle_expires, absolute_expires,
                    user_session.created_at, proven_at, seen_at, is_transient, browser, address
               FROM user_session JOIN user ON user.id = user_session.user_id
                    AND user.epoch = user_session.epoch
              WHERE user_id = ? ORDER BY user_session.created_at, user_session.id",
            (id.as_str(),),
            |row| session_at(row, 0),
        )
    }

    fn renew_session(
        &self,
        id: &TokenHash,
        active_expires: Moment,
        idle_expires: Moment,
        now: Moment,
    ) -> Result<bool> {
        let (active, idle) = (active_expires.millis(), idle_expires.millis());
        let (now, latest) = (now.millis(), now.latest_past().millis());
        let met = self.write_at_once(
            ("user_session", id),
            "UPDATE user_session SET active_expires = GREATEST(active_expires, ?),
                                     idle_expires = GREATEST(idle_expires, ?),
                                     seen_at = IF(seen_at > ?, ?, GREATEST(seen_at, ?))
              WHERE id = ?",
            (active, idle, latest, now, now, blob(id.as_bytes())),
        );
        Ok(met? > 0)
    }

    fn see_session(&self, id: &TokenHash, proven: bool, now: Moment) -> Result<bool> {
        let (now, latest) = (now.millis(), now.latest_past().millis());
        let sql = "UPDATE user_session
                      SET seen_at = IF(seen_at > ?, ?, GREATEST(seen_at, ?)),
                          proven_at = IF(?, IF(proven_at > ?, ?, GREATEST(proven_at, ?)), proven_at)
                    WHERE id = ?";
        let params = (latest, now, now, proven, latest, now, now, blob(id.as_bytes()));
        let met = if proven {
            self.write_one(sql, params)
        } else {
            self.write_at_once(("user_session", id), sql, params)
        };
        Ok(met? > 0)
    }

    fn note_uses(&self, uses: &[Use]) -> Result<()> {
        uses.iter().try_for_each(|used| {
            let noted = match used {
                Use::Session { id, at } => self.see_session(id, false, *at),
                Use::Renewal { id, active_expires, idle_expires, at } => {
                    self.renew_session(id, *active_expires, *idle_expires, *at)
                }
                Use::AccessToken { id, at } => self.see_access_token(id, *at),
            };
            noted.map(drop)
        })
    }

    fn end_session(&self, id: &TokenHash) -> Result<bool> {
        let sql = "DELETE FROM user_session WHERE id = ?";
        Ok(self.write_one(sql, (blob(id.as_bytes()),))? > 0)
    }

    fn end_other_sessions(&self, user: &UserId, kept: &TokenHash) -> Result<usize> {
        self.write_one(
            "DELETE FROM user_session WHERE user_id = ? AND id <> ?",
            (user.as_str(), blob(kept.as_bytes())),
        )
    }

    fn end_sessions_of(&self, id: &UserId) -> Result<usize> {
        self.write_one("DELETE FROM user_session WHERE user_id = ?", (id.as_str(),))
    }

    fn delete_dead_sessions(&self, now: Moment, limit: u32) -> Result<usize> {
        self.write_one(
            "DELETE FROM user_session WHERE idle_expires < ? ORDER BY idle_expires LIMIT ?",
            (now.millis(), limit),
        )
    }

    fn delete_dead_sessions_of(&self, id: &UserId, now: Moment) -> Result<usize> {
        self.write_one(
            "DELETE FROM user_session WHERE user_id = ? AND idle_expires < ?",
            (id.as_str(), now.millis()),
        )
    }
}

/// Adds a session under the epoch that its user has, if that is the one it was proven under: both are read
/// by one statement, so that a password that is changed meanwhile ends this session too.
pub(super) fn insert_session(unit: &mut Unit<'_>, session: &Session, entry: &Entry) -> Answer<()> {
    let mut values = session_values(session);
    // The user's id comes from the table.
    let user_id = values.remove(1);
    values.extend([user_id, entry.proof.map(|it| it.0).into()]);
    let met = unit.run(
        "INSERT INTO user_session
           (id, user_id, active_expires, idle_expires, absolute_expires, created_at, proven_at,
            seen_at, is_transient, browser, address, epoch)
         SELECT ?, user.id, ?, ?, ?, ?, ?, ?, ?, ?, ?, user.epoch
           FROM user
          WHERE user.id = ? AND user.disabled_at IS NULL AND user.epoch = IFNULL(?, user.epoch)
                LOCK IN SHARE MODE",
        Params::Positional(values),
    )?;
    if met == 0 {
        return Err(Fault::NoUser);
    }
    if let Some(replaced) = &entry.replaced {
        delete_session(unit, replaced)?;
    }
    if let Some(id) = entry.cleared {
        unit.run("DELETE FROM throttle WHERE id = ?", (blob(&id.0),))?;
    }
    unit.run(
        "DELETE FROM user_session WHERE user_id = ? AND idle_expires < ? AND id <> ?",
        (session.user_id.as_str(), session.created_at.millis(), blob(session.id.as_bytes())),
    )?;
    match &entry.device {
        Some(device) => upsert_device(unit, device),
        None => Ok(()),
    }
}

/// All columns but the epoch.
pub(super) fn session_values(session: &Session) -> Vec<Value> {
    vec![
        blob(session.id.as_bytes()),
        session.user_id.as_str().into(),
        session.active_expires.millis().into(),
        session.idle_expires.millis().into(),
        session.absolute_expires.millis().into(),
        session.created_at.millis().into(),
        session.proven_at.millis().into(),
        session.seen_at.millis().into(),
        session.place.is_transient.into(),
        session.place.browser.as_str().into(),
        session.place.address.as_str().into(),
    ]
}

pub(super) fn has_session(unit: &mut Unit<'_>, id: &TokenHash) -> Answer<bool> {
    unit.exists("SELECT 1 FROM user_session WHERE id = ?", (blob(id.as_bytes()),))
}

fn delete_session(unit: &mut Unit<'_>, id: &TokenHash) -> Answer<usize> {
    unit.run("DELETE FROM user_session WHERE id = ?", (blob(id.as_bytes()),))
}

pub(super) fn session_at(row: &mut Row, first: usize) -> Answer<Session> {
    Ok(Session {
        id: token_hash(row, first)?,
        user_id: UserId(get(row, first + 1)?),
        active_expires: moment(row, first + 2)?,
        idle_expires: moment(row, first + 3)?,
        absolute_expires: moment(row, first + 4)?,
        created_at: moment(row, first + 5)?,
        proven_at: moment(row, first + 6)?,
        seen_at: moment(row, first + 7)?,
        place: Place {
            is_transient: get(row, first + 8)?,
            browser: get(row, first + 9)?,
            address: get(row, first + 10)?,
        },
    })
}
