//! What happens to the nodes: never to two at once, so that a majority remains.

use std::thread;
use std::time::Duration;

use crate::dice::Dice;
use crate::store::{Store, script};
use crate::watch::Watch;

/// From the beginning of one fault to that of the next, at least.
const EVERY: Duration = Duration::from_secs(15);

/// Before the first.
const QUIET: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `kill -9`.
    Kill,
    /// An orderly stop, as for an upgrade.
    Shutdown,
    /// It hangs: connections are open, and nothing comes.
    Pause,
    /// The other nodes do not reach it; servers do.
    Part,
    /// It reaches the other nodes, and they do not reach it: what it sends last may be kept by them, and
    /// it does not know.
    Deafen,
    /// No client reaches it.
    Cut,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Kill, Self::Pause, Self::Shutdown, Self::Part, Self::Deafen, Self::Cut];

    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Shutdown => "shutdown",
            Self::Pause => "pause",
            Self::Part => "part",
            Self::Deafen => "deafen",
            Self::Cut => "cut",
        }
    }

    /// What `tests/galera.sh` calls its end.
    fn end(self) -> &'static str {
        match self {
            Self::Kill | Self::Shutdown => "rejoin",
            Self::Pause => "resume",
            Self::Part | Self::Deafen => "heal",
            Self::Cut => "plug",
        }
    }
}

/// One that was, from its beginning until all nodes were whole again.
pub struct Fault {
    pub kind: Kind,
    pub from: Duration,
    pub to: Duration,
}

/// Makes faults until the time is over, and leaves the cluster whole. A file has none.
///
/// `only` names the one kind there is to be.
pub fn run(
    store: &Store,
    watch: &Watch,
    dice: &mut Dice,
    seconds: u64,
    only: Option<&str>,
) -> Result<(), String> {
    let end = watch.now() + Duration::from_secs(seconds);
    let Store::Cluster { .. } = store else {
        thread::sleep(end.saturating_sub(watch.now()));
        return Ok(());
    };
    let has_network = std::env::var_os("GALERA_NETNS").is_some_and(|it| !it.is_empty());
    let is_meant = |kind: &Kind| match only {
        Some(name) => kind.name() == name,
        None => has_network || !matches!(kind, Kind::Part | Kind::Deafen | Kind::Cut),
    };
    let kinds: Vec<_> = Kind::ALL.into_iter().filter(is_meant).collect();
    if kinds.is_empty() {
        return Err("there is no such fault".to_owned());
    }
    thread::sleep(QUIET);
    let mut next = Vec::new();
    while watch.now() < end {
        let start = watch.now();
        // Each kind comes before any comes again.
        if next.is_empty() {
            next.clone_from(&kinds);
        }
        let kind = next.swap_remove(dice.below(next.len()));
        one(store, watch, dice, kind)?;
        let rest = EVERY.saturating_sub(watch.since(start)).min(end.saturating_sub(watch.now()));
        thread::sleep(rest);
    }
    Ok(())
}

fn one(store: &Store, watch: &Watch, dice: &mut Dice, kind: Kind) -> Result<(), String> {
    let nodes = store.nodes();
    // The one in use feels it most. All dice are thrown in any case, for the sake of the seed.
    let (any, wants_busiest) = (dice.pick(&nodes), dice.falls(60));
    let lasts = Duration::from_millis(3_000 + dice.below(9_000) as u64);
    let busiest = store.busiest();
    let node = busiest.filter(|_| wants_busiest).unwrap_or(any);
    let from = watch.now();
    let use_of_it = if busiest == Some(node) { ", the one in use" } else { "" };
    println!(
        "{:6.1} s  {} of node {node}{use_of_it}, for {:.1} s",
        from.as_secs_f64(),
        kind.name(),
        lasts.as_secs_f64()
    );
    let node = node.to_string();
    script(&[kind.name(), &node])?;
    thread::sleep(lasts);
    script(&[kind.end(), &node])?;
    script(&["settle"])?;
    let to = watch.now();
    println!("{:6.1} s  all nodes are whole", to.as_secs_f64());
    watch.fault(Fault { kind, from, to });
    Ok(())
}
