//! Every refusal of a form: the status, the word for scripts, what the operator reads, and the message.

use std::time::Duration;

use crate::auth::events::Event;
use crate::auth::keys;
use crate::auth::password_policy::{Flaw, Policy};
use crate::store::UserId;
use crate::web::call::{Answered, Call, SignedInCall};
use crate::web::handlers::sign_in::SignForm;
use crate::web::http::{Note, Response, Wants};
use crate::web::json;
use crate::web::messages::{self, EN, MessageKey};
use crate::web::pages::{Alert, Field};

/// Why a form is refused.
#[derive(Clone)]
pub(super) enum Refusal {
    /// The field holds nothing that can be a username there.
    InvalidUsername(SignForm),
    /// The field holds nothing that can be a password.
    InvalidPassword,
    /// The password may not be chosen.
    WeakPassword(Flaw, Policy),
    /// Another account has the username, or it rests or is reserved.
    NameTaken,
    /// No account can be created on this site.
    SignUpClosed,
    /// It takes an invitation, and there is none.
    SignUpByInvitation,
    /// The invitation is not valid, or others were quicker.
    BadInvitation,
    /// Name or password is wrong. Which of them is for the operator alone.
    IncorrectCredentials(keys::ProofFailure),
    /// The current password is wrong.
    IncorrectPassword,
    /// The password was not given in this session lately, and not with the request.
    PasswordRequired,
    /// There were too many failures; try again after this time.
    TooManyAttempts(Duration),
    InvalidTokenName,
    InvalidTokenLife,
    TooManyTokens,
}

/// A row of the table of refusals.
struct Facts {
    /// For pages and plain text.
    status: u16,
    /// Status and word for scripts that ask for JSON.
    json: (u16, &'static str),
    /// For the log.
    reason: &'static str,
    /// For the visitor.
    message: MessageKey,
    field: Field,
}

const fn row(
    status: u16,
    json: (u16, &'static str),
    reason: &'static str,
    field: Field,
    message: MessageKey,
) -> Facts {
    Facts { status, json, reason, message, field }
}

impl Refusal {
    fn facts(&self) -> Facts {
        use Field::{Current, Days, Name, Password, Username};
        match self {
            Self::InvalidUsername(form) => {
                let message: MessageKey = match form {
                    SignForm::SignUp => |t| t.bad_username,
                    SignForm::SignIn => |t| t.bad_username_at_sign_in,
                };
                row(400, (422, "invalid_username"), "invalid_username", Username, message)
            }
            Self::InvalidPassword => {
                row(400, (422, "invalid_password"), "invalid_password", Password, |t| {
                    t.bad_password
                })
            }
            Self::WeakPassword(flaw, policy) => {
                let message = messages::of_flaw(*flaw, *policy);
                row(400, (422, "invalid_password"), "invalid_password", Password, message)
            }
            Self::NameTaken => {
                row(400, (409, "username_taken"), "name_taken", Username, |t| t.name_taken)
            }
            Self::SignUpClosed => {
                row(403, (403, "forbidden"), "closed", Username, |t| t.sign_up_closed)
            }
            Self::SignUpByInvitation => {
                row(403, (403, "forbidden"), "by_invitation", Username, |t| t.sign_up_by_invitation)
            }
            Self::BadInvitation => {
                row(403, (403, "forbidden"), "bad_invite", Username, |t| t.bad_invite)
            }
            Self::IncorrectCredentials(why) => {
                let reason = match why {
                    keys::ProofFailure::UnknownKey | keys::ProofFailure::WrongPassword => {
                        "bad_credentials"
                    }
                    keys::ProofFailure::UnreadableHash(_) => "unreadable_hash",
                    keys::ProofFailure::Disabled(_) => "disabled",
                };
                let message: MessageKey = |t| t.incorrect_credentials;
                row(400, (401, "incorrect_credentials"), reason, Password, message)
            }
            Self::IncorrectPassword => {
                let message: MessageKey = |t| t.incorrect_password;
                row(400, (401, "incorrect_credentials"), "bad_credentials", Current, message)
            }
            Self::PasswordRequired => {
                row(403, (403, "password_required"), "not_fresh", Current, |t| t.password_required)
            }
            Self::TooManyAttempts(_) => {
                row(429, (429, "too_many_attempts"), "throttled", Password, |t| t.too_many_attempts)
            }
            Self::InvalidTokenName => {
                row(400, (422, "invalid_name"), "invalid_name", Name, |t| t.bad_token_name)
            }
            Self::InvalidTokenLife => {
                row(400, (422, "invalid_days"), "invalid_days", Days, |t| t.bad_token_life)
            }
            Self::TooManyTokens => {
                row(400, (422, "too_many_tokens"), "too_many_tokens", Name, |t| t.too_many_tokens)
            }
        }
    }

    pub(super) fn reason(&self) -> &'static str {
        self.facts().reason
    }

    /// The account that the operator should look after, if there is one.
    pub(super) const fn user(&self) -> Option<&UserId> {
        match self {
            Self::IncorrectCredentials(
                keys::ProofFailure::UnreadableHash(user) | keys::ProofFailure::Disabled(user),
            ) => Some(user),
            _ => None,
        }
    }

    /// The name of the event in the log, which is `event` unless the requester has to wait.
    pub(super) const fn event(&self, event: Event) -> Event {
        if let Self::TooManyAttempts(_) = self { Event::Throttled } else { event }
    }

    /// Whether a browser may show this to a user who has just created an account with the same form, by a
    /// second click: their name is taken, or their invitation used, or it was the last account for a while.
    pub(super) const fn may_be_second_click(&self) -> bool {
        matches!(self, Self::NameTaken | Self::BadInvitation | Self::TooManyAttempts(_))
    }

    /// A page that says so, instead of a form.
    pub(super) fn page(&self, call: &Call<'_>) -> Response {
        let Facts { status, message, .. } = self.facts();
        call.problem(status, message)
    }

    /// For a person the form again, which `draw` draws; for a script the sentence alone, or data if it
    /// asks for that. It says how long to wait, if so.
    pub(super) fn response(
        &self,
        call: &Call<'_>,
        draw: impl FnOnce(u16, Alert) -> Answered,
    ) -> Answered {
        let Facts { status, json, message: say, field, .. } = self.facts();
        let wait = match self {
            Self::TooManyAttempts(wait) => Some(seconds_of(*wait)),
            _ => None,
        };
        let response = match call.wants() {
            Wants::Html => draw(status, Alert { say, field })?,
            Wants::Json => json::refusal(json, say, wait),
            Wants::Text => Response::text(status, say(&EN).title),
        };
        Ok(match wait {
            Some(seconds) => response.with("Retry-After", seconds.to_string()),
            None => response,
        })
    }

    /// What the log says about this refusal of a user who is signed in.
    pub(super) fn note(&self, call: &SignedInCall<'_>, event: Event) -> Note {
        call.note(self.event(event)).with("reason", self.reason())
    }
}

/// Whole seconds, rounded up: a client that comes back then is not sent away again.
pub(super) fn seconds_of(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
