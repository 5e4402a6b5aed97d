//! Argon2 hashes as they are stored: how a PHC string is parsed and written, and what one may cost.

use argon2::password_hash::phc;
use argon2::{Algorithm, Params, Version};

use super::{Cost, HashFault};

/// The memory that a hash may take at any time, in KiB: RFC 9106's second choice. Every hasher of a server
/// may take as much at once.
const HASHER_KIB_MAX: u32 = 64 * 1024;

/// The work of a hash that may be computed at any time, in KiB times passes: RFC 9106's second choice makes
/// three passes. It takes five times as long as a hash of ours.
const HASHER_WORK_KIB_MAX: u64 = 3 * 64 * 1024;

/// The highest memory cost of a stored hash that is accepted, in KiB: libsodium's `MODERATE`. Django's
/// default is 100 MiB. Above 64 MiB one such hash is computed at a time, so that no row in the
/// database can exhaust the machine's memory.
pub const MEMORY_KIB_MAX: u32 = 256 * 1024;

/// The most work of a stored hash that is accepted, in KiB times passes: libsodium's `MODERATE` makes three
/// passes. It takes some twenty times as long as a hash of ours, half a second.
pub const WORK_KIB_MAX: u64 = 3 * 256 * 1024;

/// The memory in KiB that this many hashers may take at once, if each of them verifies a hash of another
/// system, and one of these is costly.
pub const fn memory_kib_max(hashers: usize) -> usize {
    hashers * HASHER_KIB_MAX as usize + (MEMORY_KIB_MAX - HASHER_KIB_MAX) as usize
}

/// A member of the Argon2 family and its parameters.
#[derive(Clone)]
pub(super) struct Scheme {
    pub(super) algorithm: Algorithm,
    pub(super) version: Version,
    pub(super) params: Params,
}

impl Scheme {
    pub(super) fn argon2id(cost: Cost) -> Self {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None)
            .expect("the cost is one that Argon2 allows");
        Self { algorithm: Algorithm::Argon2id, version: Version::V0x13, params }
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        let cost = |it: &Self| (it.params.m_cost(), it.params.t_cost(), it.params.p_cost());
        (self.algorithm, self.version) == (other.algorithm, other.version)
            && cost(self) == cost(other)
    }

    /// Whether verifying it takes less time than verifying a hash of the scheme `other`.
    pub(super) fn is_cheaper_than(&self, other: &Self) -> bool {
        work(&self.params) < work(&other.params)
    }

    /// Whether it is so costly that only one such hash is computed at a time.
    pub(super) fn is_costly(&self) -> bool {
        self.params.m_cost() > HASHER_KIB_MAX || work(&self.params) > HASHER_WORK_KIB_MAX
    }

    pub(super) fn write(&self, salt: &[u8], output: phc::Output) -> String {
        let params = phc::ParamsString::try_from(&self.params).expect("three numbers fit");
        phc::PasswordHash {
            algorithm: self.algorithm.ident(),
            version: Some(self.version.into()),
            params,
            salt: Some(phc::Salt::new(salt).expect("16 bytes fit")),
            hash: Some(output),
        }
        .to_string()
    }
}

/// The cost measure: memory in KiB times passes.
fn work(params: &Params) -> u64 {
    u64::from(params.m_cost()) * u64::from(params.t_cost())
}

/// A stored hash, parsed.
pub(super) struct Stored {
    pub(super) scheme: Scheme,
    pub(super) salt: Vec<u8>,
    pub(super) output: phc::Output,
}

impl Stored {
    /// Parses a hash; Django writes `argon2` before it. `None` if it is not a PHC string of Argon2.
    pub(super) fn read(text: &str) -> Option<Result<Self, HashFault>> {
        let django = text.strip_prefix("argon2").filter(|rest| rest.starts_with("$argon2"));
        let hash = phc::PasswordHash::new(django.unwrap_or(text)).ok()?;
        // Another scheme may be written as a PHC string too.
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        let params = Params::try_from(&hash).ok()?;
        let salt = hash.salt?.to_vec();
        (argon2::MIN_SALT_LEN <= salt.len()).then_some(())?;
        let output = hash.hash?;
        if params.m_cost() > MEMORY_KIB_MAX || work(&params) > WORK_KIB_MAX {
            return Some(Err(HashFault::TooCostly(format!(
                "{algorithm} with m={},t={},p={}",
                params.m_cost(),
                params.t_cost(),
                params.p_cost()
            ))));
        }
        // A string without a version is of the first version, by the PHC string format.
        let version = Version::try_from(hash.version.unwrap_or(0x10)).ok()?;
        Some(Ok(Self { scheme: Scheme { algorithm, version, params }, salt, output }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Hasher, Password, PasswordHash, Verdict};
    use super::*;

    /// Cheap, so that the tests are quick.
    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    fn stored(text: &str) -> PasswordHash {
        PasswordHash::from_stored(text.to_owned())
    }

    /// Of `correct horse`, by argon2-cffi 25.1.0 with the costs of other programs.
    const COSTLY: [(&str, &str); 6] = [
        (
            "PHP",
            "$argon2id$v=19$m=65536,t=4,p=1$MDEyMzQ1Njc4OWFiY2RlZg\
             $gFMqBp3owLf0mB3dz+ah/boAR60nDVMs1hc0/wDXAr8",
        ),
        (
            "Vaultwarden",
            "$argon2id$v=19$m=65540,t=3,p=4$MDEyMzQ1Njc4OWFiY2RlZg\
             $FJ7OiBvl30uJhYaxaZ8kx0r0MV6cJHJtQwrV9uL6Vf8",
        ),
        (
            "libsodium, MODERATE",
            "$argon2id$v=19$m=262144,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg\
             $rlW4OsRng213xhiyewTPXZ82IS9wx+1RdUokdGvsLfA",
        ),
        (
            "libsodium, INTERACTIVE",
            "$argon2id$v=19$m=65536,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg\
             $XlIARiBE0nDF7PsfubnEl7+kj2YcIpRpFBydLDuxDgI",
        ),
        (
            "Argon2i",
            "$argon2i$v=19$m=65536,t=4,p=1$MDEyMzQ1Njc4OWFiY2RlZg\
             $dGakmIcdHGm9bLled+oFHVrY3TzsezHNcBGTz33kzzg",
        ),
        (
            "Argon2d",
            "$argon2d$v=19$m=102400,t=2,p=8$MDEyMzQ1Njc4OWFiY2RlZg\
             $9t/VDwnVd8iTbihBHo6VXqkyxyfVqp2tbyNMIJBJssQ",
        ),
    ];

    #[test]
    fn verifies_argon2_with_the_costs_of_other_programs() {
        let hasher = Hasher::new(2, CHEAP);
        for (program, hash) in COSTLY {
            let hash = stored(hash);
            let right = hasher.verify(&Password::new("correct horse"), Some(&hash));
            assert_eq!(right, Verdict::Stale, "{program}");
            let wrong = hasher.verify(&Password::new("wrong horse"), Some(&hash));
            assert_eq!(wrong, Verdict::Wrong, "{program}");
        }
        let largest = hasher.free().iter().map(Vec::len).max();
        assert!(largest <= Some(64), "what they took is given back");
    }

    #[test]
    fn computes_one_costly_hash_at_a_time_and_others_meanwhile() {
        let hasher = Hasher::new(2, CHEAP);
        let turn = hasher.costly_turn.lock().unwrap();
        std::thread::scope(|scope| {
            let check =
                || hasher.verify(&Password::new("correct horse"), Some(&stored(COSTLY[1].1)));
            let costly = [scope.spawn(check), scope.spawn(check)];
            // Both hashers are free for hashes of ours, as those that wait have borrowed no memory.
            let ours = hasher.hash(&Password::new("secret"));
            assert_eq!(hasher.verify(&Password::new("secret"), Some(&ours)), Verdict::Right);
            assert_eq!(hasher.computed(), 2);
            drop(turn);
            for it in costly {
                assert_eq!(it.join().unwrap(), Verdict::Stale);
            }
        });
    }

    #[test]
    fn says_that_a_hash_is_too_costly_and_what_it_asks_for() {
        // libsodium's SENSITIVE, and more passes than any.
        for (cost, told) in [
            ("m=1048576,t=4,p=1", "argon2id with m=1048576,t=4,p=1"),
            ("m=262144,t=4,p=1", "argon2id with m=262144,t=4,p=1"),
            ("m=262145,t=1,p=1", "argon2id with m=262145,t=1,p=1"),
        ] {
            let hash = stored(&COSTLY[2].1.replace("m=262144,t=3,p=1", cost));
            assert_eq!(hash.fault(), Some(HashFault::TooCostly(told.to_owned())));
        }
    }
}
