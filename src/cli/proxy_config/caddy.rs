//! A Caddyfile for Caddy 2.

use super::{ProxyPlan, SharedHost, closed, other_spellings, push};
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
    match &plan.shared {
        Some(shared) => push(&mut text, &shared_server(plan, shared)),
        None => push(&mut text, &own_server(plan)),
    }
    push(&mut text, &redirect(plan));
    tabbed(&text)
}

/// The text with a tab for each level, as `caddy fmt` writes it.
fn tabbed(text: &str) -> String {
    let mut tabbed = String::new();
    for line in text.lines() {
        let bare = line.trim_start_matches(' ');
        let level = (line.len() - bare.len()) / 4;
        push(&mut tabbed, &format!("{}{bare}\n", "\t".repeat(level)));
    }
    tabbed
}

/// The site that leads from http to https, where all hosts are at the default port. Caddy has one by itself, but
/// not where another site is on all of port 80, as in the Caddyfile that Debian installs.
fn redirect(plan: &ProxyPlan) -> String {
    let Some(hosts) = plan.redirected_hosts() else { return String::new() };
    let sites: Vec<_> = hosts.iter().map(|host| format!("http://{host}")).collect();
    format!(
        "
# Caddy leads from http to https by itself, but not where there is a site for all of port 80, as in Debian's Caddyfile.
{} {{
    redir https://{{host}}{{uri}} 308
}}
",
        sites.join(", ")
    )
}

/// Where browsers reach a host, as Caddy listens.
fn site(plan: &ProxyPlan, origin: &Origin) -> String {
    if plan.is_clear() { format!("http://{}", origin.host()) } else { origin.to_string() }
}

/// What comes first in a site where TLS ends before Caddy: a visitor who came without TLS is led to https.
fn led_to_tls(plan: &ProxyPlan) -> &'static str {
    if plan.is_clear() {
        "        # TLS ends before Caddy.
        @clear header X-Forwarded-Proto http
        redir @clear https://{host}{uri} 308

"
    } else {
        ""
    }
}

/// The lines of a `reverse_proxy` that say how the client came, where TLS ends before Caddy.
fn came_by(plan: &ProxyPlan, indent: &str) -> String {
    if !plan.is_clear() {
        return String::new();
    }
    format!(
        "{indent}# These say who the client is.
{indent}trusted_proxies {}
{indent}header_up X-Forwarded-Host {{http.request.hostport}}
{indent}header_up X-Forwarded-Proto https
",
        plan.tls_before.join(" ")
    )
}

fn app_server(plan: &ProxyPlan, app: &Origin, upstream: &str) -> String {
    let (tls, cookie) = (tls(plan), plan.cookie);
    let (drops, keeps, check) = (drops(plan), keeps(plan), check(plan, ""));
    let authorization = if plan.basic_auth { "\n            header_up -Authorization" } else { "" };
    let (site, led, came) = (site(plan, app), led_to_tls(plan), came_by(plan, "            "));
    format!(
        r#"
{site} {{{tls}
    route {{
{led}{drops}
{check}
        reverse_proxy {upstream} {{
{came}            # The app does not get the session cookie.
            header_up Cookie "(\b){cookie}[ \t]*=[^;]*;? ?" "$1"{authorization}

{keeps}
        }}
    }}
{SILENT}}}
"#
    )
}

/// The server of a host that the sign-in shares with an app.
fn shared_server(plan: &ProxyPlan, shared: &SharedHost) -> String {
    let (own, tls, place) = (site(plan, &plan.own.origin), tls(plan), plan.place("unix/"));
    let (led, came) = (led_to_tls(plan), came_by(plan, "            "));
    let (drops, keeps, upstream) = (drops(plan), keeps(plan), &shared.upstream);
    let authorization = if plan.basic_auth { "\n            header_up -Authorization" } else { "" };
    let closed = if plan.own.prefix.is_empty() {
        String::new()
    } else {
        format!(
            "        # Only Caddy itself may ask for checks.\n        @checks path {}\n        respond @checks 404\n\n",
            closed_paths(plan)
        )
    };
    let (guarded, open) = guarded_and_open(shared);
    let matcher = if guarded.is_empty() { "" } else { "@guarded " };
    let check = check(plan, matcher);
    format!(
        r"
{own} {{{tls}
    route {{
{led}{closed}        # The sign-in.
        @vestibule path_regexp {own_pattern}
        reverse_proxy @vestibule {place}{passed}

{drops}
{guarded}{check}
        reverse_proxy {matcher}{upstream} {{{authorization}
{came}{keeps}
        }}{open}
    }}
{SILENT}}}
",
        own_pattern = plan.own_pattern(),
        passed = block(&came, 2)
    )
}

/// The matcher of the guarded paths, and the proxy of the others; both empty if the whole app is guarded.
fn guarded_and_open(shared: &SharedHost) -> (String, String) {
    let Some(pattern) = shared.wide_pattern() else { return Default::default() };
    let guarded = format!(
        "        # Guarded, in any case of letters; and what some servers would take for such a path.\n        @guarded path_regexp (?i){pattern}\n"
    );
    let open = format!(
        "\n\n        # Open: the app asks GET /session by itself. It gets no identity header, whatever the client \
         sends.\n        reverse_proxy {}",
        shared.upstream
    );
    (guarded, open)
}

/// What answers in place of a check that got no answer. An error of the app is passed on as it is.
const SILENT: &str = "    handle_errors {
        # The check got no answer. What fails behind it is the app's.
        @silent vars vestibule asked
        header @silent Retry-After 5
        respond @silent \"The sign-in does not answer. Please try again in a moment.\" 503
    }
";

/// Removes identity headers, and upgrades, after which requests would reach the app without a check.
fn drops(plan: &ProxyPlan) -> String {
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
    format!(
        "        # Identity headers from the client are removed first; outside of route Caddy would do so after the check.
{drops}
        # Only WebSocket upgrades are passed on: after another one, such as h2c, requests would bypass the
        # checks.
        @upgrades {{
            header Upgrade *
            not vars_regexp {{http.request.header.Upgrade}} (?i)^websocket$
        }}
        request_header @upgrades -Upgrade
"
    )
}

/// The check, of the requests that the matcher names; empty: of all.
fn check(plan: &ProxyPlan, matcher: &str) -> String {
    let (place, path) = (plan.place("unix/"), plan.check_path("/auth/forward"));
    let query = plan.check_query("", "302");
    let names = plan.identity.all().join(" ");
    format!(
        "        vars {matcher}vestibule asked
        forward_auth {matcher}{place} {{
            # The question mark keeps the client's own parameters from the check.
            uri {path}?{query}
            copy_headers {names}
{came}        }}
        vars vestibule passed
",
        came = came_by(plan, "            ")
    )
}

/// The identity headers that the check has set, for the app.
fn keeps(plan: &ProxyPlan) -> String {
    let mut keeps = "            # Set again, as a client could have them dropped by naming them in its Connection header."
        .to_owned();
    for name in plan.identity.all() {
        push(&mut keeps, &format!("\n            header_up {name} {{http.request.header.{name}}}"));
    }
    keeps
}

/// The check endpoints, for a matcher of paths.
fn closed_paths(plan: &ProxyPlan) -> String {
    let part = |path: &str| if path.ends_with('/') { format!("{path}*") } else { path.to_owned() };
    let paths = closed().into_iter().map(|it| plan.check_path(&part(it)));
    paths.collect::<Vec<_>>().join(" ")
}

fn own_server(plan: &ProxyPlan) -> String {
    let (own, tls, place) = (site(plan, &plan.own.origin), tls(plan), plan.place("unix/"));
    let checks = closed_paths(plan);
    format!(
        "
{own} {{{tls}
{led}    # Only Caddy itself may ask for checks.
    @checks path {checks}
    respond @checks 404
    reverse_proxy {place}{passed}
}}
",
        led = led_to_tls(plan).replace("        ", "    "),
        passed = block(&came_by(plan, "        "), 1)
    )
}

/// The lines as a block that is indented by so many levels; nothing, if there are none.
fn block(lines: &str, level: usize) -> String {
    if lines.is_empty() {
        return String::new();
    }
    format!(" {{\n{lines}{}}}", "    ".repeat(level))
}

fn tls(plan: &ProxyPlan) -> String {
    match &plan.certificate {
        Some((certificate, key)) => format!("\n    tls {certificate} {key}"),
        None => String::new(),
    }
}
