//! The statements for resting names.

use rusqlite::{Connection, Transaction};

use super::keys::IS_SIGN_IN_NAME;
use super::{Sqlite, SqliteFault, SqliteResult, all, exists, record, run, schema};
use crate::base::clock::Moment;
use crate::store::outcomes::Refused;
use crate::store::rows::{ToCells, cells};
use crate::store::{NameHash, Names, RestingName, UserId};

impl Names for Sqlite {}

impl Sqlite {
    pub(super) fn name_hash(&self, canonical: &str) -> NameHash {
        NameHash::of(&self.handle_key, canonical)
    }
}

/// [`Refused::Resting`] if this name rests and is not this user's former name.
pub(super) fn refuse_resting(
    tx: &Transaction<'_>,
    id: NameHash,
    user: &UserId,
    now: Moment,
) -> SqliteResult<()> {
    let rests = exists(
        tx,
        "SELECT 1 FROM resting_name
          WHERE id = ? AND expires_at >= ? AND (user_id IS NULL OR user_id <> ?)",
        &cells![&id, now, user],
    )?;
    if rests { Err(SqliteFault::Refused(Refused::Resting)) } else { Ok(()) }
}

pub(super) fn rests(conn: &Connection, id: NameHash, now: Moment) -> SqliteResult<bool> {
    let sql = "SELECT 1 FROM resting_name WHERE id = ? AND expires_at >= ?";
    exists(conn, sql, &cells![&id, now])
}

pub(super) fn delete(tx: &Transaction<'_>, id: NameHash) -> SqliteResult<usize> {
    run(tx, "DELETE FROM resting_name WHERE id = ?", &cells![&id])
}

/// Removes the owner from the former names of a deleted user, so that nothing tells whose they were.
pub(super) fn forget_owner(tx: &Transaction<'_>, id: &UserId) -> SqliteResult<()> {
    let sql = "UPDATE resting_name SET user_id = NULL WHERE user_id = ?";
    run(tx, sql, &cells![id]).map(drop)
}

/// Reserves a name. If it rests already, the later end counts.
pub(super) fn upsert(conn: &Connection, it: &RestingName) -> SqliteResult<()> {
    run(
        conn,
        "INSERT INTO resting_name (id, user_id, expires_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET user_id = ?2, expires_at = max(expires_at, ?3)",
        &it.cells(),
    )?;
    Ok(())
}

/// The names that a restore would free if they were not kept: those reserved in the database that it
/// replaces, and the names of accounts there, or with which they sign in, that the backup does not have.
#[derive(Default)]
pub(super) struct Kept {
    /// The key of the hashes in `resting`.
    key: [u8; 32],
    resting: Vec<RestingName>,
    /// Users with a canonical name that they have or sign in with.
    users: Vec<(UserId, String)>,
}

/// Reads which names stay reserved when `backup` replaces `replaced`.
pub(super) fn kept_of(replaced: &Connection, backup: &Connection) -> SqliteResult<Kept> {
    // An older schema has no such table.
    let resting = if replaced.table_exists(None, "resting_name")? {
        all(replaced, "SELECT id, user_id, expires_at FROM resting_name", &[])?
    } else {
        Vec::new()
    };
    let mut is_there = backup.prepare(
        "SELECT 1 FROM user WHERE canonical_username = ?1
         UNION ALL SELECT 1 FROM user_key WHERE id = 'username:' || ?1",
    )?;
    let mut users = Vec::new();
    let mut names = replaced.prepare(&format!(
        "SELECT id, canonical_username FROM user
         UNION SELECT user_id, substr(id, length('username:') + 1) FROM user_key
          WHERE {IS_SIGN_IN_NAME}"
    ))?;
    let mut rows = names.query([])?;
    while let Some(row) = rows.next()? {
        let (id, name): (UserId, String) = record(row)?;
        if !is_there.exists([&name])? {
            users.push((id, name));
        }
    }
    Ok(Kept { key: schema::handle_key(replaced)?, resting, users })
}

impl Kept {
    /// Whether there is nothing to keep.
    pub(super) const fn is_empty(&self) -> bool {
        self.resting.is_empty() && self.users.is_empty()
    }

    /// Reserves the names in the restored copy, those of accounts until `rests_until`, and returns how many
    /// there are. Users who exist may take their names back.
    // LIMIT: hashes from a database with another random key cannot be kept. A backup of that very database
    // has the same key.
    pub(super) fn keep(
        &self,
        copy: &Connection,
        rests_until: Option<Moment>,
    ) -> SqliteResult<usize> {
        let key = schema::handle_key(copy)?;
        let owner = |id: &UserId| -> SqliteResult<Option<UserId>> {
            let is_there = exists(copy, "SELECT 1 FROM user WHERE id = ?", &cells![id])?;
            Ok(is_there.then(|| id.clone()))
        };
        let mut count = 0;
        for it in self.resting.iter().filter(|_| key == self.key) {
            let user_id = it.user_id.as_ref().map(owner).transpose()?.flatten();
            upsert(copy, &RestingName { user_id, ..it.clone() })?;
            count += 1;
        }
        let Some(expires_at) = rests_until else { return Ok(count) };
        for (id, name) in &self.users {
            let (id, user_id) = (NameHash::of(&key, name), owner(id)?);
            upsert(copy, &RestingName { id, user_id, expires_at })?;
            count += 1;
        }
        Ok(count)
    }
}
