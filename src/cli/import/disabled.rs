//! Whether a column of a table says that a user is disabled.
//!
//! Decides which headings mean that, and what their values say. A value that is not understood is refused, never
//! ignored, as it may be what keeps a user out.

use super::attributes::words;
use super::moments::{TimeUnit, Timestamp, moment};
use crate::base::clock::Moment;

/// What a column says by its values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DisabledColumn {
    /// `true`, or the moment since when: disabled.
    Disabled,
    /// `false`: disabled.
    Enabled,
    /// A word says which.
    Status,
    /// Disabled until a moment.
    Until,
    /// Perhaps, if there is a value: the heading contains a word for it among others.
    Unclear,
}

/// Words that may come before it in a heading without a change of meaning.
const BEFORE: [&str; 6] = ["is", "user", "account", "login", "date", "was"];

/// Words that may come after it.
const BEHIND: [&str; 6] = ["at", "on", "since", "date", "time", "flag"];

const DISABLED: [&str; 22] = [
    "archived",
    "ban",
    "banned",
    "block",
    "blocked",
    "closed",
    "deactivated",
    "deleted",
    "denied",
    "disable",
    "disabled",
    "expired",
    "frozen",
    "inactive",
    "lock",
    "locked",
    "removed",
    "revoked",
    "softdeleted",
    "suspend",
    "suspended",
    "terminated",
];

const ENABLED: [&str; 10] = [
    "activated",
    "activatedat",
    "active",
    "allowed",
    "approved",
    "approvedat",
    "enable",
    "enabled",
    "nonexpired",
    "nonlocked",
];

const STATUS: [&str; 4] = ["lifecycle", "standing", "state", "status"];

/// Ends of headings such as `banned_until`, `lockout_end` and `banExpires`.
const UNTIL: [&str; 6] = ["until", "end", "ends", "expires", "expiresat", "expiry"];

const UNTIL_BEGINNINGS: [&str; 11] = [
    "ban",
    "banned",
    "block",
    "blocked",
    "disabled",
    "lock",
    "locked",
    "lockout",
    "suspend",
    "suspended",
    "suspension",
];

/// Words that make a heading unclear which is not understood otherwise, as in `locked_out` and `forum_banned`.
const UNCLEAR: [&str; 10] = [
    "banned",
    "blacklisted",
    "blocked",
    "deactivated",
    "deleted",
    "disabled",
    "inactive",
    "locked",
    "suspended",
    "terminated",
];

/// Words beside which those say nothing of a user now, as in `locked_by` and `last_banned_at`.
const HARMLESS: [&str; 14] = [
    "attempts", "by", "comment", "count", "counter", "ip", "last", "message", "note", "notes",
    "number", "reason", "total", "version",
];

/// Words for people who are not disabled, and for those who are.
const GOOD_WORDS: [&str; 9] =
    ["active", "activated", "approved", "confirmed", "enabled", "normal", "ok", "open", "verified"];

/// What a heading says if it is about that; only letters and digits count, and not their case.
pub(super) fn of_heading(heading: &str) -> Option<DisabledColumn> {
    let name = normal(heading);
    let until = |it: &str| UNTIL_BEGINNINGS.contains(&it);
    let mut rest = &*name;
    loop {
        if ENABLED.contains(&rest) {
            return Some(DisabledColumn::Enabled);
        }
        if STATUS.contains(&rest) {
            return Some(DisabledColumn::Status);
        }
        if UNTIL.iter().any(|end| rest.strip_suffix(end).is_some_and(until)) {
            return Some(DisabledColumn::Until);
        }
        let bare = BEHIND.iter().find_map(|it| rest.strip_suffix(it)).unwrap_or(rest);
        if DISABLED.contains(&rest) || DISABLED.contains(&bare) {
            return Some(DisabledColumn::Disabled);
        }
        let Some(behind) = BEFORE.iter().find_map(|it| rest.strip_prefix(it)) else { break };
        rest = behind;
    }
    let words = words(heading);
    let has_any = |all: &[&str]| words.iter().any(|it| all.contains(&it.as_str()));
    (has_any(&UNCLEAR) && !has_any(&HARMLESS)).then_some(DisabledColumn::Unclear)
}

/// Since when a user is disabled, by one value; `None`: they are not. An error says what the value is.
pub(super) fn disabled_at(
    column: DisabledColumn,
    value: &str,
    now: Moment,
) -> Result<Option<Moment>, String> {
    let odd = || format!("says {value:?}, which may mean that the user is disabled");
    let word = value.to_lowercase();
    let since = |it: Moment| Some(it.min(now));
    match (column, Truth::of(&word)) {
        (DisabledColumn::Disabled, Some(Truth::Yes))
        | (DisabledColumn::Enabled, Some(Truth::No)) => Ok(Some(now)),
        (
            DisabledColumn::Disabled | DisabledColumn::Unclear | DisabledColumn::Until,
            Some(Truth::No | Truth::Nothing),
        )
        | (DisabledColumn::Enabled, Some(Truth::Yes))
        | (DisabledColumn::Status, Some(Truth::Nothing)) => Ok(None),
        (DisabledColumn::Disabled, None) => date(value).map(since).ok_or_else(odd),
        (DisabledColumn::Enabled, None) if date(value).is_some() => Ok(None),
        (DisabledColumn::Status, None) if GOOD_WORDS.contains(&&*word) => Ok(None),
        (DisabledColumn::Status, None) if DISABLED.contains(&&*normal(value)) => Ok(Some(now)),
        (DisabledColumn::Until, None) => {
            let end = date(value).ok_or_else(odd)?;
            Ok((now < end).then_some(now))
        }
        _ => Err(odd()),
    }
}

/// What a word means where yes or no is asked for.
#[derive(PartialEq, Eq)]
enum Truth {
    Yes,
    No,
    /// There is no value.
    Nothing,
}

impl Truth {
    fn of(word: &str) -> Option<Self> {
        match word {
            "1" | "t" | "true" | "y" | "yes" | "on" | "x" | "wahr" | "ja" | "vrai" | "oui" => {
                Some(Self::Yes)
            }
            "0" | "f" | "false" | "n" | "no" | "off" | "never" | "falsch" | "nein" | "faux"
            | "non" => Some(Self::No),
            "" | "-" | "none" => Some(Self::Nothing),
            // MySQL's zero date.
            zero if zero.starts_with("0000-00-00") => Some(Self::Nothing),
            _ => None,
        }
    }
}

/// A date, or a number that can be one.
fn date(value: &str) -> Option<Moment> {
    moment(Timestamp::Text(value), TimeUnit::Guessed)
}

/// A heading without what differs between spellings: `Created At`, `created_at` and `createdAt` are one.
pub(super) fn normal(heading: &str) -> String {
    heading.chars().filter(|it| it.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_headings_that_say_who_is_disabled() {
        for (headings, expected) in [
            (
                &[
                    "disabled",
                    "Is Disabled",
                    "banned",
                    "isBanned",
                    "user_blocked",
                    "suspended_at",
                    "locked",
                    "account_locked",
                    "deleted_at",
                    "DeletedOn",
                    "date_deleted",
                    "inactive",
                    "deactivatedAt",
                    "ban",
                ][..],
                Some(DisabledColumn::Disabled),
            ),
            (
                &[
                    "active",
                    "is_active",
                    "ENABLED",
                    "isEnabled",
                    "account_non_locked",
                    "approved_at",
                ],
                Some(DisabledColumn::Enabled),
            ),
            (&["status", "account_status", "userStatus", "state"], Some(DisabledColumn::Status)),
            (&["locked_out", "forum_banned", "isShadowBanned"], Some(DisabledColumn::Unclear)),
            (
                &["banned_until", "lockout_end", "banExpires", "locked-until", "suspended_until"],
                Some(DisabledColumn::Until),
            ),
            (
                &[
                    "username",
                    "last_active",
                    "active_at",
                    "blockchain",
                    "lockers",
                    "island",
                    "banner",
                    "interactive",
                    "country",
                    "is",
                    "",
                    "date",
                    "weekend",
                    "legend",
                    "statusbar",
                ],
                None,
            ),
        ] {
            for heading in headings {
                assert_eq!(of_heading(heading), expected, "{heading}");
            }
        }
    }

    #[test]
    fn understands_truths_dates_and_words_and_nothing_else() {
        let now = Moment::from_millis(2_000_000_000_000);
        let past = Some(Moment::from_millis(1_767_312_000_000));
        let at = |column, value| disabled_at(column, value, now);
        for yes in ["true", "TRUE", "1", "t", "yes"] {
            assert_eq!(at(DisabledColumn::Disabled, yes), Ok(Some(now)), "{yes}");
            assert_eq!(at(DisabledColumn::Enabled, yes), Ok(None), "{yes}");
            assert!(at(DisabledColumn::Status, yes).is_err(), "{yes}");
        }
        for no in ["false", "0", "F", "No"] {
            assert_eq!(at(DisabledColumn::Disabled, no), Ok(None), "{no}");
            assert_eq!(at(DisabledColumn::Unclear, no), Ok(None), "{no}");
            assert_eq!(at(DisabledColumn::Enabled, no), Ok(Some(now)), "{no}");
        }
        assert_eq!(at(DisabledColumn::Disabled, "2026-01-02"), Ok(past));
        assert_eq!(at(DisabledColumn::Disabled, "2099-01-02"), Ok(Some(now)));
        assert_eq!(at(DisabledColumn::Disabled, "0000-00-00 00:00:00"), Ok(None));
        assert_eq!(at(DisabledColumn::Disabled, ""), Ok(None));
        assert_eq!(at(DisabledColumn::Enabled, "2026-01-02 03:04:05"), Ok(None));
        assert_eq!(at(DisabledColumn::Status, "Active"), Ok(None));
        assert_eq!(at(DisabledColumn::Status, "BANNED"), Ok(Some(now)));
        assert_eq!(at(DisabledColumn::Until, "2026-01-02"), Ok(None));
        assert_eq!(at(DisabledColumn::Until, "2099-01-02"), Ok(Some(now)));
        assert_eq!(at(DisabledColumn::Until, "0"), Ok(None));
        assert_eq!(at(DisabledColumn::Disabled, "20260102"), Ok(past));
        for (column, odd) in [
            (DisabledColumn::Disabled, "maybe"),
            (DisabledColumn::Enabled, ""),
            (DisabledColumn::Enabled, "2"),
            (DisabledColumn::Status, "pending"),
            (DisabledColumn::Status, "CA"),
            (DisabledColumn::Status, "2"),
            (DisabledColumn::Until, "true"),
            (DisabledColumn::Until, "3.5"),
            (DisabledColumn::Disabled, "12345678"),
            (DisabledColumn::Disabled, "2"),
            (DisabledColumn::Unclear, "true"),
            (DisabledColumn::Unclear, "2026-01-02"),
        ] {
            assert!(at(column, odd).is_err(), "{column:?}: {odd}");
        }
    }
}
