//! A passkey in memory, and the browser in front of it: both say whatever a test wants them to.

use data_encoding::BASE64URL_NOPAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

pub const PRESENT: u8 = 0x01;
pub const VERIFIED: u8 = 0x04;
pub const CAN_BE_BACKED_UP: u8 = 0x08;
pub const BACKED_UP: u8 = 0x10;
const HAS_CREDENTIAL: u8 = 0x40;

enum PrivateKey {
    Es256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A passkey with its browser.
pub struct SoftAuthenticator {
    key: PrivateKey,
    /// The id of its credential.
    pub id: Vec<u8>,
    /// The RP ID that it signs.
    pub rp_id: String,
    /// The origin of the page, as the browser says it.
    pub origin: String,
    /// The flags of its authenticator data.
    pub flags: u8,
    /// What it counts of its uses.
    pub sign_count: u32,
    /// Members that the browser adds to the client data, or replaces there.
    pub client_data: Vec<(&'static str, Value)>,
    /// What it knows its owner as.
    pub user_handle: Vec<u8>,
}

/// The parts of an answer, before they become JSON.
#[derive(Clone)]
pub struct Answer {
    pub id: Vec<u8>,
    pub client_data: Vec<u8>,
    pub authenticator_data: Vec<u8>,
    /// Empty for a registration.
    pub signature: Vec<u8>,
    pub user_handle: Vec<u8>,
}

impl SoftAuthenticator {
    /// A passkey for this site with a key on P-256, which verifies its user.
    pub fn es256(origin: &str) -> Self {
        let rng = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &rng).unwrap();
        Self::of_pkcs8(origin, pkcs8.as_ref())
    }

    /// The same with this private key.
    pub fn of_pkcs8(origin: &str, pkcs8: &[u8]) -> Self {
        let rng = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &rng).unwrap();
        Self::with(PrivateKey::Es256(key), origin)
    }

    /// The same with a key on Ed25519.
    pub fn ed25519(origin: &str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        Self::with(PrivateKey::Ed25519(key), origin)
    }

    fn with(key: PrivateKey, origin: &str) -> Self {
        let mut passkey = Self {
            key,
            id: Vec::new(),
            rp_id: url::Url::parse(origin).unwrap().host_str().unwrap().to_owned(),
            origin: origin.to_owned(),
            flags: PRESENT | VERIFIED,
            sign_count: 0,
            client_data: Vec::new(),
            user_handle: Vec::new(),
        };
        passkey.id = digest(&SHA256, &passkey.cose()).as_ref()[..16].to_vec();
        passkey
    }

    /// Its public key, as COSE writes it.
    pub fn cose(&self) -> Vec<u8> {
        let (head, key) = match &self.key {
            PrivateKey::Es256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                let head = [0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
                (head, [x, &[0x22, 0x58, 0x20], y].concat())
            }
            PrivateKey::Ed25519(pair) => {
                let head = [0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20];
                (head, pair.public_key().as_ref().to_vec())
            }
        };
        [&head[..], &key].concat()
    }

    /// Answers `navigator.credentials.create()`.
    pub fn create(&self, challenge: &str) -> Answer {
        self.create_with_key(challenge, &self.cose())
    }

    /// The same, with these bytes for a public key.
    pub fn create_with_key(&self, challenge: &str, cose: &[u8]) -> Answer {
        let length = u16::try_from(self.id.len()).unwrap().to_be_bytes();
        let attested = [&[0; 16][..], &length, &self.id, cose].concat();
        let head = self.head(self.flags | HAS_CREDENTIAL);
        Answer {
            id: self.id.clone(),
            client_data: self.client_data("webauthn.create", challenge),
            authenticator_data: [head, attested].concat(),
            signature: Vec::new(),
            user_handle: Vec::new(),
        }
    }

    /// Answers `navigator.credentials.get()`.
    pub fn get(&self, challenge: &str) -> Answer {
        let client_data = self.client_data("webauthn.get", challenge);
        let authenticator_data = self.head(self.flags);
        let signed = [&authenticator_data, digest(&SHA256, &client_data).as_ref()].concat();
        let signature = match &self.key {
            PrivateKey::Es256(pair) => {
                pair.sign(&SystemRandom::new(), &signed).unwrap().as_ref().to_vec()
            }
            PrivateKey::Ed25519(pair) => pair.sign(&signed).as_ref().to_vec(),
        };
        let (id, user_handle) = (self.id.clone(), self.user_handle.clone());
        Answer { id, client_data, authenticator_data, signature, user_handle }
    }

    fn head(&self, flags: u8) -> Vec<u8> {
        let rp_id = digest(&SHA256, self.rp_id.as_bytes());
        [rp_id.as_ref(), &[flags], &self.sign_count.to_be_bytes()].concat()
    }

    fn client_data(&self, kind: &str, challenge: &str) -> Vec<u8> {
        let mut members = json!({
            "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false,
        });
        for (name, value) in &self.client_data {
            members[*name] = value.clone();
        }
        members.to_string().into_bytes()
    }
}

impl Answer {
    /// The answer as JSON, as a browser's `toJSON()` makes it.
    pub fn json(&self) -> String {
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let mut response = json!({
            "clientDataJSON": text(&self.client_data),
            "authenticatorData": text(&self.authenticator_data),
        });
        if self.signature.is_empty() {
            response["transports"] = json!(["internal", "hybrid"]);
        } else {
            response["signature"] = text(&self.signature).into();
            response["userHandle"] = match &self.user_handle[..] {
                [] => Value::Null,
                bytes => text(bytes).into(),
            };
        }
        let id = text(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response }).to_string()
    }
}
