//! The configuration of nginx, with its module `auth_request`.

use super::{ProxyPlan, SharedHost, closed, other_spellings, push, word};
use crate::base::origin::Origin;

pub(super) fn write(plan: &ProxyPlan) -> String {
    let mut text = String::new();
    push(&mut text, &preamble(plan));
    for (app, upstream) in &plan.apps {
        push(&mut text, &app_server(plan, app, upstream));
    }
    match &plan.shared {
        Some(shared) => push(&mut text, &shared_server(plan, shared)),
        None => push(&mut text, &own_server(plan)),
    }
    push(&mut text, &redirect(plan));
    text
}

fn preamble(plan: &ProxyPlan) -> String {
    let (place, remark) = (plan.place("unix:"), plan.remark());
    let filter = match plan.shared {
        Some(_) => authorization_map(plan),
        None => cookie_map(plan.cookie),
    };
    format!(
        "# Guards apps behind vestibule. For the http context of nginx 1.18 or newer, as in
# /etc/nginx/conf.d/vestibule.conf; check it with `nginx -t`.
{remark}
upstream vestibule {{
    server {place};
    keepalive 32;
}}

{MAPS}
{filter}"
    )
}

/// What nginx decides by itself of a request.
const MAPS: &str = r#"# Browsers that open a page, and would show the sign-in page instead: no script, image or WebSocket.
map "$http_sec_fetch_mode:$http_upgrade:$http_x_requested_with:$http_accept" $vestibule_goes {
    default                               no;
    "~*^[^:]*:[^:]*websocket"             no;
    "~*^[^:]*:[^:]*:[^:]*xmlhttprequest"  no;
    "~*^(navigate)?:.*text/html"          yes;
}

# The status without a session. 303 turns any method into GET, so that no body is sent twice.
map "$vestibule_goes:$request_method" $vestibule_sends {
    default              401;
    "~^yes:(GET|HEAD)$"  302;
    "~^yes:"             303;
}

# Only WebSocket upgrades are passed on: after another one, such as h2c, requests would bypass the checks.
map $http_upgrade $vestibule_upgrade {
    default          "";
    "~*^websocket$"  websocket;
}
map $vestibule_upgrade $vestibule_connection {
    default "";
    websocket upgrade;
}
"#;

/// Takes the session cookie out as vestibule reads it, with white space around the name. Where it stands twice, the
/// app gets no cookie at all: nginx replaces one part of a value.
fn cookie_map(cookie: &str) -> String {
    format!(
        r#"# Apps do not get the session cookie.
map $http_cookie $vestibule_cookie {{
    default $http_cookie;
    "~(?:^|;)[ \t]*{cookie}[ \t]*=.*;[ \t]*{cookie}[ \t]*=" "";
    "~^(?<vestibule_before>(?:.*;)?[ \t]*){cookie}[ \t]*=[^;]*(?:;[ \t]*)?(?<vestibule_after>.*)$" $vestibule_before$vestibule_after;
}}
"#
    )
}

/// An app on the host of the sign-in reads `Authorization` where it is open, and not where a check has read it.
fn authorization_map(plan: &ProxyPlan) -> String {
    if !plan.basic_auth {
        return String::new();
    }
    let user = word(plan.identity.user);
    format!(
        r#"# Where a check has let a user through, the app does not get the credentials of the check.
map $vestibule_{user} $vestibule_authorization {{
    default "";
    ""      $http_authorization;
}}
"#
    )
}

/// The server of a host that the sign-in shares with an app.
fn shared_server(plan: &ProxyPlan, shared: &SharedHost) -> String {
    let (begin, long, own) =
        (server(plan, &plan.own.origin), long_addresses(plan), plan.own_pattern());
    let authorization = if plan.basic_auth {
        "\n    proxy_set_header Authorization $vestibule_authorization;"
    } else {
        ""
    };
    let inherited = inherited(plan, authorization);
    let (app, checks) = (shared_app(shared), check_locations(plan, ""));
    let empty = "\"\"";
    let closed = if plan.own.prefix.is_empty() { String::new() } else { closed_location(plan) };
    format!(
        r"
{begin}
    # nginx decides by what stands before it and passes on the whole.
    if ($request_uri ~ [\x23]) {{ return 400; }}

{FIELD_NAMES}
{long}
    # Every location of the app inherits these. A location with a proxy_set_header of its own loses all of
    # them, and any client could claim to be any user there: repeat them in it, or have none.
{inherited}
{closed}
    # The sign-in.
    location ~ {own} {{
        proxy_buffer_size 16k;
        proxy_buffers 8 16k;
        client_max_body_size 128k;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header Connection {empty};
        proxy_pass http://vestibule;
    }}

    {app}

{checks}}}
"
    )
}

/// The locations of an app on the host of the sign-in: what is guarded of it, and the rest.
fn shared_app(shared: &SharedHost) -> String {
    let upstream = &shared.upstream;
    match shared.wide_pattern() {
        None => format!(
            "location / {{\n        auth_request /_vestibule;\n        proxy_pass {upstream};\n    }}"
        ),
        Some(pattern) => format!(
            "# Guarded, in any case of letters; and what some servers would take for such a path.
    location ~* \"{pattern}\" {{
        auth_request /_vestibule;
        proxy_pass {upstream};
    }}

    # Open: the app asks GET /session by itself. It gets no identity header, whatever the client sends.
    location / {{
        proxy_pass {upstream};
    }}"
        ),
    }
}

/// Only nginx itself may ask for checks.
fn closed_location(plan: &ProxyPlan) -> String {
    let part = |path: &str| if path.ends_with('/') { path.to_owned() } else { format!("{path}$") };
    let checks = closed().into_iter().map(part).collect::<Vec<_>>().join("|");
    let prefix = plan.own.prefix.to_string().replace('.', "\\.");
    format!(
        r"
    # Only nginx itself may ask for checks.
    location ~ ^{prefix}({checks}) {{
        return 404;
    }}
"
    )
}

/// The server that leads from http to https, where all hosts are at the default port.
fn redirect(plan: &ProxyPlan) -> String {
    let Some(hosts) = plan.redirected_hosts() else { return String::new() };
    format!(
        r"
server {{
    listen 80;
    listen [::]:80;
    server_name {hosts};
{challenges}
    location / {{
        return 308 https://$host$request_uri;
    }}
}}
",
        hosts = hosts.join(" "),
        challenges = challenges(plan)
    )
}

/// Where a certificate authority looks before it renews a certificate (RFC 8555 § 8.3). The longest prefix with a
/// caret stands before every regular expression.
fn challenges(plan: &ProxyPlan) -> String {
    if plan.is_clear() {
        return String::new();
    }
    format!(
        r"
    # Certificate authorities look here (HTTP-01), and cannot sign in.
    location ^~ /.well-known/acme-challenge/ {{
        auth_request off;
        root {};
        default_type text/plain;
    }}
",
        plan.acme_root
    )
}

/// The scheme that the client uses, for those behind nginx.
const fn scheme(plan: &ProxyPlan) -> &'static str {
    if plan.is_clear() { "https" } else { "$scheme" }
}

fn app_server(plan: &ProxyPlan, app: &Origin, upstream: &str) -> String {
    let begin = server(plan, app);
    // The app does not get the credentials of the check either.
    let authorization =
        if plan.basic_auth { "\n    proxy_set_header Authorization \"\";" } else { "" };
    let cookie = "\n    proxy_set_header Cookie $vestibule_cookie;";
    let inherited = inherited(plan, &format!("{cookie}{authorization}"));
    let checks = check_locations(plan, "        auth_request off;\n");
    format!(
        r"
{begin}
{FIELD_NAMES}
    # Every location inherits these. A location with a proxy_set_header of its own loses all of them, and
    # any client could claim to be any user there: repeat them in it, or have none.
    auth_request /_vestibule;
{inherited}

    location / {{
        proxy_pass {upstream};
    }}

{checks}}}
"
    )
}

/// How a server in front of an app reads the names of fields.
const FIELD_NAMES: &str = "    # No header that an app could take for one of those below is passed on. (Headers before Host are read
    # with the settings of the first server, so other spellings are also emptied below.)
    underscores_in_headers off;
    ignore_invalid_headers on;
";

/// What each location of an app inherits: what the app is told, `credentials` among it, and where the other answers
/// of a check lead.
fn inherited(plan: &ProxyPlan, credentials: &str) -> String {
    let ([set, tell], scheme) = (identity(plan), scheme(plan));
    let renewal = match plan.shared {
        Some(_) => "    auth_request_set $vestibule_renewal $upstream_http_set_cookie;\n",
        None => "",
    };
    format!(
        "    auth_request_set $vestibule_way_in $upstream_http_location;
{renewal}{set}
{tell}
    proxy_set_header Host $http_host;{credentials}
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Proto {scheme};
    proxy_set_header Upgrade $vestibule_upgrade;
    proxy_set_header Connection $vestibule_connection;
    proxy_http_version 1.1;
    error_page 401 = @vestibule_way_in;
    error_page 403 /_vestibule_denied;
    error_page 500 = @vestibule_silent;"
    )
}

/// The locations in which nginx asks vestibule and answers in place of an app; `unchecked` exempts them where the
/// whole server is guarded.
fn check_locations(plan: &ProxyPlan, unchecked: &str) -> String {
    let (check, denied) = (check(plan), denied(plan));
    let renewal = match plan.shared {
        Some(_) => {
            "        # Once a day a browser is led back to the same page, with the cookie of its renewed session.
        add_header Set-Cookie $vestibule_renewal always;
        add_header Cache-Control no-store always;
"
        }
        None => "",
    };
    format!(
        "    location = /_vestibule {{
        internal;
{unchecked}{check}
    }}

{denied}

    location @vestibule_way_in {{
{unchecked}{renewal}        if ($vestibule_sends = 302) {{ return 302 $vestibule_way_in; }}
        if ($vestibule_sends = 303) {{ return 303 $vestibule_way_in; }}
        types {{ }}
        default_type application/json;
        return 401 '{{\"error\":\"not_signed_in\",\"message\":\"Unauthorized\"}}';
    }}

    # A check that got no answer is a 500 of nginx; one of the app is passed on as it is.
    location @vestibule_silent {{
{unchecked}        types {{ }}
        default_type text/plain;
        add_header Retry-After 5 always;
        return 503 \"The sign-in does not answer. Please try again in a moment.\\n\";
    }}
"
    )
}

/// The check.
fn check(plan: &ProxyPlan) -> String {
    let kinds = match (plan.basic_auth, plan.needs_second_factor) {
        (true, false) => {
            "
        # Credentials, and what tells programs that may be challenged for some from browsers.
        proxy_set_header Authorization $http_authorization;
        proxy_set_header Accept $http_accept;
        proxy_set_header Origin $http_origin;
        proxy_set_header Sec-Fetch-Mode $http_sec_fetch_mode;
        proxy_set_header User-Agent $http_user_agent;"
        }
        (true, true) => {
            "
        # Credentials, and what tells programs from browsers: some may be challenged for credentials, and none is led to
        # the page where a second factor is set up.
        proxy_set_header Authorization $http_authorization;
        proxy_set_header Accept $http_accept;
        proxy_set_header Origin $http_origin;
        proxy_set_header Sec-Fetch-Mode $http_sec_fetch_mode;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header User-Agent $http_user_agent;
        proxy_set_header X-Requested-With $http_x_requested_with;"
        }
        (false, true) => {
            "
        # What tells browsers, which are led to the page where a second factor is set up, from programs.
        proxy_set_header Accept $http_accept;
        proxy_set_header Sec-Fetch-Mode $http_sec_fetch_mode;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header X-Requested-With $http_x_requested_with;"
        }
        (false, false) => "",
    };
    // nginx answers a 401 with this status, and only a redirect may carry the cookie.
    ask(plan, "/auth/nginx", &plan.check_query("", "$vestibule_sends"), kinds)
}

/// The page for a user whom the check denies access.
fn denied(plan: &ProxyPlan) -> String {
    let page = ask(
        plan,
        "/auth/denied",
        &plan.query,
        "
        proxy_set_header Accept $http_accept;
        proxy_set_header Accept-Language $http_accept_language;",
    );
    format!(
        "    # For a user whom the check denies access: why, and how to come back as another one. The status stays 403.
    location = /_vestibule_denied {{
        internal;
        auth_request off;
{page}
    }}"
    )
}

/// Asks vestibule about a request, of which only what it needs is passed on.
fn ask(plan: &ProxyPlan, path: &str, query: &str, more: &str) -> String {
    let (path, scheme) = (plan.check_path(path), scheme(plan));
    let question = if query.is_empty() { String::new() } else { format!("?{query}") };
    format!(
        r#"        proxy_pass http://vestibule{path}{question};
        proxy_pass_request_body off;
        proxy_pass_request_headers off;
        proxy_set_header Host $host;
        proxy_set_header Content-Length "";
        proxy_set_header Connection "";
        proxy_set_header Cookie $http_cookie;{more}
        proxy_set_header X-Original-URL {scheme}://$http_host$request_uri;
        proxy_set_header X-Original-Method $request_method;
        proxy_set_header X-Forwarded-For $remote_addr;
        # A long address comes back encoded in one header.
        proxy_buffer_size 32k;
        proxy_buffers 8 32k;"#
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
    let (begin, closed) = (server(plan, &plan.own.origin), closed_location(plan));
    let long = long_addresses(plan);
    format!(
        r#"
{begin}
{long}    proxy_buffer_size 16k;
    proxy_buffers 8 16k;
    client_max_body_size 128k;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header Connection "";
    proxy_http_version 1.1;

    location / {{
        proxy_pass http://vestibule;
    }}
{closed}}}
"#
    )
}

/// The beginning of a server, with what stands before everything else in it.
fn server(plan: &ProxyPlan, origin: &Origin) -> String {
    let (host, port) = (origin.host(), origin.port());
    if plan.is_clear() {
        return clear_server(plan, host);
    }
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
{}",
        challenges(plan)
    )
}

/// The longest address of the sign-in page: see `web/redirect.rs`.
const LONG_LINES: &str = "    large_client_header_buffers 4 32k;\n";

/// Lets the server of the sign-in read its long addresses, unless every server does.
fn long_addresses(plan: &ProxyPlan) -> String {
    if plan.is_clear() {
        return String::new();
    }
    format!("    # The sign-in page is told the address to lead back to.\n{LONG_LINES}")
}

/// A server behind something that ends TLS.
fn clear_server(plan: &ProxyPlan, host: &str) -> String {
    let mut from = String::new();
    for network in &plan.tls_before {
        push(&mut from, &format!("    set_real_ip_from {network};\n"));
    }
    format!(
        "server {{
    listen 80;
    listen [::]:80;
    server_name {host};

    # TLS ends before nginx, at one of these, which says who the client is.
{from}    real_ip_header X-Forwarded-For;
    real_ip_recursive on;
    if ($http_x_forwarded_proto = http) {{
        return 308 https://$host$request_uri;
    }}

    # The sign-in page is told the address to lead back to. Without TLS, the first server of a port decides how long an
    # address may be for all of them.
{LONG_LINES}"
    )
}
