//! The handlers of the routes, in a file for each noun. [`super::routes`] names the route of each.

#![expect(clippy::unnecessary_wraps, reason = "all handlers have one type, and most ask the store")]

pub(super) mod access_tokens;
pub(super) mod account;
pub(super) mod activity;
pub(super) mod assets;
pub(super) mod email;
pub(super) mod enrolments;
pub(super) mod forgotten;
pub(super) mod forward_auth;
pub(super) mod health;
pub(super) mod passkeys;
pub(super) mod profile;
pub(super) mod reauthentication;
pub(super) mod reset_password;
pub(super) mod second_factor;
pub(super) mod second_step;
pub(super) mod session;
pub(super) mod sessions;
pub(super) mod sign_in;
