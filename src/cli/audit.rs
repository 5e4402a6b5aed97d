//! What happened that matters for security, as the server keeps it.

use std::io::Write;
use std::thread;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::{Access, find, open, printable};
use crate::base::clock::Moment;
use crate::cli::database::DatabaseArgs;
use crate::cli::serve::parse::period;
use crate::store::Record;

/// `vestibule audit`.
#[derive(Args)]
#[command(after_help = "Example:\n  vestibule audit --since 7d --user anna")]
pub struct AuditArgs {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    /// How far back to begin.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = period)]
    pub(crate) since: Duration,

    /// Only records of this user; the username in any spelling.
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,

    /// Keep printing new records until interrupted.
    #[arg(long)]
    pub(crate) follow: bool,

    /// Print one JSON object per line, for scripts.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Records that are read at once.
const PAGE: u32 = 1_000;

/// How often new records are looked for.
const PAUSE: Duration = Duration::from_millis(500);

/// `vestibule audit`: a line for each record. Returns at the end, when nothing more can be written to
/// `out`, or with one line about why it cannot go on.
pub(super) fn run(flags: &AuditArgs, out: &mut dyn Write, now: Moment) -> Result<(), String> {
    let store = open(&flags.database, Access::Read)?;
    let store = &*store;
    let user = flags.user.as_ref().map(|name| find(store, name)).transpose()?;
    let is_asked_for = |record: &Record| {
        let is_theirs = |id: &str| record.user_id.as_deref() == Some(id);
        user.as_ref().is_none_or(|user| is_theirs(user.id.as_str()))
    };
    let since = now.before(flags.since);
    let mut last = 0;
    loop {
        let page = store.records_after(last, since, PAGE).map_err(|err| err.to_string())?;
        let is_all = page.len() < PAGE as usize;
        for (id, record) in page {
            last = id;
            if is_asked_for(&record) && writeln!(out, "{}", line(&record, flags.json)).is_err() {
                return Ok(());
            }
        }
        match (is_all, flags.follow) {
            (true, false) => return Ok(()),
            (true, true) => thread::sleep(PAUSE),
            (false, _) => {}
        }
    }
}

fn line(it: &Record, as_json: bool) -> String {
    if as_json {
        let data = json!({
            "at": it.at.rfc3339(),
            "event": it.event,
            "user_id": it.user_id,
            "address": it.address,
            "session": it.session,
            "request": it.request,
            "detail": it.detail,
        });
        return data.to_string();
    }
    let named = |name: &str, value: &Option<String>| {
        value.as_ref().map_or(String::new(), |value| format!(" {name}={value}"))
    };
    let more = [named("uid", &it.user_id), named("ip", &it.address), named("sess", &it.session)];
    let detail = if it.detail.is_empty() { "" } else { " " };
    printable(&format!("{} {}{}{detail}{}", it.at.rfc3339(), it.event, more.concat(), it.detail))
}
