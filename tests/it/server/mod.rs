//! Sockets, threads and signals.

mod audit;
mod gate;
#[cfg(feature = "mail")]
mod mail;
mod second_factor;
mod serve;
