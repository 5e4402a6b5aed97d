//! `vestibule copy`: everything into another database.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::records::of_command;
use super::terminal::Meter;
use super::variables::Variables;
use super::{Done, Failure, record_of, see_that_it_is_there, table};
use crate::auth::events::Event;
use crate::base::clock::Moment;
use crate::base::log_fields;
use crate::cli::database::{read, told};
use crate::store::{self, Database, Row, Store};

/// `vestibule copy`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule copy --from vestibule.db --to mysql://vestibule@db1,db2,db3/vestibule --to-password-file password\n  \
    vestibule copy --from mysql://vestibule@db1/vestibule --to vestibule.db\n\n\
    A DATABASE is what --database of serve takes: a file, or MariaDB servers. Passwords for servers are in \
    files or in VESTIBULE_DATABASE_PASSWORD, and never an argument.\n\
    Everything is copied as it is: ids, passwords, sessions, access tokens, invitations, reset links, reserved \
    names, known browsers, failed attempts, the audit log and the random keys; everyone stays signed in. Stop the server \
    first, as what it writes meanwhile is not copied, and start it afterwards with the new --database. The \
    source stays as it is, except for a record in its audit log. A server refuses a copy that was interrupted; run \
    the command again, and it starts over.\n\
    Exit codes: 0 done, and both databases have the same number of rows; 1 not done; 2 wrong usage.")]
pub struct CopyArgs {
    /// The database to copy.
    #[arg(long, value_name = "DATABASE")]
    // Read later, as a refusal by the library would repeat it, with its password.
    from: OsString,

    /// The database to copy to, which must have no users. A missing file and missing tables are created.
    #[arg(long, value_name = "DATABASE")]
    to: OsString,

    /// File with the password for the servers of --from.
    #[arg(long, value_name = "FILE")]
    from_password_file: Option<PathBuf>,

    /// File with the password for the servers of --to.
    #[arg(long, value_name = "FILE")]
    to_password_file: Option<PathBuf>,

    /// Where the password may be as well.
    #[command(flatten)]
    variables: Variables,
}

/// What is to be copied.
struct Copying {
    from: Database,
    to: Database,
}

impl CopyArgs {
    /// `vestibule copy`: returns what to print.
    pub(super) fn run(self, as_json: bool, now: Moment) -> Result<String, Failure> {
        let order = self.order().map_err(Failure::usage)?;
        Ok(copy(&order, as_json, now)?)
    }

    fn order(self) -> Result<Copying, String> {
        let (from_file, to_file) = (&self.from_password_file, &self.to_password_file);
        let from = read("from", &self.from, from_file.as_deref(), &self.variables, true)?;
        let to = read("to", &self.to, to_file.as_deref(), &self.variables, true)?;
        if from.is_same(&to) {
            return Err(format!("--from and --to are one database, {from}"));
        }
        Ok(Copying { from, to })
    }
}

/// Rows that are written at once.
const BATCH: usize = 1_000;

/// How many rows there are of each table.
type Rows = BTreeMap<&'static str, u64>;

/// Copies everything in a database to another one without users, and returns what to print once the rows of both are
/// counted.
///
/// An interrupted copy leaves a database that cannot be served; the next copy into it starts over.
fn copy(order: &Copying, as_json: bool, now: Moment) -> Done {
    let begun = Instant::now();
    let text = |err: store::Error| err.to_string();
    let Copying { from, to } = order;
    // Checked first, before this process opens the database.
    let is_in_use = store::is_in_use(from);
    see_that_it_is_there(from, "--from")?;
    let source = store::open_to_read(from).map_err(|err| told(from, &err))?;
    let rows = source.rows().map_err(text)?;
    if rows.contains(&("user", 0)) {
        return Err(format!("there are no users in {from}; there is nothing to copy"));
    }
    let target = store::open_for_copy(to).map_err(|err| told(to, &err))?;
    target.begin_copy().map_err(|err| format!("cannot copy into {to}: {err}"))?;
    let total = rows.iter().map(|(_, count)| count).sum();
    let rows = fill(&*source, &*target, total).map_err(|text| {
        format!("{text}; {to} is copied in half: run it again, and it begins anew")
    })?;
    let (said_from, said_to) = (from.to_string(), to.to_string());
    let sum = rows.values().sum::<u64>().to_string();
    let arrival = log_fields::text(&[("from", &*said_from), ("rows", &*sum)]);
    target.end_copy(&[of_command(Event::Copy, &arrival, now)]).map_err(text)?;
    record_of(&*source, Event::Copy, &[("to", &*said_to), ("rows", &*sum)], now)?;
    let seconds = begun.elapsed().as_secs_f64();
    if as_json {
        let data = json!({
            "from": said_from,
            "to": said_to,
            "rows": rows,
            "seconds": seconds,
            "from_is_in_use": is_in_use,
        });
        return Ok(format!("{data}\n"));
    }
    Ok(report(order, &rows, is_in_use, seconds))
}

/// What was copied, and how.
fn report(order: &Copying, rows: &Rows, is_in_use: Option<bool>, seconds: f64) -> String {
    let Copying { from, to } = order;
    let lines = store::TABLES.map(|name| vec![name.to_owned(), rows[name].to_string()]);
    let note = match is_in_use {
        Some(false) => "",
        Some(true) => {
            "The server was not stopped: what it has written since the copy began is not in it.\n"
        }
        None => {
            "What a server that was not stopped has written since the copy began is not in it.\n"
        }
    };
    let sum: u64 = rows.values().sum();
    format!(
        "{}\n{sum} rows of {from} are in {to}, after {seconds:.1} s. No user is signed out.\n{note}\
         Next: serve with what --to says as --database. Keep the old one, as private as the new one, until \
         that is well.\n",
        table(&["table", "rows"], &lines)
    )
}

/// Copies all rows, of which there are about `total`, and says how many once they are there.
fn fill(source: &dyn Store, target: &dyn Store, total: u64) -> Result<Rows, String> {
    let text = |err: store::Error| err.to_string();
    let mut read: Rows = store::TABLES.into_iter().map(|name| (name, 0)).collect();
    let mut batch: Vec<Row> = Vec::with_capacity(BATCH);
    let (mut meter, mut copied) = (Meter::new(), 0);
    let shown = source.each_row(&mut |row| {
        *read.entry(row.table()).or_default() += 1;
        batch.push(row);
        if batch.len() == BATCH {
            target.add_rows(&batch)?;
            batch.clear();
            copied += BATCH as u64;
            meter.tell("rows copied", copied, Some(total));
        }
        Ok(())
    });
    shown.and_then(|()| target.add_rows(&batch)).map_err(text)?;
    drop(meter);
    // The source may have changed since; the rows that were read count.
    let differing: Vec<_> = target
        .rows()
        .map_err(text)?
        .into_iter()
        .filter(|(name, count)| read[name] != *count)
        .map(|(name, count)| format!("{name} has {count} rows, and {} were read", read[name]))
        .collect();
    if differing.is_empty() { Ok(read) } else { Err(differing.join(", ")) }
}
