//! Millions of users beside sixty-four: the same requests and the operator's commands, on two databases.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use vestibule::auth::housekeeping::BATCH_MAX;
use vestibule::base::clock::Moment;
use vestibule::store::{Maintenance, Sessions, Sqlite};

use crate::load::{self, Ask, Figures, middle};
use crate::server::{Server, System};
use crate::{Bench, USERS, large, many, some};

const LARGE: usize = 10_000_000;

/// Sessions that have ended, in each of the files, for the sweep.
const ENDED: usize = 20_000;

/// At least this much of what the small file gives is wanted of the large one.
const WANTED: f64 = 0.85;

/// What is asked of a server with this list of cookies and this number of users.
type AskOf = fn(&Path, usize) -> Ask<'_>;

/// A file, the server on it, and its cookies.
struct Side {
    name: String,
    database: PathBuf,
    cookies: PathBuf,
    users: usize,
    server: Option<Server>,
}

impl Side {
    fn new(bench: &Bench, users: usize) -> Self {
        let large = large::make(&bench.places.folder, users);
        let cookies = bench.work.path().join(format!("scale-{users}.cookies"));
        fs::write(&cookies, large.cookies.join("\n")).expect("a list of cookies");
        let sessions = users * large::SESSIONS_EACH;
        let name = format!("{users} users, {sessions} sessions");
        Self { name, database: large.database, cookies, users, server: None }
    }

    /// Starts its server, which takes checks from this machine.
    fn start(&mut self, bench: &Bench) {
        let flags = ["--trusted-proxy=127.0.0.1"];
        let server = Server::start_with(System::Vestibule, &bench.places, &self.database, &flags);
        self.server = Some(server);
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("it is started")
    }
}

impl Bench {
    pub fn large(&mut self) {
        let mut sides = [Side::new(self, USERS), Side::new(self, large::USERS)];
        for side in &mut sides {
            side.start(self);
        }
        for (connections, sessions) in [(1, 1), (16, 16), (64, 64), (64, 1_000)] {
            let of = format!("{}, {}", many(connections, "connection"), many(sessions, "session"));
            let ask: AskOf = |list, _| Ask::Page(list);
            self.beside(&format!("`GET /`, {of}"), &sides, (connections, sessions), (ask, 0.9));
        }
    }

    pub fn scale(&mut self) {
        let mut sides = [Side::new(self, USERS), Side::new(self, LARGE)];
        self.commands(&sides);
        self.scaled_starts(&sides);
        for side in &mut sides {
            side.start(self);
        }
        for (connections, sessions) in [(1, 1), (16, 16), (64, 1_000)] {
            let of = format!("{}, {}", many(connections, "connection"), many(sessions, "session"));
            for (path, ask) in [
                ("/", (|list, _| Ask::Page(list)) as AskOf),
                ("/auth/nginx", |list, _| Ask::Check(list)),
            ] {
                let work = format!("`GET {path}`, {of}");
                self.beside(&work, &sides, (connections, sessions), (ask, WANTED));
            }
        }
        for clients in [1, 16] {
            let work = format!("sign-ins, {}", many(clients, "client"));
            let ask: AskOf = |_, users| Ask::SignIn(users);
            self.beside(&work, &sides, (clients, 1), (ask, WANTED));
        }
        for side in &mut sides {
            self.table.note(
                &format!("{}: idle after all this", side.name),
                side.server().memory(false),
                "MB",
            );
            side.server = None;
        }
    }

    /// The same load on both, in turn; `wanted` is how much of what the small file gives the large one should.
    fn beside(
        &mut self,
        work: &str,
        sides: &[Side; 2],
        (connections, sessions): (u32, u32),
        (ask, wanted): (AskOf, f64),
    ) {
        let lists = sides.each_ref().map(|it| some(&it.cookies, sessions));
        let mut all = [Vec::new(), Vec::new()];
        for _ in 0..self.rounds {
            for ((found, side), list) in all.iter_mut().zip(sides).zip(&lists) {
                let ask = ask(list, side.users);
                found.push(load::run(side.server(), ask, connections, self.seconds));
            }
        }
        let figures: [Figures; 2] = all.map(middle);
        for (side, it) in sides.iter().zip(&figures) {
            self.table.row(work, &side.name, it);
        }
        let ratio = figures[1].per_second / figures[0].per_second;
        self.table.verdict(work, "of the small file", ratio, wanted);
    }

    fn scaled_starts(&mut self, sides: &[Side; 2]) {
        for side in sides {
            let (start, idle) = self.start_of(System::Vestibule, &side.database);
            self.table.note(&format!("{}: start", side.name), start, "ms");
            self.table.note(&format!("{}: idle", side.name), idle, "MB");
        }
    }

    fn commands(&mut self, sides: &[Side; 2]) {
        for side in sides {
            let bytes = fs::metadata(&side.database).expect("it is made").len();
            #[expect(clippy::cast_precision_loss, reason = "a megabyte more or less")]
            self.table.note(&format!("{}: file", side.name), bytes as f64 / 1e6, "MB");
            let copy = self.work.path().join("copy.db");
            for (name, arguments) in [
                ("user show", vec!["user", "show", "bench5"]),
                ("user list --limit 20", vec!["user", "list", "--limit", "20"]),
                (
                    "user list --search ench63",
                    vec!["user", "list", "--search", "ench63", "--limit", "20"],
                ),
                ("user list --search nobody", vec!["user", "list", "--search", "nobody"]),
                ("backup", vec!["backup", copy.to_str().expect("a path of ASCII")]),
            ] {
                let took = self.run_command(&arguments, &side.database);
                self.table.note(&format!("{}: {name}", side.name), ms(took), "ms");
                if name != "backup" {
                    // The first time, much of a large file has to come from the disk.
                    let took = self.run_command(&arguments, &side.database);
                    self.table.note(&format!("{}: {name}, again", side.name), ms(took), "ms");
                }
            }
            fs::remove_file(&copy).expect("it was written");
            self.table.note(
                &format!("{}: sweep of {ENDED} sessions", side.name),
                ms(sweep(&side.database)),
                "ms",
            );
        }
    }

    /// How long the program takes for a command.
    fn run_command(&self, arguments: &[&str], database: &Path) -> Duration {
        let start = Instant::now();
        let status = Command::new(self.places.programs.join("vestibule"))
            .args(arguments)
            .arg("--database")
            .arg(database)
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("it is built").success(), "{arguments:?}");
        start.elapsed()
    }
}

/// How long it takes to delete sessions that have ended, written for it beside those that have not.
fn sweep(database: &Path) -> Duration {
    let conn = Connection::open(database).expect("it is made");
    conn.execute(
        "INSERT INTO user_session (id, user_id, active_expires, idle_expires, absolute_expires, created_at)
         WITH RECURSIVE number (it) AS (SELECT 1 UNION ALL SELECT it + 1 FROM number WHERE it < ?1)
         SELECT randomblob(32), (SELECT id FROM user LIMIT 1), 1, 1, 1, 1 FROM number",
        [i64::try_from(ENDED).expect("a number")],
    )
    .expect("sessions that have ended");
    drop(conn);
    let store = Sqlite::open(database).expect("a database");
    let now = Moment::now();
    let start = Instant::now();
    let mut deleted = 0;
    while deleted < ENDED {
        deleted += store.delete_dead_sessions(now, BATCH_MAX).expect("a sweep");
    }
    let took = start.elapsed();
    store.close().expect("it is closed");
    took
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
