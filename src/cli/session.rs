//! `vestibule session`: lists and ends sessions.

use clap::{Args, Subcommand};

use super::change_report::ChangeReport;
use super::find::{UserArg, find};
use super::records::record;
use super::table::{counted, printable, table};
use super::{Access, Done, Failure, account_values, lines, open};
use crate::auth::events::Event;
use crate::auth::sessions;
use crate::base::clock::Moment;
use crate::cli::database::DatabaseArgs;
use crate::store::{Session, Store, User};
use crate::web::json;

/// `vestibule session`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule session list anna\n  \
    # by the handle that the log and vestibule audit show\n  \
    vestibule session end 0b7e4a65\n  \
    vestibule session end-all anna\n\n\
    NAME is a username or a sign-in name in any spelling, or the id of a user.\n\n\
    Exit codes: 0 done; 1 not done, or there is no such user or session; 2 wrong usage.")]
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
        /// The user.
        #[command(flatten)]
        user: UserArg,
    },
    /// End one session.
    #[command(after_help = "Examples:\n  \
        vestibule session end anna 3fa9c1d20b7e4a65\n  \
        # by the handle that the log and vestibule audit show\n  \
        vestibule session end 0b7e4a65")]
    End {
        /// The handle of the session: 16 hex digits as listed, or 8 as in the log and the audit log. Or first the
        /// user whose session it has to be, by name or id, and then the handle.
        #[arg(value_name = "HANDLE|NAME", value_parser = account_values::user)]
        word: String,
        /// The handle, if a user comes first.
        #[arg(value_name = "HANDLE", value_parser = account_values::handle)]
        handle: Option<String>,
    },
    /// End all sessions of a user.
    #[command(after_help = "Example:\n  vestibule session end-all anna")]
    EndAll {
        /// The user.
        #[command(flatten)]
        user: UserArg,
    },
    /// Delete all expired sessions, as the server does every ten minutes.
    #[command(after_help = "Example:\n  vestibule session purge")]
    Purge,
}

/// Sessions that are deleted in one transaction, so that no request waits long behind it.
const BATCH: u32 = 500;

/// `vestibule session`: returns what to print; the error is one line about why it is not done.
pub(super) fn run(flags: SessionArgs, as_json: bool, now: Moment) -> Result<String, Failure> {
    let access = match flags.action {
        SessionAction::List { .. } => Access::Read,
        _ => Access::Change,
    };
    let store = open(&flags.database, access)?;
    let store = &*store;
    let report = match flags.action {
        SessionAction::List { user } => {
            return Ok(list(store, &find(store, &user.name)?, as_json, now)?);
        }
        SessionAction::End { word, handle } => end(store, &word, handle.as_deref(), now)?,
        SessionAction::EndAll { user } => end_all(store, &find(store, &user.name)?, now)?,
        SessionAction::Purge => purge(store, now)?,
    };
    Ok(report.text(as_json))
}

/// Ends the session that is named: by its handle, or by its user and its handle.
fn end(
    store: &dyn Store,
    word: &str,
    handle: Option<&str>,
    now: Moment,
) -> Result<ChangeReport, Failure> {
    let (handle, owner) = match handle {
        Some(handle) => (handle.to_owned(), Some(find(store, word)?)),
        None => match account_values::handle(word) {
            Ok(handle) => (handle, None),
            Err(rule) => return Err(Failure::usage(no_handle(store, word, &rule))),
        },
    };
    let (user, session) = the_one(store, &handle, owner.as_ref(), now)?;
    sessions::end(store, &session.id).map_err(|err| err.to_string())?;
    record(store, &user, (Event::SessionEnd, &[("ended", &session.id.handle())]), now)?;
    let place = place(&session);
    let sentence = format!("1 session of {} ended{place}", user.username);
    let report = ChangeReport::of(&user, sentence).with("handle", session.id.public_handle());
    Ok(report.with("sessions_ended", 1))
}

/// The one session with this handle, of this owner if one is named, and its user.
fn the_one(
    store: &dyn Store,
    handle: &str,
    owner: Option<&User>,
    now: Moment,
) -> Result<(User, Session), String> {
    let mut found = sessions::all_by_handle(store, handle, now).map_err(|err| err.to_string())?;
    found.retain(|(user, _)| owner.is_none_or(|owner| user.id == owner.id));
    match (found.pop(), found.pop(), owner) {
        (Some(one), None, _) => Ok(one),
        (Some(_), Some(_), _) => Err(format!(
            "several sessions have the handle {handle}; vestibule session list has longer ones"
        )),
        (None, _, Some(owner)) => {
            let name = printable(&owner.username);
            Err(format!(
                "{name} has no session {handle}; vestibule session list {name} shows those there are"
            ))
        }
        (None, _, None) => Err(format!(
            "there is no live session {handle}; vestibule session list shows those of a user"
        )),
    }
}

/// Why a word alone names no session: it may be the user whose sessions are meant. `rule` says what a handle is.
fn no_handle(store: &dyn Store, word: &str, rule: &str) -> String {
    let word = printable(word);
    match find(store, &word) {
        Ok(_) => format!(
            "say which session of {word}, as vestibule session list {word} shows them; or vestibule session \
             end-all {word} ends them all"
        ),
        Err(_) => format!("{word} is neither a handle nor a user: {rule}"),
    }
}

/// What a session is recognised by, in brackets.
fn place(session: &Session) -> String {
    let known = [&*session.place.browser, &*session.place.address];
    let known: Vec<_> = known.into_iter().filter(|it| !it.is_empty()).collect();
    if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) }
}

fn end_all(store: &dyn Store, user: &User, now: Moment) -> Result<ChangeReport, String> {
    let live = sessions::of_user(store, &user.id, now).map_err(|err| err.to_string())?.len();
    sessions::end_all(store, &user.id).map_err(|err| err.to_string())?;
    record(store, user, (Event::SessionEnd, &[("sessions", &live.to_string())]), now)?;
    let sentence = format!("{} of {} ended", counted(live, "session"), user.username);
    Ok(ChangeReport::of(user, sentence).with("sessions_ended", live))
}

fn list(store: &dyn Store, user: &User, as_json: bool, now: Moment) -> Done {
    let all = sessions::of_user(store, &user.id, now).map_err(|err| err.to_string())?;
    if as_json {
        let data = all.iter().map(|it| {
            let mut data = json::session(it, now);
            data["log_handle"] = it.id.handle().into();
            data
        });
        return Ok(lines(data));
    }
    if all.is_empty() {
        return Ok(format!("{} has no live session\n", printable(&user.username)));
    }
    let row = |it: &Session| {
        vec![
            it.id.public_handle(),
            it.id.handle(),
            it.created_at.minute(),
            it.seen_at.minute(),
            it.place.browser.clone(),
            it.place.address.clone(),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    Ok(table(&["handle", "in the log", "since", "last seen", "browser", "address"], &rows))
}

/// Deletes what is dead, in batches.
fn purge(store: &dyn Store, now: Moment) -> Result<ChangeReport, String> {
    let mut count = 0;
    loop {
        let deleted = sessions::delete_dead(store, BATCH, now).map_err(|err| err.to_string())?;
        count += deleted;
        if deleted < BATCH as usize {
            let report = ChangeReport::new(format!("{} deleted", counted(count, "dead session")));
            return Ok(report.with("dead_sessions_deleted", count));
        }
    }
}
