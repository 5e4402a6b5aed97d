//! The public sockets.
//!
//! Decides how a listener is opened, protected and removed. TCP sockets, Unix sockets and those that a
//! service manager opened are treated alike by the rest of the gate.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use mio::event::Source;

use super::stream::Stream;

/// An address to listen on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Listen {
    /// An IP address and port of this machine.
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Listen {
    /// What to do where nothing can listen there, as far as the error says.
    pub(in crate::server) fn advice(&self, err: &io::Error) -> &'static str {
        match (err.kind(), self) {
            (ErrorKind::AddrInUse, _) => {
                "; another program listens there already: end it, or name another address with --listen"
            }
            (ErrorKind::AddrNotAvailable, _) => "; this machine does not have that address",
            (ErrorKind::PermissionDenied, Self::Tcp(_)) => {
                "; ports below 1024 take CAP_NET_BIND_SERVICE, or a socket that systemd opens"
            }
            _ => "",
        }
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The public sockets, before any connection is accepted.
pub struct Listeners {
    pub(super) all: Vec<Listener>,
    /// A service manager holds them as well: what waits there when this process ends is left to the next one.
    pub(super) outlive_us: bool,
}

impl Listeners {
    /// Starts to listen. Sockets passed by a service manager replace `listen`. Unix sockets get the mode
    /// `mode`. The error is one line for the operator.
    pub fn open(listen: &[Listen], mode: u32) -> Result<Self, String> {
        let inherited =
            Listener::inherited().map_err(|err| format!("cannot use the sockets passed: {err}"))?;
        if !inherited.is_empty() {
            return Ok(Self { all: inherited, outlive_us: true });
        }
        let open = |it: &Listen| {
            Listener::open(it, mode)
                .map_err(|err| format!("cannot listen on {it}: {err}{}", it.advice(&err)))
        };
        let all = listen.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { all, outlive_us: false })
    }

    /// The addresses as text, with the real port where 0 was asked for.
    pub fn addresses(&self) -> Vec<String> {
        self.all.iter().map(ToString::to_string).collect()
    }
}

/// A public socket.
pub(super) enum Listener {
    Tcp(mio::net::TcpListener),
    /// The file is given if it is ours to remove.
    Unix(
        mio::net::UnixListener,
        #[expect(dead_code, reason = "it removes the file when it is dropped")] Option<SocketFile>,
    ),
}

/// The file of a Unix socket of ours, identified by its inode: another server may have replaced it. It is removed when
/// this is dropped.
pub(in crate::server) struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

impl Listener {
    /// Starts to listen. A Unix socket gets `mode`, and replaces one left by a killed server.
    pub(super) fn open(listen: &Listen, mode: u32) -> io::Result<Self> {
        match listen {
            Listen::Tcp(address) => Ok(Self::Tcp(mio::net::TcpListener::bind(*address)?)),
            Listen::Unix(path) => {
                let (listener, file) = bind_unix(path, mode)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Unix(mio::net::UnixListener::from_std(listener), Some(file)))
            }
        }
    }

    /// The sockets that a service manager opened for us (systemd's `LISTEN_FDS`), if any.
    pub(super) fn inherited() -> io::Result<Vec<Self>> {
        let mut sockets = ListenFd::from_env();
        (0..sockets.len()).map(|at| Self::take(&mut sockets, at)).collect()
    }

    fn take(sockets: &mut ListenFd, at: usize) -> io::Result<Self> {
        if let Ok(Some(listener)) = sockets.take_tcp_listener(at) {
            listener.set_nonblocking(true)?;
            return Ok(Self::Tcp(mio::net::TcpListener::from_std(listener)));
        }
        match sockets.take_unix_listener(at)? {
            Some(listener) => {
                listener.set_nonblocking(true)?;
                Ok(Self::Unix(mio::net::UnixListener::from_std(listener), None))
            }
            None => Err(io::Error::other("a socket was passed twice")),
        }
    }

    /// The next connection, and its peer address.
    pub(super) fn accept(&self) -> io::Result<(Stream, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                // With two writes, the second would wait 40 ms until the client acknowledges the first. If
                // the connection is already gone, reading it finds out.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), Some(peer.ip().to_canonical())))
            }
            Self::Unix(listener, _) => Ok((Stream::Unix(listener.accept()?.0), None)),
        }
    }

    pub(super) fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(listener) => listener,
            Self::Unix(listener, _) => listener,
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = |it: fs::Metadata| (it.dev(), it.ino()) == self.inode;
        if fs::symlink_metadata(&self.path).is_ok_and(is_ours) {
            // One that cannot be removed is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl std::fmt::Display for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => write!(f, "{address}"),
                Err(_) => f.write_str("unknown"),
            },
            Self::Unix(listener, _) => {
                let address = listener.local_addr().ok();
                match address.as_ref().and_then(|it| it.as_pathname()) {
                    Some(path) => write!(f, "unix:{}", path.display()),
                    None => f.write_str("unix:unknown"),
                }
            }
        }
    }
}

/// Starts to listen on a Unix socket with this mode, which replaces one left by a killed server.
pub(in crate::server) fn bind_unix(
    path: &Path,
    mode: u32,
) -> io::Result<(UnixListener, SocketFile)> {
    remove_stale(path)?;
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    let about = fs::symlink_metadata(path)?;
    Ok((listener, SocketFile { path: path.to_owned(), inode: (about.dev(), about.ino()) }))
}

/// Removes a socket file left by a killed process. One that a process listens on, or any other file, is
/// left alone: binding will fail.
pub(super) fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket());
    match UnixStream::connect(path) {
        Err(err) if is_socket && err.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path)
        }
        _ => Ok(()),
    }
}
