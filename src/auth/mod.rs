//! Who may come in: sign-up, sign-in, sessions, keys, throttling. For other programs this is the library.
//!
//! HTTP, cookies, HTML, flags and languages must not be known here.

pub mod sign_in;
pub mod access_tokens;
pub mod invitations;
pub mod one_time_tokens;
pub mod names;
pub mod users;
pub mod keys;
pub mod sessions;
pub mod password_policy;
pub mod throttle;
pub mod events;
