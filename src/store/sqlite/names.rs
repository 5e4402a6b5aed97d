//! Names that rest, as they are written down.

use rusqlite::{Connection, Row, Transaction};

use super::{Fault, Sqlite, WRITE_PATIENCE, file, moment_at};
use crate::base::clock::Moment;
use crate::store::{KeyId, NameHash, Names, RestingName, Result, UserId};

impl Names for Sqlite {
    fn is_name_free(&self, canonical: &str, now: Moment) -> Result<bool> {
        let (key, id) = (KeyId::username(canonical), self.name_hash(canonical));
        self.read(|conn| {
            // Sums and no OR, which would not look any further than to the user.
            conn.prepare_cached(
                "SELECT (SELECT count(*) FROM user WHERE canonical_username = ?1)
                      + (SELECT count(*) FROM user_key WHERE id = ?2)
                      + (SELECT count(*) FROM resting_name WHERE id = ?3 AND expires_at >= ?4)",
            )?
            .query_row((canonical, key.as_str(), id.0, now.millis()), |row| {
                Ok(row.get::<_, i64>(0)? == 0)
            })
        })
    }

    fn free_name(&self, canonical: &str) -> Result<bool> {
        let id = self.name_hash(canonical);
        let freed = self.write(WRITE_PATIENCE, |tx| Ok(delete(tx, id)?));
        Ok(freed? > 0)
    }

    fn delete_rested_names(&self, now: Moment, limit: u32) -> Result<usize> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached(
                    "DELETE FROM resting_name WHERE id IN
                       (SELECT id FROM resting_name WHERE expires_at < ?1 LIMIT ?2)",
                )?
                .execute((now.millis(), limit))?)
        });
        Ok(deleted?)
    }
}

impl Sqlite {
    pub(super) fn name_hash(&self, canonical: &str) -> NameHash {
        NameHash::of(&self.handle_key, canonical)
    }
}

/// [`Fault::Resting`] if this name rests, unless it is this user who had it.
pub(super) fn refuse_resting(
    tx: &Transaction<'_>,
    id: NameHash,
    user: &UserId,
    now: Moment,
) -> std::result::Result<(), Fault> {
    let rests = tx
        .prepare_cached(
            "SELECT 1 FROM resting_name
              WHERE id = ?1 AND expires_at >= ?3 AND (user_id IS NULL OR user_id <> ?2)",
        )?
        .exists((id.0, user.as_str(), now.millis()))?;
    if rests { Err(Fault::Resting) } else { Ok(()) }
}

pub(super) fn rests(conn: &Connection, id: NameHash, now: Moment) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM resting_name WHERE id = ?1 AND expires_at >= ?2")?
        .exists((id.0, now.millis()))
}

pub(super) fn delete(tx: &Transaction<'_>, id: NameHash) -> rusqlite::Result<usize> {
    tx.prepare_cached("DELETE FROM resting_name WHERE id = ?1")?.execute([id.0])
}

/// Leaves nothing that tells whose the names were that this user had.
pub(super) fn forget_owner(tx: &Transaction<'_>, id: &UserId) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE resting_name SET user_id = NULL WHERE user_id = ?1")?
        .execute([id.as_str()])?;
    Ok(())
}

/// Lets a name rest. One that rests already does so for as long as either says.
pub(super) fn upsert(conn: &Connection, it: &RestingName) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "INSERT INTO resting_name (id, user_id, expires_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET user_id = ?2, expires_at = max(expires_at, ?3)",
    )?
    .execute((it.id.0, it.user_id.as_ref().map(UserId::as_str), it.expires_at.millis()))?;
    Ok(())
}

/// Names that a restore would free, were they not kept: what is reserved in the database that it replaces,
/// and the names of accounts there that the backup does not have.
#[derive(Default)]
pub(super) struct Kept {
    /// The key of the hashes in `resting`.
    key: [u8; 32],
    resting: Vec<RestingName>,
    /// Users with their canonical names.
    users: Vec<(UserId, String)>,
}

/// Reads which names are to be kept when `backup` takes the place of `replaced`.
pub(super) fn kept_of(replaced: &Connection, backup: &Connection) -> rusqlite::Result<Kept> {
    let mut resting = Vec::new();
    // An older one has no such table.
    if replaced.table_exists(None, "resting_name")? {
        let sql = "SELECT id, user_id, expires_at FROM resting_name";
        let mut statement = replaced.prepare(sql)?;
        let rows = statement.query_map([], resting_name_at)?;
        resting = rows.collect::<rusqlite::Result<_>>()?;
    }
    let mut is_there = backup.prepare("SELECT 1 FROM user WHERE canonical_username = ?1")?;
    let mut users = Vec::new();
    let mut all = replaced.prepare("SELECT id, canonical_username FROM user")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let (id, name): (String, String) = (row.get(0)?, row.get(1)?);
        if !is_there.exists([&name])? {
            users.push((UserId(id), name));
        }
    }
    Ok(Kept { key: file::handle_key(replaced)?, resting, users })
}

impl Kept {
    /// Whether there is nothing to keep.
    pub(super) const fn is_empty(&self) -> bool {
        self.resting.is_empty() && self.users.is_empty()
    }

    /// Reserves the names in the restored copy, those of accounts until `rests_until`, and says how many
    /// there are. A user who is there may take theirs back.
    // LIMIT: hashes from a database with another key cannot be kept. A backup of that very database has the
    // same one.
    pub(super) fn keep(
        &self,
        copy: &Connection,
        rests_until: Option<Moment>,
    ) -> rusqlite::Result<usize> {
        let key = file::handle_key(copy)?;
        let owner = |id: &UserId| -> rusqlite::Result<Option<UserId>> {
            let is_there = copy.prepare_cached("SELECT 1 FROM user WHERE id = ?1")?;
            Ok({ is_there }.exists([id.as_str()])?.then(|| id.clone()))
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

pub(super) fn resting_name_at(row: &Row<'_>) -> rusqlite::Result<RestingName> {
    Ok(RestingName {
        id: NameHash(row.get(0)?),
        user_id: row.get::<_, Option<String>>(1)?.map(UserId),
        expires_at: moment_at(row, 2)?,
    })
}
