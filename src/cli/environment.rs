//! The environment: every variable that begins with `VESTIBULE_` has to be a setting.
//!
//! A misspelt one would otherwise be ignored, and the server would run with a default that its operator
//! believes to have changed.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::Command;

use super::database::PASSWORD_VARIABLE;

/// What the names of all settings begin with.
const PREFIX: &str = "VESTIBULE_";

/// Refuses a variable that no setting of any command has, in one line that names the nearest one.
pub(super) fn check(
    command: &Command,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(), String> {
    let known = names(command);
    let texts = variables.map(|(name, value)| [name, value].map(|it| it.to_string_lossy().into()));
    let mut stray: Vec<_> = texts
        .filter(|[name, _]: &[String; 2]| name.starts_with(PREFIX) && !known.contains(name))
        .filter(|[name, value]| !is_service_link(&name[PREFIX.len()..], value))
        .map(|[name, _]| name)
        .collect();
    stray.sort();
    let Some(name) = stray.first() else { return Ok(()) };
    let nearest = nearest(name, &known);
    Err(format!("{name} in the environment is no setting; the nearest is {nearest}"))
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
    collect(command, &mut found);
    found
}

fn nearest<'a>(name: &str, known: &'a BTreeSet<String>) -> &'a str {
    let name = name.to_uppercase();
    let likeness = |it: &&String| strsim::jaro(&name[PREFIX.len()..], &it[PREFIX.len()..]);
    let nearest = known.iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    nearest.expect("there are settings")
}

/// Whether Kubernetes, or Docker in its place, has set the variable to tell where a service is: one that
/// is called `vestibule`, or one whose name begins with `vestibule-`.
fn is_service_link(rest: &str, value: &str) -> bool {
    let is_port = rest == "PORT" || rest.starts_with("PORT_");
    let is_service =
        matches!(rest, "SERVICE_HOST" | "SERVICE_PORT") || rest.starts_with("SERVICE_PORT_");
    if is_port || is_service {
        return true;
    }
    // Another service: its name could be anything, so that more has to fit.
    let is_digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    let is_address = |it: &str| it.split_once("://").is_some_and(|(_, rest)| rest.contains(':'));
    let is_numbered = |rest: &str| {
        let mut words = rest.split('_');
        let (number, protocol) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let last = words.next();
        is_digits(number)
            && matches!(protocol, "TCP" | "UDP" | "SCTP")
            && matches!(last, None | Some("PROTO" | "PORT" | "ADDR"))
            && words.next().is_none()
    };
    rest.ends_with("_SERVICE_HOST")
        || (rest.ends_with("_SERVICE_PORT") && is_digits(value))
        || (rest.contains("_SERVICE_PORT_") && is_digits(value))
        || (rest.ends_with("_PORT") && is_address(value))
        || rest.rsplit_once("_PORT_").is_some_and(|(_, rest)| is_numbered(rest))
        || rest.split_once("_PORT_").is_some_and(|(_, rest)| is_numbered(rest))
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
            ("VESTIBULE_", "VESTIBULE_"),
        ] {
            let told = refusal(&[("PATH", "/bin"), (name, "8080")]).unwrap_or_default();
            assert!(told.starts_with(name) && told.contains(expected), "{name}: {told}");
            assert!(told.lines().count() == 1, "{told}");
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
        assert_eq!(refusal(&[("VESTIBULEX", "1"), ("MY_VESTIBULE_X", "1"), ("", "1")]), None);
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
        ] {
            let name = format!("VESTIBULE_{name}");
            assert_eq!(refusal(&[(&name, value)]), None, "{name}");
        }
        for (name, value) in [
            ("DB_PORT", "3306"),
            ("LISTEN_PORT", "8080"),
            ("DB_PORT_3306_TCP_X", "1"),
            ("SERVICE", "1"),
        ] {
            let name = format!("VESTIBULE_{name}");
            assert!(refusal(&[(&name, value)]).is_some(), "{name}");
        }
    }
}
