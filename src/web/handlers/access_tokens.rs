//! Access tokens: what their owner does with them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::auth::access_tokens::{self, Made};
use crate::auth::events::Event;
use crate::auth::sessions::{self, Resumed};
use crate::base::clock::Moment;
use crate::store::AccessToken;
use crate::web::handlers::account::note;
use crate::web::handlers::sign_in::Turned;
use crate::web::http::{Form, Request, Response, Wants};
use crate::web::pages::access_tokens::{self as pages, Page, Row};
use crate::web::pages::{Field, Refusal};
use crate::web::{Answer, Site, Visitor, done};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Site {
    pub(in crate::web) fn show_tokens(&self, request: &Request, now: Moment) -> Answer {
        let visitor = self.visitor(request, now)?;
        let answer = match &visitor.resumed {
            Some(it) => self.tokens_page(request, 200, it, &Page::default(), now)?,
            None => self.to_sign_in(request),
        };
        Ok(self.with_cookie(answer, &visitor, now))
    }

    /// A token is shown in the answer that makes it, and never again.
    pub(in crate::web) fn make_token(
        &self,
        request: &Request,
        form: Form<'_>,
        now: Moment,
    ) -> Answer {
        let visitor = self.visitor(request, now)?;
        let Some(it) = &visitor.resumed else { return Ok(self.stranger(request, &visitor, now)) };
        let name = form.field("name");
        let Some(name) = name.as_deref().and_then(access_tokens::name) else {
            return self.refuse_token(request, &visitor, it, form, &Turned::for_token_name(), now);
        };
        let Some(life) = life(form) else {
            return self.refuse_token(request, &visitor, it, form, &Turned::for_life(), now);
        };
        if let Err(turned) = self.fresh(form, it, now)? {
            return self.refuse_token(request, &visitor, it, form, &turned, now);
        }
        let answer = match access_tokens::create(&*self.store, &it.session, name, life, now)? {
            Made::Done(token, record) => {
                let token = access_tokens::reveal(&token);
                let made = note(Event::TokenMake, it).with("token", record.id.handle());
                let answer = match request.wants() {
                    Wants::Json => {
                        let mut data = data(&record, now);
                        data["token"] = token.into();
                        Response::json(200, &data)
                    }
                    Wants::Html => {
                        let page = Page { made: Some(&token), ..Page::default() };
                        self.tokens_page(request, 200, it, &page, now)?
                    }
                    Wants::Text => Response::text(200, token),
                };
                answer.noting(made)
            }
            Made::TooMany => {
                let turned = Turned::for_too_many_tokens();
                return self.refuse_token(request, &visitor, it, form, &turned, now);
            }
            Made::Ended => return Ok(self.stranger(request, &visitor, now)),
        };
        Ok(self.with_cookie(answer, &visitor, now))
    }

    pub(in crate::web) fn revoke_token(
        &self,
        request: &Request,
        form: Form<'_>,
        now: Moment,
    ) -> Answer {
        let visitor = self.visitor(request, now)?;
        let Some(it) = &visitor.resumed else { return Ok(self.stranger(request, &visitor, now)) };
        let handle = form.field("token").unwrap_or_default();
        let answer = match access_tokens::revoke(&*self.store, &it.user.id, &handle)? {
            Some(record) => done(request, "/account/tokens", &json!({ "revoked": 1 }))
                .noting(note(Event::TokenRevoke, it).with("token", record.id.handle())),
            None => self.problem(request, 404, |t| t.no_token),
        };
        Ok(self.with_cookie(answer, &visitor, now))
    }

    fn refuse_token(
        &self,
        request: &Request,
        visitor: &Visitor,
        it: &Resumed,
        form: Form<'_>,
        turned: &Turned,
        now: Moment,
    ) -> Answer {
        let answer = if request.wants() == Wants::Html {
            let name = form.field("name").unwrap_or_default();
            let days = form.field("days").unwrap_or_default();
            let refusal = Some(turned.refusal);
            let page = Page { name: &name, days: &days, refusal, ..Page::default() };
            self.tokens_page(request, turned.status, it, &page, now)?
        } else {
            turned.plainly(request)
        };
        Ok(self.with_cookie(turned.finish(answer, Event::TokenMakeFail, it), visitor, now))
    }

    fn tokens_page(
        &self,
        request: &Request,
        status: u16,
        it: &Resumed,
        page: &Page<'_>,
        now: Moment,
    ) -> Answer {
        let all = access_tokens::of_user(&*self.store, &it.user.id)?;
        if request.wants() == Wants::Json {
            let all: Vec<_> = all.iter().map(|record| data(record, now)).collect();
            return Ok(Response::json(status, &json!({ "tokens": all })));
        }
        let rows: Vec<_> = all
            .into_iter()
            .map(|record| Row {
                handle: record.id.public_handle(),
                created: record.created_at.minute(),
                expires: record.expires_at.minute(),
                used: record.used_at.map(Moment::minute),
                is_ended: access_tokens::is_ended(&record, now),
                name: record.name,
            })
            .collect();
        let asks = !sessions::is_fresh(&it.session, now);
        let page = &Page { username: &it.user.username, ..*page };
        Ok(self.page(request, status, |frame| pages::tokens(frame, &rows, page, asks)))
    }
}

/// How long a token is to be good, in whole days.
fn life(form: Form<'_>) -> Option<Duration> {
    let days: u32 = form.field("days")?.parse().ok()?;
    let life = DAY * days;
    (days > 0 && life <= access_tokens::LIFE_MAX).then_some(life)
}

/// A token as its owner may see it.
fn data(it: &AccessToken, now: Moment) -> Value {
    json!({
        "handle": it.id.public_handle(),
        "name": it.name,
        "created_at": it.created_at.rfc3339(),
        "expires_at": it.expires_at.rfc3339(),
        "used_at": it.used_at.map(Moment::rfc3339),
        "ended": access_tokens::is_ended(it, now),
    })
}

impl Turned {
    const fn for_token_name() -> Self {
        let refusal = Refusal { say: |t| t.bad_token_name, field: Field::Name };
        Self { refusal, reason: "invalid_name", user: None, status: 400, wait: None }
    }

    const fn for_life() -> Self {
        let refusal = Refusal { say: |t| t.bad_token_life, field: Field::Days };
        Self { refusal, reason: "invalid_days", user: None, status: 400, wait: None }
    }

    const fn for_too_many_tokens() -> Self {
        let refusal = Refusal { say: |t| t.too_many_tokens, field: Field::Name };
        Self { refusal, reason: "too_many_tokens", user: None, status: 400, wait: None }
    }
}
