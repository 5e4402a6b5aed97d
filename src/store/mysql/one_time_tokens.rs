//! One-time links as they are written down.

use super::keys::has_hash;
use super::{Answer, Fault, Mysql, Unit, blob, get, lock_user, put_password, user_at, written};
use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::base::token::TokenHash;
use crate::store::{Result, Ticket, Tickets, User, UserId, Written};

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
        let mut owner: Option<UserId> = None;
        let done = self.write(|unit| {
            if let Some(user) = &owner
                && unit.is_again
                && has_hash(unit, user, hash)?
            {
                return Ok(true);
            }
            let found = unit.first(
                "SELECT user_id FROM ticket WHERE id = ? AND expires_at >= ? AND created_at <= ?",
                (blob(id.as_bytes()), now.millis(), now.latest_past().millis()),
            )?;
            let Some(mut found) = found else { return Ok(false) };
            let user = UserId(get(&mut found, 0)?);
            owner = Some(user.clone());
            lock_user(unit, user.as_str())?;
            let is_shut_out = "SELECT 1 FROM user WHERE id = ? AND disabled_at IS NOT NULL";
            if unit.exists(is_shut_out, (user.as_str(),))?
                || unit.run("DELETE FROM ticket WHERE id = ?", (blob(id.as_bytes()),))? == 0
            {
                return Ok(false);
            }
            put_password(unit, &user, Some(hash))?;
            Ok(true)
        });
        match done {
            Ok(is_done) => Ok(is_done),
            // The user is gone; or another one signs in with the name, and there is no other key.
            Err(Fault::NoUser | Fault::Duplicate) => Ok(false),
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

pub(super) fn delete_all_of(unit: &mut Unit<'_>, id: &str) -> Answer<()> {
    unit.run("DELETE FROM ticket WHERE user_id = ?", (id,)).map(drop)
}
