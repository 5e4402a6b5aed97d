//! The settings file: lines `NAME=VALUE`, read as systemd reads an `EnvironmentFile=`, so that one file serves the unit
//! and the operator's commands.
//!
//! Names have the meaning that they have in the environment. Where systemd ignores what is wrong, as a line without
//! `=` or a quote that is not closed, the file is refused here: a setting that is dropped would have its default.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::iter::Peekable;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::Chars;
use std::sync::Arc;

use rustix::fs::OFlags;

use crate::base::file_fault::reading;

/// The file that is read where no other is named, and no database.
pub const DEFAULT_SETTINGS: &str = "/etc/vestibule/settings";

/// Bytes of the file, at most.
const BYTES_MAX: u64 = 65_536;

/// What systemd takes for white space.
const BLANK: [char; 4] = [' ', '\t', '\n', '\r'];

/// What ends a line. Of a line end from Windows the second half is an empty line.
const LINE_ENDS: [char; 2] = ['\n', '\r'];

/// What a backslash escapes between double quotes; before anything else it stands for itself.
const ESCAPED_IN_QUOTES: [char; 4] = ['"', '\\', '`', '$'];

/// A settings file that has been read.
#[derive(Clone)]
pub struct SettingsFile {
    path: PathBuf,
    assignments: Arc<Vec<Assignment>>,
}

/// A line of the file, or several that belong together. The value may be a password.
pub struct Assignment {
    /// The number of the line on which it begins.
    pub line: usize,
    /// The name of the variable.
    pub name: String,
    /// What it is set to.
    pub value: String,
}

/// Why there are no settings from a file.
pub enum SettingsFault {
    /// There is no such file.
    Missing(String),
    /// This user may not read it.
    Forbidden(String),
    /// Anything else that is wrong with it.
    Wrong(String),
}

impl SettingsFault {
    /// The reason, as one line for the operator.
    pub fn into_text(self) -> String {
        let (Self::Missing(text) | Self::Forbidden(text) | Self::Wrong(text)) = self;
        text
    }
}

impl SettingsFile {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, SettingsFault> {
        let shown = path.display();
        let (about, bytes) = content(path).map_err(|err| {
            let text = format!("cannot read the settings file {shown}: {}", reading(&err));
            match err.kind() {
                io::ErrorKind::NotFound => SettingsFault::Missing(text),
                io::ErrorKind::PermissionDenied => SettingsFault::Forbidden(text),
                _ => SettingsFault::Wrong(text),
            }
        })?;
        let wrong = |text: &str| SettingsFault::Wrong(format!("the settings file {shown} {text}"));
        if bytes.len() as u64 > BYTES_MAX {
            return Err(wrong(&format!("has more than {BYTES_MAX} bytes")));
        }
        let text = String::from_utf8(bytes).map_err(|err| {
            let before = &err.as_bytes()[..err.utf8_error().valid_up_to()];
            let line = before.split(|it| *it == b'\n').count();
            wrong(&format!("is not in UTF-8 on line {line}"))
        })?;
        let assignments = assignments(&text).map_err(|flaw| {
            SettingsFault::Wrong(format!("{shown} line {}: {}", flaw.line, flaw.text))
        })?;
        let read = Self { path: path.to_owned(), assignments: Arc::new(assignments) };
        read.refuse_exposed(&about).map_err(SettingsFault::Wrong)?;
        Ok(read)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its lines, in their order.
    pub fn assignments(&self) -> &[Assignment] {
        &self.assignments
    }

    /// The line that sets a variable, the last one if there are several. `None`: none does, or to nothing, which counts
    /// as not set.
    pub fn find(&self, name: &str) -> Option<&Assignment> {
        let last = self.assignments.iter().rfind(|it| it.name == name);
        last.filter(|it| !it.value.is_empty())
    }

    /// A line of the file, as it is named to the operator.
    pub fn place(&self, line: usize) -> String {
        format!("{} line {line}", self.path.display())
    }

    /// Refuses a file that every user of the machine may write, or may read although it holds a password.
    fn refuse_exposed(&self, about: &Metadata) -> Result<(), String> {
        let shown = self.path.display();
        if !about.is_file() {
            return Ok(());
        }
        if about.mode() & 0o002 != 0 {
            return Err(format!(
                "every user of this machine may write the settings file {shown}: chmod o-w {shown}"
            ));
        }
        let secret = self.assignments.iter().find(|it| it.holds_password());
        match secret.filter(|_| about.mode() & 0o004 != 0) {
            Some(it) => Err(format!(
                "every user of this machine may read {shown}, which holds a password on line {}: chmod 640 {shown}, and \
                 chgrp it to the group of the server",
                it.line
            )),
            None => Ok(()),
        }
    }
}

impl Assignment {
    /// Whether the value is a password, or an address with a password in it.
    fn holds_password(&self) -> bool {
        let in_address = |(_, rest): (&str, &str)| {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
            user.split_once(':').is_some_and(|(_, password)| !password.is_empty())
        };
        let is_password = self.name.ends_with("_PASSWORD") && !self.value.is_empty();
        is_password || self.value.split_once("://").is_some_and(in_address)
    }
}

/// What is known of a file, and its first bytes, one more than it may have.
fn content(path: &Path) -> io::Result<(Metadata, Vec<u8>)> {
    // Opening a pipe would wait for a process that writes to it.
    let at_once = i32::try_from(OFlags::NONBLOCK.bits()).expect("it is one bit of 32");
    let file = OpenOptions::new().read(true).custom_flags(at_once).open(path)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !about.is_file() && !is_null(&about) {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok((about, bytes))
}

/// Whether it is `/dev/null`, which is a file without settings.
fn is_null(about: &Metadata) -> bool {
    File::open("/dev/null").and_then(|it| it.metadata()).is_ok_and(|it| it.rdev() == about.rdev())
}

/// What is wrong in the file.
struct LineFlaw {
    line: usize,
    text: String,
}

/// The assignments in a text.
fn assignments(text: &str) -> Result<Vec<Assignment>, LineFlaw> {
    let mut reader = LineReader { rest: text.chars().peekable(), line: 1 };
    let mut found = Vec::new();
    loop {
        match reader.rest.peek() {
            None => return Ok(found),
            Some(letter) if BLANK.contains(letter) => drop(reader.next()),
            Some('#' | ';') => reader.comment()?,
            Some(_) => found.push(reader.assignment()?),
        }
    }
}

/// The text that is not read yet, and the line on which it begins.
struct LineReader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
}

impl LineReader<'_> {
    fn next(&mut self) -> Option<char> {
        let letter = self.rest.next();
        self.line += usize::from(letter == Some('\n'));
        letter
    }

    /// Drops a comment with the end of its line. One that ends with a backslash is refused: systemd before 254 takes
    /// the next line for a part of it.
    fn comment(&mut self) -> Result<(), LineFlaw> {
        let line = self.line;
        while let Some(letter) = self.next() {
            if LINE_ENDS.contains(&letter) {
                break;
            }
            if letter == '\\' && self.next().is_some_and(|it| LINE_ENDS.contains(&it)) {
                let text = "a comment must not end with a backslash, as some versions of systemd take the next line \
                            for a part of it";
                return Err(LineFlaw { line, text: text.to_owned() });
            }
        }
        Ok(())
    }

    fn assignment(&mut self) -> Result<Assignment, LineFlaw> {
        let line = self.line;
        let flaw = |text| LineFlaw { line, text };
        let mut name = String::new();
        loop {
            match self.next() {
                Some('=') => break,
                Some('\0') => return Err(flaw(NUL.to_owned())),
                Some(letter) if !LINE_ENDS.contains(&letter) => name.push(letter),
                _ => {
                    let text = "there is no = in it; write NAME=VALUE, or # before a comment";
                    return Err(flaw(text.to_owned()));
                }
            }
        }
        let value = self.value().map_err(flaw)?;
        if value.contains('\0') {
            return Err(flaw(NUL.to_owned()));
        }
        Ok(Assignment { line, name: name.trim_end_matches(BLANK).to_owned(), value })
    }

    /// What stands behind the `=`: to the end of the line, without white space around it. Quotes are quotes only before
    /// the first letter outside of them.
    fn value(&mut self) -> Result<String, String> {
        let mut value = String::new();
        // How much of it stays although white space may be its end, as that is quoted or escaped.
        let mut kept = 0;
        let mut is_bare = false;
        while let Some(letter) = self.next() {
            match letter {
                '\n' | '\r' => break,
                '\\' => {
                    // A line end behind it is dropped, and the value goes on.
                    value.extend(self.next().filter(|it| !LINE_ENDS.contains(it)));
                    kept = value.len();
                    is_bare = true;
                }
                '\'' | '"' if !is_bare => {
                    self.quoted(letter, &mut value)?;
                    kept = value.len();
                }
                ' ' | '\t' if !is_bare => {}
                letter => {
                    value.push(letter);
                    is_bare = true;
                    if !BLANK.contains(&letter) {
                        kept = value.len();
                    }
                }
            }
        }
        value.truncate(kept);
        Ok(value)
    }

    /// Appends what stands between quotes, which may be several lines.
    fn quoted(&mut self, quote: char, value: &mut String) -> Result<(), String> {
        let line = self.line;
        let open = || format!("the {quote} on line {line} is not closed");
        loop {
            match self.next().ok_or_else(open)? {
                letter if letter == quote => return Ok(()),
                '\\' if quote == '"' => match self.next().ok_or_else(open)? {
                    '\n' => {}
                    letter if ESCAPED_IN_QUOTES.contains(&letter) => value.push(letter),
                    letter => value.extend(['\\', letter]),
                },
                letter => value.push(letter),
            }
        }
    }
}

/// What is said of a character that no variable can hold.
const NUL: &str = "a NUL byte cannot be in a setting";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(usize, String, String)> {
        let found = assignments(text).unwrap_or_else(|it| panic!("{}: {}", it.line, it.text));
        found.into_iter().map(|it| (it.line, it.name, it.value)).collect()
    }

    fn refused(text: &str) -> (usize, String) {
        assignments(text).map_or_else(|it| (it.line, it.text), |_| panic!("{text:?} was accepted"))
    }

    /// The table was compared with what systemd 252 reads, but for the empty values, of which its generator of
    /// environments says nothing.
    #[test]
    fn reads_values_as_systemd_does() {
        for (text, expected) in [
            ("A=x", "x"),
            ("  A = x  ", "x"),
            ("\tA\t=\tx\t", "x"),
            ("A=", ""),
            ("A=   ", ""),
            ("A=''", ""),
            ("A=x y", "x y"),
            ("A=x=y", "x=y"),
            ("A=x#y", "x#y"),
            ("A=x # y", "x # y"),
            ("A=$B ${C}", "$B ${C}"),
            ("A=it's \"x\"", "it's \"x\""),
            ("A='x \"y\" $z \\n'", "x \"y\" $z \\n"),
            ("A=\"x 'y' $z \\n\"", "x 'y' $z \\n"),
            ("A=\"x\\\"y\\\\z\\`\\$\"", "x\"y\\z`$"),
            ("A=\"  x  \"", "  x  "),
            ("A=\"a b\" c", "a bc"),
            ("A=\"x \" y  ", "x y"),
            ("A='q' \"r\"", "qr"),
            ("A='x'\"y\"z", "xyz"),
            ("A=a \"b\"  ", "a \"b\""),
            ("A=\\a\\\\b", "a\\b"),
            ("A=a\\ ", "a "),
            ("A=a \\\n  ", "a "),
            ("A=a\\\n  b", "a  b"),
            ("A=a\\\nb\\\nc", "abc"),
            ("A=\\'a b\\'", "'a b'"),
            ("A='two\nlines'", "two\nlines"),
            ("A=\"two\nlines\"", "two\nlines"),
            ("A=\"one \\\nline\"", "one line"),
            ("A='a\\\nb'", "a\\\nb"),
            ("A=a\\", "a"),
            ("A=grün", "grün"),
            ("A=x\r\n", "x"),
            ("A=\"x\"\r\n", "x"),
        ] {
            let expected = (1, "A".to_owned(), expected.to_owned());
            let found = parsed(text).into_iter().find(|it| it.1 == "A");
            assert_eq!(found, Some(expected), "{text:?}");
        }
    }

    #[test]
    fn finds_the_lines_between_comments_and_empty_ones() {
        let text = "# A=1\n; A=2 \"\n\n   # 'A=3\n  A=4\r\n\r\nB='1\n2'\nC=5\\\n6\n D=7\n#";
        let found = parsed(text);
        let shown: Vec<_> = found.iter().map(|(at, a, b)| (*at, &**a, &**b)).collect();
        assert_eq!(shown, [(5, "A", "4"), (7, "B", "1\n2"), (9, "C", "56"), (11, "D", "7")]);
        // A backslash that is escaped itself escapes no line end.
        assert_eq!(parsed("# a \\\\\nA=1").len(), 1);
    }

    #[test]
    fn refuses_what_systemd_would_drop_or_take_for_something_else() {
        for (text, line, expected) in [
            ("A=1\nB\nC=2", 2, "no = in it"),
            ("A=1\nB", 2, "no = in it"),
            ("A=1\n\nB='2\nC=3\n", 3, "the ' on line 3 is not closed"),
            ("B=\\\n'x' \"y", 1, ""),
            ("B=\"2\\\"\nC=3\n", 1, "the \" on line 1 is not closed"),
            ("# see below \\\nA=1", 1, "must not end with a backslash"),
            ("A=1\0", 1, "NUL"),
            ("A\0=1", 1, "NUL"),
        ] {
            if expected.is_empty() {
                parsed(text);
                continue;
            }
            let (at, told) = refused(text);
            assert!(at == line && told.contains(expected), "{text:?}: {at} {told}");
        }
    }

    #[test]
    fn takes_the_last_line_that_sets_a_variable_and_nothing_for_not_set() {
        let assignments = Arc::new(assignments("A=1\nA=2\nB=1\nB=\n").ok().unwrap());
        let file = SettingsFile { path: PathBuf::from("/x/settings"), assignments };
        let found = file.find("A").map(|it| (&*it.value, file.place(it.line)));
        assert_eq!(found, Some(("2", "/x/settings line 2".to_owned())));
        assert!(file.find("B").is_none() && file.find("C").is_none());
    }

    #[test]
    fn sees_a_password_in_a_value() {
        for (line, expected) in [
            ("VESTIBULE_DATABASE_PASSWORD=x", true),
            ("VESTIBULE_MAIL_PASSWORD='x'", true),
            ("VESTIBULE_DATABASE_PASSWORD=", false),
            ("VESTIBULE_DATABASE_PASSWORD_FILE=/etc/x", false),
            ("VESTIBULE_DATABASE=mysql://ann:secret@db1,db2/vestibule", true),
            ("VESTIBULE_DATABASE=mysql://ann@db1:3306/vestibule", false),
            ("VESTIBULE_DATABASE=mysql://ann:@db1/vestibule", false),
            ("VESTIBULE_MAIL=smtps://me@example.com:secret@mail.example.com", true),
            ("VESTIBULE_ORIGIN=https://auth.example.com:8443/a:b@c", false),
            ("VESTIBULE_PASSWORD_POLICY=nist", false),
        ] {
            let found = assignments(line).ok().unwrap();
            assert_eq!(found[0].holds_password(), expected, "{line}");
        }
    }
}
