//! `vestibule key`: what an operator does with the keys that seal secrets.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::change_report::ChangeReport;
use crate::base::file_fault::writing;
use crate::base::new_file::NewFile;
use crate::base::sealing::SealingKey;

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
}

/// `vestibule key`: returns what was done; the error is one line about why it is not.
pub(super) fn run(args: &SealingKeyArgs) -> Result<ChangeReport, String> {
    match &args.action {
        SealingKeyAction::New { file } => make(file),
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
