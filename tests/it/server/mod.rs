//! Sockets, threads and signals.

mod audit;
mod gate;
mod serve;
