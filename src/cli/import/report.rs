//! The report of an import: what was imported, what was not and why, and which users need attention.
//!
//! Decides what is counted, what is listed on a terminal and what is left to the file of `--report`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use serde_json::{Map, Value, json};

use super::reasons::{Reason, ReasonKind, SourceRow};
use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::cli::{counted, printable};
use crate::store::{ImportStatus, ImportedUser};

/// Why the keys and sessions of a user in conflict are not imported.
const OF_CONFLICT: &str = "of users who cannot come over";

/// What users do who come over without recovery codes.
const WITHOUT_CODES: &str = "of the second factors came without recovery codes, which users make on the page of their account";

/// What becomes of sessions in which no second factor was given.
const ASKED_AGAIN: &str = "of the sessions came without a second factor: where one is required (--second-factor), their users sign in again";

/// What becomes of passkeys that cannot sign in alone, of users without a second factor.
const NOT_ASKED_FOR: &str = "of the passkeys can be given as a second factor only, and their users have it off: the password alone signs them in";

/// The most characters that are shown of a name or a reason.
const CUT: usize = 200;

/// The most lines about single users or rows in the report as text.
const LISTED_MAX: usize = 40;

/// How many of a kind were imported, and how many were not.
#[derive(Default)]
pub(super) struct ImportTally {
    /// New here. They are imported, or would be if anything were written.
    pub(super) new: usize,
    already_there: usize,
    left_out: Reasons,
}

impl ImportTally {
    pub(super) fn leave_out(&mut self, count: usize, why: &'static str) {
        self.left_out.add(count, why);
    }

    fn is_empty(&self) -> bool {
        self.new + self.already_there == 0 && self.left_out.0.is_empty()
    }

    fn json(&self, is_written: bool) -> Value {
        let (imported, would_import) = if is_written { (self.new, 0) } else { (0, self.new) };
        json!({
            "imported": imported,
            "would_import": would_import,
            "already_there": self.already_there,
            "left_out": self.left_out.0,
        })
    }

    fn line(&self, what: &str, is_written: bool) -> String {
        let verb = if is_written || self.new == 0 { "imported" } else { "would be imported" };
        let mut line =
            format!("{what:<10}{} {verb}, {} already there", self.new, self.already_there);
        for (why, count) in &self.left_out.0 {
            write!(line, ", {count} left out: {why}").expect("a text takes all");
        }
        line + "\n"
    }
}

#[derive(Default)]
pub(super) struct Reasons(BTreeMap<&'static str, usize>);

impl Reasons {
    pub(super) fn add(&mut self, count: usize, what: &'static str) {
        if count > 0 {
            *self.0.entry(what).or_default() += count;
        }
    }
}

/// A user as the operator finds them in the source.
pub(super) struct PersonAtSource {
    /// `None`: the source has no ids.
    pub(super) id: Option<String>,
    /// Empty: there is no name.
    pub(super) name: String,
    pub(super) row: SourceRow,
}

impl PersonAtSource {
    /// The user in the source from whom this one was made.
    pub(super) fn of(it: &ImportedUser, row: SourceRow) -> Self {
        // An id that was made here is not to be found in the source.
        let id = (!it.is_known_by_name).then(|| it.user.id.as_str().to_owned());
        Self { id, name: it.user.username.clone(), row }
    }

    /// For people: the name, and in parentheses the id and the place in the source.
    pub(super) fn shown(&self) -> String {
        let id = self.id.as_deref().unwrap_or_default();
        let shown = if self.name.is_empty() { id } else { &self.name };
        let id = if self.name.is_empty() { "" } else { id };
        let row = self.row.to_string();
        match (id, &*row) {
            ("", "") => cut(shown),
            ("", only) | (only, "") => format!("{} ({})", cut(shown), cut(only)),
            (id, row) => format!("{} ({}, {})", cut(shown), cut(id), cut(row)),
        }
    }

    fn json(&self) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("id".to_owned(), json!(self.id));
        object.insert("username".to_owned(), json!(self.name));
        self.row.describe(&mut object);
        object
    }
}

/// The outcome for a user.
#[derive(PartialEq, Eq)]
enum PersonOutcome {
    New,
    AlreadyThere,
    /// Cannot be imported, for this reason.
    Conflict(String),
}

/// A user, the outcome for them, and what the operator should know.
struct PersonEntry {
    person: PersonAtSource,
    outcome: PersonOutcome,
    reasons: Vec<Reason>,
}

impl PersonEntry {
    /// Whether the operator has something to do.
    fn needs_attention(&self) -> bool {
        self.reasons.iter().any(|it| !it.kind.is_quiet())
    }

    /// The line for people. `None` if nothing is to be said.
    fn line(&self) -> Option<String> {
        let (what, said) = match &self.outcome {
            PersonOutcome::Conflict(why) => ("conflict", why.clone()),
            _ if self.reasons.is_empty() => return None,
            _ => {
                let all: Vec<_> = self.reasons.iter().map(ToString::to_string).collect();
                ("person", all.join("; "))
            }
        };
        Some(format!("{what:<10}{}: {}\n", self.person.shown(), cut(&said)))
    }

    fn json(&self, is_written: bool) -> Value {
        let mut object = self.person.json();
        let outcome = match &self.outcome {
            PersonOutcome::New if is_written => "imported",
            PersonOutcome::New => "would_import",
            PersonOutcome::AlreadyThere => "already_there",
            PersonOutcome::Conflict(_) => "conflict",
        };
        object.insert("outcome".to_owned(), json!(outcome));
        let reasons: Vec<_> = match &self.outcome {
            PersonOutcome::Conflict(why) => vec![json!({ "reason": "conflict", "text": why })],
            _ => self.reasons.iter().map(Reason::json).collect(),
        };
        object.insert("reasons".to_owned(), reasons.into());
        object.into()
    }
}

/// A row that was left out and is not that of a user.
struct LeftRow {
    row: SourceRow,
    why: String,
}

impl LeftRow {
    fn line(&self) -> String {
        format!("{:<10}{}: {}\n", "row", cut(&self.row.to_string()), cut(&self.why))
    }

    fn json(&self) -> Value {
        let mut object = Map::new();
        self.row.describe(&mut object);
        object.insert("outcome".to_owned(), json!("left_out"));
        let reason = json!({ "reason": "row_left_out", "text": self.why });
        object.insert("reasons".to_owned(), vec![reason].into());
        object.into()
    }
}

/// The report.
#[derive(Default)]
pub(super) struct Report {
    /// Whether every user is listed: there is a file for them.
    lists_all_users: bool,
    /// In which table each thing was found, if there are tables.
    pub(super) tables: Vec<(&'static str, Option<String>)>,
    /// Tables of the source that are not read, and how many rows of users they have.
    pub(super) left_behind: Vec<(String, usize)>,
    /// Columns that are taken for secrets and so are not kept, and how many values are in them.
    pub(super) secret_columns: BTreeMap<String, usize>,
    /// Whether anything was written: if not, what is new would be imported.
    pub(super) is_written: bool,
    /// What to try where no user has a password, after a semicolon; empty: nothing.
    pub(super) hash_hint: &'static str,
    /// Whether the import was only tried.
    pub(super) is_dry_run: bool,
    pub(super) users: ImportTally,
    pub(super) keys: ImportTally,
    pub(super) sessions: ImportTally,
    pub(super) second_factors: ImportTally,
    pub(super) passkeys: ImportTally,
    /// The domain for which this site makes passkeys; `None`: that is not known.
    pub(super) passkey_domain: Option<String>,
    /// The domains for which the new passkeys were made, and how many for each.
    domains: BTreeMap<String, usize>,
    /// Sessions that had ended.
    pub(super) dead: usize,
    /// What is to be said of the source rather than of a user.
    pub(super) notes: Reasons,
    /// What was done to the source as a whole, in a sentence each.
    remarks: Vec<String>,
    /// How many new users each kind of reason concerns.
    kinds: BTreeMap<ReasonKind, usize>,
    /// New users whose password was not imported.
    without_password: usize,
    conflicts: Vec<PersonEntry>,
    people: Vec<PersonEntry>,
    rows: Vec<LeftRow>,
}

impl Report {
    /// A report with nothing in it yet.
    pub(super) fn of(lists_all_users: bool) -> Self {
        Self { lists_all_users, ..Self::default() }
    }

    /// How many users cannot be imported as they are.
    pub(super) fn conflicts(&self) -> usize {
        self.conflicts.len()
    }

    /// Notes that a user cannot be imported, with so many keys, sessions and passkeys.
    pub(super) fn refuse(
        &mut self,
        person: PersonAtSource,
        why: String,
        [keys, sessions, passkeys]: [usize; 3],
    ) {
        self.users.leave_out(1, "cannot come over as they are");
        self.keys.leave_out(keys, OF_CONFLICT);
        self.sessions.leave_out(sessions, OF_CONFLICT);
        self.passkeys.leave_out(passkeys, OF_CONFLICT);
        let outcome = PersonOutcome::Conflict(why);
        self.conflicts.push(PersonEntry { person, outcome, reasons: Vec::new() });
    }

    /// Notes that a user who was ready cannot be imported.
    pub(super) fn refuse_arrival(&mut self, it: &ImportedUser, row: SourceRow, why: String) {
        let counts = [it.keys.len(), it.sessions.len(), it.passkeys.len()];
        self.refuse(PersonAtSource::of(it, row), why, counts);
    }

    /// Notes what is done to the source as a whole.
    pub(super) fn remark(&mut self, said: String) {
        self.remarks.push(said);
    }

    /// Notes that a row is left out that is not that of a user; its kind is counted by the caller.
    pub(super) fn leave_row_out(&mut self, row: SourceRow, why: String) {
        self.rows.push(LeftRow { row, why });
    }

    /// Counts a user as what the store found them to be.
    pub(super) fn count(
        &mut self,
        it: &ImportedUser,
        (row, reasons): (SourceRow, Vec<Reason>),
        standing: &ImportStatus,
    ) {
        match standing {
            ImportStatus::New => {
                self.users.new += 1;
                self.keys.new += it.keys.len();
                self.sessions.new += it.sessions.len();
                self.count_second_factor(it);
                self.count_passkeys(it);
                let mut hashes = it.keys.iter().filter_map(|key| key.hashed_password.as_ref());
                self.without_password += usize::from(!hashes.any(PasswordHash::is_readable));
                self.count_reasons(&reasons);
                self.list(PersonAtSource::of(it, row), PersonOutcome::New, reasons);
            }
            ImportStatus::Here { keys, sessions } => {
                self.users.already_there += 1;
                self.keys.already_there += keys;
                self.sessions.already_there += sessions;
                // Keys may have been deleted and sessions ended since.
                let why = "of users who are here already";
                self.keys.leave_out(it.keys.len() - keys, why);
                self.sessions.leave_out(it.sessions.len() - sessions, why);
                self.second_factors.leave_out(usize::from(it.second_factor.is_some()), why);
                self.passkeys.leave_out(it.passkeys.len(), why);
                // They are left as they are, so whatever the source says of them changes nothing.
                self.list(PersonAtSource::of(it, row), PersonOutcome::AlreadyThere, Vec::new());
            }
            conflict => self.refuse_arrival(it, row, why_taken(conflict)),
        }
    }

    fn count_second_factor(&mut self, it: &ImportedUser) {
        if let Some(factor) = &it.second_factor {
            self.second_factors.new += 1;
            let has_none = usize::from(factor.recovery_codes.is_empty());
            self.notes.add(has_none, WITHOUT_CODES);
        }
        let asked = it.sessions.iter().filter(|it| it.second_at == Moment::NEVER);
        self.notes.add(asked.count(), ASKED_AGAIN);
    }

    fn count_passkeys(&mut self, it: &ImportedUser) {
        self.passkeys.new += it.passkeys.len();
        for passkey in &it.passkeys {
            *self.domains.entry(passkey.rp_id.clone()).or_default() += 1;
        }
        if it.second_factor.is_none() {
            let only_second = it.passkeys.iter().filter(|it| !it.verifies_user).count();
            self.notes.add(only_second, NOT_ASKED_FOR);
        }
    }

    /// What the operator has to see to where the domain of this site is not known.
    fn domains_to_keep(&self) -> impl Iterator<Item = String> {
        let unknown = self.domains.iter().filter(|_| self.passkey_domain.is_none());
        unknown.map(|(domain, count)| {
            let what = counted(*count, "passkey");
            format!("{what} made for {domain}: they work where --origin has this host, or with --passkey-domain {domain}")
        })
    }

    fn count_reasons(&mut self, reasons: &[Reason]) {
        let mut kinds: Vec<_> = reasons.iter().map(|it| it.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            *self.kinds.entry(kind).or_default() += 1;
        }
    }

    fn list(&mut self, person: PersonAtSource, outcome: PersonOutcome, reasons: Vec<Reason>) {
        if self.lists_all_users || !reasons.is_empty() {
            self.people.push(PersonEntry { person, outcome, reasons });
        }
    }

    /// What is counted and is no conflict: of people first, then of the source.
    fn counted_notes(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let people = self.kinds.iter().map(|(kind, count)| (kind.counted(), *count));
        people.chain(self.notes.0.iter().map(|(what, count)| (*what, *count)))
    }

    /// The users and rows of which something is said; with a file, every user.
    fn entries(&self) -> impl Iterator<Item = &PersonEntry> {
        self.conflicts.iter().chain(&self.people)
    }

    /// The report as JSON.
    pub(super) fn json(&self) -> String {
        let conflict = |it: &PersonEntry| {
            let mut object = it.person.json();
            if let PersonOutcome::Conflict(why) = &it.outcome {
                object.insert("why".to_owned(), json!(why));
            }
            object
        };
        let tables = self.tables.iter().map(|(what, name)| ((*what).to_owned(), json!(name)));
        let tables: Map<_, _> = tables.collect();
        let left = self.left_behind.iter().map(|(name, count)| (name.clone(), json!(count)));
        let people = self.people.iter().filter(|it| !it.reasons.is_empty());
        let people: Vec<_> = people.map(|it| it.json(self.is_written)).collect();
        let data = json!({
            "left_behind": left.collect::<Map<_, _>>(),
            "secret_columns": self.secret_columns,
            "written": self.is_written,
            "dry_run": self.is_dry_run,
            "tables": tables,
            "users": self.users.json(self.is_written),
            "keys": self.keys.json(self.is_written),
            "sessions": self.sessions.json(self.is_written),
            "second_factors": self.second_factors.json(self.is_written),
            "passkeys": self.passkeys.json(self.is_written),
            "dead_sessions": self.dead,
            "notes": self.counted_notes().collect::<BTreeMap<_, _>>(),
            "remarks": self.remarks.iter().cloned().chain(self.domains_to_keep()).collect::<Vec<_>>(),
            "conflicts": self.conflicts.iter().map(conflict).collect::<Vec<_>>(),
            "people": people,
            "rows": self.rows.iter().map(LeftRow::json).collect::<Vec<_>>(),
            "warning": Some(self.warnings().join("; ")).filter(|it| !it.is_empty()),
        });
        format!("{data}\n")
    }

    /// A line of JSON for every user, and for each row that was left out.
    pub(super) fn write_all_users(&self, out: impl Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        for it in self.entries() {
            writeln!(out, "{}", it.json(self.is_written))?;
        }
        for it in &self.rows {
            writeln!(out, "{}", it.json())?;
        }
        out.flush()
    }

    /// The report as text.
    pub(super) fn text(&self) -> String {
        let mut text = self.listed();
        text += &self.users.line("users", self.is_written);
        text += &self.keys.line("keys", self.is_written);
        text += &self.sessions.line("sessions", self.is_written);
        if !self.second_factors.is_empty() {
            text += &self.second_factors.line("factors", self.is_written);
        }
        if !self.passkeys.is_empty() {
            text += &self.passkeys.line("passkeys", self.is_written);
        }
        let mut line = |what: &str, said: String| {
            writeln!(text, "{what:<10}{said}").expect("a text takes all");
        };
        line("dead", format!("{}, left behind", counted(self.dead, "session")));
        for (name, count) in &self.left_behind {
            let count = counted(*count, "row");
            line("left", format!("{count} of the table {}, which is not read", cut(name)));
        }
        for (name, count) in &self.secret_columns {
            let count = counted(*count, "value");
            line("left", format!("{count} of the column {}, taken for a secret", cut(name)));
        }
        for (kind, count) in &self.kinds {
            line("note", format!("{} {}", counted(*count, "user"), kind.counted()));
        }
        for (what, count) in &self.notes.0 {
            line("note", format!("{count} {what}"));
        }
        for said in self.remarks.iter().take(LISTED_MAX) {
            line("note", cut(said));
        }
        for said in self.domains_to_keep() {
            line("note", said);
        }
        for warning in self.warnings() {
            line("WARNING", warning);
        }
        text + self.why_unwritten()
    }

    /// The lines of single people and rows, the first of them.
    fn listed(&self) -> String {
        let conflicts = self.conflicts.iter().filter_map(PersonEntry::line);
        let with = |is_needy: bool| {
            let people = self.people.iter().filter(move |it| it.needs_attention() == is_needy);
            people.filter_map(PersonEntry::line)
        };
        let rows = self.rows.iter().map(LeftRow::line);
        let mut lines = conflicts.chain(with(true)).chain(rows).chain(with(false));
        let mut text: String = lines.by_ref().take(LISTED_MAX).collect();
        let more = lines.count();
        if more > 0 {
            let where_to = if self.lists_all_users {
                "the file of --report lists them"
            } else {
                "--report FILE lists them"
            };
            writeln!(text, "and {} more: {where_to}", grouped(more)).expect("a text takes all");
        }
        text
    }

    /// Warnings about what is most likely the operator's mistake.
    fn warnings(&self) -> Vec<String> {
        let all = self.users.new;
        let without_password = (all > 0 && self.without_password == all).then(|| {
            let hint = self.hash_hint;
            format!(
                "no password is imported for {}: no one can sign in{hint}",
                counted(all, "new user")
            )
        });
        without_password.into_iter().chain(self.foreign_passkeys()).collect()
    }

    /// The warning about passkeys that were made for another domain than that of this site, where it is known.
    fn foreign_passkeys(&self) -> Option<String> {
        let own = self.passkey_domain.as_deref()?;
        let foreign = || self.domains.iter().filter(|(domain, _)| *domain != own);
        let count: usize = foreign().map(|(_, count)| count).sum();
        let domains: Vec<_> = foreign().map(|(domain, _)| domain.as_str()).collect();
        (count > 0).then(|| {
            format!(
                "{} made for {}: they do not work on this site, whose passkeys are for {own}",
                counted(count, "passkey"),
                domains.join(", ")
            )
        })
    }

    /// The last line, where nothing was written.
    fn why_unwritten(&self) -> &'static str {
        match (self.is_written, self.is_dry_run) {
            (true, _) => "",
            (false, true) => "Nothing was written: this is a dry run.\n",
            (false, false) if self.users.new > 0 => "Nothing was written.\n",
            (false, false) if !self.conflicts.is_empty() && self.users.already_there > 0 => {
                "Nothing was written: everyone who can come over is here already.\n"
            }
            (false, false) if !self.conflicts.is_empty() => "Nothing was written.\n",
            (false, false) if self.users.already_there > 0 => {
                "Nothing was written: everyone is here already.\n"
            }
            (false, false) => "Nothing was written: there is no user to import.\n",
        }
    }
}

/// Why the store does not take a user.
fn why_taken(standing: &ImportStatus) -> String {
    match standing {
        ImportStatus::IdTaken => "has the id of another user here".to_owned(),
        ImportStatus::NameTaken => {
            "has the name of another user here; --rename FILE gives another".to_owned()
        }
        ImportStatus::NameRests => {
            "has a name that is reserved, as a former user had it here; vestibule user free frees it"
                .to_owned()
        }
        ImportStatus::PasskeyTaken => "has a passkey of another user here".to_owned(),
        ImportStatus::SessionTaken => "has a session of another user here".to_owned(),
        ImportStatus::KeyTaken(key) => format!("has a key of another user here: {}", key.as_str()),
        ImportStatus::New | ImportStatus::Here { .. } => {
            unreachable!("a user who is new, or here already, is no conflict")
        }
    }
}

/// A number with a comma between its thousands.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// As much of a text as fits on a line, with nothing in it that moves a cursor.
pub(super) fn cut(text: &str) -> String {
    let mut shown = printable(&text.chars().take(CUT).collect::<String>());
    if text.chars().nth(CUT).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_the_digits_of_large_numbers() {
        let all = [0, 999, 1_000, 4_211, 1_234_567].map(grouped);
        assert_eq!(all, ["0", "999", "1,000", "4,211", "1,234,567"]);
    }
}
