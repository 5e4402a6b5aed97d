//! The second factors of better-auth, which are encrypted with a secret of its own.
//!
//! Decides which of them count: those that their users have verified and have not turned off. Backup codes stay behind:
//! they are shorter than recovery codes here.

use std::collections::HashSet;

use rusqlite::Connection;

use super::ReadResult;
use super::cells::each_row;
use super::tables::{ColumnSet, OWNER, Table};
use crate::base::sealing::SealingKey;
use crate::base::totp::TotpSecret;

/// The columns of the table.
pub(super) const COLUMNS: ColumnSet = &[&["secret"], &["backupCodes", "backup_codes"], OWNER];

/// Whether a user has turned the second factor on.
const ENABLED: [&str; 2] = ["twoFactorEnabled", "two_factor_enabled"];

/// Whether the user has given a code of the app once. Older versions have no such column.
const VERIFIED: [&str; 1] = ["verified"];

/// What stands before what is encrypted with a secret of which there are several versions: this, and the version.
const VERSIONED: &str = "$ba$";

/// The secrets of apps by the ids of their users, or why one cannot be used.
pub(super) fn read(
    conn: &Connection,
    (users, table): (&Table, &Table),
    secret: &str,
) -> ReadResult<Vec<(String, Result<TotpSecret, String>)>> {
    let enabled = enabled(conn, users)?;
    let key = SealingKey::of_text(secret);
    let mut columns = table.named(COLUMNS);
    columns.extend(table.column(&VERIFIED));
    let is_told = columns.len() > COLUMNS.len();
    let mut found = Vec::new();
    each_row(conn, table, &columns, |row| {
        let Ok(Some(user)) = row.text(2) else { return };
        let is_verified = !is_told || row.truth(3).unwrap_or(false);
        if is_verified && enabled.contains(&user) {
            let text = row.text(0).ok().flatten().unwrap_or_default();
            found.push((user, opened(&text, &key)));
        }
    })?;
    Ok(found)
}

/// The ids of users who have turned it on.
fn enabled(conn: &Connection, users: &Table) -> ReadResult<HashSet<String>> {
    let Some(column) = users.column(&ENABLED) else { return Ok(HashSet::new()) };
    let id = users.column(&["id"]).unwrap_or("id");
    let mut all = HashSet::new();
    each_row(conn, users, &[id, column], |row| {
        if let (Ok(Some(id)), Ok(true)) = (row.text(0), row.truth(1)) {
            all.insert(id);
        }
    })?;
    Ok(all)
}

/// The secret of an app in what is stored: hex digits of 24 bytes of nonce, what is encrypted, and its tag. The
/// characters of the plain text are the bytes of the secret.
fn opened(text: &str, key: &SealingKey) -> Result<TotpSecret, String> {
    let digits = match text.strip_prefix(VERSIONED) {
        Some(rest) => rest.split_once('$').map_or("", |(_, digits)| digits),
        None => text,
    };
    let plain = key.unseal_hex(digits).ok_or("the secret in --secret-file does not open it")?;
    TotpSecret::from_bytes(&plain).map_err(|fault| fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::token::hex;

    #[test]
    fn opens_what_better_auth_has_encrypted_in_either_form() {
        let key = SealingKey::of_text("a secret");
        let sealed = hex(&key.seal(b"IWFZPYRDkeyofthirtytwocharacters", b""));
        for text in [sealed.clone(), format!("$ba$2${sealed}"), sealed.to_uppercase()] {
            let secret = opened(&text, &key).unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(secret.reveal(), b"IWFZPYRDkeyofthirtytwocharacters");
        }
        let other = SealingKey::of_text("another");
        for (text, key) in [(&*sealed, &other), ("", &key), ("$ba$2", &key), ("zz", &key)] {
            assert!(opened(text, key).err().unwrap().contains("--secret-file"), "{text}");
        }
    }
}
