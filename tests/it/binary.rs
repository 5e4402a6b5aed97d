//! The real program: started, asked over HTTP, stopped and killed.

use std::ffi::OsString;
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything takes, so that a test which hangs fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. It is killed when the test is over.
pub struct Binary {
    child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
    /// Reads the log to its end.
    reader: Option<JoinHandle<()>>,
}

/// The program with these arguments, cut off from the environment in which the tests run.
pub fn vestibule(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("VESTIBULE_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// The user `nobody`, if the tests are run by root.
pub const NOBODY: u32 = 65_534;

/// The program with these arguments, by a user whom modes of files hold back: root may do everything, so there it is
/// another one, with a copy of the program in `folder`, which that user can reach.
pub fn vestibule_of_another(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = vestibule(arguments);
    if rustix::process::geteuid().is_root() {
        let program = folder.join("vestibule");
        std::fs::copy(self::program(), &program).unwrap();
        std::fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
        command = Command::new(program);
        command.env_clear().args(arguments).stdin(Stdio::null()).uid(NOBODY).gid(NOBODY);
    }
    command
}

/// The program, or what is to be tested in its place: benches/bare.rs shows what the gate is for.
pub fn program() -> OsString {
    std::env::var_os("UNDER_TEST").unwrap_or_else(|| env!("CARGO_BIN_EXE_vestibule").into())
}

impl Binary {
    /// A server over `folder/test.db`, on a port of its own.
    pub fn start(folder: &Path, flags: &[&str]) -> Self {
        let database = folder.join("test.db");
        let mut all =
            vec!["serve", "--listen=127.0.0.1:0", "--database", database.to_str().unwrap()];
        all.extend(flags);
        let mut command = vestibule(&all);
        command.stdout(Stdio::null());
        Self::run(command)
    }

    /// The same with no more than `limit` open files.
    pub fn start_with_descriptors(folder: &Path, limit: u32, flags: &[&str]) -> Self {
        let database = folder.join("test.db");
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")]).arg(program());
        command.args(["serve", "--listen=127.0.0.1:0", "--database"]).arg(database).args(flags);
        Self::run(command)
    }

    /// Runs a command that serves, and waits until it listens.
    pub fn run(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let (tell, told) = mpsc::channel();
        let log = Arc::<Mutex<String>>::default();
        let read = Arc::clone(&log);
        let reader = thread::spawn(move || {
            for line in lines {
                let begins = ["ev=listening address=", r#""ev":"listening","address":""#];
                if let Some((_, rest)) = begins.iter().find_map(|it| line.split_once(it)) {
                    // Where it is a Unix socket, the caller knows its path.
                    let address = rest.split([' ', '"']).next().unwrap().parse();
                    let _ = tell.send(address.unwrap_or(([127, 0, 0, 1], 0).into()));
                }
                let mut log = read.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let Ok(address) = told.recv_timeout(PATIENCE) else {
            panic!("it does not say where it listens: {}", log.lock().unwrap());
        };
        Self { child, address, log, reader: Some(reader) }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it writes to standard output, if that is a pipe: once.
    pub fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    pub fn threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap().count()
    }

    /// Bytes of memory that it has in use.
    pub fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1_024
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// A connection on which nothing was sent yet.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Stops it as an operator does, and comes back with everything it logged.
    pub fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        assert!(self.wait().success());
        self.reader.take().unwrap().join().unwrap();
        self.logged()
    }

    /// What it has logged so far.
    pub fn logged(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn get(&self, path: &str, cookie: Option<&str>) -> Answer {
        let cookie = cookie.map_or(String::new(), |pair| format!("Cookie: {pair}\r\n"));
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n{cookie}\r\n"))
    }

    pub fn post(&self, path: &str, body: &str, cookie: Option<&str>) -> Answer {
        let cookie = cookie.map_or(String::new(), |pair| format!("Cookie: {pair}\r\n"));
        self.ask(&format!(
            "POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n{cookie}\r\n{body}",
            body.len()
        ))
    }

    /// Signs up, and comes back with the cookie.
    pub fn sign_up(&self, name: &str) -> String {
        let answer = self.post("/signup", &format!("username={name}&password=correct+horse"), None);
        assert_eq!(answer.status, 302, "{}", answer.body);
        answer.cookie().unwrap()
    }

    pub fn is_signed_in(&self, cookie: &str) -> bool {
        self.get("/", Some(cookie)).status == 200
    }

    /// Sends the bytes and reads the answer.
    pub fn ask(&self, bytes: &str) -> Answer {
        self.try_ask(bytes.as_bytes()).expect("an answer")
    }

    /// The same, where the server may hang up instead.
    pub fn try_ask(&self, bytes: &[u8]) -> Option<Answer> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).ok()?;
        Answer::read(stream, bytes.starts_with(b"HEAD "))
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer as it came over the wire.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// `None` unless the answer comes, whole.
    pub fn read(stream: impl Read, is_to_head: bool) -> Option<Self> {
        Self::read_next(&mut BufReader::new(stream), is_to_head)
    }

    /// The same where others may follow on the connection.
    pub fn read_next(stream: &mut impl BufRead, is_to_head: bool) -> Option<Self> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut answer = Self { status, head, body: String::new() };
        if !is_to_head {
            let length: usize = answer.value("Content-Length")?.parse().ok()?;
            let mut body = vec![0; length];
            stream.read_exact(&mut body).ok()?;
            answer.body = String::from_utf8(body).ok()?;
        }
        Some(answer)
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (given, value) = line.split_once(": ")?;
            given.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// `name=value` of the cookie that is set.
    pub fn cookie(&self) -> Option<String> {
        Some(self.value("Set-Cookie")?.split(';').next()?.to_owned())
    }
}
