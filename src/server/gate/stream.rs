//! A TCP or Unix stream to a client or to the workers, and the result of a non-blocking call.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

use mio::{Interest, Registry, Token};

/// A socket to a client or to a worker.
pub(super) enum Stream {
    Tcp(mio::net::TcpStream),
    Unix(mio::net::UnixStream),
}

impl Stream {
    /// Closes the sending side.
    pub(super) fn shut(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    /// Requests events when the socket can be read or written. A Unix socket can be written each time the other
    /// end has read, so the gate wakes once more for a request that a worker has read. Without that wake, one
    /// client at a time is answered a tenth slower on two processors: the idle one sleeps, and waking it takes
    /// longer.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interests = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Tcp(stream) => registry.register(stream, token, interests),
            Self::Unix(stream) => registry.register(stream, token, interests),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(bytes),
            Self::Unix(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The result of a non-blocking call.
pub(super) enum Moved {
    /// So many bytes; zero from a read means that the other side has closed.
    Bytes(usize),
    Later,
    /// The connection is broken.
    Gone,
}

/// Runs a non-blocking read or write, and maps its result.
pub(super) fn moved(mut call: impl FnMut() -> io::Result<usize>) -> Moved {
    loop {
        match call() {
            Ok(count) => return Moved::Bytes(count),
            Err(err) if err.kind() == ErrorKind::WouldBlock => return Moved::Later,
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Moved::Gone,
        }
    }
}
