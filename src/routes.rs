//! The table of what is answered: a request and a moment in, a response out.
//!
//! Decides which request means what, which sentence a visitor reads, and which headers an answer
//! carries. It is a function: no socket, no thread and no clock is known here, so that nearly
//! every test runs without them.

mod account;
mod data;

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::{Value, json};

use crate::client;
use crate::clock::Moment;
use crate::http::{
    Cookie, CookieKind, Form, Method, Note, Problem, Request, Response, Unreadable, Wants,
};
use crate::keys;
use crate::login::{self, Admission, Caller, Rules, SignIn, SignUp};
use crate::origin::{self, Origin};
use crate::pages::{self, Field, Filled, Remember};
use crate::password::{Hasher, Password};
use crate::policy::{self, Flaw, Policy};
use crate::sessions::{self, Resumed, Started};
use crate::store::{Error, Record, Session, Store, UserId};
use crate::throttle;
use crate::token::{self, Token, TokenHash};
use crate::users::Username;

/// What the site sends with every answer (OWASP ASVS 3.4, OWASP HTTP Headers Cheat Sheet). The
/// referrer is not withheld on our own pages: with `no-referrer` browsers would call our own forms'
/// origin `null`.
const HEADERS: [(&str, &str); 8] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'; object-src 'none'",
    ),
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

/// Rows that are deleted in one transaction, at most, so that nobody waits long behind it.
pub const SWEEP_MAX: u32 = 500;

/// How the site is set up.
#[derive(Clone, Default)]
pub struct Settings {
    /// Which requests are this site's own, and where it is.
    pub rule: origin::Rule,
    /// How long sessions live, and how often somebody may guess.
    pub rules: Rules,
    /// Reverse proxies that are believed about where a request comes from.
    pub trusted_proxies: Vec<IpNet>,
    /// How long the audit trail is kept; `None`: for good.
    pub audit_life: Option<Duration>,
    /// What the sign-in form offers about being remembered; `None`: a box that is ticked.
    pub remember: Option<Remember>,
    /// Which passwords may be chosen; `None`: the guide's without an origin, `standard` with one.
    pub policy: Option<Policy>,
}

/// Which workers should answer a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lane {
    /// Answered at once.
    Page,
    /// Computes a password hash: some 15 ms of work.
    Slow,
}

/// The site. Shared by all workers.
pub struct Site {
    store: Store,
    hasher: Hasher,
    rule: origin::Rule,
    rules: Rules,
    trusted_proxies: Vec<IpNet>,
    policy: Policy,
    audit_life: Option<Duration>,
    remember: Remember,
    /// Words that an attacker would try first as a password here.
    words: Vec<String>,
    cookie: CookieKind,
    /// The cookie by which a browser is known.
    device_cookie: CookieKind,
}

/// The two forms that lead in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    SignUp,
    SignIn,
}

/// Why somebody is turned away at a door.
struct Turned {
    status: u16,
    /// How long they should wait before they try again.
    wait: Option<Duration>,
    /// What they read.
    refusal: pages::Refusal,
    /// What the operator reads.
    reason: &'static str,
    /// Whose account the operator should look after, if so.
    user: Option<UserId>,
}

/// What a request presents to be recognised by.
enum Presented {
    Nothing,
    /// `None`: it cannot be a token, or there are two.
    Cookie(Option<Token>),
    Bearer(Option<Token>),
}

/// Who is asking.
struct Visitor {
    presented: Presented,
    resumed: Option<Resumed>,
}

impl Visitor {
    fn token(&self) -> Option<&Token> {
        match &self.presented {
            Presented::Cookie(token) | Presented::Bearer(token) => token.as_ref(),
            Presented::Nothing => None,
        }
    }
}

/// An answer, or the store's failure to give one.
type Answer = Result<Response, Error>;

impl Site {
    /// A site over this store.
    pub fn new(store: Store, hasher: Hasher, settings: Settings) -> Self {
        let own = settings.rule.own.as_ref();
        let secure = own.is_some_and(Origin::is_https);
        let (name, device_name) = if secure {
            ("__Host-auth_session", "__Host-auth_device")
        } else {
            ("auth_session", "auth_device")
        };
        let default = if own.is_some() { Policy::Standard } else { Policy::Seed };
        Self {
            store,
            hasher,
            policy: settings.policy.unwrap_or(default),
            rules: settings.rules,
            audit_life: settings.audit_life,
            remember: settings.remember.unwrap_or(Remember::Offered(true)),
            trusted_proxies: settings.trusted_proxies,
            words: words(own),
            rule: settings.rule,
            cookie: CookieKind { name, secure },
            device_cookie: CookieKind { name: device_name, secure },
        }
    }

    /// Where a request comes from: the peer, or what a trusted proxy says.
    pub fn client(&self, request: &Request) -> Option<IpAddr> {
        client::address(request, &self.trusted_proxies)
    }

    /// Answers a request. It always has an answer, also when the store fails.
    pub fn answer(&self, request: &Request, now: Moment) -> Response {
        let answer = self.route(request, now).unwrap_or_else(|err| failure(request, &err));
        self.dress(answer)
    }

    /// The lane for a request: the slow one only if a password may have to be hashed, so that most
    /// mistakes are told at once even while that lane is full.
    pub fn lane(&self, request: &Request) -> Lane {
        let hashes = |form| match (request.method, &*request.path) {
            (Method::Post, "/signup") => self.read(Door::SignUp, form).is_ok(),
            (Method::Post, "/login") => self.read(Door::SignIn, form).is_ok(),
            (Method::Post, path) => Self::account_hashes(path, form),
            _ => false,
        };
        let hashes = !self.is_foreign(request) && request.form().is_ok_and(hashes);
        if hashes { Lane::Slow } else { Lane::Page }
    }

    /// The answer to a request that is not looked at, as far as it is known.
    pub fn refuse(&self, problem: Problem, request: Option<&Request>) -> Response {
        let say = |status, title, advice| {
            sentence(request.map_or(Wants::Text, Request::wants), status, title, advice)
        };
        let answer = match problem {
            Problem::Malformed => say(400, "Bad request", "This is no request we understand."),
            Problem::TooSlow => say(408, "Request timeout", "Please send it again."),
            Problem::TooLarge => say(413, "Request too large", "Please send less."),
            Problem::TargetTooLong => say(414, "Address too long", "Please check the address."),
            Problem::Expectation => say(417, "Expectation failed", "Please send it as it is."),
            Problem::HeadTooLarge => {
                say(431, "Request header fields too large", "Please clear this site's cookies.")
            }
            Problem::Version => say(505, "HTTP version not supported", "We speak HTTP/1.1."),
            Problem::Busy => return self.dress(busy(request).noting(Note::of("overload"))),
            Problem::Failed => {
                return self.dress(unknown_error(request).noting(Note::of("panic")));
            }
        };
        self.dress(answer.noting(Note::of("bad_request")))
    }

    /// Deletes a batch of what is dead or forgotten by now, and says how many: fewer than
    /// [`SWEEP_MAX`] means that none is left.
    pub fn sweep(&self, now: Moment) -> Result<usize, Error> {
        let dead = sessions::delete_dead(&self.store, SWEEP_MAX, now)?;
        let quiet = now.before(throttle::QUIET);
        let unused = now.before(login::DEVICE_LIFE);
        let forgotten = self.store.delete_forgotten(quiet, unused, SWEEP_MAX)?;
        let old = match self.audit_life {
            Some(life) => self.store.delete_records(now.before(life), SWEEP_MAX)?,
            None => 0,
        };
        Ok(dead + forgotten + old)
    }

    /// Keeps records in the audit trail.
    pub fn keep(&self, records: &[Record]) -> Result<(), Error> {
        self.store.add_records(records)
    }

    /// Closes the database, when serving ends.
    pub fn close(&self) -> Result<(), Error> {
        self.store.close()
    }

    /// Whether another site made this request. One that brings its token in `Authorization`, and no
    /// session cookie, is none: no page can make a browser send that field to us.
    fn is_foreign(&self, request: &Request) -> bool {
        let is_bearer =
            request.bearer().is_some() && request.cookie(self.cookie.name) == Cookie::Absent;
        !is_bearer && origin::is_foreign(request, &self.rule)
    }

    fn route(&self, request: &Request, now: Moment) -> Answer {
        if self.is_foreign(request) {
            return Ok(foreign(request));
        }
        let allowed = match &*request.path {
            "/" | "/style.css" | "/icon.svg" | "/healthz" | "/whoami" | "/account"
            | "/account/sessions" => "GET, HEAD",
            "/signup" | "/login" => "GET, HEAD, POST",
            "/logout"
            | "/account/password"
            | "/account/sessions/end"
            | "/account/sessions/end-others"
            | "/account/delete" => "POST",
            _ => return Ok(problem(request, 404, "Not found", "There is no page here.")),
        };
        match (request.method, &*request.path) {
            (Method::Get | Method::Head, "/") => self.show_profile(request, now),
            (Method::Get | Method::Head, "/signup") => self.show(Door::SignUp, request, now),
            (Method::Get | Method::Head, "/login") => self.show(Door::SignIn, request, now),
            (Method::Get | Method::Head, "/style.css") => {
                Ok(file("text/css; charset=utf-8", pages::STYLE))
            }
            (Method::Get | Method::Head, "/icon.svg") => Ok(file("image/svg+xml", pages::ICON)),
            (Method::Get | Method::Head, "/healthz") => Ok(self.report_health(request)),
            (Method::Get | Method::Head, "/whoami") => self.tell_address(request, now),
            (Method::Get | Method::Head, "/account") => self.show_account(request, now),
            (Method::Get | Method::Head, "/account/sessions") => self.show_sessions(request, now),
            (Method::Post, "/logout") => self.sign_out(request, now),
            (Method::Post, path) => match request.form() {
                Ok(form) => self
                    .take(path, request, form, now)
                    .unwrap_or_else(|| Ok(not_allowed(request, allowed))),
                Err(why) => Ok(unreadable(request, why)),
            },
            _ => Ok(not_allowed(request, allowed)),
        }
    }

    /// The forms. `None` where none is taken.
    fn take(&self, path: &str, request: &Request, form: Form<'_>, now: Moment) -> Option<Answer> {
        Some(match path {
            "/signup" => self.enter(Door::SignUp, request, form, now),
            "/login" => self.enter(Door::SignIn, request, form, now),
            "/account/password" => self.change_password(request, form, now),
            "/account/sessions/end" => self.end_session(request, form, now),
            "/account/sessions/end-others" => self.end_other_sessions(request, form, now),
            "/account/delete" => self.delete_account(request, form, now),
            _ => return None,
        })
    }

    /// For whoever watches the server: a worker answers, and the database can be read.
    fn report_health(&self, request: &Request) -> Response {
        if let Err(err) = self.store.probe() {
            // Whatever the cause: whoever watches should send people elsewhere.
            return failure(request, &Error::Busy(err.to_string()));
        }
        let answer = match request.wants() {
            Wants::Json => Response::json(200, &json!({ "status": "ok" })),
            Wants::Html | Wants::Text => Response::text(200, "ok"),
        };
        answer.noting(Note::of("health"))
    }

    /// For an operator who sets up a proxy: which address is believed.
    fn tell_address(&self, request: &Request, now: Moment) -> Answer {
        let visitor = self.visitor(request, now)?;
        let answer = match &visitor.resumed {
            Some(_) => {
                let address = self.client(request).map(|it| it.to_string());
                match request.wants() {
                    Wants::Json => Response::json(200, &json!({ "address": address })),
                    _ => Response::text(200, address.unwrap_or("unknown".to_owned())),
                }
            }
            None => unauthorized(request),
        };
        Ok(self.with_cookie(answer, &visitor, now))
    }

    fn show_profile(&self, request: &Request, now: Moment) -> Answer {
        let visitor = self.visitor(request, now)?;
        let answer = match &visitor.resumed {
            Some(it) if request.wants() == Wants::Json => {
                Response::json(200, &data::profile(it, now))
            }
            Some(it) => Response::html(200, pages::profile(it.user.id.as_str(), &it.user.username)),
            None => to_sign_in(request),
        };
        Ok(self.with_cookie(answer, &visitor, now))
    }

    /// A form, or for somebody who is signed in already, the way to their profile.
    fn show(&self, door: Door, request: &Request, now: Moment) -> Answer {
        let visitor = self.visitor(request, now)?;
        let answer = match visitor.resumed {
            _ if request.wants() == Wants::Json => {
                let is_signed_in = visitor.resumed.is_some();
                Response::json(200, &data::form(door, is_signed_in, self.policy.shortest()))
            }
            Some(_) => Response::see("/"),
            None => Response::html(200, self.form(door, &Filled::default(), self.remember)),
        };
        Ok(self.with_cookie(answer, &visitor, now))
    }

    fn enter(&self, door: Door, request: &Request, form: Form<'_>, now: Moment) -> Answer {
        let visitor = self.visitor(request, now)?;
        let presented = visitor.token().map(Token::hash);
        let mut caller = self.caller(door, request, presented);
        caller.place.is_transient = is_transient(form);
        let outcome = match self.read(door, form) {
            Ok((name, password)) => self.pass(door, &name, &password, &caller, now)?,
            Err(turned) => Err(turned),
        };
        Ok(match outcome {
            Ok(admission) => self.admit(door, request, &admission, now),
            Err(turned) => {
                let answer = self.turn_away(door, request, form, turned);
                self.with_cookie(answer, &visitor, now)
            }
        })
    }

    fn sign_out(&self, request: &Request, now: Moment) -> Answer {
        let visitor = self.visitor(request, now)?;
        let Some(resumed) = &visitor.resumed else {
            return Ok(self.with_cookie(unauthorized(request), &visitor, now));
        };
        sessions::end(&self.store, &resumed.session.id)?;
        let note = Note::of("logout")
            .with("uid", resumed.user.id.as_str())
            .with("sess", resumed.session.id.handle());
        let answer = done(request, "/login", &json!({ "signed_in": false }));
        Ok(answer.with("Set-Cookie", self.cookie.clear()).noting(note))
    }

    // At the doors.

    /// The name and the password in a form, if they are worth looking up.
    fn read(&self, door: Door, form: Form<'_>) -> Result<(Username, Password), Turned> {
        let name = form.field("username").and_then(|typed| match door {
            Door::SignUp => Username::for_sign_up(&typed),
            Door::SignIn => Username::for_sign_in(&typed),
        });
        let Some(name) = name else { return Err(Turned::for_username(door)) };
        let typed = form.field("password");
        let Some(password) = typed.and_then(|typed| policy::read(&typed)) else {
            return Err(Turned::for_password("Passwords have 1 to 255 characters."));
        };
        match door {
            Door::SignUp => match self.policy.flaw(&password, &name, &self.words) {
                Some(flaw) => Err(Turned::for_password(self.advice_on(flaw))),
                None => Ok((name, password)),
            },
            Door::SignIn => Ok((name, password)),
        }
    }

    fn pass(
        &self,
        door: Door,
        name: &Username,
        password: &Password,
        caller: &Caller,
        now: Moment,
    ) -> Result<Result<Box<Admission>, Turned>, Error> {
        let Self { store, hasher, rules, .. } = self;
        Ok(match door {
            Door::SignUp => {
                match login::sign_up(store, hasher, rules, name, password, caller, now)? {
                    SignUp::Admitted(admission) => Ok(admission),
                    SignUp::NameTaken => Err(Turned::NAME_TAKEN),
                    SignUp::Wait(wait) => Err(Turned::for_now(wait)),
                }
            }
            Door::SignIn => {
                match login::with_password(store, hasher, rules, name, password, caller, now)? {
                    SignIn::Admitted(admission) => Ok(admission),
                    SignIn::Refused(why) => Err(Turned::for_credentials(why)),
                    SignIn::Wait(wait) => Err(Turned::for_now(wait)),
                }
            }
        })
    }

    /// Who asks, as far as the request tells. Sign-ups are limited only where the site is served for
    /// real: whoever tries it out makes accounts by the dozen.
    fn caller(&self, door: Door, request: &Request, presented: Option<TokenHash>) -> Caller {
        let address = self.client(request);
        let is_counted = door == Door::SignIn || self.rule.own.is_some();
        let is_one = |it: &IpAddr| client::is_one_client(*it, &self.trusted_proxies);
        let device = match request.cookie(self.device_cookie.name) {
            Cookie::Value(value) => Token::parse(value),
            Cookie::Absent | Cookie::Ambiguous => None,
        };
        Caller {
            presented,
            device,
            address: address.filter(is_one).filter(|_| is_counted),
            place: self.place(request),
        }
    }

    fn admit(&self, door: Door, request: &Request, admission: &Admission, now: Moment) -> Response {
        let started = &admission.started;
        let cookie = self.session_cookie(started, now);
        let event = if door == Door::SignUp { "signup_ok" } else { "login_ok" };
        let note = Note::of(event)
            .with("uid", admission.user.id.as_str())
            .with("sess", started.session.id.handle());
        let answer = match request.wants() {
            Wants::Json => Response::json(200, &data::admitted(&admission.user, started, now)),
            Wants::Html | Wants::Text => Response::see("/"),
        };
        let answer = answer.with("Set-Cookie", cookie).noting(note);
        match &admission.device {
            Some(device) => {
                let life = now.after(login::DEVICE_LIFE);
                answer.with("Set-Cookie", self.device_cookie.set(device.reveal(), life, now))
            }
            None => answer,
        }
    }

    fn session_cookie(&self, started: &Started, now: Moment) -> String {
        self.cookie_of(&started.token, &started.session, now)
    }

    fn cookie_of(&self, token: &Token, session: &Session, now: Moment) -> String {
        if session.place.is_transient {
            self.cookie.set_transient(token.reveal())
        } else {
            self.cookie.set(token.reveal(), session.idle_expires, now)
        }
    }

    /// The sentence alone for a script; for a person the form again, with what they typed.
    fn turn_away(&self, door: Door, request: &Request, form: Form<'_>, turned: Turned) -> Response {
        let username = form.field("username").unwrap_or_default();
        let answer = if request.wants() == Wants::Html {
            let filled = Filled { username: &username, refusal: Some(turned.refusal) };
            // The box comes back as it was left.
            let remember = match self.remember {
                Remember::Offered(_) => Remember::Offered(!is_transient(form)),
                other => other,
            };
            Response::html(turned.status, self.form(door, &filled, remember))
        } else {
            turned.plainly(request)
        };
        let answer = turned.with_retry(answer);
        let event = match door {
            _ if turned.wait.is_some() => "throttled",
            Door::SignUp => "signup_fail",
            Door::SignIn => "login_fail",
        };
        let canonical = Username::for_sign_in(&username).map(|it| it.canonical().to_owned());
        let name = canonical.as_deref().unwrap_or(&username);
        let name = format!("h:{}", token::keyed_handle(self.store.handle_key(), name));
        let note = Note::of(event).with("reason", turned.reason).with("name", name);
        answer.noting(match turned.user {
            Some(id) => note.with("uid", id.as_str()),
            None => note,
        })
    }

    fn form(&self, door: Door, filled: &Filled<'_>, remember: Remember) -> maud::Markup {
        match door {
            Door::SignUp => pages::sign_up(filled, self.advice_on(Flaw::TooShort)),
            Door::SignIn => pages::sign_in(filled, remember),
        }
    }

    fn advice_on(&self, flaw: Flaw) -> &'static str {
        match (flaw, self.policy) {
            (Flaw::TooShort, Policy::Seed) => "At least 6 characters.",
            (Flaw::TooShort, Policy::Standard) => {
                "At least 8 characters; three unrelated words make a good one."
            }
            (Flaw::TooShort, Policy::Nist) => {
                "At least 15 characters; three unrelated words make a good one."
            }
            (Flaw::TooLong, _) => "At most 255 characters.",
            (Flaw::Common, _) => "Many people use this one, so it would be guessed first.",
            (Flaw::Name, _) => "A name would be guessed first. Please choose something else.",
        }
    }

    // Who is asking.

    fn visitor(&self, request: &Request, now: Moment) -> Result<Visitor, Error> {
        let presented = match request.cookie(self.cookie.name) {
            Cookie::Value(value) => Presented::Cookie(Token::parse(value)),
            Cookie::Ambiguous => Presented::Cookie(None),
            Cookie::Absent => match request.bearer() {
                Some(token) => Presented::Bearer(Token::parse(token)),
                None => Presented::Nothing,
            },
        };
        let mut visitor = Visitor { presented, resumed: None };
        if let Some(token) = visitor.token() {
            visitor.resumed = sessions::resume(&self.store, &self.rules.periods, token, now)?;
        }
        Ok(visitor)
    }

    /// Adds the cookie that the visitor's browser needs: the new end of a session that was renewed,
    /// or none any more if it holds a cookie that opens nothing.
    fn with_cookie(&self, answer: Response, visitor: &Visitor, now: Moment) -> Response {
        match (&visitor.presented, &visitor.resumed) {
            (Presented::Cookie(Some(token)), Some(it)) if it.renewed => {
                let cookie = self.cookie_of(token, &it.session, now);
                let note = Note::of("session_renew")
                    .with("uid", it.user.id.as_str())
                    .with("sess", it.session.id.handle());
                answer.with("Set-Cookie", cookie).noting_if_plain(note)
            }
            (Presented::Cookie(_), None) => {
                let note = Note::of("session_invalid");
                answer.with("Set-Cookie", self.cookie.clear()).noting_if_plain(note)
            }
            _ => answer,
        }
    }

    /// Adds the headers that every answer carries.
    fn dress(&self, mut answer: Response) -> Response {
        answer.headers.extend(HEADERS.map(|(name, value)| (name, Cow::Borrowed(value))));
        if self.cookie.secure {
            answer.headers.push(("Strict-Transport-Security", HSTS.into()));
        }
        if answer.value("Cache-Control").is_none() {
            answer.headers.push(("Cache-Control", "no-store".into()));
        }
        answer
    }
}

impl Turned {
    const NAME_TAKEN: Self = Self {
        refusal: pages::Refusal {
            text: "Username already taken",
            advice: "Please choose another one.",
            field: Field::Username,
        },
        reason: "name_taken",
        user: None,
        status: 400,
        wait: None,
    };

    const fn for_username(door: Door) -> Self {
        let advice = match door {
            Door::SignUp => "4 to 31 visible characters, with no space at either end.",
            Door::SignIn => "Names have 1 to 31 characters.",
        };
        let refusal = pages::Refusal { text: "Invalid username", advice, field: Field::Username };
        Self { refusal, reason: "invalid_username", user: None, status: 400, wait: None }
    }

    const fn for_password(advice: &'static str) -> Self {
        let refusal = pages::Refusal { text: "Invalid password", advice, field: Field::Password };
        Self { refusal, reason: "invalid_password", user: None, status: 400, wait: None }
    }

    /// One sentence for whatever was wrong: who has an account here is nobody's business.
    fn for_credentials(why: keys::Refusal) -> Self {
        let refusal = pages::Refusal {
            text: "Incorrect username or password",
            advice: "Please check both and try again.",
            field: Field::Password,
        };
        let (reason, user) = match why {
            keys::Refusal::UnknownKey | keys::Refusal::WrongPassword => ("bad_credentials", None),
            keys::Refusal::UnreadableHash(user) => ("unreadable_hash", Some(user)),
        };
        Self { refusal, reason, user, status: 400, wait: None }
    }

    /// The sentence alone, or data if that is asked for.
    fn plainly(&self, request: &Request) -> Response {
        match request.wants() {
            Wants::Json => data::turned(self),
            Wants::Html | Wants::Text => Response::text(self.status, self.refusal.text),
        }
    }

    /// Tells somebody who has to wait how long.
    fn with_retry(&self, answer: Response) -> Response {
        match self.wait {
            Some(wait) => answer.with("Retry-After", seconds_of(wait).to_string()),
            None => answer,
        }
    }

    /// The same for a name that somebody has and for one that nobody has.
    const fn for_now(wait: Duration) -> Self {
        let refusal = pages::Refusal {
            text: "Too many attempts",
            advice: "Please wait a while and try again.",
            field: Field::Password,
        };
        Self { refusal, reason: "throttled", user: None, status: 429, wait: Some(wait) }
    }
}

/// Whole seconds, rounded up: whoever comes back then is not sent away again.
fn seconds_of(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// What was asked for is done: the way on for a browser, data for a script that asks for it.
fn done(request: &Request, path: &'static str, data: &Value) -> Response {
    match request.wants() {
        Wants::Json => Response::json(200, data),
        Wants::Html | Wants::Text => Response::see(path),
    }
}

/// A page that is for people who are signed in, asked for by somebody who is not.
fn to_sign_in(request: &Request) -> Response {
    match request.wants() {
        Wants::Json => unauthorized(request),
        Wants::Html | Wants::Text => Response::see("/login"),
    }
}

/// Whether a form was sent by somebody who does not want to be remembered. A script that sends neither
/// field is remembered, as ever.
fn is_transient(form: Form<'_>) -> bool {
    form.field("remember_asked").is_some() && form.field("remember").is_none()
}

/// Words that an attacker would try first as a password here: ours, and those of the host name.
fn words(own: Option<&Origin>) -> Vec<String> {
    let host = own.map_or("", Origin::host);
    let parts = host.split('.').chain([host, "vestibule"]);
    parts.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A file that is part of the program. Its address changes with its content, and so a browser may
/// keep it for a day.
fn file(kind: &'static str, content: &'static str) -> Response {
    Response::file(kind, content).with("Cache-Control", "public, max-age=86400")
}

/// The answer to a request that another site made: nothing was looked at, nothing was changed. On
/// the way out it is Lucia's 401, as for somebody who is not signed in.
fn foreign(request: &Request) -> Response {
    let answer = match &*request.path {
        "/logout" => unauthorized(request),
        _ => problem(
            request,
            403,
            "Forbidden",
            "Another site made this request, so nothing was done. Please use our own pages.",
        ),
    };
    answer.noting(Note::of("csrf_reject"))
}

fn unauthorized(request: &Request) -> Response {
    // RFC 9110 § 15.5.2 wants the header; no browser opens a pop-up for this scheme.
    problem(request, 401, "Unauthorized", "You are not signed in, or not any more.")
        .with("WWW-Authenticate", "Bearer")
}

fn not_allowed(request: &Request, allowed: &'static str) -> Response {
    problem(request, 405, "Method not allowed", "This page cannot be asked for in that way.")
        .with("Allow", allowed)
}

fn unreadable(request: &Request, why: Unreadable) -> Response {
    match why {
        Unreadable::Encoding => {
            problem(request, 415, "Unsupported media type", "Please send the form as plain UTF-8.")
        }
        Unreadable::TooManyFields => {
            problem(request, 413, "Request too large", "Please send fewer fields.")
        }
    }
}

/// What a visitor reads when the store fails; the operator reads the cause.
fn failure(request: &Request, err: &Error) -> Response {
    match err {
        Error::Busy(cause) => busy(Some(request)).noting(Note::of("db_busy").with("cause", cause)),
        Error::Broken(cause) => {
            unknown_error(Some(request)).noting(Note::of("db_error").with("cause", cause))
        }
    }
}

fn busy(request: Option<&Request>) -> Response {
    let advice = "Too much is going on at once. Please try again in a moment.";
    let wants = request.map_or(Wants::Text, Request::wants);
    sentence(wants, 503, "Busy", advice).with("Retry-After", RETRY_SECONDS)
}

fn unknown_error(request: Option<&Request>) -> Response {
    let advice = "It is our fault, and it has been noted. Please try again later.";
    let wants = request.map_or(Wants::Text, Request::wants);
    sentence(wants, 500, "An unknown error occurred", advice)
}

fn problem(request: &Request, status: u16, title: &'static str, advice: &'static str) -> Response {
    sentence(request.wants(), status, title, advice)
}

/// The title alone for a script, or data if it asks for that; for a person a page with some advice.
fn sentence(wants: Wants, status: u16, title: &'static str, advice: &'static str) -> Response {
    match wants {
        Wants::Html => Response::html(status, pages::problem(title, advice)),
        Wants::Json => data::problem(status, title, advice),
        Wants::Text => Response::text(status, title),
    }
}
