//! Three servers on a cluster of three nodes, while nodes are killed, stop, hang and lose each other: is
//! everything kept that was acknowledged?
//!
//! ```text
//! cluster race BINARY [--names 1000]
//! cluster mail BINARY [--mails 300]
//! cluster faults BINARY [--seconds 300] [--seed NUMBER] [--only kill|pause|shutdown|part|deafen|cut]
//!                       [--harm user|key|name|session|sign-out|node]
//! all: [--order same|own] [--database FILE]
//! ```
//!
//! BINARY is `vestibule`. The cluster is the one that `tests/galera.sh` has started under the same
//! environment; with `GALERA_NETNS` this program has to run in the first namespace, and then nodes are
//! also cut off. `--order` says whether the servers name the nodes in the same order, as docs/mariadb.md
//! advises, or each another one first. `--database` takes one SQLite file in its place, without faults:
//! to try this program. `--harm` does damage, which it has to find.
//!
//! It exits with 1 if anything was breached, and with 2 if it could not be tried.

mod audit;
mod caller;
mod clients;
mod dice;
mod faults;
mod ledger;
mod mail;
mod race;
mod server;
mod store;
mod watch;
mod web;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use clients::{CLIENTS, Client};
use dice::Dice;
use ledger::Ledger;
use server::Servers;
use store::{Order, Store};
use watch::Watch;
use web::SERVERS;

/// How many people sign in again after the faults: each costs a slow hash. Of all others the rows are
/// looked at.
const SIGN_INS_AGAIN: usize = 300;

/// What is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trial {
    Race,
    Mail,
    Faults,
}

/// What is to be done.
struct Plan {
    trial: Trial,
    binary: PathBuf,
    names: usize,
    mails: usize,
    seconds: u64,
    seed: u64,
    order: Order,
    database: Option<PathBuf>,
    harm: Option<String>,
    only: Option<String>,
}

fn main() -> ExitCode {
    let plan = match plan(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(err) => {
            eprintln!("cluster: {err}; its first lines say how it is used");
            return ExitCode::from(2);
        }
    };
    match run(&plan) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(err) => {
            eprintln!("cluster: {err}");
            ExitCode::from(2)
        }
    }
}

fn plan(mut words: impl Iterator<Item = String>) -> Result<Plan, String> {
    let trial = match words.next().as_deref() {
        Some("race") => Trial::Race,
        Some("mail") => Trial::Mail,
        Some("faults") => Trial::Faults,
        _ => return Err("race, mail or faults?".to_owned()),
    };
    let binary = words.next().ok_or("which binary?")?.into();
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut plan = Plan {
        trial,
        binary,
        names: 1_000,
        mails: 300,
        seconds: 300,
        seed: since_1970.as_secs(),
        order: Order::Own,
        database: None,
        harm: None,
        only: None,
    };
    while let Some(flag) = words.next() {
        let value = words.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let wrong = |_| format!("{flag} {value} is no number");
        match flag.as_str() {
            "--names" => plan.names = value.parse().map_err(wrong)?,
            "--mails" => plan.mails = value.parse().map_err(wrong)?,
            "--seconds" => plan.seconds = value.parse().map_err(wrong)?,
            "--seed" => plan.seed = value.parse().map_err(wrong)?,
            "--order" if value == "same" => plan.order = Order::Same,
            "--order" if value == "own" => plan.order = Order::Own,
            "--database" => plan.database = Some(value.into()),
            "--harm" => plan.harm = Some(value),
            "--only" => plan.only = Some(value),
            _ => return Err(format!("{flag} {value}?")),
        }
    }
    Ok(plan)
}

/// Whether nothing was breached.
fn run(plan: &Plan) -> Result<bool, String> {
    let folder = tempfile::tempdir().map_err(|err| err.to_string())?;
    let name = match plan.trial {
        Trial::Race => "t_race",
        Trial::Mail => "t_mail",
        Trial::Faults => "t_faults",
    };
    let store = match &plan.database {
        Some(path) => Store::File(path.clone()),
        None => Store::new_in_cluster(name),
    };
    println!("seed {}", plan.seed);
    let flags = match plan.trial {
        Trial::Mail => mail::flags(folder.path()),
        Trial::Race | Trial::Faults => Vec::new(),
    };
    let mut servers = Servers::start(&plan.binary, folder.path(), (&store, plan.order), &flags);
    let ports = servers.ports;
    let (watch, mut dice) = (Watch::new(), Dice::new(plan.seed));
    if plan.trial == Trial::Race {
        race::run(&watch, ports, &store, plan.names);
    } else if plan.trial == Trial::Mail {
        mail::run(&watch, &mut servers, &store, plan.mails)?;
    } else {
        let ledger = load(plan, &watch, ports, &store, &mut dice)?;
        println!("audit at {:.1} s", watch.now().as_secs_f64());
        audit::audit(&watch, ports, &store, &ledger);
        audit::sign_in(&watch, ports, &ledger.some(SIGN_INS_AGAIN, &mut dice));
    }
    for server in servers.ended().into_iter().filter(|_| plan.trial != Trial::Mail) {
        watch.breach(watch::Breach::Unexpected, format!("server {server} has ended by itself"));
    }
    let complaints = servers.complaints();
    drop(servers);
    audit::compare(&watch, &store);
    println!("\nwhat the servers complained of");
    for (line, count) in &complaints {
        println!("  {count:>6} {line}");
    }
    Ok(watch.report())
}

/// Load until the faults are over; what every client knows then.
fn load(
    plan: &Plan,
    watch: &Watch,
    ports: [u16; SERVERS],
    store: &Store,
    dice: &mut Dice,
) -> Result<Ledger, String> {
    let stop = AtomicBool::new(false);
    let stop = &stop;
    thread::scope(|scope| {
        let mut all = Vec::new();
        for number in 0..CLIENTS {
            let client = Client::new(watch, ports, plan.seed, number);
            all.push(scope.spawn(move || client.run(stop)));
        }
        for server in 0..SERVERS {
            let name = format!("stayer{server}");
            all.push(scope.spawn(move || clients::stay(watch, ports, server, &name, stop)));
            scope.spawn(move || clients::ask_for_health(watch, ports, server, stop));
        }
        if let Some(harm) = &plan.harm {
            scope.spawn(move || do_harm(harm, plan.seconds, store));
        }
        let end = faults::run(store, watch, dice, plan.seconds, plan.only.as_deref());
        stop.store(true, Ordering::Relaxed);
        let ledgers = all.into_iter().map(|it| it.join().expect("it has not panicked"));
        let ledger = ledgers.fold(Ledger::default(), Ledger::join);
        end.map(|()| ledger)
    })
}

/// Damage in the middle of the run, of a kind that an engine could do.
fn do_harm(harm: &str, seconds: u64, store: &Store) {
    let third = Duration::from_secs(seconds) / 3;
    thread::sleep(third);
    let one_user = "(SELECT id FROM user WHERE canonical_username LIKE 'c%' LIMIT 1)";
    match harm {
        "user" => store
            .harm(&format!("PRAGMA foreign_keys = OFF; DELETE FROM user WHERE id = {one_user}")),
        "key" => store.harm(&format!("DELETE FROM user_key WHERE user_id = {one_user}")),
        "session" => {
            store.harm("DELETE FROM user_session WHERE id = (SELECT id FROM user_session LIMIT 1)");
        }
        "sign-out" => {
            store.harm("CREATE TABLE before AS SELECT * FROM user_session");
            thread::sleep(third);
            store
                .harm("INSERT OR IGNORE INTO user_session SELECT * FROM before; DROP TABLE before");
        }
        "name" => store.harm(
            "PRAGMA foreign_keys = OFF; DELETE FROM user WHERE canonical_username LIKE 'c%';
             DELETE FROM user_key WHERE id LIKE 'username:c%'",
        ),
        "node" => store.harm("UPDATE user SET email = 'harm' WHERE canonical_username LIKE 'c0%'"),
        _ => panic!("no such harm: {harm}"),
    }
}
