//! The terminal of an operator: asks for a confirmation, says what goes on meanwhile, and has colours where they can be
//! seen.

use std::io::{BufRead, IsTerminal, Read, Stderr, Write};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::journal::mark;
use super::output::Output;
use super::printable;
use crate::auth::events::Priority;
#[cfg(feature = "import")]
use crate::store::Progress;

/// Bytes of an answer, at most.
const LINE_BYTES_MAX: u64 = 4_096;

/// How long something may take before it is said how far it is, and how often that is said anew.
const SHOWN_AFTER: Duration = Duration::from_millis(500);
const SHOWN_EVERY: Duration = Duration::from_millis(200);

/// How long something may keep an operator waiting before it is said what is waited for.
const WAITING_AFTER: Duration = Duration::from_secs(2);

/// Takes the line away that the cursor is in.
const ERASE: &str = "\r\x1b[K";

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

/// A line that the operator types after this question. `None`: there is no terminal, or nothing was typed.
#[cfg(feature = "doctor")]
pub(super) fn ask(question: &str) -> Option<String> {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return None;
    }
    let mut typed = String::new();
    drop(write!(std::io::stderr(), "{question}"));
    std::io::stdin().lock().take(LINE_BYTES_MAX).read_line(&mut typed).ok()?;
    Some(typed.trim().to_owned()).filter(|it| !it.is_empty())
}

/// Prints a note in one line on standard error.
pub(super) fn note(text: &str) {
    let mark = mark(Priority::Notice);
    drop(writeln!(std::io::stderr(), "{mark}vestibule: {}", printable(text)));
}

/// Says why a command ends with an error, in one line.
pub fn complain(text: &str) {
    let name = Emphasis::Bad.tell("vestibule:");
    let mark = mark(Priority::Error);
    drop(writeln!(std::io::stderr(), "{mark}{name} {}", printable(text)));
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
    fn groups_digits_by_three() {
        let all = [0, 12, 123, 1_234, 123_456, 1_234_567].map(grouped);
        assert_eq!(all, ["0", "12", "123", "1,234", "123,456", "1,234,567"]);
    }
}
