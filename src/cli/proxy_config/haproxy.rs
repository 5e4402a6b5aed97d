//! The configuration of HAProxy, whose checks are a Lua action.

use super::{ProxyPlan, SharedHost, closed, lua, push};

/// The action that asks vestibule about each request.
pub(super) fn script() -> String {
    lua(include_str!("haproxy.lua"))
}

/// The headers that an app gets from HAProxy, for its own use.
const FORWARDED: &str = "    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header X-Forwarded-Proto https
";

pub(super) fn write(plan: &ProxyPlan) -> String {
    let mut text = preamble(plan);
    push(&mut text, &frontend(plan));
    for (number, (_, upstream)) in (1..).zip(&plan.apps) {
        push(&mut text, &guarded(plan, &format!("app{number}"), upstream));
    }
    if let Some(shared) = &plan.shared {
        push(&mut text, &guarded(plan, "app", &shared.upstream));
        if shared.pattern().is_some() {
            push(&mut text, &open(plan, shared));
        }
    }
    push(&mut text, &own(plan));
    text
}

fn preamble(plan: &ProxyPlan) -> String {
    format!(
        "# Guards apps behind vestibule. For HAProxy 2.6 or newer with Lua, as a file beside haproxy.cfg; check it with
# `haproxy -c -f /etc/haproxy/haproxy.cfg -f /etc/haproxy/vestibule.cfg`. The script is what the same command prints with
# --script.
{}
global
    lua-load-per-thread /etc/haproxy/vestibule.lua
    # A long address comes back encoded in one header.
    tune.bufsize 65536

defaults vestibule
    mode http
    timeout connect 5s
    timeout client 1m
    timeout server 1m
    timeout tunnel 1h
",
        plan.remark()
    )
}

fn frontend(plan: &ProxyPlan) -> String {
    let port = plan.own.origin.port();
    let mut text = String::from("\nfrontend vestibule\n");
    if plan.is_clear() {
        push(&mut text, &clear_listener(plan));
    } else {
        let certificate = plan.certificate.as_ref().map_or("/etc/haproxy/certs", |(it, _)| it);
        push(
            &mut text,
            &format!("    bind :::{port} v4v6 ssl crt {certificate} alpn h2,http/1.1\n"),
        );
        if plan.redirected_hosts().is_some() {
            push(
                &mut text,
                "    bind :::80 v4v6
    # Certificate authorities look here (HTTP-01), and cannot sign in: certbot certonly --standalone --http-01-port 8888.
    use_backend vestibule_challenges if { path_beg /.well-known/acme-challenge/ }
    http-request redirect scheme https code 308 unless { ssl_fc } || { path_beg /.well-known/acme-challenge/ }
",
            );
        }
    }
    match &plan.shared {
        Some(shared) => push(&mut text, &shared_choice(plan, shared)),
        None => push(&mut text, &choice(plan)),
    }
    if !plan.is_clear() && plan.redirected_hosts().is_some() {
        push(&mut text, "\nbackend vestibule_challenges\n    server acme 127.0.0.1:8888\n");
    }
    text
}

/// Where TLS ends before HAProxy.
fn clear_listener(plan: &ProxyPlan) -> String {
    format!(
        "    # TLS ends before HAProxy, at one of these, which says who the client is.
    bind :::80 v4v6
    http-request set-src req.hdr_ip(x-forwarded-for,-1) if {{ src {} }}
    http-request redirect scheme https code 308 if {{ req.hdr(x-forwarded-proto) http }}
",
        plan.tls_before.join(" ")
    )
}

/// Which host is which app. A host that is not named has no backend, and gets 503.
fn choice(plan: &ProxyPlan) -> String {
    let mut text = String::new();
    let own = (plan.own.origin.host(), "vestibule".to_owned());
    let apps = (1..)
        .zip(&plan.apps)
        .map(|(number, (app, _))| (app.host(), format!("vestibule_app{number}")));
    for (host, backend) in apps.chain([own]) {
        push(
            &mut text,
            &format!("    use_backend {backend} if {{ req.hdr(host),field(1,:) -i {host} }}\n"),
        );
    }
    text
}

/// What of a host goes to the sign-in, and what to the app.
fn shared_choice(plan: &ProxyPlan, shared: &SharedHost) -> String {
    let (host, own) = (plan.own.origin.host(), plan.own_pattern());
    let app = match shared.pattern() {
        None => "    default_backend vestibule_app\n".to_owned(),
        Some(pattern) => format!(
            "    # Guarded, in any case of letters and however it is encoded.
    use_backend vestibule_app if {{ path,lua.vestibule_path -m reg {pattern} }}
    default_backend vestibule_open
",
            pattern = pattern.to_ascii_lowercase()
        ),
    };
    format!(
        "    http-request deny unless {{ req.hdr(host),field(1,:) -i {host} }}
    # The sign-in.
    use_backend vestibule if {{ path -m reg {own} }}
{app}"
    )
}

/// Removes identity headers, and upgrades, after which requests would reach the app without a check.
fn drops(plan: &ProxyPlan) -> String {
    let mut drops = String::new();
    for name in plan.identity.all() {
        let spellings = name.to_ascii_lowercase().replace('-', "[^a-z0-9]");
        push(&mut drops, &format!("    http-request del-header ^{spellings}$ -m reg\n"));
    }
    format!(
        "    # Identity headers from the client are removed, in any spelling that an app could take for one of them.
{drops}    # A client could have headers dropped by naming them in Connection. Only WebSocket upgrades are passed on: after
    # another one, such as h2c, requests would bypass the checks.
    http-request del-header Connection
    http-request del-header Upgrade unless {{ req.hdr(upgrade) -i websocket }}
    http-request set-header Upgrade websocket if {{ req.hdr(upgrade) -m found }}
"
    )
}

fn guarded(plan: &ProxyPlan, name: &str, upstream: &str) -> String {
    let (drops, names) = (drops(plan), plan.identity.all().join(","));
    let authorization =
        if plan.basic_auth { "    http-request del-header Authorization\n" } else { "" };
    // An app on the host of the sign-in asks with the cookie by itself.
    let filter = if plan.shared.is_some() { "" } else { "cookies=filtered" };
    let parameters = plan.check_query(filter, "302");
    let mark = if parameters.is_empty() { "" } else { "?" };
    let path = plan.check_path("/auth/forward");
    let place = plan.place("unix@");
    let server = server(name, upstream);
    format!(
        "
backend vestibule_{name}
{drops}    # Without a check that let the request through, nothing passes.
    http-request lua.vestibule_check {path}{mark}{parameters} {place} {names}
    http-request deny unless {{ var(txn.vestibule_passed) -m bool }}
{authorization}{FORWARDED}{server}"
    )
}

/// The part of an app that is open, on the host of the sign-in.
fn open(plan: &ProxyPlan, shared: &SharedHost) -> String {
    format!(
        "
# The app asks GET /session by itself. It gets no identity header, whatever the client sends.
backend vestibule_open
{}{FORWARDED}{}",
        drops(plan),
        server("app", &shared.upstream)
    )
}

/// The server of an app, which may be reached by TLS.
fn server(name: &str, upstream: &str) -> String {
    let (scheme, place) = upstream.split_once("://").expect("it was parsed");
    let is_https = scheme.eq_ignore_ascii_case("https");
    let host = place.trim_start_matches('[').split(['/', ']']).next().unwrap_or_default();
    let has_port = place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let port = match (has_port, is_https) {
        (true, _) => "",
        (false, true) => ":443",
        (false, false) => ":80",
    };
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let tls = if is_https {
        format!(" ssl verify required ca-file @system-ca sni str({host}) verifyhost {host}")
    } else {
        String::new()
    };
    format!("    server {name} {place}{port}{tls}\n")
}

fn own(plan: &ProxyPlan) -> String {
    let place = plan.place("unix@");
    // Where the paths of the sign-in are named one by one, the checks are not among them.
    let is_open = plan.shared.is_none() || !plan.own.prefix.is_empty();
    let part = |path: &str| {
        let flag = if path.ends_with('/') { "path_beg" } else { "path" };
        format!("    http-request return status 404 if {{ {flag} {} }}\n", plan.check_path(path))
    };
    let closed: String = closed().into_iter().filter(|_| is_open).map(part).collect();
    let remark = if is_open { "    # Only HAProxy itself may ask for checks.\n" } else { "" };
    format!(
        "
backend vestibule
{remark}{closed}    http-request set-header X-Forwarded-For %[src]
    server vestibule {place}
"
    )
}
