//! New names for users whose names cannot be kept: the file of `--rename`.
//!
//! Decides how the file is read and whom a line means. A file with a line that means no user, or with a name
//! that cannot be given, is refused whole, before anything is written.

use std::collections::HashMap;
use std::path::Path;

use super::candidate::{Candidate, CandidateKey};
use super::reasons::{Reason, ReasonKind};
use super::report::cut;
use super::table_text::TableText;
use super::text_file::TextFile;
use super::validate::name_at_source;
use crate::auth::usernames::{NameKind, Username, canonical};
use crate::store::KeyId;

/// First lines that are headings.
const HEADINGS: [[&str; 2]; 3] =
    [["old", "new"], ["old name", "new name"], ["old_name", "new_name"]];

/// Gives new names to the people whom the file at `path` lists: on each line an old name, or the id of a
/// person without a name, and a new name. An error is one line that says which line is wrong.
pub(super) fn rename(all: &mut [Candidate], path: &Path, names: NameKind) -> Result<(), String> {
    let mut table = TableText::open(TextFile::open_to("rename by", path)?, None, |_| false)?;
    let mut renames: HashMap<usize, NewName> = HashMap::new();
    let people = OldNames::of(all);
    while let Some((line, row)) = table.next()? {
        let row: Vec<_> = row.iter().map(str::trim).collect();
        let read = new_name(&people, names, line, &row);
        let at_line = |why: String| format!("line {line}: {why}");
        let Some((at, new)) = read.map_err(|why| table.fault(&at_line(why)))? else { continue };
        if let Some(NewName { line: first, .. }) = renames.insert(at, new) {
            return Err(table.fault(&at_line(format!("line {first} renames the same user"))));
        }
    }
    check(all, &renames).map_err(|why| table.fault(&why))?;
    for (at, new) in renames {
        apply(&mut all[at], &new.name, names);
    }
    Ok(())
}

struct NewName {
    name: Username,
    line: u64,
}

/// Whom a line means, by their place among all, and their new name. `None`: it is a heading.
fn new_name(
    people: &OldNames<'_>,
    names: NameKind,
    line: u64,
    row: &[&str],
) -> Result<Option<(usize, NewName)>, String> {
    let [old, new] = row else {
        return Err("it is not an old name and a new one".to_owned());
    };
    let at = match people.find(old) {
        Err(_) if line == 1 && HEADINGS.iter().any(|it| is_heading(it, [*old, *new])) => {
            return Ok(None);
        }
        found => found?,
    };
    let name = names.for_sign_up(new).ok_or_else(|| match names {
        NameKind::Name => {
            format!("{} has not 4 to 31 visible characters, as a new name must", cut(new))
        }
        NameKind::Address => format!("{} is no e-mail address, as a new name must be", cut(new)),
    })?;
    Ok(Some((at, NewName { name, line })))
}

fn is_heading(known: &[&str; 2], row: [&str; 2]) -> bool {
    known.iter().zip(row).all(|(one, other)| one.eq_ignore_ascii_case(other))
}

/// People by what an operator may write of them.
struct OldNames<'a> {
    exact: HashMap<&'a str, Vec<usize>>,
    canonical: HashMap<String, Vec<usize>>,
    ids: HashMap<&'a str, Vec<usize>>,
}

impl<'a> OldNames<'a> {
    fn of(all: &'a [Candidate]) -> Self {
        let mut it = Self { exact: HashMap::new(), canonical: HashMap::new(), ids: HashMap::new() };
        for (at, candidate) in all.iter().enumerate() {
            if let Some(name) = name_at_source(candidate) {
                it.exact.entry(name).or_default().push(at);
                it.canonical.entry(canonical(name)).or_default().push(at);
            }
            if let Some(id) = &candidate.id {
                it.ids.entry(id).or_default().push(at);
            }
        }
        it
    }

    /// The one person of this name in this very spelling, or else in any, or else of this id.
    fn find(&self, old: &str) -> Result<usize, String> {
        let folded = canonical(old);
        let found = [self.exact.get(old), self.canonical.get(&folded), self.ids.get(old)];
        let found: Vec<_> = found.into_iter().flatten().collect();
        match found.iter().find(|all| all.len() == 1) {
            Some(one) => Ok(one[0]),
            None if found.is_empty() => Err(format!("no user is called {}", cut(old))),
            None => Err(format!("several users are called {}", cut(old))),
        }
    }
}

/// Refuses a new name that two people would have.
fn check(all: &[Candidate], renames: &HashMap<usize, NewName>) -> Result<(), String> {
    let mut lines: Vec<_> = renames.values().collect();
    lines.sort_unstable_by_key(|it| it.line);
    let mut taken: HashMap<&str, u64> = HashMap::new();
    for it in lines {
        if let Some(first) = taken.insert(it.name.canonical(), it.line) {
            let name = cut(it.name.typed());
            return Err(format!("line {}: line {first} gives the name {name} already", it.line));
        }
    }
    for (at, candidate) in all.iter().enumerate().filter(|(at, _)| !renames.contains_key(at)) {
        let Some(name) = name_at_source(candidate) else { continue };
        if let Some(line) = taken.get(&*canonical(name)) {
            let row = &all[at].row;
            let name = cut(name);
            return Err(format!("line {line}: another user is called {name} ({row})"));
        }
    }
    Ok(())
}

/// Gives a person a new name, with which they sign in as they did with the old one.
fn apply(candidate: &mut Candidate, name: &Username, names: NameKind) {
    let old = name_at_source(candidate).unwrap_or_default().to_owned();
    let folded = canonical(&old);
    for key in &mut candidate.keys {
        match key {
            CandidateKey::Of { provider, id, hash }
                if provider == "username"
                    && (canonical(id) == folded || names.for_import(id).is_none()) =>
            {
                *key = CandidateKey::OfName { hash: hash.take() };
            }
            CandidateKey::Ours(key) if key.id == KeyId::username(&folded) => {
                key.id = KeyId::username(name.canonical());
            }
            _ => {}
        }
    }
    candidate.name = Some(name.typed().to_owned());
    candidate.reasons.push(Reason::about(ReasonKind::Renamed, old));
}
