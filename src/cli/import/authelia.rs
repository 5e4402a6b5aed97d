//! The passkeys in what `authelia storage user webauthn export` writes. The users are not in that file: they come from a
//! table beside it.
//!
//! Decides what of YAML may be in it: one list of mappings with a text or a list of texts to a key, as Authelia writes it.
//! Anything else is refused with its line, so that no part of a file is taken for another.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::iter;
use std::path::Path;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::candidate::Candidate;
use super::moments::{TimeUnit, Timestamp, moment};
use super::passkeys::{self, ForeignPasskey, bytes, rp_id};
use super::report::Report;
use super::text_file::TextFile;
use super::validate::name_at_source;
use crate::auth::usernames::canonical;
use crate::base::clock::Moment;

/// The only key of the whole.
const ROOT: &str = "webauthn_credentials";

/// Bytes of the lines of a passkey, at most. The library holds back what may still become a key, as all between two
/// brackets may, and needs a hundred times the memory for it.
const PASSKEY_BYTES_MAX: usize = 256 * 1024;

const NO_EXPORT: &str = "this is not what authelia storage user webauthn export writes";
const NO_YAML: &str = "it is no YAML that can be read";
const MARKED: &str = "it has an anchor, an alias or a tag of YAML, which Authelia does not write";
const NO_KEY: &str = "it is no key with a value";
const NESTED: &str = "its value is neither a text nor a list of texts";
const TWICE: &str = "its key is there twice";

/// Gives the users the passkeys in this file, by their names. A file that is not what Authelia writes is refused.
pub(super) fn add_passkeys(
    users: &mut [Candidate],
    file: &Path,
    report: &mut Report,
    now: Moment,
) -> Result<(), String> {
    let passkeys = foreign_passkeys(TextFile::open_to("import", file)?)?;
    let owners = Owners::of(users);
    for passkey in passkeys {
        let owner = owners.find(&passkey.owner).map(|at| &mut users[at]);
        passkeys::add(owner, passkey, report, now);
    }
    Ok(())
}

/// The users of a table by their names, as they are written and in canonical form. `None`: several have it.
struct Owners {
    as_written: HashMap<String, Option<usize>>,
    canonical: HashMap<String, Option<usize>>,
}

impl Owners {
    fn of(users: &[Candidate]) -> Self {
        let (mut as_written, mut by_canonical) = (HashMap::new(), HashMap::new());
        for (at, user) in users.iter().enumerate() {
            let Some(name) = name_at_source(user) else { continue };
            for (names, name) in
                [(&mut as_written, name.to_owned()), (&mut by_canonical, canonical(name))]
            {
                names.entry(name).and_modify(|it| *it = None).or_insert(Some(at));
            }
        }
        Self { as_written, canonical: by_canonical }
    }

    /// The user who is meant by this name. `None` if none is, or if that cannot be told: a passkey must not sign in as
    /// another user than its owner.
    fn find(&self, name: &str) -> Option<usize> {
        let as_written = self.as_written.get(name);
        *as_written.or_else(|| self.canonical.get(&canonical(name)))?
    }
}

/// All passkeys of the file. An error is one line.
fn foreign_passkeys(file: TextFile<'_>) -> Result<Vec<ForeignPasskey>, String> {
    let text = RefCell::new(YamlText { file, bytes: 0, fault: None });
    let lines = iter::from_fn(|| text.borrow_mut().next());
    let letters = lines.flat_map(|line| line.chars().collect::<Vec<_>>());
    let read = YamlReader { events: Parser::new_from_iter(letters), text: &text }.read();
    let text = text.into_inner();
    match text.fault {
        Some(fault) => Err(fault),
        None => read.map_err(|why| text.file.fault(&why)),
    }
}

/// The file as the library is given it.
struct YamlText<'a> {
    file: TextFile<'a>,
    /// Of the lines that were read since the last passkey ended.
    bytes: usize,
    /// Why no more of it is read: the library cannot be told, and takes it for the end.
    fault: Option<String>,
}

impl YamlText<'_> {
    /// The next line with its end. `None` after the last, and after a fault.
    fn next(&mut self) -> Option<String> {
        if self.fault.is_some() {
            return None;
        }
        let fault = match self.file.next() {
            Ok(None) => return None,
            Ok(Some((_, line))) if line.len() < PASSKEY_BYTES_MAX - self.bytes => {
                self.bytes += line.len() + 1;
                return Some(format!("{line}\n"));
            }
            Ok(Some(_)) => {
                let why = format!("its passkey has more than {PASSKEY_BYTES_MAX} bytes");
                self.file.fault_here(&why)
            }
            Err(fault) => fault,
        };
        self.fault = Some(fault);
        None
    }
}

/// An event of the library, as far as it matters here.
#[derive(PartialEq)]
enum YamlPart {
    /// The whole, or a document in it, begins.
    Start,
    List,
    Mapping,
    Text(String),
    /// What began last ends.
    End,
}

/// Reads events one by one: what is nested deeper than in an export is refused where it begins.
struct YamlReader<'a, 'f, I> {
    events: I,
    text: &'a RefCell<YamlText<'f>>,
}

impl<'e, I: Iterator<Item = Result<(Event<'e>, Span), ScanError>>> YamlReader<'_, '_, I> {
    /// All passkeys. An error names its line and repeats nothing of it.
    fn read(mut self) -> Result<Vec<ForeignPasskey>, String> {
        use YamlPart::{End, List, Mapping, Start};
        for part in [Start, Start, Mapping, YamlPart::Text(ROOT.to_owned()), List] {
            self.expect(&part)?;
        }
        let mut passkeys = Vec::new();
        loop {
            match self.next()? {
                (line, Mapping) => {
                    let passkey = self.entry()?.passkey();
                    let placed = |why| format!("the passkey at line {line}: {why}");
                    passkeys.push(passkey.map_err(placed)?);
                    self.text.borrow_mut().bytes = 0;
                }
                (_, End) => break,
                (line, _) => return fault(line, NO_EXPORT),
            }
        }
        // The mapping, its document and the whole.
        for part in [End, End, End] {
            self.expect(&part)?;
        }
        Ok(passkeys)
    }

    /// The rest of a mapping.
    fn entry(&mut self) -> Result<YamlEntry, String> {
        let mut entry = YamlEntry::default();
        loop {
            let (line, name) = match self.next()? {
                (line, YamlPart::Text(name)) => (line, name),
                (_, YamlPart::End) => return Ok(entry),
                (line, _) => return fault(line, NO_KEY),
            };
            let value = match self.next()? {
                (_, YamlPart::Text(text)) => YamlValue::Text(text),
                (_, YamlPart::List) => YamlValue::List(self.list()?),
                (line, _) => return fault(line, NESTED),
            };
            if entry.0.insert(name, value).is_some() {
                return fault(line, TWICE);
            }
        }
    }

    /// The rest of a list.
    fn list(&mut self) -> Result<Vec<String>, String> {
        let mut texts = Vec::new();
        loop {
            match self.next()? {
                (_, YamlPart::Text(text)) => texts.push(text),
                (_, YamlPart::End) => return Ok(texts),
                (line, _) => return fault(line, NESTED),
            }
        }
    }

    fn expect(&mut self, part: &YamlPart) -> Result<(), String> {
        match self.next()? {
            (_, it) if it == *part => Ok(()),
            (line, _) => fault(line, NO_EXPORT),
        }
    }

    /// The next part, and its line.
    fn next(&mut self) -> Result<(usize, YamlPart), String> {
        let (event, span) = match self.events.next() {
            Some(Ok(event)) => event,
            // What the library says may repeat a character.
            Some(Err(err)) => return fault(err.marker().line(), NO_YAML),
            None => return Err(NO_EXPORT.to_owned()),
        };
        let line = span.start.line();
        let part = match event {
            Event::StreamStart | Event::DocumentStart(_) => YamlPart::Start,
            Event::SequenceStart(0, None) => YamlPart::List,
            Event::MappingStart(0, None) => YamlPart::Mapping,
            Event::Scalar(text, style, 0, None) => YamlPart::Text(match &*text {
                "null" | "~" if style == ScalarStyle::Plain => String::new(),
                _ => text.into_owned(),
            }),
            Event::SequenceEnd | Event::MappingEnd | Event::DocumentEnd | Event::StreamEnd => {
                YamlPart::End
            }
            _ => return fault(line, MARKED),
        };
        Ok((line, part))
    }
}

fn fault<T>(line: usize, why: &str) -> Result<T, String> {
    Err(format!("line {line}: {why}"))
}

/// A value in a mapping of the list.
enum YamlValue {
    Text(String),
    List(Vec<String>),
}

/// A mapping of the list.
#[derive(Default)]
struct YamlEntry(BTreeMap<String, YamlValue>);

impl YamlEntry {
    /// What it says. An error follows the place of the entry.
    fn passkey(&self) -> Result<ForeignPasskey, String> {
        let truth = |name: &str| match self.text(name)? {
            "true" => Ok(true),
            "false" | "" => Ok(false),
            _ => Err(format!("its {name} is neither true nor false")),
        };
        let needed = |name: &str| match self.text(name)? {
            "" => Err(format!("its {name} is missing")),
            text => Ok(text),
        };
        let at =
            |name: &str| self.text(name).map(|it| moment(Timestamp::Text(it), TimeUnit::Guessed));
        let count = needed("sign_count")?;
        // A key is found without a name, and is both factors, only if it is stored on the authenticator and has
        // verified its user.
        let verifies_user = truth("discoverable")? && truth("verified")?;
        Ok(ForeignPasskey {
            owner: needed("username")?.to_owned(),
            name: self.text("description")?.to_owned(),
            id: bytes(needed("kid")?),
            public_key: bytes(self.text("public_key")?),
            sign_count: count.parse().map_err(|_| "its sign_count is no count".to_owned())?,
            // Of U2F, from before WebAuthn, it is empty, or the URL of the site.
            rp_id: rp_id(self.text("rpid")?),
            verifies_user,
            is_backed_up: truth("backup_state")?,
            transports: self.list("transports")?.join(","),
            may_be_cloned: truth("clone_warning")?,
            created_at: at("created_at")?,
            used_at: at("last_used_at")?,
        })
    }

    /// The text of a key; empty if it is missing.
    fn text(&self, name: &str) -> Result<&str, String> {
        match self.0.get(name) {
            None => Ok(""),
            Some(YamlValue::Text(text)) => Ok(text),
            Some(YamlValue::List(_)) => Err(format!("its {name} is a list")),
        }
    }

    /// The list of a key; empty if it is missing.
    fn list(&self, name: &str) -> Result<&[String], String> {
        match self.0.get(name) {
            None => Ok(&[]),
            Some(YamlValue::List(texts)) => Ok(texts),
            Some(YamlValue::Text(text)) if text.is_empty() => Ok(&[]),
            Some(YamlValue::Text(_)) => Err(format!("its {name} is no list")),
        }
    }
}
