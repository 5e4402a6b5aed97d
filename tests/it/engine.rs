//! The engine that the tests run on.

use std::path::Path;

use vestibule::store::{self, Database, Store};

/// The database of a test, which has this folder to itself.
pub fn open(folder: &Path) -> Box<dyn Store> {
    file(&folder.join("test.db"))
}

/// A SQLite file, whatever the other tests run on.
pub fn file(path: &Path) -> Box<dyn Store> {
    store::open(&Database::from(path)).unwrap()
}
