//! The tables of a database, up to date.

use super::see_that_it_is_there;
use crate::cli::config::MigrateFlags;
use crate::store;

/// `vestibule migrate`: brings the tables of a database up to date, and makes them where there are none; or
/// only says whether they are up to date. With it comes whether they are then.
pub fn migrate(flags: &MigrateFlags) -> Result<(String, bool), String> {
    let text = |err: store::Error| err.to_string();
    let database = flags.database.check()?;
    if flags.check {
        see_that_it_is_there(&database, "--database")?;
        let (number, newest) = store::schema(&database).map_err(text)?;
        return Ok(if number == newest {
            (format!("{database} has the newest schema, {newest}\n"), true)
        } else {
            let advice = "run vestibule migrate";
            (format!("{database} has schema {number}, the newest is {newest}: {advice}\n"), false)
        });
    }
    let (before, after) = store::migrate(&database).map_err(text)?;
    Ok((
        if before == 0 {
            format!("{database} is made, with schema {after}\n")
        } else if before == after {
            format!("{database} has the newest schema already, {after}\n")
        } else {
            format!("{database} has schema {after} now, and had {before}\n")
        },
        true,
    ))
}
