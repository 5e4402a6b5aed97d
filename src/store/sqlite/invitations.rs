//! Invitations as they are written down.

use rusqlite::{OptionalExtension, Row, Transaction};

use super::{Fault, Sqlite, WRITE_PATIENCE, moment_at};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::{Groups, Invite, Invites, Result};

impl Invites for Sqlite {
    fn add_invite(&self, invite: &Invite) -> Result<()> {
        Ok(self.write(WRITE_PATIENCE, |tx| insert(tx, invite))?)
    }

    fn add_first_invite(&self, invite: &Invite) -> Result<bool> {
        let done = self.write(WRITE_PATIENCE, |tx| {
            if has_users(tx)? {
                return Ok(false);
            }
            tx.prepare_cached("DELETE FROM invite WHERE is_first = 1")?.execute([])?;
            insert(tx, invite)?;
            Ok(true)
        });
        Ok(done?)
    }

    fn invite(&self, id: &TokenHash, now: Moment) -> Result<Option<Invite>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT id, note, group_names, uses_left, is_first, created_at, expires_at
                   FROM invite
                  WHERE id = ?1 AND expires_at >= ?2 AND created_at <= ?3
                    AND (is_first = 0 OR NOT EXISTS (SELECT 1 FROM user))",
            )?
            .query_row((id.as_bytes(), now.millis(), now.latest_past().millis()), invite_at)
            .optional()
        })
    }

    fn invites(&self, now: Moment) -> Result<Vec<Invite>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT id, note, group_names, uses_left, is_first, created_at, expires_at
                   FROM invite
                  WHERE expires_at >= ?1 AND created_at <= ?2
                    AND (is_first = 0 OR NOT EXISTS (SELECT 1 FROM user))
                  ORDER BY created_at, id",
            )?
            .query_map([now.millis(), now.latest_past().millis()], invite_at)?
            .collect()
        })
    }

    fn delete_invite(&self, id: &TokenHash) -> Result<bool> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx.prepare_cached("DELETE FROM invite WHERE id = ?1")?.execute([id.as_bytes()])?)
        });
        Ok(deleted? > 0)
    }

    fn delete_ended_invites(&self, now: Moment, limit: u32) -> Result<usize> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached(
                    "DELETE FROM invite WHERE id IN
                       (SELECT id FROM invite WHERE expires_at < ?1 LIMIT ?2)",
                )?
                .execute((now.millis(), limit))?)
        });
        Ok(deleted?)
    }
}

/// Uses an invitation once, before its user is written. [`Fault::NotInvited`] if it is not good, or not
/// any more: of any number of simultaneous uses no more succeed than it has.
pub(super) fn take(
    tx: &Transaction<'_>,
    id: &TokenHash,
    now: Moment,
) -> std::result::Result<(), Fault> {
    let found: Option<(u32, bool)> = tx
        .prepare_cached(
            "SELECT uses_left, is_first FROM invite
              WHERE id = ?1 AND expires_at >= ?2 AND created_at <= ?3",
        )?
        .query_row((id.as_bytes(), now.millis(), now.latest_past().millis()), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((uses_left, is_first)) = found else { return Err(Fault::NotInvited) };
    if is_first && has_users(tx)? {
        return Err(Fault::NotInvited);
    }
    let sql = match uses_left {
        0 | 1 => "DELETE FROM invite WHERE id = ?1",
        _ => "UPDATE invite SET uses_left = uses_left - 1 WHERE id = ?1",
    };
    tx.prepare_cached(sql)?.execute([id.as_bytes()])?;
    Ok(())
}

pub(super) fn has_users(tx: &Transaction<'_>) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT 1 FROM user LIMIT 1")?.exists([])
}

pub(super) fn insert(tx: &Transaction<'_>, invite: &Invite) -> std::result::Result<(), Fault> {
    tx.prepare_cached(
        "INSERT INTO invite (id, note, group_names, uses_left, is_first, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((
        invite.id.as_bytes(),
        &invite.note,
        invite.groups.as_str(),
        invite.uses_left,
        invite.is_first,
        invite.created_at.millis(),
        invite.expires_at.millis(),
    ))?;
    Ok(())
}

pub(super) fn invite_at(row: &Row<'_>) -> rusqlite::Result<Invite> {
    Ok(Invite {
        id: TokenHash::from_bytes(row.get(0)?),
        note: row.get(1)?,
        groups: Groups(row.get(2)?),
        uses_left: row.get(3)?,
        is_first: row.get(4)?,
        created_at: moment_at(row, 5)?,
        expires_at: moment_at(row, 6)?,
    })
}
