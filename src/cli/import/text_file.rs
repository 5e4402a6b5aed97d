//! A text from a file or from standard input, line by line.
//!
//! Decides what ends a line, and which encodings are refused: a text in UTF-16 would look like no text at
//! all.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::Path;

use crate::base::file_fault::reading;
use crate::cli::export_format::LINE_BYTES_MAX;

/// What some editors put before everything else.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The same in UTF-16, in either order of bytes.
const UTF_16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// A text that is being read.
pub(super) struct TextFile<'a> {
    reader: Box<dyn BufRead + 'a>,
    /// What cannot be done if the text is faulty, as in `import people.csv`.
    deed: String,
    line: Vec<u8>,
    number: usize,
    /// Whether the line that was read last ended with a carriage return, so that a line feed is a part of its
    /// end.
    is_after_return: bool,
}

impl<'a> TextFile<'a> {
    /// The text in `file`, which is to be imported; `-` is `input`. An error is one line.
    pub(super) fn open(file: &Path, input: &'a mut dyn BufRead) -> Result<Self, String> {
        if file == Path::new("-") {
            return Ok(Self::of(Box::new(input), "import standard input".to_owned()));
        }
        Self::open_to("import", file)
    }

    /// The text in `file`; `verb` is what is done by it. An error is one line.
    pub(super) fn open_to(verb: &str, file: &Path) -> Result<Self, String> {
        let deed = format!("{verb} {}", file.display());
        let opened = File::open(file).map_err(|err| format!("cannot {deed}: {}", reading(&err)))?;
        Ok(Self::of(Box::new(BufReader::with_capacity(256 * 1024, opened)), deed))
    }

    fn of(reader: Box<dyn BufRead + 'a>, deed: String) -> Self {
        Self { reader, deed, line: Vec::new(), number: 0, is_after_return: false }
    }

    /// The first line, and the whole text, in which every line ends with a line feed.
    pub(super) fn into_parts(mut self) -> Result<TextParts<'a>, String> {
        let first = self.next()?.map(|(_, line)| line.to_owned()).unwrap_or_default();
        let start = format!("{first}\n").into_bytes();
        let rest = AsLineFeeds { text: self.reader, is_after_return: self.is_after_return };
        let input = Box::new(Cursor::new(start).chain(rest).chain(&b"\n"[..]));
        Ok(TextParts { first, input, deed: self.deed })
    }

    /// The next line without its end, and its number. `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<(usize, &str)>, String> {
        self.line.clear();
        if !self.read_line().map_err(|err| self.fault(&reading(&err)))? {
            return Ok(None);
        }
        self.number += 1;
        if self.number == 1 {
            self.check_encoding()?;
        }
        if self.line.ends_with(b"\n") || self.line.ends_with(b"\r") {
            self.line.pop();
        }
        if self.line.len() > LINE_BYTES_MAX {
            return Err(self.fault_here("it is too long"));
        }
        match std::str::from_utf8(&self.line) {
            Ok(text) => Ok(Some((self.number, text))),
            Err(_) => Err(self.fault_here("it is no UTF-8")),
        }
    }

    /// Reads a line that ends with a line feed, a carriage return, or both, and no more of it than is allowed.
    /// `false`: there is none.
    fn read_line(&mut self) -> io::Result<bool> {
        let mut has_any = false;
        loop {
            let buffer = match self.reader.fill_buf() {
                Err(err) if err.kind() == ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            let Some(first) = buffer.first() else { return Ok(has_any) };
            if std::mem::take(&mut self.is_after_return) && *first == b'\n' {
                self.reader.consume(1);
                continue;
            }
            has_any = true;
            let end = buffer.iter().position(|it| matches!(it, b'\n' | b'\r'));
            let taken = end.map_or(buffer.len(), |at| at + 1);
            self.line.extend_from_slice(&buffer[..taken]);
            self.reader.consume(taken);
            if end.is_some() {
                self.is_after_return = self.line.ends_with(b"\r");
                return Ok(true);
            }
            if self.line.len() > LINE_BYTES_MAX {
                return Ok(true);
            }
        }
    }

    /// Refuses UTF-16, and takes away the mark of UTF-8.
    fn check_encoding(&mut self) -> Result<(), String> {
        let has_mark = UTF_16_MARKS.iter().any(|it| self.line.starts_with(it));
        // Without a mark, every other byte of the first letters is zero.
        if has_mark || self.line.iter().take(2).any(|it| *it == 0) {
            return Err(self.fault("it is UTF-16; save it as UTF-8"));
        }
        if self.line.starts_with(BYTE_ORDER_MARK) {
            self.line.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(())
    }

    /// Why the text cannot be read.
    pub(super) fn fault(&self, why: &str) -> String {
        format!("cannot {}: {why}", self.deed)
    }

    /// What is wrong with the line that was read last.
    pub(super) fn fault_here(&self, why: &str) -> String {
        self.fault(&format!("line {}: {why}", self.number))
    }
}

/// A text that is read otherwise than by lines.
pub(super) struct TextParts<'a> {
    /// The first line, without its end.
    pub(super) first: String,
    /// All of it.
    pub(super) input: Box<dyn Read + 'a>,
    /// What cannot be done if the text is faulty.
    pub(super) deed: String,
}

/// A text with line feeds for whatever ends its lines.
struct AsLineFeeds<R> {
    text: R,
    /// Whether a carriage return came last: a line feed now is a part of the same end.
    is_after_return: bool,
}

impl<R: Read> Read for AsLineFeeds<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.text.read(buffer)?;
            let mut kept = 0;
            for at in 0..count {
                let byte = buffer[at];
                let is_second = std::mem::take(&mut self.is_after_return) && byte == b'\n';
                if is_second {
                    continue;
                }
                self.is_after_return = byte == b'\r';
                buffer[kept] = if byte == b'\r' { b'\n' } else { byte };
                kept += 1;
            }
            if kept > 0 || count == 0 {
                return Ok(kept);
            }
        }
    }
}
