//! Challenges: what a passkey signs, so that no earlier answer of it can be given again.
//!
//! A challenge is made without writing anything: it carries the moment at which it was made, a random id, and an
//! authentication code over both and over the purpose of its page. So a client that asks for any number of them costs
//! no storage. That it is used once is up to the caller, by its id.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;

use super::ResponseFlaw;
use crate::base::clock::Moment;
use crate::base::mac::{self, MAC_BYTES};
use crate::base::token::random_bytes;

/// What separates these authentication codes from all others under the key.
const PURPOSE: &str = "challenge";

const MOMENT_BYTES: usize = 8;
const ID_BYTES: usize = 16;

/// What a challenge is known by, and how long it can be given: a caller remembers used ones until then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChallengeId {
    /// The random part of it.
    pub id: [u8; ID_BYTES],
    /// The last moment at which it is accepted.
    pub until: Moment,
}

/// Which challenges are accepted.
#[derive(Clone, Copy)]
pub struct ChallengeRule<'a> {
    /// The key of [`write_challenge`].
    pub key: &'a [u8; 32],
    /// The purpose that it was made for.
    pub purpose: &'a str,
    /// How long it is accepted.
    pub life: Duration,
    /// The present moment.
    pub now: Moment,
}

/// A new challenge, in base64url without padding. It is accepted for this purpose alone.
pub fn write_challenge(key: &[u8; 32], purpose: &str, now: Moment) -> String {
    let id = random_bytes::<ID_BYTES>();
    let made_at = now.millis().to_be_bytes();
    let code = mac::code(key, PURPOSE, &message(purpose, made_at, id));
    BASE64URL_NOPAD.encode(&[&made_at[..], &id, &code].concat())
}

impl ChallengeRule<'_> {
    /// The id of a challenge that [`write_challenge`] has made for the purpose.
    pub(super) fn open(&self, text: &str) -> Result<ChallengeId, ResponseFlaw> {
        let (made_at, id) = self.authenticated(text).ok_or(ResponseFlaw::Challenge)?;
        let until = made_at.after(self.life);
        if !made_at.has_passed(self.now) || self.now > until {
            return Err(ResponseFlaw::ChallengeExpired);
        }
        Ok(ChallengeId { id, until })
    }

    fn authenticated(&self, text: &str) -> Option<(Moment, [u8; ID_BYTES])> {
        let bytes: [u8; MOMENT_BYTES + ID_BYTES + MAC_BYTES] =
            BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()?;
        let (made_at, rest) = bytes.split_first_chunk::<MOMENT_BYTES>()?;
        let (id, code) = rest.split_first_chunk::<ID_BYTES>()?;
        let message = message(self.purpose, *made_at, *id);
        let moment = Moment::from_millis(i64::from_be_bytes(*made_at));
        mac::is_code(code, self.key, PURPOSE, &message).then_some((moment, *id))
    }
}

/// What is authenticated. The last two parts have a fixed length, so no two challenges have one message.
fn message(purpose: &str, made_at: [u8; MOMENT_BYTES], id: [u8; ID_BYTES]) -> Vec<u8> {
    [purpose.as_bytes(), &made_at, &id].concat()
}
