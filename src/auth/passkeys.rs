//! Passkeys: adding, using and removing them.
//!
//! A passkey that verifies its user by a PIN, a finger or a face is two factors in one and signs in alone; any is a
//! second factor behind the password (NIST SP 800-63B-4 §§ 2.2.2, 3.2.5). Decides what a challenge is for and how long
//! it is accepted, which passkey a use is of, and when one seems to be cloned. The ceremony itself is checked by
//! `base/webauthn`. Knows nothing of HTTP, nor of scripts in browsers.

use std::time::Duration;

use crate::auth::Authenticator;
use crate::auth::devices;
use crate::auth::mail::{self, LetterKind};
use crate::auth::sessions;
use crate::auth::sign_in::{Admission, Caller, entry};
use crate::auth::throttle::{self, Subject};
use crate::base::clock::Moment;
use crate::base::mac;
use crate::base::token::{self, TokenHash, hex};
use crate::base::webauthn::{
    AuthenticationResponse, ChallengeId, ChallengeRule, ExpectedResponse, PasskeyKey,
    RegistrationResponse, RelyingParty, ResponseFlaw, read_authentication, read_registration,
    write_challenge,
};
use crate::store::{
    Letter, Passkey, PasskeyAccepted, PasskeyAdded, PasskeyRemoved, PasskeyUse, Result, Session,
    Store, UsedChallenge, User, UserId,
};

/// The most passkeys of one user.
pub const PASSKEYS_MAX: u32 = 20;

/// How long a challenge is accepted.
const LIFE: Duration = Duration::from_secs(10 * 60);

/// How long a challenge of the sign-in page is accepted, which people leave open.
const SIGN_IN_LIFE: Duration = Duration::from_secs(60 * 60);

/// What separates the key of challenges from all other uses of the database's own key.
const KEY_PURPOSE: &str = "challenge key";

/// What separates the handles of users from all other uses of it.
const HANDLE_PURPOSE: &str = "user handle";

/// What a challenge is for. One of another page, session or sign-in is not accepted.
#[derive(Clone, Copy)]
pub enum ChallengePurpose<'a> {
    /// Adding a passkey, by this user in this session.
    Add(&'a UserId, &'a TokenHash),
    /// Signing in.
    SignIn,
    /// The second step of the sign-in that waits under this token.
    SecondStep(&'a TokenHash),
    /// Turning the second factor on or off in this session, or replacing its recovery codes.
    SecondFactor(&'a TokenHash),
    /// Proving the user once more in this session.
    Prove(&'a TokenHash),
}

impl ChallengePurpose<'_> {
    /// The text that is authenticated with a challenge. No two purposes have one text: an id of a user is followed by
    /// a hash of a fixed length.
    fn text(self) -> String {
        let hash = |it: &TokenHash| hex(it.as_bytes());
        match self {
            Self::Add(user, session) => format!("add:{}:{}", user.as_str(), hash(session)),
            Self::SignIn => "sign_in".to_owned(),
            Self::SecondStep(token) => format!("second_step:{}", hash(token)),
            Self::SecondFactor(session) => format!("second_factor:{}", hash(session)),
            Self::Prove(session) => format!("prove:{}", hash(session)),
        }
    }

    const fn life(self) -> Duration {
        match self {
            Self::SignIn => SIGN_IN_LIFE,
            Self::Add(..) | Self::SecondStep(_) | Self::SecondFactor(_) | Self::Prove(_) => LIFE,
        }
    }

    /// Whether a passkey has to verify its user for this. As a second factor it need not: the password is given too.
    const fn needs_verification(self) -> bool {
        match self {
            Self::Add(..) | Self::SignIn | Self::Prove(_) => true,
            Self::SecondStep(_) | Self::SecondFactor(_) => false,
        }
    }
}

/// A new challenge, in base64url. Nothing is written for it.
pub fn challenge(store: &dyn Store, purpose: ChallengePurpose<'_>, now: Moment) -> String {
    write_challenge(&key(store), &purpose.text(), now)
}

/// The key of the challenges of all servers on one database.
fn key(store: &dyn Store) -> [u8; 32] {
    mac::code(store.handle_key(), KEY_PURPOSE, &[])
}

/// What passkeys know a user as. It is the same for each of them, so that an authenticator keeps one for each account,
/// and it tells nothing about the user: the ids of imported users may be names (WebAuthn § 14.6.1).
pub fn user_handle(store: &dyn Store, user: &UserId) -> [u8; 32] {
    mac::code(store.handle_key(), HANDLE_PURPOSE, user.as_str().as_bytes())
}

/// Why a passkey is refused. A visitor is told the same of each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PasskeyFailure {
    /// The answer of the browser is wrong.
    Response(ResponseFlaw),
    /// There is no such passkey.
    Unknown,
    /// It was made for another domain than this site has now.
    OtherDomain,
    /// It belongs to another user.
    OtherUser,
    /// It is a second factor only, and was used to sign in alone.
    SecondFactorOnly,
    /// Its owner is disabled.
    Disabled,
    /// Its owner has to verify their address first, for which they sign in with their password.
    Unverified,
    /// It has counted no more uses than before: it may have been cloned (WebAuthn § 6.1.1).
    Cloned,
    /// The challenge was answered before, or the passkey was used or removed meanwhile.
    Used,
    /// The passkey that is to be added is known already.
    Taken,
    /// Passkeys are not offered by this site.
    NotOffered,
}

impl PasskeyFailure {
    /// The value of `reason` in the log.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Response(flaw) => flaw.reason(),
            Self::Unknown => "unknown",
            Self::OtherDomain => "other_domain",
            Self::OtherUser => "other_user",
            Self::SecondFactorOnly => "second_factor_only",
            Self::Disabled => "disabled",
            Self::Unverified => "unverified",
            Self::Cloned => "cloned",
            Self::Used => "used",
            Self::Taken => "taken",
            Self::NotOffered => "not_offered",
        }
    }
}

impl From<ResponseFlaw> for PasskeyFailure {
    fn from(flaw: ResponseFlaw) -> Self {
        Self::Response(flaw)
    }
}

/// Whether a passkey works on this site: it was made for the domain that the site has now.
pub fn fits(auth: &Authenticator, passkey: &Passkey) -> bool {
    auth.rules.passkeys.as_ref().is_some_and(|it| it.id == passkey.rp_id)
}

/// The passkeys of a user, the oldest first.
pub fn of_user(store: &dyn Store, user: &UserId) -> Result<Vec<Passkey>> {
    store.passkeys_of(user)
}

/// What stands for a passkey in forms and in the log.
pub fn handle(passkey: &Passkey) -> String {
    token::handle(&passkey.id)
}

/// What the owner of a new passkey says of it.
#[derive(Clone, Copy)]
pub struct PasskeyOrder<'a> {
    /// Its name, checked.
    pub name: &'a str,
    /// Whether it has to verify its user, so that it signs in alone.
    pub signs_in_alone: bool,
}

/// The result of adding a passkey.
pub enum Added {
    /// It is added.
    Done(Box<Passkey>),
    /// It is refused.
    Refused(PasskeyFailure),
    /// The user has [`PASSKEYS_MAX`] already.
    TooMany,
    /// The session has ended.
    SessionEnded,
}

/// Adds the passkey that a browser has made for a signed-in user, by its answer in JSON. `notice` tells the user.
pub fn add(
    auth: &Authenticator,
    (user, session): (&User, &Session),
    (answer, order): (&str, PasskeyOrder<'_>),
    notice: Option<&Letter>,
    now: Moment,
) -> Result<Added> {
    let store = auth.store();
    let purpose = ChallengePurpose::Add(&user.id, &session.id);
    let Some(site) = &auth.rules.passkeys else {
        return Ok(Added::Refused(PasskeyFailure::NotOffered));
    };
    let read = RegistrationResponse::read(answer).and_then(|response| {
        let key = key(store);
        let purpose_text = purpose.text();
        let rule = rule(&key, (&purpose_text, purpose.life()), now);
        let made = read_registration(&response, &expected(site, rule, order.signs_in_alone))?;
        Ok((made, response.transports))
    });
    let (made, transports) = match read {
        Ok(read) => read,
        Err(flaw) => return Ok(Added::Refused(flaw.into())),
    };
    let passkey = Passkey {
        id: made.id,
        user_id: user.id.clone(),
        user_handle: user_handle(store, &user.id).to_vec(),
        public_key: made.key.as_cose().to_vec(),
        sign_count: made.sign_count,
        rp_id: site.id.clone(),
        verifies_user: order.signs_in_alone,
        is_backed_up: made.is_backed_up,
        transports,
        name: order.name.to_owned(),
        created_at: now,
        used_at: None,
    };
    let challenge = used(made.challenge);
    Ok(match store.add_passkey(&passkey, &challenge, &session.id, PASSKEYS_MAX, notice)? {
        PasskeyAdded::Done => Added::Done(Box::new(passkey)),
        PasskeyAdded::Taken => Added::Refused(PasskeyFailure::Taken),
        PasskeyAdded::UsedChallenge => Added::Refused(PasskeyFailure::Used),
        PasskeyAdded::TooMany => Added::TooMany,
        PasskeyAdded::SessionEnded => Added::SessionEnded,
    })
}

/// The result of signing in with a passkey.
pub enum PasskeySignIn {
    /// A session has started, with both factors.
    Admitted(Box<Admission>),
    /// It is refused. With its owner, if one is known.
    Refused(PasskeyFailure, Option<UserId>),
    /// Too many attempts from this address have failed. This one was not looked at.
    Wait(Duration),
}

/// Signs the owner of a passkey in by it alone, by the browser's answer in JSON. The new session counts as one in which
/// both factors were given, and the password was proven.
pub fn sign_in(
    auth: &Authenticator,
    answer: &str,
    caller: &Caller,
    now: Moment,
) -> Result<PasskeySignIn> {
    let (store, rules) = (auth.store(), &auth.rules);
    let subject = Subject::passkey(store, &rules.limits, caller.address);
    if let Some(wait) = throttle::wait(store, &rules.limits, &subject, now)? {
        return Ok(PasskeySignIn::Wait(wait));
    }
    let refuse = |failure, user: Option<UserId>| {
        throttle::note(store, &rules.limits, &subject, now)?;
        Ok(PasskeySignIn::Refused(failure, user))
    };
    let (user, passkey_use) = match verify(auth, answer, (ChallengePurpose::SignIn, None), now)? {
        Ok(verified) => verified,
        Err(refused) => {
            tell_of_clone(auth, &refused, caller, now)?;
            return refuse(refused.failure, refused.owner.map(|it| it.id));
        }
    };
    if rules.has_to_verify(&user) {
        return refuse(PasskeyFailure::Unverified, Some(user.id));
    }
    let known = super::second_step::device_of(auth, &user, caller, now)?;
    let device = devices::of(store, caller)?;
    let mut entry = entry(caller, device.as_ref(), &user.id, now);
    entry.second_at = now;
    if let Some(language) = caller.notices.filter(|_| known.is_none()) {
        let whom = (&user, language);
        entry.letter = mail::of_new_browser(store, &rules.limits, whom, &caller.place, now)?;
    }
    let started = sessions::new(&rules.periods, &user.id, &entry, now);
    let (session, most) = (&started.session, rules.periods.most);
    match store.start_session_with_passkey(&passkey_use, session, most, &entry)? {
        PasskeyAccepted::Done => {}
        PasskeyAccepted::Used => return refuse(PasskeyFailure::Used, Some(user.id)),
        // The account was deleted or disabled meanwhile.
        PasskeyAccepted::Gone => return refuse(PasskeyFailure::Disabled, Some(user.id)),
    }
    Ok(PasskeySignIn::Admitted(Box::new(Admission { user, started, device, invite: None })))
}

/// Proves a signed-in user once more by a passkey of theirs that signs in alone, in the place of the password.
pub fn prove(
    auth: &Authenticator,
    (user, session): (&User, &Session),
    answer: &str,
    caller: &Caller,
    now: Moment,
) -> Result<std::result::Result<(), PasskeyFailure>> {
    let purpose = ChallengePurpose::Prove(&session.id);
    let passkey_use = match verify(auth, answer, (purpose, Some(user)), now)? {
        Ok((_, passkey_use)) => passkey_use,
        Err(refused) => {
            tell_of_clone(auth, &refused, caller, now)?;
            return Ok(Err(refused.failure));
        }
    };
    Ok(match auth.store().prove_with_passkey(&user.id, &passkey_use, &session.id)? {
        PasskeyAccepted::Done => Ok(()),
        PasskeyAccepted::Used | PasskeyAccepted::Gone => Err(PasskeyFailure::Used),
    })
}

/// The use of a passkey of this user as a second factor.
pub(super) fn second_factor(
    auth: &Authenticator,
    (user, purpose): (&User, ChallengePurpose<'_>),
    answer: &str,
    caller: &Caller,
    now: Moment,
) -> Result<std::result::Result<PasskeyUse, PasskeyFailure>> {
    Ok(match verify(auth, answer, (purpose, Some(user)), now)? {
        Ok((_, passkey_use)) => Ok(passkey_use),
        Err(refused) => {
            tell_of_clone(auth, &refused, caller, now)?;
            Err(refused.failure)
        }
    })
}

/// Gives a passkey of a user another name, which was checked. `false` if they have none with this handle.
pub fn rename(store: &dyn Store, user: &UserId, wanted: &str, name: &str) -> Result<bool> {
    match find(store, user, wanted)? {
        Some(passkey) => store.rename_passkey(user, &passkey.id, name),
        None => Ok(false),
    }
}

/// The result of removing a passkey.
pub enum Removed {
    /// It is removed.
    Done(Box<Passkey>),
    /// The user has none with this handle.
    NotFound,
    /// The user has a second factor, and it is the last thing to give it with.
    LastFactor,
}

/// Removes a passkey of a user, by its handle. The last thing to give the second factor with is kept; of other passkeys
/// those for this site alone count, or all where no `site` is known. `notice` tells the user.
pub fn remove(
    store: &dyn Store,
    user: &UserId,
    (wanted, site): (&str, Option<&RelyingParty>),
    notice: Option<&Letter>,
) -> Result<Removed> {
    let Some(passkey) = find(store, user, wanted)? else { return Ok(Removed::NotFound) };
    Ok(match store.remove_passkey(user, &passkey.id, site.map(|it| &*it.id), notice)? {
        PasskeyRemoved::Done => Removed::Done(Box::new(passkey)),
        PasskeyRemoved::NotFound => Removed::NotFound,
        PasskeyRemoved::LastFactor => Removed::LastFactor,
    })
}

fn find(store: &dyn Store, user: &UserId, wanted: &str) -> Result<Option<Passkey>> {
    Ok(store.passkeys_of(user)?.into_iter().find(|it| handle(it) == wanted))
}

/// A use that is refused, with the owner of the passkey if one is known.
struct RefusedUse {
    failure: PasskeyFailure,
    owner: Option<User>,
}

/// The one place where the use of a passkey is verified. Without an `owner` it signs in alone: it has to verify its user,
/// and may be anyone's. Of a user who proves themselves it has to verify them as well; as a second factor it need not.
/// What was true of it when it was added is not enough: of an imported passkey it may not be known.
fn verify(
    auth: &Authenticator,
    answer: &str,
    (purpose, owner): (ChallengePurpose<'_>, Option<&User>),
    now: Moment,
) -> Result<std::result::Result<(User, PasskeyUse), RefusedUse>> {
    let store = auth.store();
    let refused = |failure, owner| Ok(Err(RefusedUse { failure, owner }));
    let Some(site) = &auth.rules.passkeys else {
        return refused(PasskeyFailure::NotOffered, None);
    };
    let response = match AuthenticationResponse::read(answer) {
        Ok(response) => response,
        Err(flaw) => return refused(flaw.into(), None),
    };
    let Some((user, passkey)) = store.passkey(&response.id)? else {
        return refused(PasskeyFailure::Unknown, None);
    };
    let needs_verification = purpose.needs_verification();
    if let Some(failure) = mismatch(site, &passkey, (&user, owner), needs_verification, &response) {
        return refused(failure, Some(user));
    }
    match use_of(store, site, (&response, &passkey), purpose, now) {
        Ok(passkey_use) => Ok(Ok((user, passkey_use))),
        Err(failure) => refused(failure, Some(user)),
    }
}

/// What an answer signs, if its signature is right and its count fits.
fn use_of(
    store: &dyn Store,
    site: &RelyingParty,
    (response, passkey): (&AuthenticationResponse, &Passkey),
    purpose: ChallengePurpose<'_>,
    now: Moment,
) -> std::result::Result<PasskeyUse, PasskeyFailure> {
    let public_key = PasskeyKey::from_cose(&passkey.public_key).ok_or(ResponseFlaw::PublicKey)?;
    let (key, purpose_text) = (key(store), purpose.text());
    let rule = rule(&key, (&purpose_text, purpose.life()), now);
    let expected = expected(site, rule, purpose.needs_verification());
    let found = read_authentication(response, &public_key, &expected)?;
    let counts = found.sign_count != 0 || passkey.sign_count != 0;
    if counts && found.sign_count <= passkey.sign_count {
        return Err(PasskeyFailure::Cloned);
    }
    Ok(PasskeyUse {
        id: passkey.id.clone(),
        known_count: passkey.sign_count,
        sign_count: found.sign_count,
        is_backed_up: found.is_backed_up,
        challenge: used(found.challenge),
        at: now,
    })
}

/// Why a passkey cannot be used here, whatever it has signed.
fn mismatch(
    site: &RelyingParty,
    passkey: &Passkey,
    (user, owner): (&User, Option<&User>),
    needs_verification: bool,
    response: &AuthenticationResponse,
) -> Option<PasskeyFailure> {
    let known = (&response.user_handle, &passkey.user_handle);
    if owner.is_some_and(|it| it.id != user.id)
        || (!known.0.is_empty() && !known.1.is_empty() && known.0 != known.1)
    {
        return Some(PasskeyFailure::OtherUser);
    }
    if passkey.rp_id != site.id {
        return Some(PasskeyFailure::OtherDomain);
    }
    if user.disabled_at.is_some() {
        return Some(PasskeyFailure::Disabled);
    }
    (needs_verification && !passkey.verifies_user).then_some(PasskeyFailure::SecondFactorOnly)
}

/// Tells the owner of a passkey that seems to be cloned.
fn tell_of_clone(
    auth: &Authenticator,
    refused: &RefusedUse,
    caller: &Caller,
    now: Moment,
) -> Result<()> {
    let is_clone = refused.failure == PasskeyFailure::Cloned;
    let owner = refused.owner.as_ref().filter(|_| is_clone);
    let Some((owner, language)) = owner.zip(caller.notices) else { return Ok(()) };
    let (store, limits) = (auth.store(), &auth.rules.limits);
    mail::alarm(store, limits, (LetterKind::PasskeyCloned, owner, language), &caller.place, now)
}

const fn rule<'a>(
    key: &'a [u8; 32],
    (purpose, life): (&'a str, Duration),
    now: Moment,
) -> ChallengeRule<'a> {
    ChallengeRule { key, purpose, life, now }
}

const fn expected<'a>(
    relying_party: &'a RelyingParty,
    challenge: ChallengeRule<'a>,
    needs_verification: bool,
) -> ExpectedResponse<'a> {
    ExpectedResponse { relying_party, challenge, needs_verification }
}

const fn used(challenge: ChallengeId) -> UsedChallenge {
    UsedChallenge { id: challenge.id, expires_at: challenge.until }
}
