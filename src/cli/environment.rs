//! The environment and the settings file: every variable that begins with `VESTIBULE_` has to be a setting.
//!
//! A misspelt one would otherwise be ignored, and the server would run with a default that its operator
//! believes to have changed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};

use clap::Command;

use super::database::PASSWORD_VARIABLE;
use super::nearest::nearest;
use super::settings_file::{Assignment, SettingsFile};
use super::variables::SETTINGS_VARIABLE;

/// What the names of all settings begin with.
const PREFIX: &str = "VESTIBULE_";

/// Letters that may be missing, wrong or too many in the first word of a name that is meant to be ours.
const PREFIX_MISTAKES_MAX: usize = 2;

/// What other programs call a setting, behind their own prefix, and what it is called here.
const ELSEWHERE: [(&str, &[&str]); 3] = [
    ("LISTEN", &["PORT", "HOST", "ADDRESS", "ADDR", "BIND", "HTTP_PORT"]),
    ("DATABASE", &["DB", "DB_FILE", "DB_PATH", "DB_URL", "SQLITE"]),
    ("ORIGIN", &["URL", "BASE_URL", "PUBLIC_URL", "EXTERNAL_URL", "ROOT_URL", "SITE_URL"]),
];

/// What a service can speak (Kubernetes).
const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

/// Refuses a variable that no setting of any command has, in one line that says which setting may have been
/// meant, or else where the settings are found.
pub(super) fn check(
    command: &Command,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(), String> {
    let known = names(command);
    let texts = variables.map(|(name, value)| [name, value].map(|it| it.to_string_lossy().into()));
    let mut stray: Vec<_> = texts
        .filter(|[name, value]: &[String; 2]| is_stray(name, value, &known))
        .map(|[name, _]| name)
        .collect();
    stray.sort();
    let Some(name) = stray.first() else { return Ok(()) };
    Err(format!("{name:?} in the environment is no setting; {}", advice(name, &known, command)))
}

/// Refuses a line of the settings file whose name is no setting, as [`check`] does, and one whose name is none at all.
/// Names of other programs, which systemd sets too, are let pass.
pub(super) fn check_file(command: &Command, file: &SettingsFile) -> Result<(), String> {
    let known = names(command);
    for Assignment { line, name, value } in file.assignments() {
        let place = file.place(*line);
        if is_stray(name, value, &known) {
            let advice = advice(name, &known, command);
            return Err(format!("{name:?} in {place} is no setting; {advice}"));
        }
        if name == SETTINGS_VARIABLE {
            return Err(format!("{place}: a settings file cannot name another one; remove {name}"));
        }
        if !is_name(name) {
            let why = match name.split_once(char::is_whitespace) {
                Some(("export", _)) => "export belongs into a shell's script; write NAME=VALUE",
                _ if name.starts_with('\u{feff}') => {
                    "the file begins with a byte order mark; save it as UTF-8 without one"
                }
                _ => "a name consists of letters, digits and _, and does not begin with a digit",
            };
            return Err(format!("{place}: {name:?} is no name of a variable: {why}"));
        }
    }
    Ok(())
}

/// Whether a variable is meant for us and is no setting.
fn is_stray(name: &str, value: &str, known: &BTreeSet<String>) -> bool {
    !known.contains(name) && is_meant_for_us(name, known) && !is_service_link(name, value)
}

/// What to do about a variable that is no setting.
fn advice(name: &str, known: &BTreeSet<String>, command: &Command) -> String {
    match (meant(name, known), flag_without_variable(name, command)) {
        (_, Some(flag)) => format!("{flag} has no variable, so give it as a flag"),
        (Some(meant), None) => format!("did you mean {meant}?"),
        (None, None) => "vestibule serve --help lists the settings".to_owned(),
    }
}

/// Whether this can be the name of a variable.
fn is_name(name: &str) -> bool {
    let is_of_name = |it: u8| it.is_ascii_alphanumeric() || it == b'_';
    name.bytes().all(is_of_name)
        && !name.starts_with(|it: char| it.is_ascii_digit())
        && !name.is_empty()
}

/// Whether a variable is one of ours, rightly spelt or not: its name begins with our prefix, whatever the
/// case and whatever stands in the place of an underscore; or it is a setting behind a prefix that is
/// almost ours.
fn is_meant_for_us(name: &str, known: &BTreeSet<String>) -> bool {
    let name = plain(name);
    if name.starts_with(PREFIX) {
        return true;
    }
    let word = &PREFIX[..PREFIX.len() - 1];
    name.split_once('_').is_some_and(|(prefix, setting)| {
        known.contains(&format!("{PREFIX}{setting}"))
            && strsim::damerau_levenshtein(prefix, word) <= PREFIX_MISTAKES_MAX
    })
}

/// A name as a setting would be called: in capitals, with underscores between the words.
fn plain(name: &str) -> String {
    let plain = |it: char| if it.is_alphanumeric() { it.to_ascii_uppercase() } else { '_' };
    name.trim().chars().map(plain).collect()
}

/// The variables of all settings of all commands.
fn names(command: &Command) -> BTreeSet<String> {
    fn collect(command: &Command, found: &mut BTreeSet<String>) {
        let variables = command.get_arguments().filter_map(clap::Arg::get_env);
        found.extend(variables.map(|it| it.to_string_lossy().into_owned()));
        for below in command.get_subcommands() {
            collect(below, found);
        }
    }
    let mut found = BTreeSet::from([PASSWORD_VARIABLE.to_owned()]);
    #[cfg(feature = "mail")]
    found.insert(super::serve::mail::PASSWORD_VARIABLE.to_owned());
    collect(command, &mut found);
    found
}

/// The setting that a name may be meant for; `None`: none is near.
fn meant<'a>(name: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    let words = words(name);
    let setting = |it: &'a String| it.strip_prefix(PREFIX).unwrap_or_default();
    let elsewhere = ELSEWHERE.iter().find(|(_, names)| names.contains(&&*words));
    let word = match elsewhere {
        Some((word, _)) => word,
        None => nearest(&words, known.iter().map(setting)).or_else(|| {
            // As in LISTEN_PORT and DATABASE_URL.
            let begins = |it: &&str| {
                words.strip_prefix(it).is_some_and(|rest| rest.starts_with('_')) && !it.is_empty()
            };
            known.iter().map(setting).filter(begins).max_by_key(|it| it.len())
        })?,
    };
    known.get(&format!("{PREFIX}{word}")).map(String::as_str)
}

/// The flag of some command that has this name and is no variable.
fn flag_without_variable(name: &str, command: &Command) -> Option<String> {
    fn has(command: &Command, flag: &str) -> bool {
        let is_it = |arg: &clap::Arg| arg.get_long() == Some(flag) && arg.get_env().is_none();
        command.get_arguments().any(is_it) || command.get_subcommands().any(|it| has(it, flag))
    }
    let flag = words(name).replace('_', "-").to_lowercase();
    has(command, &flag).then(|| format!("--{flag}"))
}

/// A name without the prefix of all settings, as a setting would be written.
fn words(name: &str) -> String {
    plain(name).split_once('_').map_or(String::new(), |(_, rest)| rest.to_owned())
}

/// Whether Kubernetes, or Docker in its place, has set the variable to tell where a service is: one that
/// is called `vestibule`, or one whose name begins with `vestibule-`. Both the name and the value have to
/// be as they write them (<https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>).
fn is_service_link(name: &str, value: &str) -> bool {
    let is_written_so = |it: u8| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_';
    let Some(rest) = name.strip_prefix("VESTIBULE").filter(|it| it.bytes().all(is_written_so))
    else {
        return false;
    };
    // The name of another service may hold any of these words: each place where one is counts.
    let after =
        |word: &'static str| rest.match_indices(word).map(|(at, _)| &rest[at + word.len()..]);
    after("_SERVICE_HOST").any(|it| it.is_empty() && is_ip(value))
        || after("_SERVICE_PORT").any(|it| (it.is_empty() || it.starts_with('_')) && is_port(value))
        || after("_PORT").any(|it| is_port_link(it, value))
}

/// Whether a variable that ends with this after `_PORT` tells of a port: where it is, or a field of that.
fn is_port_link(rest: &str, value: &str) -> bool {
    let Some(rest) = rest.strip_prefix('_') else { return rest.is_empty() && is_place(value) };
    let words: Vec<_> = rest.split('_').collect();
    let [port, protocol, field @ ..] = &words[..] else { return false };
    let has_numbers = is_port(port) && PROTOCOLS.contains(&protocol.to_lowercase().as_str());
    has_numbers
        && match field {
            [] => is_place(value),
            ["PROTO"] => *protocol == value.to_uppercase(),
            ["PORT"] => *port == value,
            ["ADDR"] => is_ip(value),
            _ => false,
        }
}

/// As in `tcp://10.0.0.11:8080`.
fn is_place(value: &str) -> bool {
    let Some((protocol, address)) = value.split_once("://") else { return false };
    PROTOCOLS.contains(&protocol) && address.parse::<SocketAddr>().is_ok_and(|it| it.port() > 0)
}

fn is_port(value: &str) -> bool {
    let is_digits = value.bytes().all(|it| it.is_ascii_digit());
    is_digits && value.parse::<u16>().is_ok_and(|it| it > 0)
}

fn is_ip(value: &str) -> bool {
    value.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::command_line::definition;
    use super::*;

    fn refusal(variables: &[(&str, &str)]) -> Option<String> {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        check(&definition(), variables).err()
    }

    #[test]
    fn names_the_setting_that_was_probably_meant() {
        for (name, expected) in [
            ("VESTIBULE_SINGUP", "VESTIBULE_SIGNUP"),
            ("VESTIBULE_SIGN_UP", "VESTIBULE_SIGNUP"),
            ("VESTIBULE_ORGIN", "VESTIBULE_ORIGIN"),
            ("VESTIBULE_TRUSTED_PROXIES", "VESTIBULE_TRUSTED_PROXY"),
            ("VESTIBULE_DB", "VESTIBULE_DATABASE"),
            ("VESTIBULE_DATABASE_PASWORD", "VESTIBULE_DATABASE_PASSWORD"),
            ("VESTIBULE_signup", "VESTIBULE_SIGNUP"),
            ("VESTIBULE_LISTEN_PORT", "VESTIBULE_LISTEN"),
            ("VESTIBULE_DATABASE_URL", "VESTIBULE_DATABASE"),
            ("VESTIBULE_BASE_URL", "VESTIBULE_ORIGIN"),
            ("vestibule_signup", "VESTIBULE_SIGNUP"),
            ("Vestibule_Sign_Up", "VESTIBULE_SIGNUP"),
            ("VESTIBULE-SIGNUP", "VESTIBULE_SIGNUP"),
            ("VESTIBULE.COOKIE.DOMAIN", "VESTIBULE_COOKIE_DOMAIN"),
            (" VESTIBULE_SIGNUP", "VESTIBULE_SIGNUP"),
            ("VESTIBULE_SIGNUP ", "VESTIBULE_SIGNUP"),
            ("VESTIBUL_SIGNUP", "VESTIBULE_SIGNUP"),
            ("VESTBIULE_ORIGIN", "VESTIBULE_ORIGIN"),
            ("VESTIBULES_DATABASE", "VESTIBULE_DATABASE"),
            ("VESTIBULE_PORT", "VESTIBULE_LISTEN"),
            ("vestibule_host", "VESTIBULE_LISTEN"),
        ] {
            let told = refusal(&[("PATH", "/bin"), (name, "8080")]).unwrap_or_default();
            let expected =
                format!("{name:?} in the environment is no setting; did you mean {expected}?");
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn suggests_no_setting_that_is_not_near() {
        for (name, expected) in [
            ("VESTIBULE_UPSTREAM", "--upstream has no variable, so give it as a flag"),
            ("VESTIBULE_SIGN_IN", "--sign-in has no variable, so give it as a flag"),
            ("VESTIBULE_GUARD", "--guard has no variable, so give it as a flag"),
            ("VESTIBULE_", "vestibule serve --help lists the settings"),
            ("VESTIBULE_SERVICE_HOST", "vestibule serve --help lists the settings"),
            ("VESTIBULE_SECRET_KEY", "vestibule serve --help lists the settings"),
            ("VESTIBULE_TLS_CERT", "vestibule serve --help lists the settings"),
            ("VESTIBULE_X", "vestibule serve --help lists the settings"),
        ] {
            let told = refusal(&[(name, "x")]).unwrap_or_default();
            assert_eq!(told, format!("{name:?} in the environment is no setting; {expected}"));
        }
    }

    #[test]
    fn takes_the_settings_of_every_command_and_what_is_not_ours() {
        let known = names(&definition());
        assert!(known.len() > 35, "{known:?}");
        for name in ["SIGNUP", "DATABASE", "DATABASE_PASSWORD", "DATABASE_PASSWORD_FILE", "LOGO"] {
            assert!(known.contains(&format!("VESTIBULE_{name}")), "{name}");
        }
        let all: Vec<_> = known.iter().map(|it| (&**it, "x")).collect();
        assert_eq!(refusal(&all), None);
        assert_eq!(
            refusal(&[
                ("VESTIBULEX", "1"),
                ("MY_VESTIBULE_X", "1"),
                ("VESTIBUL_HOME", "1"),
                ("TITLE", "1"),
                ("_", "1"),
                ("", "1"),
            ]),
            None
        );
    }

    #[test]
    fn leaves_the_variables_alone_that_tell_where_a_service_is() {
        for (name, value) in [
            ("PORT", "tcp://10.0.0.11:8080"),
            ("PORT_8080_TCP", "tcp://10.0.0.11:8080"),
            ("PORT_8080_TCP_PROTO", "tcp"),
            ("PORT_8080_TCP_PORT", "8080"),
            ("PORT_8080_TCP_ADDR", "10.0.0.11"),
            ("SERVICE_HOST", "10.0.0.11"),
            ("SERVICE_PORT", "8080"),
            ("SERVICE_PORT_HTTP", "8080"),
            ("DB_SERVICE_HOST", "10.0.0.12"),
            ("DB_SERVICE_PORT", "3306"),
            ("DB_SERVICE_PORT_MYSQL", "3306"),
            ("DB_PORT", "tcp://10.0.0.12:3306"),
            ("DB_PORT_3306_TCP", "tcp://10.0.0.12:3306"),
            ("DB_PORT_3306_TCP_PORT", "3306"),
            ("DB_PORT_53_UDP_ADDR", "fd00::1"),
            ("DB_PORT", "tcp://[fd00::1]:3306"),
            ("PORT_SERVICE_HOST", "10.0.0.12"),
            ("SERVICE_PORT_SERVICE_PORT", "80"),
            ("EXPORT_PORT_80_TCP_PORT_3306_TCP_ADDR", "10.0.0.12"),
        ] {
            let name = format!("VESTIBULE_{name}");
            assert_eq!(refusal(&[(&name, value)]), None, "{name}");
        }
        for (name, value) in [
            ("PORT", "8080"),
            ("PORT", "127.0.0.1:8080"),
            ("PORT", "http://10.0.0.11:8080"),
            ("PORT", "tcp://10.0.0.11"),
            ("PORT", "tcp://:8080"),
            ("PORT", ""),
            ("PORT_8080", "tcp://10.0.0.11:8080"),
            ("PORT_8080_TCP_PROTO", "udp"),
            ("PORT_8080_TCP_PORT", "80"),
            ("PORT_8080_TCP_ADDR", "localhost"),
            ("PORT_HTTP", "8080"),
            ("SERVICE_HOST", "auth.example.com"),
            ("SERVICE_PORT", "http"),
            ("SERVICE_PORT", "0"),
            ("SERVICE_PORT", "65536"),
            ("SERVICE_PORT", "+80"),
            ("DB_SERVICE_HOST", "db.example.com"),
            ("X_SERVICE_HOST", ""),
            ("x_SERVICE_HOST", "10.0.0.12"),
            ("DB_PORT", "3306"),
            ("LISTEN_PORT", "8080"),
            ("DB_PORT_3306_TCP_X", "1"),
            ("SERVICE", "1"),
        ] {
            let name = format!("VESTIBULE_{name}");
            assert!(refusal(&[(&name, value)]).is_some(), "{name}={value}");
        }
    }
}
