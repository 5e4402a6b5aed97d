# Faults that users make, each put with one edit into what `proxy-config` prints, and what doctor says of it. The
# configuration as it was printed comes first, and doctor finds nothing wrong there. Sourced by run.sh.
# shellcheck shell=sh
# shellcheck disable=SC2154 # Variables of run.sh.

# examined_as NAME: doctor's report, and its exit code.
examined_as() {
    code=0
    printf '%s\n' "$password" | "$binary" doctor "https://app.example.test:$port" --ca "$work/ca.pem" \
        --resolve "app.example.test:$port:127.0.0.1" --resolve "auth.example.test:$port:127.0.0.1" \
        --sign-in "$1" --origin "https://auth.example.test:$port" >"$work/report" || code=$?
}

# with_edit EDIT: starts the proxy with the printed configuration, edited by sed.
with_edit() {
    sed -E "$1" "$work/$kind.printed" >"$work/$kind.conf"
    if [ -n "$1" ] && cmp -s "$work/$kind.printed" "$work/$kind.conf"; then
        echo "FAIL  this changes nothing: $1"
        exit 1
    fi
    "run_$kind" "$port"
    started="$started $proxy"
    await_proxy "auth.example.test:$port" /healthz
}

# report_line PATTERN
report_line() { grep -E "^FAIL  .*$1" "$work/report" | head -n 1 | cut -c 1-160; }

# fault 'what is wrong' 'what doctor says' EDIT [NAME], who signs in.
fault() {
    with_edit "$3"
    examined_as "${4:-vera}"
    line=$(report_line "$2")
    kill "$proxy"
    wait "$proxy" || true
    [ -n "$line" ] || { cat "$work/report"; echo "FAIL  doctor does not say: $2"; }
    check "$kind, $1: $line" 1 "${line:+$code}"
}

# What is guarded, and nothing wrong.
no_fault() {
    with_edit ''
    examined_as vera
    check "$kind, as printed: nothing is wrong" "0 0" "$code $(grep -E '^(FAIL|skip)' "$work/report" || true
        grep -c '^FAIL' "$work/report" || true)"
    examined_as walt
    check "$kind, as printed: a user without access can leave" '1 1 yes' "$code $(grep -c '^FAIL' "$work/report") $(
        grep -q '^ok    the page for users without access at /api/ leads to the button' "$work/report" && echo yes)"
    kill "$proxy"
    wait "$proxy" || true
}

faults_of_nginx() {
    # Before the location of everything: of the app's server, which is the first, and of the sign-in's.
    app_has() { printf '0,/^    location . [{]/s|^    location . [{]|    %s\\n&|' "$1"; }
    site_has() { printf '/server_name auth/,/^}/s|^    location / [{]|    %s\\n&|' "$1"; }
    fault 'one location is not checked' 'GET /static/x answered 200 without' \
        "$(app_has "location /static/ { auth_request off; proxy_pass http://127.0.0.1:$app; }")"
    fault 'the addresses of another gate are the app'"'"'s' 'GET /oauth2/auth answered 200 without' \
        "$(app_has "location /oauth2/ { auth_request off; proxy_pass http://127.0.0.1:$app; }")"
    fault 'a check of another gate always answers' 'GET /api/verify answered 200 without' \
        "$(app_has 'location = /api/verify { auth_request off; return 200; }')"
    for path in /api/verify /oauth2/auth /api/authz/forward-auth /validate; do
        fault "a check of another gate is at the app, $path" "GET $path of the app is answered by the check itself" \
            "$(app_has "location = $path { auth_request off; proxy_pass http://vestibule; }")"
    done
    fault 'checks are open at the sign-in' '/auth/nginx from outside answered 401' '/location ~ \^\(/,/\}/d'
    fault 'the check has small buffers' 'with an address of 7500 bytes answered 50[03] and' \
        '/proxy_buffer.* 32k;/d'
    fault 'the sign-in reads short addresses' 'leads to a sign-in page that answered 414' \
        '/large_client_header_buffers/d'
    fault 'the sign-in has small buffers' 'answered 502, as would a sign-in' '/proxy_buffer.* 16k;/d'
    fault 'both hosts read short addresses' 'with an address of 2000 bytes leads to a sign-in page that answered' \
        's/(large_client_header_buffers) 4 32k/\1 4 2k/; s/server_name app.*/&\n    large_client_header_buffers 4 2k;/'
    fault 'the cookie is for a public suffix' 'has Domain=test, so browsers refuse it' \
        "$(site_has 'proxy_cookie_domain example.test test;')"
    fault 'the cookie is for http as well' 'is not Secure, so' \
        "$(site_has 'proxy_cookie_flags ~ nosecure;')"
    fault 'the cookie is lost' 'clears no session cookie' "$(site_has 'proxy_hide_header Set-Cookie;')"
    fault 'HSTS is lost' 'has no Strict-Transport-Security' "$(site_has 'proxy_hide_header Strict-Transport-Security;')"
    fault 'the page for users without access is lost' 'has no link to sign out' '/error_page 403/d' walt
    for name in vera walt; do
        fault 'sign-out leads in a circle' 'answered 302 and leads to .*/login.* and shows no button' \
            "$(site_has 'location = /logout { return 302 /login; }')" "$name"
        fault 'sign-out is closed' 'answered 404 and shows no button' "$(site_has 'location = /logout { return 404; }')" "$name"
    done
    fault 'an identity header is the client'"'"'s' 'received forged Remote-User, and any client can be' \
        '/proxy_set_header Remote-User/d'
    fault 'a location loses the headers' 'GET /static/x with a session: the app received forged Remote' \
        "$(app_has "location /static/ { proxy_set_header X-Mine 1; proxy_pass http://127.0.0.1:$app; }")"
    fault 'the app gets the session cookie' 'receives the session cookie' '/proxy_set_header Cookie .vestibule_cookie/d'
    fault 'the check is told http' 'tell the sign-in page where to lead back|lead back to became' \
        's/X-Original-URL .scheme/X-Original-URL http/'
    fault 'the check is told no address' 'does not tell the sign-in page where to lead back to' '/X-Original-URL/d'
    fault 'the client names its own address' 'vestibule believes it' \
        '/server_name auth/,/^}/s/X-Forwarded-For .remote_addr/X-Forwarded-For $http_x_forwarded_for/'
    fault 'forms are led on with 302' 'POST / answered 302' 's/return 303/return 302/'
    fault 'answers of the check are kept' 'the session that has ended answered 200' \
        "1i proxy_cache_path $work/cache keys_zone=gate:1m;
/location = .* [{]/,/}/s|proxy_pass http://vestibule/auth/nginx.*|&\n proxy_cache gate; proxy_cache_key \$http_cookie; proxy_cache_valid 200 1m; proxy_ignore_headers Cache-Control Expires Vary;|"
    fault 'vestibule is elsewhere' 'answered 50[03] without a session: the gate cannot be reached' \
        '/^upstream/,/^}/s/server .*/server 127.0.0.1:9;/; /server_name auth/,/^}/s|proxy_pass http://vestibule|proxy_pass http://'"$vestibule"'|'
}

faults_of_caddy() {
    app_has() { printf '0,/^\troute [{]/s|^\troute [{]|&\\n%s|' "$1"; }
    site_has() { printf '/^https:..auth/,/^}/s|^https.*|&\\n%s|' "$1"; }
    fault 'one path is not checked' 'GET /static/x answered 200 without' \
        "$(app_has "reverse_proxy /static/* http://127.0.0.1:$app")"
    fault 'the addresses of another gate are the app'"'"'s' 'GET /oauth2/auth answered 200 without' \
        "$(app_has "reverse_proxy /oauth2/* http://127.0.0.1:$app")"
    fault 'a check of another gate always answers' 'GET /api/verify answered 200 without' "$(app_has 'respond /api/verify 200')"
    fault 'a check of another gate is at the app' 'GET /api/verify of the app is answered by the check itself' \
        "$(app_has "reverse_proxy /api/verify $vestibule")"
    fault 'checks are open at the sign-in' '/auth/nginx from outside answered 401' '/respond @checks/d'
    fault 'the cookie is for a public suffix' 'has Domain=test, so browsers refuse it' \
        "s|^\treverse_proxy $vestibule|& {\n header_down Set-Cookie Domain=example.test Domain=test\n}|"
    fault 'the page for users without access is lost' 'has no link to sign out' \
        's|uri /auth/forward.*|&\n@no status 403\nhandle_response @no {\nrespond Forbidden 403\n}|' walt
    fault 'sign-out leads in a circle' 'answered 302 and leads to .*/login.* and shows no button' \
        "$(site_has 'redir /logout /login 302')"
    fault 'other spellings of identity headers are the client'"'"'s' 'received forged Remote_User' '/request_header -Remote/d'
    fault 'the app gets the session cookie' 'receives the session cookie' '/header_up Cookie/d'
    fault 'the check is told http' 'tell the sign-in page where to lead back|lead back to became' \
        's|uri /auth/forward.*|&\nheader_up X-Forwarded-Proto http|'
}

faults_of_traefik() {
    app_has() { printf 's|^  routers:|&\\n    open: { rule: "Host(`app.example.test`) \\&\\& PathPrefix(`%s`)", entryPoints: [websecure], service: app1, tls: {}, priority: 9000 }|' "$1"; }
    fault 'one path is not checked' 'GET /static/x answered 200 without' "$(app_has /static/)"
    fault 'the addresses of another gate are the app'"'"'s' 'GET /oauth2/auth answered 200 without' "$(app_has /oauth2/)"
    fault 'a check of another gate is at the app' 'GET /api/verify of the app is answered by the check itself' \
        "$(app_has /api/verify | sed 's/service: app1/service: vestibule/')"
    fault 'checks are open at the sign-in' '/auth/nginx from outside answered 401' 's/ && !PathPrefix[^ ]*//g'
    fault 'sign-out leads to an app' 'answered 200 and shows no button' \
        "$(app_has /logout | sed 's/app.example.test/auth.example.test/')"
    fault 'other spellings of identity headers are the client'"'"'s' 'received forged Remote_User' 's/vestibule-spellings, //'
    fault 'the app gets the session cookie' 'receives the session cookie' 's/cookies=filtered&//; s/, Cookie\]/]/'
}

faults_of_haproxy() {
    app_has() { printf '/^backend vestibule_app1/s|$|\\n    %s|' "$1"; }
    site_has() { printf '/^backend vestibule$/s|$|\\n    %s|' "$1"; }
    open() { printf 's#(http-request lua.*)#\\1 unless { path_beg %s }#; s#(http-request deny unless.*)#\\1 || { path_beg %s }#' "$1" "$1"; }
    fault 'one path is not checked' 'GET /static/x answered 200 without' "$(open /static/)"
    fault 'the addresses of another gate are the app'"'"'s' 'GET /oauth2/auth answered 200 without' "$(open /oauth2/)"
    fault 'a check of another gate always answers' 'GET /api/verify answered 200 without' \
        "$(app_has 'http-request return status 200 if { path /api/verify }')"
    fault 'a check of another gate is at the app' 'GET /api/verify of the app is answered by the check itself' \
        's|^    use_backend vestibule_app1|    use_backend vestibule if { path /api/verify } { req.hdr(host) -m beg app }\n&|; /api\/verify . *\}?$/d; /return status 404 .*api.verify/d'
    fault 'checks are open at the sign-in' '/auth/nginx from outside answered 401' '/return status 404/d'
    fault 'the cookie is for a public suffix' 'has Domain=test, so browsers refuse it' \
        "$(site_has 'http-response replace-header Set-Cookie (.*)Domain=example.test(.*) \\1Domain=test\\2')"
    fault 'sign-out leads in a circle' 'answered 302 and leads to .*/login.* and shows no button' \
        "$(site_has 'http-request redirect location /login code 302 if { path /logout }')"
    fault 'other spellings of identity headers are the client'"'"'s' 'received forged Remote_' '/del-header \^remote/d'
    fault 'the app gets the session cookie' 'receives the session cookie' 's/cookies=filtered&//'
    fault 'the client names its own address' 'vestibule believes it' '/^backend vestibule$/,$s/.*set-header X-Forwarded-For.*//'
}

faults_of_apache() {
    site_has() { printf '/ServerName auth/s|$|\\n    %s|' "$1"; }
    fault 'nothing is checked' 'GET / answered 200 without' '/LuaHookAccessChecker/d'
    fault 'checks are open at the sign-in' '/auth/nginx from outside answered 401' '/^    (ProxyPassMatch|RedirectMatch 404)/d'
    fault 'the sign-in reads short addresses' 'leads to a sign-in page that answered 414' '/LimitRequestLine/d'
    fault 'the sign-in reads short headers of vestibule' 'answered (50[02], as would|302 and leads to an address that is cut)' \
        's/ responsefieldsize=32768//'
    fault 'the sign-in has small buffers' 'answered (50[02], as would|302 and leads to an address that is cut)' \
        's/ responsefieldsize=32768//; 1i ProxyIOBufferSize 4096'
    fault 'the cookie is for a public suffix' 'has Domain=test, so browsers refuse it' \
        "$(site_has 'Header edit Set-Cookie Domain=example.test Domain=test')"
    fault 'sign-out leads in a circle' 'answered 302 and leads to .*/login.* and shows no button' \
        "$(site_has 'ProxyPass /logout !\n    RedirectMatch 302 ^/logout$ /login')"
    fault 'other spellings of identity headers are the client'"'"'s' 'received forged Remote.User' \
        '/RequestHeader unset Remote.*/d'
    fault 'the client names its own address' 'vestibule believes it' \
        '/ServerName auth/,$s/.*RequestHeader set X-Forwarded-For.*//'
}

# try_faults PROXY PORT
try_faults() {
    kind=$1 port=$2 prefix='' inner='' outer=''
    password='three unrelated words'
    serve "$port"
    for name in vera walt; do
        printf '%s\n' "$password" | "$binary" user add "$name" --database "$work/$port.db" >/dev/null
    done
    "$binary" user groups vera --add staff --database "$work/$port.db" >/dev/null
    configure "$kind" "$port" --groups staff >"$work/$kind.printed"
    case $kind in haproxy | apache) configure "$kind" "$port" --script >"$work/$kind.lua" ;; esac
    rm -f "$work/dynamic/wiki.yml"
    printf '\n-- faults put into the configuration of %s\n' "$kind"
    no_fault
    "faults_of_$kind"
    kill "$server"
    wait "$server" || true
}
