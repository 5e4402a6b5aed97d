//! Every refusal of a form: its status, its word for scripts, its reason in the log, and its message.

use std::time::Duration;

use crate::auth::events::Event;
use crate::auth::keys;
use crate::auth::passkeys::PasskeyFailure;
use crate::auth::password_policy::{Flaw, Policy};
use crate::auth::second_factors::CodeFailure;
use crate::auth::usernames::NameKind;
use crate::store::UserId;
use crate::web::call::{Answered, Call, SignedInCall};
use crate::web::handlers::sign_in::SignForm;
use crate::web::http::{Note, Response, Wants};
use crate::web::json;
use crate::web::messages::{self, EN, MessageKey};
use crate::web::pages::{Alert, Field, Wait};

/// Why a form is refused.
#[derive(Clone)]
pub(super) enum Refusal {
    /// The body is of a type that is not read as a form.
    UnsupportedBody,
    /// The body is not a JSON object of strings, though it is said to be JSON.
    InvalidJson,
    /// The form has too many fields.
    TooManyFields,
    /// The username is missing or malformed, where accounts have names of this kind.
    InvalidUsername(SignForm, NameKind),
    /// The password is missing or of an impossible length.
    InvalidPassword,
    /// The policy does not allow the password.
    WeakPassword(Flaw, Policy),
    /// Another account has the username, which is of this kind, or it rests or is reserved.
    NameTaken(NameKind),
    /// Visitors cannot create accounts on this site.
    SignUpClosed,
    /// Creating an account requires an invitation.
    SignUpByInvitation,
    /// The invitation is not valid, or was used up meanwhile.
    BadInvitation,
    /// Name or password is wrong. Only the operator is told which.
    IncorrectCredentials(keys::ProofFailure),
    /// The password is right, and this user has to verify their e-mail address first.
    Unverified(UserId),
    /// The current password is wrong.
    IncorrectPassword,
    /// The second factor is missing or malformed.
    InvalidCode,
    /// The second factor is wrong, for this user.
    IncorrectCode(CodeFailure, UserId),
    /// A passkey is refused, whose owner may be known.
    PasskeyRefused(PasskeyFailure, Option<UserId>),
    /// The user has as many passkeys as they may have.
    TooManyPasskeys,
    /// The passkey is the last thing with which the user can give their second factor.
    LastFactor,
    /// The form that sets up an app is too old, or, if `is_forged`, was not made for this session.
    EnrolmentTooOld {
        is_forged: bool,
    },
    /// The second factor is turned on already.
    SecondFactorOn,
    /// The user has no second factor.
    SecondFactorOff,
    /// The user has to have a second factor.
    SecondFactorNeeded,
    /// The password was not given in this session lately, and is not in the request.
    PasswordRequired,
    /// Too many attempts have failed; the next one is allowed after this time.
    TooManyAttempts(Duration),
    /// The e-mail address is missing, or mail cannot be sent to it.
    InvalidEmail,
    InvalidDisplayName,
    InvalidTokenLife,
    TooManyTokens,
}

/// The properties of a refusal.
struct Facts {
    /// The status of pages and plain text.
    status: u16,
    /// The status and the word for scripts that ask for JSON.
    json: (u16, &'static str),
    /// The value of `reason` in the log.
    reason: &'static str,
    /// What the visitor is told.
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

const fn reason_of(why: &keys::ProofFailure) -> &'static str {
    match why {
        keys::ProofFailure::UnknownKey | keys::ProofFailure::WrongPassword => "bad_credentials",
        keys::ProofFailure::UnreadableHash(_) => "unreadable_hash",
        keys::ProofFailure::Disabled(_) => "disabled",
        keys::ProofFailure::SecondFactorDue(_) => "second_factor",
        keys::ProofFailure::Unverified(_) => "unverified",
    }
}

fn of_bad_name(form: SignForm, kind: NameKind) -> MessageKey {
    match (form, kind) {
        (_, NameKind::Address) => |t| t.bad_address_as_name,
        (SignForm::SignUp, NameKind::Name) => |t| t.bad_username,
        (SignForm::SignIn, NameKind::Name) => |t| t.bad_username_at_sign_in,
    }
}

impl Refusal {
    /// The refusal of a second factor of this user.
    pub(super) const fn of_factor(why: CodeFailure, user: UserId) -> Self {
        match why {
            CodeFailure::Passkey(failure) => Self::PasskeyRefused(failure, Some(user)),
            why => Self::IncorrectCode(why, user),
        }
    }

    #[expect(clippy::too_many_lines, reason = "it is a table")]
    fn facts(&self) -> Facts {
        use Field::{Code, Current, Days, Email, Name, Nothing, Password, Username};
        match self {
            Self::UnsupportedBody => {
                let json = (415, "unsupported_media_type");
                row(415, json, "unsupported_body", Username, |t| t.unsupported)
            }
            Self::InvalidJson => {
                row(400, (400, "invalid_json"), "invalid_json", Username, |t| t.invalid_json)
            }
            Self::TooManyFields => {
                row(413, (413, "too_large"), "too_many_fields", Username, |t| t.too_many_fields)
            }
            Self::InvalidUsername(form, kind) => {
                let message = of_bad_name(*form, *kind);
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
            Self::NameTaken(kind) => {
                let message: MessageKey = match kind {
                    NameKind::Name => |t| t.name_taken,
                    NameKind::Address => |t| t.address_as_name_taken,
                };
                row(400, (409, "username_taken"), "name_taken", Username, message)
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
                row(400, (401, "incorrect_credentials"), reason_of(why), Password, |t| {
                    t.incorrect_credentials
                })
            }
            Self::Unverified(_) => {
                row(403, (403, "unverified"), "unverified", Nothing, |t| t.verify_first)
            }
            Self::IncorrectPassword => {
                let message: MessageKey = |t| t.incorrect_password;
                row(400, (401, "incorrect_credentials"), "bad_credentials", Current, message)
            }
            Self::InvalidCode => {
                row(400, (422, "invalid_code"), "invalid_code", Code, |t| t.bad_code)
            }
            Self::IncorrectCode(why, _) => {
                row(400, (401, "incorrect_code"), why.reason(), Code, |t| t.incorrect_code)
            }
            Self::PasskeyRefused(why, _) => {
                row(400, (401, "passkey_refused"), why.reason(), Nothing, |t| t.passkey_refused)
            }
            Self::TooManyPasskeys => {
                row(400, (422, "too_many_passkeys"), "too_many_passkeys", Nothing, |t| {
                    t.too_many_passkeys
                })
            }
            Self::LastFactor => {
                row(403, (403, "last_factor"), "last_factor", Nothing, |t| t.last_factor)
            }
            Self::EnrolmentTooOld { is_forged } => {
                let reason = if *is_forged { "enrolment_forged" } else { "enrolment_expired" };
                row(400, (422, "enrolment_expired"), reason, Code, |t| t.enrolment_too_old)
            }
            Self::SecondFactorOn => {
                row(400, (409, "second_factor_on"), "second_factor_on", Nothing, |t| {
                    t.second_factor_on
                })
            }
            Self::SecondFactorOff => {
                row(400, (409, "second_factor_off"), "second_factor_off", Nothing, |t| {
                    t.second_factor_off
                })
            }
            Self::SecondFactorNeeded => {
                row(403, (403, "second_factor_needed"), "needed", Nothing, |t| {
                    t.second_factor_needed
                })
            }
            Self::PasswordRequired => {
                row(403, (403, "password_required"), "not_fresh", Current, |t| t.password_required)
            }
            Self::TooManyAttempts(_) => {
                row(429, (429, "too_many_attempts"), "throttled", Password, |t| t.too_many_attempts)
            }
            Self::InvalidEmail => {
                row(400, (422, "invalid_email"), "invalid_email", Email, |t| t.bad_email)
            }
            Self::InvalidDisplayName => {
                row(400, (422, "invalid_name"), "invalid_name", Name, |t| t.bad_display_name)
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

    /// The user whom it concerns, if the operator should look into it.
    pub(super) const fn user(&self) -> Option<&UserId> {
        match self {
            Self::IncorrectCredentials(
                keys::ProofFailure::UnreadableHash(user)
                | keys::ProofFailure::Disabled(user)
                | keys::ProofFailure::SecondFactorDue(user)
                | keys::ProofFailure::Unverified(user),
            )
            | Self::Unverified(user)
            | Self::IncorrectCode(_, user)
            | Self::PasskeyRefused(_, Some(user)) => Some(user),
            _ => None,
        }
    }

    /// By how many time steps a clock is wrong, if that is why.
    pub(super) const fn clock_steps(&self) -> Option<i64> {
        match self {
            Self::IncorrectCode(CodeFailure::WrongClock(steps), _) => Some(*steps),
            _ => None,
        }
    }

    /// Adds to an event by how much a clock is wrong, if that is why.
    pub(super) fn noting_clock(&self, note: Note) -> Note {
        match self.clock_steps() {
            Some(steps) => note.with("steps", format!("{steps:+}")),
            None => note,
        }
    }

    /// The event for the log: `event`, unless a passkey seems to be cloned, or the requester has to wait.
    pub(super) const fn event(&self, event: Event) -> Event {
        match self {
            Self::TooManyAttempts(_) => Event::Throttled,
            Self::PasskeyRefused(PasskeyFailure::Cloned, _) => Event::PasskeyCloned,
            _ => event,
        }
    }

    /// Whether a double click can cause it, after the first click created the account: the name is taken,
    /// the invitation used up, or the limit on accounts reached.
    pub(super) const fn may_be_second_click(&self) -> bool {
        matches!(self, Self::NameTaken(_) | Self::BadInvitation | Self::TooManyAttempts(_))
    }

    /// A page with the message, in place of a form.
    pub(super) fn page(&self, call: &Call<'_>) -> Response {
        let Facts { status, message, .. } = self.facts();
        call.problem(status, message)
    }

    /// For a person the form again, drawn by `draw`; for a script the message alone, or JSON if it asks for
    /// that. It says how long to wait, if so.
    pub(super) fn response(
        &self,
        call: &Call<'_>,
        draw: impl FnOnce(u16, Alert) -> Answered,
    ) -> Answered {
        let Facts { status, json, message: say, field, .. } = self.facts();
        let wait = match self {
            Self::TooManyAttempts(wait) => Some(*wait),
            _ => None,
        };
        let seconds = wait.map(seconds_of);
        let response = match call.wants() {
            Wants::Html => {
                let wait = wait.map(|span| Wait { span, until: call.now.after(span) });
                draw(status, Alert { say, field, wait })?
            }
            Wants::Json => json::refusal(json, say, seconds),
            Wants::Text => Response::text(status, say(&EN).title),
        };
        Ok(match seconds {
            Some(seconds) => response.with("Retry-After", seconds.to_string()),
            None => response,
        })
    }

    /// The event for the log, for a refusal of a signed-in user.
    pub(super) fn note(&self, call: &SignedInCall<'_>, event: Event) -> Note {
        call.note(self.event(event)).because(self.reason())
    }
}

/// Whole seconds, rounded up, so that a client that waits as long is not refused again.
pub(super) fn seconds_of(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
