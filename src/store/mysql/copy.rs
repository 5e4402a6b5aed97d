//! Copying every row of every table to another database, or from one.

use mysql::prelude::Queryable;

use super::{Mysql, MysqlCells, MysqlFault, MysqlResult, Tx, audit, blob, rows_of_marks, values};
use crate::store::rows::Cells;
use crate::store::tables::{ALL, SECRETS};
use crate::store::{Copies, Error, HALF_COPIED, INHABITED_TEXT, Record, Result, Row};

/// Rows deleted in one transaction.
const DELETED_AT_ONCE: u32 = 5_000;

impl Copies for Mysql {
    fn each_row(&self, each: &mut dyn FnMut(Row) -> Result<()>) -> Result<()> {
        self.as_of_now(|tx| (0..ALL.len()).try_for_each(|table| show(tx, table, each)))
    }

    fn begin_copy(&self) -> Result<()> {
        self.write(|tx| {
            let is_half = tx.exists("SELECT 1 FROM secret WHERE name = ?", (HALF_COPIED,))?;
            if !is_half && tx.exists("SELECT 1 FROM user LIMIT 1", ())? {
                return Err(MysqlFault::Error(Error::Broken(INHABITED_TEXT.to_owned())));
            }
            tx.run(
                "INSERT INTO secret (name, value) VALUES (?, ?) ON DUPLICATE KEY UPDATE name = name",
                (HALF_COPIED, blob(&[0; 32])),
            )?;
            tx.run("DELETE FROM secret WHERE name NOT IN ('handle', ?)", (HALF_COPIED,))
        })?;
        // In steps, as a cluster blocks for all clients while it replicates a large transaction.
        for table in ALL.iter().rev().filter(|it| it.name != SECRETS) {
            let sql = format!("DELETE FROM {} LIMIT {DELETED_AT_ONCE}", table.name);
            while self.write(|tx| tx.run(&sql, ()))? > 0 {}
        }
        Ok(())
    }

    fn add_rows(&self, rows: &[Row]) -> Result<()> {
        let added = self.write(|tx| {
            for some in rows.chunk_by(|one, other| one.table() == other.table()) {
                insert(tx, some).map_err(|fault| saying(fault, some[0].table()))?;
            }
            Ok(())
        });
        Ok(added?)
    }

    fn end_copy(&self, records: &[Record]) -> Result<()> {
        Ok(self.write(|tx| {
            if tx.run("DELETE FROM secret WHERE name = ?", (HALF_COPIED,))? == 0
                && tx.may_be_applied
            {
                return Ok(());
            }
            let last: i64 = tx.first("SELECT IFNULL(MAX(id), 0) FROM audit", ())?.unwrap_or(0);
            if !records.is_empty() {
                audit::insert(tx, last + 1, records)?;
            }
            let number = last + i64::try_from(records.len()).unwrap_or(i64::MAX);
            tx.run("UPDATE counter SET value = ? WHERE name = 'audit'", (number,)).map(drop)
        })?)
    }
}

/// Whether this database has the mark of an unfinished copy.
pub(super) fn is_half_copied(store: &Mysql) -> Result<bool> {
    store.read(|tx| tx.exists("SELECT 1 FROM secret WHERE name = ?", (HALF_COPIED,)))
}

/// Passes on the rows of a table as they arrive. Rows whose user does not exist are left out: the user was
/// deleted on one server while another wrote the row.
fn show(tx: &mut Tx<'_>, table: usize, each: &mut dyn FnMut(Row) -> Result<()>) -> MysqlResult<()> {
    let described = &ALL[table];
    let sql = if described.has_owner { described.select_with_owner() } else { described.select() };
    for row in tx.conn.exec_iter(sql, ())? {
        let mut row = row?;
        let mut cells = MysqlCells { row: &mut row, next: 0 };
        let row = Row::read(table, &mut cells)?;
        if described.has_owner && cells.maybe_text()?.is_none() {
            continue;
        }
        each(row)?;
    }
    Ok(())
}

/// Names the table in an error about a row that cannot be added; a temporary fault stays as it is.
fn saying(fault: MysqlFault, table: &str) -> MysqlFault {
    match fault {
        fault @ (MysqlFault::Unavailable { .. } | MysqlFault::Conflict(_)) => fault,
        fault => {
            let say = |cause| format!("a row of {table} cannot be added: {cause}");
            MysqlFault::Error(Error::from(fault).saying(say))
        }
    }
}

/// Adds rows of one table with one statement. A random key replaces the one with its name; of other tables,
/// in a repeated try, the rows that exist stay.
fn insert(tx: &mut Tx<'_>, rows: &[Row]) -> MysqlResult<()> {
    let table = rows[0].described();
    let present = match table.name {
        SECRETS => "ON DUPLICATE KEY UPDATE value = VALUES(value)",
        _ if tx.may_be_applied => "ON DUPLICATE KEY UPDATE id = VALUES(id)",
        _ => "",
    };
    let marks = rows_of_marks(rows.len(), table.width());
    let cells: Vec<_> = rows.iter().flat_map(Row::cells).collect();
    tx.run(&format!("{}{marks} {present}", table.insert()), values(&cells)).map(drop)
}
