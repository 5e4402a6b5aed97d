//! The fields of a JSON object, as a script sends a form.
//!
//! Decides what counts as one: an object whose values are all strings and whose names occur once. JSON parsers
//! disagree on repeated names (RFC 8259 § 4), and a number or a nested value is no field of any form. Pure.

use std::borrow::Cow;
use std::fmt;

use serde_core::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// Names and values, in the order in which they were sent.
pub(super) type JsonPairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The fields of an object. `None`: the text is not JSON, or another kind of value.
pub(super) fn parse(text: &[u8]) -> Option<JsonPairs<'_>> {
    serde_json::from_slice::<JsonObject<'_>>(text).ok().map(|it| it.0)
}

struct JsonObject<'a>(JsonPairs<'a>);

impl<'de> Deserialize<'de> for JsonObject<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfMap;
        impl<'de> Visitor<'de> for OfMap {
            type Value = JsonObject<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                let mut names = std::collections::HashSet::new();
                while let Some((JsonString(name), JsonString(value))) = map.next_entry()? {
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom("a name occurs twice"));
                    }
                    fields.push((name, value));
                }
                Ok(JsonObject(fields))
            }
        }
        deserializer.deserialize_map(OfMap)
    }
}

/// A string, borrowed from the body where it has no escapes.
struct JsonString<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for JsonString<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfString;
        impl<'de> Visitor<'de> for OfString {
            type Value = JsonString<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(JsonString(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(JsonString(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(OfString)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &[u8]) -> Option<Vec<(String, String)>> {
        let owned = |(name, value): (Cow<'_, str>, Cow<'_, str>)| (name.into(), value.into());
        parse(text).map(|fields| fields.into_iter().map(owned).collect())
    }

    #[test]
    fn reads_an_object_of_strings() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(pairs(b"{}"), Some(vec![]));
        assert_eq!(
            pairs(" {\"a\": \"ä\\u00e4\\n\",\"b\":\"\"}\r\n".as_bytes()),
            Some(vec![pair("a", "ää\n"), pair("b", "")])
        );
    }

    #[test]
    fn reads_nothing_else() {
        let deep = [b"{\"a\":".to_vec(), vec![b'['; 100_000]].concat();
        for bad in [
            &b""[..],
            b"null",
            b"[]",
            b"\"a\"",
            b"1",
            b"a=1",
            b"{\"a\":1}",
            b"{\"a\":true}",
            b"{\"a\":null}",
            b"{\"a\":{\"b\":\"c\"}}",
            b"{\"a\":[\"b\"]}",
            b"{\"a\":\"1\",\"a\":\"1\"}",
            b"{\"a\":\"1\",\"\\u0061\":\"2\"}",
            b"{\"a\":\"1\"} {}",
            b"{\"a\":\"1\"}x",
            b"{\"a\":\"1\",}",
            b"{a:\"1\"}",
            b"{'a':'1'}",
            b"{\"a\":\"1\"",
            b"{\"a\":\"\xff\"}",
            b"{\"\xc3\":\"\"}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":\"\n\"}",
            b"\xef\xbb\xbf{\"a\":\"1\"}",
            b"{\"a\":\"1\"/**/}",
            &deep,
        ] {
            assert_eq!(pairs(bad), None, "{}", String::from_utf8_lossy(&bad[..bad.len().min(40)]));
        }
    }

    proptest! {
        #[test]
        fn reads_back_every_text(fields in prop::collection::btree_map(any::<String>(), any::<String>(), 0..6)) {
            let text = serde_json::to_vec(&fields).unwrap();
            prop_assert_eq!(pairs(&text), Some(fields.into_iter().collect()));
        }

        #[test]
        fn survives_any_body(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body);
        }
    }
}
