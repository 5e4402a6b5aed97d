//! Values that know nothing of vestibule: passwords, tokens, origins, base URLs, prefixes of addresses,
//! moments and files.

pub mod password;
pub mod token;
pub mod ip_prefix;
pub mod origin;
pub mod base_url;
pub mod new_file;
pub mod file_fault;
pub mod clock;
#[cfg(any(feature = "mysql", feature = "doctor"))]
pub mod tls_fault;
