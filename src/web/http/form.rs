//! Forms: the fields of a body or of a query string.

use std::borrow::Cow;

use url::form_urlencoded;

use super::Request;
use super::json_fields::{self, JsonPairs};

/// The most fields in a form (the body-parser of Lucia's guide has the same limit).
pub const FIELDS_MAX: usize = 1_000;

/// The fields of a query string, or of a body in either of the two formats.
#[derive(Clone, Copy)]
pub enum Form<'a> {
    /// `application/x-www-form-urlencoded`.
    Encoded(&'a [u8]),
    /// Names and values of a JSON object.
    Json(&'a [(Cow<'a, str>, Cow<'a, str>)]),
}

impl Default for Form<'_> {
    /// A form without fields.
    fn default() -> Self {
        Self::Encoded(b"")
    }
}

impl<'a> Form<'a> {
    fn pairs(self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        let (encoded, json) = match self {
            Self::Encoded(text) => (text, &[][..]),
            Self::Json(fields) => (&[][..], fields),
        };
        let borrowed = |(name, value): &'a (Cow<'a, str>, Cow<'a, str>)| {
            (Cow::Borrowed(name.as_ref()), Cow::Borrowed(value.as_ref()))
        };
        form_urlencoded::parse(encoded).chain(json.iter().map(borrowed))
    }

    /// The names of all fields, in the order in which they were sent.
    pub fn names(&self) -> impl Iterator<Item = Cow<'a, str>> {
        self.pairs().map(|(name, _)| name)
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
        for (given, value) in self.pairs() {
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
    /// It is of another type than the two that are read, is compressed, or its charset is not UTF-8.
    MediaType,
    /// It is said to be JSON, and is not an object whose values are strings and whose names occur once.
    Json,
    /// It has more than [`FIELDS_MAX`] fields.
    TooManyFields,
}

/// The body of a request, as far as it is a form.
pub enum FormBody<'a> {
    /// `application/x-www-form-urlencoded`; empty where there is no body.
    Encoded(&'a [u8]),
    /// `application/json`.
    Json(JsonPairs<'a>),
}

impl FormBody<'_> {
    pub fn fields(&self) -> Form<'_> {
        match self {
            Self::Encoded(text) => Form::Encoded(text),
            Self::Json(fields) => Form::Json(fields),
        }
    }
}

impl Request {
    /// The parameters of the query string: where to go after signing in, and what an operator asks of a
    /// check. They never take the place of a form field.
    pub fn parameters(&self) -> Form<'_> {
        Form::Encoded(self.query.as_bytes())
    }

    /// The form in the body. A request without a body, or without a content type, has a form without fields.
    pub fn form(&self) -> Result<FormBody<'_>, Unreadable> {
        if self.value("content-encoding").is_some() || self.repeats("content-type") {
            return Err(Unreadable::MediaType);
        }
        let mut parts = self.value("content-type").unwrap_or("").split(';').map(str::trim);
        let kind = parts.next().unwrap_or("");
        if kind.is_empty() || self.body.is_empty() {
            return Ok(FormBody::Encoded(b""));
        }
        let is_json = kind.eq_ignore_ascii_case("application/json");
        let is_form = is_json || kind.eq_ignore_ascii_case("application/x-www-form-urlencoded");
        if !is_form || !parts.all(|parameter| is_utf8_charset(parameter).unwrap_or(true)) {
            return Err(Unreadable::MediaType);
        }
        let body = if is_json {
            FormBody::Json(json_fields::parse(&self.body).ok_or(Unreadable::Json)?)
        } else {
            FormBody::Encoded(&self.body)
        };
        let count = match &body {
            FormBody::Encoded(text) => text.split(|&byte| byte == b'&').count(),
            FormBody::Json(fields) => fields.len(),
        };
        if count > FIELDS_MAX { Err(Unreadable::TooManyFields) } else { Ok(body) }
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

    fn field_of(request: &Request, name: &str) -> Result<Option<String>, Unreadable> {
        request.form().map(|body| body.fields().field(name).map(Cow::into_owned))
    }

    fn field(body: &[u8], name: &str) -> Option<String> {
        field_of(&request(&[FORM], body), name).unwrap()
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
    fn reads_an_object_of_json_as_it_reads_a_form() {
        let read = |kind, body: &[u8]| field_of(&request(&[("Content-Type", kind)], body), "a");
        let json = |body: &str| read("application/json", body.as_bytes());
        assert_eq!(
            json("{\"a\":\"1 + 1 = %31 \",\"b\":\"2\"}"),
            Ok(Some("1 + 1 = %31 ".to_owned()))
        );
        assert_eq!(
            read("Application/JSON; Charset=\"UTF-8\"", b"{\"a\":\"1\"}"),
            Ok(Some("1".to_owned()))
        );
        for lacking in ["{}", "{\"b\":\"1\"}", "{\"a[]\":\"1\"}", "{\"a\":\"1\",\"a[0]\":\"2\"}"] {
            assert_eq!(json(lacking), Ok(None), "{lacking}");
        }
        for bad in ["{\"a\":1}", "{\"a\":\"1\",\"a\":\"1\"}", "[]", "a=1"] {
            assert_eq!(json(bad), Err(Unreadable::Json), "{bad}");
        }
        let latin = read("application/json; charset=iso-8859-1", b"{\"a\":\"1\"}");
        assert_eq!(latin, Err(Unreadable::MediaType));
        let many = |count: usize| {
            let fields: Vec<_> = (0..count).map(|it| format!("\"{it}\":\"\"")).collect();
            json(&format!("{{{}}}", fields.join(",")))
        };
        assert_eq!((many(1_000), many(1_001)), (Ok(None), Err(Unreadable::TooManyFields)));
    }

    #[test]
    fn takes_no_other_body_for_a_form() {
        for kind in [
            "text/plain",
            "multipart/form-data; boundary=x",
            "application/x-www-form-urlencoded, application/json",
            "application/vnd.api+json",
            "application/json5",
            "x",
        ] {
            let answer = field_of(&request(&[("Content-Type", kind)], b"a=1"), "a");
            assert_eq!(answer, Err(Unreadable::MediaType), "{kind}");
            let empty = field_of(&request(&[("Content-Type", kind)], b""), "a");
            assert_eq!(empty, Ok(None), "{kind} without a body");
        }
        assert_eq!(field_of(&request(&[], b"a=1"), "a"), Ok(None), "nothing says what it is");
        assert_eq!(field_of(&request(&[("Content-Type", "")], b"a=1"), "a"), Ok(None));
        assert_eq!(field_of(&request(&[("Content-Type", "application/json")], b""), "a"), Ok(None));
    }

    #[test]
    fn reads_utf_8_and_nothing_compressed() {
        let refused = |headers: &[(&str, &str)]| request(headers, b"a=1").form().err();
        let with = |kind| refused(&[("content-type", kind)]);
        assert_eq!(with("Application/X-WWW-Form-Urlencoded; Charset=\"UTF-8\""), None);
        assert_eq!(with("application/x-www-form-urlencoded;charset=utf-8; x=y"), None);
        let latin = with("application/x-www-form-urlencoded; charset=iso-8859-1");
        assert_eq!(latin, Some(Unreadable::MediaType));
        assert_eq!(refused(&[FORM, ("Content-Encoding", "gzip")]), Some(Unreadable::MediaType));
        assert_eq!(refused(&[FORM, FORM]), Some(Unreadable::MediaType));
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
            if let Some(value) = field_of(&request, "a").unwrap() {
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
