//! People who come over from elsewhere with their keys and sessions, many at once.

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::strangers::{Progress, tell};
use super::{
    Fault, Key, KeyId, Result, Session, Store, User, UserId, WRITE_PATIENCE, insert_key,
    insert_session_row, insert_user,
};

/// Somebody who comes over. It holds hashes of passwords and tokens and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Who.
    pub user: User,
    /// Whoever is here by the same name is them: where they come from there are no ids, and the one in
    /// `user` is new.
    pub is_known_by_name: bool,
    /// What else was known of them: an object in JSON; empty: nothing.
    pub attributes: String,
    /// Their ways to prove who they are.
    pub keys: Vec<Key>,
    /// The browsers that they are signed in with.
    pub sessions: Vec<Session>,
}

/// What there is already of somebody who comes over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Nothing.
    New,
    /// The user, and this many of their keys and sessions.
    Here {
        /// Keys that are there.
        keys: usize,
        /// Sessions that are there.
        sessions: usize,
    },
    /// Somebody with another name has the id.
    IdTaken,
    /// Somebody with another id has the name, or signs in with it.
    NameTaken,
    /// Somebody else has this key, or is called by the name in it.
    KeyTaken(KeyId),
    /// Somebody else has one of the sessions.
    SessionTaken,
}

impl Standing {
    /// Whether somebody else is in their place.
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::IdTaken | Self::NameTaken | Self::KeyTaken(_) | Self::SessionTaken)
    }
}

impl Store {
    /// What there is already of each of these people.
    pub fn standings(&self, arrivals: &[Arrival]) -> Result<Vec<Standing>> {
        self.read(|conn| arrivals.iter().map(|it| standing(conn, it)).collect())
    }

    /// Adds everybody of whom there is nothing yet, in one transaction, and says what there was of each
    /// before. Whoever is here already is left as they are: a password that they changed since and a
    /// session that they ended must not come back. If there is a conflict, nothing is written, unless
    /// `skip_conflicts`: then those are left out.
    ///
    /// No two of `arrivals` may have an id, a name, a key or a session in common.
    // LIMIT: other writers wait meanwhile, and give up if it takes longer than they are patient.
    pub fn admit(
        &self,
        arrivals: &[Arrival],
        skip_conflicts: bool,
        progress: Progress<'_>,
    ) -> Result<Vec<Standing>> {
        let done = self.write(WRITE_PATIENCE, |tx| {
            let standings = arrivals
                .iter()
                .map(|arrival| standing(tx, arrival))
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

    /// What else was known of a user where they came from: an object in JSON; empty: nothing. `None`
    /// if there is no such user.
    pub fn attributes(&self, id: &UserId) -> Result<Option<String>> {
        self.read_one("SELECT attributes FROM user WHERE id = ?1", [id.as_str()], |row| row.get(0))
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

fn standing(conn: &Connection, arrival: &Arrival) -> rusqlite::Result<Standing> {
    let canonical = arrival.user.canonical_username.as_str();
    let by_name = user_by_name(conn, canonical)?;
    let id = match &by_name {
        Some(found) if arrival.is_known_by_name => found.clone(),
        _ => arrival.user.id.as_str().to_owned(),
    };
    let is_here = match name_of(conn, &id)? {
        Some(name) if name == canonical => true,
        Some(_) => return Ok(Standing::IdTaken),
        None if by_name.is_some() => return Ok(Standing::NameTaken),
        None => false,
    };
    // Whom a name lets in and whom it shows must be one person.
    if !is_here && owner_of_key(conn, &KeyId::username(canonical))?.is_some() {
        return Ok(Standing::NameTaken);
    }
    let mut keys = 0;
    for key in &arrival.keys {
        match owner_of_key(conn, &key.id)? {
            Some(owner) if owner == id => keys += 1,
            Some(_) => return Ok(Standing::KeyTaken(key.id.clone())),
            None => {}
        }
        let shown = match key.id.provider() {
            "username" => user_by_name(conn, key.id.provider_user_id())?,
            _ => None,
        };
        if shown.is_some_and(|owner| owner != id) {
            return Ok(Standing::KeyTaken(key.id.clone()));
        }
    }
    let mut sessions = 0;
    for session in &arrival.sessions {
        match owner_of_session(conn, session)? {
            Some(owner) if owner == id => sessions += 1,
            Some(_) => return Ok(Standing::SessionTaken),
            None => {}
        }
    }
    Ok(if is_here { Standing::Here { keys, sessions } } else { Standing::New })
}

fn name_of(conn: &Connection, id: &str) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached("SELECT canonical_username FROM user WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()
}

fn user_by_name(conn: &Connection, canonical: &str) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached("SELECT id FROM user WHERE canonical_username = ?1")?
        .query_row([canonical], |row| row.get(0))
        .optional()
}

fn owner_of_key(conn: &Connection, id: &KeyId) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached("SELECT user_id FROM user_key WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()
}

fn owner_of_session(conn: &Connection, session: &Session) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached("SELECT user_id FROM user_session WHERE id = ?1")?
        .query_row([session.id.as_bytes()], |row| row.get(0))
        .optional()
}
