//! Points in time.
//!
//! Decides nothing: a [`Moment`] is a number of milliseconds, read once per request by the shell
//! and handed down as an argument, so that every rule about time can be tested without waiting.
//! Nothing else in the crate reads the clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

    /// How long it is from here until `later`; zero when `later` has passed already.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
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
