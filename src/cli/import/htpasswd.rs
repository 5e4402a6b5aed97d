//! Users from a password file of Apache or nginx: `name:hash` on a line.
//!
//! Decides what a line is. Hashes that can be verified are kept until the first sign-in replaces them; the others
//! (`{SHA}`, the oldest crypt, the password itself) are not imported.

use std::collections::HashMap;

use super::candidate::{Candidate, CandidateKey, verifiable};
use super::reasons::SourceRow;
use super::report::{Report, cut};
use super::text_file::TextFile;
use crate::store::{Progress, tell};

/// All users in the text. A line that is neither a comment, nor blank, nor a name and a hash is refused. Of two
/// lines with one name the first counts, as in Apache and nginx.
pub(super) fn read(
    mut text: TextFile<'_>,
    report: &mut Report,
    progress: Progress<'_>,
) -> Result<Vec<Candidate>, String> {
    let mut all = Vec::new();
    let mut lines: HashMap<String, usize> = HashMap::new();
    while let Some((number, line)) = text.next()? {
        tell(progress, "lines read", number);
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // Whatever follows a second colon is no part of the hash (Apache's mod_authn_file).
        let mut parts = line.split(':');
        let (name, hash) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if name.is_empty() || hash.is_empty() {
            return Err(text.fault_here("it is not a name, a colon and a hash"));
        }
        let row = SourceRow::Line(number as u64);
        if let Some(first) = lines.get(name) {
            let why = format!("the name {} again; line {first} counts", cut(name));
            report.users.leave_out(1, "with a name that an earlier line has");
            report.leave_row_out(row, why);
            continue;
        }
        lines.insert(name.to_owned(), number);
        let mut reasons = Vec::new();
        let hash = verifiable(Some(hash.to_owned()), &mut reasons);
        all.push(Candidate {
            name: Some(name.to_owned()),
            keys: vec![CandidateKey::OfName { hash }],
            row,
            reasons,
            ..Candidate::default()
        });
    }
    Ok(all)
}
