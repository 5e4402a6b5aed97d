//! The site: a request and a moment in, a response out.
//!
//! Decides which request means what, which sentence a visitor reads, and which headers an answer
//! carries. Sockets, threads, the clock and SQL must not be known here, so that nearly every test runs
//! without them.

mod handlers;
mod json;
pub mod pages;
pub mod messages;
pub mod origin;
pub mod redirect;
pub mod client_ip;
pub mod user_agent;
pub mod http;

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use maud::Markup;
use serde_json::{Value, json};

pub use handlers::forward_auth::{Alias, IdentityHeaders, check_paths};
use handlers::sign_in::Door;

use crate::auth::access_tokens;
use crate::auth::events::Event;
use crate::auth::invitations::{self, SignUps};
use crate::auth::names::{self, Reserved};
use crate::auth::one_time_tokens;
use crate::auth::password_policy::Policy;
use crate::auth::sessions::{self, Resumed, Uses};
use crate::auth::sign_in::{self, Rules};
use crate::auth::throttle;
use crate::base::clock::Moment;
use crate::base::password::Hasher;
use crate::base::token::Token;
use crate::store::{Error, Record, Store, Tended};
use crate::web::http::{
    Cookie, CookieKind, Form, Method, Note, Problem, Request, Response, SESSION_COOKIES,
    Unreadable, Wants, session_cookie,
};
use crate::web::messages::{EN, Say};
use crate::web::origin::{Domain, Origin};
use crate::web::pages::branding::Look;
use crate::web::pages::{Frame, Remember, Way};
use crate::web::redirect::{Allowed, NEXT_NAMES, Target};

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
    frame-ancestors 'none'; base-uri 'none'; object-src 'none'";

/// For the operator's mark, which may be an SVG with a script in it. In a page no picture runs one; this
/// is for whoever opens it alone.
const POLICY_OF_LOGO: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

/// The name that Lucia gives its cookie, and so do we where the site is tried out.
const LUCIA_COOKIE: &str = SESSION_COOKIES[2];

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

/// Where whoever watches the site asks how it is.
pub const HEALTH: &str = "/healthz";

/// Rows that are deleted in one transaction, at most, so that nobody waits long behind it.
pub const SWEEP_MAX: u32 = 500;

/// How the site is set up.
#[derive(Clone, Default)]
pub struct Settings {
    /// Which requests are this site's own, and where it is.
    pub rule: origin::Rule,
    /// How long sessions live, how often somebody may guess, and which names are not to be had.
    pub rules: Rules,
    /// Reverse proxies that are believed about where a request comes from.
    pub trusted_proxies: Vec<IpNet>,
    /// How long the audit trail is kept; `None`: for good.
    pub audit_life: Option<Duration>,
    /// What the sign-in form offers about being remembered; `None`: a box that is ticked.
    pub remember: Option<Remember>,
    /// Which passwords may be chosen; `None`: the guide's without an origin, `standard` with one.
    pub policy: Option<Policy>,
    /// The domain whose hosts all get the session cookie; `None`: this host and no other.
    pub cookie_domain: Option<Domain>,
    /// Apps behind this sign-in: where people may be sent back to.
    pub apps: Vec<Origin>,
    /// Other gates whose check endpoints are answered.
    pub aliases: Vec<Alias>,
    /// The headers that tell apps who somebody is.
    pub identity: IdentityHeaders,
    /// Whether checks take passwords and access tokens.
    pub basic_auth: bool,
    /// Who may make an account.
    pub sign_ups: SignUps,
    /// How the pages look.
    pub look: Look,
}

impl Settings {
    /// Which passwords may be chosen, in the end.
    pub fn policy(&self) -> Policy {
        let is_real = self.rule.own.is_some();
        self.policy.unwrap_or(if is_real { Policy::Standard } else { Policy::Seed })
    }

    /// Names that nobody may take at sign-up, in the end: where the site is tried out, the guide's rules
    /// hold to the letter, and only what the operator lists is reserved.
    pub fn reserved(&self) -> Reserved {
        let listed = self.rules.reserved.clone();
        if self.rule.own.is_some() { listed.and_roles() } else { listed }
    }
}

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
    store: Box<dyn Store>,
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
    allowed: Allowed,
    aliases: Vec<Alias>,
    identity: IdentityHeaders,
    basic_auth: bool,
    sign_ups: SignUps,
    look: Look,
    /// Passwords that scripts send with each request.
    memory: access_tokens::Memory,
    /// What is to be written down behind the answers.
    uses: Uses,
    /// The cookie by which a browser is known.
    device_cookie: CookieKind,
}

/// What a request presents to be recognised by.
enum Presented {
    Nothing,
    /// `None`: it cannot be a token, or there are two.
    Cookie(Option<Token>),
    Bearer(Option<Token>),
    /// The cookie that Lucia gave out, where ours has another name.
    Old(Token),
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
            Presented::Old(token) => Some(token),
            Presented::Nothing => None,
        }
    }
}

/// An answer, or the store's failure to give one.
type Answer = Result<Response, Error>;

impl Site {
    /// A site over this store.
    pub fn new(store: Box<dyn Store>, hasher: Hasher, settings: Settings) -> Self {
        let own = settings.rule.own.as_ref();
        let secure = own.is_some_and(Origin::is_https);
        let domain = settings.cookie_domain.as_ref().map(|it| it.as_str().to_owned());
        let name = session_cookie(secure, domain.is_some());
        let device_name = if secure { "__Host-auth_device" } else { "auth_device" };
        let allowed = Allowed {
            own: own.cloned(),
            apps: settings.apps.clone(),
            domain: settings.cookie_domain.clone(),
        };
        Self {
            store,
            hasher,
            policy: settings.policy(),
            rules: Rules { reserved: settings.reserved(), ..settings.rules },
            audit_life: settings.audit_life,
            remember: settings.remember.unwrap_or(Remember::Offered(true)),
            trusted_proxies: settings.trusted_proxies,
            words: words(own),
            rule: settings.rule,
            cookie: CookieKind { name, secure, domain },
            device_cookie: CookieKind { name: device_name, secure, domain: None },
            allowed,
            aliases: settings.aliases,
            identity: settings.identity,
            basic_auth: settings.basic_auth,
            sign_ups: settings.sign_ups,
            look: settings.look,
            memory: access_tokens::Memory::default(),
            uses: Uses::default(),
        }
    }

    /// Where a request comes from: the peer, or what a trusted proxy says.
    pub fn client(&self, request: &Request) -> Option<IpAddr> {
        client_ip::address(request, &self.trusted_proxies)
    }

    /// Whether a peer that is not trusted says where the request comes from.
    pub fn ignores_forwarded(&self, request: &Request) -> bool {
        client_ip::is_ignored(request, &self.trusted_proxies)
    }

    /// Answers a request. It always has an answer, also when the store fails.
    pub fn answer(&self, request: &Request, now: Moment) -> Response {
        if let Some(answer) = self.check(request, now) {
            return answer;
        }
        let answer = self.route(request, now).unwrap_or_else(|err| self.failure(request, &err));
        self.dress(answer)
    }

    /// Answers `/healthz` on the gate's own thread when the database is remote: a health check must not
    /// queue behind workers that wait for a database server.
    pub fn answer_at_once(&self, request: &Request) -> Option<Response> {
        let is_asked = matches!(request.method, Method::Get | Method::Head);
        let is_known = is_asked && request.path == HEALTH && self.store.asks_servers();
        (is_known && !self.is_foreign(request)).then(|| self.dress(self.report_health(request)))
    }

    /// The lane for a request: the slow one only if a password may have to be hashed, so that most
    /// mistakes are told at once even while that lane is full; and the one for pages only if nothing is written
    /// that anybody waits for.
    pub fn lane(&self, request: &Request, now: Moment) -> Lane {
        let path = &*request.path;
        if self.check_hashes(request, now) {
            return Lane::Slow;
        }
        let may_post = request.method == Method::Post && self.takes_forms(path);
        if !may_post || self.is_foreign(request) {
            return Lane::Page;
        }
        let form = request.form();
        let hashes = |hashes: &dyn Fn(Form<'_>) -> bool| form.as_ref().is_ok_and(|it| hashes(*it));
        match path {
            // Without a hash these are refused before anything is written.
            "/signup" | "/login" | "/reset" => {
                let is_slow = hashes(&|form| match path {
                    "/signup" => self.may_be_invited(form) && self.read(Door::SignUp, form).is_ok(),
                    "/login" => self.read(Door::SignIn, form).is_ok(),
                    _ => Self::reset_hashes(form),
                });
                if is_slow { Lane::Slow } else { Lane::Page }
            }
            _ if hashes(&|form| Self::account_hashes(path, form)) => Lane::Slow,
            _ => Lane::Write,
        }
    }

    /// How long a request may take in all: then it is told to come back, unless it has been begun.
    pub fn patience(&self) -> Duration {
        self.store.patience()
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
        self.dress(self.refuse_check(request, answer.noting(Note::of(problem.event()))))
    }

    /// Deletes a batch of what is dead or forgotten by now, lets failures of the future be of now, and says
    /// how many there were: fewer than [`SWEEP_MAX`] means that none is left.
    pub fn sweep(&self, now: Moment) -> Result<usize, Error> {
        let dead = sessions::delete_dead(&*self.store, SWEEP_MAX, now)?;
        let quiet = now.before(throttle::QUIET);
        let unused = now.before(sign_in::DEVICE_LIFE);
        let limits = &self.rules.limits;
        let ahead = throttle::bring_back_all(&*self.store, limits, SWEEP_MAX, now)?;
        let forgotten = self.store.delete_forgotten(quiet, unused, SWEEP_MAX)?;
        let old = match self.audit_life {
            Some(life) => self.store.delete_records(now.before(life), SWEEP_MAX)?,
            None => 0,
        };
        let ended = access_tokens::delete_ended(&*self.store, SWEEP_MAX, now)?;
        let tokens = one_time_tokens::delete_ended(&*self.store, SWEEP_MAX, now)?;
        let invites = invitations::delete_ended(&*self.store, SWEEP_MAX, now)?;
        let rested = names::delete_rested(&*self.store, SWEEP_MAX, now)?;
        Ok(dead + ahead + forgotten + old + ended + tokens + invites + rested)
    }

    /// Looks after the way to the database, and says what has changed; to be called every few seconds.
    pub fn tend(&self) -> Tended {
        self.store.tend()
    }

    /// Waits until a use of a session or an access token is to be written down, for `patience` at most.
    pub fn wait_for_uses(&self, patience: Duration) {
        self.uses.wait(patience);
    }

    /// Writes down a batch of the uses that answers were given to, and says how many: none means that
    /// nothing is left. To be called on a thread that nobody waits for.
    pub fn write_uses(&self) -> Result<usize, Error> {
        self.uses.write(&*self.store)
    }

    /// Keeps records in the audit trail.
    pub fn keep(&self, records: &[Record]) -> Result<(), Error> {
        self.store.add_records(records)
    }

    /// The record that was kept last in the audit trail, by whichever server.
    pub fn last_record(&self) -> Result<Option<Record>, Error> {
        self.store.last_record()
    }

    /// How many password hashes were computed: for tests, which must not measure time.
    pub fn hashes_computed(&self) -> u64 {
        self.hasher.computed()
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
            return Ok(self.foreign(request));
        }
        let Some(allowed) = self.allowed_at(&request.path) else {
            return Ok(match &*request.path {
                "/oauth2/start" | "/oauth2/sign_in" | "/oauth2/sign_out"
                    if self.aliases.contains(&Alias::Oauth2Proxy) =>
                {
                    self.show_way(request)
                }
                _ => self.problem(request, 404, |t| t.not_found),
            });
        };
        match (request.method, &*request.path) {
            (Method::Get | Method::Head, "/") => self.show_profile(request, now),
            (Method::Get | Method::Head, "/signup") => self.show(Door::SignUp, request, now),
            (Method::Get | Method::Head, "/reset") => self.show_reset(request, now),
            (Method::Get | Method::Head, "/login") => self.show(Door::SignIn, request, now),
            (Method::Get | Method::Head, "/style.css") => {
                Ok(file("text/css; charset=utf-8", self.look.style()))
            }
            (Method::Get | Method::Head, "/icon.svg") => {
                Ok(file("image/svg+xml", pages::ICON.as_bytes()))
            }
            (Method::Get | Method::Head, "/logo") => Ok(self.show_logo(request)),
            (Method::Get | Method::Head, HEALTH) => Ok(self.report_health(request)),
            (Method::Get | Method::Head, "/whoami") => self.tell_address(request, now),
            (Method::Get | Method::Head, "/account") => self.show_account(request, now),
            (Method::Get | Method::Head, "/account/sessions") => self.show_sessions(request, now),
            (Method::Get | Method::Head, "/account/tokens") => self.show_tokens(request, now),
            (Method::Post, "/logout") => self.sign_out(request, now),
            (Method::Post, path) => match request.form() {
                Ok(form) => self
                    .take(path, request, form, now)
                    .unwrap_or_else(|| Ok(self.not_allowed(request, allowed))),
                Err(why) => Ok(self.unreadable(request, why)),
            },
            _ => Ok(self.not_allowed(request, allowed)),
        }
    }

    /// The methods that a page of ours takes. `None` if there is no such page.
    fn allowed_at(&self, path: &str) -> Option<&'static str> {
        Some(match path {
            "/" | "/style.css" | "/icon.svg" | "/logo" | HEALTH | "/whoami" | "/account"
            | "/account/sessions" => "GET, HEAD",
            "/signup" | "/login" | "/reset" => "GET, HEAD, POST",
            "/account/tokens" if self.basic_auth => "GET, HEAD, POST",
            "/account/tokens/revoke" if self.basic_auth => "POST",
            "/logout"
            | "/account/password"
            | "/account/sessions/end"
            | "/account/sessions/end-others"
            | "/account/delete" => "POST",
            _ => return None,
        })
    }

    /// Whether something can be sent to a page of ours.
    fn takes_forms(&self, path: &str) -> bool {
        self.allowed_at(path).is_some_and(|it| it.ends_with("POST"))
    }

    /// The forms. `None` where none is taken.
    fn take(&self, path: &str, request: &Request, form: Form<'_>, now: Moment) -> Option<Answer> {
        Some(match path {
            "/signup" => self.enter(Door::SignUp, request, form, now),
            "/login" => self.enter(Door::SignIn, request, form, now),
            "/reset" => self.reset_password(request, form, now),
            "/account/password" => self.change_password(request, form, now),
            "/account/sessions/end" => self.end_session(request, form, now),
            "/account/sessions/end-others" => self.end_other_sessions(request, form, now),
            "/account/delete" => self.delete_account(request, form, now),
            "/account/tokens" => self.make_token(request, form, now),
            "/account/tokens/revoke" => self.revoke_token(request, form, now),
            _ => return None,
        })
    }

    /// For whoever watches the server: a worker answers, and the database can be read.
    fn report_health(&self, request: &Request) -> Response {
        if let Err(err) = self.store.probe() {
            // Whatever the cause: whoever watches should send people elsewhere.
            return self.failure(request, &Error::Unavailable(err.to_string()));
        }
        let answer = match request.wants() {
            Wants::Json => Response::json(200, &json!({ "status": "ok" })),
            Wants::Html | Wants::Text => Response::text(200, "ok"),
        };
        answer.noting(Note::of(Event::Health))
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
            None => self.unauthorized(request),
        };
        Ok(self.with_cookie(answer, &visitor, now))
    }

    fn show_logo(&self, request: &Request) -> Response {
        match self.look.logo() {
            Some(logo) => {
                file(logo.kind, logo.bytes.clone()).with("Content-Security-Policy", POLICY_OF_LOGO)
            }
            None => self.problem(request, 404, |t| t.not_found),
        }
    }

    fn show_profile(&self, request: &Request, now: Moment) -> Answer {
        let visitor = self.visitor(request, now)?;
        let answer = match &visitor.resumed {
            Some(it) if request.wants() == Wants::Json => {
                Response::json(200, &json::profile(it, now))
            }
            Some(it) => self.page(request, 200, |frame| {
                pages::profile(frame, it.user.id.as_str(), &it.user.username)
            }),
            None => self.to_sign_in(request),
        };
        Ok(self.with_cookie(answer, &visitor, now))
    }

    fn sign_out(&self, request: &Request, now: Moment) -> Answer {
        let visitor = self.visitor(request, now)?;
        let Some(resumed) = &visitor.resumed else {
            return Ok(self.with_cookie(self.unauthorized(request), &visitor, now));
        };
        sessions::end(&*self.store, &resumed.session.id)?;
        let note = Note::of(Event::Logout)
            .with("uid", resumed.user.id.as_str())
            .with("sess", resumed.session.id.handle());
        let answer = done(request, "/login", &json!({ "signed_in": false }));
        let answer = self.forget(answer).noting(note);
        Ok(match visitor.presented {
            Presented::Old(_) => self.without_old_cookie(answer),
            _ => answer,
        })
    }

    // Who is asking.

    fn visitor(&self, request: &Request, now: Moment) -> Result<Visitor, Error> {
        let presented = match request.cookie(self.cookie.name) {
            Cookie::Value(value) => Presented::Cookie(Token::parse(value)),
            Cookie::Ambiguous => Presented::Cookie(None),
            Cookie::Absent => match request.bearer() {
                Some(token) => Presented::Bearer(Token::parse(token)),
                None => self.presented_of_old(request, now)?,
            },
        };
        let mut visitor = Visitor { presented, resumed: None };
        if let Some(token) = visitor.token() {
            let found = sessions::recognise(&*self.store, &self.rules.periods, token, now)?;
            visitor.resumed = found.map(|it| {
                let is_noted = it.to_note.is_none_or(|it| self.uses.note(it));
                it.resumed(is_noted)
            });
        }
        Ok(visitor)
    }

    /// Somebody who came over from Lucia with the cookie that they have: nobody is to be signed out by
    /// that. A neighbouring host can set a cookie of that name, so it opens sessions that came over and
    /// no others. All of those end within 30 days of the import.
    fn presented_of_old(&self, request: &Request, now: Moment) -> Result<Presented, Error> {
        let old = match request.cookie(LUCIA_COOKIE) {
            Cookie::Value(value) => Token::parse(value),
            Cookie::Absent | Cookie::Ambiguous => None,
        };
        let Some(token) = old else { return Ok(Presented::Nothing) };
        let found = sessions::get(&*self.store, &token.hash(), now)?;
        let is_good = found.is_some_and(|(_, session)| sessions::is_imported(&session));
        Ok(if is_good { Presented::Old(token) } else { Presented::Nothing })
    }

    /// Takes everything from the browser of somebody who has gone: the cookie, and the pages that it keeps
    /// whole for the way back. Chromium keeps them there in spite of `no-store`. Of `Clear-Site-Data`
    /// only this part: that for cookies clears those of all neighbours.
    fn forget(&self, answer: Response) -> Response {
        let answer = answer.with("Set-Cookie", self.cookie.clear());
        answer.with("Clear-Site-Data", "\"cache\"")
    }

    /// Takes the cookie that Lucia gave out from a browser that has ours from now on.
    fn without_old_cookie(&self, answer: Response) -> Response {
        let old = CookieKind { name: LUCIA_COOKIE, domain: None, ..self.cookie.clone() };
        answer.with("Set-Cookie", old.clear())
    }

    /// Adds the cookie that the visitor's browser needs: the new end of a session that was renewed,
    /// or none any more if it holds a cookie that opens nothing.
    fn with_cookie(&self, answer: Response, visitor: &Visitor, now: Moment) -> Response {
        match (&visitor.presented, &visitor.resumed) {
            (Presented::Cookie(Some(token)), Some(it)) if it.renewed => {
                let cookie = self.cookie_of(token, &it.session, now);
                let note = Note::of(Event::SessionRenew)
                    .with("uid", it.user.id.as_str())
                    .with("sess", it.session.id.handle());
                answer.with("Set-Cookie", cookie).noting_if_plain(note)
            }
            (Presented::Old(token), Some(it)) => {
                let cookie = self.cookie_of(token, &it.session, now);
                let note = Note::of(Event::SessionMoved)
                    .with("uid", it.user.id.as_str())
                    .with("sess", it.session.id.handle());
                let answer = answer.with("Set-Cookie", cookie).noting_if_plain(note);
                self.without_old_cookie(answer)
            }
            (Presented::Cookie(_), None) => {
                let note = Note::of(Event::SessionInvalid);
                answer.with("Set-Cookie", self.cookie.clear()).noting_if_plain(note)
            }
            _ => answer,
        }
    }

    /// Where somebody asks to be sent back to. `None`: nowhere in particular, or not where anybody may
    /// be sent.
    fn next(&self, fields: Form<'_>) -> Option<Target> {
        let asked = NEXT_NAMES.iter().find_map(|name| fields.field(name));
        asked.and_then(|address| self.allowed.target(&address))
    }

    // Pages, and what is said instead of one.

    /// A page, in the language that the visitor likes best.
    fn page(&self, request: &Request, status: u16, draw: impl FnOnce(Frame) -> Markup) -> Response {
        // Scripts that ask for a page read what they have always read.
        let text = match request.wants() {
            Wants::Html => messages::preferred(request.values("accept-language")),
            Wants::Text | Wants::Json => &EN,
        };
        let frame = Frame { text, look: &self.look };
        Response::html(status, draw(frame))
            .with("Content-Language", frame.text.code)
            .with("Vary", "Accept, Accept-Language")
    }

    /// A page that is for people who are signed in, asked for by somebody who is not.
    fn to_sign_in(&self, request: &Request) -> Response {
        match request.wants() {
            Wants::Json => self.unauthorized(request),
            Wants::Html | Wants::Text => Response::see("/login"),
        }
    }

    /// The answer to a request that another site made: nothing was looked at, nothing was changed. On
    /// the way out it is Lucia's 401, as for somebody who is not signed in.
    fn foreign(&self, request: &Request) -> Response {
        let answer = match &*request.path {
            "/logout" => self.unauthorized(request),
            _ => self.problem(request, 403, |t| t.foreign),
        };
        answer.noting(Note::of(Event::CsrfReject))
    }

    fn unauthorized(&self, request: &Request) -> Response {
        // RFC 9110 § 15.5.2 wants the header; no browser opens a pop-up for this scheme.
        self.problem(request, 401, |t| t.unauthorized).with("WWW-Authenticate", "Bearer")
    }

    fn not_allowed(&self, request: &Request, allowed: &'static str) -> Response {
        self.problem(request, 405, |t| t.not_allowed).with("Allow", allowed)
    }

    fn unreadable(&self, request: &Request, why: Unreadable) -> Response {
        match why {
            Unreadable::Encoding => self.problem(request, 415, |t| t.unsupported),
            Unreadable::TooManyFields => self.problem(request, 413, |t| t.too_many_fields),
        }
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

    fn problem(&self, request: &Request, status: u16, say: Say) -> Response {
        self.sentence(Some(request), status, say)
    }

    /// The title alone for a script, or data if it asks for that; for a person a page with some advice.
    fn sentence(&self, request: Option<&Request>, status: u16, say: Say) -> Response {
        match request.map(|it| (it, it.wants())) {
            Some((request, Wants::Html)) => {
                let way = if status == 401 { Way::SignIn } else { Way::Back };
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

/// What was asked for is done: the way on for a browser, data for a script that asks for it.
fn done(request: &Request, path: &'static str, data: &Value) -> Response {
    match request.wants() {
        Wants::Json => Response::json(200, data),
        Wants::Html | Wants::Text => Response::see(path),
    }
}

/// Words that an attacker would try first as a password here: ours, and those of the host name.
fn words(own: Option<&Origin>) -> Vec<String> {
    let host = own.map_or("", Origin::host);
    let parts = host.split('.').chain([host, "vestibule"]);
    parts.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A file that is the same for everybody. Its address changes with its content, and so a browser may
/// keep it for a day.
fn file(kind: &'static str, content: impl Into<Cow<'static, [u8]>>) -> Response {
    Response::file(kind, content).with("Cache-Control", "public, max-age=86400")
}
