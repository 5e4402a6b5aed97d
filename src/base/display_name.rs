//! Names that users give to what they have several of, as access tokens and passkeys, to recognise each.

/// The longest name, in UTF-16 units.
const UNITS_MAX: usize = 60;

/// The name that `typed` stands for: 1 to 60 UTF-16 units without control characters or white space at either end.
/// `None` if it stands for none.
pub fn display_name(typed: &str) -> Option<&str> {
    let name = typed.trim();
    let is_good = (1..=UNITS_MAX).contains(&name.encode_utf16().count())
        && !name.chars().any(char::is_control);
    is_good.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_that_can_be_shown() {
        assert_eq!(display_name(" backup of the wiki "), Some("backup of the wiki"));
        for bad in ["", "  ", "a\nb", &"x".repeat(61)] {
            assert_eq!(display_name(bad), None, "{bad:?}");
        }
    }
}
