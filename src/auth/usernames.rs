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

/// The shortest e-mail address that a new account may have as its name, as in `a@b.de`.
const ADDRESS_BYTES_MIN: usize = 6;

/// What the names of new accounts are on a site. Accounts from before another choice keep their names, and sign in
/// with them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NameKind {
    /// Any name, see [`Username::for_sign_up`].
    #[default]
    Name,
    /// An e-mail address, see [`Username::new_address`].
    Address,
}

impl NameKind {
    /// A name for a new account. `None` if `typed` is not such a name.
    pub fn for_sign_up(self, typed: &str) -> Option<Username> {
        match self {
            Self::Name => Username::for_sign_up(typed),
            Self::Address => Username::new_address(typed),
        }
    }

    /// A name that an account from elsewhere keeps: that of an account here, and where names are addresses an address
    /// of any length as well. `None` if it has to get another one.
    pub fn for_import(self, typed: &str) -> Option<Username> {
        let address = || Username::new_address(typed).filter(|_| self == Self::Address);
        address().or_else(|| Username::for_sign_in(typed))
    }

    /// The e-mail address that an account has by its name, which counts once it is verified; empty: none.
    pub fn email(self, name: &Username) -> String {
        match self {
            Self::Name => String::new(),
            Self::Address => email_address::typed(name.typed()).unwrap_or_default(),
        }
    }

    /// The word for it among the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Address => "address",
        }
    }
}

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

    /// A name for a new account where names are e-mail addresses: one to which mail can be sent, without white space at
    /// either end and with its domain in ASCII, of 6 to 254 characters. `None` if `typed` is not such an address.
    pub fn new_address(typed: &str) -> Option<Self> {
        let address = email_address::typed(typed)?;
        (address.len() >= ADDRESS_BYTES_MIN).then(|| Self::of_account(&address))
    }

    /// The name of an account that exists, whatever rule it was created under.
    pub fn of_account(name: &str) -> Self {
        Self { typed: name.to_owned(), canonical: canonical(name) }
    }

    /// A name that an account may have: 1 to 31 UTF-16 units. `None` if `typed` is not such a name.
    ///
    /// It is less strict than [`Username::for_sign_up`], as in Lucia's guide, so that stricter rules for
    /// new names never lock out the owner of an old one.
    pub fn for_sign_in(typed: &str) -> Option<Self> {
        let units = typed.encode_utf16().count();
        (1..=UNITS_MAX).contains(&units).then(|| Self::of_account(typed))
    }

    /// A name with which an account is looked up: as [`Username::for_sign_in`] takes it, and one that is too long
    /// only because of white space at either end. Which account is meant, [`crate::auth::users::meant`] says.
    pub fn for_look_up(typed: &str) -> Option<Self> {
        Self::for_sign_in(typed).or_else(|| Self::for_sign_in(typed.trim()))
    }

    /// What may be the name or the e-mail address of an account: as [`Username::for_look_up`] takes it, or an address
    /// of any length, without white space at either end. Whose it is, [`crate::auth::users::meant_by_address`] says.
    pub fn or_address(typed: &str) -> Option<Self> {
        let address = || {
            let typed = typed.trim();
            let is_one = email_address::is_address(typed);
            if is_one { Some(Self::of_account(typed)) } else { address_in_ascii(typed) }
        };
        Self::for_look_up(typed).or_else(address)
    }

    /// The name that is meant if no account has it as it was typed: without white space at either end, and an e-mail
    /// address with its domain in ASCII. `None` if it is written so already, or is nothing but white space.
    pub fn plain(&self) -> Option<Self> {
        let trimmed = self.typed.trim();
        address_in_ascii(trimmed).or_else(|| {
            if trimmed.len() < self.typed.len() { Self::or_address(trimmed) } else { None }
        })
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

/// An e-mail address whose domain is typed in another script, with it in ASCII, as names have it. `None` if it is none.
fn address_in_ascii(trimmed: &str) -> Option<Username> {
    if trimmed.is_ascii() {
        None
    } else {
        email_address::typed(trimmed).as_deref().map(Username::of_account)
    }
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
            let found = name.and_then(|it| it.plain());
            assert_eq!(found.as_ref().map(Username::typed), trimmed, "{typed:?}");
        }
    }

    #[test]
    fn takes_for_a_new_address_what_mail_can_be_sent_to() {
        let named = |typed: &str| NameKind::Address.for_sign_up(typed);
        let domain = ["b".repeat(63), "c".repeat(63), "d".repeat(58)].join(".");
        let longest = format!("{}@{domain}.de", "a".repeat(64));
        for (typed, name, canonical) in [
            (" Ann@Example.com ", "Ann@Example.com", "ann@example.com"),
            ("ann@b\u{fc}cher.example", "ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"),
            ("ann@\u{ff45}xample.com", "ann@example.com", "ann@example.com"),
            ("ann@example\u{3002}com", "ann@example.com", "ann@example.com"),
            ("a@b.de", "a@b.de", "a@b.de"),
            (&longest, &longest, &longest),
        ] {
            let found = named(typed).unwrap();
            assert_eq!((found.typed(), found.canonical()), (name, canonical), "{typed:?}");
        }
        for typed in [
            "",
            "anna",
            "a@b.d",
            "ann@example",
            "ann@example.com.",
            "ann@example..com",
            "@example.com",
            "m\u{131}ke@example.com",
            "\u{17f}am@example.com",
            "\u{ff41}nn@example.com",
            "ann\u{200b}@example.com",
            "ann@example.com\r\nX: y",
            "ann,ben@example.com",
            &format!("a{longest}"),
        ] {
            assert_eq!(named(typed), None, "{typed:?}");
        }
        assert!(NameKind::Name.for_sign_up("anna").is_some());
    }

    #[test]
    fn looks_up_an_address_in_every_way_in_which_it_is_typed() {
        let long = format!("{}@b\u{fc}cher.example", "a".repeat(40));
        for (typed, name) in [
            ("ann@b\u{fc}cher.example", "ann@xn--bcher-kva.example".to_owned()),
            (" Ann@B\u{dc}CHER.example ", "ann@xn--bcher-kva.example".to_owned()),
            (&long, format!("{}@xn--bcher-kva.example", "a".repeat(40))),
            (
                &format!(" {}@Example.com", "a".repeat(40)),
                format!("{}@example.com", "a".repeat(40)),
            ),
        ] {
            let typed = Username::or_address(typed).unwrap();
            let plain = typed.plain().unwrap_or(typed);
            assert_eq!(plain.canonical(), name);
        }
        assert_eq!(Username::or_address("ann@example.com").unwrap().plain(), None);
        assert_eq!(Username::or_address(&"a".repeat(32)), None);
        assert_eq!(Username::or_address(&format!("{}@example.com", "a".repeat(243))), None);
    }

    #[test]
    fn keeps_the_name_of_an_account_from_elsewhere_if_it_can() {
        let long = format!("{}@example.com", "a".repeat(40));
        for (typed, of_names, of_addresses) in [
            ("Ann@Example.com", Some("Ann@Example.com"), Some("Ann@Example.com")),
            (&*long, None, Some(&*long)),
            ("anna", Some("anna"), Some("anna")),
            (&*"a".repeat(32), None, None),
        ] {
            for (kind, name) in [(NameKind::Name, of_names), (NameKind::Address, of_addresses)] {
                let found = kind.for_import(typed);
                assert_eq!(found.as_ref().map(Username::typed), name, "{typed} {kind:?}");
            }
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
