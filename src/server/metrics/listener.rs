//! The listener of metrics: `GET /metrics`, and nothing else.
//!
//! A few threads accept and answer one connection each, within one deadline: a client that sends slowly occupies one of
//! them for that long, and further connections wait in the kernel. No request to the site waits for any of this.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{self, AssertUnwindSafe};
use std::thread;
use std::time::{Duration, Instant};

use super::exposition::MEDIA_TYPE;
use crate::server::gate::{Listen, SocketFile, bind_unix};

/// How many connections are served at once.
pub(in crate::server) const THREADS: usize = 4;

/// How long a client may take to send its request and to read the response, in all.
const DEADLINE: Duration = Duration::from_secs(2);

/// How long a client may take to close the connection after its response.
const LINGER: Duration = Duration::from_millis(500);

/// The most bytes of a request.
const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// The pause after a connection could not be accepted, as when descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The page that is served: its path after the slash.
const PAGE: &[u8] = b"metrics";

/// The socket on which metrics are served, before any connection is accepted.
pub struct MetricsListener {
    pub(super) socket: MetricsSocket,
    /// Where it listens, with the real port where 0 was asked for.
    pub(super) address: String,
    /// The file of a Unix socket.
    pub(super) file: Option<SocketFile>,
}

pub(super) enum MetricsSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl MetricsListener {
    /// Starts to listen. A Unix socket gets the mode `mode`. The error is one line for the operator.
    pub fn open(listen: &Listen, mode: u32) -> Result<Self, String> {
        let told = |err: io::Error| {
            let advice = listen.advice(&err).replace("--listen", "--metrics");
            format!("cannot listen on {listen} for --metrics: {err}{advice}")
        };
        let (socket, address, file) = match listen {
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address).map_err(told)?;
                let address = listener.local_addr().map_err(told)?.to_string();
                (MetricsSocket::Tcp(listener), address, None)
            }
            Listen::Unix(path) => {
                let (listener, file) = bind_unix(path, mode).map_err(told)?;
                (MetricsSocket::Unix(listener), listen.to_string(), Some(file))
            }
        };
        Ok(Self { socket, address, file })
    }
}

impl MetricsSocket {
    /// Answers one connection after the other with what `report` returns, for ever.
    pub(super) fn serve(&self, report: impl Fn() -> String) {
        loop {
            match self.accept() {
                // A panic is logged where it happens, and costs one scrape; a client that is gone costs nothing.
                Ok(stream) => {
                    let answer = AssertUnwindSafe(|| drop(answer(stream, &report)));
                    drop(panic::catch_unwind(answer));
                }
                Err(_) => thread::sleep(ACCEPT_PAUSE),
            }
        }
    }

    /// The next connection. Reading, writing and time limits are the same system calls for either kind of socket.
    fn accept(&self) -> io::Result<UnixStream> {
        Ok(match self {
            Self::Tcp(listener) => OwnedFd::from(listener.accept()?.0).into(),
            Self::Unix(listener) => listener.accept()?.0,
        })
    }
}

fn answer(mut stream: UnixStream, report: impl Fn() -> String) -> io::Result<()> {
    let deadline = Instant::now() + DEADLINE;
    let head = read_head(&mut stream, deadline)?;
    let response = match ScrapeFault::of(&head) {
        None => response("200 OK", &format!("Content-Type: {MEDIA_TYPE}\r\n"), &report()),
        Some(fault) => fault.response(),
    };
    write_all(&mut stream, response.as_bytes(), deadline)?;
    // Closing it with unread input would reset it, and the client could lose the response.
    stream.shutdown(Shutdown::Write)?;
    let deadline = Instant::now() + LINGER;
    let mut rest = [0; 4_096];
    while read(&mut stream, &mut rest, deadline)? > 0 {}
    Ok(())
}

/// The request up to the empty line after its fields, or as much of it as is read.
fn read_head(stream: &mut UnixStream, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut part = [0; 1_024];
    while !head.windows(4).any(|it| it == b"\r\n\r\n") && head.len() < REQUEST_BYTES_MAX {
        match read(stream, &mut part, deadline)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => head.extend_from_slice(&part[..count]),
        }
    }
    Ok(head)
}

fn read(stream: &mut UnixStream, part: &mut [u8], deadline: Instant) -> io::Result<usize> {
    stream.set_read_timeout(Some(left(deadline)?))?;
    stream.read(part)
}

fn write_all(stream: &mut UnixStream, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(left(deadline)?))?;
        match stream.write(bytes)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => bytes = &bytes[count..],
        }
    }
    Ok(())
}

/// The time until the deadline; an error if it is over.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Why a request gets no metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ScrapeFault {
    /// It is not HTTP/1, or its head is too long.
    Malformed,
    NotFound,
    NotAllowed,
}

impl ScrapeFault {
    /// What is wrong with a request; `None`: it asks for the metrics.
    fn of(head: &[u8]) -> Option<Self> {
        if !head.windows(4).any(|it| it == b"\r\n\r\n") {
            return Some(Self::Malformed);
        }
        let line = head.split(|it| *it == b'\r').next().unwrap_or_default();
        let words: Vec<_> = line.split(|it| *it == b' ').collect();
        let [method, target, version] = words[..] else { return Some(Self::Malformed) };
        if !version.starts_with(b"HTTP/1.") {
            return Some(Self::Malformed);
        }
        let path = target.split(|it| *it == b'?').next().unwrap_or_default();
        match (path.split_first(), method) {
            (Some((b'/', PAGE)), b"GET") => None,
            (Some((b'/', PAGE)), _) => Some(Self::NotAllowed),
            _ => Some(Self::NotFound),
        }
    }

    fn response(self) -> String {
        let text = "Content-Type: text/plain\r\n";
        match self {
            Self::Malformed => response("400 Bad Request", text, "Bad Request\n"),
            Self::NotFound => {
                response("404 Not Found", text, "Not Found: only GET /metrics is answered here\n")
            }
            Self::NotAllowed => {
                response("405 Method Not Allowed", &format!("{text}Allow: GET\r\n"), "GET only\n")
            }
        }
    }
}

/// A response that ends its connection; `fields` are further header lines.
fn response(status: &str, fields: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{fields}X-Content-Type-Options: nosniff\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_one_page_to_one_method() {
        for (line, expected) in [
            ("GET /metrics HTTP/1.1", None),
            ("GET /metrics?name=a HTTP/1.0", None),
            ("HEAD /metrics HTTP/1.1", Some(ScrapeFault::NotAllowed)),
            ("POST /metrics HTTP/1.1", Some(ScrapeFault::NotAllowed)),
            ("GET / HTTP/1.1", Some(ScrapeFault::NotFound)),
            ("GET /metrics/ HTTP/1.1", Some(ScrapeFault::NotFound)),
            ("GET metrics HTTP/1.1", Some(ScrapeFault::NotFound)),
            ("GET http://a/metrics HTTP/1.1", Some(ScrapeFault::NotFound)),
            ("GET /metrics", Some(ScrapeFault::Malformed)),
            ("GET /metrics HTTP/2", Some(ScrapeFault::Malformed)),
            ("GET  /metrics HTTP/1.1", Some(ScrapeFault::Malformed)),
            ("\u{16}\u{3}\u{1}", Some(ScrapeFault::Malformed)),
        ] {
            assert_eq!(ScrapeFault::of(format!("{line}\r\n\r\n").as_bytes()), expected, "{line}");
        }
        assert_eq!(ScrapeFault::of(b"GET /metrics HTTP/1.1\r\n"), Some(ScrapeFault::Malformed));
    }
}
