//! What an operator types: the commands, their flags, and what each of them does, on the database of a server
//! that may be running.
//!
//! The highest layer: it may know everything, and nothing below knows that a command line exists. Decides what
//! is printed and with which exit code. Every change is one transaction that a running server sees at its next
//! request, and leaves a record in the audit log.

pub mod config;
mod database;
mod environment;
mod manual;
pub mod output;
mod user;
mod keys;
mod access_token;
mod invite;
mod audit;
mod backup;
mod migrate;
mod copy;
mod export;
pub mod export_format;
pub mod import;
pub mod proxy_config;
pub mod doctor;

use std::fmt::Write;

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::auth::events::Event;
use crate::auth::users::{self, Username};
use crate::base::clock::Moment;
use crate::server::log;
use crate::store::{self, Database, Groups, Record, Store, User};

pub use access_token::{session, token};
pub use audit::audit;
pub use backup::{backup, check, restore};
pub use copy::copy;
pub use database::DatabaseFlags;
pub use export::export;
pub use invite::invite;
pub use migrate::migrate;
pub use user::user;

/// Why something was not done, as one line.
type Done = Result<String, String>;

/// What a command does with a database.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    /// It reads, and leaves the tables as they are. An older schema is refused.
    Read,
    /// It changes what is there: a mistyped path must not make a new database.
    Change,
    /// It adds something, and makes the database where there is none.
    Add,
}

fn open(flags: &DatabaseFlags, access: Access) -> Result<Box<dyn Store>, String> {
    open_at(&flags.check()?, access)
}

fn open_at(database: &Database, access: Access) -> Result<Box<dyn Store>, String> {
    if access != Access::Add {
        see_that_it_is_there(database, "--database")?;
    }
    let opened = match access {
        Access::Read => store::open_to_read(database),
        Access::Change | Access::Add => store::open_beside(database),
    };
    opened.map_err(|err| err.to_string())
}

fn see_that_it_is_there(database: &Database, flag: &str) -> Result<(), String> {
    match database.file() {
        Some(path) if !path.exists() => {
            Err(format!("there is no database {database}; say which with {flag}"))
        }
        _ => Ok(()),
    }
}

fn find(store: &dyn Store, name: &str) -> Result<User, String> {
    let found = match Username::for_sign_in(name) {
        Some(name) => users::by_any_name(store, &name).map_err(|err| err.to_string())?,
        None => None,
    };
    found.ok_or_else(|| format!("there is no user {name}"))
}

/// A text as a terminal may show it: nothing in it moves the cursor.
pub fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// Rows under headings, in columns that are as wide as they have to be on a terminal, where some
/// characters take two cells and some none.
fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| printable(&row[column]).width());
        cells.chain([headings[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..headings.len()).map(width).collect();
    let mut text = String::new();
    let mut line = |cells: &[String]| {
        let pad = |cell: &str, width: &usize| cell.to_owned() + &" ".repeat(width - cell.width());
        let padded = cells.iter().zip(&widths).map(|(cell, width)| pad(&printable(cell), width));
        let line = padded.collect::<Vec<_>>().join("  ");
        writeln!(text, "{}", line.trim_end()).expect("a string takes whatever is written to it");
    };
    line(&headings.iter().map(|it| (*it).to_uppercase()).collect::<Vec<_>>());
    for row in rows {
        line(row);
    }
    text
}

/// A number of things, as in `1 session` and `2 sessions`.
fn counted(count: impl std::fmt::Display, thing: &str) -> String {
    let count = count.to_string();
    let ending = if count == "1" { "" } else { "s" };
    format!("{count} {thing}{ending}")
}

/// Data for scripts: an object a line.
fn lines(data: impl Iterator<Item = Value>) -> String {
    data.fold(String::new(), |mut text, it| {
        writeln!(text, "{it}").expect("a string takes whatever is written to it");
        text
    })
}

/// Keeps what was done to a user in the audit trail.
fn record(
    store: &dyn Store,
    user: &User,
    (event, fields): (Event, &[(&str, &str)]),
    now: Moment,
) -> Result<(), String> {
    let mut record = Record::of_program(event.name(), log::fields(fields), now);
    record.user_id = Some(user.id.as_str().to_owned());
    keep(store, record)
}

/// Keeps what was done to nobody in particular.
fn record_of(
    store: &dyn Store,
    event: Event,
    fields: &[(&str, &str)],
    now: Moment,
) -> Result<(), String> {
    keep(store, Record::of_program(event.name(), log::fields(fields), now))
}

fn keep(store: &dyn Store, record: Record) -> Result<(), String> {
    store.add_records(&[record]).map_err(|err| format!("it is done, but not on record: {err}"))
}

fn read_groups(text: &str) -> Result<Groups, String> {
    users::groups(text).ok_or_else(|| {
        "a group is 1 to 63 characters of a-z, 0-9, dots, hyphens and underscores, and nobody is in \
         more than a hundred, with 2,048 characters in all"
            .to_owned()
    })
}

/// A QR code in characters of half a line, for a terminal that writes light on dark; telephones read it
/// the other way round as well.
fn drawn(text: &str) -> Done {
    let code = QrCode::new(text).map_err(|err| format!("the link cannot be drawn: {err}"))?;
    let light = Dense1x2::Light;
    let image = code.render::<Dense1x2>().dark_color(light).light_color(Dense1x2::Dark).build();
    Ok(format!("\n{image}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_one_thing_as_one() {
        let all = [0, 1, 2].map(|count| counted(count, "session"));
        assert_eq!(all, ["0 sessions", "1 session", "2 sessions"]);
    }

    #[test]
    fn aligns_columns_whatever_cells_a_character_takes() {
        let names =
            ["anna", "\u{5c71}\u{7530}\u{592a}\u{90ce}", "e\u{301}ve", "\u{1f46a}x", "a\u{7}b"];
        let rows: Vec<_> = names.iter().map(|it| vec![(*it).to_owned(), "x".to_owned()]).collect();
        let table = table(&["name", "id"], &rows);
        let starts: Vec<_> = table.lines().map(|line| line[..line.len() - 1].width()).collect();
        // The last heading is one letter longer.
        assert_eq!(starts, [11, 10, 10, 10, 10, 10], "{table}");
    }
}
