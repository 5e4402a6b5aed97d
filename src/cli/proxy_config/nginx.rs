//! The configuration of nginx, with its module `auth_request`.

use super::{ProxyPlan, closed, other_spellings, push, word};
use crate::base::origin::Origin;

pub(super) fn write(plan: &ProxyPlan) -> String {
    let mut text = String::new();
    push(&mut text, &preamble(plan));
    for (app, upstream) in &plan.apps {
        push(&mut text, &app_server(plan, app, upstream));
    }
    push(&mut text, &own_server(plan));
    text
}

fn preamble(plan: &ProxyPlan) -> String {
    let (cookie, place, remark) = (plan.cookie, plan.place("unix:"), plan.remark());
    format!(
        r#"# Guards apps behind vestibule. For the http context of nginx 1.18 or newer, as in
# /etc/nginx/conf.d/vestibule.conf; check it with `nginx -t`.
{remark}
upstream vestibule {{
    server {place};
    keepalive 32;
}}

# Browsers that open a page, and would show the sign-in page instead: no script, image or WebSocket.
map "$http_sec_fetch_mode:$http_upgrade:$http_x_requested_with:$http_accept" $vestibule_goes {{
    default                               no;
    "~*^[^:]*:[^:]*websocket"             no;
    "~*^[^:]*:[^:]*:[^:]*xmlhttprequest"  no;
    "~*^(navigate)?:.*text/html"          yes;
}}

# The status without a session. 303 turns any method into GET, so that no body is sent twice.
map "$vestibule_goes:$request_method" $vestibule_sends {{
    default              401;
    "~^yes:(GET|HEAD)$"  302;
    "~^yes:"             303;
}}

# Only WebSocket upgrades are passed on: after another one, such as h2c, requests would bypass the checks.
map $http_upgrade $vestibule_upgrade {{
    default          "";
    "~*^websocket$"  websocket;
}}
map $vestibule_upgrade $vestibule_connection {{
    default "";
    websocket upgrade;
}}

# Apps do not get the session cookie.
map $http_cookie $vestibule_cookie {{
    default $http_cookie;
    "~^(?<vestibule_before>(?:.*; ?)?){cookie}=[^;]*(?:; ?)?(?<vestibule_after>.*)$" $vestibule_before$vestibule_after;
}}
"#
    )
}

fn app_server(plan: &ProxyPlan, app: &Origin, upstream: &str) -> String {
    let check = check(plan);
    let [set, tell] = identity(plan);
    let begin = server(plan, app);
    // The app does not get the credentials of the check either.
    let authorization =
        if plan.basic_auth { "\n    proxy_set_header Authorization \"\";" } else { "" };
    format!(
        r"
{begin}
    # No header that an app could take for one of those below is passed on. (Headers before Host are read
    # with the settings of the first server, so other spellings are also emptied below.)
    underscores_in_headers off;
    ignore_invalid_headers on;

    # Every location inherits these. A location with a proxy_set_header of its own loses all of them, and
    # any client could claim to be any user there: repeat them in it, or have none.
    auth_request /_vestibule;
    auth_request_set $vestibule_way_in $upstream_http_location;
{set}
{tell}
    proxy_set_header Host $http_host;
    proxy_set_header Cookie $vestibule_cookie;{authorization}
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Upgrade $vestibule_upgrade;
    proxy_set_header Connection $vestibule_connection;
    proxy_http_version 1.1;
    error_page 401 = @vestibule_way_in;

    location / {{
        proxy_pass {upstream};
    }}

    location = /_vestibule {{
        internal;
        auth_request off;
{check}
    }}

    location @vestibule_way_in {{
        auth_request off;
        if ($vestibule_sends = 302) {{ return 302 $vestibule_way_in; }}
        if ($vestibule_sends = 303) {{ return 303 $vestibule_way_in; }}
        return 401;
    }}
}}
"
    )
}

/// The check. Of the request only what it needs is passed on.
fn check(plan: &ProxyPlan) -> String {
    let question = plan.question();
    let authorization = if plan.basic_auth {
        "\n        proxy_set_header Authorization $http_authorization;"
    } else {
        ""
    };
    format!(
        r#"        proxy_pass http://vestibule/auth/nginx{question};
        proxy_pass_request_body off;
        proxy_pass_request_headers off;
        proxy_set_header Host $host;
        proxy_set_header Content-Length "";
        proxy_set_header Connection "";
        proxy_set_header Cookie $http_cookie;{authorization}
        proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
        proxy_set_header X-Original-Method $request_method;
        proxy_set_header X-Forwarded-For $remote_addr;
        # A long address comes back encoded in one header.
        proxy_buffer_size 16k;
        proxy_buffers 8 16k;"#
    )
}

/// Sets each identity header from the check, and removes its other spellings by empty values.
fn identity(plan: &ProxyPlan) -> [String; 2] {
    let mut set = String::new();
    let mut tell = String::new();
    for name in plan.identity.all() {
        let word = word(name);
        push(&mut set, &format!("    auth_request_set $vestibule_{word} $upstream_http_{word};\n"));
        push(&mut tell, &format!("    proxy_set_header {name} $vestibule_{word};\n"));
    }
    for spelling in plan.identity.all().into_iter().flat_map(other_spellings) {
        push(&mut tell, &format!("    proxy_set_header {spelling} \"\";\n"));
    }
    [set, tell].map(|it| it.trim_end().to_owned())
}

fn own_server(plan: &ProxyPlan) -> String {
    let begin = server(plan, &plan.own);
    let part = |path: &str| if path.ends_with('/') { path.to_owned() } else { format!("{path}$") };
    let checks = closed().into_iter().map(part).collect::<Vec<_>>().join("|");
    let hosts: Vec<_> = plan.apps.iter().map(|(app, _)| app).chain([&plan.own]).collect();
    let redirect = if hosts.iter().all(|it| it.is_at_default_port()) {
        let names: Vec<_> = hosts.iter().map(|it| it.host()).collect();
        format!(
            r"
server {{
    listen 80;
    listen [::]:80;
    server_name {};
    return 308 https://$host$request_uri;
}}
",
            names.join(" ")
        )
    } else {
        String::new()
    };
    format!(
        r#"
{begin}
    client_max_body_size 128k;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header Connection "";
    proxy_http_version 1.1;

    location / {{
        proxy_pass http://vestibule;
    }}

    # Only nginx itself may ask for checks.
    location ~ ^({checks}) {{
        return 404;
    }}
}}
{redirect}"#
    )
}

fn server(plan: &ProxyPlan, origin: &Origin) -> String {
    let (host, port) = (origin.host(), origin.port());
    let (certificate, key) = plan
        .certificate
        .clone()
        .unwrap_or_else(|| (format!("/etc/ssl/{host}.pem"), format!("/etc/ssl/{host}.key")));
    format!(
        "server {{
    listen {port} ssl;
    listen [::]:{port} ssl;
    server_name {host};
    ssl_certificate {certificate};
    ssl_certificate_key {key};
"
    )
}
