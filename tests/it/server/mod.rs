//! Sockets, threads and signals.

mod audit;
mod gate;
mod log;
mod metrics;
#[cfg(feature = "mail")]
mod mail;
mod restart;
mod second_factor;
mod serve;
