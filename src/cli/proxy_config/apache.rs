//! The configuration of Apache httpd, whose checks are a Lua hook.

use super::{ProxyPlan, closed, lua, other_spellings, push};
use crate::base::origin::Origin;

/// The hook that asks vestibule about each request.
pub(super) fn script() -> String {
    lua(include_str!("apache.lua"))
}

/// What those behind httpd are told of the client.
const FORWARDED: &str = "    ProxyPreserveHost On
    ProxyAddHeaders Off
    RequestHeader set X-Forwarded-For expr=%{REMOTE_ADDR}
    RequestHeader set X-Forwarded-Host expr=%{HTTP_HOST}
    RequestHeader set X-Forwarded-Proto https
";

pub(super) fn write(plan: &ProxyPlan) -> String {
    let mut text = preamble(plan);
    for (app, upstream) in &plan.apps {
        push(&mut text, &app_host(plan, app, upstream));
    }
    push(&mut text, &own_host(plan));
    push(&mut text, &redirect(plan));
    text
}

fn preamble(plan: &ProxyPlan) -> String {
    let more = if plan.is_clear() { "remoteip rewrite" } else { "ssl" };
    let mut text = format!(
        "# Guards apps behind vestibule. For Apache httpd 2.4.47 or newer, as in /etc/apache2/sites-available/vestibule.conf; check
# it with `apachectl configtest`. On Debian:
#   apt install apache2 lua-socket
#   a2enmod alias headers lua proxy proxy_http setenvif {more}
# The script is what the same command prints with --script.
{}
LuaScope thread
# A long address comes back encoded in the address of the sign-in page.
LimitRequestLine 32768
",
        plan.remark()
    );
    let ports = plan.apps.iter().map(|(app, _)| app.port()).chain([plan.own.origin.port()]);
    let mut odd: Vec<_> = ports.filter(|port| *port != 443 && !plan.is_clear()).collect();
    odd.sort_unstable();
    odd.dedup();
    for port in odd {
        push(&mut text, &format!("Listen {port}\n"));
    }
    text
}

fn app_host(plan: &ProxyPlan, app: &Origin, upstream: &str) -> String {
    let (begin, set) = (begin(plan, app), settings(plan));
    let mut drops = String::new();
    for name in plan.identity.all() {
        for spelling in other_spellings(name).iter().map(String::as_str).chain([name]) {
            push(&mut drops, &format!("    RequestHeader unset {spelling} early\n"));
        }
    }
    let authorization = if plan.basic_auth {
        "    # The app does not get the credentials of the check.\n    RequestHeader unset Authorization\n"
    } else {
        ""
    };
    format!(
        "
{begin}
    # Identity headers from the client are removed first, in any spelling that an app could take for one of them.
{drops}
    # No request reaches the app without this hook: if it fails, httpd answers with an error.
{set}    LuaHookAccessChecker /etc/apache2/vestibule.lua check

{authorization}{FORWARDED}    # Only WebSocket upgrades are passed on: after another one, such as h2c, requests would bypass the checks.
    ProxyPass / {upstream}/ upgrade=websocket nocanon
</VirtualHost>
"
    )
}

/// What the hook has to know, in variables that no client can set.
fn settings(plan: &ProxyPlan) -> String {
    let place = plan.place("");
    let (host, port) = place.rsplit_once(':').expect("it is an address with its port");
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let query = if plan.query.is_empty() { String::new() } else { format!("&{}", plan.query) };
    let path = plan.check_path("/auth/forward");
    let names = plan.identity.all().join(",");
    let mut set = String::new();
    for (name, value) in [
        ("HOST", host),
        ("PORT", port),
        ("CHECK", &format!("{path}?cookies=filtered{query}")),
        ("NAMES", &names),
    ] {
        push(&mut set, &format!("    SetEnvIf Request_Method ^ \"VESTIBULE_{name}={value}\"\n"));
    }
    set
}

fn own_host(plan: &ProxyPlan) -> String {
    let (begin, place) = (begin(plan, &plan.own.origin), plan.place(""));
    let part = |path: &str| if path.ends_with('/') { path.to_owned() } else { format!("{path}$") };
    let checks = closed().into_iter().map(part).collect::<Vec<_>>().join("|");
    let prefix = plan.own.prefix.to_string().replace('.', "\\.");
    format!(
        "
{begin}
    # Only httpd itself may ask for checks.
    ProxyPassMatch \"^{prefix}({checks})\" !
    RedirectMatch 404 \"^{prefix}({checks})\"

{FORWARDED}    ProxyPass / http://{place}/ nocanon responsefieldsize=32768
</VirtualHost>
"
    )
}

/// The beginning of a host, with what stands before everything else in it.
fn begin(plan: &ProxyPlan, origin: &Origin) -> String {
    let (host, port) = (origin.host(), origin.port());
    if plan.is_clear() {
        return begin_clear(plan, host);
    }
    let (certificate, key) = plan
        .certificate
        .clone()
        .unwrap_or_else(|| (format!("/etc/ssl/{host}.pem"), format!("/etc/ssl/{host}.key")));
    format!(
        "<VirtualHost *:{port}>
    ServerName {host}
    TraceEnable Off
    AllowEncodedSlashes NoDecode
    SSLEngine On
    SSLCertificateFile {certificate}
    SSLCertificateKeyFile {key}
{}    ProxyPass /.well-known/acme-challenge/ !
",
        challenges(plan)
    )
}

/// A host where TLS ends before httpd.
fn begin_clear(plan: &ProxyPlan, host: &str) -> String {
    format!(
        "<VirtualHost *:80>
    ServerName {host}
    TraceEnable Off
    AllowEncodedSlashes NoDecode

    # TLS ends before httpd, at one of these, which says who the client is.
    RemoteIPHeader X-Forwarded-For
    RemoteIPInternalProxy {}
    RewriteEngine On
    RewriteCond %{{HTTP:X-Forwarded-Proto}} =http
    RewriteRule ^ https://%{{HTTP_HOST}}%{{REQUEST_URI}} [R=308,L]
",
        plan.tls_before.join(" ")
    )
}

/// Where a certificate authority looks before it renews a certificate (RFC 8555 § 8.3).
fn challenges(plan: &ProxyPlan) -> String {
    let folder = format!("{}/.well-known/acme-challenge", plan.acme_root.trim_end_matches('/'));
    format!(
        "
    # Certificate authorities look here (HTTP-01), and cannot sign in.
    Alias /.well-known/acme-challenge/ {folder}/
    <Directory {folder}>
        Require all granted
        AllowOverride None
        Options None
        ForceType text/plain
    </Directory>
"
    )
}

/// The hosts that lead from http to https, where all hosts are at the default port.
fn redirect(plan: &ProxyPlan) -> String {
    let Some(hosts) = plan.redirected_hosts() else { return String::new() };
    let mut text = String::new();
    for host in hosts {
        push(
            &mut text,
            &format!(
                "
<VirtualHost *:80>
    ServerName {host}
    AllowEncodedSlashes NoDecode
{}    RedirectMatch 308 \"^/(?!\\.well-known/acme-challenge/)(.*)$\" https://{host}/$1
</VirtualHost>
",
                challenges(plan)
            ),
        );
    }
    text
}
