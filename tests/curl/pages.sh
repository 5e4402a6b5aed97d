#!/bin/sh
# What every answer carries, and what is answered to everything else.
# shellcheck source=tests/curl/check.sh
. "$(dirname "$0")/check.sh"

for page in /signup /login; do
    came=$(web --dump-header - "$URL$page" | tr -d '\r')
    has "$page is a page" 'HTTP/1.1 200 OK' "$came"
    has '  in UTF-8' 'Content-Type: text/html; charset=utf-8' "$came"
    has '  that no cache keeps' 'Cache-Control: no-store' "$came"
    has '  that runs no script' "Content-Security-Policy: default-src 'none'; style-src 'self'" "$came"
    has '  that no other page frames' 'X-Frame-Options: DENY' "$came"
    has '  whose type is not guessed' 'X-Content-Type-Options: nosniff' "$came"
    has '  that tells other sites nothing' 'Referrer-Policy: same-origin' "$came"
    has '  that opens no window to others' 'Cross-Origin-Opener-Policy: same-origin' "$came"
    has '  that others do not embed' 'Cross-Origin-Resource-Policy: same-origin' "$came"
    has '  that uses no device' 'Permissions-Policy: ' "$came"
    has '  from vestibule, version untold' 'Server: vestibule' "$came"
    has '  with a form' '<form method="post">' "$came"
    case $COOKIE in
    __Host-*) has '  only over TLS from now on' 'Strict-Transport-Security: max-age=63072000' "$came" ;;
    esac
done

for link in $(web --header 'Accept: text/html' "$URL/login" | grep -o '\(href\|src\|action\)="[^"]*"' | cut -d '"' -f 2); do
    # The address of a form alone leads a browser to the page that has the form.
    came=$(web --location --header 'Accept: text/html' --output /dev/null --write-out '%{http_code}' "$host$link")
    check "its link $link leads somewhere" 200 "$came"
    check '  on this site' "$prefix/" "$(printf %s "$link" | cut -c "1-$((${#prefix} + 1))")"
done

came=$(web --head "$URL/login" | tr -d '\r')
has 'HEAD is answered like GET' 'HTTP/1.1 200 OK' "$came"

came=$(web --write-out ' %{http_code}' "$URL/nowhere")
check 'other paths are not there' 'Not found 404' "$came"
for path in /login/ /LOGIN //login /login.css; do
    came=$(web --path-as-is --output /dev/null --write-out '%{http_code}' "$URL$path")
    check "and no second way leads to a page: $path" 404 "$came"
done

if [ -n "$prefix" ]; then
    check 'the path of the site alone is its home page' "302 $prefix/login" \
        "$(web --write-out '%{http_code} %header{location}' "$URL")"
    for path in / /login /account /style.css /healthz "${prefix}x/login" "/$prefix/login" "$prefix/..$prefix/login"; do
        came=$(web --path-as-is --output /dev/null --write-out '%{http_code}' "$host$path")
        check "the rest of the host is not the site: $path" 404 "$came"
    done
fi

for pair in 'DELETE / GET, HEAD' 'POST / GET, HEAD' 'PUT /login GET, HEAD, POST' \
    'PATCH /signup GET, HEAD, POST' 'PUT /logout GET, HEAD, POST'; do
    method=${pair%% *}
    rest=${pair#* }
    path=${rest%% *}
    came=$(web --output /dev/null --write-out '%{http_code} %header{allow}' --request "$method" "$URL$path")
    check "$method $path is not allowed" "405 ${rest#* }" "$came"
done

came=$(head -c 102401 /dev/zero | web --output /dev/null --write-out '%{http_code}' \
    --header 'Expect:' --data-binary @- "$URL/login")
check 'a body of more than 102,400 bytes is refused' 413 "$came"
