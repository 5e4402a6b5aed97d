//! Forward authentication: checks for a reverse proxy, which asks whether a request may go on to the app,
//! and whose it is.
//!
//! The proxy asks about every request before it forwards it. Two families of headers describe the original
//! request, `X-Original-*` and `X-Forwarded-*`; which of them is read depends on the path of the check, and
//! never on the request. A check changes nothing that would be worth forging, and a response that lets a request
//! through never sets a cookie, as that would not reach the browser.

mod aliases;
mod checks;
mod client_kind;
mod denial;
mod identity;
mod renewal;
mod second_factor;

pub(in crate::web) use aliases::{
    lead_to_sign_in, lead_to_sign_out, portal_target, refuse_check_at_home,
};
pub use checks::{Alias, check_paths};
pub(in crate::web) use checks::{CHECK_ROWS, check_row_paths};
pub use identity::IdentityHeaders;
pub(in crate::web) use renewal::LedBack;
pub use second_factor::SECOND_FACTOR_REQUIRED;

use std::borrow::Cow;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use serde_json::json;

use super::sign_in::{SignForm, caller, noting_user, tried_on};
use crate::auth::access_tokens;
use crate::auth::audit;
use crate::auth::events::Event;
use crate::auth::password_policy;
use crate::auth::sessions::Resumed;
use crate::auth::sign_in::{self, Identification};
use crate::auth::usernames::Username;
use crate::auth::users;
use crate::base::clock::Moment;
use crate::base::password::Password;
use crate::base::token::Token;
use crate::store::{Error, User, UserId};
use crate::web::call::{Answered, Call, Requester};
use crate::web::http::{Cookie, Note, Request, Response, Wants};
use crate::web::redirect::{self, Target};
use crate::web::refusals::{Refusal, seconds_of};
use crate::web::{RouteRow, Site};
use checks::{Original, Protocol, Turn};
use client_kind::{is_navigation, is_plainly_no_browser};
use denial::{Denial, clear_up, deny, is_open_to};
use identity::let_through;

/// The requester, as found out by a check.
enum Who {
    Known(Box<Identified>),
    /// A user whose session was renewed just now, and whose browser is to learn of it.
    Renewed(Box<Requester>),
    Stranger,
    /// The name and password, or the access token, are wrong.
    Refused {
        reason: &'static str,
        name: Option<Username>,
        user: Option<UserId>,
    },
    /// Too many attempts with this name have failed.
    Wait(Duration, Username),
    /// There are two session cookies. At the sign-in page only one of them may apply, so a redirect there
    /// could lead back here, in an endless loop.
    Confused,
}

/// A user whom a check may let through.
struct Identified {
    user: User,
    /// When both factors were given in the session, or in that in which the access token was made.
    second_at: Moment,
    /// Whether it is a session, in which the pages of this site can be opened.
    has_session: bool,
}

impl Identified {
    /// By name and password alone.
    fn by_password(user: User) -> Self {
        Self { user, second_at: Moment::NEVER, has_session: false }
    }
}

impl From<Resumed> for Identified {
    fn from(it: Resumed) -> Self {
        Self { user: it.user, second_at: it.session.second_at, has_session: true }
    }
}

/// The response to a check; `None` if the request is not one.
pub(in crate::web) fn answer(site: &Site, request: &Request, now: Moment) -> Option<Response> {
    let (row, check) = checks::find(site, request)?;
    let of_envoy = checks::of_envoy(site, request);
    let request = of_envoy.as_ref().unwrap_or(request);
    let call = Call::with_parameters(site, request, now);
    let answered = answer_check(&call, check);
    let response = answered.unwrap_or_else(|err| closed(check, site.failure(request, None, &err)));
    let response = match response.status {
        200..300 => response.with("Cache-Control", "no-store"),
        _ => site.dress(response),
    };
    Some(response.of(row))
}

/// The response to a request that is not processed: if it is a check, with a status that the proxy
/// understands.
pub(in crate::web) fn refuse(
    site: &Site,
    request: Option<&Request>,
    response: Response,
) -> Response {
    match request.and_then(|request| checks::find(site, request)) {
        Some((_, check)) => closed(check, response),
        None => response,
    }
}

/// The row of a check; `None` if the request is not one.
pub(in crate::web) fn row(site: &Site, request: &Request) -> Option<RouteRow> {
    checks::find(site, request).map(|(row, _)| row)
}

/// Whether the request is a check that has to hash a password.
pub(in crate::web) fn hashes(site: &Site, request: &Request, now: Moment) -> bool {
    site.settings.basic_auth
        && checks::find(site, request).is_some()
        && may_check(site, request)
        && basic(request)
            .and_then(|(name, typed)| {
                Some((Username::or_address(&name)?, password_policy::read(&typed)?, typed))
            })
            .is_some_and(|(name, password, typed)| {
                access_tokens::read(&typed).is_none() && !site.memory.has(&name, &password, now)
            })
}

/// Whether the peer may request checks: a trusted proxy, or, once checks are configured, any program on
/// this machine. Others would learn nothing new, but could act as a proxy that the operator did not set up.
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
        let note = Note::of(Event::CheckRefused).because("not_a_trusted_proxy");
        return Ok(plainly(403, "Forbidden").noting(note));
    }
    if matches!(check.turn, Turn::Explain) {
        return denial::explain(call, check);
    }
    let method = method(check, request);
    if is_preflight(request, method)
        && is_asked(request, "preflight", "allow")
        && has_known_parameters(check, request)
    {
        return Ok(with_cookies(call, let_through(site, check, None)));
    }
    let known = match who(call, check)? {
        Who::Known(known) => known,
        Who::Renewed(requester) => return Ok(renewal::lead_back(call, check, &requester)),
        Who::Confused => return Ok(clear_up(call)),
        who => return Ok(send_away(call, check, method, who)),
    };
    Ok(match is_open_to(&known, check, request, call.now) {
        Ok(()) => with_cookies(call, let_through(site, check, Some(&known.user))),
        Err(Denial::NoSecondFactor) => second_factor::demand(call, check, method, &known),
        Err(why) => deny(call, check, &known.user, &why),
    })
}

/// Adds what the app shall get as the `Cookie` of its client, for proxies that can take a header from a check and
/// cannot remove one cookie of several.
fn with_cookies(call: &Call<'_>, response: Response) -> Response {
    // It takes something away and opens nothing, so it counts wherever it comes from.
    if call.request.parameters().field("cookies").is_some_and(|it| it == "filtered") {
        response.with("Cookie", call.request.other_cookies())
    } else {
        response
    }
}

fn who(call: &Call<'_>, check: Protocol) -> Result<Who, Error> {
    let Call { site, request, .. } = *call;
    if request.cookie(site.cookie.name) == Cookie::Ambiguous {
        return Ok(Who::Confused);
    }
    let requester = call.requester_of_check(|id| renewal::is_wanted(call, check, id))?;
    if call.is_untold(&requester) {
        return Ok(Who::Renewed(Box::new(requester)));
    }
    if let Some(resumed) = requester.resumed {
        return Ok(Who::Known(Box::new(resumed.into())));
    }
    if !site.settings.basic_auth {
        return Ok(Who::Stranger);
    }
    if let Some(token) = request.bearer().and_then(access_tokens::read) {
        return by_access_token(call, &token, None);
    }
    let Some((name, typed)) = basic(request) else { return Ok(Who::Stranger) };
    let name = Username::or_address(&name);
    let name = name.map(|it| users::meant(call.store(), it)).transpose()?;
    let (Some(name), Some(password)) = (name.clone(), password_policy::read(&typed)) else {
        return Ok(Who::Refused { reason: "bad_credentials", name, user: None });
    };
    match access_tokens::read(&typed) {
        Some(token) => by_access_token(call, &token, Some(name)),
        None => by_password(call, name, &password),
    }
}

/// With a name, the token's owner must have that username or sign-in name.
fn by_access_token(call: &Call<'_>, token: &Token, name: Option<Username>) -> Result<Who, Error> {
    let found = access_tokens::recognise(call.store(), token, call.now)?;
    let named = name.as_ref().map(|it| users::by_typed_name(call.store(), it)).transpose()?;
    let is_theirs = |user: &User| match &named {
        None => true,
        Some(named) => named.as_ref().is_some_and(|it| it.id == user.id),
    };
    Ok(match found.filter(|(user, ..)| is_theirs(user)) {
        Some((user, record, to_note)) => {
            // A use that does not fit into the queue is noted the next time.
            to_note.map(|it| call.site.uses.note(it));
            let second_at = record.second_at;
            Who::Known(Box::new(Identified { user, second_at, has_session: false }))
        }
        // Tokens cannot be guessed, so this does not count as a failed attempt.
        None => Who::Refused { reason: "bad_access_token", name, user: None },
    })
}

fn by_password(call: &Call<'_>, name: Username, password: &Password) -> Result<Who, Error> {
    let Site { auth, memory, .. } = call.site;
    let stored = (auth.store(), &auth.rules.second_factors);
    let known = memory.get(stored, &name, password, call.now)?;
    if let Some(user) = known.filter(|it| !auth.rules.has_to_verify(it)) {
        return Ok(Who::Known(Box::new(Identified::by_password(user))));
    }
    let caller = caller(SignForm::SignIn, call, None);
    Ok(match sign_in::identify(auth, &name, password, &caller, call.now)? {
        Identification::User(user, hash) => {
            memory.remember(&name, password, hash, call.now);
            Who::Known(Box::new(Identified::by_password(*user)))
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

/// The response for a requester who is not signed in.
fn send_away(call: &Call<'_>, check: Protocol, method: OriginalMethod<'_>, who: Who) -> Response {
    let Call { site, request, .. } = *call;
    let is_challenged = site.settings.basic_auth && is_asked(request, "basic", "1");
    let target = || original(request, check).and_then(|it| site.allowed.address(&it));
    let way = || way_in(&own(site), target().as_ref());
    let response = match (check.turn, &who) {
        (Turn::Lead(_), Who::Wait(..)) => told(request, 429, "Too many attempts"),
        (Turn::Lead(status), _) if is_navigation(request) && !is_challenged => {
            let status = if method.is_repeatable(status) { status } else { 303 };
            plainly(status, "").with("Location", way())
        }
        (Turn::Tell(header), _) => told(request, 401, "Unauthorized").with(header, way()),
        (Turn::Lead(_) | Turn::Refuse | Turn::Explain, _) => told(request, 401, "Unauthorized"),
    };
    let response = match response.status {
        401 => response.with("WWW-Authenticate", challenge(call)),
        _ => response,
    };
    let leads = matches!(check.turn, Turn::Tell(_)) || response.value("Location").is_some();
    let response = if leads { noting_lost_way(call, check, response) } else { response };
    match who {
        Who::Known(_) | Who::Renewed(_) | Who::Stranger | Who::Confused => response,
        Who::Wait(wait, name) => {
            let note = Note::of(Event::Throttled).because("throttled").with("by", "basic");
            let note = noting_try(call, note, Some(&name), None);
            response.with("Retry-After", seconds_of(wait).to_string()).noting(note)
        }
        Who::Refused { reason, name, user } => {
            let note = Note::of(Event::LoginFail).because(reason).with("by", "basic");
            response.noting(noting_try(call, note, name.as_ref(), user))
        }
    }
}

/// The challenge of a 401. A browser prompts for a password if there is `Basic` in it, so that is left to clients
/// that are plainly none, and to checks whose address asks for it. Basic comes before Bearer, as some clients read
/// only one challenge, and in the same field, as nginx before 1.23 passes on only the first field of a check.
fn challenge(call: &Call<'_>) -> &'static str {
    match call.site.settings.basic_auth {
        true if is_asked(call.request, "basic", "1") => {
            "Basic realm=\"vestibule\", charset=\"UTF-8\""
        }
        true if is_plainly_no_browser(call.site, call.request) => {
            "Basic realm=\"vestibule\", charset=\"UTF-8\", Bearer"
        }
        true | false => "Bearer",
    }
}

/// Adds the name's handle, and the account that the attempt was made on, to an event.
fn noting_try(call: &Call<'_>, note: Note, name: Option<&Username>, user: Option<UserId>) -> Note {
    let Some(name) = name else { return noting_user(note, user.as_ref()) };
    let note = note.with(audit::NAME, audit::name_handle(call.store(), name.canonical()));
    noting_user(note, tried_on(call, name.canonical()).or(user).as_ref())
}

/// The base URL of this site; its path prefix alone if the origin is not configured.
fn own(site: &Site) -> String {
    let origin = site.allowed.own.as_ref().map_or(String::new(), ToString::to_string);
    format!("{origin}{}", site.settings.prefix)
}

/// The original URL, as the proxy reports it. `None`: it does not.
fn original(request: &Request, check: Protocol) -> Option<Cow<'_, str>> {
    match check.original {
        Original::Url => only(request, "x-original-url").map(Cow::Borrowed),
        Original::Forwarded => {
            let scheme = only(request, "x-forwarded-proto")?;
            let host = only(request, "x-forwarded-host")?;
            let path = only(request, "x-forwarded-uri").filter(|it| it.starts_with('/'))?;
            Some(format!("{scheme}://{host}{path}").into())
        }
        Original::Unsaid => None,
    }
}

/// Logs that the sign-in page is not told where to lead back to, if it is not: the proxy does not report the
/// original URL, or it belongs to no app.
fn noting_lost_way(call: &Call<'_>, check: Protocol, response: Response) -> Response {
    let headers = match check.original {
        Original::Url => "X-Original-URL",
        Original::Forwarded => "X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-Uri",
        Original::Unsaid => return response,
    };
    match original(call.request, check) {
        Some(address) if !address.starts_with('/') => call.noting_refused(response, &address),
        _ => {
            let note = Note::of(Event::NextRefused).because("not_reported").with("origin", "none");
            response.noting_if_plain(
                note.with("hint", format!("let the proxy set {headers}, whole and once")),
            )
        }
    }
}

/// The response to a check that failed, which lets no request through. nginx turns every status that it
/// does not expect from a check into 500, so it gets 403.
fn closed(check: Protocol, failed: Response) -> Response {
    match check.original {
        Original::Url => plainly(403, "Forbidden").noting(failed.note),
        Original::Forwarded | Original::Unsaid => failed,
    }
}

/// The method of the original request. `None`: the proxy does not report it.
#[derive(Clone, Copy)]
struct OriginalMethod<'a>(Option<&'a str>);

impl OriginalMethod<'_> {
    /// Whether a browser that is redirected with this status can later repeat the original request. 302
    /// turns a form into a GET; 307 would send the form again, so the request must be known not to be one.
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
    // If it is reported twice, the request counts as not repeatable.
    OriginalMethod(is_said.then(|| only(request, name).unwrap_or("")))
}

/// The value of a header that occurs once.
fn only<'a>(request: &'a Request, name: &'a str) -> Option<&'a str> {
    request.value(name).filter(|_| !request.repeats(name))
}

/// Whether this is a CORS preflight: a browser asks what a page of another site may request.
fn is_preflight(request: &Request, method: OriginalMethod<'_>) -> bool {
    method.0 == Some("OPTIONS")
        && request.value("origin").is_some()
        && request.value("access-control-request-method").is_some()
}

/// The name and the password of an `Authorization: Basic` header (RFC 7617). `None` if it is missing,
/// occurs more than once, or cannot be decoded.
fn basic(request: &Request) -> Option<(String, String)> {
    let (scheme, encoded) = only(request, "authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(Base64::decode_vec(encoded.trim()).ok()?).ok()?;
    let (name, password) = pair.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// Whether the parameters of a check may come from the original request. Caddy forwards its query if the
/// configuration has none (`uri /auth/forward` without a question mark).
fn may_be_the_clients(request: &Request) -> bool {
    request
        .values("x-forwarded-uri")
        .filter_map(|it| it.split_once('?'))
        .any(|(_, query)| query == request.query)
}

/// Whether the operator set this parameter. It opens something, so it is ignored if it may come from the
/// client.
fn is_asked(request: &Request, name: &str, value: &str) -> bool {
    request.parameters().field(name).is_some_and(|it| it == value) && !may_be_the_clients(request)
}

/// Whether all parameters of a check are known ones: a misspelt restriction must not be ignored, even if it
/// may come from the client, who could otherwise copy it to remove it.
fn has_known_parameters(check: Protocol, request: &Request) -> bool {
    let own = check.groups.unwrap_or("groups");
    let known = [
        "groups",
        "users",
        second_factor::PARAMETER,
        "basic",
        "preflight",
        "cookies",
        "renew",
        "rd",
        own,
    ];
    request.parameters().names().all(|name| known.contains(&&*name))
}

/// The address of the sign-in page, which leads back to the original URL.
fn way_in(own: &str, target: Option<&Target>) -> String {
    redirect::way(&format!("{own}/login"), target.map(Target::as_str))
}

fn plainly(status: u16, sentence: &'static str) -> Response {
    Response::text(status, sentence)
}

/// A sentence for a script, as JSON unless it asks for text: a page would be of no use in place of the
/// original response.
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
