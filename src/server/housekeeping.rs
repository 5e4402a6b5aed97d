//! What nobody waits for: deleting what is dead, writing down that sessions were used, looking after the
//! database, and telling that the clock went back.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::auth::events::Event;
use crate::base::clock::{Moment, Watch};
use crate::server::Shared;
use crate::server::log::{self, LineKind, Log};
use crate::store::{self, Record, Tended};
use crate::web::Site;

/// How often what is dead or forgotten is looked for.
const SWEEP: Duration = Duration::from_secs(10 * 60);

/// How long it is waited for a session to be used before it is seen whether serving goes on; and how long
/// nothing is tried when it cannot be written down.
pub(super) const USES_WAIT: Duration = Duration::from_secs(1);
const USES_PAUSE: Duration = Duration::from_millis(250);

/// How often the way to the database is looked after.
const TEND: Duration = Duration::from_secs(5);

/// Looks after what nobody waits for, on a thread of its own, as the database may take its time; until the
/// other end of `leave` is gone.
pub(super) fn run(shared: &Shared, leave: &Receiver<()>) {
    let mut sweep_at = Instant::now();
    let mut watch = Watch::new(Moment::now(), Instant::now());
    loop {
        let now = Moment::now();
        if let Some(step) = watch.step_back(now, Instant::now()) {
            tell_step_back(&shared.site, &shared.log, step, now);
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

/// Says so if the clock shows less than it did when the last record of the audit trail was kept: by this
/// server before it was stopped, or by another. The next record tells the next start that it was said.
pub fn compare_clock(site: &Site, log: &Log, now: Moment) {
    // What keeps the trail from being read is said where it is written.
    if let Ok(Some(last)) = site.last_record()
        && !last.at.has_passed(now)
    {
        tell_step_back(site, log, now.until(last.at), now);
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
