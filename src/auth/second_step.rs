//! The second step of a sign-in: after the right password it waits for the second factor.
//!
//! A sign-in that waits is a one-time token, and no session exists before both factors were given (OWASP ASVS 6.3.3,
//! 6.5.1). Whether a factor is right is decided by [`super::second_factors`]. Knows nothing of HTTP.

use std::time::Duration;

use crate::auth::Authenticator;
use crate::auth::devices::{self, DEVICE_LIFE};
use crate::auth::mail::{self, LetterKind};
use crate::auth::one_time_tokens;
use crate::auth::passkeys::{self, ChallengePurpose, PasskeyFailure};
use crate::auth::second_factors::{
    CodeFailure, GivenFactor, Means, NewFactor, Verified, VerifiedNew, note_failure, verify,
    verify_new,
};
use crate::auth::sessions;
use crate::auth::sign_in::{Admission, Caller, entry};
use crate::auth::throttle::Subject;
use crate::base::clock::Moment;
use crate::base::recovery_code::RecoveryCode;
use crate::base::token::{Token, TokenHash};
use crate::store::{
    CountId, Device, Epoch, FactorProof, Letter, OneTimeTokenAdded, PasskeyUse, Purpose, Result,
    SecondStepDone, SessionStart, User, UserId,
};

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

/// What a second step is finished with.
pub enum Given<'a> {
    /// The second factor.
    Factor(GivenFactor<'a>),
    /// A new one, and the recovery codes that the user is shown afterwards.
    New(NewFactor<'a>, &'a [RecoveryCode]),
}

/// Finishes a sign-in that waits: uses up the code, and starts a session with a new token. If the user wants this
/// browser to be remembered, the password alone is enough in it for [`super::second_factors::SecondFactorRules::remember`].
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
    let whose = (user, ChallengePurpose::SecondStep(&hash));
    let (proven, means) = match prove(auth, whose, given, (caller, &subject), now)? {
        Ok(proven) => proven,
        Err(finished) => return Ok(finished),
    };
    let is_known = known.is_some();
    let (device, entry) =
        session_start(auth, &waiting, (caller, remembers), (means, is_known), &subject, now)?;
    let periods = &auth.rules.periods;
    let started = sessions::new(periods, &user.id, &entry, now);
    let session = &started.session;
    let done = store.finish_second_step(&hash, &proven.proof(), session, periods.most, &entry)?;
    Ok(match done {
        SecondStepDone::Done => {
            let admission = Admission { user: waiting.user, started, device, invite: None };
            Finished::Admitted(Box::new(admission), means)
        }
        SecondStepDone::Gone => Finished::Gone,
        SecondStepDone::UsedCode => {
            note_failure(auth, &subject, now)?;
            Finished::Refused(proven.used(), waiting.user.id)
        }
    })
}

/// A second factor that is right, until the store uses it up.
enum ProvenFactor {
    Code(FactorProof<'static>),
    Passkey(PasskeyUse),
    New(VerifiedNew, Vec<TokenHash>),
}

impl ProvenFactor {
    fn proof(&self) -> FactorProof<'_> {
        match self {
            Self::Code(proof) => *proof,
            Self::Passkey(passkey_use) => FactorProof::Passkey(passkey_use),
            Self::New(new, codes) => new.proof(codes),
        }
    }

    /// Why it is refused if it was used meanwhile.
    const fn used(&self) -> CodeFailure {
        match self {
            Self::Passkey(_) | Self::New(VerifiedNew::Passkey(_), _) => {
                CodeFailure::Passkey(PasskeyFailure::Used)
            }
            Self::Code(_) | Self::New(VerifiedNew::App(_), _) => CodeFailure::UsedCode,
        }
    }
}

/// The second factor that a sign-in gives, or how the sign-in goes on without it.
fn prove(
    auth: &Authenticator,
    (user, purpose): (&User, ChallengePurpose<'_>),
    given: &Given<'_>,
    (caller, subject): (&Caller, &Subject),
    now: Moment,
) -> Result<std::result::Result<(ProvenFactor, Means), Finished>> {
    let refused = |failure| Finished::Refused(failure, user.id.clone());
    Ok(match given {
        Given::Factor(GivenFactor::Passkey(answer)) => {
            passkeys::second_factor(auth, (user, purpose), answer, caller, now)?
                .map(|it| (ProvenFactor::Passkey(it), Means::Passkey))
                .map_err(|failure| refused(failure.into()))
        }
        Given::New(..) if user.second_factor_since.is_some() => Err(Finished::Gone),
        Given::New(factor, codes) => {
            let hashes = codes.iter().map(RecoveryCode::hash).collect();
            verify_new(auth, (user, purpose), *factor, caller, now)?
                .map(|new| (ProvenFactor::New(new, hashes), Means::SetUp))
                .map_err(refused)
        }
        Given::Factor(GivenFactor::Code(code)) => {
            match verify(auth, &user.id, *code, subject, now)? {
                Verified::Right(proof, means) => Ok((ProvenFactor::Code(proof), means)),
                Verified::Refused(failure) => {
                    tell_of_known_password(auth, user, caller, subject, now)?;
                    Err(refused(failure))
                }
                Verified::Wait(wait) => Err(Finished::Wait(wait, user.id.clone())),
            }
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
