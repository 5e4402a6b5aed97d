//! A stream, to a client or to the workers, and what a non-blocking call on it came to.
//!
//! TCP and Unix are the same from here on.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

use mio::{Interest, Registry, Token};

/// A socket, to a client or to a worker.
pub(super) enum Stream {
    Tcp(mio::net::TcpStream),
    Unix(mio::net::UnixStream),
}

impl Stream {
    /// Says that nothing more will be written.
    pub(super) fn shut(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    /// Asks to be told when it can be read or written again.
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

/// What a non-blocking call came to.
pub(super) enum Moved {
    /// So many bytes; at a read, none means that the other side is done.
    Bytes(usize),
    Later,
    /// The connection is of no use any more.
    Gone,
}

/// Does a non-blocking read or write, and sorts out what it came to.
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
