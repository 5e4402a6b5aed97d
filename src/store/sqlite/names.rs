//! Names that rest, as they are written down.

use rusqlite::{Connection, Row, Transaction};

use super::{Fault, Sqlite, WRITE_PATIENCE, moment_at};
use crate::clock::Moment;
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

pub(super) fn resting_name_at(row: &Row<'_>) -> rusqlite::Result<RestingName> {
    Ok(RestingName {
        id: NameHash(row.get(0)?),
        user_id: row.get::<_, Option<String>>(1)?.map(UserId),
        expires_at: moment_at(row, 2)?,
    })
}
