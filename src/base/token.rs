//! Random secrets, and the hashes under which they are stored.
//!
//! Decides the length and the alphabet of a secret. Does not know its purpose, its owner or its lifetime.

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use rand::TryRng;
use rand::rngs::SysRng;

/// Characters of a [`Token`], as in Lucia's session ids: 40 × log2(36) = 206.8 bits
/// (OWASP ASVS 7.2.3 wants 128).
pub const TOKEN_LENGTH: usize = 40;

const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// A secret that a browser holds. The database has only its [`TokenHash`].
///
/// It has neither `Debug` nor `Display`: only [`Token::reveal`] shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new secret from the operating system's random source.
    pub fn random() -> Self {
        Self(random_text(TOKEN_LENGTH))
    }

    /// Parses a token that a client presents. `None` unless it has the exact length and alphabet, so that
    /// nothing else ever reaches a query.
    pub fn parse(text: &str) -> Option<Self> {
        let is_in_alphabet = |byte: u8| byte.is_ascii_lowercase() | byte.is_ascii_digit();
        // No end at the first wrong byte: without that branch, the compiler looks at sixteen bytes at once.
        let well_formed = text.len() == TOKEN_LENGTH
            && text.bytes().fold(true, |so_far, byte| so_far & is_in_alphabet(byte));
        well_formed.then(|| Self(text.to_owned()))
    }

    /// A secret that follows from this one and a text: always the same, and of no use to guess this one or any other.
    #[must_use]
    pub fn derived(&self, text: &str) -> Self {
        let mut derived = String::with_capacity(TOKEN_LENGTH);
        for round in 0..=u8::MAX {
            // The token has a fixed length, so no two inputs are the same bytes.
            let block = blake2b_256(&[self.0.as_bytes(), &[round], text.as_bytes()].concat());
            let fair = block.iter().filter_map(|&byte| character(ALPHABET, byte));
            derived.extend(fair.take(TOKEN_LENGTH - derived.len()));
            if derived.len() == TOKEN_LENGTH {
                break;
            }
        }
        Self(derived)
    }

    /// The secret in the clear, to be sent to its owner's browser only.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The form in which the database holds it. A fast hash without salt suffices for a secret of 206
    /// random bits (OWASP ASVS 6.5.2; the Copenhagen Book).
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

/// BLAKE2b-256 of a [`Token`] or of another random secret: the primary key of a session, an access token, a link
/// or a recovery code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a secret of at least 112 random bits.
    pub(super) fn of(secret: &str) -> Self {
        Self(blake2b_256(secret.as_bytes()))
    }

    /// A hash as it was stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes to store.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Sixteen hex digits by which its owner refers to the session. Public, as [`TokenHash::handle`] is,
    /// and long enough to be unique.
    pub fn public_handle(&self) -> String {
        hex(&blake2b_256(&self.0)[..8])
    }

    /// Eight hex digits that stand for the session in a log. It is a hash of the hash: a reader of the log
    /// can tell sessions apart, but can neither use one nor find its row.
    pub fn handle(&self) -> String {
        handle(&self.0)
    }
}

/// `length` characters of `a-z0-9` from the operating system's random source, each as likely as
/// any other.
///
/// Panics if that source fails: the kernel refuses only before it is seeded, in early boot.
pub fn random_text(length: usize) -> String {
    random_text_of(ALPHABET, length)
}

/// `length` characters of an alphabet, as for [`random_text`].
pub(super) fn random_text_of<const N: usize>(alphabet: &[u8; N], length: usize) -> String {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let bytes: [u8; 64] = random_bytes();
        let fair = bytes.iter().filter_map(|&byte| character(alphabet, byte));
        text.extend(fair.take(length - text.len()));
    }
    text
}

/// `N` bytes from the operating system's random source. Panics if that source fails, as [`random_text`]
/// does.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).expect("the kernel's random source answers once seeded");
    bytes
}

/// Eight hex digits that stand for `text` in a log. The random `key` keeps a reader of the log from testing
/// guesses of the text: people type passwords into the wrong field.
pub fn keyed_handle(key: &[u8; 32], text: &str) -> String {
    hex(&keyed_hash(key, text)[..4])
}

/// A 16-byte keyed hash that stands for `text` in the database: it can be looked up and not be read.
pub fn keyed_hash(key: &[u8; 32], text: &str) -> [u8; 16] {
    // A prefix is a sound key with BLAKE2, unlike with SHA-256, which allows the text to be extended.
    let whole = blake2b_256(&[key, text.as_bytes()].concat());
    whole[..16].try_into().expect("16 of 32 bytes")
}

/// Eight hex digits that change with `content`.
pub fn handle(content: &[u8]) -> String {
    hex(&blake2b_256(content)[..4])
}

/// The lower-case hex digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

/// Bytes above the largest multiple of `N`, which is 252 for 36 characters, would favour the first characters.
fn character<const N: usize>(alphabet: &[u8; N], byte: u8) -> Option<char> {
    let byte = usize::from(byte);
    (byte < 256 / N * N).then(|| char::from(alphabet[byte % N]))
}

fn blake2b_256(bytes: &[u8]) -> [u8; 32] {
    Blake2b::<U32>::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_tokens_of_forty_lowercase_letters_and_digits() {
        let token = Token::random();
        assert_eq!(token.reveal().len(), 40);
        assert!(Token::parse(token.reveal()).is_some_and(|again| again == token));
    }

    #[test]
    fn derives_one_token_for_each_token_and_text() {
        let (one, other) = (Token::random(), Token::random());
        let derived = one.derived("a");
        assert!(Token::parse(derived.reveal()).is_some());
        assert!(derived == one.derived("a"));
        assert!(derived != one.derived("b") && derived != other.derived("a") && derived != one);
    }

    #[test]
    fn never_makes_the_same_token_twice() {
        let mut seen = std::collections::HashSet::new();
        assert!((0..1_000).all(|_| seen.insert(random_text(TOKEN_LENGTH))));
    }

    #[test]
    fn uses_every_character_about_equally_often() {
        let text = random_text(36_000);
        for &letter in ALPHABET {
            let count = text.bytes().filter(|&byte| byte == letter).count();
            assert!((800..1_200).contains(&count), "{} came {count} times", char::from(letter));
        }
    }

    #[test]
    fn draws_no_character_from_the_bytes_that_would_favour_some() {
        assert_eq!(character(ALPHABET, 251), Some('9'));
        assert_eq!(character(ALPHABET, 252), None);
        assert_eq!(character(ALPHABET, 255), None);
        assert_eq!(character(b"abc", 254), Some('c'));
        assert_eq!(character(b"abc", 255), None);
    }

    #[test]
    fn reads_nothing_but_forty_characters_of_the_alphabet() {
        let good = "abcdefghijklmnopqrstuvwxyz0123456789abcd";
        assert!(Token::parse(good).is_some());
        for bad in ["", &good[1..], &format!("{good}a"), &good.to_uppercase(), &"é".repeat(20)] {
            assert!(Token::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn stores_blake2b_256_of_the_token() {
        // From `b2sum -l 256` of coreutils.
        let token = Token::parse("abcdefghijklmnopqrstuvwxyz0123456789abcd").unwrap();
        let expected = "f087fb0568ab8a01972c5eab04c0766d4212b6954a6694bffce65af0e9564f91";
        assert_eq!(hex(token.hash().as_bytes()), expected);
    }

    #[test]
    fn stands_for_a_text_in_the_log_by_a_key() {
        let (one, other) = ([1; 32], [2; 32]);
        assert_eq!(keyed_handle(&one, "ann"), keyed_handle(&one, "ann"));
        assert_ne!(keyed_handle(&one, "ann"), keyed_handle(&one, "bob"));
        assert_ne!(keyed_handle(&one, "ann"), keyed_handle(&other, "ann"));
    }

    #[test]
    fn names_a_session_in_the_log_without_giving_its_row_away() {
        let hash = Token::random().hash();
        assert_eq!(hash.handle().len(), 8);
        assert!(!hex(hash.as_bytes()).contains(&hash.handle()));
    }
}
