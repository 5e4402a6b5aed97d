//! `vestibule key`: what an operator does with the keys that seal secrets, and what commands say about a key that does
//! not go with the database.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::change_report::ChangeReport;
use super::database::DatabaseArgs;
use super::records::record_of;
use super::serve::SealKeyArgs;
use super::table::counted;
use super::terminal::Meter;
use super::{Access, Failure, open};
use crate::auth::events::Event;
use crate::auth::sealing::{self, Resealed, Resealing, SealMismatch};
use crate::base::clock::Moment;
use crate::base::file_fault::writing;
use crate::base::new_file::NewFile;
use crate::base::sealing::{SealingKey, handle_of};
use crate::store::Store;

/// `vestibule key`.
#[derive(Args)]
#[command(after_help = "Example:\n  vestibule key new /etc/vestibule/seal.key\n\n\
    Exit codes: 0 done; 1 not done; 2 wrong usage.")]
pub struct SealingKeyArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) action: SealingKeyAction,
}

/// What can be done with keys that seal secrets.
#[derive(Subcommand)]
pub enum SealingKeyAction {
    /// Make a new random key in a file that only its owner can read. Keep a copy of it apart from the database and its
    /// backups: what is sealed with a key cannot be read without it.
    #[command(after_help = "Examples:\n  \
        vestibule key new /etc/vestibule/seal.key\n  \
        # for a server that runs as another user\n  \
        vestibule key new seal.key && install -m 600 -o vestibule seal.key /etc/vestibule/seal.key && rm seal.key\n\n\
        The file is one line of 64 hex digits. In its place systemd can hand over a credential \
        (LoadCredential=) with that content.")]
    New {
        /// The file to write, with mode 0600; it must not exist yet.
        file: PathBuf,
    },
    /// Seal all secrets of authenticator apps with the key in --seal-key-file, also those that are sealed with the key
    /// in --from; without --seal-key-file, store them in the clear again. The server may run, but it has to be started
    /// with the new key at once: with the old one it cannot verify codes any more, recovery codes excepted. If it is
    /// broken off, no server starts until it was run again to its end.
    #[command(after_help = "Examples:\n  \
        # seal what is in the clear\n  \
        vestibule key apply --seal-key-file /etc/vestibule/seal.key\n  \
        # replace the key\n  \
        vestibule key apply --seal-key-file new.key --from /etc/vestibule/seal.key\n  \
        # unseal\n  \
        vestibule key apply --from /etc/vestibule/seal.key")]
    Apply {
        /// Where the database is.
        #[command(flatten)]
        database: DatabaseArgs,
        /// The new key.
        #[command(flatten)]
        key: SealKeyArgs,
        /// File with the key that secrets are sealed with now.
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
}

/// `vestibule key`: returns what was done; the error is one line about why it is not.
pub(super) fn run(args: &SealingKeyArgs, now: Moment) -> Result<ChangeReport, Failure> {
    match &args.action {
        SealingKeyAction::New { file } => Ok(make(file)?),
        SealingKeyAction::Apply { database, key, from } => {
            let key = key.read().map_err(Failure::usage)?;
            let from = from.as_deref().map(SealingKey::read_file).transpose();
            let from = from.map_err(|cause| Failure::usage(format!("--from: {cause}")))?;
            refuse_contradiction(key.as_ref(), from.as_ref()).map_err(Failure::usage)?;
            let store = open(database, Access::Change)?;
            apply(&*store, key.as_ref(), from.as_ref(), now)
        }
    }
}

fn refuse_contradiction(key: Option<&SealingKey>, from: Option<&SealingKey>) -> Result<(), String> {
    match (key, from) {
        (None, None) => Err(
            "say with --seal-key-file which key to seal with, or with --from which one to unseal with"
                .to_owned(),
        ),
        (Some(key), Some(from)) if key.check_value() == from.check_value() => Err(format!(
            "--seal-key-file and --from hold one key, {}; to unseal, leave out --seal-key-file and \
             VESTIBULE_SEAL_KEY_FILE",
            key.handle()
        )),
        _ => Ok(()),
    }
}

/// Seals or unseals all secrets.
fn apply(
    store: &dyn Store,
    key: Option<&SealingKey>,
    from: Option<&SealingKey>,
    now: Moment,
) -> Result<ChangeReport, Failure> {
    let mut meter = Meter::new();
    let what = if key.is_some() { "secrets sealed" } else { "secrets unsealed" };
    let done = sealing::reseal(store, key, from, &mut |count| meter.tell(what, count as u64, None));
    drop(meter);
    let done = match done.map_err(|err| err.to_string())? {
        Resealing::Done(done) => done,
        Resealing::Mismatch(mismatch) => return Err(told_before_apply(&mismatch).into()),
    };
    let [to_handle, from_handle] = [key, from].map(|it| it.map(SealingKey::handle));
    let count = done.changed.to_string();
    let mut facts = vec![("secrets", &*count)];
    let named = [("to", &to_handle), ("from", &from_handle)];
    facts.extend(named.into_iter().filter_map(|(name, it)| Some((name, it.as_deref()?))));
    record_of(store, Event::KeyApply, &facts, now)?;
    refuse_unreadable(&done)?;
    let secrets = counted(done.changed, "secret");
    let sentence = match &to_handle {
        Some(handle) => format!(
            "{secrets} sealed with the key {handle}, and all others were; start every server with it now, and run this \
             again if one stored secrets meanwhile"
        ),
        None => format!(
            "{secrets} unsealed, and all others were in the clear; start every server without --seal-key-file now, and \
             run this again if one sealed secrets meanwhile"
        ),
    };
    let report = ChangeReport::new(sentence).with("secrets", done.changed);
    Ok(report.with("handle", to_handle).with("from", from_handle))
}

/// An error if secrets can be read with neither key.
fn refuse_unreadable(done: &Resealed) -> Result<(), String> {
    let Some(first) = done.unreadable.first() else { return Ok(()) };
    Err(format!(
        "{} done; neither key opens {}, as of the user {}: moved, altered, or sealed with a third key; run this again with \
         that one as --from, or let the user set up a new app: vestibule user second-factor {} off",
        counted(done.changed, "secret"),
        counted(done.unreadable.len(), "secret"),
        first.as_str(),
        first.as_str()
    ))
}

fn told_before_apply(mismatch: &SealMismatch) -> String {
    match mismatch {
        SealMismatch::Unfinished(..) => told(mismatch, None),
        SealMismatch::NoKey(sealed_with) | SealMismatch::WrongKey(sealed_with) => format!(
            "secrets are sealed with {}: give the file with that key as --from",
            key_of(sealed_with.as_ref())
        ),
    }
}

fn key_of(check_value: Option<&[u8; 32]>) -> String {
    check_value.map_or("another key".to_owned(), |it| format!("the key {}", handle_of(it)))
}

/// Why a server does not start with this key, or a command is not run, in one sentence that says what to do.
pub(super) fn told(mismatch: &SealMismatch, key: Option<&SealingKey>) -> String {
    let given = key.map_or("no key".to_owned(), |it| format!("the key {}", it.handle()));
    match mismatch {
        SealMismatch::NoKey(sealed_with) => format!(
            "secrets in the database are sealed with {}, and no key is given: set --seal-key-file to the file with it; \
             vestibule key apply --from FILE unseals them",
            key_of(sealed_with.as_ref())
        ),
        SealMismatch::WrongKey(sealed_with) => format!(
            "secrets in the database are sealed with {}, and --seal-key-file holds {given}: set it to the file with the \
             right one; vestibule key apply --seal-key-file NEW --from OLD replaces a key",
            key_of(sealed_with.as_ref())
        ),
        SealMismatch::Unfinished(from, to) => format!(
            "replacing the key {} by the key {} was broken off: run vestibule key apply --seal-key-file NEW --from OLD \
             with these two again",
            handle_of(from),
            handle_of(to)
        ),
    }
}

/// Refuses a key that does not go with the secrets in the database.
pub(super) fn see_that_it_fits(store: &dyn Store, key: Option<&SealingKey>) -> Result<(), Failure> {
    refuse(sealing::mismatch(store, key), key)
}

/// Notes the key of a server that starts, or of a command that stores secrets; refuses one that does not go with those
/// in the database.
pub(super) fn claim(store: &dyn Store, key: Option<&SealingKey>) -> Result<(), Failure> {
    refuse(sealing::claim(store, key), key)
}

fn refuse(
    mismatch: crate::store::Result<Option<SealMismatch>>,
    key: Option<&SealingKey>,
) -> Result<(), Failure> {
    match mismatch.map_err(|err| err.to_string())? {
        None => Ok(()),
        Some(SealMismatch::Unfinished(from, to)) => {
            Err(told(&SealMismatch::Unfinished(from, to), key).into())
        }
        Some(mismatch) => Err(Failure::usage(told(&mismatch, key))),
    }
}

fn make(path: &Path) -> Result<ChangeReport, String> {
    let name = path.display().to_string();
    let failed = |err: std::io::Error| format!("cannot write {name}: {}", writing(&err));
    let file = NewFile::create(path).map_err(failed)?;
    let key = SealingKey::random();
    file.file().write_all(key.reveal().as_bytes()).map_err(failed)?;
    file.finish().map_err(failed)?;
    let handle = key.handle();
    let sentence = format!(
        "{name} holds the new key {handle}; keep a copy apart from the database, as nothing else opens what it seals"
    );
    Ok(ChangeReport::new(sentence).with("file", name).with("handle", handle))
}
