//! The auth layer as a library.

mod library;
mod passkeys;
