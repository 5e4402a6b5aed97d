//! The public keys of passkeys, as COSE writes them (RFC 9052, RFC 9053), and their signatures.
//!
//! CTAP2 wants canonical CBOR, so a key of each kind has exactly one spelling, and no CBOR is parsed. The exponent of
//! an RSA key is 65537, which every authenticator uses.

use ring::agreement::{self, ECDH_P256, EphemeralPrivateKey};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};

/// A key on P-256: kind EC2, algorithm ES256, curve P-256; the first coordinate follows.
const ES256_X: &[u8] = &[0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
/// Before the second coordinate.
const ES256_Y: &[u8] = &[0x22, 0x58, 0x20];
/// A key on Ed25519: kind OKP, algorithm EdDSA, curve Ed25519; the key follows.
const ED25519_X: &[u8] = &[0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20];
/// An RSA key: kind RSA, algorithm RS256; the length of the modulus, in two bytes, and the modulus follow.
const RS256_N: &[u8] = &[0xa4, 0x01, 0x03, 0x03, 0x39, 0x01, 0x00, 0x20, 0x59];
/// The exponent 65537, after the modulus.
const RS256_E: &[u8] = &[0x21, 0x43, 0x01, 0x00, 0x01];
const EXPONENT: [u8; 3] = [0x01, 0x00, 0x01];

/// Bytes of a coordinate, or of a key on Ed25519.
const CURVE_BYTES: usize = 32;

/// Bits of a modulus that are accepted.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The public key of a passkey.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PasskeyKey {
    cose: Vec<u8>,
    parts: KeyParts,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum KeyParts {
    /// The point, uncompressed.
    Es256([u8; 1 + 2 * CURVE_BYTES]),
    Ed25519([u8; CURVE_BYTES]),
    /// The modulus.
    Rs256(Vec<u8>),
}

impl PasskeyKey {
    /// The algorithms by their numbers in COSE, in the order in which they are preferred.
    pub const ALGORITHMS: [i32; 3] = [-8, -7, -257];

    /// The key in COSE's spelling. `None` if it is of another kind, has another spelling, or bytes follow; if its point
    /// is not on P-256; or if its modulus has less than 2048 bits, more than 8192, or is even.
    ///
    /// A point that is not on Ed25519 is not noticed here: no signature fits it.
    pub fn from_cose(bytes: &[u8]) -> Option<Self> {
        let parts =
            Self::es256(bytes).or_else(|| Self::ed25519(bytes)).or_else(|| Self::rs256(bytes))?;
        Some(Self { cose: bytes.to_vec(), parts })
    }

    /// The key in COSE's spelling.
    pub fn as_cose(&self) -> &[u8] {
        &self.cose
    }

    /// How many bytes the key at the beginning of these has, if it has the beginning of a kind that is accepted.
    pub(super) fn cose_length(bytes: &[u8]) -> Option<usize> {
        if bytes.starts_with(ES256_X) {
            return Some(ES256_X.len() + CURVE_BYTES + ES256_Y.len() + CURVE_BYTES);
        }
        if bytes.starts_with(ED25519_X) {
            return Some(ED25519_X.len() + CURVE_BYTES);
        }
        let (length, _) = bytes.strip_prefix(RS256_N)?.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        Some(RS256_N.len() + 2 + length + RS256_E.len())
    }

    /// Whether the holder of the private key has made this signature over the message.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified =
            match &self.parts {
                KeyParts::Es256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
                    .verify(message, signature),
                KeyParts::Ed25519(key) => {
                    UnparsedPublicKey::new(&ED25519, key).verify(message, signature)
                }
                KeyParts::Rs256(n) => RsaPublicKeyComponents { n: &n[..], e: &EXPONENT[..] }
                    .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
            };
        verified.is_ok()
    }

    fn es256(bytes: &[u8]) -> Option<KeyParts> {
        let (x, rest) = bytes.strip_prefix(ES256_X)?.split_first_chunk::<CURVE_BYTES>()?;
        let y: &[u8; CURVE_BYTES] = rest.strip_prefix(ES256_Y)?.try_into().ok()?;
        let mut point = [4; 1 + 2 * CURVE_BYTES];
        point[1..=CURVE_BYTES].copy_from_slice(x);
        point[1 + CURVE_BYTES..].copy_from_slice(y);
        is_on_p256(&point).then_some(KeyParts::Es256(point))
    }

    fn ed25519(bytes: &[u8]) -> Option<KeyParts> {
        let key = bytes.strip_prefix(ED25519_X)?;
        Some(KeyParts::Ed25519(key.try_into().ok()?))
    }

    fn rs256(bytes: &[u8]) -> Option<KeyParts> {
        let (length, rest) = bytes.strip_prefix(RS256_N)?.split_first_chunk::<2>()?;
        let (n, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let (first, last) = (n.first()?, n.last()?);
        let bits = n.len() * 8 - first.leading_zeros() as usize;
        let is_good = *first != 0 && last % 2 == 1 && MODULUS_BITS.contains(&bits);
        (is_good && rest == RS256_E).then(|| KeyParts::Rs256(n.to_vec()))
    }
}

/// Whether an uncompressed point is on P-256. An agreement on a key checks that first (NIST SP 800-56A § 5.6.2.3.4).
fn is_on_p256(point: &[u8]) -> bool {
    let peer = agreement::UnparsedPublicKey::new(&ECDH_P256, point);
    let own = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new());
    own.is_ok_and(|own| agreement::agree_ephemeral(own, &peer, |_| ()).is_ok())
}
