# nginx, Caddy and Traefik as the guides of other gates configure them, with vestibule under --alias in the gate's place. Only
# the port is our own, so `$http_host` stands for `$host` where it becomes an address. Sourced by run.sh.
# shellcheck shell=sh
# shellcheck disable=SC2016,SC2154 # Variables of nginx, and of run.sh.

# alias_server HOST TEXT: a server of nginx.
alias_server() {
    printf 'server {\n    listen %s ssl;\n    server_name %s.example.test;\n' "$port" "$1"
    printf '    ssl_certificate %s/cert.pem;\n    ssl_certificate_key %s/key.pem;\n%s\n}\n' "$work" "$work" "$2"
}
# The sign-in, in every guide.
alias_site() {
    alias_server auth "proxy_set_header Host \$http_host; large_client_header_buffers 4 32k; proxy_buffer_size 16k; proxy_buffers 8 16k;
        location / { proxy_pass http://$vestibule; }"
}
no_body='proxy_pass_request_body off; proxy_set_header Content-Length "";'

# oauth2_proxy SIGN-IN: the guide's locations, and how it leads to the sign-in.
oauth2_proxy() {
    alias_server app "
    location /oauth2/ {
        proxy_pass http://$vestibule;
        proxy_set_header Host \$host;
        proxy_set_header X-Real-IP \$remote_addr;
        proxy_set_header X-Auth-Request-Redirect \$request_uri;
    }
    location = /oauth2/auth {
        proxy_pass http://$vestibule;
        proxy_set_header Host \$host;
        proxy_set_header X-Real-IP \$remote_addr;
        proxy_set_header X-Forwarded-Uri \$request_uri;
        $no_body
    }
    location / {
        auth_request /oauth2/auth;
        error_page 401 $1;
        auth_request_set \$user \$upstream_http_x_auth_request_user;
        proxy_set_header Remote-User \$user;
        proxy_pass http://127.0.0.1:$app;
    }
    location @oauth2_signin { return 302 /oauth2/sign_in?rd=\$scheme://\$http_host\$request_uri; }"
}
# authelia ENDPOINT LOCATION: what the portal's address is, or the header with it.
authelia() {
    alias_server app "
    location /internal/authelia {
        internal;
        proxy_pass http://$vestibule$1;
        proxy_set_header X-Original-Method \$request_method;
        proxy_set_header X-Original-URL \$scheme://\$http_host\$request_uri;
        proxy_set_header X-Forwarded-For \$remote_addr;
        $no_body
    }
    location / {
        auth_request /internal/authelia;
        auth_request_set \$redirection_url \$upstream_http_location;
        auth_request_set \$user \$upstream_http_remote_user;
        proxy_set_header Remote-User \$user;
        set \$target_url \$scheme://\$http_host\$request_uri;
        error_page 401 =302 $2;
        proxy_pass http://127.0.0.1:$app;
    }"
}
# tinyauth LOCATION: as its guide writes the address, or the header with it.
tinyauth() {
    alias_server app "
    location /tinyauth {
        internal;
        proxy_pass http://$vestibule/api/auth/nginx;
        proxy_set_header X-Original-URL \$scheme://\$http_host\$request_uri;
        $no_body
    }
    location / {
        auth_request /tinyauth;
        auth_request_set \$redirection_url \$upstream_http_x_tinyauth_location;
        auth_request_set \$user \$upstream_http_remote_user;
        proxy_set_header Remote-User \$user;
        error_page 401 = @tinyauth_login;
        proxy_pass http://127.0.0.1:$app;
    }
    location @tinyauth_login { return 302 $1; }"
}
vouch() {
    alias_server app "
    auth_request /validate;
    location = /validate {
        proxy_pass http://$vestibule/validate;
        proxy_set_header Host \$http_host;
        $no_body
        auth_request_set \$auth_resp_x_vouch_user \$upstream_http_x_vouch_user;
        auth_request_set \$auth_resp_jwt \$upstream_http_x_vouch_jwt;
        auth_request_set \$auth_resp_err \$upstream_http_x_vouch_err;
        auth_request_set \$auth_resp_failcount \$upstream_http_x_vouch_failcount;
    }
    error_page 401 = @error401;
    location @error401 {
        return 302 $own/login?url=\$scheme://\$http_host\$request_uri&vouch-failcount=\$auth_resp_failcount&X-Vouch-Token=\$auth_resp_jwt&error=\$auth_resp_err;
    }
    location / {
        auth_request_set \$user \$upstream_http_x_vouch_user;
        proxy_set_header Remote-User \$user;
        proxy_pass http://127.0.0.1:$app;
    }"
}

# alias_caddy TEXT: the sites of Caddy.
alias_caddy() {
    printf 'auth.example.test:%s {\n    tls %s/cert.pem %s/key.pem\n    reverse_proxy %s\n}\n' \
        "$port" "$work" "$work" "$vestibule"
    printf 'app.example.test:%s {\n    tls %s/cert.pem %s/key.pem\n%s\n}\n' "$port" "$work" "$work" "$1"
}
caddy_check() {
    alias_caddy "    forward_auth $vestibule {
        uri $1
        copy_headers Remote-User
    }
    reverse_proxy 127.0.0.1:$app"
}
caddy_oauth2_proxy() {
    alias_caddy "    handle /oauth2/* {
        reverse_proxy $vestibule {
            header_up X-Real-IP {remote_host}
            header_up X-Forwarded-Uri {uri}
        }
    }
    handle {
        forward_auth $vestibule {
            uri /oauth2/auth?
            header_up X-Real-IP {remote_host}
            copy_headers X-Auth-Request-User>Remote-User
            @error status 401
            handle_response @error {
                redir * /oauth2/sign_in?rd={scheme}://{http.request.hostport}{uri}
            }
        }
        reverse_proxy 127.0.0.1:$app
    }"
}

# alias_traefik MIDDLEWARES TEXT [ROUTERS]: what is used, what it is, and more routers.
alias_traefik() {
    cat <<CONF
http:
  routers:
    app: { rule: "Host(\`app.example.test\`)", entryPoints: [websecure], middlewares: [$1], service: app, tls: {} }
    auth: { rule: "Host(\`auth.example.test\`)", entryPoints: [websecure], service: gate, tls: {} }
${3:-}
  services:
    app: { loadBalancer: { servers: [{ url: "http://127.0.0.1:$app" }] } }
    gate: { loadBalancer: { servers: [{ url: "http://$vestibule" }] } }
  middlewares:
$2
CONF
}
# traefik_check ADDRESS HEADERS
traefik_check() {
    alias_traefik gate "    gate:
      forwardAuth: { address: \"http://$vestibule$1\", trustForwardHeader: true, authResponseHeaders: [$2] }"
}
traefik_oauth2_proxy() {
    alias_traefik 'oauth-errors, oauth-auth' "    oauth-auth:
      forwardAuth: { address: \"http://$vestibule/oauth2/auth\", trustForwardHeader: true, authResponseHeaders: [X-Auth-Request-User] }
    oauth-errors:
      errors: { status: [401-403], service: gate, query: \"/oauth2/sign_in?rd={url}\" }" \
        '    oauth: { rule: "Host(`app.example.test`) && PathPrefix(`/oauth2/`)", entryPoints: [websecure], service: gate, tls: {} }'
}

# The method and the address that reached the app.
asked_of_app() { head -n 1 "$work/echo" | cut -d ' ' -f 1,2; }

# walk NAME STATUS: what a browser meets at the app, from the first click to the app itself.
walk() {
    asked="https://app.example.test:$port/a%20b?x=1&y=%C3%A4&z"
    rm -f "$work/jar"
    came=$(known "$asked" --output "$work/first" --dump-header "$work/head" --write-out '%{http_code}')
    check "$1: a stranger is shown the way" "$2" "$came"
    if [ "$2" -gt 400 ]; then
        # A browser follows no redirect with such a status; a visitor follows the link.
        next=$(sed -n 's/.*href="\([^"]*\)".*/\1/p' "$work/first" | sed 's/&amp;/\&/g')
    else
        next=$(tr -d '\r' <"$work/head" | sed -n 's/^Location: //Ip')
        case $next in /*) next=https://app.example.test:$port$next ;; esac
    fi
    known "$next" --location --max-redirs 5 --output "$work/form"
    hidden=$(sed -n 's/.*name="next" value="\([^"]*\)".*/\1/p' "$work/form" | sed 's/&amp;/\&/g')
    check "$1: it leads to the sign-in page with the whole address" "$asked" "$hidden"
    came=$(way known "$own/login" --header "Origin: $own" --data-urlencode username=vera \
        --data-urlencode "password=$password" --data-urlencode "next=$hidden")
    check "$1: and back to it" "302 $asked" "$came"
    known "$asked" --output "$work/echo"
    check "$1: the app gets it" "GET ${asked#"https://app.example.test:$port"}" "$(asked_of_app)"
    check "$1: and the name" vera "$(tr -d '\r' <"$work/echo" | sed -n "s/^$told: //Ip")"
    known "$next" --location --max-redirs 5 --output "$work/echo"
    check "$1: a signed-in user is led on from the link" "GET ${asked#"https://app.example.test:$port"}" \
        "$(asked_of_app)"
}

# try_guide PROXY NAME STATUS COMMAND…: prints a configuration with the command, and walks behind it.
try_guide() {
    kind=$1 name="$1, $2" status=$3
    shift 3
    told=$([ "$1" = traefik_oauth2_proxy ] && echo X-Auth-Request-User || echo Remote-User)
    { [ "$kind" != nginx ] || alias_site; "$@"; } >"$work/$kind.conf"
    "run_$kind" "$port"
    await_proxy "auth.example.test:$port" /healthz
    walk "$name" "$status"
    end "$proxy"
}

# oauth2-proxy has an upstream static://202, for which its guide lets Traefik ask for its home page. Ours shows every
# signed-in user the profile, so it is no check and lets no request through.
refuse_home_page() {
    kind=traefik
    traefik_check / Remote-User >"$work/traefik.conf"
    run_traefik "$port"
    await_proxy "auth.example.test:$port" /healthz
    check 'traefik, oauth2-proxy static://202: the home page is no check' '403 302' \
        "$(status known "https://app.example.test:$port/x") $(status page "https://app.example.test:$port/x")"
    check 'traefik, oauth2-proxy static://202: the log says which address is one' yes \
        "$(grep -q 'ev=check_refused .*reason=not_a_check .*/oauth2/auth' "$work/vestibule.log" && echo yes || tail "$work/vestibule.log")"
    end "$proxy"
}

# try_guides PORT: every alias, with the configurations of its guides.
try_guides() {
    port=$1
    own=https://auth.example.test:$port
    password='three unrelated words'
    web() {
        curl --silent --show-error --max-time 30 --cacert "$work/ca.pem" --http1.1 \
            --resolve "auth.example.test:$port:127.0.0.1" --resolve "app.example.test:$port:127.0.0.1" "$@"
    }
    known() { page --cookie "$work/jar" --cookie-jar "$work/jar" "$@"; }
    prefix=
    serve "$port"
    printf '%s\n' "$password" | "$binary" user add vera --database "$work/$port.db" >/dev/null
    printf '\n-- as the guides of other gates configure nginx, Caddy and Traefik\n'
    try_guide nginx 'oauth2-proxy = /oauth2/sign_in' 302 oauth2_proxy '= /oauth2/sign_in'
    try_guide nginx 'oauth2-proxy =403 /oauth2/sign_in' 403 oauth2_proxy '=403 /oauth2/sign_in'
    try_guide nginx 'oauth2-proxy @oauth2_signin' 302 oauth2_proxy '= @oauth2_signin'
    try_guide nginx 'Authelia' 302 authelia /api/authz/auth-request '$redirection_url'
    try_guide nginx 'Authelia before 4.38' 302 authelia /api/verify "$own/?rd=\$target_url"
    try_guide nginx 'tinyauth' 302 tinyauth '$redirection_url'
    try_guide nginx 'tinyauth before 5' 302 tinyauth "$own/login?redirect_uri=\$scheme://\$http_host\$request_uri"
    try_guide nginx 'vouch' 302 vouch
    try_guide caddy 'oauth2-proxy' 302 caddy_oauth2_proxy
    try_guide caddy 'Authelia' 302 caddy_check '/api/authz/forward-auth?'
    try_guide caddy 'Authelia before 4.38' 302 caddy_check "/api/verify?rd=$own/"
    try_guide caddy 'tinyauth' 307 caddy_check '/api/auth/caddy?'
    case " $proxies " in *' traefik '*) try_guides_traefik ;; esac
    end "$server"
}

try_guides_traefik() {
    rm -f "$work/dynamic/wiki.yml"
    try_guide traefik 'oauth2-proxy' 401 traefik_oauth2_proxy
    try_guide traefik 'Authelia' 302 traefik_check /api/authz/forward-auth Remote-User,Remote-Groups,Remote-Email,Remote-Name
    try_guide traefik 'Authelia before 4.38' 302 traefik_check "/api/verify?rd=$own/" Remote-User,Remote-Groups
    try_guide traefik 'tinyauth' 307 traefik_check /api/auth/traefik Remote-User
    refuse_home_page
}
