//! Setting up an app as the second factor: what is the same in a session and while signing in.

use serde_json::{Value, json};

use crate::auth::enrolments::{self, Enrolment};
use crate::auth::second_factors::NewFactor;
use crate::base::origin::Origin;
use crate::base::recovery_code::RecoveryCode;
use crate::base::token::TokenHash;
use crate::base::totp::{TotpCode, TotpSecret};
use crate::web::call::Call;
use crate::web::http::{Response, Wants};
use crate::web::openapi::{array, kind};
use crate::web::pages::enrolments::{self as pages, NewSecret, SetUpForm};
use crate::web::redirect::Target;
use crate::web::refusals::Refusal;
use crate::web::running_script;

/// An app that is being set up. It holds a secret, and so has no `Debug`.
pub(super) struct SetUp {
    secret: TotpSecret,
    /// What the form carries.
    enrolment: String,
}

impl SetUp {
    /// One with a new secret. Its form is valid in the session or the pending sign-in with this hash alone.
    pub(super) fn new(call: &Call<'_>, owner: &TokenHash) -> Self {
        let (key, secret) = (enrolments::key(call.store()), TotpSecret::random());
        let enrolment = enrolments::write(&key, owner, &secret, call.now);
        Self { secret, enrolment }
    }

    /// The one whose form this request sends. With the answer of a passkey no app is set up, and a new one is shown if
    /// that is refused.
    pub(super) fn of_form(
        call: &Call<'_>,
        owner: &TokenHash,
        answer: Option<&str>,
    ) -> Result<Self, Refusal> {
        if answer.is_some() {
            return Ok(Self::new(call, owner));
        }
        let enrolment = call.field("enrolment").unwrap_or_default().into_owned();
        let key = enrolments::key(call.store());
        match enrolments::read(&key, owner, &enrolment, call.now) {
            Enrolment::Valid(secret) => Ok(Self { secret, enrolment }),
            Enrolment::Expired => Err(Refusal::EnrolmentTooOld { is_forged: false }),
            Enrolment::Forged => Err(Refusal::EnrolmentTooOld { is_forged: true }),
        }
    }

    /// What the second factor is turned on with: this answer of a passkey, or else the app with the code of this request.
    /// `None`: there is no code.
    pub(super) fn factor<'a>(
        &'a self,
        call: &Call<'_>,
        answer: Option<&'a str>,
    ) -> Option<NewFactor<'a>> {
        let app = || {
            let code = call.field("code").and_then(|it| TotpCode::read(&it))?;
            Some(NewFactor::App(&self.secret, code))
        };
        answer.map(NewFactor::Passkey).or_else(app)
    }

    /// The fields for scripts.
    pub(super) fn json(&self, call: &Call<'_>, username: &str) -> Value {
        json!({
            "secret": self.secret.base32(),
            "uri": self.uri(call, username),
            "enrolment": self.enrolment,
        })
    }

    /// The page with the secret, and with this form.
    pub(super) fn page(
        &self,
        call: &Call<'_>,
        (username, form): (&str, &SetUpForm<'_>),
        status: u16,
    ) -> Response {
        let (uri, in_fours) = (self.uri(call, username), self.secret.in_fours());
        let secret = NewSecret { uri: &uri, in_fours: &in_fours };
        draw(call, status, &SetUpForm { secret, enrolment: &self.enrolment, ..*form })
    }

    /// The address for the app, which shows the site and the name with the codes.
    fn uri(&self, call: &Call<'_>, username: &str) -> String {
        let settings = &call.site.settings;
        let own = settings.rule.own.as_ref().map(Origin::host);
        // The address has no colons of the title: without them, something must be left.
        let is_shown = |it: &&str| it.contains(|it: char| it != ':' && !it.is_whitespace());
        let title = settings.look.own_title().filter(is_shown);
        self.secret.uri(title.or(own).unwrap_or("vestibule"), username)
    }
}

fn draw(call: &Call<'_>, status: u16, form: &SetUpForm<'_>) -> Response {
    let next = call.next();
    let next = next.as_ref().map(Target::as_str);
    let page = call.page(status, |frame| pages::set_up(frame, &SetUpForm { next, ..*form }));
    if form.passkey.is_some() { running_script(page) } else { page }
}

/// The shapes of [`SetUp::json`], for docs/openapi.json.
pub(super) fn fields() -> [(&'static str, Value); 3] {
    ["secret", "uri", "enrolment"].map(|it| (it, kind("string")))
}

/// The shape of the recovery codes, for docs/openapi.json.
pub(in crate::web) fn recovery_codes_field() -> (&'static str, Value) {
    ("recovery_codes", array(&kind("string")))
}

/// The response that shows new recovery codes, this once: to a script that asks for JSON beside `data`. `next` is the
/// way on.
pub(super) fn show_codes(
    call: &Call<'_>,
    codes: &[RecoveryCode],
    next: &str,
    data: impl FnOnce() -> Value,
) -> Response {
    let codes: Vec<_> = codes.iter().map(RecoveryCode::reveal).collect();
    match call.wants() {
        Wants::Json => {
            let mut data = data();
            data["recovery_codes"] = codes.into();
            Response::json(200, &data)
        }
        Wants::Html => call.page(200, |frame| pages::recovery_codes(frame, &codes, next)),
        Wants::Text => Response::text(200, codes.join("\n")),
    }
}
