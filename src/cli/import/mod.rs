//! Importing users from another system without their noticing: their passwords work, and they stay signed in.
//!
//! Decides who can be imported as they are, who cannot and why, and what the operator is told. Nothing is dropped
//! silently: whatever is not imported is counted, with the reason.
//!
//! Each source turns its rows into one form (`candidate.rs`); from there on all are treated alike: it is decided who
//! can be imported (`validate.rs`), they are written, and the outcome is reported (`report.rs`).

mod attributes;
mod authelia;
mod candidate;
mod csv;
mod disabled;
mod flags;
pub mod foreign_db;
mod groups;
mod htpasswd;
mod moments;
mod passkeys;
mod reasons;
mod rename;
mod report;
mod table_text;
mod text_file;
mod validate;
mod vestibule;

use std::io::{BufRead, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::output::Output;
use super::records::of_command;
use super::sealing_key::told;
use super::terminal::watched;
use super::{Access, Failure, counted, open_at};
use crate::auth::events::Event;
use crate::auth::sealing;
use crate::auth::usernames::NameKind;
use crate::base::clock::Moment;
use crate::base::file_fault::writing;
use crate::base::log_fields;
use crate::base::new_file::NewFile;
use crate::base::sealing::{SealingKey, StoredSecret};
use crate::store::{self, Database, ImportStatus, ImportedUser, Progress, Record, Store};
use candidate::Candidate;
pub use csv::CsvOptions;
pub use flags::ImportArgs;
use foreign_db::{ColumnChoice, LuciaTables, NameSource, TableNames};
use reasons::{Reason, SourceRow};
use report::Report;
use text_file::TextFile;
use validate::Arrival;

/// What users are imported from.
pub enum Source {
    /// A SQLite database of Lucia v2.
    Lucia {
        /// Its tables; `None`: they are found by their columns.
        tables: Option<LuciaTables>,
        /// What becomes the sign-in name; `None`: `username`, a key or an address.
        username: Option<NameSource>,
    },
    /// A SQLite database of Lucia v3.
    LuciaV3 {
        /// Its tables, as far as they are not found by their columns.
        tables: TableNames,
        /// Its columns, as far as they are not found.
        columns: ColumnChoice,
    },
    /// A SQLite database of better-auth.
    BetterAuth {
        /// Its tables, as far as they are not found by their columns.
        tables: TableNames,
        /// Its columns, as far as they are not found.
        columns: ColumnChoice,
        /// The secret by which secrets of apps are encrypted; `None`: second factors are left behind.
        secret: Option<String>,
        /// The domain for which its passkeys were made; `None`: that is not known.
        rp_id: Option<String>,
    },
    /// What `htpasswd` of Apache writes.
    Htpasswd,
    /// A table as text.
    Csv(CsvOptions),
    /// What `vestibule export` writes.
    Vestibule,
}

impl Source {
    /// Its name on the command line and in the audit log.
    const fn name(&self) -> &'static str {
        match self {
            Self::Lucia { .. } => "lucia",
            Self::LuciaV3 { .. } => "lucia-v3",
            Self::BetterAuth { .. } => "better-auth",
            Self::Htpasswd => "htpasswd",
            Self::Csv(_) => "csv",
            Self::Vestibule => "vestibule",
        }
    }

    /// What to try where no user has a password.
    const fn hash_hint(&self) -> &'static str {
        match self {
            Self::LuciaV3 { .. } | Self::BetterAuth { .. } => {
                "; --hash COLUMN says where the password hashes are"
            }
            Self::Csv(_) => "; --hash COLUMN names the column of password hashes",
            Self::Lucia { .. } | Self::Htpasswd | Self::Vestibule => "",
        }
    }
}

/// What is to be imported, and how.
pub struct ImportOrder {
    /// The source.
    pub source: Source,
    /// The file; `-` is standard input, where it is a text.
    pub file: PathBuf,
    /// Only report what would be imported.
    pub dry_run: bool,
    /// Leave out users who cannot be imported as they are.
    pub skip_conflicts: bool,
    /// Report as JSON.
    pub json: bool,
    /// What the names of users are.
    pub names: NameKind,
    /// The file with new names for users whose names cannot be kept.
    pub rename: Option<PathBuf>,
    /// Where to list all users, if anywhere.
    pub report: Option<PathBuf>,
    /// The server's database.
    pub database: Database,
    /// The key with which secrets are sealed; `None`: they are stored in the clear.
    pub sealing_key: Option<SealingKey>,
    /// The domain for which the site makes passkeys; `None`: that is not known.
    pub passkey_domain: Option<String>,
}

/// The outcome of an import.
pub struct ImportOutcome {
    /// What to print.
    pub report: String,
    /// Why nothing was written although it should have been: one line.
    pub refusal: Option<String>,
}

impl ImportArgs {
    /// `vestibule import`: prints the report.
    pub(super) fn run(
        self,
        as_json: bool,
        out: &mut Output,
        now: Moment,
    ) -> Result<ExitCode, Failure> {
        let mut input = std::io::stdin().lock();
        let order = self.order(as_json).map_err(Failure::usage)?;
        let outcome = watched(|progress| bring(&order, &mut input, now, progress))?;
        out.print(outcome.report);
        match outcome.refusal {
            None => Ok(ExitCode::SUCCESS),
            Some(text) => Err(text.into()),
        }
    }
}

/// Imports all users or none. An error is one line, and nothing is written then.
///
/// A user who exists by the same id and name is left as they are; by the same name, if the source has no ids.
/// Sessions that are dead at `now` are left out. `input` is what is read for the file `-`.
pub fn bring(
    order: &ImportOrder,
    input: &mut dyn BufRead,
    now: Moment,
    progress: Progress<'_>,
) -> Result<ImportOutcome, String> {
    let listing = order.report.as_deref().map(ReportFile::begin).transpose()?;
    let mut report = Report::of(listing.is_some());
    report.is_dry_run = order.dry_run;
    report.passkey_domain.clone_from(&order.passkey_domain);
    let mut candidates = read(order, input, &mut report, now, progress)?;
    if let Some(path) = &order.rename {
        rename::rename(&mut candidates, path, order.names)?;
    }
    let arrivals = validate::validate(candidates, order.names, &mut report, now);
    let (users, about) = split(arrivals, order.sealing_key.as_ref());
    admit(order, &users, about, &mut report, now, progress)?;
    let refusal = is_refused(order, &report).then(|| {
        format!(
            "{} cannot come over as they are, and nothing was written; --rename FILE gives new names, and \
             --skip-conflicts leaves them out",
            counted(report.conflicts(), "user")
        )
    });
    report.is_written = !order.dry_run && refusal.is_none() && report.users.new > 0;
    if let Some(file) = listing {
        file.finish(&report)?;
    }
    Ok(ImportOutcome { report: if order.json { report.json() } else { report.text() }, refusal })
}

/// Whether no user is imported, as one of them cannot be.
fn is_refused(order: &ImportOrder, report: &Report) -> bool {
    !order.skip_conflicts && report.conflicts() > 0
}

/// Imports all users who can be imported, unless the import is refused or only tried, and notes the outcome of each
/// in the report.
fn admit(
    order: &ImportOrder,
    users: &[ImportedUser],
    about: Vec<About>,
    report: &mut Report,
    now: Moment,
    progress: Progress<'_>,
) -> Result<(), String> {
    let text = |err: store::Error| err.to_string();
    // An import that is only tried creates no database, and leaves the tables of an existing one as they are.
    let only_looks = order.dry_run || is_refused(order, report);
    let store = open(&order.database, only_looks)?;
    let key = order.sealing_key.as_ref();
    if let Some(store) = store.as_deref().filter(|_| users.iter().any(has_second_factor)) {
        let mismatch =
            if only_looks { sealing::mismatch(store, key) } else { sealing::claim(store, key) };
        if let Some(mismatch) = mismatch.map_err(text)? {
            return Err(told(&mismatch, key));
        }
    }
    let standings = match &store {
        None => vec![ImportStatus::New; users.len()],
        Some(store) if only_looks => store.import_status(users, now).map_err(text)?,
        Some(store) => {
            let record = |found: &[ImportStatus]| record_of(order, users, found, now);
            store.import_users(users, order.skip_conflicts, now, &record, progress).map_err(text)?
        }
    };
    for ((user, about), standing) in users.iter().zip(about).zip(&standings) {
        report.count(user, about, standing);
    }
    Ok(())
}

const fn has_second_factor(it: &ImportedUser) -> bool {
    it.second_factor.is_some()
}

/// What the audit log keeps of an import; `None`: no user is new.
fn record_of(
    order: &ImportOrder,
    users: &[ImportedUser],
    found: &[ImportStatus],
    now: Moment,
) -> Option<Record> {
    let is_new = |(_, it): &(&ImportedUser, &ImportStatus)| **it == ImportStatus::New;
    let new: Vec<_> = users.iter().zip(found).filter(is_new).map(|(user, _)| user).collect();
    let count =
        |of: fn(&ImportedUser) -> usize| new.iter().map(|it| of(it)).sum::<usize>().to_string();
    let detail = log_fields::text(&[
        ("from", order.source.name()),
        ("users", &new.len().to_string()),
        ("keys", &count(|it| it.keys.len())),
        ("sessions", &count(|it| it.sessions.len())),
    ]);
    (!new.is_empty()).then(|| of_command(Event::Import, &detail, now))
}

/// Where the source has a user, and what the operator should know of them.
type About = (SourceRow, Vec<Reason>);

/// What the store gets, and what the report keeps of each user.
fn split(arrivals: Vec<Arrival>, key: Option<&SealingKey>) -> (Vec<ImportedUser>, Vec<About>) {
    arrivals.into_iter().map(|it| (sealed(it.user, key), (it.row, it.reasons))).unzip()
}

/// The user with the secret of their app sealed, if there is a key.
fn sealed(mut user: ImportedUser, key: Option<&SealingKey>) -> ImportedUser {
    let app = user.second_factor.as_mut().and_then(|it| it.totp.as_mut());
    if let Some(app) = app.filter(|_| key.is_some()) {
        let id = user.user.id.as_str();
        let stored = StoredSecret::from_stored(std::mem::take(&mut app.secret));
        let secret = stored.open(id, None).expect("an import has it in the clear");
        app.secret = StoredSecret::new(&secret, id, key).as_stored().to_vec();
    }
    user
}

/// The file of `--report`, which gets its name when it is complete.
struct ReportFile<'a> {
    path: &'a Path,
    file: NewFile,
}

impl<'a> ReportFile<'a> {
    /// Begins the file, before anything is read or written.
    fn begin(path: &'a Path) -> Result<Self, String> {
        match NewFile::create(path) {
            Ok(file) => Ok(Self { path, file }),
            Err(err) if err.kind() == ErrorKind::AlreadyExists => Err(format!(
                "the file of --report exists already: {}; remove it, or name another one",
                path.display()
            )),
            Err(err) => Err(format!("cannot write {}: {}", path.display(), writing(&err))),
        }
    }

    /// Writes a line for every user.
    fn finish(self, report: &Report) -> Result<(), String> {
        let done = report.write_all_users(self.file.file()).and_then(|()| self.file.finish());
        done.map_err(|err| {
            let is_done = if report.is_written {
                "the users are imported, but the report is lost: "
            } else {
                ""
            };
            format!("{is_done}cannot write {}: {}", self.path.display(), writing(&err))
        })
    }
}

/// The database to import into. `None`: there is none, and none is created to look at.
fn open(database: &Database, only_looks: bool) -> Result<Option<Box<dyn Store>>, String> {
    match database.file() {
        Some(path) if only_looks && !path.exists() => Ok(None),
        _ if only_looks => open_at(database, Access::Read).map(Some),
        _ => open_at(database, Access::Add).map(Some),
    }
}

/// All users in the file, in the one form.
fn read(
    order: &ImportOrder,
    input: &mut dyn BufRead,
    report: &mut Report,
    now: Moment,
    progress: Progress<'_>,
) -> Result<Vec<Candidate>, String> {
    report.hash_hint = order.source.hash_hint();
    let old = match &order.source {
        Source::Lucia { tables, username } => {
            foreign_db::lucia_v2(&order.file, tables.as_ref(), username.as_ref(), now, progress)
        }
        Source::LuciaV3 { tables, columns } => {
            foreign_db::lucia_v3(&order.file, tables, columns, now, progress)
        }
        Source::BetterAuth { tables, columns, secret, rp_id } => {
            let known = (secret.as_deref(), rp_id.as_deref());
            foreign_db::better_auth(&order.file, tables, columns, known, now, progress)
        }
        Source::Htpasswd => {
            return htpasswd::read(TextFile::open(&order.file, input)?, report, progress);
        }
        Source::Csv(options) => {
            let text = TextFile::open(&order.file, input)?;
            let mut all = csv::read(text, options, report, now, progress)?;
            if let Some(file) = &options.passkeys {
                authelia::add_passkeys(&mut all, file, report, now)?;
            }
            return Ok(all);
        }
        Source::Vestibule => return vestibule::read(TextFile::open(&order.file, input)?, progress),
    };
    Ok(foreign_db::candidates(old?, report, now))
}
