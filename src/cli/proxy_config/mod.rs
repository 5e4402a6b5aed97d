//! The configuration of a reverse proxy that guards apps.
//!
//! Decides what a proxy has to be told so that no request reaches an app without a check: which headers it
//! has to overwrite or drop, in every location and every spelling, and where it sends browsers without a
//! session. Values in, text out.

mod flags;

use std::fmt::Write;

use crate::server::gate::Listen;
use crate::web::origin::Origin;
use crate::web::{IdentityHeaders, check_paths};

pub use flags::ProxyFlags;

/// A reverse proxy for which there is a configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// nginx, with its module `auth_request`.
    Nginx,
    /// Caddy, from version 2.
    Caddy,
    /// Traefik, as a file for its file provider.
    Traefik,
}

/// What a configuration is to guard, and how.
pub struct Plan {
    /// The origin of the sign-in.
    pub own: Origin,
    /// Where vestibule listens, as the proxy reaches it.
    pub listen: Listen,
    /// The apps, each with the address at which the proxy reaches it.
    pub apps: Vec<(Origin, String)>,
    /// The name of the session cookie, which is kept from apps.
    pub cookie: &'static str,
    /// The identity headers, which tell apps who the user is.
    pub identity: IdentityHeaders,
    /// The parameters of the checks: who is admitted; empty: every signed-in user.
    pub query: String,
    /// Whether checks take passwords and access tokens.
    pub basic_auth: bool,
    /// Certificate and key, if the proxy does not obtain them itself.
    pub certificate: Option<(String, String)>,
    /// The `vestibule serve` command that the configuration is for.
    pub command: String,
}

/// The configuration for this proxy.
pub fn write(kind: Kind, plan: &Plan) -> String {
    match kind {
        Kind::Nginx => nginx(plan),
        Kind::Caddy => caddy(plan),
        Kind::Traefik => traefik(plan),
    }
}

impl Plan {
    /// How the proxy reaches vestibule: host and port, or a socket's path with this prefix.
    fn place(&self, socket: &str) -> String {
        match &self.listen {
            Listen::Tcp(address) if address.ip().is_unspecified() => {
                format!("127.0.0.1:{}", address.port())
            }
            Listen::Tcp(address) => address.to_string(),
            Listen::Unix(path) => format!("{socket}{}", path.display()),
        }
    }

    /// The comment that says what the configuration is for, and whom it admits.
    fn remark(&self) -> String {
        let warning = if self.query.is_empty() {
            "# Every user is admitted, and anyone can sign up unless --signup is invite or closed. --groups and --users\n# restrict that.\n"
        } else {
            ""
        };
        format!("# It is for\n#   {}\n{warning}", self.command)
    }

    fn question(&self) -> String {
        if self.query.is_empty() { String::new() } else { format!("?{}", self.query) }
    }
}

/// The other spellings of a header that some servers take for this one: WSGI, CGI and PHP map hyphen and
/// underscore, and some the dot, to the same variable.
pub(crate) fn other_spellings(name: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for character in name.chars() {
        let written: &[char] = if character == '-' { &['-', '_', '.'] } else { &[character] };
        all = all
            .iter()
            .flat_map(|begun| written.iter().map(move |it| format!("{begun}{it}")))
            .collect();
    }
    all.retain(|it| it != name);
    all
}

/// The paths that a proxy keeps from clients: each check endpoint, or, where several are in one folder, the
/// folder with a slash at its end.
fn closed() -> Vec<&'static str> {
    let folder = |path: &'static str| &path[..=path.rfind('/').expect("a path begins with one")];
    let mut closed = Vec::new();
    for path in check_paths() {
        let is_shared = check_paths().filter(|it| folder(it) == folder(path)).count() > 1;
        let place = if is_shared { folder(path) } else { path };
        if !closed.contains(&place) {
            closed.push(place);
        }
    }
    closed
}

/// The name of nginx's variable for a header.
fn word(text: &str) -> String {
    text.replace(|it: char| !it.is_ascii_alphanumeric(), "_").to_ascii_lowercase()
}

// nginx.

fn nginx(plan: &Plan) -> String {
    let mut text = String::new();
    push(&mut text, &nginx_preamble(plan));
    for (app, upstream) in &plan.apps {
        push(&mut text, &nginx_app(plan, app, upstream));
    }
    push(&mut text, &nginx_own(plan));
    text
}

fn nginx_preamble(plan: &Plan) -> String {
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

fn nginx_app(plan: &Plan, app: &Origin, upstream: &str) -> String {
    let check = nginx_check(plan);
    let [set, tell] = nginx_identity(plan);
    let begin = nginx_server(plan, app);
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
fn nginx_check(plan: &Plan) -> String {
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
fn nginx_identity(plan: &Plan) -> [String; 2] {
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

fn nginx_own(plan: &Plan) -> String {
    let begin = nginx_server(plan, &plan.own);
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

fn nginx_server(plan: &Plan, origin: &Origin) -> String {
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

// Caddy.

fn caddy(plan: &Plan) -> String {
    let mut text = format!(
        "# Guards apps behind vestibule. A Caddyfile for Caddy 2.6 or newer; check it with \
         `caddy validate`.\n{}",
        plan.remark()
    );
    for (app, upstream) in &plan.apps {
        push(&mut text, &caddy_app(plan, app, upstream));
    }
    push(&mut text, &caddy_own(plan));
    text
}

fn caddy_app(plan: &Plan, app: &Origin, upstream: &str) -> String {
    let (tls, place, query) = (caddy_tls(plan), plan.place("unix/"), &plan.query);
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

fn caddy_own(plan: &Plan) -> String {
    let (own, tls, place) = (&plan.own, caddy_tls(plan), plan.place("unix/"));
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

fn caddy_tls(plan: &Plan) -> String {
    match &plan.certificate {
        Some((certificate, key)) => format!("\n    tls {certificate} {key}"),
        None => String::new(),
    }
}

// Traefik.

fn traefik(plan: &Plan) -> String {
    let (own, place) = (plan.own.host(), plan.place(""));
    let part = |path: &str| format!(" && !PathPrefix(`{path}`)");
    let closed: String = closed().into_iter().map(part).collect();
    let mut text = format!(
        "# Guards apps behind vestibule. A dynamic configuration for Traefik 2 or 3 (file provider), with \
         an\n# entry point called websecure.\n{}\nhttp:\n  routers:\n",
        plan.remark()
    );
    let authorization = if plan.basic_auth { ", vestibule-authorization" } else { "" };
    for (number, (app, _)) in (1..).zip(&plan.apps) {
        let host = app.host();
        push(
            &mut text,
            &format!(
                "    app{number}:
      rule: Host(`{host}`)
      entryPoints: [websecure]
      middlewares: [vestibule-spellings, vestibule{authorization}]
      service: app{number}
      tls: {{}}
"
            ),
        );
    }
    push(
        &mut text,
        &format!(
            "    vestibule:
      # Only Traefik itself may ask for checks.
      rule: Host(`{own}`){closed}
      entryPoints: [websecure]
      service: vestibule
      tls: {{}}
"
        ),
    );
    push(&mut text, &traefik_middlewares(plan));
    push(&mut text, "  services:\n");
    for (number, (_, upstream)) in (1..).zip(&plan.apps) {
        push(&mut text, &traefik_service(&format!("app{number}"), upstream));
    }
    push(&mut text, &traefik_service("vestibule", &format!("http://{place}")));
    text
}

fn traefik_middlewares(plan: &Plan) -> String {
    let (place, question) = (plan.place(""), plan.question());
    let names = plan.identity.all();
    let mut drops = String::new();
    for name in names {
        for spelling in other_spellings(name) {
            push(&mut drops, &format!("          {spelling}: \"\"\n"));
        }
    }
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
{drops}{authorization}    vestibule:
      forwardAuth:
        address: \"http://{place}/auth/forward{question}\"
        # Each of these replaces what the client sent.
        authResponseHeaders: [{names}]
        # true only behind another proxy that you trust.
        trustForwardHeader: false
"
    )
}

fn traefik_service(name: &str, upstream: &str) -> String {
    format!(
        "    {name}:
      loadBalancer:
        servers:
          - url: \"{upstream}\"
"
    )
}

fn push(text: &mut String, part: &str) {
    text.write_str(part).expect("a string takes whatever is written to it");
}
