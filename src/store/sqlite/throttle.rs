//! The statements for failure counts.

use std::sync::atomic::Ordering;

use rusqlite::Transaction;

use super::{Sqlite, SqliteResult, WRITE_PATIENCE, first, run};
use crate::base::clock::Moment;
use crate::store::rows::cells;
use crate::store::{Allowance, COUNTED_EVERY, Count, CountId, Letter, Result, Throttle};

impl Throttle for Sqlite {
    fn change_counts(
        &self,
        ids: &[CountId],
        after: &dyn Fn(usize, Option<Count>) -> Count,
        most: u32,
    ) -> Result<()> {
        let is_due = self.is_trim_due(most);
        let changed = self.write(WRITE_PATIENCE, |tx| {
            for (at, id) in ids.iter().enumerate() {
                let sql = "SELECT failures, last_at, until FROM throttle WHERE id = ?";
                let before = first(tx, sql, &cells![id])?;
                upsert(tx, id, after(at, before))?;
            }
            if is_due { trim(tx, most) } else { Ok(()) }
        });
        self.note_trim(is_due);
        Ok(changed?)
    }

    fn count_if_allowed(
        &self,
        attempts: &[(CountId, Option<Letter>)],
        allowance: Allowance<'_>,
        most: u32,
    ) -> Result<Vec<bool>> {
        let is_due = self.is_trim_due(most);
        let written = self.write(WRITE_PATIENCE, |tx| {
            let mut allowed = Vec::with_capacity(attempts.len());
            for (at, (id, letter)) in attempts.iter().enumerate() {
                let sql = "SELECT failures, last_at, until FROM throttle WHERE id = ?";
                let before = first(tx, sql, &cells![id])?;
                let after = allowance(at, before);
                allowed.push(after.is_some());
                if let Some(count) = after.or(before) {
                    upsert(tx, id, count)?;
                }
                if let Some(letter) = letter {
                    super::mail::insert(tx, Some(&letter.if_allowed(after.is_some())))?;
                }
            }
            if is_due {
                trim(tx, most)?;
            }
            Ok(allowed)
        });
        self.note_trim(is_due);
        Ok(written?)
    }

    fn delete_old_counts(&self, earliest: Moment, limit: u32) -> Result<usize> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            run(
                tx,
                "DELETE FROM throttle WHERE id IN
                   (SELECT id FROM throttle
                     WHERE until < ? AND last_at < ? ORDER BY until LIMIT ?)",
                &cells![earliest, earliest, limit],
            )
        });
        Ok(deleted?)
    }
}

impl Sqlite {
    /// Counts a change of the counts, and returns whether their number is to be checked.
    fn is_trim_due(&self, most: u32) -> bool {
        let uncounted = self.uncounted.fetch_add(1, Ordering::Relaxed);
        uncounted >= (most / 8).min(COUNTED_EVERY)
    }

    fn note_trim(&self, is_done: bool) {
        if is_done {
            self.uncounted.store(0, Ordering::Relaxed);
        }
    }
}

/// Deletes the least important counts beyond this number.
fn trim(tx: &Transaction<'_>, most: u32) -> SqliteResult<()> {
    run(
        tx,
        "DELETE FROM throttle WHERE id IN
           (SELECT id FROM throttle ORDER BY until, last_at
             LIMIT max(0, (SELECT count(*) FROM throttle) - ?))",
        &cells![most],
    )
    .map(drop)
}

fn upsert(tx: &Transaction<'_>, id: &CountId, count: Count) -> SqliteResult<()> {
    let Count { failures, last_at, until } = count;
    run(
        tx,
        "INSERT INTO throttle (id, failures, last_at, until) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET failures = ?2, last_at = ?3, until = ?4",
        &cells![id, failures, last_at, until],
    )?;
    Ok(())
}
