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

# answers URL: with 200.
answers() { [ "$(status here "$1" || true)" = 200 ]; }

# usual_ports PROXY
usual_ports() {
    kind=$1
    printf '\n-- %s at ports 80 and 443\n' "$kind"
    "start_at_80_$kind"
    until_done "$kind does not answer" answers https://auth.example.test/healthz
    for host in app auth; do
        check "http leads to https on the host $host" "308 https://$host.example.test/a%20b?x=1&y=%C3%A4" \
            "$(way here "http://$host.example.test/a%20b?x=1&y=%C3%A4")"
    done
    "more_of_$kind"
    check "doctor finds nothing wrong" well "$(examined; grep ^FAIL "$work/doctor" || true)"
    check 'doctor looked at port 80' yes "$(grep -q '^ok .*http://app.example.test' "$work/doctor" && echo yes)"
    end "$proxy"
    "faults_at_80_$kind"
}

# fault_at_80 'what is wrong' 'what doctor says' EDIT of what was printed, by sed
fault_at_80() {
    sed -E "$3" "$work/$kind.printed" >"$work/$kind.conf"
    "run_$kind" 443
    until_done "$kind does not answer" answers https://auth.example.test/healthz
    came=$(examined)
    end "$proxy"
    line=$(grep -E "^$2" "$work/doctor" | head -n 1 | cut -c 1-160)
    [ -n "$line" ] || cat "$work/doctor"
    check "$kind, $1: $line" "$(case $2 in skip*) echo well ;; *) echo ill ;; esac)" "${line:+$came}"
}

usual_configuration() {
    # shellcheck disable=SC2046 # Flags.
    "$binary" proxy-config "$@" --origin https://auth.example.test --cookie-domain example.test \
        --app https://app.example.test --upstream "http://127.0.0.1:$app" --listen "$vestibule" $(certificate "$1")
}

start_at_80_nginx() {
    usual_configuration nginx --acme-root "$work/acme" >"$work/nginx.printed"
    cp "$work/nginx.printed" "$work/nginx.conf"
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
    usual_configuration apache --acme-root "$work/acme" >"$work/apache.printed"
    cp "$work/apache.printed" "$work/apache.conf"
    usual_configuration apache --script >"$work/apache.lua"
    run_apache 443
}

more_of_apache() { more_of_nginx; }

# Challenges are passed to certbot, whose place an app takes here.
start_at_80_haproxy() {
    usual_configuration haproxy | sed "s/127.0.0.1:8888/127.0.0.1:$app/" >"$work/haproxy.printed"
    cp "$work/haproxy.printed" "$work/haproxy.conf"
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

faults_at_80_nginx() {
    fault_at_80 'port 80 shows another page' 'FAIL  GET http://app.*answered 200' 's/return 308 .*/return 200 welcome;/'
    fault_at_80 'port 80 shows the app' 'FAIL  GET http://app.*answered 200' \
        "s|return 308 .*|proxy_pass http://127.0.0.1:$app;|"
    fault_at_80 'port 80 shows a part of the app' 'FAIL  GET http://app.example.test/api/.*answered 200' \
        "/listen 80;/s|\$|\n    location /api/ { proxy_pass http://127.0.0.1:$app; }|"
    fault_at_80 'port 80 loses the address' 'FAIL  GET http://app.* the address is lost' 's/(return 308 https:...host).*/\1\/;/'
    fault_at_80 'port 80 leads to the sign-in' 'FAIL  GET http://app.* not to the same address by https' \
        's|(return 308).*|\1 https://auth.example.test/;|'
    fault_at_80 'port 80 shows the sign-in' 'FAIL  GET http://auth.* not to the same address by https' \
        's/(server_name app.example.test) auth.example.test/\1/; s/( *)server_name auth.example.test;/\1listen 80;\n&/'
    fault_at_80 'port 80 is closed' 'skip  GET http://app.*got no answer: nothing listens' "s/listen 80;/listen $address:8080;/"
}

faults_at_80_haproxy() {
    fault_at_80 'port 80 shows the app' 'FAIL  GET http://app.* not to the same address by https' '/http-request redirect scheme/d'
    fault_at_80 'port 80 shows a part of the app' 'FAIL  GET http://app.example.test/api/.* not to the same address by https' \
        's#(redirect scheme https code 308 unless) #\1 { path_beg /api/ } || #'
}

faults_at_80_apache() {
    # httpd keeps the query.
    fault_at_80 'port 80 loses the path' 'FAIL  GET http://auth.* the address is lost' 's/(RedirectMatch 308.*test\/)\$1/\1/'
    fault_at_80 'port 80 leads nowhere' 'FAIL  GET http://app.* does not lead to https' '/RedirectMatch 308/d'
    fault_at_80 'port 80 shows a part of the app' 'FAIL  GET http://app.example.test/api/.*answered 200' \
        "s|^ *RedirectMatch 308 .*|&\n    ProxyPass /api/ http://127.0.0.1:$app/api/|; s#(308 .\^/\(\?!)#\1api/|#"
}

# The welcome page of Debian's Caddyfile.
faults_at_80_caddy() {
    fault_at_80 'port 80 shows another page' 'FAIL  GET http://app.*answered 200' ''
}

# Debian's Caddyfile, and ours beside it.
start_at_80_caddy() {
    usual_configuration caddy >"$work/vestibule.caddyfile"
    stock
    echo 'import vestibule.caddyfile' >>"$work/caddy.conf"
    sed '/^http:/,/^}/d' "$work/vestibule.caddyfile" >"$work/without"
    sed 's/vestibule.caddyfile/without/' "$work/caddy.conf" >"$work/caddy.printed"
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

page() { here --header 'Accept: text/html,*/*;q=0.8' --header 'Sec-Fetch-Mode: navigate' "$@"; }
