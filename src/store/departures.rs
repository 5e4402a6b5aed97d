//! Everybody with all that is theirs, to be written down elsewhere.

use rusqlite::{Connection, Statement};

use super::{Key, Result, Session, Store, User, key_at, session_at, user_at};
use crate::clock::Moment;

/// Somebody with their keys and sessions. It holds hashes of passwords and tokens and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Departure {
    /// Who.
    pub user: User,
    /// What else was known of them where they came from: an object in JSON; empty: nothing.
    pub attributes: String,
    /// Their ways to prove who they are, by their ids.
    pub keys: Vec<Key>,
    /// The browsers that they are signed in with, oldest first.
    pub sessions: Vec<Session>,
}

impl Store {
    /// Shows everybody to `each`, by their ids and as of one moment, until it says `false`. Their sessions
    /// are with them that are good at `living` still; `None`: no session is.
    ///
    /// One user is in memory at a time, and nobody waits.
    // LIMIT: the log grows as long as this goes on, as nothing that was written since is folded into the
    // file.
    pub fn each_departure(
        &self,
        living: Option<Moment>,
        each: &mut dyn FnMut(Departure) -> bool,
    ) -> Result<()> {
        self.read(|conn| {
            // One view of the whole file.
            let tx = conn.unchecked_transaction()?;
            show(&tx, living, each)
        })
    }
}

fn show(
    conn: &Connection,
    living: Option<Moment>,
    each: &mut dyn FnMut(Departure) -> bool,
) -> rusqlite::Result<()> {
    let mut users = conn.prepare(
        "SELECT id, username, canonical_username, created_at, group_names, email, disabled_at,
                disabled_reason, attributes
           FROM user ORDER BY id",
    )?;
    let mut keys = conn.prepare(
        "SELECT id, user_id, hashed_password FROM user_key WHERE user_id = ?1 ORDER BY id",
    )?;
    let mut sessions = conn.prepare(
        "SELECT id, user_id, active_expires, idle_expires, absolute_expires, created_at, proven_at,
                seen_at, is_transient, browser, address
           FROM user_session WHERE user_id = ?1 AND idle_expires >= ?2 ORDER BY created_at, id",
    )?;
    let mut rows = users.query([])?;
    while let Some(row) = rows.next()? {
        let user = user_at(row, 0)?;
        let keys = keys.query_map([user.id.as_str()], |row| key_at(row, 0))?;
        let keys = keys.collect::<rusqlite::Result<_>>()?;
        let sessions = match living {
            Some(now) => living_of(&mut sessions, &user, now)?,
            None => Vec::new(),
        };
        if !each(Departure { user, attributes: row.get(8)?, keys, sessions }) {
            break;
        }
    }
    Ok(())
}

fn living_of(
    sessions: &mut Statement<'_>,
    user: &User,
    now: Moment,
) -> rusqlite::Result<Vec<Session>> {
    sessions.query_map((user.id.as_str(), now.millis()), |row| session_at(row, 0))?.collect()
}
