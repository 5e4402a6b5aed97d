//! `vestibule restore`: a backup in the place of the database.

use std::path::PathBuf;

use clap::Args;

use super::change_report::ChangeReport;
use super::database::place;
use super::records::of_command;
use super::terminal::{Meter, confirm};
use super::{Failure, counted};
use crate::auth::events::Event;
use crate::base::clock::Moment;
use crate::base::file_fault;
use crate::base::log_fields;
use crate::cli::database::DatabaseArgs;
use crate::cli::serve::NameRestArgs;
use crate::store::{self, Database, Restored};

/// `vestibule restore`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  vestibule restore /var/backups/vestibule-2026-11-25.db --yes\n\n\
    Stop the server first. What was there before is kept beside it, as DATABASE.before-restore-TIME; the \
    new file has its owner, group and mode, or else those of the folder."
)]
pub struct RestoreArgs {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    /// The backup to restore.
    pub(crate) file: PathBuf,

    /// Restore sessions, access tokens, invitations and reset links as well, even those that have ended since the
    /// backup.
    #[arg(long)]
    pub(crate) keep_sessions: bool,

    /// Replace an existing database without asking for confirmation.
    #[arg(long)]
    pub(crate) yes: bool,

    /// How long the names of accounts stay reserved that are not in the backup.
    #[command(flatten)]
    pub(crate) rest: NameRestArgs,
}

/// `vestibule restore`: puts a backup in the place of a database that no process uses.
pub(super) fn run(flags: &RestoreArgs, now: Moment) -> Result<ChangeReport, Failure> {
    let database = flags.database.check()?;
    let Some(to) = database.file() else {
        let text = "a server's database is restored by its own tools, as mariadb-backup";
        return Err(Failure::usage(text.to_owned()));
    };
    let from = flags.file.display();
    // Before the question, which would be in vain without a backup.
    std::fs::metadata(&flags.file)
        .map_err(|err| format!("cannot read {from}: {}", file_fault::reading(&err)))?;
    if to.exists() {
        // Before the question, which would be in vain.
        store::refuse_in_use(to).map_err(|err| err.to_string())?;
        let what = format!("{} would be moved aside, and {from} take its place", place(&database));
        confirm(&what, flags.yes)?;
    }
    let record = |sessions: usize| {
        let (from, sessions) = (from.to_string(), sessions.to_string());
        let fields = [("from", &*from), ("sessions_left_out", &*sessions)];
        of_command(Event::Restore, &log_fields::text(&fields), now)
    };
    let rests_until = flags.rest.rest().end(now);
    let mut meter = Meter::new();
    let mut progress = |done, total| meter.tell("pages copied", done, Some(total));
    let keeps = flags.keep_sessions;
    let restored = store::restore(&flags.file, to, keeps, rests_until, &record, &mut progress, now);
    drop(meter);
    let restored = restored.map_err(|err| err.to_string())?;
    Ok(told(&restored, &database, &from.to_string()))
}

fn told(restored: &Restored, database: &Database, from: &str) -> ChangeReport {
    let left_out = counted(restored.sessions, "session");
    let kept: Vec<_> = restored.kept.iter().map(|it| it.display().to_string()).collect();
    let mut report =
        ChangeReport::new(format!("{database} is as {from} was; left out: {left_out}"))
            .with("database", place(database))
            .with("from", from)
            .with("sessions_left_out", restored.sessions)
            .with("names_reserved", restored.names)
            .with("schema", restored.schemas[1])
            .with("kept", kept.clone());
    let names = match restored.names {
        Some(0) => None,
        Some(1) => Some("1 name stays reserved".to_owned()),
        Some(count) => Some(format!("{count} names stay reserved")),
        None => Some("the names of accounts there could not be read, and none is reserved".into()),
    };
    let schema = match restored.schemas {
        [before, after, _] if before < after => Some(format!(
            "it was upgraded from schema {before} to {after}, as the older one cannot reserve names"
        )),
        [_, schema, newest] if schema < newest => Some(format!(
            "it has schema {schema} again, which vestibule serve upgrades to {newest}"
        )),
        _ => None,
    };
    let kept = kept.into_iter().map(|it| format!("what was there before is {it}"));
    for sentence in names.into_iter().chain(schema).chain(kept) {
        report = report.and(sentence);
    }
    report
}
