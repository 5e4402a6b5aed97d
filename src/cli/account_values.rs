//! How an operator writes what belongs to an account: names, groups, keys, addresses and handles.
//!
//! A text that cannot be meant, whatever the database holds, is refused while the command line is read: as wrong
//! usage (exit code 2), by every command alike, before a database is opened or a password is asked for. An error is
//! one line that says what would do.

use super::table::printable;
use crate::auth::usernames::{NameKind, Username};
use crate::auth::users;
use crate::store::{Groups, KeyId};

/// Bytes of a key's id, at most. The longest name to sign in with fits.
const KEY_BYTES_MAX: usize = 263;

/// Characters of a note or a reason, at most: the audit log has room for two of them in one record.
const NOTE_CHARACTERS_MAX: usize = 1_000;

/// Hex digits of a handle as logs show it, and as it is listed.
const HANDLE_DIGITS: [usize; 2] = [8, 16];

/// The name or the id of a user. It may be any text but an empty one: ids and names of other systems are kept.
pub(super) fn user(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("the name is empty; vestibule user list shows all".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// A name for an account, by the rule of `--names`.
pub(super) fn new_name(kind: NameKind, text: &str) -> Result<Username, String> {
    let rule = match kind {
        NameKind::Name if Username::new_address(text).is_some() => {
            "a name has 4 to 31 visible characters; --names address takes e-mail addresses of any length"
        }
        NameKind::Name => "a name has 4 to 31 visible characters",
        NameKind::Address => {
            "with --names address a name is an e-mail address, as in anna@example.com"
        }
    };
    kind.for_sign_up(text).ok_or_else(|| rule.to_owned())
}

/// A name that an account may have had.
pub(super) fn old_name(text: &str) -> Result<Username, String> {
    let name = Username::or_address(text);
    name.ok_or_else(|| "a name has 1 to 31 characters, or is an e-mail address".to_owned())
}

/// Groups, separated by commas; none in an empty text.
pub(super) fn groups(text: &str) -> Result<Groups, String> {
    let odd = || text.split(',').map(str::trim).find(|it| users::groups(it).is_none());
    users::groups(text).ok_or_else(|| match odd() {
        Some(name) => format!(
            "{} cannot be a group: its name is 1 to 63 characters of a-z, 0-9, dots, hyphens and underscores",
            printable(name)
        ),
        None => "a user is in a hundred groups at most, with 2,048 characters in all".to_owned(),
    })
}

/// One group.
pub(super) fn group(text: &str) -> Result<String, String> {
    let all = groups(text)?;
    let mut names = all.iter();
    match (names.next(), names.next()) {
        (Some(name), None) => Ok(name.to_owned()),
        _ => Err("write it as in staff, one group".to_owned()),
    }
}

/// The groups of a flag that may be repeated, as one set.
pub(super) fn joined(all: &[Groups]) -> Result<Groups, String> {
    groups(&all.iter().map(Groups::as_str).collect::<Vec<_>>().join(","))
}

/// A key, with its provider and the id there.
pub(super) fn key(text: &str) -> Result<KeyId, String> {
    let id = match text.split_once(':') {
        Some((provider, id)) if !id.is_empty() => KeyId::new(provider, id),
        Some(_) | None => None,
    };
    let fits = |_: &KeyId| text.len() <= KEY_BYTES_MAX && !text.contains(char::is_control);
    id.filter(fits).ok_or_else(|| {
        "a key is provider:id, as github:1234567 or username:anna, of 263 bytes at most".to_owned()
    })
}

/// An e-mail address, or an empty text for none.
pub(super) fn email(text: &str) -> Result<String, String> {
    match text {
        "" => Ok(String::new()),
        text => users::email(text)
            .ok_or_else(|| "write it as in anna@example.com, in ASCII, or '' for none".to_owned()),
    }
}

/// The handle of a session, an access token or an invitation.
pub(super) fn handle(text: &str) -> Result<String, String> {
    hex(text, &HANDLE_DIGITS).ok_or_else(|| {
        "a handle is 16 hex digits as listed, or 8 as in the log and the audit log".to_owned()
    })
}

/// The handle of a passkey.
pub(super) fn passkey(text: &str) -> Result<String, String> {
    hex(text, &HANDLE_DIGITS[..1]).ok_or_else(|| {
        "a passkey has a handle of 8 hex digits; vestibule user passkey list shows it".to_owned()
    })
}

/// Hex digits in lower case, if there are as many as one of these numbers.
fn hex(text: &str, lengths: &[usize]) -> Option<String> {
    let digits = text.trim().to_ascii_lowercase();
    let is_hex = digits.bytes().all(|it| it.is_ascii_hexdigit());
    (is_hex && lengths.contains(&digits.len())).then_some(digits)
}

/// A note, which only operators see.
pub(super) fn note(text: &str) -> Result<String, String> {
    let fits = text.chars().count() <= NOTE_CHARACTERS_MAX;
    fits.then(|| text.to_owned()).ok_or_else(|| "it has at most 1,000 characters".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_handle_as_it_is_listed_and_as_logs_show_it() {
        for (text, expected) in [
            ("0b7e4a65", "0b7e4a65"),
            ("3fa9c1d20b7e4a65", "3fa9c1d20b7e4a65"),
            (" 0B7E4A65 ", "0b7e4a65"),
        ] {
            assert_eq!(handle(text).as_deref(), Ok(expected));
        }
        for text in ["", "xyz", "0b7e4a6", "0b7e4a65f", "0b7e4a6g", "h:0b7e4a65"] {
            assert!(handle(text).unwrap_err().contains("16 hex digits"), "{text}");
        }
    }

    #[test]
    fn reads_the_handle_of_a_passkey_in_its_one_length() {
        assert_eq!(passkey(" 0B7E4A65 ").as_deref(), Ok("0b7e4a65"));
        for text in ["", "0b7e4a6", "0b7e4a6g", "3fa9c1d20b7e4a65"] {
            assert!(passkey(text).unwrap_err().contains("user passkey list"), "{text}");
        }
    }

    #[test]
    fn takes_the_groups_of_a_repeated_flag_for_one_set() {
        let all = [groups("b,a").unwrap(), groups("").unwrap(), groups("a,c").unwrap()];
        assert_eq!(joined(&all).unwrap().as_str(), "a,b,c");
        let many: Vec<_> = (0..101).map(|it| groups(&format!("g{it}")).unwrap()).collect();
        assert!(joined(&many).unwrap_err().contains("a hundred groups"));
    }
}
