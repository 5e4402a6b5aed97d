//! Background work: deleting expired rows, writing uses of sessions, checking the database connection, and
//! reporting that the clock was set back.

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

/// How often expired rows are looked for.
const SWEEP: Duration = Duration::from_secs(10 * 60);

/// How long nothing is deleted after the clock has gone forward by a day or more, at once or while no
/// server ran. Rows deleted under a wrong clock are lost: the audit log, reserved names, sessions.
const HOLD: Duration = Duration::from_secs(60 * 60);

/// How long the writer of uses waits for one before it checks for shutdown; and its pause after the
/// database could not be written.
pub(super) const USES_WAIT: Duration = Duration::from_secs(1);
const USES_PAUSE: Duration = Duration::from_millis(250);

/// How often the connection to the database is checked.
const TEND: Duration = Duration::from_secs(5);

/// The background work, on a thread of its own, as the database may be slow. Ends when the other end of
/// `leave` is dropped.
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

/// The clock at start, compared with the last record of the audit log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockAtStart {
    /// It is later than the last record, by less than a day; or there is no record.
    Plausible,
    /// It is a day or more after the last record: no server ran meanwhile, or the clock is wrong.
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

/// Compares the clock with the time of the last record in the audit log, written by this server before it
/// was stopped or by another one, and reports if the clock is behind it. The report is itself a record, so
/// that the next start does not repeat it.
pub fn compare_clock(site: &Site, log: &Log, now: Moment) -> ClockAtStart {
    // A failure to read the log is reported when it is written.
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

/// For the operator, who may wonder why sessions and links that were created under the later clock are
/// invalid.
fn tell_step_back(site: &Site, log: &Log, step: Duration, now: Moment) {
    let seconds = step.as_secs().to_string();
    let facts = [("seconds", &*seconds)];
    log.write(LineKind::Program, Event::ClockWentBack.name(), &facts, now);
    let record = Record::of_program(Event::ClockWentBack.name(), log::fields(&facts), now);
    if let Err(err) = site.keep(&[record]) {
        log.write(LineKind::Program, "audit_failed", &[("cause", &err.to_string())], now);
    }
}

/// Writes uses of sessions and access tokens, on a thread of its own, until shutdown.
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

/// Deletes a batch of expired rows, and returns how long to wait before the next one.
fn sweep(shared: &Shared) -> Duration {
    match shared.site.sweep(Moment::now()) {
        Ok(0) => SWEEP,
        Ok(count) => {
            shared.say("swept", &[("rows", &count.to_string())]);
            Duration::ZERO
        }
        Err(err) => {
            // Expired rows do no harm; the next round deletes them.
            shared.say("sweep_failed", &[("cause", &err.to_string())]);
            SWEEP
        }
    }
}
