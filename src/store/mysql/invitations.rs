//! The statements for invitations.

use super::{Mysql, MysqlFault, MysqlResult, Tx, blob, values};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::outcomes::Refused;
use crate::store::rows::ToCells;
use crate::store::{Invitations, Invite, Result};

impl Invitations for Mysql {
    fn add_invite(&self, invite: &Invite) -> Result<()> {
        Ok(self.write(|tx| {
            let is_there = tx.may_be_applied && has_invite(tx, &invite.id)?;
            if is_there { Ok(()) } else { insert(tx, invite) }
        })?)
    }

    fn add_first_invite(&self, invite: &Invite) -> Result<bool> {
        Ok(self.write(|tx| {
            if has_users(tx)? {
                return Ok(false);
            }
            tx.run("DELETE FROM invite WHERE is_first = 1", ())?;
            insert(tx, invite)?;
            Ok(true)
        })?)
    }
}

/// Uses an invitation once, before its user is added. [`Refused::NotInvited`] if it is not valid. Of any
/// number of simultaneous uses no more succeed than it has left.
pub(super) fn take(tx: &mut Tx<'_>, id: &TokenHash, now: Moment) -> MysqlResult<()> {
    let params = (blob(id.as_bytes()), now.millis(), now.latest_past().millis());
    let found: Option<bool> = tx.first(
        "SELECT is_first FROM invite WHERE id = ? AND expires_at >= ? AND created_at <= ?",
        params.clone(),
    )?;
    if found.ok_or(MysqlFault::Refused(Refused::NotInvited))? {
        if has_users(tx)? {
            return Err(MysqlFault::Refused(Refused::NotInvited));
        }
        // Deletes all of them, so that of two simultaneous uses on two servers one has a conflict.
        let met = tx.run("DELETE FROM invite WHERE is_first = 1", ())?;
        return if met == 0 { Err(MysqlFault::Refused(Refused::NotInvited)) } else { Ok(()) };
    }
    let sql = "UPDATE invite SET uses_left = uses_left - 1
                WHERE id = ? AND expires_at >= ? AND created_at <= ? AND uses_left > 1";
    if tx.run(sql, params.clone())? > 0 {
        return Ok(());
    }
    let sql = "DELETE FROM invite
                WHERE id = ? AND expires_at >= ? AND created_at <= ? AND uses_left <= 1";
    if tx.run(sql, params)? == 0 { Err(MysqlFault::Refused(Refused::NotInvited)) } else { Ok(()) }
}

fn has_users(tx: &mut Tx<'_>) -> MysqlResult<bool> {
    tx.exists("SELECT 1 FROM user LIMIT 1", ())
}

fn has_invite(tx: &mut Tx<'_>, id: &TokenHash) -> MysqlResult<bool> {
    tx.exists("SELECT 1 FROM invite WHERE id = ?", (blob(id.as_bytes()),))
}

fn insert(tx: &mut Tx<'_>, invite: &Invite) -> MysqlResult<()> {
    tx.run(
        "INSERT INTO invite (id, note, group_names, uses_left, is_first, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        values(&invite.cells()),
    )?;
    Ok(())
}
