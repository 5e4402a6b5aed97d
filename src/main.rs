//! vestibule: the entrance to your web app as one binary.
//!
//! `vestibule serve` opens the database, listens, and answers until it is told to stop. All settings come from flags,
//! the environment or a file of variables (`vestibule serve --help`); all data is in one SQLite file, or on MariaDB servers; the log goes
//! to standard error. Commands such as `vestibule user` work on the same database meanwhile; `vestibule import`
//! brings users over from another system, and `vestibule export` writes them out; `vestibule copy` copies everything
//! into another database; `vestibule proxy-config` writes the configuration of a reverse proxy that asks the server,
//! and `vestibule doctor` checks from outside whether the proxy guards an app.
//!
//! The order at start, each step refused with one line on standard error:
//!
//! 1. the settings are read and checked (exit code 2);
//! 2. the database is opened, created or upgraded (exit code 1);
//! 3. the socket is bound, and all threads can be started (exit code 1).
//!
//! SIGTERM, SIGINT, SIGQUIT and SIGHUP stop it: requests in flight are answered, the database is left in one file,
//! and the exit code is 0. Under nohup it ignores SIGHUP. Killing it loses nothing that was answered.
//!
//! `vestibule doctor` shares only the binary: it examines a running set-up over the network, as any client could,
//! writes its findings to standard output, and ends with 1 if anything is wrong.
//!
//! To audit it, read `lib.rs` first: it lists the layers in reading order and says what each of them
//! must not know.

use std::path::Path;
use std::process::ExitCode;

use mimalloc::MiMalloc;
use vestibule::base::clock::Moment;
use vestibule::cli::command_line::{CommandLine, Unread};
use vestibule::cli::output::Output;
use vestibule::cli::settings_file::DEFAULT_SETTINGS;
use vestibule::cli::{Failure, complain};
use vestibule::server;

/// The C library's allocator took a seventh of the time of a page.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    server::handle_file_size_limit();
    let mut out = Output::standard();
    let ended = match CommandLine::read(std::env::args_os(), Path::new(DEFAULT_SETTINGS)) {
        Ok(command) => command.run(&mut out, Moment::now),
        Err(Unread::Help(text)) => {
            out.print(text);
            Ok(ExitCode::SUCCESS)
        }
        Err(Unread::Wrong(text)) => Err(Failure::usage(text)),
    };
    // Why a command failed comes before what became of its output.
    let ended = match (ended, out.check()) {
        (Ok(_), Err(text)) => Err(Failure::from(text)),
        (ended, _) => ended,
    };
    ended.unwrap_or_else(|Failure { code, text }| {
        if !text.is_empty() {
            complain(&text);
        }
        ExitCode::from(code)
    })
}
