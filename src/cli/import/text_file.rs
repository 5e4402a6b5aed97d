//! A text from a file or from standard input, line by line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::cli::export_format::LINE_BYTES_MAX;

/// What some editors put before everything else.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A text that is being read.
pub(super) struct TextFile<'a> {
    reader: Box<dyn BufRead + 'a>,
    name: String,
    line: Vec<u8>,
    number: usize,
}

impl<'a> TextFile<'a> {
    /// The text in `file`; `-` is `input`. An error is one line.
    pub(super) fn open(file: &Path, input: &'a mut dyn BufRead) -> Result<Self, String> {
        let (reader, name): (Box<dyn BufRead>, _) = if file == Path::new("-") {
            (Box::new(input), "standard input".to_owned())
        } else {
            let name = file.display().to_string();
            let opened = File::open(file).map_err(|err| format!("cannot import {name}: {err}"))?;
            (Box::new(BufReader::with_capacity(256 * 1024, opened)), name)
        };
        Ok(Self { reader, name, line: Vec::new(), number: 0 })
    }

    /// What it is read from, and its name.
    pub(super) fn into_parts(self) -> (Box<dyn BufRead + 'a>, String) {
        (self.reader, self.name)
    }

    /// The next line without its end, and its number. `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<(usize, &str)>, String> {
        self.line.clear();
        let most = LINE_BYTES_MAX as u64 + 2;
        let read = self.reader.by_ref().take(most).read_until(b'\n', &mut self.line);
        if read.map_err(|err| self.fault(&err.to_string()))? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.number == 1 && self.line.starts_with(BYTE_ORDER_MARK) {
            self.line.drain(..BYTE_ORDER_MARK.len());
        }
        if self.line.ends_with(b"\n") {
            self.line.pop();
        }
        if self.line.ends_with(b"\r") {
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

    /// Why the text cannot be imported.
    pub(super) fn fault(&self, why: &str) -> String {
        format!("cannot import {}: {why}", self.name)
    }

    /// What is wrong with the line that was read last.
    pub(super) fn fault_here(&self, why: &str) -> String {
        self.fault(&format!("line {}: {why}", self.number))
    }
}
