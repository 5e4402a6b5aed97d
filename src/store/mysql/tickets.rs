//! One-time links as they are written down.

use super::{
    Answer, Fault, Mysql, Unit, blob, end_everything_of, get, insert_key, lock_user, user_at,
    written,
};
use crate::clock::Moment;
use crate::password::PasswordHash;
use crate::store::{Key, KeyId, Result, Ticket, Tickets, User, UserId, Written};
use crate::token::TokenHash;

impl Tickets for Mysql {
    fn add_ticket(&self, ticket: &Ticket) -> Result<Written> {
        written(self.write(|unit| {
            lock_user(unit, ticket.user_id.as_str())?;
            delete_all_of(unit, ticket.user_id.as_str())?;
            let added = unit.run(
                "INSERT INTO ticket (id, user_id, created_at, expires_at)
                 SELECT ?, id, ?, ? FROM user WHERE id = ?",
                (
                    blob(ticket.id.as_bytes()),
                    ticket.created_at.millis(),
                    ticket.expires_at.millis(),
                    ticket.user_id.as_str(),
                ),
            );
            match added {
                Ok(0) => Err(Fault::NoUser),
                // Another server makes one for the same user; the last one is to be good.
                Err(Fault::Duplicate) => Err(Fault::Lost("another link is being made".to_owned())),
                added => added.map(drop),
            }
        }))
    }

    fn user_of_ticket(&self, id: &TokenHash, now: Moment) -> Result<Option<User>> {
        self.read_one(
            "SELECT user.id, user.username, user.canonical_username, user.created_at,
                    user.group_names, user.email, user.disabled_at, user.disabled_reason
               FROM ticket JOIN user ON user.id = ticket.user_id
              WHERE ticket.id = ? AND ticket.expires_at >= ? AND ticket.created_at <= ?",
            (blob(id.as_bytes()), now.millis(), now.latest_past().millis()),
            |row| user_at(row, 0),
        )
    }

    fn use_ticket(&self, id: &TokenHash, hash: &PasswordHash, now: Moment) -> Result<bool> {
        // Whose it was when it was tried first.
        let mut key = None;
        let done = self.write(|unit| {
            if unit.is_again && has_hash(unit, key.as_ref(), hash)? {
                return Ok(true);
            }
            let owner = unit.first(
                "SELECT user_id FROM ticket WHERE id = ? AND expires_at >= ? AND created_at <= ?",
                (blob(id.as_bytes()), now.millis(), now.latest_past().millis()),
            )?;
            let Some(mut owner) = owner else { return Ok(false) };
            let user: String = get(&mut owner, 0)?;
            let Some(canonical) = lock_user(unit, &user)? else { return Ok(false) };
            let id_of_key = KeyId::username(&canonical);
            key = Some(id_of_key.clone());
            if unit.run("DELETE FROM ticket WHERE id = ?", (blob(id.as_bytes()),))? == 0 {
                return Ok(false);
            }
            let met = unit.run(
                "UPDATE user_key SET hashed_password = ? WHERE id = ? AND user_id = ?",
                (hash.as_stored(), id_of_key.as_str(), &user),
            )?;
            if met == 0 {
                let (user_id, hashed_password) = (UserId(user.clone()), Some(hash.clone()));
                insert_key(unit, &Key { id: id_of_key, user_id, hashed_password })?;
            }
            end_everything_of(unit, &user)?;
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
        self.write_one(
            "DELETE FROM ticket WHERE expires_at < ? ORDER BY expires_at LIMIT ?",
            (now.millis(), limit),
        )
    }
}

/// Whether the key holds this very hash, which has a salt of its own.
fn has_hash(unit: &mut Unit<'_>, key: Option<&KeyId>, hash: &PasswordHash) -> Answer<bool> {
    let Some(key) = key else { return Ok(false) };
    let sql = "SELECT 1 FROM user_key WHERE id = ? AND hashed_password = ?";
    unit.exists(sql, (key.as_str(), hash.as_stored()))
}

pub(super) fn delete_all_of(unit: &mut Unit<'_>, id: &str) -> Answer<()> {
    unit.run("DELETE FROM ticket WHERE user_id = ?", (id,)).map(drop)
}
