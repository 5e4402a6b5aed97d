//! What the operator is told of an import: what came over, what did not, and why.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::cli::printable;
use crate::server::log;
use crate::store::{ImportStatus, ImportedUser};

/// Why what belongs to somebody stays behind with them.
const OF_CONFLICT: &str = "of users who cannot come over";

/// Characters that are shown of a name or a reason.
const CUT: usize = 200;

/// How many of a kind came over, and how many did not.
#[derive(Default)]
pub(super) struct ImportTally {
    pub(super) imported: usize,
    already_there: usize,
    left_out: Reasons,
}

impl ImportTally {
    pub(super) fn leave_out(&mut self, count: usize, why: &'static str) {
        self.left_out.add(count, why);
    }

    fn json(&self) -> Value {
        json!({
            "imported": self.imported,
            "already_there": self.already_there,
            "left_out": self.left_out.0,
        })
    }

    fn line(&self, what: &str) -> String {
        let mut line =
            format!("{what:<10}{} imported, {} already there", self.imported, self.already_there);
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

/// Somebody who cannot come over as they are.
pub(super) struct Conflict {
    /// `None`: where they come from there are no ids.
    id: Option<String>,
    username: String,
    why: String,
}

/// What the operator is told.
#[derive(Default)]
pub(super) struct Report {
    /// From what, as on the command line.
    from: &'static str,
    /// In which table each thing was found, if there are tables.
    pub(super) tables: Vec<(&'static str, Option<String>)>,
    /// Tables of theirs that are not read, and how many rows of somebody are in them.
    pub(super) left_behind: Vec<(String, usize)>,
    pub(super) is_written: bool,
    pub(super) users: ImportTally,
    pub(super) keys: ImportTally,
    pub(super) sessions: ImportTally,
    /// Sessions that nobody could use any more.
    pub(super) dead: usize,
    pub(super) notes: Reasons,
    pub(super) conflicts: Vec<Conflict>,
}

impl Report {
    /// A report of what comes from there, with nothing in it yet.
    pub(super) fn of(from: &'static str) -> Self {
        Self { from, ..Self::default() }
    }

    /// Notes that somebody cannot come over with so many keys and sessions.
    pub(super) fn refuse(
        &mut self,
        id: Option<&str>,
        username: &str,
        why: String,
        keys: usize,
        sessions: usize,
    ) {
        self.users.leave_out(1, "cannot come over as they are");
        self.keys.leave_out(keys, OF_CONFLICT);
        self.sessions.leave_out(sessions, OF_CONFLICT);
        let (id, username) = (id.map(str::to_owned), username.to_owned());
        self.conflicts.push(Conflict { id, username, why });
    }

    /// The same for somebody who was ready to.
    pub(super) fn refuse_arrival(&mut self, it: &ImportedUser, why: String) {
        // An id that was made here would tell nobody anything.
        let id = (!it.is_known_by_name).then(|| it.user.id.as_str());
        self.refuse(id, &it.user.username, why, it.keys.len(), it.sessions.len());
    }

    /// Reasons somebody as what they were found to be.
    pub(super) fn count(&mut self, it: &ImportedUser, standing: &ImportStatus) {
        match standing {
            ImportStatus::New => {
                self.users.imported += 1;
                self.keys.imported += it.keys.len();
                self.sessions.imported += it.sessions.len();
            }
            ImportStatus::Here { keys, sessions } => {
                self.users.already_there += 1;
                self.keys.already_there += keys;
                self.sessions.already_there += sessions;
                // Keys may have been deleted and sessions ended since.
                let why = "of users who are here already";
                self.keys.leave_out(it.keys.len() - keys, why);
                self.sessions.leave_out(it.sessions.len() - sessions, why);
            }
            ImportStatus::IdTaken => {
                self.refuse_arrival(it, "has the id of somebody else here".to_owned());
            }
            ImportStatus::NameTaken => {
                self.refuse_arrival(it, "has the name of somebody else here".to_owned());
            }
            ImportStatus::NameRests => {
                let why =
                    "has a name that rests, as somebody had it here; vestibule user free frees it";
                self.refuse_arrival(it, why.to_owned());
            }
            ImportStatus::SessionTaken => {
                self.refuse_arrival(it, "has a session of somebody else here".to_owned());
            }
            ImportStatus::KeyTaken(key) => {
                self.refuse_arrival(
                    it,
                    format!("has a key of somebody else here: {}", key.as_str()),
                );
            }
        }
    }

    /// For the audit trail.
    pub(super) fn facts(&self) -> String {
        let count = |it: &ImportTally| it.imported.to_string();
        let counts = [count(&self.users), count(&self.keys), count(&self.sessions)];
        let [users, keys, sessions] = counts.each_ref().map(String::as_str);
        log::fields(&[
            ("from", self.from),
            ("users", users),
            ("keys", keys),
            ("sessions", sessions),
        ])
    }

    /// As data, for scripts.
    pub(super) fn json(&self) -> String {
        let conflict =
            |it: &Conflict| json!({ "id": it.id, "username": it.username, "why": it.why });
        let tables = self.tables.iter().map(|(what, name)| ((*what).to_owned(), json!(name)));
        let tables: Map<_, _> = tables.collect();
        let left = self.left_behind.iter().map(|(name, count)| (name.clone(), json!(count)));
        let data = json!({
            "left_behind": left.collect::<Map<_, _>>(),
            "written": self.is_written,
            "tables": tables,
            "users": self.users.json(),
            "keys": self.keys.json(),
            "sessions": self.sessions.json(),
            "dead_sessions": self.dead,
            "notes": self.notes.0,
            "conflicts": self.conflicts.iter().map(conflict).collect::<Vec<_>>(),
        });
        format!("{data}\n")
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for it in &self.conflicts {
            let id = it.id.as_deref().unwrap_or_default();
            let shown = if it.username.is_empty() { id } else { &it.username };
            let id = if id.is_empty() { String::new() } else { format!(" ({id})") };
            writeln!(text, "user {}{} {}", cut(shown), cut(&id), cut(&it.why))
                .expect("a text takes all");
        }
        text += &self.users.line("users");
        text += &self.keys.line("keys");
        text += &self.sessions.line("sessions");
        writeln!(text, "dead      {}, left behind", many(self.dead, "session"))
            .expect("a text takes all");
        for (name, count) in &self.left_behind {
            let count = many(*count, "row");
            writeln!(text, "left      {count} of the table {}, which is not read", cut(name))
                .expect("a text takes all");
        }
        for (what, count) in &self.notes.0 {
            writeln!(text, "note      {count} {what}").expect("a text takes all");
        }
        if !self.is_written {
            text += "Nothing was written.\n";
        }
        text
    }
}

/// So many of a thing.
pub(super) fn many(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// As much of a text as fits on a line, with nothing in it that moves a cursor.
pub(super) fn cut(text: &str) -> String {
    let mut shown = printable(&text.chars().take(CUT).collect::<String>());
    if text.chars().nth(CUT).is_some() {
        shown.push('…');
    }
    shown
}
