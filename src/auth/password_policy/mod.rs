//! The rules for new passwords.
//!
//! They apply to new passwords only: an existing account keeps the password it has. Knows nothing of
//! hashes, accounts or pages.

use std::cmp::Ordering;

use crate::auth::usernames::{self, Username};
use crate::base::password::Password;

/// The longest password, in UTF-16 units: the limit of Lucia's guide, which also bounds the cost of
/// hashing. NIST SP 800-63B-4 § 3.1.1.2 wants at least 64 characters to be allowed.
pub const UNITS_MAX: usize = 255;

/// The refused passwords, one a line, after a heading that names their source.
const COMMON: &str = include_str!("common_passwords.txt");

/// A set of rules, chosen with `--password-policy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// The rule of Lucia's guide: 6 to 255 UTF-16 units, and nothing else.
    Minimal,
    /// OWASP ASVS level 1 (6.2.1, 6.2.4): 8 characters or more, not a common password, not the username.
    Standard,
    /// NIST SP 800-63B-4 § 3.1.1.2 for a password that is the only factor: as `Standard`, with 15
    /// characters or more.
    Nist,
}

/// Why a password is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// It has fewer characters than [`Policy::shortest`].
    TooShort,
    /// It has more than [`UNITS_MAX`] UTF-16 units.
    TooLong,
    /// It is in the list of common passwords.
    Common,
    /// It is the username, or a word of the site (see [`site_words`]).
    Name,
}

impl Policy {
    /// The value of `--password-policy`.
    pub const fn name(self) -> &'static str {
        match self {
            // Its name from before it was called minimal.
            Self::Minimal => "seed",
            Self::Standard => "standard",
            Self::Nist => "nist",
        }
    }

    /// The shortest password that is allowed, in characters (`Minimal`: in UTF-16 units).
    pub const fn shortest(self) -> usize {
        match self {
            Self::Minimal => 6,
            Self::Standard => 8,
            Self::Nist => 15,
        }
    }

    /// The reason to refuse this password for this username, if there is one. `site` lists the words of the
    /// site, in lower case (see [`site_words`]).
    pub fn flaw(self, password: &Password, name: &Username, site: &[String]) -> Option<Flaw> {
        let length = match self {
            Self::Minimal => password.units(),
            Self::Standard | Self::Nist => password.characters(),
        };
        if length < self.shortest() {
            return Some(Flaw::TooShort);
        }
        if password.units() > UNITS_MAX {
            return Some(Flaw::TooLong);
        }
        if self == Self::Minimal {
            return None;
        }
        let folded = usernames::canonical(password.reveal());
        let mailbox = name.canonical().split('@').next();
        if folded == name.canonical() || Some(&*folded) == mailbox || site.contains(&folded) {
            Some(Flaw::Name)
        } else if is_common(&folded) {
            Some(Flaw::Common)
        } else {
            None
        }
    }
}

/// The words that an attacker would try first on this site: `vestibule`, and those of its host name.
pub fn site_words(host: Option<&str>) -> Vec<String> {
    let host = host.unwrap_or_default();
    let parts = host.split('.').chain([host, "vestibule"]);
    parts.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A password as it was typed, if it has a length that is looked at at all: 1 to 255 UTF-16 units.
/// It is counted first, as normalising a hundred thousand characters takes longer than a hash.
pub fn read(typed: &str) -> Option<Password> {
    let units = typed.encode_utf16().take(UNITS_MAX + 1).count();
    (1..=UNITS_MAX).contains(&units).then(|| Password::new(typed))
}

/// Searches the list, which is sorted by bytes: about fourteen comparisons.
fn is_common(folded: &str) -> bool {
    let (_heading, list) = COMMON.split_once("\n\n").expect("the list has a heading");
    let mut rest = list.as_bytes();
    while !rest.is_empty() {
        let middle = rest.len() / 2;
        let start = rest[..middle].iter().rposition(|&it| it == b'\n').map_or(0, |at| at + 1);
        let line = &rest[start..];
        let length = line.iter().position(|&it| it == b'\n').unwrap_or(line.len());
        match folded.as_bytes().cmp(&line[..length]) {
            Ordering::Equal => return true,
            Ordering::Less => rest = &rest[..start],
            Ordering::Greater => rest = line.get(length + 1..).unwrap_or(&[]),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(policy: Policy, password: &str) -> Option<Flaw> {
        let name = Username::for_sign_up("Ann.Example").unwrap();
        policy.flaw(&Password::new(password), &name, &["vestibule".to_owned()])
    }

    #[test]
    fn follows_the_guide_under_seed() {
        for (password, expected) in [
            ("12345", Some(Flaw::TooShort)),
            ("123456", None),
            ("😀😀😀", None),
            ("password", None),
            ("ann.example", None),
            (&*"x".repeat(255), None),
            (&*"x".repeat(256), Some(Flaw::TooLong)),
            ("      ", None),
        ] {
            assert_eq!(flaw(Policy::Minimal, password), expected, "{password}");
        }
    }

    #[test]
    fn looks_at_no_password_that_is_empty_or_too_long() {
        for (typed, expected) in [
            ("", false),
            ("x", true),
            (&*"x".repeat(255), true),
            (&*"x".repeat(256), false),
            (&*"😀".repeat(127), true),
            (&*"😀".repeat(128), false),
        ] {
            assert_eq!(read(typed).is_some(), expected, "{typed}");
        }
    }

    #[test]
    fn asks_for_eight_uncommon_characters_under_standard() {
        for (password, expected) in [
            ("sevench", Some(Flaw::TooShort)),
            ("e8htchrs", None),
            ("😀😀😀😀", Some(Flaw::TooShort)),
            ("a\u{301}b\u{301}c\u{301}d\u{301}", Some(Flaw::TooShort)),
            ("password", Some(Flaw::Common)),
            ("PassWord", Some(Flaw::Common)),
            ("ｐａｓｓｗｏｒｄ", Some(Flaw::Common)),
            ("Ann.Example", Some(Flaw::Name)),
            ("ANN.EXAMPLE", Some(Flaw::Name)),
            ("Vestibule", Some(Flaw::Name)),
            ("passwordless", None),
            (&*"x".repeat(256), Some(Flaw::TooLong)),
        ] {
            assert_eq!(flaw(Policy::Standard, password), expected, "{password}");
        }
    }

    #[test]
    fn asks_for_fifteen_under_nist() {
        for (password, expected) in [
            ("fourteen chars", Some(Flaw::TooShort)),
            ("fifteen  chars!", None),
            ("PasswordPassword", Some(Flaw::Common)),
            ("123456789987654321", Some(Flaw::Common)),
            ("\u{fdfa}", Some(Flaw::TooShort)),
        ] {
            assert_eq!(flaw(Policy::Nist, password), expected, "{password}");
        }
    }

    #[test]
    fn knows_enough_common_passwords_for_each_policy() {
        let (heading, list) = COMMON.split_once("\n\n").unwrap();
        assert!(heading.contains("Source:"));
        let words: Vec<_> = list.lines().collect();
        for policy in [Policy::Standard, Policy::Nist] {
            // OWASP ASVS 6.2.4: at least the 3,000 most common ones that match the policy.
            let matching = words.iter().filter(|word| word.len() >= policy.shortest());
            assert!(matching.count() >= 3_000, "{policy:?}");
        }
        assert!(words.is_sorted(), "the list is searched by halves");
        for word in &words {
            assert!(is_common(word), "{word}");
            assert!(!is_common(&format!("{word}\n")), "{word}");
            assert_eq!(usernames::canonical(word), **word, "no password could ever match");
        }
    }
}
