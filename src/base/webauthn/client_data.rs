//! The client data: what the browser itself says of a ceremony (WebAuthn § 5.8.1).

use serde_json::{Map, Value};

use super::{Ceremony, ResponseFlaw};
use crate::base::origin::Origin;

/// The client data. Members that are not known are ignored, as § 5.8.1 asks for.
pub(super) struct ClientData {
    kind: String,
    /// The challenge, as the page gave it: base64url without padding.
    pub(super) challenge: String,
    origin: String,
    is_framed: bool,
}

impl ClientData {
    /// Reads the JSON text that the browser has written.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ResponseFlaw> {
        let value: Value = serde_json::from_slice(bytes).map_err(|_| ResponseFlaw::Shape)?;
        let members = value.as_object().ok_or(ResponseFlaw::Shape)?;
        let is_framed = match members.get("crossOrigin") {
            None => false,
            Some(value) => value.as_bool().ok_or(ResponseFlaw::Shape)?,
        };
        Ok(Self {
            kind: text(members, "type")?,
            challenge: text(members, "challenge")?,
            origin: text(members, "origin")?,
            is_framed: is_framed || members.contains_key("topOrigin"),
        })
    }

    pub(super) fn refuse_other_ceremony(&self, ceremony: Ceremony) -> Result<(), ResponseFlaw> {
        let expected = match ceremony {
            Ceremony::Create => "webauthn.create",
            Ceremony::Get => "webauthn.get",
        };
        if self.kind == expected { Ok(()) } else { Err(ResponseFlaw::Ceremony) }
    }

    /// Refuses an answer that was given on the page of another origin, or in a frame there. The origin is compared as
    /// text: browsers write it in one form only (§ 5.8.1, RFC 6454).
    pub(super) fn refuse_other_site(&self, own: &Origin) -> Result<(), ResponseFlaw> {
        if self.origin != own.to_string() {
            return Err(ResponseFlaw::Origin);
        }
        if self.is_framed { Err(ResponseFlaw::Framed) } else { Ok(()) }
    }
}

fn text(members: &Map<String, Value>, name: &str) -> Result<String, ResponseFlaw> {
    let text = members.get(name).and_then(Value::as_str);
    text.map(str::to_owned).ok_or(ResponseFlaw::Shape)
}
