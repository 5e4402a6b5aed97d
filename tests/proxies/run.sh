#!/bin/sh
# nginx, Caddy, Traefik, HAProxy and Apache httpd in front of an app that answers with what reached it, configured by
# `vestibule proxy-config`, with TLS by a certificate authority that is thrown away.
# run.sh BINARY ECHO
# $PARTS names the parts to run, and $PROXIES the proxies; all that there are, if they are not set.
set -eu
cd "$(dirname "$0")"
binary=$1
echo=$2
# Where Debian keeps what is for root.
PATH=$PATH:/usr/sbin

names="DNS:auth.example.test,DNS:app.example.test,DNS:wiki.example.test,DNS:code.example.test"
names="$names,DNS:calendar.example.test,DNS:files.example.test"
. ./common.sh
. ./visitor.sh

# HAProxy takes certificate and key from one file.
cat "$work/cert.pem" "$work/key.pem" >"$work/both.pem"

: >"$work/echo.log"
"$echo" 66 >"$work/echo.log" &
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
    [ -z "${outer:-}" ] || return 0
    case $1 in
        traefik) ;;
        haproxy) echo "--certificate $work/both.pem --certificate-key $work/both.pem" ;;
        *) echo "--certificate $work/cert.pem --certificate-key $work/key.pem" ;;
    esac
}

# serve PORT starts vestibule for a proxy at that port, and sets $vestibule and $server.
serve() {
    : >"$work/vestibule.log"
    "$binary" serve --listen 127.0.0.1:0 --database "$work/$1.db" --trusted-proxy 127.0.0.1 --alias authelia,tinyauth,oauth2-proxy,vouch \
        --origin "https://auth.example.test:$1$prefix" --cookie-domain example.test --basic-auth --head-bytes 65536 \
        --help-text 'Please ask for the key in room 3.' \
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

start_haproxy() {
    configuration haproxy "$1"
    configure haproxy "$1" --script >"$work/haproxy.lua"
    echo >>"$work/haproxy.conf"
    sed -n '/^backend vestibule_app1/,/^$/p' "$work/haproxy.wiki" | sed 's/app1/wiki/' >>"$work/haproxy.conf"
    sed -i '/use_backend vestibule if/i\    use_backend vestibule_wiki if { req.hdr(host),field(1,:) -i wiki.example.test }' \
        "$work/haproxy.conf"
    run_haproxy "${inner:-$1}"
}

start_apache() {
    configuration apache "$1"
    configure apache "$1" --script >"$work/apache.lua"
    awk '/<VirtualHost/ { host = "" } { host = host $0 "\n" } /<\/VirtualHost/ { if (host ~ /ServerName wiki/) print host }' \
        "$work/apache.wiki" >>"$work/apache.conf"
    run_apache "${inner:-$1}"
}

proxies="nginx caddy"
if get_traefik; then
    proxies="$proxies traefik"
else
    echo 'NOT TRIED: Traefik cannot be had here'
fi
for command in haproxy apache2; do
    if command -v "$command" >/dev/null; then
        proxies="$proxies ${command%2}"
    else
        echo "NOT TRIED: $command is not installed"
    fi
done

proxies=${PROXIES:-$proxies}
# of PART PROXY… prints the proxies with which the part is run.
of() {
    part=$1
    shift
    case " ${PARTS:-$part} " in *" $part "*) echo "$*" ;; esac
}

# formatted FILE sees that the Caddyfile is as `caddy fmt` would write it.
formatted() {
    caddy fmt --diff "$1" | grep '^[-+]' >"$work/unformatted" || return 0
    cat "$work/unformatted"
    echo 'FAIL  caddy fmt would write it otherwise'
    exit 1
}

# silent looks at what a proxy answers while vestibule does not: nothing of the app.
silent() {
    case $kind in
        nginx) expected='503 5' ;;
        apache) expected='503 5' ;;
        traefik) expected='500 ' ;;
        haproxy) expected='503 5' ;;
        caddy) expected='503 5' ;;
    esac
    end "$server"
    for path in / /x.png; do
        curl --silent --cacert "$work/ca.pem" --resolve "app.example.test:$port:127.0.0.1" --dump-header "$work/head" \
            --output "$work/page" --write-out '%{http_code}' "https://app.example.test:$port$path" >"$work/status"
        check "$kind answers in place of the app while vestibule does not: $path" "$expected" \
            "$(cat "$work/status") $(tr -d '\r' <"$work/head" | sed -n 's/^Retry-After: //Ip')"
        check 'and nothing of the app' '' "$(grep -i '^host:' "$work/page" || true)"
    done
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
        haproxy) version=$(haproxy -v | sed -n 's/^HAProxy version \([^ ]*\).*/\1/p') ;;
        apache) version=$(apache2 -v | sed -n 's/^Server version: *//p') ;;
    esac
    printf '\n-- %s %s, prefix "%s"%s\n' "$kind" "$version" "$prefix" "${outer:+, TLS before it}"
    "start_$kind" "$port"
    [ "$kind" != caddy ] || formatted "$work/caddy.conf"
    front=
    if [ -n "$outer" ]; then
        run_outer "$port" "$inner"
    fi
    await_proxy "auth.example.test:$port" "$prefix/healthz"
    PORT=$port CA=$work/ca.pem BINARY=$binary DATABASE=$work/$port.db REPOSITORY=$repository sh ./clients.sh ||
        { tail -n 20 "$work/$kind.log" "$work/vestibule.log"; exit 1; }
    PORT=$port CA=$work/ca.pem BINARY=$binary DATABASE=$work/$port.db PREFIX=$prefix CLIENT=$client KIND=$kind CLEAR=$outer \
        sh ./guard.sh ||
        { tail -n 20 "$work/$kind.log" "$work/vestibule.log"; exit 1; }
    if [ "$kind$outer" = nginx ]; then
        # Two faults that people make: a location that is open, and one that loses the headers.
        sed -i '0,/location \/ {/s||location /open/ { auth_request off; proxy_pass http://127.0.0.1:'"$app"'; }\n    location /bare/ { proxy_set_header X-Mine 1; proxy_pass http://127.0.0.1:'"$app"'; }\n    location / {|' "$work/nginx.conf"
        kill -HUP "$proxy"
        await_proxy "app.example.test:$port" /open/
        SICK=yes PORT=$port CA=$work/ca.pem BINARY=$binary DATABASE=$work/$port.db PREFIX=$prefix KIND=$kind \
            sh ./guard.sh >"$work/sick" || { cat "$work/sick"; exit 1; }
        grep doctor "$work/sick"
    fi
    silent
    # shellcheck disable=SC2086 # The outer proxy, if there is one.
    end "$proxy" $front
}

# The sign-in on a host of its own, below a path and not.
for kind in $(of guards $proxies); do
    for prefix in "" /auth; do
        guard "$kind" "$1"
        shift
    done
done

# TLS ends before the proxy.
prefix=
for kind in $(of behind-tls $proxies); do
    guard "$kind" "$1" "$2"
    shift 2
done
inner='' outer=''

# The certificate of docs/nginx.md is one that doctor takes, and what openssl makes by itself is told from it.
line=$(sed -n '/^openssl req -x509/,/^```/{/^```/d;p}' ../../docs/nginx.md | sed 's/example\.com/example.test/g; s|/etc/ssl/||g')
for kind in $(of certificates server authority); do
    printf '\n-- the certificate of a %s\n' "$kind"
    [ "$kind" = server ] || line=$(printf '%s\n' "$line" | sed 's/-addext basicConstraints=critical,CA:FALSE//')
    (cd "$work" && eval "$line") 2>"$work/openssl.log" || { cat "$work/openssl.log"; exit 1; }
    echo "server { listen $1 ssl; ssl_certificate $work/example.pem; ssl_certificate_key $work/example.key; return 200; }" \
        >"$work/nginx.conf"
    run_nginx "$1"
    until_done 'nginx does not answer' curl --insecure --silent --output /dev/null "https://127.0.0.1:$1/"
    "$binary" doctor "https://app.example.test:$1" --ca "$work/example.pem" \
        --resolve "app.example.test:$1:127.0.0.1" >"$work/doctor" || true
    case $kind in
        server) expected='^FAIL  GET / answered 200 ' ;;
        authority) expected='^FAIL  GET / got no answer: its certificate is that of an authority (CA:TRUE), .*docs/nginx.md' ;;
    esac
    grep -q "$expected" "$work/doctor" || { cat "$work/doctor"; echo "FAIL  the certificate of: $kind"; exit 1; }
    echo "ok    doctor knows the certificate of: $kind"
    end "$proxy"
done
shift

# The sign-in on the app's own host, below a path and not.
for kind in $(of same-host $proxies); do
    [ "$kind" != apache ] || continue
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
        "$binary" proxy-config "$kind" --same-host --guard /admin,/team/ --origin "$own" --listen "$vestibule" \
            --upstream "http://127.0.0.1:$app" $(certificate "$kind") >"$work/$kind.conf"
        [ "$kind" != haproxy ] || configure haproxy "$port" --script >"$work/haproxy.lua"
        printf '\n-- %s on the app%ss host, prefix "%s"\n' "$kind" "'" "$prefix"
        [ "$kind" != caddy ] || formatted "$work/caddy.conf"
        "run_$kind" "$port"
        await_proxy "app.example.test:$port" "$prefix/login"
        PORT=$port CA=$work/ca.pem BINARY=$binary DATABASE=$work/$port.db PREFIX=$prefix VESTIBULE=$vestibule sh ./same_host.sh ||
            { tail -n 20 "$work/$kind.log" "$work/vestibule.log"; exit 1; }
        end "$proxy" "$server"
    done
done
# Apps that others wrote, which are told of the user by a header with a name of their own.
if [ -z "$(of apps nginx)" ]; then
    :
elif get_apps; then
    printf '\n-- Radicale and WsgiDAV behind nginx\n'
    port=$1 calendar=$2 files=$3
    shift 3
    apps="https://calendar.example.test:$port,https://files.example.test:$port"
    : >"$work/vestibule.log"
    "$binary" serve --listen 127.0.0.1:0 --database "$work/apps.db" --trusted-proxy 127.0.0.1 --basic-auth \
        --origin "https://auth.example.test:$port" --cookie-domain example.test --app "$apps" \
        --identity-header user=X-Remote-User 2>"$work/vestibule.log" &
    server=$!
    started="$started $server"
    wait_for "$work/vestibule.log" ev=listening
    vestibule=$(sed -n 's/.*ev=listening address=\([^ ]*\).*/\1/p' "$work/vestibule.log")
    "$binary" proxy-config nginx --origin "https://auth.example.test:$port" --cookie-domain example.test --basic-auth \
        --identity-header user=X-Remote-User --app "$apps" --listen "$vestibule" $(certificate nginx) \
        --upstream "http://127.0.0.1:$calendar,http://127.0.0.1:$files" >"$work/nginx.conf"
    run_nginx "$port"
    serve_apps "$calendar" "$files"
    await_proxy "auth.example.test:$port" /healthz
    PORT=$port CA=$work/ca.pem BINARY=$binary DATABASE=$work/apps.db PYTHON=$apps_kept/bin/python KEPT=$work sh ./apps.sh ||
        { tail -n 20 "$work/nginx.log" "$work/vestibule.log" "$work/radicale.log" "$work/wsgidav.log"; exit 1; }
    end "$proxy" "$server" "$radicale" "$wsgidav"
else
    echo 'NOT TRIED: Radicale and WsgiDAV cannot be had here'
fi

# As the guides of other gates configure a proxy.
. ./aliases.sh
for kind in $(of guides nginx); do
    try_guides "$1"
    shift
done

# What doctor says of faults that users make.
. ./faults.sh
for kind in $(of faults $proxies); do
    try_faults "$kind" "$1"
    shift
done

# At the ports that browsers know, where those may be used: on an address of this run alone.
address=127.$(($$ / 65536 % 250 + 1)).$(($$ / 256 % 256)).$(($$ % 254 + 1))
if [ "$(id -u)" -eq 0 ]; then
    . ./usual_ports.sh
    : >"$work/vestibule.log"
    "$binary" serve --listen 127.0.0.1:0 --database "$work/usual.db" --trusted-proxy 127.0.0.1 \
        --origin https://auth.example.test --cookie-domain example.test --app https://app.example.test \
        2>"$work/vestibule.log" &
    started="$started $!"
    wait_for "$work/vestibule.log" ev=listening
    vestibule=$(sed -n 's/.*ev=listening address=\([^ ]*\).*/\1/p' "$work/vestibule.log")
    for kind in $(of usual-ports $proxies); do
        # Its entry points are in settings that are not printed.
        [ "$kind" = traefik ] || usual_ports "$kind"
    done
else
    echo 'NOT TRIED: only root may use the ports 80 and 443'
fi
printf '\nAll passed behind %s.\n' "$proxies"
