//! Usernames: which are allowed, and which are the same.
//!
//! Knows nothing of accounts.

use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

pub use crate::base::canonical_name::canonical;
use crate::base::email_address;

/// The shortest name of a new account, in UTF-16 units (Lucia's guide).
pub const UNITS_MIN: usize = 4;

/// The longest name, in UTF-16 units, at sign-up and at sign-in (Lucia's guide).
pub const UNITS_MAX: usize = 31;

/// A name as it was typed, and its canonical form, by which names are compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Username {
    typed: String,
    canonical: String,
}

impl Username {
    /// A name for a new account: 4 to 31 UTF-16 units of visible characters, after white space at either end is
    /// dropped, which keyboards of phones add. `None` if `typed` is not such a name.
    pub fn for_sign_up(typed: &str) -> Option<Self> {
        let typed = typed.trim();
        let long_enough = typed.encode_utf16().count() >= UNITS_MIN;
        let acceptable = long_enough && stands_by_itself(typed) && typed.chars().all(is_visible);
        if acceptable { Self::for_sign_in(typed) } else { None }
    }

    /// A name that an account may have: 1 to 31 UTF-16 units. `None` if `typed` is not such a name.
    ///
    /// It is less strict than [`Username::for_sign_up`], as in Lucia's guide, so that stricter rules for
    /// new names never lock out the owner of an old one.
    pub fn for_sign_in(typed: &str) -> Option<Self> {
        let units = typed.encode_utf16().count();
        (1..=UNITS_MAX)
            .contains(&units)
            .then(|| Self { typed: typed.to_owned(), canonical: canonical(typed) })
    }

    /// A name with which an account is looked up: as [`Username::for_sign_in`] takes it, and one that is too long
    /// only because of white space at either end. Which account is meant, [`crate::auth::users::meant`] says.
    pub fn for_look_up(typed: &str) -> Option<Self> {
        Self::for_sign_in(typed).or_else(|| Self::for_sign_in(typed.trim()))
    }

    /// What is typed at sign-in where an address works as well as a name: as [`Username::for_look_up`] takes it, or
    /// an e-mail address, without white space at either end. Whose it is, [`crate::auth::users::meant_by_address`] says.
    pub fn or_address(typed: &str) -> Option<Self> {
        let address = || {
            let typed = typed.trim();
            let it = Self { typed: typed.to_owned(), canonical: canonical(typed) };
            email_address::is_address(typed).then_some(it)
        };
        Self::for_look_up(typed).or_else(address)
    }

    /// The name without white space at either end. `None` if it has none there, or is nothing else.
    pub fn trimmed(&self) -> Option<Self> {
        let trimmed = self.typed.trim();
        if trimmed.len() < self.typed.len() { Self::for_sign_in(trimmed) } else { None }
    }

    /// The name as it was typed: what pages show.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// The canonical form, the same for all spellings of a name: the unique key of an account.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

/// The letters and digits of a canonical name, without combining marks: `_ádmin_`, `ad.min` and `admin.` become
/// `admin`. Empty if there are none.
pub fn bare(canonical: &str) -> String {
    let apart = DecomposingNormalizerBorrowed::new_nfkd().normalize(canonical);
    apart.chars().filter(|it| it.is_alphanumeric() && !is_mark(*it)).collect()
}

/// Characters that look blank although their properties do not say so: the blank Braille pattern, the
/// object replacement character and the Khitan filler.
const BLANKS: [char; 3] = ['\u{2800}', '\u{fffc}', '\u{16fe4}'];

/// Whether a name starts with a base character and not with a combining mark.
fn stands_by_itself(name: &str) -> bool {
    !name.starts_with(is_mark)
}

/// Whether this is a combining mark.
fn is_mark(character: char) -> bool {
    matches!(
        CodePointMapData::<GeneralCategory>::new().get(character),
        GeneralCategory::NonspacingMark
            | GeneralCategory::SpacingMark
            | GeneralCategory::EnclosingMark
    )
}

/// Not a control, format, private-use or unassigned character, a line separator, or one that looks blank:
/// with these two names could look the same, or a name could rearrange a line of text.
fn is_visible(character: char) -> bool {
    let hidden = matches!(
        CodePointMapData::<GeneralCategory>::new().get(character),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    );
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character);
    !hidden && !ignorable && !BLANKS.contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_name(typed: &str) -> bool {
        Username::for_sign_up(typed).is_some()
    }

    #[test]
    fn finds_what_is_left_of_a_name_without_marks_and_punctuation() {
        for (name, expected) in [
            ("_Ádmin_", "admin"),
            ("admin.", "admin"),
            ("a\u{308}d\u{325}min", "admin"),
            ("a\u{20dd}dmin", "admin"),
            ("İnfo", "info"),
            ("(root)", "root"),
            ("mailer_daemon", "mailerdaemon"),
            ("ad.min 2", "admin2"),
            ("-._", ""),
        ] {
            assert_eq!(bare(&canonical(name)), expected, "{name}");
        }
    }

    #[test]
    fn counts_the_length_of_a_name_as_javascript_does() {
        for (name, accepted) in [
            ("abc", false),
            ("abcd", true),
            (&*"a".repeat(31), true),
            (&*"a".repeat(32), false),
            ("😀", false),
            ("😀😀", true),
            (&*"😀".repeat(15), true),
            (&*"😀".repeat(16), false),
            ("äöü", false),
            ("äöüß", true),
        ] {
            assert_eq!(is_name(name), accepted, "{name}");
        }
    }

    #[test]
    fn accepts_at_sign_in_every_name_of_1_to_31() {
        for (name, accepted) in
            [("", false), ("a", true), (" ", true), ("\0", true), (&*"a".repeat(32), false)]
        {
            assert_eq!(Username::for_sign_in(name).is_some(), accepted, "{name:?}");
        }
    }

    #[test]
    fn accepts_any_name_that_can_be_seen() {
        for name in
            ["<b>x</b>", "a:b:c:d", "two words", "a@b.example", "Zoë-Ann", "Ωμέγα", "李小龙先生"]
        {
            assert!(is_name(name), "{name}");
        }
    }

    #[test]
    fn drops_white_space_around_a_new_name() {
        for typed in [" abcd", "abcd ", "\tabcd\t", "\u{3000}abcd\u{a0}"] {
            assert_eq!(Username::for_sign_up(typed).unwrap().typed(), "abcd", "{typed:?}");
        }
        assert!(is_name(&format!(" {} ", "a".repeat(31))) && !is_name("abc "));
        assert_eq!(Username::for_sign_up("two words ").unwrap().typed(), "two words");
    }

    #[test]
    fn looks_up_a_name_as_typed_and_then_without_white_space_around_it() {
        let long = "a".repeat(31);
        for (typed, exact, trimmed) in [
            ("anna", Some("anna"), None),
            ("anna ", Some("anna "), Some("anna")),
            ("\u{3000}anna\u{a0}", Some("\u{3000}anna\u{a0}"), Some("anna")),
            ("an na", Some("an na"), None),
            ("  ", Some("  "), None),
            ("", None, None),
            (&*format!("{long} "), Some(&*long), None),
            (&*format!("{long}a "), None, None),
            (&*" ".repeat(32), None, None),
        ] {
            let name = Username::for_look_up(typed);
            assert_eq!(name.as_ref().map(Username::typed), exact, "{typed:?}");
            let found = name.and_then(|it| it.trimmed());
            assert_eq!(found.as_ref().map(Username::typed), trimmed, "{typed:?}");
        }
    }

    #[test]
    fn refuses_names_that_hide_something() {
        for (what, name) in [
            ("NUL", "abc\0d"),
            ("line break", "abc\r\nd"),
            ("tab", "abc\td"),
            ("delete", "abcd\u{7f}"),
            ("C1 control", "abc\u{85}d"),
            ("zero-width space", "abc\u{200b}d"),
            ("zero-width joiner", "abc\u{200d}d"),
            ("byte order mark", "\u{feff}abcd"),
            ("right-to-left override", "abc\u{202e}d"),
            ("isolate", "abc\u{2066}d"),
            ("soft hyphen", "abc\u{ad}d"),
            ("line separator", "abc\u{2028}d"),
            ("paragraph separator", "abc\u{2029}d"),
            ("variation selector", "abcd\u{fe0f}"),
            ("Hangul filler", "abc\u{3164}d"),
            ("combining grapheme joiner", "abc\u{34f}d"),
            ("tag", "abc\u{e0061}d"),
            ("private use", "abc\u{e000}d"),
            ("not a character", "abc\u{ffff}d"),
            ("unassigned", "abc\u{0378}d"),
            ("nothing but spaces", "    "),
            ("blank Braille pattern", "abcd\u{2800}"),
            ("object replacement", "abcd\u{fffc}"),
            ("Khitan filler", "\u{16fe4}abcd"),
            ("marks with nothing under them", "\u{301}\u{301}\u{301}\u{301}"),
        ] {
            assert!(!is_name(name), "{what}");
        }
    }
}
