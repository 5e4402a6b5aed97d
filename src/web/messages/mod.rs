//! Every sentence of every page, in each language.
//!
//! A language is a value of [`Text`] in a file of its own, and the compiler checks that it is complete; the
//! English file declares which texts there are.
//! Scripts get the English titles whatever they prefer ([`EN`]): those are part of the contract. Knows no
//! request and no markup.

mod de;
mod en;
mod fr;

use std::cmp::Reverse;
use std::time::Duration;

pub use de::DE;
pub use en::{EN, Text};
pub use fr::FR;

use crate::auth::password_policy::{Flaw, Policy};

/// All languages. The first one is used for clients that prefer none of them.
static ALL: [&Text; 3] = [&EN, &DE, &FR];

/// Maximum number of ranges read from `Accept-Language`. Browsers send a handful.
const RANGES_MAX: usize = 32;

/// The longest range that is read (RFC 5646 § 4.4.1 has none that is longer).
const RANGE_BYTES_MAX: usize = 35;

/// A message to a visitor whose request was refused.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// What happened: the heading of a page, and the whole text for a script.
    pub title: &'static str,
    /// What to do about it: the hint below the heading.
    pub hint: &'static str,
}

/// Picks a message from a language.
pub type MessageKey = fn(&'static Text) -> Message;

/// A sentence with one gap: what stands before the value and after it.
#[derive(Clone, Copy, Debug)]
pub struct Template(pub &'static str, pub &'static str);

impl Template {
    /// The sentence with this in its gap.
    pub fn around(self, value: &str) -> String {
        format!("{}{value}{}", self.0, self.1)
    }
}

/// A mail: its subject, and its text with gaps in braces.
#[derive(Clone, Copy, Debug)]
pub struct MailText {
    pub subject: &'static str,
    pub body: &'static str,
}

/// The word for a unit, of one and of several. German has the dative, which follows "in" and "vor".
#[derive(Clone, Copy, Debug)]
pub struct Unit(pub &'static str, pub &'static str);

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// On average.
const YEAR: u64 = 365 * DAY + 6 * HOUR;
const MONTH: u64 = YEAR / 12;

impl Text {
    /// The sentence about the groups whose members have access. `None`: there are none, or it is not known which.
    pub fn open_to(&self, groups: &[&str]) -> Option<Template> {
        match groups {
            [] => None,
            [_] => Some(self.open_to_group),
            _ => Some(self.open_to_groups),
        }
    }

    /// A time to wait in words, rounded up to a unit of which there are not many, as in `12 minutes`.
    pub fn wait(&self, wait: Duration) -> String {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        match seconds {
            0..=90 => self.count(seconds, self.seconds),
            91..=5_400 => self.count(seconds.div_ceil(MINUTE), self.minutes),
            5_401..=172_800 => self.count(seconds.div_ceil(HOUR), self.hours),
            _ => self.count(seconds.div_ceil(DAY), self.days),
        }
    }

    /// How long ago something was, rounded down, as in `2 hours ago`.
    pub fn ago(&self, span: Duration) -> String {
        let seconds = span.as_secs();
        let (unit, word) = match seconds {
            0..MINUTE => return self.just_now.to_owned(),
            MINUTE..HOUR => (MINUTE, self.minutes),
            HOUR..DAY => (HOUR, self.hours),
            _ => self.long_unit(seconds / DAY),
        };
        self.ago.around(&self.count(seconds / unit, word))
    }

    /// In what time something will be, to the nearest unit, as in `in 3 days`.
    pub fn in_future(&self, span: Duration) -> String {
        let seconds = span.as_secs().max(1);
        let (unit, word) = match seconds {
            0..90 => (1, self.seconds),
            90..5_400 => (MINUTE, self.minutes),
            5_400..172_800 => (HOUR, self.hours),
            _ => self.long_unit((seconds + DAY / 2) / DAY),
        };
        self.in_future.around(&self.count((seconds + unit / 2) / unit, word))
    }

    /// The unit for so many days: in seconds, and its word.
    const fn long_unit(&self, days: u64) -> (u64, Unit) {
        match days {
            0..100 => (DAY, self.days),
            100..=730 => (MONTH, self.months),
            _ => (YEAR, self.years),
        }
    }

    /// A number and the word for so many, as in `2 minutes`.
    fn count(&self, count: u64, Unit(one, several): Unit) -> String {
        format!("{count} {}", if (self.is_one)(count) { one } else { several })
    }
}

/// The language with this code, as in `en`; the first one if there is none.
pub(super) fn of_code(code: &str) -> &'static Text {
    ALL.into_iter().find(|it| it.code == code).unwrap_or(ALL[0])
}

/// The codes of all languages, the first one that of a mail to a user of whom no other is known.
pub fn languages() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().map(|it| it.code)
}

/// All languages.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = &'static Text> {
    ALL.into_iter()
}

/// The language for a browser that sends these values of `Accept-Language` (RFC 9110 § 12.5.4): the most
/// preferred of ours, looked up as in RFC 4647 § 3.4, so that `de` is found for `de-AT`. Ranges that
/// cannot be parsed are ignored.
pub fn preferred<'a>(values: impl Iterator<Item = &'a str>) -> &'static Text {
    // The preference for each, and by `*` for all others; among equals the first one named wins.
    let (mut liked, mut others) = ([None; ALL.len()], None);
    let ranges = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    for (place, (tag, quality)) in ranges.take(RANGES_MAX).filter_map(range).enumerate() {
        let found = match tag {
            b"*" => Some(&mut others),
            _ => find(tag).map(|it| &mut liked[it]),
        };
        if let Some(found) = found {
            *found = (*found).max(Some((quality, Reverse(place))));
        }
    }
    let best = ALL.iter().zip(liked).rev().filter_map(|(text, it)| Some((text, it.or(others)?)));
    let best = best.filter(|(_, (quality, _))| 0 < *quality).max_by_key(|(_, it)| *it);
    best.map_or(ALL[0], |(text, _)| text)
}

/// A language range and its weight in thousandths. `None` if it cannot be parsed.
fn range(text: &[u8]) -> Option<(&[u8], u16)> {
    let (tag, quality) = match text.iter().position(|byte| *byte == b';') {
        Some(end) => (&text[..end], quality(trimmed(&text[end + 1..]))?),
        None => (text, 1_000),
    };
    let tag = trimmed(tag);
    let is_subtag =
        |it: &[u8]| (1..=8).contains(&it.len()) && it.iter().all(u8::is_ascii_alphanumeric);
    let is_tag = || tag.len() <= RANGE_BYTES_MAX && tag.split(|byte| *byte == b'-').all(is_subtag);
    (tag == b"*" || is_tag()).then_some((tag, quality))
}

/// Parses a weight into thousandths (RFC 9110 § 12.4.2).
fn quality(weight: &[u8]) -> Option<u16> {
    let (whole, part) = match weight {
        [b'q' | b'Q', b'=', whole] => (whole, &[][..]),
        [b'q' | b'Q', b'=', whole, b'.', part @ ..] => (whole, part),
        _ => return None,
    };
    if part.len() > 3 || !part.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let thousandths = part.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'))
        * [1_000, 100, 10, 1][part.len()];
    match whole {
        b'0' => Some(thousandths),
        b'1' if thousandths == 0 => Some(1_000),
        _ => None,
    }
}

/// Without the white space around it (RFC 9110 § 5.6.3).
fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// The index of the language that a range names, itself or shortened subtag by subtag.
fn find(tag: &[u8]) -> Option<usize> {
    let mut rest = tag;
    loop {
        match ALL.iter().position(|text| text.code.as_bytes().eq_ignore_ascii_case(rest)) {
            Some(found) => return Some(found),
            None => rest = &rest[..rest.iter().rposition(|byte| *byte == b'-')?],
        }
    }
}

/// Picks a phrase from a language.
pub type Phrase = fn(&'static Text) -> &'static str;

/// The message to a user about a password with this flaw, under this policy.
pub fn of_flaw(flaw: Flaw, policy: Policy) -> MessageKey {
    match (flaw, policy) {
        (Flaw::TooShort, Policy::Minimal) => |t| t.short_password_of_minimal,
        (Flaw::TooShort, Policy::Standard) => |t| t.short_password_of_standard,
        (Flaw::TooShort, Policy::Nist) => |t| t.short_password_of_nist,
        (Flaw::TooLong, _) => |t| t.long_password,
        (Flaw::Common, _) => |t| t.common_password,
        (Flaw::Name, _) => |t| t.password_is_name,
    }
}

const fn told(title: &'static str, hint: &'static str) -> Message {
    Message { title, hint }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chosen(values: &[&str]) -> &'static str {
        preferred(values.iter().copied()).code
    }

    #[test]
    fn speaks_the_language_that_is_liked_best_of_those_there_are() {
        for (asked, expected) in [
            ("de", "de"),
            ("en", "en"),
            ("DE", "de"),
            ("de-AT", "de"),
            ("de-Latn-CH-1996", "de"),
            ("de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", "de"),
            ("en-US,en;q=0.9,de;q=0.8", "en"),
            ("en;q=0.8, de;q=0.801", "de"),
            ("en;q=0.2\t,\tde ; q=0.3", "de"),
            ("en;Q=0.2,de;Q=0.3", "de"),
            ("fr-FR,fr;q=0.9,de;q=0.1", "fr"),
            ("pt-BR,pt;q=0.9,de;q=0.1", "de"),
            // The first of two languages with the same weight.
            ("de,en", "de"),
            ("en,de", "en"),
            ("en;q=0.5,de;q=0.500", "en"),
            // A range for a dialect does not exclude a less specific one.
            ("de-CH;q=0,de", "de"),
        ] {
            assert_eq!(chosen(&[asked]), expected, "{asked}");
        }
        assert_eq!(chosen(&["pt", "de;q=0.5"]), "de");
    }

    #[test]
    fn speaks_english_to_a_browser_that_prefers_no_language_there_is() {
        for asked in
            ["", "pt", "pt-BR,es;q=0.5", "*", "de;q=0", "de;q=0.000", "den", "deu", "*;q=0"]
        {
            assert_eq!(chosen(&[asked]), "en", "{asked}");
        }
        assert_eq!(chosen(&[]), "en");
    }

    #[test]
    fn takes_a_star_for_all_that_are_not_named() {
        assert_eq!(chosen(&["*,en;q=0"]), "de");
        assert_eq!(chosen(&["*,en;q=0.5"]), "de");
        assert_eq!(chosen(&["*;q=0.5,de"]), "de");
        assert_eq!(chosen(&["pt,*;q=0.5"]), "en");
        assert_eq!(chosen(&["*,de;q=0.5"]), "en");
    }

    #[test]
    fn passes_over_what_cannot_be_read() {
        for asked in [
            "de;q=2",
            "de;q=1.001",
            "de;q=0.1234",
            "de;q=-1",
            "de;q=.5",
            "de;q=",
            "de;q",
            "de;",
            "de;x=1",
            "de;q=0.5;q=1",
            "de;q=1e0",
            "de;q=+1",
            "de;q= 1",
            "de--",
            "-de",
            "de_DE",
            "d e",
            "dé",
            "de-abcdefghi",
            ",;,;q=1",
            "\u{0}",
            "de\u{0}",
        ] {
            assert_eq!(chosen(&[asked]), "en", "{asked}");
            assert_eq!(chosen(&[&format!("{asked},de;q=0.1")]), "de", "{asked}");
        }
        assert_eq!(chosen(&["de;q=1.000"]), "de");
        assert_eq!(chosen(&["de;q=1."]), "de");
    }

    #[test]
    fn looks_at_a_few_dozen_ranges_and_no_more() {
        let padded = |count| format!("{}de", "pt,".repeat(count));
        assert_eq!(chosen(&[&padded(RANGES_MAX - 1)]), "de");
        assert_eq!(chosen(&[&padded(RANGES_MAX)]), "en");
        assert_eq!(chosen(&[&format!("de{}", "-a".repeat(8_000))]), "en");
    }

    proptest! {
        #[test]
        fn has_a_language_for_whatever_is_sent(values in prop::collection::vec(".*", 0..4)) {
            let values: Vec<_> = values.iter().map(|it| &**it).collect();
            prop_assert!(ALL.iter().any(|it| it.code == chosen(&values)));
        }

        #[test]
        fn takes_no_notice_of_what_is_liked_less(
            less in "[a-z,;=q*. -]{0,40}",
        ) {
            // `de` has the highest weight and comes first, so no later range can win.
            prop_assert_eq!(chosen(&["de", &less]), "de");
        }
    }

    #[test]
    fn tells_a_wait_in_the_unit_that_fits_and_never_too_short() {
        for (seconds, english, german) in [
            (0, "0 seconds", "0 Sekunden"),
            (1, "1 second", "1 Sekunde"),
            (90, "90 seconds", "90 Sekunden"),
            (91, "2 minutes", "2 Minuten"),
            (1_800, "30 minutes", "30 Minuten"),
            (5_401, "2 hours", "2 Stunden"),
            (172_801, "3 days", "3 Tagen"),
        ] {
            let wait = Duration::from_secs(seconds);
            assert_eq!([EN.wait(wait), DE.wait(wait)], [english, german]);
        }
        assert_eq!(EN.wait(Duration::from_millis(29_001)), "30 seconds");
    }

    #[test]
    fn tells_how_long_ago_something_was_and_never_too_long() {
        for (seconds, english, german) in [
            (0, "just now", "gerade eben"),
            (60, "1 minute ago", "vor 1 Minute"),
            (3_599, "59 minutes ago", "vor 59 Minuten"),
            (86_399, "23 hours ago", "vor 23 Stunden"),
            (172_800, "2 days ago", "vor 2 Tagen"),
            (100 * DAY - 1, "99 days ago", "vor 99 Tagen"),
            (100 * DAY, "3 months ago", "vor 3 Monaten"),
            (730 * DAY, "23 months ago", "vor 23 Monaten"),
            (731 * DAY, "2 years ago", "vor 2 Jahren"),
            (5 * YEAR, "5 years ago", "vor 5 Jahren"),
        ] {
            let span = Duration::from_secs(seconds);
            assert_eq!([EN.ago(span), DE.ago(span)], [english, german]);
        }
    }

    #[test]
    fn tells_in_what_time_something_will_be_to_the_nearest_unit() {
        for (seconds, english, german) in [
            (0, "in 1 second", "in 1 Sekunde"),
            (89, "in 89 seconds", "in 89 Sekunden"),
            (90, "in 2 minutes", "in 2 Minuten"),
            (5_399, "in 90 minutes", "in 90 Minuten"),
            (172_799, "in 48 hours", "in 48 Stunden"),
            (30 * DAY - 1, "in 30 days", "in 30 Tagen"),
            (90 * DAY - 1, "in 90 days", "in 90 Tagen"),
            (365 * DAY - 1, "in 12 months", "in 12 Monaten"),
            (731 * DAY, "in 2 years", "in 2 Jahren"),
        ] {
            let span = Duration::from_secs(seconds);
            assert_eq!([EN.in_future(span), DE.in_future(span)], [english, german]);
        }
    }

    #[test]
    fn counts_as_each_language_does() {
        let none = Duration::ZERO;
        assert_eq!(
            [EN.wait(none), DE.wait(none), FR.wait(none)],
            ["0 seconds", "0 Sekunden", "0 seconde"]
        );
        for (seconds, french) in [
            (59, "à l’instant"),
            (60, "il y a 1 minute"),
            (7_200, "il y a 2 heures"),
            (DAY, "il y a 1 jour"),
            (200 * DAY, "il y a 6 mois"),
            (YEAR * 3, "il y a 3 ans"),
        ] {
            assert_eq!(FR.ago(Duration::from_secs(seconds)), french);
        }
        assert_eq!(FR.in_future(Duration::from_secs(DAY * 7)), "dans 7 jours");
    }

    /// The sentences of a language, each with its name.
    fn sentences(text: &Text) -> Vec<String> {
        format!("{text:#?}").lines().map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn leaves_no_sentence_in_english() {
        let english = sentences(&EN);
        for other in [&DE, &FR] {
            let others = sentences(other);
            assert!(english.len() > 150 && english.len() == others.len());
            // Words of English and another language.
            let is_shared = |line: &str| {
                let word = line.trim_matches(|it: char| !it.is_alphabetic()).to_lowercase();
                let word = word.split_once(": \"").map_or(&*word, |(_, text)| text);
                ["sessions", "passkey", "passkeys", "minute", "minutes", "in"].contains(&word)
            };
            let is_text = |line: &&String| line.contains('"') && line.contains(char::is_alphabetic);
            let same = english.iter().filter(is_text).filter(|line| others.contains(line));
            let same: Vec<_> = same.filter(|line| !is_shared(line)).collect();
            assert!(same.is_empty(), "{}: {same:?}", other.code);
        }
    }

    #[test]
    fn names_nothing_of_the_code() {
        let inner_capital = |word: &str| {
            word.chars()
                .zip(word.chars().skip(1))
                .any(|(a, b)| a.is_lowercase() && b.is_uppercase())
        };
        for line in ALL.into_iter().flat_map(sentences) {
            // Mails have several lines, which are written as in the code here.
            let text = line.split_once('"').map_or("", |(_, text)| text).replace("\\n", " ");
            assert!(!text.split_whitespace().any(inner_capital), "{line}");
        }
    }
}
