//! The statements for failure counts.

use std::sync::atomic::Ordering;

use super::{Mysql, MysqlFault, MysqlResult, Tx, blob};
use crate::base::clock::Moment;
use crate::store::outcomes::Refused;
use crate::store::{Allowance, COUNTED_EVERY, Count, CountId, Letter, Result, Throttle};

impl Throttle for Mysql {
    // If the connection breaks during the commit, the failure is counted again: over-counting delays one
    // user, under-counting helps an attacker.
    fn change_counts(
        &self,
        ids: &[CountId],
        after: &dyn Fn(usize, Option<Count>) -> Count,
        most: u32,
    ) -> Result<()> {
        self.write(|tx| {
            for (at, id) in ids.iter().enumerate() {
                change_if(tx, *id, &|before| Some(after(at, before)))?;
            }
            Ok(())
        })?;
        self.forget_beyond_if_due(most)
    }

    // If the connection breaks during the commit, an attempt may be counted again and its letter be one of kind
    // `nothing`: but then the first one was added.
    fn count_if_allowed(
        &self,
        attempts: &[(CountId, Option<Letter>)],
        allowance: Allowance<'_>,
        most: u32,
    ) -> Result<Vec<bool>> {
        let allowed = self.write(|tx| {
            let mut allowed = Vec::with_capacity(attempts.len());
            for (at, (id, letter)) in attempts.iter().enumerate() {
                let is_allowed = change_if(tx, *id, &|before| allowance(at, before))?;
                allowed.push(is_allowed);
                if let Some(letter) = letter {
                    super::mail::insert(tx, Some(&letter.if_allowed(is_allowed)))?;
                }
            }
            Ok(allowed)
        })?;
        self.forget_beyond_if_due(most)?;
        Ok(allowed)
    }

    fn delete_old_counts(&self, earliest: Moment, limit: u32) -> Result<usize> {
        self.write_one(
            "DELETE FROM throttle WHERE until < ? AND last_at < ? ORDER BY until LIMIT ?",
            (earliest.millis(), earliest.millis(), limit),
        )
    }
}

impl Mysql {
    /// Counts a change of the counts, and deletes the least important ones beyond this number now and then.
    fn forget_beyond_if_due(&self, most: u32) -> Result<()> {
        let uncounted = self.uncounted.fetch_add(1, Ordering::Relaxed);
        let due = (most / 8).min(COUNTED_EVERY);
        // Of the threads for which the check is due, one does it.
        if uncounted >= due && self.uncounted.swap(0, Ordering::Relaxed) >= due {
            self.forget_beyond(most)?;
        }
        Ok(())
    }

    fn forget_beyond(&self, most: u32) -> Result<()> {
        let count: Option<i64> = self.read_one("SELECT count(*) FROM throttle", ())?;
        let beyond = count.unwrap_or(0) - i64::from(most);
        if beyond > 0 {
            let sql = "DELETE FROM throttle ORDER BY until, last_at LIMIT ?";
            self.write_one(sql, (beyond,))?;
        }
        Ok(())
    }
}

/// Replaces a count by what `after` makes of it, unless it was changed meanwhile, by this server or
/// another. `false` if `after` leaves it as it is.
fn change_if(
    tx: &mut Tx<'_>,
    id: CountId,
    after: &dyn Fn(Option<Count>) -> Option<Count>,
) -> MysqlResult<bool> {
    let before: Option<Count> = tx.first(
        "SELECT failures, last_at, until FROM throttle WHERE id = ? FOR UPDATE",
        (blob(&id.0),),
    )?;
    let changed = after(before);
    let Some(Count { failures, last_at, until }) = changed.or(before) else { return Ok(false) };
    let met = match before {
        Some(before) => tx.run(
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
        None => match tx.run(
            "INSERT INTO throttle (id, failures, last_at, until) VALUES (?, ?, ?, ?)",
            (blob(&id.0), failures, last_at.millis(), until.millis()),
        ) {
            Err(MysqlFault::Refused(Refused::Duplicate)) => 0,
            done => done?,
        },
    };
    match met {
        0 => Err(MysqlFault::Conflict("others count the same at the same moment".to_owned())),
        _ => Ok(changed.is_some()),
    }
}
