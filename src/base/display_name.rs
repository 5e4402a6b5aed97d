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

/// As much of a text of another system as can be a name: control characters become blanks, and what is too long is cut.
/// `None` if nothing is left.
pub fn fitted(text: &str) -> Option<String> {
    let shown = text.replace(char::is_control, " ");
    let mut units = 0;
    let fits = |it: &char| {
        units += it.len_utf16();
        units <= UNITS_MAX
    };
    let kept: String = shown.trim().chars().take_while(fits).collect();
    display_name(&kept).map(str::to_owned)
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

    #[test]
    fn makes_a_name_of_what_another_system_has_for_one() {
        let long = "x".repeat(59) + "🔑🔑";
        for (text, name) in [
            (" backup ", Some("backup")),
            ("a\nb\u{0}", Some("a b")),
            (&*long, Some(&long[..59])),
            ("\n", None),
            ("", None),
        ] {
            assert_eq!(fitted(text).as_deref(), name, "{text:?}");
        }
    }
}
