//! The statements for invitations.

use rusqlite::Transaction;

use super::{Sqlite, SqliteFault, SqliteResult, WRITE_PATIENCE, exists, first, run};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::outcomes::Refused;
use crate::store::rows::{ToCells, cells};
use crate::store::{Invitations, Invite, Result};

impl Invitations for Sqlite {
    fn add_invite(&self, invite: &Invite) -> Result<()> {
        Ok(self.write(WRITE_PATIENCE, |tx| insert(tx, invite))?)
    }

    fn add_first_invite(&self, invite: &Invite) -> Result<bool> {
        let done = self.write(WRITE_PATIENCE, |tx| {
            if has_users(tx)? {
                return Ok(false);
            }
            run(tx, "DELETE FROM invite WHERE is_first = 1", &[])?;
            insert(tx, invite)?;
            Ok(true)
        });
        Ok(done?)
    }
}

/// Uses an invitation once, before its user is added. [`Refused::NotInvited`] if it is not valid. Of any
/// number of simultaneous uses no more succeed than it has left.
pub(super) fn take(tx: &Transaction<'_>, id: &TokenHash, now: Moment) -> SqliteResult<()> {
    let found: Option<(u32, bool)> = first(
        tx,
        "SELECT uses_left, is_first FROM invite
          WHERE id = ? AND expires_at >= ? AND created_at <= ?",
        &cells![id, now, now.latest_past()],
    )?;
    let Some((uses_left, is_first)) = found else {
        return Err(SqliteFault::Refused(Refused::NotInvited));
    };
    if is_first && has_users(tx)? {
        return Err(SqliteFault::Refused(Refused::NotInvited));
    }
    let sql = match uses_left {
        0 | 1 => "DELETE FROM invite WHERE id = ?",
        _ => "UPDATE invite SET uses_left = uses_left - 1 WHERE id = ?",
    };
    run(tx, sql, &cells![id]).map(drop)
}

pub(super) fn has_users(tx: &Transaction<'_>) -> SqliteResult<bool> {
    exists(tx, "SELECT 1 FROM user LIMIT 1", &[])
}

fn insert(tx: &Transaction<'_>, invite: &Invite) -> SqliteResult<()> {
    run(
        tx,
        "INSERT INTO invite (id, note, group_names, uses_left, is_first, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        &invite.cells(),
    )?;
    Ok(())
}
