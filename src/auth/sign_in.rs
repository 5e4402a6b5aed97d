//! Sign-up, sign-in and reauthentication: the order of checks, and the outcomes.
//!
//! Knows nothing of HTTP: it is given a name, a password and what is known of the caller.

use std::net::IpAddr;
use std::time::Duration;

use crate::auth::Authenticator;
use crate::auth::devices::{self, DEVICE_LIFE};
use crate::auth::email;
use crate::auth::keys::{self, NewKey, Proof, ProofFailure, Proven};
use crate::auth::mail::{self, LetterKind};
use crate::auth::names::{self, Reserved, Rest};
use crate::auth::second_factors::SecondFactorRules;
use crate::auth::second_step::{self, SecondStep};
use crate::auth::sessions::{self, Periods, Started};
use crate::auth::throttle::{self, Subject, ThrottleLimits};
use crate::auth::usernames::{NameKind, Username};
use crate::auth::users;
use crate::base::clock::Moment;
use crate::base::email_address;
use crate::base::password::{Password, PasswordHash};
use crate::base::token::{Token, TokenHash};
use crate::base::webauthn::RelyingParty;
use crate::store::{
    ClientInfo, Device, Invite, KeyId, PasswordChanged, Result, Session, SessionStart, SignedUp,
    Store, User, UserId,
};

/// The operator's rules for all accounts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rules {
    /// The lifetimes of sessions.
    pub periods: Periods,
    /// The limits on failed attempts.
    pub limits: ThrottleLimits,
    /// How long the name of a deleted account rests.
    pub rest: Rest,
    /// Names that only the operator can assign.
    pub reserved: Reserved,
    /// Who has to have a second factor.
    pub second_factors: SecondFactorRules,
    /// The site as passkeys know it. `None`: none can be added or used.
    pub passkeys: Option<RelyingParty>,
    /// What the names of new accounts are.
    pub names: NameKind,
    /// Whether users with an e-mail address have to verify it before they sign in.
    pub verifies_first: bool,
}

impl Rules {
    /// Whether a user has to verify their address before they sign in. Accounts without an address need not.
    pub fn has_to_verify(&self, user: &User) -> bool {
        self.verifies_first && !user.email.is_empty() && user.email_verified_at.is_none()
    }
}

/// What is known of the caller before authentication. It holds a secret and so has no `Debug`.
#[derive(Clone, Default)]
pub struct Caller {
    /// The session they presented: it ends when they sign in (OWASP ASVS 7.2.4).
    pub presented: Option<TokenHash>,
    /// The device token of their browser, if it has one.
    pub device: Option<Token>,
    /// Their address, if it stands for one client.
    pub address: Option<IpAddr>,
    /// The browser and address by which they will recognise the session.
    pub place: ClientInfo,
    /// The invitation they presented, if they are signing up.
    pub invite: Option<Invite>,
    /// The e-mail address that they give when they sign up. `None`: the one of their name, if that is an address.
    pub email: Option<String>,
    /// The language of a mail that verifies the address of an account. `None`: none is sent.
    pub letters: Option<&'static str>,
    /// The token of a link that verifies the address of the account that they sign in to.
    pub link: Option<Token>,
    /// The language of notices that tell the user what was done. `None`: none is mailed.
    pub notices: Option<&'static str>,
}

/// A user who has just signed in or up.
pub struct Admission {
    /// The user who signed in.
    pub user: User,
    /// The new session, with its token.
    pub started: Started,
    /// The device token for their browser, valid for [`DEVICE_LIFE`]. `None` if the session ends with the
    /// browser.
    pub device: Option<Token>,
    /// The invitation that was used.
    pub invite: Option<TokenHash>,
}

/// The result of a sign-up.
pub enum SignUp {
    /// The account was created, and its owner is signed in.
    Admitted(Box<Admission>),
    /// The account was created, and its owner has to set up a second factor to be signed in. With the invitation that
    /// was used.
    SecondStep(Box<SecondStep>, Option<TokenHash>),
    /// The account was created, with this invitation, if any. Its owner signs in once they have verified its address.
    ToVerify(Box<User>, Option<TokenHash>),
    /// An account has this name in some spelling, or it rests or is reserved. Nothing was written.
    NameTaken,
    /// The invitation is no longer valid. Nothing was written.
    NotInvited,
    /// Too many accounts were created from this address. Nothing was checked.
    Wait(Duration),
}

/// The result of a sign-in.
pub enum SignIn {
    /// The password is right, and a session has started.
    Admitted(Box<Admission>),
    /// The password is right, and the sign-in waits for the second factor.
    SecondStep(Box<SecondStep>),
    /// Name or password is wrong. Only the operator is told which.
    Refused(ProofFailure),
    /// Too many attempts have failed. The password was not checked, and nothing was counted.
    Wait(Duration),
}

/// Creates an account and signs its owner in: user, key and session in one transaction, with the groups of
/// the invitation, if there is one.
///
/// A name that is taken is refused before the slow hash is computed. If several sign-ups for one name
/// arrive at once, the database decides, and exactly one succeeds.
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
    // A reserved name costs the same look-up, and gets the same answer, as one that an account has or had.
    let is_free = names::is_free(store, name, now)?;
    if !is_free || rules.reserved.has(name) {
        return Ok(SignUp::NameTaken);
    }
    let mut user = users::new(name, now);
    user.email = caller.email.clone().unwrap_or_else(|| rules.names.email(name));
    if let Some(invite) = &caller.invite {
        user.groups = invite.groups.clone();
    }
    let id = KeyId::username(name.canonical());
    let key = keys::new(hasher, &user.id, &NewKey { id: &id, password: Some(password) });
    let invite = caller.invite.as_ref().map(|it| it.id);
    let has_to_verify = rules.has_to_verify(&user);
    let is_due = rules.second_factors.is_due(&user);
    let device = devices::of(store, caller)?;
    let mut entry = entry(caller, device.as_ref(), &user.id, now);
    if let Some(language) = caller.letters {
        entry.letter = email::at_sign_up(store, &rules.limits, (&user, language), now)?;
    }
    let started =
        (!is_due && !has_to_verify).then(|| sessions::new(&rules.periods, &user.id, &entry, now));
    let session = started.as_ref().map(|it| &it.session);
    match store.sign_up(&user, &key, session, invite.as_ref(), &entry)? {
        SignedUp::Done => {}
        SignedUp::NameTaken => return Ok(SignUp::NameTaken),
        SignedUp::NotInvited => return Ok(SignUp::NotInvited),
    }
    // The account exists; that the count could not be written must not turn it into an error.
    drop(throttle::note(store, &rules.limits, &subject, now));
    match started {
        Some(started) => {
            Ok(SignUp::Admitted(Box::new(Admission { user, started, device, invite })))
        }
        None if has_to_verify => Ok(SignUp::ToVerify(Box::new(user), invite)),
        None => begin_after_sign_up(auth, user, caller, invite, now),
    }
}

/// Begins the second step of the first sign-in to an account that was just created. If it is gone already, the visitor
/// is told that the name is taken: they can sign in.
fn begin_after_sign_up(
    auth: &Authenticator,
    user: User,
    caller: &Caller,
    invite: Option<TokenHash>,
    now: Moment,
) -> Result<SignUp> {
    let key = KeyId::username(&user.canonical_username);
    let Some(found) = auth.store().credentials_of_key(&key)? else { return Ok(SignUp::NameTaken) };
    let begun = second_step::begin(auth, (user, found.epoch), caller, None, now)?;
    Ok(begun.map_or(SignUp::NameTaken, |it| SignUp::SecondStep(Box::new(it), invite)))
}

/// Signs a user in by name and password. The new session has a new token.
///
/// An unknown name and a wrong password cost the same: the same look-ups, one slow hash, one write. A
/// caller who has to wait costs no hash and no write, and gets the same answer whether the name exists or
/// not.
pub fn with_password(
    auth: &Authenticator,
    name: &Username,
    password: &Password,
    caller: &Caller,
    now: Moment,
) -> Result<SignIn> {
    let Authenticator { rules, .. } = auth;
    let store = auth.store();
    let known = known_device(store, name.canonical(), caller, now)?;
    let subject = subject(store, rules, name.canonical(), (caller, known.as_ref()));
    let cleared = subject.cleared_by_success();
    let Proven { user, epoch, .. } =
        match verify_password(auth, Whose::Name(name), password, &subject, now)? {
            PasswordCheck::Proven(proven) => *proven,
            PasswordCheck::Refused(refusal) => return Ok(SignIn::Refused(refusal)),
            PasswordCheck::Wait(wait) => return Ok(SignIn::Wait(wait)),
        };
    let is_verified_now = rules.has_to_verify(&user);
    if is_verified_now && !verify_address(auth, &user, caller, now)? {
        return Ok(SignIn::Refused(ProofFailure::Unverified(user.id)));
    }
    let Some(second_at) = second_at(auth, &user, caller, now)? else {
        let begun = second_step::begin(auth, (user, epoch), caller, cleared, now)?;
        // Without one, the account was deleted or disabled meanwhile, or its password changed.
        let refused = SignIn::Refused(ProofFailure::UnknownKey);
        return Ok(begun.map_or(refused, |it| SignIn::SecondStep(Box::new(it))));
    };
    let device = devices::of(store, caller)?;
    let mut entry = entry(caller, device.as_ref(), &user.id, now);
    entry.cleared = cleared;
    entry.proof = Some(epoch);
    entry.second_at = second_at;
    if let Some(language) = caller.notices.filter(|_| known.is_none() && !is_verified_now) {
        let whom = (&user, language);
        entry.letter = mail::of_new_browser(store, &rules.limits, whom, &caller.place, now)?;
    }
    Ok(match sessions::start(store, &rules.periods, &user.id, &entry, now)? {
        Some(started) => {
            SignIn::Admitted(Box::new(Admission { user, started, device, invite: None }))
        }
        // Meanwhile the account was deleted or disabled, or its password changed.
        None => SignIn::Refused(ProofFailure::UnknownKey),
    })
}

/// When both factors were given, for a session that begins with the password alone: see
/// [`SecondFactorRules::second_at`].
fn second_at(
    auth: &Authenticator,
    user: &User,
    caller: &Caller,
    now: Moment,
) -> Result<Option<Moment>> {
    let rules = &auth.rules.second_factors;
    let in_browser = match user.second_factor_since {
        Some(_) => second_step::device_of(auth, user, caller, now)?.map(|it| it.second_at),
        None => None,
    };
    Ok(rules.second_at(user, in_browser.unwrap_or(Moment::NEVER), now))
}

/// Verifies the address of a user, who has proven their password, by the link that they followed. `false`: they have
/// followed none that is valid, and are mailed another one, as often as the limits allow.
fn verify_address(auth: &Authenticator, user: &User, caller: &Caller, now: Moment) -> Result<bool> {
    let store = auth.store();
    if let Some(link) = &caller.link
        && email::verify(store, user, link, None, now)?
    {
        return Ok(true);
    }
    if let Some(language) = caller.letters.filter(|_| email_address::is_deliverable(&user.email)) {
        let to = (&*user.email, language);
        email::ask(store, &auth.rules.limits, user, to, None, now)?;
    }
    Ok(false)
}

/// The result of a signed-in user's giving the password again.
pub enum Reauthentication {
    /// The password is right, and the session notes when it was given.
    Right,
    /// The password is wrong, or cannot be checked.
    Refused(ProofFailure),
    /// Too many attempts have failed. The password was not checked.
    Wait(Duration),
}

/// Verifies the password of a signed-in user, and notes in the session that it was right (OWASP ASVS
/// 7.5.1). The password of any of the user's keys is accepted. Failures count against the session alone:
/// see [`Subject::reauthentication`].
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

/// The result of a change of password.
pub enum Change {
    /// It is changed. All sessions have ended; this one replaces the caller's.
    Done(Started),
    /// The current password is wrong.
    Refused(ProofFailure),
    /// Too many attempts have failed. Nothing was checked.
    Wait(Duration),
}

/// Changes the password of a signed-in user who gives the current one. All their sessions end, and the
/// caller's is replaced by one with a new token (OWASP ASVS 7.4.3, 7.2.4). Failures count as in
/// [`reauthenticate`].
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
    entry.second_at = session.second_at;
    let notice =
        |language| mail::notice(LetterKind::PasswordChanged, user, language, &caller.place, now);
    entry.letter = caller.notices.and_then(notice);
    let started = sessions::new(&rules.periods, &user.id, &entry, now);
    let new = hasher.hash(new);
    Ok(match store.change_password(epoch, &new, &started.session, &entry)? {
        PasswordChanged::Done => Change::Done(started),
        PasswordChanged::NameTaken | PasswordChanged::ProofOutdated => {
            Change::Refused(ProofFailure::WrongPassword)
        }
    })
}

/// The result of checking a name and a password without starting a session.
pub enum Identification {
    /// They are this user's, and the password matches this hash.
    User(Box<User>, PasswordHash),
    /// Name or password is wrong. Only the operator is told which.
    Refused(ProofFailure),
    /// Too many attempts have failed. The password was not checked.
    Wait(Duration),
}

/// Verifies a name and a password without starting a session: for scripts that send them with each request.
/// Failures count as at a sign-in (OWASP ASVS 6.3.1: on every way in).
pub fn identify(
    auth: &Authenticator,
    name: &Username,
    password: &Password,
    caller: &Caller,
    now: Moment,
) -> Result<Identification> {
    let Authenticator { rules, .. } = auth;
    let store = auth.store();
    let known = known_device(store, name.canonical(), caller, now)?;
    let subject = subject(store, rules, name.canonical(), (caller, known.as_ref()));
    Ok(match verify_password(auth, Whose::Name(name), password, &subject, now)? {
        PasswordCheck::Proven(proven) if rules.has_to_verify(&proven.user) => {
            Identification::Refused(ProofFailure::Unverified(proven.user.id))
        }
        PasswordCheck::Proven(proven) if rules.second_factors.is_due(&proven.user) => {
            // The password is right, and so is not counted; the caller is told what a wrong one gets.
            Identification::Refused(ProofFailure::SecondFactorDue(proven.user.id))
        }
        PasswordCheck::Proven(proven) => {
            throttle::clear(store, &subject)?;
            Identification::User(Box::new(proven.user), proven.hash)
        }
        PasswordCheck::Refused(refusal) => Identification::Refused(refusal),
        PasswordCheck::Wait(wait) => Identification::Wait(wait),
    })
}

/// The account that signs in with this canonical name, if there is one: one look-up.
pub fn account_of(store: &dyn Store, canonical: &str) -> Result<Option<UserId>> {
    let found = store.user_of_key(&KeyId::username(canonical))?;
    Ok(found.map(|(user, _)| user.id))
}

/// Which passwords are accepted.
#[derive(Clone, Copy)]
enum Whose<'a> {
    /// The password of the key with this sign-in name.
    Name(&'a Username),
    /// The password of any key of this signed-in user.
    User(&'a UserId),
}

enum PasswordCheck {
    Proven(Box<Proven>),
    Refused(ProofFailure),
    Wait(Duration),
}

/// The one place where a password is compared: the throttle is asked first, and a failure is counted under
/// `subject`.
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

/// The caller's device, if it is known to the account with this name.
fn known_device(
    store: &dyn Store,
    canonical: &str,
    caller: &Caller,
    now: Moment,
) -> Result<Option<TokenHash>> {
    let Some(device) = caller.device.as_ref().map(Token::hash) else { return Ok(None) };
    let key = KeyId::username(canonical);
    let is_known = store.has_device(&device, &key, now.before(DEVICE_LIFE), now)?;
    Ok(is_known.then_some(device))
}

/// What an attempt with this name is counted under: the device if it is known to the account, otherwise the
/// name and the address.
fn subject(
    store: &dyn Store,
    rules: &Rules,
    canonical: &str,
    (caller, known): (&Caller, Option<&TokenHash>),
) -> Subject {
    Subject::sign_in(store, &rules.limits, canonical, known, caller.address)
}

/// What is written with a session of this user that begins in the caller's browser.
pub(super) fn entry(
    caller: &Caller,
    device: Option<&Token>,
    user: &UserId,
    now: Moment,
) -> SessionStart {
    let device = device.map(|it| Device {
        id: it.hash(),
        user_id: user.clone(),
        last_used_at: now,
        second_at: Moment::NEVER,
    });
    SessionStart {
        replaced: caller.presented,
        device,
        place: caller.place.clone(),
        ..SessionStart::default()
    }
}
