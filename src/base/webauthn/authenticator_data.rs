//! The authenticator data: what the passkey itself says of a ceremony, and signs (WebAuthn § 6.1).

use super::{CREDENTIAL_ID_BYTES_MAX, PasskeyKey, ResponseFlaw};

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const CAN_BE_BACKED_UP: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const HAS_CREDENTIAL: u8 = 0x40;
const HAS_EXTENSIONS: u8 = 0x80;

/// The authenticator data.
pub(super) struct AuthenticatorData<'a> {
    /// The SHA-256 of the RP ID.
    pub(super) rp_id_hash: [u8; 32],
    flags: u8,
    /// What it counts of its uses; 0 if it does not.
    pub(super) sign_count: u32,
    /// The credential that was made.
    pub(super) credential: Option<AttestedCredential<'a>>,
}

/// A credential, as the passkey that has made it writes it.
pub(super) struct AttestedCredential<'a> {
    pub(super) id: &'a [u8],
    /// Its public key in COSE's spelling.
    pub(super) key: &'a [u8],
}

impl<'a> AuthenticatorData<'a> {
    /// Reads the bytes that the passkey has written. Of the public key only the kind and the length are checked.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, ResponseFlaw> {
        let (rp_id_hash, rest) = first_of::<32>(bytes)?;
        let ([flags], rest) = first_of::<1>(rest)?;
        let (count, rest) = first_of::<4>(rest)?;
        let (credential, rest) = if flags & HAS_CREDENTIAL == 0 {
            (None, rest)
        } else {
            let (credential, rest) = read_credential(rest)?;
            (Some(credential), rest)
        };
        // No extension was asked for, so what they say is left unread.
        if rest.is_empty() != (flags & HAS_EXTENSIONS == 0) {
            return Err(ResponseFlaw::AuthenticatorData);
        }
        let sign_count = u32::from_be_bytes(*count);
        Ok(Self { rp_id_hash: *rp_id_hash, flags: *flags, sign_count, credential })
    }

    pub(super) const fn is_user_present(&self) -> bool {
        self.flags & USER_PRESENT != 0
    }

    pub(super) const fn is_user_verified(&self) -> bool {
        self.flags & USER_VERIFIED != 0
    }

    pub(super) const fn can_be_backed_up(&self) -> bool {
        self.flags & CAN_BE_BACKED_UP != 0
    }

    pub(super) const fn is_backed_up(&self) -> bool {
        self.flags & BACKED_UP != 0
    }
}

/// The credential that was made, and what follows it (§ 6.5.2).
fn read_credential(bytes: &[u8]) -> Result<(AttestedCredential<'_>, &[u8]), ResponseFlaw> {
    // The AAGUID names the make of the authenticator, which decides nothing here.
    let (_, rest) = first_of::<16>(bytes)?;
    let (length, rest) = first_of::<2>(rest)?;
    let (id, rest) = split(rest, u16::from_be_bytes(*length).into())?;
    if id.is_empty() || id.len() > CREDENTIAL_ID_BYTES_MAX {
        return Err(ResponseFlaw::CredentialId);
    }
    let length = PasskeyKey::cose_length(rest).ok_or(ResponseFlaw::PublicKey)?;
    let (key, rest) = split(rest, length)?;
    Ok((AttestedCredential { id, key }, rest))
}

fn first_of<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), ResponseFlaw> {
    bytes.split_first_chunk().ok_or(ResponseFlaw::AuthenticatorData)
}

fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), ResponseFlaw> {
    bytes.split_at_checked(at).ok_or(ResponseFlaw::AuthenticatorData)
}
