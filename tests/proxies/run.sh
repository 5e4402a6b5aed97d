#!/bin/sh
# nginx, Caddy and Traefik in front of an app that answers with what reached it, configured by
# `vestibule proxy-config`, with TLS by a certificate authority that is thrown away.
# run.sh BINARY ECHO
set -eu
cd "$(dirname "$0")"
binary=$1
echo=$2
# Where Debian keeps what is for root.
PATH=$PATH:/usr/sbin

names="DNS:auth.example.test,DNS:app.example.test,DNS:wiki.example.test,DNS:code.example.test"
. ./common.sh

: >"$work/echo.log"
"$echo" 40 >"$work/echo.log" &
started="$started $!"
wait_for "$work/echo.log" ready
app=$(sed -n 's/^listening //p' "$work/echo.log")
# shellcheck disable=SC2046 # Two numbers.
set -- $(sed -n 's/^free //p' "$work/echo.log")

# A repository behind a server of files, for git.
files=$1
shift
repository=
if command -v git >/dev/null; then
    repository=kept.git
    serve_repository "$files"
fi

# configure PROXY PORT flag… prints a configuration, for a sign-in at the path $prefix of its host.
configure() {
    kind=$1 port=$2
    shift 2
    "$binary" proxy-config "$kind" --origin "https://auth.example.test:$port$prefix" \
        --cookie-domain example.test --listen "$vestibule" \
        --app "https://app.example.test:$port,https://code.example.test:$port" \
        --upstream "http://127.0.0.1:$app,http://127.0.0.1:$files" $(certificate "$kind") "$@"
}

# Traefik takes certificates in settings of its own.
certificate() {
    [ -n "${outer:-}" ] || [ "$1" = traefik ] || echo "--certificate $work/cert.pem --certificate-key $work/key.pem"
}

# serve PORT starts vestibule for a proxy at that port, and sets $vestibule and $server.
serve() {
    : >"$work/vestibule.log"
    "$binary" serve --listen 127.0.0.1:0 --database "$work/$1.db" --trusted-proxy 127.0.0.1 --alias authelia,tinyauth,oauth2-proxy,vouch \
        --origin "https://auth.example.test:$1$prefix" --cookie-domain example.test --basic-auth \
        --app "https://app.example.test:$1,https://wiki.example.test:$1,https://code.example.test:$1" 2>"$work/vestibule.log" &
    server=$!
    started="$started $server"
    wait_for "$work/vestibule.log" ev=listening
    vestibule=$(sed -n 's/.*ev=listening address=\([^ ]*\).*/\1/p' "$work/vestibule.log")
}

# A second app that only one group may see. With $outer, TLS ends before the proxy.
configuration() {
    set -- "$1" "$2" ${outer:+--tls-before=127.0.0.1}
    configure "$@" --basic-auth >"$work/$1.conf"
    "$binary" proxy-config "$1" --origin "https://auth.example.test:$2$prefix" \
        --cookie-domain example.test --listen "$vestibule" --groups staff \
        --app "https://wiki.example.test:$2" --upstream "http://127.0.0.1:$app" \
        $(certificate "$1") ${outer:+--tls-before=127.0.0.1} >"$work/$1.wiki"
}

start_nginx() {
    configuration nginx "$1"
    # Of the second file only the app: the rest is in the first.
    listen=${inner:+80}
    listen=${listen:-$1 ssl}
    sed -n '/server_name wiki/,/^}/p' "$work/nginx.wiki" |
        sed "1i server { listen $listen;" >>"$work/nginx.conf"
    run_nginx "${inner:-$1}"
}

start_caddy() {
    configuration caddy "$1"
    sed -n '/wiki/,/^}/p' "$work/caddy.wiki" | sed '/^#/d' >>"$work/caddy.conf"
    run_caddy "${inner:-$1}"
}

start_traefik() {
    configuration traefik "$1"
    # In two files of one provider every part needs a name of its own.
    mkdir -p "$work/dynamic"
    sed -e 's/vestibule/wiki/g' -e 's/app1/wiki1/g' "$work/traefik.wiki" >"$work/dynamic/wiki.yml"
    run_traefik "${inner:-$1}"
}

proxies="nginx caddy"
if get_traefik; then
    proxies="$proxies traefik"
else
    echo 'NOT TRIED: Traefik cannot be had here'
fi

# formatted FILE sees that the Caddyfile is as `caddy fmt` would write it.
formatted() {
    caddy fmt --diff "$1" | grep '^[-+]' >"$work/unformatted" || return 0
    cat "$work/unformatted"
    echo 'FAIL  caddy fmt would write it otherwise'
    exit 1
}

# guard PROXY PORT [INNER] looks at the apps that it guards, and whether doctor sees what is wrong with a
# configuration. With INNER, the proxy listens there, and TLS ends before it.
guard() {
    kind=$1 port=$2 inner=${3:-} outer=${3:+yes} client=127.0.0.1
    [ -z "$inner" ] || client=198.51.100.7
    serve "$port"
    case $kind in
        nginx) version=$(nginx -v 2>&1 | sed 's/.*nginx\///') ;;
        caddy) version=$(caddy version) ;;
        traefik) version=$("$traefik" version | sed -n 's/^Version: *//p') ;;
    esac
    printf '\n-- %s %s, prefix "%s"%s\n' "$kind" "$version" "$prefix" "${outer:+, TLS before it}"
    "start_$kind" "$port"
    started="$started $proxy"
    [ "$kind" != caddy ] || formatted "$work/caddy.conf"
    front=
    if [ -n "$outer" ]; then
        run_outer "$port" "$inner"
        started="$started $front"
    fi
    await_proxy "auth.example.test:$port" "$prefix/healthz"
    PORT=$port CA=$work/ca.pem BINARY=$binary DATABASE=$work/$port.db REPOSITORY=$repository sh ./clients.sh ||
        { tail -n 20 "$work/$kind.log" "$work/vestibule.log"; exit 1; }
    PORT=$port CA=$work/ca.pem BINARY=$binary DATABASE=$work/$port.db PREFIX=$prefix CLIENT=$client sh ./guard.sh ||
        { tail -n 20 "$work/$kind.log" "$work/vestibule.log"; exit 1; }
    if [ "$kind$outer" = nginx ]; then
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
        SICK=yes PORT=$port CA=$work/ca.pem BINARY=$binary DATABASE=$work/$port.db PREFIX=$prefix \
            sh ./guard.sh >"$work/sick" || { cat "$work/sick"; exit 1; }
        grep doctor "$work/sick"
    fi
    # shellcheck disable=SC2086 # The outer proxy, if there is one.
    { kill "$proxy" "$server" $front && wait "$proxy" "$server" $front; } || true
}

# The sign-in on a host of its own, below a path and not.
for kind in $proxies; do
    for prefix in "" /auth; do
        guard "$kind" "$1"
        shift
    done
done

# TLS ends before the proxy.
prefix=
for kind in $proxies; do
    guard "$kind" "$1" "$2"
    shift 2
done
inner='' outer=''

# The sign-in on the app's own host, below a path and not.
for kind in $proxies; do
    for prefix in "" /auth; do
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
            --upstream "http://127.0.0.1:$app" $(certificate "$kind") >"$work/$kind.conf"
        printf '\n-- %s on the app%ss host, prefix "%s"\n' "$kind" "'" "$prefix"
        [ "$kind" != caddy ] || formatted "$work/caddy.conf"
        "run_$kind" "$port"
        started="$started $proxy"
        await_proxy "app.example.test:$port" "$prefix/login"
        PORT=$port CA=$work/ca.pem BINARY=$binary PREFIX=$prefix VESTIBULE=$vestibule sh ./same_host.sh ||
            { tail -n 20 "$work/$kind.log" "$work/vestibule.log"; exit 1; }
        kill "$proxy" "$server"
        wait "$proxy" "$server" || true
    done
done
# At the ports that browsers know, where those may be used: on an address of this run alone.
address=127.$(($$ / 65536 % 250 + 1)).$(($$ / 256 % 256)).$(($$ % 254 + 1))
if [ "$(id -u)" -eq 0 ]; then
    . ./visitor.sh
    . ./usual_ports.sh
    : >"$work/vestibule.log"
    "$binary" serve --listen 127.0.0.1:0 --database "$work/usual.db" --trusted-proxy 127.0.0.1 \
        --origin https://auth.example.test --cookie-domain example.test --app https://app.example.test \
        2>"$work/vestibule.log" &
    started="$started $!"
    wait_for "$work/vestibule.log" ev=listening
    vestibule=$(sed -n 's/.*ev=listening address=\([^ ]*\).*/\1/p' "$work/vestibule.log")
    usual_ports nginx
    usual_ports caddy
else
    echo 'NOT TRIED: only root may use the ports 80 and 443'
fi
printf '\nAll passed behind %s.\n' "$proxies"
