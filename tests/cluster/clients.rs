//! The load: people who sign up, come in at one server, are known at another, and leave.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::caller::{Caller, form, is_profile_of};
use crate::dice::Dice;
use crate::ledger::{Ledger, Person, Session, State};
use crate::watch::{Breach, Deed, Watch};
use crate::web::SERVERS;

/// Clients that go from server to server.
pub const CLIENTS: usize = 8;

/// Password hashes a second that all of them ask for. Two cores make a hundred or so: it is the database
/// that is to be tested.
const HASHES_PER_SECOND: u32 = 14;

/// Between two pages of one client.
const PAGE_PAUSE: Duration = Duration::from_millis(10);

/// Between two pages of those who stay with one server, and tell how long it is silent.
const STAYER_PAUSE: Duration = Duration::from_millis(40);

/// Sign-ins of one user, so that no session ends because there are too many.
const SIGN_INS_MAX: u32 = 40;

/// `/healthz` has to answer in this time, well or not, whatever the database does.
const HEALTH_PATIENCE: Duration = Duration::from_secs(1);

/// One that goes from server to server until it is told to stop.
pub struct Client<'a> {
    caller: Caller<'a>,
    dice: Dice,
    ledger: Ledger,
    /// What its names begin with.
    prefix: String,
    /// Or only comes and goes.
    looks_at_pages: bool,
}

impl<'a> Client<'a> {
    pub fn new(watch: &'a Watch, ports: [u16; SERVERS], seed: u64, number: usize) -> Self {
        Self {
            caller: Caller::new(watch, ports),
            dice: Dice::new(seed.wrapping_mul(31).wrapping_add(number as u64)),
            ledger: Ledger::default(),
            prefix: format!("c{number}"),
            looks_at_pages: number.is_multiple_of(2),
        }
    }

    /// What it knows in the end.
    pub fn run(mut self, stop: &AtomicBool) -> Ledger {
        let every =
            Duration::from_secs(1) * u32::try_from(CLIENTS).expect("few") / HASHES_PER_SECOND;
        while !stop.load(Ordering::Relaxed) {
            if self.dice.falls(50) {
                self.sign_up();
            } else {
                self.sign_in();
            }
            if self.dice.falls(20) {
                self.sign_up_under_a_taken_name();
            }
            self.pause(every / 2);
            if self.dice.falls(55) {
                self.sign_out();
            }
            self.pause(every / 2);
        }
        self.ledger
    }

    /// Looks at pages meanwhile, or at none: a client that only writes is met by a fault while it writes.
    fn pause(&mut self, time: Duration) {
        let end = self.caller.watch.now() + time;
        while self.looks_at_pages && self.caller.watch.now() < end {
            self.view();
            thread::sleep(PAGE_PAUSE);
        }
        thread::sleep(end.saturating_sub(self.caller.watch.now()));
    }

    fn any_server(&mut self) -> usize {
        self.dice.below(SERVERS)
    }

    fn another_server(&mut self, server: usize) -> usize {
        (server + 1 + self.dice.below(SERVERS - 1)) % SERVERS
    }

    fn any_session(&mut self, state: State) -> Option<usize> {
        let all = self.ledger.sessions_in(state);
        (!all.is_empty()).then(|| self.dice.pick(&all))
    }

    fn any_certain_person(&mut self) -> Option<usize> {
        let people = self.ledger.people.iter().enumerate();
        let all: Vec<_> = people.filter(|(_, it)| it.is_certain).map(|(place, _)| place).collect();
        (!all.is_empty()).then(|| self.dice.pick(&all))
    }

    fn sign_up(&mut self) {
        let name = format!("{}n{}", self.prefix, self.ledger.people.len());
        let password = format!("password-of-{name}");
        let form = form(&name, &password);
        let mut server = self.any_server();
        let place = self.ledger.people.len();
        let at = self.caller.watch.now();
        self.ledger.people.push(Person {
            name,
            password,
            is_certain: false,
            sign_ins: 1,
            server,
            at,
        });
        let keep = self.dice.falls(70);
        let mut answer = self.caller.ask(Deed::SignUp, server, "", &form, keep);
        let was_uncertain = answer.is_none();
        if was_uncertain && self.dice.falls(50) {
            // As a user does who sees an error.
            server = self.another_server(server);
            answer = self.caller.ask(Deed::SignUp, server, "", &form, keep);
        }
        let Some(answer) = answer else { return };
        match (answer.status, answer.cookie) {
            (302, Some(cookie)) => {
                self.acknowledge(place, server);
                self.add_session(place, server, cookie);
            }
            (400, _) if answer.body == "Username already taken" => {
                // By the try before, as no other client has such names. So it has to be there from now on.
                self.acknowledge(place, server);
                if !was_uncertain {
                    let name = &self.ledger.people[place].name;
                    let what = format!("{name} at server {server}, at the first try");
                    self.caller.watch.breach(Breach::TakenWithoutOwner, what);
                }
            }
            (_, cookie) => self.caller.unexpected(
                Deed::SignUp,
                server,
                &crate::web::Answer { cookie, ..answer },
            ),
        }
    }

    fn acknowledge(&mut self, place: usize, server: usize) {
        let person = &mut self.ledger.people[place];
        (person.is_certain, person.server, person.at) = (true, server, self.caller.watch.now());
    }

    /// A session is known at another server as soon as it is acknowledged.
    fn add_session(&mut self, person: usize, server: usize, cookie: String) {
        let at = self.caller.watch.now();
        self.ledger.sessions.push(Session { person, cookie, state: State::Live, server, at });
        let other = self.another_server(server);
        self.view_session(self.ledger.sessions.len() - 1, other);
    }

    fn sign_in(&mut self) {
        let Some(place) = self.any_certain_person() else { return };
        let person = &mut self.ledger.people[place];
        if person.sign_ins >= SIGN_INS_MAX {
            return;
        }
        person.sign_ins += 1;
        let form = form(&person.name, &person.password);
        let server = self.any_server();
        let keep = self.dice.falls(70);
        let Some(answer) = self.caller.ask(Deed::SignIn, server, "", &form, keep) else { return };
        match (answer.status, &answer.cookie) {
            (302, Some(cookie)) => self.add_session(place, server, cookie.clone()),
            (400, _) => {
                let Person { name, server: first, at, .. } = &self.ledger.people[place];
                let at = at.as_secs_f64();
                let what = format!(
                    "{name}, acknowledged by server {first} at {at:.1} s, unknown at {server}"
                );
                self.caller.watch.breach(Breach::Lost, what);
            }
            _ => self.caller.unexpected(Deed::SignIn, server, &answer),
        }
    }

    /// With another password, at any server: the name is taken.
    fn sign_up_under_a_taken_name(&mut self) {
        let Some(place) = self.any_certain_person() else { return };
        let name = &self.ledger.people[place].name;
        let form = form(name, "password-of-another");
        let server = self.any_server();
        let Some(answer) = self.caller.ask(Deed::SignUp, server, "", &form, true) else { return };
        match answer.status {
            400 if answer.body == "Username already taken" => {}
            302 => {
                let name = &self.ledger.people[place].name;
                let what = format!("{name}, by another user at server {server}");
                self.caller.watch.breach(Breach::TakenTwice, what);
            }
            _ => self.caller.unexpected(Deed::SignUp, server, &answer),
        }
    }

    /// A page with a session that lives, or now and then with one that was signed out.
    fn view(&mut self) {
        let state = if self.dice.falls(10) { State::Gone } else { State::Live };
        let server = self.any_server();
        if let Some(place) = self.any_session(state) {
            self.view_session(place, server);
        }
    }

    fn view_session(&mut self, place: usize, server: usize) {
        let keep = self.dice.falls(70);
        let session = &mut self.ledger.sessions[place];
        let answer = self.caller.ask(Deed::Page, server, &session.cookie, "", keep);
        let Some(answer) = answer else { return };
        let name = &self.ledger.people[session.person].name;
        let (last, at) = (session.server, session.at.as_secs_f64());
        let what =
            format!("a session of {name}, known at server {last} at {at:.1} s, asked at {server}");
        match (session.state, answer.status) {
            (State::Gone, 302) => {}
            (State::Gone, 200) => {
                session.state = State::Lost;
                self.caller.watch.breach(Breach::Resurrected, what);
            }
            (State::Live, 302) => {
                session.state = State::Lost;
                self.caller.watch.breach(Breach::Lost, what);
            }
            (State::Live, 200) if is_profile_of(&answer, name) => {}
            _ => self.caller.unexpected(Deed::Page, server, &answer),
        }
    }

    /// One whose sign-out was uncertain, or any. Once it is acknowledged, no other server knows it.
    fn sign_out(&mut self) {
        let leaving = if self.dice.falls(50) { self.any_session(State::Leaving) } else { None };
        let Some(place) = leaving.or_else(|| self.any_session(State::Live)) else { return };
        let server = self.any_server();
        let keep = self.dice.falls(70);
        let session = &mut self.ledger.sessions[place];
        let answer = self.caller.ask(Deed::SignOut, server, &session.cookie, "", keep);
        let now = self.caller.watch.now();
        let before = (session.state, session.server, session.at);
        (session.server, session.at) = (server, now);
        match answer.as_ref().map(|it| it.status) {
            None => session.state = State::Leaving,
            Some(302) => session.state = State::Gone,
            Some(401) if before.0 == State::Leaving => session.state = State::Gone,
            Some(401) => {
                session.state = State::Lost;
                let (name, at) = (&self.ledger.people[session.person].name, before.2.as_secs_f64());
                let what = format!(
                    "a session of {name}, known at server {} at {at:.1} s, at the sign-out at {server}",
                    before.1
                );
                self.caller.watch.breach(Breach::Lost, what);
            }
            Some(_) => {
                self.caller.unexpected(Deed::SignOut, server, &answer.expect("it has a status"));
            }
        }
        if self.ledger.sessions[place].state == State::Gone {
            let other = self.another_server(server);
            self.view_session(place, other);
        }
    }
}

/// Stays with one server and asks it for the same page all the time.
pub fn stay(
    watch: &Watch,
    ports: [u16; SERVERS],
    server: usize,
    name: &str,
    stop: &AtomicBool,
) -> Ledger {
    let mut caller = Caller::new(watch, ports);
    let mut ledger = Ledger::default();
    let password = "password-of-a-stayer".to_owned();
    let form = form(name, &password);
    let cookie =
        caller.insist(Deed::SignUp, server, "", &form).and_then(|(answer, _)| answer.cookie);
    let Some(cookie) = cookie else { return ledger };
    let at = watch.now();
    let name = name.to_owned();
    ledger.people.push(Person { name, password, is_certain: true, sign_ins: 1, server, at });
    ledger.sessions.push(Session { person: 0, cookie, state: State::Live, server, at });
    let (person, session) = (&ledger.people[0], &mut ledger.sessions[0]);
    while !stop.load(Ordering::Relaxed) {
        if let Some(answer) = caller.ask(Deed::Page, server, &session.cookie, "", true)
            && !is_profile_of(&answer, &person.name)
        {
            session.state = State::Lost;
            watch.breach(Breach::Lost, format!("the session of {}", person.name));
            break;
        }
        thread::sleep(STAYER_PAUSE);
    }
    ledger
}

/// Asks one server every second whether it is well.
pub fn ask_for_health(watch: &Watch, ports: [u16; SERVERS], server: usize, stop: &AtomicBool) {
    let mut caller = Caller::new(watch, ports);
    while !stop.load(Ordering::Relaxed) {
        let start = watch.now();
        let answer = caller.ask_plainly(Deed::Health, server, "", "", false);
        let took = watch.since(start);
        let status = answer.map_or_else(|it| it.name().to_owned(), |it| it.status.to_string());
        if !matches!(&*status, "200" | "503") || took > HEALTH_PATIENCE {
            let what = format!("server {server}: {status} after {:.2} s", took.as_secs_f64());
            watch.breach(Breach::Unwell, what);
        }
        thread::sleep(Duration::from_secs(1).saturating_sub(took));
    }
}
