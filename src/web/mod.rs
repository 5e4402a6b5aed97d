//! The site: a request and a moment in, a response out.
//!
//! Decides what each request means, which sentence a visitor reads, and which headers a response has.
//! Sockets, threads, the clock and SQL must not be known here, so that nearly every test runs without them.

mod call;
mod handlers;
pub(crate) mod json;
pub mod mail;
pub mod openapi;
mod refusals;
mod repeat;
mod route_row;
mod routes;
mod settings;
mod status_messages;
pub mod pages;
pub mod messages;
pub mod cross_origin;
pub mod next;
pub mod redirect;
pub mod client_ip;
pub mod user_agent;
pub mod http;

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use maud::Markup;

pub use handlers::forward_auth::{Alias, IdentityHeaders, SECOND_FACTOR_REQUIRED, check_paths};
pub use route_row::RouteRow;
pub use routes::{CHANGE_PASSWORD, HEALTH, page_paths};
pub use settings::{App, Settings, SignUpEmail};

use handlers::forward_auth::LedBack;
use handlers::{access_tokens, forward_auth, health, second_step};

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
use crate::store::{Census, Error, Record, Session, Store, Strain, Tended};
use crate::web::http::{
    Cookie, CookieKind, Method, Note, Problem, Request, Response, Wants, session_cookie,
};
use crate::web::messages::{EN, MessageKey};
use crate::web::pages::{Alert, Field, Frame, Wait};
use crate::web::redirect::{Allowed, Target};
use crate::web::status_messages::StatusMessage;

/// The policy of pages (W3C, Content Security Policy Level 3).
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
    frame-ancestors 'none'; base-uri 'none'; object-src 'none'";

/// The headers of every response (OWASP ASVS 3.4, OWASP HTTP Headers Cheat Sheet). The referrer is kept for
/// our own pages: with `no-referrer`, browsers would send `Origin: null` with our own forms.
const HEADERS: [(&str, &str); 6] = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    (
        "Permissions-Policy",
        "accelerometer=(), camera=(), geolocation=(), gyroscope=(), microphone=(), payment=(), \
         usb=()",
    ),
    ("Server", "vestibule"),
];

/// Sent only if browsers reach the site over TLS: two years, for this host alone.
const HSTS: &str = "max-age=63072000";

/// When a client that found the server busy should try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The longest time that browsers keep a cookie (RFC 6265bis § 5.5).
const COOKIE_LIFE_MAX: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The kind of work that a request needs, which decides its workers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lane {
    /// It only reads, or is refused by its own content: answered in a moment.
    Read,
    /// It may write, but hashes no password: it may wait for other writes, and for the disk.
    Write,
    /// It hashes a password: about 15 ms of work. Most such requests write as well.
    Hash,
}

impl Lane {
    /// Every lane, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Hash];

    /// Its name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Hash => "hash",
        }
    }
}

/// The site. Shared by all workers.
pub struct Site {
    auth: Authenticator,
    settings: Settings,
    /// Where redirects may lead.
    allowed: Allowed,
    /// Words that an attacker would try first as a password on this site.
    words: Vec<String>,
    cookie: CookieKind,
    /// The cookie with the device token.
    device_cookie: CookieKind,
    /// The cookie with the token of a sign-in that waits for the second factor.
    pending_cookie: CookieKind,
    /// The cookie that tells the next page what an action has done.
    message_cookie: CookieKind,
    /// The cookie that brings a new access token to the page that shows it.
    new_token_cookie: CookieKind,
    /// The cache of passwords that scripts send with each request.
    memory: VerifiedPasswords,
    /// Uses of sessions and access tokens that wait to be written.
    uses: Uses,
    /// The sessions that checks have renewed lately.
    led_back: LedBack,
}

impl Site {
    /// A site with the accounts in this store.
    pub fn new(store: Box<dyn Store>, hasher: Hasher, settings: Settings) -> Self {
        let own = settings.rule.own.as_ref();
        let secure = own.is_some_and(Origin::is_https);
        let domain = settings.cookie_domain.as_ref().map(|it| it.as_str().to_owned());
        let name = session_cookie(secure, domain.is_some());
        let device_name = if secure { "__Host-auth_device" } else { "auth_device" };
        let rules = Rules { reserved: settings.reserved(), ..settings.rules.clone() };
        let mut auth = Authenticator::new(store, hasher, rules);
        auth.sealing_key.clone_from(&settings.sealing_key);
        Self {
            auth,
            allowed: Allowed {
                own: own.cloned(),
                apps: settings.apps.iter().map(|it| it.origin.clone()).collect(),
                domain: settings.cookie_domain.clone(),
            },
            words: site_words(own.map(Origin::host)),
            cookie: CookieKind { name, secure, domain, path: "/".to_owned() },
            device_cookie: CookieKind {
                name: device_name,
                secure,
                domain: None,
                path: "/".to_owned(),
            },
            message_cookie: status_messages::cookie(secure),
            pending_cookie: second_step::cookie(secure),
            new_token_cookie: access_tokens::cookie(secure, &settings.prefix),
            settings,
            memory: VerifiedPasswords::default(),
            uses: Uses::default(),
            led_back: LedBack::default(),
        }
    }

    /// The client address: the peer's, or the one that a trusted proxy reports.
    pub fn client(&self, request: &Request) -> Option<IpAddr> {
        client_ip::address(request, &self.settings.trusted_proxies)
    }

    /// Whether an untrusted peer reports a client address, which is then ignored.
    pub fn ignores_forwarded(&self, request: &Request) -> bool {
        client_ip::is_ignored(request, &self.settings.trusted_proxies)
    }

    /// Answers a request, even if the store fails.
    pub fn answer(&self, request: &Request, now: Moment) -> Response {
        if let Some(response) = forward_auth::answer(self, request, now) {
            return response;
        }
        let row = routes::row(self, &request.path);
        let answered = routes::answer(self, request, row.route(), now);
        let response = answered.unwrap_or_else(|err| {
            let form = self.form_after(request, &err, now);
            self.failure(request, form, &err)
        });
        self.dress(noting_browser(response, request)).of(row)
    }

    /// Whether [`Site::answer_at_once`] may have a response to a request like this. It is called for every
    /// request, and cheap.
    pub fn may_answer_at_once(&self, method: Method, path: &str) -> bool {
        let is_asked = matches!(method, Method::Get | Method::Head);
        is_asked && self.path(path) == Some(HEALTH) && self.is_remote()
    }

    /// Answers `/healthz` on the gate's own thread when the database is remote: a health check must not
    /// queue behind workers that wait for a database server.
    pub fn answer_at_once(&self, request: &Request) -> Option<Response> {
        let is_known = self.may_answer_at_once(request.method, &request.path);
        (is_known && !self.is_cross_origin(request))
            .then(|| self.dress(health::status(self, request)).of(self.row(request)))
    }

    /// The path of a request without the site's prefix. `None` if it is not below the prefix. Where password managers
    /// look is an address of the host, which a prefix does not move.
    fn path<'a>(&self, path: &'a str) -> Option<&'a str> {
        let stripped = self.settings.prefix.strip(path);
        stripped.or_else(|| (path == CHANGE_PASSWORD).then_some(path))
    }

    /// A redirect to a path of the site.
    fn redirect(&self, path: &str) -> Response {
        Response::redirect(self.settings.prefix.at(path).to_string())
    }

    /// Which workers should answer a request.
    pub fn lane(&self, request: &Request, now: Moment) -> Lane {
        if forward_auth::hashes(self, request, now) {
            Lane::Hash
        } else {
            routes::lane(self, request, now)
        }
    }

    /// The time limit for a whole request. One that has not been started by then is refused as busy.
    pub fn patience(&self) -> Duration {
        housekeeping::patience(self.auth.store())
    }

    /// The response to a request that is not processed. `request` is what is known of it.
    pub fn refuse(&self, problem: Problem, request: Option<&Request>, now: Moment) -> Response {
        let answer = match problem {
            Problem::Malformed => self.sentence(request, 400, |t| t.malformed),
            Problem::TooSlow => self.sentence(request, 408, |t| t.too_slow),
            Problem::TooLarge => self.sentence(request, 413, |t| t.too_large),
            Problem::TargetTooLong => self.sentence(request, 414, |t| t.target_too_long),
            Problem::Expectation => self.sentence(request, 417, |t| t.expectation),
            Problem::HeadTooLarge => self.sentence(request, 431, |t| t.head_too_large),
            Problem::Version => self.sentence(request, 505, |t| t.version),
            Problem::Busy => self.busy(request, request.and_then(|it| self.busy_form(it, now))),
            Problem::Failed => self.unknown_error(request),
        };
        let answer = answer.noting(Note::of(problem.event()));
        let row = request.map_or(RouteRow::OTHER, |it| self.row(it));
        self.dress(forward_auth::refuse(self, request, answer)).of(row)
    }

    /// The row of the tables that a request meets.
    fn row(&self, request: &Request) -> RouteRow {
        forward_auth::row(self, request).unwrap_or_else(|| routes::row(self, &request.path))
    }

    /// Deletes a batch of expired rows, and returns how many: 0 means that none is left.
    pub fn sweep(&self, now: Moment) -> Result<usize, Error> {
        housekeeping::sweep(&self.auth, self.settings.audit_life, now)
    }

    /// When the clock was last believed, noted by any server; `None`: never.
    pub fn clock_believed_at(&self) -> Result<Option<Moment>, Error> {
        housekeeping::clock_believed_at(self.auth.store())
    }

    /// Notes that the clock is believed now. `false`: another server has noted something else since `before`.
    pub fn believe_clock(&self, before: Option<Moment>, now: Moment) -> Result<bool, Error> {
        housekeeping::believe_clock(self.auth.store(), before, now)
    }

    /// Checks the connection to the database, and returns what has changed; to be called every few seconds.
    pub fn tend(&self) -> Tended {
        housekeeping::tend(self.auth.store())
    }

    /// Whether the database is on another machine, so that a query may take long.
    pub fn is_remote(&self) -> bool {
        housekeeping::is_remote(self.auth.store())
    }

    /// Waits until a use of a session or an access token is to be written, for `patience` at most.
    pub fn wait_for_uses(&self, patience: Duration) {
        self.uses.wait(patience);
    }

    /// Writes a batch of uses, and returns how many: 0 means that none is left. To be called on a
    /// background thread.
    pub fn write_uses(&self) -> Result<usize, Error> {
        self.uses.write(self.auth.store())
    }

    /// Adds records to the audit log.
    pub fn keep(&self, records: &[Record]) -> Result<(), Error> {
        audit::add(self.auth.store(), records)
    }

    /// The newest record of the audit log, from any server.
    pub fn last_record(&self) -> Result<Option<Record>, Error> {
        audit::last(self.auth.store())
    }

    /// The number of password hashes computed so far.
    pub fn hashes_computed(&self) -> u64 {
        self.auth.hasher.computed()
    }

    /// The number of password hashes that are being computed now.
    pub fn hashes_running(&self) -> usize {
        self.auth.hasher.running()
    }

    /// Whether it sends mail.
    pub const fn has_mail(&self) -> bool {
        self.settings.has_mail
    }

    /// Whether the database can be read, as far as that is known without waiting.
    pub fn can_read(&self) -> bool {
        housekeeping::probe(self.auth.store()).is_ok()
    }

    /// How much there is in the database at this moment. It may take long, so it is not for a request to ask.
    pub fn census(&self, now: Moment) -> Result<Census, Error> {
        housekeeping::census(self.auth.store(), now)
    }

    /// The faults of the database, and the waits for its locks, since it was opened. Waits for nothing.
    pub fn strain(&self) -> Strain {
        housekeeping::strain(self.auth.store())
    }

    /// The schema version, and the version of the engine.
    pub fn versions(&self) -> Result<[(&'static str, String); 2], Error> {
        housekeeping::versions(self.auth.store())
    }

    /// Closes the database at shutdown.
    pub fn close(&self) -> Result<(), Error> {
        housekeeping::close(self.auth.store())
    }

    /// Whether another site made this request. One with a token in `Authorization` and no session cookie is
    /// not counted: no page can make a browser send that header to us.
    fn is_cross_origin(&self, request: &Request) -> bool {
        let is_bearer =
            || request.bearer().is_some() && request.cookie(self.cookie.name) == Cookie::Absent;
        cross_origin::is_cross_origin(request, &self.settings.rule) && !is_bearer()
    }

    /// The value of `Set-Cookie` for this session.
    fn session_cookie(&self, token: &Token, session: &Session, now: Moment) -> String {
        if session.place.is_transient {
            return self.cookie.set_transient(token.reveal());
        }
        // A check for a proxy renews the session but cannot set the cookie anew. So with a cookie domain,
        // the cookie lasts as long as the session can be renewed, or as long as browsers keep cookies.
        let expires = match self.cookie.domain {
            Some(_) => session.absolute_expires.min(now.after(COOKIE_LIFE_MAX)),
            None => session.idle_expires,
        };
        self.cookie.set(token.reveal(), expires, now)
    }

    /// The message about passwords with this flaw; [`Flaw::TooShort`] is the hint at a form.
    fn advice_on(&self, flaw: Flaw) -> MessageKey {
        messages::of_flaw(flaw, self.settings.policy())
    }

    // Pages and error responses.

    /// A page in the language that the visitor prefers.
    fn page(&self, request: &Request, status: u16, draw: impl FnOnce(Frame) -> Markup) -> Response {
        // No action leads to the home page, which is the page that is asked for most.
        let is_home = self.path(&request.path) == Some("/");
        let message = if status == 200 && !is_home {
            status_messages::find(&self.message_cookie, request)
        } else {
            None
        };
        let page = self.draw(request, status, "", message, draw);
        match message {
            Some(_) => page.with("Set-Cookie", self.message_cookie.clear()),
            None => page,
        }
    }

    /// A page on the host of an app: its style, images and links are those of this site.
    fn page_elsewhere(
        &self,
        request: &Request,
        status: u16,
        draw: impl FnOnce(Frame) -> Markup,
    ) -> Response {
        let origin = self.allowed.own.as_ref().map_or(String::new(), ToString::to_string);
        let page = self.draw(request, status, &origin, None, draw);
        if origin.is_empty() {
            return page;
        }
        page.with("Content-Security-Policy", POLICY.replace("'self'", &origin))
    }

    fn draw(
        &self,
        request: &Request,
        status: u16,
        origin: &str,
        message: Option<StatusMessage>,
        draw: impl FnOnce(Frame) -> Markup,
    ) -> Response {
        // Scripts always get English, on which they may depend.
        let text = match request.wants() {
            Wants::Html => messages::preferred(request.values("accept-language")),
            Wants::Text | Wants::Json => &EN,
        };
        let frame = Frame {
            text,
            look: &self.settings.look,
            origin,
            prefix: &self.settings.prefix,
            message: message.map(|it| it.sentence(text)),
        };
        Response::html(status, draw(frame))
            .with("Content-Language", text.code)
            .with("Vary", "Accept, Accept-Language")
    }

    fn unauthenticated(&self, request: &Request) -> Response {
        self.challenge(request, |t| t.unauthorized)
    }

    fn challenge(&self, request: &Request, say: MessageKey) -> Response {
        // RFC 9110 § 15.5.2 requires the header; browsers do not prompt for this scheme.
        self.problem(request, 401, say).with("WWW-Authenticate", "Bearer")
    }

    /// The response after a failure of the store; the cause goes to the log alone. `form` is the form that
    /// was not processed, if it was one.
    fn failure(&self, request: &Request, form: Option<Response>, err: &Error) -> Response {
        match err {
            Error::Unavailable(cause) | Error::Unknown(cause) => {
                self.busy(Some(request), form).noting(Note::of(Event::DbBusy).with("cause", cause))
            }
            Error::Broken(cause) => form
                .unwrap_or_else(|| self.unknown_error(Some(request)))
                .noting(Note::of(Event::DbError).with("cause", cause)),
        }
    }

    /// The form of a person whose request was not processed: they lose nothing but the password. `None`: it is no
    /// form, or it cannot be drawn without the store.
    fn busy_form(&self, request: &Request, now: Moment) -> Option<Response> {
        let wait = Wait { span: RETRY_AFTER, until: now.after(RETRY_AFTER) };
        let alert = Alert { say: |t| t.busy, field: Field::Nothing, wait: Some(wait) };
        routes::form_again(self, request, now, 503, alert)
    }

    /// The form of a person whose request was not processed because the store failed.
    fn form_after(&self, request: &Request, err: &Error, now: Moment) -> Option<Response> {
        match err {
            Error::Unavailable(_) | Error::Unknown(_) => self.busy_form(request, now),
            Error::Broken(_) => {
                let alert = Alert { say: |t| t.unknown_error, field: Field::Nothing, wait: None };
                routes::form_again(self, request, now, 500, alert)
            }
        }
    }

    fn busy(&self, request: Option<&Request>, page: Option<Response>) -> Response {
        page.unwrap_or_else(|| self.sentence(request, 503, |t| t.busy))
            .with("Retry-After", RETRY_AFTER.as_secs().to_string())
    }

    fn unknown_error(&self, request: Option<&Request>) -> Response {
        self.sentence(request, 500, |t| t.unknown_error)
    }

    fn problem(&self, request: &Request, status: u16, say: MessageKey) -> Response {
        self.sentence(Some(request), status, say)
    }

    /// An error response: for a person a page with a hint, for a script the title alone, or JSON if it asks
    /// for that.
    fn sentence(&self, request: Option<&Request>, status: u16, say: MessageKey) -> Response {
        match request.map(|it| (it, it.wants())) {
            Some((request, Wants::Html)) => {
                let way = routes::way_on(self, request, status);
                self.page(request, status, |frame| pages::problem(frame, say, way))
            }
            Some((_, Wants::Json)) => json::problem(status, say),
            Some((_, Wants::Text)) | None => Response::text(status, say(&EN).title),
        }
    }

    /// Adds the headers of every response.
    fn dress(&self, mut answer: Response) -> Response {
        if answer.value("Cross-Origin-Resource-Policy").is_none() {
            answer.headers.push(("Cross-Origin-Resource-Policy", "same-origin".into()));
        }
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

/// Adds the browser to an event about a user, who sees it on the page of their activity.
fn noting_browser(mut response: Response, request: &Request) -> Response {
    let note = &response.note;
    let is_of_user = note.fields.iter().any(|(name, _)| *name == "uid");
    if note.event.audited() != Audited::Never
        && is_of_user
        && let Some(browser) = request.value("user-agent").map(user_agent::name)
        && !browser.is_empty()
    {
        response.note.fields.push((audit::BROWSER, browser.into()));
    }
    response
}

/// Lets the form on a page lead to another site. Chromium and Safari apply `form-action` to every redirect that
/// follows a form, and stop at one that it does not name. The app that is led to may redirect to a host that is not
/// known here, or to a program of the device, so no list of origins would do.
fn leading_to(page: Response, next: Option<&Target>) -> Response {
    match next.and_then(Target::other_origin) {
        Some(_) => with_policy(page, |policy| policy.replace(" form-action 'self';", "")),
        None => page,
    }
}

/// Lets a page run the scripts of this site, of which there is one.
fn running_script(page: Response) -> Response {
    with_policy(page, |policy| format!("{policy}; script-src 'self'"))
}

/// Changes the policy of a page.
fn with_policy(mut page: Response, change: impl FnOnce(&str) -> String) -> Response {
    let name = "Content-Security-Policy";
    let at = page.headers.iter().position(|(header, _)| *header == name);
    let before = at.map_or(Cow::Borrowed(POLICY), |at| page.headers.remove(at).1);
    page.with(name, change(&before))
}
