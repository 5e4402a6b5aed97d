//! Requests and responses as plain values: cookies, form fields, headers.
//!
//! Decides how bytes from outside become values, and refuses what can be read in two ways. Knows
//! no route, no user and no socket.

use std::borrow::Cow;
use std::net::IpAddr;

use url::form_urlencoded;

use crate::auth::events::Event;
use crate::base::clock::Moment;

/// The most bytes in a body (the body-parser of Lucia's guide has the same limit).
pub const BODY_BYTES_MAX: usize = 102_400;

/// The most fields in a form (likewise).
pub const FIELDS_MAX: usize = 1_000;

/// The method of a request, as far as routes distinguish them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    Get,
    /// HEAD: the response to GET without its body.
    Head,
    /// POST: the only method that changes anything.
    Post,
    /// OPTIONS: which methods the path supports.
    Options,
    /// Any other method. No route supports it.
    Other,
}

impl Method {
    /// Reads a method; names are case-sensitive (RFC 9110 § 9.1).
    pub fn parse(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }

    /// Whether a request with it changes nothing (RFC 9110 § 9.2.1).
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options)
    }
}

/// A request that has arrived completely. Its body may hold a password, so it has no `Debug`.
#[derive(Clone)]
pub struct Request {
    pub method: Method,
    /// The target up to its question mark, as sent. Nothing is decoded or normalised, so that no two
    /// spellings are the same path.
    pub path: String,
    /// The query string, as sent and without its question mark; empty if there is none.
    pub query: String,
    /// Header names and values in the order in which they were sent.
    pub headers: Vec<(String, String)>,
    /// The body, never more than [`BODY_BYTES_MAX`] bytes.
    pub body: Vec<u8>,
    /// The address of the connection, be it a proxy's; `None` on a Unix socket.
    pub peer: Option<IpAddr>,
}

impl Request {
    /// All values of a header; names are compared without regard to case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a header, or `None` if the request does not have it.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether the request has the header more than once.
    pub fn repeats(&self, name: &str) -> bool {
        self.values(name).nth(1).is_some()
    }

    /// The representation that the client asks for: a page if `Accept` names `text/html`, else JSON if
    /// it names `application/json`. With `*/*`, or without `Accept`, it gets plain text.
    pub fn wants(&self) -> Wants {
        if self.accepts("text/html") {
            Wants::Html
        } else if self.accepts("application/json") {
            Wants::Json
        } else {
            Wants::Text
        }
    }

    fn accepts(&self, kind: &str) -> bool {
        self.values("accept").flat_map(|value| value.split(',')).any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let names = parts.next().is_some_and(|it| it.eq_ignore_ascii_case(kind));
            let refused = |it: &str| matches!(it, "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
            names && !parts.any(refused)
        })
    }

    /// What the request presents as the cookie of this name.
    pub fn cookie(&self, name: &str) -> Cookie<'_> {
        let mut found = Cookie::Absent;
        for pair in self.values("cookie").flat_map(|value| value.split(';')) {
            let Some((given, value)) = pair.split_once('=') else { continue };
            if given.trim_matches([' ', '\t']) != name {
                continue;
            }
            let value = value.trim_matches([' ', '\t']);
            found = match found {
                Cookie::Absent => Cookie::Value(value),
                Cookie::Value(other) if other == value => found,
                Cookie::Value(_) | Cookie::Ambiguous => Cookie::Ambiguous,
            };
        }
        found
    }

    /// The token of an `Authorization: Bearer` header (RFC 6750 § 2.1). `None` if there is no such
    /// header, or more than one.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.value("authorization")?.split_once(' ')?;
        let is_bearer = scheme.eq_ignore_ascii_case("bearer") && !self.repeats("authorization");
        is_bearer.then(|| token.trim())
    }

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

/// The representation of a response that a client asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wants {
    Html,
    Json,
    /// One sentence of plain text.
    Text,
}

/// What a request presents under the name of a cookie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cookie<'a> {
    Absent,
    /// One value, perhaps several times.
    Value(&'a str),
    /// Several different values. Another host of the domain can add a cookie but not remove ours, so
    /// picking one of them might pick the attacker's.
    Ambiguous,
}

/// Why a body is not read as a form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// It is compressed, or its charset is not UTF-8.
    Encoding,
    /// It has more than [`FIELDS_MAX`] fields.
    TooManyFields,
}

/// Why a request is answered without reaching a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// It is malformed, or could be parsed in more than one way.
    Malformed,
    /// It did not arrive completely in time.
    TooSlow,
    /// Its body has more than [`BODY_BYTES_MAX`] bytes.
    TooLarge,
    /// Its target is too long.
    TargetTooLong,
    /// Its `Expect` header asks for something else than `100-continue`.
    Expectation,
    /// Its head is too long, or has too many fields.
    HeadTooLarge,
    /// Its version of HTTP is not supported.
    Version,
    /// The server is overloaded, or the worker that had the request is gone; it may be sent again.
    Busy,
    /// A bug of ours: the handler panicked.
    Failed,
}

impl Problem {
    /// What the log says about a request with this problem.
    pub const fn event(self) -> Event {
        match self {
            Self::Busy => Event::Overload,
            Self::Failed => Event::Panic,
            Self::Malformed
            | Self::TooSlow
            | Self::TooLarge
            | Self::TargetTooLong
            | Self::Expectation
            | Self::HeadTooLarge
            | Self::Version => Event::BadRequest,
        }
    }
}

/// The fields of an `application/x-www-form-urlencoded` text: a body, or a query string.
#[derive(Clone, Copy)]
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

/// A response, before it is framed for a connection.
pub struct Response {
    pub status: u16,
    /// Header names and values, without `Date` and `Content-Length`.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body; for a HEAD request the one that GET would have.
    pub body: Cow<'static, [u8]>,
    /// What the log says about it.
    pub note: Note,
}

impl Response {
    /// A response that is a page in HTML.
    pub fn html(status: u16, page: maud::Markup) -> Self {
        Self::new(status, "text/html; charset=utf-8", page.into_string().into_bytes().into())
    }

    /// A response of plain text.
    pub fn text(status: u16, sentence: impl Into<Cow<'static, str>>) -> Self {
        let body = match sentence.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    /// A response of JSON with this status.
    pub fn json(status: u16, data: &serde_json::Value) -> Self {
        Self::new(status, "application/json", data.to_string().into_bytes().into())
    }

    /// A static file, the same for every client.
    pub fn file(kind: &'static str, content: impl Into<Cow<'static, [u8]>>) -> Self {
        Self::new(200, kind, content.into())
    }

    /// A redirect (302) to an address that the browser then gets.
    pub fn redirect(address: impl Into<Cow<'static, str>>) -> Self {
        Self::text(302, "").with("Location", address)
    }

    /// The response after a panic. It is built without any of the code that may have panicked.
    pub fn after_panic() -> Self {
        let answer = Self::text(500, "An unknown error occurred").with("Cache-Control", "no-store");
        answer.noting(Note::of(Event::Panic))
    }

    /// Adds a header to the response.
    ///
    /// Panics if the value holds anything but visible ASCII and spaces: it could end the header
    /// and begin another (response splitting), and a header of ours never needs it.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        let value = value.into();
        assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "a header of ours is ASCII");
        self.headers.push((name, value));
        self
    }

    /// Sets what the log says about the response.
    #[must_use]
    pub fn noting(mut self, note: Note) -> Self {
        self.note = note;
        self
    }

    /// Sets what the log says, unless it is set already.
    #[must_use]
    pub fn noting_if_plain(self, note: Note) -> Self {
        if self.note == Note::default() { self.noting(note) } else { self }
    }

    /// The first value of a header, or `None` if the response does not have it.
    pub fn value(&self, name: &str) -> Option<&str> {
        let named = |(given, _): &&(&str, _)| given.eq_ignore_ascii_case(name);
        self.headers.iter().find(named).map(|(_, value)| value.as_ref())
    }

    /// The response as bytes; with `is_to_head` only its head. It has no `Connection` header: that is
    /// up to the owner of the connection.
    pub fn write(&self, is_to_head: bool, now: Moment) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1_024 + self.body.len());
        let mut push = |parts: &[&str]| {
            for part in parts {
                bytes.extend_from_slice(part.as_bytes());
            }
        };
        let status = self.status.to_string();
        push(&["HTTP/1.1 ", &status, " ", reason(self.status)]);
        push(&["\r\nDate: ", &httpdate::fmt_http_date(now.into())]);
        push(&["\r\nContent-Length: ", &self.body.len().to_string(), "\r\n"]);
        for (name, value) in &self.headers {
            push(&[name, ": ", value, "\r\n"]);
        }
        push(&["\r\n"]);
        if !is_to_head {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }

    fn new(status: u16, kind: &'static str, body: Cow<'static, [u8]>) -> Self {
        // Room for the headers that every response has.
        let mut headers = Vec::with_capacity(16);
        headers.push(("Content-Type", kind.into()));
        Self { status, headers, body, note: Note::default() }
    }
}

/// The reason phrase of a status code (RFC 9110 § 15, RFC 6585). Clients ignore it.
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// What the log says about a response: an event and its fields. Never a password, a token, a cookie, a
/// body, or a username that does not exist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// The event, as in `login_fail`.
    pub event: Event,
    /// Field names and values. The log escapes them.
    pub fields: Vec<(&'static str, String)>,
}

impl Default for Note {
    /// The event of an ordinary request.
    fn default() -> Self {
        Self::of(Event::Request)
    }
}

impl Note {
    /// A note that names the event and has no fields.
    pub const fn of(event: Event) -> Self {
        Self { event, fields: Vec::new() }
    }

    /// Adds a field to the note.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }
}

/// The names of the session cookie: with https for one host, with https for a domain, with plain http.
pub const SESSION_COOKIES: [&str; 3] =
    ["__Host-auth_session", "__Secure-auth_session", "auth_session"];

/// The name of the session cookie. Browsers enforce what its prefix promises (RFC 6265bis § 4.1.3).
pub const fn session_cookie(is_secure: bool, has_domain: bool) -> &'static str {
    match (is_secure, has_domain) {
        (true, false) => SESSION_COOKIES[0],
        (true, true) => SESSION_COOKIES[1],
        (false, _) => SESSION_COOKIES[2],
    }
}

/// A cookie that we set. All of them have `Path=/`, `HttpOnly` and `SameSite=Lax` (OWASP ASVS 3.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CookieKind {
    /// The name of the cookie.
    pub name: &'static str,
    /// Whether it is `Secure`: browsers send it over https only.
    pub secure: bool,
    /// The domain whose hosts all receive it; `None`: only the host that sets it.
    pub domain: Option<String>,
}

impl CookieKind {
    /// The value of a `Set-Cookie` header that keeps `value` until `expires`.
    pub fn set(&self, value: &str, expires: Moment, now: Moment) -> String {
        let date = httpdate::fmt_http_date(expires.into());
        format!(
            "{}={value}; {}; Expires={date}; Max-Age={}",
            self.name,
            self.attributes(),
            now.until(expires).as_secs()
        )
    }

    /// The value of a `Set-Cookie` header that keeps `value` until the browser is closed.
    pub fn set_transient(&self, value: &str) -> String {
        format!("{}={value}; {}", self.name, self.attributes())
    }

    /// The value of a `Set-Cookie` header that makes a browser forget it.
    pub fn clear(&self) -> String {
        format!(
            "{}=; {}; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0",
            self.name,
            self.attributes()
        )
    }

    fn attributes(&self) -> String {
        let domain = self.domain.as_ref().map_or(String::new(), |it| format!("Domain={it}; "));
        let secure = if self.secure { "Secure; " } else { "" };
        format!("Path=/; {domain}{secure}HttpOnly; SameSite=Lax")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

    fn field(body: &[u8], name: &str) -> Option<String> {
        request(&[FORM], body).form().unwrap().field(name).map(Cow::into_owned)
    }

    fn cookie(header: &str) -> Option<String> {
        match request(&[("Cookie", header)], b"").cookie("auth_session") {
            Cookie::Value(value) => Some(value.to_owned()),
            Cookie::Absent | Cookie::Ambiguous => None,
        }
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

    #[test]
    fn finds_a_cookie_among_others() {
        assert_eq!(cookie("auth_session=abc").as_deref(), Some("abc"));
        assert_eq!(cookie("a=1; auth_session=abc; b=2").as_deref(), Some("abc"));
        assert_eq!(cookie("a=1;auth_session=abc;b").as_deref(), Some("abc"));
        assert_eq!(cookie("auth_session=a=b").as_deref(), Some("a=b"));
        assert_eq!(cookie("xauth_session=abc; auth_session_=d; AUTH_SESSION=e"), None);
        assert_eq!(cookie(""), None);
    }

    #[test]
    fn takes_two_different_values_of_a_cookie_for_neither() {
        assert_eq!(cookie("auth_session=abc; auth_session=abd"), None);
        assert_eq!(cookie("auth_session=abc; auth_session="), None);
        assert_eq!(cookie("auth_session=abc; auth_session=abc").as_deref(), Some("abc"));
        let split = [("Cookie", "auth_session=abc"), ("cookie", "auth_session=abd")];
        assert_eq!(request(&split, b"").cookie("auth_session"), Cookie::Ambiguous);
    }

    #[test]
    fn reads_one_bearer_token() {
        let bearer = |value| request(&[("authorization", value)], b"").bearer().map(str::to_owned);
        assert_eq!(bearer("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(bearer("bearer abc").as_deref(), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer"), None);
        let two = [("Authorization", "Bearer a"), ("Authorization", "Bearer b")];
        assert_eq!(request(&two, b"").bearer(), None);
    }

    #[test]
    fn shows_pages_to_those_who_name_html() {
        let wants = |accept| request(&[("Accept", accept)], b"").wants() == Wants::Html;
        assert!(wants("text/html"));
        assert!(wants("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(wants("application/json, Text/HTML;q=0.5"));
        assert!(!wants("*/*"));
        assert!(!wants("text/*"));
        assert!(!wants("text/html;q=0, */*"));
        assert!(!wants("application/json"));
        assert_eq!(request(&[], b"").wants(), Wants::Text);
        let wants = |accept| request(&[("Accept", accept)], b"").wants();
        assert_eq!(wants("application/json"), Wants::Json);
        assert_eq!(wants("application/json;q=0"), Wants::Text);
        assert_eq!(wants("application/json, text/html"), Wants::Html);
    }

    #[test]
    fn writes_cookies_that_only_this_site_gets() {
        let plain = CookieKind { name: "auth_session", secure: false, domain: None };
        let (now, end) = (Moment::from_millis(0), Moment::from_millis(90_500));
        assert_eq!(
            plain.set("abc", end, now),
            "auth_session=abc; Path=/; HttpOnly; SameSite=Lax; \
             Expires=Thu, 01 Jan 1970 00:01:30 GMT; Max-Age=90"
        );
        assert_eq!(plain.set_transient("abc"), "auth_session=abc; Path=/; HttpOnly; SameSite=Lax");
        let secure = CookieKind { name: "__Host-auth_session", secure: true, domain: None };
        assert_eq!(
            secure.clear(),
            "__Host-auth_session=; Path=/; Secure; HttpOnly; SameSite=Lax; \
             Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0"
        );
    }

    #[test]
    fn lets_no_header_be_split() {
        for value in ["/a\r\nSet-Cookie: evil=1", "a\nb", "a\0b", "é"] {
            let split = std::panic::catch_unwind(|| Response::redirect("/").with("X", value));
            assert!(split.is_err(), "{value:?}");
        }
    }

    #[test]
    fn writes_an_answer_as_it_goes_over_the_wire() {
        let answer = Response::text(400, "Invalid username").with("X", "y");
        let head = "HTTP/1.1 400 Bad Request\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
                    Content-Length: 16\r\nContent-Type: text/plain; charset=utf-8\r\nX: y\r\n\r\n";
        let text = |is_to_head| {
            String::from_utf8(answer.write(is_to_head, Moment::from_millis(0))).unwrap()
        };
        assert_eq!(text(true), head);
        assert_eq!(text(false), format!("{head}Invalid username"));
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

        #[test]
        fn finds_our_cookie_whatever_stands_around_it(
            before in "([a-z]{1,5}=[!-:<-~]{0,9}; ){0,4}",
            after in "(; [a-z]{1,5}=[!-:<-~]{0,9}){0,4}",
        ) {
            let header = format!("{before}auth_session=abc{after}");
            prop_assert_eq!(cookie(&header), Some("abc".to_owned()));
        }

        #[test]
        fn finds_no_cookie_where_there_is_none(header in "[ -~]{0,80}") {
            prop_assume!(!header.contains("auth_session"));
            prop_assert_eq!(cookie(&header), None);
        }
    }
}
