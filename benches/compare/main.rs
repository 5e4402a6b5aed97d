//! Measures vestibule beside what people would pick instead, in one run, and writes a table.
//!
//! `make bench` builds everything first and says where it lies: `BENCH_FOLDER` for the peers and what
//! is made here, `BENCH_PROGRAMS` for the release programs. `BENCH_SECONDS` (4) is how long one
//! measurement takes, `BENCH_ROUNDS` (3) how many there are of each, in turn; the one with the middle
//! throughput counts, and of bare hello the best. The load generator runs on the same cores.

mod large;
mod load;
mod scale;
mod server;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use load::{Ask, Figures, best, middle};
use server::{Places, Server, System};
use table::Table;

/// Users who sign in, in every system.
const USERS: usize = 64;

/// How often the program and bare hashes take turns.
const HASH_TURNS: usize = 9;

const PEERS: [System; 3] = [System::Vestibule, System::Guide, System::AxumLogin];

/// A part of the run.
type Part = fn(&mut Bench);

/// A run of everything.
struct Bench {
    places: Places,
    seconds: u32,
    rounds: u32,
    /// Fresh databases.
    work: tempfile::TempDir,
    table: Table,
}

fn main() {
    // `cargo bench` passes it on.
    let wanted: Vec<_> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let folder = PathBuf::from(std::env::var_os("BENCH_FOLDER").expect("run by make bench"));
    let programs = PathBuf::from(std::env::var_os("BENCH_PROGRAMS").expect("run by make bench"));
    let number = |name: &str, default| {
        std::env::var(name).ok().map_or(default, |it| it.parse().expect("a number"))
    };
    let places = Places { page: folder.join("page.html"), folder, programs };
    let mut bench = Bench {
        seconds: number("BENCH_SECONDS", 4),
        rounds: number("BENCH_ROUNDS", 3),
        work: tempfile::tempdir().expect("a folder"),
        table: Table::default(),
        places,
    };
    bench.write_page();
    let parts: [(&str, Part); 6] = [
        ("pages", Bench::pages),
        ("sign-ins", Bench::sign_ins),
        ("mixed", Bench::mixed),
        ("sign-ups", Bench::sign_ups),
        ("large", Bench::large),
        ("start", Bench::starts),
    ];
    if wanted.iter().any(|it| it == "scale") {
        bench.scale();
    }
    for (name, part) in parts {
        if wanted.is_empty() || wanted.iter().any(|it| it == name) {
            eprintln!("-- {name}");
            part(&mut bench);
        }
    }
    let text = bench.table.text();
    fs::write(bench.places.folder.join("table.md"), &text).expect("a table");
    println!("{text}");
}

impl Bench {
    /// What the profile looks like, with marks where id and name go: all programs show the same.
    fn write_page(&self) {
        let server = Server::start(System::Vestibule, &self.places, &self.database("page"));
        let cookies = server.sign_up("bench-of-pages");
        let page = server.ask("GET", "/", &cookies, "").body;
        let (before, rest) = page.split_once("User id: ").expect("the profile");
        let (_, rest) = rest.split_once('<').expect("its end");
        let page = format!("{before}User id: %%user_id%%<{rest}");
        fs::write(&self.places.page, page.replace("bench-of-pages", "%%username%%"))
            .expect("a page");
    }

    fn database(&self, name: &str) -> PathBuf {
        self.work.path().join(format!("{name}.db"))
    }

    /// A server with [`USERS`] users, and the file with the cookies of one session each.
    fn inhabited(&self, system: System, name: &str) -> (Server, PathBuf) {
        let name = format!("{name}-{}", system as u8);
        let server = Server::start(system, &self.places, &self.database(&name));
        let mut cookies = Vec::new();
        if system != System::Hello {
            cookies.extend((0..USERS).map(|it| server.sign_up(&format!("bench{it}"))));
            let answer = server.ask("GET", "/", &cookies[0], "");
            assert!(answer.status == 200 && answer.body.contains("bench0"), "{}", answer.body);
        }
        let list = self.work.path().join(format!("{name}.cookies"));
        fs::write(&list, cookies.join("\n")).expect("a list of cookies");
        (server, list)
    }

    fn pages(&mut self) {
        let systems = [PEERS[0], PEERS[1], PEERS[2], System::Hello];
        let servers: Vec<_> = systems.iter().map(|it| self.inhabited(*it, "pages")).collect();
        for (connections, of_hello) in [(1, 0.75), (16, 0.9), (64, 0.85)] {
            let mut all = vec![Vec::new(); servers.len()];
            for _ in 0..self.rounds {
                for (found, (server, list)) in all.iter_mut().zip(&servers) {
                    let list = some(list, connections);
                    found.push(load::run(server, Ask::Page(&list), connections, self.seconds));
                }
            }
            // With bare hello the best rounds are compared: tiny_http alone may leave most of many connections unread that
            // are opened at once.
            let of_best = best(&all[0]).per_second / best(&all[3]).per_second;
            let hello = all.pop().map(|it| best(&it));
            let figures: Vec<_> = all.into_iter().map(middle).chain(hello).collect();
            let work = format!("`GET /`, signed in, {}", many(connections, "connection"));
            for ((server, _), it) in servers.iter().zip(&figures) {
                self.table.row(&work, server.system.name(), it);
            }
            for (at, target) in [(1, 8.0), (2, 2.0)] {
                let ratio = figures[0].per_second / figures[at].per_second;
                self.table.verdict(&work, &format!("× {}", systems[at].name()), ratio, target);
            }
            self.table.verdict(&work, "× bare hello, best rounds", of_best, of_hello);
        }
    }

    fn raw_hashes(&self, threads: u32) -> f64 {
        let program = self.places.programs.join("examples/hashes");
        let output = Command::new(program)
            .args([threads.to_string(), self.seconds.to_string()])
            .output()
            .expect("it is built");
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
    }

    fn sign_ins(&mut self) {
        let servers: Vec<_> = PEERS.iter().map(|it| self.inhabited(*it, "sign-ins").0).collect();
        for (connections, target) in [(1, 0.93), (4, 0.97), (16, 0.97)] {
            self.hashing("sign-ins", &servers, connections, target, |_, _| Ask::SignIn(USERS));
        }
    }

    fn sign_ups(&mut self) {
        let servers: Vec<_> = PEERS.iter().map(|it| self.inhabited(*it, "sign-ups").0).collect();
        let rounds = self.rounds as usize + HASH_TURNS;
        let names: Vec<_> = (0..rounds).map(|it| format!("r{it}")).collect();
        self.hashing("sign-ups", &servers, 16, 0.9, |_, round| Ask::SignUp(&names[round]));
    }

    /// Work whose cost is the hash, beside the hash alone.
    fn hashing<'a>(
        &mut self,
        what: &str,
        servers: &[Server],
        connections: u32,
        target: f64,
        ask: impl Fn(&Server, usize) -> Ask<'a>,
    ) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = connections.min(u32::try_from(cores).expect("few cores"));
        let mut all = vec![Vec::new(); servers.len()];
        for round in 0..self.rounds as usize {
            for (found, server) in all.iter_mut().zip(servers) {
                found.push(load::run(server, ask(server, round), connections, self.seconds));
            }
        }
        // The speed of the machine changes within seconds, so the two that are compared take short turns.
        let mut turns: Vec<_> = (0..HASH_TURNS)
            .map(|turn| {
                let raw = self.raw_hashes(threads);
                let ask = ask(&servers[0], self.rounds as usize + turn);
                let ours = load::run(&servers[0], ask, connections, self.seconds);
                (ours.per_second / raw, raw)
            })
            .collect();
        turns.sort_by(|one, other| one.0.total_cmp(&other.0));
        let [(least, _), (ratio, raw), (most, _)] =
            [turns[0], turns[HASH_TURNS / 2], turns[HASH_TURNS - 1]];
        let work = format!("{what}, {}", many(connections, "client"));
        let ours = middle(all.swap_remove(0));
        self.table.row(&work, PEERS[0].name(), &ours);
        for (system, found) in [PEERS[2], PEERS[1]].iter().zip(all) {
            self.table.row(&work, system.name(), &middle(found));
        }
        let alone = format!("argon2 alone, {}", many(threads, "thread"));
        self.table.row(&work, &alone, &Figures { per_second: raw, ..Figures::default() });
        let text = format!("of the raw hash rate ({least:.2} to {most:.2} in {HASH_TURNS} turns)");
        self.table.verdict(&work, &text, ratio, target);
    }

    fn mixed(&mut self) {
        let servers: Vec<_> = PEERS.iter().map(|it| self.inhabited(*it, "mixed")).collect();
        let mut all = vec![Vec::new(); servers.len()];
        for _ in 0..self.rounds {
            for (found, (server, list)) in all.iter_mut().zip(&servers) {
                let storm = load::start(server, Ask::SignIn(USERS), 16, self.seconds + 2);
                // Until every hasher is at work and the queue before them is full.
                std::thread::sleep(std::time::Duration::from_secs(1));
                let list = some(list, 16);
                found.push(load::run(server, Ask::Page(&list), 16, self.seconds));
                storm.wait();
            }
        }
        let figures: Vec<_> = all.into_iter().map(middle).collect();
        let work = "`GET /`, signed in, 16 connections, while 16 clients sign in";
        for ((server, _), it) in servers.iter().zip(&figures) {
            self.table.row(work, server.system.name(), it);
        }
        self.table.bound(work, "ms, p99", figures[0].p99, 10.0);
        for at in [1, 2] {
            let ratio = figures[0].per_second / figures[at].per_second;
            self.table.verdict(work, &format!("× {}", PEERS[at].name()), ratio, 5.0);
        }
    }

    /// After a server that was stopped in good order: the middle of nine starts to the first answer in ms, and the
    /// memory after one in MB.
    fn start_of(&self, system: System, database: &Path) -> (f64, f64) {
        let start = || Server::start(system, &self.places, database);
        // A server that was killed leaves a log that the next one takes in.
        start().stop();
        let mut times: Vec<_> = (0..9).map(|_| start().started_in.as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        let server = start();
        // What was needed to start is given back by then.
        std::thread::sleep(std::time::Duration::from_millis(500));
        (times[4], server.memory(false))
    }

    fn starts(&mut self) {
        let large = large::make(&self.places.folder, large::USERS);
        for system in [PEERS[0], PEERS[1], PEERS[2], System::Hello] {
            let fresh = self.database(&format!("start-{}", system as u8));
            drop(Server::start(system, &self.places, &fresh));
            let database = if system == PEERS[0] { &large.database } else { &fresh };
            let (start, idle) = self.start_of(system, database);
            let bytes = system.program(&self.places.folder, &self.places.programs);
            let size = bytes.and_then(|it| fs::metadata(it).ok()).map(|it| it.len());
            self.table.start(system.name(), start, idle, size);
            if system == PEERS[0] {
                self.table.bound("start on 1,000,000 users", "ms", start, 30.0);
                self.table.bound("idle", "MB resident", idle, 12.0);
                #[expect(clippy::cast_precision_loss, reason = "a megabyte more or less")]
                let size = size.expect("a file") as f64 / 1e6;
                self.table.bound("the program", "MB", size, 10.0);
            }
        }
    }
}

/// The first `count` lines of a file with cookies, in a file.
fn some(list: &Path, count: u32) -> PathBuf {
    let text = fs::read_to_string(list).expect("a list of cookies");
    let some: Vec<_> = text.lines().take(count as usize).collect();
    let path = list.with_extension(format!("{count}"));
    fs::write(&path, some.join("\n")).expect("a list of cookies");
    path
}

fn many(count: u32, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
