//! Copies of the database, and whether it is in order.

use std::path::Path;

use super::{Done, cause, open, printable};
use crate::config::{BackupFlags, Config, RestoreFlags};
use crate::store;

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

/// `vestibule restore`: puts a backup in the place of a database that nobody uses.
pub fn restore(flags: &RestoreFlags) -> Done {
    let count = store::restore(&flags.file, &flags.database, flags.keep_sessions).map_err(cause)?;
    let (to, from) = (flags.database.display(), flags.file.display());
    Ok(format!("{to} is as {from} was; {count} sessions were left out\n"))
}

/// `vestibule check`: what the settings come to, and whether the database is in order. An error says
/// what is not, in one line or more.
pub fn check(config: &Config) -> Done {
    let row = |name: &str, value: &str| format!("{name:<18}{value}");
    let mut told: Vec<_> = config.facts().iter().map(|(name, value)| row(name, value)).collect();
    let store = open(&config.database)?;
    let counts = store.counts().map_err(cause)?;
    told.extend(counts.iter().map(|(name, count)| row(name, &count.to_string())));
    let faults = store.faults().map_err(cause)?;
    if faults.is_empty() {
        return Ok(format!("{}\nthe database is in order\n", told.join("\n")));
    }
    let faults: Vec<_> = faults.iter().map(|it| printable(it)).collect();
    Err(format!("{} is not in order: {}", config.database.display(), faults.join("; ")))
}
