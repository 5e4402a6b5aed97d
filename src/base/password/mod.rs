//! Slow password hashes: computing and verifying them, and limiting how many run at once.
//!
//! Decides the scheme (Argon2id) and its parameters, and bounds memory: a [`Hasher`] owns a fixed number of
//! memory blocks and lends each to one computation at a time. Does not know whose password it is, where the
//! hash is stored, or which passwords are acceptable. Hashes of other systems are verified as well, so that
//! their users can be imported.

mod legacy;
mod md5_crypt;
mod stored;
mod unsupported;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use argon2::password_hash::phc;
use argon2::{Argon2, Block};
use icu_normalizer::ComposingNormalizerBorrowed;

use crate::base::token::random_bytes;
use legacy::LegacyHash;
use stored::{Scheme, Stored};

pub use stored::{MEMORY_KIB_MAX, WORK_KIB_MAX, memory_kib_max};

/// Bytes of the random salt in a new hash (NIST SP 800-63B-4 § 3.1.1.2 wants 4, RFC 9106 wants 16).
const SALT_BYTES: usize = 16;

/// Bytes of a new hash.
const OUTPUT_BYTES: usize = 32;

/// A password as it was typed, ready to be hashed.
///
/// New hashes are made of its NFKC form, as in Lucia, so that another keyboard's form of the same
/// characters is the same password. The typed form is kept as well, for hashes of systems that do not
/// normalise. Nothing is trimmed, truncated or case-folded. It has neither `Debug` nor `Display`.
pub struct Password {
    normal: String,
    /// The typed form; `None` if NFKC does not change it.
    typed: Option<String>,
    units: usize,
    characters: usize,
}

impl Password {
    /// A password as it was typed.
    pub fn new(typed: &str) -> Self {
        let nfc = ComposingNormalizerBorrowed::new_nfc().normalize(typed);
        let normal = ComposingNormalizerBorrowed::new_nfkc().normalize(typed).into_owned();
        Self {
            typed: (normal != typed).then(|| typed.to_owned()),
            normal,
            units: typed.encode_utf16().count(),
            characters: nfc.chars().count(),
        }
    }

    /// The length in UTF-16 units as typed, which is JavaScript's `.length`.
    pub const fn units(&self) -> usize {
        self.units
    }

    /// The length in code points after NFC, as NIST SP 800-63B-4 § 3.1.1.2 counts.
    pub const fn characters(&self) -> usize {
        self.characters
    }

    /// The NFKC form, in the clear.
    pub fn reveal(&self) -> &str {
        &self.normal
    }

    /// The NFKC form, and the typed form if it differs. A stored Argon2 hash is compared with both, since
    /// another program may have hashed either.
    fn forms(&self) -> impl DoubleEndedIterator<Item = &str> {
        std::iter::once(self.normal.as_str()).chain(self.typed.as_deref())
    }
}

/// A stored hash: a PHC string such as `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`, which names its own
/// scheme and parameters, or the format of another system: `s2:salt:hex` and `salt:hex` (Lucia), `$2b$…`
/// (bcrypt), `pbkdf2_sha256$…` and others (Django), `$apr1$…` (Apache), `$6$…` (crypt). It has neither `Debug` nor `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// A hash as it was stored. It is parsed when it is verified.
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text that the database holds, which names scheme and parameters.
    pub fn as_stored(&self) -> &str {
        &self.0
    }

    /// Whether a password can match this hash. If not, verifying it results in [`Verdict::Unreadable`].
    pub fn is_readable(&self) -> bool {
        self.fault().is_none()
    }

    /// Why no password can match this hash; `None`: one can.
    pub fn fault(&self) -> Option<HashFault> {
        Readable::read(&self.0).err()
    }

    /// The name of the scheme, as in `argon2id` or `bcrypt`; `unknown` if the hash is not readable.
    pub fn kind(&self) -> &'static str {
        match Readable::read(&self.0) {
            Ok(Readable::Argon2(stored)) => stored.scheme.algorithm.as_str(),
            Ok(Readable::Legacy(legacy)) => legacy.kind(),
            Err(_) => "unknown",
        }
    }
}

/// Why no password can be verified by a stored hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HashFault {
    /// It asks for more work or memory than is spent on a hash: the scheme, and what it asks for.
    TooCostly(String),
    /// It is malformed, or of a scheme that is not verified: its name, where it can be told.
    NotSupported(Option<&'static str>),
}

/// A stored hash that can be verified.
enum Readable {
    Argon2(Stored),
    Legacy(LegacyHash),
}

impl Readable {
    fn read(text: &str) -> Result<Self, HashFault> {
        match Stored::read(text) {
            Some(stored) => stored.map(Self::Argon2),
            None => LegacyHash::read(text).map(Self::Legacy),
        }
    }
}

/// The result of comparing a password with a stored hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Right,
    /// The password is right, but the hash was made with other parameters than today's and should be
    /// replaced.
    Stale,
    /// The password is wrong, or there was no hash to compare it with.
    Wrong,
    /// The stored hash cannot be verified, for the reason that [`PasswordHash::fault`] tells. No password
    /// matches it; the operator should be told.
    Unreadable,
}

/// The parameters of Argon2id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// The memory that one hash takes, in KiB.
    pub memory_kib: u32,
    /// How many times the memory is passed over.
    pub passes: u32,
    /// Lanes, which are computed one after the other.
    pub lanes: u32,
}

impl Cost {
    /// The first choice of the OWASP Password Storage Cheat Sheet for Argon2id, approved by ASVS
    /// 5.0 appendix C: 19 MiB, two passes, one lane. About 15 ms on a core of 2025.
    pub const OWASP: Self = Self { memory_kib: 19_456, passes: 2, lanes: 1 };
}

/// Computes slow hashes, a limited number at once.
pub struct Hasher {
    ours: Scheme,
    decoy: Stored,
    blocks: Mutex<Vec<Vec<Block>>>,
    returned: Condvar,
    /// Held while a costly hash of another system is computed: the memory has room for one.
    costly_turn: Mutex<()>,
    at_once: usize,
    computed: AtomicU64,
}

impl Hasher {
    /// A hasher that computes at most `at_once` hashes at the same time (at least one); further callers
    /// wait. Memory is allocated at the first use and kept: `at_once` × `cost.memory_kib`. Verifying
    /// hashes of other systems takes more while it runs, [`memory_kib_max`] in all.
    ///
    /// Panics if Argon2 does not allow `cost`.
    pub fn new(at_once: usize, cost: Cost) -> Self {
        let ours = Scheme::argon2id(cost);
        // These 32 random bytes are no password's hash: comparing with them costs what any comparison
        // costs, and fails.
        let decoy = Stored {
            scheme: ours.clone(),
            salt: random_bytes::<SALT_BYTES>().to_vec(),
            output: phc::Output::new(&random_bytes::<OUTPUT_BYTES>()).expect("32 bytes fit"),
        };
        Self {
            ours,
            decoy,
            blocks: Mutex::new(vec![Vec::new(); at_once.max(1)]),
            returned: Condvar::new(),
            costly_turn: Mutex::new(()),
            at_once: at_once.max(1),
            computed: AtomicU64::new(0),
        }
    }

    /// Hashes `password` with a new random salt.
    pub fn hash(&self, password: &Password) -> PasswordHash {
        let salt = random_bytes::<SALT_BYTES>();
        let output = self.compute(&self.ours, &password.normal, &salt, OUTPUT_BYTES);
        PasswordHash(self.ours.write(&salt, output))
    }

    /// Compares `password` with a stored hash, in constant time.
    ///
    /// With `None` (an unknown name, a key without a password) and with an unreadable hash, the same work
    /// is done on a decoy, so that the time taken reveals nothing (OWASP ASVS 6.3.8).
    // LIMIT: a hash of another system takes a different time, though none takes less than a hash of ours,
    // so until the user's first sign-in a patient attacker can tell that the account was imported.
    pub fn verify(&self, password: &Password, stored: Option<&PasswordHash>) -> Verdict {
        let Some(PasswordHash(text)) = stored else {
            self.compare(password, &self.decoy);
            return Verdict::Wrong;
        };
        if let Ok(target) = Readable::read(text) {
            return self.verify_readable(password, &target);
        }
        self.compare(password, &self.decoy);
        Verdict::Unreadable
    }

    fn verify_readable(&self, password: &Password, target: &Readable) -> Verdict {
        let (verdict, is_cheap) = match target {
            Readable::Argon2(it) => {
                (self.compare(password, it), it.scheme.is_cheaper_than(&self.ours))
            }
            Readable::Legacy(it) if self.matches_legacy(password, it) => (Verdict::Stale, false),
            Readable::Legacy(it) => (Verdict::Wrong, it.is_cheap()),
        };
        if verdict == Verdict::Wrong && is_cheap {
            // Or a wrong password would be answered sooner than an unknown name.
            self.compare(password, &self.decoy);
        }
        verdict
    }

    /// The number of hashes computed so far. Tests compare it to see that two answers cost the same.
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// The number of hashes that are being computed now.
    pub fn running(&self) -> usize {
        self.at_once - self.free().len()
    }

    /// Compares a password with an Argon2 hash, the NFKC form first, as our own hashes are of that form. A
    /// hash that matches the typed form was made by another program and is stale.
    fn compare(&self, password: &Password, target: &Stored) -> Verdict {
        let matching = password.forms().find(|form| self.matches(form, target));
        match matching {
            None => Verdict::Wrong,
            Some(form) if form == password.normal && self.is_ours(target) => Verdict::Right,
            Some(_) => Verdict::Stale,
        }
    }

    fn matches(&self, password: &str, target: &Stored) -> bool {
        let length = target.output.len();
        // `Output` compares in constant time.
        self.compute(&target.scheme, password, &target.salt, length) == target.output
    }

    fn matches_legacy(&self, password: &Password, target: &LegacyHash) -> bool {
        // Takes a permit like any other hash. The memory that scrypt needs, 32 MiB at most, is allocated
        // and freed by scrypt itself.
        let _loan = self.borrow(0);
        target.matches(password, || {
            self.computed.fetch_add(1, Ordering::Relaxed);
        })
    }

    fn is_ours(&self, target: &Stored) -> bool {
        let enough = target.salt.len() >= SALT_BYTES && target.output.len() == OUTPUT_BYTES;
        enough && target.scheme.is(&self.ours)
    }

    fn compute(&self, scheme: &Scheme, password: &str, salt: &[u8], length: usize) -> phc::Output {
        // Before memory is borrowed, so that other hashes are computed meanwhile.
        let costly = scheme.is_costly();
        let _turn = costly.then(|| self.costly_turn.lock().unwrap_or_else(PoisonError::into_inner));
        let mut loan = self.borrow(scheme.params.block_count());
        self.computed.fetch_add(1, Ordering::Relaxed);
        let argon2 = Argon2::new(scheme.algorithm, scheme.version, scheme.params.clone());
        let mut output = [0; phc::Output::MAX_LENGTH];
        argon2
            .hash_password_into_with_memory(
                password.as_bytes(),
                salt,
                &mut output[..length],
                &mut loan.blocks,
            )
            .expect("salt and length were checked when the hash was read, and memory just now");
        phc::Output::new(&output[..length]).expect("the length was checked when the hash was read")
    }

    /// Waits for a block of hash memory of at least `blocks` KiB.
    fn borrow(&self, blocks: usize) -> BlockLoan<'_> {
        let mut free = self.free();
        let mut memory = loop {
            match free.pop() {
                Some(memory) => break memory,
                None => free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(free);
        if memory.len() < blocks {
            memory.resize(blocks, Block::new());
        }
        BlockLoan { hasher: self, blocks: memory }
    }

    fn free(&self) -> MutexGuard<'_, Vec<Vec<Block>>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Borrowed hash memory. It is returned even if the borrower panics.
struct BlockLoan<'a> {
    hasher: &'a Hasher,
    blocks: Vec<Block>,
}

impl Drop for BlockLoan<'_> {
    fn drop(&mut self) {
        let mut blocks = std::mem::take(&mut self.blocks);
        if blocks.len() > self.hasher.ours.params.block_count() {
            // A stored hash required more memory than ours do; the larger block is not kept.
            blocks = Vec::new();
        }
        self.hasher.free().push(blocks);
        self.hasher.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A low cost, to keep the tests fast.
    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    /// `correct horse` as Node's scrypt hashes it, with the salt `0123456789abcdef` twice and blocks of
    /// 16 and of 8.
    const HEX_16: &str = "c967f8a4438e68448871a4fbb9b41b2aacaa6d9d98bf76d9740467af6a3305c6\
         601235ae3706eaeaafd4c037201f630b3c3670caf74d8be1d22256672828773e";
    const HEX_8: &str = "f6503180133c5866a0128d169a19873afdbe5d33e24508f3b243b7741c46d31c\
         530643354185fd3e12ee10a516c8c2fa8973269f6e827512500f8aaf9649182b";

    fn stored(text: &str) -> PasswordHash {
        PasswordHash::from_stored(text.to_owned())
    }

    #[test]
    fn admits_the_password_and_no_other() {
        let hasher = Hasher::new(1, CHEAP);
        let hash = hasher.hash(&Password::new("correct horse"));
        assert_eq!(hasher.verify(&Password::new("correct horse"), Some(&hash)), Verdict::Right);
        for other in ["correct horse ", " correct horse", "Correct horse", "correct hors", ""] {
            let verdict = hasher.verify(&Password::new(other), Some(&hash));
            assert_eq!(verdict, Verdict::Wrong, "{other:?}");
        }
    }

    #[test]
    fn compares_every_character_of_a_long_password() {
        let hasher = Hasher::new(1, CHEAP);
        let long = "p".repeat(255);
        let hash = hasher.hash(&Password::new(&long));
        let other = format!("{}q", &long[..254]);
        assert_eq!(hasher.verify(&Password::new(&other), Some(&hash)), Verdict::Wrong);
    }

    #[test]
    fn stores_a_phc_string_with_the_owasp_cost_and_a_new_salt_each_time() {
        let hasher = Hasher::new(1, Cost::OWASP);
        let (one, two) = (hasher.hash(&Password::new("x")), hasher.hash(&Password::new("x")));
        assert!(one.as_stored().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_ne!(one.as_stored(), two.as_stored());
        let fields: Vec<_> = one.as_stored().split('$').collect();
        assert_eq!((fields[4].len(), fields[5].len()), (22, 43), "16 and 32 bytes in base64");
    }

    #[test]
    fn reads_the_hashes_that_other_implementations_write() {
        // From the argon2 command of the reference implementation, 20171227.
        let hasher = Hasher::new(1, CHEAP);
        for (hash, verdict) in [
            (
                "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$bIKRw3Ua1pluirFy81fnppmR01EnUxY3hLEBwbWxBG8",
                Verdict::Right,
            ),
            (
                "$argon2i$v=19$m=64,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$w51sDnGUbAVcVTsxSiNNG7N2LYmQNO3hvuuGwK16WkU",
                Verdict::Stale,
            ),
            (
                "$argon2id$v=19$m=256,t=2,p=4$c29tZXNhbHRzb21lc2FsdA$L7GysXRwygxnhb30db/WQK9lk1zFrj7v",
                Verdict::Stale,
            ),
        ] {
            let password = Password::new("correct horse");
            assert_eq!(hasher.verify(&password, Some(&stored(hash))), verdict, "{hash}");
            let wrong = Password::new("wrong horse");
            assert_eq!(hasher.verify(&wrong, Some(&stored(hash))), Verdict::Wrong, "{hash}");
        }
    }

    #[test]
    fn calls_a_hash_of_another_cost_stale() {
        let before = Hasher::new(1, Cost { memory_kib: 32, ..CHEAP });
        let hash = before.hash(&Password::new("secret"));
        let now = Hasher::new(1, CHEAP);
        assert_eq!(now.verify(&Password::new("secret"), Some(&hash)), Verdict::Stale);
        assert_eq!(now.verify(&Password::new("wrong"), Some(&hash)), Verdict::Wrong);
    }

    #[test]
    fn computes_no_hash_that_asks_for_too_much_or_is_none() {
        let hasher = Hasher::new(1, CHEAP);
        let huge = "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$\
                    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let endless = "$argon2id$v=19$m=64,t=4294967295,p=1$c29tZXNhbHRzb21lc2FsdA$\
                       AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let short_salt = "$argon2id$v=19$m=64,t=1,p=1$c29tZXM$\
                          AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for bad in [
            huge,
            endless,
            short_salt,
            "",
            "plain",
            "$argon2id$v=19$m=64,t=1,p=1",
            "$2b$10$abcdefghijklmnopqrstuv",
            "$2b$15$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2b$05$CCCCCCCCCCCCCCCCCCCC\u{e4}.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
            "$2b$xx$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "s2:",
            "s2:salt",
            "s2:salt:",
            "s2:salt:00",
            &format!("s2::{HEX_16}"),
            &format!("s2:salt:{HEX_16}0"),
            &format!("s2:salt:{HEX_16}:"),
            &format!("s2:salt:{}g", &HEX_16[1..]),
            &format!("s2:salt:{}\u{e4}", &HEX_16[2..]),
            &format!("s2:{}:{HEX_16}", "s".repeat(129)),
            &format!("s2:s\u{e4}lt:{HEX_16}"),
            &format!(":{HEX_16}"),
            HEX_16,
            ":",
            "pbkdf2_sha256$",
            "pbkdf2_sha256$1000$salt",
            "pbkdf2_sha256$1000$salt$AAAA",
            "pbkdf2_sha256$1000$salt$not base64",
            "pbkdf2_sha256$0$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "pbkdf2_sha256$2000001$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "pbkdf2_sha256$99999999999$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "pbkdf2_sha256$1000$$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "pbkdf2_sha256$1000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=$",
        ] {
            assert!(!stored(bad).is_readable(), "{bad:?}");
            let verdict = hasher.verify(&Password::new("x"), Some(&stored(bad)));
            assert_eq!(verdict, Verdict::Unreadable, "{bad:?}");
        }
    }

    #[test]
    fn takes_what_other_systems_have_hashed_for_stale() {
        let hasher = Hasher::new(1, CHEAP);
        let legacy = "bff529a7e37dec2e542af20d67be4b150206b9a07d57566ab5e786ca41bd4b921ee0a4c8511d\
                      3109c93400d2c0758408376976efbf4a7aa9cc03de9547cd9f56";
        let lucia = "2f0fddd228e4af4f90da87d27427fadeea9c6baf4f74864f6d3390875b3f7d38808bf7770a589\
                     d978fd0dae9a50998e3877a5056e539ae051f5df217603df7d4";
        let nfkc = "4a8589a981b837b417b6d63f1c0b34424112d56043d7a09c552ee288f310e4779a8a05da8cf647\
                    6b7a7f679f4a7cf22747d750cbf06bb2ef7b3d7dc599dc3e18";
        let hex_salt = "0123456789abcdef0123456789abcdef";
        for (password, hash, computed) in [
            ("correct horse", format!("s2:abcdefghij123456:{lucia}"), 1),
            ("correct horse", format!("abcdefghij123456:{legacy}"), 1),
            ("correct horse", format!("abcdefghij123456:{lucia}"), 2),
            ("correct horse", format!("{hex_salt}:{HEX_16}"), 1),
            ("correct horse", format!("{hex_salt}:{HEX_8}"), 2),
            ("correct horse", format!("{hex_salt}:{}", HEX_8.to_uppercase()), 2),
            ("\u{c5}ngstr\u{f6}m fish", format!("s2:{hex_salt}:{nfkc}"), 1),
            ("\u{212b}ngstr\u{f6}m \u{fb01}sh", format!("s2:{hex_salt}:{nfkc}"), 1),
            // From the tests of crypt_blowfish.
            ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".into(), 1),
            (
                "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars \
                 after 72 are ignored",
                "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui".into(),
                1,
            ),
            ("", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy".into(), 1),
            ("U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".into(), 1),
            // From Python's hashlib.
            (
                "correct horse",
                "pbkdf2_sha256$1000$seasalt$mQnueSakb748zqBAC1tmWVZsZbi2zPGZarEzTGdfmso=".into(),
                1,
            ),
            (
                "\u{c5}ngstr\u{f6}m fish",
                "pbkdf2_sha256$1000$ab.c-1$GDz4IbaBUxmNS9qKU+RCgiY8GOam9NJxfnPMXHdEX+I=".into(),
                1,
            ),
        ] {
            let stored = stored(&hash);
            assert!(stored.is_readable(), "{hash}");
            let before = hasher.computed();
            let verdict = hasher.verify(&Password::new(password), Some(&stored));
            assert_eq!(verdict, Verdict::Stale, "{hash}");
            assert_eq!(hasher.computed() - before, computed, "{hash}");
            let wrong = Password::new("wrong horse");
            assert_eq!(hasher.verify(&wrong, Some(&stored)), Verdict::Wrong, "{hash}");
        }
    }

    /// `x2\u{3bc} fish 7` in NFKC.
    const TYPED: &str = "x\u{b2}\u{b5} \u{fb01}sh\u{a0}7";

    #[test]
    fn compares_the_hashes_of_systems_that_do_not_normalise_with_what_was_typed_too() {
        let hasher = Hasher::new(1, CHEAP);
        let argon2 = |password: &str| {
            let output = hasher.compute(&hasher.ours, password, b"somesaltsomesalt", OUTPUT_BYTES);
            hasher.ours.write(b"somesaltsomesalt", output)
        };
        // From libxcrypt and from Python's hashlib: of the typed form, then of the normalised one.
        for (hash, computed) in [
            ("$2b$05$CCCCCCCCCCCCCCCCCCCCC.6AWONTZ6st8xQ4swpKIk/P6N.47X0eu".to_owned(), 1),
            ("$2b$05$CCCCCCCCCCCCCCCCCCCCC.QpnP6qdLfZj4Mbad03JlbPhRwc0LMtu".to_owned(), 2),
            ("pbkdf2_sha256$1000$seasalt$UyHHCqM+9gG9ET+Cp3A+C8fa4cDUADEMkMEXfNprYIs=".into(), 1),
            ("pbkdf2_sha256$1000$seasalt$E6NnqUIKtRBZgG37PMlWbVzkYQZeszjp8pVhQCnHSF0=".into(), 2),
            (argon2(TYPED), 2),
        ] {
            let before = hasher.computed();
            let verdict = hasher.verify(&Password::new(TYPED), Some(&stored(&hash)));
            assert_eq!((verdict, hasher.computed() - before), (Verdict::Stale, computed), "{hash}");
            let other = Password::new("x\u{b2}\u{b5} \u{fb01}sh\u{a0}8");
            assert_eq!(hasher.verify(&other, Some(&stored(&hash))), Verdict::Wrong, "{hash}");
        }
        let ours = stored(&argon2("x2\u{3bc} fish 7"));
        assert_eq!(hasher.verify(&Password::new(TYPED), Some(&ours)), Verdict::Right);
    }

    #[test]
    fn works_as_hard_for_an_unknown_name_whatever_form_was_typed() {
        let hasher = Hasher::new(1, CHEAP);
        let hash = hasher.hash(&Password::new("secret"));
        let unreadable = stored("plain");
        let work = |stored: Option<&PasswordHash>| {
            let before = hasher.computed();
            hasher.verify(&Password::new(TYPED), stored);
            hasher.computed() - before
        };
        assert_eq!([work(Some(&hash)), work(None), work(Some(&unreadable))], [2, 2, 2]);
    }

    #[test]
    fn waits_for_its_turn_with_the_hashes_of_other_systems_too() {
        let hasher = Hasher::new(1, CHEAP);
        let hash = stored("$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW");
        let loan = hasher.borrow(0);
        std::thread::scope(|scope| {
            let check = scope.spawn(|| hasher.verify(&Password::new("U*U"), Some(&hash)));
            std::thread::yield_now();
            assert_eq!(hasher.computed(), 0);
            drop(loan);
            assert_eq!(check.join().unwrap(), Verdict::Stale);
        });
    }

    #[test]
    fn works_as_hard_for_an_unknown_name_as_for_a_wrong_password() {
        let hasher = Hasher::new(1, CHEAP);
        let hash = hasher.hash(&Password::new("secret"));
        let before = hasher.computed();
        assert_eq!(hasher.verify(&Password::new("guess"), Some(&hash)), Verdict::Wrong);
        let wrong = hasher.computed() - before;
        assert_eq!(hasher.verify(&Password::new("guess"), None), Verdict::Wrong);
        let unknown = hasher.computed() - before - wrong;
        assert_eq!((wrong, unknown), (1, 1));
    }

    #[test]
    fn takes_the_same_password_from_another_keyboard() {
        let hasher = Hasher::new(1, CHEAP);
        let hash = hasher.hash(&Password::new("\u{c5}ngstr\u{f6}m fish"));
        for same in ["A\u{30a}ngstro\u{308}m fish", "\u{212b}ngstr\u{f6}m \u{fb01}sh"] {
            assert_eq!(hasher.verify(&Password::new(same), Some(&hash)), Verdict::Right, "{same}");
        }
    }

    #[test]
    fn counts_length_as_javascript_does_and_as_nist_does() {
        let emoji = Password::new("\u{1f600}\u{1f600}\u{1f600}");
        assert_eq!((emoji.units(), emoji.characters()), (6, 3));
        let decomposed = Password::new("a\u{30a}");
        assert_eq!((decomposed.units(), decomposed.characters()), (2, 1));
        // NFKC would make 18 characters of this one; what counts is what was typed.
        let ligature = Password::new("\u{fdfa}");
        assert_eq!((ligature.units(), ligature.characters()), (1, 1));
    }

    #[test]
    fn never_runs_more_hashes_at_once_than_it_has_memory_for() {
        let hasher = Hasher::new(2, CHEAP);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..20).for_each(|_| drop(hasher.hash(&Password::new("x")))));
            }
        });
        assert_eq!(hasher.computed(), 160);
        assert_eq!(hasher.free().len(), 2);
    }

    #[test]
    fn lends_its_memory_again_after_a_panic() {
        let hasher = Hasher::new(1, CHEAP);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _loan = hasher.borrow(1);
            panic!("a bug");
        }));
        assert!(panicked.is_err());
        hasher.hash(&Password::new("still works"));
    }
}
