//! The tables of a database, up to date.

use clap::Args;

use super::change_report::ChangeReport;
use super::database::{DATABASE_SETTING, patiently, place, told};
use super::see_that_it_is_there;
use crate::cli::database::DatabaseArgs;
use crate::store;

/// `vestibule migrate`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule migrate --database mysql://admin@db1/vestibule --database-password-file password\n  \
    vestibule migrate --check --database vestibule.db\n\n\
    `vestibule serve` does this by itself, and so does the first change by a command to a SQLite file; all other \
    commands refuse an older schema. The command is for set-ups in which the database user of serve may not \
    change tables. Where there is no database yet, it is made.\n\
    Exit codes: 0 the schema is current; 1 it is not; 2 wrong usage.")]
pub struct MigrateArgs {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    /// Only say whether the schema is current.
    #[arg(long)]
    pub(crate) check: bool,
}

/// `vestibule migrate`: brings the tables of a database up to date, and makes them where there are none; or
/// only says whether they are up to date. With it comes whether they are then.
pub(super) fn run(flags: &MigrateArgs, as_json: bool) -> Result<(String, bool), String> {
    let database = flags.database.check()?;
    let text = |err: store::Error| told(&database, &err);
    let place = place(&database);
    if flags.check {
        see_that_it_is_there(&database, DATABASE_SETTING)?;
        let (number, newest) = patiently(&database, || store::schema(&database)).map_err(text)?;
        let is_current = number == newest;
        let sentence = if is_current {
            format!("{place} has the newest schema, {newest}")
        } else if number == 0 {
            format!("{place} has no tables yet: run vestibule migrate")
        } else {
            format!("{place} has schema {number}, the newest is {newest}: run vestibule migrate")
        };
        let report = report(sentence, place, (number, newest)).with("is_current", is_current);
        return Ok((report.text(as_json), is_current));
    }
    let migrated = patiently(&database, || store::migrate(&database));
    let (before, after) = migrated.map_err(text)?;
    let sentence = if before == 0 {
        format!("made a new database at {place}, with schema {after}; --database names another one")
    } else if before == after {
        format!("{place} has the newest schema already, {after}")
    } else {
        format!("{place} has schema {after} now, and had {before}")
    };
    let report = report(sentence, place, (after, after)).with("old_schema", before);
    let report = report.with("changed", before != after).with("is_current", true);
    Ok((report.text(as_json), true))
}

fn report(sentence: String, place: String, (schema, newest): (u32, u32)) -> ChangeReport {
    let report = ChangeReport::new(sentence).with("database", place);
    report.with("schema", schema).with("newest_schema", newest)
}
