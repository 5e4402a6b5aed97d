//! One-time links as they are written down.

use rusqlite::{OptionalExtension, Transaction};

use super::{Fault, Sqlite, WRITE_PATIENCE, put_password, user_at, written};
use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::base::token::TokenHash;
use crate::store::{Result, Ticket, Tickets, User, UserId, Written};

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
            let owner: Option<String> = tx
                .prepare_cached(
                    "SELECT user.id FROM ticket JOIN user ON user.id = ticket.user_id
                      WHERE ticket.id = ?1 AND ticket.expires_at >= ?2
                        AND ticket.created_at <= ?3 AND disabled_at IS NULL",
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
