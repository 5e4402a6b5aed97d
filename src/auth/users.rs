//! People and their names.
//!
//! Decides which names may be taken and which names are the same. Knows nothing of passwords'
//! quality, sessions or pages.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

use crate::auth::keys::{self, NewKey};
use crate::auth::names::Rest;
use crate::base::clock::Moment;
use crate::base::password::Hasher;
use crate::base::token;
use crate::store::{Groups, KeyId, Result, Store, User, UserAdded, UserId, UserRenamed};

/// Characters of a user id, as in Lucia: 15 × log2(36) = 77.5 bits.
const ID_LENGTH: usize = 15;

/// UTF-16 units of a name, at least, when an account is made (the guide).
pub const UNITS_MIN: usize = 4;

/// UTF-16 units of a name, at most, whenever one is given (the guide).
pub const UNITS_MAX: usize = 31;

/// Bytes of a group's name, and groups of one user, at most: what fits into a header.
const GROUP_BYTES_MAX: usize = 63;
const GROUPS_MAX: usize = 100;
const GROUPS_BYTES_MAX: usize = 2_048;

/// Bytes of an address to write to, at most.
const EMAIL_BYTES_MAX: usize = 254;

/// A name that somebody gave: as they typed it, and in the canonical form that decides who it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Username {
    typed: String,
    canonical: String,
}

impl Username {
    /// A name for a new account: 4 to 31 UTF-16 units of characters that can be seen, and no white
    /// space at either end. `None` if it is not such a name.
    pub fn for_sign_up(typed: &str) -> Option<Self> {
        let long_enough = typed.encode_utf16().count() >= UNITS_MIN;
        let stands_free = typed.trim() == typed && stands_by_itself(typed);
        let acceptable = long_enough && stands_free && typed.chars().all(is_visible);
        if acceptable { Self::for_sign_in(typed) } else { None }
    }

    /// A name that may belong to an account: 1 to 31 UTF-16 units. `None` if it is not.
    ///
    /// It is less strict than [`Username::for_sign_up`], as in the guide, so that stricter rules
    /// for new names never lock out somebody who has an old one.
    pub fn for_sign_in(typed: &str) -> Option<Self> {
        let units = typed.encode_utf16().count();
        (1..=UNITS_MAX)
            .contains(&units)
            .then(|| Self { typed: typed.to_owned(), canonical: canonical(typed) })
    }

    /// The name as it was typed: what pages show.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// The form that is the same for all spellings of one name: the unique key of an account.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

/// NFKC(lower(upper(NFKC(name)))), with every character mapped by itself.
///
/// So `Alice`, `ALICE` and full-width `ａｌｉｃｅ` are one name. Going through upper case merges what
/// differs in lower case only (dotless ı and i, final and other sigma); mapping by character keeps
/// the context rules of whole words out, which would make the form depend on its neighbours. The
/// result maps to itself: a form that does not would let two accounts meet later (Spotify, 2013).
pub fn canonical(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let mut form = fold(name);
    loop {
        let again = fold(&form);
        if again == form {
            return form;
        }
        // U+1E9E takes two rounds.
        form = again;
    }
}

fn fold(name: &str) -> String {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let folded: String = nfkc
        .normalize(name)
        .chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect();
    nfkc.normalize(&folded).into_owned()
}

/// Characters that are drawn as nothing although their properties do not say so: the blank Braille
/// pattern, the object replacement character and the Khitan filler.
const BLANKS: [char; 3] = ['\u{2800}', '\u{fffc}', '\u{16fe4}'];

/// Whether a name begins with a character of its own and not with a mark on the one before.
fn stands_by_itself(name: &str) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new();
    let is_mark = |it| {
        matches!(
            category.get(it),
            GeneralCategory::NonspacingMark
                | GeneralCategory::SpacingMark
                | GeneralCategory::EnclosingMark
        )
    };
    !name.starts_with(is_mark)
}

/// Control, format, private-use and unassigned characters, line separators, and whatever is drawn
/// as nothing: with them two names could look the same, or a name could rearrange a line of text.
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

/// What became of an attempt to create a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Created {
    /// The user is there.
    Done(User),
    /// Another user has the name or the key, or signs in with the name.
    NameTaken,
    /// Another user had the name, and it rests.
    NameRests,
}

/// Creates a user in these groups, with a key or without.
pub fn create_in_groups(
    store: &dyn Store,
    hasher: &Hasher,
    username: &Username,
    groups: Groups,
    key: Option<&NewKey<'_>>,
    now: Moment,
) -> Result<Created> {
    let user = User { groups, ..new(username, now) };
    let keys: Vec<_> = key.map(|key| keys::new(hasher, &user.id, key)).into_iter().collect();
    Ok(match store.add_user(&user, &keys)? {
        UserAdded::Done => Created::Done(user),
        UserAdded::NameReserved => Created::NameRests,
        UserAdded::NameTaken => Created::NameTaken,
    })
}

/// Makes a user, with a key or without. `None` if somebody has the name or the key already, or the name
/// rests; then nothing is written. (Lucia: `createUser`.)
pub fn create(
    store: &dyn Store,
    hasher: &Hasher,
    username: &Username,
    key: Option<&NewKey<'_>>,
    now: Moment,
) -> Result<Option<User>> {
    let created = create_in_groups(store, hasher, username, Groups::default(), key, now)?;
    Ok(match created {
        Created::Done(user) => Some(user),
        Created::NameTaken | Created::NameRests => None,
    })
}

/// The user with this id, if there is one. (Lucia: `getUser`.)
pub fn get(store: &dyn Store, id: &UserId) -> Result<Option<User>> {
    store.user(id)
}

/// The user who has this name in any spelling, if there is one.
pub fn by_name(store: &dyn Store, username: &Username) -> Result<Option<User>> {
    store.user_by_name(username.canonical())
}

/// The user who has this name in any spelling, or else the one who signs in with it.
pub fn by_any_name(store: &dyn Store, username: &Username) -> Result<Option<User>> {
    if let Some(user) = by_name(store, username)? {
        return Ok(Some(user));
    }
    let owner = store.user_of_key(&KeyId::username(username.canonical()))?;
    Ok(owner.map(|(user, _)| user))
}

/// Gives a user another name; they sign in with it from now on, whatever they signed in with before, and
/// reset links made before are not good. The old name rests, for everybody but them. [`UserRenamed::NameTaken`] if
/// another user has the new one or signs in with it, [`UserRenamed::NameReserved`] if another one had it.
/// The name is the one attribute that a user has. (Lucia: `updateUserAttributes`.)
pub fn rename(
    store: &dyn Store,
    id: &UserId,
    username: &Username,
    rest: Rest,
    now: Moment,
) -> Result<UserRenamed> {
    store.rename_user(id, username.typed(), username.canonical(), rest.end(now), now)
}

/// Groups as somebody writes them, with commas between them; empty: none. `None` unless each is 1 to
/// 63 characters of `a-z0-9._-`, and there are no more than a hundred with 2,048 characters in all: apps
/// get them in one header.
pub fn groups(text: &str) -> Option<Groups> {
    let mut names: Vec<_> = text.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    let is_good = |name: &&str| {
        let is_character = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
        };
        name.len() <= GROUP_BYTES_MAX && name.bytes().all(is_character)
    };
    let all = names.join(",");
    let fits = names.len() <= GROUPS_MAX && all.len() <= GROUPS_BYTES_MAX;
    (fits && names.iter().all(is_good)).then(|| Groups::new(all))
}

/// An address to write to, as somebody writes it. `None` unless it is visible ASCII with a part on
/// either side of its one `@`, and no longer than mail allows (RFC 5321 § 4.5.3.1.3).
pub fn email(text: &str) -> Option<String> {
    let (local, domain) = text.split_once('@')?;
    let is_good = !local.is_empty()
        && !domain.is_empty()
        && !domain.contains('@')
        && text.len() <= EMAIL_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    is_good.then(|| text.to_owned())
}

/// Puts a user in these groups and in no others. `false` if there is no such user.
pub fn set_groups(store: &dyn Store, id: &UserId, groups: &Groups) -> Result<bool> {
    store.set_groups(id, groups)
}

/// Says where apps may write to a user; empty: nowhere. `false` if there is no such user.
pub fn set_email(store: &dyn Store, id: &UserId, email: &str) -> Result<bool> {
    store.set_email(id, email)
}

/// Shuts a user out at once: their sessions and reset links end, and neither their password nor an access token of
/// theirs opens anything (OWASP ASVS 7.4.2). `false` if there is no such user.
pub fn disable(store: &dyn Store, id: &UserId, reason: &str, now: Moment) -> Result<bool> {
    store.disable_user(id, reason, now)
}

/// Lets a user in again who was shut out: their sessions and reset links stay ended, their access tokens
/// are good again. `false` if there is no such user.
pub fn enable(store: &dyn Store, id: &UserId) -> Result<bool> {
    store.enable_user(id)
}

/// Deletes a user with their keys and sessions, and lets their name rest. `false` if there was none.
/// (Lucia: `deleteUser`, which leaves keys and sessions to the caller.)
pub fn delete(store: &dyn Store, id: &UserId, rest: Rest, now: Moment) -> Result<bool> {
    store.delete_user(id, rest.end(now))
}

/// A user who is not written down yet.
pub(crate) fn new(username: &Username, now: Moment) -> User {
    User {
        id: UserId::new(token::random_text(ID_LENGTH)),
        username: username.typed().to_owned(),
        canonical_username: username.canonical().to_owned(),
        created_at: now,
        groups: Groups::default(),
        email: String::new(),
        disabled_at: None,
        disabled_reason: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_name(typed: &str) -> bool {
        Username::for_sign_up(typed).is_some()
    }

    #[test]
    fn takes_one_name_in_all_its_spellings_for_one() {
        for spelling in ["alice", "Alice", "ALICE", "ａｌｉｃｅ", "ＡＬＩＣＥ", "ａlice", "ⓐⓛⓘⓒⓔ"]
        {
            assert_eq!(canonical(spelling), "alice", "{spelling}");
        }
        for (one, other) in [
            ("Straße", "STRASSE"),
            ("ẞeta", "sseta"),
            ("ΣΑΣ", "σας"),
            ("ılker", "ilker"),
            ("Å", "A\u{30a}"),
            ("ﬁona", "FIONA"),
            ("ᴬᴺᴺᴬ", "anna"),
            ("a\u{a0}b", "a b"),
        ] {
            assert_eq!(canonical(one), canonical(other), "{one} and {other}");
        }
    }

    #[test]
    fn keeps_names_apart_that_are_not_the_same() {
        for (one, other) in [("alice", "alicia"), ("аlice", "alice"), ("resume", "résumé")] {
            assert_ne!(canonical(one), canonical(other), "{one} and {other}");
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
    fn refuses_names_that_hide_something() {
        for (what, name) in [
            ("NUL", "abc\0d"),
            ("line break", "abc\r\nd"),
            ("tab", "abc\td"),
            ("delete", "abcd\u{7f}"),
            ("C1 control", "abcd\u{85}"),
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
            ("leading space", " abcd"),
            ("trailing space", "abcd "),
            ("ideographic space outside", "\u{3000}abcd"),
            ("nothing but spaces", "    "),
            ("blank Braille pattern", "abcd\u{2800}"),
            ("object replacement", "abcd\u{fffc}"),
            ("Khitan filler", "\u{16fe4}abcd"),
            ("marks with nothing under them", "\u{301}\u{301}\u{301}\u{301}"),
        ] {
            assert!(!is_name(name), "{what}");
        }
    }

    #[test]
    fn reads_groups_in_order_and_each_once() {
        assert_eq!(groups("ops, admin,ops,,").unwrap().as_str(), "admin,ops");
        assert_eq!(groups("").unwrap().iter().count(), 0);
        for bad in ["Admin", "a b", "ä", "a\nb", "a;b", "a\"", &"x".repeat(64)] {
            assert!(groups(bad).is_none(), "{bad:?}");
        }
        let many = (0..101).map(|it| it.to_string()).collect::<Vec<_>>().join(",");
        assert!(groups(&many).is_none());
    }

    #[test]
    fn reads_an_address_that_can_stand_in_a_header() {
        assert!(email("ann+x@mail.example.com").is_some());
        for bad in ["", "ann", "@x", "ann@", "a@b@c", "a b@c", "ä@c", "a@b\r\nX: y", "a,b@c"] {
            assert!(email(bad).is_none(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn has_a_canonical_form_that_is_its_own(name in any::<String>()) {
            let form = canonical(&name);
            prop_assert_eq!(canonical(&form), form);
        }

        #[test]
        fn forgets_case_and_composition(name in "\\PC{1,31}") {
            let form = canonical(&name);
            let upper: String = name.chars().flat_map(char::to_uppercase).collect();
            prop_assert_eq!(canonical(&upper), form.clone());
            let nfc = ComposingNormalizerBorrowed::new_nfc().normalize(&name).into_owned();
            prop_assert_eq!(canonical(&nfc), form);
        }

        #[test]
        fn agrees_with_the_long_way_on_ascii(name in "[ -~]{0,40}") {
            prop_assert_eq!(canonical(&name), fold(&name));
        }
    }

    #[test]
    fn has_a_canonical_form_for_every_single_character() {
        for character in (0..=0x10_ffff).filter_map(char::from_u32) {
            let form = canonical(&character.to_string());
            assert_eq!(canonical(&form), form, "U+{:04X}", u32::from(character));
        }
    }
}
