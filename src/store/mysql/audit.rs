//! The statements for the audit log.

use super::{Mysql, MysqlFault, MysqlResult, Tx, marks, rows_of_marks, values};
use crate::store::name_handles::{OLD_RECORDS, RECORDS_OF_USER, with_handles};
use crate::store::rows::{Cell, ToCells, cells, record_columns};
use crate::store::{AuditLog, Error, Record, Result, UserId};

/// Records that are read and rewritten at once in an upgrade.
const BATCH: i64 = 500;

impl AuditLog for Mysql {
    fn add_records(&self, records: &[Record]) -> Result<()> {
        let Some(first) = records.first() else { return Ok(()) };
        // The number of the first record in an earlier try.
        let mut number = None;
        Ok(self.write(|tx| {
            if tx.may_be_applied && holds(tx, number, first)? {
                return Ok(());
            }
            number = Some(append(tx, records)?);
            Ok(())
        })?)
    }
}

/// Adds records with the next numbers, and returns the first of these.
pub(super) fn append(tx: &mut Tx<'_>, records: &[Record]) -> MysqlResult<i64> {
    let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
    let met = tx.run(
        "UPDATE counter SET value = LAST_INSERT_ID(value + ?) WHERE name = 'audit'",
        (count,),
    )?;
    if met == 0 {
        let cause = "the counter of the audit trail is gone".to_owned();
        return Err(MysqlFault::Error(Error::Broken(cause)));
    }
    let start = tx.made() - count + 1;
    insert(tx, start, records)?;
    Ok(start)
}

/// Whether the record with this number is `record`.
fn holds(tx: &mut Tx<'_>, number: Option<i64>, record: &Record) -> MysqlResult<bool> {
    let sql = concat!("SELECT ", record_columns!(), " FROM audit WHERE id = ?");
    let found: Option<Record> = tx.first(sql, (number,))?;
    Ok(found.as_ref() == Some(record))
}

/// Adds records with consecutive numbers from `start`.
pub(super) fn insert(tx: &mut Tx<'_>, start: i64, records: &[Record]) -> MysqlResult<()> {
    let mut cells = Vec::with_capacity(8 * records.len());
    for (number, record) in (start..).zip(records) {
        cells.push(Cell::Int(number));
        cells.extend(record.cells());
    }
    let sql = format!(
        "INSERT INTO audit (id, at, event, user_id, address, session, request, detail) VALUES {}",
        rows_of_marks(records.len(), 8)
    );
    tx.run(&sql, values(&cells)).map(drop)
}

/// Puts handles in the place of names in the records of schema 10 and older. Harmless when it is run twice.
// LIMIT: servers of the version before that still run go on writing names, until they are replaced.
pub(super) fn hash_names(store: &Mysql, key: &[u8; 32]) -> Result<()> {
    let mut last = i64::MIN;
    loop {
        let old: Vec<(i64, String)> =
            store.read(|tx| tx.all(OLD_RECORDS, values(&cells![last, BATCH])))?;
        let Some((number, _)) = old.last() else { return Ok(()) };
        last = *number;
        let hashed = old.iter().filter_map(|(id, it)| Some((*id, with_handles(key, it)?)));
        replace_details(store, &hashed.collect::<Vec<_>>())?;
    }
}

/// Puts handles in the place of names in the records about a user, who is being deleted.
pub(super) fn hash_names_of(tx: &mut Tx<'_>, key: &[u8; 32], id: &UserId) -> MysqlResult<()> {
    let records: Vec<(i64, String)> = tx.all(RECORDS_OF_USER, (id.as_str(),))?;
    for (number, detail) in records {
        if let Some(detail) = with_handles(key, &detail) {
            tx.run("UPDATE audit SET detail = ? WHERE id = ?", (detail, number))?;
        }
    }
    Ok(())
}

/// Replaces the fields of the records with these numbers.
fn replace_details(store: &Mysql, details: &[(i64, String)]) -> Result<()> {
    if details.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "UPDATE audit SET detail = CASE id {} END WHERE id IN ({})",
        "WHEN ? THEN ? ".repeat(details.len()),
        marks(details.len())
    );
    let mut cells = Vec::with_capacity(3 * details.len());
    for (id, detail) in details {
        cells.extend(cells![*id, detail]);
    }
    cells.extend(details.iter().map(|(id, _)| Cell::Int(*id)));
    store.write_one(&sql, values(&cells)).map(drop)
}
