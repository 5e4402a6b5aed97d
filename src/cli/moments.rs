//! How an operator writes a moment: a date, a date with a time, or how long ago it was.

use std::time::Duration;

use super::serve::parse::period;
use crate::base::clock::Moment;

/// A moment as it was written. It is as long as the unit of its last digit: `2026-11-20` is a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum WrittenMoment {
    /// So long before the command was given.
    Ago(Duration),
    /// From its first millisecond to its last.
    At(Moment, Moment),
}

impl WrittenMoment {
    /// Its first millisecond.
    pub(super) fn start(self, now: Moment) -> Moment {
        match self {
            Self::Ago(period) => now.before(period),
            Self::At(start, _) => start,
        }
    }

    /// Its last millisecond.
    pub(super) fn end(self, now: Moment) -> Moment {
        match self {
            Self::Ago(period) => now.before(period),
            Self::At(_, end) => end,
        }
    }
}

/// Reads a moment. Without an offset it is in UTC.
pub(super) fn read(text: &str) -> Result<WrittenMoment, String> {
    let text = text.trim();
    if let Ok(period) = period(text) {
        return Ok(WrittenMoment::Ago(period));
    }
    at(text).ok_or_else(|| {
        "write it as in 2026-11-20, '2026-11-20 14:30', 2026-11-20T14:30:00+01:00, 2h or 7d; without an \
         offset it is in UTC"
            .to_owned()
    })
}

fn at(text: &str) -> Option<WrittenMoment> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, time.trim()),
        None => (text, ""),
    };
    let (time, offset) = split_offset(time)?;
    let (time, length) = match time.len() {
        0 if offset == 0 => ("00:00:00".to_owned(), 24 * 60 * 60 * 1_000),
        5 => (format!("{time}:00"), 60_000),
        8 => (time.to_owned(), 1_000),
        _ => (time.to_owned(), 1),
    };
    let moment = Moment::from_rfc3339(&format!("{date}T{time}Z"))?;
    let start = moment.millis().checked_sub(offset)?;
    Some(WrittenMoment::At(Moment::from_millis(start), Moment::from_millis(start + length - 1)))
}

/// A time without its offset, and the offset in milliseconds.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    let in_utc = ["UTC", "Z", "z"].into_iter().find_map(|it| time.strip_suffix(it));
    if let Some(time) = in_utc {
        return Some((time.trim_end(), 0));
    }
    let Some(at) = time.rfind(['+', '-']) else { return Some((time, 0)) };
    let (time, offset) = time.split_at(at);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let digits = offset[1..].replace(':', "");
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let hours: i64 = digits[..2].parse().ok()?;
    let minutes: i64 = if digits.len() == 4 { digits[2..].parse().ok()? } else { 0 };
    (hours < 24 && minutes < 60).then(|| (time.trim_end(), sign * (hours * 60 + minutes) * 60_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_dates_times_and_periods() {
        let now = Moment::from_millis(1_795_507_200_000);
        let span = |text: &str| {
            let read = read(text).unwrap_or_else(|err| panic!("{text}: {err}"));
            (read.start(now).rfc3339(), read.end(now).rfc3339())
        };
        for (text, start, end) in [
            ("2026-11-20", "2026-11-20T00:00:00.000Z", "2026-11-20T23:59:59.999Z"),
            ("2026-11-20 14:30", "2026-11-20T14:30:00.000Z", "2026-11-20T14:30:59.999Z"),
            ("2026-11-20 14:30 UTC", "2026-11-20T14:30:00.000Z", "2026-11-20T14:30:59.999Z"),
            ("2026-11-20T14:30:07", "2026-11-20T14:30:07.000Z", "2026-11-20T14:30:07.999Z"),
            ("2026-11-20t14:30:07z", "2026-11-20T14:30:07.000Z", "2026-11-20T14:30:07.999Z"),
            ("2026-11-20T14:30:07.250Z", "2026-11-20T14:30:07.250Z", "2026-11-20T14:30:07.250Z"),
            ("2026-11-20T14:30:07+02:00", "2026-11-20T12:30:07.000Z", "2026-11-20T12:30:07.999Z"),
            ("2026-11-20 14:30 -0530", "2026-11-20T20:00:00.000Z", "2026-11-20T20:00:59.999Z"),
            ("2026-11-20 00:30+01", "2026-11-19T23:30:00.000Z", "2026-11-19T23:30:59.999Z"),
            ("2h", "2026-11-24T06:00:00.000Z", "2026-11-24T06:00:00.000Z"),
            ("7d", "2026-11-17T08:00:00.000Z", "2026-11-17T08:00:00.000Z"),
        ] {
            assert_eq!(span(text), (start.to_owned(), end.to_owned()), "{text}");
        }
    }

    #[test]
    fn says_how_to_write_what_is_no_moment() {
        for text in [
            "",
            "yesterday",
            "2026",
            "2026-13-01",
            "2026-11-31",
            "20.11.2026",
            "2026-11-20 25:00",
            "2026-11-20 14",
            "2026-11-20 14:30+2",
            "2026-11-20 14:30+02:99",
            "-2h",
            "14:30",
            "2026-11-20+02:00",
            "2026-11-20\u{e9}14:30",
            "2026-11-20 14:30+\u{e9}0",
        ] {
            let told = read(text).expect_err(text);
            assert!(told.contains("2026-11-20") && told.contains("7d"), "{text}: {told}");
        }
    }
}
