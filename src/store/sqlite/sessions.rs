//! The statements for sessions.

use rusqlite::Transaction;

use super::access_tokens::touch_access_token;
use super::{
    RENEWAL_PATIENCE, Sqlite, SqliteFault, SqliteResult, WRITE_PATIENCE, devices, first, mail, run,
};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::outcomes::Refused;
use crate::store::rows::{ToCells, USER_OF_SESSION, cells};
use crate::store::{Epoch, Result, Session, SessionStart, SessionStarted, Sessions, Use, User};

impl Sessions for Sqlite {
    fn start_session(
        &self,
        session: &Session,
        most: u32,
        entry: &SessionStart,
    ) -> Result<SessionStarted> {
        SessionStarted::of(self.write(WRITE_PATIENCE, |tx| {
            insert_session(tx, session, entry)?;
            end_beyond(tx, session, most)
        }))
    }

    // Every page needs this, so it is read without the dynamic dispatch of the shared statements.
    fn user_of_session(&self, id: &TokenHash) -> Result<Option<(User, Session)>> {
        self.read_one(USER_OF_SESSION, &cells![id])
    }

    fn renew_session(
        &self,
        id: &TokenHash,
        active_expires: Moment,
        idle_expires: Moment,
        now: Moment,
    ) -> Result<bool> {
        let expiries = (active_expires, idle_expires);
        let changed = self.write(RENEWAL_PATIENCE, |tx| renew(tx, id, expiries, now));
        Ok(changed? > 0)
    }

    fn touch_session(&self, id: &TokenHash, now: Moment) -> Result<bool> {
        Ok(self.write(RENEWAL_PATIENCE, |tx| touch(tx, id, now))? > 0)
    }

    fn note_reauthentication(&self, id: &TokenHash, now: Moment) -> Result<bool> {
        let met = self.write(WRITE_PATIENCE, |tx| prove(tx, id, now));
        Ok(met? > 0)
    }

    fn note_uses(&self, uses: &[Use]) -> Result<()> {
        let noted = self.write(WRITE_PATIENCE, |tx| {
            for used in uses {
                match used {
                    Use::Session { id, at } => touch(tx, id, *at)?,
                    Use::Renewal { id, active_expires, idle_expires, at } => {
                        renew(tx, id, (*active_expires, *idle_expires), *at)?
                    }
                    Use::AccessToken { id, at } => touch_access_token(tx, id, *at)?,
                };
            }
            Ok(())
        });
        Ok(noted?)
    }
}

/// Notes that the owner of a session was proven in it.
pub(super) fn prove(tx: &Transaction<'_>, id: &TokenHash, now: Moment) -> SqliteResult<usize> {
    run(
        tx,
        "UPDATE user_session SET seen_at = iif(seen_at > ?3, ?2, max(seen_at, ?2)),
                                 proven_at = iif(proven_at > ?3, ?2, max(proven_at, ?2))
          WHERE id = ?1",
        &cells![id, now, now.latest_past()],
    )
}

fn touch(tx: &Transaction<'_>, id: &TokenHash, now: Moment) -> SqliteResult<usize> {
    run(
        tx,
        "UPDATE user_session SET seen_at = iif(seen_at > ?3, ?2, max(seen_at, ?2)) WHERE id = ?1",
        &cells![id, now, now.latest_past()],
    )
}

fn renew(
    tx: &Transaction<'_>,
    id: &TokenHash,
    (active_expires, idle_expires): (Moment, Moment),
    now: Moment,
) -> SqliteResult<usize> {
    run(
        tx,
        "UPDATE user_session SET active_expires = max(active_expires, ?2),
                                 idle_expires = max(idle_expires, ?3),
                                 seen_at = iif(seen_at > ?5, ?4, max(seen_at, ?4))
          WHERE id = ?1",
        &cells![id, active_expires, idle_expires, now, now.latest_past()],
    )
}

pub(super) fn insert_session(
    tx: &Transaction<'_>,
    session: &Session,
    entry: &SessionStart,
) -> SqliteResult<()> {
    // A user who was disabled while the password was compared must not get a session, nor one who has set up
    // a second factor meanwhile, and a proof under outdated credentials is void.
    let sql = "SELECT epoch FROM user WHERE id = ? AND disabled_at IS NULL
                  AND (second_factor_since IS NULL OR ? > 0)";
    let params = cells![&session.user_id, session.second_at];
    let epoch: Epoch = first(tx, sql, &params)?.ok_or(SqliteFault::Refused(Refused::NoUser))?;
    if entry.proof.is_some_and(|proven| proven != epoch) {
        return Err(SqliteFault::Refused(Refused::NoUser));
    }
    if let Some(replaced) = &entry.replaced {
        delete_session(tx, replaced)?;
    }
    if let Some(id) = &entry.cleared {
        run(tx, "DELETE FROM throttle WHERE id = ?", &cells![id])?;
    }
    let sql = "DELETE FROM user_session WHERE user_id = ? AND idle_expires < ?";
    run(tx, sql, &cells![&session.user_id, session.created_at])?;
    insert_session_row(tx, session)?;
    if let Some(device) = &entry.device {
        devices::upsert(tx, device)?;
    }
    mail::insert(tx, entry.letter.as_ref())
}

/// Ends sessions of a user until `most` are left, those of the future and the oldest first.
pub(super) fn end_beyond(tx: &Transaction<'_>, session: &Session, most: u32) -> SqliteResult<()> {
    run(
        tx,
        "DELETE FROM user_session WHERE id IN
           (SELECT id FROM user_session WHERE user_id = ?
             ORDER BY id = ? DESC, created_at > ?, created_at DESC, id
             LIMIT -1 OFFSET ?)",
        &cells![&session.user_id, &session.id, session.created_at.latest_past(), most],
    )?;
    Ok(())
}

pub(super) fn insert_session_row(tx: &Transaction<'_>, session: &Session) -> SqliteResult<()> {
    run(
        tx,
        "INSERT INTO user_session
           (id, user_id, active_expires, idle_expires, absolute_expires, created_at, proven_at,
            seen_at, is_transient, browser, address, second_at, epoch)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,
                 ifnull((SELECT epoch FROM user WHERE id = ?2), 0))",
        &session.cells(),
    )?;
    Ok(())
}

fn delete_session(tx: &Transaction<'_>, id: &TokenHash) -> SqliteResult<usize> {
    run(tx, "DELETE FROM user_session WHERE id = ?", &cells![id])
}
