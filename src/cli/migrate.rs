//! The tables of a database, up to date.

use clap::Args;

use super::database::{patiently, place, told};
use super::see_that_it_is_there;
use crate::cli::database::DatabaseArgs;
use crate::store;

/// `vestibule migrate`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule migrate --database mysql://admin@db1/vestibule --database-password-file password\n  \
    vestibule migrate --check --database vestibule.db\n\n\
    `vestibule serve` and the commands that write do this by themselves, and those that only read refuse an \
    older schema. The command is for set-ups in which the database user of serve may not change tables. Where \
    there is no database yet, it is made.\n\
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
pub(super) fn run(flags: &MigrateArgs) -> Result<(String, bool), String> {
    let database = flags.database.check()?;
    let text = |err: store::Error| told(&database, &err);
    if flags.check {
        see_that_it_is_there(&database, "--database")?;
        let (number, newest) = patiently(&database, || store::schema(&database)).map_err(text)?;
        return Ok(if number == newest {
            (format!("{database} has the newest schema, {newest}\n"), true)
        } else {
            let advice = "run vestibule migrate";
            (format!("{database} has schema {number}, the newest is {newest}: {advice}\n"), false)
        });
    }
    let migrated = patiently(&database, || store::migrate(&database));
    let (before, after) = migrated.map_err(text)?;
    let database = place(&database);
    Ok((
        if before == 0 {
            format!(
                "made a new database at {database}, with schema {after}; --database names another one\n"
            )
        } else if before == after {
            format!("{database} has the newest schema already, {after}\n")
        } else {
            format!("{database} has schema {after} now, and had {before}\n")
        },
        true,
    ))
}
