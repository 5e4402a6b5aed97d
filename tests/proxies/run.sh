#!/bin/sh
# nginx and Caddy in front of an app that answers with what reached it, configured by
# `vestibule proxy-config`, with TLS by a certificate authority that is thrown away.
# run.sh BINARY ECHO
set -eu
cd "$(dirname "$0")"
binary=$1
echo=$2
# Where Debian keeps what is for root.
PATH=$PATH:/usr/sbin

work=$(mktemp -d)
started=""
# shellcheck disable=SC2086 # A list of process ids.
clean_up() {
    [ -z "$started" ] || kill $started 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

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
names="subjectAltName=DNS:auth.example.test,DNS:app.example.test,DNS:wiki.example.test"
# shellcheck disable=SC2086 # A list of options.
{
    openssl req -x509 $key -days 2 -subj '/CN=thrown away' -keyout "$work/ca.key" -out "$work/ca.pem"
    openssl req $key -subj '/CN=example.test' -keyout "$work/key.pem" -out "$work/request.pem"
    printf '%s\n' "$names" >"$work/names"
    openssl x509 -req -days 2 -in "$work/request.pem" -CA "$work/ca.pem" -CAkey "$work/ca.key" \
        -CAcreateserial -extfile "$work/names" -out "$work/cert.pem"
} 2>"$work/openssl.log" || { cat "$work/openssl.log"; exit 1; }
chmod 755 "$work"
chmod 644 "$work"/*.pem

: >"$work/echo.log"
"$echo" 6 >"$work/echo.log" &
started="$started $!"
wait_for "$work/echo.log" ready
app=$(sed -n 's/^listening //p' "$work/echo.log")
# shellcheck disable=SC2046 # Two numbers.
set -- $(sed -n 's/^free //p' "$work/echo.log")

# configure PROXY PORT flag… prints a configuration.
configure() {
    kind=$1 port=$2
    shift 2
    "$binary" proxy-config "$kind" --origin "https://auth.example.test:$port" \
        --cookie-domain example.test --listen "$vestibule" \
        --app "https://app.example.test:$port" --upstream "http://127.0.0.1:$app" \
        --certificate "$work/cert.pem" --certificate-key "$work/key.pem" "$@"
}

# serve PORT starts vestibule for a proxy at that port, and sets $vestibule and $server.
serve() {
    : >"$work/vestibule.log"
    "$binary" serve --listen 127.0.0.1:0 --database "$work/$1.db" --trusted-proxy 127.0.0.1 --alias authelia,tinyauth,oauth2-proxy,vouch \
        --origin "https://auth.example.test:$1" --cookie-domain example.test --basic-auth \
        --app "https://app.example.test:$1,https://wiki.example.test:$1" 2>"$work/vestibule.log" &
    server=$!
    started="$started $server"
    wait_for "$work/vestibule.log" ev=listening
    vestibule=$(sed -n 's/.*ev=listening address=\([^ ]*\).*/\1/p' "$work/vestibule.log")
}

# A second app that only one group may see.
configuration() {
    configure "$1" "$2" --basic-auth >"$work/$1.conf"
    "$binary" proxy-config "$1" --origin "https://auth.example.test:$2" \
        --cookie-domain example.test --listen "$vestibule" --groups staff \
        --app "https://wiki.example.test:$2" --upstream "http://127.0.0.1:$app" \
        --certificate "$work/cert.pem" --certificate-key "$work/key.pem" >"$work/$1.wiki"
}

start_nginx() {
    configuration nginx "$1"
    # Of the second file only the app: the rest is in the first.
    sed -n '/server_name wiki/,/^}/p' "$work/nginx.wiki" |
        sed "1i server { listen $1 ssl;" >>"$work/nginx.conf"
    run_nginx "$1"
}

run_nginx() {
    cat >"$work/main.conf" <<CONF
pid $work/nginx.pid;
error_log $work/nginx.log;
daemon off;
events {}
http {
    access_log off;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    include $work/nginx.conf;
}
CONF
    # Everything listens on this machine alone.
    sed -i -e "s/listen $1 ssl/listen 127.0.0.1:$1 ssl/" -e '/listen \[::\]/d' "$work/nginx.conf"
    nginx -t -q -c "$work/main.conf" -e "$work/nginx.log" -p "$work" || { cat "$work/nginx.log"; exit 1; }
    nginx -c "$work/main.conf" -e "$work/nginx.log" -p "$work" &
    proxy=$!
}

start_caddy() {
    configuration caddy "$1"
    sed -n '/wiki/,/^}/p' "$work/caddy.wiki" | sed '/^#/d' >>"$work/caddy.conf"
    run_caddy
}

run_caddy() {
    {
        printf '{\n    admin off\n    auto_https disable_redirects\n    default_bind 127.0.0.1\n}\n'
        cat "$work/caddy.conf"
    } >"$work/Caddyfile"
    XDG_DATA_HOME=$work XDG_CONFIG_HOME=$work caddy run --adapter caddyfile \
        --config "$work/Caddyfile" >"$work/caddy.log" 2>&1 &
    proxy=$!
}

# await_proxy HOST:PORT PATH
await_proxy() {
    tries=0
    until curl --silent --output /dev/null --cacert "$work/ca.pem" --resolve "$1:127.0.0.1" "https://$1$2"; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || { cat "$work/$kind.log"; echo "FAIL  $kind does not answer"; exit 1; }
        sleep 0.05
    done
}

for kind in nginx caddy; do
    port=$1
    shift
    serve "$port"
    case $kind in
        nginx) version=$(nginx -v 2>&1 | sed 's/.*nginx\///') ;;
        caddy) version=$(caddy version) ;;
    esac
    printf '\n-- %s %s\n' "$kind" "$version"
    "start_$kind" "$port"
    started="$started $proxy"
    await_proxy "auth.example.test:$port" /healthz
    PORT=$port CA=$work/ca.pem BINARY=$binary DATABASE=$work/$port.db sh ./guard.sh ||
        { tail -n 20 "$work/$kind.log" "$work/vestibule.log"; exit 1; }
    if [ "$kind" = nginx ]; then
        # Two faults that people make: a location that is open, and one that loses the headers.
        sed -i '0,/location \/ {/s||location /open/ { auth_request off; proxy_pass http://127.0.0.1:'"$app"'; }\n    location /bare/ { proxy_set_header X-Mine 1; proxy_pass http://127.0.0.1:'"$app"'; }\n    location / {|' "$work/nginx.conf"
        kill -HUP "$proxy"
        tries=0
        until curl --silent --fail --output /dev/null --cacert "$work/ca.pem" \
            --resolve "app.example.test:$port:127.0.0.1" "https://app.example.test:$port/open/"; do
            tries=$((tries + 1))
            [ "$tries" -lt 200 ] || { echo 'FAIL  nginx does not reload'; exit 1; }
            sleep 0.05
        done
        SICK=yes PORT=$port CA=$work/ca.pem BINARY=$binary DATABASE=$work/$port.db \
            sh ./guard.sh >"$work/sick" || { cat "$work/sick"; exit 1; }
        grep doctor "$work/sick"
    fi
    kill "$proxy" "$server"
    wait "$proxy" "$server" || true
done

# The sign-in on the app's own host, below a path and not.
for kind in nginx caddy; do
    for prefix in "" /sign-in; do
        port=$1
        shift
        own=https://app.example.test:$port$prefix
        : >"$work/vestibule.log"
        "$binary" serve --listen 127.0.0.1:0 --database "$work/$port.db" --trusted-proxy 127.0.0.1 \
            --origin "$own" 2>"$work/vestibule.log" &
        server=$!
        started="$started $server"
        wait_for "$work/vestibule.log" ev=listening
        vestibule=$(sed -n 's/.*ev=listening address=\([^ ]*\).*/\1/p' "$work/vestibule.log")
        "$binary" proxy-config "$kind" --same-host --guard /admin --origin "$own" --listen "$vestibule" \
            --upstream "http://127.0.0.1:$app" --certificate "$work/cert.pem" \
            --certificate-key "$work/key.pem" >"$work/$kind.conf"
        printf '\n-- %s on the app%ss host, prefix "%s"\n' "$kind" "'" "$prefix"
        "run_$kind" "$port"
        started="$started $proxy"
        await_proxy "app.example.test:$port" "$prefix/login"
        PORT=$port CA=$work/ca.pem BINARY=$binary PREFIX=$prefix VESTIBULE=$vestibule sh ./same_host.sh ||
            { tail -n 20 "$work/$kind.log" "$work/vestibule.log"; exit 1; }
        kill "$proxy" "$server"
        wait "$proxy" "$server" || true
    done
done
printf '\nAll passed behind nginx and Caddy.\n'
