//! The audit trail as it is written down.

use mysql::{Params, Row, Value};

use super::{Answer, Fault, Mysql, Unit, get, moment, rows_of_marks};
use crate::base::clock::Moment;
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
            let numbered: Vec<_> = (start..).zip(records).collect();
            insert(unit, &numbered)
        })?)
    }

    fn records(&self, since: Moment, limit: u32) -> Result<Vec<Record>> {
        self.read_all(
            "SELECT at, event, user_id, address, session, request, detail FROM audit
              WHERE at >= ? ORDER BY at, id LIMIT ?",
            (since.millis(), limit),
            |row| record_at(row, 0),
        )
    }

    fn records_after(&self, number: i64, since: Moment, limit: u32) -> Result<Vec<(i64, Record)>> {
        self.read_all(
            "SELECT id, at, event, user_id, address, session, request, detail FROM audit
              WHERE id > ? AND at >= ? ORDER BY id LIMIT ?",
            (number, since.millis(), limit),
            |row| Ok((get(row, 0)?, record_at(row, 1)?)),
        )
    }

    fn last_record(&self) -> Result<Option<Record>> {
        self.read_one(
            "SELECT at, event, user_id, address, session, request, detail FROM audit
              ORDER BY id DESC LIMIT 1",
            (),
            |row| record_at(row, 0),
        )
    }

    fn delete_records(&self, earliest: Moment, limit: u32) -> Result<usize> {
        self.write_one(
            "DELETE FROM audit WHERE at < ? ORDER BY at LIMIT ?",
            (earliest.millis(), limit),
        )
    }
}

/// Whether the record with this number is this one.
fn holds(unit: &mut Unit<'_>, number: Option<i64>, record: &Record) -> Answer<bool> {
    let sql =
        "SELECT at, event, user_id, address, session, request, detail FROM audit WHERE id = ?";
    let found = unit.first(sql, (number,))?.map(|mut row| record_at(&mut row, 0)).transpose()?;
    Ok(found.as_ref() == Some(record))
}

pub(super) fn insert(unit: &mut Unit<'_>, numbered: &[(i64, &Record)]) -> Answer<()> {
    let values = numbered.iter().flat_map(|(number, it)| record_values(*number, it));
    let sql = format!(
        "INSERT INTO audit (id, at, event, user_id, address, session, request, detail) VALUES {}",
        rows_of_marks(numbered.len(), 8)
    );
    unit.run(&sql, Params::Positional(values.collect()))?;
    Ok(())
}

pub(super) fn record_values(number: i64, it: &Record) -> [Value; 8] {
    [
        number.into(),
        it.at.millis().into(),
        (&*it.event).into(),
        it.user_id.as_deref().into(),
        it.address.as_deref().into(),
        it.session.as_deref().into(),
        it.request.as_deref().into(),
        (&*it.detail).into(),
    ]
}

pub(super) fn record_at(row: &mut Row, first: usize) -> Answer<Record> {
    Ok(Record {
        at: moment(row, first)?,
        event: get(row, first + 1)?,
        user_id: get(row, first + 2)?,
        address: get(row, first + 3)?,
        session: get(row, first + 4)?,
        request: get(row, first + 5)?,
        detail: get(row, first + 6)?,
    })
}
