//! Points in time, and what is believed of one that was written under a wrong clock.
//!
//! A [`Moment`] is a number of milliseconds, read once per request by the shell and handed down as an
//! argument, so that every rule about time can be tested without waiting. Nothing else in the crate
//! reads the clock.
//!
//! A machine's clock can be wrong for a while: a battery is empty, a virtual machine wakes up, an
//! operator mistypes a year. What is written then outlasts it. One rule decides for both engines and for
//! the auth layer what such a row is worth: what is said to have happened more than [`SKEW_MAX`] from now
//! has not happened yet ([`Moment::has_passed`]). A session, a link or an access token that was made then
//! is not good; failures that are counted then count as if they were of now.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How far the clocks of two servers on one database may differ. A recorded past that lies further ahead
/// was written under a wrong clock.
pub const SKEW_MAX: Duration = Duration::from_secs(5 * 60);

/// A step back by less than this is no news: it is how clocks are kept right.
const STEP_MIN: Duration = Duration::from_secs(10);

/// A clock that has gone forward by this much at once may be wrong, and is not believed at once where what
/// is deleted cannot be had back.
pub const LEAP_MIN: Duration = Duration::from_secs(24 * 60 * 60);

/// The last millisecond of the year 9999.
const PRINTED_MAX: u64 = 253_402_300_799_999;

/// A point in time: milliseconds since 1970-01-01 00:00 UTC, the unit Lucia stores expiries in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Moment(i64);

impl Moment {
    /// The present, by the system's clock. A clock that stands before 1970 reads as 1970.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(millis(since))
    }

    /// The moment that lies `millis` milliseconds after 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// A date with a time, as programs write them: `2026-11-25T14:30:00.000Z` (RFC 3339), or with a space
    /// for the `T` and no `Z`. `None` if it is none, or lies before 1970.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let time = humantime::parse_rfc3339_weak(text).ok()?;
        Some(Self(millis(time.duration_since(UNIX_EPOCH).ok()?)))
    }

    /// For programs: `2026-11-25T14:30:00.000Z` (RFC 3339).
    pub fn rfc3339(self) -> String {
        humantime::format_rfc3339_millis(self.into()).to_string()
    }

    /// The minute it is in, for people: `2026-11-25 14:30 UTC`.
    pub fn minute(self) -> String {
        let text = humantime::format_rfc3339_seconds(self.into()).to_string();
        let (date, time) = text.split_at(10);
        format!("{date} {} UTC", &time[1..6])
    }

    /// The moment `span` later. The far end of time is never passed: it saturates.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// The moment `span` earlier; saturates as [`Moment::after`] does.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// Whether something that is recorded for this moment can have happened by `now`. `false`: it lies
    /// more than [`SKEW_MAX`] ahead, and so was written under a wrong clock.
    pub fn has_passed(self, now: Self) -> bool {
        self <= now.latest_past()
    }

    /// The latest moment that [`Moment::has_passed`] when it is now: the rule for a statement in SQL.
    #[must_use]
    pub fn latest_past(self) -> Self {
        self.after(SKEW_MAX)
    }

    /// How long it is from here until `later`; zero when `later` has passed already.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }
}

/// A step of the machine's clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockStep {
    /// It was set back by this much.
    Back(Duration),
    /// It was set forward by this much, which is [`LEAP_MIN`] or more.
    Forward(Duration),
}

/// Watches whether the machine's clock is set, by comparing it with one that nobody can set.
pub struct Watch {
    moment: Moment,
    instant: Instant,
}

impl Watch {
    /// A watch that begins when it is `moment` by the one clock and `instant` by the other.
    pub const fn new(moment: Moment, instant: Instant) -> Self {
        Self { moment, instant }
    }

    /// How the clock was set since this was last asked; `None`: it was not, or only by so little that it is
    /// no news. Each step is told once.
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
    /// For libraries that print dates, and know none before 1970 or after 9999: what lies beyond is
    /// printed as the nearer end.
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
        // What keeps a clock right is no news.
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
