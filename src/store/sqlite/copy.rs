//! Copying every row of every table to another database, or from one.

use rusqlite::{Connection, Transaction, params_from_iter};

use super::{
    Sqlite, SqliteCells, SqliteFault, SqliteResult, WRITE_PATIENCE, audit, invitations, run, schema,
};
use crate::store::rows::cells;
use crate::store::tables::{ALL, SECRETS};
use crate::store::{Copies, Error, HALF_COPIED, INHABITED_TEXT, Record, Result, Row};

impl Copies for Sqlite {
    // LIMIT: the write-ahead log grows as long as this takes, as nothing written meanwhile can be folded
    // into the file.
    fn each_row(&self, each: &mut dyn FnMut(Row) -> Result<()>) -> Result<()> {
        let conn = self.open_reader()?;
        // One snapshot of the whole file.
        let tx = conn.unchecked_transaction().map_err(SqliteFault::from)?;
        for table in 0..ALL.len() {
            show(&tx, table, each)?;
        }
        Ok(())
    }

    fn begin_copy(&self) -> Result<()> {
        let begun = self.write(WRITE_PATIENCE, |tx| {
            if invitations::has_users(tx)? && !schema::is_half_copied(tx)? {
                return Err(SqliteFault::Error(Error::Broken(INHABITED_TEXT.to_owned())));
            }
            // Rows that refer to others are deleted first. The random key stays until the copied one
            // replaces it, as no database is without one.
            for table in ALL.iter().rev().filter(|it| it.name != SECRETS) {
                tx.execute(&format!("DELETE FROM {}", table.name), [])?;
            }
            run(tx, "DELETE FROM secret WHERE name <> 'handle'", &[])?;
            let sql = "INSERT INTO secret (name, value) VALUES (?, zeroblob(32))";
            run(tx, sql, &cells![HALF_COPIED]).map(drop)
        });
        Ok(begun?)
    }

    fn add_rows(&self, rows: &[Row]) -> Result<()> {
        let added = self.write(WRITE_PATIENCE, |tx| {
            rows.chunk_by(|one, other| one.table() == other.table()).try_for_each(|some| {
                insert(tx, some).map_err(|fault| {
                    let table = some[0].table();
                    let say = |cause| format!("a row of {table} cannot be added: {cause}");
                    SqliteFault::Error(Error::from(fault).saying(say))
                })
            })
        });
        Ok(added?)
    }

    fn end_copy(&self, records: &[Record]) -> Result<()> {
        let ended = self.write(WRITE_PATIENCE, |tx| {
            run(tx, "DELETE FROM secret WHERE name = ?", &cells![HALF_COPIED])?;
            records.iter().try_for_each(|it| audit::insert(tx, it))
        });
        Ok(ended?)
    }
}

fn show(
    conn: &Connection,
    table: usize,
    each: &mut dyn FnMut(Row) -> Result<()>,
) -> SqliteResult<()> {
    let mut statement = conn.prepare(&ALL[table].select())?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(Row::read(table, &mut SqliteCells { row, next: 0 })?)?;
    }
    Ok(())
}

/// Adds rows of one table. A random key replaces the one with its name.
fn insert(tx: &Transaction<'_>, rows: &[Row]) -> SqliteResult<()> {
    let table = rows[0].described();
    let present = match table.name {
        SECRETS => "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        _ => "",
    };
    let marks = vec!["?"; table.width()].join(", ");
    let mut statement = tx.prepare(&format!("{}({marks}) {present}", table.insert()))?;
    for row in rows {
        statement.execute(params_from_iter(row.cells()))?;
    }
    Ok(())
}
