//! Requests.

use std::net::IpAddr;

use crate::auth::events::Event;

/// The most bytes in a body (the body-parser of Lucia's guide has the same limit).
pub const BODY_BYTES_MAX: usize = 102_400;

/// The method of a request, as far as routes distinguish them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    Get,
    /// HEAD: the response to GET without its body.
    Head,
    /// POST: the only method that changes anything.
    Post,
    /// OPTIONS: which methods the path supports.
    Options,
    /// Any other method. No route supports it.
    Other,
}

impl Method {
    /// Reads a method; names are case-sensitive (RFC 9110 § 9.1).
    pub fn parse(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }

    /// Whether a request with it changes nothing (RFC 9110 § 9.2.1).
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options)
    }
}

/// A request that has arrived completely. Its body may hold a password, so it has no `Debug`.
#[derive(Clone)]
pub struct Request {
    pub method: Method,
    /// The target up to its question mark, as sent. Nothing is decoded or normalised, so that no two
    /// spellings are the same path.
    pub path: String,
    /// The query string, as sent and without its question mark; empty if there is none.
    pub query: String,
    /// Header names and values in the order in which they were sent.
    pub headers: Vec<(String, String)>,
    /// The body, never more than [`BODY_BYTES_MAX`] bytes.
    pub body: Vec<u8>,
    /// The address of the connection, be it a proxy's; `None` on a Unix socket.
    pub peer: Option<IpAddr>,
}

impl Request {
    /// The path and the query, as sent.
    pub fn target(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{}{mark}{}", self.path, self.query)
    }

    /// All values of a header; names are compared without regard to case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(given, _)| is_same_name(given, name))
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a header, or `None` if the request does not have it.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(given, _)| is_same_name(given, name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether the request has the header more than once.
    pub fn repeats(&self, name: &str) -> bool {
        self.values(name).nth(1).is_some()
    }

    /// The representation that the client asks for: a page if `Accept` names `text/html`, else JSON if
    /// it names `application/json`. With `*/*`, or without `Accept`, it gets plain text.
    pub fn wants(&self) -> Wants {
        let mut wanted = Wants::Text;
        for range in self.values("accept").flat_map(|value| value.split(',')) {
            if accepts(range, "text/html") {
                return Wants::Html;
            }
            if accepts(range, "application/json") {
                wanted = Wants::Json;
            }
        }
        wanted
    }

    /// The token of an `Authorization: Bearer` header (RFC 6750 § 2.1). `None` if there is no such
    /// header, or more than one.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.value("authorization")?.split_once(' ')?;
        let is_bearer = scheme.eq_ignore_ascii_case("bearer") && !self.repeats("authorization");
        is_bearer.then(|| token.trim())
    }
}

/// Whether two names differ in case at most (RFC 9110 § 5.1). Most bytes are equal as they are: to compare them first
/// halves the work of `str::eq_ignore_ascii_case`, which every header of every request would cost.
fn is_same_name(given: &str, name: &str) -> bool {
    let is_same = |(one, other): (u8, u8)| one == other || one.eq_ignore_ascii_case(&other);
    given.len() == name.len() && given.bytes().zip(name.bytes()).all(is_same)
}

/// Whether a range of `Accept` names this media type, and does not refuse it by its weight.
fn accepts(range: &str, kind: &str) -> bool {
    let refused = |it: &str| matches!(it, "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
    match range.trim_start().split_at_checked(kind.len()) {
        Some((named, rest)) if is_same_name(named, kind) => match rest.trim() {
            "" => true,
            rest => rest.starts_with(';') && !rest.split(';').map(str::trim).any(refused),
        },
        _ => false,
    }
}

/// The representation of a response that a client asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wants {
    Html,
    Json,
    /// One sentence of plain text.
    Text,
}

/// Why a request is answered without reaching a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// It is malformed, or could be parsed in more than one way.
    Malformed,
    /// It did not arrive completely in time.
    TooSlow,
    /// Its body has more than [`BODY_BYTES_MAX`] bytes.
    TooLarge,
    /// Its target is too long.
    TargetTooLong,
    /// Its `Expect` header asks for something else than `100-continue`.
    Expectation,
    /// Its head is too long, or has too many fields.
    HeadTooLarge,
    /// Its version of HTTP is not supported.
    Version,
    /// The server is overloaded, or the worker that had the request is gone; it may be sent again.
    Busy,
    /// A bug of ours: the handler panicked.
    Failed,
}

impl Problem {
    /// Every problem.
    pub const ALL: [Self; 9] = [
        Self::Malformed,
        Self::TooSlow,
        Self::TooLarge,
        Self::TargetTooLong,
        Self::Expectation,
        Self::HeadTooLarge,
        Self::Version,
        Self::Busy,
        Self::Failed,
    ];

    /// Its word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooSlow => "too_slow",
            Self::TooLarge => "too_large",
            Self::TargetTooLong => "target_too_long",
            Self::Expectation => "expectation",
            Self::HeadTooLarge => "head_too_large",
            Self::Version => "version",
            Self::Busy => "busy",
            Self::Failed => "failed",
        }
    }

    /// What the log says about a request with this problem.
    pub const fn event(self) -> Event {
        match self {
            Self::Busy => Event::Overload,
            Self::Failed => Event::Panic,
            Self::Malformed
            | Self::TooSlow
            | Self::TooLarge
            | Self::TargetTooLong
            | Self::Expectation
            | Self::HeadTooLarge
            | Self::Version => Event::BadRequest,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::request;
    use super::*;

    #[test]
    fn reads_one_bearer_token() {
        let bearer = |value| request(&[("authorization", value)], b"").bearer().map(str::to_owned);
        assert_eq!(bearer("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(bearer("bearer abc").as_deref(), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer"), None);
        let two = [("Authorization", "Bearer a"), ("Authorization", "Bearer b")];
        assert_eq!(request(&two, b"").bearer(), None);
    }

    #[test]
    fn shows_pages_to_those_who_name_html() {
        let wants = |accept| request(&[("Accept", accept)], b"").wants() == Wants::Html;
        assert!(wants("text/html"));
        assert!(wants("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(wants("application/json, Text/HTML;q=0.5"));
        assert!(!wants("*/*"));
        assert!(!wants("text/*"));
        assert!(!wants("text/html;q=0, */*"));
        assert!(!wants("application/json"));
        assert_eq!(request(&[], b"").wants(), Wants::Text);
        let wants = |accept| request(&[("Accept", accept)], b"").wants();
        assert_eq!(wants("application/json"), Wants::Json);
        assert_eq!(wants("application/json;q=0"), Wants::Text);
        assert_eq!(wants("text/htmlx, text/ht, Application/JSON ;\tq=0.5"), Wants::Json);
        assert_eq!(wants("application/json, text/html;level=1; q=0.00"), Wants::Json);
        assert_eq!(wants("application/json, text/html"), Wants::Html);
    }

    proptest! {
        #[test]
        fn compares_names_without_regard_to_case(one in "[ -~é]{0,20}", other in "[ -~é]{0,20}") {
            for (one, other) in [(&one, &other), (&one, &one.to_uppercase()), (&one, &one)] {
                prop_assert_eq!(is_same_name(one, other), one.eq_ignore_ascii_case(other));
            }
        }
    }
}
