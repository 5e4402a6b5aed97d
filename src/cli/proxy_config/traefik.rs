//! The dynamic configuration of Traefik, for its file provider.

use super::{ProxyPlan, SharedHost, closed, other_spellings, push};
use crate::base::origin::Origin;

pub(super) fn write(plan: &ProxyPlan) -> String {
    let place = plan.place("");
    // `PathRegexp` is of Traefik 3.
    let versions = if plan.shared.is_some() { "Traefik 3" } else { "Traefik 2 or 3" };
    let entry_point = entry_point(plan);
    let mut text = format!(
        "# Guards apps behind vestibule. A dynamic configuration for {versions} (file provider), with \
         an\n# entry point called {entry_point}.\n{}{}\nhttp:\n  routers:\n",
        trust(plan),
        plan.remark()
    );
    for (number, (app, _)) in (1..).zip(&plan.apps) {
        push(&mut text, &app_router(plan, number, app));
    }
    match &plan.shared {
        Some(shared) => push(&mut text, &shared_routers(plan, shared)),
        None => push(&mut text, &own_router(plan, "")),
    }
    push(&mut text, &middlewares(plan));
    push(&mut text, "  services:\n");
    for (number, (_, upstream)) in (1..).zip(&plan.apps) {
        push(&mut text, &service(&format!("app{number}"), upstream));
    }
    if let Some(shared) = &plan.shared {
        push(&mut text, &service("app", &shared.upstream));
    }
    push(&mut text, &service("vestibule", &format!("http://{place}")));
    text
}

const fn entry_point(plan: &ProxyPlan) -> &'static str {
    if plan.is_clear() { "web" } else { "websecure" }
}

/// The last line of a router that takes requests by TLS.
const fn tls(plan: &ProxyPlan) -> &'static str {
    if plan.is_clear() { "" } else { "\n      tls: {}" }
}

/// What the entry point has to be told where TLS ends before Traefik.
fn trust(plan: &ProxyPlan) -> String {
    if !plan.is_clear() {
        return String::new();
    }
    format!(
        "# TLS ends before Traefik, so that entry point has to believe who the client is:\n#   \
         --entrypoints.web.forwardedHeaders.trustedIPs={}\n",
        plan.tls_before.join(",")
    )
}

/// The router of the sign-in, with one more condition on its paths where it shares the host with an app.
fn own_router(plan: &ProxyPlan, condition: &str) -> String {
    let host = plan.own.origin.host();
    let part = |path: &str| format!(" && !PathPrefix(`{}`)", plan.check_path(path));
    // Where the paths of the sign-in are named one by one, the checks are not among them.
    let is_open = plan.shared.is_none() || !plan.own.prefix.is_empty();
    let closed: String = closed().into_iter().filter(|_| is_open).map(part).collect();
    let priority = if condition.is_empty() { "" } else { "\n      priority: 30" };
    let (entry, tls) = (entry_point(plan), tls(plan));
    format!(
        "    vestibule:
      # Only Traefik itself may ask for checks.
      rule: Host(`{host}`){condition}{closed}{priority}
      entryPoints: [{entry}]
      service: vestibule{tls}
"
    )
}

/// The routers of a host that the sign-in shares with an app.
fn shared_routers(plan: &ProxyPlan, shared: &SharedHost) -> String {
    let host = plan.own.origin.host();
    let authorization = if plan.basic_auth { ", vestibule-authorization" } else { "" };
    let (entry, tls) = (entry_point(plan), tls(plan));
    let guarded = shared.wide_pattern().map(|it| format!(" && PathRegexp(`(?i){it}`)"));
    let mut text = own_router(plan, &format!(" && PathRegexp(`{}`)", plan.own_pattern()));
    let closed = if plan.own.prefix.is_empty() {
        String::new()
    } else {
        format!(" && !PathPrefix(`{}/`)", plan.own.prefix)
    };
    let condition = guarded.as_deref().unwrap_or_default();
    push(
        &mut text,
        &format!(
            "    guarded:
      rule: Host(`{host}`){condition}{closed}
      priority: 20
      entryPoints: [{entry}]
      middlewares: [vestibule-spellings, vestibule{authorization}]
      service: app{tls}
"
        ),
    );
    if guarded.is_some() {
        push(
            &mut text,
            &format!(
                "    open:
      # The app asks GET /session by itself. It gets no identity header, whatever the client sends.
      rule: Host(`{host}`){closed}
      priority: 10
      entryPoints: [{entry}]
      middlewares: [vestibule-spellings, vestibule-nobody]
      service: app{tls}
"
            ),
        );
    }
    text
}

fn app_router(plan: &ProxyPlan, number: u32, app: &Origin) -> String {
    let (host, entry, tls) = (app.host(), entry_point(plan), tls(plan));
    let authorization = if plan.basic_auth { ", vestibule-authorization" } else { "" };
    format!(
        "    app{number}:
      rule: Host(`{host}`)
      entryPoints: [{entry}]
      middlewares: [vestibule-spellings, vestibule{authorization}]
      service: app{number}{tls}
"
    )
}

fn middlewares(plan: &ProxyPlan) -> String {
    let (address, cookie) = check_address(plan);
    let names = plan.identity.all();
    let drops = emptied(names.into_iter().flat_map(other_spellings));
    let anonymous = if plan.shared.as_ref().is_some_and(|it| it.pattern().is_some()) {
        format!(
            "    vestibule-nobody:\n      headers:\n        customRequestHeaders:\n{}",
            emptied(names.into_iter())
        )
    } else {
        String::new()
    };
    let names = names.join(", ");
    let authorization = if plan.basic_auth {
        "    vestibule-authorization:
      headers:
        # Apps do not get the credentials of the check.
        customRequestHeaders:
          Authorization: \"\"
"
    } else {
        ""
    };
    format!(
        "  middlewares:
    vestibule-spellings:
      headers:
        # An empty value removes an identity header that the client sends in another spelling.
        customRequestHeaders:
{drops}{came}{anonymous}{authorization}    vestibule:
      forwardAuth:
        address: \"{address}\"
        # Each of these replaces what the client sent, its cookies by all but the session cookie.
        authResponseHeaders: [{names}{cookie}]
        # true only behind another proxy that you trust.
        trustForwardHeader: {trusts}
",
        came = came_by(plan),
        trusts = plan.is_clear()
    )
}

/// Lines that remove these headers from a request.
fn emptied(names: impl Iterator<Item = impl AsRef<str>>) -> String {
    let mut text = String::new();
    for name in names {
        push(&mut text, &format!("          {}: \"\"\n", name.as_ref()));
    }
    text
}

/// The address of the check, and the field for the app that it answers with beside the identity headers.
fn check_address(plan: &ProxyPlan) -> (String, &'static str) {
    // An app on the host of the sign-in asks with the cookie by itself.
    let (filter, cookie) =
        if plan.shared.is_some() { ("", "") } else { ("cookies=filtered", ", Cookie") };
    let parameters = plan.check_query(filter, "302");
    let mark = if parameters.is_empty() { "" } else { "?" };
    let (place, path) = (plan.place(""), plan.check_path("/auth/forward"));
    (format!("http://{place}{path}{mark}{parameters}"), cookie)
}

/// The headers that say how the client came, where TLS ends before Traefik, which may pass on those of the client.
fn came_by(plan: &ProxyPlan) -> &'static str {
    if plan.is_clear() {
        "          X-Forwarded-Proto: https
          X-Forwarded-Host: \"\"
          X-Forwarded-Uri: \"\"
          X-Forwarded-Method: \"\"
"
    } else {
        ""
    }
}

fn service(name: &str, upstream: &str) -> String {
    format!(
        "    {name}:
      loadBalancer:
        servers:
          - url: \"{upstream}\"
"
    )
}
