//! Invitations as they are written down.

use super::{Answer, Fault, Mysql, Unit, blob, values};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::rows::ToCells;
use crate::store::{Invite, Invites, Result};

impl Invites for Mysql {
    fn add_invite(&self, invite: &Invite) -> Result<()> {
        Ok(self.write(|unit| {
            let is_there = unit.is_again && has_invite(unit, &invite.id)?;
            if is_there { Ok(()) } else { insert(unit, invite) }
        })?)
    }

    fn add_first_invite(&self, invite: &Invite) -> Result<bool> {
        Ok(self.write(|unit| {
            if has_users(unit)? {
                return Ok(false);
            }
            unit.run("DELETE FROM invite WHERE is_first = 1", ())?;
            insert(unit, invite)?;
            Ok(true)
        })?)
    }
}

/// Uses an invitation once, before its user is written. [`Fault::NotInvited`] if it is not good, or not
/// any more: of any number of simultaneous uses no more succeed than it has.
pub(super) fn take(unit: &mut Unit<'_>, id: &TokenHash, now: Moment) -> Answer<()> {
    let params = (blob(id.as_bytes()), now.millis(), now.latest_past().millis());
    let found: Option<bool> = unit.first(
        "SELECT is_first FROM invite WHERE id = ? AND expires_at >= ? AND created_at <= ?",
        params.clone(),
    )?;
    if found.ok_or(Fault::NotInvited)? {
        if has_users(unit)? {
            return Err(Fault::NotInvited);
        }
        // All of them at once, so that of two on two servers one loses.
        let met = unit.run("DELETE FROM invite WHERE is_first = 1", ())?;
        return if met == 0 { Err(Fault::NotInvited) } else { Ok(()) };
    }
    let sql = "UPDATE invite SET uses_left = uses_left - 1
                WHERE id = ? AND expires_at >= ? AND created_at <= ? AND uses_left > 1";
    if unit.run(sql, params.clone())? > 0 {
        return Ok(());
    }
    let sql = "DELETE FROM invite
                WHERE id = ? AND expires_at >= ? AND created_at <= ? AND uses_left <= 1";
    if unit.run(sql, params)? == 0 { Err(Fault::NotInvited) } else { Ok(()) }
}

fn has_users(unit: &mut Unit<'_>) -> Answer<bool> {
    unit.exists("SELECT 1 FROM user LIMIT 1", ())
}

fn has_invite(unit: &mut Unit<'_>, id: &TokenHash) -> Answer<bool> {
    unit.exists("SELECT 1 FROM invite WHERE id = ?", (blob(id.as_bytes()),))
}

fn insert(unit: &mut Unit<'_>, invite: &Invite) -> Answer<()> {
    unit.run(
        "INSERT INTO invite (id, note, group_names, uses_left, is_first, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        values(&invite.cells()),
    )?;
    Ok(())
}
