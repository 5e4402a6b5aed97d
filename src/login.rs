//! May this person come in? The outcomes, and the order of checks.
//!
//! Knows nothing of HTTP: it is told a name, a password and the session somebody came with, and
//! says who was admitted or that nobody was.

use crate::clock::Moment;
use crate::keys::{self, NewKey, Proof, Refusal};
use crate::password::{Hasher, Password};
use crate::sessions::{self, Periods, Started};
use crate::store::{KeyId, Result, Store, User, Written};
use crate::token::TokenHash;
use crate::users::{self, Username};

/// Somebody who was let in.
pub struct Admission {
    /// Who it is.
    pub user: User,
    /// The session they have from now on, with its token.
    pub started: Started,
}

/// What became of a sign-up.
pub enum SignUp {
    /// The account is made and its owner is let in.
    Admitted(Admission),
    /// Somebody has this name, in some spelling. Nothing was written.
    NameTaken,
}

/// What became of a sign-in.
pub enum SignIn {
    /// The password is right.
    Admitted(Admission),
    /// Name or password is wrong. Which of them is for the operator alone.
    Refused(Refusal),
}

/// Makes an account and lets its owner in: user, key and session in one transaction. The session
/// they came with (`presented`) ends.
///
/// A name that is taken is refused before the slow hash is computed. Of simultaneous sign-ups for
/// one name the database decides, and exactly one is admitted.
pub fn sign_up(
    store: &Store,
    hasher: &Hasher,
    periods: &Periods,
    name: &Username,
    password: &Password,
    presented: Option<&TokenHash>,
    now: Moment,
) -> Result<SignUp> {
    if users::by_name(store, name)?.is_some() {
        return Ok(SignUp::NameTaken);
    }
    let user = users::new(name, now);
    let id = KeyId::username(name.canonical());
    let key = keys::new(hasher, &user.id, &NewKey { id: &id, password: Some(password) });
    let started = sessions::new(periods, &user.id, now);
    Ok(match store.sign_up(&user, &key, &started.session, presented)? {
        Written::Done => SignUp::Admitted(Admission { user, started }),
        Written::Taken | Written::NoUser => SignUp::NameTaken,
    })
}

/// Lets somebody in who knows the password of this name. The session they came with (`presented`)
/// ends, and the new one has a new token (OWASP ASVS 7.2.4).
///
/// An unknown name and a wrong password cost the same: one look-up, one slow hash.
pub fn with_password(
    store: &Store,
    hasher: &Hasher,
    periods: &Periods,
    name: &Username,
    password: &Password,
    presented: Option<&TokenHash>,
    now: Moment,
) -> Result<SignIn> {
    let id = KeyId::username(name.canonical());
    let user = match keys::user_by_password(store, hasher, &id, password)? {
        Proof::Of(user) => user,
        Proof::Refused(refusal) => return Ok(SignIn::Refused(refusal)),
    };
    Ok(match sessions::start(store, periods, &user.id, presented, now)? {
        Some(started) => SignIn::Admitted(Admission { user, started }),
        // The account was deleted while its password was being checked.
        None => SignIn::Refused(Refusal::UnknownKey),
    })
}
