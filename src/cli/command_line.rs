//! The command line: how it is read, and what its help says.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser};

use super::change_report::ChangeReport;
use super::given::GivenSettings;
use super::output::Output;
use super::settings_file::DEFAULT_SETTINGS;
use super::variables::{SETTINGS, SETTINGS_VARIABLE, Variables};
use super::{Command, Console, Failure, database, environment, wrong_usage};
use crate::base::clock::Moment;

/// What `vestibule` alone says.
const BEGINNING: &[&str] = &[
    "vestibule is the entrance to your web app. To begin:",
    "",
    "  vestibule serve          serve it on http://127.0.0.1:8080, to try it out",
    "  vestibule serve --help   all settings, with examples",
    "  vestibule proxy-config   how a reverse proxy asks it about every request to an app",
    #[cfg(feature = "doctor")]
    "  vestibule doctor URL     see whether a reverse proxy guards the app at URL",
    "  vestibule --help         all commands",
];

/// The command line. Its texts are what `--help` says, and docs/commands.md and docs/settings.md.
#[derive(Parser)]
#[command(
    name = "vestibule",
    version,
    about = "The entrance to your web app: signs people up, signs them in, remembers them, shows \
             them who they are and lets them out.",
    after_help = "Example:\n  # try it out on http://127.0.0.1:8080\n  vestibule serve\n\n\
                  Every command except restore and copy can be used while the server runs, on the same --database \
                  (or VESTIBULE_DATABASE), or with the same --settings. Run it as the user that the server runs as; while the server runs, root \
                  will do as well. A change takes effect at the next request and is recorded in the audit log; so are backups and copies.\n\n\
                  A setting that serve has too, such as --origin, is read from the same environment variable, or from \
                  the settings file (--settings). \
                  Passwords come from a prompt or from standard input. With --json a command prints one \
                  object per line. Exit codes: 0 done; 1 not done, or the output could not be written; 2 wrong \
                  usage: the command line, the environment or the settings file is invalid, whatever the database contains, as with a \
                  malformed name, group, key, handle or date. It is no error if the reader closes the pipe early, as \
                  head does, unless an export or a new link is lost.",
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Whether it is told as JSON, for scripts.
    #[arg(skip)]
    as_json: bool,

    /// Where its settings were given.
    #[arg(skip)]
    pub(super) given: Option<GivenSettings>,
}

/// Why a command line names nothing to do.
#[derive(Debug)]
pub enum Unread {
    /// It asks for help or for the version, which is this text.
    Help(String),
    /// It is wrong, or the environment is; one line for the operator.
    Wrong(String),
}

#[cfg(test)]
impl Unread {
    /// The text, whichever it is.
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Help(text) | Self::Wrong(text) => text,
        }
    }
}

impl CommandLine {
    /// Reads the command line, the environment and the settings file. `default_settings`: the file that is read where
    /// neither another one nor a database is named.
    pub fn read(
        arguments: impl IntoIterator<Item = OsString>,
        default_settings: &Path,
    ) -> Result<Self, Unread> {
        let words: Vec<_> = arguments.into_iter().collect();
        let is_in_short = words.iter().any(|it| it == "-h");
        let program = definition();
        let shown = if is_in_short { shorten(program.clone()) } else { program.clone() };
        let shown = forget_empty(shown);
        if let Err(err) = shown.clone().try_get_matches_from(&words)
            && !err.use_stderr()
        {
            return Err(Unread::Help(err.to_string()));
        }
        // Before what is wrong on the command line, which may lack what a misspelt variable says.
        environment::check(&program, std::env::vars_os()).map_err(Unread::Wrong)?;
        let given =
            GivenSettings::read(&program, &words, default_settings).map_err(Unread::Wrong)?;
        let mut fault = None;
        let line = given.matches(shown).and_then(|it| {
            let mut line = Self::from_arg_matches(&it)?;
            fault = database_fault(&it);
            line.as_json = wants_json(&it);
            if let (Some(Command::Check(args)), Some((_, it))) =
                (&mut line.command, it.subcommand())
            {
                args.written = given.written(it);
            }
            Ok(line)
        });
        if let Some(fault) = fault {
            return Err(Unread::Wrong(given.naming(fault)));
        }
        let line = line.map_err(|err| match err.kind() {
            // A group of commands alone, as in `vestibule user`.
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
                if is_bare(&words) =>
            {
                help(words.into_iter().skip(1)).map_or_else(Unread::Wrong, Unread::Help)
            }
            _ => Unread::Wrong(wrong_usage::sentence(&err, &words) + &given.places(&err)),
        });
        line.map(|it| Self { given: Some(given), ..it })
    }

    /// Does what it says; without a command it says what there is to begin with. `clock` is read whenever a
    /// command needs the time.
    pub fn run(self, out: &mut Output, clock: fn() -> Moment) -> Result<ExitCode, Failure> {
        if let Some(command) = self.command {
            let done = command.run(Console { out, as_json: self.as_json, clock });
            return done.map_err(|failure| match self.given {
                Some(given) if failure.is_usage() => Failure::usage(given.naming(failure.text)),
                _ => failure,
            });
        }
        out.print(BEGINNING.join("\n") + "\n");
        Ok(ExitCode::SUCCESS)
    }
}

/// Why the database that the command is for cannot be meant, if so.
fn database_fault(matches: &ArgMatches) -> Option<String> {
    let Some((_, below)) = matches.subcommand() else {
        let Ok(Some(database)) = matches.try_get_one::<OsString>("database") else { return None };
        let file = matches.try_get_one::<PathBuf>("database_password_file").ok().flatten();
        return database::check(database, file.map(|it| &**it), &Variables::of(matches)).err();
    };
    database_fault(below)
}

/// The help of the command that these words name, or of the program if there are none.
pub fn help(words: impl Iterator<Item = OsString>) -> Result<String, String> {
    let words = [OsString::from("vestibule")].into_iter().chain(words).chain(["--help".into()]);
    let words: Vec<_> = words.collect();
    match forget_empty(definition()).try_get_matches_from(&words) {
        Err(err) if err.use_stderr() => Err(wrong_usage::sentence(&err, &words)),
        Err(err) => Ok(err.to_string()),
        Ok(_) => Err("write it as in vestibule help user add".to_owned()),
    }
}

/// What the program is called, and its version.
pub(super) fn version() -> ChangeReport {
    let version = CommandLine::command().render_version();
    let report = ChangeReport::new(version.trim_end().to_owned());
    report.with("version", env!("CARGO_PKG_VERSION"))
}

/// Whether a command line has no flags.
fn is_bare(words: &[OsString]) -> bool {
    !words.iter().skip(1).any(|it| it.to_string_lossy().starts_with('-'))
}

/// The exit codes of a command that says nothing else of them.
pub(super) const EXIT_CODES: &str = "Exit codes: 0 done; 1 not done; 2 wrong usage.";

/// The flag of all commands but these that makes them print JSON.
const JSON: &str = "json";

/// Commands that say nothing to a script, or something in a form of its own.
const WITHOUT_JSON: [&str; 3] = ["serve", "completions", "help"];

/// The command line, with what every command has.
pub(super) fn definition() -> clap::Command {
    let program = CommandLine::command().arg(settings()).mut_subcommands(offer_json);
    tell_exit_codes(offer_help(program))
}

/// The flag of all commands that names a settings file.
fn settings() -> Arg {
    let help = format!(
        "File with settings: lines VESTIBULE_NAME=VALUE, as systemd reads them with EnvironmentFile=. A flag takes \
         precedence over a variable, and a variable over the file. [default: {DEFAULT_SETTINGS}, if it is there and no \
         --database is given]"
    );
    let flag = Arg::new(SETTINGS).long(SETTINGS).env(SETTINGS_VARIABLE).value_name("FILE");
    let flag = flag.value_parser(clap::value_parser!(PathBuf)).help_heading("Settings");
    flag.global(true).hide_env_values(true).help(help)
}

/// A command and those below it with the flag, which may stand before their names as well.
fn offer_json(command: clap::Command) -> clap::Command {
    if WITHOUT_JSON.contains(&command.get_name()) {
        return command;
    }
    let help = "Print JSON, for scripts: one object per line";
    let flag = Arg::new(JSON).long(JSON).action(ArgAction::SetTrue).help(help);
    command.arg(flag).mut_subcommands(offer_json)
}

fn wants_json(matches: &ArgMatches) -> bool {
    matches
        .subcommand()
        .is_some_and(|(_, it)| matches!(it.try_get_one(JSON), Ok(Some(true))) || wants_json(it))
}

/// The flag of each command that prints its help. The library's own has another text where values have help.
fn offer_help(command: clap::Command) -> clap::Command {
    let help = "Print help: -h in short, --help in full";
    let flag = Arg::new("help").short('h').long("help").action(ArgAction::Help).help(help);
    command.disable_help_flag(true).arg(flag).mut_subcommands(offer_help)
}

/// The texts as `-h` has them: a line for each command and flag, and an example.
fn shorten(command: clap::Command) -> clap::Command {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let example = after.split("\n\n").next().unwrap_or_default();
    let codes = after.rfind("Exit codes:").map_or("", |at| &after[at..]);
    let after = format!("{example}\n\n{codes}");
    // A line is a line, whatever the width of the terminal.
    let command = command.about(headline(&about).to_owned()).after_help(after).term_width(0);
    command.mut_args(shorten_arg).mut_subcommands(shorten)
}

fn shorten_arg(arg: Arg) -> Arg {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    if arg.get_id() == "help" {
        return arg;
    }
    // A default that depends on others is in the text.
    let default = help.find(" [default: ").map_or("", |at| &help[at..]);
    let help = format!("{}{default}", headline(&help));
    arg.help(help).hide_env(true)
}

/// What a text begins with: all before its first detail.
fn headline(text: &str) -> &str {
    let ends = [". ", ": ", "; ", ", as in ", ", such as ", " ("];
    let end = ends.iter().filter_map(|it| text.find(it)).min();
    &text[..end.unwrap_or(text.len())]
}

fn tell_exit_codes(command: clap::Command) -> clap::Command {
    let said = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let command = if said.contains("Exit codes:") {
        command
    } else {
        command.after_help(format!("{said}\n\n{EXIT_CODES}"))
    };
    command.mut_subcommands(tell_exit_codes)
}

/// Drops empty environment variables from a command and its subcommands.
pub(super) fn forget_empty(command: clap::Command) -> clap::Command {
    command.mut_args(forget_if_empty).mut_subcommands(forget_empty)
}

/// A variable that is set to nothing, as files of variables often have it, counts as not set.
fn forget_if_empty(arg: Arg) -> Arg {
    let is_empty = arg.get_env().and_then(std::env::var_os).is_some_and(|it| it.is_empty());
    if is_empty { arg.env(None::<&str>) } else { arg }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::usernames::Username;

    /// Every command, by its whole name, with the text behind its help.
    fn all(command: &clap::Command, path: &str) -> Vec<(String, clap::Command)> {
        let path = format!("{path} {}", command.get_name());
        let mut found: Vec<_> = command.get_subcommands().flat_map(|it| all(it, &path)).collect();
        found.push((path.trim().to_owned(), command.clone()));
        found
    }

    fn after_help(command: &clap::Command) -> String {
        command.get_after_help().map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn offers_json_to_every_command_but_those_that_have_nothing_for_it() {
        fn see(command: &clap::Command) -> usize {
            let has_flag = command.get_arguments().any(|it| it.get_id() == JSON);
            let is_silent = WITHOUT_JSON.contains(&command.get_name());
            assert!(has_flag != is_silent, "{}", command.get_name());
            1 + command.get_subcommands().map(see).sum::<usize>()
        }
        let seen: usize = definition().get_subcommands().map(see).sum();
        assert!(seen > 40, "{seen}");
    }

    #[test]
    fn gives_an_example_in_the_help_of_every_command() {
        let all = all(&definition(), "");
        assert!(all.len() > 40, "{all:?}");
        for (path, command) in all {
            let help = after_help(&command);
            assert!(help.starts_with("Example") && help.contains(&path), "{path}: {help}");
            assert_eq!(help.matches("Exit codes: ").count(), 1, "{path}: {help}");
        }
    }

    #[test]
    fn states_the_rules_wherever_a_new_name_or_password_is_given() {
        for name in ["user add", "user rename", "user key add"] {
            let text = help(name.split(' ').map(Into::into)).unwrap();
            assert!(text.contains("4 to 31 visible"), "{name}: {text}");
        }
        let mut found = 0;
        for (path, command) in all(&definition(), "") {
            let policy =
                command.get_arguments().find(|it| it.get_long() == Some("password-policy"));
            let Some(policy) = policy else { continue };
            let text = policy.get_help().unwrap().to_string();
            for rule in ["6 to 255", "8 to 255", "15 to 255"] {
                assert!(text.contains(rule), "{path}: {text}");
            }
            found += 1;
        }
        assert!(found > 3, "{found}");
    }

    /// The commands in a text, as a shell would read them up to the first redirection or operator; none of those that need the
    /// output of others.
    fn typed(text: &str) -> Vec<Vec<String>> {
        let text = text.replace("\\\n", " ");
        let is_whole = |it: &&str| it.starts_with("vestibule ") && !it.contains("$(");
        let lines = text.lines().map(str::trim).filter(is_whole);
        lines.map(words).collect()
    }

    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quote) = (vec![String::new()], None);
        for letter in line.chars() {
            match (letter, quote) {
                ('\'' | '"', None) => quote = Some(letter),
                (letter, Some(mark)) if letter == mark => quote = None,
                ('<' | '>' | '|' | '#' | '&', None) => break,
                (' ', None) => words.push(String::new()),
                (letter, _) => words.last_mut().unwrap().push(letter),
            }
        }
        words.retain(|it| !it.is_empty());
        words
    }

    /// The usernames among the arguments of a command.
    fn names(matches: &ArgMatches) -> Vec<String> {
        if let Some((_, below)) = matches.subcommand() {
            return names(below);
        }
        let name = |id| matches.try_get_one::<String>(id).ok().flatten().cloned();
        ["name", "new_name", "sign_in"].into_iter().filter_map(name).collect()
    }

    #[test]
    fn takes_every_example_of_the_help_and_of_the_documents() {
        let helps = all(&definition(), "").into_iter().map(|(_, it)| after_help(&it));
        let documents = ["README.md", "docs"].map(std::path::PathBuf::from);
        let read = |it: &std::path::PathBuf| std::fs::read_to_string(it).unwrap();
        let [readme, folder] = documents;
        let pages = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
        // What is rendered from the help has the forms of the commands as well.
        let is_page = |it: &std::path::PathBuf| {
            it.extension().is_some_and(|it| it == "md") && !it.ends_with("commands.md")
        };
        let pages = pages.filter(is_page);
        let pages: Vec<_> = pages.chain([readme]).collect();
        let fenced = |text: String| text.split("```").skip(1).step_by(2).collect::<String>();
        let texts = helps.chain(pages.iter().map(|it| fenced(read(it))));
        let lines: Vec<_> = texts.flat_map(|it| typed(&it)).collect();
        assert!(lines.len() > 100, "{}", lines.len());
        for line in lines {
            let read = definition().try_get_matches_from(&line);
            let matches = read.unwrap_or_else(|err| panic!("{line:?}: {err}"));
            for name in names(&matches) {
                let is_address = name.parse::<std::net::IpAddr>().is_ok() || name.contains('/');
                assert!(is_address || Username::for_sign_up(&name).is_some(), "{line:?}");
            }
        }
    }
}
