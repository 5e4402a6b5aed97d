//! Recovery codes: secrets that a user keeps for the day on which the app that shows their codes is lost.
//!
//! Decides length and alphabet, and how a code is shown and read. Does not know its owner, or whether it was used.

use crate::base::canonical_name::canonical;
use crate::base::token::{TokenHash, random_text_of};

/// How many codes a user gets at a time.
pub const RECOVERY_CODES: usize = 8;

/// Characters of a code: 24 × log2(30) = 117.8 bits. Above 112 bits a fast hash is enough (OWASP ASVS 6.5.2).
const LENGTH: usize = 24;

/// Characters of each group of a code as it is shown.
const GROUP: usize = 6;

/// Without the characters that are mistaken for one another on paper: 0, o, 1, i, l, u.
const ALPHABET: &[u8; 30] = b"abcdefghjkmnpqrstvwxyz23456789";

/// What separates groups of characters: the hyphen, and the dashes that keyboards and editors make of it.
const DASHES: [char; 6] = ['-', '\u{2010}', '\u{2012}', '\u{2013}', '\u{2014}', '\u{2212}'];

/// Bytes of what is typed into the field of a code.
const TYPED_BYTES_MAX: usize = 256;

/// A secret that is used once instead of a code from the app. The database has its [`TokenHash`].
///
/// It has neither `Debug` nor `Display`: only [`RecoveryCode::reveal`] shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(String);

impl RecoveryCode {
    /// A new code from the operating system's random source.
    pub fn random() -> Self {
        Self(random_text_of(ALPHABET, LENGTH))
    }

    /// The codes that a user gets at a time.
    pub fn new_set() -> [Self; RECOVERY_CODES] {
        std::array::from_fn(|_| Self::random())
    }

    /// Reads what was typed, without regard to case, width, white space and hyphens. `None` unless 24 characters of
    /// the alphabet are left.
    pub fn read(typed: &str) -> Option<Self> {
        if typed.len() > TYPED_BYTES_MAX {
            return None;
        }
        let is_mark = |it: &char| it.is_whitespace() || DASHES.contains(it);
        let code: String = canonical(typed).chars().filter(|it| !is_mark(it)).collect();
        let is_code = code.len() == LENGTH && code.bytes().all(|it| ALPHABET.contains(&it));
        is_code.then_some(Self(code))
    }

    /// The code as its owner is shown it, once: `xxxxxx-xxxxxx-xxxxxx-xxxxxx`.
    pub fn reveal(&self) -> String {
        let groups = self.0.as_bytes().chunks(GROUP).map(|it| String::from_utf8_lossy(it));
        groups.collect::<Vec<_>>().join("-")
    }

    /// The form in which the database holds it.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_eight_codes_at_a_time_that_are_all_different() {
        let codes = RecoveryCode::new_set().map(|it| it.reveal());
        let distinct: std::collections::HashSet<_> = codes.iter().collect();
        assert_eq!((codes.len(), distinct.len()), (8, 8));
    }

    #[test]
    fn shows_four_groups_of_six_characters() {
        let shown = RecoveryCode::random().reveal();
        let groups: Vec<_> = shown.split('-').map(str::len).collect();
        assert_eq!(groups, [6; 4], "{shown}");
        assert!(shown.bytes().all(|it| it == b'-' || ALPHABET.contains(&it)), "{shown}");
    }

    #[test]
    fn reads_a_code_however_it_is_typed() {
        let code = RecoveryCode::read("abcdef-ghjkmn-pqrstv-wxyz23").unwrap();
        for typed in [
            "abcdefghjkmnpqrstvwxyz23",
            "ABCDEF-GHJKMN-PQRSTV-WXYZ23",
            " abcdef ghjkmn\tpqrstv wxyz23\r\n",
            "abc def-ghj kmn-pqr stv-wxy z23",
            "abcdef–ghjkmn—pqrstv\u{2011}wxyz23",
            "ａｂｃｄｅｆ－ｇｈｊｋｍｎ－ｐｑｒｓｔｖ－ｗｘｙｚ２３",
        ] {
            assert!(RecoveryCode::read(typed).is_some_and(|it| it == code), "{typed:?}");
        }
        assert_eq!(code.reveal(), "abcdef-ghjkmn-pqrstv-wxyz23");
    }

    #[test]
    fn reads_nothing_else() {
        let long = " ".repeat(1_000) + "abcdefghjkmnpqrstvwxyz23";
        for typed in [
            "",
            "123456",
            "abcdefghjkmnpqrstvwxyz2",
            "abcdefghjkmnpqrstvwxyz234",
            "abcdefghjkmnpqrstvwxyz20",
            "abcdefghijkmnpqrstvwxyz2",
            "abcdef_ghjkmn_pqrstv_wxyz23",
            "äbcdefghjkmnpqrstvwxyz23",
            &long,
        ] {
            assert!(RecoveryCode::read(typed).is_none(), "{typed:?}");
        }
    }

    #[test]
    fn is_stored_as_tokens_are() {
        // From `b2sum -l 256` of coreutils.
        let code = RecoveryCode::read("ABCDEF-GHJKMN-PQRSTV-WXYZ23").unwrap();
        let expected = "f04dd785df792b664cade77e12a643c95b1836e7f4c2cda7d50d8be5bd86284b";
        assert_eq!(crate::base::token::hex(code.hash().as_bytes()), expected);
    }
}
