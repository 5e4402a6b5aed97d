#!/bin/sh
# Measures what a check of vestibule costs an app behind nginx and Caddy, beside no check and other ones: see
# docs/benchmarks.md. Ends with a table. The configurations are those that `vestibule proxy-config` writes, without TLS.
# BENCH_PROGRAMS=FOLDER measures the vestibule that lies there instead of building one.
# BENCH_SECONDS (4), BENCH_ROUNDS (3), BENCH_CONNECTIONS ("1 16 64")
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
PATH=$PATH:/usr/sbin
for program in wrk nginx caddy htpasswd curl; do
    command -v "$program" >/dev/null || { echo "forward: please install $program" >&2; exit 1; }
done
if [ -z "${BENCH_PROGRAMS:-}" ]; then
    cargo build --release --locked --quiet --bin vestibule
    BENCH_PROGRAMS=$target/release
fi
program=$BENCH_PROGRAMS/vestibule
seconds=${BENCH_SECONDS:-4} rounds=${BENCH_ROUNDS:-3} connections=${BENCH_CONNECTIONS:-1 16 64}
export WRK="$PWD/benches/wrk"

# Ports of loopback: the app, the server, and each way to the app.
app=28300 server=28301 open=28302 basic=28303 ours=28304 other=28305 caddy_open=28306 caddy_ours=28307 floor=28308
ours_plain=28309 floor_plain=28310 yes=28311
work=$(mktemp -d)
chmod 711 "$work"
pids=""
finish() {
    for pid in $pids; do kill "$pid" 2>/dev/null || :; done
    for file in "$work"/*.pid; do [ ! -s "$file" ] || kill "$(cat "$file")" 2>/dev/null || :; done
    wait
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

wait_for() {
    for _ in $(seq 100); do
        curl --silent --output /dev/null "http://127.0.0.1:$1/" && return
        sleep 0.1
    done
    echo "forward: nothing answers on port $1" >&2
    exit 1
}

"$program" serve --listen "127.0.0.1:$server" --database "$work/a.db" --origin https://auth.example.com \
    --cookie-domain example.com --app https://wiki.example.com --trusted-proxy 127.0.0.1 2>"$work/log" &
pids="$pids $!"
wait_for "$server"
cookie=$(curl --silent --dump-header - --output /dev/null --data-urlencode 'password=three unrelated words' \
    --data-urlencode username=anna "http://127.0.0.1:$server/signup" |
    sed -n 's/^[Ss]et-[Cc]ookie: \(__Secure-auth_session=[^;]*\).*/\1/p' | tr -d '\r')

# The configurations, with plain http on loopback in place of TLS. The scheme that the check is told stays https.
options="--origin https://auth.example.com --cookie-domain example.com --app https://wiki.example.com"
# shellcheck disable=SC2086 # A list of flags.
"$program" proxy-config nginx $options |
    sed -e "s/listen 443 ssl;/listen 127.0.0.1:$ours;/" -e "s/listen 80;/listen 127.0.0.1:$ours_plain;/" \
        -e '/listen \[::\]/d' -e '/ssl_certificate/d' \
        -e 's/\$scheme:/https:/' -e "s/127.0.0.1:8080/127.0.0.1:$server/" -e "s/127.0.0.1:3000/127.0.0.1:$app/" \
        >"$work/ours.conf"
# What any check takes that nginx asks for over HTTP: the same configuration, where another nginx admits everybody.
sed -e "s/127.0.0.1:$server/127.0.0.1:$yes/" -e "s/127.0.0.1:$ours/127.0.0.1:$floor/" \
    -e "s/127.0.0.1:$ours_plain/127.0.0.1:$floor_plain/" "$work/ours.conf" >"$work/floor.conf"
# shellcheck disable=SC2086 # A list of flags.
"$program" proxy-config caddy $options |
    sed -e '/^# Caddy leads from http/,$d' -e "s#^https://\([a-z]*.example.com\)#http://\1:$caddy_ours#" \
        -e "s/127.0.0.1:8080/127.0.0.1:$server/" -e "s/127.0.0.1:3000/127.0.0.1:$app/" \
        -e 's#^\(.*\)uri /auth/forward?#&\n\1header_up X-Forwarded-Proto https#' >"$work/ours.caddy"

htpasswd -b -B -c "$work/passwords" anna 'three unrelated words' 2>/dev/null
plain="location / { proxy_pass http://127.0.0.1:$app; }
    proxy_http_version 1.1;
    proxy_set_header Connection \"\";
    proxy_set_header Host \$http_host;
    proxy_set_header X-Forwarded-For \$remote_addr;"

# LemonLDAP::NG in the way of Debian's own example, where it is installed.
has_other=""
if command -v llng-fastcgi-server >/dev/null && [ "$(id -u)" = 0 ]; then
    has_other=yes
    mkdir "$work/llng"
    chown www-data:www-data "$work/llng"
    llng-fastcgi-server --foreground -u www-data -g www-data -s "$work/llng/socket" -p "$work/llng/pid" -n 4 \
        >"$work/llng.log" 2>&1 &
    pids="$pids $!"
    cat >"$work/other.conf" <<EOF
server {
    listen 127.0.0.1:$other;
    server_name test1.example.com;
    location = /lmauth {
        internal;
        include /etc/nginx/fastcgi_params;
        fastcgi_pass unix:$work/llng/socket;
        fastcgi_pass_request_body off;
        fastcgi_param CONTENT_LENGTH "";
        fastcgi_param HTTP_HOST \$host;
        fastcgi_param X_ORIGINAL_URI \$original_uri;
    }
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host \$http_host;
    location / {
        set \$original_uri \$uri\$is_args\$args;
        auth_request /lmauth;
        auth_request_set \$lmremote_user \$upstream_http_lm_remote_user;
        auth_request_set \$lmlocation \$upstream_http_location;
        error_page 401 \$lmlocation;
        proxy_set_header Auth-User \$lmremote_user;
        proxy_pass http://127.0.0.1:$app;
    }
}
EOF
fi

user=""
[ "$(id -u)" -ne 0 ] || user="user root;"
http() {
    cat <<EOF
$user
worker_processes $1;
pid $work/$2.pid;
error_log $work/$2.log;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path $work/$2-body; proxy_temp_path $work/$2-proxy; fastcgi_temp_path $work/$2-fastcgi;
    uwsgi_temp_path $work/$2-uwsgi; scgi_temp_path $work/$2-scgi;
    keepalive_requests 100000000;
EOF
}
{
    http 1 app
    echo "server { listen 127.0.0.1:$app; location / { return 200 'the app'; } } }"
} >"$work/app.nginx"
{
    http 2 yes
    echo "server { listen 127.0.0.1:$yes; location / { return 204; } } }"
} >"$work/yes.nginx"
{
    http 2 proxy
    echo "server { listen 127.0.0.1:$open; $plain }"
    echo "server { listen 127.0.0.1:$basic; auth_basic x; auth_basic_user_file $work/passwords; $plain }"
    cat "$work/ours.conf"
    [ -z "$has_other" ] || cat "$work/other.conf"
    echo "}"
} >"$work/proxy.nginx"
{
    http 2 floor
    cat "$work/floor.conf"
    echo "}"
} >"$work/floor.nginx"
for name in app yes proxy floor; do
    nginx -q -p "$work" -e "$work/$name.log" -c "$work/$name.nginx"
done
{
    printf '{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n}\n'
    printf 'http://open.example.com:%s {\n\treverse_proxy 127.0.0.1:%s\n}\n' "$caddy_open" "$app"
    cat "$work/ours.caddy"
} >"$work/Caddyfile"
XDG_DATA_HOME=$work XDG_CONFIG_HOME=$work caddy run --config "$work/Caddyfile" --adapter caddyfile 2>"$work/caddy.log" &
pids="$pids $!"
wait_for "$open"
wait_for "$caddy_open"

# What each way is asked with, one header a line.
basic_word=$(printf 'anna:three unrelated words' | base64)
ways="nginx:no_check:$open nginx:auth_basic,_bcrypt:$basic nginx:vestibule:$ours nginx:nginx,_always_yes:$floor"
if [ -n "$has_other" ]; then
    # A session as its portal makes one.
    other_cookie=lemonldap=$(runuser -u www-data -- perl -MLemonldap::NG::Common::Session -e '
        my $folder = "/var/lib/lemonldap-ng/sessions";
        my $session = Lemonldap::NG::Common::Session->new(
            storageModule => "Apache::Session::File", kind => "SSO", force => 1,
            storageModuleOptions => { Directory => $folder, LockDirectory => "$folder/lock",
                generateModule => "Lemonldap::NG::Common::Apache::Session::Generate::SHA256" },
            info => { _utime => time, _lastSeen => time, uid => "dwho", _user => "dwho", _whatToTrace => "dwho" });
        print $session->id;')
    ways="$ways nginx:LemonLDAP::NG:$other"
fi
ways="$ways caddy:no_check:$caddy_open caddy:vestibule:$caddy_ours"
header_of() {
    case $1 in
        "$basic") echo "Authorization: Basic $basic_word" ;;
        "$ours" | "$caddy_ours") echo "Cookie: $cookie" ;;
        "$other") echo "Cookie: $other_cookie" ;;
        *) echo "X-Nothing: 1" ;;
    esac
}
host_of() {
    case $1 in
        "$other") echo test1.example.com ;;
        "$caddy_open") echo open.example.com ;;
        *) echo wiki.example.com ;;
    esac
}
port_of() { echo "${1##*:}"; }

for way in $ways; do
    port=$(port_of "$way")
    for _ in $(seq 100); do
        body=$(curl --silent -H "Host: $(host_of "$port")" -H "$(header_of "$port")" "http://127.0.0.1:$port/")
        [ "$body" != "the app" ] || break
        # One of them takes seconds to begin.
        sleep 0.1
    done
    [ "$body" = "the app" ] || { echo "forward: $way does not reach the app: $body" >&2; exit 1; }
    case $way in
        *no_check* | *always_yes*) ;;
        *)
            status=$(curl --silent --output /dev/null --write-out '%{http_code}' -H "Host: $(host_of "$port")" "http://127.0.0.1:$port/")
            case $status in 401 | 302 | 303) ;; *) echo "forward: $way lets a stranger in: $status" >&2; exit 1 ;; esac ;;
    esac
done

for count in $connections; do
    for round in $(seq "$rounds"); do
        for way in $ways; do
            port=$(port_of "$way")
            found=$(wrk -t 1 -c "$count" -d "${seconds}s" --latency -s "$WRK/report.lua" -H "Host: $(host_of "$port")" \
                -H "$(header_of "$port")" "http://127.0.0.1:$port/" | grep '^{')
            printf '%s %s %s %s\n' "$count" "$way" "$round" "$found"
        done
    done
done >"$work/found"

echo "| proxy | check | connections | a second | of no check | p99 ms |"
echo "|---|---|---:|---:|---:|---:|"
sed -e 's/"requests"://; s/"seconds"://; s/"p99"://; s/"refused"://; s/"broken"://; s/[{}]//g' "$work/found" |
    awk '{
        split($4, it, ",")
        n = $1 " " $2; rate[n, ++runs[n]] = it[1] / it[2]; p99[n, runs[n]] = it[7]
        if (it[4] + it[5] > 0) bad[n] = it[4] + it[5]
        if (!(n in seen)) { seen[n] = 1; order[++all] = n }
    }
    # The run with the middle throughput.
    function middle(n,   i, j, less) {
        for (i = 1; i <= runs[n]; i++) {
            less = 0
            for (j = 1; j <= runs[n]; j++) if (rate[n, j] < rate[n, i] || (rate[n, j] == rate[n, i] && j < i)) less++
            if (less == int(runs[n] / 2)) return i
        }
    }
    END {
        for (k = 1; k <= all; k++) {
            n = order[k]; split(n, part, " "); split(part[2], way, ":"); m = middle(n)
            base = part[1] " " way[1] ":no_check:"
            for (o in seen) if (index(o, base) == 1) b = rate[o, middle(o)]
            name = part[2]; sub(/^[^:]*:/, "", name); sub(/:[0-9]*$/, "", name); gsub(/_/, " ", name)
            printf "| %s | %s | %d | %d | %.2f | %.2f |%s\n", way[1], name, part[1], rate[n, m], rate[n, m] / b, p99[n, m], (n in bad) ? " " bad[n] " failed" : ""
        }
    }'
