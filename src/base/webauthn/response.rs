//! What a browser hands over, as JSON: `RegistrationResponseJSON` and `AuthenticationResponseJSON` (WebAuthn § 5.1),
//! of which only the members that are needed are read.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use super::ResponseFlaw;

/// Bytes of the id of a credential, at most (WebAuthn § 4).
pub const CREDENTIAL_ID_BYTES_MAX: usize = 1023;

/// Bytes of the whole text, at most: with the longest id and an RSA key of 8192 bits it has half of that.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Bytes of the handle of a user, at most (WebAuthn § 5.4.3).
const USER_HANDLE_BYTES_MAX: usize = 64;

/// How an authenticator may be reached, as registered for WebAuthn: other words are left out.
const TRANSPORTS: [&str; 6] = ["ble", "hybrid", "internal", "nfc", "smart-card", "usb"];

/// The answer to `navigator.credentials.create()`.
pub struct RegistrationResponse {
    pub(super) id: Vec<u8>,
    pub(super) client_data: Vec<u8>,
    pub(super) authenticator_data: Vec<u8>,
    /// How the authenticator may be reached, separated by commas: `hybrid,internal`.
    pub transports: String,
}

impl RegistrationResponse {
    /// Reads the JSON text of the browser.
    pub fn read(text: &str) -> Result<Self, ResponseFlaw> {
        let (id, response) = parts(text)?;
        let names = response.get("transports").and_then(Value::as_array);
        let names: Vec<_> = names.into_iter().flatten().filter_map(Value::as_str).collect();
        Ok(Self {
            id,
            client_data: bytes(&response, "clientDataJSON")?,
            authenticator_data: bytes(&response, "authenticatorData")?,
            transports: known_transports(&names),
        })
    }
}

/// The answer to `navigator.credentials.get()`.
pub struct AuthenticationResponse {
    /// The id of the credential that was used.
    pub id: Vec<u8>,
    pub(super) client_data: Vec<u8>,
    pub(super) authenticator_data: Vec<u8>,
    pub(super) signature: Vec<u8>,
    /// What the passkey knows its owner as; empty: it does not say.
    pub user_handle: Vec<u8>,
}

impl AuthenticationResponse {
    /// Reads the JSON text of the browser.
    pub fn read(text: &str) -> Result<Self, ResponseFlaw> {
        let (id, response) = parts(text)?;
        let user_handle = match response.get("userHandle") {
            None | Some(Value::Null) => Vec::new(),
            Some(_) => bytes(&response, "userHandle")?,
        };
        if user_handle.len() > USER_HANDLE_BYTES_MAX {
            return Err(ResponseFlaw::Shape);
        }
        Ok(Self {
            id,
            client_data: bytes(&response, "clientDataJSON")?,
            authenticator_data: bytes(&response, "authenticatorData")?,
            signature: bytes(&response, "signature")?,
            user_handle,
        })
    }
}

/// Those of these words that say how an authenticator may be reached, separated by commas: `hybrid,internal`.
pub fn known_transports(names: &[&str]) -> String {
    let known: Vec<_> = TRANSPORTS.into_iter().filter(|it| names.contains(it)).collect();
    known.join(",")
}

/// The id of the credential, and the members of the answer.
fn parts(text: &str) -> Result<(Vec<u8>, Map<String, Value>), ResponseFlaw> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(ResponseFlaw::Shape);
    }
    let Ok(Value::Object(mut credential)) = serde_json::from_str(text) else {
        return Err(ResponseFlaw::Shape);
    };
    let id = bytes(&credential, "id")?;
    let Some(Value::Object(response)) = credential.remove("response") else {
        return Err(ResponseFlaw::Shape);
    };
    if id.is_empty() || id.len() > CREDENTIAL_ID_BYTES_MAX {
        return Err(ResponseFlaw::CredentialId);
    }
    Ok((id, response))
}

/// Bytes as they stand in the JSON of WebAuthn: in base64url without padding.
pub fn encode(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

fn bytes(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, ResponseFlaw> {
    let text = members.get(name).and_then(Value::as_str).ok_or(ResponseFlaw::Shape)?;
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| ResponseFlaw::Shape)
}
