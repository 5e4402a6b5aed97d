//! What an operator types: the commands, their flags, and what each of them does.
//!
//! The highest layer: it may know everything, and nothing below knows that a command line exists.

pub mod config;
pub mod output;
pub mod admin;
pub mod import;
pub mod export_format;
pub mod proxy_config;
pub mod doctor;
