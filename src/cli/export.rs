//! All users as lines of JSON.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::change_report::ChangeReport;
use super::database::place;
use super::sealing_key::see_that_it_fits;
use super::serve::SealKeyArgs;
use super::terminal::Meter;
use super::{Access, counted, open, record_of};
use crate::auth::events::Event;
use crate::base::clock::Moment;
use crate::base::file_fault::writing;
use crate::base::new_file::NewFile;
use crate::base::sealing::{SealingKey, StoredSecret};
use crate::base::totp::TotpSecret;
use crate::cli::database::DatabaseArgs;
use crate::cli::export_format::{self, ExportCounts, LINE_BYTES_MAX};
use crate::store::{ExportedUser, Store};

/// `vestibule export`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule export --sessions people.jsonl\n  \
    vestibule export | gzip > people.jsonl.gz\n\n\
    The first line says what follows, then there is one line per user, and the last line has their number; \
    times are milliseconds since 1970. `vestibule import vestibule FILE` reads it back. It holds password \
    hashes, the secrets of authenticator apps in the clear, for which sealed ones need --seal-key-file, and with \
    --sessions the hashes of session tokens: keep it more private than the database.\n\
    It does not hold access tokens, invitations, reset links, reserved names, known browsers and the audit \
    log; a `vestibule backup` does.")]
pub struct ExportArgs {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    /// The file to write, with mode 0600; it must not exist yet. Without it, standard output, unless that is a
    /// terminal. With --json, the numbers of what was written to the file are printed.
    pub(crate) file: Option<PathBuf>,

    /// Include live sessions, so that users stay signed in.
    #[arg(long)]
    pub(crate) sessions: bool,

    /// The key that opens the secrets of authenticator apps.
    #[command(flatten)]
    pub(crate) key: SealKeyArgs,
}

/// `vestibule export`: writes all users to the file, and returns what is in it; or to `out` if none is
/// named. A file that is there is never overwritten, and a terminal is shown nothing.
pub fn run(
    flags: &ExportArgs,
    out: &mut dyn Write,
    is_terminal: bool,
    now: Moment,
) -> Result<Option<ChangeReport>, String> {
    let file = flags.file.as_ref().filter(|it| it.as_os_str() != "-");
    if file.is_none() && is_terminal {
        return Err(
            "an export holds hashes of passwords and is not for a terminal; name a file, or \
                    send it on with > or |"
                .to_owned(),
        );
    }
    let key = flags.key.read()?;
    let store = open(&flags.database, Access::Read)?;
    let store = &*store;
    see_that_it_fits(store, key.as_ref()).map_err(|it| it.text)?;
    let living = flags.sessions.then_some(now);
    let counts = match file {
        None => write(store, key.as_ref(), out, living, now)?,
        Some(path) => write_file(store, key.as_ref(), path, living, now)?,
    };
    let ExportCounts { users, keys, sessions } = counts;
    let [said_users, said_keys, said_sessions] = [users, keys, sessions].map(|it| it.to_string());
    let facts = [("users", &*said_users), ("keys", &*said_keys), ("sessions", &*said_sessions)];
    record_of(store, Event::Export, &facts, now)?;
    let Some(path) = file.map(|it| it.display().to_string()) else { return Ok(None) };
    let database = flags.database.check()?;
    let held = [(users, "user"), (keys, "key"), (sessions, "session")];
    let [held_users, held_keys, held_sessions] = held.map(|(count, thing)| counted(count, thing));
    let sentence = format!(
        "{path} holds {held_users}, {held_keys} and {held_sessions}; keep it as private as {database}"
    );
    let report = ChangeReport::new(sentence).with("database", place(&database)).with("file", path);
    Ok(Some(report.with("users", users).with("keys", keys).with("sessions", sessions)))
}

/// Writes all users into a new file that no other user of the machine may read.
fn write_file(
    store: &dyn Store,
    key: Option<&SealingKey>,
    path: &Path,
    living: Option<Moment>,
    now: Moment,
) -> Result<ExportCounts, String> {
    let failed =
        |err: std::io::Error| format!("cannot write {}: {}", path.display(), writing(&err));
    let file = NewFile::create(path).map_err(failed)?;
    let counts = write(store, key, &mut file.file(), living, now)?;
    file.finish().map_err(failed)?;
    Ok(counts)
}

/// The secret of the app of a user in the clear, if they have one.
fn secret_of(it: &ExportedUser, key: Option<&SealingKey>) -> Result<Option<TotpSecret>, String> {
    let Some(app) = it.second_factor.as_ref().and_then(|it| it.totp.as_ref()) else {
        return Ok(None);
    };
    let user = it.user.id.as_str();
    let stored = StoredSecret::from_stored(app.secret.clone());
    let todo = "vestibule user second-factor turns it off";
    let failed = |fault| format!("the second factor of user {user}: {fault}; {todo}");
    stored.open(user, key).map(Some).map_err(failed)
}

/// How many users there are.
fn users(store: &dyn Store) -> Result<u64, String> {
    let counts = store.counts().map_err(|err| err.to_string())?;
    let users = counts.iter().find(|(name, _)| *name == "users");
    Ok(users.map_or(0, |(_, count)| count.unsigned_abs()))
}

fn write(
    store: &dyn Store,
    key: Option<&SealingKey>,
    out: &mut dyn Write,
    living: Option<Moment>,
    now: Moment,
) -> Result<ExportCounts, String> {
    let has_sessions = living.is_some();
    let failed = |err: std::io::Error| format!("cannot write the export: {err}");
    let mut out = BufWriter::with_capacity(256 * 1024, out);
    writeln!(out, "{}", export_format::header(has_sessions, now)).map_err(failed)?;
    let mut counts = ExportCounts::default();
    let mut fault = None;
    let (mut meter, total) = (Meter::new(), users(store)?);
    let shown = store.each_user(living, &mut |it| {
        let line = secret_of(&it, key)
            .map(|secret| export_format::person(&it, secret.as_ref(), has_sessions));
        counts.add(&it);
        meter.tell("users exported", counts.users, Some(total));
        let line = match line {
            Ok(line) => line,
            Err(why) => {
                fault = Some(why);
                return false;
            }
        };
        fault = if line.len() > LINE_BYTES_MAX {
            Some(format!("user {} has more to them than a line takes", it.user.id.as_str()))
        } else {
            writeln!(out, "{line}").err().map(failed)
        };
        fault.is_none()
    });
    shown.map_err(|err| err.to_string())?;
    if let Some(fault) = fault {
        return Err(fault);
    }
    writeln!(out, "{}", export_format::end(&counts)).and_then(|()| out.flush()).map_err(failed)?;
    Ok(counts)
}
