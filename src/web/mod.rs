//! The site: a request and a moment in, a response out.
//!
//! Decides which request means what, which sentence a visitor reads, and which headers an answer
//! carries. Sockets, threads, the clock and SQL must not be known here, so that nearly every test runs
//! without them.

mod call;
mod handlers;
pub(crate) mod json;
mod refusals;
mod routes;
mod settings;
pub mod pages;
pub mod messages;
pub mod cross_origin;
pub mod redirect;
pub mod client_ip;
pub mod user_agent;
pub mod http;

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use maud::Markup;

pub use handlers::forward_auth::{Alias, IdentityHeaders, check_paths};
use routes::HEALTH;
pub use routes::page_paths;
pub use settings::Settings;

use handlers::{forward_auth, health};

use crate::auth::events::{Audited, Event};
use crate::auth::password_policy::{Flaw, site_words};
use crate::auth::sessions::Uses;
use crate::auth::sign_in::Rules;
use crate::auth::verified_passwords::VerifiedPasswords;
use crate::auth::{Authenticator, audit, housekeeping};
use crate::base::clock::Moment;
use crate::base::origin::Origin;
use crate::base::password::Hasher;
use crate::base::token::Token;
use crate::store::{Error, Record, Session, Store, Tended};
use crate::web::http::{
    Cookie, CookieKind, Method, Note, Problem, Request, Response, Wants, session_cookie,
};
use crate::web::messages::{EN, MessageKey};
use crate::web::pages::{Frame, NextStep};
use crate::web::redirect::{Allowed, Target};

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
    frame-ancestors 'none'; base-uri 'none'; object-src 'none'";

/// What the site sends with every answer (OWASP ASVS 3.4, OWASP HTTP Headers Cheat Sheet). The
/// referrer is not withheld on our own pages: with `no-referrer` browsers would call our own forms'
/// origin `null`.
const HEADERS: [(&str, &str); 7] = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    (
        "Permissions-Policy",
        "accelerometer=(), camera=(), geolocation=(), gyroscope=(), microphone=(), payment=(), \
         usb=()",
    ),
    ("Server", "vestibule"),
];

/// Sent only where browsers reach the site over TLS: two years, this host alone.
const HSTS: &str = "max-age=63072000";

/// Seconds after which somebody who found us busy should try again.
const RETRY_SECONDS: &str = "1";

/// How long a browser keeps a cookie, at most (RFC 6265bis § 5.5).
const COOKIE_LIFE_MAX: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Which workers should answer a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lane {
    /// Answered at once: it reads, or is refused by what it says alone.
    Page,
    /// May write, and computes no hash: it waits for whoever writes at the moment, and for the disk.
    Write,
    /// Computes a password hash: some 15 ms of work. Most write as well.
    Slow,
}

/// The site. Shared by all workers.
pub struct Site {
    auth: Authenticator,
    settings: Settings,
    /// Where browsers may be sent.
    allowed: Allowed,
    /// Words that an attacker would try first as a password here.
    words: Vec<String>,
    cookie: CookieKind,
    /// The cookie by which a browser is known.
    device_cookie: CookieKind,
    /// Passwords that scripts send with each request.
    memory: VerifiedPasswords,
    /// Uses of sessions and access tokens that are written behind the response.
    uses: Uses,
}

impl Site {
    /// A site over this store.
    pub fn new(store: Box<dyn Store>, hasher: Hasher, settings: Settings) -> Self {
        let own = settings.rule.own.as_ref();
        let secure = own.is_some_and(Origin::is_https);
        let domain = settings.cookie_domain.as_ref().map(|it| it.as_str().to_owned());
        let name = session_cookie(secure, domain.is_some());
        let device_name = if secure { "__Host-auth_device" } else { "auth_device" };
        let rules = Rules { reserved: settings.reserved(), ..settings.rules.clone() };
        Self {
            auth: Authenticator::new(store, hasher, rules),
            allowed: Allowed {
                own: own.cloned(),
                apps: settings.apps.clone(),
                domain: settings.cookie_domain.clone(),
            },
            words: site_words(own.map(Origin::host)),
            cookie: CookieKind { name, secure, domain },
            device_cookie: CookieKind { name: device_name, secure, domain: None },
            settings,
            memory: VerifiedPasswords::default(),
            uses: Uses::default(),
        }
    }

    /// Where a request comes from: the peer, or what a trusted proxy says.
    pub fn client(&self, request: &Request) -> Option<IpAddr> {
        client_ip::address(request, &self.settings.trusted_proxies)
    }

    /// Whether a peer that is not trusted says where the request comes from.
    pub fn ignores_forwarded(&self, request: &Request) -> bool {
        client_ip::is_ignored(request, &self.settings.trusted_proxies)
    }

    /// Answers a request. It always has an answer, also when the store fails.
    pub fn answer(&self, request: &Request, now: Moment) -> Response {
        if let Some(response) = forward_auth::answer(self, request, now) {
            return response;
        }
        let answered = routes::answer(self, request, now);
        let response = answered.unwrap_or_else(|err| self.failure(request, &err));
        self.dress(noting_browser(response, request))
    }

    /// Whether [`Site::answer_at_once`] may have an answer to a request like this. It is asked about every
    /// request, and costs nothing.
    pub fn may_answer_at_once(&self, method: Method, path: &str) -> bool {
        let is_asked = matches!(method, Method::Get | Method::Head);
        is_asked && self.path(path) == Some(HEALTH) && housekeeping::is_remote(self.auth.store())
    }

    /// Answers `/healthz` on the gate's own thread when the database is remote: a health check must not
    /// queue behind workers that wait for a database server.
    pub fn answer_at_once(&self, request: &Request) -> Option<Response> {
        let is_known = self.may_answer_at_once(request.method, &request.path);
        (is_known && !self.is_cross_origin(request))
            .then(|| self.dress(health::status(self, request)))
    }

    /// The path of the site that the path of a request asks for. `None`: it is not below the prefix, and so not
    /// of this site.
    fn path<'a>(&self, path: &'a str) -> Option<&'a str> {
        self.settings.prefix.strip(path)
    }

    /// Leads a browser to a path of the site.
    fn redirect(&self, path: &str) -> Response {
        Response::redirect(self.settings.prefix.at(path).to_string())
    }

    /// The lane for a request.
    pub fn lane(&self, request: &Request, now: Moment) -> Lane {
        if forward_auth::hashes(self, request, now) {
            Lane::Slow
        } else {
            routes::lane(self, request, now)
        }
    }

    /// How long a request may take in all: then it is told to come back, unless it has been begun.
    pub fn patience(&self) -> Duration {
        housekeeping::patience(self.auth.store())
    }

    /// The answer to a request that is not looked at, as far as it is known.
    pub fn refuse(&self, problem: Problem, request: Option<&Request>) -> Response {
        let answer = match problem {
            Problem::Malformed => self.sentence(request, 400, |t| t.malformed),
            Problem::TooSlow => self.sentence(request, 408, |t| t.too_slow),
            Problem::TooLarge => self.sentence(request, 413, |t| t.too_large),
            Problem::TargetTooLong => self.sentence(request, 414, |t| t.target_too_long),
            Problem::Expectation => self.sentence(request, 417, |t| t.expectation),
            Problem::HeadTooLarge => self.sentence(request, 431, |t| t.head_too_large),
            Problem::Version => self.sentence(request, 505, |t| t.version),
            Problem::Busy => self.busy(request),
            Problem::Failed => self.unknown_error(request),
        };
        self.dress(forward_auth::refuse(self, request, answer.noting(Note::of(problem.event()))))
    }

    /// Deletes a batch of what is dead or forgotten by now, and says how many rows there were: 0 means that
    /// none is left.
    pub fn sweep(&self, now: Moment) -> Result<usize, Error> {
        housekeeping::sweep(&self.auth, self.settings.audit_life, now)
    }

    /// Looks after the way to the database, and says what has changed; to be called every few seconds.
    pub fn tend(&self) -> Tended {
        housekeeping::tend(self.auth.store())
    }

    /// Waits until a use of a session or an access token is to be written down, for `patience` at most.
    pub fn wait_for_uses(&self, patience: Duration) {
        self.uses.wait(patience);
    }

    /// Writes down a batch of the uses that answers were given to, and says how many: none means that
    /// nothing is left. To be called on a thread that nobody waits for.
    pub fn write_uses(&self) -> Result<usize, Error> {
        self.uses.write(self.auth.store())
    }

    /// Keeps records in the audit log.
    pub fn keep(&self, records: &[Record]) -> Result<(), Error> {
        audit::add(self.auth.store(), records)
    }

    /// The latest record of the audit log, whichever server wrote it.
    pub fn last_record(&self) -> Result<Option<Record>, Error> {
        audit::last(self.auth.store())
    }

    /// How many password hashes were computed: for tests, which must not measure time.
    pub fn hashes_computed(&self) -> u64 {
        self.auth.hasher.computed()
    }

    /// Closes the database, when serving ends.
    pub fn close(&self) -> Result<(), Error> {
        housekeeping::close(self.auth.store())
    }

    /// Whether another site made this request. One that brings its token in `Authorization`, and no
    /// session cookie, is none: no page can make a browser send that field to us.
    fn is_cross_origin(&self, request: &Request) -> bool {
        let is_bearer =
            request.bearer().is_some() && request.cookie(self.cookie.name) == Cookie::Absent;
        !is_bearer && cross_origin::is_cross_origin(request, &self.settings.rule)
    }

    /// The value of `Set-Cookie` for this session.
    fn session_cookie(&self, token: &Token, session: &Session, now: Moment) -> String {
        if session.place.is_transient {
            return self.cookie.set_transient(token.reveal());
        }
        // A check for a proxy renews the session and cannot send the cookie again, so the cookie of
        // many hosts is kept for as long as the session may be renewed, or a browser keeps one.
        let expires = match self.cookie.domain {
            Some(_) => session.absolute_expires.min(now.after(COOKIE_LIFE_MAX)),
            None => session.idle_expires,
        };
        self.cookie.set(token.reveal(), expires, now)
    }

    /// What a user reads about passwords with this flaw; [`Flaw::TooShort`] is the hint at a form.
    fn advice_on(&self, flaw: Flaw) -> MessageKey {
        messages::of_flaw(flaw, self.settings.policy())
    }

    // Pages, and what is said instead of one.

    /// A page, in the language that the visitor likes best.
    fn page(&self, request: &Request, status: u16, draw: impl FnOnce(Frame) -> Markup) -> Response {
        // Scripts that ask for a page read what they have always read.
        let text = match request.wants() {
            Wants::Html => messages::preferred(request.values("accept-language")),
            Wants::Text | Wants::Json => &EN,
        };
        let frame = Frame { text, look: &self.settings.look, prefix: &self.settings.prefix };
        Response::html(status, draw(frame))
            .with("Content-Language", frame.text.code)
            .with("Vary", "Accept, Accept-Language")
    }

    fn unauthenticated(&self, request: &Request) -> Response {
        // RFC 9110 § 15.5.2 wants the header; no browser opens a pop-up for this scheme.
        self.problem(request, 401, |t| t.unauthorized).with("WWW-Authenticate", "Bearer")
    }

    /// What a visitor reads when the store fails; the operator reads the cause.
    fn failure(&self, request: &Request, err: &Error) -> Response {
        match err {
            Error::Unavailable(cause) | Error::Unknown(cause) => {
                self.busy(Some(request)).noting(Note::of(Event::DbBusy).with("cause", cause))
            }
            Error::Broken(cause) => self
                .unknown_error(Some(request))
                .noting(Note::of(Event::DbError).with("cause", cause)),
        }
    }

    fn busy(&self, request: Option<&Request>) -> Response {
        self.sentence(request, 503, |t| t.busy).with("Retry-After", RETRY_SECONDS)
    }

    fn unknown_error(&self, request: Option<&Request>) -> Response {
        self.sentence(request, 500, |t| t.unknown_error)
    }

    fn problem(&self, request: &Request, status: u16, say: MessageKey) -> Response {
        self.sentence(Some(request), status, say)
    }

    /// The title alone for a script, or data if it asks for that; for a person a page with some advice.
    fn sentence(&self, request: Option<&Request>, status: u16, say: MessageKey) -> Response {
        match request.map(|it| (it, it.wants())) {
            Some((request, Wants::Html)) => {
                let way = if status == 401 { NextStep::SignIn } else { NextStep::Back };
                self.page(request, status, |frame| pages::problem(frame, say, way))
            }
            Some((_, Wants::Json)) => json::problem(status, say),
            Some((_, Wants::Text)) | None => Response::text(status, say(&EN).title),
        }
    }

    /// Adds the headers that every answer carries.
    fn dress(&self, mut answer: Response) -> Response {
        answer.headers.extend(HEADERS.map(|(name, value)| (name, Cow::Borrowed(value))));
        if answer.value("Content-Security-Policy").is_none() {
            answer.headers.push(("Content-Security-Policy", POLICY.into()));
        }
        if self.cookie.secure {
            answer.headers.push(("Strict-Transport-Security", HSTS.into()));
        }
        if answer.value("Cache-Control").is_none() {
            answer.headers.push(("Cache-Control", "no-store".into()));
        }
        answer
    }
}

/// Adds the browser to what the audit log says of a user, who sees it on the page of their activity.
fn noting_browser(mut response: Response, request: &Request) -> Response {
    let note = &response.note;
    let is_of_user = note.fields.iter().any(|(name, _)| *name == "uid");
    if note.event.audited() != Audited::Never
        && is_of_user
        && let Some(browser) = request.value("user-agent").map(user_agent::name)
        && !browser.is_empty()
    {
        response.note.fields.push((audit::BROWSER, browser));
    }
    response
}

/// Lets the form on a page lead to another site: browsers apply `form-action` to where the answer to a
/// form sends them as well.
fn leading_to(page: Response, next: Option<&Target>) -> Response {
    match next.and_then(Target::other_origin) {
        Some(origin) => {
            let own = "form-action 'self'";
            page.with("Content-Security-Policy", POLICY.replace(own, &format!("{own} {origin}")))
        }
        None => page,
    }
}
