//! **vestibule** is the entrance to a web app: it signs people up, signs them in, remembers them,
//! shows them who they are and lets them out. This crate is the server and, for other programs,
//! the library it is made of.
//!
//! # The house
//!
//! Files stand on floors. A file uses its own floor and those below, never one above; what a floor
//! must *not* know is the useful half of the rule, and a test holds it (`tests/it/house.rs`).
//!
//! | floor     | files                                              | may know        | must not know                    |
//! |-----------|----------------------------------------------------|-----------------|----------------------------------|
//! | program   | `main config output admin import lines proxy doctor` | everything      | –                                |
//! | shell     | `gate serve audit log`                             | site, clock     | routes by name, users, SQL       |
//! | site      | `routes pages text origin redirect client browser http` | auth, store | sockets, threads, clock, SQL     |
//! | auth      | `login access invites tickets names users keys sessions policy throttle` | store, ground   | HTTP, cookies, HTML, flags       |
//! | store     | `store`                                            | ground          | policy: lifetimes, limits        |
//! | ground    | `password token network new_file clock`            | crates          | anything of ours                 |
//!
//! The modules below are in reading order, from the outside in.

pub mod config;
pub mod output;
pub mod admin;
pub mod import;
pub mod lines;
pub mod proxy;
pub mod doctor;
pub mod gate;
pub mod serve;
pub mod audit;
pub mod log;
pub mod routes;
pub mod pages;
pub mod text;
pub mod origin;
pub mod redirect;
pub mod client;
pub mod browser;
pub mod http;
pub mod login;
pub mod access;
pub mod invites;
pub mod tickets;
pub mod names;
pub mod users;
pub mod keys;
pub mod sessions;
pub mod policy;
pub mod throttle;
pub mod store;
pub mod password;
pub mod token;
pub mod network;
pub mod new_file;
pub mod clock;
