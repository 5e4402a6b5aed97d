//! Failed tries and known browsers as they are written down.

use std::sync::atomic::Ordering;

use rusqlite::{OptionalExtension, Row, Transaction};

use super::{Fault, Sqlite, WRITE_PATIENCE, moment_at};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::{COUNTED_EVERY, Count, CountId, Counts, DEVICES_MAX, Device, KeyId, Result};

impl Counts for Sqlite {
    fn count(&self, id: &CountId) -> Result<Option<Count>> {
        self.read_one(
            "SELECT failures, last_at, until FROM throttle WHERE id = ?1",
            [&id.0],
            count_at,
        )
    }

    fn clear_count(&self, id: &CountId) -> Result<()> {
        if self.count(id)?.is_none() {
            return Ok(());
        }
        let done = self.write(WRITE_PATIENCE, |tx| {
            tx.prepare_cached("DELETE FROM throttle WHERE id = ?1")?.execute([id.0])?;
            Ok(())
        });
        Ok(done?)
    }

    fn change_counts(
        &self,
        ids: &[CountId],
        after: &dyn Fn(usize, Option<Count>) -> Count,
        most: u32,
    ) -> Result<()> {
        let uncounted = self.uncounted.fetch_add(1, Ordering::Relaxed);
        let is_due = uncounted >= (most / 8).min(COUNTED_EVERY);
        let changed = self.write(WRITE_PATIENCE, |tx| {
            for (at, id) in ids.iter().enumerate() {
                let before = tx
                    .prepare_cached("SELECT failures, last_at, until FROM throttle WHERE id = ?1")?
                    .query_row([id.0], count_at)
                    .optional()?;
                upsert_count(tx, *id, after(at, before))?;
            }
            if is_due {
                tx.prepare_cached(
                    "DELETE FROM throttle WHERE id IN
                       (SELECT id FROM throttle ORDER BY until, last_at
                         LIMIT max(0, (SELECT count(*) FROM throttle) - ?1))",
                )?
                .execute([most])?;
            }
            Ok(())
        });
        if is_due {
            self.uncounted.store(0, Ordering::Relaxed);
        }
        Ok(changed?)
    }

    fn counts_after(&self, latest: Moment, limit: u32) -> Result<Vec<CountId>> {
        self.read(|conn| {
            // No count ends before its last failure, so the index on `until` finds them.
            conn.prepare_cached(
                "SELECT id FROM throttle WHERE until > ?1 AND last_at > ?1 LIMIT ?2",
            )?
            .query_map((latest.millis(), limit), |row| Ok(CountId(row.get(0)?)))?
            .collect()
        })
    }

    fn has_device(
        &self,
        id: &TokenHash,
        key: &KeyId,
        earliest: Moment,
        now: Moment,
    ) -> Result<bool> {
        let latest = now.latest_past().millis();
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT 1 FROM user_key JOIN device ON device.user_id = user_key.user_id
                  WHERE user_key.id = ?2 AND device.id = ?1
                    AND device.last_used_at BETWEEN ?3 AND ?4",
            )?
            .exists((id.as_bytes(), key.as_str(), earliest.millis(), latest))
        })
    }

    fn knows_device(&self, id: &TokenHash) -> Result<bool> {
        self.read(|conn| {
            conn.prepare_cached("SELECT 1 FROM device WHERE id = ?1")?.exists([id.as_bytes()])
        })
    }

    fn devices_of_key(&self, key: &KeyId) -> Result<Vec<TokenHash>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT device.id FROM user_key JOIN device ON device.user_id = user_key.user_id
                  WHERE user_key.id = ?1",
            )?
            .query_map([key.as_str()], |row| Ok(TokenHash::from_bytes(row.get(0)?)))?
            .collect()
        })
    }

    fn delete_forgotten(
        &self,
        earliest: Moment,
        earliest_use: Moment,
        limit: u32,
    ) -> Result<usize> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            let counts = tx
                .prepare_cached(
                    "DELETE FROM throttle WHERE id IN
                       (SELECT id FROM throttle
                         WHERE until < ?1 AND last_at < ?1 ORDER BY until LIMIT ?2)",
                )?
                .execute((earliest.millis(), limit))?;
            let devices = tx
                .prepare_cached(
                    "DELETE FROM device WHERE (id, user_id) IN
                       (SELECT id, user_id FROM device WHERE last_used_at < ?1 LIMIT ?2)",
                )?
                .execute((earliest_use.millis(), limit))?;
            Ok(counts + devices)
        });
        Ok(deleted?)
    }
}

/// Adds a browser or notes that it was used; beyond [`DEVICES_MAX`] of a user those of the future go, and
/// then the oldest.
pub(super) fn upsert_device(
    tx: &Transaction<'_>,
    device: &Device,
) -> std::result::Result<(), Fault> {
    insert_device(tx, device)?;
    tx.prepare_cached(
        "DELETE FROM device WHERE (id, user_id) IN
           (SELECT id, user_id FROM device WHERE user_id = ?1
             ORDER BY last_used_at > ?3, last_used_at DESC LIMIT -1 OFFSET ?2)",
    )?
    .execute((
        device.user_id.as_str(),
        DEVICES_MAX,
        device.last_used_at.latest_past().millis(),
    ))?;
    Ok(())
}

pub(super) fn insert_device(tx: &Transaction<'_>, device: &Device) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO device (id, user_id, last_used_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (id, user_id) DO UPDATE SET last_used_at = ?3",
    )?
    .execute((device.id.as_bytes(), device.user_id.as_str(), device.last_used_at.millis()))?;
    Ok(())
}

pub(super) fn upsert_count(
    tx: &Transaction<'_>,
    id: CountId,
    count: Count,
) -> rusqlite::Result<()> {
    let Count { failures, last_at, until } = count;
    tx.prepare_cached(
        "INSERT INTO throttle (id, failures, last_at, until) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET failures = ?2, last_at = ?3, until = ?4",
    )?
    .execute((id.0, failures, last_at.millis(), until.millis()))?;
    Ok(())
}

pub(super) fn count_at(row: &Row<'_>) -> rusqlite::Result<Count> {
    Ok(Count { failures: row.get(0)?, last_at: moment_at(row, 1)?, until: moment_at(row, 2)? })
}
