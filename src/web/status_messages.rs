//! Status messages (WCAG 4.1.3): what an action has done, told on the page after the redirect.
//!
//! A message travels in a short-lived cookie and never in the address, so that a link cannot make this site say
//! that a password was changed. It is a word of a fixed list, and is removed as soon as it is shown. Scripts get
//! none.

use std::time::Duration;

use super::http::{Cookie, CookieKind, Request};
use super::messages::Text;
use crate::base::clock::Moment;

/// How long a browser keeps a message that no page has shown.
const LIFE: Duration = Duration::from_secs(60);

/// What an action has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StatusMessage {
    SignedOut,
    PasswordChanged,
    /// It was set by a reset link.
    PasswordSet,
    AccountDeleted,
    SessionEnded,
    OtherSessionsEnded,
    AccessTokenRevoked,
    /// A link that verifies an address was sent there.
    LinkSent,
    EmailVerified,
    EmailRemoved,
    SecondFactorOff,
    BrowsersForgotten,
    PasskeyAdded,
    PasskeyRenamed,
    PasskeyRemoved,
}

impl StatusMessage {
    const ALL: [Self; 15] = [
        Self::SignedOut,
        Self::PasswordChanged,
        Self::PasswordSet,
        Self::AccountDeleted,
        Self::SessionEnded,
        Self::OtherSessionsEnded,
        Self::AccessTokenRevoked,
        Self::LinkSent,
        Self::EmailVerified,
        Self::EmailRemoved,
        Self::SecondFactorOff,
        Self::BrowsersForgotten,
        Self::PasskeyAdded,
        Self::PasskeyRenamed,
        Self::PasskeyRemoved,
    ];

    /// The word in the cookie.
    const fn word(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::PasswordChanged => "password_changed",
            Self::PasswordSet => "password_set",
            Self::AccountDeleted => "account_deleted",
            Self::SessionEnded => "session_ended",
            Self::OtherSessionsEnded => "other_sessions_ended",
            Self::AccessTokenRevoked => "token_revoked",
            Self::LinkSent => "link_sent",
            Self::EmailVerified => "email_verified",
            Self::EmailRemoved => "email_removed",
            Self::SecondFactorOff => "second_factor_off",
            Self::BrowsersForgotten => "browsers_forgotten",
            Self::PasskeyAdded => "passkey_added",
            Self::PasskeyRenamed => "passkey_renamed",
            Self::PasskeyRemoved => "passkey_removed",
        }
    }

    /// The sentence that the visitor reads.
    pub(super) const fn sentence(self, text: &'static Text) -> &'static str {
        match self {
            Self::SignedOut => text.you_signed_out,
            Self::PasswordChanged => text.your_password_changed,
            Self::PasswordSet => text.your_password_set,
            Self::AccountDeleted => text.your_account_deleted,
            Self::SessionEnded => text.the_session_ended,
            Self::OtherSessionsEnded => text.other_sessions_ended,
            Self::AccessTokenRevoked => text.the_token_revoked,
            Self::LinkSent => text.link_is_sent,
            Self::EmailVerified => text.your_email_verified,
            Self::EmailRemoved => text.your_email_removed,
            Self::SecondFactorOff => text.second_factor_is_off,
            Self::BrowsersForgotten => text.browsers_are_forgotten,
            Self::PasskeyAdded => text.the_passkey_added,
            Self::PasskeyRenamed => text.the_passkey_renamed,
            Self::PasskeyRemoved => text.the_passkey_removed,
        }
    }
}

/// The cookie that carries a status message. It is for this host alone.
pub(super) fn cookie(is_secure: bool) -> CookieKind {
    let name = if is_secure { "__Host-auth_message" } else { "auth_message" };
    CookieKind { name, secure: is_secure, domain: None, path: "/".to_owned() }
}

/// The value of `Set-Cookie` that leaves a message for the next page.
pub(super) fn leave(cookie: &CookieKind, message: StatusMessage, now: Moment) -> String {
    cookie.set(message.word(), now.after(LIFE), now)
}

/// The status message that a request brings, if there is one.
pub(super) fn find(cookie: &CookieKind, request: &Request) -> Option<StatusMessage> {
    // Nearly every page is asked for without one, and a search is cheaper than reading all cookies.
    if !request.values("cookie").any(|it| it.contains(cookie.name)) {
        return None;
    }
    let Cookie::Value(word) = request.cookie(cookie.name) else { return None };
    StatusMessage::ALL.into_iter().find(|it| it.word() == word)
}
