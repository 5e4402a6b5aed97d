//! `vestibule session`: lists and ends sessions.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Access, Done, counted, find, lines, open, record, table};
use crate::auth::events::Event;
use crate::auth::sessions;
use crate::base::clock::Moment;
use crate::cli::database::DatabaseArgs;
use crate::store::Store;

/// `vestibule session`.
#[derive(Args)]
#[command(after_help = "Example:\n  vestibule session end-all anna")]
pub struct SessionArgs {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    /// What to do.
    #[command(subcommand)]
    pub(crate) action: SessionAction,
}

/// What can be done with sessions.
#[derive(Subcommand)]
pub enum SessionAction {
    /// List the live sessions of a user.
    #[command(after_help = "Example:\n  vestibule session list anna")]
    List {
        /// The username, in any spelling.
        name: String,
        /// Print one JSON object per line, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// End one session of a user.
    #[command(after_help = "Example:\n  vestibule session end anna 3fa9c1d20b7e4a65")]
    End {
        /// The username, in any spelling.
        name: String,
        /// Its handle, as listed.
        handle: String,
    },
    /// End all sessions of a user.
    #[command(after_help = "Example:\n  vestibule session end-all anna")]
    EndAll {
        /// The username, in any spelling.
        name: String,
    },
    /// Delete all dead sessions, as the server also does by itself.
    #[command(after_help = "Example:\n  vestibule session purge")]
    Purge,
}

/// Sessions that are deleted in one transaction, so that nobody waits long behind it.
const BATCH: u32 = 500;

/// `vestibule session`: comes back with what to print, or with one line about why it is not done.
pub(super) fn run(flags: SessionArgs, now: Moment) -> Done {
    let access = match flags.action {
        SessionAction::List { .. } => Access::Read,
        _ => Access::Change,
    };
    let store = open(&flags.database, access)?;
    let store = &*store;
    match flags.action {
        SessionAction::List { name, json } => list(store, &name, json, now),
        SessionAction::End { name, handle } => {
            let user = find(store, &name)?;
            let found = sessions::by_handle(store, &user.id, &handle, now)
                .map_err(|err| err.to_string())?;
            let session = found.ok_or_else(|| format!("{name} has no session {handle}"))?;
            sessions::end(store, &session.id).map_err(|err| err.to_string())?;
            record(store, &user, (Event::SessionEnd, &[("ended", &session.id.handle())]), now)?;
            Ok("1 session ended\n".to_owned())
        }
        SessionAction::EndAll { name } => {
            let user = find(store, &name)?;
            let count = sessions::end_all(store, &user.id).map_err(|err| err.to_string())?;
            record(store, &user, (Event::SessionEnd, &[("sessions", &count.to_string())]), now)?;
            Ok(format!("{} ended\n", counted(count, "session")))
        }
        SessionAction::Purge => purge(store, now),
    }
}

fn list(store: &dyn Store, name: &str, as_json: bool, now: Moment) -> Done {
    let user = find(store, name)?;
    let all = sessions::of_user(store, &user.id, now).map_err(|err| err.to_string())?;
    if as_json {
        let data = all.iter().map(|it| {
            json!({
                "handle": it.id.public_handle(),
                "created_at": it.created_at.rfc3339(),
                "seen_at": it.seen_at.rfc3339(),
                "idle_expires": it.idle_expires.rfc3339(),
                "browser": it.place.browser,
                "address": it.place.address,
            })
        });
        return Ok(lines(data));
    }
    let rows: Vec<_> = all
        .iter()
        .map(|it| {
            vec![
                it.id.public_handle(),
                it.created_at.minute(),
                it.seen_at.minute(),
                it.place.browser.clone(),
                it.place.address.clone(),
            ]
        })
        .collect();
    Ok(table(&["handle", "since", "last seen", "browser", "address"], &rows))
}

/// Deletes what is dead, in batches.
fn purge(store: &dyn Store, now: Moment) -> Done {
    let mut count = 0;
    loop {
        let deleted = sessions::delete_dead(store, BATCH, now).map_err(|err| err.to_string())?;
        count += deleted;
        if deleted < BATCH as usize {
            return Ok(format!("{} deleted\n", counted(count, "dead session")));
        }
    }
}
