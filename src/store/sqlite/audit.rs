//! The statements for the audit log.

use rusqlite::Transaction;

use super::{Sqlite, SqliteResult, WRITE_PATIENCE, run};
use crate::store::rows::{Cell, ToCells};
use crate::store::{AuditLog, Record, Result};

impl AuditLog for Sqlite {
    fn add_records(&self, records: &[Record]) -> Result<()> {
        let added =
            self.write(WRITE_PATIENCE, |tx| records.iter().try_for_each(|it| insert(tx, it)));
        Ok(added?)
    }
}

/// Adds a record with the next number.
pub(super) fn insert(tx: &Transaction<'_>, record: &Record) -> SqliteResult<()> {
    let sql = "INSERT INTO audit (at, event, user_id, address, session, request, detail)
               VALUES (?, ?, ?, ?, ?, ?, ?)";
    let cells: [Cell<'_>; 7] = record.cells();
    run(tx, sql, &cells).map(drop)
}
