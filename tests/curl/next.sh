#!/bin/sh
# The way back: to a path of this host, and to nowhere else.
# shellcheck source=tests/curl/check.sh
. "$(dirname "$0")/check.sh"

way() { web --output /dev/null --write-out '%{http_code} %header{location}' "$@"; }

check 'sign-up leads on to a path' "302 $prefix/account" \
    "$(way "$URL/signup" -c "$jar" --data-urlencode "username=$name" --data-urlencode "password=$password" -d "next=$prefix/account")"
check 'sign-in does too' "302 $prefix/account?x=1" \
    "$(way "$URL/login" --data-urlencode "username=$name" --data-urlencode "password=$password" --data-urlencode "next=$prefix/account?x=1")"
check 'so does the form for a signed-in user' "302 $prefix/account" \
    "$(way -b "$COOKIE=$(awk '$6 ~ /auth_session/ { print $7 }' "$jar")" "$URL/login?next=$prefix/account")"
# The host may be that of an app, whose pages are led to as they are.
check 'a path of the host is led to whole' "302 /dashboard?tab=1" \
    "$(way "$URL/login" --data-urlencode "username=$name" --data-urlencode "password=$password" --data-urlencode 'next=/dashboard?tab=1')"
for hostile in '//e.com' '/\e.com' 'https://e.com/' 'https:e.com' '/.//e.com' 'javascript:alert(1)'; do
    check "sign-in does not lead to $hostile" "302 $prefix/" \
        "$(way "$URL/login" --data-urlencode "username=$name" --data-urlencode "password=$password" --data-urlencode "next=$hostile")"
done
check 'checks are for proxies that are trusted' 403 \
    "$(web --output /dev/null --write-out '%{http_code}' "$URL/auth/nginx")"
