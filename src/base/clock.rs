//! Points in time, and how a time that was recorded under a wrong clock is treated.
//!
//! A [`Moment`] is a number of milliseconds. It is read once per request in `server` and passed down as an
//! argument, so that every rule about time can be tested without waiting. Nothing else in the crate reads
//! the clock.
//!
//! A machine's clock can be wrong for a while: a battery is empty, a virtual machine wakes up, an operator
//! mistypes a year. What is recorded in that time outlasts it. One rule holds on both engines and in
//! `auth`: a recorded time more than [`SKEW_MAX`] ahead of now has not happened yet
//! ([`Moment::has_passed`]). A session, a link or an access token created then is invalid; failures counted
//! then are treated as failures of now.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The largest difference allowed between the clocks of two servers on one database. A recorded time
/// further ahead than this was written under a wrong clock.
pub const SKEW_MAX: Duration = Duration::from_secs(5 * 60);

/// A step back by less than this is not reported: time synchronisation makes such steps.
const STEP_MIN: Duration = Duration::from_secs(10);

/// A step forward of this much may be an error. Nothing is deleted for a while after it, as a deletion
/// cannot be undone.
pub const LEAP_MIN: Duration = Duration::from_secs(24 * 60 * 60);

/// The last millisecond of the year 9999.
const PRINTED_MAX: u64 = 253_402_300_799_999;

/// A point in time: milliseconds since 1970-01-01 00:00 UTC, the unit Lucia stores expiries in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Moment(i64);

impl Moment {
    /// The current time of the system clock. A clock that is set before 1970 reads as 1970.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(millis(since))
    }

    /// The moment that lies `millis` milliseconds after 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01 00:00 UTC.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// RFC 3339 with milliseconds, for programs: `2026-11-25T14:30:00.000Z`.
    pub fn rfc3339(self) -> String {
        humantime::format_rfc3339_millis(self.into()).to_string()
    }

    /// Rounded down to the minute, for people: `2026-11-25 14:30 UTC`.
    pub fn minute(self) -> String {
        let text = humantime::format_rfc3339_seconds(self.into()).to_string();
        let (date, time) = text.split_at(10);
        format!("{date} {} UTC", &time[1..6])
    }

    /// The moment `span` later. Saturates at the largest value.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// The moment `span` earlier. Saturates at the smallest value.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// Whether an event recorded for this moment can have happened by `now`. `false`: the moment lies more
    /// than [`SKEW_MAX`] ahead, so it was recorded under a wrong clock.
    pub fn has_passed(self, now: Self) -> bool {
        self <= now.latest_past()
    }

    /// The latest moment for which [`Moment::has_passed`] holds if `self` is now. For SQL, which cannot
    /// call that method.
    #[must_use]
    pub fn latest_past(self) -> Self {
        self.after(SKEW_MAX)
    }

    /// The time from this moment until `later`; zero if `later` is not later.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }
}

/// A change of the system clock that its normal running does not explain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockStep {
    /// It was set back by this much.
    Back(Duration),
    /// It was set forward by this much, which is [`LEAP_MIN`] or more.
    Forward(Duration),
}

/// Detects changes of the system clock by comparing it with the monotonic clock, which nothing can set.
pub struct Watch {
    moment: Moment,
    instant: Instant,
}

impl Watch {
    /// Starts watching. `moment` is read from the system clock and `instant` from the monotonic one, at the
    /// same time.
    pub const fn new(moment: Moment, instant: Instant) -> Self {
        Self { moment, instant }
    }

    /// The change of the clock since the last call. `None` if there was none, or one too small to report.
    pub fn step(&mut self, moment: Moment, instant: Instant) -> Option<ClockStep> {
        let expected = self.moment.after(instant.saturating_duration_since(self.instant));
        *self = Self { moment, instant };
        let (back, forward) = (moment.until(expected), expected.until(moment));
        if back >= STEP_MIN {
            Some(ClockStep::Back(back))
        } else {
            (forward >= LEAP_MIN).then_some(ClockStep::Forward(forward))
        }
    }
}

impl From<Moment> for SystemTime {
    /// For libraries that format dates and support the years 1970 to 9999 only: a moment outside is
    /// formatted as the nearer limit.
    fn from(moment: Moment) -> Self {
        let millis = u64::try_from(moment.0).unwrap_or(0).min(PRINTED_MAX);
        UNIX_EPOCH + Duration::from_millis(millis)
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_and_measures_in_milliseconds() {
        let noon = Moment::from_millis(1_000);
        let later = noon.after(Duration::from_millis(250));
        assert_eq!(later.millis(), 1_250);
        assert_eq!(noon.until(later), Duration::from_millis(250));
        assert_eq!(later.until(noon), Duration::ZERO);
    }

    #[test]
    fn takes_nothing_for_past_that_lies_further_ahead_than_clocks_differ() {
        let now = Moment::from_millis(1_795_507_200_000);
        let minute = Duration::from_secs(60);
        for past in [now, now.before(400 * minute), now.after(minute), now.after(5 * minute)] {
            assert!(past.has_passed(now));
        }
        for hours in [2, 8, 24, 10 * 365 * 24] {
            assert!(!now.after(60 * hours * minute).has_passed(now), "{hours} h");
        }
        assert!(!now.latest_past().after(Duration::from_millis(1)).has_passed(now));
        let end = Moment::from_millis(i64::MAX);
        assert!(end.has_passed(end) && !end.has_passed(now));
    }

    #[test]
    fn notices_once_that_the_clock_was_set_back_or_far_forward() {
        let (noon, began) = (Moment::from_millis(1_000_000_000), Instant::now());
        let seconds = Duration::from_secs;
        let mut watch = Watch::new(noon, began);
        assert_eq!(watch.step(noon.after(seconds(5)), began + seconds(5)), None);
        let back = noon.before(seconds(3_600));
        assert_eq!(watch.step(back, began + seconds(10)), Some(ClockStep::Back(seconds(3_610))));
        assert_eq!(watch.step(back.after(seconds(5)), began + seconds(15)), None);
        let forward = noon.after(seconds(7_200));
        assert_eq!(watch.step(forward, began + seconds(20)), None);
        assert_eq!(watch.step(noon, began + seconds(25)), Some(ClockStep::Back(seconds(7_205))));
        let leap = noon.after(10 * LEAP_MIN);
        assert_eq!(
            watch.step(leap, began + seconds(26)),
            Some(ClockStep::Forward(seconds(10 * 86_400 - 1)))
        );
        assert!(watch.step(noon, began + seconds(27)).is_some());
        // A small correction, as time synchronisation makes it, is not reported.
        assert_eq!(watch.step(noon.before(seconds(4)), began + seconds(30)), None);
    }

    #[test]
    fn tells_people_the_minute() {
        assert_eq!(Moment::from_millis(1_795_507_259_999).minute(), "2026-11-24 08:00 UTC");
    }

    #[test]
    fn prints_every_moment_there_is() {
        for millis in [i64::MIN, -1, 0, 253_402_300_799_999, 253_402_300_800_000, i64::MAX] {
            let moment = Moment::from_millis(millis);
            assert_eq!(moment.rfc3339().len(), "2026-11-25T14:30:00.000Z".len());
            assert_eq!(moment.minute().len(), "2026-11-25 14:30 UTC".len());
            assert_eq!(httpdate::fmt_http_date(moment.into()).len(), 29);
        }
        assert!(Moment::from_millis(i64::MAX).rfc3339().starts_with("9999-12-31T23:59:59.999"));
    }

    #[test]
    fn saturates_at_the_end_of_time() {
        assert_eq!(Moment::from_millis(5).after(Duration::MAX).millis(), i64::MAX);
        let end = SystemTime::from(Moment::from_millis(-1));
        assert_eq!(end, UNIX_EPOCH);
    }
}
