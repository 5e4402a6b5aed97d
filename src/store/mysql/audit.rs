//! The audit log as it is written down.

use super::{Answer, Fault, Mysql, Unit, rows_of_marks, values};
use crate::store::rows::{Cell, ToCells, record_columns};
use crate::store::{Error, Record, Result, Trail};

impl Trail for Mysql {
    fn add_records(&self, records: &[Record]) -> Result<()> {
        let Some(first) = records.first() else { return Ok(()) };
        // The number that the first one got when it was tried before.
        let mut number = None;
        Ok(self.write(|unit| {
            if unit.is_again && holds(unit, number, first)? {
                return Ok(());
            }
            let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
            let met = unit.run(
                "UPDATE counter SET value = LAST_INSERT_ID(value + ?) WHERE name = 'audit'",
                (count,),
            )?;
            if met == 0 {
                let cause = "the counter of the audit trail is gone".to_owned();
                return Err(Fault::Error(Error::Broken(cause)));
            }
            let start = unit.made() - count + 1;
            number = Some(start);
            insert(unit, start, records)
        })?)
    }
}

/// Whether the record with this number is this one.
fn holds(unit: &mut Unit<'_>, number: Option<i64>, record: &Record) -> Answer<bool> {
    let sql = concat!("SELECT ", record_columns!(), " FROM audit WHERE id = ?");
    let found: Option<Record> = unit.first(sql, (number,))?;
    Ok(found.as_ref() == Some(record))
}

/// Adds records, the first with this number and each other one with the next.
fn insert(unit: &mut Unit<'_>, start: i64, records: &[Record]) -> Answer<()> {
    let mut cells = Vec::with_capacity(8 * records.len());
    for (number, record) in (start..).zip(records) {
        cells.push(Cell::Int(number));
        cells.extend(record.cells());
    }
    let sql = format!(
        "INSERT INTO audit (id, at, event, user_id, address, session, request, detail) VALUES {}",
        rows_of_marks(records.len(), 8)
    );
    unit.run(&sql, values(&cells)).map(drop)
}
