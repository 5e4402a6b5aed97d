//! The audit log: what was done with accounts, kept in the database.

use crate::store::{Record, Result, Store};

/// Writes records down.
pub fn add(store: &dyn Store, records: &[Record]) -> Result<()> {
    store.add_records(records)
}

/// The latest record, whichever server wrote it.
pub fn last(store: &dyn Store) -> Result<Option<Record>> {
    store.last_record()
}
