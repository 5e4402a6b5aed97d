//! WebAuthn Level 3, the part of a relying party: whether a browser's answer proves that a passkey was made, or
//! used, for this site and this page.
//!
//! Decides the algorithms (ES256, Ed25519 and RS256), what an answer looks like, and the order of the checks of
//! §§ 7.1 and 7.2. Attestation is not looked at, as no passkey is refused for its make. Does not know which passkeys
//! exist, whose they are, or which challenges were used before.

mod authenticator_data;
mod challenge;
mod client_data;
mod public_key;
mod response;

use ring::digest::{SHA256, digest};

use crate::base::origin::Origin;
use authenticator_data::AuthenticatorData;
use client_data::ClientData;

pub use challenge::{ChallengeId, ChallengeRule, write_challenge};
pub use public_key::PasskeyKey;
pub use response::{
    AuthenticationResponse, CREDENTIAL_ID_BYTES_MAX, RegistrationResponse, encode, known_transports,
};

/// The site, as browsers and passkeys know it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelyingParty {
    /// The origin of the pages on which passkeys are made and used.
    pub origin: Origin,
    /// The RP ID: the host of the origin, or a domain above it.
    pub id: String,
}

impl RelyingParty {
    /// The SHA-256 of the RP ID, which passkeys sign.
    fn id_hash(&self) -> [u8; 32] {
        sha256(self.id.as_bytes())
    }
}

/// What an answer has to fit.
pub struct ExpectedResponse<'a> {
    /// The site.
    pub relying_party: &'a RelyingParty,
    /// Which challenge it may answer.
    pub challenge: ChallengeRule<'a>,
    /// Whether the passkey must have verified its user by a PIN, a finger or a face.
    pub needs_verification: bool,
}

/// What is wrong with an answer. A visitor is told the same of each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResponseFlaw {
    /// It is not JSON of the right shape, or a part of it is too long.
    Shape,
    /// It was made for another ceremony.
    Ceremony,
    /// The challenge is not ours, or was made for another page.
    Challenge,
    /// The challenge is too old, or comes from a clock that is ahead.
    ChallengeExpired,
    /// It was made on the page of another site.
    Origin,
    /// It was made in a frame on the page of another site.
    Framed,
    /// It was made for another RP ID.
    RelyingParty,
    /// The user did not confirm it.
    UserAbsent,
    /// The passkey did not verify its user, which is needed here.
    UserUnverified,
    /// It is backed up and cannot be backed up.
    Backup,
    /// The authenticator data is malformed.
    AuthenticatorData,
    /// The id of the credential is not the one in the authenticator data.
    CredentialId,
    /// The public key is of no kind that is accepted.
    PublicKey,
    /// The signature is wrong.
    Signature,
}

impl ResponseFlaw {
    /// The value of `reason` in the log.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Shape => "shape",
            Self::Ceremony => "ceremony",
            Self::Challenge => "challenge",
            Self::ChallengeExpired => "challenge_expired",
            Self::Origin => "origin",
            Self::Framed => "framed",
            Self::RelyingParty => "rp_id",
            Self::UserAbsent => "user_absent",
            Self::UserUnverified => "user_unverified",
            Self::Backup => "backup",
            Self::AuthenticatorData => "authenticator_data",
            Self::CredentialId => "credential_id",
            Self::PublicKey => "public_key",
            Self::Signature => "signature",
        }
    }
}

/// A passkey that was made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// Its id, which the authenticator has chosen.
    pub id: Vec<u8>,
    /// Its public key.
    pub key: PasskeyKey,
    /// What it counts of its uses; 0 if it does not.
    pub sign_count: u32,
    /// Whether it is synced by its maker, so that it outlives the device.
    pub is_backed_up: bool,
    /// Whether it has verified its user while it was made.
    pub is_user_verified: bool,
    /// The challenge that it answers.
    pub challenge: ChallengeId,
}

/// A use of a passkey, whose signature is right.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CredentialUse {
    /// What it counts of its uses; 0 if it does not.
    pub sign_count: u32,
    /// Whether it is synced by its maker.
    pub is_backed_up: bool,
    /// Whether it has verified its user.
    pub is_user_verified: bool,
    /// The challenge that it answers.
    pub challenge: ChallengeId,
}

/// The passkey that was made by the answer to `navigator.credentials.create()` (§ 7.1).
pub fn read_registration(
    response: &RegistrationResponse,
    expected: &ExpectedResponse<'_>,
) -> Result<NewCredential, ResponseFlaw> {
    let (challenge, data) =
        check(Ceremony::Create, (&response.client_data, &response.authenticator_data), expected)?;
    let credential = data.credential.as_ref().ok_or(ResponseFlaw::AuthenticatorData)?;
    if credential.id != response.id {
        return Err(ResponseFlaw::CredentialId);
    }
    Ok(NewCredential {
        id: credential.id.to_vec(),
        key: PasskeyKey::from_cose(credential.key).ok_or(ResponseFlaw::PublicKey)?,
        sign_count: data.sign_count,
        is_backed_up: data.is_backed_up(),
        is_user_verified: data.is_user_verified(),
        challenge,
    })
}

/// The use of the passkey with this key, by the answer to `navigator.credentials.get()` (§ 7.2).
pub fn read_authentication(
    response: &AuthenticationResponse,
    key: &PasskeyKey,
    expected: &ExpectedResponse<'_>,
) -> Result<CredentialUse, ResponseFlaw> {
    let (challenge, data) =
        check(Ceremony::Get, (&response.client_data, &response.authenticator_data), expected)?;
    if data.credential.is_some() {
        return Err(ResponseFlaw::AuthenticatorData);
    }
    let signed = [&response.authenticator_data[..], &sha256(&response.client_data)].concat();
    if !key.has_signed(&signed, &response.signature) {
        return Err(ResponseFlaw::Signature);
    }
    Ok(CredentialUse {
        sign_count: data.sign_count,
        is_backed_up: data.is_backed_up(),
        is_user_verified: data.is_user_verified(),
        challenge,
    })
}

/// What a browser was asked to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ceremony {
    Create,
    Get,
}

/// The checks that both ceremonies share, in the order of the standard.
fn check<'a>(
    ceremony: Ceremony,
    (client_data, authenticator_data): (&[u8], &'a [u8]),
    expected: &ExpectedResponse<'_>,
) -> Result<(ChallengeId, AuthenticatorData<'a>), ResponseFlaw> {
    let client = ClientData::read(client_data)?;
    client.refuse_other_ceremony(ceremony)?;
    let challenge = expected.challenge.open(&client.challenge)?;
    client.refuse_other_site(&expected.relying_party.origin)?;
    let data = AuthenticatorData::read(authenticator_data)?;
    if data.rp_id_hash != expected.relying_party.id_hash() {
        return Err(ResponseFlaw::RelyingParty);
    }
    if !data.is_user_present() {
        return Err(ResponseFlaw::UserAbsent);
    }
    if expected.needs_verification && !data.is_user_verified() {
        return Err(ResponseFlaw::UserUnverified);
    }
    if data.is_backed_up() && !data.can_be_backed_up() {
        return Err(ResponseFlaw::Backup);
    }
    Ok((challenge, data))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
    use serde_json::Value;

    use super::*;

    /// The vectors of § 16 of the standard.
    const VECTORS: &str = include_str!("../../../tests/data/webauthn/vectors.json");

    fn bytes(vector: &Value, name: &str) -> Vec<u8> {
        HEXLOWER.decode(vector[name].as_str().unwrap().as_bytes()).unwrap()
    }

    /// Why the site of the vectors refuses this ceremony of one, apart from the challenge, which is not ours.
    fn refusal(vector: &Value, ceremony: Ceremony) -> Result<(), ResponseFlaw> {
        let origin = Origin::parse("https://example.org").unwrap();
        let client = ClientData::read(&bytes(vector, "clientDataJSON"))?;
        assert_eq!(client.challenge, BASE64URL_NOPAD.encode(&bytes(vector, "challenge")));
        client.refuse_other_ceremony(ceremony)?;
        client.refuse_other_site(&origin)
    }

    /// The public key in the registration of a vector, whose other parts are checked beside.
    fn key_of(vector: &Value) -> Result<PasskeyKey, ResponseFlaw> {
        let registration = &vector["registration"];
        refusal(registration, Ceremony::Create)?;
        let authenticator_data = bytes(registration, "authenticatorData");
        let data = AuthenticatorData::read(&authenticator_data)?;
        assert_eq!(data.rp_id_hash, sha256(b"example.org"));
        assert!(data.can_be_backed_up() || !data.is_backed_up());
        let credential = data.credential.unwrap();
        assert_eq!(credential.id, bytes(vector, "credentialId"));
        PasskeyKey::from_cose(credential.key).ok_or(ResponseFlaw::PublicKey)
    }

    #[test]
    fn accepts_the_vectors_of_the_standard_but_for_framed_ones_and_other_algorithms() {
        let all: Value = serde_json::from_str(VECTORS).unwrap();
        let mut accepted = 0;
        for vector in all["vectors"].as_array().unwrap() {
            let name = vector["name"].as_str().unwrap();
            let flaw = match name {
                _ if name.contains("crossOrigin") || name.contains("topOrigin") => {
                    Some(ResponseFlaw::Framed)
                }
                _ if ["ES384", "ES512", "Ed448"].iter().any(|it| name.contains(it)) => {
                    Some(ResponseFlaw::PublicKey)
                }
                _ => None,
            };
            let key = match (key_of(vector), flaw) {
                (Ok(key), None) => key,
                (key, flaw) => {
                    assert_eq!(key.err(), flaw, "{name}");
                    continue;
                }
            };
            let used = &vector["authentication"];
            assert_eq!(refusal(used, Ceremony::Get), Ok(()), "{name}");
            let data = bytes(used, "authenticatorData");
            assert!(AuthenticatorData::read(&data).is_ok_and(|it| it.is_user_present()), "{name}");
            let signed = [&data[..], &sha256(&bytes(used, "clientDataJSON"))].concat();
            assert!(key.has_signed(&signed, &bytes(used, "signature")), "{name}");
            accepted += 1;
        }
        assert_eq!(accepted, 10);
    }
}
