//! Background work: deleting expired rows, writing uses of sessions, checking the database connection, and
//! reporting that the clock was set back.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::auth::events::Event;
use crate::base::clock::{ClockJudge, ClockWorth, Moment, Watch};
use crate::base::log_fields;
use crate::server::Shared;
use crate::server::log::{LineKind, Log};
use crate::server::program_events::ProgramEvent;
use crate::store::{self, Record, Tended};
use crate::web::Site;

/// How often expired rows are looked for.
const SWEEP: Duration = Duration::from_secs(10 * 60);

/// How old the note may be of when the clock was last believed, before it is renewed.
const NOTE: Duration = Duration::from_secs(5 * 60);

/// How long the writer of uses waits for one before it checks for shutdown; and its pause after the
/// database could not be written.
pub(super) const USES_WAIT: Duration = Duration::from_secs(1);
const USES_PAUSE: Duration = Duration::from_millis(250);

/// How often the connection to the database is checked.
const TEND: Duration = Duration::from_secs(5);

/// The background work, on a thread of its own, as the database may be slow. Ends when the other end of
/// `leave` is dropped.
pub(super) fn run(shared: &Shared, leave: &Receiver<()>) {
    let mut sweep_at = Instant::now();
    let mut watch = Watch::new(Moment::now(), Instant::now());
    let mut judge = ClockJudge::default();
    loop {
        let now = Moment::now();
        if let Some(step) = watch.step_back(now, Instant::now()) {
            tell_step_back(&shared.site, &shared.log, step, now);
        }
        if sweep_at <= Instant::now() {
            sweep_at = Instant::now() + sweep_if_believed(shared, &mut judge, now);
        }
        match shared.site.tend() {
            Tended::Unchanged => {}
            Tended::Lost(cause) => shared.say(ProgramEvent::DbLost, &[("cause", &cause)]),
            Tended::Recovered => shared.say(ProgramEvent::DbRecovered, &[]),
        }
        if let Some(metrics) = &shared.metrics {
            metrics.survey(&shared.site, Moment::now());
        }
        shared.audit.settle(Moment::now());
        let wait = TEND.min(sweep_at.saturating_duration_since(Instant::now()));
        if leave.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// Deletes what has expired, unless the clock may be wrong: what is deleted under a wrong clock cannot be had
/// back, such as the audit log, reserved names and sessions. Returns how long to wait before the next round.
fn sweep_if_believed(shared: &Shared, judge: &mut ClockJudge, now: Moment) -> Duration {
    match judge_clock(shared, judge, now) {
        Ok(ClockWorth::Right | ClockWorth::Behind) => sweep(shared),
        Ok(ClockWorth::FarAhead { by, is_news }) => {
            if is_news {
                let seconds = by.as_secs().to_string();
                let hint = "no server ran for so long, or the clock is wrong: nothing is deleted until one has \
                            run for an hour without a restart";
                shared.say(ProgramEvent::SweepHeld, &[("seconds", &seconds), ("hint", hint)]);
            }
            SWEEP
        }
        Err(err) => {
            shared.say(ProgramEvent::SweepFailed, &[("cause", &err.to_string())]);
            SWEEP
        }
    }
}

/// Judges the clock. That it is believed is noted in the database, for later starts and other servers.
fn judge_clock(
    shared: &Shared,
    judge: &mut ClockJudge,
    now: Moment,
) -> Result<ClockWorth, store::Error> {
    let believed_at = shared.site.clock_believed_at()?;
    let worth = judge.judge(believed_at, now, Instant::now());
    let is_noted = believed_at.is_some_and(|it| it.has_passed(now) && it.until(now) < NOTE);
    if worth == ClockWorth::Right && !is_noted && !shared.site.believe_clock(believed_at, now)? {
        // Another server was quicker, and its clock may show something else.
        let believed_at = shared.site.clock_believed_at()?;
        return Ok(judge.judge(believed_at, now, Instant::now()));
    }
    Ok(worth)
}

/// Compares the clock with the moment of the last record of the audit log, written before this start, and logs
/// it if the clock shows less. To be called before anything is recorded at this start.
pub fn compare_clock(site: &Site, log: &Log, now: Moment) {
    // An error in reading the log is logged where the log is written.
    let Ok(Some(last)) = site.last_record() else { return };
    if !last.at.has_passed(now) {
        tell_step_back(site, log, now.until(last.at), now);
    }
    // A database that only commands or older servers have used so far.
    if site.clock_believed_at() == Ok(None)
        && let Err(err) = site.believe_clock(None, last.at.min(now))
    {
        log.write(
            LineKind::Program,
            ProgramEvent::SweepFailed,
            &[("cause", &err.to_string())],
            now,
        );
    }
}

/// For the operator, who may wonder why sessions and links that were created under the later clock are
/// invalid.
fn tell_step_back(site: &Site, log: &Log, step: Duration, now: Moment) {
    let seconds = step.as_secs().to_string();
    let facts = [("seconds", &*seconds)];
    log.write(LineKind::Program, Event::ClockWentBack, &facts, now);
    let record = Record::of_program(Event::ClockWentBack.name(), log_fields::text(&facts), now);
    if let Err(err) = site.keep(&[record]) {
        log.write(
            LineKind::Program,
            ProgramEvent::AuditFailed,
            &[("cause", &err.to_string())],
            now,
        );
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
                shared.log.write(
                    LineKind::Request,
                    ProgramEvent::UsesFailed,
                    &facts,
                    Moment::now(),
                );
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
            shared.say(ProgramEvent::Swept, &[("rows", &count.to_string())]);
            Duration::ZERO
        }
        Err(err) => {
            // Expired rows do no harm; the next round deletes them.
            shared.say(ProgramEvent::SweepFailed, &[("cause", &err.to_string())]);
            SWEEP
        }
    }
}
