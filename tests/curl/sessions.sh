#!/bin/sh
# What a session is: a cookie or a bearer token, good until it is ended.
# shellcheck source=tests/curl/check.sh
. "$(dirname "$0")/check.sh"

# The token that curl has in its jar.
token() { awk -v name="$COOKIE" '$6 == name { print $7 }' "$jar"; }

# is_open token: the status of the profile for a client that holds it.
is_open() { web --output /dev/null --write-out '%{http_code}' --cookie "$COOKIE=$1" "$URL/"; }

sign_in() {
    web --cookie "$jar" --cookie-jar "$jar" --data-urlencode "username=$name" \
        --data-urlencode "password=$password" "$URL/login"
}

web --cookie-jar "$jar" --dump-header "$folder/head" --data-urlencode "username=$name" \
    --data-urlencode "password=$password" "$URL/signup"
cookie=$(tr -d '\r' <"$folder/head" | grep -i '^set-cookie:')
has 'the cookie has its name' "Set-Cookie: $COOKIE=" "$cookie"
has 'no script can read it' '; HttpOnly' "$cookie"
has 'no other site can make a browser post it' '; SameSite=Lax' "$cookie"
has 'it is for the whole site' '; Path=/' "$cookie"
has 'it lasts for 15 days' '; Max-Age=1296000' "$cookie"
has 'it says until when' '; Expires=' "$cookie"
case $COOKIE in
__Host-*) has 'it never crosses plain http' '; Secure' "$cookie" ;;
esac

first=$(token)
check 'the token is 40 lowercase letters and digits' 40 "$(printf %s "$first" | tr -dc 'a-z0-9' | wc -c)"
check 'it opens the profile' 200 "$(is_open "$first")"

came=$(web --output /dev/null --write-out '%{http_code}' --header "Authorization: Bearer $first" "$URL/")
check 'as a bearer token too' 200 "$came"

sign_in
second=$(token)
check 'signing in again ends the session that was presented' 302 "$(is_open "$first")"
check 'and starts another one' 200 "$(is_open "$second")"

web --request POST --cookie "$jar" "$URL/logout"
check 'signing out ends it, also for a client that kept a copy' 302 "$(is_open "$second")"

came=$(web --output /dev/null --dump-header - --cookie "$COOKIE=$second" "$URL/login" | tr -d '\r')
has 'a cookie that opens nothing is cleared on sight' "Set-Cookie: $COOKIE=; " "$came"
has 'at once' 'Max-Age=0' "$came"

came=$(web --output /dev/null --write-out '%{http_code}' \
    --header "Cookie: $COOKIE=aaaa; $COOKIE=bbbb" "$URL/")
check 'two different cookies are none' 302 "$came"
