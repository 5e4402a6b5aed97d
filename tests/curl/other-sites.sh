#!/bin/sh
# What another site can make a browser do here: nothing.
# shellcheck source=tests/curl/check.sh
. "$(dirname "$0")/check.sh"

web --cookie-jar "$jar" --data-urlencode "username=$name" --data-urlencode "password=$password" \
    "$URL/signup"

foreign() {
    web --output /dev/null --write-out '%{http_code}' --header "$1" --cookie "$jar" \
        --data-urlencode "username=$name" --data-urlencode "password=$password" "$URL$2"
}

for header in 'Sec-Fetch-Site: cross-site' 'Sec-Fetch-Site: same-site' \
    'Origin: https://evil.example' 'Origin: null' 'Referer: https://evil.example/'; do
    check "no sign-in with '$header'" 403 "$(foreign "$header" /login)"
    check "no sign-up with '$header'" 403 "$(foreign "$header" /signup)"
    check "no sign-out with '$header'" 401 "$(foreign "$header" /logout)"
done
came=$(web --output /dev/null --write-out '%{http_code}' --cookie "$jar" "$URL/")
check 'the session is as it was' 200 "$came"

check 'our own pages may post' 302 "$(foreign 'Sec-Fetch-Site: same-origin' /login)"
check 'and so may a script that says nothing' 302 "$(foreign 'X-Nothing: said' /login)"
