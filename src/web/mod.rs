//! The site: a request and a moment in, a response out.
//!
//! Sockets, threads, the clock and SQL must not be known here, so that nearly every test runs without
//! them.

pub mod routes;
pub mod pages;
pub mod text;
pub mod origin;
pub mod redirect;
pub mod client;
pub mod browser;
pub mod http;
