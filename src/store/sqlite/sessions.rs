//! Sessions as they are written down.

use rusqlite::{OptionalExtension, Row, Transaction};

use super::access_tokens::see_access_token;
use super::{
    Fault, RENEWAL_PATIENCE, Sqlite, WRITE_PATIENCE, moment_at, upsert_device, user_at, written,
};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::{Entry, Epoch, Place, Result, Session, Sessions, Use, User, UserId, Written};

impl Sessions for Sqlite {
    fn start_session(&self, session: &Session, most: u32, entry: &Entry) -> Result<Written> {
        written(self.write(WRITE_PATIENCE, |tx| {
            insert_session(tx, session, entry)?;
            tx.prepare_cached(
                "DELETE FROM user_session WHERE id IN
                   (SELECT id FROM user_session WHERE user_id = ?1
                     ORDER BY id = ?2 DESC, created_at > ?4, created_at DESC, id
                     LIMIT -1 OFFSET ?3)",
            )?
            .execute((
                session.user_id.as_str(),
                session.id.as_bytes(),
                most,
                session.created_at.latest_past().millis(),
            ))?;
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
              WHERE user_session.id = ?1",
            [id.as_bytes()],
            |row| Ok((user_at(row, 0)?, session_at(row, 8)?)),
        )
    }

    fn sessions_of(&self, id: &UserId) -> Result<Vec<Session>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT id, user_id, active_expires, idle_expires, absolute_expires, created_at,
                        proven_at, seen_at, is_transient, browser, address
                   FROM user_session
                  WHERE user_id = ?1 AND epoch = (SELECT epoch FROM user WHERE id = ?1)
                  ORDER BY created_at, id",
            )?
            .query_map([id.as_str()], |row| session_at(row, 0))?
            .collect()
        })
    }

    fn renew_session(
        &self,
        id: &TokenHash,
        active_expires: Moment,
        idle_expires: Moment,
        now: Moment,
    ) -> Result<bool> {
        let expiries = (active_expires, idle_expires);
        let changed = self.write(RENEWAL_PATIENCE, |tx| Ok(renew(tx, id, expiries, now)?));
        Ok(changed? > 0)
    }

    fn see_session(&self, id: &TokenHash, proven: bool, now: Moment) -> Result<bool> {
        let patience = if proven { WRITE_PATIENCE } else { RENEWAL_PATIENCE };
        let changed = self.write(patience, |tx| Ok(see(tx, id, proven, now)?));
        Ok(changed? > 0)
    }

    fn note_uses(&self, uses: &[Use]) -> Result<()> {
        let noted = self.write(WRITE_PATIENCE, |tx| {
            for used in uses {
                match used {
                    Use::Session { id, at } => see(tx, id, false, *at)?,
                    Use::Renewal { id, active_expires, idle_expires, at } => {
                        renew(tx, id, (*active_expires, *idle_expires), *at)?
                    }
                    Use::AccessToken { id, at } => see_access_token(tx, id, *at)?,
                };
            }
            Ok(())
        });
        Ok(noted?)
    }

    fn end_session(&self, id: &TokenHash) -> Result<bool> {
        let deleted = self.write(WRITE_PATIENCE, |tx| Ok(delete_session(tx, id)?));
        Ok(deleted? > 0)
    }

    fn end_other_sessions(&self, user: &UserId, kept: &TokenHash) -> Result<usize> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached("DELETE FROM user_session WHERE user_id = ?1 AND id <> ?2")?
                .execute((user.as_str(), kept.as_bytes()))?)
        });
        Ok(deleted?)
    }

    fn end_sessions_of(&self, id: &UserId) -> Result<usize> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached("DELETE FROM user_session WHERE user_id = ?1")?
                .execute([id.as_str()])?)
        });
        Ok(deleted?)
    }

    fn delete_dead_sessions(&self, now: Moment, limit: u32) -> Result<usize> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached(
                    "DELETE FROM user_session WHERE id IN
                       (SELECT id FROM user_session WHERE idle_expires < ?1 LIMIT ?2)",
                )?
                .execute((now.millis(), limit))?)
        });
        Ok(deleted?)
    }

    fn delete_dead_sessions_of(&self, id: &UserId, now: Moment) -> Result<usize> {
        Ok(self.write(WRITE_PATIENCE, |tx| Ok(delete_dead_of(tx, id, now)?))?)
    }
}

fn see(tx: &Transaction<'_>, id: &TokenHash, proven: bool, now: Moment) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "UPDATE user_session
            SET seen_at = iif(seen_at > ?4, ?2, max(seen_at, ?2)),
                proven_at = iif(?3, iif(proven_at > ?4, ?2, max(proven_at, ?2)), proven_at)
          WHERE id = ?1",
    )?
    .execute((id.as_bytes(), now.millis(), proven, now.latest_past().millis()))
}

fn renew(
    tx: &Transaction<'_>,
    id: &TokenHash,
    (active_expires, idle_expires): (Moment, Moment),
    now: Moment,
) -> rusqlite::Result<usize> {
    let (active, idle) = (active_expires.millis(), idle_expires.millis());
    tx.prepare_cached(
        "UPDATE user_session SET active_expires = max(active_expires, ?2),
                                 idle_expires = max(idle_expires, ?3),
                                 seen_at = iif(seen_at > ?5, ?4, max(seen_at, ?4))
          WHERE id = ?1",
    )?
    .execute((id.as_bytes(), active, idle, now.millis(), now.latest_past().millis()))
}

pub(super) fn insert_session(
    tx: &Transaction<'_>,
    session: &Session,
    entry: &Entry,
) -> std::result::Result<(), Fault> {
    // A user who was shut out while the password was compared stays out, and one whose credentials
    // changed meanwhile has proven nothing.
    let epoch: Option<i64> = tx
        .prepare_cached("SELECT epoch FROM user WHERE id = ?1 AND disabled_at IS NULL")?
        .query_row([session.user_id.as_str()], |row| row.get(0))
        .optional()?;
    let epoch = epoch.map(Epoch).ok_or(Fault::NoUser)?;
    if entry.proof.is_some_and(|proven| proven != epoch) {
        return Err(Fault::NoUser);
    }
    if let Some(replaced) = &entry.replaced {
        delete_session(tx, replaced)?;
    }
    if let Some(id) = entry.cleared {
        tx.prepare_cached("DELETE FROM throttle WHERE id = ?1")?.execute([id.0])?;
    }
    delete_dead_of(tx, &session.user_id, session.created_at)?;
    insert_session_row(tx, session)?;
    match &entry.device {
        Some(device) => upsert_device(tx, device),
        None => Ok(()),
    }
}

pub(super) fn insert_session_row(
    tx: &Transaction<'_>,
    session: &Session,
) -> std::result::Result<(), Fault> {
    tx.prepare_cached(
        "INSERT INTO user_session
           (id, user_id, active_expires, idle_expires, absolute_expires, created_at, proven_at,
            seen_at, is_transient, browser, address, epoch)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
                 ifnull((SELECT epoch FROM user WHERE id = ?2), 0))",
    )?
    .execute((
        session.id.as_bytes(),
        session.user_id.as_str(),
        session.active_expires.millis(),
        session.idle_expires.millis(),
        session.absolute_expires.millis(),
        session.created_at.millis(),
        session.proven_at.millis(),
        session.seen_at.millis(),
        session.place.is_transient,
        &session.place.browser,
        &session.place.address,
    ))?;
    Ok(())
}

fn delete_session(tx: &Transaction<'_>, id: &TokenHash) -> rusqlite::Result<usize> {
    tx.prepare_cached("DELETE FROM user_session WHERE id = ?1")?.execute([id.as_bytes()])
}

fn delete_dead_of(tx: &Transaction<'_>, id: &UserId, now: Moment) -> rusqlite::Result<usize> {
    tx.prepare_cached("DELETE FROM user_session WHERE user_id = ?1 AND idle_expires < ?2")?
        .execute((id.as_str(), now.millis()))
}

pub(super) fn session_at(row: &Row<'_>, first: usize) -> rusqlite::Result<Session> {
    Ok(Session {
        id: TokenHash::from_bytes(row.get(first)?),
        user_id: UserId(row.get(first + 1)?),
        active_expires: moment_at(row, first + 2)?,
        idle_expires: moment_at(row, first + 3)?,
        absolute_expires: moment_at(row, first + 4)?,
        created_at: moment_at(row, first + 5)?,
        proven_at: moment_at(row, first + 6)?,
        seen_at: moment_at(row, first + 7)?,
        place: Place {
            is_transient: row.get(first + 8)?,
            browser: row.get(first + 9)?,
            address: row.get(first + 10)?,
        },
    })
}
