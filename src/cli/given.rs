//! What is given to a command: its flags, the environment, and the lines of a settings file, in this order of
//! precedence.
//!
//! The library reads flags and the environment. What the file adds is put behind the flags, as if it had been typed, so
//! that it is read, checked and refused as they are.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::builder::{FalseyValueParser, OsStringValueParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, Error};

use super::check::{SettingSource, WrittenSetting};
use super::command_line::forget_empty;
use super::settings_file::{SettingsFault, SettingsFile};
use super::variables::SETTINGS;
use super::{environment, manual};
use crate::base::new_file::folder_of;

/// Commands without settings: they look for no file unless one is named.
const WITHOUT_SETTINGS: [&str; 4] = ["completions", "manual", "help", "version"];

/// A command line with the settings of a file.
pub(super) struct GivenSettings {
    /// The command that it names, with all its arguments.
    command: Command,
    /// What the command line alone comes to, as far as it can be read.
    typed: ArgMatches,
    file: Option<SettingsFile>,
    /// The lines of the file that count, by the names of their arguments.
    lines: BTreeMap<String, usize>,
    words: Vec<OsString>,
}

impl GivenSettings {
    /// Reads the settings file that a command line of the program names, or the one at `default`. An error is one line for
    /// the operator.
    pub(super) fn read(
        program: &Command,
        words: &[OsString],
        default: &Path,
    ) -> Result<Self, String> {
        let mut lenient = forget_empty(program.clone()).ignore_errors(true);
        let typed = lenient.clone().try_get_matches_from(words).unwrap_or_default();
        lenient.build();
        let (command, typed) = leaf(lenient, typed);
        let words = words.to_vec();
        let mut given = Self { command, typed, file: None, lines: BTreeMap::new(), words };
        given.file = given.find(default)?;
        if let Some(file) = given.file.clone() {
            environment::check_file(program, &file)?;
            given.add(&file);
        }
        Ok(given)
    }

    /// The file that the command line or the environment names, or else the one at `default`, if it is there. A command line
    /// that names a database says all that the latter is looked for.
    fn find(&self, default: &Path) -> Result<Option<SettingsFile>, String> {
        if let Ok(Some(path)) = self.typed.try_get_one::<PathBuf>(SETTINGS) {
            return SettingsFile::read(path).map(Some).map_err(SettingsFault::into_text);
        }
        let is_without = WITHOUT_SETTINGS.contains(&self.command.get_name());
        if is_without || self.command.has_subcommands() || self.is_typed("database") {
            return Ok(None);
        }
        match SettingsFile::read(default) {
            Ok(file) => Ok(Some(file)),
            // Without it another database would be used, or a new one made.
            Err(SettingsFault::Forbidden(_)) if self.argument("database").is_some() => {
                Err(format!(
                    "this user may not read the settings file {}, which may say where the database is: {}, or name the \
                 database with --database",
                    default.display(),
                    run_by_another(default)
                ))
            }
            Err(SettingsFault::Missing(_) | SettingsFault::Forbidden(_)) => Ok(None),
            Err(SettingsFault::Wrong(text)) => Err(text),
        }
    }

    /// Puts behind the flags what the file sets, where neither a flag nor a variable does.
    fn add(&mut self, file: &SettingsFile) {
        let mut more = Vec::new();
        for arg in self.command.get_arguments() {
            let id = arg.get_id().as_str();
            let set = arg.get_env().and_then(OsStr::to_str).and_then(|name| file.find(name));
            let (Some(set), Some(flag)) = (set.filter(|_| !self.is_typed(id)), arg.get_long())
            else {
                continue;
            };
            self.lines.insert(id.to_owned(), set.line);
            match arg.get_action() {
                ArgAction::SetTrue if is_off(&self.command, arg, &set.value) => {}
                ArgAction::SetTrue => more.push(format!("--{flag}").into()),
                _ => more.push(format!("--{flag}={}", set.value).into()),
            }
        }
        if !self.is_typed(SETTINGS) {
            let mut named = OsString::from(format!("--{SETTINGS}="));
            named.push(file.path());
            more.push(named);
        }
        // Behind a lone -- there are no flags.
        let end = self.words.iter().position(|it| it == "--").unwrap_or(self.words.len());
        self.words.splice(end..end, more);
    }

    /// What the command line comes to with the settings of the file. `shown`: the program, whose help errors may show.
    pub(super) fn matches(&self, shown: Command) -> Result<ArgMatches, Error> {
        let shown = match self.file.clone() {
            Some(file) => shown.mut_arg(SETTINGS, |arg| {
                arg.value_parser(OsStringValueParser::new().map(move |_| file.clone()))
            }),
            None => shown,
        };
        shown.try_get_matches_from(&self.words)
    }

    /// Whether an argument of the command has been given by a flag or a variable.
    fn is_typed(&self, id: &str) -> bool {
        matches!(self.typed_by(id), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    }

    fn typed_by(&self, id: &str) -> Option<ValueSource> {
        let is_there = self.typed.ids().any(|it| it == id);
        is_there.then(|| self.typed.value_source(id)).flatten()
    }

    fn argument(&self, id: &str) -> Option<&Arg> {
        self.command.get_arguments().find(|it| it.get_id() == id)
    }

    /// What an error of the library is about, where that was not typed: the variables, with their places in the file.
    /// Empty where all of it was typed.
    pub(super) fn places(&self, err: &Error) -> String {
        let told = |name: &str| {
            let flag = name.split([' ', '=']).next()?.strip_prefix("--")?;
            let arg = self.by_flag(flag)?;
            let variable = arg.get_env()?.to_str()?;
            match (self.lines.get(arg.get_id().as_str()), &self.file) {
                (Some(line), Some(file)) => Some(format!("{variable} in {}", file.place(*line))),
                _ if self.has_word(flag) => None,
                _ => std::env::var_os(variable)
                    .filter(|it| !it.is_empty())
                    .map(|_| variable.to_owned()),
            }
        };
        let places: Vec<_> = named(err).into_iter().filter_map(told).collect();
        if places.is_empty() { String::new() } else { format!(" ({})", places.join(", ")) }
    }

    /// A refusal of settings with the variables of the flags that it names, for operators who give them in that way, and
    /// with their places in the file.
    pub(super) fn naming(&self, text: String) -> String {
        let is_of_word = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
        let words: Vec<_> = text.split(|it| !is_of_word(it)).collect();
        let mut variables: Vec<String> = Vec::new();
        for arg in words.iter().filter_map(|it| self.by_flag(it.strip_prefix("--")?)) {
            let Some(variable) = arg.get_env().and_then(OsStr::to_str) else { continue };
            let told = match (self.lines.get(arg.get_id().as_str()), &self.file) {
                (Some(line), Some(file)) => format!("{variable} in {}", file.place(*line)),
                _ if words.contains(&variable) => continue,
                _ => variable.to_owned(),
            };
            if !variables.contains(&told) {
                variables.push(told);
            }
        }
        if variables.is_empty() { text } else { format!("{text} ({})", variables.join(", ")) }
    }

    fn by_flag(&self, flag: &str) -> Option<&Arg> {
        self.command.get_arguments().find(|it| it.get_long() == Some(flag))
    }

    /// Whether a flag is on the command line as it was typed.
    fn has_word(&self, flag: &str) -> bool {
        let is_it = |word: &OsString| {
            let word = word.to_string_lossy();
            word.strip_prefix("--").is_some_and(|it| it.split('=').next() == Some(flag))
        };
        self.words.iter().any(is_it)
    }

    /// The settings of the command as they are written, in the order of its help.
    pub(super) fn written(&self, matches: &ArgMatches) -> Vec<WrittenSetting> {
        let is_setting = |arg: &&Arg| arg.get_env().is_some() && arg.get_id() != SETTINGS;
        let written = self.command.get_arguments().filter(is_setting).map(|arg| {
            let id = arg.get_id().as_str();
            let values = matches.get_raw(id).unwrap_or_default().map(|it| it.to_string_lossy());
            let value = values.collect::<Vec<_>>().join(",");
            let value = if value.is_empty() { manual::default_in_text(arg) } else { Some(value) };
            WrittenSetting { name: id.to_owned(), value, source: self.source(arg) }
        });
        written.collect()
    }

    fn source(&self, arg: &Arg) -> SettingSource {
        let id = arg.get_id().as_str();
        let variable = arg.get_env().unwrap_or_default().to_string_lossy().into_owned();
        if let (Some(line), Some(file)) = (self.lines.get(id), &self.file) {
            return SettingSource::File { variable, path: file.path().to_owned(), line: *line };
        }
        match self.typed_by(id) {
            Some(ValueSource::CommandLine) => {
                SettingSource::Flag(format!("--{}", arg.get_long().unwrap_or_default()))
            }
            Some(ValueSource::EnvVariable) => SettingSource::Variable(variable),
            _ => SettingSource::Default,
        }
    }
}

/// The command that these words name, without those above it, and its arguments.
fn leaf(mut command: Command, mut matches: ArgMatches) -> (Command, ArgMatches) {
    while let Some((name, below)) = matches.remove_subcommand() {
        let Some(found) = command.find_subcommand(&name) else { break };
        command = found.clone();
        matches = below;
    }
    (command, matches)
}

/// Whether the value of a switch turns it off.
fn is_off(command: &Command, arg: &Arg, value: &str) -> bool {
    FalseyValueParser::new().parse_ref(command, Some(arg), OsStr::new(value)).is_ok_and(|it| !it)
}

/// The arguments that an error of the library names.
fn named(err: &Error) -> Vec<&str> {
    let of = |kind| match err.get(kind) {
        Some(ContextValue::String(it)) => vec![it.as_str()],
        Some(ContextValue::Strings(all)) => all.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    [of(ContextKind::InvalidArg), of(ContextKind::PriorArg)].concat()
}

/// How a command is run by a user who may read a file that this one may not.
fn run_by_another(path: &Path) -> String {
    match reader_of(path) {
        Some(user) => {
            format!("run the command as a user who may, as in sudo -u {user} vestibule …")
        }
        None => "run the command as a user who may".to_owned(),
    }
}

/// A user who may read a file: its owner, or the one with the name of its group. `None`: root alone, or unknown.
fn reader_of(path: &Path) -> Option<String> {
    let about = fs::metadata(path).or_else(|_| fs::metadata(folder_of(path))).ok()?;
    let name = |file, id: u32| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let found = text.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
        });
        found.filter(|_| id != 0)
    };
    name("/etc/passwd", about.uid()).or_else(|| name("/etc/group", about.gid()))
}

#[cfg(test)]
mod tests {
    use super::super::Command as Deed;
    use super::super::command_line::{CommandLine, Unread};
    use super::*;
    use crate::cli::serve::Config;

    /// A folder with a settings file of these lines.
    fn folder(lines: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("settings"), lines).unwrap();
        folder
    }

    fn read(lines: &str, typed: &[&str]) -> Result<CommandLine, String> {
        let folder = folder(lines);
        let words = ["vestibule"].iter().chain(typed).map(OsString::from);
        CommandLine::read(words, &folder.path().join("settings")).map_err(Unread::into_text)
    }

    /// What serve comes to with these lines in the file at the usual place, and these flags.
    fn serve(lines: &str, flags: &[&str]) -> Result<Config, String> {
        match read(lines, &[&["serve"], flags].concat())?.command {
            Some(Deed::Serve(args)) => args.check(),
            _ => Err("another command".to_owned()),
        }
    }

    fn refused(lines: &str, flags: &[&str]) -> String {
        serve(lines, flags).err().unwrap_or_else(|| panic!("{lines:?} was accepted"))
    }

    const OWN: &str = "VESTIBULE_ORIGIN=https://auth.example.com\n";

    #[test]
    fn reads_settings_of_every_kind_from_the_file() {
        let lines = "VESTIBULE_LISTEN=127.0.0.1:1,unix:/run/x.sock\nVESTIBULE_DATABASE='/srv/a b.db'\n\
                     VESTIBULE_APP=https://a.example.com,https://b.example.com\nVESTIBULE_COOKIE_DOMAIN=example.com\n\
                     VESTIBULE_BASIC_AUTH=true\nVESTIBULE_STRICT_ORIGIN=off\nVESTIBULE_TITLE=-x=\nTZ=UTC\n";
        let config = serve(&(lines.to_owned() + OWN), &[]).unwrap();
        let listen: Vec<_> = config.listen.iter().map(ToString::to_string).collect();
        assert_eq!(listen, ["127.0.0.1:1", "unix:/run/x.sock"]);
        assert_eq!(config.database.to_string(), "/srv/a b.db");
        assert_eq!((config.web.apps.len(), config.web.basic_auth), (2, true));
        assert!(!config.web.rule.strict);
        assert_eq!(config.web.look.own_title(), Some("-x="));
    }

    #[test]
    fn prefers_a_flag_to_the_file_and_counts_an_empty_line_as_none() {
        let listen = |lines: &str, flags: &[&str]| {
            let listen = serve(lines, flags).unwrap().listen;
            listen.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        let line = "VESTIBULE_LISTEN=127.0.0.1:1,127.0.0.1:2\n";
        assert_eq!(listen(line, &[]), "127.0.0.1:1 127.0.0.1:2");
        assert_eq!(listen(line, &["--listen", "127.0.0.1:3"]), "127.0.0.1:3");
        assert_eq!(listen(&format!("{line}VESTIBULE_LISTEN=\n"), &[]), "127.0.0.1:8080");
        let is_strict = |lines: &str, flags: &[&str]| serve(lines, flags).unwrap().web.rule.strict;
        assert!(is_strict("VESTIBULE_STRICT_ORIGIN=yes", &[]));
        assert!(!is_strict("VESTIBULE_STRICT_ORIGIN=0", &[]));
        assert!(is_strict("VESTIBULE_STRICT_ORIGIN=0", &["--strict-origin"]));
    }

    #[test]
    fn looks_at_the_usual_place_only_where_no_database_is_named() {
        let wrong = "VESTIBULE_LISTEN=8080\n";
        assert!(refused(wrong, &[]).contains("'8080'"));
        serve(wrong, &["--database=x.db"]).unwrap();
        for words in [&["version"][..], &["completions", "bash"], &["help", "serve"]] {
            assert!(read("x", words).is_ok(), "{words:?}");
        }
        for words in [&["user", "list"][..], &["key", "new", "x"], &["proxy-config", "nginx"]] {
            let told = read("x", words).err().unwrap();
            assert!(told.contains("settings line 1: there is no = in it"), "{words:?}: {told}");
        }
        let folder = folder(wrong);
        let nowhere = folder.path().join("nowhere");
        let words = ["vestibule", "serve"].map(OsString::from);
        assert!(CommandLine::read(words, &nowhere).is_ok(), "where there is none, none is read");
        let named = format!("--settings={}", folder.path().join("settings").display());
        for words in [["vestibule", &named, "serve"], ["vestibule", "serve", &named]] {
            let told = CommandLine::read(words.map(OsString::from), &nowhere).err().unwrap();
            assert!(told.into_text().contains("'8080'"), "{words:?}");
        }
        let missing = ["vestibule", "serve", "--settings=/no/file"].map(OsString::from);
        let told = CommandLine::read(missing, &nowhere).err().unwrap().into_text();
        assert!(
            told.contains("cannot read the settings file /no/file: there is no such"),
            "{told}"
        );
    }

    #[test]
    fn says_where_a_wrong_value_stands() {
        let told = refused(&format!("{OWN}VESTIBULE_ACTIVE=soon\n"), &[]);
        assert!(told.contains("'--active <DURATION>'"), "{told}");
        assert!(told.contains(" (VESTIBULE_ACTIVE in /") && told.ends_with("line 2)"), "{told}");
        let told = refused(OWN, &["--active=soon"]);
        assert!(!told.contains("VESTIBULE_ACTIVE"), "{told}");
        let command = "VESTIBULE_MAIL_COMMAND=/usr/sbin/sendmail\n";
        let told = refused(command, &["--mail=smtps://mail.example.com"]);
        assert!(told.contains("not both (VESTIBULE_MAIL_COMMAND in /"), "{told}");
    }

    #[test]
    fn names_the_variables_of_a_refusal_and_where_they_stand() {
        let naming = |lines: &str, text: &str| {
            read(lines, &["serve"]).unwrap().given.unwrap().naming(text.to_owned())
        };
        let text = "set --origin, or --insecure-http if that is meant";
        assert_eq!(naming("", text), format!("{text} (VESTIBULE_ORIGIN, VESTIBULE_INSECURE_HTTP)"));
        let told = naming(&format!("\n{OWN}"), "--origin, --app and --origin, or VESTIBULE_APP");
        assert!(
            told.contains("(VESTIBULE_ORIGIN in /") && told.ends_with("settings line 2)"),
            "{told}"
        );
        assert_eq!(naming("", "--no-flag and --json"), "--no-flag and --json");
    }

    #[test]
    fn refuses_names_that_are_no_settings_as_in_the_environment() {
        for (lines, expected) in [
            ("\nVESTIBULE_SINGUP=open", "\"VESTIBULE_SINGUP\" in /"),
            ("\nVESTIBULE_SINGUP=open", "line 2 is no setting; did you mean VESTIBULE_SIGNUP?"),
            ("vestibule.signup=open", "did you mean VESTIBULE_SIGNUP?"),
            ("VESTIBULE_GUARD=x", "--guard has no variable"),
            ("VESTIBULE_SETTINGS=/x", "line 1: a settings file cannot name another one"),
            ("export VESTIBULE_SIGNUP=open", "export belongs into a shell's script"),
            ("\u{feff}VESTIBULE_SIGNUP=open", "byte order mark"),
            ("1A=x", "does not begin with a digit"),
            ("=x", "\"\" is no name"),
        ] {
            let told = refused(lines, &[]);
            assert!(told.contains(expected) && told.lines().count() == 1, "{lines:?}: {told}");
        }
        serve("PATH=/bin\nTZ=UTC\nVESTIBULEX=1\n", &[]).unwrap();
    }

    #[test]
    fn puts_what_the_file_says_before_a_lone_pair_of_hyphens() {
        let line = "VESTIBULE_DATABASE=/srv/x.db\n";
        let Some(Deed::User(args)) = read(line, &["user", "show", "--", "-x"]).unwrap().command
        else {
            panic!("another command");
        };
        assert_eq!(args.database.check().unwrap().to_string(), "/srv/x.db");
    }
}
