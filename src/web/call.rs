//! A request with its fields and the moment: what a handler is given, and how it answers.

use std::net::IpAddr;
use std::ops::Deref;

use maud::Markup;
use serde_json::Value;

use crate::auth::events::Event;
use crate::auth::sessions::{self, Resumed};
use crate::base::clock::Moment;
use crate::base::token::Token;
use crate::store::{ClientInfo, Error, Session, Store, User};
use crate::web::http::{Cookie, Form, Note, Request, Response, SESSION_COOKIES, Wants};
use crate::web::messages::MessageKey;
use crate::web::pages::Frame;
use crate::web::redirect::{NEXT_NAMES, Target};
use crate::web::{Site, user_agent};

/// The name that Lucia gives its cookie, and so do we where the site is tried out.
const LUCIA_COOKIE: &str = SESSION_COOKIES[2];

/// What a handler comes to: a response, or the store's failure to give one.
pub(super) type Answered = Result<Response, Error>;

/// A request that has reached its handler.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) site: &'a Site,
    pub(super) request: &'a Request,
    /// The form of a POST, and the parameters in the address of any other request.
    pub(super) fields: Form<'a>,
    pub(super) now: Moment,
}

/// A request of a user who is signed in. The cookie that their browser needs is added to the response
/// behind the handler, unless the handler sets one.
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

/// What a request presents to be recognised by.
pub(super) enum Credential {
    Nothing,
    /// `None`: it cannot be a token, or there are two.
    Cookie(Option<Token>),
    Bearer(Option<Token>),
    /// The cookie that Lucia gave out, where ours has another name.
    LegacyCookie(Token),
}

/// Who asks: what was presented, and the living session that it opens, if it opens one.
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
    /// A call with the parameters in the address.
    pub(super) fn with_parameters(site: &'a Site, request: &'a Request, now: Moment) -> Self {
        Self { site, request, fields: request.parameters(), now }
    }

    pub(super) fn store(&self) -> &'a dyn Store {
        self.site.auth.store()
    }

    pub(super) fn wants(&self) -> Wants {
        self.request.wants()
    }

    pub(super) fn field(&self, name: &str) -> Option<std::borrow::Cow<'a, str>> {
        self.fields.field(name)
    }

    /// Where to go after signing in. `None`: the request does not say, or not an address that is allowed.
    pub(super) fn next(&self) -> Option<Target> {
        let asked = NEXT_NAMES.iter().find_map(|name| self.field(name));
        asked.and_then(|address| self.site.allowed.target(&address))
    }

    /// Where the request comes from: the peer, or what a trusted proxy says.
    pub(super) fn client(&self) -> Option<IpAddr> {
        self.site.client(self.request)
    }

    /// Browser and address, in words that the user recognises.
    pub(super) fn place(&self) -> ClientInfo {
        let agent = self.request.value("user-agent");
        ClientInfo {
            browser: agent.map_or_else(String::new, user_agent::name),
            address: self.client().map_or_else(String::new, |it| it.to_string()),
            is_transient: false,
        }
    }

    // Who asks.

    pub(super) fn requester(&self) -> Result<Requester, Error> {
        let mut requester = Requester { credential: self.credential()?, resumed: None };
        if let Some(token) = requester.token() {
            let periods = &self.site.auth.rules.periods;
            let found = sessions::recognise(self.store(), periods, token, self.now)?;
            requester.resumed = found.map(|it| {
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

    /// The cookie of a user who came over from Lucia: nobody is to be signed out by that. A neighbouring
    /// host can set a cookie of that name, so it opens sessions that were imported and no others. All of
    /// those end within 30 days of the import.
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

    /// Adds the cookie that the requester's browser needs: the new end of a session that was renewed, or
    /// an empty one if it holds a cookie that opens nothing. A response that sets a cookie already stays
    /// as it is.
    pub(super) fn with_cookie(&self, response: Response, requester: &Requester) -> Response {
        if response.value("Set-Cookie").is_some() {
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

    /// Takes everything from the browser of a user who has gone: the cookie, and the pages that it keeps
    /// whole for the way back. Chromium keeps them there in spite of `no-store`. Of `Clear-Site-Data`
    /// only this part: that for cookies clears those of all neighbours.
    pub(super) fn forget(&self, response: Response) -> Response {
        let response = response.with("Set-Cookie", self.site.cookie.clear());
        response.with("Clear-Site-Data", "\"cache\"")
    }

    /// Takes the cookie that Lucia gave out from a browser that has ours from now on.
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

    /// What was asked for is done: the way on for a browser, data for a script that asks for it.
    pub(super) fn done(&self, path: &'static str, data: &Value) -> Response {
        match self.wants() {
            Wants::Json => Response::json(200, data),
            Wants::Html | Wants::Text => self.site.redirect(path),
        }
    }
}

impl<'a> SignedInCall<'a> {
    /// `None`: the requester is not signed in.
    pub(super) fn of(call: Call<'a>, requester: &'a Requester) -> Option<Self> {
        requester.resumed.as_ref().map(|resumed| Self { call, resumed, requester })
    }

    pub(super) fn user(&self) -> &'a User {
        &self.resumed.user
    }

    pub(super) fn session(&self) -> &'a Session {
        &self.resumed.session
    }

    /// What the log says about the response, with the user and the session.
    pub(super) fn note(&self, event: Event) -> Note {
        note_of(event, self.user(), self.session())
    }
}

/// A note about this user in this session.
pub(super) fn note_of(event: Event, user: &User, session: &Session) -> Note {
    Note::of(event).with("uid", user.id.as_str()).with("sess", session.id.handle())
}
