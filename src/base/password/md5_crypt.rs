//! The MD5-based crypt of FreeBSD, `$1$`, and of Apache, `$apr1$`: what `htpasswd` and `openssl passwd` write
//! by default on many systems.
//!
//! No maintained crate offers it. It is verified once and then replaced: a graphics card tries millions of
//! passwords a second against such a hash.

use md5::{Digest, Md5};

/// The longest salt in bytes; every implementation ignores the rest.
const SALT_BYTES_MAX: usize = 8;

/// Rounds of MD5.
const ROUNDS: usize = 1_000;

/// The digits of its base 64, the lowest first.
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Which bytes of the digest are encoded together in four digits; the last byte is encoded alone.
const GROUPS: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];

/// The variant: they differ in a text that is hashed as well.
#[derive(Clone, Copy)]
pub(super) enum Md5CryptMagic {
    /// `$1$`
    FreeBsd,
    /// `$apr1$`
    Apache,
}

impl Md5CryptMagic {
    const fn text(self) -> &'static str {
        match self {
            Self::FreeBsd => "$1$",
            Self::Apache => "$apr1$",
        }
    }
}

/// A parsed hash.
pub(super) struct Md5Crypt {
    magic: Md5CryptMagic,
    salt: String,
    digest: [u8; 16],
}

impl Md5Crypt {
    /// `None` if it is not such a hash.
    pub(super) fn read(text: &str) -> Option<Self> {
        let all = [Md5CryptMagic::Apache, Md5CryptMagic::FreeBsd];
        let (magic, rest) = all.iter().find_map(|it| Some((*it, text.strip_prefix(it.text())?)))?;
        let (salt, encoded) = rest.split_once('$')?;
        let is_salt = salt.len() <= SALT_BYTES_MAX && salt.bytes().all(|it| it.is_ascii_graphic());
        is_salt.then_some(())?;
        Some(Self { magic, salt: salt.to_owned(), digest: decode(encoded.as_bytes())? })
    }

    /// Whether this is the hash of `password`. It takes about a hundredth of the time of a hash of ours.
    pub(super) fn matches(&self, password: &str) -> bool {
        let computed = compute(self.magic, password.as_bytes(), self.salt.as_bytes());
        // Every byte is compared, so that the time taken does not tell where they differ.
        let differences =
            computed.iter().zip(&self.digest).fold(0, |all, (one, other)| all | (one ^ other));
        differences == 0
    }
}

/// The digest, as Poul-Henning Kamp's `crypt_md5` computes it.
fn compute(magic: Md5CryptMagic, password: &[u8], salt: &[u8]) -> [u8; 16] {
    let inner =
        Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut outer = Md5::new().chain_update(password).chain_update(magic.text()).chain_update(salt);
    for chunk in password.chunks(inner.len()) {
        outer.update(&inner[..chunk.len()]);
    }
    let mut length = password.len();
    while length > 0 {
        // A zero, or the first byte of the password: what the first implementation did by mistake.
        outer.update(if length % 2 == 1 { &[0][..] } else { &password[..1] });
        length /= 2;
    }
    let mut digest: [u8; 16] = outer.finalize().into();
    for round in 0..ROUNDS {
        let (first, last) =
            if round % 2 == 1 { (password, &digest[..]) } else { (&digest[..], password) };
        let mut hash = Md5::new().chain_update(first);
        if round % 3 != 0 {
            hash.update(salt);
        }
        if round % 7 != 0 {
            hash.update(password);
        }
        digest = hash.chain_update(last).finalize().into();
    }
    digest
}

/// Decodes 22 digits. `None` if they are not valid.
fn decode(encoded: &[u8]) -> Option<[u8; 16]> {
    let value = |digits: &[u8]| {
        digits.iter().rev().try_fold(0_u32, |value, digit| {
            let digit = DIGITS.iter().position(|it| it == digit)?;
            Some(value << 6 | u32::try_from(digit).ok()?)
        })
    };
    (encoded.len() == 22).then_some(())?;
    let mut digest = [0; 16];
    for (group, digits) in GROUPS.iter().zip(encoded.chunks(4)) {
        let [_, high, middle, low] = value(digits)?.to_be_bytes();
        for (at, byte) in group.iter().zip([high, middle, low]) {
            digest[*at] = byte;
        }
    }
    digest[11] = u8::try_from(value(&encoded[20..])?).ok()?;
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_what_openssl_writes() {
        // From `openssl passwd -apr1` and `-1` of OpenSSL 3.0.19.
        for (password, hash) in [
            ("correct horse", "$apr1$abcdefgh$sIQmFnT1CuEXAsyjuXjUX/"),
            ("correct horse", "$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80"),
            ("correct horse", "$apr1$ab$2AViYtCrOwG81vjtLDlBI0"),
            ("", "$apr1$abcdefgh$L.PT565ESX4Tp2bqNs7Ie."),
            ("", "$1$abcdefgh$M55TzYaaccxVGbptZWaxX/"),
            ("0123456789012345678", "$apr1$abcdefgh$4sL8Y/DM2ho92u.QzXdaX0"),
            ("0123456789012345678", "$1$abcdefgh$3NoJHDHSIJQ4lHZwWHx0G/"),
            ("x\u{b2}\u{b5} \u{fb01}sh 7", "$apr1$abcdefgh$NZJ/kTwhPAIL3Eu0wMmRI/"),
        ] {
            let read = Md5Crypt::read(hash).unwrap();
            assert!(read.matches(password), "{hash}");
            assert!(!read.matches(&format!("{password}x")), "{hash}");
        }
    }

    #[test]
    fn reads_no_text_that_is_cut_short_too_long_or_of_other_digits() {
        for bad in [
            "$apr1$",
            "$apr1$x$y",
            "$apr1$abcdefgh$sIQmFnT1CuEXAsyjuXjUX",
            "$apr1$abcdefgh$sIQmFnT1CuEXAsyjuXjUX/.",
            "$apr1$abcdefgh$sIQmFnT1CuEXAsyju+jUX/",
            "$apr1$abcdefghi$sIQmFnT1CuEXAsyjuXjUX/",
            "$apr1$abc efgh$sIQmFnT1CuEXAsyjuXjUX/",
            "$apr2$abcdefgh$sIQmFnT1CuEXAsyjuXjUX/",
        ] {
            assert!(Md5Crypt::read(bad).is_none(), "{bad}");
        }
        // The last two digits stand for one byte.
        assert!(Md5Crypt::read("$apr1$abcdefgh$sIQmFnT1CuEXAsyjuXjUXz").is_none());
    }
}
