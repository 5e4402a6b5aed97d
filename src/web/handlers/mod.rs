//! What requests do, a file for each noun. Each function answers the routes that `routes` names it for.

#![expect(clippy::unnecessary_wraps, reason = "all handlers have one type, and most ask the store")]

pub(super) mod access_tokens;
pub(super) mod account;
pub(super) mod activity;
pub(super) mod assets;
pub(super) mod forward_auth;
pub(super) mod health;
pub(super) mod profile;
pub(super) mod reset_password;
pub(super) mod session;
pub(super) mod sessions;
pub(super) mod sign_in;
