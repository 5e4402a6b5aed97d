//! Passkeys: what browsers are asked for, the way in with one, and the page on which users add, rename and remove
//! theirs.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::reauthentication::lead_to;
use super::sign_in::{self, SignForm, admitted, caller, noting_user, sign_in_again};
use crate::auth::events::Event;
use crate::auth::mail::LetterKind;
use crate::auth::passkeys::{
    self, Added, ChallengePurpose, PASSKEYS_MAX, PasskeyOrder, PasskeySignIn, Removed,
};
use crate::auth::sessions;
use crate::base::display_name::display_name;
use crate::base::token::Token;
use crate::base::webauthn::{PasskeyKey, RelyingParty, encode};
use crate::store::{Error, Passkey, UserId};
use crate::web::call::{Answered, Call, SignedInCall, note_of};
use crate::web::http::{Note, Response, Wants};
use crate::web::openapi::{array, kind, moment, object, optional, or_null};
use crate::web::pages::passkeys::{self as pages, PasskeyPage, PasskeyRow};
use crate::web::pages::{Alert, Told};
use crate::web::refusals::Refusal;
use crate::web::status_messages::StatusMessage;
use crate::web::{Site, json, running_script};

const HERE: &str = "/account/passkeys";

/// How long a browser waits for its user, in milliseconds (WebAuthn § 15.1 recommends 300,000).
const TIMEOUT: u32 = 300_000;

/// Whether passkeys work on a site.
pub(in crate::web) fn are_offered(site: &Site) -> bool {
    site.auth.rules.passkeys.is_some()
}

// What browsers are asked for: `PublicKeyCredentialRequestOptionsJSON` and `PublicKeyCredentialCreationOptionsJSON`.

/// The options of the sign-in page: any passkey of this site that verifies its user. `None`: none works here.
pub(super) fn options_at_sign_in(call: &Call<'_>) -> Option<Value> {
    let site = call.site.auth.rules.passkeys.as_ref()?;
    Some(request_options(call, site, (ChallengePurpose::SignIn, "required"), None))
}

/// The options of the second step: a passkey of the user who signs in. `None`: they have none that works here.
pub(super) fn options_at_second_step(
    call: &Call<'_>,
    user: &UserId,
    token: &Token,
) -> Result<Option<Value>, Error> {
    options_of_second_factor(call, user, ChallengePurpose::SecondStep(&token.hash()))
}

/// The options of the pages on which a signed-in user turns the second factor on and off: a passkey of theirs. `None`:
/// they have none that works here.
pub(super) fn options_to_change_factors(call: &SignedInCall<'_>) -> Result<Option<Value>, Error> {
    let purpose = ChallengePurpose::SecondFactor(&call.session().id);
    options_of_second_factor(call, &call.user().id, purpose)
}

fn options_of_second_factor(
    call: &Call<'_>,
    user: &UserId,
    purpose: ChallengePurpose<'_>,
) -> Result<Option<Value>, Error> {
    let Some(site) = &call.site.auth.rules.passkeys else { return Ok(None) };
    let own = fitting(call, user)?;
    if own.is_empty() {
        return Ok(None);
    }
    Ok(Some(request_options(call, site, (purpose, "discouraged"), Some(&own))))
}

/// The options of the page where users prove themselves: a passkey of theirs that signs in alone. `None`: they have none
/// that works here.
pub(super) fn options_to_prove(call: &SignedInCall<'_>) -> Result<Option<Value>, Error> {
    let Some(site) = &call.site.auth.rules.passkeys else { return Ok(None) };
    let mut own = fitting(call, &call.user().id)?;
    own.retain(|it| it.verifies_user);
    if own.is_empty() {
        return Ok(None);
    }
    let purpose = (ChallengePurpose::Prove(&call.session().id), "required");
    Ok(Some(request_options(call, site, purpose, Some(&own))))
}

fn fitting(call: &Call<'_>, user: &UserId) -> Result<Vec<Passkey>, Error> {
    let mut own = passkeys::of_user(call.store(), user)?;
    own.retain(|it| passkeys::fits(&call.site.auth, it));
    Ok(own)
}

fn request_options(
    call: &Call<'_>,
    site: &RelyingParty,
    (purpose, verification): (ChallengePurpose<'_>, &str),
    allowed: Option<&[Passkey]>,
) -> Value {
    let mut options = json!({
        "challenge": passkeys::challenge(call.store(), purpose, call.now),
        "rpId": site.id,
        "userVerification": verification,
        "timeout": TIMEOUT,
    });
    if let Some(allowed) = allowed {
        options["allowCredentials"] = descriptors(allowed);
    }
    options
}

/// The options for a new passkey of a user: one that signs in alone, or one that is a second factor only.
fn creation_options(
    call: &SignedInCall<'_>,
    site: &RelyingParty,
    own: &[Passkey],
    signs_in_alone: bool,
) -> Value {
    let (user, session) = (call.user(), call.session());
    let purpose = ChallengePurpose::Add(&user.id, &session.id);
    let demand = if signs_in_alone { "required" } else { "discouraged" };
    let name = call.site.settings.look.own_title().unwrap_or_else(|| site.origin.host());
    let algorithms = PasskeyKey::ALGORITHMS.map(|it| json!({ "type": "public-key", "alg": it }));
    json!({
        "challenge": passkeys::challenge(call.store(), purpose, call.now),
        "rp": { "id": site.id, "name": name },
        "user": {
            "id": encode(&passkeys::user_handle(call.store(), &user.id)),
            "name": user.username,
            "displayName": user.username,
        },
        "pubKeyCredParams": algorithms,
        "excludeCredentials": descriptors(own),
        "authenticatorSelection": {
            "residentKey": demand,
            "requireResidentKey": signs_in_alone,
            "userVerification": demand,
        },
        "attestation": "none",
        "timeout": TIMEOUT,
    })
}

fn descriptors(passkeys: &[Passkey]) -> Value {
    let of = |it: &Passkey| {
        let transports = it.transports.split(',').filter(|it| !it.is_empty());
        let transports: Vec<_> = transports.collect();
        json!({ "type": "public-key", "id": encode(&it.id), "transports": transports })
    };
    passkeys.iter().map(of).collect()
}

/// The answer of a passkey that a form carries. `None`: it has none.
pub(super) fn answer<'a>(call: &Call<'a>) -> Option<Cow<'a, str>> {
    call.field("credential").filter(|it| !it.is_empty())
}

// The way in.

/// Signs a visitor in by a passkey alone.
pub(in crate::web) fn sign_in(call: &Call<'_>) -> Answered {
    let requester = call.requester()?;
    let presented = requester.token().map(Token::hash);
    let mut caller = caller(SignForm::SignIn, call, presented);
    caller.place.is_transient = sign_in::is_transient(call.fields);
    let answer = call.field("credential").unwrap_or_default();
    let response = match passkeys::sign_in(&call.site.auth, &answer, &caller, call.now)? {
        PasskeySignIn::Admitted(admission) => {
            let note = note_of(Event::LoginOk, &admission.user, &admission.started.session);
            admitted(call, &admission, note.with("by", "passkey"))
        }
        PasskeySignIn::Refused(failure, user) => {
            refuse_sign_in(call, &Refusal::PasskeyRefused(failure, user))?
        }
        PasskeySignIn::Wait(wait) => refuse_sign_in(call, &Refusal::TooManyAttempts(wait))?,
    };
    Ok(call.noting_refused_next(response))
}

fn refuse_sign_in(call: &Call<'_>, refusal: &Refusal) -> Answered {
    let response =
        refusal.response(call, |status, alert| Ok(sign_in_again(call, status, alert)))?;
    let note = Note::of(refusal.event(Event::PasskeyFail)).because(refusal.reason());
    Ok(response.noting(noting_user(note, refusal.user())))
}

// The page of a user's passkeys.

pub(in crate::web) fn show(call: &SignedInCall<'_>) -> Answered {
    let is_recent = sessions::is_recent(call.session(), call.now);
    if call.wants() == Wants::Html && call.field("new").is_some() && !is_recent {
        return Ok(lead_to(call, HERE));
    }
    page(call, 200, None)
}

/// The response in JSON, for docs/openapi.json. The options for a new one are there if the password was given lately.
pub(in crate::web) fn schema() -> Value {
    let text = || kind("string");
    let passkey = object(&[
        ("passkey", text()),
        ("name", text()),
        ("created_at", moment()),
        ("used_at", or_null(moment())),
        ("signs_in_alone", kind("boolean")),
        ("domain", text()),
    ]);
    let always = object(&[("passkeys", array(&passkey))]);
    optional(always, &[("creation_options", kind("object"))])
}

/// The response in JSON to a passkey that was added, for docs/openapi.json.
pub(in crate::web) fn schema_of_added() -> Value {
    object(&[("passkey", kind("string"))])
}

pub(in crate::web) fn add(call: &SignedInCall<'_>) -> Answered {
    let name = call.field("name");
    let Some(name) = name.as_deref().and_then(display_name) else {
        return refuse(call, &Refusal::InvalidDisplayName);
    };
    if !sessions::is_recent(call.session(), call.now) {
        return refuse(call, &Refusal::PasswordRequired);
    }
    let signs_in_alone = call.field("kind").as_deref() != Some("second_factor");
    let (answer, order) =
        (call.field("credential").unwrap_or_default(), PasskeyOrder { name, signs_in_alone });
    let notice = call.notice(LetterKind::PasskeyAdded, call.user());
    let (auth, who) = (&call.site.auth, (call.user(), call.session()));
    match passkeys::add(auth, who, (&answer, order), notice.as_ref(), call.now)? {
        Added::Done(passkey) => {
            let data = json!({ "passkey": passkeys::handle(&passkey) });
            let response = call.telling(call.done(HERE, &data), StatusMessage::PasskeyAdded);
            Ok(response.noting(of_passkey(call.note(Event::PasskeyAdd), &passkey)))
        }
        Added::Refused(failure) => {
            let user = call.user().id.clone();
            refuse(call, &Refusal::PasskeyRefused(failure, Some(user)))
        }
        Added::TooMany => refuse(call, &Refusal::TooManyPasskeys),
        Added::SessionEnded => Ok(call.unauthenticated()),
    }
}

pub(in crate::web) fn rename(call: &SignedInCall<'_>) -> Answered {
    let name = call.field("name");
    let Some(name) = name.as_deref().and_then(display_name) else {
        return refuse(call, &Refusal::InvalidDisplayName);
    };
    let handle = call.field("passkey").unwrap_or_default();
    Ok(if passkeys::rename(call.store(), &call.user().id, &handle, name)? {
        let response = call.done(HERE, &json!({ "renamed": 1 }));
        call.telling(response, StatusMessage::PasskeyRenamed)
    } else {
        call.problem(404, |t| t.no_passkey)
    })
}

pub(in crate::web) fn remove(call: &SignedInCall<'_>) -> Answered {
    let handle = call.field("passkey").unwrap_or_default();
    let notice = call.notice(LetterKind::PasskeyRemoved, call.user());
    let which = (&*handle, call.site.auth.rules.passkeys.as_ref());
    match passkeys::remove(call.store(), &call.user().id, which, notice.as_ref())? {
        Removed::Done(passkey) => {
            let response = call.done(HERE, &json!({ "removed": 1 }));
            let response = call.telling(response, StatusMessage::PasskeyRemoved);
            Ok(response.noting(of_passkey(call.note(Event::PasskeyRemove), &passkey)))
        }
        Removed::NotFound => Ok(call.problem(404, |t| t.no_passkey)),
        Removed::LastFactor => refuse(call, &Refusal::LastFactor),
    }
}

fn of_passkey(note: Note, passkey: &Passkey) -> Note {
    note.with("passkey", passkeys::handle(passkey))
}

fn refuse(call: &SignedInCall<'_>, refusal: &Refusal) -> Answered {
    let response = refusal.response(call, |status, alert| page(call, status, Some(alert)))?;
    Ok(response.noting(refusal.note(call, Event::PasskeyFail)))
}

fn page(call: &SignedInCall<'_>, status: u16, refusal: Option<Alert>) -> Answered {
    let own = passkeys::of_user(call.store(), &call.user().id)?;
    let site = call.site.auth.rules.passkeys.as_ref();
    let is_full = own.len() >= PASSKEYS_MAX as usize;
    let site = site.filter(|_| !is_full && sessions::is_recent(call.session(), call.now));
    let options = |signs_in_alone| site.map(|it| creation_options(call, it, &own, signs_in_alone));
    if call.wants() == Wants::Json {
        let all: Vec<_> = own.iter().map(json::passkey).collect();
        let mut data = json!({ "passkeys": all });
        if let Some(options) = options(true) {
            data["creation_options"] = options;
        }
        return Ok(Response::json(status, &data));
    }
    let texts = options(true)
        .zip(options(false))
        .map(|(alone, second)| [alone.to_string(), second.to_string()]);
    let rows: Vec<_> = own.iter().map(|it| row(call, it)).collect();
    let browser = call.place().browser;
    let name = call.field("name").filter(|_| refusal.is_some());
    let shown = PasskeyPage {
        name: name.as_deref().unwrap_or(&browser),
        options: texts.as_ref().map(|[alone, second]| [&**alone, &**second]),
        is_full,
        refusal,
    };
    let response = call.page(status, |frame| pages::passkeys(frame, &rows, &shown));
    Ok(if texts.is_some() { running_script(response) } else { response })
}

fn row(call: &SignedInCall<'_>, it: &Passkey) -> PasskeyRow {
    let told = |at| Told { at, now: call.now };
    PasskeyRow {
        handle: passkeys::handle(it),
        name: it.name.clone(),
        added: told(it.created_at),
        used: it.used_at.map(told),
        signs_in_alone: it.verifies_user,
        made_for: (!passkeys::fits(&call.site.auth, it)).then(|| it.rp_id.clone()),
    }
}
