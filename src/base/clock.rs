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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Moment(i64);

impl Moment {
    /// Stands for what never happened: it is stored as 0.
    pub const NEVER: Self = Self(0);

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

    /// A date and a time in UTC, as in `2026-11-25T14:30:00.000Z` (RFC 3339). `None` if it is none, or before
    /// 1970.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let time = humantime::parse_rfc3339(text).ok()?;
        Some(Self(millis(time.duration_since(UNIX_EPOCH).ok()?)))
    }

    /// RFC 3339 with milliseconds, for programs: `2026-11-25T14:30:00.000Z`.
    pub fn rfc3339(self) -> String {
        humantime::format_rfc3339_millis(self.into()).to_string()
    }

    /// RFC 3339, rounded down to the second: `2026-11-25T14:30:00Z`.
    pub fn second(self) -> String {
        humantime::format_rfc3339_seconds(self.into()).to_string()
    }

    /// Rounded down to the minute, for people: `2026-11-25 14:30 UTC`.
    pub fn minute(self) -> String {
        let text = self.second();
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

/// How long a clock that shows something else than it should has to run before it is believed.
pub const DOUBT: Duration = Duration::from_secs(60 * 60);

/// Watches whether the machine's clock is set back, by comparing it with one that cannot be set.
pub struct Watch {
    moment: Moment,
    instant: Instant,
}

impl Watch {
    /// A watch that begins when it is `moment` by the one clock and `instant` by the other.
    pub const fn new(moment: Moment, instant: Instant) -> Self {
        Self { moment, instant }
    }

    /// By how much the clock was set back since the last call; `None`: it was not, or only by so little that it
    /// is no news. Each step is returned once.
    pub fn step_back(&mut self, moment: Moment, instant: Instant) -> Option<Duration> {
        let expected = self.moment.after(instant.saturating_duration_since(self.instant));
        *self = Self { moment, instant };
        Some(moment.until(expected)).filter(|it| *it >= STEP_MIN)
    }
}

/// Judges the machine's clock by the moment at which it was last believed, possibly by another process.
#[derive(Default)]
pub struct ClockJudge {
    /// The moment for which the clock is doubted, and since when by a clock that cannot be set.
    doubt: Option<(Moment, Instant)>,
}

/// What a clock is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockWorth {
    /// It is believed.
    Right,
    /// It shows a day or more after the moment at which it was last believed: either no server ran meanwhile,
    /// or it is wrong. `is_news`: the previous judgement was another.
    FarAhead { by: Duration, is_news: bool },
    /// It shows a time that has passed already. What has expired by then has expired in any case.
    Behind,
}

impl ClockJudge {
    /// Judges the clock that shows `now` when it is `instant` by one that cannot be set. A clock that is doubted
    /// is believed after [`DOUBT`], unless another server has noted another `believed_at` meanwhile.
    pub fn judge(
        &mut self,
        believed_at: Option<Moment>,
        now: Moment,
        instant: Instant,
    ) -> ClockWorth {
        let agrees = |it: &Moment| it.until(now) < LEAP_MIN && it.has_passed(now);
        let Some(believed_at) = believed_at.filter(|it| !agrees(it)) else {
            self.doubt = None;
            return ClockWorth::Right;
        };
        let is_news = self.doubt.is_none();
        let since = match self.doubt {
            Some((of, since)) if of == believed_at => since,
            _ => instant,
        };
        self.doubt = Some((believed_at, since));
        if instant.saturating_duration_since(since) >= DOUBT {
            self.doubt = None;
            ClockWorth::Right
        } else if believed_at.has_passed(now) {
            ClockWorth::FarAhead { by: believed_at.until(now), is_news }
        } else {
            ClockWorth::Behind
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
    fn notices_once_that_the_clock_was_set_back() {
        let (noon, began) = (Moment::from_millis(1_000_000_000), Instant::now());
        let seconds = Duration::from_secs;
        let mut watch = Watch::new(noon, began);
        assert_eq!(watch.step_back(noon.after(seconds(5)), began + seconds(5)), None);
        let back = noon.before(seconds(3_600));
        assert_eq!(watch.step_back(back, began + seconds(10)), Some(seconds(3_610)));
        assert_eq!(watch.step_back(back.after(seconds(5)), began + seconds(15)), None);
        assert_eq!(watch.step_back(noon.after(10 * LEAP_MIN), began + seconds(20)), None);
        assert!(watch.step_back(noon, began + seconds(25)).is_some());
        // What keeps a clock right is no news.
        assert_eq!(watch.step_back(noon.before(seconds(4)), began + seconds(30)), None);
    }

    /// How a clock is judged after so many seconds each, with what is noted then and what the clock shows.
    fn judged(cases: &[(u64, Option<Moment>, Moment)]) -> Vec<ClockWorth> {
        let (mut judge, began) = (ClockJudge::default(), Instant::now());
        let said = |(seconds, noted, now): &(u64, Option<Moment>, Moment)| {
            judge.judge(*noted, *now, began + Duration::from_secs(*seconds))
        };
        cases.iter().map(said).collect()
    }

    #[test]
    fn believes_a_clock_that_leapt_only_after_an_hour_under_it() {
        let noon = Moment::from_millis(1_795_507_200_000);
        let at = |seconds| noon.after(Duration::from_secs(seconds));
        let ahead = |by, is_news| ClockWorth::FarAhead { by, is_news };
        assert_eq!(judged(&[(0, None, noon)]), [ClockWorth::Right], "nothing is noted yet");
        let day = LEAP_MIN.as_secs();
        let second = Duration::from_secs(1);
        assert_eq!(
            judged(&[
                (0, Some(noon), at(day - 1)),
                (5, Some(noon), at(day)),
                (3_604, Some(noon), at(day + 1)),
                (3_605, Some(noon), at(day + 2)),
                (3_606, Some(noon), at(day + 3)),
            ]),
            [
                ClockWorth::Right,
                ahead(LEAP_MIN, true),
                ahead(LEAP_MIN + second, false),
                ClockWorth::Right,
                ahead(LEAP_MIN + 3 * second, true),
            ],
            "it is to be noted once it is believed"
        );
        // Another server runs under another clock.
        let two = [
            (0, Some(noon), at(2 * day)),
            (3_599, Some(at(600)), at(2 * day)),
            (3_601, Some(at(600)), at(2 * day)),
            (3_599 + 3_600, Some(at(600)), at(2 * day)),
        ];
        let said = judged(&two);
        assert!(matches!(said[2], ClockWorth::FarAhead { is_news: false, .. }), "{said:?}");
        assert_eq!(said[3], ClockWorth::Right);
    }

    #[test]
    fn takes_a_clock_that_is_behind_as_it_is_and_believes_it_after_an_hour() {
        let noon = Moment::from_millis(1_795_507_200_000);
        let before = noon.before(SKEW_MAX);
        assert_eq!(judged(&[(0, Some(noon), before)]), [ClockWorth::Right], "clocks differ");
        let before = before.before(Duration::from_secs(1));
        let said = judged(&[(0, Some(noon), before), (3_600, Some(noon), before)]);
        assert_eq!(said, [ClockWorth::Behind, ClockWorth::Right]);
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
