//! The site: a request and a moment in, a response out.
//!
//! Sockets, threads, the clock and SQL must not be known here, so that nearly every test runs without
//! them.

pub mod routes;
pub mod pages;
pub mod messages;
pub mod origin;
pub mod redirect;
pub mod client_ip;
pub mod user_agent;
pub mod http;
