//! The page that a one-time link leads to, where somebody sets a password.

use serde_json::json;

use crate::auth::events::Event;
use crate::auth::one_time_tokens::{self, Purpose};
use crate::auth::password_policy::{self, Flaw};
use crate::auth::users::Username;
use crate::base::clock::Moment;
use crate::base::password::Password;
use crate::base::token::Token;
use crate::store::User;
use crate::web::handlers::sign_in::Turned;
use crate::web::http::{Form, Note, Request, Response, Wants};
use crate::web::pages;
use crate::web::{Answer, Site, done};

impl Site {
    pub(in crate::web) fn show_reset(&self, request: &Request, now: Moment) -> Answer {
        let Some(token) = token_of(request.parameters()) else { return Ok(self.no_link(request)) };
        Ok(match one_time_tokens::user_of(&*self.store, &token, Purpose::ResetPassword, now)? {
            Some(user) if request.wants() == Wants::Json => {
                let shortest = self.policy.shortest();
                let data =
                    json!({ "username": user.username, "password_characters_min": shortest });
                Response::json(200, &data)
            }
            Some(user) => self.reset_page(request, 200, &user, &token, None),
            None => self.no_link(request),
        })
    }

    /// It lets nobody in: whoever has found a link still has to sign in, and the owner is told by the
    /// sessions that are gone.
    pub(in crate::web) fn reset_password(
        &self,
        request: &Request,
        form: Form<'_>,
        now: Moment,
    ) -> Answer {
        let Some(token) = token_of(form) else { return Ok(self.no_link(request)) };
        let Some(user) =
            one_time_tokens::user_of(&*self.store, &token, Purpose::ResetPassword, now)?
        else {
            return Ok(self.no_link(request));
        };
        let note = |event| Note::of(event).with("uid", user.id.as_str());
        let password = match self.read_new(form, &user) {
            Ok(password) => password,
            Err(turned) => {
                let answer = if request.wants() == Wants::Html {
                    self.reset_page(request, turned.status, &user, &token, Some(turned.refusal))
                } else {
                    turned.plainly(request)
                };
                return Ok(
                    answer.noting(note(Event::PasswordResetFail).with("reason", turned.reason))
                );
            }
        };
        let is_done =
            one_time_tokens::reset_password(&*self.store, &self.hasher, &token, &password, now)?;
        Ok(if is_done {
            done(request, "/login", &json!({ "reset": true })).noting(note(Event::PasswordReset))
        } else {
            self.no_link(request)
        })
    }

    /// Whether a form that sets a password would compute a hash.
    pub(in crate::web) fn reset_hashes(form: Form<'_>) -> bool {
        let password = form.field("password").and_then(|typed| password_policy::read(&typed));
        token_of(form).is_some() && password.is_some()
    }

    fn read_new(&self, form: Form<'_>, user: &User) -> Result<Password, Turned> {
        let typed = form.field("password");
        let Some(password) = typed.and_then(|typed| password_policy::read(&typed)) else {
            return Err(Turned::for_password(|t| t.bad_password));
        };
        let flaw = Username::for_sign_in(&user.username)
            .and_then(|name| self.policy.flaw(&password, &name, &self.words));
        match flaw {
            Some(flaw) => Err(Turned::for_password(self.advice_on(flaw))),
            None => Ok(password),
        }
    }

    fn reset_page(
        &self,
        request: &Request,
        status: u16,
        user: &User,
        token: &Token,
        refusal: Option<pages::Refusal>,
    ) -> Response {
        let advice = self.advice_on(Flaw::TooShort);
        self.page(request, status, |frame| {
            pages::account::reset(frame, &user.username, token.reveal(), advice, refusal)
        })
    }

    /// The same for a link that never was one, that was used, and that is too old.
    fn no_link(&self, request: &Request) -> Response {
        self.problem(request, 404, |t| t.bad_link).noting(Note::of(Event::BadLink))
    }
}

fn token_of(fields: Form<'_>) -> Option<Token> {
    Token::parse(&fields.field("token")?)
}
