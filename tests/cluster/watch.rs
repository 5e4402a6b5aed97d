//! What is seen while the load runs: answers, silences, and what must not be.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::faults::Fault;
use crate::web::SERVERS;

/// Breaches that are told one by one; of the others only the number.
const TOLD_MAX: usize = 20;

/// How long after its end a silence is still the fault's.
const AFTERMATH: Duration = Duration::from_secs(8);

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Deed {
    Page,
    SignUp,
    SignIn,
    SignOut,
    Health,
}

/// What must never be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breach {
    /// What was acknowledged is not there.
    Lost,
    /// A session that was signed out lets a client in.
    Resurrected,
    /// Two people were told that a name is theirs.
    TakenTwice,
    /// A name is taken that no user has.
    TakenWithoutOwner,
    /// Nodes or servers do not have the same, or a user is there without their key.
    Unequal,
    /// `/healthz` was slow, or did not answer.
    Unwell,
    /// A mail was sent twice, though no server died in it.
    SentTwice,
    /// An answer that the contract does not have.
    Unexpected,
}

impl Breach {
    const ALL: [Self; 8] = [
        Self::Lost,
        Self::Resurrected,
        Self::TakenTwice,
        Self::TakenWithoutOwner,
        Self::Unequal,
        Self::Unwell,
        Self::SentTwice,
        Self::Unexpected,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Resurrected => "sign-outs undone",
            Self::TakenTwice => "names taken twice",
            Self::TakenWithoutOwner => "names taken without an owner",
            Self::Unequal => "unequal",
            Self::Unwell => "/healthz slow or silent",
            Self::SentTwice => "mails sent twice",
            Self::Unexpected => "answers out of contract",
        }
    }
}

/// Shared by all clients.
pub struct Watch {
    began: Instant,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// How often each deed came to what.
    outcomes: BTreeMap<(Deed, String), u64>,
    /// When each server answered a page; and when it acknowledged a write.
    pages: [Vec<Duration>; SERVERS],
    writes: Vec<Duration>,
    /// The slowest of each: how long, when it began, at which server.
    slowest: BTreeMap<Deed, (Duration, Duration, usize)>,
    breaches: Vec<(Breach, Duration, String)>,
    faults: Vec<Fault>,
}

impl Watch {
    pub fn new() -> Self {
        Self { began: Instant::now(), seen: Mutex::default() }
    }

    /// How long it has run.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// How long it is since then.
    pub fn since(&self, then: Duration) -> Duration {
        self.now().saturating_sub(then)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no thread panics with it")
    }

    /// Notes an answer, or that there was none. `is_done` says whether it is a success.
    pub fn note(&self, deed: Deed, server: usize, start: Duration, outcome: &str, is_done: bool) {
        let now = self.now();
        let mut seen = self.seen();
        *seen.outcomes.entry((deed, outcome.to_owned())).or_default() += 1;
        let slowest = seen.slowest.entry(deed).or_default();
        *slowest = (*slowest).max((now.saturating_sub(start), start, server));
        if is_done {
            match deed {
                Deed::Page => seen.pages[server].push(now),
                Deed::Health => {}
                _ => seen.writes.push(now),
            }
        }
    }

    pub fn breach(&self, breach: Breach, what: String) {
        let now = self.now();
        let mut seen = self.seen();
        let known = seen.breaches.iter().filter(|(it, ..)| *it == breach).count();
        if known < TOLD_MAX {
            eprintln!("{:6.1} s  BREACH, {}: {what}", now.as_secs_f64(), breach.name());
        }
        seen.breaches.push((breach, now, what));
    }

    pub fn fault(&self, fault: Fault) {
        self.seen().faults.push(fault);
    }

    /// Prints everything; whether nothing was breached.
    pub fn report(&self) -> bool {
        let seen = self.seen();
        println!("\nanswers");
        for ((deed, outcome), count) in &seen.outcomes {
            println!("  {:8} {outcome:30} {count:>8}", format!("{deed:?}"));
        }
        println!("slowest");
        for (deed, (took, start, server)) in &seen.slowest {
            let (took, start) = (took.as_secs_f64(), start.as_secs_f64());
            println!(
                "  {:8} {took:6.2} s, asked at {start:.1} s of server {server}",
                format!("{deed:?}")
            );
        }
        seen.report_silences();
        println!("breaches");
        for breach in Breach::ALL {
            let count = seen.breaches.iter().filter(|(it, ..)| *it == breach).count();
            println!("  {:24} {count}", breach.name());
        }
        seen.breaches.is_empty()
    }
}

impl Seen {
    /// The longest time between two answers, while nothing was wrong and under each kind of fault.
    fn report_silences(&self) {
        println!("longest silence, s");
        let mut all: Vec<_> = self.pages.concat();
        all.sort();
        let mut lines: Vec<(String, &[Duration])> = Vec::new();
        for (server, times) in self.pages.iter().enumerate() {
            lines.push((format!("pages of server {server}"), times));
        }
        lines.push(("pages of any server".to_owned(), &all));
        lines.push(("writes at any server".to_owned(), &self.writes));
        for (what, times) in lines {
            let mut longest: BTreeMap<&str, Duration> = BTreeMap::new();
            for pair in times.windows(2) {
                let gap = pair[1].saturating_sub(pair[0]);
                let longest = longest.entry(self.cause(pair[0], pair[1])).or_default();
                *longest = gap.max(*longest);
            }
            let told: Vec<_> = longest
                .iter()
                .map(|(kind, gap)| format!("{kind} {:.2}", gap.as_secs_f64()))
                .collect();
            println!("  {what:22} {}", told.join(", "));
        }
    }
    /// The fault that most of this time belongs to. What follows a fault is its own until the next.
    fn cause(&self, from: Duration, to: Duration) -> &'static str {
        let nexts = self.faults.iter().skip(1).map(|it| it.from).chain([Duration::MAX]);
        let spans = self.faults.iter().zip(nexts);
        let shared = spans.map(|(it, next)| {
            let end = (it.to + AFTERMATH).min(next).min(to);
            (end.saturating_sub(it.from.max(from)), it.kind.name())
        });
        let most = shared.max_by_key(|(shared, _)| *shared);
        most.filter(|(shared, _)| !shared.is_zero()).map_or("none", |(_, name)| name)
    }
}
