//! A table as text: values with commas, semicolons, tabs or bars between them (RFC 4180 and its relatives).
//!
//! Decides which character stands between the values, and refuses a table that is not whole.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use csv::{ByteRecord, Reader, ReaderBuilder, StringRecord};

use super::text_file::TextFile;
use crate::cli::export_format::LINE_BYTES_MAX;

/// What may stand between values, the likeliest first.
const DELIMITERS: [u8; 4] = *b",;\t|";

/// A table that is being read, row by row.
pub(super) struct TableText<'a> {
    rows: Reader<Watched<'a>>,
    row: StringRecord,
    /// How many values a row has; `None`: none was read.
    width: Option<usize>,
    marks: Rc<Cell<Marks>>,
    deed: String,
}

impl<'a> TableText<'a> {
    /// The table in a text. Between its values is `delimiter`, or what makes most of the first line known to
    /// `is_known`, or else what the first line has most of.
    pub(super) fn open(
        text: TextFile<'a>,
        delimiter: Option<u8>,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<Self, String> {
        let parts = text.into_parts()?;
        let delimiter = delimiter.unwrap_or_else(|| delimiter_of(&parts.first, is_known));
        let marks = Rc::new(Cell::new(Marks::default()));
        let input = Watched { input: parts.input, marks: Rc::clone(&marks) };
        let mut options = ReaderBuilder::new();
        let rows =
            options.has_headers(false).flexible(true).delimiter(delimiter).from_reader(input);
        Ok(Self { rows, row: StringRecord::new(), width: None, marks, deed: parts.deed })
    }

    /// The next row that is not blank, with the line that it begins on; `None` after the last. Every row has as
    /// many values as the first.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &StringRecord)>, String> {
        let mut bytes = ByteRecord::new();
        loop {
            self.marks.set(Marks { of_row: 0, ..self.marks.get() });
            let has_row = self.rows.read_byte_record(&mut bytes);
            if !has_row.map_err(|err| self.fault(&cause(&err)))? {
                break;
            }
            if self.marks.get().is_at_end && self.marks.get().are_odd {
                break;
            }
            // The library counts from where it began to look, which may be before blank lines.
            let lines = bytes.as_slice().split(|it| *it == b'\n').count() as u64;
            let line = self.rows.position().line().saturating_sub(lines);
            let is_blank = bytes.as_slice().trim_ascii().is_empty() && bytes.len() == 1;
            // With such a line spreadsheets tell each other the delimiter.
            let is_preamble = line == 1 && bytes.get(0) == Some(b"sep=");
            if is_blank || is_preamble {
                continue;
            }
            let width = *self.width.get_or_insert(bytes.len());
            if bytes.len() != width {
                return Err(self.fault(&format!(
                    "line {line}: it has {} values, and the first line has {width}; a value that holds the \
                     delimiter, as a hash of Argon2 holds commas, belongs in quotation marks",
                    bytes.len()
                )));
            }
            let row = StringRecord::from_byte_record(bytes);
            self.row = row.map_err(|_| self.fault(&format!("line {line}: it is no UTF-8")))?;
            return Ok(Some((line, &self.row)));
        }
        if self.marks.get().are_odd {
            return Err(self.fault("a quotation mark is not closed"));
        }
        Ok(None)
    }

    /// Why the table cannot be read.
    pub(super) fn fault(&self, why: &str) -> String {
        format!("cannot {}: {why}", self.deed)
    }
}

/// The separator of the values of a line.
fn delimiter_of(line: &str, is_known: impl Fn(&str) -> bool) -> u8 {
    let rank = |delimiter: u8| {
        let mut is_quoted = false;
        let parts = line.split(|it: char| {
            is_quoted ^= it == '"';
            !is_quoted && it == char::from(delimiter)
        });
        parts.fold((0, 0), |(known, count), it| {
            (known + usize::from(is_known(it.trim().trim_matches('"'))), count + 1)
        })
    };
    let mut best = DELIMITERS[0];
    for delimiter in DELIMITERS {
        if rank(delimiter) > rank(best) {
            best = delimiter;
        }
    }
    best
}

/// A delimiter as it is typed on a command line: one character, or the word `tab`.
pub(super) fn delimiter(typed: &str) -> Result<u8, String> {
    match typed.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err("give one character, or the word tab".to_owned()),
    }
}

/// What is wrong with the text, without repeating anything of it.
fn cause(err: &csv::Error) -> String {
    match err.kind() {
        csv::ErrorKind::Io(err) => err.to_string(),
        _ => "it holds a row that is none of values".to_owned(),
    }
}

/// What is known of the text so far.
#[derive(Clone, Copy, Default)]
struct Marks {
    /// Whether the number of quotation marks is odd. One that is not closed makes one value of all that
    /// follows, and the library says nothing; but in a table that is well formed their number is even.
    are_odd: bool,
    /// Whether all of it was read.
    is_at_end: bool,
    /// Bytes that were read for the row: some of them may be of later ones.
    of_row: usize,
}

/// A text that is watched as it passes.
struct Watched<'a> {
    input: Box<dyn Read + 'a>,
    marks: Rc<Cell<Marks>>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        let mut marks = self.marks.get();
        marks.are_odd ^= buffer[..count].iter().fold(false, |odd, byte| odd ^ (*byte == b'"'));
        marks.is_at_end = count == 0;
        marks.of_row += count;
        self.marks.set(marks);
        if marks.of_row > LINE_BYTES_MAX {
            return Err(io::Error::other("a row of it is too long"));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_stands_between_values() {
        let is_known = |it: &str| ["username", "hash"].contains(&it);
        for (line, expected) in [
            ("username,hash", b','),
            ("username;hash", b';'),
            ("username\thash", b'\t'),
            ("username | hash", b'|'),
            ("username", b','),
            ("", b','),
            ("\"a,b,c\";username;hash", b';'),
            ("username;hash;groups, with commas, in it", b';'),
            ("a;b;c", b';'),
        ] {
            assert_eq!(char::from(delimiter_of(line, is_known)), char::from(expected), "{line}");
        }
    }

    #[test]
    fn reads_a_delimiter_as_it_is_typed() {
        assert_eq!(delimiter("tab"), Ok(b'\t'));
        assert_eq!(delimiter(";"), Ok(b';'));
        for bad in ["", "\"", "\n", ";;", "\u{e4}"] {
            assert!(delimiter(bad).is_err(), "{bad:?}");
        }
    }
}
