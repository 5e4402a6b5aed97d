//! The site as a function, and what visitors meet.

mod account;
mod busy;
mod clocks;
mod data;
mod denied;
mod envoy;
mod email;
mod forgotten;
mod forward;
mod guessing;
mod invites;
mod look;
mod names;
mod next;
mod notices;
mod openapi;
mod padded_names;
mod prefix;
mod reload;
mod renewal;
mod reset;
mod session;
mod sign_out;
mod site;
mod tokens;
mod weight;
