//! Password hashes made by other systems: Lucia's scrypt, bcrypt, Django's, and those of crypt(3) and Apache.
//!
//! Decides how they are parsed and what they may cost. They are only verified, never made: after a
//! successful sign-in the hash is replaced with Argon2id.
//!
//! Lucia hashes the NFKC form of a password, the other systems hash it as it was typed. Their hashes are
//! therefore compared with the typed form and then with its NFKC form, since another keyboard may produce
//! the other form of the same password.

use std::fmt::Write;

use argon2::password_hash::phc::Output;
use base64ct::{Base64, Encoding};
use bcrypt::HashParts;
use pbkdf2::sha2::{Digest, Sha256};
use sha_crypt::{PasswordVerifier, ShaCrypt};

use super::md5_crypt::Md5Crypt;
use super::{HashFault, Password, unsupported};

/// scrypt's N in every version of Lucia.
const SCRYPT_N: u32 = 16_384;

/// The length of an scrypt hash.
const SCRYPT_BYTES: usize = 64;

/// The longest salt that is accepted.
const SALT_BYTES_MAX: usize = 128;

/// The highest bcrypt cost that is accepted: 2^14 rounds take about a second.
const BCRYPT_COST_MAX: u32 = 14;

/// The most PBKDF2 iterations that are accepted: a quarter of a second on a processor with SHA
/// instructions. Django of 2026 uses 1,200,000.
const PBKDF2_ITERATIONS_MAX: u64 = 2_000_000;

/// The most rounds of SHA-crypt that are accepted: half a second. passlib uses 656,000, crypt(3) 5,000.
const SHA_CRYPT_ROUNDS_MAX: u32 = 1_000_000;

/// Rounds of SHA-crypt where the hash names none, and the fewest that it may name.
const SHA_CRYPT_ROUNDS: u32 = 5_000;
const SHA_CRYPT_ROUNDS_MIN: u32 = 1_000;

/// The most memory that an scrypt hash of Django may ask for, in bytes, as N × r × 128: what Lucia's takes.
const SCRYPT_MEMORY_MAX: u64 = 32 * 1024 * 1024;

/// The most work that an scrypt hash of Django may ask for, as N × r × p: Django's default is 655,360, and
/// Lucia's takes 262,144.
const SCRYPT_WORK_MAX: u64 = 1024 * 1024;

/// Below these a hash takes less time than one of ours.
const CHEAP_BCRYPT_COST: u32 = 9;
const CHEAP_PBKDF2_ITERATIONS: u64 = 100_000;
const CHEAP_SHA_CRYPT_ROUNDS: u32 = 40_000;

/// A parsed hash of another system.
pub(super) enum LegacyHash {
    /// The block sizes (scrypt's r) are tried in turn: 16 needs 32 MiB, 8 needs 16 MiB.
    Scrypt { salt: String, block_sizes: &'static [u32], output: Output },
    /// The whole hash, with `$2a$`, `$2b$` or `$2y$`: the versions differ in bugs of old implementations.
    Bcrypt { hash: String, cost: u32, is_of_sha256: bool },
    /// PBKDF2 with HMAC-SHA-256.
    Pbkdf2 { salt: String, iterations: u64, output: Output },
    /// scrypt as Django writes it, of the password as it was typed.
    DjangoScrypt { salt: String, work: [u32; 3], output: Output },
    /// `$1$` or `$apr1$`.
    Md5Crypt(Md5Crypt),
    /// The whole hash, with `$5$` or `$6$`.
    ShaCrypt { hash: String, rounds: u32 },
}

impl LegacyHash {
    /// The hash, unless it is malformed, of a scheme that is not verified, or too costly.
    pub(super) fn read(text: &str) -> Result<Self, HashFault> {
        let parsed = Self::parse(text);
        let parsed = parsed.ok_or_else(|| HashFault::NotSupported(unsupported::name(text)))?;
        match parsed.excess() {
            None => Ok(parsed),
            Some(asked) => Err(HashFault::TooCostly(format!("{} with {asked}", parsed.kind()))),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once('$').unwrap_or_default();
        match scheme {
            "pbkdf2_sha256" => return Self::parse_pbkdf2(rest),
            "bcrypt" => return Self::parse_bcrypt(rest, false),
            "bcrypt_sha256" => return Self::parse_bcrypt(rest, true),
            "scrypt" => return Self::parse_django_scrypt(rest),
            _ => {}
        }
        if text.starts_with("$2") {
            return Self::parse_bcrypt(text, false);
        }
        if text.starts_with("$5$") || text.starts_with("$6$") {
            return Self::parse_sha_crypt(text);
        }
        if text.starts_with('$') {
            return Md5Crypt::read(text).map(Self::Md5Crypt);
        }
        match text.strip_prefix("s2:") {
            Some(rest) => Self::parse_scrypt(rest, &[16]),
            // Two systems write this format: Lucia v1 (r = 8) with salts of 16 characters, and Lucia v3 and
            // better-auth (r = 16) with salts of 16 bytes in hex. The likelier block size is tried first.
            None if has_hex_salt(text) => Self::parse_scrypt(text, &[16, 8]),
            None => Self::parse_scrypt(text, &[8, 16]),
        }
    }

    fn parse_scrypt(text: &str, block_sizes: &'static [u32]) -> Option<Self> {
        let (salt, hash) = text.split_once(':')?;
        let output = Output::new(&hex(hash)?).ok()?;
        is_salt(salt).then(|| Self::Scrypt { salt: salt.to_owned(), block_sizes, output })
    }

    fn parse_bcrypt(text: &str, is_of_sha256: bool) -> Option<Self> {
        let is_known = ["$2a$", "$2b$", "$2y$"].iter().any(|it| text.starts_with(it));
        is_known.then_some(())?;
        let cost = text.parse::<HashParts>().ok()?.get_cost();
        (4 <= cost).then(|| Self::Bcrypt { hash: text.to_owned(), cost, is_of_sha256 })
    }

    fn parse_pbkdf2(text: &str) -> Option<Self> {
        let [iterations, salt, hash] = text.split('$').collect::<Vec<_>>().try_into().ok()?;
        let iterations = iterations.parse().ok()?;
        let output = Output::new(&Base64::decode_vec(hash).ok()?).ok()?;
        let is_good = 0 < iterations && is_salt(salt) && output.len() == 32;
        is_good.then(|| Self::Pbkdf2 { salt: salt.to_owned(), iterations, output })
    }

    fn parse_django_scrypt(text: &str) -> Option<Self> {
        let [n, salt, r, p, hash] = text.split('$').collect::<Vec<_>>().try_into().ok()?;
        let [n, r, p]: [u32; 3] = [n.parse().ok()?, r.parse().ok()?, p.parse().ok()?];
        let output = Output::new(&Base64::decode_vec(hash).ok()?).ok()?;
        let is_good = n.is_power_of_two()
            && scrypt_params([n, r, p]).is_some()
            && is_salt(salt)
            && output.len() == SCRYPT_BYTES;
        is_good.then(|| Self::DjangoScrypt { salt: salt.to_owned(), work: [n, r, p], output })
    }

    fn parse_sha_crypt(text: &str) -> Option<Self> {
        let digits = if text.starts_with("$5$") { 43 } else { 86 };
        let parts: Vec<_> = text[3..].split('$').collect();
        let (rounds, salt, hash) = match parts[..] {
            [salt, hash] => (SHA_CRYPT_ROUNDS, salt, hash),
            [rounds, salt, hash] => (rounds.strip_prefix("rounds=")?.parse().ok()?, salt, hash),
            _ => return None,
        };
        let is_digit = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'/');
        let is_good = SHA_CRYPT_ROUNDS_MIN <= rounds
            && salt.len() <= 16
            && is_salt(salt)
            && !salt.starts_with("rounds=")
            && hash.len() == digits
            && hash.bytes().all(is_digit);
        is_good.then(|| Self::ShaCrypt { hash: text.to_owned(), rounds })
    }

    /// What it asks for, if that is more than is spent on a hash.
    fn excess(&self) -> Option<String> {
        match self {
            Self::Bcrypt { cost, .. } if BCRYPT_COST_MAX < *cost => Some(format!("cost {cost}")),
            Self::Pbkdf2 { iterations, .. } if PBKDF2_ITERATIONS_MAX < *iterations => {
                Some(format!("{iterations} iterations"))
            }
            Self::ShaCrypt { rounds, .. } if SHA_CRYPT_ROUNDS_MAX < *rounds => {
                Some(format!("{rounds} rounds"))
            }
            Self::DjangoScrypt { work: [n, r, p], .. } => {
                let rows = u64::from(*n) * u64::from(*r);
                let is_too_large = SCRYPT_MEMORY_MAX / 128 < rows
                    || SCRYPT_WORK_MAX < rows.saturating_mul(u64::from(*p));
                is_too_large.then(|| format!("N={n}, r={r}, p={p}"))
            }
            _ => None,
        }
    }

    /// The name of the scheme.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Scrypt { .. } | Self::DjangoScrypt { .. } => "scrypt",
            Self::Bcrypt { is_of_sha256: false, .. } => "bcrypt",
            Self::Bcrypt { is_of_sha256: true, .. } => "bcrypt-sha256",
            Self::Pbkdf2 { .. } => "pbkdf2-sha256",
            Self::Md5Crypt(_) => "md5-crypt",
            Self::ShaCrypt { hash, .. } if hash.starts_with("$5$") => "sha256-crypt",
            Self::ShaCrypt { .. } => "sha512-crypt",
        }
    }

    /// Whether verifying it takes less time than verifying a hash of ours.
    pub(super) const fn is_cheap(&self) -> bool {
        match self {
            Self::Scrypt { .. } | Self::DjangoScrypt { .. } => false,
            Self::Bcrypt { cost, .. } => *cost < CHEAP_BCRYPT_COST,
            Self::Pbkdf2 { iterations, .. } => *iterations < CHEAP_PBKDF2_ITERATIONS,
            Self::Md5Crypt(_) => true,
            Self::ShaCrypt { rounds, .. } => *rounds < CHEAP_SHA_CRYPT_ROUNDS,
        }
    }

    /// Whether this is the hash of `password`. `count` is called for each hash that is computed; there may
    /// be two.
    pub(super) fn matches(&self, password: &Password, count: impl Fn()) -> bool {
        let mut typed_first = password.forms().rev().inspect(|_| count());
        match self {
            Self::Scrypt { salt, block_sizes, output } => block_sizes.iter().any(|&size| {
                count();
                scrypt(&password.normal, salt, [SCRYPT_N, size, 1]) == *output
            }),
            Self::DjangoScrypt { salt, work, output } => {
                typed_first.any(|it| scrypt(it, salt, *work) == *output)
            }
            Self::Bcrypt { hash, is_of_sha256, .. } => typed_first.any(|it| {
                let digest = is_of_sha256.then(|| hex_of(&Sha256::digest(it)));
                bcrypt::verify(digest.as_deref().unwrap_or(it), hash).unwrap_or(false)
            }),
            // `Output` compares in constant time; so do bcrypt::verify and verify_password.
            Self::Pbkdf2 { salt, iterations, output } => {
                typed_first.any(|it| pbkdf2(it, salt, *iterations) == *output)
            }
            Self::Md5Crypt(hash) => typed_first.any(|it| hash.matches(it)),
            Self::ShaCrypt { hash, .. } => typed_first.any(|it| {
                ShaCrypt::default().verify_password(it.as_bytes(), hash.as_str()).is_ok()
            }),
        }
    }
}

fn pbkdf2(password: &str, salt: &str, iterations: u64) -> Output {
    let (password, salt) = (password.as_bytes(), salt.as_bytes());
    let iterations = u32::try_from(iterations).expect("what asks for too many is not read");
    let bytes = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, iterations);
    Output::new(&bytes).expect("32 bytes fit")
}

/// `None` unless scrypt allows these as N, r and p.
fn scrypt_params([n, r, p]: [u32; 3]) -> Option<scrypt::Params> {
    let log_n = u8::try_from(n.checked_ilog2()?).ok()?;
    scrypt::Params::new(log_n, r, p).ok()
}

fn scrypt(password: &str, salt: &str, work: [u32; 3]) -> Output {
    let params = scrypt_params(work).expect("they were checked when the hash was read");
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

/// The hex digits of a digest.
fn hex_of(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes all");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Cost, Hasher, PasswordHash, Verdict};
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    fn stored(text: &str) -> PasswordHash {
        PasswordHash::from_stored(text.to_owned())
    }

    /// Checks that the hash is of this password and of no other.
    fn assert_of(password: &str, hash: &str, kind: &str) {
        let hasher = Hasher::new(1, CHEAP);
        let stored = stored(hash);
        assert_eq!(stored.kind(), kind, "{hash}");
        assert_eq!(
            hasher.verify(&Password::new(password), Some(&stored)),
            Verdict::Stale,
            "{hash}"
        );
        let other = Password::new(&format!("{password}x"));
        assert_eq!(hasher.verify(&other, Some(&stored)), Verdict::Wrong, "{hash}");
    }

    /// What Django 5.2.19 makes of `correct horse` by its defaults.
    const DJANGO: [(&str, &str); 5] = [
        (
            "argon2id",
            "argon2$argon2id$v=19$m=102400,t=2,p=8$UkQ3bWdWQjVybmdvR1NSQ0MxcXdjcw\
             $51/8K5RYeP9xqUu95NSlaBu3C6/Y2EkxF4ILKwFE1rk",
        ),
        (
            "pbkdf2-sha256",
            "pbkdf2_sha256$1000000$2PkWyXayGxVRwIKWvc8ZBM$Uj9jspjFduR8hHmLNvSzv/OfRER+Id9SWnbxfUTioSk=",
        ),
        (
            "bcrypt-sha256",
            "bcrypt_sha256$$2b$12$Kv3BZI0Dkg3uxj9zJVp4s.yL5W/HxQvYUDDAEy6TQw4/rOQ0XW1R2",
        ),
        ("bcrypt", "bcrypt$$2b$12$pGLexc.IosDeloC.Kya5n.PjLPOIfy/AN7C9MoLMdawnwAfDzzySG"),
        (
            "scrypt",
            "scrypt$16384$oVJVftKRbnSghhMnpH9bNK$8$5$XSq+pJArzyjsFZQyXWunZdZgVy823CgCT6LP4BAztpZd\
             xaUgq1/hwG8achB4JUxyzdHprT7apd8aje3QbT0gbg==",
        ),
    ];

    #[test]
    fn verifies_what_django_writes() {
        for (kind, hash) in DJANGO {
            assert_of("correct horse", hash, kind);
        }
    }

    #[test]
    fn verifies_what_crypt_and_openssl_write() {
        // From `openssl passwd` of OpenSSL 3.0.19, and with rounds from glibc's crypt.
        for (password, kind, hash) in [
            ("correct horse", "md5-crypt", "$apr1$abcdefgh$sIQmFnT1CuEXAsyjuXjUX/"),
            ("x\u{b2}\u{b5} \u{fb01}sh 7", "md5-crypt", "$apr1$abcdefgh$NZJ/kTwhPAIL3Eu0wMmRI/"),
            ("correct horse", "md5-crypt", "$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80"),
            (
                "correct horse",
                "sha256-crypt",
                "$5$abcdefgh$ruMep1ijHnJPZbETDNiumskxcX3kN4lzZd5VlsqE7eB",
            ),
            (
                "0123456789012345678",
                "sha512-crypt",
                "$6$abcdefgh$/zeVtHAsiH6Mtbk5swzfYb5fmwh0M6nT4DIesxMiVLiMdh8X.TlnMcoDC0jRJkZ4sSJ7N1RNrF\
                 19O2aWCKCDj0",
            ),
            (
                "correct horse",
                "sha256-crypt",
                "$5$rounds=10000$saltstring$ggJFhqdTxePyBHLQYFUkzFoOn.JeJ0OPTPpSZXyvS/3",
            ),
            (
                "correct horse",
                "sha512-crypt",
                "$6$rounds=1000$saltstring$YiR6NSM0LQXmu7vAhkMXfkdYk7qtFouVx1Mdr3HmzXspT8kONjlpU3CsV7ez\
                 CB62uXJoAdaagsH4ck7/tB9js.",
            ),
        ] {
            assert_of(password, hash, kind);
        }
    }

    #[test]
    fn says_what_too_costly_hashes_ask_for() {
        let scrypt = DJANGO[4].1.replace("$8$5$", "$8$64$");
        let sha = "$5$rounds=1000001$ab$iRn4.4LbFoJQhemV.MJmHJsllJAlUSS4A6yRAohNLp6";
        for (hash, asked) in [
            ("$2b$15$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "bcrypt with cost 15"),
            (
                "pbkdf2_sha256$2000001$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                "pbkdf2-sha256 with 2000001 iterations",
            ),
            (&scrypt, "scrypt with N=16384, r=8, p=64"),
            (sha, "sha256-crypt with 1000001 rounds"),
        ] {
            let fault = stored(hash).fault();
            assert_eq!(fault, Some(HashFault::TooCostly(asked.to_owned())), "{hash}");
        }
    }

    #[test]
    fn reads_no_crypt_hash_that_is_malformed() {
        let hash = "iRn4.4LbFoJQhemV.MJmHJsllJAlUSS4A6yRAohNLp6";
        for bad in [
            format!("$5$rounds=999$ab${hash}"),
            format!("$5$rounds=x$ab${hash}"),
            format!("$5$rounds=1000${hash}"),
            format!("$5$0123456789abcdefg${hash}"),
            format!("$5$ab${hash}."),
            format!("$5$ab${hash}$"),
            format!("$6$ab${hash}"),
            format!("$5$ab$+{}", &hash[1..]),
            "scrypt$16385$x$8$5$AAAA".to_owned(),
            DJANGO[4].1.replace("$16384$", "$16383$"),
            DJANGO[4].1.replace("$8$5$", "$0$5$"),
        ] {
            assert!(matches!(stored(&bad).fault(), Some(HashFault::NotSupported(_))), "{bad}");
        }
    }

    #[test]
    fn answers_a_wrong_password_no_sooner_than_an_unknown_name() {
        let hasher = Hasher::new(1, Cost { memory_kib: 64, passes: 2, lanes: 1 });
        let weaker = Hasher::new(1, CHEAP).hash(&Password::new("secret"));
        for hash in [
            stored("$apr1$abcdefgh$sIQmFnT1CuEXAsyjuXjUX/"),
            stored("$5$abcdefgh$ruMep1ijHnJPZbETDNiumskxcX3kN4lzZd5VlsqE7eB"),
            stored("pbkdf2_sha256$1000$seasalt$mQnueSakb748zqBAC1tmWVZsZbi2zPGZarEzTGdfmso="),
            stored("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            weaker,
        ] {
            let before = hasher.computed();
            let verdict = hasher.verify(&Password::new("wrong"), Some(&hash));
            let computed = hasher.computed() - before;
            assert_eq!((verdict, computed), (Verdict::Wrong, 2), "its own, and the decoy");
        }
    }
}
