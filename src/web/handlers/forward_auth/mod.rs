//! Checks for a reverse proxy: may this request go on to the app, and whose is it?
//!
//! The proxy asks about every request before it passes it on. Two families of headers say what was
//! asked for, `X-Original-*` and `X-Forwarded-*`; which of them is read depends on the address that is
//! asked, and never on what the request happens to bring. A check changes nothing that anybody could
//! want to forge, and no answer to it sets a cookie: it would not reach the browser.

mod checks;
mod identity;

pub use checks::{Alias, check_paths};
pub use identity::IdentityHeaders;

use std::time::Duration;

use base64ct::{Base64, Encoding};
use serde_json::json;
use url::form_urlencoded;

use super::sign_in::{SignForm, caller, noting_user, tried_on};
use crate::auth::access_tokens;
use crate::auth::events::Event;
use crate::auth::password_policy;
use crate::auth::sign_in::{self, Identification};
use crate::auth::usernames::{self, Username};
use crate::auth::users;
use crate::base::clock::Moment;
use crate::base::password::Password;
use crate::base::token::Token;
use crate::store::{Error, User, UserId};
use crate::web::call::{Answered, Call};
use crate::web::http::{Cookie, Note, Request, Response, Wants};
use crate::web::pages::forbidden;
use crate::web::redirect::Target;
use crate::web::refusals::{Refusal, seconds_of};
use crate::web::{Site, json};
use checks::{Original, Protocol, Turn};
use identity::let_through;

/// Who asks, as far as a check finds out.
enum Who {
    Known(Box<User>),
    Stranger,
    /// A name and a password, or an access token, that are not right.
    Refused {
        reason: &'static str,
        name: Option<Username>,
        user: Option<UserId>,
    },
    /// Too many tries with this name have failed.
    Wait(Duration, Username),
    /// Somebody with two session cookies. At the sign-in page they may have one, which would lead them
    /// back here, and so on without end.
    Confused,
}

/// Why a check is not answered with yes.
enum Denial {
    ToThem,
    /// The parameters of the check cannot be understood, so that it is closed to everybody.
    ToAll,
}

/// The answer to a check; `None` if the request is none.
pub(in crate::web) fn answer(site: &Site, request: &Request, now: Moment) -> Option<Response> {
    let check = checks::find(site, request)?;
    let call = Call::with_parameters(site, request, now);
    let answered = answer_check(&call, check);
    let response = answered.unwrap_or_else(|err| closed(check, site.failure(request, &err)));
    Some(match response.status {
        200..300 => response.with("Cache-Control", "no-store"),
        _ => site.dress(response),
    })
}

/// Where the links of oauth2-proxy lead here.
pub(in crate::web) fn lead_to_sign_in(call: &Call<'_>) -> Answered {
    Ok(Response::redirect(way_in(&call.site.settings.prefix.to_string(), call.next().as_ref())))
}

/// oauth2-proxy's sign-out is a link as well, and no link of ours changes anything: it leads to the page
/// with the button.
pub(in crate::web) fn lead_home(call: &Call<'_>) -> Answered {
    Ok(call.site.redirect("/"))
}

/// The answer to a request that is not looked at: if it is a check, in a status that its proxy
/// understands.
pub(in crate::web) fn refuse(
    site: &Site,
    request: Option<&Request>,
    response: Response,
) -> Response {
    match request.and_then(|request| checks::find(site, request)) {
        Some(check) => closed(check, response),
        None => response,
    }
}

/// Whether a check computes a hash.
pub(in crate::web) fn hashes(site: &Site, request: &Request, now: Moment) -> bool {
    site.settings.basic_auth
        && checks::find(site, request).is_some()
        && may_check(site, request)
        && basic(request)
            .and_then(|(name, typed)| {
                Some((Username::for_sign_in(&name)?, password_policy::read(&typed)?, typed))
            })
            .is_some_and(|(name, password, typed)| {
                access_tokens::read(&typed).is_none() && !site.memory.has(&name, &password, now)
            })
}

/// Whether the peer may ask: a proxy that is trusted, or once checks are set up, any program on this
/// machine. Others would only learn what they know, but would be a proxy that nobody set up.
fn may_check(site: &Site, request: &Request) -> bool {
    let networks = &site.settings.trusted_proxies;
    match request.peer {
        Some(peer) => {
            networks.iter().any(|network| network.contains(&peer))
                || (is_set_up(site) && peer.is_loopback())
        }
        None => is_set_up(site) || !networks.is_empty(),
    }
}

fn is_set_up(site: &Site) -> bool {
    let settings = &site.settings;
    settings.cookie_domain.is_some() || !settings.apps.is_empty() || !settings.aliases.is_empty()
}

fn answer_check(call: &Call<'_>, check: Protocol) -> Answered {
    let Call { site, request, .. } = *call;
    if !may_check(site, request) {
        let note = Note::of(Event::CheckRefused).with("reason", "not_a_trusted_proxy");
        return Ok(plainly(403, "Forbidden").noting(note));
    }
    let method = method(check, request);
    if is_preflight(request, method)
        && is_asked(request, "preflight", "allow")
        && has_known_parameters(check, request)
    {
        return Ok(let_through(site, check, None));
    }
    let user = match who(call)? {
        Who::Known(user) => user,
        Who::Confused => return Ok(clear_up(call)),
        who => return Ok(send_away(call, check, method, who)),
    };
    Ok(match is_open_to(&user, check, request) {
        Ok(()) => let_through(site, check, Some(&user)),
        Err(why) => deny(call, &user, &why),
    })
}

fn who(call: &Call<'_>) -> Result<Who, Error> {
    let Call { site, request, .. } = *call;
    if request.cookie(site.cookie.name) == Cookie::Ambiguous {
        return Ok(Who::Confused);
    }
    if let Some(resumed) = call.requester()?.resumed {
        return Ok(Who::Known(Box::new(resumed.user)));
    }
    if !site.settings.basic_auth {
        return Ok(Who::Stranger);
    }
    if let Some(token) = request.bearer().and_then(access_tokens::read) {
        return by_access_token(call, &token, None);
    }
    let Some((name, typed)) = basic(request) else { return Ok(Who::Stranger) };
    let name = Username::for_sign_in(&name);
    let (Some(name), Some(password)) = (name.clone(), password_policy::read(&typed)) else {
        return Ok(Who::Refused { reason: "bad_credentials", name, user: None });
    };
    match access_tokens::read(&typed) {
        Some(token) => by_access_token(call, &token, Some(name)),
        None => by_password(call, name, &password),
    }
}

/// With a name, it has to be one of the owner's: the one that is shown or one to sign in with.
fn by_access_token(call: &Call<'_>, token: &Token, name: Option<Username>) -> Result<Who, Error> {
    let found = access_tokens::recognise(call.store(), token, call.now)?;
    let named = name.as_ref().map(|it| users::by_any_name(call.store(), it)).transpose()?;
    let is_theirs = |user: &User| match &named {
        None => true,
        Some(named) => named.as_ref().is_some_and(|it| it.id == user.id),
    };
    Ok(match found.filter(|(user, _)| is_theirs(user)) {
        Some((user, to_note)) => {
            // What finds no room is noted at the next use.
            to_note.map(|it| call.site.uses.note(it));
            Who::Known(Box::new(user))
        }
        // Nobody can guess one, so that it is no try to be counted.
        None => Who::Refused { reason: "bad_access_token", name, user: None },
    })
}

fn by_password(call: &Call<'_>, name: Username, password: &Password) -> Result<Who, Error> {
    let Site { auth, memory, .. } = call.site;
    if let Some(user) = memory.get(auth.store(), &name, password, call.now)? {
        return Ok(Who::Known(Box::new(user)));
    }
    let caller = caller(SignForm::SignIn, call, None);
    Ok(match sign_in::identify(auth, &name, password, &caller, call.now)? {
        Identification::User(user, hash) => {
            memory.remember(&name, password, hash, call.now);
            Who::Known(user)
        }
        Identification::Refused(why) => {
            let refusal = Refusal::IncorrectCredentials(why);
            let user = refusal.user().cloned();
            Who::Refused { reason: refusal.reason(), name: Some(name), user }
        }
        Identification::Wait(wait) => Who::Wait(wait, name),
    })
}

// Responses.

/// Sends a requester away who is not signed in.
fn send_away(call: &Call<'_>, check: Protocol, method: OriginalMethod<'_>, who: Who) -> Response {
    let Call { site, request, .. } = *call;
    let is_challenged = site.settings.basic_auth && is_asked(request, "basic", "1");
    let way = || way_in(&own(site), target(call, check).as_ref());
    let response = match (check.turn, &who) {
        (Turn::Lead(_), Who::Wait(..)) => told(request, 429, "Too many attempts"),
        (Turn::Lead(status), _) if is_navigation(request) && !is_challenged => {
            let status = if method.is_repeatable(status) { status } else { 303 };
            plainly(status, "").with("Location", way())
        }
        (Turn::Tell(header), _) => told(request, 401, "Unauthorized").with(header, way()),
        (Turn::Lead(_) | Turn::Refuse, _) => told(request, 401, "Unauthorized"),
    };
    let response = match response.status {
        // A browser asks for a password by this scheme, so only where the operator wants it.
        401 if is_challenged => {
            response.with("WWW-Authenticate", "Basic realm=\"vestibule\", charset=\"UTF-8\"")
        }
        401 => response.with("WWW-Authenticate", "Bearer"),
        _ => response,
    };
    match who {
        Who::Known(_) | Who::Stranger | Who::Confused => response,
        Who::Wait(wait, name) => {
            let note = Note::of(Event::Throttled).with("reason", "throttled").with("by", "basic");
            let note = noting_try(call, note, Some(&name), None);
            response.with("Retry-After", seconds_of(wait).to_string()).noting(note)
        }
        Who::Refused { reason, name, user } => {
            let note = Note::of(Event::LoginFail).with("reason", reason).with("by", "basic");
            response.noting(noting_try(call, note, name.as_ref(), user))
        }
    }
}

/// A note of a refused try, with the name's handle and the account that it was tried on.
fn noting_try(call: &Call<'_>, note: Note, name: Option<&Username>, user: Option<UserId>) -> Note {
    let Some(name) = name else { return noting_user(note, user.as_ref()) };
    let note = note.with("name", sign_in::name_handle(call.store(), name.canonical()));
    noting_user(note, tried_on(call, name.canonical()).or(user).as_ref())
}

/// Sends a user away who is signed in and may not see this.
fn deny(call: &Call<'_>, user: &User, why: &Denial) -> Response {
    let reason = match why {
        Denial::ToThem => "not_in_group_or_list",
        // Caddy passes these on where its configuration lacks a question mark: the operator reads why.
        Denial::ToAll if may_be_the_clients(call.request) => "parameters_of_the_client",
        Denial::ToAll => "unreadable_parameters",
    };
    let note = Note::of(Event::CheckDenied).with("uid", user.id.as_str()).with("reason", reason);
    let response = match call.wants() {
        Wants::Html => {
            call.page(403, |frame| forbidden::closed(frame, &user.username, &own(call.site)))
        }
        Wants::Json => json::problem(403, |t| t.closed),
        Wants::Text => plainly(403, "Forbidden"),
    };
    response.noting(note)
}

/// Tells a visitor to get rid of a cookie that a neighbouring host has set, or that we set under other
/// settings.
fn clear_up(call: &Call<'_>) -> Response {
    let note = Note::of(Event::CheckRefused).with("reason", "two_session_cookies");
    let response = match call.wants() {
        Wants::Html => call.page(403, |frame| forbidden::confused(frame, &own(call.site))),
        Wants::Json | Wants::Text => json::problem(403, |t| t.two_cookies),
    };
    response.noting(note)
}

/// The base URL of this site; its path prefix alone if the origin is not known.
fn own(site: &Site) -> String {
    let origin = site.allowed.own.as_ref().map_or(String::new(), ToString::to_string);
    format!("{origin}{}", site.settings.prefix)
}

/// What was asked for, if it can be read and is an app of ours.
fn target(call: &Call<'_>, check: Protocol) -> Option<Target> {
    let Call { site, request, .. } = *call;
    match check.original {
        Original::Url => site.allowed.address(only(request, "x-original-url")?),
        Original::Forwarded => {
            let scheme = only(request, "x-forwarded-proto")?;
            let host = only(request, "x-forwarded-host")?;
            let path = only(request, "x-forwarded-uri").filter(|it| it.starts_with('/'))?;
            site.allowed.address(&format!("{scheme}://{host}{path}"))
        }
        Original::Unsaid => None,
    }
}

/// Nobody is let through by a check that failed. nginx makes a 500 of every status that it does not
/// know here, so it gets one that it does.
fn closed(check: Protocol, failed: Response) -> Response {
    match check.original {
        Original::Url => plainly(403, "Forbidden").noting(failed.note),
        Original::Forwarded | Original::Unsaid => failed,
    }
}

/// The method of the request that the check is about. `None`: it is not said.
#[derive(Clone, Copy)]
struct OriginalMethod<'a>(Option<&'a str>);

impl OriginalMethod<'_> {
    /// Whether a browser that is sent elsewhere with this status may ask there in the same way. 302 makes
    /// a GET of a form; 307 sends it again, so it has to be known to be none.
    fn is_repeatable(self, status: u16) -> bool {
        self.0.map_or(status == 302, |it| matches!(it, "GET" | "HEAD" | "OPTIONS"))
    }
}

fn method(check: Protocol, request: &Request) -> OriginalMethod<'_> {
    let name = match check.original {
        Original::Url => "x-original-method",
        Original::Forwarded => "x-forwarded-method",
        Original::Unsaid => return OriginalMethod(None),
    };
    let is_said = request.value(name).is_some();
    // Said twice, it is none that may be repeated.
    OriginalMethod(is_said.then(|| only(request, name).unwrap_or("")))
}

/// The value of a header that comes once.
fn only<'a>(request: &'a Request, name: &'a str) -> Option<&'a str> {
    request.value(name).filter(|_| !request.repeats(name))
}

/// Whether a browser asks on behalf of a page of another site what that page may ask.
fn is_preflight(request: &Request, method: OriginalMethod<'_>) -> bool {
    method.0 == Some("OPTIONS")
        && request.value("origin").is_some()
        && request.value("access-control-request-method").is_some()
}

/// Whether a browser asks for a page to show, and would show another one in its place. A script, a
/// picture or a WebSocket would take the sign-in page for what it asked for.
fn is_navigation(request: &Request) -> bool {
    let names = |name: &str, value: &str| {
        request.values(name).any(|it| it.to_ascii_lowercase().contains(value))
    };
    let is_socket = names("upgrade", "websocket")
        || request.value("sec-websocket-key").is_some()
        || request.value("sec-websocket-version").is_some();
    request.wants() == Wants::Html
        && request.values("sec-fetch-mode").all(|it| it == "navigate")
        && !names("x-requested-with", "xmlhttprequest")
        && !is_socket
}

/// The name and the password of an `Authorization: Basic` header (RFC 7617). `None` if there is no
/// such header, more than one, or one that cannot be read.
fn basic(request: &Request) -> Option<(String, String)> {
    let (scheme, encoded) = only(request, "authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(Base64::decode_vec(encoded.trim()).ok()?).ok()?;
    let (name, password) = pair.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// Whether the parameters of a check may be those of the request that it is about. Caddy passes these on
/// where its configuration has none (`uri /auth/forward` without a question mark).
fn may_be_the_clients(request: &Request) -> bool {
    request
        .values("x-forwarded-uri")
        .filter_map(|it| it.split_once('?'))
        .any(|(_, query)| query == request.query)
}

/// Whether the operator asks for this. It opens something, and so is never taken from a client.
fn is_asked(request: &Request, name: &str, value: &str) -> bool {
    request.parameters().field(name).is_some_and(|it| it == value) && !may_be_the_clients(request)
}

/// Whether each parameter of a check is one that checks have. A misspelt restriction must not be none, and
/// that a client's own query is the same proves nothing: the client chooses it.
fn has_known_parameters(check: Protocol, request: &Request) -> bool {
    let known = ["groups", "users", "basic", "preflight", "rd", check.groups.unwrap_or("groups")];
    request.parameters().names().all(|name| known.contains(&&*name))
}

/// Whether the parameters of a check let this user through. What cannot be understood lets nobody
/// through. A restriction holds whoever asks for it.
fn is_open_to(user: &User, check: Protocol, request: &Request) -> Result<(), Denial> {
    if !has_known_parameters(check, request) {
        return Err(Denial::ToAll);
    }
    let asked = request.parameters();
    let list = |name: &str| -> Result<Option<Vec<String>>, Denial> {
        if !asked.has(name) {
            return Ok(None);
        }
        let value = asked.field(name).ok_or(Denial::ToAll)?;
        Ok(Some(value.split(',').map(|it| it.trim().to_owned()).collect()))
    };
    for name in ["groups", check.groups.unwrap_or("groups")] {
        if let Some(groups) = list(name)?
            && !user.groups.iter().any(|it| groups.iter().any(|asked| asked == it))
        {
            return Err(Denial::ToThem);
        }
    }
    let names = list("users")?;
    let is_listed = names.is_none_or(|names| {
        names.iter().any(|it| usernames::canonical(it) == user.canonical_username)
    });
    if is_listed { Ok(()) } else { Err(Denial::ToThem) }
}

/// The sign-in page of this site, which will lead back to where somebody wanted to go.
fn way_in(own: &str, target: Option<&Target>) -> String {
    match target {
        Some(target) => {
            let next: String =
                form_urlencoded::byte_serialize(target.as_str().as_bytes()).collect();
            format!("{own}/login?next={next}")
        }
        None => format!("{own}/login"),
    }
}

fn plainly(status: u16, sentence: &'static str) -> Response {
    Response::text(status, sentence)
}

/// A sentence for a script, as data unless it asks for text: no page fits into what was asked for.
fn told(request: &Request, status: u16, title: &'static str) -> Response {
    match request.wants() {
        Wants::Text if request.value("accept").is_some_and(|it| it.contains("text/plain")) => {
            plainly(status, title)
        }
        _ => {
            let error = if status == 429 { "too_many_attempts" } else { "not_signed_in" };
            Response::json(status, &json!({ "error": error, "message": title }))
        }
    }
}
