//! One-time links as they are written down.

use rusqlite::{OptionalExtension, Transaction};

use super::{Fault, Sqlite, WRITE_PATIENCE, end_everything_of, insert_key, user_at, written};
use crate::clock::Moment;
use crate::password::PasswordHash;
use crate::store::{Key, KeyId, Result, Ticket, Tickets, User, UserId, Written};
use crate::token::TokenHash;

impl Tickets for Sqlite {
    fn add_ticket(&self, ticket: &Ticket) -> Result<Written> {
        written(self.write(WRITE_PATIENCE, |tx| {
            delete_all_of(tx, &ticket.user_id)?;
            Ok(insert(tx, ticket)?)
        }))
    }

    fn user_of_ticket(&self, id: &TokenHash, now: Moment) -> Result<Option<User>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT user.id, user.username, user.canonical_username, user.created_at,
                        user.group_names, user.email, user.disabled_at, user.disabled_reason
                   FROM ticket JOIN user ON user.id = ticket.user_id
                  WHERE ticket.id = ?1 AND ticket.expires_at >= ?2 AND ticket.created_at <= ?3",
            )?
            .query_row((id.as_bytes(), now.millis(), now.latest_past().millis()), |row| {
                user_at(row, 0)
            })
            .optional()
        })
    }

    fn use_ticket(&self, id: &TokenHash, hash: &PasswordHash, now: Moment) -> Result<bool> {
        let done = self.write(WRITE_PATIENCE, |tx| {
            let owner: Option<(String, String)> = tx
                .prepare_cached(
                    "SELECT user.id, user.canonical_username
                       FROM ticket JOIN user ON user.id = ticket.user_id
                      WHERE ticket.id = ?1 AND ticket.expires_at >= ?2
                        AND ticket.created_at <= ?3",
                )?
                .query_row((id.as_bytes(), now.millis(), now.latest_past().millis()), |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            let Some((user, canonical)) = owner else { return Ok(false) };
            let (user_id, key) = (UserId(user), KeyId::username(&canonical));
            let changed = tx
                .prepare_cached(
                    "UPDATE user_key SET hashed_password = ?2 WHERE id = ?1 AND user_id = ?3",
                )?
                .execute([key.as_str(), hash.as_stored(), user_id.as_str()])?;
            if changed == 0 {
                let hashed_password = Some(hash.clone());
                insert_key(tx, &Key { id: key, user_id: user_id.clone(), hashed_password })?;
            }
            end_everything_of(tx, &user_id)?;
            Ok(true)
        });
        match done {
            Ok(is_done) => Ok(is_done),
            // Somebody else has the key of that name.
            Err(Fault::Duplicate) => Ok(false),
            Err(fault) => Err(fault.into()),
        }
    }

    fn delete_ended_tickets(&self, now: Moment, limit: u32) -> Result<usize> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached(
                    "DELETE FROM ticket WHERE id IN
                       (SELECT id FROM ticket WHERE expires_at < ?1 LIMIT ?2)",
                )?
                .execute((now.millis(), limit))?)
        });
        Ok(deleted?)
    }
}

pub(super) fn delete_all_of(tx: &Transaction<'_>, id: &UserId) -> rusqlite::Result<usize> {
    tx.prepare_cached("DELETE FROM ticket WHERE user_id = ?1")?.execute([id.as_str()])
}

pub(super) fn insert(tx: &Transaction<'_>, ticket: &Ticket) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO ticket (id, user_id, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute((
        ticket.id.as_bytes(),
        ticket.user_id.as_str(),
        ticket.created_at.millis(),
        ticket.expires_at.millis(),
    ))?;
    Ok(())
}
