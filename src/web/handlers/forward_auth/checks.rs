//! The table of check endpoints: their paths, the headers that describe the original request, and the kind
//! of response that the proxy understands.
//!
//! The site, `proxy-config` and `doctor` all use this table.

use crate::base::origin::Origin;
use crate::web::http::{Method, Request};
use crate::web::{RouteRow, Site};

/// Other gates whose check endpoints are answered, so that migrating from one needs only a change of host
/// name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alias {
    Authelia,
    Tinyauth,
    Oauth2Proxy,
    Vouch,
}

impl Alias {
    /// Every alias, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Authelia, Self::Tinyauth, Self::Oauth2Proxy, Self::Vouch];

    /// The value of `--alias`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authelia => "authelia",
            Self::Tinyauth => "tinyauth",
            Self::Oauth2Proxy => "oauth2-proxy",
            Self::Vouch => "vouch",
        }
    }
}

/// The protocol of a check.
#[derive(Clone, Copy)]
pub(super) struct Protocol {
    pub(super) original: Original,
    /// The status of a response that lets the request through.
    pub(super) passed: u16,
    pub(super) turn: Turn,
    pub(super) tells: Tells,
    /// A parameter that lists groups, in addition to `groups`.
    pub(super) groups: Option<&'static str>,
}

/// Which headers describe the original request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Original {
    /// `X-Original-URL` and `X-Original-Method`.
    Url,
    /// `X-Forwarded-Proto`, `X-Forwarded-Host`, `X-Forwarded-Uri` and `X-Forwarded-Method`.
    Forwarded,
    Unsaid,
}

/// The response for a requester who is not signed in.
#[derive(Clone, Copy)]
pub(super) enum Turn {
    /// 401, with the address of the sign-in page in this header.
    Tell(&'static str),
    /// For a browser that loads a page: a redirect to the sign-in page, with this status if the original
    /// request can be repeated. 401 for any other client.
    Lead(u16),
    /// 401 without an address.
    Refuse,
    /// No check, but the page for a user whom one has denied access.
    Explain,
}

/// Which headers tell the app who the user is.
#[derive(Clone, Copy)]
pub(super) enum Tells {
    Ours,
    OursAndSub,
    Oauth2Proxy,
    Vouch,
}

const NGINX: Protocol = Protocol {
    original: Original::Url,
    passed: 200,
    turn: Turn::Tell("Location"),
    tells: Tells::Ours,
    groups: None,
};
const NGINX_DENIED: Protocol = Protocol { turn: Turn::Explain, ..NGINX };
const FORWARD: Protocol =
    Protocol { original: Original::Forwarded, turn: Turn::Lead(302), ..NGINX };
const TINYAUTH_NGINX: Protocol =
    Protocol { turn: Turn::Tell("x-tinyauth-location"), tells: Tells::OursAndSub, ..NGINX };
const TINYAUTH_FORWARD: Protocol =
    Protocol { turn: Turn::Lead(307), tells: Tells::OursAndSub, ..FORWARD };
const OAUTH2_PROXY: Protocol = Protocol {
    original: Original::Unsaid,
    passed: 202,
    turn: Turn::Refuse,
    tells: Tells::Oauth2Proxy,
    groups: Some("allowed_groups"),
};
const VOUCH: Protocol =
    Protocol { original: Original::Unsaid, turn: Turn::Refuse, tells: Tells::Vouch, ..NGINX };

/// A check endpoint.
struct Endpoint {
    path: &'static str,
    /// The gate that it belongs to, if it is not ours; then it is answered only if that alias is set.
    of: Option<Alias>,
    check: Protocol,
    /// The check that is used instead if the query has a parameter `rd`. The operator's query decides which
    /// headers are read, never a header.
    check_with_rd: Option<Protocol>,
}

/// The folder of the checks of Envoy's `ext_authz`, which asks with the method and the address of the original request
/// behind a path of the operator's: `/auth/envoy/PARAMETERS/ORIGINAL?QUERY`.
const ENVOY: &str = "/auth/envoy/";

/// The check that Envoy asks for, as it would be written for `/auth/forward`; `None` if it is another request. What of
/// the target is the operator's ends at the first slash, which no client can move.
pub(super) fn of_envoy(site: &Site, request: &Request) -> Option<Request> {
    let target = site.path(&request.path)?.strip_prefix(ENVOY)?;
    let (parameters, original) = target.split_once('/')?;
    let mark = if request.query.is_empty() { "" } else { "?" };
    let scheme =
        if site.allowed.own.as_ref().is_some_and(Origin::is_https) { "https" } else { "http" };
    let method = match request.method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Options => "OPTIONS",
        Method::Post | Method::Other => "POST",
    };
    let is_kept = |(name, _): &&(String, String)| {
        let name = name.to_ascii_lowercase();
        name == "x-forwarded-for" || !name.starts_with("x-forwarded-")
    };
    let mut headers: Vec<_> = request.headers.iter().filter(is_kept).cloned().collect();
    let hosts = request.values("host").map(|it| ("x-forwarded-host", it.to_owned()));
    let told = [
        ("x-forwarded-proto", scheme.to_owned()),
        ("x-forwarded-method", method.to_owned()),
        ("x-forwarded-uri", format!("/{original}{mark}{}", request.query)),
    ];
    headers.extend(hosts.chain(told).map(|(name, value)| (name.to_owned(), value)));
    Some(Request {
        path: site.settings.prefix.at("/auth/forward").to_string(),
        query: parameters.to_owned(),
        headers,
        body: Vec::new(),
        method: request.method,
        peer: request.peer,
    })
}

const fn at(path: &'static str, of: Option<Alias>, check: Protocol) -> Endpoint {
    Endpoint { path, of, check, check_with_rd: None }
}

/// All check endpoints: those that the site answers, a proxy does not forward, and `doctor` tries.
const ENDPOINTS: [Endpoint; 11] = [
    at("/auth/nginx", None, NGINX),
    at("/auth/denied", None, NGINX_DENIED),
    at("/auth/forward", None, FORWARD),
    at("/api/authz/auth-request", Some(Alias::Authelia), NGINX),
    at("/api/authz/forward-auth", Some(Alias::Authelia), FORWARD),
    Endpoint { check_with_rd: Some(FORWARD), ..at("/api/verify", Some(Alias::Authelia), NGINX) },
    at("/api/auth/nginx", Some(Alias::Tinyauth), TINYAUTH_NGINX),
    at("/api/auth/caddy", Some(Alias::Tinyauth), TINYAUTH_FORWARD),
    at("/api/auth/traefik", Some(Alias::Tinyauth), TINYAUTH_FORWARD),
    at("/oauth2/auth", Some(Alias::Oauth2Proxy), OAUTH2_PROXY),
    at("/validate", Some(Alias::Vouch), VOUCH),
];

/// The paths of all check endpoints, ours and those of every alias. Only a proxy may request them.
pub fn check_paths() -> impl Iterator<Item = &'static str> {
    ENDPOINTS.iter().map(|it| it.path)
}

/// How many rows checks have: those of the table, and one for those of Envoy.
pub(in crate::web) const CHECK_ROWS: usize = ENDPOINTS.len() + 1;

/// The paths of the rows of checks; that of Envoy's is where its folder begins.
pub(in crate::web) fn check_row_paths() -> impl Iterator<Item = &'static str> {
    check_paths().chain([ENVOY])
}

/// The check at the path of this request, with its row, if it is one.
pub(super) fn find(site: &Site, request: &Request) -> Option<(RouteRow, Protocol)> {
    let aliases = &site.settings.aliases;
    let is_answered = |it: &Endpoint| it.of.is_none_or(|alias| aliases.contains(&alias));
    let path = site.path(&request.path)?;
    if path.strip_prefix(ENVOY).is_some_and(|it| it.contains('/')) {
        return Some((RouteRow::of_check(ENDPOINTS.len()), FORWARD));
    }
    let mut all = ENDPOINTS.iter().enumerate();
    let (number, at) = all.find(|(_, it)| it.path == path && is_answered(it))?;
    let with_rd = at.check_with_rd.filter(|_| request.parameters().has("rd"));
    Some((RouteRow::of_check(number), with_rd.unwrap_or(at.check)))
}
