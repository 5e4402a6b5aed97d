#!/bin/sh
# The same as data: for scripts that ask for JSON and carry a token instead of a cookie jar.
# shellcheck source=tests/curl/check.sh
. "$(dirname "$0")/check.sh"

json() { web --header 'Accept: application/json' "$@"; }

# value name < data: the first value of this name, which is all that a shell needs of JSON here.
value() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

token=$(json --data-urlencode "username=$name" --data-urlencode "password=$password" "$URL/signup" |
    value token)
check 'signing up gives a token' 40 "${#token}"

came=$(json --header "Authorization: Bearer $token" "$URL/")
has 'which opens the profile' "\"username\":\"$name\"" "$came"
has 'with the state of the session' '"state":"active"' "$came"

came=$(json --write-out ' %{http_code}' "$URL/")
has 'a stranger is told so' '"error":"not_signed_in"' "$came"
has 'with the status that says it' ' 401' "$came"

came=$(json --write-out ' %{http_code}' --data-urlencode "username=$name" \
    --data-urlencode "password=$password" "$URL/signup")
has 'a name is given once' '"error":"username_taken"' "$came"
has 'which is a conflict' ' 409' "$came"

came=$(json --write-out ' %{http_code}' --data-urlencode "username=$name" \
    --data-urlencode 'password=wrong password' "$URL/login")
has 'a wrong password is told' '"error":"incorrect_credentials"' "$came"
has 'with 401' ' 401' "$came"

came=$(json --header 'Content-Type: application/json' \
    --data "{\"username\":\"$name\",\"password\":\"$password\"}" "$URL/login" | value token)
check 'a body in JSON is read like a form' 40 "${#came}"

came=$(json --header "Authorization: Bearer $token" "$URL/account/sessions")
has 'sessions are listed' '"handle":"' "$came"

new=$(json --header "Authorization: Bearer $token" --data-urlencode "current_password=$password" \
    --data-urlencode 'password=four quite unrelated words' "$URL/account/password" | value token)
check 'a new password gives a new token' 40 "${#new}"
came=$(json --header "Authorization: Bearer $token" --output /dev/null --write-out '%{http_code}' "$URL/")
check 'and ends the old one' 401 "$came"

came=$(json --header "Authorization: Bearer $new" --request POST "$URL/logout")
check 'signing out says so' '{"signed_in":false}' "$came"
