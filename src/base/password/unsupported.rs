//! The names of schemes that are not verified, so that an operator learns which hashes cannot be imported.
//!
//! They are not supported because they are guessed in no time (no salt, one round), or because they are
//! rare.

/// Prefixes that identify a scheme.
const BEGINNINGS: [(&str, &str); 22] = [
    ("{SHA}", "SHA-1 without a salt, {SHA}"),
    ("{SSHA}", "SHA-1 with one round, {SSHA}"),
    ("{", "a scheme of LDAP, {…}"),
    ("$y$", "yescrypt, $y$"),
    ("$gy$", "gost-yescrypt, $gy$"),
    ("$7$", "scrypt of crypt(3), $7$"),
    ("$sha1$", "SHA-1 of crypt(3), $sha1$"),
    ("$2", "bcrypt, malformed"),
    ("$argon2", "Argon2, malformed"),
    ("$apr1$", "MD5-crypt, malformed"),
    ("$1$", "MD5-crypt, malformed"),
    ("$5$", "SHA-256-crypt, malformed"),
    ("$6$", "SHA-512-crypt, malformed"),
    ("$P$", "phpass, $P$"),
    ("$H$", "phpass, $H$"),
    ("$wp$", "bcrypt of WordPress, $wp$"),
    ("$S$", "SHA-512 of Drupal, $S$"),
    ("pbkdf2_sha1$", "PBKDF2 with SHA-1"),
    ("pbkdf2:", "PBKDF2 of Werkzeug"),
    ("scrypt:", "scrypt of Werkzeug"),
    ("md5$", "MD5 with one round"),
    ("sha1$", "SHA-1 with one round"),
];

/// Lengths in hex digits that identify a scheme.
const DIGESTS: [(usize, &str); 4] = [
    (32, "MD5 without a salt"),
    (40, "SHA-1 without a salt"),
    (64, "SHA-256 without a salt"),
    (128, "SHA-512 without a salt"),
];

/// The length of a hash of the oldest scheme of crypt(3).
const DES_CRYPT_BYTES: usize = 13;

/// The name of the unsupported scheme of this hash, if it can be recognised.
pub(super) fn name(text: &str) -> Option<&'static str> {
    let begins = |(beginning, _): &&(&str, &str)| text.starts_with(beginning);
    if let Some((_, name)) = BEGINNINGS.iter().find(begins) {
        return Some(name);
    }
    if text.bytes().all(|it| it.is_ascii_hexdigit()) {
        let digest = DIGESTS.iter().find(|(digits, _)| *digits == text.len());
        if let Some((_, name)) = digest {
            return Some(name);
        }
    }
    let is_des_digit = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'/');
    let is_des = text.len() == DES_CRYPT_BYTES && text.bytes().all(is_des_digit);
    is_des.then_some("DES-crypt, or a password that is not hashed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_operators_are_likely_to_have() {
        for (text, expected) in [
            ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", Some("SHA-1 without a salt, {SHA}")),
            ("{SSHA512}x", Some("a scheme of LDAP, {…}")),
            ("$y$j9T$salt$hash", Some("yescrypt, $y$")),
            ("$2x$05$CCCC", Some("bcrypt, malformed")),
            ("5f4dcc3b5aa765d61d8327deb882cf99", Some("MD5 without a salt")),
            ("abhfCpXqd4GrI", Some("DES-crypt, or a password that is not hashed")),
            ("plain text", None),
            ("", None),
        ] {
            assert_eq!(name(text), expected, "{text}");
        }
    }
}
