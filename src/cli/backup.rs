//! `vestibule backup`: a copy of the database file that is complete as of one moment.

use std::path::{Path, PathBuf};

use clap::Args;

use super::change_report::ChangeReport;
use super::database::{DATABASE_SETTING, place, told};
use super::terminal::Meter;
use super::{Access, Failure, open_at, record_of, see_that_it_is_there};
use crate::auth::events::Event;
use crate::base::clock::Moment;
use crate::cli::database::DatabaseArgs;
use crate::store;

/// `vestibule backup`.
#[derive(Args)]
#[command(after_help = "Example:\n  vestibule backup /var/backups/vestibule-$(date +%F).db")]
pub struct BackupArgs {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    /// The file to write, with mode 0600; it must not exist yet.
    pub(crate) file: PathBuf,
}

/// `vestibule backup`: writes a copy that is complete as of one moment, and returns what was done.
/// A file that is there is never overwritten, and a database of an older schema stays as it is.
pub(super) fn run(flags: &BackupArgs, now: Moment) -> Result<ChangeReport, Failure> {
    let database = flags.database.check()?;
    let Some(from) = database.file() else {
        let text = "a server's database is backed up by its own tools, as mariadb-backup; and vestibule copy \
                    writes it into a file";
        return Err(Failure::usage(text.to_owned()));
    };
    see_that_it_is_there(&database, DATABASE_SETTING)?;
    let to: &Path = &flags.file;
    let mut meter = Meter::new();
    let backed_up = store::back_up(from, to, &mut |done, total| {
        meter.tell("pages copied", done, Some(total));
    });
    drop(meter);
    let (schema, newest) = backed_up.map_err(|err| told(&database, &err))?;
    let copied = format!("{} holds a copy of {database}; keep it as private as that", to.display());
    let is_current = schema == newest;
    let report = ChangeReport::new(copied)
        .with("database", place(&database))
        .with("file", to.display().to_string())
        .with("bytes", to.metadata().map_or(0, |it| it.len()))
        .with("schema", schema)
        .with("newest_schema", newest)
        .with("recorded", is_current);
    if !is_current {
        return Ok(report.and(format!(
            "Both have schema {schema}, and vestibule migrate leads to {newest}; until then no record of this is kept"
        )));
    }
    record_of(&*open_at(&database, Access::Read)?, Event::Backup, &[], now)?;
    Ok(report)
}
