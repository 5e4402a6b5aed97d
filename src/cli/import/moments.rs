//! Moments as other programs write them: one reader for every column of every source.
//!
//! Decides which numbers and texts are moments, and the unit of a number: a number so small that its unit
//! cannot be told is no moment. What becomes of a row whose moment cannot be read is decided where the row is
//! read.

use std::time::Duration;

use crate::base::clock::Moment;

/// A value where a moment belongs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timestamp<'a> {
    Integer(i64),
    Real(f64),
    Text(&'a str),
}

/// The unit of a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TimeUnit {
    /// The source never writes another.
    Millis,
    /// Told by the size of the number, which has to be of 1978 to 9999.
    Guessed,
}

/// Numbers below this have no unit that can be told: in seconds it is January 1978, and what is smaller is a
/// version, a year, a count of days or a mistake rather than a time.
const SECONDS_START: u64 = SECONDS_END / 1_000;

/// Numbers below this are seconds: it is the end of the year 9999, the last second of which stands for never. In
/// milliseconds it would be January 1978.
const SECONDS_END: u64 = 253_402_300_800;

/// Numbers below this are milliseconds, and a thousand times as much is where microseconds end.
const MILLIS_END: u64 = SECONDS_END * 1_000;

/// The days of SQLite's `julianday()` from 1970 until the year 9999. In seconds they would be of early 1970.
const JULIAN_DAYS: std::ops::Range<f64> = 2_440_587.5..5_373_485.0;

/// Eight digits that may be a date, as in 20261128, and fourteen, as in 20261128084215. As numbers they would be
/// of 1970, and of a year after 2286.
const COMPACT_DIGITS: [usize; 2] = [8, 14];

/// How far behind the server's clock a time without an offset may lie that was written as local time.
const LOCAL_TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// The moment that is written there; without an offset it is UTC, and a date alone is its first instant.
/// `None`: it cannot be read, lies before 1970, or is a number of which the unit cannot be told.
pub(super) fn moment(written: Timestamp<'_>, unit: TimeUnit) -> Option<Moment> {
    let millis = match written {
        Timestamp::Integer(number) => of_whole(number, unit)?,
        Timestamp::Real(number) => of_real(number, unit)?,
        Timestamp::Text(text) => of_text(text.trim(), unit)?,
    };
    (millis >= 0).then(|| Moment::from_millis(millis))
}

/// Whether something that has happened can have happened at this moment: it lies in the past, as far as a time
/// without an offset can tell.
pub(super) fn has_passed(moment: Moment, now: Moment) -> bool {
    moment <= now.after(LOCAL_TIME_MAX)
}

/// A whole number: one that is written like a date is one before it counts anything.
fn of_whole(number: i64, unit: TimeUnit) -> Option<i64> {
    let date = if unit == TimeUnit::Guessed { compact_date(&number.to_string()) } else { None };
    date.or_else(|| of_integer(number, unit))
}

fn of_integer(number: i64, unit: TimeUnit) -> Option<i64> {
    match number.unsigned_abs() {
        _ if unit == TimeUnit::Millis => Some(number),
        ..SECONDS_START => None,
        SECONDS_START..SECONDS_END => Some(number * 1_000),
        SECONDS_END..MILLIS_END => Some(number),
        size if size < MILLIS_END * 1_000 => Some(number / 1_000),
        _ => Some(number / 1_000_000),
    }
}

fn of_real(number: f64, unit: TimeUnit) -> Option<i64> {
    if unit == TimeUnit::Guessed && JULIAN_DAYS.contains(&number) {
        let seconds = (number - JULIAN_DAYS.start) * 86_400.0;
        return whole((seconds * 1_000.0).round());
    }
    match whole(number)?.unsigned_abs() {
        SECONDS_START..SECONDS_END if unit == TimeUnit::Guessed => {
            whole((number * 1_000.0).round())
        }
        _ if number.fract() == 0.0 => of_whole(whole(number)?, unit),
        _ => of_integer(whole(number)?, unit),
    }
}

/// A number without what is behind its point. `None` if there is no such whole number.
#[expect(clippy::cast_possible_truncation, reason = "what would not fit is sorted out before")]
fn whole(number: f64) -> Option<i64> {
    (number.abs() < 9.2e18).then_some(number as i64)
}

fn of_text(text: &str, unit: TimeUnit) -> Option<i64> {
    let is_number = text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'.' | b'-' | b'+'));
    if !is_number {
        return of_date(text);
    }
    if text.matches('-').count() == 2 {
        return of_date(text);
    }
    match text.parse() {
        Ok(number) => compact_date(text).or_else(|| of_integer(number, unit)),
        Err(_) => of_real(text.parse().ok()?, unit),
    }
}

/// The moment that digits alone are, if they are those of a date.
fn compact_date(digits: &str) -> Option<i64> {
    let is_compact = COMPACT_DIGITS.contains(&digits.len()) && digits.starts_with(['1', '2']);
    is_compact.then(|| of_date(digits)).flatten()
}

/// ISO 8601 and its relatives: with `T` or spaces before the time, with or without seconds, a fraction,
/// punctuation and an offset.
fn of_date(text: &str) -> Option<i64> {
    let mut rest = Scanner(text);
    let (year, dash) = (rest.digits(4)?, rest.skip(&['-', '/']));
    let month = rest.digits(2)?;
    if rest.skip(&['-', '/']) != dash {
        return None;
    }
    let day = rest.digits(2)?;
    let days = days_since_1970(year, month, day)?;
    let midnight = days * DAY_SECONDS * 1_000;
    if rest.0.is_empty() {
        return Some(midnight);
    }
    if rest.skip(&['T', 't']).is_none() {
        rest.0 = rest.0.trim_start_matches(' ');
    }
    let time = rest.time()?;
    Some(midnight + time - rest.offset()?)
}

/// What is still to be read of a text.
struct Scanner<'a>(&'a str);

impl Scanner<'_> {
    /// The number that so many digits are.
    fn digits(&mut self, count: usize) -> Option<i64> {
        let digits = self.0.get(..count).filter(|it| it.bytes().all(|it| it.is_ascii_digit()))?;
        self.0 = &self.0[count..];
        digits.parse().ok()
    }

    /// Passes one of these characters, if it is next.
    fn skip(&mut self, any: &[char]) -> Option<char> {
        let found = self.0.chars().next().filter(|it| any.contains(it))?;
        self.0 = &self.0[found.len_utf8()..];
        Some(found)
    }

    /// A time of day, in milliseconds.
    fn time(&mut self) -> Option<i64> {
        let (hour, colon) = (self.digits(2)?, self.skip(&[':']));
        let minute = self.digits(2)?;
        let has_seconds = match colon {
            Some(_) => self.skip(&[':']).is_some(),
            None => self.0.starts_with(|it: char| it.is_ascii_digit()),
        };
        let second = if has_seconds { self.digits(2)? } else { 0 };
        let millis = if self.skip(&['.', ',']).is_some() { self.fraction()? } else { 0 };
        // A leap second is the first of the next minute.
        let is_time = hour < 24 && minute < 60 && second <= 60;
        is_time.then_some(((hour * 60 + minute) * 60 + second) * 1_000 + millis)
    }

    /// The milliseconds of a fraction of any length.
    fn fraction(&mut self) -> Option<i64> {
        let length = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        let millis: String = digits.chars().chain("00".chars()).take(3).collect();
        (length > 0).then(|| millis.parse().ok()).flatten()
    }

    /// The offset from UTC at the end of a text, in milliseconds; none is UTC.
    fn offset(&mut self) -> Option<i64> {
        self.0 = self.0.trim_start_matches(' ');
        if matches!(self.0.to_ascii_uppercase().as_str(), "" | "Z" | "UTC" | "GMT") {
            return Some(0);
        }
        let sign = if self.skip(&['+', '-'])? == '-' { -1 } else { 1 };
        let hours = self.digits(2)?;
        self.skip(&[':']);
        let begins_minutes = self.0.starts_with(|it: char| it.is_ascii_digit());
        let minutes = if begins_minutes { self.digits(2)? } else { 0 };
        // Go names the zone once more, and adds what its other clock says.
        let is_name =
            |it: &str| it.starts_with("m=") || it.bytes().all(|it| it.is_ascii_alphabetic());
        let is_offset = hours < 24 && minutes < 60 && self.0.split_whitespace().all(is_name);
        is_offset.then_some(sign * (hours * 60 + minutes) * 60_000)
    }
}

/// The days from 1970-01-01 to a day of the Gregorian calendar. `None`: there is no such day.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    // Counted from March, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    (1..=length).contains(&day).then_some(365 * year + leap_days + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<i64> {
        moment(Timestamp::Text(text), TimeUnit::Guessed).map(Moment::millis)
    }

    /// 2026-11-28 08:42:15 UTC.
    const THEN: i64 = 1_795_855_335_000;

    #[test]
    fn tells_seconds_milliseconds_microseconds_and_nanoseconds_by_their_size() {
        for (number, millis) in [
            (1_795_855_335, THEN),
            (1_795_855_335_123, THEN + 123),
            (1_795_855_335_123_456, THEN + 123),
            (1_795_855_335_123_456_789, THEN + 123),
            (253_402_300, 253_402_300_000),
            (253_402_300_799, 253_402_300_799_000),
            (253_402_300_800, 253_402_300_800),
            (253_402_300_799_999, 253_402_300_799_999),
            (253_402_300_800_000, 253_402_300_800),
            (253_402_300_799_999_999, 253_402_300_799_999),
            (253_402_300_800_000_000, 253_402_300_800),
            (i64::MAX, i64::MAX / 1_000_000),
        ] {
            let read = |it| moment(it, TimeUnit::Guessed).map(Moment::millis);
            assert_eq!(read(Timestamp::Integer(number)), Some(millis), "{number}");
            assert_eq!(text(&format!(" {number} ")), Some(millis), "{number}");
        }
        let millis = moment(Timestamp::Integer(2_000), TimeUnit::Millis);
        assert_eq!(millis, Some(Moment::from_millis(2_000)));
        let end = moment(Timestamp::Integer(i64::MAX), TimeUnit::Millis);
        assert_eq!(end, Some(Moment::from_millis(i64::MAX)));
    }

    #[test]
    fn reads_real_numbers() {
        let read = |it| moment(Timestamp::Real(it), TimeUnit::Guessed).map(Moment::millis);
        assert_eq!(read(1_795_855_335.25), Some(THEN + 250));
        assert_eq!(read(1_795_855_335_250.0), Some(THEN + 250));
        assert_eq!(text("1795855335.25"), Some(THEN + 250));
        assert_eq!(text("1795855335250.0"), Some(THEN + 250));
        // From SQLite: SELECT julianday('2026-11-28 08:42:15').
        assert_eq!(read(2_461_372.862_673_611), Some(THEN));
        assert_eq!(read(20_261_128.0), Some(1_795_824_000_000));
        for bad in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn takes_no_number_for_a_moment_whose_unit_cannot_be_told() {
        // A version, a year, days since 1970 or 1900, no date, and the last of them.
        for number in [0, 1, 3, 2_026, 20_785, 46_354, 20_261_328, 253_402_299] {
            for number in [number, -number] {
                let read = |it| moment(it, TimeUnit::Guessed);
                assert_eq!(read(Timestamp::Integer(number)), None, "{number}");
                assert_eq!(text(&number.to_string()), None, "{number}");
                assert_eq!(text(&format!("{number}.5")), None, "{number}.5");
                #[expect(clippy::cast_precision_loss, reason = "they are small")]
                let fraction = number as f64;
                assert_eq!(read(Timestamp::Real(fraction)), None, "{fraction}");
            }
        }
        let read = |it| moment(it, TimeUnit::Guessed);
        assert_eq!(read(Timestamp::Real(3.5)), None);
        assert_eq!(read(Timestamp::Real(45_292.75)), None);
        assert_eq!(read(Timestamp::Integer(-1_795_855_335)), None);
        assert_eq!(text("0.0"), None);
    }

    #[test]
    fn reads_a_whole_number_like_the_same_digits_in_a_text() {
        for (number, millis) in [
            (20_261_128, 1_795_824_000_000),
            (20_261_128_084_215, THEN),
            (17_958_553_351_234, 17_958_553_351_234),
        ] {
            let read = |it| moment(it, TimeUnit::Guessed).map(Moment::millis);
            assert_eq!(read(Timestamp::Integer(number)), Some(millis), "{number}");
            assert_eq!(text(&number.to_string()), Some(millis), "{number}");
        }
        let millis = moment(Timestamp::Integer(20_261_128), TimeUnit::Millis);
        assert_eq!(millis, Some(Moment::from_millis(20_261_128)));
    }

    #[test]
    fn tells_what_has_passed_even_if_it_was_written_in_local_time() {
        let now = Moment::from_millis(THEN);
        let day = 24 * 60 * 60 * 1_000;
        for (millis, passed) in
            [(0, true), (THEN, true), (THEN + day, true), (THEN + day + 1, false)]
        {
            assert_eq!(has_passed(Moment::from_millis(millis), now), passed, "{millis}");
        }
    }

    #[test]
    fn reads_dates_with_times_and_without_and_obeys_offsets() {
        for written in [
            "2026-11-28T08:42:15Z",
            "2026-11-28T08:42:15.000Z",
            "2026-11-28t08:42:15.000000000z",
            "2026-11-28 08:42:15",
            " 2026-11-28 08:42:15 UTC\n",
            "2026-11-28 08:42:15+00",
            "2026-11-28T08:42:15+00:00",
            "2026-11-28T08:42:15-00:00",
            "2026-11-28T10:42:15+02:00",
            "2026-11-28 10:42:15 +0200",
            "2026-11-28T03:12:15-05:30",
            "2026-11-29T00:42:15+16",
            "20261128T084215Z",
            "20261128084215",
            "2026/11/28 08:42:15",
            "2026-11-28 10:42:15.000 +0200 CEST m=+0.012",
        ] {
            assert_eq!(text(written), Some(THEN), "{written:?}");
        }
        assert_eq!(text("2026-11-28T08:42Z"), Some(THEN - 15_000));
        assert_eq!(text("2026-11-28T08:42:15,5+00:00"), Some(THEN + 500));
        assert_eq!(text("2026-11-28 08:42:15.1239"), Some(THEN + 123));
        for (date, millis) in [
            ("2026-11-28", 1_795_824_000_000),
            ("20261128", 1_795_824_000_000),
            ("1970-01-01", 0),
            ("2000-02-29", 951_782_400_000),
            ("9999-12-31", 253_402_214_400_000),
        ] {
            assert_eq!(text(date), Some(millis), "{date}");
        }
    }

    #[test]
    fn takes_nothing_for_a_moment_that_may_be_another() {
        for bad in [
            "",
            " ",
            "never",
            "0000-00-00 00:00:00",
            "2026-02-29",
            "2026-13-01",
            "2026-11-31T08:42:15Z",
            "2026-11-28T24:42:15Z",
            "2026-11-28T08:60:15Z",
            "2026-11-28T08:42:15+2",
            "2026-11-28T08:42:15+24:00",
            "2026-11-28T08:42:15.Z",
            "2026-11-28T",
            "2026-1128",
            "28.11.2026",
            "11/28/2026",
            "2026-11-28T08:42:15 Europe/Berlin",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "0001-01-01T00:00:00Z",
            "-1",
            "1e9",
            "1.2.3",
            "１７９５８５５３３５",
            "2026-11-28T08:42:15Z2026-11-28T08:42:15Z",
        ] {
            assert_eq!(text(bad), None, "{bad:?}");
        }
    }
}
