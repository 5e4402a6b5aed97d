//! The head of a request: parsed strictly, and written anew.
//!
//! Decides what is a request at all, where its body ends and which fields are forwarded. Pure: bytes in,
//! values out. What two parsers could understand differently is refused here, so that nothing behind the
//! gate has to.

use std::net::IpAddr;
use std::time::Instant;

use super::deadline;
use crate::web::http::{BODY_BYTES_MAX, Method, Problem, Request};

/// The longest head in bytes, without its first line and with its final empty line, unless the operator says otherwise.
pub const HEAD_BYTES: usize = 16 * 1024;

/// The most that the operator may allow for a head.
pub const HEAD_BYTES_MAX: usize = 256 * 1024;

/// The most fields in a head.
pub const FIELDS_MAX: usize = 100;

/// The longest target in bytes: the address of the sign-in page with the longest way back, every byte of which
/// may be written as three.
pub const TARGET_BYTES_MAX: usize = 32 * 1024;

/// The longest first line in bytes: a target with a method and a version.
pub const FIRST_LINE_BYTES_MAX: usize = TARGET_BYTES_MAX + 64;

/// The field that tells the workers the client's address. Fields whose name starts like this are reserved:
/// those that a client sends are dropped. The names are short, as each byte of a head costs tiny_http time.
pub const PEER_FIELD: &str = "~peer";

/// The field that tells them the deadline of a request: see [`super::deadline`]. It comes after the other
/// one.
pub const DEADLINE_FIELD: &str = "~until";
const OURS: &str = "~";

/// Fields about the connection and not the request (RFC 9110 § 7.6.1), which are not forwarded. `Upgrade`
/// is forwarded, and has no effect without `Connection`: a check for a proxy has to know who asks for a
/// WebSocket.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
];

/// The result of looking for the end of a head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scan {
    /// The final empty line has not arrived.
    Partial,
    /// The head ends before this byte.
    Ends(usize),
    /// It contains an incomplete line break or a NUL, which parsers treat differently.
    Broken,
}

/// Looks for the end of a head in `bytes`, the first `seen` of which were searched before.
pub fn scan(bytes: &[u8], seen: usize) -> Scan {
    if bytes.first().is_some_and(|first| !first.is_ascii_uppercase()) {
        // This cannot start a method; it may be TLS.
        return Scan::Broken;
    }
    let from = seen.saturating_sub(1);
    for at in memchr::memchr3_iter(0, b'\r', b'\n', &bytes[from..]).map(|it| from + it) {
        let next = bytes.get(at + 1);
        match bytes[at] {
            0 => return Scan::Broken,
            b'\r' if next.is_some_and(|&next| next != b'\n') => return Scan::Broken,
            b'\n' if at == 0 || bytes[at - 1] != b'\r' => return Scan::Broken,
            b'\n' if bytes[..at].ends_with(b"\r\n\r") => return Scan::Ends(at + 1),
            _ => {}
        }
    }
    Scan::Partial
}

/// How the end of a body is determined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    Empty,
    /// By its length: [`BODY_BYTES_MAX`] at most.
    Length(usize),
    Chunked,
}

/// What happens to the connection after the response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Persistence {
    /// It is kept, which is the default of HTTP/1.1.
    Kept,
    /// It is kept, and the response says so, as an HTTP/1.0 client needs.
    KeptAloud,
    Closed,
}

/// A parsed head that may be forwarded.
pub struct Head {
    /// As it was sent.
    method: String,
    /// As it was sent: it starts with a slash and is visible ASCII.
    target: String,
    /// Names and values of the forwarded fields, in their original order. Values are ASCII.
    fields: Vec<(String, String)>,
    pub framing: Framing,
    /// Whether the connection is kept after the response.
    pub persistence: Persistence,
    /// The client waits for `100 Continue` before it sends its body.
    pub expects_continue: bool,
}

impl Head {
    /// Parses a head whose end [`scan`] has found.
    pub fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let mut slots = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut raw = httparse::Request::new(&mut slots);
        match raw.parse(bytes) {
            Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
            Err(httparse::Error::TooManyHeaders) => return Err(Problem::HeadTooLarge),
            Err(httparse::Error::Version) => return Err(Problem::Version),
            Ok(_) | Err(_) => return Err(Problem::Malformed),
        }
        let (Some(method), Some(target), Some(minor)) = (raw.method, raw.path, raw.version) else {
            return Err(Problem::Malformed);
        };
        check_line(method, target)?;
        let fields = raw.headers;
        check_host(fields, minor)?;
        Ok(Self {
            method: method.to_owned(),
            target: target.to_owned(),
            framing: framing(fields, minor)?,
            persistence: persistence(fields, minor),
            expects_continue: expects_continue(fields, minor)?,
            fields: fields.iter().filter(|it| goes_on(it.name)).map(plain).collect(),
        })
    }

    /// The bytes for the workers: this head, written anew, with its body in one piece.
    pub fn write(&self, body: &[u8], peer: Option<&str>, deadline: Option<Instant>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512 + body.len());
        let mut push = |parts: &[&str]| {
            for part in parts {
                bytes.extend_from_slice(part.as_bytes());
            }
        };
        push(&[&self.method, " ", &self.target, " HTTP/1.1\r\n"]);
        for (name, value) in &self.fields {
            push(&[name, ": ", value, "\r\n"]);
        }
        // HTTP/1.0 has no Host; the request is forwarded as HTTP/1.1, which needs one.
        if !self.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            push(&["Host: \r\n"]);
        }
        if self.framing != Framing::Empty {
            push(&["Content-Length: ", &body.len().to_string(), "\r\n"]);
        }
        if let Some(peer) = peer {
            push(&[PEER_FIELD, ": ", peer, "\r\n"]);
        }
        if let Some(deadline) = deadline {
            push(&[DEADLINE_FIELD, ": ", &deadline::write(deadline), "\r\n"]);
        }
        push(&["\r\n"]);
        bytes.extend_from_slice(body);
        bytes
    }

    /// The approximate memory in use, in bytes.
    pub fn weight(&self) -> usize {
        // A name and a value are two strings, each with an overhead in the allocator.
        let field = |(name, value): &(String, String)| 80 + name.len() + value.len();
        self.method.len() + self.target.len() + self.fields.iter().map(field).sum::<usize>()
    }

    /// The request as a plain value, for deciding its lane.
    pub fn request(&self, body: &[u8], peer: Option<IpAddr>) -> Request {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        Request {
            method: self.method(),
            path: self.path().to_owned(),
            query: query.to_owned(),
            headers: self.fields.clone(),
            body: body.to_vec(),
            peer,
        }
    }

    /// Whether it may need more than reading: it may change something, or has an `Authorization` field with
    /// a password.
    pub fn may_cost(&self) -> bool {
        let is_basic = |(name, value): &(String, String)| {
            name.eq_ignore_ascii_case("authorization")
                && value.get(..6).is_some_and(|it| it.eq_ignore_ascii_case("basic "))
        };
        !self.method().is_safe() || self.fields.iter().any(is_basic)
    }

    /// The target without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub fn method(&self) -> Method {
        Method::parse(&self.method)
    }
}

/// Parses what [`Head::write`] wrote for a client with this address. `None` for anything else.
pub fn reread(bytes: &[u8], peer: Option<IpAddr>) -> Option<Request> {
    let Scan::Ends(at) = scan(bytes, 0) else { return None };
    Head::parse(&bytes[..at]).ok().map(|head| head.request(&bytes[at..], peer))
}

/// Checks for a method of capital letters and a target in origin form (RFC 9112 § 3.2.1). The other forms
/// are for proxies, or, as `*`, not supported.
fn check_line(method: &str, target: &str) -> Result<(), Problem> {
    if target.len() > TARGET_BYTES_MAX {
        return Err(Problem::TargetTooLong);
    }
    let is_method = method.len() <= 16 && method.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_path = target.starts_with('/')
        && target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if is_method && is_path { Ok(()) } else { Err(Problem::Malformed) }
}

/// Checks for exactly one valid Host (RFC 9112 § 3.2), which is optional in HTTP/1.0.
fn check_host(fields: &[httparse::Header<'_>], minor: u8) -> Result<(), Problem> {
    let mut hosts = values(fields, "host");
    let is_good = match (hosts.next(), hosts.next()) {
        (None, _) => minor == 0,
        (Some(host), None) => host.len() <= 255 && host.iter().all(|&byte| is_host_byte(byte)),
        (Some(_), Some(_)) => false,
    };
    if is_good { Ok(()) } else { Err(Problem::Malformed) }
}

const fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']' | b'%')
}

/// One Content-Length of digits, or the one transfer coding `chunked`, or neither (RFC 9112 § 6.3).
fn framing(fields: &[httparse::Header<'_>], minor: u8) -> Result<Framing, Problem> {
    let mut lengths = values(fields, "content-length");
    let mut codings = values(fields, "transfer-encoding");
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(Framing::Empty),
        (Some(digits), None) if lengths.next().is_none() => length(digits),
        (None, Some(coding)) if codings.next().is_none() && minor == 1 => {
            let is_chunked = coding.eq_ignore_ascii_case(b"chunked");
            if is_chunked { Ok(Framing::Chunked) } else { Err(Problem::Malformed) }
        }
        _ => Err(Problem::Malformed),
    }
}

fn length(digits: &[u8]) -> Result<Framing, Problem> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Problem::Malformed);
    }
    // A number of any length is valid: one beyond `usize` is too large, not malformed.
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    match number {
        Some(length) if length <= BODY_BYTES_MAX => Ok(Framing::Length(length)),
        _ => Err(Problem::TooLarge),
    }
}

fn persistence(fields: &[httparse::Header<'_>], minor: u8) -> Persistence {
    let says = |word: &str| {
        values(fields, "connection")
            .flat_map(|value| value.split(|&byte| byte == b','))
            .any(|it| it.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    match minor {
        _ if says("close") => Persistence::Closed,
        1 => Persistence::Kept,
        _ if says("keep-alive") => Persistence::KeptAloud,
        _ => Persistence::Closed,
    }
}

/// RFC 9110 § 10.1.1: there is one expectation, and HTTP/1.0 has none.
fn expects_continue(fields: &[httparse::Header<'_>], minor: u8) -> Result<bool, Problem> {
    let mut expectations = values(fields, "expect");
    match (expectations.next(), expectations.next()) {
        (None, _) => Ok(false),
        _ if minor == 0 => Ok(false),
        (Some(it), None) if it.eq_ignore_ascii_case(b"100-continue") => Ok(true),
        _ => Err(Problem::Expectation),
    }
}

fn values<'a>(fields: &'a [httparse::Header<'_>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().filter(move |it| it.name.eq_ignore_ascii_case(name)).map(|it| it.value)
}

fn goes_on(name: &str) -> bool {
    let is_ours = name.starts_with(OURS);
    !is_ours && !HOP_BY_HOP.iter().any(|it| name.eq_ignore_ascii_case(it))
}

/// A name and a value, with `?` for every byte that is not ASCII. Another site's cookie in UTF-8 must not
/// fail the request, and no field that is read here needs such bytes.
fn plain(field: &httparse::Header<'_>) -> (String, String) {
    let ascii = |&byte: &u8| if byte.is_ascii() { char::from(byte) } else { '?' };
    (field.name.to_owned(), field.value.iter().map(ascii).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Head, Problem> {
        match scan(text.as_bytes(), 0) {
            Scan::Ends(at) => Head::parse(&text.as_bytes()[..at]),
            Scan::Partial | Scan::Broken => Err(Problem::Malformed),
        }
    }

    fn flaw(text: &str) -> Option<Problem> {
        parse(text).err()
    }

    #[test]
    fn writes_a_request_anew_with_nothing_that_speaks_of_the_connection() {
        let head = parse(
            "POST /login?x=1 HTTP/1.1\r\nHost: a.test:8080\r\nConnection: keep-alive, Upgrade\r\n\
             Upgrade: h2c\r\nTE: trailers\r\nCookie: a=b\r\nContent-Length: 3\r\nAccept: */*\r\n\r\n",
        );
        let bytes = head.unwrap().write(b"a=1", Some("192.0.2.1"), None);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "POST /login?x=1 HTTP/1.1\r\nHost: a.test:8080\r\nUpgrade: h2c\r\nCookie: a=b\r\nAccept: */*\r\n\
             Content-Length: 3\r\n~peer: 192.0.2.1\r\n\r\na=1"
        );
    }

    #[test]
    fn sees_what_may_cost_more_than_a_page_by_its_method_and_in_a_header() {
        for (line, expected) in [
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: bASIC x\r\n\r\n", true),
            ("POST / HTTP/1.1\r\nHost: x\r\n\r\n", true),
        ] {
            assert_eq!(parse(line).unwrap().may_cost(), expected, "{line}");
        }
    }

    #[test]
    fn writes_an_old_request_without_a_host_so_that_it_can_be_read_again() {
        let head = parse("GET / HTTP/1.0\r\n\r\n").unwrap();
        let again = String::from_utf8(head.write(b"", None, None)).unwrap();
        assert!(parse(&again).is_ok(), "{again}");
    }

    #[test]
    fn believes_no_client_that_writes_the_fields_of_the_gate() {
        let head =
            parse("GET / HTTP/1.1\r\nHost: x\r\n~peer: 10.0.0.1\r\n~PEER: y\r\n~other: y\r\n\r\n");
        let bytes = head.unwrap().write(b"", None, None);
        assert_eq!(String::from_utf8(bytes).unwrap(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    }

    #[test]
    fn reads_back_what_it_wrote_but_for_what_the_gate_alone_says() {
        let head =
            parse("POST /login?a=b HTTP/1.0\r\nAccept: text/html\r\nContent-Length: 3\r\n\r\n");
        let peer = "192.0.2.1".parse().ok();
        let bytes = head.unwrap().write(b"a=1", Some("192.0.2.1"), Some(Instant::now()));
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains("\r\n~peer: 192.0.2.1\r\n~until: "), "{text}");
        let request = reread(&bytes, peer).unwrap();
        assert_eq!(
            (request.method, &*request.path, &*request.query),
            (Method::Post, "/login", "a=b")
        );
        assert_eq!((&*request.body, request.peer), (&b"a=1"[..], peer));
        assert_eq!((request.value("accept"), request.headers.len()), (Some("text/html"), 2));
    }

    #[test]
    fn replaces_bytes_that_are_no_ascii_in_a_value() {
        let bytes = b"GET / HTTP/1.1\r\nHost: x\r\nCookie: a=caf\xc3\xa9; b=\xff\r\n\r\n";
        let head = Head::parse(bytes).ok().unwrap();
        assert_eq!(head.fields[1], ("Cookie".to_owned(), "a=caf??; b=?".to_owned()));
    }

    #[test]
    fn refuses_every_head_that_can_be_read_in_two_ways() {
        for (expected, text) in [
            (Problem::Malformed, "get / HTTP/1.1\r\nHost: x\r\n\r\n"),
            (Problem::Malformed, "G\0T / HTTP/1.1\r\nHost: x\r\n\r\n"),
            (Problem::Malformed, "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"),
            (Problem::Malformed, "GET / HTTP/1.1 more\r\nHost: x\r\n\r\n"),
            (Problem::Malformed, "GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n"),
            (Problem::Malformed, "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n"),
            (Problem::Malformed, "GET login HTTP/1.1\r\nHost: x\r\n\r\n"),
            (Problem::Malformed, "GET * HTTP/1.1\r\nHost: x\r\n\r\n"),
            (Problem::Malformed, "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n"),
            (Problem::Malformed, "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n"),
            (Problem::Malformed, "GET /\u{e9} HTTP/1.1\r\nHost: x\r\n\r\n"),
            (Problem::Malformed, "GET /\r\nHost: x\r\n\r\n"),
            (Problem::Version, "GET / HTTP/0.9\r\nHost: x\r\n\r\n"),
            (Problem::Version, "GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
            (Problem::Version, "GET / HTTP/3.0\r\nHost: x\r\n\r\n"),
            (Problem::Version, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            (Problem::Malformed, "GET / HTTP/1.1\r\n\r\n"),
            (Problem::Malformed, "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
            (Problem::Malformed, "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"),
            (Problem::Malformed, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
            (Problem::Malformed, "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n"),
            (Problem::Malformed, "GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n"),
            (Problem::Malformed, "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n"),
            (Problem::Malformed, "GET / HTTP/1.1\r\nHost: x\r\nA: b\x7f\r\n\r\n"),
            (Problem::Malformed, "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n"),
            (Problem::Malformed, "GET / HTTP/1.1\r\nHost: x\r\nnocolon\r\n\r\n"),
            (Problem::Malformed, "GET / HTTP/1.1\nHost: x\n\n"),
            (Problem::Malformed, "GET / HTTP/1.1\r\nHost: x\n\r\n"),
        ] {
            assert_eq!(flaw(text), Some(expected), "{text:?}");
        }
        assert_eq!(flaw("GET / HTTP/1.0\r\n\r\n"), None, "HTTP/1.0 knew no Host");
    }

    #[test]
    fn takes_one_length_or_chunks_and_never_both() {
        let framing = |fields: &str| {
            parse(&format!("POST / HTTP/1.1\r\nHost: x\r\n{fields}\r\n")).map(|it| it.framing)
        };
        assert_eq!(framing(""), Ok(Framing::Empty));
        assert_eq!(framing("Content-Length: 0\r\n"), Ok(Framing::Length(0)));
        assert_eq!(framing("content-length: 007\r\n"), Ok(Framing::Length(7)));
        assert_eq!(framing("Content-Length: 102400\r\n"), Ok(Framing::Length(102_400)));
        assert_eq!(framing("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
        for length in ["102401", "1099511627776", "9223372036854775807", "18446744073709551616"] {
            let fields = format!("Content-Length: {length}\r\n");
            assert_eq!(framing(&fields), Err(Problem::TooLarge), "{length}");
        }
        for bad in [
            "Content-Length: -1\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: 5 5\r\n",
            "Content-Length:\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding: chunked, gzip\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding:\r\n",
        ] {
            assert_eq!(framing(bad), Err(Problem::Malformed), "{bad:?}");
        }
        assert_eq!(
            flaw("POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Some(Problem::Malformed)
        );
    }

    #[test]
    fn has_a_limit_for_everything() {
        let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(TARGET_BYTES_MAX));
        assert_eq!(flaw(&long), Some(Problem::TargetTooLong));
        let fields =
            |n: usize| format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "a: b\r\n".repeat(n));
        assert_eq!(flaw(&fields(FIELDS_MAX - 1)), None);
        assert_eq!(flaw(&fields(FIELDS_MAX)), Some(Problem::HeadTooLarge));
    }

    #[test]
    fn keeps_connections_as_the_version_says() {
        let persistence = |version: &str, fields: &str| {
            parse(&format!("GET / HTTP/{version}\r\nHost: x\r\n{fields}\r\n"))
                .map(|it| it.persistence)
                .unwrap()
        };
        assert_eq!(persistence("1.1", ""), Persistence::Kept);
        assert_eq!(persistence("1.1", "Connection: x, Close\r\n"), Persistence::Closed);
        assert_eq!(persistence("1.1", "Connection: keep-alive\r\n"), Persistence::Kept);
        assert_eq!(persistence("1.0", ""), Persistence::Closed);
        assert_eq!(persistence("1.0", "Connection: Keep-Alive\r\n"), Persistence::KeptAloud);
    }

    #[test]
    fn knows_one_expectation() {
        let expects = |value: &str| {
            parse(&format!("POST / HTTP/1.1\r\nHost: x\r\nExpect: {value}\r\n\r\n"))
                .map(|it| it.expects_continue)
        };
        assert_eq!(expects("100-Continue"), Ok(true));
        assert_eq!(expects("something"), Err(Problem::Expectation));
        let old = parse("POST / HTTP/1.0\r\nHost: x\r\nExpect: something\r\n\r\n");
        assert!(!old.unwrap().expects_continue);
    }

    proptest! {
        #[test]
        fn finds_the_end_of_a_head_however_it_arrives(
            text in "(GET|[A-Z]{0,3})[ -~]{0,20}(\r\n[ -~]{0,9}){0,4}(\r\n\r\n|\r|\n|\r\n)?[a-z]{0,4}",
            cut in 0_usize..60,
        ) {
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            let whole = scan(bytes, 0);
            let first = scan(&bytes[..cut], 0);
            // A complete or broken head stays so, and a partial one is judged later as if it had come at
            // once.
            match first {
                Scan::Partial => prop_assert_eq!(scan(bytes, cut), whole),
                Scan::Ends(_) | Scan::Broken => prop_assert_eq!(first, whole),
            }
        }

        #[test]
        fn writes_what_it_would_read_again_in_the_same_way(
            method in "GET|POST|PUT",
            path in "/[!-\"$-~]{0,20}",
            fields in prop::collection::vec(("[A-Za-z-]{1,12}", "[ -~]{0,20}"), 0..6),
            body in "[ -~]{0,20}",
        ) {
            let mut text = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n");
            for (name, value) in &fields {
                text += &[name, ": ", value, "\r\n"].concat();
            }
            text += &["Content-Length: ", &body.len().to_string(), "\r\n\r\n"].concat();
            if let Ok(head) = parse(&text) {
                let once = head.write(body.as_bytes(), None, None);
                let Scan::Ends(at) = scan(&once, 0) else { panic!("no head in {once:?}") };
                prop_assert_eq!(&once[at..], body.as_bytes());
                let again = Head::parse(&once[..at]).ok().unwrap();
                prop_assert_eq!(again.framing, Framing::Length(body.len()));
                prop_assert_eq!(again.write(body.as_bytes(), None, None), once);
            }
        }

        #[test]
        fn lets_only_plain_ascii_lines_through(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let mut text = b"GET / HTTP/1.1\r\nHost: x\r\n".to_vec();
            text.extend(bytes);
            text.extend(b"\r\n\r\n");
            if let Scan::Ends(at) = scan(&text, 0)
                && let Ok(head) = Head::parse(&text[..at])
            {
                let written = head.write(b"", None, None);
                let is_plain = |byte: &u8| matches!(byte, b'\t' | b'\r' | b'\n' | b' '..=b'~');
                prop_assert!(written.iter().all(is_plain));
                prop_assert_eq!(scan(&written, 0), Scan::Ends(written.len()));
            }
        }
    }
}
