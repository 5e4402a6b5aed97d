//! What a handler is given, a request with its fields and the moment, and the ways to answer it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Deref;

use maud::Markup;
use serde_json::Value;

use crate::auth::events::Event;
use crate::auth::sessions::{self, Resumed};
use crate::base::clock::Moment;
use crate::base::token::{Token, TokenHash};
use crate::store::{ClientInfo, Error, Session, Store, Use, User};
use crate::web::http::{Cookie, Form, Note, Request, Response, SESSION_COOKIES, Wants};
use crate::web::messages::{self, MessageKey};
use crate::web::pages::Frame;
use crate::web::redirect::Target;
use crate::web::status_messages::{self, StatusMessage};
use crate::web::{Site, next, user_agent};

/// The name of Lucia's cookie, which ours has as well over plain http.
const LUCIA_COOKIE: &str = SESSION_COOKIES[2];

/// The result of a handler: a response, or the error of the store.
pub(super) type Answered = Result<Response, Error>;

/// A request on its way through a handler.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) site: &'a Site,
    pub(super) request: &'a Request,
    /// The fields of the form of a POST; the parameters of the query of any other request.
    pub(super) fields: Form<'a>,
    pub(super) now: Moment,
}

/// A request of a signed-in user. The cookie that their browser needs is added after the handler, unless
/// the handler sets one.
pub(super) struct SignedInCall<'a> {
    call: Call<'a>,
    pub(super) resumed: &'a Resumed,
    pub(super) requester: &'a Requester,
}

impl<'a> Deref for SignedInCall<'a> {
    type Target = Call<'a>;

    fn deref(&self) -> &Call<'a> {
        &self.call
    }
}

/// What a request presents for authentication.
pub(super) enum Credential {
    Nothing,
    /// `None`: it is not a token, or there are two.
    Cookie(Option<Token>),
    Bearer(Option<Token>),
    /// The cookie that Lucia issued, where ours has another name.
    LegacyCookie(Token),
}

/// The sender of a request: the credential, and the living session that belongs to it, if there is one.
pub(super) struct Requester {
    pub(super) credential: Credential,
    pub(super) resumed: Option<Resumed>,
}

impl Requester {
    pub(super) fn token(&self) -> Option<&Token> {
        match &self.credential {
            Credential::Cookie(token) | Credential::Bearer(token) => token.as_ref(),
            Credential::LegacyCookie(token) => Some(token),
            Credential::Nothing => None,
        }
    }
}

impl<'a> Call<'a> {
    /// A call whose fields are the parameters of the query.
    pub(super) fn with_parameters(site: &'a Site, request: &'a Request, now: Moment) -> Self {
        Self { site, request, fields: request.parameters(), now }
    }

    pub(super) fn store(&self) -> &'a dyn Store {
        self.site.auth.store()
    }

    pub(super) fn wants(&self) -> Wants {
        self.request.wants()
    }

    pub(super) fn field(&self, name: &str) -> Option<Cow<'a, str>> {
        self.fields.field(name)
    }

    /// Where to go after signing in. `None`: the request does not say, or the address is not allowed.
    pub(super) fn next(&self) -> Option<Target> {
        self.asked_next().and_then(|address| self.site.allowed.target(&address))
    }

    /// The address to go to that the request names, whether it is allowed or not.
    pub(super) fn asked_next(&self) -> Option<Cow<'a, str>> {
        next::asked(self.request, &self.fields, !self.site.settings.aliases.is_empty())
    }

    /// Logs that the request names an address to go to that is not allowed, if so.
    pub(super) fn noting_refused_next(&self, response: Response) -> Response {
        match self.asked_next().filter(|it| !it.is_empty()) {
            Some(address) => self.noting_refused(response, &address),
            None => response,
        }
    }

    /// Logs that a redirect to an address is refused, if it is: an event of its own, or, where the response has
    /// another one, a field of that.
    pub(super) fn noting_refused(&self, mut response: Response, address: &str) -> Response {
        let Some(refused) = self.site.allowed.refusal(address) else { return response };
        if response.note == Note::default() {
            let note = Note::of(Event::NextRefused).because(refused.reason);
            return response.noting(note.with("origin", refused.origin).with("hint", refused.hint));
        }
        response.note.fields.push(("next_refused", refused.origin.into()));
        response
    }

    /// The language of the page: its code.
    pub(super) fn language(&self) -> &'static str {
        messages::preferred(self.request.values("accept-language")).code
    }

    /// The client address: the peer's, or the one that a trusted proxy reports.
    pub(super) fn client(&self) -> Option<IpAddr> {
        self.site.client(self.request)
    }

    /// Browser and address, as the user can recognise them.
    pub(super) fn place(&self) -> ClientInfo {
        let agent = self.request.value("user-agent");
        ClientInfo {
            browser: agent.map_or_else(String::new, user_agent::name),
            address: self.client().map_or_else(String::new, |it| it.to_string()),
            is_transient: false,
        }
    }

    // Authentication.

    /// Its use renews the session where it is due, and [`Call::with_cookie`] sets the cookie anew.
    pub(super) fn requester(&self) -> Result<Requester, Error> {
        self.requester_by(self.credential()?, |it| it)
    }

    /// The sender of a check. A response that lets a request through cannot set the cookie anew: where that ends when
    /// the session would, a renewal would be one that the browser never learns of, so there is one only if
    /// `is_led_back`, asked of a session that is due, says that the browser gets the response of the check.
    pub(super) fn requester_of_check(
        &self,
        is_led_back: impl FnOnce(&TokenHash) -> bool,
    ) -> Result<Requester, Error> {
        let credential = self.credential()?;
        let is_by_cookie = matches!(credential, Credential::Cookie(_));
        let needs_cookie = !matches!(credential, Credential::Bearer(_));
        self.requester_by(credential, |it| {
            let is_kept = match &it.to_note {
                Some(Use::Renewal { id, .. })
                    if needs_cookie && self.cookie_ends_with(&it.session) =>
                {
                    is_by_cookie && is_led_back(id)
                }
                _ => true,
            };
            if is_kept { it } else { it.without_renewal() }
        })
    }

    /// Whether the browser of a requester has to be sent the cookie again, as their session was renewed.
    pub(super) fn is_untold(&self, requester: &Requester) -> bool {
        matches!(requester.credential, Credential::Cookie(_))
            && requester
                .resumed
                .as_ref()
                .is_some_and(|it| it.renewed && self.cookie_ends_with(&it.session))
    }

    /// Whether the cookie of a session ends when the session does.
    fn cookie_ends_with(&self, session: &Session) -> bool {
        self.site.cookie.domain.is_none() && !session.place.is_transient
    }

    fn requester_by(
        &self,
        credential: Credential,
        limit: impl FnOnce(sessions::Recognised) -> sessions::Recognised,
    ) -> Result<Requester, Error> {
        let mut requester = Requester { credential, resumed: None };
        if let Some(token) = requester.token() {
            let rules = &self.site.auth.rules;
            let found = sessions::recognise(self.store(), rules, token, self.now)?;
            requester.resumed = found.map(limit).map(|it| {
                let is_noted = it.to_note.is_none_or(|it| self.site.uses.note(it));
                it.resumed(is_noted)
            });
        }
        Ok(requester)
    }

    fn credential(&self) -> Result<Credential, Error> {
        Ok(match self.request.cookie(self.site.cookie.name) {
            Cookie::Value(value) => Credential::Cookie(Token::parse(value)),
            Cookie::Ambiguous => Credential::Cookie(None),
            Cookie::Absent => match self.request.bearer() {
                Some(token) => Credential::Bearer(Token::parse(token)),
                None => self.legacy_cookie()?,
            },
        })
    }

    /// The cookie of an imported Lucia user, who stays signed in. As a host of the same domain can set a
    /// cookie of this name, it is accepted for imported sessions only, all of which end within 30 days of
    /// the import.
    fn legacy_cookie(&self) -> Result<Credential, Error> {
        let token = match self.request.cookie(LUCIA_COOKIE) {
            Cookie::Value(value) => Token::parse(value),
            Cookie::Absent | Cookie::Ambiguous => None,
        };
        let Some(token) = token else { return Ok(Credential::Nothing) };
        let found = sessions::get(self.store(), &token.hash(), self.now)?;
        let is_good = found.is_some_and(|(_, session)| sessions::is_imported(&session));
        Ok(if is_good { Credential::LegacyCookie(token) } else { Credential::Nothing })
    }

    // Cookies.

    /// Adds the cookie that the browser needs: the new expiry of a renewed session, or an empty cookie in
    /// place of one without a session. A response that already sets this cookie stays as it is.
    pub(super) fn with_cookie(&self, response: Response, requester: &Requester) -> Response {
        if self.sets_session(&response) {
            return response;
        }
        let note = |event, it: &Resumed| note_of(event, &it.user, &it.session);
        match (&requester.credential, &requester.resumed) {
            (Credential::Cookie(Some(token)), Some(it)) if it.renewed => {
                let cookie = self.site.session_cookie(token, &it.session, self.now);
                let note = note(Event::SessionRenew, it);
                response.with("Set-Cookie", cookie).noting_if_plain(note)
            }
            (Credential::LegacyCookie(token), Some(it)) => {
                let cookie = self.site.session_cookie(token, &it.session, self.now);
                let note = note(Event::SessionMoved, it);
                let response = response.with("Set-Cookie", cookie).noting_if_plain(note);
                self.without_legacy_cookie(response)
            }
            (Credential::Cookie(_), None) => {
                let note = Note::of(Event::SessionInvalid);
                response.with("Set-Cookie", self.site.cookie.clear()).noting_if_plain(note)
            }
            _ => response,
        }
    }

    fn sets_session(&self, response: &Response) -> bool {
        let name = self.site.cookie.name;
        let is_session = |set: &str| set.strip_prefix(name).is_some_and(|it| it.starts_with('='));
        response.headers.iter().any(|(header, value)| *header == "Set-Cookie" && is_session(value))
    }

    /// Removes everything from the browser of a user who has signed out: the cookie, and the pages that it
    /// keeps in memory for the Back button, which Chromium does in spite of `no-store`. `Clear-Site-Data`
    /// is limited to this part, as the part for cookies would delete those of other hosts of the domain.
    pub(super) fn forget(&self, response: Response) -> Response {
        forget_pages(response.with("Set-Cookie", self.site.cookie.clear()))
    }

    /// Removes Lucia's cookie from a browser that has ours from now on.
    pub(super) fn without_legacy_cookie(&self, response: Response) -> Response {
        let mut old = self.site.cookie.clone();
        (old.name, old.domain) = (LUCIA_COOKIE, None);
        response.with("Set-Cookie", old.clear())
    }

    // Responses.

    pub(super) fn page(&self, status: u16, draw: impl FnOnce(Frame) -> Markup) -> Response {
        self.site.page(self.request, status, draw)
    }

    pub(super) fn problem(&self, status: u16, say: MessageKey) -> Response {
        self.site.problem(self.request, status, say)
    }

    pub(super) fn unauthenticated(&self) -> Response {
        self.site.unauthenticated(self.request)
    }

    /// The response after an action: a redirect for a browser, data for a script that asks for it.
    pub(super) fn done(&self, path: &str, data: &Value) -> Response {
        match self.wants() {
            Wants::Json => Response::json(200, data),
            Wants::Html | Wants::Text => self.site.redirect(path),
        }
    }

    /// Makes the next page in a browser tell what was done. For scripts, the response stays as it is.
    pub(super) fn telling(&self, response: Response, message: StatusMessage) -> Response {
        match self.wants() {
            Wants::Html => {
                let cookie = status_messages::leave(&self.site.message_cookie, message, self.now);
                response.with("Set-Cookie", cookie)
            }
            Wants::Text | Wants::Json => response,
        }
    }
}

impl<'a> SignedInCall<'a> {
    /// `None` if the requester is not signed in.
    pub(super) fn of(call: Call<'a>, requester: &'a Requester) -> Option<Self> {
        requester.resumed.as_ref().map(|resumed| Self { call, resumed, requester })
    }

    pub(super) fn user(&self) -> &'a User {
        &self.resumed.user
    }

    pub(super) fn session(&self) -> &'a Session {
        &self.resumed.session
    }

    /// The event for the log, with the user and the session.
    pub(super) fn note(&self, event: Event) -> Note {
        note_of(event, self.user(), self.session())
    }
}

/// Removes the pages that a browser keeps in memory.
pub(super) fn forget_pages(response: Response) -> Response {
    response.with("Clear-Site-Data", "\"cache\"")
}

/// An event about this user in this session.
pub(super) fn note_of(event: Event, user: &User, session: &Session) -> Note {
    Note::of(event).with("uid", user.id.as_str()).with("sess", session.id.handle())
}
