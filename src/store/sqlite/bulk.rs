//! Import and export of many users.

use rusqlite::{Connection, Transaction};

use super::{
    Sqlite, SqliteFault, SqliteResult, WRITE_PATIENCE, all, first, insert_key, insert_session_row,
    insert_user, names, record,
};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::import_status::{Present, standing};
use crate::store::progress::tell;
use crate::store::rows::{cells, key_columns, session_columns, user_columns};
use crate::store::{
    Bulk, ExportedUser, ImportStatus, ImportedUser, KeyId, NameHash, Progress, Result, Session,
    User,
};

impl Bulk for Sqlite {
    fn import_status(&self, arrivals: &[ImportedUser], now: Moment) -> Result<Vec<ImportStatus>> {
        self.read(|conn| {
            let here = Here { conn, key: &self.handle_key, now };
            arrivals.iter().map(|it| standing(&here, it)).collect()
        })
    }

    // LIMIT: other writers wait meanwhile, and give up after [`WRITE_PATIENCE`].
    fn import_users(
        &self,
        arrivals: &[ImportedUser],
        skip_conflicts: bool,
        now: Moment,
        progress: Progress<'_>,
    ) -> Result<Vec<ImportStatus>> {
        let done = self.write(WRITE_PATIENCE, |tx| {
            let here = Here { conn: tx, key: &self.handle_key, now };
            let standings = arrivals
                .iter()
                .map(|arrival| standing(&here, arrival))
                .collect::<SqliteResult<Vec<_>>>()?;
            if !skip_conflicts && standings.iter().any(ImportStatus::is_conflict) {
                return Ok(standings);
            }
            let new: Vec<_> = arrivals
                .iter()
                .zip(&standings)
                .filter_map(|(arrival, it)| (*it == ImportStatus::New).then_some(arrival))
                .collect();
            insert(tx, &new, progress)?;
            Ok(standings)
        });
        Ok(done?)
    }

    // LIMIT: the write-ahead log grows as long as this takes, as nothing written meanwhile can be folded
    // into the file.
    fn each_user(
        &self,
        living: Option<Moment>,
        each: &mut dyn FnMut(ExportedUser) -> bool,
    ) -> Result<()> {
        self.read(|conn| {
            // One snapshot of the whole file.
            let tx = conn.unchecked_transaction()?;
            show(&tx, living, each)
        })
    }
}

/// Adds the rows table by table and in the order of their ids, so that each page of the file is written
/// once.
fn insert(
    tx: &Transaction<'_>,
    arrivals: &[&ImportedUser],
    progress: Progress<'_>,
) -> SqliteResult<()> {
    let mut people = arrivals.to_vec();
    people.sort_unstable_by(|one, other| one.user.id.as_str().cmp(other.user.id.as_str()));
    for (at, arrival) in people.iter().enumerate() {
        insert_user(tx, &arrival.user, &arrival.attributes)?;
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

/// The rows that exist at a moment.
struct Here<'a> {
    conn: &'a Connection,
    /// The key with which resting names are hashed.
    key: &'a [u8; 32],
    now: Moment,
}

impl Present for Here<'_> {
    type Error = SqliteFault;

    fn name_of(&self, id: &str) -> SqliteResult<Option<String>> {
        first(self.conn, "SELECT canonical_username FROM user WHERE id = ?1", &cells![id])
    }

    fn user_by_name(&self, canonical: &str) -> SqliteResult<Option<String>> {
        first(self.conn, "SELECT id FROM user WHERE canonical_username = ?1", &cells![canonical])
    }

    fn name_rests(&self, canonical: &str) -> SqliteResult<bool> {
        names::rests(self.conn, NameHash::of(self.key, canonical), self.now)
    }

    fn owner_of_key(&self, id: &KeyId) -> SqliteResult<Option<String>> {
        first(self.conn, "SELECT user_id FROM user_key WHERE id = ?1", &cells![id])
    }

    fn owner_of_session(&self, id: &TokenHash) -> SqliteResult<Option<String>> {
        first(self.conn, "SELECT user_id FROM user_session WHERE id = ?1", &cells![id])
    }
}

fn show(
    conn: &Connection,
    living: Option<Moment>,
    each: &mut dyn FnMut(ExportedUser) -> bool,
) -> SqliteResult<()> {
    let mut users = conn.prepare(concat!(
        "SELECT ",
        user_columns!(),
        ", user.attributes FROM user ORDER BY user.id"
    ))?;
    let mut rows = users.query([])?;
    while let Some(row) = rows.next()? {
        let (user, attributes): (User, String) = record(row)?;
        let keys = all(
            conn,
            concat!("SELECT ", key_columns!(), " FROM user_key WHERE user_id = ? ORDER BY id"),
            &cells![&user.id],
        )?;
        let sessions = match living {
            Some(now) => living_of(conn, &user, now)?,
            None => Vec::new(),
        };
        if !each(ExportedUser { user, attributes, keys, sessions }) {
            break;
        }
    }
    Ok(())
}

fn living_of(conn: &Connection, user: &User, now: Moment) -> SqliteResult<Vec<Session>> {
    all(
        conn,
        concat!(
            "SELECT ",
            session_columns!(),
            " FROM user_session WHERE user_id = ? AND idle_expires >= ? AND created_at <= ?
              ORDER BY created_at, id"
        ),
        &cells![&user.id, now, now.latest_past()],
    )
}
