//! What else is known of a user, as an object in JSON.
//!
//! Decides what is nothing to be kept there.

use serde_json::{Map, Value};

/// The object; empty if there is nothing in it.
pub(super) fn object(all: impl Iterator<Item = (String, Value)>) -> String {
    let object: Map<_, _> = all.collect();
    if object.is_empty() { String::new() } else { Value::Object(object).to_string() }
}

/// Words that are secrets themselves, when they are what a name is about: its last word.
const SECRET_WORDS: [&str; 32] = [
    "apikey",
    "credential",
    "credentials",
    "digest",
    "hash",
    "hashes",
    "hotp",
    "key",
    "keys",
    "kennwort",
    "mfa",
    "otp",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "passwort",
    "pin",
    "privatekey",
    "pw",
    "pwd",
    "recovery",
    "salt",
    "secret",
    "secretkey",
    "secrets",
    "tfa",
    "token",
    "tokens",
    "totp",
    "totpkey",
];

/// Last words of a name that is still about what stands before them.
const QUALIFIERS: [&str; 26] = [
    "argon2",
    "b64",
    "base64",
    "bcrypt",
    "bin",
    "blob",
    "crypt",
    "current",
    "data",
    "enc",
    "encrypted",
    "hashed",
    "hex",
    "hint",
    "json",
    "legacy",
    "md5",
    "new",
    "old",
    "plain",
    "prev",
    "previous",
    "raw",
    "scrypt",
    "text",
    "value",
];

/// Ends of words that are written as one with what stands before them.
const SECRET_ENDS: [&str; 7] =
    ["password", "passwd", "passwort", "passphrase", "passwordhash", "secret", "token"];

/// Words before a code, an answer or a seed that make it a secret.
const OF_SECRETS: [&str; 13] = [
    "2fa",
    "auth",
    "backup",
    "login",
    "mfa",
    "otp",
    "recovery",
    "reset",
    "scratch",
    "secret",
    "security",
    "totp",
    "verification",
];

/// Words before `key` that make it none.
const OF_NO_SECRETS: [&str; 6] = ["external", "foreign", "primary", "public", "sort", "unique"];

/// Whether a column of this name may hold what apps that ask the database must not read.
///
/// A name is about its last word: `api_token` is a secret, and `token_balance`, `hashtag` and
/// `password_changed_at` are none.
pub(super) fn is_secret(column: &str) -> bool {
    let words = words(column);
    let is_qualifier =
        |it: &str| QUALIFIERS.contains(&it) || it.bytes().all(|it| it.is_ascii_digit());
    let end = words.iter().rposition(|it| !is_qualifier(it)).unwrap_or(0);
    let Some(last) = words.get(end) else { return false };
    let last = last.trim_end_matches(|it: char| it.is_ascii_digit());
    let is_before = |all: &[&str]| words[..end].iter().any(|it| all.contains(&it.as_str()));
    match last {
        "code" | "codes" | "answer" | "answers" | "seed" => is_before(&OF_SECRETS),
        "key" | "keys" if is_before(&OF_NO_SECRETS) => false,
        _ => SECRET_WORDS.contains(&last) || SECRET_ENDS.iter().any(|it| last.ends_with(it)),
    }
}

/// The words of a name, in lower case: `totpKey`, `TOTP_KEY` and `totp-key` are two.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let characters: Vec<char> = name.chars().collect();
    for (at, it) in characters.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| characters[at]);
        let after = characters.get(at + 1);
        let begins = it.is_uppercase()
            && before.is_some_and(|before| {
                !before.is_uppercase() || after.is_some_and(|after| after.is_lowercase())
            });
        if begins || !it.is_alphanumeric() {
            words.push(String::new());
        }
        if it.is_alphanumeric() {
            words.last_mut().expect("there is one").extend(it.to_lowercase());
        }
    }
    words.retain(|it| !it.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_columns_of_secrets_by_their_names() {
        for name in [
            "password_old",
            "password2",
            "Hash",
            "pwd",
            "PASSWORD",
            "PASSWORD_HASH",
            "passwordHash",
            "passwordhash",
            "hashed_password",
            "password_bcrypt",
            "password_hint",
            "encryptedPassword",
            "userpassword",
            "totp_key",
            "totpKey",
            "TOTP",
            "TOTPSecret",
            "two_factor_secret",
            "secret",
            "api_token",
            "apiToken",
            "access token",
            "refreshtoken",
            "tokens",
            "APIKey",
            "api_key",
            "pin",
            "recovery_code",
            "recoveryCodes",
            "backupCodes",
            "securityAnswer",
            "otpSecret",
            "mfa",
            "totp_seed",
            "salt",
            "password_salt",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "",
            "_",
            "name",
            "country",
            "country_code",
            "keyboard",
            "opinion",
            "spinning",
            "createdAt",
            "monkey",
            "hashtag",
            "hashtags",
            "token_balance",
            "tokenBalance",
            "tokens_used",
            "secretary",
            "secret_santa",
            "password_changed_at",
            "passwordUpdatedAt",
            "must_change_password_on",
            "mfa_enabled",
            "isTwoFactorEnabled",
            "public_key",
            "foreignKey",
            "keywords",
            "saltwater",
            "pinned",
            "avatar_seed",
            "old",
            "2",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
