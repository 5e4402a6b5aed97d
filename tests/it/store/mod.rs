//! What the store promises, on each engine, and what its file goes through.

pub(crate) mod conformance;
#[cfg(feature = "mysql")]
mod failover;
mod file;
mod place;
#[cfg(feature = "mysql")]
mod refused;
