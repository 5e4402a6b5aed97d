//! Message authentication codes: what only the holder of a key can have written.
//!
//! Decides the function, BLAKE2b with a key. Does not know what is authenticated, or where the key is kept.

use blake2::Blake2bMac;
use blake2::digest::Mac;
use blake2::digest::consts::U32;

/// Bytes of a code.
pub const MAC_BYTES: usize = 32;

/// The code of a message under a key. `purpose`, of at most 16 bytes, separates the uses of one key: a code made for
/// one purpose is wrong for any other.
pub fn code(key: &[u8; 32], purpose: &'static str, message: &[u8]) -> [u8; MAC_BYTES] {
    keyed(key, purpose, message).finalize().into_bytes().into()
}

/// Whether this is the code of the message, compared in constant time.
pub fn is_code(code: &[u8], key: &[u8; 32], purpose: &'static str, message: &[u8]) -> bool {
    keyed(key, purpose, message).verify_slice(code).is_ok()
}

fn keyed(key: &[u8; 32], purpose: &'static str, message: &[u8]) -> Blake2bMac<U32> {
    Blake2bMac::new_with_salt_and_personal(Some(key), &[], purpose.as_bytes())
        .expect("a key of 32 bytes and a purpose of at most 16 are allowed")
        .chain_update(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_code_for_its_own_key_purpose_and_message_alone() {
        let (one, other) = ([1; 32], [2; 32]);
        let right = code(&one, "a", b"message");
        assert!(is_code(&right, &one, "a", b"message"));
        assert!(!is_code(&right, &other, "a", b"message"));
        assert!(!is_code(&right, &one, "b", b"message"));
        assert!(!is_code(&right, &one, "a", b"messagf"));
        assert!(!is_code(&right[..31], &one, "a", b"message"));
        assert!(!is_code(&[], &one, "a", b"message"));
    }

    #[test]
    fn is_blake2b_with_a_key_and_the_purpose_as_its_person() {
        // From `hashlib.blake2b(b"message", digest_size=32, key=b"\1" * 32, person=b"a")` of Python.
        let expected = "2e6e5a205b666e29a2e3bf0a55cba3341d8d9646d986b58ba57c144b03d2760e";
        assert_eq!(crate::base::token::hex(&code(&[1; 32], "a", b"message")), expected);
    }
}
