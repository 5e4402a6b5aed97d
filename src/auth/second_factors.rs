//! Second factors: who has to give one, what is accepted, and how one is set up and turned off.
//!
//! A sign-in of a user who has to give one waits after the right password: it is a one-time token, and no session
//! exists before both factors were given (OWASP ASVS 6.3.3, 6.5.1). A code of an app is accepted for the present time
//! step and one on either side, and once (RFC 6238 § 5.2; ASVS 6.5.1). Knows nothing of HTTP.

use std::time::Duration;

use crate::auth::Authenticator;
use crate::auth::devices::{self, DEVICE_LIFE};
use crate::auth::mail::{self, LetterKind};
use crate::auth::one_time_tokens;
use crate::auth::passkeys::{self, ChallengePurpose, PasskeyFailure};
use crate::auth::sessions::{self, Started};
use crate::auth::sign_in::{Admission, Caller, entry};
use crate::auth::throttle::{self, Subject};
use crate::base::clock::Moment;
use crate::base::recovery_code::RecoveryCode;
use crate::base::sealing::StoredSecret;
use crate::base::token::{Token, TokenHash};
use crate::base::totp::{CodeMatch, TimeStep, TotpCode, TotpSecret};
use crate::store::{
    ClientInfo, CountId, Device, Epoch, Error, FactorProof, Groups, Letter, OneTimeTokenAdded,
    PasskeyUse, Purpose, Result, SecondFactorOn, SecondFactorSet, SecondStepDone, Session,
    SessionStart, Store, Totp, User, UserId,
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

/// A sign-in that waits for the second factor.
pub struct SecondStep {
    /// Who signs in.
    pub user: User,
    /// The token for the browser, or the script.
    pub token: Token,
    /// The last moment at which it is valid.
    pub expires_at: Moment,
}

/// The caller's browser, if it is known to the account of this user.
pub(super) fn device_of(
    auth: &Authenticator,
    user: &User,
    caller: &Caller,
    now: Moment,
) -> Result<Option<Device>> {
    let Some(device) = caller.device.as_ref().map(Token::hash) else { return Ok(None) };
    auth.store().device_of(&device, &user.id, now.before(DEVICE_LIFE), now)
}

/// The word in the detail of a waiting sign-in for a session that ends with the browser.
const TRANSIENT: &str = "transient";

/// Begins the second step of a sign-in after the right password, and clears the failures for the password. `None` if
/// the user is gone or disabled, or their credentials have changed since the proof.
pub(super) fn begin(
    auth: &Authenticator,
    (user, proof): (User, Epoch),
    caller: &Caller,
    cleared: Option<CountId>,
    now: Moment,
) -> Result<Option<SecondStep>> {
    let detail = if caller.place.is_transient { TRANSIENT } else { "" };
    let (token, record) = one_time_tokens::new(&user.id, (Purpose::SecondStep, detail), now);
    let expires_at = record.expires_at;
    let added = auth.store().begin_second_step(&record, proof, cleared.as_ref())?;
    Ok((added == OneTimeTokenAdded::Done).then_some(SecondStep { user, token, expires_at }))
}

/// A sign-in that waits, as its token finds it.
pub struct Waiting {
    /// Who signs in.
    pub user: User,
    is_transient: bool,
}

impl Waiting {
    /// Whether the user has no second factor yet, and sets one up to sign in.
    pub const fn sets_up(&self) -> bool {
        self.user.second_factor_since.is_none()
    }
}

/// The sign-in that waits under this token. `None` if there is none, or it has ended.
pub fn waiting(auth: &Authenticator, token: &Token, now: Moment) -> Result<Option<Waiting>> {
    let found = one_time_tokens::find(auth.store(), token, Purpose::SecondStep, now)?;
    Ok(found.map(|(user, detail)| Waiting { user, is_transient: detail == TRANSIENT }))
}

/// How a sign-in was finished.
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

/// The result of the second step of a sign-in.
pub enum Finished {
    /// Both factors are right, and a session has started.
    Admitted(Box<Admission>, Means),
    /// The code is refused. The sign-in still waits.
    Refused(CodeFailure, UserId),
    /// There is no such sign-in, or it has ended.
    Gone,
    /// Too many codes were wrong. This one was not looked at.
    Wait(Duration, UserId),
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

/// What a second step is finished with.
pub enum Given<'a> {
    /// The second factor.
    Factor(GivenFactor<'a>),
    /// A new one, and the recovery codes that the user is shown afterwards.
    New(NewFactor<'a>, &'a [RecoveryCode]),
}

/// Finishes a sign-in that waits: uses up the code, and starts a session with a new token. If the user wants this
/// browser to be remembered, the password alone is enough in it for [`SecondFactorRules::remember`].
///
/// Wrong codes count under the account, whatever sign-in, cookie and address they come with, or under the browser if
/// it is known to the account; and under the address. Recovery codes are too long to be guessed and are not
/// counted: an owner under attack still has a way in (NIST SP 800-63B-4 § 3.2.2).
pub fn finish(
    auth: &Authenticator,
    token: &Token,
    given: &Given<'_>,
    (caller, remembers): (&Caller, bool),
    now: Moment,
) -> Result<Finished> {
    let store = auth.store();
    let Some(waiting) = waiting(auth, token, now)? else { return Ok(Finished::Gone) };
    let user = &waiting.user;
    let known = device_of(auth, user, caller, now)?.map(|it| it.id);
    let limits = &auth.rules.limits;
    let subject = Subject::second_factor(store, limits, &user.id, known.as_ref(), caller.address);
    let hash = token.hash();
    let purpose = ChallengePurpose::SecondStep(&hash);
    let (new, passkey_use);
    let hashes: Vec<_>;
    let (proof, means) = match given {
        Given::Factor(GivenFactor::Passkey(answer)) => {
            match passkeys::second_factor(auth, (user, purpose), answer, caller, now)? {
                Ok(found) => passkey_use = found,
                Err(failure) => {
                    return Ok(Finished::Refused(failure.into(), user.id.clone()));
                }
            }
            (FactorProof::Passkey(&passkey_use), Means::Passkey)
        }
        Given::New(..) if user.second_factor_since.is_some() => return Ok(Finished::Gone),
        Given::New(factor, codes) => {
            new = match verify_new(auth, (user, purpose), *factor, caller, now)? {
                Ok(new) => new,
                Err(failure) => return Ok(Finished::Refused(failure, user.id.clone())),
            };
            hashes = codes.iter().map(RecoveryCode::hash).collect();
            (new.proof(&hashes), Means::SetUp)
        }
        Given::Factor(GivenFactor::Code(code)) => {
            match verify(auth, &user.id, *code, &subject, now)? {
                Verified::Right(proof, means) => (proof, means),
                Verified::Refused(failure) => {
                    tell_of_known_password(auth, user, caller, &subject, now)?;
                    return Ok(Finished::Refused(failure, user.id.clone()));
                }
                Verified::Wait(wait) => return Ok(Finished::Wait(wait, user.id.clone())),
            }
        }
    };
    let is_known = known.is_some();
    let (device, entry) =
        session_start(auth, &waiting, (caller, remembers), (means, is_known), &subject, now)?;
    let periods = &auth.rules.periods;
    let started = sessions::new(periods, &user.id, &entry, now);
    let session = &started.session;
    let done = store.finish_second_step(&hash, &proof, session, periods.most, &entry)?;
    Ok(match done {
        SecondStepDone::Done => {
            let admission = Admission { user: waiting.user, started, device, invite: None };
            Finished::Admitted(Box::new(admission), means)
        }
        SecondStepDone::Gone => Finished::Gone,
        SecondStepDone::UsedCode => {
            note_failure(auth, &subject, now)?;
            let failure = match &proof {
                FactorProof::Passkey(_) | FactorProof::NewPasskey(..) => {
                    PasskeyFailure::Used.into()
                }
                _ => CodeFailure::UsedCode,
            };
            Finished::Refused(failure, waiting.user.id)
        }
    })
}

/// The start of the session of a sign-in in which both factors were given, and the browser's device.
fn session_start(
    auth: &Authenticator,
    waiting: &Waiting,
    (caller, remembers): (&Caller, bool),
    (means, is_known): (Means, bool),
    subject: &Subject,
    now: Moment,
) -> Result<(Option<Token>, SessionStart)> {
    let mut caller = caller.clone();
    caller.place.is_transient = waiting.is_transient;
    let device = devices::of(auth.store(), &caller)?;
    let mut entry = entry(&caller, device.as_ref(), &waiting.user.id, now);
    entry.second_at = now;
    let is_app_or_passkey = matches!(means, Means::Totp | Means::Passkey);
    entry.cleared = subject.cleared_by_success().filter(|_| is_app_or_passkey);
    if let Some(device) = entry.device.as_mut().filter(|_| remembers && !waiting.is_transient) {
        device.second_at = now;
    }
    entry.letter = letter(auth, &waiting.user, &caller, (means, is_known), now)?;
    Ok((device, entry))
}

/// How many wrong codes after the right password the user is told of.
const TOLD_AFTER: u32 = 5;

/// Tells a user by mail that someone knows their password, once that someone has given several wrong codes.
fn tell_of_known_password(
    auth: &Authenticator,
    user: &User,
    caller: &Caller,
    subject: &Subject,
    now: Moment,
) -> Result<()> {
    let (store, limits) = (auth.store(), &auth.rules.limits);
    let (Some(language), Some(id)) = (caller.notices, subject.cleared_by_success()) else {
        return Ok(());
    };
    if store.count(&id)?.is_none_or(|it| it.failures < TOLD_AFTER) {
        return Ok(());
    }
    mail::alarm(store, limits, (LetterKind::PasswordKnown, user, language), &caller.place, now)
}

/// The notice of a sign-in, if there is one: of the second factor that is set up, of a recovery code that is used, or
/// of a browser that is not known.
fn letter(
    auth: &Authenticator,
    user: &User,
    caller: &Caller,
    (means, is_known): (Means, bool),
    now: Moment,
) -> Result<Option<Letter>> {
    let Some(language) = caller.notices else { return Ok(None) };
    let kind = match means {
        Means::SetUp => LetterKind::SecondFactorOn,
        Means::Recovery(_) => LetterKind::RecoveryCodeUsed,
        Means::Totp | Means::Passkey if is_known => return Ok(None),
        Means::Totp | Means::Passkey => {
            let (store, limits) = (auth.store(), &auth.rules.limits);
            return mail::of_new_browser(store, limits, (user, language), &caller.place, now);
        }
    };
    Ok(mail::notice(kind, user, language, &caller.place, now))
}

enum Verified {
    Right(FactorProof<'static>, Means),
    Refused(CodeFailure),
    Wait(Duration),
}

/// The one place where a code is compared. A code of an app is counted under `subject` before it is looked at, and its
/// success clears that: nothing holds up many codes at the same moment as a slow hash does passwords.
fn verify(
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

fn note_failure(auth: &Authenticator, subject: &Subject, now: Moment) -> Result<()> {
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
enum VerifiedNew {
    App(Totp),
    Passkey(PasskeyUse),
}

impl VerifiedNew {
    const fn proof<'a>(&'a self, codes: &'a [TokenHash]) -> FactorProof<'a> {
        match self {
            Self::App(app) => FactorProof::NewApp(app, codes),
            Self::Passkey(passkey_use) => FactorProof::NewPasskey(passkey_use, codes),
        }
    }
}

fn verify_new(
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
