//! May this person come in? The outcomes, and the order of checks.
//!
//! Knows nothing of HTTP: it is told a name, a password and what is known of who asks, and says who
//! was admitted or that nobody was.

use std::net::IpAddr;
use std::time::Duration;

use crate::auth::Authenticator;
use crate::auth::devices::{self, DEVICE_LIFE};
use crate::auth::keys::{self, NewKey, Proof, ProofFailure, Proven};
use crate::auth::names::{self, Reserved, Rest};
use crate::auth::sessions::{self, Periods, Started};
use crate::auth::throttle::{self, Subject, ThrottleLimits};
use crate::auth::usernames::Username;
use crate::auth::users;
use crate::base::clock::Moment;
use crate::base::password::{Password, PasswordHash};
use crate::base::token::{self, Token, TokenHash};
use crate::store::{
    ClientInfo, Device, Invite, KeyId, PasswordChanged, Result, Session, SessionStart, SignedUp,
    Store, User, UserId,
};

/// What the operator sets for everybody.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rules {
    /// How long sessions live.
    pub periods: Periods,
    /// How often somebody may guess.
    pub limits: ThrottleLimits,
    /// How long a name rests whose account is deleted.
    pub rest: Rest,
    /// Names that nobody may take at sign-up.
    pub reserved: Reserved,
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
    /// What they will recognise the session by.
    pub place: ClientInfo,
    /// The invitation they came with, if they make an account.
    pub invite: Option<Invite>,
}

/// Somebody who was let in.
pub struct Admission {
    /// The user who signed in.
    pub user: User,
    /// The session they have from now on, with its token.
    pub started: Started,
    /// The secret by which their browser is known from now on, for [`DEVICE_LIFE`]. `None`: it is
    /// not, as they want it to forget them.
    pub device: Option<Token>,
    /// The invitation that was used.
    pub invite: Option<TokenHash>,
}

/// What became of a sign-up.
pub enum SignUp {
    /// The account is made and its owner is let in.
    Admitted(Box<Admission>),
    /// Somebody has this name, in some spelling, or it rests or is reserved. Nothing was written.
    NameTaken,
    /// The invitation is not good any more. Nothing was written.
    NotInvited,
    /// Too many accounts were made from there. Nothing was looked at.
    Wait(Duration),
}

/// What became of a sign-in.
pub enum SignIn {
    /// The password is right.
    Admitted(Box<Admission>),
    /// Name or password is wrong. Which of them is for the operator alone.
    Refused(ProofFailure),
    /// Too many tries have failed. No password was looked at, and nothing was counted.
    Wait(Duration),
}

/// Makes an account and lets its owner in: user, key and session in one transaction, with the groups of
/// the invitation that they came with.
///
/// A name that is taken is refused before the slow hash is computed. Of simultaneous sign-ups for
/// one name the database decides, and exactly one is admitted.
pub fn sign_up(
    auth: &Authenticator,
    name: &Username,
    password: &Password,
    caller: &Caller,
    now: Moment,
) -> Result<SignUp> {
    let Authenticator { hasher, rules, .. } = auth;
    let store = auth.store();
    let subject = Subject::sign_up(store, &rules.limits, caller.address);
    if let Some(wait) = throttle::wait(store, &rules.limits, &subject, now)? {
        return Ok(SignUp::Wait(wait));
    }
    // What is reserved costs the same look-up and is told the same as what somebody has or had.
    let is_free = names::is_free(store, name, now)?;
    if !is_free || rules.reserved.has(name) {
        return Ok(SignUp::NameTaken);
    }
    let mut user = users::new(name, now);
    if let Some(invite) = &caller.invite {
        user.groups = invite.groups.clone();
    }
    let id = KeyId::username(name.canonical());
    let key = keys::new(hasher, &user.id, &NewKey { id: &id, password: Some(password) });
    let device = devices::of(store, caller)?;
    let entry = entry(caller, device.as_ref(), &user.id, now);
    let started = sessions::new(&rules.periods, &user.id, &entry, now);
    let invite = caller.invite.as_ref().map(|it| it.id);
    match store.sign_up(&user, &key, &started.session, invite.as_ref(), &entry)? {
        SignedUp::Done => {}
        SignedUp::NameTaken => return Ok(SignUp::NameTaken),
        SignedUp::NotInvited => return Ok(SignUp::NotInvited),
    }
    // The account is made, and nobody is told anything else because it could not be counted.
    drop(throttle::note(store, &rules.limits, &subject, now));
    Ok(SignUp::Admitted(Box::new(Admission { user, started, device, invite })))
}

/// Lets somebody in who knows the password of this name. The new session has a new token.
///
/// An unknown name and a wrong password cost the same: the same look-ups, one slow hash, one write.
/// Somebody who has to wait costs no hash and no write, and is told the same whether anybody has the
/// name or not.
pub fn with_password(
    auth: &Authenticator,
    name: &Username,
    password: &Password,
    caller: &Caller,
    now: Moment,
) -> Result<SignIn> {
    let Authenticator { rules, .. } = auth;
    let store = auth.store();
    let subject = subject(store, rules, name.canonical(), caller, now)?;
    let cleared = subject.cleared_by_success();
    let Proven { user, epoch, .. } =
        match verify_password(auth, Whose::Name(name), password, &subject, now)? {
            PasswordCheck::Proven(proven) => *proven,
            PasswordCheck::Refused(refusal) => return Ok(SignIn::Refused(refusal)),
            PasswordCheck::Wait(wait) => return Ok(SignIn::Wait(wait)),
        };
    let device = devices::of(store, caller)?;
    let mut entry = entry(caller, device.as_ref(), &user.id, now);
    entry.cleared = cleared;
    entry.proof = Some(epoch);
    Ok(match sessions::start(store, &rules.periods, &user.id, &entry, now)? {
        Some(started) => {
            SignIn::Admitted(Box::new(Admission { user, started, device, invite: None }))
        }
        // The account was deleted, or its password changed, while this one was being checked.
        None => SignIn::Refused(ProofFailure::UnknownKey),
    })
}

/// What became of a password that was given once more, by somebody who is signed in.
pub enum Reauthentication {
    /// The password is right.
    Right,
    /// The password is wrong.
    Refused(ProofFailure),
    /// Too many tries have failed. It was not looked at.
    Wait(Duration),
}

/// Asks somebody who is signed in for their password once more, and notes in their session that it
/// was right (OWASP ASVS 7.5.1). Any password of theirs is, whatever its key is called. Failures count
/// against the session alone: see [`Subject::reauthentication`].
pub fn reauthenticate(
    auth: &Authenticator,
    (user, session): (&User, &Session),
    password: &Password,
    now: Moment,
) -> Result<Reauthentication> {
    let store = auth.store();
    let subject = Subject::reauthentication(store, &session.id);
    Ok(match verify_password(auth, Whose::User(&user.id), password, &subject, now)? {
        PasswordCheck::Proven(_) => {
            throttle::clear(store, &subject)?;
            if store.note_reauthentication(&session.id, now)? {
                Reauthentication::Right
            } else {
                // The session has ended meanwhile, as it does when the password changes.
                Reauthentication::Refused(ProofFailure::WrongPassword)
            }
        }
        PasswordCheck::Refused(refusal) => Reauthentication::Refused(refusal),
        PasswordCheck::Wait(wait) => Reauthentication::Wait(wait),
    })
}

/// What became of a change of password.
pub enum Change {
    /// It is changed, every session has ended, and this is the one that takes their place.
    Done(Started),
    /// The present password was wrong.
    Refused(ProofFailure),
    /// Too many tries have failed. Nothing was looked at.
    Wait(Duration),
}

/// Gives somebody who is signed in a new password, if they know the present one. Every session of
/// theirs ends, and the one they came with gets a new token (OWASP ASVS 7.4.3, 7.2.4). Failures count
/// as in [`reauthenticate`].
pub fn change_password(
    auth: &Authenticator,
    (user, session): (&User, &Session),
    (present, new): (&Password, &Password),
    caller: &Caller,
    now: Moment,
) -> Result<Change> {
    let Authenticator { hasher, rules, .. } = auth;
    let store = auth.store();
    let subject = Subject::reauthentication(store, &session.id);
    let Proven { epoch, .. } =
        match verify_password(auth, Whose::User(&user.id), present, &subject, now)? {
            PasswordCheck::Proven(proven) => *proven,
            PasswordCheck::Refused(refusal) => return Ok(Change::Refused(refusal)),
            PasswordCheck::Wait(wait) => return Ok(Change::Wait(wait)),
        };
    let device = devices::known(store, caller)?;
    let mut entry = entry(caller, device.as_ref(), &user.id, now);
    entry.cleared = subject.cleared_by_success();
    let started = sessions::new(&rules.periods, &user.id, &entry, now);
    let new = hasher.hash(new);
    Ok(match store.change_password(epoch, &new, &started.session, &entry)? {
        PasswordChanged::Done => Change::Done(started),
        PasswordChanged::NameTaken | PasswordChanged::ProofOutdated => {
            Change::Refused(ProofFailure::WrongPassword)
        }
    })
}

/// What became of a password that came without a wish for a session.
pub enum Identification {
    /// It is this user's, by this hash.
    User(Box<User>, PasswordHash),
    /// It is nobody's. Which part of it is wrong is for the operator alone.
    Refused(ProofFailure),
    /// Too many tries have failed. It was not looked at.
    Wait(Duration),
}

/// Finds out whose name and password these are, and starts no session: for scripts that send them with
/// each request. It counts as a sign-in does (OWASP ASVS 6.3.1: on every way in).
pub fn identify(
    auth: &Authenticator,
    name: &Username,
    password: &Password,
    caller: &Caller,
    now: Moment,
) -> Result<Identification> {
    let Authenticator { rules, .. } = auth;
    let store = auth.store();
    let subject = subject(store, rules, name.canonical(), caller, now)?;
    Ok(match verify_password(auth, Whose::Name(name), password, &subject, now)? {
        PasswordCheck::Proven(proven) => {
            throttle::clear(store, &subject)?;
            Identification::User(Box::new(proven.user), proven.hash)
        }
        PasswordCheck::Refused(refusal) => Identification::Refused(refusal),
        PasswordCheck::Wait(wait) => Identification::Wait(wait),
    })
}

/// The account that a sign-in with this canonical name is tried on, if there is one: one look-up.
pub fn account_of(store: &dyn Store, canonical: &str) -> Result<Option<UserId>> {
    let found = store.user_of_key(&KeyId::username(canonical))?;
    Ok(found.map(|(user, _)| user.id))
}

/// What logs call a name: people type passwords into the wrong field.
pub fn name_handle(store: &dyn Store, name: &str) -> String {
    format!("h:{}", token::keyed_handle(store.handle_key(), name))
}

/// Whose password is given.
#[derive(Clone, Copy)]
enum Whose<'a> {
    /// That of the key of this sign-in name.
    Name(&'a Username),
    /// That of any key of this user, who is signed in.
    User(&'a UserId),
}

enum PasswordCheck {
    Proven(Box<Proven>),
    Refused(ProofFailure),
    Wait(Duration),
}

/// The one place where a password is compared: throttled first, counted under `subject` if wrong.
fn verify_password(
    auth: &Authenticator,
    whose: Whose<'_>,
    password: &Password,
    subject: &Subject,
    now: Moment,
) -> Result<PasswordCheck> {
    let Authenticator { hasher, rules, .. } = auth;
    let store = auth.store();
    if let Some(wait) = throttle::wait(store, &rules.limits, subject, now)? {
        return Ok(PasswordCheck::Wait(wait));
    }
    let proof = match whose {
        Whose::Name(name) => {
            let key = KeyId::username(name.canonical());
            keys::user_by_password(store, hasher, &key, password)?
        }
        Whose::User(id) => keys::user_again_by_password(store, hasher, id, password)?,
    };
    Ok(match proof {
        Proof::Of(proven) => PasswordCheck::Proven(proven),
        Proof::Refused(refusal) => {
            throttle::note(store, &rules.limits, subject, now)?;
            PasswordCheck::Refused(refusal)
        }
    })
}

/// What a try with this name is counted under: the name, or the browser if it is known to the
/// account.
fn subject(
    store: &dyn Store,
    rules: &Rules,
    canonical: &str,
    caller: &Caller,
    now: Moment,
) -> Result<Subject> {
    let presented = caller.device.as_ref().map(Token::hash);
    let known = match presented {
        Some(device) => {
            let key = KeyId::username(canonical);
            store.has_device(&device, &key, now.before(DEVICE_LIFE), now)?.then_some(device)
        }
        None => None,
    };
    let (limits, address) = (&rules.limits, caller.address);
    Ok(Subject::sign_in(store, limits, canonical, known.as_ref(), address))
}

fn entry(caller: &Caller, device: Option<&Token>, user: &UserId, now: Moment) -> SessionStart {
    let device =
        device.map(|it| Device { id: it.hash(), user_id: user.clone(), last_used_at: now });
    SessionStart {
        replaced: caller.presented,
        device,
        place: caller.place.clone(),
        ..SessionStart::default()
    }
}
