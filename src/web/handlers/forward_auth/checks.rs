//! The table of check endpoints: where a proxy asks, how it says what was asked for, and what it can make
//! of the response.
//!
//! Site, `proxy-config` and `doctor` read this one.

use crate::web::Site;
use crate::web::http::Request;

/// Other gates whose check endpoints we can answer, so that a set-up moves by changing a host name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alias {
    Authelia,
    Tinyauth,
    Oauth2Proxy,
    Vouch,
}

impl Alias {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Authelia, Self::Tinyauth, Self::Oauth2Proxy, Self::Vouch];

    /// The name of the gate.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authelia => "authelia",
            Self::Tinyauth => "tinyauth",
            Self::Oauth2Proxy => "oauth2-proxy",
            Self::Vouch => "vouch",
        }
    }
}

/// How a check is asked and answered.
#[derive(Clone, Copy)]
pub(super) struct Protocol {
    pub(super) original: Original,
    /// The status of an answer that lets a request through.
    pub(super) passed: u16,
    pub(super) turn: Turn,
    pub(super) tells: Tells,
    /// The parameter that names groups, beside `groups`.
    pub(super) groups: Option<&'static str>,
}

/// Which headers say what was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Original {
    /// `X-Original-URL`, `X-Original-Method`.
    Url,
    /// `X-Forwarded-Proto`, `-Host`, `-Uri`, `-Method`.
    Forwarded,
    Unsaid,
}

/// What somebody gets who is not signed in.
#[derive(Clone, Copy)]
pub(super) enum Turn {
    /// 401, with the way to the sign-in page in this header.
    Tell(&'static str),
    /// To a browser that goes somewhere: the way to the sign-in page, with this status if the request
    /// can be repeated. 401 to everybody else.
    Lead(u16),
    /// 401 alone.
    Refuse,
}

/// Which headers tell who somebody is.
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

/// Where a proxy asks.
struct Endpoint {
    path: &'static str,
    /// The gate that it belongs to, if it is not ours: it is answered if that one's alias is set.
    of: Option<Alias>,
    check: Protocol,
    /// The check in its place if the operator's parameters have `rd`. They decide which family of
    /// headers is read, and no header does.
    check_with_rd: Option<Protocol>,
}

const fn at(path: &'static str, of: Option<Alias>, check: Protocol) -> Endpoint {
    Endpoint { path, of, check, check_with_rd: None }
}

/// All check endpoints: what the site answers, what a proxy keeps to itself, and what `doctor` tries.
const ENDPOINTS: [Endpoint; 10] = [
    at("/auth/nginx", None, NGINX),
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

/// The paths of all check endpoints, ours and those of every alias. Only a proxy may ask there.
pub fn check_paths() -> impl Iterator<Item = &'static str> {
    ENDPOINTS.iter().map(|it| it.path)
}

/// The check that a request asks for. `None`: it is none.
pub(super) fn find(site: &Site, request: &Request) -> Option<Protocol> {
    let aliases = &site.settings.aliases;
    let is_answered = |it: &&Endpoint| it.of.is_none_or(|alias| aliases.contains(&alias));
    let path = site.path(&request.path)?;
    let at = ENDPOINTS.iter().filter(is_answered).find(|it| it.path == path)?;
    match at.check_with_rd {
        Some(check) if request.parameters().has("rd") => Some(check),
        _ => Some(at.check),
    }
}
