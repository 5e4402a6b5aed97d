//! A copy of the database while people sign in.

use std::path::Path;

use super::{Done, open};
use crate::config::BackupFlags;

/// `vestibule backup`: writes a copy that is whole as of one moment, and comes back with what to print.
/// A file that is there is never overwritten.
pub fn backup(flags: &BackupFlags) -> Done {
    let store = open(&flags.database)?;
    let to: &Path = &flags.file;
    store.back_up(to).map_err(|err| format!("cannot write {}: {err}", to.display()))?;
    Ok(format!(
        "{} holds a copy of {}; keep it as private as that\n",
        to.display(),
        flags.database.display()
    ))
}
