//! Enrolments: the secret of an app that a user is about to add as a second factor, until they have shown with a code
//! that the app has it.
//!
//! Nothing of it is stored: the form carries the secret, the moment at which it was made, and an authentication code
//! over both and over whom they were made for. Decides how long a form is valid. Whether a code fits the secret is
//! decided by [`TotpSecret::compare`].

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;

use crate::base::clock::Moment;
use crate::base::mac::{self, MAC_BYTES};
use crate::base::token::TokenHash;
use crate::base::totp::TotpSecret;
use crate::store::Store;

/// How long a form is valid.
pub const LIFE: Duration = Duration::from_secs(15 * 60);

/// What separates these authentication codes from all others under the key.
const PURPOSE: &str = "enrolment";

/// What separates the key of forms from all other uses of the database's own key.
const KEY_PURPOSE: &str = "enrolment key";

/// Characters of a form's text, at most.
const TEXT_BYTES_MAX: usize = 256;

/// What a form carries. It has no `Debug`, as it holds a secret.
pub enum Enrolment {
    /// The secret that the app has, if a code proves it.
    Valid(TotpSecret),
    /// The form is older than [`LIFE`], or was made under a clock that was ahead.
    Expired,
    /// The form was altered, or made in another session or sign-in, or with another key.
    Forged,
}

/// The key of the forms of all servers on one database. It follows from a key that only the database has, and does not
/// tell it.
pub fn key(store: &dyn Store) -> [u8; 32] {
    mac::code(store.handle_key(), KEY_PURPOSE, &[])
}

/// The text that the form carries in a hidden field. `owner` is the hash of the session, or of the pending sign-in, in
/// which the form is shown; it is valid there alone.
///
/// The text contains the secret, which the page shows as well.
pub fn write(key: &[u8; 32], owner: &TokenHash, secret: &TotpSecret, now: Moment) -> String {
    let made_at = now.millis().to_be_bytes();
    let code = mac::code(key, PURPOSE, &message(owner, made_at, secret.reveal()));
    BASE64URL_NOPAD.encode(&[&made_at[..], &code, secret.reveal()].concat())
}

/// What a form carries that is sent back in the session or pending sign-in `owner`.
pub fn read(key: &[u8; 32], owner: &TokenHash, text: &str, now: Moment) -> Enrolment {
    let Some((made_at, secret)) = authenticated(key, owner, text) else {
        return Enrolment::Forged;
    };
    if !made_at.has_passed(now) || now > made_at.after(LIFE) {
        return Enrolment::Expired;
    }
    Enrolment::Valid(secret)
}

/// The moment and the secret in a text that [`write()`] has made for this owner.
fn authenticated(key: &[u8; 32], owner: &TokenHash, text: &str) -> Option<(Moment, TotpSecret)> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    let (made_at, rest) = bytes.split_first_chunk::<8>()?;
    let (code, secret) = rest.split_first_chunk::<MAC_BYTES>()?;
    if !mac::is_code(code, key, PURPOSE, &message(owner, *made_at, secret)) {
        return None;
    }
    let secret = TotpSecret::from_bytes(secret).ok()?;
    Some((Moment::from_millis(i64::from_be_bytes(*made_at)), secret))
}

/// What is authenticated. The first two parts have a fixed length, so no two forms have one message.
fn message(owner: &TokenHash, made_at: [u8; 8], secret: &[u8]) -> Vec<u8> {
    [&owner.as_bytes()[..], &made_at, secret].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::token::Token;
    use crate::base::totp::{CodeMatch, TimeStep};

    const KEY: [u8; 32] = [7; 32];
    const NOW: Moment = Moment::from_millis(1_795_507_200_000);
    const MILLISECOND: Duration = Duration::from_millis(1);

    /// What becomes of a form, as a word.
    fn outcome(key: &[u8; 32], owner: &TokenHash, text: &str, now: Moment) -> &'static str {
        match read(key, owner, text, now) {
            Enrolment::Valid(_) => "valid",
            Enrolment::Expired => "expired",
            Enrolment::Forged => "forged",
        }
    }

    #[test]
    fn returns_the_secret_that_the_form_was_made_with() {
        let (owner, secret) = (Token::random().hash(), TotpSecret::random());
        let text = write(&KEY, &owner, &secret, NOW);
        assert_eq!(text.len(), 80);
        let Enrolment::Valid(read) = read(&KEY, &owner, &text, NOW) else { panic!("{text}") };
        assert!(read == secret);
    }

    #[test]
    fn refuses_a_form_of_another_session_and_of_another_key() {
        let (owner, secret) = (Token::random().hash(), TotpSecret::random());
        let text = write(&KEY, &owner, &secret, NOW);
        assert_eq!(outcome(&KEY, &owner, &text, NOW), "valid");
        assert_eq!(outcome(&KEY, &Token::random().hash(), &text, NOW), "forged");
        assert_eq!(outcome(&[8; 32], &owner, &text, NOW), "forged");
    }

    #[test]
    fn refuses_an_altered_form() {
        let (owner, secret) = (Token::random().hash(), TotpSecret::random());
        let text = write(&KEY, &owner, &secret, NOW);
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            let altered = BASE64URL_NOPAD.encode(&altered);
            assert_eq!(outcome(&KEY, &owner, &altered, NOW), "forged", "byte {at}");
        }
        for bad in [&text[1..], &text[..79], &format!("{text}AAAA"), "", "?", &text.repeat(9)] {
            assert_eq!(outcome(&KEY, &owner, bad, NOW), "forged", "{bad}");
        }
    }

    #[test]
    fn refuses_what_was_authenticated_for_another_purpose() {
        let (owner, secret) = (Token::random().hash(), TotpSecret::random());
        let made_at = NOW.millis().to_be_bytes();
        let code = mac::code(&KEY, "another", &message(&owner, made_at, secret.reveal()));
        let text = BASE64URL_NOPAD.encode(&[&made_at[..], &code, secret.reveal()].concat());
        assert_eq!(outcome(&KEY, &owner, &text, NOW), "forged");
    }

    #[test]
    fn takes_a_form_for_fifteen_minutes_and_not_a_millisecond_longer() {
        let owner = Token::random().hash();
        let text = write(&KEY, &owner, &TotpSecret::random(), NOW);
        assert_eq!(outcome(&KEY, &owner, &text, NOW.after(LIFE)), "valid");
        assert_eq!(outcome(&KEY, &owner, &text, NOW.after(LIFE + MILLISECOND)), "expired");
        // Made by a server whose clock is ahead.
        assert_eq!(outcome(&KEY, &owner, &text, NOW.before(Duration::from_secs(5 * 60))), "valid");
        assert_eq!(outcome(&KEY, &owner, &text, NOW.before(Duration::from_secs(301))), "expired");
        // An old form of another session is not called old.
        let other = Token::random().hash();
        assert_eq!(outcome(&KEY, &other, &text, NOW.after(2 * LIFE)), "forged");
    }

    #[test]
    fn returns_a_secret_that_no_code_of_another_one_fits() {
        let owner = Token::random().hash();
        let text = write(&KEY, &owner, &TotpSecret::from_bytes(&[1; 20]).unwrap(), NOW);
        let Enrolment::Valid(secret) = read(&KEY, &owner, &text, NOW) else { panic!("{text}") };
        let other = TotpSecret::from_bytes(&[2; 20]).unwrap();
        let step = TimeStep::of(NOW);
        assert_eq!(secret.compare(&other.code_at(step), NOW), CodeMatch::Wrong);
        assert_eq!(secret.compare(&secret.code_at(step), NOW), CodeMatch::Fits(step));
    }
}
