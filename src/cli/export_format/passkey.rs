//! A passkey as a part of a user's line. Its bytes are in base64url, as in WebAuthn.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::Fields;
use crate::base::clock::Moment;
use crate::base::webauthn::{CREDENTIAL_ID_BYTES_MAX, PasskeyKey};
use crate::store::{Passkey, UserId};

pub(super) fn write(it: &Passkey) -> Value {
    let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    json!({
        "id": text(&it.id),
        "user_handle": text(&it.user_handle),
        "public_key": text(&it.public_key),
        "sign_count": it.sign_count,
        "rp_id": it.rp_id,
        "verifies_user": it.verifies_user,
        "is_backed_up": it.is_backed_up,
        "transports": it.transports,
        "name": it.name,
        "created_at": it.created_at.millis(),
        "used_at": it.used_at.map(Moment::millis),
    })
}

pub(super) fn read(mut fields: Fields, user: &UserId) -> Result<Passkey, String> {
    let count = |it: &Value| it.as_u64().and_then(|it| u32::try_from(it).ok());
    let passkey = Passkey {
        id: bytes(&mut fields, "id")?,
        user_id: user.clone(),
        user_handle: bytes(&mut fields, "user_handle")?,
        public_key: bytes(&mut fields, "public_key")?,
        sign_count: fields.take("sign_count", count)?,
        rp_id: fields.text("rp_id")?,
        verifies_user: fields.take("verifies_user", Value::as_bool)?,
        is_backed_up: fields.take("is_backed_up", Value::as_bool)?,
        transports: fields.text("transports")?,
        name: fields.text("name")?,
        created_at: fields.moment("created_at")?,
        used_at: fields.or_null("used_at", Value::as_i64)?.map(Moment::from_millis),
    };
    fields.end()?;
    let has_id = (1..=CREDENTIAL_ID_BYTES_MAX).contains(&passkey.id.len());
    if !has_id || passkey.user_handle.len() > 64 {
        return Err(
            "the id of a passkey, or its user handle, has no length that it may have".to_owned()
        );
    }
    if PasskeyKey::from_cose(&passkey.public_key).is_none() {
        return Err("the public key of a passkey is of no kind that is accepted".to_owned());
    }
    Ok(passkey)
}

fn bytes(fields: &mut Fields, name: &str) -> Result<Vec<u8>, String> {
    let text = fields.text(name)?;
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| format!("{name} is not in base64url"))
}
