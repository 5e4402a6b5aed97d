//! One name, signed up at the same instant at every server: exactly one of them is let in.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use crate::audit;
use crate::caller::{Caller, form};
use crate::ledger::{Ledger, Person, Session, State};
use crate::store::Store;
use crate::watch::{Breach, Deed, Watch};
use crate::web::SERVERS;

/// What one server made of a name.
struct End {
    /// The cookie of the winner.
    cookie: Option<String>,
    was_uncertain: bool,
    at: Duration,
}

/// Runs it, and looks at what is there afterwards.
pub fn run(watch: &Watch, ports: [u16; SERVERS], store: &Store, names: usize) {
    let line = Barrier::new(SERVERS);
    let line = &line;
    let ends: Vec<Vec<End>> = thread::scope(|scope| {
        let racer = |server| scope.spawn(move || racer(watch, ports, server, names, line));
        let all: Vec<_> = (0..SERVERS).map(racer).collect();
        all.into_iter().map(|it| it.join().expect("it has not panicked")).collect()
    });
    let ledger = judge(watch, names, &ends);
    println!(
        "{names} names, each at {SERVERS} servers at once, {:.1} s",
        watch.now().as_secs_f64()
    );
    let mut wins = [0; SERVERS];
    for person in &ledger.people {
        wins[person.server] += 1;
    }
    println!("  won at servers 0, 1, 2: {wins:?}");
    audit::audit(watch, ports, store, &ledger);
    // With the password of the winner.
    audit::sign_in(watch, ports, &ledger.people.iter().collect::<Vec<_>>());
}

fn name_of(number: usize) -> String {
    format!("race{number}")
}

fn password_at(server: usize, number: usize) -> String {
    format!("password-{number}-at-{server}")
}

fn racer(
    watch: &Watch,
    ports: [u16; SERVERS],
    server: usize,
    names: usize,
    line: &Barrier,
) -> Vec<End> {
    let mut caller = Caller::new(watch, ports);
    let one = |number| {
        let form = form(&name_of(number), &password_at(server, number));
        line.wait();
        let answer = caller.insist(Deed::SignUp, server, "", &form);
        let (cookie, was_uncertain) = match answer {
            Some((answer, was_uncertain)) if answer.status == 302 => (answer.cookie, was_uncertain),
            Some((answer, was_uncertain)) if answer.body == "Username already taken" => {
                (None, was_uncertain)
            }
            Some((answer, _)) => {
                caller.unexpected(Deed::SignUp, server, &answer);
                (None, true)
            }
            None => (None, true),
        };
        End { cookie, was_uncertain, at: watch.now() }
    };
    (0..names).map(one).collect()
}

fn judge(watch: &Watch, names: usize, ends: &[Vec<End>]) -> Ledger {
    let mut ledger = Ledger::default();
    for number in 0..names {
        let winners: Vec<_> =
            (0..SERVERS).filter(|it| ends[*it][number].cookie.is_some()).collect();
        let name = name_of(number);
        match winners[..] {
            [server] => {
                let End { cookie, at, .. } = &ends[server][number];
                let (password, at) = (password_at(server, number), *at);
                let person = ledger.people.len();
                let cookie = cookie.clone().expect("the winner has one");
                ledger.sessions.push(Session { person, cookie, state: State::Live, server, at });
                let sign_ins = 1;
                ledger.people.push(Person {
                    name,
                    password,
                    is_certain: true,
                    sign_ins,
                    server,
                    at,
                });
            }
            // The try of one client was written, and its answer was lost.
            [] if ends.iter().any(|it| it[number].was_uncertain) => {}
            [] => watch
                .breach(Breach::TakenWithoutOwner, format!("{name}: no server let any client in")),
            _ => watch.breach(Breach::TakenTwice, format!("{name}: by {winners:?}")),
        }
    }
    ledger
}
