//! The audit trail as it is written down.

use rusqlite::{OptionalExtension, Row, Transaction};

use super::{Sqlite, WRITE_PATIENCE, moment_at};
use crate::base::clock::Moment;
use crate::store::{Record, Result, Trail};

impl Trail for Sqlite {
    fn add_records(&self, records: &[Record]) -> Result<()> {
        let added = self.write(WRITE_PATIENCE, |tx| {
            Ok(records.iter().try_for_each(|it| insert_record(tx, None, it))?)
        });
        Ok(added?)
    }

    fn records(&self, since: Moment, limit: u32) -> Result<Vec<Record>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT at, event, user_id, address, session, request, detail FROM audit
                  WHERE at >= ?1 ORDER BY at, id LIMIT ?2",
            )?
            .query_map((since.millis(), limit), |row| record_at(row, 0))?
            .collect()
        })
    }

    fn records_after(&self, number: i64, since: Moment, limit: u32) -> Result<Vec<(i64, Record)>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT id, at, event, user_id, address, session, request, detail FROM audit
                  WHERE id > ?1 AND at >= ?2 ORDER BY id LIMIT ?3",
            )?
            .query_map((number, since.millis(), limit), |row| {
                Ok((row.get(0)?, record_at(row, 1)?))
            })?
            .collect()
        })
    }

    fn last_record(&self) -> Result<Option<Record>> {
        self.read(|conn| {
            conn.prepare_cached(
                "SELECT at, event, user_id, address, session, request, detail FROM audit
                  ORDER BY id DESC LIMIT 1",
            )?
            .query_row([], |row| record_at(row, 0))
            .optional()
        })
    }

    fn delete_records(&self, earliest: Moment, limit: u32) -> Result<usize> {
        let deleted = self.write(WRITE_PATIENCE, |tx| {
            Ok(tx
                .prepare_cached(
                    "DELETE FROM audit WHERE id IN
                       (SELECT id FROM audit WHERE at < ?1 ORDER BY at LIMIT ?2)",
                )?
                .execute((earliest.millis(), limit))?)
        });
        Ok(deleted?)
    }
}

/// Adds a record under this number; `None`: the next one.
pub(super) fn insert_record(
    tx: &Transaction<'_>,
    number: Option<i64>,
    it: &Record,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO audit (id, at, event, user_id, address, session, request, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((
        number,
        it.at.millis(),
        &it.event,
        &it.user_id,
        &it.address,
        &it.session,
        &it.request,
        &it.detail,
    ))?;
    Ok(())
}

pub(super) fn record_at(row: &Row<'_>, first: usize) -> rusqlite::Result<Record> {
    Ok(Record {
        at: moment_at(row, first)?,
        event: row.get(first + 1)?,
        user_id: row.get(first + 2)?,
        address: row.get(first + 3)?,
        session: row.get(first + 4)?,
        request: row.get(first + 5)?,
        detail: row.get(first + 6)?,
    })
}
