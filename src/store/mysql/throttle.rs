//! Failed tries and known browsers as they are written down.

use std::sync::atomic::Ordering;

use mysql::Row;

use super::{Answer, Fault, Mysql, Unit, blob, bytes, get, moment, token_hash};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::{COUNTED_EVERY, Count, CountId, Counts, DEVICES_MAX, Device, KeyId, Result};

impl Counts for Mysql {
    fn count(&self, id: &CountId) -> Result<Option<Count>> {
        self.read_one(
            "SELECT failures, last_at, until FROM throttle WHERE id = ?",
            (blob(&id.0),),
            count_at,
        )
    }

    fn clear_count(&self, id: &CountId) -> Result<()> {
        if self.count(id)?.is_none() {
            return Ok(());
        }
        self.write_one("DELETE FROM throttle WHERE id = ?", (blob(&id.0),)).map(drop)
    }

    // If the connection breaks during the commit, the failure is counted again: over-counting delays one
    // user, under-counting helps an attacker.
    fn change_counts(
        &self,
        ids: &[CountId],
        after: &dyn Fn(usize, Option<Count>) -> Count,
        most: u32,
    ) -> Result<()> {
        let uncounted = self.uncounted.fetch_add(1, Ordering::Relaxed);
        self.write(|unit| {
            let mut places = ids.iter().enumerate();
            places.try_for_each(|(at, id)| change(unit, *id, &|before| after(at, before)))
        })?;
        let due = (most / 8).min(COUNTED_EVERY);
        // Of several to whom it is due one does it.
        if uncounted >= due && self.uncounted.swap(0, Ordering::Relaxed) >= due {
            self.forget_beyond(most)?;
        }
        Ok(())
    }

    fn counts_after(&self, latest: Moment, limit: u32) -> Result<Vec<CountId>> {
        // No count ends before its last failure, so the index on `until` finds them.
        self.read_all(
            "SELECT id FROM throttle WHERE until > ? AND last_at > ? LIMIT ?",
            (latest.millis(), latest.millis(), limit),
            |row| Ok(CountId(bytes(row, 0)?)),
        )
    }

    fn has_device(
        &self,
        id: &TokenHash,
        key: &KeyId,
        earliest: Moment,
        now: Moment,
    ) -> Result<bool> {
        let latest = now.latest_past().millis();
        self.read(|unit| {
            unit.exists(
                "SELECT 1 FROM user_key JOIN device ON device.user_id = user_key.user_id
                  WHERE user_key.id = ? AND device.id = ?
                    AND device.last_used_at BETWEEN ? AND ?",
                (key.as_str(), blob(id.as_bytes()), earliest.millis(), latest),
            )
        })
    }

    fn knows_device(&self, id: &TokenHash) -> Result<bool> {
        let sql = "SELECT 1 FROM device WHERE id = ? LIMIT 1";
        self.read(|unit| unit.exists(sql, (blob(id.as_bytes()),)))
    }

    fn devices_of_key(&self, key: &KeyId) -> Result<Vec<TokenHash>> {
        self.read_all(
            "SELECT device.id FROM user_key JOIN device ON device.user_id = user_key.user_id
              WHERE user_key.id = ?",
            (key.as_str(),),
            |row| token_hash(row, 0),
        )
    }

    fn delete_forgotten(
        &self,
        earliest: Moment,
        earliest_use: Moment,
        limit: u32,
    ) -> Result<usize> {
        let counts = self.write_one(
            "DELETE FROM throttle WHERE until < ? AND last_at < ? ORDER BY until LIMIT ?",
            (earliest.millis(), earliest.millis(), limit),
        )?;
        let devices = self.write_one(
            "DELETE FROM device WHERE last_used_at < ? ORDER BY last_used_at LIMIT ?",
            (earliest_use.millis(), limit),
        )?;
        Ok(counts + devices)
    }
}

impl Mysql {
    fn forget_beyond(&self, most: u32) -> Result<()> {
        let count = self.read_one("SELECT count(*) FROM throttle", (), |row| get::<u64>(row, 0))?;
        let beyond = count.unwrap_or(0).saturating_sub(most.into());
        if beyond > 0 {
            let sql = "DELETE FROM throttle ORDER BY until, last_at LIMIT ?";
            self.write_one(sql, (beyond,))?;
        }
        Ok(())
    }
}

/// Replaces a count by what comes after it, if nobody else has replaced it meanwhile, on this server or on
/// another.
fn change(unit: &mut Unit<'_>, id: CountId, after: &dyn Fn(Option<Count>) -> Count) -> Answer<()> {
    let found = unit.first(
        "SELECT failures, last_at, until FROM throttle WHERE id = ? FOR UPDATE",
        (blob(&id.0),),
    )?;
    let before = found.map(|mut row| count_at(&mut row)).transpose()?;
    let Count { failures, last_at, until } = after(before);
    let met = match before {
        Some(before) => unit.run(
            "UPDATE throttle SET failures = ?, last_at = ?, until = ?
              WHERE id = ? AND failures = ? AND last_at = ? AND until = ?",
            (
                failures,
                last_at.millis(),
                until.millis(),
                blob(&id.0),
                before.failures,
                before.last_at.millis(),
                before.until.millis(),
            ),
        )?,
        None => match unit.run(
            "INSERT INTO throttle (id, failures, last_at, until) VALUES (?, ?, ?, ?)",
            (blob(&id.0), failures, last_at.millis(), until.millis()),
        ) {
            Err(Fault::Duplicate) => 0,
            done => done?,
        },
    };
    match met {
        0 => Err(Fault::Lost("others count the same at the same moment".to_owned())),
        _ => Ok(()),
    }
}

/// Adds a browser or notes that it was used; beyond [`DEVICES_MAX`] of a user those of the future go, and
/// then the oldest.
pub(super) fn upsert_device(unit: &mut Unit<'_>, device: &Device) -> Answer<()> {
    let user = device.user_id.as_str();
    unit.run(
        "INSERT INTO device (id, user_id, last_used_at) VALUES (?, ?, ?)
         ON DUPLICATE KEY UPDATE last_used_at = VALUES(last_used_at)",
        (blob(device.id.as_bytes()), user, device.last_used_at.millis()),
    )?;
    let beyond = unit.rows(
        "SELECT id FROM device WHERE user_id = ?
          ORDER BY last_used_at > ?, last_used_at DESC LIMIT 1000 OFFSET ?",
        (user, device.last_used_at.latest_past().millis(), DEVICES_MAX),
    )?;
    for mut row in beyond {
        let id: Vec<u8> = get(&mut row, 0)?;
        unit.run("DELETE FROM device WHERE id = ? AND user_id = ?", (id, user))?;
    }
    Ok(())
}

pub(super) fn count_at(row: &mut Row) -> Answer<Count> {
    Ok(Count { failures: get(row, 0)?, last_at: moment(row, 1)?, until: moment(row, 2)? })
}
