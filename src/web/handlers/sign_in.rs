//! The two forms that lead in: who is let in, and what somebody reads who is not.

use std::net::IpAddr;
use std::time::Duration;

use crate::auth::events::Event;
use crate::auth::invitations::{self, SignUps};
use crate::auth::keys;
use crate::auth::password_policy::{self, Flaw, Policy};
use crate::auth::sessions::Started;
use crate::auth::sign_in::{self, Admission, Caller, SignIn, SignUp};
use crate::auth::users::{self, Username};
use crate::base::clock::Moment;
use crate::base::password::Password;
use crate::base::token::{self, Token, TokenHash};
use crate::store::{Error, Invite, Session, UserId};
use crate::web::client_ip;
use crate::web::http::{Cookie, Form, Method, Note, Request, Response, Wants};
use crate::web::messages::{EN, Say};
use crate::web::pages::{self, Field, Filled, Remember};
use crate::web::redirect::Target;
use crate::web::{Answer, Site, json, leading_to};

/// How long a browser keeps a cookie, at most (RFC 6265bis § 5.5).
const COOKIE_LIFE_MAX: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// How long after an account was made its sign-up form may have been sent twice.
const REPEATED: Duration = Duration::from_secs(10);

/// The two forms that lead in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Door {
    SignUp,
    SignIn,
}

/// Why somebody is turned away at a door.
pub(in crate::web) struct Turned {
    pub(in crate::web) status: u16,
    /// How long they should wait before they try again.
    pub(in crate::web) wait: Option<Duration>,
    /// What they read.
    pub(in crate::web) refusal: pages::Refusal,
    /// What the operator reads.
    pub(in crate::web) reason: &'static str,
    /// Whose account the operator should look after, if so.
    pub(in crate::web) user: Option<UserId>,
}

impl Site {
    /// A form, or for somebody who is signed in already, the way to where they want to go or to their
    /// profile.
    pub(in crate::web) fn show(&self, door: Door, request: &Request, now: Moment) -> Answer {
        if let Err(uninvited) = self.invite(door, request.parameters(), now)? {
            return Ok(self.not_invited(uninvited, request));
        }
        let visitor = self.visitor(request, now)?;
        let invite = request.parameters().field("invite");
        let next = self.next(request.parameters());
        let answer = match visitor.resumed {
            _ if request.wants() == Wants::Json => {
                let is_signed_in = visitor.resumed.is_some();
                Response::json(200, &json::form(door, is_signed_in, self.policy.shortest()))
            }
            Some(_) => see(next.as_ref()),
            None => {
                let filled = Filled {
                    next: next.as_ref().map(Target::as_str),
                    invite: invite.as_deref(),
                    is_open: self.sign_ups == SignUps::Open,
                    ..Filled::default()
                };
                let page = self.form(door, request, 200, &filled, self.remember);
                leading_to(page, next.as_ref())
            }
        };
        Ok(self.with_cookie(answer, &visitor, now))
    }

    pub(in crate::web) fn enter(
        &self,
        door: Door,
        request: &Request,
        form: Form<'_>,
        now: Moment,
    ) -> Answer {
        let invite = self.invite(door, form, now)?;
        let visitor = self.visitor(request, now)?;
        let presented = visitor.token().map(Token::hash);
        let mut caller = self.caller(door, request, presented);
        caller.place.is_transient = is_transient(form);
        let invite = match invite {
            Ok(invite) => invite,
            Err(uninvited) => return Ok(self.not_invited(uninvited, request)),
        };
        caller.invite = invite;
        let outcome = match self.read(door, form) {
            Ok((name, password)) => self.pass(door, &name, &password, &caller, now)?,
            Err(turned) => Err(turned),
        };
        let next = self.next(form);
        let turned = match outcome {
            Ok(admission) => return Ok(self.admit(door, request, &admission, next.as_ref(), now)),
            Err(turned) => turned,
        };
        let again = match door {
            Door::SignUp if turned.may_be_second_click() => self.enter_again(request, form, now)?,
            _ => None,
        };
        let answer = match again {
            Some(Ok(admission)) => {
                return Ok(self.admit(Door::SignIn, request, &admission, next.as_ref(), now));
            }
            // They read what they would have read; the operator reads that a password was tried.
            Some(Err(refused)) => {
                let note = self.note_of(Door::SignIn, form, &refused);
                self.turn_away(door, request, form, &turned).noting(note)
            }
            None => self.turn_away(door, request, form, &turned),
        };
        Ok(self.with_cookie(answer, &visitor, now))
    }

    /// Lets in whoever has sent a form twice that made their account the first time, as by clicking twice:
    /// the browser shows the second answer alone, which would be that the name is taken. It is a sign-in
    /// like any other, with the password in the form, to an account that is seconds old. What scripts send
    /// has not the field of our page, and is answered as ever. `None`: it is no such form.
    // LIMIT: an invitation for one is used up by the first click, and the second is told so.
    fn enter_again(
        &self,
        request: &Request,
        form: Form<'_>,
        now: Moment,
    ) -> Result<Option<Result<Box<Admission>, Turned>>, Error> {
        let Ok((name, password)) = self.read(Door::SignUp, form) else { return Ok(None) };
        let user = users::by_name(&*self.store, &name)?;
        let is_new = user.is_some_and(|user| now <= user.created_at.after(REPEATED));
        if form.field("by_page").is_none() || !is_new {
            return Ok(None);
        }
        let mut caller = self.caller(Door::SignIn, request, None);
        caller.place.is_transient = is_transient(form);
        self.pass(Door::SignIn, &name, &password, &caller, now).map(Some)
    }

    /// The invitation that somebody comes with to this door, if any. An error is why they may not make
    /// an account.
    fn invite(
        &self,
        door: Door,
        fields: Form<'_>,
        now: Moment,
    ) -> Result<Result<Option<Invite>, Uninvited>, Error> {
        let presented = fields.field("invite").filter(|_| door == Door::SignUp);
        let Some(presented) = presented else {
            return Ok(match (door, self.sign_ups) {
                (Door::SignIn, _) | (_, SignUps::Open) => Ok(None),
                (_, SignUps::Invite) => Err(Uninvited::ByInvitation),
                (_, SignUps::Closed) => Err(Uninvited::Closed),
            });
        };
        let found = match Token::parse(&presented) {
            Some(token) => invitations::find(&*self.store, self.sign_ups, &token, now)?,
            None => None,
        };
        Ok(found.map(Some).ok_or(Uninvited::BadInvite))
    }

    /// Whether somebody may make an account, as far as their form alone tells.
    pub(in crate::web) fn may_be_invited(&self, form: Form<'_>) -> bool {
        match form.field("invite") {
            Some(invite) => Token::parse(&invite).is_some(),
            None => self.sign_ups == SignUps::Open,
        }
    }

    /// The name and the password in a form, if they are worth looking up.
    pub(in crate::web) fn read(
        &self,
        door: Door,
        form: Form<'_>,
    ) -> Result<(Username, Password), Turned> {
        let name = form.field("username").and_then(|typed| match door {
            Door::SignUp => Username::for_sign_up(&typed),
            Door::SignIn => Username::for_sign_in(&typed),
        });
        let Some(name) = name else { return Err(Turned::for_username(door)) };
        let typed = form.field("password");
        let Some(password) = typed.and_then(|typed| password_policy::read(&typed)) else {
            return Err(Turned::for_password(|t| t.bad_password));
        };
        match door {
            Door::SignUp => match self.policy.flaw(&password, &name, &self.words) {
                Some(flaw) => Err(Turned::for_password(self.advice_on(flaw))),
                None => Ok((name, password)),
            },
            Door::SignIn => Ok((name, password)),
        }
    }

    pub(in crate::web) fn pass(
        &self,
        door: Door,
        name: &Username,
        password: &Password,
        caller: &Caller,
        now: Moment,
    ) -> Result<Result<Box<Admission>, Turned>, Error> {
        let store = &*self.store;
        let Self { hasher, rules, .. } = self;
        Ok(match door {
            Door::SignUp => {
                match sign_in::sign_up(store, hasher, rules, name, password, caller, now)? {
                    SignUp::Admitted(admission) => Ok(admission),
                    SignUp::NameTaken => Err(Turned::NAME_TAKEN),
                    SignUp::NotInvited => Err(Turned::NOT_INVITED),
                    SignUp::Wait(wait) => Err(Turned::for_now(wait)),
                }
            }
            Door::SignIn => {
                match sign_in::with_password(store, hasher, rules, name, password, caller, now)? {
                    SignIn::Admitted(admission) => Ok(admission),
                    SignIn::Refused(why) => Err(Turned::for_credentials(why)),
                    SignIn::Wait(wait) => Err(Turned::for_now(wait)),
                }
            }
        })
    }

    /// Who asks, as far as the request tells. Sign-ups are limited only where the site is served for
    /// real: whoever tries it out makes accounts by the dozen.
    pub(in crate::web) fn caller(
        &self,
        door: Door,
        request: &Request,
        presented: Option<TokenHash>,
    ) -> Caller {
        let address = self.client(request);
        let is_counted = door == Door::SignIn || self.rule.own.is_some();
        let is_one = |it: &IpAddr| client_ip::is_one_client(*it, &self.trusted_proxies);
        let device = match request.cookie(self.device_cookie.name) {
            Cookie::Value(value) => Token::parse(value),
            Cookie::Absent | Cookie::Ambiguous => None,
        };
        Caller {
            presented,
            device,
            address: address.filter(is_one).filter(|_| is_counted),
            place: self.place(request),
            invite: None,
        }
    }

    pub(in crate::web) fn admit(
        &self,
        door: Door,
        request: &Request,
        admission: &Admission,
        next: Option<&Target>,
        now: Moment,
    ) -> Response {
        let started = &admission.started;
        let cookie = self.session_cookie(started, now);
        let event = if door == Door::SignUp { Event::SignupOk } else { Event::LoginOk };
        let note = Note::of(event)
            .with("uid", admission.user.id.as_str())
            .with("sess", started.session.id.handle());
        let note = match &admission.invite {
            Some(invite) => note.with("invite", invite.handle()),
            None => note,
        };
        let answer = match request.wants() {
            Wants::Json => {
                let mut data = json::admitted(&admission.user, started, now);
                if let Some(next) = next {
                    data["next"] = next.as_str().into();
                }
                Response::json(200, &data)
            }
            Wants::Html | Wants::Text => see(next),
        };
        let answer = answer.with("Set-Cookie", cookie).noting(note);
        match &admission.device {
            Some(device) => {
                let life = now.after(sign_in::DEVICE_LIFE);
                answer.with("Set-Cookie", self.device_cookie.set(device.reveal(), life, now))
            }
            None => answer,
        }
    }

    pub(in crate::web) fn session_cookie(&self, started: &Started, now: Moment) -> String {
        self.cookie_of(&started.token, &started.session, now)
    }

    pub(in crate::web) fn cookie_of(
        &self,
        token: &Token,
        session: &Session,
        now: Moment,
    ) -> String {
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

    /// The sentence alone for a script; for a person the form again, with what they typed.
    pub(in crate::web) fn turn_away(
        &self,
        door: Door,
        request: &Request,
        form: Form<'_>,
        turned: &Turned,
    ) -> Response {
        let username = form.field("username").unwrap_or_default();
        let answer = if request.wants() == Wants::Html {
            let next = self.next(form);
            let invite = form.field("invite");
            let filled = Filled {
                username: &username,
                refusal: Some(turned.refusal),
                next: next.as_ref().map(Target::as_str),
                invite: invite.as_deref(),
                is_open: self.sign_ups == SignUps::Open,
            };
            // The box comes back as it was left.
            let remember = match self.remember {
                Remember::Offered(_) => Remember::Offered(!is_transient(form)),
                other => other,
            };
            let page = self.form(door, request, turned.status, &filled, remember);
            leading_to(page, next.as_ref())
        } else {
            turned.plainly(request)
        };
        let answer = turned.with_retry(answer);
        let note = self.note_of(door, form, turned);
        answer.noting(note)
    }

    /// What the operator reads of somebody who is turned away.
    fn note_of(&self, door: Door, form: Form<'_>, turned: &Turned) -> Note {
        let event = match door {
            _ if turned.wait.is_some() => Event::Throttled,
            Door::SignUp => Event::SignupFail,
            Door::SignIn => Event::LoginFail,
        };
        let username = form.field("username").unwrap_or_default();
        let canonical = Username::for_sign_in(&username).map(|it| it.canonical().to_owned());
        let name = canonical.as_deref().unwrap_or(&username);
        let name = self.name_handle(name);
        let note = Note::of(event).with("reason", turned.reason).with("name", name);
        let tried_on = match (door, &canonical) {
            (Door::SignIn, Some(canonical)) => self.tried_on(canonical),
            _ => None,
        };
        noting_user(note, tried_on.or_else(|| turned.user.clone()).as_ref())
    }

    /// The account that a refused sign-in with this canonical name was tried on, for the operator's
    /// record. It is looked up after every refusal in the same way, so that neither the answer nor its
    /// time tells whether there is one; for the same reason a failure of the store is no account.
    pub(in crate::web) fn tried_on(&self, canonical: &str) -> Option<UserId> {
        sign_in::account_of(&*self.store, canonical).ok().flatten()
    }

    /// What the log knows a name as: people type passwords into the wrong field.
    pub(in crate::web) fn name_handle(&self, name: &str) -> String {
        format!("h:{}", token::keyed_handle(self.store.handle_key(), name))
    }

    fn form(
        &self,
        door: Door,
        request: &Request,
        status: u16,
        filled: &Filled<'_>,
        remember: Remember,
    ) -> Response {
        let advice = self.advice_on(Flaw::TooShort);
        self.page(request, status, |frame| match door {
            Door::SignUp => pages::sign_up(frame, filled, advice),
            Door::SignIn => pages::sign_in(frame, filled, remember),
        })
    }

    pub(in crate::web) fn advice_on(&self, flaw: Flaw) -> Say {
        match (flaw, self.policy) {
            (Flaw::TooShort, Policy::Seed) => |t| t.short_password_of_seed,
            (Flaw::TooShort, Policy::Standard) => |t| t.short_password_of_standard,
            (Flaw::TooShort, Policy::Nist) => |t| t.short_password_of_nist,
            (Flaw::TooLong, _) => |t| t.long_password,
            (Flaw::Common, _) => |t| t.common_password,
            (Flaw::Name, _) => |t| t.password_is_name,
        }
    }

    fn not_invited(&self, why: Uninvited, request: &Request) -> Response {
        let (reason, say): (_, Say) = match why {
            Uninvited::Closed => ("closed", |t| t.sign_up_closed),
            Uninvited::ByInvitation => ("by_invitation", |t| t.sign_up_by_invitation),
            Uninvited::BadInvite => ("bad_invite", |t| t.bad_invite),
        };
        let answer = self.problem(request, 403, say);
        // Whoever only looks has not failed at anything.
        match request.method {
            Method::Post => answer.noting(Note::of(Event::SignupFail).with("reason", reason)),
            _ => answer,
        }
    }
}

/// Why somebody may not make an account.
#[derive(Clone, Copy)]
enum Uninvited {
    /// Nobody may.
    Closed,
    /// It takes an invitation.
    ByInvitation,
    /// Theirs is not good, or not any more.
    BadInvite,
}

impl Turned {
    /// Others were quicker.
    pub(in crate::web) const NOT_INVITED: Self = Self {
        refusal: pages::Refusal { say: |t| t.bad_invite, field: Field::Username },
        reason: "bad_invite",
        user: None,
        status: 403,
        wait: None,
    };

    pub(in crate::web) const NAME_TAKEN: Self = Self {
        refusal: pages::Refusal { say: |t| t.name_taken, field: Field::Username },
        reason: "name_taken",
        user: None,
        status: 400,
        wait: None,
    };

    /// Whether somebody reads this who has just made an account with the same form: their name is taken, or
    /// their invitation used, or it was the last account for a while.
    fn may_be_second_click(&self) -> bool {
        matches!(self.reason, "name_taken" | "bad_invite" | "throttled")
    }

    pub(in crate::web) const fn for_username(door: Door) -> Self {
        let say: Say = match door {
            Door::SignUp => |t| t.bad_username,
            Door::SignIn => |t| t.bad_username_at_sign_in,
        };
        let refusal = pages::Refusal { say, field: Field::Username };
        Self { refusal, reason: "invalid_username", user: None, status: 400, wait: None }
    }

    pub(in crate::web) const fn for_password(say: Say) -> Self {
        let refusal = pages::Refusal { say, field: Field::Password };
        Self { refusal, reason: "invalid_password", user: None, status: 400, wait: None }
    }

    /// One sentence for whatever was wrong: who has an account here is nobody's business.
    pub(in crate::web) fn for_credentials(why: keys::Refusal) -> Self {
        let refusal = pages::Refusal { say: |t| t.incorrect_credentials, field: Field::Password };
        let (reason, user) = told_of(why);
        Self { refusal, reason, user, status: 400, wait: None }
    }

    /// The sentence alone, or data if that is asked for.
    pub(in crate::web) fn plainly(&self, request: &Request) -> Response {
        match request.wants() {
            Wants::Json => json::turned(self),
            Wants::Html | Wants::Text => Response::text(self.status, (self.refusal.say)(&EN).title),
        }
    }

    /// Tells somebody who has to wait how long.
    pub(in crate::web) fn with_retry(&self, answer: Response) -> Response {
        match self.wait {
            Some(wait) => answer.with("Retry-After", seconds_of(wait).to_string()),
            None => answer,
        }
    }

    /// The same for a name that somebody has and for one that nobody has.
    pub(in crate::web) const fn for_now(wait: Duration) -> Self {
        let refusal = pages::Refusal { say: |t| t.too_many_attempts, field: Field::Password };
        Self { refusal, reason: "throttled", user: None, status: 429, wait: Some(wait) }
    }
}

/// A note with the account that it is about, if there is one.
pub(in crate::web) fn noting_user(note: Note, user: Option<&UserId>) -> Note {
    match user {
        Some(id) => note.with("uid", id.as_str()),
        None => note,
    }
}

/// What the operator reads of a refusal: why, and whose account to look after.
pub(in crate::web) fn told_of(why: keys::Refusal) -> (&'static str, Option<UserId>) {
    match why {
        keys::Refusal::UnknownKey | keys::Refusal::WrongPassword => ("bad_credentials", None),
        keys::Refusal::UnreadableHash(user) => ("unreadable_hash", Some(user)),
        keys::Refusal::Disabled(user) => ("disabled", Some(user)),
    }
}

/// Sends somebody who is in to where they want to go, or to their profile.
fn see(next: Option<&Target>) -> Response {
    Response::see(next.map_or_else(|| "/".to_owned(), |it| it.as_str().to_owned()))
}

/// Whole seconds, rounded up: whoever comes back then is not sent away again.
pub(in crate::web) fn seconds_of(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// Whether a form was sent by somebody who does not want to be remembered. A script that sends neither
/// field is remembered, as ever.
pub(in crate::web) fn is_transient(form: Form<'_>) -> bool {
    form.field("remember_asked").is_some() && form.field("remember").is_none()
}
