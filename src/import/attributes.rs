//! What else is known of somebody, as an object in JSON.
//!
//! Decides what is nothing to be kept there.

use serde_json::{Map, Value};

/// The object; empty if there is nothing in it.
pub(super) fn object(all: impl Iterator<Item = (String, Value)>) -> String {
    let object: Map<_, _> = all.collect();
    if object.is_empty() { String::new() } else { Value::Object(object).to_string() }
}

/// Whether a column of this name holds what apps that ask the database must not read.
pub(super) fn is_secret(column: &str) -> bool {
    let column = column.to_ascii_lowercase();
    ["password", "passwd", "secret"].iter().any(|it| column.contains(it))
}

/// What is noted of such columns.
pub(super) const SECRETS: &str = "columns of passwords or secrets, left behind";
