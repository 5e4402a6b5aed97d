//! The framing of a response: collected completely, checked, and completed with `Connection`.
//!
//! Pure. A worker that dies or fails never causes a partial response.

use super::head::Persistence;

/// The longest response in bytes. Ours are a few kilobytes.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// How far a response has arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gathered {
    Partial,
    /// It is complete with this many bytes.
    Whole(usize),
    /// It is not one of ours: too long, cut short or not framed as ours are.
    Broken,
}

/// How each response of ours begins, and the field with the length of its body.
const STATUS_LINE: &[u8] = b"HTTP/1.1 ";
const LENGTH: &[u8] = b"Content-Length: ";

/// Checks how far the response in `bytes` has arrived. One to a HEAD request has no body.
pub fn gathered(bytes: &[u8], is_to_head: bool) -> Gathered {
    if !bytes.starts_with(&STATUS_LINE[..bytes.len().min(STATUS_LINE.len())]) {
        return Gathered::Broken;
    }
    let mut length: Option<usize> = None;
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        let Some(line) = bytes[start..end].strip_suffix(b"\r") else { return Gathered::Broken };
        start = end + 1;
        if line.is_empty() {
            return match length {
                Some(_) if is_to_head => Gathered::Whole(start),
                Some(length) if bytes.len() >= start + length => Gathered::Whole(start + length),
                Some(_) => Gathered::Partial,
                None => Gathered::Broken,
            };
        }
        if let Some(digits) = line.strip_prefix(LENGTH) {
            let digits = std::str::from_utf8(digits).ok();
            length = digits.and_then(|it| it.parse().ok()).filter(|it| *it <= ANSWER_BYTES_MAX);
        }
    }
    if bytes.len() < ANSWER_BYTES_MAX { Gathered::Partial } else { Gathered::Broken }
}

/// The `Connection` field for the client; empty if its version implies the right behaviour.
const fn connection_line(persistence: Persistence) -> &'static [u8] {
    match persistence {
        Persistence::Kept => b"",
        Persistence::KeptAloud => b"Connection: keep-alive\r\n",
        Persistence::Closed => b"Connection: close\r\n",
    }
}

/// The response with that field behind its status line.
pub fn with_connection(answer: &[u8], persistence: Persistence) -> Vec<u8> {
    let end = answer.iter().position(|&byte| byte == b'\n').map_or(answer.len(), |at| at + 1);
    [&answer[..end], connection_line(persistence), &answer[end..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 3\r\n\r\nabc";

    #[test]
    fn knows_when_an_answer_is_whole() {
        for cut in 0..ANSWER.len() {
            assert_eq!(gathered(&ANSWER[..cut], false), Gathered::Partial, "{cut}");
        }
        let length = ANSWER.len();
        assert_eq!(gathered(ANSWER, false), Gathered::Whole(length));
        assert_eq!(gathered(ANSWER, true), Gathered::Whole(length - 3), "to HEAD there is no body");
        assert_eq!(gathered(&[ANSWER, ANSWER].concat(), false), Gathered::Whole(length));
    }

    #[test]
    fn hands_nothing_on_that_is_no_answer_of_ours() {
        for bad in [
            &b"nonsense\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ] {
            assert_eq!(gathered(bad, false), Gathered::Broken, "{bad:?}");
        }
    }

    #[test]
    fn says_how_the_connection_goes_on() {
        assert_eq!(with_connection(ANSWER, Persistence::Kept), ANSWER);
        let closed = with_connection(ANSWER, Persistence::Closed);
        assert!(closed.starts_with(b"HTTP/1.1 200 OK\r\nConnection: close\r\nX: y\r\n"));
        assert!(closed.ends_with(b"\r\n\r\nabc"));
    }
}
