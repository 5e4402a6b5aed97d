//! What an operator types: the commands, their flags, and what each of them does, on the database of a server
//! that may be running. A command is a file, with its flags and what it does; this one lists them and has what
//! they share.
//!
//! The highest layer: it may know everything, and nothing below knows that a command line exists. Decides what
//! is printed and with which exit code. Every change is one transaction that a running server sees at its next
//! request, and leaves a record in the audit log.

pub mod command_line;
pub mod settings_file;
pub mod variables;
mod given;
mod environment;
mod nearest;
mod wrong_usage;
mod manual;
mod account_values;
pub mod output;
mod journal;
mod terminal;
mod secrets;
mod database;
mod table;
mod find;
mod records;
mod change_report;
mod moments;
pub mod serve;
mod user;
mod password;
mod keys;
mod sealing_key;
mod unlock;
mod session;
mod access_token;
mod invite;
#[cfg(feature = "mail")]
mod mail;
mod audit;
mod backup;
mod restore;
mod check;
mod health;
mod migrate;
mod copy;
pub mod export;
pub mod export_format;
#[cfg(feature = "import")]
pub mod import;
pub mod proxy_config;
#[cfg(feature = "doctor")]
pub mod doctor;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use clap_complete::Shell;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_core::ser::Serialize;

use self::access_token::TokenArgs;
use self::audit::AuditArgs;
use self::backup::BackupArgs;
use self::change_report::ChangeReport;
use self::check::CheckArgs;
use self::copy::CopyArgs;
use self::database::{Access, open, open_at, see_that_it_is_there};
#[cfg(feature = "doctor")]
use self::doctor::DoctorArgs;
use self::export::ExportArgs;
use self::health::HealthArgs;
#[cfg(feature = "import")]
use self::import::ImportArgs;
use self::invite::InviteArgs;
#[cfg(feature = "mail")]
use self::mail::MailCommandArgs;
use self::migrate::MigrateArgs;
use self::output::{Output, Printout};
use self::proxy_config::ProxyArgs;
use self::records::record_of;
use self::restore::RestoreArgs;
use self::sealing_key::SealingKeyArgs;
use self::serve::ServeArgs;
use self::session::SessionArgs;
pub use self::table::printable;
use self::table::{counted, table};
pub use self::terminal::complain;
use self::user::UserArgs;
use crate::base::clock::Moment;
use crate::store::Patience;

/// What the program can do.
#[derive(Subcommand)]
pub enum Command {
    /// Serve the site until SIGTERM, SIGINT, SIGQUIT or SIGHUP.
    #[command(after_help = "Examples:\n  \
            # try it out on http://127.0.0.1:8080, with vestibule.db in this folder\n  \
            vestibule serve\n  \
            # behind a reverse proxy that ends TLS and passes everything on to 127.0.0.1:8080\n  \
            vestibule serve --origin https://auth.example.com --trusted-proxy 127.0.0.1 \
            --database /var/lib/vestibule/vestibule.db\n\n\
            Every flag can be set in the environment instead, as VESTIBULE_LISTEN for --listen, or by such a line of the \
            settings file; a switch is set to true or false. A flag takes precedence over the environment, and the \
            environment over the file; an empty variable counts as not set. A \
            VESTIBULE_ variable that is not a setting of any command is refused, except for those that Kubernetes \
            sets for services.\n\n\
            The settings file is read as systemd reads an EnvironmentFile=: lines NAME=VALUE, with # or ; before a \
            comment, quotes around what has spaces at its ends, and no variables in values. What systemd would ignore, as a \
            line without =, is refused, and so is a file that others may write, or may read although it holds a password. \
            Names that do not begin with VESTIBULE_ are left to systemd.\n\n\
            The log goes to standard error, one line per event, and so does why the server could not start; \
            a terminal has that as text. SIGTERM, SIGINT, SIGQUIT and \
            SIGHUP stop the server once requests in flight are answered; under nohup SIGHUP is ignored. SIGUSR1 \
            and SIGUSR2 are ignored.\n\n\
            Exit codes: 0 stopped as asked; \
            1 could not start or go on; 2 a setting is wrong.")]
    Serve(Box<ServeArgs>),

    /// Manage accounts: passwords, groups, addresses, access.
    User(Box<UserArgs>),

    /// List and end sessions.
    Session(SessionArgs),

    /// Manage invitations: links with which people create their accounts.
    Invite(InviteArgs),

    /// List and revoke access tokens.
    Token(TokenArgs),

    /// Make keys that seal secrets in the database, and replace them.
    Key(SealingKeyArgs),

    #[cfg(feature = "mail")]
    /// Test whether mail can be sent, and manage the mail that waits.
    Mail(Box<MailCommandArgs>),

    /// Show the audit log: security events of the server and of commands.
    Audit(AuditArgs),

    /// Write a consistent copy of the database file while the server runs; no request waits for it. Keep the copy as
    /// private as the database.
    Backup(BackupArgs),

    /// Replace the database file with a backup while the server is stopped. Sessions, access tokens, invitations and
    /// reset links are left out, as some may have ended since the backup.
    Restore(RestoreArgs),

    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  \
            vestibule completions bash > /etc/bash_completion.d/vestibule")]
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },

    /// Write the manual pages, one for each command.
    #[command(after_help = "Examples:\n  \
            vestibule manual /usr/local/share/man/man1\n  \
            # settings.md and commands.md, as in the project's docs\n  \
            vestibule manual --markdown docs")]
    Manual {
        /// The folder to write to.
        folder: PathBuf,
        /// Write the reference of settings and commands in Markdown instead.
        #[arg(long)]
        markdown: bool,
    },

    /// Check the settings of serve, and the database: versions, integrity, orphaned rows, file permissions.
    #[command(after_help = "Example:\n  \
            vestibule check --origin https://auth.example.com --database /var/lib/vestibule/vestibule.db\n  \
            # with what a systemd unit sets by EnvironmentFile=, or by Environment=\n  \
            vestibule check --settings /etc/vestibule/settings\n  \
            env $(systemctl show vestibule -p Environment --value) vestibule check\n  \
            # whether serve could start with these settings: for ExecStartPre= of a unit\n  \
            vestibule check --before-start\n\n\
            It checks the settings that it is given itself, says where each of them was given, and checks the database; it \
            asks no running server, whose settings may \
            differ. Where there is no database yet, or one with an older schema, it says what serve will do at its start, \
            changes nothing, and all is in order unless that could not be done. Like every command that opens a database file, it removes the access of other users to it (mode \
            0600), and says so in a note. Prints one line per finding. Exit codes: 0 all in order; 1 the database is not; 2 a setting is \
            wrong.")]
    Check(Box<CheckArgs>),

    /// Ask the running server whether it answers, as the health checks of containers do.
    Health(Box<HealthArgs>),

    /// Write all users with their password hashes as JSON lines: a consistent snapshot, taken while the server runs.
    Export(ExportArgs),

    #[cfg(feature = "import")]
    /// Import users from another system, with their passwords and, where possible, their sessions.
    Import(Box<ImportArgs>),

    /// Copy everything into another database, a file or MariaDB servers. Everyone stays signed in.
    Copy(CopyArgs),

    /// Upgrade the schema of a database, as serve does when it starts.
    Migrate(MigrateArgs),

    /// Print the configuration of a reverse proxy that guards apps.
    #[command(after_help = "Example:\n  \
            vestibule proxy-config nginx --origin https://auth.example.com --cookie-domain example.com \
            --app https://app.example.com --upstream http://127.0.0.1:3000 \
            --output /etc/nginx/conf.d/vestibule.conf\n\n\
            Then `vestibule doctor https://app.example.com` checks that it holds.")]
    ProxyConfig(Box<ProxyArgs>),

    #[cfg(feature = "doctor")]
    /// Check from outside whether a reverse proxy guards an app.
    #[command(after_help = "Examples:\n  \
            # ask it as an unauthenticated client: pages, forms, scripts, sockets, forged headers\n  \
            vestibule doctor https://app.example.com\n  \
            # also try two more paths, and what the app receives when anna has signed in\n  \
            vestibule doctor https://app.example.com --path /metrics,/ws \\\n    \
            --sign-in anna --origin https://auth.example.com < password\n  \
            # before DNS points there, with a private certificate authority\n  \
            vestibule doctor https://app.test --ca ca.pem --resolve app.test:443:10.0.0.5 \\\n    \
            --resolve auth.test:443:10.0.0.5\n\n\
            Prints one line per finding on standard output: ok, FAIL with what to do, skip with the reason, or hint. With \
            --json it is an object, and the last one has the counts. \
            Exit codes: 0 nothing is wrong; 1 something is, or nothing answers; 2 a flag is wrong.")]
    Doctor(Box<DoctorArgs>),

    /// Print the help of a command, as its --help does.
    #[command(after_help = "Example:\n  vestibule help user add")]
    Help {
        /// The command. Without one, the help of the program is printed.
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },

    /// Print the version.
    #[command(after_help = "Example:\n  vestibule version")]
    Version,
}

/// Why a command ends with an error: the exit code and one line.
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// The line, without the name of the program; empty if the log has it.
    pub text: String,
}

impl Failure {
    /// The exit code of wrong usage.
    const USAGE: u8 = 2;

    /// What was typed is wrong, whatever the database holds.
    pub const fn usage(text: String) -> Self {
        Self { code: Self::USAGE, text }
    }

    /// What the log says already.
    const fn logged(code: u8) -> Self {
        Self { code, text: String::new() }
    }

    /// Whether what was typed is wrong.
    const fn is_usage(&self) -> bool {
        self.code == Self::USAGE
    }
}

impl From<String> for Failure {
    /// What was typed is right, and could not be done.
    fn from(text: String) -> Self {
        Self { code: 1, text }
    }
}

/// How long a command waits for its turn to write: an import may take some seconds, and a cluster of servers as
/// long to agree on a new member.
const PATIENCE: Patience = Patience::AtLeast(Duration::from_secs(15));

/// What a command is given beside its arguments.
pub struct Console<'a> {
    /// Where it prints.
    pub out: &'a mut Output,
    /// Whether it prints for a script.
    pub as_json: bool,
    /// Read whenever the time is needed.
    pub clock: fn() -> Moment,
}

impl Console<'_> {
    fn now(&self) -> Moment {
        (self.clock)()
    }

    /// Prints a report; the exit code says whether all is as it should be.
    fn judge(self, done: Result<(String, bool), Failure>) -> Result<ExitCode, Failure> {
        let (report, is_good) = done?;
        self.out.print(report);
        Ok(ExitCode::from(u8::from(!is_good)))
    }

    /// Prints what a command has done.
    fn report<E: Into<Failure>>(self, done: Result<ChangeReport, E>) -> Result<ExitCode, Failure> {
        let as_json = self.as_json;
        self.tell(done.map(|it| it.text(as_json)))
    }

    /// Prints what a command has to say.
    fn tell<T: Into<Printout>, E: Into<Failure>>(
        self,
        done: Result<T, E>,
    ) -> Result<ExitCode, Failure> {
        let printout = done.map_err(Into::into)?.into();
        if printout.lost.is_some() {
            self.out.require_reader();
        }
        self.out.print(printout);
        Ok(ExitCode::SUCCESS)
    }
}

impl Command {
    /// Does what the command says, and prints what it has to say.
    pub fn run(self, console: Console<'_>) -> Result<ExitCode, Failure> {
        match self {
            Self::Serve(args) => args.run(console.out, console.clock).map(|()| ExitCode::SUCCESS),
            other => PATIENCE.during(|| other.run_beside(console)),
        }
    }

    /// A command that an operator gives beside a server.
    fn run_beside(self, console: Console<'_>) -> Result<ExitCode, Failure> {
        let (as_json, now) = (console.as_json, console.now());
        match self {
            Self::Serve(_) => unreachable!("it is no command beside a server"),
            Self::User(args) => console.tell(user::run(*args, as_json, secrets::password, now)),
            Self::Session(args) => console.tell(session::run(args, as_json, now)),
            Self::Invite(args) => console.tell(invite::run(args, as_json, now)),
            Self::Key(args) => console.report(sealing_key::run(&args, now)),
            #[cfg(feature = "mail")]
            Self::Mail(args) => console.tell(mail::run(*args, as_json, now)),
            Self::Token(args) => console.tell(access_token::run(args, as_json, now)),
            Self::Audit(args) => {
                audit::run(&args, as_json, console.out, now)?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Backup(args) => console.report(backup::run(&args, now)),
            Self::Restore(args) => console.report(restore::run(&args, now)),
            Self::Completions { shell } => {
                console.tell(Ok::<_, Failure>(manual::completions(shell)))
            }
            Self::Manual { folder, markdown } => console.report(manual::write(&folder, markdown)),
            Self::Check(args) => console.judge(check::run(*args, as_json)),
            Self::Health(args) => console.report(health::run(*args)),
            Self::Export(args) => {
                let done = export::run(&args, console.out, Output::is_terminal(), now)?;
                done.map_or(Ok(ExitCode::SUCCESS), |it| console.report(Ok::<_, Failure>(it)))
            }
            #[cfg(feature = "import")]
            Self::Import(args) => args.run(as_json, console.out, now),
            Self::Copy(args) => console.tell(args.run(as_json, now)),
            Self::Migrate(args) => {
                console.judge(migrate::run(&args, as_json).map_err(Failure::from))
            }
            Self::ProxyConfig(args) => args.run(as_json, console.out),
            #[cfg(feature = "doctor")]
            Self::Doctor(args) => args.run(as_json, console.out),
            Self::Help { command } => {
                let text = command_line::help(command.into_iter().map(Into::into));
                console.tell(text.map_err(Failure::usage))
            }
            Self::Version => console.report(Ok::<_, Failure>(command_line::version())),
        }
    }
}

/// Why something was not done, as one line.
type Done = Result<String, String>;

/// Data for scripts: an object a line.
fn lines(data: impl Iterator<Item = impl Serialize>) -> String {
    let mut text = Vec::new();
    for it in data {
        serde_json::to_writer(&mut text, &it).expect("its keys are texts, and memory takes it");
        text.push(b'\n');
    }
    String::from_utf8(text).expect("JSON is text")
}

/// A QR code in characters of half a line, for a terminal that writes light on dark; telephones read it
/// the other way round as well.
fn drawn(text: &str) -> Done {
    let code = QrCode::new(text).map_err(|err| format!("the link cannot be drawn: {err}"))?;
    let light = Dense1x2::Light;
    let image = code.render::<Dense1x2>().dark_color(light).light_color(Dense1x2::Dark).build();
    Ok(format!("\n{image}\n"))
}
