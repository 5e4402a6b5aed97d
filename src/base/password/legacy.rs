//! Password hashes made by other systems: Lucia's scrypt, bcrypt, Django's PBKDF2.
//!
//! Decides how they are parsed and what they may cost. They are only verified, never made: after a
//! successful sign-in the hash is replaced with Argon2id.
//!
//! Lucia hashes the NFKC form of a password, the other systems hash it as it was typed. bcrypt and PBKDF2
//! hashes are therefore compared with the typed form and then with its NFKC form, since another keyboard
//! may produce the other form of the same password.

use argon2::password_hash::phc::Output;
use base64ct::{Base64, Encoding};
use bcrypt::HashParts;
use pbkdf2::sha2::Sha256;

use super::Password;

/// scrypt's N as a power of two: 16,384 in every version of Lucia.
const SCRYPT_LOG_N: u8 = 14;

/// The length of an scrypt hash.
const SCRYPT_BYTES: usize = 64;

/// The longest salt that is accepted.
const SALT_BYTES_MAX: usize = 128;

/// The highest bcrypt cost that is accepted: 2^14 rounds take about a second.
const BCRYPT_COST_MAX: u32 = 14;

/// The most PBKDF2 iterations that are accepted: a quarter of a second on a processor with SHA
/// instructions. Django of 2026 uses 1,200,000.
const PBKDF2_ITERATIONS_MAX: u32 = 2_000_000;

/// A parsed hash of another system.
pub(super) enum LegacyHash {
    /// The block sizes (scrypt's r) are tried in turn: 16 needs 32 MiB, 8 needs 16 MiB.
    Scrypt { salt: String, block_sizes: &'static [u32], output: Output },
    /// The whole hash, with `$2a$`, `$2b$` or `$2y$`: the versions differ in bugs of old implementations.
    Bcrypt(String),
    /// PBKDF2 with HMAC-SHA-256.
    Pbkdf2 { salt: String, iterations: u32, output: Output },
}

impl LegacyHash {
    /// `None` if the format is unknown, the hash malformed, or its cost too high.
    pub(super) fn read(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("pbkdf2_sha256$") {
            return Self::read_pbkdf2(rest);
        }
        if ["$2a$", "$2b$", "$2y$"].iter().any(|it| text.starts_with(it)) {
            let cost = text.parse::<HashParts>().ok()?.get_cost();
            return (4..=BCRYPT_COST_MAX).contains(&cost).then(|| Self::Bcrypt(text.to_owned()));
        }
        match text.strip_prefix("s2:") {
            Some(rest) => Self::read_scrypt(rest, &[16]),
            // Two systems write this format: Lucia v1 (r = 8) with salts of 16 characters, and Lucia v3 and
            // better-auth (r = 16) with salts of 16 bytes in hex. The likelier block size is tried first.
            None if has_hex_salt(text) => Self::read_scrypt(text, &[16, 8]),
            None => Self::read_scrypt(text, &[8, 16]),
        }
    }

    fn read_scrypt(text: &str, block_sizes: &'static [u32]) -> Option<Self> {
        let (salt, hash) = text.split_once(':')?;
        let output = Output::new(&hex(hash)?).ok()?;
        is_salt(salt).then(|| Self::Scrypt { salt: salt.to_owned(), block_sizes, output })
    }

    fn read_pbkdf2(text: &str) -> Option<Self> {
        let mut parts = text.split('$');
        let (iterations, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
        let iterations = iterations.parse().ok()?;
        let output = Output::new(&Base64::decode_vec(hash).ok()?).ok()?;
        let is_good = parts.next().is_none()
            && (1..=PBKDF2_ITERATIONS_MAX).contains(&iterations)
            && is_salt(salt)
            && output.len() == 32;
        is_good.then(|| Self::Pbkdf2 { salt: salt.to_owned(), iterations, output })
    }

    /// The name of the scheme.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Scrypt { .. } => "scrypt",
            Self::Bcrypt(_) => "bcrypt",
            Self::Pbkdf2 { .. } => "pbkdf2-sha256",
        }
    }

    /// Whether this is the hash of `password`. `count` is called for each hash that is computed; there may
    /// be two.
    pub(super) fn matches(&self, password: &Password, count: impl Fn()) -> bool {
        let mut typed_first = password.forms().rev().inspect(|_| count());
        match self {
            Self::Scrypt { salt, block_sizes, output } => block_sizes.iter().any(|&size| {
                count();
                scrypt(&password.normal, salt, size) == *output
            }),
            Self::Bcrypt(hash) => typed_first.any(|it| bcrypt::verify(it, hash).unwrap_or(false)),
            // `Output` compares in constant time; so does bcrypt::verify.
            Self::Pbkdf2 { salt, iterations, output } => {
                typed_first.any(|it| pbkdf2(it, salt, *iterations) == *output)
            }
        }
    }
}

fn pbkdf2(password: &str, salt: &str, iterations: u32) -> Output {
    let (password, salt) = (password.as_bytes(), salt.as_bytes());
    let bytes = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, iterations);
    Output::new(&bytes).expect("32 bytes fit")
}

fn scrypt(password: &str, salt: &str, block_size: u32) -> Output {
    let params = scrypt::Params::new(SCRYPT_LOG_N, block_size, 1).expect("scrypt allows these");
    let mut bytes = [0; SCRYPT_BYTES];
    scrypt::scrypt(password.as_bytes(), salt.as_bytes(), &params, &mut bytes)
        .expect("scrypt writes 64 bytes");
    Output::new(&bytes).expect("64 bytes fit")
}

fn is_salt(text: &str) -> bool {
    (1..=SALT_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn has_hex_salt(text: &str) -> bool {
    let salt = text.split(':').next().unwrap_or_default();
    salt.len() == 32 && salt.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Decodes 128 hex digits.
fn hex(text: &str) -> Option<[u8; SCRYPT_BYTES]> {
    if text.len() != 2 * SCRYPT_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; SCRYPT_BYTES];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}
