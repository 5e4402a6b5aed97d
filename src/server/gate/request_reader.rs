//! Collecting a request from the bytes of a connection.
//!
//! Decides when it is complete, and refuses it as early as its first bytes allow. Pure: the gate feeds it,
//! and so does the fuzzer.

use std::net::IpAddr;

use super::chunked::{ChunkDecoder, ChunkProgress};
use super::head::{self, FIRST_LINE_BYTES_MAX, Framing, HEAD_BYTES, Head, Scan};
use crate::web::http::{Method, Problem, Request};

/// The fields by which clients say what they can read.
const PREFERENCES: [&str; 2] = ["accept", "accept-language"];

/// The most of these fields that are looked at. Browsers send one of each.
const PREFERENCES_MAX: usize = 8;

/// Bytes from a client that were not used yet.
pub struct RequestReader {
    /// The longest head in bytes.
    head_bytes: usize,
    /// The bytes from the start of a request, or from the start of its body.
    inbox: Vec<u8>,
    /// How many of them were searched for the end of the head.
    seen: usize,
    /// The head, while the body is still arriving.
    head: Option<Head>,
    chunks: ChunkDecoder,
    /// An empty line before the head was skipped.
    has_skipped: bool,
}

/// How far a request has arrived.
pub enum RequestStep {
    /// More bytes are needed.
    Partial,
    /// The client waits for `100 Continue`. Returned once.
    Continue,
    /// It is complete: its head and its body.
    Whole(Head, Vec<u8>),
}

impl RequestReader {
    /// A reader of requests whose heads are no longer than this, in bytes.
    pub fn new(head_bytes: usize) -> Self {
        Self {
            head_bytes,
            inbox: Vec::new(),
            seen: 0,
            head: None,
            chunks: ChunkDecoder::default(),
            has_skipped: false,
        }
    }

    /// Appends bytes from the client.
    pub fn push(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
    }

    /// Whether no request has started.
    pub const fn is_empty(&self) -> bool {
        self.inbox.is_empty() && self.head.is_none()
    }

    /// What is known of a request that is refused: its head, if that was parsed; otherwise its path, and
    /// what the client can read, as far as the lines tell. `None` if not even the path.
    pub fn known(&self, peer: Option<IpAddr>) -> Option<Request> {
        if let Some(head) = &self.head {
            return Some(head.request(&[], peer));
        }
        Some(Request {
            method: Method::Get,
            path: self.path()?.to_owned(),
            query: String::new(),
            headers: self.preferences(),
            body: Vec::new(),
            peer,
        })
    }

    /// Whether the response to a refused request must have no body: its method is HEAD, as far as its first
    /// bytes tell.
    pub fn is_to_head(&self) -> bool {
        if let Some(head) = &self.head {
            return head.method() == Method::Head;
        }
        let rest = self.inbox.strip_prefix(b"HEAD");
        rest.is_some_and(|it| !it.first().is_some_and(u8::is_ascii_alphanumeric))
    }

    /// The path in a first line that may not be of a request at all.
    fn path(&self) -> Option<&str> {
        let end = self.inbox.iter().position(|&it| it == b'\r')?;
        let line = std::str::from_utf8(&self.inbox[..end]).ok()?;
        line.split(' ').nth(1)?.split('?').next()
    }

    /// What the client can read, as far as the lines of a malformed head tell. It decides how a refusal is
    /// shown, and nothing else.
    fn preferences(&self) -> Vec<(String, String)> {
        let head = &self.inbox[..self.inbox.len().min(FIRST_LINE_BYTES_MAX + self.head_bytes)];
        let text = String::from_utf8_lossy(head);
        let lines = text.split("\r\n").skip(1).take_while(|line| !line.is_empty());
        let fields = lines.filter_map(|line| line.split_once(':'));
        let is_said = |name: &str| PREFERENCES.iter().any(|it| name.eq_ignore_ascii_case(it));
        let said = fields.filter(|(name, _)| is_said(name)).take(PREFERENCES_MAX);
        said.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
    }

    /// The memory in use, in bytes.
    pub fn weight(&self) -> usize {
        let head = self.head.as_ref().map_or(0, Head::weight);
        self.inbox.capacity() + self.chunks.weight() + head
    }

    /// Parses as far as the bytes allow. After an error, nothing that follows can be trusted.
    pub fn advance(&mut self) -> Result<RequestStep, Problem> {
        let Some(head) = self.head.take() else { return self.read_head() };
        let body = match head.framing {
            Framing::Empty => Some(Vec::new()),
            Framing::Length(length) if self.inbox.len() < length => None,
            Framing::Length(length) => Some(self.take(length)),
            Framing::Chunked => match self.read_chunks() {
                Ok(body) => body,
                Err(problem) => {
                    self.head = Some(head);
                    return Err(problem);
                }
            },
        };
        let Some(body) = body else {
            self.head = Some(head);
            return Ok(RequestStep::Partial);
        };
        Ok(RequestStep::Whole(head, body))
    }

    fn read_head(&mut self) -> Result<RequestStep, Problem> {
        if !self.has_skipped && self.seen == 0 && self.inbox.starts_with(b"\r\n") {
            // RFC 9112 § 2.2: old clients end a form with an extra empty line. One is skipped, not more: a
            // stream of them would never end.
            self.has_skipped = true;
            self.take(2);
        }
        if matches!(*self.inbox, [] | [b'\r']) {
            return Ok(RequestStep::Partial);
        }
        match head::scan(&self.inbox, self.seen) {
            Scan::Broken => Err(Problem::Malformed),
            Scan::Partial => {
                self.seen = self.inbox.len();
                self.excess(self.seen).map_or(Ok(RequestStep::Partial), Err)
            }
            Scan::Ends(at) => {
                if let Some(problem) = self.excess(at) {
                    return Err(problem);
                }
                let head = Head::parse(&self.inbox[..at])?;
                self.take(at);
                self.seen = 0;
                self.has_skipped = false;
                let waits = head.expects_continue
                    && self.inbox.is_empty()
                    && !matches!(head.framing, Framing::Empty | Framing::Length(0));
                self.head = Some(head);
                if waits { Ok(RequestStep::Continue) } else { self.advance() }
            }
        }
    }

    /// Why the first `length` bytes, which belong to one head, are too many; `None`: they are not.
    fn excess(&self, length: usize) -> Option<Problem> {
        if length <= self.head_bytes.min(FIRST_LINE_BYTES_MAX) {
            return None;
        }
        match self.inbox[..length].iter().position(|&byte| byte == b'\n') {
            Some(end) if length - end - 1 > self.head_bytes => Some(Problem::HeadTooLarge),
            None if length > FIRST_LINE_BYTES_MAX => Some(Problem::TargetTooLong),
            Some(_) | None => None,
        }
    }

    fn read_chunks(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        match self.chunks.feed(&self.inbox)? {
            ChunkProgress::Partial => {
                self.inbox.clear();
                Ok(None)
            }
            ChunkProgress::Whole(length) => {
                self.take(length);
                Ok(Some(std::mem::take(&mut self.chunks).into_body()))
            }
        }
    }

    /// Takes the first `length` bytes. If none are left, the memory is released.
    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.inbox.split_off(length);
        std::mem::replace(&mut self.inbox, rest)
    }
}

/// Checks what must hold for any bytes in pieces of any size: they mean the same however they arrive, and
/// what is forwarded would be parsed in the same way again. Panics otherwise: for the fuzzer
/// (fuzz/fuzz_targets/arrival.rs) and for the tests here.
#[doc(hidden)]
pub fn check(bytes: &[u8], pieces: usize) {
    let (whole, problem) = arrive(bytes, pieces);
    assert_eq!((&whole, problem), (&arrive(bytes, bytes.len()).0, arrive(bytes, 1).1));
    for request in whole {
        let (again, problem) = arrive(&request, request.len());
        assert_eq!((again, problem), (vec![request], None), "it would be read otherwise");
    }
}

/// Feeds the bytes in pieces, and returns what the workers would get for each request, and the error that
/// ended it, if any.
fn arrive(bytes: &[u8], pieces: usize) -> (Vec<Vec<u8>>, Option<Problem>) {
    let mut reader = RequestReader::new(HEAD_BYTES);
    let mut whole = Vec::new();
    for piece in bytes.chunks(pieces.max(1)) {
        reader.push(piece);
        loop {
            match reader.advance() {
                Ok(RequestStep::Whole(head, body)) => whole.push(head.write(&body, None, None)),
                Ok(RequestStep::Continue) => {}
                Ok(RequestStep::Partial) => break,
                Err(problem) => return (whole, Some(problem)),
            }
        }
    }
    (whole, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GET: &str = "GET /login HTTP/1.1\r\nHost: x\r\n\r\n";
    const POST: &str = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na=1";
    const CHUNKED: &str = "POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\n\r\n";

    #[test]
    fn takes_requests_one_after_another_however_they_arrive() {
        let bytes = [GET, POST, "\r\n", CHUNKED, GET].concat();
        for pieces in [1, 2, 3, 7, 50, 10_000] {
            let (whole, problem) = arrive(bytes.as_bytes(), pieces);
            assert_eq!(problem, None);
            let texts: Vec<_> =
                whole.into_iter().map(|it| String::from_utf8(it).unwrap()).collect();
            assert_eq!(texts, [GET, POST, POST, GET], "in pieces of {pieces}");
        }
    }

    #[test]
    fn hands_no_body_on_that_is_cut_short() {
        for cut in 1..POST.len() {
            assert_eq!(arrive(&POST.as_bytes()[..cut], 50), (Vec::new(), None), "{cut}");
        }
    }

    #[test]
    fn takes_nothing_behind_a_refused_request_for_another_one() {
        for (bad, expected) in [
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", Problem::Malformed),
            (
                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1099511627776\r\n\r\n",
                Problem::TooLarge,
            ),
            (
                "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1a;a /x HTTP/1.1\r\nx\r\n",
                Problem::Malformed,
            ),
        ] {
            let bytes = [bad, "0123456789abcdefghijklmnopq", GET].concat();
            assert_eq!(arrive(bytes.as_bytes(), 10_000), (Vec::new(), Some(expected)), "{bad:?}");
        }
    }

    #[test]
    fn says_once_that_a_client_may_go_on() {
        let mut reader = RequestReader::new(HEAD_BYTES);
        let head =
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
        reader.push(head.as_bytes());
        assert!(matches!(reader.advance(), Ok(RequestStep::Continue)));
        assert!(matches!(reader.advance(), Ok(RequestStep::Partial)));
        reader.push(b"a=1");
        assert!(matches!(reader.advance(), Ok(RequestStep::Whole(_, body)) if body == b"a=1"));
        reader.push([head, "a=1"].concat().as_bytes());
        assert!(matches!(reader.advance(), Ok(RequestStep::Whole(..))), "the body is here already");
    }

    #[test]
    fn passes_over_one_empty_line_and_refuses_a_stream_of_them() {
        let once = ["\r\n", GET, "\r\n", GET].concat();
        assert_eq!(arrive(once.as_bytes(), 3).0.len(), 2);
        for pieces in [1, 2, 1_000] {
            let stream = [&*"\r\n".repeat(1_000), GET].concat();
            assert_eq!(arrive(stream.as_bytes(), pieces), (Vec::new(), Some(Problem::Malformed)));
        }
    }

    #[test]
    fn weighs_a_head_whose_body_has_not_come() {
        let mut reader = RequestReader::new(HEAD_BYTES);
        let fields = "a: b\r\n".repeat(90);
        let long = "x".repeat(10_000);
        let head =
            format!("POST / HTTP/1.1\r\nHost: x\r\nX: {long}\r\n{fields}Content-Length: 9\r\n\r\n");
        reader.push(head.as_bytes());
        assert!(matches!(reader.advance(), Ok(RequestStep::Partial)));
        assert!(reader.weight() > head.len(), "{}", reader.weight());
    }

    #[test]
    fn takes_heads_as_long_as_the_operator_allows_and_no_longer() {
        for most in [HEAD_BYTES, 40_000, head::HEAD_BYTES_MAX] {
            let rest = "Host: x\r\nCookie: a=\r\n\r\n".len();
            for (length, is_taken) in [(most, true), (most + 1, false)] {
                let cookie = "x".repeat(length - rest);
                let head = format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: a={cookie}\r\n\r\n");
                let mut reader = RequestReader::new(most);
                for piece in head.as_bytes().chunks(5_000) {
                    reader.push(piece);
                    match reader.advance() {
                        Ok(RequestStep::Whole(..)) => assert!(is_taken, "{length}"),
                        Ok(_) => {}
                        Err(problem) => {
                            assert!(!is_taken && problem == Problem::HeadTooLarge, "{length}");
                        }
                    }
                }
                assert_eq!(reader.is_empty(), is_taken, "{length}");
            }
        }
    }

    #[test]
    fn refuses_a_head_without_end_while_it_comes() {
        let line = [b"GET /".to_vec(), vec![b'a'; 40_000]].concat();
        assert_eq!(arrive(&line, 1_000).1, Some(Problem::TargetTooLong));
        let fields = ["GET / HTTP/1.1\r\n", &"a: b\r\n".repeat(5_000)].concat();
        assert_eq!(arrive(fields.as_bytes(), 1_000).1, Some(Problem::HeadTooLarge));
        assert_eq!(
            arrive(b"\x16\x03\x01", 1).1,
            Some(Problem::Malformed),
            "TLS, at its first byte"
        );
    }

    #[test]
    fn takes_a_long_target_beside_fields_of_their_own_length() {
        let request = |target: usize, field: usize| {
            let (target, field) = ("a".repeat(target - 1), "b".repeat(field));
            format!("GET /{target} HTTP/1.1\r\nHost: x\r\nCookie: {field}\r\n\r\n")
        };
        for (target, field, expected) in [
            (32 * 1_024, 16_000, None),
            (32 * 1_024 + 1, 0, Some(Problem::TargetTooLong)),
            (1, 16_000, None),
            (1, 16_400, Some(Problem::HeadTooLarge)),
            (32 * 1_024, 16_400, Some(Problem::HeadTooLarge)),
        ] {
            for pieces in [1, 1_000, 100_000] {
                let (whole, problem) = arrive(request(target, field).as_bytes(), pieces);
                assert_eq!(problem, expected, "{target} and {field} in pieces of {pieces}");
                assert_eq!(whole.len(), usize::from(expected.is_none()));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn reads_mutated_requests_in_one_way_however_they_arrive(
            order in prop::collection::vec(0_usize..3, 1..4),
            edits in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..4, any::<u8>()), 0..6),
            pieces in 1_usize..200,
        ) {
            let mut bytes: Vec<u8> =
                order.iter().flat_map(|&it| [GET, POST, CHUNKED][it].bytes()).collect();
            for (key, kind, byte) in edits {
                let at = key.index(bytes.len());
                match kind {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    2 => bytes.insert(at, b"\r\n :;0,"[usize::from(byte % 7)]),
                    _ if bytes.len() > 1 => drop(bytes.remove(at)),
                    _ => {}
                }
            }
            check(&bytes, pieces);
        }
    }
}
