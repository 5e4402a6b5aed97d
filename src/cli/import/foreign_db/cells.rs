//! The values in the rows of another program's tables. SQLite lets a column hold values of any type, so each value is
//! checked.
//!
//! Decides what is read as a text, a hash, a boolean or a moment. An error is a text that follows "its row 7: ", and
//! leaves out that row alone.

use std::rc::Rc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::super::moments::{TimeUnit, Timestamp, has_passed, moment};
use super::super::reasons::SourceRow;
use super::tables::{OWNER, Table, quoted};
use super::{Attribute, ForeignDbError, OddRow, ReadResult, RowOf};
use crate::base::clock::Moment;
use crate::store::{Progress, tell};

/// A row that is being read.
pub(super) struct TableRow<'a> {
    row: &'a Row<'a>,
    table: &'a Rc<str>,
    is_numbered: bool,
    number: i64,
}

/// Why a value cannot be read.
pub(super) type Odd = String;

/// Reads the rows of a table, by these columns, one after the other.
///
/// The SQL is put together from names that the file itself holds.
pub(super) fn each_row(
    conn: &Connection,
    table: &Table,
    columns: &[&str],
    mut read: impl FnMut(&TableRow<'_>),
) -> ReadResult<()> {
    let names: Vec<_> = columns.iter().map(|it| quoted(it)).collect();
    let rowid = table.rowid.unwrap_or("NULL");
    let sql = format!("SELECT {rowid}, {} FROM {}", names.join(", "), quoted(&table.name));
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let name: Rc<str> = table.name.as_str().into();
    let is_numbered = table.rowid.is_some();
    let mut count = 0;
    // A view computes what it returns, and may fail at that.
    let failed = |err| ForeignDbError(format!("its table {} cannot be read: {err}", table.name));
    while let Some(row) = rows.next().map_err(failed)? {
        count += 1;
        let number = if is_numbered { row.get(0)? } else { count };
        read(&TableRow { row, table: &name, is_numbered, number });
    }
    Ok(())
}

/// The rows of a table that belong to users, each read by `read` from these columns, one of which is the owner's.
/// Rows that it cannot read are added to `odd`. `what` names the rows in progress reports.
pub(super) fn rows<T>(
    conn: &Connection,
    (table, columns): (&Table, &[&str]),
    of: RowOf,
    progress: Progress<'_>,
    odd: &mut Vec<OddRow>,
    read: impl Fn(&TableRow<'_>) -> Result<T, Odd>,
) -> ReadResult<Vec<T>> {
    let is_owner = |it: &&str| OWNER.iter().any(|name| name.eq_ignore_ascii_case(it));
    let owner = columns.iter().position(is_owner);
    let mut all = Vec::new();
    each_row(conn, table, columns, |row| {
        match read(row) {
            Ok(it) => all.push(it),
            Err(why) => {
                let user_id = owner.and_then(|at| row.text(at).ok().flatten());
                odd.push(OddRow { of, row: row.place(), user_id, why });
            }
        }
        tell(progress, of.progress(), all.len());
    })?;
    Ok(all)
}

impl TableRow<'_> {
    /// Its place in the source.
    pub(super) fn place(&self) -> SourceRow {
        let table = Rc::clone(self.table);
        if self.is_numbered {
            SourceRow::Table { table, rowid: self.number }
        } else {
            SourceRow::Nth { table, number: self.number }
        }
    }

    fn value(&self, column: usize) -> ValueRef<'_> {
        self.row.get_ref(column + 1).expect("the column was asked for")
    }

    /// The name of a column.
    fn name(&self, column: usize) -> &str {
        self.row.as_ref().column_name(column + 1).unwrap_or("column")
    }

    fn odd<T>(&self, column: usize, why: &str) -> Result<T, Odd> {
        Err(format!("its {} {why}", self.name(column)))
    }

    pub(super) fn is_null(&self, column: usize) -> bool {
        self.value(column) == ValueRef::Null
    }

    /// A text, or a whole number as text.
    pub(super) fn text(&self, column: usize) -> Result<Option<String>, Odd> {
        match self.value(column) {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(number.to_string())),
            // JavaScript has one kind of number, and a column may make it this one.
            ValueRef::Real(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                Ok(Some(format!("{number:.0}")))
            }
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Some(text.to_owned())),
                Err(_) => self.odd(column, "is no UTF-8"),
            },
            ValueRef::Real(_) => self.odd(column, "is a fraction, not a text"),
            ValueRef::Blob(_) => self.odd(column, "is bytes, not a text"),
        }
    }

    /// A text that must not be missing.
    pub(super) fn needed(&self, column: usize) -> Result<String, Odd> {
        match self.text(column)? {
            Some(text) => Ok(text),
            None => self.odd(column, "is missing"),
        }
    }

    /// A hash of a password, which some drivers write as bytes. An empty one is none.
    pub(super) fn hash(&self, column: usize) -> Result<Option<String>, Odd> {
        let text = match self.value(column) {
            ValueRef::Blob(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Some(text.to_owned()),
                Err(_) => return self.odd(column, "is bytes, not a text"),
            },
            _ => self.text(column)?,
        };
        Ok(text.map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()))
    }

    /// A moment. `None`: there is none.
    pub(super) fn moment(&self, column: usize, unit: TimeUnit) -> Result<Option<Moment>, Odd> {
        let written = match self.value(column) {
            ValueRef::Null => return Ok(None),
            ValueRef::Integer(number) => Timestamp::Integer(number),
            ValueRef::Real(number) => Timestamp::Real(number),
            ValueRef::Text(text) => Timestamp::Text(std::str::from_utf8(text).unwrap_or_default()),
            ValueRef::Blob(_) => return self.odd(column, "is bytes, not a time"),
        };
        match (moment(written, unit), written) {
            (Some(moment), _) => Ok(Some(moment)),
            (None, Timestamp::Text(text)) => {
                self.odd(column, &format!("cannot be read as a time: {text}"))
            }
            (None, Timestamp::Integer(number)) => {
                self.odd(column, &format!("cannot be read as a time: {number}"))
            }
            (None, Timestamp::Real(number)) => {
                self.odd(column, &format!("cannot be read as a time: {number}"))
            }
        }
    }

    /// A moment that must not be missing.
    pub(super) fn needed_moment(&self, column: usize, unit: TimeUnit) -> Result<Moment, Odd> {
        match self.moment(column, unit)? {
            Some(moment) => Ok(moment),
            None => self.odd(column, "is missing"),
        }
    }

    /// A moment that must not be missing and has to lie in the past.
    pub(super) fn past_moment(&self, column: usize, now: Moment) -> Result<Moment, Odd> {
        let it = self.needed_moment(column, TimeUnit::Guessed)?;
        if has_passed(it, now) {
            Ok(it)
        } else {
            self.odd(column, &format!("is in the future: {}", it.minute()))
        }
    }

    /// The end of something. `None`: there is none, for which a zero stands as well.
    pub(super) fn end(&self, column: usize) -> Result<Option<Moment>, Odd> {
        let is_zero = match self.value(column) {
            ValueRef::Integer(number) => number == 0,
            ValueRef::Real(number) => number == 0.0,
            ValueRef::Text(text) => matches!(text.trim_ascii(), b"" | b"0"),
            ValueRef::Null | ValueRef::Blob(_) => false,
        };
        if is_zero { Ok(None) } else { self.moment(column, TimeUnit::Guessed) }
    }

    /// A boolean as libraries write it: a number, a word, or the time since which it is true. Anything else is an
    /// error.
    pub(super) fn truth(&self, column: usize) -> Result<bool, Odd> {
        let word = match self.value(column) {
            ValueRef::Null => return Ok(false),
            ValueRef::Integer(number) => return Ok(number != 0),
            ValueRef::Real(number) => return Ok(number != 0.0),
            ValueRef::Text(bytes) => bytes.trim_ascii().to_ascii_lowercase(),
            ValueRef::Blob(_) => return self.odd(column, "is bytes, not yes or no"),
        };
        match &*word {
            b"1" | b"t" | b"true" | b"y" | b"yes" | b"on" => Ok(true),
            b"" | b"[]" | b"{}" | b"0" | b"f" | b"false" | b"n" | b"no" | b"off" | b"null" => {
                Ok(false)
            }
            word => {
                let text = std::str::from_utf8(word).unwrap_or_default();
                let number = text.parse::<f64>().ok().filter(|it| it.is_finite());
                let since = moment(Timestamp::Text(text), TimeUnit::Guessed);
                match (number, since) {
                    (Some(number), _) => Ok(number != 0.0),
                    (None, Some(_)) => Ok(true),
                    (None, None) => self.odd(column, &format!("is neither yes nor no: {text}")),
                }
            }
        }
    }

    /// Any value.
    pub(super) fn attribute(&self, column: usize) -> Attribute {
        match self.value(column) {
            ValueRef::Null => Attribute::Null,
            ValueRef::Integer(number) => Attribute::Integer(number),
            // JSON has neither infinite numbers nor NaN.
            ValueRef::Real(number) if !number.is_finite() => Attribute::Text(number.to_string()),
            ValueRef::Real(number) => Attribute::Real(number),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Attribute::Text(text.to_owned()),
                Err(_) => Attribute::Bytes(bytes.to_vec()),
            },
            ValueRef::Blob(bytes) => Attribute::Bytes(bytes.to_vec()),
        }
    }
}
