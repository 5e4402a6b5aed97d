//! The statements for sessions.

use super::{Mysql, MysqlFault, MysqlResult, Tx, blob, devices, mail, values};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::outcomes::Refused;
use crate::store::rows::{ToCells, USER_OF_SESSION, cells};
use crate::store::{
    AccessTokens, Result, Session, SessionStart, SessionStarted, Sessions, Use, User, UserId,
};

/// Deletes the sessions of a user that expired before a moment, except one.
///
/// Without the hint the server may use the index of the moments when sessions end, and then it locks the next session
/// to end as well. While an import is being written, that is often one of its rows, and a sign-in waits for the commit.
const DELETE_DEAD: &str = "DELETE user_session FROM user_session FORCE INDEX (user_session_by_user)
      WHERE user_id = ? AND idle_expires < ? AND id <> ?";

/// Notes that the owner of a session was proven in it, with the latest moment that has passed, the moment and the moment
/// again, twice, and the session.
pub(super) const PROVE: &str =
    "UPDATE user_session SET seen_at = IF(seen_at > ?, ?, GREATEST(seen_at, ?)),
                             proven_at = IF(proven_at > ?, ?, GREATEST(proven_at, ?))
      WHERE id = ?";

impl Sessions for Mysql {
    fn start_session(
        &self,
        session: &Session,
        most: u32,
        entry: &SessionStart,
    ) -> Result<SessionStarted> {
        SessionStarted::of(self.write(|tx| {
            if tx.may_be_applied && has_session(tx, &session.id)? {
                return Ok(());
            }
            insert_session(tx, session, entry)?;
            end_beyond(tx, session, most)
        }))
    }

    // Every page needs this, so it is read without the dynamic dispatch of the shared statements.
    fn user_of_session(&self, id: &TokenHash) -> Result<Option<(User, Session)>> {
        self.read_one(USER_OF_SESSION, (blob(id.as_bytes()),))
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

    fn touch_session(&self, id: &TokenHash, now: Moment) -> Result<bool> {
        let (now, latest) = (now.millis(), now.latest_past().millis());
        let met = self.write_at_once(
            ("user_session", id),
            "UPDATE user_session SET seen_at = IF(seen_at > ?, ?, GREATEST(seen_at, ?)) WHERE id = ?",
            (latest, now, now, blob(id.as_bytes())),
        );
        Ok(met? > 0)
    }

    fn note_reauthentication(&self, id: &TokenHash, now: Moment) -> Result<bool> {
        let (now, latest) = (now.millis(), now.latest_past().millis());
        let met = self.write_one(PROVE, (latest, now, now, latest, now, now, blob(id.as_bytes())));
        Ok(met? > 0)
    }

    fn delete_dead_sessions_of(&self, id: &UserId, now: Moment) -> Result<usize> {
        self.write_one(DELETE_DEAD, (id.as_str(), now.millis(), ""))
    }

    fn note_uses(&self, uses: &[Use]) -> Result<()> {
        uses.iter().try_for_each(|used| {
            let noted = match used {
                Use::Session { id, at } => self.touch_session(id, *at),
                Use::Renewal { id, active_expires, idle_expires, at } => {
                    self.renew_session(id, *active_expires, *idle_expires, *at)
                }
                Use::AccessToken { id, at } => self.touch_access_token(id, *at),
            };
            noted.map(drop)
        })
    }
}

/// Adds a session under its user's epoch, if that is the one of the proof, and with both factors if the user has
/// two: one statement reads and writes it, so that a simultaneous change of password ends this session too.
pub(super) fn insert_session(
    tx: &mut Tx<'_>,
    session: &Session,
    entry: &SessionStart,
) -> MysqlResult<()> {
    // The user's id is selected from the table.
    let [id, user_id, rest @ ..] = session.cells();
    let proof = cells![user_id, entry.proof, session.second_at];
    let params = [&[id], &rest[..], &proof].concat();
    let met = tx.run(
        "INSERT INTO user_session
           (id, user_id, active_expires, idle_expires, absolute_expires, created_at, proven_at,
            seen_at, is_transient, browser, address, second_at, epoch)
         SELECT ?, user.id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, user.epoch
           FROM user
          WHERE user.id = ? AND user.disabled_at IS NULL AND user.epoch = IFNULL(?, user.epoch)
            AND (user.second_factor_since IS NULL OR ? > 0)
                LOCK IN SHARE MODE",
        values(&params),
    )?;
    if met == 0 {
        return Err(MysqlFault::Refused(Refused::NoUser));
    }
    if let Some(replaced) = &entry.replaced {
        delete_session(tx, replaced)?;
    }
    if let Some(id) = entry.cleared {
        tx.run("DELETE FROM throttle WHERE id = ?", (blob(&id.0),))?;
    }
    let user = session.user_id.as_str();
    tx.run(DELETE_DEAD, (user, session.created_at.millis(), blob(session.id.as_bytes())))?;
    if let Some(device) = &entry.device {
        devices::upsert(tx, device)?;
    }
    mail::insert(tx, entry.letter.as_ref())
}

/// Ends sessions of a user until `most` are left, those of the future and the oldest first.
pub(super) fn end_beyond(tx: &mut Tx<'_>, session: &Session, most: u32) -> MysqlResult<()> {
    let latest = session.created_at.latest_past();
    let beyond: Vec<TokenHash> = tx.all(
        "SELECT id FROM user_session WHERE user_id = ?
          ORDER BY id = ? DESC, created_at > ?, created_at DESC, id
          LIMIT 1000000 OFFSET ?",
        values(&cells![&session.user_id, &session.id, latest, most]),
    )?;
    beyond.iter().try_for_each(|id| delete_session(tx, id).map(drop))
}

pub(super) fn has_session(tx: &mut Tx<'_>, id: &TokenHash) -> MysqlResult<bool> {
    tx.exists("SELECT 1 FROM user_session WHERE id = ?", (blob(id.as_bytes()),))
}

fn delete_session(tx: &mut Tx<'_>, id: &TokenHash) -> MysqlResult<usize> {
    tx.run("DELETE FROM user_session WHERE id = ?", (blob(id.as_bytes()),))
}
