//! Responses, and what the log says about them.

use std::borrow::Cow;
use std::io::Write;
use std::time::SystemTime;

use httpdate::HttpDate;

use crate::auth::events::{Event, LogLevel};
use crate::base::clock::Moment;
use crate::web::RouteRow;

/// A response, before it is framed for a connection.
pub struct Response {
    pub status: u16,
    /// Header names and values, without `Date` and `Content-Length`.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body; for a HEAD request the one that GET would have.
    pub body: Cow<'static, [u8]>,
    /// What the log says about it.
    pub note: Note,
    /// The row of the site's tables that the request met.
    pub row: RouteRow,
}

impl Response {
    /// A response that is a page in HTML.
    pub fn html(status: u16, page: maud::Markup) -> Self {
        Self::new(status, "text/html; charset=utf-8", page.into_string().into_bytes().into())
    }

    /// A response of plain text.
    pub fn text(status: u16, sentence: impl Into<Cow<'static, str>>) -> Self {
        let body = match sentence.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    /// A response of JSON with this status.
    pub fn json(status: u16, data: &serde_json::Value) -> Self {
        Self::new(status, "application/json", data.to_string().into_bytes().into())
    }

    /// A static file, the same for every client.
    pub fn file(kind: &'static str, content: impl Into<Cow<'static, [u8]>>) -> Self {
        Self::new(200, kind, content.into())
    }

    /// A redirect (302) to an address that the browser then gets.
    pub fn redirect(address: impl Into<Cow<'static, str>>) -> Self {
        Self::text(302, "").with("Location", address)
    }

    /// The response after a panic. It is built without any of the code that may have panicked.
    pub fn after_panic() -> Self {
        let answer = Self::text(500, "An unknown error occurred").with("Cache-Control", "no-store");
        answer.noting(Note::of(Event::Panic))
    }

    /// Adds a header to the response.
    ///
    /// Panics if the value holds anything but visible ASCII and spaces: it could end the header
    /// and begin another (response splitting), and a header of ours never needs it.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        let value = value.into();
        assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "a header of ours is ASCII");
        self.headers.push((name, value));
        self
    }

    /// Sets what the log says about the response.
    #[must_use]
    pub fn noting(mut self, note: Note) -> Self {
        self.note = note;
        self
    }

    /// Sets the row of the site's tables that the request met.
    #[must_use]
    pub const fn of(mut self, row: RouteRow) -> Self {
        self.row = row;
        self
    }

    /// Sets what the log says, unless it is set already.
    #[must_use]
    pub fn noting_if_plain(self, note: Note) -> Self {
        if self.note == Note::default() { self.noting(note) } else { self }
    }

    /// The first value of a header, or `None` if the response does not have it.
    pub fn value(&self, name: &str) -> Option<&str> {
        let named = |(given, _): &&(&str, _)| given.eq_ignore_ascii_case(name);
        self.headers.iter().find(named).map(|(_, value)| value.as_ref())
    }

    /// The response as bytes; with `is_to_head` only its head. It has no `Connection` header: that is
    /// up to the owner of the connection.
    pub fn write(&self, is_to_head: bool, now: Moment) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1_024 + self.body.len());
        let (status, date) = (self.status, HttpDate::from(SystemTime::from(now)));
        let length = self.body.len();
        write!(
            bytes,
            "HTTP/1.1 {status} {}\r\nDate: {date}\r\nContent-Length: {length}\r\n",
            reason(status)
        )
        .expect("a list in memory takes all");
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        if !is_to_head {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }

    fn new(status: u16, kind: &'static str, body: Cow<'static, [u8]>) -> Self {
        // Room for the headers that every response has.
        let mut headers = Vec::with_capacity(16);
        headers.push(("Content-Type", kind.into()));
        Self { status, headers, body, note: Note::default(), row: RouteRow::OTHER }
    }
}

/// Every status that responses have, with its reason phrase (RFC 9110 § 15, RFC 6585), which clients ignore; and 0
/// for any other.
const REASONS: [(u16, &str); 22] = [
    (200, "OK"),
    (202, "Accepted"),
    (302, "Found"),
    (307, "Temporary Redirect"),
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (408, "Request Timeout"),
    (409, "Conflict"),
    (413, "Content Too Large"),
    (414, "URI Too Long"),
    (415, "Unsupported Media Type"),
    (417, "Expectation Failed"),
    (422, "Unprocessable Content"),
    (429, "Too Many Requests"),
    (431, "Request Header Fields Too Large"),
    (500, "Internal Server Error"),
    (503, "Service Unavailable"),
    (505, "HTTP Version Not Supported"),
    (0, ""),
];

/// Every status that responses have; the last, 0, stands for any other.
pub const STATUSES: [u16; REASONS.len()] = {
    let mut statuses = [0; REASONS.len()];
    let mut at = 0;
    while at < REASONS.len() {
        statuses[at] = REASONS[at].0;
        at += 1;
    }
    statuses
};

/// The number of a status in [`STATUSES`].
pub fn status_number(status: u16) -> usize {
    STATUSES.iter().position(|it| *it == status).unwrap_or(STATUSES.len() - 1)
}

/// The reason phrase of a status code.
fn reason(status: u16) -> &'static str {
    REASONS.iter().find(|(it, _)| *it == status).map_or("", |(_, phrase)| phrase)
}

/// The name of the field with the reason.
const REASON: &str = "reason";

/// What the log says about a response: an event and its fields. Never a password, a token, a cookie, a
/// body, or a username that does not exist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// The event, as in `login_fail`.
    pub event: Event,
    /// The lowest level at which the log has it.
    pub level: LogLevel,
    /// Field names and values. The log escapes them.
    pub fields: Vec<(&'static str, Cow<'static, str>)>,
}

impl Default for Note {
    /// The event of an ordinary request.
    fn default() -> Self {
        Self::of(Event::Request)
    }
}

impl Note {
    /// A note that names the event and has no fields.
    pub const fn of(event: Event) -> Self {
        Self { event, level: event.level(), fields: Vec::new() }
    }

    /// The note of a check that let a request through: there is one for each picture of an app.
    pub fn of_passed_check() -> Self {
        Self { level: LogLevel::Checks, ..Self::of(Event::Request) }
    }

    /// Adds a field to the note.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, Cow::Owned(value.into())));
        self
    }

    /// Adds the field `reason`: one of the program's own words, by which metrics count.
    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.fields.push((REASON, Cow::Borrowed(reason)));
        self
    }

    /// The word that [`Note::because`] has added.
    pub fn reason(&self) -> Option<&'static str> {
        self.fields.iter().find_map(|(name, value)| match value {
            Cow::Borrowed(word) if *name == REASON => Some(*word),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_no_header_be_split() {
        for value in ["/a\r\nSet-Cookie: evil=1", "a\nb", "a\0b", "é"] {
            let split = std::panic::catch_unwind(|| Response::redirect("/").with("X", value));
            assert!(split.is_err(), "{value:?}");
        }
    }

    #[test]
    fn writes_an_answer_as_it_goes_over_the_wire() {
        let answer = Response::text(400, "Invalid username").with("X", "y");
        let head = "HTTP/1.1 400 Bad Request\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
                    Content-Length: 16\r\nContent-Type: text/plain; charset=utf-8\r\nX: y\r\n\r\n";
        let text = |is_to_head| {
            String::from_utf8(answer.write(is_to_head, Moment::from_millis(0))).unwrap()
        };
        assert_eq!(text(true), head);
        assert_eq!(text(false), format!("{head}Invalid username"));
    }
}
