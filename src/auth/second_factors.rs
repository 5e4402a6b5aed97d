//! Second factors: who has to give one, what is accepted, and how one is set up and turned off.
//!
//! A code of an app is accepted for the present time step and one on either side, and once (RFC 6238 § 5.2; ASVS 6.5.1).
//! A sign-in that waits for one is in [`super::second_step`]. Knows nothing of HTTP.

use std::time::Duration;

use crate::auth::Authenticator;
use crate::auth::devices;
use crate::auth::mail::{self, LetterKind};
use crate::auth::passkeys::{self, ChallengePurpose, PasskeyFailure};
use crate::auth::sessions::{self, Started};
use crate::auth::sign_in::{Caller, entry};
use crate::auth::throttle::{self, Subject};
use crate::base::clock::Moment;
use crate::base::recovery_code::RecoveryCode;
use crate::base::sealing::StoredSecret;
use crate::base::token::TokenHash;
use crate::base::totp::{CodeMatch, TimeStep, TotpCode, TotpSecret};
use crate::store::{
    ClientInfo, Error, FactorProof, Groups, Letter, PasskeyUse, Result, SecondFactorOn,
    SecondFactorSet, Session, Store, Totp, User, UserId,
};

/// Who has to have a second factor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Demand {
    /// None can be set up. Users who have one already are still asked for it: no setting makes the password alone enough.
    Off,
    /// Users decide for themselves.
    #[default]
    Optional,
    /// Every user. Those who have none set one up while they sign in.
    Required,
}

impl Demand {
    /// The value of `--second-factor`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }
}

/// The operator's rules for second factors.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecondFactorRules {
    /// Who has to have one.
    pub demand: Demand,
    /// The groups whose members have to have one, whatever `demand` says.
    pub groups: Groups,
    /// For how long a browser is remembered in which both factors were given; zero: it never is.
    pub remember: Duration,
}

impl Default for SecondFactorRules {
    /// Optional, and remembered for thirty days.
    fn default() -> Self {
        let remember = Duration::from_secs(30 * 24 * 60 * 60);
        Self { demand: Demand::Optional, groups: Groups::default(), remember }
    }
}

impl SecondFactorRules {
    /// Whether this user has to have one.
    pub fn require_of(&self, user: &User) -> bool {
        self.demand == Demand::Required
            || user.groups.iter().any(|name| self.groups.iter().any(|it| it == name))
    }

    /// Whether this user has to give one, or to set one up, when they sign in.
    pub fn is_due(&self, user: &User) -> bool {
        user.second_factor_since.is_some() || self.require_of(user)
    }

    /// Whether users can set one up.
    pub fn is_offered(&self) -> bool {
        self.demand != Demand::Off || self.groups.iter().next().is_some()
    }

    /// Whether a browser in which both factors were given at this moment is still remembered.
    fn remember_since(&self, second_at: Moment, now: Moment) -> bool {
        was_given(second_at, now)
            && now <= second_at.after(self.remember)
            && !self.remember.is_zero()
    }

    /// The moment that the session of a user begins with who signs in with the password alone: never, or that at which
    /// both factors were given in this browser. `None` if the second factor is due.
    pub(super) fn second_at(&self, user: &User, in_browser: Moment, now: Moment) -> Option<Moment> {
        if !self.is_due(user) {
            return Some(Moment::NEVER);
        }
        let has_one = user.second_factor_since.is_some();
        (has_one && self.remember_since(in_browser, now)).then_some(in_browser)
    }
}

/// Whether both factors were given at this moment, which a session or an access token has kept: it is not
/// [`Moment::NEVER`], and does not lie in the future.
pub fn was_given(second_at: Moment, now: Moment) -> bool {
    second_at != Moment::NEVER && second_at.has_passed(now)
}

/// What a visitor gives as the second factor.
#[derive(Clone, Copy)]
pub enum GivenCode {
    /// A code of an app.
    Totp(TotpCode),
    /// A recovery code, by its hash.
    Recovery(TokenHash),
}

impl GivenCode {
    /// Reads what was typed. `None` if it is neither six digits nor a recovery code.
    pub fn read(typed: &str) -> Option<Self> {
        let recovery = || RecoveryCode::read(typed).map(|it| Self::Recovery(it.hash()));
        TotpCode::read(typed).map(Self::Totp).or_else(recovery)
    }
}

/// Why a second factor is refused. A visitor is told the same of each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodeFailure {
    /// It is no code of the user's app, and no recovery code of theirs.
    WrongCode,
    /// It was used before, or a later one was.
    UsedCode,
    /// It is the code of a time step that lies so many ahead, or behind if negative: a clock is wrong.
    WrongClock(i64),
    /// It is a passkey that is refused.
    Passkey(PasskeyFailure),
}

impl From<PasskeyFailure> for CodeFailure {
    fn from(failure: PasskeyFailure) -> Self {
        Self::Passkey(failure)
    }
}

impl CodeFailure {
    /// The value of `reason` in the log.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::WrongCode => "wrong_code",
            Self::UsedCode => "used_code",
            Self::WrongClock(_) => "clock",
            Self::Passkey(failure) => failure.reason(),
        }
    }
}

/// What a sign-in was finished with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Means {
    /// With a code of the app.
    Totp,
    /// With a passkey.
    Passkey,
    /// With a recovery code; so many are left.
    Recovery(usize),
    /// By setting an app up.
    SetUp,
}

/// A second factor that is given.
#[derive(Clone, Copy)]
pub enum GivenFactor<'a> {
    /// A code of the user's app, or a recovery code.
    Code(GivenCode),
    /// A browser's answer in JSON, with a passkey of the user.
    Passkey(&'a str),
}

impl<'a> GivenFactor<'a> {
    /// What a form gives: the answer of a passkey, or else what was typed for a code. `None`: neither.
    pub fn read(answer: Option<&'a str>, typed: &str) -> Option<Self> {
        answer.map(Self::Passkey).or_else(|| GivenCode::read(typed).map(Self::Code))
    }
}

/// What the second factor is turned on with.
#[derive(Clone, Copy)]
pub enum NewFactor<'a> {
    /// The first code of an app that is set up with this secret.
    App(&'a TotpSecret, TotpCode),
    /// A browser's answer in JSON, with a passkey that the user has already.
    Passkey(&'a str),
}

pub(super) enum Verified {
    Right(FactorProof<'static>, Means),
    Refused(CodeFailure),
    Wait(Duration),
}

/// The one place where a code is compared. A code of an app is counted under `subject` before it is looked at, and its
/// success clears that: nothing holds up many codes at the same moment as a slow hash does passwords.
pub(super) fn verify(
    auth: &Authenticator,
    user: &UserId,
    code: GivenCode,
    subject: &Subject,
    now: Moment,
) -> Result<Verified> {
    let store = auth.store();
    let code = match code {
        GivenCode::Totp(code) => code,
        GivenCode::Recovery(hash) => {
            let left = store.recovery_codes_of(user)?;
            return Ok(if left.contains(&hash) {
                Verified::Right(FactorProof::RecoveryCode(hash), Means::Recovery(left.len() - 1))
            } else {
                Verified::Refused(CodeFailure::WrongCode)
            });
        }
    };
    let limits = &auth.rules.limits;
    let wait = match throttle::wait(store, limits, subject, now)? {
        None => throttle::take(store, limits, subject, now)?,
        wait => wait,
    };
    if let Some(wait) = wait {
        return Ok(Verified::Wait(wait));
    }
    let failure = match store.totp_of(user)? {
        None => CodeFailure::WrongCode,
        Some(app) => match secret_of(auth, &app)?.compare(&code, now) {
            CodeMatch::Fits(step) if step.number() > app.last_step => {
                return Ok(Verified::Right(FactorProof::Step(step.number()), Means::Totp));
            }
            CodeMatch::Fits(_) => CodeFailure::UsedCode,
            CodeMatch::WrongClock(steps) => CodeFailure::WrongClock(steps),
            CodeMatch::Wrong => CodeFailure::WrongCode,
        },
    };
    note_failure(auth, subject, now)?;
    Ok(Verified::Refused(failure))
}

pub(super) fn note_failure(auth: &Authenticator, subject: &Subject, now: Moment) -> Result<()> {
    throttle::note_taken(auth.store(), &auth.rules.limits, subject.clone(), now)
}

/// The secret of an app in the clear.
fn secret_of(auth: &Authenticator, app: &Totp) -> Result<TotpSecret> {
    let stored = StoredSecret::from_stored(app.secret.clone());
    let user = app.user_id.as_str();
    let opened = stored.open(user, auth.sealing_key.as_ref());
    opened.map_err(|fault| Error::Broken(format!("the second factor of user {user}: {fault}")))
}

/// A new second factor whose owner has shown that they have it.
pub(super) enum VerifiedNew {
    App(Totp),
    Passkey(PasskeyUse),
}

impl VerifiedNew {
    pub(super) const fn proof<'a>(&'a self, codes: &'a [TokenHash]) -> FactorProof<'a> {
        match self {
            Self::App(app) => FactorProof::NewApp(app, codes),
            Self::Passkey(passkey_use) => FactorProof::NewPasskey(passkey_use, codes),
        }
    }
}

pub(super) fn verify_new(
    auth: &Authenticator,
    (user, purpose): (&User, ChallengePurpose<'_>),
    factor: NewFactor<'_>,
    caller: &Caller,
    now: Moment,
) -> Result<std::result::Result<VerifiedNew, CodeFailure>> {
    Ok(match factor {
        NewFactor::App(secret, code) => {
            new_app(auth, &user.id, secret, code, now).map(VerifiedNew::App)
        }
        NewFactor::Passkey(answer) => {
            passkeys::second_factor(auth, (user, purpose), answer, caller, now)?
                .map(VerifiedNew::Passkey)
                .map_err(CodeFailure::from)
        }
    })
}

/// The record of an app that is set up with its first code, which is used up by that.
fn new_app(
    auth: &Authenticator,
    user: &UserId,
    secret: &TotpSecret,
    code: TotpCode,
    now: Moment,
) -> std::result::Result<Totp, CodeFailure> {
    let step: TimeStep = match secret.compare(&code, now) {
        CodeMatch::Fits(step) => step,
        CodeMatch::WrongClock(steps) => return Err(CodeFailure::WrongClock(steps)),
        CodeMatch::Wrong => return Err(CodeFailure::WrongCode),
    };
    let stored = StoredSecret::new(secret, user.as_str(), auth.sealing_key.as_ref());
    Ok(Totp {
        user_id: user.clone(),
        secret: stored.as_stored().to_vec(),
        last_step: step.number(),
        created_at: now,
    })
}

/// The result of turning the second factor on.
pub enum TurnedOn {
    /// It is on. All other sessions have ended; this one replaces the caller's.
    Done(Started),
    /// The code is not that of the app, or the passkey is refused.
    Refused(CodeFailure),
    /// There is one already.
    AlreadyOn,
    /// The session has ended meanwhile.
    SessionEnded,
}

/// Turns the second factor of a signed-in user on, with an app or a passkey. Every other session and every sign-in that waits ends, and no other browser is known to the account any more: each of them would have a
/// count of its own for wrong codes. The caller's session is replaced by one with a new token. The user has given their
/// password lately, or with this.
pub fn turn_on(
    auth: &Authenticator,
    (user, session): (&User, &Session),
    factor: NewFactor<'_>,
    codes: &[RecoveryCode],
    caller: &Caller,
    now: Moment,
) -> Result<TurnedOn> {
    let store = auth.store();
    let purpose = ChallengePurpose::SecondFactor(&session.id);
    let new = match verify_new(auth, (user, purpose), factor, caller, now)? {
        Ok(new) => new,
        Err(failure) => return Ok(TurnedOn::Refused(failure)),
    };
    let hashes: Vec<_> = codes.iter().map(RecoveryCode::hash).collect();
    let device = devices::known(store, caller)?;
    let mut entry = entry(caller, device.as_ref(), &user.id, now);
    (entry.replaced, entry.second_at) = (Some(session.id), now);
    let notice =
        |language| mail::notice(LetterKind::SecondFactorOn, user, language, &caller.place, now);
    entry.letter = caller.notices.and_then(notice);
    let mut started = sessions::new(&auth.rules.periods, &user.id, &entry, now);
    // Where it is not recent, the password was given now.
    let is_recent = sessions::is_recent(session, now);
    started.session.proven_at = if is_recent { session.proven_at } else { now };
    Ok(match store.turn_second_factor_on(&new.proof(&hashes), &started.session, &entry)? {
        SecondFactorOn::Done => TurnedOn::Done(started),
        SecondFactorOn::AlreadyOn => TurnedOn::AlreadyOn,
        SecondFactorOn::SessionEnded => TurnedOn::SessionEnded,
        SecondFactorOn::UsedPasskey => TurnedOn::Refused(PasskeyFailure::Used.into()),
    })
}

/// The result of a change to the second factor of a signed-in user.
pub enum Changed {
    /// It is written.
    Done,
    /// The code is refused.
    Refused(CodeFailure),
    /// There is none.
    NotOn,
    /// Too many codes were wrong. This one was not looked at.
    Wait(Duration),
}

/// Turns the second factor of a signed-in user off, who gives it. Wrong codes count under the session alone, as wrong
/// passwords do there. `notice` tells the user.
pub fn turn_off(
    auth: &Authenticator,
    (user, session): (&User, &Session),
    given: (GivenFactor<'_>, &Caller),
    notice: Option<&Letter>,
    now: Moment,
) -> Result<Changed> {
    with_proof(auth, (user, session), given, now, |proof| {
        auth.store().turn_second_factor_off(&user.id, Some(proof), notice)
    })
}

/// The result of turning a second factor off for a user who has lost it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TurnedOff {
    /// It is off. `is_told`: a mail to the user was queued.
    Done {
        /// Whether a mail to the user was queued.
        is_told: bool,
    },
    /// There is none.
    NotOn,
    /// There is no such user.
    NoUser,
}

/// Turns the second factor of a user off without a code, as an operator does for a user who has lost it. All
/// sessions of the user end, wrong codes are forgotten, and their verified address is told in this language; `None`:
/// it is not, as no server sends notices.
pub fn turn_off_for(
    store: &dyn Store,
    user: &User,
    language: Option<&str>,
    now: Moment,
) -> Result<TurnedOff> {
    let place = ClientInfo::default();
    let letter =
        language.and_then(|it| mail::notice(LetterKind::SecondFactorOff, user, it, &place, now));
    Ok(match store.turn_second_factor_off(&user.id, None, letter.as_ref())? {
        SecondFactorSet::Done => {
            throttle::forget_codes(store, &user.id, now)?;
            TurnedOff::Done { is_told: letter.is_some() }
        }
        SecondFactorSet::NotOn | SecondFactorSet::UsedCode if store.user(&user.id)?.is_none() => {
            TurnedOff::NoUser
        }
        SecondFactorSet::NotOn | SecondFactorSet::UsedCode => TurnedOff::NotOn,
    })
}

/// Replaces the recovery codes of a signed-in user, who gives the second factor. It is asked for again in every browser.
pub fn replace_codes(
    auth: &Authenticator,
    (user, session): (&User, &Session),
    given: (GivenFactor<'_>, &Caller),
    new: &[RecoveryCode],
    now: Moment,
) -> Result<Changed> {
    let hashes: Vec<_> = new.iter().map(RecoveryCode::hash).collect();
    with_proof(auth, (user, session), given, now, |proof| {
        auth.store().replace_recovery_codes(&user.id, &hashes, proof, None, now)
    })
}

fn with_proof(
    auth: &Authenticator,
    (user, session): (&User, &Session),
    (given, caller): (GivenFactor<'_>, &Caller),
    now: Moment,
    change: impl FnOnce(&FactorProof<'_>) -> Result<SecondFactorSet>,
) -> Result<Changed> {
    let subject = Subject::reauthentication(auth.store(), &session.id);
    let code = match given {
        GivenFactor::Code(code) => code,
        GivenFactor::Passkey(answer) => {
            let purpose = ChallengePurpose::SecondFactor(&session.id);
            let found = passkeys::second_factor(auth, (user, purpose), answer, caller, now)?;
            return Ok(match found {
                Ok(it) => changed(change(&FactorProof::Passkey(&it))?, PasskeyFailure::Used.into()),
                Err(failure) => Changed::Refused(failure.into()),
            });
        }
    };
    let proof = match verify(auth, &user.id, code, &subject, now)? {
        Verified::Right(proof, _) => proof,
        Verified::Refused(failure) => return Ok(Changed::Refused(failure)),
        Verified::Wait(wait) => return Ok(Changed::Wait(wait)),
    };
    let done = change(&proof)?;
    match done {
        SecondFactorSet::Done => throttle::clear(auth.store(), &subject)?,
        SecondFactorSet::UsedCode => note_failure(auth, &subject, now)?,
        SecondFactorSet::NotOn => {}
    }
    Ok(changed(done, CodeFailure::UsedCode))
}

fn changed(done: SecondFactorSet, used: CodeFailure) -> Changed {
    match done {
        SecondFactorSet::Done => Changed::Done,
        SecondFactorSet::NotOn => Changed::NotOn,
        SecondFactorSet::UsedCode => Changed::Refused(used),
    }
}

/// Asks a user for the second factor again in every browser.
pub fn forget_browsers(auth: &Authenticator, user: &UserId) -> Result<()> {
    auth.store().forget_browsers(user).map(drop)
}

/// Whether a user has an app that shows codes. One who has a second factor without it gives a passkey.
pub fn has_app(auth: &Authenticator, user: &UserId) -> Result<bool> {
    Ok(auth.store().totp_of(user)?.is_some())
}

/// How many recovery codes a user has left.
pub fn recovery_codes_left(auth: &Authenticator, user: &UserId) -> Result<usize> {
    Ok(auth.store().recovery_codes_of(user)?.len())
}
