//! A TCP or Unix stream to a client or to the workers, and the result of a non-blocking call.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

use mio::event::Source;
use mio::{Interest, Registry, Token};

/// A socket to a client or to a worker.
pub(super) struct Stream {
    socket: Socket,
    token: Token,
    /// Whether the kernel reports when the socket can be written.
    reports_room: bool,
}

enum Socket {
    Tcp(mio::net::TcpStream),
    Unix(mio::net::UnixStream),
}

impl From<mio::net::TcpStream> for Stream {
    fn from(stream: mio::net::TcpStream) -> Self {
        Self::of(Socket::Tcp(stream))
    }
}

impl From<mio::net::UnixStream> for Stream {
    fn from(stream: mio::net::UnixStream) -> Self {
        Self::of(Socket::Unix(stream))
    }
}

impl Stream {
    const fn of(socket: Socket) -> Self {
        Self { socket, token: Token(usize::MAX), reports_room: false }
    }

    /// Closes the sending side.
    pub(super) fn shut(&self) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Socket::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    /// Requests events when there is something to read.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.token = token;
        registry.register(self.source(), token, Interest::READABLE)
    }

    /// Requests events when the socket can be written as well: for after a write that did not fit. Not from
    /// the start, as a Unix socket reports it each time the other end has read.
    pub(super) fn await_room(&mut self, registry: &Registry) -> io::Result<()> {
        if !self.reports_room {
            let token = self.token;
            registry.reregister(self.source(), token, Interest::READABLE | Interest::WRITABLE)?;
            self.reports_room = true;
        }
        Ok(())
    }

    fn source(&mut self) -> &mut dyn Source {
        match &mut self.socket {
            Socket::Tcp(stream) => stream,
            Socket::Unix(stream) => stream,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match &mut self.socket {
            Socket::Tcp(stream) => stream.read(bytes),
            Socket::Unix(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.socket {
            Socket::Tcp(stream) => stream.write(bytes),
            Socket::Unix(stream) => stream.write(bytes),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll};

    use super::*;

    /// Whether an event says that the socket can be written. Waits for one for a moment at most.
    fn is_told_of_room(poll: &mut Poll) -> bool {
        let mut events = Events::with_capacity(8);
        poll.poll(&mut events, Some(Duration::from_millis(1))).unwrap();
        events.iter().any(mio::event::Event::is_writable)
    }

    #[test]
    fn is_told_of_room_after_a_write_that_did_not_fit_and_not_whenever_the_other_end_reads() {
        let (here, mut there) = std::os::unix::net::UnixStream::pair().unwrap();
        here.set_nonblocking(true).unwrap();
        there.set_nonblocking(true).unwrap();
        let mut stream = Stream::from(mio::net::UnixStream::from_std(here));
        let mut poll = Poll::new().unwrap();
        stream.register(poll.registry(), Token(1)).unwrap();
        let mut bytes = vec![0; 1024 * 1024];

        assert!(matches!(moved(|| stream.write(b"a request")), Moved::Bytes(9)));
        assert_eq!(there.read(&mut bytes).unwrap(), 9);
        assert!(!is_told_of_room(&mut poll));

        while let Moved::Bytes(_) = moved(|| stream.write(&bytes)) {}
        stream.await_room(poll.registry()).unwrap();
        assert!(!is_told_of_room(&mut poll), "it is full");
        while there.read(&mut bytes).is_ok() {}
        assert!(is_told_of_room(&mut poll));
    }
}
