//! The contract: what each engine promises. One method is one transaction and one intention.
//!
//! A method with a body is one statement that every engine understands; the others are written out in each.

#![warn(missing_docs)]

mod maintenance;
mod sessions;
mod users;

pub use maintenance::{AuditLog, Bulk, Copies, Devices, Maintenance, Tended, Throttle};
pub use sessions::{AccessTokens, Invitations, OneTimeTokens, Sessions};
pub use users::{Keys, Names, Users};
