//! Load, made by wrk.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::server::Server;

/// What is asked of a server.
#[derive(Clone, Copy)]
pub enum Ask<'a> {
    /// `GET /` with the cookies in this file, in turn.
    Page(&'a Path),
    /// Checks as nginx makes them, with the cookies in this file, in turn.
    Check(&'a Path),
    /// Sign-ins of this many users, in turn.
    SignIn(usize),
    /// Sign-ups; the text makes the names new.
    SignUp(&'a str),
}

/// What came of it. Times are in ms, processor time in µs a request, memory in MB.
#[derive(Clone, Default)]
pub struct Figures {
    pub per_second: f64,
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
    pub cpu: f64,
    pub peak: f64,
    /// Answers with a status of 400 or more, and requests without an answer.
    pub failed: f64,
}

impl Figures {
    /// Whether no client got an answer.
    pub fn is_empty(&self) -> bool {
        self.per_second == 0.0
    }
}

/// A load that runs.
pub struct Running(Child);

pub fn start(server: &Server, ask: Ask<'_>, connections: u32, seconds: u32) -> Running {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/wrk");
    let script = match ask {
        Ask::Page(_) | Ask::Check(_) => "get.lua",
        Ask::SignIn(_) => "sign-in.lua",
        Ask::SignUp(_) => "sign-up.lua",
    };
    let mut wrk = Command::new("wrk");
    match ask {
        Ask::Page(cookies) => wrk.env("COOKIES", cookies),
        Ask::Check(cookies) => wrk.env("COOKIES", cookies).env("CHECK", "/auth/nginx"),
        Ask::SignIn(users) => wrk.env("USERS", users.to_string()),
        Ask::SignUp(run) => wrk.env("RUN", run),
    };
    wrk.env("WRK", scripts).stdin(Stdio::null()).stdout(Stdio::piped());
    wrk.arg("-t").arg(connections.min(2).to_string()).arg("-c").arg(connections.to_string());
    wrk.arg("-d").arg(format!("{seconds}s")).args(["--timeout", "20s", "-s"]);
    wrk.arg(format!("{scripts}/{script}")).arg(format!("http://127.0.0.1:{}/", server.port));
    Running(wrk.spawn().expect("wrk is installed"))
}

impl Running {
    pub fn wait(self) -> Figures {
        let output = self.0.wait_with_output().expect("wrk ends");
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find(|it| it.starts_with('{'));
        let data: Value = line.and_then(|it| serde_json::from_str(it).ok()).expect("wrk's report");
        let number = |name: &str| data[name].as_f64().expect("a number");
        Figures {
            per_second: (number("requests") - number("refused")) / number("seconds"),
            p50: number("p50"),
            p99: number("p99"),
            max: number("max"),
            failed: number("refused") + number("broken"),
            ..Figures::default()
        }
    }
}

/// Runs a load to its end.
pub fn run(server: &Server, ask: Ask<'_>, connections: u32, seconds: u32) -> Figures {
    server.forget_peak();
    let before = server.cpu();
    let mut figures = start(server, ask, connections, seconds).wait();
    let spent = server.cpu().saturating_sub(before).as_secs_f64();
    figures.cpu = spent * 1e6 / (figures.per_second * f64::from(seconds));
    figures.peak = server.memory(true);
    figures
}

/// The one with the middle throughput.
pub fn middle(all: Vec<Figures>) -> Figures {
    let mut all = sorted(all);
    all.swap_remove(all.len() / 2)
}

/// The one with the highest throughput.
pub fn best(all: &[Figures]) -> Figures {
    sorted(all.to_vec()).pop().expect("one round at least")
}

fn sorted(mut all: Vec<Figures>) -> Vec<Figures> {
    all.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
    all
}
