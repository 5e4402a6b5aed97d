//! Copies of the database, and whether it is in order.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::json;

use super::{Access, Done, counted, open_at, printable, record_of, see_that_it_is_there};
use crate::auth::events::Event;
use crate::base::clock::Moment;
use crate::cli::config::{BackupFlags, Config, RestoreFlags};
use crate::server::log;
use crate::store::{self, Record};

/// `vestibule backup`: writes a copy that is complete as of one moment, and comes back with what to print.
/// A file that is there is never overwritten, and a database of an older schema stays as it is.
pub fn backup(flags: &BackupFlags, now: Moment) -> Done {
    let database = flags.database.check()?;
    let Some(from) = database.file() else {
        return Err(
            "a server's database is backed up by its own tools, as mariadb-backup; and vestibule \
                    copy writes it into a file"
                .to_owned(),
        );
    };
    see_that_it_is_there(&database, "--database")?;
    let to: &Path = &flags.file;
    let (schema, newest) = store::back_up(from, to).map_err(|err| err.to_string())?;
    let copied =
        format!("{} holds a copy of {database}; keep it as private as that\n", to.display());
    if schema < newest {
        return Ok(format!(
            "{copied}Both have schema {schema}, and vestibule migrate leads to {newest}; until then no record \
             of this is kept\n"
        ));
    }
    record_of(&*open_at(&database, Access::Read)?, Event::Backup, &[], now)?;
    Ok(copied)
}

/// `vestibule restore`: puts a backup in the place of a database that nobody uses.
pub fn restore(flags: &RestoreFlags, now: Moment) -> Done {
    let database = flags.database.check()?;
    let Some(to) = database.file() else {
        return Err(
            "a server's database is restored by its own tools, as mariadb-backup".to_owned()
        );
    };
    let from = flags.file.display();
    if to.exists() && !flags.yes {
        return Err(format!(
            "{database} would be moved aside, and {from} take its place; say --yes if that is meant"
        ));
    }
    let record = |sessions: usize| {
        let (from, sessions) = (from.to_string(), sessions.to_string());
        let fields = [("from", &*from), ("sessions_left_out", &*sessions)];
        Record::of_program(Event::Restore.name(), log::fields(&fields), now)
    };
    let rests_until = flags.rest.rest().end(now);
    let restored = store::restore(&flags.file, to, flags.keep_sessions, rests_until, &record, now)
        .map_err(|err| err.to_string())?;
    let names = match restored.names {
        Some(0) => String::new(),
        Some(count) => format!("{} stay reserved\n", counted(count, "name")),
        None => "the names of accounts there could not be read, and none is reserved\n".to_owned(),
    };
    let kept =
        restored.kept.iter().map(|it| format!("what was there before is {}\n", it.display()));
    Ok(format!(
        "{database} is as {from} was; left out: {}\n{names}{}",
        counted(restored.sessions, "session"),
        kept.collect::<String>()
    ))
}

/// `vestibule check`: what the settings come to, what the database holds, and what is not in order; and
/// whether all is.
pub fn check(config: &Config, as_json: bool) -> Result<(String, bool), String> {
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
        let counts = counts.map(|(name, count)| (name, count.to_string()));
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
