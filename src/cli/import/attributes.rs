//! What else is known of somebody, as an object in JSON.
//!
//! Decides what is nothing to be kept there.

use serde_json::{Map, Value};

/// The object; empty if there is nothing in it.
pub(super) fn object(all: impl Iterator<Item = (String, Value)>) -> String {
    let object: Map<_, _> = all.collect();
    if object.is_empty() { String::new() } else { Value::Object(object).to_string() }
}

/// What names of columns with secrets have in them.
const SECRET_PARTS: [&str; 6] = ["password", "passwd", "pwd", "secret", "token", "hash"];

/// Words of which such names are made; within other words they mean nothing.
const SECRET_WORDS: [&str; 8] = ["key", "otp", "pin", "recovery", "salt", "totp", "codes", "mfa"];

/// Whether a column of this name may hold what apps that ask the database must not read.
pub(super) fn is_secret(column: &str) -> bool {
    let lower = column.to_ascii_lowercase();
    let spaced: String = column
        .chars()
        .flat_map(|it| [it.is_ascii_uppercase().then_some(' '), Some(it.to_ascii_lowercase())])
        .flatten()
        .collect();
    let mut words = spaced.split(|it: char| !it.is_ascii_alphanumeric()).chain([&*lower]);
    SECRET_PARTS.iter().any(|it| lower.contains(it)) || words.any(|it| SECRET_WORDS.contains(&it))
}

/// What is noted of such columns.
pub(super) const SECRETS: &str = "columns of passwords or secrets, left behind";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_columns_of_secrets_by_their_names() {
        for name in [
            "password_old",
            "Hash",
            "pwd",
            "totp_key",
            "totpKey",
            "TOTP",
            "api_token",
            "apiToken",
            "pin",
            "recovery_code",
            "backupCodes",
            "otpSecret",
            "salt",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["name", "country", "keyboard", "opinion", "spinning", "createdAt", "monkey"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
