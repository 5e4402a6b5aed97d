//! The passkeys in what `authelia storage user webauthn export` writes. The users are not in that file: they come from a
//! table beside it.
//!
//! Decides how much of YAML is read: a list of mappings in block style, as Authelia writes it, with one scalar or one
//! list of scalars to a key. Anything else is refused with its line, so that no part of a file is taken for another.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::candidate::Candidate;
use super::moments::{TimeUnit, Timestamp, moment};
use super::passkeys::{self, ForeignPasskey, bytes, rp_id};
use super::report::Report;
use super::text_file::TextFile;
use super::validate::name_at_source;
use crate::auth::usernames::canonical;
use crate::base::clock::Moment;

/// The only key of the whole.
const ROOT: &str = "webauthn_credentials:";

/// Gives the users the passkeys in this file, by their names. A file that is not what Authelia writes is refused.
pub(super) fn add_passkeys(
    users: &mut [Candidate],
    file: &Path,
    report: &mut Report,
    now: Moment,
) -> Result<(), String> {
    let mut text = TextFile::open_to("import", file)?;
    let entries = entries(&mut text)?;
    let owners = Owners::of(users);
    for entry in entries {
        let passkey = entry.passkey();
        let passkey = passkey
            .map_err(|why| text.fault(&format!("the passkey at line {}: {why}", entry.line)))?;
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

/// A mapping of the list.
#[derive(Default)]
struct YamlEntry {
    /// The line on which it begins.
    line: usize,
    scalars: BTreeMap<String, String>,
    /// The lists in it.
    lists: BTreeMap<String, Vec<String>>,
}

impl YamlEntry {
    /// What it says. An error follows the place of the entry.
    fn passkey(&self) -> Result<ForeignPasskey, String> {
        let text = |name: &str| self.scalars.get(name).map(String::as_str).unwrap_or_default();
        let truth = |name: &str| match text(name) {
            "true" => Ok(true),
            "false" | "" => Ok(false),
            _ => Err(format!("its {name} is neither true nor false")),
        };
        let needed = |name: &str| match text(name) {
            "" => Err(format!("its {name} is missing")),
            text => Ok(text),
        };
        let at = |name: &str| moment(Timestamp::Text(text(name)), TimeUnit::Guessed);
        let count = needed("sign_count")?;
        // A key is found without a name, and is both factors, only if it is stored on the authenticator and has
        // verified its user.
        let verifies_user = truth("discoverable")? && truth("verified")?;
        Ok(ForeignPasskey {
            owner: needed("username")?.to_owned(),
            name: text("description").to_owned(),
            id: bytes(needed("kid")?),
            public_key: bytes(text("public_key")),
            sign_count: count.parse().map_err(|_| "its sign_count is no count".to_owned())?,
            // Of U2F, from before WebAuthn, it is empty, or the URL of the site.
            rp_id: rp_id(text("rpid")),
            verifies_user,
            is_backed_up: truth("backup_state")?,
            transports: self.lists.get("transports").map_or_else(String::new, |all| all.join(",")),
            may_be_cloned: truth("clone_warning")?,
            created_at: at("created_at"),
            used_at: at("last_used_at"),
        })
    }
}

/// All mappings of the list.
fn entries(text: &mut TextFile<'_>) -> Result<Vec<YamlEntry>, String> {
    let mut reader = YamlReader::default();
    while let Some((number, line)) = text.next()? {
        reader.number = number;
        reader.line(line).map_err(|it| text.fault(&it.told()))?;
    }
    reader.end().map_err(|it| text.fault(&it.told()))
}

/// What is wrong with a line of the file. It repeats nothing of it.
struct YamlFault {
    /// The number of the line; 0: the file has none.
    number: usize,
    why: &'static str,
}

impl YamlFault {
    fn told(&self) -> String {
        match self.number {
            0 => self.why.to_owned(),
            number => format!("line {number}: {}", self.why),
        }
    }
}

const NO_EXPORT: &str = "this is not what authelia storage user webauthn export writes";
const ODD_INDENT: &str = "it is indented otherwise than the lines before it";
const NO_KEY: &str = "it is no key with a value";
const NO_LIST: &str = "it is an item of no list";
const TWICE: &str = "its key is there twice";
const NOT_READ: &str = "its value is written in a way of YAML that is not read here";

/// What was read so far of a file.
#[derive(Default)]
struct YamlReader {
    /// The number of the line that is being read.
    number: usize,
    has_root: bool,
    entries: Vec<YamlEntry>,
    /// The columns at which entries, and their keys, begin.
    indents: Option<(usize, usize)>,
    /// The key that was read last.
    open: Option<OpenKey>,
}

/// A key whose value may go on.
struct OpenKey {
    /// The line on which it is.
    number: usize,
    name: String,
    /// Its scalar as it is written; empty: a list may follow.
    raw: String,
}

impl YamlReader {
    fn line(&mut self, line: &str) -> Result<(), YamlFault> {
        let content = line.trim_start_matches(' ');
        let indent = line.len() - content.len();
        let content = content.trim_end();
        if let Some(open) = self.continued(content, indent) {
            open.raw.push(' ');
            open.raw.push_str(content);
            return Ok(());
        }
        if content.is_empty() || content.starts_with('#') || (indent == 0 && content == "---") {
            return Ok(());
        }
        if !self.has_root {
            self.has_root = indent == 0 && content == ROOT;
            return if self.has_root { Ok(()) } else { self.fault(NO_EXPORT) };
        }
        match (content.strip_prefix("- "), self.indents) {
            (Some(value), Some((of_entry, of_key))) if indent > of_entry => {
                if indent < of_key {
                    self.fault(ODD_INDENT)
                } else {
                    self.list_item(value.trim())
                }
            }
            (Some(first), known) => {
                let first_key = first.trim_start();
                let indents = (indent, indent + content.len() - first_key.len());
                if known.is_some_and(|it| it != indents) {
                    return self.fault(ODD_INDENT);
                }
                self.close()?;
                self.indents = Some(indents);
                self.entries.push(YamlEntry { line: self.number, ..YamlEntry::default() });
                self.key(first_key)
            }
            (None, Some((_, of_key))) if indent == of_key => self.key(content),
            (None, _) => self.fault(ODD_INDENT),
        }
    }

    const fn fault<T>(&self, why: &'static str) -> Result<T, YamlFault> {
        Err(YamlFault { number: self.number, why })
    }

    /// The key whose scalar goes on in this line, if it does: it is within quotation marks, or deeper than its key.
    fn continued(&mut self, content: &str, indent: usize) -> Option<&mut OpenKey> {
        let is_deeper = self.indents.is_some_and(|(_, of_key)| indent > of_key);
        let is_text =
            !(content.is_empty() || content.starts_with('#') || content.starts_with("- "));
        let goes_on = |it: &&mut OpenKey| {
            is_unclosed(&it.raw) || (is_deeper && is_text && !it.raw.is_empty())
        };
        self.open.as_mut().filter(goes_on)
    }

    /// Reads `key: value` in the entry that was begun last.
    fn key(&mut self, content: &str) -> Result<(), YamlFault> {
        self.close()?;
        let Some((name, value)) = content.split_once(':') else { return self.fault(NO_KEY) };
        let is_name = name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
        if name.is_empty() || !is_name || !(value.is_empty() || value.starts_with(' ')) {
            return self.fault(NO_KEY);
        }
        let (name, raw) = (name.to_owned(), value.trim().to_owned());
        self.open = Some(OpenKey { number: self.number, name, raw });
        Ok(())
    }

    /// Reads an item of the list of the key that was read last.
    fn list_item(&mut self, value: &str) -> Result<(), YamlFault> {
        let Some(value) = scalar(value) else { return self.fault(NOT_READ) };
        match (&self.open, self.entries.last_mut()) {
            (Some(open), Some(entry)) if open.raw.is_empty() => {
                entry.lists.entry(open.name.clone()).or_default().push(value);
                Ok(())
            }
            _ => self.fault(NO_LIST),
        }
    }

    /// Ends the key that was read last.
    fn close(&mut self) -> Result<(), YamlFault> {
        let (Some(open), Some(entry)) = (self.open.take(), self.entries.last_mut()) else {
            return Ok(());
        };
        let fault = |why| Err(YamlFault { number: open.number, why });
        let value = if open.raw == "[]" { Some(String::new()) } else { scalar(&open.raw) };
        let Some(value) = value else { return fault(NOT_READ) };
        match entry.scalars.insert(open.name, value) {
            None => Ok(()),
            Some(_) => fault(TWICE),
        }
    }

    fn end(mut self) -> Result<Vec<YamlEntry>, YamlFault> {
        self.close()?;
        if self.has_root { Ok(self.entries) } else { self.fault(NO_EXPORT) }
    }
}

/// Whether a scalar in quotation marks ends on another line.
fn is_unclosed(raw: &str) -> bool {
    raw.starts_with(['"', '\'']) && !is_closed(raw)
}

/// Whether the mark that a scalar begins with is there again, and is not a part of it.
fn is_closed(raw: &str) -> bool {
    let mut rest = raw.chars();
    let mark = rest.next();
    if mark == Some('\'') {
        return rest.filter(|it| *it == '\'').count() % 2 == 1;
    }
    let mut is_escaped = false;
    rest.any(|it| {
        let closes = !is_escaped && Some(it) == mark;
        is_escaped = !is_escaped && it == '\\';
        closes
    })
}

/// The text of a scalar in any of three styles: plain, in single and in double quotation marks. `None`: it is in no such
/// style.
fn scalar(raw: &str) -> Option<String> {
    match raw.chars().next() {
        None => Some(String::new()),
        Some('\'') => {
            let inner = raw[1..].strip_suffix('\'')?;
            (!inner.replace("''", "").contains('\'')).then(|| inner.replace("''", "'"))
        }
        Some('"') => unescaped(raw[1..].strip_suffix('"')?),
        Some('|' | '>' | '&' | '*' | '!' | '%' | '@' | '`' | '{' | '[' | '?') => None,
        Some(_) if raw.contains(" #") || raw.contains(": ") => None,
        Some(_) if matches!(raw, "null" | "~") => Some(String::new()),
        Some(_) => Some(raw.to_owned()),
    }
}

/// The text between double quotation marks.
fn unescaped(inner: &str) -> Option<String> {
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(it) = rest.next() {
        match it {
            '"' => return None,
            '\\' => {
                let digits = match rest.next()? {
                    plain @ ('"' | '\\' | '/' | ' ') => {
                        text.push(plain);
                        continue;
                    }
                    'n' | 't' | 'r' | '0' | 'a' | 'b' | 'e' | 'f' | 'v' | 'N' | '_' | 'L' | 'P' => {
                        text.push(' ');
                        continue;
                    }
                    'x' => 2,
                    'u' => 4,
                    'U' => 8,
                    _ => return None,
                };
                let code: String = rest.by_ref().take(digits).collect();
                let code = u32::from_str_radix(&code, 16).ok().filter(|_| code.len() == digits);
                text.push(char::from_u32(code?)?);
            }
            other => text.push(other),
        }
    }
    Some(text)
}
