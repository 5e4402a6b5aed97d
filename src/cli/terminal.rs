//! The terminal of an operator: asks for a password, and shows how far a long command is.

use std::io::{BufRead, IsTerminal, Read, Write};

use crate::store::Progress;

/// The most of standard input that may be a password's line.
const LINE_BYTES_MAX: u64 = 4_096;

/// A password, as one line of `input`. An error is one line that says what would do.
pub fn line(input: &mut impl BufRead) -> Result<String, String> {
    let mut line = String::new();
    let read = input.take(LINE_BYTES_MAX).read_line(&mut line);
    read.map_err(|err| format!("cannot read the password from standard input: {err}"))?;
    let password = line.trim_end_matches(['\r', '\n']);
    match password {
        "" => Err("give the password on standard input, as one line".to_owned()),
        password => Ok(password.to_owned()),
    }
}

/// A password for this name: asked for twice at a terminal, where it is not shown; else one line of
/// standard input.
pub(super) fn password(name: &str) -> Result<String, String> {
    let failed = |err: std::io::Error| format!("cannot read the password: {err}");
    if !std::io::stdin().is_terminal() {
        return line(&mut std::io::stdin().lock());
    }
    let typed = rpassword::prompt_password(format!("Password for {name}: ")).map_err(failed)?;
    let again = rpassword::prompt_password("Once more: ").map_err(failed)?;
    if typed == again { Ok(typed) } else { Err("the two passwords differ".to_owned()) }
}

/// Does `work`, which takes a while, and shows on a terminal how far it is.
pub(super) fn watched<T>(work: impl FnOnce(Progress<'_>) -> T) -> T {
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
