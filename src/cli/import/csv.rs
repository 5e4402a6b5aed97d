//! Users from a table in a text file, under a row of headings.
//!
//! Decides which column is what, and how a value is read. Reading the text itself is `table_text.rs`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use csv::StringRecord;
use serde_json::Value;

use super::attributes::{self, is_secret};
use super::candidate::{Candidate, CandidateFactor, CandidateKey, verifiable};
use super::disabled::{self, DisabledColumn, normal};
use super::groups;
use super::moments::{TimeUnit, Timestamp, has_passed, moment};
use super::reasons::{Reason, ReasonKind, SourceRow};
use super::report::{Report, cut};
use super::table_text::TableText;
use super::text_file::TextFile;
use crate::auth::users;
use crate::base::clock::Moment;
use crate::base::totp::TotpSecret;
use crate::store::{Groups, Progress, tell};

/// The operator's options for a table.
#[derive(Clone, Default)]
pub struct CsvOptions {
    /// The separator of values; `None`: it is found in the first line.
    pub delimiter: Option<u8>,
    /// The columns of names, hashes, addresses and groups; `None`: they are found by their headings.
    pub username: Option<String>,
    pub hash: Option<String>,
    pub email: Option<String>,
    pub groups: Option<String>,
    /// The column of the secrets of authenticator apps; `None`: it is found by its heading.
    pub totp: Option<String>,
    /// The file with passkeys that Authelia has exported.
    pub passkeys: Option<PathBuf>,
    /// Columns that are attributes, whatever their headings.
    pub attributes: Vec<String>,
}

/// Headings by which columns are found: letters and digits alone, in lower case.
const USERNAMES: &[&str] = &["username"];
const HASHES: &[&str] = &["hash", "passwordhash", "hashedpassword"];
const IDS: &[&str] = &["id"];
const EMAILS: &[&str] = &["email"];
const GROUPS: &[&str] = &["groups"];
const TOTPS: &[&str] = &["totp"];
const CREATED: &[&str] = &["createdat", "datejoined"];
const DISABLED_REASONS: &[&str] =
    &["disabledreason", "banreason", "bannedreason", "blockedreason", "suspendedreason"];

/// Longer texts are no headings.
const HEADING_CHARACTERS_MAX: usize = 40;

/// What databases write for no value.
const NULLS: [&str; 2] = ["NULL", "\\N"];

/// The users in the table. It is refused unless every row has a value for each heading, and where a column may
/// say who is disabled and is not understood.
pub(super) fn read(
    text: TextFile<'_>,
    options: &CsvOptions,
    report: &mut Report,
    now: Moment,
    progress: Progress<'_>,
) -> Result<Vec<Candidate>, String> {
    let is_known = |heading: &str| {
        let all = [USERNAMES, HASHES, IDS, EMAILS, GROUPS, CREATED, TOTPS];
        all.iter().any(|known| known.contains(&&*normal(heading)))
            || options.named().any(|it| it == heading)
    };
    let mut table = TableText::open(text, options.delimiter, is_known)?;
    let columns = match table.next()? {
        Some((_, headings)) => CsvColumns::of(headings, options),
        None => CsvColumns::of(&StringRecord::new(), options),
    };
    let columns = columns.map_err(|why| table.fault(&why))?;
    let mut all = Vec::new();
    let mut renamed_groups = BTreeSet::new();
    let mut secrets: Vec<_> = columns.secrets.iter().map(|(_, name)| (name.clone(), 0)).collect();
    while let Some((line, row)) = table.next()? {
        for ((at, _), (_, count)) in columns.secrets.iter().zip(&mut secrets) {
            *count += usize::from(!value(row, *at).is_empty());
        }
        let read = columns.candidate(row, &mut renamed_groups, now);
        let candidate = read.map_err(|why| table.fault(&format!("line {line}: {why}")))?;
        all.push(Candidate { row: SourceRow::Line(line), ..candidate });
        tell(progress, "lines read", all.len());
    }
    report.secret_columns = secrets.into_iter().collect();
    for (written, name) in renamed_groups {
        report.remark(format!("the group {} becomes {name}", cut(&written)));
    }
    Ok(all)
}

impl CsvOptions {
    /// Every column that is named.
    fn named(&self) -> impl Iterator<Item = &str> {
        let single = [&self.username, &self.hash, &self.email, &self.groups, &self.totp];
        single.into_iter().flatten().chain(&self.attributes).map(String::as_str)
    }
}

/// Which column is which.
struct CsvColumns {
    username: usize,
    hash: usize,
    id: Option<usize>,
    email: Option<usize>,
    groups: Option<usize>,
    totp: Option<usize>,
    created: Option<usize>,
    disabled: Vec<(usize, String, DisabledColumn)>,
    disabled_reason: Option<usize>,
    others: Vec<(usize, String)>,
    /// Columns that are taken for secrets, and not kept.
    secrets: Vec<(usize, String)>,
}

impl CsvColumns {
    fn of(headings: &StringRecord, options: &CsvOptions) -> Result<Self, String> {
        let headings = Headings::of(headings, options)?;
        let required = |found: Option<usize>, what: &str, flag: &str| {
            found.ok_or_else(|| headings.missing(what, flag))
        };
        let username = headings.find(options.username.as_deref(), "--username", USERNAMES)?;
        let username = required(username, "username", "--username")?;
        let hash = headings.find(options.hash.as_deref(), "--hash", HASHES)?;
        let hash = required(hash, "hash (or password_hash, or hashed_password)", "--hash")?;
        let id = headings.find(None, "", IDS)?;
        let email = headings.find(options.email.as_deref(), "--email", EMAILS)?;
        let groups = headings.find(options.groups.as_deref(), "--groups", GROUPS)?;
        let totp = headings.find(options.totp.as_deref(), "--totp", TOTPS)?;
        let (created, disabled_reason) =
            (headings.first(CREATED), headings.first(DISABLED_REASONS));
        let known = [Some(username), Some(hash), id, email, groups, totp, created, disabled_reason];
        let (mut disabled, mut others, mut secrets) = (Vec::new(), Vec::new(), Vec::new());
        for (at, name) in headings.names.iter().enumerate() {
            let is_kept = options.attributes.contains(name);
            match disabled::of_heading(name).filter(|_| !is_kept) {
                _ if known.contains(&Some(at)) => {}
                Some(column) => disabled.push((at, name.clone(), column)),
                None if is_secret(name) && !is_kept => secrets.push((at, name.clone())),
                None => others.push((at, name.clone())),
            }
        }
        Ok(Self {
            username,
            hash,
            id,
            email,
            groups,
            totp,
            created,
            disabled,
            disabled_reason,
            others,
            secrets,
        })
    }

    /// A user. The error names a value that may mean that they are disabled and is not understood.
    fn candidate(
        &self,
        row: &StringRecord,
        renamed_groups: &mut BTreeSet<(String, String)>,
        now: Moment,
    ) -> Result<Candidate, String> {
        let mut reasons = Vec::new();
        let of = |at: Option<usize>| at.map(|at| value(row, at)).filter(|it| !it.is_empty());
        let others = self.others.iter().map(|(at, name)| (name.clone(), attribute(row, *at)));
        let mut others: Vec<(String, Value)> = others.collect();
        let email = of(self.email).map(|it| users::email(it).ok_or(it));
        let email = email.transpose().unwrap_or_else(|odd| {
            reasons.push(Reason::of(ReasonKind::EmailAsAttribute));
            others.push(("email".to_owned(), odd.into()));
            None
        });
        let created_at = of(self.created).and_then(|it| created_at(it, &mut reasons, now));
        let groups = of(self.groups).unwrap_or_default();
        let groups = fit_groups(groups, renamed_groups, &mut reasons);
        // Systems write an exclamation mark or an asterisk where no password is to match.
        let hash = of(Some(self.hash)).filter(|it| !it.starts_with(['!', '*']));
        let hash = verifiable(hash.map(str::to_owned), &mut reasons);
        let (disabled_at, disabled_reason) = self.disabled(row, now)?.unzip();
        if let Some(why) = &disabled_reason {
            reasons.push(Reason::about(ReasonKind::Disabled, why.clone()));
        }
        let factor = of(self.totp).and_then(|it| second_factor(it, &mut reasons));
        Ok(Candidate {
            second_factor: factor,
            id: of(self.id).map(str::to_owned),
            name: of(Some(self.username)).map(str::to_owned),
            created_at,
            groups,
            email: email.unwrap_or_default(),
            disabled_at,
            disabled_reason: disabled_reason.unwrap_or_default(),
            attributes: attributes::object(others.into_iter()),
            keys: vec![CandidateKey::OfName { hash }],
            reasons,
            ..Candidate::default()
        })
    }

    /// Since when a user is disabled, and why, if any column says so.
    fn disabled(
        &self,
        row: &StringRecord,
        now: Moment,
    ) -> Result<Option<(Moment, String)>, String> {
        let mut first: Option<(Moment, String)> = None;
        for (at, name, column) in &self.disabled {
            let value = value(row, *at);
            let since = disabled::disabled_at(*column, value, now).map_err(|why| {
                format!(
                    "the column {} {}; --attribute {0} keeps the column as an attribute",
                    cut(name),
                    cut(&why)
                )
            })?;
            if let Some(since) = since.filter(|it| first.as_ref().is_none_or(|(best, _)| it < best))
            {
                first = Some((since, format!("{name} is {value}")));
            }
        }
        let given = self.disabled_reason.map(|at| value(row, at)).filter(|it| !it.is_empty());
        Ok(first.map(|(since, why)| (since, given.map_or(why, str::to_owned))))
    }
}

/// The second factor with this secret, in base32 or as an `otpauth:` address; else the reason why not is added.
fn second_factor(text: &str, reasons: &mut Vec<Reason>) -> Option<CandidateFactor> {
    match TotpSecret::read(text) {
        Ok(secret) => Some(CandidateFactor::of(secret)),
        Err(fault) => {
            reasons.push(Reason::about(ReasonKind::SecondFactorLeftOut, fault.to_string()));
            None
        }
    }
}

/// The first line of a table.
struct Headings<'a> {
    names: Vec<String>,
    options: &'a CsvOptions,
}

impl<'a> Headings<'a> {
    fn of(row: &StringRecord, options: &'a CsvOptions) -> Result<Self, String> {
        let names: Vec<_> = row.iter().map(|it| it.trim().to_owned()).collect();
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(format!("two columns are called {}", cut(twice)));
        }
        let headings = Self { names, options };
        match options.attributes.iter().find(|it| !headings.names.contains(it)) {
            Some(name) => Err(headings.missing(name, "--attribute")),
            None => Ok(headings),
        }
    }

    /// The column that is named by a flag, or else the one whose heading is known.
    fn find(
        &self,
        named: Option<&str>,
        flag: &str,
        known: &[&str],
    ) -> Result<Option<usize>, String> {
        if let Some(name) = named {
            let at = self.names.iter().position(|it| it == name);
            return at.map(Some).ok_or_else(|| self.missing(name, flag));
        }
        let found: Vec<_> = (0..self.names.len()).filter(|at| self.is(*at, known)).collect();
        match found[..] {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            [one, other, ..] if flag.is_empty() => {
                let (one, other) = (cut(&self.names[one]), cut(&self.names[other]));
                Err(format!("the columns {one} and {other} may be the same; rename one"))
            }
            [one, other, ..] => {
                let (one, other) = (cut(&self.names[one]), cut(&self.names[other]));
                Err(format!("several columns may be it, as {one} and {other}; {flag} says which"))
            }
        }
    }

    /// The first column whose heading is known.
    fn first(&self, known: &[&str]) -> Option<usize> {
        (0..self.names.len()).find(|at| self.is(*at, known))
    }

    /// Whether a column has a known heading, and is not meant for anything else.
    fn is(&self, at: usize, known: &[&str]) -> bool {
        let name = &self.names[at];
        known.contains(&&*normal(name)) && !self.options.named().any(|it| it == name)
    }

    /// The error for a missing column.
    fn missing(&self, what: &str, flag: &str) -> String {
        let mut why = format!("its first line names no column {}", cut(what));
        if !self.names.iter().all(|it| is_heading(it)) {
            why = format!("{why}, and what it holds are not headings");
        } else if self.names.iter().any(|it| !it.is_empty()) {
            why = format!("{why}, but {}", cut(&self.names.join(", ")));
        }
        if flag == "--attribute" { why } else { format!("{why}; {flag} COLUMN says which it is") }
    }
}

/// Whether a text can be a heading, which may be shown: the first line of a file without headings is a user's,
/// with a password hash.
fn is_heading(text: &str) -> bool {
    let is_usual =
        |it: char| it.is_alphanumeric() || matches!(it, ' ' | '_' | '-' | '.' | '(' | ')');
    text.chars().count() <= HEADING_CHARACTERS_MAX && text.chars().all(is_usual)
}

/// A value; empty where it is what databases write for none.
fn value(row: &StringRecord, at: usize) -> &str {
    let text = row.get(at).unwrap_or_default().trim();
    // Marks that do not stand first are a part of the value for the library.
    let bare = text.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(text).trim();
    if NULLS.contains(&bare) { "" } else { bare }
}

fn attribute(row: &StringRecord, at: usize) -> Value {
    let text = row.get(at).unwrap_or_default().trim();
    if NULLS.contains(&text) { Value::Null } else { text.into() }
}

/// When an account was created. A time that cannot be read, or lies in the future, is reported.
fn created_at(text: &str, reasons: &mut Vec<Reason>, now: Moment) -> Option<Moment> {
    let made = moment(Timestamp::Text(text), TimeUnit::Guessed).filter(|it| has_passed(*it, now));
    if made.is_none() {
        reasons.push(Reason::about(ReasonKind::CreatedNow, text.to_owned()));
    }
    made
}

/// The groups of a user; those that had to be changed are kept for the report.
fn fit_groups(
    text: &str,
    renamed: &mut BTreeSet<(String, String)>,
    reasons: &mut Vec<Reason>,
) -> Groups {
    let fitted = groups::fit(text);
    for it in fitted.renamed {
        if !renamed.contains(&it) {
            renamed.insert(it);
        }
    }
    if !fitted.left_out.is_empty() {
        reasons.push(Reason::about(ReasonKind::GroupLeftOut, fitted.left_out.join(", ")));
    }
    fitted.groups
}
