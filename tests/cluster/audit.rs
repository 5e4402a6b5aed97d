//! The judgement, once all nodes are whole: is what was acknowledged there, everywhere?

use std::collections::BTreeMap;
use std::thread;

use crate::caller::{Caller, form, is_profile_of};
use crate::ledger::{Ledger, Person, State};
use crate::store::Store;
use crate::watch::{Breach, Deed, Watch};
use crate::web::SERVERS;

/// Looks at every session through every server, and at every row of users and keys at every node.
pub fn audit(watch: &Watch, ports: [u16; SERVERS], store: &Store, ledger: &Ledger) {
    sessions(watch, ports, ledger);
    for node in store.nodes() {
        if let Err(err) = rows(watch, store, node, &ledger.people) {
            watch.breach(Breach::Unequal, format!("node {node} cannot be read: {err}"));
        }
    }
}

/// Sessions that live let in at every server, those that were signed out at none, and of those that may
/// have been all servers say the same.
fn sessions(watch: &Watch, ports: [u16; SERVERS], ledger: &Ledger) {
    let at = |server: usize| -> Vec<Option<bool>> {
        let mut caller = Caller::new(watch, ports);
        let one = |it: &crate::ledger::Session| {
            let (answer, _) = caller.insist(Deed::Page, server, &it.cookie, "")?;
            let name = &ledger.people[it.person].name;
            if answer.status == 200 && !is_profile_of(&answer, name) {
                caller.unexpected(Deed::Page, server, &answer);
            }
            Some(answer.status == 200)
        };
        ledger.sessions.iter().map(one).collect()
    };
    let found = thread::scope(|scope| {
        let all: Vec<_> = (0..SERVERS).map(|server| scope.spawn(move || at(server))).collect();
        all.into_iter().map(|it| it.join().expect("it has not panicked")).collect::<Vec<_>>()
    });
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for (place, session) in ledger.sessions.iter().enumerate() {
        let lets_in: Vec<_> = found.iter().filter_map(|at_one| at_one[place]).collect();
        let (name, last) = (&ledger.people[session.person].name, session.at.as_secs_f64());
        let what = format!(
            "a session of {name}, known at server {} at {last:.1} s, lets in at the end: {lets_in:?}",
            session.server
        );
        let kind = match session.state {
            State::Live => "that let in",
            State::Gone => "that were signed out",
            State::Leaving => "with an uncertain sign-out",
            State::Lost => continue,
        };
        *counts.entry(kind).or_default() += 1;
        match session.state {
            State::Live if lets_in.contains(&false) => watch.breach(Breach::Lost, what),
            State::Gone if lets_in.contains(&true) => watch.breach(Breach::Resurrected, what),
            State::Leaving if lets_in.contains(&true) && lets_in.contains(&false) => {
                watch.breach(Breach::Unequal, what);
            }
            _ => {}
        }
    }
    println!("  sessions, each asked for at every server: {counts:?}");
}

/// All of them sign in, each at another server than where they were made known.
pub fn sign_in(watch: &Watch, ports: [u16; SERVERS], people: &[&Person]) {
    thread::scope(|scope| {
        for part in people.chunks(people.len().div_ceil(SERVERS).max(1)) {
            scope.spawn(move || {
                let mut caller = Caller::new(watch, ports);
                for person in part {
                    let form = form(&person.name, &person.password);
                    let server = (person.server + 1) % SERVERS;
                    let answer = caller.insist(Deed::SignIn, server, "", &form);
                    if answer.is_some_and(|(it, _)| it.status != 302) {
                        let what = format!("{} cannot sign in at server {server}", person.name);
                        watch.breach(Breach::Lost, what);
                    }
                }
            });
        }
    });
    println!("  people who signed in again: {}", people.len());
}

/// A user whose sign-up was acknowledged has one row as a user and one as a key; one that is uncertain has both or none.
fn rows(watch: &Watch, store: &Store, node: usize, people: &[Person]) -> Result<(), String> {
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in store.rows(node, "SELECT canonical_username, id FROM user")? {
        users.entry(row[0].clone()).or_default().push(row[1].clone());
    }
    let keys = store.rows(node, "SELECT id, user_id FROM user_key")?;
    let keys: BTreeMap<_, _> =
        keys.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let mut kept = 0;
    for person in people {
        let ids = users.get(&person.name).map_or(&[][..], Vec::as_slice);
        let key = keys.get(&format!("username:{}", person.name));
        let (name, at) = (&person.name, person.at.as_secs_f64());
        let what = format!("{name} ({at:.1} s, server {}) at node {node}", person.server);
        match (ids, key) {
            ([], None) if !person.is_certain => {}
            ([], None) => watch.breach(Breach::Lost, format!("{what}: no row")),
            ([id], Some(owner)) if id == owner => kept += 1,
            ([_, _, ..], _) => watch.breach(Breach::TakenTwice, format!("{what}: {ids:?}")),
            _ => {
                watch.breach(Breach::Unequal, format!("{what}: user {ids:?}, key of {key:?}"));
                if person.is_certain {
                    watch.breach(Breach::Lost, format!("{what}: not whole"));
                }
            }
        }
    }
    let certain = people.iter().filter(|it| it.is_certain).count();
    println!("  node {node}: {kept} people of ours, of whom {certain} are certain");
    Ok(())
}

/// Whether every table is the same at every node. No client may write meanwhile.
pub fn compare(watch: &Watch, store: &Store) {
    let nodes = store.nodes();
    let found: Vec<_> = nodes.iter().map(|node| store.checksums(*node)).collect();
    for (node, sums) in nodes.iter().zip(&found) {
        match (sums, &found[0]) {
            (Ok(sums), Ok(first)) => {
                for (one, other) in sums.iter().zip(first).filter(|(one, other)| one != other) {
                    let what = format!("{one:?} at node {node}, {other:?} at node {}", nodes[0]);
                    watch.breach(Breach::Unequal, what);
                }
                println!("  node {node}: {} tables have a checksum", sums.len());
            }
            (Err(err), _) | (_, Err(err)) => watch.breach(Breach::Unequal, err.clone()),
        }
    }
}
