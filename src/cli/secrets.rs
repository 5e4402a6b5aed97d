//! Passwords that an operator hands in: typed at a terminal, on standard input, or in a file. Each is all that there is:
//! what stands behind a password is refused and not dropped.

use std::fs;
use std::io::{ErrorKind, IsTerminal, Read};
use std::path::Path;

use crate::base::file_fault::reading;

/// Bytes of standard input, at most.
const INPUT_BYTES_MAX: u64 = 4_096;

/// A password, as the only line of `input`, which is read to its end. An error is one line that says what would do.
pub fn password_of(input: &mut impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = input.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|err| format!("cannot read the password from standard input: {err}"))?;
    // Of what is too long the first line may tell enough: it is no password, or more follows it.
    let text = String::from_utf8_lossy(&bytes);
    match only_line(&text) {
        Some("") => Err("give the password on standard input, as one line".to_owned()),
        None => Err("standard input has more than one line; give the password alone".to_owned()),
        Some(_) if bytes.len() as u64 > INPUT_BYTES_MAX => Err(format!(
            "standard input has more than {INPUT_BYTES_MAX} bytes; give the password alone"
        )),
        Some(_) if std::str::from_utf8(&bytes).is_err() => {
            Err("the password on standard input is not in UTF-8".to_owned())
        }
        Some(password) => Ok(password.to_owned()),
    }
}

/// A password, as the first line of `input`, and a code of the second factor, if there is a line behind it. An error is
/// one line that says what would do.
#[cfg(feature = "doctor")]
pub fn password_and_code_of(input: &mut impl Read) -> Result<(String, Option<String>), String> {
    let mut bytes = Vec::new();
    let read = input.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|err| format!("cannot read the password from standard input: {err}"))?;
    let end = bytes.iter().position(|it| *it == b'\n').map_or(bytes.len(), |at| at + 1);
    let (first, rest) = bytes.split_at(end);
    let password = password_of(&mut &*first)?;
    match only_line(&String::from_utf8_lossy(rest)).map(str::trim) {
        Some("") => Ok((password, None)),
        Some(code) => Ok((password, Some(code.to_owned()))),
        None => Err("standard input has more than two lines; give the password, and a code of the second factor \
                     below it"
            .to_owned()),
    }
}

/// The password for this name: asked for at a terminal, where it is not shown; else the first line of standard input,
/// with a code of the second factor, if there is one below it.
#[cfg(feature = "doctor")]
pub(super) fn password_and_code(name: &str) -> Result<(String, Option<String>), String> {
    if !std::io::stdin().is_terminal() {
        return password_and_code_of(&mut std::io::stdin().lock());
    }
    let typed = rpassword::prompt_password(format!("Password for {name}: "));
    match typed.map_err(|err| format!("cannot read the password: {err}"))? {
        typed if typed.is_empty() => Err("no password was typed".to_owned()),
        typed => Ok((typed, None)),
    }
}

/// The password that a file consists of. An error is one line that says what would do.
pub(super) fn password_in(path: &Path) -> Result<String, String> {
    let file = path.display();
    let text =
        fs::read_to_string(path).map_err(|err| format!("cannot read {file}: {}", reading(&err)))?;
    match only_line(&text) {
        Some("") => Err(format!("{file} is empty; write the password into it")),
        None => Err(format!("{file} has more than one line; write the password alone into it")),
        Some(password) => Ok(password.to_owned()),
    }
}

/// The line that a text consists of, without its end. `None`: there is more than one.
fn only_line(text: &str) -> Option<&str> {
    let line = text.trim_end_matches(['\r', '\n']);
    (!line.contains(['\r', '\n'])).then_some(line)
}

/// A password for this name: asked for twice at a terminal, where it is not shown; else the only line of
/// standard input.
pub(super) fn password(name: &str) -> Result<String, String> {
    let failed = |err: std::io::Error| match err.kind() {
        ErrorKind::UnexpectedEof => "no password was typed".to_owned(),
        _ => format!("cannot read the password: {err}"),
    };
    if !std::io::stdin().is_terminal() {
        return password_of(&mut std::io::stdin().lock());
    }
    let typed = rpassword::prompt_password(format!("Password for {name}: ")).map_err(failed)?;
    let again = rpassword::prompt_password("Once more: ").map_err(failed)?;
    if typed == again { Ok(typed) } else { Err("the two passwords differ".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "doctor")]
    fn takes_a_code_below_a_password_and_nothing_else() {
        for (input, expected) in [
            (&b"correct horse"[..], Ok(("correct horse", None))),
            (b" correct horse\r\n\r\n", Ok((" correct horse", None))),
            (b"correct horse\n 123 456 \r\n", Ok(("correct horse", Some("123 456")))),
            (b"correct horse\n123456\n654321\n", Err("more than two lines")),
            (b"correct\rhorse\n123456\n", Err("more than one line")),
            (b"\n123456\n", Err("as one line")),
            (b"", Err("as one line")),
            (&[b'x'; 5_000], Err("more than 4096 bytes")),
        ] {
            let read = password_and_code_of(&mut &*input);
            match (&read, expected) {
                (Ok((password, code)), Ok(expected)) => {
                    assert_eq!((&**password, code.as_deref()), expected);
                }
                (Err(told), Err(why)) if told.contains(why) => {}
                _ => panic!("{read:?}"),
            }
        }
    }

    #[test]
    fn takes_a_password_only_if_nothing_follows_it() {
        for (input, expected) in [
            (&b"correct horse"[..], Ok("correct horse")),
            (b"correct horse\n", Ok("correct horse")),
            (b" correct horse \r\n", Ok(" correct horse ")),
            (b"correct horse\n\n", Ok("correct horse")),
            (b"", Err("as one line")),
            (b"\n", Err("as one line")),
            (b"correct horse\nbattery\n", Err("more than one line")),
            (b"correct horse\n \n", Err("more than one line")),
            (b"correct horse\rbattery", Err("more than one line")),
            (b"\ncorrect horse\n", Err("more than one line")),
            (b"corr\xffect horse\n", Err("not in UTF-8")),
            (&[b'x'; 5_000], Err("more than 4096 bytes")),
        ] {
            let read = password_of(&mut &*input);
            match expected {
                Ok(password) => assert_eq!(read.as_deref(), Ok(password)),
                Err(why) => assert!(read.as_ref().is_err_and(|it| it.contains(why)), "{read:?}"),
            }
        }
    }
}
