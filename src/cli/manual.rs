//! The definitions of the command line in other forms than `--help`: shell completions, manual pages,
//! and the reference in Markdown that docs/settings.md and docs/commands.md are.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::{Arg, ArgAction, Command};
use clap_complete::Shell;

use crate::base::file_fault::writing;
use crate::web::openapi;

use super::change_report::ChangeReport;
use super::command_line::{EXIT_CODES, definition};
use super::counted;

/// What stands at the top of the rendered files.
const NOTICE: &str = "<!-- Rendered from the definitions of the command line in src/cli: change the texts there, then run \
                      `cargo run -- manual --markdown docs`. -->";

/// A script that makes this shell complete commands and flags.
pub(super) fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut definition(), "vestibule", &mut text);
    String::from_utf8(text).expect("names and texts of flags are UTF-8")
}

/// `vestibule manual`: writes a manual page for each command into the folder; or the reference, `settings.md`
/// and `commands.md`, over those that are there.
pub(super) fn write(folder: &Path, is_reference: bool) -> Result<ChangeReport, String> {
    let (done, count, what) = if is_reference {
        (write_reference(folder), 3, "file")
    } else {
        let pages = pages(&definition());
        (clap_mangen::generate_to(definition(), folder), pages, "manual page")
    };
    let is_there = folder.is_dir();
    let folder = folder.display().to_string();
    if !is_there {
        return Err(format!("cannot write into {folder}: there is no such folder; make it first"));
    }
    done.map_err(|err| format!("cannot write into {folder}: {}", writing(&err)))?;
    let report = ChangeReport::new(format!("{} written into {folder}", counted(count, what)));
    Ok(report.with("folder", folder).with("files", count))
}

/// How many manual pages there are: one for each command, and for each group of commands.
fn pages(command: &Command) -> usize {
    1 + command.get_subcommands().map(pages).sum::<usize>()
}

fn write_reference(folder: &Path) -> std::io::Result<()> {
    let mut program = definition();
    program.build();
    let serve = program.find_subcommand("serve").expect("the program serves");
    let mut description = serde_json::to_string_pretty(&openapi::description())?;
    description.push('\n');
    fs::write(folder.join("openapi.json"), description)?;
    fs::write(folder.join("settings.md"), settings_page(serve))?;
    fs::write(folder.join("commands.md"), commands_page(&program, serve))
}

/// The settings of `serve`, a table for each section of its help.
fn settings_page(serve: &Command) -> String {
    let notes = blocks(serve).into_iter().filter(|it| !is_example(it));
    let notes: Vec<_> = notes.map(|it| prose(&it.replace('\n', "\n\n"))).collect();
    let mut page = format!(
        "{NOTICE}\n\n# Settings\n\nThe settings of [`vestibule serve`](commands.md#vestibule-serve).\n\n{}\n",
        notes.join("\n\n")
    );
    let mut sections: Vec<&str> = Vec::new();
    for arg in shown(serve) {
        let section = section(arg);
        if !sections.contains(&section) {
            sections.push(section);
        }
    }
    for name in sections {
        let args: Vec<_> = shown(serve).filter(|arg| section(arg) == name).collect();
        write!(page, "\n## {name}\n\n{}", table("setting", &args)).expect(WRITES);
    }
    page
}

/// All commands: a list of them, then what each does and takes.
fn commands_page(program: &Command, serve: &Command) -> String {
    let mut page = format!("{NOTICE}\n\n# Commands\n\n{}\n", prose(&about(program)));
    page.push_str(&notes(program));
    page.push_str("\n| command | |\n|---|---|\n");
    for command in leaves(program) {
        let name = name(command);
        let anchor = name.replace(' ', "-");
        let about = prose(&about(command));
        writeln!(page, "| [`{name}`](#{anchor}) | {} |", cell(&about)).expect(WRITES);
    }
    for command in program.get_subcommands().filter(|it| is_ours(it)) {
        write_command(&mut page, command, serve, "##");
    }
    page
}

/// A command with those below it, each under a heading.
fn write_command(page: &mut String, command: &Command, serve: &Command, heading: &str) {
    let about = prose(&about(command));
    write!(page, "\n{heading} {}\n\n{about}\n", name(command)).expect(WRITES);
    if command.has_subcommands() {
        page.push_str(&notes(command));
        for below in command.get_subcommands().filter(|it| is_ours(it)) {
            write_command(page, below, serve, "###");
        }
        return;
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    write!(page, "\n```text\n{usage}\n```\n").expect(WRITES);
    let (settings, own): (Vec<_>, Vec<_>) =
        shown(command).partition(|arg| shown(serve).any(|it| is_same(it, arg)));
    if !own.is_empty() {
        write!(page, "\n{}", table("argument", &own)).expect(WRITES);
    }
    if settings.len() == shown(serve).count() {
        page.push_str("\nTakes all [settings](settings.md).\n");
    } else if !settings.is_empty() {
        let names: Vec<_> = settings.into_iter().map(|arg| format!("`{}`", flag(arg))).collect();
        let names = names.join(", ");
        write!(page, "\nTakes the [settings](settings.md) {names}.\n").expect(WRITES);
    }
    page.push_str(&notes(command));
}

/// What is said below a command's help: examples as a shell would take them, the rest as prose.
fn notes(command: &Command) -> String {
    let mut text = String::new();
    // What is said of all commands at the top need not be repeated.
    for block in blocks(command).into_iter().filter(|it| it != EXIT_CODES) {
        match block.split_once('\n').filter(|_| is_example(&block)) {
            Some((_, lines)) => {
                let lines: Vec<_> =
                    lines.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
                write!(text, "\n```sh\n{}\n```\n", lines.join("\n")).expect(WRITES);
            }
            None => {
                for line in block.lines() {
                    write!(text, "\n{}\n", prose(line)).expect(WRITES);
                }
            }
        }
    }
    text
}

/// A row for each flag or argument.
fn table(title: &str, args: &[&Arg]) -> String {
    let mut text = format!("| {title} | default | |\n|---|---|---|\n");
    for arg in args {
        let (help, said) = text_and_default(arg);
        let default = said.unwrap_or_else(|| default(arg));
        let mut help = prose(&sentence(&help));
        let choices = arg.get_possible_values();
        if arg.get_action().takes_values() && !choices.is_empty() {
            let choices: Vec<_> = choices.iter().map(|it| format!("`{}`", it.get_name())).collect();
            write!(help, " One of {}.", choices.join(", ")).expect(WRITES);
        }
        let (usage, default, help) = (cell(&usage(arg)), cell(&prose(&default)), cell(&help));
        writeln!(text, "| `{usage}` | {default} | {help} |").expect(WRITES);
    }
    text
}

/// The default that the text of an argument names, if it does: one that depends on others.
pub(super) fn default_in_text(arg: &Arg) -> Option<String> {
    text_and_default(arg).1
}

/// The text of an argument, and the default at its end, which is written as clap writes its own.
fn text_and_default(arg: &Arg) -> (String, Option<String>) {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string);
    let help = help.unwrap_or_default();
    match help.rsplit_once(" [default: ") {
        Some((text, said)) => (text.to_owned(), said.strip_suffix(']').map(str::to_owned)),
        None => (help, None),
    }
}

/// The default of an argument: a value, `off` for a switch, `none`, or nothing where it must be given.
fn default(arg: &Arg) -> String {
    let values: Vec<_> = arg.get_default_values().iter().map(|it| it.to_string_lossy()).collect();
    let values = values.join(",");
    match arg.get_action() {
        ArgAction::SetTrue => "off".to_owned(),
        _ if arg.is_required_set() => String::new(),
        _ if values.is_empty() => "none".to_owned(),
        _ => format!("`{values}`"),
    }
}

/// How an argument is written: `--listen ADDRESS,...`, or `NAME`.
fn usage(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let value = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    if arg.is_positional() {
        return value;
    }
    match arg.get_action() {
        ArgAction::SetTrue => flag(arg),
        _ => format!("{} {value}", flag(arg)),
    }
}

fn flag(arg: &Arg) -> String {
    format!("--{}", arg.get_long().unwrap_or_default())
}

fn section(arg: &Arg) -> &str {
    arg.get_help_heading().unwrap_or("Options")
}

/// The arguments of a command but for those that clap adds.
fn shown(command: &Command) -> impl Iterator<Item = &Arg> {
    command
        .get_arguments()
        .filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()) && !arg.is_hide_set())
}

/// Whether two commands have an argument in common, with the same default and the same text.
fn is_same(one: &Arg, other: &Arg) -> bool {
    let text = |arg: &Arg| arg.get_help().map(ToString::to_string);
    one.get_id() == other.get_id()
        && one.get_default_values() == other.get_default_values()
        && text(one) == text(other)
}

/// Whether a command is one of ours, and not the `help` that clap adds.
fn is_ours(command: &Command) -> bool {
    command.get_name() != "help"
}

/// The commands that do something, in the order of the help.
fn leaves(command: &Command) -> Vec<&Command> {
    if !command.has_subcommands() {
        return vec![command];
    }
    command.get_subcommands().filter(|it| is_ours(it)).flat_map(leaves).collect()
}

/// A command as it is typed: `vestibule user add`.
fn name(command: &Command) -> &str {
    command.get_bin_name().unwrap_or_else(|| command.get_name())
}

fn about(command: &Command) -> String {
    let about = command.get_long_about().or(command.get_about());
    sentence(&about.map(ToString::to_string).unwrap_or_default())
}

/// The paragraphs below a command's help.
fn blocks(command: &Command) -> Vec<String> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    text.split("\n\n").filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

fn is_example(block: &str) -> bool {
    block.starts_with("Example:\n") || block.starts_with("Examples:\n")
}

/// The text with the full stop that clap takes off.
fn sentence(text: &str) -> String {
    let text = text.trim_end();
    if text.is_empty() || text.ends_with(['.', ':']) { text.to_owned() } else { format!("{text}.") }
}

/// Text of the help as Markdown: flags, variables and addresses become code, unless they are it already.
fn prose(text: &str) -> String {
    let spans = text.split('`').enumerate().map(|(at, span)| {
        if at % 2 == 1 {
            return format!("`{span}`");
        }
        let words = span.split(' ').map(|word| {
            let bare = word.trim_start_matches('(').trim_end_matches(['.', ',', ';', ':', ')']);
            let is_code = bare.len() > 2
                && (bare.starts_with("--") || bare.starts_with("VESTIBULE_"))
                || bare.contains("://");
            if is_code { word.replacen(bare, &format!("`{bare}`"), 1) } else { word.to_owned() }
        });
        words.collect::<Vec<_>>().join(" ")
    });
    spans.collect()
}

/// Text as it can stand in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Why writing into a text cannot fail.
const WRITES: &str = "a String takes any text";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_a_variable_and_a_section_for_every_setting() {
        let program = definition();
        let serve = program.find_subcommand("serve").unwrap();
        let mut settings = 0;
        for arg in shown(serve) {
            let variable = format!("VESTIBULE_{}", arg.get_id().as_str().to_uppercase());
            assert_eq!(arg.get_env().and_then(|it| it.to_str()), Some(&*variable));
            assert!(arg.get_help_heading().is_some(), "{}: help_heading is missing", arg.get_id());
            assert_eq!(flag(arg)[2..].replace('-', "_"), arg.get_id().as_str());
            settings += 1;
        }
        assert!(settings >= 40, "the test no longer sees the settings: {settings}");
    }

    #[test]
    fn writes_flags_variables_and_addresses_as_code() {
        for (text, expected) in [
            ("as with --origin, or not", "as with `--origin`, or not"),
            ("(VESTIBULE_X) is `--y`.", "(`VESTIBULE_X`) is `--y`."),
            ("as in https://auth.example.com.", "as in `https://auth.example.com`."),
            ("a - b -- c", "a - b -- c"),
        ] {
            assert_eq!(prose(text), expected);
        }
        assert_eq!(cell("off|system"), "off\\|system");
        assert_eq!((&*sentence("Yes"), &*sentence("Yes.")), ("Yes.", "Yes."));
    }
}
