//! People out of a table as text: comma-separated values (RFC 4180) under a row of headings.

use std::cell::Cell;
use std::collections::HashSet;
use std::io::{self, Read};

use csv::{ReaderBuilder, StringRecord};
use serde_json::Value;

use super::attributes::{self, is_secret};
use super::candidate::{Candidate, CandidateKey, verifiable};
use super::reasons::{Reason, ReasonKind, SourceRow};
use super::report::{Report, cut};
use super::text_file::TextFile;
use crate::auth::users;
use crate::cli::export_format::LINE_BYTES_MAX;
use crate::store::{Progress, tell};

/// Headings of the column of hashes.
const HASHES: [&str; 3] = ["hash", "password_hash", "hashed_password"];

/// Everybody in the table. It is refused unless every row has a value for each heading.
pub(super) fn read(
    text: TextFile<'_>,
    report: &mut Report,
    progress: Progress<'_>,
) -> Result<Vec<Candidate>, String> {
    let (input, name) = text.into_parts();
    let fault = |why: &str| format!("cannot import {name}: {why}");
    let marks = Cell::new(Marks::default());
    let input = Watched { input, marks: &marks };
    let mut rows = ReaderBuilder::new().from_reader(input);
    let headings = rows.headers().map_err(|err| fault(&cause(&err)))?;
    let mut columns = CsvColumns::of(headings).map_err(|why| fault(&why))?;
    let mut all = Vec::new();
    let mut row = StringRecord::new();
    loop {
        marks.set(Marks { of_row: 0, ..marks.get() });
        if !rows.read_record(&mut row).map_err(|err| fault(&cause(&err)))? {
            break;
        }
        columns.count_secrets(&row);
        all.push(columns.candidate(&row));
        tell(progress, "lines read", all.len());
    }
    if marks.get().are_odd {
        return Err(fault("a quotation mark is not closed"));
    }
    report.secret_columns =
        columns.secrets.into_iter().map(|(_, name, count)| (name, count)).collect();
    Ok(all)
}

/// What is wrong with a row, without repeating anything of it.
fn cause(err: &csv::Error) -> String {
    let line = err.position().map_or_else(String::new, |it| format!("line {}: ", it.line()));
    match err.kind() {
        csv::ErrorKind::Io(err) => err.to_string(),
        csv::ErrorKind::Utf8 { .. } => format!("{line}it is no UTF-8"),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{line}it has {len} values, and the first line has {expected_len}")
        }
        _ => format!("{line}it is no row of values with commas between them"),
    }
}

/// Which column is which.
struct CsvColumns {
    username: usize,
    hash: usize,
    id: Option<usize>,
    email: Option<usize>,
    groups: Option<usize>,
    others: Vec<(usize, String)>,
    /// Those that are not kept, and how many values are in them.
    secrets: Vec<(usize, String, usize)>,
}

impl CsvColumns {
    fn of(headings: &StringRecord) -> Result<Self, String> {
        let names: Vec<_> = headings.iter().map(str::trim).collect();
        let mut seen = HashSet::with_capacity(names.len());
        if let Some(twice) = names.iter().find(|name| !seen.insert(**name)) {
            return Err(format!("two columns are called {}", cut(twice)));
        }
        let find = |name: &str| names.iter().position(|it| *it == name);
        let missing = |what: &str| {
            format!("its first line names no column {what}, or not with commas between them")
        };
        let username = find("username").ok_or_else(|| missing("username"))?;
        let hash = match HASHES.iter().filter_map(|it| find(it)).collect::<Vec<_>>()[..] {
            [one] => one,
            [] => return Err(missing("hash (or password_hash, or hashed_password)")),
            _ => return Err("several columns hold hashes; leave one".to_owned()),
        };
        let (id, email, groups) = (find("id"), find("email"), find("groups"));
        let known = [Some(username), Some(hash), id, email, groups];
        let rest = names.iter().enumerate().filter(|(at, _)| !known.contains(&Some(*at)));
        let (secrets, others): (Vec<_>, Vec<_>) = rest.partition(|(_, name)| is_secret(name));
        let others = others.into_iter().map(|(at, name)| (at, (*name).to_owned())).collect();
        let secrets = secrets.into_iter().map(|(at, name)| (at, (*name).to_owned(), 0)).collect();
        Ok(Self { username, hash, id, email, groups, others, secrets })
    }

    fn count_secrets(&mut self, row: &StringRecord) {
        for (at, _, count) in &mut self.secrets {
            *count += usize::from(row.get(*at).is_some_and(|it| !it.is_empty()));
        }
    }

    fn candidate(&self, row: &StringRecord) -> Candidate {
        let mut reasons = Vec::new();
        let value = |at: usize| row.get(at).unwrap_or_default();
        let optional = |at: Option<usize>| at.map(value).filter(|it| !it.is_empty());
        let others = self.others.iter().map(|(at, name)| (name.clone(), value(*at).into()));
        let mut others: Vec<(String, Value)> = others.collect();
        let email = optional(self.email).map(|it| users::email(it).ok_or(it));
        let email = email.transpose().unwrap_or_else(|odd| {
            reasons.push(Reason::of(ReasonKind::EmailAsAttribute));
            others.push(("email".to_owned(), odd.into()));
            None
        });
        let groups = users::groups(&optional(self.groups).unwrap_or_default().replace(';', ","));
        let fault = groups.is_none().then(|| "has groups that cannot be groups here".to_owned());
        let hash = verifiable(optional(Some(self.hash)).map(str::to_owned), &mut reasons);
        let line = row.position().map_or(SourceRow::Unknown, |it| SourceRow::Line(it.line()));
        Candidate {
            id: optional(self.id).map(str::to_owned),
            name: Some(value(self.username).to_owned()),
            groups: groups.unwrap_or_default(),
            email: email.unwrap_or_default(),
            attributes: attributes::object(others.into_iter()),
            keys: vec![CandidateKey::OfName { hash }],
            row: line,
            reasons,
            fault,
            ..Candidate::default()
        }
    }
}

/// What is known of the text so far.
#[derive(Clone, Copy, Default)]
struct Marks {
    /// Whether the number of quotation marks is odd. One that is not closed makes one value of all that
    /// follows, and the library says nothing; but in a table that is well formed their number is even.
    are_odd: bool,
    /// Bytes that were read for the row: some of them may be of later ones.
    of_row: usize,
}

/// A text that is watched as it passes.
struct Watched<'a, R> {
    input: R,
    marks: &'a Cell<Marks>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        let mut marks = self.marks.get();
        marks.are_odd ^= buffer[..count].iter().fold(false, |odd, byte| odd ^ (*byte == b'"'));
        marks.of_row += count;
        self.marks.set(marks);
        if marks.of_row > LINE_BYTES_MAX {
            return Err(io::Error::other("a row of it is too long"));
        }
        Ok(count)
    }
}
