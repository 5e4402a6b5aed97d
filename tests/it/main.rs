//! Everything that is tested through the crate's public face, from the store up to the binary.

mod architecture;
mod auth;
mod base;
mod binary;
mod cli;
mod engine;
mod second_factor;
mod server;
mod setup;
mod soft_authenticator;
mod store;
mod visit;
mod web;
