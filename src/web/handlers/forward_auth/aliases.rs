//! The pages of other gates to which browsers are sent: where each leads here, and how their addresses say where to
//! go afterwards.
//!
//! These links stand on the hosts of apps, so every answer has a whole address, and a path means the host that was
//! asked. Whatever they name is checked like any other target.

use std::borrow::Cow;

use super::checks::Alias;
use super::{only, own, way_in};
use crate::auth::events::Event;
use crate::base::origin::Origin;
use crate::web::call::{Answered, Call};
use crate::web::http::{Note, Response, Wants};
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

/// Refuses a check that is sent to the home page, as a guide of oauth2-proxy for Traefik does, whose home page is an
/// upstream that answers 202 to all who may pass. Here it shows every signed-in user their profile, and Traefik would take
/// that for leave to pass, without identity headers and whatever groups it names. `None`: it is no check.
pub(in crate::web) fn refuse_check_at_home(call: &Call<'_>) -> Option<Response> {
    let is_known = call.site.settings.aliases.contains(&Alias::Oauth2Proxy);
    let own = call.site.allowed.own.as_ref().filter(|_| is_known)?;
    let asked = only(call.request, "x-forwarded-host")?;
    let is_own =
        Origin::parse(&format!("https://{asked}")).is_some_and(|it| it.host() == own.host());
    let hint = "give the proxy the address of a check: /auth/forward, or /oauth2/auth behind an errors middleware";
    let note = Note::of(Event::CheckRefused).because("not_a_check").with("hint", hint);
    (!is_own).then(|| Response::text(403, "Forbidden").noting(note))
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
