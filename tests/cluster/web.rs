//! A client of the servers: blocking, on connections that are kept or new ones.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How many servers there are.
pub const SERVERS: usize = 3;

/// How long an answer may take. Longer than a cluster needs to leave a node that is away.
const PATIENCE: Duration = Duration::from_secs(40);

/// A kept connection is not used after this: the server closes it when it was idle for 15 s, and who
/// asks at that moment could not know whether they were heard.
const KEPT_FOR: Duration = Duration::from_secs(8);

/// What a server answered.
pub struct Answer {
    pub status: u16,
    /// The session cookie that it set, as a browser sends it.
    pub cookie: Option<String>,
    pub has_retry_after: bool,
    pub body: String,
}

/// Why there is no answer. Only of what was refused it is certain that it was not done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    Refused,
    Reset,
    Timeout,
}

impl Silence {
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
        }
    }
}

/// A client that asks all servers.
pub struct Browser {
    ports: [u16; SERVERS],
    kept: [Option<(BufReader<TcpStream>, Instant)>; SERVERS],
}

impl Browser {
    pub fn new(ports: [u16; SERVERS]) -> Self {
        Self { ports, kept: [const { None }; SERVERS] }
    }

    /// Asks a server, with the session cookie and the form that are not empty. Where `keep` is true, on
    /// the connection of the last time, if it is young.
    pub fn ask(
        &mut self,
        server: usize,
        (method, path): (&str, &str),
        (cookie, form): (&str, &str),
        keep: bool,
    ) -> Result<Answer, Silence> {
        let kept = self.kept[server].take().filter(|(_, used)| keep && used.elapsed() < KEPT_FOR);
        let mut stream = match kept {
            Some((stream, _)) => stream,
            None => connect(self.ports[server])?,
        };
        let cookie =
            if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") };
        let connection = if keep { "" } else { "Connection: close\r\n" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{connection}{cookie}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        stream.get_mut().write_all(request.as_bytes()).map_err(|err| silence(&err))?;
        let answer = read(&mut stream).map_err(|err| silence(&err))?;
        if keep {
            self.kept[server] = Some((stream, Instant::now()));
        }
        Ok(answer)
    }
}

fn connect(port: u16) -> Result<BufReader<TcpStream>, Silence> {
    let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|_| Silence::Refused)?;
    stream.set_read_timeout(Some(PATIENCE)).expect("it is not zero");
    stream.set_nodelay(true).expect("it is a socket");
    Ok(BufReader::new(stream))
}

fn silence(err: &io::Error) -> Silence {
    match err.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Silence::Timeout,
        _ => Silence::Reset,
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Answer> {
    let broken = || io::Error::from(ErrorKind::InvalidData);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.get(9..12).and_then(|it| it.parse().ok()).ok_or_else(broken)?;
    let mut answer = Answer { status, cookie: None, has_retry_after: false, body: String::new() };
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name {
            "Content-Length" => length = value.parse().map_err(|_| broken())?,
            "Retry-After" => answer.has_retry_after = true,
            "Set-Cookie" if value.starts_with("auth_session=") => {
                answer.cookie = value.split(';').next().map(str::to_owned);
            }
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    answer.body = String::from_utf8(body).map_err(|_| broken())?;
    Ok(answer)
}
