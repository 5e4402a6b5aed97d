//! Fields as a line of the log and a record of the audit log have them: `name=value`, with a space between (logfmt); and
//! as a line of the log has them in JSON.
//!
//! Decides how a value is written, so that an event stays one line of visible ASCII whatever it contains: no client can
//! end a line, forge a field, or send escapes to the terminal of an operator who reads the log.

use std::fmt::Write as _;

/// The longest value that a client may have caused, in characters.
pub const VALUE_CHARS_MAX: usize = 256;

/// These fields, with a space between them.
pub fn text(fields: &[(&str, &str)]) -> String {
    let mut text = String::new();
    append(&mut text, fields, VALUE_CHARS_MAX);
    text.split_off(text.len().min(1))
}

/// Appends fields, each with a space before it. Values with more characters than `most` are cut.
pub fn append(text: &mut String, fields: &[(&str, &str)], most: usize) {
    for (name, value) in fields {
        text.push(' ');
        text.push_str(name);
        text.push('=');
        push_value(text, value, most);
    }
}

/// Appends fields to an object in JSON, each with a comma before it. The value of a field is a number if `is_number`
/// says so of its name, and a text in every other case, whatever it looks like; with more characters than `most` it is
/// cut. The names are not escaped.
pub fn append_json(
    text: &mut String,
    fields: &[(&str, &str)],
    most: usize,
    is_number: impl Fn(&str) -> bool,
) {
    for (name, value) in fields {
        text.push_str(",\"");
        text.push_str(name);
        text.push_str("\":");
        if is_whole(value) && is_number(name) {
            text.push_str(value);
        } else {
            push_json(text, value, most);
        }
    }
}

/// Whether this is a whole number as JSON writes it.
fn is_whole(text: &str) -> bool {
    let is_digits = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    is_digits && (text == "0" || !text.starts_with('0'))
}

/// Writes a text in quotes, with everything but visible ASCII escaped, and cut if it is long.
fn push_json(line: &mut String, value: &str, most: usize) {
    line.push('"');
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if value.len() <= most && value.bytes().all(is_plain) {
        line.push_str(value);
        line.push('"');
        return;
    }
    for character in value.chars().take(most) {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            ' '..='~' => line.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    write!(line, "\\u{unit:04x}").expect("a String takes all");
                }
            }
        }
    }
    push_cut(line, value, most);
    line.push('"');
}

/// Shows that a value is longer than what was written of it.
fn push_cut(line: &mut String, value: &str, most: usize) {
    if value.chars().nth(most).is_some() {
        line.push_str("...");
    }
}

/// Writes a value unambiguously: in quotes where needed, with everything but visible ASCII escaped, and cut
/// if it is long.
fn push_value(line: &mut String, value: &str, most: usize) {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
    if !value.is_empty() && value.len() <= most && value.bytes().all(is_plain) {
        line.push_str(value);
        return;
    }
    line.push('"');
    for character in value.chars().take(most) {
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
    push_cut(line, value, most);
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
        push_value(&mut line, text, VALUE_CHARS_MAX);
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

    fn json(fields: &[(&str, &str)]) -> String {
        let mut line = "{\"ev\":\"x\"".to_owned();
        append_json(&mut line, fields, VALUE_CHARS_MAX, |name| name == "count");
        line + "}"
    }

    #[test]
    fn writes_in_json_what_every_parser_reads_as_one_object_of_one_line() {
        for (text, expected) in [
            ("plain-/._~<>&'", r#""plain-/._~<>&'""#),
            ("", r#""""#),
            ("x\",\"ev\":\"login_ok", r#""x\",\"ev\":\"login_ok""#),
            ("x\\\",\"ip\":\"6.6.6.6", r#""x\\\",\"ip\":\"6.6.6.6""#),
            ("a\r\nb\tc\0", r#""a\r\nb\tc\u0000""#),
            ("\u{1b}[2J\u{7f}\u{9b}31m", r#""\u001b[2J\u007f\u009b31m""#),
            ("\u{2028}\u{2029}\u{202e}\u{feff}", r#""\u2028\u2029\u202e\ufeff""#),
            ("zo\u{eb} \u{fffd} \u{1f600}", r#""zo\u00eb \ufffd \ud83d\ude00""#),
        ] {
            let line = json(&[("a", text)]);
            assert_eq!(line, format!(r#"{{"ev":"x","a":{expected}}}"#));
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(read["a"], text);
        }
    }

    #[test]
    fn lets_the_name_of_a_field_decide_whether_it_is_a_number_in_json() {
        for (name, value, expected) in [
            ("count", "0", "0"),
            ("count", "18446744073709551615", "18446744073709551615"),
            ("uid", "12345", r#""12345""#),
            ("name", "1e3", r#""1e3""#),
            ("user", "true", r#""true""#),
            ("user", "null", r#""null""#),
            ("count", "-", r#""-""#),
            ("count", "", r#""""#),
            ("count", "007", r#""007""#),
            ("count", "1,\"ev\":2", r#""1,\"ev\":2""#),
            ("count", "\u{664}", r#""\u0664""#),
        ] {
            assert_eq!(json(&[(name, value)]), format!(r#"{{"ev":"x","{name}":{expected}}}"#));
        }
    }

    proptest! {
        #[test]
        fn says_the_same_in_both_formats(one in any::<String>(), other in ".{0,600}") {
            let fields = [("one", &*one), ("other", &*other)];
            let line = json(&fields);
            prop_assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            let object: serde_json::Value = serde_json::from_str(&line).unwrap();
            let read = read(&text(&fields));
            prop_assert_eq!(read.len(), 2);
            for (name, value) in read {
                prop_assert_eq!(object[&*name].as_str(), Some(&*value));
            }
        }

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
