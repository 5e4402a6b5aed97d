//! What is said of a command line that is wrong: one sentence, with what was probably meant or where to look.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error};

use super::command_line::definition;
use super::nearest::nearest;

/// What other programs call what a command here does.
const SYNONYMS: [(&str, &[&str]); 12] = [
    ("add", &["create", "new", "register", "invite"]),
    ("new", &["create", "add", "make"]),
    ("delete", &["remove", "rm", "del", "drop", "destroy"]),
    ("revoke", &["remove", "rm", "del", "delete", "end"]),
    ("end", &["remove", "rm", "del", "delete", "revoke", "kill", "logout"]),
    ("remove", &["rm", "del", "delete", "drop"]),
    ("disable", &["ban", "block", "lock", "suspend", "deactivate"]),
    ("enable", &["unban", "unblock", "activate"]),
    ("list", &["ls", "all"]),
    ("show", &["get", "info", "view"]),
    ("serve", &["start", "run", "server", "daemon"]),
    ("migrate", &["upgrade", "init", "migration"]),
];

/// What clap says in several paragraphs, as one sentence, and what to do.
pub(super) fn sentence(err: &Error, words: &[OsString]) -> String {
    let words: Vec<_> = words.iter().skip(1).map(|it| it.to_string_lossy().into_owned()).collect();
    let mut program = definition();
    program.build();
    let wrong = context(err, ContextKind::InvalidArg);
    match err.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = context(err, ContextKind::InvalidSubcommand).concat();
            let before = words.iter().take_while(|it| **it != word).map(String::as_str);
            let command = command(&program, before);
            let meant = commands_meant(command, &word);
            told(&format!("there is no command {}", spoken(command, &word)), &meant, command)
        }
        ErrorKind::UnknownArgument => {
            let command = command(&program, words.iter().map(String::as_str));
            unknown_argument(&wrong.concat(), &words, command)
        }
        ErrorKind::MissingRequiredArgument => {
            let command = command(&program, words.iter().map(String::as_str));
            let usage = usage(command);
            let verb = if wrong.len() == 1 { "is" } else { "are" };
            format!("{} {verb} missing: {usage}", listed(&wrong))
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let command = command(&program, words.iter().map(String::as_str));
            let names: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
            format!("name one of the commands of {}: {}", name(command), names.join(", "))
        }
        ErrorKind::ArgumentConflict => conflict(err).unwrap_or_else(|| other(err)),
        ErrorKind::TooManyValues => format!("{} takes no value", wrong.concat()),
        ErrorKind::InvalidValue if context(err, ContextKind::InvalidValue).concat().is_empty() => {
            format!("{} needs a value", wrong.concat())
        }
        _ => other(err),
    }
}

/// Arguments that exclude each other. `None`: it is one that was given twice.
fn conflict(err: &Error) -> Option<String> {
    let one = context(err, ContextKind::InvalidArg).concat();
    let others = context(err, ContextKind::PriorArg);
    let is_repeated = others.is_empty() || others.contains(&&*one);
    (!is_repeated).then(|| format!("give {one} or {}, not both", listed(&others)))
}

/// A sentence that ends with what was probably meant, or else with where to look.
fn told(text: &str, meant: &[String], command: &Command) -> String {
    match meant {
        [] => format!("{text}; {} -h lists what there is", name(command)),
        meant => format!("{text}; did you mean {}?", meant.join(" or ")),
    }
}

/// The command that these words name, as far as they name one: others are flags and values.
fn command<'a, 'b>(program: &'a Command, words: impl Iterator<Item = &'b str>) -> &'a Command {
    words
        .take_while(|word| *word != "--")
        .fold(program, |found, word| found.find_subcommand(word).unwrap_or(found))
}

/// A command as it is typed, as in `vestibule user add`.
fn name(command: &Command) -> &str {
    command.get_bin_name().unwrap_or_else(|| command.get_name())
}

/// A word below a command, as it was typed, without the name of the program.
fn spoken(command: &Command, word: &str) -> String {
    let typed = format!("{} {word}", name(command));
    typed.split_once(' ').map_or(word.to_owned(), |(_, rest)| rest.to_owned())
}

/// The commands that may be meant by a word that none has here, as they are typed: one near it, one that other
/// programs call so, or those deeper down that have this very name, as `user passwd` for `passwd`.
fn commands_meant(command: &Command, word: &str) -> Vec<String> {
    let names: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
    let is_called = |it: &&(&str, &[&str])| names.contains(&it.0) && it.1.contains(&word);
    let synonym = SYNONYMS.iter().find(is_called).map(|(name, _)| *name);
    if let Some(found) = synonym.or_else(|| nearest(word, names)) {
        return vec![format!("{} {found}", name(command))];
    }
    let mut below = Vec::new();
    collect(command, &mut below);
    let is_named = |it: &&&Command| nearest(word, [it.get_name()]).is_some();
    let exact = below.iter().filter(|it| it.get_name() == word).map(|it| name(it).to_owned());
    let exact: Vec<_> = exact.collect();
    if exact.is_empty() {
        below.iter().find(is_named).map(|it| name(it).to_owned()).into_iter().collect()
    } else {
        exact
    }
}

fn collect<'a>(command: &'a Command, found: &mut Vec<&'a Command>) {
    for below in command.get_subcommands() {
        found.push(below);
        collect(below, found);
    }
}

/// An argument that the command does not have: a flag that is misspelt or in the wrong place, or a word too many.
fn unknown_argument(wrong: &str, words: &[String], command: &Command) -> String {
    // Of `-json` the library names the first letter alone.
    let is_cluster =
        |it: &&String| wrong.starts_with('-') && it.starts_with(wrong) && !it.starts_with("--");
    let typed = words.iter().find(is_cluster).map_or(wrong, String::as_str);
    let flags: Vec<_> = command.get_arguments().filter_map(Arg::get_long).collect();
    let bare = typed.trim_start_matches('-');
    let text = format!("{} does not take {typed}", name(command));
    if typed.starts_with("--") && flags.contains(&bare) {
        return format!("{typed} belongs behind the command: {} {typed}", name(command));
    }
    let meant = match bare {
        _ if !typed.starts_with('-') => None,
        "v" => Some("version").filter(|it| flags.contains(it)),
        "?" => Some("help"),
        bare => nearest(bare, flags),
    };
    match (meant, flag_before(typed, words, command)) {
        (None, Some(flag)) => {
            format!("{flag} needs a value; write {flag}={typed} if that is {typed}")
        }
        (meant, _) => told(&text, meant.map(|it| format!("--{it}")).as_slice(), command),
    }
}

/// The flag before a word that begins with a hyphen, if a value of that flag may be meant by it.
fn flag_before<'a>(typed: &str, words: &'a [String], command: &Command) -> Option<&'a str> {
    let at = words.iter().position(|it| it == typed).filter(|_| typed.starts_with('-'))?;
    let flag = words.get(at.checked_sub(1)?)?;
    let name = flag.strip_prefix("--")?;
    let takes_value = |it: &Arg| it.get_long() == Some(name) && it.get_action().takes_values();
    command.get_arguments().any(takes_value).then_some(flag)
}

/// Things in a row, as in `a, b and c`.
fn listed(all: &[&str]) -> String {
    match all {
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        all => all.concat(),
    }
}

/// How a command is written, in one line.
fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let line = usage.trim_start_matches("Usage: ").split_whitespace().collect::<Vec<_>>();
    line.join(" ")
}

/// Any other mistake, as clap tells it, without its tips and its pointers to the help.
fn other(err: &Error) -> String {
    let text = err.to_string();
    let paragraphs = text.trim_start_matches("error: ").split("\n\n");
    let is_said =
        |it: &&str| !["Usage", "For more", "  tip:"].iter().any(|tip| it.starts_with(tip));
    let said = paragraphs.take_while(|it| !it.starts_with("Usage")).filter(is_said);
    let line = said.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    let Some((what, values)) = line.split_once(" [possible values: ") else { return line };
    let typed = context(err, ContextKind::InvalidValue).concat();
    match nearest(&typed, context(err, ContextKind::ValidValue)) {
        Some(it) => format!("{what}; did you mean {it}?"),
        None => format!("{what}: it must be one of {}", values.trim_end_matches(']')),
    }
}

/// What the library says of a mistake, of this kind.
fn context(err: &Error, kind: ContextKind) -> Vec<&str> {
    match err.get(kind) {
        Some(ContextValue::String(it)) => vec![it],
        Some(ContextValue::Strings(all)) => all.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::command_line::{CommandLine, Unread};
    use super::*;

    /// Compares what is said of command lines with what is expected.
    fn compare(all: &[(&str, &str)]) {
        for (line, expected) in all {
            let words = ["vestibule"].into_iter().chain(line.split(' '));
            let read = CommandLine::read(words.map(OsString::from), Path::new("/nowhere"));
            assert_eq!(read.map_err(Unread::into_text).err().as_deref(), Some(*expected));
        }
    }

    #[test]
    fn says_what_is_wrong_in_one_sentence_with_what_was_meant_or_where_to_look() {
        compare(&[
            ("usr", "there is no command usr; did you mean vestibule user?"),
            ("sreve", "there is no command sreve; did you mean vestibule serve?"),
            ("start", "there is no command start; did you mean vestibule serve?"),
            ("users list", "there is no command users; did you mean vestibule user?"),
            ("passwd anna", "there is no command passwd; did you mean vestibule user passwd?"),
            ("passwrd anna", "there is no command passwrd; did you mean vestibule user passwd?"),
            (
                "revoke x",
                "there is no command revoke; did you mean vestibule invite revoke or vestibule \
                 token revoke?",
            ),
            ("xyzzy", "there is no command xyzzy; vestibule -h lists what there is"),
            ("user ad x", "there is no command user ad; did you mean vestibule user add?"),
            (
                "user remove x",
                "there is no command user remove; did you mean vestibule user delete?",
            ),
            ("user xyzzy", "there is no command user xyzzy; vestibule user -h lists what there is"),
            (
                "user key xyzzy",
                "there is no command user key xyzzy; vestibule user key -h lists what there is",
            ),
            (
                "user --database x",
                "name one of the commands of vestibule user: add, list, passwd, rename, key, delete, free, \
                 reset-link, second-factor, passkey, unlock, show, groups, email, disable, enable",
            ),
            ("user list --jsn", "vestibule user list does not take --jsn; did you mean --json?"),
            ("user list -json", "vestibule user list does not take -json; did you mean --json?"),
            (
                "user --no-password add x",
                "--no-password belongs behind the command: vestibule user add --no-password",
            ),
            (
                "--database x user list",
                "--database belongs behind the command: vestibule user list --database",
            ),
            (
                "serve --sing-up x",
                "vestibule serve does not take --sing-up; did you mean --signup?",
            ),
            ("-v", "vestibule does not take -v; did you mean --version?"),
            (
                "user show a b",
                "vestibule user show does not take b; vestibule user show -h lists what there is",
            ),
            ("user add", "<NAME> is missing: vestibule user add [OPTIONS] <NAME>"),
            (
                "copy",
                "--from <DATABASE> and --to <DATABASE> are missing: vestibule copy [OPTIONS] --from \
                 <DATABASE> --to <DATABASE>",
            ),
            (
                "proxy-config",
                "--origin <URL>, --app <URL,...> and <PROXY> are missing: vestibule proxy-config [OPTIONS] \
                 --origin <URL> <--app <URL,...>|--same-host> <PROXY>",
            ),
        ]);
    }

    #[test]
    fn says_what_is_wrong_with_a_value_in_one_sentence() {
        compare(&[
            (
                "audit --limit 0",
                "invalid value '0' for '--limit <COUNT>': it must be a number of at least 1",
            ),
            ("audit --limit", "--limit <COUNT> needs a value"),
            (
                "audit --sort=",
                "vestibule audit does not take --sort; vestibule audit -h lists what there is",
            ),
            ("audit --json=yes", "--json takes no value"),
            ("audit --limit -1", "--limit needs a value; write --limit=-1 if that is -1"),
            ("audit --limit --jsn", "vestibule audit does not take --jsn; did you mean --json?"),
            (
                "audit --json -1",
                "vestibule audit does not take -1; vestibule audit -h lists what there is",
            ),
            (
                "user disable anna --reason -left",
                "--reason needs a value; write --reason=-left if that is -left",
            ),
            (
                "audit a b",
                "vestibule audit does not take a; vestibule audit -h lists what there is",
            ),
            (
                "completions --database",
                "vestibule completions does not take --database; vestibule completions -h lists what there is",
            ),
            ("proxy-config ngnx", "invalid value 'ngnx' for '<PROXY>'; did you mean nginx?"),
            (
                "proxy-config squid",
                "invalid value 'squid' for '<PROXY>': it must be one of nginx, caddy, traefik, haproxy, apache, envoy",
            ),
            (
                "audit --event login",
                "invalid value 'login' for '--event <EVENT>'; did you mean login_ok?",
            ),
            ("user groups anna a,b --add x", "give [GROUP,...] or --add <GROUP,...>, not both"),
            (
                "user reset-link anna --origin https://x.example --qr --json",
                "give --qr or --json, not both",
            ),
        ]);
    }
}
