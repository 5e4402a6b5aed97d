//! `vestibule check`: what the settings come to, and whether the database is in order.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::{Access, Failure, open_at, printable};
use crate::cli::serve::{Config, ServeArgs};

/// `vestibule check`.
#[derive(Args)]
pub struct CheckArgs {
    /// Print JSON, for scripts.
    #[arg(long)]
    pub json: bool,

    /// The settings to check.
    #[command(flatten)]
    pub settings: ServeArgs,
}

/// `vestibule check`: comes back with the report, and whether all is in order.
pub(super) fn run(args: CheckArgs) -> Result<(String, bool), Failure> {
    let config = args.settings.check().map_err(Failure::usage)?;
    Ok(check(&config, args.json)?)
}

/// What the settings come to, what the database holds, and what is not in order; and
/// whether all is.
fn check(config: &Config, as_json: bool) -> Result<(String, bool), String> {
    let was_open = config.database.file().and_then(mode).is_some_and(|mode| mode & 0o077 != 0);
    let store = open_at(&config.database, Access::Read)?;
    let store = &*store;
    let mut settings = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    settings.extend(store.versions().map_err(|err| err.to_string())?);
    settings.extend(config.facts());
    let counts = store.counts().map_err(|err| err.to_string())?;
    let mut faults = store.faults().map_err(|err| err.to_string())?;
    faults.extend(config.database.file().and_then(exposed_folder));
    let mut notes = Vec::new();
    if was_open {
        notes.push("others could read the database; its mode is 600 now".to_owned());
    }
    notes.extend(store.oddities().map_err(|err| err.to_string())?);
    let report = if as_json {
        let data = json!({
            "settings": settings.into_iter().collect::<BTreeMap<_, _>>(),
            "counts": counts.into_iter().collect::<BTreeMap<_, _>>(),
            "notes": notes,
            "faults": faults,
            "in_order": faults.is_empty(),
        });
        format!("{data}\n")
    } else {
        let counts = counts.into_iter().map(|(name, count)| (name, count.to_string()));
        let notes = notes.iter().map(|it| ("note", printable(it)));
        let found = faults.iter().map(|it| ("FAULT", printable(it)));
        let rows = settings.into_iter().chain(counts).chain(notes).chain(found);
        let rows: Vec<_> = rows.map(|(name, it)| format!("{name:<18}{it}\n")).collect();
        let end = match faults.len() {
            0 => "the database is in order\n",
            _ => "the database is NOT in order\n",
        };
        rows.concat() + end
    };
    Ok((report, faults.is_empty()))
}

fn mode(path: &Path) -> Option<u32> {
    path.metadata().ok().map(|about| about.mode())
}

/// Whoever may write to the folder can put another file in the place of the database.
fn exposed_folder(database: &Path) -> Option<String> {
    let folder = database.canonicalize().ok()?.parent()?.to_owned();
    let mode = mode(&folder)?;
    // In a folder like /tmp people can touch only what is theirs.
    let is_sticky = mode & 0o1000 != 0;
    (mode & 0o002 != 0 && !is_sticky).then(|| format!("anybody may write to {}", folder.display()))
}
