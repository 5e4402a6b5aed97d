//! **vestibule** is the entrance to a web app: it signs people up, signs them in, remembers them,
//! shows them who they are and lets them out. This crate is the server and, for other programs,
//! the library it is made of.
//!
//! # The layers
//!
//! Each folder of `src/` is a layer. A file uses its own layer and those below, never one above; what a
//! layer must *not* know is the useful half of the rule, and a test holds it
//! (`tests/it/architecture.rs`). `docs/architecture.md` follows one request through all of them and says
//! where to add what.
//!
//! | layer      | what it is                                              | may know            | must not know                          |
//! |------------|---------------------------------------------------------|---------------------|----------------------------------------|
//! | [`cli`]    | what an operator types                                  | everything          | –                                      |
//! | [`server`] | sockets, threads, the clock                             | the site, the events, `base` | addresses, users, SQL         |
//! | [`web`]    | a request and a moment in, a response out               | `auth`, the store's records | sockets, threads, the clock, SQL |
//! | [`auth`]   | who may come in; for other programs, the library        | `store`, `base`     | HTTP, cookies, HTML, flags, languages  |
//! | [`store`]  | what is written down, on either engine                  | `base`              | policy: lifetimes, limits, wording     |
//! | [`base`]   | values: passwords, tokens, origins, prefixes of addresses, times | crates              | anything of ours                       |
//!
//! The modules below are in reading order, from the outside in.

pub mod cli;
pub mod server;
pub mod web;
pub mod auth;
pub mod store;
pub mod base;
