//! Requests and responses as plain values.
//!
//! Decides how bytes from outside become values, and refuses what can be parsed in two ways. Knows no route,
//! no user and no socket.

mod cookie;
mod form;
mod json_fields;
mod request;
mod response;

pub use cookie::{Cookie, CookieKind, SESSION_COOKIES, session_cookie};
pub use form::{FIELDS_MAX, Form, FormBody, Unreadable};
pub use request::{BODY_BYTES_MAX, Method, Problem, Request, Wants};
pub use response::{Note, Response, STATUSES, status_number};

/// A POST with these headers and this body.
#[cfg(test)]
fn request(headers: &[(&str, &str)], body: &[u8]) -> Request {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Request {
        method: Method::Post,
        path: "/login".to_owned(),
        query: String::new(),
        headers: headers.iter().map(owned).collect(),
        body: body.to_vec(),
        peer: None,
    }
}
