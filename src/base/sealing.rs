//! Sealing: keeping a secret in a database in such a way that a copy of the database alone does not reveal it.
//!
//! Decides the cipher (XChaCha20-Poly1305), what is stored, and what a file with a key looks like. A stored secret
//! is a zero byte and the secret, in the clear; or a one, 24 bytes of nonce, the encrypted secret and its tag of 16
//! bytes. Does not know whether an operator wants secrets sealed, or where the file is.

use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use data_encoding::HEXLOWER_PERMISSIVE;
use pbkdf2::sha2::{Digest, Sha256};

use crate::base::file_fault::reading;
use crate::base::mac;
use crate::base::token::{hex, random_bytes};
use crate::base::totp::TotpSecret;

/// Bytes of a nonce: enough for random ones never to repeat.
const NONCE_BYTES: usize = 24;

/// The first byte of a stored secret in the clear.
pub const CLEAR: u8 = 0;

/// The first byte of a stored secret that is sealed.
pub const SEALED: u8 = 1;

/// Bytes of a file with a key, at most.
const FILE_BYTES_MAX: u64 = 256;

/// What [`SealingKey::check_value`] authenticates.
const CHECK_PURPOSE: &str = "sealing key";

/// A key that seals secrets. It has neither `Debug` nor `Display`.
#[derive(Clone)]
pub struct SealingKey([u8; 32]);

impl SealingKey {
    /// A new key from the operating system's random source.
    pub fn random() -> Self {
        Self(random_bytes())
    }

    /// The key that has these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key that another program makes of a text: its SHA-256.
    pub fn of_text(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// The key in a file that other users cannot read. An error is one line about the file, with what to do.
    pub fn read_file(path: &Path) -> Result<Self, String> {
        let name = path.display();
        let failed = |err| format!("cannot read {name}: {}", reading(&err));
        let file = File::open(path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        let mode = about.mode() & 0o777;
        if !is_private(mode, about.uid(), about.gid()) {
            return Err(format!(
                "{name} has mode {mode:04o}, so other users may read or replace the key; chmod 600 it"
            ));
        }
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
        Self::parse(&bytes).ok_or_else(|| {
            format!(
                "{name} holds no key: one line of 64 hex digits, as vestibule key new writes it"
            )
        })
    }

    /// A key as [`SealingKey::reveal`] writes it.
    fn parse(text: &[u8]) -> Option<Self> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.trim_ascii()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The content of a file with this key: one line of 64 hex digits.
    pub fn reveal(&self) -> String {
        hex(&self.0) + "\n"
    }

    /// What a database keeps to recognise the key by. It does not reveal the key.
    pub fn check_value(&self) -> [u8; 32] {
        mac::code(&self.0, CHECK_PURPOSE, &[])
    }

    /// Sixteen hex digits by which an operator can tell keys apart: the beginning of [`SealingKey::check_value`].
    pub fn handle(&self) -> String {
        handle_of(&self.check_value())
    }

    /// Encrypts a secret under a new random nonce, which stands before it. It can only be opened together with
    /// `bound_to`, which is not part of it.
    pub fn seal(&self, secret: &[u8], bound_to: &[u8]) -> Vec<u8> {
        let nonce = random_bytes::<NONCE_BYTES>();
        let payload = Payload { msg: secret, aad: bound_to };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload);
        [&nonce[..], &sealed.expect("a secret is far shorter than the cipher allows")].concat()
    }

    /// The secret that [`SealingKey::seal`] has encrypted: 24 bytes of nonce, the encrypted secret and its tag.
    /// `None` if it was sealed with another key or bound to something else, or was altered.
    pub fn unseal(&self, sealed: &[u8], bound_to: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: bound_to };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).ok()
    }

    /// The secret that another program has encrypted as [`SealingKey::seal`] does, bound to nothing, in hex digits.
    pub fn unseal_hex(&self, digits: &str) -> Option<Vec<u8>> {
        self.unseal(&HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?, b"")
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(self.0))
    }
}

/// What [`SealingKey::handle`] is for the key with this check value.
pub fn handle_of(check_value: &[u8; 32]) -> String {
    hex(&check_value[..8])
}

/// Whether no other user can read or replace the content of a file with this mode, owner and group.
const fn is_private(mode: u32, owner: u32, group: u32) -> bool {
    // systemd gives a credential to the user of a service by an access control list on a file of root, whose mask
    // stat shows as the rights of the group: mode 0440, owner and group root.
    let of_others = if owner == 0 && group == 0 { 0o037 } else { 0o077 };
    mode & of_others == 0
}

/// The secret of a user's app as a database holds it, sealed or in the clear. It has neither `Debug` nor `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredSecret(Vec<u8>);

impl StoredSecret {
    /// The secret of the user with this id, sealed if there is a key. A sealed one opens for that user alone, so
    /// moving it to the row of another user is of no use.
    pub fn new(secret: &TotpSecret, user_id: &str, key: Option<&SealingKey>) -> Self {
        let (kind, rest) = match key {
            None => (CLEAR, secret.reveal().to_vec()),
            Some(key) => (SEALED, key.seal(secret.reveal(), user_id.as_bytes())),
        };
        Self([&[kind], &rest[..]].concat())
    }

    /// A secret as it was stored. It is looked at when it is opened.
    pub const fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to store: 11 to 65 in the clear, 51 to 105 sealed.
    pub fn as_stored(&self) -> &[u8] {
        &self.0
    }

    /// Whether a key is needed to open it.
    pub fn is_sealed(&self) -> bool {
        self.0.first() == Some(&SEALED)
    }

    /// The secret in the clear. One that is not sealed is read with a key as well as without.
    pub fn open(
        &self,
        user_id: &str,
        key: Option<&SealingKey>,
    ) -> Result<TotpSecret, SealingFault> {
        let bytes = match self.0.split_first() {
            Some((&CLEAR, secret)) => secret.to_vec(),
            Some((&SEALED, sealed)) => {
                let key = key.ok_or(SealingFault::NoKey)?;
                key.unseal(sealed, user_id.as_bytes()).ok_or(SealingFault::NotOpened)?
            }
            _ => return Err(SealingFault::Malformed),
        };
        TotpSecret::from_bytes(&bytes).map_err(|_| SealingFault::Malformed)
    }
}

/// Why a stored secret cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SealingFault {
    /// It is sealed, and there is no key.
    NoKey,
    /// It was sealed with another key or for another user, or was altered.
    NotOpened,
    /// It is neither sealed nor a secret in the clear.
    Malformed,
}

impl Display for SealingFault {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NoKey => "the secret is sealed, and no key is given",
            Self::NotOpened => {
                "the secret does not open: it was sealed with another key or for another user, or was altered"
            }
            Self::Malformed => "what is stored is no secret",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    fn secret() -> TotpSecret {
        TotpSecret::from_bytes(b"12345678901234567890").unwrap()
    }

    fn opened(
        stored: &StoredSecret,
        user_id: &str,
        key: Option<&SealingKey>,
    ) -> Result<(), SealingFault> {
        stored.open(user_id, key).map(|it| assert!(it == secret()))
    }

    #[test]
    fn decrypts_what_the_draft_of_the_cipher_encrypts() {
        // draft-irtf-cfrg-xchacha-03, appendix A.3.1.
        let bytes = |text: &str| HEXLOWER_PERMISSIVE.decode(text.as_bytes()).unwrap();
        let key = bytes("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
        let sealed = bytes(
            "404142434445464748494a4b4c4d4e4f5051525354555657\
             bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39\
             ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
             21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49",
        );
        let key = SealingKey::from_bytes(key.try_into().unwrap());
        let clear = key.unseal(&sealed, &bytes("50515253c0c1c2c3c4c5c6c7")).unwrap();
        let expected = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the \
                        future, sunscreen would be it.";
        assert_eq!(String::from_utf8(clear).unwrap(), expected);
    }

    #[test]
    fn stores_a_secret_in_the_clear_without_a_key() {
        let stored = StoredSecret::new(&secret(), "anna", None);
        assert_eq!(stored.as_stored(), b"\x0012345678901234567890");
        assert!(!stored.is_sealed());
        assert_eq!(opened(&stored, "anna", None), Ok(()));
        assert_eq!(opened(&stored, "anna", Some(&SealingKey::random())), Ok(()));
    }

    #[test]
    fn opens_a_sealed_secret_with_its_key_for_its_user_alone() {
        let (key, other) = (SealingKey::random(), SealingKey::random());
        let stored = StoredSecret::new(&secret(), "anna", Some(&key));
        assert_eq!(stored.as_stored().len(), 1 + 24 + 20 + 16);
        assert!(stored.is_sealed());
        assert!(!stored.as_stored().windows(4).any(|it| it == b"1234"));
        assert_eq!(opened(&stored, "anna", Some(&key)), Ok(()));
        assert_eq!(opened(&stored, "bert", Some(&key)), Err(SealingFault::NotOpened));
        assert_eq!(opened(&stored, "anna", Some(&other)), Err(SealingFault::NotOpened));
        assert_eq!(opened(&stored, "anna", None), Err(SealingFault::NoKey));
        let again = StoredSecret::new(&secret(), "anna", Some(&key));
        assert!(again != stored, "each has a nonce of its own");
    }

    #[test]
    fn opens_nothing_that_was_altered() {
        let key = SealingKey::random();
        let bytes = StoredSecret::new(&secret(), "anna", Some(&key)).as_stored().to_vec();
        for at in 1..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            let stored = StoredSecret::from_stored(altered);
            assert_eq!(
                opened(&stored, "anna", Some(&key)),
                Err(SealingFault::NotOpened),
                "byte {at}"
            );
            let cut = StoredSecret::from_stored(bytes[..at].to_vec());
            assert_eq!(
                opened(&cut, "anna", Some(&key)),
                Err(SealingFault::NotOpened),
                "{at} bytes"
            );
        }
        for garbage in [&b""[..], b"\x00", b"\x00short", b"\x02345678901234567890", b"12345678901"]
        {
            let stored = StoredSecret::from_stored(garbage.to_vec());
            assert_eq!(opened(&stored, "anna", Some(&key)), Err(SealingFault::Malformed));
        }
    }

    #[test]
    fn tells_keys_apart_without_giving_them_away() {
        let (one, other) = (SealingKey::from_bytes([1; 32]), SealingKey::from_bytes([2; 32]));
        assert_eq!(one.check_value(), SealingKey::from_bytes([1; 32]).check_value());
        assert_ne!(one.check_value(), other.check_value());
        assert_eq!(one.handle(), handle_of(&one.check_value()));
        assert_eq!(one.handle().len(), 16);
        assert!(!one.reveal().contains(&one.handle()));
    }

    /// What is read from a file with this content and mode.
    fn read(content: &str, mode: u32) -> Result<[u8; 32], String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        SealingKey::read_file(&path).map(|it| it.0)
    }

    #[test]
    fn reads_the_key_in_a_file_and_nothing_else() {
        let key = SealingKey::from_bytes(std::array::from_fn(|at| u8::try_from(at * 8).unwrap()));
        let line = key.reveal();
        assert_eq!(line.len(), 65);
        for content in [&*line, line.trim_end(), &line.to_uppercase(), &format!("  {line}\r\n")] {
            assert_eq!(read(content, 0o600), Ok(key.0), "{content:?}");
        }
        let two = line.repeat(2);
        let long = line.trim_end().repeat(100);
        for content in ["", "\n", &line[1..], &line.replace('0', "g"), &two, &long, "é"] {
            let told = read(content, 0o600).unwrap_err();
            assert!(told.ends_with("as vestibule key new writes it"), "{told}");
        }
    }

    #[test]
    fn reads_no_key_that_other_users_can_read_or_replace() {
        let line = SealingKey::random().reveal();
        for mode in [0o600, 0o400, 0o700] {
            assert!(read(&line, mode).is_ok(), "{mode:o}");
        }
        for mode in [0o644, 0o604, 0o602, 0o601, 0o660, 0o620] {
            let told = read(&line, mode).unwrap_err();
            assert!(told.contains(&format!("has mode {mode:04o}")) && told.contains("chmod 600"));
        }
    }

    #[test]
    fn takes_a_credential_of_systemd_for_private() {
        for (mode, owner, group, expected) in [
            (0o440, 0, 0, true),
            (0o400, 1_000, 1_000, true),
            (0o440, 0, 1_000, false),
            (0o440, 1_000, 0, false),
            (0o460, 0, 0, false),
            (0o444, 0, 0, false),
        ] {
            assert_eq!(is_private(mode, owner, group), expected, "{mode:o} {owner} {group}");
        }
    }

    #[test]
    fn says_what_to_do_about_a_file_that_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let told = |path: &Path| SealingKey::read_file(path).err().unwrap();
        assert!(told(&folder.path().join("none")).contains("there is no such file"));
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        assert!(told(folder.path()).contains("it is a folder"), "{}", told(folder.path()));
    }
}
