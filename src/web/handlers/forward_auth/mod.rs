//! Checks for a reverse proxy: may this request go on to the app, and whose is it?
//!
//! The proxy asks about every request before it passes it on. Two families of headers say what was
//! asked for, `X-Original-*` and `X-Forwarded-*`; which of them is read depends on the address that is
//! asked, and never on what the request happens to bring. A check changes nothing that anybody could
//! want to forge, and no answer to it sets a cookie: it would not reach the browser.

use std::time::Duration;

use base64ct::{Base64, Encoding};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::form_urlencoded;

use crate::auth::access_tokens;
use crate::auth::events::Event;
use crate::auth::password_policy;
use crate::auth::sign_in::{self, Known};
use crate::auth::users::{self, Username};
use crate::base::clock::Moment;
use crate::base::password::Password;
use crate::base::token;
use crate::store::{Error, User, UserId};
use crate::web::handlers::sign_in::{Door, noting_user, seconds_of};
use crate::web::http::{Cookie, Note, Request, Response, Wants};
use crate::web::pages;
use crate::web::redirect::Target;
use crate::web::{Answer, Site, json};

/// Other gates whose check endpoints we can answer, so that a set-up moves by changing a host name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alias {
    /// Authelia.
    Authelia,
    /// tinyauth.
    Tinyauth,
    /// oauth2-proxy.
    Oauth2Proxy,
    /// Vouch Proxy.
    Vouch,
}

impl Alias {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Authelia, Self::Tinyauth, Self::Oauth2Proxy, Self::Vouch];

    /// The name of the gate.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authelia => "authelia",
            Self::Tinyauth => "tinyauth",
            Self::Oauth2Proxy => "oauth2-proxy",
            Self::Vouch => "vouch",
        }
    }
}

/// The headers that tell an app who somebody is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdentityHeaders {
    /// The canonical name: the same however it was typed, and nobody else's.
    pub user: &'static str,
    /// The user id, which outlasts the name.
    pub id: &'static str,
    /// The name as first typed, to be shown.
    pub name: &'static str,
    /// The groups, with commas between them.
    pub groups: &'static str,
    /// Where to write to.
    pub email: &'static str,
}

impl Default for IdentityHeaders {
    fn default() -> Self {
        Self {
            user: "Remote-User",
            id: "Remote-Id",
            name: "Remote-Name",
            groups: "Remote-Groups",
            email: "Remote-Email",
        }
    }
}

impl IdentityHeaders {
    /// All of them.
    pub const fn all(&self) -> [&'static str; 5] {
        [self.user, self.id, self.name, self.groups, self.email]
    }
}

/// What stands in a header as it is: visible ASCII, but no per cent sign, since that begins an escape,
/// no comma, which parts a list, and no space, of which the outer ones would be lost.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%').add(b',').add(b' ');

/// The same for a text that is to be shown: its inner spaces may stay.
const SHOWN: &AsciiSet = &CONTROLS.add(b'%');

/// How a check is asked and answered.
#[derive(Clone, Copy)]
struct Check {
    original: Original,
    /// The status of an answer that lets a request through.
    passed: u16,
    turn: Turn,
    tells: Tells,
    /// The parameter that names groups, beside `groups`.
    groups: Option<&'static str>,
}

/// Which headers say what was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Original {
    /// `X-Original-URL`, `X-Original-Method`.
    Url,
    /// `X-Forwarded-Proto`, `-Host`, `-Uri`, `-Method`.
    Forwarded,
    /// None.
    Unsaid,
}

/// What somebody gets who is not signed in.
#[derive(Clone, Copy)]
enum Turn {
    /// 401, with the way to the sign-in page in this header.
    Tell(&'static str),
    /// To a browser that goes somewhere: the way to the sign-in page, with this status if the request
    /// can be repeated. 401 to everybody else.
    Lead(u16),
    /// 401 alone.
    Refuse,
}

/// Which headers tell who somebody is.
#[derive(Clone, Copy)]
enum Tells {
    Ours,
    OursAndSub,
    Oauth2Proxy,
    Vouch,
}

/// Who asks, as far as a check finds out.
enum Who {
    Known(Box<User>),
    /// Nobody we know.
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
enum Closed {
    /// Not for this person.
    ToThem,
    /// The parameters of the check cannot be understood, so that it is closed to everybody.
    ToAll,
}

const NGINX: Check = Check {
    original: Original::Url,
    passed: 200,
    turn: Turn::Tell("Location"),
    tells: Tells::Ours,
    groups: None,
};
const FORWARD: Check = Check { original: Original::Forwarded, turn: Turn::Lead(302), ..NGINX };
const TINYAUTH_NGINX: Check =
    Check { turn: Turn::Tell("x-tinyauth-location"), tells: Tells::OursAndSub, ..NGINX };
const TINYAUTH_FORWARD: Check =
    Check { turn: Turn::Lead(307), tells: Tells::OursAndSub, ..FORWARD };
const OAUTH2_PROXY: Check = Check {
    original: Original::Unsaid,
    passed: 202,
    turn: Turn::Refuse,
    tells: Tells::Oauth2Proxy,
    groups: Some("allowed_groups"),
};
const VOUCH: Check =
    Check { original: Original::Unsaid, turn: Turn::Refuse, tells: Tells::Vouch, ..NGINX };

/// Where a proxy asks.
struct Endpoint {
    path: &'static str,
    /// The gate that it belongs to, if it is not ours: it is answered if that one's alias is set.
    of: Option<Alias>,
    check: Check,
    /// The check in its place if the operator's parameters have `rd`. They decide which family of
    /// headers is read, and no header does.
    check_with_rd: Option<Check>,
}

const fn at(path: &'static str, of: Option<Alias>, check: Check) -> Endpoint {
    Endpoint { path, of, check, check_with_rd: None }
}

/// All check endpoints: what the site answers, what a proxy keeps to itself, and what `doctor` tries.
const ENDPOINTS: [Endpoint; 10] = [
    at("/auth/nginx", None, NGINX),
    at("/auth/forward", None, FORWARD),
    at("/api/authz/auth-request", Some(Alias::Authelia), NGINX),
    at("/api/authz/forward-auth", Some(Alias::Authelia), FORWARD),
    Endpoint { check_with_rd: Some(FORWARD), ..at("/api/verify", Some(Alias::Authelia), NGINX) },
    at("/api/auth/nginx", Some(Alias::Tinyauth), TINYAUTH_NGINX),
    at("/api/auth/caddy", Some(Alias::Tinyauth), TINYAUTH_FORWARD),
    at("/api/auth/traefik", Some(Alias::Tinyauth), TINYAUTH_FORWARD),
    at("/oauth2/auth", Some(Alias::Oauth2Proxy), OAUTH2_PROXY),
    at("/validate", Some(Alias::Vouch), VOUCH),
];

/// The paths of all check endpoints, ours and those of every alias. Only a proxy may ask there.
pub fn check_paths() -> impl Iterator<Item = &'static str> {
    ENDPOINTS.iter().map(|it| it.path)
}

impl Site {
    /// The answer to a check; `None` if the request is none.
    pub(in crate::web) fn check(&self, request: &Request, now: Moment) -> Option<Response> {
        let check = self.check_at(request)?;
        let answer = self.answer_check(check, request, now);
        let answer = answer.unwrap_or_else(|err| closed(check, self.failure(request, &err)));
        let is_passed = matches!(answer.status, 200..300);
        Some(if is_passed { answer.with("Cache-Control", "no-store") } else { self.dress(answer) })
    }

    /// Where the links of oauth2-proxy lead here. Its sign-out is a link as well, and no link of ours
    /// changes anything: it leads to the page with the button.
    pub(in crate::web) fn show_way(&self, request: &Request) -> Response {
        if request.path == "/oauth2/sign_out" {
            return Response::see("/");
        }
        let next = self.next(request.parameters());
        Response::see(way_in("", next.as_ref()))
    }

    /// The same answer to a check that could not be made, in a status that its proxy understands.
    pub(in crate::web) fn refuse_check(
        &self,
        request: Option<&Request>,
        answer: Response,
    ) -> Response {
        match request.and_then(|request| self.check_at(request)) {
            Some(check) => closed(check, answer),
            None => answer,
        }
    }

    /// Whether a check computes a hash.
    pub(in crate::web) fn check_hashes(&self, request: &Request, now: Moment) -> bool {
        self.basic_auth
            && self.check_at(request).is_some()
            && self.may_check(request)
            && basic(request)
                .and_then(|(name, typed)| {
                    Some((Username::for_sign_in(&name)?, password_policy::read(&typed)?, typed))
                })
                .is_some_and(|(name, password, typed)| {
                    access_tokens::read(&typed).is_none() && !self.memory.has(&name, &password, now)
                })
    }

    fn check_at(&self, request: &Request) -> Option<Check> {
        let is_answered = |it: &&Endpoint| it.of.is_none_or(|alias| self.aliases.contains(&alias));
        let at = ENDPOINTS.iter().filter(is_answered).find(|it| it.path == request.path)?;
        match at.check_with_rd {
            Some(check) if request.parameters().has("rd") => Some(check),
            _ => Some(at.check),
        }
    }

    /// Whether whoever asks may ask: a proxy that is trusted, or once checks are set up, anybody on
    /// this machine. Others would only learn what they know, but would be a proxy that nobody set up.
    fn may_check(&self, request: &Request) -> bool {
        let is_trusted = |it| self.trusted_proxies.iter().any(|network| network.contains(&it));
        match request.peer {
            Some(peer) => is_trusted(peer) || (self.is_set_up() && peer.is_loopback()),
            None => self.is_set_up() || !self.trusted_proxies.is_empty(),
        }
    }

    fn is_set_up(&self) -> bool {
        self.allowed.domain.is_some() || !self.allowed.apps.is_empty() || !self.aliases.is_empty()
    }

    fn answer_check(&self, check: Check, request: &Request, now: Moment) -> Answer {
        if !self.may_check(request) {
            let note = Note::of(Event::CheckRefused).with("reason", "not_a_trusted_proxy");
            return Ok(plainly(403, "Forbidden").noting(note));
        }
        let method = method(check, request);
        if is_preflight(request, method)
            && is_asked(request, "preflight", "allow")
            && has_known_parameters(check, request)
        {
            return Ok(self.let_through(check, None));
        }
        let user = match self.who(request, now)? {
            Who::Known(user) => user,
            Who::Confused => return Ok(self.clear_up(request)),
            who => return Ok(self.send_away(check, request, method, who)),
        };
        Ok(match is_open_to(&user, check, request) {
            Ok(()) => self.let_through(check, Some(&user)),
            Err(why) => self.deny(request, &user, &why),
        })
    }

    fn who(&self, request: &Request, now: Moment) -> Result<Who, Error> {
        if request.cookie(self.cookie.name) == Cookie::Ambiguous {
            return Ok(Who::Confused);
        }
        let visitor = self.visitor(request, now)?;
        if let Some(resumed) = visitor.resumed {
            return Ok(Who::Known(Box::new(resumed.user)));
        }
        if !self.basic_auth {
            return Ok(Who::Stranger);
        }
        if let Some(token) = request.bearer().and_then(access_tokens::read) {
            return self.by_access_token(&token, None, now);
        }
        let Some((name, typed)) = basic(request) else { return Ok(Who::Stranger) };
        let name = Username::for_sign_in(&name);
        let (Some(name), Some(password)) = (name.clone(), password_policy::read(&typed)) else {
            return Ok(Who::Refused { reason: "bad_credentials", name, user: None });
        };
        match access_tokens::read(&typed) {
            Some(token) => self.by_access_token(&token, Some(name), now),
            None => self.by_password(request, name, &password, now),
        }
    }

    /// With a name, it has to be one of the owner's: the one that is shown or one to sign in with.
    fn by_access_token(
        &self,
        token: &token::Token,
        name: Option<Username>,
        now: Moment,
    ) -> Result<Who, Error> {
        let found = access_tokens::recognise(&*self.store, token, now)?;
        let named = name.as_ref().map(|it| users::by_any_name(&*self.store, it)).transpose()?;
        let is_theirs = |user: &User| match &named {
            None => true,
            Some(named) => named.as_ref().is_some_and(|it| it.id == user.id),
        };
        Ok(match found.filter(|(user, _)| is_theirs(user)) {
            Some((user, to_note)) => {
                // What finds no room is noted at the next use.
                to_note.map(|it| self.uses.note(it));
                Who::Known(Box::new(user))
            }
            // Nobody can guess one, so that it is no try to be counted.
            None => Who::Refused { reason: "bad_access_token", name, user: None },
        })
    }

    fn by_password(
        &self,
        request: &Request,
        name: Username,
        password: &Password,
        now: Moment,
    ) -> Result<Who, Error> {
        let store = &*self.store;
        let Self { hasher, rules, memory, .. } = self;
        if let Some(user) = memory.recall(store, &name, password, now)? {
            return Ok(Who::Known(Box::new(user)));
        }
        let caller = self.caller(Door::SignIn, request, None);
        Ok(match sign_in::without_session(store, hasher, rules, &name, password, &caller, now)? {
            Known::User(user, hash) => {
                memory.remember(&name, password, hash, now);
                Who::Known(user)
            }
            Known::Refused(why) => {
                let (reason, user) = crate::web::handlers::sign_in::told_of(why);
                Who::Refused { reason, name: Some(name), user }
            }
            Known::Wait(wait) => Who::Wait(wait, name),
        })
    }

    // Answers.

    /// The one answer that carries an identity, and always the whole of it: a header that is missing
    /// could be one that the client sent.
    fn let_through(&self, check: Check, user: Option<&User>) -> Response {
        let answer = Response::text(check.passed, "");
        let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
        let text = |of: fn(&User) -> &str| user.map_or(String::new(), |it| escaped(of(it)));
        let name = text(|it| &it.canonical_username);
        let email = text(|it| &it.email);
        let groups = user.map_or(String::new(), |it| it.groups.as_str().to_owned());
        match check.tells {
            Tells::Vouch => answer.with("X-Vouch-User", name),
            Tells::Oauth2Proxy => answer
                .with("X-Auth-Request-User", name.clone())
                .with("X-Auth-Request-Preferred-Username", name)
                .with("X-Auth-Request-Groups", groups)
                .with("X-Auth-Request-Email", email),
            Tells::Ours | Tells::OursAndSub => {
                let id = text(|it| it.id.as_str());
                let shown = user.map_or(String::new(), |it| shown(&it.username));
                let answer = match check.tells {
                    Tells::OursAndSub => answer.with("Remote-Sub", id.clone()),
                    _ => answer,
                };
                answer
                    .with(self.identity.user, name)
                    .with(self.identity.id, id)
                    .with(self.identity.name, shown)
                    .with(self.identity.groups, groups)
                    .with(self.identity.email, email)
            }
        }
    }

    /// Sends somebody away who is not signed in.
    fn send_away(
        &self,
        check: Check,
        request: &Request,
        method: OriginalMethod<'_>,
        who: Who,
    ) -> Response {
        let is_challenged = self.basic_auth && is_asked(request, "basic", "1");
        let way = || way_in(&self.own(), self.target(check, request).as_ref());
        let answer = match (check.turn, &who) {
            (Turn::Lead(_), Who::Wait(..)) => told(request, 429, "Too many attempts"),
            (Turn::Lead(status), _) if is_navigation(request) && !is_challenged => {
                let status = if method.is_repeatable(status) { status } else { 303 };
                plainly(status, "").with("Location", way())
            }
            (Turn::Tell(header), _) => told(request, 401, "Unauthorized").with(header, way()),
            (Turn::Lead(_) | Turn::Refuse, _) => told(request, 401, "Unauthorized"),
        };
        let answer = match answer.status {
            // A browser asks for a password by this scheme, so only where the operator wants it.
            401 if is_challenged => {
                answer.with("WWW-Authenticate", "Basic realm=\"vestibule\", charset=\"UTF-8\"")
            }
            401 => answer.with("WWW-Authenticate", "Bearer"),
            _ => answer,
        };
        match who {
            Who::Known(_) | Who::Stranger | Who::Confused => answer,
            Who::Wait(wait, name) => {
                let note =
                    Note::of(Event::Throttled).with("reason", "throttled").with("by", "basic");
                let note = self.noting_try(note, Some(&name), None);
                answer.with("Retry-After", seconds_of(wait).to_string()).noting(note)
            }
            Who::Refused { reason, name, user } => {
                let note = Note::of(Event::LoginFail).with("reason", reason).with("by", "basic");
                answer.noting(self.noting_try(note, name.as_ref(), user))
            }
        }
    }

    /// A note of a refused try, with the name's handle and the account that it was tried on.
    fn noting_try(&self, note: Note, name: Option<&Username>, user: Option<UserId>) -> Note {
        let Some(name) = name else { return noting_user(note, user.as_ref()) };
        let note = note.with("name", self.name_handle(name.canonical()));
        noting_user(note, self.tried_on(name.canonical()).or(user).as_ref())
    }

    /// Sends somebody away who is signed in and may not see this.
    fn deny(&self, request: &Request, user: &User, why: &Closed) -> Response {
        let reason = match why {
            Closed::ToThem => "not_in_group_or_list",
            // Caddy passes these on where its configuration lacks a question mark: the operator reads why.
            Closed::ToAll if may_be_the_clients(request) => "parameters_of_the_client",
            Closed::ToAll => "unreadable_parameters",
        };
        let note =
            Note::of(Event::CheckDenied).with("uid", user.id.as_str()).with("reason", reason);
        let answer = match request.wants() {
            Wants::Html => self.page(request, 403, |frame| {
                pages::forbidden::closed(frame, &user.username, &self.own())
            }),
            Wants::Json => json::problem(403, |t| t.closed),
            Wants::Text => plainly(403, "Forbidden"),
        };
        answer.noting(note)
    }

    /// Tells somebody to get rid of a cookie that a neighbouring host has set, or that we set under other
    /// settings.
    fn clear_up(&self, request: &Request) -> Response {
        let note = Note::of(Event::CheckRefused).with("reason", "two_session_cookies");
        let answer = match request.wants() {
            Wants::Html => {
                self.page(request, 403, |frame| pages::forbidden::confused(frame, &self.own()))
            }
            Wants::Json | Wants::Text => json::problem(403, |t| t.two_cookies),
        };
        answer.noting(note)
    }

    /// Where this site is; empty if that is not known.
    fn own(&self) -> String {
        self.allowed.own.as_ref().map_or(String::new(), ToString::to_string)
    }

    /// What was asked for, if it can be read and is an app of ours.
    fn target(&self, check: Check, request: &Request) -> Option<Target> {
        match check.original {
            Original::Url => self.allowed.address(only(request, "x-original-url")?),
            Original::Forwarded => {
                let scheme = only(request, "x-forwarded-proto")?;
                let host = only(request, "x-forwarded-host")?;
                let path = only(request, "x-forwarded-uri").filter(|it| it.starts_with('/'))?;
                self.allowed.address(&format!("{scheme}://{host}{path}"))
            }
            Original::Unsaid => None,
        }
    }
}

/// Nobody is let through by a check that failed. nginx makes a 500 of every status that it does not
/// know here, so it gets one that it does.
fn closed(check: Check, failed: Response) -> Response {
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

fn method(check: Check, request: &Request) -> OriginalMethod<'_> {
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
fn has_known_parameters(check: Check, request: &Request) -> bool {
    let known = ["groups", "users", "basic", "preflight", "rd", check.groups.unwrap_or("groups")];
    request.parameters().names().all(|name| known.contains(&&*name))
}

/// Whether the parameters of a check let this user through. What cannot be understood lets nobody
/// through. A restriction holds whoever asks for it.
fn is_open_to(user: &User, check: Check, request: &Request) -> Result<(), Closed> {
    if !has_known_parameters(check, request) {
        return Err(Closed::ToAll);
    }
    let asked = request.parameters();
    let list = |name: &str| -> Result<Option<Vec<String>>, Closed> {
        if !asked.has(name) {
            return Ok(None);
        }
        let value = asked.field(name).ok_or(Closed::ToAll)?;
        Ok(Some(value.split(',').map(|it| it.trim().to_owned()).collect()))
    };
    for name in ["groups", check.groups.unwrap_or("groups")] {
        if let Some(groups) = list(name)?
            && !user.groups.iter().any(|it| groups.iter().any(|asked| asked == it))
        {
            return Err(Closed::ToThem);
        }
    }
    let names = list("users")?;
    let is_listed = names
        .is_none_or(|names| names.iter().any(|it| users::canonical(it) == user.canonical_username));
    if is_listed { Ok(()) } else { Err(Closed::ToThem) }
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

/// A name to be shown, as ASCII. Escapes are read back as in an address.
fn shown(name: &str) -> String {
    // A header loses white space at either end.
    let set = if name.trim() == name { SHOWN } else { ESCAPED };
    utf8_percent_encode(name, set).to_string()
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
