//! Handles of names: keyed hashes that stand for names in both logs, as records outlive the accounts.

use crate::base::canonical_name::canonical;
use crate::base::{log_fields, token};

/// The provider of sign-in names, as it begins the key of a record about one.
const SIGN_IN_NAME: &str = "username:";

/// The handle of a name in canonical form: it can be looked for, and not be read.
pub(super) fn name_handle(key: &[u8; 32], canonical: &str) -> String {
    format!("h:{}", token::keyed_handle(key, canonical))
}

/// The numbers and the fields of records of events that held names before schema 11. Parameters: the number
/// after which to begin, and how many records to return.
pub(super) const OLD_RECORDS: &str = "SELECT id, detail FROM audit
      WHERE id > ? AND event IN ('signup_ok', 'account_delete', 'user_add', 'user_delete', 'user_rename',
                                 'user_free', 'user_key_add', 'user_key_remove')
      ORDER BY id LIMIT ?";

/// The numbers and the fields of records about a user that hold names for as long as the user exists. Parameter:
/// the id of the user.
pub(super) const RECORDS_OF_USER: &str = "SELECT id, detail FROM audit
      WHERE user_id = ? AND event IN ('user_rename', 'user_key_add', 'user_key_remove')";

/// The fields of a record that [`OLD_RECORDS`] or [`RECORDS_OF_USER`] returns, with handles in the place of names;
/// `None`: they hold no name.
// LIMIT: a name that reads like a handle stays as it is, as the upgrade of a server's tables may be repeated.
pub(super) fn with_handles(key: &[u8; 32], detail: &str) -> Option<String> {
    let handle = |name: &str| {
        let is_handle = name.strip_prefix("h:").is_some_and(|digits| {
            digits.len() == 8 && digits.bytes().all(|it| it.is_ascii_hexdigit())
        });
        (!is_handle).then(|| name_handle(key, &canonical(name)))
    };
    let hashed = |name: &str, value: &str| match name {
        "name" | "from" | "to" => handle(value),
        "key" => Some(format!("{SIGN_IN_NAME}{}", handle(value.strip_prefix(SIGN_IN_NAME)?)?)),
        _ => None,
    };
    let mut fields = log_fields::read(detail);
    let mut has_names = false;
    for (name, value) in &mut fields {
        if let Some(handle) = hashed(name, value) {
            *value = handle;
            has_names = true;
        }
    }
    let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    has_names.then(|| log_fields::text(&fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_handles_in_the_place_of_names_alone() {
        let key = [7; 32];
        let of = |name: &str| name_handle(&key, name);
        for (detail, expected) in [
            (
                "name=Anna groups=\"a,b\" password=yes by=anna",
                format!("name={} groups=a,b password=yes by=anna", of("anna")),
            ),
            (
                r#"from="Zo\u{eb} x" to=bob by=root"#,
                format!("from={} to={} by=root", of("zo\u{eb} x"), of("bob")),
            ),
            ("key=username:anna by=root", format!("key=username:{} by=root", of("anna"))),
        ] {
            assert_eq!(with_handles(&key, detail), Some(expected), "{detail}");
        }
        let done = format!("name={} browser=\"Firefox on Linux\"", of("anna"));
        for detail in ["", "key=github:1 by=root", "invite=1 browser=curl", &done] {
            assert_eq!(with_handles(&key, detail), None, "{detail}");
        }
    }
}
