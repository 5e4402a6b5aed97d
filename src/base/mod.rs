//! Values that know nothing of vestibule: passwords, tokens, networks and moments.

pub mod password;
pub mod token;
pub mod ip_prefix;
pub mod new_file;
pub mod clock;
