//! A Caddyfile for Caddy 2.

use super::{ProxyPlan, closed, other_spellings, push};
use crate::base::origin::Origin;

pub(super) fn write(plan: &ProxyPlan) -> String {
    let mut text = format!(
        "# Guards apps behind vestibule. A Caddyfile for Caddy 2.6 or newer; check it with \
         `caddy validate`.\n{}",
        plan.remark()
    );
    for (app, upstream) in &plan.apps {
        push(&mut text, &app_server(plan, app, upstream));
    }
    push(&mut text, &own_server(plan));
    text
}

fn app_server(plan: &ProxyPlan, app: &Origin, upstream: &str) -> String {
    let (tls, place, query) = (tls(plan), plan.place("unix/"), &plan.query);
    let names = plan.identity.all();
    let mut drops = String::new();
    if names.iter().any(|name| name.starts_with("Remote-")) {
        push(&mut drops, "        request_header -Remote*\n");
    }
    for name in names.iter().filter(|name| !name.starts_with("Remote-")) {
        for spelling in other_spellings(name).iter().map(String::as_str).chain([*name]) {
            push(&mut drops, &format!("        request_header -{spelling}\n"));
        }
    }
    let mut keeps = String::new();
    for name in names {
        push(&mut keeps, &format!("\n            header_up {name} {{http.request.header.{name}}}"));
    }
    let (names, cookie) = (names.join(" "), plan.cookie);
    let authorization = if plan.basic_auth { "\n            header_up -Authorization" } else { "" };
    format!(
        r#"
{app} {{{tls}
    route {{
        # Identity headers from the client are removed first; outside of route Caddy would do so after the check.
{drops}
        # Only WebSocket upgrades are passed on: after another one, such as h2c, requests would bypass the
        # checks.
        @upgrades {{
            header Upgrade *
            not header_regexp Upgrade (?i)^websocket$
        }}
        request_header @upgrades -Upgrade

        forward_auth {place} {{
            # The question mark keeps the client's own parameters from the check.
            uri /auth/forward?{query}
            copy_headers {names}
        }}

        reverse_proxy {upstream} {{
            # The app does not get the session cookie.
            header_up Cookie "(\b){cookie}=[^;]*;? ?" "$1"{authorization}

            # Set again, as a client could have them dropped by naming them in its Connection header.{keeps}
        }}
    }}
}}
"#
    )
}

fn own_server(plan: &ProxyPlan) -> String {
    let (own, tls, place) = (&plan.own, tls(plan), plan.place("unix/"));
    let part = |path: &str| if path.ends_with('/') { format!("{path}*") } else { path.to_owned() };
    let checks = closed().into_iter().map(part).collect::<Vec<_>>().join(" ");
    format!(
        "
{own} {{{tls}
    # Only Caddy itself may ask for checks.
    @checks path {checks}
    respond @checks 404
    reverse_proxy {place}
}}
"
    )
}

fn tls(plan: &ProxyPlan) -> String {
    match &plan.certificate {
        Some((certificate, key)) => format!("\n    tls {certificate} {key}"),
        None => String::new(),
    }
}
