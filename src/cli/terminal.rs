//! The terminal of an operator: asks for a password or a confirmation, says what goes on meanwhile, and has colours
//! where they can be seen.

use std::io::{BufRead, ErrorKind, IsTerminal, Read, Stderr, Write};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::output::Output;
use super::printable;
#[cfg(feature = "import")]
use crate::store::Progress;

/// Bytes of an answer or a password on standard input, at most.
const LINE_BYTES_MAX: u64 = 4_096;

/// How long something may take before it is said how far it is, and how often that is said anew.
const SHOWN_AFTER: Duration = Duration::from_millis(500);
const SHOWN_EVERY: Duration = Duration::from_millis(200);

/// How long something may keep an operator waiting before it is said what is waited for.
const WAITING_AFTER: Duration = Duration::from_secs(2);

/// Takes the line away that the cursor is in.
const ERASE: &str = "\r\x1b[K";

/// A password, as the only line of `input`, which is read to its end. An error is one line that says what would do.
pub fn password_of(input: &mut impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = input.take(LINE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|err| format!("cannot read the password from standard input: {err}"))?;
    // Of what is too long the first line may tell enough: it is no password, or more follows it.
    let text = String::from_utf8_lossy(&bytes);
    match only_line(&text) {
        Some("") => Err("give the password on standard input, as one line".to_owned()),
        None => Err("standard input has more than one line; give the password alone".to_owned()),
        Some(_) if bytes.len() as u64 > LINE_BYTES_MAX => Err(format!(
            "standard input has more than {LINE_BYTES_MAX} bytes; give the password alone"
        )),
        Some(_) if std::str::from_utf8(&bytes).is_err() => {
            Err("the password on standard input is not in UTF-8".to_owned())
        }
        Some(password) => Ok(password.to_owned()),
    }
}

/// The line that a text consists of, without its end. `None`: there is more than one.
pub(super) fn only_line(text: &str) -> Option<&str> {
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

/// Has the operator confirm what cannot be undone, which the sentence `what` describes: by `--yes`, or by `yes` typed
/// at a terminal. An error is one line.
pub(super) fn confirm(what: &str, is_confirmed: bool) -> Result<(), String> {
    if is_confirmed {
        return Ok(());
    }
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Err(format!("{what}; say --yes if that is meant"));
    }
    let mut typed = String::new();
    drop(write!(std::io::stderr(), "{what}. Type yes if that is meant: "));
    let read = std::io::stdin().lock().take(LINE_BYTES_MAX).read_line(&mut typed);
    read.map_err(|err| format!("cannot read the answer: {err}"))?;
    if typed.trim() == "yes" { Ok(()) } else { Err("nothing was done".to_owned()) }
}

/// Prints a note in one line on standard error.
pub(super) fn note(text: &str) {
    drop(writeln!(std::io::stderr(), "vestibule: {}", printable(text)));
}

/// Says why a command ends with an error, in one line.
pub fn complain(text: &str) {
    let name = Emphasis::Bad.tell("vestibule:");
    drop(writeln!(std::io::stderr(), "{name} {}", printable(text)));
}

/// Does `work`, and says on a terminal what is waited for if it takes longer than an operator expects.
pub(super) fn waiting<T>(for_what: &str, work: impl FnOnce() -> T) -> T {
    let Some(mut terminal) = terminal() else { return work() };
    let (done, told) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if told.recv_timeout(WAITING_AFTER) == Err(mpsc::RecvTimeoutError::Timeout) {
                drop(write!(terminal, "{ERASE}waiting for {for_what}"));
                // It ends with the work.
                let _ = told.recv();
                drop(write!(terminal, "{ERASE}"));
            }
        });
        let value = work();
        drop(done);
        value
    })
}

/// Does `work`, which takes a while, and shows on a terminal how far it is.
#[cfg(feature = "import")]
pub(super) fn watched<T>(work: impl FnOnce(Progress<'_>) -> T) -> T {
    let mut meter = Meter::new();
    work(&mut |what, rows| meter.tell(what, rows as u64, None))
}

/// Standard error, if it is a terminal on which a line can be written over.
fn terminal() -> Option<Stderr> {
    Some(std::io::stderr()).filter(IsTerminal::is_terminal).filter(|_| !is_dumb())
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|it| it.is_empty() || it == "dumb")
}

/// Shows on a terminal how far a long command is: a line that is written over, and goes at the end.
pub(super) struct Meter {
    terminal: Option<Stderr>,
    /// What is being done, and since when.
    what: String,
    since: Instant,
    shown: Option<Instant>,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self { terminal: terminal(), what: String::new(), since: Instant::now(), shown: None }
    }

    /// Shows that so many things are done, of so many if that is known: `what` is their name and what is done
    /// with them.
    pub(super) fn tell(&mut self, what: &str, done: u64, total: Option<u64>) {
        let Some(terminal) = &mut self.terminal else { return };
        let now = Instant::now();
        if self.what != what {
            what.clone_into(&mut self.what);
            self.since = now;
        }
        let is_due = match self.shown {
            None => now - self.since >= SHOWN_AFTER,
            Some(shown) => now - shown >= SHOWN_EVERY,
        };
        if is_due {
            self.shown = Some(now);
            let text = how_far(what, done, total, now - self.since);
            drop(write!(terminal, "{ERASE}{text}"));
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let (Some(terminal), Some(_)) = (&mut self.terminal, self.shown) {
            drop(write!(terminal, "{ERASE}"));
        }
    }
}

/// How far something is, how fast it goes, and when it will be done if that can be told.
fn how_far(what: &str, done: u64, total: Option<u64>, elapsed: Duration) -> String {
    let each_second =
        |done: u64| done * 1_000 / u64::try_from(elapsed.as_millis()).unwrap_or(1).max(1);
    let rate = each_second(done);
    let speed = format!("{} a second", grouped(rate));
    match total {
        Some(total) if total >= done && done > 0 => {
            let left = (total - done).checked_div(rate).map(|seconds| match seconds {
                0..60 => format!(", {seconds} s left"),
                _ => format!(", {} min left", seconds.div_ceil(60)),
            });
            let (percent, left) = (done * 100 / total.max(1), left.unwrap_or_default());
            format!("{percent} %: {} of {} {what}, {speed}{left}", grouped(done), grouped(total))
        }
        _ => format!("{} {what}, {speed}", grouped(done)),
    }
}

/// A number with a comma after each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(|it| String::from_utf8_lossy(it)).collect();
    groups.join(",")
}

/// How a word stands out on a terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Emphasis {
    Bold,
    Good,
    Warning,
    Bad,
}

impl Emphasis {
    /// The text with this emphasis, if standard output is a terminal that shows it and NO_COLOR is not set.
    pub(super) fn print(self, text: &str) -> String {
        if Output::is_terminal() && has_colours() { self.of(text) } else { text.to_owned() }
    }

    /// The text with this emphasis, for standard error.
    fn tell(self, text: &str) -> String {
        let is_seen = std::io::stderr().is_terminal() && has_colours();
        if is_seen { self.of(text) } else { text.to_owned() }
    }

    fn of(self, text: &str) -> String {
        let code = match self {
            Self::Bold => 1,
            Self::Good => 32,
            Self::Warning => 33,
            Self::Bad => 31,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Whether a terminal is to have colours.
fn has_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty()) && !is_dumb()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_how_far_something_is_how_fast_and_how_long_it_takes() {
        let after = Duration::from_secs(10);
        for (done, total, expected) in [
            (2_500_000, None, "2,500,000 rows copied, 250,000 a second"),
            (1_000, Some(4_000), "25 %: 1,000 of 4,000 rows copied, 100 a second, 30 s left"),
            (
                1_000,
                Some(1_000_000),
                "0 %: 1,000 of 1,000,000 rows copied, 100 a second, 167 min left",
            ),
            (0, Some(10), "0 rows copied, 0 a second"),
            (1, Some(10), "10 %: 1 of 10 rows copied, 0 a second"),
            (12, Some(10), "12 rows copied, 1 a second"),
        ] {
            assert_eq!(how_far("rows copied", done, total, after), expected);
        }
        assert_eq!(how_far("rows", 5, None, Duration::ZERO), "5 rows, 5,000 a second");
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

    #[test]
    fn groups_digits_by_three() {
        let all = [0, 12, 123, 1_234, 123_456, 1_234_567].map(grouped);
        assert_eq!(all, ["0", "12", "123", "1,234", "123,456", "1,234,567"]);
    }
}
