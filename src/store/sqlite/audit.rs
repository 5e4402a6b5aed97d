//! The statements for the audit log.

use rusqlite::Transaction;

use super::{Sqlite, SqliteResult, WRITE_PATIENCE, all, run, schema};
use crate::store::name_handles::{OLD_RECORDS, RECORDS_OF_USER, with_handles};
use crate::store::rows::{Cell, ToCells, cells};
use crate::store::{AuditLog, Record, Result, UserId};

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

/// Puts handles in the place of names in the records of schema 10 and older.
pub(super) fn hash_names(tx: &Transaction<'_>) -> SqliteResult<()> {
    let key = schema::handle_key(tx)?;
    hash_names_in(tx, &key, all(tx, OLD_RECORDS, &cells![i64::MIN, i64::MAX])?)
}

/// Puts handles in the place of names in the records about a user, who is being deleted.
pub(super) fn hash_names_of(tx: &Transaction<'_>, key: &[u8; 32], id: &UserId) -> SqliteResult<()> {
    hash_names_in(tx, key, all(tx, RECORDS_OF_USER, &cells![id])?)
}

fn hash_names_in(
    tx: &Transaction<'_>,
    key: &[u8; 32],
    records: Vec<(i64, String)>,
) -> SqliteResult<()> {
    for (number, detail) in records {
        if let Some(detail) = with_handles(key, &detail) {
            run(tx, "UPDATE audit SET detail = ? WHERE id = ?", &cells![&detail, number])?;
        }
    }
    Ok(())
}
