//! A program that takes mail on standard input, as `sendmail -t -i` does.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::Delivery;
use crate::base::file_fault::reading;

/// How long the program may take. Then it is killed, with all that it has started.
const PROGRAM_MAX: Duration = Duration::from_secs(60);

/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// The exit codes for a recipient that does not exist, and a host that does not (sysexits.h).
const NO_USER: i32 = 67;
const NO_HOST: i32 = 68;

/// A program with its arguments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailProgram {
    words: Vec<String>,
    patience: Duration,
}

impl MailProgram {
    /// Reads a program and its arguments, separated by spaces. `None` if there is none, or its path is not
    /// absolute.
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        let is_whole = words.first()?.starts_with('/');
        is_whole.then_some(Self { words, patience: PROGRAM_MAX })
    }

    /// Its path.
    pub fn path(&self) -> &str {
        &self.words[0]
    }

    pub(super) fn try_out(&self) -> Result<(), String> {
        let file = fs::metadata(self.path()).map_err(|err| reading(&err))?;
        let is_program = file.is_file() && file.permissions().mode() & 0o111 != 0;
        is_program.then_some(()).ok_or_else(|| "it is no program".to_owned())
    }

    pub(super) fn send(&self, message: &[u8]) -> Delivery {
        let failed =
            |outcome: &str, said: String| Delivery::Failed { outcome: outcome.to_owned(), said };
        let mut child = match self.start() {
            Ok(child) => child,
            Err(err) => {
                return failed("no_program", format!("{} cannot be started: {err}", self.path()));
            }
        };
        if let Some(mut input) = child.stdin.take() {
            // A program that does not read tells so by its exit code. A message fits into a pipe.
            let _ = input.write_all(message);
        }
        let Some(ended) = self.wait(&mut child) else {
            return failed(
                "timeout",
                format!("{} was killed after {:?}", self.path(), self.patience),
            );
        };
        match (ended.code(), ended.signal()) {
            (Some(0), _) => Delivery::Sent,
            (Some(code @ (NO_USER | NO_HOST)), _) => {
                Delivery::Refused { outcome: format!("exit_{code}"), said: String::new() }
            }
            (Some(code), _) => {
                failed(&format!("exit_{code}"), format!("{} ended with {code}", self.path()))
            }
            (None, signal) => {
                let signal = signal.unwrap_or(0);
                failed(
                    &format!("signal_{signal}"),
                    format!("{} was killed by signal {signal}", self.path()),
                )
            }
        }
    }

    /// Waits until the program ends. `None`: it was killed, as it did not end in time.
    fn wait(&self, child: &mut Child) -> Option<ExitStatus> {
        let deadline = Instant::now() + self.patience;
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(LOOK),
                Ok(None) | Err(_) => {
                    kill(child);
                    return None;
                }
            }
        }
    }

    /// Starts it without a shell, in a process group of its own, and without our environment, which may hold
    /// passwords.
    fn start(&self) -> std::io::Result<Child> {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).env_clear();
        for name in ["PATH", "HOME", "LANG", "TZ"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.process_group(0).spawn()
    }
}

fn kill(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn script(folder: &tempfile::TempDir, text: &str) -> (PathBuf, MailProgram) {
        let path = folder.path().join("program");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        let program = MailProgram::parse(&format!("{} -t -i", path.display())).unwrap();
        (path, program)
    }

    fn ends(text: &str) -> Delivery {
        let folder = tempfile::tempdir().unwrap();
        let (_path, program) = script(&folder, text);
        MailProgram { patience: Duration::from_millis(600), ..program }
            .send(b"To: a@b\r\n\r\nhello\r\n")
    }

    fn outcome(delivery: &Delivery) -> &str {
        match delivery {
            Delivery::Sent => "sent",
            Delivery::Refused { outcome, .. } | Delivery::Failed { outcome, .. } => outcome,
        }
    }

    #[test]
    fn hands_the_message_over_and_reads_the_exit_code() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("kept");
        let text = format!("echo \"$@\" > {0}; cat >> {0}", kept.display());
        let (_path, program) = script(&folder, &text);
        assert_eq!(program.send(b"To: a@b\r\n\r\nhello\r\n"), Delivery::Sent);
        assert_eq!(fs::read(kept).unwrap(), b"-t -i\nTo: a@b\r\n\r\nhello\r\n");
        for (text, expected) in [
            ("exit 0", "sent"),
            ("exit 67", "exit_67"),
            ("exit 68", "exit_68"),
            ("exit 75", "exit_75"),
            ("kill -9 $$", "signal_9"),
        ] {
            assert_eq!(outcome(&ends(text)), expected, "{text}");
        }
        assert!(matches!(ends("exit 67"), Delivery::Refused { .. }));
        assert!(matches!(ends("exit 75"), Delivery::Failed { .. }));
    }

    #[test]
    fn waits_for_no_program_that_hangs_forks_or_prints_without_end() {
        for (text, expected) in [
            ("sleep 30", "timeout"),
            ("sleep 30 & exit 0", "sent"),
            ("yes", "timeout"),
            ("head -c 10000000 /dev/zero; exit 0", "sent"),
            ("exec 0<&-; exit 0", "sent"),
        ] {
            let began = Instant::now();
            assert_eq!(outcome(&ends(text)), expected, "{text}");
            assert!(began.elapsed() < Duration::from_secs(10), "{text}");
        }
    }

    #[test]
    fn starts_it_without_our_secrets_and_takes_an_absolute_path_alone() {
        assert_eq!(ends("test -z \"$CARGO_MANIFEST_DIR\""), Delivery::Sent);
        for bad in ["", " ", "sendmail -t", "./sendmail"] {
            assert!(MailProgram::parse(bad).is_none(), "{bad}");
        }
        let missing = MailProgram::parse(&["", "nowhere", "sendmail -t"].join("/")).unwrap();
        assert_eq!(outcome(&missing.send(b"")), "no_program");
    }
}
