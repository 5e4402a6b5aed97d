//! What requests do, a file for each noun.

pub(super) mod access_tokens;
pub(super) mod account;
pub(super) mod forward_auth;
pub(super) mod reset_password;
pub(super) mod sign_in;
