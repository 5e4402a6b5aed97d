//! May this person come in? The outcomes, and the order of checks.
//!
//! Knows nothing of HTTP: it is told a name, a password and what is known of who asks, and says who
//! was admitted or that nobody was.

use std::net::IpAddr;
use std::time::Duration;

use crate::clock::Moment;
use crate::keys::{self, NewKey, Proof, Refusal};
use crate::password::{Hasher, Password};
use crate::sessions::{self, Periods, Started};
use crate::store::{Device, Entry, KeyId, Result, Store, User, UserId, Written};
use crate::throttle::{self, Limits, Subject};
use crate::token::{Token, TokenHash};
use crate::users::{self, Username};

/// How long a browser is known after somebody has signed in there.
pub const DEVICE_LIFE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What the operator sets for everybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rules {
    /// How long sessions live.
    pub periods: Periods,
    /// How often somebody may guess.
    pub limits: Limits,
}

/// Who asks to come in, as far as that is known before. It holds a secret and so has no `Debug`.
#[derive(Clone, Default)]
pub struct Caller {
    /// The session they came with: it ends when they are let in (OWASP ASVS 7.2.4).
    pub presented: Option<TokenHash>,
    /// The secret by which their browser is known, if it has one.
    pub device: Option<Token>,
    /// Where they come from, if that stands for one client.
    pub address: Option<IpAddr>,
}

/// Somebody who was let in.
pub struct Admission {
    /// Who it is.
    pub user: User,
    /// The session they have from now on, with its token.
    pub started: Started,
    /// The secret by which their browser is known from now on. It is good for [`DEVICE_LIFE`].
    pub device: Token,
}

/// What became of a sign-up.
pub enum SignUp {
    /// The account is made and its owner is let in.
    Admitted(Admission),
    /// Somebody has this name, in some spelling. Nothing was written.
    NameTaken,
    /// Too many accounts were made from there. Nothing was looked at.
    Wait(Duration),
}

/// What became of a sign-in.
pub enum SignIn {
    /// The password is right.
    Admitted(Admission),
    /// Name or password is wrong. Which of them is for the operator alone.
    Refused(Refusal),
    /// Too many tries have failed. No password was looked at, and nothing was counted.
    Wait(Duration),
}

/// Makes an account and lets its owner in: user, key and session in one transaction.
///
/// A name that is taken is refused before the slow hash is computed. Of simultaneous sign-ups for
/// one name the database decides, and exactly one is admitted.
pub fn sign_up(
    store: &Store,
    hasher: &Hasher,
    rules: &Rules,
    name: &Username,
    password: &Password,
    caller: &Caller,
    now: Moment,
) -> Result<SignUp> {
    let subject = Subject::sign_up(store, &rules.limits, caller.address);
    if let Some(wait) = throttle::wait(store, &subject, now)? {
        return Ok(SignUp::Wait(wait));
    }
    if users::by_name(store, name)?.is_some() {
        return Ok(SignUp::NameTaken);
    }
    let user = users::new(name, now);
    let id = KeyId::username(name.canonical());
    let key = keys::new(hasher, &user.id, &NewKey { id: &id, password: Some(password) });
    let started = sessions::new(&rules.periods, &user.id, now);
    let device = device_of(store, caller)?;
    let entry = entry(caller, &device, &user.id, None, now);
    match store.sign_up(&user, &key, &started.session, &entry)? {
        Written::Done => {}
        Written::Taken | Written::NoUser => return Ok(SignUp::NameTaken),
    }
    throttle::note(store, &rules.limits, &subject, now)?;
    Ok(SignUp::Admitted(Admission { user, started, device }))
}

/// Lets somebody in who knows the password of this name. The new session has a new token.
///
/// An unknown name and a wrong password cost the same: the same look-ups, one slow hash, one write.
/// Somebody who has to wait costs no hash and no write, and is told the same whether anybody has the
/// name or not.
pub fn with_password(
    store: &Store,
    hasher: &Hasher,
    rules: &Rules,
    name: &Username,
    password: &Password,
    caller: &Caller,
    now: Moment,
) -> Result<SignIn> {
    let id = KeyId::username(name.canonical());
    let subject = subject(store, rules, name, caller, now)?;
    if let Some(wait) = throttle::wait(store, &subject, now)? {
        return Ok(SignIn::Wait(wait));
    }
    let user = match keys::user_by_password(store, hasher, &id, password)? {
        Proof::Of(user) => user,
        Proof::Refused(refusal) => {
            throttle::note(store, &rules.limits, &subject, now)?;
            return Ok(SignIn::Refused(refusal));
        }
    };
    let device = device_of(store, caller)?;
    let entry = entry(caller, &device, &user.id, Some(&subject), now);
    Ok(match sessions::start(store, &rules.periods, &user.id, &entry, now)? {
        Some(started) => SignIn::Admitted(Admission { user, started, device }),
        // The account was deleted while its password was being checked.
        None => SignIn::Refused(Refusal::UnknownKey),
    })
}

/// What a try with this name is counted under: the name, or the browser if it is known to the
/// account.
fn subject(
    store: &Store,
    rules: &Rules,
    name: &Username,
    caller: &Caller,
    now: Moment,
) -> Result<Subject> {
    let presented = caller.device.as_ref().map(Token::hash);
    let known = match presented {
        Some(device) => {
            let key = KeyId::username(name.canonical());
            store.has_device(&device, &key, now.before(DEVICE_LIFE))?.then_some(device)
        }
        None => None,
    };
    let (limits, address) = (&rules.limits, caller.address);
    Ok(Subject::sign_in(store, limits, name.canonical(), known.as_ref(), address))
}

/// The secret that the browser has, if we gave it out, else a new one: what we did not make we do
/// not adopt.
fn device_of(store: &Store, caller: &Caller) -> Result<Token> {
    match &caller.device {
        Some(device) if store.knows_device(&device.hash())? => Ok(device.clone()),
        Some(_) | None => Ok(Token::random()),
    }
}

fn entry(
    caller: &Caller,
    device: &Token,
    user: &UserId,
    subject: Option<&Subject>,
    now: Moment,
) -> Entry {
    let device = Device { id: device.hash(), user_id: user.clone(), last_used_at: now };
    Entry {
        replaced: caller.presented,
        cleared: subject.and_then(Subject::cleared_by_success),
        device: Some(device),
    }
}
