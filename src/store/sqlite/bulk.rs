//! Many people at once, from elsewhere and to it.

use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, Statement, Transaction};

use super::{
    Fault, Sqlite, WRITE_PATIENCE, insert_key, insert_session_row, insert_user, key_at, names,
    session_at, user_at,
};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::import_status::{Present, standing};
use crate::store::progress::tell;
use crate::store::{
    Arrival, Departure, KeyId, Moves, NameHash, Progress, Result, Session, Standing, User, UserId,
};

impl Moves for Sqlite {
    fn standings(&self, arrivals: &[Arrival], now: Moment) -> Result<Vec<Standing>> {
        self.read(|conn| {
            let here = Here { conn, key: &self.handle_key, now };
            arrivals.iter().map(|it| standing(&here, it)).collect()
        })
    }

    // LIMIT: other writers wait meanwhile, and give up if it takes longer than they are patient.
    fn admit(
        &self,
        arrivals: &[Arrival],
        skip_conflicts: bool,
        now: Moment,
        progress: Progress<'_>,
    ) -> Result<Vec<Standing>> {
        let done = self.write(WRITE_PATIENCE, |tx| {
            let here = Here { conn: tx, key: &self.handle_key, now };
            let standings = arrivals
                .iter()
                .map(|arrival| standing(&here, arrival))
                .collect::<rusqlite::Result<Vec<_>>>()?;
            if !skip_conflicts && standings.iter().any(Standing::is_conflict) {
                return Ok(standings);
            }
            let new: Vec<_> = arrivals
                .iter()
                .zip(&standings)
                .filter_map(|(arrival, it)| (*it == Standing::New).then_some(arrival))
                .collect();
            insert(tx, &new, progress)?;
            Ok(standings)
        });
        Ok(done?)
    }

    fn attributes(&self, id: &UserId) -> Result<Option<String>> {
        self.read_one("SELECT attributes FROM user WHERE id = ?1", [id.as_str()], |row| row.get(0))
    }

    // LIMIT: the log grows as long as this goes on, as nothing that was written since is folded into the
    // file.
    fn each_departure(
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

/// Adds the rows table by table and in the order of their ids, so that each page is written once.
fn insert(
    tx: &Transaction<'_>,
    arrivals: &[&Arrival],
    progress: Progress<'_>,
) -> std::result::Result<(), Fault> {
    let mut people = arrivals.to_vec();
    people.sort_unstable_by(|one, other| one.user.id.as_str().cmp(other.user.id.as_str()));
    for (at, arrival) in people.iter().enumerate() {
        insert_user(tx, &arrival.user)?;
        if !arrival.attributes.is_empty() {
            tx.prepare_cached("UPDATE user SET attributes = ?2 WHERE id = ?1")?
                .execute([arrival.user.id.as_str(), &arrival.attributes])?;
        }
        tell(progress, "users written", at + 1);
    }
    let mut keys: Vec<_> = arrivals.iter().flat_map(|it| &it.keys).collect();
    keys.sort_unstable_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
    for (at, key) in keys.into_iter().enumerate() {
        insert_key(tx, key)?;
        tell(progress, "keys written", at + 1);
    }
    let mut sessions: Vec<_> = arrivals.iter().flat_map(|it| &it.sessions).collect();
    sessions.sort_unstable_by_key(|it| *it.id.as_bytes());
    for (at, session) in sessions.into_iter().enumerate() {
        insert_session_row(tx, session)?;
        tell(progress, "sessions written", at + 1);
    }
    Ok(())
}

/// What is here at a moment.
struct Here<'a> {
    conn: &'a Connection,
    /// The key that names which rest are hashed with.
    key: &'a [u8; 32],
    now: Moment,
}

impl Present for Here<'_> {
    type Error = rusqlite::Error;

    fn name_of(&self, id: &str) -> rusqlite::Result<Option<String>> {
        one(self.conn, "SELECT canonical_username FROM user WHERE id = ?1", id)
    }

    fn user_by_name(&self, canonical: &str) -> rusqlite::Result<Option<String>> {
        one(self.conn, "SELECT id FROM user WHERE canonical_username = ?1", canonical)
    }

    fn name_rests(&self, canonical: &str) -> rusqlite::Result<bool> {
        names::rests(self.conn, NameHash::of(self.key, canonical), self.now)
    }

    fn owner_of_key(&self, id: &KeyId) -> rusqlite::Result<Option<String>> {
        one(self.conn, "SELECT user_id FROM user_key WHERE id = ?1", id.as_str())
    }

    fn owner_of_session(&self, id: &TokenHash) -> rusqlite::Result<Option<String>> {
        one(self.conn, "SELECT user_id FROM user_session WHERE id = ?1", id.as_bytes())
    }
}

fn one(conn: &Connection, sql: &str, key: impl ToSql) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()
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
           FROM user_session WHERE user_id = ?1 AND idle_expires >= ?2 AND created_at <= ?3
          ORDER BY created_at, id",
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
    let params = (user.id.as_str(), now.millis(), now.latest_past().millis());
    sessions.query_map(params, |row| session_at(row, 0))?.collect()
}
