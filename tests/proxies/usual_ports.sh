# At ports 80 and 443: what answers without TLS, what a certificate authority finds there, and what doctor says of it.
# Sourced by run.sh, which sets $address to one that no other program uses.
# shellcheck shell=sh

here() {
    curl --silent --show-error --max-time 30 --cacert "$work/ca.pem" --http1.1 \
        --resolve "auth.example.test:443:$address" --resolve "app.example.test:443:$address" \
        --resolve "auth.example.test:80:$address" --resolve "app.example.test:80:$address" "$@"
}
examined() {
    "$binary" doctor https://app.example.test --ca "$work/ca.pem" --resolve "auth.example.test:443:$address" \
        --resolve "app.example.test:443:$address" >"$work/doctor" && echo well || echo ill
}

# usual_ports PROXY
usual_ports() {
    kind=$1
    printf '\n-- %s at ports 80 and 443\n' "$kind"
    "start_at_80_$kind"
    started="$started $proxy"
    tries=0
    until [ "$(status here https://auth.example.test/healthz || true)" = 200 ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || { cat "$work/$kind.log"; echo "FAIL  $kind does not answer"; exit 1; }
        sleep 0.05
    done
    for host in app auth; do
        check "http leads to https on the host $host" "308 https://$host.example.test/a%20b?x=1&y=%C3%A4" \
            "$(way here "http://$host.example.test/a%20b?x=1&y=%C3%A4")"
    done
    "more_of_$kind"
    check "doctor finds nothing wrong" well "$(examined; grep ^FAIL "$work/doctor" || true)"
    check 'doctor looked at port 80' yes "$(grep -q '^ok .*http://app.example.test' "$work/doctor" && echo yes)"
    kill "$proxy"
    wait "$proxy" || true
    case $kind in haproxy | apache) return ;; esac
    "break_$kind"
    started="$started $proxy"
    tries=0
    until [ "$(status here http://app.example.test/ || true)" = 200 ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || { cat "$work/$kind.log"; echo "FAIL  $kind does not answer"; exit 1; }
        sleep 0.05
    done
    check 'doctor finds that port 80 shows something else' ill "$(examined)"
    grep -q '^FAIL .*http://app.example.test/.*200' "$work/doctor" || { cat "$work/doctor"; exit 1; }
    kill "$proxy"
    wait "$proxy" || true
}

usual_configuration() {
    # shellcheck disable=SC2046 # Flags.
    "$binary" proxy-config "$@" --origin https://auth.example.test --cookie-domain example.test \
        --app https://app.example.test --upstream "http://127.0.0.1:$app" --listen "$vestibule" $(certificate "$1")
}

start_at_80_nginx() {
    usual_configuration nginx --acme-root "$work/acme" >"$work/nginx.conf"
    run_nginx 443
}

# HTTP-01: the authority asks at port 80, and follows redirects to https.
more_of_nginx() {
    mkdir -p "$work/acme/.well-known/acme-challenge"
    chmod -R a+rX "$work/acme"
    echo 'token.key' >"$work/acme/.well-known/acme-challenge/token"
    echo 'private' >"$work/acme/secret"
    for url in http://app https://app http://auth https://auth; do
        at=$url.example.test/.well-known/acme-challenge
        check "a challenge is answered at $url" 'token.key 200' "$(here "$at/token" --write-out '%{http_code}' | tr '\n' ' ')"
        check "one that is not there is not found at $url" 404 "$(status page "$at/other")"
        for path in ../../secret ../../../secret %2e%2e/%2e%2e/secret ..%2f..%2fsecret; do
            check "nothing else is shown at $url: $path" '' \
                "$(here --path-as-is "$at/$path" | grep private || true)"
        done
    done
    for path in /.well-known/acme-challenge /.well-known/x /x/.well-known/acme-challenge/token; do
        check "no check is left out at $path" 302 "$(status page "https://app.example.test$path")"
    done
}

start_at_80_apache() {
    usual_configuration apache --acme-root "$work/acme" >"$work/apache.conf"
    usual_configuration apache --script >"$work/apache.lua"
    run_apache 443
}

more_of_apache() { more_of_nginx; }

# Challenges are passed to certbot, whose place an app takes here.
start_at_80_haproxy() {
    usual_configuration haproxy | sed "s/127.0.0.1:8888/127.0.0.1:$app/" >"$work/haproxy.conf"
    usual_configuration haproxy --script >"$work/haproxy.lua"
    run_haproxy 443
}

more_of_haproxy() {
    for url in http://app https://app http://auth https://auth; do
        check "a challenge is passed on at $url" 'GET /.well-known/acme-challenge/token HTTP/1.1' \
            "$(here "$url.example.test/.well-known/acme-challenge/token" | head -n 1 | tr -d '\r')"
    done
    check 'no check is left out elsewhere' 302 "$(status page https://app.example.test/.well-known/acme-challenge)"
}

break_nginx() {
    sed -i 's/return 308 .*/return 200 welcome;/' "$work/nginx.conf"
    run_nginx 443
}

# Debian's Caddyfile, and ours beside it.
start_at_80_caddy() {
    usual_configuration caddy >"$work/vestibule.caddyfile"
    stock
    echo 'import vestibule.caddyfile' >>"$work/caddy.conf"
    run_caddy 443
}

stock() {
    mkdir -p "$work/welcome"
    echo 'Your web server is working.' >"$work/welcome/index.html"
    chmod -R a+rX "$work/welcome"
    printf ':80 {\n\troot * %s/welcome\n\tfile_server\n}\n' "$work" >"$work/caddy.conf"
}

more_of_caddy() {
    check "other hosts have Debian's page" 'Your web server is working.' "$(here "http://$address/")"
}

break_caddy() {
    sed '/^http:/,/^}/d' "$work/vestibule.caddyfile" >"$work/without"
    mv "$work/without" "$work/vestibule.caddyfile"
    run_caddy 443
}

page() { here --header 'Accept: text/html,*/*;q=0.8' --header 'Sec-Fetch-Mode: navigate' "$@"; }
