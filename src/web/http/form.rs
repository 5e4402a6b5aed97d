//! Forms: the fields of a body or of a query string.

use std::borrow::Cow;

use url::form_urlencoded;

use super::Request;

/// The most fields in a form (likewise).
pub const FIELDS_MAX: usize = 1_000;

/// The fields of an `application/x-www-form-urlencoded` text: a body, or a query string.
#[derive(Clone, Copy, Default)]
pub struct Form<'a> {
    text: &'a [u8],
}

impl<'a> Form<'a> {
    /// The names of all fields, in the order in which they were sent.
    pub fn names(&self) -> impl Iterator<Item = Cow<'a, str>> {
        form_urlencoded::parse(self.text).map(|(name, _)| name)
    }

    /// Whether there is a field of this name, even one that [`Form::field`] refuses.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|given| given == name)
    }

    /// The value of a field. `None` if the field is missing, comes twice, comes with brackets
    /// (`name[]=`, which other servers read as a list), or is not UTF-8.
    ///
    /// A value with U+FFFD counts as not UTF-8: the parser replaces invalid bytes by that character,
    /// which would make two different passwords equal.
    pub fn field(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut found = None;
        for (given, value) in form_urlencoded::parse(self.text) {
            if given
                .strip_prefix(name)
                .is_none_or(|rest| !matches!(rest.as_bytes(), [] | [b'[', ..]))
            {
                continue;
            }
            if found.is_some() || given != name {
                return None;
            }
            found = Some(value);
        }
        found.filter(|value| !value.contains(char::REPLACEMENT_CHARACTER))
    }
}

/// Why a body is not read as a form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// It is compressed, or its charset is not UTF-8.
    Encoding,
    /// It has more than [`FIELDS_MAX`] fields.
    TooManyFields,
}

impl Request {
    /// The parameters of the query string: where to go after signing in, and what an operator asks of a
    /// check. They never take the place of a form field.
    pub fn parameters(&self) -> Form<'_> {
        Form { text: self.query.as_bytes() }
    }

    /// The form in the body. A body of another content type counts as a form without fields, as no other
    /// kind is ever read.
    pub fn form(&self) -> Result<Form<'_>, Unreadable> {
        if self.value("content-encoding").is_some() || self.repeats("content-type") {
            return Err(Unreadable::Encoding);
        }
        let mut parts = self.value("content-type").unwrap_or("").split(';').map(str::trim);
        let kind = parts.next().unwrap_or("");
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Ok(Form { text: b"" });
        }
        if !parts.all(|parameter| is_utf8_charset(parameter).unwrap_or(true)) {
            return Err(Unreadable::Encoding);
        }
        if self.body.split(|&byte| byte == b'&').nth(FIELDS_MAX).is_some() {
            return Err(Unreadable::TooManyFields);
        }
        Ok(Form { text: &self.body })
    }
}

/// Whether a content type's parameter names the charset UTF-8; `None` if it is not a charset.
fn is_utf8_charset(parameter: &str) -> Option<bool> {
    let (name, value) = parameter.split_once('=')?;
    let is_charset = name.trim().eq_ignore_ascii_case("charset");
    is_charset.then(|| value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"))
}

#[cfg(test)]
mod tests {
    use super::super::request;
    use super::*;
    use proptest::prelude::*;

    const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

    fn field(body: &[u8], name: &str) -> Option<String> {
        request(&[FORM], body).form().unwrap().field(name).map(Cow::into_owned)
    }

    #[test]
    fn reads_fields_as_browsers_and_curl_write_them() {
        let body = b"username=ann+onym&password=%C3%A4%20%2B%26&empty=";
        assert_eq!(field(body, "username").as_deref(), Some("ann onym"));
        assert_eq!(field(body, "password").as_deref(), Some("ä +&"));
        assert_eq!(field(body, "empty").as_deref(), Some(""));
        assert_eq!(field(body, "missing"), None);
        assert_eq!(field(b"a=1;b=2", "a").as_deref(), Some("1;b=2"));
        assert_eq!(field(b"a=1=2", "a").as_deref(), Some("1=2"));
        assert_eq!(field(b"user%6Eame=x", "username").as_deref(), Some("x"));
    }

    #[test]
    fn keeps_a_percent_sign_that_encodes_nothing() {
        assert_eq!(field(b"p=100%", "p").as_deref(), Some("100%"));
        assert_eq!(field(b"p=%zzz", "p").as_deref(), Some("%zzz"));
    }

    #[test]
    fn reads_no_field_that_comes_twice_or_with_brackets() {
        for body in ["a=1&a=1", "a=1&a[]=2", "a[]=1", "a[0]=1", "a[b]=1", "a%5B%5D=1", "a=1&%61=2"]
        {
            assert_eq!(field(body.as_bytes(), "a"), None, "{body}");
        }
        assert_eq!(field(b"a=1&ab=2&b[a]=3", "a").as_deref(), Some("1"));
    }

    #[test]
    fn reads_no_field_that_is_not_utf_8() {
        for body in
            [&b"p=%ff%ff%ff%ff%ff%ff"[..], b"p=\xff\xfe", b"p=%C3", b"p=%ED%A0%80", b"p=%EF%BF%BD"]
        {
            assert_eq!(field(body, "p"), None, "{body:?}");
        }
        assert_eq!(field(b"%ff=1&p=2", "p").as_deref(), Some("2"), "another field's trouble");
    }

    #[test]
    fn takes_no_other_body_for_a_form() {
        for kind in ["application/json", "text/plain", "multipart/form-data; boundary=x", ""] {
            let request = request(&[("Content-Type", kind)], b"username=ann");
            assert!(request.form().unwrap().field("username").is_none(), "{kind}");
        }
        assert!(request(&[], b"username=ann").form().unwrap().field("username").is_none());
    }

    #[test]
    fn reads_utf_8_and_nothing_compressed() {
        let refused = |headers: &[(&str, &str)]| request(headers, b"a=1").form().err();
        let with = |kind| refused(&[("content-type", kind)]);
        assert_eq!(with("Application/X-WWW-Form-Urlencoded; Charset=\"UTF-8\""), None);
        assert_eq!(with("application/x-www-form-urlencoded;charset=utf-8; x=y"), None);
        let latin = with("application/x-www-form-urlencoded; charset=iso-8859-1");
        assert_eq!(latin, Some(Unreadable::Encoding));
        assert_eq!(refused(&[FORM, ("Content-Encoding", "gzip")]), Some(Unreadable::Encoding));
        assert_eq!(refused(&[FORM, FORM]), Some(Unreadable::Encoding));
    }

    #[test]
    fn reads_a_thousand_fields_and_no_more() {
        let body = |count: usize| vec!["a=1"; count].join("&").into_bytes();
        assert!(request(&[FORM], &body(1_000)).form().is_ok());
        let refused = request(&[FORM], &body(1_001)).form().err();
        assert_eq!(refused, Some(Unreadable::TooManyFields));
    }

    proptest! {
        #[test]
        fn reads_back_every_text_that_is_encoded(name in "[a-z_]{1,8}", value in any::<String>()) {
            prop_assume!(!value.contains(char::REPLACEMENT_CHARACTER));
            let mut body = form_urlencoded::Serializer::new(String::new());
            let body = body.append_pair("other", "x").append_pair(&name, &value).finish();
            prop_assume!(name != "other");
            prop_assert_eq!(field(body.as_bytes(), &name), Some(value));
        }

        #[test]
        fn survives_any_body(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let request = request(&[FORM], &body);
            let value = request.form().unwrap().field("a");
            if let Some(value) = value {
                prop_assert!(!value.contains(char::REPLACEMENT_CHARACTER));
            }
        }

        #[test]
        fn reads_one_field_as_the_standard_says(body in "[ab=&%+\\[\\]0-9]{0,40}") {
            let named: Vec<_> = form_urlencoded::parse(body.as_bytes())
                .filter(|(name, _)| name == "a" || name.starts_with("a["))
                .collect();
            let expected = match &named[..] {
                [(name, value)] if name == "a" => Some(value.to_string()),
                _ => None,
            };
            let expected = expected.filter(|it| !it.contains(char::REPLACEMENT_CHARACTER));
            prop_assert_eq!(field(body.as_bytes(), "a"), expected);
        }
    }
}
