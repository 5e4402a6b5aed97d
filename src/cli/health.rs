//! `vestibule health`: whether the server answers. For health checks of containers, which have no other program.
//!
//! It asks `/healthz` over plain http where the server listens, and opens no database.

use std::fmt;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::Args;
use url::Url;

use super::Failure;
use super::change_report::ChangeReport;
use super::serve::parse::{base_url, listen, period, written};
use crate::base::base_url::BaseUrl;
use crate::server::gate::Listen;
use crate::web::HEALTH;

/// Bytes in which the status of an answer is looked for.
const STATUS_BYTES_MAX: u64 = 256;

/// `vestibule health`.
// Angle brackets would be noise in --help.
#[allow(rustdoc::bare_urls)]
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule health\n  \
    vestibule health http://127.0.0.1:8080\n  \
    vestibule health unix:/run/vestibule/http.sock\n\n\
    It asks where the server listens by itself, and not by way of a reverse proxy, so the address begins with http:// or \
    unix:. Without an address it asks the first one of --listen, on this machine where that is 0.0.0.0 or [::].\n\
    Exit codes: 0 the server answers, and its database can be read (200); 1 anything else, with one line that says why; 2 \
    wrong usage.")]
pub struct HealthArgs {
    /// Where to ask: http://ADDRESS:PORT, with the path of --origin if it has one, or unix:/path for a Unix socket.
    #[arg(value_name = "URL", value_parser = address)]
    url: Option<HealthUrl>,

    /// Where the server listens, as for serve.
    #[arg(long, env = "VESTIBULE_LISTEN", value_name = "ADDRESS,...", value_parser = listen)]
    #[arg(default_value = "127.0.0.1:8080", value_delimiter = ',')]
    listen: Vec<Listen>,

    /// URL of the sign-in, as for serve; of it, the path counts.
    #[arg(long, env = "VESTIBULE_ORIGIN", value_name = "URL", value_parser = base_url)]
    origin: Option<BaseUrl>,

    /// How long to wait for an answer.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = period)]
    timeout: Duration,
}

/// An address as it was typed.
#[derive(Clone)]
struct HealthUrl {
    server: ServerPlace,
    /// Empty: that of the site is not given.
    path: String,
}

/// Where a server listens.
#[derive(Clone, PartialEq, Eq, Debug)]
enum ServerPlace {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

/// `vestibule health`: asks, and says that all is well. The error says why it is not.
pub(super) fn run(args: HealthArgs) -> Result<ChangeReport, Failure> {
    let timeout = args.timeout;
    let question = args.question().map_err(Failure::usage)?;
    let shown = question.to_string();
    let status = question.ask_within(timeout)?;
    if status != 200 {
        return Err(format!("{shown} answered {status}{}", advice(status)).into());
    }
    let report = ChangeReport::new(format!("{shown} answered 200"));
    Ok(report.with("url", shown).with("status", status))
}

/// What an answer other than 200 may mean.
const fn advice(status: u16) -> &'static str {
    match status {
        404 => "; the site may be at another path, which --origin says",
        503 => "; the server runs and cannot use its database, or has too much to do: see its log",
        _ => "",
    }
}

impl HealthArgs {
    fn question(self) -> Result<HealthQuestion, String> {
        let prefix = self.origin.map(|it| it.prefix).unwrap_or_default();
        let of_site = prefix.at(HEALTH).to_string();
        if let Some(HealthUrl { server, path }) = self.url {
            let path = match path.trim_end_matches('/') {
                "" => of_site,
                path if path.ends_with(HEALTH) => path.to_owned(),
                path => format!("{path}{HEALTH}"),
            };
            return Ok(HealthQuestion { server, path });
        }
        let server = match self.listen.into_iter().next() {
            Some(Listen::Unix(path)) => ServerPlace::Unix(path),
            Some(Listen::Tcp(address)) if address.port() == 0 => {
                return Err(format!(
                    "with --listen {address} the server takes any port that is free; say which it has, as in vestibule \
                     health http://127.0.0.1:8080"
                ));
            }
            Some(Listen::Tcp(address)) => ServerPlace::of(address),
            None => return Err("--listen names no address".to_owned()),
        };
        Ok(HealthQuestion { server, path: of_site })
    }
}

impl ServerPlace {
    /// The place of a server that listens at this address, as this machine reaches it.
    fn of(address: SocketAddr) -> Self {
        let host = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.to_string(),
            ip => ip.to_string(),
        };
        Self::Tcp { host, port: address.port() }
    }

    /// The value of `Host`.
    fn authority(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".to_owned(),
            Self::Tcp { host, port } => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                if *port == 80 { host } else { format!("{host}:{port}") }
            }
        }
    }
}

/// An address as it is typed: of a server that listens there, or a URL.
fn address(text: &str) -> Result<HealthUrl, String> {
    match listen(text) {
        Ok(Listen::Unix(path)) => {
            return Ok(HealthUrl { server: ServerPlace::Unix(path), path: String::new() });
        }
        Ok(Listen::Tcp(address)) => {
            return Ok(HealthUrl { server: ServerPlace::of(address), path: String::new() });
        }
        Err(_) => {}
    }
    let form =
        || "write it as in http://127.0.0.1:8080 or unix:/run/vestibule/http.sock".to_owned();
    let url = Url::parse(text).map_err(|_| form())?;
    if url.scheme() == "https" {
        return Err(
            "the server itself speaks plain http; write the address where it listens, as in \
                    http://127.0.0.1:8080"
                .to_owned(),
        );
    }
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(form());
    };
    if url.scheme() != "http" || !is_plain {
        return Err(form());
    }
    let host = host.trim_matches(['[', ']']).to_owned();
    Ok(HealthUrl { server: ServerPlace::Tcp { host, port }, path: url.path().to_owned() })
}

/// What is asked, and where.
#[derive(Clone)]
struct HealthQuestion {
    server: ServerPlace,
    path: String,
}

impl fmt::Display for HealthQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            ServerPlace::Tcp { .. } => write!(f, "http://{}{}", self.server.authority(), self.path),
            ServerPlace::Unix(path) => write!(f, "{} at unix:{}", self.path, path.display()),
        }
    }
}

impl HealthQuestion {
    /// The status of the answer. An error is one line.
    fn ask_within(self, timeout: Duration) -> Result<u16, String> {
        let shown = self.to_string();
        let (tell, told) = mpsc::channel();
        // One deadline for all of it: looking up a name has none of its own. The thread ends with the program.
        thread::spawn(move || tell.send(self.ask()));
        let answer = told
            .recv_timeout(timeout)
            .map_err(|_| format!("{shown} has not answered within {}", written(timeout)))?;
        answer.map_err(|err| format!("cannot ask {shown}: {}", cause(&err)))
    }

    fn ask(&self) -> io::Result<u16> {
        match &self.server {
            ServerPlace::Tcp { host, port } => self.exchange(TcpStream::connect((&**host, *port))?),
            ServerPlace::Unix(path) => self.exchange(UnixStream::connect(path)?),
        }
    }

    fn exchange(&self, mut stream: impl Read + Write) -> io::Result<u16> {
        let (path, host) = (&self.path, self.server.authority());
        let version = env!("CARGO_PKG_VERSION");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: vestibule/{version}\r\nAccept: text/plain\r\n\
             Connection: close\r\n\r\n"
        )?;
        status(stream)
    }
}

/// The status in the first line of an answer.
fn status(answer: impl Read) -> io::Result<u16> {
    let mut begin = Vec::new();
    BufReader::new(answer.take(STATUS_BYTES_MAX)).read_until(b'\n', &mut begin)?;
    let line = String::from_utf8_lossy(&begin);
    let mut words = line.split_whitespace();
    let is_http = words.next().is_some_and(|it| it.starts_with("HTTP/1."));
    let status = words.next().filter(|_| is_http).and_then(|it| it.parse().ok());
    status.ok_or_else(|| {
        io::Error::other(match &*begin {
            [] => "it closed the connection without an answer",
            _ => "what answers there does not speak HTTP",
        })
    })
}

/// Why nothing was answered.
fn cause(err: &io::Error) -> String {
    match err.kind() {
        ErrorKind::ConnectionRefused => {
            "nothing listens there; see whether the server runs, and where it listens (--listen)"
                .to_owned()
        }
        ErrorKind::NotFound => "there is no such socket; see whether the server runs".to_owned(),
        ErrorKind::PermissionDenied => {
            "this user may not connect to it; see --socket-mode".to_owned()
        }
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "it closed the connection".to_owned(),
        _ => err.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use super::*;
    use crate::cli::Command;
    use crate::cli::command_line::{CommandLine, Unread};

    /// What is asked with these arguments, and the `Host` of the request.
    fn asked(arguments: &[&str]) -> Result<(String, String), String> {
        let words = ["vestibule", "health"].iter().chain(arguments).map(OsString::from);
        let read = CommandLine::read(words, Path::new("/nowhere")).map_err(Unread::into_text)?;
        let Some(Command::Health(args)) = read.command else { panic!("another command") };
        let question = args.question()?;
        Ok((question.to_string(), question.server.authority()))
    }

    #[test]
    fn asks_where_the_server_listens_or_where_it_is_told() {
        let auth = "--origin=https://example.com/auth";
        for (arguments, url, host) in [
            (&[][..], "http://127.0.0.1:8080/healthz", "127.0.0.1:8080"),
            (&["--listen=0.0.0.0:81"], "http://127.0.0.1:81/healthz", "127.0.0.1:81"),
            (&["--listen=[::]:81"], "http://[::1]:81/healthz", "[::1]:81"),
            (&["--listen=10.0.0.5:80"], "http://10.0.0.5/healthz", "10.0.0.5"),
            (&["--listen=127.0.0.1:1,127.0.0.1:2"], "http://127.0.0.1:1/healthz", "127.0.0.1:1"),
            (&["--listen=unix:/run/x"], "/healthz at unix:/run/x", "localhost"),
            (&[auth], "http://127.0.0.1:8080/auth/healthz", "127.0.0.1:8080"),
            (&["--origin=https://example.com"], "http://127.0.0.1:8080/healthz", "127.0.0.1:8080"),
            (&[auth, "http://web:9"], "http://web:9/auth/healthz", "web:9"),
            (&["http://web"], "http://web/healthz", "web"),
            (&["http://web:9/auth"], "http://web:9/auth/healthz", "web:9"),
            (&["http://web:9/auth/"], "http://web:9/auth/healthz", "web:9"),
            (&[auth, "http://web:9/x/healthz"], "http://web:9/x/healthz", "web:9"),
            (&["http://[fd00::1]:9"], "http://[fd00::1]:9/healthz", "[fd00::1]:9"),
            (&[auth, "unix:/run/x"], "/auth/healthz at unix:/run/x", "localhost"),
            (&["127.0.0.1:9"], "http://127.0.0.1:9/healthz", "127.0.0.1:9"),
            (&["--listen=127.0.0.1:0", "http://web:9"], "http://web:9/healthz", "web:9"),
        ] {
            assert_eq!(asked(arguments), Ok((url.to_owned(), host.to_owned())), "{arguments:?}");
        }
    }

    #[test]
    fn says_of_an_address_that_cannot_be_asked_what_would_do() {
        for (arguments, expected) in [
            (&["https://auth.example.com"][..], "where it listens, as in http://127.0.0.1:8080"),
            (&["ftp://web"], "write it as in http://"),
            (&["web"], "write it as in http://"),
            (&["http://ann@web"], "write it as in http://"),
            (&["http://web/?x=1"], "write it as in http://"),
            (&["--listen=127.0.0.1:0"], "say which it has, as in vestibule health http://"),
            (&["--timeout=0s"], "at least 1s"),
        ] {
            let told = asked(arguments).err().unwrap_or_default();
            assert!(told.contains(expected), "{arguments:?}: {told}");
        }
    }

    #[test]
    fn reads_the_status_of_an_answer_and_nothing_else() {
        for (answer, expected) in [
            (&b"HTTP/1.1 200 OK\r\nDate: x\r\n\r\nok"[..], Ok(200)),
            (b"HTTP/1.0 503\r\n", Ok(503)),
            (b"HTTP/1.1 404 Not", Ok(404)),
            (b"", Err("without an answer")),
            (b"SSH-2.0-OpenSSH\r\n", Err("not speak HTTP")),
            (b"\x15\x03\x01\x00\x02\x02", Err("not speak HTTP")),
            (&[b'x'; 10_000], Err("not speak HTTP")),
        ] {
            match (status(answer), expected) {
                (Ok(status), Ok(expected)) => assert_eq!(status, expected),
                (Err(err), Err(why)) if err.to_string().contains(why) => {}
                (read, _) => panic!("{read:?} of {answer:?}"),
            }
        }
    }
}
