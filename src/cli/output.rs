//! Standard output: what a command prints, and whether it could be written.
//!
//! Decides what it means if it could not. Commands print and go on; the first failure is kept, and
//! `main` asks for it once, at the end, so that no command can forget to look. Knows no command.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, LineWriter, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{FileType, OFlags, Stat, fcntl_getfl, fstat, stat};

/// What a command prints.
pub struct Printout {
    /// The text.
    pub text: String,
    /// What has been made and is lost if the text cannot be shown, as one line; `None`: nothing.
    pub lost: Option<String>,
}

impl From<String> for Printout {
    fn from(text: String) -> Self {
        Self { text, lost: None }
    }
}

/// A place to print to. Once writing has failed, nothing more is written.
pub struct Output {
    to: LineWriter<Box<dyn Write>>,
    fault: Option<io::Error>,
    lost: Option<String>,
}

impl Output {
    /// Standard output.
    pub fn standard() -> Self {
        // A descriptor of our own: `Stdout` takes what it cannot write to a descriptor that is not
        // open for writing for written.
        match io::stdout().as_fd().try_clone_to_owned() {
            Ok(copy) => Self::new(File::from(copy)),
            Err(err) => Self { fault: Some(err), ..Self::new(io::sink()) },
        }
    }

    fn new(to: impl Write + 'static) -> Self {
        Self { to: LineWriter::new(Box::new(to)), fault: None, lost: None }
    }

    /// Whether standard output is a terminal.
    pub fn is_terminal() -> bool {
        io::stdout().is_terminal()
    }

    /// Prints what a command has to say.
    pub fn print(&mut self, printout: impl Into<Printout>) {
        let Printout { text, lost } = printout.into();
        // The failure is kept for the end.
        if self.write_all(text.as_bytes()).and_then(|()| self.flush()).is_err() && lost.is_some() {
            self.lost = lost;
        }
    }

    /// Counts it as a failure if standard output leads nowhere: for what exists nowhere else.
    pub fn require_reader(&mut self) {
        if self.fault.is_none() && leads_nowhere(io::stdout().as_fd()) {
            self.fault = Some(io::Error::other("it is closed"));
        }
    }

    /// Whether everything so far was written; an error is one line for the operator.
    ///
    /// A reader that has closed the pipe, as `head` does, has seen enough, and that is no error, unless
    /// it never saw what exists nowhere else.
    pub fn check(&mut self) -> Result<(), String> {
        let _ = self.flush();
        let cause = match &self.fault {
            None => return Ok(()),
            Some(err) if err.kind() == ErrorKind::BrokenPipe && self.lost.is_none() => {
                return Ok(());
            }
            Some(err) => format!("cannot write to standard output: {err}"),
        };
        Err(match &self.lost {
            Some(lost) => format!("{lost} ({cause})"),
            None => cause,
        })
    }

    /// Does this unless something has failed before, and keeps the failure if it fails.
    fn attempt<T>(&mut self, deed: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<T> {
        if let Some(fault) = &self.fault {
            return Err(fault.kind().into());
        }
        let done = deed(&mut self.to);
        if let Err(err) = &done
            && err.kind() != ErrorKind::Interrupted
        {
            let number = err.raw_os_error();
            self.fault = Some(number.map_or(err.kind().into(), io::Error::from_raw_os_error));
        }
        done
    }
}

/// Whether this is `/dev/null`, open for reading and writing. So Rust replaces a standard output that is closed,
/// before `main` begins; a shell opens it for writing alone, for `>/dev/null`.
// LIMIT: some programs that discard the output of others open it for both as well. The output is lost then, too.
fn leads_nowhere(out: BorrowedFd<'_>) -> bool {
    let is_for_both = fcntl_getfl(out).is_ok_and(|it| it & OFlags::RWMODE == OFlags::RDWR);
    let is_null = |about: Stat| stat("/dev/null").is_ok_and(|it| it.st_rdev == about.st_rdev);
    let is_device =
        |about: &Stat| FileType::from_raw_mode(about.st_mode) == FileType::CharacterDevice;
    is_for_both && fstat(out).is_ok_and(|about| is_device(&about) && is_null(about))
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.attempt(|to| to.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.attempt(|to| to.flush())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a few bytes, and then fails in this way.
    struct Narrow(usize, ErrorKind);

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            if taken == 0 && !bytes.is_empty() { Err(self.1.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn printed(room: usize, kind: ErrorKind, lost: Option<&str>) -> Result<(), String> {
        let mut out = Output::new(Narrow(room, kind));
        out.print("first\n".to_owned());
        out.print(Printout { text: "second\n".to_owned(), lost: lost.map(str::to_owned) });
        out.print("third".to_owned());
        out.check()
    }

    #[test]
    fn tells_at_the_end_that_something_could_not_be_written() {
        for room in [0, 3, 6, 17] {
            let told = printed(room, ErrorKind::StorageFull, None).unwrap_err();
            assert!(told.starts_with("cannot write to standard output: "), "{told}");
        }
        assert_eq!(printed(18, ErrorKind::StorageFull, None), Ok(()));
    }

    #[test]
    fn takes_a_reader_that_has_seen_enough_for_no_fault() {
        assert_eq!(printed(0, ErrorKind::BrokenPipe, None), Ok(()));
        assert_eq!(printed(13, ErrorKind::BrokenPipe, Some("a link is lost")), Ok(()));
    }

    #[test]
    fn tells_what_is_lost_even_where_the_reader_has_gone() {
        for kind in [ErrorKind::StorageFull, ErrorKind::BrokenPipe] {
            for room in [0, 8, 12] {
                let told = printed(room, kind, Some("a link is lost")).unwrap_err();
                assert!(told.starts_with("a link is lost (cannot write"), "{told}");
            }
        }
    }
}
