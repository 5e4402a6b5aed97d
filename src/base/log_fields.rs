//! Fields as a line of the log and a record of the audit log have them: `name=value`, with a space between.
//!
//! Decides how a value is written, so that an event stays one line whatever it contains.

use std::fmt::Write as _;

/// The longest value, in characters.
const VALUE_CHARS_MAX: usize = 256;

/// These fields, with a space between them.
pub fn text(fields: &[(&str, &str)]) -> String {
    let mut text = String::new();
    append(&mut text, fields);
    text.split_off(text.len().min(1))
}

/// Appends fields, each with a space before it.
pub fn append(text: &mut String, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        text.push(' ');
        text.push_str(name);
        text.push('=');
        push_value(text, value);
    }
}

/// Writes a value unambiguously: in quotes where needed, with everything but visible ASCII escaped, and cut
/// if it is long. An event stays one line whatever it contains.
fn push_value(line: &mut String, value: &str) {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
    if !value.is_empty() && value.len() <= VALUE_CHARS_MAX && value.bytes().all(is_plain) {
        line.push_str(value);
        return;
    }
    line.push('"');
    for character in value.chars().take(VALUE_CHARS_MAX) {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            ' '..='~' => line.push(character),
            other => write!(line, "\\u{{{:x}}}", u32::from(other)).expect("a String takes all"),
        }
    }
    if value.chars().nth(VALUE_CHARS_MAX).is_some() {
        line.push_str("...");
    }
    line.push('"');
}

/// The fields in a text that [`text`] has made, with their values as they were. One that was too long is cut.
pub fn read(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some((name, value)) = rest.split_once('=') {
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => value
                .split_once(' ')
                .map_or((value.to_owned(), ""), |(value, after)| (value.to_owned(), after)),
        };
        found.push((name.to_owned(), value));
        rest = after.trim_start();
    }
    found
}

/// The text up to the next quotation mark that is not escaped, and what follows that.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 'r')) => value.push('\r'),
                Some((_, 't')) => value.push('\t'),
                Some((_, 'u')) => {
                    let code: String = characters
                        .by_ref()
                        .map(|(_, it)| it)
                        .skip_while(|it| *it == '{')
                        .take_while(|it| *it != '}')
                        .collect();
                    let code = u32::from_str_radix(&code, 16).ok();
                    value.extend(code.and_then(char::from_u32));
                }
                Some((_, escaped)) => value.push(escaped),
                None => {}
            },
            character => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str) -> String {
        let mut line = String::new();
        push_value(&mut line, text);
        line
    }

    #[test]
    fn lets_no_value_forge_a_line_or_a_field() {
        assert_eq!(value("plain-/._~"), "plain-/._~");
        assert_eq!(value(""), "\"\"");
        assert_eq!(value("a b"), "\"a b\"");
        assert_eq!(value("x ev=login_ok"), "\"x ev=login_ok\"");
        assert_eq!(value("x\nts=0 ev=login_ok"), "\"x\\nts=0 ev=login_ok\"");
        assert_eq!(value("\"\\\r\t"), "\"\\\"\\\\\\r\\t\"");
        assert_eq!(value("é\u{1b}[2J\u{202e}"), "\"\\u{e9}\\u{1b}[2J\\u{202e}\"");
        assert_eq!(value(&"x".repeat(300)), format!("\"{}...\"", "x".repeat(256)));
    }

    proptest! {
        #[test]
        fn keeps_every_value_on_its_line_in_visible_ascii(text in any::<String>()) {
            prop_assert!(value(&text).bytes().all(|byte| matches!(byte, b' '..=b'~')));
        }
    }

    #[test]
    fn reads_fields_as_they_are_written() {
        for (detail, expected) in [
            ("browser=curl", &[("browser", "curl")][..]),
            (
                "reason=bad_credentials browser=\"Firefox on Linux\" name=h:1",
                &[("reason", "bad_credentials"), ("browser", "Firefox on Linux"), ("name", "h:1")],
            ),
            ("name=x browser=\"\"", &[("name", "x"), ("browser", "")]),
            (
                r#"name="zo\u{eb} \"x\" browser=\\ \n\u{5c71}" to=b"#,
                &[("name", "zo\u{eb} \"x\" browser=\\ \n\u{5c71}"), ("to", "b")],
            ),
            (r#"name="cut"#, &[("name", "cut")]),
            (r#"name="cut\"#, &[("name", "cut")]),
            (r#"name="\u{zz}x"#, &[("name", "x")]),
            ("", &[]),
            ("no field", &[]),
        ] {
            let found = read(detail);
            let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(found, expected, "{detail}");
        }
    }
}
