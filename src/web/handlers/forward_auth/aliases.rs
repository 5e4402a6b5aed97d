//! The pages of other gates to which browsers are sent: where each leads here, and how their addresses say where to
//! go afterwards.
//!
//! These links stand on the hosts of apps, so every answer has a whole address, and a path means the host that was
//! asked. Whatever they name is checked like any other target.

use std::borrow::Cow;

use super::checks::Alias;
use super::{only, own, way_in};
use crate::base::origin::Origin;
use crate::web::call::{Answered, Call};
use crate::web::http::{Method, Request, Response, Wants};
use crate::web::messages::EN;
use crate::web::pages::forbidden;
use crate::web::redirect::{self, Target};

/// The path of oauth2-proxy on the host of each app.
const OAUTH2_PROXY: &str = "/oauth2";

/// Answers the sign-in links of oauth2-proxy. Its guides let nginx answer 403 with the body of this answer, and
/// Traefik 401, so there is a link in it.
pub(in crate::web) fn lead_to_sign_in(call: &Call<'_>) -> Answered {
    let target = target(call);
    let way = way_in(&own(call.site), target.as_ref());
    let response = match call.wants() {
        Wants::Html => call
            .site
            .page_elsewhere(call.request, 302, |frame| forbidden::sign_in_first(frame, &way)),
        Wants::Json | Wants::Text => Response::text(302, format!("{}: {way}", EN.sign_in)),
    };
    let response = response.with("Location", way);
    Ok(if target.is_none() { call.noting_refused_next(response) } else { response })
}

/// Answers the sign-out link of oauth2-proxy. A link must not change anything, so it leads to the page with
/// the sign-out button.
pub(in crate::web) fn lead_to_sign_out(call: &Call<'_>) -> Answered {
    let address = format!("{}/logout", own(call.site));
    let target = target(call);
    Ok(Response::redirect(redirect::way(&address, target.as_ref().map(Target::as_str))))
}

/// Where a link to Authelia's portal, which is the home page, leads after signing in. `None`: it is no such link.
pub(in crate::web) fn portal_target(call: &Call<'_>) -> Option<Target> {
    let is_known = call.site.settings.aliases.contains(&Alias::Authelia);
    let is_link = is_known && call.request.parameters().has("rd");
    if is_link { call.next() } else { None }
}

/// The target of a link of oauth2-proxy: in its address, else in the header that its guide for nginx sets. That
/// header names the link itself where a browser opens it by hand.
fn target(call: &Call<'_>) -> Option<Target> {
    let allowed = &call.site.allowed;
    let header = || only(call.request, "x-auth-request-redirect").map(Cow::Borrowed);
    let asked = call.asked_next().or_else(header)?;
    let path = asked.split(['?', '#']).next().unwrap_or_default();
    match () {
        () if !asked.starts_with('/') => allowed.address(&asked),
        () if path == OAUTH2_PROXY || path.starts_with("/oauth2/") => None,
        () => match asked_host(call)? {
            AskedHost::Own => allowed.target(&asked),
            AskedHost::App(app) => allowed.address(&format!("{app}{asked}")),
        },
    }
}

enum AskedHost {
    Own,
    App(Origin),
}

/// The site that the browser has asked. Its guide lets nginx pass the host on without its port, so an app is known
/// by its name alone where only one has it.
fn asked_host(call: &Call<'_>) -> Option<AskedHost> {
    let allowed = &call.site.allowed;
    let Some(host) = only(call.request, "host") else { return Some(AskedHost::Own) };
    let written = Origin::parse(&format!("https://{host}"));
    let is_app = |it: &Origin| allowed.address(&it.to_string()).is_some();
    let named = |it: &&Origin| written.as_ref().is_some_and(|asked| asked.host() == it.host());
    let mut apps = allowed.apps.iter().filter(named);
    let app = match (apps.next(), apps.next()) {
        (Some(app), None) => Some(app.clone()),
        _ => written.clone().filter(is_app),
    };
    let is_own = allowed.own.as_ref().is_none_or(|own| named(&own));
    match app {
        Some(app) if !is_own || allowed.own.as_ref() != Some(&app) => Some(AskedHost::App(app)),
        _ => is_own.then_some(AskedHost::Own),
    }
}

/// An address that a proxy has written into a parameter as it came, since nginx cannot encode: then what follows
/// behind an `&` belongs to it, up to the parameters of the gate itself. `None`: there is none, or it is encoded.
pub(in crate::web) fn address_as_it_came<'a>(
    request: &'a Request,
    name: &str,
) -> Option<Cow<'a, str>> {
    if request.method == Method::Post {
        return None;
    }
    let mut parts = request.query.split('&');
    let first = parts.find_map(|it| it.strip_prefix(name)?.strip_prefix('='))?;
    let rest = match first.split_once("://") {
        Some(("http" | "https", rest)) => rest,
        Some(_) => return None,
        None => first.strip_prefix('/')?,
    };
    // Kubernetes' ingress encodes all that follows the host.
    let is_encoded = first.starts_with('h') && rest.split(['/', '?']).next()?.contains('%');
    let more: Vec<_> = parts.take_while(|it| !is_of_gate(it)).collect();
    match more.is_empty() {
        _ if is_encoded => None,
        true => Some(Cow::Borrowed(first)),
        false => Some(Cow::Owned(format!("{first}&{}", more.join("&")))),
    }
}

/// Whether a parameter is one that the guides of other gates put behind the address.
fn is_of_gate(parameter: &str) -> bool {
    let name = parameter.split('=').next().unwrap_or_default().to_ascii_lowercase();
    name.starts_with("vouch") || name.starts_with("x-vouch") || matches!(&*name, "error" | "rm")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(query: &str) -> Option<String> {
        let request = Request {
            method: Method::Get,
            path: "/login".to_owned(),
            query: query.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            peer: None,
        };
        address_as_it_came(&request, "rd").map(Cow::into_owned)
    }

    #[test]
    fn takes_an_address_whole_that_a_proxy_could_not_encode() {
        for (query, expected) in [
            ("rd=https://a.test/x", "https://a.test/x"),
            ("rd=https://a.test/x?a=1&b=%C3%A4&c", "https://a.test/x?a=1&b=%C3%A4&c"),
            ("x=1&rd=https://a.test/?a&rd=2", "https://a.test/?a&rd=2"),
            ("rd=/x?a=1&b=2", "/x?a=1&b=2"),
            (
                "rd=https://a.test/?a=1&b&vouch-failcount=&X-Vouch-Token=&error=",
                "https://a.test/?a=1&b",
            ),
            ("rd=https://a.test/?a=1&rm=GET", "https://a.test/?a=1"),
        ] {
            assert_eq!(whole(query).as_deref(), Some(expected), "{query}");
        }
    }

    #[test]
    fn leaves_an_address_that_is_encoded_to_the_form() {
        for query in [
            "",
            "next=https://a.test/",
            "rd=https%3A%2F%2Fa.test%2Fx&rm=GET",
            "rd=%2Fx%3Fa&b=2",
            "rd=https://a.test%2Fx%3Fa%3D1",
            "rd=a.test",
            "rd=javascript://x",
            "rdx=https://a.test/",
        ] {
            assert_eq!(whole(query), None, "{query}");
        }
    }
}
