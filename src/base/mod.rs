//! Values that know nothing of vestibule: passwords, tokens, one-time codes, origins, base URLs, prefixes of addresses,
//! moments, files, canonical names, names that users give and the fields of a log.

pub mod password;
pub mod token;
pub mod totp;
pub mod webauthn;
pub mod recovery_code;
pub mod mac;
pub mod sealing;
pub mod email_address;
pub mod ip_prefix;
pub mod origin;
pub mod base_url;
pub mod new_file;
pub mod file_fault;
pub mod clock;
pub mod canonical_name;
pub mod display_name;
pub mod log_fields;
#[cfg(any(feature = "mysql", feature = "doctor", feature = "mail"))]
pub mod tls_fault;
