//! Invitations as they are written down.

use mysql::Row;

use super::{Answer, Fault, Mysql, Unit, blob, get, moment, token_hash};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::{Groups, Invite, Invites, Result};

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

    fn invite(&self, id: &TokenHash, now: Moment) -> Result<Option<Invite>> {
        self.read_one(
            "SELECT id, note, group_names, uses_left, is_first, created_at, expires_at
               FROM invite
              WHERE id = ? AND expires_at >= ? AND created_at <= ?
                AND (is_first = 0 OR NOT EXISTS (SELECT 1 FROM user))",
            (blob(id.as_bytes()), now.millis(), now.latest_past().millis()),
            invite_at,
        )
    }

    fn invites(&self, now: Moment) -> Result<Vec<Invite>> {
        self.read_all(
            "SELECT id, note, group_names, uses_left, is_first, created_at, expires_at
               FROM invite
              WHERE expires_at >= ? AND created_at <= ?
                AND (is_first = 0 OR NOT EXISTS (SELECT 1 FROM user))
              ORDER BY created_at, id",
            (now.millis(), now.latest_past().millis()),
            invite_at,
        )
    }

    fn delete_invite(&self, id: &TokenHash) -> Result<bool> {
        Ok(self.write_one("DELETE FROM invite WHERE id = ?", (blob(id.as_bytes()),))? > 0)
    }

    fn delete_ended_invites(&self, now: Moment, limit: u32) -> Result<usize> {
        self.write_one(
            "DELETE FROM invite WHERE expires_at < ? ORDER BY expires_at LIMIT ?",
            (now.millis(), limit),
        )
    }
}

/// Uses an invitation once, before its user is written. [`Fault::NotInvited`] if it is not good, or not
/// any more: of any number of simultaneous uses no more succeed than it has.
pub(super) fn take(unit: &mut Unit<'_>, id: &TokenHash, now: Moment) -> Answer<()> {
    let params = (blob(id.as_bytes()), now.millis(), now.latest_past().millis());
    let found = unit.first(
        "SELECT is_first FROM invite WHERE id = ? AND expires_at >= ? AND created_at <= ?",
        params.clone(),
    )?;
    let is_first: bool = get(&mut found.ok_or(Fault::NotInvited)?, 0)?;
    if is_first {
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

pub(super) fn insert(unit: &mut Unit<'_>, invite: &Invite) -> Answer<()> {
    unit.run(
        "INSERT INTO invite (id, note, group_names, uses_left, is_first, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            blob(invite.id.as_bytes()),
            &invite.note,
            invite.groups.as_str(),
            invite.uses_left,
            invite.is_first,
            invite.created_at.millis(),
            invite.expires_at.millis(),
        ),
    )?;
    Ok(())
}

pub(super) fn invite_at(row: &mut Row) -> Answer<Invite> {
    Ok(Invite {
        id: token_hash(row, 0)?,
        note: get(row, 1)?,
        groups: Groups(get(row, 2)?),
        uses_left: get(row, 3)?,
        is_first: get(row, 4)?,
        created_at: moment(row, 5)?,
        expires_at: moment(row, 6)?,
    })
}
