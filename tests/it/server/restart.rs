//! Restarts under a service manager that holds the listening socket, as systemd does for vestibule.socket: clients go
//! on asking meanwhile, and every request is answered.
//!
//! `RESTART_REQUESTS` says how many requests are to be answered (a thousand by default), with a restart after each
//! five hundred.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv};
use rustix::process::{Pid, Signal, kill_process};

use crate::binary::{Answer, PATIENCE, program};

const GET: &str = "GET /login HTTP/1.1\r\nHost: test\r\n\r\n";
const FORM: &str = "username=anna&password=correct+horse";

/// Requests between two restarts.
const A_RESTART: usize = 500;

/// Clients of each kind.
const CLIENTS: usize = 3;

/// How long a client rests on its connection: longer than a server that stops leaves it open.
const REST: Duration = Duration::from_millis(800);

/// A server that is passed the socket, as systemd passes one, once it is ready.
fn serve_on(listener: &TcpListener, folder: &Path) -> Child {
    let notify = folder.join("notify");
    let _ = fs::remove_file(&notify);
    let notices = UnixDatagram::bind(&notify).unwrap();
    notices.set_read_timeout(Some(PATIENCE)).unwrap();
    let server = Command::new("sh")
        .args(["-c", "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\""])
        .arg(program())
        .args(["serve", "--log-level=events", "--database"])
        .arg(folder.join("test.db"))
        .env("NOTIFY_SOCKET", notify)
        .stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut notice = [0; 64];
    let length = notices.recv(&mut notice).unwrap();
    assert_eq!(notice[..length].trim_ascii(), b"READY=1");
    server
}

/// What a client does between requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Habit {
    /// It opens a connection for each.
    Anew,
    /// It opens a connection for each, and sends the request in two parts.
    InTwo,
    /// It sends the next one on the same connection.
    Kept,
    /// It sends the next one on the same connection after a while.
    Resting,
    /// It signs in, again and again on the same connection. A form is not to be sent again unasked.
    SigningIn,
}

/// What came of the requests.
struct Tally {
    address: SocketAddr,
    answered: AtomicUsize,
    /// Sent on a kept connection that was closed instead of being answered, and sent again, as RFC 9112 9.3.1 has it.
    repeated: AtomicUsize,
    lost: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

impl Tally {
    /// Asks until it is told to end, or until a request was lost.
    fn ask_on(&self, habit: Habit) {
        let mut kept = None;
        while !self.is_over.load(Ordering::Acquire) {
            match self.ask(habit, &mut kept) {
                Ok(()) => self.answered.fetch_add(1, Ordering::AcqRel),
                Err(cause) => return self.lost.lock().unwrap().push(format!("{habit:?}: {cause}")),
            };
            if habit == Habit::Resting {
                thread::sleep(REST);
            }
        }
    }

    fn ask(&self, habit: Habit, kept: &mut Option<BufReader<TcpStream>>) -> Result<(), String> {
        let said = |what: &str, err: std::io::Error| format!("{what}: {err}");
        loop {
            // As everything does that keeps connections.
            let old = kept.take().filter(|it| !has_ended(it.get_ref()));
            let is_old = old.is_some();
            let mut stream = match old {
                Some(stream) => stream,
                None => self.connect().map_err(|err| said("not connected", err))?,
            };
            send(habit, stream.get_mut()).map_err(|err| said("not sent", err))?;
            if stream.fill_buf().map_err(|err| said("not answered", err))?.is_empty() {
                if is_old && habit != Habit::SigningIn {
                    self.repeated.fetch_add(1, Ordering::AcqRel);
                    continue;
                }
                return Err("closed without an answer".to_owned());
            }
            let answer = Answer::read_next(&mut stream, false).ok_or("half an answer")?;
            let expected = if habit == Habit::SigningIn { 302 } else { 200 };
            if answer.status != expected {
                return Err(format!("{}: {}", answer.status, answer.body));
            }
            let is_kept = !matches!(habit, Habit::Anew | Habit::InTwo);
            *kept = (is_kept && answer.value("Connection") != Some("close")).then_some(stream);
            return Ok(());
        }
    }

    fn connect(&self) -> std::io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(BufReader::new(stream))
    }

    /// Waits until so many more were answered; `false` if one was lost before.
    fn goes_on(&self, more: usize) -> bool {
        let (began, before) = (Instant::now(), self.answered.load(Ordering::Acquire));
        while self.answered.load(Ordering::Acquire) < before + more {
            if !self.lost.lock().unwrap().is_empty() || began.elapsed() > PATIENCE {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
        true
    }
}

fn send(habit: Habit, stream: &mut TcpStream) -> std::io::Result<()> {
    if habit == Habit::InTwo {
        let (first, second) = GET.split_at(GET.len() / 2);
        stream.write_all(first.as_bytes())?;
        thread::sleep(Duration::from_millis(5));
        return stream.write_all(second.as_bytes());
    }
    if habit == Habit::SigningIn {
        let length = FORM.len();
        let head = format!(
            "POST /login HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        );
        return stream.write_all((head + FORM).as_bytes());
    }
    stream.write_all(GET.as_bytes())
}

/// Whether the server has closed a connection on which it owes nothing.
fn has_ended(stream: &TcpStream) -> bool {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    recv(stream.as_fd(), &mut [0; 1][..], flags).is_ok()
}

fn sign_up(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "POST /signup HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{FORM}",
        FORM.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    assert_eq!(Answer::read(stream, false).unwrap().status, 302);
}

fn stop(server: &mut Child) {
    kill_process(Pid::from_child(server), Signal::TERM).unwrap();
    server.wait().unwrap();
}

#[test]
fn answers_every_request_while_it_is_restarted_on_a_socket_that_stays_open() {
    let wanted = std::env::var("RESTART_REQUESTS").map_or(1_000, |it| it.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = serve_on(&listener, folder.path());
    sign_up(address);
    let tally = Tally {
        address,
        answered: AtomicUsize::new(0),
        repeated: AtomicUsize::new(0),
        lost: Mutex::default(),
        is_over: AtomicBool::new(false),
    };
    let habits = [Habit::Anew, Habit::InTwo, Habit::Kept, Habit::Resting];
    let clients = habits.iter().flat_map(|it| [*it; CLIENTS]).chain([Habit::SigningIn]);
    thread::scope(|scope| {
        for habit in clients {
            let tally = &tally;
            scope.spawn(move || tally.ask_on(habit));
        }
        for _ in 0..wanted / A_RESTART {
            if !tally.goes_on(A_RESTART) {
                break;
            }
            stop(&mut server);
            server = serve_on(&listener, folder.path());
        }
        tally.goes_on(A_RESTART);
        tally.is_over.store(true, Ordering::Release);
    });
    stop(&mut server);
    let answered = tally.answered.into_inner();
    let (lost, repeated) = (tally.lost.into_inner().unwrap(), tally.repeated.into_inner());
    assert!(lost.is_empty() && wanted <= answered, "{answered} answered, lost: {lost:#?}");
    println!("{answered} answered, {repeated} of them sent again, {} restarts", wanted / A_RESTART);
}

#[test]
fn answers_once_more_on_every_connection_that_is_kept_before_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut server = serve_on(&listener, folder.path());
    let ask = |stream: &mut BufReader<TcpStream>| {
        stream.get_mut().write_all(GET.as_bytes()).unwrap();
        let answer = Answer::read_next(stream, false).expect("an answer");
        assert_eq!(answer.status, 200);
        answer.value("Connection") == Some("close")
    };
    let mut kept: Vec<_> = (0..10)
        .map(|_| BufReader::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap()))
        .collect();
    assert!(kept.iter_mut().all(|it| !ask(it)));
    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    while !ask(&mut kept[0]) {}
    assert!(kept[1..].iter_mut().all(ask), "each answer says that it is the last one");
    assert_eq!(server.wait().unwrap().code(), Some(0));
}
