#!/bin/sh
# Sign up, look, sign out, sign in: the whole way with curl and a cookie jar.
# shellcheck source=tests/curl/check.sh
. "$(dirname "$0")/check.sh"

came=$(web --write-out '%{http_code} %header{location}' "$URL/")
check 'a stranger is sent to the sign-in form' "302 $prefix/login" "$came"

came=$(web --cookie-jar "$jar" --write-out '%{http_code} %header{location}' \
    --data-urlencode "username=$name" --data-urlencode "password=$password" "$URL/signup")
check 'signing up leads to the profile' "302 $prefix/" "$came"

came=$(web --cookie "$jar" "$URL/")
has 'the profile shows the name' "Username: $name" "$came"
has 'the profile shows the user id' 'User id: ' "$came"
has 'the profile has a button to sign out' "method=\"post\" action=\"$prefix/logout\"" "$came"

for page in /signup /login; do
    came=$(web --cookie "$jar" --write-out '%{http_code} %header{location}' "$URL$page")
    check "a signed-in user has no use for $page" "302 $prefix/" "$came"
done

came=$(web --cookie "$jar" "$URL/logout?next=$prefix/account")
has 'a link to sign out shows a button' "method=\"post\" action=\"$prefix/logout\"" "$came"
has 'and keeps where to go' "name=\"next\" value=\"$prefix/account\"" "$came"
check 'and changes nothing' 200 "$(web --output /dev/null --write-out '%{http_code}' --cookie "$jar" "$URL/")"
came=$(web --cookie "$jar" --cookie-jar "$jar" --write-out '%{http_code} %header{location}' \
    --request POST "$URL/logout")
check 'signing out leads to the sign-in form' "302 $prefix/login" "$came"
check 'and the cookie is gone' '' "$(grep "$COOKIE" "$jar" || true)"

came=$(web --cookie "$jar" --write-out '%{http_code} %header{location}' "$URL/")
check 'the profile is closed again' "302 $prefix/login" "$came"

check 'a link to sign out leads a signed-out visitor on' "302 $prefix/login" \
    "$(web --write-out '%{http_code} %header{location}' "$URL/logout")"
check 'to where they want to go' "302 $prefix/login?next=x" \
    "$(web --write-out '%{http_code} %header{location}' "$URL/logout?next=$prefix/login?next=x")"
came=$(web --write-out ' %{http_code}' --request POST "$URL/logout")
check 'a visitor who is not signed in cannot sign out' 'Unauthorized 401' "$came"

upper=$(printf %s "$name" | tr '[:lower:]' '[:upper:]')
came=$(web --cookie-jar "$jar" --write-out '%{http_code} %header{location}' \
    --data-urlencode "username=$upper" --data-urlencode "password=$password" "$URL/login")
check 'signing in leads to the profile, in whatever case the name is typed' "302 $prefix/" "$came"

came=$(web --cookie "$jar" "$URL/")
has 'the name is shown as it was first typed' "Username: $name" "$came"
