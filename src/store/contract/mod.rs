//! The contract: what each engine promises. One method is one transaction with one purpose.
//!
//! A method with a body is one statement in SQL that all engines understand; the others are implemented by
//! each.

#![warn(missing_docs)]

mod mail;
mod maintenance;
mod passkeys;
mod second_factors;
mod sessions;
mod users;

pub use mail::Mail;
pub(super) use mail::{
    DUE_LETTER, EMPTY_SLOT, LETTERS_MAX, LETTERS_OF_USER_MAX, SLOTS_OF_TOKENS, token_slot,
};
pub use maintenance::{
    Allowance, AuditLog, Bulk, Copies, Devices, Maintenance, RecordOfImport, Tended, Throttle,
};
pub use passkeys::Passkeys;
pub(super) use passkeys::{ADD_USED_CHALLENGE, USE_PASSKEY};
pub use second_factors::SecondFactors;
pub(super) use second_factors::{
    ADD_SEAL, CHANGE_SECRET, DELETE_SEAL, END_MERE_SECOND_FACTORS, END_OTHER_FACTORS,
    FORGET_BROWSERS, SECOND_STEPS_MAX, USE_RECOVERY_CODE, USE_SECOND_STEP, USE_STEP,
};
pub(super) use sessions::ADDRESS_OF_TOKEN;
pub use sessions::{AccessTokens, Invitations, OneTimeTokens, Sessions};
pub use users::{Keys, Names, Users};
