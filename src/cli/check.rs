//! `vestibule check`: what the settings come to, and whether the database is in order.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::database::place;
use super::terminal::Emphasis;
use super::{Access, Failure, counted, open_at, printable};
use crate::base::new_file::with_suffix;
use crate::cli::serve::{Config, ServeArgs};
use crate::store;

/// `vestibule check`.
#[derive(Args)]
pub struct CheckArgs {
    /// The settings to check.
    #[command(flatten)]
    pub settings: ServeArgs,

    /// Which of them were given, as flags or in the environment.
    #[arg(skip)]
    pub given: Vec<String>,
}

/// `vestibule check`: comes back with the report, and whether all is in order.
pub(super) fn run(args: CheckArgs, as_json: bool) -> Result<(String, bool), Failure> {
    let config = args.settings.check().map_err(Failure::usage)?;
    let report = CheckReport::of(&config)?;
    let text = if as_json { report.json(&args.given) } else { report.text(&args.given) };
    Ok((text, report.faults.is_empty()))
}

/// What the settings come to, what the database holds, and what is not in order.
struct CheckReport {
    /// Where the database is, and how many bytes it and its write-ahead log have, where it is a file.
    database: String,
    sizes: Option<(u64, u64)>,
    listen: Vec<String>,
    settings: Vec<(&'static str, String)>,
    counts: Vec<(&'static str, i64)>,
    notes: Vec<String>,
    faults: Vec<String>,
}

impl CheckReport {
    fn of(config: &Config) -> Result<Self, String> {
        let text = |err: store::Error| err.to_string();
        // Before it is opened, which may change both.
        let was_open = config.database.file().and_then(mode).is_some_and(|mode| mode & 0o077 != 0);
        let sizes = config.database.file().map(|it| (length(it), length(&with_suffix(it, "-wal"))));
        let store = open_at(&config.database, Access::Read)?;
        let mut settings = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        settings.extend(store.versions().map_err(text)?);
        settings.extend(config.facts());
        let mut faults = store.faults().map_err(text)?;
        faults.extend(config.database.file().and_then(exposed_folder));
        let mut notes: Vec<_> = config.warnings().into_iter().map(|it| it.told()).collect();
        if was_open {
            notes.push("others could read the database; its mode is 600 now".to_owned());
        }
        notes.extend(store.oddities().map_err(text)?);
        Ok(Self {
            database: place(&config.database),
            sizes,
            listen: config.listen.iter().map(ToString::to_string).collect(),
            settings,
            counts: store.counts().map_err(text)?,
            notes,
            faults,
        })
    }

    fn json(&self, given: &[String]) -> String {
        let settings = self.settings.iter().map(|(name, text)| (*name, typed(text)));
        let data = json!({
            "database": self.database,
            "database_bytes": self.sizes.map(|(database, _)| database),
            "log_bytes": self.sizes.map(|(_, log)| log),
            "listen": self.listen,
            "given": given,
            "settings": settings.collect::<BTreeMap<_, _>>(),
            "counts": self.counts.iter().copied().collect::<BTreeMap<_, _>>(),
            "notes": self.notes,
            "faults": self.faults,
            "in_order": self.faults.is_empty(),
        });
        format!("{data}\n")
    }

    fn text(&self, given: &[String]) -> String {
        let mut rows = vec![("database", self.database.clone())];
        if let Some((database, log)) = self.sizes {
            rows.extend([("size", size(database)), ("log_size", size(log))]);
        }
        rows.push(("listen", self.listen.join(",")));
        rows.extend(self.settings.iter().cloned());
        rows.extend(self.counts.iter().map(|(name, count)| (*name, count.to_string())));
        let line = |name: &str, it: &str| format!("{name:<18}{}\n", printable(it));
        let mut text: String = rows.iter().map(|(name, it)| line(name, it)).collect();
        for (kind, emphasis, all) in
            [("note", Emphasis::Warning, &self.notes), ("FAULT", Emphasis::Bad, &self.faults)]
        {
            for it in all {
                text += &emphasis.print(&format!("{kind:<18}"));
                text += &(printable(it) + "\n");
            }
        }
        let given = match given {
            [] => "none, so all have their defaults".to_owned(),
            given => format!("{}; all others have their defaults", given.join(", ")),
        };
        text += &line("settings given", &given);
        let others = "are not looked at: vestibule check --help says how to check with them";
        text += &line("a server's own", others);
        text + &match self.faults.len() {
            0 => Emphasis::Good.print("the database is in order"),
            _ => Emphasis::Bad.print("the database is NOT in order"),
        } + "\n"
    }
}

/// What a setting comes to, numbers as numbers.
fn typed(text: &str) -> Value {
    match (text, text.parse::<u64>()) {
        ("true" | "false", _) => (text == "true").into(),
        (_, Ok(number)) => number.into(),
        _ => text.into(),
    }
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |about| about.len())
}

/// So many bytes, in the unit that leaves few digits.
fn size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| bytes >= 10 * *unit) {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => counted(bytes, "byte"),
    }
}

fn mode(path: &Path) -> Option<u32> {
    path.metadata().ok().map(|about| about.mode())
}

/// Says so where every user of the machine may write to the folder: they could replace the database by another file.
fn exposed_folder(database: &Path) -> Option<String> {
    let folder = database.canonicalize().ok()?.parent()?.to_owned();
    let mode = mode(&folder)?;
    // In a folder like /tmp people can touch only what is theirs.
    let is_sticky = mode & 0o1000 != 0;
    let folder = folder.display();
    (mode & 0o002 != 0 && !is_sticky).then(|| {
        format!(
            "every user of this machine may write to {folder} and replace the database: chmod o-w {folder}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_size_with_few_digits() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (10_239, "10239 bytes"),
            (10_240, "10 KiB"),
            (10_485_760, "10 MiB"),
            (1 << 34, "16 GiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }
}
