//! What a command has done: sentences for the operator, or an object for scripts.

use serde_json::{Map, Value};

use super::table::{counted, printable};
use crate::auth::user_status::OpenAccess;
use crate::store::User;

/// What a command has done.
pub struct ChangeReport {
    sentences: Vec<String>,
    data: Map<String, Value>,
}

impl ChangeReport {
    /// A report of something that is about no user.
    pub(super) fn new(sentence: String) -> Self {
        Self { sentences: vec![sentence], data: Map::new() }
    }

    /// A report of what was done with a user.
    pub(super) fn of(user: &User, sentence: String) -> Self {
        let report = Self::new(sentence);
        report.with("user_id", user.id.as_str()).with("username", &*user.username)
    }

    /// The report with one more sentence, on a line of its own.
    pub(super) fn and(mut self, sentence: String) -> Self {
        self.sentences.push(sentence);
        self
    }

    /// The report with more at the end of its last sentence.
    pub(super) fn ending_with(mut self, text: &str) -> Self {
        if let Some(last) = self.sentences.last_mut() {
            last.push_str("; ");
            last.push_str(text);
        }
        self
    }

    /// The report with one more fact for scripts.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.data.insert(name.to_owned(), value.into());
        self
    }

    /// The report with what has ended for scripts.
    pub(super) fn ending(self, ended: OpenAccess) -> Self {
        self.with("sessions_ended", ended.sessions).with("access_tokens_ended", ended.access_tokens)
    }

    /// What to print.
    pub(super) fn text(self, as_json: bool) -> String {
        if as_json {
            format!("{}\n", Value::Object(self.data))
        } else {
            self.sentences.iter().map(|it| printable(it) + "\n").collect()
        }
    }
}

/// What has ended, as in `2 sessions and 1 access token ended`.
pub(super) fn ended(open: OpenAccess) -> String {
    let OpenAccess { sessions, access_tokens } = open;
    let [some_sessions, tokens] =
        [counted(sessions, "session"), counted(access_tokens, "access token")];
    match (sessions, access_tokens) {
        (0, 0) => "no session and no access token was open".to_owned(),
        (_, 0) => format!("{some_sessions} ended"),
        (0, _) => format!("{tokens} ended"),
        (_, _) => format!("{some_sessions} and {tokens} ended"),
    }
}

/// The counts for a record.
pub(super) fn counts(open: OpenAccess) -> [(&'static str, String); 2] {
    [("sessions", open.sessions.to_string()), ("access_tokens", open.access_tokens.to_string())]
}
