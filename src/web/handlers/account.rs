//! What people do with their own account: another password, fewer sessions, none at all.

use crate::auth::events::Event;
use crate::auth::password_policy;
use crate::auth::sessions::{self, Resumed};
use crate::auth::sign_in::{self, Again, Caller, Change};
use crate::auth::users::{self, Username};
use crate::base::clock::Moment;
use crate::base::password::Password;
use crate::base::token::Token;
use crate::store::{Error, Place};
use crate::web::handlers::sign_in::{Door, Turned};
use crate::web::http::{Form, Note, Request, Response, Wants};
use crate::web::pages::account::{self as pages, Account, Row};
use crate::web::pages::{Field, Refusal};
use crate::web::user_agent;
use crate::web::{Answer, Site, Visitor, done, json};

/// Why something is not done, or that it may be.
type Allowed = Result<(), Turned>;

impl Site {
    /// Whether a request to one of these pages computes a hash.
    pub(in crate::web) fn account_hashes(path: &str, form: Form<'_>) -> bool {
        let field = match path {
            "/account/password"
            | "/account/sessions/end"
            | "/account/sessions/end-others"
            | "/account/tokens" => "current_password",
            "/account/delete" => "password",
            _ => return false,
        };
        form.field(field).is_some_and(|typed| password_policy::read(&typed).is_some())
    }

    pub(in crate::web) fn show_account(&self, request: &Request, now: Moment) -> Answer {
        let visitor = self.visitor(request, now)?;
        let answer = match &visitor.resumed {
            Some(it) if request.wants() == Wants::Json => {
                Response::json(200, &json::profile(it, now))
            }
            Some(it) => self.account_page(request, 200, it, None),
            None => self.to_sign_in(request),
        };
        Ok(self.with_cookie(answer, &visitor, now))
    }

    pub(in crate::web) fn show_sessions(&self, request: &Request, now: Moment) -> Answer {
        let visitor = self.visitor(request, now)?;
        let answer = match &visitor.resumed {
            Some(it) => self.sessions_page(request, 200, it, None, now)?,
            None => self.to_sign_in(request),
        };
        Ok(self.with_cookie(answer, &visitor, now))
    }

    pub(in crate::web) fn change_password(
        &self,
        request: &Request,
        form: Form<'_>,
        now: Moment,
    ) -> Answer {
        let visitor = self.visitor(request, now)?;
        let Some(it) = &visitor.resumed else { return Ok(self.stranger(request, &visitor, now)) };
        let turned = match self.read_change(form, it) {
            Ok((present, new)) => {
                match self.pass_change(request, &visitor, it, (&present, &new), now)? {
                    Ok(answer) => return Ok(answer),
                    Err(turned) => turned,
                }
            }
            Err(turned) => turned,
        };
        let form = pages::Form::Password;
        Ok(self.refuse_account(request, &visitor, it, form, &turned, now))
    }

    pub(in crate::web) fn end_session(
        &self,
        request: &Request,
        form: Form<'_>,
        now: Moment,
    ) -> Answer {
        let visitor = self.visitor(request, now)?;
        let Some(it) = &visitor.resumed else { return Ok(self.stranger(request, &visitor, now)) };
        let handle = form.field("session").unwrap_or_default();
        let found = sessions::by_handle(&*self.store, &it.user.id, &handle, now)?;
        let Some(session) = found else {
            let answer = self.problem(request, 404, |t| t.no_session);
            return Ok(self.with_cookie(answer, &visitor, now));
        };
        if let Err(turned) = self.fresh(form, it, now)? {
            return self.refuse_sessions(request, &visitor, it, &turned, now);
        }
        sessions::end(&*self.store, &session.id)?;
        let note = note(Event::SessionEnd, it).with("ended", session.id.handle());
        if session.id == it.session.id {
            let answer = done(request, "/login", &json!({ "ended": 1 }));
            return Ok(self.forget(answer).noting(note));
        }
        let answer = done(request, "/account/sessions", &json!({ "ended": 1 })).noting(note);
        Ok(self.with_cookie(answer, &visitor, now))
    }

    pub(in crate::web) fn end_other_sessions(
        &self,
        request: &Request,
        form: Form<'_>,
        now: Moment,
    ) -> Answer {
        let visitor = self.visitor(request, now)?;
        let Some(it) = &visitor.resumed else { return Ok(self.stranger(request, &visitor, now)) };
        if let Err(turned) = self.fresh(form, it, now)? {
            return self.refuse_sessions(request, &visitor, it, &turned, now);
        }
        let count = sessions::end_others(&*self.store, &it.session)?;
        let answer = done(request, "/account/sessions", &json!({ "ended": count }));
        // Where none was left, nothing has happened that is worth a record.
        let answer = match count {
            0 => answer,
            _ => answer.noting(note(Event::SessionEnd, it).with("others", count.to_string())),
        };
        Ok(self.with_cookie(answer, &visitor, now))
    }

    pub(in crate::web) fn delete_account(
        &self,
        request: &Request,
        form: Form<'_>,
        now: Moment,
    ) -> Answer {
        let visitor = self.visitor(request, now)?;
        let Some(it) = &visitor.resumed else { return Ok(self.stranger(request, &visitor, now)) };
        let proof = self.prove(form, "password", it, now)?;
        if let Err(turned) = proof {
            let form = pages::Form::Delete;
            return Ok(self.refuse_account(request, &visitor, it, form, &turned, now));
        }
        users::delete(&*self.store, &it.user.id, self.rules.rest, now)?;
        let note = note(Event::AccountDelete, it);
        let answer = done(request, "/login", &json!({ "deleted": true }));
        Ok(self.forget(answer).noting(note))
    }

    // Reading and passing.

    fn read_change(&self, form: Form<'_>, it: &Resumed) -> Result<(Password, Password), Turned> {
        let read = |name: &str| form.field(name).and_then(|typed| password_policy::read(&typed));
        let Some(present) = read("current_password") else {
            return Err(Turned::for_present_password());
        };
        let Some(new) = read("password") else {
            return Err(Turned::for_password(|t| t.bad_password));
        };
        // An old name may be none that would be taken today; the password must not be it all the same.
        let flaw = Username::for_sign_in(&it.user.username)
            .and_then(|name| self.policy.flaw(&new, &name, &self.words));
        match flaw {
            Some(flaw) => Err(Turned::for_password(self.advice_on(flaw))),
            None => Ok((present, new)),
        }
    }

    fn pass_change(
        &self,
        request: &Request,
        visitor: &Visitor,
        it: &Resumed,
        passwords: (&Password, &Password),
        now: Moment,
    ) -> Result<Result<Response, Turned>, Error> {
        let store = &*self.store;
        let Self { hasher, rules, .. } = self;
        let caller = self.caller_again(request, visitor, it);
        let who = (&it.user, &it.session);
        Ok(match sign_in::change_password(store, hasher, rules, who, passwords, &caller, now)? {
            Change::Done(started) => {
                let cookie = self.session_cookie(&started, now);
                let data = json::admitted(&it.user, &started, now);
                let answer = done(request, "/account", &data).with("Set-Cookie", cookie);
                Ok(answer.noting(note(Event::PasswordChange, it)))
            }
            Change::Refused(_) => Err(Turned::for_present_password()),
            Change::Wait(wait) => Err(Turned::for_now(wait)),
        })
    }

    /// What matters most wants a password that was given a short while ago, or with the request.
    pub(in crate::web) fn fresh(
        &self,
        form: Form<'_>,
        it: &Resumed,
        now: Moment,
    ) -> Result<Allowed, Error> {
        if sessions::is_fresh(&it.session, now) {
            return Ok(Ok(()));
        }
        if form.field("current_password").is_none() {
            return Ok(Err(Turned::for_missing_proof()));
        }
        self.prove(form, "current_password", it, now)
    }

    fn prove(
        &self,
        form: Form<'_>,
        field: &str,
        it: &Resumed,
        now: Moment,
    ) -> Result<Allowed, Error> {
        let Some(password) = form.field(field).and_then(|typed| password_policy::read(&typed))
        else {
            return Ok(Err(Turned::for_present_password()));
        };
        let store = &*self.store;
        let Self { hasher, rules, .. } = self;
        let who = (&it.user, &it.session);
        Ok(match sign_in::again(store, hasher, rules, who, &password, now)? {
            Again::Right => Ok(()),
            Again::Refused(_) => Err(Turned::for_present_password()),
            Again::Wait(wait) => Err(Turned::for_now(wait)),
        })
    }

    fn caller_again(&self, request: &Request, visitor: &Visitor, it: &Resumed) -> Caller {
        let presented = visitor.token().map(Token::hash);
        let caller = self.caller(Door::SignIn, request, presented);
        let is_transient = it.session.place.is_transient;
        Caller { place: Place { is_transient, ..caller.place }, ..caller }
    }

    // Answers.

    pub(in crate::web) fn stranger(
        &self,
        request: &Request,
        visitor: &Visitor,
        now: Moment,
    ) -> Response {
        self.with_cookie(self.unauthorized(request), visitor, now)
    }

    /// The account page again, with the form that was refused.
    fn refuse_account(
        &self,
        request: &Request,
        visitor: &Visitor,
        it: &Resumed,
        form: pages::Form,
        turned: &Turned,
        now: Moment,
    ) -> Response {
        let answer = if request.wants() == Wants::Html {
            let refused = Some((form, turned.refusal));
            self.account_page(request, turned.status, it, refused)
        } else {
            turned.plainly(request)
        };
        let event = match form {
            pages::Form::Password => Event::PasswordChangeFail,
            pages::Form::Delete => Event::AccountDeleteFail,
        };
        self.with_cookie(turned.finish(answer, event, it), visitor, now)
    }

    fn refuse_sessions(
        &self,
        request: &Request,
        visitor: &Visitor,
        it: &Resumed,
        turned: &Turned,
        now: Moment,
    ) -> Answer {
        let answer = if request.wants() == Wants::Html {
            self.sessions_page(request, turned.status, it, Some(turned.refusal), now)?
        } else {
            turned.plainly(request)
        };
        let answer = turned.finish(answer, Event::SessionEndFail, it);
        Ok(self.with_cookie(answer, visitor, now))
    }

    fn account_page(
        &self,
        request: &Request,
        status: u16,
        it: &Resumed,
        refused: Option<(pages::Form, Refusal)>,
    ) -> Response {
        let advice = self.advice_on(password_policy::Flaw::TooShort);
        let (username, has_tokens) = (&it.user.username, self.basic_auth);
        let account = Account { username, advice, has_tokens, refused };
        self.page(request, status, |frame| pages::account(frame, &account))
    }

    fn sessions_page(
        &self,
        request: &Request,
        status: u16,
        it: &Resumed,
        refusal: Option<Refusal>,
        now: Moment,
    ) -> Answer {
        let mut all = sessions::of_user(&*self.store, &it.user.id, now)?;
        // This very use of it may not be written down yet.
        for session in all.iter_mut().filter(|session| session.id == it.session.id) {
            session.clone_from(&it.session);
        }
        // The one that asks first, then the one that was used last.
        all.sort_by_key(|session| {
            (session.id != it.session.id, std::cmp::Reverse(session.seen_at.millis()))
        });
        if request.wants() == Wants::Json {
            let all: Vec<_> = all.iter().map(|session| json::session(session, now)).collect();
            let this = it.session.id.public_handle();
            return Ok(Response::json(200, &json!({ "sessions": all, "this": this })));
        }
        let rows: Vec<_> = all
            .into_iter()
            .map(|session| Row {
                handle: session.id.public_handle(),
                is_this: session.id == it.session.id,
                since: session.created_at.minute(),
                seen: session.seen_at.minute(),
                browser: session.place.browser,
                address: session.place.address,
            })
            .collect();
        let asks = !sessions::is_fresh(&it.session, now);
        Ok(self.page(request, status, |frame| {
            pages::sessions(frame, &it.user.username, &rows, asks, refusal)
        }))
    }

    /// Where a request comes from, in words that its owner recognises.
    pub(in crate::web) fn place(&self, request: &Request) -> Place {
        Place {
            browser: request.value("user-agent").map_or_else(String::new, user_agent::name),
            address: self.client(request).map_or_else(String::new, |it| it.to_string()),
            is_transient: false,
        }
    }
}

impl Turned {
    const fn for_present_password() -> Self {
        let refusal = Refusal { say: |t| t.incorrect_password, field: Field::Current };
        Self { refusal, reason: "bad_credentials", user: None, status: 400, wait: None }
    }

    const fn for_missing_proof() -> Self {
        let refusal = Refusal { say: |t| t.password_required, field: Field::Current };
        Self { refusal, reason: "not_fresh", user: None, status: 403, wait: None }
    }

    /// Adds to an answer what somebody who has to wait needs, and what the operator reads.
    pub(in crate::web) fn finish(&self, answer: Response, event: Event, it: &Resumed) -> Response {
        let event = if self.wait.is_some() { Event::Throttled } else { event };
        self.with_retry(answer).noting(note(event, it).with("reason", self.reason))
    }
}

pub(in crate::web) fn note(event: Event, it: &Resumed) -> Note {
    Note::of(event).with("uid", it.user.id.as_str()).with("sess", it.session.id.handle())
}
