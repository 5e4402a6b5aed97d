//! What nobody waits for: deleting what is dead, writing down that sessions were used, looking after the
//! database, and telling that the clock went back.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::auth::events::Event;
use crate::base::clock::{ClockStep, LEAP_MIN, Moment, Watch};
use crate::server::Shared;
use crate::server::log::{self, LineKind, Log};
use crate::store::{self, Record, Tended};
use crate::web::Site;

/// How often what is dead or forgotten is looked for.
const SWEEP: Duration = Duration::from_secs(10 * 60);

/// How long nothing is deleted after the clock has gone forward by a day or more, at once or while nothing was
/// served. What is deleted under a wrong clock cannot be had back: the audit log, reserved names, sessions.
const HOLD: Duration = Duration::from_secs(60 * 60);

/// How long it is waited for a session to be used before it is seen whether serving goes on; and how long
/// nothing is tried when it cannot be written down.
pub(super) const USES_WAIT: Duration = Duration::from_secs(1);
const USES_PAUSE: Duration = Duration::from_millis(250);

/// How often the way to the database is looked after.
const TEND: Duration = Duration::from_secs(5);

/// Looks after what nobody waits for, on a thread of its own, as the database may take its time; until the
/// other end of `leave` is gone.
pub(super) fn run(shared: &Shared, clock: ClockAtStart, leave: &Receiver<()>) {
    let mut sweep_at = Instant::now() + clock.hold();
    let mut watch = Watch::new(Moment::now(), Instant::now());
    loop {
        let now = Moment::now();
        match watch.step(now, Instant::now()) {
            Some(ClockStep::Back(step)) => {
                tell_step_back(&shared.site, &shared.log, step, now);
            }
            Some(ClockStep::Forward(_)) => sweep_at = sweep_at.max(Instant::now() + HOLD),
            None => {}
        }
        if sweep_at <= Instant::now() {
            sweep_at = Instant::now() + sweep(shared);
        }
        match shared.site.tend() {
            Tended::Unchanged => {}
            Tended::Lost(cause) => shared.say("db_lost", &[("cause", &cause)]),
            Tended::Recovered => shared.say("db_recovered", &[]),
        }
        shared.audit.settle(Moment::now());
        let wait = TEND.min(sweep_at.saturating_duration_since(Instant::now()));
        if leave.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// How the clock stands at start, beside the last record of the audit log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockAtStart {
    /// Nothing speaks against it.
    Plausible,
    /// It is a day or more after the last record: nothing was served meanwhile, or the clock is wrong.
    FarAhead,
}

impl ClockAtStart {
    /// How long to wait before anything is deleted.
    const fn hold(self) -> Duration {
        match self {
            Self::Plausible => Duration::ZERO,
            Self::FarAhead => HOLD,
        }
    }
}

/// Compares the clock with the moment of the last record of the audit log, kept by this server before it was
/// stopped, or by another, and says so if the clock shows less. The next record tells the next start that it
/// was said.
pub fn compare_clock(site: &Site, log: &Log, now: Moment) -> ClockAtStart {
    // What keeps the log from being read is said where it is written.
    match site.last_record() {
        Ok(Some(last)) if !last.at.has_passed(now) => {
            tell_step_back(site, log, now.until(last.at), now);
            ClockAtStart::Plausible
        }
        Ok(Some(last)) if last.at.until(now) >= LEAP_MIN => {
            let seconds = last.at.until(now).as_secs().to_string();
            let hint = "nothing was recorded for so long, or the clock is wrong: nothing is deleted for an hour";
            let facts = [("seconds", &*seconds), ("hint", hint)];
            log.write(LineKind::Program, "sweep_held", &facts, now);
            ClockAtStart::FarAhead
        }
        _ => ClockAtStart::Plausible,
    }
}

/// For the operator, who wonders why sessions and links of the future are not good.
fn tell_step_back(site: &Site, log: &Log, step: Duration, now: Moment) {
    let seconds = step.as_secs().to_string();
    let facts = [("seconds", &*seconds)];
    log.write(LineKind::Program, Event::ClockWentBack.name(), &facts, now);
    let record = Record::of_program(Event::ClockWentBack.name(), log::fields(&facts), now);
    if let Err(err) = site.keep(&[record]) {
        log.write(LineKind::Program, "audit_failed", &[("cause", &err.to_string())], now);
    }
}

/// Writes down that sessions were used, on a thread of its own, until serving ends.
pub(super) fn write_uses(shared: &Shared) {
    while !shared.is_left.load(Ordering::Acquire) {
        shared.site.wait_for_uses(USES_WAIT);
        match shared.site.write_uses() {
            Ok(_) => {}
            Err(store::Error::Unavailable(_) | store::Error::Unknown(_)) => {
                thread::sleep(USES_PAUSE);
            }
            Err(err) => {
                let facts = [("cause", &*err.to_string())];
                shared.log.write(LineKind::Request, "uses_failed", &facts, Moment::now());
                thread::sleep(USES_PAUSE);
            }
        }
    }
}

/// Deletes a batch of what is dead or forgotten, and says how long to wait before the next one.
fn sweep(shared: &Shared) -> Duration {
    match shared.site.sweep(Moment::now()) {
        Ok(0) => SWEEP,
        Ok(count) => {
            shared.say("swept", &[("rows", &count.to_string())]);
            Duration::ZERO
        }
        Err(err) => {
            // The dead do no harm; the next round has them.
            shared.say("sweep_failed", &[("cause", &err.to_string())]);
            SWEEP
        }
    }
}
