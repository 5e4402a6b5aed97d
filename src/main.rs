//! vestibule: the entrance to your web app as one binary.
//!
//! `vestibule serve` opens the database, listens, and answers until it is told to stop. All it
//! needs comes from flags or the environment (`vestibule serve --help`); all it keeps is one SQLite
//! file; all it says goes to standard error. `vestibule user` works on the same file while it serves;
//! `vestibule import` brings people over into it from another system, and `vestibule export` writes
//! them out; `vestibule copy` moves everything into another database; `vestibule proxy-config` writes what a reverse proxy needs to ask it, and `vestibule
//! doctor` looks from outside whether that holds.
//!
//! The order at start, each step refused with one line on standard error:
//!
//! 1. the settings are read and checked (exit code 2);
//! 2. the database is opened, made or upgraded (exit code 1);
//! 3. the socket is bound, and all threads can be had (exit code 1).
//!
//! SIGTERM, SIGINT and SIGHUP stop it: requests in flight are answered, the database is left in one file,
//! and the exit code is 0. Under nohup it goes on when SIGHUP comes. Killing it loses nothing that was
//! answered.
//!
//! `vestibule doctor` is another program in the same file: it asks a running set-up as a stranger
//! would, writes what it finds to standard output, and ends with 1 if anything is wrong.
//!
//! To audit it, read `lib.rs` first: it lists the files in reading order and says what each floor
//! of the house must not know.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use vestibule::auth::events::Event;
use vestibule::auth::invitations;
use vestibule::base::clock::Moment;
use vestibule::base::password::{Cost, Hasher};
use vestibule::base::token::Token;
use vestibule::cli;
use vestibule::cli::config::{self, Command, CommandLine, DoctorFlags, Flags, ImportFlags, Unread};
use vestibule::cli::doctor;
use vestibule::cli::import;
use vestibule::cli::output::{Output, Printout};
use vestibule::cli::proxy_config;
use vestibule::server;
use vestibule::server::gate::Listeners;
use vestibule::server::log::{self, LineKind, Log};
use vestibule::store::{self, Progress, Record};
use vestibule::web::Site;

/// What `vestibule` alone says.
const BEGINNING: &str = "\
vestibule is the entrance to your web app. To begin:

  vestibule serve          serve it on http://127.0.0.1:8080, to try it out
  vestibule serve --help   all settings, with examples
  vestibule proxy-config   how a reverse proxy asks it about every request to an app
  vestibule doctor URL     see whether a reverse proxy guards the app at URL
  vestibule --help         all commands
";

/// Why the program ends with an error: the exit code and one line.
struct Failure(u8, String);

fn main() -> ExitCode {
    let mut out = Output::standard();
    let ended = obey(&mut out);
    // Why a command failed comes before what became of its output.
    let ended = match (ended, out.check()) {
        (Ok(_), Err(text)) => Err(Failure(1, text)),
        (ended, _) => ended,
    };
    ended.unwrap_or_else(|Failure(code, text)| {
        drop(writeln!(std::io::stderr(), "vestibule: {}", cli::printable(&text)));
        ExitCode::from(code)
    })
}

/// Does what the command line says.
fn obey(out: &mut Output) -> Result<ExitCode, Failure> {
    let line = match CommandLine::read(std::env::args_os()) {
        Ok(line) => line,
        Err(Unread::Help(text)) => return tell(out, Ok(text)),
        Err(Unread::Wrong(text)) => return Err(Failure(2, text)),
    };
    match line.command {
        None => tell(out, Ok(BEGINNING.to_owned())),
        Some(Command::Serve(flags)) => run(*flags, out).map(|()| ExitCode::SUCCESS),
        Some(Command::ProxyConfig(flags)) => {
            let (kind, plan) = flags.check().map_err(|text| Failure(2, text))?;
            tell(out, Ok(proxy_config::write(kind, &plan)))
        }
        Some(Command::User(flags)) => tell(out, cli::user(*flags, password, Moment::now())),
        Some(Command::Session(flags)) => tell(out, cli::session(flags, Moment::now())),
        Some(Command::Invite(flags)) => tell(out, cli::invite(flags, Moment::now())),
        Some(Command::Token(flags)) => tell(out, cli::token(flags, Moment::now())),
        Some(Command::Audit(flags)) => {
            let told = cli::audit(&flags, out, Moment::now());
            told.map(|()| ExitCode::SUCCESS).map_err(|text| Failure(1, text))
        }
        Some(Command::Backup(flags)) => tell(out, cli::backup(&flags, Moment::now())),
        Some(Command::Restore(flags)) => tell(out, cli::restore(&flags, Moment::now())),
        Some(Command::Export(flags)) => {
            let done = cli::export(&flags, out, Output::is_terminal(), Moment::now());
            tell(out, done)
        }
        Some(Command::Completions { shell }) => tell(out, Ok(config::completions(shell))),
        Some(Command::Manual { folder, markdown }) => {
            let failed = |err| Failure(1, format!("cannot write into {}: {err}", folder.display()));
            let done = if markdown {
                config::write_reference(&folder)
            } else {
                config::write_manual(&folder).map(drop)
            };
            done.map(|()| ExitCode::SUCCESS).map_err(failed)
        }
        Some(Command::Check(flags)) => {
            let config = flags.flags.check().map_err(|text| Failure(2, text))?;
            judge(out, cli::check(&config, flags.json))
        }
        Some(Command::Import(flags)) => bring(flags, out),
        Some(Command::Copy(flags)) => {
            let order = flags.order().map_err(|text| Failure(2, text))?;
            tell(out, watched(|progress| cli::copy(&order, Moment::now(), progress)))
        }
        Some(Command::Migrate(flags)) => judge(out, cli::migrate(&flags)),
        Some(Command::Doctor(flags)) => examine(*flags, out),
        Some(Command::Help { command }) => {
            let text = config::help(command.into_iter().map(Into::into));
            tell(out, Ok(text.map_err(|text| Failure(2, text))?))
        }
        Some(Command::Version) => tell(out, Ok(config::version())),
    }
}

/// Prints a report; the exit code says whether all is as it should be.
fn judge(out: &mut Output, done: Result<(String, bool), String>) -> Result<ExitCode, Failure> {
    let (report, is_good) = done.map_err(|text| Failure(1, text))?;
    out.print(report);
    Ok(ExitCode::from(u8::from(!is_good)))
}

/// Prints what a command has to say.
fn tell(out: &mut Output, done: Result<impl Into<Printout>, String>) -> Result<ExitCode, Failure> {
    out.print(done.map_err(|text| Failure(1, text))?);
    Ok(ExitCode::SUCCESS)
}

/// A password for this name: asked for twice at a terminal, where it is not shown; else one line of
/// standard input.
fn password(name: &str) -> Result<String, String> {
    let failed = |err: std::io::Error| format!("cannot read the password: {err}");
    if !std::io::stdin().is_terminal() {
        return config::line(&mut std::io::stdin().lock());
    }
    let typed = rpassword::prompt_password(format!("Password for {name}: ")).map_err(failed)?;
    let again = rpassword::prompt_password("Once more: ").map_err(failed)?;
    if typed == again { Ok(typed) } else { Err("the two passwords differ".to_owned()) }
}

fn run(flags: Flags, out: &mut Output) -> Result<(), Failure> {
    let config = flags.check().map_err(|text| Failure(2, text))?;
    let store = store::open(&config.database).map_err(|err| Failure(1, err.to_string()))?;
    let listeners =
        Listeners::open(&config.listen, config.socket_mode).map_err(|text| Failure(1, text))?;
    server::prove_threads(&config.setup.limits).map_err(|text| Failure(1, text))?;
    let log = Arc::new(Log::to(std::io::stderr()));
    let hasher = Hasher::new(config.setup.limits.hashers, Cost::OWASP);
    let (told, wide) = (config.facts(), config.wide_proxies());
    let warning = config.warning();
    let first = invitations::create_first(&*store, config.site.sign_ups, Moment::now());
    let address = config.address();
    let site = Site::new(store, hasher, config.site);
    let (now, database) = (Moment::now(), config.database.to_string());
    let facts = [("version", env!("CARGO_PKG_VERSION")), ("database", &*database)];
    log.write(LineKind::Program, "start", &facts, now);
    let told: Vec<_> = told.iter().map(|(name, value)| (*name, value.as_str())).collect();
    log.write(LineKind::Program, "settings", &told, now);
    if let Some(networks) = wide {
        let hint = "whoever connects from there can claim any address; name your proxies alone";
        let facts = [("networks", &*networks), ("hint", hint)];
        log.write(LineKind::Program, "trusted_proxy_wide", &facts, now);
    }
    if let Some(hint) = warning {
        log.write(LineKind::Program, "open_signup", &[("hint", hint)], now);
    }
    server::compare_clock(&site, &log, now);
    if let Err(err) =
        site.keep(&[Record::of_program(Event::Settings.name(), log::fields(&told), now)])
    {
        // Another server may hold the lock; that is no reason not to serve.
        log.write(LineKind::Program, "audit_failed", &[("cause", &err.to_string())], now);
    }
    match first {
        Ok(Some(token)) => {
            out.print(first_link(address.as_deref(), &token));
            out.check().map_err(|text| Failure(1, text))?;
        }
        Ok(None) => {}
        // Another server may hold the lock, and then it has made one.
        Err(err) => {
            log.write(LineKind::Program, "no_first_link", &[("cause", &err.to_string())], now);
        }
    }
    server::serve(listeners, config.setup, site, log).map_err(|text| Failure(1, text))
}

/// The link for the first account, where sign-up is not open and there are no users yet. It goes to standard
/// output: a link is a secret, and the log holds none.
fn first_link(address: Option<&str>, token: &Token) -> Printout {
    let path = format!("/signup?invite={}", token.reveal());
    let link = address.map_or(path.clone(), |it| it.to_owned() + &path);
    Printout {
        text: format!(
            "There are no users yet. This link creates the first account; it works once, within an hour:\n  {link}\n"
        ),
        lost: Some(
            "the link for the first account was made and not shown; the next start makes another in its \
             place"
                .to_owned(),
        ),
    }
}

/// Does what takes a while, and shows on a terminal how far it is.
fn watched<T>(work: impl FnOnce(Progress<'_>) -> T) -> T {
    let mut terminal = Some(std::io::stderr()).filter(IsTerminal::is_terminal);
    let mut show = |text: &str| {
        if let Some(terminal) = &mut terminal {
            // The line is written over until the end, when it goes.
            drop(write!(terminal, "\r\x1b[K{text}"));
        }
    };
    let done = work(&mut |what, rows| show(&format!("{rows} {what}")));
    show("");
    done
}

fn bring(flags: ImportFlags, out: &mut Output) -> Result<ExitCode, Failure> {
    let mut input = std::io::stdin().lock();
    let order = flags.order().map_err(|text| Failure(2, text))?;
    let done = watched(|progress| import::bring(&order, &mut input, Moment::now(), progress));
    let outcome = done.map_err(|text| Failure(1, text))?;
    out.print(outcome.report);
    match outcome.refusal {
        None => Ok(ExitCode::SUCCESS),
        Some(text) => Err(Failure(1, text)),
    }
}

fn examine(flags: DoctorFlags, out: &mut Output) -> Result<ExitCode, Failure> {
    let wrong = |text| Failure(2, text);
    let plan = flags.check(&mut std::io::stdin().lock()).map_err(wrong)?;
    let findings = doctor::examine(&plan, out).map_err(wrong)?;
    Ok(ExitCode::from(u8::from(findings > 0)))
}
