//! The passkeys of better-auth.
//!
//! Decides that all of them may sign in alone. It does not record which of them have verified their user; whichever
//! signs in alone here has to do so at each use.

use rusqlite::Connection;

use super::super::passkeys::{ForeignPasskey, bytes};
use super::cells::{Odd, TableRow, rows};
use super::tables::{ColumnSet, OWNER, Table, row_count};
use super::{OddRow, ReadResult, RowOf, broken};
use crate::base::clock::Moment;
use crate::store::Progress;

/// The columns that the table must have.
pub(super) const COLUMNS: ColumnSet =
    &[&["credentialID", "credential_id"], &["publicKey", "public_key"], &["counter"], OWNER];

/// Columns that it may have.
const NAME: [&str; 1] = ["name"];
const BACKED_UP: [&str; 2] = ["backedUp", "backed_up"];
const TRANSPORTS: [&str; 1] = ["transports"];
const CREATED: [&str; 2] = ["createdAt", "created_at"];

/// The passkeys in a table, which were made for this domain. The table does not say for which: without it, a table with
/// any rows is refused, as passkeys that are left behind once cannot be imported later.
pub(super) fn read(
    conn: &Connection,
    table: &Table,
    rp_id: Option<&str>,
    progress: Progress<'_>,
    odd: &mut Vec<OddRow>,
    now: Moment,
) -> ReadResult<Vec<ForeignPasskey>> {
    let Some(rp_id) = rp_id else {
        return match row_count(conn, table)? {
            0 => Ok(Vec::new()),
            count => broken(format!(
                "its table {} does not say for which domain the passkeys in it ({count}) were made; \
                 --rp-id DOMAIN does, and --tables passkey= leaves them behind",
                table.name
            )),
        };
    };
    let mut columns = table.named(COLUMNS);
    let mut optional = |names: &[&str]| {
        let column = table.column(names)?;
        columns.push(column);
        Some(columns.len() - 1)
    };
    let [name, backed_up, transports, created] =
        [&NAME[..], &BACKED_UP, &TRANSPORTS, &CREATED].map(&mut optional);
    rows(conn, (table, &columns), RowOf::Passkey, progress, odd, |row| {
        let text = |at: Option<usize>| at.map_or(Ok(None), |at| row.text(at));
        Ok(ForeignPasskey {
            owner: row.needed(3)?,
            name: text(name)?.unwrap_or_default(),
            id: bytes(&row.needed(0)?),
            public_key: bytes(&row.needed(1)?),
            sign_count: count(row, 2)?,
            rp_id: Some(rp_id.to_owned()),
            verifies_user: true,
            is_backed_up: backed_up.map_or(Ok(false), |at| row.truth(at))?,
            transports: text(transports)?.unwrap_or_default(),
            may_be_cloned: false,
            created_at: created.and_then(|at| row.past_moment(at, now).ok()),
            used_at: None,
        })
    })
}

/// What a passkey counts of its uses.
fn count(row: &TableRow<'_>, column: usize) -> Result<u32, Odd> {
    let text = row.needed(column)?;
    text.parse().map_err(|_| format!("its counter is no number that a passkey counts: {text}"))
}
