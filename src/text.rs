//! What people read: every sentence of every page, in each language.
//!
//! A language is a value of [`Text`] in a file of its own, and the compiler sees whether it is
//! complete. Scripts are told the English sentences whatever they prefer ([`EN`]): those are part of
//! the contract. Knows no request and no markup.

mod en;

pub use en::EN;

/// What somebody is told who does not get what they asked for.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// What happened: the heading of a page, and all that a script reads.
    pub title: &'static str,
    /// What to do about it.
    pub advice: &'static str,
}

/// What somebody is told, in whatever language they read.
pub type Say = fn(&'static Text) -> Told;

/// What stands before a value and after it.
#[derive(Clone, Copy, Debug)]
pub struct Around(pub &'static str, pub &'static str);

/// A language. The English file says best what each field is.
#[expect(missing_docs, reason = "a field is named after its English words")]
#[derive(Debug)]
pub struct Text {
    /// Its tag (RFC 5646).
    pub code: &'static str,

    // The ways in and out.
    pub sign_up: &'static str,
    pub sign_in: &'static str,
    pub sign_out: &'static str,
    pub been_here: &'static str,
    pub new_here: &'static str,
    pub create_account: &'static str,
    pub username: &'static str,
    pub password: &'static str,
    pub stay_signed_in: &'static str,
    pub profile: &'static str,
    pub user_id_is: &'static str,
    pub username_is: &'static str,
    pub back: &'static str,

    // The account.
    pub account: &'static str,
    pub signed_in_as: &'static str,
    pub present_password: &'static str,
    pub new_password: &'static str,
    pub change_password: &'static str,
    pub others_end: &'static str,
    pub others_and_tokens_end: &'static str,
    pub sessions: &'static str,
    pub see_sessions: &'static str,
    pub access_tokens: &'static str,
    pub see_tokens: &'static str,
    pub delete_account: &'static str,
    pub delete_advice: &'static str,

    // Setting a password by a link.
    pub reset_for: &'static str,
    pub set_password: &'static str,
    pub reset_advice: &'static str,

    // Sessions.
    pub unknown_browser: &'static str,
    pub on_system: &'static str,
    pub this_one: &'static str,
    pub signed_in_at: &'static str,
    pub from_address: &'static str,
    pub last_seen: &'static str,
    pub your_password: &'static str,
    pub end: &'static str,
    pub end_session_of: Around,
    pub end_others: &'static str,

    // Access tokens.
    pub tokens_advice: &'static str,
    pub your_new_token: &'static str,
    pub shown_once: &'static str,
    pub name: &'static str,
    pub good_for: &'static str,
    pub thirty_days: &'static str,
    pub ninety_days: &'static str,
    pub a_year: &'static str,
    pub make_token: &'static str,
    pub ended: &'static str,
    pub made_at: &'static str,
    pub good_until: &'static str,
    pub ended_at: &'static str,
    pub last_used: &'static str,
    pub never_used: &'static str,
    pub revoke: &'static str,
    pub revoke_it: Around,

    // On the host of an app.
    pub closed_to: Around,
    pub as_somebody_else: &'static str,
    pub two_sign_ins: &'static str,
    pub clear_cookies_and: Around,
    pub sign_in_again: &'static str,

    // Why a form comes back.
    pub bad_username: Told,
    pub bad_username_at_sign_in: Told,
    pub name_taken: Told,
    pub bad_password: Told,
    pub short_password_of_seed: Told,
    pub short_password_of_standard: Told,
    pub short_password_of_nist: Told,
    pub long_password: Told,
    pub common_password: Told,
    pub password_is_name: Told,
    pub incorrect_credentials: Told,
    pub incorrect_password: Told,
    pub password_required: Told,
    pub too_many_attempts: Told,
    pub bad_token_name: Told,
    pub bad_token_life: Told,
    pub too_many_tokens: Told,

    // Instead of a page.
    pub foreign: Told,
    pub unauthorized: Told,
    pub closed: Told,
    pub two_cookies: Told,
    pub sign_up_closed: Told,
    pub sign_up_by_invitation: Told,
    pub bad_invite: Told,
    pub bad_link: Told,
    pub not_found: Told,
    pub no_session: Told,
    pub no_token: Told,
    pub not_allowed: Told,
    pub unsupported: Told,
    pub too_many_fields: Told,
    pub malformed: Told,
    pub too_slow: Told,
    pub too_large: Told,
    pub target_too_long: Told,
    pub expectation: Told,
    pub head_too_large: Told,
    pub version: Told,
    pub unknown_error: Told,
    pub busy: Told,
}

const fn told(title: &'static str, advice: &'static str) -> Told {
    Told { title, advice }
}
