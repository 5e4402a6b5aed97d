//! The statements for devices.

use super::{Mysql, MysqlResult, Tx, values};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::rows::{ToCells, cells};
use crate::store::{DEVICES_MAX, Device, Devices, Result};

impl Devices for Mysql {
    fn delete_unused_devices(&self, earliest: Moment, limit: u32) -> Result<usize> {
        self.write_one(
            "DELETE FROM device WHERE last_used_at < ? ORDER BY last_used_at LIMIT ?",
            (earliest.millis(), limit),
        )
    }
}

/// Adds a device or notes that it was used; the moment of both factors never moves back. Beyond [`DEVICES_MAX`] of a user, those of the future are
/// deleted first, then the oldest.
pub(super) fn upsert(tx: &mut Tx<'_>, device: &Device) -> MysqlResult<()> {
    tx.run(
        "INSERT INTO device (id, user_id, last_used_at, second_at) VALUES (?, ?, ?, ?)
         ON DUPLICATE KEY UPDATE last_used_at = VALUES(last_used_at),
                                 second_at = GREATEST(second_at, VALUES(second_at))",
        values(&device.cells()),
    )?;
    let beyond: Vec<TokenHash> = tx.all(
        "SELECT id FROM device WHERE user_id = ?
          ORDER BY last_used_at > ?, last_used_at DESC LIMIT 1000 OFFSET ?",
        values(&cells![&device.user_id, device.last_used_at.latest_past(), DEVICES_MAX]),
    )?;
    for id in &beyond {
        let sql = "DELETE FROM device WHERE id = ? AND user_id = ?";
        tx.run(sql, values(&cells![id, &device.user_id]))?;
    }
    Ok(())
}
