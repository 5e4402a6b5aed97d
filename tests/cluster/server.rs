//! The servers under test: three processes over one database.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::store::{Order, Store};
use crate::web::SERVERS;

/// How long a server may take to start: the first one makes the tables.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// They run until this goes out of scope.
pub struct Servers {
    children: Vec<Child>,
    folder: PathBuf,
    logs: Vec<PathBuf>,
    pub ports: [u16; SERVERS],
}

impl Servers {
    /// Starts them at the same moment, with no limit that this load would meet, and with these flags.
    pub fn start(
        binary: &Path,
        folder: &Path,
        (store, order): (&Store, Order),
        flags: &[String],
    ) -> Self {
        let logs: Vec<_> = (0..SERVERS).map(|it| folder.join(format!("server-{it}.log"))).collect();
        let start = |(server, log): (usize, &PathBuf)| {
            let mut command = Command::new(binary);
            for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("VESTIBULE_")) {
                command.env_remove(name);
            }
            command.args(["serve", "--listen=127.0.0.1:0", "--throttle-address-free=1000000"]);
            command.args(flags);
            command.env("VESTIBULE_DATABASE", store.address(server, order));
            command.stdin(Stdio::null()).stdout(Stdio::null());
            command.stderr(File::create(log).expect("the folder is ours"));
            command.spawn().expect("the binary is built")
        };
        let children = logs.iter().enumerate().map(start).collect();
        let mut all = Self { children, folder: folder.to_owned(), logs, ports: [0; SERVERS] };
        for server in 0..SERVERS {
            all.ports[server] = all.wait_for_port(server);
        }
        all
    }

    fn wait_for_port(&mut self, server: usize) -> u16 {
        let start = Instant::now();
        loop {
            let log = fs::read_to_string(&self.logs[server]).expect("its log");
            let address = log.split("ev=listening address=127.0.0.1:").nth(1);
            if let Some(port) = address.and_then(|it| it.split_whitespace().next()) {
                return port.parse().expect("a port");
            }
            let ended = self.children[server].try_wait().expect("our child").is_some();
            let is_late = start.elapsed() > START_PATIENCE;
            assert!(!ended && !is_late, "server {server} does not start:\n{log}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where their files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Kills one with `kill -9`.
    pub fn kill(&mut self, server: usize) {
        self.children[server].kill().expect("our child");
        self.children[server].wait().expect("our child");
    }

    /// Which of them have ended by themselves.
    pub fn ended(&mut self) -> Vec<usize> {
        let has_ended = |child: &mut Child| child.try_wait().expect("our child").is_some();
        let children = self.children.iter_mut().enumerate();
        children.filter_map(|(server, child)| has_ended(child).then_some(server)).collect()
    }

    /// What all logs say of what failed, and how often.
    pub fn complaints(&self) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for log in &self.logs {
            let log = fs::read_to_string(log).expect("its log");
            for line in log.lines().filter(|line| line.contains("cause=") || line.contains("panic"))
            {
                let words = line.split(' ').filter(|word| {
                    !["ts=", "us=", "rid=", "uid=", "sess=", "name=", "ip="]
                        .iter()
                        .any(|name| word.starts_with(name))
                });
                *found.entry(words.collect::<Vec<_>>().join(" ")).or_default() += 1;
            }
        }
        found
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself.
            drop(child.kill());
            drop(child.wait());
        }
    }
}
