//! Everything that is tested through the crate's public face, from the store up to the binary.

mod account;
mod admin;
mod audit;
mod auth;
mod backup;
mod binary;
mod clocks;
mod conformance;
mod copy;
mod data;
mod doctor;
mod engine;
mod export;
#[cfg(feature = "mysql")]
mod failover;
mod forward;
mod gate;
mod guessing;
mod house;
mod import;
mod import_sqlite;
mod import_text;
mod invites;
mod look;
mod migrate;
mod next;
mod output;
mod place;
mod proxy;
mod reset;
mod server;
mod setup;
mod site;
mod store;
mod tokens;
mod visit;
