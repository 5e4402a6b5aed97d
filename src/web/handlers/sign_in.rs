//! Sign-up, sign-in and sign-out: the forms, and the responses to them.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use url::form_urlencoded;

use crate::auth::audit;
use crate::auth::devices;
use crate::auth::events::Event;
use crate::auth::invitations::{self, SignUps};
use crate::auth::keys::ProofFailure;
use crate::auth::password_policy::{self, Flaw};
use crate::auth::second_step::SecondStep;
use crate::auth::sessions;
use crate::auth::sign_in::{self, Admission, Caller, SignIn, SignUp};
use crate::auth::usernames::Username;
use crate::auth::users;
use crate::base::clock::Moment;
use crate::base::email_address;
use crate::base::password::Password;
use crate::base::token::{Token, TokenHash};
use crate::store::{Error, Invite, User, UserId};
use crate::web::call::{Answered, Call, Credential, SignedInCall, note_of};
use crate::web::handlers::forward_auth::portal_target;
use crate::web::handlers::passkeys;
use crate::web::handlers::second_step;
use crate::web::http::{Cookie, Form, Method, Note, Response, Wants};
use crate::web::pages::{self, Alert, EmailInput, Filled, Remember};
use crate::web::redirect::{self, Target};
use crate::web::refusals::Refusal;
use crate::web::settings::SignUpEmail;
use crate::web::status_messages::StatusMessage;
use crate::web::{client_ip, json, leading_to, running_script};

/// How long after a sign-up the same form may arrive again by a double click.
const REPEATED: Duration = Duration::from_secs(10);

/// The forms that lead to a session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum SignForm {
    SignUp,
    SignIn,
}

/// The outcome of a form.
enum Submitted {
    Admitted(Box<Admission>),
    /// The second factor is due. With the invitation that was used, if an account was created.
    Waiting(Box<SecondStep>, Option<TokenHash>),
    /// The account was created, with this invitation, and its owner has to verify its address.
    ToVerify(Box<User>, Option<TokenHash>),
    Refused(Refusal),
}

pub(in crate::web) fn show_sign_up(call: &Call<'_>) -> Answered {
    show(SignForm::SignUp, call)
}

pub(in crate::web) fn show_sign_in(call: &Call<'_>) -> Answered {
    show(SignForm::SignIn, call)
}

pub(in crate::web) fn sign_up(call: &Call<'_>) -> Answered {
    submit(SignForm::SignUp, call).map(|it| call.noting_refused_next(it))
}

pub(in crate::web) fn sign_in(call: &Call<'_>) -> Answered {
    submit(SignForm::SignIn, call).map(|it| call.noting_refused_next(it))
}

/// The form to create an account, filled as it was sent.
pub(in crate::web) fn sign_up_again(call: &Call<'_>, status: u16, alert: Alert) -> Response {
    show_again(SignForm::SignUp, call, status, alert)
}

/// The form to sign in, filled as it was sent.
pub(in crate::web) fn sign_in_again(call: &Call<'_>, status: u16, alert: Alert) -> Response {
    show_again(SignForm::SignIn, call, status, alert)
}

pub(in crate::web) fn sign_up_hashes(call: &Call<'_>) -> bool {
    may_be_invited(call) && read(SignForm::SignUp, call, name(SignForm::SignUp, call)).is_ok()
}

pub(in crate::web) fn sign_in_hashes(call: &Call<'_>) -> bool {
    read(SignForm::SignIn, call, name(SignForm::SignIn, call)).is_ok()
}

/// Shows the button that ends the session, since a link must not end it. A visitor who is not signed in is sent to
/// where the button leads.
pub(in crate::web) fn show_sign_out(call: &Call<'_>) -> Answered {
    let requester = call.requester()?;
    let next = call.next();
    let response = match &requester.resumed {
        it if call.wants() == Wants::Json => {
            Response::json(200, &json!({ "signed_in": it.is_some() }))
        }
        Some(it) => {
            let page =
                call.page(200, |frame| pages::sign_out(frame, &it.user.username, next.as_ref()));
            leading_to(page, next.as_ref())
        }
        None => lead_on(call, next.as_ref(), "/login"),
    };
    Ok(call.with_cookie(call.noting_refused_next(response), &requester))
}

pub(in crate::web) fn sign_out(call: &SignedInCall<'_>) -> Answered {
    sessions::end(call.store(), &call.session().id)?;
    let data = || json!({ "signed_in": false });
    let response = done(call, data, call.next().as_ref(), "/login");
    let response = call.telling(call.forget(response), StatusMessage::SignedOut);
    let response = call.noting_refused_next(response.noting(call.note(Event::Logout)));
    Ok(match call.requester.credential {
        Credential::LegacyCookie(_) => call.without_legacy_cookie(response),
        _ => response,
    })
}

/// Shows a form; a signed-in user is sent on to where they want to go, or to their profile.
fn show(form: SignForm, call: &Call<'_>) -> Answered {
    let requester = call.requester()?;
    if requester.resumed.is_none()
        && let Err(refusal) = invitation(form, call)?
    {
        return Ok(not_invited(call, &refusal));
    }
    let next = call.next();
    let response = match requester.resumed {
        _ if call.wants() == Wants::Json => {
            let shortest = match form {
                SignForm::SignUp => call.site.settings.policy().shortest(),
                SignForm::SignIn => 1,
            };
            let is_signed_in = requester.resumed.is_some();
            let names = call.site.settings.rules.names;
            let mut data = json::form(is_signed_in, fields(form, call), names, shortest);
            if let Some(options) =
                passkeys::options_at_sign_in(call).filter(|_| form == SignForm::SignIn)
            {
                data["request_options"] = options;
            }
            Response::json(200, &data)
        }
        Some(_) => lead_on(call, next.as_ref(), "/"),
        None if form == SignForm::SignIn && is_first_visit(call)? => lead_to_sign_up(call),
        None => {
            let invite = call.field("invite");
            let verify = verification(call);
            let passkey = passkey_options(form, call);
            let filled = Filled {
                passkey: passkey.as_deref(),
                next: next.as_ref(),
                invite: invite.as_deref(),
                verify: verify.as_ref().map(Token::reveal),
                is_open: call.site.settings.sign_ups == SignUps::Open,
                has_mail: call.site.settings.has_mail,
                names: call.site.settings.rules.names,
                email: email_input(form, call, ""),
                ..Filled::default()
            };
            let page = page(form, call, 200, &filled, call.site.settings.remember());
            leading_to(page, next.as_ref())
        }
    };
    Ok(call.with_cookie(call.noting_refused_next(response), &requester))
}

/// Sends a visitor without a session to the sign-in page, and a browser back to the page it asked for afterwards.
pub(in crate::web) fn lead_to(call: &Call<'_>) -> Response {
    let is_home = call.site.path(&call.request.path) == Some("/");
    if let Some(target) = portal_target(call).filter(|_| is_home) {
        return call.site.redirect(&redirect::way("/login", Some(target.as_str())));
    }
    if call.site.path(&call.request.path) == Some("/verify")
        && call.site.settings.rules.verifies_first
        && let Some(token) = call.field("token").and_then(|it| Token::parse(&it))
    {
        return call.site.redirect(&format!("/login?verify={}", token.reveal()));
    }
    if is_home || call.wants() != Wants::Html {
        return call.site.redirect("/login");
    }
    let here = call.request.target();
    let next: String = form_urlencoded::byte_serialize(here.as_bytes()).collect();
    call.site.redirect(&format!("/login?next={next}"))
}

/// Whether a browser shows the sign-in page of a site without accounts, on which anyone may create one. Scripts get
/// the form.
fn is_first_visit(call: &Call<'_>) -> Result<bool, Error> {
    let is_browser = call.request.value("sec-fetch-mode") == Some("navigate");
    let is_open = call.site.settings.sign_ups == SignUps::Open;
    Ok(is_browser && is_open && !users::has_any(call.store())?)
}

/// The sign-up form, with the address to go to afterwards.
fn lead_to_sign_up(call: &Call<'_>) -> Response {
    match call.request.query.as_str() {
        "" => call.site.redirect("/signup"),
        query => call.site.redirect(&format!("/signup?{query}")),
    }
}

fn submit(form: SignForm, call: &Call<'_>) -> Answered {
    let invitation = invitation(form, call)?;
    let requester = call.requester()?;
    let presented = requester.token().map(Token::hash);
    let mut caller = caller(form, call, presented);
    caller.place.is_transient = is_transient(call.fields);
    caller.email = email(form, call).ok().flatten();
    caller.invite = match invitation {
        Ok(invite) => invite,
        Err(refusal) => return Ok(not_invited(call, &refusal)),
    };
    let name = meant(form, call)?;
    let submitted = match read(form, call, name.clone()) {
        Ok((name, password)) => try_credentials(form, call, &name, &password, &caller)?,
        Err(refusal) => Submitted::Refused(refusal),
    };
    let refusal = match submitted {
        Submitted::Admitted(admission) => return Ok(admit(form, call, &admission)),
        Submitted::Waiting(step, invite) => return ask_further(form, call, &step, invite),
        Submitted::ToVerify(user, invite) => {
            let response = mailed(call).noting(note_of_unverified(call, &user, invite));
            return Ok(call.with_cookie(response, &requester));
        }
        Submitted::Refused(refusal) => refusal,
    };
    let again = match form {
        SignForm::SignUp if refusal.may_be_second_click() => submit_again(call, name.clone())?,
        SignForm::SignUp | SignForm::SignIn => None,
    };
    let response = match again {
        Some(Submitted::Admitted(admission)) => {
            return Ok(admit(SignForm::SignIn, call, &admission));
        }
        Some(Submitted::Waiting(step, _)) => {
            return ask_further(SignForm::SignIn, call, &step, None);
        }
        Some(Submitted::Refused(tried @ Refusal::Unverified(_))) => {
            mailed(call).noting(note_of_refusal(SignForm::SignIn, call, name.as_ref(), &tried))
        }
        // The response is that of the first refusal; the log says that a password was tried.
        Some(Submitted::Refused(tried)) => {
            let note = note_of_refusal(SignForm::SignIn, call, name.as_ref(), &tried);
            refuse(form, call, name.as_ref(), &refusal)?.noting(note)
        }
        Some(Submitted::ToVerify(..)) | None => refuse(form, call, name.as_ref(), &refusal)?,
    };
    Ok(call.with_cookie(response, &requester))
}

/// Signs in a user whose form arrives twice, as after a double click: the first one created the account,
/// but the browser shows only the second response, which would say that the name is taken. It is an
/// ordinary sign-in with the password in the form, to an account that is seconds old. Scripts do not send
/// the field `by_page`, and get the ordinary response. `None`: this is not such a case.
// LIMIT: an invitation for one account is used up by the first click, so the second fails.
fn submit_again(call: &Call<'_>, name: Option<Username>) -> Result<Option<Submitted>, Error> {
    let Ok((name, password)) = read(SignForm::SignUp, call, name) else { return Ok(None) };
    let user = users::by_name(call.store(), &name)?;
    let is_new = user.is_some_and(|user| call.now <= user.created_at.after(REPEATED));
    if call.field("by_page").is_none() || !is_new {
        return Ok(None);
    }
    // The first click has mailed a link, if one is needed.
    let mut caller = Caller { letters: None, ..caller(SignForm::SignIn, call, None) };
    caller.place.is_transient = is_transient(call.fields);
    try_credentials(SignForm::SignIn, call, &name, &password, &caller).map(Some)
}

/// The invitation that the request brings to this form, if any. The refusal is why no account can be
/// created.
fn invitation(form: SignForm, call: &Call<'_>) -> Result<Result<Option<Invite>, Refusal>, Error> {
    let sign_ups = call.site.settings.sign_ups;
    let presented = call.field("invite").filter(|_| form == SignForm::SignUp);
    let Some(presented) = presented else {
        return Ok(match (form, sign_ups) {
            (SignForm::SignIn, _) | (_, SignUps::Open) => Ok(None),
            (_, SignUps::Invite) => Err(Refusal::SignUpByInvitation),
            (_, SignUps::Closed) => Err(Refusal::SignUpClosed),
        });
    };
    let found = match Token::parse(&presented) {
        Some(token) => invitations::find(call.store(), sign_ups, &token, call.now)?,
        None => None,
    };
    Ok(found.map(Some).ok_or(Refusal::BadInvitation))
}

/// Whether an account might be created, as far as the form alone tells.
fn may_be_invited(call: &Call<'_>) -> bool {
    match call.field("invite") {
        Some(invite) => Token::parse(&invite).is_some(),
        None => call.site.settings.sign_ups == SignUps::Open,
    }
}

/// The token of a link that verifies an address, where that comes before signing in.
fn verification(call: &Call<'_>) -> Option<Token> {
    let is_wanted = call.site.settings.rules.verifies_first;
    call.field("verify").filter(|_| is_wanted).and_then(|it| Token::parse(&it))
}

/// The name in a form, if it is well-formed.
fn name(form: SignForm, call: &Call<'_>) -> Option<Username> {
    let typed = call.field("username")?;
    match form {
        SignForm::SignUp => call.site.settings.rules.names.for_sign_up(&typed),
        SignForm::SignIn => call.site.settings.name_at_sign_in(&typed),
    }
}

/// The name in a form; at sign-in the one that is meant by it.
fn meant(form: SignForm, call: &Call<'_>) -> Result<Option<Username>, Error> {
    match (form, name(form, call)) {
        (SignForm::SignIn, Some(name)) => {
            let name = users::meant(call.store(), name)?;
            if call.site.settings.has_mail {
                return users::meant_by_address(call.store(), name).map(Some);
            }
            Ok(Some(name))
        }
        (_, name) => Ok(name),
    }
}

/// The name and the password of a form, if they are well-formed.
fn read(
    form: SignForm,
    call: &Call<'_>,
    name: Option<Username>,
) -> Result<(Username, Password), Refusal> {
    let name = name.ok_or(Refusal::InvalidUsername(form, call.site.settings.rules.names))?;
    email(form, call)?;
    let typed = call.field("password");
    let password = typed.and_then(|typed| password_policy::read(&typed));
    let password = password.ok_or(Refusal::InvalidPassword)?;
    if form == SignForm::SignUp {
        check_new_password(call, &password, Some(&name))?;
    }
    Ok((name, password))
}

/// The e-mail address in a sign-up form, if it asks for one.
fn email(form: SignForm, call: &Call<'_>) -> Result<Option<String>, Refusal> {
    let asked =
        if form == SignForm::SignUp { call.site.settings.sign_up_email } else { SignUpEmail::Off };
    let typed = call.field("email");
    match (asked, typed.as_deref().map_or("", str::trim)) {
        (SignUpEmail::Off, _) | (SignUpEmail::Optional, "") => Ok(None),
        (_, typed) => email_address::typed(typed).map(Some).ok_or(Refusal::InvalidEmail),
    }
}

/// The field for an e-mail address, if the form has one, filled with what was typed.
fn email_input<'a>(form: SignForm, call: &Call<'_>, typed: &'a str) -> Option<EmailInput<'a>> {
    let asked = call.site.settings.sign_up_email;
    let is_there = form == SignForm::SignUp && asked != SignUpEmail::Off;
    is_there.then_some(EmailInput { typed, is_required: asked == SignUpEmail::Required })
}

/// The names of the fields of a form.
fn fields(form: SignForm, call: &Call<'_>) -> &'static [&'static str] {
    match email_input(form, call, "") {
        Some(_) => &["username", "email", "password"],
        None => &["username", "password"],
    }
}

/// Checks a new password against the operator's policy.
pub(in crate::web) fn check_new_password(
    call: &Call<'_>,
    password: &Password,
    name: Option<&Username>,
) -> Result<(), Refusal> {
    let policy = call.site.settings.policy();
    match name.and_then(|name| policy.flaw(password, name, &call.site.words)) {
        Some(flaw) => Err(Refusal::WeakPassword(flaw, policy)),
        None => Ok(()),
    }
}

fn try_credentials(
    form: SignForm,
    call: &Call<'_>,
    name: &Username,
    password: &Password,
    caller: &Caller,
) -> Result<Submitted, Error> {
    let auth = &call.site.auth;
    let refused = match form {
        SignForm::SignUp => match sign_in::sign_up(auth, name, password, caller, call.now)? {
            SignUp::Admitted(admission) => return Ok(Submitted::Admitted(admission)),
            SignUp::SecondStep(step, invite) => return Ok(Submitted::Waiting(step, invite)),
            SignUp::ToVerify(user, invite) => return Ok(Submitted::ToVerify(user, invite)),
            SignUp::NameTaken => Refusal::NameTaken(auth.rules.names),
            SignUp::NotInvited => Refusal::BadInvitation,
            SignUp::Wait(wait) => Refusal::TooManyAttempts(wait),
        },
        SignForm::SignIn => match sign_in::with_password(auth, name, password, caller, call.now)? {
            SignIn::Admitted(admission) => return Ok(Submitted::Admitted(admission)),
            SignIn::SecondStep(step) => return Ok(Submitted::Waiting(step, None)),
            SignIn::Refused(ProofFailure::Unverified(user)) => Refusal::Unverified(user),
            SignIn::Refused(why) => Refusal::IncorrectCredentials(why),
            SignIn::Wait(wait) => Refusal::TooManyAttempts(wait),
        },
    };
    Ok(Submitted::Refused(refused))
}

/// What is known of the caller. Sign-ups are limited only with an origin (`--origin`): developers who try
/// the site out create many accounts.
pub(in crate::web) fn caller(
    form: SignForm,
    call: &Call<'_>,
    presented: Option<TokenHash>,
) -> Caller {
    let settings = &call.site.settings;
    let is_counted = form == SignForm::SignIn || settings.rule.own.is_some();
    let is_one = |it: &IpAddr| client_ip::is_one_client(*it, &settings.trusted_proxies);
    let device = match call.request.cookie(call.site.device_cookie.name) {
        Cookie::Value(value) => Token::parse(value),
        Cookie::Absent | Cookie::Ambiguous => None,
    };
    Caller {
        presented,
        device,
        address: call.client().filter(is_one).filter(|_| is_counted),
        place: call.place(),
        invite: None,
        email: None,
        letters: settings.has_mail.then(|| call.language()),
        link: verification(call),
        notices: settings.has_notices.then(|| call.language()),
    }
}

// Responses.

fn admit(form: SignForm, call: &Call<'_>, admission: &Admission) -> Response {
    let Admission { user, started, invite, .. } = admission;
    let note = match form {
        SignForm::SignUp => {
            of_new_account(call, note_of(Event::SignupOk, user, &started.session), user)
        }
        SignForm::SignIn => {
            let note = behind_link(call, note_of(Event::LoginOk, user, &started.session));
            // The browser was remembered.
            let has_both = started.session.second_at != Moment::NEVER;
            if has_both { note.with("by", "password+remembered") } else { note }
        }
    };
    admitted(call, admission, of_invitation(note, *invite))
}

fn of_new_account(call: &Call<'_>, note: Note, user: &User) -> Note {
    note.with(audit::NAME, audit::name_handle(call.store(), &user.canonical_username))
}

fn of_invitation(note: Note, invite: Option<TokenHash>) -> Note {
    match invite {
        Some(invite) => note.with("invite", invite.handle()),
        None => note,
    }
}

/// Notes that a sign-in came with the link that verifies an address.
fn behind_link(call: &Call<'_>, note: Note) -> Note {
    if verification(call).is_some() { note.with("verified", "true") } else { note }
}

/// Asks for the second factor after the right password.
fn ask_further(
    form: SignForm,
    call: &Call<'_>,
    step: &SecondStep,
    invite: Option<TokenHash>,
) -> Answered {
    let note = match form {
        SignForm::SignUp => of_new_account(call, Note::of(Event::SignupOk), &step.user),
        SignForm::SignIn => behind_link(call, Note::of(Event::LoginPending)),
    };
    second_step::ask(call, step, of_invitation(note, invite))
}

/// The response with the cookies of a session that has started.
pub(super) fn admitted(call: &Call<'_>, admission: &Admission, note: Note) -> Response {
    let Admission { user, started, .. } = admission;
    let next = call.next();
    let response = done(call, || json::admitted(user, started, call.now), next.as_ref(), "/");
    with_session(call, admission, response).noting(note)
}

/// Adds the cookies of a session that has started.
pub(super) fn with_session(call: &Call<'_>, admission: &Admission, response: Response) -> Response {
    let Admission { started, device, .. } = admission;
    let cookie = call.site.session_cookie(&started.token, &started.session, call.now);
    let response = response.with("Set-Cookie", cookie);
    match device {
        Some(device) => {
            let expires = call.now.after(devices::DEVICE_LIFE);
            let cookie = call.site.device_cookie.set(device.reveal(), expires, call.now);
            response.with("Set-Cookie", cookie)
        }
        None => response,
    }
}

/// The record of an account that was created and whose owner has to verify the address first.
fn note_of_unverified(call: &Call<'_>, user: &User, invite: Option<TokenHash>) -> Note {
    let note = noting_user(Note::of(Event::SignupOk), Some(&user.id));
    of_invitation(of_new_account(call, note, user), invite)
}

/// The response to a sign-up whose owner has to verify the address first.
fn mailed(call: &Call<'_>) -> Response {
    match call.wants() {
        Wants::Json => Response::json(200, &json!({ "mailed": true })),
        Wants::Html | Wants::Text => call.problem(200, |t| t.link_is_mailed),
    }
}

/// Shows a person the form again, with what they typed; a script gets the message alone.
fn refuse(form: SignForm, call: &Call<'_>, name: Option<&Username>, refusal: &Refusal) -> Answered {
    let draw = |status, alert| Ok(show_again(form, call, status, alert));
    let response = refusal.response(call, draw)?;
    Ok(response.noting(note_of_refusal(form, call, name, refusal)))
}

/// The form with what was typed, but for the password.
fn show_again(form: SignForm, call: &Call<'_>, status: u16, alert: Alert) -> Response {
    let (next, invite) = (call.next(), call.field("invite"));
    let verify = verification(call);
    let username = call.field("username").unwrap_or_default();
    let email = call.field("email").unwrap_or_default();
    let passkey = passkey_options(form, call);
    let filled = Filled {
        passkey: passkey.as_deref(),
        username: &username,
        refusal: Some(alert),
        next: next.as_ref(),
        invite: invite.as_deref(),
        verify: verify.as_ref().map(Token::reveal),
        is_open: call.site.settings.sign_ups == SignUps::Open,
        has_mail: call.site.settings.has_mail,
        names: call.site.settings.rules.names,
        email: email_input(form, call, &email),
    };
    // The box is shown as it was submitted.
    let remember = match call.site.settings.remember() {
        Remember::Offered(_) => Remember::Offered(!is_transient(call.fields)),
        other => other,
    };
    leading_to(page(form, call, status, &filled, remember), next.as_ref())
}

/// The log's event for a form with this name that is refused.
fn note_of_refusal(
    form: SignForm,
    call: &Call<'_>,
    name: Option<&Username>,
    refusal: &Refusal,
) -> Note {
    let event = match form {
        SignForm::SignUp => Event::SignupFail,
        SignForm::SignIn => Event::LoginFail,
    };
    let username = call.field("username").unwrap_or_default();
    let name = name.cloned().or_else(|| Username::or_address(&username));
    let canonical = name.map(|it| it.canonical().to_owned());
    let name = canonical.as_deref().unwrap_or(&username);
    let note = Note::of(refusal.event(event))
        .because(refusal.reason())
        .with("name", audit::name_handle(call.store(), name));
    let tried_on = match (form, &canonical) {
        (SignForm::SignIn, Some(canonical)) => tried_on(call, canonical),
        _ => None,
    };
    noting_user(note, tried_on.as_ref().or(refusal.user()))
}

/// The account that a refused sign-in with this canonical name was tried on, for the log. It is looked up
/// after every refusal in the same way, so that neither the response nor its time tells whether it exists;
/// for the same reason a failure of the store counts as no account.
pub(in crate::web) fn tried_on(call: &Call<'_>, canonical: &str) -> Option<UserId> {
    sign_in::account_of(call.store(), canonical).ok().flatten()
}

/// Adds the account that an event is about, if there is one.
pub(in crate::web) fn noting_user(note: Note, user: Option<&UserId>) -> Note {
    match user {
        Some(id) => note.with("uid", id.as_str()),
        None => note,
    }
}

fn page(
    form: SignForm,
    call: &Call<'_>,
    status: u16,
    filled: &Filled<'_>,
    remember: Remember,
) -> Response {
    let advice = call.site.advice_on(Flaw::TooShort);
    let page = call.page(status, |frame| match form {
        SignForm::SignUp => pages::sign_up(frame, filled, advice),
        SignForm::SignIn => pages::sign_in(frame, filled, remember),
    });
    if filled.passkey.is_some() { running_script(page) } else { page }
}

/// What the browser is asked for on the sign-in page, as JSON. `None`: no passkey works here.
fn passkey_options(form: SignForm, call: &Call<'_>) -> Option<String> {
    let is_asked = form == SignForm::SignIn && call.wants() == Wants::Html;
    is_asked.then(|| passkeys::options_at_sign_in(call)).flatten().map(|it| it.to_string())
}

fn not_invited(call: &Call<'_>, refusal: &Refusal) -> Response {
    let page = refusal.page(call);
    // A request that only shows a form has not failed.
    match call.request.method {
        Method::Post => page.noting(Note::of(Event::SignupFail).because(refusal.reason())),
        _ => page,
    }
}

/// The response after a sign-in or a sign-out: a redirect for a browser; for a script that asks for them, data with
/// where to go next.
fn done(
    call: &Call<'_>,
    data: impl FnOnce() -> Value,
    next: Option<&Target>,
    otherwise: &str,
) -> Response {
    match call.wants() {
        Wants::Json => {
            let mut data = data();
            if let Some(next) = next {
                data["next"] = next.as_str().into();
            }
            Response::json(200, &data)
        }
        Wants::Html | Wants::Text => lead_on(call, next, otherwise),
    }
}

/// Sends a visitor to where they want to go, or to a path of the site.
fn lead_on(call: &Call<'_>, next: Option<&Target>, otherwise: &str) -> Response {
    match next {
        Some(next) => Response::redirect(next.as_str().to_owned()),
        None => call.site.redirect(otherwise),
    }
}

/// Whether the user left "Stay signed in" unticked. A script that sends neither of the fields stays signed
/// in.
pub(super) fn is_transient(form: Form<'_>) -> bool {
    form.field("remember_asked").is_some() && form.field("remember").is_none()
}
