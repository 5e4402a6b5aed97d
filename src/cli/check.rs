//! `vestibule check`: what the settings come to, and whether the database is in order.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::database::{patiently, place};
use super::sealing_key::told;
use super::terminal::Emphasis;
use super::variables::Variables;
use super::{Access, Failure, counted, database, open_at, printable};
use crate::auth::sealing;
use crate::base::new_file::{folder_of, with_suffix};
use crate::cli::serve::{Config, ServeArgs};
use crate::store::{self, Database, Preparation, Store};

/// `vestibule check`.
#[derive(Args)]
pub struct CheckArgs {
    /// The settings to check.
    #[command(flatten)]
    pub settings: ServeArgs,

    /// The settings file.
    #[command(flatten)]
    pub variables: Variables,

    /// Only check what keeps serve from starting: the settings, and whether the database can be opened, made or upgraded.
    /// It takes no longer for a large database, and passes one with faults with which serve starts all the same.
    #[arg(long)]
    pub before_start: bool,

    /// The settings as they are written, in the order of the help.
    #[arg(skip)]
    pub written: Vec<WrittenSetting>,
}

/// A setting as it was given, or as its default has it.
pub struct WrittenSetting {
    /// The name of the flag, with underscores.
    pub name: String,
    /// `None`: there is none, and no default.
    pub value: Option<String>,
    /// Where it was given.
    pub source: SettingSource,
}

/// Where a setting was given.
pub enum SettingSource {
    /// On the command line, by this flag.
    Flag(String),
    /// In the environment, by this variable.
    Variable(String),
    /// In a settings file.
    File {
        /// The variable.
        variable: String,
        /// Where the file is.
        path: PathBuf,
        /// The number of the line.
        line: usize,
    },
    /// Nowhere.
    Default,
}

impl SettingSource {
    /// The flag or the variable; `None`: it was not given.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Flag(name) | Self::Variable(name) | Self::File { variable: name, .. } => {
                Some(name)
            }
            Self::Default => None,
        }
    }

    /// The place, for the operator.
    fn place(&self) -> String {
        match self {
            Self::Flag(name) | Self::Variable(name) => name.clone(),
            Self::File { path, line, .. } => format!("{} line {line}", path.display()),
            Self::Default => "default".to_owned(),
        }
    }

    /// The place, for scripts.
    fn data(&self) -> Value {
        match self {
            Self::Flag(name) => json!({ "from": "flag", "name": name }),
            Self::Variable(name) => json!({ "from": "variable", "name": name }),
            Self::File { variable, path, line } => {
                json!({ "from": "file", "name": variable, "file": path.display().to_string(), "line": line })
            }
            Self::Default => json!({ "from": "default" }),
        }
    }
}

/// `vestibule check`: returns the report, and whether all is in order.
pub(super) fn run(args: CheckArgs, as_json: bool) -> Result<(String, bool), Failure> {
    let config = args.settings.check().map_err(Failure::usage)?;
    if args.before_start {
        let report = CheckReport::before_start(&config, args.written)?;
        let text = if as_json { report.json() } else { report.brief() };
        return Ok((text, report.faults.is_empty()));
    }
    let mut report = CheckReport::of(&config, args.written)?;
    report.settings_file = args.variables.file().map(|it| it.path().display().to_string());
    let text = if as_json { report.json() } else { report.text() };
    Ok((text, report.faults.is_empty()))
}

/// What the settings come to, what the database holds, and what is not in order.
struct CheckReport {
    /// Where the database is, and how many bytes it and its write-ahead log have, where it is a file.
    database: String,
    sizes: Option<(u64, u64)>,
    /// What serve does to it when it starts; what it holds is read only where that is nothing.
    preparation: Preparation,
    listen: Vec<String>,
    versions: Vec<(&'static str, String)>,
    settings_file: Option<String>,
    /// All settings of `serve` with their sources, in the order of its help.
    settings: Vec<(String, String, SettingSource)>,
    counts: Vec<(&'static str, i64)>,
    notes: Vec<String>,
    faults: Vec<String>,
}

impl CheckReport {
    fn of(config: &Config, written: Vec<WrittenSetting>) -> Result<Self, String> {
        let file = config.database.file();
        let is_open = || file.and_then(mode).is_some_and(|mode| mode & 0o077 != 0);
        // Before it is opened, which may change it.
        let was_open = is_open();
        let mut report = Self::of_settings(config, written)?;
        report.faults.extend(file.and_then(exposed_folder));
        if report.preparation == Preparation::Nothing {
            report.read(config)?;
        }
        if was_open && !is_open() {
            report.notes.push("others could read the database; its mode is 600 now".to_owned());
        }
        #[cfg(feature = "mail")]
        report.notes.extend(config.server.mail.as_ref().and_then(untaken_mail));
        Ok(report)
    }

    /// The report on what serve would refuse, and on nothing else.
    fn before_start(config: &Config, written: Vec<WrittenSetting>) -> Result<Self, String> {
        let mut report = Self::of_settings(config, written)?;
        if report.preparation == Preparation::Nothing {
            let store = open_at(&config.database, Access::Read)?;
            report.versions.extend(store.versions().map_err(|err| err.to_string())?);
            report.compare_key(config, &*store)?;
        }
        Ok(report)
    }

    /// What is known before the database is opened.
    fn of_settings(config: &Config, written: Vec<WrittenSetting>) -> Result<Self, String> {
        let file = config.database.file();
        let mut report = Self {
            database: place(&config.database),
            sizes: file.map(|it| (length(it), length(&with_suffix(it, "-wal")))),
            preparation: preparation(&config.database)?,
            listen: config.listen.iter().map(ToString::to_string).collect(),
            versions: vec![("version", env!("CARGO_PKG_VERSION").to_owned())],
            settings_file: None,
            settings: effective(config, written),
            counts: Vec::new(),
            notes: config.warnings().into_iter().map(|it| it.told()).collect(),
            faults: Vec::new(),
        };
        match report.preparation {
            Preparation::Nothing => {}
            Preparation::Make => report.versions.push(("schema", "0".to_owned())),
            Preparation::Upgrade { from, .. } => report.versions.push(("schema", from.to_string())),
        }
        Ok(report)
    }

    /// Adds what the database holds, and what is not in order in it.
    fn read(&mut self, config: &Config) -> Result<(), String> {
        let text = |err: store::Error| err.to_string();
        let store = open_at(&config.database, Access::Read)?;
        self.versions.extend(store.versions().map_err(text)?);
        self.counts = store.counts().map_err(text)?;
        self.notes.extend(store.oddities().map_err(text)?);
        self.faults.extend(store.faults().map_err(text)?);
        let key = config.web.sealing_key.as_ref();
        let (sealed, clear) = sealing::counts(&*store).map_err(text)?;
        self.compare_key(config, &*store)?;
        self.notes.extend(key.filter(|_| clear > 0).map(|_| in_the_clear(clear)));
        self.counts.push(("sealed_secrets", sealed));
        Ok(())
    }

    /// Adds it as a fault where secrets are not sealed with the key of the settings.
    fn compare_key(&mut self, config: &Config, store: &dyn Store) -> Result<(), String> {
        let key = config.web.sealing_key.as_ref();
        let mismatch = sealing::mismatch(store, key).map_err(|err| err.to_string())?;
        self.faults.extend(mismatch.map(|it| told(&it, key)));
        Ok(())
    }

    fn json(&self) -> String {
        let settings = self.shown().map(|(name, text, _)| match &**name {
            // What a visitor reads is a text, whatever is in it.
            "title" | "help_text" => (&**name, text.clone().into()),
            name => (name, typed(text)),
        });
        let mut data = json!({
            "database": self.database,
            "database_bytes": self.sizes.map(|(database, _)| database),
            "log_bytes": self.sizes.map(|(_, log)| log),
            "listen": self.listen,
            "settings_file": self.settings_file,
            "given": self.settings.iter().filter_map(|it| it.2.name()).collect::<Vec<_>>(),
            "sources": self.settings.iter().map(|it| (&*it.0, it.2.data())).collect::<BTreeMap<_, _>>(),
            "settings": settings.collect::<BTreeMap<_, _>>(),
            "counts": self.counts.iter().copied().collect::<BTreeMap<_, _>>(),
            "notes": self.notes,
            "faults": self.faults,
            "in_order": self.faults.is_empty(),
            "at_start": match self.preparation {
                Preparation::Nothing => "nothing",
                Preparation::Make => "make",
                Preparation::Upgrade { .. } => "upgrade",
            },
        });
        for (name, version) in &self.versions {
            data[*name] = typed(version);
        }
        format!("{data}\n")
    }

    /// What stands above the settings.
    fn heading(&self) -> String {
        let given: Vec<_> = self.settings.iter().filter_map(|it| it.2.name()).collect();
        match &*given {
            [] => "all of serve's; none is given, so they have their defaults:".to_owned(),
            given => format!(
                "all of serve's; given are {}, and the others have their defaults:",
                given.join(", ")
            ),
        }
    }

    /// The settings that are shown in a list: all but those that stand above it.
    fn shown(&self) -> impl Iterator<Item = &(String, String, SettingSource)> {
        self.settings.iter().filter(|it| !["database", "listen"].contains(&&*it.0))
    }

    /// Where a setting was given, as it stands behind its value.
    fn source(&self, name: &str) -> String {
        let found = self.settings.iter().find(|it| it.0 == name);
        let given = found.filter(|it| it.2.name().is_some());
        given.map_or(String::new(), |it| format!("  ({})", it.2.place()))
    }

    fn text(&self) -> String {
        let mut rows = vec![("database", self.database.clone() + &self.source("database"))];
        if let Some((database, log)) = self.sizes {
            rows.extend([("size", size(database)), ("log_size", size(log))]);
        }
        rows.extend(self.versions.iter().cloned());
        rows.extend(self.counts.iter().map(|(name, count)| (*name, count.to_string())));
        rows.push(("listen", self.listen.join(",") + &self.source("listen")));
        rows.extend(self.settings_file.clone().map(|it| ("settings_file", it)));
        let line = |name: &str, it: &str| format!("{name:<18}{}\n", printable(it));
        let mut text: String = rows.iter().map(|(name, it)| line(name, it)).collect();
        text += &line("settings", &self.heading());
        text.extend(self.shown().map(|(name, it, _)| {
            line(&format!("  {name:<24}"), &(it.clone() + &self.source(name)))
        }));
        text += &self.findings();
        let others =
            "the settings of a running server; vestibule check --help says how to check with them";
        text += &line("not looked at", others);
        text + &self.verdict("the database is in order") + "\n"
    }

    /// The findings alone.
    fn brief(&self) -> String {
        self.findings() + &self.verdict("vestibule serve can start on the database") + "\n"
    }

    /// Notes and faults.
    fn findings(&self) -> String {
        let mut text = String::new();
        for (kind, emphasis, all) in
            [("note", Emphasis::Warning, &self.notes), ("FAULT", Emphasis::Bad, &self.faults)]
        {
            for it in all {
                text += &emphasis.print(&format!("{kind:<18}"));
                text += &(printable(it) + "\n");
            }
        }
        text
    }

    /// The last line; `in_order`: what there is to say where nothing is wrong, and nothing to be done.
    fn verdict(&self, in_order: &str) -> String {
        let good = match self.preparation {
            _ if !self.faults.is_empty() => {
                return Emphasis::Bad.print("the database is NOT in order");
            }
            Preparation::Nothing => in_order.to_owned(),
            Preparation::Make => {
                "there is no database yet: vestibule serve makes it when it starts".to_owned()
            }
            Preparation::Upgrade { from, to } => format!(
                "the database is older: vestibule serve upgrades it from schema {from} to {to} when it starts"
            ),
        };
        Emphasis::Good.print(&good)
    }
}

/// What serve will do to the database when it starts. An error is one line.
fn preparation(database: &Database) -> Result<Preparation, String> {
    let found = patiently(database, || store::preparation(database));
    found.map_err(|err| database::told(database, &err))
}

/// What the settings come to: what the program makes of them, or else how they are written.
fn effective(
    config: &Config,
    written: Vec<WrittenSetting>,
) -> Vec<(String, String, SettingSource)> {
    let limits = &config.server.limits;
    let mut facts = config.facts();
    facts
        .extend([("workers", limits.workers.to_string()), ("hashers", limits.hashers.to_string())]);
    // The relay is shown without a password that is in its address.
    #[cfg(feature = "mail")]
    if let Some(fact) = facts.iter_mut().find(|(name, _)| *name == "mail") {
        config.relay().unwrap_or("none").clone_into(&mut fact.1);
    }
    let told = |it: WrittenSetting| {
        let fact = facts.iter().find(|(name, _)| *name == it.name).map(|(_, fact)| fact.clone());
        let value = match &*it.name {
            // Shown by themselves, and the database without a password that is in its address.
            "database" | "listen" => String::new(),
            _ => fact.or(it.value).unwrap_or_else(|| "none".to_owned()),
        };
        (it.name, value, it.source)
    };
    written.into_iter().map(told).collect()
}

/// What a setting comes to, numbers as numbers.
fn typed(text: &str) -> Value {
    match (text, text.parse::<u64>()) {
        ("true" | "false", _) => (text == "true").into(),
        (_, Ok(number)) => number.into(),
        _ => text.into(),
    }
}

/// Says so where secrets were stored before there was a key.
fn in_the_clear(count: i64) -> String {
    let secrets = counted(count, "secret");
    format!("{secrets} of authenticator apps in the clear; vestibule key apply seals what is there")
}

/// Says so where no mail would be taken. It is no fault: nothing but mail waits for it.
#[cfg(feature = "mail")]
fn untaken_mail(mail: &crate::server::mailer::MailConfig) -> Option<String> {
    let cause = mail.try_out().err()?;
    let todo = "mails wait until it does; vestibule mail test ADDRESS says more";
    Some(format!("{} takes no mail: {cause}; {todo}", mail.place()))
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
    let folder = match database.canonicalize() {
        Ok(whole) => whole.parent()?.to_owned(),
        Err(_) => folder_of(database).canonicalize().ok()?,
    };
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
