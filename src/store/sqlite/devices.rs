//! The statements for devices.

use rusqlite::Transaction;

use super::{Sqlite, SqliteResult, run};
use crate::base::clock::Moment;
use crate::store::rows::{ToCells, cells};
use crate::store::{DEVICES_MAX, Device, Devices, Result, WRITE_PATIENCE};

impl Devices for Sqlite {
    fn delete_unused_devices(&self, earliest: Moment, limit: u32) -> Result<usize> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            run(
                tx,
                "DELETE FROM device WHERE (id, user_id) IN
                   (SELECT id, user_id FROM device WHERE last_used_at < ? LIMIT ?)",
                &cells![earliest, limit],
            )
        });
        Ok(deleted?)
    }
}

/// Adds a device or notes that it was used; the moment of both factors never moves back. Beyond [`DEVICES_MAX`] of a user, those of the future are
/// deleted first, then the oldest.
pub(super) fn upsert(tx: &Transaction<'_>, device: &Device) -> SqliteResult<()> {
    run(
        tx,
        "INSERT INTO device (id, user_id, last_used_at, second_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id, user_id) DO UPDATE SET last_used_at = ?3, second_at = max(second_at, ?4)",
        &device.cells(),
    )?;
    run(
        tx,
        "DELETE FROM device WHERE (id, user_id) IN
           (SELECT id, user_id FROM device WHERE user_id = ?
             ORDER BY last_used_at > ?, last_used_at DESC LIMIT -1 OFFSET ?)",
        &cells![&device.user_id, device.last_used_at.latest_past(), DEVICES_MAX],
    )?;
    Ok(())
}
