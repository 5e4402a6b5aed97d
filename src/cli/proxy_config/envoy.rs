//! The configuration of Envoy, with its filter `ext_authz` over HTTP.

use super::{CHECK_FIELDS, ProxyPlan, closed, other_spellings, push};
use crate::base::origin::Origin;

pub(super) fn write(plan: &ProxyPlan) -> String {
    let mut text = format!(
        "# Guards apps behind vestibule. A bootstrap configuration for Envoy 1.26 or newer; check it with
# `envoy --mode validate --config-path FILE`.
{}
static_resources:
  listeners:
    - name: vestibule
      address: {{ socket_address: {{ address: \"::\", port_value: {}, ipv4_compat: true }} }}
      filter_chains:
        - transport_socket:
{}          filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: vestibule
                use_remote_address: true
                normalize_path: true
                # No header that an app could take for an identity header is passed on.
                common_http_protocol_options: {{ headers_with_underscores_action: DROP_HEADER }}
                # Only WebSocket upgrades: after another one, such as h2c, requests would bypass the checks.
                upgrade_configs: [{{ upgrade_type: websocket }}]
",
        plan.remark(),
        plan.own.origin.port(),
        tls(plan)
    );
    push(&mut text, &filters(plan));
    push(&mut text, &routes(plan));
    push(&mut text, &redirect(plan));
    push(&mut text, "  clusters:\n");
    for (number, (_, upstream)) in (1..).zip(&plan.apps) {
        push(&mut text, &cluster(&format!("app{number}"), upstream));
    }
    push(&mut text, &cluster("vestibule", &format!("http://{}", plan.place(""))));
    text
}

fn hosts(plan: &ProxyPlan) -> impl Iterator<Item = &Origin> {
    plan.apps.iter().map(|(app, _)| app).chain([&plan.own.origin])
}

fn tls(plan: &ProxyPlan) -> String {
    let mut text = String::from(
        "            name: envoy.transport_sockets.tls
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                alpn_protocols: [h2, http/1.1]
                tls_certificates:
",
    );
    let files = match &plan.certificate {
        Some(files) => vec![files.clone()],
        None => hosts(plan)
            .map(|it| {
                (format!("/etc/ssl/{}.pem", it.host()), format!("/etc/ssl/{}.key", it.host()))
            })
            .collect(),
    };
    for (certificate, key) in files {
        push(
            &mut text,
            &format!(
                "                  - certificate_chain: {{ filename: {certificate} }}
                    private_key: {{ filename: {key} }}
"
            ),
        );
    }
    text
}

fn filters(plan: &ProxyPlan) -> String {
    let place = plan.place("");
    let query = if plan.query.is_empty() { String::new() } else { format!("&{}", plan.query) };
    let path = plan.check_path("/auth/envoy/");
    // Envoy passes `Authorization` on by itself.
    let passed_on = CHECK_FIELDS.into_iter().filter(|it| *it != "authorization");
    let passed_on = patterns(passed_on.chain(["x-forwarded-for"]), 28);
    let told = patterns(plan.identity.all().into_iter().chain(["Cookie"]), 30);
    format!(
        "                http_filters:
                  - name: envoy.filters.http.ext_authz
                    typed_config:
                      \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
                      transport_api_version: V3
                      # Without an answer nothing passes.
                      failure_mode_allow: false
                      allowed_headers:
                          patterns:
{passed_on}                      http_service:
                        server_uri: {{ uri: \"http://{place}\", cluster: vestibule, timeout: 10s }}
                        # The address of the request follows the parameters of the check.
                        path_prefix: \"{path}cookies=filtered{query}\"
                        authorization_response:
                          # Each of these replaces what the client sent, its cookies by all but the session cookie.
                          allowed_upstream_headers:
                            patterns:
{told}                  - name: envoy.filters.http.router
                    typed_config:
                      \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
"
    )
}

/// Patterns for the names of fields, indented by so many spaces.
fn patterns<'a>(names: impl Iterator<Item = &'a str>, indent: usize) -> String {
    let mut text = String::new();
    for name in names {
        push(&mut text, &format!("{:indent$}- {{ exact: {name}, ignore_case: true }}\n", ""));
    }
    text
}

fn routes(plan: &ProxyPlan) -> String {
    let mut removed: Vec<_> = plan
        .identity
        .all()
        .into_iter()
        .flat_map(other_spellings)
        .filter(|it| !it.contains('_'))
        .collect();
    if plan.basic_auth {
        removed.push("Authorization".to_owned());
    }
    let removed = removed.join(", ");
    let mut text =
        String::from("                route_config:\n                  virtual_hosts:\n");
    for (number, (app, _)) in (1..).zip(&plan.apps) {
        let domains = domains(app);
        push(
            &mut text,
            &format!(
                "                    - name: app{number}
                      domains: [{domains}]
                      request_headers_to_remove: [{removed}]
                      routes:
                        - match: {{ prefix: / }}
                          route: {{ cluster: app{number}, timeout: 0s }}
"
            ),
        );
    }
    push(&mut text, &own_routes(plan));
    text
}

fn own_routes(plan: &ProxyPlan) -> String {
    let domains = domains(&plan.own.origin);
    let mut closes = String::new();
    for path in closed() {
        let kind = if path.ends_with('/') { "prefix" } else { "path" };
        push(
            &mut closes,
            &format!(
                "                        - match: {{ {kind}: {} }}
                          direct_response: {{ status: 404 }}
",
                plan.check_path(path)
            ),
        );
    }
    format!(
        "                    - name: vestibule
                      domains: [{domains}]
                      typed_per_filter_config:
                        envoy.filters.http.ext_authz:
                          \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                          disabled: true
                      routes:
                        # Only Envoy itself may ask for checks.
{closes}                        - match: {{ prefix: / }}
                          route: {{ cluster: vestibule }}
"
    )
}

/// The names of a host, as clients write it.
fn domains(origin: &Origin) -> String {
    let (host, port) = (origin.host(), origin.port());
    format!("{host}, \"{host}:{port}\"")
}

/// The listener that leads from http to https, where all hosts are at the default port.
fn redirect(plan: &ProxyPlan) -> String {
    if plan.redirected_hosts().is_none() {
        return String::new();
    }
    "    - name: vestibule-http
      address: { socket_address: { address: \"::\", port_value: 80, ipv4_compat: true } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: vestibule_http
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: [\"*\"]
                      routes:
                        - match: { prefix: / }
                          redirect: { https_redirect: true, response_code: PERMANENT_REDIRECT }
"
    .to_owned()
}

fn cluster(name: &str, upstream: &str) -> String {
    let (scheme, place) = upstream.split_once("://").expect("it was parsed");
    let is_https = scheme.eq_ignore_ascii_case("https");
    let usual = if is_https { "443" } else { "80" };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => (host, port),
        _ => (place, usual),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let tls = if is_https {
        format!(
            "      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
          sni: {host}
          common_tls_context:
            validation_context:
              trusted_ca: {{ filename: /etc/ssl/certs/ca-certificates.crt }}
              match_typed_subject_alt_names: [{{ san_type: DNS, matcher: {{ exact: {host} }} }}]
"
        )
    } else {
        String::new()
    };
    format!(
        "    - name: {name}
      type: STRICT_DNS
      load_assignment:
        cluster_name: {name}
        endpoints:
          - lb_endpoints:
              - endpoint: {{ address: {{ socket_address: {{ address: \"{host}\", port_value: {port} }} }} }}
{tls}"
    )
}
