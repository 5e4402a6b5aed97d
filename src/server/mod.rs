//! Sockets, threads and the clock: what stands between the network and the site.
//!
//! Knows the site as a function from a request and a moment to a response. Users and SQL must not be
//! known here.

pub mod serve;
pub mod gate;
pub mod audit;
pub mod log;
