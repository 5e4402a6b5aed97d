//! People out of a file of passwords of Apache or nginx: `name:hash` on a line.
//!
//! Decides which hashes are fit to be kept. Those of bcrypt are; the others (`{SHA}`, `$apr1$`, crypt,
//! the password itself) are broken in no time and go nowhere from here.

use super::candidate::{Candidate, CandidateKey};
use super::reasons::{Reason, ReasonKind, SourceRow};
use super::text_file::TextFile;
use crate::base::password::PasswordHash;
use crate::store::{Progress, tell};

/// Everybody in the text. A line that is neither a comment, nor blank, nor a name and a hash is refused.
pub(super) fn read(
    mut text: TextFile<'_>,
    progress: Progress<'_>,
) -> Result<Vec<Candidate>, String> {
    let mut all = Vec::new();
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
        let hash = Some(hash.to_owned()).filter(|it| is_fit(it));
        let reasons = hash.is_none().then(|| Reason::of(ReasonKind::UnreadableHash));
        all.push(Candidate {
            name: Some(name.to_owned()),
            keys: vec![CandidateKey::OfName { hash }],
            row: SourceRow::Line(number as u64),
            reasons: reasons.into_iter().collect(),
            ..Candidate::default()
        });
    }
    Ok(all)
}

fn is_fit(hash: &str) -> bool {
    hash.starts_with("$2") && PasswordHash::from_stored(hash.to_owned()).is_readable()
}
