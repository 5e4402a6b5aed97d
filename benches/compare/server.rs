//! A system under measurement: started, asked, and looked at from outside.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum System {
    Vestibule,
    /// The guide's app on Node.
    Guide,
    AxumLogin,
    /// A tiny_http server that knows one page.
    Hello,
}

impl System {
    pub fn name(self) -> &'static str {
        match self {
            Self::Vestibule => "vestibule",
            Self::Guide => "the guide's app",
            Self::AxumLogin => "axum-login",
            Self::Hello => "bare hello",
        }
    }

    /// The file that is shipped, if it is one.
    pub fn program(self, folder: &Path, programs: &Path) -> Option<std::path::PathBuf> {
        match self {
            Self::Vestibule => Some(programs.join("vestibule")),
            Self::Guide => None,
            Self::AxumLogin => Some(folder.join("axum-login/release/axum-login-peer")),
            Self::Hello => Some(programs.join("examples/hello")),
        }
    }
}

/// Where things lie.
pub struct Places {
    /// Peers and databases.
    pub folder: std::path::PathBuf,
    /// Release programs.
    pub programs: std::path::PathBuf,
    /// The page that all programs show.
    pub page: std::path::PathBuf,
}

/// A system that runs. It is killed when it goes out of scope.
pub struct Server {
    pub system: System,
    pub port: u16,
    /// From its start to its first answer.
    pub started_in: Duration,
    child: Child,
}

/// An answer: status, cookies as a browser sends them, body.
pub struct Answer {
    pub status: u16,
    pub cookies: Vec<String>,
    pub body: String,
}

impl Server {
    pub fn start(system: System, places: &Places, database: &Path) -> Self {
        Self::start_with(system, places, database, &[])
    }

    /// Starts it with more flags, which only vestibule has.
    pub fn start_with(system: System, places: &Places, database: &Path, flags: &[&str]) -> Self {
        let port = free_port();
        let mut command = Command::new("node");
        command.arg("app.js").current_dir(places.folder.join("guide"));
        if let Some(program) = system.program(&places.folder, &places.programs) {
            command = Command::new(program);
        }
        if system == System::Vestibule {
            command.arg("serve").arg(format!("--listen=127.0.0.1:{port}"));
            command.arg("--database").arg(database).args(flags);
        }
        command.env("PORT", port.to_string()).env("DATABASE", database);
        command.env("PAGE", &places.page).env("NODE_ENV", "production");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let child = command.spawn().expect("the program is built");
        while try_ask(port, "GET", "/", "", "").is_none() {
            assert!(start.elapsed() < Duration::from_secs(30), "{} does not answer", system.name());
            // As exact as the time to the first answer is told.
            thread::sleep(Duration::from_micros(500));
        }
        Self { system, port, started_in: start.elapsed(), child }
    }

    /// Lets it end in good order.
    pub fn stop(mut self) {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").arg(id).status().expect("kill is installed");
        assert!(asked.success(), "it has ended before");
        self.child.wait().expect("it ends");
    }

    pub fn ask(&self, method: &str, path: &str, cookie: &str, form: &str) -> Answer {
        try_ask(self.port, method, path, cookie, form).expect("an answer")
    }

    /// The cookies of a new session of a new user.
    pub fn sign_up(&self, name: &str) -> String {
        let form = format!("username={name}&password=correct+horse");
        let answer = self.ask("POST", "/signup", "", &form);
        assert_eq!(answer.status, 302, "{}: {}", self.system.name(), answer.body);
        answer.cookies.join("; ")
    }

    /// Processor time so far.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("/proc");
        // After the name, which may hold anything, utime and stime are the 12th and 13th field.
        let fields: Vec<_> = stat.rsplit_once(')').expect("a name").1.split(' ').collect();
        let ticks: u64 = fields[12].parse::<u64>().expect("a number")
            + fields[13].parse::<u64>().expect("a number");
        Duration::from_millis(ticks * 10)
    }

    /// Forgets the most memory it had.
    pub fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").expect("/proc");
    }

    /// Resident memory in MB: the most since it was forgotten, or what it is now.
    pub fn memory(&self, is_peak: bool) -> f64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("/proc");
        let name = if is_peak { "VmHWM:" } else { "VmRSS:" };
        let line = status.lines().find(|it| it.starts_with(name)).expect("a line");
        let kb: f64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
        kb / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

fn try_ask(port: u16, method: &str, path: &str, cookie: &str, form: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nCookie: {cookie}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
    .ok()?;
    let answer = read_answer(&mut stream)?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.get(9..12)?.parse().ok()?;
    let cookies = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        .filter_map(|(_, value)| value.split(';').next())
        .map(str::to_owned)
        .collect();
    Some(Answer { status, cookies, body: body.to_owned() })
}

/// Up to the end that the head announces: bare hello leaves the connection open.
fn read_answer(stream: &mut TcpStream) -> Option<String> {
    let (mut answer, mut piece) = (String::new(), [0; 4_096]);
    loop {
        if let Some((head, body)) = answer.split_once("\r\n\r\n") {
            let lower = head.to_ascii_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.is_some_and(|it| it.parse().is_ok_and(|length: usize| body.len() >= length)) {
                return Some(answer);
            }
        }
        match stream.read(&mut piece).ok()? {
            0 => return Some(answer),
            count => answer.push_str(std::str::from_utf8(&piece[..count]).ok()?),
        }
    }
}
